/* Puts texts together in memory of their own. */
#include "service/words.h"

#include "base/banned.h"

struct text_buffer *words_begin(struct words *words)
{
    text_buffer_init(&words->buffer, words->bytes, sizeof(words->bytes));
    return &words->buffer;
}

struct text words_text(const struct words *words)
{
    return text_buffer_text(&words->buffer);
}
