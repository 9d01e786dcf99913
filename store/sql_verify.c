/*
 * Verify: proves the laws from the rows alone, in one read transaction; this file holds the frame,
 * the sites and the registers' days.
 */
#include "store/sql_verify.h"

#include "base/check.h"
#include "base/money.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/banned.h"

static const char sql_read_lost_sites[] =
    "SELECT id, tenant_id FROM site "
    "WHERE NOT EXISTS (SELECT 1 FROM tenant WHERE tenant.id = site.tenant_id)";
/*
 * What each register gave back without a known sale: by the transfers (their operation has no
 * order, or the charge that they answer is of another sale than the operation's), and as its days
 * have counted it. Rows carry no local date, so the days of a register are compared as one sum.
 */
static const char sql_read_days[] =
    "SELECT refund.tenant_id, refund.site_id, refund.register_id, transfer.amount_minor, 0"
    " FROM transfer"
    " JOIN operation AS refund ON refund.id = transfer.operation_id"
    " JOIN operation AS charge ON charge.id = transfer.answers_operation_id"
    " WHERE transfer.cause = 3 AND (refund.order_id = 0 OR charge.order_id <>"
    "  CASE WHEN refund.refunded_order_id <> 0 THEN refund.refunded_order_id"
    "  ELSE refund.order_id END)"
    " UNION ALL"
    " SELECT tenant_id, site_id, register_id, 0, refunded_minor FROM register_day"
    " ORDER BY 1, 2, 3";

void verify_report(struct verify *verify, const char *name, const char *format, ...)
{
    char detail[FINDING_DETAIL_MAX];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(detail, sizeof(detail), format, arguments);
    va_end(arguments);
    CHECK(length >= 0);
    verify->findings++;
    verify->finding(verify->context, name, detail);
}

int stream_open(struct stream *stream, struct verify *verify, const char *sql)
{
    *stream = (struct stream){.verify = verify};
    int err = verify->sql->driver->prepare_stream(verify->sql, sql, &stream->statement);
    return err != 0 ? err : sql_step(verify->sql, stream->statement, &stream->has_row);
}

int stream_next(struct stream *stream)
{
    struct verify *verify = stream->verify;
    verify->rows_done++;
    if (verify->progress != NULL && verify->rows_done % PROGRESS_ROWS == 0)
        verify->progress(verify->context, verify->rows_done, verify->rows_total);
    return sql_step(verify->sql, stream->statement, &stream->has_row);
}

void stream_close(struct stream *stream)
{
    if (stream->statement != NULL)
        stream->verify->sql->driver->finalize(stream->statement);
}

/* --- sites and registers' days --- */

static int verify_sites(struct verify *verify)
{
    struct stream stream;
    int err = stream_open(&stream, verify, sql_read_lost_sites);
    while (err == 0 && stream.has_row) {
        struct columns columns = {.statement = stream.statement};
        int64_t id = column_int(&columns);
        verify_report(verify, "site_without_tenant",
                      "site %" PRId64 " is of tenant %" PRId64 ", which does not exist", id,
                      column_int(&columns));
        err = stream_next(&stream);
    }
    stream_close(&stream);
    return err;
}

struct register_sum {
    int64_t tenant_id;
    int64_t site_id;
    int64_t register_id;
    int64_t given_minor;
    int64_t counted_minor;
    bool is_open;
};

static void register_end(struct verify *verify, const struct register_sum *sum)
{
    if (!sum->is_open || sum->given_minor == sum->counted_minor)
        return;
    verify_report(verify, "register_day_differs",
                  "register %" PRId64 " of site %" PRId64 ", tenant %" PRId64 " gave back %" PRId64
                  " without a known sale; its days count %" PRId64,
                  sum->register_id, sum->site_id, sum->tenant_id, sum->given_minor,
                  sum->counted_minor);
}

static void register_add(struct verify *verify, struct register_sum *sum, struct columns columns)
{
    struct register_sum row = {.is_open = true};
    row.tenant_id = column_int(&columns);
    row.site_id = column_int(&columns);
    row.register_id = column_int(&columns);
    row.given_minor = column_int(&columns);
    row.counted_minor = column_int(&columns);
    if (!sum->is_open || row.tenant_id != sum->tenant_id || row.site_id != sum->site_id ||
        row.register_id != sum->register_id) {
        register_end(verify, sum);
        *sum = row;
        return;
    }
    if (!money_add(sum->given_minor, row.given_minor, &sum->given_minor) ||
        !money_add(sum->counted_minor, row.counted_minor, &sum->counted_minor))
        verify_report(verify, "sum_overflows",
                      "refunds without a known sale of register %" PRId64 ", tenant %" PRId64,
                      row.register_id, row.tenant_id);
}

int verify_days(struct verify *verify)
{
    struct register_sum sum = {0};
    struct stream stream;
    int err = stream_open(&stream, verify, sql_read_days);
    while (err == 0 && stream.has_row) {
        register_add(verify, &sum, (struct columns){.statement = stream.statement});
        err = stream_next(&stream);
    }
    if (err == 0)
        register_end(verify, &sum);
    stream_close(&stream);
    return err;
}

/* --- all of it --- */

static int verify_count_rows(struct verify *verify)
{
    struct store_totals totals;
    int err = sql_read_totals(&verify->sql->store, &totals);
    if (err == 0) /* each operation and transfer is read in two passes */
        verify->rows_total = totals.cards + 2 * totals.operations + 2 * totals.transfers;
    return err;
}

int sql_verify(struct store *store, verify_finding_fn finding, verify_progress_fn progress,
               void *context, int64_t *findings)
{
    struct verify verify = {
        .sql = sql_of(store), .finding = finding, .progress = progress, .context = context};
    int err = sql_begin_read(store);
    if (err != 0)
        return err;
    err = verify.sql->driver->be_patient(verify.sql);
    if (err == 0)
        err = verify_count_rows(&verify);
    if (err == 0)
        err = verify_points_count_rows(&verify);
    if (err == 0)
        err = verify_words_count_rows(&verify);
    if (err == 0)
        err = verify_proofs_count_rows(&verify);
    if (err == 0)
        err = verify_foreign_count_rows(&verify);
    if (err == 0)
        err = verify.sql->driver->verify_schema(&verify);
    if (err == 0)
        err = verify_sites(&verify);
    if (err == 0)
        err = verify_cards(&verify);
    if (err == 0)
        err = verify_operations(&verify);
    if (err == 0)
        err = verify_days(&verify);
    if (err == 0)
        err = verify_points(&verify);
    if (err == 0)
        err = verify_words(&verify);
    if (err == 0)
        err = verify_proofs(&verify);
    if (err == 0)
        err = verify_foreign(&verify);
    sql_end_read(store);
    if (err == 0 && progress != NULL)
        progress(context, verify.rows_total, verify.rows_total);
    *findings = verify.findings;
    return err;
}
