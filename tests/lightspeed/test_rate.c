/* Does the budget stay below 80 % in any minute, put cashiers first, and believe the API? With a
 * clock of its own. */
#include "lightspeed/rate.h"

#include "base/error.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/banned.h"

#define S INT64_C(1000000)
#define BEGIN (1000 * S)
#define WALL (INT64_C(1790000000) * S)

static struct rate rate;
static int64_t now_us;

static int setup(void **state)
{
    (void)state;
    now_us = BEGIN;
    rate_init(&rate, RATE_LIMIT_BEARER, now_us);
    return 0;
}

static bool call(enum api_priority priority)
{
    if (!rate_take(&rate, priority, now_us))
        return false;
    rate_end(&rate, NULL, now_us, WALL);
    return true;
}

static int burst(enum api_priority priority)
{
    int count = 0;
    while (call(priority))
        count++;
    return count;
}

/* A reply with these headers; NULL: not there. */
static void say(int status, const char *limit, const char *remaining, const char *reset,
                const char *after)
{
    const struct outbound_reply reply = {.status = status,
                                         .ratelimit_limit = text_of(limit),
                                         .ratelimit_remaining = text_of(remaining),
                                         .ratelimit_reset = text_of(reset),
                                         .retry_after = text_of(after)};
    rate_force(&rate, now_us);
    rate_end(&rate, &reply, now_us, WALL);
}

static void no_minute_sees_more_than_80_percent(void **state)
{
    (void)state;
    enum { CALLS = 4000 };
    static int64_t at[CALLS];
    const int64_t limits[] = {180, 60, 7, 1000, 2, 3, 4, 5, 6, 8, 9, 10, 11, 14};
    for (size_t l = 0; l < COUNT_OF(limits); l++) {
        int count = 0;
        now_us = BEGIN;
        rate_init(&rate, limits[l], now_us);
        /* As fast as possible, but with a rest of 10 s now and then that fills the bucket. */
        for (; now_us < BEGIN + 400 * S && count < CALLS; now_us += S / 50)
            if ((now_us - BEGIN) % (70 * S) < 60 * S && call(API_WAITING))
                at[count++] = now_us;
        for (int first = 0, last = 0; last < count; last++) {
            while (at[last] - at[first] >= 60 * S)
                first++;
            assert_true((last - first + 1) * 10 <= limits[l] * 8);
        }
        /* And the flow is no trickle: three fifths a minute, rounded down, of almost seven. */
        assert_true(count >= limits[l] * 3 / 5 * 6);
    }
}

static void a_burst_is_a_fifth_of_the_limit_then_the_rest_flows(void **state)
{
    (void)state;
    assert_int_equal(burst(API_WAITING), 36);
    int64_t due_us = rate_due_us(&rate, API_WAITING, now_us);
    assert_in_range(due_us - now_us, 500000, 600000); /* 108 a minute */
    now_us = due_us - 1;
    assert_false(call(API_WAITING));
    now_us = due_us;
    assert_true(call(API_WAITING));
    assert_false(call(API_WAITING));
    now_us += 3600 * S;
    assert_int_equal(burst(API_WAITING), 36);
}

static void background_work_leaves_half_of_it_to_cashiers(void **state)
{
    (void)state;
    assert_int_equal(burst(API_BACKGROUND), 18);
    assert_false(call(API_BACKGROUND));
    assert_true(rate_due_us(&rate, API_BACKGROUND, now_us) > now_us);
    assert_int_equal(burst(API_WAITING), 18);
    assert_true(rate_due_us(&rate, API_WAITING, now_us) <
                rate_due_us(&rate, API_BACKGROUND, now_us));
    now_us = rate_due_us(&rate, API_BACKGROUND, now_us);
    assert_true(call(API_BACKGROUND));
}

/* It is done by one process of all; what it leaves is for the cashiers of the others, who have
 * buckets of their own. */
static void background_work_leaves_three_tenths_of_any_minute(void **state)
{
    (void)state;
    enum { CALLS = 2000 };
    static int64_t at[CALLS];
    int count = 0;
    for (; now_us < BEGIN + 600 * S && count < CALLS; now_us += S / 50)
        if ((now_us - BEGIN) % (70 * S) < 60 * S && call(API_BACKGROUND))
            at[count++] = now_us;
    for (int first = 0, last = 0; last < count; last++) {
        while (at[last] - at[first] >= 60 * S)
            first++;
        assert_true((last - first + 1) * 10 <= RATE_LIMIT_BEARER * 7);
    }
    assert_true(count > RATE_LIMIT_BEARER * 4);
}

static void background_work_goes_on_with_the_smallest_limit(void **state)
{
    (void)state;
    rate_init(&rate, 1, now_us);
    for (int minute = 0; minute < 3; minute++) {
        assert_true(call(API_BACKGROUND));
        assert_false(call(API_WAITING));
        now_us += 60 * S - 1;
        assert_false(call(API_WAITING));
        now_us += 1;
    }
}

static void what_is_left_by_the_api_is_believed(void **state)
{
    (void)state;
    say(200, "180", "36", "1790000030", NULL);
    assert_false(call(API_BACKGROUND)); /* a fifth is left: for cashiers */
    assert_int_equal(rate_due_us(&rate, API_BACKGROUND, now_us), now_us + 30 * S);
    assert_true(call(API_WAITING));
    say(200, "180", "0", "1790000030", NULL);
    assert_false(call(API_WAITING));
    assert_int_equal(rate_due_us(&rate, API_WAITING, now_us), now_us + 30 * S);
    now_us += 30 * S;
    assert_true(call(API_WAITING));
    assert_true(call(API_BACKGROUND));
}

static void calls_under_way_count_against_what_is_left(void **state)
{
    (void)state;
    const struct outbound_reply reply = {
        .status = 200, .ratelimit_remaining = TEXT("3"), .ratelimit_reset = TEXT("1790000030")};
    for (int i = 0; i < 3; i++)
        assert_true(rate_take(&rate, API_WAITING, now_us));
    rate_end(&rate, &reply, now_us, WALL); /* two are still under way: one is left */
    assert_true(rate_take(&rate, API_WAITING, now_us));
    assert_false(rate_take(&rate, API_WAITING, now_us));
    rate_return(&rate); /* not made after all */
    assert_true(rate_take(&rate, API_WAITING, now_us));
}

static void a_429_is_waited_out(void **state)
{
    (void)state;
    static const struct {
        const char *reset, *after;
        int64_t pause_us;
    } cases[] = {
        {"1790000007", "3", 7 * S},  /* Reset first */
        {NULL, "3", 3 * S},          /* Retry-After */
        {NULL, NULL, RATE_PAUSE_US}, /* the usual silence */
        {"1789999000", NULL, 2 * S}, /* past: a clock is wrong */
        {"1790999000", "5", 5 * S},  /* in days: a clock is wrong */
        {"9", NULL, 9 * S},          /* a span, as others say it */
        {"soon", "Wed, 21 Oct 2026 07:28:00 GMT", 2 * S},
        {NULL, "86400", RATE_PAUSE_MAX_US},
        {"-5", "-5", 2 * S},
        {"99999999999999999999", "99999999999999999999", 2 * S},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        now_us = BEGIN;
        rate_init(&rate, RATE_LIMIT_BEARER, now_us);
        say(429, NULL, NULL, cases[i].reset, cases[i].after);
        assert_int_equal(rate_due_us(&rate, API_WAITING, now_us), BEGIN + cases[i].pause_us);
        assert_false(call(API_WAITING));
        now_us += cases[i].pause_us;
        assert_true(call(API_WAITING));
    }
}

static void the_limit_is_what_the_api_says(void **state)
{
    (void)state;
    say(200, "60", NULL, NULL, NULL);
    assert_int_equal(rate.limit, 60);
    int taken = burst(API_WAITING);
    assert_in_range(taken, 10, 12);
    say(200, "600", NULL, NULL, NULL);
    now_us += 60 * S;
    assert_int_equal(burst(API_WAITING), 120);
    say(200, "0", NULL, NULL, NULL);
    say(200, "-3", NULL, NULL, NULL);
    say(200, "many", NULL, NULL, NULL);
    assert_int_equal(rate.limit, 600);
    say(200, "9223372036854775807", NULL, NULL, NULL);
    now_us += 3600 * S;
    assert_true(call(API_WAITING)); /* and nothing overflowed */
}

static void a_limit_that_changes_all_the_time_takes_nothing_from_the_bucket(void **state)
{
    (void)state;
    burst(API_WAITING);
    for (int i = 0; i < 200; i++) { /* 20 s at 108 a minute: 36 calls, a fifth of one each time */
        now_us += S / 10;
        rate_set_limit(&rate, i % 2 == 0 ? 181 : 180, now_us);
    }
    assert_int_equal(burst(API_WAITING), 36);
    rate_set_limit(&rate, 60, now_us);
    rate_set_limit(&rate, 180, now_us);
    assert_int_equal(burst(API_WAITING), 0); /* and makes nothing out of nothing */
    rate_init(&rate, 180, now_us);
    rate_set_limit(&rate, INT64_MAX, now_us);
    assert_int_equal(burst(API_WAITING), 20000);
}

static void credit_has_an_end_and_is_paid_back(void **state)
{
    (void)state;
    for (int i = 0; i < 500; i++) {
        rate_force(&rate, now_us);
        rate_end(&rate, NULL, now_us, WALL);
    }
    assert_false(call(API_WAITING));
    now_us += 60 * S;
    assert_true(call(API_WAITING));
}

static void check_is_expected(const char *expression, const char *file, int line)
{
    mock_assert(0, expression, file, line);
}

static void ending_what_was_not_taken_is_a_bug(void **state)
{
    (void)state;
    check_hook = check_is_expected;
    expect_assert_failure(rate_end(&rate, NULL, now_us, WALL));
    expect_assert_failure(rate_return(&rate));
    check_hook = NULL;
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(no_minute_sees_more_than_80_percent),
        TEST(a_burst_is_a_fifth_of_the_limit_then_the_rest_flows),
        TEST(background_work_leaves_half_of_it_to_cashiers),
        TEST(background_work_leaves_three_tenths_of_any_minute),
        TEST(background_work_goes_on_with_the_smallest_limit),
        TEST(what_is_left_by_the_api_is_believed),
        TEST(calls_under_way_count_against_what_is_left),
        TEST(a_429_is_waited_out),
        TEST(the_limit_is_what_the_api_says),
        TEST(a_limit_that_changes_all_the_time_takes_nothing_from_the_bucket),
        TEST(credit_has_an_end_and_is_paid_back),
        TEST(ending_what_was_not_taken_is_a_bug),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
