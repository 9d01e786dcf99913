/* Opens the listening sockets. */
#include "service/listener.h"

#include "base/error.h"
#include "service/reason.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/banned.h"

#define BACKLOG 4096 /* the kernel cuts it to net.core.somaxconn */
/* A client that no longer takes what we send is dropped after this time; libh2o has no time-out for
 * writes. */
#define SEND_TIMEOUT_MS 30000

struct address {
    struct text host; /* empty: all */
    struct text port;
    bool is_tls;
};

static int complain(struct text item, const char *what)
{
    return reason_give(ERR_BAD_CONFIG, "cannot listen on '%.*s': %s", (int)item.length, item.base,
                       what);
}

/* "host:port", "[v6]:port", ":port", "*:port", each perhaps after http:// or https:// */
static int address_parse(struct text item, struct address *address)
{
    struct text rest = item;
    address->is_tls = text_starts_with(item, TEXT("https://"));
    if (address->is_tls || text_starts_with(item, TEXT("http://")))
        rest = text_slice(item, address->is_tls ? 8 : 7, item.length);
    size_t colon = rest.length;
    while (colon > 0 && rest.base[colon - 1] != ':')
        colon--;
    if (colon == 0)
        return complain(item, "there is no port in it");
    address->port = text_slice(rest, colon, rest.length);
    address->host = text_slice(rest, 0, colon - 1);
    if (address->host.length >= 2 && address->host.base[0] == '[')
        address->host = text_slice(address->host, 1, address->host.length - 2);
    if (text_equal(address->host, TEXT("*")))
        address->host = TEXT("");
    int64_t port;
    if (text_parse_int64(address->port, &port) != 0 || port < 0 || port > 65535)
        return complain(item, "the port is no number from 0 to 65535");
    return 0;
}

static void set_option(int fd, int level, int option, int value)
{
    (void)setsockopt(fd, level, option, &value, sizeof(value)); /* all of them are niceties */
}

/* Accepted sockets inherit these two. */
static void socket_tune(int fd)
{
    set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, SEND_TIMEOUT_MS);
    set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
}

static int socket_open(const struct addrinfo *info)
{
    int fd = socket(info->ai_family, info->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK,
                    info->ai_protocol);
    if (fd == -1)
        return -1;
    set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (info->ai_family == AF_INET6)
        set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    socket_tune(fd);
    if (bind(fd, info->ai_addr, info->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    int kept = errno;
    close(fd);
    errno = kept;
    return -1;
}

static void name_listener(struct listener *listener)
{
    struct sockaddr_storage address;
    socklen_t length = sizeof(address);
    char host[NI_MAXHOST] = "?", port[NI_MAXSERV] = "?";
    if (getsockname(listener->fd, (struct sockaddr *)&address, &length) == 0)
        (void)getnameinfo((struct sockaddr *)&address, length, host, sizeof(host), port,
                          sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV);
    bool is_v6 = strchr(host, ':') != NULL;
    struct text_buffer buffer;
    text_buffer_init(&buffer, listener->address, sizeof(listener->address));
    text_append_format(&buffer, "%s://%s%s%s:%s", listener->is_tls ? "https" : "http",
                       is_v6 ? "[" : "", host, is_v6 ? "]" : "", port);
}

static int listeners_add(struct listeners *listeners, struct text item, int fd, bool is_tls)
{
    if (listeners->count == LISTENERS_MAX) {
        close(fd);
        return complain(item, "too many addresses");
    }
    struct listener *listener = &listeners->items[listeners->count++];
    *listener = (struct listener){.fd = fd, .is_tls = is_tls};
    name_listener(listener);
    return 0;
}

static int resolve(struct text item, const struct address *address, struct addrinfo **infos)
{
    char host[256], port[8];
    struct text_buffer buffer;
    text_buffer_init(&buffer, host, sizeof(host));
    text_append(&buffer, address->host);
    bool is_cut = buffer.is_cut;
    text_buffer_init(&buffer, port, sizeof(port));
    text_append(&buffer, address->port);
    if (is_cut || buffer.is_cut)
        return complain(item, "the name is too long");
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_PASSIVE | AI_ADDRCONFIG | AI_NUMERICSERV};
    int problem = getaddrinfo(host[0] == '\0' ? NULL : host, port, &hints, infos);
    return problem == 0 ? 0 : complain(item, gai_strerror(problem));
}

static int open_address(struct listeners *listeners, struct text item)
{
    struct address address = {0};
    struct addrinfo *infos = NULL;
    int err = address_parse(item, &address);
    if (err == 0)
        err = resolve(item, &address, &infos);
    if (err != 0)
        return err;
    for (struct addrinfo *info = infos; err == 0 && info != NULL; info = info->ai_next) {
        int fd = socket_open(info);
        if (fd == -1) {
            (void)complain(item, strerror(errno));
            err = ERR_IO;
        } else {
            err = listeners_add(listeners, item, fd, address.is_tls);
        }
    }
    freeaddrinfo(infos);
    return err;
}

int listeners_open(struct listeners *listeners, struct text list)
{
    int before = listeners->count;
    while (list.length > 0) {
        const char *comma = memchr(list.base, ',', list.length);
        size_t length = comma == NULL ? list.length : (size_t)(comma - list.base);
        struct text item = text_trim(text_slice(list, 0, length));
        int err = item.length == 0 ? 0 : open_address(listeners, item);
        if (err != 0)
            return err;
        list = text_slice(list, length + 1, list.length);
    }
    return listeners->count > before ? 0 : complain(TEXT(""), "no address was given");
}

int listener_short_path(const char *path, int *folder_fd, char *out, size_t size)
{
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/');
    const char *file = slash == NULL ? path : slash + 1;
    struct text_buffer buffer;
    text_buffer_init(&buffer, folder, sizeof(folder));
    text_append(&buffer,
                slash == NULL ? TEXT(".") : (struct text){path, (size_t)(slash - path) + 1});
    *folder_fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (*folder_fd == -1)
        return ERR_IO;
    text_buffer_init(&buffer, out, size);
    text_append_format(&buffer, "/proc/self/fd/%d/%s", *folder_fd, file);
    if (!buffer.is_cut)
        return 0;
    close(*folder_fd);
    return ERR_IO;
}

static int bind_local(int fd, const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int folder_fd;
    int err = listener_short_path(path, &folder_fd, address.sun_path, sizeof(address.sun_path));
    if (err != 0)
        return err;
    (void)unlink(path);
    mode_t mask = umask(0177); /* 0600 from the first instant on; no thread has been started yet */
    if (bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 || listen(fd, BACKLOG) != 0)
        err = ERR_IO;
    umask(mask);
    close(folder_fd);
    return err;
}

int listener_open_local(const char *path, int type, int *fd)
{
    *fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (*fd != -1 && bind_local(*fd, path) == 0)
        return 0;
    (void)complain(text_of(path), strerror(errno));
    if (*fd != -1)
        close(*fd);
    return ERR_IO;
}

int listeners_adopt_local(struct listeners *listeners, const char *path, int fd)
{
    int err = listeners_add(listeners, text_of(path), fd, false);
    if (err != 0)
        return err;
    struct listener *listener = &listeners->items[listeners->count - 1];
    struct text_buffer buffer;
    listener->is_local = true;
    text_buffer_init(&buffer, listener->address, sizeof(listener->address));
    text_append(&buffer, text_of(path));
    return 0;
}

int listeners_open_local(struct listeners *listeners, const char *path)
{
    int fd;
    int err = listener_open_local(path, SOCK_STREAM, &fd);
    return err != 0 ? err : listeners_adopt_local(listeners, path, fd);
}

int listeners_adopt(struct listeners *listeners, int fd, bool is_tls)
{
    int is_listening = 0;
    socklen_t length = sizeof(is_listening);
    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &is_listening, &length) != 0 || !is_listening) {
        close(fd);
        return reason_give(ERR_BAD_CONFIG,
                           "descriptor %d was given to listen on, and is no "
                           "listening socket of streams",
                           fd);
    }
    socket_tune(fd);
    return listeners_add(listeners, TEXT("the given sockets"), fd, is_tls);
}

void listeners_close(struct listeners *listeners)
{
    for (int i = 0; i < listeners->count; i++)
        if (listeners->items[i].fd != -1)
            close(listeners->items[i].fd);
    listeners->count = 0;
}
