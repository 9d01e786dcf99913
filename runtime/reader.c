/* Reader threads: one queue, each thread with a read-only connection of its own. */
#include "runtime/reader.h"

#include "base/check.h"
#include "base/clock.h"
#include "runtime/queue.h"

#include <stdlib.h>

#include "base/banned.h"

struct reader_thread {
    struct reader *reader;
    struct store *store;
    pthread_t thread;
};

struct reader {
    struct queue queue;
    int32_t count;
    struct reader_thread threads[READER_THREADS_MAX];
};

static void *reader_run(void *argument)
{
    struct reader_thread *self = argument;
    struct job *job;
    /* One at a time: a slow report must not hold a quick look-up that another thread could do. */
    while ((job = queue_take(&self->reader->queue, 1)) != NULL) {
        if (job_take(job, clock_monotonic_us()))
            job_end(job, job->task(job, self->store));
    }
    return NULL;
}

int reader_create(struct store *const *stores, int32_t count, struct reader **reader)
{
    CHECK(count >= 1 && count <= READER_THREADS_MAX);
    struct reader *made = calloc(1, sizeof(*made));
    if (made == NULL)
        return ERR_NO_MEMORY;
    queue_init(&made->queue, READER_QUEUE_MAX);
    for (; made->count < count; made->count++) {
        struct reader_thread *each = &made->threads[made->count];
        *each = (struct reader_thread){.reader = made, .store = stores[made->count]};
        if (pthread_create(&each->thread, NULL, reader_run, each) != 0) {
            reader_destroy(made);
            return ERR_NO_MEMORY;
        }
    }
    *reader = made;
    return 0;
}

void reader_stop(struct reader *reader)
{
    if (reader == NULL)
        return;
    queue_close(&reader->queue);
    for (int32_t i = 0; i < reader->count; i++)
        pthread_join(reader->threads[i].thread, NULL);
    reader->count = 0;
}

void reader_destroy(struct reader *reader)
{
    if (reader == NULL)
        return;
    reader_stop(reader);
    queue_finish(&reader->queue);
    free(reader);
}

int reader_submit(struct reader *reader, struct job *job)
{
    CHECK(job->task != NULL);
    return queue_push(&reader->queue, job);
}

int32_t reader_queue_depth(struct reader *reader)
{
    return queue_depth(&reader->queue);
}
