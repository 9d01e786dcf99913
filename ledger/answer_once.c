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

/* Tenant and card are the list's. */
static bool is_same_identity(const struct operation *operation, const struct command *command)
{
    return operation->action == command->action && operation->asked_minor == command->asked_minor &&
           is_same_sale(operation, command);
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

static bool is_given_back(const struct operation *operation)
{
    return operation->action == ACTION_CHARGE &&
           operation->given_back_minor == operation->amount_minor;
}

static enum repeat judge(const struct operation *operation, const struct command *command)
{
    if (operation->result != RESULT_OK)
        return was_in_flight(operation, command) ? REPEAT_REPLAY : REPEAT_NONE; /* rules 1, 2 */
    if (is_given_back(operation))
        return REPEAT_NONE; /* rule 2 */
    if (is_inside_window(operation, command))
        return REPEAT_REPLAY; /* rule 3 */
    bool is_late_load = command->action == ACTION_TOP_UP && command->order_id != 0;
    return is_late_load ? REPEAT_LATE : REPEAT_NONE;
}

/* Charges and refunds: only the latest operation of the sale counts, whatever its action (rule 2).
 */
static enum repeat judge_latest(const struct decision *decision, const struct operation **earlier)
{
    const struct view_operation *each = view_newest(decision->view, decision->card);
    while (each != NULL && !is_same_sale(&each->operation, decision->command))
        each = view_older(decision->view, each);
    if (each == NULL || !is_same_identity(&each->operation, decision->command))
        return REPEAT_NONE;
    *earlier = &each->operation;
    return judge(*earlier, decision->command);
}

/* Top-ups: the balance does not bound them, so any earlier load of the sale counts, also with other
 * operations between: a repeated load would mint money. */
static enum repeat judge_any(const struct decision *decision, const struct operation **earlier)
{
    const struct view_operation *each = view_newest(decision->view, decision->card);
    for (; each != NULL; each = view_older(decision->view, each)) {
        if (!is_same_identity(&each->operation, decision->command))
            continue;
        *earlier = &each->operation;
        enum repeat repeat = judge(*earlier, decision->command);
        if (repeat != REPEAT_NONE)
            return repeat;
    }
    return REPEAT_NONE;
}

enum repeat answer_once(const struct decision *decision, const struct operation **earlier)
{
    return decision->command->action == ACTION_TOP_UP ? judge_any(decision, earlier)
                                                      : judge_latest(decision, earlier);
}
