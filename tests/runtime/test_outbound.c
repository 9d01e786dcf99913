/* Does the outbound thread tell the truth about every request, in time, and end without losing a
 * job? Against a real server that can be as bad as it likes. */
#include "runtime/outbound.h"

#include "base/clock.h"
#include "runtime/queue.h"
#include "tests/support/tiny_http.h"

#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/banned.h"

#define MS INT64_C(1000)
#define SEEN_MAX 600

/* What came of a request. */
struct seen {
    bool is_done;
    int times;
    bool was_on_thread;
    struct outbound_reply reply;
    char body[512], location[128], next_page[128], pages[16], retry_after[16], remaining[16];
    int64_t done_us;
};

static struct outbound *outbound;
static struct tiny *tiny;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static struct seen seen[SEEN_MAX];
static pthread_t outbound_thread;
static char url[256];

static void note_thread(void *context)
{
    pthread_mutex_lock(&mutex);
    outbound_thread = pthread_self();
    *(bool *)context = true;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&mutex);
}

static int setup(void **state)
{
    (void)state;
    static bool is_noted;
    static struct outbound_message message;
    memset(seen, 0, sizeof(seen));
    tiny = tiny_start();
    snprintf(url, sizeof(url), "http://127.0.0.1:%d/v1/orders", tiny_port(tiny));
    assert_int_equal(outbound_create(&outbound), 0);
    is_noted = false;
    message = (struct outbound_message){.fn = note_thread, .context = &is_noted};
    outbound_post(outbound, &message);
    pthread_mutex_lock(&mutex);
    while (!is_noted)
        pthread_cond_wait(&changed, &mutex);
    pthread_mutex_unlock(&mutex);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    outbound_destroy(outbound);
    tiny_stop(tiny);
    return 0;
}

static void copy(char *out, size_t size, struct text text)
{
    snprintf(out, size, "%.*s", (int)text.length, text.length == 0 ? "" : text.base);
}

static void on_done(void *context, const struct outbound_reply *reply)
{
    struct seen *each = context;
    pthread_mutex_lock(&mutex);
    each->reply = *reply;
    copy(each->body, sizeof(each->body), reply->body);
    copy(each->location, sizeof(each->location), reply->location);
    copy(each->next_page, sizeof(each->next_page), reply->next_page);
    copy(each->pages, sizeof(each->pages), reply->pages);
    copy(each->retry_after, sizeof(each->retry_after), reply->retry_after);
    copy(each->remaining, sizeof(each->remaining), reply->ratelimit_remaining);
    each->was_on_thread = pthread_equal(pthread_self(), outbound_thread);
    each->times++;
    each->done_us = clock_monotonic_us();
    each->is_done = true;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&mutex);
}

static struct seen *await(int index)
{
    pthread_mutex_lock(&mutex);
    while (!seen[index].is_done)
        pthread_cond_wait(&changed, &mutex);
    pthread_mutex_unlock(&mutex);
    assert_true(seen[index].was_on_thread);
    assert_int_equal(seen[index].times, 1);
    return &seen[index];
}

struct sending {
    struct outbound_message message;
    struct outbound_request request;
    int index, count;
};

static void send_now(void *context)
{
    struct sending *sending = context;
    for (int i = 0; i < sending->count; i++) {
        outbound_send(outbound, &sending->request, on_done, &seen[sending->index + i]);
        pthread_mutex_lock(&mutex);
        bool is_done = seen[sending->index + i].is_done;
        pthread_mutex_unlock(&mutex);
        assert_false(is_done); /* never from inside the call */
    }
    free(sending);
}

static void send_many(int index, int count, const char *method, const char *to, const char *body,
                      int64_t wait_us)
{
    struct sending *sending = calloc(1, sizeof(*sending));
    sending->index = index;
    sending->count = count;
    sending->request = (struct outbound_request){
        .method = method,
        .url = to,
        .headers = {"Accept: application/json", "Authorization: Bearer abc"},
        .body = text_of(body),
        .deadline_us = clock_monotonic_us() + wait_us,
    };
    sending->message = (struct outbound_message){.fn = send_now, .context = sending};
    outbound_post(outbound, &sending->message);
}

static struct seen *get(int index, int64_t wait_us)
{
    send_many(index, 1, "GET", url, NULL, wait_us);
    return await(index);
}

static struct seen *post(int index, const char *body, int64_t wait_us)
{
    send_many(index, 1, "POST", url, body, wait_us);
    return await(index);
}

static void script(enum tiny_way way, const char *text)
{
    tiny_script(tiny, (struct tiny_answer){.way = way, .text = text});
}

#define SECONDS(s) ((s)*1000 * MS)

/* --- requests as they should be */

static void a_request_goes_out_as_it_was_given(void **state)
{
    (void)state;
    struct seen *each = post(0, "{\"a\":1}", SECONDS(10));
    assert_int_equal(each->reply.error, 0);
    assert_int_equal(each->reply.status, 200);
    assert_string_equal(each->body, "{}");
    assert_true(each->reply.was_sent);
    const struct tiny_request *request = tiny_await(tiny, 0);
    assert_memory_equal(request->head, "POST /v1/orders HTTP/1.1\r\n", 26);
    assert_string_equal(request->body, "{\"a\":1}");
    assert_string_equal(tiny_header(request, "Authorization"), "Bearer abc");
    assert_string_equal(tiny_header(request, "Accept"), "application/json");
    assert_null(tiny_header(request, "Expect"));
    assert_null(tiny_header(request, "Cookie"));
}

static void each_method_carries_a_body_where_it_should(void **state)
{
    (void)state;
    static const struct {
        const char *method, *body, *length;
    } cases[] = {{"GET", NULL, NULL},      {"POST", "", "0"},      {"PUT", "{}", "2"},
                 {"PUT", NULL, "0"},       {"DELETE", NULL, NULL}, {"DELETE", "{}", "2"},
                 {"POST", "{\"\":1}", "6"}};
    for (int i = 0; i < (int)COUNT_OF(cases); i++) {
        send_many(i, 1, cases[i].method, url, cases[i].body, SECONDS(10));
        assert_int_equal(await(i)->reply.error, 0);
        const struct tiny_request *request = tiny_await(tiny, i);
        assert_memory_equal(request->head, cases[i].method, strlen(cases[i].method));
        const char *length = tiny_header(request, "Content-Length");
        assert_true((length == NULL) == (cases[i].length == NULL));
        if (length != NULL)
            assert_string_equal(length, cases[i].length);
        assert_null(tiny_header(request, "Transfer-Encoding"));
        assert_string_equal(request->body, cases[i].body == NULL ? "" : cases[i].body);
    }
}

static void connections_are_used_again(void **state)
{
    (void)state;
    for (int i = 0; i < 10; i++)
        assert_int_equal((i % 2 == 0 ? get(i, SECONDS(10)) : post(i, "", SECONDS(10)))->reply.error,
                         0);
    assert_int_equal(tiny_connections(tiny), 1);
}

static void the_headers_of_the_reply_are_told(void **state)
{
    (void)state;
    script(TINY_SAY, "HTTP/1.1 201 Created\r\nlocation: http://a/v1/orders/7\r\n"
                     "date: Fri, 29 May 2026 12:00:00 GMT\r\n"
                     "X-Next-Page: http://a/?start=9\r\nX-Pages: 4\r\nRetry-After: 3\r\n"
                     "X-Ratelimit-Limit: 180\r\nX-Ratelimit-Remaining:  179 \r\n"
                     "X-Ratelimit-Reset: 1790000000\r\nContent-Length: 4\r\n\r\nnull");
    struct seen *each = post(0, "{}", SECONDS(10));
    assert_int_equal(each->reply.status, 201);
    assert_string_equal(each->body, "null");
    assert_int_equal(each->reply.told_at_us, INT64_C(1780056000) * 1000000);
    assert_string_equal(each->location, "http://a/v1/orders/7");
    assert_string_equal(each->next_page, "http://a/?start=9");
    assert_string_equal(each->pages, "4");
    assert_string_equal(each->retry_after, "3");
    assert_string_equal(each->remaining, "179");
    assert_int_equal(get(1, SECONDS(10))->reply.location.length, 0);
}

static void the_head_of_a_1xx_and_trailers_are_not_the_replys(void **state)
{
    (void)state;
    script(TINY_SAY, "HTTP/1.1 103 Early Hints\r\nLocation: /early\r\nRetry-After: 9\r\n\r\n"
                     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nLocation: /real\r\n\r\n"
                     "2\r\n{}\r\n0\r\nLocation: /trailer\r\nX-Next-Page: /trailer\r\n\r\n");
    struct seen *each = get(0, SECONDS(10));
    assert_int_equal(each->reply.error, 0);
    assert_int_equal(each->reply.status, 200);
    assert_string_equal(each->location, "/real");
    assert_string_equal(each->retry_after, "");
    assert_string_equal(each->next_page, "");
    assert_string_equal(each->body, "{}");
}

static void redirects_are_not_followed(void **state)
{
    (void)state;
    script(TINY_SAY, "HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n");
    struct seen *each = get(0, SECONDS(10));
    assert_int_equal(each->reply.status, 302);
    assert_string_equal(each->location, "/elsewhere");
    assert_int_equal(tiny_count(tiny), 1);
}

static void a_reply_in_pieces_is_put_together(void **state)
{
    (void)state;
    tiny_script(tiny, (struct tiny_answer){
                          .way = TINY_SAY,
                          .text = "HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nhello there",
                          .piece = 3});
    assert_string_equal(get(0, SECONDS(10))->body, "hello there");
}

/* --- replies as they should not be */

static void what_ends_before_it_is_whole_is_lost_but_was_sent(void **state)
{
    (void)state;
    script(TINY_DROP, NULL);
    script(TINY_SAY_AND_CUT, "HTTP/1.1 20");
    script(TINY_SAY_AND_CUT, "HTTP/1.1 201 Created\r\nLocation: /7\r\nContent-Length: 4\r\n\r\nnu");
    script(TINY_SAY_AND_CUT, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nnull\r\n");
    script(TINY_SAY_AND_CUT, "SSH-2.0-OpenSSH_9.2\r\n");
    for (int i = 0; i < 5; i++) {
        struct seen *each = post(i, "{}", SECONDS(10));
        assert_int_equal(each->reply.error, ERR_CONNECTION_LOST);
        assert_true(each->reply.was_sent);
        assert_int_equal(each->reply.body.length, 0);
        assert_int_equal(each->reply.status, i == 2 ? 201 : i == 3 ? 200 : 0);
    }
    assert_string_equal(seen[2].location, "/7");
    assert_int_equal(tiny_count(tiny), 5);
}

/* libcurl would send it again over a new connection, by itself. */
static void a_change_never_goes_out_twice_when_a_kept_connection_ends(void **state)
{
    (void)state;
    static const char *const methods[] = {"POST", "PUT", "DELETE"};
    for (int i = 0; i < 3; i++) {
        assert_int_equal(get(2 * i, SECONDS(10))->reply.error, 0);
        script(TINY_DROP, NULL);
        send_many(2 * i + 1, 1, methods[i], url, "{}", SECONDS(10));
        struct seen *each = await(2 * i + 1);
        assert_int_equal(each->reply.error, ERR_CONNECTION_LOST);
        assert_true(each->reply.was_sent);
        assert_int_equal(tiny_count(tiny), 2 * i + 2);
        assert_int_equal(tiny_await(tiny, 2 * i + 1)->connection,
                         tiny_await(tiny, 2 * i)->connection); /* it was a kept one */
    }
}

static void a_reading_is_repeated_when_a_kept_connection_ends(void **state)
{
    (void)state;
    assert_int_equal(get(0, SECONDS(10))->reply.error, 0);
    script(TINY_DROP, NULL);
    assert_int_equal(get(1, SECONDS(10))->reply.error, 0);
    assert_int_equal(tiny_count(tiny), 3);
}

static void a_reply_that_is_too_large_is_broken_off(void **state)
{
    (void)state;
    static const char head[] = "HTTP/1.1 200 OK\r\nContent-Length: 1048576\r\n\r\n";
    static char large[sizeof(head) + 1048576];
    memset(large, 'x', sizeof(large) - 1);
    memcpy(large, head, sizeof(head) - 1);
    script(TINY_SAY, large);
    struct seen *each = post(0, "{}", SECONDS(10));
    assert_int_equal(each->reply.error, ERR_TOO_LARGE);
    assert_true(each->reply.was_sent);
    assert_int_equal(each->reply.body.length, 0);
    assert_int_equal(get(1, SECONDS(10))->reply.error, 0);
}

static void the_largest_reply_is_taken_whole(void **state)
{
    (void)state;
    static char whole[OUTBOUND_REPLY_MAX + 100], above[OUTBOUND_REPLY_MAX + 100];
    size_t head = (size_t)snprintf(whole, 100, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n",
                                   OUTBOUND_REPLY_MAX);
    memset(whole + head, 'x', OUTBOUND_REPLY_MAX);
    script(TINY_SAY, whole);
    assert_int_equal(get(0, SECONDS(10))->reply.error, 0);
    assert_int_equal(seen[0].reply.body.length, OUTBOUND_REPLY_MAX);
    head = (size_t)snprintf(above, 100, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n",
                            OUTBOUND_REPLY_MAX + 1);
    memset(above + head, 'x', OUTBOUND_REPLY_MAX + 1);
    script(TINY_SAY, above);
    assert_int_equal(get(1, SECONDS(10))->reply.error, ERR_TOO_LARGE);
}

static void a_head_that_is_too_large_is_broken_off(void **state)
{
    (void)state;
    static char large[80 * 1024];
    struct text_buffer buffer;
    text_buffer_init(&buffer, large, sizeof(large));
    text_append(&buffer, TEXT("HTTP/1.1 200 OK\r\n"));
    while (buffer.length < 60 * 1024)
        text_append(&buffer, TEXT("X-Filler: nothing of interest stands here, over and over\r\n"));
    text_append(&buffer, TEXT("Content-Length: 2\r\n\r\n{}"));
    script(TINY_SAY, large);
    assert_int_equal(get(0, SECONDS(10))->reply.error, ERR_TOO_LARGE);
}

/* --- no reply at all */

static void a_reply_that_does_not_come_is_timed_out_at_the_deadline(void **state)
{
    (void)state;
    script(TINY_HANG, NULL);
    int64_t began_us = clock_monotonic_us();
    struct seen *each = post(0, "{}", 200 * MS);
    assert_int_equal(each->reply.error, ERR_TIMED_OUT);
    assert_true(each->reply.was_sent);
    assert_int_equal(each->reply.status, 0);
    assert_in_range(each->done_us - began_us, 150 * MS, SECONDS(2));
}

static int closed_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    close(fd);
    return ntohs(address.sin_port);
}

static void nobody_listening_is_unreachable_and_nothing_was_sent(void **state)
{
    (void)state;
    snprintf(url, sizeof(url), "http://127.0.0.1:%d/", closed_port());
    struct seen *each = post(0, "{}", SECONDS(10));
    assert_int_equal(each->reply.error, ERR_UNREACHABLE);
    assert_false(each->reply.was_sent);
}

static void an_address_that_is_none_was_not_sent_to(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "nonsense",
                                      "file:///etc/passwd",
                                      "ftp://127.0.0.1/a",
                                      "http://",
                                      "http://127.0.0.1:99999/"};
    for (int i = 0; i < (int)COUNT_OF(bad); i++) {
        send_many(i, 1, "POST", bad[i], "{}", SECONDS(10));
        assert_int_equal(await(i)->reply.error, ERR_UNREACHABLE);
        assert_false(seen[i].reply.was_sent);
    }
}

/* In place of the C library's, for libcurl: a name server that is silent. */
int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
                struct addrinfo **found)
{
    (void)name, (void)service, (void)hints, (void)found;
    usleep(3 * 1000 * 1000);
    return EAI_NONAME;
}

/* A look-up may take as long as it likes: neither its request nor anybody else waits for it. */
static void a_name_that_is_not_found_in_time_holds_up_nobody(void **state)
{
    (void)state;
    int64_t began_us = clock_monotonic_us();
    send_many(0, 1, "POST", "http://counterpart-test.invalid/", "{}", 300 * MS);
    assert_int_equal(get(1, SECONDS(10))->reply.error, 0);
    struct seen *each = await(0);
    assert_int_equal(each->reply.error, ERR_TIMED_OUT);
    assert_false(each->reply.was_sent);
    assert_int_equal(get(2, SECONDS(10))->reply.error, 0);
    assert_true(seen[2].done_us - began_us < SECONDS(2));
}

static int listen_somewhere(int backlog)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(listener, backlog), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
    snprintf(url, sizeof(url), "http://127.0.0.1:%d/", ntohs(address.sin_port));
    return listener;
}

/* libcurl would announce a body of a MiB and wait a second for the permission to send it. */
static void a_large_body_is_sent_unannounced(void **state)
{
    (void)state;
    static char body[1200 * 1024];
    char head[1024];
    int listener = listen_somewhere(8);
    memset(body, 'x', sizeof(body) - 1);
    send_many(0, 1, "POST", url, body, SECONDS(10));
    int fd = accept(listener, NULL, NULL);
    assert_true(fd >= 0);
    ssize_t got = recv(fd, head, sizeof(head), MSG_WAITALL); /* more than a head has */
    assert_int_equal(got, sizeof(head));
    assert_null(memmem(head, sizeof(head), "Expect", 6));
    close(fd);
    close(listener);
    assert_int_equal(await(0)->reply.error, ERR_CONNECTION_LOST);
}

/* A port whose backlog is full answers no more: connecting hangs. */
static void a_connection_that_is_never_made_was_not_sent(void **state)
{
    (void)state;
    int listener = listen_somewhere(0), fillers[8];
    struct sockaddr_in address;
    socklen_t size = sizeof(address);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
    for (int i = 0; i < 8; i++) {
        fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        (void)connect(fillers[i], (struct sockaddr *)&address, size);
    }
    usleep(20000);
    struct seen *each = post(0, "{}", 300 * MS);
    assert_int_equal(each->reply.error, ERR_TIMED_OUT);
    assert_false(each->reply.was_sent);
    for (int i = 0; i < 8; i++)
        close(fillers[i]);
    close(listener);
}

/* The environment's proxy is for the way out: what is for this machine, unencrypted even, never
 * leaves it. */
static void what_is_for_this_machine_passes_by_the_proxy(void **state)
{
    (void)state;
    char address[64];
    struct tiny *proxy = tiny_start();
    snprintf(address, sizeof(address), "http://127.0.0.1:%d", tiny_port(proxy));
    setenv("http_proxy", address, 1);
    setenv("ALL_PROXY", address, 1);
    struct seen *each = get(0, SECONDS(10));
    send_many(1, 1, "GET", "http://lightspeed.test/v1", NULL, SECONDS(10));
    await(1);
    unsetenv("http_proxy");
    unsetenv("ALL_PROXY");
    assert_int_equal(each->reply.error, 0);
    assert_int_equal(tiny_count(tiny), 1);
    assert_int_equal(tiny_count(proxy), 1); /* and the other went through it */
    assert_int_equal(seen[1].reply.status, 200);
    tiny_stop(proxy);
}

static void a_deadline_that_has_passed_is_told_at_once(void **state)
{
    (void)state;
    struct seen *each = post(0, "{}", -SECONDS(1));
    assert_int_equal(each->reply.error, ERR_TIMED_OUT);
    assert_false(each->reply.was_sent);
    assert_int_equal(tiny_count(tiny), 0);
}

extern char **environ;

/* A server with a certificate that nobody vouches for. */
static pid_t start_tls(int port, const char *folder)
{
    static const char commands[] =
        "cd \"$1\" && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes "
        "-keyout key -out certificate -days 2 -subj /CN=127.0.0.1 "
        "-addext subjectAltName=IP:127.0.0.1 2>/dev/null && "
        "exec openssl s_server -accept 127.0.0.1:\"$2\" -key key -cert certificate -www "
        ">/dev/null 2>&1";
    char number[16];
    pid_t pid;
    snprintf(number, sizeof(number), "%d", port);
    char *const arguments[] = {"sh", "-c", (char *)commands, "sh", (char *)folder, number, NULL};
    assert_int_equal(posix_spawn(&pid, "/bin/sh", NULL, NULL, arguments, environ), 0);
    return pid;
}

static void await_port(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    bool is_up = false;
    for (int i = 0; i < 1000 && !is_up; i++) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        is_up = connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
        close(fd);
        usleep(10000);
    }
    assert_true(is_up);
}

static void remove_folder(const char *folder)
{
    static const char *const files[] = {"key", "certificate"};
    char path[64];
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof(path), "%s/%s", folder, files[i]);
        assert_int_equal(unlink(path), 0);
    }
    assert_int_equal(rmdir(folder), 0);
}

static void a_certificate_that_nobody_vouches_for_is_refused(void **state)
{
    (void)state;
    char folder[] = "/tmp/counterpart-tls-XXXXXX";
    int port = closed_port(), status;
    assert_non_null(mkdtemp(folder));
    pid_t pid = start_tls(port, folder);
    await_port(port);
    remove_folder(folder);
    snprintf(url, sizeof(url), "https://127.0.0.1:%d/", port);
    struct seen *each = post(0, "{}", SECONDS(10));
    assert_int_equal(each->reply.error, ERR_UNREACHABLE);
    assert_false(each->reply.was_sent);
    kill(pid, SIGTERM);
    assert_int_equal(waitpid(pid, &status, 0), pid);
}

/* --- many */

static void more_than_the_limit_wait_their_turn(void **state)
{
    (void)state;
    struct outbound_counters counters;
    for (int i = 0; i < OUTBOUND_IN_FLIGHT_MAX; i++)
        tiny_script(tiny,
                    (struct tiny_answer){.way = TINY_SAY,
                                         .text = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
                                         .delay_ms = 1000});
    send_many(0, OUTBOUND_IN_FLIGHT_MAX + 44, "GET", url, NULL, SECONDS(30));
    send_many(500, 1, "GET", url, NULL, 50 * MS);
    int64_t until_us = clock_monotonic_us() + SECONDS(20);
    do {
        outbound_read_counters(outbound, &counters);
        assert_in_range(counters.in_flight, 0, OUTBOUND_IN_FLIGHT_MAX);
    } while (counters.in_flight < OUTBOUND_IN_FLIGHT_MAX && clock_monotonic_us() < until_us);
    assert_int_equal(counters.in_flight, OUTBOUND_IN_FLIGHT_MAX);
    assert_int_equal(await(500)->reply.error, ERR_TIMED_OUT); /* in the queue */
    assert_false(seen[500].reply.was_sent);
    for (int i = 0; i < OUTBOUND_IN_FLIGHT_MAX + 44; i++)
        assert_int_equal(await(i)->reply.error, 0);
    assert_int_equal(tiny_count(tiny), OUTBOUND_IN_FLIGHT_MAX + 44);
    outbound_read_counters(outbound, &counters);
    assert_int_equal(counters.requests, OUTBOUND_IN_FLIGHT_MAX + 45);
    assert_int_equal(counters.failures, 1);
    assert_int_equal(counters.timeouts, 1);
    assert_int_equal(counters.waiting, 0);
}

/* --- timers and messages */

static struct {
    struct outbound_timer timers[4];
    char order[16];
    int64_t due_us[4], ran_us[4];
    int again;
} clockwork;

static void on_timer(void *context)
{
    int index = (int)((struct outbound_timer *)context - clockwork.timers);
    pthread_mutex_lock(&mutex);
    clockwork.ran_us[index] = clock_monotonic_us();
    size_t length = strlen(clockwork.order);
    clockwork.order[length] = (char)('a' + index);
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&mutex);
    if (index == 3 && clockwork.again-- > 0)
        outbound_set_timer(outbound, &clockwork.timers[3], 0, on_timer, &clockwork.timers[3]);
}

static void set(int index, int64_t in_us)
{
    clockwork.due_us[index] = clock_monotonic_us() + in_us;
    outbound_set_timer(outbound, &clockwork.timers[index], clockwork.due_us[index], on_timer,
                       &clockwork.timers[index]);
}

static void set_timers(void *context)
{
    (void)context;
    set(0, 60 * MS);
    set(1, 20 * MS);
    set(2, 10 * MS);
    outbound_cancel_timer(outbound, &clockwork.timers[2]);
    assert_false(clockwork.timers[2].is_set);
    outbound_cancel_timer(outbound, &clockwork.timers[2]); /* once more: nothing */
    set(1, 90 * MS);                                       /* moves it */
    clockwork.again = 2;
    set(3, 0);
}

static void timers_run_in_order_never_early_and_not_when_cancelled(void **state)
{
    (void)state;
    struct outbound_message message = {.fn = set_timers};
    memset(&clockwork, 0, sizeof(clockwork));
    outbound_post(outbound, &message);
    pthread_mutex_lock(&mutex);
    while (strlen(clockwork.order) < 5)
        pthread_cond_wait(&changed, &mutex);
    pthread_mutex_unlock(&mutex);
    assert_string_equal(clockwork.order, "dddab");
    for (int i = 0; i < 2; i++)
        assert_true(clockwork.ran_us[i] >= clockwork.due_us[i]);
}

static void append_letter(void *context)
{
    pthread_mutex_lock(&mutex);
    size_t length = strlen(clockwork.order);
    clockwork.order[length] = *(const char *)context;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&mutex);
}

static void messages_run_in_order(void **state)
{
    (void)state;
    struct outbound_message messages[3];
    memset(&clockwork, 0, sizeof(clockwork));
    for (int i = 0; i < 3; i++) {
        messages[i] = (struct outbound_message){.fn = append_letter, .context = (void *)&"xyz"[i]};
        outbound_post(outbound, &messages[i]);
    }
    pthread_mutex_lock(&mutex);
    while (strlen(clockwork.order) < 3)
        pthread_cond_wait(&changed, &mutex);
    pthread_mutex_unlock(&mutex);
    assert_string_equal(clockwork.order, "xyz");
}

static void check_is_expected(const char *expression, const char *file, int line)
{
    mock_assert(0, expression, file, line);
}

static void sending_from_another_thread_is_a_bug(void **state)
{
    (void)state;
    const struct outbound_request request = {.method = "GET", .url = url};
    struct outbound_timer timer = {0};
    check_hook = check_is_expected;
    expect_assert_failure(outbound_send(outbound, &request, on_done, &seen[0]));
    expect_assert_failure(outbound_set_timer(outbound, &timer, 0, on_timer, &timer));
    check_hook = NULL;
}

/* --- jobs */

struct task {
    struct job job;
    int begins, homecomings;
    struct outbound_timer timer;
};
static struct task tasks[OUTBOUND_QUEUE_MAX + 2];

static void on_give_back(struct job *job)
{
    pthread_mutex_lock(&mutex);
    ((struct task *)job)->homecomings++;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&mutex);
}

static void await_home(int index)
{
    pthread_mutex_lock(&mutex);
    while (tasks[index].homecomings == 0)
        pthread_cond_wait(&changed, &mutex);
    pthread_mutex_unlock(&mutex);
}

static void end_job_of(void *context)
{
    struct task *task = context;
    job_end(&task->job, ERR_REFUSED);
}

static void begin_and_end_later(struct job *job)
{
    struct task *task = (struct task *)job;
    task->begins++;
    outbound_set_timer(outbound, &task->timer, clock_monotonic_us() + 30 * MS, end_job_of, task);
}

static void on_reply_end(void *context, const struct outbound_reply *reply)
{
    struct task *task = context;
    job_end(&task->job, reply->error);
}

static void begin_and_send(struct job *job)
{
    struct task *task = (struct task *)job;
    const struct outbound_request request = {
        .method = "POST", .url = url, .deadline_us = job->deadline_us};
    task->begins++;
    outbound_send(outbound, &request, on_reply_end, task);
}

static int submit(int index, job_begin_fn begin, int64_t wait_us)
{
    tasks[index] = (struct task){.job = {.give_back = on_give_back,
                                         .begin = begin,
                                         .deadline_us = clock_monotonic_us() + wait_us}};
    return outbound_submit(outbound, &tasks[index].job);
}

static void a_job_is_begun_and_comes_home_when_it_ends(void **state)
{
    (void)state;
    assert_int_equal(submit(0, begin_and_end_later, SECONDS(4)), 0);
    assert_int_equal(submit(1, begin_and_send, SECONDS(4)), 0);
    await_home(0);
    await_home(1);
    assert_int_equal(tasks[0].begins, 1);
    assert_int_equal(tasks[0].job.error, ERR_REFUSED);
    assert_int_equal(tasks[1].job.error, 0);
    assert_int_equal(atomic_load(&tasks[1].job.state), JOB_DONE);
}

static void a_job_without_time_or_given_up_never_begins(void **state)
{
    (void)state;
    assert_int_equal(submit(0, begin_and_send, JOB_RESERVE_US / 2), 0);
    await_home(0);
    assert_int_equal(tasks[0].begins, 0);
    assert_int_equal(tasks[0].job.error, ERR_CANCELLED);
    tasks[1] = (struct task){.job = {.give_back = on_give_back,
                                     .begin = begin_and_send,
                                     .deadline_us = clock_monotonic_us() + SECONDS(4)}};
    assert_true(job_move(&tasks[1].job, JOB_QUEUED, JOB_CANCELLED));
    assert_int_equal(outbound_submit(outbound, &tasks[1].job), 0);
    await_home(1);
    assert_int_equal(tasks[1].begins, 0);
}

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;

static void hold_up(void *context)
{
    (void)context;
    append_letter((void *)"h");
    pthread_mutex_lock(&gate);
    pthread_mutex_unlock(&gate);
}

static void end_at_once(struct job *job)
{
    job_end(job, 0);
}

static void a_full_mailbox_refuses_and_leaves_the_job_to_its_caller(void **state)
{
    (void)state;
    struct outbound_message message = {.fn = hold_up};
    memset(&clockwork, 0, sizeof(clockwork));
    pthread_mutex_lock(&gate);
    outbound_post(outbound, &message);
    pthread_mutex_lock(&mutex);
    while (clockwork.order[0] == '\0')
        pthread_cond_wait(&changed, &mutex);
    pthread_mutex_unlock(&mutex);
    for (int i = 0; i < OUTBOUND_QUEUE_MAX; i++)
        assert_int_equal(submit(i, end_at_once, SECONDS(60)), 0);
    assert_int_equal(submit(OUTBOUND_QUEUE_MAX, end_at_once, SECONDS(60)), ERR_QUEUE_FULL);
    pthread_mutex_unlock(&gate);
    for (int i = 0; i < OUTBOUND_QUEUE_MAX; i++)
        await_home(i);
    assert_int_equal(tasks[OUTBOUND_QUEUE_MAX].homecomings, 0);
    assert_int_equal(submit(0, end_at_once, SECONDS(60)), 0);
    await_home(0);
}

/* --- the end */

static void requests_under_way_may_end_and_those_that_hang_are_cut(void **state)
{
    (void)state;
    tiny_script(tiny, (struct tiny_answer){.way = TINY_SAY,
                                           .text = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
                                           .delay_ms = 200});
    send_many(0, 1, "POST", url, "{}", SECONDS(60));
    tiny_await(tiny, 0);
    script(TINY_HANG, NULL);
    send_many(1, 1, "POST", url, "{}", SECONDS(60));
    tiny_await(tiny, 1);
    int64_t began_us = clock_monotonic_us();
    outbound_drain(outbound);
    int64_t took_us = clock_monotonic_us() - began_us;
    assert_in_range(took_us, OUTBOUND_GRACE_US - 100 * MS, OUTBOUND_GRACE_US + 900 * MS);
    assert_int_equal(await(0)->reply.error, 0);
    assert_int_equal(await(1)->reply.error, ERR_SHUTTING_DOWN);
    assert_true(seen[1].reply.was_sent);
    send_many(2, 1, "POST", url, "{}", SECONDS(60));
    assert_int_equal(await(2)->reply.error, ERR_SHUTTING_DOWN);
    assert_false(seen[2].reply.was_sent);
    assert_int_equal(submit(0, end_at_once, SECONDS(60)), ERR_SHUTTING_DOWN);
    assert_int_equal(tasks[0].homecomings, 0);
    outbound_stop(outbound);
    assert_int_equal(tiny_count(tiny), 2);
}

static void on_end(void *context)
{
    bool *is_told = context;
    assert_true(outbound_is_ending(outbound));
    *is_told = true;
}

static void the_end_waits_for_jobs_and_calls_its_watches(void **state)
{
    (void)state;
    struct outbound_watch watch;
    bool is_told = false;
    outbound_watch_end(outbound, &watch, on_end, &is_told);
    for (int i = 0; i < 50; i++)
        assert_int_equal(submit(i, i % 2 == 0 ? begin_and_end_later : begin_and_send, SECONDS(4)),
                         0);
    int64_t began_us = clock_monotonic_us();
    outbound_stop(outbound);
    assert_true(clock_monotonic_us() - began_us < SECONDS(1));
    for (int i = 0; i < 50; i++) {
        assert_int_equal(tasks[i].homecomings, 1);
        assert_int_equal(tasks[i].begins, 1);
    }
    assert_true(is_told);
    outbound_stop(outbound);
    outbound_drain(outbound);
    struct outbound_message late = {.fn = append_letter, .context = (void *)"l"};
    outbound_post(outbound, &late); /* forgotten */
}

static void set_another_watch(void *context)
{
    bool *is_told = context;
    static struct outbound_watch watch;
    outbound_watch_end(outbound, &watch, on_end, is_told);
}

static void a_watch_set_when_the_end_has_begun_is_called_too(void **state)
{
    (void)state;
    struct outbound_watch first, late;
    bool first_is_told = false, late_is_told = false;
    outbound_watch_end(outbound, &first, set_another_watch, &first_is_told);
    outbound_drain(outbound);
    outbound_watch_end(outbound, &late, on_end, &late_is_told);
    outbound_stop(outbound);
    assert_true(first_is_told);
    assert_true(late_is_told);
}

/* Callers who, told of the end, try again some times; a new one each millisecond, from shortly
 * before the thread gives up: whenever that is, some are at it. */
#define STUBBORN_TRIES 500
#define GIVE_UP_US (OUTBOUND_GRACE_US + SECONDS(1) + JOB_DEADLINE_US + SECONDS(1))
static struct stubborn {
    struct outbound_timer timer;
    int64_t sent, told;
} stubborn;

static void on_stubborn(void *context, const struct outbound_reply *reply);

static void send_stubbornly(intptr_t tries_left)
{
    const struct outbound_request request = {
        .method = "GET", .url = url, .deadline_us = clock_monotonic_us() + SECONDS(60)};
    stubborn.sent++;
    outbound_send(outbound, &request, on_stubborn, (void *)tries_left);
}

static void on_stubborn(void *context, const struct outbound_reply *reply)
{
    intptr_t tries_left = (intptr_t)context;
    assert_int_equal(reply->error, ERR_SHUTTING_DOWN);
    stubborn.told++;
    if (tries_left > 0)
        send_stubbornly(tries_left - 1);
}

static void begin_another(void *context)
{
    (void)context;
    send_stubbornly(STUBBORN_TRIES);
    outbound_set_timer(outbound, &stubborn.timer, clock_monotonic_us() + MS, begin_another, NULL);
}

static void begin_and_never_end(struct job *job)
{
    ((struct task *)job)->begins++;
    outbound_set_timer(outbound, &stubborn.timer, clock_monotonic_us() + GIVE_UP_US - 200 * MS,
                       begin_another, NULL);
}

static void what_the_last_ends_send_is_told_too(void **state)
{
    (void)state;
    stubborn = (struct stubborn){.sent = 0};
    assert_int_equal(submit(0, begin_and_never_end, SECONDS(60)), 0);
    outbound_stop(outbound);
    assert_true(stubborn.sent > STUBBORN_TRIES);
    assert_int_equal(stubborn.told, stubborn.sent);
    assert_int_equal(tasks[0].homecomings, 0);
}

static void an_idle_thread_ends_at_once(void **state)
{
    (void)state;
    int64_t began_us = clock_monotonic_us();
    outbound_stop(outbound);
    assert_true(clock_monotonic_us() - began_us < 500 * MS);
    outbound_stop(NULL);
    outbound_drain(NULL);
    outbound_destroy(NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_request_goes_out_as_it_was_given),
        TEST(each_method_carries_a_body_where_it_should),
        TEST(connections_are_used_again),
        TEST(the_headers_of_the_reply_are_told),
        TEST(the_head_of_a_1xx_and_trailers_are_not_the_replys),
        TEST(redirects_are_not_followed),
        TEST(a_reply_in_pieces_is_put_together),
        TEST(what_ends_before_it_is_whole_is_lost_but_was_sent),
        TEST(a_change_never_goes_out_twice_when_a_kept_connection_ends),
        TEST(a_reading_is_repeated_when_a_kept_connection_ends),
        TEST(a_reply_that_is_too_large_is_broken_off),
        TEST(the_largest_reply_is_taken_whole),
        TEST(a_head_that_is_too_large_is_broken_off),
        TEST(a_reply_that_does_not_come_is_timed_out_at_the_deadline),
        TEST(nobody_listening_is_unreachable_and_nothing_was_sent),
        TEST(an_address_that_is_none_was_not_sent_to),
        TEST(a_name_that_is_not_found_in_time_holds_up_nobody),
        TEST(a_large_body_is_sent_unannounced),
        TEST(a_connection_that_is_never_made_was_not_sent),
        TEST(what_is_for_this_machine_passes_by_the_proxy),
        TEST(a_deadline_that_has_passed_is_told_at_once),
        TEST(a_certificate_that_nobody_vouches_for_is_refused),
        TEST(more_than_the_limit_wait_their_turn),
        TEST(timers_run_in_order_never_early_and_not_when_cancelled),
        TEST(messages_run_in_order),
        TEST(sending_from_another_thread_is_a_bug),
        TEST(a_job_is_begun_and_comes_home_when_it_ends),
        TEST(a_job_without_time_or_given_up_never_begins),
        TEST(a_full_mailbox_refuses_and_leaves_the_job_to_its_caller),
        TEST(requests_under_way_may_end_and_those_that_hang_are_cut),
        TEST(the_end_waits_for_jobs_and_calls_its_watches),
        TEST(a_watch_set_when_the_end_has_begun_is_called_too),
        TEST(what_the_last_ends_send_is_told_too),
        TEST(an_idle_thread_ends_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
