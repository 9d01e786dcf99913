/*
 * What several processes of one store share: leases, and how each learns of what others have
 * changed. With SQLite there is one process, which its data folder's lock sees to.
 */
#include "store/sql.h"

#include "base/check.h"

#include <string.h>

#include "base/banned.h"

enum share_statement {
    SHARE_TAKE_LEASE,
    SHARE_READ_LEASE,
    SHARE_RELEASE_LEASE,
    SHARE_READ_VERSIONS,
    SHARE_STATEMENTS,
};

#define NOW_US "CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT)"

/* PostgreSQL's. One statement each, so that no lock is held while anybody thinks. */
static const char *const share_text[SHARE_STATEMENTS] = {
    [SHARE_TAKE_LEASE] =
        "INSERT INTO lease (name, owner, until_us, version) VALUES (?1, ?2, " NOW_US " + ?3, 1) "
        "ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, until_us = excluded.until_us, "
        "version = CASE WHEN lease.owner = excluded.owner THEN lease.version "
        "ELSE lease.version + 1 END "
        "WHERE lease.owner = excluded.owner OR lease.until_us <= " NOW_US,
    [SHARE_READ_LEASE] = "SELECT owner, until_us - " NOW_US ", version FROM lease WHERE name = ?",
    [SHARE_RELEASE_LEASE] = "UPDATE lease SET until_us = 0 WHERE name = ? AND owner = ?",
    [SHARE_READ_VERSIONS] =
        "SELECT config_version, hot_generation, token_generation FROM meta WHERE id = 1",
};

static int prepare(struct sql *sql, enum share_statement which, struct binder *binder)
{
    *binder = (struct binder){.statement = NULL};
    return sql_prepare_of(sql, AREA_SHARE, (int)which, share_text[which], &binder->statement);
}

static bool has_one_process(const struct sql *sql)
{
    return sql->driver->dialect == DIALECT_SQLITE;
}

/* --- leases */

static int write_lease(struct sql *sql, const struct lease_wish *wish)
{
    struct binder binder;
    int err = prepare(sql, SHARE_TAKE_LEASE, &binder);
    if (err != 0)
        return err;
    bind_text(&binder, wish->name);
    bind_text(&binder, wish->owner);
    bind_int(&binder, wish->life_us);
    return sql_finish(sql, binder.statement);
}

static int read_lease(struct sql *sql, const char *name, struct lease_state *state)
{
    struct binder binder;
    int err = prepare(sql, SHARE_READ_LEASE, &binder);
    if (err != 0)
        return err;
    bind_text(&binder, name);
    err = sql_step_to_row(sql, binder.statement);
    if (err != 0)
        return err;
    struct columns columns = {.statement = binder.statement};
    column_text(&columns, state->owner, sizeof(state->owner));
    state->left_us = column_int(&columns);
    state->version = column_int(&columns);
    sql_reset(binder.statement);
    return columns.is_bad ? ERR_STORE_CORRUPT : 0;
}

int sql_take_lease(struct store *store, const struct lease_wish *wish, struct lease_state *state)
{
    struct sql *sql = sql_of(store);
    *state = (struct lease_state){.left_us = wish->life_us, .version = 1};
    memcpy(state->owner, wish->owner, sizeof(state->owner));
    if (has_one_process(sql))
        return 0;
    CHECK(!sql_is_in_transaction(sql));
    int err = write_lease(sql, wish);
    return err != 0 ? err : read_lease(sql, wish->name, state);
}

int sql_release_lease(struct store *store, const char *name, const char *owner)
{
    struct sql *sql = sql_of(store);
    struct binder binder;
    if (has_one_process(sql))
        return 0;
    CHECK(!sql_is_in_transaction(sql));
    int err = prepare(sql, SHARE_RELEASE_LEASE, &binder);
    if (err != 0)
        return err;
    bind_text(&binder, name);
    bind_text(&binder, owner);
    return sql_finish(sql, binder.statement);
}

/* --- versions */

int sql_read_versions(struct store *store, struct store_versions *versions)
{
    struct sql *sql = sql_of(store);
    struct binder binder;
    *versions = (struct store_versions){.config = 0};
    if (has_one_process(sql)) {
        int one_err = sql_hot_generation(store, &versions->hot_generation);
        return one_err != 0 ? one_err : store_token_generation(store, &versions->token_generation);
    }
    int err = prepare(sql, SHARE_READ_VERSIONS, &binder);
    if (err == 0)
        err = sql_step_to_row(sql, binder.statement);
    if (err != 0)
        return err;
    struct columns columns = {.statement = binder.statement};
    versions->config = column_int(&columns);
    versions->hot_generation = column_int(&columns);
    versions->token_generation = column_int(&columns);
    sql_reset(binder.statement);
    return columns.is_bad ? ERR_STORE_CORRUPT : 0;
}
