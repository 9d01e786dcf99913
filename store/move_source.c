/*
 * The move in its source: the tenant takes leave, is closed, and goes, or comes back. A bar of
 * triggers keeps the rows of those that are closed or have gone as they are, whoever writes.
 */
#include "store/move_rows.h"

#include "base/check.h"
#include "store/store.h"
#include "store/tenant.h"

#include <string.h>

#include "base/banned.h"

/* Waits for a busy service: each try is as patient as the store (some seconds). */
#define TRIES_MAX 20

typedef int (*source_change_fn)(struct sql *sql, const struct move_source *source,
                                int64_t argument);

static int run_text(struct sql *sql, const char *text)
{
    struct binder binder;
    int err = move_prepare(sql, text, &binder);
    if (err != 0)
        return err;
    err = sql_finish(sql, binder.statement);
    sql->driver->finalize(binder.statement);
    return err;
}

static int ask_int(struct sql *sql, const char *text, int64_t first, int64_t second, int64_t *value)
{
    struct binder binder;
    int err = move_prepare(sql, text, &binder);
    if (err != 0)
        return err;
    bind_int(&binder, first);
    bind_int(&binder, second);
    err = sql_step_to_row(sql, binder.statement);
    if (err == 0)
        *value = sql_column_int(binder.statement, 0);
    sql->driver->finalize(binder.statement);
    return err;
}

/* From where a tenant comes to a place, as conditions of his row; ?3 is the move. */
#define FROM_HERE "place = 0"
#define FROM_LEAVING "place = 3 AND move_id = ?3"
#define FROM_CLOSED "place = 4 AND move_id = ?3"
#define FROM_OPENED "place IN (3, 4) AND move_id = ?3"
#define FROM_AWAY "place IN (2, 3, 4) AND move_id = ?3"
#define FROM_RESTORED "place IN (0, 3, 4)"

/* A place that he was brought to is read back: somebody else may have brought him to another since
 * it was read last. */
#define WRITE_PLACE                                                                                \
    "UPDATE tenant SET place = ?1, move_id = CASE ?1 WHEN 0 THEN 0 ELSE ?3 END WHERE id = ?2 AND "
#define READ_PLACE                                                                                 \
    "SELECT count(*) FROM tenant WHERE id = ?2 AND place = ?1 "                                    \
    "AND move_id = CASE ?1 WHEN 0 THEN 0 ELSE ?3 END"

static int run_place(struct sql *sql, const char *text, const struct move_source *source,
                     int64_t place, int64_t *value)
{
    struct binder binder;
    bool has_row = false;
    int err = move_prepare(sql, text, &binder);
    if (err != 0)
        return err;
    bind_int(&binder, place);
    bind_int(&binder, source->tenant_id);
    bind_int(&binder, source->move_id);
    err = sql_step(sql, binder.statement, &has_row);
    if (err == 0 && has_row)
        *value = sql_column_int(binder.statement, 0);
    sql->driver->finalize(binder.statement);
    return err;
}

/* text: WRITE_PLACE and from where. */
static int write_place(struct sql *sql, const struct move_source *source, const char *text,
                       int64_t place)
{
    int64_t count = 0;
    int err = run_place(sql, text, source, place, &count);
    if (err == 0)
        err = run_place(sql, READ_PLACE, source, place, &count);
    return err == 0 && count != 1 ? ERR_STALE : err;
}

/* --- the bar --- */

/* A tombstone says that nothing happened, and is no tenant's: it may come late. What a tenant has
 * not (transfer, proof_offset) is written only with what he has. */
static const char *const barred[] = {
    "card",        "operation",  "member",      "member_word",      "points_entry",
    "proof",       "site",       "oauth_grant", "register_payment", "register_day",
    "reward",      "work",       "reservation", "foreign_approval", "foreign_attempt",
    "foreign_day", "order_seen", "sweep",       "foreign_change",
};

static int raise_on(struct sql *sql, const char *table, const char *event)
{
    char text[512];
    struct text_buffer buffer;
    text_buffer_init(&buffer, text, sizeof(text));
    text_append_format(&buffer,
                       "CREATE TRIGGER IF NOT EXISTS " SQL_BAR "%s_%s BEFORE %s ON %s "
                       "WHEN (SELECT place FROM tenant WHERE id = new.tenant_id) IN (2, 4)%s "
                       "BEGIN SELECT RAISE(ABORT, '" SQL_BAR_MESSAGE "'); END",
                       table, event, event, table,
                       strcmp(table, "operation") == 0 ? " AND new.action <> 5" : "");
    CHECK(!buffer.is_cut);
    return run_text(sql, text);
}

static int raise_bar(struct sql *sql)
{
    int err = run_text(sql, "CREATE TRIGGER IF NOT EXISTS " SQL_BAR "tenant_update "
                            "BEFORE UPDATE ON tenant "
                            "WHEN old.place IN (2, 4) AND new.place = old.place "
                            "BEGIN SELECT RAISE(ABORT, '" SQL_BAR_MESSAGE "'); END");
    for (size_t i = 0; err == 0 && i < COUNT_OF(barred); i++) {
        err = raise_on(sql, barred[i], "insert");
        if (err == 0)
            err = raise_on(sql, barred[i], "update");
    }
    return err;
}

static int drop_of(struct sql *sql, const char *table, const char *event)
{
    char text[128];
    struct text_buffer buffer;
    text_buffer_init(&buffer, text, sizeof(text));
    text_append_format(&buffer, "DROP TRIGGER IF EXISTS " SQL_BAR "%s_%s", table, event);
    CHECK(!buffer.is_cut);
    return run_text(sql, text);
}

static int drop_bar(struct sql *sql)
{
    int err = drop_of(sql, "tenant", "update");
    for (size_t i = 0; err == 0 && i < COUNT_OF(barred); i++) {
        err = drop_of(sql, barred[i], "insert");
        if (err == 0)
            err = drop_of(sql, barred[i], "update");
    }
    return err;
}

/* --- the changes --- */

static int change_leave(struct sql *sql, const struct move_source *source, int64_t argument)
{
    (void)argument;
    return write_place(sql, source, WRITE_PLACE FROM_HERE, TENANT_LEAVING);
}

/* A refresh token that is on its way to Lightspeed may be used up there: the pair that comes back
 * must be written first. */
static int change_close(struct sql *sql, const struct move_source *source, int64_t now_us)
{
    int64_t leases = 0;
    int err = ask_int(sql,
                      "SELECT count(*) FROM oauth_grant WHERE tenant_id = ? AND lease_owner <> '' "
                      "AND leased_until_us > ?",
                      source->tenant_id, now_us, &leases);
    if (err == 0 && leases > 0)
        return ERR_LEASED;
    if (err == 0)
        err = raise_bar(sql);
    if (err == 0)
        err = write_place(sql, source, WRITE_PLACE FROM_LEAVING, TENANT_CLOSED);
    return err;
}

/* The bar is up from its closing; but not in a file that was made before. */
static int go_from(struct sql *sql, const struct move_source *source, const char *text)
{
    int err = raise_bar(sql);
    return err != 0 ? err : write_place(sql, source, text, TENANT_GONE);
}

static int change_go(struct sql *sql, const struct move_source *source, int64_t argument)
{
    (void)argument;
    return go_from(sql, source, WRITE_PLACE FROM_CLOSED);
}

static int change_let_go(struct sql *sql, const struct move_source *source, int64_t argument)
{
    (void)argument;
    return go_from(sql, source, WRITE_PLACE FROM_RESTORED);
}

static int change_return(struct sql *sql, const struct move_source *source, int64_t is_refused)
{
    int64_t others = 0;
    int err =
        write_place(sql, source, is_refused != 0 ? WRITE_PLACE FROM_AWAY : WRITE_PLACE FROM_OPENED,
                    TENANT_HERE);
    if (err == 0)
        err = ask_int(sql, "SELECT count(*) FROM tenant WHERE id <> ? AND place IN (?, 4)",
                      source->tenant_id, TENANT_GONE, &others);
    return err != 0 || others > 0 ? err : drop_bar(sql);
}

static int change_once(struct sql *sql, const struct move_source *source, source_change_fn change,
                       int64_t argument)
{
    int err = sql_begin_change(sql);
    if (err != 0)
        return err;
    err = change(sql, source, argument);
    if (err == 0)
        return sql_commit_change(sql);
    sql_rollback_change(sql);
    return err;
}

/* A service beside may write all the time. */
static int change(const struct move_source *source, source_change_fn fn, int64_t argument)
{
    const struct store_config config = {.location = source->location, .seal = source->seal};
    struct store *writer;
    int err = store_open(&config, STORE_WRITER, &writer);
    if (err != 0)
        return err;
    err = ERR_STORE_BUSY;
    for (int i = 0; err == ERR_STORE_BUSY && i < TRIES_MAX; i++)
        err = change_once(sql_of(writer), source, fn, argument);
    store_close(writer);
    return err;
}

int move_source_leave(const struct move_source *source)
{
    return change(source, change_leave, 0);
}

int move_source_close(const struct move_source *source, int64_t now_us)
{
    return change(source, change_close, now_us);
}

int move_source_go(const struct move_source *source)
{
    return change(source, change_go, 0);
}

int move_source_return(const struct move_source *source, bool is_refused)
{
    return change(source, change_return, is_refused);
}

int move_source_let_go(const struct move_source *source)
{
    return change(source, change_let_go, 0);
}
