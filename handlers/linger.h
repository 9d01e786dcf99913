/*
 * Lingering close: when we answer before the client has sent everything (413, bad framing, too many
 * connections), closing at once makes the kernel send a reset that can destroy the answer on its
 * way. So after libh2o has closed its socket we keep the connection, read and discard for a moment,
 * and close then.
 */
#ifndef COUNTERPART_HANDLERS_LINGER_H
#define COUNTERPART_HANDLERS_LINGER_H

#include "handlers/exchange.h"

#define LINGER_MAX 64 /* per loop; beyond it connections are closed the hard way */

/* The socket's connection outlives its h2o_socket_close by at most one second. Call it before the
 * answer is written; at most once per socket. */
void linger_arm(struct exchange_loop *loop, h2o_socket_t *sock);

#endif
