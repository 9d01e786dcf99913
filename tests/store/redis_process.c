/* Starts and ends real Redis servers, and turns lanes, for the suites of the Redis tier. */
#include "tests/store/redis_process.h"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATIENCE_US (20 * CLOCK_US_PER_S) /* a sanitizer build on a busy machine */
#define TURN_US 1000                      /* what a turn counts for */

/* --- servers */

static uint16_t spare_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
    close(fd);
    return ntohs(address.sin_port);
}

static struct place place_of(const struct redis_process *process)
{
    struct place place = {.length = sizeof(struct sockaddr_in)};
    struct sockaddr_in *address = (struct sockaddr_in *)&place.address;
    address->sin_family = AF_INET;
    address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address->sin_port = htons(process->port);
    return place;
}

void redis_process_place(const struct redis_process *process, struct place *place)
{
    *place = place_of(process);
}

static void run_server(const struct redis_process *process)
{
    char port[8];
    (void)snprintf(port, sizeof(port), "%u", process->port);
    const char *password = process->target.password;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)!freopen("/dev/null", "w", stdout);
    execlp("redis-server", "redis-server", "--port", port, "--bind", "127.0.0.1", "--save", "",
           "--appendonly", "no", "--dir", "/tmp", "--requirepass", password, (char *)NULL);
    _exit(127);
}

static void count_pong(void *context, uint64_t ticket, const struct answer *answer)
{
    (void)ticket;
    *(bool *)context = answer->kind == ANSWER_TEXT || answer->kind == ANSWER_ERROR;
}

static int converse(struct link *link, link_answer_fn on_answer, void *context)
{
    int64_t until_us = clock_monotonic_us() + PATIENCE_US;
    int err = 0;
    while (err == 0 && link_unanswered(link) > 0 && clock_monotonic_us() < until_us) {
        err = link_flush(link);
        struct pollfd pollfd = {.fd = link_fd(link),
                                .events = link_is_stuck(link) ? POLLIN | POLLOUT : POLLIN};
        (void)poll(&pollfd, 1, 100);
        if (err == 0)
            err = link_read(link, on_answer, context);
    }
    return err;
}

static bool answers_ping(const struct redis_process *process)
{
    struct place place = place_of(process);
    struct words words = {0};
    struct link *link;
    bool is_there = false;
    if (link_open(&place, &link) != 0)
        return false;
    words_add(&words, TEXT("PING"));
    assert_int_equal(link_send(link, &words, 1), 0);
    (void)converse(link, count_pong, &is_there);
    link_close(link);
    return is_there;
}

void redis_process_restart(struct redis_process *process)
{
    process->pid = fork();
    assert_true(process->pid >= 0);
    if (process->pid == 0)
        run_server(process);
    int64_t until_us = clock_monotonic_us() + PATIENCE_US;
    while (!answers_ping(process)) {
        assert_true(clock_monotonic_us() < until_us);
        assert_int_equal(waitpid(process->pid, NULL, WNOHANG), 0); /* is redis-server installed? */
        (void)poll(NULL, 0, 10);
    }
}

void redis_process_start(struct redis_process *process, const char *password)
{
    *process = (struct redis_process){.port = spare_port()};
    struct target_host *host = &process->target.hosts[0];
    (void)snprintf(host->name, sizeof(host->name), "127.0.0.1");
    host->port = process->port;
    process->target.host_count = 1;
    process->target.database[0] = '0';
    (void)snprintf(process->target.password, sizeof(process->target.password), "%s", password);
    redis_process_restart(process);
}

void redis_process_kill(struct redis_process *process)
{
    if (process->pid == 0)
        return;
    kill(process->pid, SIGKILL);
    waitpid(process->pid, NULL, 0);
    process->pid = 0;
}

void redis_process_signal(const struct redis_process *process, int number)
{
    assert_int_equal(kill(process->pid, number), 0);
}

struct saying {
    void (*on_answer)(void *context, const struct answer *answer);
    void *context;
    bool is_answered;
};

static void on_said(void *context, uint64_t ticket, const struct answer *answer)
{
    struct saying *saying = context;
    if (ticket == 0)
        return; /* AUTH */
    saying->is_answered = true;
    if (saying->on_answer != NULL)
        saying->on_answer(saying->context, answer);
}

void redis_process_say(const struct redis_process *process, const struct words *words,
                       void (*on_answer)(void *context, const struct answer *answer), void *context)
{
    struct saying saying = {.on_answer = on_answer, .context = context};
    struct place place = place_of(process);
    struct words auth = {0};
    struct link *link;
    assert_int_equal(link_open(&place, &link), 0);
    words_add(&auth, TEXT("AUTH"));
    words_add(&auth, text_of(process->target.password));
    if (process->target.password[0] != '\0')
        assert_int_equal(link_send(link, &auth, 0), 0);
    assert_int_equal(link_send(link, words, 1), 0);
    assert_int_equal(converse(link, on_said, &saying), 0);
    link_close(link);
    assert_true(saying.is_answered);
}

/* --- lanes */

static void *attach(void *context, struct lane *lane, int fd)
{
    struct pumped_lane *pumped = context;
    (void)lane;
    pumped->fd = fd;
    pumped->wants_write = false;
    return pumped;
}

static void watch(void *attachment, bool wants_write)
{
    ((struct pumped_lane *)attachment)->wants_write = wants_write;
}

static void detach(void *attachment)
{
    ((struct pumped_lane *)attachment)->fd = -1;
}

void pumped_lane_init(struct pumped_lane *pumped, struct depot *depot, int64_t now_us)
{
    const struct lane_pump pump = {
        .context = pumped, .attach = attach, .watch = watch, .detach = detach};
    *pumped = (struct pumped_lane){.fd = -1, .now_us = now_us};
    assert_int_equal(lane_create(depot, &pump, &pumped->lane), 0);
}

void pumped_lane_finish(struct pumped_lane *pumped)
{
    lane_destroy(pumped->lane);
    pumped->lane = NULL;
}

void pumped_lane_turn(struct pumped_lane *pumped, int wait_ms)
{
    (void)lane_turn(pumped->lane, pumped->now_us);
    struct pollfd pollfd = {.fd = pumped->fd,
                            .events = pumped->wants_write ? POLLIN | POLLOUT : POLLIN};
    if (poll(&pollfd, 1, wait_ms) > 0)
        lane_on_ready(pumped->lane, (pollfd.revents & ~POLLOUT) != 0, pumped->now_us);
}

void pumped_lane_await(struct pumped_lane *pumped)
{
    int64_t until_us = clock_monotonic_us() + PATIENCE_US;
    while (!lane_is_ready(pumped->lane)) {
        assert_true(clock_monotonic_us() < until_us);
        pumped_lane_turn(pumped, 1);
        pumped->now_us += TURN_US;
    }
}
