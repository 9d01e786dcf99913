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
void sale_reopen(struct cloud *cloud, struct order *order);

#endif
