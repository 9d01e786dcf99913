/*
 * The rules of each action. Every function returns the first result of RESULT_LIST that applies
 * and, for RESULT_OK, sets outcome->amount_minor to what shall move; *_apply then moves it. Nothing
 * changes before RESULT_OK.
 */
#ifndef COUNTERPART_LEDGER_RULES_H
#define COUNTERPART_LEDGER_RULES_H

#include "ledger/view.h"

/* What every reply shows of the card. */
void outcome_show_card(struct outcome *outcome, const struct card *card);

/* Does the requester know an existing, sold card (and its PIN)? RESULT_OK, _THROTTLED, _NOT_FOUND.
 */
enum result rule_guess(const struct card *card, enum action action, bool is_throttled, bool has_pin,
                       const uint8_t pin_hash[CARD_PIN_BYTES]);
/* Is the card good for use today? RESULT_OK, _DISABLED, _NOT_YET_VALID, _EXPIRED. */
enum result rule_validity(const struct card *card, int32_t local_date);
/* Is the amount one that can move at all? RESULT_OK, _AMOUNT_*. zero_is_fine for issue. */
enum result rule_amount(const struct command *command, bool zero_is_fine);

enum result charge_check(struct decision *decision);
void charge_apply(struct decision *decision, struct operation *operation);

/* Is this a charge whose payment we add to an order that is not ours? */
bool approval_is_needed(const struct command *command);
/* May outcome->amount_minor be paid so? RESULT_OK, _NOT_APPROVED, _APPROVAL_SUSPENDED,
 * _APPROVAL_EXPIRED, _OVER_APPROVED, _OVER_APPROVED_DAY; tells foreign_minor and limit_minor. */
enum result approval_check(struct decision *decision);
/* It will be: counts for its day. */
void approval_apply(struct decision *decision);

/* Is this top-up one that waits until its order completes? One without an order cannot. */
bool top_up_is_held(const struct command *command);
enum result top_up_check(struct decision *decision);
void top_up_apply(struct decision *decision, struct operation *operation);

enum result refund_check(struct decision *decision);
void refund_apply(struct decision *decision, struct operation *operation);

/* The order is complete: releases what its top-ups of this card hold, whatever state the card is
 * in, for it has been paid. Decides whole: it is nobody's request, so nothing is ever replayed. */
void release_decide(struct decision *decision);

/*
 * Reversals and recharges: they undo one operation, whatever state the card is in. Nobody at a
 * register asks for them, so both decide whole: nothing is ever replayed, and refusals leave no
 * trace.
 */
void undo_decide(struct decision *decision);
/* Could the card take what reversing this charge gives back? */
bool undo_has_room(const struct decision *decision, const struct operation *charge);
/* The charge that is about to be recorded takes the place of decision->replaced: reverses that. */
void undo_replaced(struct decision *decision);

/* Issue makes its own card and decides whole. */
void issue_decide(struct decision *decision, int32_t command_index);

#endif
