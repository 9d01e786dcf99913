/* The natural identity of a request, and what an earlier operation with it means (design section
 * 4). */
#include "ledger/answer_once.h"

#include <stddef.h>

#include "base/banned.h"

/* Operations that the same sale could mean: its order, or without one the same register. */
static bool is_same_sale(const struct operation *operation, const struct command *command)
{
    if (operation->order_id != command->order_id)
        return false;
    if (command->order_id != 0)
        return true; /* site and register are recorded, not compared: a bill may be reopened
                        elsewhere */
    return operation->site_id == command->site_id && operation->register_id == command->register_id;
}

/* A load is the same load whether it moved at once or waits: the setting may change in between. */
static bool is_same_action(enum action earlier, enum action asked)
{
    return earlier == asked || (earlier == ACTION_HOLD_LOAD && asked == ACTION_TOP_UP);
}

/* Tenant and card are the list's. */
static bool is_same_identity(const struct operation *operation, const struct command *command)
{
    return is_same_action(operation->action, command->action) &&
           operation->asked_minor == command->asked_minor && is_same_sale(operation, command);
}

/* Rule 1: it was still being decided when this command arrived, so this command waited for it. No
 * command waits longer than its deadline: what looks longer is a clock that stepped back. */
static bool was_in_flight(const struct operation *operation, const struct command *command)
{
    int64_t waited_us = operation->created_at_us - command->received_at_us;
    return waited_us >= 0 && waited_us <= COMMAND_WAIT_MAX_US;
}

/* Rule 3. After a clock stepped back an operation may seem to come from the future. With an order
 * that is still the same sale, asked again; without one it may be any. */
static bool is_inside_window(const struct operation *operation, const struct command *command)
{
    int64_t age_us = command->received_at_us - operation->created_at_us;
    if (command->order_id != 0)
        return age_us < command->policy.replay_window_us;
    return age_us >= -COMMAND_WAIT_MAX_US && age_us < command->policy.replay_window_no_order_us;
}

/* Rule 4: the same charge, after the window. */
static enum repeat judge_late_repeat(const struct order_evidence *order)
{
    if (order->is_booked)
        return order->is_closed || order->due_minor <= 0 ? REPEAT_REPLAY : REPEAT_NONE;
    return order->is_closed ? REPEAT_CLOSED : REPEAT_SUSPECT;
}

/* Rule 5: a charge of another amount. Without a change of the order it is one more payment; so it
 * is where we add the payments ourselves: one that is not there yet will be. */
static enum repeat judge_other_amount(const struct command *command)
{
    const struct order_evidence *order = &command->evidence;
    bool will_be_booked = order->is_booked || command->payment_is_ours;
    if (order->is_closed)
        return REPEAT_CLOSED;
    return order->has_changed && !will_be_booked ? REPEAT_REPLACE : REPEAT_NONE;
}

/* What is known of another operation than this one tells nothing: something came in between. */
static enum repeat judge_by_order(const struct operation *operation, const struct command *command,
                                  bool is_same)
{
    const struct order_evidence *order = &command->evidence;
    if (order->state == EVIDENCE_NONE)
        return command->order_is_readable ? REPEAT_LOOK : REPEAT_NONE;
    if (order->state == EVIDENCE_UNREADABLE || order->operation_id != operation->id)
        return REPEAT_NONE;
    return is_same ? judge_late_repeat(order) : judge_other_amount(command);
}

/* What was undone, and not done again since (a payment that was seen after its reversal). */
static bool is_undone(const struct decision *decision, struct view_operation *each)
{
    return operation_is_undone(&each->operation) && view_standing(decision, each).count == 0;
}

/* A refund that the register did not show: as if it had not been. */
static bool is_taken_back(const struct decision *decision, struct view_operation *each)
{
    return each->operation.action == ACTION_REFUND && is_undone(decision, each);
}

/* The operation has succeeded, is of the command's sale, and is the latest that counts. */
static enum repeat judge(const struct decision *decision, struct view_operation *each, bool is_same)
{
    const struct operation *operation = &each->operation;
    const struct command *command = decision->command;
    bool has_order = command->order_id != 0;
    bool is_late_load = command->action == ACTION_TOP_UP && has_order;
    bool may_look = command->action == ACTION_CHARGE && operation->action == ACTION_CHARGE;
    if (is_undone(decision, each))
        return REPEAT_NONE; /* rule 2 */
    if (is_same && is_inside_window(operation, command))
        return REPEAT_REPLAY; /* rule 3 */
    if (may_look && has_order)
        return judge_by_order(operation, command, is_same);
    return is_same && is_late_load ? REPEAT_LATE : REPEAT_NONE;
}

/* Nobody at a register has asked for it. */
static bool is_of_nobody(const struct operation *operation)
{
    return operation->action == ACTION_RELEASE || operation->action == ACTION_REVERSE ||
           operation->action == ACTION_RECHARGE;
}

/*
 * Newest first. A refusal moved nothing, so it neither is an answer to repeat (but for those who
 * already waited for it) nor hides the success before it: charge, mistyped refund, charge again is
 * still a retry. Of the successes only the latest of the sale counts, whatever its action (rule 2);
 * except for top-ups: no balance bounds them, so any earlier load of the sale counts, also with
 * other operations between, or a repeated load would mint money. A release, a reversal or a
 * recharge is nobody's request: it hides nothing; nor does a refund that was taken back whole.
 */
enum repeat answer_once(const struct decision *decision, struct view_operation **earlier)
{
    const struct command *command = decision->command;
    struct view_operation *each = view_newest(decision->view, decision->card);
    for (; each != NULL; each = view_older(decision->view, each)) {
        const struct operation *operation = &each->operation;
        bool is_same = is_same_identity(operation, command);
        bool is_refusal = operation->result != RESULT_OK;
        *earlier = each;
        if (is_refusal && is_same && was_in_flight(operation, command))
            return REPEAT_REPLAY; /* rule 1 */
        if (is_refusal || is_of_nobody(operation) || !is_same_sale(operation, command) ||
            is_taken_back(decision, each))
            continue;
        enum repeat repeat = judge(decision, each, is_same);
        if (repeat != REPEAT_NONE || command->action != ACTION_TOP_UP)
            return repeat;
    }
    return REPEAT_NONE;
}
