/*
 * What the move does in PostgreSQL's own way: many rows in one statement, patience, partitions.
 */
#include "store/move_rows.h"
#include "store/postgres.h"

#include "base/check.h"
#include "base/clock.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/banned.h"

/* Held by the connection of whoever moves tenants into the store. */
#define LOCK_MOVE INT64_C(0x436f756e74657234)
/* A server needs a moment to see that a connection has ended, with its lock: also of a move that
 * ended well, so that the next one may come at once. */
#define LOCK_PATIENCE_US (INT64_C(5) * CLOCK_US_PER_S)
/* As in make_partition. */
#define PARTITION_IDS INT64_C(67108864)
#define TEXT_MAX 8192

struct move_writer {
    struct sql *sql;
    struct sql_statement *statement;
    int column_count;
    char kinds[MOVE_COLUMNS_MAX];
};

/* --- writing --- */

static bool is_in_list(const char *list, const char *name)
{
    size_t length = strlen(name);
    for (const char *at = list; (at = strstr(at, name)) != NULL; at += length) {
        bool is_begun = at == list || at[-1] == ' ';
        if (is_begun && (at[length] == ',' || at[length] == '\0'))
            return true;
    }
    return false;
}

static bool is_assigned(const struct move_table *table, const char *name)
{
    if (strcmp(table->assigned, "*") != 0)
        return is_in_list(table->assigned, name);
    return !is_in_list(table->key, name) && strcmp(name, "tenant_id") != 0;
}

/* A row under the same key that is another tenant's is left as it is: then the copy is not equal,
 * and says so. */
static void append_conflict(struct text_buffer *buffer, const struct move_pass *pass)
{
    const struct move_table *table = pass->table;
    bool has_tenant = false, is_first = true;
    text_append_format(buffer, " ON CONFLICT (%s) DO ", table->key);
    if (table->assigned == NULL) {
        text_append(buffer, TEXT("NOTHING"));
        return;
    }
    text_append(buffer, TEXT("UPDATE SET "));
    for (int i = 0; i < pass->column_count; i++) {
        const char *name = pass->columns[i].name;
        has_tenant |= strcmp(name, "tenant_id") == 0;
        if (!is_assigned(table, name))
            continue;
        text_append_format(buffer, "%s%s = excluded.%s", is_first ? "" : ", ", name, name);
        is_first = false;
    }
    if (has_tenant)
        text_append_format(buffer, " WHERE %s.tenant_id = excluded.tenant_id", table->name);
}

static void append_insert(struct text_buffer *buffer, const struct move_pass *pass)
{
    text_append_format(buffer, "INSERT INTO %s (", pass->table->name);
    for (int i = 0; i < pass->column_count; i++)
        text_append_format(buffer, "%s%s", i == 0 ? "" : ", ", pass->columns[i].name);
    text_append(buffer, TEXT(") SELECT * FROM unnest("));
    for (int i = 0; i < pass->column_count; i++)
        text_append(buffer, i == 0 ? TEXT("?") : TEXT(", ?"));
    text_append(buffer, TEXT(")"));
    append_conflict(buffer, pass);
}

int move_writer_open(struct sql *target, const struct move_pass *pass, struct move_writer **writer)
{
    char text[TEXT_MAX];
    struct text_buffer buffer;
    struct binder binder;
    *writer = NULL;
    text_buffer_init(&buffer, text, sizeof(text));
    append_insert(&buffer, pass);
    CHECK(!buffer.is_cut && pass->column_count <= POSTGRES_PARAMETERS_MAX);
    struct move_writer *made = calloc(1, sizeof(*made));
    if (made == NULL)
        return ERR_NO_MEMORY;
    int err = move_prepare(target, text, &binder);
    if (err != 0) {
        free(made);
        return err;
    }
    *made = (struct move_writer){
        .sql = target, .statement = binder.statement, .column_count = pass->column_count};
    for (int i = 0; i < pass->column_count; i++)
        made->kinds[i] = pass->columns[i].kind;
    *writer = made;
    return 0;
}

void move_writer_close(struct move_writer *writer)
{
    if (writer == NULL)
        return;
    writer->sql->driver->finalize(writer->statement);
    free(writer);
}

void move_writer_clear(struct move_writer *writer)
{
    for (int i = 0; i < writer->column_count; i++) {
        if (writer->kinds[i] == 'i')
            postgres_bind_ints(writer->statement, i + 1);
        else if (writer->kinds[i] == 'b')
            postgres_bind_blobs(writer->statement, i + 1);
        else
            postgres_bind_texts(writer->statement, i + 1);
    }
}

void move_writer_add(struct move_writer *writer, int column, char kind,
                     const struct sql_statement *row)
{
    size_t size;
    if (kind == 'i') {
        postgres_add_int(writer->statement, column + 1, sql_column_int(row, column));
        return;
    }
    const void *bytes = sql_column_bytes(row, column, &size);
    postgres_add_blob(writer->statement, column + 1, bytes == NULL ? "" : bytes, size);
}

int move_writer_write(struct move_writer *writer)
{
    return sql_finish(writer->sql, writer->statement);
}

/* --- transactions --- */

int move_target_begin(struct sql *target, bool is_change)
{
    struct store_postgres *postgres = postgres_of_sql(target);
    int err = is_change ? target->driver->begin_change(target) : postgres_begin(postgres);
    if (err != 0)
        return err;
    postgres->patience_us = INT64_MAX / 2;
    err = postgres_execute(postgres, "SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0; "
                                     "SET LOCAL idle_in_transaction_session_timeout = 0");
    if (err != 0)
        target->driver->rollback(target);
    return err;
}

static int ask_int(struct sql *sql, const char *text, int64_t argument, int64_t *value)
{
    struct binder binder;
    int err = move_prepare(sql, text, &binder);
    if (err != 0)
        return err;
    bind_int(&binder, argument);
    err = sql_step_to_row(sql, binder.statement);
    if (err == 0)
        *value = sql_column_int(binder.statement, 0);
    sql->driver->finalize(binder.statement);
    return err;
}

int move_target_lock(struct sql *target)
{
    const struct timespec rest = {.tv_nsec = 20 * 1000 * 1000};
    int64_t until_us = clock_monotonic_us() + LOCK_PATIENCE_US;
    int64_t is_ours = 0;
    int err = ask_int(target, "SELECT pg_try_advisory_lock(?)", LOCK_MOVE, &is_ours);
    while (err == 0 && is_ours == 0 && clock_monotonic_us() < until_us) {
        nanosleep(&rest, NULL);
        err = ask_int(target, "SELECT pg_try_advisory_lock(?)", LOCK_MOVE, &is_ours);
    }
    return err == 0 && is_ours == 0 ? ERR_LOCKED : err;
}

int move_target_lift_laws(struct sql *target, const char *table, bool are_lifted)
{
    char text[128];
    struct text_buffer buffer;
    text_buffer_init(&buffer, text, sizeof(text));
    text_append_format(&buffer, "ALTER TABLE %s %s TRIGGER USER", table,
                       are_lifted ? "DISABLE" : "ENABLE");
    CHECK(!buffer.is_cut);
    return postgres_execute(postgres_of_sql(target), text);
}

/* --- partitions --- */

static int make_partition(struct sql *target, const char *make, int64_t number)
{
    int64_t made;
    int err = move_target_begin(target, false);
    if (err != 0)
        return err;
    err = ask_int(target, make, number, &made);
    if (err == 0)
        return target->driver->commit(target);
    target->driver->rollback(target);
    return err;
}

/* Ids may have leapt: after a restore they go on far ahead. */
static int make_room(struct sql *target, struct sql *source, const char *next, const char *make)
{
    int64_t id = 0;
    int err = ask_int(source, next, 0, &id);
    while (err == 0 && id != 0) {
        int64_t number = id / PARTITION_IDS;
        err = make_partition(target, make, number);
        if (err == 0)
            err = ask_int(source, next, (number + 1) * PARTITION_IDS, &id);
    }
    return err;
}

int move_target_make_room(struct sql *target, struct sql *source)
{
    int err = make_room(target, source,
                        "SELECT coalesce((SELECT min(id) FROM operation WHERE id >= ?), 0)",
                        "SELECT make_partition('operation', ?)");
    if (err != 0)
        return err;
    return make_room(target, source,
                     "SELECT coalesce((SELECT min(id) FROM transfer WHERE id >= ?), 0)",
                     "SELECT make_partition('transfer', ?)");
}
