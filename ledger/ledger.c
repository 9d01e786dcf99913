/* The order of checks, the same for every action; the rules themselves are one file per action. */
#include "ledger/ledger.h"

#include "ledger/answer_once.h"
#include "ledger/rules.h"

#include "base/check.h"

#include <string.h>

#include "base/banned.h"

static bool is_undo(enum action action)
{
    return action == ACTION_REVERSE || action == ACTION_RECHARGE;
}

/* Where it is found does not depend on how many operations the order has had since. */
static void undo_keys(const struct command *command, struct keys *keys)
{
    CHECK(command->answers_operation_id > 0);
    *keys = (struct keys){.answers_operation_id = command->answers_operation_id};
}

void ledger_keys(const struct command *command, struct keys *keys)
{
    if (is_undo(command->action)) {
        undo_keys(command, keys);
        return;
    }
    bool is_refund = command->action == ACTION_REFUND;
    bool names_sale = is_refund && command->refunded_order_id != 0;
    CHECK(!names_sale || command->order_id != 0);
    *keys = (struct keys){.wants_order_operations = command->action != ACTION_ISSUE,
                          .wants_foreign_day = approval_is_needed(command)};
    if (!is_refund)
        return;
    keys->sale_order_id = names_sale ? command->refunded_order_id : command->order_id;
    keys->wants_order_is_known = keys->sale_order_id != 0;
    keys->wants_refunded_operations = names_sale;
    keys->wants_recent_charges = true;
    keys->recent_since_us = command->received_at_us - REFUND_REACH_US;
    keys->wants_register_day = true;
}

static enum result guess(const struct command *command, const struct card *card)
{
    return rule_guess(card, command->action, command->is_throttled, command->has_pin,
                      command->pin_hash);
}

bool ledger_knows(const struct command *command, const struct card *card)
{
    return guess(command, card) == RESULT_OK;
}

static enum result decide_check_action(struct decision *decision)
{
    switch (decision->command->action) {
    case ACTION_CHARGE:
        return charge_check(decision);
    case ACTION_TOP_UP:
        return top_up_check(decision);
    case ACTION_REFUND:
        return refund_check(decision);
    case ACTION_ISSUE:
    case ACTION_VOID:
    case ACTION_HOLD_LOAD:
    case ACTION_RELEASE:
    case ACTION_REVERSE:
    case ACTION_RECHARGE:
        break;
    }
    check_failed("action is one a register asks for", __FILE__, __LINE__);
}

static void decide_apply_action(struct decision *decision, struct operation *operation)
{
    if (operation->action == ACTION_CHARGE)
        charge_apply(decision, operation);
    else if (operation->action != ACTION_REFUND)
        top_up_apply(decision, operation);
    else
        refund_apply(decision, operation);
}

void outcome_show_card(struct outcome *outcome, const struct card *card)
{
    outcome->card_id = card->id;
    memcpy(outcome->last4, card->last4, sizeof(outcome->last4));
    outcome->balance_minor = card->balance_minor;
    outcome->card_version = card->version;
    outcome->expires_on = card->expires_on;
}

/* Only stored values, so that the answer is the same byte for byte. */
static void outcome_replay(struct outcome *outcome, const struct operation *earlier,
                           enum repeat repeat)
{
    outcome->result = earlier->result;
    outcome->action = earlier->action;
    outcome->is_replay = true;
    outcome->is_suspect = repeat == REPEAT_SUSPECT;
    outcome->operation_id = earlier->id;
    outcome->amount_minor = earlier->amount_minor;
    outcome->balance_minor = earlier->balance_minor_after;
    outcome->limit_minor = earlier->limit_minor;
}

/* Refusals that leave no trace: who cannot name the card, or no amount, has not touched it. So a
 * wrong PIN between a charge and its retry cannot break the chain that answer_once follows. */
static enum result decide_before_identity(struct decision *decision)
{
    const struct command *command = decision->command;
    const struct card *card = decision->card == NULL ? NULL : &decision->card->card;
    enum result result = guess(command, card);
    if (result != RESULT_OK)
        return result;
    CHECK(card != NULL); /* else it was RESULT_NOT_FOUND, or RESULT_THROTTLED */
    result = rule_amount(command, false);
    if (result != RESULT_OK && card->status == CARD_STOCK)
        return RESULT_NOT_FOUND; /* what cannot be a sale must not tell that the number exists */
    outcome_show_card(decision->outcome, card);
    return result;
}

static enum result decide_after_identity(struct decision *decision, enum repeat repeat)
{
    if (repeat == REPEAT_LATE)
        return RESULT_ALREADY_LOADED;
    if (repeat == REPEAT_CLOSED)
        return RESULT_ORDER_CLOSED;
    enum result result = rule_validity(&decision->card->card, decision->command->local_date);
    if (result != RESULT_OK)
        return result;
    return decide_check_action(decision);
}

static bool is_answer(enum repeat repeat)
{
    return repeat == REPEAT_REPLAY || repeat == REPEAT_SUSPECT;
}

static void outcome_look_first(struct outcome *outcome, const struct operation *earlier)
{
    outcome->result = RESULT_LOOK_FIRST;
    outcome->earlier_operation_id = earlier->id;
    outcome->earlier_minor = earlier->amount_minor;
}

static void decide_afresh(struct decision *decision, enum repeat repeat)
{
    struct outcome *outcome = decision->outcome;
    outcome->result = decide_after_identity(decision, repeat);
    if (outcome->result != RESULT_OK)
        outcome->amount_minor = 0;
    else if (decision->replaced != NULL)
        undo_replaced(decision);
    struct operation *operation = view_record(decision);
    if (outcome->result == RESULT_OK)
        decide_apply_action(decision, operation);
    outcome_show_card(outcome, &decision->card->card);
}

/* One reversal comes before a charge. What a card without funds was charged again in parts would
 * need several: then it is one more charge, and reconciliation reverses. */
static void decide_what_is_replaced(struct decision *decision, struct view_operation *earlier)
{
    struct view_standing standing = view_standing(decision, earlier);
    if (standing.count == 1 && undo_has_room(decision, &standing.newest->operation))
        decision->replaced = standing.newest;
}

static void decide_on_card(struct decision *decision)
{
    struct view_operation *earlier = NULL;
    enum repeat repeat = answer_once(decision, &earlier);
    if (is_answer(repeat)) {
        outcome_replay(decision->outcome, &earlier->operation, repeat);
        return;
    }
    if (repeat == REPEAT_LOOK) {
        outcome_look_first(decision->outcome, &earlier->operation);
        return;
    }
    if (repeat == REPEAT_REPLACE)
        decide_what_is_replaced(decision, earlier);
    decide_afresh(decision, repeat);
}

/*
 * The retry of what succeeded is answered also where a new request would not be: of the sale of a
 * card, whose PIN nobody could know; and of a request with its PIN, which is not looked at, while
 * the misses of others have used up the budget. Else the cashier waits, and pays twice.
 */
static bool may_be_answered_again(const struct decision *decision)
{
    const struct command *command = decision->command;
    if (decision->card == NULL || rule_amount(command, false) != RESULT_OK)
        return false;
    if (!command->has_pin)
        return command->action == ACTION_TOP_UP;
    return decision->outcome->result == RESULT_THROTTLED;
}

static void decide_again_only(struct decision *decision)
{
    struct view_operation *found = NULL;
    if (!may_be_answered_again(decision))
        return;
    enum repeat repeat = answer_once(decision, &found);
    if (!is_answer(repeat) || found->operation.result != RESULT_OK)
        return;
    const struct operation *earlier = &found->operation;
    bool is_sale = (earlier->action == ACTION_TOP_UP && earlier->card_version_after == 1) ||
                   (earlier->action == ACTION_HOLD_LOAD && earlier->card_version_after == 0);
    if (!decision->command->has_pin && !is_sale)
        return;
    outcome_show_card(decision->outcome, &decision->card->card);
    outcome_replay(decision->outcome, earlier, repeat);
}

static void decide(struct decision *decision)
{
    decision->outcome->result = decide_before_identity(decision);
    if (decision->outcome->result == RESULT_OK)
        decide_on_card(decision);
    else
        decide_again_only(decision);
}

void ledger_decide(struct view *view, const struct scope *scope, int32_t command_index,
                   const struct command *command, int64_t now_us, struct outcome *outcome)
{
    struct decision decision = {
        .view = view,
        .scope = scope,
        .command = command,
        .action = top_up_is_held(command) ? ACTION_HOLD_LOAD : command->action,
        .card = scope->card == VIEW_NONE ? NULL : &view->cards[scope->card],
        .now_us = now_us,
        .outcome = outcome,
    };
    *outcome = (struct outcome){.action = decision.action, .asked_minor = command->asked_minor};
    if (command->action == ACTION_ISSUE)
        issue_decide(&decision, command_index);
    else if (command->action == ACTION_RELEASE)
        release_decide(&decision);
    else if (is_undo(command->action))
        undo_decide(&decision);
    else
        decide(&decision);
}

enum result ledger_look(const struct card *card, bool is_throttled, bool has_pin,
                        const uint8_t pin_hash[CARD_PIN_BYTES], int32_t local_date)
{
    /* Looking needs what charging needs. */
    enum result result = rule_guess(card, ACTION_CHARGE, is_throttled, has_pin, pin_hash);
    return result != RESULT_OK ? result : rule_validity(card, local_date);
}
