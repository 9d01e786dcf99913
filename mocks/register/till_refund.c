/* Gives back a payment of a sale: a refund order in the cloud, and the partner's credit. */
#include "mocks/register/booking.h"
#include "mocks/register/press.h"

#include "mocks/lightspeed/call.h"

#include "base/clock.h"
#include "base/error.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/banned.h"

struct refund {
    struct press *press;
    int64_t sale_id, payment_number, amount_minor;
    int64_t customer_id;
    int exponent;
    int64_t order_id;   /* the refund order */
    int64_t product_id; /* what stands on it */
    int64_t placed_us;
};

static void write_amount(struct jwrite *writer, const char *name, int64_t amount_minor,
                         int exponent)
{
    char memory[MONEY_TEXT_MAX];
    struct text_buffer buffer;
    text_buffer_init(&buffer, memory, sizeof(memory));
    money_append(&buffer, amount_minor, exponent);
    jwrite_key(writer, text_of(name));
    jwrite_raw(writer, text_buffer_text(&buffer));
}

static void write_refund_order(struct jwrite *writer, const void *context)
{
    const struct refund *refund = context;
    const struct config *config = refund->press->config;
    char memory[40];
    struct text_buffer placed;
    text_buffer_init(&placed, memory, sizeof(memory));
    clock_append_time(&placed, refund->placed_us);
    jwrite_object_begin(writer);
    jwrite_named_int(writer, "company_id", config->company_id);
    jwrite_named_int(writer, "site_id", config->site_id);
    jwrite_named_int(writer, "register_id", config->register_id);
    jwrite_named_bool(writer, "is_refund", true);
    jwrite_named_int(writer, "refunded_order_id", refund->sale_id);
    if (refund->customer_id != 0)
        jwrite_named_int(writer, "customer_id", refund->customer_id);
    jwrite_named_text_n(writer, "placed_at", text_buffer_text(&placed));
    jwrite_begin(writer, "lines", true);
    jwrite_object_begin(writer);
    jwrite_named_int(writer, "product_id", refund->product_id);
    jwrite_named_int(writer, "quantity", -1);
    write_amount(writer, "unit_price_inc_tax", refund->amount_minor, refund->exponent);
    jwrite_object_end(writer);
    jwrite_array_end(writer);
    jwrite_object_end(writer);
}

static bool refund_order_make(struct till *till, struct refund *refund, struct till_answer *answer)
{
    struct made body = {0};
    struct shop_answer reply;
    if (!till_product(till, BILL_REFUND_CODE, "Refund", &refund->product_id, answer))
        return false;
    refund->placed_us = till_clock_us(till);
    made_create(&body, write_refund_order, refund);
    int err = shop_ask(till->shop, "POST", "/orders", body.base, &reply);
    bool is_good = err == 0 || till_refuse_shop(err, &reply, answer);
    refund->order_id = is_good ? bill_id(reply.json, "id") : 0;
    shop_answer_finish(&reply);
    made_destroy(&body);
    return is_good;
}

static bool is_same(const struct pending_refund *pending, const struct refund *refund)
{
    return pending->order_id != 0 && pending->sale_id == refund->sale_id &&
           pending->payment_number == refund->payment_number &&
           pending->amount_minor == refund->amount_minor;
}

/* Pressed again before the first press is answered, or after no answer came, it is the same refund
 * on the same order. */
static bool refund_order_choose(struct till *till, struct refund *refund,
                                struct till_answer *answer)
{
    CHECK(pthread_mutex_lock(&till->drawer) == 0);
    till_lock(till);
    struct pending_refund pending = till->refund;
    till_unlock(till);
    bool is_good = true;
    if (is_same(&pending, refund)) {
        refund->order_id = pending.order_id;
    } else if ((is_good = refund_order_make(till, refund, answer))) {
        till_lock(till);
        till->refund = (struct pending_refund){refund->sale_id, refund->payment_number,
                                               refund->amount_minor, refund->order_id};
        till_unlock(till);
    }
    CHECK(pthread_mutex_unlock(&till->drawer) == 0);
    return is_good;
}

static void refund_settle(struct till *till, const struct refund *refund)
{
    till_lock(till);
    if (till->refund.order_id == refund->order_id)
        till->refund = (struct pending_refund){0};
    till_unlock(till);
}

static void write_line_price(struct jwrite *writer, const void *context)
{
    const struct refund *refund = context;
    jwrite_object_begin(writer);
    write_amount(writer, "unit_price_inc_tax", refund->amount_minor, refund->exponent);
    jwrite_object_end(writer);
}

/* --- what the answer comes to ---------------------------------------------------------------- */

static void refund_say(struct press *press, const struct booking *booking)
{
    char text[SAID_MAX + BOOKING_WHY_MAX + 64];
    const struct judgement *judgement = press_judgement(press);
    struct said said = {.action = "refund",
                        .ending = ending_name(ENDING_APPROVED),
                        .title = "Refund successful",
                        .text = text,
                        .exchange = press->sends[press->chosen].exchange,
                        .amount = judgement->amount,
                        .balance = judgement->balance,
                        .reference = judgement->reference,
                        .is_booked = booking->is_booked};
    const char *sentence = judgement->sentence;
    if (sentence[0] == '\0')
        sentence = "The card has its money back.";
    (void)snprintf(text, sizeof(text), "%s%s%s", sentence, booking->why[0] != '\0' ? " " : "",
                   booking->why);
    till_say(press->till, &said);
}

static void refund_book(struct press *press, struct refund *refund)
{
    char path[64];
    struct till_answer ignored = {0};
    int64_t given_minor = refund->amount_minor;
    const struct judgement *judgement = press_judgement(press);
    if (judgement->amount[0] != '\0' &&
        money_parse(text_of(judgement->amount), refund->exponent, &given_minor) != 0)
        given_minor = refund->amount_minor;
    if (given_minor != refund->amount_minor) { /* less was given back: the order says so */
        refund->amount_minor = given_minor;
        (void)snprintf(path, sizeof(path), "/orders/%" PRId64 "/lines/1", refund->order_id);
        if (!till_change(press->till, "PUT", path, write_line_price, refund, &ignored))
            made_destroy(&ignored.body);
    }
    struct booking booking = {.order_id = refund->order_id,
                              .method = press->config->payment_name,
                              .amount_minor = -given_minor,
                              .ref = judgement->reference};
    booking_pay(press->till, &booking);
    refund_settle(press->till, refund);
    press_tell(press);
    refund_say(press, &booking);
}

/* Declined: there is no refund order. No answer: it stays, for the next press. */
static void refund_refused(struct press *press, const struct refund *refund)
{
    char path[64];
    struct till_answer ignored = {0};
    if (press_judgement(press)->ending == ENDING_REFUSED) {
        refund_settle(press->till, refund);
        (void)snprintf(path, sizeof(path), "/orders/%" PRId64 "/delete", refund->order_id);
        if (!till_change(press->till, "POST", path, NULL, NULL, &ignored))
            made_destroy(&ignored.body);
    }
    press_tell(press);
    press_say(press, "refund");
}

/* --- asking ---------------------------------------------------------------------------------- */

static bool refund_ask(struct press *press, struct refund *refund, struct till_answer *answer)
{
    char amount[MONEY_TEXT_MAX];
    struct text_buffer buffer;
    if (!refund_order_choose(press->till, refund, answer))
        return false;
    text_buffer_init(&buffer, amount, sizeof(amount));
    money_append(&buffer, refund->amount_minor, refund->exponent);
    press->options.amount = amount;
    press->options.order_id =
        press->config->refund_names_sale == 1 ? refund->sale_id : refund->order_id;
    press->options.has_order = true;
    press->order_id = refund->order_id;
    if (!press_send(press, answer))
        return false;
    if (press_judgement(press)->ending == ENDING_APPROVED)
        refund_book(press, refund);
    else
        refund_refused(press, refund);
    return true;
}

/* Which payment, and how much of it. */
static bool refund_read(const struct till_call *call, const struct config *config,
                        const struct bill *sale, struct refund *refund, struct till_answer *answer)
{
    int64_t paid_minor = 0;
    const struct jread *payment = bill_payment(sale, refund->payment_number, config->payment_name);
    if (payment == NULL)
        return till_refuse(answer, 404, "not_found", "This sale has no such payment.");
    refund->payment_number = bill_id(payment, "number");
    refund->exponent = sale->exponent;
    refund->customer_id = bill_id(jread_member(sale->order, "customer"), "id");
    if (!text_equal(bill_text(jread_member(payment, "method"), "name"),
                    text_of(config->payment_name)))
        return till_refuse(answer, 422, "bad_value",
                           "That payment was not made with this payment type.");
    if (!bill_money(payment, "amount", sale->exponent, &paid_minor) || paid_minor <= 0)
        return till_refuse(answer, 422, "bad_value", "That payment gave nothing.");
    refund->amount_minor = paid_minor;
    return till_take_amount(call->json, "amount", sale->exponent, &refund->amount_minor, answer) &&
           (refund->amount_minor <= paid_minor ||
            till_refuse(answer, 422, "bad_value", "That is more than the payment was."));
}

static bool refund_take(struct press *press, const struct till_call *call, struct refund *refund,
                        struct till_answer *answer)
{
    static const char *const NAMES[] = {"order_id",  "payment_number", "amount",
                                        "reference", "entry",          NULL};
    struct bill sale;
    struct shop_answer reply = {0};
    bool is_good =
        till_names_are_known(call->json, NAMES, answer) &&
        till_take_int(call->json, "order_id", 1, INT64_MAX, &refund->sale_id, answer) &&
        till_take_int(call->json, "payment_number", 1, INT64_MAX, &refund->payment_number,
                      answer) &&
        (refund->sale_id != 0 || till_refuse(answer, 400, "missing", "order_id is missing.")) &&
        press_take_card(press, call, press->config->requires_reference, answer) &&
        till_order(press->till, refund->sale_id, &reply, &sale, answer) &&
        refund_read(call, press->config, &sale, refund, answer);
    shop_answer_finish(&reply);
    return is_good;
}

bool till_refund(struct till *till, struct till_call *call, struct till_answer *answer)
{
    struct press press;
    struct refund refund = {.press = &press};
    bool is_good = press_begin(&press, till, TILL_REFUND, answer) &&
                   refund_take(&press, call, &refund, answer) &&
                   refund_ask(&press, &refund, answer);
    press_finish(&press);
    return is_good;
}
