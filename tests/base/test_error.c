/* Every ERR_* has a name of its own, and what is no code is told as a bug. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/check.h"
#include "base/error.h"

#include "base/banned.h"

static void names_are_distinct_and_wire_shaped(void **state)
{
    (void)state;
    for (int a = ERR_OK; a < ERR_COUNT; a++) {
        assert_true(strlen(error_name(a)) > 0);
        assert_int_equal(strspn(error_name(a), "abcdefghijklmnopqrstuvwxyz_"),
                         strlen(error_name(a)));
        for (int b = ERR_OK; b < a; b++)
            assert_string_not_equal(error_name(a), error_name(b));
    }
}

static void names_are_those_of_the_list(void **state)
{
    (void)state;
    assert_string_equal(error_name(0), "ok");
    assert_string_equal(error_name(ERR_BUG), "bug");
    assert_string_equal(error_name(ERR_JSON_DUPLICATE), "json_duplicate_key");
    assert_string_equal(error_name(ERR_SHUTTING_DOWN), "shutting_down");
}

static void what_is_no_code_is_a_bug(void **state)
{
    (void)state;
    const int strangers[] = {-1, ERR_COUNT, ERR_COUNT + 1, INT32_MAX, INT32_MIN};
    for (size_t i = 0; i < COUNT_OF(strangers); i++) {
        assert_string_equal(error_name(strangers[i]), "bug");
        assert_false(error_is_retryable(strangers[i]));
    }
}

static void only_what_surely_did_not_happen_is_retryable(void **state)
{
    (void)state;
    assert_true(error_is_retryable(ERR_QUEUE_FULL));
    assert_true(error_is_retryable(ERR_CANCELLED));
    assert_true(error_is_retryable(ERR_STORE_BUSY));
    assert_false(error_is_retryable(0));
    assert_false(error_is_retryable(ERR_UNCONFIRMED));
    assert_false(error_is_retryable(ERR_COMMIT_UNKNOWN));
    assert_false(error_is_retryable(ERR_JSON_SYNTAX));
}

static void hook(const char *expression, const char *file, int line)
{
    mock_assert(0, expression, file, line);
}

static void check_calls_the_hook_only_when_the_condition_is_false(void **state)
{
    (void)state;
    check_hook = hook;
    CHECK(1 + 1 == 2);
    expect_assert_failure(CHECK(1 + 1 == 3));
    check_hook = NULL;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_distinct_and_wire_shaped),
        cmocka_unit_test(names_are_those_of_the_list),
        cmocka_unit_test(what_is_no_code_is_a_bug),
        cmocka_unit_test(only_what_surely_did_not_happen_is_retryable),
        cmocka_unit_test(check_calls_the_hook_only_when_the_condition_is_false),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
