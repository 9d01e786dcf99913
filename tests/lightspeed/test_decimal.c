/* Are decimals read and written without a binary fraction ever bending them? */
#include "lightspeed/decimal.h"

#include "base/error.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/banned.h"

static void numbers_are_scaled_and_rounded_half_away_from_zero(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int places;
        int64_t value;
    } cases[] = {
        {"0", 2, 0},
        {"-0", 2, 0},
        {"45.65", 2, 4565},
        {"45.65", 6, 45650000},
        {"-2", 2, -200},
        {"1.15", 6, 1150000},
        {"17.999999999999996", 6, 18000000},
        {"45.650000000000006", 2, 4565},
        {"0.005", 2, 1},
        {"-0.005", 2, -1},
        {"0.0049999999999", 2, 0},
        {"0.9999999", 6, 1000000},
        {"00012.50", 2, 1250},
        {"1e2", 2, 10000},
        {"1.0E-5", 6, 10},
        {"1.0e-5", 4, 0},
        {"5e-3", 2, 1},
        {"123e-1", 0, 12},
        {"125e-1", 0, 13},
        {"1e-400", 6, 0},
        {"0e99999999999999999999", 6, 0},
        {"1000000000000", 6, DECIMAL_MAX},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        int64_t value = 77;
        assert_int_equal(decimal_parse(text_of(cases[i].text), cases[i].places, &value), 0);
        assert_int_equal(value, cases[i].value);
    }
}

static void what_is_no_number_or_too_large_is_refused(void **state)
{
    (void)state;
    static const char *const no_numbers[] = {"",    "-",   ".5",       "1.",   "+1",  "1,5",
                                             " 1",  "1e",  "e5",       "1e+",  "0x1", "NaN",
                                             "--1", "1 2", "Infinity", "1.2.3"};
    int64_t value = 77;
    for (size_t i = 0; i < COUNT_OF(no_numbers); i++)
        assert_int_equal(decimal_parse(text_of(no_numbers[i]), 2, &value), ERR_NOT_A_NUMBER);
    static const char *const large[] = {"1000000000000.000001", "1e400", "99999999999999999999999",
                                        "1e13", "999999999999.9999999e1"};
    for (size_t i = 0; i < COUNT_OF(large); i++)
        assert_int_equal(decimal_parse(text_of(large[i]), 6, &value), ERR_TOO_LARGE);
    assert_int_equal(value, 77);
}

static void sums_are_rounded_once(void **state)
{
    (void)state;
    assert_int_equal(decimal_round(8181800 + 818200, 6, 2), 900);
    assert_int_equal(decimal_round(5000, 6, 2), 1);
    assert_int_equal(decimal_round(4999, 6, 2), 0);
    assert_int_equal(decimal_round(-5000, 6, 2), -1);
    assert_int_equal(decimal_round(1234567, 6, 6), 1234567);
    assert_int_equal(decimal_round(1500000, 6, 0), 2);
}

static void written_numbers_are_short_and_read_back(void **state)
{
    (void)state;
    static const struct {
        int64_t value;
        int places;
        const char *text;
    } cases[] = {{1150000, 6, "1.15"}, {1000000, 6, "1"}, {900000, 6, "0.9"}, {1, 6, "0.000001"},
                 {-200, 2, "-2"},      {-5, 2, "-0.05"},  {0, 2, "0"},        {300, 0, "300"},
                 {-1050, 3, "-1.05"},  {2550, 2, "25.5"}, {100000, 6, "0.1"}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char bytes[32];
        int64_t again;
        struct text_buffer buffer;
        text_buffer_init(&buffer, bytes, sizeof(bytes));
        decimal_append(&buffer, cases[i].value, cases[i].places);
        assert_string_equal(bytes, cases[i].text);
        assert_int_equal(decimal_parse(text_buffer_text(&buffer), cases[i].places, &again), 0);
        assert_int_equal(again, cases[i].value);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_scaled_and_rounded_half_away_from_zero),
        cmocka_unit_test(what_is_no_number_or_too_large_is_refused),
        cmocka_unit_test(sums_are_rounded_once),
        cmocka_unit_test(written_numbers_are_short_and_read_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
