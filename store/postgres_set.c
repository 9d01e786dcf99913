/* Sets: rows that are bound as to any statement become the values of its arrays. */
#include "store/postgres_set.h"

#include "base/check.h"

#include <string.h>

#include "base/banned.h"

static struct postgres_set *set_of(struct sql_statement *row)
{
    return (struct postgres_set *)row;
}

/* The parameter that holds a column: what comes in rows is the first one. */
static int parameter_of(const struct postgres_set *set, int column)
{
    int in_rows = (int)strspn(set->kinds, "r");
    int place = in_rows == 0 ? column : column <= in_rows ? 1 : column - in_rows + 1;
    return set->parameter_first + place - 1;
}

static void append_int(struct sql_statement *row, int position, int64_t value)
{
    struct postgres_set *set = set_of(row);
    postgres_add_int(set->statement, parameter_of(set, position), value);
}

static void append_blob(struct sql_statement *row, int position, const void *bytes, size_t size)
{
    struct postgres_set *set = set_of(row);
    postgres_add_blob(set->statement, parameter_of(set, position), bytes, size);
}

static void append_text(struct sql_statement *row, int position, const char *c_string)
{
    struct postgres_set *set = set_of(row);
    postgres_add_text(set->statement, parameter_of(set, position), c_string);
}

/* Binds, and nothing else: it is never prepared nor run. */
static const struct sql_driver row_driver = {
    .bind_int = append_int,
    .bind_blob = append_blob,
    .bind_text = append_text,
};

static void empty_array(struct sql_statement *statement, int position, char kind)
{
    if (kind == 'i' || kind == 'r')
        postgres_bind_ints(statement, position);
    else if (kind == 'b')
        postgres_bind_blobs(statement, position);
    else
        postgres_bind_texts(statement, position);
}

static void empty_arrays(const struct postgres_set *set)
{
    for (int i = 0; set->kinds[i] != '\0'; i++)
        empty_array(set->statement, parameter_of(set, i + 1), set->kinds[i]);
}

int postgres_set_begin(struct store_postgres *postgres, enum postgres_set_number number,
                       const char *text, const char *kinds, struct postgres_set *set)
{
    CHECK(SET_COUNT <= AREA_STATEMENTS_MAX);
    *set = (struct postgres_set){
        .row = {.driver = &row_driver, .text = text}, .kinds = kinds, .parameter_first = 1};
    int err = sql_prepare_of(&postgres->sql, AREA_BACKEND, (int)number, text, &set->statement);
    if (err == 0)
        empty_arrays(set);
    return err;
}

void postgres_set_join(struct postgres_set *first, int parameter, const char *kinds,
                       struct postgres_set *set)
{
    *set = (struct postgres_set){.row = first->row,
                                 .statement = first->statement,
                                 .kinds = kinds,
                                 .parameter_first = parameter,
                                 .first = first};
    empty_arrays(set);
}

void postgres_set_type(struct postgres_set *set, const struct postgres_row_type *row)
{
    CHECK((size_t)row->width == strlen(set->kinds) &&
          strspn(set->kinds, "r") == (size_t)row->width);
    postgres_bind_rows(set->statement, set->parameter_first, row);
}

struct binder postgres_set_row(struct postgres_set *set)
{
    struct postgres_set *sent = set->first == NULL ? set : set->first;
    sent->row_count++;
    return (struct binder){.statement = &set->row};
}

int postgres_set_send(struct store_postgres *postgres, struct postgres_set *set)
{
    if (set->row_count == 0)
        return 0;
    int err = postgres_send(postgres, set->statement);
    set->is_sent = err == 0;
    return err;
}

int postgres_set_receive(struct store_postgres *postgres, struct postgres_set *set)
{
    return set->is_sent ? postgres_receive(postgres, set->statement, false) : 0;
}

int postgres_set_step(struct store_postgres *postgres, struct postgres_set *set, bool *has_row)
{
    *has_row = false;
    return set->is_sent ? sql_step(&postgres->sql, set->statement, has_row) : 0;
}
