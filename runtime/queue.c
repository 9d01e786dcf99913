/* Bounded job queue: a list under one mutex. Takers take many at once, so the lock is rare where it
 * matters. */
#include "runtime/queue.h"

#include "base/check.h"

#include <stddef.h>

#include "base/banned.h"

void queue_init(struct queue *queue, int32_t depth_max)
{
    *queue = (struct queue){.depth_max = depth_max};
    CHECK(pthread_mutex_init(&queue->mutex, NULL) == 0);
    CHECK(pthread_cond_init(&queue->filled, NULL) == 0);
}

void queue_finish(struct queue *queue)
{
    CHECK(queue->depth == 0);
    pthread_cond_destroy(&queue->filled);
    pthread_mutex_destroy(&queue->mutex);
}

static void queue_append(struct queue *queue, struct job *job)
{
    job->next = NULL;
    if (queue->newest != NULL)
        queue->newest->next = job;
    else
        queue->oldest = job;
    queue->newest = job;
    queue->depth++;
}

int queue_push(struct queue *queue, struct job *job)
{
    int err = 0;
    pthread_mutex_lock(&queue->mutex);
    if (queue->is_closed)
        err = ERR_SHUTTING_DOWN;
    else if (queue->depth >= queue->depth_max)
        err = ERR_QUEUE_FULL;
    else
        queue_append(queue, job);
    if (err == 0 && queue->depth == 1)
        pthread_cond_signal(&queue->filled);
    pthread_mutex_unlock(&queue->mutex);
    return err;
}

static struct job *queue_cut(struct queue *queue, int32_t count_max)
{
    struct job *first = queue->oldest;
    struct job *last = first;
    int32_t count = 1;
    while (count < count_max && last->next != NULL) {
        last = last->next;
        count++;
    }
    queue->oldest = last->next;
    if (queue->oldest == NULL)
        queue->newest = NULL;
    last->next = NULL;
    queue->depth -= count;
    return first;
}

struct job *queue_take(struct queue *queue, int32_t count_max)
{
    struct job *taken = NULL;
    pthread_mutex_lock(&queue->mutex);
    while (queue->depth == 0 && !queue->is_closed)
        pthread_cond_wait(&queue->filled, &queue->mutex);
    if (queue->depth > 0)
        taken = queue_cut(queue, count_max);
    if (queue->depth > 0)
        pthread_cond_signal(&queue->filled); /* for another taker of the same queue */
    pthread_mutex_unlock(&queue->mutex);
    return taken;
}

void queue_close(struct queue *queue)
{
    pthread_mutex_lock(&queue->mutex);
    queue->is_closed = true;
    pthread_cond_broadcast(&queue->filled);
    pthread_mutex_unlock(&queue->mutex);
}

int32_t queue_depth(struct queue *queue)
{
    pthread_mutex_lock(&queue->mutex);
    int32_t depth = queue->depth;
    pthread_mutex_unlock(&queue->mutex);
    return depth;
}
