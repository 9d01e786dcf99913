/* Records sorted by id, found by halving. */
#include "mocks/lightspeed/table.h"

#include "base/error.h"

#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

int table_init(struct table *table, size_t record_size, size_t max, int64_t first_id,
               table_release_fn release)
{
    CHECK(record_size >= sizeof(int64_t));
    *table = (struct table){
        .max = max, .record_size = record_size, .next_id = first_id, .release = release};
    table->records = calloc(max, sizeof(*table->records));
    return table->records == NULL ? ERR_NO_MEMORY : 0;
}

static void record_free(const struct table *table, void *record)
{
    if (table->release != NULL)
        table->release(record);
    free(record);
}

void table_finish(struct table *table)
{
    for (size_t i = 0; i < table->count; i++)
        record_free(table, table->records[i]);
    free(table->records);
    *table = (struct table){0};
}

static int64_t id_at(const struct table *table, size_t index)
{
    int64_t id;
    memcpy(&id, table->records[index], sizeof(id));
    return id;
}

size_t table_lower_bound(const struct table *table, int64_t id)
{
    size_t low = 0, high = table->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (id_at(table, middle) < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void *table_find(const struct table *table, int64_t id)
{
    size_t at = table_lower_bound(table, id);
    return at < table->count && id_at(table, at) == id ? table->records[at] : NULL;
}

void *table_add(struct table *table, int64_t id)
{
    if (id == 0)
        id = table->next_id;
    size_t at = table_lower_bound(table, id);
    if (table->count == table->max || (at < table->count && id_at(table, at) == id))
        return NULL;
    void *record = calloc(1, table->record_size);
    if (record == NULL)
        return NULL;
    memcpy(record, &id, sizeof(id));
    memmove(table->records + at + 1, table->records + at,
            (table->count - at) * sizeof(*table->records));
    table->records[at] = record;
    table->count++;
    if (id >= table->next_id)
        table->next_id = id + 1;
    return record;
}

void table_remove(struct table *table, int64_t id)
{
    size_t at = table_lower_bound(table, id);
    CHECK(at < table->count && id_at(table, at) == id);
    record_free(table, table->records[at]);
    table->count--;
    memmove(table->records + at, table->records + at + 1,
            (table->count - at) * sizeof(*table->records));
}
