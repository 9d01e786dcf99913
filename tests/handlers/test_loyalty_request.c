/* Loyalty requests: query, form and JSON, and everything odd in them. */
#include "base/error.h"
#include "handlers/loyalty_request.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static struct profiles *profiles;
static const struct profile *builtin;
static struct profile other;
static struct loyalty_request request;
static char memory[1 << 16];
static char fault_text[LOYALTY_FAULT_MAX];

static int group_begin(void **state)
{
    (void)state;
    struct text_buffer problem;
    text_buffer_init(&problem, fault_text, sizeof(fault_text));
    if (profiles_create(NULL, &profiles) != 0)
        return -1;
    builtin = profile_acquire(profiles, "default");
    return profile_compile(TEXT("{\"loyalty\":{\"request\":{\"keyword\":[\"q\",\"keyword\"],"
                                "\"site_id\":[]}}}"),
                           builtin, &other, &problem);
}

static int group_end(void **state)
{
    (void)state;
    profile_release(builtin);
    profiles_destroy(profiles);
    return 0;
}

static int read_as(const struct profile *profile, const char *query, const char *body,
                   enum body_format format)
{
    const struct loyalty_input input = {text_of(query), text_of(body), format};
    struct text_buffer fault;
    text_buffer_init(&fault, fault_text, sizeof(fault_text));
    assert_true(loyalty_request_memory(&input) <= sizeof(memory));
    int err = loyalty_request_read(&profile->loyalty, &input, memory, &request, &fault);
    assert_true((err == 0) == (fault.length == 0));
    return err;
}

static int read(const char *query, const char *body)
{
    return read_as(builtin, query, body, BODY_ANY);
}

static void is_text(struct text text, const char *wanted)
{
    if (!text_equal(text, text_of(wanted)))
        fail_msg("'%.*s' instead of '%s'", (int)text.length, text.base, wanted);
}

static void the_documented_url_is_read(void **state)
{
    (void)state;
    assert_int_equal(read("keyword=John%20Smith&site_id=123&company_id=456&order_id=111", ""), 0);
    is_text(request.keyword, "John Smith");
    assert_int_equal(request.site_id, 123);
    assert_int_equal(request.company_id, 456);
    assert_int_equal(request.order_id, 111);
    is_text(request.order, "111");
    is_text(request.token, "");
    assert_int_equal(
        read("customer_id=789&reference_id=911&site_id=123&company_id=456&order_id=111", ""), 0);
    assert_int_equal(request.customer_id, 789);
    is_text(request.reference, "911");
}

static void plus_and_percent_are_the_same_space(void **state)
{
    (void)state;
    assert_int_equal(read("keyword=Zo%C3%AB+O%27Brien", ""), 0);
    is_text(request.keyword, "Zo\xC3\xAB O'Brien");
    assert_int_equal(read("keyword=%20%20David%20", ""), 0);
    is_text(request.keyword, "David");
    assert_int_equal(read("keyword=", ""), 0);
    is_text(request.keyword, "");
    assert_int_equal(read("", ""), 0);
    is_text(request.keyword, "");
    assert_int_equal(read("orgid=RJITEST108&keyword=%25B603%3F%3B603%3F", ""), 0);
    is_text(request.keyword, "%B603?;603?");
}

static void a_body_goes_before_the_query(void **state)
{
    (void)state;
    assert_int_equal(read("keyword=query&site_id=1&order_id=5",
                          " {\"keyword\":\"body\",\"order_id\":7,\"company_id\":\"456\"}"),
                     0);
    is_text(request.keyword, "body");
    assert_int_equal(request.site_id, 1);
    assert_int_equal(request.order_id, 7);
    assert_int_equal(request.company_id, 456);
    assert_int_equal(read("keyword=query&site_id=1", "keyword=form+body&t=abc"), 0);
    is_text(request.keyword, "form body");
    is_text(request.token, "abc");
    assert_int_equal(read("keyword=query", "{\"keyword\":null,\"reference_id\":\"\"}"), 0);
    is_text(request.keyword, "query");
}

static void the_body_format_is_a_choice(void **state)
{
    (void)state;
    assert_int_equal(read_as(builtin, "", "{\"keyword\":\"a\"}", BODY_JSON), 0);
    assert_int_equal(read_as(builtin, "", "keyword=a", BODY_JSON), ERR_JSON_SYNTAX);
    assert_int_equal(read_as(builtin, "", "keyword=a", BODY_FORM), 0);
    is_text(request.keyword, "a");
    assert_int_equal(read_as(builtin, "", "{\"keyword\":\"a\"}", BODY_FORM), 0);
    is_text(request.keyword, "");
    assert_int_equal(read_as(builtin, "keyword=b", "", BODY_JSON), 0);
}

static void other_names_come_from_the_profile(void **state)
{
    (void)state;
    assert_int_equal(read_as(&other, "keyword=second&q=first&site_id=x", "", BODY_ANY), 0);
    is_text(request.keyword, "first");
    assert_int_equal(request.site_id, 0);
    assert_int_equal(read_as(&other, "keyword=second&q=", "", BODY_ANY), 0);
    is_text(request.keyword, "second");
}

static const struct {
    const char *query, *body;
    int error;
    const char *told; /* part of the fault */
} bad[] = {
    {"keyword=%zz", "", ERR_FORM_SYNTAX, "percent"},
    {"keyword=%", "", ERR_FORM_SYNTAX, "percent"},
    {"keyword=%4", "", ERR_FORM_SYNTAX, "percent"},
    {"keyword=a%00b", "", ERR_FORM_SYNTAX, "percent"},
    {"else=%zz", "", ERR_FORM_SYNTAX, "percent"},
    {"keyword=a&keyword=b", "", ERR_JSON_DUPLICATE, "twice"},
    {"order_id=1&order_id=2", "", ERR_JSON_DUPLICATE, "twice"},
    {"t=a&t=a", "", ERR_JSON_DUPLICATE, "twice"},
    {"company_id=4e2", "", ERR_NOT_A_NUMBER, "company_id"},
    {"site_id=-1", "", ERR_NOT_A_NUMBER, "site_id"},
    {"site_id=12345678901234567890", "", ERR_TOO_LARGE, "site_id"},
    {"customer_id=1.0", "", ERR_NOT_A_NUMBER, "customer_id"},
    {"", "{\"keyword\":\"a\"", ERR_JSON_SYNTAX, "JSON"},
    {"", "{\"keyword\":\"a\",\"keyword\":\"b\"}", ERR_JSON_DUPLICATE, "twice"},
    {"", "{\"a\":[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]}", ERR_JSON_DEPTH, "deep"},
    {"", "{\"site_id\":1.5}", ERR_NOT_A_NUMBER, "site_id"},
    {"", "keyword=%zz", ERR_FORM_SYNTAX, "percent"},
};

static void what_cannot_be_read_is_said(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        int err = read(bad[i].query, bad[i].body);
        if (err != bad[i].error || strstr(fault_text, bad[i].told) == NULL)
            fail_msg("line %zu: error %s, fault '%s'", i, error_name(err), fault_text);
    }
}

static void json_of_another_kind_says_nothing(void **state)
{
    (void)state;
    assert_int_equal(
        read("", "{\"keyword\":[\"a\"],\"t\":true,\"order_id\":{},\"reference_id\":false}"), 0);
    is_text(request.keyword, "");
    is_text(request.token, "");
    assert_int_equal(request.order_id, 0);
    assert_int_equal(read_as(builtin, "", "[1]", BODY_JSON), ERR_JSON_TYPE);
}

static const struct {
    const char *given;
    int64_t order_id;
} orders[] = {
    {"111", 111},
    {"0", 0},
    {"007", 7},
    {"2802065908", 2802065908},
    {"9223372036854775807", INT64_MAX},
    {"9223372036854775808", 0},
    {"-5", 0},
    {"%2B5", 0},
    {"1e3", 0},
    {"{order_id}", 0},
    {"111%26t%3Dx", 0},
    {"99999999999999999999999999999999", 0},
};

static void an_order_id_is_plain_digits_or_nothing(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(orders); i++) {
        char query[128];
        struct text_buffer text;
        text_buffer_init(&text, query, sizeof(query));
        text_append_format(&text, "order_id=%s", orders[i].given);
        assert_int_equal(read(query, ""), 0);
        if (request.order_id != orders[i].order_id)
            fail_msg("'%s' became %lld", orders[i].given, (long long)request.order_id);
    }
    assert_int_equal(read("order_id=007", ""), 0);
    is_text(request.order, "007");
}

static void a_placeholder_is_what_a_url_carries_as_it_is(void **state)
{
    static const char *const good[] = {"0",
                                       "111",
                                       "18446744073709551616",
                                       "PLACEHOLDER",
                                       "order_id",
                                       "8c5a7a3e-61c4-4a55-9b1c-0d3f8f1c5a10",
                                       "-"};
    static const char *const others[] = {"",    "{order_id}", "a b",  "a.b",
                                         "a&b", "a=b",        "a%41", "caf\xc3\xa9"};
    char most[LOYALTY_ORDER_MAX + 2];
    (void)state;
    for (size_t i = 0; i < COUNT_OF(good); i++)
        assert_true(loyalty_order_is_placeholder(text_of(good[i])));
    for (size_t i = 0; i < COUNT_OF(others); i++)
        assert_false(loyalty_order_is_placeholder(text_of(others[i])));
    memset(most, 'x', sizeof(most));
    assert_true(loyalty_order_is_placeholder((struct text){most, LOYALTY_ORDER_MAX}));
    assert_false(loyalty_order_is_placeholder((struct text){most, LOYALTY_ORDER_MAX + 1}));
}

static void ten_kilobytes_of_keyword_are_read(void **state)
{
    (void)state;
    static char query[12000] = "keyword=";
    memset(query + 8, 'k', 10240);
    assert_int_equal(read(query, ""), 0);
    assert_int_equal(request.keyword.length, 10240);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_documented_url_is_read),
        cmocka_unit_test(plus_and_percent_are_the_same_space),
        cmocka_unit_test(a_body_goes_before_the_query),
        cmocka_unit_test(the_body_format_is_a_choice),
        cmocka_unit_test(other_names_come_from_the_profile),
        cmocka_unit_test(what_cannot_be_read_is_said),
        cmocka_unit_test(json_of_another_kind_says_nothing),
        cmocka_unit_test(an_order_id_is_plain_digits_or_nothing),
        cmocka_unit_test(a_placeholder_is_what_a_url_carries_as_it_is),
        cmocka_unit_test(ten_kilobytes_of_keyword_are_read),
    };
    return cmocka_run_group_tests(tests, group_begin, group_end);
}
