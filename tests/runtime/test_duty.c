/*
 * Has one process the duty at a time, and does another take it when it must? Two processes are two
 * sets of real threads in front of one lease.
 */
#include "runtime/duty.h"

#include "base/clock.h"
#include "base/error.h"
#include "runtime/scheduler.h"
#include "store/backend.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/banned.h"

#define MS INT64_C(1000)
#define HOUR_US (INT64_C(3600) * 1000000)
#define LIFE_US (400 * MS)
#define RENEW_US (20 * MS)
#define PATIENCE_US (INT64_C(20) * 1000000)
#define PROCESSES 2

/* --- the store: one lease, which each process sees through a front of its own --- */

static struct {
    pthread_mutex_t mutex;
    struct lease_state state;
    int64_t until_us;
    int32_t renewals;
    bool was_ours_twice;
} lease = {.mutex = PTHREAD_MUTEX_INITIALIZER};

struct process {
    struct store store; /* first */
    _Atomic bool is_cut_off;
    struct outbound *outbound;
    struct committer *committer;
    struct duty *duty;
    _Atomic int32_t taken;
    char name[LEASE_OWNER_CHARS + 1];
};
static struct process processes[PROCESSES];

/* Nobody else may believe that he has what is given to another one. */
static void give_lease(const struct process *to, const struct lease_wish *wish)
{
    for (int i = 0; i < PROCESSES; i++)
        if (&processes[i] != to && processes[i].duty != NULL && duty_is_ours(processes[i].duty, 0))
            lease.was_ours_twice = true;
    memcpy(lease.state.owner, wish->owner, sizeof(lease.state.owner));
    lease.state.version++;
}

static int fake_take(struct store *store, const struct lease_wish *wish, struct lease_state *state)
{
    const struct process *process = (const struct process *)store;
    if (atomic_load(&process->is_cut_off))
        return ERR_STORE_DOWN;
    pthread_mutex_lock(&lease.mutex);
    int64_t now_us = clock_monotonic_us();
    bool is_owner = strcmp(lease.state.owner, wish->owner) == 0;
    if (!is_owner && lease.until_us <= now_us)
        give_lease(process, wish);
    if (is_owner || lease.until_us <= now_us)
        lease.until_us = now_us + wish->life_us;
    lease.renewals += is_owner;
    *state = lease.state;
    state->left_us = lease.until_us - now_us;
    pthread_mutex_unlock(&lease.mutex);
    return 0;
}

static int fake_release(struct store *store, const char *name, const char *owner)
{
    (void)store;
    assert_string_equal(name, DUTY_LEASE);
    pthread_mutex_lock(&lease.mutex);
    if (strcmp(lease.state.owner, owner) == 0)
        lease.until_us = 0;
    pthread_mutex_unlock(&lease.mutex);
    return 0;
}

static int fake_ping(struct store *store)
{
    return atomic_load(&((struct process *)store)->is_cut_off) ? ERR_STORE_DOWN : 0;
}

static const struct store_backend backend = {
    .take_lease = fake_take, .release_lease = fake_release, .ping = fake_ping};

/* --- processes --- */

static void on_taken(void *context)
{
    atomic_fetch_add(&((struct process *)context)->taken, 1);
}

static const char nobody[LEASE_OWNER_CHARS + 1];

static void process_start_after(struct process *process, bool is_shared,
                                const char former[LEASE_OWNER_CHARS + 1])
{
    const struct committer_config committer = {.stores = {&process->store}, .batch_max = 1};
    memset(process, 0, sizeof(*process));
    process->store.backend = &backend;
    assert_int_equal(outbound_create(&process->outbound), 0);
    assert_int_equal(committer_create(&committer, &process->committer), 0);
    struct duty_config config = {
        .outbound = process->outbound,
        .committer = process->committer,
        .is_shared = is_shared,
        .on_taken = on_taken,
        .taken_context = process,
        .life_us = LIFE_US,
        .renew_us = RENEW_US,
    };
    id_key_generate(id_source_system(), config.owner);
    memcpy(config.former, former, sizeof(config.former));
    memcpy(process->name, config.owner, sizeof(process->name));
    assert_int_equal(duty_create(&config, &process->duty), 0);
    duty_start(process->duty);
}

static void process_start(struct process *process, bool is_shared)
{
    process_start_after(process, is_shared, nobody);
}

static void process_end(struct process *process, bool is_orderly)
{
    if (process->outbound == NULL)
        return;
    outbound_drain(process->outbound);
    committer_stop(process->committer);
    outbound_stop(process->outbound);
    outbound_destroy(process->outbound);
    committer_destroy(process->committer);
    if (is_orderly)
        duty_give_up(process->duty, &process->store);
    duty_destroy(process->duty);
    process->duty = NULL;
    process->outbound = NULL;
}

static int setup(void **state)
{
    (void)state;
    memset(&lease.state, 0, sizeof(lease.state));
    lease.until_us = 0;
    lease.renewals = 0;
    lease.was_ours_twice = false;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    for (int i = 0; i < PROCESSES; i++)
        process_end(&processes[i], false);
    assert_false(lease.was_ours_twice);
    return 0;
}

static void await_ours(const struct process *process, bool is_ours)
{
    int64_t until_us = clock_monotonic_us() + PATIENCE_US;
    while (duty_is_ours(process->duty, 0) != is_ours) {
        assert_true(clock_monotonic_us() < until_us);
        usleep(1000);
    }
}

static void await_renewals(int32_t more)
{
    int64_t until_us = clock_monotonic_us() + PATIENCE_US;
    for (int32_t wanted = -1, now = 0; wanted < 0 || now < wanted;) {
        pthread_mutex_lock(&lease.mutex);
        now = lease.renewals;
        pthread_mutex_unlock(&lease.mutex);
        wanted = wanted < 0 ? now + more : wanted;
        assert_true(clock_monotonic_us() < until_us);
        usleep(1000);
    }
}

/* --- tests --- */

static void where_nobody_else_is_the_duty_is_always_ours(void **state)
{
    (void)state;
    process_start(&processes[0], false);
    assert_true(duty_is_ours(processes[0].duty, INT64_MAX / 2));
    assert_true(duty_ends_us(processes[0].duty) == INT64_MAX);
    assert_true(duty_is_ours(NULL, INT64_MAX / 2));
    assert_string_equal(lease.state.owner, "");
}

static void the_first_has_it_and_keeps_it(void **state)
{
    (void)state;
    process_start(&processes[0], true);
    await_ours(&processes[0], true);
    process_start(&processes[1], true);
    await_renewals(40); /* twice the life of a lease */
    assert_true(duty_is_ours(processes[0].duty, 0));
    assert_false(duty_is_ours(processes[0].duty, 2 * LIFE_US));
    assert_false(duty_is_ours(processes[1].duty, 0));
    assert_int_equal(atomic_load(&processes[0].taken), 1);
    assert_int_equal(atomic_load(&processes[1].taken), 0);
}

static void who_reaches_the_store_no_more_loses_it_before_another_has_it(void **state)
{
    (void)state;
    process_start(&processes[0], true);
    await_ours(&processes[0], true);
    process_start(&processes[1], true);
    atomic_store(&processes[0].is_cut_off, true);
    await_ours(&processes[1], true);
    assert_false(duty_is_ours(processes[0].duty, 0));
    atomic_store(&processes[0].is_cut_off, false);
    await_renewals(10);
    assert_false(duty_is_ours(processes[0].duty, 0));
    assert_int_equal(atomic_load(&processes[1].taken), 1);
}

static void who_ends_in_good_order_leaves_it_to_others_at_once(void **state)
{
    (void)state;
    process_start(&processes[0], true);
    await_ours(&processes[0], true);
    process_end(&processes[0], true);
    pthread_mutex_lock(&lease.mutex);
    assert_int_equal(lease.until_us, 0);
    pthread_mutex_unlock(&lease.mutex);
    process_start(&processes[1], true);
    await_ours(&processes[1], true);
}

/* The lease would be there for an hour. */
static void who_comes_after_one_that_died_takes_what_that_had(void **state)
{
    (void)state;
    process_start(&processes[0], true);
    await_ours(&processes[0], true);
    char former[LEASE_OWNER_CHARS + 1];
    memcpy(former, processes[0].name, sizeof(former));
    process_end(&processes[0], false);
    pthread_mutex_lock(&lease.mutex);
    lease.until_us += HOUR_US;
    pthread_mutex_unlock(&lease.mutex);
    process_start_after(&processes[1], true, former);
    await_ours(&processes[1], true);
}

static void bump_version(void)
{
    pthread_mutex_lock(&lease.mutex);
    lease.state.version++;
    pthread_mutex_unlock(&lease.mutex);
}

/* Stopped for long, a process may find it its own again before it looks at the clock. */
static void what_was_begun_before_another_had_it_is_not_under_this_duty(void **state)
{
    (void)state;
    process_start(&processes[0], true);
    await_ours(&processes[0], true);
    int64_t version = duty_version(processes[0].duty);
    assert_int_equal(version, 1);
    await_renewals(10);
    assert_true(duty_is_still(processes[0].duty, version));
    bump_version(); /* another had it, and is gone */
    await_renewals(3);
    assert_true(duty_is_ours(processes[0].duty, 0));
    assert_false(duty_is_still(processes[0].duty, version));
    assert_true(duty_is_still(processes[0].duty, version + 1));
    atomic_store(&processes[0].is_cut_off, true);
    await_ours(&processes[0], false);
    assert_false(duty_is_still(processes[0].duty, version + 1));
    assert_true(duty_is_still(NULL, duty_version(NULL)));
}

/* --- what obeys it --- */

static void on_run(struct scheduled *task, void *context)
{
    atomic_fetch_add((_Atomic int32_t *)context, 1);
    scheduler_end(task, 0);
}

/* The lease is shorter than the margin that a run wants, so it never comes to one. */
static void nothing_is_begun_with_less_than_the_margin_left(void **state)
{
    (void)state;
    struct scheduler *scheduler;
    static _Atomic int32_t runs;
    process_start(&processes[0], true);
    await_ours(&processes[0], true);
    assert_int_equal(scheduler_create(processes[0].outbound, processes[0].duty, &scheduler), 0);
    scheduler_add(scheduler, "task", MS, on_run, (void *)&runs);
    scheduler_start(scheduler, 0, MS);
    await_renewals(10);
    assert_int_equal(atomic_load(&runs), 0);
    outbound_stop(processes[0].outbound);
    scheduler_destroy(scheduler);
}

#define DUTY_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        DUTY_TEST(where_nobody_else_is_the_duty_is_always_ours),
        DUTY_TEST(the_first_has_it_and_keeps_it),
        DUTY_TEST(who_reaches_the_store_no_more_loses_it_before_another_has_it),
        DUTY_TEST(who_ends_in_good_order_leaves_it_to_others_at_once),
        DUTY_TEST(who_comes_after_one_that_died_takes_what_that_had),
        DUTY_TEST(what_was_begun_before_another_had_it_is_not_under_this_duty),
        DUTY_TEST(nothing_is_begun_with_less_than_the_margin_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
