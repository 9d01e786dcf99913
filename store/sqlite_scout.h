/*
 * The scout: a thread with a connection of its own that looks up the cards of waiting commands
 * while the writer is at work, notes their ids, and so leaves their pages near at hand. Nothing
 * depends on it: what it has not come to, the writer looks up itself.
 */
#ifndef COUNTERPART_STORE_SQLITE_SCOUT_H
#define COUNTERPART_STORE_SQLITE_SCOUT_H

#include "ledger/command.h"
#include "store/card_ids.h"

struct scout;

/* location, ids: borrowed. Its thread begins with the first commands worth it. NULL: no memory. */
struct scout *scout_create(const char *location, struct card_ids *ids);
void scout_destroy(struct scout *scout); /* accepts NULL */
/* Any thread. A command that waits. */
void scout_tell(struct scout *scout, const struct command *command);
/* By the writer: it has taken what waited. */
void scout_forget(struct scout *scout);
/* Cards looked up so far, for tests. Any thread. */
int64_t scout_count(struct scout *scout);

#endif
