/* Checkout, check balance and top-up, from the cashier's tap to what stands on the order. */
#include "mocks/register/booking.h"
#include "mocks/register/press.h"

#include "mocks/lightspeed/call.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

/* --- what is alike --------------------------------------------------------------------------- */

static void amount_write(int64_t amount_minor, int exponent, char memory[MONEY_TEXT_MAX])
{
    struct text_buffer buffer;
    text_buffer_init(&buffer, memory, MONEY_TEXT_MAX);
    money_append(&buffer, amount_minor, exponent);
}

/* The amount of a reply. A lenient till takes what was asked where it has none. */
static int64_t approved_minor(const struct press *press, int64_t asked_minor, int exponent)
{
    int64_t amount_minor = asked_minor;
    const struct judgement *judgement = press_judgement(press);
    if (judgement->amount[0] != '\0' &&
        money_parse(text_of(judgement->amount), exponent, &amount_minor) != 0)
        return 0;
    return amount_minor;
}

static bool is_approved(const struct press *press)
{
    return press_judgement(press)->ending == ENDING_APPROVED;
}

static struct said said_approved(const struct press *press, const char *action, const char *title)
{
    const struct judgement *judgement = press_judgement(press);
    return (struct said){.action = action,
                         .ending = ending_name(ENDING_APPROVED),
                         .title = title,
                         .text = judgement->sentence,
                         .exchange = press->sends[press->chosen].exchange,
                         .amount = judgement->amount,
                         .balance = judgement->balance,
                         .reference = judgement->reference};
}

/* --- pay ------------------------------------------------------------------------------------- */

static void pay_say(struct press *press, const struct booking *booking, int64_t approved,
                    int64_t asked)
{
    char text[SAID_MAX + BOOKING_WHY_MAX + 128], money[2][TILL_MONEY_MAX];
    const char *sentence = press_judgement(press)->sentence;
    struct said said = said_approved(press, "pay", "Transaction successful");
    struct till *till = press->till;
    said.is_booked = booking->is_booked;
    said.text = text;
    (void)till_money(till, approved, money[0]);
    if (booking->why[0] != '\0')
        (void)snprintf(text, sizeof(text), "%s approved. %s", money[0], booking->why);
    else if (booking->is_booked && booking->due_minor < 0)
        (void)snprintf(text, sizeof(text), "%s approved, %s more than was due. %s", money[0],
                       till_money(till, -booking->due_minor, money[1]), sentence);
    else if (approved < asked)
        (void)snprintf(text, sizeof(text), "%s of %s approved. %s", money[0],
                       till_money(till, asked, money[1]), sentence);
    else if (sentence[0] != '\0')
        (void)snprintf(text, sizeof(text), "%s", sentence);
    else
        (void)snprintf(text, sizeof(text), "%s approved.", money[0]);
    if (!booking->is_booked)
        said.title = "Approved, but not on the order";
    else if (booking->due_minor > 0)
        said.title = "Part of it is paid";
    else if (booking->due_minor < 0)
        said.title = "More than was due is paid";
    till_say(till, &said);
}

static void pay_book(struct press *press, int64_t order_id, int64_t asked_minor)
{
    int exponent = till_exponent(press->till);
    int64_t approved = approved_minor(press, asked_minor, exponent);
    struct booking booking = {.order_id = order_id,
                              .method = press->config->payment_name,
                              .amount_minor = approved,
                              .ref = press_judgement(press)->reference,
                              .may_exceed = press->options.is_lenient};
    if (approved > 0)
        booking_pay(press->till, &booking);
    else
        (void)snprintf(booking.why, sizeof(booking.why), "There is nothing to put on the order.");
    press_tell(press);
    pay_say(press, &booking, approved, asked_minor);
}

static bool pay_ask(struct press *press, const struct till_call *call, const struct bill *bill,
                    int64_t amount_minor, struct till_answer *answer)
{
    char amount[MONEY_TEXT_MAX];
    if (!press_take_card(press, call, press->config->requires_reference, answer))
        return false;
    if (amount_minor > bill->due_minor || bill->due_minor <= 0)
        return till_refuse(answer, 422, "more_than_due",
                           bill->due_minor <= 0 ? "Nothing is due on this order."
                                                : "That is more than is due.");
    amount_write(amount_minor, bill->exponent, amount);
    press->options.amount = amount;
    press->options.order_id = press->order_id = bill->id;
    press->options.has_order = true;
    if (!press_send(press, answer))
        return false;
    if (is_approved(press)) {
        pay_book(press, bill->id, amount_minor);
    } else {
        press_tell(press);
        press_say(press, "pay");
    }
    return true;
}

static bool pay_partner(struct till *till, struct till_call *call, int64_t amount_minor,
                        struct till_answer *answer)
{
    struct bill bill;
    struct press press;
    struct shop_answer reply = {0};
    bool is_good = press_begin(&press, till, TILL_CHECKOUT, answer) &&
                   till_open_order(till, &reply, &bill, answer);
    if (is_good && amount_minor == 0)
        amount_minor = bill.due_minor;
    is_good = is_good && pay_ask(&press, call, &bill, amount_minor, answer);
    press_finish(&press);
    shop_answer_finish(&reply);
    return is_good;
}

static bool pay_plain(struct till *till, const char *type, int64_t amount_minor,
                      struct till_answer *answer)
{
    char money[TILL_MONEY_MAX], change[TILL_MONEY_MAX], text[160];
    int64_t change_minor;
    struct booking booking = {.method = type, .amount_minor = amount_minor, .ref = ""};
    if (!booking_take(till, &booking, &change_minor, answer))
        return false;
    int length = snprintf(text, sizeof(text), "%s taken as %.63s.",
                          till_money(till, booking.amount_minor, money), type);
    if (change_minor > 0)
        (void)snprintf(text + length, sizeof(text) - (size_t)length, " Change: %s.",
                       till_money(till, change_minor, change));
    struct said said = {.action = "pay",
                        .ending = ending_name(ENDING_APPROVED),
                        .title = booking.due_minor > 0 ? "Part of it is paid" : "Paid",
                        .text = text,
                        .is_booked = true};
    till_say(till, &said);
    return true;
}

static bool plain_exists(struct till *till, struct text type, struct till_answer *answer)
{
    bool is_there = false;
    struct shop_answer reply;
    struct config *config = till_config(till);
    int err = shop_ask(till->shop, "GET", "/payment_methods", NULL, &reply);
    for (size_t i = 0; err == 0 && i < jread_count(reply.json); i++) {
        const struct jread *method = jread_element(reply.json, i);
        is_there = is_there || (bill_method_is_plain(method, config->company_id) &&
                                text_equal(bill_text(method, "name"), type));
    }
    free(config);
    if (err != 0)
        (void)till_refuse_shop(err, &reply, answer);
    else if (!is_there)
        (void)till_refuse(answer, 409, "not_offered", "This till has no payment type \"%.*s\".",
                          (int)(type.length > 64 ? 64 : type.length), type.base);
    shop_answer_finish(&reply);
    return is_there;
}

static bool is_partner(struct till *till, struct text type)
{
    till_lock(till);
    bool is_equal = text_equal(type, text_of(till->synced.payment_name));
    till_unlock(till);
    return is_equal;
}

bool till_pay(struct till *till, struct till_call *call, struct till_answer *answer)
{
    static const char *const NAMES[] = {"type", "amount", "reference", "entry", NULL};
    struct text type, reference;
    char name[CONFIG_NAME_MAX];
    struct text_buffer buffer;
    int64_t amount_minor = 0;
    if (!till_names_are_known(call->json, NAMES, answer) ||
        !till_take_text(call->json, "type", true, &type, answer) ||
        !till_take_text(call->json, "reference", false, &reference, answer) ||
        !till_take_amount(call->json, "amount", till_exponent(till), &amount_minor, answer))
        return false;
    if (is_partner(till, type))
        return pay_partner(till, call, amount_minor, answer);
    if (!plain_exists(till, type, answer))
        return false;
    if (reference.length > 0)
        return till_refuse(answer, 422, "bad_value", "This payment type takes no reference.");
    text_buffer_init(&buffer, name, sizeof(name));
    text_append(&buffer, type);
    return pay_plain(till, name, amount_minor, answer);
}

/* --- check balance --------------------------------------------------------------------------- */

static void balance_say(struct press *press)
{
    char title[SAID_TITLE_MAX], money[TILL_MONEY_MAX];
    int64_t balance_minor;
    struct said said = said_approved(press, "check-balance", "Balance");
    if (money_parse(text_of(said.balance), till_exponent(press->till), &balance_minor) == 0) {
        (void)snprintf(title, sizeof(title), "Balance: %s",
                       till_money(press->till, balance_minor, money));
        said.title = title;
    }
    till_say(press->till, &said);
}

bool till_check_balance(struct till *till, struct till_call *call, struct till_answer *answer)
{
    static const char *const NAMES[] = {"reference", "entry", NULL};
    struct press press;
    bool is_good = press_begin(&press, till, TILL_CHECK_BALANCE, answer) &&
                   till_names_are_known(call->json, NAMES, answer) &&
                   press_take_card(&press, call, true, answer) && press_send(&press, answer);
    if (is_good) {
        press_tell(&press);
        if (is_approved(&press))
            balance_say(&press);
        else
            press_say(&press, "check-balance");
    }
    press_finish(&press);
    return is_good;
}

/* --- top-up ---------------------------------------------------------------------------------- */

static void top_up_say(struct press *press, const struct booking *booking)
{
    char text[SAID_MAX + BOOKING_WHY_MAX + 128], money[TILL_MONEY_MAX];
    struct said said = said_approved(press, "top-up", "Top-up successful");
    const char *sentence = said.text;
    said.text = text;
    said.is_booked = booking->is_booked;
    if (booking->is_booked)
        (void)snprintf(text, sizeof(text), "%s%sTake %s from the customer now: it is on the order.",
                       sentence, sentence[0] != '\0' ? ". " : "",
                       till_money(press->till, booking->amount_minor, money));
    else
        (void)snprintf(text, sizeof(text), "%s loaded. %s",
                       till_money(press->till, booking->amount_minor, money), booking->why);
    till_say(press->till, &said);
}

static void top_up_book(struct press *press, int64_t order_id, int64_t asked_minor)
{
    struct booking booking = {.order_id = order_id,
                              .method = press->config->payment_name,
                              .amount_minor =
                                  approved_minor(press, asked_minor, till_exponent(press->till)),
                              .ref = press_judgement(press)->reference};
    if (booking.amount_minor > 0)
        booking_load(press->till, &booking);
    else
        (void)snprintf(booking.why, sizeof(booking.why), "There is nothing to put on the order.");
    press_tell(press);
    top_up_say(press, &booking);
}

/* A top-up needs an order to stand on: the one on the screen, or a new one. */
static bool top_up_ask(struct press *press, int64_t amount_minor, struct till_answer *answer)
{
    char amount[MONEY_TEXT_MAX];
    int64_t order_id;
    if (!till_order_to_fill(press->till, &order_id, answer))
        return false;
    amount_write(amount_minor, till_exponent(press->till), amount);
    press->options.amount = amount;
    press->options.order_id = press->order_id = order_id;
    press->options.has_order = true;
    if (!press_send(press, answer))
        return false;
    if (is_approved(press)) {
        top_up_book(press, order_id, amount_minor);
    } else {
        press_tell(press);
        press_say(press, "top-up");
    }
    return true;
}

bool till_top_up(struct till *till, struct till_call *call, struct till_answer *answer)
{
    static const char *const NAMES[] = {"reference", "amount", "entry", NULL};
    struct press press;
    int64_t amount_minor = 0;
    bool is_good =
        press_begin(&press, till, TILL_TOP_UP, answer) &&
        till_names_are_known(call->json, NAMES, answer) &&
        till_take_amount(call->json, "amount", till_exponent(till), &amount_minor, answer) &&
        (amount_minor > 0 || till_refuse(answer, 400, "missing", "amount is missing.")) &&
        press_take_card(&press, call, true, answer) && top_up_ask(&press, amount_minor, answer);
    press_finish(&press);
    return is_good;
}
