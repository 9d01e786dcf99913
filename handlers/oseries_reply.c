/* The superset writer: what was decided, in the names of the register's dialect, and in sentences
 * that a cashier can act on. */
#include "handlers/oseries_reply.h"

#include "base/clock.h"
#include "base/json.h"

#include <string.h>

#include "base/banned.h"

/* --- sentences --- */

#define RESULTS_MAX (RESULT_APPROVAL_SUSPENDED + 1)

/*
 * What is told for each result: for all actions, or for one of them where it needs other words.
 * {amount} moved, {balance} on the card, {due} still to pay, {limit} what would have been possible,
 * {last4}, {date} the last good day, {currency} its code.
 */
static const struct sentence {
    const char *general;
    const char *action[PROFILE_ACTIONS];
    const char *none; /* when {limit} is zero; NULL: the same */
} sentences[RESULTS_MAX] = {
    [RESULT_OK] = {.action = {[PROFILE_CHECKOUT] =
                                  "Gift card ...{last4} charged {amount}, {balance} left",
                              [PROFILE_CHECK_BALANCE] = "Gift card ...{last4} has {balance}",
                              [PROFILE_TOP_UP] =
                                  "Gift card ...{last4} loaded with {amount}, {balance} on it now",
                              [PROFILE_REFUND] =
                                  "Gift card ...{last4} got back {amount}, {balance} on it now"}},
    [RESULT_THROTTLED] =
        {.general = "Too many wrong card numbers or PINs. Wait a few minutes, then try again"},
    [RESULT_NOT_FOUND] = {.general =
                              "Card not found. Check the number, and the PIN if the card has one"},
    [RESULT_AMOUNT_MISSING] = {.general = "No amount was sent. Enter the amount and try again",
                               .action = {[PROFILE_TOP_UP] =
                                              "This URL is for top-ups and got no amount to load. "
                                              "Check the URLs in Back Office"}},
    [RESULT_AMOUNT_INVALID] = {.general = "The amount is not a plain number. Enter it again"},
    [RESULT_AMOUNT_TOO_PRECISE] = {.general = "The amount has more decimals than {currency} has"},
    [RESULT_AMOUNT_NOT_POSITIVE] = {.general = "The amount must be more than zero"},
    [RESULT_AMOUNT_TOO_LARGE] = {.general = "The amount is too large. Enter it again"},
    [RESULT_ALREADY_EXISTS] = {.general = "There is a card with this number already"},
    [RESULT_ALREADY_LOADED] = {.general = "Already loaded on this sale, check the balance"},
    [RESULT_DISABLED] = {.general = "This card is disabled. Ask the manager"},
    [RESULT_NOT_YET_VALID] = {.general = "This card is not valid yet"},
    [RESULT_EXPIRED] = {.general = "This card has expired, it was good until {date}"},
    [RESULT_OVER_USES] = {.general =
                              "This card was used too often within an hour. Try again later"},
    [RESULT_NO_FUNDS] = {.general = "Insufficient balance: {balance} available"},
    [RESULT_OVER_BALANCE_MAX] = {.general = "Too much for one card: at most {limit} can be added",
                                 .none = "This card is full: nothing can be added"},
    [RESULT_OVER_LOAD_DAY] = {.general =
                                  "Too much for one day: at most {limit} can be loaded today",
                              .none = "This card can take no more today. Try again tomorrow"},
    [RESULT_NOT_CHARGED] =
        {.general = "This card paid nothing on this sale, so there is nothing to refund"},
    [RESULT_OVER_CHARGED] = {.general =
                                 "At most {limit} can be refunded to this card for this sale",
                             .none = "All of this sale was refunded to this card already"},
    [RESULT_OVER_REFUND_LIMIT] =
        {.general = "Sale not known: at most {limit} can be refunded to this card",
         .none = "Sale not known, so nothing can be refunded to this card"},
    [RESULT_OVER_REGISTER_DAY] = {.general =
                                      "Sale not known: this register can refund {limit} more today",
                                  .none =
                                      "Sale not known, and this register can refund no more today"},
    [RESULT_NOTHING_HELD] = {.general = "Nothing waits for this sale"},
    [RESULT_ORDER_CLOSED] = {.general = "This sale is closed, so the card was not charged again"},
    [RESULT_NOTHING_LEFT] = {.general = "Nothing is left to give back or to take again"},
    [RESULT_NOT_APPROVED] = {.general = "Gift cards cannot pay here yet: Lightspeed has not "
                                        "approved it. Take another payment"},
    [RESULT_APPROVAL_EXPIRED] = {.general = "Gift cards cannot pay here: Lightspeed's approval has "
                                            "run out. Take another payment"},
    [RESULT_OVER_APPROVED] = {.general = "At most {limit} can be paid by gift card at once"},
    [RESULT_OVER_APPROVED_DAY] = {.general = "Only {limit} more can be paid by gift card today",
                                  .none = "No more can be paid by gift card today"},
    [RESULT_APPROVAL_SUSPENDED] = {.general = "Gift cards cannot pay here: Lightspeed has refused "
                                              "it. Take another payment"},
};

#define SENTENCE_PARTIAL "Gift card ...{last4} charged {amount}, {due} still to pay"
#define SENTENCE_HELD                                                                              \
    "Gift card ...{last4} gets {amount} when this sale is paid, {balance} on it until then"
#define SENTENCE_BALANCE_UNTIL "Gift card ...{last4} has {balance}, good until {date}"

/* A load that waits for its order. What it will be is told as its amount: the register books that,
 * and the customer pays it. */
static bool is_held(const struct outcome *outcome)
{
    return outcome->action == ACTION_HOLD_LOAD && outcome->result == RESULT_OK;
}

static int64_t amount_told(const struct outcome *outcome)
{
    return is_held(outcome) ? outcome->asked_minor : outcome->amount_minor;
}

static const char *sentence_find(enum profile_action action, const struct outcome *outcome)
{
    CHECK((unsigned)outcome->result < RESULTS_MAX);
    CHECK(outcome->result != RESULT_LOOK_FIRST); /* who asked looks, and asks again */
    const struct sentence *sentence = &sentences[outcome->result];
    bool is_ok = outcome->result == RESULT_OK;
    if (is_held(outcome))
        return SENTENCE_HELD;
    if (is_ok && action == PROFILE_CHECKOUT && outcome->amount_minor < outcome->asked_minor)
        return SENTENCE_PARTIAL;
    if (is_ok && action == PROFILE_CHECK_BALANCE && outcome->expires_on != 0)
        return SENTENCE_BALANCE_UNTIL;
    if (sentence->none != NULL && outcome->limit_minor == 0)
        return sentence->none;
    return sentence->action[action] != NULL ? sentence->action[action] : sentence->general;
}

static void append_money(const struct payment_style *style, int64_t amount_minor,
                         struct text_buffer *out)
{
    text_append(out, text_of(currency_symbol(&style->currency)));
    money_append(out, amount_minor, style->currency.exponent);
}

static void append_placeholder(const struct payment_style *style, const struct outcome *outcome,
                               struct text name, struct text_buffer *out)
{
    if (text_equal(name, TEXT("amount")))
        append_money(style, amount_told(outcome), out);
    else if (text_equal(name, TEXT("balance")))
        append_money(style, outcome->balance_minor, out);
    else if (text_equal(name, TEXT("due")))
        append_money(style, outcome->asked_minor - amount_told(outcome), out);
    else if (text_equal(name, TEXT("limit")))
        append_money(style, outcome->limit_minor, out);
    else if (text_equal(name, TEXT("last4")))
        text_append(out, text_of(outcome->last4));
    else if (text_equal(name, TEXT("date")))
        clock_append_date(out, outcome->expires_on);
    else if (text_equal(name, TEXT("currency")))
        text_append(out, text_of(style->currency.code));
    else
        CHECK(false); /* a slip in the table above */
}

void oseries_reply_sentence(const struct payment_style *style, const struct outcome *outcome,
                            struct text_buffer *sentence)
{
    const char *template = sentence_find(style->action, outcome);
    CHECK(template != NULL);
    for (const char *open; (open = strchr(template, '{')) != NULL;) {
        const char *close = strchr(open, '}');
        CHECK(close != NULL);
        text_append(sentence, (struct text){template, (size_t)(open - template)});
        append_placeholder(style, outcome, (struct text){open + 1, (size_t)(close - open - 1)},
                           sentence);
        template = close + 1;
    }
    text_append(sentence, text_of(template));
}

/* --- fields --- */

/* Everything one reply can say. */
struct told {
    const struct payment_style *style;
    const struct outcome *outcome;
    bool is_success;
    const char *code;
    struct text sentence;
};

static void write_amount(struct jwrite *writer, const struct payment_style *style,
                         int64_t amount_minor)
{
    char text[MONEY_TEXT_MAX];
    struct text_buffer buffer;
    text_buffer_init(&buffer, text, sizeof(text));
    money_append(&buffer, amount_minor, style->currency.exponent);
    if (style->amounts_are_strings)
        jwrite_text(writer, text_buffer_text(&buffer));
    else
        jwrite_raw(writer, text_buffer_text(&buffer));
}

static void write_reference(struct jwrite *writer, const struct told *told)
{
    char text[2 + 20 + 1 + 20 + 1]; /* CP, int64, -, int64, NUL */
    struct text_buffer buffer;
    text_buffer_init(&buffer, text, sizeof(text));
    text_append(&buffer, TEXT("CP"));
    text_append_int64(&buffer, told->style->generation);
    text_append_char(&buffer, '-');
    text_append_int64(&buffer, told->outcome->operation_id);
    jwrite_text(writer, text_buffer_text(&buffer));
}

/* A text that is not there is left out: a register may stumble over null. */
static bool is_told(const struct told *told, enum profile_value value)
{
    if (value == PROFILE_VALUE_REFERENCE)
        return told->outcome->operation_id != 0;
    if (value == PROFILE_VALUE_LAST4)
        return told->outcome->last4[0] != '\0';
    return true;
}

static void write_value(struct jwrite *writer, const struct told *told, enum profile_value value)
{
    const struct outcome *outcome = told->outcome;
    switch (value) {
    case PROFILE_VALUE_SUCCESS:
        jwrite_bool(writer, told->is_success);
        break;
    case PROFILE_VALUE_AMOUNT:
        write_amount(writer, told->style, amount_told(outcome));
        break;
    case PROFILE_VALUE_ASKED:
        write_amount(writer, told->style, outcome->asked_minor);
        break;
    case PROFILE_VALUE_DUE:
        write_amount(writer, told->style, outcome->asked_minor - amount_told(outcome));
        break;
    case PROFILE_VALUE_BALANCE:
        write_amount(writer, told->style, outcome->balance_minor);
        break;
    case PROFILE_VALUE_REFERENCE:
        write_reference(writer, told);
        break;
    case PROFILE_VALUE_LAST4:
        jwrite_text(writer, text_of(outcome->last4));
        break;
    case PROFILE_VALUE_CURRENCY:
        jwrite_text(writer, text_of(told->style->currency.code));
        break;
    case PROFILE_VALUE_MESSAGE:
    case PROFILE_VALUE_ERROR:
        jwrite_text(writer, told->sentence);
        break;
    case PROFILE_VALUE_CODE:
        jwrite_text(writer, text_of(told->code));
        break;
    /* No list of a payment can hold these. */
    case PROFILE_VALUE_MEMBER:
    case PROFILE_VALUE_FIRST_NAME:
    case PROFILE_VALUE_LAST_NAME:
    case PROFILE_VALUE_EMAIL:
    case PROFILE_VALUE_PHONE:
    case PROFILE_VALUE_CARD:
    case PROFILE_VALUE_TIER:
    case PROFILE_VALUE_ICON_URL:
    case PROFILE_VALUE_INTRO_TEXT:
    case PROFILE_VALUE_POINTS:
    case PROFILE_VALUE_POINTS_LABEL:
    case PROFILE_VALUE_PARAMS:
    case PROFILE_VALUE_REWARD:
    case PROFILE_VALUE_TITLE:
    case PROFILE_VALUE_TERMS:
    case PROFILE_VALUE_POINTS_REQUIRED:
    case PROFILE_VALUE_REDEEM_URL:
    case PROFILE_VALUES:
        CHECK(false);
    }
}

static void write_reply(const struct told *told, struct text_buffer *reply)
{
    const struct profile *profile = told->style->profile;
    enum profile_action action = told->style->action;
    const struct profile_reply *fields =
        told->is_success ? &profile->success[action] : &profile->failure[action];
    struct jwrite writer;
    jwrite_init(&writer, reply);
    jwrite_object_begin(&writer);
    for (int32_t i = 0; i < fields->count; i++) {
        if (!is_told(told, fields->pairs[i].value))
            continue;
        jwrite_key_ready(&writer, profile_key(&fields->pairs[i]));
        write_value(&writer, told, fields->pairs[i].value);
    }
    jwrite_object_end(&writer);
}

void oseries_reply_outcome(const struct payment_style *style, const struct outcome *outcome,
                           struct text_buffer *reply)
{
    const struct outcome nothing = {.result = outcome->result};
    if (outcome->result == RESULT_NOT_FOUND || outcome->result == RESULT_THROTTLED)
        outcome = &nothing;
    char text[SENTENCE_MAX];
    struct text_buffer sentence;
    text_buffer_init(&sentence, text, sizeof(text));
    oseries_reply_sentence(style, outcome, &sentence);
    struct told told = {style, outcome, outcome->result == RESULT_OK, result_name(outcome->result),
                        text_buffer_text(&sentence)};
    write_reply(&told, reply);
}

void oseries_reply_failure(const struct payment_style *style, const char *code,
                           const char *sentence, struct text_buffer *reply)
{
    const struct outcome nothing = {.result = RESULT_NOT_FOUND};
    struct told told = {style, &nothing, false, code, text_of(sentence)};
    write_reply(&told, reply);
}
