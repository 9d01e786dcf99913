/* Keeps a connection that libh2o has closed until the client has read its answer. */
#include "handlers/linger.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/banned.h"

struct lingering {
    struct exchange_loop *loop;
    int fd; /* a duplicate: keeps the connection open; -1 once sock has it */
    h2o_socket_t *sock;
    h2o_timeout_entry_t timeout;
    void (*previous)(void *data); /* the socket's own on_close */
    void *previous_data;
};

static void linger_end(struct lingering *linger)
{
    h2o_timeout_unlink(&linger->timeout);
    h2o_socket_close(linger->sock);
    linger->loop->lingering--;
    free(linger);
}

static void on_linger_timeout(h2o_timeout_entry_t *entry)
{
    linger_end(H2O_STRUCT_FROM_MEMBER(struct lingering, timeout, entry));
}

static void on_linger_read(h2o_socket_t *sock, const char *err)
{
    if (err != NULL) {
        linger_end(sock->data);
        return;
    }
    h2o_buffer_consume(&sock->input, sock->input->size);
}

/* libh2o has written its answer and closed: only our duplicate is left. */
static void on_socket_closed(void *data)
{
    struct lingering *linger = data;
    if (linger->previous != NULL)
        linger->previous(linger->previous_data);
    shutdown(linger->fd, SHUT_WR);
    linger->sock = h2o_evloop_socket_create(linger->loop->context.loop, linger->fd, 0);
    linger->sock->data = linger;
    h2o_socket_read_start(linger->sock, on_linger_read);
    linger->timeout.cb = on_linger_timeout;
    h2o_timeout_link(linger->loop->context.loop, &linger->loop->context.one_sec_timeout,
                     &linger->timeout);
}

void linger_arm(struct exchange_loop *loop, h2o_socket_t *sock)
{
    if (loop->lingering == LINGER_MAX || sock->on_close.cb == on_socket_closed)
        return;
    struct lingering *linger = calloc(1, sizeof(*linger));
    if (linger == NULL)
        return;
    linger->fd = fcntl(h2o_socket_get_fd(sock), F_DUPFD_CLOEXEC, 0);
    if (linger->fd == -1) {
        free(linger);
        return;
    }
    linger->loop = loop;
    linger->previous = sock->on_close.cb;
    linger->previous_data = sock->on_close.data;
    sock->on_close.cb = on_socket_closed;
    sock->on_close.data = linger;
    loop->lingering++;
}
