/* Reads a refund's order to find the sale that it gives back. */
#include "lightspeed/refund.h"

#include "base/log.h"
#include "runtime/queue.h"

#include "base/banned.h"

static void on_order(void *context, const struct api_result *result,
                     const struct oseries_order *order)
{
    struct job *job = context;
    struct refund_look *look = (struct refund_look *)(job + 1);
    bool is_quiet =
        result->error == 0 || result->error == ERR_NOT_CONNECTED || result->error == ERR_NO_APP;
    if (result->error == 0 && order->is_refund && order->refunded_order_id != look->order_id)
        look->refunded_order_id = order->refunded_order_id;
    if (!is_quiet)
        log_event(LOG_WARNING, "refund_not_looked_up", LOG_INT("tenant_id", look->tenant_id),
                  LOG_INT("order_id", look->order_id), LOG_TEXT("error", error_name(result->error)),
                  LOG_INT("status", result->status));
    job_end(job, 0);
}

void refund_look_begin(struct job *job)
{
    struct refund_look *look = (struct refund_look *)(job + 1);
    const struct api_call call = {
        .tenant_id = look->tenant_id, .priority = API_WAITING, .deadline_us = look->deadline_us};
    oseries_api_get_order(look->api, &call, look->order_id, on_order, job);
}
