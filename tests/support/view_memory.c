/*
 * Allocates what a store's batch would bring with it.
 */
#include "tests/support/view_memory.h"

#include "base/check.h"

#include <stdlib.h>

#include "base/banned.h"

void view_memory_init(struct view *view)
{
    *view = (struct view){
        .cards = calloc(BATCH_MAX, sizeof(*view->cards)),
        .operations = calloc(VIEW_OPERATIONS_MAX, sizeof(*view->operations)),
        .days = calloc(BATCH_MAX, sizeof(*view->days)),
        .foreign_days = calloc(BATCH_MAX, sizeof(*view->foreign_days)),
        .transfers = calloc(VIEW_TRANSFERS_MAX, sizeof(*view->transfers)),
    };
    CHECK(view->cards != NULL && view->operations != NULL && view->days != NULL &&
          view->foreign_days != NULL && view->transfers != NULL);
}

void view_memory_finish(struct view *view)
{
    free(view->cards);
    free(view->operations);
    free(view->days);
    free(view->foreign_days);
    free(view->transfers);
}
