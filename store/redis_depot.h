/*
 * The depot: the one Redis that all threads of the process use. Says where it is, takes doubts
 * about that, and adds up what the lanes count. Whoever finds it out (store/hot_keeper.h) may wait;
 * whoever asks may not. Any thread.
 */
#ifndef COUNTERPART_STORE_REDIS_DEPOT_H
#define COUNTERPART_STORE_REDIS_DEPOT_H

#include "store/redis_link.h"
#include "store/redis_target.h"

#include <stdatomic.h>

struct depot;

/* errors  ERR_NO_MEMORY. target is copied. ownership: caller. */
MUST_CHECK int depot_create(const struct target *target, struct depot **depot);
/* Wipes the password; accepts NULL. All lanes must be gone. */
void depot_destroy(struct depot *depot);
const struct target *depot_target(const struct depot *depot);

/* Where the primary listens; *serial moves with it. false: nobody knows yet. */
MUST_CHECK bool depot_find(struct depot *depot, struct place *place, int64_t *serial);
/* Moves the serial only when the place is another. */
void depot_put_place(struct depot *depot, const struct place *place);
int64_t depot_serial(const struct depot *depot); /* without a lock; 0: not known yet */
/* A connection broke, or what answers is no primary: look again. */
void depot_doubt(struct depot *depot);
bool depot_take_doubt(struct depot *depot); /* true once for all doubts since the last call */

/* The keeper's sleep: until something is wanted of it, or the time. true: something is. */
bool depot_wait(struct depot *depot, int64_t until_us);
void depot_wake(struct depot *depot);

/* Counted by each lane for itself; written by its thread, read by any. */
struct lane_counters {
    _Atomic uint64_t asked, timeouts, late, errors, refused, opened, lost;
    _Atomic int state; /* enum breaker_state */
    struct lane_counters *next;
};
void depot_add_lane(struct depot *depot, struct lane_counters *counters);
void depot_remove_lane(struct depot *depot, struct lane_counters *counters);

struct depot_counters {
    uint64_t asked, timeouts, late; /* late: answers whose time was over */
    uint64_t errors;                /* error answers */
    uint64_t refused;               /* not even asked: the breaker was open, or too many waited */
    uint64_t opened, lost;          /* connections */
    int32_t lanes, lanes_closed;    /* closed: the breaker is, so that requests pass */
};
void depot_read_counters(struct depot *depot, struct depot_counters *counters);

#endif
