/*
 * Budgets of misses that several processes share through a Redis (store/budget.h). Without one, or
 * while it is away, every process counts for itself.
 */
#ifndef COUNTERPART_HANDLERS_BUDGET_SHARE_H
#define COUNTERPART_HANDLERS_BUDGET_SHARE_H

#include "handlers/exchange.h"

/* Before something that can be guessed is tried: learns what other processes have counted, then
 * calls on_turn; at once where nobody can be asked. */
void budget_share_read(struct exchange *exchange, const struct budget_keys *keys,
                       exchange_turn_fn on_turn);
/* After a miss that was counted here. On the loop's thread; keys are copied. */
void budget_share_miss(struct exchange_loop *loop, const struct budget_keys *keys);

#endif
