/* Does each task run once at a time, at its period, again after a failure, and not after the end?
 * On a real outbound thread. */
#include "runtime/scheduler.h"

#include "base/clock.h"
#include "base/error.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/banned.h"

#define MS INT64_C(1000)
#define HOUR_US (INT64_C(3600) * 1000000)
#define PATIENCE_US (INT64_C(20) * 1000000)

/* A task that ends inside the call, or by a timer later. */
struct fake {
    struct outbound *outbound;
    int64_t takes_us; /* 0: ends inside the call */
    int32_t failures; /* so many first runs fail */
    struct scheduled *task;
    struct outbound_timer timer;
    _Atomic int32_t begun;
    _Atomic int32_t ended;
    _Atomic bool was_twice;
    int64_t begun_us[64];
};

struct fixture {
    struct outbound *outbound;
    struct scheduler *scheduler;
    struct fake fakes[2];
};

static int setup(void **state)
{
    struct fixture *fixture = test_calloc(1, sizeof(*fixture));
    assert_int_equal(outbound_create(&fixture->outbound), 0);
    assert_int_equal(scheduler_create(fixture->outbound, NULL, &fixture->scheduler), 0);
    for (int i = 0; i < 2; i++)
        fixture->fakes[i].outbound = fixture->outbound;
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    outbound_stop(fixture->outbound);
    scheduler_destroy(fixture->scheduler);
    outbound_destroy(fixture->outbound);
    test_free(fixture);
    return 0;
}

static void end(void *context)
{
    struct fake *fake = context;
    int32_t number = atomic_fetch_add(&fake->ended, 1);
    scheduler_end(fake->task, number < fake->failures ? ERR_STORE_BUSY : 0);
}

static void begin(struct scheduled *task, void *context)
{
    struct fake *fake = context;
    int32_t number = atomic_fetch_add(&fake->begun, 1);
    if (number < 64)
        fake->begun_us[number] = clock_monotonic_us();
    if (number != atomic_load(&fake->ended))
        atomic_store(&fake->was_twice, true);
    fake->task = task;
    if (fake->takes_us == 0)
        end(fake);
    else
        outbound_set_timer(fake->outbound, &fake->timer, clock_monotonic_us() + fake->takes_us, end,
                           fake);
}

static void await(_Atomic int32_t *count, int32_t wanted)
{
    int64_t until_us = clock_monotonic_us() + PATIENCE_US;
    while (atomic_load(count) < wanted) {
        assert_true(clock_monotonic_us() < until_us);
        usleep(1000);
    }
}

static struct scheduler_counters counters_of(const struct fixture *fixture, int32_t index)
{
    struct scheduler_counters counters;
    scheduler_read_counters(fixture->scheduler, index, &counters);
    return counters;
}

static void tasks_run_at_their_periods_side_by_side(void **state)
{
    struct fixture *fixture = *state;
    fixture->fakes[1].takes_us = 30 * MS;
    scheduler_add(fixture->scheduler, "quick", 10 * MS, begin, &fixture->fakes[0]);
    scheduler_add(fixture->scheduler, "slow", 10 * MS, begin, &fixture->fakes[1]);
    int64_t started_us = clock_monotonic_us();
    scheduler_start(fixture->scheduler, 20 * MS, HOUR_US);
    await(&fixture->fakes[0].ended, 10);
    await(&fixture->fakes[1].ended, 3);
    outbound_stop(fixture->outbound);
    assert_true(fixture->fakes[0].begun_us[0] - started_us >= 20 * MS);
    for (int i = 1; i < 10; i++)
        assert_true(fixture->fakes[0].begun_us[i] - fixture->fakes[0].begun_us[i - 1] >= 10 * MS);
    for (int i = 1; i < 3; i++) /* longer than its period: once at a time all the same */
        assert_true(fixture->fakes[1].begun_us[i] - fixture->fakes[1].begun_us[i - 1] >= 30 * MS);
    assert_false(fixture->fakes[0].was_twice || fixture->fakes[1].was_twice);
    assert_int_equal(scheduler_count(fixture->scheduler), 2);
    assert_string_equal(counters_of(fixture, 1).name, "slow");
    assert_int_equal(counters_of(fixture, 0).runs, fixture->fakes[0].ended);
    assert_int_equal(counters_of(fixture, 0).failures, 0);
}

static void run_that_failed_is_repeated_before_its_period_is_over(void **state)
{
    struct fixture *fixture = *state;
    fixture->fakes[0].failures = 2;
    scheduler_add(fixture->scheduler, "daily", HOUR_US, begin, &fixture->fakes[0]);
    scheduler_start(fixture->scheduler, 0, 20 * MS);
    await(&fixture->fakes[0].ended, 3);
    usleep((useconds_t)(60 * MS)); /* the third worked: the next is an hour away */
    outbound_stop(fixture->outbound);
    assert_int_equal(fixture->fakes[0].begun, 3);
    assert_true(fixture->fakes[0].begun_us[1] - fixture->fakes[0].begun_us[0] >= 20 * MS);
    assert_int_equal(counters_of(fixture, 0).runs, 3);
    assert_int_equal(counters_of(fixture, 0).failures, 2);
}

static void nothing_begins_before_the_start_or_after_the_end(void **state)
{
    struct fixture *fixture = *state;
    scheduler_add(fixture->scheduler, "quick", 1 * MS, begin, &fixture->fakes[0]);
    usleep((useconds_t)(20 * MS));
    assert_int_equal(fixture->fakes[0].begun, 0);
    scheduler_start(fixture->scheduler, 0, HOUR_US);
    await(&fixture->fakes[0].ended, 1);
    outbound_stop(fixture->outbound);
    int32_t begun = fixture->fakes[0].begun;
    usleep((useconds_t)(20 * MS));
    assert_int_equal(fixture->fakes[0].begun, begun);
}

static void run_under_way_does_not_hold_up_the_end(void **state)
{
    struct fixture *fixture = *state;
    fixture->fakes[0].takes_us = HOUR_US;
    scheduler_add(fixture->scheduler, "endless", 1 * MS, begin, &fixture->fakes[0]);
    scheduler_start(fixture->scheduler, 0, HOUR_US);
    await(&fixture->fakes[0].begun, 1);
    int64_t began_us = clock_monotonic_us();
    outbound_stop(fixture->outbound);
    assert_true(clock_monotonic_us() - began_us < OUTBOUND_GRACE_US);
    assert_int_equal(counters_of(fixture, 0).runs, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(tasks_run_at_their_periods_side_by_side),
        TEST(run_that_failed_is_repeated_before_its_period_is_over),
        TEST(nothing_begins_before_the_start_or_after_the_end),
        TEST(run_under_way_does_not_hold_up_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
