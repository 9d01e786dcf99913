/*
 * Verify, proofs: what the scan and the judgements have left has no findings, and each of a set of
 * hand-made corruptions of a copy is named by the finding meant for it.
 */
#include "tests/store/proofs.h"
#include "tests/store/tamper.h"

#include <stdlib.h>
#include <string.h>

#define CARD_A TAMPER_CARD
#define CARD_B "6000000000000002"
#define ORDER INT64_C(2802065908)

struct fixture {
    struct rows rows;
    char location[LOCATION_MAX];
};

static void confirm(struct rows *rows, int64_t operation_id, int64_t number, int64_t amount_minor)
{
    struct register_payment payment =
        proofs_payment(rows, ORDER + operation_id, number, amount_minor, operation_id);
    proofs_put(rows, ORDER + operation_id, &payment, 1);
    struct proof proof = proofs_facts(rows, operation_id).proof;
    proof.state = PROOF_CONFIRMED;
    proof.reason = PROOF_REASON_NONE;
    proof.shown_order_id = ORDER + operation_id;
    proof.payment_number = number;
    assert_int_equal(store_update_proof(rows->store, &proof, proof.changed_at_us), 0);
}

static void settle(struct rows *rows)
{
    struct register_payment stray = proofs_payment(rows, ORDER, 9, 5, 0);
    proofs_put(rows, ORDER, &stray, 1);
    confirm(rows, 2, 1, 700);
    confirm(rows, 3, 2, 30);
    proofs_set_state(rows, 4, PROOF_CONFIRMED, PROOF_REASON_NONE);
    assert_true(proofs_undo(rows, ACTION_REVERSE, CARD_A, 5) != 0);
    proofs_set_state(rows, 5, PROOF_REVERSED, PROOF_REASON_NONE);
    proofs_set_state(rows, 6, PROOF_REVERSED, PROOF_REASON_NONE); /* the refund of 5 */
}

#define FILLED_PROOFS 6
#define FILLED_CLAIMS 2

static void fill(struct rows *rows)
{
    proofs_connect(rows);
    rows_run(rows, rows_issue(rows, CARD_A, 10000));         /* 1 */
    proofs_run(rows, ACTION_CHARGE, CARD_A, ORDER + 2, 700); /* 2: confirmed */
    proofs_run(rows, ACTION_CHARGE, CARD_A, ORDER + 3, 30);  /* 3: confirmed */
    proofs_run(rows, ACTION_TOP_UP, CARD_A, ORDER + 4, 50);  /* 4: confirmed */
    proofs_run(rows, ACTION_CHARGE, CARD_A, ORDER + 5, 90);  /* 5: reversed */
    proofs_run(rows, ACTION_REFUND, CARD_A, ORDER + 5, 20);  /* 6: with it */
    proofs_run(rows, ACTION_CHARGE, CARD_A, ORDER + 7, 40);  /* 7: open */
    proofs_make(rows, ROWS_DATE);
    settle(rows); /* 8: the reversal of 5 */
    rows_run(rows, rows_command(rows, ACTION_CHARGE, CARD_A, ORDER + 9, 99999999)); /* 9: a part */
    rows_run(rows, rows_command(rows, ACTION_CHARGE, CARD_A, ORDER + 10, 1)); /* 10: refused */
    proofs_add_tenant(rows, 9999);
    rows_run(rows, rows_issue(rows, CARD_B, 10000));         /* 11 */
    proofs_run(rows, ACTION_CHARGE, CARD_B, ORDER + 12, 60); /* 12 */
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

/* Of a proof of this operation that nothing made. */
#define PROOF_OF(id, action)                                                                       \
    "INSERT INTO proof SELECT " id ", tenant_id, order_id, card_id, site_id, register_id, " action \
    ", 0, local_date, 1, 1, 0, 0, 0, 0, created_at_us, changed_at_us, 0, 0, 0, 0, 0 FROM proof "   \
    "WHERE operation_id = 7"
/* Beside the law that one operation claims one payment. */
#define CLAIM(order, number, operation)                                                            \
    "DROP INDEX register_payment_by_operation; INSERT INTO register_payment SELECT tenant_id, "    \
    "order_id + " order ", " number                                                                \
    ", site_id, register_id, method_id, amount_minor, ref, " operation                             \
    ", local_date, seen_at_us FROM register_payment WHERE operation_id = 2"

static const struct corruption corruptions[] = {
    {"proof_without_operation", PROOF_OF("99", "2")},
    {"proof_of_other_operation", PROOF_OF("1", "1")},
    {"proof_of_other_operation", PROOF_OF("8", "8")},
    {"proof_of_other_operation", PROOF_OF("10", "2")},
    {"proof_of_other_operation", "UPDATE operation SET result = 14, amount_minor = 0 WHERE id = 7"},
    {"proof_differs", "UPDATE proof SET tenant_id = 2 WHERE operation_id = 7"},
    {"proof_differs", "UPDATE proof SET order_id = order_id + 1 WHERE operation_id = 7"},
    {"proof_differs", "UPDATE proof SET card_id = 2 WHERE operation_id = 7"},
    {"proof_differs", "UPDATE proof SET site_id = 1 WHERE operation_id = 7"},
    {"proof_differs", "UPDATE proof SET register_id = 1 WHERE operation_id = 7"},
    {"proof_differs", "UPDATE proof SET action = 3 WHERE operation_id = 7"},
    {"proof_differs", "UPDATE proof SET created_at_us = 1 WHERE operation_id = 7"},
    {"proof_amount_differs",
     "UPDATE proof SET booked_minor = 41, ledger_minor = 41 WHERE operation_id = 7"},
    {"proof_amount_differs", "UPDATE proof SET booked_minor = 20 WHERE operation_id = 6"},
    {"proof_amount_differs",
     "UPDATE proof SET booked_minor = 50, ledger_minor = 50 WHERE operation_id = 4"},
    {"proof_amount_differs", "UPDATE operation SET amount_minor = 41 WHERE id = 7"},
    {"proof_ledger_differs", "UPDATE proof SET ledger_minor = 90 WHERE operation_id = 5"},
    {"proof_ledger_differs", "UPDATE operation SET answers_operation_id = 7 WHERE id = 8"},
    {"proof_ledger_differs", "UPDATE proof_offset SET amount_minor = 19"},
    {"proof_ledger_differs", "DELETE FROM proof_offset"},
    {"proof_shown_differs", "UPDATE proof SET shown_minor = 0 WHERE operation_id = 2"},
    {"proof_shown_differs", "UPDATE register_payment SET amount_minor = 1 WHERE operation_id = 3"},
    {"proof_shown_differs", "DELETE FROM register_payment WHERE operation_id = 3"},
    {"proof_reversed_without_reversal", "UPDATE proof SET state = 3 WHERE operation_id = 7"},
    {"proof_reversed_without_reversal", "UPDATE proof SET state = 3 WHERE operation_id = 4"},
    {"proof_reversed_without_reversal", "DELETE FROM proof_offset"},
    {"proof_reversed_without_reversal",
     "DELETE FROM operation WHERE id = 8; UPDATE operation SET given_back_minor = 0 WHERE id = 5"},
    {"proof_confirmed_without_payment", "UPDATE proof SET state = 2 WHERE operation_id = 7"},
    {"proof_confirmed_without_payment", "DELETE FROM register_payment WHERE operation_id = 2"},
    {"proof_confirmed_without_payment",
     "UPDATE register_payment SET operation_id = 0 WHERE operation_id = 2"},
    {"proof_confirmed_without_payment",
     "UPDATE register_payment SET operation_id = 7 WHERE operation_id = 2"},
    {"proof_confirmed_without_payment",
     "UPDATE proof SET payment_number = 8 WHERE operation_id = 2"},
    {"proof_confirmed_without_payment",
     "UPDATE proof SET shown_order_id = 8 WHERE operation_id = 2"},
    {"proof_confirmed_without_payment",
     "UPDATE register_payment SET tenant_id = 2 WHERE operation_id = 2"},
    {"proof_out_of_range", "UPDATE proof SET state = 5 WHERE operation_id = 7"},
    {"proof_out_of_range", "UPDATE proof SET reason = 31 WHERE operation_id = 7"},
    {"proof_out_of_range", "UPDATE proof SET local_date = 1 << 40 WHERE operation_id = 7"},
    {"offset_without_reversal", "UPDATE proof SET state = 4 WHERE operation_id = 6"},
    {"offset_without_reversal", "INSERT INTO proof_offset VALUES (7, 2, 5)"},
    {"offset_without_reversal", "INSERT INTO proof_offset VALUES (8, 7, 5)"},
    {"offset_without_reversal", "INSERT INTO proof_offset VALUES (8, 7, 40), (8, 5, -41)"},
    {"offset_without_reversal", "INSERT INTO proof_offset VALUES (8, 1, 40), (8, 5, -40)"},
    {"proof_cursor_ahead", "UPDATE meta SET proof_cursor = 13"},
    {"payment_claimed_by_nothing", CLAIM("0", "3", "99")},
    {"payment_claimed_by_other_tenant", CLAIM("0", "3", "12")},
    {"payment_claimed_by_other_tenant",
     "UPDATE register_payment SET tenant_id = 2 WHERE operation_id = 2"},
    {"payment_claimed_twice", CLAIM("0", "3", "2")},
    {"payment_claimed_twice", CLAIM("1", "1", "2")},
};

/* --- tests --- */

static void clean_store_has_no_findings(void **state)
{
    struct fixture *fixture = *state;
    struct findings findings = {0}, empty = {0};
    assert_int_equal(tamper_verify(&fixture->rows, fixture->location, &findings), 0);
    assert_string_equal(findings.names, "");
    assert_int_equal(findings.done, findings.total);
    tamper_verify_corrupted(&fixture->rows, fixture->location,
                            "DELETE FROM register_payment; DELETE FROM proof;"
                            "DELETE FROM proof_offset",
                            &empty);
    assert_string_equal(empty.names, ""); /* nobody was ever connected: no finding either */
    assert_int_equal(findings.total - empty.total, FILLED_PROOFS + FILLED_CLAIMS);
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

static void one_lie_is_one_finding(void **state)
{
    struct fixture *fixture = *state;
    struct findings findings = {0};
    tamper_verify_corrupted(&fixture->rows, fixture->location,
                            "UPDATE proof SET site_id = 1, card_id = 2 WHERE operation_id = 7",
                            &findings);
    assert_string_equal(findings.names, " proof_differs");
    findings = (struct findings){0};
    tamper_verify_corrupted(&fixture->rows, fixture->location,
                            "UPDATE proof SET state = 3 WHERE operation_id = 7", &findings);
    assert_string_equal(findings.names, " proof_reversed_without_reversal");
}

static void every_finding_has_its_corruption(void **state)
{
    (void)state;
    tamper_check_names(corruptions, COUNT_OF(corruptions), "sql_verify_proof.c");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clean_store_has_no_findings),
        cmocka_unit_test(each_corruption_is_named),
        cmocka_unit_test(one_lie_is_one_finding),
        cmocka_unit_test(every_finding_has_its_corruption),
    };
    return cmocka_run_group_tests(tests, setup_group, teardown_group);
}
