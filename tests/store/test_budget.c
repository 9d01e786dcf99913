/*
 * Budgets of misses: how many guesses each layer allows, how it refills, and that floods cannot
 * free whoever is held back.
 */
#include "store/budget.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <string.h>

#define SECOND_US INT64_C(1000000)
#define NOW_US (1000 * SECOND_US)

static int setup(void **state)
{
    struct budget *budget;
    assert_int_equal(budget_create(&budget), 0);
    *state = budget;
    return 0;
}

static int teardown(void **state)
{
    budget_destroy(*state);
    return 0;
}

struct guess {
    int64_t tenant_id, site_id, register_id;
    uint64_t card;
    const char *number;
};

static struct budget_keys keys_of(const struct budget *budget, struct guess guess)
{
    struct budget_keys keys;
    uint8_t index[32] = {0};
    memcpy(index, &guess.card, sizeof(guess.card));
    budget_keys_fill(budget, &keys, guess.tenant_id, guess.site_id, guess.register_id, index,
                     text_of(guess.number));
    return keys;
}

static bool is_exhausted(struct budget *budget, struct guess guess, int64_t now_us,
                         enum budget_layer *layer)
{
    struct budget_keys keys = keys_of(budget, guess);
    return budget_is_exhausted(budget, &keys, now_us, layer);
}

static bool take(struct budget *budget, struct guess guess, int64_t now_us,
                 enum budget_layer *layer)
{
    struct budget_keys keys = keys_of(budget, guess);
    return budget_take(budget, &keys, now_us, layer);
}

/* A guess that shares nothing with another one but what is left alone; i makes it its own. */
static struct guess fresh_guess(uint64_t i)
{
    static char numbers[512][17];
    struct guess guess = {.tenant_id = 1000 + (int64_t)i,
                          .site_id = (int64_t)i,
                          .register_id = (int64_t)i,
                          .card = i};
    char *number = numbers[i % 512];
    for (int digit = 0; digit < 16; digit++)
        number[digit] = (char)('0' + (i >> (digit % 8 * 3)) % 8);
    number[16] = '\0';
    guess.number = number;
    return guess;
}

static void nobody_is_held_back_at_first(void **state)
{
    struct guess guess = {1, 2, 3, 4, "6000000000000001"};
    assert_false(is_exhausted(*state, guess, NOW_US, NULL));
    assert_false(is_exhausted(*state, guess, 0, NULL));
}

static void names_are_told(void **state)
{
    (void)state;
    assert_string_equal(budget_layer_name(BUDGET_CARD), "card");
    assert_string_equal(budget_layer_name(BUDGET_REGISTER), "register");
    assert_string_equal(budget_layer_name(BUDGET_SITE), "site");
    assert_string_equal(budget_layer_name(BUDGET_PREFIX), "prefix");
    assert_string_equal(budget_layer_name(BUDGET_TENANT), "tenant");
}

/*
 * Misses until the layer named is empty. vary changes everything that the layer does not count by.
 * The guesses come at one moment, so no token comes back meanwhile.
 */
static void assert_layer(struct budget *budget, enum budget_layer layer, int tokens,
                         int64_t period_us, struct guess (*vary)(uint64_t i))
{
    enum budget_layer told = BUDGET_LAYERS;
    for (int i = 0; i < tokens - 1; i++) {
        assert_false(take(budget, vary((uint64_t)i), NOW_US, &told));
        assert_false(is_exhausted(budget, vary((uint64_t)i + 1), NOW_US, NULL));
    }
    assert_true(take(budget, vary((uint64_t)tokens), NOW_US, &told));
    assert_int_equal(told, layer);
    assert_int_equal(budget_trips(budget, layer), 1);
    told = BUDGET_LAYERS;
    assert_true(is_exhausted(budget, vary(300), NOW_US, &told));
    assert_int_equal(told, layer);
    assert_false(take(budget, vary(301), NOW_US, &told)); /* a trip is told once */
    assert_true(is_exhausted(budget, vary(302), NOW_US + period_us - 1, NULL));
    assert_false(is_exhausted(budget, vary(302), NOW_US + period_us, NULL)); /* one is back */
    assert_true(take(budget, vary(303), NOW_US + period_us, &told));         /* and gone */
    assert_int_equal(told, layer);
    assert_true(is_exhausted(budget, vary(304), NOW_US + period_us, NULL));
    assert_false(is_exhausted(budget, vary(304), NOW_US + tokens * period_us + period_us, NULL));
    assert_int_equal(budget_trips(budget, layer), 2);
}

static struct guess same_card(uint64_t i)
{
    struct guess guess = fresh_guess(i);
    guess.tenant_id = 1;
    guess.card = 4;
    guess.register_id = (int64_t)i;
    return guess;
}

static struct guess same_register(uint64_t i)
{
    struct guess guess = fresh_guess(i);
    guess.tenant_id = 1;
    guess.site_id = 2;
    guess.register_id = 3;
    return guess;
}

static struct guess same_site(uint64_t i)
{
    struct guess guess = fresh_guess(i);
    guess.tenant_id = 1;
    guess.site_id = 2;
    return guess;
}

static struct guess same_prefix(uint64_t i)
{
    struct guess guess = fresh_guess(i);
    guess.tenant_id = 1;
    guess.number = i % 2 == 0 ? "6000000000000001" : "6000000099999999";
    return guess;
}

static struct guess same_tenant(uint64_t i)
{
    struct guess guess = fresh_guess(i);
    guess.tenant_id = 1;
    return guess;
}

static void card_allows_five_and_refills_in_three_minutes(void **state)
{
    assert_layer(*state, BUDGET_CARD, 5, 180 * SECOND_US, same_card);
}

static void register_allows_ten_and_refills_in_thirty_seconds(void **state)
{
    assert_layer(*state, BUDGET_REGISTER, 10, 30 * SECOND_US, same_register);
}

static void site_allows_forty_and_refills_in_ten_seconds(void **state)
{
    assert_layer(*state, BUDGET_SITE, 40, 10 * SECOND_US, same_site);
}

static void prefix_allows_sixty_and_refills_in_ten_seconds(void **state)
{
    assert_layer(*state, BUDGET_PREFIX, 60, 10 * SECOND_US, same_prefix);
}

static void tenant_allows_two_hundred_and_refills_in_two_seconds(void **state)
{
    assert_layer(*state, BUDGET_TENANT, 200, 2 * SECOND_US, same_tenant);
}

static void others_are_not_held_back(void **state)
{
    struct guess guesser = {1, 2, 3, 4, "6000000000000001"};
    struct guess other_tenant = {2, 2, 3, 4, "6000000000000001"};
    struct guess other_card = {1, 2, 4, 5, "7000000000000001"};
    for (int i = 0; i < 5; i++)
        take(*state, guesser, NOW_US, NULL);
    assert_true(is_exhausted(*state, guesser, NOW_US, NULL));
    assert_false(is_exhausted(*state, other_tenant, NOW_US, NULL));
    assert_false(is_exhausted(*state, other_card, NOW_US, NULL));
}

static void narrowest_empty_layer_is_named(void **state)
{
    struct guess guess = {1, 2, 3, 4, "6000000000000001"};
    enum budget_layer layer = BUDGET_LAYERS;
    for (int i = 0; i < 12; i++)
        take(*state, guess, NOW_US, NULL);
    assert_true(is_exhausted(*state, guess, NOW_US, &layer));
    assert_int_equal(layer, BUDGET_CARD);
    guess.card = 5;
    assert_true(is_exhausted(*state, guess, NOW_US, &layer));
    assert_int_equal(layer, BUDGET_REGISTER);
}

static void short_and_empty_numbers_have_a_prefix_of_their_own(void **state)
{
    struct budget_keys a = keys_of(*state, (struct guess){1, 2, 3, 4, ""});
    struct budget_keys b = keys_of(*state, (struct guess){1, 2, 3, 4, "12"});
    struct budget_keys c = keys_of(*state, (struct guess){1, 2, 3, 4, "123"});
    struct budget_keys d = keys_of(*state, (struct guess){1, 2, 3, 4, "12345678"});
    struct budget_keys e = keys_of(*state, (struct guess){1, 2, 3, 4, "1234567890"});
    assert_true(a.key[BUDGET_PREFIX] != b.key[BUDGET_PREFIX]);
    assert_true(b.key[BUDGET_PREFIX] != c.key[BUDGET_PREFIX]);
    assert_true(d.key[BUDGET_PREFIX] == e.key[BUDGET_PREFIX]);
    for (int i = 0; i < BUDGET_LAYERS; i++)
        for (int j = 0; j < i; j++)
            assert_true(a.key[i] != a.key[j]); /* layers never share a bucket */
}

static void keys_of_two_budgets_differ(void **state)
{
    struct budget *other;
    struct guess guess = {1, 2, 3, 4, "6000000000000001"};
    assert_int_equal(budget_create(&other), 0);
    struct budget_keys ours = keys_of(*state, guess);
    struct budget_keys theirs = keys_of(other, guess);
    for (int i = 0; i < BUDGET_LAYERS; i++)
        assert_true(ours.key[i] != theirs.key[i]); /* the hash is keyed */
    budget_destroy(other);
}

static void flood_of_fresh_misses_does_not_free_the_guesser(void **state)
{
    struct guess guesser = {1, 2, 3, 4, "6000000000000001"};
    for (int i = 0; i < 5; i++)
        take(*state, guesser, NOW_US, NULL);
    for (uint64_t i = 1; i <= 100000; i++) { /* five buckets each: several times the table */
        struct budget_keys keys;
        for (int layer = 0; layer < BUDGET_LAYERS; layer++)
            keys.key[layer] = (i * BUDGET_LAYERS + (uint64_t)layer) * UINT64_C(0x9e3779b97f4a7c15);
        budget_take(*state, &keys, NOW_US, NULL);
    }
    assert_true(is_exhausted(*state, guesser, NOW_US, NULL));
}

static void clock_that_stands_still_or_steps_back_frees_nobody(void **state)
{
    struct guess guesser = {1, 2, 3, 4, "6000000000000001"};
    for (int i = 0; i < 50; i++)
        take(*state, guesser, NOW_US, NULL);
    assert_true(is_exhausted(*state, guesser, NOW_US - SECOND_US, NULL));
    /* and never owes more than the bucket holds */
    assert_false(is_exhausted(*state, guesser, NOW_US + 180 * SECOND_US, NULL));
}

#define THREADS 4
#define TAKES 50

static void *take_many(void *budget)
{
    for (int i = 0; i < TAKES; i++) {
        struct guess guess = {1, 2, 3, 4, "6000000000000001"};
        take(budget, guess, NOW_US, NULL);
        (void)is_exhausted(budget, guess, NOW_US, NULL);
    }
    return NULL;
}

static void threads_trip_each_layer_once(void **state)
{
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, take_many, *state), 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    for (int layer = 0; layer < BUDGET_LAYERS; layer++)
        assert_int_equal(budget_trips(*state, (enum budget_layer)layer), 1);
}

#define TEST_CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_CASE(nobody_is_held_back_at_first),
        TEST_CASE(names_are_told),
        TEST_CASE(card_allows_five_and_refills_in_three_minutes),
        TEST_CASE(register_allows_ten_and_refills_in_thirty_seconds),
        TEST_CASE(site_allows_forty_and_refills_in_ten_seconds),
        TEST_CASE(prefix_allows_sixty_and_refills_in_ten_seconds),
        TEST_CASE(tenant_allows_two_hundred_and_refills_in_two_seconds),
        TEST_CASE(others_are_not_held_back),
        TEST_CASE(narrowest_empty_layer_is_named),
        TEST_CASE(short_and_empty_numbers_have_a_prefix_of_their_own),
        TEST_CASE(keys_of_two_budgets_differ),
        TEST_CASE(flood_of_fresh_misses_does_not_free_the_guesser),
        TEST_CASE(clock_that_stands_still_or_steps_back_frees_nobody),
        TEST_CASE(threads_trip_each_layer_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
