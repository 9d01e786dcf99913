/* Loyalty replies: their exact bytes, what is never null, and what does not fit. */
#include "base/json.h"
#include "handlers/loyalty_reply.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static struct profiles *profiles;
static const struct profile *builtin;
static struct loyalty_style style;
static char bytes[LOYALTY_REPLY_MAX], scratch[LOYALTY_PART_MAX];
static struct text_buffer reply;

static int group_begin(void **state)
{
    (void)state;
    if (profiles_create(NULL, &profiles) != 0)
        return -1;
    builtin = profile_acquire(profiles, "default");
    style = (struct loyalty_style){&builtin->loyalty, "Stars"};
    return 0;
}

static int group_end(void **state)
{
    (void)state;
    profile_release(builtin);
    profiles_destroy(profiles);
    return 0;
}

static int begin(void **state)
{
    (void)state;
    text_buffer_init(&reply, bytes, sizeof(bytes));
    return 0;
}

static struct member david(void)
{
    return (struct member){.id = 1001,
                           .code = "M-1001",
                           .first_name = "David",
                           .last_name = "Kent",
                           .email = "david.kent@example.com",
                           .phone = "0400 000 000",
                           .icon_url = "https://partner.example/i/1.png",
                           .intro_text = "Gold member since 2021",
                           .tier = "Gold",
                           .account = {.points = 500, .points_held = 80, .is_active = true}};
}

#define DAVID(points)                                                                              \
    "{\"id\":\"M-1001\",\"first_name\":\"David\",\"last_name\":\"Kent\","                          \
    "\"email_address\":\"david.kent@example.com\",\"current_points\":" points ","                  \
    "\"points_label\":\"Stars\",\"icon_url\":\"https://partner.example/i/1.png\","                 \
    "\"intro_text\":\"Gold member since 2021\","                                                   \
    "\"params\":{\"Tier\":\"Gold\",\"Phone\":\"0400 000 000\"}}"

static void members_are_an_object_keyed_by_member_id(void **state)
{
    (void)state;
    struct member members[] = {david(), {.id = 2, .code = "M-2", .account = {.points = 7}}};
    assert_int_equal(loyalty_reply_members(&style, members, 2, scratch, &reply), 2);
    assert_string_equal(
        bytes, "{\"members\":{\"M-1001\":" DAVID(
                   "\"420\"") ",\"M-2\":"
                              "{\"id\":\"M-2\",\"first_name\":\"Guest\",\"last_name\":\"\","
                              "\"email_address\":\"M-2@noemail.invalid\",\"current_points\":\"7\","
                              "\"points_label\":\"Stars\"}}}");
}

static void nobody_found_is_an_empty_object(void **state)
{
    (void)state;
    assert_int_equal(loyalty_reply_members(&style, NULL, 0, scratch, &reply), 0);
    assert_string_equal(bytes, "{\"members\":{}}");
}

static void an_address_that_leads_nowhere_is_still_an_address(void **state)
{
    (void)state;
    struct member odd = {.code = "a b@c\"<\xC3\xA9>", .first_name = "X"};
    loyalty_reply_members(&style, &odd, 1, scratch, &reply);
    assert_non_null(strstr(bytes, "\"email_address\":\"a-b-c-----@noemail.invalid\""));
}

static void markup_and_quotes_stay_text(void **state)
{
    (void)state;
    struct member member = david();
    struct jread *document;
    struct text name;
    snprintf(member.first_name, sizeof(member.first_name), "<b>\"D\"\\\n</b>\x01");
    snprintf(member.code, sizeof(member.code), "\"M\\");
    loyalty_reply_members(&style, &member, 1, scratch, &reply);
    assert_int_equal(jread_parse(text_buffer_text(&reply), &document), 0);
    const struct jread *found = jread_member_at(jread_member(document, "members"), 0, &name);
    assert_true(text_equal(name, TEXT("\"M\\")));
    assert_int_equal(jread_text(jread_member(found, "first_name"), &name), 0);
    assert_true(text_equal(name, TEXT("<b>\"D\"\\\n</b>\x01")));
    jread_destroy(document);
}

/* 20 members whose texts are all control characters: 6 bytes for each. */
static void what_does_not_fit_is_left_out_whole(void **state)
{
    (void)state;
    static struct member members[SEARCH_RESULTS_MAX];
    struct jread *document;
    for (int i = 0; i < SEARCH_RESULTS_MAX; i++) {
        members[i] = david();
        snprintf(members[i].code, sizeof(members[i].code), "M-%d", i);
        memset(members[i].first_name, 1, MEMBER_NAME_MAX);
        memset(members[i].last_name, 1, MEMBER_NAME_MAX);
        memset(members[i].email, 1, MEMBER_EMAIL_MAX);
        memset(members[i].icon_url, 1, MEMBER_URL_MAX);
        memset(members[i].intro_text, 1, MEMBER_INTRO_MAX);
    }
    int32_t told = loyalty_reply_members(&style, members, SEARCH_RESULTS_MAX, scratch, &reply);
    assert_in_range(told, 1, SEARCH_RESULTS_MAX - 1);
    assert_false(reply.is_cut);
    assert_true(reply.length < LOYALTY_REPLY_MAX);
    assert_int_equal(jread_parse(text_buffer_text(&reply), &document), 0);
    assert_int_equal(jread_count(jread_member(document, "members")), told);
    jread_destroy(document);
}

static void a_look_up_tells_points_as_an_integer_and_rewards_in_order(void **state)
{
    (void)state;
    const struct reward rewards[] = {
        {.id = 10, .title = "$10 off", .terms = "Once per visit", .points = 100},
        {.id = 11, .title = "Free coffee", .points = 5000}};
    const struct loyalty_offer offers[] = {
        {&rewards[0], TEXT("https://p.example/oseries/k/redeem?t=a.b.c&order_id=111")},
        {&rewards[1], TEXT("https://p.example/oseries/k/redeem?t=d.e.f&order_id=111")}};
    struct member member = david();
    assert_int_equal(loyalty_reply_rewards(&style, &member, offers, 2, scratch, &reply), 2);
    assert_string_equal(
        bytes,
        "{\"member\":" DAVID("420") ",\"rewards\":["
                                    "{\"id\":\"R10\",\"title\":\"$10 off\","
                                    "\"terms\":\"Once per visit\",\"points_required\":100,"
                                    "\"redeem_url\":\"https://p.example/oseries/k/"
                                    "redeem?t=a.b.c&order_id=111\"},"
                                    "{\"id\":\"R11\",\"title\":\"Free coffee\",\"terms\":\"\","
                                    "\"points_required\":5000,"
                                    "\"redeem_url\":\"https://p.example/oseries/k/"
                                    "redeem?t=d.e.f&order_id=111\"}]}");
}

static void without_rewards_the_list_is_empty(void **state)
{
    (void)state;
    struct member member = david();
    assert_int_equal(loyalty_reply_rewards(&style, &member, NULL, 0, scratch, &reply), 0);
    assert_non_null(strstr(bytes, ",\"rewards\":[]}"));
}

static void one_line_says_whether_it_was_redeemed(void **state)
{
    (void)state;
    loyalty_reply_redeem(&style, true, "ok", "Redeemed", &reply);
    assert_string_equal(bytes, "{\"success\":true}");
    text_buffer_init(&reply, bytes, sizeof(bytes));
    loyalty_reply_redeem(&style, false, "not_enough", "Not enough points", &reply);
    assert_string_equal(bytes, "{\"success\":false,\"error\":\"Not enough points\"}");
    text_buffer_init(&reply, bytes, sizeof(bytes));
    loyalty_reply_error(&style, "inactive", "Say \"no\"", &reply);
    assert_string_equal(bytes, "{\"error\":\"Say \\\"no\\\"\"}");
}

static void another_dialect_has_other_names(void **state)
{
    (void)state;
    static struct profile other;
    char problem_text[128];
    struct text_buffer problem;
    text_buffer_init(&problem, problem_text, sizeof(problem_text));
    assert_int_equal(
        profile_compile(TEXT("{\"loyalty\":{\"search\":{\"wrapper\":\"people\","
                             "\"points\":\"integer\",\"member\":["
                             "{\"name\":\"code\",\"value\":\"member\"},"
                             "{\"name\":\"p\",\"value\":\"points\"},"
                             "{\"name\":\"card\",\"value\":\"card\"}]},"
                             "\"redeem\":{\"success\":[{\"name\":\"ok\",\"value\":\"success\"},"
                             "{\"name\":\"say\",\"value\":\"message\"},"
                             "{\"name\":\"code\",\"value\":\"code\"}]}}}"),
                        builtin, &other, &problem),
        0);
    const struct loyalty_style its = {&other.loyalty, "Points"};
    struct member member = david();
    loyalty_reply_members(&its, &member, 1, scratch, &reply);
    assert_string_equal(bytes, "{\"people\":{\"M-1001\":{\"code\":\"M-1001\",\"p\":420}}}");
    text_buffer_init(&reply, bytes, sizeof(bytes));
    loyalty_reply_redeem(&its, true, "ok", "Redeemed", &reply);
    assert_string_equal(bytes, "{\"ok\":true,\"say\":\"Redeemed\",\"code\":\"ok\"}");
}

#define TEST(name) cmocka_unit_test_setup(name, begin)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(members_are_an_object_keyed_by_member_id),
        TEST(nobody_found_is_an_empty_object),
        TEST(an_address_that_leads_nowhere_is_still_an_address),
        TEST(markup_and_quotes_stay_text),
        TEST(what_does_not_fit_is_left_out_whole),
        TEST(a_look_up_tells_points_as_an_integer_and_rewards_in_order),
        TEST(without_rewards_the_list_is_empty),
        TEST(one_line_says_whether_it_was_redeemed),
        TEST(another_dialect_has_other_names),
    };
    return cmocka_run_group_tests(tests, group_begin, group_end);
}
