/*
 * A bounded queue of jobs between those who want something of the store, loops and the outbound
 * thread, and the committer or the readers. Order is first in, first out.
 */
#ifndef COUNTERPART_RUNTIME_QUEUE_H
#define COUNTERPART_RUNTIME_QUEUE_H

#include "runtime/job.h"

#include <pthread.h>

struct queue {
    pthread_mutex_t mutex;
    pthread_cond_t filled;
    struct job *oldest;
    struct job *newest;
    int32_t depth;
    int32_t depth_max;
    bool is_closed;
};

void queue_init(struct queue *queue, int32_t depth_max);
void queue_finish(struct queue *queue); /* CHECKs that it is empty */

/* errors  ERR_QUEUE_FULL, ERR_SHUTTING_DOWN: the job stays the caller's. */
MUST_CHECK int queue_push(struct queue *queue, struct job *job);
/* Waits; takes up to count_max of the oldest jobs as a list by job->next. NULL: closed and empty.
 */
struct job *queue_take(struct queue *queue, int32_t count_max);
/* No more pushes; takers get what is left, then NULL. */
void queue_close(struct queue *queue);
int32_t queue_depth(struct queue *queue);

/* The worker's side of the job's state machine, for committer, readers and the outbound thread:
 * TAKEN, or else cancelled (too little time is left, or its loop gave it up) and given back with
 * ERR_CANCELLED. */
MUST_CHECK bool job_take(struct job *job, int64_t now_us);
/* TAKEN -> DONE, and back to its loop. The job is no longer the worker's. */
void job_end(struct job *job, int error);

#endif
