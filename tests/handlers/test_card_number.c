/* Card numbers as people and scanners give them. */
#include "handlers/card_number.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static const struct {
    const char *typed;
    const char *number; /* NULL: no card can have it */
    const char *pin;
} table[] = {
    {"6036280000012345", "6036280000012345", ""},
    {"  6036280000012345\r\n", "6036280000012345", ""},
    {"6036-2800 0001-2345", "6036280000012345", ""},
    {"gift-abcd-99", "GIFTABCD99", ""},
    {"6036280000012345*1234", "6036280000012345", "1234"},
    {"6036 2800 0001 2345 * 1234 ", "6036280000012345", "1234"},
    {"6036280000012345*123456789012", "6036280000012345", "123456789012"},
    {"2345", "2345", ""},
    {"2345*77", "2345", "77"},
    /* swiped */
    {"%B6036280000012345^GIFT/CARD^49121010000000000?;6036280000012345=49121010000?",
     "6036280000012345", ""},
    {"%B6036280000012345^GIFT/CARD^49121010000000000?", "6036280000012345", ""},
    {"%b6036280000012345^gift/card^4912?", "6036280000012345", ""},
    {"%B6036 2800 0001 2345^GIFT/CARD^4912?", "6036280000012345", ""},
    {"%6036280000012345?", "6036280000012345", ""},
    {"%GIFT1234?", "GIFT1234", ""},
    {"%BEEF1234?", "BEEF1234", ""},
    {";6036280000012345=49121010000?", "6036280000012345", ""},
    {";6036280000012345?", "6036280000012345", ""},
    {"%E?;6036280000012345=4912?", "6036280000012345", ""},
    {";6036280000012345=4912?*1234", "6036280000012345", "1234"},
    {"%B6036280000012345^A*B^4912?*1234", "6036280000012345", "1234"},
    /* what cannot be a number */
    {"", NULL, ""},
    {"   ", NULL, ""},
    {"-", NULL, ""},
    {"123", NULL, ""},
    {"*1234", NULL, ""},
    {"6036280000012345*", NULL, ""},
    {"6036280000012345*12a4", NULL, ""},
    {"6036280000012345*1234567890123", NULL, ""},
    {"6036280000012345*12*34", NULL, ""},
    {"6036280000012345;DROP", NULL, ""},
    {"\xef\xbc\x96\xef\xbc\x90\xef\xbc\x93\xef\xbc\x96", NULL, ""}, /* full-width digits */
    {"6036\xe2\x80\x93"
     "2800",
     NULL, ""},
    {"\xff\xfe\xfd\xfc\xfb", NULL, ""},
    {"%", NULL, ""},
    {";", NULL, ""},
    {"%B?", NULL, ""},
    {"%B^^?;=?", NULL, ""},
    {"{\"number\":1}", NULL, ""},
};

static void every_spelling_of_a_number_reads_the_same(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        struct card_number card;
        card_number_read(text_of(table[i].typed), &card);
        if (table[i].number == NULL) {
            if (card.is_usable || card.number[0] != '#' || card.pin[0] != '\0')
                fail_msg("'%s' was read as %s", table[i].typed, card.number);
        } else if (!card.is_usable || strcmp(card.number, table[i].number) != 0 ||
                   strcmp(card.pin, table[i].pin) != 0) {
            fail_msg("'%s' was read as %s * %s", table[i].typed, card.number, card.pin);
        }
    }
}

static void a_number_of_64_characters_is_good_and_of_65_is_not(void **state)
{
    (void)state;
    char digits[65];
    char out[CARD_NUMBER_MAX + 1];
    memset(digits, '7', sizeof(digits));
    assert_true(card_number_normalise((struct text){digits, 64}, out));
    assert_int_equal(strlen(out), 64);
    assert_false(card_number_normalise((struct text){digits, 65}, out));
    assert_string_equal(out, "");
}

static void a_keyword_of_60_kilobytes_is_an_unknown_card_of_its_own(void **state)
{
    (void)state;
    size_t size = 60 * 1024;
    char *long_text = malloc(size);
    assert_non_null(long_text);
    memset(long_text, '9', size);
    struct card_number one, other;
    card_number_read((struct text){long_text, size}, &one);
    card_number_read((struct text){long_text, size - 1}, &other);
    assert_false(one.is_usable);
    assert_int_equal(strlen(one.number), 17);
    assert_string_not_equal(one.number, other.number);
    free(long_text);
}

static void a_stand_in_cannot_be_typed(void **state)
{
    (void)state;
    struct card_number card, again;
    card_number_read(TEXT("???"), &card);
    card_number_read(text_of(card.number), &again);
    assert_false(again.is_usable);
    assert_string_not_equal(card.number, again.number);
}

static void a_pin_is_1_to_12_digits(void **state)
{
    (void)state;
    assert_true(card_pin_is_valid(TEXT("1")));
    assert_true(card_pin_is_valid(TEXT("123456789012")));
    assert_false(card_pin_is_valid(TEXT("")));
    assert_false(card_pin_is_valid(TEXT("1234567890123")));
    assert_false(card_pin_is_valid(TEXT("12 4")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_spelling_of_a_number_reads_the_same),
        cmocka_unit_test(a_number_of_64_characters_is_good_and_of_65_is_not),
        cmocka_unit_test(a_keyword_of_60_kilobytes_is_an_unknown_card_of_its_own),
        cmocka_unit_test(a_stand_in_cannot_be_typed),
        cmocka_unit_test(a_pin_is_1_to_12_digits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
