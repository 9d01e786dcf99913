/* Plays one process of several that share a Redis. */
#include "tests/store/redis_party.h"

#include "base/clock.h"

#include <poll.h>
#include <string.h>

#define PATIENCE_US (20 * CLOCK_US_PER_S)
#define WALL_OFFSET_US (INT64_C(1700000000) * CLOCK_US_PER_S)

_Atomic int64_t redis_party_generation = 1;
int64_t redis_party_spread_us;
static _Atomic int64_t now;

static int64_t read_now(void)
{
    return atomic_load(&now);
}

static int64_t wall_of(int64_t monotonic_us)
{
    return monotonic_us + WALL_OFFSET_US;
}

int64_t redis_party_now_us(void)
{
    return read_now();
}

void redis_party_pass(int64_t now_us)
{
    if (now_us > read_now())
        atomic_store(&now, now_us);
}

/* On the keeper's thread. */
static void on_raise(void *context)
{
    struct redis_party *party = context;
    atomic_fetch_add(&party->raises, 1);
    if (!atomic_load(&party->is_held))
        hot_redis_trust(party->hot, atomic_load(&redis_party_generation));
}

void redis_party_init_as(struct redis_party *party, const struct redis_process *process,
                         int64_t now_us, int32_t pending_max, uint8_t master)
{
    uint8_t key[SEAL_KEY_BYTES];
    memset(party, 0, sizeof(*party));
    memset(key, master, sizeof(key));
    atomic_store(&now, now_us);
    assert_int_equal(seal_from_bytes(key, &party->seal), 0);
    assert_int_equal(depot_create(&process->target, &party->depot), 0);
    const struct hot_redis_config config = {.depot = party->depot,
                                            .seal = party->seal,
                                            .ttl_us = HOT_TTL_US,
                                            .now_us = read_now,
                                            .wall_us = wall_of,
                                            .pending_max = pending_max,
                                            .spread_us = redis_party_spread_us};
    assert_int_equal(hot_redis_create(&config, &party->hot), 0);
    pumped_lane_init(&party->pumped, party->depot, now_us);
}

void redis_party_init(struct redis_party *party, const struct redis_process *process,
                      int64_t now_us)
{
    redis_party_init_as(party, process, now_us, HOT_PENDING_MAX, 1);
}

static void await(struct redis_party *party, bool (*is_so)(struct redis_party *party))
{
    int64_t until_us = clock_monotonic_us() + PATIENCE_US;
    while (!is_so(party)) {
        assert_true(clock_monotonic_us() < until_us);
        (void)poll(NULL, 0, 1);
    }
}

static bool is_up(struct redis_party *party)
{
    return hot_is_up(party->hot);
}

static bool is_down(struct redis_party *party)
{
    return !hot_is_up(party->hot);
}

static bool is_delivered(struct redis_party *party)
{
    struct hot_counters counters;
    hot_read_counters(party->hot, &counters);
    return counters.pending == 0;
}

void redis_party_await_up(struct redis_party *party, bool wants_up)
{
    await(party, wants_up ? is_up : is_down);
}

void redis_party_await_delivery(struct redis_party *party)
{
    await(party, is_delivered);
}

void redis_party_start(struct redis_party *party)
{
    assert_int_equal(hot_redis_start(party->hot, on_raise, party), 0);
    redis_party_await_up(party, true);
    pumped_lane_await(&party->pumped);
}

static bool is_raised(struct redis_party *party)
{
    return atomic_load(&party->raises) > 0;
}

void redis_party_start_held(struct redis_party *party)
{
    atomic_store(&party->is_held, true);
    assert_int_equal(hot_redis_start(party->hot, on_raise, party), 0);
    await(party, is_raised);
    pumped_lane_await(&party->pumped);
}

void redis_party_finish(struct redis_party *party)
{
    hot_redis_stop(party->hot);
    pumped_lane_finish(&party->pumped);
    hot_destroy(party->hot);
    depot_destroy(party->depot);
    seal_destroy(party->seal);
}

struct reply {
    struct hot_question question; /* first: found from it */
    struct hot_value value;
    bool is_there;
    bool is_hit;
};

static void on_reply(struct hot_question *question, const struct hot_value *value)
{
    struct reply *reply = (struct reply *)question;
    assert_false(reply->is_there);
    reply->is_there = true;
    reply->is_hit = value != NULL;
    if (value != NULL)
        reply->value = *value;
}

bool redis_party_ask(struct redis_party *party, int64_t tenant_id,
                     const uint8_t index[CARD_INDEX_BYTES], int64_t now_us, struct hot_value *value)
{
    struct reply reply = {.question.on_reply = on_reply};
    if (now_us > party->pumped.now_us)
        party->pumped.now_us = now_us;
    enum hot_answer answer =
        hot_ask(party->hot, party->pumped.lane, tenant_id, index, now_us, &reply.question, value);
    if (answer != HOT_LATER)
        return answer == HOT_HIT;
    int64_t until_us = clock_monotonic_us() + PATIENCE_US;
    while (!reply.is_there) {
        assert_true(clock_monotonic_us() < until_us);
        pumped_lane_turn(&party->pumped, 10);
    }
    *value = reply.value;
    return reply.is_hit;
}
