/*
 * Budgets of misses of several processes on one real Redis.
 */
#include "store/budget.h"
#include "tests/store/redis_process.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#define SECOND_US INT64_C(1000000)
#define NOW_US (1000 * SECOND_US)

static struct redis_process server;
static struct depot *depot;
static struct pumped_lane pumped;
static struct budget *here, *there, *stranger;

static struct budget *make_budget(uint8_t master)
{
    uint8_t key[SEAL_KEY_BYTES];
    struct seal *seal;
    struct budget *budget;
    memset(key, master, sizeof(key));
    assert_int_equal(seal_from_bytes(key, &seal), 0);
    assert_int_equal(budget_create(&budget), 0);
    budget_share(budget, seal);
    seal_destroy(seal);
    return budget;
}

static int set_up(void **state)
{
    struct place place = {.length = 0};
    (void)state;
    redis_process_start(&server, "");
    assert_int_equal(depot_create(&server.target, &depot), 0);
    redis_process_place(&server, &place);
    depot_put_place(depot, &place);
    pumped_lane_init(&pumped, depot, NOW_US);
    pumped_lane_await(&pumped);
    here = make_budget(1);
    there = make_budget(1);
    stranger = make_budget(2);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    pumped_lane_finish(&pumped);
    depot_destroy(depot);
    budget_destroy(here);
    budget_destroy(there);
    budget_destroy(stranger);
    redis_process_kill(&server);
    return 0;
}

static struct budget_keys keys_of(const struct budget *budget, uint8_t card, int64_t site)
{
    struct budget_keys keys;
    uint8_t index[32];
    memset(index, card, sizeof(index));
    budget_keys_fill(budget, &keys, 1, site, site, index, TEXT("6036280000012345"));
    return keys;
}

struct exchange_of {
    struct budget *budget;
    struct budget_keys keys;
    bool is_told, is_taken;
};

static void on_answer(void *context, const struct answer *answer)
{
    struct exchange_of *exchange = context;
    exchange->is_told = true;
    exchange->is_taken = answer != NULL && budget_share_take(exchange->budget, &exchange->keys,
                                                             answer, pumped.now_us);
}

static bool share(struct budget *budget, const struct budget_keys *keys, int32_t misses)
{
    struct exchange_of exchange = {.budget = budget, .keys = *keys};
    struct budget_text text;
    struct words words;
    budget_share_words(budget, lane_greeting(pumped.lane), keys, misses, &text, &words);
    assert_int_not_equal(lane_ask(pumped.lane, &words, pumped.now_us, on_answer, &exchange), 0);
    while (!exchange.is_told)
        pumped_lane_turn(&pumped, 10);
    return exchange.is_taken;
}

static void miss(struct budget *budget, const struct budget_keys *keys)
{
    (void)budget_take(budget, keys, pumped.now_us, NULL);
    assert_true(share(budget, keys, 1));
}

static bool is_exhausted(struct budget *budget, const struct budget_keys *keys,
                         enum budget_layer *layer)
{
    return budget_is_exhausted(budget, keys, pumped.now_us, layer);
}

static void misses_of_both_processes_lock_a_card_in_both(void **state)
{
    struct budget_keys a = keys_of(here, 7, 1), b = keys_of(there, 7, 2);
    enum budget_layer layer = BUDGET_LAYERS;
    (void)state;
    assert_memory_equal(&a.key[BUDGET_CARD], &b.key[BUDGET_CARD], sizeof(a.key[0]));
    for (int i = 0; i < 2; i++) {
        miss(here, &a);
        miss(there, &b);
    }
    assert_false(is_exhausted(here, &a, NULL));
    miss(here, &a); /* the fifth */
    assert_true(is_exhausted(here, &a, &layer));
    assert_int_equal(layer, BUDGET_CARD);
    assert_false(is_exhausted(there, &b, NULL)); /* it has not asked yet */
    assert_true(share(there, &b, 0));
    assert_true(is_exhausted(there, &b, &layer));
    assert_int_equal(layer, BUDGET_CARD);
    struct budget_keys other = keys_of(there, 8, 2);
    assert_true(share(there, &other, 0));
    assert_false(is_exhausted(there, &other, NULL)); /* nobody else is held back */
}

static void asking_takes_nothing(void **state)
{
    struct budget_keys keys = keys_of(here, 7, 1);
    (void)state;
    for (int i = 0; i < 100; i++)
        assert_true(share(here, &keys, 0));
    assert_false(is_exhausted(here, &keys, NULL));
    for (int i = 0; i < 4; i++)
        miss(here, &keys);
    assert_false(is_exhausted(here, &keys, NULL));
}

static void a_redis_that_has_forgotten_frees_nobody_here(void **state)
{
    struct budget_keys keys = keys_of(here, 7, 1);
    struct words words = {0};
    (void)state;
    for (int i = 0; i < 5; i++)
        miss(here, &keys);
    words_add(&words, TEXT("FLUSHALL"));
    redis_process_say(&server, &words, NULL, NULL);
    pumped_lane_turn(&pumped, 10);
    assert_true(share(here, &keys, 0));
    assert_true(is_exhausted(here, &keys, NULL));
}

static void what_redis_does_not_know_of_still_counts_here(void **state)
{
    struct budget_keys keys = keys_of(here, 7, 1);
    (void)state;
    for (int i = 0; i < 5; i++) /* while it was away */
        (void)budget_take(here, &keys, pumped.now_us, NULL);
    assert_true(share(there, &keys, 1));
    assert_true(share(here, &keys, 0));
    assert_true(is_exhausted(here, &keys, NULL));
}

static void a_bucket_never_owes_more_than_it_holds(void **state)
{
    struct budget_keys keys = keys_of(here, 7, 1);
    (void)state;
    assert_true(share(there, &keys, 1000)); /* a flood elsewhere */
    assert_true(share(here, &keys, 0));
    assert_true(is_exhausted(here, &keys, NULL));
    pumped.now_us += 181 * SECOND_US; /* one attempt of the card's is back */
    enum budget_layer layer;
    assert_false(is_exhausted(here, &keys, &layer));
}

static void stores_under_other_keys_have_other_buckets(void **state)
{
    struct budget_keys keys = keys_of(here, 7, 1), others = keys_of(stranger, 7, 1);
    (void)state;
    for (int i = 0; i < 5; i++)
        miss(here, &keys);
    assert_true(share(stranger, &others, 0));
    assert_false(is_exhausted(stranger, &others, NULL));
}

static void what_is_no_such_answer_changes_nothing(void **state)
{
    struct budget_keys keys = keys_of(here, 7, 1);
    struct answer items[BUDGET_LAYERS] = {{0}};
    (void)state;
    for (int i = 0; i < BUDGET_LAYERS; i++)
        items[i] = (struct answer){.kind = ANSWER_INTEGER, .integer = INT64_MAX};
    struct answer list = {.kind = ANSWER_LIST, .items = items, .count = BUDGET_LAYERS - 1};
    assert_false(budget_share_take(here, &keys, &list, NOW_US));
    list.count = BUDGET_LAYERS;
    items[4].integer = -1;
    assert_false(budget_share_take(here, &keys, &list, NOW_US));
    items[4] = (struct answer){.kind = ANSWER_TEXT};
    assert_false(budget_share_take(here, &keys, &list, NOW_US));
    const struct answer error = {.kind = ANSWER_ERROR, .text = TEXT("ERR")};
    assert_false(budget_share_take(here, &keys, &error, NOW_US));
    assert_false(is_exhausted(here, &keys, NULL));
    items[4] = items[0]; /* a lie, but one that is bounded */
    assert_true(budget_share_take(here, &keys, &list, NOW_US));
    assert_true(is_exhausted(here, &keys, NULL));
    pumped.now_us = NOW_US + 5 * 180 * SECOND_US;
    assert_false(is_exhausted(here, &keys, NULL));
}

#define TEST_CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_CASE(misses_of_both_processes_lock_a_card_in_both),
        TEST_CASE(asking_takes_nothing),
        TEST_CASE(a_redis_that_has_forgotten_frees_nobody_here),
        TEST_CASE(what_redis_does_not_know_of_still_counts_here),
        TEST_CASE(a_bucket_never_owes_more_than_it_holds),
        TEST_CASE(stores_under_other_keys_have_other_buckets),
        TEST_CASE(what_is_no_such_answer_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
