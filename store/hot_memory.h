/*
 * The memory tier as the near table of the Redis tier: beside answering, it keeps what has been
 * committed and is not known to be in Redis yet. Such an entry is held: nothing evicts it. Any
 * thread.
 */
#ifndef COUNTERPART_STORE_HOT_MEMORY_H
#define COUNTERPART_STORE_HOT_MEMORY_H

#include "store/hot.h"

/* Something to be written: a balance, or a removal. */
struct hot_write {
    struct card card; /* of a tombstone: tenant, index and version */
    int64_t at_us;    /* monotonic: read, or removed */
    bool is_tombstone;
};

enum hot_held {
    HOT_HELD_NEW,    /* held, and must be queued for delivery */
    HOT_HELD_QUEUED, /* held; the card is in the queue already, and this will be sent instead */
    HOT_HELD_STALE,  /* a newer one is known: nothing to do */
    HOT_HELD_FULL,   /* no room; nothing is held */
};

enum hot_held hot_memory_hold(struct hot *hot, const struct hot_write *write);
/* Queues again what was taken and could not be delivered. */
enum hot_held hot_memory_hold_again(struct hot *hot, const struct hot_write *write);
/* Out of the queue: what is to be sent of this card. false: nothing any more. */
MUST_CHECK bool hot_memory_take(struct hot *hot, int64_t tenant_id,
                                const uint8_t index[CARD_INDEX_BYTES], struct hot_write *write);
/* It is in Redis: unless a newer one came meanwhile, it is held no longer, and stays as the version
 * that no answer may fall below. */
void hot_memory_settle(struct hot *hot, const struct hot_write *write);
/* Nothing is held any more. */
void hot_memory_let_go(struct hot *hot);

struct hot_near {
    bool is_known;
    bool is_held;
    bool is_entry; /* and young enough to be told: *value was filled in */
    bool is_tombstone;
    int64_t version;
    int64_t at_us;
};
/* Counts nothing. */
struct hot_near hot_memory_look(struct hot *hot, int64_t tenant_id,
                                const uint8_t index[CARD_INDEX_BYTES], int64_t now_us,
                                struct hot_value *value);

#endif
