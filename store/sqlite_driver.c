/*
 * The SQLite driver: statements, parameters, columns and transactions as SQLite has them, and its
 * errors turned into ours.
 */
#include "store/sqlite_driver.h"

#include "base/check.h"
#include "base/log.h"

#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

struct sqlite_statement {
    struct sql_statement base; /* first: callers hold only this */
    sqlite3_stmt *handle;
};

static const char *const own_text[] = {
    [OWN_BEGIN_READ] = "BEGIN",
    [OWN_BEGIN_WRITE] = "BEGIN IMMEDIATE",
    [OWN_COMMIT] = "COMMIT",
    [OWN_ROLLBACK] = "ROLLBACK",
    [OWN_READ_LAST_IDS] = "SELECT (SELECT coalesce(max(id), 0) FROM card), "
                          "(SELECT coalesce(max(id), 0) FROM operation), "
                          "(SELECT coalesce(max(id), 0) FROM transfer)",
    [OWN_TOUCH_META] = "UPDATE meta SET ballast = randomblob(16384) WHERE id = 1",
};

static inline sqlite3_stmt *handle_of(const struct sql_statement *statement)
{
    return ((const struct sqlite_statement *)statement)->handle;
}

/* --- errors --- */

int sqlite_error_of(int code)
{
    switch (code & 0xff) { /* the primary code; the rest of an extended one is detail */
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return ERR_STORE_BUSY;
    case SQLITE_FULL:
        return ERR_STORE_FULL;
    case SQLITE_CONSTRAINT:
        return ERR_STORE_CONSTRAINT;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return ERR_STORE_CORRUPT;
    case SQLITE_NOMEM:
        return ERR_NO_MEMORY;
    default:
        return ERR_STORE_DOWN;
    }
}

/* SQLite's message names constraints and tables, never values. */
int sqlite_fail(struct sql *sql, const char *what)
{
    sqlite3 *connection = sqlite_of_sql(sql)->connection;
    int code = sqlite3_extended_errcode(connection);
    if (code == SQLITE_CONSTRAINT_TRIGGER &&
        strcmp(sqlite3_errmsg(connection), SQL_BAR_MESSAGE) == 0)
        return ERR_ELSEWHERE; /* as it should be */
    log_event(LOG_ERROR, "sql_failed", LOG_TEXT("statement", what), LOG_INT("code", code),
              LOG_TEXT("message", sqlite3_errmsg(connection)));
    return sqlite_error_of(code);
}

/* --- statements --- */

/* Without SQL_RETURNING_ID: for rows that return SQLite makes a table each time. */
static int text_length(const char *text)
{
    size_t length = strlen(text), end = strlen(SQL_RETURNING_ID);
    if (length > end && strcmp(text + length - end, SQL_RETURNING_ID) == 0)
        length -= end;
    return (int)length;
}

static int driver_prepare(struct sql *sql, const char *text, struct sql_statement **statement)
{
    struct sqlite_statement *prepared = calloc(1, sizeof(*prepared));
    if (prepared == NULL)
        return ERR_NO_MEMORY;
    prepared->base = (struct sql_statement){.driver = &sqlite_driver, .text = text};
    int code = sqlite3_prepare_v3(sqlite_of_sql(sql)->connection, text, text_length(text),
                                  SQLITE_PREPARE_PERSISTENT, &prepared->handle, NULL);
    if (code != SQLITE_OK) {
        free(prepared);
        return sqlite_fail(sql, text);
    }
    *statement = &prepared->base;
    return 0;
}

static void driver_finalize(struct sql_statement *statement)
{
    sqlite3_finalize(handle_of(statement));
    free(statement);
}

static int step_error(struct sql *sql, const struct sql_statement *statement, int code,
                      bool is_quiet)
{
    if (is_quiet && code == SQLITE_CONSTRAINT_UNIQUE)
        return ERR_ALREADY_EXISTS;
    if (is_quiet && code == SQLITE_CONSTRAINT_FOREIGNKEY)
        return ERR_NOT_FOUND;
    return sqlite_fail(sql, statement->text);
}

static int driver_step(struct sql *sql, struct sql_statement *statement, bool is_quiet,
                       bool *has_row)
{
    sqlite3_stmt *handle = handle_of(statement);
    int code = sqlite3_step(handle);
    *has_row = code == SQLITE_ROW;
    if (*has_row)
        return 0;
    int err = code == SQLITE_DONE ? 0 : step_error(sql, statement, code, is_quiet);
    sql->changed_count = sqlite3_changes(sqlite_of_sql(sql)->connection);
    sqlite3_reset(handle);
    return err;
}

static int driver_insert(struct sql *sql, struct sql_statement *statement, bool is_quiet,
                         int64_t *id)
{
    bool has_row;
    int err = driver_step(sql, statement, is_quiet, &has_row);
    CHECK(!has_row);
    if (err != 0)
        return err;
    sqlite3 *connection = sqlite_of_sql(sql)->connection;
    *id = sql->changed_count == 0 ? 0 : sqlite3_last_insert_rowid(connection);
    return 0;
}

static void driver_reset(struct sql_statement *statement)
{
    sqlite3_reset(handle_of(statement));
}

static void driver_bind_int(struct sql_statement *statement, int position, int64_t value)
{
    CHECK(sqlite3_bind_int64(handle_of(statement), position, value) == SQLITE_OK);
}

static void driver_bind_blob(struct sql_statement *statement, int position, const void *bytes,
                             size_t size)
{
    /* An empty blob, not NULL: the columns are NOT NULL. */
    const void *base = size == 0 ? "" : bytes;
    CHECK(sqlite3_bind_blob64(handle_of(statement), position, base, size, SQLITE_STATIC) ==
          SQLITE_OK);
}

static void driver_bind_text(struct sql_statement *statement, int position, const char *c_string)
{
    CHECK(sqlite3_bind_text(handle_of(statement), position, c_string, -1, SQLITE_STATIC) ==
          SQLITE_OK);
}

static int64_t driver_column_int(const struct sql_statement *statement, int column)
{
    return sqlite3_column_int64(handle_of(statement), column);
}

static const void *driver_column_bytes(const struct sql_statement *statement, int column,
                                       size_t *size)
{
    sqlite3_stmt *handle = handle_of(statement);
    const void *bytes = sqlite3_column_blob(handle, column);
    *size = (size_t)sqlite3_column_bytes(handle, column);
    if (bytes == NULL && sqlite3_column_type(handle, column) != SQLITE_NULL)
        bytes = ""; /* SQLite has no address for what is empty */
    return bytes;
}

static int driver_column_count(const struct sql_statement *statement)
{
    return sqlite3_column_count(handle_of(statement));
}

const char *sqlite_column_text(const struct sql_statement *statement, int column)
{
    return (const char *)sqlite3_column_text(handle_of(statement), column);
}

int sqlite_prepare(struct sql *sql, enum sqlite_own which, struct sql_statement **statement)
{
    return sql_prepare_of(sql, AREA_BACKEND, (int)which, own_text[which], statement);
}

int sqlite_run(struct sql *sql, enum sqlite_own which)
{
    struct sql_statement *statement;
    int err = sqlite_prepare(sql, which, &statement);
    return err != 0 ? err : sql_finish(sql, statement);
}

/* --- transactions --- */

/* What can be read is on the disk. */
static int driver_follow(struct sql *sql)
{
    (void)sql;
    return 0;
}

static bool driver_is_in_transaction(const struct sql *sql)
{
    return sqlite3_get_autocommit(((const struct store_sqlite *)sql)->connection) == 0;
}

void sqlite_rollback(struct sql *sql)
{
    struct store_sqlite *sqlite = sqlite_of_sql(sql);
    sqlite->next_card_id = 0;
    sqlite->next_operation_id = 0;
    sqlite->next_transfer_id = 0;
    if (!driver_is_in_transaction(sql))
        return; /* a full disk or a failed write has ended it already */
    int err = sqlite_run(sql, OWN_ROLLBACK);
    (void)err; /* logged; SQLite's ROLLBACK ends the transaction even when it reports an error */
}

static int driver_begin_read(struct sql *sql)
{
    return sqlite_run(sql, OWN_BEGIN_READ);
}

static int driver_begin_change(struct sql *sql)
{
    int err = sqlite_check_file(sql);
    return err != 0 ? err : sqlite_run(sql, OWN_BEGIN_WRITE);
}

/*
 * A COMMIT that failed is unknown: the last write or the fsync may have reached the disk before the
 * error reached us, and recovery after a crash would then find it. One failure is certain: out of
 * space. SQLite appends the frame that makes a transaction valid last, before the fsync, so
 * SQLITE_FULL means that this frame is not there.
 */
static int driver_commit(struct sql *sql)
{
    int err = sqlite_run(sql, OWN_COMMIT);
    if (err == 0)
        return 0;
    sqlite_rollback(sql);
    return err == ERR_STORE_FULL ? err : ERR_COMMIT_UNKNOWN;
}

static int driver_be_patient(struct sql *sql)
{
    (void)sql; /* nothing here ends a statement that takes long */
    return 0;
}

const struct sql_driver sqlite_driver = {
    .dialect = DIALECT_SQLITE,
    .prepare = driver_prepare,
    .prepare_stream = driver_prepare, /* its rows come one by one anyway */
    .finalize = driver_finalize,
    .step = driver_step,
    .insert = driver_insert,
    .reset = driver_reset,
    .bind_int = driver_bind_int,
    .bind_blob = driver_bind_blob,
    .bind_text = driver_bind_text,
    .column_int = driver_column_int,
    .column_bytes = driver_column_bytes,
    .column_count = driver_column_count,
    .follow = driver_follow,
    .begin_read = driver_begin_read,
    .begin_change = driver_begin_change,
    .commit = driver_commit,
    .rollback = sqlite_rollback,
    .is_in_transaction = driver_is_in_transaction,
    .be_patient = driver_be_patient,
    .verify_schema = sqlite_verify_schema,
};
