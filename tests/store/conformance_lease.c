/*
 * The conformance suite's tests of what the processes of one store share: leases, and the numbers
 * that tell of changes. A store with one process grants every lease.
 */
#include "tests/store/conformance.h"

#include "base/error.h"
#include "store/grant.h"
#include "store/lease.h"

#include <string.h>

#define NAME "scheduler"
#define OWNER_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define OWNER_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define LONG_US (INT64_C(3600) * 1000000)

static struct lease_state take(struct store *store, const char *name, const char *owner,
                               int64_t life_us)
{
    struct lease_wish wish = {.name = name, .life_us = life_us};
    struct lease_state state;
    memcpy(wish.owner, owner, sizeof(wish.owner));
    assert_int_equal(store_take_lease(store, &wish, &state), 0);
    return state;
}

/* Who has it when B asks for what A has. */
static const char *expected(const struct rows *rows)
{
    return store_is_shared(rows->store) ? OWNER_A : OWNER_B;
}

static void a_lease_is_ones_until_it_ends(void **state)
{
    struct rows *rows = conformance_rows(state);
    struct lease_state first = take(rows->store, NAME, OWNER_A, LONG_US);
    assert_string_equal(first.owner, OWNER_A);
    assert_int_equal(first.version, 1);
    assert_true(first.left_us > LONG_US / 2 && first.left_us <= LONG_US);
    struct lease_state second = take(rows->store, NAME, OWNER_B, LONG_US);
    assert_string_equal(second.owner, expected(rows));
    assert_int_equal(second.version, 1);
    assert_true(second.left_us > 0);
}

static void an_owner_renews_its_lease(void **state)
{
    struct rows *rows = conformance_rows(state);
    (void)take(rows->store, NAME, OWNER_A, LONG_US);
    struct lease_state longer = take(rows->store, NAME, OWNER_A, 2 * LONG_US);
    assert_string_equal(longer.owner, OWNER_A);
    assert_true(longer.left_us > LONG_US);
    assert_int_equal(longer.version, 1);
}

static void a_lease_that_has_ended_is_anybodys(void **state)
{
    struct rows *rows = conformance_rows(state);
    (void)take(rows->store, NAME, OWNER_A, 1);
    struct lease_state taken = take(rows->store, NAME, OWNER_B, LONG_US);
    assert_string_equal(taken.owner, OWNER_B);
    assert_int_equal(taken.version, store_is_shared(rows->store) ? 2 : 1);
}

static void a_lease_that_is_released_is_anybodys_at_once(void **state)
{
    struct rows *rows = conformance_rows(state);
    (void)take(rows->store, NAME, OWNER_A, LONG_US);
    assert_int_equal(store_release_lease(rows->store, NAME, OWNER_B), 0); /* not its own */
    assert_string_equal(take(rows->store, NAME, OWNER_B, LONG_US).owner, expected(rows));
    assert_int_equal(store_release_lease(rows->store, NAME, OWNER_A), 0);
    assert_string_equal(take(rows->store, NAME, OWNER_B, LONG_US).owner, OWNER_B);
}

static void leases_of_two_names_have_nothing_to_do_with_each_other(void **state)
{
    struct rows *rows = conformance_rows(state);
    (void)take(rows->store, NAME, OWNER_A, LONG_US);
    assert_string_equal(take(rows->store, "another", OWNER_B, LONG_US).owner, OWNER_B);
    assert_int_equal(store_release_lease(rows->store, "another", OWNER_B), 0);
    assert_string_equal(take(rows->store, NAME, OWNER_B, LONG_US).owner, expected(rows));
}

static void a_lease_is_seen_by_every_connection(void **state)
{
    struct rows *rows = conformance_rows(state);
    struct store *other;
    if (!store_is_shared(rows->store))
        skip();
    const struct store_config config = {.location = rows->location, .seal = rows->seal};
    assert_int_equal(store_open(&config, STORE_WRITER, &other), 0);
    (void)take(rows->store, NAME, OWNER_A, LONG_US);
    assert_string_equal(take(other, NAME, OWNER_B, LONG_US).owner, OWNER_A);
    store_close(other);
}

static struct store_versions versions_of(struct store *store)
{
    struct store_versions versions;
    assert_int_equal(store_read_versions(store, &versions), 0);
    return versions;
}

static void what_is_configured_raises_the_version(void **state)
{
    struct rows *rows = conformance_rows(state);
    int64_t raised;
    int64_t step = store_is_shared(rows->store) ? 1 : 0;
    struct store_versions before = versions_of(rows->store);
    struct site site = {.tenant_id = rows->tenant.id, .name = "Second", .oseries_site = 77};
    assert_int_equal(store_add_site(rows->store, &site), 0);
    struct store_versions after = versions_of(rows->store);
    assert_true(after.config >= before.config + step);
    assert_int_equal(store_update_tenant(rows->store, &rows->tenant), 0);
    assert_true(versions_of(rows->store).config >= after.config + step);
    assert_int_equal(store_raise_token_generation(rows->store, &raised), 0);
    assert_int_equal(versions_of(rows->store).token_generation, raised);
    assert_int_equal(store_raise_hot_generation(rows->store, &raised), 0);
    assert_int_equal(versions_of(rows->store).hot_generation, raised);
}

static void what_is_no_configuration_leaves_the_version_as_it_is(void **state)
{
    struct rows *rows = conformance_rows(state);
    int64_t raised;
    struct store_versions before = versions_of(rows->store);
    assert_int_equal(store_raise_token_generation(rows->store, &raised), 0);
    (void)take(rows->store, NAME, OWNER_A, LONG_US);
    assert_int_equal(versions_of(rows->store).config, before.config);
}

static const struct CMUnitTest conformance_leases[] = {
    CONFORMANCE_TEST(a_lease_is_ones_until_it_ends),
    CONFORMANCE_TEST(an_owner_renews_its_lease),
    CONFORMANCE_TEST(a_lease_that_has_ended_is_anybodys),
    CONFORMANCE_TEST(a_lease_that_is_released_is_anybodys_at_once),
    CONFORMANCE_TEST(leases_of_two_names_have_nothing_to_do_with_each_other),
    CONFORMANCE_TEST(a_lease_is_seen_by_every_connection),
    CONFORMANCE_TEST(what_is_configured_raises_the_version),
    CONFORMANCE_TEST(what_is_no_configuration_leaves_the_version_as_it_is),
};

int conformance_run_leases(const char *name)
{
    return _cmocka_run_group_tests(name, conformance_leases, COUNT_OF(conformance_leases), NULL,
                                   NULL);
}
