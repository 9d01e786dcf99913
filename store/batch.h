/*
 * A batch: the commands of one commit, the rows they need, and what was decided. One per committer,
 * its memory allocated once and reused.
 */
#ifndef COUNTERPART_STORE_BATCH_H
#define COUNTERPART_STORE_BATCH_H

#include "ledger/ledger.h"

struct batch {
    const struct command *commands[BATCH_MAX]; /* borrowed from the jobs */
    struct keys keys[BATCH_MAX];
    struct scope scopes[BATCH_MAX];
    struct outcome outcomes[BATCH_MAX];
    int32_t count;
    /* Cards that another process holds are not waited for (where the store has such): their
     * commands come back skipped, not decided, and the others need not wait. */
    bool may_skip;
    bool is_skipped[BATCH_MAX];
    int64_t decided_at_us;
    struct view view;
};

/* ownership  caller's; NULL when memory is short. Untouched pages cost nothing. */
struct batch *batch_create(void);
void batch_destroy(struct batch *batch); /* accepts NULL */
void batch_clear(struct batch *batch);
/* Forgets what was fetched and decided, and keeps the commands: to be fetched again. */
void batch_rewind(struct batch *batch);
/* What was skipped becomes a batch of its own, in its order, that waits. Returns its count. */
int32_t batch_keep_skipped(struct batch *batch);
/* Copies the pointer, fills the keys. CHECKs count < BATCH_MAX. */
void batch_add(struct batch *batch, const struct command *command);
/* ledger_decide for every command that was not skipped, in order. */
void batch_decide(struct batch *batch, int64_t now_us);
/* Did the decisions change anything that must be committed? */
bool batch_has_changes(const struct batch *batch);
/* Is any of its answers an earlier one's, so that it is true only while that one stays? */
bool batch_has_repeated(const struct batch *batch);

#endif
