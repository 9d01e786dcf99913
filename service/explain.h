/*
 * `counterpart explain`: why a card's balance is what it is, oldest first like a bank's statement,
 * or what became of one operation.
 */
#ifndef COUNTERPART_SERVICE_EXPLAIN_H
#define COUNTERPART_SERVICE_EXPLAIN_H

#include "service/admin_client.h"

/* Returns the exit code. */
int explain_run(const struct invocation *invocation, const char *socket_path);

#endif
