/* A scanner for RFC 8259 that builds nothing: one pass over the bytes, recursion bounded by
 * JREAD_DEPTH_MAX. */
#include "base/jscan.h"

#include "base/error.h"
#include "base/json.h"

#include <string.h>

#include "base/banned.h"

/* Integers of up to 18 digits fit int64_t, and json-c prints them as they came. */
#define NARROW_DIGITS_MAX 18

struct scan {
    struct text rest;
    struct jscan_counts *counts;
    int depth;
};

/* The next byte, or 0 at the end (a raw NUL is no part of any token, so the two may look alike). */
static char peek(const struct scan *scan)
{
    return scan->rest.length > 0 ? scan->rest.base[0] : '\0';
}

static void skip(struct scan *scan, size_t count)
{
    scan->rest.base += count;
    scan->rest.length -= count;
}

static bool take(struct scan *scan, char wanted)
{
    if (scan->rest.length == 0 || scan->rest.base[0] != wanted)
        return false;
    skip(scan, 1);
    return true;
}

static void skip_space(struct scan *scan)
{
    while (scan->rest.length > 0 && memchr(" \t\r\n", scan->rest.base[0], 4) != NULL)
        skip(scan, 1);
}

static int scan_literal(struct scan *scan, struct text literal)
{
    if (!text_starts_with(scan->rest, literal))
        return ERR_JSON_SYNTAX;
    skip(scan, literal.length);
    return 0;
}

/* --- strings --------------------------------------------------------------------------------- */

static bool take_hex4(struct scan *scan, unsigned *code)
{
    uint8_t bytes[2];
    if (!text_hex_decode(bytes, sizeof(bytes), text_slice(scan->rest, 0, 4)))
        return false;
    *code = (unsigned)bytes[0] << 8 | bytes[1];
    skip(scan, 4);
    return true;
}

/* After "\u": four hex digits; a high surrogate must be followed by its low one (json-c would put a
 * replacement character, and two different texts would become one). */
static bool take_unicode_escape(struct scan *scan, bool *is_nul)
{
    unsigned code;
    if (!take_hex4(scan, &code))
        return false;
    if (code == 0)
        *is_nul = true;
    if (code < 0xD800 || code > 0xDFFF)
        return true;
    unsigned low;
    return code < 0xDC00 && take(scan, '\\') && take(scan, 'u') && take_hex4(scan, &low) &&
           low >= 0xDC00 && low <= 0xDFFF;
}

static bool take_escape(struct scan *scan, bool *is_nul)
{
    if (take(scan, 'u'))
        return take_unicode_escape(scan, is_nul);
    if (scan->rest.length == 0 || memchr("\"\\/bfnrt", scan->rest.base[0], 8) == NULL)
        return false;
    skip(scan, 1);
    return true;
}

static int scan_string(struct scan *scan, bool *has_nul)
{
    if (!take(scan, '"'))
        return ERR_JSON_SYNTAX;
    while (scan->rest.length > 0) {
        unsigned char c = (unsigned char)scan->rest.base[0];
        if (c < 0x20)
            return ERR_JSON_SYNTAX;
        skip(scan, 1);
        if (c == '"')
            return 0;
        if (c == '\\' && !take_escape(scan, has_nul))
            return ERR_JSON_SYNTAX;
    }
    return ERR_JSON_SYNTAX;
}

/* --- numbers --------------------------------------------------------------------------------- */

static size_t skip_digits(struct scan *scan)
{
    size_t count = 0;
    for (; peek(scan) >= '0' && peek(scan) <= '9'; count++)
        skip(scan, 1);
    return count;
}

/* RFC 8259 section 6: [ "-" ] ( "0" | 1-9 *digit ) [ "." 1*digit ] [ e [ + | - ] 1*digit ] */
static int scan_number(struct scan *scan)
{
    bool is_negative = take(scan, '-');
    bool is_zero = peek(scan) == '0';
    size_t digits = skip_digits(scan);
    bool is_integer = true;
    if (digits == 0 || (is_zero && digits > 1))
        return ERR_JSON_SYNTAX;
    if (take(scan, '.')) {
        is_integer = false;
        if (skip_digits(scan) == 0)
            return ERR_JSON_SYNTAX;
    }
    if (take(scan, 'e') || take(scan, 'E')) {
        is_integer = false;
        (void)(take(scan, '+') || take(scan, '-'));
        if (skip_digits(scan) == 0)
            return ERR_JSON_SYNTAX;
    }
    if (is_integer && (digits > NARROW_DIGITS_MAX || (is_negative && is_zero)))
        scan->counts->has_wide_integers = true;
    return 0;
}

/* --- values ---------------------------------------------------------------------------------- */

static int scan_value(struct scan *scan);

static int scan_member(struct scan *scan)
{
    bool has_nul = false;
    int err = scan_string(scan, &has_nul);
    if (err != 0)
        return err;
    skip_space(scan);
    if (has_nul || !take(scan, ':'))
        return ERR_JSON_SYNTAX;
    skip_space(scan);
    scan->counts->members++;
    return scan_value(scan);
}

/* Members of an object or elements of an array, after the opening bracket. */
static int scan_items(struct scan *scan, char close, int (*scan_item)(struct scan *))
{
    skip_space(scan);
    if (take(scan, close))
        return 0;
    for (;;) {
        int err = scan_item(scan);
        if (err != 0)
            return err;
        skip_space(scan);
        if (take(scan, close))
            return 0;
        if (!take(scan, ','))
            return ERR_JSON_SYNTAX;
        skip_space(scan);
    }
}

static int scan_container(struct scan *scan, char open)
{
    if (scan->depth == JREAD_DEPTH_MAX)
        return ERR_JSON_DEPTH;
    skip(scan, 1);
    scan->depth++;
    int err = open == '{' ? scan_items(scan, '}', scan_member) : scan_items(scan, ']', scan_value);
    scan->depth--;
    return err;
}

static int scan_value(struct scan *scan)
{
    bool has_nul = false;
    char first = peek(scan);
    switch (first) {
    case '{':
    case '[':
        return scan_container(scan, first);
    case '"':
        return scan_string(scan, &has_nul);
    case 't':
        return scan_literal(scan, TEXT("true"));
    case 'f':
        return scan_literal(scan, TEXT("false"));
    case 'n':
        return scan_literal(scan, TEXT("null"));
    default:
        return scan_number(scan);
    }
}

int jscan_check(struct text body, struct jscan_counts *counts)
{
    *counts = (struct jscan_counts){0};
    if (!text_is_utf8(body))
        return ERR_JSON_SYNTAX;
    struct scan scan = {.rest = body, .counts = counts};
    skip_space(&scan);
    int err = scan_value(&scan);
    if (err != 0)
        return err;
    skip_space(&scan);
    return scan.rest.length == 0 ? 0 : ERR_JSON_SYNTAX;
}

struct text jscan_next_number(struct text *body)
{
    struct jscan_counts ignored;
    struct scan scan = {.rest = *body, .counts = &ignored};
    bool has_nul;
    while (peek(&scan) != '-' && (peek(&scan) < '0' || peek(&scan) > '9')) {
        CHECK(scan.rest.length > 0);
        if (peek(&scan) == '"')
            CHECK(scan_string(&scan, &has_nul) == 0);
        else
            skip(&scan, 1);
    }
    const char *start = scan.rest.base;
    CHECK(scan_number(&scan) == 0);
    *body = scan.rest;
    return (struct text){start, (size_t)(scan.rest.base - start)};
}
