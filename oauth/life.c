/* The table of a grant's life, and when to refresh, to try again and to alarm. */
#include "oauth/life.h"

#include "base/clock.h"

#include "base/banned.h"

static const bool is_allowed[LIFE_PHASES][LIFE_PHASES] = {
    [LIFE_ABSENT] = {[LIFE_CHANGING] = true},
    [LIFE_READY] = {[LIFE_LEASING] = true, [LIFE_CHANGING] = true},
    [LIFE_ENDED] = {[LIFE_LEASING] = true, [LIFE_CHANGING] = true},
    [LIFE_LEASING] = {[LIFE_ASKING] = true,
                      [LIFE_WRITING] = true,
                      [LIFE_READING] = true,
                      [LIFE_READY] = true,
                      [LIFE_ENDED] = true},
    [LIFE_ASKING] = {[LIFE_WRITING] = true, [LIFE_READING] = true},
    [LIFE_WRITING] =
        {[LIFE_READING] = true, [LIFE_READY] = true, [LIFE_ENDED] = true, [LIFE_ABSENT] = true},
    [LIFE_READING] =
        {[LIFE_WRITING] = true, [LIFE_READY] = true, [LIFE_ENDED] = true, [LIFE_ABSENT] = true},
    [LIFE_CHANGING] = {[LIFE_READY] = true, [LIFE_ENDED] = true, [LIFE_ABSENT] = true},
};

void life_move(enum life_phase *phase, enum life_phase to)
{
    CHECK(is_allowed[*phase][to]);
    *phase = to;
}

bool life_is_resting(enum life_phase phase)
{
    return phase == LIFE_ABSENT || phase == LIFE_READY || phase == LIFE_ENDED;
}

enum life_phase life_rest_of(const struct grant *grant)
{
    if (grant->version == 0)
        return LIFE_ABSENT;
    switch (grant->status) {
    case GRANT_CONNECTED:
        return LIFE_READY;
    case GRANT_RECONNECT_REQUIRED:
        return LIFE_ENDED;
    case GRANT_REVOKED:
        return LIFE_ABSENT;
    }
    CHECK(false);
    return LIFE_ABSENT;
}

/* An access token without end: of Basic authentication there is none at all. */
static bool has_end(const struct grant *grant)
{
    return grant->kind != GRANT_BASIC;
}

void life_doubt_future(struct grant *grant, int64_t now_us)
{
    if (grant->failed_at_us > now_us)
        grant->failed_at_us = now_us;
    if (!has_end(grant) || grant->refreshed_at_us <= now_us)
        return;
    int64_t life_us = grant->expires_at_us - grant->refreshed_at_us;
    if (life_us < 0)
        life_us = 0;
    grant->refreshed_at_us = now_us - life_us / 4 * 3;
    grant->expires_at_us = grant->refreshed_at_us + life_us;
}

/* LIFE_NEVER_US for what has no end. */
static int64_t due_us_of(const struct grant *grant, int64_t refresh_max_us)
{
    if (!has_end(grant))
        return LIFE_NEVER_US;
    int64_t life_us = grant->expires_at_us - grant->refreshed_at_us;
    return grant->refreshed_at_us + clock_sooner_us(life_us / 4 * 3, refresh_max_us);
}

static int64_t backoff_us(int32_t failures)
{
    int64_t wait_us = LIFE_BACKOFF_MIN_US;
    for (int32_t i = 1; i < failures && wait_us < LIFE_BACKOFF_MAX_US; i++)
        wait_us *= 2;
    return clock_sooner_us(wait_us, LIFE_BACKOFF_MAX_US);
}

int64_t life_next_attempt_us(const struct grant *grant, int64_t refresh_max_us)
{
    if (life_rest_of(grant) != LIFE_READY || !has_end(grant))
        return LIFE_NEVER_US;
    if (grant->failures > 0)
        return grant->failed_at_us + backoff_us(grant->failures);
    return due_us_of(grant, refresh_max_us);
}

int64_t life_alarm_us(const struct grant *grant, int64_t refresh_max_us)
{
    enum life_phase rest = life_rest_of(grant);
    if (rest == LIFE_ENDED)
        return 0;
    if (rest == LIFE_ABSENT || !has_end(grant) || grant->failures == 0)
        return LIFE_NEVER_US;
    int64_t due_us = due_us_of(grant, refresh_max_us);
    return due_us + (grant->expires_at_us - due_us) / 4;
}

bool life_is_usable(const struct grant *grant, int64_t now_us)
{
    if (life_rest_of(grant) == LIFE_ABSENT)
        return false;
    if (!has_end(grant))
        return grant->status == GRANT_CONNECTED;
    int64_t life_us = grant->expires_at_us - grant->refreshed_at_us;
    return grant->access_token[0] != '\0' &&
           now_us < grant->expires_at_us - clock_sooner_us(life_us / 8, LIFE_MARGIN_MAX_US);
}
