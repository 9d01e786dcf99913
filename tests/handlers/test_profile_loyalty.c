/* The loyalty section of profiles: the built-in one, differences to it, what a file got wrong. */
#include "base/error.h"
#include "handlers/profile.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static struct profiles *profiles;
static const struct profile *builtin;
static struct profile compiled;
static char problem_text[256];
static struct text_buffer problem;

static int group_begin(void **state)
{
    (void)state;
    if (profiles_create(NULL, &profiles) != 0)
        return -1;
    builtin = profile_acquire(profiles, "default");
    return 0;
}

static int group_end(void **state)
{
    (void)state;
    profile_release(builtin);
    profiles_destroy(profiles);
    return 0;
}

static int compile(const char *json)
{
    text_buffer_init(&problem, problem_text, sizeof(problem_text));
    return profile_compile(text_of(json), builtin, &compiled, &problem);
}

static void the_default_has_the_names_that_are_documented(void **state)
{
    (void)state;
    const struct profile_loyalty *loyalty = &builtin->loyalty;
    const char *const member[] = {
        "id",           "first_name", "last_name",  "email_address", "current_points",
        "points_label", "icon_url",   "intro_text", "params"};
    const char *const reward[] = {"id", "title", "terms", "points_required", "redeem_url"};
    assert_string_equal(loyalty->search.wrapper, "members");
    assert_string_equal(loyalty->lookup.wrapper, "member");
    assert_string_equal(loyalty->rewards_wrapper, "rewards");
    assert_true(loyalty->search.points_are_strings);
    assert_false(loyalty->lookup.points_are_strings);
    assert_int_equal(loyalty->search.member.count, COUNT_OF(member));
    assert_int_equal(loyalty->lookup.member.count, COUNT_OF(member));
    for (size_t i = 0; i < COUNT_OF(member); i++) {
        assert_string_equal(loyalty->search.member.pairs[i].name, member[i]);
        assert_string_equal(loyalty->lookup.member.pairs[i].name, member[i]);
    }
    assert_int_equal(loyalty->reward.count, COUNT_OF(reward));
    for (size_t i = 0; i < COUNT_OF(reward); i++)
        assert_string_equal(loyalty->reward.pairs[i].name, reward[i]);
    assert_string_equal(loyalty->search.params.pairs[0].name, "Tier");
    assert_int_equal(loyalty->redeemed.count, 1);
    assert_int_equal(loyalty->not_redeemed.count, 2);
    assert_string_equal(loyalty->error.pairs[0].name, "error");
    assert_string_equal(loyalty->request[LOYALTY_ORDER].names[0], "order_id");
}

static void a_file_holds_only_what_differs(void **state)
{
    (void)state;
    assert_int_equal(
        compile("{\"loyalty\":{"
                "\"request\":{\"keyword\":[\"q\",\"keyword\"],\"order_id\":[\"sale\"]},"
                "\"search\":{\"wrapper\":\"people\",\"points\":\"integer\",\"params\":[]},"
                "\"lookup\":{\"points\":\"string\","
                "\"member\":[{\"name\":\"who\",\"value\":\"member\"}]},"
                "\"rewards\":{\"wrapper\":\"gifts\"},"
                "\"redeem\":{\"success\":[{\"name\":\"ok\",\"value\":\"success\"}]},"
                "\"error\":[{\"name\":\"why\",\"value\":\"error\"}]}}"),
        0);
    const struct profile_loyalty *loyalty = &compiled.loyalty;
    assert_int_equal(loyalty->request[LOYALTY_KEYWORD].count, 2);
    assert_string_equal(loyalty->request[LOYALTY_ORDER].names[0], "sale");
    assert_string_equal(loyalty->request[LOYALTY_SITE].names[0], "site_id");
    assert_string_equal(loyalty->search.wrapper, "people");
    assert_false(loyalty->search.points_are_strings);
    assert_int_equal(loyalty->search.params.count, 0);
    assert_int_equal(loyalty->search.member.count, 9);
    assert_true(loyalty->lookup.points_are_strings);
    assert_int_equal(loyalty->lookup.member.count, 1);
    assert_string_equal(loyalty->lookup.wrapper, "member");
    assert_string_equal(loyalty->rewards_wrapper, "gifts");
    assert_string_equal(loyalty->redeemed.pairs[0].name, "ok");
    assert_int_equal(loyalty->not_redeemed.count, 2);
    assert_string_equal(loyalty->error.pairs[0].name, "why");
}

static const struct {
    const char *loyalty;
    const char *told; /* part of the problem */
} bad[] = {
    {"[]", "loyalty"},
    {"{\"find\":{}}", "section"},
    {"{\"request\":[]}", "loyalty.request"},
    {"{\"request\":{\"name\":[\"a\"]}}", "unknown field"},
    {"{\"request\":{\"keyword\":\"a\"}}", "keyword"},
    {"{\"request\":{\"keyword\":[]}}", "need a name"},
    {"{\"request\":{\"order_id\":[]}}", "need a name"},
    {"{\"request\":{\"order_id\":[\"order id\"]}}", "letters, digits"},
    {"{\"request\":{\"order_id\":[\"a=b&c\"]}}", "letters, digits"},
    {"{\"request\":{\"order_id\":[\"t\"]}}", "letters, digits"},
    {"{\"request\":{\"reference_id\":[],\"customer_id\":[]}}", "needs a name"},
    {"{\"request\":{\"keyword\":[\"site_id\"]}}", "two things"},
    {"{\"search\":[]}", "search"},
    {"{\"search\":{\"reward\":[]}}", "unknown"},
    {"{\"search\":{\"wrapper\":\"\"}}", "loyalty.search.wrapper"},
    {"{\"search\":{\"wrapper\":7}}", "loyalty.search.wrapper"},
    {"{\"search\":{\"points\":\"text\"}}", "loyalty.search.points"},
    {"{\"search\":{\"points\":1}}", "loyalty.search.points"},
    {"{\"search\":{\"member\":[]}}", "loyalty.search.member"},
    {"{\"search\":{\"member\":[{\"name\":\"a\",\"value\":\"title\"}]}}", "loyalty.search.member"},
    {"{\"search\":{\"params\":[{\"name\":\"a\",\"value\":\"params\"}]}}", "loyalty.search.params"},
    {"{\"search\":{\"params\":{}}}", "loyalty.search.params"},
    {"{\"rewards\":{\"points\":\"string\"}}", "has no points"},
    {"{\"redeem\":{\"wrapper\":\"a\"}}", "has no wrapper"},
    {"{\"rewards\":{\"reward\":[{\"name\":\"a\",\"value\":\"points\"}]}}",
     "loyalty.rewards.reward"},
    {"{\"redeem\":{\"success\":[{\"name\":\"a\",\"value\":\"error\"}]}}", "loyalty.redeem.success"},
    {"{\"redeem\":{\"failure\":[{\"name\":\"a\",\"value\":\"amount\"}]}}",
     "loyalty.redeem.failure"},
    {"{\"error\":[]}", "loyalty.error"},
};

static void what_is_wrong_is_said_with_its_place(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        char json[512];
        struct text_buffer text;
        text_buffer_init(&text, json, sizeof(json));
        text_append_format(&text, "{\"loyalty\":%s}", bad[i].loyalty);
        int err = compile(json);
        if (err != ERR_BAD_CONFIG || strstr(problem_text, bad[i].told) == NULL)
            fail_msg("line %zu: error %s, problem '%s'", i, error_name(err), problem_text);
    }
}

static void a_payment_cannot_tell_of_members(void **state)
{
    (void)state;
    assert_int_equal(compile("{\"reply\":{\"checkout\":{\"success\":"
                             "[{\"name\":\"a\",\"value\":\"points\"}]}}}"),
                     ERR_BAD_CONFIG);
    assert_int_equal(compile("{\"reply\":{\"refusal\":[{\"name\":\"a\",\"value\":\"title\"}]}}"),
                     ERR_BAD_CONFIG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_default_has_the_names_that_are_documented),
        cmocka_unit_test(a_file_holds_only_what_differs),
        cmocka_unit_test(what_is_wrong_is_said_with_its_place),
        cmocka_unit_test(a_payment_cannot_tell_of_members),
    };
    return cmocka_run_group_tests(tests, group_begin, group_end);
}
