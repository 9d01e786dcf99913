/*
 * An errand: the outbound thread sends a job to the committer or a reader and is told, on its own
 * thread, when it has ended. So oauth/ and lightspeed/ use the store without waiting for it.
 */
#ifndef COUNTERPART_RUNTIME_ERRAND_H
#define COUNTERPART_RUNTIME_ERRAND_H

#include "runtime/committer.h"
#include "runtime/outbound.h"
#include "runtime/reader.h"

struct errand;
/* On the outbound thread. job->error as from any worker: 0, ERR_* of the task, ERR_CANCELLED,
 * ERR_QUEUE_FULL, ERR_SHUTTING_DOWN. The errand, extra bytes and all, is wiped and freed then. */
typedef void (*errand_done_fn)(struct errand *errand);

struct errand {
    struct job job; /* first: task functions get this; fill job.command for errand_command */
    struct outbound *outbound;
    struct outbound_message message;
    errand_done_fn on_done;
    void *context;
    size_t size;
    int64_t until_us; /* monotonic: not begun later; 0: ERRAND_WAIT_US alone */
};

/* extra_bytes zeroed bytes follow: errand_data. NULL when memory is short. */
struct errand *errand_create(struct outbound *outbound, size_t extra_bytes);
void *errand_data(struct errand *errand);
void *errand_data_of(struct job *job); /* for tasks */

/* One of these, exactly once; on_done follows always, never from inside the call. Called on the
 * outbound thread. An errand has no deadline of its own but ERRAND_WAIT_US in the queue, or
 * until_us: what is not taken by then, less JOB_RESERVE_US, is ERR_CANCELLED. */
#define ERRAND_WAIT_US (INT64_C(30) * 1000000)
void errand_write(struct errand *errand, struct committer *committer, job_task_fn task,
                  errand_done_fn on_done, void *context);
void errand_read(struct errand *errand, struct reader *reader, job_task_fn task,
                 errand_done_fn on_done, void *context);
void errand_command(struct errand *errand, struct committer *committer, errand_done_fn on_done,
                    void *context);

#endif
