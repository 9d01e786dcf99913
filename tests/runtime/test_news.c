/* Is what other processes have changed loaded, once, and again when loading failed? */
#include "runtime/news.h"

#include "base/clock.h"
#include "base/error.h"
#include "store/backend.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/banned.h"

#define MS INT64_C(1000)
#define HOUR_US (INT64_C(3600) * 1000000)
#define PATIENCE_US (INT64_C(20) * 1000000)

static struct store store;
static struct store *const stores[] = {&store};
static _Atomic int64_t config_version;
static _Atomic int64_t hot_generation;
static _Atomic int32_t looks, reloads, told;
static _Atomic int32_t fail_looks, fail_reloads;
static _Atomic int64_t hot_told;

static int fake_read_versions(struct store *of, struct store_versions *versions)
{
    (void)of;
    atomic_fetch_add(&looks, 1);
    if (atomic_load(&fail_looks) > 0 && atomic_fetch_sub(&fail_looks, 1) > 0)
        return ERR_STORE_DOWN;
    *versions = (struct store_versions){.config = atomic_load(&config_version),
                                        .hot_generation = atomic_load(&hot_generation)};
    return 0;
}

static const struct store_backend backend = {.read_versions = fake_read_versions};

static int reload(void *context, struct store *from)
{
    (void)context;
    assert_ptr_equal(from, &store);
    atomic_fetch_add(&reloads, 1);
    return atomic_load(&fail_reloads) > 0 && atomic_fetch_sub(&fail_reloads, 1) > 0 ? ERR_STORE_BUSY
                                                                                    : 0;
}

static void on_reloaded(void *context)
{
    (void)context;
    atomic_fetch_add(&told, 1);
}

static void on_versions(void *context, const struct store_versions *versions)
{
    (void)context;
    atomic_store(&hot_told, versions->hot_generation);
}

struct fixture {
    struct outbound *outbound;
    struct reader *reader;
    struct news *news;
};

static void start(struct fixture *fixture, int64_t period_us)
{
    store.backend = &backend;
    atomic_store(&config_version, 7);
    atomic_store(&hot_generation, 1);
    atomic_store(&looks, 0);
    atomic_store(&reloads, 0);
    atomic_store(&told, 0);
    assert_int_equal(outbound_create(&fixture->outbound), 0);
    assert_int_equal(reader_create(stores, 1, &fixture->reader), 0);
    const struct news_config config = {
        .outbound = fixture->outbound,
        .reader = fixture->reader,
        .reload = reload,
        .on_reloaded = on_reloaded,
        .on_versions = on_versions,
        .config_version = 7,
        .period_us = period_us,
    };
    assert_int_equal(news_create(&config, &fixture->news), 0);
}

static void finish(struct fixture *fixture)
{
    outbound_drain(fixture->outbound);
    reader_stop(fixture->reader);
    outbound_stop(fixture->outbound);
    news_destroy(fixture->news);
    outbound_destroy(fixture->outbound);
    reader_destroy(fixture->reader);
}

static void await(_Atomic int32_t *count, int32_t wanted)
{
    int64_t until_us = clock_monotonic_us() + PATIENCE_US;
    while (atomic_load(count) < wanted) {
        assert_true(clock_monotonic_us() < until_us);
        usleep(1000);
    }
}

static void a_change_is_loaded_once(void **state)
{
    (void)state;
    struct fixture fixture;
    start(&fixture, 5 * MS);
    await(&looks, 3);
    assert_int_equal(atomic_load(&reloads), 0);
    atomic_store(&config_version, 8);
    await(&told, 1);
    await(&looks, atomic_load(&looks) + 3);
    assert_int_equal(atomic_load(&reloads), 1);
    assert_int_equal(atomic_load(&told), 1);
    finish(&fixture);
}

static void what_could_not_be_loaded_is_loaded_later(void **state)
{
    (void)state;
    struct fixture fixture;
    atomic_store(&fail_looks, 2);
    atomic_store(&fail_reloads, 2);
    start(&fixture, 5 * MS);
    atomic_store(&config_version, 8);
    await(&told, 1);
    finish(&fixture);
    assert_int_equal(atomic_load(&reloads), 3);
    assert_int_equal(atomic_load(&told), 1);
}

static void who_misses_something_has_it_looked_for_before_the_time(void **state)
{
    (void)state;
    struct fixture fixture;
    start(&fixture, HOUR_US);
    await(&looks, 1);
    for (int32_t round = 1; round <= 3; round++) {
        atomic_store(&config_version, 7 + round);
        news_wake(fixture.news);
        await(&told, round);
    }
    finish(&fixture);
}

/* Strangers may ask as often as they like. */
static void many_who_ask_cost_few_looks(void **state)
{
    (void)state;
    struct fixture fixture;
    start(&fixture, HOUR_US);
    await(&looks, 1);
    int64_t began_us = clock_monotonic_us();
    for (int i = 0; i < 2000; i++) {
        news_wake(fixture.news);
        usleep(100);
    }
    int64_t took_us = clock_monotonic_us() - began_us;
    finish(&fixture);
    assert_true(atomic_load(&looks) >= 2);
    assert_true(atomic_load(&looks) <= 2 + took_us / NEWS_SOONEST_US);
}

static void every_look_tells_what_there_is(void **state)
{
    (void)state;
    struct fixture fixture;
    start(&fixture, 5 * MS);
    atomic_store(&hot_generation, 99);
    await(&looks, atomic_load(&looks) + 3);
    finish(&fixture);
    assert_int_equal(atomic_load(&hot_told), 99);
    news_wake(NULL);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_change_is_loaded_once),
        cmocka_unit_test(what_could_not_be_loaded_is_loaded_later),
        cmocka_unit_test(who_misses_something_has_it_looked_for_before_the_time),
        cmocka_unit_test(many_who_ask_cost_few_looks),
        cmocka_unit_test(every_look_tells_what_there_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
