/* Text as (base, length), the bounded string builder, and the small codecs that requests need. */
#include "base/text.h"

#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/banned.h"

/* --- looking at text ------------------------------------------------------------------------- */

struct text text_of(const char *c_string)
{
    if (c_string == NULL)
        return (struct text){NULL, 0};
    return (struct text){c_string, strlen(c_string)};
}

bool text_equal(struct text a, struct text b)
{
    if (a.length != b.length)
        return false;
    return a.length == 0 || memcmp(a.base, b.base, a.length) == 0; /* memcmp dislikes NULL */
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

bool text_equal_nocase(struct text a, struct text b)
{
    if (a.length != b.length)
        return false;
    for (size_t i = 0; i < a.length; i++) {
        if (lower(a.base[i]) != lower(b.base[i]))
            return false;
    }
    return true;
}

bool text_equal_constant_time(struct text a, struct text b)
{
    if (a.length != b.length)
        return false;
    /* volatile: the compiler may not turn the sum of differences into an early exit. Eight bytes at
     * a time, because each step then waits for the store of the last. */
    volatile uint64_t difference = 0;
    size_t i = 0;
    for (; i + 8 <= a.length; i += 8) {
        uint64_t left, right;
        memcpy(&left, a.base + i, sizeof(left));
        memcpy(&right, b.base + i, sizeof(right));
        difference |= left ^ right;
    }
    for (; i < a.length; i++)
        difference |= (unsigned char)(a.base[i] ^ b.base[i]);
    return difference == 0;
}

bool text_starts_with(struct text text, struct text prefix)
{
    return text.length >= prefix.length && text_equal(text_slice(text, 0, prefix.length), prefix);
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

struct text text_trim(struct text text)
{
    while (text.length > 0 && is_space(text.base[0])) {
        text.base++;
        text.length--;
    }
    while (text.length > 0 && is_space(text.base[text.length - 1]))
        text.length--;
    return text;
}

struct text text_slice(struct text text, size_t from, size_t length)
{
    if (from >= text.length)
        return (struct text){NULL, 0};
    size_t left = text.length - from;
    return (struct text){text.base + from, length < left ? length : left};
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

bool text_is_digits(struct text text)
{
    for (size_t i = 0; i < text.length; i++) {
        if (!is_digit(text.base[i]))
            return false;
    }
    return text.length > 0;
}

/* Length of the ASCII run at the front, eight bytes at a time: most bodies are nothing else. */
static size_t ascii_run(const unsigned char *bytes, size_t length)
{
    size_t i = 0;
    for (; i + 8 <= length; i += 8) {
        uint64_t word;
        memcpy(&word, bytes + i, sizeof(word));
        if ((word & UINT64_C(0x8080808080808080)) != 0)
            break;
    }
    while (i < length && bytes[i] < 0x80)
        i++;
    return i;
}

/* The second byte's range is what excludes overlong forms, surrogates and what is beyond U+10FFFF:
 * Unicode 15, table 3-7. */
size_t text_utf8_length(struct text text)
{
    const unsigned char *bytes = (const unsigned char *)text.base;
    if (text.length == 0)
        return 0;
    unsigned char first = bytes[0];
    if (first < 0x80)
        return 1;
    size_t size = first >= 0xC2 && first <= 0xDF ? 2 : 0;
    unsigned char low = 0x80;
    unsigned char high = 0xBF;
    if ((first & 0xF0) == 0xE0) {
        size = 3;
        low = first == 0xE0 ? 0xA0 : 0x80;
        high = first == 0xED ? 0x9F : 0xBF;
    } else if (first >= 0xF0 && first <= 0xF4) {
        size = 4;
        low = first == 0xF0 ? 0x90 : 0x80;
        high = first == 0xF4 ? 0x8F : 0xBF;
    }
    if (size == 0 || size > text.length || bytes[1] < low || bytes[1] > high)
        return 0;
    for (size_t i = 2; i < size; i++) {
        if ((bytes[i] & 0xC0) != 0x80)
            return 0;
    }
    return size;
}

size_t text_utf8_step(struct text text, size_t at)
{
    size_t step = text_utf8_length(text_slice(text, at, text.length));
    return step == 0 ? 1 : step;
}

bool text_copy_utf8(char *out, size_t capacity, struct text text)
{
    size_t length = 0, step;
    while ((step = text_utf8_length(text_slice(text, length, text.length))) > 0 &&
           length + step < capacity)
        length += step;
    if (length > 0)
        memcpy(out, text.base, length);
    out[length] = '\0';
    return length == text.length;
}

/* U+202A to U+202E and U+2066 to U+2069: what would turn the direction of the text around it. */
static bool turns_direction(struct text c)
{
    if (c.length < 3 || (unsigned char)c.base[0] != 0xe2)
        return false;
    unsigned char second = (unsigned char)c.base[1], third = (unsigned char)c.base[2];
    return (second == 0x80 && third >= 0xaa && third <= 0xae) ||
           (second == 0x81 && third >= 0xa6 && third <= 0xa9);
}

bool text_is_printable(struct text text)
{
    for (size_t i = 0; i < text.length; i++) {
        unsigned char c = (unsigned char)text.base[i];
        if (c < 0x20 || c == 0x7f)
            return false;
        /* In UTF-8 the C1 control characters are C2 80 to C2 9F. */
        if (c == 0xc2 && i + 1 < text.length && (unsigned char)text.base[i + 1] < 0xa0)
            return false;
        if (turns_direction((struct text){text.base + i, text.length - i}))
            return false;
    }
    return true;
}

bool text_is_utf8(struct text text)
{
    const unsigned char *bytes = (const unsigned char *)text.base;
    size_t i = 0;
    while (i < text.length) {
        i += ascii_run(bytes + i, text.length - i);
        if (i == text.length)
            break;
        size_t size = text_utf8_length(text_slice(text, i, text.length));
        if (size == 0)
            return false;
        i += size;
    }
    return true;
}

uint64_t text_hash(struct text text)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < text.length; i++) {
        hash ^= (unsigned char)text.base[i];
        hash *= UINT64_C(0x100000001b3);
    }
    return hash;
}

int text_parse_int64(struct text text, int64_t *value)
{
    bool is_negative = text.length > 0 && text.base[0] == '-';
    struct text digits = text_slice(text, is_negative ? 1 : 0, text.length);
    if (!text_is_digits(digits))
        return ERR_NOT_A_NUMBER;
    /* Counted downwards, because INT64_MIN has no positive twin. */
    int64_t result = 0;
    for (size_t i = 0; i < digits.length; i++) {
        if (__builtin_mul_overflow(result, 10, &result) ||
            __builtin_sub_overflow(result, digits.base[i] - '0', &result))
            return ERR_TOO_LARGE;
    }
    if (!is_negative && result == INT64_MIN)
        return ERR_TOO_LARGE;
    *value = is_negative ? result : -result;
    return 0;
}

/* --- building text --------------------------------------------------------------------------- */

void text_buffer_init(struct text_buffer *buffer, char *base, size_t capacity)
{
    CHECK(capacity >= 1);
    *buffer = (struct text_buffer){.base = base, .capacity = capacity};
    base[0] = '\0';
}

void text_append(struct text_buffer *buffer, struct text text)
{
    size_t room = buffer->capacity - 1 - buffer->length;
    size_t size = text.length;
    if (size > room) {
        buffer->is_cut = true;
        size = room;
    }
    if (size > 0)
        memcpy(buffer->base + buffer->length, text.base, size);
    buffer->length += size;
    buffer->base[buffer->length] = '\0';
}

void text_append_char(struct text_buffer *buffer, char c)
{
    if (buffer->length + 1 >= buffer->capacity) {
        buffer->is_cut = true;
        return;
    }
    buffer->base[buffer->length++] = c;
    buffer->base[buffer->length] = '\0';
}

void text_append_printable(struct text_buffer *buffer, struct text text, struct text instead)
{
    while (text.length > 0) {
        size_t step = text_utf8_length(text);
        size_t taken = step == 0 ? 1 : step;
        struct text shown = text_slice(text, 0, step);
        if (step == 0 || !text_is_printable(shown))
            shown = instead;
        if (buffer->length + shown.length >= buffer->capacity) {
            buffer->is_cut = true;
            return;
        }
        text_append(buffer, shown);
        text = text_slice(text, taken, text.length);
    }
}

void text_append_int64(struct text_buffer *buffer, int64_t value)
{
    char digits[20]; /* 19 digits of 2^63 and a sign */
    size_t at = sizeof(digits);
    uint64_t left = value < 0 ? -(uint64_t)value : (uint64_t)value;
    do {
        digits[--at] = (char)('0' + left % 10);
        left /= 10;
    } while (left > 0);
    if (value < 0)
        digits[--at] = '-';
    text_append(buffer, (struct text){digits + at, sizeof(digits) - at});
}

void text_append_format(struct text_buffer *buffer, const char *format, ...)
{
    size_t room = buffer->capacity - buffer->length;
    va_list arguments;
    va_start(arguments, format);
    int wanted = vsnprintf(buffer->base + buffer->length, room, format, arguments);
    va_end(arguments);
    CHECK(wanted >= 0); /* only a broken format can fail */
    if ((size_t)wanted >= room) {
        buffer->is_cut = true;
        buffer->length = buffer->capacity - 1;
    } else {
        buffer->length += (size_t)wanted;
    }
}

struct text text_buffer_text(const struct text_buffer *buffer)
{
    return (struct text){buffer->base, buffer->length};
}

/* --- hex, base64, forms ---------------------------------------------------------------------- */

void text_hex_encode(char *out, const uint8_t *bytes, size_t size)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < size; i++) {
        out[2 * i] = digits[bytes[i] >> 4];
        out[2 * i + 1] = digits[bytes[i] & 15];
    }
    out[2 * size] = '\0';
}

/* Value of a hex digit plus one; 0: none. A table, because every request carries 64 digits whose
 * branches no processor can foresee. */
static const uint8_t hex_values[256] = {
    ['0'] = 1,  ['1'] = 2,  ['2'] = 3,  ['3'] = 4,  ['4'] = 5,  ['5'] = 6,  ['6'] = 7,  ['7'] = 8,
    ['8'] = 9,  ['9'] = 10, ['a'] = 11, ['b'] = 12, ['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16,
    ['A'] = 11, ['B'] = 12, ['C'] = 13, ['D'] = 14, ['E'] = 15, ['F'] = 16,
};

bool text_hex_decode(uint8_t *out, size_t size, struct text hex)
{
    if (hex.length != 2 * size)
        return false;
    const unsigned char *digits = (const unsigned char *)hex.base;
    bool is_hex = true;
    for (size_t i = 0; i < size; i++) {
        unsigned high = hex_values[digits[2 * i]], low = hex_values[digits[2 * i + 1]];
        is_hex &= high != 0 && low != 0;
        out[i] = (uint8_t)((high - 1) << 4 | ((low - 1) & 15));
    }
    return is_hex;
}

static int base64_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (is_digit(c))
        return c - '0' + 52;
    if (c == '+')
        return 62;
    return c == '/' ? 63 : -1;
}

/* RFC 4648 section 4. Padding is all or nothing; unused bits of the last character must be zero
 * (section 3.5), so that one value has one spelling. */
bool text_base64_decode(uint8_t *out, size_t size, struct text base64)
{
    size_t chars = (size * 4 + 2) / 3;
    size_t padding = (4 - chars % 4) % 4;
    if (base64.length == chars + padding && padding > 0) {
        if (!text_equal(text_slice(base64, chars, padding), text_slice(TEXT("=="), 0, padding)))
            return false;
        base64.length = chars;
    }
    if (base64.length != chars)
        return false;
    uint32_t bits = 0;
    int count = 0;
    for (size_t i = 0; i < chars; i++) {
        int value = base64_value(base64.base[i]);
        if (value < 0)
            return false;
        bits = (bits << 6 | (uint32_t)value) & 0xFFFFFF;
        count += 6;
        if (count >= 8) {
            count -= 8;
            *out++ = (uint8_t)(bits >> count);
        }
    }
    return (bits & ((1U << count) - 1)) == 0;
}

void text_append_base64(struct text_buffer *buffer, struct text bytes)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < bytes.length; i += 3) {
        size_t count = bytes.length - i < 3 ? bytes.length - i : 3;
        uint32_t bits = 0;
        for (size_t j = 0; j < 3; j++)
            bits = bits << 8 | (j < count ? (uint8_t)bytes.base[i + j] : 0);
        for (size_t j = 0; j < 4; j++)
            text_append_char(buffer, j > count ? '=' : alphabet[bits >> (18 - 6 * j) & 63]);
    }
}

void text_append_percent(struct text_buffer *buffer, struct text text)
{
    static const char digits[] = "0123456789ABCDEF";
    for (size_t i = 0; i < text.length; i++) {
        char c = text.base[i];
        bool is_plain = is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                        c == '-' || c == '.' || c == '_' || c == '~';
        if (is_plain) {
            text_append_char(buffer, c);
            continue;
        }
        text_append_char(buffer, '%');
        text_append_char(buffer, digits[(uint8_t)c >> 4]);
        text_append_char(buffer, digits[(uint8_t)c & 15]);
    }
}

static int form_decode(struct text raw, struct text_buffer *buffer, struct text *decoded)
{
    size_t start = buffer->length;
    for (size_t i = 0; i < raw.length; i++) {
        char c = raw.base[i];
        if (c == '+') {
            c = ' ';
        } else if (c == '%') {
            uint8_t byte;
            if (!text_hex_decode(&byte, 1, text_slice(raw, i + 1, 2)))
                return ERR_FORM_SYNTAX;
            c = (char)byte;
            i += 2;
        }
        if (c == '\0')
            return ERR_FORM_SYNTAX;
        text_append_char(buffer, c);
    }
    CHECK(!buffer->is_cut); /* decoding never grows: the caller gave too small a buffer */
    *decoded = (struct text){buffer->base + start, buffer->length - start};
    return 0;
}

/* Take what stands before the separator (or all) off the front of text. */
static struct text take_until(struct text *text, char separator)
{
    const char *end = text->length > 0 ? memchr(text->base, separator, text->length) : NULL;
    struct text head = *text;
    if (end == NULL) {
        *text = (struct text){NULL, 0};
        return head;
    }
    head.length = (size_t)(end - text->base);
    *text = text_slice(*text, head.length + 1, text->length);
    return head;
}

/* WHATWG URL Standard, "application/x-www-form-urlencoded parsing": empty pairs are skipped, a pair
 * without '=' has an empty value. */
int text_form_next(struct text *cursor, struct text_buffer *buffer, struct text *name,
                   struct text *value)
{
    struct text pair = {NULL, 0};
    while (pair.length == 0) {
        if (cursor->length == 0)
            return ERR_NOT_FOUND;
        pair = take_until(cursor, '&');
    }
    struct text raw_name = take_until(&pair, '=');
    int err = form_decode(raw_name, buffer, name);
    if (err != 0)
        return err;
    return form_decode(pair, buffer, value);
}
