/* Requests in, answers out, and on the way every misbehaviour that was ordered. */
#include "mocks/lightspeed/server.h"

#include "base/error.h"
#include "mocks/lightspeed/api.h"
#include "mocks/lightspeed/courier.h"
#include "mocks/lightspeed/oauth.h"
#include "mocks/lightspeed/server_errors.h"

#include <fcntl.h>
#include <h2o.h>
#include <h2o/http1.h>
#include <netdb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/banned.h"

#define BACKLOG 1024
#define ACCEPT_MAX 16 /* per wake-up */
#define SLEEP_MAX_MS 500
#define STOP_US (2 * CLOCK_US_PER_S)
/* The state with 1000 orders and 1000 deliveries takes some 8 MiB; untouched pages cost nothing. */
#define ANSWER_MAX (64 * 1024 * 1024)
/* Beyond this libh2o answers by itself (server_errors.h). */
#define ENTITY_MAX (8 * 1024 * 1024)
#define HEAD_MAX (64 * 1024)

struct server {
    struct cloud *cloud;
    struct courier *courier;
    char *memory; /* for the answer in hand */
    struct answer answer;
    char url[128];
    int fd;
    pthread_t thread;
    _Atomic bool is_stopping;
    h2o_globalconf_t globalconf;
    h2o_hostconf_t *hosts[2];
    h2o_context_t context;
    h2o_evloop_t *evloop;
    h2o_accept_ctx_t accept;
    h2o_socket_t *listener;
    h2o_multithread_receiver_t wake;
    h2o_linklist_t connections;
    int32_t connection_count;
    h2o_linklist_t waiting; /* visits that a fault holds up */
};

struct server_handler {
    h2o_handler_t super;
    struct server *server;
};

/* One request, in its own pool. */
struct visit {
    h2o_linklist_t link; /* in waiting */
    struct server *server;
    h2o_req_t *req;
    struct call call;
    struct fault fault; /* a copy: the rule may be deleted while it holds us up */
    bool has_fault;
    bool is_control;
    bool is_readable;
    bool has_ended;
    bool is_answered; /* the answer is in req->res and body */
    struct text body;
    int64_t arrived_us;
    int64_t due_us;
    int64_t refresh_grant_id;
};

/* --- ending a visit */

static void server_stamp(struct server *server)
{
    server->cloud->wall_us = clock_wall_us();
    server->cloud->mono_us = clock_monotonic_us();
}

static void visit_end(struct visit *visit, int status)
{
    if (visit->has_ended)
        return;
    visit->has_ended = true;
    struct cloud *cloud = visit->server->cloud;
    server_stamp(visit->server);
    oauth_refresh_end(cloud, visit->refresh_grant_id);
    if (!visit->is_control)
        cloud_note(cloud, &visit->call, status,
                   visit->has_fault ? fault_name(visit->fault.action) : NULL,
                   cloud->mono_us - visit->arrived_us);
    call_finish(&visit->call);
}

/* The pool goes: the client has left, or all is done. */
static void on_visit_dispose(void *bytes)
{
    struct visit *visit = bytes;
    if (h2o_linklist_is_linked(&visit->link))
        h2o_linklist_unlink(&visit->link);
    visit_end(visit, 0);
}

static const char *status_reason(int status)
{
    static const struct {
        int status;
        const char *reason;
    } REASONS[] = {{200, "OK"},
                   {201, "Created"},
                   {204, "No Content"},
                   {302, "Found"},
                   {400, "Bad Request"},
                   {401, "Unauthorized"},
                   {403, "Forbidden"},
                   {404, "Not Found"},
                   {405, "Method Not Allowed"},
                   {406, "Not Acceptable"},
                   {413, "Payload Too Large"},
                   {429, "Too Many Requests"},
                   {500, "Internal Server Error"},
                   {502, "Bad Gateway"},
                   {503, "Service Unavailable"}};
    for (size_t i = 0; i < COUNT_OF(REASONS); i++)
        if (REASONS[i].status == status)
            return REASONS[i].reason;
    return "Unknown";
}

static void visit_send(struct visit *visit)
{
    static h2o_generator_t generator = {NULL, NULL};
    h2o_req_t *req = visit->req;
    req->res.reason = status_reason(req->res.status);
    bool is_head = h2o_memis(req->input.method.base, req->input.method.len, H2O_STRLIT("HEAD"));
    bool has_body = !is_head && visit->body.length > 0;
    if (req->res.status != 204)
        req->res.content_length = visit->body.length;
    if (atomic_load(&visit->server->is_stopping))
        req->http1_is_persistent = 0;
    h2o_iovec_t part = h2o_iovec_init(visit->body.base, visit->body.length);
    visit_end(visit, req->res.status);
    h2o_start_response(req, &generator);
    h2o_send(req, &part, has_body ? 1 : 0, H2O_SEND_STATE_FINAL);
}

static int visit_fd(const struct visit *visit)
{
    return h2o_socket_get_fd(visit->req->conn->callbacks->get_socket(visit->req->conn));
}

/* The other side sees the end of the connection, and libh2o that it cannot write. */
static void visit_cut(struct visit *visit)
{
    h2o_req_t *req = visit->req;
    (void)shutdown(visit_fd(visit), SHUT_RDWR);
    req->http1_is_persistent = 0;
    req->res.status = 500;
    req->res.reason = "Cut";
    memset(&req->res.headers, 0, sizeof(req->res.headers));
    visit_end(visit, 0);
    h2o_send_inline(req, H2O_STRLIT(""));
}

/* Everything but the second half of the body, past libh2o and straight into the socket. */
static void visit_truncate(struct visit *visit)
{
    h2o_req_t *req = visit->req;
    char head[HEAD_MAX];
    struct text_buffer buffer;
    text_buffer_init(&buffer, head, sizeof(head));
    text_append_format(&buffer, "HTTP/1.1 %d %s\r\nContent-Length: %zu\r\n", req->res.status,
                       status_reason(req->res.status), visit->body.length + 1);
    for (size_t i = 0; i < req->res.headers.size; i++) {
        const h2o_header_t *header = &req->res.headers.entries[i];
        text_append_format(&buffer, "%.*s: %.*s\r\n", (int)header->name->len, header->name->base,
                           (int)header->value.len, header->value.base);
    }
    text_append(&buffer, TEXT("\r\n"));
    ssize_t written = write(visit_fd(visit), head, buffer.length);
    if (written == (ssize_t)buffer.length && visit->body.length > 0)
        written = write(visit_fd(visit), visit->body.base, visit->body.length / 2);
    (void)written; /* less than half is as good */
    visit_cut(visit);
}

/* --- answering */

static struct text pool_copy(struct visit *visit, struct text text)
{
    char *copy = h2o_mem_alloc_pool(&visit->req->pool, text.length + 1);
    if (text.length > 0)
        memcpy(copy, text.base, text.length);
    return (struct text){copy, text.length};
}

/* Moves the answer into the request, where it may wait. */
static void visit_keep(struct visit *visit, const struct answer *answer)
{
    h2o_req_t *req = visit->req;
    memset(&req->res.headers, 0, sizeof(req->res.headers));
    req->res.status = answer->status;
    if (answer->body.length > 0)
        h2o_add_header(&req->pool, &req->res.headers, H2O_TOKEN_CONTENT_TYPE, NULL,
                       answer->content_type, strlen(answer->content_type));
    for (size_t i = 0; i < answer->header_count; i++) {
        struct text value = pool_copy(visit, text_of(answer->headers[i].value));
        h2o_add_header_by_str(&req->pool, &req->res.headers, answer->headers[i].name,
                              strlen(answer->headers[i].name), 1, NULL, value.base, value.length);
    }
    visit->body = pool_copy(visit, text_buffer_text(&answer->body));
    visit->is_answered = true;
}

static struct answer *server_answer_begin(struct server *server)
{
    answer_begin(&server->answer, server->memory, ANSWER_MAX);
    return &server->answer;
}

/* What was asked for happens here. */
static void visit_answer(struct visit *visit)
{
    struct server *server = visit->server;
    struct answer *answer = server_answer_begin(server);
    server_stamp(server);
    if (!visit->is_readable)
        answer_bad(answer, "The address cannot be read.");
    else if (visit->call.body.length > CALL_BODY_MAX)
        answer_error(answer, 413, "too_large", "At most %d bytes.", CALL_BODY_MAX);
    else
        cloud_answer(server->cloud, &visit->call, answer);
    if (answer->body.is_cut)
        answer_error(answer, 500, "too_large", "The answer is longer than this fake can give.");
    visit_keep(visit, answer);
}

static void append_padding(struct text_buffer *body, int64_t size)
{
    text_append(body, TEXT("{\"padding\":\""));
    while ((int64_t)body->length < size - 2 && !body->is_cut)
        text_append_char(body, 'x');
    text_append(body, TEXT("\"}"));
}

/* The answer that a fault puts in the place of the true one. */
static void visit_answer_fault(struct visit *visit)
{
    const struct fault *fault = &visit->fault;
    struct server *server = visit->server;
    struct answer *answer = server_answer_begin(server);
    if (fault->action == FAULT_EXPIRED_TOKEN) {
        api_refuse_token(answer, server->cloud->settings.expired_error,
                         "The access token provided has expired");
    } else if (fault->action == FAULT_RATE_LIMIT) {
        int64_t wait_s = fault->retry_after_s > 0 ? fault->retry_after_s : 1;
        api_refuse_rate(server->cloud, answer, server->cloud->settings.rate_bearer_max,
                        clock_wall_us() + wait_s * CLOCK_US_PER_S, fault->retry_after_s);
    } else if (fault->action == FAULT_HTML) {
        answer->content_type = "text/html; charset=utf-8";
        text_append(&answer->body, TEXT("<!DOCTYPE html><html><head><title>Error</title></head>"
                                        "<body><h1>Something went wrong</h1></body></html>"));
    } else if (fault->action == FAULT_HUGE) {
        append_padding(&answer->body, fault->size);
    } else if (fault->body[0] == '\0') {
        answer_error(answer, (int)fault->status, "server_error", "A fault was ordered.");
        answer->status = (int)fault->status;
    } else {
        answer->status = (int)fault->status;
        text_append(&answer->body, text_of(fault->body));
    }
    if (fault->content_type[0] != '\0')
        answer->content_type = fault->content_type;
    if (fault->action == FAULT_STATUS && fault->retry_after_s >= 0)
        answer_header_int(answer, "retry-after", fault->retry_after_s);
    visit_keep(visit, answer);
}

/* --- faults */

static void visit_wait(struct visit *visit)
{
    visit->due_us = clock_monotonic_us() + visit->fault.ms * 1000;
    h2o_linklist_insert(&visit->server->waiting, &visit->link);
}

static void visit_go_on(struct visit *visit)
{
    if (visit->fault.then_drops) {
        visit_cut(visit);
        return;
    }
    if (!visit->is_answered)
        visit_answer(visit);
    visit_send(visit);
}

static void visit_misbehave(struct visit *visit)
{
    const struct fault *fault = &visit->fault;
    bool happens =
        fault->is_after || fault->action == FAULT_DROP_AFTER || fault->action == FAULT_TRUNCATE;
    if (happens)
        visit_answer(visit);
    switch (fault->action) {
    case FAULT_DROP_BEFORE:
    case FAULT_DROP_AFTER:
        visit_cut(visit);
        return;
    case FAULT_HANG:
        visit_wait(visit);
        return;
    case FAULT_TRUNCATE:
        visit_truncate(visit);
        return;
    case FAULT_STATUS:
    case FAULT_HTML:
    case FAULT_HUGE:
    case FAULT_EXPIRED_TOKEN:
    case FAULT_RATE_LIMIT:
        visit_answer_fault(visit);
        visit_send(visit);
        return;
    case FAULT_ACTIONS:
        break;
    }
}

/* --- arriving */

static struct text header_of(const h2o_req_t *req, const char *name_lower)
{
    ssize_t at = h2o_find_header_by_str(&req->headers, name_lower, strlen(name_lower), -1);
    if (at == -1)
        return TEXT("");
    return (struct text){req->headers.entries[at].value.base, req->headers.entries[at].value.len};
}

static struct text text_of_iovec(h2o_iovec_t bytes)
{
    return (struct text){bytes.base, bytes.len};
}

static void call_fill(struct call *call, const h2o_req_t *req)
{
    struct text method = text_of_iovec(req->input.method);
    call->method = text_equal(method, TEXT("HEAD")) ? TEXT("GET") : method;
    call->target = text_of_iovec(req->input.path);
    call->authority = text_of_iovec(req->input.authority);
    call->accept = header_of(req, "accept");
    call->content_type = header_of(req, "content-type");
    call->authorization = header_of(req, "authorization");
    call->page = header_of(req, "x-page");
    call->body = text_of_iovec(req->entity);
}

/* A public name that somebody points at us has dots and letters at its end; an address or the name
 * of a neighbour has not. */
static bool host_is_near(struct text host)
{
    struct text name = host;
    while (name.length > 0 && name.base[name.length - 1] != ':')
        name.length--;
    name.length = name.length > 0 ? name.length - 1 : host.length;
    bool is_numeric = name.length > 0 && name.base[0] == '[';
    size_t last = name.length;
    while (last > 0 && name.base[last - 1] != '.')
        last--;
    struct text label = text_slice(name, last, name.length);
    is_numeric = is_numeric || text_is_digits(label);
    return is_numeric || last == 0 || text_equal_nocase(label, TEXT("internal"));
}

/* Programs use the control address, and people who type it; no page of any site does. */
static bool is_from_a_page(const h2o_req_t *req)
{
    struct text site = header_of(req, "sec-fetch-site");
    return header_of(req, "origin").length > 0 ||
           (site.length > 0 && !text_equal(site, TEXT("none"))) ||
           !host_is_near(text_of_iovec(req->input.authority));
}

static void visit_refuse_page(struct visit *visit)
{
    struct answer *answer = server_answer_begin(visit->server);
    answer_error(answer, 403, "wrong_origin",
                 "The control address is for programs, not for pages.");
    visit_keep(visit, answer);
    visit_send(visit);
}

static int on_request(h2o_handler_t *handler, h2o_req_t *req)
{
    struct server *server = ((struct server_handler *)handler)->server;
    struct visit *visit = h2o_mem_alloc_shared(&req->pool, sizeof(*visit), on_visit_dispose);
    memset(visit, 0, sizeof(*visit));
    visit->server = server;
    visit->req = req;
    server_stamp(server);
    visit->arrived_us = server->cloud->mono_us;
    call_fill(&visit->call, req);
    visit->is_readable = call_read(&visit->call);
    visit->is_control = call_segment_is(&visit->call, 0, "_cloud");
    if (visit->is_control && is_from_a_page(req)) {
        visit_refuse_page(visit);
        return 0;
    }
    visit->refresh_grant_id = oauth_refresh_begin(server->cloud, &visit->call);
    struct fault *fault = NULL;
    if (!visit->is_control)
        fault = faults_take(&server->cloud->faults, &server->cloud->dice_state, &visit->call);
    if (fault == NULL) {
        visit_answer(visit);
        visit_send(visit);
        return 0;
    }
    visit->fault = *fault;
    visit->has_fault = true;
    visit_misbehave(visit);
    return 0;
}

/* --- the loop */

struct connection {
    h2o_linklist_t link;
    struct server *server;
    int fd;
};

static void on_connection_closed(void *data)
{
    struct connection *connection = data;
    h2o_linklist_unlink(&connection->link);
    connection->server->connection_count--;
    free(connection);
}

static void on_accept(h2o_socket_t *listener, const char *err)
{
    struct server *server = listener->data;
    (void)err;
    for (int i = 0; i < ACCEPT_MAX; i++) {
        h2o_socket_t *sock = h2o_evloop_socket_accept(listener);
        if (sock == NULL)
            return;
        struct connection *connection = h2o_mem_alloc(sizeof(*connection));
        *connection = (struct connection){.server = server, .fd = h2o_socket_get_fd(sock)};
        h2o_linklist_insert(&server->connections, &connection->link);
        server->connection_count++;
        sock->on_close.cb = on_connection_closed;
        sock->on_close.data = connection;
        h2o_accept(&server->accept, sock);
    }
}

/* Held-up visits whose time has come; gives the time until the next one. */
static int64_t server_tend_waiting(struct server *server)
{
    int64_t next_us = INT64_MAX;
    h2o_linklist_t *node = server->waiting.next;
    while (node != &server->waiting) {
        struct visit *visit = H2O_STRUCT_FROM_MEMBER(struct visit, link, node);
        node = node->next;
        if (visit->due_us > clock_monotonic_us()) {
            next_us = visit->due_us < next_us ? visit->due_us : next_us;
            continue;
        }
        h2o_linklist_unlink(&visit->link);
        visit_go_on(visit);
    }
    return next_us;
}

static void server_tend_post(struct server *server)
{
    struct delivery *delivery;
    server_stamp(server);
    for (struct parcel *parcel = courier_collect(server->courier); parcel != NULL;) {
        struct parcel *next = parcel->next;
        post_note(server->cloud, parcel->delivery.id, parcel->status, parcel->error);
        parcel_destroy(parcel);
        parcel = next;
    }
    while ((delivery = post_take(server->cloud)) != NULL)
        if (courier_send(server->courier, delivery) != 0)
            post_note(server->cloud, delivery->id, 0, "out of memory");
}

static void server_turn(struct server *server)
{
    int64_t next_us = server_tend_waiting(server);
    server_tend_post(server);
    int64_t post_us = post_next_us(server->cloud);
    next_us = post_us < next_us ? post_us : next_us;
    int64_t left_us = next_us == INT64_MAX ? INT64_MAX : next_us - clock_monotonic_us();
    int32_t wait_ms = SLEEP_MAX_MS;
    if (left_us < SLEEP_MAX_MS * INT64_C(1000))
        wait_ms = left_us <= 0 ? 0 : (int32_t)(left_us / 1000) + 1;
    h2o_evloop_run(server->evloop, wait_ms);
}

static void on_wake(h2o_multithread_receiver_t *receiver, h2o_linklist_t *messages)
{
    (void)receiver; /* being woken is all */
    (void)messages;
}

/* On the courier's thread. */
static void on_courier_done(void *context)
{
    struct server *server = context;
    h2o_multithread_send_message(&server->wake, NULL);
}

/* libh2o closes a connection when it sees its end: so each gets one. */
static void server_end_connections(struct server *server)
{
    int64_t until_us = clock_monotonic_us() + STOP_US;
    h2o_socket_close(server->listener);
    for (h2o_linklist_t *node = server->waiting.next; node != &server->waiting; node = node->next) {
        struct visit *visit = H2O_STRUCT_FROM_MEMBER(struct visit, link, node);
        visit->fault.then_drops = true;
        visit->due_us = 0;
    }
    (void)server_tend_waiting(server);
    for (h2o_linklist_t *node = server->connections.next; node != &server->connections;
         node = node->next)
        shutdown(H2O_STRUCT_FROM_MEMBER(struct connection, link, node)->fd, SHUT_RDWR);
    while (server->connection_count > 0 && clock_monotonic_us() < until_us)
        h2o_evloop_run(server->evloop, 10);
}

static void *server_run(void *argument)
{
    struct server *server = argument;
    server->listener =
        h2o_evloop_socket_create(server->evloop, server->fd, H2O_SOCKET_FLAG_DONT_READ);
    server->listener->data = server;
    h2o_socket_read_start(server->listener, on_accept);
    while (!atomic_load(&server->is_stopping))
        server_turn(server);
    server_end_connections(server);
    return NULL;
}

/* --- making and ending */

static int listen_on(const char *address, int *fd)
{
    char host[256];
    const char *colon = strrchr(address, ':');
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *info = NULL;
    if (colon == NULL || (size_t)(colon - address) >= sizeof(host))
        return ERR_BAD_CONFIG;
    memcpy(host, address, (size_t)(colon - address));
    host[colon - address] = '\0';
    if (getaddrinfo(host[0] == '\0' ? NULL : host, colon + 1, &hints, &info) != 0)
        return ERR_BAD_CONFIG;
    int one = 1;
    *fd = socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (*fd != -1)
        (void)setsockopt(*fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    bool is_listening =
        *fd != -1 && bind(*fd, info->ai_addr, info->ai_addrlen) == 0 && listen(*fd, BACKLOG) == 0;
    freeaddrinfo(info);
    if (!is_listening && *fd != -1)
        close(*fd);
    return is_listening ? 0 : ERR_IO;
}

static void server_name(struct server *server)
{
    struct sockaddr_storage address;
    socklen_t length = sizeof(address);
    char host[NI_MAXHOST] = "127.0.0.1", port[NI_MAXSERV] = "0";
    if (getsockname(server->fd, (struct sockaddr *)&address, &length) == 0)
        (void)getnameinfo((struct sockaddr *)&address, length, host, sizeof(host), port,
                          sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV);
    (void)snprintf(server->url, sizeof(server->url), "http://%.80s:%.8s", host, port);
}

static void server_configure(struct server *server)
{
    h2o_config_init(&server->globalconf);
    server->globalconf.max_request_entity_size = ENTITY_MAX;
    server->globalconf.http1.upgrade_to_http2 = 0;
    server->hosts[0] =
        h2o_config_register_host(&server->globalconf, h2o_iovec_init(H2O_STRLIT("cloud")), 65535);
    server_errors_register(&server->hosts[0]->fallback_path);
    h2o_pathconf_t *path = h2o_config_register_path(server->hosts[0], "/", 0);
    struct server_handler *handler =
        (struct server_handler *)h2o_create_handler(path, sizeof(*handler));
    handler->super.on_req = on_request;
    handler->server = server;
    h2o_linklist_init_anchor(&server->connections);
    h2o_linklist_init_anchor(&server->waiting);
    server->evloop = h2o_evloop_create();
    h2o_context_init(&server->context, server->evloop, &server->globalconf);
    h2o_multithread_register_receiver(server->context.queue, &server->wake, on_wake);
    server->accept = (h2o_accept_ctx_t){.ctx = &server->context, .hosts = server->hosts};
}

/* What libh2o cannot let go while a connection is left stays until the process ends. */
static void server_free(struct server *server)
{
    courier_destroy(server->courier);
    bool is_quiet = server->connection_count == 0;
    if (server->evloop != NULL && is_quiet) {
        h2o_multithread_unregister_receiver(server->context.queue, &server->wake);
        h2o_timeout_unlink(&server->context.http2._graceful_shutdown_timeout);
        h2o_context_dispose(&server->context);
        h2o_evloop_run(server->evloop, 0);
        h2o_evloop_destroy(server->evloop);
        h2o_config_dispose(&server->globalconf);
    }
    free(server->memory);
    cloud_destroy(server->cloud);
    if (is_quiet)
        free(server);
}

int server_create(struct cloud *cloud, const char *listen_address, struct server **server)
{
    struct server *made = calloc(1, sizeof(*made));
    if (made == NULL) {
        cloud_destroy(cloud);
        return ERR_NO_MEMORY;
    }
    made->cloud = cloud;
    made->memory = malloc(ANSWER_MAX);
    int err = made->memory == NULL ? ERR_NO_MEMORY : listen_on(listen_address, &made->fd);
    if (err != 0) {
        server_free(made);
        return err;
    }
    server_name(made);
    server_configure(made);
    err = courier_create(on_courier_done, made, &made->courier);
    if (err == 0 && pthread_create(&made->thread, NULL, server_run, made) != 0)
        err = ERR_NO_MEMORY;
    if (err != 0) {
        close(made->fd);
        server_free(made);
        return err;
    }
    *server = made;
    return 0;
}

void server_destroy(struct server *server)
{
    if (server == NULL)
        return;
    atomic_store(&server->is_stopping, true);
    h2o_multithread_send_message(&server->wake, NULL);
    pthread_join(server->thread, NULL);
    server_free(server);
}

const char *server_url(const struct server *server)
{
    return server->url;
}
