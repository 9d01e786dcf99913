/*
 * The keeper: the thread behind the Redis tier. Finds the primary (by name, or through sentinels),
 * tells the lanes where it is, and writes what was committed. It may wait; nobody waits for it.
 */
#ifndef COUNTERPART_STORE_HOT_KEEPER_H
#define COUNTERPART_STORE_HOT_KEEPER_H

#include "store/hot_entry.h"
#include "store/hot_redis.h"
#include "store/redis_script.h"

#include <pthread.h>

#define KEEPER_BATCH_MAX 128 /* writes sent before their answers are read */

struct keeper {
    struct hot *hot;
    struct depot *depot;
    hot_raise_fn raise;
    void *raise_context;
    pthread_t thread;
    _Atomic bool is_stopping;
    _Atomic bool is_up; /* connected to a primary */
    bool is_started;
    bool is_missed;    /* the last attempt to find it failed, and that was logged */
    struct link *link; /* NULL: none */
    struct greeting greeting;
    int32_t first_sentinel; /* the one that answered last */
    int64_t connected_at_us;
    int64_t raised_at_us;
    int64_t looked_at_us;
    int64_t pause_us;
    int64_t refused_at_us; /* when it was last logged that writes are refused */
    int32_t refusals;      /* deliveries in a row of which something was refused to the end */
};

MUST_CHECK int keeper_start(struct keeper *keeper);
void keeper_stop(struct keeper *keeper);

/* --- what it needs of the tier (hot_redis.c) */

/* One piece of work: what to say, and what to settle afterwards. */
struct keeper_write {
    struct hot_write write;
    int64_t generation;
    bool is_settled;
    bool is_refused; /* with an error that says nothing about the connection */
};
/* Up to count_max writes out of the queue. */
int32_t hot_redis_take(struct hot *hot, struct keeper_write *writes, int32_t count_max);
void hot_redis_settle(struct hot *hot, const struct keeper_write *write, bool was_late);
void hot_redis_hold_again(struct hot *hot, const struct keeper_write *write);
void hot_redis_note_poison(struct hot *hot);  /* something of nobody's was overwritten */
void hot_redis_note_refused(struct hot *hot); /* and deleted */
/* Everything in Redis is to be forgotten, with what waits. */
void hot_redis_distrust(struct hot *hot);
bool hot_redis_is_trusted(struct hot *hot);
/* Before a generation is asked for: nothing is held any more. */
void hot_redis_forget(struct hot *hot);
int64_t hot_redis_now_us(struct hot *hot);
struct text hot_redis_key(struct hot *hot, const struct keeper_write *write,
                          char key[ENTRY_KEY_MAX]);
/* The words that write it: key and value are written into the caller's bytes. is_late: as a
 * tombstone of now. */
struct put_text {
    char key[ENTRY_KEY_MAX];
    uint8_t value[ENTRY_BYTES];
    char now[24];
    char ttl[24];
};
void hot_redis_put_words(struct hot *hot, const struct greeting *greeting,
                         const struct keeper_write *write, bool is_late, struct put_text *text,
                         struct words *words);

#endif
