/*
 * Counters and latency histograms, written by the loops without locks and read by /metrics
 * (Prometheus text format). Every thread writes to a shard of its own; reading adds them up.
 */
#ifndef COUNTERPART_HANDLERS_METRICS_H
#define COUNTERPART_HANDLERS_METRICS_H

#include "base/text.h"
#include "ledger/operation.h"

/* Routes that can be told apart, unknown paths included. */
#define METRICS_ROUTES_MAX 80
/* Actions and results are stored numbers, from 0 on. */
#define METRICS_ACTIONS 10
#define METRICS_RESULTS 32
#define METRICS_VERDICTS 8

struct metrics;

MUST_CHECK int metrics_create(struct metrics **metrics);
/* Threads that have counted must have ended. */
void metrics_destroy(struct metrics *metrics);
/* One answered request; route_index as in handlers/route.h. */
void metrics_request(struct metrics *metrics, int route_index, int status, int64_t duration_us);
void metrics_outcome(struct metrics *metrics, enum action action, enum result result,
                     bool is_replay);
void metrics_connection(struct metrics *metrics, int change); /* +1, -1 */
void metrics_connection_refused(struct metrics *metrics);
void metrics_signature(struct metrics *metrics, int verdict);
/* The same for one tenant, where a signature is asked for; now_us: steady. */
void metrics_tenant_signature(struct metrics *metrics, int64_t tenant_id, int verdict,
                              int64_t now_us);
/* A tenant's request was served; now_us: steady. */
void metrics_call(struct metrics *metrics, int64_t tenant_id, int route_index, int64_t now_us);

/* --- reading */

/* What the numbers are called. The functions return literals; NULL: leave that one out. */
struct metrics_names {
    int routes; /* route_index 0..routes - 1 */
    const char *(*route)(int index);
    const char *(*surface)(int index);
    const char *(*verdict)(int verdict);
};
/* Everything counted above. */
void metrics_append(struct metrics *metrics, const struct metrics_names *names,
                    struct text_buffer *buffer);

/* What one tenant's callers have done since the process began. A thread remembers some 250 tenants:
 * of those that came later less is known than was. */
struct metrics_tenant {
    int64_t called_us[METRICS_ROUTES_MAX]; /* the latest that was served; 0: none */
    uint64_t signatures[METRICS_VERDICTS];
    int64_t signed_us[METRICS_VERDICTS]; /* the latest with that verdict; 0: none */
};
void metrics_read_tenant(struct metrics *metrics, int64_t tenant_id, struct metrics_tenant *tenant);

/* Pieces of the text format, for numbers that are kept elsewhere. */
void metrics_append_head(struct text_buffer *buffer, const char *name, const char *type,
                         const char *help);
/* labels: "" or "a=\"b\"". */
void metrics_append_value(struct text_buffer *buffer, const char *name, const char *labels,
                          uint64_t value);
/* microseconds as decimal seconds: "0.00025" */
void metrics_append_seconds(struct text_buffer *buffer, uint64_t duration_us);

#endif
