/*
 * The scheduler: periodic tasks on the outbound thread, each once at a time. A task begins
 * something (an errand to the committer, a request) and says later that it has ended; it never
 * waits.
 */
#ifndef COUNTERPART_RUNTIME_SCHEDULER_H
#define COUNTERPART_RUNTIME_SCHEDULER_H

#include "runtime/duty.h"

#define SCHEDULER_TASKS_MAX 16 /* there are a handful; each has its lines in /metrics */
/* The first runs are this long after the start, so that registers that come back together after a
 * restart are served first. */
#define SCHEDULER_DELAY_US (INT64_C(5) * 1000000)
/* A run that failed is repeated after this long, or after its period when that is shorter. */
#define SCHEDULER_RETRY_US (INT64_C(60) * 1000000)

struct scheduler;
struct scheduled; /* one task */

/* A process that waits for the duty looks so often whether it has come: then what is due runs. */
#define SCHEDULER_DUTY_US (INT64_C(1) * 1000000)

/* Begins a run, on the outbound thread. Ends with scheduler_end, exactly once, from inside the call
 * or later. A run that is under way when the service stops needs no end. */
typedef void (*scheduler_fn)(struct scheduled *task, void *context);

/* duty: runs begin only while it is ours; borrowed. NULL: always. */
MUST_CHECK int scheduler_create(struct outbound *outbound, const struct duty *duty,
                                struct scheduler **scheduler);
/* After outbound_stop; accepts NULL. */
void scheduler_destroy(struct scheduler *scheduler);

/* Before scheduler_start. name: a literal, for logs and metrics. period_us counts from one begin to
 * the next; a run that takes longer is followed at once. */
void scheduler_add(struct scheduler *scheduler, const char *name, int64_t period_us,
                   scheduler_fn fn, void *context);
/* Once. SCHEDULER_DELAY_US and SCHEDULER_RETRY_US; tests shorten them. */
void scheduler_start(struct scheduler *scheduler, int64_t delay_us, int64_t retry_us);

/* May a run of many steps go on with the next one? Else it ends, with ERR_LEASED. */
bool scheduler_may_go_on(const struct scheduled *task);
/* On the outbound thread. err: 0, or why the run has failed: logged, counted, tried again. */
void scheduler_end(struct scheduled *task, int err);

struct scheduler_counters {
    const char *name;
    uint64_t runs; /* ended, failures included */
    uint64_t failures;
};
/* Any thread; index from 0. */
int32_t scheduler_count(const struct scheduler *scheduler);
void scheduler_read_counters(const struct scheduler *scheduler, int32_t index,
                             struct scheduler_counters *counters);

#endif
