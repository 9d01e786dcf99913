/*
 * Lets a lane (store/redis_lane.h) watch its socket on a loop of libh2o. One per loop thread, used
 * on that thread only.
 */
#ifndef COUNTERPART_SERVICE_REDIS_LOOP_H
#define COUNTERPART_SERVICE_REDIS_LOOP_H

#include "store/redis_lane.h"

#include <h2o.h>

struct redis_loop {
    h2o_evloop_t *evloop;
    struct lane *lane;
    h2o_socket_t *sock; /* on a descriptor of its own; NULL: nothing is watched */
    bool wants_write;
    bool is_notified; /* libh2o has been asked for the next chance to write */
};

/* depot NULL: there is no Redis, and no lane. errors: ERR_NO_MEMORY. */
MUST_CHECK int redis_loop_init(struct redis_loop *loop, h2o_evloop_t *evloop, struct depot *depot);
void redis_loop_finish(struct redis_loop *loop);
/* Before each sleep. Gives how many milliseconds the loop may sleep: sleep_ms, or less. */
int32_t redis_loop_turn(struct redis_loop *loop, int32_t sleep_ms);

#endif
