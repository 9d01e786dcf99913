/*
 * Statements: the texts that several files use, each prepared once per connection; running them;
 * and their parameters and columns, in order.
 */
#include "store/sql.h"

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
    "coalesce(day_max_minor, 0), coalesce(expires_on, 0), coalesce(is_suspended, 0), place "       \
    "FROM tenant LEFT JOIN foreign_approval ON foreign_approval.tenant_id = tenant.id"

/*
 * UPDATE card names only what a decision may change. None of these columns is in an index: SQLite
 * rewrites an index entry whenever one of its columns is assigned, changed or not, and that random
 * page would go to the write-ahead log with every charge.
 */
static const char *const statement_text[STATEMENT_COUNT] = {
    [STATEMENT_READ_META] = "SELECT generation FROM meta WHERE id = 1",
    [STATEMENT_READ_HOT_GENERATION] = "SELECT hot_generation FROM meta WHERE id = 1",
    [STATEMENT_RAISE_HOT_GENERATION] = "UPDATE meta SET hot_generation = hot_generation + ? "
                                       "WHERE id = 1",
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
    [STATEMENT_INSERT_TENANT] =
        "INSERT INTO tenant (" TENANT_FIELDS ") VALUES (" TENANT_MARKS ")" SQL_RETURNING_ID,
    /* Without id: assigning a key that others refer to makes SQLite count all of them. */
    [STATEMENT_UPDATE_TENANT] =
        "UPDATE tenant SET (" TENANT_FIELDS ") = (" TENANT_MARKS ") WHERE id = ?",
    [STATEMENT_READ_SITES] = "SELECT id, " SITE_FIELDS " FROM site WHERE EXISTS (SELECT 1 "
                             "FROM tenant WHERE tenant.id = site.tenant_id AND place = 0) "
                             "ORDER BY tenant_id, id",
    [STATEMENT_INSERT_SITE] =
        "INSERT INTO site (" SITE_FIELDS ") VALUES (?, ?, ?, ?)" SQL_RETURNING_ID,
    /* Ids are given out without gaps and rows never deleted, so the greatest id counts them;
     * count(*) would read every row. */
    [STATEMENT_READ_TOTALS] = "SELECT (SELECT coalesce(max(id), 0) FROM card), "
                              "(SELECT coalesce(max(id), 0) FROM operation), "
                              "(SELECT coalesce(max(id), 0) FROM transfer), "
                              "(SELECT count(*) FROM tenant)",
    [STATEMENT_READ_LAST_OPERATION] = "SELECT coalesce(max(id), 0) FROM operation",
};

/* What PostgreSQL is asked instead: ids have gaps there, and are not seen in their order. */
static const char *const postgres_text[STATEMENT_COUNT] = {
    [STATEMENT_READ_TOTALS] = "SELECT (SELECT count(*) FROM card), "
                              "(SELECT count(*) FROM operation), "
                              "(SELECT count(*) FROM transfer), (SELECT count(*) FROM tenant)",
    [STATEMENT_READ_LAST_OPERATION] = "SELECT settled_operation_id()",
};

const char *sql_statement_text(int index)
{
    return index >= 0 && index < STATEMENT_COUNT ? statement_text[index] : NULL;
}

static int prepare_at(struct sql *sql, struct sql_statement **place, const char *text)
{
    return *place != NULL ? 0 : sql->driver->prepare(sql, text, place);
}

int sql_prepare(struct sql *sql, enum statement which, struct sql_statement **statement)
{
    struct sql_statement **place = &sql->statements[AREA_ROWS][which];
    const char *text = statement_text[which];
    if (postgres_text[which] != NULL)
        text = sql_either(sql, text, postgres_text[which]);
    int err = prepare_at(sql, place, text);
    *statement = *place;
    return err;
}

int sql_prepare_of(struct sql *sql, enum sql_area area, int which, const char *text,
                   struct sql_statement **statement)
{
    CHECK(which >= 0 && which < AREA_STATEMENTS_MAX);
    struct sql_statement **place = &sql->statements[area][which];
    int err = prepare_at(sql, place, text);
    *statement = *place;
    return err;
}

int sql_step(struct sql *sql, struct sql_statement *statement, bool *has_row)
{
    return sql->driver->step(sql, statement, false, has_row);
}

int sql_step_to_row(struct sql *sql, struct sql_statement *statement)
{
    bool has_row;
    int err = sql_step(sql, statement, &has_row);
    if (err != 0)
        return err;
    return has_row ? 0 : ERR_NOT_FOUND;
}

int sql_finish(struct sql *sql, struct sql_statement *statement)
{
    bool has_row;
    int err = sql_step(sql, statement, &has_row);
    CHECK(!has_row);
    return err;
}

static int finish_insert(struct sql *sql, struct sql_statement *statement, bool is_quiet,
                         int64_t *id)
{
    bool has_row;
    if (sql->driver->insert != NULL)
        return sql->driver->insert(sql, statement, is_quiet, id);
    int err = sql->driver->step(sql, statement, is_quiet, &has_row);
    if (err != 0)
        return err;
    *id = has_row ? sql_column_int(statement, 0) : 0;
    if (has_row)
        err = sql->driver->step(sql, statement, is_quiet, &has_row);
    CHECK(!has_row);
    return err;
}

int sql_finish_insert(struct sql *sql, struct sql_statement *statement, int64_t *id)
{
    return finish_insert(sql, statement, false, id);
}

int sql_finish_chosen(struct sql *sql, struct sql_statement *statement, int64_t *id)
{
    if (id != NULL)
        return finish_insert(sql, statement, true, id);
    bool has_row;
    int err = sql->driver->step(sql, statement, true, &has_row);
    CHECK(!has_row);
    return err;
}

int sql_finish_update(struct sql *sql, struct sql_statement *statement, const char *table,
                      int64_t id)
{
    int err = sql_finish(sql, statement);
    if (err != 0 || sql->changed_count == 1)
        return err;
    log_event(LOG_ERROR, "row_has_moved", LOG_TEXT("table", table), LOG_INT("id", id));
    return ERR_STORE_CONSTRAINT;
}

void sql_reset(struct sql_statement *statement)
{
    statement->driver->reset(statement);
}

int64_t sql_column_int(const struct sql_statement *statement, int column)
{
    return statement->driver->column_int(statement, column);
}

const void *sql_column_bytes(const struct sql_statement *statement, int column, size_t *size)
{
    return statement->driver->column_bytes(statement, column, size);
}

int sql_column_count(const struct sql_statement *statement)
{
    return statement->driver->column_count(statement);
}

void bind_int(struct binder *binder, int64_t value)
{
    binder->statement->driver->bind_int(binder->statement, ++binder->position, value);
}

void bind_blob(struct binder *binder, const void *bytes, size_t size)
{
    binder->statement->driver->bind_blob(binder->statement, ++binder->position, bytes, size);
}

void bind_text(struct binder *binder, const char *c_string)
{
    binder->statement->driver->bind_text(binder->statement, ++binder->position, c_string);
}

int64_t column_int(struct columns *columns)
{
    return sql_column_int(columns->statement, columns->position++);
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
    size_t length;
    const void *text = sql_column_bytes(columns->statement, columns->position++, &length);
    if (text == NULL || length >= capacity) {
        columns->is_bad = true;
        out[0] = '\0';
        return;
    }
    memcpy(out, text, length);
    out[length] = '\0';
}

void column_blob(struct columns *columns, void *out, size_t size)
{
    size_t length;
    const void *bytes = sql_column_bytes(columns->statement, columns->position++, &length);
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
    size_t size;
    const uint8_t *sealed = sql_column_bytes(columns->statement, columns->position++, &size);
    memset(out, 0, capacity);
    if (size == 0)
        return 0;
    if (size < SEAL_OVERHEAD || size - SEAL_OVERHEAD >= capacity) {
        columns->is_bad = true;
        return 0;
    }
    return seal_text_open(seal, label, sealed, size, out);
}
