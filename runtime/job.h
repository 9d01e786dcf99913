/*
 * A job: one piece of work on its way between threads. One heap allocation, one owner at a time:
 * loop -> queue -> worker (committer, reader or outbound thread) -> loop, freed by the loop in one
 * function. Nothing of the request pool is ever stored in it (design section 9). The outbound
 * thread's own jobs for the store's workers come home to it (runtime/errand.h).
 *
 * State machine (one table, job_move is the only function that changes it):
 *     QUEUED -> TAKEN     the worker, with at least JOB_RESERVE_US left
 *     QUEUED -> CANCELLED the loop's timer at the deadline, or the worker when less is left:
 *                         it never ran and never will
 *     TAKEN  -> DONE      the worker, outcome or error filled in; ERR_CANCELLED: the committer had
 *                         put it back, and too little time was left: it never ran and never will
 */
#ifndef COUNTERPART_RUNTIME_JOB_H
#define COUNTERPART_RUNTIME_JOB_H

#include "base/check.h"
#include "base/error.h"
#include "ledger/command.h"

#include <stdatomic.h>

#define JOB_DEADLINE_US COMMAND_WAIT_MAX_US  /* ledger/command.h */
#define JOB_RESERVE_US (INT64_C(500) * 1000) /* a worker takes a job only with this much left */

enum job_state {
    JOB_QUEUED,
    JOB_TAKEN,
    JOB_DONE,
    JOB_CANCELLED,
};

struct store;
struct job;
/* Called on the worker's thread, once, when the job has ended (DONE or CANCELLED by the worker, or
 * CANCELLED by the loop and now out of the queue): gives the job back to its loop. The worker does
 * not touch it afterwards. */
typedef void (*job_return_fn)(struct job *job);
/* A task of its own instead of a command: runs on the worker's thread with its store. Returns 0 or
 * ERR_*. */
typedef int (*job_task_fn)(struct job *job, struct store *store);
/* For the outbound thread: starts what ends later, there, by job_end. */
typedef void (*job_begin_fn)(struct job *job);

struct job {
    _Atomic(enum job_state) state;
    int64_t deadline_us; /* monotonic */
    job_return_fn give_back;
    job_task_fn task;   /* NULL: a command for the committer */
    job_begin_fn begin; /* on the outbound thread only */
    bool is_long;       /* for readers: takes milliseconds, such as a search (runtime/reader.h) */
    bool joins; /* the task's changes may share a transaction with those of other tasks: it changes
                   nothing but through the store, and what it returns holds only when the job's
                   error is 0 as well */
    _Atomic int32_t *begun_count; /* its worker's count of jobs begun and not ended; or NULL */
    int32_t skipped_count;        /* batches that left it out, another process had its card */
    struct command command;
    struct outcome outcome; /* valid when DONE and error is 0 */
    int error;              /* ERR_* */
    struct job *next;       /* the queue's */
};

/* true: the move was allowed and made. */
MUST_CHECK bool job_move(struct job *job, enum job_state from, enum job_state to);

#endif
