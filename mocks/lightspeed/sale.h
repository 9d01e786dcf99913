/*
 * What can be done to an order, whoever does it: a client over the API, or a register over the
 * control address. Keeps stock and totals right and sets off the webhooks. A register is a NULL
 * application and may do what a client may not.
 */
#ifndef COUNTERPART_MOCKS_LIGHTSPEED_SALE_H
#define COUNTERPART_MOCKS_LIGHTSPEED_SALE_H

#include "mocks/lightspeed/order_json.h"

/* NULL or false: the answer is the refusal, and nothing has changed. */

struct order *sale_create(struct cloud *cloud, const struct company *company,
                          const struct application *application, int64_t site_id,
                          const struct jread *json, struct answer *answer);
/* Header fields, variation and status. */
MUST_CHECK bool sale_update(struct cloud *cloud, struct order *order,
                            const struct application *application, const struct jread *json,
                            struct answer *answer);
/* *number is the position of the first new line. */
MUST_CHECK bool sale_add_lines(struct cloud *cloud, struct order *order,
                               const struct application *application, const struct jread *json,
                               size_t *number, struct answer *answer);
/* number from 1. */
MUST_CHECK bool sale_change_line(struct cloud *cloud, struct order *order,
                                 const struct application *application, int64_t number,
                                 const struct jread *json, struct answer *answer);
MUST_CHECK bool sale_remove_line(struct cloud *cloud, struct order *order,
                                 const struct application *application, int64_t number,
                                 struct answer *answer);
/* *number is the new payment's, from 1. */
MUST_CHECK bool sale_pay(struct cloud *cloud, struct order *order,
                         const struct application *application, const struct jread *json,
                         size_t *number, struct answer *answer);
MUST_CHECK bool sale_change_payment(struct cloud *cloud, struct order *order,
                                    const struct application *application, int64_t number,
                                    const struct jread *json, struct answer *answer);
/* A register's alone. What is still due is paid by method_id before; 0: refuse when due. */
MUST_CHECK bool sale_complete(struct cloud *cloud, struct order *order, int64_t method_id,
                              struct answer *answer);
void sale_delete(struct cloud *cloud, struct order *order);

/* --- sale_move.c: a register's alone, too. Payments keep their ids and get new numbers. */

/* Open again, on till (of its company) or, with NULL, where it was. */
void sale_reopen(struct cloud *cloud, struct order *order, const struct till *till);
/* The lines and payments that json names by their numbers, to a new order on the same register or
 * on json's register_id. */
struct order *sale_split(struct cloud *cloud, struct order *order, const struct jread *json,
                         struct answer *answer);
/* All lines and payments to into; what is left of order is deleted. */
MUST_CHECK bool sale_merge(struct cloud *cloud, struct order *order, struct order *into,
                           struct answer *answer);

/* --- what both files use */

/* Every change ends here. */
void sale_changed(struct cloud *cloud, struct order *order, enum order_status before);
/* A draft of an order that may still be changed; a register may change what is not closed. */
MUST_CHECK bool sale_draft(const struct order *order, struct order *draft, struct answer *answer);
/* false; the draft is dropped, and the answer says why (NULL: it does already). */
MUST_CHECK bool sale_refuse(struct order *draft, struct answer *answer, const char *why);
void sale_draft_number(struct cloud *cloud, struct order *draft);      /* unless it has one */
void sale_draft_delay(const struct cloud *cloud, struct order *draft); /* from now on */

#endif
