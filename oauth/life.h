/*
 * The life of a grant, without its effects: one enum, one table of allowed moves, one function that
 * makes them; and what follows from a grant's times. All of it is pure; times are as in
 * store/grant.h, in microseconds.
 *
 *     READY -> LEASING -> ASKING -> WRITING -> READY        a refresh
 *                           |          ^  |
 *                           +-> READING +  +-> ENDED        invalid_grant: reconnect required
 *                                          +-> ABSENT       somebody else has revoked it
 */
#ifndef COUNTERPART_OAUTH_LIFE_H
#define COUNTERPART_OAUTH_LIFE_H

#include "store/grant.h"

enum life_phase {
    LIFE_ABSENT,   /* no grant, or it was revoked */
    LIFE_READY,    /* connected; the next refresh is scheduled */
    LIFE_ENDED,    /* reconnect required: nothing is tried until a person does something */
    LIFE_LEASING,  /* taking the right to refresh */
    LIFE_ASKING,   /* the token endpoint has been asked */
    LIFE_WRITING,  /* what it said is being written; used only after that */
    LIFE_READING,  /* reading what the store holds: somebody else may have written */
    LIFE_CHANGING, /* a person's change is being written: connected, revoked */
    LIFE_PHASES,
};
/* CHECKs that the move is in the table. */
void life_move(enum life_phase *phase, enum life_phase to);
/* Nothing is under way. */
bool life_is_resting(enum life_phase phase);
/* Where a grant rests. version 0: there is none. */
enum life_phase life_rest_of(const struct grant *grant);

#define LIFE_BACKOFF_MIN_US (INT64_C(1) * 1000000)
#define LIFE_BACKOFF_MAX_US (INT64_C(300) * 1000000)
/* A token is not given to anybody shortly before its end: it would arrive too late. At most this
 * long before; of short lives an eighth. */
#define LIFE_MARGIN_MAX_US (INT64_C(5) * 1000000)
#define LIFE_NEVER_US INT64_MAX

/* Times that lie in the future were written while the wall clock ran ahead. How old such a pair is
 * nobody knows: it counts as due now. */
void life_doubt_future(struct grant *grant, int64_t now_us);
/* The next attempt: at 75 % of the pair's life, and refresh_max_us after it was obtained at latest;
 * after failures 1 s, 2 s, 4 s ... 5 min after the latest. LIFE_NEVER_US for what is not connected
 * or has no end. */
int64_t life_next_attempt_us(const struct grant *grant, int64_t refresh_max_us);
/* From when on somebody should act: at once when a reconnect is required; when refreshes have
 * failed for a quarter of the life that was left when they were due, which is before its end. */
int64_t life_alarm_us(const struct grant *grant, int64_t refresh_max_us);
/* Is the access token there and good for a call that starts now? */
bool life_is_usable(const struct grant *grant, int64_t now_us);

#endif
