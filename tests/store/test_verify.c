/*
 * Verify: a store filled the committer's way has no finding, and each of a set of hand-made
 * corruptions of a copy is named by the finding that is meant for it.
 */
#include "tests/store/tamper.h"

#include "base/error.h"
#include "ledger/account.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CARD_A TAMPER_CARD
#define CARD_B "6000000000000002"
#define CARD_C "6000000000000003"

/* ledger/account.h: CARD(2), SALES(2), LOADS(1). */
#define ACCOUNT_CARD_2 "36028797018963970"
#define ACCOUNT_SALES_2 "72057594037927938"
#define ACCOUNT_LOADS_1 "108086391056891905"

struct fixture {
    struct rows rows;
    char location[LOCATION_MAX];
};

/* --- a store with one of everything; ids in the comments: operation, transfers --- */

static void run(struct rows *rows, enum action action, const char *number, int64_t order_id,
                int64_t amount_minor, enum result result)
{
    struct outcome outcome =
        rows_run(rows, rows_command(rows, action, number, order_id, amount_minor));
    assert_int_equal(outcome.result, result);
    assert_false(outcome.is_replay);
}

static void bury_a_charge(struct rows *rows)
{
    bool happened;
    struct command charge = rows_command(rows, ACTION_CHARGE, CARD_A, 16, 5);
    rows_decide(rows, &charge, 1);
    store_rollback(rows->store);
    assert_int_equal(store_settle(rows->store, rows->batch, &happened), 0);
    assert_false(happened);
}

static void add_second_tenant(struct rows *rows)
{
    struct site site = {.tenant_id = 1, .name = "Pier 3", .oseries_site = 923};
    struct tenant other = rows_tenant(9999);
    assert_int_equal(store_add_site(rows->store, &site), 0);
    assert_int_equal(store_add_tenant(rows->store, &other), 0);
    rows->tenant = other;
    rows_run(rows, rows_issue(rows, CARD_A, 400)); /* 15: t14, card 4 */
}

static void add_held_loads(struct rows *rows)
{
    rows->tenant.policy.top_up_is_held = true;
    run(rows, ACTION_TOP_UP, CARD_A, 21, 300, RESULT_OK); /* 16: held */
    run(rows, ACTION_TOP_UP, CARD_A, 21, 50, RESULT_OK);  /* 17: held */
    run(rows, ACTION_RELEASE, CARD_A, 21, 0, RESULT_OK);  /* 18: t15 of 17, t16 of 16 */
    run(rows, ACTION_TOP_UP, CARD_A, 22, 70, RESULT_OK);  /* 19: held, and waits still */
    run(rows, ACTION_CHARGE, CARD_A, 23, 100, RESULT_OK); /* 20: t17 */
    struct command refund = rows_command(rows, ACTION_REFUND, CARD_A, 24, 40);
    refund.refunded_order_id = 23;
    assert_int_equal(rows_run(rows, refund).result, RESULT_OK); /* 21: t18 */
    run(rows, ACTION_CHARGE, CARD_A, 25, 30, RESULT_OK);        /* 22: t19 */
    refund.order_id = 26;
    refund.refunded_order_id = 25;
    refund.asked_minor = 20;
    assert_int_equal(rows_run(rows, refund).result, RESULT_OK); /* 23: t20 */
    refund.order_id = 27;
    refund.refunded_order_id = 28;
    assert_int_equal(rows_run(rows, refund).result, RESULT_OK); /* 24: t21, t22: of no known sale */
}

static void undo(struct rows *rows, enum action action, int64_t order_id, int64_t operation_id)
{
    struct command command = rows_command(rows, action, CARD_A, order_id, 0);
    command.answers_operation_id = operation_id;
    assert_int_equal(rows_run(rows, command).result, RESULT_OK);
}

static void add_undone(struct rows *rows)
{
    run(rows, ACTION_CHARGE, CARD_A, 31, 100, RESULT_OK); /* 25: t23 */
    undo(rows, ACTION_REVERSE, 31, 25);                   /* 26: t24 */
    undo(rows, ACTION_RECHARGE, 31, 26);                  /* 27: t25 */
    run(rows, ACTION_CHARGE, CARD_A, 32, 60, RESULT_OK);  /* 28: t26 */
    undo(rows, ACTION_REVERSE, 32, 28);                   /* 29: t27 */
    run(rows, ACTION_CHARGE, CARD_A, 33, 50, RESULT_OK);  /* 30: t28 */
    run(rows, ACTION_REFUND, CARD_A, 33, 20, RESULT_OK);  /* 31: t29 */
    undo(rows, ACTION_RECHARGE, 33, 31);                  /* 32: t30 */
    run(rows, ACTION_REFUND, CARD_A, 33, 45, RESULT_OK);  /* 33: t31 of 32, t32 of 30 */
    undo(rows, ACTION_REVERSE, 33, 30);                   /* 34: t33, the rest of 30 */
}

static void fill(struct rows *rows)
{
    struct command stock = rows_issue(rows, CARD_C, 0);
    stock.new_card.status = CARD_STOCK;
    rows_run(rows, rows_issue(rows, CARD_A, 10000));            /* 1: t1 */
    rows_run(rows, rows_issue(rows, CARD_B, 5000));             /* 2: t2 */
    rows_run(rows, stock);                                      /* 3 */
    run(rows, ACTION_CHARGE, CARD_A, 11, 700, RESULT_OK);       /* 4: t3 */
    run(rows, ACTION_CHARGE, CARD_B, 11, 800, RESULT_OK);       /* 5: t4 */
    run(rows, ACTION_CHARGE, CARD_A, 12, 300, RESULT_OK);       /* 6: t5 */
    run(rows, ACTION_TOP_UP, CARD_C, 13, 2000, RESULT_OK);      /* 7: t6 */
    run(rows, ACTION_CHARGE, CARD_C, 14, 2500, RESULT_OK);      /* 8: t7, partial */
    run(rows, ACTION_CHARGE, CARD_C, 15, 100, RESULT_NO_FUNDS); /* 9 */
    run(rows, ACTION_REFUND, CARD_A, 11, 200, RESULT_OK);       /* 10: t8 */
    run(rows, ACTION_REFUND, CARD_A, 77, 350, RESULT_OK);       /* 11: t9, t10 */
    run(rows, ACTION_CHARGE, CARD_A, 16, 100, RESULT_OK);       /* 12: t11 */
    bury_a_charge(rows);                                        /* 13 */
    run(rows, ACTION_CHARGE, CARD_B, 17, 50, RESULT_OK); /* 14: t13, for 12 was the buried one's */
    add_second_tenant(rows);
    add_held_loads(rows);
    add_undone(rows);
}

static int setup_group(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    assert_non_null(fixture);
    rows_init(&fixture->rows, 1);
    files_create(fixture->location);
    rows_open(&fixture->rows, fixture->location);
    fill(&fixture->rows);
    *state = fixture;
    return 0;
}

static int teardown_group(void **state)
{
    struct fixture *fixture = *state;
    rows_finish(&fixture->rows);
    files_remove(fixture->location);
    free(fixture);
    return 0;
}

/* --- corruptions: raw SQL on a copy, as somebody with the file would --- */

static const struct corruption corruptions[] = {
    {"balance_differs", "UPDATE card SET balance_minor = balance_minor + 1 WHERE id = 1"},
    {"balance_negative", "UPDATE card SET balance_minor = -5 WHERE id = 2"},
    {"card_version_differs", "UPDATE card SET version = version + 1 WHERE id = 1"},
    {"card_without_tenant", "UPDATE card SET tenant_id = 99 WHERE id = 3"},
    {"card_out_of_range", "UPDATE card SET status = 9 WHERE id = 2"},
    {"card_number_differs", "UPDATE card SET number_index = randomblob(32) WHERE id = 1"},
    {"card_number_differs", "UPDATE card SET last4 = '0002' WHERE id = 1"},
    {"card_number_differs", "UPDATE card SET number_sealed = x'' WHERE id = 1"},
    {"card_number_differs", "UPDATE card SET number_sealed = "
                            "(SELECT number_sealed FROM card WHERE id = 2) WHERE id = 1"},
    {"transfer_head_differs", "UPDATE card SET last_transfer_id = 3 WHERE id = 1"},
    {"operation_head_differs", "UPDATE card SET last_operation_id = 4 WHERE id = 1"},
    {"operation_chain_broken", "UPDATE operation SET previous_operation_id = 1 WHERE id = 10"},
    {"operation_head_differs", "DELETE FROM operation WHERE id = 9"},
    {"transfer_version_gap", "DELETE FROM transfer WHERE id = 5"},
    {"transfer_version_repeated", "UPDATE transfer SET version = 2 WHERE id = 5"},
    {"transfer_balance_differs",
     "UPDATE transfer SET balance_minor_after = balance_minor_after + 1 WHERE id = 5"},
    {"transfer_chain_broken", "UPDATE transfer SET previous_transfer_id = 1 WHERE id = 5"},
    {"transfer_amount_not_positive", "UPDATE transfer SET amount_minor = 0 WHERE id = 13"},
    {"transfer_amount_not_positive", "UPDATE transfer SET amount_minor = -50 WHERE id = 13"},
    {"transfer_without_card", "DELETE FROM card WHERE id = 2"},
    {"transfer_without_customer",
     "UPDATE transfer SET debit_account = " ACCOUNT_LOADS_1 " WHERE id = 13"},
    {"transfer_without_customer", "UPDATE transfer SET debit_account = -1 WHERE id = 13"},
    {"transfer_without_operation", "DELETE FROM operation WHERE id = 14"},
    {"transfer_without_operation", "DELETE FROM operation WHERE id = 21"},
    {"transfer_out_of_range", "UPDATE transfer SET cause = 9 WHERE id = 6"},
    {"transfer_cause_differs", "UPDATE transfer SET cause = 4 WHERE id = 6"},
    {"transfer_accounts_differ",
     "UPDATE transfer SET credit_account = " ACCOUNT_SALES_2 " WHERE id = 3"},
    {"transfer_accounts_differ",
     "UPDATE transfer SET credit_account = " ACCOUNT_CARD_2 " WHERE id = 3"},
    {"transfer_answer_differs", "UPDATE transfer SET answers_operation_id = 5 WHERE id = 3"},
    {"transfer_time_differs", "UPDATE transfer SET created_at_us = 1 WHERE id = 3"},
    {"operation_amount_differs", "UPDATE transfer SET amount_minor = 701 WHERE id = 3"},
    {"operation_amount_differs", "UPDATE operation SET amount_minor = 200 WHERE id = 6"},
    {"operation_balance_differs", "UPDATE operation SET balance_minor_after = 1 WHERE id = 6"},
    {"operation_balance_differs", "UPDATE operation SET card_version_after = 1 WHERE id = 6"},
    {"operation_without_card", "UPDATE operation SET card_id = 999 WHERE id = 9"},
    {"operation_tenant_differs", "UPDATE operation SET tenant_id = 2 WHERE id = 9"},
    {"operation_without_tenant", "UPDATE operation SET tenant_id = 99 WHERE id = 13"},
    {"operation_out_of_range", "UPDATE operation SET result = 77 WHERE id = 9"},
    {"refusal_moved_money", "UPDATE operation SET result = 14 WHERE id = 12"},
    {"amount_not_as_asked", "UPDATE operation SET asked_minor = 10 WHERE id = 6"},
    {"amount_not_as_asked", "UPDATE operation SET asked_minor = 9000 WHERE id = 7"},
    {"tombstone_not_empty", "UPDATE operation SET card_id = 1 WHERE id = 13"},
    {"given_back_differs", "UPDATE operation SET given_back_minor = 0 WHERE id = 6"},
    {"given_back_differs", "UPDATE operation SET given_back_minor = 1 WHERE id = 12"},
    {"given_back_above_charge", "UPDATE operation SET given_back_minor = 301 WHERE id = 6"},
    {"given_back_above_charge", "UPDATE transfer SET amount_minor = 900 WHERE id = 9"},
    {"refund_answers_nothing", "UPDATE transfer SET answers_operation_id = 99 WHERE id = 9"},
    {"refund_answers_nothing", "DELETE FROM operation WHERE id = 6"},
    {"refund_answers_no_charge", "UPDATE transfer SET answers_operation_id = 7 WHERE id = 9"},
    {"refund_to_other_card", "UPDATE transfer SET answers_operation_id = 5 WHERE id = 9"},
    {"refund_of_other_sale", "UPDATE operation SET refunded_order_id = 23 WHERE id = 23"},
    {"reversal_answers_nothing", "UPDATE transfer SET answers_operation_id = 99 WHERE id = 24"},
    {"reversal_answers_nothing", "DELETE FROM operation WHERE id = 25"},
    {"reversal_answers_no_charge", "UPDATE transfer SET answers_operation_id = 7 WHERE id = 24"},
    {"reversal_answers_no_charge", "UPDATE operation SET action = 4 WHERE id = 28"},
    {"reversal_to_other_card", "UPDATE transfer SET answers_operation_id = 5 WHERE id = 24"},
    {"reversal_of_other_sale", "UPDATE transfer SET answers_operation_id = 28 WHERE id = 24"},
    {"reversal_of_other_sale", "UPDATE operation SET order_id = 31 WHERE id = 29"},
    {"recharge_answers_nothing", "UPDATE operation SET answers_operation_id = 99 WHERE id = 27"},
    {"recharge_answers_nothing", "DELETE FROM operation WHERE id = 26"},
    {"recharge_answers_no_credit", "UPDATE operation SET answers_operation_id = 25 WHERE id = 27"},
    {"recharge_of_other_card", "UPDATE operation SET answers_operation_id = 10 WHERE id = 27"},
    {"recharge_of_other_sale", "UPDATE operation SET answers_operation_id = 29 WHERE id = 27"},
    {"undone_operation_differs", "UPDATE operation SET answers_operation_id = 4 WHERE id = 6"},
    {"undone_operation_differs", "UPDATE operation SET answers_operation_id = 0 WHERE id = 27"},
    {"undone_operation_differs", "UPDATE operation SET answers_operation_id = 28 WHERE id = 26"},
    {"transfer_answer_differs", "UPDATE operation SET answers_operation_id = 24 WHERE id = 26"},
    {"transfer_cause_differs", "UPDATE transfer SET cause = 3 WHERE id = 24"},
    {"given_back_differs", "UPDATE operation SET given_back_minor = 0 WHERE id = 25"},
    {"given_back_differs", "UPDATE operation SET given_back_minor = 0 WHERE id = 26"},
    {"given_back_differs", "UPDATE operation SET given_back_minor = 1 WHERE id = 29"},
    {"given_back_differs", "UPDATE operation SET given_back_minor = 44 WHERE id = 30"},
    {"given_back_differs", "UPDATE operation SET given_back_minor = 20 WHERE id = 33"},
    {"given_back_above_charge", "UPDATE operation SET given_back_minor = 101 WHERE id = 26"},
    {"given_back_above_charge", "UPDATE transfer SET amount_minor = 101 WHERE id = 25"},
    {"amount_not_as_asked", "UPDATE operation SET asked_minor = 101 WHERE id = 26"},
    {"amount_not_as_asked", "UPDATE operation SET asked_minor = 99 WHERE id = 27"},
    {"refusal_moved_money", "UPDATE operation SET result = 14 WHERE id = 27"},
    {"hold_moved_money", "UPDATE transfer SET operation_id = 19 WHERE id = 15"},
    {"amount_not_as_asked", "UPDATE operation SET amount_minor = 70 WHERE id = 19"},
    {"release_answers_nothing", "UPDATE transfer SET answers_operation_id = 99 WHERE id = 15"},
    {"release_answers_nothing", "DELETE FROM operation WHERE id = 17"},
    {"release_answers_no_hold", "UPDATE transfer SET answers_operation_id = 15 WHERE id = 15"},
    {"release_answers_no_hold", "UPDATE operation SET result = 16 WHERE id = 17"},
    {"release_to_other_card", "UPDATE operation SET card_id = 1 WHERE id = 17"},
    {"release_of_other_sale", "UPDATE operation SET order_id = 22 WHERE id = 17"},
    {"released_not_as_held", "UPDATE transfer SET amount_minor = 49 WHERE id = 15"},
    {"released_not_as_held", "UPDATE transfer SET answers_operation_id = 16 WHERE id = 15"},
    {"held_load_passed_over", "DELETE FROM transfer WHERE id = 15"},
    {"held_load_passed_over", "UPDATE transfer SET answers_operation_id = 16 WHERE id = 15"},
    {"held_load_passed_over", "UPDATE operation SET action = 7, asked_minor = 0, order_id = 22"
                              " WHERE id = 20"},
    {"transfer_answer_differs", "UPDATE transfer SET answers_operation_id = 19 WHERE id = 15"},
    {"register_day_differs", "UPDATE operation SET refunded_order_id = 0 WHERE id = 21"},
    {"register_day_differs", "UPDATE register_day SET refunded_minor = 1"},
    {"register_day_differs", "DELETE FROM register_day"},
    {"register_day_differs", "INSERT INTO register_day VALUES (2, 1, 1, 20000, 5)"},
    {"site_without_tenant", "UPDATE site SET tenant_id = 99"},
    {"sum_overflows", "UPDATE transfer SET amount_minor = 9000000000000000000 WHERE id IN (1, 8)"},
    {"bar_is_down", "UPDATE tenant SET place = 2"},
    {"schema_differs", "CREATE TABLE extra (x)"},
    {"schema_differs", "DROP INDEX card_by_last4"},
    {"database_damaged", "UPDATE card SET used_count = -1 WHERE id = 1"},
};

static void verify_corrupted(const struct fixture *fixture, const char *sql,
                             struct findings *findings)
{
    tamper_verify_corrupted(&fixture->rows, fixture->location, sql, findings);
}

/* --- tests --- */

static void clean_store_has_no_findings(void **state)
{
    struct fixture *fixture = *state;
    struct findings findings = {0};
    assert_int_equal(tamper_verify(&fixture->rows, fixture->location, &findings), 0);
    assert_string_equal(findings.names, "");
    assert_int_equal(rows_verify(fixture->rows.store), 0); /* the writer's connection too */
    assert_true(findings.progress_calls > 0);
    assert_int_equal(findings.done, findings.total);
    assert_int_equal(findings.total, 4 + 2 * 34 + 2 * 33);
}

static void tampering_with_nothing_is_not_found(void **state)
{
    struct findings findings = {0};
    verify_corrupted(*state, "SELECT 1", &findings);
    assert_string_equal(findings.names, "");
}

static void each_corruption_is_named(void **state)
{
    assert_true(COUNT_OF(corruptions) >= 15);
    for (size_t i = 0; i < COUNT_OF(corruptions); i++) {
        struct findings findings = {.wanted = corruptions[i].finding};
        verify_corrupted(*state, corruptions[i].sql, &findings);
        if (!findings.is_found)
            fail_msg("%s is not named %s but:%s", corruptions[i].sql, corruptions[i].finding,
                     findings.names);
    }
}

static void dropped_guard_is_named(void **state)
{
    const struct fixture *fixture = *state;
    struct findings findings = {.wanted = "schema_differs"};
    char copy[LOCATION_MAX];
    files_create(copy);
    files_copy(fixture->location, copy);
    files_execute(copy, "DROP TRIGGER transfer_is_never_deleted");
    assert_int_equal(tamper_verify(&fixture->rows, copy, &findings), 0);
    assert_string_equal(findings.names, " schema_differs");
    files_remove(copy);
}

static int64_t first_page_of(const char *location, const char *table)
{
    sqlite3 *connection;
    sqlite3_stmt *statement;
    assert_int_equal(sqlite3_open(location, &connection), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(connection,
                                        "SELECT rootpage FROM sqlite_schema WHERE name = ?", -1,
                                        &statement, NULL),
                     SQLITE_OK);
    sqlite3_bind_text(statement, 1, table, -1, SQLITE_STATIC);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    int64_t page = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    sqlite3_close(connection);
    return page;
}

/* Zeroes among the rows of a page: a finding or ERR_STORE_CORRUPT, never a clean bill. */
static void damaged_pages_are_noticed(void **state)
{
    const struct fixture *fixture = *state;
    struct findings findings = {0};
    char copy[LOCATION_MAX];
    char zeroes[600] = {0};
    files_create(copy);
    files_copy(fixture->location, copy);
    files_execute(copy, "PRAGMA wal_checkpoint(TRUNCATE)");
    int64_t end_of_page = 2048 * first_page_of(copy, "transfer");
    FILE *file = fopen(copy, "r+b");
    assert_non_null(file);
    assert_int_equal(fseek(file, end_of_page - 700, SEEK_SET), 0);
    assert_int_equal(fwrite(zeroes, 1, sizeof(zeroes), file), sizeof(zeroes));
    assert_int_equal(fclose(file), 0);
    int err = tamper_verify(&fixture->rows, copy, &findings);
    assert_true(err == ERR_STORE_CORRUPT || findings.count > 0);
    files_remove(copy);
}

static void every_finding_has_its_corruption(void **state)
{
    (void)state;
    tamper_check_names(corruptions, COUNT_OF(corruptions), "sql_verify.c");
    tamper_check_names(corruptions, COUNT_OF(corruptions), "sqlite_check.c");
    tamper_check_names(corruptions, COUNT_OF(corruptions), "sql_verify_card.c");
    tamper_check_names(corruptions, COUNT_OF(corruptions), "sql_verify_operation.c");
}

static void accounts_in_this_file_are_those_of_the_ledger(void **state)
{
    char text[32];
    (void)state;
    snprintf(text, sizeof(text), "%lld", (long long)account_make(ACCOUNT_CARD, 2));
    assert_string_equal(text, ACCOUNT_CARD_2);
    snprintf(text, sizeof(text), "%lld", (long long)account_make(ACCOUNT_SALES, 2));
    assert_string_equal(text, ACCOUNT_SALES_2);
    snprintf(text, sizeof(text), "%lld", (long long)account_make(ACCOUNT_LOADS, 1));
    assert_string_equal(text, ACCOUNT_LOADS_1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clean_store_has_no_findings),
        cmocka_unit_test(tampering_with_nothing_is_not_found),
        cmocka_unit_test(each_corruption_is_named),
        cmocka_unit_test(dropped_guard_is_named),
        cmocka_unit_test(damaged_pages_are_noticed),
        cmocka_unit_test(every_finding_has_its_corruption),
        cmocka_unit_test(accounts_in_this_file_are_those_of_the_ledger),
    };
    return cmocka_run_group_tests(tests, setup_group, teardown_group);
}
