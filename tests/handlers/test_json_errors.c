/* Are libh2o's own answers JSON refusals, with their length, whichever way they come about? And are
 * all other answers left alone? */
#include "handlers/json_errors.h"

#include "base/json.h"
#include "handlers/route.h"
#include "tests/support/server.h"

#include <h2o/http2.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/banned.h"

static int client = -1;
static char answer[16 * 1024];
static size_t answer_length;
static int (*handle)(h2o_req_t *req);

static int on_request(h2o_handler_t *self, h2o_req_t *req)
{
    (void)self;
    return handle(req);
}

/* Nobody serves it: libh2o answers 404 itself. */
static int handle_nothing(h2o_req_t *req)
{
    (void)req;
    return -1;
}

static int setup(void **state)
{
    int failed = server_setup(state);
    h2o_create_handler(server.path, sizeof(h2o_handler_t))->on_req = on_request;
    json_errors_register(server.path);
    json_errors_register(&server.hosts[0]->fallback_path);
    handle = handle_nothing;
    return failed;
}

static void hang_up(void)
{
    if (client >= 0)
        close(client);
    client = -1;
    server_turn(10);
}

static int teardown(void **state)
{
    hang_up();
    return server_teardown(state);
}

static void dial(void)
{
    h2o_socket_t *sock;
    hang_up();
    client = server_connect(&sock);
    h2o_accept(&server.accept, sock);
    answer_length = 0;
}

static void client_sends(const void *bytes, size_t size)
{
    assert_int_equal(send(client, bytes, size, MSG_NOSIGNAL), (ssize_t)size);
    server_turn(5);
}

static void client_reads(void)
{
    ssize_t got;
    server_turn(5);
    while ((got = recv(client, answer + answer_length, sizeof(answer) - 1 - answer_length, 0)) > 0)
        answer_length += (size_t)got;
    answer[answer_length] = '\0';
}

static void ask(const char *request)
{
    dial();
    client_sends(request, strlen(request));
    client_reads();
}

static bool answer_has(const char *piece)
{
    return strstr(answer, piece) != NULL;
}

static const char *answer_body(void)
{
    const char *end = strstr(answer, "\r\n\r\n");
    assert_non_null(end);
    return end + 4;
}

static size_t announced_length(void)
{
    const char *header = strcasestr(answer, "\r\ncontent-length: ");
    assert_non_null(header);
    return strtoul(header + strlen("\r\ncontent-length: "), NULL, 10);
}

static void assert_refusal(const char *status, const char *code)
{
    char head[64], member[64];
    snprintf(head, sizeof(head), "HTTP/1.1 %s ", status);
    snprintf(member, sizeof(member), "\"code\":\"%s\"}", code);
    assert_true(strncmp(answer, head, strlen(head)) == 0);
    assert_true(answer_has("\r\ncontent-type: application/json; charset=utf-8\r\n"));
    assert_true(answer_has("\r\ncache-control: no-store\r\n"));
    assert_false(answer_has("text/plain"));
    assert_int_equal(announced_length(), strlen(answer_body()));
    assert_true(strncmp(answer_body(), "{\"success\":false,\"error\":\"", 26) == 0);
    assert_true(answer_has(member));
    struct jread *document;
    assert_int_equal(jread_parse(text_of(answer_body()), &document), 0);
    jread_destroy(document);
}

#define POST "POST / HTTP/1.1\r\nhost: a\r\n"

static void every_answer_of_libh2o_is_a_refusal_in_json(void **state)
{
    (void)state;
    static const struct {
        const char *request, *status, *code;
    } cases[] = {
        {POST "content-length: x\r\n\r\n", "400", "bad_request"},
        {POST "content-length: -1\r\n\r\n", "400", "bad_request"},
        {POST "transfer-encoding: gzip\r\n\r\n", "400", "bad_request"},
        {POST "transfer-encoding: chunked\r\n\r\nzz\r\n", "400", "bad_request"},
        {POST "content-length: 65538\r\n\r\n", "413", "too_large"},
        {POST "content-length: 999999999999999999\r\n\r\n", "413", "too_large"},
        {POST "content-length: 18446744073709551617\r\n\r\n", "400", "bad_request"},
        {POST "expect: a miracle\r\ncontent-length: 2\r\n\r\n{}", "417", "expectation_failed"},
        {"GET /nowhere HTTP/1.1\r\nhost: a\r\n\r\n", "404", "unavailable"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        ask(cases[i].request);
        assert_refusal(cases[i].status, cases[i].code);
    }
}

static void a_body_that_grows_too_large_in_chunks_is_refused_in_json(void **state)
{
    (void)state;
    static char bytes[BODY_MAX + 64];
    memset(bytes, 'x', sizeof(bytes));
    dial();
    client_sends(POST "transfer-encoding: chunked\r\n\r\n", sizeof(POST) - 1 + 30);
    client_sends("10020\r\n", 7);
    client_sends(bytes, BODY_MAX + 32);
    client_reads();
    assert_refusal("413", "too_large");
}

static void head_gets_the_length_of_the_refusal_and_no_body(void **state)
{
    (void)state;
    ask("HEAD / HTTP/1.1\r\nhost: a\r\n\r\n");
    assert_true(answer_has("HTTP/1.1 404 "));
    assert_true(answer_has("\r\ncontent-type: application/json; charset=utf-8\r\n"));
    assert_string_equal(answer_body(), "");
    size_t announced = announced_length();
    ask("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    assert_int_equal(announced, strlen(answer_body()));
}

static void a_refusal_closes_a_broken_connection_and_keeps_a_sound_one(void **state)
{
    (void)state;
    ask("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    assert_int_equal(server.loop.lingering, 0);
    answer_length = 0;
    client_sends("GET / HTTP/1.1\r\nhost: a\r\n\r\n", 27);
    client_reads();
    assert_refusal("404", "unavailable");
    ask(POST "content-length: x\r\n\r\n");
    assert_int_equal(server.loop.lingering, 1);
    assert_true(answer_has("\r\nConnection: close\r\n"));
    char byte;
    assert_int_equal(recv(client, &byte, 1, 0), 0);
}

/* The kernel would reset a connection that is closed with bytes unread, and the answer with it. */
static void a_client_that_still_sends_reads_its_refusal(void **state)
{
    (void)state;
    static char bytes[128 * 1024];
    dial();
    client_sends(POST "content-length: 1000000\r\n\r\n", sizeof(POST) - 1 + 27);
    for (int i = 0; i < 4; i++) {
        (void)send(client, bytes, sizeof(bytes), MSG_NOSIGNAL);
        server_turn(3);
    }
    client_reads();
    assert_refusal("413", "too_large");
    char byte;
    assert_int_equal(recv(client, &byte, 1, 0), 0); /* an end, and no ECONNRESET */
}

/* --- what is not libh2o's */

static int reply(h2o_req_t *req, int status, const char *content_type, const char *body)
{
    static h2o_generator_t generator;
    h2o_iovec_t bytes = h2o_iovec_init(body, strlen(body));
    req->res.status = status;
    req->res.reason = "Whatever";
    req->res.content_length = bytes.len;
    if (content_type != NULL)
        h2o_add_header(&req->pool, &req->res.headers, H2O_TOKEN_CONTENT_TYPE, NULL, content_type,
                       strlen(content_type));
    h2o_start_response(req, &generator);
    h2o_send(req, &bytes, 1, H2O_SEND_STATE_FINAL);
    return 0;
}

static int handle_metrics(h2o_req_t *req)
{
    return reply(req, 200, "text/plain; version=0.0.4", "one 1\n");
}

static int handle_own_refusal(h2o_req_t *req)
{
    return reply(req, 404, "application/json", "{\"ours\":true}");
}

static int handle_untyped(h2o_req_t *req)
{
    return reply(req, 500, NULL, "?");
}

static void our_own_answers_are_left_alone(void **state)
{
    (void)state;
    static const struct {
        int (*handle)(h2o_req_t *req);
        const char *body;
    } cases[] = {{handle_metrics, "one 1\n"},
                 {handle_own_refusal, "{\"ours\":true}"},
                 {handle_untyped, "?"}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        handle = cases[i].handle;
        ask("GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
        assert_string_equal(answer_body(), cases[i].body);
        assert_false(answer_has("no-store"));
        assert_int_equal(server.loop.lingering, 0);
    }
}

/* --- counting */

static const char *name_of(int index)
{
    return index == route_count() ? "none" : "other";
}

static const char *no_verdict(int verdict)
{
    (void)verdict;
    return NULL;
}

static void refusals_are_counted_as_unknown_paths(void **state)
{
    (void)state;
    static char text[64 * 1024];
    struct text_buffer buffer;
    const struct metrics_names names = {route_count() + 1, name_of, name_of, no_verdict};
    ask(POST "content-length: x\r\n\r\n");
    ask(POST "content-length: 70000\r\n\r\n");
    ask(POST "content-length: 70000\r\n\r\n");
    text_buffer_init(&buffer, text, sizeof(text));
    metrics_append(server.handlers.metrics, &names, &buffer);
    assert_non_null(strstr(text, "route=\"none\",status=\"400\"} 1\n"));
    assert_non_null(strstr(text, "route=\"none\",status=\"413\"} 2\n"));
    assert_null(strstr(text, "route=\"other\",status="));
}

/* --- HTTP/2 */

/* SETTINGS without entries; HEADERS of stream 1: GET http / with authority a. */
static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
static const uint8_t settings[] = {0, 0, 0, 4, 0, 0, 0, 0, 0};
static const uint8_t headers[] = {0, 0, 6, 1, 5, 0, 0, 0, 1, 0x82, 0x86, 0x84, 0x41, 0x01, 'a'};

static void over_http2_it_is_the_same_refusal_and_the_connection_stays(void **state)
{
    (void)state;
    static const char body[] = "{\"success\":false,\"error\":\"The request could not be served\","
                               "\"code\":\"unavailable\"}";
    server.globalconf.http1.upgrade_to_http2 = 1;
    dial();
    client_sends(preface, sizeof(preface) - 1);
    client_sends(settings, sizeof(settings));
    client_sends(headers, sizeof(headers));
    client_reads();
    assert_non_null(memmem(answer, answer_length, body, sizeof(body) - 1));
    assert_null(memmem(answer, answer_length, "not found", 9));
    assert_int_equal(server.loop.lingering, 0);
    char byte;
    assert_int_equal(recv(client, &byte, 1, 0), -1); /* nothing to read, and no end */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_answer_of_libh2o_is_a_refusal_in_json),
        TEST(a_body_that_grows_too_large_in_chunks_is_refused_in_json),
        TEST(head_gets_the_length_of_the_refusal_and_no_body),
        TEST(a_refusal_closes_a_broken_connection_and_keeps_a_sound_one),
        TEST(a_client_that_still_sends_reads_its_refusal),
        TEST(our_own_answers_are_left_alone),
        TEST(refusals_are_counted_as_unknown_paths),
        TEST(over_http2_it_is_the_same_refusal_and_the_connection_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
