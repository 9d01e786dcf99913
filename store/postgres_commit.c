/*
 * Commit: writes what a batch changed and ends the transaction, all in one pipeline; and settles a
 * commit whose outcome is unknown.
 *
 * The COMMIT is on its way before anybody has counted the rows that were met. So the server counts:
 * an update that meets fewer rows than it was given divides by zero, and what comes behind it,
 * COMMIT too, does not run.
 */
#include "store/postgres_set.h"

#include "store/foreign.h"

#include "base/check.h"
#include "base/error.h"
#include "base/log.h"

#include "base/banned.h"

/* width: of its rows. */
#define ALL_WERE_MET(width)                                                                        \
    "SELECT 1 / CAST(count(*) * " width " = cardinality(?1) AS INTEGER) FROM met"

#define NEW_OPERATIONS(of)                                                                         \
    "INSERT INTO operation (" OPERATION_COLUMNS ") SELECT * FROM " POSTGRES_ROWS_18(of) " AS made"
/*
 * What every charge writes, in one statement: beginning one costs the server as much as a row. It
 * names the partitions that the new ids lie in, where each kind lies in one: the server need not
 * look for them, nor to run their triggers (refuse_unsound asks what those would).
 *
 * UPDATE names only what a decision may change, and no column of an index: the row's new version
 * can then stay on its page, and no index is touched.
 */
static const char text_write_ledger[] =
    "WITH met AS (UPDATE card SET status = to_status, valid_from = to_valid_from, "
    "expires_on = to_expires_on, balance_minor = to_balance_minor, version = to_version, "
    "last_transfer_id = to_transfer_id, last_operation_id = to_operation_id, "
    "loaded_on = to_loaded_on, loaded_minor = to_loaded_minor, used_hour = to_used_hour, "
    "used_count = to_used_count FROM unnest(?1) AS changed "
    "WHERE card.id = of_id AND version = of_version RETURNING 1), "
    "recorded AS (INSERT INTO operation%s (" OPERATION_COLUMNS ") SELECT * FROM unnest(?2)), "
    "moved AS (INSERT INTO transfer%s (" TRANSFER_COLUMNS ") SELECT * FROM unnest(?3)) "
    "SELECT 1 / CAST(count(*) = cardinality(?1) AS INTEGER) FROM met";
/* As postgres_tables.c names them; by name as struct store_postgres has them. */
static const char sql_row_types[] =
    "SELECT oid, typarray FROM pg_type WHERE oid IN ('changed_card'::regtype,"
    " 'new_operation'::regtype, 'new_transfer'::regtype) ORDER BY typname";
static const int32_t row_widths[] = {13, 18, 11};
/* As in make_partition. */
#define PARTITION_IDS INT64_C(67108864)
#define PARTITION_NONE (-1)
static const char text_insert_cards[] =
    "INSERT INTO card (" CARD_COLUMNS ", number_sealed, key_version) "
    "SELECT * FROM unnest(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
static const char text_update_given_back[] =
    "WITH met AS (UPDATE operation SET given_back_minor = to_given_back "
    "FROM " POSTGRES_ROWS_3(
        "?1") " AS changed "
              "(to_given_back, of_id, of_given_back) WHERE operation.id = of_id "
              "AND given_back_minor = of_given_back RETURNING 1) " ALL_WERE_MET("3");
static const char text_insert_days[] =
    "INSERT INTO register_day (refunded_minor, tenant_id, site_id, register_id, local_date) "
    "SELECT * FROM " POSTGRES_ROWS_5("?1") " AS made";
static const char text_update_days[] =
    "WITH met AS (UPDATE register_day SET refunded_minor = to_refunded "
    "FROM " POSTGRES_ROWS_6(
        "?1") " AS changed "
              "(to_refunded, of_tenant, of_site, of_register, of_date, of_refunded) "
              "WHERE tenant_id = of_tenant AND site_id = of_site AND register_id = of_register "
              "AND local_date = of_date AND refunded_minor = of_refunded RETURNING "
              "1) " ALL_WERE_MET("6");
static const char text_insert_foreign_days[] =
    "INSERT INTO foreign_day (paid_minor, tenant_id, local_date) SELECT * FROM " POSTGRES_ROWS_3(
        "?1") " AS made";
static const char text_update_foreign_days[] =
    "WITH met AS (UPDATE foreign_day SET paid_minor = to_paid "
    "FROM " POSTGRES_ROWS_4(
        "?1") " AS changed "
              "(to_paid, of_tenant, of_date, of_paid) WHERE tenant_id = of_tenant "
              "AND local_date = of_date AND paid_minor = of_paid RETURNING 1) " ALL_WERE_MET("4");
static const char text_insert_attempts[] =
    "INSERT INTO foreign_attempt (" FOREIGN_ATTEMPT_FIELDS ") "
    "SELECT * FROM unnest(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
/* Their identity is an operation's that is new. */
static const char text_insert_work[] = "INSERT INTO work (" WORK_FIELDS ") "
                                       "SELECT * FROM unnest(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
static const char text_bury[] = NEW_OPERATIONS("?1") " ON CONFLICT (id) DO NOTHING";
/* A server that was killed, and a replica that took its place, may give ids out again that nobody
 * was told: what stands at an id may be another process's. */
static const char text_count_found[] = "SELECT count(*) FROM " POSTGRES_ROWS_8(
    "?1") " AS ours "
          "(of_id, of_tenant, of_card, of_action, of_order, of_amount, of_version, of_time) "
          "JOIN operation ON id = of_id "
          "WHERE tenant_id = of_tenant AND card_id = of_card AND action = of_action "
          "AND order_id = of_order AND amount_minor = of_amount AND card_version_after = "
          "of_version "
          "AND created_at_us = of_time";
static const char text_skip_ids[] = "SELECT 1 FROM skip_ids(?, ?, ?)";
/* Something that is written and locks nothing: such a commit is flushed, and waits for the replica.
 */
static const char text_write[] =
    "SELECT 1 FROM pg_logical_emit_message(true, 'counterpart', 'settled')";

/* A batch that only repeats answers: what it read must be on the replica, too, before they leave.
 * One at a time: where the replica is silent, each would leave a session behind that waits. */
static const char sql_follow[] =
    "SELECT CASE WHEN current_setting('synchronous_standby_names') <> '' "
    "THEN pg_advisory_xact_lock(" POSTGRES_LOCK_TOUCH_TEXT ") END; "
    "SELECT CASE WHEN current_setting('synchronous_standby_names') <> '' "
    "THEN pg_logical_emit_message(true, 'counterpart', 'repeated') END";

/* What one commit sends, in this order. */
struct commit {
    struct store_postgres *postgres;
    const struct batch *batch;
    struct postgres_set update_cards, insert_cards, insert_operations, update_given_back,
        insert_transfers, insert_days, update_days, insert_foreign_days, update_foreign_days,
        insert_attempts, insert_work;
};

/* --- rows --- */

static void add_new_card(struct commit *commit, const struct view_card *added)
{
    CHECK(added->new_card >= 0 && added->new_card < commit->batch->count);
    const struct new_card *new_card = &commit->batch->commands[added->new_card]->new_card;
    CHECK(new_card->number_sealed_size >= 0 && new_card->number_sealed_size <= CARD_SEALED_MAX);
    struct binder binder = postgres_set_row(&commit->insert_cards);
    row_bind_card(&binder, &added->card);
    bind_blob(&binder, new_card->number_sealed, (size_t)new_card->number_sealed_size);
    bind_int(&binder, new_card->key_version);
}

static void add_changed_card(struct commit *commit, const struct view_card *changed)
{
    const struct card *card = &changed->card;
    struct binder binder = postgres_set_row(&commit->update_cards);
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
    bind_int(&binder, changed->version_loaded);
}

static void add_given_back(struct commit *commit, const struct view_operation *changed)
{
    struct binder binder = postgres_set_row(&commit->update_given_back);
    bind_int(&binder, changed->operation.given_back_minor);
    bind_int(&binder, changed->operation.id);
    bind_int(&binder, changed->given_back_minor_loaded);
}

static void add_day(struct commit *commit, const struct view_day *changed)
{
    const struct register_day *day = &changed->day;
    struct binder binder =
        postgres_set_row(changed->is_new ? &commit->insert_days : &commit->update_days);
    bind_int(&binder, day->refunded_minor);
    bind_int(&binder, day->tenant_id);
    bind_int(&binder, day->site_id);
    bind_int(&binder, day->register_id);
    bind_int(&binder, day->local_date);
    if (!changed->is_new)
        bind_int(&binder, changed->refunded_minor_loaded);
}

static void add_operations(struct commit *commit)
{
    const struct view *view = &commit->batch->view;
    for (int32_t i = 0; i < view->operation_count; i++) {
        const struct view_operation *each = &view->operations[i];
        if (each->is_new) {
            struct binder binder = postgres_set_row(&commit->insert_operations);
            row_bind_operation(&binder, &each->operation);
        } else if (each->is_changed) {
            add_given_back(commit, each);
        }
    }
}

static void add_foreign_day(struct commit *commit, const struct view_foreign_day *changed)
{
    struct binder binder = postgres_set_row(changed->is_new ? &commit->insert_foreign_days
                                                            : &commit->update_foreign_days);
    bind_int(&binder, changed->day.paid_minor);
    bind_int(&binder, changed->day.tenant_id);
    bind_int(&binder, changed->day.local_date);
    if (!changed->is_new)
        bind_int(&binder, changed->paid_minor_loaded);
}

/* What sql_write_foreign and sql_write_work write one by one. */
static void add_what_follows(struct commit *commit)
{
    const struct batch *batch = commit->batch;
    for (int32_t i = 0; i < batch->view.foreign_day_count; i++)
        if (batch->view.foreign_days[i].is_changed)
            add_foreign_day(commit, &batch->view.foreign_days[i]);
    for (int32_t i = 0; i < batch->count; i++) {
        struct foreign_attempt attempt;
        struct work work;
        if (batch->is_skipped[i])
            continue;
        if (foreign_attempt_follows(batch->commands[i], &batch->outcomes[i], batch->decided_at_us,
                                    &attempt)) {
            struct binder binder = postgres_set_row(&commit->insert_attempts);
            row_bind_foreign_attempt(&binder, &attempt);
        }
        if (work_follows(batch->commands[i], &batch->outcomes[i], batch->decided_at_us, &work)) {
            struct binder binder = postgres_set_row(&commit->insert_work);
            row_bind_work(&binder, &work);
        }
    }
}

/*
 * What the triggers of both tables ask, of what goes into their partitions and past them: an
 * operation moves money only for a card and when it is no refusal, a transfer is of an operation
 * that is written with it, and each comes behind the one before.
 */
static bool is_sound_operation(const struct operation *operation)
{
    bool is_tombstone = operation->action == ACTION_VOID;
    bool moves_nothing = operation->result != RESULT_OK || is_tombstone;
    return operation->id > operation->previous_operation_id &&
           (operation->amount_minor == 0 || !moves_nothing) &&
           (operation->card_id != 0 || is_tombstone);
}

static bool is_sound_transfer(const struct commit *commit, const struct transfer *transfer)
{
    return transfer->id > transfer->previous_transfer_id &&
           transfer->operation_id >= commit->postgres->operation_id_begin &&
           transfer->operation_id < commit->batch->view.next_operation_id;
}

static int refuse_unsound(const struct commit *commit)
{
    const struct view *view = &commit->batch->view;
    bool is_sound = true;
    for (int32_t i = 0; i < view->operation_count; i++)
        is_sound &=
            !view->operations[i].is_new || is_sound_operation(&view->operations[i].operation);
    for (int32_t i = 0; i < view->transfer_count; i++)
        is_sound &= is_sound_transfer(commit, &view->transfers[i]);
    if (!is_sound)
        log_event(LOG_ERROR, "batch_is_unsound", LOG_INT("commands", commit->batch->count));
    return is_sound ? 0 : ERR_STORE_CONSTRAINT;
}

static void add_rows(struct commit *commit)
{
    const struct view *view = &commit->batch->view;
    for (int32_t i = 0; i < view->card_count; i++) {
        if (view->cards[i].is_new)
            add_new_card(commit, &view->cards[i]);
        else if (view->cards[i].is_changed)
            add_changed_card(commit, &view->cards[i]);
    }
    add_operations(commit);
    for (int32_t i = 0; i < view->transfer_count; i++) {
        struct binder binder = postgres_set_row(&commit->insert_transfers);
        row_bind_transfer(&binder, &view->transfers[i]);
    }
    for (int32_t i = 0; i < view->day_count; i++)
        if (view->days[i].is_changed)
            add_day(commit, &view->days[i]);
    add_what_follows(commit);
}

/* --- what writes the ledger --- */

/* Once a connection: the numbers of the types that its rows are sent as. */
static int read_row_types(struct store_postgres *postgres)
{
    PGresult *result;
    if (postgres->row_types_connection == postgres->connection_number)
        return 0;
    int err = postgres_ask(postgres, sql_row_types, &result);
    if (err == 0 && PQntuples(result) != COUNT_OF(row_widths))
        err = ERR_STORE_CORRUPT;
    for (int32_t i = 0; err == 0 && i < (int32_t)COUNT_OF(row_widths); i++) {
        int64_t type = 0, array_type = 0;
        err = text_parse_int64(text_of(PQgetvalue(result, i, 0)), &type);
        if (err == 0)
            err = text_parse_int64(text_of(PQgetvalue(result, i, 1)), &array_type);
        postgres->row_types[i] =
            (struct postgres_row_type){(uint32_t)type, (uint32_t)array_type, row_widths[i]};
    }
    PQclear(result);
    postgres->row_types_connection = err == 0 ? postgres->connection_number : 0;
    return err;
}

/* That of ids from begin up to before next. */
static int64_t partition_of(int64_t begin, int64_t next)
{
    int64_t number = begin / PARTITION_IDS;
    return next <= begin || (next - 1) / PARTITION_IDS == number ? number : PARTITION_NONE;
}

static void format_suffix(int64_t partition, char suffix[24])
{
    struct text_buffer buffer;
    text_buffer_init(&buffer, suffix, 24);
    if (partition != PARTITION_NONE)
        text_append_format(&buffer, "_%lld", (long long)partition);
    CHECK(!buffer.is_cut);
}

/* Another one, about each time a partition is full. */
static void make_ledger_text(struct store_postgres *postgres, int64_t operations, int64_t transfers)
{
    char of_operations[24], of_transfers[24];
    struct text_buffer buffer;
    struct sql_statement **place = &postgres->sql.statements[AREA_BACKEND][SET_WRITE_LEDGER];
    postgres_driver.finalize(*place);
    *place = NULL;
    format_suffix(operations, of_operations);
    format_suffix(transfers, of_transfers);
    text_buffer_init(&buffer, postgres->ledger_text, sizeof(postgres->ledger_text));
    text_append_format(&buffer, text_write_ledger, of_operations, of_transfers);
    CHECK(!buffer.is_cut);
    postgres->partitions.operations = operations;
    postgres->partitions.transfers = transfers;
}

static int begin_ledger(struct commit *commit)
{
    struct store_postgres *postgres = commit->postgres;
    const struct view *view = &commit->batch->view;
    int64_t operations = partition_of(postgres->operation_id_begin, view->next_operation_id);
    int64_t transfers = partition_of(postgres->transfer_id_begin, view->next_transfer_id);
    int err = read_row_types(postgres);
    if (err != 0)
        return err;
    if (postgres->ledger_text[0] == '\0' || postgres->partitions.operations != operations ||
        postgres->partitions.transfers != transfers)
        make_ledger_text(postgres, operations, transfers);
    err = postgres_set_begin(postgres, SET_WRITE_LEDGER, postgres->ledger_text, "rrrrrrrrrrrrr",
                             &commit->update_cards);
    if (err != 0)
        return err;
    postgres_set_join(&commit->update_cards, 2, "rrrrrrrrrrrrrrrrrr", &commit->insert_operations);
    postgres_set_join(&commit->update_cards, 3, "rrrrrrrrrrr", &commit->insert_transfers);
    postgres_set_type(&commit->update_cards, &postgres->row_types[0]);
    postgres_set_type(&commit->insert_operations, &postgres->row_types[1]);
    postgres_set_type(&commit->insert_transfers, &postgres->row_types[2]);
    return 0;
}

static int begin_sets(struct commit *commit)
{
    const struct {
        struct postgres_set *set;
        const char *text, *kinds;
        enum postgres_set_number number;
    } sets[] = {
        {&commit->insert_cards, text_insert_cards, "iibtiibiiiiiiiiiibi", SET_INSERT_CARDS},
        {&commit->update_given_back, text_update_given_back, "rrr", SET_UPDATE_GIVEN_BACK},
        {&commit->insert_days, text_insert_days, "rrrrr", SET_INSERT_DAYS},
        {&commit->update_days, text_update_days, "rrrrrr", SET_UPDATE_DAYS},
        {&commit->insert_foreign_days, text_insert_foreign_days, "rrr", SET_INSERT_FOREIGN_DAYS},
        {&commit->update_foreign_days, text_update_foreign_days, "rrrr", SET_UPDATE_FOREIGN_DAYS},
        {&commit->insert_attempts, text_insert_attempts, "iiiiiiiiiiitiii", SET_INSERT_ATTEMPTS},
        {&commit->insert_work, text_insert_work, "iiibiiiiit", SET_INSERT_WORK},
    };
    int err = begin_ledger(commit);
    for (size_t i = 0; err == 0 && i < COUNT_OF(sets); i++)
        err = postgres_set_begin(commit->postgres, sets[i].number, sets[i].text, sets[i].kinds,
                                 sets[i].set);
    return err;
}

/* --- the transaction's end --- */

/* Does it undo anything, which may change proofs? */
static bool has_undone(const struct view *view)
{
    for (int32_t i = 0; i < view->operation_count; i++) {
        enum action action = view->operations[i].operation.action;
        if (view->operations[i].is_new && (action == ACTION_REVERSE || action == ACTION_RECHARGE))
            return true;
    }
    return false;
}

static int send_sets(struct commit *commit, struct postgres_set *const sets[], size_t count,
                     bool is_last)
{
    int err = 0;
    for (size_t i = 0; err == 0 && i < count; i++)
        err = postgres_set_send(commit->postgres, sets[i]);
    if (err == 0 && is_last)
        err = postgres_send_commit(commit->postgres);
    return err != 0 ? err : postgres_sync(commit->postgres);
}

static int receive_sets(struct commit *commit, struct postgres_set *const sets[], size_t count,
                        bool is_last)
{
    int err = 0;
    for (size_t i = 0; err == 0 && i < count; i++) {
        bool has_row;
        err = postgres_set_receive(commit->postgres, sets[i]);
        if (err == 0 && sets[i]->is_sent) /* a count that was right is a row */
            err = postgres_set_step(commit->postgres, sets[i], &has_row);
        if (err == 0 && sets[i]->is_sent)
            sql_reset(sets[i]->statement);
    }
    return err == 0 && is_last ? postgres_receive(commit->postgres, NULL, false) : err;
}

/* is_last: with the COMMIT behind them. */
static int write_sets(struct commit *commit, bool is_last)
{
    struct postgres_set *const sets[] = {
        &commit->insert_cards,        &commit->update_cards,    &commit->update_given_back,
        &commit->insert_days,         &commit->update_days,     &commit->insert_foreign_days,
        &commit->update_foreign_days, &commit->insert_attempts, &commit->insert_work,
    };
    int err = postgres_pipeline(commit->postgres);
    if (err != 0)
        return err;
    err = send_sets(commit, sets, COUNT_OF(sets), is_last);
    if (err == 0)
        err = receive_sets(commit, sets, COUNT_OF(sets), is_last);
    return postgres_end_pipeline(commit->postgres, err);
}

static int commit_all(struct commit *commit)
{
    struct store_postgres *postgres = commit->postgres;
    bool has_proofs = has_undone(&commit->batch->view);
    CHECK(!has_proofs || postgres->has_change_lock);
    int err = write_sets(commit, !has_proofs);
    if (err == 0 && has_proofs)
        err = sql_write_proofs(&postgres->sql, commit->batch);
    return err == 0 && has_proofs ? postgres_driver.commit(&postgres->sql) : err;
}

/* What the ledger counted up stays within what was taken: else it wrote somebody else's ids. */
static void check_ids(const struct store_postgres *postgres, const struct view *view)
{
    CHECK(view->next_card_id <= postgres->card_id_end);
    CHECK(view->next_operation_id <= postgres->operation_id_end);
    CHECK(view->next_transfer_id <= postgres->transfer_id_end);
}

/* Nothing of it can be unknown but whether what it repeats will stay. */
static int commit_nothing(struct store_postgres *postgres, const struct batch *batch)
{
    if (!batch_has_repeated(batch)) {
        postgres_driver.rollback(&postgres->sql);
        return 0;
    }
    int err = postgres_execute(postgres, sql_follow);
    if (err == 0)
        err = postgres_driver.commit(&postgres->sql);
    else
        postgres_driver.rollback(&postgres->sql);
    return err == 0 ? 0 : ERR_COMMIT_UNKNOWN;
}

int postgres_commit(struct store *store, const struct batch *batch)
{
    struct store_postgres *postgres = postgres_of(store);
    struct commit commit = {.postgres = postgres, .batch = batch};
    CHECK(postgres->is_begun);
    check_ids(postgres, &batch->view);
    if (!batch_has_changes(batch))
        return commit_nothing(postgres, batch);
    int err = refuse_unsound(&commit);
    if (err == 0)
        err = begin_sets(&commit);
    if (err == 0) {
        add_rows(&commit);
        err = commit_all(&commit);
    }
    if (err != 0)
        postgres_driver.rollback(&postgres->sql);
    return err;
}

/* --- settling --- */

struct settling {
    struct store_postgres *postgres;
    const struct view *view;
    struct postgres_set bury, count_found, skip_ids, write;
    int64_t wanted;
};

static void settle_seek(struct settling *settling, const struct operation *operation)
{
    struct binder binder = postgres_set_row(&settling->count_found);
    bind_int(&binder, operation->id);
    bind_int(&binder, operation->tenant_id);
    bind_int(&binder, operation->card_id);
    bind_int(&binder, operation->action);
    bind_int(&binder, operation->order_id);
    bind_int(&binder, operation->amount_minor);
    bind_int(&binder, operation->card_version_after);
    bind_int(&binder, operation->created_at_us);
}

/*
 * A tombstone waits for whoever holds its id: for the transaction of the lost connection, should it
 * still be on its way. Once it was written, or something else was found in its place, that
 * transaction has ended.
 */
static void settle_bury(struct settling *settling)
{
    for (int32_t i = 0; i < settling->view->operation_count; i++) {
        const struct operation *operation = &settling->view->operations[i].operation;
        struct operation tombstone = {.id = operation->id,
                                      .tenant_id = operation->tenant_id,
                                      .action = ACTION_VOID,
                                      .created_at_us = operation->created_at_us};
        if (!settling->view->operations[i].is_new)
            continue;
        struct binder binder = postgres_set_row(&settling->bury);
        row_bind_operation(&binder, &tombstone);
        settle_seek(settling, operation);
    }
    settling->wanted = settling->bury.row_count;
    CHECK(settling->wanted > 0);
}

/* A new primary's sequences may be behind ids that the tombstones take. */
static void settle_skip_ids(struct settling *settling)
{
    struct binder binder = {.statement = settling->skip_ids.statement};
    bind_int(&binder, settling->view->next_card_id - 1);
    bind_int(&binder, settling->view->next_operation_id - 1);
    bind_int(&binder, settling->view->next_transfer_id - 1);
    settling->skip_ids.row_count = 1;
    /* Something is always written, so that what was found there is as safe as a commit before we
     * say so: on the replica too. */
    settling->write.row_count = 1;
}

static int settle_begin(struct settling *settling)
{
    struct store_postgres *postgres = settling->postgres;
    int err =
        postgres_set_begin(postgres, SET_BURY, text_bury, "rrrrrrrrrrrrrrrrrr", &settling->bury);
    if (err == 0)
        err = postgres_set_begin(postgres, SET_COUNT_FOUND, text_count_found, "rrrrrrrr",
                                 &settling->count_found);
    if (err == 0)
        err = postgres_set_begin(postgres, SET_SKIP_IDS, text_skip_ids, "", &settling->skip_ids);
    if (err == 0)
        err = postgres_set_begin(postgres, SET_WRITE, text_write, "", &settling->write);
    return err;
}

static int settle_send(struct settling *settling)
{
    struct store_postgres *postgres = settling->postgres;
    int err = postgres_send_begin(postgres);
    if (err == 0)
        err = postgres_set_send(postgres, &settling->bury);
    if (err == 0)
        err = postgres_set_send(postgres, &settling->count_found);
    if (err == 0)
        err = postgres_set_send(postgres, &settling->skip_ids);
    if (err == 0)
        err = postgres_set_send(postgres, &settling->write);
    return err != 0 ? err : postgres_sync(postgres);
}

static int settle_receive(struct settling *settling, int64_t *found)
{
    struct store_postgres *postgres = settling->postgres;
    bool has_row = false;
    int err = postgres_receive(postgres, NULL, false); /* BEGIN */
    if (err == 0)
        err = postgres_set_receive(postgres, &settling->bury);
    if (err == 0)
        err = postgres_set_receive(postgres, &settling->count_found);
    if (err == 0)
        err = postgres_set_step(postgres, &settling->count_found, &has_row);
    if (err == 0) {
        CHECK(has_row); /* a count always has a row */
        *found = sql_column_int(settling->count_found.statement, 0);
        sql_reset(settling->count_found.statement);
        err = postgres_set_receive(postgres, &settling->skip_ids);
    }
    if (err == 0) {
        sql_reset(settling->skip_ids.statement);
        err = postgres_set_receive(postgres, &settling->write);
    }
    return err;
}

/* One transaction holds all operations of a batch, so all are there or none is. */
static int settle_judge(const struct settling *settling, int64_t found, bool *happened)
{
    *happened = found == settling->wanted;
    if (found == 0 || *happened)
        return 0;
    log_event(LOG_ERROR, "batch_is_torn", LOG_INT("wanted", settling->wanted),
              LOG_INT("found", found));
    return ERR_STORE_CORRUPT;
}

static int settle_find(struct settling *settling, bool *happened)
{
    int64_t found = 0;
    int err = postgres_pipeline(settling->postgres);
    if (err != 0)
        return err;
    err = settle_send(settling);
    if (err == 0)
        err = settle_receive(settling, &found);
    err = postgres_end_pipeline(settling->postgres, err);
    return err != 0 ? err : settle_judge(settling, found, happened);
}

int postgres_settle(struct store *store, const struct batch *batch, bool *happened)
{
    struct store_postgres *postgres = postgres_of(store);
    struct settling settling = {.postgres = postgres, .view = &batch->view};
    CHECK(!sql_is_in_transaction(&postgres->sql));
    int err = postgres_connect(postgres);
    if (err == 0)
        err = settle_begin(&settling);
    if (err != 0)
        return err;
    settle_bury(&settling);
    settle_skip_ids(&settling);
    err = settle_find(&settling, happened);
    if (err == 0)
        return postgres_driver.commit(&postgres->sql);
    postgres_driver.rollback(&postgres->sql);
    return err;
}
