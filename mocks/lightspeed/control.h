/*
 * The control address, /_cloud: the register's side of things, and every switch (README.md). JSON
 * in and out, nobody asks who calls.
 */
#ifndef COUNTERPART_MOCKS_LIGHTSPEED_CONTROL_H
#define COUNTERPART_MOCKS_LIGHTSPEED_CONTROL_H

#include "mocks/lightspeed/cloud.h"

void control_answer(struct cloud *cloud, struct call *call, struct answer *answer);

/* control_record.c: POST and PUT of companies, sites, registers, payment_methods, products,
 * customers and applications. false: the path names none of them. */
MUST_CHECK bool control_record(struct cloud *cloud, struct call *call, struct answer *answer);
/* All of one kind, as array: for GET /_cloud/state. */
void control_write_records(const struct cloud *cloud, const char *kind, struct jwrite *writer);

/* control_order.c */
void control_order_list(struct cloud *cloud, struct call *call, struct answer *answer);
void control_order_post(struct cloud *cloud, struct call *call, struct answer *answer);
void control_order_get(struct cloud *cloud, struct call *call, struct answer *answer);
void control_order_put(struct cloud *cloud, struct call *call, struct answer *answer);
void control_order_notifications(struct cloud *cloud, struct call *call, struct answer *answer);
void control_order_pay(struct cloud *cloud, struct call *call, struct answer *answer);
void control_order_add_lines(struct cloud *cloud, struct call *call, struct answer *answer);
void control_order_put_line(struct cloud *cloud, struct call *call, struct answer *answer);
void control_order_remove_line(struct cloud *cloud, struct call *call, struct answer *answer);
void control_order_complete(struct cloud *cloud, struct call *call, struct answer *answer);
void control_order_delete(struct cloud *cloud, struct call *call, struct answer *answer);
void control_order_reopen(struct cloud *cloud, struct call *call, struct answer *answer);
void control_order_split(struct cloud *cloud, struct call *call, struct answer *answer);
void control_order_merge(struct cloud *cloud, struct call *call, struct answer *answer);
void control_order_hide(struct cloud *cloud, struct call *call, struct answer *answer);
void control_order_show(struct cloud *cloud, struct call *call, struct answer *answer);
void control_notifications(struct cloud *cloud, struct call *call, struct answer *answer);
void control_webhook_send(struct cloud *cloud, struct call *call, struct answer *answer);

/* control_checkin.c: as a customer's telephone does it. */
void control_checkins_get(struct cloud *cloud, struct call *call, struct answer *answer);
void control_checkins_post(struct cloud *cloud, struct call *call, struct answer *answer);
void control_checkins_delete(struct cloud *cloud, struct call *call, struct answer *answer);
/* Whole, as array, at most ORDERS_SHOWN_MAX: from an id on, or (0) the newest. */
#define ORDERS_SHOWN_MAX 1000
void control_write_orders(const struct cloud *cloud, int64_t from_id, struct jwrite *writer);
/* All of all orders, as array. */
void control_write_notifications(const struct cloud *cloud, struct jwrite *writer);

/* control_state.c */
void control_state(struct cloud *cloud, struct call *call, struct answer *answer);
void control_requests(struct cloud *cloud, struct call *call, struct answer *answer);
void control_grants(struct cloud *cloud, struct call *call, struct answer *answer);
void control_deliveries(struct cloud *cloud, struct call *call, struct answer *answer);
void control_settings_get(struct cloud *cloud, struct call *call, struct answer *answer);
void control_settings_put(struct cloud *cloud, struct call *call, struct answer *answer);
void control_revoke(struct cloud *cloud, struct call *call, struct answer *answer);

#endif
