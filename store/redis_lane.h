/*
 * A lane: one thread's way to the depot. Keeps a connection, asks with a time-out, and lets the
 * breaker decide whether to ask at all. Everything happens on the lane's thread, inside these
 * calls; the event loop is behind struct lane_pump.
 */
#ifndef COUNTERPART_STORE_REDIS_LANE_H
#define COUNTERPART_STORE_REDIS_LANE_H

#include "store/redis_depot.h"
#include "store/redis_script.h"

#define LANE_TIMEOUT_US (INT64_C(20) * 1000)   /* of one question */
#define LANE_GREETING_US (INT64_C(250) * 1000) /* to connect and be greeted; nobody waits for it */
/* Questions that wait for their answers: 20 ms of 100,000 a second. */
#define LANE_QUESTIONS_MAX 2048

struct lane;

/* How an event loop watches a socket for the lane: it calls lane_on_ready. Reading is always
 * watched, writing while watch asked for it. */
struct lane_pump {
    void *context;
    void *(*attach)(void *context, struct lane *lane, int fd); /* NULL: could not */
    void (*watch)(void *attachment, bool wants_write);
    void (*detach)(void *attachment); /* may come inside lane_on_ready */
};

/* ownership  depot and pump's context are borrowed until lane_destroy. errors: ERR_NO_MEMORY. */
MUST_CHECK int lane_create(struct depot *depot, const struct lane_pump *pump, struct lane **lane);
void lane_destroy(struct lane *lane); /* accepts NULL; who waits gets NULL */

/* Once per turn of the loop, before it sleeps: sends what has gathered, ends what is past its time,
 * connects when that is due. Gives the time (monotonic) of the next turn that it needs. */
int64_t lane_turn(struct lane *lane, int64_t now_us);
void lane_on_ready(struct lane *lane, bool can_read, int64_t now_us);

/* May it be asked? No cost. */
bool lane_is_ready(const struct lane *lane);
const struct greeting *lane_greeting(const struct lane *lane); /* for script_words */

/* Called once: with the answer, or NULL when there is none in time. It may ask again. */
typedef void (*lane_answer_fn)(void *context, const struct answer *answer);
/* Sent at the end of this turn. 0: not asked, and on_answer is not called; else a ticket. */
MUST_CHECK uint64_t lane_ask(struct lane *lane, const struct words *words, int64_t now_us,
                             lane_answer_fn on_answer, void *context);
/* on_answer will not be called; accepts tickets of questions that were answered. */
void lane_forget(struct lane *lane, uint64_t ticket);
/* Says it and does not wait; errors are counted. Dropped when the lane is not ready. */
void lane_tell(struct lane *lane, const struct words *words);

#endif
