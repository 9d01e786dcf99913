/*
 * Hot balances in a Redis, for several processes to share, and how they stay right although nothing
 * that a Redis says is relied on:
 *
 *   - A commit is held in a small table of this process (hot_memory.h) until Redis has acknowledged
 *     it, and look-ups ask that table first; afterwards the table still knows the version, and an
 *     older one in an answer is a miss. So a look-up here never undoes a commit of this process.
 *   - What another process has committed is seen as soon as that process has written it, and in any
 *     case when what is in Redis is older than the time to live: the fill time is in the signed
 *     bytes.
 *   - Commits that could not be written for a while become tombstones. When there are more of them
 *     than are kept, all are forgotten and the hot generation of the store is raised: it is part of
 *     every key, so that everything in Redis is forgotten with them. Until that is committed this
 *     process neither asks Redis nor trusts it, which is also how it starts.
 *
 * A thread of its own (hot_keeper.c) finds the Redis and writes; loops ask over their lanes.
 */
#ifndef COUNTERPART_STORE_HOT_REDIS_H
#define COUNTERPART_STORE_HOT_REDIS_H

#include "base/seal.h"
#include "store/hot.h"
#include "store/redis_depot.h"

/* Commits that are known here: 4 MB, some 8 s of 4,000 a second. */
#define HOT_NEAR_ENTRIES (1 << 15)
/* Cards that wait to be written. At 4,000 commits a second on as many cards, a Redis may be away
 * for 4 s before a generation is spent; fewer cards, longer. */
#define HOT_PENDING_MAX (1 << 14)

struct hot_redis_config {
    struct depot *depot;     /* borrowed */
    const struct seal *seal; /* read during creation only */
    int64_t ttl_us;
    int64_t (*now_us)(void);                  /* monotonic */
    int64_t (*wall_us)(int64_t monotonic_us); /* the same moment, as the other processes tell it */
    int32_t pending_max;                      /* 1..HOT_PENDING_MAX */
    /* How long the other processes may take to hear of a new hot generation: before that nothing of
     * it is asked or filled in, for they still write to the one before. 0: there are none. */
    int64_t spread_us;
};

MUST_CHECK int hot_redis_create(const struct hot_redis_config *config, struct hot **hot);

/* Called on the keeper's thread while the tier is not trusted, at most once a second: have the
 * store raise its hot generation, and then call hot_redis_trust. */
typedef void (*hot_raise_fn)(void *context);
MUST_CHECK int hot_redis_start(struct hot *hot, hot_raise_fn raise, void *context);
/* Ends the thread, which delivers what is pending first when it has a connection, within a second
 * or so. What is lost nevertheless the next start's generation makes good. */
void hot_redis_stop(struct hot *hot); /* accepts any tier, and NULL */
/* The store has this generation since now, whoever has raised it. Any thread. An older one than is
 * known already says nothing. */
void hot_redis_trust(struct hot *hot, int64_t generation);

/* It has been this generation for a while, by whoever: nothing is done for it but to follow. While
 * this process is not trusted it waits for one of its own. Any thread. */
void hot_redis_follow(struct hot *hot, int64_t generation);

/* Of any thread: the time that the other processes know, for what was measured here. */
int64_t hot_redis_wall_us(int64_t monotonic_us);

#endif
