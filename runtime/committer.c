/* Group commit: the threads that decide and commit, each with a connection, and beside them the one
 * that moves the log into the database. */
#include "runtime/committer.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "runtime/commit_queue.h"
#include "runtime/queue.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/banned.h"

/* How often the checkpoint thread looks: at a write-ahead log of up to some 100 MB/s it then has at
 * most some 10 MB to move, and an idle service wakes 10 times a second for nothing but a
 * comparison. */
#define CHECKPOINT_PERIOD_US (INT64_C(100) * 1000)
/* Between two attempts to settle a commit whose outcome is unknown. */
#define SETTLE_PAUSE_US (INT64_C(100) * 1000)

/* A batch is not begun again later than this after its first time: the tills wait 4 s in all, and
 * one more run may wait as long as a lock does (1.5 s). */
#define RERUN_WITHIN_US (INT64_C(2) * CLOCK_US_PER_S)

/* A command whose card another process holds comes again with the next batch so often: that one is
 * made anyway. Then a transaction of its own waits for the card. Of two processes with cards by
 * Zipf's law every second batch finds such a card; where each of them is waited for at once, a
 * third of all transactions does nothing else, and after so many one in sixteen. */
#define SKIPS_MAX 3

struct worker {
    struct committer *committer;
    struct store *store;
    int32_t index; /* as a taker of the queue */
    struct batch *batch;
    struct job *jobs[BATCH_MAX]; /* of the batch, same index as its commands */
    struct job *joined;          /* tasks that will share a transaction, oldest first */
    struct job **joined_end;
    pthread_t thread;
    bool has_thread;
};

struct committer {
    struct committer_config config;
    struct commit_queue queue;
    struct worker *workers; /* tasks are the first one's */
    int32_t worker_count;
    /* Stopped while a commit's outcome was unknown: no decision after it. Told before the cards of
     * that commit are anybody's again. */
    _Atomic bool is_unsettled;
    pthread_t checkpoint_thread;
    bool has_checkpoint_thread;
    bool is_joined;        /* the threads have ended */
    pthread_mutex_t mutex; /* guards what is below */
    pthread_cond_t stopping;
    bool is_stopping;
    int32_t settling_count; /* workers whose last commit is unknown: its cards wait */
    struct committer_counters counters;
};

static void histogram_add(uint64_t histogram[COMMITTER_HISTOGRAM], int64_t value, int64_t unit)
{
    int bucket = 0;
    while (bucket < COMMITTER_HISTOGRAM - 1 && value > unit << bucket)
        bucket++;
    histogram[bucket]++;
}

static int32_t count_decided(const struct batch *batch)
{
    int32_t count = 0;
    for (int32_t i = 0; i < batch->count; i++)
        count += !batch->is_skipped[i];
    return count;
}

static void count_batch(struct worker *worker, int err, int64_t commit_us)
{
    struct committer *committer = worker->committer;
    int32_t size = count_decided(worker->batch);
    bool has_written = err == 0 && batch_has_changes(worker->batch);
    pthread_mutex_lock(&committer->mutex);
    struct committer_counters *counters = &committer->counters;
    /* A full disk still lets us say no to unknown cards: only a commit that wrote proves health. */
    counters->is_healthy = has_written || (counters->is_healthy && err == 0);
    counters->batches++;
    counters->commands += (uint64_t)size;
    counters->rollbacks += err != 0;
    counters->batch_size_sum += (uint64_t)size;
    counters->commit_time_us_sum += (uint64_t)commit_us;
    histogram_add(counters->batch_size, size, 1);
    histogram_add(counters->commit_time, commit_us, 64);
    pthread_mutex_unlock(&committer->mutex);
}

/* Sleeps, or less when the committer is to stop. true: it is to stop. */
static bool committer_wait(struct committer *committer, int64_t pause_us)
{
    int64_t until_us = clock_monotonic_us() + pause_us;
    struct timespec until = {.tv_sec = until_us / CLOCK_US_PER_S,
                             .tv_nsec = until_us % CLOCK_US_PER_S * 1000};
    pthread_mutex_lock(&committer->mutex);
    int woken = 0;
    while (!committer->is_stopping && woken == 0)
        woken = pthread_cond_timedwait(&committer->stopping, &committer->mutex, &until);
    bool is_stopping = committer->is_stopping;
    pthread_mutex_unlock(&committer->mutex);
    return is_stopping;
}

/*
 * The COMMIT failed and nobody knows what is on the disk. Nothing else is decided until we do: a
 * second attempt on the same identity must not run beside a first one that may yet appear. The
 * tills are answered "not confirmed" by their loops' timers meanwhile.
 */
static int worker_settle(struct worker *worker)
{
    struct committer *committer = worker->committer;
    log_event(LOG_ERROR, "commit_unknown", LOG_INT("commands", worker->batch->count));
    pthread_mutex_lock(&committer->mutex);
    committer->counters.unknown_commits++;
    committer->counters.is_healthy = false;
    committer->settling_count++;
    pthread_mutex_unlock(&committer->mutex);
    bool happened;
    while (store_settle(worker->store, worker->batch, &happened) != 0) {
        if (committer_wait(committer, SETTLE_PAUSE_US)) {
            committer->is_unsettled = true;
            return ERR_UNCONFIRMED;
        }
    }
    pthread_mutex_lock(&committer->mutex);
    committer->settling_count--;
    pthread_mutex_unlock(&committer->mutex);
    log_event(LOG_WARNING, "commit_settled", LOG_BOOL("happened", happened));
    return happened ? 0 : ERR_STORE_DOWN;
}

static int worker_decide(struct worker *worker, int64_t *commit_us)
{
    struct batch *batch = worker->batch;
    int64_t began_us = clock_monotonic_us();
    int err = store_fetch(worker->store, batch);
    if (err != 0)
        return err;
    if (batch->may_skip) /* and waits for no card, so that its time is the processor's */
        commit_queue_note_fetch(&worker->committer->queue, clock_monotonic_us() - began_us);
    batch_decide(batch, clock_steady_us());
    began_us = clock_monotonic_us();
    err = store_commit(worker->store, batch);
    *commit_us = clock_monotonic_us() - began_us;
    return err;
}

/* A row that another process has just made is in the way of one like it: of a batch of several, all
 * are run again alone. */
static bool was_in_the_way(const struct batch *batch, int err)
{
    return err == ERR_STORE_BUSY || (err == ERR_STORE_CONSTRAINT && batch->count == 1);
}

/* Another process that went first is no reason to say no: what it left is decided on anew. */
static int worker_decide_again(struct worker *worker, int64_t *commit_us)
{
    int32_t reruns = store_reruns_max(worker->store);
    int64_t until_us = clock_monotonic_us() + RERUN_WITHIN_US;
    int err = worker_decide(worker, commit_us);
    while (was_in_the_way(worker->batch, err) && reruns > 0 && clock_monotonic_us() < until_us) {
        reruns--;
        batch_rewind(worker->batch);
        err = worker_decide(worker, commit_us);
    }
    return err;
}

static int worker_transact(struct worker *worker)
{
    int64_t commit_us = 0;
    int err = worker_decide_again(worker, &commit_us);
    if (err == ERR_COMMIT_UNKNOWN && !batch_has_changes(worker->batch))
        err = ERR_UNCONFIRMED; /* it repeats what may not stay; nothing of its own may appear */
    else if (err == ERR_COMMIT_UNKNOWN)
        err = worker_settle(worker);
    count_batch(worker, err, commit_us);
    return err;
}

/* Cards that may answer look-ups from now on. Unsold stock must look like an unknown number, in
 * time too. */
static void worker_warm(struct worker *worker, int64_t read_at_us)
{
    const struct view *view = &worker->batch->view;
    if (worker->committer->config.hot == NULL)
        return;
    for (int32_t i = 0; i < view->card_count; i++) {
        const struct view_card *each = &view->cards[i];
        if ((each->is_new || each->is_changed) && each->card.status != CARD_STOCK)
            hot_put(worker->committer->config.hot, &each->card, read_at_us);
    }
}

static void worker_end_batch(struct worker *worker, int err)
{
    struct batch *batch = worker->batch;
    if (err != 0)
        log_event(LOG_ERROR, "batch_failed", LOG_TEXT("error", error_name(err)),
                  LOG_INT("commands", batch->count));
    int32_t kept = 0;
    for (int32_t i = 0; i < batch->count; i++) {
        struct job *job = worker->jobs[i];
        if (err == 0 && batch->is_skipped[i]) {
            worker->jobs[kept++] = job;
            continue;
        }
        if (err == 0)
            job->outcome = batch->outcomes[i];
        job_end(job, err);
    }
    if (err == 0)
        CHECK(batch_keep_skipped(batch) == kept);
    else
        batch_clear(batch);
}

static int worker_commit_batch(struct worker *worker)
{
    if (worker->committer->is_unsettled)
        return ERR_STORE_DOWN; /* an earlier commit may yet appear: nothing is decided beside it */
    int64_t read_at_us = clock_monotonic_us();
    int err = worker_transact(worker);
    if (err == 0)
        worker_warm(worker, read_at_us);
    return err;
}

/* A law of the schema refused the batch, which is a bug of one command at most; or one is of a
 * tenant that has just been closed: the others must not pay for it. */
static void worker_commit_one_by_one(struct worker *worker)
{
    struct batch *batch = worker->batch;
    struct job *jobs[BATCH_MAX];
    int32_t count = batch->count;
    for (int32_t i = 0; i < count; i++)
        jobs[i] = worker->jobs[i];
    for (int32_t i = 0; i < count; i++) {
        batch_clear(batch);
        batch_add(batch, &jobs[i]->command);
        worker->jobs[0] = jobs[i];
        worker_end_batch(worker, worker_commit_batch(worker));
    }
}

static void worker_flush_batch(struct worker *worker)
{
    int err = worker_commit_batch(worker);
    if ((err == ERR_STORE_CONSTRAINT || err == ERR_ELSEWHERE) && worker->batch->count > 1)
        worker_commit_one_by_one(worker);
    else
        worker_end_batch(worker, err);
}

/* The cards of commands that were answered are free for whoever comes first; of others only what is
 * in the batch is waited for. */
static void worker_keep(struct worker *worker)
{
    commit_queue_keep(&worker->committer->queue, worker->index, worker->jobs, worker->batch->count);
}

/* One that was put back is taken already; with as little time left as job_take asks for it never
 * ran and never will, either. */
static bool take_again(struct job *job, int64_t now_us)
{
    bool is_in_time = job->deadline_us - now_us >= JOB_RESERVE_US;
    if (!is_in_time)
        job_end(job, ERR_CANCELLED);
    return is_in_time;
}

static bool take_first(struct job *job, int64_t now_us)
{
    bool is_taken = job_take(job, now_us);
    if (is_taken)
        job->skipped_count = 0;
    return is_taken;
}

/* true: it is the caller's, until job_end. */
static bool committer_take_job(struct committer *committer, struct job *job)
{
    int64_t now_us = clock_monotonic_us();
    bool was_taken = atomic_load(&job->state) == JOB_TAKEN;
    if (was_taken ? take_again(job, now_us) : take_first(job, now_us))
        return true;
    pthread_mutex_lock(&committer->mutex);
    committer->counters.cancelled++;
    pthread_mutex_unlock(&committer->mutex);
    return false;
}

static void worker_add_command(struct worker *worker, struct job *job)
{
    worker->jobs[worker->batch->count] = job;
    batch_add(worker->batch, &job->command);
}

/* What has come meanwhile of the cards that the batch has would wait for it anyway. */
static void worker_add_more(struct worker *worker)
{
    struct committer *committer = worker->committer;
    int32_t count_max = committer->config.batch_max - worker->batch->count;
    struct job *list = commit_queue_take_more(&committer->queue, worker->index, count_max);
    while (list != NULL) {
        struct job *job = list;
        list = job->next; /* before the job may be gone */
        if (committer_take_job(worker->committer, job))
            worker_add_command(worker, job);
    }
}

/* What was skipped waits for the next batch, with whatever is of its card; but what was skipped too
 * often stays. */
static void worker_put_back(struct worker *worker)
{
    struct batch *batch = worker->batch;
    struct job *skipped[BATCH_MAX], *back[BATCH_MAX];
    int32_t skipped_count = batch->count, back_count = 0;
    memcpy(skipped, worker->jobs, (size_t)skipped_count * sizeof(skipped[0]));
    batch_clear(batch);
    for (int32_t i = 0; i < skipped_count; i++) {
        if (skipped[i]->skipped_count++ < SKIPS_MAX)
            back[back_count++] = skipped[i];
        else
            worker_add_command(worker, skipped[i]);
    }
    commit_queue_put_back(&worker->committer->queue, back, back_count);
}

/* One alone waits for its card, and so do several of which each was skipped before: another
 * transaction without them would be for nothing. */
static bool may_skip(const struct worker *worker)
{
    bool has_new = false;
    for (int32_t i = 0; i < worker->batch->count; i++)
        has_new |= worker->jobs[i]->skipped_count == 0;
    return has_new && worker->batch->count > 1;
}

/* Without the cards that another process holds, so that the others need not wait for it; then those
 * which were skipped often enough, and these wait. */
static void worker_flush(struct worker *worker)
{
    worker->batch->may_skip = may_skip(worker);
    while (worker->batch->count > 0) {
        worker_flush_batch(worker);
        worker_put_back(worker);
        if (worker->batch->count > 0) {
            worker_keep(worker);
            worker_add_more(worker);
        }
    }
}

static bool is_stores(int err)
{
    return err == ERR_STORE_BUSY || err == ERR_STORE_FULL || err == ERR_STORE_CORRUPT ||
           err == ERR_STORE_DOWN || err == ERR_COMMIT_UNKNOWN;
}

/*
 * What tasks show of the store. Many find nothing to write, and what others write is small enough
 * for the last room of a full disk: that they work says nothing about a charge. So it is the probe
 * that tells when a store that was ill is well again. commit_us 0: how long it took says nothing
 * about the disk.
 */
static void note_tasks(struct worker *worker, int err, int64_t commit_us)
{
    struct committer *committer = worker->committer;
    pthread_mutex_lock(&committer->mutex);
    bool was_healthy = committer->counters.is_healthy;
    pthread_mutex_unlock(&committer->mutex);
    if (err == 0 && !was_healthy)
        err = store_ping(worker->store);
    pthread_mutex_lock(&committer->mutex);
    committer->counters.task_commits++;
    if (commit_us > 0) {
        committer->counters.commit_time_us_sum += (uint64_t)commit_us;
        histogram_add(committer->counters.commit_time, commit_us, 64);
    }
    if (err == 0)
        committer->counters.is_healthy = true;
    else if (is_stores(err))
        committer->counters.is_healthy = false;
    pthread_mutex_unlock(&committer->mutex);
}

static void worker_run_task(struct worker *worker, struct job *job)
{
    worker_keep(worker);
    int err = worker->committer->is_unsettled ? ERR_STORE_DOWN : job->task(job, worker->store);
    note_tasks(worker, err, 0);
    job_end(job, err);
}

/* One flush pays for all of them, as it does for commands. */
static int worker_transact_joined(struct worker *worker, int64_t *commit_us)
{
    struct store *store = worker->store;
    if (worker->committer->is_unsettled)
        return ERR_STORE_DOWN;
    int err = store_begin_group(store);
    if (err != 0)
        return err;
    for (struct job *job = worker->joined; job != NULL; job = job->next)
        job->error = job->task(job, store);
    int64_t began_us = clock_monotonic_us();
    err = store_commit_group(store);
    *commit_us = err == 0 ? clock_monotonic_us() - began_us : 0;
    return err;
}

/* Of what each was told, what the store is to blame for. */
static int find_store_error(const struct job *job)
{
    while (job != NULL && !is_stores(job->error))
        job = job->next;
    return job == NULL ? 0 : job->error;
}

/* A group for one alone, too: it may make many changes, and cashiers wait for each flush. */
static void worker_flush_joined(struct worker *worker)
{
    struct job *job = worker->joined;
    if (job == NULL)
        return;
    worker_keep(worker);
    int64_t commit_us = 0;
    int err = worker_transact_joined(worker, &commit_us);
    note_tasks(worker, err != 0 ? err : find_store_error(job), commit_us);
    while (job != NULL) {
        struct job *next = job->next; /* before the job may be gone */
        job_end(job, err != 0 ? err : job->error);
        job = next;
    }
    worker->joined = NULL;
    worker->joined_end = &worker->joined;
}

static void worker_join(struct worker *worker, struct job *job)
{
    job->next = NULL;
    *worker->joined_end = job;
    worker->joined_end = &job->next;
}

/* What waited at the same time has no order among itself; a task that does not join is the last of
 * what was taken, and runs after it. */
static void worker_add(struct worker *worker, struct job *job)
{
    if (!committer_take_job(worker->committer, job))
        return;
    if (job->task == NULL) {
        worker_add_command(worker, job);
    } else if (job->joins) {
        worker_join(worker, job);
    } else {
        worker_flush(worker);
        worker_flush_joined(worker);
        worker_run_task(worker, job);
    }
}

static void *worker_run(void *argument)
{
    struct worker *worker = argument;
    struct job *list;
    while ((list = commit_queue_take(&worker->committer->queue, worker->index,
                                     worker->committer->config.batch_max)) != NULL) {
        while (list != NULL) {
            struct job *job = list;
            list = job->next; /* before the job may be gone */
            worker_add(worker, job);
        }
        worker_flush(worker);
        worker_flush_joined(worker);
    }
    return NULL;
}

static void *checkpoint_run(void *argument)
{
    struct committer *committer = argument;
    uint64_t commits_seen = 0;
    while (!committer_wait(committer, CHECKPOINT_PERIOD_US)) {
        struct committer_counters counters;
        committer_read_counters(committer, &counters);
        uint64_t commits = counters.batches + counters.task_commits;
        if (commits == commits_seen)
            continue;
        commits_seen = commits;
        int err = store_checkpoint(committer->config.checkpoint_store);
        if (err != 0)
            log_event(LOG_WARNING, "checkpoint_failed", LOG_TEXT("error", error_name(err)));
    }
    return NULL;
}

/* --- all of them --- */

static int committer_start_threads(struct committer *committer)
{
    for (int32_t i = 0; i < committer->worker_count; i++) {
        struct worker *worker = &committer->workers[i];
        if (pthread_create(&worker->thread, NULL, worker_run, worker) != 0)
            return ERR_NO_MEMORY;
        worker->has_thread = true;
    }
    if (committer->config.checkpoint_store == NULL)
        return 0;
    if (pthread_create(&committer->checkpoint_thread, NULL, checkpoint_run, committer) != 0)
        return ERR_NO_MEMORY;
    committer->has_checkpoint_thread = true;
    return 0;
}

static void committer_init_locks(struct committer *committer)
{
    pthread_condattr_t attributes;
    CHECK(pthread_condattr_init(&attributes) == 0);
    CHECK(pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0);
    CHECK(pthread_cond_init(&committer->stopping, &attributes) == 0);
    pthread_condattr_destroy(&attributes);
    CHECK(pthread_mutex_init(&committer->mutex, NULL) == 0);
}

static void committer_free(struct committer *committer)
{
    for (int32_t i = 0; i < committer->worker_count; i++)
        batch_destroy(committer->workers[i].batch);
    commit_queue_finish(&committer->queue);
    pthread_cond_destroy(&committer->stopping);
    pthread_mutex_destroy(&committer->mutex);
    free(committer->workers);
    free(committer);
}

static int committer_add_worker(struct committer *committer, struct store *store)
{
    struct worker *worker = &committer->workers[committer->worker_count];
    worker->committer = committer;
    worker->store = store;
    worker->joined_end = &worker->joined;
    worker->batch = batch_create();
    if (worker->batch == NULL)
        return ERR_NO_MEMORY;
    worker->index = committer->worker_count++;
    return 0;
}

static int committer_add_workers(struct committer *committer, int32_t count)
{
    int err = 0;
    committer->workers = calloc((size_t)count, sizeof(*committer->workers));
    if (committer->workers == NULL)
        return ERR_NO_MEMORY;
    for (int32_t i = 0; err == 0 && i < count; i++)
        err = committer_add_worker(committer, committer->config.stores[i]);
    return err;
}

static int32_t count_stores(const struct committer_config *config)
{
    int32_t count = 0;
    while (count < COMMITTER_STORES_MAX && config->stores[count] != NULL)
        count++;
    return count;
}

int committer_create(const struct committer_config *config, struct committer **committer)
{
    CHECK(config->batch_max >= 1 && config->batch_max <= BATCH_MAX && config->stores[0] != NULL);
    struct committer *made = calloc(1, sizeof(*made));
    if (made == NULL)
        return ERR_NO_MEMORY;
    made->config = *config;
    made->counters.is_healthy = true;
    committer_init_locks(made);
    int32_t count = count_stores(config);
    commit_queue_init(&made->queue, COMMITTER_QUEUE_MAX, count);
    int err = committer_add_workers(made, count);
    if (err == 0)
        err = committer_start_threads(made);
    if (err != 0) {
        committer_destroy(made);
        return err;
    }
    *committer = made;
    return 0;
}

void committer_stop(struct committer *committer)
{
    if (committer == NULL || committer->is_joined)
        return;
    commit_queue_close(&committer->queue);
    pthread_mutex_lock(&committer->mutex);
    committer->is_stopping = true;
    pthread_cond_broadcast(&committer->stopping);
    pthread_mutex_unlock(&committer->mutex);
    for (int32_t i = 0; i < committer->worker_count; i++)
        if (committer->workers[i].has_thread)
            pthread_join(committer->workers[i].thread, NULL);
    if (committer->has_checkpoint_thread)
        pthread_join(committer->checkpoint_thread, NULL);
    committer->is_joined = true;
}

void committer_destroy(struct committer *committer)
{
    if (committer == NULL)
        return;
    committer_stop(committer);
    committer_free(committer);
}

/* On the thread of whoever submits: its till is answered, and the room is another's. */
static bool committer_make_room(struct committer *committer)
{
    struct job *list = commit_queue_drop_cancelled(&committer->queue);
    bool has_room = list != NULL;
    while (list != NULL) {
        struct job *job = list;
        list = job->next; /* before the job may be gone */
        CHECK(!committer_take_job(committer, job));
    }
    return has_room;
}

int committer_submit(struct committer *committer, struct job *job)
{
    if (job->task == NULL) /* before it is another thread's */
        store_foresee(committer->config.stores[0], &job->command);
    int err = commit_queue_push(&committer->queue, job);
    if (err == ERR_QUEUE_FULL && committer_make_room(committer))
        err = commit_queue_push(&committer->queue, job);
    return err;
}

void committer_read_counters(struct committer *committer, struct committer_counters *counters)
{
    pthread_mutex_lock(&committer->mutex);
    *counters = committer->counters;
    counters->is_healthy = counters->is_healthy && committer->settling_count == 0;
    pthread_mutex_unlock(&committer->mutex);
    counters->queue_depth = commit_queue_depth(&committer->queue);
}
