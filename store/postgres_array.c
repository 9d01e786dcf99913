/* Arrays for PostgreSQL: values one behind the other, and the header that says how many. */
#include "store/postgres_array.h"

#include "base/check.h"

#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

/* Dimensions, a flag for NULLs, the values' type; and of the one dimension its length and the index
 * of its first value. All of them 32 bits, big-endian. */
#define HEADER_SIZE 12
#define DIMENSION_SIZE 8
#define VALUES_BEGIN (HEADER_SIZE + DIMENSION_SIZE)
#define LENGTH_SIZE 4 /* before every value */
#define ROW_HEADER_SIZE 4
#define COLUMN_SIZE 16
/* What a batch of 512 needs of integers, with its header: what holds a column grows once, and what
 * holds rows a few times, for good. */
#define CAPACITY_FIRST 8192

static void put_32(uint8_t *out, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        out[i] = (uint8_t)(value >> (24 - 8 * i));
}

static void put_64(uint8_t *out, uint64_t value)
{
    put_32(out, (uint32_t)(value >> 32));
    put_32(out + 4, (uint32_t)value);
}

void postgres_array_clear(struct postgres_array *array, enum postgres_type type)
{
    CHECK(type == POSTGRES_INT8 || type == POSTGRES_BYTEA || type == POSTGRES_TEXT);
    array->size = VALUES_BEGIN;
    array->count = 0;
    array->type = type;
    array->is_cut = false;
    array->row.width = 0;
}

void postgres_array_clear_rows(struct postgres_array *array, const struct postgres_row_type *row)
{
    postgres_array_clear(array, POSTGRES_INT8);
    array->row = *row;
    array->column = 0;
}

void postgres_array_finish(struct postgres_array *array)
{
    free(array->bytes);
    *array = (struct postgres_array){0};
}

static bool reserve(struct postgres_array *array, size_t size)
{
    if (array->is_cut || array->size + size <= array->capacity)
        return !array->is_cut;
    size_t capacity = array->capacity == 0 ? CAPACITY_FIRST : array->capacity;
    while (capacity < array->size + size)
        capacity *= 2;
    uint8_t *bytes = realloc(array->bytes, capacity);
    array->is_cut = bytes == NULL;
    if (array->is_cut)
        return false;
    array->bytes = bytes;
    array->capacity = capacity;
    return true;
}

static uint8_t *append_bytes(struct postgres_array *array, size_t size)
{
    CHECK(array->size >= VALUES_BEGIN); /* cleared before */
    CHECK(size <= INT32_MAX && array->count < INT32_MAX);
    if (!reserve(array, size))
        return NULL;
    uint8_t *out = array->bytes + array->size;
    array->size += size;
    return out;
}

/* Room for one value, its length before it; NULL: memory is short. */
static uint8_t *append(struct postgres_array *array, size_t size)
{
    uint8_t *out = append_bytes(array, LENGTH_SIZE + size);
    if (out == NULL)
        return NULL;
    put_32(out, (uint32_t)size);
    array->count++;
    return out + LENGTH_SIZE;
}

/* A row (record_recv) is the number of its columns, then of each its type, its length, itself. */
static uint8_t *append_column(struct postgres_array *array)
{
    uint8_t *begin = NULL;
    if (array->column == 0) {
        begin = append(array, ROW_HEADER_SIZE);
        if (begin != NULL) {
            put_32(begin, (uint32_t)array->row.width);
            put_32(begin - LENGTH_SIZE,
                   (uint32_t)(ROW_HEADER_SIZE + COLUMN_SIZE * (size_t)array->row.width));
        }
    }
    array->column = (array->column + 1) % array->row.width;
    uint8_t *out = append_bytes(array, COLUMN_SIZE);
    if (out == NULL)
        return NULL;
    put_32(out, POSTGRES_INT8);
    put_32(out + 4, sizeof(int64_t));
    return out + 8;
}

void postgres_array_add_int(struct postgres_array *array, int64_t value)
{
    CHECK(array->type == POSTGRES_INT8);
    uint8_t *out = array->row.width > 0 ? append_column(array) : append(array, sizeof(value));
    if (out != NULL)
        put_64(out, (uint64_t)value);
}

void postgres_array_add_bytes(struct postgres_array *array, const void *bytes, size_t size)
{
    CHECK(array->type == POSTGRES_BYTEA || array->type == POSTGRES_TEXT);
    uint8_t *out = append(array, size);
    if (out != NULL && size > 0)
        memcpy(out, bytes, size);
}

uint32_t postgres_array_type(const struct postgres_array *array)
{
    if (array->row.width > 0)
        return array->row.array_type;
    if (array->type == POSTGRES_INT8)
        return POSTGRES_INT8_ARRAY;
    return array->type == POSTGRES_BYTEA ? POSTGRES_BYTEA_ARRAY : POSTGRES_TEXT_ARRAY;
}

const uint8_t *postgres_array_encode(struct postgres_array *array, size_t *size)
{
    CHECK(array->size >= VALUES_BEGIN);
    if (!reserve(array, 0))
        return NULL;
    bool is_empty = array->count == 0; /* has no dimension at all */
    put_32(array->bytes, is_empty ? 0 : 1);
    put_32(array->bytes + 4, 0);
    put_32(array->bytes + 8, array->row.width > 0 ? array->row.type : (uint32_t)array->type);
    put_32(array->bytes + HEADER_SIZE, (uint32_t)array->count);
    put_32(array->bytes + HEADER_SIZE + 4, 1);
    *size = is_empty ? HEADER_SIZE : array->size;
    return array->bytes;
}
