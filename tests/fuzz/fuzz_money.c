/*
 * Invariants of money_parse (the first byte gives the exponent, the rest is the text):
 *   what is taken is exactly what a regular expression calls a decimal number, within the limits;
 *   what is taken, written by money_append, is the input without its superfluous zeroes;
 *   and reads back as the same amount.
 */
#include "base/error.h"
#include "base/money.h"

#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define UNTOUCHED INT64_C(-4242)

static bool is_decimal(struct text text)
{
    regex_t expression;
    if (text.length > 0 && memchr(text.base, 0, text.length) != NULL)
        return false;
    char *copy = strndup(text.length > 0 ? text.base : "", text.length);
    CHECK(copy != NULL);
    CHECK(regcomp(&expression, "^-?[0-9]+(\\.[0-9]+)?$", REG_EXTENDED | REG_NOSUB) == 0);
    bool is_match = regexec(&expression, copy, 0, NULL, 0) == 0;
    regfree(&expression);
    free(copy);
    return is_match;
}

/* "-007.5" with two decimals is "-7.50": by moving characters, without arithmetic. */
static void normalise(struct text_buffer *out, struct text text, size_t decimals)
{
    bool is_negative = text.base[0] == '-';
    if (is_negative)
        text = text_slice(text, 1, text.length);
    size_t whole = 0;
    while (whole < text.length && text.base[whole] != '.')
        whole++;
    struct text fraction = text_slice(text, whole + 1, decimals);
    size_t zeroes = 0;
    while (zeroes + 1 < whole && text.base[zeroes] == '0')
        zeroes++;
    text_append(out, text_slice(text, zeroes, whole - zeroes));
    if (decimals > 0) {
        text_append_char(out, '.');
        text_append(out, fraction);
        text_append(out, text_slice(TEXT("000"), 0, decimals - fraction.length));
    }
    bool is_zero = strspn(out->base, "0.") == out->length;
    if (is_negative && !is_zero) {
        memmove(out->base + 1, out->base, out->length + 1);
        out->base[0] = '-';
        out->length++;
    }
}

static void check_taken(struct text text, int exponent, int64_t amount_minor)
{
    char said[MONEY_TEXT_MAX];
    struct text_buffer buffer;
    int64_t again = UNTOUCHED;
    CHECK(amount_minor >= -MONEY_MAX_MINOR && amount_minor <= MONEY_MAX_MINOR);
    text_buffer_init(&buffer, said, sizeof(said));
    money_append(&buffer, amount_minor, exponent);
    CHECK(!buffer.is_cut);
    CHECK(money_parse(text_buffer_text(&buffer), exponent, &again) == 0 && again == amount_minor);

    size_t capacity = text.length + MONEY_EXPONENT_MAX + 3; /* sign, point, NUL */
    char *memory = malloc(capacity);
    struct text_buffer wanted;
    CHECK(memory != NULL);
    text_buffer_init(&wanted, memory, capacity);
    normalise(&wanted, text, (size_t)exponent);
    CHECK(text_equal(text_buffer_text(&wanted), text_buffer_text(&buffer)));
    free(memory);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    int exponent = data[0] % (MONEY_EXPONENT_MAX + 1);
    struct text text = {(const char *)data + 1, size - 1};
    int64_t amount_minor = UNTOUCHED;
    int err = money_parse(text, exponent, &amount_minor);
    CHECK((err == ERR_MISSING) == (text.length == 0));
    CHECK(is_decimal(text) == (err == 0 || err == ERR_TOO_PRECISE || err == ERR_TOO_LARGE));
    if (err == 0)
        check_taken(text, exponent, amount_minor);
    else
        CHECK(amount_minor == UNTOUCHED);
    return 0;
}
