/*
 * The answers that libh2o gives by itself, before the server sees a request, as JSON.
 */
#ifndef COUNTERPART_MOCKS_LIGHTSPEED_SERVER_ERRORS_H
#define COUNTERPART_MOCKS_LIGHTSPEED_SERVER_ERRORS_H

#include <h2o.h>

/* For the fallback path of a host: what goes through it never reached a handler. */
void server_errors_register(h2o_pathconf_t *path);

#endif
