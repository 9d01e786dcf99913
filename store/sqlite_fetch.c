/*
 * Fetch: begins the writer's transaction and loads what a batch needs into its view.
 */
#include "store/sqlite_driver.h"

#include "base/check.h"

#include <string.h>

#include "base/banned.h"

/* Rows that one look-up of an order reads before it stops filtering: more charges of one card on
 * one order, or without any, are not a till's doing, and must not stop all others. */
#define ORDER_REACH 1024
/* Without an order nothing older than this is asked for: the longest window of that kind (a tenant
 * may set a day) is looked up first, this much more for clocks and queues. */
#define NO_ORDER_SLACK_US (INT64_C(60) * 1000000)
/* A card that is not there: its look-up costs what that of one that is there costs. */
#define NO_CARD_ID (-1)
/* Operations of one card that a refund without a known sale looks back over: more than ten a day
 * for the 90 days it may reach. By count, never by time alone: a clock may have jumped. */
#define RECENT_REACH 1024

/* --- ids --- */

static int64_t at_least(int64_t id, int64_t floor_id)
{
    return id > floor_id ? id : floor_id;
}

/* From the tables at the start and after every rollback; counted in memory in between. */
static int fetch_ids(struct sql *sql, struct view *view)
{
    struct store_sqlite *sqlite = sqlite_of_sql(sql);
    if (sqlite->next_operation_id == 0) {
        struct sql_statement *statement;
        int err = sqlite_prepare(sql, OWN_READ_LAST_IDS, &statement);
        if (err != 0)
            return err;
        err = sql_step_to_row(sql, statement);
        CHECK(err != ERR_NOT_FOUND); /* a maximum always has a row */
        if (err != 0)
            return err;
        struct columns columns = {.statement = statement};
        sqlite->next_card_id = at_least(column_int(&columns) + 1, sqlite->floor_card_id);
        sqlite->next_operation_id = at_least(column_int(&columns) + 1, sqlite->floor_operation_id);
        sqlite->next_transfer_id = at_least(column_int(&columns) + 1, sqlite->floor_transfer_id);
        sql_reset(statement);
    }
    view->next_card_id = sqlite->next_card_id;
    view->next_operation_id = sqlite->next_operation_id;
    view->next_transfer_id = sqlite->next_transfer_id;
    return 0;
}

/* --- cards: each once per batch --- */

static bool is_commands(const struct card *card, const struct command *command)
{
    return card->tenant_id == command->tenant_id &&
           memcmp(card->index, command->card_index, CARD_INDEX_BYTES) == 0;
}

/* The slot of a card, or the free one where it belongs. An index is a MAC, so its first bytes are
 * as good as any hash; and who chooses numbers cannot choose slots. */
static int32_t *card_slot(struct store_sqlite *sqlite, const struct view *view,
                          const struct command *command)
{
    uint64_t hash;
    memcpy(&hash, command->card_index, sizeof(hash));
    for (uint64_t i = hash;; i++) {
        int32_t *slot = &sqlite->card_slots[i % CARD_SLOTS];
        if (*slot == VIEW_NONE)
            return slot;
        const struct card *card = &view->cards[*slot].card;
        if (is_commands(card, command))
            return slot;
    }
}

/* By its id where that is known, without the index. Of unsold stock it never is: it must take as
 * long as an unknown number. */
static int find_card(struct sql *sql, const struct command *command, struct card *card)
{
    struct card_ids *ids = sqlite_of_sql(sql)->card_ids;
    int64_t id = card_ids_find(ids, command->card_index);
    int err = id == 0 ? ERR_NOT_FOUND : sql_read_card_by_id(&sql->store, id, card);
    if ((err == 0 && is_commands(card, command)) || (err != 0 && err != ERR_NOT_FOUND))
        return err;
    err = sql_find_card(sql, command->tenant_id, command->card_index, card);
    if (err == 0 && card->status != CARD_STOCK)
        card_ids_note(ids, command->card_index, card->id);
    return err;
}

static int fetch_card(struct sql *sql, struct view *view, const struct command *command,
                      int32_t *card)
{
    int32_t *slot = card_slot(sqlite_of_sql(sql), view, command);
    if (*slot == VIEW_NONE) {
        struct view_card *added = &view->cards[view->card_count];
        *added = (struct view_card){.operation_newest = VIEW_NONE, .new_card = VIEW_NONE};
        int err = find_card(sql, command, &added->card);
        if (err == ERR_NOT_FOUND)
            return 0;
        if (err != 0)
            return err;
        added->version_loaded = added->card.version;
        *slot = view->card_count++;
    }
    *card = *slot;
    return 0;
}

/* --- operations --- */

static bool is_of_register(const struct command *command, const struct operation *operation)
{
    return operation->site_id == command->site_id && operation->register_id == command->register_id;
}

/* Which of the rows that the look-up gives does the command's decision want? */
static bool is_wanted(const struct command *command, const struct operation *operation)
{
    if (command->order_id == 0 && !is_of_register(command, operation))
        return false;
    bool is_load = operation->action == ACTION_TOP_UP || operation->action == ACTION_HOLD_LOAD ||
                   operation->action == ACTION_RELEASE;
    /* However many charges an order has, they do not hide what was loaded on it. */
    return is_load || (command->action != ACTION_TOP_UP && command->action != ACTION_RELEASE);
}

static bool is_past(const struct command *command, const struct operation *operation)
{
    int64_t age_us = command->received_at_us - operation->created_at_us;
    return command->order_id == 0 &&
           age_us > command->policy.replay_window_no_order_us + NO_ORDER_SLACK_US;
}

static int fetch_order_part(struct sql *sql, struct view *view, const struct command *command,
                            int64_t order_id, int32_t card, bool is_refused)
{
    struct sql_statement *statement;
    int err = sql_prepare(sql, STATEMENT_READ_ORDER_OPERATIONS, &statement);
    if (err != 0)
        return err;
    struct binder binder = {.statement = statement};
    bind_int(&binder, command->tenant_id);
    bind_int(&binder, order_id);
    bind_int(&binder, is_refused);
    bind_int(&binder, card == VIEW_NONE ? NO_CARD_ID : view->cards[card].card.id);
    bind_int(&binder, ORDER_REACH);
    int32_t left = is_refused ? ORDER_REFUSALS_MAX : ORDER_OPERATIONS_MAX;
    bool has_row;
    err = sql_step(sql, statement, &has_row);
    while (err == 0 && has_row && left > 0) {
        struct operation operation;
        err = row_read_operation(statement, &operation);
        if (err != 0 || is_past(command, &operation))
            break;
        if (is_wanted(command, &operation)) {
            view_add_operation(view, card, &operation);
            left--;
        }
        err = sql_step(sql, statement, &has_row);
    }
    sql_reset(statement);
    return err;
}

static int fetch_order_operations(struct sql *sql, struct view *view, const struct command *command,
                                  int32_t card)
{
    int err = fetch_order_part(sql, view, command, command->order_id, card, false);
    return err != 0 ? err : fetch_order_part(sql, view, command, command->order_id, card, true);
}

static int fetch_order_is_known(struct sql *sql, int64_t tenant_id, int64_t order_id,
                                bool *is_known)
{
    struct sql_statement *statement;
    int err = sql_prepare(sql, STATEMENT_READ_ORDER_IS_KNOWN, &statement);
    if (err != 0)
        return err;
    struct binder binder = {.statement = statement};
    bind_int(&binder, tenant_id);
    bind_int(&binder, order_id);
    bind_int(&binder, ACTION_CHARGE);
    bind_int(&binder, ACTION_RECHARGE);
    err = sql_step(sql, statement, is_known);
    sql_reset(statement);
    return err;
}

/* Of another card it is as if it were not there. */
static int fetch_answered(struct sql *sql, struct view *view, int64_t id, int32_t card)
{
    struct operation operation;
    int err = sql_find_operation(sql, id, &operation);
    if (err != 0)
        return err == ERR_NOT_FOUND ? 0 : err;
    if (operation.card_id == view->cards[card].card.id)
        view_add_operation(view, card, &operation);
    return 0;
}

static bool is_open_charge(const struct operation *operation, int64_t since_us)
{
    return operation_is_charge(operation) && !operation_is_undone(operation) &&
           operation->created_at_us >= since_us;
}

static int fetch_recent_charges(struct sql *sql, struct view *view, int32_t card, int64_t since_us)
{
    int64_t id = view->cards[card].card.last_operation_id;
    int32_t added = 0;
    for (int32_t i = 0; id != 0 && i < RECENT_REACH && added < RECENT_CHARGES_MAX; i++) {
        struct operation operation;
        int err = sql_find_operation(sql, id, &operation);
        if (err != 0) /* a chain that leads nowhere is damage, not an answer */
            return err == ERR_NOT_FOUND ? ERR_STORE_CORRUPT : err;
        if (operation.card_id != view->cards[card].card.id)
            return ERR_STORE_CORRUPT;
        if (is_open_charge(&operation, since_us)) {
            view_add_operation(view, card, &operation);
            added++;
        }
        id = operation.previous_operation_id;
    }
    return 0;
}

/* --- register days --- */

static bool is_same_day(const struct register_day *a, const struct register_day *b)
{
    return a->register_id == b->register_id && a->site_id == b->site_id &&
           a->tenant_id == b->tenant_id && a->local_date == b->local_date;
}

static int read_day(struct sql *sql, struct view_day *view_day)
{
    struct register_day *day = &view_day->day;
    struct sql_statement *statement;
    bool has_row;
    int err = sql_prepare(sql, STATEMENT_READ_DAY, &statement);
    if (err != 0)
        return err;
    struct binder binder = {.statement = statement};
    bind_int(&binder, day->tenant_id);
    bind_int(&binder, day->site_id);
    bind_int(&binder, day->register_id);
    bind_int(&binder, day->local_date);
    err = sql_step(sql, statement, &has_row);
    if (has_row)
        day->refunded_minor = column_int(&(struct columns){.statement = statement});
    sql_reset(statement);
    view_day->is_new = !has_row;
    view_day->refunded_minor_loaded = day->refunded_minor;
    return err;
}

static int fetch_day(struct sql *sql, struct view *view, const struct command *command,
                     int32_t *index)
{
    struct view_day wanted = {.day = {.tenant_id = command->tenant_id,
                                      .site_id = command->site_id,
                                      .register_id = command->register_id,
                                      .local_date = command->local_date}};
    for (int32_t i = 0; i < view->day_count; i++) {
        if (is_same_day(&view->days[i].day, &wanted.day)) {
            *index = i;
            return 0;
        }
    }
    int err = read_day(sql, &wanted);
    if (err != 0)
        return err;
    *index = view->day_count++;
    view->days[*index] = wanted;
    return 0;
}

/* --- the batch --- */

static int fetch_history(struct sql *sql, struct view *view, const struct command *command,
                         const struct keys *keys, const struct scope *scope)
{
    bool *has_recent_charges = sqlite_of_sql(sql)->has_recent_charges;
    int err = 0;
    if (keys->wants_order_operations)
        err = fetch_order_operations(sql, view, command, scope->card);
    if (err == 0 && keys->wants_refunded_operations && scope->order_is_known)
        err = fetch_order_part(sql, view, command, keys->sale_order_id, scope->card, false);
    if (err == 0 && keys->answers_operation_id != 0 && scope->card != VIEW_NONE)
        err = fetch_answered(sql, view, keys->answers_operation_id, scope->card);
    if (scope->card == VIEW_NONE || !ledger_knows(command, &view->cards[scope->card].card))
        return err;
    if (err == 0 && keys->wants_recent_charges && !scope->order_is_known &&
        !has_recent_charges[scope->card]) {
        err = fetch_recent_charges(sql, view, scope->card, keys->recent_since_us);
        has_recent_charges[scope->card] = true; /* commands of a batch are of one moment */
    }
    return err;
}

static int fetch_command(struct sql *sql, struct batch *batch, int32_t at)
{
    const struct command *command = batch->commands[at];
    const struct keys *keys = &batch->keys[at];
    struct scope *scope = &batch->scopes[at];
    *scope = (struct scope){.card = VIEW_NONE, .day = VIEW_NONE, .foreign_day = VIEW_NONE};
    int err = fetch_card(sql, &batch->view, command, &scope->card);
    if (err == 0 && keys->wants_order_is_known)
        err = fetch_order_is_known(sql, command->tenant_id, keys->sale_order_id,
                                   &scope->order_is_known);
    if (err == 0)
        err = fetch_history(sql, &batch->view, command, keys, scope);
    if (err == 0 && keys->wants_register_day)
        err = fetch_day(sql, &batch->view, command, &scope->day);
    if (err == 0 && keys->wants_foreign_day)
        err = sql_fetch_foreign_day(sql, &batch->view, command, &scope->foreign_day);
    return err;
}

int sqlite_fetch(struct store *store, struct batch *batch)
{
    struct store_sqlite *sqlite = sqlite_of(store);
    struct sql *sql = &sqlite->sql;
    CHECK(sql->mode == STORE_WRITER);
    CHECK(!sql_is_in_transaction(sql));
    if (sqlite->scout != NULL)
        scout_forget(sqlite->scout);
    int err = sqlite_driver.begin_change(sql);
    if (err != 0)
        return err;
    for (size_t i = 0; i < CARD_SLOTS; i++)
        sqlite->card_slots[i] = VIEW_NONE;
    memset(sqlite->has_recent_charges, 0, sizeof(sqlite->has_recent_charges));
    err = fetch_ids(sql, &batch->view);
    for (int32_t i = 0; err == 0 && i < batch->count; i++)
        err = fetch_command(sql, batch, i);
    if (err != 0)
        sqlite_rollback(sql);
    return err;
}
