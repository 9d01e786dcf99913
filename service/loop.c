/* Runs one event loop: accepting, draining, stopping. */
#include "service/loop.h"

#include "base/log.h"
#include "handlers/linger.h"
#include "service/redis_loop.h"

#include <errno.h>
#include <fcntl.h>
#include <h2o/http1.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/banned.h"

/* Per wake-up and listener: few, so that a burst of connections spreads over the loops. */
#define ACCEPT_MAX 8
#define DRAIN_TURN_MS 5              /* how often a draining loop looks whether it is quiet */
#define STOP_US (2 * CLOCK_US_PER_S) /* for the last answers and closes */

struct loop_listener {
    struct loop *loop;
    h2o_socket_t *sock; /* NULL: closed */
    h2o_accept_ctx_t accept;
    bool is_tls;
    bool is_local;             /* the admin socket */
    h2o_timeout_entry_t pause; /* out of descriptors: no accepting until it has passed */
};

struct loop {
    struct exchange_loop exchanges; /* first: its context is found from requests */
    struct loop_config config;
    struct redis_loop redis;
    h2o_evloop_t *evloop;
    h2o_hostconf_t *public_hosts[2], *local_hosts[2]; /* NULL-terminated, as libh2o wants them */
    struct loop_listener listeners[LISTENERS_MAX];
    h2o_linklist_t connections;
    int32_t connection_count;
    struct parcel *adopted; /* guarded by mutex; waits to be served */
    pthread_mutex_t mutex;  /* guards wake against its own end */
    bool is_deaf;           /* wake is gone */
    h2o_multithread_receiver_t wake;
    pthread_t thread;
    sem_t started;
    int start_error;
    _Atomic enum loop_phase asked;
    enum loop_phase phase;
    int64_t held_at_us;             /* 0: never */
    _Atomic int64_t quiet_since_us; /* 0: something is under way */
    char refusal[512];
    size_t refusal_length;
};

/* --- connections */

struct connection {
    h2o_linklist_t link;
    struct loop *loop;
    h2o_socket_t *sock;
    int64_t opened_at_us;
    bool is_counted; /* has a place within connections_max */
};

static void on_connection_closed(void *data)
{
    struct connection *connection = data;
    struct loop *loop = connection->loop;
    h2o_linklist_unlink(&connection->link);
    loop->connection_count--;
    if (connection->is_counted)
        atomic_fetch_sub_explicit(loop->config.connections, 1, memory_order_relaxed);
    metrics_connection(loop->config.handlers->metrics, -1);
    free(connection);
}

static void connection_open(struct loop *loop, h2o_socket_t *sock, bool is_counted)
{
    struct connection *connection = h2o_mem_alloc(sizeof(*connection));
    *connection = (struct connection){
        .loop = loop, .sock = sock, .opened_at_us = clock_monotonic_us(), .is_counted = is_counted};
    h2o_linklist_insert(&loop->connections, &connection->link);
    loop->connection_count++;
    sock->on_close.cb = on_connection_closed;
    sock->on_close.data = connection;
    metrics_connection(loop->config.handlers->metrics, 1);
}

static void on_refusal_written(h2o_socket_t *sock, const char *err)
{
    (void)err;
    h2o_socket_close(sock);
}

/* TLS would cost a handshake to say no: such a client is closed. */
static void connection_refuse(struct loop *loop, h2o_socket_t *sock, bool is_tls)
{
    metrics_connection_refused(loop->config.handlers->metrics);
    if (is_tls) {
        h2o_socket_close(sock);
        return;
    }
    linger_arm(&loop->exchanges, sock);
    h2o_iovec_t bytes = h2o_iovec_init(loop->refusal, loop->refusal_length);
    h2o_socket_write(sock, &bytes, 1, on_refusal_written);
}

/* true: it has taken a place. */
static bool connection_is_welcome(struct loop *loop)
{
    int64_t before = atomic_fetch_add_explicit(loop->config.connections, 1, memory_order_relaxed);
    if (before < loop->config.connections_max)
        return true;
    atomic_fetch_sub_explicit(loop->config.connections, 1, memory_order_relaxed);
    return false;
}

/* --- accepting */

static void on_accept(h2o_socket_t *sock, const char *err);

static void on_pause_over(h2o_timeout_entry_t *entry)
{
    struct loop_listener *listener = H2O_STRUCT_FROM_MEMBER(struct loop_listener, pause, entry);
    h2o_socket_read_start(listener->sock, on_accept);
}

/* Out of descriptors or memory: the waiting connection would wake us at once, for ever. */
static void listener_pause(struct loop_listener *listener)
{
    log_event(LOG_ERROR, "accept_paused", LOG_INT("errno", errno));
    h2o_socket_read_stop(listener->sock);
    listener->pause.cb = on_pause_over;
    h2o_timeout_link(listener->loop->evloop, &listener->loop->exchanges.context.hundred_ms_timeout,
                     &listener->pause);
}

static bool accept_one(struct loop_listener *listener)
{
    struct loop *loop = listener->loop;
    h2o_socket_t *sock = h2o_evloop_socket_accept(listener->sock);
    if (sock == NULL) {
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
            listener_pause(listener);
        return false;
    }
    /* The admin socket has no limit: a crowd of registers must not lock out who looks after it.
     * Only the owner of the data folder can open it. */
    if (!listener->is_local && !connection_is_welcome(loop)) {
        connection_refuse(loop, sock, listener->is_tls);
        return true;
    }
    connection_open(loop, sock, !listener->is_local);
    if (listener->is_tls)
        listener->accept.ssl_ctx = atomic_load(loop->config.tls);
    h2o_accept(&listener->accept, sock);
    return true;
}

static void on_accept(h2o_socket_t *sock, const char *err)
{
    (void)err;
    for (int i = 0; i < ACCEPT_MAX && accept_one(sock->data); i++)
        ;
}

static int listener_open(struct loop *loop, const struct listener *from,
                         struct loop_listener *listener)
{
    int fd = fcntl(from->fd, F_DUPFD_CLOEXEC, 0);
    if (fd == -1)
        return ERR_IO;
    listener->loop = loop;
    listener->is_tls = from->is_tls;
    listener->is_local = from->is_local;
    listener->accept = (h2o_accept_ctx_t){
        .ctx = &loop->exchanges.context,
        .hosts = from->is_local ? loop->local_hosts : loop->public_hosts,
    };
    listener->sock = h2o_evloop_socket_create(loop->evloop, fd, H2O_SOCKET_FLAG_DONT_READ);
    listener->sock->data = listener;
    h2o_socket_read_start(listener->sock, on_accept);
    return 0;
}

/* --- holding: what can be served by another process is let go */

/* A connection over TLS that is so young may not have brought its first request yet. */
#define YOUNG_US CLOCK_US_PER_S
/* And one between two requests may have the next one on its way: who pays one after the other sends
 * it at once, and is told to close with its answer. */
#define TLS_GRACE_US (INT64_C(250) * 1000)
#define SWEEP_MAX 64

struct sweep {
    h2o_socket_t *socks[SWEEP_MAX];
    bool is_local[SWEEP_MAX];
    int count;
};

/* libh2o reads from it: it is between two requests, or not all of one has come. Of a body in chunks
 * the bytes are no longer as they came. */
static bool is_waiting(h2o_req_t *req, const h2o_socket_t *sock)
{
    bool is_chunked =
        req->version != 0 && h2o_find_header(&req->headers, H2O_TOKEN_TRANSFER_ENCODING, -1) != -1;
    return sock->_cb.read != NULL && !is_chunked;
}

/* Libh2o has not read all that the client has sent: perhaps this machine stood still meanwhile. */
static bool has_unread(h2o_socket_t *sock)
{
    char byte;
    return recv(h2o_socket_get_fd(sock), &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

/* Over TLS, and a request may come in a moment, or is there. */
static bool is_expected(const struct loop *loop, h2o_socket_t *sock)
{
    int64_t now_us = clock_monotonic_us();
    if (sock->ssl == NULL || sock->on_close.cb != on_connection_closed)
        return false;
    const struct connection *connection = sock->on_close.data;
    bool is_young = sock->bytes_written == 0 && now_us - connection->opened_at_us < YOUNG_US;
    return is_young || now_us - loop->held_at_us < TLS_GRACE_US || has_unread(sock);
}

/* TLS has a state that no other process can take over: such a connection ends between requests. */
static int on_each_waiting(h2o_req_t *req, void *data)
{
    struct sweep *sweep = data;
    struct loop *loop = H2O_STRUCT_FROM_MEMBER(struct loop, exchanges.context, req->conn->ctx);
    h2o_socket_t *sock = req->conn->callbacks->get_socket(req->conn);
    if (!is_waiting(req, sock) || sock->input->size > PARCEL_BYTES_MAX)
        return 0;
    if (is_expected(loop, sock) || (sock->ssl != NULL && sock->input->size > 0))
        return 0;
    sweep->is_local[sweep->count] = req->conn->hosts == loop->local_hosts;
    sweep->socks[sweep->count++] = sock;
    return sweep->count == SWEEP_MAX;
}

/* Our duplicate keeps the connection open when libh2o closes its own. */
static void let_go(struct loop *loop, h2o_socket_t *sock, bool is_local)
{
    struct text bytes = {sock->input->bytes, sock->input->size};
    int fd = sock->ssl != NULL ? -1 : fcntl(h2o_socket_get_fd(sock), F_DUPFD_CLOEXEC, 0);
    if (fd != -1 && parcels_add(loop->config.parcels, fd, is_local, bytes) != 0)
        close(fd);
    sock->_cb.read(sock, h2o_socket_error_closed); /* as if the caller had: libh2o forgets it */
}

static void loop_let_go(struct loop *loop)
{
    h2o_context_t *context = &loop->exchanges.context;
    struct sweep sweep;
    do {
        sweep.count = 0;
        context->globalconf->http1.callbacks.foreach_request(context, on_each_waiting, &sweep);
        for (int i = 0; i < sweep.count; i++)
            let_go(loop, sweep.socks[i], sweep.is_local[i]);
    } while (sweep.count == SWEEP_MAX);
}

/* Handshakes too, which libh2o does not show. */
static bool loop_expects_more(const struct loop *loop)
{
    for (h2o_linklist_t *node = loop->connections.next; node != &loop->connections;
         node = node->next) {
        if (is_expected(loop, H2O_STRUCT_FROM_MEMBER(struct connection, link, node)->sock))
            return true;
    }
    return false;
}

static void adopt(struct loop *loop, struct parcel *parcel)
{
    struct loop_listener accept = {
        .accept = {.ctx = &loop->exchanges.context,
                   .hosts = parcel->is_local ? loop->local_hosts : loop->public_hosts}};
    h2o_socket_t *sock =
        h2o_evloop_socket_create(loop->evloop, parcel->fd, H2O_SOCKET_FLAG_IS_ACCEPTED_CONNECTION);
    parcel->fd = -1;
    if (!parcel->is_local) /* one that was there is not refused, however many there are */
        atomic_fetch_add_explicit(loop->config.connections, 1, memory_order_relaxed);
    connection_open(loop, sock, !parcel->is_local);
    if (parcel->length > 0) {
        h2o_iovec_t room = h2o_buffer_reserve(&sock->input, parcel->length);
        memcpy(room.base, parcel->bytes, parcel->length);
        sock->input->size += parcel->length;
    }
    h2o_accept(&accept.accept, sock);
}

static void loop_adopt_all(struct loop *loop)
{
    pthread_mutex_lock(&loop->mutex);
    struct parcel *next = loop->adopted;
    loop->adopted = NULL;
    pthread_mutex_unlock(&loop->mutex);
    while (next != NULL) {
        struct parcel *parcel = next;
        next = parcel->next;
        adopt(loop, parcel);
        parcel_destroy(parcel);
    }
}

static void listener_close(struct loop_listener *listener)
{
    if (listener->sock == NULL)
        return;
    h2o_timeout_unlink(&listener->pause);
    h2o_socket_close(listener->sock);
    listener->sock = NULL;
}

/* --- draining */

static int on_each_request(h2o_req_t *req, void *data)
{
    /* HTTP/1 shows us idle connections too: those have not begun a request. HTTP/2 shows open
     * streams only. */
    bool is_busy = req->version >= 0x200 || req->timestamps.request_begin_at.tv_sec != 0;
    *(bool *)data |= is_busy;
    return is_busy; /* not 0: stop looking */
}

static bool loop_is_busy(struct loop *loop)
{
    bool is_busy = loop->exchanges.unanswered > 0 || loop_expects_more(loop);
    h2o_context_t *context = &loop->exchanges.context;
    if (!is_busy)
        context->globalconf->http1.callbacks.foreach_request(context, on_each_request, &is_busy);
    if (!is_busy)
        context->globalconf->http2.callbacks.foreach_request(context, on_each_request, &is_busy);
    return is_busy;
}

static void loop_note_quiet(struct loop *loop)
{
    int64_t since_us = atomic_load(&loop->quiet_since_us);
    bool is_busy = loop_is_busy(loop);
    if (is_busy && since_us != 0)
        atomic_store(&loop->quiet_since_us, 0);
    else if (!is_busy && since_us == 0)
        atomic_store(&loop->quiet_since_us, clock_monotonic_us());
}

static void loop_begin_hold(struct loop *loop)
{
    loop->held_at_us = clock_monotonic_us();
    for (int i = 0; i < LISTENERS_MAX; i++)
        listener_close(&loop->listeners[i]);
    h2o_context_request_shutdown(&loop->exchanges.context);
}

/* The successor is gone: all goes on as before. */
static void loop_resume(struct loop *loop)
{
    loop->exchanges.context.shutdown_requested = 0;
    atomic_store(&loop->quiet_since_us, 0);
    const struct listeners *listeners = loop->config.listeners;
    for (int i = 0; i < listeners->count; i++)
        if (listener_open(loop, &listeners->items[i], &loop->listeners[i]) != 0)
            log_event(LOG_ERROR, "not_listening", LOG_TEXT("address", listeners->items[i].address));
}

/* What the kernel has already accepted for us is served; then nobody listens here any more. */
static void loop_begin_drain(struct loop *loop)
{
    for (int i = 0; i < LISTENERS_MAX; i++) {
        struct loop_listener *listener = &loop->listeners[i];
        while (listener->sock != NULL && accept_one(listener))
            ;
        listener_close(listener);
    }
    h2o_context_request_shutdown(&loop->exchanges.context);
}

static void loop_enter(struct loop *loop, enum loop_phase phase)
{
    enum loop_phase before = loop->phase;
    loop->phase = phase;
    if (phase == LOOP_HOLDING)
        loop_begin_hold(loop);
    else if (phase == LOOP_DRAINING)
        loop_begin_drain(loop);
    else if (phase == LOOP_RUNNING && before == LOOP_HOLDING)
        loop_resume(loop);
}

static void loop_turn(struct loop *loop)
{
    int32_t wait_ms = exchange_loop_tend(&loop->exchanges);
    if (loop->phase != LOOP_RUNNING && wait_ms > DRAIN_TURN_MS)
        wait_ms = DRAIN_TURN_MS;
    h2o_evloop_run(loop->evloop, redis_loop_turn(&loop->redis, wait_ms));
}

/* --- stopping */

static void loop_turn_until(struct loop *loop, const int32_t *number)
{
    int64_t until_us = clock_monotonic_us() + STOP_US;
    while (*number > 0 && clock_monotonic_us() < until_us)
        loop_turn(loop);
}

/* libh2o closes a connection when it sees its end: so each gets one. */
static void loop_end_connections(struct loop *loop)
{
    for (h2o_linklist_t *node = loop->connections.next; node != &loop->connections;
         node = node->next)
        shutdown(h2o_socket_get_fd(H2O_STRUCT_FROM_MEMBER(struct connection, link, node)->sock),
                 SHUT_RDWR);
    loop_turn_until(loop, &loop->connection_count);
    loop_turn_until(loop, &loop->exchanges.lingering);
}

static void loop_stop(struct loop *loop)
{
    if (loop->phase == LOOP_RUNNING)
        loop_enter(loop, LOOP_DRAINING);
    loop->phase = LOOP_STOPPED;
    loop_turn_until(loop, &loop->exchanges.jobs_away);
    loop_turn_until(loop, &loop->exchanges.unanswered);
    loop_end_connections(loop);
    redis_loop_finish(&loop->redis);
    loop->exchanges.lane = NULL;
    if (loop->connection_count > 0 || loop->exchanges.lingering > 0) {
        /* Left to the end of the process: nothing that belongs to them is freed under them. */
        log_event(LOG_WARNING, "connections_left", LOG_INT("count", loop->connection_count));
        return;
    }
    pthread_mutex_lock(&loop->mutex);
    loop->is_deaf = true;
    pthread_mutex_unlock(&loop->mutex);
    h2o_multithread_unregister_receiver(loop->exchanges.context.queue, &loop->wake);
    exchange_loop_finish(&loop->exchanges);
    h2o_evloop_run(loop->evloop, 0); /* frees what was closed */
    h2o_evloop_destroy(loop->evloop);
    loop->evloop = NULL;
}

static void loop_serve(struct loop *loop)
{
    enum loop_phase asked;
    while ((asked = atomic_load(&loop->asked)) != LOOP_STOPPED) {
        if (asked != loop->phase)
            loop_enter(loop, asked);
        loop_turn(loop);
        loop_adopt_all(loop);
        /* What was adopted because we are to run again is not let go of once more. */
        if (loop->phase == LOOP_HOLDING && atomic_load(&loop->asked) == LOOP_HOLDING)
            loop_let_go(loop);
        if (loop->phase != LOOP_RUNNING)
            loop_note_quiet(loop);
    }
}

/* --- starting */

static void on_wake(h2o_multithread_receiver_t *receiver, h2o_linklist_t *messages)
{
    (void)receiver; /* being woken is all: the loop looks at what was asked */
    (void)messages;
}

static void make_refusal(struct loop *loop)
{
    static const char body[] = "{\"success\":false,\"error\":\"Too many connections, please try "
                               "again shortly\",\"code\":\"too_many_connections\"}";
    struct text_buffer buffer;
    text_buffer_init(&buffer, loop->refusal, sizeof(loop->refusal));
    text_append_format(&buffer,
                       "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json; "
                       "charset=utf-8\r\nCache-Control: no-store\r\nRetry-After: 1\r\n"
                       "Connection: close\r\nContent-Length: %zu\r\n\r\n%s",
                       sizeof(body) - 1, body);
    CHECK(!buffer.is_cut);
    loop->refusal_length = buffer.length;
}

/* On the loop's own thread: sockets of libh2o allocate from lists of the thread that made them. */
static int loop_start(struct loop *loop)
{
    const struct loop_config *config = &loop->config;
    loop->evloop = h2o_evloop_create();
    exchange_loop_init(&loop->exchanges, loop->evloop, config->globalconf, config->handlers);
    h2o_multithread_register_receiver(loop->exchanges.context.queue, &loop->wake, on_wake);
    int err = redis_loop_init(&loop->redis, loop->evloop, config->handlers->depot);
    loop->exchanges.lane = loop->redis.lane;
    for (int i = 0; err == 0 && i < config->listeners->count; i++)
        err = listener_open(loop, &config->listeners->items[i], &loop->listeners[i]);
    return err;
}

static void *loop_run(void *argument)
{
    struct loop *loop = argument;
    loop->start_error = loop_start(loop);
    bool has_started = loop->start_error == 0;
    sem_post(&loop->started); /* from here on loop_create's caller may go on */
    if (has_started)
        loop_serve(loop);
    loop_stop(loop);
    return NULL;
}

static struct loop *loop_make(const struct loop_config *config)
{
    struct loop *loop = calloc(1, sizeof(*loop));
    if (loop == NULL)
        return NULL;
    loop->config = *config;
    loop->public_hosts[0] = config->public_host;
    loop->local_hosts[0] = config->local_host;
    h2o_linklist_init_anchor(&loop->connections);
    make_refusal(loop);
    CHECK(sem_init(&loop->started, 0, 0) == 0);
    CHECK(pthread_mutex_init(&loop->mutex, NULL) == 0);
    return loop;
}

static void loop_free(struct loop *loop)
{
    while (loop->adopted != NULL) {
        struct parcel *parcel = loop->adopted;
        loop->adopted = parcel->next;
        parcel_destroy(parcel);
    }
    sem_destroy(&loop->started);
    pthread_mutex_destroy(&loop->mutex);
    free(loop);
}

int loop_create(const struct loop_config *config, struct loop **loop)
{
    struct loop *made = loop_make(config);
    if (made == NULL)
        return ERR_NO_MEMORY;
    if (pthread_create(&made->thread, NULL, loop_run, made) != 0) {
        loop_free(made);
        return ERR_NO_MEMORY;
    }
    while (sem_wait(&made->started) != 0)
        ;
    if (made->start_error == 0) {
        *loop = made;
        return 0;
    }
    int err = made->start_error;
    pthread_join(made->thread, NULL);
    loop_free(made);
    return err;
}

/* --- from other threads */

void loop_ask(struct loop *loop, enum loop_phase phase)
{
    pthread_mutex_lock(&loop->mutex);
    atomic_store(&loop->asked, phase);
    if (!loop->is_deaf)
        h2o_multithread_send_message(&loop->wake, NULL);
    pthread_mutex_unlock(&loop->mutex);
}

void loop_adopt(struct loop *loop, struct parcel *parcel)
{
    pthread_mutex_lock(&loop->mutex);
    parcel->next = loop->adopted;
    loop->adopted = parcel;
    if (!loop->is_deaf)
        h2o_multithread_send_message(&loop->wake, NULL);
    pthread_mutex_unlock(&loop->mutex);
}

int64_t loop_quiet_us(const struct loop *loop)
{
    int64_t since_us = atomic_load((_Atomic int64_t *)&loop->quiet_since_us);
    return since_us == 0 ? 0 : clock_monotonic_us() - since_us;
}

void loop_destroy(struct loop *loop)
{
    if (loop == NULL)
        return;
    loop_ask(loop, LOOP_STOPPED);
    pthread_join(loop->thread, NULL);
    if (loop->evloop == NULL)
        loop_free(loop);
}
