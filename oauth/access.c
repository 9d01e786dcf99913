/* Gives tokens to those who call the API, and decides what a grant does next. */
#include "oauth/manager.h"

#include "base/clock.h"
#include "base/log.h"
#include "runtime/queue.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/banned.h"

/* Settings of the tenant may have changed: a sleeping grant looks at the time this often. */
#define LOOK_US (INT64_C(60) * CLOCK_US_PER_S)
/* A pair whose life ends before it could be written is not given to anybody. After so many of them
 * in a row the callers are told. */
#define ROUNDS_MAX 5

/* --- those who wait */

static void give_token(const struct grant_entry *entry, oauth_access_fn fn, void *context)
{
    const struct grant *grant = &entry->grant;
    char bytes[AUTHORIZATION_MAX];
    struct text_buffer authorization;
    bool is_basic = grant->kind == GRANT_BASIC;
    if (is_basic && !entry->oauth->has_app) {
        fn(context, ERR_NO_APP, NULL);
        return;
    }
    text_buffer_init(&authorization, bytes, sizeof(bytes));
    append_authorization(entry->oauth, is_basic ? NULL : grant->access_token, &authorization);
    const struct oauth_access access = {.kind = grant->kind,
                                        .authorization = bytes,
                                        .version = entry->token_version,
                                        .company_id = grant->company_id};
    fn(context, 0, &access);
    seal_wipe(bytes, sizeof(bytes));
}

void entry_answer(struct grant_entry *entry, int err)
{
    struct waiter *waiter = entry->waiters;
    entry->waiters = NULL; /* first: who is called may come again at once */
    entry->waiters_end = &entry->waiters;
    while (waiter != NULL) {
        struct waiter *each = waiter;
        waiter = each->next;
        if (err == 0)
            give_token(entry, each->fn, each->context);
        else
            each->fn(each->context, err, NULL);
        free(each);
    }
}

static void add_waiter(struct grant_entry *entry, oauth_access_fn fn, void *context)
{
    struct waiter *waiter = malloc(sizeof(*waiter));
    if (waiter == NULL) {
        fn(context, ERR_NO_MEMORY, NULL);
        return;
    }
    *waiter = (struct waiter){.fn = fn, .context = context};
    *entry->waiters_end = waiter;
    entry->waiters_end = &waiter->next;
}

/* --- what comes next */

static void note_alarm(struct grant_entry *entry, int64_t now_us)
{
    bool is_alarming =
        now_us >=
        life_alarm_us(&entry->grant, oauth_refresh_max_us(entry->oauth, entry->tenant_id));
    if (is_alarming == entry->has_alarmed)
        return;
    entry->has_alarmed = is_alarming;
    if (!is_alarming) {
        log_event(LOG_INFO, "oauth_alarm_over", LOG_INT("tenant_id", entry->tenant_id));
        return;
    }
    bool has_ended = life_rest_of(&entry->grant) == LIFE_ENDED;
    log_event(LOG_ERROR, "oauth_alarm", LOG_INT("tenant_id", entry->tenant_id),
              LOG_TEXT("state", has_ended ? "reconnect_required" : "refresh_fails"),
              LOG_INT("failures", entry->grant.failures),
              LOG_INT("expires_in_s", (entry->grant.expires_at_us - now_us) / CLOCK_US_PER_S),
              LOG_TEXT("reason", entry->grant.reason));
}

static int64_t next_attempt_us(const struct grant_entry *entry, int64_t refresh_max_us)
{
    if (entry->phase == LIFE_READY && entry->is_urgent)
        return entry->blocked_us;
    int64_t next_us = life_next_attempt_us(&entry->grant, refresh_max_us);
    return next_us < entry->blocked_us ? entry->blocked_us : next_us;
}

static bool attempt_is_due(const struct grant_entry *entry, int64_t now_us)
{
    return entry->phase == LIFE_READY && entry->grant.kind == GRANT_OAUTH &&
           next_attempt_us(entry, oauth_refresh_max_us(entry->oauth, entry->tenant_id)) <= now_us;
}

static void on_timer(void *context)
{
    struct grant_entry *entry = context;
    note_alarm(entry, clock_steady_us());
    if (attempt_is_due(entry, clock_steady_us()))
        refresh_begin(entry);
    else
        entry_begin_schedule(entry);
}

void entry_begin_schedule(struct grant_entry *entry)
{
    struct outbound *outbound = entry->oauth->config.outbound;
    int64_t refresh_max_us = oauth_refresh_max_us(entry->oauth, entry->tenant_id);
    int64_t now_us = clock_steady_us();
    note_alarm(entry, now_us);
    if (entry->phase != LIFE_READY || entry->grant.kind == GRANT_BASIC)
        return; /* nothing that time would change */
    int64_t at_us = clock_sooner_us(next_attempt_us(entry, refresh_max_us), now_us + LOOK_US);
    if (!entry->has_alarmed)
        at_us = clock_sooner_us(at_us, life_alarm_us(&entry->grant, refresh_max_us));
    int64_t wait_us = at_us > now_us ? at_us - now_us : 0;
    outbound_set_timer(outbound, &entry->timer, clock_monotonic_us() + wait_us, on_timer, entry);
}

/* Those who wait: with the token, with the failure, or on, for another refresh. */
static void serve_waiters(struct grant_entry *entry, int err)
{
    bool is_usable = life_is_usable(&entry->grant, clock_steady_us());
    entry->rounds = err != 0 || is_usable || entry->waiters == NULL ? 0 : entry->rounds + 1;
    if (entry->waiters == NULL)
        return;
    if (err != 0 || is_usable)
        entry_answer(entry, err);
    else if (entry->phase != LIFE_READY)
        entry_answer(entry, ERR_NOT_CONNECTED);
    else if (entry->rounds > ROUNDS_MAX)
        entry_answer(entry, ERR_TIMED_OUT);
    else
        refresh_begin(entry);
}

bool entry_begin_change(struct grant_entry *entry)
{
    struct change *change = entry->changes;
    if (change == NULL)
        return false;
    entry->changes = change->next;
    if (entry->changes == NULL)
        entry->changes_end = &entry->changes;
    life_move(&entry->phase, LIFE_CHANGING);
    change->begin(change);
    return true;
}

void entry_rest(struct grant_entry *entry, int err)
{
    life_move(&entry->phase, life_rest_of(&entry->grant));
    entry->last_error = err;
    entry_publish(entry);
    if (entry_begin_change(entry))
        return;
    serve_waiters(entry, err);
    if (life_is_resting(entry->phase))
        entry_begin_schedule(entry);
}

void entry_add_change(struct grant_entry *entry, struct change *change)
{
    if (entry->is_over) {
        change->refuse(change, ERR_SHUTTING_DOWN);
        return;
    }
    if (life_is_resting(entry->phase)) {
        outbound_cancel_timer(entry->oauth->config.outbound, &entry->timer);
        life_move(&entry->phase, LIFE_CHANGING);
        change->begin(change);
        return;
    }
    change->next = NULL;
    *entry->changes_end = change;
    entry->changes_end = &change->next;
}

static void refuse_changes(struct grant_entry *entry)
{
    struct change *change = entry->changes;
    entry->changes = NULL;
    entry->changes_end = &entry->changes;
    while (change != NULL) {
        struct change *each = change;
        change = each->next;
        each->refuse(each, ERR_SHUTTING_DOWN);
    }
}

void entry_abandon(struct grant_entry *entry)
{
    entry->is_over = true;
    entry_answer(entry, ERR_SHUTTING_DOWN);
    refuse_changes(entry);
}

/* What does not wait for a timer ends by itself. */
void entry_end(struct grant_entry *entry)
{
    if (!entry->timer.is_set)
        return;
    outbound_cancel_timer(entry->oauth->config.outbound, &entry->timer);
    entry_answer(entry, ERR_SHUTTING_DOWN);
    if (!life_is_resting(entry->phase))
        refresh_hurry(entry);
}

/* --- from the API's client */

/* A refresh that could begin now, for somebody who wants a token. */
static void join_refresh(struct grant_entry *entry, oauth_access_fn fn, void *context)
{
    int64_t now_us = clock_steady_us();
    if (entry->phase == LIFE_READY && entry->grant.failures > 0 && entry->last_error != 0 &&
        !attempt_is_due(entry, now_us)) {
        fn(context, entry->last_error, NULL);
        return;
    }
    add_waiter(entry, fn, context);
    if (entry->phase == LIFE_READY && now_us >= entry->blocked_us)
        refresh_begin(entry);
}

void oauth_acquire(struct oauth *oauth, int64_t tenant_id, oauth_access_fn fn, void *context)
{
    struct grant_entry *entry = oauth_find(oauth, tenant_id);
    if (entry == NULL || entry->phase == LIFE_ABSENT)
        fn(context, ERR_NOT_CONNECTED, NULL);
    else if (life_is_usable(&entry->grant, clock_steady_us()))
        give_token(entry, fn, context);
    else if (entry->phase == LIFE_ENDED || entry->grant.kind == GRANT_BASIC)
        fn(context, ERR_NOT_CONNECTED, NULL);
    else if (outbound_is_ending(oauth->config.outbound))
        fn(context, ERR_SHUTTING_DOWN, NULL);
    else
        join_refresh(entry, fn, context);
}

/* An API that refuses whatever it gets must not make every call spend a pair. */
static bool renewal_is_in_vain(struct grant_entry *entry, int64_t stale_version)
{
    int64_t now_us = clock_steady_us();
    return life_is_resting(entry->phase) && entry->renewed_version != 0 &&
           entry->renewed_version != stale_version &&
           now_us < entry->renewed_us + OAUTH_RENEW_PAUSE_US &&
           life_is_usable(&entry->grant, now_us);
}

static void refuse_renewal(struct grant_entry *entry, oauth_access_fn fn, void *context)
{
    if (entry->refused_version != entry->token_version) /* once for each token */
        log_event(LOG_ERROR, "oauth_alarm", LOG_INT("tenant_id", entry->tenant_id),
                  LOG_TEXT("state", "new_token_refused"),
                  LOG_TEXT("reason", "the API refuses a token that was refreshed just now"));
    entry->refused_version = entry->token_version;
    fn(context, ERR_REFUSED, NULL);
}

static void renew(struct grant_entry *entry, oauth_access_fn fn, void *context)
{
    if (entry->renewed_version != entry->token_version)
        entry->renewed_us = clock_steady_us();
    entry->renewed_version = entry->token_version;
    join_refresh(entry, fn, context);
}

void oauth_renew(struct oauth *oauth, int64_t tenant_id, int64_t stale_version, oauth_access_fn fn,
                 void *context)
{
    struct grant_entry *entry = oauth_find(oauth, tenant_id);
    bool is_renewable = entry != NULL &&
                        !(life_is_resting(entry->phase) && entry->phase != LIFE_READY) &&
                        entry->grant.kind == GRANT_OAUTH;
    if (!is_renewable)
        fn(context, ERR_NOT_CONNECTED, NULL);
    else if (entry->token_version != stale_version)
        oauth_acquire(oauth, tenant_id, fn, context);
    else if (outbound_is_ending(oauth->config.outbound))
        fn(context, ERR_SHUTTING_DOWN, NULL);
    else if (renewal_is_in_vain(entry, stale_version))
        refuse_renewal(entry, fn, context);
    else
        renew(entry, fn, context);
}

/* --- a person asks for a refresh */

static void on_refreshed(void *context, int err, const struct oauth_access *access)
{
    (void)access;
    struct job *job = context;
    struct oauth_task *task = (struct oauth_task *)(job + 1);
    const struct grant_entry *entry = oauth_find(task->oauth, task->tenant_id);
    task->company_id = entry->grant.company_id;
    if (err == 0 && task->waits_for_change && task->token_version == entry->token_version) {
        task->waits_for_change = false;
        oauth_begin_refresh(job); /* the change has ended, and the token is the one there was */
        return;
    }
    if (err != 0)
        snprintf(task->sentence, sizeof(task->sentence), "%s", entry->grant.reason);
    job_end(job, err);
}

/* Also what has ended is tried: a person may know better. */
void oauth_begin_refresh(struct job *job)
{
    struct oauth_task *task = (struct oauth_task *)(job + 1);
    struct grant_entry *entry = oauth_find(task->oauth, task->tenant_id);
    if (entry == NULL || entry->phase == LIFE_ABSENT) {
        job_end(job, ERR_NOT_CONNECTED);
    } else if (entry->grant.kind == GRANT_BASIC) {
        snprintf(task->sentence, sizeof(task->sentence),
                 "client id and secret are used as they are: there is nothing to refresh");
        job_end(job, ERR_REFUSED);
    } else if (!task->oauth->has_app) {
        job_end(job, ERR_NO_APP);
    } else if (outbound_is_ending(task->oauth->config.outbound)) {
        job_end(job, ERR_SHUTTING_DOWN);
    } else {
        task->waits_for_change = entry->phase == LIFE_CHANGING;
        task->token_version = entry->token_version;
        add_waiter(entry, on_refreshed, job);
        if (life_is_resting(entry->phase))
            refresh_begin(entry);
    }
}
