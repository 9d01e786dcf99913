/*
 * Arrays for PostgreSQL, byte by byte: as array_send writes them. (That a server reads them so is
 * what test_postgres_fetch.c shows with every batch.)
 */
#include "store/postgres_array.h"

#include "base/check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void on_failed_check(const char *expression, const char *file, int line)
{
    mock_assert(0, expression, file, line);
}

static void assert_bytes(struct postgres_array *array, const uint8_t *wanted, size_t wanted_size)
{
    size_t size;
    const uint8_t *bytes = postgres_array_encode(array, &size);
    assert_non_null(bytes);
    assert_int_equal(size, wanted_size);
    assert_memory_equal(bytes, wanted, wanted_size);
}

static void integers_are_big_endian_behind_a_header_of_one_dimension(void **state)
{
    /* SELECT encode(array_send(ARRAY[1, -2, 9223372036854775807]::bigint[]), 'hex') */
    static const uint8_t wanted[] = {0,    0,    0,    1,    0,    0,    0,    0,    0, 0, 0, 20,
                                     0,    0,    0,    3,    0,    0,    0,    1,    0, 0, 0, 8,
                                     0,    0,    0,    0,    0,    0,    0,    1,    0, 0, 0, 8,
                                     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe, 0, 0, 0, 8,
                                     0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    struct postgres_array array = {0};
    (void)state;
    postgres_array_clear(&array, POSTGRES_INT8);
    postgres_array_add_int(&array, 1);
    postgres_array_add_int(&array, -2);
    postgres_array_add_int(&array, INT64_MAX);
    assert_bytes(&array, wanted, sizeof(wanted));
    assert_int_equal(postgres_array_type(&array), POSTGRES_INT8_ARRAY);
    postgres_array_finish(&array);
}

static void bytes_keep_their_zeros_and_may_be_none(void **state)
{
    /* SELECT encode(array_send(ARRAY['\x00ff', '']::bytea[]), 'hex') */
    static const uint8_t wanted[] = {0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0,    17, 0, 0, 0,
                                     2, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0xff, 0,  0, 0, 0};
    static const uint8_t bytes[] = {0, 0xff};
    struct postgres_array array = {0};
    (void)state;
    postgres_array_clear(&array, POSTGRES_BYTEA);
    postgres_array_add_bytes(&array, bytes, sizeof(bytes));
    postgres_array_add_bytes(&array, NULL, 0);
    assert_bytes(&array, wanted, sizeof(wanted));
    assert_int_equal(postgres_array_type(&array), POSTGRES_BYTEA_ARRAY);
    postgres_array_finish(&array);
}

static void rows_carry_the_type_of_each_column(void **state)
{
    /* CREATE TYPE two AS (a bigint, b bigint); with 0x10203 as its number
     * SELECT encode(array_send(ARRAY[ROW(1, -2), ROW(3, 4)]::two[]), 'hex') */
    static const uint8_t wanted[] = {
        0, 0, 0, 1,  0, 0, 0, 0,  0, 1, 2, 3,  0,    0,    0,    2,    0,    0,    0,    1,
        0, 0, 0, 36, 0, 0, 0, 2,  0, 0, 0, 20, 0,    0,    0,    8,    0,    0,    0,    0,
        0, 0, 0, 1,  0, 0, 0, 20, 0, 0, 0, 8,  0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe,
        0, 0, 0, 36, 0, 0, 0, 2,  0, 0, 0, 20, 0,    0,    0,    8,    0,    0,    0,    0,
        0, 0, 0, 3,  0, 0, 0, 20, 0, 0, 0, 8,  0,    0,    0,    0,    0,    0,    0,    4};
    static const struct postgres_row_type two = {0x10203, 0x10204, 2};
    static const int64_t values[] = {1, -2, 3, 4};
    struct postgres_array array = {0};
    (void)state;
    postgres_array_clear_rows(&array, &two);
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
        postgres_array_add_int(&array, values[i]);
    assert_bytes(&array, wanted, sizeof(wanted));
    assert_int_equal(postgres_array_type(&array), 0x10204);
    postgres_array_clear(&array, POSTGRES_INT8); /* and is used for something else */
    assert_int_equal(postgres_array_type(&array), POSTGRES_INT8_ARRAY);
    postgres_array_finish(&array);
}

static void an_array_of_nothing_has_no_dimension(void **state)
{
    /* SELECT encode(array_send(ARRAY[]::text[]), 'hex') */
    static const uint8_t wanted[] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 25};
    struct postgres_array array = {0};
    (void)state;
    postgres_array_clear(&array, POSTGRES_TEXT);
    assert_bytes(&array, wanted, sizeof(wanted));
    assert_int_equal(postgres_array_type(&array), POSTGRES_TEXT_ARRAY);
    postgres_array_finish(&array);
}

static void an_array_is_used_again_after_it_grew(void **state)
{
    static const uint8_t wanted[] = {0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 25,  0,
                                     0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 2, 'o', 'k'};
    struct postgres_array array = {0};
    size_t size;
    (void)state;
    postgres_array_clear(&array, POSTGRES_INT8);
    for (int64_t i = 0; i < 100000; i++)
        postgres_array_add_int(&array, i);
    const uint8_t *bytes = postgres_array_encode(&array, &size);
    assert_int_equal(size, 20 + 12 * 100000);
    static const uint8_t last[] = {0, 0, 0, 8, 0, 0, 0, 0, 0, 1, 0x86, 0x9f};
    assert_memory_equal(bytes + size - 12, last, sizeof(last));
    postgres_array_clear(&array, POSTGRES_TEXT);
    postgres_array_add_bytes(&array, "ok", 2);
    assert_bytes(&array, wanted, sizeof(wanted));
    postgres_array_finish(&array);
}

static void values_of_another_type_are_a_bug(void **state)
{
    struct postgres_array array = {0};
    (void)state;
    expect_assert_failure(postgres_array_add_int(&array, 1)); /* never cleared */
    postgres_array_clear(&array, POSTGRES_BYTEA);
    expect_assert_failure(postgres_array_add_int(&array, 1));
    postgres_array_clear(&array, POSTGRES_INT8);
    expect_assert_failure(postgres_array_add_bytes(&array, "", 0));
    postgres_array_finish(&array);
}

int main(void)
{
    check_hook = on_failed_check;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers_are_big_endian_behind_a_header_of_one_dimension),
        cmocka_unit_test(bytes_keep_their_zeros_and_may_be_none),
        cmocka_unit_test(rows_carry_the_type_of_each_column),
        cmocka_unit_test(an_array_of_nothing_has_no_dimension),
        cmocka_unit_test(an_array_is_used_again_after_it_grew),
        cmocka_unit_test(values_of_another_type_are_a_bug),
    };
    return cmocka_run_group_tests_name("postgres array", tests, NULL, NULL);
}
