/*
 * Invariants of text_form_next:
 *   pairs lie in the buffer, one after the other, and hold no NUL;
 *   there are as many as there are non-empty pieces between '&';
 *   written again with every byte escaped, the same pairs come back.
 */
#include "fuzz.h"

#include "base/error.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

struct memory {
    char *base;
    struct text_buffer buffer;
};

static void memory_init(struct memory *memory, size_t capacity)
{
    memory->base = malloc(capacity);
    CHECK(memory->base != NULL);
    text_buffer_init(&memory->buffer, memory->base, capacity);
}

static void append_escaped(struct text_buffer *buffer, struct text text)
{
    for (size_t i = 0; i < text.length; i++)
        text_append_format(buffer, "%%%02X", (unsigned)(unsigned char)text.base[i]);
}

static void check_inside(const struct text_buffer *buffer, struct text text)
{
    CHECK(text.base >= buffer->base);
    CHECK(text.base + text.length <= buffer->base + buffer->length);
    CHECK(text.length == 0 || memchr(text.base, 0, text.length) == NULL);
}

static size_t count_pieces(struct text body)
{
    size_t pieces = 0;
    for (size_t i = 0; i < body.length; i++) {
        if (body.base[i] != '&' && (i == 0 || body.base[i - 1] == '&'))
            pieces++;
    }
    return pieces;
}

/* Take all pairs and write them, escaped, to encoded. */
static int recode(struct text body, struct text_buffer *encoded, size_t *pairs)
{
    struct memory decoded;
    struct text cursor = body;
    int err;
    memory_init(&decoded, body.length + 1);
    for (*pairs = 0;; ++*pairs) {
        struct text name;
        struct text value;
        size_t left = cursor.length;
        err = text_form_next(&cursor, &decoded.buffer, &name, &value);
        if (err != 0)
            break;
        CHECK(cursor.length < left);
        check_inside(&decoded.buffer, name);
        check_inside(&decoded.buffer, value);
        CHECK(name.base + name.length == value.base);
        append_escaped(encoded, name);
        text_append_char(encoded, '=');
        append_escaped(encoded, value);
        text_append_char(encoded, '&');
    }
    free(decoded.base);
    return err;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text body = {(const char *)data, size};
    struct memory first;
    struct memory second;
    size_t pairs;
    size_t pairs_again;
    memory_init(&first, 4 * size + 3); /* a bare name gains '=' and '&' */
    int err = recode(body, &first.buffer, &pairs);
    CHECK(err == ERR_NOT_FOUND || err == ERR_FORM_SYNTAX);
    CHECK(!first.buffer.is_cut);
    if (err == ERR_NOT_FOUND)
        CHECK(pairs == count_pieces(body));
    memory_init(&second, 4 * first.buffer.length + 3);
    CHECK(recode(text_buffer_text(&first.buffer), &second.buffer, &pairs_again) == ERR_NOT_FOUND);
    CHECK(pairs_again == pairs);
    CHECK(text_equal(text_buffer_text(&first.buffer), text_buffer_text(&second.buffer)));
    free(first.base);
    free(second.base);
    return 0;
}
