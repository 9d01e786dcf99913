/*
 * How many calls one grant may make: a token bucket that keeps any minute below 80 % of the API's
 * limit, and what the API itself says of it. Pure: the clocks are passed in.
 *
 * The bucket holds a fifth of the limit and gains three fifths a minute, so a burst upon the full
 * flow is 80 % at most, whichever minute is looked at (but of a limit of 1, where that would be
 * nothing, it is that 1). Background work leaves half of the bucket to waiting cashiers, and stops
 * when the API says that no more than a fifth of its limit is left; a cashier may go on until
 * nothing is.
 */
#ifndef COUNTERPART_LIGHTSPEED_RATE_H
#define COUNTERPART_LIGHTSPEED_RATE_H

#include "lightspeed/oseries_api.h"

#define RATE_LIMIT_BEARER 180 /* calls a minute (protocol o-series 7.1) */
#define RATE_LIMIT_BASIC 60
#define RATE_PAUSE_US (INT64_C(2) * 1000000) /* after a 429 that says nothing */
#define RATE_PAUSE_MAX_US (INT64_C(120) * 1000000)

struct rate {
    int64_t limit;        /* a minute */
    int64_t level;        /* of the bucket, in calls x RATE_MINUTE_US; below 0: in debt */
    int64_t filled_at_us; /* monotonic, as all times here */
    int64_t paused_until_us;
    int64_t remaining; /* what the API said, less what was taken since; -1: not known */
    int64_t reset_at_us;
    int32_t under_way; /* calls taken and not ended */
};
#define RATE_MINUTE_US (INT64_C(60) * 1000000)

void rate_init(struct rate *rate, int64_t limit, int64_t now_us);
/* Another limit, as the kind of the grant or the API says; the bucket keeps its share. */
void rate_set_limit(struct rate *rate, int64_t limit, int64_t now_us);

/* true: the call may be made now, and rate_end must follow. */
MUST_CHECK bool rate_take(struct rate *rate, enum api_priority priority, int64_t now_us);
/* A repetition that cannot wait: taken in any case, on credit. */
void rate_force(struct rate *rate, int64_t now_us);
/* When rate_take is worth trying again; now_us: at once. */
int64_t rate_due_us(const struct rate *rate, enum api_priority priority, int64_t now_us);

/* The call has ended; reply: what the API said of the rate, or NULL (nothing came). wall_us: for
 * X-Ratelimit-Reset, which is a point of the wall clock. */
void rate_end(struct rate *rate, const struct outbound_reply *reply, int64_t now_us,
              int64_t wall_us);
/* It was not made after all. */
void rate_return(struct rate *rate);

#endif
