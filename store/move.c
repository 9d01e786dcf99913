/*
 * The move of a tenant: what stands against it, the copy beside a running service, the rest without
 * one, and the change of place.
 */
#include "store/move.h"

#include "base/check.h"
#include "base/id.h"
#include "store/move_rows.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

/* Where the scan for proofs was when the tenant took leave: from then on it passed over him. */
#define CURSOR_NAME "proof_cursor"
/* That the target was verified after the move, to its end. */
#define VERIFIED_NAME "verified"
/* By which move he took leave: the same number stands in the source. */
#define MOVE_ID_NAME "move_id"

struct move {
    struct move_config config;
    bool is_verified;
    enum tenant_place place; /* in the source, as it was read or written last */
    int64_t move_id;         /* as place; 0: he is here */
    struct store *source;    /* a reader */
    struct store *target;
    int64_t now_us;
    char fault[512];
};

static struct sql *source_of(const struct move *move)
{
    return sql_of(move->source);
}

static struct sql *target_of(const struct move *move)
{
    return sql_of(move->target);
}

static int fail(struct move *move, int err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static int fail(struct move *move, int err, const char *format, ...)
{
    va_list arguments;
    if (move->fault[0] != '\0')
        return err; /* the first is nearest to the cause */
    va_start(arguments, format);
    vsnprintf(move->fault, sizeof(move->fault), format, arguments);
    va_end(arguments);
    return err;
}

const char *move_fault(const struct move *move)
{
    return move == NULL ? "" : move->fault;
}

enum tenant_place move_place(const struct move *move)
{
    return move->place;
}

bool move_is_verified(const struct move *move)
{
    return move->is_verified;
}

/* --- single values --- */

/* The first column of the first row; without one, 0. Bound are the integers that follow. */
static int ask(struct sql *sql, const char *text, int64_t *value, int count,
               const int64_t *arguments)
{
    struct binder binder;
    bool has_row = false;
    *value = 0;
    int err = move_prepare(sql, text, &binder);
    if (err != 0)
        return err;
    for (int i = 0; i < count; i++)
        bind_int(&binder, arguments[i]);
    err = sql_step(sql, binder.statement, &has_row);
    if (err == 0 && has_row)
        *value = sql_column_int(binder.statement, 0);
    sql->driver->finalize(binder.statement);
    return err;
}

static int ask_one(struct sql *sql, const char *text, int64_t argument, int64_t *value)
{
    return ask(sql, text, value, 1, &argument);
}

static int ask_plain(struct sql *sql, const char *text, int64_t *value)
{
    return ask(sql, text, value, 0, NULL);
}

/* A statement without rows. */
static int run(struct sql *sql, const char *text, int count, const int64_t *arguments)
{
    int64_t none;
    return ask(sql, text, &none, count, arguments);
}

static int run_one(struct sql *sql, const char *text, int64_t argument)
{
    return run(sql, text, 1, &argument);
}

/* --- progress, as the target keeps it --- */

static const char write_progress[] =
    "INSERT INTO move_progress (tenant_id, name, up_to, row_count, digest, ended_at_us) "
    "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (tenant_id, name) DO UPDATE SET up_to = excluded.up_to, "
    "row_count = excluded.row_count, digest = excluded.digest, ended_at_us = excluded.ended_at_us";

struct progress {
    int64_t up_to, row_count, ended_at_us;
    uint8_t digest[DIGEST_BYTES];
};

static int progress_write(struct move *move, const char *table, const struct progress *progress)
{
    struct sql *target = target_of(move);
    struct binder binder;
    int err = move_prepare(target, write_progress, &binder);
    if (err != 0)
        return err;
    bind_int(&binder, move->config.tenant_id);
    bind_text(&binder, table);
    bind_int(&binder, progress->up_to);
    bind_int(&binder, progress->row_count);
    bind_blob(&binder, progress->digest, sizeof(progress->digest));
    bind_int(&binder, progress->ended_at_us);
    err = sql_finish(target, binder.statement);
    target->driver->finalize(binder.statement);
    return err;
}

static int progress_read(struct move *move, const char *table, struct progress *progress,
                         bool *is_there)
{
    struct sql *target = target_of(move);
    struct binder binder;
    *progress = (struct progress){0};
    *is_there = false;
    int err = move_prepare(target,
                           "SELECT up_to, row_count, ended_at_us FROM move_progress "
                           "WHERE tenant_id = ? AND name = ?",
                           &binder);
    if (err != 0)
        return err;
    bind_int(&binder, move->config.tenant_id);
    bind_text(&binder, table);
    err = sql_step(target, binder.statement, is_there);
    if (err == 0 && *is_there) {
        struct columns columns = {.statement = binder.statement};
        progress->up_to = column_int(&columns);
        progress->row_count = column_int(&columns);
        progress->ended_at_us = column_int(&columns);
    }
    target->driver->finalize(binder.statement);
    return err;
}

/* --- one table --- */

struct table_run {
    struct move_pass pass;
    bool is_in_transaction; /* one that is open anyway */
    bool is_final;          /* every row is compared, and the table told */
    int64_t rows;           /* looked at */
    int64_t written;
    struct digest *digest; /* of the chunks' */
};

static int differs(struct move *move, const struct table_run *run)
{
    return fail(move, ERR_STORE_CORRUPT,
                "table %s: the target has other rows of its own under the same keys, or refuses "
                "these (%lld here, %lld there in one piece); the target is no copy of this store",
                run->pass.table->name, (long long)run->pass.source.row_count,
                (long long)run->pass.target.row_count);
}

static int write_chunk(struct move *move, struct table_run *run)
{
    struct move_pass *pass = &run->pass;
    bool is_equal = false;
    int err = move_pass_write(pass);
    if (err == 0 && pass->table->is_shared)
        return 0;
    if (err == 0)
        err = move_pass_compare(pass, &is_equal);
    if (err == 0 && !is_equal)
        err = differs(move, run);
    run->written += pass->source.row_count;
    return err;
}

static int settle_chunk(struct move *move, struct table_run *run)
{
    struct move_pass *pass = &run->pass;
    bool is_equal;
    int err = move_pass_compare(pass, &is_equal);
    if (err == 0 && !is_equal)
        err = write_chunk(move, run);
    if (err == 0 && !run->is_final && pass->table->is_by_id) {
        const struct progress progress = {.up_to = pass->to.parts[0].number};
        err = progress_write(move, pass->table->name, &progress);
    }
    return err;
}

/* In a transaction of its own unless one is open. */
static int copy_chunk(struct move *move, struct table_run *run)
{
    struct sql *target = target_of(move);
    if (run->is_in_transaction)
        return settle_chunk(move, run);
    int err = move_target_begin(target, false);
    if (err != 0)
        return err;
    err = settle_chunk(move, run);
    if (err == 0)
        return target->driver->commit(target);
    target->driver->rollback(target);
    return err;
}

static int copy_chunks(struct move *move, struct table_run *run)
{
    struct move_pass *pass = &run->pass;
    int err;
    do {
        err = move_pass_read(pass, !run->is_final || !pass->table->is_early);
        if (err == 0)
            err = copy_chunk(move, run);
        if (err != 0)
            return err;
        run->rows += pass->source.row_count;
        digest_add(run->digest, pass->source.digest, sizeof(pass->source.digest));
        if (move->config.on_progress != NULL)
            move->config.on_progress(move->config.context, pass->table->name, run->rows);
        move_pass_go_on(pass);
    } while (!pass->is_last);
    return 0;
}

static int forget_rows(struct move *move, const struct move_table *table)
{
    char text[512];
    struct text_buffer buffer;
    text_buffer_init(&buffer, text, sizeof(text));
    text_append_format(&buffer, "DELETE FROM %s WHERE %s", table->name, table->whose);
    CHECK(!buffer.is_cut);
    return run_one(target_of(move), text, move->config.tenant_id);
}

/* What is unique may have changed hands between rows of two chunks: then all of them at once. */
static int copy_rows(struct move *move, struct table_run *run, int64_t after_id)
{
    const struct move_table *table = run->pass.table;
    digest_begin(run->digest);
    move_pass_begin(&run->pass, after_id);
    int err = copy_chunks(move, run);
    if (err != ERR_STORE_CONSTRAINT || !table->is_replaced || run->is_in_transaction)
        return err;
    err = forget_rows(move, table);
    if (err != 0)
        return err;
    run->rows = 0;
    digest_begin(run->digest);
    move_pass_begin(&run->pass, after_id);
    return copy_chunks(move, run);
}

static int end_table(struct move *move, struct table_run *run)
{
    struct progress progress = {.row_count = run->rows, .ended_at_us = move->now_us};
    progress.up_to = run->pass.to.parts[0].number;
    digest_end(run->digest, progress.digest);
    if (!run->is_final || run->pass.table->is_shared)
        return 0;
    if (move->config.on_table != NULL)
        move->config.on_table(move->config.context, run->pass.table->name, run->rows,
                              progress.digest);
    /* The tenant's own row is that of the whole move, and tells its end. */
    if (strcmp(run->pass.table->name, "tenant") == 0)
        return 0;
    return progress_write(move, run->pass.table->name, &progress);
}

static int run_table(struct move *move, const struct move_table *table, struct table_run *run,
                     int64_t after_id)
{
    int err =
        move_pass_open(source_of(move), target_of(move), table, move->config.tenant_id, &run->pass);
    if (err == 0)
        err = digest_create(&run->digest);
    if (err == 0)
        err = copy_rows(move, run, after_id);
    if (err == 0)
        err = end_table(move, run);
    digest_destroy(run->digest);
    move_pass_close(&run->pass);
    if (err != 0)
        return fail(move, err, "table %s: %s; the log says more", table->name, error_name(err));
    return 0;
}

/* --- what stands against it --- */

static int check_generations(struct move *move)
{
    int64_t here, there;
    int err = store_generation(move->source, &here);
    if (err == 0)
        err = store_generation(move->target, &there);
    if (err == 0 && here != there)
        err = fail(move, ERR_ALREADY_EXISTS,
                   "references of this store begin with CP%lld-, those of the target with CP%lld-",
                   (long long)here, (long long)there);
    return err;
}

static bool is_same_app(const struct app *a, const struct app *b)
{
    return strcmp(a->client_id, b->client_id) == 0 &&
           strcmp(a->client_secret, b->client_secret) == 0 &&
           strcmp(a->signature_token, b->signature_token) == 0 &&
           strcmp(a->signature_token_previous, b->signature_token_previous) == 0;
}

/* Registers sign with its token, and grants are its. */
static int check_app(struct move *move)
{
    struct app here, there;
    int err = store_read_app(move->source, APP_OSERIES, &here);
    if (err == ERR_NOT_FOUND)
        return 0;
    if (err == 0)
        err = store_read_app(move->target, APP_OSERIES, &there);
    if (err == 0 && !is_same_app(&here, &there))
        err = fail(move, ERR_ALREADY_EXISTS,
                   "the target has another application; counterpart app set makes them the same");
    seal_wipe(&here, sizeof(here));
    seal_wipe(&there, sizeof(there));
    return err == ERR_NOT_FOUND ? 0 : err;
}

/* The keys of our own tokens: addresses of rewards, and those that merchants connect by. */
static int check_tokens(struct move *move)
{
    int64_t here, there, tenants;
    int err = store_token_generation(move->source, &here);
    if (err == 0)
        err = store_token_generation(move->target, &there);
    if (err == 0)
        err = ask_one(target_of(move), "SELECT count(*) FROM tenant WHERE id <> ?",
                      move->config.tenant_id, &tenants);
    if (err == 0 && tenants > 0 && here != there)
        err = fail(move, ERR_ALREADY_EXISTS,
                   "the keys of this store were rotated %lld times, those of the target %lld "
                   "times; counterpart key rotate on the one that is behind",
                   (long long)here - 1, (long long)there - 1);
    return err;
}

/* Ids are free only where nobody has given out any: of the tenants of this store, each has others;
 * but a store that is used gives out what this one gives out, too. */
static int check_ids(struct move *move)
{
    int64_t strangers, used;
    int err = ask_plain(target_of(move),
                        "SELECT count(*) FROM tenant WHERE NOT EXISTS (SELECT 1 FROM move_progress "
                        "WHERE move_progress.tenant_id = tenant.id)",
                        &strangers);
    if (err == 0 && strangers > 0)
        return fail(move, ERR_ALREADY_EXISTS,
                    "the target has tenants of its own; ids are kept, so a store moves into a "
                    "database that is empty");
    if (err == 0)
        err = ask_plain(target_of(move),
                        "SELECT count(*) FROM operation WHERE id > (SELECT max(up_to) FROM "
                        "move_progress WHERE name = 'tenant') AND tenant_id IN "
                        "(SELECT id FROM tenant WHERE place = 0)",
                        &used);
    if (err == 0 && used > 0)
        err = fail(move, ERR_ALREADY_EXISTS,
                   "the target has given out ids of its own since the last tenant was moved into "
                   "it: move all tenants of a store before the target is used");
    return err;
}

static int check_target(struct move *move)
{
    int err = check_generations(move);
    if (err == 0)
        err = check_app(move);
    if (err == 0)
        err = check_tokens(move);
    return err;
}

/* --- beginning --- */

/* The row of the tenant, not served yet: what belongs to it refers to it. */
static int arrive(struct move *move)
{
    struct sql *target = target_of(move);
    const struct progress progress = {0};
    struct table_run run = {.is_in_transaction = true};
    int err = move_target_begin(target, true);
    if (err != 0)
        return err;
    err = run_table(move, &move_tables[0], &run, INT64_MIN);
    if (err == 0)
        err = run_one(target, "UPDATE tenant SET place = 1 WHERE id = ?", move->config.tenant_id);
    if (err == 0)
        err = progress_write(move, "tenant", &progress);
    if (err == 0)
        return target->driver->commit(target);
    target->driver->rollback(target);
    return err;
}

/* An earlier move into this target may have been broken off, and he left by another since. */
static int read_move_id(struct move *move, int64_t *move_id)
{
    struct progress progress;
    bool is_there;
    int err = progress_read(move, MOVE_ID_NAME, &progress, &is_there);
    *move_id = progress.up_to;
    return err;
}

static int refuse_other_target(struct move *move)
{
    if (move->place == TENANT_GONE)
        return fail(move, ERR_ALREADY_EXISTS,
                    "tenant %lld has moved from this store already, and not to this target",
                    (long long)move->config.tenant_id);
    return fail(move, ERR_ALREADY_EXISTS,
                "tenant %lld is closed for a move to another target: end that one, or cancel it "
                "there",
                (long long)move->config.tenant_id);
}

/* Where he has taken leave, it was to this target. */
static int check_same_move(struct move *move)
{
    int64_t move_id = 0;
    if (move->place == TENANT_HERE)
        return 0;
    int err = read_move_id(move, &move_id);
    if (err == 0 && (move_id == 0 || move_id != move->move_id))
        err = refuse_other_target(move);
    return err;
}

static int begin_new(struct move *move)
{
    int err = check_ids(move);
    return err != 0 ? err : arrive(move);
}

static struct move_source source_config_of(const struct move *move)
{
    return (struct move_source){.location = move->config.source,
                                .seal = move->config.seal,
                                .tenant_id = move->config.tenant_id,
                                .move_id = move->move_id};
}

/* Whether both have the tenant by the same key, and what this store decided since the move. */
static int compare_ended(struct move *move, int64_t up_to, bool *is_same, int64_t *newer)
{
    struct tenant here, there;
    const int64_t bounds[] = {move->config.tenant_id, up_to};
    int err = store_read_tenant(move->source, move->config.tenant_id, &here);
    if (err == 0)
        err = store_read_tenant(move->target, move->config.tenant_id, &there);
    *is_same = err == 0 && strcmp(here.key, there.key) == 0;
    seal_wipe(&here, sizeof(here));
    seal_wipe(&there, sizeof(there));
    if (err == 0)
        err = ask(source_of(move),
                  "SELECT count(*) FROM operation WHERE +tenant_id = ? AND id > ? AND action <> 5",
                  newer, 2, bounds);
    return err;
}

/* The target has the tenant, and this store does not know: it was restored from a back-up of
 * before. It lets go, too, unless it has served him since. */
static int let_go_again(struct move *move, int64_t up_to)
{
    struct move_source source = source_config_of(move);
    bool is_same;
    int64_t newer = 0;
    int err = read_move_id(move, &source.move_id);
    if (err == 0)
        err = compare_ended(move, up_to, &is_same, &newer);
    if (err != 0)
        return err;
    if (!is_same || newer > 0)
        return fail(move, ERR_ALREADY_EXISTS,
                    "the target got tenant %lld by an earlier move, but this store is not the one "
                    "that it came from, or was restored since and has served it (%lld operations "
                    "came after the move): two stores have taken its money",
                    (long long)move->config.tenant_id, (long long)newer);
    return move_source_let_go(&source);
}

static int end_again(struct move *move, int64_t up_to)
{
    int64_t move_id;
    if (move->place != TENANT_GONE)
        return let_go_again(move, up_to);
    int err = read_move_id(move, &move_id);
    if (err == 0 && move_id != move->move_id)
        err = fail(move, ERR_ALREADY_EXISTS,
                   "tenant %lld has moved to another database by a later move, and this target "
                   "got him by an earlier one: two stores may have taken his money",
                   (long long)move->config.tenant_id);
    return err;
}

static int begin(struct move *move, bool *is_done)
{
    struct progress progress;
    bool is_there;
    int err = progress_read(move, "tenant", &progress, &is_there);
    if (err != 0)
        return err;
    if (is_there && progress.ended_at_us != 0) {
        struct progress verified;
        *is_done = true;
        err = progress_read(move, VERIFIED_NAME, &verified, &move->is_verified);
        if (err != 0)
            return err;
        return end_again(move, progress.up_to);
    }
    err = check_same_move(move);
    if (err == 0)
        err = check_target(move);
    if (err == 0 && !is_there)
        err = begin_new(move);
    return err;
}

static int read_place(struct move *move)
{
    struct sql *source = source_of(move);
    struct binder binder;
    bool has_row = false;
    int err = move_prepare(source, "SELECT place, move_id FROM tenant WHERE id = ?", &binder);
    if (err != 0)
        return err;
    bind_int(&binder, move->config.tenant_id);
    err = sql_step(source, binder.statement, &has_row);
    if (err == 0 && has_row) {
        struct columns columns = {.statement = binder.statement};
        move->place = (enum tenant_place)column_int(&columns);
        move->move_id = column_int(&columns);
    }
    source->driver->finalize(binder.statement);
    if (err == 0 && !has_row)
        err =
            fail(move, ERR_NOT_FOUND, "there is no tenant %lld", (long long)move->config.tenant_id);
    return err;
}

/* Somebody else has changed his place since it was read here. By another's move nothing is done. */
static int fail_stale(struct move *move)
{
    const int64_t ours = move->move_id;
    int err = read_place(move);
    if (move->move_id != ours)
        move->move_id = 0;
    if (err != 0)
        return err;
    if (move->place == TENANT_HERE)
        return fail(move, ERR_STALE,
                    "somebody has opened the tenant again in this store meanwhile");
    return fail(move, ERR_STALE,
                "tenant %lld is no longer where this move had him: somebody moves him, or has "
                "moved him, to another database",
                (long long)move->config.tenant_id);
}

static int open_stores(struct move *move, enum store_mode mode)
{
    const struct store_config source = {.location = move->config.source, .seal = move->config.seal};
    const struct store_config target = {.location = move->config.target, .seal = move->config.seal};
    int err = store_open(&source, STORE_READER, &move->source);
    if (err != 0)
        return fail(move, err, "the store of this service cannot be opened (%s)", error_name(err));
    err = store_open(&target, mode, &move->target);
    if (err == ERR_NOT_FOUND && mode == STORE_READER)
        return 0; /* empty */
    if (err == ERR_BAD_KEY)
        return fail(move, err,
                    "the target was made with another master key: numbers and PINs of cards can be "
                    "read and compared with the key of this store only");
    if (err == ERR_SCHEMA_TOO_NEW)
        return fail(move, err, "the target was made by a later program; move with that one");
    if (err != 0)
        return fail(move, err, "the target cannot be opened (%s); the log says why",
                    error_name(err));
    return 0;
}

static int lock_target(struct move *move)
{
    int err = move_target_lock(target_of(move));
    return err == ERR_LOCKED
               ? fail(move, err, "somebody else moves a tenant into the target just now")
               : err;
}

static int create(const struct move_config *config, struct move **move)
{
    *move = calloc(1, sizeof(**move));
    if (*move == NULL)
        return ERR_NO_MEMORY;
    (*move)->config = *config;
    return 0;
}

int move_open(const struct move_config *config, struct move **move, bool *is_done)
{
    *is_done = false;
    int err = create(config, move);
    if (err == 0)
        err = open_stores(*move, STORE_WRITER);
    if (err == 0)
        err = lock_target(*move);
    if (err == 0)
        err = read_place(*move);
    return err != 0 ? err : begin(*move, is_done);
}

int move_note_verified(struct move *move, int64_t now_us)
{
    struct sql *target = target_of(move);
    const struct progress progress = {.ended_at_us = now_us};
    int err = move_target_begin(target, false);
    if (err != 0)
        return err;
    err = progress_write(move, VERIFIED_NAME, &progress);
    if (err == 0)
        return target->driver->commit(target);
    target->driver->rollback(target);
    return err;
}

void move_close(struct move *move)
{
    if (move == NULL)
        return;
    store_close(move->target);
    store_close(move->source);
    free(move);
}

/* --- copying --- */

static int copy_new(struct move *move, const struct move_table *table, int64_t *copied)
{
    struct table_run run = {.is_final = false};
    struct progress progress;
    bool is_there;
    int err = progress_read(move, table->name, &progress, &is_there);
    if (err == 0)
        err =
            run_table(move, table, &run, is_there && table->is_by_id ? progress.up_to : INT64_MIN);
    *copied += run.written;
    return err;
}

/* All of it as one commit has left it: no row comes before what it refers to. */
int move_copy(struct move *move, int64_t *copied)
{
    struct sql *source = source_of(move);
    *copied = 0;
    int err = move_target_make_room(target_of(move), source);
    if (err == 0)
        err = source->driver->begin_read(source);
    if (err != 0)
        return err;
    for (const struct move_table *table = move_tables + 1; err == 0 && table->name != NULL; table++)
        if (table->is_early)
            err = copy_new(move, table, copied);
    source->driver->rollback(source);
    return err;
}

/* --- closing --- */

/* A new one for each leave: who closed him before somebody opened him again is not who closes him
 * now. */
static int64_t make_move_id(void)
{
    const struct id_source random = id_source_system();
    uint64_t number = 0;
    random.fill(random.context, (uint8_t *)&number, sizeof(number));
    return (int64_t)(number >> 1) | 1; /* never 0 */
}

/* The scan for proofs passes over a tenant that it does not know: where it was must be known before
 * he takes leave. So must the move: what the source refers to is there. */
static int note_leave(struct move *move, int64_t move_id)
{
    struct progress cursor = {0};
    const struct progress number = {.up_to = move_id};
    int err = ask_plain(source_of(move), "SELECT proof_cursor FROM meta", &cursor.up_to);
    if (err == 0)
        err = move_target_begin(target_of(move), false);
    if (err != 0)
        return err;
    err = progress_write(move, CURSOR_NAME, &cursor);
    if (err == 0)
        err = progress_write(move, MOVE_ID_NAME, &number);
    if (err == 0)
        return target_of(move)->driver->commit(target_of(move));
    target_of(move)->driver->rollback(target_of(move));
    return err;
}

/* The number in the target is not to be replaced where somebody has taken leave with it: the lock
 * may be lost with a connection, so it is asked for once more. */
static int check_here(struct move *move)
{
    int err = lock_target(move);
    if (err == 0)
        err = read_place(move);
    if (err != 0 || move->place == TENANT_HERE)
        return err;
    move->move_id = 0;
    return ERR_STALE;
}

int move_leave(struct move *move)
{
    struct move_source source = source_config_of(move);
    if (move->place != TENANT_HERE)
        return 0; /* an earlier run did it */
    source.move_id = make_move_id();
    int err = check_here(move);
    if (err == 0)
        err = note_leave(move, source.move_id);
    if (err == 0)
        err = move_source_leave(&source);
    if (err == ERR_STALE)
        return fail_stale(move);
    if (err != 0)
        return fail(move, err, "the tenant cannot be closed in this store (%s)", error_name(err));
    move->place = TENANT_LEAVING;
    move->move_id = source.move_id;
    return 0;
}

int move_shut(struct move *move, int64_t now_us)
{
    const struct move_source source = source_config_of(move);
    CHECK(move->place != TENANT_HERE);
    if (move->place != TENANT_LEAVING)
        return 0;
    int err = move_source_close(&source, now_us);
    if (err == ERR_LEASED)
        return err;
    if (err == ERR_STALE)
        return fail_stale(move);
    if (err != 0)
        return fail(move, err, "the tenant cannot be closed in this store (%s)", error_name(err));
    move->place = TENANT_CLOSED;
    return 0;
}

/* --- finishing --- */

static int finish_tables(struct move *move, bool is_early)
{
    int err = 0;
    for (const struct move_table *table = move_tables; err == 0 && table->name != NULL; table++) {
        struct table_run run = {.is_final = true, .is_in_transaction = !is_early};
        if (table->is_early == is_early)
            err = run_table(move, table, &run, INT64_MIN);
    }
    return err;
}

/* It begins with a request, and moves one step at a time, there as here. */
static int write_approval(struct sql *target, const struct columns *row, int64_t tenant_id)
{
    struct columns columns = *row;
    int64_t values[6] = {tenant_id};
    for (int i = 1; i < 6; i++)
        values[i] = column_int(&columns);
    int64_t state = values[5];
    int err = run(target,
                  "INSERT INTO foreign_approval (tenant_id, payment_max_minor, day_max_minor, "
                  "expires_on, is_suspended, state) VALUES (?, ?, ?, ?, ?, 1)",
                  5, values);
    if (err == 0 && state == FOREIGN_REVOKED)
        err =
            run_one(target, "UPDATE foreign_approval SET state = 3 WHERE tenant_id = ?", tenant_id);
    if (err == 0 && state != FOREIGN_REQUESTED)
        err = run(target, "UPDATE foreign_approval SET state = ? WHERE tenant_id = ?", 2,
                  (const int64_t[]){state, tenant_id});
    return err;
}

static int copy_approval(struct move *move)
{
    struct sql *source = source_of(move);
    struct binder binder;
    bool has_row = false;
    int err = move_prepare(source,
                           "SELECT payment_max_minor, day_max_minor, expires_on, is_suspended, "
                           "state FROM foreign_approval WHERE tenant_id = ?",
                           &binder);
    if (err != 0)
        return err;
    bind_int(&binder, move->config.tenant_id);
    err = sql_step(source, binder.statement, &has_row);
    if (err == 0 && has_row)
        err = write_approval(target_of(move), &(struct columns){.statement = binder.statement},
                             move->config.tenant_id);
    source->driver->finalize(binder.statement);
    return err;
}

/* --- ids that are given out from now on --- */

#define GO_ON_AFTER(table)                                                                         \
    {                                                                                              \
        "SELECT coalesce(max(id), 0) FROM " table,                                                 \
            "SELECT setval(pg_get_serial_sequence('" table "', 'id'), "                            \
            "greatest(?, nextval(pg_get_serial_sequence('" table "', 'id'))))"                     \
    }
static const char *const counted[][2] = {
    GO_ON_AFTER("tenant"), GO_ON_AFTER("site"),           GO_ON_AFTER("reward"),
    GO_ON_AFTER("work"),   GO_ON_AFTER("foreign_change"), GO_ON_AFTER("foreign_attempt"),
};

/* Of the whole source: tenants that are left there may follow. */
static int skip_ids(struct move *move, int64_t *last_operation_id)
{
    int64_t ids[3];
    struct sql *source = source_of(move);
    int err = ask_plain(source, "SELECT coalesce(max(id), 0) FROM card", &ids[0]);
    if (err == 0)
        err = ask_plain(source, "SELECT coalesce(max(id), 0) FROM operation", &ids[1]);
    if (err == 0)
        err = ask_plain(source, "SELECT coalesce(max(id), 0) FROM transfer", &ids[2]);
    *last_operation_id = ids[1];
    for (int i = 0; i < 3; i++)
        ids[i] = ids[i] == 0 ? 1 : ids[i];
    if (err == 0)
        err = run(target_of(move), "SELECT 1 FROM skip_ids(?, ?, ?)", 3, ids);
    for (size_t i = 0; err == 0 && i < COUNT_OF(counted); i++) {
        int64_t last;
        err = ask_plain(source, counted[i][0], &last);
        if (err == 0)
            err = run_one(target_of(move), counted[i][1], last);
    }
    return err == 0 ? run(target_of(move), "SELECT partition_ahead()", 0, NULL) : err;
}

/* The first tenant brings the store's own state; of others, proofs are looked for from the earlier
 * place on, which makes none twice. */
static int write_meta(struct move *move)
{
    struct progress cursor;
    bool is_there;
    int64_t token[2] = {0, move->config.tenant_id};
    int err = progress_read(move, CURSOR_NAME, &cursor, &is_there);
    if (err == 0)
        err = store_token_generation(move->source, &token[0]);
    if (err == 0)
        err = run_one(target_of(move),
                      "UPDATE meta SET proof_cursor = ?1 WHERE proof_cursor > ?1 OR "
                      "NOT EXISTS (SELECT 1 FROM tenant WHERE place = 0)",
                      cursor.up_to);
    if (err == 0)
        err = run(target_of(move),
                  "UPDATE meta SET token_generation = ? "
                  "WHERE NOT EXISTS (SELECT 1 FROM tenant WHERE id <> ?)",
                  2, token);
    return err;
}

/* --- the change of place --- */

/* The connection may have been lost before, and with it the lock: then somebody else may have gone
 * on, or begun anew. */
static int check_target_waits(struct move *move)
{
    int64_t waiting = 0, move_id;
    int err = lock_target(move);
    if (err == 0)
        err = read_move_id(move, &move_id);
    if (err == 0)
        err = ask_one(target_of(move), "SELECT count(*) FROM tenant WHERE id = ? AND place = 1",
                      move->config.tenant_id, &waiting);
    if (err == 0 && (waiting != 1 || move_id != move->move_id))
        err = fail(move, ERR_STALE,
                   "somebody else has ended, cancelled or begun this move in the target meanwhile; "
                   "run this again, which finds out");
    return err;
}

static int write_end(struct move *move)
{
    struct progress progress = {.ended_at_us = move->now_us};
    int err = check_target_waits(move);
    if (err == 0)
        err = copy_approval(move);
    if (err == 0)
        err = finish_tables(move, false);
    if (err == 0)
        err = skip_ids(move, &progress.up_to);
    if (err == 0)
        err = write_meta(move);
    if (err == 0)
        err = progress_write(move, "tenant", &progress);
    if (err == 0)
        err = run_one(target_of(move), "UPDATE tenant SET place = 0 WHERE id = ? AND place = 1",
                      move->config.tenant_id);
    return err;
}

/* The commit has failed; but with its connection the lock may be lost, and another may have ended
 * the move since. */
static int take_back(struct move *move)
{
    const struct move_source source = source_config_of(move);
    int err = check_target_waits(move);
    if (err == 0)
        err = move_source_return(&source, true);
    move->place = err == 0 ? TENANT_HERE : TENANT_GONE;
    return err;
}

/*
 * The source lets go before the target takes: if this ends between the two, nobody serves the
 * tenant, and the next run goes on from there. Only where the target is certain not to have taken,
 * the source has it back.
 */
static int change_place(struct move *move)
{
    struct sql *target = target_of(move);
    const struct move_source source = source_config_of(move);
    int err = move_source_go(&source);
    if (err != 0)
        target->driver->rollback(target);
    if (err == ERR_STALE)
        return fail_stale(move);
    if (err != 0)
        return fail(move, err, "the tenant cannot be marked as moved in this store (%s)",
                    error_name(err));
    move->place = TENANT_GONE;
    err = target->driver->commit(target);
    if (err == 0)
        return 0;
    if (err == ERR_COMMIT_UNKNOWN)
        return fail(move, err,
                    "it is not known whether the target has the tenant now; neither store serves "
                    "it until this is run again");
    int back_err = take_back(move);
    return fail(move, err, "the target did not take the tenant (%s); %s", error_name(err),
                back_err == 0 ? "this store serves it as before" : "run this again");
}

/* As this move has closed him. */
static int check_closed(struct move *move)
{
    const int64_t ours = move->move_id;
    int err = read_place(move);
    bool is_closed = move->place == TENANT_CLOSED || move->place == TENANT_GONE;
    if (err != 0 || (is_closed && ours != 0 && move->move_id == ours))
        return err;
    move->move_id = ours;
    return fail_stale(move);
}

int move_finish(struct move *move, int64_t now_us)
{
    struct sql *target = target_of(move);
    move->now_us = now_us;
    int err = check_closed(move);
    if (err == 0)
        err = check_target(move);
    if (err == 0)
        err = move_target_make_room(target, source_of(move));
    if (err == 0)
        err = finish_tables(move, true);
    if (err == 0)
        err = move_target_begin(target, true);
    if (err != 0)
        return err;
    err = write_end(move);
    if (err == 0)
        return change_place(move);
    target->driver->rollback(target);
    return fail(move, err, "the target broke off (%s); the log says why", error_name(err));
}

/* --- undoing --- */

static int clear_table(struct sql *target, const struct move_table *table, int64_t tenant_id)
{
    char text[512];
    struct text_buffer buffer;
    if (table->is_shared)
        return 0;
    text_buffer_init(&buffer, text, sizeof(text));
    text_append_format(&buffer, "DELETE FROM %s WHERE %s", table->name, table->whose);
    CHECK(!buffer.is_cut);
    int err = move_target_lift_laws(target, table->name, true);
    if (err == 0)
        err = run_one(target, text, tenant_id);
    return err != 0 ? err : move_target_lift_laws(target, table->name, false);
}

/* What refers to others goes before them. */
static int clear_tables(struct move *move)
{
    int err = 0;
    int count = 0;
    while (move_tables[count].name != NULL)
        count++;
    for (int i = count - 1; err == 0 && i >= 0; i--)
        err = clear_table(target_of(move), &move_tables[i], move->config.tenant_id);
    if (err == 0)
        err = run_one(target_of(move), "DELETE FROM move_progress WHERE tenant_id = ?",
                      move->config.tenant_id);
    return err;
}

static int clear_target(struct move *move)
{
    struct sql *target = target_of(move);
    int err = move_target_begin(target, true);
    if (err != 0)
        return err;
    err = clear_tables(move);
    if (err == 0)
        return target->driver->commit(target);
    target->driver->rollback(target);
    return err;
}

/* Nothing is undone where the target serves the tenant, or holds one of its own. */
static int check_unended(struct move *move, bool *is_begun)
{
    struct progress progress;
    int64_t tenants = 0;
    int err = lock_target(move);
    if (err == 0)
        err = progress_read(move, "tenant", &progress, is_begun);
    if (err == 0)
        err = ask_one(target_of(move), "SELECT count(*) FROM tenant WHERE id = ? AND place = 0",
                      move->config.tenant_id, &tenants);
    if (err == 0 && tenants > 0)
        err = fail(move, ERR_ALREADY_EXISTS,
                   "the target serves tenant %lld: there is nothing that could be cancelled",
                   (long long)move->config.tenant_id);
    return err;
}

static int refuse_to_open(struct move *move)
{
    if (move->place == TENANT_GONE)
        return fail(move, ERR_ALREADY_EXISTS,
                    "tenant %lld has moved to another database, not to this target: nothing was "
                    "changed here or there; cancel there what has not ended",
                    (long long)move->config.tenant_id);
    return fail(move, ERR_ALREADY_EXISTS,
                "tenant %lld is closed for a move to another database, not to this target: cancel "
                "it there",
                (long long)move->config.tenant_id);
}

/* A target that holds nothing of him may be the one of this move, made anew; but never where he has
 * gone. */
static int check_may_open(struct move *move, bool is_reached, bool is_begun)
{
    int64_t move_id = 0;
    if (move->place == TENANT_GONE && !is_begun)
        return fail(move, ERR_STALE,
                    "tenant %lld has gone to a target, and only that one can tell whether it has "
                    "taken the tenant",
                    (long long)move->config.tenant_id);
    if (!is_reached || !is_begun)
        return 0;
    int err = read_move_id(move, &move_id);
    if (err == 0 && (move_id == 0 || move_id != move->move_id))
        err = refuse_to_open(move);
    return err;
}

/* Where he has gone, only the target that he went to can tell that it has not taken him. */
static int open_again(struct move *move, bool is_reached, bool is_begun)
{
    const struct move_source source = source_config_of(move);
    if (move->place == TENANT_HERE)
        return 0;
    int err = check_may_open(move, is_reached, is_begun);
    if (err == 0)
        err = move_source_return(&source, is_reached && is_begun);
    return err == ERR_STALE ? fail_stale(move) : err;
}

/* The source first: what is left in the target then is what any move that was broken off leaves. */
int move_cancel(const struct move_config *config, struct move **move)
{
    bool is_begun = false;
    int err = create(config, move);
    if (err != 0)
        return err;
    int there_err = open_stores(*move, STORE_WRITER);
    if ((*move)->source == NULL)
        return there_err;
    err = read_place(*move);
    if (err == 0 && there_err == 0)
        there_err = check_unended(*move, &is_begun);
    if (err == 0 && (there_err == ERR_LOCKED || there_err == ERR_ALREADY_EXISTS))
        err = there_err;
    if (err == 0)
        err = open_again(*move, there_err == 0, is_begun);
    if (err == 0 && there_err == 0 && is_begun)
        there_err = clear_target(*move);
    return err != 0 ? err : there_err;
}

/* --- a first look --- */

static int count_rows(struct move *move, int64_t *rows)
{
    int err = 0;
    *rows = 0;
    for (const struct move_table *table = move_tables; err == 0 && table->name != NULL; table++) {
        char text[512];
        struct text_buffer buffer;
        int64_t count;
        if (table->is_shared)
            continue;
        text_buffer_init(&buffer, text, sizeof(text));
        text_append_format(&buffer, "SELECT count(*) FROM %s WHERE %s", table->name, table->whose);
        CHECK(!buffer.is_cut);
        err = ask_one(source_of(move), text, move->config.tenant_id, &count);
        *rows += err == 0 ? count : 0;
    }
    return err;
}

static int look_at_target(struct move *move, struct move_look *look)
{
    struct progress progress;
    if (move->target == NULL)
        return 0;
    int err = progress_read(move, "tenant", &progress, &look->is_begun);
    look->is_done = progress.ended_at_us != 0;
    if (err == 0 && look->is_begun && !look->is_done)
        err = check_same_move(move);
    if (err == 0 && !look->is_done)
        err = check_target(move);
    return err != 0 || look->is_begun ? err : check_ids(move);
}

int move_look(const struct move_config *config, struct move **move, struct move_look *look)
{
    *look = (struct move_look){0};
    int err = create(config, move);
    if (err == 0)
        err = open_stores(*move, STORE_READER);
    if (err == 0)
        err = read_place(*move);
    if (err == 0)
        err = count_rows(*move, &look->rows);
    return err != 0 ? err : look_at_target(*move, look);
}
