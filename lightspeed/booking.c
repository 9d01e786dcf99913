/* Which of an order's payments are ours, and whose. */
#include "lightspeed/booking.h"

#include "base/error.h"

#include <string.h>

#include "base/banned.h"

#define REF_PREFIX TEXT("CP")

static void append_prefix(struct text_buffer *buffer, int64_t generation)
{
    text_append(buffer, REF_PREFIX);
    text_append_int64(buffer, generation);
    text_append_char(buffer, '-');
}

void payment_ref_make_prefix(int64_t generation, char prefix[ORDER_REF_MAX + 1])
{
    struct text_buffer buffer;
    text_buffer_init(&buffer, prefix, ORDER_REF_MAX + 1);
    append_prefix(&buffer, generation);
    CHECK(!buffer.is_cut);
}

void payment_ref_make(int64_t generation, int64_t operation_id, char ref[ORDER_REF_MAX + 1])
{
    struct text_buffer buffer;
    text_buffer_init(&buffer, ref, ORDER_REF_MAX + 1);
    append_prefix(&buffer, generation);
    text_append_int64(&buffer, operation_id);
    CHECK(!buffer.is_cut);
}

/* There is one way to write each: "CP01-5", "CP1--5" and "CP1-+5" are none of ours. */
int payment_ref_read(const char *ref, int64_t *generation, int64_t *operation_id)
{
    const struct text prefix = REF_PREFIX;
    struct text whole = text_of(ref);
    struct text rest = text_slice(whole, prefix.length, whole.length);
    const char *dash = rest.length == 0 ? NULL : memchr(rest.base, '-', rest.length);
    char again[ORDER_REF_MAX + 1];
    if (!text_starts_with(whole, prefix) || dash == NULL)
        return ERR_NOT_FOUND;
    size_t length = (size_t)(dash - rest.base);
    if (text_parse_int64(text_slice(rest, 0, length), generation) != 0 ||
        text_parse_int64(text_slice(rest, length + 1, rest.length), operation_id) != 0 ||
        *generation <= 0 || *operation_id <= 0)
        return ERR_NOT_FOUND;
    payment_ref_make(*generation, *operation_id, again);
    return strcmp(again, ref) == 0 ? 0 : ERR_NOT_FOUND;
}

static bool is_token(struct text text)
{
    for (size_t i = 0; i < text.length; i++)
        if (memchr("0123456789abcdef", text.base[i], 16) == NULL)
            return false;
    return text.length == REWARD_MARK_TOKEN_CHARS;
}

bool payment_is_reward(const struct order_payment *payment)
{
    const struct text mark = TEXT(REWARD_MARK);
    struct text whole = text_of(payment->ref);
    struct text rest = text_slice(whole, mark.length, whole.length);
    int64_t reservation_id;
    size_t digits = 0;
    if (!text_starts_with(whole, mark))
        return false;
    while (digits < rest.length && rest.base[digits] >= '0' && rest.base[digits] <= '9')
        digits++;
    return digits > 0 && digits < rest.length && rest.base[0] != '0' && rest.base[digits] == '-' &&
           text_parse_int64(text_slice(rest, 0, digits), &reservation_id) == 0 &&
           is_token(text_slice(rest, digits + 1, rest.length));
}

int32_t payments_count_alike(const struct oseries_order *order, int64_t amount_minor)
{
    int64_t generation, operation_id;
    int32_t alike = 0;
    for (int32_t i = 0; i < order->payment_count; i++) {
        const struct order_payment *payment = &order->payments[i];
        alike += payment->amount_minor == amount_minor && !payment_is_reward(payment) &&
                 payment_ref_read(payment->ref, &generation, &operation_id) != 0;
    }
    return alike;
}

/* Whose, by its ref; 0: nobody's of this generation. */
static int64_t payment_names(const struct order_payment *payment, int64_t generation)
{
    int64_t theirs, operation_id;
    if (payment_ref_read(payment->ref, &theirs, &operation_id) != 0 || theirs != generation)
        return 0;
    return operation_id;
}

bool payment_is_ours(const struct order_payment *payment, int64_t generation, int64_t method_id)
{
    return payment_names(payment, generation) != 0 ||
           (method_id != 0 && payment->method_id == method_id && !payment_is_reward(payment));
}

int64_t payment_method_of(const struct oseries_order *order, int64_t generation, int64_t method_id)
{
    for (int32_t i = 0; i < order->payment_count && method_id == 0; i++)
        if (payment_names(&order->payments[i], generation) != 0)
            method_id = order->payments[i].method_id;
    return method_id;
}

/* --- matching --- */

struct matching {
    struct booking *bookings;
    int32_t count;
    const struct oseries_order *order;
    int64_t generation, method_id;
    int64_t *claimed;
};

static void match_make(struct matching *matching, struct booking *booking, int32_t payment)
{
    booking->payment = payment;
    booking->amount_differs =
        matching->order->payments[payment].amount_minor != booking->amount_minor;
    matching->claimed[payment] = booking->operation_id;
}

/* A payment that was made twice under one ref: the one of the right amount is the booking's. */
static void match_ref(struct matching *matching, struct booking *booking)
{
    const struct oseries_order *order = matching->order;
    int32_t found = -1;
    for (int32_t i = 0; i < order->payment_count; i++) {
        const struct order_payment *payment = &order->payments[i];
        if (payment_names(payment, matching->generation) != booking->operation_id)
            continue;
        bool is_better = found < 0 || order->payments[found].amount_minor != booking->amount_minor;
        if (is_better && (found < 0 || payment->amount_minor == booking->amount_minor))
            found = i;
    }
    if (found >= 0)
        match_make(matching, booking, found);
}

/* May this payment be the booking's by its amount? */
static bool is_candidate(const struct matching *matching, int32_t at, int64_t amount_minor)
{
    const struct order_payment *payment = &matching->order->payments[at];
    if (matching->claimed[at] != 0 || payment->amount_minor != amount_minor ||
        payment_names(payment, matching->generation) != 0 || payment_is_reward(payment))
        return false;
    return matching->method_id == 0 || payment->method_id == 0 ||
           payment->method_id == matching->method_id;
}

static bool is_wanting(const struct booking *booking, bool is_undone)
{
    return booking->payment < 0 && booking->amount_minor != 0 && booking->is_undone == is_undone;
}

static int32_t count_candidates(const struct matching *matching, int64_t amount_minor)
{
    int32_t count = 0;
    for (int32_t i = 0; i < matching->order->payment_count; i++)
        count += is_candidate(matching, i, amount_minor);
    return count;
}

/* Before any of them is matched by its amount. */
static bool is_ambiguous(const struct matching *matching, const struct booking *booking)
{
    int32_t rivals = 0;
    bool has_other_card = false;
    for (int32_t i = 0; i < matching->count; i++) {
        const struct booking *each = &matching->bookings[i];
        if (!is_wanting(each, booking->is_undone) || each->amount_minor != booking->amount_minor)
            continue;
        rivals++;
        has_other_card |= each->card_id != booking->card_id;
    }
    int32_t candidates = count_candidates(matching, booking->amount_minor);
    return has_other_card && candidates > 0 && candidates < rivals;
}

/* number 0: any. */
static void match_amount(struct matching *matching, struct booking *booking, int64_t number)
{
    const struct oseries_order *order = matching->order;
    for (int32_t i = 0; i < order->payment_count && booking->payment < 0; i++)
        if ((number == 0 || order->payments[i].number == number) &&
            is_candidate(matching, i, booking->amount_minor))
            match_make(matching, booking, i);
}

static void match_amounts(struct matching *matching, bool is_undone)
{
    for (int32_t i = 0; i < matching->count; i++)
        if (is_wanting(&matching->bookings[i], is_undone))
            matching->bookings[i].is_ambiguous = is_ambiguous(matching, &matching->bookings[i]);
    for (int32_t i = 0; i < matching->count; i++)
        if (is_wanting(&matching->bookings[i], is_undone) && matching->bookings[i].known_number > 0)
            match_amount(matching, &matching->bookings[i], matching->bookings[i].known_number);
    for (int32_t i = 0; i < matching->count; i++)
        if (is_wanting(&matching->bookings[i], is_undone))
            match_amount(matching, &matching->bookings[i], 0);
}

void bookings_match(struct booking *bookings, int32_t count, const struct oseries_order *order,
                    int64_t generation, int64_t method_id, int64_t claimed[ORDER_PAYMENTS_MAX])
{
    struct matching matching = {.bookings = bookings,
                                .count = count,
                                .order = order,
                                .generation = generation,
                                .method_id = payment_method_of(order, generation, method_id),
                                .claimed = claimed};
    memset(claimed, 0, ORDER_PAYMENTS_MAX * sizeof(claimed[0]));
    for (int32_t i = 0; i < count; i++) {
        bookings[i].payment = -1;
        bookings[i].is_ambiguous = bookings[i].amount_differs = false;
        match_ref(&matching, &bookings[i]);
    }
    match_amounts(&matching, false);
    match_amounts(&matching, true);
}
