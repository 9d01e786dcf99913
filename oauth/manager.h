/*
 * What the files of the manager share: its table of grants, and the steps that more than one of
 * them takes. Everything here is for the outbound thread, but for what says otherwise. Other
 * folders have oauth/oauth.h.
 */
#ifndef COUNTERPART_OAUTH_MANAGER_H
#define COUNTERPART_OAUTH_MANAGER_H

#include "oauth/life.h"
#include "oauth/oauth.h"
#include "runtime/errand.h"

#include <pthread.h>
#include <stdatomic.h>

/* Somebody who waits for a token. */
struct waiter {
    struct waiter *next;
    oauth_access_fn fn;
    void *context;
};

/* A person's change of a grant; waits until nothing else is under way there. */
struct change {
    struct change *next;
    void (*begin)(struct change *change);           /* in LIFE_CHANGING; ends with entry_rest */
    void (*refuse)(struct change *change, int err); /* it cannot begin any more */
};

enum read_why {
    READ_AFTER_REFUSAL, /* invalid_grant: has somebody else rotated? */
    READ_AFTER_WRITE,   /* did it happen? */
};

/* One tenant's grant. Lives until oauth_destroy. */
struct grant_entry {
    struct oauth *oauth;
    int64_t tenant_id;
    enum life_phase phase;
    struct grant grant;     /* as last read from or written to the store; failures as known here */
    struct grant pending;   /* LIFE_WRITING */
    bool pending_is_new;    /* it holds a pair that nobody else has: never given up */
    bool pending_is_theirs; /* the row as it was found, written to let go of the lease */
    int64_t token_version;  /* of grant when its tokens were written */
    int64_t asked_at_us;    /* steady; a token lives from here, however long its reply took */
    enum read_why why;
    int last_error;     /* of the latest attempt; 0: it worked, or there was none */
    bool is_urgent;     /* the next attempt is now */
    bool is_over;       /* the end came in the middle of it: entry_rest will not follow */
    bool is_orphaned;   /* its lease was left by a process that died: ours to take */
    int64_t blocked_us; /* steady; another process refreshes it: no attempt before */
    int64_t renewed_us, renewed_version; /* steady; the latest renewal that a 401 asked for, and of
                                            which token; version 0: none */
    int64_t refused_version; /* the token that came of it was refused too, and that was told */
    int rounds; /* refreshes in a row whose tokens were too old when they were written */
    bool has_alarmed;
    struct outbound_timer timer;
    struct outbound_message again; /* the next attempt, when the end waits for it */
    struct waiter *waiters, **waiters_end;
    struct change *changes, **changes_end;
    struct oauth_status status; /* guarded by oauth->mutex */
    int64_t alarm_us;           /* the same */
};

struct oauth {
    struct oauth_config config;
    char owner[GRANT_OWNER_CHARS + 1];
    struct outbound_message start;
    struct outbound_watch end;
    struct outbound_message app_changed;
    _Atomic bool app_change_is_posted; /* app_changed is on its way */
    struct outbound_timer app_timer;
    struct app app; /* written by the outbound thread, under the mutex */
    bool has_app;
    struct grant_entry *
        *entries; /* in order of tenants; grown by the outbound thread, under the mutex */
    size_t count, room;
    pthread_mutex_t mutex;
    _Atomic uint64_t refreshes, failures;
};

/* --- oauth.c */

struct grant_entry *oauth_find(const struct oauth *oauth, int64_t tenant_id); /* NULL: none */
/* The same, or a new one without a grant. errors: ERR_NO_MEMORY. */
MUST_CHECK int oauth_find_or_add(struct oauth *oauth, int64_t tenant_id,
                                 struct grant_entry **entry);
/* How long this tenant's pair may be used at most. */
int64_t oauth_refresh_max_us(const struct oauth *oauth, int64_t tenant_id);
/* Takes over what is in the store; version 0: nothing. Tokens differ: they are counted as new. */
void entry_adopt(struct grant_entry *entry, const struct grant *grant);
/* For other threads to see. */
void entry_publish(struct grant_entry *entry);

/* --- access.c: who waits for a token, and what comes next */

/* Nothing is under way any more: publishes, begins what waits, and schedules the next refresh. err:
 * of what has ended; those who wait for a token get it. */
void entry_rest(struct grant_entry *entry, int err);
void entry_add_change(struct grant_entry *entry, struct change *change);
/* From rest: the change that has waited longest. false: none does. */
MUST_CHECK bool entry_begin_change(struct grant_entry *entry);
/* The end has come in the middle of it, and nothing will follow: whoever waits is told so. */
void entry_abandon(struct grant_entry *entry);
/* All who wait get it. 0: they get the token, which must be usable. */
void entry_answer(struct grant_entry *entry, int err);
void entry_begin_schedule(struct grant_entry *entry);
/* The end has begun (outbound_watch_end): what waits for a timer ends now, but for a pair that is
 * not written yet, which the end waits for. */
void entry_end(struct grant_entry *entry);

/* --- refresh.c */

/* From rest. */
void refresh_begin(struct grant_entry *entry);
/* The end has begun while a write, or the reading of what became of one, waited for its next
 * attempt: now, and until it has worked or the store's workers have stopped. */
void refresh_hurry(struct grant_entry *entry);

/* --- grant_task.c: what the store's workers do */

/* What goes to a worker and comes back: the errand's extra bytes. */
struct grant_task {
    struct grant grant;
    struct grant_lease lease;
    oauth_reload_fn reload; /* NULL: the directory knows already */
    void *reload_context;
};
int grant_task_lease(struct job *job, struct store *store);
int grant_task_put(struct job *job, struct store *store);
int grant_task_bind(struct job *job, struct store *store);
int grant_task_read(struct job *job, struct store *store);

/* --- ask.c: requests to Lightspeed, and what they take */

/* POST to the token endpoint. refresh: the token; else code. */
void ask_token(struct oauth *oauth, const char *refresh_token, const char *code,
               outbound_done_fn on_done, void *context);
/* GET /companies/me.json with this token; NULL: with client id and secret. Before deadline_us at
 * latest. */
void ask_company(struct oauth *oauth, const char *access_token, int64_t deadline_us,
                 outbound_done_fn on_done, void *context);
#define AUTHORIZATION_MAX 600 /* "Bearer " and a token; "Basic " and 257 bytes in base64 */
void append_authorization(const struct oauth *oauth, const char *access_token,
                          struct text_buffer *buffer);
/* A token was given with something else than expected beside it: for the log. */
void note_oddities(int64_t tenant_id, const struct token_reply *reply);
/* Why no reply came, for people. */
const char *explain_no_reply(int err);

#endif
