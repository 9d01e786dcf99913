/*
 * Readers: M threads, each with a reader connection, for what misses the hot tier, look-ups and
 * reports. Never write. Same job rules as the committer; every job has a task.
 *
 * Long jobs (job->is_long: searches, lists) run on half of the threads only, after what is not
 * long, and these threads give way to others when processors are short: no number of searches keeps
 * a balance or a charge waiting.
 */
#ifndef COUNTERPART_RUNTIME_READER_H
#define COUNTERPART_RUNTIME_READER_H

#include "runtime/job.h"
#include "store/store.h"

#define READER_QUEUE_MAX 8192
#define READER_LONG_MAX 2048 /* more than two readers search in a second */
#define READER_THREADS_MAX 8

struct reader;

/* stores: count open reader connections, 1..READER_THREADS_MAX; borrowed until reader_destroy. */
MUST_CHECK int reader_create(struct store *const *stores, int32_t count, struct reader **reader);
/* Finishes what is queued, then stops the threads; later jobs get ERR_SHUTTING_DOWN. */
void reader_stop(struct reader *reader); /* accepts NULL */
/* Stops it if that was not done, and frees it: nobody may submit any more. */
void reader_destroy(struct reader *reader); /* accepts NULL */
/* errors: ERR_QUEUE_FULL, ERR_SHUTTING_DOWN: the job stays the caller's. */
MUST_CHECK int reader_submit(struct reader *reader, struct job *job);
int32_t reader_queue_depth(struct reader *reader);

#endif
