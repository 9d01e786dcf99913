/* Do idle points expire, of tenants that want it, and of nobody else? A real store, committer and
 * outbound thread. */
#include "runtime/expiry.h"

#include "base/clock.h"
#include "base/error.h"
#include "store/backend.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/banned.h"

#define DAY_US (CLOCK_S_PER_DAY * CLOCK_US_PER_S)
#define HOUR_US (INT64_C(3600) * 1000000)
#define PATIENCE_US (INT64_C(30) * 1000000)
#define MEMBERS (2 * EXPIRY_BATCH + 5)

struct fixture {
    struct seal *seal;
    struct store *store;
    int64_t tenants[3]; /* after 10 days, never, after 30 days */
    struct directory *directory;
    struct outbound *outbound;
    struct committer *committer;
    struct scheduler *scheduler;
    struct expiry *expiry;
};

static int64_t add_tenant(struct store *store, int64_t company, int32_t days)
{
    struct tenant tenant = {.name = "Pier",
                            .currency = {"AUD", 2},
                            .zone = "UTC",
                            .oseries_company = company,
                            .profile = "default",
                            .refusal_status = 200,
                            .deadline_us = 4000000,
                            .token_refresh_us = DAY_US,
                            .earn_milli = 1000,
                            .points_expire_days = days,
                            .reservation_max_us = DAY_US,
                            .redeem_token_us = DAY_US};
    snprintf(tenant.key, sizeof(tenant.key), "%032d", (int)company);
    assert_int_equal(store_add_tenant(store, &tenant), 0);
    return tenant.id;
}

/* With points got so many days ago. */
static int64_t add_member(struct fixture *fixture, int64_t tenant_id, int64_t points, int64_t days)
{
    int64_t then_us = clock_steady_us() - days * DAY_US;
    struct member member = {.tenant_id = tenant_id,
                            .first_name = "Ada",
                            .created_at_us = then_us,
                            .account = {.is_active = true, .active_at_us = then_us}};
    struct points_outcome outcome;
    assert_int_equal(store_add_member(fixture->store, &member), 0);
    struct points_command grant = {
        .action = POINTS_GRANT, .tenant_id = tenant_id, .member_id = member.id, .points = points};
    assert_int_equal(store_run_points(fixture->store, &grant, then_us, &outcome), 0);
    assert_int_equal(outcome.result, POINTS_OK);
    return member.id;
}

static int64_t points_of(struct fixture *fixture, int64_t tenant_id, int64_t member_id)
{
    struct member member;
    assert_int_equal(store_read_member(fixture->store, tenant_id, member_id, &member), 0);
    return member.account.points;
}

static int setup(void **state)
{
    static const uint8_t master[SEAL_KEY_BYTES] = {1};
    struct fixture *fixture = test_calloc(1, sizeof(*fixture));
    assert_int_equal(seal_from_bytes(master, &fixture->seal), 0);
    const struct store_config config = {.location = ":memory:", .seal = fixture->seal};
    assert_int_equal(store_open(&config, STORE_WRITER, &fixture->store), 0);
    fixture->tenants[0] = add_tenant(fixture->store, 1, 10);
    fixture->tenants[1] = add_tenant(fixture->store, 2, 0);
    fixture->tenants[2] = add_tenant(fixture->store, 3, 30);
    assert_int_equal(directory_create(&fixture->directory), 0);
    assert_int_equal(directory_load(fixture->directory, fixture->store), 0);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    directory_destroy(fixture->directory);
    store_close(fixture->store);
    seal_destroy(fixture->seal);
    test_free(fixture);
    return 0;
}

/* --- one batch --- */

static void batch_expires_the_longest_idle_and_no_more_than_it_may(void **state)
{
    struct fixture *fixture = *state;
    int64_t tenant_id = fixture->tenants[0], since_us = clock_steady_us() - 10 * DAY_US;
    int64_t first_id = add_member(fixture, tenant_id, 5, 100);
    int64_t young_id = add_member(fixture, tenant_id, 5, 9);
    int32_t expired, rounds = 0, sum = 0;
    for (int i = 1; i < MEMBERS; i++)
        add_member(fixture, tenant_id, 5, 11 + i % 50);
    do {
        assert_int_equal(
            points_expire_idle(fixture->store, tenant_id, since_us, clock_steady_us(), &expired),
            0);
        if (++rounds == 1)
            assert_int_equal(points_of(fixture, tenant_id, first_id), 0);
        assert_true(expired <= EXPIRY_BATCH);
        sum += expired;
    } while (expired > 0);
    assert_int_equal(sum, MEMBERS);
    assert_int_equal(rounds, 4);
    assert_int_equal(points_of(fixture, tenant_id, young_id), 5);
}

/* --- the walk --- */

static void start(struct fixture *fixture)
{
    const struct committer_config config = {.stores = {fixture->store}, .batch_max = 8};
    assert_int_equal(outbound_create(&fixture->outbound), 0);
    assert_int_equal(committer_create(&config, &fixture->committer), 0);
    assert_int_equal(scheduler_create(fixture->outbound, NULL, &fixture->scheduler), 0);
    assert_int_equal(
        expiry_create(fixture->outbound, fixture->committer, fixture->directory, &fixture->expiry),
        0);
    scheduler_add(fixture->scheduler, "points_expiry", EXPIRY_PERIOD_US, expiry_run,
                  fixture->expiry);
    scheduler_start(fixture->scheduler, 0, HOUR_US);
}

static void stop(struct fixture *fixture)
{
    outbound_drain(fixture->outbound);
    committer_stop(fixture->committer);
    outbound_stop(fixture->outbound);
    scheduler_destroy(fixture->scheduler);
    expiry_destroy(fixture->expiry);
    outbound_destroy(fixture->outbound);
    committer_destroy(fixture->committer);
}

static struct scheduler_counters await_runs(struct fixture *fixture, uint64_t wanted)
{
    int64_t until_us = clock_monotonic_us() + PATIENCE_US;
    struct scheduler_counters counters = {.runs = 0};
    while (counters.runs < wanted) {
        assert_true(clock_monotonic_us() < until_us);
        usleep(1000);
        scheduler_read_counters(fixture->scheduler, 0, &counters);
    }
    return counters;
}

static void idle_points_of_every_tenant_that_wants_it_expire(void **state)
{
    struct fixture *fixture = *state;
    int64_t idle[MEMBERS], young[3], late;
    for (int i = 0; i < MEMBERS; i++)
        idle[i] = add_member(fixture, fixture->tenants[0], 5, 11);
    for (int i = 0; i < 3; i++)
        young[i] = add_member(fixture, fixture->tenants[i], 5, 9);
    int64_t kept = add_member(fixture, fixture->tenants[1], 5, 4000);
    late = add_member(fixture, fixture->tenants[2], 5, 31);
    start(fixture);
    struct scheduler_counters counters = await_runs(fixture, 1);
    stop(fixture);
    assert_int_equal(counters.failures, 0);
    for (int i = 0; i < MEMBERS; i++)
        assert_int_equal(points_of(fixture, fixture->tenants[0], idle[i]), 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(points_of(fixture, fixture->tenants[i], young[i]), 5);
    assert_int_equal(points_of(fixture, fixture->tenants[1], kept), 5);
    assert_int_equal(points_of(fixture, fixture->tenants[2], late), 0);
}

static void end_in_the_middle_of_a_walk_leaves_whole_batches(void **state)
{
    struct fixture *fixture = *state;
    int64_t idle[MEMBERS];
    int gone = 0;
    for (int i = 0; i < MEMBERS; i++)
        idle[i] = add_member(fixture, fixture->tenants[0], 5, 11);
    start(fixture);
    stop(fixture);
    for (int i = 0; i < MEMBERS; i++)
        gone += points_of(fixture, fixture->tenants[0], idle[i]) == 0;
    assert_true(gone % EXPIRY_BATCH == 0 || gone == MEMBERS);
}

/* The real points but for this member's, as long as it is broken. */
static const struct store_backend_points *real_points;
static int64_t broken_id;
static _Atomic int32_t broken_left;

static int run_points(struct store *store, const struct points_command *command, int64_t now_us,
                      struct points_outcome *outcome)
{
    if (command->member_id == broken_id && atomic_fetch_sub(&broken_left, 1) > 0)
        return ERR_STORE_BUSY;
    return real_points->run(store, command, now_us, outcome);
}

static void failed_batch_moves_nothing_holds_up_nobody_and_is_tried_again(void **state)
{
    struct fixture *fixture = *state;
    struct store_backend backend = *fixture->store->backend;
    struct store_backend_points points = *backend.points;
    const struct store_backend *real_backend = fixture->store->backend;
    int64_t first = add_member(fixture, fixture->tenants[0], 5, 12);
    int64_t late = add_member(fixture, fixture->tenants[2], 5, 31);
    broken_id = add_member(fixture, fixture->tenants[0], 5, 11);
    broken_left = 1;
    real_points = backend.points;
    points.run = run_points;
    backend.points = &points;
    fixture->store->backend = &backend;
    start(fixture);
    struct scheduler_counters counters = await_runs(fixture, 1);
    assert_int_equal(counters.failures, 1);
    stop(fixture);
    fixture->store->backend = real_backend;
    assert_int_equal(points_of(fixture, fixture->tenants[0], first), 5); /* as it was */
    assert_int_equal(points_of(fixture, fixture->tenants[2], late), 0);
    fixture->store->backend = &backend;
    start(fixture);
    counters = await_runs(fixture, 1);
    assert_int_equal(counters.failures, 0);
    stop(fixture);
    fixture->store->backend = real_backend;
    assert_int_equal(points_of(fixture, fixture->tenants[0], first), 0);
    assert_int_equal(points_of(fixture, fixture->tenants[0], broken_id), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(batch_expires_the_longest_idle_and_no_more_than_it_may),
        TEST(idle_points_of_every_tenant_that_wants_it_expire),
        TEST(end_in_the_middle_of_a_walk_leaves_whole_batches),
        TEST(failed_batch_moves_nothing_holds_up_nobody_and_is_tried_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
