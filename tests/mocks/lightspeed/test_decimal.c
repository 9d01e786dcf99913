/* Prices and coefficients are exact, and rounded once, half away from zero. */
#include "mocks/lightspeed/decimal.h"

#include "base/error.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static int64_t parsed(const char *text)
{
    int64_t value = INT64_MIN;
    assert_int_equal(decimal_parse(text_of(text), &value), 0);
    return value;
}

static void decimal_text_is_read_to_the_millionth(void **state)
{
    (void)state;
    assert_int_equal(parsed("0"), 0);
    assert_int_equal(parsed("0.9"), 900000);
    assert_int_equal(parsed("-3.5"), -3500000);
    assert_int_equal(parsed("1.3636"), 1363600);
    assert_int_equal(parsed("0.000001"), 1);
    assert_int_equal(parsed("0.0000005"), 1);
    assert_int_equal(parsed("0.00000049"), 0);
    assert_int_equal(parsed("1.3636363636363635"), 1363636);
    assert_int_equal(parsed("0.9999999"), 1000000);
}

static void what_is_no_plain_decimal_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"",   "-",   ".",   "1.",    ".5",  "+1", "1e2",
                                      " 1", "1,5", "0x1", "1.5.5", "--1", "NaN"};
    int64_t value;
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_int_equal(decimal_parse(text_of(bad[i]), &value), ERR_NOT_A_NUMBER);
    assert_int_equal(decimal_parse(TEXT("1000000000"), &value), ERR_TOO_LARGE);
    assert_int_equal(decimal_parse(TEXT("99999999999999999999"), &value), ERR_TOO_LARGE);
    assert_int_equal(parsed("999999999"), DECIMAL_MAX - DECIMAL_ONE);
}

static void assert_shown(int64_t value, int places, const char *wanted)
{
    char bytes[64];
    struct text_buffer buffer;
    text_buffer_init(&buffer, bytes, sizeof(bytes));
    decimal_append(&buffer, value, places);
    assert_string_equal(bytes, wanted);
}

static void decimals_are_shown_without_trailing_zeros(void **state)
{
    (void)state;
    assert_shown(1000000, 6, "1");
    assert_shown(900000, 6, "0.9");
    assert_shown(-10050000, 6, "-10.05");
    assert_shown(4090909, 4, "4.0909");
    assert_shown(409091, 4, "0.4091");
    assert_shown(-1, 6, "-0.000001");
    assert_shown(1500000, 0, "2");
}

static void scaling_rounds_half_away_from_zero(void **state)
{
    (void)state;
    assert_int_equal(decimal_scale(5, 1, 10), 1);
    assert_int_equal(decimal_scale(4, 1, 10), 0);
    assert_int_equal(decimal_scale(-5, 1, 10), -1);
    assert_int_equal(decimal_scale(-4, 1, 10), 0);
    assert_int_equal(decimal_scale(1, 1, 3), 0);
    assert_int_equal(decimal_scale(2, 1, 3), 1);
    assert_int_equal(decimal_scale(INT64_C(4000000000000000000), 1000000, 1000000000),
                     INT64_C(4000000000000000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decimal_text_is_read_to_the_millionth),
        cmocka_unit_test(what_is_no_plain_decimal_is_refused),
        cmocka_unit_test(decimals_are_shown_without_trailing_zeros),
        cmocka_unit_test(scaling_rounds_half_away_from_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
