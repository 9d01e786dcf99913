/*
 * Hot balances in process memory: a sharded table of fixed size, with eviction inside a short probe
 * window. A look-up takes one short lock, allocates nothing, and mostly reads one entry.
 */
#include "store/hot_memory.h"

#include "base/error.h"
#include "store/hot_backend.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/banned.h"

/* Where a card may stand. With 100,000 active cards, one put in a few hundred finds all eight taken
 * by others. */
#define WINDOW_SLOTS 8
/* 8 loop threads, a committer and 8 readers on 256 locks: two meet on one lock in about one look-up
 * of 20, and then wait for some 100 ns. */
#define SHARDS_MAX 256
#define ENTRIES_MAX (1 << 26)
#define CACHE_LINE_BYTES 64

enum slot_state {
    SLOT_FREE, /* zero: a fresh page is a free one */
    SLOT_ENTRY,
    SLOT_TOMBSTONE, /* index, tenant, version and time only */
};

/* What is kept of a card: two cache lines, side by side. Among 100,000 cards nearly every line is a
 * miss of some 100 ns; a whole struct card has four, and a table of tags beside them one more,
 * which was 0.2 us a look-up more. */
struct entry_slot {
    _Alignas(CACHE_LINE_BYTES) uint8_t index[CARD_INDEX_BYTES];
    int64_t tenant_id;
    int64_t version;
    int64_t filled_at_us;
    int64_t balance_minor;
    int64_t id;
    int32_t valid_from;
    int32_t expires_on;
    enum card_status status;
    enum slot_state state;
    char last4[5];
    bool has_pin;
    bool is_held;   /* not known to be in Redis yet (hot_memory.h) */
    bool is_queued; /* and to be sent */
};

struct shard {
    _Alignas(CACHE_LINE_BYTES) pthread_mutex_t mutex;
    struct entry_slot *slots;
    struct hot_counters counters;
};

struct hot_memory {
    struct hot super;
    int64_t ttl_us;
    struct shard *shards;
    struct entry_slot *slots;
    uint64_t slot_count;
    uint64_t shard_count;   /* a power of two */
    uint64_t windows_shard; /* windows in one shard; a power of two */
};

static struct hot_memory *memory_of(struct hot *hot)
{
    return (struct hot_memory *)hot;
}

/* --- finding a card's place --- */

struct place {
    struct shard *shard;
    struct entry_slot *window;
};

/* An index is a MAC under a key of ours over tenant and number: its bytes are already a hash that
 * nobody can aim. */
static struct place place_of(const struct hot_memory *hot, const uint8_t index[CARD_INDEX_BYTES])
{
    uint64_t hash;
    memcpy(&hash, index, sizeof(hash));
    struct shard *shard = &hot->shards[hash & (hot->shard_count - 1)];
    uint64_t window = (hash >> 32) & (hot->windows_shard - 1);
    return (struct place){.shard = shard, .window = &shard->slots[window * WINDOW_SLOTS]};
}

/* NULL: not there. */
static struct entry_slot *slot_find(const struct place *place, int64_t tenant_id,
                                    const uint8_t index[CARD_INDEX_BYTES])
{
    for (size_t i = 0; i < WINDOW_SLOTS; i++) {
        struct entry_slot *slot = &place->window[i];
        if (slot->state == SLOT_FREE)
            return NULL; /* slots of a window are taken in order and never become free again */
        if (slot->tenant_id == tenant_id && memcmp(slot->index, index, CARD_INDEX_BYTES) == 0)
            return slot;
    }
    return NULL;
}

static bool is_younger(const struct entry_slot *slot, int64_t now_us, int64_t age_us)
{
    return now_us - slot->filled_at_us < age_us;
}

/* A tombstone that still counts gives way only to another tombstone: a late put must not find it
 * gone. */
static bool may_evict(const struct entry_slot *slot, int64_t now_us, int64_t ttl_us,
                      bool for_tombstone)
{
    return !slot->is_held &&
           (for_tombstone || slot->state != SLOT_TOMBSTONE || !is_younger(slot, now_us, ttl_us));
}

/* A free slot of the window, else the one filled longest ago; NULL: none may go. */
static struct entry_slot *slot_claim(const struct place *place, int64_t now_us, int64_t ttl_us,
                                     bool for_tombstone)
{
    struct entry_slot *oldest = NULL;
    for (size_t i = 0; i < WINDOW_SLOTS; i++) {
        struct entry_slot *slot = &place->window[i];
        if (slot->state == SLOT_FREE)
            return slot;
        if (may_evict(slot, now_us, ttl_us, for_tombstone) &&
            (oldest == NULL || slot->filled_at_us < oldest->filled_at_us))
            oldest = slot;
    }
    if (oldest != NULL)
        place->shard->counters.evictions++;
    return oldest;
}

/* --- rules --- */

/* May a row read at read_at_us replace what is there? */
static bool is_newer(const struct entry_slot *slot, const struct card *card, int64_t read_at_us)
{
    int64_t version = slot->version;
    if (card->version != version)
        return card->version > version;
    return read_at_us >= slot->filled_at_us;
}

static void slot_fill(struct entry_slot *slot, const struct card *card, int64_t read_at_us)
{
    *slot = (struct entry_slot){.tenant_id = card->tenant_id,
                                .version = card->version,
                                .filled_at_us = read_at_us,
                                .balance_minor = card->balance_minor,
                                .id = card->id,
                                .valid_from = card->valid_from,
                                .expires_on = card->expires_on,
                                .status = card->status,
                                .state = SLOT_ENTRY,
                                .has_pin = card->has_pin};
    memcpy(slot->index, card->index, sizeof(slot->index));
    memcpy(slot->last4, card->last4, sizeof(slot->last4));
}

static void slot_read(const struct entry_slot *slot, struct hot_value *value)
{
    *value = (struct hot_value){.filled_at_us = slot->filled_at_us,
                                .card = {.id = slot->id,
                                         .tenant_id = slot->tenant_id,
                                         .status = slot->status,
                                         .has_pin = slot->has_pin,
                                         .valid_from = slot->valid_from,
                                         .expires_on = slot->expires_on,
                                         .balance_minor = slot->balance_minor,
                                         .version = slot->version}};
    memcpy(value->card.index, slot->index, sizeof(value->card.index));
    memcpy(value->card.last4, slot->last4, sizeof(value->card.last4));
}

static void slot_bury(struct entry_slot *slot, int64_t tenant_id,
                      const uint8_t index[CARD_INDEX_BYTES], int64_t version, int64_t now_us)
{
    *slot = (struct entry_slot){.tenant_id = tenant_id,
                                .version = version,
                                .filled_at_us = now_us,
                                .state = SLOT_TOMBSTONE};
    memcpy(slot->index, index, sizeof(slot->index));
}

/* --- the tier --- */

static enum hot_answer memory_ask(struct hot *hot, struct lane *lane, int64_t tenant_id,
                                  const uint8_t index[CARD_INDEX_BYTES], int64_t now_us,
                                  struct hot_question *question, struct hot_value *value)
{
    (void)lane;
    (void)question;
    const struct hot_memory *memory = memory_of(hot);
    struct place place = place_of(memory, index);
    struct shard *shard = place.shard;
    pthread_mutex_lock(&shard->mutex);
    const struct entry_slot *slot = slot_find(&place, tenant_id, index);
    bool is_hit =
        slot != NULL && slot->state == SLOT_ENTRY && is_younger(slot, now_us, memory->ttl_us);
    if (is_hit) {
        slot_read(slot, value);
        shard->counters.hits++;
    } else {
        shard->counters.misses++;
    }
    pthread_mutex_unlock(&shard->mutex);
    return is_hit ? HOT_HIT : HOT_MISS;
}

/* Under the shard's lock. NULL: what is there is newer, or there is no room. */
static struct entry_slot *place_put(const struct hot_memory *memory, const struct place *place,
                                    const struct card *card, int64_t read_at_us, bool *is_stale)
{
    struct entry_slot *slot = slot_find(place, card->tenant_id, card->index);
    *is_stale = slot != NULL && !is_newer(slot, card, read_at_us);
    if (*is_stale)
        return NULL;
    bool is_queued = slot != NULL && slot->is_queued;
    if (slot == NULL)
        slot = slot_claim(place, read_at_us, memory->ttl_us, false);
    if (slot == NULL)
        return NULL;
    slot_fill(slot, card, read_at_us);
    slot->is_queued = slot->is_held = is_queued;
    place->shard->counters.puts++;
    return slot;
}

static struct entry_slot *place_bury(const struct hot_memory *memory, const struct place *place,
                                     const struct card *card, int64_t now_us)
{
    int64_t version = card->version;
    struct entry_slot *slot = slot_find(place, card->tenant_id, card->index);
    bool is_queued = slot != NULL && slot->is_queued;
    if (slot == NULL)
        slot = slot_claim(place, now_us, memory->ttl_us, true);
    else if (slot->version > version)
        version = slot->version; /* versions only ever rise */
    if (slot == NULL)
        return NULL;
    slot_bury(slot, card->tenant_id, card->index, version, now_us);
    slot->is_queued = slot->is_held = is_queued;
    return slot;
}

static void memory_put(struct hot *hot, const struct card *card, int64_t read_at_us)
{
    const struct hot_memory *memory = memory_of(hot);
    struct place place = place_of(memory, card->index);
    bool is_stale;
    pthread_mutex_lock(&place.shard->mutex);
    (void)place_put(memory, &place, card, read_at_us, &is_stale);
    pthread_mutex_unlock(&place.shard->mutex);
}

static void memory_fill(struct hot *hot, struct lane *lane, const struct card *card,
                        int64_t read_at_us)
{
    (void)lane;
    memory_put(hot, card, read_at_us);
}

static void memory_remove(struct hot *hot, int64_t tenant_id, const uint8_t index[CARD_INDEX_BYTES],
                          int64_t version, int64_t now_us)
{
    const struct hot_memory *memory = memory_of(hot);
    struct place place = place_of(memory, index);
    struct card card = {.tenant_id = tenant_id, .version = version};
    memcpy(card.index, index, sizeof(card.index));
    pthread_mutex_lock(&place.shard->mutex);
    (void)place_bury(memory, &place, &card, now_us);
    pthread_mutex_unlock(&place.shard->mutex);
}

static void memory_read_counters(struct hot *hot, struct hot_counters *counters)
{
    const struct hot_memory *memory = memory_of(hot);
    for (uint64_t i = 0; i < memory->shard_count; i++) {
        struct shard *shard = &memory->shards[i];
        pthread_mutex_lock(&shard->mutex);
        counters->hits += shard->counters.hits;
        counters->misses += shard->counters.misses;
        counters->puts += shard->counters.puts;
        counters->evictions += shard->counters.evictions;
        pthread_mutex_unlock(&shard->mutex);
    }
}

static bool memory_is_up(struct hot *hot)
{
    (void)hot;
    return true;
}

/* --- held entries --- */

static enum hot_held slot_hold(struct entry_slot *slot)
{
    bool was_queued = slot->is_queued;
    slot->is_held = slot->is_queued = true;
    return was_queued ? HOT_HELD_QUEUED : HOT_HELD_NEW;
}

enum hot_held hot_memory_hold(struct hot *hot, const struct hot_write *write)
{
    const struct hot_memory *memory = memory_of(hot);
    struct place place = place_of(memory, write->card.index);
    bool is_stale = false;
    pthread_mutex_lock(&place.shard->mutex);
    struct entry_slot *slot =
        write->is_tombstone ? place_bury(memory, &place, &write->card, write->at_us)
                            : place_put(memory, &place, &write->card, write->at_us, &is_stale);
    enum hot_held held = is_stale ? HOT_HELD_STALE : HOT_HELD_FULL;
    if (slot != NULL)
        held = slot_hold(slot);
    pthread_mutex_unlock(&place.shard->mutex);
    return held;
}

/* NULL: there is no such card, or what stands there is no longer this write. */
static struct entry_slot *find_write(const struct place *place, const struct hot_write *write)
{
    struct entry_slot *slot = slot_find(place, write->card.tenant_id, write->card.index);
    bool is_same = slot != NULL && slot->version == write->card.version &&
                   slot->filled_at_us == write->at_us &&
                   (slot->state == SLOT_TOMBSTONE) == write->is_tombstone;
    return is_same ? slot : NULL;
}

enum hot_held hot_memory_hold_again(struct hot *hot, const struct hot_write *write)
{
    struct place place = place_of(memory_of(hot), write->card.index);
    pthread_mutex_lock(&place.shard->mutex);
    struct entry_slot *slot = find_write(&place, write);
    enum hot_held held = slot == NULL || !slot->is_held ? HOT_HELD_STALE : slot_hold(slot);
    pthread_mutex_unlock(&place.shard->mutex);
    return held;
}

bool hot_memory_take(struct hot *hot, int64_t tenant_id, const uint8_t index[CARD_INDEX_BYTES],
                     struct hot_write *write)
{
    struct place place = place_of(memory_of(hot), index);
    pthread_mutex_lock(&place.shard->mutex);
    struct entry_slot *slot = slot_find(&place, tenant_id, index);
    bool is_queued = slot != NULL && slot->is_queued;
    if (is_queued) {
        struct hot_value value;
        slot_read(slot, &value);
        slot->is_queued = false;
        *write = (struct hot_write){.card = value.card,
                                    .at_us = value.filled_at_us,
                                    .is_tombstone = slot->state == SLOT_TOMBSTONE};
    }
    pthread_mutex_unlock(&place.shard->mutex);
    return is_queued;
}

void hot_memory_settle(struct hot *hot, const struct hot_write *write)
{
    struct place place = place_of(memory_of(hot), write->card.index);
    pthread_mutex_lock(&place.shard->mutex);
    struct entry_slot *slot = find_write(&place, write);
    if (slot != NULL && !slot->is_queued)
        slot->is_held = false;
    pthread_mutex_unlock(&place.shard->mutex);
}

void hot_memory_let_go(struct hot *hot)
{
    const struct hot_memory *memory = memory_of(hot);
    uint64_t slots_shard = memory->windows_shard * WINDOW_SLOTS;
    for (uint64_t i = 0; i < memory->slot_count; i++) {
        struct shard *shard = &memory->shards[i / slots_shard];
        if (i % slots_shard == 0)
            pthread_mutex_lock(&shard->mutex);
        if (memory->slots[i].is_held)
            memory->slots[i].is_held = memory->slots[i].is_queued = false;
        if (i % slots_shard == slots_shard - 1)
            pthread_mutex_unlock(&shard->mutex);
    }
}

struct hot_near hot_memory_look(struct hot *hot, int64_t tenant_id,
                                const uint8_t index[CARD_INDEX_BYTES], int64_t now_us,
                                struct hot_value *value)
{
    const struct hot_memory *memory = memory_of(hot);
    struct place place = place_of(memory, index);
    struct hot_near near = {0};
    pthread_mutex_lock(&place.shard->mutex);
    const struct entry_slot *slot = slot_find(&place, tenant_id, index);
    if (slot != NULL) {
        near = (struct hot_near){.is_known = true,
                                 .is_held = slot->is_held,
                                 .is_entry = slot->state == SLOT_ENTRY &&
                                             is_younger(slot, now_us, memory->ttl_us),
                                 .is_tombstone = slot->state == SLOT_TOMBSTONE,
                                 .version = slot->version,
                                 .at_us = slot->filled_at_us};
        if (near.is_entry)
            slot_read(slot, value);
    }
    pthread_mutex_unlock(&place.shard->mutex);
    return near;
}

/* --- making one --- */

/* Pages come zeroed and aligned, and become resident only as cards come by. Large ones where the
 * kernel has them: among 100,000 cards, finding the small page took as long as reading the entry
 * (5.0 against 3.0 % of a look-up). */
static struct entry_slot *map_slots(uint64_t count)
{
    void *pages = mmap(NULL, count * sizeof(struct entry_slot), PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED)
        return NULL;
    (void)madvise(pages, count * sizeof(struct entry_slot), MADV_HUGEPAGE);
    return pages;
}

static bool memory_allocate(struct hot_memory *hot)
{
    size_t shards_bytes = hot->shard_count * sizeof(struct shard);
    hot->shards = aligned_alloc(CACHE_LINE_BYTES, shards_bytes);
    if (hot->shards != NULL)
        memset(hot->shards, 0, shards_bytes);
    hot->slots = map_slots(hot->slot_count);
    return hot->shards != NULL && hot->slots != NULL;
}

static void memory_free(struct hot_memory *hot)
{
    free(hot->shards);
    if (hot->slots != NULL)
        munmap(hot->slots, hot->slot_count * sizeof(struct entry_slot));
    free(hot);
}

static void memory_destroy(struct hot *hot)
{
    struct hot_memory *memory = memory_of(hot);
    for (uint64_t i = 0; i < memory->shard_count; i++)
        pthread_mutex_destroy(&memory->shards[i].mutex);
    memory_free(memory);
}

static const struct hot_backend backend = {
    .name = "memory",
    .is_up = memory_is_up,
    .ask = memory_ask,
    .put = memory_put,
    .fill = memory_fill,
    .remove = memory_remove,
    .read_counters = memory_read_counters,
    .destroy = memory_destroy,
};

int hot_memory_create(int32_t entries, int64_t ttl_us, struct hot **created)
{
    CHECK(entries > 0 && entries <= ENTRIES_MAX && ttl_us > 0);
    *created = NULL;
    struct hot_memory *hot = calloc(1, sizeof(*hot));
    if (hot == NULL)
        return ERR_NO_MEMORY;
    hot->super.backend = &backend;
    hot->ttl_us = ttl_us;
    hot->slot_count = WINDOW_SLOTS;
    while (hot->slot_count < (uint64_t)entries)
        hot->slot_count *= 2;
    uint64_t windows = hot->slot_count / WINDOW_SLOTS;
    hot->shard_count = windows < SHARDS_MAX ? windows : SHARDS_MAX;
    hot->windows_shard = windows / hot->shard_count;
    if (!memory_allocate(hot)) {
        memory_free(hot);
        return ERR_NO_MEMORY;
    }
    for (uint64_t i = 0; i < hot->shard_count; i++) {
        struct shard *shard = &hot->shards[i];
        CHECK(pthread_mutex_init(&shard->mutex, NULL) == 0);
        shard->slots = &hot->slots[i * hot->windows_shard * WINDOW_SLOTS];
    }
    *created = &hot->super;
    return 0;
}
