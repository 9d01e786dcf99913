/*
 * Hot balances in process memory: a sharded table of fixed size, with eviction inside a short probe
 * window. A look-up takes one short lock, allocates nothing, and reads one line of tags and one
 * entry.
 */
#include "store/hot.h"

#include "base/error.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

/* Where a card may stand: 8 tags of 8 bytes are one cache line. At the default size and one million
 * active cards, one put in a few hundred finds all eight taken by others. */
#define WINDOW_SLOTS 8
/* 8 loop threads, a committer and 8 readers on 256 locks: two meet on one lock in about one look-up
 * of 20, and then wait for some 100 ns. */
#define SHARDS_MAX 256
#define ENTRIES_MAX (1 << 26)
#define CACHE_LINE_BYTES 64

struct entry_slot {
    struct hot_value value;
    bool is_tombstone;
};

struct shard {
    _Alignas(CACHE_LINE_BYTES) pthread_mutex_t mutex;
    uint64_t *tags; /* hash of the slot's card; 0: free */
    struct entry_slot *slots;
    struct hot_counters counters;
};

struct hot {
    struct shard *shards;
    uint64_t *tags;
    struct entry_slot *slots;
    uint64_t shard_count;   /* a power of two */
    uint64_t windows_shard; /* windows in one shard; a power of two */
};

/* --- finding a card's place --- */

struct place {
    struct shard *shard;
    uint64_t first; /* slot of the window */
    uint64_t tag;
};

/* An index is a MAC under a key of ours over tenant and number: its bytes are already a hash that
 * nobody can aim. */
static struct place place_of(const struct hot *hot, const uint8_t index[CARD_INDEX_BYTES])
{
    uint64_t hash;
    memcpy(&hash, index, sizeof(hash));
    uint64_t shard = hash & (hot->shard_count - 1);
    uint64_t window = (hash >> 32) & (hot->windows_shard - 1);
    return (struct place){
        .shard = &hot->shards[shard], .first = window * WINDOW_SLOTS, .tag = hash == 0 ? 1 : hash};
}

static bool is_card(const struct card *card, int64_t tenant_id,
                    const uint8_t index[CARD_INDEX_BYTES])
{
    return card->tenant_id == tenant_id && memcmp(card->index, index, CARD_INDEX_BYTES) == 0;
}

/* NULL: not there. */
static struct entry_slot *slot_find(const struct place *place, int64_t tenant_id,
                                    const uint8_t index[CARD_INDEX_BYTES])
{
    for (uint64_t i = place->first; i < place->first + WINDOW_SLOTS; i++) {
        struct entry_slot *slot = &place->shard->slots[i];
        if (place->shard->tags[i] == place->tag && is_card(&slot->value.card, tenant_id, index))
            return slot;
    }
    return NULL;
}

static bool is_younger(const struct entry_slot *slot, int64_t now_us, int64_t age_us)
{
    return now_us - slot->value.filled_at_us < age_us;
}

/* A tombstone that still counts gives way only to another tombstone: a late put must not find it
 * gone. */
static bool may_evict(const struct entry_slot *slot, int64_t now_us, bool for_tombstone)
{
    return for_tombstone || !slot->is_tombstone || !is_younger(slot, now_us, HOT_TTL_US);
}

/* A free slot of the window, else the one filled longest ago; NULL: none may go. */
static struct entry_slot *slot_claim(const struct place *place, int64_t now_us, bool for_tombstone)
{
    struct shard *shard = place->shard;
    struct entry_slot *oldest = NULL;
    for (uint64_t i = place->first; i < place->first + WINDOW_SLOTS; i++) {
        struct entry_slot *slot = &shard->slots[i];
        if (shard->tags[i] == 0) {
            shard->tags[i] = place->tag;
            return slot;
        }
        if (may_evict(slot, now_us, for_tombstone) &&
            (oldest == NULL || slot->value.filled_at_us < oldest->value.filled_at_us))
            oldest = slot;
    }
    if (oldest == NULL)
        return NULL;
    shard->counters.evictions++;
    shard->tags[oldest - shard->slots] = place->tag;
    return oldest;
}

/* --- rules --- */

/* May a row read at read_at_us replace what is there? */
static bool is_newer(const struct entry_slot *slot, const struct card *card, int64_t read_at_us)
{
    int64_t version = slot->value.card.version;
    if (card->version != version)
        return card->version > version;
    return read_at_us >= slot->value.filled_at_us;
}

static void slot_fill(struct entry_slot *slot, const struct card *card, int64_t read_at_us)
{
    slot->is_tombstone = false;
    slot->value.filled_at_us = read_at_us;
    slot->value.card = *card;
    memset(slot->value.card.pin_hash, 0, sizeof(slot->value.card.pin_hash));
    slot->value.card.last_transfer_id = 0;
    slot->value.card.last_operation_id = 0;
    slot->value.card.loaded_on = 0;
    slot->value.card.loaded_minor = 0;
    slot->value.card.used_hour = 0;
    slot->value.card.used_count = 0;
}

static void slot_bury(struct entry_slot *slot, int64_t tenant_id,
                      const uint8_t index[CARD_INDEX_BYTES], int64_t version, int64_t now_us)
{
    slot->is_tombstone = true;
    slot->value = (struct hot_value){.filled_at_us = now_us,
                                     .card = {.tenant_id = tenant_id, .version = version}};
    memcpy(slot->value.card.index, index, CARD_INDEX_BYTES);
}

/* --- public --- */

bool hot_get(struct hot *hot, int64_t tenant_id, const uint8_t index[CARD_INDEX_BYTES],
             int64_t now_us, struct hot_value *value)
{
    struct place place = place_of(hot, index);
    struct shard *shard = place.shard;
    pthread_mutex_lock(&shard->mutex);
    const struct entry_slot *slot = slot_find(&place, tenant_id, index);
    bool is_hit = slot != NULL && !slot->is_tombstone && is_younger(slot, now_us, HOT_TTL_US);
    if (is_hit) {
        *value = slot->value;
        shard->counters.hits++;
    } else {
        shard->counters.misses++;
    }
    pthread_mutex_unlock(&shard->mutex);
    return is_hit;
}

void hot_put(struct hot *hot, const struct card *card, int64_t read_at_us)
{
    struct place place = place_of(hot, card->index);
    struct shard *shard = place.shard;
    pthread_mutex_lock(&shard->mutex);
    struct entry_slot *slot = slot_find(&place, card->tenant_id, card->index);
    if (slot == NULL)
        slot = slot_claim(&place, read_at_us, false);
    else if (!is_newer(slot, card, read_at_us))
        slot = NULL;
    if (slot != NULL) {
        slot_fill(slot, card, read_at_us);
        shard->counters.puts++;
    }
    pthread_mutex_unlock(&shard->mutex);
}

void hot_remove(struct hot *hot, int64_t tenant_id, const uint8_t index[CARD_INDEX_BYTES],
                int64_t version, int64_t now_us)
{
    struct place place = place_of(hot, index);
    pthread_mutex_lock(&place.shard->mutex);
    struct entry_slot *slot = slot_find(&place, tenant_id, index);
    if (slot == NULL)
        slot = slot_claim(&place, now_us, true);
    else if (slot->value.card.version > version)
        version = slot->value.card.version; /* versions only ever rise */
    slot_bury(slot, tenant_id, index, version, now_us);
    pthread_mutex_unlock(&place.shard->mutex);
}

void hot_read_counters(const struct hot *hot, struct hot_counters *counters)
{
    *counters = (struct hot_counters){0};
    for (uint64_t i = 0; i < hot->shard_count; i++) {
        struct shard *shard = &hot->shards[i];
        pthread_mutex_lock(&shard->mutex);
        counters->hits += shard->counters.hits;
        counters->misses += shard->counters.misses;
        counters->puts += shard->counters.puts;
        counters->evictions += shard->counters.evictions;
        pthread_mutex_unlock(&shard->mutex);
    }
}

const char *hot_name(const struct hot *hot)
{
    (void)hot;
    return "memory";
}

/* calloc maps zero pages; they become resident only as cards come by. */
static bool hot_allocate(struct hot *hot, uint64_t slots)
{
    size_t shards_bytes = hot->shard_count * sizeof(struct shard);
    hot->shards = aligned_alloc(CACHE_LINE_BYTES, shards_bytes);
    if (hot->shards != NULL)
        memset(hot->shards, 0, shards_bytes);
    hot->tags = calloc(slots, sizeof(*hot->tags));
    hot->slots = calloc(slots, sizeof(*hot->slots));
    return hot->shards != NULL && hot->tags != NULL && hot->slots != NULL;
}

static void hot_free(struct hot *hot)
{
    free(hot->shards);
    free(hot->tags);
    free(hot->slots);
    free(hot);
}

int hot_memory_create(int32_t entries, struct hot **created)
{
    CHECK(entries > 0 && entries <= ENTRIES_MAX);
    *created = NULL;
    struct hot *hot = calloc(1, sizeof(*hot));
    if (hot == NULL)
        return ERR_NO_MEMORY;
    uint64_t slots = WINDOW_SLOTS;
    while (slots < (uint64_t)entries)
        slots *= 2;
    uint64_t windows = slots / WINDOW_SLOTS;
    hot->shard_count = windows < SHARDS_MAX ? windows : SHARDS_MAX;
    hot->windows_shard = windows / hot->shard_count;
    if (!hot_allocate(hot, slots)) {
        hot_free(hot);
        return ERR_NO_MEMORY;
    }
    for (uint64_t i = 0; i < hot->shard_count; i++) {
        struct shard *shard = &hot->shards[i];
        CHECK(pthread_mutex_init(&shard->mutex, NULL) == 0);
        shard->tags = &hot->tags[i * hot->windows_shard * WINDOW_SLOTS];
        shard->slots = &hot->slots[i * hot->windows_shard * WINDOW_SLOTS];
    }
    *created = hot;
    return 0;
}

void hot_destroy(struct hot *hot)
{
    if (hot == NULL)
        return;
    for (uint64_t i = 0; i < hot->shard_count; i++)
        pthread_mutex_destroy(&hot->shards[i].mutex);
    hot_free(hot);
}
