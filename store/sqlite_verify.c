/*
 * Verify: proves the laws from the rows alone, in one read transaction; this file holds the frame,
 * the two passes that are not about money (pages and schema) and the registers' days.
 */
#include "store/sqlite_verify.h"

#include "base/check.h"
#include "base/money.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/banned.h"

static const char sql_check_pages[] = "PRAGMA integrity_check";
static const char sql_read_schema[] = "SELECT type, name, coalesce(sql, '') FROM sqlite_schema "
                                      "WHERE name NOT LIKE 'sqlite_stat%' ORDER BY type, name";
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
    sqlite3 *connection = verify->sqlite->connection;
    if (sqlite3_prepare_v2(connection, sql, -1, &stream->statement, NULL) != SQLITE_OK)
        return sqlite_fail(verify->sqlite, sql);
    return sqlite_step(verify->sqlite, stream->statement, &stream->has_row);
}

int stream_next(struct stream *stream)
{
    struct verify *verify = stream->verify;
    verify->rows_done++;
    if (verify->progress != NULL && verify->rows_done % PROGRESS_ROWS == 0)
        verify->progress(verify->context, verify->rows_done, verify->rows_total);
    return sqlite_step(verify->sqlite, stream->statement, &stream->has_row);
}

void stream_close(struct stream *stream)
{
    sqlite3_finalize(stream->statement);
}

/* --- pages: SQLite's own check of trees, indices and CHECKs --- */

static int verify_pages(struct verify *verify)
{
    struct stream stream;
    int err = stream_open(&stream, verify, sql_check_pages);
    while (err == 0 && stream.has_row) {
        const char *line = (const char *)sqlite3_column_text(stream.statement, 0);
        if (line == NULL || strcmp(line, "ok") != 0)
            verify_report(verify, "database_damaged", "SQLite says: %.200s",
                          line == NULL ? "nothing" : line);
        err = stream_next(&stream);
    }
    stream_close(&stream);
    return err;
}

/* --- schema: a dropped trigger or CHECK no longer guards its law --- */

static const char *schema_text(const struct stream *stream, int column)
{
    return (const char *)sqlite3_column_text(stream->statement, column);
}

static int schema_compare(const struct stream *found, const struct stream *wanted)
{
    if (!found->has_row || !wanted->has_row)
        return found->has_row ? -1 : 1;
    int order = strcmp(schema_text(found, 0), schema_text(wanted, 0));
    return order != 0 ? order : strcmp(schema_text(found, 1), schema_text(wanted, 1));
}

static int schema_walk(struct verify *verify, struct stream *found, struct stream *wanted)
{
    int err = 0;
    while (err == 0 && (found->has_row || wanted->has_row)) {
        int order = schema_compare(found, wanted);
        const struct stream *named = order <= 0 ? found : wanted;
        if (order != 0 || strcmp(schema_text(found, 2), schema_text(wanted, 2)) != 0)
            verify_report(verify, "schema_differs", "%s %s %s", schema_text(named, 0),
                          schema_text(named, 1),
                          order == 0  ? "is not as the program made it"
                          : order < 0 ? "is not the program's"
                                      : "is missing");
        if (order <= 0)
            err = stream_next(found);
        if (err == 0 && order >= 0)
            err = stream_next(wanted);
    }
    return err;
}

int verify_schema(struct verify *verify)
{
    sqlite3 *model = NULL;
    struct stream found = {0};
    struct stream wanted = {.verify = verify};
    int err = sqlite_schema_create_model(&model);
    if (err == 0)
        err = stream_open(&found, verify, sql_read_schema);
    if (err == 0 &&
        sqlite3_prepare_v2(model, sql_read_schema, -1, &wanted.statement, NULL) != SQLITE_OK)
        err = ERR_NO_MEMORY;
    if (err == 0)
        err = sqlite_step(verify->sqlite, wanted.statement, &wanted.has_row);
    if (err == 0)
        err = schema_walk(verify, &found, &wanted);
    stream_close(&found);
    stream_close(&wanted);
    CHECK(sqlite3_close(model) == SQLITE_OK);
    return err;
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
    int err = sqlite_read_totals(&verify->sqlite->store, &totals);
    if (err == 0) /* each operation and transfer is read in two passes */
        verify->rows_total = totals.cards + 2 * totals.operations + 2 * totals.transfers;
    return err;
}

int sqlite_verify(struct store *store, verify_finding_fn finding, verify_progress_fn progress,
                  void *context, int64_t *findings)
{
    struct verify verify = {
        .sqlite = sqlite_of(store), .finding = finding, .progress = progress, .context = context};
    int err = sqlite_run(verify.sqlite, STATEMENT_BEGIN_READ);
    if (err != 0)
        return err;
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
        err = verify_pages(&verify);
    if (err == 0)
        err = verify_schema(&verify);
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
    sqlite_rollback(verify.sqlite);
    if (err == 0 && progress != NULL)
        progress(context, verify.rows_total, verify.rows_total);
    *findings = verify.findings;
    return err;
}
