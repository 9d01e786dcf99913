/* Reader threads: two queues, each thread with a read-only connection of its own. */
#include "runtime/reader.h"

#include "base/check.h"
#include "base/clock.h"
#include "runtime/queue.h"

#include <stdlib.h>
#include <sys/resource.h>

#include "base/banned.h"

/* Nice value of threads that take long jobs: a third of the processor time of others, when there is
 * not enough for all. */
#define LONG_NICE 5

struct reader_thread {
    struct reader *reader;
    struct store *store;
    bool takes_long;
    bool is_nice;
    pthread_t thread;
};

struct reader {
    pthread_mutex_t mutex; /* guards taking, so that what has depth can be taken at once */
    pthread_cond_t filled;
    bool is_closed;
    struct queue quick, slow;
    int32_t count;
    struct reader_thread threads[READER_THREADS_MAX];
};

/* NULL: closed, and nothing left that this thread takes. */
static struct job *reader_take(struct reader_thread *self)
{
    struct reader *reader = self->reader;
    struct job *job = NULL;
    pthread_mutex_lock(&reader->mutex);
    for (;;) {
        /* One at a time: a report must not hold a quick look-up that another thread could do. */
        if (queue_depth(&reader->quick) > 0)
            job = queue_take(&reader->quick, 1);
        else if (self->takes_long && queue_depth(&reader->slow) > 0)
            job = queue_take(&reader->slow, 1);
        if (job != NULL || reader->is_closed)
            break;
        pthread_cond_wait(&reader->filled, &reader->mutex);
    }
    pthread_mutex_unlock(&reader->mutex);
    return job;
}

static void *reader_run(void *argument)
{
    struct reader_thread *self = argument;
    struct job *job;
    if (self->is_nice)
        (void)setpriority(PRIO_PROCESS, 0, LONG_NICE); /* of this thread alone, on Linux */
    while ((job = reader_take(self)) != NULL) {
        if (job_take(job, clock_monotonic_us()))
            job_end(job, job->task(job, self->store));
    }
    return NULL;
}

/* A single thread does everything. */
static void thread_init(struct reader_thread *thread, struct reader *reader, struct store *store,
                        int32_t index, int32_t count)
{
    bool takes_long = count == 1 || index >= count / 2;
    *thread = (struct reader_thread){.reader = reader,
                                     .store = store,
                                     .takes_long = takes_long,
                                     .is_nice = takes_long && count > 1};
}

int reader_create(struct store *const *stores, int32_t count, struct reader **reader)
{
    CHECK(count >= 1 && count <= READER_THREADS_MAX);
    struct reader *made = calloc(1, sizeof(*made));
    if (made == NULL)
        return ERR_NO_MEMORY;
    CHECK(pthread_mutex_init(&made->mutex, NULL) == 0);
    CHECK(pthread_cond_init(&made->filled, NULL) == 0);
    queue_init(&made->quick, READER_QUEUE_MAX);
    queue_init(&made->slow, READER_LONG_MAX);
    for (; made->count < count; made->count++) {
        struct reader_thread *each = &made->threads[made->count];
        thread_init(each, made, stores[made->count], made->count, count);
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
    pthread_mutex_lock(&reader->mutex);
    reader->is_closed = true;
    queue_close(&reader->quick);
    queue_close(&reader->slow);
    pthread_cond_broadcast(&reader->filled);
    pthread_mutex_unlock(&reader->mutex);
    for (int32_t i = 0; i < reader->count; i++)
        pthread_join(reader->threads[i].thread, NULL);
    reader->count = 0;
}

void reader_destroy(struct reader *reader)
{
    if (reader == NULL)
        return;
    reader_stop(reader);
    queue_finish(&reader->quick);
    queue_finish(&reader->slow);
    pthread_cond_destroy(&reader->filled);
    pthread_mutex_destroy(&reader->mutex);
    free(reader);
}

int reader_submit(struct reader *reader, struct job *job)
{
    CHECK(job->task != NULL);
    bool is_long = job->is_long; /* the job is no longer ours when it was pushed */
    pthread_mutex_lock(&reader->mutex);
    int err = queue_push(is_long ? &reader->slow : &reader->quick, job);
    if (is_long)
        pthread_cond_broadcast(&reader->filled); /* not every thread takes it */
    else
        pthread_cond_signal(&reader->filled);
    pthread_mutex_unlock(&reader->mutex);
    return err;
}

int32_t reader_queue_depth(struct reader *reader)
{
    return queue_depth(&reader->quick) + queue_depth(&reader->slow);
}
