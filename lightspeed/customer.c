/* Asks the API about one customer, for a request that waits. */
#include "lightspeed/customer.h"

#include "runtime/queue.h"

#include "base/banned.h"

static void on_customer(void *context, const struct api_result *result,
                        const struct oseries_customer *customer)
{
    struct customer_look *look = context;
    look->is_found = result->error == 0;
    if (look->is_found)
        look->customer = *customer;
    job_end(look->job, result->error == ERR_NOT_FOUND ? 0 : result->error);
}

void customer_look_begin(struct job *job)
{
    struct customer_look *look = (struct customer_look *)(job + 1);
    const struct api_call call = {
        .tenant_id = look->tenant_id, .priority = API_WAITING, .deadline_us = look->deadline_us};
    CHECK(look->customer_id > 0);
    look->job = job;
    oseries_api_get_customer(look->api, &call, look->customer_id, on_customer, look);
}
