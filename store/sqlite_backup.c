/*
 * Copies a database beside its writer, and tells a copy apart from its original.
 */
#include "store/backup.h"

#include "base/log.h"
#include "store/sqlite_driver.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/banned.h"

/* 2 MiB at 2 KiB a page: progress is told that often, and a signal is not kept waiting. */
#define STEP_PAGES 1024
#define BUSY_TIMEOUT_MS 5000 /* nobody waits for us: a cashier never does */

/*
 * A tombstone (ACTION_VOID), after which ids go on; of some tenant, and a store without one has
 * given out nothing. Tokens: two numbers on, for those of the one before are still good.
 */
static const char sql_begin_anew[] =
    "INSERT INTO operation (id, tenant_id, card_id, action, result, order_id, site_id, register_id,"
    " asked_minor, amount_minor, balance_minor_after, card_version_after, limit_minor,"
    " given_back_minor, previous_operation_id, created_at_us)"
    " SELECT max(coalesce((SELECT max(id) FROM operation), 0) + 1, ?1), id,"
    " 0, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, ?2 FROM tenant ORDER BY id LIMIT 1";
static const char sql_forget[] =
    "UPDATE meta SET token_generation = token_generation + 2,"
    " hot_generation = hot_generation + 1 + abs(random() % 281474976710656) WHERE id = 1";

static int fail(sqlite3 *connection, const char *what, int code)
{
    log_event(
        LOG_ERROR, "backup_failed", LOG_TEXT("what", what),
        LOG_TEXT("reason", connection == NULL ? sqlite3_errstr(code) : sqlite3_errmsg(connection)));
    return sqlite_error_of(code);
}

static int open_connection(const char *location, sqlite3 **connection)
{
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    int code = sqlite3_open_v2(location, connection, flags, NULL);
    if (code != SQLITE_OK)
        return fail(*connection, location, code);
    sqlite3_busy_timeout(*connection, BUSY_TIMEOUT_MS);
    return 0;
}

static int create_file(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd != -1)
        return close(fd) == 0 ? 0 : ERR_STORE_DOWN;
    return errno == EEXIST ? ERR_ALREADY_EXISTS : ERR_STORE_DOWN;
}

static int copy_pages(sqlite3_backup *backup, store_copy_fn progress, void *context)
{
    int code;
    do {
        code = sqlite3_backup_step(backup, STEP_PAGES);
        int64_t total = sqlite3_backup_pagecount(backup);
        if (progress != NULL)
            progress(context, total - sqlite3_backup_remaining(backup), total);
    } while (code == SQLITE_OK);
    return code;
}

/* The read transaction that is open meanwhile holds one moment: without it every commit of the
 * service would make the copy begin again. */
static int copy_snapshot(sqlite3 *source, sqlite3 *target, store_copy_fn progress, void *context)
{
    int code = sqlite3_exec(source, "BEGIN; SELECT generation FROM meta", NULL, NULL, NULL);
    if (code != SQLITE_OK)
        return fail(source, "begin", code);
    sqlite3_backup *backup = sqlite3_backup_init(target, "main", source, "main");
    if (backup == NULL)
        return fail(target, "init", sqlite3_errcode(target));
    int code_of_steps = copy_pages(backup, progress, context);
    code = sqlite3_backup_finish(backup);
    sqlite3_exec(source, "ROLLBACK", NULL, NULL, NULL);
    if (code_of_steps == SQLITE_DONE && code == SQLITE_OK)
        return 0;
    return fail(target, "copy", code != SQLITE_OK ? code : code_of_steps);
}

int store_copy(const char *from, const char *to, store_copy_fn progress, void *context)
{
    sqlite3 *source = NULL, *target = NULL;
    int err = create_file(to);
    if (err != 0)
        return err;
    err = open_connection(from, &source);
    if (err == 0)
        err = open_connection(to, &target);
    if (err == 0)
        err = copy_snapshot(source, target, progress, context);
    CHECK(sqlite3_close(target) == SQLITE_OK);
    CHECK(sqlite3_close(source) == SQLITE_OK);
    if (err != 0)
        (void)unlink(to);
    return err;
}

static int insert_tombstone(sqlite3 *connection, int64_t operation_least, int64_t now_us)
{
    sqlite3_stmt *statement;
    int code = sqlite3_prepare_v2(connection, sql_begin_anew, -1, &statement, NULL);
    if (code != SQLITE_OK)
        return fail(connection, "begin anew", code);
    sqlite3_bind_int64(statement, 1, operation_least);
    sqlite3_bind_int64(statement, 2, now_us);
    (void)sqlite3_step(statement);
    code = sqlite3_finalize(statement);
    return code == SQLITE_OK ? 0 : fail(connection, "begin anew", code);
}

static int execute(sqlite3 *connection, const char *sql)
{
    int code = sqlite3_exec(connection, sql, NULL, NULL, NULL);
    return code == SQLITE_OK ? 0 : fail(connection, sql, code);
}

static int run_begin_anew(sqlite3 *connection, int64_t operation_least, int64_t now_us)
{
    int err = execute(connection, "BEGIN IMMEDIATE");
    if (err == 0)
        err = insert_tombstone(connection, operation_least, now_us);
    if (err == 0)
        err = execute(connection, sql_forget);
    return err == 0 ? execute(connection, "COMMIT") : err; /* closing rolls back */
}

int store_sqlite_begin_anew(const char *location, int64_t operation_least, int64_t now_us)
{
    sqlite3 *connection = NULL;
    int err = open_connection(location, &connection);
    if (err == 0)
        err = run_begin_anew(connection, operation_least, now_us);
    CHECK(sqlite3_close(connection) == SQLITE_OK);
    return err;
}
