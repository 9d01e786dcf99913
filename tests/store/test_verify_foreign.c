/*
 * Verify, payments onto orders that are not ours: a store with all of them has no finding, and each
 * of a set of hand-made corruptions of a copy is named by the finding that is meant for it.
 */
#include "store/foreign.h"
#include "tests/store/loyalty.h"
#include "tests/store/tamper.h"

#include <stdlib.h>
#include <string.h>

#define CARD "6000000000000002"
#define ORDER 11

struct fixture {
    struct rows rows;
    char location[LOCATION_MAX];
};

/* --- a store with one of everything; in the comments: attempt a, operation o, reservation r --- */

static void record(struct rows *rows, struct foreign_approval to)
{
    struct foreign_change change = {.tenant_id = rows->tenant.id, .to = to};
    assert_int_equal(store_add_foreign_change(rows->store, &change), 0);
}

static int64_t charge(struct rows *rows, int64_t amount_minor)
{
    struct command command = rows_command(rows, ACTION_CHARGE, CARD, ORDER, amount_minor);
    command.payment_is_ours = true;
    return rows_run(rows, command).operation_id;
}

static void end(struct rows *rows, int64_t operation_id, enum foreign_end how, int status)
{
    const struct foreign_attempt attempt = {.tenant_id = rows->tenant.id,
                                            .operation_id = operation_id,
                                            .end = how,
                                            .api_status = status};
    assert_int_equal(store_answer_foreign_attempt(rows->store, &attempt), 0);
}

static int64_t reserve(struct rows *rows, int64_t member_id, const char *token_id, int64_t order_id)
{
    struct points_command command = loyalty_reserve(rows, member_id, 1, token_id, order_id, 20);
    command.pays_minor = 300;
    command.local_date = ROWS_DATE;
    return loyalty_run_to(rows, command, POINTS_OK).reservation.id;
}

static void fill(struct rows *rows)
{
    int64_t member = loyalty_member(rows, "M-1");
    loyalty_add_reward(rows);
    loyalty_run_to(rows, loyalty_grant(rows, member, 100), POINTS_OK);
    rows_run(rows, rows_issue(rows, CARD, 5000)); /* o1 */
    charge(rows, 100);                            /* o2, a1: refused */
    record(rows, (struct foreign_approval){.state = FOREIGN_REQUESTED});
    record(rows, (struct foreign_approval){.state = FOREIGN_APPROVED, .day_max_minor = 9000});
    end(rows, charge(rows, 200), FOREIGN_PAID, 201);   /* o3, a2 */
    end(rows, charge(rows, 300), FOREIGN_UNPAID, 422); /* o4, a3 */
    charge(rows, 400);                                 /* o5, a4: open */
    loyalty_run_to(rows, loyalty_move(rows, POINTS_BURN, reserve(rows, member, "t-1", 21)),
                   POINTS_OK); /* r1, a5 */
    loyalty_run_to(rows, loyalty_move(rows, POINTS_RETURN, reserve(rows, member, "t-2", 22)),
                   POINTS_OK);        /* r2, a6 */
    reserve(rows, member, "t-3", 23); /* r3, a7 */
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
    {"foreign_history_broken", "UPDATE foreign_change SET from_state = 2 WHERE id = 2"},
    {"foreign_history_broken", "DELETE FROM foreign_change WHERE id = 1"},
    {"foreign_change_off_table", "UPDATE foreign_change SET to_state = 5 WHERE id = 1"},
    {"foreign_change_out_of_range", "UPDATE foreign_change SET to_state = 9 WHERE id = 2"},
    {"foreign_approval_differs", "UPDATE foreign_approval SET state = 5"},
    {"foreign_approval_differs", "UPDATE foreign_approval SET day_max_minor = 90000"},
    {"foreign_approval_differs", "UPDATE foreign_approval SET expires_on = 1"},
    {"foreign_approval_differs", "DELETE FROM foreign_approval"},
    {"foreign_approval_differs", "DELETE FROM foreign_change"},
    {"foreign_day_differs", "UPDATE foreign_day SET paid_minor = paid_minor - 1"},
    {"foreign_day_differs", "DELETE FROM foreign_day"},
    {"foreign_day_differs", "UPDATE foreign_attempt SET local_date = 1 WHERE id = 4"},
    {"foreign_day_differs", "UPDATE foreign_attempt SET end_state = 2 WHERE id = 2"},
    {"foreign_day_differs", "DELETE FROM foreign_attempt WHERE id = 4"},
    {"foreign_day_differs", "UPDATE foreign_day SET paid_minor = 9000000000000000000"},
    {"foreign_day_differs",
     "UPDATE foreign_attempt SET amount_minor = 9000000000000000000 WHERE id IN (2, 4)"},
    {"foreign_attempt_out_of_range", "UPDATE foreign_attempt SET verdict = 9 WHERE id = 1"},
    {"foreign_attempt_out_of_range", "UPDATE foreign_attempt SET amount_minor = 0 WHERE id = 1"},
    {"foreign_attempt_unsound", "UPDATE foreign_attempt SET end_state = 1 WHERE id = 1"},
    {"foreign_attempt_unsound", "UPDATE foreign_attempt SET api_status = 201 WHERE id = 1"},
    {"foreign_attempt_unsound", "UPDATE foreign_attempt SET effect = 2 WHERE id = 2"},
    {"foreign_attempt_unsound", "UPDATE foreign_attempt SET operation_id = 0 WHERE id = 2"},
    {"foreign_attempt_unsound", "UPDATE foreign_attempt SET reservation_id = 0 WHERE id = 5"},
    {"foreign_attempt_differs", "UPDATE foreign_attempt SET amount_minor = 201 WHERE id = 2"},
    {"foreign_attempt_differs", "UPDATE foreign_attempt SET order_id = 12 WHERE id = 1"},
    {"foreign_attempt_differs", "UPDATE foreign_attempt SET operation_id = 99 WHERE id = 2"},
    {"foreign_attempt_differs", "UPDATE foreign_attempt SET operation_id = 1 WHERE id = 4"},
    {"foreign_attempt_differs", "UPDATE foreign_attempt SET operation_id = 2 WHERE id = 2"},
    {"foreign_attempt_differs", "UPDATE foreign_attempt SET tenant_id = 99 WHERE id = 2"},
    {"foreign_paid_twice",
     "UPDATE foreign_attempt SET operation_id = 3, amount_minor = 200 WHERE id = 4"},
    {"foreign_reservation_differs", "DELETE FROM foreign_attempt WHERE id = 5"},
    {"foreign_reservation_differs", "UPDATE foreign_attempt SET end_state = 0 WHERE id = 5"},
    {"foreign_reservation_differs", "UPDATE foreign_attempt SET end_state = 1 WHERE id = 7"},
    {"foreign_reservation_differs", "UPDATE foreign_attempt SET amount_minor = 301 WHERE id = 6"},
    {"foreign_reservation_differs", "UPDATE foreign_attempt SET reservation_id = 99 WHERE id = 6"},
    {"foreign_reservation_differs", "UPDATE foreign_attempt SET reservation_id = 1 WHERE id = 6"},
    {"foreign_reservation_differs", "UPDATE foreign_attempt SET order_id = 77 WHERE id = 5"},
    {"foreign_reservation_differs", "UPDATE reservation SET pays_minor = 0 WHERE id = 3"},
    {"foreign_reservation_differs", "UPDATE reservation SET pays_minor = 299 WHERE id = 1"},
};

/* --- tests --- */

static void clean_store_has_no_findings(void **state)
{
    struct fixture *fixture = *state;
    struct findings findings = {0};
    assert_int_equal(tamper_verify(&fixture->rows, fixture->location, &findings), 0);
    assert_string_equal(findings.names, "");
    assert_int_equal(findings.done, findings.total);
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
    tamper_check_names(corruptions, COUNT_OF(corruptions), "sql_verify_foreign.c");
}

/* The schema's own guards, met by what a program gone wrong would try. */
static void guards_refuse_what_breaks_a_law(void **state)
{
    static const char *const statements[] = {
        "UPDATE foreign_change SET note = 'x' WHERE id = 1",
        "DELETE FROM foreign_change WHERE id = 1",
        "UPDATE foreign_approval SET state = 1",
        "UPDATE foreign_approval SET state = 2",
        "DELETE FROM foreign_approval",
        "INSERT INTO foreign_approval VALUES (2, 3, 0, 0, 0, 0)",
        "UPDATE foreign_attempt SET amount_minor = 5 WHERE id = 4",
        "UPDATE foreign_attempt SET verdict = 1 WHERE id = 4",
        "UPDATE foreign_attempt SET api_answer = 'x' WHERE id = 2",
        "UPDATE foreign_attempt SET end_state = 0 WHERE id = 3",
        "DELETE FROM foreign_attempt WHERE id = 4",
        "UPDATE foreign_day SET paid_minor = -1",
        "UPDATE reservation SET pays_minor = 5 WHERE id = 3",
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
