/* The committers' queue: one list, what of it belongs to cards that a committer has, and who is
 * called when it pays. */
#include "runtime/commit_queue.h"

#include "base/check.h"
#include "base/clock.h"

#include <string.h>
#include <time.h>

#include "base/banned.h"

static void cond_init(pthread_cond_t *cond)
{
    pthread_condattr_t attributes;
    CHECK(pthread_condattr_init(&attributes) == 0);
    CHECK(pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0);
    CHECK(pthread_cond_init(cond, &attributes) == 0);
    pthread_condattr_destroy(&attributes);
}

void commit_queue_init(struct commit_queue *queue, int32_t depth_max, int32_t taker_count)
{
    CHECK(taker_count >= 1 && taker_count <= COMMIT_QUEUE_TAKERS_MAX);
    memset(queue, 0, sizeof(*queue));
    queue->depth_max = depth_max;
    queue->taker_count = taker_count;
    queue->called = COMMIT_QUEUE_NOBODY;
    queue->end = &queue->oldest;
    CHECK(pthread_mutex_init(&queue->mutex, NULL) == 0);
    for (int32_t i = 0; i < taker_count; i++)
        cond_init(&queue->takers[i].called);
}

void commit_queue_finish(struct commit_queue *queue)
{
    CHECK(queue->depth == 0);
    for (int32_t i = 0; i < queue->taker_count; i++)
        pthread_cond_destroy(&queue->takers[i].called);
    pthread_mutex_destroy(&queue->mutex);
}

/* --- cards --- */

/* The index of a card is a keyed hash already: any of its bytes are as good. */
static uint16_t slot_of(const struct job *job)
{
    uint16_t bits;
    memcpy(&bits, job->command.card_index, sizeof(bits));
    return bits % COMMIT_QUEUE_SLOTS;
}

static void add_free(struct commit_queue *queue, int32_t count)
{
    if (queue->free_count == 0 && count > 0)
        queue->free_since_us = clock_monotonic_us();
    queue->free_count += count;
}

static void hold(struct commit_queue *queue, int32_t taker, uint16_t slot)
{
    struct commit_queue_taker *self = &queue->takers[taker];
    if (queue->slots[slot].held++ == 0) {
        queue->slots[slot].taker = (int16_t)taker;
        add_free(queue, -queue->slots[slot].waiting);
    }
    CHECK(self->slot_count < BATCH_MAX);
    self->slots[self->slot_count++] = slot;
    queue->taken_count++;
}

static void release(struct commit_queue *queue, uint16_t slot)
{
    CHECK(queue->slots[slot].held > 0);
    queue->taken_count--;
    if (--queue->slots[slot].held == 0)
        add_free(queue, queue->slots[slot].waiting);
}

/* --- who begins --- */

static int32_t worth(const struct commit_queue *queue)
{
    int32_t half = queue->usual_sum / COMMIT_QUEUE_USUAL_BATCHES / 2;
    if (half < COMMIT_QUEUE_WORTH_MIN)
        return COMMIT_QUEUE_WORTH_MIN;
    return half < COMMIT_QUEUE_WORTH ? half : COMMIT_QUEUE_WORTH;
}

bool commit_queue_is_worth_it(const struct commit_queue *queue)
{
    return queue->free_count > 0 &&
           (queue->busy_count == 0 || queue->is_closed || queue->free_count >= worth(queue));
}

int64_t commit_queue_wait_us(const struct commit_queue *queue)
{
    int64_t wait_us = COMMIT_QUEUE_WAIT_FETCHES * queue->fetch_us;
    if (wait_us < COMMIT_QUEUE_WAIT_MIN_US)
        return COMMIT_QUEUE_WAIT_MIN_US;
    return clock_sooner_us(wait_us, COMMIT_QUEUE_WAIT_MAX_US);
}

static int64_t watch_until_us(const struct commit_queue *queue)
{
    return queue->free_since_us + commit_queue_wait_us(queue);
}

static bool may_take_commands(const struct commit_queue *queue)
{
    return commit_queue_is_worth_it(queue) ||
           (queue->free_count > 0 && clock_monotonic_us() >= watch_until_us(queue));
}

static void wake(struct commit_queue *queue, int32_t taker)
{
    queue->takers[taker].is_idle = false;
    pthread_cond_signal(&queue->takers[taker].called);
}

/* The last that is idle: the first one has the tasks. */
static int32_t find_idle(const struct commit_queue *queue)
{
    int32_t taker = queue->taker_count - 1;
    while (taker >= 0 && !queue->takers[taker].is_idle)
        taker--;
    return taker;
}

/* After every change: is there work for a taker that sleeps? Waking costs a system call, and is
 * done once for many commands. */
static void call(struct commit_queue *queue)
{
    if (queue->task_count > 0 && queue->takers[0].is_idle)
        wake(queue, 0);
    if (queue->free_count == 0)
        return;
    if (queue->called == COMMIT_QUEUE_NOBODY) {
        int32_t taker = find_idle(queue);
        if (taker < 0)
            return;
        queue->called = taker;
        wake(queue, taker);
    } else if (queue->is_watching && commit_queue_is_worth_it(queue)) {
        queue->is_watching = false;
        wake(queue, queue->called);
    }
}

static void watch(struct commit_queue *queue, struct commit_queue_taker *self)
{
    int64_t until_us = watch_until_us(queue);
    const struct timespec until = {.tv_sec = until_us / CLOCK_US_PER_S,
                                   .tv_nsec = until_us % CLOCK_US_PER_S * 1000};
    queue->is_watching = true;
    pthread_cond_timedwait(&self->called, &queue->mutex, &until);
    queue->is_watching = false;
}

static void wait_for_work(struct commit_queue *queue, int32_t taker)
{
    struct commit_queue_taker *self = &queue->takers[taker];
    if (queue->free_count > 0 && queue->called == COMMIT_QUEUE_NOBODY)
        queue->called = taker;
    if (queue->free_count > 0 && queue->called == taker) {
        watch(queue, self);
        return;
    }
    if (queue->called == taker)
        queue->called = COMMIT_QUEUE_NOBODY;
    self->is_idle = true;
    pthread_cond_wait(&self->called, &queue->mutex);
    self->is_idle = false;
}

/* --- the list --- */

static void append(struct commit_queue *queue, struct job *job)
{
    job->next = NULL;
    *queue->end = job;
    queue->end = &job->next;
    queue->depth++;
    if (job->task != NULL) {
        queue->task_count++;
        return;
    }
    uint16_t slot = slot_of(job);
    queue->slots[slot].waiting++;
    if (queue->slots[slot].held == 0)
        add_free(queue, 1);
}

static void prepend(struct commit_queue *queue, struct job *job)
{
    uint16_t slot = slot_of(job);
    CHECK(queue->slots[slot].held > 0);
    queue->slots[slot].waiting++;
    job->next = queue->oldest;
    if (queue->oldest == NULL)
        queue->end = &job->next;
    queue->oldest = job;
    queue->depth++;
}

void commit_queue_put_back(struct commit_queue *queue, struct job *const jobs[], int32_t count)
{
    pthread_mutex_lock(&queue->mutex);
    for (int32_t i = count - 1; i >= 0; i--)
        prepend(queue, jobs[i]);
    pthread_mutex_unlock(&queue->mutex);
}

int commit_queue_push(struct commit_queue *queue, struct job *job)
{
    int err = 0;
    pthread_mutex_lock(&queue->mutex);
    if (queue->is_closed)
        err = ERR_SHUTTING_DOWN;
    else if (queue->depth >= queue->depth_max)
        err = ERR_QUEUE_FULL;
    if (err == 0) {
        append(queue, job);
        call(queue);
    }
    pthread_mutex_unlock(&queue->mutex);
    return err;
}

static void forget(struct commit_queue *queue, const struct job *job)
{
    queue->depth--;
    if (job->task != NULL) {
        queue->task_count--;
        return;
    }
    uint16_t slot = slot_of(job);
    queue->slots[slot].waiting--;
    if (queue->slots[slot].held == 0)
        add_free(queue, -1);
}

static struct job *cut_cancelled(struct commit_queue *queue)
{
    struct job *first = NULL, **last = &first, **place = &queue->oldest;
    while (*place != NULL) {
        struct job *job = *place;
        if (atomic_load(&job->state) != JOB_CANCELLED) {
            place = &job->next;
            continue;
        }
        forget(queue, job);
        *place = job->next;
        job->next = NULL;
        *last = job;
        last = &job->next;
    }
    queue->end = place;
    return first;
}

struct job *commit_queue_drop_cancelled(struct commit_queue *queue)
{
    struct job *dropped = NULL;
    pthread_mutex_lock(&queue->mutex);
    int64_t now_us = clock_monotonic_us();
    if (now_us - queue->dropped_at_us >= COMMIT_QUEUE_DROP_EVERY_US) {
        queue->dropped_at_us = now_us;
        dropped = cut_cancelled(queue);
    }
    pthread_mutex_unlock(&queue->mutex);
    return dropped;
}

enum wanted {
    WANTED_TASKS,
    WANTED_OF_CARDS_IT_HAS,
    WANTED_ALL,
};

/* What of a card is older was taken before it or by the same taker, so there is nothing that a
 * command could overtake. */
static bool take_command(struct commit_queue *queue, int32_t taker, const struct job *job,
                         enum wanted wanted)
{
    uint16_t slot = slot_of(job);
    bool is_free = queue->slots[slot].held == 0;
    bool is_takers = !is_free && queue->slots[slot].taker == taker;
    if (!is_takers && (!is_free || wanted != WANTED_ALL))
        return false;
    hold(queue, taker, slot);
    queue->slots[slot].waiting--;
    return true;
}

static bool take_task(struct commit_queue *queue, int32_t taker, enum wanted wanted)
{
    bool is_taken = taker == 0 && wanted != WANTED_OF_CARDS_IT_HAS;
    queue->task_count -= is_taken;
    return is_taken;
}

static bool take_job(struct commit_queue *queue, int32_t taker, const struct job *job,
                     enum wanted wanted)
{
    if (job->task != NULL)
        return take_task(queue, taker, wanted);
    return wanted != WANTED_TASKS && take_command(queue, taker, job, wanted);
}

static struct job *cut(struct commit_queue *queue, int32_t taker, int32_t count_max,
                       enum wanted wanted)
{
    struct job *first = NULL, **last = &first, **place = &queue->oldest;
    bool is_last = false;
    for (int32_t count = 0; *place != NULL && count < count_max && !is_last;) {
        struct job *job = *place;
        if (!take_job(queue, taker, job, wanted)) {
            place = &job->next;
            continue;
        }
        is_last = job->task != NULL && !job->joins;
        *place = job->next;
        if (job->next == NULL)
            queue->end = place;
        job->next = NULL;
        *last = job;
        last = &job->next;
        queue->depth--;
        count++;
    }
    return first;
}

/* Whoever waits or is being decided on, before a batch begins. */
static void note_under_way(struct commit_queue *queue)
{
    int32_t under_way = queue->depth - queue->task_count + queue->taken_count;
    queue->usual_sum += under_way - queue->usual_sum / COMMIT_QUEUE_USUAL_BATCHES;
}

static void finish_taken(struct commit_queue *queue, struct commit_queue_taker *self)
{
    queue->busy_count -= self->slot_count > 0;
    for (int32_t i = 0; i < self->slot_count; i++)
        release(queue, self->slots[i]);
    self->slot_count = 0;
}

struct job *commit_queue_take(struct commit_queue *queue, int32_t taker, int32_t count_max)
{
    struct commit_queue_taker *self = &queue->takers[taker];
    struct job *taken = NULL;
    pthread_mutex_lock(&queue->mutex);
    finish_taken(queue, self);
    bool takes_commands = may_take_commands(queue);
    bool takes_tasks = taker == 0 && queue->task_count > 0;
    while (!takes_commands && !takes_tasks && !queue->is_closed) {
        wait_for_work(queue, taker);
        takes_commands = may_take_commands(queue);
        takes_tasks = taker == 0 && queue->task_count > 0;
    }
    if (takes_commands)
        note_under_way(queue);
    if (takes_commands || takes_tasks)
        taken = cut(queue, taker, count_max, takes_commands ? WANTED_ALL : WANTED_TASKS);
    queue->busy_count += self->slot_count > 0;
    if (queue->called == taker)
        queue->called = COMMIT_QUEUE_NOBODY;
    call(queue);
    pthread_mutex_unlock(&queue->mutex);
    return taken;
}

void commit_queue_keep(struct commit_queue *queue, int32_t taker, struct job *const jobs[],
                       int32_t count)
{
    struct commit_queue_taker *self = &queue->takers[taker];
    pthread_mutex_lock(&queue->mutex);
    int32_t had_count = self->slot_count;
    uint16_t had[BATCH_MAX];
    memcpy(had, self->slots, (size_t)had_count * sizeof(had[0]));
    self->slot_count = 0;
    for (int32_t i = 0; i < count; i++)
        hold(queue, taker, slot_of(jobs[i]));
    for (int32_t i = 0; i < had_count; i++)
        release(queue, had[i]);
    queue->busy_count -= had_count > 0 && count == 0;
    call(queue);
    pthread_mutex_unlock(&queue->mutex);
}

struct job *commit_queue_take_more(struct commit_queue *queue, int32_t taker, int32_t count_max)
{
    pthread_mutex_lock(&queue->mutex);
    struct job *taken = cut(queue, taker, count_max, WANTED_OF_CARDS_IT_HAS);
    pthread_mutex_unlock(&queue->mutex);
    return taken;
}

/* Half of what is told is from the last five or six. */
void commit_queue_note_fetch(struct commit_queue *queue, int64_t fetch_us)
{
    pthread_mutex_lock(&queue->mutex);
    queue->fetch_us += (fetch_us - queue->fetch_us) / 8;
    pthread_mutex_unlock(&queue->mutex);
}

void commit_queue_close(struct commit_queue *queue)
{
    pthread_mutex_lock(&queue->mutex);
    queue->is_closed = true;
    for (int32_t i = 0; i < queue->taker_count; i++)
        wake(queue, i);
    pthread_mutex_unlock(&queue->mutex);
}

int32_t commit_queue_depth(struct commit_queue *queue)
{
    pthread_mutex_lock(&queue->mutex);
    int32_t depth = queue->depth;
    pthread_mutex_unlock(&queue->mutex);
    return depth;
}
