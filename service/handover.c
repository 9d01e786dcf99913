/* Gives the place of this process to another one, and takes such a place. */
#include "service/handover.h"

#include "base/error.h"
#include "base/log.h"
#include "service/channel.h"
#include "service/reason.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/banned.h"

#define WORD_TAKE_OVER "take-over 1"
#define WORD_HAND_OVER "hand-over 1"
#define WORD_SOCKETS "sockets"
#define WORD_READY "ready"
#define WORD_PUBLIC "connection public"
#define WORD_LOCAL "connection local"
#define WORD_LOCK "lock"
#define WORD_SERVING "serving"
#define WORD_DONE "done"
#define WORD_REFUSED "refused"

/* Both sides answer at once but for what is written beside the others. */
#define GREETING_MS 1000
#define SOCKETS_MS 5000
/* The predecessor waits for Lightspeed's replies and for what is under way, seconds at most. */
#define LOCK_MS 30000
/* A successor may have a schema to migrate. */
#define ASKER_MS (10 * 60 * 1000)

/* Descriptors of "sockets", as lines of its text. */
static const char kind_http[] = "http";
static const char kind_https[] = "https";
static const char kind_admin[] = "admin";
static const char kind_hand_over[] = "hand-over";

/* --- the successor */

static int complain(int err, const char *what)
{
    return reason_give(err, "the running service has not handed over: %s (%s)", what,
                       error_name(err));
}

static int refused(struct text why)
{
    return reason_give(ERR_REFUSED, "the running service does not hand over: %.*s", (int)why.length,
                       why.base);
}

static struct text next_line(struct text *lines)
{
    const char *end = memchr(lines->base, '\n', lines->length);
    size_t length = end == NULL ? lines->length : (size_t)(end - lines->base);
    struct text line = text_slice(*lines, 0, length);
    *lines = text_slice(*lines, length + 1, lines->length);
    return line;
}

static int adopt_socket(struct text kind, int fd, const char *admin_path,
                        struct listeners *listeners, int *hand_over_fd)
{
    if (text_equal(kind, text_of(kind_http)))
        return listeners_adopt(listeners, fd, false);
    if (text_equal(kind, text_of(kind_https)))
        return listeners_adopt(listeners, fd, true);
    if (text_equal(kind, text_of(kind_admin)))
        return listeners_adopt_local(listeners, admin_path, fd);
    if (!text_equal(kind, text_of(kind_hand_over)) || *hand_over_fd != -1) {
        close(fd);
        return complain(ERR_BAD_REPLY, "it has sockets of a kind that is not known here");
    }
    *hand_over_fd = fd;
    return 0;
}

static int adopt_sockets(struct channel_message *message, struct text kinds, const char *admin_path,
                         struct listeners *listeners, int *hand_over_fd)
{
    int err = 0;
    *hand_over_fd = -1;
    for (int i = 0; err == 0 && i < message->fd_count; i++) {
        err = adopt_socket(next_line(&kinds), message->fds[i], admin_path, listeners, hand_over_fd);
        message->fds[i] = -1;
    }
    channel_message_close(message);
    if (err == 0 && (listeners->count == 0 || *hand_over_fd == -1))
        err = complain(ERR_BAD_REPLY, "it has not given all of its sockets");
    return err;
}

static int receive_sockets(int channel, const char *admin_path, struct listeners *listeners,
                           int *hand_over_fd)
{
    static struct channel_message message;
    struct text rest;
    int err = channel_receive(channel, SOCKETS_MS, &message);
    if (err != 0)
        return complain(err, "it has not answered");
    if (channel_says(&message, WORD_REFUSED, &rest))
        return refused(rest);
    if (channel_says(&message, WORD_SOCKETS, &rest))
        return adopt_sockets(&message, rest, admin_path, listeners, hand_over_fd);
    channel_message_close(&message);
    return complain(ERR_BAD_REPLY, "its answer cannot be understood");
}

int take_over_begin(const char *path, const char *listen, const char *admin_path,
                    struct listeners *listeners, int *hand_over_fd, int *channel)
{
    int fd;
    int err = channel_connect(path, &fd);
    if (err == ERR_NOT_FOUND)
        return err;
    if (err != 0)
        return reason_give(err, "%s: %s", path, strerror(errno));
    err = channel_send(fd, WORD_TAKE_OVER, text_of(listen), NULL, 0);
    if (err != 0)
        err = complain(err, "it has not listened");
    else
        err = receive_sockets(fd, admin_path, listeners, hand_over_fd);
    if (err != 0) {
        close(fd);
        return err;
    }
    *channel = fd;
    return 0;
}

static int keep_connection(struct channel_message *message, struct parcels *parcels, bool is_local,
                           struct text bytes)
{
    int err = message->fd_count == 1 ? parcels_add(parcels, message->fds[0], is_local, bytes)
                                     : ERR_BAD_REPLY;
    if (err == 0)
        message->fd_count = 0;
    return err;
}

/* *lock_fd stays -1 as long as there is more to come. */
static int receive_one(int channel, struct parcels *parcels, int *lock_fd)
{
    static struct channel_message message;
    struct text rest;
    int err = channel_receive(channel, LOCK_MS, &message);
    if (err != 0)
        return err;
    if (channel_says(&message, WORD_PUBLIC, &rest)) {
        err = keep_connection(&message, parcels, false, rest);
    } else if (channel_says(&message, WORD_LOCAL, &rest)) {
        err = keep_connection(&message, parcels, true, rest);
    } else if (channel_says(&message, WORD_LOCK, &rest) && message.fd_count == 1) {
        *lock_fd = message.fds[0];
        message.fd_count = 0;
    } else {
        err = ERR_BAD_REPLY;
    }
    channel_message_close(&message);
    return err;
}

int take_over_claim(int channel, struct parcels *parcels, int *lock_fd)
{
    *lock_fd = -1;
    int err = channel_send(channel, WORD_READY, TEXT(""), NULL, 0);
    while (err == 0 && *lock_fd == -1)
        err = receive_one(channel, parcels, lock_fd);
    if (err != 0 && err != ERR_CONNECTION_LOST)
        return complain(err, "it has begun to, and not ended");
    return err;
}

void take_over_end(int channel)
{
    /* One that has ended meanwhile need not know. */
    (void)!channel_send(channel, WORD_SERVING, TEXT(""), NULL, 0);
    close(channel);
}

/* --- the predecessor */

static void close_channel(int *channel)
{
    if (*channel != -1)
        close(*channel);
    *channel = -1;
}

static void refuse(int channel, const char *why)
{
    (void)!channel_send(channel, WORD_REFUSED, text_of(why), NULL, 0);
}

static void answer_asker(struct handover *handover, const char *word, struct text rest)
{
    if (handover->asker != -1)
        (void)!channel_send(handover->asker, word, rest, NULL, 0);
    close_channel(&handover->asker);
}

void handover_init(struct handover *handover)
{
    *handover = (struct handover){.listener = -1, .successor = -1, .asker = -1};
    ssize_t length = readlink("/proc/self/exe", handover->program, sizeof(handover->program) - 1);
    handover->program[length > 0 ? length : 0] = '\0';
}

int handover_open(struct handover *handover, const char *path, int fd)
{
    if (fd == -1)
        return channel_listen(path, &handover->listener);
    handover->listener = fd;
    return 0;
}

static int send_sockets(int channel, const struct handover *handover,
                        const struct listeners *listeners)
{
    char bytes[(LISTENERS_MAX + 1) * sizeof(kind_hand_over)];
    int fds[LISTENERS_MAX + 1], count = 0;
    struct text_buffer kinds;
    text_buffer_init(&kinds, bytes, sizeof(bytes));
    for (; count < listeners->count; count++) {
        const struct listener *each = &listeners->items[count];
        fds[count] = each->fd;
        text_append_format(&kinds, "%s\n",
                           each->is_local ? kind_admin
                           : each->is_tls ? kind_https
                                          : kind_http);
    }
    fds[count++] = handover->listener;
    text_append(&kinds, text_of(kind_hand_over));
    CHECK(!kinds.is_cut);
    return channel_send(channel, WORD_SOCKETS, text_buffer_text(&kinds), fds, count);
}

static void greet_successor(struct handover *handover, int channel, struct text wanted,
                            const char *listen, const struct listeners *listeners)
{
    if (handover->successor != -1) {
        refuse(channel, "another successor is getting ready");
    } else if (!text_equal(wanted, text_of(listen))) {
        refuse(channel, "its COUNTERPART_LISTEN is not the successor's; sockets are handed over as "
                        "they are, so a change of addresses needs a restart");
    } else if (send_sockets(channel, handover, listeners) == 0) {
        handover->successor = channel;
        return;
    }
    close(channel);
}

static int start_successor(const char *program, pid_t *child)
{
    char *const words[] = {(char *)(uintptr_t) "counterpart", (char *)(uintptr_t) "serve",
                           (char *)(uintptr_t) "--take-over", NULL};
    posix_spawnattr_t attributes;
    sigset_t none;
    sigemptyset(&none);
    if (posix_spawnattr_init(&attributes) != 0)
        return ENOMEM;
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
    int problem = posix_spawn(child, program, NULL, &attributes, words, environ);
    posix_spawnattr_destroy(&attributes);
    return problem;
}

static void greet_asker(struct handover *handover, int channel)
{
    if (handover->asker != -1 || handover->child != 0 || handover->successor != -1) {
        refuse(channel, "it hands over already");
        close(channel);
        return;
    }
    handover->asker = channel;
    int problem = start_successor(handover->program, &handover->child);
    if (problem != 0) {
        handover->child = 0;
        log_event(LOG_ERROR, "successor_not_started", LOG_TEXT("program", handover->program),
                  LOG_INT("errno", problem));
        handover_drop(handover, "the successor could not be started");
    }
}

void handover_greet(struct handover *handover, const char *listen,
                    const struct listeners *listeners)
{
    static struct channel_message message;
    struct text rest;
    int channel;
    if (channel_accept(handover->listener, &channel) != 0)
        return;
    if (channel_receive(channel, GREETING_MS, &message) != 0) {
        close(channel);
        return;
    }
    channel_message_close(&message);
    if (channel_says(&message, WORD_TAKE_OVER, &rest)) {
        greet_successor(handover, channel, rest, listen, listeners);
    } else if (channel_says(&message, WORD_HAND_OVER, &rest)) {
        greet_asker(handover, channel);
    } else {
        refuse(channel, "it does not know what it was asked; the two versions are too far apart");
        close(channel);
    }
}

/* The next word of the successor is this one; otherwise it has gone, or might as well have. */
static bool successor_says(struct handover *handover, const char *word)
{
    static struct channel_message message;
    struct text rest;
    if (channel_receive(handover->successor, GREETING_MS, &message) != 0)
        return false;
    channel_message_close(&message);
    return channel_says(&message, word, &rest);
}

bool handover_is_ready(struct handover *handover)
{
    if (successor_says(handover, WORD_READY))
        return true;
    handover_drop(handover, "the successor has ended before it was ready; its log says why");
    return false;
}

bool handover_is_lost(const struct handover *handover)
{
    struct pollfd one = {.fd = handover->successor, .events = POLLIN};
    return poll(&one, 1, 0) > 0; /* it has nothing to say now: that would be its end */
}

int handover_give(struct handover *handover, struct parcel *parcels, int lock_fd)
{
    int err = 0;
    for (struct parcel *each = parcels; err == 0 && each != NULL; each = each->next)
        err = channel_send(handover->successor, each->is_local ? WORD_LOCAL : WORD_PUBLIC,
                           (struct text){each->bytes, each->length}, &each->fd, 1);
    return err != 0 ? err : channel_send(handover->successor, WORD_LOCK, TEXT(""), &lock_fd, 1);
}

bool handover_is_done(struct handover *handover, pid_t *successor)
{
    char bytes[24];
    struct text_buffer buffer;
    *successor = (pid_t)channel_peer(handover->successor);
    if (!successor_says(handover, WORD_SERVING)) {
        handover_drop(handover, "the successor has ended before it served; its log says why, and "
                                "this process has taken everything back");
        return false;
    }
    text_buffer_init(&buffer, bytes, sizeof(bytes));
    text_append_int64(&buffer, *successor);
    answer_asker(handover, WORD_DONE, text_buffer_text(&buffer));
    return true;
}

void handover_drop(struct handover *handover, const char *why)
{
    log_event(LOG_ERROR, "not_handed_over", LOG_TEXT("reason", why));
    close_channel(&handover->successor);
    answer_asker(handover, WORD_REFUSED, text_of(why));
}

void handover_reap(struct handover *handover)
{
    int status;
    pid_t child;
    while ((child = waitpid(-1, &status, WNOHANG)) > 0) {
        if (child != handover->child)
            continue;
        handover->child = 0;
        if (handover->asker != -1 && handover->successor == -1)
            handover_drop(handover, "the successor has ended before it asked for anything; its log "
                                    "says why");
    }
}

void handover_finish(struct handover *handover)
{
    close_channel(&handover->successor);
    close_channel(&handover->asker);
    close_channel(&handover->listener);
}

/* --- counterpart hand-over */

static int print_answer(const struct channel_message *message, bool wants_json)
{
    struct text rest;
    if (!channel_says(message, WORD_DONE, &rest)) {
        (void)channel_says(message, WORD_REFUSED, &rest);
        fprintf(stderr, "counterpart: not handed over: %.*s\n", (int)rest.length, rest.base);
        return EXIT_FAILURE;
    }
    if (wants_json)
        printf("{\"process\":%.*s}\n", (int)rest.length, rest.base);
    else
        printf("Process %.*s serves now.\n", (int)rest.length, rest.base);
    return EXIT_SUCCESS;
}

int handover_ask(const char *path, bool wants_json)
{
    static struct channel_message message;
    int channel;
    int err = channel_connect(path, &channel);
    if (err != 0) {
        fprintf(stderr,
                "counterpart: the service is not running: nobody answers on %s. Start it with "
                "'counterpart serve', or set COUNTERPART_DATA to its data folder\n",
                path);
        return EXIT_FAILURE;
    }
    err = channel_send(channel, WORD_HAND_OVER, TEXT(""), NULL, 0);
    if (err == 0)
        err = channel_receive(channel, ASKER_MS, &message);
    close(channel);
    if (err == 0)
        return print_answer(&message, wants_json || !isatty(STDOUT_FILENO));
    fprintf(stderr, "counterpart: the service has not said whether it has handed over (%s)\n",
            error_name(err));
    return EXIT_FAILURE;
}
