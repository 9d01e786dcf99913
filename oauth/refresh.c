/* Refreshes a grant: lease, ask, write, use; and what to do when one of these goes wrong. */
#include "oauth/manager.h"

#include "base/clock.h"
#include "base/log.h"

#include <stdio.h>
#include <string.h>

#include "base/banned.h"

/* Between two attempts to write a pair, or to read what became of a write. */
#define STORE_PAUSE_US (INT64_C(500) * 1000)
/* The same while the end waits for it, which it does not do for long. */
#define HURRY_PAUSE_US (INT64_C(50) * 1000)
/* While another process refreshes a grant. */
#define LEASE_PAUSE_US (INT64_C(250) * 1000)

static void write_pending(struct grant_entry *entry);
static void read_store(struct grant_entry *entry, enum read_why why);

static void note_reason(struct grant *grant, const char *reason)
{
    snprintf(grant->reason, sizeof(grant->reason), "%s", reason);
}

static void count_failure(struct grant_entry *entry, struct grant *grant, const char *reason)
{
    atomic_fetch_add(&entry->oauth->failures, 1);
    if (grant->failures < INT32_MAX)
        grant->failures++;
    grant->failed_at_us = clock_steady_us();
    note_reason(grant, reason);
    log_event(LOG_WARNING, "oauth_refresh_failed", LOG_INT("tenant_id", entry->tenant_id),
              LOG_INT("failures", grant->failures), LOG_TEXT("reason", reason));
}

/* Without the store there is nobody to tell but those who wait; the next attempt comes by
 * itself. */
static void fail_here(struct grant_entry *entry, int err, const char *reason)
{
    count_failure(entry, &entry->grant, reason);
    entry_rest(entry, err);
}

/* --- trying again */

static void on_hurry_timer(void *context)
{
    struct grant_entry *entry = context;
    outbound_post(entry->oauth->config.outbound, &entry->again);
}

/* The end waits for messages that are expected, not for timers. */
static void try_again(struct grant_entry *entry, outbound_fn fn)
{
    struct outbound *outbound = entry->oauth->config.outbound;
    int64_t now_us = clock_monotonic_us();
    if (!outbound_is_ending(outbound)) {
        outbound_set_timer(outbound, &entry->timer, now_us + STORE_PAUSE_US, fn, entry);
        return;
    }
    entry->again = (struct outbound_message){.fn = fn, .context = entry};
    outbound_expect(outbound, &entry->again);
    outbound_set_timer(outbound, &entry->timer, now_us + HURRY_PAUSE_US, on_hurry_timer, entry);
}

/* A pair that nobody else has; err: of the latest attempt to write it, or to learn whether it was.
 */
static void keep_pair(struct grant_entry *entry, int err, outbound_fn fn)
{
    entry_answer(entry, err);
    if (err != ERR_SHUTTING_DOWN) {
        try_again(entry, fn);
        return;
    }
    /* The committer has stopped, and will not come back. */
    log_event(LOG_ERROR, "oauth_pair_lost", LOG_INT("tenant_id", entry->tenant_id));
    entry_abandon(entry);
}

/* --- writing */

static void note_refreshed(struct grant_entry *entry)
{
    struct oauth *oauth = entry->oauth;
    atomic_fetch_add(&oauth->refreshes, 1);
    pthread_mutex_lock(&oauth->mutex);
    entry->status.refreshes++;
    pthread_mutex_unlock(&oauth->mutex);
    log_event(LOG_INFO, "oauth_refreshed", LOG_INT("tenant_id", entry->tenant_id),
              LOG_INT("life_s", (entry->grant.expires_at_us - entry->grant.refreshed_at_us) /
                                    CLOCK_US_PER_S));
}

static void take_written(struct grant_entry *entry, const struct grant *written)
{
    bool is_new = entry->pending_is_new;
    bool has_failed = !is_new && !entry->pending_is_theirs;
    int err = has_failed ? entry->last_error : 0;
    entry_adopt(entry, written);
    entry->pending_is_new = false;
    seal_wipe(&entry->pending, sizeof(entry->pending));
    if (is_new)
        note_refreshed(entry);
    entry_rest(entry, err);
}

static void on_write_again(void *context)
{
    write_pending(context);
}

/* A pair that nobody else has is written until it is written; a failure may be forgotten. */
static void write_failed(struct grant_entry *entry, int err)
{
    log_event(LOG_ERROR, "oauth_grant_not_written", LOG_INT("tenant_id", entry->tenant_id),
              LOG_TEXT("error", error_name(err)));
    if (entry->pending_is_new) {
        keep_pair(entry, err, on_write_again);
        return;
    }
    if (!entry->pending_is_theirs)
        entry->grant = entry->pending;
    entry_rest(entry, entry->pending_is_theirs ? 0 : err);
}

static void on_written(struct errand *errand)
{
    struct grant_entry *entry = errand->context;
    const struct grant_task *task = errand_data(errand);
    int err = errand->job.error;
    if (err == 0)
        take_written(entry, &task->grant);
    else if (err == ERR_STALE || err == ERR_COMMIT_UNKNOWN)
        read_store(entry, READ_AFTER_WRITE);
    else
        write_failed(entry, err);
}

static void write_pending(struct grant_entry *entry)
{
    struct oauth *oauth = entry->oauth;
    struct errand *errand = errand_create(oauth->config.outbound, sizeof(struct grant_task));
    if (errand == NULL) {
        write_failed(entry, ERR_NO_MEMORY);
        return;
    }
    ((struct grant_task *)errand_data(errand))->grant = entry->pending;
    errand->job.joins = true;
    errand_write(errand, oauth->config.committer, grant_task_put, on_written, entry);
}

static void begin_writing(struct grant_entry *entry)
{
    life_move(&entry->phase, LIFE_WRITING);
    write_pending(entry);
}

/* --- reading what somebody else may have written */

/* Theirs is as good as ours would have been. */
static void take_theirs(struct grant_entry *entry, const struct grant *theirs)
{
    log_event(LOG_INFO, "oauth_grant_overtaken", LOG_INT("tenant_id", entry->tenant_id));
    entry_adopt(entry, theirs);
    entry->pending_is_new = false;
    seal_wipe(&entry->pending, sizeof(entry->pending));
    entry_rest(entry, 0);
}

/* invalid_grant, and nobody has rotated since: this refresh token has ended. */
static void mark_reconnect_required(struct grant_entry *entry, const struct grant *found)
{
    entry->pending = *found;
    entry->pending_is_new = entry->pending_is_theirs = false;
    entry->pending.status = GRANT_RECONNECT_REQUIRED;
    entry->last_error = ERR_NOT_CONNECTED;
    count_failure(entry, &entry->pending,
                  "Lightspeed no longer accepts the refresh token (invalid_grant): somebody must "
                  "connect again, by counterpart oauth start");
    begin_writing(entry);
}

/* It was written since, but nobody has rotated: its pair is the one that we know. */
static bool has_same_pair(const struct grant_entry *entry, const struct grant *found)
{
    return found->kind == entry->grant.kind &&
           strcmp(found->access_token, entry->grant.access_token) == 0 &&
           strcmp(found->refresh_token, entry->grant.refresh_token) == 0;
}

static bool is_leased_by_other(const struct grant_entry *entry, const struct grant *found)
{
    return found->lease_owner[0] != '\0' && strcmp(found->lease_owner, entry->oauth->owner) != 0 &&
           found->leased_until_us > clock_steady_us();
}

/* While another process has the lease, it may have been its request that used the token up. */
static void judge_after_refusal(struct grant_entry *entry, const struct grant *found)
{
    bool is_same = found->status == GRANT_CONNECTED && has_same_pair(entry, found) &&
                   !is_leased_by_other(entry, found);
    if (found->version == entry->grant.version || is_same)
        mark_reconnect_required(entry, found);
    else
        take_theirs(entry, found);
}

/* Ours came from the pair that is there still, and has used it up: who has leased it since, or has
 * failed with it, has nothing that is worth more. (A revocation leaves no pair.) */
static bool is_ours_to_replace(const struct grant_entry *entry, const struct grant *found)
{
    return entry->pending_is_new && has_same_pair(entry, found);
}

static void write_over(struct grant_entry *entry, const struct grant *found)
{
    log_event(LOG_INFO, "oauth_grant_written_over", LOG_INT("tenant_id", entry->tenant_id));
    entry->pending.version = found->version;
    begin_writing(entry);
}

static void judge_after_write(struct grant_entry *entry, const struct grant *found)
{
    bool is_ours = strcmp(found->access_token, entry->pending.access_token) == 0 &&
                   found->status == entry->pending.status &&
                   found->failed_at_us == entry->pending.failed_at_us;
    if (found->version == entry->pending.version)
        begin_writing(entry); /* it never happened */
    else if (found->version == entry->pending.version + 1 && is_ours)
        take_written(entry, found);
    else if (is_ours_to_replace(entry, found))
        write_over(entry, found);
    else
        take_theirs(entry, found);
}

static void on_read_again(void *context)
{
    struct grant_entry *entry = context;
    read_store(entry, entry->why);
}

static void read_failed(struct grant_entry *entry, int err)
{
    if (entry->why == READ_AFTER_REFUSAL) {
        fail_here(entry, err, "Lightspeed refused the refresh token, and the store cannot be read");
    } else if (entry->pending_is_new) {
        keep_pair(entry, err, on_read_again);
    } else if (outbound_is_ending(entry->oauth->config.outbound)) {
        entry_abandon(entry);
    } else {
        entry_answer(entry, err);
        try_again(entry, on_read_again);
    }
}

static void on_read(struct errand *errand)
{
    struct grant_entry *entry = errand->context;
    const struct grant_task *task = errand_data(errand);
    if (errand->job.error != 0)
        read_failed(entry, errand->job.error);
    else if (entry->why == READ_AFTER_REFUSAL)
        judge_after_refusal(entry, &task->grant);
    else
        judge_after_write(entry, &task->grant);
}

static void read_store(struct grant_entry *entry, enum read_why why)
{
    struct oauth *oauth = entry->oauth;
    if (entry->phase != LIFE_READING)
        life_move(&entry->phase, LIFE_READING);
    entry->why = why;
    struct errand *errand = errand_create(oauth->config.outbound, sizeof(struct grant_task));
    if (errand == NULL) {
        read_failed(entry, ERR_NO_MEMORY);
        return;
    }
    ((struct grant_task *)errand_data(errand))->grant =
        (struct grant){.tenant_id = entry->tenant_id, .surface = APP_OSERIES};
    /* By the committer, not a reader: behind every write that is under way. */
    errand_write(errand, oauth->config.committer, grant_task_read, on_read, entry);
}

void refresh_hurry(struct grant_entry *entry)
{
    if (entry->phase == LIFE_WRITING)
        write_pending(entry);
    else if (entry->pending_is_new)
        read_store(entry, entry->why);
    else
        entry_abandon(entry);
}

/* --- asking */

/* Refused or unanswered: kept in the row, so that it is seen after a restart too. */
static void note_failure(struct grant_entry *entry, int err, const char *reason)
{
    entry->pending = entry->grant;
    entry->pending_is_new = entry->pending_is_theirs = false;
    entry->last_error = err;
    count_failure(entry, &entry->pending, reason);
    begin_writing(entry);
}

/* Ages count from when we asked: the reply may have been long under way. A refresh reply without a
 * refresh token leaves the old one as it is (RFC 6749 section 6). */
static void take_reply(struct grant_entry *entry, const struct token_reply *reply)
{
    struct grant *pending = &entry->pending;
    note_oddities(entry->tenant_id, reply);
    *pending = entry->grant;
    entry->pending_is_new = true;
    entry->pending_is_theirs = false;
    memcpy(pending->access_token, reply->access_token, sizeof(pending->access_token));
    if (reply->refresh_token[0] != '\0')
        memcpy(pending->refresh_token, reply->refresh_token, sizeof(pending->refresh_token));
    pending->status = GRANT_CONNECTED;
    pending->refreshed_at_us = entry->asked_at_us;
    pending->expires_at_us = entry->asked_at_us + reply->life_s * CLOCK_US_PER_S;
    pending->failures = 0;
    pending->failed_at_us = 0;
    pending->reason[0] = '\0';
    begin_writing(entry);
}

static void judge_reply(struct grant_entry *entry, const struct token_reply *reply)
{
    char bytes[GRANT_REASON_MAX + 1];
    struct text_buffer reason;
    if (reply->verdict == TOKEN_GRANTED) {
        take_reply(entry, reply);
    } else if (reply->verdict == TOKEN_INVALID_GRANT) {
        read_store(entry, READ_AFTER_REFUSAL);
    } else {
        text_buffer_init(&reason, bytes, sizeof(bytes));
        token_reply_explain(reply, &reason);
        note_failure(entry, reply->verdict == TOKEN_FAILED ? ERR_BAD_REPLY : ERR_REFUSED, bytes);
    }
}

static void on_reply(void *context, const struct outbound_reply *reply)
{
    struct grant_entry *entry = context;
    struct token_reply token;
    if (reply->error == ERR_SHUTTING_DOWN) {
        /* It may have been received, so the lease stays on the row: the next start looks at once
         * what became of it. */
        entry_abandon(entry);
    } else if (reply->error != 0) {
        note_failure(entry, reply->error, explain_no_reply(reply->error));
    } else {
        token_reply_read(reply->status, reply->body, &token);
        judge_reply(entry, &token);
        seal_wipe(&token, sizeof(token));
    }
}

static void ask(struct grant_entry *entry)
{
    life_move(&entry->phase, LIFE_ASKING);
    entry->asked_at_us = clock_steady_us();
    ask_token(entry->oauth, entry->grant.refresh_token, NULL, on_reply, entry);
}

/* --- the lease */

/* Times do not count: ours may have been put right (life_doubt_future). */
static bool is_what_we_know(const struct grant_entry *entry, const struct grant *found)
{
    return found->status == entry->grant.status && has_same_pair(entry, found);
}

/* The row stays as it was found. */
static void let_go_of_lease(struct grant_entry *entry, const struct grant *found)
{
    entry->pending = *found;
    entry->pending_is_new = false;
    entry->pending_is_theirs = true;
    begin_writing(entry);
}

/* Failures that could not be written are not forgotten for it. */
static void take_lease(struct grant_entry *entry, const struct grant *found)
{
    entry->is_orphaned = false;
    if (is_what_we_know(entry, found)) {
        entry->grant.version = found->version;
        ask(entry);
        return;
    }
    /* Somebody has refreshed it since: nothing to do but to let go. */
    entry_adopt(entry, found);
    let_go_of_lease(entry, found);
}

/* The end has begun, and nothing was asked. What a process asked that died is still to be looked
 * at: that lease stays. */
static void end_before_asking(struct grant_entry *entry, int err, const struct grant *found)
{
    entry_answer(entry, ERR_SHUTTING_DOWN);
    if (err != 0)
        entry_rest(entry, ERR_SHUTTING_DOWN);
    else if (entry->is_orphaned)
        entry_abandon(entry);
    else
        let_go_of_lease(entry, found);
}

/* Another process is at it: look again soon. Its result is as good as ours. */
static void wait_for_lease(struct grant_entry *entry)
{
    entry->blocked_us = clock_steady_us() + LEASE_PAUSE_US;
    life_move(&entry->phase, life_rest_of(&entry->grant));
    entry->is_urgent = entry->phase == LIFE_READY;
    if (!entry->is_urgent)
        entry_answer(entry, ERR_LEASED);
    if (!entry_begin_change(entry))
        entry_begin_schedule(entry);
}

static void on_leased(struct errand *errand)
{
    struct grant_entry *entry = errand->context;
    const struct grant_task *task = errand_data(errand);
    int err = errand->job.error;
    if (outbound_is_ending(entry->oauth->config.outbound))
        end_before_asking(entry, err, &task->grant);
    else if (err == 0)
        take_lease(entry, &task->grant);
    else if (err == ERR_LEASED)
        wait_for_lease(entry);
    else
        fail_here(entry, err, "the store did not let us begin");
}

/* The lease of a process that died is over, whatever the row says. */
static void fill_lease(const struct grant_entry *entry, struct grant_lease *lease)
{
    int64_t now_us = clock_steady_us();
    bool is_later = entry->is_orphaned && entry->grant.leased_until_us > now_us;
    *lease = (struct grant_lease){.tenant_id = entry->tenant_id,
                                  .surface = APP_OSERIES,
                                  .now_us = is_later ? entry->grant.leased_until_us : now_us};
    memcpy(lease->owner, entry->oauth->owner, sizeof(lease->owner));
    lease->until_us = lease->now_us + OAUTH_LEASE_US;
}

void refresh_begin(struct grant_entry *entry)
{
    struct oauth *oauth = entry->oauth;
    outbound_cancel_timer(oauth->config.outbound, &entry->timer);
    if (outbound_is_ending(oauth->config.outbound)) {
        entry_answer(entry, ERR_SHUTTING_DOWN);
        return;
    }
    life_move(&entry->phase, LIFE_LEASING);
    entry->is_urgent = false;
    if (!oauth->has_app) {
        fail_here(entry, ERR_NO_APP, "client id and secret are not set: counterpart app set");
        return;
    }
    struct errand *errand = errand_create(oauth->config.outbound, sizeof(struct grant_task));
    if (errand == NULL) {
        fail_here(entry, ERR_NO_MEMORY, "out of memory");
        return;
    }
    fill_lease(entry, &((struct grant_task *)errand_data(errand))->lease);
    errand->job.joins = true;
    errand_write(errand, oauth->config.committer, grant_task_lease, on_leased, entry);
}
