/*
 * Undo: a reversal gives back what a charge took and the register does not show; a recharge takes
 * again, down to the floor, what a refund or reversal gave where the register shows otherwise. Each
 * names the operation that it answers, and counts there, so that none is undone twice (law 9).
 */
#include "ledger/rules.h"

#include "base/money.h"

#include "base/banned.h"

static bool may_answer(enum action action, const struct operation *operation)
{
    return action == ACTION_REVERSE ? operation_is_charge(operation)
                                    : operation_gives_back(operation);
}

static struct view_operation *undo_find(const struct decision *decision)
{
    const struct command *command = decision->command;
    struct view_operation *each = view_newest(decision->view, decision->card);
    while (each != NULL && each->operation.id != command->answers_operation_id)
        each = view_older(decision->view, each);
    if (each == NULL || each->operation.order_id != command->order_id ||
        !may_answer(decision->action, &each->operation))
        return NULL;
    return each;
}

static int64_t room_of(const struct decision *decision)
{
    return MONEY_MAX_MINOR - decision->card->card.balance_minor;
}

bool undo_has_room(const struct decision *decision, const struct operation *charge)
{
    return operation_left_minor(charge) <= room_of(decision);
}

static enum result reverse_check(struct decision *decision, const struct operation *charge)
{
    struct outcome *outcome = decision->outcome;
    if (!undo_has_room(decision, charge)) {
        outcome->limit_minor = room_of(decision);
        return RESULT_OVER_BALANCE_MAX;
    }
    outcome->amount_minor = outcome->asked_minor;
    return RESULT_OK;
}

static enum result recharge_check(struct decision *decision)
{
    struct outcome *outcome = decision->outcome;
    int64_t balance_minor = decision->card->card.balance_minor;
    if (balance_minor == 0)
        return RESULT_NO_FUNDS;
    bool is_partial = balance_minor < outcome->asked_minor;
    outcome->amount_minor = is_partial ? balance_minor : outcome->asked_minor;
    return RESULT_OK;
}

static enum result undo_check(struct decision *decision, const struct operation *answered)
{
    int64_t left_minor = operation_left_minor(answered);
    int64_t most_minor = decision->command->asked_minor;
    bool is_part = most_minor > 0 && most_minor < left_minor;
    decision->outcome->asked_minor = is_part ? most_minor : left_minor;
    if (left_minor == 0)
        return RESULT_NOTHING_LEFT;
    return decision->action == ACTION_REVERSE ? reverse_check(decision, answered)
                                              : recharge_check(decision);
}

static void undo_apply(struct decision *decision, struct view_operation *answered)
{
    decision->answers_operation_id = answered->operation.id;
    const struct operation *undo = view_record(decision);
    int64_t sales = account_make(ACCOUNT_SALES, undo->tenant_id);
    answered->operation.given_back_minor += undo->amount_minor;
    answered->is_changed = true;
    if (undo->action == ACTION_REVERSE)
        view_move(decision, undo, CAUSE_REVERSE, sales, undo->amount_minor, answered->operation.id);
    else
        view_move(decision, undo, CAUSE_CHARGE, sales, undo->amount_minor, undo->id);
}

void undo_replaced(struct decision *decision)
{
    int64_t left_minor = operation_left_minor(&decision->replaced->operation);
    struct outcome outcome = {
        .result = RESULT_OK, .asked_minor = left_minor, .amount_minor = left_minor};
    struct decision reversal = *decision;
    reversal.action = ACTION_REVERSE;
    reversal.outcome = &outcome;
    undo_apply(&reversal, decision->replaced);
    decision->outcome->reversed_operation_id = decision->replaced->operation.id;
}

void undo_decide(struct decision *decision)
{
    struct outcome *outcome = decision->outcome;
    outcome->result = RESULT_NOT_FOUND;
    struct view_operation *answered = decision->card == NULL ? NULL : undo_find(decision);
    if (answered == NULL)
        return;
    outcome->result = undo_check(decision, &answered->operation);
    if (outcome->result == RESULT_OK)
        undo_apply(decision, answered);
    outcome_show_card(outcome, &decision->card->card);
}
