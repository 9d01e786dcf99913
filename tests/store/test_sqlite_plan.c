/*
 * How SQLite does what is asked of work, points and proofs: by key or index, and without sorting
 * what may be much.
 */
#include "tests/store/rows.h"

#include "store/sqlite_driver.h"

#include <string.h>

/* *all: every line of the plan. */
static void explain(sqlite3 *model, const char *sql, struct text_buffer *all)
{
    char question[4096];
    struct text_buffer buffer;
    sqlite3_stmt *statement;
    text_buffer_init(&buffer, question, sizeof(question));
    text_append_format(&buffer, "EXPLAIN QUERY PLAN %s", sql);
    assert_false(buffer.is_cut);
    assert_int_equal(sqlite3_prepare_v2(model, question, -1, &statement, NULL), SQLITE_OK);
    while (sqlite3_step(statement) == SQLITE_ROW)
        text_append_format(all, "%s\n", (const char *)sqlite3_column_text(statement, 3));
    sqlite3_finalize(statement);
    assert_false(all->is_cut);
}

/* What may be read whole: constants, tenants, the indexes of what is open, what answers one
 * operation, and the single rows that sums are. */
static bool is_bounded(const char *scan)
{
    static const char *const bounded[] = {
        "SCAN CONSTANT ROW", "SCAN tenant",    "SCAN work USING INDEX work_open",
        "SCAN tree",         "SCAN (subquery", "SCAN proof USING INDEX proof_told",
        "SCAN proved",       "SCAN stray",     "SCAN urgent",
        "SCAN others",
    };
    for (size_t i = 0; i < COUNT_OF(bounded); i++)
        if (strncmp(scan, bounded[i], strlen(bounded[i])) == 0)
            return true;
    return false;
}

static void assert_plan(sqlite3 *model, const char *sql)
{
    char plan[2048];
    struct text_buffer all;
    /* Sorted are a few of each tenant. */
    bool may_sort = strstr(sql, "FROM tenant CROSS JOIN work") != NULL;
    text_buffer_init(&all, plan, sizeof(plan));
    explain(model, sql, &all);
    for (const char *scan = strstr(plan, "SCAN "); scan != NULL; scan = strstr(scan + 1, "SCAN "))
        if (!is_bounded(scan))
            fail_msg("%s\n%s", sql, plan);
    /* Of a tenant's rows all, where an index of parts was meant. */
    if (strstr(plan, "USING PRIMARY KEY (tenant_id=?)\n") != NULL)
        fail_msg("%s\n%s", sql, plan);
    if (!may_sort && strstr(plan, "TEMP B-TREE") != NULL)
        fail_msg("%s\n%s", sql, plan);
}

static void assert_plans(const char *(*text)(int), int least)
{
    sqlite3 *model;
    int count = 0;
    assert_int_equal(sqlite_schema_create_model(&model), 0);
    for (; text(count) != NULL; count++)
        assert_plan(model, text(count));
    assert_true(count >= least);
    assert_null(text(-1));
    sqlite3_close(model);
}

static void work_is_found_by_key_or_index(void **state)
{
    (void)state;
    assert_plans(sql_work_text, 17);
}

static void points_are_found_by_key_or_index(void **state)
{
    (void)state;
    assert_plans(sql_points_text, 10);
}

static void reservations_and_entries_are_read_by_key_or_index(void **state)
{
    (void)state;
    assert_plans(sql_points_read_text, 7);
}

static void approvals_and_attempts_are_found_by_key_or_index(void **state)
{
    (void)state;
    assert_plans(sql_foreign_text, 17);
}

static void proofs_are_found_by_key_or_index(void **state)
{
    (void)state;
    assert_plans(sql_proof_text, 12);
}

static void payments_that_orders_show_are_found_by_key_or_index(void **state)
{
    (void)state;
    assert_plans(sql_proof_payment_text, 16);
}

static void reports_are_read_by_index(void **state)
{
    (void)state;
    assert_plans(sql_proof_report_text, 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(work_is_found_by_key_or_index),
        cmocka_unit_test(points_are_found_by_key_or_index),
        cmocka_unit_test(reservations_and_entries_are_read_by_key_or_index),
        cmocka_unit_test(approvals_and_attempts_are_found_by_key_or_index),
        cmocka_unit_test(proofs_are_found_by_key_or_index),
        cmocka_unit_test(payments_that_orders_show_are_found_by_key_or_index),
        cmocka_unit_test(reports_are_read_by_index),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
