/* Takes a piece of a file of members: many rows in one transaction, each judged by its line. */
#include "handlers/admin.h"

#include "handlers/admin_request.h"
#include "handlers/member_field.h"

#include <string.h>

#include "base/banned.h"

/* 20 ms of the committer's time in an empty store, 50 ms among a million members, whose index of
 * words is touched all over. So long a till may wait while an import is under way. */
#define ROWS_MAX 500
#define COLUMNS_MAX 16 /* more than there are fields, points included */
#define BAD_JSON_MAX 256

enum row_fate {
    ROW_GOOD,
    ROW_BAD,
    ROW_ADDED,
    ROW_UPDATED,
    ROW_EXISTING,
    ROW_FATES,
};

struct import_row {
    int64_t line;
    int64_t points;
    uint32_t given; /* fields that are not empty: bits, by index of the table */
    enum row_fate fate;
    const char *column, *rule; /* of what is wrong; NULL: nothing */
    struct member member;
};

struct import_task {
    bool is_updating;
    int64_t now_us;
    int32_t count;
    struct import_row rows[];
};

/* What a column of the file is. */
struct column {
    const struct member_field *field; /* NULL: points */
    size_t index;                     /* of the field */
};

static const char points_column[] = "points";
static const char points_rule[] = "a whole number from 0 to 1000000000000";

/* --- on the committer's thread */

static int grant_points(struct store *store, struct import_task *task, struct import_row *row)
{
    struct points_command command = {.action = POINTS_GRANT,
                                     .tenant_id = row->member.tenant_id,
                                     .member_id = row->member.id,
                                     .points = row->points,
                                     .reason = "opening balance"};
    struct points_outcome outcome;
    int err = store_run_points(store, &command, task->now_us, &outcome);
    if (err != 0)
        return err;
    return outcome.result == POINTS_OK ? 0 : ERR_BUG;
}

/* Of who is there already only what is not empty changes, and no points: they have moved since. */
static int import_update(struct store *store, struct import_row *row, struct member *found)
{
    for (size_t i = 0; i < member_field_count(); i++) {
        const struct member_field *field = member_field_at(i);
        if ((row->given & (UINT32_C(1) << i)) != 0)
            memcpy((char *)found + field->offset, (char *)&row->member + field->offset,
                   field->size);
    }
    row->fate = ROW_UPDATED;
    return store_update_member(store, found);
}

static bool is_named_otherwise(const struct import_row *row, const struct member *found)
{
    const struct member *member = &row->member;
    bool has_last = member->last_name[0] != '\0' && found->last_name[0] != '\0';
    return !text_equal_nocase(text_of(member->first_name), text_of(found->first_name)) ||
           (has_last && !text_equal_nocase(text_of(member->last_name), text_of(found->last_name)));
}

static int import_known(struct store *store, struct import_task *task, struct import_row *row,
                        struct member *found)
{
    row->fate = ROW_EXISTING;
    if (!task->is_updating && is_named_otherwise(row, found))
        row->rule = "a member of another name has this code already: nothing was changed";
    return task->is_updating ? import_update(store, row, found) : 0;
}

static int import_one(struct store *store, struct import_task *task, struct import_row *row)
{
    struct member *member = &row->member, found;
    bool is_coded = member->code[0] != '\0';
    int err = is_coded ? ERR_NOT_FOUND : store_find_same_member(store, member, &found);
    if (err == 0)
        return import_known(store, task, row, &found);
    if (err == ERR_NOT_FOUND)
        err = store_add_member(store, member);
    if (err == ERR_ALREADY_EXISTS && is_coded) {
        err = store_read_member_by_code(store, member->tenant_id, text_of(member->code), &found);
        return err != 0 ? err : import_known(store, task, row, &found);
    }
    row->fate = ROW_ADDED;
    return err == 0 && row->points > 0 ? grant_points(store, task, row) : err;
}

static int task_import(struct job *job, struct store *store)
{
    struct import_task *task = (struct import_task *)(job + 1);
    int err = store_begin_group(store);
    if (err != 0)
        return err;
    for (int32_t i = 0; err == 0 && i < task->count; i++)
        if (task->rows[i].fate == ROW_GOOD)
            err = import_one(store, task, &task->rows[i]);
    if (err != 0) {
        store_rollback_group(store);
        return err;
    }
    return store_commit_group(store);
}

/* --- the answer */

/* Or what is remarkable about one that is there already. */
static void write_bad(struct jwrite *writer, const struct import_row *row)
{
    char bytes[BAD_JSON_MAX];
    struct text_buffer sentence;
    text_buffer_init(&sentence, bytes, sizeof(bytes));
    if (row->column != NULL)
        text_append_format(&sentence, "'%s' must be ", row->column);
    text_append(&sentence, text_of(row->rule));
    jwrite_object_begin(writer);
    admin_write_int64(writer, "line", row->line);
    if (row->fate != ROW_BAD) {
        jwrite_key(writer, TEXT("is_remark"));
        jwrite_bool(writer, true);
    }
    jwrite_key(writer, TEXT("error"));
    jwrite_text(writer, text_buffer_text(&sentence));
    jwrite_object_end(writer);
}

static void write_counts(struct jwrite *writer, const struct import_task *task)
{
    int64_t counts[ROW_FATES] = {0};
    for (int32_t i = 0; i < task->count; i++)
        counts[task->rows[i].fate]++;
    admin_write_int64(writer, "added", counts[ROW_ADDED]);
    admin_write_int64(writer, "updated", counts[ROW_UPDATED]);
    admin_write_int64(writer, "existing", counts[ROW_EXISTING]);
}

static void on_imported(struct exchange *exchange, const struct job *job)
{
    const struct import_task *task = (const struct import_task *)(job + 1);
    struct text_buffer buffer;
    struct jwrite writer;
    if (job->error != 0) {
        admin_refuse_error(exchange,
                           job->error == ERR_COMMIT_UNKNOWN ? ERR_UNCONFIRMED : job->error);
        return;
    }
    size_t capacity = (size_t)(task->count + 1) * BAD_JSON_MAX;
    text_buffer_init(&buffer, exchange_allocate(exchange, capacity), capacity);
    jwrite_init(&writer, &buffer);
    jwrite_object_begin(&writer);
    write_counts(&writer, task);
    jwrite_key(&writer, TEXT("bad"));
    jwrite_array_begin(&writer);
    for (int32_t i = 0; i < task->count; i++)
        if (task->rows[i].rule != NULL)
            write_bad(&writer, &task->rows[i]);
    jwrite_array_end(&writer);
    jwrite_object_end(&writer);
    CHECK(!buffer.is_cut);
    exchange_reply_json(exchange, 200, text_buffer_text(&buffer));
}

/* --- reading the rows */

struct import {
    const struct directory_tenant *tenant;
    bool is_updating, is_skipping;
    struct column columns[COLUMNS_MAX];
    size_t column_count;
};

static bool find_column(struct text name, struct column *column)
{
    column->field = member_field_find(name);
    for (column->index = 0; column->field != NULL; column->index++)
        if (member_field_at(column->index) == column->field)
            return true;
    return text_equal(name, text_of(points_column));
}

static bool has_column(const struct import *import, const struct member_field *field)
{
    for (size_t i = 0; i < import->column_count; i++)
        if (import->columns[i].field == field)
            return true;
    return false;
}

static bool read_columns(struct exchange *exchange, const struct jread *body, struct import *import)
{
    const struct jread *columns = jread_member(body, "columns");
    for (size_t i = 0; i < jread_count(columns); i++) {
        struct text name;
        struct column column;
        bool is_known = import->column_count < COLUMNS_MAX &&
                        jread_text(jread_element(columns, i), &name) == 0 &&
                        find_column(name, &column);
        if (!is_known || has_column(import, column.field)) {
            admin_refuse(exchange, 400, "bad_column", "Column %zu is not known, or there twice",
                         i + 1);
            return false;
        }
        import->columns[import->column_count++] = column;
    }
    if (has_column(import, member_field_find(TEXT("first_name"))))
        return true;
    admin_refuse(exchange, 400, "bad_column", "The column 'first_name' is missing");
    return false;
}

static void row_fail(struct import_row *row, const char *column, const char *rule)
{
    row->fate = ROW_BAD;
    row->column = column;
    row->rule = rule;
}

static void read_value(struct import_row *row, const struct column *column, struct text value)
{
    value = text_trim(value);
    if (column->field == NULL) {
        if (value.length > 0 && (text_parse_int64(value, &row->points) != 0 || row->points < 0 ||
                                 row->points > POINTS_MAX))
            row_fail(row, points_column, points_rule);
        return;
    }
    if (!member_field_set(column->field, value, &row->member))
        row_fail(row, column->field->name, column->field->rule);
    else if (value.length > 0)
        row->given |= UINT32_C(1) << column->index;
}

/* An array: the line in the file, then a text for each column. */
static void read_row(struct exchange *exchange, const struct import *import,
                     const struct jread *values, struct import_row *row)
{
    row->member.tenant_id = import->tenant->tenant.id;
    row->member.created_at_us = exchange->received_steady_us; /* as expiry does */
    row->member.account.is_active = true;
    if (jread_int64(jread_element(values, 0), &row->line) != 0 ||
        jread_count(values) != import->column_count + 1) {
        row_fail(row, NULL, "the row has another number of fields than the header");
        return;
    }
    for (size_t i = 0; row->fate == ROW_GOOD && i < import->column_count; i++) {
        struct text value;
        if (jread_text(jread_element(values, i + 1), &value) == 0)
            read_value(row, &import->columns[i], value);
        else
            row_fail(row, NULL, "a field is no text");
    }
}

static struct job *read_rows(struct exchange *exchange, const struct import *import,
                             const struct jread *rows)
{
    size_t count = jread_count(rows);
    struct job *job =
        exchange_job(exchange, sizeof(struct import_task) + count * sizeof(struct import_row));
    struct import_task *task = (struct import_task *)(job + 1);
    job->task = task_import;
    task->is_updating = import->is_updating;
    task->now_us = exchange->received_steady_us;
    bool is_over = false;
    while (!is_over && task->count < (int32_t)count) {
        struct import_row *row = &task->rows[task->count];
        read_row(exchange, import, jread_element(rows, (size_t)task->count), row);
        task->count++;
        is_over = row->fate == ROW_BAD && !import->is_skipping; /* what is before it is imported */
    }
    return job;
}

static bool read_switch(struct exchange *exchange, const struct jread *body, const char *name,
                        bool *is_on)
{
    int err = jread_bool(jread_member(body, name), is_on);
    if (err == 0 || err == ERR_MISSING)
        return true;
    admin_refuse(exchange, 400, error_name(err), "'%s' must be true or false", name);
    return false;
}

static void member_import(struct exchange *exchange, const struct jread *body)
{
    struct import import = {.column_count = 0};
    const struct jread *rows = jread_member(body, "rows");
    if (!admin_read_tenant(exchange, body, &import.tenant) ||
        !read_switch(exchange, body, "update", &import.is_updating) ||
        !read_switch(exchange, body, "skip_bad", &import.is_skipping) ||
        !read_columns(exchange, body, &import))
        return;
    if (jread_kind_of(rows) != JREAD_ARRAY || jread_count(rows) == 0 ||
        jread_count(rows) > ROWS_MAX) {
        admin_refuse(exchange, 400, "bad_rows", "'rows' must be 1 to %d rows", ROWS_MAX);
        return;
    }
    exchange_submit_write(exchange, read_rows(exchange, &import, rows), on_imported);
}

void admin_member_import(struct exchange *exchange)
{
    static const char *const members[] = {"tenant", "columns", "rows", "update", "skip_bad", NULL};
    struct jread *body;
    if (!admin_read_body(exchange, members, &body))
        return;
    member_import(exchange, body);
    jread_destroy(body);
}
