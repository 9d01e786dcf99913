/*
 * Text as (base, length): never assumed to be NUL-terminated, never owned. Helpers are pure.
 * Bodies from libh2o are not NUL-terminated, so everything that reads a request works on struct
 * text.
 */
#ifndef COUNTERPART_BASE_TEXT_H
#define COUNTERPART_BASE_TEXT_H

#include "base/check.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct text {
    const char *base; /* NULL only when length is 0 */
    size_t length;
};

/* A bounded string builder over the caller's memory. When something does not fit, is_cut becomes
 * true and the buffer keeps what fitted; it is NUL-terminated at all times. Nothing is ever written
 * past capacity. */
struct text_buffer {
    char *base;
    size_t length;   /* without the NUL */
    size_t capacity; /* with room for the NUL */
    bool is_cut;
};

#define TEXT(literal) ((struct text){(literal), sizeof(literal) - 1})
struct text text_of(const char *c_string); /* NULL gives the empty text */

bool text_equal(struct text a, struct text b);
bool text_equal_nocase(struct text a, struct text b);        /* ASCII */
bool text_equal_constant_time(struct text a, struct text b); /* leaks the lengths only */
bool text_starts_with(struct text text, struct text prefix);
struct text text_trim(struct text text); /* ASCII white space at both ends */
struct text text_slice(struct text text, size_t from, size_t length); /* clipped to text */
bool text_is_digits(struct text text); /* at least one, ASCII 0-9 only */
/* No control character, neither ASCII's nor U+0080 to U+009F, and none that turns the direction of
 * the text after it (U+202A to U+202E, U+2066 to U+2069): what a terminal may be shown. Marks that
 * Hebrew and Arabic need (U+200E, U+200F) are printable. */
bool text_is_printable(struct text text);
bool text_is_utf8(struct text text); /* well-formed: no surrogates, no overlong forms */
/* Bytes of the one well-formed UTF-8 character at the front; 0 when there is none. */
size_t text_utf8_length(struct text text);
/* How far the next character is from the one at at, for walks that must end: of what is no UTF-8
 * each byte counts as one. */
size_t text_utf8_step(struct text text, size_t at);
/* As many whole, well-formed characters of the front as fit into capacity with a NUL. false: there
 * was more, or what is no UTF-8. capacity >= 1. */
bool text_copy_utf8(char *out, size_t capacity, struct text text);
uint64_t text_hash(struct text text); /* FNV-1a, for tables of trusted or keyed input only */

/* errors  ERR_NOT_A_NUMBER (empty, sign alone, anything but ASCII digits), ERR_TOO_LARGE (outside
 * int64_t). */
MUST_CHECK int text_parse_int64(struct text text, int64_t *value);

void text_buffer_init(struct text_buffer *buffer, char *base, size_t capacity); /* capacity >= 1 */
void text_append(struct text_buffer *buffer, struct text text);
void text_append_char(struct text_buffer *buffer, char c);
/* Whole characters only; each that is not printable, and each byte that is no UTF-8, becomes
 * instead, which may be empty. What does not fit is cut between characters. */
void text_append_printable(struct text_buffer *buffer, struct text text, struct text instead);
void text_append_int64(struct text_buffer *buffer, int64_t value);
void text_append_format(struct text_buffer *buffer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
struct text text_buffer_text(const struct text_buffer *buffer);

/* Lower-case hex; writes 2*size characters and a NUL. */
void text_hex_encode(char *out, const uint8_t *bytes, size_t size);
/* Standard alphabet, with padding (RFC 4648 section 4). */
void text_append_base64(struct text_buffer *buffer, struct text bytes);
/* For a query string or a form: all but A-Z a-z 0-9 - . _ ~ as %XX (RFC 3986 section 2.3). */
void text_append_percent(struct text_buffer *buffer, struct text text);
/* Either case; exactly 2*size characters wanted. */
bool text_hex_decode(uint8_t *out, size_t size, struct text hex);
/* Base64, standard alphabet, with or without padding; exactly size bytes wanted. */
bool text_base64_decode(uint8_t *out, size_t size, struct text base64);

/*
 * One "name=value" pair of an application/x-www-form-urlencoded body or a query string.
 *
 * units      cursor starts as the whole body; each call takes one pair off its front.
 * ownership  name and value are decoded ('+' and %XX) into buffer, which must have a capacity of at
 *            least one byte more than the whole body; they point into it.
 * errors     ERR_NOT_FOUND at the end; ERR_FORM_SYNTAX for a broken %XX or a decoded NUL.
 */
MUST_CHECK int text_form_next(struct text *cursor, struct text_buffer *buffer, struct text *name,
                              struct text *value);

#endif
