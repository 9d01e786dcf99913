/*
 * O-Series loyalty: what the register asks while a cashier has a customer in front of them: who is
 * it, what may they have, and do it (protocol o-series section 3).
 */
#ifndef COUNTERPART_HANDLERS_LOYALTY_H
#define COUNTERPART_HANDLERS_LOYALTY_H

#include "handlers/exchange.h"

void loyalty_customer_search(struct exchange *exchange);
void loyalty_reward_lookup(struct exchange *exchange);
/* The only one that changes anything; HEAD does not. */
void loyalty_redeem(struct exchange *exchange);

/*
 * X-Kounta-Signature of a request whose signed bytes no text names: looked for over the empty text,
 * the query, path and query, the whole URL, the body. What it was over is logged, so that a pilot
 * answers the question (protocol o-series 12, rows 8 and 9). true: go on, by the tenant's
 * loyalty_signature_mode.
 */
bool loyalty_signature_is_accepted(struct exchange *exchange);

#endif
