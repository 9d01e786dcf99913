/*
 * An array as PostgreSQL's binary format has it (array_recv): one dimension, no NULLs, of integers,
 * of bytes, or of rows of integers. What a set statement has as a parameter, filled value by value.
 * Knows no connection.
 */
#ifndef COUNTERPART_STORE_POSTGRES_ARRAY_H
#define COUNTERPART_STORE_POSTGRES_ARRAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Types of values by their number in PostgreSQL's catalogue (pg_type.dat), which never changes. */
enum postgres_type {
    POSTGRES_BYTEA = 17,
    POSTGRES_INT8 = 20,
    POSTGRES_TEXT = 25,
    POSTGRES_BYTEA_ARRAY = 1001,
    POSTGRES_TEXT_ARRAY = 1009,
    POSTGRES_INT8_ARRAY = 1016,
};

/* A composite type of the schema whose columns all are integers; its numbers are the database's. */
struct postgres_row_type {
    uint32_t type, array_type;
    int32_t width; /* its columns */
};

struct postgres_array {
    uint8_t *bytes; /* the header, then the values; kept when emptied */
    size_t size;
    size_t capacity;
    int32_t count;
    enum postgres_type type;      /* of the values: POSTGRES_INT8, _BYTEA or _TEXT */
    bool is_cut;                  /* memory was short: it must not be sent */
    struct postgres_row_type row; /* width 0: its values stand for themselves */
    int32_t column;               /* of the row that is being filled */
};

/* Empties it; a zeroed one may be emptied. type: of the values. */
void postgres_array_clear(struct postgres_array *array, enum postgres_type type);
/* Of rows, which add_int fills column by column. */
void postgres_array_clear_rows(struct postgres_array *array, const struct postgres_row_type *row);
void postgres_array_finish(struct postgres_array *array);                 /* accepts a zeroed one */
void postgres_array_add_int(struct postgres_array *array, int64_t value); /* POSTGRES_INT8 only */
/* Of the others. CHECKs size <= INT32_MAX. */
void postgres_array_add_bytes(struct postgres_array *array, const void *bytes, size_t size);

/* The type of the array itself. */
uint32_t postgres_array_type(const struct postgres_array *array);
/*
 * The parameter's bytes, borrowed until the array is changed. An array that was never cleared must
 * not come here.
 *
 * errors  NULL: memory was short.
 */
const uint8_t *postgres_array_encode(struct postgres_array *array, size_t *size);

#endif
