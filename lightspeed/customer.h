/*
 * Who a Lightspeed customer is to us: our member id that the register has linked, or failing that
 * an e-mail address. For the rewards look-up, which may carry nothing but a customer_id.
 */
#ifndef COUNTERPART_LIGHTSPEED_CUSTOMER_H
#define COUNTERPART_LIGHTSPEED_CUSTOMER_H

#include "lightspeed/oseries_api.h"

/* The extra bytes of its job. */
struct customer_look {
    struct oseries_api *api;
    int64_t tenant_id, customer_id;
    int64_t deadline_us; /* monotonic: job_end by then */
    /* out */
    bool is_found;
    struct oseries_customer customer;
    struct job *job; /* its own */
};
/* job_begin_fn (exchange_submit_outbound). job->error: 0, also when there is no such customer; else
 * those of api_result. */
void customer_look_begin(struct job *job);

#endif
