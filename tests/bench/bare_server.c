/* The loops and listeners of the programs that the service is compared with. */
#include "bare_server.h"

#include <h2o/http1.h>

#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define LOOPS_MAX 64
/* As the service's listeners. */
#define BACKLOG 4096

static _Atomic long accepted;

struct loop {
    const struct bare_server *server;
    pthread_t thread;
    h2o_globalconf_t config;
    h2o_context_t context;
    h2o_accept_ctx_t accept;
    int listener;
    long index;
};

void bare_server_reply(h2o_req_t *req, h2o_iovec_t body)
{
    req->res.status = 200;
    req->res.reason = "OK";
    req->res.content_length = body.len;
    h2o_add_header(&req->pool, &req->res.headers, H2O_TOKEN_CONTENT_TYPE, NULL,
                   H2O_STRLIT("application/json"));
    h2o_add_header(&req->pool, &req->res.headers, H2O_TOKEN_CACHE_CONTROL, NULL,
                   H2O_STRLIT("no-store"));
    static h2o_generator_t generator = {NULL, NULL};
    h2o_start_response(req, &generator);
    h2o_send(req, &body, 1, 1);
}

static void on_accept(h2o_socket_t *listener, const char *err)
{
    if (err != NULL)
        return;
    struct loop *loop = listener->data;
    /* In turn: a floor with most connections on one loop would be an easy one to stand above. */
    if (accepted % loop->server->loop_count != loop->index)
        return;
    h2o_socket_t *socket = h2o_evloop_socket_accept(listener);
    if (socket == NULL)
        return;
    accepted++;
    h2o_accept(&loop->accept, socket);
}

static int listen_on(uint16_t port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int on = 1, send_timeout_ms = 30000;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
        setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &send_timeout_ms, sizeof(send_timeout_ms)) !=
            0 ||
        setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on)) != 0 ||
        bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 || listen(fd, BACKLOG) != 0) {
        perror("bare_server");
        exit(1);
    }
    return fd;
}

static void *loop_run(void *argument)
{
    struct loop *loop = argument;
    h2o_config_init(&loop->config);
    h2o_hostconf_t *host =
        h2o_config_register_host(&loop->config, h2o_iovec_init(H2O_STRLIT("default")), 65535);
    h2o_pathconf_t *path = h2o_config_register_path(host, "/", 0);
    h2o_create_handler(path, sizeof(h2o_handler_t))->on_req = loop->server->on_request;
    h2o_context_init(&loop->context, h2o_evloop_create(), &loop->config);
    if (loop->server->on_loop != NULL)
        loop->server->on_loop(&loop->context);
    loop->accept.ctx = &loop->context;
    loop->accept.hosts = loop->config.hosts;
    h2o_socket_t *socket =
        h2o_evloop_socket_create(loop->context.loop, loop->listener, H2O_SOCKET_FLAG_DONT_READ);
    socket->data = loop;
    h2o_socket_read_start(socket, on_accept);
    while (h2o_evloop_run(loop->context.loop, INT32_MAX) == 0)
        ;
    return NULL;
}

void bare_server_run(const struct bare_server *server)
{
    static struct loop loops[LOOPS_MAX];
    if (server->loop_count < 1 || server->loop_count > LOOPS_MAX) {
        fprintf(stderr, "threads: 1 to %d\n", LOOPS_MAX);
        exit(2);
    }
    int listener = listen_on(server->port);
    for (long i = 0; i < server->loop_count; i++) {
        loops[i] = (struct loop){.server = server, .index = i, .listener = dup(listener)};
        pthread_create(&loops[i].thread, NULL, loop_run, &loops[i]);
    }
    for (long i = 0; i < server->loop_count; i++)
        pthread_join(loops[i].thread, NULL);
}
