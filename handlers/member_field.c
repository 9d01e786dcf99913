/* Knows the fields of a member, and what may stand in each. */
#include "handlers/member_field.h"

#include "handlers/card_number.h"

#include <string.h>

#include "base/banned.h"

#define PHONE_DIGITS_MIN 3
#define EMAIL_LOCAL_MAX 64 /* RFC 5321 4.5.3.1.1 */
#define EMAIL_LABEL_MAX 63 /* RFC 1035 2.3.4 */

static bool consists_of(struct text value, const char *more)
{
    for (size_t i = 0; i < value.length; i++) {
        char c = value.base[i];
        bool is_plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
        if (!is_plain && strchr(more, c) == NULL)
            return false;
    }
    return true;
}

static bool is_anything(struct text value)
{
    (void)value;
    return true;
}

static bool is_code(struct text value)
{
    return consists_of(value, "-_.:");
}

static bool is_phone(struct text value)
{
    int digits = 0;
    for (size_t i = 0; i < value.length; i++) {
        bool is_digit = value.base[i] >= '0' && value.base[i] <= '9';
        digits += is_digit;
        if (!is_digit && strchr(" +-()./", value.base[i]) == NULL)
            return false;
    }
    return digits >= PHONE_DIGITS_MIN;
}

static bool is_card(struct text value)
{
    char number[CARD_NUMBER_MAX + 1];
    return card_number_normalise(value, number);
}

static bool is_url(struct text value)
{
    if (!text_starts_with(value, TEXT("https://")) && !text_starts_with(value, TEXT("http://")))
        return false;
    for (size_t i = 0; i < value.length; i++)
        if (strchr(" \"'<>\\^`{|}", value.base[i]) != NULL)
            return false;
    return value.length > sizeof("https://") - 1;
}

/* Dots stand between something: RFC 5321's dot-string, and what follows it on the web. */
static bool is_local_part(struct text local)
{
    if (local.length == 0 || local.length > EMAIL_LOCAL_MAX)
        return false;
    bool is_after_dot = true;
    for (size_t i = 0; i < local.length; i++) {
        bool is_dot = local.base[i] == '.';
        if ((is_dot && is_after_dot) || strchr(" \"(),:;<>@[\\]", local.base[i]) != NULL)
            return false;
        is_after_dot = is_dot;
    }
    return !is_after_dot;
}

static bool is_label(struct text label)
{
    if (label.length == 0 || label.length > EMAIL_LABEL_MAX || label.base[0] == '-' ||
        label.base[label.length - 1] == '-')
        return false;
    for (size_t i = 0; i < label.length; i++)
        if ((label.base[i] & 0x80) == 0 && !consists_of(text_slice(label, i, 1), "-"))
            return false;
    return true;
}

static bool is_domain(struct text domain)
{
    int labels = 0;
    for (;; labels++) {
        const char *dot = domain.length == 0 ? NULL : memchr(domain.base, '.', domain.length);
        size_t length = dot == NULL ? domain.length : (size_t)(dot - domain.base);
        if (!is_label(text_slice(domain, 0, length)))
            return false;
        if (dot == NULL)
            return labels > 0;
        domain = text_slice(domain, length + 1, domain.length);
    }
}

static bool is_email(struct text value)
{
    const char *at = memchr(value.base, '@', value.length);
    if (at == NULL)
        return false;
    size_t length = (size_t)(at - value.base);
    return is_local_part(text_slice(value, 0, length)) &&
           is_domain(text_slice(value, length + 1, value.length));
}

#define FIELD(name_)                                                                               \
    .name = #name_, .offset = offsetof(struct member, name_),                                      \
    .size = sizeof(((struct member *)NULL)->name_)

static const struct member_field fields[] = {
    {FIELD(first_name), .check = is_anything,
     .rule = "1 to 80 characters, none of them a control character"},
    {FIELD(last_name), .may_be_empty = true, .check = is_anything,
     .rule = "at most 80 characters, none of them a control character"},
    {FIELD(email), .may_be_empty = true, .check = is_email,
     .rule = "an e-mail address such as ann@example.com"},
    {FIELD(phone), .may_be_empty = true, .check = is_phone,
     .rule = "a phone number: 3 to 32 digits with spaces, '+', '-', '(', ')', '.' or '/'"},
    {FIELD(code), .may_be_empty = true, .check = is_code,
     .rule = "1 to 64 letters, digits, '-', '_', '.' or ':'"},
    {FIELD(card_number), .may_be_empty = true, .check = is_card,
     .rule = "4 to 64 letters and digits; spaces and dashes do not count"},
    {FIELD(tier), .may_be_empty = true, .check = is_anything,
     .rule = "at most 40 characters, none of them a control character"},
    {FIELD(icon_url), .may_be_empty = true, .check = is_url,
     .rule = "an address such as https://example.com/icon.png, at most 300 characters"},
    {FIELD(intro_text), .may_be_empty = true, .check = is_anything,
     .rule = "at most 200 characters, none of them a control character"},
};

size_t member_field_count(void)
{
    return COUNT_OF(fields);
}

const struct member_field *member_field_at(size_t index)
{
    CHECK(index < COUNT_OF(fields));
    return &fields[index];
}

const struct member_field *member_field_find(struct text name)
{
    for (size_t i = 0; i < COUNT_OF(fields); i++)
        if (text_equal(name, text_of(fields[i].name)))
            return &fields[i];
    return NULL;
}

bool member_field_set(const struct member_field *field, struct text value, struct member *member)
{
    char *place = (char *)member + field->offset;
    value = text_trim(value);
    if (value.length == 0 && !field->may_be_empty)
        return false;
    if (value.length >= field->size || !text_is_utf8(value) || !text_is_printable(value) ||
        (value.length > 0 && !field->check(value)))
        return false;
    if (value.length > 0)
        memcpy(place, value.base, value.length);
    place[value.length] = '\0';
    return true;
}

const char *member_field_get(const struct member_field *field, const struct member *member)
{
    return (const char *)member + field->offset;
}
