/*
 * What the ledger says of an operation that has a proof, kept beside it: the reversals and
 * recharges that answer it, and refunds of what the register does not show.
 *
 * A refund at the till of a charge that no order shows, and that is not shown itself, is a reversal
 * by another name. Its proof ends reversed, with nothing taken again; what it gave then counts on
 * the charges that it answers, and both come to nothing.
 *
 * A refund that is shown gives back the newest charges of its sale, and one of them may turn out
 * not to be shown. Nothing is left of that one; a reversal of another charge of the sale gives its
 * amount in its place, and counts on it.
 */
#include "store/sql.h"

#include "base/check.h"

#include "base/banned.h"

enum ledger_statement {
    LEDGER_REFRESH,
    LEDGER_READ_REFUND,
    LEDGER_READ_MISSING,
    LEDGER_READ_PLACE,
    LEDGER_READ_OFFSETS,
    LEDGER_DELETE_OFFSETS,
    LEDGER_ADD_OFFSET,
    LEDGER_STATEMENTS,
};

/* Of operation ?1. */
#define TREE_MINOR PROOF_TREE_MINOR("?1")
#define OFFSET_MINOR PROOF_OFFSET_MINOR("?1")

static const char *const ledger_text[LEDGER_STATEMENTS] = {
    [LEDGER_REFRESH] = "UPDATE proof SET ledger_minor = booked_minor + " TREE_MINOR
                       " + " OFFSET_MINOR " WHERE operation_id = ?1",
    [LEDGER_READ_REFUND] = "SELECT state, booked_minor + " TREE_MINOR
                           " FROM proof WHERE operation_id = ?1 AND action = 4",
    [LEDGER_READ_MISSING] =
        "SELECT state = 3 OR (state = 4 AND reason = 17) FROM proof WHERE operation_id = ?",
    [LEDGER_READ_PLACE] =
        "SELECT operation_id FROM proof_offset WHERE by_operation_id = ? AND amount_minor > 0",
    [LEDGER_READ_OFFSETS] = "SELECT operation_id FROM proof_offset WHERE by_operation_id = ?",
    [LEDGER_DELETE_OFFSETS] = "DELETE FROM proof_offset WHERE by_operation_id = ?",
    /* A charge and its recharge, both refunded, are one request of the register. */
    [LEDGER_ADD_OFFSET] = "INSERT INTO proof_offset (by_operation_id, operation_id, amount_minor) "
                          "VALUES (?, ?, ?) ON CONFLICT (by_operation_id, operation_id) "
                          "DO UPDATE SET amount_minor = proof_offset.amount_minor + "
                          "excluded.amount_minor",
};

_Static_assert(PROOF_REVERSED == 3 && PROOF_LISTED == 4 && PROOF_REASON_REFUND_SHOWN == 17,
               "LEDGER_READ_MISSING is proof_is_missing");

static int ledger_prepare(struct sql *sql, enum ledger_statement which, struct binder *binder)
{
    CHECK(LEDGER_STATEMENTS <= AREA_STATEMENTS_MAX);
    *binder = (struct binder){0};
    return sql_prepare_of(sql, AREA_PROOF_LEDGER, (int)which, ledger_text[which],
                          &binder->statement);
}

static int run_of_operation(struct sql *sql, enum ledger_statement which, int64_t operation_id)
{
    struct binder binder;
    int err = ledger_prepare(sql, which, &binder);
    if (err != 0)
        return err;
    bind_int(&binder, operation_id);
    return sql_finish(sql, binder.statement); /* no row: the scan makes it with all of this */
}

static bool is_answer(const struct operation *operation)
{
    return (operation->action == ACTION_REVERSE || operation->action == ACTION_RECHARGE) &&
           operation->result == RESULT_OK;
}

/* Up to the request of a register that an operation is all about. */
static int find_root(struct sql *sql, struct operation operation, int64_t *root_id)
{
    int err = 0;
    while (err == 0 && is_answer(&operation)) {
        if (operation.answers_operation_id >= operation.id)
            return ERR_STORE_CONSTRAINT; /* what it answers came before it */
        err = sql_find_operation(sql, operation.answers_operation_id, &operation);
    }
    *root_id = operation.id;
    return err == ERR_NOT_FOUND ? ERR_STORE_CONSTRAINT : err;
}

/* --- refunds of what is not shown --- */

/* A refund writes one transfer per charge that it answers. */
#define OFFSETS_MAX (ORDER_OPERATIONS_MAX + RECENT_CHARGES_MAX)

struct offsets {
    int64_t operation_ids[2 * OFFSETS_MAX]; /* before and after */
    int32_t count;
    struct transfer transfers[OFFSETS_MAX];
    int32_t transfer_count;
};

static int add_id(struct offsets *offsets, int64_t operation_id)
{
    if (offsets->count == (int32_t)COUNT_OF(offsets->operation_ids))
        return ERR_STORE_CORRUPT;
    offsets->operation_ids[offsets->count++] = operation_id;
    return 0;
}

static int read_offsets(struct sql *sql, int64_t refund_id, struct offsets *offsets)
{
    struct binder binder;
    bool has_row;
    int err = ledger_prepare(sql, LEDGER_READ_OFFSETS, &binder);
    if (err != 0)
        return err;
    bind_int(&binder, refund_id);
    err = sql_step(sql, binder.statement, &has_row);
    while (err == 0 && has_row) {
        err = add_id(offsets, column_int(&(struct columns){.statement = binder.statement}));
        if (err == 0)
            err = sql_step(sql, binder.statement, &has_row);
    }
    sql_reset(binder.statement);
    return err;
}

static int insert_offset(struct sql *sql, int64_t refund_id, int64_t operation_id,
                         int64_t amount_minor)
{
    struct binder binder;
    int err = ledger_prepare(sql, LEDGER_ADD_OFFSET, &binder);
    if (err != 0)
        return err;
    bind_int(&binder, refund_id);
    bind_int(&binder, operation_id);
    bind_int(&binder, amount_minor);
    return sql_finish(sql, binder.statement);
}

static void on_transfer(void *context, const struct transfer *transfer)
{
    struct offsets *offsets = context;
    if (transfer->cause == CAUSE_REFUND && offsets->transfer_count < OFFSETS_MAX)
        offsets->transfers[offsets->transfer_count++] = *transfer;
}

/* One that the register shows nowhere (proof_is_missing). */
static int read_missing(struct sql *sql, int64_t charge_id, bool *is_missing)
{
    struct binder binder;
    int err = ledger_prepare(sql, LEDGER_READ_MISSING, &binder);
    if (err != 0)
        return err;
    bind_int(&binder, charge_id);
    err = sql_step_to_row(sql, binder.statement);
    struct columns columns = {.statement = binder.statement};
    *is_missing = err == 0 && column_bool(&columns);
    sql_reset(binder.statement);
    return err == ERR_NOT_FOUND ? 0 : err;
}

/* The part of one transfer; what is left then stays for others. */
static int write_offset(struct sql *sql, int64_t refund_id, const struct transfer *transfer,
                        bool wants_missing, int64_t *left_minor, struct offsets *offsets)
{
    int64_t part_minor =
        transfer->amount_minor < *left_minor ? transfer->amount_minor : *left_minor;
    struct operation charge;
    int64_t root_id;
    bool is_missing = false;
    int err = sql_find_operation(sql, transfer->answers_operation_id, &charge);
    if (err == 0)
        err = find_root(sql, charge, &root_id);
    if (err == 0)
        err = read_missing(sql, root_id, &is_missing);
    if (err != 0 || is_missing != wants_missing)
        return err;
    err = insert_offset(sql, refund_id, root_id, part_minor);
    *left_minor -= part_minor;
    return err != 0 ? err : add_id(offsets, root_id);
}

/* What is left of it after recharges: of charges that are not shown either before the others, for
 * of the others it was taken back. */
static int write_offsets(struct sql *sql, int64_t refund_id, int64_t left_minor,
                         struct offsets *offsets)
{
    int err = sql_each_operation_transfer(&sql->store, refund_id, on_transfer, offsets);
    for (int round = 0; round < 2; round++)
        for (int32_t i = 0; err == 0 && left_minor > 0 && i < offsets->transfer_count; i++)
            err = write_offset(sql, refund_id, &offsets->transfers[i], round == 0, &left_minor,
                               offsets);
    return err;
}

static int rewrite_offsets(struct sql *sql, int64_t refund_id, bool is_reversed, int64_t left_minor)
{
    struct offsets offsets;
    offsets.count = 0;
    offsets.transfer_count = 0;
    int err = read_offsets(sql, refund_id, &offsets);
    if (err == 0 && offsets.count > 0)
        err = run_of_operation(sql, LEDGER_DELETE_OFFSETS, refund_id);
    if (err == 0 && is_reversed)
        err = write_offsets(sql, refund_id, left_minor, &offsets);
    for (int32_t i = 0; err == 0 && i < offsets.count; i++)
        err = run_of_operation(sql, LEDGER_REFRESH, offsets.operation_ids[i]);
    if (err == 0 && offsets.count > 0)
        err = run_of_operation(sql, LEDGER_REFRESH, refund_id);
    return err;
}

int sql_settle_refund(struct sql *sql, int64_t operation_id)
{
    struct binder binder;
    int err = ledger_prepare(sql, LEDGER_READ_REFUND, &binder);
    if (err != 0)
        return err;
    bind_int(&binder, operation_id);
    err = sql_step_to_row(sql, binder.statement);
    if (err != 0)
        return err == ERR_NOT_FOUND ? 0 : err; /* no refund, or one without a proof */
    struct columns columns = {.statement = binder.statement};
    bool is_reversed = column_int(&columns) == PROOF_REVERSED;
    int64_t left_minor = -column_int(&columns);
    sql_reset(binder.statement);
    return rewrite_offsets(sql, operation_id, is_reversed, left_minor);
}

/* --- reversals and recharges --- */

static int write_answer(struct sql *sql, const struct operation *answer)
{
    int64_t root_id;
    int err = find_root(sql, *answer, &root_id);
    if (err == 0)
        err = run_of_operation(sql, LEDGER_REFRESH, root_id);
    return err != 0 ? err : sql_settle_refund(sql, root_id);
}

/* Both are charges of one card and order, or it would be somebody else's money. */
static int check_place(struct sql *sql, const struct operation *reversal, int64_t in_place_of_id)
{
    struct operation charge;
    int err = sql_find_operation(sql, in_place_of_id, &charge);
    bool is_good = err == 0 && charge.action == ACTION_CHARGE && charge.result == RESULT_OK &&
                   charge.card_id == reversal->card_id && charge.order_id == reversal->order_id;
    return err == ERR_NOT_FOUND || (err == 0 && !is_good) ? ERR_STORE_CONSTRAINT : err;
}

static int insert_place(struct sql *sql, int64_t reversal_id, int64_t root_id,
                        int64_t in_place_of_id, int64_t amount_minor)
{
    int err = insert_offset(sql, reversal_id, in_place_of_id, amount_minor);
    return err != 0 ? err : insert_offset(sql, reversal_id, root_id, -amount_minor);
}

/* What it gave in the place of another charge, and was not taken again, counts there. */
static int write_place(struct sql *sql, const struct operation *reversal, int64_t in_place_of_id)
{
    int64_t left_minor = reversal->amount_minor - reversal->given_back_minor;
    int64_t root_id;
    int err = check_place(sql, reversal, in_place_of_id);
    if (err == 0)
        err = find_root(sql, *reversal, &root_id);
    if (err == 0)
        err = run_of_operation(sql, LEDGER_DELETE_OFFSETS, reversal->id);
    if (err == 0 && left_minor > 0)
        err = insert_place(sql, reversal->id, root_id, in_place_of_id, left_minor);
    if (err == 0)
        err = run_of_operation(sql, LEDGER_REFRESH, in_place_of_id);
    return err != 0 ? err : run_of_operation(sql, LEDGER_REFRESH, root_id);
}

/* The charge that a reversal was meant for; 0: the one that it answers. */
static int read_place(struct sql *sql, int64_t reversal_id, int64_t *in_place_of_id)
{
    struct binder binder;
    int err = ledger_prepare(sql, LEDGER_READ_PLACE, &binder);
    if (err != 0)
        return err;
    bind_int(&binder, reversal_id);
    err = sql_step_to_row(sql, binder.statement);
    *in_place_of_id = err == 0 ? column_int(&(struct columns){.statement = binder.statement}) : 0;
    sql_reset(binder.statement);
    return err == ERR_NOT_FOUND ? 0 : err;
}

/* A recharge takes again what such a reversal gave. */
static int rewrite_place(struct sql *sql, int64_t reversal_id)
{
    struct operation reversal;
    int64_t in_place_of_id;
    int err = sql_find_operation(sql, reversal_id, &reversal);
    if (err != 0 || reversal.action != ACTION_REVERSE)
        return err;
    err = read_place(sql, reversal_id, &in_place_of_id);
    return err != 0 || in_place_of_id == 0 ? err : write_place(sql, &reversal, in_place_of_id);
}

int sql_write_proofs(struct sql *sql, const struct batch *batch)
{
    int err = 0;
    for (int32_t i = 0; err == 0 && i < batch->view.operation_count; i++) {
        const struct view_operation *each = &batch->view.operations[i];
        if (!each->is_new || !is_answer(&each->operation))
            continue;
        err = write_answer(sql, &each->operation);
        if (err == 0 && each->in_place_of_id != 0)
            err = write_place(sql, &each->operation, each->in_place_of_id);
        else if (err == 0 && each->operation.action == ACTION_RECHARGE)
            err = rewrite_place(sql, each->operation.answers_operation_id);
    }
    return err;
}

const char *sql_proof_ledger_text(int index)
{
    return index >= 0 && index < LEDGER_STATEMENTS ? ledger_text[index] : NULL;
}
