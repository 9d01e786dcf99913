/* Folding: what cashiers may leave out or write otherwise does not matter, everything else does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/fold.h"

#include "base/banned.h"

static char bytes[512];

static const char *fold(struct text text)
{
    struct text_buffer buffer;
    text_buffer_init(&buffer, bytes, sizeof(bytes));
    fold_append(&buffer, text);
    assert_false(buffer.is_cut);
    assert_int_equal(buffer.length, strlen(bytes));
    return bytes;
}

#define assert_fold(from, to) assert_string_equal(fold(TEXT(from)), to)

static void case_and_accents_do_not_matter(void **state)
{
    (void)state;
    assert_fold("David KENT", "david kent");
    assert_fold("Zo\u00EB O'Brien-SMITH", "zoe obrien smith");
    assert_fold("Zoe\u0308", "zoe"); /* the accent as a character of its own */
    assert_fold("\u00C5NGSTR\u00D6M", "angstrom");
    assert_fold("Stra\u00DFe STRASSE", "strasse strasse");
    assert_fold("\u0130stanbul \u0131\u015F\u0131k", "istanbul isik");
    assert_fold("\u03A3\u03AF\u03C3\u03C5\u03C6\u03BF\u03C2",
                "\u03C3\u03B9\u03C3\u03C5\u03C6\u03BF\u03C3");
    assert_fold("\u0419\u043E\u0437\u0435\u0444", "\u0438\u043E\u0437\u0435\u0444");
}

static void letters_that_are_not_taken_apart_are_plain_ones(void **state)
{
    (void)state;
    assert_fold("S\u00F8ren \u0141ukasz \u00D0or\u00F0e", "soren lukasz dorde");
    assert_fold("\u00C6gir \u0152uvre \u00DE\u00F3r", "aegir oeuvre thor");
    assert_fold("\u01FF", "o"); /* with stroke and acute */
}

static void compatible_characters_are_the_same(void **state)
{
    (void)state;
    assert_fold("\uFF24\uFF41vid \uFB01nn \u2460", "david finn 1");
}

static void everything_else_separates_words_once(void **state)
{
    (void)state;
    assert_fold("", "");
    assert_fold(" \t\n", "");
    assert_fold("%_'\"\\;--", "");
    assert_fold("  a--b__c  ", "a b c");
    assert_fold("<b>x</b>", "b x b");
    assert_fold("john\U0001F600smith\U0001F600", "john smith");
    assert_fold("a\u3000b\u00A0c\u2014d", "a b c d");
    assert_string_equal(fold((struct text){"a\0b", 3}), "a b");
}

static void apostrophes_and_invisible_signs_vanish(void **state)
{
    (void)state;
    assert_fold("O'Neil O\u2019Neil O\u02BCNeil", "oneil oneil oneil");
    assert_fold("D\u00B4Arcy D`Arcy D\u2018Arcy D\u201BArcy", "darcy darcy darcy darcy");
    assert_fold("D\u2032Arcy D\uFF07Arcy D\uFF40Arcy", "darcy darcy darcy"); /* prime; wide */
    assert_fold("D\u1FFDArcy D\u1FEFArcy", "darcy darcy"); /* they are U+00B4 and '`' */
    assert_fold("Hawai\u02BBi Oke\u02BDe Is\u02B9a", "hawaii okee isa");
    assert_fold("\u00E9\u00B4\u00E9 \u00B4 x\u00B4", "ee x");
    assert_fold("O\u00B4\u0301Neil", "oneil"); /* an accent behind it */
    assert_fold("\u200Fab\u200Dc\u00ADd", "abcd");
    assert_fold("' '", "");
}

static void other_scripts_keep_their_letters(void **state)
{
    (void)state;
    assert_fold("\u5C71\u7530 \u592A\u90CE", "\u5C71\u7530 \u592A\u90CE");
    assert_fold("\u0645\u064F\u062D\u0645\u062F", "\u0645\u062D\u0645\u062F"); /* vowel mark off */
    assert_fold("\u0660\u0661\u0669", "019");
}

static void what_is_not_utf8_separates(void **state)
{
    (void)state;
    assert_fold("Zo\xEB Smith", "zo smith"); /* Latin-1 */
    assert_fold("\xff\xfe"
                "a\xC3",
                "a");
    assert_fold("a\xED\xA0\x80"
                "b",
                "a b"); /* a surrogate */
}

static void what_does_not_fit_is_left_out_by_whole_characters(void **state)
{
    char small[8];
    struct text_buffer buffer;
    (void)state;
    text_buffer_init(&buffer, small, sizeof(small));
    fold_append(&buffer, TEXT("abcde \u5C71\u7530"));
    assert_true(buffer.is_cut);
    assert_string_equal(small, "abcde"); /* neither a piece of the next nor its space */
    text_buffer_init(&buffer, small, sizeof(small));
    fold_append(&buffer, TEXT("a\u5C71\u7530\u5C71 b"));
    assert_string_equal(small, "a\u5C71\u7530");
    assert_true(buffer.is_cut);
}

static void appending_keeps_what_is_there_and_adds_no_space(void **state)
{
    struct text_buffer buffer;
    (void)state;
    text_buffer_init(&buffer, bytes, sizeof(bytes));
    text_append(&buffer, TEXT("N"));
    fold_append(&buffer, TEXT(" David "));
    assert_string_equal(bytes, "Ndavid");
}

static void folding_what_is_folded_changes_nothing(void **state)
{
    static const char *const texts[] = {"Zo\u00EB O'Brien-SMITH", "\u0390\u1FB7\u01C5\u0345",
                                        "\u00C6\u01FF\u0130", "\u5C71\u7530 \u592A\u90CE"};
    char once[512];
    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        snprintf(once, sizeof(once), "%s", fold(text_of(texts[i])));
        assert_string_equal(fold(text_of(once)), once);
    }
}

static void digits_are_taken_from_anything(void **state)
{
    struct text_buffer buffer;
    (void)state;
    text_buffer_init(&buffer, bytes, sizeof(bytes));
    fold_append_digits(&buffer, TEXT("+61 400-000 (0)17x\u0663\xff"));
    assert_string_equal(bytes, "6140000001"
                               "73");
    text_buffer_init(&buffer, bytes, sizeof(bytes));
    fold_append_digits(&buffer, TEXT("none \u00BD\u2460"));
    assert_string_equal(bytes, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(case_and_accents_do_not_matter),
        cmocka_unit_test(letters_that_are_not_taken_apart_are_plain_ones),
        cmocka_unit_test(compatible_characters_are_the_same),
        cmocka_unit_test(everything_else_separates_words_once),
        cmocka_unit_test(apostrophes_and_invisible_signs_vanish),
        cmocka_unit_test(other_scripts_keep_their_letters),
        cmocka_unit_test(what_is_not_utf8_separates),
        cmocka_unit_test(what_does_not_fit_is_left_out_by_whole_characters),
        cmocka_unit_test(appending_keeps_what_is_there_and_adds_no_space),
        cmocka_unit_test(folding_what_is_folded_changes_nothing),
        cmocka_unit_test(digits_are_taken_from_anything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
