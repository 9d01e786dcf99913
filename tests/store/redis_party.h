/*
 * One process' share of the Redis tier, several of which stand in one test: a tier, and a lane that
 * asks. All parties live at one time, which the test moves.
 */
#ifndef COUNTERPART_TESTS_REDIS_PARTY_H
#define COUNTERPART_TESTS_REDIS_PARTY_H

#include "store/hot_redis.h"
#include "tests/store/redis_process.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

struct redis_party {
    struct depot *depot;
    struct hot *hot;
    struct seal *seal;
    struct pumped_lane pumped;
    _Atomic int raises;   /* how often the tier asked for a generation */
    _Atomic bool is_held; /* it is not given one */
};

/* What the store has; raising it gives it to who asks next. */
extern _Atomic int64_t redis_party_generation;

/* spread_us of the parties that are made from now on. */
extern int64_t redis_party_spread_us;

/* now_us: where time starts, when this is the first party. */
void redis_party_init(struct redis_party *party, const struct redis_process *process,
                      int64_t now_us);
/* The same with another length of the queue, and another master key. */
void redis_party_init_as(struct redis_party *party, const struct redis_process *process,
                         int64_t now_us, int32_t pending_max, uint8_t master);
void redis_party_start(struct redis_party *party); /* and waits until it may be asked */
/* The same, and is given no generation. */
void redis_party_start_held(struct redis_party *party);
void redis_party_finish(struct redis_party *party);

/* Time goes on to then, never back. */
void redis_party_pass(int64_t now_us);
int64_t redis_party_now_us(void);

void redis_party_await_delivery(struct redis_party *party);
void redis_party_await_up(struct redis_party *party, bool is_up);
/* Asks, and turns the lane until the answer is there. */
bool redis_party_ask(struct redis_party *party, int64_t tenant_id,
                     const uint8_t index[CARD_INDEX_BYTES], int64_t now_us,
                     struct hot_value *value);

#endif
