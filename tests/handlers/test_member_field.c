/* The table of a member's fields: what may stand in each, and what is said when it may not. */
#include "handlers/member_field.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static bool set(const char *name, const char *value, struct member *member)
{
    const struct member_field *field = member_field_find(text_of(name));
    assert_non_null(field);
    return member_field_set(field, text_of(value), member);
}

static bool may_be(const char *name, const char *value)
{
    struct member member = {.id = 7};
    return set(name, value, &member);
}

static void every_field_has_its_own_place_and_rule(void **state)
{
    struct member member = {.id = 7};
    (void)state;
    for (size_t i = 0; i < member_field_count(); i++) {
        const struct member_field *field = member_field_at(i);
        assert_ptr_equal(member_field_find(text_of(field->name)), field);
        assert_true(strlen(field->rule) > 10);
        assert_string_equal(member_field_get(field, &member), "");
        assert_true(field->offset + field->size <= sizeof(member));
    }
    assert_null(member_field_find(TEXT("points")));
    assert_null(member_field_find(TEXT("first_nam")));
    assert_null(member_field_find(TEXT("")));
}

static void value_is_kept_without_the_space_around_it(void **state)
{
    struct member member = {.id = 7};
    (void)state;
    assert_true(set("first_name", "  Ann Lee \t", &member));
    assert_string_equal(member.first_name, "Ann Lee");
    assert_true(set("tier", "   ", &member));
    assert_string_equal(member.tier, "");
    assert_int_equal(member.id, 7);
}

static void refused_value_changes_nothing(void **state)
{
    struct member member = {.first_name = "Ann", .email = "ann@example.com"};
    struct member before = member;
    (void)state;
    assert_false(set("first_name", "", &member));
    assert_false(set("email", "ann", &member));
    assert_false(set("first_name", "A\x1b[31m", &member));
    assert_false(set("first_name", "A\xff", &member));
    assert_memory_equal(&member, &before, sizeof(member));
}

static void longest_value_fits_and_one_more_does_not(void **state)
{
    static char text[400];
    (void)state;
    for (size_t i = 0; i < member_field_count(); i++) {
        const struct member_field *field = member_field_at(i);
        struct member member = {.id = 7};
        if (text_equal(text_of(field->name), TEXT("email")))
            continue; /* its parts have limits of their own */
        bool is_url = text_equal(text_of(field->name), TEXT("icon_url"));
        memset(text, '1', sizeof(text));
        memcpy(text, is_url ? "https://" : "11111111", 8);
        assert_true(member_field_set(field, (struct text){text, field->size - 1}, &member));
        assert_int_equal(strlen(member_field_get(field, &member)), field->size - 1);
        assert_false(member_field_set(field, (struct text){text, field->size}, &member));
    }
}

static void only_the_first_name_must_be_there(void **state)
{
    (void)state;
    for (size_t i = 0; i < member_field_count(); i++) {
        const char *name = member_field_at(i)->name;
        assert_int_equal(may_be(name, ""), strcmp(name, "first_name") != 0);
    }
}

static void addresses_have_the_shape_of_addresses(void **state)
{
    static const char *const good[] = {
        "a@b.co",    "Ann.Lee+shop@mail.example.com", "o'brien@x-y.org",
        "a_b-c@1.2", "zo\u00EB@b\u00FCcher.example",  "#!$%&*/=?^`{|}~@x.y"};
    static const char *const bad[] = {"a",        "@",        "a@",       "@b.co",        "a@b",
                                      "a@b.",     "a@.co",    "a@b..co",  ".a@b.co",      "a.@b.co",
                                      "a..b@c.d", "a b@c.d",  "a@b c.d",  "a@b@c.d",      "a@-b.co",
                                      "a@b-.co",  "a,b@c.d",  "<a@b.co>", "\"a\"@b.co",   "a@b.c/d",
                                      "a@b_c.d",  "a\\@b.co", "a;b@c.d",  "mailto:a@b.co"};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(good); i++)
        if (!may_be("email", good[i]))
            fail_msg("%s", good[i]);
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        if (may_be("email", bad[i]))
            fail_msg("%s", bad[i]);
}

static void parts_of_addresses_are_bounded(void **state)
{
    char text[400];
    struct text_buffer buffer;
    (void)state;
    for (int local = 64; local <= 65; local++) {
        text_buffer_init(&buffer, text, sizeof(text));
        for (int i = 0; i < local; i++)
            text_append_char(&buffer, 'a');
        text_append(&buffer, TEXT("@b.co"));
        assert_int_equal(may_be("email", text), local == 64);
    }
    for (int label = 63; label <= 64; label++) {
        text_buffer_init(&buffer, text, sizeof(text));
        text_append(&buffer, TEXT("a@"));
        for (int i = 0; i < label; i++)
            text_append_char(&buffer, 'b');
        text_append(&buffer, TEXT(".co"));
        assert_int_equal(may_be("email", text), label == 63);
    }
    text_buffer_init(&buffer, text, sizeof(text));
    text_append(&buffer, TEXT("aaaa@"));
    while (buffer.length < MEMBER_EMAIL_MAX - 4)
        text_append(&buffer, TEXT("bbbb.")); /* 250 characters, then more */
    text_append(&buffer, TEXT("cccc"));
    assert_int_equal(buffer.length, MEMBER_EMAIL_MAX);
    assert_true(may_be("email", text));
    text_append_char(&buffer, 'c');
    assert_false(may_be("email", text));
}

static void other_fields_take_what_they_are_for(void **state)
{
    (void)state;
    assert_true(may_be("phone", "+61 (0)400.000-123/4"));
    assert_false(may_be("phone", "0400 000 123 ext 4"));
    assert_false(may_be("phone", "+ ()-"));
    assert_false(may_be("phone", "12"));
    assert_true(may_be("code", "550e8400-e29b-41d4-a716-446655440000"));
    assert_true(may_be("code", "urn:x_1.2"));
    assert_false(may_be("code", "a b"));
    assert_false(may_be("code", "a/b"));
    assert_false(may_be("code", "\u00E4"));
    assert_true(may_be("card_number", "6036-2800 ab"));
    assert_false(may_be("card_number", "123"));
    assert_false(may_be("card_number", "1234#"));
    assert_true(may_be("icon_url", "http://x/i.png?a=b&c=%20"));
    assert_false(may_be("icon_url", "https://"));
    assert_false(may_be("icon_url", "ftp://x/i.png"));
    assert_false(may_be("icon_url", "javascript:alert(1)"));
    assert_false(may_be("icon_url", "https://x/\"onload=1"));
    assert_false(may_be("icon_url", "https://x/a b"));
    assert_true(may_be("intro_text", "<b>any \"text\"</b> \U0001F600"));
    assert_false(may_be("intro_text", "two\nlines"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_field_has_its_own_place_and_rule),
        cmocka_unit_test(value_is_kept_without_the_space_around_it),
        cmocka_unit_test(refused_value_changes_nothing),
        cmocka_unit_test(longest_value_fits_and_one_more_does_not),
        cmocka_unit_test(only_the_first_name_must_be_there),
        cmocka_unit_test(addresses_have_the_shape_of_addresses),
        cmocka_unit_test(parts_of_addresses_are_bounded),
        cmocka_unit_test(other_fields_take_what_they_are_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
