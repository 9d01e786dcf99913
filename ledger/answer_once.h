/*
 * Answer once, without a key (design section 4, rules 1-3): is this command an earlier one asked
 * again?
 */
#ifndef COUNTERPART_LEDGER_ANSWER_ONCE_H
#define COUNTERPART_LEDGER_ANSWER_ONCE_H

#include "ledger/view.h"

enum repeat {
    REPEAT_NONE,   /* decide afresh */
    REPEAT_REPLAY, /* *earlier holds the answer; nothing moves */
    REPEAT_LATE,   /* top-up: the same sale has loaded this amount before, outside the window */
};

enum repeat answer_once(const struct decision *decision, const struct operation **earlier);

#endif
