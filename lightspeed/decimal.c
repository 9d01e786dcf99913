/* Decimal text to scaled integers and back. */
#include "lightspeed/decimal.h"

#include "base/error.h"

#include "base/banned.h"

#define EXPONENT_MAX 400 /* "1e400" is too large or nothing, whatever stands before it */

/* The parts of a JSON number (RFC 8259 section 6). */
struct parts {
    bool is_negative;
    struct text whole, fraction;
    int64_t exponent;
};

static struct text take_digits(struct text *rest)
{
    size_t count = 0;
    while (count < rest->length && rest->base[count] >= '0' && rest->base[count] <= '9')
        count++;
    struct text digits = text_slice(*rest, 0, count);
    *rest = text_slice(*rest, count, rest->length);
    return digits;
}

static bool take_char(struct text *rest, char wanted)
{
    if (rest->length == 0 || rest->base[0] != wanted)
        return false;
    *rest = text_slice(*rest, 1, rest->length);
    return true;
}

static bool take_exponent(struct text *rest, int64_t *exponent)
{
    bool is_negative = take_char(rest, '-');
    if (!is_negative)
        (void)take_char(rest, '+');
    struct text digits = take_digits(rest);
    int64_t size;
    if (digits.length == 0)
        return false;
    if (text_parse_int64(digits, &size) != 0 || size > EXPONENT_MAX)
        size = EXPONENT_MAX;
    *exponent = is_negative ? -size : size;
    return true;
}

static bool split(struct text text, struct parts *parts)
{
    *parts = (struct parts){.is_negative = take_char(&text, '-')};
    parts->whole = take_digits(&text);
    if (parts->whole.length == 0)
        return false;
    if (take_char(&text, '.')) {
        parts->fraction = take_digits(&text);
        if (parts->fraction.length == 0)
            return false;
    }
    if ((take_char(&text, 'e') || take_char(&text, 'E')) && !take_exponent(&text, &parts->exponent))
        return false;
    return text.length == 0;
}

/* Digit at index, counted from the first of the whole part; zeroes follow without end. */
static int digit_at(const struct parts *parts, int64_t index)
{
    if (index < 0)
        return 0;
    size_t at = (size_t)index;
    if (at < parts->whole.length)
        return parts->whole.base[at] - '0';
    at -= parts->whole.length;
    return at < parts->fraction.length ? parts->fraction.base[at] - '0' : 0;
}

int decimal_parse(struct text text, int places, int64_t *value)
{
    struct parts parts;
    CHECK(places >= 0 && places <= DECIMAL_PLACES_MAX);
    if (!split(text, &parts))
        return ERR_NOT_A_NUMBER;
    int64_t kept = (int64_t)parts.whole.length + parts.exponent + places;
    int64_t sum = 0;
    for (int64_t i = 0; i < kept; i++) {
        int digit = digit_at(&parts, i);
        if (sum > (DECIMAL_MAX - digit) / 10)
            return ERR_TOO_LARGE;
        sum = sum * 10 + digit;
    }
    sum += digit_at(&parts, kept) >= 5;
    if (sum > DECIMAL_MAX)
        return ERR_TOO_LARGE;
    *value = parts.is_negative ? -sum : sum;
    return 0;
}

static int64_t power_of_ten(int exponent)
{
    int64_t power = 1;
    while (exponent-- > 0)
        power *= 10;
    return power;
}

int64_t decimal_round(int64_t value, int from, int to)
{
    CHECK(from >= to && to >= 0 && from <= DECIMAL_PLACES_MAX);
    int64_t unit = power_of_ten(from - to);
    int64_t half = value < 0 ? -(unit / 2) : unit / 2;
    return (value + half) / unit;
}

void decimal_append(struct text_buffer *buffer, int64_t value, int places)
{
    CHECK(value >= -DECIMAL_MAX && value <= DECIMAL_MAX);
    int64_t unit = power_of_ten(places);
    int64_t size = value < 0 ? -value : value;
    int64_t fraction = size % unit;
    if (value < 0)
        text_append_char(buffer, '-');
    text_append_int64(buffer, size / unit);
    if (fraction == 0)
        return;
    while (fraction % 10 == 0) {
        fraction /= 10;
        places--;
    }
    text_append_format(buffer, ".%0*lld", places, (long long)fraction);
}
