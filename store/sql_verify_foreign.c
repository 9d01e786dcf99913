/*
 * Verify, payments onto orders that are not ours: an approval is what its history says, every
 * attempt is part of the charge or reservation that it names, and each date's sum is that of its
 * attempts which are not certain to be unpaid.
 */
#include "store/sql_verify.h"

#include "base/check.h"

#include <inttypes.h>

#include "base/banned.h"

static const char sql_count_rows[] =
    "SELECT (SELECT count(*) FROM foreign_change) + (SELECT count(*) FROM foreign_attempt)";
static const char sql_read_changes[] =
    "SELECT " FOREIGN_CHANGE_COLUMNS " FROM foreign_change ORDER BY tenant_id, id";
static const char sql_read_attempts[] =
    "SELECT " FOREIGN_ATTEMPT_COLUMNS " FROM foreign_attempt ORDER BY id";
static const char sql_read_approvals[] =
    "SELECT coalesce(approval.tenant_id, change.tenant_id) FROM foreign_approval AS approval"
    " FULL JOIN (SELECT tenant_id, to_state, payment_max_minor, day_max_minor, expires_on"
    " FROM foreign_change WHERE id IN (SELECT max(id) FROM foreign_change GROUP BY tenant_id))"
    " AS change ON change.tenant_id = approval.tenant_id"
    " WHERE (change.to_state, change.payment_max_minor, change.day_max_minor, change.expires_on)"
    " IS DISTINCT FROM (approval.state, approval.payment_max_minor, approval.day_max_minor,"
    " approval.expires_on)";
/* Of more than the law allows so much counts as shows it: a sum that overflows would end the query.
 */
static const char sql_read_days[] =
    "SELECT tenant_id, local_date, CAST(sum(counted) AS BIGINT), CAST(sum(paid) AS BIGINT) FROM"
    " (SELECT tenant_id, local_date, CASE WHEN paid_minor > 1000000000000000000"
    " THEN 1000000000000000000 WHEN paid_minor < -1000000000000000000"
    " THEN -1000000000000000000 ELSE paid_minor END AS counted, 0 AS paid FROM foreign_day"
    " UNION ALL SELECT tenant_id, local_date, 0, CASE WHEN amount_minor > 10000000000000000"
    " THEN 10000000000000000 WHEN amount_minor < 0 THEN 0 ELSE amount_minor END"
    " FROM foreign_attempt WHERE end_state <> 2) AS booked"
    " GROUP BY tenant_id, local_date HAVING sum(counted) <> sum(paid)";
static const char sql_read_strange_charges[] =
    "SELECT foreign_attempt.id, foreign_attempt.operation_id FROM foreign_attempt"
    " LEFT JOIN operation ON operation.id = foreign_attempt.operation_id"
    " WHERE foreign_attempt.operation_id <> 0 AND (operation.id IS NULL OR operation.action <> 2"
    " OR operation.tenant_id <> foreign_attempt.tenant_id"
    " OR operation.order_id <> foreign_attempt.order_id OR (verdict = 0"
    " AND (operation.result <> 0 OR operation.amount_minor <> foreign_attempt.amount_minor)))";
static const char sql_read_twice_sent[] =
    "SELECT operation_id, count(*) FROM foreign_attempt"
    " WHERE +operation_id <> 0 AND end_state <> 2 GROUP BY operation_id HAVING count(*) > 1";
/* Reserved: open; burned: paid; returned: unpaid. */
static const char sql_read_strange_reservations[] =
    "SELECT reservation.id FROM reservation LEFT JOIN foreign_attempt"
    " ON foreign_attempt.reservation_id = reservation.id AND foreign_attempt.reservation_id <> 0"
    " WHERE pays_minor <> 0 AND (foreign_attempt.id IS NULL"
    " OR foreign_attempt.tenant_id <> reservation.tenant_id"
    " OR foreign_attempt.order_id <> reservation.order_id OR verdict <> 0"
    " OR amount_minor <> pays_minor"
    " OR end_state IS DISTINCT FROM CASE state WHEN 1 THEN 0 WHEN 3 THEN 1 WHEN 4 THEN 2 END)"
    " UNION SELECT reservation_id FROM foreign_attempt WHERE +reservation_id <> 0"
    " GROUP BY reservation_id HAVING count(*) > 1"
    " UNION SELECT reservation_id FROM foreign_attempt WHERE reservation_id <> 0 AND NOT EXISTS"
    " (SELECT 1 FROM reservation WHERE reservation.id = reservation_id AND pays_minor <> 0)";

/* --- the history of an approval --- */

static void check_change(struct verify *verify, const struct foreign_change *change,
                         const struct foreign_change *before)
{
    enum foreign_state from =
        before->tenant_id == change->tenant_id ? before->to.state : FOREIGN_NOT_REQUESTED;
    if (change->from != from)
        verify_report(verify, "foreign_history_broken",
                      "change %" PRId64 " of tenant %" PRId64 " begins at %s; it was %s",
                      change->id, change->tenant_id, foreign_state_name(change->from),
                      foreign_state_name(from));
    if (!foreign_may_move(change->from, change->to.state))
        verify_report(verify, "foreign_change_off_table",
                      "change %" PRId64 " of tenant %" PRId64 " goes from %s to %s", change->id,
                      change->tenant_id, foreign_state_name(change->from),
                      foreign_state_name(change->to.state));
}

static int verify_changes(struct verify *verify)
{
    struct foreign_change before = {0};
    struct stream stream;
    int err = stream_open(&stream, verify, sql_read_changes);
    while (err == 0 && stream.has_row) {
        struct foreign_change change = {0};
        if (row_read_foreign_change(stream.statement, &change) != 0)
            verify_report(verify, "foreign_change_out_of_range",
                          "change %" PRId64 " holds a value that no change can have", change.id);
        else
            check_change(verify, &change, &before);
        before = change;
        err = stream_next(&stream);
    }
    stream_close(&stream);
    return err;
}

/* --- attempts by themselves --- */

static bool is_sound(const struct foreign_attempt *attempt)
{
    bool is_charge = attempt->effect == FOREIGN_CHARGE;
    bool is_allowed = attempt->verdict == FOREIGN_ALLOWED;
    if (!is_allowed && (attempt->end != FOREIGN_UNPAID || attempt->api_status != 0))
        return false;
    if (is_charge)
        return attempt->operation_id > 0 && attempt->reservation_id == 0;
    return attempt->operation_id == 0 && (attempt->reservation_id > 0) == is_allowed;
}

static int verify_attempts(struct verify *verify)
{
    struct stream stream;
    int err = stream_open(&stream, verify, sql_read_attempts);
    while (err == 0 && stream.has_row) {
        struct foreign_attempt attempt = {0};
        bool is_read = row_read_foreign_attempt(stream.statement, &attempt) == 0;
        if (!is_read || attempt.amount_minor <= 0)
            verify_report(verify, "foreign_attempt_out_of_range",
                          "attempt %" PRId64 " holds a value that no attempt can have", attempt.id);
        else if (!is_sound(&attempt))
            verify_report(verify, "foreign_attempt_unsound",
                          "attempt %" PRId64 " names operation %" PRId64 " and reservation %" PRId64
                          ", was judged %s and is %s",
                          attempt.id, attempt.operation_id, attempt.reservation_id,
                          foreign_verdict_name(attempt.verdict), foreign_end_name(attempt.end));
        err = stream_next(&stream);
    }
    stream_close(&stream);
    return err;
}

/* --- what each query finds is a finding --- */

typedef void (*report_fn)(struct verify *verify, struct columns columns);

static void report_approval(struct verify *verify, struct columns columns)
{
    verify_report(verify, "foreign_approval_differs",
                  "the approval of tenant %" PRId64 " is not what its history ends with",
                  column_int(&columns));
}

static void report_day(struct verify *verify, struct columns columns)
{
    int64_t tenant_id = column_int(&columns);
    int64_t local_date = column_int(&columns);
    int64_t counted_minor = column_int(&columns);
    verify_report(verify, "foreign_day_differs",
                  "tenant %" PRId64 ", day %" PRId64 ": %" PRId64
                  " counts as paid onto orders that are not ours; the attempts come to %" PRId64,
                  tenant_id, local_date, counted_minor, column_int(&columns));
}

static void report_charge(struct verify *verify, struct columns columns)
{
    int64_t id = column_int(&columns);
    verify_report(verify, "foreign_attempt_differs",
                  "attempt %" PRId64 " is not of operation %" PRId64 " as that one was decided", id,
                  column_int(&columns));
}

static void report_twice(struct verify *verify, struct columns columns)
{
    int64_t operation_id = column_int(&columns);
    verify_report(verify, "foreign_paid_twice",
                  "operation %" PRId64 " has %" PRId64 " attempts that count", operation_id,
                  column_int(&columns));
}

static void report_reservation(struct verify *verify, struct columns columns)
{
    verify_report(verify, "foreign_reservation_differs",
                  "reservation %" PRId64 " pays, and its attempt says otherwise",
                  column_int(&columns));
}

static int report_each(struct verify *verify, const char *sql, report_fn report)
{
    struct stream stream;
    int err = stream_open(&stream, verify, sql);
    while (err == 0 && stream.has_row) {
        report(verify, (struct columns){.statement = stream.statement});
        err = stream_next(&stream);
    }
    stream_close(&stream);
    return err;
}

int verify_foreign_count_rows(struct verify *verify)
{
    struct stream stream;
    int err = stream_open(&stream, verify, sql_count_rows);
    if (err == 0)
        verify->rows_total += column_int(&(struct columns){.statement = stream.statement});
    stream_close(&stream);
    return err;
}

int verify_foreign(struct verify *verify)
{
    static const struct {
        const char *sql;
        report_fn report;
    } queries[] = {
        {sql_read_approvals, report_approval},
        {sql_read_days, report_day},
        {sql_read_strange_charges, report_charge},
        {sql_read_twice_sent, report_twice},
        {sql_read_strange_reservations, report_reservation},
    };
    int err = verify_changes(verify);
    if (err == 0)
        err = verify_attempts(verify);
    for (size_t i = 0; err == 0 && i < COUNT_OF(queries); i++)
        err = report_each(verify, queries[i].sql, queries[i].report);
    return err;
}
