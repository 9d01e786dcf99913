/*
 * Budgets of misses as token buckets. A bucket is one number, the moment at which it will be full
 * again: taking a token moves that moment one period on, and time itself refills.
 */
#include "store/budget.h"

#include "base/error.h"
#include "base/id.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

#define BUCKETS 65536
/* A key's bucket stands in one window of this size: 16 buckets are searched under one lock. */
#define WINDOW_BUCKETS 16
#define WINDOWS (BUCKETS / WINDOW_BUCKETS)
/* Locks: more than there are threads, few enough to stay small. Window w belongs to lock w % 64. */
#define LOCKS 64
#define PREFIX_CHARS 8
#define STORE_CHARS 16
#define SECOND_US INT64_C(1000000)

/* The numbers of budget.h. */
static const struct limit {
    const char *name;
    int64_t tokens;
    int64_t period_us; /* for one token to come back */
} limits[BUDGET_LAYERS] = {
    [BUDGET_CARD] = {"card", 5, 180 * SECOND_US},
    [BUDGET_REGISTER] = {"register", 10, 30 * SECOND_US},
    [BUDGET_SITE] = {"site", 40, 10 * SECOND_US},
    [BUDGET_PREFIX] = {"prefix", 60, 10 * SECOND_US},
    [BUDGET_TENANT] = {"tenant", 200, 2 * SECOND_US},
};

struct bucket {
    uint64_t key; /* 0: free */
    int64_t full_at_us;
    enum budget_layer layer;
    int32_t held; /* by attempts under way; a bucket that holds any stays in its window */
};

struct budget {
    uint64_t secret[2];          /* of the keyed hash: nobody can aim at somebody else's bucket */
    char store[STORE_CHARS + 1]; /* whose buckets they are in Redis */
    _Atomic uint64_t trips[BUDGET_LAYERS];
    /* From here on every bucket is full: while nobody misses, nobody takes a lock. */
    _Atomic int64_t all_full_at_us;
    pthread_mutex_t locks[LOCKS];
    struct bucket buckets[BUCKETS];
};

/* --- the keyed hash: SipHash-2-4 (Aumasson and Bernstein, 2012) --- */

struct sip {
    uint64_t v0, v1, v2, v3;
};

static uint64_t rotate(uint64_t value, int bits)
{
    return value << bits | value >> (64 - bits);
}

static void sip_rounds(struct sip *sip, int count)
{
    for (int i = 0; i < count; i++) {
        sip->v0 += sip->v1;
        sip->v1 = rotate(sip->v1, 13) ^ sip->v0;
        sip->v0 = rotate(sip->v0, 32);
        sip->v2 += sip->v3;
        sip->v3 = rotate(sip->v3, 16) ^ sip->v2;
        sip->v0 += sip->v3;
        sip->v3 = rotate(sip->v3, 21) ^ sip->v0;
        sip->v2 += sip->v1;
        sip->v1 = rotate(sip->v1, 17) ^ sip->v2;
        sip->v2 = rotate(sip->v2, 32);
    }
}

/* Over whole words only: that is all a key consists of. Never 0, which marks a free bucket. */
static uint64_t sip_hash(const uint64_t secret[2], const uint64_t *words, size_t count)
{
    struct sip sip = {
        secret[0] ^ UINT64_C(0x736f6d6570736575), secret[1] ^ UINT64_C(0x646f72616e646f6d),
        secret[0] ^ UINT64_C(0x6c7967656e657261), secret[1] ^ UINT64_C(0x7465646279746573)};
    for (size_t i = 0; i <= count; i++) {
        uint64_t word = i < count ? words[i] : (uint64_t)(count * 8) << 56;
        sip.v3 ^= word;
        sip_rounds(&sip, 2);
        sip.v0 ^= word;
    }
    sip.v2 ^= 0xff;
    sip_rounds(&sip, 4);
    uint64_t hash = sip.v0 ^ sip.v1 ^ sip.v2 ^ sip.v3;
    return hash == 0 ? 1 : hash;
}

/* --- buckets --- */

/* Time until it is full again; a full bucket needs none. */
static int64_t debt_us(const struct bucket *bucket, int64_t now_us)
{
    return bucket->full_at_us > now_us ? bucket->full_at_us - now_us : 0;
}

static bool is_empty(const struct limit *limit, int64_t debt)
{
    return debt > (limit->tokens - 1) * limit->period_us;
}

/* In thousandths of its size, so that buckets of all layers can be compared. */
static int64_t emptiness(const struct bucket *bucket, int64_t now_us)
{
    const struct limit *limit = &limits[bucket->layer];
    return debt_us(bucket, now_us) * 1000 / (limit->tokens * limit->period_us);
}

static struct bucket *window_of(struct budget *budget, uint64_t key)
{
    return &budget->buckets[key % WINDOWS * WINDOW_BUCKETS];
}

static pthread_mutex_t *lock_of(struct budget *budget, uint64_t key)
{
    return &budget->locks[key % WINDOWS % LOCKS];
}

static struct bucket *bucket_find(struct bucket *window, uint64_t key)
{
    for (size_t i = 0; i < WINDOW_BUCKETS; i++)
        if (window[i].key == key)
            return &window[i];
    return NULL;
}

/* A free bucket or the fullest: whoever floods the table with fresh misses pushes out other fresh
 * ones, never an empty bucket that is holding somebody back. NULL: attempts hold every one of the
 * window, which takes some ten thousand of them at once. */
static struct bucket *bucket_claim(struct bucket *window, uint64_t key, enum budget_layer layer,
                                   int64_t now_us)
{
    struct bucket *fullest = NULL;
    for (size_t i = 0; i < WINDOW_BUCKETS && (fullest == NULL || fullest->key != 0); i++) {
        if (window[i].key != 0 && window[i].held > 0)
            continue;
        if (fullest == NULL || window[i].key == 0 ||
            emptiness(&window[i], now_us) < emptiness(fullest, now_us))
            fullest = &window[i];
    }
    if (fullest != NULL)
        *fullest = (struct bucket){.key = key, .full_at_us = now_us, .layer = layer};
    return fullest;
}

static struct bucket *bucket_find_or_claim(struct budget *budget, uint64_t key,
                                           enum budget_layer layer, int64_t now_us)
{
    struct bucket *window = window_of(budget, key);
    struct bucket *bucket = bucket_find(window, key);
    return bucket != NULL ? bucket : bucket_claim(window, key, layer, now_us);
}

static bool layer_is_empty(struct budget *budget, uint64_t key, enum budget_layer layer,
                           int64_t now_us)
{
    pthread_mutex_lock(lock_of(budget, key));
    const struct bucket *bucket = bucket_find(window_of(budget, key), key);
    bool empty = bucket != NULL && is_empty(&limits[layer], debt_us(bucket, now_us));
    pthread_mutex_unlock(lock_of(budget, key));
    return empty;
}

static void raise_all_full(struct budget *budget, int64_t at_us)
{
    int64_t known_us = atomic_load(&budget->all_full_at_us);
    while (known_us < at_us &&
           !atomic_compare_exchange_weak(&budget->all_full_at_us, &known_us, at_us))
        ;
}

/* true: this token was the last one. */
static bool bucket_take(struct bucket *bucket, int64_t now_us)
{
    const struct limit *limit = &limits[bucket->layer];
    int64_t debt = debt_us(bucket, now_us);
    bool was_empty = is_empty(limit, debt);
    debt += limit->period_us;
    if (debt > limit->tokens * limit->period_us)
        debt = limit->tokens * limit->period_us; /* a bucket never owes more than it holds */
    bucket->full_at_us = now_us + debt;
    return !was_empty && is_empty(limit, debt);
}

static bool layer_take(struct budget *budget, uint64_t key, enum budget_layer layer, int64_t now_us)
{
    pthread_mutex_lock(lock_of(budget, key));
    struct bucket *bucket = bucket_find_or_claim(budget, key, layer, now_us);
    bool is_trip = bucket != NULL && bucket_take(bucket, now_us);
    int64_t full_at_us = bucket != NULL ? bucket->full_at_us : 0;
    pthread_mutex_unlock(lock_of(budget, key));
    raise_all_full(budget, full_at_us);
    return is_trip;
}

/* What is held is not yet a miss, but must not be promised to two. */
static bool layer_hold(struct budget *budget, uint64_t key, enum budget_layer layer, int64_t now_us)
{
    const struct limit *limit = &limits[layer];
    pthread_mutex_lock(lock_of(budget, key));
    struct bucket *bucket = bucket_find_or_claim(budget, key, layer, now_us);
    bool has_one = bucket != NULL &&
                   !is_empty(limit, debt_us(bucket, now_us) + bucket->held * limit->period_us);
    if (has_one)
        bucket->held++;
    pthread_mutex_unlock(lock_of(budget, key));
    return has_one;
}

/* true: it was a miss, and its token the last one. */
static bool layer_settle(struct budget *budget, uint64_t key, bool is_miss, int64_t now_us)
{
    pthread_mutex_lock(lock_of(budget, key));
    struct bucket *bucket = bucket_find(window_of(budget, key), key);
    bool is_held = bucket != NULL && bucket->held > 0;
    if (is_held)
        bucket->held--;
    bool is_trip = is_held && is_miss && bucket_take(bucket, now_us);
    int64_t full_at_us = is_held ? bucket->full_at_us : 0;
    pthread_mutex_unlock(lock_of(budget, key));
    CHECK(is_held);
    if (is_miss)
        raise_all_full(budget, full_at_us);
    return is_trip;
}

/* --- public --- */

const char *budget_layer_name(enum budget_layer layer)
{
    CHECK(layer >= 0 && layer < BUDGET_LAYERS);
    return limits[layer].name;
}

int budget_create(struct budget **created)
{
    struct budget *budget = calloc(1, sizeof(*budget));
    *created = budget;
    if (budget == NULL)
        return ERR_NO_MEMORY;
    struct id_source source = id_source_system();
    source.fill(source.context, (uint8_t *)budget->secret, sizeof(budget->secret));
    for (size_t i = 0; i < LOCKS; i++)
        CHECK(pthread_mutex_init(&budget->locks[i], NULL) == 0);
    return 0;
}

void budget_destroy(struct budget *budget)
{
    if (budget == NULL)
        return;
    for (size_t i = 0; i < LOCKS; i++)
        pthread_mutex_destroy(&budget->locks[i]);
    free(budget);
}

static uint64_t key_of(const struct budget *budget, enum budget_layer layer, int64_t tenant_id,
                       uint64_t a, uint64_t b)
{
    const uint64_t words[] = {(uint64_t)layer, (uint64_t)tenant_id, a, b};
    return sip_hash(budget->secret, words, COUNT_OF(words));
}

void budget_keys_fill(const struct budget *budget, struct budget_keys *keys, int64_t tenant_id,
                      int64_t site_id, int64_t register_id, const uint8_t card_index[32],
                      struct text number)
{
    uint64_t card[2]; /* of a MAC, so 16 bytes name a card */
    uint64_t prefix = 0;
    struct text prefix_text = text_slice(number, 0, PREFIX_CHARS);
    memcpy(card, card_index, sizeof(card));
    if (prefix_text.length > 0)
        memcpy(&prefix, prefix_text.base, prefix_text.length);
    keys->key[BUDGET_CARD] = key_of(budget, BUDGET_CARD, tenant_id, card[0], card[1]);
    keys->key[BUDGET_REGISTER] =
        key_of(budget, BUDGET_REGISTER, tenant_id, (uint64_t)site_id, (uint64_t)register_id);
    keys->key[BUDGET_SITE] = key_of(budget, BUDGET_SITE, tenant_id, (uint64_t)site_id, 0);
    keys->key[BUDGET_PREFIX] = key_of(budget, BUDGET_PREFIX, tenant_id, prefix, 0);
    keys->key[BUDGET_TENANT] = key_of(budget, BUDGET_TENANT, tenant_id, 0, 0);
}

bool budget_is_exhausted(struct budget *budget, const struct budget_keys *keys, int64_t now_us,
                         enum budget_layer *layer)
{
    if (now_us >= atomic_load(&budget->all_full_at_us))
        return false;
    for (int i = 0; i < BUDGET_LAYERS; i++) {
        if (!layer_is_empty(budget, keys->key[i], (enum budget_layer)i, now_us))
            continue;
        if (layer != NULL)
            *layer = (enum budget_layer)i;
        return true;
    }
    return false;
}

enum budget_answer budget_hold(struct budget *budget, const struct budget_keys *keys,
                               int64_t now_us)
{
    if (budget_is_exhausted(budget, keys, now_us, NULL))
        return BUDGET_EXHAUSTED;
    for (int i = 0; i < BUDGET_LAYERS; i++) {
        if (layer_hold(budget, keys->key[i], (enum budget_layer)i, now_us))
            continue;
        while (i-- > 0)
            (void)layer_settle(budget, keys->key[i], false, now_us);
        return BUDGET_BUSY;
    }
    return BUDGET_HELD;
}

static void count_trip(struct budget *budget, enum budget_layer layer, bool *is_trip,
                       enum budget_layer *first)
{
    atomic_fetch_add_explicit(&budget->trips[layer], 1, memory_order_relaxed);
    if (!*is_trip && first != NULL)
        *first = layer;
    *is_trip = true;
}

bool budget_settle(struct budget *budget, const struct budget_keys *keys, bool is_miss,
                   int64_t now_us, enum budget_layer *layer)
{
    bool is_trip = false;
    for (int i = 0; i < BUDGET_LAYERS; i++)
        if (layer_settle(budget, keys->key[i], is_miss, now_us))
            count_trip(budget, (enum budget_layer)i, &is_trip, layer);
    return is_trip;
}

bool budget_take(struct budget *budget, const struct budget_keys *keys, int64_t now_us,
                 enum budget_layer *layer)
{
    bool is_trip = false;
    for (int i = 0; i < BUDGET_LAYERS; i++)
        if (layer_take(budget, keys->key[i], (enum budget_layer)i, now_us))
            count_trip(budget, (enum budget_layer)i, &is_trip, layer);
    return is_trip;
}

void budget_share(struct budget *budget, const struct seal *seal)
{
    uint8_t key[SEAL_KEY_BYTES];
    uint8_t check[SEAL_MAC_BYTES];
    seal_derive_key(seal, TEXT("miss budgets 1"), key);
    memcpy(budget->secret, key, sizeof(budget->secret));
    seal_wipe(key, sizeof(key));
    seal_check_value(seal, check);
    text_hex_encode(budget->store, check, STORE_CHARS / 2);
}

static struct text name_of(const struct budget *budget, enum budget_layer layer, uint64_t key,
                           char name[BUDGET_NAME_MAX])
{
    struct text_buffer buffer;
    text_buffer_init(&buffer, name, BUDGET_NAME_MAX);
    text_append_format(&buffer, "cp:%s:miss:%s:%016llx", budget->store, limits[layer].name,
                       (unsigned long long)key);
    CHECK(!buffer.is_cut);
    return text_buffer_text(&buffer);
}

static struct text number_of(int64_t number, char text[24])
{
    struct text_buffer buffer;
    text_buffer_init(&buffer, text, 24);
    text_append_int64(&buffer, number);
    return text_buffer_text(&buffer);
}

void budget_share_words(const struct budget *budget, const struct greeting *greeting,
                        const struct budget_keys *keys, int32_t misses, struct budget_text *text,
                        struct words *words)
{
    script_words(greeting, SCRIPT_BUDGET, BUDGET_LAYERS, words);
    for (int i = 0; i < BUDGET_LAYERS; i++)
        words_add(words, name_of(budget, (enum budget_layer)i, keys->key[i], text->name[i]));
    words_add(words, number_of(misses, text->number[0]));
    for (int i = 0; i < BUDGET_LAYERS; i++) {
        words_add(words, number_of(limits[i].tokens, text->number[1 + 2 * i]));
        words_add(words, number_of(limits[i].period_us, text->number[2 + 2 * i]));
    }
}

static void layer_lower(struct budget *budget, uint64_t key, enum budget_layer layer,
                        int64_t shared_us, int64_t now_us)
{
    const struct limit *limit = &limits[layer];
    if (shared_us > limit->tokens * limit->period_us)
        shared_us = limit->tokens * limit->period_us; /* a bucket never owes more than it holds */
    pthread_mutex_lock(lock_of(budget, key));
    struct bucket *bucket = bucket_find_or_claim(budget, key, layer, now_us);
    if (bucket != NULL && debt_us(bucket, now_us) < shared_us)
        bucket->full_at_us = now_us + shared_us;
    pthread_mutex_unlock(lock_of(budget, key));
    raise_all_full(budget, now_us + shared_us);
}

bool budget_share_take(struct budget *budget, const struct budget_keys *keys,
                       const struct answer *answer, int64_t now_us)
{
    if (answer->kind != ANSWER_LIST || answer->count != BUDGET_LAYERS)
        return false;
    for (int i = 0; i < BUDGET_LAYERS; i++)
        if (answer->items[i].kind != ANSWER_INTEGER || answer->items[i].integer < 0)
            return false;
    for (int i = 0; i < BUDGET_LAYERS; i++)
        if (answer->items[i].integer > 0)
            layer_lower(budget, keys->key[i], (enum budget_layer)i, answer->items[i].integer,
                        now_us);
    return true;
}

uint64_t budget_trips(const struct budget *budget, enum budget_layer layer)
{
    CHECK(layer >= 0 && layer < BUDGET_LAYERS);
    return atomic_load_explicit(&budget->trips[layer], memory_order_relaxed);
}
