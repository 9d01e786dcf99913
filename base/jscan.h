/*
 * The tokens of RFC 8259 and nothing more: takes them one by one off the front of a text that is
 * known to be UTF-8. Builds nothing. Used by json.c; not for others.
 */
#ifndef COUNTERPART_BASE_JSCAN_H
#define COUNTERPART_BASE_JSCAN_H

#include "base/text.h"

void jscan_skip_space(struct text *rest);
/* All of these: false, with rest anywhere, when something else stands there. */
bool jscan_char(struct text *rest, char wanted);
bool jscan_literal(struct text *rest, struct text literal);
bool jscan_number(struct text *rest, struct text *source);
/* *raw is what stands between the quotes. */
bool jscan_string(struct text *rest, struct text *raw, bool *has_escapes);

/* Decodes what jscan_string took. out holds raw.length bytes and may be raw.base: decoding never
 * grows. */
size_t jscan_unescape(char *out, struct text raw);

#endif
