/*
 * What orders were seen to show: payments of ours and who claims them, orders that were read, and
 * the sweeps for those that were not.
 */
#include "store/sql.h"

#include "base/check.h"

#include <string.h>

#include "base/banned.h"

#define ORDER_SEEN_COLUMNS "tenant_id, order_id, site_id, is_closed, updated_at, read_at_us"
#define SWEEP_COLUMNS "tenant_id, begun_at_us, finished_at_us, listed, missed"

enum payment_statement {
    PAYMENT_READ_CLAIMS,
    PAYMENT_DELETE,
    PAYMENT_RELEASE,
    PAYMENT_INSERT,
    PAYMENT_READ_CLAIMANT,
    PAYMENT_SUM_UP,
    PAYMENT_REOPEN,
    PAYMENT_READ_OF_ORDER,
    PAYMENT_READ_OF_REF,
    PAYMENT_READ_REF_FROM,
    PAYMENT_READ_UNCLAIMED,
    ORDER_SEEN_PUT,
    ORDER_SEEN_READ,
    ORDER_SEEN_FORGET,
    SWEEP_PUT,
    SWEEP_READ,
    PAYMENT_STATEMENTS,
};

/* Some terms stand as literals: only so may the planner use the indexes of parts. */
static const char *const payment_text[PAYMENT_STATEMENTS] = {
    [PAYMENT_READ_CLAIMS] = "SELECT operation_id FROM register_payment "
                            "WHERE tenant_id = ? AND order_id = ? AND operation_id <> 0",
    [PAYMENT_DELETE] = "DELETE FROM register_payment WHERE tenant_id = ? AND order_id = ?",
    [PAYMENT_RELEASE] = "UPDATE register_payment SET operation_id = 0 "
                        "WHERE operation_id = ? AND operation_id <> 0",
    [PAYMENT_INSERT] = "INSERT INTO register_payment (" REGISTER_PAYMENT_COLUMNS ") "
                       "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    [PAYMENT_READ_CLAIMANT] = "SELECT 1 FROM operation WHERE id = ? AND tenant_id = ?",
    [PAYMENT_SUM_UP] = "UPDATE proof SET shown_minor = "
                       "(SELECT CAST(coalesce(sum(amount_minor), 0) AS BIGINT) FROM "
                       "register_payment WHERE register_payment.operation_id = ?1 "
                       "AND register_payment.operation_id <> 0) WHERE operation_id = ?1",
    [PAYMENT_REOPEN] =
        "UPDATE proof SET state = 1, reason = ?2, shown_order_id = 0, payment_number = "
        "0, " PROOF_REMEMBER(
            "TRUE") " "
                    "WHERE operation_id = ?1 AND state = 2 AND action IN (2, 4) "
                    "AND NOT EXISTS (SELECT 1 FROM register_payment AS payment "
                    "WHERE payment.tenant_id = proof.tenant_id AND payment.order_id = "
                    "proof.shown_order_id "
                    "AND payment.number = proof.payment_number AND payment.operation_id = ?1)",
    [PAYMENT_READ_OF_ORDER] = "SELECT " REGISTER_PAYMENT_COLUMNS " FROM register_payment "
                              "WHERE tenant_id = ? AND order_id = ? ORDER BY number",
    /* A range of one: SQLite would take = for a reason to read the tenant's rows by key. */
    [PAYMENT_READ_OF_REF] = "SELECT " REGISTER_PAYMENT_COLUMNS " FROM register_payment "
                            "WHERE tenant_id = ?1 AND ref >= ?2 AND ref <= ?2 AND ref <> '' "
                            "ORDER BY ref, order_id, number",
    /* The first from the prefix on: no other can begin with it where this one does not. */
    [PAYMENT_READ_REF_FROM] =
        "SELECT substr(ref, 1, length(?2)) = ?2 FROM register_payment "
        "WHERE tenant_id = ?1 AND ref >= ?2 AND ref <> '' ORDER BY ref LIMIT 1",
    [PAYMENT_READ_UNCLAIMED] =
        "SELECT " REGISTER_PAYMENT_COLUMNS " FROM register_payment WHERE tenant_id = ? "
        "AND site_id = ? AND amount_minor = ? AND seen_at_us >= ? AND operation_id = 0 "
        "ORDER BY seen_at_us",
    [ORDER_SEEN_PUT] = "INSERT INTO order_seen (" ORDER_SEEN_COLUMNS ") VALUES (?, ?, ?, ?, ?, ?) "
                       "ON CONFLICT (tenant_id, order_id) DO UPDATE SET "
                       "site_id = excluded.site_id, is_closed = excluded.is_closed, "
                       "updated_at = excluded.updated_at, read_at_us = excluded.read_at_us",
    [ORDER_SEEN_READ] =
        "SELECT " ORDER_SEEN_COLUMNS " FROM order_seen WHERE tenant_id = ? AND order_id = ?",
    [ORDER_SEEN_FORGET] = "DELETE FROM order_seen WHERE (tenant_id, order_id) IN "
                          "(SELECT tenant_id, order_id FROM order_seen WHERE read_at_us < ? "
                          "LIMIT ?)",
    [SWEEP_PUT] = "INSERT INTO sweep (" SWEEP_COLUMNS ") VALUES (?, ?, ?, ?, ?) "
                  "ON CONFLICT (tenant_id) DO UPDATE SET begun_at_us = excluded.begun_at_us, "
                  "finished_at_us = excluded.finished_at_us, listed = excluded.listed, "
                  "missed = excluded.missed",
    [SWEEP_READ] = "SELECT " SWEEP_COLUMNS " FROM sweep WHERE tenant_id = ?",
};

static int payment_prepare(struct sql *sql, enum payment_statement which, struct binder *binder)
{
    CHECK(PAYMENT_STATEMENTS <= AREA_STATEMENTS_MAX);
    *binder = (struct binder){0};
    return sql_prepare_of(sql, AREA_PROOF_PAYMENT, (int)which, payment_text[which],
                          &binder->statement);
}

/* --- rows --- */

int row_read_register_payment(struct sql_statement *statement, struct register_payment *payment)
{
    struct columns columns = {.statement = statement};
    payment->tenant_id = column_int(&columns);
    payment->order_id = column_int(&columns);
    payment->number = column_int(&columns);
    payment->site_id = column_int(&columns);
    payment->register_id = column_int(&columns);
    payment->method_id = column_int(&columns);
    payment->amount_minor = column_int(&columns);
    column_text(&columns, payment->ref, sizeof(payment->ref));
    payment->operation_id = column_int(&columns);
    payment->local_date = column_int32(&columns);
    payment->seen_at_us = column_int(&columns);
    return columns.is_bad ? ERR_STORE_CORRUPT : 0;
}

static void bind_payment(struct binder *binder, const struct register_payment *payment)
{
    bind_int(binder, payment->tenant_id);
    bind_int(binder, payment->order_id);
    bind_int(binder, payment->number);
    bind_int(binder, payment->site_id);
    bind_int(binder, payment->register_id);
    bind_int(binder, payment->method_id);
    bind_int(binder, payment->amount_minor);
    bind_text(binder, payment->ref);
    bind_int(binder, payment->operation_id);
    bind_int(binder, payment->local_date);
    bind_int(binder, payment->seen_at_us);
}

/* --- claims --- */

/* Those whose payments a change touches: an order's before and after it. */
struct claims {
    int64_t operation_ids[2 * ORDER_REGISTER_PAYMENTS_MAX];
    int32_t count;
};

static int add_claim(struct claims *claims, int64_t operation_id)
{
    if (operation_id == 0)
        return 0;
    if (claims->count == (int32_t)COUNT_OF(claims->operation_ids))
        return ERR_STORE_CORRUPT; /* an order never has more rows than are put at a time */
    claims->operation_ids[claims->count++] = operation_id;
    return 0;
}

static int check_claimant(struct sql *sql, int64_t tenant_id, int64_t operation_id)
{
    struct binder binder;
    if (operation_id == 0)
        return 0;
    int err = payment_prepare(sql, PAYMENT_READ_CLAIMANT, &binder);
    if (err != 0)
        return err;
    bind_int(&binder, operation_id);
    bind_int(&binder, tenant_id);
    err = sql_step_to_row(sql, binder.statement);
    sql_reset(binder.statement);
    return err;
}

static int run_of_operation(struct sql *sql, enum payment_statement which, int64_t operation_id)
{
    struct binder binder;
    int err = payment_prepare(sql, which, &binder);
    if (err != 0)
        return err;
    bind_int(&binder, operation_id);
    if (which == PAYMENT_REOPEN)
        bind_int(&binder, PROOF_REASON_SEEN_MISSING);
    return sql_finish(sql, binder.statement);
}

/* What the proofs of these have to say of their payments now. An operation without a proof changes
 * none: when its proof is made it finds the payment. */
static int sum_up(struct sql *sql, const struct claims *claims)
{
    int err = 0;
    for (int32_t i = 0; err == 0 && i < claims->count; i++) {
        err = run_of_operation(sql, PAYMENT_SUM_UP, claims->operation_ids[i]);
        if (err == 0)
            err = run_of_operation(sql, PAYMENT_REOPEN, claims->operation_ids[i]);
    }
    return err;
}

/* --- what an order shows --- */

static int read_claims(struct sql *sql, int64_t tenant_id, int64_t order_id, struct claims *claims)
{
    struct binder binder;
    bool has_row;
    int err = payment_prepare(sql, PAYMENT_READ_CLAIMS, &binder);
    if (err != 0)
        return err;
    bind_int(&binder, tenant_id);
    bind_int(&binder, order_id);
    err = sql_step(sql, binder.statement, &has_row);
    while (err == 0 && has_row) {
        err = add_claim(claims, column_int(&(struct columns){.statement = binder.statement}));
        if (err == 0)
            err = sql_step(sql, binder.statement, &has_row);
    }
    sql_reset(binder.statement);
    return err;
}

static int delete_payments(struct sql *sql, int64_t tenant_id, int64_t order_id)
{
    struct binder binder;
    int err = payment_prepare(sql, PAYMENT_DELETE, &binder);
    if (err != 0)
        return err;
    bind_int(&binder, tenant_id);
    bind_int(&binder, order_id);
    return sql_finish(sql, binder.statement);
}

static int insert_payment(struct sql *sql, const struct register_payment *payment)
{
    struct binder binder;
    int err = check_claimant(sql, payment->tenant_id, payment->operation_id);
    if (err == 0 && payment->operation_id != 0)
        err = run_of_operation(sql, PAYMENT_RELEASE, payment->operation_id);
    if (err == 0)
        err = payment_prepare(sql, PAYMENT_INSERT, &binder);
    if (err != 0)
        return err;
    bind_payment(&binder, payment);
    return sql_finish(sql, binder.statement);
}

static int write_payments(struct sql *sql, int64_t tenant_id, int64_t order_id,
                          const struct register_payment *payments, int32_t count)
{
    struct claims claims = {.count = 0};
    int err = read_claims(sql, tenant_id, order_id, &claims);
    if (err == 0)
        err = delete_payments(sql, tenant_id, order_id);
    for (int32_t i = 0; err == 0 && i < count; i++) {
        err = insert_payment(sql, &payments[i]);
        if (err == 0)
            err = add_claim(&claims, payments[i].operation_id);
    }
    return err != 0 ? err : sum_up(sql, &claims);
}

int sql_put_register_payments(struct store *store, int64_t tenant_id, int64_t order_id,
                              const struct register_payment *payments, int32_t count)
{
    struct sql *sql = sql_of(store);
    int err = sql_begin_change(sql);
    if (err != 0)
        return err;
    return sql_end_change(sql, write_payments(sql, tenant_id, order_id, payments, count));
}

/* --- reading --- */

static int each_payment(struct sql *sql, struct sql_statement *statement,
                        store_register_payment_fn each, void *context)
{
    bool has_row;
    int err = sql_step(sql, statement, &has_row);
    while (err == 0 && has_row) {
        struct register_payment payment;
        err = row_read_register_payment(statement, &payment);
        if (err != 0)
            break;
        each(context, &payment);
        err = sql_step(sql, statement, &has_row);
    }
    sql_reset(statement);
    return err;
}

int sql_each_register_payment(struct store *store, int64_t tenant_id, int64_t order_id,
                              store_register_payment_fn each, void *context)
{
    struct binder binder;
    int err = payment_prepare(sql_of(store), PAYMENT_READ_OF_ORDER, &binder);
    if (err != 0)
        return err;
    bind_int(&binder, tenant_id);
    bind_int(&binder, order_id);
    return each_payment(sql_of(store), binder.statement, each, context);
}

int sql_each_payment_of_ref(struct store *store, int64_t tenant_id, const char *ref,
                            store_register_payment_fn each, void *context)
{
    struct binder binder;
    int err = payment_prepare(sql_of(store), PAYMENT_READ_OF_REF, &binder);
    if (err != 0)
        return err;
    bind_int(&binder, tenant_id);
    bind_text(&binder, ref);
    return each_payment(sql_of(store), binder.statement, each, context);
}

int sql_has_payment_ref(struct store *store, int64_t tenant_id, const char *prefix, bool *has_one)
{
    struct binder binder;
    bool has_row;
    int err = payment_prepare(sql_of(store), PAYMENT_READ_REF_FROM, &binder);
    if (err != 0)
        return err;
    bind_int(&binder, tenant_id);
    bind_text(&binder, prefix);
    err = sql_step(sql_of(store), binder.statement, &has_row);
    *has_one =
        err == 0 && has_row && column_int(&(struct columns){.statement = binder.statement}) != 0;
    sql_reset(binder.statement);
    return err;
}

int sql_each_unclaimed_payment(struct store *store, int64_t tenant_id, int64_t site_id,
                               int64_t amount_minor, int64_t since_us,
                               store_register_payment_fn each, void *context)
{
    struct binder binder;
    int err = payment_prepare(sql_of(store), PAYMENT_READ_UNCLAIMED, &binder);
    if (err != 0)
        return err;
    bind_int(&binder, tenant_id);
    bind_int(&binder, site_id);
    bind_int(&binder, amount_minor);
    bind_int(&binder, since_us);
    return each_payment(sql_of(store), binder.statement, each, context);
}

/* --- orders that were read --- */

static int write_order_seen(struct sql *sql, const struct order_seen *seen)
{
    struct binder binder;
    int err = payment_prepare(sql, ORDER_SEEN_PUT, &binder);
    if (err != 0)
        return err;
    bind_int(&binder, seen->tenant_id);
    bind_int(&binder, seen->order_id);
    bind_int(&binder, seen->site_id);
    bind_int(&binder, seen->is_closed);
    bind_text(&binder, seen->updated_at);
    bind_int(&binder, seen->read_at_us);
    return sql_finish(sql, binder.statement);
}

int sql_put_order_seen(struct store *store, const struct order_seen *seen)
{
    struct sql *sql = sql_of(store);
    int err = sql_begin_change(sql);
    if (err != 0)
        return err;
    return sql_end_change(sql, write_order_seen(sql, seen));
}

int sql_read_order_seen(struct store *store, int64_t tenant_id, int64_t order_id,
                        struct order_seen *seen)
{
    struct binder binder;
    int err = payment_prepare(sql_of(store), ORDER_SEEN_READ, &binder);
    if (err != 0)
        return err;
    bind_int(&binder, tenant_id);
    bind_int(&binder, order_id);
    err = sql_step_to_row(sql_of(store), binder.statement);
    if (err != 0)
        return err;
    struct columns columns = {.statement = binder.statement};
    seen->tenant_id = column_int(&columns);
    seen->order_id = column_int(&columns);
    seen->site_id = column_int(&columns);
    seen->is_closed = column_bool(&columns);
    column_text(&columns, seen->updated_at, sizeof(seen->updated_at));
    seen->read_at_us = column_int(&columns);
    sql_reset(binder.statement);
    return columns.is_bad ? ERR_STORE_CORRUPT : 0;
}

static int forget_orders(struct sql *sql, int64_t before_us, int32_t *forgotten)
{
    struct binder binder;
    int err = payment_prepare(sql, ORDER_SEEN_FORGET, &binder);
    if (err != 0)
        return err;
    bind_int(&binder, before_us);
    bind_int(&binder, ORDER_FORGET_MAX);
    err = sql_finish(sql, binder.statement);
    if (err == 0)
        *forgotten = sql->changed_count;
    return err;
}

int sql_forget_orders(struct store *store, int64_t before_us, int32_t *forgotten)
{
    struct sql *sql = sql_of(store);
    *forgotten = 0;
    int err = sql_begin_change(sql);
    if (err != 0)
        return err;
    return sql_end_change(sql, forget_orders(sql, before_us, forgotten));
}

/* --- sweeps --- */

static int write_sweep(struct sql *sql, const struct sweep *sweep)
{
    struct binder binder;
    int err = payment_prepare(sql, SWEEP_PUT, &binder);
    if (err != 0)
        return err;
    bind_int(&binder, sweep->tenant_id);
    bind_int(&binder, sweep->begun_at_us);
    bind_int(&binder, sweep->finished_at_us);
    bind_int(&binder, sweep->listed);
    bind_int(&binder, sweep->missed);
    return sql_finish(sql, binder.statement);
}

int sql_put_sweep(struct store *store, const struct sweep *sweep)
{
    struct sql *sql = sql_of(store);
    int err = sql_begin_change(sql);
    if (err != 0)
        return err;
    return sql_end_change(sql, write_sweep(sql, sweep));
}

int sql_read_sweep(struct store *store, int64_t tenant_id, struct sweep *sweep)
{
    struct binder binder;
    *sweep = (struct sweep){.tenant_id = tenant_id};
    int err = payment_prepare(sql_of(store), SWEEP_READ, &binder);
    if (err != 0)
        return err;
    bind_int(&binder, tenant_id);
    err = sql_step_to_row(sql_of(store), binder.statement);
    if (err != 0)
        return err == ERR_NOT_FOUND ? 0 : err;
    struct columns columns = {.statement = binder.statement};
    sweep->tenant_id = column_int(&columns);
    sweep->begun_at_us = column_int(&columns);
    sweep->finished_at_us = column_int(&columns);
    sweep->listed = column_int(&columns);
    sweep->missed = column_int(&columns);
    sql_reset(binder.statement);
    return 0;
}

const char *sql_proof_payment_text(int index)
{
    return index >= 0 && index < PAYMENT_STATEMENTS ? payment_text[index] : NULL;
}
