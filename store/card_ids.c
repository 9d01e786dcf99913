/*
 * Ids of cards by index: one word a card, which a thread reads or writes at once.
 */
#include "store/card_ids.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

/* 4 MiB, resident as far as cards have come: of 10 M cards, popular as Zipf's law says, those that
 * seven of ten charges ask for. */
#define SLOTS (1U << 19)
#define ID_BITS 40 /* of a word; the others tell apart what shares a slot */
#define ID_MAX ((INT64_C(1) << ID_BITS) - 1)

struct card_ids {
    _Atomic uint64_t words[SLOTS];
};

struct card_ids *card_ids_create(void)
{
    return calloc(1, sizeof(struct card_ids));
}

void card_ids_destroy(struct card_ids *ids)
{
    free(ids);
}

/* An index is a MAC: any of its bytes are as good as a hash. */
static uint64_t hash_of(const uint8_t index[CARD_INDEX_BYTES])
{
    uint64_t hash;
    memcpy(&hash, index, sizeof(hash));
    return hash;
}

void card_ids_note(struct card_ids *ids, const uint8_t index[CARD_INDEX_BYTES], int64_t id)
{
    uint64_t hash = hash_of(index);
    if (id <= 0 || id > ID_MAX)
        return;
    uint64_t word = hash >> ID_BITS << ID_BITS | (uint64_t)id;
    atomic_store_explicit(&ids->words[hash % SLOTS], word, memory_order_relaxed);
}

int64_t card_ids_find(const struct card_ids *ids, const uint8_t index[CARD_INDEX_BYTES])
{
    uint64_t hash = hash_of(index);
    uint64_t word = atomic_load_explicit(&ids->words[hash % SLOTS], memory_order_relaxed);
    return word >> ID_BITS == hash >> ID_BITS ? (int64_t)(word & ID_MAX) : 0;
}
