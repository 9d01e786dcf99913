/*
 * The command line's side of the admin API: HTTP over the Unix socket in the data folder.
 */
#ifndef COUNTERPART_SERVICE_ADMIN_CLIENT_H
#define COUNTERPART_SERVICE_ADMIN_CLIENT_H

#include "service/command.h"

/* Asks the service, prints its answer, returns the exit code. */
int admin_client_run(const struct invocation *invocation, const char *socket_path);

#endif
