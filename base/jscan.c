/* The tokens of RFC 8259: white space, literals, numbers, strings, and the meaning of escapes. */
#include "base/jscan.h"

#include <string.h>

#include "base/banned.h"

static void skip(struct text *rest, size_t count)
{
    rest->base += count;
    rest->length -= count;
}

void jscan_skip_space(struct text *rest)
{
    while (rest->length > 0 && (rest->base[0] == ' ' || rest->base[0] == '\n' ||
                                rest->base[0] == '\r' || rest->base[0] == '\t'))
        skip(rest, 1);
}

bool jscan_char(struct text *rest, char wanted)
{
    if (rest->length == 0 || rest->base[0] != wanted)
        return false;
    skip(rest, 1);
    return true;
}

bool jscan_literal(struct text *rest, struct text literal)
{
    if (!text_starts_with(*rest, literal))
        return false;
    skip(rest, literal.length);
    return true;
}

static size_t skip_digits(struct text *rest)
{
    size_t count = 0;
    while (count < rest->length && rest->base[count] >= '0' && rest->base[count] <= '9')
        count++;
    skip(rest, count);
    return count;
}

/* RFC 8259 section 6: [ "-" ] ( "0" | 1-9 *digit ) [ "." 1*digit ] [ e [ + | - ] 1*digit ] */
bool jscan_number(struct text *rest, struct text *source)
{
    if (rest->length == 0)
        return false;
    const char *start = rest->base;
    (void)jscan_char(rest, '-');
    bool is_zero_first = rest->length > 0 && rest->base[0] == '0';
    size_t digits = skip_digits(rest);
    if (digits == 0 || (is_zero_first && digits > 1))
        return false;
    if (jscan_char(rest, '.') && skip_digits(rest) == 0)
        return false;
    if (jscan_char(rest, 'e') || jscan_char(rest, 'E')) {
        (void)(jscan_char(rest, '+') || jscan_char(rest, '-'));
        if (skip_digits(rest) == 0)
            return false;
    }
    *source = (struct text){start, (size_t)(rest->base - start)};
    return true;
}

/* --- strings --------------------------------------------------------------------------------- */

static bool take_hex4(struct text *rest, uint32_t *code)
{
    uint8_t bytes[2];
    if (!text_hex_decode(bytes, sizeof(bytes), text_slice(*rest, 0, 4)))
        return false;
    *code = (uint32_t)bytes[0] << 8 | bytes[1];
    skip(rest, 4);
    return true;
}

/* After "\u". A high surrogate must be followed by its low one: half a pair is no character, and
 * putting a replacement for it would make two different texts one. */
static bool take_unicode(struct text *rest, uint32_t *code)
{
    if (!take_hex4(rest, code))
        return false;
    if (*code < 0xD800 || *code > 0xDFFF)
        return true;
    uint32_t low;
    if (*code >= 0xDC00 || !jscan_literal(rest, TEXT("\\u")) || !take_hex4(rest, &low) ||
        low < 0xDC00 || low > 0xDFFF)
        return false;
    *code = 0x10000 + ((*code - 0xD800) << 10) + (low - 0xDC00);
    return true;
}

/* After the backslash. */
static bool take_escape(struct text *rest, uint32_t *code)
{
    static const char letters[] = "\"\\/bfnrt";
    static const char meanings[] = "\"\\/\b\f\n\r\t";
    if (jscan_char(rest, 'u'))
        return take_unicode(rest, code);
    const char *letter =
        rest->length > 0 ? memchr(letters, rest->base[0], sizeof(letters) - 1) : NULL;
    if (letter == NULL)
        return false;
    *code = (uint32_t)meanings[letter - letters];
    skip(rest, 1);
    return true;
}

/* Characters at the front that stand for themselves. */
static size_t plain_run(struct text text)
{
    size_t run = 0;
    while (run < text.length && (unsigned char)text.base[run] >= 0x20 && text.base[run] != '"' &&
           text.base[run] != '\\')
        run++;
    return run;
}

bool jscan_string(struct text *rest, struct text *raw, bool *has_escapes)
{
    *has_escapes = false;
    if (!jscan_char(rest, '"'))
        return false;
    const char *start = rest->base;
    for (;;) {
        size_t run = plain_run(*rest);
        skip(rest, run);
        if (jscan_char(rest, '"')) {
            *raw = (struct text){start, (size_t)(rest->base - 1 - start)};
            return true;
        }
        uint32_t code;
        if (!jscan_char(rest, '\\') || !take_escape(rest, &code))
            return false; /* the end, or a control character: they must be escaped, NUL included */
        *has_escapes = true;
    }
}

static size_t put_utf8(char *out, uint32_t code)
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    size_t size = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    static const uint8_t leads[] = {0, 0, 0xC0, 0xE0, 0xF0};
    for (size_t i = size - 1; i > 0; i--) {
        out[i] = (char)(0x80 | (code & 0x3F));
        code >>= 6;
    }
    out[0] = (char)(leads[size] | code);
    return size;
}

size_t jscan_unescape(char *out, struct text raw)
{
    size_t length = 0;
    while (raw.length > 0) {
        uint32_t code;
        if (!jscan_char(&raw, '\\')) {
            out[length++] = raw.base[0];
            skip(&raw, 1);
        } else {
            CHECK(take_escape(&raw, &code));
            length += put_utf8(out + length, code); /* 6 or 12 characters become 1 to 4 */
        }
    }
    return length;
}
