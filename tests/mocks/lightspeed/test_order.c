/* Totals of an order to the cent, shares of a service charge, and the moves of a status. */
#include "mocks/lightspeed/order.h"

#include "mocks/lightspeed/decimal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define CENTS 2
#define NO_CHANGE                                                                                  \
    {                                                                                              \
        .coefficient = DECIMAL_ONE                                                                 \
    }
#define GST (DECIMAL_ONE / 10)

static struct line line_of(int64_t cents, int64_t quantity)
{
    return (struct line){.unit_millionths = cents * (DECIMAL_ONE / 100),
                         .quantity = quantity * QUANTITY_ONE,
                         .tax_rate_millionths = GST,
                         .variation = NO_CHANGE};
}

static int64_t total_of(const struct line *line)
{
    return line_total(line, CENTS).total_minor;
}

static void a_line_is_price_times_quantity_with_its_tax_inside(void **state)
{
    (void)state;
    struct line line = line_of(450, 2);
    assert_int_equal(total_of(&line), 900);
    assert_int_equal(line_total(&line, CENTS).tax_minor, 82);
    line.modifiers_millionths = 700000;
    assert_int_equal(total_of(&line), 1040);
    line.quantity = QUANTITY_ONE / 3; /* 0.333 of 5.20 */
    assert_int_equal(total_of(&line), 173);
    line.tax_rate_millionths = 0;
    assert_int_equal(line_total(&line, CENTS).tax_minor, 0);
}

static void a_coefficient_rounds_half_up_to_the_minor_unit(void **state)
{
    (void)state;
    struct line line = line_of(1270, 1);
    line.variation.coefficient = 850000; /* 10.795 */
    assert_int_equal(total_of(&line), 1080);
    line.variation.coefficient = 849999; /* 10.7949873 */
    assert_int_equal(total_of(&line), 1079);
    line.variation.coefficient = 0;
    assert_int_equal(total_of(&line), 0);
}

static void an_amount_off_never_goes_below_zero_and_on_a_refund_never_above(void **state)
{
    (void)state;
    struct line line = line_of(450, 1);
    line.variation.fixed_minor = -450;
    assert_int_equal(total_of(&line), 0);
    line.variation.fixed_minor = -451;
    assert_int_equal(total_of(&line), 0);
    line.variation.fixed_minor = 50;
    assert_int_equal(total_of(&line), 500);
    struct line back = line_of(450, -1);
    assert_int_equal(total_of(&back), -450);
    assert_int_equal(line_total(&back, CENTS).tax_minor, -41);
    back.variation.fixed_minor = 100;
    assert_int_equal(total_of(&back), -350);
    back.variation.fixed_minor = 500;
    assert_int_equal(total_of(&back), 0);
}

static void the_largest_line_does_not_overflow(void **state)
{
    (void)state;
    struct line line = {.unit_millionths = PRICE_MAX,
                        .modifiers_millionths = LINE_MODIFIERS_MAX * PRICE_MAX,
                        .quantity = QUANTITY_MAX,
                        .variation = {.coefficient = VARIATION_MAX}};
    assert_int_equal(line_total(&line, 0).total_minor, INT64_C(17000000000));
    assert_int_equal(line_total(&line, 3).total_minor, INT64_C(17000000000000));
}

static void currencies_without_and_with_three_decimals_round_at_their_own_unit(void **state)
{
    (void)state;
    struct line line = line_of(100, 1);
    line.variation.coefficient = 333500;
    assert_int_equal(line_total(&line, 0).total_minor, 0);
    assert_int_equal(line_total(&line, 3).total_minor, 334);
}

static void an_order_varies_the_sum_of_its_lines_and_its_tax_alike(void **state)
{
    (void)state;
    struct line lines[] = {line_of(400, 1), line_of(450, 1), line_of(420, 1)};
    struct order order = {.variation = NO_CHANGE, .lines = lines, .line_count = COUNT_OF(lines)};
    struct order_total total = order_total(&order, CENTS);
    assert_int_equal(total.total_minor, 1270);
    assert_int_equal(total.tax_minor, 36 + 41 + 38);
    order.variation.fixed_minor = -1000;
    total = order_total(&order, CENTS);
    assert_int_equal(total.total_minor, 270);
    assert_int_equal(total.tax_minor, 24);
    assert_int_equal(total.due_minor, 270);
    order.variation = (struct variation){.coefficient = 850000};
    assert_int_equal(order_total(&order, CENTS).total_minor, 1080);
    order.line_count = 0;
    order.variation.fixed_minor = -5;
    assert_int_equal(order_total(&order, CENTS).total_minor, 0);
}

static void payments_and_tips_are_summed_apart(void **state)
{
    (void)state;
    struct line lines[] = {line_of(1000, 1)};
    struct payment payments[] = {
        {.amount_minor = 700, .tip_minor = 50}, {.amount_minor = -200}, {.tip_minor = 100}};
    struct order order = {.variation = NO_CHANGE,
                          .lines = lines,
                          .line_count = 1,
                          .payments = payments,
                          .payment_count = COUNT_OF(payments)};
    struct order_total total = order_total(&order, CENTS);
    assert_int_equal(total.paid_minor, 500);
    assert_int_equal(total.tips_minor, 150);
    assert_int_equal(total.due_minor, 500);
}

/* The three examples of the source: an order of 10.00 with a charge of 1.00. */
static void a_service_charge_is_shared_as_in_the_examples(void **state)
{
    (void)state;
    static const struct {
        int64_t amount_minor, tip_minor, share_minor, left_minor, tips_minor;
    } EXAMPLES[] = {{500, 0, 45, 600, 0}, {400, 10, 37, 690, 0}, {400, 200, 100, 600, 100}};
    for (size_t i = 0; i < COUNT_OF(EXAMPLES); i++) {
        struct line lines[] = {line_of(1000, 1)};
        int64_t share_minor =
            payment_share(1000, 100, EXAMPLES[i].amount_minor, EXAMPLES[i].tip_minor, 100);
        assert_int_equal(share_minor, EXAMPLES[i].share_minor);
        struct payment payments[] = {{.amount_minor = EXAMPLES[i].amount_minor,
                                      .tip_minor = EXAMPLES[i].tip_minor,
                                      .service_charge_minor = share_minor}};
        struct order order = {.variation = NO_CHANGE,
                              .service_charge_minor = 100,
                              .lines = lines,
                              .line_count = 1,
                              .payments = payments,
                              .payment_count = 1};
        struct order_total total = order_total(&order, CENTS);
        assert_int_equal(total.due_minor, EXAMPLES[i].left_minor);
        assert_int_equal(total.tips_minor, EXAMPLES[i].tips_minor);
    }
    assert_int_equal(payment_share(1000, 100, 900, 0, 20), 20);
    assert_int_equal(payment_share(1000, 0, 500, 10, 0), 0);
    assert_int_equal(payment_share(1000, 100, -500, 0, 100), 0);
}

static void closed_statuses_never_move_and_lines_lock_before(void **state)
{
    (void)state;
    for (int to = 0; to < ORDER_STATUSES; to++) {
        assert_int_equal(order_may_move(ORDER_COMPLETE, (enum order_status)to),
                         to == ORDER_COMPLETE);
        assert_int_equal(order_may_move(ORDER_REJECTED, (enum order_status)to),
                         to == ORDER_REJECTED);
    }
    assert_true(order_may_move(ORDER_SUBMITTED, ORDER_ACCEPTED));
    assert_false(order_may_move(ORDER_ACCEPTED, ORDER_SUBMITTED));
    static const bool is_locked[ORDER_STATUSES] = {
        [ORDER_ACCEPTED] = true, [ORDER_REJECTED] = true, [ORDER_COMPLETE] = true};
    for (int i = 0; i < ORDER_STATUSES; i++) {
        struct order order = {.status = (enum order_status)i};
        assert_int_equal(order_lines_are_locked(&order), is_locked[i]);
        order.is_deleted = true;
        assert_true(order_lines_are_locked(&order) && order_is_closed(&order));
    }
}

static void a_draft_shares_nothing_with_its_order(void **state)
{
    (void)state;
    struct order order = {.variation = NO_CHANGE}, draft;
    struct line line = line_of(100, 1);
    assert_true(order_insert_line(&order, 0, &line));
    assert_true(order_copy(&order, &draft));
    struct line second = line_of(200, 1);
    assert_true(order_insert_line(&draft, 0, &second));
    draft.lines[1].quantity = 0;
    assert_int_equal(order.line_count, 1);
    assert_int_equal(order.lines[0].quantity, QUANTITY_ONE);
    order_adopt(&order, &draft);
    assert_int_equal(order.line_count, 2);
    assert_int_equal(order.lines[0].unit_millionths, second.unit_millionths);
    order_remove_line(&order, 0);
    assert_int_equal(order.lines[0].quantity, 0);
    order_release(&order);
}

static void an_order_has_room_for_so_many_lines_and_payments(void **state)
{
    (void)state;
    struct order order = {.variation = NO_CHANGE};
    struct line line = line_of(1, 1);
    struct payment payment = {.amount_minor = 1};
    for (size_t i = 0; i < ORDER_LINES_MAX; i++)
        assert_true(order_insert_line(&order, i, &line));
    assert_false(order_insert_line(&order, 0, &line));
    for (size_t i = 0; i < ORDER_PAYMENTS_MAX; i++)
        assert_true(order_add_payment(&order, &payment));
    assert_false(order_add_payment(&order, &payment));
    order_release(&order);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_is_price_times_quantity_with_its_tax_inside),
        cmocka_unit_test(a_coefficient_rounds_half_up_to_the_minor_unit),
        cmocka_unit_test(an_amount_off_never_goes_below_zero_and_on_a_refund_never_above),
        cmocka_unit_test(the_largest_line_does_not_overflow),
        cmocka_unit_test(currencies_without_and_with_three_decimals_round_at_their_own_unit),
        cmocka_unit_test(an_order_varies_the_sum_of_its_lines_and_its_tax_alike),
        cmocka_unit_test(payments_and_tips_are_summed_apart),
        cmocka_unit_test(a_service_charge_is_shared_as_in_the_examples),
        cmocka_unit_test(closed_statuses_never_move_and_lines_lock_before),
        cmocka_unit_test(a_draft_shares_nothing_with_its_order),
        cmocka_unit_test(an_order_has_room_for_so_many_lines_and_payments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
