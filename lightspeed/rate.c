/* The rate budget of one grant. */
#include "lightspeed/rate.h"

#include "base/error.h"

#include "base/banned.h"

#define LIMIT_MAX 100000 /* what a header may claim; keeps the products below 2^63 */
/* Below this a Reset is a number of seconds, not a point in time. */
#define RESET_SPAN_MAX_S 86400

/* --- the bucket, in calls x RATE_MINUTE_US ---------------------------------------------------- */

static int64_t at_least_one(int64_t calls)
{
    return calls < 1 ? 1 : calls;
}

static int64_t bucket_size(const struct rate *rate)
{
    return at_least_one(rate->limit / 5) * RATE_MINUTE_US;
}

/* Calls a minute, and so the gain of one microsecond. */
static int64_t bucket_gain(const struct rate *rate)
{
    return at_least_one(rate->limit * 3 / 5);
}

static int64_t level_at(const struct rate *rate, int64_t now_us)
{
    int64_t passed_us = now_us - rate->filled_at_us;
    int64_t size = bucket_size(rate);
    if (passed_us <= 0)
        return rate->level;
    if (passed_us > RATE_MINUTE_US)
        passed_us = RATE_MINUTE_US; /* a minute fills it from any debt that a level may have */
    int64_t level = rate->level + passed_us * bucket_gain(rate);
    return level > size ? size : level;
}

static void refill(struct rate *rate, int64_t now_us)
{
    rate->level = level_at(rate, now_us);
    rate->filled_at_us = now_us;
}

/* What must be in the bucket for a call of this priority. */
static int64_t level_wanted(const struct rate *rate, enum api_priority priority)
{
    int64_t kept_calls = priority == API_WAITING ? 0 : rate->limit / 5 / 2;
    return (kept_calls + 1) * RATE_MINUTE_US;
}

/* --- what the API says ------------------------------------------------------------------------ */

static bool api_allows(const struct rate *rate, enum api_priority priority, int64_t now_us)
{
    int64_t kept_calls = priority == API_WAITING ? 0 : rate->limit / 5;
    bool is_known = rate->remaining >= 0 && now_us < rate->reset_at_us;
    return !is_known || rate->remaining > kept_calls;
}

/* Microseconds from now; 0: nothing sensible was said. */
static int64_t reset_in_us(struct text text, int64_t wall_us)
{
    int64_t reset_s;
    if (text_parse_int64(text, &reset_s) != 0 || reset_s <= 0 || reset_s > INT64_MAX / 2000000)
        return 0;
    int64_t in_us = reset_s * 1000000;
    if (reset_s > RESET_SPAN_MAX_S)
        in_us -= wall_us;
    return in_us < 0 || in_us > RATE_PAUSE_MAX_US ? 0 : in_us;
}

static void pause_rate(struct rate *rate, const struct outbound_reply *reply, int64_t now_us,
                       int64_t wall_us)
{
    int64_t pause_us = reset_in_us(reply->ratelimit_reset, wall_us);
    int64_t after_s;
    if (pause_us == 0 && text_parse_int64(reply->retry_after, &after_s) == 0 && after_s > 0)
        pause_us = after_s > RATE_PAUSE_MAX_US / 1000000 ? RATE_PAUSE_MAX_US : after_s * 1000000;
    if (pause_us == 0)
        pause_us = RATE_PAUSE_US;
    if (rate->paused_until_us < now_us + pause_us)
        rate->paused_until_us = now_us + pause_us;
}

static void learn(struct rate *rate, const struct outbound_reply *reply, int64_t now_us,
                  int64_t wall_us)
{
    int64_t limit, remaining, reset_us = reset_in_us(reply->ratelimit_reset, wall_us);
    if (text_parse_int64(reply->ratelimit_limit, &limit) == 0 && limit > 0)
        rate_set_limit(rate, limit, now_us);
    if (text_parse_int64(reply->ratelimit_remaining, &remaining) == 0 && remaining >= 0) {
        /* Those still under way may not have been counted when this was said. */
        rate->remaining = remaining > rate->under_way ? remaining - rate->under_way : 0;
        rate->reset_at_us = now_us + (reset_us == 0 ? RATE_PAUSE_US : reset_us);
    }
    if (reply->status == 429)
        pause_rate(rate, reply, now_us, wall_us);
}

/* --- the calls -------------------------------------------------------------------------------- */

void rate_init(struct rate *rate, int64_t limit, int64_t now_us)
{
    *rate = (struct rate){.limit = limit, .filled_at_us = now_us, .remaining = -1};
    rate->level = bucket_size(rate);
}

void rate_set_limit(struct rate *rate, int64_t limit, int64_t now_us)
{
    if (limit > LIMIT_MAX)
        limit = LIMIT_MAX;
    if (limit == rate->limit)
        return;
    refill(rate, now_us);
    int64_t old_calls = bucket_size(rate) / RATE_MINUTE_US;
    rate->limit = limit;
    int64_t new_calls = bucket_size(rate) / RATE_MINUTE_US;
    /* At most LIMIT_MAX / 5 calls of 6 * 10^7 each, times as many: 2.4 * 10^16. */
    rate->level = rate->level * new_calls / old_calls;
}

static void take(struct rate *rate)
{
    rate->level -= RATE_MINUTE_US;
    rate->under_way++;
    if (rate->remaining > 0)
        rate->remaining--;
}

bool rate_take(struct rate *rate, enum api_priority priority, int64_t now_us)
{
    if (rate_due_us(rate, priority, now_us) > now_us)
        return false;
    refill(rate, now_us);
    take(rate);
    return true;
}

void rate_force(struct rate *rate, int64_t now_us)
{
    refill(rate, now_us);
    if (rate->level < RATE_MINUTE_US - bucket_size(rate))
        rate->level = RATE_MINUTE_US - bucket_size(rate); /* debts end somewhere */
    take(rate);
}

int64_t rate_due_us(const struct rate *rate, enum api_priority priority, int64_t now_us)
{
    int64_t due_us = now_us;
    int64_t missing = level_wanted(rate, priority) - level_at(rate, now_us);
    if (missing > 0)
        due_us += (missing + bucket_gain(rate) - 1) / bucket_gain(rate);
    if (due_us < rate->paused_until_us)
        due_us = rate->paused_until_us;
    if (!api_allows(rate, priority, now_us) && due_us < rate->reset_at_us)
        due_us = rate->reset_at_us;
    return due_us;
}

void rate_end(struct rate *rate, const struct outbound_reply *reply, int64_t now_us,
              int64_t wall_us)
{
    CHECK(rate->under_way > 0);
    rate->under_way--;
    if (reply != NULL)
        learn(rate, reply, now_us, wall_us);
}

void rate_return(struct rate *rate)
{
    CHECK(rate->under_way > 0);
    rate->under_way--;
    rate->level += RATE_MINUTE_US;
    if (rate->level > bucket_size(rate))
        rate->level = bucket_size(rate);
    if (rate->remaining >= 0)
        rate->remaining++;
}
