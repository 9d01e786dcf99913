/*
 * Hot balances: one conformance suite for every implementation of store/hot.h. Another one joins
 * by a line in the table at the end.
 */
#include "tests/store/redis_party.h"

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

/* What the suite does to a tier, whichever it is. */
struct tier {
    const char *name;
    void (*set_up)(void);
    void (*tear_down)(void);
    void (*put)(const struct card *card, int64_t read_at_us);
    void (*remove)(int64_t tenant_id, const uint8_t index[CARD_INDEX_BYTES], int64_t version,
                   int64_t now_us);
    bool (*get)(int64_t tenant_id, const uint8_t index[CARD_INDEX_BYTES], int64_t now_us,
                struct hot_value *value);
};
static const struct tier *tier;

static int setup(void **state)
{
    (void)state;
    tier->set_up();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    tier->tear_down();
    return 0;
}

/* --- the memory tier */

static struct hot *memory;

static bool memory_get_of(struct hot *hot, int64_t tenant_id, const uint8_t index[CARD_INDEX_BYTES],
                          int64_t now_us, struct hot_value *value)
{
    return hot_ask(hot, NULL, tenant_id, index, now_us, NULL, value) == HOT_HIT;
}

static void memory_set_up(void)
{
    assert_int_equal(hot_memory_create(4096, HOT_TTL_US, &memory), 0);
}

static void memory_tear_down(void)
{
    hot_destroy(memory);
}

static void memory_put(const struct card *card, int64_t read_at_us)
{
    hot_put(memory, card, read_at_us);
}

static void memory_remove(int64_t tenant_id, const uint8_t index[CARD_INDEX_BYTES], int64_t version,
                          int64_t now_us)
{
    hot_remove(memory, tenant_id, index, version, now_us);
}

static bool memory_get(int64_t tenant_id, const uint8_t index[CARD_INDEX_BYTES], int64_t now_us,
                       struct hot_value *value)
{
    return memory_get_of(memory, tenant_id, index, now_us, value);
}

static const struct tier memory_tier = {"memory",   memory_set_up, memory_tear_down,
                                        memory_put, memory_remove, memory_get};

/* --- the Redis tier: what one process commits, or reads from the store, another one is told */

static struct redis_process server;
static struct redis_party writer, reader;

static void redis_set_up(void)
{
    redis_party_init(&writer, &server, NOW_US - 1000 * SECOND_US);
    redis_party_init(&reader, &server, NOW_US - 1000 * SECOND_US);
    redis_party_generation++; /* what the test before has left is forgotten */
    redis_party_start(&writer);
    redis_party_start(&reader);
}

static void redis_tear_down(void)
{
    redis_party_finish(&writer);
    redis_party_finish(&reader);
}

static void redis_put(const struct card *card, int64_t read_at_us)
{
    redis_party_pass(read_at_us);
    hot_put(writer.hot, card, read_at_us);
    redis_party_await_delivery(&writer);
}

static void redis_fill(const struct card *card, int64_t read_at_us)
{
    redis_party_pass(read_at_us);
    hot_fill(reader.hot, reader.pumped.lane, card, read_at_us);
    uint8_t nobody[CARD_INDEX_BYTES] = {0};
    struct hot_value value; /* answers come in order: after this one, it is there */
    assert_false(redis_party_ask(&reader, 1, nobody, read_at_us, &value));
}

static void redis_remove(int64_t tenant_id, const uint8_t index[CARD_INDEX_BYTES], int64_t version,
                         int64_t now_us)
{
    redis_party_pass(now_us);
    hot_remove(writer.hot, tenant_id, index, version, now_us);
    redis_party_await_delivery(&writer);
}

static bool redis_get(int64_t tenant_id, const uint8_t index[CARD_INDEX_BYTES], int64_t now_us,
                      struct hot_value *value)
{
    redis_party_pass(now_us);
    return redis_party_ask(&reader, tenant_id, index, now_us, value);
}

static const struct tier commit_tier = {"redis, of commits", redis_set_up, redis_tear_down,
                                        redis_put,           redis_remove, redis_get};
static const struct tier fill_tier = {"redis, of look-ups", redis_set_up, redis_tear_down,
                                      redis_fill,           redis_remove, redis_get};

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

static bool get(uint64_t number, int64_t now_us, struct hot_value *value)
{
    uint8_t index[CARD_INDEX_BYTES];
    fill_index(index, number);
    return tier->get(1, index, now_us, value);
}

static void put(const struct card *card, int64_t read_at_us)
{
    tier->put(card, read_at_us);
}

static void remove_card(uint64_t number, int64_t version, int64_t now_us)
{
    uint8_t index[CARD_INDEX_BYTES];
    fill_index(index, number);
    tier->remove(1, index, version, now_us);
}

/* Of a table of the test's own. */
static bool get_of(struct hot *hot, uint64_t number, int64_t now_us, struct hot_value *value)
{
    uint8_t index[CARD_INDEX_BYTES];
    fill_index(index, number);
    return memory_get_of(hot, 1, index, now_us, value);
}

static void assert_version_of(struct hot *hot, uint64_t number, int64_t now_us, int64_t version)
{
    struct hot_value value;
    assert_true(get_of(hot, number, now_us, &value));
    assert_int_equal(value.card.version, version);
    assert_int_equal(value.card.balance_minor, version * 100);
}

static void assert_version(uint64_t number, int64_t now_us, int64_t version)
{
    struct hot_value value;
    assert_true(get(number, now_us, &value));
    assert_int_equal(value.card.version, version);
    assert_int_equal(value.card.balance_minor, version * 100);
}

static void assert_miss(uint64_t number, int64_t now_us)
{
    struct hot_value value;
    assert_false(get(number, now_us, &value));
}

static void unknown_card_is_a_miss(void **state)
{
    (void)state;
    assert_miss(7, NOW_US);
}

static void put_card_is_found_with_what_a_look_up_needs(void **state)
{
    (void)state;
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
    put(&card, NOW_US);
    assert_true(get(7, NOW_US + 1, &value));
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
    (void)state;
    struct card card = make_card(7, 3);
    struct hot_value value;
    put(&card, NOW_US);
    assert_false(tier->get(2, card.index, NOW_US, &value));
    card.index[31] ^= 1; /* differs in the last byte only */
    assert_false(tier->get(1, card.index, NOW_US, &value));
}

static void greater_version_replaces_and_lower_is_ignored(void **state)
{
    (void)state;
    struct card third = make_card(7, 3), fourth = make_card(7, 4), second = make_card(7, 2);
    put(&third, NOW_US);
    put(&fourth, NOW_US - 5); /* read earlier, but later in the ledger */
    assert_version(7, NOW_US, 4);
    put(&third, NOW_US + 10);
    put(&second, NOW_US + 20);
    assert_version(7, NOW_US + 20, 4);
}

static void equal_version_refreshes_unless_it_was_read_earlier(void **state)
{
    (void)state;
    struct card card = make_card(7, 3);
    struct hot_value value;
    put(&card, NOW_US);
    put(&card, NOW_US + 50 * SECOND_US);
    assert_version(7, NOW_US + 100 * SECOND_US, 3);
    card.status = CARD_DISABLED;
    put(&card, NOW_US + 10 * SECOND_US);
    assert_true(get(7, NOW_US + 100 * SECOND_US, &value));
    assert_int_equal(value.card.status, CARD_ACTIVE);
}

static void entry_older_than_its_time_to_live_is_not_returned(void **state)
{
    (void)state;
    struct card card = make_card(7, 3);
    put(&card, NOW_US);
    assert_version(7, NOW_US + HOT_TTL_US - 1, 3);
    assert_miss(7, NOW_US + HOT_TTL_US);
}

static void removed_card_is_a_miss_until_it_is_read_again(void **state)
{
    (void)state;
    struct card card = make_card(7, 3);
    put(&card, NOW_US);
    remove_card(7, 3, NOW_US + 10);
    assert_miss(7, NOW_US + 10);
    put(&card, NOW_US + 9); /* was read before the removal: late */
    assert_miss(7, NOW_US + 20);
    put(&card, NOW_US + 10);
    assert_version(7, NOW_US + 20, 3);
}

static void removal_of_a_card_that_is_not_there_still_counts(void **state)
{
    (void)state;
    struct card card = make_card(7, 3);
    remove_card(7, 3, NOW_US + 10);
    put(&card, NOW_US + 9);
    assert_miss(7, NOW_US + 20);
    struct card next = make_card(7, 4);
    put(&next, NOW_US + 9); /* a later version is news, however it was read */
    assert_version(7, NOW_US + 20, 4);
}

static void removal_never_lowers_the_version(void **state)
{
    (void)state;
    struct card fifth = make_card(7, 5), fourth = make_card(7, 4);
    put(&fifth, NOW_US);
    remove_card(7, 3, NOW_US + 10);
    assert_miss(7, NOW_US + 10);
    put(&fourth, NOW_US + 20);
    assert_miss(7, NOW_US + 20);
    put(&fifth, NOW_US + 20);
    assert_version(7, NOW_US + 20, 5);
}

static void full_table_forgets_the_oldest_and_stays_right(void **state)
{
    struct hot *hot;
    struct hot_value value;
    (void)state;
    assert_int_equal(hot_memory_create(64, HOT_TTL_US, &hot), 0);
    for (uint64_t i = 1; i <= 1000; i++) {
        struct card card = make_card(i, (int64_t)i);
        hot_put(hot, &card, NOW_US + (int64_t)i);
        assert_version_of(hot, i, NOW_US + 1000, (int64_t)i); /* the newest is always there */
    }
    int found = 0;
    for (uint64_t i = 1; i <= 1000; i++) {
        if (!get_of(hot, i, NOW_US + 1000, &value))
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
    assert_int_equal(hot_memory_create(8, HOT_TTL_US, &hot), 0);
    struct card gone = make_card(7, 3);
    hot_remove(hot, 1, gone.index, 3, NOW_US);
    for (uint64_t i = 100; i < 400; i++) {
        struct card card = make_card(i, 1);
        hot_put(hot, &card, NOW_US + SECOND_US);
    }
    struct card late = make_card(7, 3);
    hot_put(hot, &late, NOW_US - 1);
    struct hot_value value;
    assert_false(get_of(hot, 7, NOW_US + SECOND_US, &value));
    for (uint64_t i = 400; i < 500; i++) { /* when it has expired it may go */
        struct card card = make_card(i, 1);
        hot_put(hot, &card, NOW_US + HOT_TTL_US);
        assert_version_of(hot, i, NOW_US + HOT_TTL_US, 1);
    }
    hot_destroy(hot);
}

static void counters_count(void **state)
{
    (void)state;
    struct hot_counters counters;
    struct card card = make_card(7, 3);
    assert_miss(7, NOW_US);
    put(&card, NOW_US);
    put(&card, NOW_US - 1); /* ignored: not counted */
    assert_version(7, NOW_US, 3);
    assert_version(7, NOW_US, 3);
    assert_miss(7, NOW_US + HOT_TTL_US);
    hot_read_counters(memory, &counters);
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
            hot_remove(shared->hot, 1, card.index, version, NOW_US + i);
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
        if (!get_of(shared->hot, number, NOW_US + ROUNDS, &value))
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
    (void)state;
    struct shared shared = {.hot = memory};
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
};

static void assert_rate(uint64_t hits, uint64_t misses, uint64_t skipped, const char *expected)
{
    const struct hot_counters counters = {.hits = hits, .misses = misses, .skipped = skipped};
    char bytes[32];
    struct text_buffer buffer;
    text_buffer_init(&buffer, bytes, sizeof(bytes));
    hot_append_rate(&counters, &buffer);
    assert_string_equal(bytes, expected);
}

static void the_hit_rate_is_a_share_of_all_look_ups(void **state)
{
    (void)state;
    assert_rate(0, 0, 0, "0.0000");
    assert_rate(0, 7, 0, "0.0000");
    assert_rate(7, 0, 0, "1.0000");
    assert_rate(1, 1, 1, "0.3333");
    assert_rate(2, 0, 1, "0.6666");
    assert_rate(99999, 1, 0, "0.9999");
    assert_rate(1, 99999, 0, "0.0000");
    assert_rate(UINT64_C(1) << 49, 0, UINT64_C(1) << 49, "0.5000");
}

static const struct CMUnitTest of_memory[] = {
    TEST_CASE(the_hit_rate_is_a_share_of_all_look_ups),
    TEST_CASE(full_table_forgets_the_oldest_and_stays_right),
    TEST_CASE(flood_of_puts_does_not_wash_a_removal_away),
    TEST_CASE(counters_count),
    TEST_CASE(threads_never_see_a_version_fall),
};

static int start_server(void **state)
{
    (void)state;
    redis_process_start(&server, "");
    return 0;
}

static int end_server(void **state)
{
    (void)state;
    redis_process_kill(&server);
    return 0;
}

#define RUN(tests, set_up, tear_down)                                                              \
    _cmocka_run_group_tests(tier->name, tests, COUNT_OF(tests), set_up, tear_down)

int main(void)
{
    static const struct tier *const shared[] = {&commit_tier, &fill_tier};
    tier = &memory_tier;
    int failed = RUN(conformance, NULL, NULL) + RUN(of_memory, NULL, NULL);
    for (size_t i = 0; i < COUNT_OF(shared); i++) {
        tier = shared[i];
        failed += RUN(conformance, start_server, end_server);
    }
    return failed;
}
