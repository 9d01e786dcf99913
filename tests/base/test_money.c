/* Decimal text to minor units and back, for exponents 0, 2 and 3; the currency table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/error.h"
#include "base/id.h"
#include "base/money.h"

#include "base/banned.h"

static void hook(const char *expression, const char *file, int line)
{
    mock_assert(0, expression, file, line);
}

#define UNTOUCHED INT64_C(-4242)

static void amounts_are_read_exactly(void **state)
{
    (void)state;
    const struct {
        const char *text;
        int exponent;
        int64_t amount_minor;
    } cases[] = {
        {"25.50", 2, 2550},
        {"25.5", 2, 2550},
        {"25", 2, 2500},
        {"0", 2, 0},
        {"-0", 2, 0},
        {"0.00", 2, 0},
        {"0.01", 2, 1},
        {"-0.01", 2, -1},
        {"-1", 2, -100},
        {"-3", 0, -3},
        {"300", 0, 300},
        {"300.000", 0, 300}, /* zeroes beyond the exponent say nothing new */
        {"1.500", 2, 150},
        {"1.5000000000000000000000000000000", 2, 150},
        {"1.234", 3, 1234},
        {"0.001", 3, 1},
        {"007.10", 2, 710},
        {"0.1", 2, 10}, /* what binary floating point cannot hold */
        {"0.29", 2, 29},
        {"1.15", 2, 115},
        {"4.35", 2, 435},
        {"1000000000000000", 0, MONEY_MAX_MINOR},
        {"10000000000000.00", 2, MONEY_MAX_MINOR},
        {"-10000000000000.00", 2, -MONEY_MAX_MINOR},
        {"1000000000000.000", 3, MONEY_MAX_MINOR},
        {"00000000000000000000000000000000000001", 2, 100},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        int64_t amount = UNTOUCHED;
        int err = money_parse(text_of(cases[i].text), cases[i].exponent, &amount);
        if (err != 0 || amount != cases[i].amount_minor)
            fail_msg("\"%s\" with %d decimals: %s, %lld", cases[i].text, cases[i].exponent,
                     error_name(err), (long long)amount);
    }
}

#define AMOUNT(literal) (literal), sizeof(literal) - 1

static const struct {
    const char *base;
    size_t length;
    int exponent;
    int err;
} hostile[] = {
    {AMOUNT(""), 2, ERR_MISSING},
    {AMOUNT("1e2"), 2, ERR_NOT_A_NUMBER},
    {AMOUNT("1E2"), 2, ERR_NOT_A_NUMBER},
    {AMOUNT("1.0e2"), 2, ERR_NOT_A_NUMBER},
    {AMOUNT("NaN"), 2, ERR_NOT_A_NUMBER},
    {AMOUNT("nan"), 2, ERR_NOT_A_NUMBER},
    {AMOUNT("Infinity"), 2, ERR_NOT_A_NUMBER},
    {AMOUNT("-inf"), 2, ERR_NOT_A_NUMBER},
    {AMOUNT("12,50"), 2, ERR_NOT_A_NUMBER},
    {AMOUNT("1,000.00"), 2, ERR_NOT_A_NUMBER},
    {AMOUNT("1'000"), 2, ERR_NOT_A_NUMBER},
    {AMOUNT("true"), 2, ERR_NOT_A_NUMBER},
    {AMOUNT("１２.５０"), 2, ERR_NOT_A_NUMBER}, /* full-width digits */
    {AMOUNT("12．50"), 2, ERR_NOT_A_NUMBER},    /* full-width point */
    {AMOUNT("−1"), 2, ERR_NOT_A_NUMBER},        /* U+2212 for a minus */
    {AMOUNT("٣٫٥"), 2, ERR_NOT_A_NUMBER},       /* Arabic-Indic */
    {AMOUNT("-"), 2, ERR_NOT_A_NUMBER},
    {AMOUNT("+"), 2, ERR_NOT_A_NUMBER},
    {AMOUNT("+1"), 2, ERR_NOT_A_NUMBER},
    {AMOUNT("--1"), 2, ERR_NOT_A_NUMBER},
    {AMOUNT("1-"), 2, ERR_NOT_A_NUMBER},
    {AMOUNT("1."), 2, ERR_NOT_A_NUMBER},
    {AMOUNT("."), 2, ERR_NOT_A_NUMBER},
    {AMOUNT("-."), 2, ERR_NOT_A_NUMBER},
    {AMOUNT(".5"), 2, ERR_NOT_A_NUMBER},
    {AMOUNT("-.5"), 2, ERR_NOT_A_NUMBER},
    {AMOUNT("1.2.3"), 2, ERR_NOT_A_NUMBER},
    {AMOUNT("1..2"), 2, ERR_NOT_A_NUMBER},
    {AMOUNT(" 1"), 2, ERR_NOT_A_NUMBER},
    {AMOUNT("1 "), 2, ERR_NOT_A_NUMBER},
    {AMOUNT("1\n"), 2, ERR_NOT_A_NUMBER},
    {AMOUNT("1\0"), 2, ERR_NOT_A_NUMBER},
    {AMOUNT("$1"), 2, ERR_NOT_A_NUMBER},
    {AMOUNT("0x10"), 2, ERR_NOT_A_NUMBER},
    {AMOUNT("1.-5"), 2, ERR_NOT_A_NUMBER},
    {AMOUNT("0.001"), 2, ERR_TOO_PRECISE},
    {AMOUNT("-0.001"), 2, ERR_TOO_PRECISE},
    {AMOUNT("1.0000000000000000000000001"), 2, ERR_TOO_PRECISE},
    {AMOUNT("0.5"), 0, ERR_TOO_PRECISE},
    {AMOUNT("0.0001"), 3, ERR_TOO_PRECISE},
    {AMOUNT("9223372036854775807.99"), 2, ERR_TOO_LARGE},
    {AMOUNT("-9223372036854775807.99"), 2, ERR_TOO_LARGE},
    {AMOUNT("92233720368547758.08"), 2, ERR_TOO_LARGE},  /* 2^63 minor units */
    {AMOUNT("184467440737095516.16"), 2, ERR_TOO_LARGE}, /* 2^64: wraps to 0 where unchecked */
    {AMOUNT("184467440737095517.16"), 2, ERR_TOO_LARGE},
    {AMOUNT("10000000000000.01"), 2, ERR_TOO_LARGE},
    {AMOUNT("1000000000000001"), 0, ERR_TOO_LARGE},
    {AMOUNT("1000000000000000"), 2, ERR_TOO_LARGE},
    {AMOUNT("99999999999999999999999999999999999999999"), 2, ERR_TOO_LARGE},
};

static void hostile_amounts_are_refused_by_name(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(hostile); i++) {
        int64_t amount = UNTOUCHED;
        int err = money_parse((struct text){hostile[i].base, hostile[i].length},
                              hostile[i].exponent, &amount);
        if (err != hostile[i].err || amount != UNTOUCHED)
            fail_msg("\"%s\": %s, wanted %s", hostile[i].base, error_name(err),
                     error_name(hostile[i].err));
    }
}

static void text_without_nul_is_read_to_its_length_only(void **state)
{
    (void)state;
    const char memory[] = {'1', '2', '.', '5', '0', '9', '9'};
    int64_t amount;
    assert_int_equal(money_parse((struct text){memory, 5}, 2, &amount), 0);
    assert_true(amount == 1250);
}

static void amounts_are_written_with_exactly_their_decimals(void **state)
{
    (void)state;
    const struct {
        int64_t amount_minor;
        int exponent;
        const char *text;
    } cases[] = {
        {2550, 2, "25.50"},
        {-5, 2, "-0.05"},
        {0, 2, "0.00"},
        {0, 0, "0"},
        {0, 3, "0.000"},
        {300, 0, "300"},
        {-300, 0, "-300"},
        {1, 3, "0.001"},
        {100, 2, "1.00"},
        {99, 2, "0.99"},
        {-1234567, 3, "-1234.567"},
        {MONEY_MAX_MINOR, 2, "10000000000000.00"},
        {INT64_MAX, 2, "92233720368547758.07"},
        {INT64_MIN, 3, "-9223372036854775.808"},
        {INT64_MIN, 0, "-9223372036854775808"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char memory[MONEY_TEXT_MAX];
        struct text_buffer buffer;
        text_buffer_init(&buffer, memory, sizeof(memory));
        money_append(&buffer, cases[i].amount_minor, cases[i].exponent);
        assert_false(buffer.is_cut);
        assert_string_equal(memory, cases[i].text);
    }
}

static void what_is_written_reads_back_the_same(void **state)
{
    (void)state;
    uint64_t seed = 20260529;
    struct id_source source = id_source_seeded(&seed);
    for (int i = 0; i < 20000; i++) {
        uint64_t bits;
        source.fill(source.context, (uint8_t *)&bits, sizeof(bits));
        int64_t amount = (int64_t)(bits % (uint64_t)(2 * MONEY_MAX_MINOR + 1)) - MONEY_MAX_MINOR;
        amount /= (int64_t[]){1, 1000, 1000000, INT64_C(1000000000000)}[i % 4];
        int exponent = i % (MONEY_EXPONENT_MAX + 1);
        char memory[MONEY_TEXT_MAX];
        struct text_buffer buffer;
        text_buffer_init(&buffer, memory, sizeof(memory));
        money_append(&buffer, amount, exponent);
        int64_t back = UNTOUCHED;
        assert_int_equal(money_parse(text_buffer_text(&buffer), exponent, &back), 0);
        assert_true(back == amount);
    }
}

/* Calls that must fail a CHECK stand in functions of their own: what lives beside setjmp may be
 * clobbered. */
static void parse_one(int exponent)
{
    int64_t amount;
    assert_int_equal(money_parse(TEXT("1"), exponent, &amount), 0);
}

static void append_one(int exponent)
{
    char memory[MONEY_TEXT_MAX];
    struct text_buffer buffer;
    text_buffer_init(&buffer, memory, sizeof(memory));
    money_append(&buffer, 1, exponent);
}

static void exponents_outside_0_to_3_are_our_bug(void **state)
{
    (void)state;
    parse_one(3);
    append_one(0);
    expect_assert_failure(parse_one(4));
    expect_assert_failure(parse_one(-1));
    expect_assert_failure(append_one(4));
    expect_assert_failure(append_one(-1));
}

static void sums_that_do_not_fit_are_refused(void **state)
{
    (void)state;
    int64_t sum = UNTOUCHED;
    assert_true(money_add(1, -3, &sum));
    assert_true(sum == -2);
    assert_true(money_add(INT64_MAX, 0, &sum));
    assert_true(sum == INT64_MAX);
    sum = UNTOUCHED;
    assert_false(money_add(INT64_MAX, 1, &sum));
    assert_false(money_add(INT64_MIN, -1, &sum));
    assert_true(sum == UNTOUCHED);
}

static void currencies_are_found_with_their_exponents(void **state)
{
    (void)state;
    const struct {
        const char *code;
        int exponent;
        const char *symbol;
    } cases[] = {
        {"AUD", 2, "$"},    {"USD", 2, "$"},    {"NZD", 2, "$"},    {"CAD", 2, "$"},
        {"SGD", 2, "$"},    {"HKD", 2, "$"},    {"GBP", 2, "£"},    {"EUR", 2, "€"},
        {"JPY", 0, "¥"},    {"CHF", 2, "CHF "}, {"KWD", 3, "KWD "}, {"BHD", 3, "BHD "},
        {"TND", 3, "TND "}, {"KRW", 0, "₩"},    {"CLP", 0, "CLP "}, {"XPF", 0, "XPF "},
        {"AED", 2, "AED "}, {"ZWG", 2, "ZWG "}, {"SEK", 2, "SEK "},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct currency currency;
        assert_int_equal(currency_find(text_of(cases[i].code), &currency), 0);
        assert_string_equal(currency.code, cases[i].code);
        assert_int_equal(currency.exponent, cases[i].exponent);
        assert_string_equal(currency_symbol(&currency), cases[i].symbol);
    }
}

static void unknown_currencies_are_not_found(void **state)
{
    (void)state;
    const struct text codes[] = {TEXT(""),    TEXT("aud"), TEXT("AU"),  TEXT("AUDX"),
                                 TEXT("ABC"), TEXT("AAA"), TEXT("ZZZ"), TEXT("CLF"),
                                 TEXT("XAU"), TEXT("BGN"), TEXT("A\0D")};
    for (size_t i = 0; i < COUNT_OF(codes); i++) {
        struct currency currency = {"???", -1};
        assert_int_equal(currency_find(codes[i], &currency), ERR_NOT_FOUND);
        assert_int_equal(currency.exponent, -1);
    }
    assert_string_equal(currency_symbol(&(struct currency){"???", 2}), "");
}

/* Walks all 17,576 codes: what the binary search finds is the whole table, so a row out of order
 * would be missing here. */
static void every_row_of_the_table_can_be_found(void **state)
{
    (void)state;
    int found[MONEY_EXPONENT_MAX + 1] = {0};
    char code[] = "AAA";
    for (code[0] = 'A'; code[0] <= 'Z'; code[0]++) {
        for (code[1] = 'A'; code[1] <= 'Z'; code[1]++) {
            for (code[2] = 'A'; code[2] <= 'Z'; code[2]++) {
                struct currency currency;
                if (currency_find(text_of(code), &currency) == 0)
                    found[currency.exponent]++;
            }
        }
    }
    assert_int_equal(found[0], 17);
    assert_int_equal(found[1], 0);
    assert_int_equal(found[2], 138);
    assert_int_equal(found[3], 7);
}

int main(void)
{
    check_hook = hook;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(amounts_are_read_exactly),
        cmocka_unit_test(hostile_amounts_are_refused_by_name),
        cmocka_unit_test(text_without_nul_is_read_to_its_length_only),
        cmocka_unit_test(amounts_are_written_with_exactly_their_decimals),
        cmocka_unit_test(what_is_written_reads_back_the_same),
        cmocka_unit_test(exponents_outside_0_to_3_are_our_bug),
        cmocka_unit_test(sums_that_do_not_fit_are_refused),
        cmocka_unit_test(currencies_are_found_with_their_exponents),
        cmocka_unit_test(unknown_currencies_are_not_found),
        cmocka_unit_test(every_row_of_the_table_can_be_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
