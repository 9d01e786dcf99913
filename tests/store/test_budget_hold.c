/* Tokens that attempts hold while they are decided: how many may be under way, and what is left of
 * the budget when they turn out right or wrong. */
#include "store/budget.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>

#define CARD_TOKENS 5
#define CARD_PERIOD_US (180 * INT64_C(1000000))
#define NOW_US INT64_C(1000)

static struct budget *budget;
static struct budget_keys keys;

static int set_up(void **state)
{
    static const uint8_t index[32] = {7};
    (void)state;
    if (budget_create(&budget) != 0)
        return -1;
    budget_keys_fill(budget, &keys, 1, 923, 9091, index, TEXT("6036280000012345"));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    budget_destroy(budget);
    return 0;
}

static enum budget_answer hold(void)
{
    return budget_hold(budget, &keys, NOW_US);
}

static bool settle(bool is_miss)
{
    return budget_settle(budget, &keys, is_miss, NOW_US, NULL);
}

static void hold_all(int tokens)
{
    for (int i = 0; i < tokens; i++)
        assert_int_equal(hold(), BUDGET_HELD);
    assert_int_equal(hold(), BUDGET_BUSY);
}

static void no_more_are_under_way_than_may_be_wrong(void **state)
{
    (void)state;
    hold_all(CARD_TOKENS);
    assert_false(budget_is_exhausted(budget, &keys, NOW_US, NULL)); /* nobody was wrong yet */
    assert_false(settle(false));
    assert_int_equal(hold(), BUDGET_HELD);
    assert_int_equal(hold(), BUDGET_BUSY);
    assert_int_equal(budget_trips(budget, BUDGET_CARD), 0);
}

static void attempts_that_were_right_cost_nothing(void **state)
{
    (void)state;
    for (int round = 0; round < 100; round++) {
        hold_all(CARD_TOKENS);
        for (int i = 0; i < CARD_TOKENS; i++)
            assert_false(settle(false));
    }
}

static void attempts_that_were_wrong_use_the_budget_up(void **state)
{
    (void)state;
    enum budget_layer layer = BUDGET_LAYERS;
    hold_all(CARD_TOKENS);
    for (int i = 0; i < CARD_TOKENS - 1; i++) {
        assert_false(settle(true));
        assert_int_equal(hold(), BUDGET_BUSY);
    }
    assert_true(budget_settle(budget, &keys, true, NOW_US, &layer));
    assert_int_equal(layer, BUDGET_CARD);
    assert_int_equal(budget_trips(budget, BUDGET_CARD), 1);
    assert_int_equal(hold(), BUDGET_EXHAUSTED);
    assert_int_equal(budget_hold(budget, &keys, NOW_US + CARD_PERIOD_US), BUDGET_HELD);
    assert_int_equal(budget_hold(budget, &keys, NOW_US + CARD_PERIOD_US), BUDGET_BUSY);
}

static void a_right_attempt_gives_back_no_more_than_it_took(void **state)
{
    (void)state;
    hold_all(CARD_TOKENS);
    for (int i = 0; i < CARD_TOKENS; i++) /* misses that held nothing: unknown numbers */
        (void)budget_take(budget, &keys, NOW_US, NULL);
    for (int i = 0; i < CARD_TOKENS; i++)
        assert_false(settle(false));
    assert_int_equal(hold(), BUDGET_EXHAUSTED);
    assert_true(budget_is_exhausted(budget, &keys, NOW_US + CARD_PERIOD_US - 1, NULL));
}

static void what_is_refused_holds_nothing(void **state)
{
    (void)state;
    struct budget_keys same_register = keys;
    hold_all(CARD_TOKENS);
    for (int i = 0; i < 20; i++)
        assert_int_equal(hold(), BUDGET_BUSY);
    same_register.key[BUDGET_CARD]++; /* another card: the register has 10 */
    for (int i = CARD_TOKENS; i < 10; i++)
        assert_int_equal(budget_hold(budget, &same_register, NOW_US), BUDGET_HELD);
    same_register.key[BUDGET_CARD]++; /* held by nobody, and still not after the register refused */
    assert_int_equal(budget_hold(budget, &same_register, NOW_US), BUDGET_BUSY);
    same_register.key[BUDGET_REGISTER]++;
    for (int i = 0; i < CARD_TOKENS; i++)
        assert_int_equal(budget_hold(budget, &same_register, NOW_US), BUDGET_HELD);
}

static void who_holds_is_not_pushed_out_by_a_flood_of_misses(void **state)
{
    (void)state;
    hold_all(CARD_TOKENS);
    for (uint64_t i = 1; i <= 100000; i++) {
        struct budget_keys fresh;
        for (int layer = 0; layer < BUDGET_LAYERS; layer++)
            fresh.key[layer] = (i * BUDGET_LAYERS + (uint64_t)layer) * UINT64_C(0x9e3779b97f4a7c15);
        (void)budget_take(budget, &fresh, NOW_US, NULL);
    }
    assert_int_equal(hold(), BUDGET_BUSY);
    for (int i = 0; i < CARD_TOKENS; i++)
        assert_false(settle(false));
}

static void a_window_full_of_holders_is_busy_and_loses_none(void **state)
{
    (void)state;
    struct budget_keys near;
    uint64_t windows = 65536 / 16;
    for (uint64_t i = 0; i < 4; i++) { /* 5 layers each: 16 buckets hold three and one layer more */
        for (uint64_t layer = 0; layer < BUDGET_LAYERS; layer++)
            near.key[layer] = 77 + windows * (1 + i * BUDGET_LAYERS + layer);
        assert_int_equal(budget_hold(budget, &near, NOW_US), i < 3 ? BUDGET_HELD : BUDGET_BUSY);
    }
    (void)budget_take(budget, &near, NOW_US, NULL);
    for (uint64_t i = 0; i < 3; i++) {
        for (uint64_t layer = 0; layer < BUDGET_LAYERS; layer++)
            near.key[layer] = 77 + windows * (1 + i * BUDGET_LAYERS + layer);
        assert_false(budget_settle(budget, &near, false, NOW_US, NULL));
    }
}

static void on_check_failed(const char *expression, const char *file, int line)
{
    mock_assert(0, expression, file, line);
}

static void nobody_gives_back_what_was_not_held(void **state)
{
    (void)state;
    check_hook = on_check_failed;
    expect_assert_failure((void)settle(false));
    check_hook = NULL;
}

#define THREADS 4

static _Atomic int held_count, wrong_count;

/* Guesses until refused; no guess is right. */
static void *guess(void *context)
{
    (void)context;
    for (;;) {
        enum budget_answer answer = hold();
        if (answer == BUDGET_EXHAUSTED)
            return NULL;
        if (answer == BUDGET_BUSY)
            continue;
        if (++held_count > CARD_TOKENS)
            return NULL;
        wrong_count++;
        (void)settle(true);
    }
}

static void threads_that_guess_at_once_try_no_more_than_the_budget(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    held_count = wrong_count = 0;
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, guess, NULL), 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(wrong_count, CARD_TOKENS);
    assert_int_equal(held_count, CARD_TOKENS);
    assert_int_equal(budget_trips(budget, BUDGET_CARD), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(no_more_are_under_way_than_may_be_wrong),
        TEST(attempts_that_were_right_cost_nothing),
        TEST(attempts_that_were_wrong_use_the_budget_up),
        TEST(a_right_attempt_gives_back_no_more_than_it_took),
        TEST(what_is_refused_holds_nothing),
        TEST(who_holds_is_not_pushed_out_by_a_flood_of_misses),
        TEST(a_window_full_of_holders_is_busy_and_loses_none),
        TEST(nobody_gives_back_what_was_not_held),
        TEST(threads_that_guess_at_once_try_no_more_than_the_budget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
