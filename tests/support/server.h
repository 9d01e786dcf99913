/*
 * A real event loop behind a real TCP port of this machine, without workers behind it: for what
 * handlers/ does to connections and to libh2o's own answers.
 */
#ifndef COUNTERPART_TESTS_SERVER_H
#define COUNTERPART_TESTS_SERVER_H

#include "handlers/exchange.h"

struct server {
    struct handlers handlers;
    struct exchange_loop loop;
    h2o_globalconf_t globalconf;
    h2o_hostconf_t *hosts[2];
    h2o_pathconf_t *path; /* "/", without handlers */
    h2o_evloop_t *evloop;
    h2o_accept_ctx_t accept;
    int listener;
};

extern struct server server;

int server_setup(void **state);
/* Clients must have been closed; waits until no connection lingers. */
int server_teardown(void **state);
/* The client's end, non-blocking; *accepted, ours: libh2o speaks HTTP on it after
 * h2o_accept(&server.accept, *accepted). */
int server_connect(h2o_socket_t **accepted);
/* So many turns of the loop, some milliseconds each. */
void server_turn(int times);

#endif
