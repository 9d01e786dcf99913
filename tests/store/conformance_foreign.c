/*
 * Conformance: the approval to pay orders that are not ours, with its history; and what is
 * attempted under it, counted by day, whoever attempts it.
 */
#include "tests/store/conformance.h"
#include "tests/store/loyalty.h"

#include "base/check.h"
#include "base/error.h"
#include "store/foreign.h"
#include "store/work.h"

#include <stdio.h>
#include <string.h>

#define CARD_A "6000000000000001"
#define ORDER INT64_C(2802065908)

/* --- what every test needs --- */

static int record(struct rows *rows, struct foreign_approval to, struct foreign_change *change)
{
    *change = (struct foreign_change){
        .tenant_id = rows->tenant.id, .to = to, .created_at_us = rows->now_us};
    return store_add_foreign_change(rows->store, change);
}

static void record_state(struct rows *rows, enum foreign_state state)
{
    struct foreign_change change;
    assert_int_equal(record(rows, (struct foreign_approval){.state = state}, &change), 0);
}

static struct foreign_approval approval_of(struct rows *rows)
{
    struct tenant tenant;
    assert_int_equal(store_read_tenant(rows->store, rows->tenant.id, &tenant), 0);
    return tenant.approval;
}

static void approve(struct rows *rows, int64_t day_max_minor)
{
    struct foreign_change change;
    struct foreign_approval to = {.state = FOREIGN_APPROVED, .day_max_minor = day_max_minor};
    record_state(rows, FOREIGN_REQUESTED);
    assert_int_equal(record(rows, to, &change), 0);
}

static struct command charge_of(struct rows *rows, int64_t order_id, int64_t amount_minor)
{
    struct command command = rows_command(rows, ACTION_CHARGE, CARD_A, order_id, amount_minor);
    command.payment_is_ours = true;
    return command;
}

struct seen {
    struct foreign_attempt attempts[32];
    int count;
};

static void on_attempt(void *context, const struct foreign_attempt *attempt)
{
    struct seen *seen = context;
    assert_true(seen->count < 32);
    seen->attempts[seen->count++] = *attempt;
}

static struct seen attempts(struct rows *rows)
{
    struct seen seen = {0};
    assert_int_equal(
        store_each_foreign_attempt(rows->store, rows->tenant.id, 0, 0, 32, on_attempt, &seen), 0);
    return seen;
}

static void on_sum(void *context, const struct foreign_sum *sum)
{
    struct foreign_sum *only = context;
    assert_int_equal(only->attempts, 0);
    *only = *sum;
}

static struct foreign_sum sum(struct rows *rows)
{
    struct foreign_sum only = {0};
    assert_int_equal(store_each_foreign_sum(rows->store, rows->tenant.id, 0, 0, 32, on_sum, &only),
                     0);
    return only;
}

static struct foreign_attempt answer_of(struct rows *rows, int64_t operation_id,
                                        enum foreign_end end, int status)
{
    return (struct foreign_attempt){.tenant_id = rows->tenant.id,
                                    .operation_id = operation_id,
                                    .end = end,
                                    .api_status = status,
                                    .api_answer = "as the API says",
                                    .answered_at_us = rows->now_us};
}

static void answer(struct rows *rows, int64_t operation_id, enum foreign_end end, int status)
{
    const struct foreign_attempt said = answer_of(rows, operation_id, end, status);
    assert_int_equal(store_answer_foreign_attempt(rows->store, &said), 0);
}

/* --- the approval --- */

static void an_approval_is_read_with_its_tenant(void **state)
{
    struct rows *rows = conformance_rows(state);
    struct foreign_change change;
    assert_int_equal(approval_of(rows).state, FOREIGN_NOT_REQUESTED);
    record_state(rows, FOREIGN_REQUESTED);
    assert_int_equal(approval_of(rows).state, FOREIGN_REQUESTED);
    const struct foreign_approval to = {.state = FOREIGN_APPROVED,
                                        .payment_max_minor = 5000,
                                        .day_max_minor = 50000,
                                        .expires_on = 21000};
    assert_int_equal(record(rows, to, &change), 0);
    assert_int_equal(change.from, FOREIGN_REQUESTED);
    const struct foreign_approval found = approval_of(rows);
    assert_int_equal(found.state, to.state);
    assert_int_equal(found.payment_max_minor, 5000);
    assert_int_equal(found.day_max_minor, 50000);
    assert_int_equal(found.expires_on, 21000);
}

static void a_tenant_that_is_written_keeps_its_approval(void **state)
{
    struct rows *rows = conformance_rows(state);
    struct tenant tenant;
    assert_int_equal(store_read_tenant(rows->store, rows->tenant.id, &tenant), 0);
    tenant.approval = (struct foreign_approval){.state = FOREIGN_APPROVED};
    tenant.payment_is_ours = true;
    assert_int_equal(store_update_tenant(rows->store, &tenant), 0);
    assert_int_equal(approval_of(rows).state, FOREIGN_NOT_REQUESTED);
    tenant.oseries_company = 4242;
    assert_int_equal(store_add_tenant(rows->store, &tenant), 0);
    assert_int_equal(store_read_tenant(rows->store, tenant.id, &tenant), 0);
    assert_int_equal(tenant.approval.state, FOREIGN_NOT_REQUESTED);
}

static void an_approval_moves_along_its_table_only(void **state)
{
    struct rows *rows = conformance_rows(state);
    struct foreign_change change;
    for (int to = FOREIGN_UNDER_REVIEW; to <= FOREIGN_REVOKED; to++) {
        assert_int_equal(
            record(rows, (struct foreign_approval){.state = (enum foreign_state)to}, &change),
            ERR_REFUSED);
        assert_int_equal(change.from, FOREIGN_NOT_REQUESTED);
    }
    assert_int_equal(approval_of(rows).state, FOREIGN_NOT_REQUESTED);
    change.tenant_id = 4711;
    change.to.state = FOREIGN_REQUESTED;
    assert_int_equal(store_add_foreign_change(rows->store, &change), ERR_NOT_FOUND);
    change.tenant_id = rows->tenant.id;
    change.to.day_max_minor = 1; /* of a request */
    check_hook = rows_on_failed_check;
    expect_assert_failure((void)!store_add_foreign_change(rows->store, &change));
    check_hook = NULL;
}

static void on_change(void *context, const struct foreign_change *change)
{
    struct foreign_change **next = context;
    *(*next)++ = *change;
}

static void every_step_is_kept_in_order(void **state)
{
    struct rows *rows = conformance_rows(state);
    static const enum foreign_state steps[] = {FOREIGN_REQUESTED, FOREIGN_UNDER_REVIEW,
                                               FOREIGN_APPROVED,  FOREIGN_APPROVED,
                                               FOREIGN_REVOKED,   FOREIGN_REQUESTED};
    struct foreign_change found[COUNT_OF(steps)], *next = found;
    for (size_t i = 0; i < COUNT_OF(steps); i++) {
        struct foreign_change change = {.tenant_id = rows->tenant.id,
                                        .to.state = steps[i],
                                        .reference = "LS-4711",
                                        .note = "as asked for",
                                        .actor = "somebody",
                                        .created_at_us = rows->now_us + (int64_t)i};
        assert_int_equal(store_add_foreign_change(rows->store, &change), 0);
    }
    assert_int_equal(store_each_foreign_change(rows->store, rows->tenant.id, on_change, &next), 0);
    assert_ptr_equal(next, found + COUNT_OF(steps));
    for (size_t i = 0; i < COUNT_OF(steps); i++) {
        assert_int_equal(found[i].to.state, steps[i]);
        assert_int_equal(found[i].from, i == 0 ? FOREIGN_NOT_REQUESTED : steps[i - 1]);
        assert_string_equal(found[i].reference, "LS-4711");
        assert_string_equal(found[i].note, "as asked for");
        assert_string_equal(found[i].actor, "somebody");
        assert_int_equal(found[i].created_at_us, rows->now_us + (int64_t)i);
    }
    next = found;
    assert_int_equal(store_each_foreign_change(rows->store, 4711, on_change, &next), 0);
    assert_ptr_equal(next, found);
    assert_int_equal(rows_verify(rows->store), 0);
}

/* --- charges --- */

static void a_charge_leaves_its_attempt_allowed_or_refused(void **state)
{
    struct rows *rows = conformance_rows(state);
    rows_run(rows, rows_issue(rows, CARD_A, 10000));
    struct outcome refused = rows_run(rows, charge_of(rows, ORDER, 700));
    assert_int_equal(refused.result, RESULT_NOT_APPROVED);
    approve(rows, 0);
    struct outcome allowed = rows_run(rows, charge_of(rows, ORDER, 700));
    assert_int_equal(allowed.result, RESULT_OK);
    struct seen seen = attempts(rows);
    assert_int_equal(seen.count, 2);
    assert_int_equal(seen.attempts[0].operation_id, allowed.operation_id);
    assert_int_equal(seen.attempts[0].verdict, FOREIGN_ALLOWED);
    assert_int_equal(seen.attempts[0].end, FOREIGN_OPEN);
    assert_int_equal(seen.attempts[0].effect, FOREIGN_CHARGE);
    assert_int_equal(seen.attempts[0].order_id, ORDER);
    assert_int_equal(seen.attempts[0].amount_minor, 700);
    assert_int_equal(seen.attempts[0].local_date, ROWS_DATE);
    assert_int_equal(seen.attempts[1].operation_id, refused.operation_id);
    assert_int_equal(seen.attempts[1].verdict, FOREIGN_NOT_APPROVED);
    assert_int_equal(seen.attempts[1].end, FOREIGN_UNPAID);
    assert_true(rows_run(rows, charge_of(rows, ORDER, 700)).is_replay);
    assert_int_equal(attempts(rows).count, 2);
    assert_int_equal(rows_verify(rows->store), 0);
}

static void a_charge_that_the_register_books_is_no_attempt(void **state)
{
    struct rows *rows = conformance_rows(state);
    rows_run(rows, rows_issue(rows, CARD_A, 10000));
    rows_run(rows, rows_command(rows, ACTION_CHARGE, CARD_A, ORDER, 700));
    assert_int_equal(attempts(rows).count, 0);
}

static void the_charges_of_one_batch_share_what_the_day_has(void **state)
{
    struct rows *rows = conformance_rows(state);
    struct command commands[8];
    rows_run(rows, rows_issue(rows, CARD_A, 10000));
    approve(rows, 2500);
    for (int i = 0; i < 8; i++)
        commands[i] = charge_of(rows, ORDER + i, 700);
    commands[7].local_date++; /* a register that is in the next day already */
    rows_run_all(rows, commands, 8);
    for (int i = 0; i < 8; i++)
        assert_int_equal(rows->batch->outcomes[i].result,
                         i < 3 || i == 7 ? RESULT_OK : RESULT_OVER_APPROVED_DAY);
    assert_int_equal(rows->batch->outcomes[3].limit_minor, 400);
    struct outcome last = rows_run(rows, charge_of(rows, ORDER + 9, 400));
    assert_int_equal(last.result, RESULT_OK);
    assert_int_equal(rows_run(rows, charge_of(rows, ORDER + 10, 1)).result,
                     RESULT_OVER_APPROVED_DAY);
    assert_int_equal(rows_verify(rows->store), 0);
}

static void a_charge_that_is_rolled_back_counts_nothing(void **state)
{
    struct rows *rows = conformance_rows(state);
    rows_run(rows, rows_issue(rows, CARD_A, 10000));
    approve(rows, 700);
    struct command charge = charge_of(rows, ORDER, 700);
    rows_decide(rows, &charge, 1);
    store_rollback(rows->store);
    assert_int_equal(attempts(rows).count, 0);
    assert_int_equal(rows_run(rows, charge).result, RESULT_OK);
}

/* --- what the API says --- */

static void an_attempt_ends_once(void **state)
{
    struct rows *rows = conformance_rows(state);
    rows_run(rows, rows_issue(rows, CARD_A, 10000));
    approve(rows, 1000);
    int64_t id = rows_run(rows, charge_of(rows, ORDER, 700)).operation_id;
    answer(rows, id, FOREIGN_OPEN, 500);
    assert_int_equal(attempts(rows).attempts[0].api_status, 500);
    assert_int_equal(rows_run(rows, charge_of(rows, ORDER + 1, 700)).result,
                     RESULT_OVER_APPROVED_DAY);
    answer(rows, id, FOREIGN_UNPAID, 422);
    answer(rows, id, FOREIGN_PAID, 201);
    struct foreign_attempt found = attempts(rows).attempts[1];
    assert_int_equal(found.end, FOREIGN_UNPAID);
    assert_int_equal(found.api_status, 422);
    assert_string_equal(found.api_answer, "as the API says");
    assert_int_equal(rows_run(rows, charge_of(rows, ORDER + 1, 700)).result, RESULT_OK);
    const struct foreign_attempt nobodys = answer_of(rows, 4711, FOREIGN_PAID, 201);
    assert_int_equal(store_answer_foreign_attempt(rows->store, &nobodys), ERR_NOT_FOUND);
    assert_int_equal(rows_verify(rows->store), 0);
}

static void set_work(struct rows *rows, int64_t operation_id, enum work_state state)
{
    struct work work =
        work_make(rows->tenant.id, WORK_POST_PAYMENT, operation_id, operation_id, rows->now_us);
    assert_int_equal(store_find_work(rows->store, &work), 0);
    work.state = state;
    work.ended_at_us = rows->now_us;
    assert_int_equal(store_update_work(rows->store, &work), 0);
}

static void what_is_found_of_a_charge_ends_its_attempt_when_nothing_else_will(void **state)
{
    struct rows *rows = conformance_rows(state);
    int64_t tenant_id = rows->tenant.id;
    approve(rows, 1000);
    rows_run(rows, rows_issue(rows, CARD_A, 10000));
    int64_t paid = rows_run(rows, charge_of(rows, ORDER, 100)).operation_id;
    int64_t unpaid = rows_run(rows, charge_of(rows, ORDER, 200)).operation_id;
    assert_int_equal(
        store_end_foreign_attempt(rows->store, tenant_id, paid, FOREIGN_PAID, rows->now_us), 0);
    assert_int_equal(attempts(rows).attempts[1].end, FOREIGN_OPEN); /* it is still to be sent */
    set_work(rows, paid, WORK_GIVEN_UP);
    set_work(rows, unpaid, WORK_DONE);
    assert_int_equal(
        store_end_foreign_attempt(rows->store, tenant_id + 1, paid, FOREIGN_PAID, rows->now_us), 0);
    assert_int_equal(attempts(rows).attempts[1].end, FOREIGN_OPEN);
    assert_int_equal(
        store_end_foreign_attempt(rows->store, tenant_id, paid, FOREIGN_PAID, rows->now_us), 0);
    assert_int_equal(
        store_end_foreign_attempt(rows->store, tenant_id, unpaid, FOREIGN_UNPAID, rows->now_us), 0);
    const struct seen seen = attempts(rows);
    assert_int_equal(seen.attempts[1].end, FOREIGN_PAID);
    assert_string_equal(seen.attempts[1].api_answer, "the order shows it");
    assert_int_equal(seen.attempts[0].end, FOREIGN_UNPAID);
    assert_string_equal(seen.attempts[0].api_answer, "the order does not show it");
    assert_int_equal(sum(rows).paid_minor, 100);
    assert_int_equal(sum(rows).unsent_minor, 200);
    assert_int_equal(
        store_end_foreign_attempt(rows->store, tenant_id, paid, FOREIGN_UNPAID, rows->now_us), 0);
    assert_int_equal(attempts(rows).attempts[1].end, FOREIGN_PAID); /* once */
    assert_int_equal(
        store_end_foreign_attempt(rows->store, tenant_id, 4711, FOREIGN_PAID, rows->now_us), 0);
}

static void what_the_days_come_to_is_added_up(void **state)
{
    struct rows *rows = conformance_rows(state);
    rows_run(rows, rows_issue(rows, CARD_A, 10000));
    rows_run(rows, charge_of(rows, ORDER, 1));
    approve(rows, 0);
    for (int i = 1; i <= 4; i++) {
        int64_t id = rows_run(rows, charge_of(rows, ORDER + i, 10 * i)).operation_id;
        if (i == 1)
            answer(rows, id, FOREIGN_PAID, 201);
        else if (i == 2)
            answer(rows, id, FOREIGN_UNPAID, 422);
        else if (i == 3)
            answer(rows, id, FOREIGN_UNPAID, 0);
    }
    struct foreign_sum found = sum(rows);
    assert_int_equal(found.local_date, ROWS_DATE);
    assert_int_equal(found.attempts, 5);
    assert_int_equal(found.attempted_minor, 101);
    assert_int_equal(found.refused, 1);
    assert_int_equal(found.refused_minor, 1);
    assert_int_equal(found.paid, 1);
    assert_int_equal(found.paid_minor, 10);
    assert_int_equal(found.api_refused, 1);
    assert_int_equal(found.api_refused_minor, 20);
    assert_int_equal(found.unsent, 1);
    assert_int_equal(found.unsent_minor, 30);
    assert_int_equal(found.open, 1);
    assert_int_equal(found.open_minor, 40);
    struct foreign_sum none = {0};
    assert_int_equal(
        store_each_foreign_sum(rows->store, rows->tenant.id, ROWS_DATE + 1, 0, 9, on_sum, &none),
        0);
    assert_int_equal(none.attempts, 0);
}

static void a_refusal_of_the_api_is_found_until_something_was_paid(void **state)
{
    struct rows *rows = conformance_rows(state);
    struct foreign_attempt found;
    rows_run(rows, rows_issue(rows, CARD_A, 10000));
    approve(rows, 0);
    int64_t first = rows_run(rows, charge_of(rows, ORDER, 10)).operation_id;
    answer(rows, first, FOREIGN_UNPAID, 422);
    int tenant = (int)rows->tenant.id;
    assert_int_equal(store_read_foreign_refusal(rows->store, tenant, &found), ERR_NOT_FOUND);
    int64_t second = rows_run(rows, charge_of(rows, ORDER + 1, 10)).operation_id;
    int64_t third = rows_run(rows, charge_of(rows, ORDER + 2, 10)).operation_id;
    int64_t fourth = rows_run(rows, charge_of(rows, ORDER + 3, 10)).operation_id;
    answer(rows, second, FOREIGN_UNPAID, 403);
    assert_int_equal(store_read_foreign_refusal(rows->store, tenant, &found), 0);
    assert_int_equal(found.operation_id, second);
    answer(rows, third, FOREIGN_PAID, 201);
    assert_int_equal(store_read_foreign_refusal(rows->store, tenant, &found), ERR_NOT_FOUND);
    answer(rows, fourth, FOREIGN_UNPAID, 403);
    assert_int_equal(store_read_foreign_refusal(rows->store, tenant, &found), 0);
    rows->now_us += 1000000;
    record_state(rows, FOREIGN_APPROVED); /* it was set right since */
    assert_int_equal(store_read_foreign_refusal(rows->store, tenant, &found), ERR_NOT_FOUND);
}

static void a_payment_that_is_forbidden_suspends_the_approval(void **state)
{
    struct rows *rows = conformance_rows(state);
    rows_run(rows, rows_issue(rows, CARD_A, 10000));
    approve(rows, 5000);
    int64_t open = rows_run(rows, charge_of(rows, ORDER, 20)).operation_id;
    int64_t other = rows_run(rows, charge_of(rows, ORDER + 1, 10)).operation_id;
    answer(rows, other, FOREIGN_UNPAID, 422);
    assert_false(approval_of(rows).is_suspended);
    int64_t first = rows_run(rows, charge_of(rows, ORDER + 2, 10)).operation_id;
    answer(rows, first, FOREIGN_OPEN, 403); /* not final at this tenant */
    assert_false(approval_of(rows).is_suspended);
    answer(rows, first, FOREIGN_UNPAID, 403);
    struct foreign_approval now = approval_of(rows);
    assert_true(now.is_suspended && now.state == FOREIGN_APPROVED && now.day_max_minor == 5000);
    assert_int_equal(rows_run(rows, charge_of(rows, ORDER + 3, 10)).result,
                     RESULT_APPROVAL_SUSPENDED);
    struct foreign_attempt attempt = {.tenant_id = rows->tenant.id,
                                      .operation_id = open,
                                      .order_id = ORDER,
                                      .amount_minor = 20,
                                      .local_date = ROWS_DATE};
    assert_int_equal(store_begin_foreign_payment(rows->store, rows->now_us, &attempt), 0);
    assert_int_equal(attempt.verdict, FOREIGN_SUSPENDED);
    assert_int_equal(attempt.end, FOREIGN_UNPAID);
    assert_false(attempt.may_be_paid);
    record_state(rows, FOREIGN_APPROVED); /* it was set right at Lightspeed */
    assert_false(approval_of(rows).is_suspended);
    rows_run(rows, charge_of(rows, ORDER + 4, 10));
    assert_int_equal(rows_verify(rows->store), 0);
}

/* --- before a payment is sent --- */

static struct foreign_attempt begin(struct rows *rows, int64_t operation_id, int64_t amount_minor)
{
    struct foreign_attempt attempt = {.tenant_id = rows->tenant.id,
                                      .operation_id = operation_id,
                                      .order_id = ORDER,
                                      .amount_minor = amount_minor,
                                      .local_date = ROWS_DATE};
    assert_int_equal(store_begin_foreign_payment(rows->store, rows->now_us, &attempt), 0);
    return attempt;
}

static void what_was_allowed_may_be_sent_and_counts_once(void **state)
{
    struct rows *rows = conformance_rows(state);
    rows_run(rows, rows_issue(rows, CARD_A, 10000));
    approve(rows, 700);
    int64_t id = rows_run(rows, charge_of(rows, ORDER, 700)).operation_id;
    for (int i = 0; i < 3; i++) {
        struct foreign_attempt attempt = begin(rows, id, 700);
        assert_int_equal(attempt.verdict, FOREIGN_ALLOWED);
        assert_int_equal(attempt.end, FOREIGN_OPEN);
    }
    answer(rows, id, FOREIGN_PAID, 201);
    assert_int_equal(begin(rows, id, 700).end, FOREIGN_PAID);
    assert_int_equal(attempts(rows).count, 1);
    assert_int_equal(rows_verify(rows->store), 0);
}

static void an_approval_that_is_gone_by_then_stops_it(void **state)
{
    struct rows *rows = conformance_rows(state);
    rows_run(rows, rows_issue(rows, CARD_A, 10000));
    approve(rows, 700);
    int64_t id = rows_run(rows, charge_of(rows, ORDER, 700)).operation_id;
    record_state(rows, FOREIGN_REVOKED);
    struct foreign_attempt attempt = begin(rows, id, 700);
    assert_int_equal(attempt.verdict, FOREIGN_NOT_APPROVED);
    assert_int_equal(attempt.end, FOREIGN_UNPAID);
    struct seen seen = attempts(rows);
    assert_int_equal(seen.count, 1);
    assert_int_equal(seen.attempts[0].verdict, FOREIGN_ALLOWED); /* as it was decided */
    assert_int_equal(seen.attempts[0].end, FOREIGN_UNPAID);
    assert_string_equal(seen.attempts[0].api_answer, "not sent: the approval no longer stands");
    assert_int_equal(rows_verify(rows->store), 0);
}

/* It was sent before, and no reply came: nobody may say that it is not on the order. */
static void what_may_have_been_sent_is_not_told_as_unsent(void **state)
{
    struct rows *rows = conformance_rows(state);
    rows_run(rows, rows_issue(rows, CARD_A, 10000));
    approve(rows, 700);
    int64_t id = rows_run(rows, charge_of(rows, ORDER, 700)).operation_id;
    (void)begin(rows, id, 700); /* and then it is sent */
    assert_true(begin(rows, id, 700).may_be_paid);
    record_state(rows, FOREIGN_REVOKED);
    struct foreign_attempt attempt = begin(rows, id, 700);
    assert_int_equal(attempt.verdict, FOREIGN_NOT_APPROVED);
    assert_int_equal(attempt.end, FOREIGN_OPEN);
    assert_int_equal(attempts(rows).attempts[0].end, FOREIGN_OPEN);
    assert_int_equal(sum(rows).open_minor, 700);
    set_work(rows, id, WORK_GIVEN_UP);
    assert_int_equal(
        store_end_foreign_attempt(rows->store, rows->tenant.id, id, FOREIGN_PAID, rows->now_us), 0);
    assert_int_equal(attempts(rows).attempts[0].end, FOREIGN_PAID);
    assert_int_equal(rows_verify(rows->store), 0);
}

/* A "forbidden" that a tenant does not take for final ends nothing when it comes, and is old when
 * reconciliation looks. */
static void what_is_found_of_a_charge_suspends_nothing(void **state)
{
    struct rows *rows = conformance_rows(state);
    rows_run(rows, rows_issue(rows, CARD_A, 10000));
    approve(rows, 0);
    int64_t id = rows_run(rows, charge_of(rows, ORDER, 700)).operation_id;
    answer(rows, id, FOREIGN_OPEN, 403);
    struct foreign_change renewed;
    assert_int_equal(record(rows, (struct foreign_approval){.state = FOREIGN_APPROVED}, &renewed),
                     0);
    set_work(rows, id, WORK_GIVEN_UP);
    assert_int_equal(
        store_end_foreign_attempt(rows->store, rows->tenant.id, id, FOREIGN_UNPAID, rows->now_us),
        0);
    assert_int_equal(attempts(rows).attempts[0].end, FOREIGN_UNPAID);
    assert_int_equal(rows_run(rows, charge_of(rows, ORDER + 1, 700)).result, RESULT_OK);
    assert_int_equal(rows_verify(rows->store), 0);
}

static void one_that_ended_unpaid_is_judged_anew(void **state)
{
    struct rows *rows = conformance_rows(state);
    rows_run(rows, rows_issue(rows, CARD_A, 10000));
    approve(rows, 700);
    int64_t id = rows_run(rows, charge_of(rows, ORDER, 700)).operation_id;
    answer(rows, id, FOREIGN_UNPAID, 422);
    assert_int_equal(begin(rows, id, 700).verdict, FOREIGN_ALLOWED);
    assert_int_equal(attempts(rows).count, 2);
    assert_int_equal(rows_run(rows, charge_of(rows, ORDER + 1, 1)).result,
                     RESULT_OVER_APPROVED_DAY);
    answer(rows, id, FOREIGN_UNPAID, 422);
    int64_t other = rows_run(rows, charge_of(rows, ORDER + 1, 1)).operation_id;
    assert_int_equal(begin(rows, id, 700).verdict, FOREIGN_OVER_DAY_MAX);
    assert_int_equal(begin(rows, other, 1).verdict, FOREIGN_ALLOWED);
    assert_int_equal(rows_verify(rows->store), 0);
}

static void a_charge_from_before_there_were_approvals_is_judged(void **state)
{
    struct rows *rows = conformance_rows(state);
    rows_run(rows, rows_issue(rows, CARD_A, 10000));
    int64_t id = rows_run(rows, rows_command(rows, ACTION_CHARGE, CARD_A, ORDER, 700)).operation_id;
    assert_int_equal(begin(rows, id, 700).verdict, FOREIGN_NOT_APPROVED);
    approve(rows, 700);
    assert_int_equal(begin(rows, id, 700).verdict, FOREIGN_ALLOWED);
    struct seen seen = attempts(rows);
    assert_int_equal(seen.count, 2);
    assert_int_equal(seen.attempts[0].end, FOREIGN_OPEN);
    assert_int_equal(rows_verify(rows->store), 0);
}

/* --- points that pay --- */

static struct points_command pay(struct rows *rows, int64_t member_id, int64_t reward_id,
                                 const char *token_id, int64_t pays_minor)
{
    struct points_command command =
        loyalty_reserve(rows, member_id, reward_id, token_id, ORDER, 20);
    command.pays_minor = pays_minor;
    command.local_date = ROWS_DATE;
    return command;
}

static void points_and_charges_share_what_the_day_has(void **state)
{
    struct rows *rows = conformance_rows(state);
    rows_run(rows, rows_issue(rows, CARD_A, 10000));
    int64_t member = loyalty_member(rows, "M-1");
    int64_t reward = loyalty_add_reward(rows);
    loyalty_run_to(rows, loyalty_grant(rows, member, 100), POINTS_OK);
    loyalty_run_to(rows, pay(rows, member, reward, "t-0", 600), POINTS_NOT_APPROVED);
    approve(rows, 1000);
    rows_run(rows, charge_of(rows, ORDER, 500));
    struct points_outcome over =
        loyalty_run_to(rows, pay(rows, member, reward, "t-1", 501), POINTS_OVER_APPROVED_DAY);
    assert_int_equal(over.limit_minor, 500);
    int64_t id =
        loyalty_run_to(rows, pay(rows, member, reward, "t-2", 500), POINTS_OK).reservation.id;
    assert_int_equal(rows_run(rows, charge_of(rows, ORDER + 1, 1)).result,
                     RESULT_OVER_APPROVED_DAY);
    assert_int_equal(sum(rows).open_minor, 1000);
    loyalty_run_to(rows, loyalty_move(rows, POINTS_RETURN, id), POINTS_OK);
    assert_int_equal(rows_run(rows, charge_of(rows, ORDER + 1, 500)).result, RESULT_OK);
    assert_int_equal(rows_verify(rows->store), 0);
}

static void a_reservation_that_pays_ends_its_attempt(void **state)
{
    struct rows *rows = conformance_rows(state);
    int64_t member = loyalty_member(rows, "M-1");
    int64_t reward = loyalty_add_reward(rows);
    loyalty_run_to(rows, loyalty_grant(rows, member, 100), POINTS_OK);
    approve(rows, 0);
    int64_t id =
        loyalty_run_to(rows, pay(rows, member, reward, "t-1", 600), POINTS_OK).reservation.id;
    struct foreign_attempt said = answer_of(rows, 0, FOREIGN_OPEN, 201);
    said.reservation_id = id;
    assert_int_equal(store_answer_foreign_attempt(rows->store, &said), 0);
    loyalty_run_to(rows, loyalty_move(rows, POINTS_BURN, id), POINTS_OK);
    struct foreign_attempt found = attempts(rows).attempts[0];
    assert_int_equal(found.reservation_id, id);
    assert_int_equal(found.effect, FOREIGN_REWARD);
    assert_int_equal(found.end, FOREIGN_PAID);
    assert_int_equal(found.api_status, 201);
    assert_int_equal(found.amount_minor, 600);
    struct reservation reservation;
    assert_int_equal(store_read_reservation(rows->store, id, &reservation), 0);
    assert_int_equal(reservation.pays_minor, 600);
    id = loyalty_run_to(rows, pay(rows, member, reward, "t-2", 600), POINTS_OK).reservation.id;
    struct points_command back = loyalty_move(rows, POINTS_RETURN, id);
    snprintf(back.reason, sizeof(back.reason), "the order is closed");
    loyalty_run_to(rows, back, POINTS_OK);
    assert_int_equal(attempts(rows).attempts[0].end, FOREIGN_UNPAID);
    assert_string_equal(attempts(rows).attempts[0].api_answer, "the order is closed");
    said.end = FOREIGN_PAID; /* its moves end it */
    check_hook = rows_on_failed_check;
    expect_assert_failure((void)!store_answer_foreign_attempt(rows->store, &said));
    check_hook = NULL;
    assert_int_equal(rows_verify(rows->store), 0);
}

static void a_reward_that_is_forbidden_suspends_the_approval(void **state)
{
    struct rows *rows = conformance_rows(state);
    int64_t member = loyalty_member(rows, "M-1");
    int64_t reward = loyalty_add_reward(rows);
    loyalty_run_to(rows, loyalty_grant(rows, member, 100), POINTS_OK);
    approve(rows, 0);
    int64_t id =
        loyalty_run_to(rows, pay(rows, member, reward, "t-1", 600), POINTS_OK).reservation.id;
    struct foreign_attempt said = answer_of(rows, 0, FOREIGN_OPEN, 403);
    said.reservation_id = id;
    assert_int_equal(store_answer_foreign_attempt(rows->store, &said), 0);
    assert_false(approval_of(rows).is_suspended);
    loyalty_run_to(rows, loyalty_move(rows, POINTS_RETURN, id), POINTS_OK);
    assert_true(approval_of(rows).is_suspended);
    assert_int_equal(rows_verify(rows->store), 0);
}

static const struct CMUnitTest conformance_foreigns[] = {
    CONFORMANCE_TEST(an_approval_is_read_with_its_tenant),
    CONFORMANCE_TEST(a_tenant_that_is_written_keeps_its_approval),
    CONFORMANCE_TEST(an_approval_moves_along_its_table_only),
    CONFORMANCE_TEST(every_step_is_kept_in_order),
    CONFORMANCE_TEST(a_charge_leaves_its_attempt_allowed_or_refused),
    CONFORMANCE_TEST(a_charge_that_the_register_books_is_no_attempt),
    CONFORMANCE_TEST(the_charges_of_one_batch_share_what_the_day_has),
    CONFORMANCE_TEST(a_charge_that_is_rolled_back_counts_nothing),
    CONFORMANCE_TEST(an_attempt_ends_once),
    CONFORMANCE_TEST(what_is_found_of_a_charge_ends_its_attempt_when_nothing_else_will),
    CONFORMANCE_TEST(what_the_days_come_to_is_added_up),
    CONFORMANCE_TEST(a_refusal_of_the_api_is_found_until_something_was_paid),
    CONFORMANCE_TEST(a_payment_that_is_forbidden_suspends_the_approval),
    CONFORMANCE_TEST(what_was_allowed_may_be_sent_and_counts_once),
    CONFORMANCE_TEST(an_approval_that_is_gone_by_then_stops_it),
    CONFORMANCE_TEST(what_may_have_been_sent_is_not_told_as_unsent),
    CONFORMANCE_TEST(what_is_found_of_a_charge_suspends_nothing),
    CONFORMANCE_TEST(one_that_ended_unpaid_is_judged_anew),
    CONFORMANCE_TEST(a_charge_from_before_there_were_approvals_is_judged),
    CONFORMANCE_TEST(points_and_charges_share_what_the_day_has),
    CONFORMANCE_TEST(a_reservation_that_pays_ends_its_attempt),
    CONFORMANCE_TEST(a_reward_that_is_forbidden_suspends_the_approval),
};

int conformance_run_foreign(const char *name)
{
    return _cmocka_run_group_tests(name, conformance_foreigns, COUNT_OF(conformance_foreigns), NULL,
                                   NULL);
}
