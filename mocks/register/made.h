/*
 * Text of whatever length, made by a writer: the memory grows until all of it fits.
 */
#ifndef COUNTERPART_MOCKS_REGISTER_MADE_H
#define COUNTERPART_MOCKS_REGISTER_MADE_H

#include "base/json.h"

/* Writes the same each time; it is called again with more room. */
typedef void (*made_fn)(struct jwrite *writer, const void *context);

struct made {
    char *base; /* NUL-terminated; NULL: nothing was made */
    size_t length;
};

void made_create(struct made *made, made_fn write, const void *context);
/* The same, where it is known how much it comes to about: it is written once. */
void made_create_sized(struct made *made, size_t room, made_fn write, const void *context);
/* Memory of that size, to be filled by the caller. */
void made_reserve(struct made *made, size_t room);
void made_copy(struct made *made, struct text text);
void made_destroy(struct made *made); /* accepts a zeroed one, and leaves one */
struct text made_text(const struct made *made);
/* Already JSON, or null when nothing was made. */
void made_write(const struct made *made, const char *name, struct jwrite *writer);

/* Money as a JSON string, such as "25.50". */
void jwrite_named_money(struct jwrite *writer, const char *name, int64_t amount_minor,
                        int exponent);
void jwrite_named_text_n(struct jwrite *writer, const char *name, struct text text);
void jwrite_named_null(struct jwrite *writer, const char *name);
void jwrite_begin(struct jwrite *writer, const char *name, bool is_array);

#endif
