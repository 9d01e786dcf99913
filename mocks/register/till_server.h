/*
 * The HTTP side of the till: a thread for every connection, so that a handler may wait for the
 * partner. Only here is libmicrohttpd known. Who may ask what is decided here too (README.md, "Who
 * may call it").
 */
#ifndef COUNTERPART_MOCKS_REGISTER_TILL_SERVER_H
#define COUNTERPART_MOCKS_REGISTER_TILL_SERVER_H

#include "mocks/register/till.h"

struct till_server;

/*
 * listen is "HOST:PORT" with a literal address, "[::1]:8091" for IPv6; port 0: a free one.
 *
 * errors     ERR_BAD_CONFIG: the address is none; ERR_IO: it cannot be listened on (errno);
 *            ERR_NO_MEMORY.
 */
MUST_CHECK int till_server_create(struct till *till, const char *listen,
                                  struct till_server **server);
/* Interrupts what waits, and ends every connection; accepts NULL. The till stays. */
void till_server_destroy(struct till_server *server);
/* "http://127.0.0.1:8091" */
const char *till_server_url(const struct till_server *server);

/* --- who may ask; pure -------------------------------------------------------------------- */

/* A Host header against the address that is listened on. */
bool host_is_ours(struct text host, struct text listen_host);
/* An Origin header against a Host header that is ours. */
bool origin_is_ours(struct text origin, struct text host);
/* "application/json", whatever parameters it has. */
bool content_type_is_ours(struct text content_type);

#endif
