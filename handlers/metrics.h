/*
 * Counters and latency histograms, written by the loops without locks and read by /metrics
 * (Prometheus text format).
 */
#ifndef COUNTERPART_HANDLERS_METRICS_H
#define COUNTERPART_HANDLERS_METRICS_H

#include "base/text.h"
#include "ledger/operation.h"

struct metrics;

MUST_CHECK int metrics_create(struct metrics **metrics);
void metrics_destroy(struct metrics *metrics);
/* One answered request: route name must be a literal of the route table. */
void metrics_request(struct metrics *metrics, int route_index, int status, int64_t duration_us);
void metrics_outcome(struct metrics *metrics, enum action action, enum result result,
                     bool is_replay);
void metrics_connection(struct metrics *metrics, int change); /* +1, -1 */
void metrics_connection_refused(struct metrics *metrics);
void metrics_signature(struct metrics *metrics, int verdict);

#endif
