/* Exact fixed-point arithmetic for prices, coefficients and taxes. */
#include "mocks/lightspeed/decimal.h"

#include "base/error.h"

#include "base/banned.h"

int64_t decimal_power(int exponent)
{
    CHECK(exponent >= 0 && exponent <= DECIMAL_PLACES);
    int64_t power = 1;
    while (exponent-- > 0)
        power *= 10;
    return power;
}

int64_t decimal_scale(int64_t value, int64_t factor, int64_t divisor)
{
    CHECK(divisor > 0);
    __int128 product = (__int128)value * factor;
    __int128 half = divisor / 2 + divisor % 2; /* an odd divisor has no exact half */
    bool is_negative = product < 0;
    if (is_negative)
        product = -product;
    __int128 quotient = product / divisor;
    if (product % divisor >= half)
        quotient++;
    CHECK(quotient <= INT64_MAX);
    return is_negative ? -(int64_t)quotient : (int64_t)quotient;
}

/* The digits behind the point, as millionths; the seventh decides. */
static int64_t parse_fraction(struct text digits)
{
    int64_t fraction = 0;
    for (size_t i = 0; i < DECIMAL_PLACES; i++)
        fraction = fraction * 10 + (i < digits.length ? digits.base[i] - '0' : 0);
    if (digits.length > DECIMAL_PLACES && digits.base[DECIMAL_PLACES] >= '5')
        fraction++;
    return fraction;
}

int decimal_parse(struct text text, int64_t *millionths)
{
    bool is_negative = text.length > 0 && text.base[0] == '-';
    struct text rest = text_slice(text, is_negative ? 1 : 0, text.length);
    size_t point = 0;
    while (point < rest.length && rest.base[point] != '.')
        point++;
    struct text whole = text_slice(rest, 0, point);
    struct text fraction = text_slice(rest, point + 1, rest.length);
    bool has_point = point < rest.length;
    int64_t units;
    if (!text_is_digits(whole) || (has_point && !text_is_digits(fraction)))
        return ERR_NOT_A_NUMBER;
    if (text_parse_int64(whole, &units) != 0 || units >= DECIMAL_MAX / DECIMAL_ONE)
        return ERR_TOO_LARGE;
    int64_t value = units * DECIMAL_ONE + (has_point ? parse_fraction(fraction) : 0);
    *millionths = is_negative ? -value : value;
    return 0;
}

void decimal_append(struct text_buffer *buffer, int64_t millionths, int places)
{
    int64_t one = decimal_power(places);
    int64_t value = decimal_scale(millionths, one, DECIMAL_ONE);
    if (value < 0)
        text_append_char(buffer, '-');
    uint64_t size = value < 0 ? -(uint64_t)value : (uint64_t)value;
    text_append_int64(buffer, (int64_t)(size / (uint64_t)one));
    int64_t fraction = (int64_t)(size % (uint64_t)one);
    if (fraction == 0)
        return;
    while (fraction % 10 == 0) {
        fraction /= 10;
        places--;
    }
    text_append_format(buffer, ".%0*lld", places, (long long)fraction);
}
