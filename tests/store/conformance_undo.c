/*
 * The conformance suite's tests of what undoes an operation: reversals, recharges, and the charge
 * that takes another one's place.
 */
#include "tests/store/conformance.h"

#include "base/check.h"

#define CARD_A "6000000000000001"
#define CARD_B "6000000000000002"
#define CARD_C "6000000000000003"

static struct command undo_command(struct rows *rows, enum action action, const char *number,
                                   int64_t order_id, int64_t operation_id)
{
    struct command command = rows_command(rows, action, number, order_id, 0);
    command.answers_operation_id = operation_id;
    return command;
}

static struct operation operation_of(struct rows *rows, int64_t id)
{
    struct operation operation;
    assert_int_equal(store_read_operation(rows->store, id, &operation), 0);
    return operation;
}

static void what_a_reversal_and_a_recharge_undo_is_kept(void **state)
{
    struct rows *rows = conformance_rows(state);
    rows_run(rows, rows_issue(rows, CARD_A, 10000));                    /* 1 */
    rows_run(rows, rows_command(rows, ACTION_CHARGE, CARD_A, 12, 700)); /* 2 */
    struct outcome outcome = rows_run(rows, undo_command(rows, ACTION_REVERSE, CARD_A, 12, 2));
    assert_int_equal(outcome.result, RESULT_OK); /* 3 */
    assert_int_equal(outcome.amount_minor, 700);
    assert_int_equal(rows_card(rows, CARD_A).balance_minor, 10000);
    outcome = rows_run(rows, undo_command(rows, ACTION_RECHARGE, CARD_A, 12, 3));
    assert_int_equal(outcome.result, RESULT_OK); /* 4 */
    assert_int_equal(rows_card(rows, CARD_A).balance_minor, 9300);
    assert_int_equal(operation_of(rows, 2).given_back_minor, 700);
    assert_int_equal(operation_of(rows, 2).answers_operation_id, 0);
    struct operation reversal = operation_of(rows, 3);
    assert_int_equal(reversal.action, ACTION_REVERSE);
    assert_int_equal(reversal.answers_operation_id, 2);
    assert_int_equal(reversal.given_back_minor, 700);
    struct operation recharge = operation_of(rows, 4);
    assert_int_equal(recharge.action, ACTION_RECHARGE);
    assert_int_equal(recharge.answers_operation_id, 3);
    assert_int_equal(recharge.order_id, 12);
    assert_int_equal(recharge.asked_minor, 700);
    assert_int_equal(recharge.given_back_minor, 0);
    assert_int_equal(rows_verify(rows->store), 0);
}

static void undoing_once_more_leaves_no_trace(void **state)
{
    struct rows *rows = conformance_rows(state);
    rows_run(rows, rows_issue(rows, CARD_A, 700));                      /* 1 */
    rows_run(rows, rows_command(rows, ACTION_CHARGE, CARD_A, 12, 700)); /* 2 */
    rows_run(rows, undo_command(rows, ACTION_REVERSE, CARD_A, 12, 2));  /* 3 */
    rows_run(rows, rows_command(rows, ACTION_CHARGE, CARD_A, 13, 700)); /* 4 */
    struct command commands[3] = {undo_command(rows, ACTION_REVERSE, CARD_A, 12, 2),
                                  undo_command(rows, ACTION_RECHARGE, CARD_A, 12, 3),
                                  undo_command(rows, ACTION_RECHARGE, CARD_A, 12, 2)};
    rows_run_all(rows, commands, 3);
    assert_int_equal(rows->batch->outcomes[0].result, RESULT_NOTHING_LEFT);
    assert_int_equal(rows->batch->outcomes[1].result, RESULT_NO_FUNDS);
    assert_int_equal(rows->batch->outcomes[2].result, RESULT_NOT_FOUND);
    assert_int_equal(rows_totals(rows).operations, 4);
    assert_int_equal(rows_card(rows, CARD_A).last_operation_id, 4);
    assert_int_equal(rows_verify(rows->store), 0);
}

/* What a command's decision would see of the past; rolls back. */
static int32_t fetch_past(struct rows *rows, const struct command *command)
{
    batch_clear(rows->batch);
    batch_add(rows->batch, command);
    assert_int_equal(store_fetch(rows->store, rows->batch), 0);
    store_rollback(rows->store);
    return rows->batch->view.operation_count;
}

/* Only the one operation, and only when it is the card's. */
static void what_is_undone_is_loaded_by_its_id(void **state)
{
    static const int64_t not_its_own[] = {4, 5, 999};
    struct rows *rows = conformance_rows(state);
    rows_run(rows, rows_issue(rows, CARD_A, 10000));                    /* 1 */
    rows_run(rows, rows_issue(rows, CARD_B, 10000));                    /* 2 */
    rows_run(rows, rows_command(rows, ACTION_CHARGE, CARD_A, 12, 700)); /* 3 */
    rows_run(rows, rows_command(rows, ACTION_CHARGE, CARD_B, 12, 800)); /* 4 */
    struct command command = undo_command(rows, ACTION_REVERSE, CARD_A, 12, 3);
    assert_int_equal(fetch_past(rows, &command), 1);
    assert_int_equal(rows->batch->view.operations[0].operation.id, 3);
    for (size_t i = 0; i < COUNT_OF(not_its_own); i++) {
        command.answers_operation_id = not_its_own[i];
        assert_int_equal(fetch_past(rows, &command), 0);
        assert_int_equal(rows_run(rows, command).result, RESULT_NOT_FOUND);
    }
    command = undo_command(rows, ACTION_REVERSE, CARD_C, 12, 3);
    assert_int_equal(fetch_past(rows, &command), 0);
    assert_int_equal(rows_run(rows, command).result, RESULT_NOT_FOUND);
    assert_int_equal(rows_totals(rows).operations, 4);
}

static void no_number_of_operations_hides_what_is_undone(void **state)
{
    struct rows *rows = conformance_rows(state);
    rows_run(rows, rows_issue(rows, CARD_A, 100000)); /* 1 */
    for (int i = 0; i < ORDER_OPERATIONS_MAX + 5; i++)
        rows_run(rows, rows_command(rows, ACTION_CHARGE, CARD_A, 12, 100 + i));
    int64_t before_minor = rows_card(rows, CARD_A).balance_minor;
    assert_int_equal(rows_run(rows, undo_command(rows, ACTION_REVERSE, CARD_A, 12, 2)).amount_minor,
                     100);
    assert_int_equal(rows_card(rows, CARD_A).balance_minor, before_minor + 100);
    assert_int_equal(rows_verify(rows->store), 0);
}

static void a_refund_and_a_reversal_in_one_batch_give_back_once(void **state)
{
    struct rows *rows = conformance_rows(state);
    rows_run(rows, rows_issue(rows, CARD_A, 10000)); /* 1 */
    for (int is_refund_first = 0; is_refund_first < 2; is_refund_first++) {
        int64_t order_id = 12 + is_refund_first;
        int64_t id =
            rows_run(rows, rows_command(rows, ACTION_CHARGE, CARD_A, order_id, 700)).operation_id;
        struct command commands[2];
        commands[!is_refund_first] = rows_command(rows, ACTION_REFUND, CARD_A, order_id, 300);
        commands[is_refund_first] = undo_command(rows, ACTION_REVERSE, CARD_A, order_id, id);
        rows_run_all(rows, commands, 2);
        const struct outcome *outcomes = rows->batch->outcomes;
        assert_int_equal(outcomes[!is_refund_first].result,
                         is_refund_first ? RESULT_OK : RESULT_OVER_CHARGED);
        assert_int_equal(outcomes[is_refund_first].amount_minor, is_refund_first ? 400 : 700);
        assert_int_equal(rows_card(rows, CARD_A).balance_minor, 10000);
        assert_int_equal(operation_of(rows, id).given_back_minor, 700);
    }
    assert_int_equal(rows_verify(rows->store), 0);
}

static void a_recharge_is_a_charge_to_refunds(void **state)
{
    struct rows *rows = conformance_rows(state);
    rows_run(rows, rows_issue(rows, CARD_A, 10000));                     /* 1 */
    rows_run(rows, rows_command(rows, ACTION_CHARGE, CARD_A, 12, 700));  /* 2 */
    rows_run(rows, undo_command(rows, ACTION_REVERSE, CARD_A, 12, 2));   /* 3 */
    rows_run(rows, undo_command(rows, ACTION_RECHARGE, CARD_A, 12, 3));  /* 4 */
    rows_run(rows, rows_command(rows, ACTION_REFUND, CARD_A, 12, 300));  /* 5 */
    rows_run(rows, rows_command(rows, ACTION_REFUND, CARD_A, 77, 100));  /* 6: of no known sale */
    rows_run(rows, rows_command(rows, ACTION_REFUND, CARD_A, 12, 9999)); /* 7: refused */
    assert_int_equal(rows->batch->outcomes[0].limit_minor, 300);
    assert_int_equal(operation_of(rows, 4).given_back_minor, 400);
    rows_run(rows, undo_command(rows, ACTION_REVERSE, CARD_A, 12, 4)); /* 8: the rest */
    assert_int_equal(rows->batch->outcomes[0].amount_minor, 300);
    assert_int_equal(rows_card(rows, CARD_A).balance_minor, 10000);
    assert_int_equal(rows_verify(rows->store), 0);
}

static bool order_is_known(struct rows *rows, int64_t order_id)
{
    struct command refund = rows_command(rows, ACTION_REFUND, CARD_A, order_id, 1);
    fetch_past(rows, &refund);
    return rows->batch->scopes[0].order_is_known;
}

/* The refund's order has no charge, but a recharge: then it is known. */
static void an_order_is_known_by_a_recharge_too(void **state)
{
    struct rows *rows = conformance_rows(state);
    rows_run(rows, rows_issue(rows, CARD_A, 10000));                    /* 1 */
    rows_run(rows, rows_command(rows, ACTION_CHARGE, CARD_A, 12, 700)); /* 2 */
    struct command refund = rows_command(rows, ACTION_REFUND, CARD_A, 14, 300);
    refund.refunded_order_id = 12;
    rows_run(rows, refund); /* 3 */
    assert_false(order_is_known(rows, 14));
    assert_int_equal(
        rows_run(rows, undo_command(rows, ACTION_RECHARGE, CARD_A, 14, 3)).amount_minor, 300);
    assert_true(order_is_known(rows, 14));
    assert_int_equal(rows_verify(rows->store), 0);
}

static void a_charge_that_takes_anothers_place_is_committed_whole(void **state)
{
    struct rows *rows = conformance_rows(state);
    rows_run(rows, rows_issue(rows, CARD_A, 1000));                     /* 1 */
    rows_run(rows, rows_command(rows, ACTION_CHARGE, CARD_A, 12, 700)); /* 2 */
    struct command charge = rows_command(rows, ACTION_CHARGE, CARD_A, 12, 900);
    charge.order_is_readable = true;
    struct outcome outcome = rows_run(rows, charge);
    assert_int_equal(outcome.result, RESULT_LOOK_FIRST);
    assert_int_equal(outcome.earlier_operation_id, 2);
    assert_int_equal(rows_totals(rows).operations, 2);
    charge.evidence =
        (struct order_evidence){.state = EVIDENCE_READ, .operation_id = 2, .has_changed = true};
    outcome = rows_run(rows, charge); /* 3 reverses, 4 charges */
    assert_int_equal(outcome.operation_id, 4);
    assert_int_equal(outcome.amount_minor, 900);
    assert_int_equal(outcome.reversed_operation_id, 2);
    assert_int_equal(operation_of(rows, 2).given_back_minor, 700);
    assert_int_equal(operation_of(rows, 3).answers_operation_id, 2);
    assert_int_equal(operation_of(rows, 4).answers_operation_id, 0);
    struct card card = rows_card(rows, CARD_A);
    assert_int_equal(card.balance_minor, 100);
    assert_int_equal(card.version, 4);
    assert_int_equal(card.last_operation_id, 4);
    charge.asked_minor = 900; /* and it is answered once like any other */
    charge.evidence = (struct order_evidence){.state = EVIDENCE_NONE};
    assert_true(rows_run(rows, charge).is_replay);
    assert_int_equal(rows_verify(rows->store), 0);
}

static const struct CMUnitTest conformance_undo[] = {
    CONFORMANCE_TEST(what_a_reversal_and_a_recharge_undo_is_kept),
    CONFORMANCE_TEST(undoing_once_more_leaves_no_trace),
    CONFORMANCE_TEST(what_is_undone_is_loaded_by_its_id),
    CONFORMANCE_TEST(no_number_of_operations_hides_what_is_undone),
    CONFORMANCE_TEST(a_refund_and_a_reversal_in_one_batch_give_back_once),
    CONFORMANCE_TEST(a_recharge_is_a_charge_to_refunds),
    CONFORMANCE_TEST(an_order_is_known_by_a_recharge_too),
    CONFORMANCE_TEST(a_charge_that_takes_anothers_place_is_committed_whole),
};

int conformance_run_undo(const char *name)
{
    return _cmocka_run_group_tests(name, conformance_undo, COUNT_OF(conformance_undo), NULL, NULL);
}
