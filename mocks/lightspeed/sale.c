/* Changes orders: each change is made on a draft, checked, adopted, and told to who listens. */
#include "mocks/lightspeed/sale.h"

#include "base/error.h"
#include "mocks/lightspeed/decimal.h"
#include "mocks/lightspeed/field.h"
#include "mocks/lightspeed/webhook.h"

#include <string.h>

#include "base/banned.h"

static int exponent_of(const struct cloud *cloud, const struct order *order)
{
    return cloud_company(cloud, order->company_id)->currency.exponent;
}

/* --- telling */

static void sale_sell_stock(struct cloud *cloud, const struct order *order)
{
    for (size_t i = 0; i < order->line_count; i++) {
        const struct line *line = &order->lines[i];
        struct product *product = cloud_product(cloud, order->company_id, line->product_id);
        if (product == NULL || product->stock == NO_STOCK)
            continue;
        int64_t left = product->stock - line->quantity / QUANTITY_ONE;
        product->stock = left < 0 ? 0 : left;
    }
}

void sale_changed(struct cloud *cloud, struct order *order, enum order_status before)
{
    order->updated_us = cloud->wall_us;
    webhook_fire_order(cloud, "orders/updated", order);
    if (order->status == before)
        return;
    if (order->status == ORDER_COMPLETE) {
        sale_sell_stock(cloud, order);
        webhook_fire_order(cloud, "orders/completed", order);
    }
    webhook_fire_callback(cloud, order);
}

bool sale_refuse(struct order *draft, struct answer *answer, const char *why)
{
    order_release(draft);
    if (why != NULL)
        answer_bad(answer, why);
    return false;
}

bool sale_draft(const struct order *order, struct order *draft, struct answer *answer)
{
    if (order_is_closed(order)) {
        answer_error(answer, 400, "bad_request", "The order is %s and cannot be changed.",
                     order->is_deleted ? "deleted" : order_status_name(order->status));
        return false;
    }
    if (order_copy(order, draft))
        return true;
    answer_error(answer, 503, "no_memory", "Out of memory.");
    return false;
}

static bool has_lock(const struct order *order, const char *name)
{
    for (size_t i = 0; i < order->lock_count; i++)
        if (text_equal_nocase(text_of(order->locks[i]), text_of(name)))
            return true;
    return false;
}

/* --- payments */

struct payment_wish {
    int64_t method_id;
    char method[NAME_MAX_BYTES];
    int64_t amount_minor;
    int64_t tip_minor;
    int64_t surcharge_minor;
    char ref[NAME_MAX_BYTES];
};

static const struct field PAYMENT[] = {
    FIELD_OF_INT(struct payment_wish, method_id, "method_id", 1, INT64_MAX, false),
    FIELD_OF(struct payment_wish, tip_minor, "tip", FIELD_MONEY),
    FIELD_OF(struct payment_wish, surcharge_minor, "credit_card_surcharge", FIELD_MONEY),
    FIELD_OF_TEXT(struct payment_wish, ref, "ref", false),
    FIELD_OF(struct payment_wish, amount_minor, "amount", FIELD_MONEY),
    FIELD_OF_TEXT(struct payment_wish, method, "method", false),
};
/* A register names its payment methods as they stand on the screen. */
#define PAYMENT_FIELDS_OF_CLIENTS (COUNT_OF(PAYMENT) - 1)

/* Without method_id: the application's own, if it is an active one (protocol o-series 7.4). */
static const struct method *find_method(const struct cloud *cloud, const struct order *order,
                                        const struct application *application,
                                        const struct payment_wish *wish)
{
    for (size_t i = 0; i < cloud->methods.count; i++) {
        const struct method *method = cloud->methods.records[i];
        if (method->company_id != order->company_id || !method->is_active)
            continue;
        if (wish->method_id != 0 ? method->id == wish->method_id
            : wish->method[0] != '\0'
                ? strcmp(method->name, wish->method) == 0
                : application != NULL && method->application_id == application->id)
            return method;
    }
    return NULL;
}

static bool payment_is_allowed(const struct order *order, const struct application *application,
                               struct answer *answer)
{
    if (application == NULL || application->may_pay_foreign_orders ||
        order->application_id == application->id)
        return true;
    answer_error(answer, 403, "forbidden",
                 "This application may not add payments to orders it did not create.");
    return false;
}

static bool payment_suits(const struct order *order, const struct payment_wish *wish, int exponent,
                          struct answer *answer)
{
    struct order_total total = order_total(order, exponent);
    if (order->payment_count >= ORDER_PAYMENTS_MAX)
        answer_bad(answer, "An order has at most 50 payments.");
    else if (wish->amount_minor > 0 && total.due_minor <= 0)
        answer_bad(answer, "The order is fully paid.");
    else if (wish->amount_minor < 0 && !order->is_refund && wish->amount_minor < -total.paid_minor)
        answer_bad(answer, "A refund cannot be more than what was paid.");
    else if (wish->tip_minor < 0 || wish->surcharge_minor < 0)
        answer_bad(answer, "tip and credit_card_surcharge cannot be negative.");
    else
        return true;
    return false;
}

static int64_t charge_left_minor(const struct order *order)
{
    int64_t left_minor = order->service_charge_minor;
    for (size_t i = 0; i < order->payment_count; i++)
        left_minor -= order->payments[i].service_charge_minor;
    return left_minor;
}

static bool draft_pay(struct cloud *cloud, struct order *draft,
                      const struct application *application, const struct method *method,
                      const struct payment_wish *wish)
{
    int exponent = exponent_of(cloud, draft);
    struct payment payment = {.id = cloud->payment_next_id++,
                              .method_id = method->id,
                              .amount_minor = wish->amount_minor,
                              .tip_minor = wish->tip_minor,
                              .surcharge_minor = wish->surcharge_minor,
                              .application_id = application == NULL ? 0 : application->id,
                              .created_us = cloud->wall_us};
    if (application != NULL || cloud->settings.registers_keep_ref)
        memcpy(payment.ref, wish->ref, sizeof(payment.ref));
    payment.service_charge_minor =
        payment_share(order_total(draft, exponent).total_minor, draft->service_charge_minor,
                      wish->amount_minor, wish->tip_minor, charge_left_minor(draft));
    return order_add_payment(draft, &payment);
}

static bool draft_read_payment(struct cloud *cloud, struct order *draft,
                               const struct application *application, const struct jread *json,
                               struct answer *answer)
{
    struct payment_wish wish = {.amount_minor = INT64_MIN};
    int exponent = exponent_of(cloud, draft);
    size_t count = application == NULL ? COUNT_OF(PAYMENT) : PAYMENT_FIELDS_OF_CLIENTS;
    if (!fields_read(PAYMENT, count, exponent, true, json, &wish, answer))
        return false;
    const struct method *method = find_method(cloud, draft, application, &wish);
    if (wish.amount_minor == INT64_MIN)
        answer_bad(answer, "amount is required.");
    else if (method == NULL)
        answer_bad(answer, "method_id: no such active payment method of this company.");
    else if (payment_suits(draft, &wish, exponent, answer))
        return draft_pay(cloud, draft, application, method, &wish);
    return false;
}

static void draft_complete_when_paid(const struct cloud *cloud, struct order *draft)
{
    if (draft->is_complete_when_paid &&
        order_total(draft, exponent_of(cloud, draft)).due_minor <= 0)
        draft->status = ORDER_COMPLETE;
}

bool sale_pay(struct cloud *cloud, struct order *order, const struct application *application,
              const struct jread *json, size_t *number, struct answer *answer)
{
    struct order draft;
    if (!payment_is_allowed(order, application, answer) || !sale_draft(order, &draft, answer))
        return false;
    if (application == NULL && has_lock(order, "PAYMENTS"))
        return sale_refuse(&draft, answer, "The payments of this order are locked.");
    if (!draft_read_payment(cloud, &draft, application, json, answer))
        return sale_refuse(&draft, answer, NULL);
    draft_complete_when_paid(cloud, &draft);
    enum order_status before = order->status;
    order_adopt(order, &draft);
    *number = order->payment_count;
    sale_changed(cloud, order, before);
    return true;
}

/* A later tip is a further payment of nothing with that tip (protocol o-series 7.4). */
bool sale_change_payment(struct cloud *cloud, struct order *order,
                         const struct application *application, int64_t number,
                         const struct jread *json, struct answer *answer)
{
    if (number > (int64_t)order->payment_count || order->is_deleted) {
        answer_not_found(answer, "payment");
        return false;
    }
    struct payment *payment = &order->payments[number - 1];
    struct payment_wish wish = {.surcharge_minor = payment->surcharge_minor};
    memcpy(wish.ref, payment->ref, sizeof(wish.ref));
    int exponent = exponent_of(cloud, order);
    if (!payment_is_allowed(order, application, answer) ||
        !fields_read(PAYMENT, COUNT_OF(PAYMENT), exponent, true, json, &wish, answer))
        return false;
    if (jread_member(json, "amount") != NULL || wish.tip_minor < 0 || wish.surcharge_minor < 0) {
        answer_bad(answer, "Only ref, tip and credit_card_surcharge can be changed.");
        return false;
    }
    struct payment tip = {.id = cloud->payment_next_id++,
                          .method_id = payment->method_id,
                          .tip_minor = wish.tip_minor,
                          .application_id = payment->application_id,
                          .created_us = cloud->wall_us};
    payment->surcharge_minor = wish.surcharge_minor;
    memcpy(payment->ref, wish.ref, sizeof(payment->ref));
    if (wish.tip_minor > 0 && !order_add_payment(order, &tip)) {
        answer_bad(answer, "An order has at most 50 payments.");
        return false;
    }
    sale_changed(cloud, order, order->status);
    return true;
}

/* --- lines */

static bool lines_may_change(const struct order *order, const struct application *application,
                             struct answer *answer)
{
    bool is_locked = application == NULL ? has_lock(order, "LINES") : order_lines_are_locked(order);
    if (!is_locked)
        return true;
    answer_error(answer, 400, "bad_request", "The lines of an order that is %s are locked.",
                 order->is_deleted ? "deleted" : order_status_name(order->status));
    return false;
}

bool sale_add_lines(struct cloud *cloud, struct order *order, const struct application *application,
                    const struct jread *json, size_t *number, struct answer *answer)
{
    struct order draft;
    if (!lines_may_change(order, application, answer) || !sale_draft(order, &draft, answer))
        return false;
    if (!order_read_lines(cloud, json, &draft, answer))
        return sale_refuse(&draft, answer, NULL);
    if (draft.line_count == order->line_count)
        return sale_refuse(&draft, answer, "lines: at least one wanted.");
    int64_t at = 0;
    bool is_placed = jread_int64(jread_member(json, "number"), &at) == 0;
    *number = is_placed && (size_t)at <= order->line_count ? (size_t)at : order->line_count + 1;
    order_adopt(order, &draft);
    sale_changed(cloud, order, order->status);
    return true;
}

static bool line_is_there(const struct order *order, int64_t number, struct answer *answer)
{
    if (number <= (int64_t)order->line_count)
        return true;
    answer_not_found(answer, "line");
    return false;
}

bool sale_change_line(struct cloud *cloud, struct order *order,
                      const struct application *application, int64_t number,
                      const struct jread *json, struct answer *answer)
{
    struct order draft;
    if (!line_is_there(order, number, answer) || !lines_may_change(order, application, answer) ||
        !sale_draft(order, &draft, answer))
        return false;
    if (!order_read_line(cloud, &draft, json, false, &draft.lines[number - 1], answer))
        return sale_refuse(&draft, answer, NULL);
    order_adopt(order, &draft);
    sale_changed(cloud, order, order->status);
    return true;
}

bool sale_remove_line(struct cloud *cloud, struct order *order,
                      const struct application *application, int64_t number, struct answer *answer)
{
    struct order draft;
    if (!line_is_there(order, number, answer) || !lines_may_change(order, application, answer) ||
        !sale_draft(order, &draft, answer))
        return false;
    order_remove_line(&draft, (size_t)number - 1);
    order_adopt(order, &draft);
    sale_changed(cloud, order, order->status);
    return true;
}

/* --- the order */

static bool draft_may_complete(const struct cloud *cloud, const struct order *draft,
                               struct answer *answer)
{
    if (draft->status != ORDER_COMPLETE ||
        order_total(draft, exponent_of(cloud, draft)).due_minor <= 0)
        return true;
    answer_bad(answer, "The order is not fully paid and cannot be COMPLETE.");
    return false;
}

static bool draft_set_status(const struct cloud *cloud, struct order *draft,
                             const struct application *application, const struct jread *json,
                             struct answer *answer)
{
    enum order_status status = draft->status;
    if (!order_read_status(json, &status, answer))
        return false;
    if (application != NULL && !order_may_move(draft->status, status)) {
        answer_error(answer, 400, "bad_request", "The status cannot go from %s to %s.",
                     order_status_name(draft->status), order_status_name(status));
        return false;
    }
    draft->status = status;
    return draft_may_complete(cloud, draft, answer);
}

bool sale_update(struct cloud *cloud, struct order *order, const struct application *application,
                 const struct jread *json, struct answer *answer)
{
    struct order draft;
    if (jread_member(json, "lines") != NULL || jread_member(json, "payments") != NULL) {
        answer_bad(answer, "lines and payments have resources of their own.");
        return false;
    }
    if (!sale_draft(order, &draft, answer))
        return false;
    if (!order_read_header(cloud, json, &draft, answer) ||
        !draft_set_status(cloud, &draft, application, json, answer))
        return sale_refuse(&draft, answer, NULL);
    if (application != NULL && cloud->settings.ignore_variations)
        draft.variation = order->variation;
    enum order_status before = order->status;
    order_adopt(order, &draft);
    sale_changed(cloud, order, before);
    return true;
}

/* What a register makes is made on some register. */
static void draft_choose_till(const struct cloud *cloud, struct order *draft)
{
    for (size_t i = 0; draft->register_id == 0 && i < cloud->tills.count; i++) {
        const struct till *till = cloud->tills.records[i];
        if (till->site_id != draft->site_id)
            continue;
        draft->register_id = till->id;
        if (draft->staff_id == 0)
            draft->staff_id = till->staff_id;
    }
}

void sale_draft_number(struct cloud *cloud, struct order *draft)
{
    if (draft->sale_number[0] != '\0')
        return;
    struct company *company = cloud_company(cloud, draft->company_id);
    const struct till *till = cloud_till(cloud, company->id, draft->register_id);
    struct text_buffer buffer;
    text_buffer_init(&buffer, draft->sale_number, sizeof(draft->sale_number));
    text_append(&buffer, text_of(till == NULL ? "WEB-" : till->sale_prefix));
    text_append_int64(&buffer, company->sale_next++);
}

static bool draft_read_payments(struct cloud *cloud, struct order *draft,
                                const struct application *application, const struct jread *json,
                                struct answer *answer)
{
    const struct jread *list = jread_member(json, "payments");
    for (size_t i = 0; i < jread_count(list); i++)
        if (!draft_read_payment(cloud, draft, application, jread_element(list, i), answer))
            return false;
    return true;
}

static bool draft_is_within_limit(const struct cloud *cloud, const struct order *draft,
                                  struct answer *answer)
{
    int64_t total_minor = order_total(draft, exponent_of(cloud, draft)).total_minor;
    if (draft->price_limit_minor == 0 || total_minor <= draft->price_limit_minor)
        return true;
    answer_bad(answer, "The total is above price_limit.");
    return false;
}

/* Fields that only the register's side sets. */
static const struct field REGISTER_FIELDS[] = {
    FIELD_OF(struct order, is_refund, "is_refund", FIELD_BOOL),
    FIELD_OF_INT(struct order, refunded_order_id, "refunded_order_id", 1, INT64_MAX, false),
    FIELD_OF_INT(struct order, staff_id, "staff_member_id", 1, INT64_MAX, false),
    FIELD_OF_TEXT(struct order, payment_type, "order_payment_type", false),
    FIELD_OF(struct order, service_charge_minor, "service_charge", FIELD_MONEY),
    FIELD_OF(struct order, is_hidden, "hidden", FIELD_BOOL),
};

static bool draft_read(struct cloud *cloud, struct order *draft,
                       const struct application *application, const struct jread *json,
                       struct answer *answer)
{
    size_t count = application == NULL ? COUNT_OF(REGISTER_FIELDS) : 0;
    return fields_read(REGISTER_FIELDS, count, exponent_of(cloud, draft), true, json, draft,
                       answer) &&
           order_read_header(cloud, json, draft, answer) &&
           order_read_status(json, &draft->status, answer) &&
           (jread_member(json, "lines") == NULL || order_read_lines(cloud, json, draft, answer)) &&
           draft_is_within_limit(cloud, draft, answer) &&
           draft_read_payments(cloud, draft, application, json, answer);
}

void sale_draft_delay(const struct cloud *cloud, struct order *draft)
{
    draft->visible_us = cloud->mono_us + cloud->settings.visibility_delay_ms * 1000;
    draft->shown_us = cloud->mono_us + cloud->settings.read_delay_ms * 1000;
}

struct order *sale_create(struct cloud *cloud, const struct company *company,
                          const struct application *application, int64_t site_id,
                          const struct jread *json, struct answer *answer)
{
    struct order draft = {.company_id = company->id,
                          .site_id = site_id,
                          .application_id = application == NULL ? 0 : application->id,
                          .status = application == NULL ? ORDER_PENDING : ORDER_SUBMITTED,
                          .variation = {.coefficient = DECIMAL_ONE},
                          .guests = 1,
                          .created_us = cloud->wall_us,
                          .updated_us = cloud->wall_us};
    sale_draft_delay(cloud, &draft);
    bool is_good = draft_read(cloud, &draft, application, json, answer);
    if (is_good) {
        draft_complete_when_paid(cloud, &draft);
        is_good = draft_may_complete(cloud, &draft, answer);
    }
    struct order *order = is_good ? table_add(&cloud->orders, 0) : NULL;
    if (order == NULL) {
        order_release(&draft);
        if (is_good)
            answer_error(answer, 503, "full", "This fake keeps at most %d orders.", ORDERS_MAX);
        return NULL;
    }
    if (application == NULL)
        draft_choose_till(cloud, &draft);
    sale_draft_number(cloud, &draft);
    draft.id = order->id;
    *order = draft;
    webhook_fire_order(cloud, "orders/created", order);
    if (order->status == ORDER_COMPLETE) {
        sale_sell_stock(cloud, order);
        webhook_fire_order(cloud, "orders/completed", order);
    }
    return order;
}

/* --- the register alone */

bool sale_complete(struct cloud *cloud, struct order *order, int64_t method_id,
                   struct answer *answer)
{
    struct order draft;
    if (!sale_draft(order, &draft, answer))
        return false;
    struct payment_wish wish = {.method_id = method_id,
                                .amount_minor =
                                    order_total(&draft, exponent_of(cloud, &draft)).due_minor};
    if (wish.amount_minor != 0 && method_id != 0) {
        const struct method *method = find_method(cloud, &draft, NULL, &wish);
        if (method == NULL || !draft_pay(cloud, &draft, NULL, method, &wish))
            return sale_refuse(&draft, answer,
                               "pay_rest: no such payment method, or no more room.");
    }
    draft.status = ORDER_COMPLETE;
    if (!draft_may_complete(cloud, &draft, answer))
        return sale_refuse(&draft, answer, NULL);
    enum order_status before = order->status;
    order_adopt(order, &draft);
    sale_changed(cloud, order, before);
    return true;
}

void sale_delete(struct cloud *cloud, struct order *order)
{
    order->is_deleted = true;
    order->updated_us = cloud->wall_us;
    webhook_fire_order(cloud, "orders/deleted", order);
    webhook_fire_callback(cloud, order);
}
