/* The life of a job: one table of allowed moves, one function that makes them. */
#include "runtime/job.h"

#include "base/check.h"
#include "runtime/queue.h"

#include "base/banned.h"

static const bool is_allowed[4][4] = {
    [JOB_QUEUED] = {[JOB_TAKEN] = true, [JOB_CANCELLED] = true},
    [JOB_TAKEN] = {[JOB_DONE] = true},
};

bool job_move(struct job *job, enum job_state from, enum job_state to)
{
    CHECK(is_allowed[from][to]);
    return atomic_compare_exchange_strong(&job->state, &from, to);
}

bool job_take(struct job *job, int64_t now_us)
{
    enum job_state to = job->deadline_us - now_us >= JOB_RESERVE_US ? JOB_TAKEN : JOB_CANCELLED;
    bool is_taken = job_move(job, JOB_QUEUED, to) && to == JOB_TAKEN;
    if (!is_taken) {
        job->error = ERR_CANCELLED;
        job->give_back(job);
    }
    return is_taken;
}

void job_end(struct job *job, int error)
{
    _Atomic int32_t *begun_count = job->begun_count;
    job->error = error;
    CHECK(job_move(job, JOB_TAKEN, JOB_DONE));
    job->give_back(job);
    if (begun_count != NULL)
        atomic_fetch_sub(begun_count, 1);
}
