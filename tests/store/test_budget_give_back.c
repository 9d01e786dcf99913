/* Tokens of the miss budgets that were taken in advance and come back. */
#include "store/budget.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#define CARD_TOKENS 5

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

static void take(int count, int64_t now_us)
{
    for (int i = 0; i < count; i++)
        (void)budget_take(budget, &keys, now_us, NULL);
}

static void a_token_that_comes_back_can_be_taken_again(void **state)
{
    (void)state;
    enum budget_layer layer;
    take(CARD_TOKENS, 1000);
    assert_true(budget_is_exhausted(budget, &keys, 1000, &layer));
    assert_int_equal(layer, BUDGET_CARD);
    budget_give_back(budget, &keys, 2000);
    assert_false(budget_is_exhausted(budget, &keys, 2000, NULL));
    take(1, 3000);
    assert_true(budget_is_exhausted(budget, &keys, 3000, NULL));
}

static void a_full_budget_cannot_be_overfilled(void **state)
{
    (void)state;
    budget_give_back(budget, &keys, 1000); /* nothing was ever taken */
    take(1, 1000);
    for (int i = 0; i < 3; i++)
        budget_give_back(budget, &keys, 1000);
    take(CARD_TOKENS - 1, 1000);
    assert_false(budget_is_exhausted(budget, &keys, 1000, NULL));
    take(1, 1000);
    assert_true(budget_is_exhausted(budget, &keys, 1000, NULL));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_token_that_comes_back_can_be_taken_again),
        TEST(a_full_budget_cannot_be_overfilled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
