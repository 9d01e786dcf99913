/*
 * A look at the order while the cashier waits (design section 4, rules 4 and 5): the ledger has
 * said RESULT_LOOK_FIRST, and only the order can tell whether the earlier charge was booked.
 */
#ifndef COUNTERPART_LIGHTSPEED_LOOK_H
#define COUNTERPART_LIGHTSPEED_LOOK_H

#include "lightspeed/booking.h"
#include "runtime/reader.h"

#define ORDER_LOOK_US (INT64_C(1200) * 1000)
/* What a look knows of the API's clock may be off by so much: a change counts as later only beyond
 * it. The API tells its time in whole seconds, and a reply may take ORDER_LOOK_US to come here. */
#define ORDER_LOOK_SKEW_US (INT64_C(5) * 1000000)

/* The extra bytes of its job. */
struct order_look {
    struct outbound *outbound;
    struct oseries_api *api;
    struct reader *reader; /* what else of ours is on the order */
    int64_t tenant_id, order_id;
    int64_t operation_id; /* the one that is searched for */
    int64_t generation, method_id;
    int64_t deadline_us; /* monotonic: job_end by then */
    /* out */
    struct order_evidence evidence;
};
/* job_begin_fn (exchange_offer_outbound). job->error is 0 whatever the API says: then
 * EVIDENCE_UNREADABLE. */
void order_look_begin(struct job *job);

/* Operations on one order that are matched with its payments; with more nothing is read from it. A
 * sale has a handful. */
#define ORDER_LOOK_OPERATIONS_MAX 128
/* Pure: the charges and refunds among an order's successful operations (in id order), as the order
 * should show them; returns how many. bookings: as many as operations. */
int32_t order_bookings_make(const struct operation *operations, int32_t count,
                            struct booking *bookings);
/* Pure: what an order that was read says of one of our operations on it. ahead_us: of our steady
 * clock, by which operations are dated, the clock by which the API dates its orders. */
void order_evidence_make(const struct oseries_order *order, const struct booking *bookings,
                         int32_t count, const struct operation *earlier, int64_t ahead_us,
                         int64_t generation, int64_t method_id, struct order_evidence *evidence);

#endif
