/*
 * Work as rows: added once, done when due, kept for a while after its end; and what an order has
 * left in the ledger for it to finish.
 */
#include "store/sql.h"

#include "base/check.h"

#include "base/banned.h"

#define WORK_COLUMNS                                                                               \
    "id, tenant_id, kind, subject_id, identity, state, attempts, due_at_us, created_at_us, "       \
    "ended_at_us, reason, openings"

enum work_statement {
    WORK_INSERT,
    WORK_OPEN_AGAIN,
    WORK_UPDATE,
    WORK_TAKE,
    WORK_READ_IS_THERE,
    WORK_READ,
    WORK_READ_OPEN,
    WORK_HASTEN,
    WORK_HASTEN_UNSWEPT,
    WORK_HASTEN_ELSEWHERE,
    WORK_REOPEN,
    WORK_READ_OF_TENANT,
    WORK_READ_SUMMARY,
    WORK_FORGET,
    WORK_READ_HELD,
    WORK_READ_ORDER_ENTRY,
    WORK_READ_COUNTED,
    WORK_COUNT_UNREAD,
    WORK_STATEMENTS,
};

/* Proofs, sweeps and notices, or what is not of them. */
#define FIRST_OF_EACH_TENANT(is_in)                                                                \
    "SELECT first.id FROM tenant CROSS JOIN work AS first WHERE first.id IN "                      \
    "(SELECT id FROM work WHERE state = 1 AND kind " is_in " (4, 5, 6) "                           \
    "AND tenant_id = tenant.id ORDER BY due_at_us LIMIT ?1) AND tenant.place = 0 "                 \
    "ORDER BY first.due_at_us, first.id LIMIT ?2"
/* PostgreSQL would read the whole table for each tenant; it has LATERAL, which SQLite has not. By
 * their ids, for without a condition on them it would scan the tenants. */
#define FIRST_OF_EACH_TENANT_POSTGRES(is_in)                                                       \
    "SELECT first.id FROM tenant CROSS JOIN LATERAL "                                              \
    "(SELECT id, due_at_us FROM work WHERE state = 1 AND kind " is_in " (4, 5, 6) "                \
    "AND tenant_id = tenant.id ORDER BY due_at_us LIMIT ?1) AS first "                             \
    "WHERE tenant.id > 0 AND tenant.place = 0 "                                                    \
    "ORDER BY first.due_at_us, first.id LIMIT ?2"
#define THESE_OPEN(urgent, others)                                                                 \
    "SELECT " WORK_COLUMNS " FROM work WHERE id IN (SELECT id FROM (" urgent ") AS urgent "        \
    "UNION ALL SELECT id FROM (" others ") AS others) ORDER BY kind IN (4, 5, 6), due_at_us, id"

/* Mostly there is none, and then no work is read: so the proofs come first. */
#define HASTEN_ELSEWHERE(proofs_and_work, is_listed)                                               \
    "UPDATE work SET due_at_us = CASE WHEN due_at_us < ?1 THEN due_at_us ELSE ?1 END, "            \
    "openings = openings + 1 WHERE id IN (SELECT theirs.id FROM " proofs_and_work " "              \
    "WHERE proof.tenant_id = ?2 AND proof.state IN (1, 4) AND " is_listed " "                      \
    "AND proof.reason = 8 AND proof.site_id = ?5 AND proof.booked_minor = ?6 "                     \
    "AND NOT EXISTS (SELECT 1 FROM register_payment AS payment WHERE payment.tenant_id = ?2 "      \
    "AND payment.site_id = ?5 AND payment.amount_minor = ?6 AND payment.operation_id = 0 "         \
    "AND payment.seen_at_us >= proof.created_at_us AND payment.order_id <> proof.order_id) "       \
    "AND theirs.state = 1 AND theirs.tenant_id = ?2 AND theirs.kind = ?3 "                         \
    "AND theirs.subject_id = proof.order_id LIMIT ?4)"

/* state = 1 stands as a literal: only so may the planner use the index of what is open. */
_Static_assert(PROOF_LISTED == 4 && PROOF_REASON_SEEN_MISSING == 5 && PROOF_REASON_NOT_SWEPT == 10,
               "WORK_HASTEN_UNSWEPT and the index proof_missing");
_Static_assert(PROOF_OPEN == 1 && PROOF_REASON_ELSEWHERE == 8,
               "WORK_HASTEN_ELSEWHERE and the index proof_told");

static const char *const work_text[WORK_STATEMENTS] = {
    [WORK_INSERT] = "INSERT INTO work (" WORK_FIELDS ") "
                    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
                    "ON CONFLICT (tenant_id, kind, identity) DO NOTHING" SQL_RETURNING_ID,
    /* The SETs read the row as it was. */
    [WORK_OPEN_AGAIN] =
        "UPDATE work SET state = 1, attempts = 0, ended_at_us = 0, openings = openings + 1, "
        "due_at_us = CASE WHEN state = 1 AND due_at_us < ?4 THEN due_at_us ELSE ?4 END, "
        "created_at_us = CASE WHEN state = 1 THEN created_at_us ELSE ?5 END, "
        "reason = CASE WHEN state = 1 THEN reason ELSE '' END "
        "WHERE tenant_id = ?1 AND kind = ?2 AND identity = ?3 RETURNING " WORK_COLUMNS,
    [WORK_UPDATE] = "UPDATE work SET state = ?, attempts = ?, due_at_us = ?, ended_at_us = ?, "
                    "reason = ? WHERE id = ? AND openings = ? AND state = 1",
    [WORK_TAKE] = "UPDATE work SET due_at_us = ?, openings = openings + 1 "
                  "WHERE id = ? AND openings = ? AND state = 1",
    [WORK_READ_IS_THERE] = "SELECT 1 FROM work WHERE id = ?",
    [WORK_READ] = "SELECT " WORK_COLUMNS " FROM work "
                  "WHERE tenant_id = ? AND kind = ? AND identity = ?",
    [WORK_READ_OPEN] = THESE_OPEN(FIRST_OF_EACH_TENANT("NOT IN"), FIRST_OF_EACH_TENANT("IN")),
    [WORK_REOPEN] = "UPDATE work SET state = 1, attempts = 0, ended_at_us = 0, "
                    "openings = openings + 1, "
                    "due_at_us = CASE WHEN due_at_us > ?1 THEN due_at_us ELSE ?1 END "
                    "WHERE id = ?2 AND tenant_id = ?3 AND state = 3",
    [WORK_HASTEN] =
        "UPDATE work SET due_at_us = ?1 WHERE id IN (SELECT id FROM work "
        "WHERE state = 1 AND tenant_id = ?2 AND due_at_us > ?1 AND kind <> ?3 LIMIT ?4)",
    [WORK_HASTEN_UNSWEPT] =
        "UPDATE work SET due_at_us = CASE WHEN due_at_us < ?1 THEN due_at_us ELSE ?1 END, "
        "openings = openings + 1 WHERE id IN (SELECT id FROM work WHERE state = 1 AND tenant_id = "
        "?2 AND +kind = ?3 AND subject_id IN "
        "(SELECT order_id FROM proof WHERE tenant_id = ?2 AND missing_since_us <> 0 "
        "AND (state <> 4 OR reason IN (5, 10))) LIMIT ?4)",
    [WORK_HASTEN_ELSEWHERE] = HASTEN_ELSEWHERE("proof INDEXED BY proof_told CROSS JOIN "
                                               "work AS theirs INDEXED BY work_open",
                                               "+proof.state = 4"),
    [WORK_READ_OF_TENANT] = "SELECT " WORK_COLUMNS " FROM work "
                            "WHERE tenant_id = ? AND state <> 2 ORDER BY id DESC LIMIT ?",
    [WORK_READ_SUMMARY] = "SELECT count(*) FROM work WHERE state = 1",
    [WORK_FORGET] = "DELETE FROM work WHERE id IN "
                    "(SELECT id FROM work WHERE state <> 1 AND ended_at_us < ? LIMIT ?)",
    /* Each release moves all that waited before it. */
    [WORK_READ_HELD] =
        "SELECT " CARD_COLUMNS " FROM card WHERE id IN (SELECT card_id FROM operation AS held "
        "WHERE tenant_id = ?1 AND order_id = ?2 AND (result <> 0) = FALSE AND action = 6 "
        "AND NOT EXISTS (SELECT 1 FROM operation AS later "
        "WHERE later.tenant_id = ?1 AND later.order_id = ?2 AND (later.result <> 0) = FALSE "
        "AND later.card_id = held.card_id AND later.id > held.id AND later.action = 7)) "
        "ORDER BY id LIMIT ?3",
    [WORK_READ_ORDER_ENTRY] =
        "SELECT " POINTS_ENTRY_COLUMNS " FROM points_entry "
        "WHERE tenant_id = ? AND order_id = ? AND cause = ? AND cause IN (2, 3)",
    /* Done with a reason is what was ignored. */
    [WORK_READ_COUNTED] =
        "SELECT EXISTS (SELECT 1 FROM points_entry "
        "WHERE tenant_id = ?1 AND order_id = ?2 AND cause = 2 AND cause IN (2, 3)) "
        "OR EXISTS (SELECT 1 FROM work "
        "WHERE tenant_id = ?1 AND subject_id = ?2 AND kind = 1 AND state = 2 AND reason = '')",
    /* A proof that was looked at once has read its order; other work may be tried again for what it
     * waits for, so what counts is whether its order was read since. */
    [WORK_COUNT_UNREAD] =
        "SELECT count(*) FROM work WHERE tenant_id = ?1 AND state = 1 AND created_at_us < ?2 AND "
        "((kind = 4 AND attempts = 0) OR (kind = 1 AND attempts < ?3 "
        "AND due_at_us - created_at_us < ?4 AND NOT EXISTS (SELECT 1 FROM order_seen "
        "WHERE order_seen.tenant_id = ?1 AND order_seen.order_id = work.subject_id "
        "AND order_seen.read_at_us >= work.created_at_us)))",
};

const char sql_read_open_postgres[] =
    THESE_OPEN(FIRST_OF_EACH_TENANT_POSTGRES("NOT IN"), FIRST_OF_EACH_TENANT_POSTGRES("IN"));

/* Its planner counts, and takes the few first. */
const char sql_hasten_elsewhere_postgres[] =
    HASTEN_ELSEWHERE("proof CROSS JOIN work AS theirs", "proof.state = 4");

static int work_prepare(struct sql *sql, enum work_statement which, struct binder *binder)
{
    CHECK(WORK_STATEMENTS <= AREA_STATEMENTS_MAX);
    *binder = (struct binder){0};
    const char *text = work_text[which];
    if (which == WORK_READ_OPEN)
        text = sql_either(sql, text, sql_read_open_postgres);
    if (which == WORK_HASTEN_ELSEWHERE)
        text = sql_either(sql, text, sql_hasten_elsewhere_postgres);
    return sql_prepare_of(sql, AREA_WORK, (int)which, text, &binder->statement);
}

static int row_read_work(struct sql_statement *statement, struct work *work)
{
    struct columns columns = {.statement = statement};
    work->id = column_int(&columns);
    work->tenant_id = column_int(&columns);
    work->kind = (enum work_kind)column_enum(&columns, WORK_ORDER_CHANGED, WORK_NOTIFY);
    work->subject_id = column_int(&columns);
    column_blob(&columns, work->identity, sizeof(work->identity));
    work->state = (enum work_state)column_enum(&columns, WORK_OPEN, WORK_GIVEN_UP);
    work->attempts = column_int32(&columns);
    work->due_at_us = column_int(&columns);
    work->created_at_us = column_int(&columns);
    work->ended_at_us = column_int(&columns);
    column_text(&columns, work->reason, sizeof(work->reason));
    work->openings = column_int32(&columns);
    return columns.is_bad ? ERR_STORE_CORRUPT : 0;
}

void row_bind_work(struct binder *binder, const struct work *work)
{
    bind_int(binder, work->tenant_id);
    bind_int(binder, work->kind);
    bind_int(binder, work->subject_id);
    bind_blob(binder, work->identity, sizeof(work->identity));
    bind_int(binder, work->state);
    bind_int(binder, work->attempts);
    bind_int(binder, work->due_at_us);
    bind_int(binder, work->created_at_us);
    bind_int(binder, work->ended_at_us);
    bind_text(binder, work->reason);
}

static int insert_work(struct sql *sql, struct work *work)
{
    struct binder binder;
    int err = work_prepare(sql, WORK_INSERT, &binder);
    if (err != 0)
        return err;
    row_bind_work(&binder, work);
    err = sql_finish_insert(sql, binder.statement, &work->id);
    return err == 0 && work->id == 0 ? ERR_ALREADY_EXISTS : err;
}

static int open_again(struct sql *sql, struct work *work)
{
    struct binder binder;
    int err = work_prepare(sql, WORK_OPEN_AGAIN, &binder);
    if (err != 0)
        return err;
    bind_int(&binder, work->tenant_id);
    bind_int(&binder, work->kind);
    bind_blob(&binder, work->identity, sizeof(work->identity));
    bind_int(&binder, work->due_at_us);
    bind_int(&binder, work->created_at_us);
    err = sql_step_to_row(sql, binder.statement);
    CHECK(err != ERR_NOT_FOUND); /* its insert has met it in this transaction */
    if (err != 0)
        return err;
    struct work row;
    err = row_read_work(binder.statement, &row);
    if (err == 0)
        *work = row; /* its identity was bound until now */
    sql_reset(binder.statement);
    return err;
}

int sql_write_open_work(struct sql *sql, struct work *work)
{
    int err = insert_work(sql, work);
    return err == ERR_ALREADY_EXISTS ? open_again(sql, work) : err;
}

int sql_write_work(struct sql *sql, const struct batch *batch)
{
    int err = 0;
    for (int32_t i = 0; err == 0 && i < batch->count; i++) {
        struct work work;
        if (!batch->is_skipped[i] &&
            work_follows(batch->commands[i], &batch->outcomes[i], batch->decided_at_us, &work))
            err = insert_work(sql, &work);
    }
    return err;
}

static int sql_add_work(struct store *store, struct work *work)
{
    struct sql *sql = sql_of(store);
    int err = sql_begin_change(sql);
    if (err != 0)
        return err;
    return sql_end_change(sql, insert_work(sql, work));
}

static int sql_open_work(struct store *store, struct work *work)
{
    struct sql *sql = sql_of(store);
    int err = sql_begin_change(sql);
    if (err != 0)
        return err;
    return sql_end_change(sql, sql_write_open_work(sql, work));
}

static int each_row(struct sql *sql, struct sql_statement *statement, store_work_fn each,
                    void *context)
{
    bool has_row;
    int err = sql_step(sql, statement, &has_row);
    while (err == 0 && has_row) {
        struct work work;
        err = row_read_work(statement, &work);
        if (err != 0)
            break;
        each(context, &work);
        err = sql_step(sql, statement, &has_row);
    }
    sql_reset(statement);
    return err;
}

static int sql_find_work(struct store *store, struct work *work)
{
    struct sql *sql = sql_of(store);
    struct binder binder;
    int err = work_prepare(sql, WORK_READ, &binder);
    if (err != 0)
        return err;
    bind_int(&binder, work->tenant_id);
    bind_int(&binder, work->kind);
    bind_blob(&binder, work->identity, sizeof(work->identity));
    err = sql_step_to_row(sql, binder.statement);
    if (err != 0)
        return err;
    err = row_read_work(binder.statement, work);
    sql_reset(binder.statement);
    return err;
}

static int sql_each_open_work(struct store *store, int32_t per_tenant, int32_t limit,
                              store_work_fn each, void *context)
{
    struct binder binder;
    int err = work_prepare(sql_of(store), WORK_READ_OPEN, &binder);
    if (err != 0)
        return err;
    bind_int(&binder, per_tenant);
    bind_int(&binder, limit);
    return each_row(sql_of(store), binder.statement, each, context);
}

static int sql_each_work(struct store *store, int64_t tenant_id, int32_t limit, store_work_fn each,
                         void *context)
{
    struct binder binder;
    int err = work_prepare(sql_of(store), WORK_READ_OF_TENANT, &binder);
    if (err != 0)
        return err;
    bind_int(&binder, tenant_id);
    bind_int(&binder, limit);
    return each_row(sql_of(store), binder.statement, each, context);
}

static int sql_count_open_work(struct store *store, int64_t *open)
{
    struct binder binder;
    int err = work_prepare(sql_of(store), WORK_READ_SUMMARY, &binder);
    if (err != 0)
        return err;
    err = sql_step_to_row(sql_of(store), binder.statement);
    CHECK(err != ERR_NOT_FOUND); /* a count always has a row */
    if (err != 0)
        return err;
    *open = column_int(&(struct columns){.statement = binder.statement});
    sql_reset(binder.statement);
    return 0;
}

static int check_is_there(struct sql *sql, int64_t work_id)
{
    struct binder binder;
    int err = work_prepare(sql, WORK_READ_IS_THERE, &binder);
    if (err != 0)
        return err;
    bind_int(&binder, work_id);
    err = sql_step_to_row(sql, binder.statement);
    sql_reset(binder.statement);
    return err;
}

static int update_work(struct sql *sql, const struct work *work)
{
    struct binder binder;
    int err = work_prepare(sql, WORK_UPDATE, &binder);
    if (err != 0)
        return err;
    bind_int(&binder, work->state);
    bind_int(&binder, work->attempts);
    bind_int(&binder, work->due_at_us);
    bind_int(&binder, work->ended_at_us);
    bind_text(&binder, work->reason);
    bind_int(&binder, work->id);
    bind_int(&binder, work->openings);
    err = sql_finish(sql, binder.statement);
    if (err == 0 && sql->changed_count == 0)
        err = check_is_there(sql, work->id); /* opened again: then it stays as it is */
    return err;
}

static int sql_update_work(struct store *store, const struct work *work)
{
    struct sql *sql = sql_of(store);
    int err = sql_begin_change(sql);
    if (err != 0)
        return err;
    return sql_end_change(sql, update_work(sql, work));
}

static int take_work(struct sql *sql, const struct work *work)
{
    struct binder binder;
    int err = work_prepare(sql, WORK_TAKE, &binder);
    if (err != 0)
        return err;
    bind_int(&binder, work->due_at_us);
    bind_int(&binder, work->id);
    bind_int(&binder, work->openings);
    err = sql_finish(sql, binder.statement);
    if (err != 0 || sql->changed_count == 1)
        return err;
    err = check_is_there(sql, work->id);
    return err == 0 ? ERR_STALE : err;
}

static int sql_take_work(struct store *store, struct work *work)
{
    struct sql *sql = sql_of(store);
    int err = sql_begin_change(sql);
    if (err != 0)
        return err;
    err = take_work(sql, work);
    err = sql_end_change(sql, err);
    work->openings += err == 0;
    return err;
}

struct hasten {
    enum work_statement which;
    int64_t tenant_id;
    enum work_kind kind; /* only this one; of WORK_HASTEN all others */
    int64_t now_us;
    int64_t site_id, amount_minor; /* of WORK_HASTEN_ELSEWHERE */
};

static int hasten_work(struct sql *sql, const struct hasten *hasten, int32_t *hastened)
{
    struct binder binder;
    int err = work_prepare(sql, hasten->which, &binder);
    if (err != 0)
        return err;
    bind_int(&binder, hasten->now_us);
    bind_int(&binder, hasten->tenant_id);
    bind_int(&binder, hasten->kind);
    bind_int(&binder, WORK_HASTEN_MAX);
    if (hasten->which == WORK_HASTEN_ELSEWHERE) {
        bind_int(&binder, hasten->site_id);
        bind_int(&binder, hasten->amount_minor);
    }
    err = sql_finish(sql, binder.statement);
    if (err == 0)
        *hastened = sql->changed_count;
    return err;
}

static int change_hasten(struct store *store, const struct hasten *hasten, int32_t *hastened)
{
    struct sql *sql = sql_of(store);
    *hastened = 0;
    int err = sql_begin_change(sql);
    if (err != 0)
        return err;
    return sql_end_change(sql, hasten_work(sql, hasten, hastened));
}

static int sql_hasten_work(struct store *store, int64_t tenant_id, int64_t now_us,
                           int32_t *hastened)
{
    const struct hasten hasten = {
        .which = WORK_HASTEN, .tenant_id = tenant_id, .kind = WORK_POST_PAYMENT, .now_us = now_us};
    return change_hasten(store, &hasten, hastened);
}

static int sql_hasten_unswept(struct store *store, int64_t tenant_id, int64_t now_us,
                              int32_t *hastened)
{
    const struct hasten hasten = {.which = WORK_HASTEN_UNSWEPT,
                                  .tenant_id = tenant_id,
                                  .kind = WORK_PROVE_ORDER,
                                  .now_us = now_us};
    return change_hasten(store, &hasten, hastened);
}

static int sql_hasten_elsewhere(struct store *store, int64_t tenant_id, int64_t site_id,
                                int64_t amount_minor, int64_t now_us, int32_t *hastened)
{
    const struct hasten hasten = {.which = WORK_HASTEN_ELSEWHERE,
                                  .tenant_id = tenant_id,
                                  .kind = WORK_PROVE_ORDER,
                                  .now_us = now_us,
                                  .site_id = site_id,
                                  .amount_minor = amount_minor};
    return change_hasten(store, &hasten, hastened);
}

static int reopen_work(struct sql *sql, int64_t tenant_id, int64_t work_id, int64_t now_us)
{
    struct binder binder;
    int err = work_prepare(sql, WORK_REOPEN, &binder);
    if (err != 0)
        return err;
    bind_int(&binder, now_us);
    bind_int(&binder, work_id);
    bind_int(&binder, tenant_id);
    err = sql_finish(sql, binder.statement);
    if (err == 0 && sql->changed_count == 0)
        err = ERR_NOT_FOUND;
    return err;
}

static int sql_reopen_work(struct store *store, int64_t tenant_id, int64_t work_id, int64_t now_us)
{
    struct sql *sql = sql_of(store);
    int err = sql_begin_change(sql);
    if (err != 0)
        return err;
    return sql_end_change(sql, reopen_work(sql, tenant_id, work_id, now_us));
}

static int forget_work(struct sql *sql, int64_t before_us, int32_t *forgotten)
{
    struct binder binder;
    int err = work_prepare(sql, WORK_FORGET, &binder);
    if (err != 0)
        return err;
    bind_int(&binder, before_us);
    bind_int(&binder, WORK_FORGET_MAX);
    err = sql_finish(sql, binder.statement);
    if (err == 0)
        *forgotten = sql->changed_count;
    return err;
}

static int sql_forget_work(struct store *store, int64_t before_us, int32_t *forgotten)
{
    struct sql *sql = sql_of(store);
    *forgotten = 0;
    int err = sql_begin_change(sql);
    if (err != 0)
        return err;
    return sql_end_change(sql, forget_work(sql, before_us, forgotten));
}

static int sql_each_held_card(struct store *store, int64_t tenant_id, int64_t order_id,
                              int32_t limit, store_held_fn each, void *context)
{
    struct sql *sql = sql_of(store);
    struct binder binder;
    bool has_row;
    int err = work_prepare(sql, WORK_READ_HELD, &binder);
    if (err != 0)
        return err;
    bind_int(&binder, tenant_id);
    bind_int(&binder, order_id);
    bind_int(&binder, limit);
    err = sql_step(sql, binder.statement, &has_row);
    while (err == 0 && has_row) {
        struct card card;
        err = row_read_card(binder.statement, &card);
        if (err != 0)
            break;
        each(context, &card);
        err = sql_step(sql, binder.statement, &has_row);
    }
    sql_reset(binder.statement);
    return err;
}

static int sql_read_order_entry(struct store *store, int64_t tenant_id, int64_t order_id,
                                enum points_cause cause, struct points_entry *entry)
{
    struct binder binder;
    int err = work_prepare(sql_of(store), WORK_READ_ORDER_ENTRY, &binder);
    if (err != 0)
        return err;
    bind_int(&binder, tenant_id);
    bind_int(&binder, order_id);
    bind_int(&binder, cause);
    err = sql_step_to_row(sql_of(store), binder.statement);
    if (err != 0)
        return err;
    err = row_read_points_entry(binder.statement, entry);
    sql_reset(binder.statement);
    return err;
}

static int sql_is_order_counted(struct store *store, int64_t tenant_id, int64_t order_id,
                                bool *is_counted)
{
    struct binder binder;
    int err = work_prepare(sql_of(store), WORK_READ_COUNTED, &binder);
    if (err != 0)
        return err;
    bind_int(&binder, tenant_id);
    bind_int(&binder, order_id);
    err = sql_step_to_row(sql_of(store), binder.statement);
    CHECK(err != ERR_NOT_FOUND); /* EXISTS always has a row */
    if (err != 0)
        return err;
    *is_counted = column_bool(&(struct columns){.statement = binder.statement});
    sql_reset(binder.statement);
    return 0;
}

int sql_count_unread_orders(struct store *store, int64_t tenant_id, int64_t before_us,
                            int32_t attempts_max, int64_t *count)
{
    struct binder binder;
    int err = work_prepare(sql_of(store), WORK_COUNT_UNREAD, &binder);
    if (err != 0)
        return err;
    bind_int(&binder, tenant_id);
    bind_int(&binder, before_us);
    bind_int(&binder, attempts_max);
    bind_int(&binder, WORK_HELD_LOOK_US);
    err = sql_step_to_row(sql_of(store), binder.statement);
    CHECK(err != ERR_NOT_FOUND); /* a count always has a row */
    if (err != 0)
        return err;
    *count = column_int(&(struct columns){.statement = binder.statement});
    sql_reset(binder.statement);
    return 0;
}

const char *sql_work_text(int index)
{
    return index >= 0 && index < WORK_STATEMENTS ? work_text[index] : NULL;
}

const struct store_backend_work sql_work = {
    .add = sql_add_work,
    .open = sql_open_work,
    .find = sql_find_work,
    .each_open = sql_each_open_work,
    .each = sql_each_work,
    .count_open = sql_count_open_work,
    .update = sql_update_work,
    .take = sql_take_work,
    .reopen = sql_reopen_work,
    .hasten = sql_hasten_work,
    .hasten_unswept = sql_hasten_unswept,
    .hasten_elsewhere = sql_hasten_elsewhere,
    .forget = sql_forget_work,
    .each_held_card = sql_each_held_card,
    .read_order_entry = sql_read_order_entry,
    .is_order_counted = sql_is_order_counted,
};
