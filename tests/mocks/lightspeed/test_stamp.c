/* Dates and times of filters, in every form that clients write. */
#include "mocks/lightspeed/stamp.h"

#include "base/error.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct clock_zone *sydney;

static int setup(void **state)
{
    (void)state;
    return clock_zone_create("Australia/Sydney", &sydney);
}

static int teardown(void **state)
{
    (void)state;
    clock_zone_destroy(sydney);
    return 0;
}

static void assert_stamp(const char *text, const char *utc)
{
    char bytes[40];
    struct text_buffer buffer;
    int64_t wall_us = 0;
    assert_int_equal(stamp_parse(text_of(text), sydney, &wall_us), 0);
    text_buffer_init(&buffer, bytes, sizeof(bytes));
    clock_append_time(&buffer, wall_us);
    assert_string_equal(bytes, utc);
}

static void dates_and_times_are_read_with_and_without_offset(void **state)
{
    (void)state;
    assert_stamp("2026-05-29T01:14:06Z", "2026-05-29T01:14:06.000000Z");
    assert_stamp("2026-05-29T11:14:06+10:00", "2026-05-29T01:14:06.000000Z");
    assert_stamp("2026-05-29T11:14:06 10:00", "2026-05-29T01:14:06.000000Z");
    assert_stamp("2026-05-28T20:14:06-0500", "2026-05-29T01:14:06.000000Z");
    assert_stamp("2026-05-29T01:14:06.987Z", "2026-05-29T01:14:06.000000Z");
    assert_stamp("2026-05-29 11:14", "2026-05-29T01:14:00.000000Z");
    assert_stamp("2026-05-29", "2026-05-28T14:00:00.000000Z");
    assert_stamp("2026-01-15", "2026-01-14T13:00:00.000000Z"); /* daylight saving */
}

static void what_is_no_time_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "today",
                                      "2026-02-30",
                                      "2026-05-29T",
                                      "2026-05-29T24:00",
                                      "2026-05-29T11",
                                      "2026-05-29T11:60",
                                      "2026-05-29T11:14:60",
                                      "2026-05-29T11:14x",
                                      "2026-05-29T11:14+1",
                                      "2026-05-29Z",
                                      "2026-05-29T11:14Zx",
                                      "20260529"};
    int64_t wall_us;
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_int_equal(stamp_parse(text_of(bad[i]), sydney, &wall_us), ERR_NOT_A_NUMBER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dates_and_times_are_read_with_and_without_offset),
        cmocka_unit_test(what_is_no_time_is_refused),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
