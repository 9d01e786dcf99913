/* What an order that was read says of one of our operations on it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "lightspeed/look.h"

#define ORDER INT64_C(2802065908)
#define GENERATION 1
#define METHOD 88
#define CASH 1
#define NOON_US (INT64_C(1780056000) * 1000000) /* 2026-05-29T12:00:00Z */

static struct oseries_order order;
static struct operation operations[8];
static int32_t count;
static struct booking bookings[8];
static int32_t booked;
static int64_t ahead_us;

static int setup(void **state)
{
    (void)state;
    memset(&order, 0, sizeof(order));
    memset(operations, 0, sizeof(operations));
    order.id = ORDER;
    order.status = ORDER_PENDING;
    order.total_minor = 5400;
    snprintf(order.updated_at, sizeof(order.updated_at), "2026-05-29T22:00:00+10:00");
    count = 0;
    ahead_us = 0;
    return 0;
}

static void pay(int64_t method_id, int64_t amount_minor, const char *ref)
{
    struct order_payment *payment = &order.payments[order.payment_count++];
    *payment = (struct order_payment){
        .number = order.payment_count, .method_id = method_id, .amount_minor = amount_minor};
    snprintf(payment->ref, sizeof(payment->ref), "%s", ref);
}

/* Ids count from 1. */
static void did(enum action action, int64_t card_id, int64_t amount_minor, int64_t answers)
{
    operations[count] = (struct operation){.id = count + 1,
                                           .card_id = card_id,
                                           .action = action,
                                           .order_id = ORDER,
                                           .amount_minor = amount_minor,
                                           .answers_operation_id = answers,
                                           .created_at_us = NOON_US};
    count++;
}

static struct order_evidence evidence_of(int64_t operation_id)
{
    struct order_evidence evidence;
    booked = order_bookings_make(operations, count, bookings);
    order_evidence_make(&order, bookings, booked, &operations[operation_id - 1], ahead_us,
                        GENERATION, METHOD, &evidence);
    assert_int_equal(evidence.operation_id, operation_id);
    return evidence;
}

static void a_payment_with_its_ref_is_booked(void **state)
{
    (void)state;
    did(ACTION_CHARGE, 7, 2500, 0);
    assert_false(evidence_of(1).is_booked);
    pay(METHOD, 2500, "CP1-1");
    struct order_evidence evidence = evidence_of(1);
    assert_int_equal(evidence.state, EVIDENCE_READ);
    assert_true(evidence.is_booked);
    assert_false(evidence.is_closed);
    assert_int_equal(evidence.due_minor, 2900);
}

static void a_payment_of_its_amount_by_our_method_is_booked(void **state)
{
    (void)state;
    did(ACTION_CHARGE, 7, 2500, 0);
    pay(CASH, 2500, "");
    assert_false(evidence_of(1).is_booked);
    pay(METHOD, 2500, "TX-9");
    assert_true(evidence_of(1).is_booked);
    assert_int_equal(evidence_of(1).due_minor, 400);
}

static void one_payment_is_not_two_charges(void **state)
{
    (void)state;
    did(ACTION_CHARGE, 7, 2500, 0);
    did(ACTION_CHARGE, 7, 2500, 0);
    pay(METHOD, 2500, "");
    assert_true(evidence_of(1).is_booked);
    assert_false(evidence_of(2).is_booked);
    pay(METHOD, 2500, "");
    assert_true(evidence_of(2).is_booked);
}

static void a_payment_that_may_be_another_card_s_is_taken_for_its_own(void **state)
{
    (void)state;
    did(ACTION_CHARGE, 7, 2500, 0);
    did(ACTION_CHARGE, 8, 2500, 0);
    assert_false(evidence_of(2).is_booked);
    pay(METHOD, 2500, "");
    assert_true(evidence_of(1).is_booked);
    assert_true(evidence_of(2).is_booked);
}

static void what_was_reversed_leaves_its_payment_to_what_came_after(void **state)
{
    (void)state;
    did(ACTION_CHARGE, 7, 2500, 0);
    did(ACTION_REVERSE, 7, 2500, 1);
    did(ACTION_CHARGE, 7, 2500, 0);
    pay(METHOD, 2500, "");
    assert_true(evidence_of(3).is_booked);
    did(ACTION_RECHARGE, 7, 2500, 2); /* it was booked after all */
    assert_true(evidence_of(1).is_booked);
    assert_false(evidence_of(3).is_booked);
    did(ACTION_REVERSE, 7, 2500, 4); /* and is gone again */
    assert_true(evidence_of(3).is_booked);
}

static void a_refund_is_a_payment_below_zero(void **state)
{
    (void)state;
    did(ACTION_CHARGE, 7, 2500, 0);
    did(ACTION_REFUND, 7, 1000, 0);
    pay(METHOD, 2500, "");
    pay(METHOD, -1000, "");
    assert_true(evidence_of(1).is_booked);
    assert_true(evidence_of(2).is_booked);
    assert_int_equal(evidence_of(1).due_minor, 3900);
    did(ACTION_RECHARGE, 7, 1000, 2);
    assert_true(bookings[1].is_undone == false && evidence_of(1).is_booked);
    assert_true(bookings[1].is_undone);
}

static void loads_and_issues_are_no_payments(void **state)
{
    (void)state;
    did(ACTION_TOP_UP, 7, 2500, 0);
    did(ACTION_HOLD_LOAD, 7, 0, 0);
    did(ACTION_RELEASE, 7, 2500, 0);
    did(ACTION_CHARGE, 7, 2500, 0);
    assert_int_equal(order_bookings_make(operations, count, bookings), 1);
    assert_int_equal(bookings[0].operation_id, 4);
    assert_int_equal(bookings[0].amount_minor, 2500);
    /* Then there is nothing to look for. */
    assert_int_equal(evidence_of(1).state, EVIDENCE_UNREADABLE);
}

static void complete_deleted_and_rejected_orders_are_closed(void **state)
{
    (void)state;
    did(ACTION_CHARGE, 7, 2500, 0);
    static const struct {
        enum order_status status;
        bool is_deleted, is_closed;
    } cases[] = {
        {ORDER_SUBMITTED, false, false}, {ORDER_ON_HOLD, false, false},
        {ORDER_PENDING, false, false},   {ORDER_ACCEPTED, false, false},
        {ORDER_OTHER, false, false},     {ORDER_REJECTED, false, true},
        {ORDER_COMPLETE, false, true},   {ORDER_PENDING, true, true},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        order.status = cases[i].status;
        order.is_deleted = cases[i].is_deleted;
        assert_int_equal(evidence_of(1).is_closed, cases[i].is_closed);
    }
}

static void a_change_counts_when_it_is_clearly_later(void **state)
{
    (void)state;
    did(ACTION_CHARGE, 7, 2500, 0);
    static const struct {
        const char *updated_at;
        bool has_changed;
    } cases[] = {
        {"2026-05-29T22:00:00+10:00", false},
        {"2026-05-29T22:00:05+10:00", false},
        {"2026-05-29T22:00:06+10:00", true},
        {"2026-05-29T12:00:06Z", true},
        {"2026-05-29T22:00:06", false},
        {"2026-05-29T13:00:00+10:00", false},
        {"", false},
        {"yesterday", false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        snprintf(order.updated_at, sizeof(order.updated_at), "%s", cases[i].updated_at);
        assert_int_equal(evidence_of(1).has_changed, cases[i].has_changed);
    }
}

static void a_change_is_dated_by_the_clock_of_the_api(void **state)
{
    (void)state;
    did(ACTION_CHARGE, 7, 2500, 0);
    ahead_us = 3600 * CLOCK_US_PER_S; /* ours was an hour behind when the process began */
    snprintf(order.updated_at, sizeof(order.updated_at), "2026-05-29T13:00:05Z");
    assert_false(evidence_of(1).has_changed);
    snprintf(order.updated_at, sizeof(order.updated_at), "2026-05-29T13:00:06Z");
    assert_true(evidence_of(1).has_changed);
    ahead_us = -3600 * CLOCK_US_PER_S;
    snprintf(order.updated_at, sizeof(order.updated_at), "2026-05-29T11:00:06Z");
    assert_true(evidence_of(1).has_changed);
}

static void an_order_with_more_payments_than_are_kept_says_nothing(void **state)
{
    (void)state;
    did(ACTION_CHARGE, 7, 2500, 0);
    for (int32_t i = 0; i < ORDER_PAYMENTS_MAX; i++)
        pay(CASH, 1, "");
    assert_int_equal(evidence_of(1).state, EVIDENCE_READ);
    order.is_cut = true;
    struct order_evidence evidence = evidence_of(1);
    assert_int_equal(evidence.state, EVIDENCE_UNREADABLE);
    assert_false(evidence.is_booked || evidence.is_closed || evidence.has_changed);
    order.payment_count--; /* then it is lines that were cut */
    assert_int_equal(evidence_of(1).state, EVIDENCE_READ);
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_payment_with_its_ref_is_booked),
        TEST(a_payment_of_its_amount_by_our_method_is_booked),
        TEST(one_payment_is_not_two_charges),
        TEST(a_payment_that_may_be_another_card_s_is_taken_for_its_own),
        TEST(what_was_reversed_leaves_its_payment_to_what_came_after),
        TEST(a_refund_is_a_payment_below_zero),
        TEST(loads_and_issues_are_no_payments),
        TEST(complete_deleted_and_rejected_orders_are_closed),
        TEST(a_change_counts_when_it_is_clearly_later),
        TEST(a_change_is_dated_by_the_clock_of_the_api),
        TEST(an_order_with_more_payments_than_are_kept_says_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
