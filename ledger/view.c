/* The view: a card's operation list, and the only place where a decision changes rows. */
#include "ledger/view.h"

#include "base/check.h"
#include "base/money.h"

#include <string.h>

#include "base/banned.h"

static struct view_operation *view_operation_at(const struct view *view, int32_t index)
{
    return index == VIEW_NONE ? NULL : &view->operations[index];
}

struct view_operation *view_newest(const struct view *view, const struct view_card *card)
{
    return view_operation_at(view, card->operation_newest);
}

struct view_operation *view_older(const struct view *view, const struct view_operation *operation)
{
    return view_operation_at(view, operation->next_older);
}

struct view_operation *view_next_held(const struct decision *decision,
                                      const struct view_operation *newer)
{
    struct view_operation *each = newer == NULL ? view_newest(decision->view, decision->card)
                                                : view_older(decision->view, newer);
    for (; each != NULL; each = view_older(decision->view, each)) {
        const struct operation *operation = &each->operation;
        if (operation->order_id != decision->command->order_id || operation->result != RESULT_OK)
            continue;
        if (operation->action == ACTION_RELEASE)
            return NULL;
        if (operation->action == ACTION_HOLD_LOAD)
            return each;
    }
    return NULL;
}

int64_t view_held_minor(const struct decision *decision)
{
    int64_t held_minor = 0;
    const struct view_operation *each = NULL;
    while ((each = view_next_held(decision, each)) != NULL)
        CHECK(money_add(held_minor, each->operation.asked_minor, &held_minor));
    return held_minor;
}

static bool is_undo(const struct operation *operation)
{
    return operation->action == ACTION_REVERSE || operation->action == ACTION_RECHARGE;
}

/* A refund gives back the newest charge of its order first. */
static bool may_have_refunded(const struct operation *refund, const struct operation *charge)
{
    return refund->action == ACTION_REFUND && operation_is_charge(charge) &&
           refund->order_id == charge->order_id;
}

/* Each answers an older one, down to what was asked for: the operation, or a refund of it. */
static bool is_about(const struct view *view, const struct view_operation *undo,
                     const struct view_operation *operation)
{
    int64_t id = undo->operation.answers_operation_id;
    for (; undo != NULL && id >= operation->operation.id; undo = view_older(view, undo)) {
        if (undo->operation.id != id)
            continue;
        if (undo == operation || may_have_refunded(&undo->operation, &operation->operation))
            return true;
        id = undo->operation.answers_operation_id;
    }
    return false;
}

struct view_standing view_standing(const struct decision *decision,
                                   struct view_operation *operation)
{
    struct view_standing standing = {0};
    bool is_charge = operation_is_charge(&operation->operation);
    struct view_operation *each = view_newest(decision->view, decision->card);
    for (; each != operation; each = view_older(decision->view, each)) {
        const struct operation *undo = &each->operation;
        if (!is_undo(undo) || operation_is_charge(undo) != is_charge ||
            operation_left_minor(undo) == 0 || !is_about(decision->view, each, operation))
            continue;
        standing.newest = standing.count == 0 ? each : standing.newest;
        standing.count++;
    }
    if (operation_left_minor(&operation->operation) == 0)
        return standing;
    standing.newest = standing.count == 0 ? operation : standing.newest;
    standing.count++;
    return standing;
}

static int32_t view_append_operation(struct view *view, const struct operation *operation)
{
    CHECK(view->operation_count < VIEW_OPERATIONS_MAX);
    int32_t index = view->operation_count++;
    view->operations[index] = (struct view_operation){
        .operation = *operation,
        .next_older = VIEW_NONE,
        .given_back_minor_loaded = operation->given_back_minor,
    };
    return index;
}

void view_add_operation(struct view *view, int32_t card, const struct operation *operation)
{
    CHECK(card >= 0 && card < view->card_count);
    CHECK(operation->card_id == view->cards[card].card.id);
    int32_t *link = &view->cards[card].operation_newest;
    while (*link != VIEW_NONE && view->operations[*link].operation.id > operation->id)
        link = &view->operations[*link].next_older;
    if (*link != VIEW_NONE && view->operations[*link].operation.id == operation->id)
        return;
    int32_t index = view_append_operation(view, operation);
    view->operations[index].next_older = *link;
    *link = index;
}

struct operation *view_record(struct decision *decision)
{
    struct view *view = decision->view;
    struct card *card = &decision->card->card;
    const struct command *command = decision->command;
    struct outcome *outcome = decision->outcome;
    struct operation operation = {
        .id = view->next_operation_id++,
        .tenant_id = command->tenant_id,
        .card_id = card->id,
        .action = decision->action,
        .result = outcome->result,
        .order_id = command->order_id,
        .refunded_order_id = command->refunded_order_id,
        .answers_operation_id = decision->answers_operation_id,
        .site_id = command->site_id,
        .register_id = command->register_id,
        .asked_minor = outcome->asked_minor,
        .amount_minor = outcome->amount_minor,
        .balance_minor_after = card->balance_minor, /* view_move corrects it */
        .card_version_after = card->version,
        .limit_minor = outcome->limit_minor,
        .previous_operation_id = card->last_operation_id,
        .created_at_us = decision->now_us,
    };
    int32_t index = view_append_operation(view, &operation);
    view->operations[index].in_place_of_id = command->in_place_of_id;
    view->operations[index].is_new = true;
    view->operations[index].next_older = decision->card->operation_newest;
    decision->card->operation_newest = index;
    decision->card->is_changed = true;
    card->last_operation_id = operation.id;
    outcome->operation_id = operation.id;
    return &view->operations[index].operation;
}

static void view_add_transfer(struct view *view, const struct transfer *transfer)
{
    CHECK(view->transfer_count < VIEW_TRANSFERS_MAX);
    view->transfers[view->transfer_count++] = *transfer;
}

void view_move(struct decision *decision, const struct operation *operation, enum cause cause,
               int64_t counter_account, int64_t amount_minor, int64_t answers_operation_id)
{
    struct card *card = &decision->card->card;
    bool is_debit = cause == CAUSE_CHARGE;
    int64_t account = account_make(ACCOUNT_CARD, card->id);
    int64_t balance_minor;
    CHECK(amount_minor > 0);
    CHECK(money_add(card->balance_minor, is_debit ? -amount_minor : amount_minor, &balance_minor));
    CHECK(balance_minor >= 0); /* law 4 */
    card->balance_minor = balance_minor;
    card->version++;
    view_add_transfer(decision->view, &(struct transfer){
                                          .id = decision->view->next_transfer_id++,
                                          .operation_id = operation->id,
                                          .debit_account = is_debit ? account : counter_account,
                                          .credit_account = is_debit ? counter_account : account,
                                          .amount_minor = amount_minor,
                                          .cause = cause,
                                          .answers_operation_id = answers_operation_id,
                                          .version = card->version,
                                          .balance_minor_after = balance_minor,
                                          .previous_transfer_id = card->last_transfer_id,
                                          .created_at_us = decision->now_us,
                                      });
    card->last_transfer_id = decision->view->next_transfer_id - 1;
    struct operation *moved = &view_newest(decision->view, decision->card)->operation;
    CHECK(moved->id == operation->id);
    moved->balance_minor_after = balance_minor;
    moved->card_version_after = card->version;
}
