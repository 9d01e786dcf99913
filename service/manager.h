/*
 * The service manager that has started us, if one has: its sockets, and what it wants to be told.
 * Without one all of this does nothing.
 */
#ifndef COUNTERPART_SERVICE_MANAGER_H
#define COUNTERPART_SERVICE_MANAGER_H

#include "service/listener.h"

#include <sys/types.h>

/* Listen on what it has opened for us (sd_listen_fds(3)): TLS where the socket is named "https".
 * Before the first thread. errors: ERR_BAD_CONFIG: one is no listening socket. */
MUST_CHECK int manager_sockets(struct listeners *listeners);

void manager_say_ready(void);
void manager_say_reloading(void);
void manager_say_stopping(void);
/* Another process is the service from now on. */
void manager_say_successor(pid_t process);

#endif
