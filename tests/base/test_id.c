/* Random identifiers and Luhn arithmetic. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/id.h"

#include "base/banned.h"

static void hook(const char *expression, const char *file, int line)
{
    mock_assert(0, expression, file, line);
}

static void luhn_takes_known_good_numbers(void **state)
{
    (void)state;
    const char *const good[] = {
        "79927398713", "4111111111111111", "378282246310005", "6011000990139424", "0", "18"};
    for (size_t i = 0; i < COUNT_OF(good); i++)
        assert_true(id_luhn_is_valid(text_of(good[i])));
}

static void luhn_refuses_every_other_check_digit(void **state)
{
    (void)state;
    char number[] = "79927398710";
    for (int digit = '0'; digit <= '9'; digit++) {
        number[10] = (char)digit;
        assert_int_equal(id_luhn_is_valid(text_of(number)), digit == '3');
    }
}

static void luhn_sees_one_wrong_digit_and_a_swap_of_neighbours(void **state)
{
    (void)state;
    char number[] = "4111111111111111";
    for (size_t i = 0; i < 16; i++) {
        char right = number[i];
        for (int digit = '0'; digit <= '9'; digit++) {
            number[i] = (char)digit;
            assert_int_equal(id_luhn_is_valid(text_of(number)), digit == right);
        }
        number[i] = right;
    }
    assert_false(id_luhn_is_valid(TEXT("1411111111111111")));
}

static void luhn_refuses_what_is_no_number(void **state)
{
    (void)state;
    const struct text bad[] = {TEXT(""),    TEXT("7992739871a"), TEXT("7992-7398713"),
                               TEXT(" 18"), TEXT("１８"),        {NULL, 0}};
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_false(id_luhn_is_valid(bad[i]));
}

static void keys_are_32_hex_digits_and_differ(void **state)
{
    (void)state;
    char a[ID_KEY_CHARS + 1];
    char b[ID_KEY_CHARS + 1];
    id_key_generate(id_source_system(), a);
    id_key_generate(id_source_system(), b);
    assert_int_equal(strlen(a), ID_KEY_CHARS);
    assert_int_equal(strspn(a, "0123456789abcdef"), ID_KEY_CHARS);
    assert_string_not_equal(a, b);
}

/* splitmix64 of seed 1234567: the reference values of the published generator. */
static void seeded_source_is_splitmix64(void **state)
{
    (void)state;
    uint64_t seed = 1234567;
    struct id_source source = id_source_seeded(&seed);
    uint64_t words[3];
    source.fill(source.context, (uint8_t *)words, sizeof(words));
    assert_true(words[0] == UINT64_C(6457827717110365317));
    assert_true(words[1] == UINT64_C(3203168211198807973));
    assert_true(words[2] == UINT64_C(9817491932198370423));
}

static void seeded_source_repeats_itself(void **state)
{
    (void)state;
    char a[ID_KEY_CHARS + 1];
    char b[ID_KEY_CHARS + 1];
    uint64_t seed = 7;
    id_key_generate(id_source_seeded(&seed), a);
    seed = 7;
    id_key_generate(id_source_seeded(&seed), b);
    assert_string_equal(a, b);
    id_key_generate(id_source_seeded(&seed), b);
    assert_string_not_equal(a, b);
}

static void card_numbers_have_prefix_length_and_luhn_digit(void **state)
{
    (void)state;
    uint64_t seed = 99;
    for (int i = 0; i < 2000; i++) {
        char number[17];
        id_card_number_generate(id_source_seeded(&seed), TEXT("603628"), 16, number);
        assert_int_equal(strlen(number), 16);
        assert_memory_equal(number, "603628", 6);
        assert_true(id_luhn_is_valid(text_of(number)));
    }
    char number[5];
    id_card_number_generate(id_source_seeded(&seed), TEXT("123"), 4, number);
    assert_string_equal(number, "1230");
    id_card_number_generate(id_source_seeded(&seed), TEXT(""), 1, number);
    assert_string_equal(number, "0");
}

/* 90,000 random digits: each comes up 9,000 times, give or take 6 standard deviations (90). */
static void card_number_digits_are_evenly_spread(void **state)
{
    (void)state;
    uint64_t seed = 3;
    int count[10] = {0};
    for (int i = 0; i < 9000; i++) {
        char number[12];
        id_card_number_generate(id_source_seeded(&seed), TEXT(""), 11, number);
        for (int at = 0; at < 10; at++)
            count[number[at] - '0']++;
    }
    for (int digit = 0; digit < 10; digit++)
        assert_in_range(count[digit], 9000 - 540, 9000 + 540);
}

static void fill_descending(void *context, uint8_t *out, size_t size)
{
    uint8_t *next = context;
    for (size_t i = 0; i < size; i++)
        out[i] = (*next)--;
}

/* Bytes 255..250 would favour the digits 0..5. */
static void bytes_that_would_skew_the_digits_are_thrown_away(void **state)
{
    (void)state;
    uint8_t next = 255;
    char number[4];
    id_card_number_generate((struct id_source){fill_descending, &next}, TEXT(""), 3, number);
    assert_int_equal(number[0], '9'); /* 249, the first byte that counts */
    assert_int_equal(number[1], '8');
}

/* Calls that must fail a CHECK stand in functions of their own: what lives beside setjmp may be
 * clobbered. */
static void generate(struct text prefix, size_t length)
{
    uint64_t seed = 1;
    char number[17];
    id_card_number_generate(id_source_seeded(&seed), prefix, length, number);
}

static void card_numbers_refuse_bad_wishes(void **state)
{
    (void)state;
    static const struct text four = {"1234", 4};
    static const struct text none = {"", 0};
    static const struct text letter = {"12a", 3};
    generate(four, 5);
    expect_assert_failure(generate(four, 4));
    expect_assert_failure(generate(none, 0));
    expect_assert_failure(generate(letter, 16));
}

int main(void)
{
    check_hook = hook;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(luhn_takes_known_good_numbers),
        cmocka_unit_test(luhn_refuses_every_other_check_digit),
        cmocka_unit_test(luhn_sees_one_wrong_digit_and_a_swap_of_neighbours),
        cmocka_unit_test(luhn_refuses_what_is_no_number),
        cmocka_unit_test(keys_are_32_hex_digits_and_differ),
        cmocka_unit_test(seeded_source_is_splitmix64),
        cmocka_unit_test(seeded_source_repeats_itself),
        cmocka_unit_test(card_numbers_have_prefix_length_and_luhn_digit),
        cmocka_unit_test(card_number_digits_are_evenly_spread),
        cmocka_unit_test(bytes_that_would_skew_the_digits_are_thrown_away),
        cmocka_unit_test(card_numbers_refuse_bad_wishes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
