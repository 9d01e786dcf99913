/*
 * What is told of proofs: the sums of register and ledger, what they differ by item by item, and
 * single rows for people who ask why.
 */
#include "store/sql.h"

#include "base/check.h"

#include "base/banned.h"

enum report_statement {
    REPORT_TOTALS,
    REPORT_READ_UNSCANNED,
    REPORT_READ_UNCONNECTED,
    REPORT_COUNT,
    REPORT_READ_PROOFS,
    REPORT_READ_STRAYS,
    REPORT_READ_OPERATIONS,
    REPORT_READ_CARD,
    REPORT_STATEMENTS,
};

#define UNPROVED_COLUMNS OPERATION_COLUMNS ", " PROOF_TREE_MINOR("told.id")
#define HAS_GRANT "EXISTS (SELECT 1 FROM oauth_grant WHERE tenant_id = ?1 AND surface = 1)"
#define HAS_PROOF "EXISTS (SELECT 1 FROM proof WHERE operation_id = told.id)"

/* The conditions of the indexes of parts stand word for word. REPORT_COUNT counts a column that
 * no other index has, so that SQLite reads proof_told. */
static const char *const report_text[REPORT_STATEMENTS] = {
    [REPORT_TOTALS] =
        "SELECT * FROM (SELECT CAST(coalesce(sum(shown_minor), 0) AS BIGINT), "
        "CAST(coalesce(sum(ledger_minor), 0) AS BIGINT), count(*), "
        "count(*) FILTER (WHERE state = 2), count(*) FILTER (WHERE state = 3), "
        "count(*) FILTER (WHERE state = 1), count(*) FILTER (WHERE state = 4), "
        "count(*) FILTER (WHERE state IN (2, 3) AND shown_minor <> ledger_minor) "
        "FROM proof WHERE tenant_id = ?1 AND local_date BETWEEN ?2 AND ?3) AS proved, "
        "(SELECT CAST(coalesce(sum(amount_minor), 0) AS BIGINT), count(*) FROM register_payment "
        "WHERE tenant_id = ?1 AND local_date BETWEEN ?2 AND ?3 AND operation_id = 0) AS stray",
    /* As PROOF_SCAN takes them; the plus keeps to the few behind the cursor. */
    [REPORT_READ_UNSCANNED] =
        "SELECT " UNPROVED_COLUMNS " FROM operation AS told "
        "WHERE id > (SELECT proof_cursor FROM meta WHERE id = 1) AND +tenant_id = ?1 "
        "AND result = 0 AND action IN (2, 3, 4, 6) AND " HAS_GRANT " AND NOT " HAS_PROOF
        " ORDER BY id",
    [REPORT_READ_UNCONNECTED] = "SELECT " UNPROVED_COLUMNS " FROM operation AS told "
                                "WHERE tenant_id = ?1 AND result = 0 AND action IN (2, 3, 4, 6) "
                                "AND NOT " HAS_GRANT " AND NOT " HAS_PROOF,
    [REPORT_COUNT] = "SELECT count(site_id) FROM proof "
                     "WHERE state IN (1, 4) OR shown_minor <> ledger_minor",
    [REPORT_READ_PROOFS] =
        "SELECT " PROOF_COLUMNS " FROM proof WHERE tenant_id = ? "
        "AND local_date BETWEEN ? AND ? AND (state IN (1, 4) OR shown_minor <> ledger_minor) "
        "AND (local_date, operation_id) > (?, ?) ORDER BY local_date, operation_id LIMIT ?",
    [REPORT_READ_STRAYS] = "SELECT " REGISTER_PAYMENT_COLUMNS " FROM register_payment "
                           "WHERE tenant_id = ? AND local_date BETWEEN ? AND ? "
                           "AND operation_id = 0 AND (local_date, order_id, number) > (?, ?, ?) "
                           "ORDER BY local_date, order_id, number LIMIT ?",
    [REPORT_READ_OPERATIONS] = "SELECT " OPERATION_COLUMNS " FROM operation "
                               "WHERE id > ?1 AND id <= ?2 AND (?3 = 0 OR tenant_id = ?3) "
                               "ORDER BY id LIMIT ?4",
    [REPORT_READ_CARD] = "SELECT " CARD_COLUMNS " FROM card WHERE id = ?",
};

static int report_prepare(struct sql *sql, enum report_statement which, struct binder *binder)
{
    CHECK(REPORT_STATEMENTS <= AREA_STATEMENTS_MAX);
    *binder = (struct binder){0};
    return sql_prepare_of(sql, AREA_PROOF_REPORT, (int)which, report_text[which],
                          &binder->statement);
}

static void bind_days(struct binder *binder, int64_t tenant_id, int32_t from, int32_t until)
{
    bind_int(binder, tenant_id);
    bind_int(binder, from == 0 ? INT32_MIN : from);
    bind_int(binder, from == 0 ? INT32_MAX : until);
}

/* --- sums --- */

/* A claimed payment counts through the proof of its operation, and so on the operation's day. */
static void read_totals(struct columns *columns, struct proof_totals *totals)
{
    totals->register_minor = column_int(columns);
    totals->ledger_minor = column_int(columns);
    totals->operations = column_int(columns);
    totals->confirmed = column_int(columns);
    totals->reversed = column_int(columns);
    totals->open = column_int(columns);
    totals->listed = column_int(columns);
    totals->changed = column_int(columns);
    totals->register_minor += column_int(columns);
    totals->strays = column_int(columns);
}

int sql_read_proof_totals(struct store *store, int64_t tenant_id, int32_t from, int32_t until,
                          struct proof_totals *totals)
{
    struct binder binder;
    int err = report_prepare(sql_of(store), REPORT_TOTALS, &binder);
    if (err != 0)
        return err;
    bind_days(&binder, tenant_id, from, until);
    err = sql_step_to_row(sql_of(store), binder.statement);
    CHECK(err != ERR_NOT_FOUND); /* sums always have a row */
    if (err != 0)
        return err;
    struct columns columns = {.statement = binder.statement};
    read_totals(&columns, totals);
    sql_reset(binder.statement);
    return 0;
}

static int each_unproved(struct sql *sql, enum report_statement which, int64_t tenant_id,
                         store_unproved_fn each, void *context)
{
    struct binder binder;
    bool has_row = false;
    int err = report_prepare(sql, which, &binder);
    if (err != 0)
        return err;
    bind_int(&binder, tenant_id);
    err = sql_step(sql, binder.statement, &has_row);
    while (err == 0 && has_row) {
        struct operation operation;
        int last = sql_column_count(binder.statement) - 1; /* after OPERATION_COLUMNS */
        err = row_read_operation(binder.statement, &operation);
        if (err != 0)
            break;
        each(context, &operation,
             proof_booked_minor(&operation) + sql_column_int(binder.statement, last));
        err = sql_step(sql, binder.statement, &has_row);
    }
    sql_reset(binder.statement);
    return err;
}

int sql_each_unproved(struct store *store, int64_t tenant_id, store_unproved_fn each, void *context)
{
    struct sql *sql = sql_of(store);
    int err = each_unproved(sql, REPORT_READ_UNSCANNED, tenant_id, each, context);
    if (err == 0)
        err = each_unproved(sql, REPORT_READ_UNCONNECTED, tenant_id, each, context);
    return err;
}

int sql_count_open_items(struct store *store, int64_t *count)
{
    struct binder binder;
    int err = report_prepare(sql_of(store), REPORT_COUNT, &binder);
    if (err != 0)
        return err;
    err = sql_step_to_row(sql_of(store), binder.statement);
    CHECK(err != ERR_NOT_FOUND); /* a count always has a row */
    if (err != 0)
        return err;
    *count = column_int(&(struct columns){.statement = binder.statement});
    sql_reset(binder.statement);
    return 0;
}

/* --- items --- */

static struct open_item proof_item(const struct proof_facts *facts)
{
    bool is_open = facts->proof.state == PROOF_OPEN || facts->proof.state == PROOF_LISTED;
    return (struct open_item){
        .facts = facts,
        .reason = is_open ? facts->proof.reason : PROOF_REASON_CHANGED,
        .difference_minor = facts->shown_minor - facts->ledger_minor,
    };
}

static int each_open_proof(struct sql *sql, struct sql_statement *statement, int32_t *left,
                           store_open_item_fn each, void *context)
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
        struct open_item item = proof_item(&facts);
        each(context, &item);
        --*left;
        err = sql_step(sql, statement, &has_row);
    }
    sql_reset(statement);
    return err;
}

static int each_stray(struct sql *sql, struct sql_statement *statement, store_open_item_fn each,
                      void *context)
{
    bool has_row;
    int err = sql_step(sql, statement, &has_row);
    while (err == 0 && has_row) {
        struct register_payment payment;
        err = row_read_register_payment(statement, &payment);
        if (err != 0)
            break;
        struct open_item item = {.payment = &payment,
                                 .reason = PROOF_REASON_PAYMENT_UNKNOWN,
                                 .difference_minor = payment.amount_minor};
        each(context, &item);
        err = sql_step(sql, statement, &has_row);
    }
    sql_reset(statement);
    return err;
}

struct item_walk {
    int64_t tenant_id;
    int32_t from, until;
    struct open_item_place after;
    int32_t left;
    store_open_item_fn each;
    void *context;
};

static int walk_proofs(struct sql *sql, struct item_walk *walk)
{
    struct binder binder;
    bool is_first = walk->after.operation_id == 0;
    int err = report_prepare(sql, REPORT_READ_PROOFS, &binder);
    if (err != 0)
        return err;
    bind_days(&binder, walk->tenant_id, walk->from, walk->until);
    bind_int(&binder, is_first ? INT32_MIN : walk->after.local_date);
    bind_int(&binder, walk->after.operation_id);
    bind_int(&binder, walk->left);
    return each_open_proof(sql, binder.statement, &walk->left, walk->each, walk->context);
}

static int walk_strays(struct sql *sql, struct item_walk *walk)
{
    struct binder binder;
    int err = report_prepare(sql, REPORT_READ_STRAYS, &binder);
    if (err != 0)
        return err;
    bind_days(&binder, walk->tenant_id, walk->from, walk->until);
    bind_int(&binder, walk->after.is_payment ? walk->after.local_date : INT32_MIN);
    bind_int(&binder, walk->after.order_id);
    bind_int(&binder, walk->after.number);
    bind_int(&binder, walk->left);
    return each_stray(sql, binder.statement, walk->each, walk->context);
}

static int walk_items(struct sql *sql, struct item_walk *walk)
{
    int err = walk->after.is_payment ? 0 : walk_proofs(sql, walk);
    if (err != 0 || walk->left == 0)
        return err;
    return walk_strays(sql, walk);
}

int sql_each_open_item(struct store *store, int64_t tenant_id, int32_t from, int32_t until,
                       const struct open_item_place *after, int32_t limit, store_open_item_fn each,
                       void *context)
{
    struct item_walk walk = {tenant_id, from, until, *after, limit, each, context};
    struct sql *sql = sql_of(store);
    bool is_alone = !sql_is_in_transaction(sql);
    int err = is_alone ? sql_begin_read(store) : 0; /* one snapshot for all items */
    if (err != 0)
        return err;
    err = walk_items(sql, &walk);
    if (is_alone)
        sql_end_read(store);
    return err;
}

/* --- single rows --- */

int sql_each_operation_after(struct store *store, int64_t tenant_id, int64_t after_id,
                             int64_t until_id, int32_t limit, store_operation_fn each,
                             void *context)
{
    struct sql *sql = sql_of(store);
    struct binder binder;
    bool has_row;
    int err = report_prepare(sql, REPORT_READ_OPERATIONS, &binder);
    if (err != 0)
        return err;
    bind_int(&binder, after_id);
    bind_int(&binder, until_id);
    bind_int(&binder, tenant_id);
    bind_int(&binder, limit);
    err = sql_step(sql, binder.statement, &has_row);
    while (err == 0 && has_row) {
        struct operation operation;
        err = row_read_operation(binder.statement, &operation);
        if (err != 0)
            break;
        each(context, &operation);
        err = sql_step(sql, binder.statement, &has_row);
    }
    sql_reset(binder.statement);
    return err;
}

int sql_read_card_by_id(struct store *store, int64_t card_id, struct card *card)
{
    struct binder binder;
    int err = report_prepare(sql_of(store), REPORT_READ_CARD, &binder);
    if (err != 0)
        return err;
    bind_int(&binder, card_id);
    err = sql_step_to_row(sql_of(store), binder.statement);
    if (err != 0)
        return err;
    err = row_read_card(binder.statement, card);
    sql_reset(binder.statement);
    return err;
}

const char *sql_proof_report_text(int index)
{
    return index >= 0 && index < REPORT_STATEMENTS ? report_text[index] : NULL;
}
