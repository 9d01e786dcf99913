/*
 * Invariants of fold_append (the first byte is the smaller buffer's size):
 *   what comes out is UTF-8 without capitals, punctuation, or a space that separates nothing;
 *   folding it again changes nothing;
 *   a smaller buffer gives the front of what a larger one gives, in whole characters.
 */
#include "base/fold.h"

#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* One character of two or three bytes can become 18 letters of three bytes (U+FDFA). */
#define GROWTH 20
#define SIZE_MAX_FED 4096

static struct text fold(char *memory, size_t capacity, struct text text)
{
    struct text_buffer buffer;
    text_buffer_init(&buffer, memory, capacity);
    fold_append(&buffer, text);
    CHECK(buffer.length == strlen(memory));
    return text_buffer_text(&buffer);
}

static void check_words(struct text folded)
{
    CHECK(text_is_utf8(folded));
    for (size_t i = 0; i < folded.length; i++) {
        char c = folded.base[i];
        bool is_plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (c & 0x80) != 0;
        bool is_space = c == ' ' && i > 0 && i + 1 < folded.length && folded.base[i - 1] != ' ';
        CHECK(is_plain || is_space);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0 || size > SIZE_MAX_FED)
        return 0;
    struct text text = {(const char *)data + 1, size - 1};
    size_t capacity = size * GROWTH + 1;
    char *memory = malloc(3 * capacity);
    CHECK(memory != NULL);
    struct text folded = fold(memory, capacity, text);
    check_words(folded);
    CHECK(text_equal(fold(memory + capacity, capacity, folded), folded));
    struct text cut = fold(memory + 2 * capacity, (size_t)data[0] + 1, text);
    CHECK(text_starts_with(folded, cut) && text_is_utf8(cut));
    free(memory);
    return 0;
}
