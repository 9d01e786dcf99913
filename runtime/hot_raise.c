/* A task of the committer's that raises the store's hot generation and tells the tier. */
#include "runtime/hot_raise.h"

#include "base/clock.h"
#include "base/log.h"
#include "store/hot_redis.h"

#include <stdlib.h>

#include "base/banned.h"

#define RAISE_WAIT_US (INT64_C(4) * CLOCK_US_PER_S) /* in the queue; then it is asked for again */

struct raise_job {
    struct job job; /* first: the task is given this */
    struct hot *hot;
};

static void on_raised(struct job *job)
{
    if (job->error != 0)
        log_event(LOG_WARNING, "hot_generation_not_raised",
                  LOG_TEXT("error", error_name(job->error)));
    free(job);
}

/* It does not join others, so that it is committed when it returns; and as no other commit runs
 * meanwhile, all that have not reached Redis are of the generation before. */
static int task_raise(struct job *job, struct store *store)
{
    int64_t generation;
    int err = store_raise_hot_generation(store, &generation);
    if (err == 0)
        hot_redis_trust(((struct raise_job *)job)->hot, generation);
    return err;
}

void hot_raise(void *context)
{
    const struct hot_raise *raise = context;
    struct raise_job *made = calloc(1, sizeof(*made));
    if (made == NULL)
        return;
    made->hot = raise->hot;
    made->job.task = task_raise;
    made->job.give_back = on_raised;
    made->job.deadline_us = clock_monotonic_us() + RAISE_WAIT_US;
    if (committer_submit(raise->committer, &made->job) != 0)
        free(made);
}
