/*
 * Answer once, without a key (design section 4): is this command an earlier one asked again? Where
 * only the order can tell, what it shows comes with the command, or is asked for.
 */
#ifndef COUNTERPART_LEDGER_ANSWER_ONCE_H
#define COUNTERPART_LEDGER_ANSWER_ONCE_H

#include "ledger/view.h"

enum repeat {
    REPEAT_NONE,    /* decide afresh */
    REPEAT_REPLAY,  /* *earlier holds the answer; nothing moves */
    REPEAT_LATE,    /* top-up: the same sale has loaded this amount before, outside the window */
    REPEAT_LOOK,    /* charge: the order must be searched for *earlier first */
    REPEAT_SUSPECT, /* charge: as REPEAT_REPLAY, but the order does not show *earlier */
    REPEAT_CLOSED,  /* charge: the order is closed, and this is not the charge that it shows */
    REPEAT_REPLACE, /* charge: another amount takes the place of *earlier */
};

enum repeat answer_once(const struct decision *decision, struct view_operation **earlier);

#endif
