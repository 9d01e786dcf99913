/* Errands: jobs that the outbound thread sends to the store's workers, and how they come home. */
#include "runtime/errand.h"

#include "base/clock.h"
#include "base/seal.h"

#include <stdlib.h>

#include "base/banned.h"

struct errand *errand_create(struct outbound *outbound, size_t extra_bytes)
{
    size_t size = sizeof(struct errand) + extra_bytes;
    struct errand *errand = calloc(1, size);
    if (errand == NULL)
        return NULL;
    errand->outbound = outbound;
    errand->size = size;
    return errand;
}

void *errand_data(struct errand *errand)
{
    return errand + 1;
}

void *errand_data_of(struct job *job)
{
    return errand_data((struct errand *)job); /* its first member */
}

/* On the outbound thread. */
static void errand_come_home(void *context)
{
    struct errand *errand = context;
    errand->on_done(errand);
    seal_wipe(errand, errand->size); /* tokens, and commands with PINs */
    free(errand);
}

/* On the worker's thread: nothing of the errand may be touched afterwards. */
static void on_give_back(struct job *job)
{
    struct errand *errand = (struct errand *)job;
    outbound_post(errand->outbound, &errand->message);
}

static void errand_prepare(struct errand *errand, job_task_fn task, errand_done_fn on_done,
                           void *context)
{
    CHECK(errand->on_done == NULL && on_done != NULL); /* sent once */
    errand->on_done = on_done;
    errand->context = context;
    errand->message.fn = errand_come_home;
    errand->message.context = errand;
    errand->job.task = task;
    errand->job.give_back = on_give_back;
    errand->job.deadline_us = clock_monotonic_us() + ERRAND_WAIT_US;
    if (errand->until_us != 0 && errand->until_us < errand->job.deadline_us)
        errand->job.deadline_us = errand->until_us;
    outbound_expect(errand->outbound, &errand->message);
}

/* A refusal comes home the same way, later. */
static void errand_turn_back(struct errand *errand, int err)
{
    if (err == 0)
        return;
    errand->job.error = err;
    on_give_back(&errand->job);
}

void errand_write(struct errand *errand, struct committer *committer, job_task_fn task,
                  errand_done_fn on_done, void *context)
{
    CHECK(task != NULL);
    errand_prepare(errand, task, on_done, context);
    errand_turn_back(errand, committer_submit(committer, &errand->job));
}

void errand_read(struct errand *errand, struct reader *reader, job_task_fn task,
                 errand_done_fn on_done, void *context)
{
    CHECK(task != NULL);
    errand_prepare(errand, task, on_done, context);
    errand_turn_back(errand, reader_submit(reader, &errand->job));
}

void errand_command(struct errand *errand, struct committer *committer, errand_done_fn on_done,
                    void *context)
{
    errand_prepare(errand, NULL, on_done, context);
    errand_turn_back(errand, committer_submit(committer, &errand->job));
}
