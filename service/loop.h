/*
 * A loop: one thread that accepts connections and runs everything HTTP on them. All loops share the
 * listening sockets; the kernel decides who accepts.
 */
#ifndef COUNTERPART_SERVICE_LOOP_H
#define COUNTERPART_SERVICE_LOOP_H

#include "handlers/exchange.h"
#include "service/listener.h"
#include "service/parcel.h"

struct loop;

/* Borrowed until loop_destroy. */
struct loop_config {
    struct handlers *handlers;
    h2o_globalconf_t *globalconf;
    h2o_hostconf_t *public_host;
    h2o_hostconf_t *local_host; /* of the admin socket */
    const struct listeners *listeners;
    _Atomic(SSL_CTX *) *tls;      /* for new connections; NULL without TLS. Swapped on SIGHUP: the
                                     old one must stay until all handshakes on it have ended */
    _Atomic int64_t *connections; /* open ones, of all loops; without the admin socket's */
    int64_t connections_max;
    struct parcels *parcels; /* where a loop that holds puts what it lets go */
};

enum loop_phase {
    LOOP_RUNNING,
    LOOP_HOLDING,  /* listens not: what comes waits in the kernel. Lets go of every connection that
                      can become a parcel, and answers what is under way. May run again */
    LOOP_DRAINING, /* listens no more; answers what comes on open connections and closes them */
    LOOP_STOPPED,
};

/* Starts the thread. errors: ERR_NO_MEMORY, ERR_IO. */
MUST_CHECK int loop_create(const struct loop_config *config, struct loop **loop);
/* Any thread; phases only go forward, but for LOOP_HOLDING, after which a loop may run again. */
void loop_ask(struct loop *loop, enum loop_phase phase);
/* Any thread: serve this connection from now on. Takes the parcel. */
void loop_adopt(struct loop *loop, struct parcel *parcel);
/* While holding or draining: for how long has nothing been under way? 0: something is. */
int64_t loop_quiet_us(const struct loop *loop);
/* Asks for LOOP_STOPPED and waits for it. All jobs must have been given back by the workers. */
void loop_destroy(struct loop *loop); /* accepts NULL */

#endif
