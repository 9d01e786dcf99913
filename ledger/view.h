/*
 * The view from inside the ledger: walking a card's operations and recording what a decision
 * changed. Not for other folders.
 */
#ifndef COUNTERPART_LEDGER_VIEW_H
#define COUNTERPART_LEDGER_VIEW_H

#include "ledger/account.h"
#include "ledger/ledger.h"

/* One decision on its way: what every rule looks at. */
struct decision {
    struct view *view;
    const struct scope *scope;
    const struct command *command;
    enum action action;           /* as it will be recorded: the policy may hold a top-up back */
    struct view_card *card;       /* NULL: no such card */
    int64_t answers_operation_id; /* as it will be recorded: what a reversal or recharge undoes */
    struct view_operation *replaced; /* the charge whose place this one takes (rule 5), or NULL */
    int64_t now_us;
    struct outcome *outcome;
};

/* Newest operation of the card, or the next older one; NULL at the end. */
struct view_operation *view_newest(const struct view *view, const struct view_card *card);
struct view_operation *view_older(const struct view *view, const struct view_operation *operation);

/* The next held top-up of the decision's order that no release has moved yet: the newest, or the
 * next one older than newer; NULL at the end. Each release moves all that there are, so these are
 * newer than the latest. */
struct view_operation *view_next_held(const struct decision *decision,
                                      const struct view_operation *newer);
/* What they have asked for. */
int64_t view_held_minor(const struct decision *decision);

/* An operation, and the reversals and recharges that undid it and did it again (of a charge also
 * the recharges of a refund of its order, which gave back the newest charge first): those that move
 * as it does and are not undone yet. None: it does not stand any more. Those it was loaded with,
 * that is of one order the newest. */
struct view_standing {
    int32_t count;
    struct view_operation *newest;
};
struct view_standing view_standing(const struct decision *decision,
                                   struct view_operation *operation);

/* A new operation with the decision's action and outcome, at the head of the card's list; fills
 * outcome->operation_id. */
struct operation *view_record(struct decision *decision);

/*
 * Move amount_minor between the card and counter_account, and add the transfer: a debit (of the
 * card) for CAUSE_CHARGE, a credit for the others. operation must be the decision's own. Law 4 is
 * CHECKed here, after the rules have decided.
 */
void view_move(struct decision *decision, const struct operation *operation, enum cause cause,
               int64_t counter_account, int64_t amount_minor, int64_t answers_operation_id);

#endif
