/*
 * JSON: a strict reader and a bounded writer. The reader takes RFC 8259 and nothing more, refuses
 * duplicate names, and keeps numbers as the text they came as. A document is one allocation and
 * belongs to one thread at a time. (Names are jread_ and jwrite_: json_ is json-c's, against which
 * the fuzzer holds us.)
 */
#ifndef COUNTERPART_BASE_JSON_H
#define COUNTERPART_BASE_JSON_H

#include "base/text.h"

/* Register bodies are flat, admin calls nest 3 deep; an order's line with options, their modifiers
 * and taxes nests 9 deep, and its authors may think of more. */
#define JREAD_DEPTH_MAX 16
/* A file of somebody else's: a Postman collection nests 9 deep and 2 more a folder. The parser
 * calls itself three times a level: some 20 KiB of stack. */
#define JREAD_FILE_DEPTH_MAX 64

struct jread; /* a parsed document or a value inside one */

enum jread_kind {
    JREAD_NULL,
    JREAD_BOOL,
    JREAD_NUMBER,
    JREAD_STRING,
    JREAD_ARRAY,
    JREAD_OBJECT,
};

/*
 * ownership  *document is the caller's and holds a copy of the body; jread_destroy wipes and frees
 * it with all values reached through it.
 * errors     ERR_JSON_SYNTAX (not exactly one strict RFC 8259 value in valid UTF-8; raw NUL
 * included), ERR_JSON_DUPLICATE (a key twice in one object, at any depth), ERR_JSON_DEPTH,
 * ERR_NO_MEMORY.
 */
MUST_CHECK int jread_parse(struct text body, struct jread **document);
/* The same, for what nests deeper; depth_max: 0..JREAD_FILE_DEPTH_MAX. */
MUST_CHECK int jread_parse_deep(struct text body, int depth_max, struct jread **document);
void jread_destroy(struct jread *document); /* accepts NULL */

enum jread_kind jread_kind_of(const struct jread *value); /* NULL is JREAD_NULL */
/* NULL when value is no object or has no such member (a member that is null gives NULL too). */
const struct jread *jread_member(const struct jread *value, const char *name);
const struct jread *jread_member_named(const struct jread *value, struct text name);
size_t jread_count(const struct jread *value); /* members or elements; 0 for others */
const struct jread *jread_element(const struct jread *value, size_t index);
/* Walk an object's members in order: index 0..jread_count - 1. */
const struct jread *jread_member_at(const struct jread *value, size_t index, struct text *name);

/* The characters of a string, or the source text of a number ("25.50" stays "25.50").
 * errors  ERR_MISSING (NULL or null), ERR_JSON_TYPE (other kinds; a string that holds a NUL
 * character). */
MUST_CHECK int jread_scalar(const struct jread *value, struct text *text);
/* errors  ERR_MISSING, ERR_JSON_TYPE. */
MUST_CHECK int jread_text(const struct jread *value, struct text *text); /* strings only */
MUST_CHECK int jread_bool(const struct jread *value, bool *flag);
/* An integer from a number or a numeric string; "1.0", 1e2, true and fractions are refused.
 * errors  ERR_MISSING, ERR_JSON_TYPE, ERR_NOT_A_NUMBER, ERR_TOO_LARGE. */
MUST_CHECK int jread_int64(const struct jread *value, int64_t *number);

/* Writer: appends to a text_buffer. Commas are placed by the writer. */
struct jwrite {
    struct text_buffer *buffer;
    bool needs_comma;
};
void jwrite_init(struct jwrite *writer, struct text_buffer *buffer);
void jwrite_object_begin(struct jwrite *writer);
void jwrite_object_end(struct jwrite *writer);
void jwrite_array_begin(struct jwrite *writer);
void jwrite_array_end(struct jwrite *writer);
void jwrite_key(struct jwrite *writer, struct text name);
void jwrite_key_ready(struct jwrite *writer, struct text key); /* what jwrite_key wrote before */
void jwrite_text(struct jwrite *writer,
                 struct text text); /* escapes; invalid UTF-8 becomes U+FFFD */
void jwrite_int64(struct jwrite *writer, int64_t number);
void jwrite_bool(struct jwrite *writer, bool flag);
void jwrite_null(struct jwrite *writer);
void jwrite_raw(struct jwrite *writer,
                struct text value); /* already JSON, such as a money number */

#endif
