/*
 * Reading: single cards, a card's history along its chains, totals; and the merchant's switch on
 * one card.
 */
#include "store/sql.h"

#include "base/check.h"

#include "base/banned.h"

static int read_int(struct store *store, enum statement which, int64_t *value)
{
    struct sql *sql = sql_of(store);
    struct sql_statement *statement;
    int err = sql_prepare(sql, which, &statement);
    if (err != 0)
        return err;
    err = sql_step_to_row(sql, statement);
    if (err != 0)
        return err == ERR_NOT_FOUND ? ERR_STORE_CORRUPT : err;
    *value = column_int(&(struct columns){.statement = statement});
    sql_reset(statement);
    return 0;
}

int sql_generation(struct store *store, int64_t *generation)
{
    return read_int(store, STATEMENT_READ_META, generation);
}

int sql_hot_generation(struct store *store, int64_t *generation)
{
    return read_int(store, STATEMENT_READ_HOT_GENERATION, generation);
}

int sql_last_operation(struct store *store, int64_t *operation_id)
{
    return read_int(store, STATEMENT_READ_LAST_OPERATION, operation_id);
}

/* By any amount, so that two copies of a store do not come to the same one. */
static int64_t any_raise(void)
{
    struct id_source source = id_source_system();
    uint8_t bytes[2];
    source.fill(source.context, bytes, sizeof(bytes));
    return 1 + bytes[0] + (bytes[1] << 8);
}

int sql_raise_hot_generation(struct store *store, int64_t *generation)
{
    struct sql *sql = sql_of(store);
    struct sql_statement *statement;
    int err = sql_prepare(sql, STATEMENT_RAISE_HOT_GENERATION, &statement);
    if (err != 0)
        return err;
    bind_int(&(struct binder){.statement = statement}, any_raise());
    err = sql_finish(sql, statement);
    return err != 0 ? err : sql_hot_generation(store, generation);
}

int sql_read_card(struct store *store, int64_t tenant_id, const uint8_t index[CARD_INDEX_BYTES],
                  struct card *card)
{
    return sql_find_card(sql_of(store), tenant_id, index, card);
}

int sql_read_card_by_last4(struct store *store, int64_t tenant_id, const char last4[5],
                           struct card *card)
{
    struct sql *sql = sql_of(store);
    struct sql_statement *statement;
    int err = sql_prepare(sql, STATEMENT_READ_CARD_BY_LAST4, &statement);
    if (err != 0)
        return err;
    struct binder binder = {.statement = statement};
    bind_int(&binder, tenant_id);
    bind_text(&binder, last4);
    bind_int(&binder, CARD_STOCK);
    bool has_row;
    bool has_second = false;
    err = sql_step(sql, statement, &has_row);
    if (has_row)
        err = row_read_card(statement, card);
    if (err == 0 && has_row)
        err = sql_step(sql, statement, &has_second);
    sql_reset(statement);
    if (err != 0)
        return err;
    return has_row && !has_second ? 0 : ERR_NOT_FOUND;
}

static int write_card_status(struct sql *sql, int64_t tenant_id,
                             const uint8_t index[CARD_INDEX_BYTES], enum card_status status)
{
    struct sql_statement *statement;
    int err = sql_prepare(sql, STATEMENT_UPDATE_CARD_STATUS, &statement);
    if (err != 0)
        return err;
    struct binder binder = {.statement = statement};
    bind_int(&binder, status);
    bind_int(&binder, tenant_id);
    bind_blob(&binder, index, CARD_INDEX_BYTES);
    return sql_finish(sql, statement);
}

int sql_set_card_status(struct store *store, int64_t tenant_id,
                        const uint8_t index[CARD_INDEX_BYTES], enum card_status status,
                        struct card *card)
{
    struct sql *sql = sql_of(store);
    int err = sql_begin_change(sql);
    if (err != 0)
        return err;
    err = sql_find_card(sql, tenant_id, index, card);
    if (err == 0 && card->status == CARD_STOCK)
        err = ERR_NOT_SOLD; /* its first load activates it, and is on record (law 6) */
    if (err == 0)
        err = write_card_status(sql, tenant_id, index, status);
    if (err == 0) /* again: a charge may have been under way until the row was ours */
        err = sql_find_card(sql, tenant_id, index, card);
    return sql_end_change(sql, err);
}

int sql_read_operation(struct store *store, int64_t operation_id, struct operation *operation)
{
    return sql_find_operation(sql_of(store), operation_id, operation);
}

/* Of a bound statement, to its end. */
static int give_operations(struct sql *sql, struct sql_statement *statement,
                           store_operation_fn each, void *context)
{
    bool has_row;
    int err = sql_step(sql, statement, &has_row);
    while (err == 0 && has_row) {
        struct operation operation;
        err = row_read_operation(statement, &operation);
        if (err != 0)
            break;
        each(context, &operation);
        err = sql_step(sql, statement, &has_row);
    }
    sql_reset(statement);
    return err;
}

int sql_each_order_operation(struct store *store, int64_t tenant_id, int64_t order_id,
                             int32_t limit, store_operation_fn each, void *context)
{
    struct sql *sql = sql_of(store);
    struct sql_statement *statement;
    int err = sql_prepare(sql, STATEMENT_READ_WHOLE_ORDER, &statement);
    if (err != 0)
        return err;
    struct binder binder = {.statement = statement};
    bind_int(&binder, tenant_id);
    bind_int(&binder, order_id);
    bind_int(&binder, limit);
    return give_operations(sql, statement, each, context);
}

/* --- history --- */

/* Where a walk along a card's two chains stands. Operations lead; transfers follow them, because
 * both chains run in the order of decision. */
struct walk {
    struct sql *sql;
    int64_t card_id;
    int64_t operation_id;     /* next to read; 0: the end */
    struct transfer transfer; /* the newest not yet given out; id 0: none left */
};

static int find_transfer(struct sql *sql, int64_t id, struct transfer *transfer)
{
    struct sql_statement *statement;
    int err = sql_prepare(sql, STATEMENT_READ_TRANSFER, &statement);
    if (err != 0)
        return err;
    bind_int(&(struct binder){.statement = statement}, id);
    err = sql_step_to_row(sql, statement);
    if (err != 0)
        return err == ERR_NOT_FOUND ? ERR_STORE_CORRUPT : err;
    err = row_read_transfer(statement, transfer);
    sql_reset(statement);
    return err;
}

/* The chains only ever lead to smaller ids; anything else would be damage, and perhaps a circle. */
static int walk_load_transfer(struct walk *walk, int64_t id)
{
    int64_t newer_id = walk->transfer.id;
    walk->transfer.id = 0;
    if (id == 0)
        return 0;
    if (newer_id != 0 && id >= newer_id)
        return ERR_STORE_CORRUPT;
    return find_transfer(walk->sql, id, &walk->transfer);
}

static int walk_skip_newer(struct walk *walk, int64_t operation_id)
{
    int err = 0;
    while (err == 0 && walk->transfer.id != 0 && walk->transfer.operation_id > operation_id)
        err = walk_load_transfer(walk, walk->transfer.previous_transfer_id);
    return err;
}

static int walk_give_entries(struct walk *walk, const struct operation *operation,
                             store_entry_fn each, void *context)
{
    struct entry entry = {.operation = *operation};
    int err = walk_skip_newer(walk, operation->id);
    if (err == 0 && (walk->transfer.id == 0 || walk->transfer.operation_id != operation->id))
        each(context, &entry);
    while (err == 0 && walk->transfer.id != 0 && walk->transfer.operation_id == operation->id) {
        entry.transfer = walk->transfer;
        each(context, &entry);
        err = walk_load_transfer(walk, walk->transfer.previous_transfer_id);
    }
    return err;
}

static int walk_find_operation(struct walk *walk, int64_t id, struct operation *operation)
{
    int err = sql_find_operation(walk->sql, id, operation);
    if (err != 0)
        return err;
    if (operation->card_id != walk->card_id)
        return ERR_NOT_FOUND;
    return operation->previous_operation_id < id ? 0 : ERR_STORE_CORRUPT;
}

static int walk_start(struct walk *walk, int64_t before_operation_id)
{
    struct sql_statement *statement;
    int err = sql_prepare(walk->sql, STATEMENT_READ_CARD_HEADS, &statement);
    if (err != 0)
        return err;
    bind_int(&(struct binder){.statement = statement}, walk->card_id);
    err = sql_step_to_row(walk->sql, statement);
    if (err != 0)
        return err;
    struct columns columns = {.statement = statement};
    walk->operation_id = column_int(&columns);
    int64_t transfer_id = column_int(&columns);
    sql_reset(statement);
    if (before_operation_id != 0) {
        struct operation before;
        err = walk_find_operation(walk, before_operation_id, &before);
        if (err != 0)
            return err;
        walk->operation_id = before.previous_operation_id;
    }
    return walk_load_transfer(walk, transfer_id);
}

static int walk_entries(struct walk *walk, int32_t limit, store_entry_fn each, void *context)
{
    int err = 0;
    for (int32_t i = 0; err == 0 && i < limit && walk->operation_id != 0; i++) {
        struct operation operation;
        err = walk_find_operation(walk, walk->operation_id, &operation);
        if (err != 0)
            return err == ERR_NOT_FOUND ? ERR_STORE_CORRUPT : err;
        walk->operation_id = operation.previous_operation_id;
        err = walk_give_entries(walk, &operation, each, context);
    }
    return err;
}

int sql_each_entry(struct store *store, int64_t card_id, int64_t before_operation_id, int32_t limit,
                   store_entry_fn each, void *context)
{
    struct walk walk = {.sql = sql_of(store), .card_id = card_id};
    bool is_alone = !sql_is_in_transaction(walk.sql);
    int err = is_alone ? sql_begin_read(store) : 0; /* one snapshot for all rows */
    if (err != 0)
        return err;
    err = walk_start(&walk, before_operation_id);
    if (err == 0)
        err = walk_entries(&walk, limit, each, context);
    if (is_alone)
        sql_end_read(store);
    return err;
}

/* --- what an operation moved, and what answers it --- */

static int find_transfer_until(struct sql *sql, int64_t id, struct transfer *transfer)
{
    struct sql_statement *statement;
    int err = sql_prepare(sql, STATEMENT_READ_TRANSFER_UNTIL, &statement);
    if (err != 0)
        return err;
    bind_int(&(struct binder){.statement = statement}, id);
    err = sql_step_to_row(sql, statement);
    if (err != 0)
        return err;
    err = row_read_transfer(statement, transfer);
    sql_reset(statement);
    return err;
}

/* Ids of transfers ascend with those of their operations, all of the store's: so it is found by
 * halving, however long its card's chain is. id 0: it moved nothing. */
static int find_last_transfer(struct sql *sql, int64_t operation_id, struct transfer *last)
{
    struct transfer each;
    int64_t low = 1;
    *last = (struct transfer){.id = 0};
    int err = find_transfer_until(sql, INT64_MAX, &each);
    int64_t high = err == 0 ? each.id : 0;
    while ((err == 0 || err == ERR_NOT_FOUND) && low <= high) {
        int64_t middle = low + (high - low) / 2;
        err = find_transfer_until(sql, middle, &each);
        if (err == 0 && each.operation_id > operation_id) {
            high = each.id - 1;
            continue;
        }
        if (err == 0 && each.operation_id == operation_id)
            *last = each;
        low = middle + 1;
    }
    return err == ERR_NOT_FOUND ? 0 : err;
}

/* They follow one another in the card's chain. */
static int give_transfers(struct sql *sql, const struct operation *operation,
                          store_transfer_fn each, void *context)
{
    struct walk walk = {.sql = sql, .card_id = operation->card_id};
    int err = find_last_transfer(sql, operation->id, &walk.transfer);
    if (err == 0 && walk.transfer.id == 0 && operation->amount_minor != 0)
        return ERR_STORE_CORRUPT;
    while (err == 0 && walk.transfer.id != 0 && walk.transfer.operation_id == operation->id) {
        each(context, &walk.transfer);
        err = walk_load_transfer(&walk, walk.transfer.previous_transfer_id);
    }
    return err;
}

int sql_each_operation_transfer(struct store *store, int64_t operation_id, store_transfer_fn each,
                                void *context)
{
    struct sql *sql = sql_of(store);
    struct operation operation;
    bool is_alone = !sql_is_in_transaction(sql);
    int err = is_alone ? sql_begin_read(store) : 0; /* one snapshot for all rows */
    if (err != 0)
        return err;
    err = sql_find_operation(sql, operation_id, &operation);
    if (err == 0)
        err = give_transfers(sql, &operation, each, context);
    if (is_alone)
        sql_end_read(store);
    return err;
}

static int give_answers(struct sql *sql, int64_t operation_id, store_operation_fn each,
                        void *context)
{
    struct sql_statement *statement;
    int err = sql_prepare(sql, STATEMENT_READ_ANSWERS, &statement);
    if (err != 0)
        return err;
    bind_int(&(struct binder){.statement = statement}, operation_id);
    return give_operations(sql, statement, each, context);
}

int sql_each_answer(struct store *store, int64_t operation_id, store_operation_fn each,
                    void *context)
{
    struct operation operation;
    int err = sql_find_operation(sql_of(store), operation_id, &operation);
    return err != 0 ? err : give_answers(sql_of(store), operation_id, each, context);
}

/* --- totals --- */

int sql_read_totals(struct store *store, struct store_totals *totals)
{
    struct sql *sql = sql_of(store);
    struct sql_statement *statement;
    int err = sql_prepare(sql, STATEMENT_READ_TOTALS, &statement);
    if (err != 0)
        return err;
    err = sql_step_to_row(sql, statement);
    CHECK(err != ERR_NOT_FOUND); /* a count always has a row */
    if (err != 0)
        return err;
    struct columns columns = {.statement = statement};
    totals->cards = column_int(&columns);
    totals->operations = column_int(&columns);
    totals->transfers = column_int(&columns);
    totals->tenants = column_int(&columns);
    sql_reset(statement);
    return 0;
}
