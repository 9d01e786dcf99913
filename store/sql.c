/*
 * Transactions: of reads, and of changes, alone or in a group; whatever database they are in.
 */
#include "store/sql.h"

#include "base/check.h"

#include "base/banned.h"

int sql_begin_read(struct store *store)
{
    struct sql *sql = sql_of(store);
    return sql->driver->begin_read(sql);
}

void sql_end_read(struct store *store)
{
    sql_rollback(store);
}

void sql_rollback(struct store *store)
{
    struct sql *sql = sql_of(store);
    sql->driver->rollback(sql);
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

static int change_run(struct sql *sql, enum change_statement which)
{
    struct sql_statement *statement;
    int err = sql_prepare_of(sql, AREA_CHANGE, (int)which, change_text[which], &statement);
    return err != 0 ? err : sql_finish(sql, statement);
}

int sql_begin_change(struct sql *sql)
{
    CHECK(sql->mode == STORE_WRITER);
    /* A group whose transaction a full disk has ended must not go on without one. */
    if (sql->is_grouping && !sql_is_in_transaction(sql))
        return ERR_STORE_DOWN;
    if (sql->is_grouping)
        return change_run(sql, CHANGE_BEGIN);
    CHECK(!sql_is_in_transaction(sql));
    return sql->driver->begin_change(sql);
}

int sql_commit_change(struct sql *sql)
{
    return sql->is_grouping ? change_run(sql, CHANGE_KEEP) : sql->driver->commit(sql);
}

void sql_rollback_change(struct sql *sql)
{
    if (!sql->is_grouping) {
        sql->driver->rollback(sql);
        return;
    }
    if (!sql_is_in_transaction(sql))
        return; /* the whole group has ended: its commit will say so */
    int err = change_run(sql, CHANGE_TAKE_BACK);
    if (err == 0)
        err = change_run(sql, CHANGE_KEEP);
    (void)err; /* logged */
}

int sql_end_change(struct sql *sql, int err)
{
    if (err == 0)
        return sql_commit_change(sql);
    sql_rollback_change(sql);
    return err;
}

int sql_begin_group(struct store *store)
{
    struct sql *sql = sql_of(store);
    CHECK(!sql->is_grouping);
    int err = sql_begin_change(sql);
    sql->is_grouping = err == 0;
    return err;
}

int sql_commit_group(struct store *store)
{
    struct sql *sql = sql_of(store);
    CHECK(sql->is_grouping);
    sql->is_grouping = false;
    if (!sql_is_in_transaction(sql)) {
        sql->driver->rollback(sql);
        /* It has ended already, and nothing of it is there: by a full disk, or with its server. */
        return sql->driver->dialect == DIALECT_SQLITE ? ERR_STORE_FULL : ERR_STORE_DOWN;
    }
    return sql_commit_change(sql);
}

void sql_rollback_group(struct store *store)
{
    struct sql *sql = sql_of(store);
    CHECK(sql->is_grouping);
    sql->is_grouping = false;
    sql_rollback_change(sql);
}

void sql_finalize_all(struct sql *sql)
{
    for (size_t area = 0; area < AREA_COUNT; area++)
        for (size_t i = 0; i < AREA_STATEMENTS_MAX; i++)
            if (sql->statements[area][i] != NULL)
                sql->driver->finalize(sql->statements[area][i]);
}
