/* Reads, writes and explains the settings of a tenant. */
#include "handlers/admin_setting.h"

#include "base/clock.h"
#include "handlers/admin_request.h"

#include <stddef.h>
#include <string.h>

#include "base/banned.h"

#define COUNT_MAX 1000000      /* more uses of one card in an hour than any till can make */
#define SECONDS_MIN INT64_C(1) /* with none at all, the retry of a lost reply would charge again */
#define SECONDS_MAX INT64_C(86400)

/* Without a known sale a refund is bounded by the card's own charges anyway; these keep one
 * careless register from emptying a day's worth of them. 200.00 and 1000.00 in most currencies. */
#define REFUND_MAX_DEFAULT 20000
#define REFUND_REGISTER_DAY_DEFAULT 100000
/* Major industry identifier 9: no payment network's numbers begin like that (ISO/IEC 7812-1). */
#define CARD_PREFIX_DEFAULT "9000"

#define AT(field) offsetof(struct tenant, field)
#define ROOM(field) (sizeof(((struct tenant *)0)->field))

static const struct admin_setting settings[] = {
    {"name", SETTING_TEXT, AT(name), ROOM(name), NULL, "what the merchant is called"},
    {"signature_token", SETTING_SECRET, AT(signature_token), ROOM(signature_token), NULL,
     "Signature Token of the application; empty removes it"},
    {"signature_token_previous", SETTING_SECRET, AT(signature_token_previous),
     ROOM(signature_token_previous), NULL, "still accepted during a rotation; empty removes it"},
    {"signature_mode", SETTING_MODE, AT(oseries_signature_mode), ROOM(oseries_signature_mode),
     "enforce|log|off", "what happens to requests that are not signed well"},
    {"signature_base64", SETTING_SWITCH, AT(signature_base64_is_accepted),
     ROOM(signature_base64_is_accepted), "off|on", "accept base64 signatures besides hex"},
    {"partial", SETTING_SWITCH, AT(policy.partial_is_allowed), ROOM(policy.partial_is_allowed),
     "refuse|allow", "approve a lower amount when the card has less than asked"},
    {"balance_max", SETTING_AMOUNT, AT(policy.balance_max_minor), ROOM(policy.balance_max_minor),
     NULL, "largest balance of a card; 0: no limit"},
    {"load_day_max", SETTING_AMOUNT, AT(policy.load_day_max_minor), ROOM(policy.load_day_max_minor),
     NULL, "top-ups per card and day; 0: no limit"},
    {"uses_hour_max", SETTING_COUNT, AT(policy.uses_hour_max), ROOM(policy.uses_hour_max), NULL,
     "charges per card and hour; 0: no limit"},
    {"refund_max", SETTING_AMOUNT, AT(policy.refund_max_minor), ROOM(policy.refund_max_minor), NULL,
     "one refund without a known sale; 0: none is given"},
    {"refund_register_day_max", SETTING_AMOUNT, AT(policy.refund_register_day_max_minor),
     ROOM(policy.refund_register_day_max_minor), NULL,
     "such refunds per register and day; 0: none is given"},
    {"replay_window", SETTING_SECONDS, AT(policy.replay_window_us), ROOM(policy.replay_window_us),
     NULL, "seconds in which a repeated request gets the first answer again"},
    {"replay_window_no_order", SETTING_SECONDS, AT(policy.replay_window_no_order_us),
     ROOM(policy.replay_window_no_order_us), NULL, "the same for requests without an order"},
    {"charge", SETTING_SWITCH, AT(charge_is_on), ROOM(charge_is_on), "off|on", "serve checkout"},
    {"top_up", SETTING_SWITCH, AT(top_up_is_on), ROOM(top_up_is_on), "off|on", "serve top-up"},
    {"refund", SETTING_SWITCH, AT(refund_is_on), ROOM(refund_is_on), "off|on", "serve refund"},
    {"check_balance", SETTING_SWITCH, AT(balance_is_on), ROOM(balance_is_on), "off|on",
     "serve check-balance"},
    {"sites_must_be_mapped", SETTING_SWITCH, AT(sites_must_be_mapped), ROOM(sites_must_be_mapped),
     "off|on", "refuse requests of sites that were not added"},
    {"last4", SETTING_SWITCH, AT(last4_is_accepted), ROOM(last4_is_accepted), "off|on",
     "look a card up by its last four digits when exactly one matches"},
    {"amounts", SETTING_SWITCH, AT(amounts_are_strings), ROOM(amounts_are_strings), "number|string",
     "how amounts are written in replies to registers"},
    {"card_prefix", SETTING_DIGITS, AT(card_prefix), ROOM(card_prefix), NULL,
     "first digits of generated card numbers"},
    {"profile", SETTING_WORD, AT(profile), ROOM(profile), NULL,
     "request and reply profile of this tenant's registers"},
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

void admin_setting_defaults(struct tenant *tenant)
{
    int64_t scale = tenant->currency.exponent == 3 ? 10 : 1;
    tenant->oseries_signature_mode = SIGNATURE_ENFORCE;
    tenant->charge_is_on = true;
    tenant->top_up_is_on = true;
    tenant->refund_is_on = true;
    tenant->balance_is_on = true;
    memcpy(tenant->card_prefix, CARD_PREFIX_DEFAULT, sizeof(CARD_PREFIX_DEFAULT));
    memcpy(tenant->profile, "default", sizeof("default"));
    tenant->policy = (struct policy){
        .partial_is_allowed = true,
        .refund_max_minor = REFUND_MAX_DEFAULT * scale,
        .refund_register_day_max_minor = REFUND_REGISTER_DAY_DEFAULT * scale,
        .replay_window_us = REPLAY_WINDOW_US,
        .replay_window_no_order_us = REPLAY_WINDOW_NO_ORDER_US,
    };
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

static bool parse_bounded(struct text value, int64_t min, int64_t max, int64_t *number)
{
    return text_parse_int64(value, number) == 0 && *number >= min && *number <= max;
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
        return apply_text(setting, value, field);
    case SETTING_SWITCH:
        index = word_index(setting->words, value);
        if (index >= 0)
            *(bool *)field = index == 1;
        return index >= 0;
    case SETTING_MODE:
        index = word_index(setting->words, value);
        if (index >= 0)
            *(enum signature_mode *)(void *)field = (enum signature_mode)index;
        return index >= 0;
    case SETTING_AMOUNT:
        if (money_parse(value, tenant->currency.exponent, &number) != 0 || number < 0)
            return false;
        *(int64_t *)(void *)field = number;
        return true;
    case SETTING_COUNT:
        if (!parse_bounded(value, 0, COUNT_MAX, &number))
            return false;
        *(int32_t *)(void *)field = (int32_t)number;
        return true;
    case SETTING_SECONDS:
        if (!parse_bounded(value, SECONDS_MIN, SECONDS_MAX, &number))
            return false;
        *(int64_t *)(void *)field = number * CLOCK_US_PER_S;
        return true;
    }
    return false;
}

void admin_setting_expectation(const struct admin_setting *setting, struct text_buffer *buffer)
{
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
    case SETTING_MODE:
        text_append(buffer, text_of(setting->words));
        break;
    case SETTING_AMOUNT:
        text_append(buffer, TEXT("an amount such as 100.00"));
        break;
    case SETTING_COUNT:
        text_append_format(buffer, "a number from 0 to %d", COUNT_MAX);
        break;
    case SETTING_SECONDS:
        text_append_format(buffer, "seconds from %lld to %lld", (long long)SECONDS_MIN,
                           (long long)SECONDS_MAX);
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
        jwrite_text(writer, text_of(field));
        break;
    case SETTING_SECRET:
        jwrite_text(writer, field[0] == '\0' ? TEXT("not set") : TEXT("set"));
        break;
    case SETTING_SWITCH:
        jwrite_text(writer, word_at(setting->words, *(const bool *)field));
        break;
    case SETTING_MODE:
        jwrite_text(writer, word_at(setting->words, (int)*(const enum signature_mode *)aligned));
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
    }
}
