/*
 * Which sale does a refund give back? The register tells the order of the refund; the API knows
 * whether that order gives back another one (o-series 2.5). A cashier waits, so it is asked once,
 * briefly, and no answer is an answer: then nothing is known of the sale.
 */
#ifndef COUNTERPART_LIGHTSPEED_REFUND_H
#define COUNTERPART_LIGHTSPEED_REFUND_H

#include "lightspeed/oseries_api.h"

#define REFUND_LOOK_US (INT64_C(1200) * 1000)

/* The extra bytes of its job. */
struct refund_look {
    struct oseries_api *api;
    int64_t tenant_id, order_id;
    int64_t deadline_us; /* monotonic: job_end by then */
    /* out: 0 when the order is not read in time, is no refund, or names no other order */
    int64_t refunded_order_id;
};
/* job_begin_fn (exchange_submit_outbound). job->error is 0 whatever the API says. */
void refund_look_begin(struct job *job);

#endif
