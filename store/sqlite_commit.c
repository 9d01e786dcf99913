/*
 * Commit: writes what a batch changed and ends the transaction; and settles a commit whose outcome
 * is unknown.
 */
#include "store/sqlite.h"

#include "base/check.h"
#include "base/log.h"

#include "base/banned.h"

static int insert_card(struct store_sqlite *sqlite, const struct card *card,
                       const struct new_card *new_card)
{
    sqlite3_stmt *statement;
    int err = sqlite_prepare(sqlite, STATEMENT_INSERT_CARD, &statement);
    if (err != 0)
        return err;
    CHECK(new_card->number_sealed_size >= 0 && new_card->number_sealed_size <= CARD_SEALED_MAX);
    struct binder binder = {.statement = statement};
    row_bind_card(&binder, card);
    bind_blob(&binder, new_card->number_sealed, (size_t)new_card->number_sealed_size);
    bind_int(&binder, new_card->key_version);
    return sqlite_finish(sqlite, statement);
}

static int update_card(struct store_sqlite *sqlite, const struct card *card, int64_t version_loaded)
{
    sqlite3_stmt *statement;
    int err = sqlite_prepare(sqlite, STATEMENT_UPDATE_CARD, &statement);
    if (err != 0)
        return err;
    struct binder binder = {.statement = statement};
    bind_int(&binder, card->status);
    bind_int(&binder, card->valid_from);
    bind_int(&binder, card->expires_on);
    bind_int(&binder, card->balance_minor);
    bind_int(&binder, card->version);
    bind_int(&binder, card->last_transfer_id);
    bind_int(&binder, card->last_operation_id);
    bind_int(&binder, card->loaded_on);
    bind_int(&binder, card->loaded_minor);
    bind_int(&binder, card->used_hour);
    bind_int(&binder, card->used_count);
    bind_int(&binder, card->id);
    bind_int(&binder, version_loaded);
    return sqlite_finish_update(sqlite, statement, "card", card->id);
}

static int write_cards(struct store_sqlite *sqlite, const struct batch *batch)
{
    const struct view *view = &batch->view;
    int err = 0;
    for (int32_t i = 0; err == 0 && i < view->card_count; i++) {
        const struct view_card *each = &view->cards[i];
        if (each->is_new) {
            CHECK(each->new_card >= 0 && each->new_card < batch->count);
            err = insert_card(sqlite, &each->card, &batch->commands[each->new_card]->new_card);
        } else if (each->is_changed) {
            err = update_card(sqlite, &each->card, each->version_loaded);
        }
    }
    return err;
}

static int insert_operation(struct store_sqlite *sqlite, enum statement which,
                            const struct operation *operation)
{
    sqlite3_stmt *statement;
    int err = sqlite_prepare(sqlite, which, &statement);
    if (err != 0)
        return err;
    struct binder binder = {.statement = statement};
    row_bind_operation(&binder, operation);
    return sqlite_finish(sqlite, statement);
}

static int update_given_back(struct store_sqlite *sqlite, const struct view_operation *changed)
{
    sqlite3_stmt *statement;
    int err = sqlite_prepare(sqlite, STATEMENT_UPDATE_GIVEN_BACK, &statement);
    if (err != 0)
        return err;
    struct binder binder = {.statement = statement};
    bind_int(&binder, changed->operation.given_back_minor);
    bind_int(&binder, changed->operation.id);
    bind_int(&binder, changed->given_back_minor_loaded);
    return sqlite_finish_update(sqlite, statement, "operation", changed->operation.id);
}

static int write_operations(struct store_sqlite *sqlite, const struct view *view)
{
    int err = 0;
    for (int32_t i = 0; err == 0 && i < view->operation_count; i++) {
        const struct view_operation *each = &view->operations[i];
        if (each->is_new)
            err = insert_operation(sqlite, STATEMENT_INSERT_OPERATION, &each->operation);
        else if (each->is_changed)
            err = update_given_back(sqlite, each);
    }
    return err;
}

static int write_transfers(struct store_sqlite *sqlite, const struct view *view)
{
    int err = 0;
    for (int32_t i = 0; err == 0 && i < view->transfer_count; i++) {
        sqlite3_stmt *statement;
        err = sqlite_prepare(sqlite, STATEMENT_INSERT_TRANSFER, &statement);
        if (err != 0)
            return err;
        struct binder binder = {.statement = statement};
        row_bind_transfer(&binder, &view->transfers[i]);
        err = sqlite_finish(sqlite, statement);
    }
    return err;
}

static int write_day(struct store_sqlite *sqlite, const struct view_day *changed)
{
    const struct register_day *day = &changed->day;
    sqlite3_stmt *statement;
    int err = sqlite_prepare(sqlite, changed->is_new ? STATEMENT_INSERT_DAY : STATEMENT_UPDATE_DAY,
                             &statement);
    if (err != 0)
        return err;
    struct binder binder = {.statement = statement};
    bind_int(&binder, day->refunded_minor);
    bind_int(&binder, day->tenant_id);
    bind_int(&binder, day->site_id);
    bind_int(&binder, day->register_id);
    bind_int(&binder, day->local_date);
    if (!changed->is_new)
        bind_int(&binder, changed->refunded_minor_loaded);
    return sqlite_finish_update(sqlite, statement, "register_day", day->register_id);
}

static int write_days(struct store_sqlite *sqlite, const struct view *view)
{
    int err = 0;
    for (int32_t i = 0; err == 0 && i < view->day_count; i++)
        if (view->days[i].is_changed)
            err = write_day(sqlite, &view->days[i]);
    return err;
}

static void raise_floors(struct store_sqlite *sqlite, const struct view *view)
{
    sqlite->floor_card_id = view->next_card_id;
    sqlite->floor_operation_id = view->next_operation_id;
    sqlite->floor_transfer_id = view->next_transfer_id;
}

/*
 * A COMMIT that failed is unknown: the last write or the fsync may have reached the disk before the
 * error reached us, and recovery after a crash would then find it. One failure is certain: out of
 * space. SQLite appends the frame that makes a transaction valid last, before the fsync, so
 * SQLITE_FULL means that this frame is not there.
 */
static int commit_transaction(struct store_sqlite *sqlite, const struct view *view)
{
    int err = sqlite_run(sqlite, STATEMENT_COMMIT);
    if (err == 0) {
        sqlite->next_card_id = view->next_card_id;
        sqlite->next_operation_id = view->next_operation_id;
        sqlite->next_transfer_id = view->next_transfer_id;
        return 0;
    }
    sqlite_rollback(sqlite);
    if (err == ERR_STORE_FULL)
        return err;
    raise_floors(sqlite, view);
    return ERR_COMMIT_UNKNOWN;
}

int sqlite_commit(struct store *store, const struct batch *batch)
{
    struct store_sqlite *sqlite = sqlite_of(store);
    CHECK(sqlite3_get_autocommit(sqlite->connection) == 0);
    if (!batch_has_changes(batch)) {
        sqlite_rollback(sqlite); /* nothing that could be unknown, and no fsync */
        return 0;
    }
    int err = write_cards(sqlite, batch);
    if (err == 0)
        err = write_operations(sqlite, &batch->view);
    if (err == 0)
        err = write_transfers(sqlite, &batch->view);
    if (err == 0)
        err = write_days(sqlite, &batch->view);
    if (err == 0)
        err = sqlite_write_foreign(sqlite, batch);
    if (err == 0)
        err = sqlite_write_work(sqlite, batch);
    if (err == 0)
        err = sqlite_write_proofs(sqlite, batch);
    if (err == 0)
        return commit_transaction(sqlite, &batch->view);
    sqlite_rollback(sqlite);
    return err;
}

/* --- settling --- */

/* How many of the batch's new operations are in the store (a tombstone is none of them). */
static int settle_count(struct store_sqlite *sqlite, const struct view *view, int32_t *wanted,
                        int32_t *found)
{
    *wanted = 0;
    *found = 0;
    for (int32_t i = 0; i < view->operation_count; i++) {
        const struct view_operation *each = &view->operations[i];
        struct operation stored;
        if (!each->is_new)
            continue;
        int err = sqlite_find_operation(sqlite, each->operation.id, &stored);
        if (err != 0 && err != ERR_NOT_FOUND)
            return err;
        *wanted += 1;
        *found += err == 0 && stored.action != ACTION_VOID;
    }
    return 0;
}

static int settle_bury(struct store_sqlite *sqlite, const struct view *view)
{
    int err = 0;
    for (int32_t i = 0; err == 0 && i < view->operation_count; i++) {
        const struct operation *operation = &view->operations[i].operation;
        struct operation tombstone = {.id = operation->id,
                                      .tenant_id = operation->tenant_id,
                                      .action = ACTION_VOID,
                                      .created_at_us = operation->created_at_us};
        if (view->operations[i].is_new)
            err = insert_operation(sqlite, STATEMENT_INSERT_TOMBSTONE, &tombstone);
    }
    return err;
}

/* One transaction holds all operations of a batch, so all are there or none is. */
static int settle_decide(struct store_sqlite *sqlite, const struct view *view, bool *happened)
{
    int32_t wanted, found;
    int err = settle_count(sqlite, view, &wanted, &found);
    if (err != 0)
        return err;
    CHECK(wanted > 0);
    *happened = found == wanted;
    if (found != 0 && found != wanted) {
        log_event(LOG_ERROR, "batch_is_torn", LOG_INT("wanted", wanted), LOG_INT("found", found));
        return ERR_STORE_CORRUPT;
    }
    return *happened ? 0 : settle_bury(sqlite, view);
}

int sqlite_settle(struct store *store, const struct batch *batch, bool *happened)
{
    struct store_sqlite *sqlite = sqlite_of(store);
    CHECK(sqlite3_get_autocommit(sqlite->connection) != 0);
    int err = sqlite_run(sqlite, STATEMENT_BEGIN_WRITE);
    if (err != 0)
        return err;
    raise_floors(sqlite, &batch->view);
    err = settle_decide(sqlite, &batch->view, happened);
    if (err == 0)
        err = sqlite_run(sqlite, STATEMENT_COMMIT);
    sqlite_rollback(sqlite); /* also when committed: the ids are read anew */
    return err;
}
