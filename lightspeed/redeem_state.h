/*
 * What redemption (redeem.c) and settling (redeem_settle.c) share; nobody else's. All of it belongs
 * to the outbound thread.
 *
 * A reservation is worked on by one of the two at a time: who begins asks the other first.
 */
#ifndef COUNTERPART_LIGHTSPEED_REDEEM_STATE_H
#define COUNTERPART_LIGHTSPEED_REDEEM_STATE_H

#include "base/clock.h"
#include "lightspeed/redeem.h"
#include "runtime/errand.h"
#include "store/foreign.h"

#include <stdatomic.h>

struct attempt; /* one redemption under way */
struct watch;   /* an open reservation that is being settled */

struct redeem {
    struct redeem_config config;
    struct attempt *attempts;
    int32_t attempt_count;
    struct watch *watches;
    int32_t watch_count;
    int32_t reads_under_way; /* of settling */
    bool is_note_lost; /* a note of an unsure one found no room: so none is trusted any more */
    bool is_reading;
    uint64_t scan_round;
    struct outbound_timer scan_timer;
    struct outbound_message begin_message;
    struct outbound_watch end_watch;
    bool is_ending;
    _Atomic uint64_t redeemed, refused, left_open, settled_burned, settled_returned;
    _Atomic int32_t open;
};

/* What the API said of a payment: kept with the move that it leads to. */
struct redeem_answer {
    bool is_there;
    int status; /* 0: no reply */
    char sentence[FOREIGN_TEXT_MAX + 1];
};

/* A move of a reservation on the committer's thread; the extra bytes of its errand. */
struct redeem_move {
    struct redeem_answer answer;
    struct points_command command;
    struct points_outcome outcome;
};
/* answer may be NULL. on_done finds a struct redeem_move in errand_data. false: memory is short,
 * and on_done will not come. */
MUST_CHECK bool redeem_move_begin(struct redeem *redeem, const struct reservation *reservation,
                                  enum points_action action, const char *reason,
                                  const struct redeem_answer *answer, errand_done_fn on_done,
                                  void *context);
/* Did the move do what it should, now or before? */
MUST_CHECK bool redeem_move_is_done(const struct errand *errand);

/* redeem.c: is a redemption working on it? */
MUST_CHECK bool redeem_works_on(const struct redeem *redeem, int64_t reservation_id);

/* redeem_settle.c */
void settle_begin(struct redeem *redeem);
void settle_finish(struct redeem *redeem); /* after outbound_stop */
/* Is it being read or moved at this moment? */
MUST_CHECK bool settle_works_on(const struct redeem *redeem, int64_t reservation_id);
/* What was read of it so far says nothing any more: it is being worked on. */
void settle_forget(struct redeem *redeem, int64_t reservation_id);
/* A change was sent and may still arrive, and that could not be written down. Kept until the
 * reservation ends. */
void settle_note_unsure(struct redeem *redeem, const struct reservation *reservation);
MUST_CHECK bool settle_knows_unsure(const struct redeem *redeem, int64_t reservation_id);

#endif
