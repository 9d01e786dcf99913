/*
 * Batches: the committer's working memory, allocated once and reused for every commit.
 */
#include "store/batch.h"

#include "base/check.h"

#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

/* calloc of these sizes maps fresh zero pages, so capacity that no batch reaches is never resident.
 */
static bool view_allocate(struct view *view)
{
    view->cards = calloc(BATCH_MAX, sizeof(*view->cards));
    view->days = calloc(BATCH_MAX, sizeof(*view->days));
    view->foreign_days = calloc(BATCH_MAX, sizeof(*view->foreign_days));
    view->operations = calloc(VIEW_OPERATIONS_MAX, sizeof(*view->operations));
    view->transfers = calloc(VIEW_TRANSFERS_MAX, sizeof(*view->transfers));
    return view->cards != NULL && view->days != NULL && view->foreign_days != NULL &&
           view->operations != NULL && view->transfers != NULL;
}

struct batch *batch_create(void)
{
    struct batch *batch = calloc(1, sizeof(*batch));
    if (batch == NULL)
        return NULL;
    if (!view_allocate(&batch->view)) {
        batch_destroy(batch);
        return NULL;
    }
    return batch;
}

void batch_destroy(struct batch *batch)
{
    if (batch == NULL)
        return;
    free(batch->view.cards);
    free(batch->view.days);
    free(batch->view.foreign_days);
    free(batch->view.operations);
    free(batch->view.transfers);
    free(batch);
}

void batch_rewind(struct batch *batch)
{
    memset(batch->is_skipped, 0, sizeof(batch->is_skipped));
    for (int32_t i = 0; i < batch->count; i++)
        batch->outcomes[i] = (struct outcome){0};
    batch->view.card_count = 0;
    batch->view.operation_count = 0;
    batch->view.day_count = 0;
    batch->view.foreign_day_count = 0;
    batch->view.transfer_count = 0;
    batch->view.next_card_id = 0;
    batch->view.next_operation_id = 0;
    batch->view.next_transfer_id = 0;
}

void batch_clear(struct batch *batch)
{
    batch->count = 0;
    batch->may_skip = false;
    batch_rewind(batch);
}

void batch_add(struct batch *batch, const struct command *command)
{
    CHECK(batch->count < BATCH_MAX);
    CHECK(command != NULL);
    int32_t at = batch->count++;
    batch->commands[at] = command;
    batch->keys[at] = (struct keys){0};
    batch->scopes[at] =
        (struct scope){.card = VIEW_NONE, .day = VIEW_NONE, .foreign_day = VIEW_NONE};
    batch->outcomes[at] = (struct outcome){0};
    ledger_keys(command, &batch->keys[at]);
}

int32_t batch_keep_skipped(struct batch *batch)
{
    const struct command *kept[BATCH_MAX];
    int32_t count = 0;
    for (int32_t i = 0; i < batch->count; i++)
        if (batch->is_skipped[i])
            kept[count++] = batch->commands[i];
    batch_clear(batch);
    for (int32_t i = 0; i < count; i++)
        batch_add(batch, kept[i]);
    return count;
}

void batch_decide(struct batch *batch, int64_t now_us)
{
    batch->decided_at_us = now_us;
    for (int32_t i = 0; i < batch->count; i++)
        if (!batch->is_skipped[i])
            ledger_decide(&batch->view, &batch->scopes[i], i, batch->commands[i], now_us,
                          &batch->outcomes[i]);
}

bool batch_has_changes(const struct batch *batch)
{
    const struct view *view = &batch->view;
    if (view->transfer_count > 0)
        return true;
    for (int32_t i = 0; i < view->card_count; i++)
        if (view->cards[i].is_new || view->cards[i].is_changed)
            return true;
    for (int32_t i = 0; i < view->operation_count; i++)
        if (view->operations[i].is_new || view->operations[i].is_changed)
            return true;
    for (int32_t i = 0; i < view->day_count; i++)
        if (view->days[i].is_changed)
            return true;
    for (int32_t i = 0; i < view->foreign_day_count; i++)
        if (view->foreign_days[i].is_changed)
            return true;
    return false;
}

bool batch_has_repeated(const struct batch *batch)
{
    for (int32_t i = 0; i < batch->count; i++)
        if (!batch->is_skipped[i] && batch->outcomes[i].is_replay)
            return true;
    return false;
}
