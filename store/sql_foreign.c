/*
 * Approvals and attempts to pay orders that are not ours, as rows; and each date's sum of what was
 * allowed, which moves in the same transaction as the attempt that it counts.
 */
#include "store/sql.h"

#include "base/check.h"
#include "base/log.h"

#include <stdio.h>
#include <string.h>

#include "base/banned.h"

#define NOT_SENT_REVOKED "not sent: the approval no longer stands"
#define NOT_SENT_EXPIRED "not sent: the approval has run out"
#define NOT_SENT_SUSPENDED "not sent: Lightspeed has refused another payment"
#define FOUND_PAID "the order shows it"
#define FOUND_UNPAID "the order does not show it"

enum foreign_statement {
    FOREIGN_READ_APPROVAL,
    FOREIGN_INSERT_APPROVAL,
    FOREIGN_UPDATE_APPROVAL,
    FOREIGN_SUSPEND_APPROVAL,
    FOREIGN_INSERT_CHANGE,
    FOREIGN_READ_CHANGES,
    FOREIGN_READ_DAY,
    FOREIGN_TAKE_DAY,
    FOREIGN_INSERT_DAY,
    FOREIGN_UPDATE_DAY,
    FOREIGN_RAISE_DAY,
    FOREIGN_LOWER_DAY,
    FOREIGN_INSERT_ATTEMPT,
    FOREIGN_READ_OF_OPERATION,
    FOREIGN_READ_OF_RESERVATION,
    FOREIGN_READ_WORK_IS_OPEN,
    FOREIGN_UPDATE_ATTEMPT,
    FOREIGN_READ_ATTEMPTS,
    FOREIGN_READ_SUMS,
    FOREIGN_READ_REFUSAL,
    FOREIGN_STATEMENTS,
};

#define COUNT_AND_SUM(is_counted)                                                                  \
    ", count(*) FILTER (WHERE " is_counted "), "                                                   \
    "CAST(coalesce(sum(amount_minor) FILTER (WHERE " is_counted "), 0) AS BIGINT)"

/* A partial index is used only where the query says its condition, too. */
static const char *const foreign_text[FOREIGN_STATEMENTS] = {
    [FOREIGN_READ_APPROVAL] =
        "SELECT coalesce(state, 0), coalesce(foreign_approval.payment_max_minor, 0), "
        "coalesce(day_max_minor, 0), coalesce(expires_on, 0), coalesce(is_suspended, 0) FROM "
        "tenant "
        "LEFT JOIN foreign_approval ON foreign_approval.tenant_id = tenant.id WHERE tenant.id = ?",
    [FOREIGN_INSERT_APPROVAL] =
        "INSERT INTO foreign_approval (state, payment_max_minor, day_max_minor, expires_on, "
        "tenant_id) VALUES (?, ?, ?, ?, ?)",
    [FOREIGN_UPDATE_APPROVAL] =
        "UPDATE foreign_approval SET state = ?, payment_max_minor = ?, day_max_minor = ?, "
        "expires_on = ?, is_suspended = 0 WHERE tenant_id = ?",
    [FOREIGN_SUSPEND_APPROVAL] =
        "UPDATE foreign_approval SET is_suspended = 1 WHERE tenant_id = ? AND state = 3",
    [FOREIGN_INSERT_CHANGE] =
        "INSERT INTO foreign_change (tenant_id, from_state, to_state, payment_max_minor, "
        "day_max_minor, expires_on, reference, note, actor, created_at_us) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)" SQL_RETURNING_ID,
    [FOREIGN_READ_CHANGES] = "SELECT " FOREIGN_CHANGE_COLUMNS " FROM foreign_change "
                             "WHERE tenant_id = ? ORDER BY id",
    [FOREIGN_READ_DAY] =
        "SELECT paid_minor FROM foreign_day WHERE tenant_id = ? AND local_date = ?",
    /* Nobody else raises it until the transaction ends, nor begins it. */
    [FOREIGN_TAKE_DAY] = "INSERT INTO foreign_day (paid_minor, tenant_id, local_date) "
                         "VALUES (0, ?, ?) ON CONFLICT (tenant_id, local_date) "
                         "DO UPDATE SET paid_minor = foreign_day.paid_minor RETURNING paid_minor",
    [FOREIGN_INSERT_DAY] =
        "INSERT INTO foreign_day (paid_minor, tenant_id, local_date) VALUES (?, ?, ?)",
    [FOREIGN_UPDATE_DAY] = "UPDATE foreign_day SET paid_minor = ? "
                           "WHERE tenant_id = ? AND local_date = ? AND paid_minor = ?",
    [FOREIGN_RAISE_DAY] = "INSERT INTO foreign_day (paid_minor, tenant_id, local_date) "
                          "VALUES (?, ?, ?) ON CONFLICT (tenant_id, local_date) "
                          "DO UPDATE SET paid_minor = foreign_day.paid_minor + "
                          "excluded.paid_minor",
    [FOREIGN_LOWER_DAY] = "UPDATE foreign_day SET paid_minor = paid_minor - ? "
                          "WHERE tenant_id = ? AND local_date = ?",
    [FOREIGN_INSERT_ATTEMPT] =
        "INSERT INTO foreign_attempt (" FOREIGN_ATTEMPT_FIELDS ") "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)" SQL_RETURNING_ID,
    [FOREIGN_READ_OF_OPERATION] =
        "SELECT " FOREIGN_ATTEMPT_COLUMNS " FROM foreign_attempt WHERE operation_id = ? "
        "AND operation_id <> 0 AND tenant_id = ? AND verdict = 0 ORDER BY id DESC LIMIT 1",
    [FOREIGN_READ_OF_RESERVATION] =
        "SELECT " FOREIGN_ATTEMPT_COLUMNS " FROM foreign_attempt WHERE reservation_id = ? "
        "AND reservation_id <> 0 AND tenant_id = ? AND verdict = 0 ORDER BY id DESC LIMIT 1",
    [FOREIGN_READ_WORK_IS_OPEN] = "SELECT 1 FROM work WHERE tenant_id = ? AND kind = ? "
                                  "AND identity = ? AND state = 1",
    [FOREIGN_UPDATE_ATTEMPT] = "UPDATE foreign_attempt SET end_state = ?, api_status = ?, "
                               "api_answer = ?, answered_at_us = ?, alike_before = ? WHERE id = ?",
    [FOREIGN_READ_ATTEMPTS] = "SELECT " FOREIGN_ATTEMPT_COLUMNS " FROM foreign_attempt "
                              "WHERE tenant_id = ? AND local_date BETWEEN ? AND ? "
                              "ORDER BY local_date DESC, id DESC LIMIT ?",
    [FOREIGN_READ_SUMS] =
        /* clang-format off: one line for two columns */
    "SELECT local_date, count(*), CAST(sum(amount_minor) AS BIGINT)" COUNT_AND_SUM("verdict <> 0")
        COUNT_AND_SUM("end_state = 1")
            COUNT_AND_SUM("verdict = 0 AND end_state = 2 AND api_status >= 400")
                COUNT_AND_SUM("verdict = 0 AND end_state = 2 AND api_status < 400") COUNT_AND_SUM(
                    "end_state = 0") " "
                                     /* clang-format on */
                                     "FROM foreign_attempt WHERE tenant_id = ? AND local_date "
                                     "BETWEEN ? AND ? "
                                     "GROUP BY local_date ORDER BY local_date DESC LIMIT ?",
    [FOREIGN_READ_REFUSAL] =
        "SELECT " FOREIGN_ATTEMPT_COLUMNS " FROM foreign_attempt AS refused WHERE tenant_id = ?1 "
        "AND verdict = 0 AND end_state = 2 AND api_status = 403 AND created_at_us > "
        "(SELECT coalesce(max(created_at_us), 0) FROM foreign_change WHERE tenant_id = ?1) "
        "AND NOT EXISTS (SELECT 1 FROM foreign_attempt AS later WHERE later.tenant_id = ?1 "
        "AND later.local_date >= refused.local_date AND later.id > refused.id "
        "AND later.end_state = 1) ORDER BY local_date DESC, id DESC LIMIT 1",
};

static int prepare(struct sql *sql, enum foreign_statement which, struct binder *binder)
{
    *binder = (struct binder){0};
    return sql_prepare_of(sql, AREA_FOREIGN, (int)which, foreign_text[which], &binder->statement);
}

/* --- rows --- */

void columns_approval(struct columns *columns, struct foreign_approval *approval)
{
    approval->state =
        (enum foreign_state)column_enum(columns, FOREIGN_NOT_REQUESTED, FOREIGN_REVOKED);
    approval->payment_max_minor = column_int(columns);
    approval->day_max_minor = column_int(columns);
    approval->expires_on = column_int32(columns);
    approval->is_suspended = false; /* of a row that is in force it is the next column */
}

int row_read_foreign_change(struct sql_statement *statement, struct foreign_change *change)
{
    struct columns columns = {.statement = statement};
    change->id = column_int(&columns);
    change->tenant_id = column_int(&columns);
    change->from =
        (enum foreign_state)column_enum(&columns, FOREIGN_NOT_REQUESTED, FOREIGN_REVOKED);
    columns_approval(&columns, &change->to);
    column_text(&columns, change->reference, sizeof(change->reference));
    column_text(&columns, change->note, sizeof(change->note));
    column_text(&columns, change->actor, sizeof(change->actor));
    change->created_at_us = column_int(&columns);
    return row_end(&columns, "foreign_change", change->id);
}

int row_read_foreign_attempt(struct sql_statement *statement, struct foreign_attempt *attempt)
{
    struct columns columns = {.statement = statement};
    attempt->id = column_int(&columns);
    attempt->tenant_id = column_int(&columns);
    attempt->effect = (enum foreign_effect)column_enum(&columns, FOREIGN_CHARGE, FOREIGN_REWARD);
    attempt->order_id = column_int(&columns);
    attempt->site_id = column_int(&columns);
    attempt->operation_id = column_int(&columns);
    attempt->reservation_id = column_int(&columns);
    attempt->amount_minor = column_int(&columns);
    attempt->local_date = column_int32(&columns);
    attempt->verdict =
        (enum foreign_verdict)column_enum(&columns, FOREIGN_ALLOWED, FOREIGN_SUSPENDED);
    attempt->end = (enum foreign_end)column_enum(&columns, FOREIGN_OPEN, FOREIGN_UNPAID);
    attempt->api_status = column_int32(&columns);
    column_text(&columns, attempt->api_answer, sizeof(attempt->api_answer));
    attempt->created_at_us = column_int(&columns);
    attempt->answered_at_us = column_int(&columns);
    attempt->alike_before = column_int32(&columns);
    attempt->may_be_paid = false;
    return row_end(&columns, "foreign_attempt", attempt->id);
}

/* --- the approval and its history --- */

/* errors  ERR_NOT_FOUND: no such tenant. */
static int read_approval(struct sql *sql, int64_t tenant_id, struct foreign_approval *approval)
{
    struct binder binder;
    int err = prepare(sql, FOREIGN_READ_APPROVAL, &binder);
    if (err != 0)
        return err;
    bind_int(&binder, tenant_id);
    err = sql_step_to_row(sql, binder.statement);
    if (err != 0)
        return err;
    struct columns columns = {.statement = binder.statement};
    columns_approval(&columns, approval);
    approval->is_suspended = column_bool(&columns);
    sql_reset(binder.statement);
    return row_end(&columns, "foreign_approval", tenant_id);
}

static int write_approval(struct sql *sql, const struct foreign_change *change)
{
    struct binder binder;
    bool is_new = change->from == FOREIGN_NOT_REQUESTED;
    int err = prepare(sql, is_new ? FOREIGN_INSERT_APPROVAL : FOREIGN_UPDATE_APPROVAL, &binder);
    if (err != 0)
        return err;
    bind_int(&binder, change->to.state);
    bind_int(&binder, change->to.payment_max_minor);
    bind_int(&binder, change->to.day_max_minor);
    bind_int(&binder, change->to.expires_on);
    bind_int(&binder, change->tenant_id);
    return sql_finish_update(sql, binder.statement, "foreign_approval", change->tenant_id);
}

static int insert_change(struct sql *sql, struct foreign_change *change)
{
    struct binder binder;
    int err = prepare(sql, FOREIGN_INSERT_CHANGE, &binder);
    if (err != 0)
        return err;
    bind_int(&binder, change->tenant_id);
    bind_int(&binder, change->from);
    bind_int(&binder, change->to.state);
    bind_int(&binder, change->to.payment_max_minor);
    bind_int(&binder, change->to.day_max_minor);
    bind_int(&binder, change->to.expires_on);
    bind_text(&binder, change->reference);
    bind_text(&binder, change->note);
    bind_text(&binder, change->actor);
    bind_int(&binder, change->created_at_us);
    return sql_finish_insert(sql, binder.statement, &change->id);
}

static int change_approval(struct sql *sql, struct foreign_change *change)
{
    struct foreign_approval now;
    int err = read_approval(sql, change->tenant_id, &now);
    if (err != 0)
        return err;
    change->from = now.state;
    if (!foreign_may_move(now.state, change->to.state))
        return ERR_REFUSED;
    err = write_approval(sql, change);
    return err != 0 ? err : insert_change(sql, change);
}

static int add_change(struct store *store, struct foreign_change *change)
{
    struct sql *sql = sql_of(store);
    int err = sql_begin_change(sql);
    if (err != 0)
        return err;
    return sql_end_change(sql, change_approval(sql, change));
}

static int each_change(struct store *store, int64_t tenant_id, store_foreign_change_fn each,
                       void *context)
{
    struct sql *sql = sql_of(store);
    struct binder binder;
    bool has_row;
    int err = prepare(sql, FOREIGN_READ_CHANGES, &binder);
    if (err != 0)
        return err;
    bind_int(&binder, tenant_id);
    err = sql_step(sql, binder.statement, &has_row);
    while (err == 0 && has_row) {
        struct foreign_change change;
        err = row_read_foreign_change(binder.statement, &change);
        if (err != 0)
            break;
        each(context, &change);
        err = sql_step(sql, binder.statement, &has_row);
    }
    sql_reset(binder.statement);
    return err;
}

/* --- the sum of a date --- */

static int read_day(struct sql *sql, struct foreign_day *day, bool *has_row)
{
    struct binder binder;
    int err = prepare(sql, FOREIGN_READ_DAY, &binder);
    if (err != 0)
        return err;
    bind_int(&binder, day->tenant_id);
    bind_int(&binder, day->local_date);
    err = sql_step(sql, binder.statement, has_row);
    if (err == 0)
        day->paid_minor =
            *has_row ? column_int(&(struct columns){.statement = binder.statement}) : 0;
    sql_reset(binder.statement);
    return err;
}

/* For a change that judges by it: a batch of another process may raise it at the same time. */
static int take_day(struct sql *sql, struct foreign_day *day)
{
    struct binder binder;
    int err = prepare(sql, FOREIGN_TAKE_DAY, &binder);
    if (err != 0)
        return err;
    bind_int(&binder, day->tenant_id);
    bind_int(&binder, day->local_date);
    err = sql_step_to_row(sql, binder.statement);
    CHECK(err != ERR_NOT_FOUND); /* it was there, or is now */
    if (err == 0)
        day->paid_minor = column_int(&(struct columns){.statement = binder.statement});
    sql_reset(binder.statement);
    return err;
}

int sql_fetch_foreign_day(struct sql *sql, struct view *view, const struct command *command,
                          int32_t *index)
{
    struct view_foreign_day wanted = {
        .day = {.tenant_id = command->tenant_id, .local_date = command->local_date}};
    for (int32_t i = 0; i < view->foreign_day_count; i++) {
        const struct foreign_day *day = &view->foreign_days[i].day;
        if (day->tenant_id == command->tenant_id && day->local_date == command->local_date) {
            *index = i;
            return 0;
        }
    }
    bool has_row;
    int err = read_day(sql, &wanted.day, &has_row);
    if (err == 0)
        err = read_approval(sql, command->tenant_id, &wanted.approval);
    if (err != 0)
        return err;
    wanted.is_new = !has_row;
    wanted.paid_minor_loaded = wanted.day.paid_minor;
    *index = view->foreign_day_count++;
    view->foreign_days[*index] = wanted;
    return 0;
}

static int write_day(struct sql *sql, const struct view_foreign_day *changed)
{
    struct binder binder;
    int err = prepare(sql, changed->is_new ? FOREIGN_INSERT_DAY : FOREIGN_UPDATE_DAY, &binder);
    if (err != 0)
        return err;
    bind_int(&binder, changed->day.paid_minor);
    bind_int(&binder, changed->day.tenant_id);
    bind_int(&binder, changed->day.local_date);
    if (!changed->is_new)
        bind_int(&binder, changed->paid_minor_loaded);
    return sql_finish_update(sql, binder.statement, "foreign_day", changed->day.tenant_id);
}

/* Outside of a batch: by the attempt that counts, or no longer does. */
static int move_day(struct sql *sql, enum foreign_statement which,
                    const struct foreign_attempt *attempt)
{
    struct binder binder;
    int err = prepare(sql, which, &binder);
    if (err != 0)
        return err;
    bind_int(&binder, attempt->amount_minor);
    bind_int(&binder, attempt->tenant_id);
    bind_int(&binder, attempt->local_date);
    return sql_finish_update(sql, binder.statement, "foreign_day", attempt->tenant_id);
}

/* --- attempts --- */

void row_bind_foreign_attempt(struct binder *binder, const struct foreign_attempt *attempt)
{
    bind_int(binder, attempt->tenant_id);
    bind_int(binder, attempt->effect);
    bind_int(binder, attempt->order_id);
    bind_int(binder, attempt->site_id);
    bind_int(binder, attempt->operation_id);
    bind_int(binder, attempt->reservation_id);
    bind_int(binder, attempt->amount_minor);
    bind_int(binder, attempt->local_date);
    bind_int(binder, attempt->verdict);
    bind_int(binder, attempt->end);
    bind_int(binder, attempt->api_status);
    bind_text(binder, attempt->api_answer);
    bind_int(binder, attempt->created_at_us);
    bind_int(binder, attempt->answered_at_us);
    bind_int(binder, attempt->alike_before);
}

static int insert_attempt(struct sql *sql, struct foreign_attempt *attempt)
{
    struct binder binder;
    int err = prepare(sql, FOREIGN_INSERT_ATTEMPT, &binder);
    if (err != 0)
        return err;
    row_bind_foreign_attempt(&binder, attempt);
    return sql_finish_insert(sql, binder.statement, &attempt->id);
}

int sql_write_foreign(struct sql *sql, const struct batch *batch)
{
    const struct view *view = &batch->view;
    int err = 0;
    for (int32_t i = 0; err == 0 && i < view->foreign_day_count; i++)
        if (view->foreign_days[i].is_changed)
            err = write_day(sql, &view->foreign_days[i]);
    for (int32_t i = 0; err == 0 && i < batch->count; i++) {
        struct foreign_attempt attempt;
        if (!batch->is_skipped[i] &&
            foreign_attempt_follows(batch->commands[i], &batch->outcomes[i], batch->decided_at_us,
                                    &attempt))
            err = insert_attempt(sql, &attempt);
    }
    return err;
}

/* The newest that was allowed. errors: ERR_NOT_FOUND. */
static int find_attempt(struct sql *sql, enum foreign_statement which, int64_t id,
                        int64_t tenant_id, struct foreign_attempt *attempt)
{
    struct binder binder;
    int err = prepare(sql, which, &binder);
    if (err != 0)
        return err;
    bind_int(&binder, id);
    bind_int(&binder, tenant_id);
    err = sql_step_to_row(sql, binder.statement);
    if (err != 0)
        return err;
    err = row_read_foreign_attempt(binder.statement, attempt);
    sql_reset(binder.statement);
    return err;
}

/* Until the next step of it is recorded. */
static int suspend_approval(struct sql *sql, int64_t tenant_id)
{
    struct binder binder;
    int err = prepare(sql, FOREIGN_SUSPEND_APPROVAL, &binder);
    if (err != 0)
        return err;
    bind_int(&binder, tenant_id);
    return sql_finish(sql, binder.statement); /* no row: it was revoked meanwhile */
}

/* One that is open; in ending unpaid it stops to count. */
static int update_attempt(struct sql *sql, const struct foreign_attempt *attempt)
{
    struct binder binder;
    int err = prepare(sql, FOREIGN_UPDATE_ATTEMPT, &binder);
    if (err != 0)
        return err;
    bind_int(&binder, attempt->end);
    bind_int(&binder, attempt->api_status);
    bind_text(&binder, attempt->api_answer);
    bind_int(&binder, attempt->answered_at_us);
    bind_int(&binder, attempt->alike_before);
    bind_int(&binder, attempt->id);
    err = sql_finish_update(sql, binder.statement, "foreign_attempt", attempt->id);
    if (err == 0 && attempt->end == FOREIGN_UNPAID)
        err = move_day(sql, FOREIGN_LOWER_DAY, attempt);
    return err;
}

/* By what the API has said, now: what is found out later says nothing of the approval, which people
 * may have renewed since. */
static int update_answered(struct sql *sql, const struct foreign_attempt *attempt)
{
    int err = update_attempt(sql, attempt);
    if (err == 0 && foreign_suspends(attempt->end, attempt->api_status))
        err = suspend_approval(sql, attempt->tenant_id);
    return err;
}

static int answer_attempt(struct sql *sql, const struct foreign_attempt *answer)
{
    struct foreign_attempt attempt;
    bool is_charge = answer->operation_id != 0;
    int err = find_attempt(sql, is_charge ? FOREIGN_READ_OF_OPERATION : FOREIGN_READ_OF_RESERVATION,
                           is_charge ? answer->operation_id : answer->reservation_id,
                           answer->tenant_id, &attempt);
    if (err != 0 || attempt.end != FOREIGN_OPEN)
        return err;
    attempt.end = answer->end;
    attempt.api_status = answer->api_status;
    attempt.answered_at_us = answer->answered_at_us;
    attempt.alike_before = answer->alike_before;
    memcpy(attempt.api_answer, answer->api_answer, sizeof(attempt.api_answer));
    return update_answered(sql, &attempt);
}

static int answer(struct store *store, const struct foreign_attempt *attempt)
{
    struct sql *sql = sql_of(store);
    int err = sql_begin_change(sql);
    if (err != 0)
        return err;
    return sql_end_change(sql, answer_attempt(sql, attempt));
}

/* Will it still be sent, or looked for? */
static int read_work_is_open(struct sql *sql, const struct foreign_attempt *attempt, bool *is_open)
{
    struct binder binder;
    const struct work work = work_make(attempt->tenant_id, WORK_POST_PAYMENT, attempt->operation_id,
                                       attempt->operation_id, 0);
    int err = prepare(sql, FOREIGN_READ_WORK_IS_OPEN, &binder);
    if (err != 0)
        return err;
    bind_int(&binder, work.tenant_id);
    bind_int(&binder, work.kind);
    bind_blob(&binder, work.identity, sizeof(work.identity));
    err = sql_step(sql, binder.statement, is_open);
    sql_reset(binder.statement);
    return err;
}

static int end_open(struct sql *sql, int64_t tenant_id, int64_t operation_id, enum foreign_end end,
                    int64_t now_us)
{
    struct foreign_attempt attempt;
    bool is_open;
    int err = find_attempt(sql, FOREIGN_READ_OF_OPERATION, operation_id, tenant_id, &attempt);
    if (err != 0 || attempt.end != FOREIGN_OPEN)
        return err == ERR_NOT_FOUND ? 0 : err;
    err = read_work_is_open(sql, &attempt, &is_open);
    if (err != 0 || is_open)
        return err;
    attempt.end = end;
    attempt.answered_at_us = now_us;
    snprintf(attempt.api_answer, sizeof(attempt.api_answer), "%s",
             end == FOREIGN_PAID ? FOUND_PAID : FOUND_UNPAID);
    return update_attempt(sql, &attempt);
}

static int end_attempt(struct store *store, int64_t tenant_id, int64_t operation_id,
                       enum foreign_end end, int64_t now_us)
{
    struct sql *sql = sql_of(store);
    int err = sql_begin_change(sql);
    if (err != 0)
        return err;
    return sql_end_change(sql, end_open(sql, tenant_id, operation_id, end, now_us));
}

/* --- before a payment is sent --- */

static const char *not_sent_words(enum foreign_verdict verdict)
{
    if (verdict == FOREIGN_SUSPENDED)
        return NOT_SENT_SUSPENDED;
    return verdict == FOREIGN_EXPIRED ? NOT_SENT_EXPIRED : NOT_SENT_REVOKED;
}

/* It counts for its day already. */
static int begin_open(struct sql *sql, const struct foreign_approval *approval, int64_t now_us,
                      const struct foreign_attempt *asked, struct foreign_attempt *attempt)
{
    const struct foreign_approval unlimited = {.state = approval->state,
                                               .expires_on = approval->expires_on,
                                               .is_suspended = approval->is_suspended};
    enum foreign_verdict verdict =
        foreign_judge(&unlimited, attempt->amount_minor, asked->local_date, 0);
    if (attempt->alike_before >= 0) { /* it may be on the order: no word of ours ends that */
        attempt->verdict = verdict;
        return 0;
    }
    if (verdict == FOREIGN_ALLOWED) {
        attempt->alike_before = asked->alike_before;
        return update_attempt(sql, attempt);
    }
    attempt->end = FOREIGN_UNPAID;
    attempt->answered_at_us = now_us;
    attempt->api_status = 0; /* nobody's answer to this */
    snprintf(attempt->api_answer, sizeof(attempt->api_answer), "%s", not_sent_words(verdict));
    int err = update_attempt(sql, attempt);
    attempt->verdict = verdict; /* the row keeps what it was allowed by */
    return err;
}

static int begin_anew(struct sql *sql, const struct foreign_approval *approval, int64_t now_us,
                      struct foreign_attempt *attempt)
{
    struct foreign_day day = {.tenant_id = attempt->tenant_id, .local_date = attempt->local_date};
    int err = take_day(sql, &day);
    if (err != 0)
        return err;
    attempt->effect = FOREIGN_CHARGE;
    attempt->verdict =
        foreign_judge(approval, attempt->amount_minor, attempt->local_date, day.paid_minor);
    attempt->end = attempt->verdict == FOREIGN_ALLOWED ? FOREIGN_OPEN : FOREIGN_UNPAID;
    attempt->created_at_us = now_us;
    err = insert_attempt(sql, attempt);
    if (err == 0 && attempt->verdict == FOREIGN_ALLOWED)
        err = move_day(sql, FOREIGN_RAISE_DAY, attempt);
    return err;
}

static int begin(struct sql *sql, int64_t now_us, struct foreign_attempt *attempt)
{
    struct foreign_approval approval;
    struct foreign_attempt found;
    int err = read_approval(sql, attempt->tenant_id, &approval);
    if (err != 0)
        return err;
    err = find_attempt(sql, FOREIGN_READ_OF_OPERATION, attempt->operation_id, attempt->tenant_id,
                       &found);
    if (err == ERR_NOT_FOUND || (err == 0 && found.end == FOREIGN_UNPAID))
        return begin_anew(sql, &approval, now_us, attempt);
    if (err != 0)
        return err;
    const struct foreign_attempt asked = *attempt;
    *attempt = found;
    attempt->may_be_paid = found.alike_before >= 0;
    return found.end == FOREIGN_PAID ? 0 : begin_open(sql, &approval, now_us, &asked, attempt);
}

static int begin_payment(struct store *store, int64_t now_us, struct foreign_attempt *attempt)
{
    struct sql *sql = sql_of(store);
    int err = sql_begin_change(sql);
    if (err != 0)
        return err;
    return sql_end_change(sql, begin(sql, now_us, attempt));
}

/* --- points that pay --- */

int sql_fetch_foreign_points(struct sql *sql, const struct points_command *command,
                             struct points_view *view)
{
    struct foreign_day day = {.tenant_id = command->tenant_id, .local_date = command->local_date};
    int err = read_approval(sql, command->tenant_id, &view->approval);
    if (err == 0)
        err = take_day(sql, &day);
    view->foreign_paid_minor = day.paid_minor;
    return err;
}

static int write_points_attempt(struct sql *sql, const struct points_command *command,
                                const struct points_view *view, enum foreign_verdict verdict,
                                int64_t now_us)
{
    bool is_allowed = verdict == FOREIGN_ALLOWED;
    struct foreign_attempt attempt = {
        .tenant_id = command->tenant_id,
        .effect = FOREIGN_REWARD,
        .order_id = command->order_id,
        .site_id = command->site_id,
        .reservation_id = is_allowed ? view->reservation.id : 0,
        .amount_minor = command->pays_minor,
        .local_date = command->local_date,
        .verdict = verdict,
        .end = is_allowed ? FOREIGN_OPEN : FOREIGN_UNPAID,
        .created_at_us = now_us,
        .alike_before = -1,
    };
    int err = insert_attempt(sql, &attempt);
    return err != 0 || !is_allowed ? err : move_day(sql, FOREIGN_RAISE_DAY, &attempt);
}

static int end_points_attempt(struct sql *sql, const struct reservation *reservation,
                              enum foreign_end end, int64_t now_us)
{
    struct foreign_attempt attempt;
    int err = find_attempt(sql, FOREIGN_READ_OF_RESERVATION, reservation->id,
                           reservation->tenant_id, &attempt);
    if (err != 0) /* a payment that nobody allowed is damage, not an answer */
        return err == ERR_NOT_FOUND ? ERR_STORE_CORRUPT : err;
    attempt.end = end;
    attempt.answered_at_us = now_us;
    if (end == FOREIGN_UNPAID && attempt.api_answer[0] == '\0')
        snprintf(attempt.api_answer, sizeof(attempt.api_answer), "%s", reservation->reason);
    return update_answered(sql, &attempt);
}

int sql_write_foreign_points(struct sql *sql, const struct points_command *command,
                             const struct points_view *view, const struct points_changes *changes,
                             int64_t now_us)
{
    if (changes->has_attempt)
        return write_points_attempt(sql, command, view, changes->verdict, now_us);
    if (changes->end != FOREIGN_OPEN)
        return end_points_attempt(sql, &view->reservation, changes->end, now_us);
    return 0;
}

/* --- reading --- */

static int bind_span(struct sql *sql, enum foreign_statement which, int64_t tenant_id, int32_t from,
                     int32_t until, int32_t limit, struct binder *binder)
{
    int err = prepare(sql, which, binder);
    if (err != 0)
        return err;
    bind_int(binder, tenant_id);
    bind_int(binder, from == 0 ? INT32_MIN : from);
    bind_int(binder, until == 0 ? INT32_MAX : until);
    bind_int(binder, limit);
    return 0;
}

static int each_attempt(struct store *store, int64_t tenant_id, int32_t from, int32_t until,
                        int32_t limit, store_foreign_attempt_fn each, void *context)
{
    struct sql *sql = sql_of(store);
    struct binder binder;
    bool has_row;
    int err = bind_span(sql, FOREIGN_READ_ATTEMPTS, tenant_id, from, until, limit, &binder);
    if (err != 0)
        return err;
    err = sql_step(sql, binder.statement, &has_row);
    while (err == 0 && has_row) {
        struct foreign_attempt attempt;
        err = row_read_foreign_attempt(binder.statement, &attempt);
        if (err != 0)
            break;
        each(context, &attempt);
        err = sql_step(sql, binder.statement, &has_row);
    }
    sql_reset(binder.statement);
    return err;
}

static int read_sum(struct sql_statement *statement, struct foreign_sum *sum)
{
    struct columns columns = {.statement = statement};
    sum->local_date = column_int32(&columns);
    sum->attempts = column_int(&columns);
    sum->attempted_minor = column_int(&columns);
    sum->refused = column_int(&columns);
    sum->refused_minor = column_int(&columns);
    sum->paid = column_int(&columns);
    sum->paid_minor = column_int(&columns);
    sum->api_refused = column_int(&columns);
    sum->api_refused_minor = column_int(&columns);
    sum->unsent = column_int(&columns);
    sum->unsent_minor = column_int(&columns);
    sum->open = column_int(&columns);
    sum->open_minor = column_int(&columns);
    return row_end(&columns, "foreign_attempt", sum->local_date);
}

static int each_sum(struct store *store, int64_t tenant_id, int32_t from, int32_t until,
                    int32_t limit, store_foreign_sum_fn each, void *context)
{
    struct sql *sql = sql_of(store);
    struct binder binder;
    bool has_row;
    int err = bind_span(sql, FOREIGN_READ_SUMS, tenant_id, from, until, limit, &binder);
    if (err != 0)
        return err;
    err = sql_step(sql, binder.statement, &has_row);
    while (err == 0 && has_row) {
        struct foreign_sum sum;
        err = read_sum(binder.statement, &sum);
        if (err != 0)
            break;
        each(context, &sum);
        err = sql_step(sql, binder.statement, &has_row);
    }
    sql_reset(binder.statement);
    return err;
}

static int read_refusal(struct store *store, int64_t tenant_id, struct foreign_attempt *attempt)
{
    struct binder binder;
    int err = prepare(sql_of(store), FOREIGN_READ_REFUSAL, &binder);
    if (err != 0)
        return err;
    bind_int(&binder, tenant_id);
    err = sql_step_to_row(sql_of(store), binder.statement);
    if (err != 0)
        return err;
    err = row_read_foreign_attempt(binder.statement, attempt);
    sql_reset(binder.statement);
    return err;
}

const char *sql_foreign_text(int index)
{
    return index >= 0 && index < FOREIGN_STATEMENTS ? foreign_text[index] : NULL;
}

const struct store_backend_foreign sql_foreign = {
    .add_change = add_change,
    .each_change = each_change,
    .begin_payment = begin_payment,
    .answer = answer,
    .end_attempt = end_attempt,
    .each_attempt = each_attempt,
    .each_sum = each_sum,
    .read_refusal = read_refusal,
};
