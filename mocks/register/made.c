/* Calls a writer with more and more room, and some short cuts around the JSON writer. */
#include "mocks/register/made.h"

#include "base/money.h"

#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

#define ROOM_FIRST 4096
/* A recording and its base64 stay below; beyond, somebody writes in circles. */
#define ROOM_MAX ((size_t)256 * 1024 * 1024)

void made_create_sized(struct made *made, size_t room, made_fn write, const void *context)
{
    for (room = room < ROOM_FIRST ? ROOM_FIRST : room;; room *= 4) {
        struct text_buffer buffer;
        struct jwrite writer;
        CHECK(room <= ROOM_MAX);
        made->base = malloc(room);
        CHECK(made->base != NULL);
        text_buffer_init(&buffer, made->base, room);
        jwrite_init(&writer, &buffer);
        write(&writer, context);
        made->length = buffer.length;
        if (!buffer.is_cut)
            return;
        free(made->base);
    }
}

void made_create(struct made *made, made_fn write, const void *context)
{
    made_create_sized(made, ROOM_FIRST, write, context);
}

void made_reserve(struct made *made, size_t room)
{
    made->base = malloc(room);
    CHECK(made->base != NULL);
    made->base[0] = '\0';
    made->length = 0;
}

void made_copy(struct made *made, struct text text)
{
    made_reserve(made, text.length + 1);
    if (text.length > 0)
        memcpy(made->base, text.base, text.length);
    made->base[text.length] = '\0';
    made->length = text.length;
}

void made_destroy(struct made *made)
{
    free(made->base);
    *made = (struct made){0};
}

struct text made_text(const struct made *made)
{
    return (struct text){made->base, made->length};
}

void made_write(const struct made *made, const char *name, struct jwrite *writer)
{
    jwrite_key(writer, text_of(name));
    if (made->length > 0)
        jwrite_raw(writer, made_text(made));
    else
        jwrite_null(writer);
}

void jwrite_named_money(struct jwrite *writer, const char *name, int64_t amount_minor, int exponent)
{
    char memory[MONEY_TEXT_MAX];
    struct text_buffer buffer;
    text_buffer_init(&buffer, memory, sizeof(memory));
    money_append(&buffer, amount_minor, exponent);
    jwrite_named_text_n(writer, name, text_buffer_text(&buffer));
}

void jwrite_named_text_n(struct jwrite *writer, const char *name, struct text text)
{
    jwrite_key(writer, text_of(name));
    jwrite_text(writer, text);
}

void jwrite_named_null(struct jwrite *writer, const char *name)
{
    jwrite_key(writer, text_of(name));
    jwrite_null(writer);
}

void jwrite_begin(struct jwrite *writer, const char *name, bool is_array)
{
    jwrite_key(writer, text_of(name));
    if (is_array)
        jwrite_array_begin(writer);
    else
        jwrite_object_begin(writer);
}
