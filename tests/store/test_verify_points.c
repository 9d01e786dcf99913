/*
 * Verify, points: a store filled by points commands has no finding, and each of a set of hand-made
 * corruptions of a copy is named by the finding that is meant for it.
 */
#include "tests/store/loyalty.h"
#include "tests/store/tamper.h"

#include <stdlib.h>
#include <string.h>

struct fixture {
    struct rows rows;
    char location[LOCATION_MAX];
};

/* --- a store with one of everything; in the comments: entry e, reservation r --- */

static int64_t reserve(struct rows *rows, int64_t member_id, const char *token_id, int64_t order_id)
{
    return loyalty_run_to(rows, loyalty_reserve(rows, member_id, 1, token_id, order_id, 20),
                          POINTS_OK)
        .reservation.id;
}

static void move(struct rows *rows, enum points_action action, int64_t reservation_id)
{
    struct points_command command = loyalty_move(rows, action, reservation_id);
    command.is_order_deleted = action == POINTS_RETURN;
    loyalty_run_to(rows, command, POINTS_OK);
}

static void fill_second_tenant(struct rows *rows)
{
    rows->tenant = rows_tenant(9999);
    assert_int_equal(store_add_tenant(rows->store, &rows->tenant), 0);
    loyalty_add_reward(rows);                                                              /* 2 */
    loyalty_run_to(rows, loyalty_grant(rows, loyalty_member(rows, "M-1"), 10), POINTS_OK); /* e10 */
}

static void fill(struct rows *rows)
{
    int64_t a = loyalty_member(rows, "M-1");
    int64_t b = loyalty_member(rows, "M-2");
    struct points_command expire = {.action = POINTS_EXPIRE,
                                    .tenant_id = rows->tenant.id,
                                    .member_id = b,
                                    .inactive_since_us = INT64_MAX};
    loyalty_add_reward(rows);                                            /* 1 */
    loyalty_run_to(rows, loyalty_grant(rows, a, 100), POINTS_OK);        /* e1 */
    loyalty_run_to(rows, loyalty_grant(rows, b, 50), POINTS_OK);         /* e2 */
    loyalty_run_to(rows, loyalty_earn(rows, a, 11, 25), POINTS_OK);      /* e3 */
    loyalty_run_to(rows, loyalty_unearn(rows, a, 12, 11, 5), POINTS_OK); /* e4 */
    move(rows, POINTS_BURN, reserve(rows, a, "t-1", 21));                /* r1, e5 */
    move(rows, POINTS_BURN, reserve(rows, a, "t-2", 22));                /* r2, e6 */
    move(rows, POINTS_RETURN, 2);                                        /* e7 */
    reserve(rows, a, "t-3", 23);                                         /* r3 */
    move(rows, POINTS_APPLY, reserve(rows, a, "t-4", 24));               /* r4 */
    move(rows, POINTS_RETURN, reserve(rows, a, "t-5", 25));              /* r5 */
    loyalty_run_to(rows, expire, POINTS_OK);                             /* e8 */
    loyalty_run_to(rows, loyalty_grant(rows, b, 30), POINTS_OK);         /* e9 */
    reserve(rows, b, "t-6", 26);                                         /* r6 */
    fill_second_tenant(rows);
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

/* --- corruptions --- */

static const struct corruption corruptions[] = {
    {"points_differ", "UPDATE member SET points = points + 1 WHERE id = 1"},
    {"points_differ", "UPDATE member SET points = 0 WHERE id = 3"},
    {"member_version_differs", "UPDATE member SET version = version + 1 WHERE id = 1"},
    {"points_head_differs", "UPDATE member SET last_entry_id = 6 WHERE id = 1"},
    {"member_without_tenant", "UPDATE member SET tenant_id = 99 WHERE id = 3"},
    {"points_held_differ", "UPDATE member SET points_held = points_held - 1 WHERE id = 1"},
    {"points_held_differ", "UPDATE reservation SET state = 4 WHERE id = 3"},
    {"points_held_differ", "UPDATE reservation SET state = 2 WHERE id = 5"},
    {"points_held_differ", "DELETE FROM reservation WHERE id = 4"},
    {"points_below_floor", "UPDATE member SET points_held = 101 WHERE id = 1"},
    {"points_below_floor", "UPDATE member SET points_held = -1 WHERE id = 3"},
    {"points_entry_out_of_range", "UPDATE points_entry SET cause = 9 WHERE id = 1"},
    {"points_entry_out_of_range", "UPDATE points_entry SET cause = 9 WHERE id = 5"},
    {"points_version_repeated", "UPDATE points_entry SET version = 1 WHERE id = 3"},
    {"points_version_gap", "DELETE FROM points_entry WHERE id = 3"},
    {"points_version_gap", "UPDATE points_entry SET version = 3 WHERE id = 10"},
    {"points_after_differ", "UPDATE points_entry SET points_after = 126 WHERE id = 3"},
    {"points_after_differ", "UPDATE points_entry SET points = 26 WHERE id = 3"},
    {"points_chain_broken", "UPDATE points_entry SET previous_entry_id = 2 WHERE id = 3"},
    {"points_entry_moves_nothing", "UPDATE points_entry SET points = 0 WHERE id = 1"},
    {"points_cause_differs", "UPDATE points_entry SET order_id = 0 WHERE id = 3"},
    {"points_cause_differs", "UPDATE points_entry SET order_id = -1 WHERE id = 9"},
    {"points_cause_differs", "UPDATE points_entry SET order_id = 11 WHERE id = 5"},
    {"points_cause_differs", "UPDATE points_entry SET order_id = 77 WHERE id = 7"},
    {"points_cause_differs", "UPDATE points_entry SET reservation_id = 4 WHERE id = 4"},
    {"points_cause_differs", "UPDATE points_entry SET reservation_id = 4 WHERE id = 8"},
    {"points_cause_differs", "UPDATE points_entry SET reservation_id = 4 WHERE id = 1"},
    {"points_cause_differs", "UPDATE points_entry SET points = -25 WHERE id = 3"},
    {"points_cause_differs", "UPDATE points_entry SET points = 5 WHERE id = 4"},
    {"points_cause_differs", "UPDATE points_entry SET points = 50 WHERE id = 8"},
    {"points_cause_differs", "UPDATE points_entry SET cause = 6 WHERE id = 9"},
    {"points_cause_differs", "UPDATE points_entry SET sale_order_id = 0 WHERE id = 4"},
    {"points_cause_differs", "UPDATE points_entry SET sale_order_id = -1 WHERE id = 4"},
    {"points_cause_differs", "UPDATE points_entry SET sale_order_id = 11 WHERE id = 3"},
    {"points_cause_differs", "UPDATE points_entry SET sale_order_id = 11 WHERE id = 5"},
    {"sale_overtaken", "UPDATE points_entry SET points = -26 WHERE id = 4"},
    {"sale_overtaken", "UPDATE points_entry SET points = -9000000000000000000 WHERE id = 4"},
    {"sale_overtaken", "UPDATE points_entry SET sale_order_id = 77 WHERE id = 4"},
    {"sale_overtaken", "UPDATE points_entry SET member_id = 2 WHERE id = 3"},
    {"sale_overtaken", "DELETE FROM points_entry WHERE id = 3"},
    {"points_entry_without_member", "DELETE FROM member WHERE id = 2"},
    {"points_entry_without_member", "DELETE FROM member WHERE id = 3"},
    {"reservation_without_member", "DELETE FROM member WHERE id = 2"},
    {"points_entry_tenant_differs", "UPDATE points_entry SET tenant_id = 2 WHERE id = 1"},
    {"reservation_tenant_differs", "UPDATE reservation SET tenant_id = 2 WHERE id = 4"},
    {"reservation_out_of_range", "UPDATE reservation SET state = 9 WHERE id = 3"},
    {"reservation_without_reward", "UPDATE reservation SET reward_id = 2 WHERE id = 1"},
    {"reservation_without_reward", "DELETE FROM reward WHERE id = 1"},
    {"reservation_of_nothing", "UPDATE reservation SET points = 0 WHERE id = 5"},
    {"points_answer_nothing", "DELETE FROM reservation WHERE id = 1"},
    {"points_answer_nothing", "UPDATE points_entry SET reservation_id = 99 WHERE id = 5"},
    {"points_answer_unburned", "UPDATE reservation SET state = 4 WHERE id = 1"},
    {"points_answer_unburned", "UPDATE points_entry SET reservation_id = 4 WHERE id = 5"},
    {"points_answer_member_differs", "UPDATE reservation SET member_id = 2 WHERE id = 1"},
    {"points_answer_differs", "UPDATE reservation SET points = 21 WHERE id = 1"},
    {"points_answer_differs", "UPDATE points_entry SET points = 21 WHERE id = 7"},
    {"burn_is_missing", "DELETE FROM points_entry WHERE id = 5"},
    {"burn_is_missing", "UPDATE reservation SET state = 3 WHERE id = 4"},
    {"burned_twice", "DROP INDEX points_entry_by_reservation;"
                     "UPDATE points_entry SET reservation_id = 1 WHERE id = 6"},
    {"returned_twice", "DROP INDEX points_entry_by_reservation;"
                       "UPDATE points_entry SET cause = 5 WHERE id = 6"},
    {"order_counted_twice", "DROP INDEX points_entry_by_order;"
                            "UPDATE points_entry SET cause = 2, order_id = 11 WHERE id = 9"},
    {"token_used_twice", "DROP INDEX reservation_by_token;"
                         "UPDATE reservation SET token_id = 't-1' WHERE id = 3"},
    {"order_changed_twice", "DROP INDEX reservation_under_way;"
                            "UPDATE reservation SET order_id = 23 WHERE id = 6"},
    {"reward_without_tenant", "UPDATE reward SET tenant_id = 99 WHERE id = 2"},
    {"sum_overflows", "UPDATE points_entry SET points = 9000000000000000000 WHERE id IN (1, 3)"},
    {"sum_overflows", "UPDATE reservation SET points = 9000000000000000000 WHERE id IN (3, 4)"},
};

/* --- tests --- */

static void clean_store_has_no_findings(void **state)
{
    struct fixture *fixture = *state;
    struct findings findings = {0};
    assert_int_equal(tamper_verify(&fixture->rows, fixture->location, &findings), 0);
    assert_string_equal(findings.names, "");
    assert_int_equal(findings.done, findings.total);
    assert_int_equal(findings.total, 2 * 3 + 2 * 10 + 2 * 6 + 3 * 4); /* four words each */
}

static void each_corruption_is_named(void **state)
{
    struct fixture *fixture = *state;
    for (size_t i = 0; i < COUNT_OF(corruptions); i++) {
        struct findings findings = {.wanted = corruptions[i].finding};
        tamper_verify_corrupted(&fixture->rows, fixture->location, corruptions[i].sql, &findings);
        if (!findings.is_found)
            fail_msg("%s is not named %s but:%s", corruptions[i].sql, corruptions[i].finding,
                     findings.names);
    }
}

static void every_finding_has_its_corruption(void **state)
{
    (void)state;
    tamper_check_names(corruptions, COUNT_OF(corruptions), "sql_verify_points.c");
}

/* The schema's own guards, met by what a program gone wrong would try. */
static void guards_refuse_what_breaks_a_law(void **state)
{
    static const char *const statements[] = {
        "UPDATE points_entry SET points = 5 WHERE id = 1",
        "DELETE FROM points_entry WHERE id = 1",
        "DELETE FROM reservation WHERE id = 5",
        "DELETE FROM member WHERE id = 3",
        "UPDATE reservation SET state = 1 WHERE id = 4",
        "UPDATE reservation SET state = 2 WHERE id = 5",
        "UPDATE reservation SET state = 4 WHERE id = 1",
        "UPDATE reservation SET points = 5 WHERE id = 3",
        "UPDATE reservation SET order_id = 5 WHERE id = 3",
        "UPDATE member SET points = -1 WHERE id = 3",
        "UPDATE member SET points_held = points + 1 WHERE id = 1",
    };
    struct fixture *fixture = *state;
    sqlite3 *connection;
    assert_int_equal(sqlite3_open(fixture->location, &connection), SQLITE_OK);
    for (size_t i = 0; i < COUNT_OF(statements); i++)
        if (sqlite3_exec(connection, statements[i], NULL, NULL, NULL) != SQLITE_CONSTRAINT)
            fail_msg("not refused: %s", statements[i]);
    assert_int_equal(sqlite3_close(connection), SQLITE_OK);
    assert_int_equal(rows_verify(fixture->rows.store), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clean_store_has_no_findings),
        cmocka_unit_test(each_corruption_is_named),
        cmocka_unit_test(every_finding_has_its_corruption),
        cmocka_unit_test(guards_refuse_what_breaks_a_law),
    };
    return cmocka_run_group_tests(tests, setup_group, teardown_group);
}
