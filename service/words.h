/*
 * A text that is put together piece by piece, with its own memory: what pages are made of.
 */
#ifndef COUNTERPART_SERVICE_WORDS_H
#define COUNTERPART_SERVICE_WORDS_H

#include "base/text.h"

/* The longest is a line of the doctor: what to do, an address and two commands. */
#define WORDS_MAX 4096

struct words {
    struct text_buffer buffer;
    char bytes[WORDS_MAX];
};
/* Empty again; what is appended is cut at WORDS_MAX. */
struct text_buffer *words_begin(struct words *words);
/* As long as the words are there. */
struct text words_text(const struct words *words);

#endif
