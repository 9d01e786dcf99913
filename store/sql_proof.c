/*
 * Proofs as rows: made from operations by a scan that follows them, and judged with what the ledger
 * says of them by then.
 */
#include "store/sql.h"

#include "base/check.h"
#include "base/log.h"

#include <string.h>

#include "base/banned.h"

enum proof_statement {
    PROOF_SCAN,
    PROOF_READ_IS_NEEDED,
    PROOF_READ_HAS_GRANT,
    PROOF_READ_CURSOR,
    PROOF_MOVE_CURSOR,
    PROOF_INSERT,
    PROOF_SUSPECT,
    PROOF_READ,
    PROOF_READ_OF_ORDER,
    PROOF_UPDATE,
    PROOF_READ_ANSWERS,
    PROOF_READ_PLACED,
    PROOF_READ_CARD,
    PROOF_STATEMENTS,
};

/* Each change of a row has a later time than the one before. */
#define LATER(at) "CASE WHEN " at " > changed_at_us THEN " at " ELSE changed_at_us + 1 END"
/* Of operation ?1. */
#define ANSWERED_MINOR PROOF_TREE_MINOR("?1") " + " PROOF_OFFSET_MINOR("?1")
#define CLAIMED_MINOR                                                                              \
    "(SELECT CAST(coalesce(sum(amount_minor), 0) AS BIGINT) FROM register_payment "                \
    "WHERE register_payment.operation_id = ?1 AND register_payment.operation_id <> 0)"

/* Grants of surface 1 are those of the O-Series; actions 2, 3, 4 and 6 are charges, top-ups,
 * refunds and held top-ups. */
static const char *const proof_text[PROOF_STATEMENTS] = {
    [PROOF_SCAN] = "SELECT " OPERATION_COLUMNS ", result = 0 AND action IN (2, 3, 4, 6) "
                   "AND EXISTS (SELECT 1 FROM oauth_grant "
                   "WHERE oauth_grant.tenant_id = operation.tenant_id AND surface = 1) "
                   "FROM operation WHERE id > ? AND id <= ? ORDER BY id LIMIT ?",
    [PROOF_READ_IS_NEEDED] = "SELECT EXISTS (SELECT 1 FROM tenant CROSS JOIN oauth_grant "
                             "WHERE oauth_grant.tenant_id = tenant.id AND surface = 1)",
    [PROOF_READ_HAS_GRANT] = "SELECT 1 FROM oauth_grant WHERE tenant_id = ? AND surface = 1",
    [PROOF_READ_CURSOR] = "SELECT proof_cursor FROM meta WHERE id = 1",
    [PROOF_MOVE_CURSOR] = "UPDATE meta SET proof_cursor = ? WHERE id = 1 AND proof_cursor = ?",
    /* A reversal may have come between the scan and this, and a payment before the proof. */
    [PROOF_INSERT] =
        "INSERT INTO proof (" PROOF_INSERTED ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, "
        "?11, ?12, ?13, ?14, ?15, ?16, ?17, ?8 + " ANSWERED_MINOR ", " CLAIMED_MINOR ") "
        "ON CONFLICT (operation_id) DO NOTHING",
    [PROOF_SUSPECT] = "UPDATE proof SET is_suspect = 1, changed_at_us = " LATER(
        "?1") " "
              "WHERE operation_id = ?2 AND tenant_id = ?3 RETURNING order_id",
    [PROOF_READ] = "SELECT " PROOF_COLUMNS " FROM proof WHERE operation_id = ?",
    [PROOF_READ_OF_ORDER] =
        "SELECT " PROOF_COLUMNS " FROM proof WHERE tenant_id = ?1 AND order_id = ?2 "
        "AND operation_id >= coalesce((SELECT operation_id FROM proof WHERE tenant_id = ?1 "
        "AND order_id = ?2 ORDER BY operation_id DESC LIMIT 1 OFFSET ?3), 0) ORDER BY operation_id",
    [PROOF_UPDATE] =
        "UPDATE proof SET state = ?1, reason = ?2, is_suspect = ?3, shown_order_id = ?4, "
        "payment_number = ?5, missing_since_us = ?6, changed_at_us = " LATER(
            "?7") ", " PROOF_REMEMBER("state = 2 AND (?1 <> 2 OR shown_order_id <> ?4 OR "
                                      "payment_number <> "
                                      "?5)") " WHERE operation_id = ?8 AND changed_at_us = ?9",
    [PROOF_READ_ANSWERS] =
        PROOF_TREE("?1") "SELECT coalesce(max(id) FILTER (WHERE action = 8), 0), "
                         "coalesce(max(id) FILTER (WHERE action = 9), 0), "
                         "CAST(coalesce(sum(amount_minor) "
                         "FILTER (WHERE action = 8), 0) AS BIGINT), "
                         "CAST(coalesce(sum(amount_minor) "
                         "FILTER (WHERE action = 9), 0) AS BIGINT) "
                         "FROM tree",
    [PROOF_READ_PLACED] = "SELECT CAST(coalesce(-sum(proof_offset.amount_minor), 0) AS BIGINT), "
                          "coalesce(max(operation.id) "
                          "FILTER (WHERE proof_offset.amount_minor > 0), 0) "
                          "FROM proof_offset JOIN operation "
                          "ON operation.id = by_operation_id AND operation.action = 8 "
                          "WHERE proof_offset.operation_id = ?",
    [PROOF_READ_CARD] = "SELECT number_index, last4 FROM card WHERE id = ?",
};

static int proof_prepare(struct sql *sql, enum proof_statement which, struct binder *binder)
{
    CHECK(PROOF_STATEMENTS <= AREA_STATEMENTS_MAX);
    *binder = (struct binder){0};
    return sql_prepare_of(sql, AREA_PROOF, (int)which, proof_text[which], &binder->statement);
}

/* --- rows --- */

int row_read_proof(struct sql_statement *statement, struct proof_facts *facts)
{
    struct columns columns = {.statement = statement};
    struct proof *proof = &facts->proof;
    memset(facts, 0, sizeof(*facts));
    proof->operation_id = column_int(&columns);
    proof->tenant_id = column_int(&columns);
    proof->order_id = column_int(&columns);
    proof->card_id = column_int(&columns);
    proof->site_id = column_int(&columns);
    proof->register_id = column_int(&columns);
    proof->action = (enum action)column_enum(&columns, ACTION_ISSUE, ACTION_RECHARGE);
    proof->booked_minor = column_int(&columns);
    proof->local_date = column_int32(&columns);
    proof->state = (enum proof_state)column_enum(&columns, PROOF_OPEN, PROOF_LISTED);
    proof->reason =
        (enum proof_reason)column_enum(&columns, PROOF_REASON_NONE, PROOF_REASON_NOT_TOLD_APART);
    proof->is_suspect = column_bool(&columns);
    proof->shown_order_id = column_int(&columns);
    proof->payment_number = column_int(&columns);
    proof->missing_since_us = column_int(&columns);
    proof->created_at_us = column_int(&columns);
    proof->changed_at_us = column_int(&columns);
    facts->ledger_minor = column_int(&columns);
    facts->shown_minor = column_int(&columns);
    proof->was_order_id = column_int(&columns);
    proof->was_payment_number = column_int(&columns);
    proof->was_confirmed_at_us = column_int(&columns);
    return columns.is_bad ? ERR_STORE_CORRUPT : 0;
}

static void bind_proof(struct binder *binder, const struct proof *proof)
{
    bind_int(binder, proof->operation_id);
    bind_int(binder, proof->tenant_id);
    bind_int(binder, proof->order_id);
    bind_int(binder, proof->card_id);
    bind_int(binder, proof->site_id);
    bind_int(binder, proof->register_id);
    bind_int(binder, proof->action);
    bind_int(binder, proof->booked_minor);
    bind_int(binder, proof->local_date);
    bind_int(binder, proof->state);
    bind_int(binder, proof->reason);
    bind_int(binder, proof->is_suspect);
    bind_int(binder, proof->shown_order_id);
    bind_int(binder, proof->payment_number);
    bind_int(binder, proof->missing_since_us);
    bind_int(binder, proof->created_at_us);
    bind_int(binder, proof->changed_at_us);
}

/* --- the scan --- */

static int read_is_needed(struct sql *sql, bool *is_needed)
{
    struct binder binder;
    int err = proof_prepare(sql, PROOF_READ_IS_NEEDED, &binder);
    if (err != 0)
        return err;
    err = sql_step_to_row(sql, binder.statement);
    CHECK(err != ERR_NOT_FOUND); /* EXISTS always has a row */
    if (err != 0)
        return err;
    *is_needed = column_bool(&(struct columns){.statement = binder.statement});
    sql_reset(binder.statement);
    return 0;
}

static int scan_rows(struct sql *sql, struct sql_statement *statement, int32_t limit,
                     store_operation_fn each, void *context, int64_t *scanned_to)
{
    bool has_row;
    int err = sql_step(sql, statement, &has_row);
    while (err == 0 && has_row && limit > 0) {
        struct operation operation;
        err = row_read_operation(statement, &operation);
        if (err != 0)
            break;
        int is_wanted = sql_column_count(statement) - 1; /* after OPERATION_COLUMNS */
        if (sql_column_int(statement, is_wanted) != 0) {
            each(context, &operation);
            limit--;
        }
        *scanned_to = operation.id;
        err = sql_step(sql, statement, &has_row);
    }
    sql_reset(statement);
    return err;
}

/* Where nobody is connected the scan is at the end at once, however much is sold. last_id comes
 * first: what is read after it sees all operations up to it. */
static int scan_operations(struct store *store, int64_t after_id, int32_t limit,
                           store_operation_fn each, void *context, int64_t *scanned_to)
{
    struct sql *sql = sql_of(store);
    struct binder binder;
    bool is_needed;
    int64_t last_id;
    *scanned_to = after_id;
    int err = sql_last_operation(store, &last_id);
    if (err == 0)
        err = read_is_needed(sql, &is_needed);
    if (err == 0 && !is_needed && last_id > after_id)
        *scanned_to = last_id;
    if (err != 0 || !is_needed)
        return err;
    err = proof_prepare(sql, PROOF_SCAN, &binder);
    if (err != 0)
        return err;
    bind_int(&binder, after_id);
    bind_int(&binder, last_id);
    bind_int(&binder, PROOF_SCAN_MAX);
    return scan_rows(sql, binder.statement, limit, each, context, scanned_to);
}

static int read_cursor(struct store *store, int64_t *cursor)
{
    struct binder binder;
    int err = proof_prepare(sql_of(store), PROOF_READ_CURSOR, &binder);
    if (err != 0)
        return err;
    err = sql_step_to_row(sql_of(store), binder.statement);
    if (err != 0)
        return err == ERR_NOT_FOUND ? ERR_STORE_CORRUPT : err;
    *cursor = column_int(&(struct columns){.statement = binder.statement});
    sql_reset(binder.statement);
    return 0;
}

/* --- making them --- */

static int move_cursor(struct sql *sql, int64_t before, int64_t after)
{
    struct binder binder;
    int err = proof_prepare(sql, PROOF_MOVE_CURSOR, &binder);
    if (err != 0)
        return err;
    bind_int(&binder, after);
    bind_int(&binder, before);
    err = sql_finish(sql, binder.statement);
    if (err == 0 && sql->changed_count == 0)
        err = ERR_STALE;
    return err;
}

static int insert_proof(struct sql *sql, const struct proof *proof)
{
    struct binder binder;
    int err = proof_prepare(sql, PROOF_INSERT, &binder);
    if (err != 0)
        return err;
    bind_proof(&binder, proof);
    return sql_finish(sql, binder.statement);
}

/* One row an order: its identity is the order's own number. */
static int open_prove_work(struct sql *sql, int64_t tenant_id, int64_t order_id, int64_t now_us)
{
    if (order_id == 0)
        return 0; /* there is nothing to look at */
    struct work work = work_make(tenant_id, WORK_PROVE_ORDER, order_id, order_id, now_us);
    return sql_write_open_work(sql, &work);
}

static int write_proofs(struct sql *sql, const struct proof *proofs, int32_t count, int64_t now_us)
{
    int err = 0;
    for (int32_t i = 0; err == 0 && i < count; i++) {
        bool is_same_order = i > 0 && proofs[i].order_id == proofs[i - 1].order_id &&
                             proofs[i].tenant_id == proofs[i - 1].tenant_id;
        err = insert_proof(sql, &proofs[i]);
        if (err == 0 && !is_same_order)
            err = open_prove_work(sql, proofs[i].tenant_id, proofs[i].order_id, now_us);
    }
    return err;
}

static int add_proofs(struct store *store, int64_t cursor_before, int64_t cursor_after,
                      const struct proof *proofs, int32_t count, int64_t now_us)
{
    struct sql *sql = sql_of(store);
    int err = sql_begin_change(sql);
    if (err != 0)
        return err;
    err = move_cursor(sql, cursor_before, cursor_after);
    if (err == 0)
        err = write_proofs(sql, proofs, count, now_us);
    return sql_end_change(sql, err);
}

/* --- suspects --- */

static int mark_suspect(struct sql *sql, int64_t tenant_id, int64_t operation_id, int64_t now_us,
                        int64_t *order_id)
{
    struct binder binder;
    int err = proof_prepare(sql, PROOF_SUSPECT, &binder);
    if (err != 0)
        return err;
    bind_int(&binder, now_us);
    bind_int(&binder, operation_id);
    bind_int(&binder, tenant_id);
    err = sql_step_to_row(sql, binder.statement);
    if (err != 0)
        return err;
    *order_id = column_int(&(struct columns){.statement = binder.statement});
    sql_reset(binder.statement);
    return 0;
}

static int check_has_grant(struct sql *sql, int64_t tenant_id)
{
    struct binder binder;
    int err = proof_prepare(sql, PROOF_READ_HAS_GRANT, &binder);
    if (err != 0)
        return err;
    bind_int(&binder, tenant_id);
    err = sql_step_to_row(sql, binder.statement);
    sql_reset(binder.statement);
    return err;
}

/* The scan, when it comes to the operation, finds the row there. */
static int insert_suspect(struct sql *sql, int64_t tenant_id, int64_t operation_id,
                          int32_t local_date, int64_t now_us, int64_t *order_id)
{
    struct operation operation;
    int err = sql_find_operation(sql, operation_id, &operation);
    if (err == 0 && (operation.tenant_id != tenant_id || !proof_is_made_of(&operation)))
        err = ERR_NOT_FOUND;
    if (err == 0)
        err = check_has_grant(sql, tenant_id);
    if (err != 0)
        return err;
    struct proof proof = proof_make(&operation, local_date, now_us);
    proof.is_suspect = true;
    *order_id = proof.order_id;
    return insert_proof(sql, &proof);
}

static int suspect(struct store *store, int64_t tenant_id, int64_t operation_id, int32_t local_date,
                   int64_t now_us)
{
    struct sql *sql = sql_of(store);
    int64_t order_id;
    int err = sql_begin_change(sql);
    if (err != 0)
        return err;
    err = mark_suspect(sql, tenant_id, operation_id, now_us, &order_id);
    if (err == ERR_NOT_FOUND)
        err = insert_suspect(sql, tenant_id, operation_id, local_date, now_us, &order_id);
    if (err == 0)
        err = open_prove_work(sql, tenant_id, order_id, now_us);
    return sql_end_change(sql, err);
}

/* --- facts --- */

static int fill_answers(struct sql *sql, struct proof_facts *facts)
{
    struct binder binder;
    int err = proof_prepare(sql, PROOF_READ_ANSWERS, &binder);
    if (err != 0)
        return err;
    bind_int(&binder, facts->proof.operation_id);
    err = sql_step_to_row(sql, binder.statement);
    CHECK(err != ERR_NOT_FOUND); /* sums always have a row */
    if (err != 0)
        return err;
    struct columns columns = {.statement = binder.statement};
    facts->reversed_operation_id = column_int(&columns);
    facts->recharged_operation_id = column_int(&columns);
    facts->reversed_minor = column_int(&columns);
    facts->recharged_minor = column_int(&columns);
    sql_reset(binder.statement);
    return 0;
}

static int fill_card(struct sql *sql, struct proof_facts *facts)
{
    struct binder binder;
    int err = proof_prepare(sql, PROOF_READ_CARD, &binder);
    if (err != 0)
        return err;
    bind_int(&binder, facts->proof.card_id);
    err = sql_step_to_row(sql, binder.statement);
    if (err != 0)
        return err;
    struct columns columns = {.statement = binder.statement};
    column_blob(&columns, facts->card_index, sizeof(facts->card_index));
    column_text(&columns, facts->last4, sizeof(facts->last4));
    sql_reset(binder.statement);
    return columns.is_bad ? ERR_STORE_CORRUPT : 0;
}

static int fill_placed(struct sql *sql, struct proof_facts *facts)
{
    struct binder binder;
    int err = proof_prepare(sql, PROOF_READ_PLACED, &binder);
    if (err != 0)
        return err;
    bind_int(&binder, facts->proof.operation_id);
    err = sql_step_to_row(sql, binder.statement);
    struct columns columns = {.statement = binder.statement};
    if (err == 0) {
        facts->placed_minor = column_int(&columns);
        facts->placed_operation_id = column_int(&columns);
    }
    sql_reset(binder.statement);
    return err;
}

int sql_fill_proof_facts(struct sql *sql, struct proof_facts *facts)
{
    int err = sql_find_operation(sql, facts->proof.operation_id, &facts->operation);
    if (err == 0)
        err = fill_card(sql, facts);
    if (err == 0)
        err = fill_answers(sql, facts);
    if (err == 0)
        err = fill_placed(sql, facts);
    if (err != ERR_NOT_FOUND)
        return err;
    log_event(LOG_ERROR, "proof_of_nothing", LOG_INT("operation_id", facts->proof.operation_id));
    return ERR_STORE_CORRUPT;
}

static int each_proof(struct sql *sql, struct sql_statement *statement, store_proof_fn each,
                      void *context)
{
    bool has_row;
    int err = sql_step(sql, statement, &has_row);
    while (err == 0 && has_row) {
        struct proof_facts facts;
        err = row_read_proof(statement, &facts);
        if (err == 0)
            err = sql_fill_proof_facts(sql, &facts);
        if (err != 0)
            break;
        each(context, &facts);
        err = sql_step(sql, statement, &has_row);
    }
    sql_reset(statement);
    return err;
}

/* The open statement keeps what is read beside it of one moment. */
static int each_order_proof(struct store *store, int64_t tenant_id, int64_t order_id,
                            store_proof_fn each, void *context)
{
    struct binder binder;
    int err = proof_prepare(sql_of(store), PROOF_READ_OF_ORDER, &binder);
    if (err != 0)
        return err;
    bind_int(&binder, tenant_id);
    bind_int(&binder, order_id);
    bind_int(&binder, ORDER_PROOFS_MAX - 1);
    return each_proof(sql_of(store), binder.statement, each, context);
}

static int read_proof(struct store *store, int64_t operation_id, struct proof_facts *facts)
{
    struct sql *sql = sql_of(store);
    struct binder binder;
    int err = proof_prepare(sql, PROOF_READ, &binder);
    if (err != 0)
        return err;
    bind_int(&binder, operation_id);
    err = sql_step_to_row(sql, binder.statement);
    if (err != 0)
        return err;
    err = row_read_proof(binder.statement, facts);
    if (err == 0)
        err = sql_fill_proof_facts(sql, facts);
    sql_reset(binder.statement);
    return err;
}

/* --- changing them --- */

static int check_is_there(struct sql *sql, int64_t operation_id)
{
    struct binder binder;
    int err = proof_prepare(sql, PROOF_READ, &binder);
    if (err != 0)
        return err;
    bind_int(&binder, operation_id);
    err = sql_step_to_row(sql, binder.statement);
    sql_reset(binder.statement);
    return err;
}

static int write_proof(struct sql *sql, const struct proof *proof, int64_t changed_at_before_us)
{
    struct binder binder;
    int err = proof_prepare(sql, PROOF_UPDATE, &binder);
    if (err != 0)
        return err;
    bind_int(&binder, proof->state);
    bind_int(&binder, proof->reason);
    bind_int(&binder, proof->is_suspect);
    bind_int(&binder, proof->shown_order_id);
    bind_int(&binder, proof->payment_number);
    bind_int(&binder, proof->missing_since_us);
    bind_int(&binder, proof->changed_at_us);
    bind_int(&binder, proof->operation_id);
    bind_int(&binder, changed_at_before_us);
    err = sql_finish(sql, binder.statement);
    if (err != 0 || sql->changed_count == 1)
        return err;
    err = check_is_there(sql, proof->operation_id);
    return err == 0 ? ERR_STALE : err;
}

static int update_proof(struct store *store, const struct proof *proof,
                        int64_t changed_at_before_us)
{
    struct sql *sql = sql_of(store);
    int err = sql_begin_change(sql);
    if (err != 0)
        return err;
    err = write_proof(sql, proof, changed_at_before_us);
    if (err == 0)
        err = sql_settle_refund(sql, proof->operation_id);
    return sql_end_change(sql, err);
}

const char *sql_proof_text(int index)
{
    return index >= 0 && index < PROOF_STATEMENTS ? proof_text[index] : NULL;
}

const struct store_backend_proofs sql_proofs = {
    .scan = scan_operations,
    .read_cursor = read_cursor,
    .add = add_proofs,
    .suspect = suspect,
    .each_of_order = each_order_proof,
    .read = read_proof,
    .update = update_proof,
    .put_payments = sql_put_register_payments,
    .each_payment = sql_each_register_payment,
    .each_payment_of_ref = sql_each_payment_of_ref,
    .has_ref = sql_has_payment_ref,
    .each_unclaimed = sql_each_unclaimed_payment,
    .put_order_seen = sql_put_order_seen,
    .read_order_seen = sql_read_order_seen,
    .forget_orders = sql_forget_orders,
    .put_sweep = sql_put_sweep,
    .read_sweep = sql_read_sweep,
    .count_unread = sql_count_unread_orders,
    .read_totals = sql_read_proof_totals,
    .each_unproved = sql_each_unproved,
    .count_open_items = sql_count_open_items,
    .each_open_item = sql_each_open_item,
    .each_operation_after = sql_each_operation_after,
    .each_answer = sql_each_answer,
    .each_transfer = sql_each_operation_transfer,
    .read_card = sql_read_card_by_id,
};
