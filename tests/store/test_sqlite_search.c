/*
 * How SQLite looks members up: by key or index, never by reading a table from its beginning.
 */
#include "tests/store/rows.h"

#include "store/sqlite_driver.h"

#include <string.h>

/* *all: every line of the plan. */
static void explain(sqlite3 *model, const char *sql, struct text_buffer *all)
{
    char question[2048];
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

static void assert_no_scan(sqlite3 *model, const char *sql, const char *wanted)
{
    char plan[2048];
    struct text_buffer all;
    text_buffer_init(&all, plan, sizeof(plan));
    explain(model, sql, &all);
    if (strstr(plan, "SCAN member") != NULL || strstr(plan, "TEMP B-TREE") != NULL ||
        (wanted != NULL && strstr(plan, wanted) == NULL))
        fail_msg("%s\n%s", sql, plan);
}

static void words_are_looked_up_by_key(void **state)
{
    sqlite3 *model;
    (void)state;
    assert_int_equal(sqlite_schema_create_model(&model), 0);
    int count = 0;
    for (; sql_search_text(count) != NULL; count++)
        assert_no_scan(model, sql_search_text(count),
                       "SEARCH member_word USING PRIMARY KEY (tenant_id=? AND word>? AND word<?)");
    assert_true(count >= 3);
    assert_null(sql_search_text(-1));
    sqlite3_close(model);
}

static void members_are_read_by_key_or_index(void **state)
{
    sqlite3 *model;
    (void)state;
    assert_int_equal(sqlite_schema_create_model(&model), 0);
    int count = 0;
    for (; sql_member_text(count) != NULL; count++) {
        bool is_insert = strncmp(sql_member_text(count), "INSERT", 6) == 0;
        assert_no_scan(model, sql_member_text(count), is_insert ? NULL : "SEARCH member");
    }
    assert_true(count >= 8);
    sqlite3_close(model);
}

static void a_scan_would_be_noticed(void **state)
{
    char plan[512];
    struct text_buffer all;
    sqlite3 *model;
    (void)state;
    assert_int_equal(sqlite_schema_create_model(&model), 0);
    text_buffer_init(&all, plan, sizeof(plan));
    explain(model, "SELECT word FROM member_word WHERE word >= ?", &all);
    assert_non_null(strstr(plan, "SCAN member"));
    text_buffer_init(&all, plan, sizeof(plan));
    explain(model, "SELECT id FROM member WHERE tenant_id = ? ORDER BY email", &all);
    assert_non_null(strstr(plan, "TEMP B-TREE"));
    sqlite3_close(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_are_looked_up_by_key),
        cmocka_unit_test(members_are_read_by_key_or_index),
        cmocka_unit_test(a_scan_would_be_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
