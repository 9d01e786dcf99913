/* What a register does to orders, over the control address. */
#include "mocks/lightspeed/control.h"
#include "mocks/lightspeed/sale.h"
#include "mocks/lightspeed/webhook.h"

#include "base/error.h"
#include "mocks/lightspeed/field.h"

#include <string.h>

#include "base/banned.h"

void control_write_orders(const struct cloud *cloud, int64_t from_id, struct jwrite *writer)
{
    size_t count = cloud->orders.count;
    size_t first = count > ORDERS_SHOWN_MAX ? count - ORDERS_SHOWN_MAX : 0;
    if (from_id != 0)
        first = table_lower_bound(&cloud->orders, from_id);
    jwrite_array_begin(writer);
    for (size_t i = first; i < count && i - first < ORDERS_SHOWN_MAX; i++)
        order_write(cloud, cloud->orders.records[i], writer);
    jwrite_array_end(writer);
}

/* start: from this id on. */
void control_order_list(struct cloud *cloud, struct call *call, struct answer *answer)
{
    char digits[32];
    int64_t from_id = 0;
    if (call_query(call, "start", digits, sizeof(digits)) &&
        (text_parse_int64(text_of(digits), &from_id) != 0 || from_id <= 0))
        answer_bad(answer, "start: an id wanted.");
    else
        control_write_orders(cloud, from_id, &answer->writer);
}

static const struct field NOTIFICATION[] = {
    FIELD_OF_INT(struct notification, id, "id", 0, 0, false),
    FIELD_OF_TEXT(struct notification, broadcast_level, "broadcast_level", false),
    FIELD_OF_TEXT(struct notification, alert_colour, "alert_colour", false),
    FIELD_OF_TEXT(struct notification, message, "message", false),
    FIELD_OF_INT(struct notification, duration_s, "duration", 0, 0, false),
};

static void write_notifications(const struct order *order, struct jwrite *writer)
{
    for (size_t i = 0; i < order->notification_count; i++) {
        jwrite_object_begin(writer);
        jwrite_named_int(writer, "order_id", order->id);
        fields_write(NOTIFICATION, COUNT_OF(NOTIFICATION), 2, &order->notifications[i], writer);
        jwrite_object_end(writer);
    }
}

void control_write_notifications(const struct cloud *cloud, struct jwrite *writer)
{
    jwrite_array_begin(writer);
    for (size_t i = 0; i < cloud->orders.count; i++)
        write_notifications(cloud->orders.records[i], writer);
    jwrite_array_end(writer);
}

void control_notifications(struct cloud *cloud, struct call *call, struct answer *answer)
{
    (void)call;
    control_write_notifications(cloud, &answer->writer);
}

static struct order *find_order(const struct cloud *cloud, const struct call *call,
                                struct answer *answer)
{
    struct order *order = table_find(&cloud->orders, call->ids[0]);
    if (order == NULL)
        answer_not_found(answer, "order");
    return order;
}

/* Every change answers with the order as it now is. */
static void show(const struct cloud *cloud, const struct order *order, int status,
                 struct answer *answer)
{
    answer->status = status;
    order_write(cloud, order, &answer->writer);
}

void control_order_get(struct cloud *cloud, struct call *call, struct answer *answer)
{
    const struct order *order = find_order(cloud, call, answer);
    if (order != NULL)
        show(cloud, order, 200, answer);
}

/* What the register's screen has shown of it, oldest first. */
void control_order_notifications(struct cloud *cloud, struct call *call, struct answer *answer)
{
    const struct order *order = find_order(cloud, call, answer);
    struct jwrite *writer = &answer->writer;
    if (order == NULL)
        return;
    jwrite_array_begin(writer);
    for (size_t i = 0; i < order->notification_count; i++) {
        const struct notification *each = &order->notifications[i];
        jwrite_object_begin(writer);
        jwrite_named_int(writer, "id", each->id);
        jwrite_named_text(writer, "broadcast_level", each->broadcast_level);
        jwrite_named_text(writer, "alert_colour", each->alert_colour);
        jwrite_named_text(writer, "message", each->message);
        jwrite_named_int(writer, "duration", each->duration_s);
        jwrite_object_end(writer);
    }
    jwrite_array_end(writer);
}

/* A number in the JSON; otherwise stays as it is. */
static void take_id(const struct jread *json, const char *name, int64_t *id)
{
    int64_t number;
    if (jread_int64(jread_member(json, name), &number) == 0)
        *id = number;
}

/* The company is that of the register, of the site, or the one named. */
static const struct company *find_company(const struct cloud *cloud, const struct jread *json,
                                          int64_t *site_id)
{
    int64_t till_id = 0;
    take_id(json, "register_id", &till_id);
    const struct till *till = table_find(&cloud->tills, till_id);
    if (till != NULL)
        *site_id = till->site_id;
    take_id(json, "site_id", site_id);
    const struct site *site = table_find(&cloud->sites, *site_id);
    const struct application *first = cloud->applications.records[0]; /* the demo application */
    int64_t id = site != NULL ? site->company_id : first->own_company_id;
    take_id(json, "company_id", &id);
    return cloud_company(cloud, id);
}

static int64_t first_site_id(const struct cloud *cloud, int64_t company_id)
{
    for (size_t i = 0; i < cloud->sites.count; i++) {
        const struct site *site = cloud->sites.records[i];
        if (site->company_id == company_id)
            return site->id;
    }
    return 0;
}

void control_order_post(struct cloud *cloud, struct call *call, struct answer *answer)
{
    const struct jread *json = call_json(call, answer);
    if (json == NULL)
        return;
    int64_t site_id = 0;
    const struct company *company = find_company(cloud, json, &site_id);
    if (company == NULL) {
        answer_bad(answer, "company_id: no such company.");
        return;
    }
    if (site_id == 0)
        site_id = first_site_id(cloud, company->id);
    const struct order *order = sale_create(cloud, company, NULL, site_id, json, answer);
    if (order != NULL)
        show(cloud, order, 201, answer);
}

void control_order_put(struct cloud *cloud, struct call *call, struct answer *answer)
{
    struct order *order = find_order(cloud, call, answer);
    const struct jread *json = order == NULL ? NULL : call_json(call, answer);
    if (json != NULL && sale_update(cloud, order, NULL, json, answer))
        show(cloud, order, 200, answer);
}

void control_order_pay(struct cloud *cloud, struct call *call, struct answer *answer)
{
    struct order *order = find_order(cloud, call, answer);
    const struct jread *json = order == NULL ? NULL : call_json(call, answer);
    size_t number;
    if (json != NULL && sale_pay(cloud, order, NULL, json, &number, answer))
        show(cloud, order, 201, answer);
}

void control_order_add_lines(struct cloud *cloud, struct call *call, struct answer *answer)
{
    struct order *order = find_order(cloud, call, answer);
    const struct jread *json = order == NULL ? NULL : call_json_any(call, answer);
    size_t number;
    if (json != NULL && sale_add_lines(cloud, order, NULL, json, &number, answer))
        show(cloud, order, 201, answer);
}

void control_order_put_line(struct cloud *cloud, struct call *call, struct answer *answer)
{
    struct order *order = find_order(cloud, call, answer);
    const struct jread *json = order == NULL ? NULL : call_json(call, answer);
    if (json != NULL && sale_change_line(cloud, order, NULL, call->ids[1], json, answer))
        show(cloud, order, 200, answer);
}

void control_order_remove_line(struct cloud *cloud, struct call *call, struct answer *answer)
{
    struct order *order = find_order(cloud, call, answer);
    if (order != NULL && sale_remove_line(cloud, order, NULL, call->ids[1], answer))
        show(cloud, order, 200, answer);
}

/* The first of the merchant's own payment methods of that name; without a name the first. */
static int64_t find_method_id(const struct cloud *cloud, const struct order *order,
                              struct text name)
{
    for (size_t i = 0; i < cloud->methods.count; i++) {
        const struct method *method = cloud->methods.records[i];
        if (method->company_id == order->company_id && method->is_active &&
            (name.length == 0 ? method->application_id == 0
                              : text_equal(text_of(method->name), name)))
            return method->id;
    }
    return 0;
}

/* pay_rest: the name of a payment method, or false. Without it, cash. */
void control_order_complete(struct cloud *cloud, struct call *call, struct answer *answer)
{
    struct order *order = find_order(cloud, call, answer);
    const struct jread *json = order == NULL ? NULL : call_json(call, answer);
    if (json == NULL)
        return;
    const struct jread *rest = jread_member(json, "pay_rest");
    struct text name = TEXT("");
    bool is_wanted = true;
    if (rest != NULL && jread_text(rest, &name) != 0 && jread_bool(rest, &is_wanted) != 0) {
        answer_bad(answer, "pay_rest: the name of a payment method, or false, wanted.");
        return;
    }
    int64_t method_id = is_wanted ? find_method_id(cloud, order, name) : 0;
    if (sale_complete(cloud, order, method_id, answer))
        show(cloud, order, 200, answer);
}

/* What a register may say with an order that it deletes, opens again or hides. */
struct order_wish {
    int64_t register_id; /* 0: where it is */
    int64_t for_ms;      /* 0: until it is shown again */
    bool keeps_payments;
};

static const struct field WISH[] = {
    FIELD_OF_INT(struct order_wish, register_id, "register_id", 1, INT64_MAX, false),
    FIELD_OF_INT(struct order_wish, for_ms, "for_ms", 1, 86400000, false),
    FIELD_OF(struct order_wish, keeps_payments, "keep_payments", FIELD_BOOL),
};

/* The order, and the wish; no body is none. NULL: refused. */
static struct order *find_order_wish(struct cloud *cloud, struct call *call,
                                     struct order_wish *wish, struct answer *answer)
{
    struct order *order = find_order(cloud, call, answer);
    *wish = (struct order_wish){.keeps_payments = true};
    if (order == NULL || call->body.length == 0)
        return order;
    const struct jread *json = call_json(call, answer);
    if (json == NULL || !fields_are_known(WISH, COUNT_OF(WISH), NULL, json, answer) ||
        !fields_read(WISH, COUNT_OF(WISH), 2, true, json, wish, answer))
        return NULL;
    return order;
}

/* keep_payments false: what was paid is gone from the order too. */
void control_order_delete(struct cloud *cloud, struct call *call, struct answer *answer)
{
    struct order_wish wish;
    struct order *order = find_order_wish(cloud, call, &wish, answer);
    if (order == NULL)
        return;
    if (!wish.keeps_payments)
        order->payment_count = 0;
    sale_delete(cloud, order);
    show(cloud, order, 200, answer);
}

void control_order_reopen(struct cloud *cloud, struct call *call, struct answer *answer)
{
    struct order_wish wish;
    struct order *order = find_order_wish(cloud, call, &wish, answer);
    if (order == NULL)
        return;
    const struct till *till = cloud_till(cloud, order->company_id, wish.register_id);
    if (wish.register_id != 0 && till == NULL) {
        answer_bad(answer, "register_id: no such register of this company.");
        return;
    }
    sale_reopen(cloud, order, till);
    show(cloud, order, 200, answer);
}

/* Clients find it neither by id nor in lists; its webhooks go out as ever. */
void control_order_hide(struct cloud *cloud, struct call *call, struct answer *answer)
{
    struct order_wish wish;
    struct order *order = find_order_wish(cloud, call, &wish, answer);
    if (order == NULL)
        return;
    order->is_hidden = wish.for_ms == 0;
    order->shown_us = wish.for_ms == 0 ? 0 : cloud->mono_us + wish.for_ms * 1000;
    show(cloud, order, 200, answer);
}

void control_order_show(struct cloud *cloud, struct call *call, struct answer *answer)
{
    struct order *order = find_order(cloud, call, answer);
    if (order == NULL)
        return;
    order->is_hidden = false;
    order->shown_us = 0;
    show(cloud, order, 200, answer);
}

void control_order_split(struct cloud *cloud, struct call *call, struct answer *answer)
{
    struct order *order = find_order(cloud, call, answer);
    const struct jread *json = order == NULL ? NULL : call_json(call, answer);
    const struct order *made = json == NULL ? NULL : sale_split(cloud, order, json, answer);
    if (made != NULL)
        show(cloud, made, 201, answer);
}

void control_order_merge(struct cloud *cloud, struct call *call, struct answer *answer)
{
    struct order *order = find_order(cloud, call, answer);
    const struct jread *json = order == NULL ? NULL : call_json(call, answer);
    int64_t into_id = 0;
    if (json == NULL)
        return;
    take_id(json, "into", &into_id);
    struct order *into = table_find(&cloud->orders, into_id);
    if (into == NULL)
        answer_bad(answer, "into: no such order.");
    else if (sale_merge(cloud, order, into, answer))
        show(cloud, into, 200, answer);
}

/* An order to a webhook once more, whatever has happened to it. */
void control_webhook_send(struct cloud *cloud, struct call *call, struct answer *answer)
{
    const struct webhook *webhook = table_find(&cloud->webhooks, call->ids[0]);
    const struct jread *json = call_json(call, answer);
    int64_t order_id = 0;
    if (json == NULL)
        return;
    take_id(json, "order_id", &order_id);
    const struct order *order = table_find(&cloud->orders, order_id);
    if (webhook == NULL)
        answer_not_found(answer, "webhook");
    else if (order == NULL || !webhook_send_order(cloud, webhook, order))
        answer_bad(answer, "order_id: no such order of the webhook's company.");
    else
        answer_empty(answer, 204);
}
