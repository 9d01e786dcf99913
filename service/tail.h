/*
 * `counterpart tail`: operations as they come, one line each, until it is interrupted. It waits for
 * a service that is restarted and goes on where it was.
 */
#ifndef COUNTERPART_SERVICE_TAIL_H
#define COUNTERPART_SERVICE_TAIL_H

#include "service/admin_client.h"

/* Returns the exit code, when the service refuses or nobody reads any more. */
int tail_run(const struct invocation *invocation, const char *socket_path);

#endif
