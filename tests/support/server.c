/* The event loop and port that tests of handlers/ share. */
#include "tests/support/server.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/banned.h"

struct server server;

static void listen_somewhere(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    server.listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(server.listener, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(server.listener, 128), 0);
}

int server_setup(void **state)
{
    (void)state;
    static struct client_proxies nobody;
    static uint64_t seed = 1;
    memset(&server, 0, sizeof(server));
    assert_int_equal(metrics_create(&server.handlers.metrics), 0);
    server.handlers.proxies = &nobody;
    server.handlers.random = id_source_seeded(&seed);
    h2o_config_init(&server.globalconf);
    server.globalconf.max_request_entity_size = BODY_MAX + 1;
    server.hosts[0] =
        h2o_config_register_host(&server.globalconf, h2o_iovec_init(H2O_STRLIT("test")), 65535);
    server.path = h2o_config_register_path(server.hosts[0], "/", 0);
    server.evloop = h2o_evloop_create();
    exchange_loop_init(&server.loop, server.evloop, &server.globalconf, &server.handlers);
    server.accept = (h2o_accept_ctx_t){.ctx = &server.loop.context, .hosts = server.hosts};
    listen_somewhere();
    return 0;
}

int server_teardown(void **state)
{
    (void)state;
    for (int i = 0; i < 1000 && server.loop.lingering > 0; i++)
        server_turn(1);
    assert_int_equal(server.loop.lingering, 0);
    server_turn(5);
    close(server.listener);
    exchange_loop_finish(&server.loop);
    h2o_evloop_run(server.evloop, 0);
    h2o_evloop_destroy(server.evloop);
    h2o_config_dispose(&server.globalconf);
    metrics_destroy(server.handlers.metrics);
    return 0;
}

int server_connect(h2o_socket_t **accepted)
{
    struct sockaddr_in address;
    socklen_t size = sizeof(address);
    assert_int_equal(getsockname(server.listener, (struct sockaddr *)&address, &size), 0);
    int client = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(client, (struct sockaddr *)&address, size), 0);
    assert_int_equal(fcntl(client, F_SETFL, O_NONBLOCK), 0);
    int fd = accept4(server.listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    assert_true(fd >= 0);
    *accepted = h2o_evloop_socket_create(server.evloop, fd, H2O_SOCKET_FLAG_IS_ACCEPTED_CONNECTION);
    return client;
}

void server_turn(int times)
{
    while (times-- > 0)
        h2o_evloop_run(server.evloop, 5);
}

/* libh2o keeps freed memory for reuse and forgets its message queues. */
const char *__lsan_default_options(void);
const char *__lsan_default_options(void)
{
    return "print_suppressions=0";
}
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:h2o_mem_alloc_recycle\nleak:h2o_multithread_create_queue\n";
}
