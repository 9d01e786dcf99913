/*
 * Batches: what counts as a change, and that the room for commands is guarded.
 */
#include "tests/store/rows.h"

#include <string.h>

static int setup(void **state)
{
    *state = batch_create();
    assert_non_null(*state);
    return 0;
}

static int teardown(void **state)
{
    batch_destroy(*state);
    return 0;
}

static void loaded_rows_alone_are_no_change(void **state)
{
    struct batch *batch = *state;
    assert_false(batch_has_changes(batch));
    memset(&batch->view.cards[0], 0, sizeof(batch->view.cards[0]));
    batch->view.card_count = 1;
    batch->view.operation_count = 2;
    batch->view.day_count = 1;
    batch->view.days[0].is_new = true; /* a day that was asked for and is not there */
    assert_false(batch_has_changes(batch));
}

static void each_kind_of_change_is_seen_alone(void **state)
{
    struct batch *batch = *state;
    struct view *view = &batch->view;
    view->card_count = view->operation_count = view->day_count = 2;
    bool *const marks[] = {
        &view->cards[1].is_new,          &view->cards[1].is_changed, &view->operations[1].is_new,
        &view->operations[1].is_changed, &view->days[1].is_changed,
    };
    for (size_t i = 0; i < COUNT_OF(marks); i++) {
        assert_false(batch_has_changes(batch));
        *marks[i] = true;
        assert_true(batch_has_changes(batch));
        *marks[i] = false;
    }
    view->transfer_count = 1;
    assert_true(batch_has_changes(batch));
}

static void cleared_batch_starts_over(void **state)
{
    struct batch *batch = *state;
    struct command command = {.action = ACTION_CHARGE, .tenant_id = 1};
    batch_add(batch, &command);
    batch->view.card_count = 1;
    batch->view.transfer_count = 1;
    batch->scopes[0].card = 0;
    batch_clear(batch);
    assert_int_equal(batch->count, 0);
    assert_false(batch_has_changes(batch));
    batch_add(batch, &command);
    assert_ptr_equal(batch->commands[0], &command);
    assert_int_equal(batch->scopes[0].card, VIEW_NONE);
    assert_int_equal(batch->scopes[0].day, VIEW_NONE);
    assert_true(batch->keys[0].wants_order_operations);
}

/* Else what is skipped the second time would keep the answer that was rolled back. */
static void what_is_fetched_again_has_no_answer_from_before(void **state)
{
    struct batch *batch = *state;
    struct command command = {.action = ACTION_CHARGE, .tenant_id = 1};
    for (int i = 0; i < 2; i++) {
        batch_add(batch, &command);
        batch->outcomes[i] = (struct outcome){.result = RESULT_OK, .operation_id = 4711};
    }
    batch_rewind(batch);
    assert_int_equal(batch->count, 2);
    for (int i = 0; i < 2; i++)
        assert_int_equal(batch->outcomes[i].operation_id, 0);
}

static void batch_takes_no_more_than_it_has_room_for(void **state)
{
    struct batch *batch = *state;
    struct command command = {.action = ACTION_CHARGE, .tenant_id = 1};
    for (int32_t i = 0; i < BATCH_MAX; i++)
        batch_add(batch, &command);
    assert_int_equal(batch->count, BATCH_MAX);
    check_hook = rows_on_failed_check;
    expect_assert_failure(batch_add(batch, &command));
    check_hook = NULL;
    assert_int_equal(batch->count, BATCH_MAX);
}

#define TEST_CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_CASE(loaded_rows_alone_are_no_change),
        TEST_CASE(each_kind_of_change_is_seen_alone),
        TEST_CASE(cleared_batch_starts_over),
        TEST_CASE(what_is_fetched_again_has_no_answer_from_before),
        TEST_CASE(batch_takes_no_more_than_it_has_room_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
