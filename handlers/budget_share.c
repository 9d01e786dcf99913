/* Tells other processes of misses, and asks what they know, before a guess is tried. */
#include "handlers/budget_share.h"

#include "base/clock.h"
#include "store/redis_lane.h"

#include <stdlib.h>

#include "base/banned.h"

/* --- telling */

/* A miss on its way to Redis. It outlives its request: a guess that hangs up counts as well. */
struct miss {
    struct budget *budget;
    struct budget_keys keys;
};

static void on_told(void *context, const struct answer *answer)
{
    struct miss *miss = context;
    if (answer != NULL)
        (void)budget_share_take(miss->budget, &miss->keys, answer, clock_monotonic_us());
    free(miss);
}

void budget_share_miss(struct exchange_loop *loop, const struct budget_keys *keys)
{
    struct budget *budget = loop->handlers->budget;
    struct budget_text text;
    struct words words;
    if (loop->lane == NULL || !lane_is_ready(loop->lane))
        return;
    struct miss *miss = malloc(sizeof(*miss));
    if (miss == NULL)
        return; /* it is counted here */
    *miss = (struct miss){budget, *keys};
    budget_share_words(budget, lane_greeting(loop->lane), keys, 1, &text, &words);
    if (lane_ask(loop->lane, &words, clock_monotonic_us(), on_told, miss) == 0)
        free(miss);
}

/* --- asking */

/* In the request's pool. */
struct reading {
    const struct budget_keys *keys;
    exchange_turn_fn on_turn;
};

static void on_read(struct exchange *exchange, const struct answer *answer)
{
    const struct reading *reading = exchange->reading;
    if (answer != NULL)
        (void)budget_share_take(exchange->handlers->budget, reading->keys, answer,
                                clock_monotonic_us());
    reading->on_turn(exchange);
}

void budget_share_read(struct exchange *exchange, const struct budget_keys *keys,
                       exchange_turn_fn on_turn)
{
    struct lane *lane = exchange->loop->lane;
    struct budget_text text;
    struct words words;
    if (lane == NULL || !lane_is_ready(lane)) {
        on_turn(exchange);
        return;
    }
    struct reading *reading = exchange_allocate(exchange, sizeof(*reading));
    *reading = (struct reading){keys, on_turn};
    exchange->reading = reading;
    budget_share_words(exchange->handlers->budget, lane_greeting(lane), keys, 0, &text, &words);
    if (!exchange_ask_depot(exchange, &words, on_read))
        on_turn(exchange);
}
