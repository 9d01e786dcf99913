/* Words what happened to a card for the merchant. */
#include "handlers/tell.h"

#include "base/banned.h"

/* --- sentences --- */

#define ACTIONS_MAX (ACTION_RECHARGE + 1)
#define RESULTS_MAX (RESULT_APPROVAL_SUSPENDED + 1)

/*
 * {amount} moved, {asked} asked for, {balance} on the card afterwards, {limit} what would have been
 * possible, {order} "on order 12", {place} the same with site and register, {other} what it
 * answers.
 */
static const struct telling {
    const char *done;
    const char *partly;  /* less was moved than asked for; NULL: the same */
    const char *refused; /* followed by the reason */
} tellings[ACTIONS_MAX] = {
    [ACTION_ISSUE] = {.done = "The merchant issued the card with {amount} on it",
                      .refused = "The card was not issued"},
    [ACTION_CHARGE] = {.done = "{amount} was charged {place}",
                       .partly = "{amount} of the {asked} asked for was charged {place}: the card "
                                 "had no more",
                       .refused = "A charge of {asked} {place} was refused"},
    [ACTION_TOP_UP] = {.done = "{amount} was loaded {place}",
                       .refused = "A load of {asked} {place} was refused"},
    [ACTION_REFUND] = {.done = "{amount} was refunded {place}",
                       .partly = "{amount} of the {asked} asked for was refunded {place}",
                       .refused = "A refund of {asked} {place} was refused"},
    [ACTION_VOID] = {.done = "This number was given out and never used: nothing happened"},
    [ACTION_HOLD_LOAD] = {.done = "A load of {asked} {place} waits until the order is complete",
                          .refused = "A load of {asked} {place} was refused"},
    [ACTION_RELEASE] = {.done = "{amount} that waited for its order was loaded {place}",
                        .refused = "Loads that waited {place} were not made"},
    [ACTION_REVERSE] = {.done = "{amount} was given back by itself: the payment of operation "
                                "{other} is not {order}",
                        .refused = "Operation {other} {order} was not given back"},
    [ACTION_RECHARGE] = {.done = "{amount} was taken again by itself: the register does not agree "
                                 "with operation {other} {order}",
                         .partly = "{amount} of {asked} was taken again by itself, and the card "
                                   "had no more: the register does not agree with operation "
                                   "{other} {order}",
                         .refused = "Operation {other} {order} was not charged again"},
};

/* Why not; with {limit} where one is told. */
static const char *const reasons[RESULTS_MAX] = {
    [RESULT_OK] = "",
    [RESULT_THROTTLED] = "too many wrong card numbers or PINs were tried there",
    [RESULT_NOT_FOUND] = "the PIN was wrong or missing, or the card was not sold yet",
    [RESULT_AMOUNT_MISSING] = "no amount was sent",
    [RESULT_AMOUNT_INVALID] = "the amount was not a plain number",
    [RESULT_AMOUNT_TOO_PRECISE] = "the amount had more decimals than the currency",
    [RESULT_AMOUNT_NOT_POSITIVE] = "the amount was not more than zero",
    [RESULT_AMOUNT_TOO_LARGE] = "the amount was too large",
    [RESULT_ALREADY_EXISTS] = "there was a card with this number already",
    [RESULT_ALREADY_LOADED] = "this sale had loaded the card already",
    [RESULT_DISABLED] = "the card was disabled",
    [RESULT_NOT_YET_VALID] = "the card was not valid yet",
    [RESULT_EXPIRED] = "the card had expired",
    [RESULT_OVER_USES] = "the card was used too often within an hour",
    [RESULT_NO_FUNDS] = "the card had {balance}",
    [RESULT_OVER_BALANCE_MAX] = "only {limit} more could be added to it",
    [RESULT_OVER_LOAD_DAY] = "no more than {limit} could be loaded that day",
    [RESULT_NOT_CHARGED] = "this card had paid nothing on that sale",
    [RESULT_OVER_CHARGED] = "no more than {limit} was left to give back",
    [RESULT_OVER_REFUND_LIMIT] = "the sale was not known, and then at most {limit} can be refunded",
    [RESULT_OVER_REGISTER_DAY] = "the sale was unknown, and only {limit} more was left that day",
    [RESULT_NOTHING_HELD] = "nothing waited for that sale",
    [RESULT_ORDER_CLOSED] = "the sale was closed already",
    [RESULT_NOTHING_LEFT] = "nothing was left to undo",
    [RESULT_LOOK_FIRST] = "the order had to be looked at first",
    [RESULT_NOT_APPROVED] = "Lightspeed has not approved payments by us",
    [RESULT_APPROVAL_EXPIRED] = "Lightspeed's approval of payments by us has run out",
    [RESULT_OVER_APPROVED] = "Lightspeed has approved at most {limit} for one payment",
    [RESULT_OVER_APPROVED_DAY] = "Lightspeed's approval had {limit} left for that day",
    [RESULT_APPROVAL_SUSPENDED] = "Lightspeed had refused a payment by us in spite of its approval",
};

struct wording {
    const struct operation *operation;
    const struct currency *currency;
    const char *site;
};

static void append_money(struct text_buffer *out, int64_t amount_minor,
                         const struct currency *currency)
{
    if (amount_minor < 0)
        text_append_char(out, '-');
    text_append(out, text_of(currency_symbol(currency)));
    money_append(out, amount_minor < 0 ? -amount_minor : amount_minor, currency->exponent);
}

static void append_order(struct text_buffer *out, const struct operation *operation)
{
    if (operation->order_id != 0)
        text_append_format(out, "on order %lld", (long long)operation->order_id);
    else
        text_append(out, TEXT("without an order"));
    if (operation->refunded_order_id != 0)
        text_append_format(out, " for sale %lld", (long long)operation->refunded_order_id);
}

static void append_place(struct text_buffer *out, const struct wording *wording)
{
    const struct operation *operation = wording->operation;
    append_order(out, operation);
    if (wording->site != NULL)
        text_append_format(out, " at %s", wording->site);
    else if (operation->site_id != 0)
        text_append_format(out, " at site %lld", (long long)operation->site_id);
    if (operation->register_id != 0)
        text_append_format(out, ", register %lld", (long long)operation->register_id);
}

static void append_placeholder(struct text_buffer *out, struct text name,
                               const struct wording *wording)
{
    const struct operation *operation = wording->operation;
    if (text_equal(name, TEXT("amount")))
        append_money(out, operation->amount_minor, wording->currency);
    else if (text_equal(name, TEXT("asked")))
        append_money(out, operation->asked_minor, wording->currency);
    else if (text_equal(name, TEXT("balance")))
        append_money(out, operation->balance_minor_after, wording->currency);
    else if (text_equal(name, TEXT("limit")))
        append_money(out, operation->limit_minor, wording->currency);
    else if (text_equal(name, TEXT("order")))
        append_order(out, operation);
    else if (text_equal(name, TEXT("place")))
        append_place(out, wording);
    else if (text_equal(name, TEXT("other")))
        text_append_int64(out, operation->answers_operation_id);
}

static void append_worded(struct text_buffer *out, const char *words, const struct wording *wording)
{
    for (const char *c = words; *c != '\0'; c++) {
        if (*c != '{') {
            text_append_char(out, *c);
            continue;
        }
        const char *name = c + 1;
        while (*c != '}')
            c++;
        append_placeholder(out, (struct text){name, (size_t)(c - name)}, wording);
    }
}

void tell_operation(struct text_buffer *sentence, const struct operation *operation,
                    const struct currency *currency, const char *site)
{
    const struct wording wording = {operation, currency, site};
    CHECK((unsigned)operation->action < ACTIONS_MAX && (unsigned)operation->result < RESULTS_MAX);
    const struct telling *telling = &tellings[operation->action];
    bool is_partial = operation->amount_minor < operation->asked_minor && telling->partly != NULL;
    if (operation->result == RESULT_OK || telling->refused == NULL) {
        append_worded(sentence, is_partial ? telling->partly : telling->done, &wording);
        return;
    }
    append_worded(sentence, telling->refused, &wording);
    text_append(sentence, TEXT(": "));
    append_worded(sentence, reasons[operation->result], &wording);
}

static void append_confirmed(struct text_buffer *sentence, const struct proof *proof)
{
    if (proof->shown_order_id == 0)
        text_append_format(sentence, "Confirmed by order %lld", (long long)proof->order_id);
    else if (proof->payment_number == 0)
        text_append_format(sentence, "Confirmed: order %lld is complete",
                           (long long)proof->shown_order_id);
    else
        text_append_format(sentence, "Confirmed: order %lld shows it as payment %lld",
                           (long long)proof->shown_order_id, (long long)proof->payment_number);
    if (proof->shown_order_id != 0 && proof->shown_order_id != proof->order_id)
        text_append_format(sentence, "; it was made on order %lld", (long long)proof->order_id);
}

void tell_proof(struct text_buffer *sentence, const struct proof *proof)
{
    switch (proof->state) {
    case PROOF_CONFIRMED:
        append_confirmed(sentence, proof);
        return;
    case PROOF_REVERSED:
        text_append(sentence, TEXT("Reversed: the order does not show it, and it was undone"));
        return;
    case PROOF_OPEN:
        text_append(sentence, TEXT("Not proved yet: "));
        break;
    case PROOF_LISTED:
        text_append(sentence, TEXT("Somebody has to look at it: "));
        break;
    }
    text_append(sentence, text_of(proof_reason_sentence(proof->reason)));
    if (proof->is_suspect)
        text_append(sentence, TEXT("; the register may never have got the answer"));
}

/* --- asked again --- */

static bool is_asked_for_at_a_till(enum action action)
{
    return action == ACTION_CHARGE || action == ACTION_TOP_UP || action == ACTION_HOLD_LOAD ||
           action == ACTION_REFUND;
}

void tell_replay(struct text_buffer *sentence, const struct operation *operation,
                 const struct policy *policy, int64_t now_us)
{
    int64_t window_us =
        operation->order_id != 0 ? policy->replay_window_us : policy->replay_window_no_order_us;
    if (!is_asked_for_at_a_till(operation->action))
        return;
    if (operation->result != RESULT_OK)
        text_append(sentence, TEXT("Asked again, it is decided afresh: a refusal is never "
                                   "repeated from memory"));
    else if (operation->amount_minor > 0 && operation->given_back_minor == operation->amount_minor)
        text_append(sentence, TEXT("Asked again, it is decided afresh: all of it was undone"));
    else if (now_us - operation->created_at_us < window_us)
        text_append_format(sentence,
                           "Asked again on the same order within %lld s, and nothing else was "
                           "done with the card there meanwhile, it gets the same answer and moves "
                           "nothing",
                           (long long)(window_us / CLOCK_US_PER_S));
    else
        text_append_format(sentence,
                           "Asked again, it is no repetition any more: that window was %lld s",
                           (long long)(window_us / CLOCK_US_PER_S));
}

int64_t tell_moved_minor(const struct operation *operation)
{
    bool takes = operation->action == ACTION_CHARGE || operation->action == ACTION_RECHARGE;
    return takes ? -operation->amount_minor : operation->amount_minor;
}

const char *tell_status_name(enum card_status status)
{
    switch (status) {
    case CARD_STOCK:
        return "stock";
    case CARD_ACTIVE:
        return "active";
    case CARD_DISABLED:
        return "disabled";
    }
    return "unknown";
}
