/*
 * Commit: writes what a batch changed and ends the transaction; and settles a commit whose outcome
 * is unknown.
 */
#include "store/sqlite_driver.h"

#include "base/check.h"
#include "base/log.h"

#include "base/banned.h"

static int insert_card(struct sql *sql, const struct card *card, const struct new_card *new_card)
{
    struct sql_statement *statement;
    int err = sql_prepare(sql, STATEMENT_INSERT_CARD, &statement);
    if (err != 0)
        return err;
    CHECK(new_card->number_sealed_size >= 0 && new_card->number_sealed_size <= CARD_SEALED_MAX);
    struct binder binder = {.statement = statement};
    row_bind_card(&binder, card);
    bind_blob(&binder, new_card->number_sealed, (size_t)new_card->number_sealed_size);
    bind_int(&binder, new_card->key_version);
    return sql_finish(sql, statement);
}

static int update_card(struct sql *sql, const struct card *card, int64_t version_loaded)
{
    struct sql_statement *statement;
    int err = sql_prepare(sql, STATEMENT_UPDATE_CARD, &statement);
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
    return sql_finish_update(sql, statement, "card", card->id);
}

static int write_cards(struct sql *sql, const struct batch *batch)
{
    const struct view *view = &batch->view;
    int err = 0;
    for (int32_t i = 0; err == 0 && i < view->card_count; i++) {
        const struct view_card *each = &view->cards[i];
        if (each->is_new) {
            CHECK(each->new_card >= 0 && each->new_card < batch->count);
            err = insert_card(sql, &each->card, &batch->commands[each->new_card]->new_card);
        } else if (each->is_changed) {
            err = update_card(sql, &each->card, each->version_loaded);
        }
    }
    return err;
}

static int insert_operation(struct sql *sql, enum statement which,
                            const struct operation *operation)
{
    struct sql_statement *statement;
    int err = sql_prepare(sql, which, &statement);
    if (err != 0)
        return err;
    struct binder binder = {.statement = statement};
    row_bind_operation(&binder, operation);
    return sql_finish(sql, statement);
}

static int update_given_back(struct sql *sql, const struct view_operation *changed)
{
    struct sql_statement *statement;
    int err = sql_prepare(sql, STATEMENT_UPDATE_GIVEN_BACK, &statement);
    if (err != 0)
        return err;
    struct binder binder = {.statement = statement};
    bind_int(&binder, changed->operation.given_back_minor);
    bind_int(&binder, changed->operation.id);
    bind_int(&binder, changed->given_back_minor_loaded);
    return sql_finish_update(sql, statement, "operation", changed->operation.id);
}

static int write_operations(struct sql *sql, const struct view *view)
{
    int err = 0;
    for (int32_t i = 0; err == 0 && i < view->operation_count; i++) {
        const struct view_operation *each = &view->operations[i];
        if (each->is_new)
            err = insert_operation(sql, STATEMENT_INSERT_OPERATION, &each->operation);
        else if (each->is_changed)
            err = update_given_back(sql, each);
    }
    return err;
}

static int write_transfers(struct sql *sql, const struct view *view)
{
    int err = 0;
    for (int32_t i = 0; err == 0 && i < view->transfer_count; i++) {
        struct sql_statement *statement;
        err = sql_prepare(sql, STATEMENT_INSERT_TRANSFER, &statement);
        if (err != 0)
            return err;
        struct binder binder = {.statement = statement};
        row_bind_transfer(&binder, &view->transfers[i]);
        err = sql_finish(sql, statement);
    }
    return err;
}

static int write_day(struct sql *sql, const struct view_day *changed)
{
    const struct register_day *day = &changed->day;
    struct sql_statement *statement;
    int err =
        sql_prepare(sql, changed->is_new ? STATEMENT_INSERT_DAY : STATEMENT_UPDATE_DAY, &statement);
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
    return sql_finish_update(sql, statement, "register_day", day->register_id);
}

static int write_days(struct sql *sql, const struct view *view)
{
    int err = 0;
    for (int32_t i = 0; err == 0 && i < view->day_count; i++)
        if (view->days[i].is_changed)
            err = write_day(sql, &view->days[i]);
    return err;
}

static void raise_floors(struct store_sqlite *sqlite, const struct view *view)
{
    sqlite->floor_card_id = view->next_card_id;
    sqlite->floor_operation_id = view->next_operation_id;
    sqlite->floor_transfer_id = view->next_transfer_id;
}

static int commit_transaction(struct store_sqlite *sqlite, const struct view *view)
{
    int err = sqlite_driver.commit(&sqlite->sql);
    if (err == 0) {
        sqlite->next_card_id = view->next_card_id;
        sqlite->next_operation_id = view->next_operation_id;
        sqlite->next_transfer_id = view->next_transfer_id;
    } else if (err == ERR_COMMIT_UNKNOWN) {
        raise_floors(sqlite, view);
    }
    return err;
}

int sqlite_commit(struct store *store, const struct batch *batch)
{
    struct sql *sql = sql_of(store);
    CHECK(sql_is_in_transaction(sql));
    if (!batch_has_changes(batch)) {
        sqlite_rollback(sql); /* nothing that could be unknown, and no fsync */
        return 0;
    }
    int err = write_cards(sql, batch);
    if (err == 0)
        err = write_operations(sql, &batch->view);
    if (err == 0)
        err = write_transfers(sql, &batch->view);
    if (err == 0)
        err = write_days(sql, &batch->view);
    if (err == 0)
        err = sql_write_foreign(sql, batch);
    if (err == 0)
        err = sql_write_work(sql, batch);
    if (err == 0)
        err = sql_write_proofs(sql, batch);
    if (err == 0)
        return commit_transaction(sqlite_of_sql(sql), &batch->view);
    sqlite_rollback(sql);
    return err;
}

/* --- settling --- */

/* How many of the batch's new operations are in the store (a tombstone is none of them). */
static int settle_count(struct sql *sql, const struct view *view, int32_t *wanted, int32_t *found)
{
    *wanted = 0;
    *found = 0;
    for (int32_t i = 0; i < view->operation_count; i++) {
        const struct view_operation *each = &view->operations[i];
        struct operation stored;
        if (!each->is_new)
            continue;
        int err = sql_find_operation(sql, each->operation.id, &stored);
        if (err != 0 && err != ERR_NOT_FOUND)
            return err;
        *wanted += 1;
        *found += err == 0 && stored.action != ACTION_VOID;
    }
    return 0;
}

static int settle_bury(struct sql *sql, const struct view *view)
{
    int err = 0;
    for (int32_t i = 0; err == 0 && i < view->operation_count; i++) {
        const struct operation *operation = &view->operations[i].operation;
        struct operation tombstone = {.id = operation->id,
                                      .tenant_id = operation->tenant_id,
                                      .action = ACTION_VOID,
                                      .created_at_us = operation->created_at_us};
        if (view->operations[i].is_new)
            err = insert_operation(sql, STATEMENT_INSERT_TOMBSTONE, &tombstone);
    }
    return err;
}

/* One transaction holds all operations of a batch, so all are there or none is. */
static int settle_decide(struct sql *sql, const struct view *view, bool *happened)
{
    int32_t wanted, found;
    int err = settle_count(sql, view, &wanted, &found);
    if (err != 0)
        return err;
    CHECK(wanted > 0);
    *happened = found == wanted;
    if (found != 0 && found != wanted) {
        log_event(LOG_ERROR, "batch_is_torn", LOG_INT("wanted", wanted), LOG_INT("found", found));
        return ERR_STORE_CORRUPT;
    }
    return *happened ? 0 : settle_bury(sql, view);
}

int sqlite_settle(struct store *store, const struct batch *batch, bool *happened)
{
    struct sql *sql = sql_of(store);
    CHECK(!sql_is_in_transaction(sql));
    int err = sqlite_run(sql, OWN_BEGIN_WRITE);
    if (err != 0)
        return err;
    raise_floors(sqlite_of_sql(sql), &batch->view);
    err = settle_decide(sql, &batch->view, happened);
    if (err == 0)
        err = sqlite_run(sql, OWN_COMMIT);
    sqlite_rollback(sql); /* also when committed: the ids are read anew */
    return err;
}
