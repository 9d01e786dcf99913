/* Pages for people: escaped, allowed nothing, and JSON for who asks for JSON. */
#include "handlers/page.h"

#include "base/json.h"
#include "tests/support/server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/banned.h"

static char answer[32 * 1024];
static size_t answer_length;
static const struct page *page;

static int on_request(h2o_handler_t *self, h2o_req_t *req)
{
    (void)self;
    page_reply(exchange_begin(req), page);
    return 0;
}

static int setup(void **state)
{
    int failed = server_setup(state);
    assert_int_equal(directory_create(&server.handlers.directory), 0);
    assert_int_equal(profiles_create(NULL, &server.handlers.profiles), 0);
    h2o_create_handler(server.path, sizeof(h2o_handler_t))->on_req = on_request;
    return failed;
}

static int teardown(void **state)
{
    int failed = server_teardown(state);
    profiles_destroy(server.handlers.profiles);
    directory_destroy(server.handlers.directory);
    return failed;
}

/* The whole answer to a GET with this Accept header; NULL: without one. */
static void ask(const struct page *wanted, const char *accept)
{
    char request[512];
    h2o_socket_t *accepted;
    int length = accept == NULL ? snprintf(request, sizeof(request),
                                           "GET / HTTP/1.1\r\nHost: a\r\n"
                                           "Connection: close\r\n\r\n")
                                : snprintf(request, sizeof(request),
                                           "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
                                           "Accept: %s\r\n\r\n",
                                           accept);
    page = wanted;
    answer_length = 0;
    int client = server_connect(&accepted);
    h2o_accept(&server.accept, accepted);
    assert_int_equal(write(client, request, (size_t)length), length);
    for (int i = 0; i < 200; i++) {
        server_turn(1);
        ssize_t got =
            recv(client, answer + answer_length, sizeof(answer) - 1 - answer_length, MSG_DONTWAIT);
        if (got == 0)
            break;
        if (got > 0)
            answer_length += (size_t)got;
    }
    answer[answer_length] = '\0';
    close(client);
    server_turn(5);
}

static const char *body(void)
{
    const char *end = strstr(answer, "\r\n\r\n");
    assert_non_null(end);
    return end + 4;
}

static const struct page hostile = {
    .status = 409,
    .code = "already_exists",
    .heading = "<script>alert('1')</script>",
    .merchant = "<b>Ann's</b>",
    .sentences = {"\"><img src=x onerror=alert(2)>&amp;", "second 'sentence'"},
    .steps = {"<i>sync</i>"},
    .link = "https://a.example/?b=1&c=\"><script>",
    .link_text = "Try <again>",
};
static const struct page good = {
    .status = 200, .is_good = true, .heading = "Connected", .sentences = {"Caf\xc3\xa9 \"One\""}};

static void every_text_is_escaped(void **state)
{
    (void)state;
    ask(&hostile, "text/html");
    assert_non_null(strstr(answer, "HTTP/1.1 409 "));
    assert_null(strstr(answer, "<script"));
    assert_null(strstr(answer, "<img"));
    assert_non_null(strstr(body(), "<h1>&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;</h1>"));
    assert_non_null(strstr(body(), "<p>&quot;&gt;&lt;img src=x onerror=alert(2)&gt;&amp;amp;</p>"));
    assert_non_null(strstr(body(), "<p>second &#39;sentence&#39;</p>"));
    assert_non_null(strstr(body(), "<p>&lt;b&gt;Ann&#39;s&lt;/b&gt;</p>"));
    assert_non_null(strstr(body(), "<li>&lt;i&gt;sync&lt;/i&gt;</li>"));
    assert_non_null(strstr(body(), "<a href=\"https://a.example/?b=1&amp;c=&quot;&gt;&lt;script&gt;"
                                   "\">Try &lt;again&gt;</a>"));
    assert_non_null(strstr(body(), "<body class=\"not\">"));
}

static void a_page_may_show_itself_and_nothing_else(void **state)
{
    char nonce[ID_KEY_CHARS + 1], first[ID_KEY_CHARS + 1] = "";
    (void)state;
    for (int i = 0; i < 2; i++) {
        ask(&good, NULL);
        assert_non_null(strstr(answer, "HTTP/1.1 200 "));
        assert_non_null(strstr(answer, "content-type: text/html; charset=utf-8\r\n"));
        assert_non_null(strstr(answer, "cache-control: no-store\r\n"));
        assert_non_null(strstr(answer, "x-content-type-options: nosniff\r\n"));
        assert_non_null(strstr(answer, "referrer-policy: no-referrer\r\n"));
        const char *policy =
            strstr(answer, "content-security-policy: default-src 'none'; style-src 'nonce-");
        assert_non_null(policy);
        memcpy(nonce, strstr(policy, "nonce-") + 6, ID_KEY_CHARS);
        nonce[ID_KEY_CHARS] = '\0';
        assert_non_null(strstr(body(), nonce));
        assert_string_not_equal(nonce, first);
        memcpy(first, nonce, sizeof(first));
    }
    assert_non_null(strstr(body(), "<p>Caf\xc3\xa9 &quot;One&quot;</p>"));
    assert_non_null(strstr(body(), "<body>"));
    assert_null(strstr(body(), "<a ")); /* what is not there leaves nothing behind */
    assert_null(strstr(body(), "<ol"));
}

static void the_largest_page_fits(void **state)
{
    (void)state;
    char link[4096], sentence[257];
    memset(link, 'a', sizeof(link) - 1);
    memset(sentence, '"', sizeof(sentence) - 1);
    link[sizeof(link) - 1] = sentence[sizeof(sentence) - 1] = '\0';
    struct page large = {.status = 400,
                         .code = "refused",
                         .heading = sentence,
                         .merchant = sentence,
                         .link = link,
                         .link_text = sentence};
    for (int i = 0; i < PAGE_SENTENCES_MAX; i++)
        large.sentences[i] = sentence;
    for (int i = 0; i < PAGE_STEPS_MAX; i++)
        large.steps[i] = sentence;
    ask(&large, "text/html");
    assert_non_null(strstr(body(), "</html>"));
    ask(&large, "application/json");
    assert_non_null(strstr(answer, "HTTP/1.1 400 "));
}

static void who_asks_for_json_gets_json(void **state)
{
    (void)state;
    ask(&hostile, "application/json");
    assert_non_null(strstr(answer, "HTTP/1.1 409 "));
    assert_non_null(strstr(answer, "content-type: application/json"));
    struct jread *json;
    assert_int_equal(jread_parse(text_of(body()), &json), 0);
    struct text text;
    bool is_success = true;
    assert_int_equal(jread_bool(jread_member(json, "success"), &is_success), 0);
    assert_false(is_success);
    assert_int_equal(jread_text(jread_member(json, "error"), &text), 0);
    assert_true(text_equal(text, text_of(hostile.sentences[0])));
    assert_int_equal(jread_text(jread_member(json, "code"), &text), 0);
    assert_true(text_equal(text, TEXT("already_exists")));
    jread_destroy(json);
    ask(&good, "application/json, */*");
    assert_string_equal(body(), "{\"success\":true,\"message\":\"Caf\xc3\xa9 \\\"One\\\"\"}");
}

static void a_browser_that_also_takes_json_gets_the_page(void **state)
{
    (void)state;
    ask(&good, "text/html,application/json;q=0.9,*/*;q=0.8");
    assert_non_null(strstr(answer, "content-type: text/html"));
    ask(&good, "*/*");
    assert_non_null(strstr(answer, "content-type: text/html"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_text_is_escaped),
        TEST(a_page_may_show_itself_and_nothing_else),
        TEST(the_largest_page_fits),
        TEST(who_asks_for_json_gets_json),
        TEST(a_browser_that_also_takes_json_gets_the_page),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
