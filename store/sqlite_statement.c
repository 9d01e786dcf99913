/*
 * Statements: the text of each, prepared once per connection, and SQLite's errors turned into ours.
 */
#include "store/sqlite.h"

#include "base/check.h"
#include "base/log.h"

#include <string.h>

#include "base/banned.h"

/* As many as TENANT_FIELDS. */
#define TENANT_MARKS                                                                               \
    "?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, "            \
    "?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?"

/* Read with the tenant, never written with it. */
#define TENANT_APPROVAL                                                                            \
    ", coalesce(state, 0), coalesce(foreign_approval.payment_max_minor, 0), "                      \
    "coalesce(day_max_minor, 0), coalesce(expires_on, 0), coalesce(is_suspended, 0) "              \
    "FROM tenant LEFT JOIN foreign_approval ON foreign_approval.tenant_id = tenant.id"

/*
 * UPDATE card names only what a decision may change. None of these columns is in an index: SQLite
 * rewrites an index entry whenever one of its columns is assigned, changed or not, and that random
 * page would go to the write-ahead log with every charge.
 */
static const char *const statement_text[STATEMENT_COUNT] = {
    [STATEMENT_BEGIN_READ] = "BEGIN",
    [STATEMENT_TOUCH_META] = "UPDATE meta SET ballast = randomblob(16384) WHERE id = 1",
    [STATEMENT_BEGIN_WRITE] = "BEGIN IMMEDIATE",
    [STATEMENT_COMMIT] = "COMMIT",
    [STATEMENT_ROLLBACK] = "ROLLBACK",
    [STATEMENT_READ_META] = "SELECT generation FROM meta WHERE id = 1",
    [STATEMENT_READ_HOT_GENERATION] = "SELECT hot_generation FROM meta WHERE id = 1",
    [STATEMENT_RAISE_HOT_GENERATION] = "UPDATE meta SET hot_generation = hot_generation + 1 +"
                                       " abs(random() % 1048576) WHERE id = 1",
    [STATEMENT_READ_LAST_IDS] = "SELECT (SELECT coalesce(max(id), 0) FROM card), "
                                "(SELECT coalesce(max(id), 0) FROM operation), "
                                "(SELECT coalesce(max(id), 0) FROM transfer)",
    [STATEMENT_READ_CARD] = "SELECT " CARD_COLUMNS " FROM card "
                            "WHERE tenant_id = ? AND number_index = ?",
    [STATEMENT_READ_CARD_BY_LAST4] = "SELECT " CARD_COLUMNS " FROM card "
                                     "WHERE tenant_id = ? AND last4 = ? AND status <> ? LIMIT 2",
    [STATEMENT_READ_CARD_HEADS] =
        "SELECT last_operation_id, last_transfer_id FROM card WHERE id = ?",
    [STATEMENT_INSERT_CARD] = "INSERT INTO card (" CARD_COLUMNS ", number_sealed, key_version) "
                              "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    [STATEMENT_UPDATE_CARD] = "UPDATE card SET status = ?, valid_from = ?, expires_on = ?, "
                              "balance_minor = ?, version = ?, last_transfer_id = ?, "
                              "last_operation_id = ?, loaded_on = ?, loaded_minor = ?, "
                              "used_hour = ?, used_count = ? WHERE id = ? AND version = ?",
    [STATEMENT_UPDATE_CARD_STATUS] =
        "UPDATE card SET status = ? WHERE tenant_id = ? AND number_index = ?",
    [STATEMENT_READ_OPERATION] = "SELECT " OPERATION_COLUMNS " FROM operation WHERE id = ?",
    [STATEMENT_READ_ORDER_OPERATIONS] =
        "SELECT " OPERATION_COLUMNS " FROM operation "
        "WHERE tenant_id = ? AND order_id = ? AND (result <> 0) = ? AND card_id = ? "
        "ORDER BY id DESC LIMIT ?",
    [STATEMENT_READ_ORDER_IS_KNOWN] =
        "SELECT 1 FROM operation "
        "WHERE tenant_id = ? AND order_id = ? AND (result <> 0) = FALSE AND action IN (?, ?) "
        "LIMIT 1",
    [STATEMENT_READ_WHOLE_ORDER] =
        "SELECT " OPERATION_COLUMNS " FROM operation "
        "WHERE tenant_id = ? AND order_id = ? AND (result <> 0) = FALSE ORDER BY id LIMIT ?",
    [STATEMENT_INSERT_OPERATION] = "INSERT INTO operation (" OPERATION_COLUMNS ") "
                                   "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    [STATEMENT_INSERT_TOMBSTONE] = "INSERT INTO operation (" OPERATION_COLUMNS ") "
                                   "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
                                   "ON CONFLICT (id) DO NOTHING",
    [STATEMENT_UPDATE_GIVEN_BACK] =
        "UPDATE operation SET given_back_minor = ? WHERE id = ? AND given_back_minor = ?",
    [STATEMENT_READ_TRANSFER] = "SELECT " TRANSFER_COLUMNS " FROM transfer WHERE id = ?",
    [STATEMENT_READ_TRANSFER_UNTIL] =
        "SELECT " TRANSFER_COLUMNS " FROM transfer WHERE id <= ? ORDER BY id DESC LIMIT 1",
    /* Refunds and releases name what they answer in their transfers, the others in themselves. */
    [STATEMENT_READ_ANSWERS] =
        "SELECT " OPERATION_COLUMNS " FROM operation WHERE id IN "
        "(SELECT id FROM operation WHERE answers_operation_id = ?1 AND answers_operation_id <> 0 "
        "UNION SELECT operation_id FROM transfer WHERE answers_operation_id = ?1 "
        "AND answers_operation_id <> operation_id) ORDER BY id DESC",
    [STATEMENT_INSERT_TRANSFER] = "INSERT INTO transfer (" TRANSFER_COLUMNS ") "
                                  "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    [STATEMENT_READ_DAY] = "SELECT refunded_minor FROM register_day WHERE tenant_id = ? "
                           "AND site_id = ? AND register_id = ? AND local_date = ?",
    [STATEMENT_INSERT_DAY] = "INSERT INTO register_day (refunded_minor, tenant_id, site_id, "
                             "register_id, local_date) VALUES (?, ?, ?, ?, ?)",
    [STATEMENT_UPDATE_DAY] =
        "UPDATE register_day SET refunded_minor = ? WHERE tenant_id = ? AND site_id = ? "
        "AND register_id = ? AND local_date = ? AND refunded_minor = ?",
    [STATEMENT_READ_TENANT] = "SELECT id, " TENANT_FIELDS TENANT_APPROVAL " WHERE id = ?",
    [STATEMENT_READ_TENANTS] = "SELECT id, " TENANT_FIELDS TENANT_APPROVAL " ORDER BY id",
    [STATEMENT_INSERT_TENANT] = "INSERT INTO tenant (" TENANT_FIELDS ") VALUES (" TENANT_MARKS ")",
    /* Without id: assigning a key that others refer to makes SQLite count all of them. */
    [STATEMENT_UPDATE_TENANT] =
        "UPDATE tenant SET (" TENANT_FIELDS ") = (" TENANT_MARKS ") WHERE id = ?",
    [STATEMENT_READ_SITES] = "SELECT id, " SITE_FIELDS " FROM site ORDER BY tenant_id, id",
    [STATEMENT_INSERT_SITE] = "INSERT INTO site (" SITE_FIELDS ") VALUES (?, ?, ?, ?)",
    /* Ids are given out without gaps and rows never deleted, so the greatest id counts them;
     * count(*) would read every row for each scrape of the metrics. */
    [STATEMENT_READ_TOTALS] = "SELECT (SELECT coalesce(max(id), 0) FROM card), "
                              "(SELECT coalesce(max(id), 0) FROM operation), "
                              "(SELECT coalesce(max(id), 0) FROM transfer), "
                              "(SELECT count(*) FROM tenant)",
};

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
int sqlite_fail(struct store_sqlite *sqlite, const char *what)
{
    int code = sqlite3_extended_errcode(sqlite->connection);
    log_event(LOG_ERROR, "sqlite_failed", LOG_TEXT("statement", what), LOG_INT("code", code),
              LOG_TEXT("message", sqlite3_errmsg(sqlite->connection)));
    return sqlite_error_of(code);
}

static int prepare_at(struct store_sqlite *sqlite, sqlite3_stmt **place, const char *text)
{
    if (*place != NULL)
        return 0;
    int code =
        sqlite3_prepare_v3(sqlite->connection, text, -1, SQLITE_PREPARE_PERSISTENT, place, NULL);
    return code == SQLITE_OK ? 0 : sqlite_fail(sqlite, text);
}

int sqlite_prepare(struct store_sqlite *sqlite, enum statement which, sqlite3_stmt **statement)
{
    int err = prepare_at(sqlite, &sqlite->statements[which], statement_text[which]);
    *statement = sqlite->statements[which];
    return err;
}

int sqlite_prepare_of(struct store_sqlite *sqlite, enum statement_area area, int which,
                      const char *text, sqlite3_stmt **statement)
{
    CHECK(which >= 0 && which < AREA_STATEMENTS_MAX);
    sqlite3_stmt **place = &sqlite->area_statements[area][which];
    int err = prepare_at(sqlite, place, text);
    *statement = *place;
    return err;
}

int sqlite_step(struct store_sqlite *sqlite, sqlite3_stmt *statement, bool *has_row)
{
    int code = sqlite3_step(statement);
    *has_row = code == SQLITE_ROW;
    if (*has_row)
        return 0;
    int err = code == SQLITE_DONE ? 0 : sqlite_fail(sqlite, sqlite3_sql(statement));
    sqlite3_reset(statement);
    return err;
}

int sqlite_step_to_row(struct store_sqlite *sqlite, sqlite3_stmt *statement)
{
    bool has_row;
    int err = sqlite_step(sqlite, statement, &has_row);
    if (err != 0)
        return err;
    return has_row ? 0 : ERR_NOT_FOUND;
}

int sqlite_finish(struct store_sqlite *sqlite, sqlite3_stmt *statement)
{
    bool has_row;
    int err = sqlite_step(sqlite, statement, &has_row);
    CHECK(!has_row);
    return err;
}

int sqlite_run(struct store_sqlite *sqlite, enum statement which)
{
    sqlite3_stmt *statement;
    int err = sqlite_prepare(sqlite, which, &statement);
    if (err != 0)
        return err;
    return sqlite_finish(sqlite, statement);
}

void sqlite_rollback(struct store_sqlite *sqlite)
{
    sqlite->next_card_id = 0;
    sqlite->next_operation_id = 0;
    sqlite->next_transfer_id = 0;
    if (sqlite3_get_autocommit(sqlite->connection) != 0)
        return; /* a full disk or a failed write has ended it already */
    int err = sqlite_run(sqlite, STATEMENT_ROLLBACK);
    (void)err; /* logged; SQLite's ROLLBACK ends the transaction even when it reports an error */
}

enum change_statement {
    CHANGE_BEGIN,
    CHANGE_KEEP,
    CHANGE_TAKE_BACK,
};
static const char *const change_text[] = {
    [CHANGE_BEGIN] = "SAVEPOINT change",
    [CHANGE_KEEP] = "RELEASE change",
    [CHANGE_TAKE_BACK] = "ROLLBACK TO change",
};

static int change_run(struct store_sqlite *sqlite, enum change_statement which)
{
    sqlite3_stmt *statement;
    int err = sqlite_prepare_of(sqlite, AREA_CHANGE, (int)which, change_text[which], &statement);
    return err != 0 ? err : sqlite_finish(sqlite, statement);
}

int sqlite_begin_change(struct store_sqlite *sqlite)
{
    CHECK(sqlite->mode == STORE_WRITER);
    /* A group whose transaction a full disk has ended must not go on without one. */
    if (sqlite->is_grouping && sqlite3_get_autocommit(sqlite->connection) != 0)
        return ERR_STORE_DOWN;
    if (sqlite->is_grouping)
        return change_run(sqlite, CHANGE_BEGIN);
    CHECK(sqlite3_get_autocommit(sqlite->connection) != 0);
    int err = sqlite_check_file(sqlite);
    return err != 0 ? err : sqlite_run(sqlite, STATEMENT_BEGIN_WRITE);
}

int sqlite_commit_change(struct store_sqlite *sqlite)
{
    if (sqlite->is_grouping)
        return change_run(sqlite, CHANGE_KEEP);
    int err = sqlite_run(sqlite, STATEMENT_COMMIT);
    if (err == 0)
        return 0;
    sqlite_rollback(sqlite);
    return err == ERR_STORE_FULL ? err : ERR_COMMIT_UNKNOWN; /* sqlite_commit.c says why */
}

void sqlite_rollback_change(struct store_sqlite *sqlite)
{
    if (!sqlite->is_grouping) {
        sqlite_rollback(sqlite);
        return;
    }
    if (sqlite3_get_autocommit(sqlite->connection) != 0)
        return; /* the whole group has ended: its commit will say so */
    int err = change_run(sqlite, CHANGE_TAKE_BACK);
    if (err == 0)
        err = change_run(sqlite, CHANGE_KEEP);
    (void)err; /* logged */
}

int sqlite_begin_group(struct store *store)
{
    struct store_sqlite *sqlite = sqlite_of(store);
    CHECK(!sqlite->is_grouping);
    int err = sqlite_begin_change(sqlite);
    sqlite->is_grouping = err == 0;
    return err;
}

int sqlite_commit_group(struct store *store)
{
    struct store_sqlite *sqlite = sqlite_of(store);
    CHECK(sqlite->is_grouping);
    sqlite->is_grouping = false;
    if (sqlite3_get_autocommit(sqlite->connection) != 0)
        return ERR_STORE_FULL; /* a full disk has ended it already: nothing of it is there */
    return sqlite_commit_change(sqlite);
}

void sqlite_rollback_group(struct store *store)
{
    struct store_sqlite *sqlite = sqlite_of(store);
    CHECK(sqlite->is_grouping);
    sqlite->is_grouping = false;
    sqlite_rollback_change(sqlite);
}

int sqlite_finish_update(struct store_sqlite *sqlite, sqlite3_stmt *statement, const char *table,
                         int64_t id)
{
    int err = sqlite_finish(sqlite, statement);
    if (err != 0 || sqlite3_changes(sqlite->connection) == 1)
        return err;
    log_event(LOG_ERROR, "row_has_moved", LOG_TEXT("table", table), LOG_INT("id", id));
    return ERR_STORE_CONSTRAINT;
}

void bind_int(struct binder *binder, int64_t value)
{
    CHECK(sqlite3_bind_int64(binder->statement, ++binder->position, value) == SQLITE_OK);
}

void bind_blob(struct binder *binder, const void *bytes, size_t size)
{
    /* An empty blob, not NULL: the columns are NOT NULL. */
    const void *base = size == 0 ? "" : bytes;
    CHECK(sqlite3_bind_blob64(binder->statement, ++binder->position, base, size, SQLITE_STATIC) ==
          SQLITE_OK);
}

void bind_text(struct binder *binder, const char *c_string)
{
    CHECK(sqlite3_bind_text(binder->statement, ++binder->position, c_string, -1, SQLITE_STATIC) ==
          SQLITE_OK);
}

int64_t column_int(struct columns *columns)
{
    return sqlite3_column_int64(columns->statement, columns->position++);
}

int32_t column_int32(struct columns *columns)
{
    int64_t value = column_int(columns);
    columns->is_bad |= value < INT32_MIN || value > INT32_MAX;
    return (int32_t)value;
}

int column_enum(struct columns *columns, int first, int last)
{
    int64_t value = column_int(columns);
    columns->is_bad |= value < first || value > last;
    return (int)value;
}

bool column_bool(struct columns *columns)
{
    return column_enum(columns, 0, 1) != 0;
}

void column_text(struct columns *columns, char *out, size_t capacity)
{
    const unsigned char *text = sqlite3_column_text(columns->statement, columns->position);
    size_t length = (size_t)sqlite3_column_bytes(columns->statement, columns->position);
    columns->position++;
    if (text == NULL || length >= capacity) {
        columns->is_bad = true;
        out[0] = '\0';
        return;
    }
    memcpy(out, text, length + 1);
}

void column_blob(struct columns *columns, void *out, size_t size)
{
    const void *bytes = sqlite3_column_blob(columns->statement, columns->position);
    size_t length = (size_t)sqlite3_column_bytes(columns->statement, columns->position);
    columns->position++;
    columns->is_bad |= length != 0 && length != size;
    if (bytes != NULL && length == size)
        memcpy(out, bytes, size);
    else
        memset(out, 0, size);
}

void bind_secret(struct binder *binder, const struct seal *seal, const char *label,
                 const char *secret, struct sealed_secret *sealed)
{
    size_t length = strnlen(secret, SEALED_SECRET_MAX + 1);
    CHECK(length <= SEALED_SECRET_MAX);
    sealed->size = length == 0 ? 0 : length + SEAL_OVERHEAD;
    if (length != 0)
        seal_text(seal, id_source_system(), label, (struct text){secret, length}, sealed->bytes);
    bind_blob(binder, sealed->bytes, sealed->size);
}

int column_secret(struct columns *columns, const struct seal *seal, const char *label, char *out,
                  size_t capacity)
{
    const uint8_t *sealed = sqlite3_column_blob(columns->statement, columns->position);
    size_t size = (size_t)sqlite3_column_bytes(columns->statement, columns->position);
    columns->position++;
    memset(out, 0, capacity);
    if (size == 0)
        return 0;
    if (size < SEAL_OVERHEAD || size - SEAL_OVERHEAD >= capacity) {
        columns->is_bad = true;
        return 0;
    }
    return seal_text_open(seal, label, sealed, size, out);
}
