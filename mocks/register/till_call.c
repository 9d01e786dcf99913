/* Reads what a call's body holds, and refuses what it must not. */
#include "mocks/register/till_call.h"

#include "base/error.h"
#include "base/money.h"
#include "mocks/lightspeed/call.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/banned.h"

struct refusal {
    const char *word;
    const char *message;
};

static void write_refusal(struct jwrite *writer, const void *context)
{
    const struct refusal *refusal = context;
    jwrite_object_begin(writer);
    jwrite_named_text(writer, "error", refusal->word);
    jwrite_named_text(writer, "message", refusal->message);
    jwrite_object_end(writer);
}

bool till_refuse(struct till_answer *answer, int status, const char *word, const char *format, ...)
{
    char message[TILL_ERROR_MAX];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(message, sizeof(message), format, arguments);
    va_end(arguments);
    struct refusal refusal = {word, message};
    made_destroy(&answer->body);
    answer->status = status;
    made_create(&answer->body, write_refusal, &refusal);
    return false;
}

bool till_names_are_known(const struct jread *json, const char *const *names,
                          struct till_answer *answer)
{
    for (size_t i = 0; i < jread_count(json); i++) {
        struct text name;
        size_t at = 0;
        (void)jread_member_at(json, i, &name);
        while (names[at] != NULL && !text_equal(text_of(names[at]), name))
            at++;
        if (names[at] == NULL)
            return till_refuse(answer, 400, "unknown_field", "There is no field \"%.*s\" here.",
                               (int)(name.length > 64 ? 64 : name.length), name.base);
    }
    return true;
}

static bool refuse_missing(struct till_answer *answer, const char *name)
{
    return till_refuse(answer, 400, "missing", "%s is missing.", name);
}

bool till_take_text(const struct jread *json, const char *name, bool is_required, struct text *text,
                    struct till_answer *answer)
{
    const struct jread *value = jread_member(json, name);
    *text = TEXT("");
    if (value == NULL)
        return !is_required || refuse_missing(answer, name);
    if (jread_text(value, text) != 0)
        return till_refuse(answer, 400, "wrong_type", "%s: a text wanted.", name);
    return true;
}

bool till_take_bool(const struct jread *json, const char *name, bool *flag,
                    struct till_answer *answer)
{
    const struct jread *value = jread_member(json, name);
    if (value == NULL || jread_bool(value, flag) == 0)
        return true;
    return till_refuse(answer, 400, "wrong_type", "%s: true or false wanted.", name);
}

bool till_take_int(const struct jread *json, const char *name, int64_t min, int64_t max,
                   int64_t *number, struct till_answer *answer)
{
    const struct jread *value = jread_member(json, name);
    if (value == NULL)
        return true;
    if (jread_kind_of(value) != JREAD_NUMBER || jread_int64(value, number) != 0)
        return till_refuse(answer, 400, "wrong_type", "%s: a whole number wanted.", name);
    if (*number >= min && *number <= max)
        return true;
    if (min == 1 && max == INT64_MAX)
        return till_refuse(answer, 422, "bad_value", "%s: a whole number above zero wanted.", name);
    return till_refuse(answer, 422, "bad_value", "%s: a whole number from %lld to %lld wanted.",
                       name, (long long)min, (long long)max);
}

bool till_amount_fits(int64_t amount_minor, int exponent)
{
    int64_t max_minor = TILL_UNITS_MAX;
    while (exponent-- > 0)
        max_minor *= 10;
    return amount_minor < max_minor;
}

bool till_take_amount(const struct jread *json, const char *name, int exponent,
                      int64_t *amount_minor, struct till_answer *answer)
{
    struct text text;
    if (jread_member(json, name) == NULL)
        return true;
    int err = jread_text(jread_member(json, name), &text);
    if (err == 0)
        err = money_parse(text, exponent, amount_minor);
    if (err == ERR_JSON_TYPE || err == ERR_MISSING || err == ERR_NOT_A_NUMBER)
        return till_refuse(answer, 400, "wrong_type",
                           "%s: a plain number written as text wanted, such as \"25.50\".", name);
    if (err == ERR_TOO_LARGE || (err == 0 && !till_amount_fits(*amount_minor, exponent)))
        return till_refuse(answer, 422, "bad_value",
                           "%s: less than %lld wanted; more does not fit on an order.", name,
                           TILL_UNITS_MAX);
    if (err == 0 && *amount_minor > 0)
        return true;
    return till_refuse(answer, 422, "bad_value",
                       "%s: an amount above zero wanted, such as \"25.50\", with at most %d "
                       "decimals.",
                       name, exponent);
}
