/* Reads, writes and explains the settings of a tenant. */
#include "handlers/admin_setting.h"

#include "base/clock.h"
#include "handlers/admin_request.h"
#include "ledger/points.h"

#include <stddef.h>
#include <string.h>

#include "base/banned.h"

#define COUNT_MAX 1000000      /* more uses of one card in an hour than any till can make */
#define SECONDS_MIN INT64_C(1) /* with none at all, the retry of a lost reply would charge again */
#define DAY_S INT64_C(86400)
#define WEEK_S (7 * DAY_S)
#define SECONDS_MAX DAY_S
#define MILLI_EXPONENT 3

/* Without a known sale a refund is bounded by the card's own charges anyway; these keep one
 * careless register from emptying a day's worth of them. 200.00 and 1000.00 in most currencies. */
#define REFUND_MAX_DEFAULT 20000
#define REFUND_REGISTER_DAY_DEFAULT 100000
/* Major industry identifier 9: no payment network's numbers begin like that (ISO/IEC 7812-1). */
#define CARD_PREFIX_DEFAULT "9000"

#define AT(field) offsetof(struct tenant, field)
#define ROOM(field) (sizeof(((struct tenant *)0)->field))

static const struct admin_setting settings[] = {
    {"name", SETTING_TEXT, AT(name), ROOM(name), NULL, "what the merchant is called", 0, 0},
    {"signature_token", SETTING_SECRET, AT(signature_token), ROOM(signature_token), NULL,
     "Signature Token of the application; empty removes it", 0, 0},
    {"signature_token_previous", SETTING_SECRET, AT(signature_token_previous),
     ROOM(signature_token_previous), NULL, "still accepted during a rotation; empty removes it", 0,
     0},
    {"signature_mode", SETTING_CHOICE, AT(oseries_signature_mode), ROOM(oseries_signature_mode),
     "enforce|log|off", "what happens to requests that are not signed well", 0, 0},
    {"signature_base64", SETTING_SWITCH, AT(signature_base64_is_accepted),
     ROOM(signature_base64_is_accepted), "off|on", "accept base64 signatures besides hex", 0, 0},
    {"partial", SETTING_SWITCH, AT(policy.partial_is_allowed), ROOM(policy.partial_is_allowed),
     "refuse|allow", "approve a lower amount when the card has less than asked", 0, 0},
    {"balance_max", SETTING_AMOUNT, AT(policy.balance_max_minor), ROOM(policy.balance_max_minor),
     NULL, "largest balance of a card; 0: no limit", 0, 0},
    {"load_day_max", SETTING_AMOUNT, AT(policy.load_day_max_minor), ROOM(policy.load_day_max_minor),
     NULL, "top-ups per card and day; 0: no limit", 0, 0},
    {"uses_hour_max", SETTING_COUNT, AT(policy.uses_hour_max), ROOM(policy.uses_hour_max), NULL,
     "charges per card and hour; 0: no limit", 0, 0},
    {"refund_max", SETTING_AMOUNT, AT(policy.refund_max_minor), ROOM(policy.refund_max_minor), NULL,
     "one refund without a known sale; 0: none is given", 0, 0},
    {"refund_register_day_max", SETTING_AMOUNT, AT(policy.refund_register_day_max_minor),
     ROOM(policy.refund_register_day_max_minor), NULL,
     "such refunds per register and day; 0: none is given", 0, 0},
    {"replay_window", SETTING_SECONDS, AT(policy.replay_window_us), ROOM(policy.replay_window_us),
     NULL, "seconds in which a repeated request gets the first answer again", 0, 0},
    {"replay_window_no_order", SETTING_SECONDS, AT(policy.replay_window_no_order_us),
     ROOM(policy.replay_window_no_order_us), NULL, "the same for requests without an order", 0, 0},
    {"charge", SETTING_SWITCH, AT(charge_is_on), ROOM(charge_is_on), "off|on", "serve checkout", 0,
     0},
    {"top_up", SETTING_SWITCH, AT(top_up_is_on), ROOM(top_up_is_on), "off|on", "serve top-up", 0,
     0},
    {"refund", SETTING_SWITCH, AT(refund_is_on), ROOM(refund_is_on), "off|on", "serve refund", 0,
     0},
    {"check_balance", SETTING_SWITCH, AT(balance_is_on), ROOM(balance_is_on), "off|on",
     "serve check-balance", 0, 0},
    {"sites_must_be_mapped", SETTING_SWITCH, AT(sites_must_be_mapped), ROOM(sites_must_be_mapped),
     "off|on", "refuse requests of sites that were not added", 0, 0},
    {"last4", SETTING_SWITCH, AT(last4_is_accepted), ROOM(last4_is_accepted), "off|on",
     "look a card up by its last four digits when exactly one matches", 0, 0},
    {"amounts", SETTING_SWITCH, AT(amounts_are_strings), ROOM(amounts_are_strings), "number|string",
     "how amounts are written in replies to registers", 0, 0},
    {"card_prefix", SETTING_DIGITS, AT(card_prefix), ROOM(card_prefix), NULL,
     "first digits of generated card numbers", 0, 0},
    {"profile", SETTING_WORD, AT(profile), ROOM(profile), NULL,
     "request and reply profile of this tenant's registers", 0, 0},
    {"body_format", SETTING_CHOICE, AT(body_format), ROOM(body_format), "any|json|form",
     "how request bodies are read; any: by their first character", 0, 0},
    {"refusal_status", SETTING_COUNT, AT(refusal_status), ROOM(refusal_status), NULL,
     "HTTP status of a business refusal such as no funds", 200, 499},
    {"deadline", SETTING_SECONDS, AT(deadline_us), ROOM(deadline_us), NULL,
     "seconds after which a register is answered, whatever the answer", 1, 4},
    {"payment_booked_by", SETTING_SWITCH, AT(payment_is_ours), ROOM(payment_is_ours),
     "register|counterpart", "who adds the payment to the order after a checkout", 0, 0},
    {"payment_method", SETTING_COUNT, AT(payment_method), ROOM(payment_method), NULL,
     "id of the payment method that is ours in the back office; 0: not told", 0, INT32_MAX},
    {"order_look", SETTING_SWITCH, AT(order_look_is_on), ROOM(order_look_is_on), "off|on",
     "read the order before a charge that may be a late repetition is decided", 0, 0},
    {"notify", SETTING_SWITCH, AT(notify_is_on), ROOM(notify_is_on), "off|on",
     "tell the register's screen what staff should know of a payment", 0, 0},
    {"payment_refusals", SETTING_STATUSES, AT(payment_refusals), ROOM(payment_refusals), NULL,
     "statuses of the API that are final when a payment is added", 400, 499},
    {"top_up_release", SETTING_SWITCH, AT(policy.top_up_is_held), ROOM(policy.top_up_is_held),
     "immediate|on_order_complete", "when a top-up can be spent", 0, 0},
    {"webhook_topics", SETTING_LIST, AT(webhook_topics), ROOM(webhook_topics), NULL,
     "webhooks registered when the tenant connects", 0, 0},
    {"token_refresh", SETTING_SECONDS, AT(token_refresh_us), ROOM(token_refresh_us), NULL,
     "seconds after which the refresh token is used even when idle", 1, WEEK_S},
    {"customer_search", SETTING_SWITCH, AT(search_is_on), ROOM(search_is_on), "off|on",
     "serve customer-search", 0, 0},
    {"reward_lookup", SETTING_SWITCH, AT(rewards_is_on), ROOM(rewards_is_on), "off|on",
     "serve reward-lookup", 0, 0},
    {"redeem", SETTING_SWITCH, AT(redeem_is_on), ROOM(redeem_is_on), "off|on", "serve redeem", 0,
     0},
    {"loyalty_signature_mode", SETTING_CHOICE, AT(loyalty_signature_mode),
     ROOM(loyalty_signature_mode), "enforce|log|off",
     "signatures of customer-search, reward-lookup and redeem", 0, 0},
    {"reward_discount", SETTING_SWITCH, AT(discount_is_on_line), ROOM(discount_is_on_line),
     "order|line", "what a discount changes; order falls back to line", 0, 0},
    {"points_per_unit", SETTING_MILLI, AT(earn_milli), ROOM(earn_milli), NULL,
     "points earned per currency unit; 0: none", 0, POINTS_EARN_MILLI_MAX},
    {"points_label", SETTING_TEXT, AT(points_label), ROOM(points_label), NULL,
     "what the register calls points", 0, 0},
    {"points_expire_days", SETTING_COUNT, AT(points_expire_days), ROOM(points_expire_days), NULL,
     "days without earning or spending after which points expire; 0: never", 0, 36500},
    {"points_burn", SETTING_SWITCH, AT(burn_is_on_complete), ROOM(burn_is_on_complete),
     "at_redeem|on_order_complete", "when redeemed points are gone for good", 0, 0},
    {"reservation_max", SETTING_SECONDS, AT(reservation_max_us), ROOM(reservation_max_us), NULL,
     "seconds after which points held for an order that never ends are returned", 60, 30 * DAY_S},
    {"redeem_token", SETTING_SECONDS, AT(redeem_token_us), ROOM(redeem_token_us), NULL,
     "seconds for which a redeem_url is good", 60, WEEK_S},
};

_Static_assert(COUNT_OF(settings) <= ADMIN_SETTINGS_MAX, "one bit each");

size_t admin_setting_count(void)
{
    return COUNT_OF(settings);
}

const struct admin_setting *admin_setting_at(size_t index)
{
    CHECK(index < COUNT_OF(settings));
    return &settings[index];
}

const struct admin_setting *admin_setting_find(struct text name)
{
    for (size_t i = 0; i < COUNT_OF(settings); i++)
        if (text_equal(name, text_of(settings[i].name)))
            return &settings[i];
    return NULL;
}

static const struct tenant beginning = {
    .oseries_signature_mode = SIGNATURE_ENFORCE,
    .charge_is_on = true,
    .top_up_is_on = true,
    .refund_is_on = true,
    .balance_is_on = true,
    .card_prefix = CARD_PREFIX_DEFAULT,
    .profile = "default",
    .policy = {.partial_is_allowed = true,
               .replay_window_us = REPLAY_WINDOW_US,
               .replay_window_no_order_us = REPLAY_WINDOW_NO_ORDER_US},
    TENANT_CHOICES,
};

void admin_setting_defaults(struct tenant *tenant)
{
    int64_t scale = tenant->currency.exponent == 3 ? 10 : 1;
    for (size_t i = 0; i < COUNT_OF(settings); i++)
        if (settings[i].offset != AT(name))
            admin_setting_copy(&settings[i], &beginning, tenant);
    tenant->policy.refund_max_minor = REFUND_MAX_DEFAULT * scale;
    tenant->policy.refund_register_day_max_minor = REFUND_REGISTER_DAY_DEFAULT * scale;
}

/* The index of value in "a|b|c"; -1: not there. */
static int word_index(const char *words, struct text value)
{
    int index = 0;
    for (const char *from = words;; index++) {
        size_t length = strcspn(from, "|");
        if (text_equal(value, (struct text){from, length}))
            return index;
        if (from[length] == '\0')
            return -1;
        from += length + 1;
    }
}

static struct text word_at(const char *words, int index)
{
    while (index-- > 0)
        words += strcspn(words, "|") + 1;
    return (struct text){words, strcspn(words, "|")};
}

static bool is_word(struct text value)
{
    for (size_t i = 0; i < value.length; i++) {
        char c = value.base[i];
        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '-' && c != '_')
            return false;
    }
    return value.length > 0;
}

/* "400,401" or "orders/completed,orders/deleted": no empty items. */
static bool is_list(struct text value)
{
    char before = ',';
    for (size_t i = 0; i < value.length; i++) {
        char c = value.base[i];
        bool is_part = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '/';
        if (!is_part && (c != ',' || before == ','))
            return false;
        before = c;
    }
    return value.length == 0 || before != ',';
}

/* "400,401", each of three digits. */
static bool is_status_list(const struct admin_setting *setting, struct text value)
{
    enum { DIGITS = 3 };
    int64_t status;
    for (size_t from = 0;; from += DIGITS + 1) {
        if (from + DIGITS > value.length)
            return false;
        struct text item = text_slice(value, from, DIGITS);
        if (!text_is_digits(item) || text_parse_int64(item, &status) != 0 ||
            status < setting->min || status > setting->max)
            return false;
        if (from + DIGITS == value.length)
            return true;
        if (value.base[from + DIGITS] != ',')
            return false;
    }
}

static bool apply_text(const struct admin_setting *setting, struct text value, char *field)
{
    if (value.length >= setting->size || memchr(value.base, '\0', value.length) != NULL)
        return false;
    if (setting->kind == SETTING_TEXT &&
        (text_trim(value).length == 0 || !text_is_printable(value)))
        return false;
    if (setting->kind == SETTING_DIGITS && value.length > 0 && !text_is_digits(value))
        return false;
    if (setting->kind == SETTING_WORD && !is_word(value))
        return false;
    if (setting->kind == SETTING_LIST && !is_list(value))
        return false;
    if (setting->kind == SETTING_STATUSES && !is_status_list(setting, value))
        return false;
    memset(field, 0, setting->size);
    if (value.length > 0)
        memcpy(field, value.base, value.length);
    return true;
}

void admin_setting_copy(const struct admin_setting *setting, const struct tenant *from,
                        struct tenant *to)
{
    memcpy((char *)to + setting->offset, (const char *)from + setting->offset, setting->size);
}

struct bounds {
    int64_t min, max;
};

static struct bounds bounds_of(const struct admin_setting *setting)
{
    if (setting->min != 0 || setting->max != 0)
        return (struct bounds){setting->min, setting->max};
    return setting->kind == SETTING_COUNT ? (struct bounds){0, COUNT_MAX}
                                          : (struct bounds){SECONDS_MIN, SECONDS_MAX};
}

static bool is_within(const struct admin_setting *setting, int64_t number)
{
    struct bounds bounds = bounds_of(setting);
    return number >= bounds.min && number <= bounds.max;
}

bool admin_setting_apply(const struct admin_setting *setting, struct text value,
                         struct tenant *tenant)
{
    char *field = (char *)tenant + setting->offset;
    int64_t number;
    int index;
    switch (setting->kind) {
    case SETTING_TEXT:
    case SETTING_SECRET:
    case SETTING_DIGITS:
    case SETTING_WORD:
    case SETTING_LIST:
    case SETTING_STATUSES:
        return apply_text(setting, value, field);
    case SETTING_SWITCH:
        index = word_index(setting->words, value);
        if (index >= 0)
            *(bool *)field = index == 1;
        return index >= 0;
    case SETTING_CHOICE:
        index = word_index(setting->words, value);
        if (index >= 0)
            memcpy(field, &index, sizeof(index)); /* an enum is an int where its words are few */
        return index >= 0;
    case SETTING_AMOUNT:
        if (money_parse(value, tenant->currency.exponent, &number) != 0 || number < 0)
            return false;
        *(int64_t *)(void *)field = number;
        return true;
    case SETTING_COUNT:
        if (text_parse_int64(value, &number) != 0 || !is_within(setting, number))
            return false;
        *(int32_t *)(void *)field = (int32_t)number;
        return true;
    case SETTING_SECONDS:
        if (text_parse_int64(value, &number) != 0 || !is_within(setting, number))
            return false;
        *(int64_t *)(void *)field = number * CLOCK_US_PER_S;
        return true;
    case SETTING_MILLI:
        if (money_parse(value, MILLI_EXPONENT, &number) != 0 || !is_within(setting, number))
            return false;
        *(int64_t *)(void *)field = number;
        return true;
    }
    return false;
}

void admin_setting_expectation(const struct admin_setting *setting, struct text_buffer *buffer)
{
    struct bounds bounds = bounds_of(setting);
    switch (setting->kind) {
    case SETTING_TEXT:
        text_append_format(buffer, "1 to %zu characters, none of them a control character",
                           setting->size - 1);
        break;
    case SETTING_SECRET:
        text_append_format(buffer, "at most %zu characters", setting->size - 1);
        break;
    case SETTING_DIGITS:
        text_append_format(buffer, "at most %zu digits", setting->size - 1);
        break;
    case SETTING_WORD:
        text_append_format(buffer, "1 to %zu of a-z, 0-9, - and _", setting->size - 1);
        break;
    case SETTING_SWITCH:
    case SETTING_CHOICE:
        text_append(buffer, text_of(setting->words));
        break;
    case SETTING_AMOUNT:
        text_append(buffer, TEXT("an amount such as 100.00"));
        break;
    case SETTING_COUNT:
        text_append_format(buffer, "a number from %lld to %lld", (long long)bounds.min,
                           (long long)bounds.max);
        break;
    case SETTING_SECONDS:
        text_append_format(buffer, "seconds from %lld to %lld", (long long)bounds.min,
                           (long long)bounds.max);
        break;
    case SETTING_MILLI:
        text_append_format(buffer, "a number such as 1.5, from %lld to %lld",
                           (long long)bounds.min / 1000, (long long)bounds.max / 1000);
        break;
    case SETTING_LIST:
        text_append_format(buffer,
                           "at most %zu characters: a-z, 0-9, _ and /, a comma between items",
                           setting->size - 1);
        break;
    case SETTING_STATUSES:
        text_append_format(buffer, "statuses from %lld to %lld such as 400,404, at most %zu",
                           (long long)bounds.min, (long long)bounds.max, setting->size / 4);
        break;
    }
}

void admin_setting_write(const struct admin_setting *setting, const struct tenant *tenant,
                         struct jwrite *writer)
{
    const char *field = (const char *)tenant + setting->offset;
    const void *aligned = field;
    switch (setting->kind) {
    case SETTING_TEXT:
    case SETTING_DIGITS:
    case SETTING_WORD:
    case SETTING_LIST:
    case SETTING_STATUSES:
        jwrite_text(writer, text_of(field));
        break;
    case SETTING_SECRET:
        jwrite_text(writer, field[0] == '\0' ? TEXT("not set") : TEXT("set"));
        break;
    case SETTING_SWITCH:
        jwrite_text(writer, word_at(setting->words, *(const bool *)field));
        break;
    case SETTING_CHOICE:
        jwrite_text(writer, word_at(setting->words, *(const int *)aligned));
        break;
    case SETTING_AMOUNT:
        admin_write_money(writer, *(const int64_t *)aligned, tenant->currency.exponent);
        break;
    case SETTING_COUNT:
        jwrite_int64(writer, *(const int32_t *)aligned);
        break;
    case SETTING_SECONDS:
        jwrite_int64(writer, *(const int64_t *)aligned / CLOCK_US_PER_S);
        break;
    case SETTING_MILLI:
        admin_write_money(writer, *(const int64_t *)aligned, MILLI_EXPONENT);
        break;
    }
}
