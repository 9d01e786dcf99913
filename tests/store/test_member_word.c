/*
 * The words that members are found by: of their rows, and of what cashiers type.
 */
#include "store/member_word.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct member member_of(const char *first_name, const char *last_name, const char *email)
{
    struct member member = {.code = "M-1001", .account.is_active = true};
    snprintf(member.first_name, sizeof(member.first_name), "%s", first_name);
    snprintf(member.last_name, sizeof(member.last_name), "%s", last_name);
    snprintf(member.email, sizeof(member.email), "%s", email);
    return member;
}

/* All words, with commas. */
static const char *words_of(const struct member *member)
{
    static char bytes[MEMBER_WORDS_MAX * (WORD_MAX + 1)];
    struct member_words words;
    struct text_buffer buffer;
    member_words_fill(&words, member);
    text_buffer_init(&buffer, bytes, sizeof(bytes));
    for (int32_t i = 0; i < words.count; i++) {
        assert_int_equal(words.words[i].length, strlen(words.words[i].bytes));
        text_append_format(&buffer, "%s%s", i == 0 ? "" : ",", words.words[i].bytes);
    }
    assert_false(buffer.is_cut);
    return bytes;
}

static const char *prefixes_of(const char *typed)
{
    static char bytes[LOOK_PREFIXES_MAX * (WORD_MAX + 1)];
    struct keyword keyword;
    struct text_buffer buffer;
    keyword_read(&keyword, text_of(typed));
    text_buffer_init(&buffer, bytes, sizeof(bytes));
    for (int32_t i = 0; i < keyword.whole.count; i++)
        text_append_format(&buffer, "%s%s", i == 0 ? "" : ",", keyword.whole.prefixes[i].bytes);
    return bytes;
}

static bool finds(const char *typed, const struct member *member)
{
    struct member_words words;
    struct keyword keyword;
    member_words_fill(&words, member);
    keyword_read(&keyword, text_of(typed));
    return keyword.word_count > 0 && member_words_match(&words, &keyword.whole, false);
}

static bool is_near(const char *typed, const char *text)
{
    struct word word, prefix;
    word.length = (size_t)snprintf(word.bytes, sizeof(word.bytes), "N%s", text);
    prefix.length = (size_t)snprintf(prefix.bytes, sizeof(prefix.bytes), "N%s", typed);
    return word_nearly_starts_with(&word, &prefix);
}

/* --- a member's --- */

static void every_word_of_a_name_begins_a_whole_name(void **state)
{
    struct member member = member_of("David", "Kent", "");
    (void)state;
    assert_string_equal(words_of(&member), "Ndavid kent,Nkent david,Im1001");
    member = member_of("Ana Mar\u00EDa", "L\u00F3pez", "");
    assert_string_equal(words_of(&member), "Nana maria lopez,Nmaria lopez ana,Nlopez ana maria,"
                                           "Im1001");
    member = member_of("Kent", "", "");
    assert_string_equal(words_of(&member), "Nkent,Im1001");
    member = member_of("", "", "");
    assert_string_equal(words_of(&member), "Im1001");
}

static void repeated_words_stand_once(void **state)
{
    struct member member = member_of("Li", "Li", "li@li.test");
    (void)state;
    assert_string_equal(words_of(&member), "Nli li,Eli@li.test,Im1001");
}

static void address_is_found_whole_and_from_each_of_its_words(void **state)
{
    struct member member = member_of("", "", "David.M-Kent+shop@Example.com");
    (void)state;
    assert_string_equal(words_of(&member),
                        "Edavid.m-kent+shop@example.com,Em-kent+shop@example.com,"
                        "Ekent+shop@example.com,Eshop@example.com,Im1001");
    member = member_of("", "", "a.b.c.d.e.f@x.test");
    assert_string_equal(words_of(&member),
                        "Ea.b.c.d.e.f@x.test,Eb.c.d.e.f@x.test,Ec.d.e.f@x.test,Ed.e.f@x.test,"
                        "Im1001");
}

static void numbers_are_without_what_stands_between(void **state)
{
    struct member member = member_of("", "", "");
    (void)state;
    snprintf(member.card_number, sizeof(member.card_number), "60 36-28 AB");
    snprintf(member.phone, sizeof(member.phone), "+61 400 000 123");
    assert_string_equal(words_of(&member), "Im1001,I603628ab,I400000123");
}

static void who_is_switched_off_is_not_found_but_known(void **state)
{
    struct member member = member_of("David", "Kent", "d.kent@x.test");
    (void)state;
    snprintf(member.phone, sizeof(member.phone), "+61 400 000 123");
    member.account.is_active = false;
    assert_string_equal(words_of(&member), "ndavid kent,ed.kent@x.test,i400000123");
    assert_false(finds("david", &member));
    assert_false(finds("d.kent@x.test", &member));
    assert_false(finds("400000123", &member));
    member = member_of("David", "", "");
    member.account.is_active = false;
    assert_string_equal(words_of(&member), "ndavid");
}

static void same_person_is_told_by_name_and_contact(void **state)
{
    struct member a = member_of("Ann", "Lee", "ann.lee@x.test");
    struct member b = member_of("ANN", "L\u00E9e", "Ann.Lee@X.test");
    (void)state;
    assert_true(members_are_same(&a, &b));
    snprintf(b.email, sizeof(b.email), "lee@x.test");
    assert_false(members_are_same(&b, &a));
    snprintf(a.phone, sizeof(a.phone), "+61 400 000 123");
    snprintf(b.phone, sizeof(b.phone), "0400000123");
    assert_false(members_are_same(&b, &a)); /* an address tells more */
    b.email[0] = '\0';
    assert_true(members_are_same(&b, &a));
    assert_false(members_are_same(&a, &b)); /* whose address is not known */
    b = member_of("Lee", "Ann", "ann.lee@x.test");
    assert_false(members_are_same(&b, &a));
    a = b = member_of("Ann", "Lee", "");
    assert_false(members_are_same(&a, &b));
}

static void long_names_are_cut_and_never_overflow(void **state)
{
    struct member member = {.code = "X", .account.is_active = true};
    struct member_words words;
    (void)state;
    /* U+FDFA is folded to eighteen characters of two bytes. */
    for (int i = 0; i < 26; i++)
        memcpy(member.first_name + 3 * i, "\uFDFA", 3);
    memset(member.last_name, 'z', MEMBER_NAME_MAX);
    memset(member.email, 'e', MEMBER_EMAIL_MAX);
    member_words_fill(&words, &member);
    for (int32_t i = 0; i < words.count; i++) {
        assert_true(words.words[i].length <= WORD_MAX);
        assert_true(text_is_utf8((struct text){words.words[i].bytes, words.words[i].length}));
    }
}

/* --- phones --- */

static void phone_is_found_however_it_is_written(void **state)
{
    static const char *const written[] = {"+61 400 000 123",    "0400000123",  "0061 400-000-123",
                                          "+61 (0)400 000 123", "400 000 123", "61400000123"};
    (void)state;
    for (size_t i = 0; i + 1 < COUNT_OF(written); i++) /* the last is stored as it stands */
        for (size_t j = 0; j < COUNT_OF(written); j++) {
            struct member member = member_of("", "", "");
            snprintf(member.phone, sizeof(member.phone), "%s", written[i]);
            assert_true(finds(written[j], &member));
        }
}

static void front_of_a_phone_is_enough(void **state)
{
    struct member member = member_of("", "", "");
    (void)state;
    snprintf(member.phone, sizeof(member.phone), "+44 (0)20 7946 0958");
    assert_true(finds("020 79", &member));
    assert_true(finds("+44 20 79", &member));
    assert_true(finds("0044207", &member));
    assert_false(finds("0958", &member));
    snprintf(member.phone, sizeof(member.phone), "+1 (555) 123-4567");
    assert_true(finds("555-123", &member));
    snprintf(member.phone, sizeof(member.phone), "+3725551234");
    assert_true(finds("5551234", &member));
}

/* --- keywords --- */

static void keyword_is_one_name_address_or_number(void **state)
{
    (void)state;
    assert_string_equal(prefixes_of("Zo\u00EB"), "Nzoe,Ezo\u00EB,Izoe");
    assert_string_equal(prefixes_of("  David KENT "), "Ndavid kent,Idavidkent");
    assert_string_equal(prefixes_of("David.K@Ex"), "Ndavid k ex,Edavid.k@ex,Idavidkex");
    assert_string_equal(prefixes_of("M-1001"), "Nm 1001,Em-1001,Im1001");
    assert_string_equal(prefixes_of("0400"), "N0400,E0400,I0400,I400");
    assert_string_equal(prefixes_of("+61 400 000 123"), "N61 400 000 123,I61400000123,I400000123");
}

static void nothing_is_nothing_to_look_for(void **state)
{
    static const char *const empty[] = {"",           "   ",      "\t\n", "%_'\"", "---",
                                        "\U0001F600", "\xff\xfe", "'",    "\u200F"};
    struct keyword keyword;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(empty); i++) {
        keyword_read(&keyword, text_of(empty[i]));
        assert_int_equal(keyword.word_count, 0);
    }
    keyword_read(&keyword, (struct text){"\0\0", 2});
    assert_int_equal(keyword.word_count, 0);
}

static void long_keyword_is_cut(void **state)
{
    static char typed[10240];
    struct keyword keyword;
    (void)state;
    memset(typed, 'a', sizeof(typed));
    keyword_read(&keyword, (struct text){typed, sizeof(typed)});
    assert_int_equal(keyword.word_count, 1);
    assert_int_equal(keyword.words[0].characters, SEARCH_KEYWORD_MAX);
    for (size_t i = 0; i < sizeof(typed); i += 2)
        typed[i] = ' ';
    keyword_read(&keyword, (struct text){typed, sizeof(typed)});
    assert_int_equal(keyword.word_count, SEARCH_WORDS_MAX);
    memset(typed, 0xEF, sizeof(typed));
    keyword_read(&keyword, (struct text){typed, sizeof(typed)});
    assert_int_equal(keyword.word_count, 0);
}

/* --- one edit --- */

static void one_edit_is_near(void **state)
{
    (void)state;
    assert_true(is_near("david", "david"));
    assert_true(is_near("davd", "david"));    /* one too few */
    assert_true(is_near("davvid", "david"));  /* one too many */
    assert_true(is_near("dafid", "david"));   /* another */
    assert_true(is_near("dvaid", "david"));   /* swapped */
    assert_true(is_near("xdavid", "david"));  /* at the front */
    assert_true(is_near("davidx", "david"));  /* at the end */
    assert_true(is_near("dvai", "davidson")); /* of its front */
    assert_true(is_near("johnsmith", "john smith"));
    assert_true(is_near("\u0438\u0432\u0430\u043D\u0432", "\u0438\u0432\u0430\u043D\u043E\u0432"));
    assert_true(is_near("\u0438\u0430\u0432\u043D", "\u0438\u0432\u0430\u043D"));
    assert_true(is_near("\u0438\u0433\u0430\u043D", "\u0438\u0432\u0430\u043D"));
}

static void two_edits_are_not_near(void **state)
{
    (void)state;
    assert_false(is_near("dvadi", "david"));
    assert_false(is_near("dxd", "david"));
    assert_false(is_near("avidx", "david"));
    assert_false(is_near("kent", "david"));
    assert_false(is_near("davidxy", "david"));
}

static void short_words_and_numbers_are_never_guessed(void **state)
{
    struct member member = member_of("Jon", "Snow", "");
    struct member_words words;
    struct keyword keyword;
    (void)state;
    member_words_fill(&words, &member);
    keyword_read(&keyword, TEXT("jox"));
    assert_false(member_words_match(&words, &keyword.words[0], true));
    keyword_read(&keyword, TEXT("snov"));
    assert_true(member_words_match(&words, &keyword.words[0], true));
    assert_false(member_words_match(&words, &keyword.words[0], false));
    keyword_read(&keyword, TEXT("m1002"));
    assert_false(member_words_match(&words, &keyword.words[0], true));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_word_of_a_name_begins_a_whole_name),
        cmocka_unit_test(repeated_words_stand_once),
        cmocka_unit_test(address_is_found_whole_and_from_each_of_its_words),
        cmocka_unit_test(numbers_are_without_what_stands_between),
        cmocka_unit_test(who_is_switched_off_is_not_found_but_known),
        cmocka_unit_test(same_person_is_told_by_name_and_contact),
        cmocka_unit_test(long_names_are_cut_and_never_overflow),
        cmocka_unit_test(phone_is_found_however_it_is_written),
        cmocka_unit_test(front_of_a_phone_is_enough),
        cmocka_unit_test(keyword_is_one_name_address_or_number),
        cmocka_unit_test(nothing_is_nothing_to_look_for),
        cmocka_unit_test(long_keyword_is_cut),
        cmocka_unit_test(one_edit_is_near),
        cmocka_unit_test(two_edits_are_not_near),
        cmocka_unit_test(short_words_and_numbers_are_never_guessed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
