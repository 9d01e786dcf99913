/*
 * Several commands of one batch: what one decides is seen by the next, and by nobody else's. Also
 * what no register can ask for.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/check.h"
#include "ledger/ledger.h"
#include "tests/support/view_memory.h"

#define TODAY 20000
#define NOW_US (INT64_C(1700000000) * 1000000)
#define OURS 7
#define THEIRS 8
#define ORDER 2802065908

struct batch_world {
    struct view view;
    int32_t count;
};

static int world_create(void **state)
{
    struct batch_world *world = calloc(1, sizeof(*world));
    *state = world;
    if (world == NULL)
        return -1;
    view_memory_init(&world->view);
    world->view.next_card_id = 100;
    world->view.next_operation_id = 1000;
    world->view.next_transfer_id = 5000;
    return 0;
}

static int world_destroy(void **state)
{
    struct batch_world *world = *state;
    view_memory_finish(&world->view);
    free(world);
    return 0;
}

static int32_t add_card(struct batch_world *world, int64_t tenant_id, int64_t balance_minor)
{
    int32_t index = world->view.card_count++;
    struct view_card *card = &world->view.cards[index];
    card->operation_newest = VIEW_NONE;
    card->card = (struct card){.id = 1 + index,
                               .tenant_id = tenant_id,
                               .last4 = "2345",
                               .status = CARD_ACTIVE,
                               .balance_minor = balance_minor};
    card->card.index[0] = (uint8_t)(1 + index);
    return index;
}

static struct outcome decide(struct batch_world *world, enum action action, int64_t tenant_id,
                             int32_t card, int64_t asked_minor)
{
    struct outcome outcome;
    struct scope scope = {.card = card, .day = VIEW_NONE, .order_is_known = false};
    struct command command = {
        .action = action,
        .tenant_id = tenant_id,
        .order_id = ORDER,
        .asked_minor = asked_minor,
        .local_date = TODAY,
        .received_at_us = NOW_US,
        .policy = {.replay_window_us = REPLAY_WINDOW_US,
                   .replay_window_no_order_us = REPLAY_WINDOW_NO_ORDER_US},
        .new_card = {.last4 = "2345", .status = CARD_ACTIVE},
    };
    if (action == ACTION_REFUND) {
        scope.day = world->view.day_count++;
        world->view.days[scope.day].is_new = true;
    }
    ledger_decide(&world->view, &scope, world->count++, &command, NOW_US, &outcome);
    return outcome;
}

static void a_number_is_taken_once_per_tenant(void **state)
{
    struct batch_world *world = *state;
    assert_int_equal(decide(world, ACTION_ISSUE, OURS, VIEW_NONE, 0).result, RESULT_OK);
    assert_int_equal(decide(world, ACTION_ISSUE, THEIRS, VIEW_NONE, 0).result, RESULT_OK);
    assert_int_equal(decide(world, ACTION_ISSUE, OURS, VIEW_NONE, 0).result, RESULT_ALREADY_EXISTS);
    assert_int_equal(decide(world, ACTION_ISSUE, THEIRS, VIEW_NONE, 0).result,
                     RESULT_ALREADY_EXISTS);
    assert_int_equal(world->view.card_count, 2);
}

static void a_sale_charged_in_this_batch_is_known_to_a_refund_of_it(void **state)
{
    struct batch_world *world = *state;
    int32_t paying = add_card(world, OURS, 5000);
    int32_t other = add_card(world, OURS, 5000);
    assert_int_equal(decide(world, ACTION_CHARGE, OURS, paying, 2000).result, RESULT_OK);
    assert_int_equal(decide(world, ACTION_REFUND, OURS, other, 100).result, RESULT_NOT_CHARGED);
    assert_int_equal(decide(world, ACTION_REFUND, OURS, paying, 2000).result, RESULT_OK);
    assert_int_equal(world->view.cards[paying].card.balance_minor, 5000);
    assert_int_equal(world->view.cards[other].card.balance_minor, 5000);
}

static void a_sale_of_another_merchant_with_that_order_id_is_not(void **state)
{
    struct batch_world *world = *state;
    int32_t theirs = add_card(world, THEIRS, 5000);
    int32_t ours = add_card(world, OURS, 5000);
    assert_int_equal(decide(world, ACTION_CHARGE, THEIRS, theirs, 2000).result, RESULT_OK);
    /* an unknown sale, and this card paid nothing in the last 90 days either */
    assert_int_equal(decide(world, ACTION_REFUND, OURS, ours, 100).result,
                     RESULT_OVER_REFUND_LIMIT);
    assert_int_equal(world->view.cards[ours].card.balance_minor, 5000);
}

static void on_check_failed(const char *expression, const char *file, int line)
{
    mock_assert(0, expression, file, line);
}

static void an_action_that_no_register_asks_for_is_a_bug(void **state)
{
    struct batch_world *world = *state;
    int32_t card = add_card(world, OURS, 5000);
    check_hook = on_check_failed;
    expect_assert_failure(decide(world, ACTION_VOID, OURS, card, 100));
    expect_assert_failure(decide(world, (enum action)99, OURS, card, 100));
    expect_assert_failure(decide(world, ACTION_HOLD_LOAD, OURS, card, 100));
    check_hook = NULL;
}

static void a_sale_charged_in_this_batch_is_known_to_a_refund_order_of_it(void **state)
{
    struct batch_world *world = *state;
    int32_t paying = add_card(world, OURS, 5000);
    struct scope scope = {.card = add_card(world, OURS, 5000), .day = world->view.day_count++};
    struct command refund = {.action = ACTION_REFUND,
                             .tenant_id = OURS,
                             .order_id = ORDER + 1,
                             .refunded_order_id = ORDER,
                             .asked_minor = 100,
                             .received_at_us = NOW_US};
    struct outcome outcome;
    assert_int_equal(decide(world, ACTION_CHARGE, OURS, paying, 2000).result, RESULT_OK);
    ledger_decide(&world->view, &scope, world->count++, &refund, NOW_US, &outcome);
    assert_int_equal(outcome.result, RESULT_NOT_CHARGED);
    refund.order_id = ORDER + 2;
    refund.refunded_order_id = ORDER + 3;
    ledger_decide(&world->view, &scope, world->count++, &refund, NOW_US, &outcome);
    assert_int_equal(outcome.result, RESULT_OVER_REFUND_LIMIT);
}

static void without_an_order_there_is_nothing_to_release_or_to_give_back(void **state)
{
    struct batch_world *world = *state;
    struct scope scope = {.card = add_card(world, OURS, 0), .day = VIEW_NONE};
    struct command release = {.action = ACTION_RELEASE, .tenant_id = OURS};
    struct command refund = {
        .action = ACTION_REFUND, .tenant_id = OURS, .refunded_order_id = ORDER};
    struct outcome outcome;
    struct keys keys;
    check_hook = on_check_failed;
    expect_assert_failure(ledger_decide(&world->view, &scope, 0, &release, NOW_US, &outcome));
    expect_assert_failure(ledger_keys(&refund, &keys));
    check_hook = NULL;
}

static struct outcome decide_command(struct batch_world *world, int32_t card,
                                     const struct command *command)
{
    struct scope scope = {.card = card, .day = VIEW_NONE};
    struct outcome outcome;
    ledger_decide(&world->view, &scope, world->count++, command, NOW_US, &outcome);
    return outcome;
}

static struct command charge_of(int64_t asked_minor)
{
    return (struct command){.action = ACTION_CHARGE,
                            .tenant_id = OURS,
                            .order_id = ORDER,
                            .asked_minor = asked_minor,
                            .local_date = TODAY,
                            .received_at_us = NOW_US,
                            .order_is_readable = true,
                            .policy = {.replay_window_us = REPLAY_WINDOW_US}};
}

/* Both copies of it looked at the order before either was decided. */
static void a_charge_in_anothers_place_that_comes_twice_moves_once(void **state)
{
    struct batch_world *world = *state;
    int32_t card = add_card(world, OURS, 5000);
    struct command first = charge_of(2000), second = charge_of(1500);
    int64_t first_id = decide_command(world, card, &first).operation_id;
    assert_int_equal(decide_command(world, card, &second).result, RESULT_LOOK_FIRST);
    second.evidence = (struct order_evidence){
        .state = EVIDENCE_READ, .operation_id = first_id, .has_changed = true};
    struct outcome outcome = decide_command(world, card, &second);
    struct outcome again = decide_command(world, card, &second);
    assert_int_equal(outcome.reversed_operation_id, first_id);
    assert_int_equal(again.operation_id, outcome.operation_id);
    assert_true(again.is_replay && !again.is_suspect);
    assert_int_equal(world->view.cards[card].card.balance_minor, 5000 - 1500);
    assert_int_equal(world->view.transfer_count, 3);
}

/* What was read is about a charge that is not the latest any more. */
static void a_charge_decided_in_between_makes_what_was_read_worthless(void **state)
{
    struct batch_world *world = *state;
    int32_t card = add_card(world, OURS, 5000);
    struct command first = charge_of(2000), second = charge_of(1500), third = charge_of(700);
    int64_t first_id = decide_command(world, card, &first).operation_id;
    second.order_is_readable = false;
    assert_int_equal(decide_command(world, card, &second).result, RESULT_OK);
    third.evidence = (struct order_evidence){
        .state = EVIDENCE_READ, .operation_id = first_id, .has_changed = true};
    struct outcome outcome = decide_command(world, card, &third);
    assert_int_equal(outcome.result, RESULT_OK);
    assert_int_equal(outcome.reversed_operation_id, 0);
    assert_int_equal(world->view.cards[card].card.balance_minor, 5000 - 2000 - 1500 - 700);
}

static void undoing_nothing_by_name_is_a_bug(void **state)
{
    struct keys keys;
    struct command reverse = {.action = ACTION_REVERSE, .tenant_id = OURS, .order_id = ORDER};
    (void)state;
    check_hook = on_check_failed;
    expect_assert_failure(ledger_keys(&reverse, &keys));
    reverse.action = ACTION_RECHARGE;
    expect_assert_failure(ledger_keys(&reverse, &keys));
    check_hook = NULL;
    reverse.answers_operation_id = 7;
    ledger_keys(&reverse, &keys);
    assert_int_equal(keys.answers_operation_id, 7);
    assert_false(keys.wants_order_operations || keys.wants_recent_charges);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_number_is_taken_once_per_tenant, world_create,
                                        world_destroy),
        cmocka_unit_test_setup_teardown(a_sale_charged_in_this_batch_is_known_to_a_refund_of_it,
                                        world_create, world_destroy),
        cmocka_unit_test_setup_teardown(a_sale_of_another_merchant_with_that_order_id_is_not,
                                        world_create, world_destroy),
        cmocka_unit_test_setup_teardown(
            a_sale_charged_in_this_batch_is_known_to_a_refund_order_of_it, world_create,
            world_destroy),
        cmocka_unit_test_setup_teardown(
            without_an_order_there_is_nothing_to_release_or_to_give_back, world_create,
            world_destroy),
        cmocka_unit_test_setup_teardown(a_charge_in_anothers_place_that_comes_twice_moves_once,
                                        world_create, world_destroy),
        cmocka_unit_test_setup_teardown(a_charge_decided_in_between_makes_what_was_read_worthless,
                                        world_create, world_destroy),
        cmocka_unit_test(undoing_nothing_by_name_is_a_bug),
        cmocka_unit_test_setup_teardown(an_action_that_no_register_asks_for_is_a_bug, world_create,
                                        world_destroy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
