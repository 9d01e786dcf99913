/*
 * Listening sockets: opened once by the process, then shared by all loops, each of which gets a
 * duplicate.
 */
#ifndef COUNTERPART_SERVICE_LISTENER_H
#define COUNTERPART_SERVICE_LISTENER_H

#include "base/text.h"

#define LISTENERS_MAX 16
#define LISTENER_ADDRESS_MAX 128

struct listener {
    int fd;
    bool is_tls;
    bool is_local;                      /* the admin socket */
    char address[LISTENER_ADDRESS_MAX]; /* "http://127.0.0.1:8080", with the port that was given */
};

struct listeners {
    struct listener items[LISTENERS_MAX];
    int count;
};

/*
 * Open every address of a list such as "127.0.0.1:8080,https://[::]:8443,:8081". A name may stand
 * for several addresses; port 0 lets the system choose. What is wrong is given as a reason.
 *
 * ownership  listeners is the caller's, with count 0 or more before; listeners_close.
 * errors     ERR_BAD_CONFIG, ERR_IO.
 */
MUST_CHECK int listeners_open(struct listeners *listeners, struct text list);
/* A socket that somebody else has opened: a predecessor, or the service manager. Taken in any case.
 * errors: ERR_BAD_CONFIG: nobody can connect to it. */
MUST_CHECK int listeners_adopt(struct listeners *listeners, int fd, bool is_tls);
/* The Unix socket of the admin API, mode 0600. A socket file that is left over is replaced: the
 * folder's lock says that nobody listens on it. */
MUST_CHECK int listeners_open_local(struct listeners *listeners, const char *path);
MUST_CHECK int listeners_adopt_local(struct listeners *listeners, const char *path, int fd);
/* A Unix socket of another kind (SOCK_...), else alike. */
MUST_CHECK int listener_open_local(const char *path, int type, int *fd);
void listeners_close(struct listeners *listeners);

/* A name for path that fits into a socket address, whatever its length: its folder is opened
 * (*folder_fd, to be closed by the caller) and named through /proc/self/fd. errors: ERR_IO. */
MUST_CHECK int listener_short_path(const char *path, int *folder_fd, char *out, size_t size);

#endif
