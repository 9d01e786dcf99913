/* Group commit: the threads that decide and commit, each for its share of the cards, and beside
 * the one that moves the log into the database. */
#include "runtime/committer.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
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

/* A share of the cards: nothing of one card overtakes itself, and no two shards wait for each other
 * where the store locks rows. */
struct shard {
    struct committer *committer;
    struct store *store;
    struct queue queue;
    struct batch *batch;
    struct job *jobs[BATCH_MAX]; /* of the batch, same index as its commands */
    struct job *joined;          /* tasks that will share a transaction, oldest first */
    struct job **joined_end;
    bool is_unsettled; /* stopped while a commit's outcome was unknown: no decision after it */
    pthread_t thread;
    bool has_thread;
};

struct committer {
    struct committer_config config;
    struct shard *shards; /* tasks are the first one's */
    int32_t shard_count;
    pthread_t checkpoint_thread;
    bool has_checkpoint_thread;
    bool is_joined;        /* the threads have ended */
    pthread_mutex_t mutex; /* guards what is below */
    pthread_cond_t stopping;
    bool is_stopping;
    int32_t settling_count; /* shares whose last commit is unknown: their cards are refused */
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

static void count_batch(struct shard *shard, int err, int64_t commit_us)
{
    struct committer *committer = shard->committer;
    int32_t size = count_decided(shard->batch);
    bool has_written = err == 0 && batch_has_changes(shard->batch);
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
static int shard_settle(struct shard *shard)
{
    struct committer *committer = shard->committer;
    log_event(LOG_ERROR, "commit_unknown", LOG_INT("commands", shard->batch->count));
    pthread_mutex_lock(&committer->mutex);
    committer->counters.unknown_commits++;
    committer->counters.is_healthy = false;
    committer->settling_count++;
    pthread_mutex_unlock(&committer->mutex);
    bool happened;
    while (store_settle(shard->store, shard->batch, &happened) != 0) {
        if (committer_wait(committer, SETTLE_PAUSE_US)) {
            shard->is_unsettled = true;
            return ERR_UNCONFIRMED;
        }
    }
    pthread_mutex_lock(&committer->mutex);
    committer->settling_count--;
    pthread_mutex_unlock(&committer->mutex);
    log_event(LOG_WARNING, "commit_settled", LOG_BOOL("happened", happened));
    return happened ? 0 : ERR_STORE_DOWN;
}

static int shard_decide(struct shard *shard, int64_t *commit_us)
{
    struct batch *batch = shard->batch;
    int err = store_fetch(shard->store, batch);
    if (err != 0)
        return err;
    batch_decide(batch, clock_steady_us());
    int64_t began_us = clock_monotonic_us();
    err = store_commit(shard->store, batch);
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
static int shard_decide_again(struct shard *shard, int64_t *commit_us)
{
    int32_t reruns = store_reruns_max(shard->store);
    int64_t until_us = clock_monotonic_us() + RERUN_WITHIN_US;
    int err = shard_decide(shard, commit_us);
    while (was_in_the_way(shard->batch, err) && reruns > 0 && clock_monotonic_us() < until_us) {
        reruns--;
        batch_rewind(shard->batch);
        err = shard_decide(shard, commit_us);
    }
    return err;
}

static int shard_transact(struct shard *shard)
{
    int64_t commit_us = 0;
    int err = shard_decide_again(shard, &commit_us);
    if (err == ERR_COMMIT_UNKNOWN && !batch_has_changes(shard->batch))
        err = ERR_UNCONFIRMED; /* it repeats what may not stay; nothing of its own may appear */
    else if (err == ERR_COMMIT_UNKNOWN)
        err = shard_settle(shard);
    count_batch(shard, err, commit_us);
    return err;
}

/* Cards that may answer look-ups from now on. Unsold stock must look like an unknown number, in
 * time too. */
static void shard_warm(struct shard *shard, int64_t read_at_us)
{
    const struct view *view = &shard->batch->view;
    if (shard->committer->config.hot == NULL)
        return;
    for (int32_t i = 0; i < view->card_count; i++) {
        const struct view_card *each = &view->cards[i];
        if ((each->is_new || each->is_changed) && each->card.status != CARD_STOCK)
            hot_put(shard->committer->config.hot, &each->card, read_at_us);
    }
}

static void shard_end_batch(struct shard *shard, int err)
{
    struct batch *batch = shard->batch;
    if (err != 0)
        log_event(LOG_ERROR, "batch_failed", LOG_TEXT("error", error_name(err)),
                  LOG_INT("commands", batch->count));
    int32_t kept = 0;
    for (int32_t i = 0; i < batch->count; i++) {
        struct job *job = shard->jobs[i];
        if (err == 0 && batch->is_skipped[i]) {
            shard->jobs[kept++] = job;
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

static int shard_commit_batch(struct shard *shard)
{
    if (shard->is_unsettled)
        return ERR_STORE_DOWN; /* an earlier commit may yet appear: nothing is decided beside it */
    int64_t read_at_us = clock_monotonic_us();
    int err = shard_transact(shard);
    if (err == 0)
        shard_warm(shard, read_at_us);
    return err;
}

/* A law of the schema refused the batch, which is a bug of one command at most; or one is of a
 * tenant that has just been closed: the others must not pay for it. */
static void shard_commit_one_by_one(struct shard *shard)
{
    struct batch *batch = shard->batch;
    struct job *jobs[BATCH_MAX];
    int32_t count = batch->count;
    for (int32_t i = 0; i < count; i++)
        jobs[i] = shard->jobs[i];
    for (int32_t i = 0; i < count; i++) {
        batch_clear(batch);
        batch_add(batch, &jobs[i]->command);
        shard->jobs[0] = jobs[i];
        shard_end_batch(shard, shard_commit_batch(shard));
    }
}

static void shard_flush_batch(struct shard *shard)
{
    int err = shard_commit_batch(shard);
    if ((err == ERR_STORE_CONSTRAINT || err == ERR_ELSEWHERE) && shard->batch->count > 1)
        shard_commit_one_by_one(shard);
    else
        shard_end_batch(shard, err);
}

/* First without the cards that another process holds, so that the others need not wait for it; then
 * those, which must. */
static void shard_flush(struct shard *shard)
{
    shard->batch->may_skip = shard->batch->count > 1;
    while (shard->batch->count > 0)
        shard_flush_batch(shard);
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
static void note_tasks(struct shard *shard, int err, int64_t commit_us)
{
    struct committer *committer = shard->committer;
    pthread_mutex_lock(&committer->mutex);
    bool was_healthy = committer->counters.is_healthy;
    pthread_mutex_unlock(&committer->mutex);
    if (err == 0 && !was_healthy)
        err = store_ping(shard->store);
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

static void shard_run_task(struct shard *shard, struct job *job)
{
    int err = shard->is_unsettled ? ERR_STORE_DOWN : job->task(job, shard->store);
    note_tasks(shard, err, 0);
    job_end(job, err);
}

/* One flush pays for all of them, as it does for commands. */
static int shard_transact_joined(struct shard *shard, int64_t *commit_us)
{
    struct store *store = shard->store;
    if (shard->is_unsettled)
        return ERR_STORE_DOWN;
    int err = store_begin_group(store);
    if (err != 0)
        return err;
    for (struct job *job = shard->joined; job != NULL; job = job->next)
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
static void shard_flush_joined(struct shard *shard)
{
    struct job *job = shard->joined;
    if (job == NULL)
        return;
    int64_t commit_us = 0;
    int err = shard_transact_joined(shard, &commit_us);
    note_tasks(shard, err != 0 ? err : find_store_error(job), commit_us);
    while (job != NULL) {
        struct job *next = job->next; /* before the job may be gone */
        job_end(job, err != 0 ? err : job->error);
        job = next;
    }
    shard->joined = NULL;
    shard->joined_end = &shard->joined;
}

static void shard_join(struct shard *shard, struct job *job)
{
    job->next = NULL;
    *shard->joined_end = job;
    shard->joined_end = &job->next;
}

/* What waited at the same time has no order among itself; a task that does not join runs after
 * what came before it. */
static void shard_add(struct shard *shard, struct job *job)
{
    if (!job_take(job, clock_monotonic_us())) {
        struct committer *committer = shard->committer;
        pthread_mutex_lock(&committer->mutex);
        committer->counters.cancelled++;
        pthread_mutex_unlock(&committer->mutex);
        return;
    }
    if (job->task != NULL && job->joins) {
        shard_join(shard, job);
    } else if (job->task != NULL) {
        shard_flush(shard);
        shard_flush_joined(shard);
        shard_run_task(shard, job);
    } else {
        shard->jobs[shard->batch->count] = job;
        batch_add(shard->batch, &job->command);
    }
}

static void *shard_run(void *argument)
{
    struct shard *shard = argument;
    struct job *list;
    while ((list = queue_take(&shard->queue, shard->committer->config.batch_max)) != NULL) {
        while (list != NULL) {
            struct job *job = list;
            list = job->next; /* before the job may be gone */
            shard_add(shard, job);
        }
        shard_flush(shard);
        shard_flush_joined(shard);
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
    for (int32_t i = 0; i < committer->shard_count; i++) {
        struct shard *shard = &committer->shards[i];
        if (pthread_create(&shard->thread, NULL, shard_run, shard) != 0)
            return ERR_NO_MEMORY;
        shard->has_thread = true;
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
    for (int32_t i = 0; i < committer->shard_count; i++) {
        queue_finish(&committer->shards[i].queue);
        batch_destroy(committer->shards[i].batch);
    }
    pthread_cond_destroy(&committer->stopping);
    pthread_mutex_destroy(&committer->mutex);
    free(committer->shards);
    free(committer);
}

static int committer_add_shard(struct committer *committer, struct store *store)
{
    struct shard *shard = &committer->shards[committer->shard_count];
    shard->committer = committer;
    shard->store = store;
    shard->joined_end = &shard->joined;
    shard->batch = batch_create();
    if (shard->batch == NULL)
        return ERR_NO_MEMORY;
    queue_init(&shard->queue, COMMITTER_QUEUE_MAX);
    committer->shard_count++;
    return 0;
}

static int committer_add_shards(struct committer *committer)
{
    struct store *const *stores = committer->config.stores;
    int err = 0;
    committer->shards = calloc(COMMITTER_SHARDS_MAX, sizeof(*committer->shards));
    if (committer->shards == NULL)
        return ERR_NO_MEMORY;
    for (int32_t i = 0; err == 0 && i < COMMITTER_SHARDS_MAX && stores[i] != NULL; i++)
        err = committer_add_shard(committer, stores[i]);
    return err;
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
    int err = committer_add_shards(made);
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
    for (int32_t i = 0; i < committer->shard_count; i++)
        queue_close(&committer->shards[i].queue);
    pthread_mutex_lock(&committer->mutex);
    committer->is_stopping = true;
    pthread_cond_broadcast(&committer->stopping);
    pthread_mutex_unlock(&committer->mutex);
    for (int32_t i = 0; i < committer->shard_count; i++)
        if (committer->shards[i].has_thread)
            pthread_join(committer->shards[i].thread, NULL);
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

/* The index of a card is a keyed hash already: any of its bytes are as good. */
static struct shard *shard_of(struct committer *committer, const struct job *job)
{
    uint32_t bits;
    if (job->task != NULL)
        return &committer->shards[0];
    memcpy(&bits, job->command.card_index, sizeof(bits));
    return &committer->shards[bits % (uint32_t)committer->shard_count];
}

int committer_submit(struct committer *committer, struct job *job)
{
    return queue_push(&shard_of(committer, job)->queue, job);
}

void committer_read_counters(struct committer *committer, struct committer_counters *counters)
{
    pthread_mutex_lock(&committer->mutex);
    *counters = committer->counters;
    counters->is_healthy = counters->is_healthy && committer->settling_count == 0;
    pthread_mutex_unlock(&committer->mutex);
    counters->queue_depth = 0;
    for (int32_t i = 0; i < committer->shard_count; i++)
        counters->queue_depth += queue_depth(&committer->shards[i].queue);
}
