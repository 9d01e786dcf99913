/* Dates and zones, compared with the C library's own calendar and tz reader as an oracle. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/id.h"

#include "base/banned.h"

static int32_t date_of(const char *text)
{
    int32_t date;
    assert_int_equal(clock_parse_date(text_of(text), &date), 0);
    return date;
}

/* "2026-04-23T21:59:59Z" as microseconds, by the C library. */
static int64_t utc_us(const char *text)
{
    struct tm parts = {0};
    assert_non_null(strptime(text, "%Y-%m-%dT%H:%M:%SZ", &parts));
    return (int64_t)timegm(&parts) * CLOCK_US_PER_S;
}

/* --- clocks ---------------------------------------------------------------------------------- */

static void steady_clock_starts_at_wall_time_and_never_steps_back(void **state)
{
    (void)state;
    int64_t before_us = clock_steady_us();
    assert_in_range(clock_wall_us() - before_us + CLOCK_US_PER_S, 0, 2 * CLOCK_US_PER_S);
    for (int i = 0; i < 1000; i++) {
        int64_t after_us = clock_steady_us();
        assert_true(after_us >= before_us);
        before_us = after_us;
    }
}

static void wall_clock_agrees_with_time(void **state)
{
    (void)state;
    int64_t before_s = time(NULL);
    int64_t now_us = clock_wall_us();
    int64_t after_s = time(NULL);
    assert_true(now_us >= (before_s - 1) * CLOCK_US_PER_S); /* time() ticks coarsely */
    assert_true(now_us <= (after_s + 1) * CLOCK_US_PER_S);
}

static void the_sooner_of_two_times_is_the_smaller(void **state)
{
    (void)state;
    assert_int_equal(clock_sooner_us(1, 2), 1);
    assert_int_equal(clock_sooner_us(2, 1), 1);
    assert_int_equal(clock_sooner_us(-3, 0), -3);
    assert_true(clock_sooner_us(INT64_MAX, 7) == 7);
}

static void monotonic_clock_counts_microseconds_and_never_goes_back(void **state)
{
    (void)state;
    int64_t start_us = clock_monotonic_us();
    nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
    int64_t passed_us = clock_monotonic_us() - start_us;
    assert_in_range(passed_us, 20000, 10 * CLOCK_US_PER_S);
    int64_t last_us = start_us;
    for (int i = 0; i < 10000; i++) {
        int64_t now_us = clock_monotonic_us();
        assert_true(now_us >= last_us);
        last_us = now_us;
    }
}

/* --- dates ----------------------------------------------------------------------------------- */

static void dates_count_from_1970(void **state)
{
    (void)state;
    assert_int_equal(date_of("1970-01-01"), 0);
    assert_int_equal(date_of("1969-12-31"), -1);
    assert_int_equal(date_of("2000-02-29"), 11016);
    assert_int_equal(date_of("2026-11-22"), 20779);
    assert_int_equal(date_of("0000-01-01"), -719528);
    assert_int_equal(date_of("9999-12-31"), 2932896);
}

/* Every day of ten thousand years, against timegm. */
static void every_date_reads_back_and_agrees_with_timegm(void **state)
{
    (void)state;
    for (int32_t date = -719528; date <= 2932896; date++) {
        char memory[16];
        struct text_buffer buffer;
        text_buffer_init(&buffer, memory, sizeof(memory));
        clock_append_date(&buffer, date);
        int32_t back = INT32_MIN;
        if (clock_parse_date(text_buffer_text(&buffer), &back) != 0 || back != date)
            fail_msg("%d is \"%s\" is %d", date, memory, back);
        if (date % 97 != 0)
            continue;
        struct tm parts = {0};
        assert_non_null(strptime(memory, "%Y-%m-%d", &parts));
        assert_true(timegm(&parts) == date * CLOCK_S_PER_DAY);
    }
}

static void dates_that_do_not_exist_are_refused(void **state)
{
    (void)state;
    const struct text bad[] = {
        TEXT(""),
        TEXT("2027-02-29"),
        TEXT("1900-02-29"),
        TEXT("2026-04-31"),
        TEXT("2026-13-01"),
        TEXT("2026-00-10"),
        TEXT("2026-01-00"),
        TEXT("2026-01-32"),
        TEXT("2026-1-1"),
        TEXT("26-01-01"),
        TEXT("2026/01/01"),
        TEXT("20260101"),
        TEXT("2026-01-01 "),
        TEXT(" 2026-01-1"),
        TEXT("2026-01-01T00:00:00Z"),
        TEXT("-026-01-01"),
        TEXT("2026--1-01"),
        TEXT("2026-01-+1"),
        TEXT("２０２６-01-01"),
        TEXT("2026-01\0-1"),
    };
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        int32_t date = 42;
        assert_int_equal(clock_parse_date(bad[i], &date), ERR_NOT_A_NUMBER);
        assert_int_equal(date, 42);
    }
}

static void times_are_written_as_iso_in_utc(void **state)
{
    (void)state;
    const struct {
        int64_t wall_us;
        const char *text;
    } cases[] = {
        {0, "1970-01-01T00:00:00.000000Z"},
        {-1, "1969-12-31T23:59:59.999999Z"},
        {INT64_C(1780053246123456), "2026-05-29T11:14:06.123456Z"},
        {INT64_C(951782399999999), "2000-02-28T23:59:59.999999Z"},
        {INT64_C(951782400000000), "2000-02-29T00:00:00.000000Z"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char memory[48];
        struct text_buffer buffer;
        text_buffer_init(&buffer, memory, sizeof(memory));
        clock_append_time(&buffer, cases[i].wall_us);
        assert_string_equal(memory, cases[i].text);
    }
}

static int64_t time_of(const char *text)
{
    int64_t wall_us = -1;
    assert_int_equal(clock_parse_time(text_of(text), &wall_us), 0);
    return wall_us;
}

static void times_are_read_with_their_offset(void **state)
{
    (void)state;
    int64_t noon_us = utc_us("2026-05-29T12:00:01Z");
    assert_int_equal(time_of("2026-05-29T12:00:01Z"), noon_us);
    assert_int_equal(time_of("2026-05-29t12:00:01z"), noon_us);
    assert_int_equal(time_of("2026-05-29T22:00:01+10:00"), noon_us);
    assert_int_equal(time_of("2026-05-30T01:45:01+1345"), noon_us);
    assert_int_equal(time_of("2026-05-29 08:30:01-03:30"), noon_us);
    assert_int_equal(time_of("2026-05-29T12:00:01.5Z"), noon_us + 500000);
    assert_int_equal(time_of("2026-05-29T22:00:01.1234567+10:00"), noon_us + 123456);
    assert_int_equal(time_of("1969-12-31T23:59:59.999999Z"), -1);
    assert_int_equal(time_of("2016-12-31T23:59:60Z"), utc_us("2017-01-01T00:00:00Z"));
}

static void written_times_read_back(void **state)
{
    (void)state;
    static const int64_t times_us[] = {0, 1, -1, 1780056041123456, 4102444799999999};
    for (size_t i = 0; i < sizeof(times_us) / sizeof(times_us[0]); i++) {
        char bytes[40];
        struct text_buffer buffer;
        text_buffer_init(&buffer, bytes, sizeof(bytes));
        clock_append_time(&buffer, times_us[i]);
        assert_int_equal(time_of(bytes), times_us[i]);
    }
}

static void what_is_no_time_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "2026-05-29",
        "2026-05-29T12:00:01",
        "2026-05-29T12:00Z",
        "2026-05-29T24:00:00Z",
        "2026-05-29T12:60:00Z",
        "2026-05-29T12:00:61Z",
        "2026-02-30T12:00:00Z",
        "2026-05-29T12:00:01.Z",
        "2026-05-29T12:00:01Z ",
        "2026-05-29T12:00:01+10",
        "2026-05-29T12:00:01+24:00",
        "2026-05-29T12:00:01*10:00",
        "2026-05-29x12:00:01Z",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        int64_t wall_us;
        assert_int_equal(clock_parse_time(text_of(texts[i]), &wall_us), ERR_NOT_A_NUMBER);
    }
    /* A byte that ends a C string is none of the characters that are looked for. */
    int64_t wall_us;
    assert_int_equal(clock_parse_time((struct text){"2026-05-29\0"
                                                    "12:00:01Z",
                                                    20},
                                      &wall_us),
                     ERR_NOT_A_NUMBER);
}

/* --- zones ----------------------------------------------------------------------------------- */

static void local_dates_change_at_local_midnight(void **state)
{
    (void)state;
    const struct {
        const char *zone;
        const char *utc;
        const char *date;
    } cases[] = {
        {"UTC", "2026-05-29T23:59:59Z", "2026-05-29"},
        {"UTC", "2026-05-30T00:00:00Z", "2026-05-30"},
        /* Sydney: UTC+11 in summer, UTC+10 from 2026-04-05 03:00 on. */
        {"Australia/Sydney", "2026-04-04T12:59:59Z", "2026-04-04"},
        {"Australia/Sydney", "2026-04-04T13:00:00Z", "2026-04-05"},
        {"Australia/Sydney", "2026-04-05T13:59:59Z", "2026-04-05"},
        {"Australia/Sydney", "2026-04-05T14:00:00Z", "2026-04-06"},
        /* New York: UTC-5, UTC-4 from 2026-03-08 02:00 on. */
        {"America/New_York", "2026-03-08T04:59:59Z", "2026-03-07"},
        {"America/New_York", "2026-03-08T05:00:00Z", "2026-03-08"},
        {"America/New_York", "2026-03-09T03:59:59Z", "2026-03-08"},
        {"America/New_York", "2026-03-09T04:00:00Z", "2026-03-09"},
        /* Cairo skips midnight itself: 2026-04-23 23:59:59 is followed by 2026-04-24 01:00. */
        {"Africa/Cairo", "2026-04-23T21:59:59Z", "2026-04-23"},
        {"Africa/Cairo", "2026-04-23T22:00:00Z", "2026-04-24"},
        /* The two sides of the date line: 25 hours apart. */
        {"Pacific/Kiritimati", "2026-05-29T09:59:59Z", "2026-05-29"},
        {"Pacific/Kiritimati", "2026-05-29T10:00:00Z", "2026-05-30"},
        {"Pacific/Pago_Pago", "2026-05-29T10:59:59Z", "2026-05-28"},
        {"Pacific/Pago_Pago", "2026-05-29T11:00:00Z", "2026-05-29"},
        /* Samoa moved across the line: it had no 2011-12-30. */
        {"Pacific/Apia", "2011-12-30T09:59:59Z", "2011-12-29"},
        {"Pacific/Apia", "2011-12-30T10:00:00Z", "2011-12-31"},
        /* Fractions of an hour. */
        {"Asia/Kathmandu", "2026-05-29T18:14:59Z", "2026-05-29"},
        {"Asia/Kathmandu", "2026-05-29T18:15:00Z", "2026-05-30"},
        {"Pacific/Chatham", "2026-07-01T11:14:59Z", "2026-07-01"},
        {"Pacific/Chatham", "2026-07-01T11:15:00Z", "2026-07-02"},
        /* Before 1970, and beyond the table of a 32-bit file. */
        {"Europe/London", "1965-06-30T22:59:59Z", "1965-06-30"},
        {"Europe/London", "1965-06-30T23:00:00Z", "1965-07-01"},
        {"Europe/Zurich", "2060-07-01T21:59:59Z", "2060-07-01"},
        {"Europe/Zurich", "2060-07-01T22:00:00Z", "2060-07-02"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct clock_zone *zone;
        assert_int_equal(clock_zone_create(cases[i].zone, &zone), 0);
        int32_t date = clock_local_date(zone, utc_us(cases[i].utc));
        if (date != date_of(cases[i].date))
            fail_msg("%s in %s: %d, wanted %s", cases[i].utc, cases[i].zone, date, cases[i].date);
        /* The last microsecond of a second is still that second. */
        assert_int_equal(clock_local_date(zone, utc_us(cases[i].utc) + CLOCK_US_PER_S - 1), date);
        clock_zone_destroy(zone);
    }
}

static void local_dates_agree_with_the_c_library(void **state)
{
    (void)state;
    const char *const zones[] = {
        "UTC",           "Australia/Sydney",  "Australia/Lord_Howe", "America/New_York",
        "Europe/London", "Africa/Casablanca", "Asia/Tehran",         "America/Havana",
        "Pacific/Apia",  "Pacific/Chatham",   "America/St_Johns",    "Etc/GMT+12",
    };
    uint64_t seed = 11;
    struct id_source source = id_source_seeded(&seed);
    for (size_t i = 0; i < COUNT_OF(zones); i++) {
        struct clock_zone *zone;
        assert_int_equal(clock_zone_create(zones[i], &zone), 0);
        setenv("TZ", zones[i], 1);
        tzset();
        for (int n = 0; n < 3000; n++) {
            uint64_t bits;
            source.fill(source.context, (uint8_t *)&bits, sizeof(bits));
            time_t seconds = (time_t)(bits % UINT64_C(4102444800)); /* 1970 to 2100 */
            struct tm local;
            assert_non_null(localtime_r(&seconds, &local));
            struct tm midnight = {
                .tm_year = local.tm_year, .tm_mon = local.tm_mon, .tm_mday = local.tm_mday};
            int32_t wanted = (int32_t)(timegm(&midnight) / CLOCK_S_PER_DAY);
            int32_t date = clock_local_date(zone, (int64_t)seconds * CLOCK_US_PER_S);
            if (date != wanted)
                fail_msg("%lld in %s: %d, wanted %d", (long long)seconds, zones[i], date, wanted);
        }
        clock_zone_destroy(zone);
    }
    unsetenv("TZ");
    tzset();
}

static void names_that_are_no_zone_are_not_found(void **state)
{
    (void)state;
    const char *const bad[] = {
        "",
        "Atlantis/Capital",
        "australia/sydney",
        "Australia", /* a folder */
        "Australia/",
        "Australia/Sydney ",
        "+10:00", /* GLib would take it */
        "10",
        "Z",                       /* GLib would take it */
        "EST5EDT4,M3.2.0,M11.1.0", /* GLib would take it */
        "AEST-10AEDT",
        "/etc/passwd",
        "../../../etc/passwd",
        "Europe/../../../../etc/passwd",
        "zone.tab",
        "tzdata.zi",
        "leap-seconds.list",
        "SECURITY",
        "Europe/London\n",
        "Aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    };
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct clock_zone *zone = NULL;
        if (clock_zone_create(bad[i], &zone) != ERR_NOT_FOUND)
            fail_msg("\"%s\" was taken", bad[i]);
        assert_null(zone);
    }
    clock_zone_destroy(NULL);
}

static void a_zone_tells_how_far_it_is_from_utc_in_each_season(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int64_t wall_s;
        int32_t offset_s;
    } CASES[] = {{"Australia/Sydney", 1780000000, 36000}, /* May 2026 */
                 {"Australia/Sydney", 1768000000, 39600}, /* January 2026 */
                 {"America/New_York", 1780000000, -14400},
                 {"Asia/Kathmandu", 0, 19800}, /* +5:30 until 1986 */
                 {"UTC", -1, 0}};
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct clock_zone *zone = NULL;
        assert_int_equal(clock_zone_create(CASES[i].name, &zone), 0);
        assert_int_equal(clock_zone_offset_s(zone, CASES[i].wall_s * CLOCK_US_PER_S),
                         CASES[i].offset_s);
        clock_zone_destroy(zone);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steady_clock_starts_at_wall_time_and_never_steps_back),
        cmocka_unit_test(wall_clock_agrees_with_time),
        cmocka_unit_test(the_sooner_of_two_times_is_the_smaller),
        cmocka_unit_test(monotonic_clock_counts_microseconds_and_never_goes_back),
        cmocka_unit_test(dates_count_from_1970),
        cmocka_unit_test(every_date_reads_back_and_agrees_with_timegm),
        cmocka_unit_test(dates_that_do_not_exist_are_refused),
        cmocka_unit_test(times_are_written_as_iso_in_utc),
        cmocka_unit_test(times_are_read_with_their_offset),
        cmocka_unit_test(written_times_read_back),
        cmocka_unit_test(what_is_no_time_is_refused),
        cmocka_unit_test(local_dates_change_at_local_midnight),
        cmocka_unit_test(local_dates_agree_with_the_c_library),
        cmocka_unit_test(names_that_are_no_zone_are_not_found),
        cmocka_unit_test(a_zone_tells_how_far_it_is_from_utc_in_each_season),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
