/* Bills that are split, put together, and opened again elsewhere. */
#include "mocks/lightspeed/sale.h"

#include "mocks/lightspeed/webhook.h"

#include <string.h>

#include "base/banned.h"

/* --- reopening */

static void order_place(struct order *order, const struct till *till)
{
    if (till == NULL)
        return;
    order->register_id = till->id;
    order->site_id = till->site_id;
}

void sale_reopen(struct cloud *cloud, struct order *order, const struct till *till)
{
    enum order_status before = order->status;
    order->is_deleted = false;
    order->status = ORDER_PENDING;
    order_place(order, till);
    sale_changed(cloud, order, before);
}

/* --- splitting */

struct split_choice {
    bool lines[ORDER_LINES_MAX];
    bool payments[ORDER_PAYMENTS_MAX];
    size_t count; /* of both */
};

static bool choice_read(const struct jread *json, const char *name, size_t max, bool *flags,
                        size_t *count, struct answer *answer)
{
    const struct jread *list = jread_member(json, name);
    bool is_good = list == NULL || jread_kind_of(list) == JREAD_ARRAY;
    for (size_t i = 0; is_good && i < jread_count(list); i++) {
        int64_t number = 0;
        is_good = jread_int64(jread_element(list, i), &number) == 0 && number >= 1 &&
                  number <= (int64_t)max && !flags[number - 1];
        if (!is_good)
            break;
        flags[number - 1] = true;
        (*count)++;
    }
    if (!is_good)
        answer_error(answer, 400, "bad_request", "%s: different numbers from 1 to %zu wanted.",
                     name, max);
    return is_good;
}

/* NULL and no error: the register that it was on. */
static const struct till *split_till(const struct cloud *cloud, const struct order *order,
                                     const struct jread *json, struct answer *answer)
{
    int64_t id = 0;
    const struct jread *wanted = jread_member(json, "register_id");
    if (wanted == NULL)
        return NULL;
    const struct till *till =
        jread_int64(wanted, &id) == 0 ? cloud_till(cloud, order->company_id, id) : NULL;
    if (till == NULL)
        answer_bad(answer, "register_id: no such register of this company.");
    return till;
}

static bool split_move_lines(struct order *from, const struct split_choice *choice,
                             struct order *to)
{
    for (size_t i = 0, at = 0; i < ORDER_LINES_MAX && at < from->line_count; i++) {
        if (!choice->lines[i]) {
            at++;
            continue;
        }
        if (!order_insert_line(to, to->line_count, &from->lines[at]))
            return false;
        order_remove_line(from, at);
    }
    return true;
}

static bool split_move_payments(struct order *from, const struct split_choice *choice,
                                struct order *to)
{
    for (size_t i = 0, at = 0; i < ORDER_PAYMENTS_MAX && at < from->payment_count; i++) {
        if (!choice->payments[i]) {
            at++;
            continue;
        }
        if (!order_add_payment(to, &from->payments[at]))
            return false;
        order_remove_payment(from, at);
    }
    return true;
}

/* Who sits where, and nothing of what they had. */
static struct order split_begin(const struct cloud *cloud, const struct order *order,
                                const struct till *till)
{
    struct order made = {.company_id = order->company_id,
                         .site_id = order->site_id,
                         .register_id = order->register_id,
                         .staff_id = order->staff_id,
                         .customer_id = order->customer_id,
                         .status = ORDER_PENDING,
                         .guests = 1,
                         .variation = {.coefficient = order->variation.coefficient},
                         .created_us = cloud->wall_us,
                         .updated_us = cloud->wall_us};
    memcpy(made.order_type, order->order_type, sizeof(made.order_type));
    order_place(&made, till);
    sale_draft_delay(cloud, &made);
    return made;
}

static struct order *split_keep(struct cloud *cloud, struct order *draft, struct answer *answer)
{
    struct order *order = table_add(&cloud->orders, 0);
    if (order == NULL) {
        answer_error(answer, 503, "full", "This fake keeps at most %d orders.", ORDERS_MAX);
        return NULL;
    }
    sale_draft_number(cloud, draft);
    draft->id = order->id;
    *order = *draft;
    return order;
}

static struct order *split_order(struct cloud *cloud, struct order *order,
                                 const struct split_choice *choice, const struct till *till,
                                 struct answer *answer)
{
    struct order rest, made = split_begin(cloud, order, till);
    if (!sale_draft(order, &rest, answer))
        return NULL;
    bool is_moved =
        split_move_lines(&rest, choice, &made) && split_move_payments(&rest, choice, &made);
    if (!is_moved)
        answer_error(answer, 503, "no_memory", "Out of memory.");
    struct order *kept = is_moved ? split_keep(cloud, &made, answer) : NULL;
    if (kept == NULL) {
        order_release(&made);
        order_release(&rest);
        return NULL;
    }
    order_adopt(order, &rest);
    return kept;
}

struct order *sale_split(struct cloud *cloud, struct order *order, const struct jread *json,
                         struct answer *answer)
{
    struct split_choice choice = {0};
    if (!choice_read(json, "lines", order->line_count, choice.lines, &choice.count, answer) ||
        !choice_read(json, "payments", order->payment_count, choice.payments, &choice.count,
                     answer))
        return NULL;
    if (choice.count == 0) {
        answer_bad(answer, "lines or payments: at least one number wanted.");
        return NULL;
    }
    const struct till *till = split_till(cloud, order, json, answer);
    if (answer_is_error(answer))
        return NULL;
    struct order *made = split_order(cloud, order, &choice, till, answer);
    if (made == NULL)
        return NULL;
    webhook_fire_order(cloud, "orders/created", made);
    sale_changed(cloud, order, order->status);
    return made;
}

/* --- putting together */

static bool merge_move(const struct order *order, struct order *into)
{
    bool is_moved = true;
    for (size_t i = 0; is_moved && i < order->line_count; i++)
        is_moved = order_insert_line(into, into->line_count, &order->lines[i]);
    for (size_t i = 0; is_moved && i < order->payment_count; i++)
        is_moved = order_add_payment(into, &order->payments[i]);
    return is_moved;
}

bool sale_merge(struct cloud *cloud, struct order *order, struct order *into, struct answer *answer)
{
    struct order rest, draft;
    if (order == into || order->company_id != into->company_id) {
        answer_bad(answer, "into: another order of the same company wanted.");
        return false;
    }
    if (!sale_draft(order, &rest, answer))
        return false;
    if (!sale_draft(into, &draft, answer))
        return sale_refuse(&rest, answer, NULL);
    if (!merge_move(order, &draft)) {
        order_release(&draft);
        return sale_refuse(&rest, answer, "An order has at most 100 lines and 50 payments.");
    }
    rest.line_count = 0;
    rest.payment_count = 0;
    order_adopt(order, &rest);
    order_adopt(into, &draft);
    sale_changed(cloud, into, into->status);
    sale_delete(cloud, order);
    return true;
}
