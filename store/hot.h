/*
 * Hot balances: the fast, expendable copy that check-balance is answered from (design section 5).
 * Money never asks it. Only ever raises a card's version, so a late or reordered write cannot bring
 * an old balance back; entries older than their time to live are not returned.
 *
 * Two implementations: the process' own memory (below), and a Redis (store/hot_redis.h), which
 * answers later. Any thread, but where a lane is asked for: that is the calling thread's own way to
 * the Redis (store/redis_lane.h), and NULL where the tier is memory.
 */
#ifndef COUNTERPART_STORE_HOT_H
#define COUNTERPART_STORE_HOT_H

#include "ledger/card.h"

#include "base/check.h"
#include "base/text.h"

#define HOT_TTL_US (INT64_C(60) * 1000000) /* the default */
/* 2^18 entries of 128 bytes: 32 MB when they are used, less before. An entry lives for a minute, so
 * this is room for 4,000 different cards a second. */
#define HOT_ENTRIES_DEFAULT (1 << 18)

struct hot;
struct lane;

/* What a balance look-up needs to answer without the store. Of a card with a PIN nobody is told
 * anything from here: its look-up goes to the store, where right and wrong PIN take the same time.
 * Unsold stock is for callers to keep out (hot_put). */
struct hot_value {
    struct card card;     /* pin_hash, counters and chain head are zero */
    int64_t filled_at_us; /* monotonic */
};

/* errors  ERR_NO_MEMORY. entries is rounded up to a power of two. ownership: caller, hot_destroy.
 */
MUST_CHECK int hot_memory_create(int32_t entries, int64_t ttl_us, struct hot **hot);
/* A tier that keeps nothing: other processes write to the store, and there is no Redis to share. */
MUST_CHECK int hot_none_create(struct hot **hot);
void hot_destroy(struct hot *hot);           /* accepts NULL */
const char *hot_name(const struct hot *hot); /* "memory", "redis", "none" */
/* Does it work now? Told in /readyz and /metrics; look-ups are answered by the store meanwhile. */
bool hot_is_up(struct hot *hot);

enum hot_answer {
    HOT_MISS,
    HOT_HIT,   /* *value holds an entry younger than the time to live */
    HOT_LATER, /* on_reply will be called, within LANE_TIMEOUT_US */
};

/* A look-up that is under way. The caller's memory, zeroed, until on_reply or hot_forget. */
struct hot_question {
    void (*on_reply)(struct hot_question *question, const struct hot_value *value); /* NULL: miss */
    struct hot *hot;
    struct lane *lane;
    uint64_t ticket; /* 0: not under way */
    int64_t tenant_id;
    uint8_t index[CARD_INDEX_BYTES];
    int64_t generation;
};

/* question, with its on_reply, is used for HOT_LATER only; it may be NULL where the tier never
 * answers so (hot_is_remote). */
MUST_CHECK enum hot_answer hot_ask(struct hot *hot, struct lane *lane, int64_t tenant_id,
                                   const uint8_t index[CARD_INDEX_BYTES], int64_t now_us,
                                   struct hot_question *question, struct hot_value *value);
bool hot_is_remote(const struct hot *hot);
/* on_reply will not be called. */
void hot_forget(struct lane *lane, struct hot_question *question);

/* After a commit; not for unsold stock, which must look like an unknown number, in time too. From
 * here on no hot_ask of this process gives an older version. Ignored when the entry there has a
 * greater version; an equal version refreshes it, unless it was read earlier (status changes do not
 * count versions, so hot_remove first). read_at_us: monotonic, before the store was asked. Never
 * waits. */
void hot_put(struct hot *hot, const struct card *card, int64_t read_at_us);
/* The same after a store read. May get lost. */
void hot_fill(struct hot *hot, struct lane *lane, const struct card *card, int64_t read_at_us);
/* A tombstone that carries the version: puts of that version or below that were read before now are
 * ignored until it expires. */
void hot_remove(struct hot *hot, int64_t tenant_id, const uint8_t index[CARD_INDEX_BYTES],
                int64_t version, int64_t now_us);

struct hot_counters {
    uint64_t hits, misses, puts, evictions;
    /* Of a Redis only. */
    uint64_t skipped;    /* look-ups while it was down, or its state not known, whoever answered */
    uint64_t poisoned;   /* entries that nobody of ours has written */
    uint64_t undone;     /* answers older than what this process has committed */
    uint64_t delivered;  /* commits that are there */
    uint64_t tombstones; /* of them, written as such: they were late */
    uint64_t refused;    /* commits that it would not take: what was there was deleted instead */
    uint64_t overflows;  /* commits forgotten before they were there: a new generation each */
    int64_t pending;     /* commits on their way now */
    int64_t generation;
};
void hot_read_counters(struct hot *hot, struct hot_counters *counters);
/* Which share of all look-ups was answered by the tier, skipped ones counted: "0.9731", rounded
 * down. Before the first look-up: "0.0000". */
void hot_append_rate(const struct hot_counters *counters, struct text_buffer *buffer);

#endif
