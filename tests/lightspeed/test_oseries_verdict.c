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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_end_of_a_change_is_told_for_what_it_is),
        cmocka_unit_test(a_reading_never_may_have_happened),
        cmocka_unit_test(a_stale_token_is_told_by_status_name_or_words),
        cmocka_unit_test(the_sentence_is_the_best_there_is_printable_and_short),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
