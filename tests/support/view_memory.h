/*
 * Memory for a view that no store filled: for tests of the ledger alone.
 */
#ifndef COUNTERPART_TESTS_VIEW_MEMORY_H
#define COUNTERPART_TESTS_VIEW_MEMORY_H

#include "ledger/view.h"

/* Room for the largest batch, all zeros; aborts when there is none. */
void view_memory_init(struct view *view);
void view_memory_finish(struct view *view);

#endif
