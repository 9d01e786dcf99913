/* Sends texts and descriptors to another process of this machine. */
#include "service/channel.h"

#include "base/check.h"
#include "base/error.h"
#include "service/listener.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/banned.h"

/* The other side reads as fast as it can; one that does not is no successor. */
#define SEND_PATIENCE_S 5

union control {
    char bytes[CMSG_SPACE(sizeof(int) * CHANNEL_FDS_MAX)];
    struct cmsghdr aligned;
};

static void set_patience(int channel)
{
    const struct timeval patience = {.tv_sec = SEND_PATIENCE_S};
    (void)setsockopt(channel, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
}

static int connect_to(int channel, const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int folder_fd;
    int err = listener_short_path(path, &folder_fd, address.sun_path, sizeof(address.sun_path));
    if (err != 0)
        return ERR_NOT_FOUND;
    if (connect(channel, (struct sockaddr *)&address, sizeof(address)) != 0)
        err = errno == ENOENT || errno == ECONNREFUSED ? ERR_NOT_FOUND : ERR_IO;
    close(folder_fd);
    return err;
}

int channel_connect(const char *path, int *channel)
{
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (fd == -1)
        return ERR_IO;
    int err = connect_to(fd, path);
    if (err != 0) {
        close(fd);
        return err;
    }
    set_patience(fd);
    *channel = fd;
    return 0;
}

int channel_listen(const char *path, int *listener)
{
    return listener_open_local(path, SOCK_SEQPACKET, listener);
}

int channel_accept(int listener, int *channel)
{
    *channel = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (*channel == -1)
        return errno == EAGAIN || errno == ECONNABORTED ? ERR_NOT_FOUND : ERR_IO;
    set_patience(*channel);
    return 0;
}

static void attach(struct msghdr *header, union control *control, const int *fds, int fd_count)
{
    if (fd_count == 0)
        return;
    *control = (union control){.bytes = {0}};
    header->msg_control = control->bytes;
    header->msg_controllen = CMSG_SPACE(sizeof(int) * (size_t)fd_count);
    struct cmsghdr *part = CMSG_FIRSTHDR(header);
    part->cmsg_level = SOL_SOCKET;
    part->cmsg_type = SCM_RIGHTS;
    part->cmsg_len = CMSG_LEN(sizeof(int) * (size_t)fd_count);
    memcpy(CMSG_DATA(part), fds, sizeof(int) * (size_t)fd_count);
}

int channel_send(int channel, const char *word, struct text rest, const int *fds, int fd_count)
{
    CHECK(fd_count >= 0 && fd_count <= CHANNEL_FDS_MAX);
    union control control;
    struct iovec parts[] = {{(void *)(uintptr_t)word, strlen(word)},
                            {(void *)(uintptr_t) "\n", rest.length > 0},
                            {(void *)(uintptr_t)rest.base, rest.length}};
    struct msghdr header = {.msg_iov = parts, .msg_iovlen = COUNT_OF(parts)};
    attach(&header, &control, fds, fd_count);
    ssize_t sent;
    do
        sent = sendmsg(channel, &header, MSG_NOSIGNAL);
    while (sent == -1 && errno == EINTR);
    if (sent >= 0)
        return 0;
    return errno == EAGAIN ? ERR_TIMED_OUT : ERR_CONNECTION_LOST;
}

static void detach(struct msghdr *header, struct channel_message *message)
{
    for (struct cmsghdr *part = CMSG_FIRSTHDR(header); part != NULL;
         part = CMSG_NXTHDR(header, part)) {
        if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS)
            continue;
        size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        CHECK((size_t)message->fd_count + count <= CHANNEL_FDS_MAX);
        memcpy(message->fds + message->fd_count, CMSG_DATA(part), count * sizeof(int));
        message->fd_count += (int)count;
    }
}

static int wait_readable(int channel, int64_t patience_ms)
{
    struct pollfd one = {.fd = channel, .events = POLLIN};
    int count;
    do
        count = poll(&one, 1, (int)patience_ms);
    while (count == -1 && errno == EINTR);
    return count > 0 ? 0 : ERR_TIMED_OUT;
}

int channel_receive(int channel, int64_t patience_ms, struct channel_message *message)
{
    union control control;
    struct iovec part = {message->text, sizeof(message->text)};
    struct msghdr header = {.msg_iov = &part,
                            .msg_iovlen = 1,
                            .msg_control = control.bytes,
                            .msg_controllen = sizeof(control.bytes)};
    message->fd_count = 0;
    message->length = 0;
    int err = wait_readable(channel, patience_ms);
    if (err != 0)
        return err;
    ssize_t got = recvmsg(channel, &header, MSG_CMSG_CLOEXEC);
    if (got <= 0)
        return ERR_CONNECTION_LOST;
    message->length = (size_t)got;
    detach(&header, message);
    if ((header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0)
        return 0;
    channel_message_close(message);
    return ERR_BAD_REPLY;
}

bool channel_says(const struct channel_message *message, const char *word, struct text *rest)
{
    struct text text = {message->text, message->length};
    const char *end = memchr(text.base, '\n', text.length);
    size_t length = end == NULL ? text.length : (size_t)(end - text.base);
    *rest = text_slice(text, length + (end != NULL), text.length);
    return text_equal(text_slice(text, 0, length), text_of(word));
}

void channel_message_close(struct channel_message *message)
{
    for (int i = 0; i < message->fd_count; i++)
        if (message->fds[i] != -1)
            close(message->fds[i]);
    message->fd_count = 0;
}

int64_t channel_peer(int channel)
{
    struct ucred peer = {.pid = 0};
    socklen_t length = sizeof(peer);
    (void)getsockopt(channel, SOL_SOCKET, SO_PEERCRED, &peer, &length);
    return peer.pid;
}
