/* Account names and the wire names of actions and results. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/check.h"
#include "ledger/account.h"
#include "ledger/operation.h"

static void hook_check(const char *expression, const char *file, int line)
{
    mock_assert(0, expression, file, line);
}

static void kind_and_owner_come_back_from_the_name(void **state)
{
    static const enum account_kind kinds[] = {ACCOUNT_CARD, ACCOUNT_SALES, ACCOUNT_LOADS,
                                              ACCOUNT_ISSUED};
    static const int64_t owners[] = {1, 42, ACCOUNT_OWNER_MAX};
    (void)state;
    for (size_t k = 0; k < COUNT_OF(kinds); k++) {
        for (size_t o = 0; o < COUNT_OF(owners); o++) {
            int64_t account = account_make(kinds[k], owners[o]);
            assert_true(account > 0);
            assert_int_equal(account_kind_of(account), kinds[k]);
            assert_int_equal(account_owner(account), owners[o]);
        }
    }
}

static void only_cards_store_a_balance(void **state)
{
    (void)state;
    assert_true(account_is_customer(account_make(ACCOUNT_CARD, 1)));
    assert_false(account_is_customer(account_make(ACCOUNT_SALES, 1)));
    assert_false(account_is_customer(account_make(ACCOUNT_LOADS, 1)));
    assert_false(account_is_customer(account_make(ACCOUNT_ISSUED, 1)));
}

static void an_account_without_owner_is_a_bug(void **state)
{
    (void)state;
    expect_assert_failure(account_make(ACCOUNT_CARD, 0));
    expect_assert_failure(account_make(ACCOUNT_CARD, -1));
    expect_assert_failure(account_make(ACCOUNT_CARD, ACCOUNT_OWNER_MAX + 1));
}

static void every_action_has_a_name(void **state)
{
    (void)state;
    assert_string_equal(action_name(ACTION_ISSUE), "issue");
    assert_string_equal(action_name(ACTION_CHARGE), "charge");
    assert_string_equal(action_name(ACTION_TOP_UP), "top_up");
    assert_string_equal(action_name(ACTION_REFUND), "refund");
    assert_string_equal(action_name(ACTION_VOID), "void");
    expect_assert_failure(action_name((enum action)0));
}

static void every_result_has_a_name_of_its_own(void **state)
{
    static const enum result results[] = {
#define X(symbol, number, name) symbol,
        RESULT_LIST(X)
#undef X
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(results); i++) {
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(result_name(results[i]), result_name(results[j]));
    }
    expect_assert_failure(result_name((enum result)99));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kind_and_owner_come_back_from_the_name),
        cmocka_unit_test(only_cards_store_a_balance),
        cmocka_unit_test(an_account_without_owner_is_a_bug),
        cmocka_unit_test(every_action_has_a_name),
        cmocka_unit_test(every_result_has_a_name_of_its_own),
    };
    check_hook = hook_check;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
