/* Is every way in which a call can end told for what it is? */
#include "base/error.h"
#include "lightspeed/oseries_call.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/banned.h"

/* What came: error of the transfer, status, body. What it means, for a change. */
struct way {
    int error;
    bool was_sent;
    int status;
    const char *body;
    int meaning;
    bool may_have_happened, may_happen_later;
};

static const struct way ways[] = {
    /* done */
    {0, true, 200, "{}", 0, false, false},
    {0, true, 201, "null", 0, false, false},
    {0, true, 200, "", 0, false, false},
    {0, true, 204, "", 0, false, false},
    /* refused: nothing has changed */
    {0, true, 400, "{\"error\":\"bad\"}", ERR_REFUSED, false, false},
    {0, true, 401, "", ERR_REFUSED, false, false},
    {0, true, 403, "<html>", ERR_REFUSED, false, false},
    {0, true, 404, "{}", ERR_NOT_FOUND, false, false},
    {0, true, 422, "[]", ERR_REFUSED, false, false},
    {0, true, 429, "", ERR_RATE_LIMITED, false, false},
    {0, true, 408, "", ERR_BAD_REPLY, false, false},
    {0, true, 425, "", ERR_BAD_REPLY, false, false},
    {ERR_CONNECTION_LOST, true, 403, "", ERR_REFUSED, false, false}, /* its head came */
    /* never sent */
    {ERR_UNREACHABLE, false, 0, "", ERR_UNREACHABLE, false, false},
    {ERR_TIMED_OUT, false, 0, "", ERR_TIMED_OUT, false, false},
    {ERR_SHUTTING_DOWN, false, 0, "", ERR_SHUTTING_DOWN, false, false},
    {ERR_NO_MEMORY, false, 0, "", ERR_NO_MEMORY, false, false},
    /* silence: perhaps, and perhaps still to come */
    {ERR_TIMED_OUT, true, 0, "", ERR_TIMED_OUT, true, true},
    {ERR_CONNECTION_LOST, true, 0, "", ERR_CONNECTION_LOST, true, true},
    {ERR_SHUTTING_DOWN, true, 0, "", ERR_SHUTTING_DOWN, true, true},
    /* it has answered, but what? */
    {ERR_CONNECTION_LOST, true, 201, "", ERR_CONNECTION_LOST, true, false},
    {ERR_TIMED_OUT, true, 200, "", ERR_TIMED_OUT, true, false},
    {ERR_TOO_LARGE, true, 200, "", ERR_BAD_REPLY, true, false},
    {0, true, 200, "<html>Welcome to our network</html>", ERR_BAD_REPLY, true, false},
    {0, true, 201, "{\"id\":", ERR_BAD_REPLY, true, false},
    {0, true, 301, "", ERR_BAD_REPLY, true, false},
    {0, true, 302, "", ERR_BAD_REPLY, true, false},
    {0, true, 500, "{}", ERR_BAD_REPLY, true, false},
    {ERR_CONNECTION_LOST, true, 500, "", ERR_BAD_REPLY, true, false},
    /* a gateway: what stands behind it may be at it still */
    {0, true, 502, "", ERR_BAD_REPLY, true, true},
    {0, true, 503, "", ERR_BAD_REPLY, true, true},
    {0, true, 504, "<html>", ERR_BAD_REPLY, true, true},
};

static struct verdict judge(const struct way *way, bool is_change)
{
    const struct outbound_reply reply = {.error = way->error,
                                         .was_sent = way->was_sent,
                                         .status = way->status,
                                         .body = text_of(way->body)};
    struct verdict verdict;
    verdict_make(&verdict, is_change, &reply);
    return verdict;
}

static void every_end_of_a_change_is_told_for_what_it_is(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(ways); i++) {
        struct verdict verdict = judge(&ways[i], true);
        if (verdict.result.error != ways[i].meaning ||
            verdict.result.may_have_happened != ways[i].may_have_happened ||
            verdict.result.may_happen_later != ways[i].may_happen_later)
            print_message("way %zu\n", i);
        assert_int_equal(verdict.result.error, ways[i].meaning);
        assert_int_equal(verdict.result.status, ways[i].status);
        assert_int_equal(verdict.result.may_have_happened, ways[i].may_have_happened);
        assert_int_equal(verdict.result.may_happen_later, ways[i].may_happen_later);
        verdict_finish(&verdict);
    }
}

static void a_reading_never_may_have_happened(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(ways); i++) {
        struct verdict verdict = judge(&ways[i], false);
        bool is_empty_success = ways[i].meaning == 0 && ways[i].body[0] == '\0';
        assert_int_equal(verdict.result.error, is_empty_success ? ERR_BAD_REPLY : ways[i].meaning);
        assert_false(verdict.result.may_have_happened || verdict.result.may_happen_later);
        verdict_finish(&verdict);
    }
}

static void a_stale_token_is_told_by_status_name_or_words(void **state)
{
    (void)state;
    static const struct {
        int status;
        const char *body;
        bool is_stale;
    } cases[] = {
        {401, "", true},
        {401, "<html>", true},
        {400, "{\"error\":\"invalid_token\"}", true},
        {403, "{\"error\":\"expired_token\",\"error_description\":\"x\"}", true},
        {400, "{\"error\":\"x\",\"error_description\":\"The access Token provided has Expired\"}",
         true},
        {400, "{\"error_message\":\"the access token has expired\"}", true},
        {400, "{\"error\":\"token expired\"}", true},
        {400, "{\"error\":\"invalid_grant\",\"error_description\":\"Your card has expired\"}",
         false},
        {400, "{\"error\":{\"code\":\"invalid_token\"}}", false},
        {403, "", false},
        {429, "{\"error\":\"invalid_token\"}", false},
        {500, "{\"error\":\"invalid_token\"}", false},
        {200, "{\"error\":\"invalid_token\"}", false},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct way way = {0, true, cases[i].status, cases[i].body, 0, false, false};
        struct verdict verdict = judge(&way, true);
        assert_int_equal(verdict.token_is_stale, cases[i].is_stale);
        assert_int_equal(verdict.is_rate_limited, cases[i].status == 429);
        verdict_finish(&verdict);
    }
}

static void the_sentence_is_the_best_there_is_printable_and_short(void **state)
{
    (void)state;
    static const struct {
        const char *body, *sentence;
    } cases[] = {
        {"{\"error\":\"e\",\"error_description\":\"Product (199547) is out of stock.\"}",
         "Product (199547) is out of stock."},
        {"{\"error\":\"e\",\"error_message\":\"m\"}", "m"},
        {"{\"error\":\"e\",\"error_description\":\"\"}", "e"},
        {"{\"error\":\"forbidden\"}", "forbidden"},
        {"{\"error\":7}", ""},
        {"<html>", ""},
        {"{\"error\":\"a\\u001b[31m\\nb\\u0085c \\u00e9\"}", "a [31m b c \xc3\xa9"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct way way = {0, true, 400, cases[i].body, 0, false, false};
        struct verdict verdict = judge(&way, true);
        assert_string_equal(verdict.result.sentence, cases[i].sentence);
        verdict_finish(&verdict);
    }
    char body[2000];
    struct text_buffer buffer;
    text_buffer_init(&buffer, body, sizeof(body));
    text_append(&buffer, TEXT("{\"error\":\""));
    for (int i = 0; i < 300; i++)
        text_append(&buffer, TEXT("\xe2\x82\xac"));
    text_append(&buffer, TEXT("\"}"));
    const struct way way = {0, true, 400, body, 0, false, false};
    struct verdict verdict = judge(&way, true);
    assert_int_equal(strlen(verdict.result.sentence), 198); /* whole characters of three bytes */
    verdict_finish(&verdict);
}

static void origins_are_scheme_host_and_port_and_nothing_tricky(void **state)
{
    (void)state;
    static const char api[] = "https://api.kounta.com/v1";
    static const char *const same[] = {
        "https://api.kounta.com/v1/companies/1/customers/2", "https://API.KOUNTA.COM?start=9",
        "https://api.kounta.com:443/x", "HTTPS://api.kounta.com", "https://api.kounta.com#a"};
    static const char *const others[] = {"",
                                         "api.kounta.com/v1",
                                         "/v1/companies",
                                         "//api.kounta.com/v1",
                                         "http://api.kounta.com/v1",
                                         "https://api.kounta.com:444/v1",
                                         "https://api.kounta.com.evil.example/v1",
                                         "https://api.kounta.com@evil.example/v1",
                                         "https://evil.example/https://api.kounta.com/",
                                         "https://api.kounta.com\\@evil.example/",
                                         "https://user:x@api.kounta.com/v1",
                                         "https://api.kounta.com%2eevil.example/",
                                         "https://",
                                         "https:///v1",
                                         "ftp://api.kounta.com/",
                                         " https://api.kounta.com/",
                                         "https://xn--pi-7ka.kounta.com/"};
    for (size_t i = 0; i < COUNT_OF(same); i++)
        assert_true(url_is_same_origin(text_of(same[i]), text_of(api)));
    for (size_t i = 0; i < COUNT_OF(others); i++)
        assert_false(url_is_same_origin(text_of(others[i]), text_of(api)));
    assert_true(url_is_same_origin(TEXT("http://[::1]:8080/a"), TEXT("http://[::1]:8080")));
    assert_true(url_is_same_origin(TEXT("http://a:80"), TEXT("http://a")));
    assert_false(url_is_same_origin(TEXT("http://a:443"), TEXT("http://a")));
}

static void the_new_id_is_the_last_number_of_the_location(void **state)
{
    (void)state;
    static const struct {
        const char *url;
        int64_t number;
    } cases[] = {{"https://a/v1/companies/1/orders/2802065909", 2802065909},
                 {"https://a/v1/companies/1/orders/2802065909.json?x=3#4", 2802065909},
                 {"/orders/7/", 7},
                 {"/orders/7/payments/2", 2},
                 {"", 0},
                 {"7", 0},
                 {"/orders/", 0},
                 {"/orders/x7", 0},
                 {"/orders/99999999999999999999", 0},
                 {"/orders/-7", 0}};
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_int_equal(url_last_number(text_of(cases[i].url)), cases[i].number);
}

static void what_goes_into_a_query_is_encoded(void **state)
{
    (void)state;
    char bytes[64];
    struct text_buffer buffer;
    text_buffer_init(&buffer, bytes, sizeof(bytes));
    url_append_encoded(&buffer, TEXT("a+b&c=d@e.x/\xc3\xa9 ~_-"));
    assert_string_equal(bytes, "a%2Bb%26c%3Dd%40e.x%2F%C3%A9%20~_-");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_end_of_a_change_is_told_for_what_it_is),
        cmocka_unit_test(a_reading_never_may_have_happened),
        cmocka_unit_test(a_stale_token_is_told_by_status_name_or_words),
        cmocka_unit_test(the_sentence_is_the_best_there_is_printable_and_short),
        cmocka_unit_test(origins_are_scheme_host_and_port_and_nothing_tricky),
        cmocka_unit_test(the_new_id_is_the_last_number_of_the_location),
        cmocka_unit_test(what_goes_into_a_query_is_encoded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
