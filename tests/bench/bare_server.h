/*
 * A bare libh2o: on as many loops and with the same socket options as the service. What stands on
 * it costs the same HTTP as the service, so that only what happens behind it differs.
 */
#ifndef COUNTERPART_TESTS_BENCH_BARE_SERVER_H
#define COUNTERPART_TESTS_BENCH_BARE_SERVER_H

#include <h2o.h>

struct bare_server {
    uint16_t port; /* of 127.0.0.1 */
    long loop_count;
    int (*on_request)(h2o_handler_t *self, h2o_req_t *req);
    /* On the loop's thread, before its first request; NULL: none. */
    void (*on_loop)(h2o_context_t *context);
};

/* Until the process is ended. Ends it when the port cannot be had or the count is none. */
void bare_server_run(const struct bare_server *server);
/* 200 with this JSON text; body: of the request's pool, or for ever. */
void bare_server_reply(h2o_req_t *req, h2o_iovec_t body);

#endif
