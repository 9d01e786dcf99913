/*
 * One action of the register: a request, sent as often as asked, and what became of every send.
 */
#ifndef COUNTERPART_MOCKS_REGISTER_RUN_H
#define COUNTERPART_MOCKS_REGISTER_RUN_H

#include "mocks/register/verdict.h"

/* One send and what became of it. */
struct attempt {
    struct reply reply;
    struct judgement judgement;
};

/* All sends of one run: the same bytes each time. */
struct run {
    const struct options *options;
    struct request *request; /* owned: too large for the stack */
    struct attempt *attempts;
    size_t count;
    size_t answered;    /* attempts with an HTTP reply */
    bool are_identical; /* all answered ones have the same status and body, byte for byte */
};

/*
 * Build, send, judge.
 *
 * ownership  run_destroy, whatever is returned; options must live as long.
 * errors     ERR_TOO_LARGE (address or body), ERR_NO_MEMORY. What goes wrong on the way to the
 *            other side is an ending, not an error.
 */
MUST_CHECK int run_perform(struct run *run, const struct options *options);
void run_destroy(struct run *run); /* accepts a zeroed one */

/* The last send that was read, else the first; what the till goes on with. */
const struct attempt *run_last(const struct run *run);
int run_exit_code(const struct run *run); /* the worst of all sends */

#endif
