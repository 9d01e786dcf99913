/*
 * Text made comparable for searching: Unicode case folded, accents taken off, everything that is no
 * letter or digit a separator. "Zoë O'Brien-SMITH" becomes "zoe obrien smith" (apostrophes vanish).
 * By GLib.
 */
#ifndef COUNTERPART_BASE_FOLD_H
#define COUNTERPART_BASE_FOLD_H

#include "base/text.h"

/* Appends the folded text, words separated by one space, none at the ends. Bytes that are not UTF-8
 * are separators; digits of any script become ASCII's. What does not fit is left out by whole
 * characters. Folding what is folded changes nothing. */
void fold_append(struct text_buffer *buffer, struct text text);
/* The digits alone: "+61 400-000 000" becomes "61400000000". */
void fold_append_digits(struct text_buffer *buffer, struct text text);

#endif
