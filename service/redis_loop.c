/* A lane's socket on a loop of libh2o: both keep a descriptor of the same connection, so that each
 * closes its own. */
#include "service/redis_loop.h"

#include "base/clock.h"

#include <fcntl.h>

#include "base/banned.h"

static void on_writable(h2o_socket_t *sock, const char *err);

static void notify(struct redis_loop *loop)
{
    if (loop->sock == NULL || !loop->wants_write || loop->is_notified)
        return;
    loop->is_notified = true;
    h2o_socket_notify_write(loop->sock, on_writable);
}

/* The lane may hang up inside. */
static void on_ready(struct redis_loop *loop, bool can_read)
{
    lane_on_ready(loop->lane, can_read, clock_monotonic_us());
    notify(loop);
}

static void on_readable(h2o_socket_t *sock, const char *err)
{
    (void)err;
    on_ready(sock->data, true);
}

static void on_writable(h2o_socket_t *sock, const char *err)
{
    struct redis_loop *loop = sock->data;
    (void)err;
    loop->is_notified = false;
    on_ready(loop, false);
}

static void *attach(void *context, struct lane *lane, int fd)
{
    struct redis_loop *loop = context;
    (void)lane;
    CHECK(loop->sock == NULL);
    int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (own == -1)
        return NULL;
    loop->sock = h2o_evloop_socket_create(loop->evloop, own, H2O_SOCKET_FLAG_DONT_READ);
    loop->sock->data = loop;
    loop->wants_write = loop->is_notified = false;
    h2o_socket_read_start(loop->sock, on_readable);
    return loop;
}

static void watch(void *attachment, bool wants_write)
{
    struct redis_loop *loop = attachment;
    loop->wants_write = wants_write;
    notify(loop);
}

static void detach(void *attachment)
{
    struct redis_loop *loop = attachment;
    h2o_socket_close(loop->sock);
    loop->sock = NULL;
    loop->wants_write = loop->is_notified = false;
}

int redis_loop_init(struct redis_loop *loop, h2o_evloop_t *evloop, struct depot *depot)
{
    const struct lane_pump pump = {
        .context = loop, .attach = attach, .watch = watch, .detach = detach};
    *loop = (struct redis_loop){.evloop = evloop};
    return depot == NULL ? 0 : lane_create(depot, &pump, &loop->lane);
}

void redis_loop_finish(struct redis_loop *loop)
{
    lane_destroy(loop->lane);
    loop->lane = NULL;
}

int32_t redis_loop_turn(struct redis_loop *loop, int32_t sleep_ms)
{
    if (loop->lane == NULL)
        return sleep_ms;
    int64_t now_us = clock_monotonic_us();
    int64_t left_us = lane_turn(loop->lane, now_us) - now_us;
    int64_t left_ms = left_us <= 0 ? 0 : left_us / 1000 + 1;
    return left_ms < sleep_ms ? (int32_t)left_ms : sleep_ms;
}
