/* Walks tables of fields in both directions. */
#include "mocks/lightspeed/field.h"

#include "base/error.h"
#include "base/money.h"
#include "mocks/lightspeed/decimal.h"

#include <string.h>

#include "base/banned.h"

static int read_text(const struct field *field, const struct jread *value, char *out)
{
    struct text text;
    int err = jread_scalar(value, &text);
    if (err != 0)
        return err;
    if (text.length >= field->size)
        return ERR_TOO_LARGE;
    memcpy(out, text.base, text.length);
    out[text.length] = '\0';
    return 0;
}

static int read_int(const struct field *field, const struct jread *value, int64_t *out)
{
    int64_t number;
    int err = jread_int64(value, &number);
    if (err != 0)
        return err;
    if (number < field->min || number > field->max)
        return ERR_TOO_LARGE;
    *out = number;
    return 0;
}

static int read_percent(const struct jread *value, int64_t *out)
{
    bool flag;
    if (jread_bool(value, &flag) == 0) {
        *out = flag ? 100 : 0;
        return 0;
    }
    static const struct field whole = {.max = 100};
    return read_int(&whole, value, out);
}

static int read_amount(const struct field *field, int exponent, const struct jread *value,
                       int64_t *out)
{
    struct text text;
    int err = jread_scalar(value, &text);
    if (err != 0)
        return err;
    if (field->kind == FIELD_DECIMAL)
        return decimal_parse(text, out);
    return money_parse(text, exponent, out);
}

static int read_value(const struct field *field, int exponent, const struct jread *value,
                      char *place)
{
    switch (field->kind) {
    case FIELD_TEXT:
        return read_text(field, value, place);
    case FIELD_INT:
        return read_int(field, value, (int64_t *)(void *)place);
    case FIELD_BOOL:
        return jread_bool(value, (bool *)(void *)place);
    case FIELD_PERCENT:
        return read_percent(value, (int64_t *)(void *)place);
    case FIELD_MONEY:
    case FIELD_DECIMAL:
        return read_amount(field, exponent, value, (int64_t *)(void *)place);
    }
    return ERR_JSON_TYPE;
}

static void complain(const struct field *field, struct answer *answer)
{
    switch (field->kind) {
    case FIELD_TEXT:
        answer_error(answer, 400, "bad_request", "%s: text of at most %zu bytes wanted.",
                     field->name, field->size - 1);
        return;
    case FIELD_INT:
        answer_error(answer, 400, "bad_request", "%s: a whole number from %lld to %lld wanted.",
                     field->name, (long long)field->min, (long long)field->max);
        return;
    case FIELD_BOOL:
        answer_error(answer, 400, "bad_request", "%s: true or false wanted.", field->name);
        return;
    case FIELD_PERCENT:
        answer_error(answer, 400, "bad_request", "%s: 0 to 100, true or false wanted.",
                     field->name);
        return;
    case FIELD_MONEY:
    case FIELD_DECIMAL:
        answer_error(answer, 400, "bad_request", "%s: a plain decimal number wanted.", field->name);
        return;
    }
}

bool fields_read(const struct field *fields, size_t count, int exponent, bool is_new,
                 const struct jread *json, void *record, struct answer *answer)
{
    for (size_t i = 0; i < count; i++) {
        const struct field *field = &fields[i];
        const struct jread *value = jread_member(json, field->name);
        char *place = (char *)record + field->offset;
        if (value != NULL && read_value(field, exponent, value, place) != 0) {
            complain(field, answer);
            return false;
        }
        /* a text may have got its default before */
        bool is_empty = field->kind == FIELD_TEXT ? place[0] == '\0' : value == NULL;
        if (field->is_required && is_empty && (is_new || value != NULL)) {
            answer_error(answer, 400, "bad_request", "%s is required.", field->name);
            return false;
        }
    }
    return true;
}

static bool is_named(const struct field *fields, size_t count, const char *const *more,
                     struct text name)
{
    for (size_t i = 0; i < count; i++)
        if (text_equal(name, text_of(fields[i].name)))
            return true;
    for (; more != NULL && *more != NULL; more++)
        if (text_equal(name, text_of(*more)))
            return true;
    return false;
}

bool fields_are_known(const struct field *fields, size_t count, const char *const *more,
                      const struct jread *json, struct answer *answer)
{
    for (size_t i = 0; i < jread_count(json); i++) {
        struct text name;
        (void)jread_member_at(json, i, &name);
        if (is_named(fields, count, more, name))
            continue;
        answer_error(answer, 400, "bad_request", "There is nothing called %.*s here.",
                     (int)(name.length < 64 ? name.length : 64), name.base);
        return false;
    }
    return true;
}

static void write_amount(const struct field *field, int exponent, int64_t value,
                         struct jwrite *writer)
{
    char digits[MONEY_TEXT_MAX];
    struct text_buffer buffer;
    text_buffer_init(&buffer, digits, sizeof(digits));
    if (field->kind == FIELD_DECIMAL)
        decimal_append(&buffer, value, DECIMAL_PLACES);
    else
        money_append(&buffer, value, exponent);
    jwrite_raw(writer, text_buffer_text(&buffer));
}

void fields_write(const struct field *fields, size_t count, int exponent, const void *record,
                  struct jwrite *writer)
{
    for (size_t i = 0; i < count; i++) {
        const struct field *field = &fields[i];
        const char *place = (const char *)record + field->offset;
        jwrite_key(writer, text_of(field->name));
        switch (field->kind) {
        case FIELD_TEXT:
            jwrite_text(writer, text_of(place));
            break;
        case FIELD_BOOL:
            jwrite_bool(writer, *(const bool *)(const void *)place);
            break;
        case FIELD_INT:
        case FIELD_PERCENT:
            jwrite_int64(writer, *(const int64_t *)(const void *)place);
            break;
        case FIELD_MONEY:
        case FIELD_DECIMAL:
            write_amount(field, exponent, *(const int64_t *)(const void *)place, writer);
            break;
        }
    }
}
