/* Does the answer to a client that is still sending reach it, and does no connection stay for long
 * because of that? */
#include "handlers/linger.h"

#include "base/clock.h"
#include "tests/support/server.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/banned.h"

#define ANSWER "no more, thank you"
#define UNREAD (64 * 1024) /* what the client has sent and nobody has read */

static int client;
static h2o_socket_t *sock;
static int closes;

static void on_closed(void *data)
{
    assert_ptr_equal(data, &closes);
    closes++;
}

static void open_pair(void)
{
    client = server_connect(&sock);
    closes = 0;
    sock->on_close.cb = on_closed;
    sock->on_close.data = &closes;
}

static void client_sends(void)
{
    static char bytes[UNREAD];
    assert_true(send(client, bytes, sizeof(bytes), MSG_NOSIGNAL) > 0);
}

static void on_written(h2o_socket_t *written, const char *err)
{
    assert_null(err);
    h2o_socket_close(written);
}

/* As libh2o does it: answer, and close when that has been written. */
static void answer_and_close(void)
{
    static h2o_iovec_t bytes = {ANSWER, sizeof(ANSWER) - 1};
    h2o_socket_write(sock, &bytes, 1, on_written);
    for (int i = 0; i < 200 && closes == 0; i++)
        server_turn(1);
    assert_int_equal(closes, 1);
    server_turn(5);
}

/* What the client reads until its end; returns 0, or the errno that ended it. */
static int client_reads(char bytes[64])
{
    size_t length = 0;
    for (;;) {
        ssize_t got = recv(client, bytes + length, 63 - length, 0);
        if (got > 0)
            length += (size_t)got;
        bytes[length] = '\0';
        if (got == 0)
            return 0;
        if (got < 0 && errno != EAGAIN)
            return errno;
        server_turn(1);
    }
}

static void without_it_a_client_that_still_sends_is_reset(void **state)
{
    (void)state;
    char got[64];
    open_pair();
    client_sends();
    answer_and_close();
    assert_int_equal(client_reads(got), ECONNRESET);
    close(client);
}

static void a_client_that_still_sends_reads_its_answer_and_a_polite_end(void **state)
{
    (void)state;
    char got[64];
    open_pair();
    client_sends();
    linger_arm(&server.loop, sock);
    answer_and_close();
    for (int i = 0; i < 5; i++) {
        client_sends();
        server_turn(2);
    }
    assert_int_equal(client_reads(got), 0);
    assert_string_equal(got, ANSWER);
    assert_int_equal(server.loop.lingering, 1);
    close(client);
}

static void it_ends_as_soon_as_the_client_is_gone(void **state)
{
    (void)state;
    open_pair();
    linger_arm(&server.loop, sock);
    assert_int_equal(server.loop.lingering, 1);
    answer_and_close();
    assert_int_equal(server.loop.lingering, 1);
    int64_t began_us = clock_monotonic_us();
    close(client);
    server_turn(10);
    assert_int_equal(server.loop.lingering, 0);
    assert_true(clock_monotonic_us() - began_us < CLOCK_US_PER_S / 2);
}

static void it_ends_within_a_moment_also_when_the_client_sends_for_ever(void **state)
{
    (void)state;
    open_pair();
    linger_arm(&server.loop, sock);
    answer_and_close();
    int64_t began_us = clock_monotonic_us();
    while (server.loop.lingering > 0 && clock_monotonic_us() - began_us < 5 * CLOCK_US_PER_S) {
        (void)send(client, "x", 1, MSG_NOSIGNAL);
        server_turn(1);
    }
    int64_t took_us = clock_monotonic_us() - began_us;
    assert_int_equal(server.loop.lingering, 0);
    assert_true(took_us > CLOCK_US_PER_S * 9 / 10);
    assert_true(took_us < 3 * CLOCK_US_PER_S);
    (void)send(client, "x", 1, MSG_NOSIGNAL);
    server_turn(2);
    assert_int_equal(send(client, "x", 1, MSG_NOSIGNAL), -1);
    close(client);
}

static void arming_twice_is_arming_once(void **state)
{
    (void)state;
    open_pair();
    linger_arm(&server.loop, sock);
    linger_arm(&server.loop, sock);
    assert_int_equal(server.loop.lingering, 1);
    answer_and_close(); /* and the socket's own on_close was called once */
    close(client);
    server_turn(10);
    assert_int_equal(server.loop.lingering, 0);
}

static void beyond_the_limit_connections_are_closed_the_hard_way(void **state)
{
    (void)state;
    int clients[LINGER_MAX];
    h2o_socket_t *socks[LINGER_MAX];
    char got[64];
    for (int i = 0; i < LINGER_MAX; i++) {
        open_pair();
        clients[i] = client;
        socks[i] = sock;
        linger_arm(&server.loop, sock);
    }
    assert_int_equal(server.loop.lingering, LINGER_MAX);
    open_pair();
    client_sends();
    linger_arm(&server.loop, sock);
    assert_int_equal(server.loop.lingering, LINGER_MAX);
    answer_and_close();
    assert_int_equal(client_reads(got), ECONNRESET);
    close(client);
    for (int i = 0; i < LINGER_MAX; i++) {
        h2o_socket_close(socks[i]);
        close(clients[i]);
    }
    assert_int_equal(closes, 1 + LINGER_MAX);
    server_turn(20);
    assert_int_equal(server.loop.lingering, 0);
}

static void without_a_free_descriptor_the_connection_is_closed_the_hard_way(void **state)
{
    (void)state;
    struct rlimit usual, none;
    open_pair();
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &usual), 0);
    none = (struct rlimit){0, usual.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    linger_arm(&server.loop, sock);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &usual), 0);
    assert_int_equal(server.loop.lingering, 0);
    answer_and_close();
    close(client);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, server_setup, server_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(without_it_a_client_that_still_sends_is_reset),
        TEST(a_client_that_still_sends_reads_its_answer_and_a_polite_end),
        TEST(it_ends_as_soon_as_the_client_is_gone),
        TEST(it_ends_within_a_moment_also_when_the_client_sends_for_ever),
        TEST(arming_twice_is_arming_once),
        TEST(beyond_the_limit_connections_are_closed_the_hard_way),
        TEST(without_a_free_descriptor_the_connection_is_closed_the_hard_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
