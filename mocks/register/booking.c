/* Puts payments and loads on orders of the cloud, with the drawer held. */
#include "mocks/register/booking.h"

#include "base/error.h"
#include "mocks/lightspeed/call.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/banned.h"

struct payment {
    const struct booking *booking;
    int exponent;
};

static void write_payment(struct jwrite *writer, const void *context)
{
    const struct payment *payment = context;
    char memory[MONEY_TEXT_MAX];
    struct text_buffer amount;
    text_buffer_init(&amount, memory, sizeof(memory));
    money_append(&amount, payment->booking->amount_minor, payment->exponent);
    jwrite_object_begin(writer);
    jwrite_named_text(writer, "method", payment->booking->method);
    jwrite_key(writer, TEXT("amount"));
    jwrite_raw(writer, text_buffer_text(&amount));
    if (payment->booking->ref[0] != '\0')
        jwrite_named_text(writer, "ref", payment->booking->ref);
    jwrite_object_end(writer);
}

static void write_no_rest(struct jwrite *writer, const void *context)
{
    (void)context;
    jwrite_object_begin(writer);
    jwrite_named_bool(writer, "pay_rest", false);
    jwrite_object_end(writer);
}

/* The sentence of a refusal that nobody is answered with. */
static void keep_why(struct booking *booking, struct till_answer *answer)
{
    struct jread *json = NULL;
    struct text_buffer why;
    text_buffer_init(&why, booking->why, sizeof(booking->why));
    if (jread_parse(made_text(&answer->body), &json) == 0)
        text_append_printable(&why, bill_text(json, "message"), TEXT(" "));
    jread_destroy(json);
    made_destroy(&answer->body);
}

static bool payment_put(struct till *till, struct booking *booking, const struct bill *bill,
                        struct till_answer *answer)
{
    char path[64];
    struct payment payment = {booking, bill->exponent};
    (void)snprintf(path, sizeof(path), "/orders/%" PRId64 "/payments", bill->id);
    if (!till_change(till, "POST", path, write_payment, &payment, answer))
        return false;
    booking->is_booked = true;
    booking->due_minor = bill->due_minor - booking->amount_minor;
    if (booking->due_minor > 0)
        return true;
    (void)snprintf(path, sizeof(path), "/orders/%" PRId64 "/complete", bill->id);
    return till_change(till, "POST", path, write_no_rest, NULL, answer);
}

/* A second answer to the same request is the same payment. */
static const char *payment_objection(const struct booking *booking, const struct bill *bill)
{
    if (booking->ref[0] != '\0' && bill_has_payment(bill, booking->method, booking->ref))
        return "This payment is on the order already; it was not put there again.";
    if (!bill_is_open(bill))
        return "The order is closed already; the payment was not put on it.";
    if (booking->amount_minor > 0 && bill->due_minor <= 0)
        return "Nothing is due any more; the payment was not put on the order.";
    if (booking->amount_minor > bill->due_minor && !booking->may_exceed && !bill->is_refund)
        return "That is more than is still due; the payment was not put on the order.";
    return NULL;
}

void booking_pay(struct till *till, struct booking *booking)
{
    struct bill bill;
    struct shop_answer reply;
    struct till_answer answer = {0};
    CHECK(pthread_mutex_lock(&till->drawer) == 0);
    bool is_good = till_order(till, booking->order_id, &reply, &bill, &answer);
    const char *objection = is_good ? payment_objection(booking, &bill) : NULL;
    if (objection != NULL) {
        booking->due_minor = bill.due_minor;
        (void)snprintf(booking->why, sizeof(booking->why), "%s", objection);
    } else if (!is_good || !payment_put(till, booking, &bill, &answer)) {
        keep_why(booking, &answer);
    }
    CHECK(pthread_mutex_unlock(&till->drawer) == 0);
    shop_answer_finish(&reply);
}

bool booking_take(struct till *till, struct booking *booking, int64_t *change_minor,
                  struct till_answer *answer)
{
    struct bill bill;
    struct shop_answer reply;
    *change_minor = 0;
    CHECK(pthread_mutex_lock(&till->drawer) == 0);
    bool is_good = till_open_order(till, &reply, &bill, answer);
    if (is_good && bill.due_minor <= 0)
        is_good = till_refuse(answer, 422, "more_than_due", "Nothing is due on this order.");
    if (is_good) {
        int64_t given_minor = booking->amount_minor == 0 ? bill.due_minor : booking->amount_minor;
        booking->amount_minor = given_minor < bill.due_minor ? given_minor : bill.due_minor;
        *change_minor = given_minor - booking->amount_minor;
        is_good = payment_put(till, booking, &bill, answer);
    }
    CHECK(pthread_mutex_unlock(&till->drawer) == 0);
    shop_answer_finish(&reply);
    return is_good;
}

/* --- a loaded card --------------------------------------------------------------------------- */

struct load_line {
    const struct booking *booking;
    int64_t product_id;
    int exponent;
    const char *notes;
};

static void write_load(struct jwrite *writer, const void *context)
{
    const struct load_line *line = context;
    char memory[MONEY_TEXT_MAX];
    struct text_buffer price;
    text_buffer_init(&price, memory, sizeof(memory));
    money_append(&price, line->booking->amount_minor, line->exponent);
    jwrite_object_begin(writer);
    jwrite_named_int(writer, "product_id", line->product_id);
    jwrite_named_int(writer, "quantity", 1);
    jwrite_key(writer, TEXT("unit_price_inc_tax"));
    jwrite_raw(writer, text_buffer_text(&price));
    jwrite_named_text(writer, "notes", line->notes);
    jwrite_object_end(writer);
}

static bool load_put(struct till *till, struct booking *booking, const struct bill *bill,
                     const char *notes, struct till_answer *answer)
{
    char path[64];
    struct load_line line = {.booking = booking, .exponent = bill->exponent, .notes = notes};
    (void)snprintf(path, sizeof(path), "/orders/%" PRId64 "/lines", bill->id);
    booking->is_booked =
        till_product(till, BILL_TOP_UP_CODE, "Gift card top-up", &line.product_id, answer) &&
        till_change(till, "POST", path, write_load, &line, answer);
    return booking->is_booked;
}

void booking_load(struct till *till, struct booking *booking)
{
    char notes[SAID_MAX + 16];
    struct bill bill;
    struct shop_answer reply;
    struct till_answer answer = {0};
    (void)snprintf(notes, sizeof(notes), "Top-up %s", booking->ref);
    CHECK(pthread_mutex_lock(&till->drawer) == 0);
    bool is_good = till_order(till, booking->order_id, &reply, &bill, &answer);
    bool is_too_large = is_good && !till_amount_fits(booking->amount_minor, bill.exponent);
    bool is_there = is_good && booking->ref[0] != '\0' && bill_has_line_noted(&bill, notes);
    if (is_there)
        (void)snprintf(booking->why, sizeof(booking->why),
                       "This top-up is on the order already; it was not put there again.");
    else if (is_too_large)
        (void)snprintf(booking->why, sizeof(booking->why),
                       "That does not fit on an order; nothing was put there.");
    else if (!is_good || !load_put(till, booking, &bill, notes, &answer))
        keep_why(booking, &answer);
    CHECK(pthread_mutex_unlock(&till->drawer) == 0);
    shop_answer_finish(&reply);
}

/* --- the payment type ------------------------------------------------------------------------ */

static void write_method(struct jwrite *writer, const void *context)
{
    const struct config *config = context;
    jwrite_object_begin(writer);
    jwrite_named_int(writer, "company_id", config->company_id);
    jwrite_named_text(writer, "name", config->payment_name);
    jwrite_named_text(writer, "client_id", config->client_id);
    jwrite_object_end(writer);
}

static bool has_method(const struct jread *methods, const struct config *config)
{
    for (size_t i = 0; i < jread_count(methods); i++) {
        const struct jread *method = jread_element(methods, i);
        if (bill_id(method, "company_id") == config->company_id &&
            text_equal(bill_text(method, "name"), text_of(config->payment_name)))
            return true;
    }
    return false;
}

/* A cloud that is down gets it at the next sync; until then nothing can be booked anyway. */
void booking_make_method(struct till *till, const struct config *config)
{
    struct shop_answer reply;
    struct till_answer answer = {0};
    CHECK(pthread_mutex_lock(&till->drawer) == 0);
    if (shop_ask(till->shop, "GET", "/payment_methods", NULL, &reply) == 0 &&
        !has_method(reply.json, config) &&
        !till_change(till, "POST", "/payment_methods", write_method, config, &answer))
        made_destroy(&answer.body);
    CHECK(pthread_mutex_unlock(&till->drawer) == 0);
    shop_answer_finish(&reply);
}
