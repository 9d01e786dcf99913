/* Ids of cards by index: what is told, and what is not. */
#include "store/card_ids.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static int setup(void **state)
{
    *state = card_ids_create();
    return *state == NULL ? -1 : 0;
}

static int teardown(void **state)
{
    card_ids_destroy(*state);
    return 0;
}

static void index_make(uint8_t index[CARD_INDEX_BYTES], uint64_t first)
{
    memset(index, 7, CARD_INDEX_BYTES);
    memcpy(index, &first, sizeof(first));
}

static void id_is_told_of_the_index_it_was_noted_for(void **state)
{
    uint8_t noted[CARD_INDEX_BYTES], other[CARD_INDEX_BYTES];
    index_make(noted, UINT64_C(0x1234567800000001));
    index_make(other, UINT64_C(0x1234567900000001));
    assert_int_equal(card_ids_find(*state, noted), 0);
    card_ids_note(*state, noted, 42);
    assert_int_equal(card_ids_find(*state, noted), 42);
    card_ids_note(*state, other, 43);
    assert_int_equal(card_ids_find(*state, other), 43);
}

static void newer_card_takes_the_place_of_one_that_shares_it(void **state)
{
    uint8_t older[CARD_INDEX_BYTES], newer[CARD_INDEX_BYTES];
    index_make(older, UINT64_C(0x1111110000000001));
    index_make(newer, UINT64_C(0x2222220000000001));
    card_ids_note(*state, older, 1);
    assert_int_equal(card_ids_find(*state, newer), 0);
    card_ids_note(*state, newer, 2);
    assert_int_equal(card_ids_find(*state, newer), 2);
    assert_int_equal(card_ids_find(*state, older), 0);
}

static void id_that_has_no_room_in_a_word_is_not_noted(void **state)
{
    uint8_t index[CARD_INDEX_BYTES];
    index_make(index, UINT64_C(0x1234567800000001));
    card_ids_note(*state, index, (INT64_C(1) << 40) - 1);
    assert_int_equal(card_ids_find(*state, index), (INT64_C(1) << 40) - 1);
    card_ids_note(*state, index, INT64_C(1) << 40);
    card_ids_note(*state, index, 0);
    card_ids_note(*state, index, -1);
    assert_int_equal(card_ids_find(*state, index), (INT64_C(1) << 40) - 1);
}

#define TEST_CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_CASE(id_is_told_of_the_index_it_was_noted_for),
        TEST_CASE(newer_card_takes_the_place_of_one_that_shares_it),
        TEST_CASE(id_that_has_no_room_in_a_word_is_not_noted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
