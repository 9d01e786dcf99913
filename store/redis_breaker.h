/*
 * A circuit breaker: when a Redis fails or is silent several times in a row, nobody asks it any
 * more until a probe, which no request waits for, has worked. Pure; the caller passes the time.
 *
 *     CLOSED  -> OPEN     BREAKER_FAILURES_MAX failures in a row, or a lost connection
 *     OPEN    -> PROBING  when the pause is over; each pause is twice the one before
 *     PROBING -> CLOSED   the probe worked; the pauses start small again only with the first real
 *                         success after it, so that what answers probes alone is asked ever less
 *     PROBING -> OPEN     it did not
 */
#ifndef COUNTERPART_STORE_REDIS_BREAKER_H
#define COUNTERPART_STORE_REDIS_BREAKER_H

#include "base/check.h"

#include <stdbool.h>
#include <stdint.h>

/* One lost packet costs a look-up its 20 ms and nobody else anything; five in a row are no chance.
 */
#define BREAKER_FAILURES_MAX 5
#define BREAKER_PAUSE_MIN_US (INT64_C(50) * 1000)
#define BREAKER_PAUSE_MAX_US (INT64_C(2000) * 1000)

enum breaker_state {
    BREAKER_OPEN, /* zero: nobody has looked yet */
    BREAKER_PROBING,
    BREAKER_CLOSED,
};

struct breaker {
    enum breaker_state state;
    int32_t failures; /* in a row */
    int64_t pause_us; /* the last one; 0: none yet */
    int64_t open_until_us;
};

/* true, once: it is time for a probe, which the caller begins now. */
MUST_CHECK bool breaker_may_probe(struct breaker *breaker, int64_t now_us);
void breaker_note_probed(struct breaker *breaker);  /* the probe worked */
void breaker_note_success(struct breaker *breaker); /* of a request */
/* true: this failure opened it. */
bool breaker_note_failure(struct breaker *breaker, int64_t now_us);
/* The connection is gone, whatever the state was. */
void breaker_note_lost(struct breaker *breaker, int64_t now_us);

#endif
