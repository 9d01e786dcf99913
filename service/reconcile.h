/*
 * `counterpart reconcile`: what registers and ledger say, and each item by which they differ; as
 * text, as JSON, or as a page that stands alone. Items are read and written page by page, so any
 * number of them takes the memory of one page.
 */
#ifndef COUNTERPART_SERVICE_RECONCILE_H
#define COUNTERPART_SERVICE_RECONCILE_H

#include "service/admin_client.h"

#define RECONCILE_NOT_TOLD 2
/* Returns the exit code: 0 when nothing is open; 1 when something is, or cannot be proved;
 * RECONCILE_NOT_TOLD when the report could not be made. */
int reconcile_run(const struct invocation *invocation, const char *socket_path);

#endif
