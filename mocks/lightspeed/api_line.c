/* Lines, payments and notifications of an order over the API. */
#include "mocks/lightspeed/api.h"

#include "base/error.h"
#include "mocks/lightspeed/field.h"
#include "mocks/lightspeed/sale.h"

#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

/* --- lines */

void api_line_list(struct cloud *cloud, struct call *call, struct answer *answer)
{
    const struct order *order = api_order(cloud, call, answer);
    if (order == NULL)
        return;
    jwrite_array_begin(&answer->writer);
    for (size_t i = 0; i < order->line_count; i++)
        order_write_line(cloud, order, i, &answer->writer);
    jwrite_array_end(&answer->writer);
}

void api_line_post(struct cloud *cloud, struct call *call, struct answer *answer)
{
    struct order *order = api_order(cloud, call, answer);
    const struct jread *json = order == NULL ? NULL : call_json_any(call, answer);
    size_t number;
    if (json != NULL && sale_add_lines(cloud, order, call->application, json, &number, answer))
        answer_created(answer, call, "/v1/companies/%lld/orders/%lld/lines/%zu",
                       (long long)order->company_id, (long long)order->id, number);
}

void api_line_put(struct cloud *cloud, struct call *call, struct answer *answer)
{
    struct order *order = api_order(cloud, call, answer);
    const struct jread *json = order == NULL ? NULL : call_json(call, answer);
    if (json != NULL &&
        sale_change_line(cloud, order, call->application, call->ids[1], json, answer))
        answer_updated(answer);
}

void api_line_delete(struct cloud *cloud, struct call *call, struct answer *answer)
{
    struct order *order = api_order(cloud, call, answer);
    if (order != NULL && sale_remove_line(cloud, order, call->application, call->ids[1], answer))
        answer_empty(answer, 204);
}

/* --- payments: can be added and put, neither read nor deleted (protocol o-series 7.4) */

void api_payment_post(struct cloud *cloud, struct call *call, struct answer *answer)
{
    struct order *order = api_order(cloud, call, answer);
    const struct jread *json = order == NULL ? NULL : call_json(call, answer);
    size_t number;
    if (json != NULL && sale_pay(cloud, order, call->application, json, &number, answer))
        answer_created(answer, call, "/v1/companies/%lld/orders/%lld/payments/%zu",
                       (long long)order->company_id, (long long)order->id, number);
}

void api_payment_put(struct cloud *cloud, struct call *call, struct answer *answer)
{
    struct order *order = api_order(cloud, call, answer);
    const struct jread *json = order == NULL ? NULL : call_json(call, answer);
    if (json != NULL &&
        sale_change_payment(cloud, order, call->application, call->ids[1], json, answer))
        answer_updated(answer);
}

/* --- notifications */

#define MESSAGE_CHARACTERS_MAX 300

static const struct field NOTIFICATION[] = {
    FIELD_OF_TEXT(struct notification, broadcast_level, "broadcast_level", true),
    FIELD_OF_TEXT(struct notification, alert_colour, "alert_colour", true),
    FIELD_OF_TEXT(struct notification, message, "message", true),
    FIELD_OF_INT(struct notification, duration_s, "duration", 3, 60, true),
};

static bool is_one_of(const char *value, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(value, words[i]) == 0)
            return true;
    return false;
}

static size_t count_characters(struct text text)
{
    size_t count = 0;
    for (size_t i = 0; i < text.length; i++)
        count += ((unsigned char)text.base[i] & 0xC0) != 0x80;
    return count;
}

static bool ids_are_good(const struct jread *json, const char *name)
{
    const struct jread *list = jread_member(json, name);
    int64_t id;
    bool is_good = list == NULL || jread_kind_of(list) == JREAD_ARRAY;
    for (size_t i = 0; i < jread_count(list); i++)
        is_good = is_good && jread_int64(jread_element(list, i), &id) == 0;
    return is_good;
}

static bool notification_read(const struct jread *json, struct notification *notification,
                              struct answer *answer)
{
    static const char *const levels[] = {"now", "order"};
    static const char *const colours[] = {"green", "orange", "red"};
    if (!fields_read(NOTIFICATION, COUNT_OF(NOTIFICATION), 2, true, json, notification, answer))
        return false;
    if (!is_one_of(notification->broadcast_level, levels, COUNT_OF(levels)))
        answer_bad(answer, "broadcast_level: now or order wanted.");
    else if (!is_one_of(notification->alert_colour, colours, COUNT_OF(colours)))
        answer_bad(answer, "alert_colour: green, orange or red wanted.");
    else if (count_characters(text_of(notification->message)) > MESSAGE_CHARACTERS_MAX)
        answer_bad(answer, "message: at most 300 characters.");
    else if (!ids_are_good(json, "register_ids") || !ids_are_good(json, "staff_ids"))
        answer_bad(answer, "register_ids and staff_ids: lists of ids wanted.");
    else
        return true;
    return false;
}

void api_notification_post(struct cloud *cloud, struct call *call, struct answer *answer)
{
    struct order *order = api_order(cloud, call, answer);
    const struct jread *json = order == NULL ? NULL : call_json(call, answer);
    struct notification notification = {0};
    if (json == NULL || !notification_read(json, &notification, answer))
        return;
    if (order->notification_count == NOTIFICATIONS_MAX) {
        answer_bad(answer, "An order has at most 5 notifications.");
        return;
    }
    size_t size = (order->notification_count + 1) * sizeof(notification);
    struct notification *all = realloc(order->notifications, size);
    if (all == NULL) {
        answer_error(answer, 503, "no_memory", "Out of memory.");
        return;
    }
    notification.id = (int64_t)order->notification_count + 1;
    order->notifications = all;
    all[order->notification_count++] = notification;
    answer_created(answer, call, "/v1/companies/%lld/orders/%lld/notifications/%lld",
                   (long long)order->company_id, (long long)order->id, (long long)notification.id);
}
