/*
 * The committer: threads with a writer connection each; one with SQLite. A thread takes every job
 * that waits (1..batch_max), decides and commits them in one transaction, then gives them back: the
 * answer leaves after the commit. While the disk works the next batch gathers by itself, and where
 * there are several threads another begins it when that pays (runtime/commit_queue.h).
 *
 * Nothing of a card overtakes itself; tasks are all the first thread's. What is right does not
 * depend on it: the store lets one transaction at a time have a card.
 */
#ifndef COUNTERPART_RUNTIME_COMMITTER_H
#define COUNTERPART_RUNTIME_COMMITTER_H

#include "runtime/commit_queue.h"
#include "store/hot.h"
#include "store/store.h"

/* Waiting jobs; beyond it 503. 8 full batches: at 10 ms a commit that is 80 ms of
 * waiting. */
#define COMMITTER_QUEUE_MAX 4096

/* Each a connection that the database keeps a process for. */
#define COMMITTER_STORES_MAX COMMIT_QUEUE_TAKERS_MAX

struct committer;

struct committer_config {
    /* Writers, one for each thread, then NULL; the committer's alone until committer_destroy.
     * Borrowed */
    struct store *stores[COMMITTER_STORES_MAX];
    struct store
        *checkpoint_store; /* a second writer connection for the checkpoint thread; NULL: none */
    struct hot *hot;       /* gets every committed card; NULL: none */
    int32_t batch_max;     /* 1..BATCH_MAX */
};

MUST_CHECK int committer_create(const struct committer_config *config,
                                struct committer **committer);
/* Finishes what is queued, then stops the threads; later jobs get ERR_SHUTTING_DOWN. Loops may go
 * on submitting and reading counters until committer_destroy. */
void committer_stop(struct committer *committer); /* accepts NULL */
/* Stops it if that was not done, and frees it: nobody may submit any more. */
void committer_destroy(struct committer *committer); /* accepts NULL */

/* Takes ownership of the job on success. errors: ERR_QUEUE_FULL, ERR_SHUTTING_DOWN: the job stays
 * the caller's. */
MUST_CHECK int committer_submit(struct committer *committer, struct job *job);

#define COMMITTER_HISTOGRAM 16 /* buckets: 2^0..2^15; unit microseconds x 64 for times */
struct committer_counters {
    uint64_t batches, commands, rollbacks, unknown_commits, cancelled;
    uint64_t task_commits; /* transactions of tasks, whether they joined or not */
    uint64_t batch_size[COMMITTER_HISTOGRAM];  /* batches by size, bucket i: <= 2^i */
    uint64_t commit_time[COMMITTER_HISTOGRAM]; /* COMMIT (the fsync) by duration, bucket i: <= 64 us
                                                * 2^i */
    uint64_t batch_size_sum, commit_time_us_sum;
    int32_t queue_depth;
    bool is_healthy; /* the last that wrote worked; after a failure, as much as a charge writes */
};
void committer_read_counters(struct committer *committer, struct committer_counters *counters);

#endif
