/*
 * A bounded table of heap records in the order of their ids. Every record begins with its id. Used
 * by the loop thread alone.
 */
#ifndef COUNTERPART_MOCKS_LIGHTSPEED_TABLE_H
#define COUNTERPART_MOCKS_LIGHTSPEED_TABLE_H

#include "base/check.h"

#include <stddef.h>
#include <stdint.h>

typedef void (*table_release_fn)(void *record); /* frees what a record owns, not the record */

struct table {
    void **records;
    size_t count;
    size_t max;
    size_t record_size;
    int64_t next_id;
    table_release_fn release; /* may be NULL */
};

/* errors  ERR_NO_MEMORY. */
MUST_CHECK int table_init(struct table *table, size_t record_size, size_t max, int64_t first_id,
                          table_release_fn release);
void table_finish(struct table *table); /* accepts a zeroed one */

void *table_find(const struct table *table, int64_t id); /* NULL: not there */
/* A zeroed record with its id set; 0 takes the next one. NULL: full, or the id is taken. */
void *table_add(struct table *table, int64_t id);
void table_remove(struct table *table, int64_t id);
/* Index of the first record whose id is not below id. */
size_t table_lower_bound(const struct table *table, int64_t id);

#endif
