/*
 * O-Series payments and gift cards: what the register POSTs to us (protocol o-series sections 2 and
 * 4).
 */
#ifndef COUNTERPART_HANDLERS_OSERIES_H
#define COUNTERPART_HANDLERS_OSERIES_H

#include "handlers/exchange.h"

void oseries_checkout(struct exchange *exchange);
void oseries_check_balance(struct exchange *exchange);
void oseries_top_up(struct exchange *exchange);
void oseries_refund(struct exchange *exchange);

#endif
