/* Answers /healthz, /readyz and /metrics. */
#include "handlers/operations.h"

#include "base/json.h"
#include "base/log.h"
#include "handlers/route.h"
#include "handlers/signature.h"
#include "lightspeed/inbox.h"
#include "lightspeed/reconcile.h"
#include "lightspeed/redeem.h"
#include "oauth/oauth.h"
#include "store/redis_depot.h"

#include <stdio.h>
#include <unistd.h>

#include "base/banned.h"

#define PING_FRESH_US CLOCK_US_PER_S /* probes within a second share one look at the store */
/* All routes with 17 lines of 120 bytes, some 100 outcomes, and room to grow. */
#define METRICS_TEXT_MAX (256 * 1024)
/* Two lines per grant. */
#define METRICS_GRANT_MAX 160

void operations_healthz(struct exchange *exchange)
{
    exchange_reply_json(exchange, 200, TEXT("{\"alive\":true}"));
}

/* --- readyz */

static void write_part(struct jwrite *writer, struct text key, const char *name, bool is_ok)
{
    jwrite_key(writer, key);
    jwrite_object_begin(writer);
    jwrite_key(writer, TEXT("name"));
    jwrite_text(writer, text_of(name));
    jwrite_key(writer, TEXT("ok"));
    jwrite_bool(writer, is_ok);
    jwrite_object_end(writer);
}

/* Told only: without it the store answers. */
static void write_hot(struct jwrite *writer, struct hot *hot)
{
    char bytes[32];
    struct text_buffer rate;
    struct hot_counters counters;
    text_buffer_init(&rate, bytes, sizeof(bytes));
    hot_read_counters(hot, &counters);
    hot_append_rate(&counters, &rate);
    jwrite_key(writer, TEXT("hot"));
    jwrite_object_begin(writer);
    jwrite_key(writer, TEXT("name"));
    jwrite_text(writer, text_of(hot_name(hot)));
    jwrite_key(writer, TEXT("ok"));
    jwrite_bool(writer, hot_is_up(hot));
    jwrite_key(writer, TEXT("hit_rate"));
    jwrite_text(writer, text_buffer_text(&rate));
    jwrite_object_end(writer);
}

/* Told, and no reason to send registers elsewhere: what they ask us does not need Lightspeed. */
static bool grants_are_alarming(const struct handlers *handlers)
{
    return handlers->oauth != NULL && oauth_is_alarming(handlers->oauth);
}

static void reply_readiness(struct exchange *exchange, bool store_is_ok)
{
    struct handlers *handlers = exchange->handlers;
    bool is_draining = atomic_load(&handlers->is_draining);
    bool is_ready = store_is_ok && !is_draining;
    char bytes[512];
    struct text_buffer buffer;
    struct jwrite writer;
    text_buffer_init(&buffer, bytes, sizeof(bytes));
    jwrite_init(&writer, &buffer);
    jwrite_object_begin(&writer);
    jwrite_key(&writer, TEXT("ready"));
    jwrite_bool(&writer, is_ready);
    write_part(&writer, TEXT("store"), handlers->store_name, store_is_ok);
    write_hot(&writer, handlers->hot);
    write_part(&writer, TEXT("oauth"), "refresh tokens", !grants_are_alarming(handlers));
    jwrite_key(&writer, TEXT("duty"));
    jwrite_bool(&writer, duty_is_ours(handlers->duty, 0));
    jwrite_key(&writer, TEXT("draining"));
    jwrite_bool(&writer, is_draining);
    jwrite_object_end(&writer);
    exchange_reply_json(exchange, is_ready ? 200 : 503, text_buffer_text(&buffer));
}

static int task_ping(struct job *job, struct store *store)
{
    (void)job;
    return store_ping(store);
}

static bool committer_is_healthy(struct exchange *exchange)
{
    struct committer_counters counters;
    committer_read_counters(exchange->handlers->committer, &counters);
    return counters.is_healthy;
}

static void on_write_probed(struct exchange *exchange, const struct job *job)
{
    reply_readiness(exchange, job->error == 0 && committer_is_healthy(exchange));
}

/* An idle committer that failed last would stay red for ever: a probe is its traffic. One a second,
 * whoever asks how often. */
static void probe_writer(struct exchange *exchange)
{
    int64_t probed_at_us = atomic_load(&exchange->handlers->probed_at_us);
    int64_t now_us = exchange->received_monotonic_us;
    bool is_mine =
        (probed_at_us == 0 || now_us - probed_at_us >= PING_FRESH_US) &&
        atomic_compare_exchange_strong(&exchange->handlers->probed_at_us, &probed_at_us, now_us);
    if (!is_mine) {
        reply_readiness(exchange, false);
        return;
    }
    struct job *job = exchange_job(exchange, 0);
    job->task = task_ping;
    exchange_submit_write(exchange, job, on_write_probed);
}

static void judge(struct exchange *exchange, int ping_error)
{
    if (ping_error != 0)
        reply_readiness(exchange, false);
    else if (committer_is_healthy(exchange))
        reply_readiness(exchange, true);
    else
        probe_writer(exchange);
}

static void on_pinged(struct exchange *exchange, const struct job *job)
{
    struct handlers *handlers = exchange->handlers;
    atomic_store(&handlers->ping_error, job->error);
    atomic_store(&handlers->pinged_at_us, clock_monotonic_us());
    judge(exchange, job->error);
}

void operations_readyz(struct exchange *exchange)
{
    struct handlers *handlers = exchange->handlers;
    int64_t pinged_at_us = atomic_load(&handlers->pinged_at_us);
    if (pinged_at_us != 0 && exchange->received_monotonic_us - pinged_at_us < PING_FRESH_US) {
        judge(exchange, atomic_load(&handlers->ping_error));
        return;
    }
    struct job *job = exchange_job(exchange, 0);
    job->task = task_ping;
    exchange_submit_read(exchange, job, on_pinged);
}

/* --- metrics */

static const char *name_of_route(int index)
{
    return index == route_count() ? "none" : route_at(index)->name;
}

static const char *surface_of_route(int index)
{
    return surface_name(index == route_count() ? SURFACE_NONE : route_at(index)->surface);
}

static const char *name_of_verdict(int verdict)
{
    return verdict <= SIGNATURE_NO_TOKEN ? signature_verdict_name((enum signature_verdict)verdict)
                                         : NULL;
}

static void append_counter(struct text_buffer *buffer, const char *name, const char *help,
                           uint64_t value)
{
    metrics_append_head(buffer, name, "counter", help);
    metrics_append_value(buffer, name, "", value);
}

static void append_gauge(struct text_buffer *buffer, const char *name, const char *help,
                         uint64_t value)
{
    metrics_append_head(buffer, name, "gauge", help);
    metrics_append_value(buffer, name, "", value);
}

static void append_batch_sizes(struct text_buffer *buffer,
                               const struct committer_counters *counters)
{
    static const char name[] = "counterpart_commit_batch_size";
    uint64_t count = 0;
    metrics_append_head(buffer, name, "histogram", "Commands per commit.");
    for (int i = 0; i < COMMITTER_HISTOGRAM - 1; i++) {
        count += counters->batch_size[i];
        text_append_format(buffer, "%s_bucket{le=\"%d\"} %llu\n", name, 1 << i,
                           (unsigned long long)count);
    }
    count += counters->batch_size[COMMITTER_HISTOGRAM - 1]; /* it also holds what is larger */
    text_append_format(buffer, "%s_bucket{le=\"+Inf\"} %llu\n%s_sum %llu\n%s_count %llu\n", name,
                       (unsigned long long)count, name,
                       (unsigned long long)counters->batch_size_sum, name,
                       (unsigned long long)count);
}

static void append_commit_times(struct text_buffer *buffer,
                                const struct committer_counters *counters)
{
    static const char name[] = "counterpart_commit_duration_seconds";
    uint64_t count = 0;
    metrics_append_head(buffer, name, "histogram",
                        "Duration of COMMIT, which waits for the disk (fsync); of a loyalty task "
                        "that came alone, all of it.");
    for (int i = 0; i < COMMITTER_HISTOGRAM - 1; i++) {
        count += counters->commit_time[i];
        text_append_format(buffer, "%s_bucket{le=\"", name);
        metrics_append_seconds(buffer, UINT64_C(64) << i);
        text_append_format(buffer, "\"} %llu\n", (unsigned long long)count);
    }
    count += counters->commit_time[COMMITTER_HISTOGRAM - 1];
    text_append_format(buffer, "%s_bucket{le=\"+Inf\"} %llu\n%s_sum ", name,
                       (unsigned long long)count, name);
    metrics_append_seconds(buffer, counters->commit_time_us_sum);
    text_append_format(buffer, "\n%s_count %llu\n", name, (unsigned long long)count);
}

static void append_committer(struct text_buffer *buffer, struct committer *committer)
{
    struct committer_counters counters;
    committer_read_counters(committer, &counters);
    append_batch_sizes(buffer, &counters);
    append_commit_times(buffer, &counters);
    append_counter(buffer, "counterpart_commits_total", "Committed batches of payments.",
                   counters.batches);
    append_counter(buffer, "counterpart_task_commits_total",
                   "Transactions of tasks: loyalty, webhooks, grants, administration.",
                   counters.task_commits);
    append_counter(buffer, "counterpart_commands_total", "Payments decided.", counters.commands);
    append_counter(buffer, "counterpart_rollbacks_total", "Batches rolled back.",
                   counters.rollbacks);
    append_counter(buffer, "counterpart_unknown_commits_total",
                   "Commits whose outcome had to be settled.", counters.unknown_commits);
    append_counter(buffer, "counterpart_cancelled_total",
                   "Commands that passed their deadline in the queue and never ran.",
                   counters.cancelled);
    append_gauge(buffer, "counterpart_store_healthy", "1 while the last transaction worked.",
                 counters.is_healthy);
    append_gauge(buffer, "counterpart_commit_queue_depth",
                 "Commands and tasks waiting for the committer.", (uint64_t)counters.queue_depth);
}

static void append_redis(struct text_buffer *buffer, const struct hot_counters *hot,
                         struct depot *depot)
{
    struct depot_counters counters;
    depot_read_counters(depot, &counters);
    append_counter(buffer, "counterpart_hot_poisoned_total",
                   "Entries in Redis that no process of ours has written.", hot->poisoned);
    append_counter(buffer, "counterpart_hot_undone_total",
                   "Answers of Redis older than what this process has committed.", hot->undone);
    append_counter(buffer, "counterpart_hot_delivered_total",
                   "Committed balances written to Redis.", hot->delivered);
    append_counter(buffer, "counterpart_hot_tombstones_total",
                   "Of them, written as removals: Redis had been away.", hot->tombstones);
    append_counter(buffer, "counterpart_hot_refused_total",
                   "Committed balances that Redis would not take, and whose entry was deleted.",
                   hot->refused);
    append_counter(buffer, "counterpart_hot_overflows_total",
                   "Times that more waited for Redis than is kept: a new generation each.",
                   hot->overflows);
    append_gauge(buffer, "counterpart_hot_pending", "Committed balances on their way to Redis.",
                 (uint64_t)hot->pending);
    append_counter(buffer, "counterpart_redis_asked_total", "Questions sent to Redis.",
                   counters.asked);
    append_counter(buffer, "counterpart_redis_timeouts_total",
                   "Questions without an answer within 20 ms.", counters.timeouts);
    append_counter(buffer, "counterpart_redis_late_total",
                   "Answers to questions that had ended before.", counters.late);
    append_counter(buffer, "counterpart_redis_errors_total", "Error answers.", counters.errors);
    append_counter(buffer, "counterpart_redis_refused_total",
                   "Commands not sent: the breaker was open, or too many waited.",
                   counters.refused);
    append_counter(buffer, "counterpart_redis_connections_total", "Connections begun by loops.",
                   counters.opened);
    append_counter(buffer, "counterpart_redis_connections_lost_total",
                   "Connections of loops that ended.", counters.lost);
    append_gauge(buffer, "counterpart_redis_loops", "Loops that ask Redis.",
                 (uint64_t)counters.lanes);
    append_gauge(buffer, "counterpart_redis_breakers_open",
                 "Of them, those whose circuit breaker keeps them from asking.",
                 (uint64_t)(counters.lanes - counters.lanes_closed));
}

static void append_of_tier(struct text_buffer *buffer, const char *tier, const char *name,
                           const char *help, uint64_t value)
{
    metrics_append_head(buffer, name, "counter", help);
    text_append_format(buffer, "%s{tier=\"%s\"} %llu\n", name, tier, (unsigned long long)value);
}

static void append_hot(struct text_buffer *buffer, const struct handlers *handlers)
{
    const char *tier = hot_name(handlers->hot);
    struct hot_counters counters;
    hot_read_counters(handlers->hot, &counters);
    metrics_append_head(buffer, "counterpart_hot_up", "gauge",
                        "1 while the hot tier answers; the store does otherwise.");
    text_append_format(buffer, "counterpart_hot_up{tier=\"%s\"} %d\n", tier,
                       hot_is_up(handlers->hot));
    append_of_tier(buffer, tier, "counterpart_hot_hits_total", "Balances found in the hot tier.",
                   counters.hits);
    append_of_tier(buffer, tier, "counterpart_hot_misses_total",
                   "Balances not found in the hot tier.", counters.misses);
    append_of_tier(buffer, tier, "counterpart_hot_skipped_total",
                   "Look-ups while the hot tier was down or not trusted.", counters.skipped);
    append_counter(buffer, "counterpart_hot_puts_total", "Balances written to the hot tier.",
                   counters.puts);
    append_counter(buffer, "counterpart_hot_evictions_total",
                   "Balances that made room for others in the hot tier.", counters.evictions);
    if (handlers->depot != NULL)
        append_redis(buffer, &counters, handlers->depot);
}

static void append_budget(struct text_buffer *buffer, const struct budget *budget)
{
    static const char name[] = "counterpart_budget_trips_total";
    metrics_append_head(buffer, name, "counter", "Budgets of misses that ran empty, by layer.");
    for (int layer = 0; layer < BUDGET_LAYERS; layer++)
        text_append_format(buffer, "%s{layer=\"%s\"} %llu\n", name,
                           budget_layer_name((enum budget_layer)layer),
                           (unsigned long long)budget_trips(budget, (enum budget_layer)layer));
}

struct grant_lines {
    struct text_buffer *buffer;
    int64_t now_us;
    size_t left; /* a grant more than there was room for is in the next scrape */
};

static void count_grant(void *context, const struct oauth_status *status)
{
    (void)status;
    ++*(size_t *)context;
}

static void append_expiry(void *context, const struct oauth_status *status)
{
    struct grant_lines *lines = context;
    if (status->expires_at_us == 0 || lines->left == 0)
        return;
    lines->left--;
    text_append_format(lines->buffer, "counterpart_oauth_seconds_to_expiry{tenant=\"%lld\"} %lld\n",
                       (long long)status->tenant_id,
                       (long long)((status->expires_at_us - lines->now_us) / CLOCK_US_PER_S));
}

static void append_alarm(void *context, const struct oauth_status *status)
{
    struct grant_lines *lines = context;
    if (lines->left == 0)
        return;
    lines->left--;
    text_append_format(lines->buffer, "counterpart_oauth_alarm{tenant=\"%lld\"} %d\n",
                       (long long)status->tenant_id, status->is_alarming);
}

static void append_oauth(struct text_buffer *buffer, struct oauth *oauth, size_t grants)
{
    struct oauth_counters counters;
    oauth_read_counters(oauth, &counters);
    append_counter(buffer, "counterpart_oauth_refreshes_total", "Pairs of tokens obtained anew.",
                   counters.refreshes);
    append_counter(buffer, "counterpart_oauth_failures_total", "Refreshes that failed.",
                   counters.failures);
    struct grant_lines lines = {.buffer = buffer, .now_us = clock_steady_us(), .left = grants};
    metrics_append_head(buffer, "counterpart_oauth_seconds_to_expiry", "gauge",
                        "Until the tenant's access token ends.");
    oauth_each_status(oauth, append_expiry, &lines);
    lines.left = grants;
    metrics_append_head(buffer, "counterpart_oauth_alarm", "gauge",
                        "1: somebody should act before this tenant's registers go dark.");
    oauth_each_status(oauth, append_alarm, &lines);
}

static void append_outbound(struct text_buffer *buffer, struct outbound *outbound)
{
    struct outbound_counters counters;
    outbound_read_counters(outbound, &counters);
    append_counter(buffer, "counterpart_outbound_requests_total", "Requests to Lightspeed.",
                   counters.requests);
    append_counter(buffer, "counterpart_outbound_failures_total",
                   "Of these, requests that got no whole reply.", counters.failures);
    append_counter(buffer, "counterpart_outbound_timeouts_total",
                   "Of these, requests whose deadline passed.", counters.timeouts);
    append_gauge(buffer, "counterpart_outbound_in_flight", "Requests under way.",
                 (uint64_t)counters.in_flight);
    append_gauge(buffer, "counterpart_outbound_waiting", "Requests that wait for one to end.",
                 (uint64_t)counters.waiting);
}

static void append_api(struct text_buffer *buffer, struct oseries_api *api)
{
    struct api_counters counters;
    oseries_api_read_counters(api, &counters);
    append_counter(buffer, "counterpart_api_calls_total", "Calls sent to the O-Series API.",
                   counters.calls);
    append_counter(buffer, "counterpart_api_failures_total",
                   "Calls that ended without what was asked for, refusals included.",
                   counters.failures);
    append_counter(buffer, "counterpart_api_renewals_total",
                   "Calls repeated with a fresh token because the API refused theirs.",
                   counters.refreshes);
    append_counter(buffer, "counterpart_api_rate_limited_total",
                   "Replies that said: too many calls.", counters.rate_limited);
    append_counter(buffer, "counterpart_api_waited_total", "Calls that waited for the rate budget.",
                   counters.waited);
    append_gauge(buffer, "counterpart_api_waiting", "Calls that wait for it now.",
                 (uint64_t)counters.waiting);
}

static void append_redeem(struct text_buffer *buffer, struct redeem *redeem)
{
    struct redeem_counters counters;
    redeem_read_counters(redeem, &counters);
    append_counter(buffer, "counterpart_redemptions_total", "Rewards put on orders.",
                   counters.redeemed);
    append_counter(buffer, "counterpart_redemptions_refused_total",
                   "Redemptions that were told no, or not confirmed.", counters.refused);
    append_counter(buffer, "counterpart_redemptions_left_open_total",
                   "Of these, redemptions that ended without knowing: settled later.",
                   counters.left_open);
    append_counter(buffer, "counterpart_redemptions_settled_burned_total",
                   "Settled: the order carries the reward.", counters.settled_burned);
    append_counter(buffer, "counterpart_redemptions_settled_returned_total",
                   "Settled: it does not, and the points were returned.",
                   counters.settled_returned);
    append_gauge(buffer, "counterpart_reservations_open",
                 "Reservations of points older than the time in which they are settled.",
                 (uint64_t)counters.open);
}

static void append_duty(struct text_buffer *buffer, const struct duty *duty)
{
    append_gauge(buffer, "counterpart_duty",
                 "1: of all processes of the store this one does what nobody asks for.",
                 duty_is_ours(duty, 0));
}

static void append_scheduler(struct text_buffer *buffer, const struct scheduler *scheduler)
{
    static const char runs[] = "counterpart_scheduled_runs_total";
    static const char failures[] = "counterpart_scheduled_failures_total";
    struct scheduler_counters counters;
    int32_t count = scheduler == NULL ? 0 : scheduler_count(scheduler);
    metrics_append_head(buffer, runs, "counter", "Runs of scheduled tasks that have ended.");
    for (int32_t i = 0; i < count; i++) {
        scheduler_read_counters(scheduler, i, &counters);
        text_append_format(buffer, "%s{task=\"%s\"} %llu\n", runs, counters.name,
                           (unsigned long long)counters.runs);
    }
    metrics_append_head(buffer, failures, "counter", "Of these, runs that have failed.");
    for (int32_t i = 0; i < count; i++) {
        scheduler_read_counters(scheduler, i, &counters);
        text_append_format(buffer, "%s{task=\"%s\"} %llu\n", failures, counters.name,
                           (unsigned long long)counters.failures);
    }
}

static void append_proofs(struct text_buffer *buffer, const struct inbox_counters *counters)
{
    append_counter(buffer, "counterpart_proofs_confirmed_total",
                   "Operations that their orders were found to show.", counters->confirmed);
    append_counter(buffer, "counterpart_proofs_reversed_total",
                   "Operations that the register does not show, undone.", counters->reversed);
    append_counter(buffer, "counterpart_proofs_recharged_total",
                   "Cards charged again: for a late payment, or a refund that is not shown.",
                   counters->recharged);
    append_counter(buffer, "counterpart_proofs_listed_total",
                   "Operations that somebody should look at: counterpart reconcile.",
                   counters->listed);
    append_counter(buffer, "counterpart_sweeps_total",
                   "Walks over a merchant's lists of orders that have ended.", counters->swept);
    append_counter(buffer, "counterpart_sweeps_missed_total",
                   "Orders that a sweep was the first to tell of.", counters->missed);
    append_counter(buffer, "counterpart_notices_total", "Notices on registers' screens.",
                   counters->noticed);
}

static void append_looks(struct text_buffer *buffer, struct handlers *handlers)
{
    append_counter(buffer, "counterpart_order_looks_total",
                   "Orders that were to be read while a cashier waited.",
                   atomic_load_explicit(&handlers->looks, memory_order_relaxed));
    append_counter(buffer, "counterpart_order_looks_unread_total",
                   "Of these, those that could not be read in time.",
                   atomic_load_explicit(&handlers->looks_unread, memory_order_relaxed));
}

static void append_inbox(struct text_buffer *buffer, struct inbox *inbox)
{
    struct inbox_counters counters;
    inbox_read_counters(inbox, &counters);
    append_gauge(buffer, "counterpart_work_open", "Webhooks and payments that are not done yet.",
                 (uint64_t)counters.open);
    append_counter(buffer, "counterpart_work_done_total", "Webhooks and payments done.",
                   counters.done);
    append_counter(buffer, "counterpart_work_given_up_total",
                   "Work that somebody should look at: counterpart work list.", counters.given_up);
    append_counter(buffer, "counterpart_work_retried_total", "Attempts that will be made again.",
                   counters.retried);
    append_counter(buffer, "counterpart_orders_earned_total", "Orders that earned points.",
                   counters.earned);
    append_counter(buffer, "counterpart_orders_taken_back_total",
                   "Refunds and deleted orders that took points back.", counters.taken_back);
    append_counter(buffer, "counterpart_releases_total",
                   "Cards that got what their top-ups had waited for.", counters.released);
    append_proofs(buffer, &counters);
}

static void append_reconcile(struct text_buffer *buffer, struct reconcile *reconcile)
{
    struct reconcile_counters counters;
    reconcile_read_counters(reconcile, &counters);
    append_counter(buffer, "counterpart_proofs_total", "Operations that are followed to their end.",
                   counters.proofs);
    append_gauge(buffer, "counterpart_proofs_open",
                 "Operations not settled yet, or listed: counterpart reconcile.",
                 (uint64_t)counters.open_items);
}

/* Pages from /proc/self/statm; 0 where there is none. */
static uint64_t resident_bytes(void)
{
    FILE *file = fopen("/proc/self/statm", "re");
    if (file == NULL)
        return 0;
    unsigned long long size = 0, resident = 0;
    int found = fscanf(file, "%llu %llu", &size, &resident);
    fclose(file);
    return found == 2 ? resident * (uint64_t)sysconf(_SC_PAGESIZE) : 0;
}

void operations_metrics(struct exchange *exchange)
{
    static const struct metrics_names names_but_count = {
        .route = name_of_route, .surface = surface_of_route, .verdict = name_of_verdict};
    struct metrics_names names = names_but_count;
    names.routes = route_count() + 1; /* the last: unknown paths */
    struct handlers *handlers = exchange->handlers;
    struct text_buffer buffer;
    size_t grants = 0;
    if (handlers->oauth != NULL)
        oauth_each_status(handlers->oauth, count_grant, &grants);
    size_t capacity = METRICS_TEXT_MAX + grants * METRICS_GRANT_MAX;
    text_buffer_init(&buffer, exchange_allocate(exchange, capacity), capacity);
    metrics_append(handlers->metrics, &names, &buffer);
    append_committer(&buffer, handlers->committer);
    append_gauge(&buffer, "counterpart_read_queue_depth", "Jobs waiting for a reader.",
                 (uint64_t)reader_queue_depth(handlers->reader));
    append_hot(&buffer, handlers);
    append_budget(&buffer, handlers->budget);
    if (handlers->oauth != NULL)
        append_oauth(&buffer, handlers->oauth, grants);
    if (handlers->outbound != NULL)
        append_outbound(&buffer, handlers->outbound);
    if (handlers->api != NULL)
        append_api(&buffer, handlers->api);
    if (handlers->redeem != NULL)
        append_redeem(&buffer, handlers->redeem);
    append_duty(&buffer, handlers->duty);
    append_scheduler(&buffer, handlers->scheduler);
    if (handlers->inbox != NULL)
        append_inbox(&buffer, handlers->inbox);
    if (handlers->api != NULL)
        append_looks(&buffer, handlers);
    if (handlers->reconcile != NULL)
        append_reconcile(&buffer, handlers->reconcile);
    append_counter(&buffer, "counterpart_log_dropped_total", "Log lines that did not fit.",
                   log_dropped());
    append_gauge(&buffer, "process_resident_memory_bytes", "Resident memory.", resident_bytes());
    exchange_reply_text(exchange, 200, "text/plain; version=0.0.4; charset=utf-8",
                        text_buffer_text(&buffer));
}
