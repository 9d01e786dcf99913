/*
 * What the people who run the service ask it: is it alive (/healthz), may it get traffic (/readyz),
 * how is it doing (/metrics).
 */
#ifndef COUNTERPART_HANDLERS_OPERATIONS_H
#define COUNTERPART_HANDLERS_OPERATIONS_H

#include "handlers/exchange.h"

void operations_healthz(struct exchange *exchange);
void operations_readyz(struct exchange *exchange);
void operations_metrics(struct exchange *exchange);

#endif
