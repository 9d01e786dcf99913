/*
 * Hot balances: one conformance suite for every implementation of store/hot.h. A second one joins
 * by a line in the table at the end.
 */
#include "store/hot.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define SECOND_US INT64_C(1000000)
#define NOW_US (1000 * SECOND_US)

typedef int (*create_fn)(int32_t entries, struct hot **hot);
static create_fn suite_create;
static const char *suite_name;

static int setup(void **state)
{
    struct hot *hot;
    assert_int_equal(suite_create(4096, &hot), 0);
    *state = hot;
    return 0;
}

static int teardown(void **state)
{
    hot_destroy(*state);
    return 0;
}

/* splitmix64: an index looks like the MAC that it is. */
static void fill_index(uint8_t index[CARD_INDEX_BYTES], uint64_t number)
{
    for (size_t i = 0; i < CARD_INDEX_BYTES; i += 8) {
        uint64_t z = number += UINT64_C(0x9e3779b97f4a7c15);
        z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
        z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
        z ^= z >> 31;
        memcpy(index + i, &z, 8);
    }
}

static struct card make_card(uint64_t number, int64_t version)
{
    struct card card = {
        .id = (int64_t)number,
        .tenant_id = 1,
        .last4 = "1234",
        .status = CARD_ACTIVE,
        .expires_on = 30000,
        .balance_minor = version * 100,
        .version = version,
    };
    fill_index(card.index, number);
    return card;
}

static bool get(struct hot *hot, uint64_t number, int64_t now_us, struct hot_value *value)
{
    uint8_t index[CARD_INDEX_BYTES];
    fill_index(index, number);
    return hot_get(hot, 1, index, now_us, value);
}

static void remove_card(struct hot *hot, uint64_t number, int64_t version, int64_t now_us)
{
    uint8_t index[CARD_INDEX_BYTES];
    fill_index(index, number);
    hot_remove(hot, 1, index, version, now_us);
}

static void assert_version(struct hot *hot, uint64_t number, int64_t now_us, int64_t version)
{
    struct hot_value value;
    assert_true(get(hot, number, now_us, &value));
    assert_int_equal(value.card.version, version);
    assert_int_equal(value.card.balance_minor, version * 100);
}

static void assert_miss(struct hot *hot, uint64_t number, int64_t now_us)
{
    struct hot_value value;
    assert_false(get(hot, number, now_us, &value));
}

static void unknown_card_is_a_miss(void **state)
{
    assert_miss(*state, 7, NOW_US);
    assert_string_equal(hot_name(*state), suite_name);
}

static void put_card_is_found_with_what_a_look_up_needs(void **state)
{
    struct card card = make_card(7, 3);
    struct hot_value value;
    card.has_pin = true;
    memset(card.pin_hash, 0x5a, sizeof(card.pin_hash));
    card.valid_from = 10;
    card.loaded_on = 1;
    card.loaded_minor = 2;
    card.used_hour = 3;
    card.used_count = 4;
    card.last_transfer_id = 5;
    card.last_operation_id = 6;
    hot_put(*state, &card, NOW_US);
    assert_true(get(*state, 7, NOW_US + 1, &value));
    assert_int_equal(value.filled_at_us, NOW_US);
    assert_int_equal(value.card.id, 7);
    assert_int_equal(value.card.tenant_id, 1);
    assert_memory_equal(value.card.index, card.index, CARD_INDEX_BYTES);
    assert_string_equal(value.card.last4, "1234");
    assert_int_equal(value.card.status, CARD_ACTIVE);
    assert_int_equal(value.card.balance_minor, 300);
    assert_int_equal(value.card.version, 3);
    assert_int_equal(value.card.valid_from, 10);
    assert_int_equal(value.card.expires_on, 30000);
    assert_true(value.card.has_pin);
    for (size_t i = 0; i < CARD_PIN_BYTES; i++)
        assert_int_equal(value.card.pin_hash[i], 0);
    assert_int_equal(value.card.loaded_on, 0);
    assert_int_equal(value.card.loaded_minor, 0);
    assert_int_equal(value.card.used_hour, 0);
    assert_int_equal(value.card.used_count, 0);
    assert_int_equal(value.card.last_transfer_id, 0);
    assert_int_equal(value.card.last_operation_id, 0);
}

static void card_of_another_tenant_is_not_found(void **state)
{
    struct card card = make_card(7, 3);
    struct hot_value value;
    hot_put(*state, &card, NOW_US);
    assert_false(hot_get(*state, 2, card.index, NOW_US, &value));
    card.index[31] ^= 1; /* differs in the last byte only */
    assert_false(hot_get(*state, 1, card.index, NOW_US, &value));
}

static void greater_version_replaces_and_lower_is_ignored(void **state)
{
    struct card third = make_card(7, 3), fourth = make_card(7, 4), second = make_card(7, 2);
    hot_put(*state, &third, NOW_US);
    hot_put(*state, &fourth, NOW_US - 5); /* read earlier, but later in the ledger */
    assert_version(*state, 7, NOW_US, 4);
    hot_put(*state, &third, NOW_US + 10);
    hot_put(*state, &second, NOW_US + 20);
    assert_version(*state, 7, NOW_US + 20, 4);
}

static void equal_version_refreshes_unless_it_was_read_earlier(void **state)
{
    struct card card = make_card(7, 3);
    struct hot_value value;
    hot_put(*state, &card, NOW_US);
    hot_put(*state, &card, NOW_US + 50 * SECOND_US);
    assert_version(*state, 7, NOW_US + 100 * SECOND_US, 3);
    card.status = CARD_DISABLED;
    hot_put(*state, &card, NOW_US + 10 * SECOND_US);
    assert_true(get(*state, 7, NOW_US + 100 * SECOND_US, &value));
    assert_int_equal(value.card.status, CARD_ACTIVE);
}

static void entry_older_than_its_time_to_live_is_not_returned(void **state)
{
    struct card card = make_card(7, 3);
    hot_put(*state, &card, NOW_US);
    assert_version(*state, 7, NOW_US + HOT_TTL_US - 1, 3);
    assert_miss(*state, 7, NOW_US + HOT_TTL_US);
}

static void removed_card_is_a_miss_until_it_is_read_again(void **state)
{
    struct card card = make_card(7, 3);
    hot_put(*state, &card, NOW_US);
    remove_card(*state, 7, 3, NOW_US + 10);
    assert_miss(*state, 7, NOW_US + 10);
    hot_put(*state, &card, NOW_US + 9); /* was read before the removal: late */
    assert_miss(*state, 7, NOW_US + 20);
    hot_put(*state, &card, NOW_US + 10);
    assert_version(*state, 7, NOW_US + 20, 3);
}

static void removal_of_a_card_that_is_not_there_still_counts(void **state)
{
    struct card card = make_card(7, 3);
    remove_card(*state, 7, 3, NOW_US + 10);
    hot_put(*state, &card, NOW_US + 9);
    assert_miss(*state, 7, NOW_US + 20);
    struct card next = make_card(7, 4);
    hot_put(*state, &next, NOW_US + 9); /* a later version is news, however it was read */
    assert_version(*state, 7, NOW_US + 20, 4);
}

static void removal_never_lowers_the_version(void **state)
{
    struct card fifth = make_card(7, 5), fourth = make_card(7, 4);
    hot_put(*state, &fifth, NOW_US);
    remove_card(*state, 7, 3, NOW_US + 10);
    assert_miss(*state, 7, NOW_US + 10);
    hot_put(*state, &fourth, NOW_US + 20);
    assert_miss(*state, 7, NOW_US + 20);
    hot_put(*state, &fifth, NOW_US + 20);
    assert_version(*state, 7, NOW_US + 20, 5);
}

static void full_table_forgets_the_oldest_and_stays_right(void **state)
{
    struct hot *hot;
    struct hot_value value;
    (void)state;
    assert_int_equal(suite_create(64, &hot), 0);
    for (uint64_t i = 1; i <= 1000; i++) {
        struct card card = make_card(i, (int64_t)i);
        hot_put(hot, &card, NOW_US + (int64_t)i);
        assert_version(hot, i, NOW_US + 1000, (int64_t)i); /* the newest is always there */
    }
    int found = 0;
    for (uint64_t i = 1; i <= 1000; i++) {
        if (!get(hot, i, NOW_US + 1000, &value))
            continue;
        found++;
        assert_int_equal(value.card.id, i);
        assert_int_equal(value.card.version, i);
    }
    assert_true(found > 32 && found <= 64);
    struct hot_counters counters;
    hot_read_counters(hot, &counters);
    assert_int_equal(counters.puts, 1000);
    assert_int_equal(counters.evictions, 1000 - found);
    hot_destroy(hot);
}

static void flood_of_puts_does_not_wash_a_removal_away(void **state)
{
    struct hot *hot;
    (void)state;
    assert_int_equal(suite_create(8, &hot), 0);
    remove_card(hot, 7, 3, NOW_US);
    for (uint64_t i = 100; i < 400; i++) {
        struct card card = make_card(i, 1);
        hot_put(hot, &card, NOW_US + SECOND_US);
    }
    struct card late = make_card(7, 3);
    hot_put(hot, &late, NOW_US - 1);
    assert_miss(hot, 7, NOW_US + SECOND_US);
    for (uint64_t i = 400; i < 500; i++) { /* when it has expired it may go */
        struct card card = make_card(i, 1);
        hot_put(hot, &card, NOW_US + HOT_TTL_US);
        assert_version(hot, i, NOW_US + HOT_TTL_US, 1);
    }
    hot_destroy(hot);
}

static void counters_count(void **state)
{
    struct hot_counters counters;
    struct card card = make_card(7, 3);
    assert_miss(*state, 7, NOW_US);
    hot_put(*state, &card, NOW_US);
    hot_put(*state, &card, NOW_US - 1); /* ignored: not counted */
    assert_version(*state, 7, NOW_US, 3);
    assert_version(*state, 7, NOW_US, 3);
    assert_miss(*state, 7, NOW_US + HOT_TTL_US);
    hot_read_counters(*state, &counters);
    assert_int_equal(counters.hits, 2);
    assert_int_equal(counters.misses, 2);
    assert_int_equal(counters.puts, 1);
    assert_int_equal(counters.evictions, 0);
}

/* --- many threads on few cards: what is read is whole, and versions never fall --- */

#define THREADS 4
#define ROUNDS 20000
#define CARDS 8

struct shared {
    struct hot *hot;
    _Atomic int64_t version[CARDS]; /* committed */
    _Atomic bool is_wrong;
};

static void *write_cards(void *argument)
{
    struct shared *shared = argument;
    for (int i = 0; i < ROUNDS; i++) {
        uint64_t number = (uint64_t)i % CARDS;
        int64_t version = atomic_fetch_add(&shared->version[number], 1) + 1;
        struct card card = make_card(number, version);
        hot_put(shared->hot, &card, NOW_US + i);
        if (i % 97 == 0)
            remove_card(shared->hot, number, version, NOW_US + i);
    }
    return NULL;
}

static void *read_cards(void *argument)
{
    struct shared *shared = argument;
    int64_t last[CARDS] = {0};
    for (int i = 0; i < ROUNDS; i++) {
        uint64_t number = (uint64_t)i % CARDS;
        struct hot_value value;
        if (!get(shared->hot, number, NOW_US + ROUNDS, &value))
            continue;
        bool is_torn = value.card.id != (int64_t)number ||
                       value.card.balance_minor != value.card.version * 100;
        bool is_invented = value.card.version > atomic_load(&shared->version[number]);
        if (is_torn || is_invented || value.card.version < last[number])
            atomic_store(&shared->is_wrong, true);
        last[number] = value.card.version;
    }
    return NULL;
}

static void threads_never_see_a_version_fall(void **state)
{
    struct shared shared = {.hot = *state};
    pthread_t threads[2 * THREADS];
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[2 * i], NULL, write_cards, &shared), 0);
        assert_int_equal(pthread_create(&threads[2 * i + 1], NULL, read_cards, &shared), 0);
    }
    for (int i = 0; i < 2 * THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_false(shared.is_wrong);
    struct hot_counters counters;
    hot_read_counters(shared.hot, &counters);
    assert_true(counters.hits > 0);
    assert_int_equal(counters.hits + counters.misses, THREADS * ROUNDS);
}

#define TEST_CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

static const struct CMUnitTest conformance[] = {
    TEST_CASE(unknown_card_is_a_miss),
    TEST_CASE(put_card_is_found_with_what_a_look_up_needs),
    TEST_CASE(card_of_another_tenant_is_not_found),
    TEST_CASE(greater_version_replaces_and_lower_is_ignored),
    TEST_CASE(equal_version_refreshes_unless_it_was_read_earlier),
    TEST_CASE(entry_older_than_its_time_to_live_is_not_returned),
    TEST_CASE(removed_card_is_a_miss_until_it_is_read_again),
    TEST_CASE(removal_of_a_card_that_is_not_there_still_counts),
    TEST_CASE(removal_never_lowers_the_version),
    TEST_CASE(full_table_forgets_the_oldest_and_stays_right),
    TEST_CASE(flood_of_puts_does_not_wash_a_removal_away),
    TEST_CASE(counters_count),
    TEST_CASE(threads_never_see_a_version_fall),
};

int main(void)
{
    static const struct {
        const char *name;
        create_fn create;
    } implementations[] = {{"memory", hot_memory_create}};
    int failed = 0;
    for (size_t i = 0; i < COUNT_OF(implementations); i++) {
        suite_name = implementations[i].name;
        suite_create = implementations[i].create;
        failed +=
            _cmocka_run_group_tests(suite_name, conformance, COUNT_OF(conformance), NULL, NULL);
    }
    return failed;
}
