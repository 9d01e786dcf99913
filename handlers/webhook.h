/*
 * Webhooks from Lightspeed: told that an order has changed, we store that as work and answer at
 * once. The body is never evidence (design section 7): all that is read of it is which order, and
 * which version of it; what follows is decided on the order as the API shows it.
 */
#ifndef COUNTERPART_HANDLERS_WEBHOOK_H
#define COUNTERPART_HANDLERS_WEBHOOK_H

#include "handlers/exchange.h"

/*
 * orders/completed and orders/deleted: 200 {} when it is stored, also when it was stored before;
 * 400 when the body names no order; 503 when it cannot be stored, for them to send it again.
 */
void webhook_order_completed(struct exchange *exchange);
void webhook_order_deleted(struct exchange *exchange);
/* Any other topic: 200 {}, counted under its route's name, and nothing else. */
void webhook_other(struct exchange *exchange);

#endif
