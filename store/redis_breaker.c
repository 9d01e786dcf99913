/* Moves a circuit breaker along its table. */
#include "store/redis_breaker.h"

#include "base/banned.h"

static void breaker_open(struct breaker *breaker, int64_t now_us)
{
    int64_t pause_us = breaker->pause_us * 2;
    if (pause_us < BREAKER_PAUSE_MIN_US)
        pause_us = BREAKER_PAUSE_MIN_US;
    if (pause_us > BREAKER_PAUSE_MAX_US)
        pause_us = BREAKER_PAUSE_MAX_US;
    *breaker = (struct breaker){
        .state = BREAKER_OPEN, .pause_us = pause_us, .open_until_us = now_us + pause_us};
}

bool breaker_may_probe(struct breaker *breaker, int64_t now_us)
{
    if (breaker->state != BREAKER_OPEN || now_us < breaker->open_until_us)
        return false;
    breaker->state = BREAKER_PROBING;
    return true;
}

void breaker_note_probed(struct breaker *breaker)
{
    CHECK(breaker->state == BREAKER_PROBING);
    breaker->state = BREAKER_CLOSED;
    breaker->failures = 0;
}

void breaker_note_success(struct breaker *breaker)
{
    breaker->failures = 0;
    if (breaker->state == BREAKER_CLOSED)
        breaker->pause_us = 0;
}

bool breaker_note_failure(struct breaker *breaker, int64_t now_us)
{
    if (breaker->state != BREAKER_CLOSED || ++breaker->failures < BREAKER_FAILURES_MAX)
        return false;
    breaker_open(breaker, now_us);
    return true;
}

void breaker_note_lost(struct breaker *breaker, int64_t now_us)
{
    if (breaker->state != BREAKER_OPEN)
        breaker_open(breaker, now_us);
}
