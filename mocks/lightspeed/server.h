/*
 * The HTTP side of the fake: one thread with one event loop, which owns the cloud. Only here
 * and in server_errors.c is libh2o known.
 */
#ifndef COUNTERPART_MOCKS_LIGHTSPEED_SERVER_H
#define COUNTERPART_MOCKS_LIGHTSPEED_SERVER_H

#include "mocks/lightspeed/cloud.h"

struct server;

/*
 * Listens and serves on a thread of its own.
 *
 * ownership  takes the cloud in every case; server_destroy gives both back.
 * errors     ERR_BAD_CONFIG: the address is none; ERR_IO: it cannot be listened on (errno);
 *            ERR_NO_MEMORY.
 */
MUST_CHECK int server_create(struct cloud *cloud, const char *listen, struct server **server);
void server_destroy(struct server *server); /* ends every connection; accepts NULL */
/* "http://127.0.0.1:40123" */
const char *server_url(const struct server *server);

#endif
