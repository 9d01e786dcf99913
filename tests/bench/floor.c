/*
 * The floor: a bare libh2o that answers every POST with one fixed JSON text. What the service costs
 * above this is ours.
 * usage: bench_floor PORT THREADS BODY
 */
#include "bare_server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static h2o_iovec_t reply_body;

static int on_request(h2o_handler_t *self, h2o_req_t *req)
{
    (void)self;
    bare_server_reply(req, reply_body);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fputs("usage: bench_floor PORT THREADS BODY\n", stderr);
        return 2;
    }
    reply_body = h2o_iovec_init(argv[3], strlen(argv[3]));
    const struct bare_server server = {
        .port = (uint16_t)strtol(argv[1], NULL, 10),
        .loop_count = strtol(argv[2], NULL, 10),
        .on_request = on_request,
    };
    bare_server_run(&server);
    return 0;
}
