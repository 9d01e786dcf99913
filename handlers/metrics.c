/* Counts what the loops do, per thread, and writes the sums as Prometheus text. */
#include "handlers/metrics.h"

#include "base/clock.h"
#include "base/error.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/banned.h"

/* Upper bounds of the latency buckets. A hot balance takes some 50 us, a durable checkout one
 * fdatasync (0.5 to 10 ms), and 4 s is the deadline. */
static const int64_t bounds_us[] = {250,   500,    1000,   2500,   5000,    10000,   25000,
                                    50000, 100000, 250000, 500000, 1000000, 2500000, 5000000};
#define BUCKETS (COUNT_OF(bounds_us) + 1) /* the last: everything above */

/* Statuses that we send; anything else counts as the last one. */
static const int statuses[] = {200, 302, 400, 401, 403, 404, 405, 409,
                               413, 417, 500, 502, 503, 504, 0};
#define STATUSES COUNT_OF(statuses)

/* Written by one thread, read by any: relaxed loads and stores, no locked instructions. */
typedef _Atomic uint64_t counter;

/* One tenant's callers, as one thread has seen them. */
struct caller {
    counter tenant_id; /* 0: free */
    counter called_us[METRICS_ROUTES_MAX];
    counter signatures[METRICS_VERDICTS];
    counter signed_us[METRICS_VERDICTS];
};
#define CALLERS 256     /* a power of two; pages that nobody touches cost nothing */
#define CALLER_PROBES 8 /* then the tenant is one too many */

struct shard {
    struct caller callers[CALLERS];
    counter requests[METRICS_ROUTES_MAX][STATUSES];
    counter latency[METRICS_ROUTES_MAX][BUCKETS];
    counter latency_us_sum[METRICS_ROUTES_MAX];
    counter outcomes[METRICS_ACTIONS][METRICS_RESULTS][2];
    counter signatures[METRICS_VERDICTS];
    counter connections; /* wraps below zero in one shard, never in the sum */
    counter accepted;
    counter refused;
    struct shard *next;
};

struct metrics {
    pthread_key_t mine; /* this thread's shard */
    pthread_mutex_t lock;
    struct shard *shards;
};

static void add(counter *number, uint64_t amount)
{
    uint64_t value = atomic_load_explicit(number, memory_order_relaxed);
    atomic_store_explicit(number, value + amount, memory_order_relaxed);
}

static uint64_t get(const counter *number)
{
    return atomic_load_explicit((counter *)number, memory_order_relaxed);
}

/* NULL when memory is short: then this thread is not counted. */
static struct shard *shard_of_thread(struct metrics *metrics)
{
    struct shard *shard = pthread_getspecific(metrics->mine);
    if (shard != NULL)
        return shard;
    shard = calloc(1, sizeof(*shard));
    if (shard == NULL || pthread_setspecific(metrics->mine, shard) != 0) {
        free(shard);
        return NULL;
    }
    pthread_mutex_lock(&metrics->lock);
    shard->next = metrics->shards;
    metrics->shards = shard;
    pthread_mutex_unlock(&metrics->lock);
    return shard;
}

/* NULL: there is none, and no room or no wish for it. */
static struct caller *caller_of(struct shard *shard, int64_t tenant_id, bool may_add)
{
    size_t first = (size_t)tenant_id * 0x9e3779b1u; /* ids that follow each other are spread */
    for (size_t i = 0; i < CALLER_PROBES; i++) {
        struct caller *caller = &shard->callers[(first + i) % CALLERS];
        if (get(&caller->tenant_id) == (uint64_t)tenant_id)
            return caller;
        if (get(&caller->tenant_id) != 0)
            continue;
        if (!may_add)
            return NULL;
        atomic_store_explicit(&caller->tenant_id, (uint64_t)tenant_id, memory_order_relaxed);
        return caller;
    }
    return NULL;
}

int metrics_create(struct metrics **metrics)
{
    struct metrics *made = calloc(1, sizeof(*made));
    if (made == NULL)
        return ERR_NO_MEMORY;
    if (pthread_key_create(&made->mine, NULL) != 0) {
        free(made);
        return ERR_NO_MEMORY;
    }
    pthread_mutex_init(&made->lock, NULL);
    *metrics = made;
    return 0;
}

void metrics_destroy(struct metrics *metrics)
{
    if (metrics == NULL)
        return;
    while (metrics->shards != NULL) {
        struct shard *shard = metrics->shards;
        metrics->shards = shard->next;
        free(shard);
    }
    pthread_key_delete(metrics->mine);
    pthread_mutex_destroy(&metrics->lock);
    free(metrics);
}

static size_t bucket_of(int64_t duration_us)
{
    size_t bucket = 0;
    while (bucket < COUNT_OF(bounds_us) && duration_us > bounds_us[bucket])
        bucket++;
    return bucket;
}

static size_t status_slot(int status)
{
    size_t slot = 0;
    while (slot + 1 < STATUSES && statuses[slot] != status)
        slot++;
    return slot;
}

void metrics_request(struct metrics *metrics, int route_index, int status, int64_t duration_us)
{
    CHECK(route_index >= 0 && route_index < METRICS_ROUTES_MAX);
    struct shard *shard = shard_of_thread(metrics);
    if (shard == NULL)
        return;
    if (duration_us < 0)
        duration_us = 0;
    add(&shard->requests[route_index][status_slot(status)], 1);
    add(&shard->latency[route_index][bucket_of(duration_us)], 1);
    add(&shard->latency_us_sum[route_index], (uint64_t)duration_us);
}

void metrics_outcome(struct metrics *metrics, enum action action, enum result result,
                     bool is_replay)
{
    CHECK((unsigned)action < METRICS_ACTIONS && (unsigned)result < METRICS_RESULTS);
    struct shard *shard = shard_of_thread(metrics);
    if (shard != NULL)
        add(&shard->outcomes[action][result][is_replay], 1);
}

void metrics_connection(struct metrics *metrics, int change)
{
    struct shard *shard = shard_of_thread(metrics);
    if (shard == NULL)
        return;
    add(&shard->connections, (uint64_t)(int64_t)change);
    if (change > 0)
        add(&shard->accepted, (uint64_t)change);
}

void metrics_connection_refused(struct metrics *metrics)
{
    struct shard *shard = shard_of_thread(metrics);
    if (shard != NULL)
        add(&shard->refused, 1);
}

void metrics_call(struct metrics *metrics, int64_t tenant_id, int route_index, int64_t now_us)
{
    CHECK(tenant_id > 0 && route_index >= 0 && route_index < METRICS_ROUTES_MAX);
    struct shard *shard = shard_of_thread(metrics);
    struct caller *caller = shard == NULL ? NULL : caller_of(shard, tenant_id, true);
    if (caller != NULL)
        atomic_store_explicit(&caller->called_us[route_index], (uint64_t)now_us,
                              memory_order_relaxed);
}

void metrics_signature(struct metrics *metrics, int verdict)
{
    CHECK(verdict >= 0 && verdict < METRICS_VERDICTS);
    struct shard *shard = shard_of_thread(metrics);
    if (shard != NULL)
        add(&shard->signatures[verdict], 1);
}

void metrics_tenant_signature(struct metrics *metrics, int64_t tenant_id, int verdict,
                              int64_t now_us)
{
    CHECK(tenant_id > 0 && verdict >= 0 && verdict < METRICS_VERDICTS);
    struct shard *shard = shard_of_thread(metrics);
    struct caller *caller = shard == NULL ? NULL : caller_of(shard, tenant_id, true);
    if (caller == NULL)
        return;
    add(&caller->signatures[verdict], 1);
    atomic_store_explicit(&caller->signed_us[verdict], (uint64_t)now_us, memory_order_relaxed);
}

/* --- reading */

static void sum_row(counter *to, const counter *from, size_t count)
{
    for (size_t i = 0; i < count; i++)
        add(&to[i], get(&from[i]));
}

static void sum_shard(struct shard *sum, const struct shard *shard)
{
    for (size_t route = 0; route < METRICS_ROUTES_MAX; route++) {
        sum_row(sum->requests[route], shard->requests[route], STATUSES);
        sum_row(sum->latency[route], shard->latency[route], BUCKETS);
    }
    sum_row(sum->latency_us_sum, shard->latency_us_sum, METRICS_ROUTES_MAX);
    for (size_t action = 0; action < METRICS_ACTIONS; action++)
        for (size_t result = 0; result < METRICS_RESULTS; result++)
            sum_row(sum->outcomes[action][result], shard->outcomes[action][result], 2);
    sum_row(sum->signatures, shard->signatures, METRICS_VERDICTS);
    sum_row(&sum->connections, &shard->connections, 1);
    sum_row(&sum->accepted, &shard->accepted, 1);
    sum_row(&sum->refused, &shard->refused, 1);
}

void metrics_append_head(struct text_buffer *buffer, const char *name, const char *type,
                         const char *help)
{
    text_append_format(buffer, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

void metrics_append_value(struct text_buffer *buffer, const char *name, const char *labels,
                          uint64_t value)
{
    const char *open = labels[0] == '\0' ? "" : "{", *close = labels[0] == '\0' ? "" : "}";
    text_append_format(buffer, "%s%s%s%s %llu\n", name, open, labels, close,
                       (unsigned long long)value);
}

void metrics_append_seconds(struct text_buffer *buffer, uint64_t duration_us)
{
    unsigned long long whole = duration_us / CLOCK_US_PER_S, rest = duration_us % CLOCK_US_PER_S;
    int digits = 6;
    while (digits > 1 && rest % 10 == 0) {
        rest /= 10;
        digits--;
    }
    text_append_format(buffer, "%llu.%0*llu", whole, digits, rest);
}

static void append_requests(const struct shard *sum, const struct metrics_names *names,
                            struct text_buffer *buffer)
{
    metrics_append_head(buffer, "counterpart_requests_total", "counter",
                        "Answered requests by route and status.");
    for (int route = 0; route < names->routes; route++)
        for (size_t slot = 0; slot < STATUSES; slot++)
            if (get(&sum->requests[route][slot]) != 0)
                text_append_format(
                    buffer,
                    "counterpart_requests_total{surface=\"%s\",route=\"%s\",status=\"%d\"} %llu\n",
                    names->surface(route), names->route(route), statuses[slot],
                    (unsigned long long)get(&sum->requests[route][slot]));
}

static void append_latency_of(const struct shard *sum, const struct metrics_names *names, int route,
                              struct text_buffer *buffer)
{
    static const char name[] = "counterpart_request_duration_seconds";
    const char *surface = names->surface(route), *label = names->route(route);
    unsigned long long count = 0;
    for (size_t bucket = 0; bucket < BUCKETS; bucket++) {
        count += get(&sum->latency[route][bucket]);
        text_append_format(buffer, "%s_bucket{surface=\"%s\",route=\"%s\",le=\"", name, surface,
                           label);
        if (bucket < COUNT_OF(bounds_us))
            metrics_append_seconds(buffer, (uint64_t)bounds_us[bucket]);
        else
            text_append(buffer, TEXT("+Inf"));
        text_append_format(buffer, "\"} %llu\n", count);
    }
    text_append_format(buffer, "%s_sum{surface=\"%s\",route=\"%s\"} ", name, surface, label);
    metrics_append_seconds(buffer, get(&sum->latency_us_sum[route]));
    text_append_format(buffer, "\n%s_count{surface=\"%s\",route=\"%s\"} %llu\n", name, surface,
                       label, count);
}

static bool route_was_used(const struct shard *sum, int route)
{
    for (size_t bucket = 0; bucket < BUCKETS; bucket++)
        if (get(&sum->latency[route][bucket]) != 0)
            return true;
    return false;
}

static void append_latency(const struct shard *sum, const struct metrics_names *names,
                           struct text_buffer *buffer)
{
    metrics_append_head(buffer, "counterpart_request_duration_seconds", "histogram",
                        "From the whole request read to its answer handed over, by route.");
    for (int route = 0; route < names->routes; route++)
        if (route_was_used(sum, route))
            append_latency_of(sum, names, route, buffer);
}

static void append_outcomes(const struct shard *sum, struct text_buffer *buffer)
{
    metrics_append_head(buffer, "counterpart_outcomes_total", "counter",
                        "Decided operations by action, result and whether it was a replay.");
    for (int action = 0; action < METRICS_ACTIONS; action++)
        for (int result = 0; result < METRICS_RESULTS; result++)
            for (int replay = 0; replay < 2; replay++) {
                uint64_t value = get(&sum->outcomes[action][result][replay]);
                if (value == 0)
                    continue;
                text_append_format(buffer,
                                   "counterpart_outcomes_total{action=\"%s\",result=\"%s\","
                                   "replay=\"%s\"} %llu\n",
                                   action_name((enum action)action),
                                   result_name((enum result)result), replay ? "true" : "false",
                                   (unsigned long long)value);
            }
}

static void append_signatures(const struct shard *sum, const struct metrics_names *names,
                              struct text_buffer *buffer)
{
    metrics_append_head(buffer, "counterpart_signatures_total", "counter",
                        "Request signatures by verdict.");
    for (int verdict = 0; verdict < METRICS_VERDICTS; verdict++)
        if (names->verdict(verdict) != NULL)
            text_append_format(buffer, "counterpart_signatures_total{verdict=\"%s\"} %llu\n",
                               names->verdict(verdict),
                               (unsigned long long)get(&sum->signatures[verdict]));
}

static void append_connections(const struct shard *sum, struct text_buffer *buffer)
{
    metrics_append_head(buffer, "counterpart_connections", "gauge", "Open connections.");
    metrics_append_value(buffer, "counterpart_connections", "", get(&sum->connections));
    metrics_append_head(buffer, "counterpart_connections_accepted_total", "counter",
                        "Connections served.");
    metrics_append_value(buffer, "counterpart_connections_accepted_total", "", get(&sum->accepted));
    metrics_append_head(buffer, "counterpart_connections_refused_total", "counter",
                        "Connections refused because too many were open.");
    metrics_append_value(buffer, "counterpart_connections_refused_total", "", get(&sum->refused));
}

void metrics_append(struct metrics *metrics, const struct metrics_names *names,
                    struct text_buffer *buffer)
{
    CHECK(names->routes <= METRICS_ROUTES_MAX);
    struct shard *sum = calloc(1, sizeof(*sum));
    if (sum == NULL)
        return;
    pthread_mutex_lock(&metrics->lock);
    for (const struct shard *shard = metrics->shards; shard != NULL; shard = shard->next)
        sum_shard(sum, shard);
    pthread_mutex_unlock(&metrics->lock);
    append_requests(sum, names, buffer);
    append_latency(sum, names, buffer);
    append_outcomes(sum, buffer);
    append_signatures(sum, names, buffer);
    append_connections(sum, buffer);
    free(sum);
}

/* --- one tenant */

static int64_t later(int64_t time_us, const counter *other)
{
    int64_t other_us = (int64_t)get(other);
    return other_us > time_us ? other_us : time_us;
}

static void tenant_add(struct metrics_tenant *tenant, const struct caller *caller)
{
    for (int i = 0; i < METRICS_ROUTES_MAX; i++)
        tenant->called_us[i] = later(tenant->called_us[i], &caller->called_us[i]);
    for (int i = 0; i < METRICS_VERDICTS; i++) {
        tenant->signatures[i] += get(&caller->signatures[i]);
        tenant->signed_us[i] = later(tenant->signed_us[i], &caller->signed_us[i]);
    }
}

void metrics_read_tenant(struct metrics *metrics, int64_t tenant_id, struct metrics_tenant *tenant)
{
    *tenant = (struct metrics_tenant){.signatures = {0}};
    pthread_mutex_lock(&metrics->lock);
    for (struct shard *shard = metrics->shards; shard != NULL; shard = shard->next) {
        const struct caller *caller = caller_of(shard, tenant_id, false);
        if (caller != NULL)
            tenant_add(tenant, caller);
    }
    pthread_mutex_unlock(&metrics->lock);
}
