/*
 * A real redis-server on a spare port of this machine, without persistence; ended with the test.
 */
#ifndef COUNTERPART_TESTS_REDIS_PROCESS_H
#define COUNTERPART_TESTS_REDIS_PROCESS_H

#include "store/redis_lane.h"

#include <sys/types.h>

struct redis_process {
    pid_t pid;
    uint16_t port;
    struct target target;
};

/* Fails the test when there is no redis-server. */
void redis_process_start(struct redis_process *process, const char *password);
void redis_process_restart(struct redis_process *process); /* empty, on the same port */
void redis_process_kill(struct redis_process *process);    /* accepts one that was killed */
void redis_process_signal(const struct redis_process *process, int signal);

void redis_process_place(const struct redis_process *process, struct place *place);

/* One command, waited for. on_answer may be NULL. */
void redis_process_say(const struct redis_process *process, const struct words *words,
                       void (*on_answer)(void *context, const struct answer *answer),
                       void *context);

/* A lane on poll(2), and its time, which the test moves. */
struct pumped_lane {
    struct lane *lane;
    int fd; /* -1: none */
    bool wants_write;
    int64_t now_us;
};
void pumped_lane_init(struct pumped_lane *pumped, struct depot *depot, int64_t now_us);
void pumped_lane_finish(struct pumped_lane *pumped);
/* One turn of the loop; sleeps at most wait_ms. */
void pumped_lane_turn(struct pumped_lane *pumped, int wait_ms);
/* Until it may be asked; fails the test after a while. Its time goes on meanwhile. */
void pumped_lane_await(struct pumped_lane *pumped);

#endif
