/*
 * Hot balances: the fast, expendable copy that check-balance is answered from (design section 5).
 * Money never asks it. Only ever raises a card's version, so a late or reordered write cannot bring
 * an old balance back; entries older than their time to live are not returned. Any thread.
 */
#ifndef COUNTERPART_STORE_HOT_H
#define COUNTERPART_STORE_HOT_H

#include "ledger/card.h"

#include "base/check.h"

#define HOT_TTL_US (INT64_C(60) * 1000000)
/* 2^18 entries of 128 bytes: 32 MB when they are used, less before. An entry lives for a minute, so
 * this is room for 4,000 different cards a second. */
#define HOT_ENTRIES_DEFAULT (1 << 18)

struct hot;

/* What a balance look-up needs to answer without the store. Of a card with a PIN nobody is told
 * anything from here: its look-up goes to the store, where right and wrong PIN take the same time.
 * Unsold stock is for callers to keep out (hot_put). */
struct hot_value {
    struct card card;     /* pin_hash, counters and chain head are zero */
    int64_t filled_at_us; /* monotonic */
};

/* errors  ERR_NO_MEMORY. entries is rounded up to a power of two. ownership: caller, hot_destroy.
 */
MUST_CHECK int hot_memory_create(int32_t entries, struct hot **hot);
void hot_destroy(struct hot *hot);           /* accepts NULL */
const char *hot_name(const struct hot *hot); /* "memory" */

/* true: *value holds an entry younger than HOT_TTL_US. */
MUST_CHECK bool hot_get(struct hot *hot, int64_t tenant_id, const uint8_t index[CARD_INDEX_BYTES],
                        int64_t now_us, struct hot_value *value);
/* After a commit or a store read; not for unsold stock, which must look like an unknown number, in
 * time too. Ignored when the entry there has a greater version; an equal
 * version refreshes it, unless it was read earlier (status changes do not count versions, so
 * hot_remove first). read_at_us: monotonic, before the store was asked. */
void hot_put(struct hot *hot, const struct card *card, int64_t read_at_us);
/* A tombstone that carries the version: puts of that version or below that were read before now are
 * ignored until it expires. */
void hot_remove(struct hot *hot, int64_t tenant_id, const uint8_t index[CARD_INDEX_BYTES],
                int64_t version, int64_t now_us);

struct hot_counters {
    uint64_t hits, misses, puts, evictions;
};
void hot_read_counters(const struct hot *hot, struct hot_counters *counters);

#endif
