/* Hot balances in a Redis: what is asked, what is believed, and what waits to be written. */
#include "store/hot_redis.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "store/hot_backend.h"
#include "store/hot_keeper.h"
#include "store/redis_lane.h"

#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

#define FUTURE_MAX_US CLOCK_US_PER_S /* clocks of two processes may differ by so much */

/* A card that waits to be written; what is to be said of it stands in the near table. */
struct pending {
    int64_t tenant_id;
    uint8_t index[CARD_INDEX_BYTES];
};

struct hot_redis {
    struct hot super;
    struct hot_redis_config config;
    struct entry_codec *codec;
    struct hot *near;
    struct keeper keeper;
    _Atomic bool is_trusted;
    _Atomic int64_t generation;
    _Atomic int64_t trusted_since_us; /* what was read before is not filled in */
    pthread_mutex_t mutex;            /* guards the queue, and that holding goes with queueing */
    int32_t pending_first;
    int32_t pending_count;
    int32_t taken_count;     /* by the keeper, neither settled nor held again */
    struct pending *pending; /* a ring */
    _Atomic uint64_t hits, misses, skipped, puts, poisoned, undone, delivered, tombstones, refused,
        overflows;
};

static struct hot_redis *redis_of(struct hot *hot)
{
    return (struct hot_redis *)hot;
}

static void count(_Atomic uint64_t *counter)
{
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

int64_t hot_redis_wall_us(int64_t monotonic_us)
{
    return clock_wall_us() - (clock_monotonic_us() - monotonic_us);
}

/* --- writing --- */

static void append_number(char *out, size_t size, int64_t number)
{
    struct text_buffer buffer;
    text_buffer_init(&buffer, out, size);
    text_append_int64(&buffer, number);
}

struct text hot_redis_key(struct hot *hot, const struct keeper_write *write,
                          char key[ENTRY_KEY_MAX])
{
    struct text_buffer buffer;
    text_buffer_init(&buffer, key, ENTRY_KEY_MAX);
    entry_key(redis_of(hot)->codec, write->generation, write->write.card.tenant_id,
              write->write.card.index, &buffer);
    return text_buffer_text(&buffer);
}

void hot_redis_put_words(struct hot *hot, const struct greeting *greeting,
                         const struct keeper_write *from, bool is_late, struct put_text *text,
                         struct words *words)
{
    const struct hot_redis *redis = redis_of(hot);
    int64_t now_us = redis->config.wall_us(redis->config.now_us());
    struct hot_write write = from->write;
    struct text key = hot_redis_key(hot, from, text->key);
    write.at_us = is_late ? now_us : redis->config.wall_us(write.at_us);
    write.is_tombstone = write.is_tombstone || is_late;
    entry_encode(redis->codec, key, &write, text->value);
    append_number(text->now, sizeof(text->now), now_us);
    append_number(text->ttl, sizeof(text->ttl), redis->config.ttl_us);
    script_words(greeting, SCRIPT_PUT, 1, words);
    words_add(words, key);
    words_add(words, (struct text){(const char *)text->value, ENTRY_BYTES});
    words_add(words, text_of(text->now));
    words_add(words, text_of(text->ttl));
}

/* --- the queue of the keeper --- */

/* Under the mutex. */
static void distrust(struct hot_redis *redis)
{
    atomic_store(&redis->is_trusted, false);
    redis->pending_count = 0;
    count(&redis->overflows);
    log_event(LOG_WARNING, "hot_overflow", LOG_INT("kept", redis->config.pending_max));
}

static void enqueue(struct hot_redis *redis, const struct hot_write *write, enum hot_held held)
{
    bool is_full = held == HOT_HELD_FULL ||
                   (held == HOT_HELD_NEW && redis->pending_count == redis->config.pending_max);
    if (is_full) {
        distrust(redis);
        return;
    }
    if (held != HOT_HELD_NEW)
        return;
    int32_t at = (redis->pending_first + redis->pending_count++) % redis->config.pending_max;
    redis->pending[at].tenant_id = write->card.tenant_id;
    memcpy(redis->pending[at].index, write->card.index, CARD_INDEX_BYTES);
}

/* While nothing is trusted nothing is held: the next generation starts from nothing, and takes
 * nothing that was read before it. */
static void redis_write(struct hot_redis *redis, const struct hot_write *write)
{
    pthread_mutex_lock(&redis->mutex);
    bool is_trusted = atomic_load(&redis->is_trusted);
    if (is_trusted)
        enqueue(redis, write, hot_memory_hold(redis->near, write));
    pthread_mutex_unlock(&redis->mutex);
    if (is_trusted)
        depot_wake(redis->config.depot);
}

static void redis_put(struct hot *hot, const struct card *card, int64_t read_at_us)
{
    const struct hot_write write = {.card = *card, .at_us = read_at_us};
    count(&redis_of(hot)->puts);
    redis_write(redis_of(hot), &write);
}

static void redis_remove(struct hot *hot, int64_t tenant_id, const uint8_t index[CARD_INDEX_BYTES],
                         int64_t version, int64_t now_us)
{
    struct hot_write write = {.card = {.tenant_id = tenant_id, .version = version},
                              .at_us = now_us,
                              .is_tombstone = true};
    memcpy(write.card.index, index, sizeof(write.card.index));
    redis_write(redis_of(hot), &write);
}

int32_t hot_redis_take(struct hot *hot, struct keeper_write *writes, int32_t count_max)
{
    struct hot_redis *redis = redis_of(hot);
    int32_t taken = 0;
    pthread_mutex_lock(&redis->mutex);
    while (taken < count_max && redis->pending_count > 0) {
        const struct pending *pending = &redis->pending[redis->pending_first];
        redis->pending_first = (redis->pending_first + 1) % redis->config.pending_max;
        redis->pending_count--;
        writes[taken] = (struct keeper_write){.generation = atomic_load(&redis->generation)};
        taken +=
            hot_memory_take(redis->near, pending->tenant_id, pending->index, &writes[taken].write);
    }
    redis->taken_count += taken;
    pthread_mutex_unlock(&redis->mutex);
    return taken;
}

void hot_redis_settle(struct hot *hot, const struct keeper_write *write, bool was_late)
{
    struct hot_redis *redis = redis_of(hot);
    count(&redis->delivered);
    if (was_late)
        count(&redis->tombstones);
    hot_memory_settle(redis->near, &write->write);
    pthread_mutex_lock(&redis->mutex);
    redis->taken_count--;
    pthread_mutex_unlock(&redis->mutex);
}

void hot_redis_note_poison(struct hot *hot)
{
    count(&redis_of(hot)->poisoned);
}

void hot_redis_note_refused(struct hot *hot)
{
    count(&redis_of(hot)->refused);
}

void hot_redis_distrust(struct hot *hot)
{
    struct hot_redis *redis = redis_of(hot);
    pthread_mutex_lock(&redis->mutex);
    if (atomic_load(&redis->is_trusted))
        distrust(redis);
    pthread_mutex_unlock(&redis->mutex);
}

void hot_redis_hold_again(struct hot *hot, const struct keeper_write *write)
{
    struct hot_redis *redis = redis_of(hot);
    pthread_mutex_lock(&redis->mutex);
    redis->taken_count--;
    if (atomic_load(&redis->is_trusted))
        enqueue(redis, &write->write, hot_memory_hold_again(redis->near, &write->write));
    pthread_mutex_unlock(&redis->mutex);
}

bool hot_redis_is_trusted(struct hot *hot)
{
    return atomic_load(&redis_of(hot)->is_trusted);
}

void hot_redis_forget(struct hot *hot)
{
    struct hot_redis *redis = redis_of(hot);
    pthread_mutex_lock(&redis->mutex);
    if (!atomic_load(&redis->is_trusted)) /* else what is held is the new generation's */
        hot_memory_let_go(redis->near);
    pthread_mutex_unlock(&redis->mutex);
}

int64_t hot_redis_now_us(struct hot *hot)
{
    return redis_of(hot)->config.now_us();
}

void hot_redis_trust(struct hot *hot, int64_t generation)
{
    struct hot_redis *redis = redis_of(hot);
    pthread_mutex_lock(&redis->mutex);
    if (generation > atomic_load(&redis->generation)) {
        /* In this order: who has read the new generation knows since when it counts. */
        atomic_store(&redis->trusted_since_us, redis->config.now_us() + redis->config.spread_us);
        atomic_store(&redis->generation, generation);
        atomic_store(&redis->is_trusted, true);
        log_event(LOG_INFO, "hot_generation", LOG_INT("generation", generation));
    }
    pthread_mutex_unlock(&redis->mutex);
}

void hot_redis_follow(struct hot *hot, int64_t generation)
{
    if (hot_redis_is_trusted(hot))
        hot_redis_trust(hot, generation);
}

/* Does this process know better? Of one version, only a removal does: the wall clock between two
 * processes is too coarse to compare fills by. */
static bool is_undone(const struct hot_near *near, int64_t version, int64_t filled_at_us)
{
    return near->is_known &&
           (version < near->version ||
            (version == near->version && near->is_tombstone && filled_at_us < near->at_us));
}

static void redis_fill(struct hot *hot, struct lane *lane, const struct card *card,
                       int64_t read_at_us)
{
    struct hot_redis *redis = redis_of(hot);
    struct hot_value value;
    int64_t generation = atomic_load(&redis->generation);
    if (lane == NULL || !lane_is_ready(lane) || !atomic_load(&redis->is_trusted) ||
        read_at_us < atomic_load(&redis->trusted_since_us))
        return;
    struct hot_near near =
        hot_memory_look(redis->near, card->tenant_id, card->index, read_at_us, &value);
    if (is_undone(&near, card->version, read_at_us))
        return;
    const struct keeper_write write = {.write = {.card = *card, .at_us = read_at_us},
                                       .generation = generation};
    struct put_text text;
    struct words words;
    hot_redis_put_words(hot, lane_greeting(lane), &write, false, &text, &words);
    lane_tell(lane, &words);
    count(&redis->puts);
}

/* --- asking --- */

/* What this process has committed itself. */
static bool near_answers(struct hot_redis *redis, const struct hot_question *question,
                         int64_t now_us, struct hot_near *near, struct hot_value *value)
{
    *near = hot_memory_look(redis->near, question->tenant_id, question->index, now_us, value);
    return near->is_held;
}

static bool redis_is_up(struct hot *hot)
{
    struct hot_redis *redis = redis_of(hot);
    return atomic_load(&redis->keeper.is_up) && atomic_load(&redis->is_trusted);
}

/* What this process remembers of its own commits is no hit of a tier that is down. */
static enum hot_answer tell(struct hot_redis *redis, bool is_hit)
{
    if (!redis_is_up(&redis->super))
        count(&redis->skipped);
    else
        count(is_hit ? &redis->hits : &redis->misses);
    return is_hit ? HOT_HIT : HOT_MISS;
}

static void drop_poison(struct hot_redis *redis, struct lane *lane, struct text key,
                        struct text bytes)
{
    struct words words;
    count(&redis->poisoned);
    script_words(lane_greeting(lane), SCRIPT_DROP, 1, &words);
    words_add(&words, key);
    words_add(&words, bytes);
    if (bytes.length <= ENTRY_BYTES) /* longer ones are overwritten by the next fill */
        lane_tell(lane, &words);
}

/* Is it young, and no older than what this process knows? */
static bool believe(struct hot_redis *redis, const struct hot_write *entry,
                    const struct hot_near *near, int64_t now_us, struct hot_value *value)
{
    int64_t age_us = redis->config.wall_us(now_us) - entry->at_us;
    if (age_us >= redis->config.ttl_us || age_us < -FUTURE_MAX_US)
        return false;
    *value = (struct hot_value){.card = entry->card, .filled_at_us = now_us - age_us};
    if (!is_undone(near, entry->card.version, value->filled_at_us))
        return true;
    count(&redis->undone);
    return false;
}

static bool read_answer(struct hot_redis *redis, struct lane *lane,
                        const struct hot_question *question, const struct answer *answer,
                        const struct hot_near *near, struct hot_value *value)
{
    char bytes[ENTRY_KEY_MAX];
    struct text_buffer key;
    struct hot_write entry;
    text_buffer_init(&key, bytes, sizeof(bytes));
    entry_key(redis->codec, question->generation, question->tenant_id, question->index, &key);
    if (answer != NULL && answer_is_wrong_type(answer))
        drop_poison(redis, lane, text_buffer_text(&key), TEXT(""));
    if (answer == NULL || answer->kind != ANSWER_TEXT)
        return false;
    switch (entry_decode(redis->codec, text_buffer_text(&key), question->tenant_id, question->index,
                         answer->text, &entry)) {
    case ENTRY_GOOD:
        return believe(redis, &entry, near, redis->config.now_us(), value);
    case ENTRY_TOMBSTONE:
        return false;
    case ENTRY_POISONED:
        drop_poison(redis, lane, text_buffer_text(&key), answer->text);
        return false;
    }
    return false;
}

/* The near table again: a commit may have come while the question was away. */
static void on_answer(void *context, const struct answer *answer)
{
    struct hot_question *question = context;
    struct hot_redis *redis = redis_of(question->hot);
    struct hot_near near;
    struct hot_value value;
    bool is_hit = false;
    question->ticket = 0;
    if (!atomic_load(&redis->is_trusted) || question->generation != atomic_load(&redis->generation))
        is_hit = false;
    else if (near_answers(redis, question, redis->config.now_us(), &near, &value))
        is_hit = near.is_entry;
    else
        is_hit = read_answer(redis, question->lane, question, answer, &near, &value);
    (void)tell(redis, is_hit);
    question->on_reply(question, is_hit ? &value : NULL);
}

static enum hot_answer redis_ask(struct hot *hot, struct lane *lane, int64_t tenant_id,
                                 const uint8_t index[CARD_INDEX_BYTES], int64_t now_us,
                                 struct hot_question *question, struct hot_value *value)
{
    struct hot_redis *redis = redis_of(hot);
    struct hot_near near;
    question->generation = atomic_load(&redis->generation);
    if (lane == NULL || !lane_is_ready(lane) || !atomic_load(&redis->is_trusted) ||
        now_us < atomic_load(&redis->trusted_since_us)) {
        count(&redis->skipped);
        return HOT_MISS;
    }
    question->hot = hot;
    question->lane = lane;
    question->tenant_id = tenant_id;
    memcpy(question->index, index, sizeof(question->index));
    if (near_answers(redis, question, now_us, &near, value))
        return tell(redis, near.is_entry);
    char bytes[ENTRY_KEY_MAX];
    struct text_buffer key;
    struct words words = {0};
    text_buffer_init(&key, bytes, sizeof(bytes));
    entry_key(redis->codec, question->generation, tenant_id, index, &key);
    words_add(&words, TEXT("GET"));
    words_add(&words, text_buffer_text(&key));
    question->ticket = lane_ask(lane, &words, now_us, on_answer, question);
    if (question->ticket != 0)
        return HOT_LATER;
    count(&redis->skipped);
    return HOT_MISS;
}

/* --- state --- */

static void redis_read_counters(struct hot *hot, struct hot_counters *counters)
{
    struct hot_redis *redis = redis_of(hot);
    struct hot_counters near = {0};
    hot_read_counters(redis->near, &near);
    counters->hits = atomic_load(&redis->hits);
    counters->misses = atomic_load(&redis->misses);
    counters->puts = atomic_load(&redis->puts);
    counters->evictions = near.evictions;
    counters->skipped = atomic_load(&redis->skipped);
    counters->poisoned = atomic_load(&redis->poisoned);
    counters->undone = atomic_load(&redis->undone);
    counters->delivered = atomic_load(&redis->delivered);
    counters->tombstones = atomic_load(&redis->tombstones);
    counters->refused = atomic_load(&redis->refused);
    counters->overflows = atomic_load(&redis->overflows);
    counters->generation = atomic_load(&redis->generation);
    pthread_mutex_lock(&redis->mutex);
    counters->pending = redis->pending_count + redis->taken_count;
    pthread_mutex_unlock(&redis->mutex);
}

static void redis_destroy(struct hot *hot)
{
    struct hot_redis *redis = redis_of(hot);
    hot_redis_stop(hot);
    entry_codec_destroy(redis->codec);
    hot_destroy(redis->near);
    pthread_mutex_destroy(&redis->mutex);
    free(redis->pending);
    free(redis);
}

static const struct hot_backend backend = {
    .name = "redis",
    .is_remote = true,
    .is_up = redis_is_up,
    .ask = redis_ask,
    .put = redis_put,
    .fill = redis_fill,
    .remove = redis_remove,
    .read_counters = redis_read_counters,
    .destroy = redis_destroy,
};

int hot_redis_create(const struct hot_redis_config *config, struct hot **created)
{
    CHECK(config->pending_max > 0 && config->pending_max <= HOT_PENDING_MAX);
    *created = NULL;
    struct hot_redis *redis = calloc(1, sizeof(*redis));
    if (redis == NULL)
        return ERR_NO_MEMORY;
    redis->super.backend = &backend;
    redis->config = *config;
    CHECK(pthread_mutex_init(&redis->mutex, NULL) == 0);
    redis->pending = calloc((size_t)config->pending_max, sizeof(*redis->pending));
    int err = redis->pending == NULL ? ERR_NO_MEMORY : 0;
    if (err == 0)
        err = entry_codec_create(config->seal, &redis->codec);
    if (err == 0)
        err = hot_memory_create(HOT_NEAR_ENTRIES, config->ttl_us, &redis->near);
    if (err != 0) {
        redis_destroy(&redis->super);
        return err;
    }
    redis->config.seal = NULL;
    *created = &redis->super;
    return 0;
}

int hot_redis_start(struct hot *hot, hot_raise_fn raise, void *context)
{
    struct hot_redis *redis = redis_of(hot);
    CHECK(hot->backend == &backend);
    redis->keeper.hot = hot;
    redis->keeper.depot = redis->config.depot;
    redis->keeper.raise = raise;
    redis->keeper.raise_context = context;
    return keeper_start(&redis->keeper);
}

void hot_redis_stop(struct hot *hot)
{
    if (hot != NULL && hot->backend == &backend)
        keeper_stop(&redis_of(hot)->keeper);
}
