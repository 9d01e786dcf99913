/*
 * `counterpart routes`: the route table of this very binary, for whoever holds docs/openapi.yaml
 * against it. Asks no service and reads no configuration.
 */
#ifndef COUNTERPART_SERVICE_ROUTES_H
#define COUNTERPART_SERVICE_ROUTES_H

#include <stdbool.h>

/* Returns the exit code. */
int routes_run(bool wants_json);

#endif
