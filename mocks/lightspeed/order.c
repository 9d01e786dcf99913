/* Totals of an order, exact to the minor unit, and the moves of its status. */
#include "mocks/lightspeed/order.h"

#include "mocks/lightspeed/decimal.h"

#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

static const char *const STATUS_NAMES[ORDER_STATUSES] = {
    [ORDER_SUBMITTED] = "SUBMITTED", [ORDER_ON_HOLD] = "ON_HOLD",   [ORDER_PENDING] = "PENDING",
    [ORDER_ACCEPTED] = "ACCEPTED",   [ORDER_REJECTED] = "REJECTED", [ORDER_COMPLETE] = "COMPLETE",
};

/* Rows: from. REJECTED and COMPLETE are the end; a register can reopen, a client cannot. */
static const bool MOVES[ORDER_STATUSES][ORDER_STATUSES] = {
    [ORDER_SUBMITTED] = {[ORDER_ON_HOLD] = true,
                         [ORDER_PENDING] = true,
                         [ORDER_ACCEPTED] = true,
                         [ORDER_REJECTED] = true,
                         [ORDER_COMPLETE] = true},
    [ORDER_ON_HOLD] = {[ORDER_SUBMITTED] = true,
                       [ORDER_PENDING] = true,
                       [ORDER_ACCEPTED] = true,
                       [ORDER_REJECTED] = true,
                       [ORDER_COMPLETE] = true},
    [ORDER_PENDING] = {[ORDER_ON_HOLD] = true,
                       [ORDER_ACCEPTED] = true,
                       [ORDER_REJECTED] = true,
                       [ORDER_COMPLETE] = true},
    [ORDER_ACCEPTED] = {[ORDER_PENDING] = true, [ORDER_COMPLETE] = true},
};

const char *order_status_name(enum order_status status)
{
    return STATUS_NAMES[status];
}

bool order_status_find(struct text name, enum order_status *status)
{
    for (size_t i = 0; i < ORDER_STATUSES; i++) {
        if (!text_equal_nocase(name, text_of(STATUS_NAMES[i])))
            continue;
        *status = (enum order_status)i;
        return true;
    }
    return false;
}

bool order_may_move(enum order_status from, enum order_status to)
{
    return from == to || MOVES[from][to];
}

bool order_is_closed(const struct order *order)
{
    return order->is_deleted || order->status == ORDER_COMPLETE || order->status == ORDER_REJECTED;
}

bool order_lines_are_locked(const struct order *order)
{
    return order_is_closed(order) || order->status == ORDER_ACCEPTED;
}

bool order_is_hidden(const struct order *order, int64_t mono_us)
{
    return order->is_hidden || order->shown_us > mono_us;
}

/* --- totals */

/* Money off never turns what is owed into what is paid out; on a refund all signs are the other
 * way. */
static int64_t vary(int64_t subtotal_minor, int64_t varied_minor)
{
    if ((subtotal_minor >= 0) == (varied_minor >= 0))
        return varied_minor;
    return 0;
}

/* The share of tax in what includes it, at a rate in millionths. */
static int64_t tax_within(int64_t total_minor, int64_t rate)
{
    return decimal_scale(total_minor, rate, DECIMAL_ONE + rate);
}

struct line_total line_total(const struct line *line, int exponent)
{
    int64_t price = line->unit_millionths + line->modifiers_millionths;
    /* (1 + LINE_MODIFIERS_MAX) * PRICE_MAX * QUANTITY_MAX is below 2 * 10^18: exact, and what
     * follows rounds once. */
    int64_t extended = price * line->quantity;
    int64_t per = DECIMAL_ONE / decimal_power(exponent) * QUANTITY_ONE * DECIMAL_ONE;
    int64_t subtotal_minor = decimal_scale(extended, line->variation.coefficient, per);
    int64_t total_minor = vary(subtotal_minor, subtotal_minor + line->variation.fixed_minor);
    return (struct line_total){.total_minor = total_minor,
                               .tax_minor = tax_within(total_minor, line->tax_rate_millionths)};
}

static void order_total_lines(const struct order *order, int exponent, struct order_total *total)
{
    struct line_total sum = {0};
    for (size_t i = 0; i < order->line_count; i++) {
        struct line_total one = line_total(&order->lines[i], exponent);
        sum.total_minor += one.total_minor;
        sum.tax_minor += one.tax_minor;
    }
    int64_t varied_minor =
        decimal_scale(sum.total_minor, order->variation.coefficient, DECIMAL_ONE) +
        order->variation.fixed_minor;
    total->total_minor = vary(sum.total_minor, varied_minor);
    /* The tax shrinks as the total does. */
    bool has_total = sum.total_minor != 0;
    int64_t sign = sum.total_minor < 0 ? -1 : 1;
    total->tax_minor =
        has_total ? decimal_scale(sum.tax_minor * sign, total->total_minor, sum.total_minor * sign)
                  : 0;
}

struct order_total order_total(const struct order *order, int exponent)
{
    struct order_total total = {0};
    order_total_lines(order, exponent, &total);
    int64_t charged_minor = 0;
    for (size_t i = 0; i < order->payment_count; i++) {
        const struct payment *payment = &order->payments[i];
        int64_t from_tip_minor = payment->service_charge_minor < payment->tip_minor
                                     ? payment->service_charge_minor
                                     : payment->tip_minor;
        total.paid_minor += payment->amount_minor;
        total.tips_minor += payment->tip_minor - from_tip_minor;
        charged_minor += from_tip_minor;
    }
    total.due_minor =
        total.total_minor + order->service_charge_minor - total.paid_minor - charged_minor;
    return total;
}

int64_t payment_share(int64_t order_minor, int64_t charge_minor, int64_t amount_minor,
                      int64_t tip_minor, int64_t left_minor)
{
    if (charge_minor <= 0 || order_minor + charge_minor <= 0 || amount_minor < 0)
        return 0;
    /* Examples of the source: 10.00 with a charge of 1.00; 5.00 gives 0.45, rounded down. */
    __int128 product = (__int128)charge_minor * (amount_minor + tip_minor);
    int64_t share_minor = (int64_t)(product / (order_minor + charge_minor));
    if (tip_minor > share_minor)
        share_minor = tip_minor;
    return share_minor < left_minor ? share_minor : left_minor;
}

/* --- lines and payments */

bool order_insert_line(struct order *order, size_t index, const struct line *line)
{
    CHECK(index <= order->line_count);
    if (order->line_count == ORDER_LINES_MAX)
        return false;
    struct line *lines = realloc(order->lines, (order->line_count + 1) * sizeof(*lines));
    if (lines == NULL)
        return false;
    order->lines = lines;
    memmove(lines + index + 1, lines + index, (order->line_count - index) * sizeof(*lines));
    lines[index] = *line;
    order->line_count++;
    return true;
}

void order_remove_line(struct order *order, size_t index)
{
    CHECK(index < order->line_count);
    order->line_count--;
    memmove(order->lines + index, order->lines + index + 1,
            (order->line_count - index) * sizeof(*order->lines));
}

bool order_add_payment(struct order *order, const struct payment *payment)
{
    if (order->payment_count == ORDER_PAYMENTS_MAX)
        return false;
    size_t size = (order->payment_count + 1) * sizeof(*order->payments);
    struct payment *payments = realloc(order->payments, size);
    if (payments == NULL)
        return false;
    order->payments = payments;
    payments[order->payment_count++] = *payment;
    return true;
}

void order_remove_payment(struct order *order, size_t index)
{
    CHECK(index < order->payment_count);
    order->payment_count--;
    memmove(order->payments + index, order->payments + index + 1,
            (order->payment_count - index) * sizeof(*order->payments));
}

void order_release(void *record)
{
    struct order *order = record;
    free(order->lines);
    free(order->payments);
    free(order->notifications);
}

static bool copy_items(const void *items, size_t count, size_t size, void **copy)
{
    *copy = NULL;
    if (count == 0)
        return true;
    *copy = malloc(count * size);
    if (*copy == NULL)
        return false;
    memcpy(*copy, items, count * size);
    return true;
}

bool order_copy(const struct order *order, struct order *draft)
{
    void *lines = NULL, *payments = NULL, *notifications = NULL;
    bool is_done =
        copy_items(order->lines, order->line_count, sizeof(*order->lines), &lines) &&
        copy_items(order->payments, order->payment_count, sizeof(*order->payments), &payments) &&
        copy_items(order->notifications, order->notification_count, sizeof(*order->notifications),
                   &notifications);
    *draft = *order;
    draft->lines = lines;
    draft->payments = payments;
    draft->notifications = notifications;
    if (!is_done)
        order_release(draft);
    return is_done;
}

void order_adopt(struct order *order, struct order *draft)
{
    order_release(order);
    *order = *draft;
}
