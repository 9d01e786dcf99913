/*
 * The refresh-token manager (design section 8). Lives on the outbound thread; what other threads
 * may call is said where it is declared. One per process.
 *
 *     start -> Lightspeed's consent page -> callback -> exchange -> GET /companies/me -> bound
 *
 * A grant is refreshed at 75 % of its access token's life and at least once per
 * tenant.token_refresh_us; at most one refresh of a grant is in flight, in this process by the
 * grant's own queue, across processes by a lease row. The new pair is written before it is used.
 */
#ifndef COUNTERPART_OAUTH_OAUTH_H
#define COUNTERPART_OAUTH_OAUTH_H

#include "oauth/jwt.h"
#include "oauth/token_reply.h"
#include "runtime/directory.h"
#include "runtime/committer.h"
#include "runtime/outbound.h"
#include "runtime/reader.h"
#include "store/grant.h"

#define OAUTH_URL_MAX 512
#define OAUTH_REDIRECT_MAX (OAUTH_URL_MAX + 16) /* public_url/oauth/callback */
/* URL, client id and redirect URI encoded, a state, and the names. */
#define OAUTH_AUTHORIZE_MAX 4096
#define OAUTH_CODE_MAX 512
#define OAUTH_SENTENCE_MAX 200
#define OAUTH_HTTP_TIMEOUT_US (INT64_C(10) * 1000000)
#define OAUTH_LEASE_US (3 * OAUTH_HTTP_TIMEOUT_US) /* design section 8: at least 3 x the time-out */
#define OAUTH_STATE_LIFE_US (INT64_C(10) * 60 * 1000000)

struct oauth;
/* Loads the directory anew after a tenant got its company; on the committer's thread. */
typedef int (*oauth_reload_fn)(void *context, struct store *store);
struct oauth_config {
    struct outbound *outbound;
    struct committer *committer;
    struct reader *reader;
    struct directory *directory;
    const struct token_keys *keys;
    struct id_source random;
    /* At most OAUTH_URL_MAX each, without a slash at the end. */
    const char *authorize_url; /* COUNTERPART_OSERIES_AUTHORIZE_URL */
    const char *token_url;     /* COUNTERPART_OSERIES_TOKEN_URL */
    const char *api_url;       /* COUNTERPART_OSERIES_API_URL */
    const char *public_url;    /* the callback is public_url/oauth/callback */
    oauth_reload_fn reload;
    void *reload_context;
    bool is_shared; /* other processes refresh the same grants: a lease is theirs until it ends */
    const char *former_owner; /* one of them that has ended; NULL: none is known */
    const char *owner;        /* this process; NULL: any name will do */
    /* A tenant was connected, anew or again; on the outbound thread, tokens can be had already.
     * NULL: nobody wants to know. */
    void (*on_connected)(void *context, int64_t tenant_id);
    /* The same by another process, which has made what follows from it. NULL as above. */
    void (*on_connected_elsewhere)(void *context, int64_t tenant_id);
    void *connected_context;
};
/* What to register at Lightspeed, exactly. */
void oauth_append_redirect_uri(const struct oauth *oauth, struct text_buffer *uri);

/* Loads application and grants from store (a reader's or the writer's, before the threads start),
 * and schedules their refreshes on the outbound thread. A lease left by a process of this data
 * folder that died is taken over at once; in a shared store when it ends. */
MUST_CHECK int oauth_create(const struct oauth_config *config, struct store *store,
                            struct oauth **oauth);
/* After outbound_stop. accepts NULL */
void oauth_destroy(struct oauth *oauth);

/* Other processes of the store may have changed the application or connected somebody: both are
 * read anew, soon. On the outbound thread. */
void oauth_follow(struct oauth *oauth);
/* The same as a job that ends when it has begun; the extra bytes as of those below. */
void oauth_begin_follow(struct job *job);

/* --- any thread ------------------------------------------------------------------------------ */

/* Where to send the merchant's browser; at most OAUTH_AUTHORIZE_MAX. errors: ERR_NO_APP;
 * ERR_NO_MEMORY. */
MUST_CHECK int oauth_append_authorize_url(struct oauth *oauth, int64_t tenant_id, int64_t now_us,
                                          struct text_buffer *url);

/* The application in the store is another one: it is read anew, soon. Whoever has written it calls
 * this, whether anybody still waits for the answer or not. */
void oauth_reload_app(struct oauth *oauth);

/* What an exchange, refresh or revocation came to; the extra bytes of its job. */
struct oauth_task {
    struct oauth *oauth;
    int64_t tenant_id;
    char code[OAUTH_CODE_MAX + 1]; /* exchange only */
    bool waits_for_change; /* the manager's: a refresh, asked for during a person's change */
    int64_t token_version; /* the same: of the token that there was then */
    /* out */
    int64_t company_id;
    char company_name[COMPANY_NAME_MAX + 1]; /* may be empty */
    char sentence[OAUTH_SENTENCE_MAX + 1];   /* why it failed and what to do, for people */
};
/* How long such a job may take: two replies, and the store. The deadline for it. */
#define OAUTH_TASK_US (2 * OAUTH_HTTP_TIMEOUT_US + INT64_C(5) * 1000000)
/* job_begin_fn for jobs whose extra bytes are a struct oauth_task (exchange_submit_outbound).
 * job->error: 0; ERR_NO_APP; ERR_REFUSED (bad code, wrong client, grant not renewable);
 * ERR_ALREADY_EXISTS (the company is another tenant's); ERR_NOT_CONNECTED; ERR_TIMED_OUT,
 * ERR_UNREACHABLE, ERR_BAD_REPLY, ERR_SHUTTING_DOWN; the store's own. */
void oauth_begin_exchange(struct job *job);
void oauth_begin_refresh(struct job *job);
void oauth_begin_revoke(struct job *job);
void oauth_begin_basic(struct job *job); /* connect with client id and secret, for development */
/* As oauth_reload_app, and ends when it is in use. */
void oauth_begin_reload_app(struct job *job);

struct oauth_counters {
    uint64_t refreshes, failures; /* by this process */
};
void oauth_read_counters(struct oauth *oauth, struct oauth_counters *counters);

/* For people and for metrics: a copy of what is known, without tokens. */
struct oauth_status {
    int64_t tenant_id;
    enum app_surface surface;
    enum grant_kind kind;
    enum grant_status status;
    int64_t company_id;
    int64_t connected_at_us, refreshed_at_us, expires_at_us, failed_at_us;
    int32_t failures;
    uint64_t refreshes; /* by this process */
    bool is_alarming;   /* act now: reconnect required, or refreshes have failed for a quarter of
                           the life that is left when they are due */
    char reason[GRANT_REASON_MAX + 1];
};
typedef void (*oauth_status_fn)(void *context, const struct oauth_status *status);
void oauth_each_status(struct oauth *oauth, oauth_status_fn each,
                       void *context); /* locked: short */
MUST_CHECK bool oauth_has_app(struct oauth *oauth);
/* Is any grant alarming? For /readyz and the console. */
MUST_CHECK bool oauth_is_alarming(struct oauth *oauth);

/* --- the outbound thread (lightspeed/) ------------------------------------------------------- */

struct oauth_access {
    enum grant_kind kind;
    const char *authorization; /* "Bearer ..." or "Basic ..."; good for the call only */
    int64_t version;           /* of the token: tells whether somebody has refreshed it since */
    int64_t company_id;
};
/* err 0, or ERR_NOT_CONNECTED, ERR_NO_APP, ERR_TIMED_OUT (of the refresh), ...; access is then
 * NULL. */
typedef void (*oauth_access_fn)(void *context, int err, const struct oauth_access *access);
/* A token to call the API with; waits for a refresh when the one there has expired. May call back
 * at once. While refreshes fail, who comes before the next attempt gets the failure of the last. */
void oauth_acquire(struct oauth *oauth, int64_t tenant_id, oauth_access_fn fn, void *context);
/* The API refused the token of stale_version: refresh it, unless that was done since. Joins a
 * refresh that is in flight. A token that came of such a renewal and is refused too is not renewed
 * again at once (ERR_REFUSED): the reason is another, and every call would use up a pair. */
#define OAUTH_RENEW_PAUSE_US (INT64_C(60) * 1000000)
void oauth_renew(struct oauth *oauth, int64_t tenant_id, int64_t stale_version, oauth_access_fn fn,
                 void *context);

#endif
