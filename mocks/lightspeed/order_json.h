/*
 * Orders in JSON: as clients and registers send them, and as the cloud shows them (protocol
 * o-series 7.2, 7.3).
 */
#ifndef COUNTERPART_MOCKS_LIGHTSPEED_ORDER_JSON_H
#define COUNTERPART_MOCKS_LIGHTSPEED_ORDER_JSON_H

#include "mocks/lightspeed/order.h"

/* The whole order, as GET by id and webhooks show it. */
void order_write(const struct cloud *cloud, const struct order *order, struct jwrite *writer);
/* As lists show it. */
void order_write_abridged(const struct cloud *cloud, const struct order *order,
                          struct jwrite *writer);
void order_write_line(const struct cloud *cloud, const struct order *order, size_t index,
                      struct jwrite *writer);

/* All of these: false, and the answer is the refusal. What they fill may then be half filled. */

/* price_variation or price_fixed_variation, never both; without either it stays. */
MUST_CHECK bool order_read_variation(const struct jread *json, int exponent,
                                     struct variation *variation, struct answer *answer);
/* Everything but id, company, status, lines and payments. */
MUST_CHECK bool order_read_header(const struct cloud *cloud, const struct jread *json,
                                  struct order *order, struct answer *answer);
MUST_CHECK bool order_read_status(const struct jread *json, enum order_status *status,
                                  struct answer *answer);
/* A new line (is_new), or changes to one. A new one gets a line_id that its order does not have. */
MUST_CHECK bool order_read_line(struct cloud *cloud, const struct order *order,
                                const struct jread *json, bool is_new, struct line *line,
                                struct answer *answer);
/* One line object, or {"lines":[...]}, or an array, into a draft of the order. */
MUST_CHECK bool order_read_lines(struct cloud *cloud, const struct jread *json, struct order *order,
                                 struct answer *answer);

#endif
