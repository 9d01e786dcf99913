/* Charge: the card pays for a sale, wholly or, where the tenant allows it, with what it has. */
#include "ledger/rules.h"

#include "base/check.h"
#include "base/money.h"

#include "base/banned.h"

#define US_PER_HOUR (INT64_C(3600) * 1000000)

static int64_t hour_of(const struct command *command)
{
    return command->received_at_us / US_PER_HOUR;
}

/* A counter belongs to its hour. A clock that steps back keeps counting in the hour already begun;
 * an hour further ahead was a clock gone wrong, and must not hold its count for ever. */
static bool is_this_hour(const struct card *card, int64_t hour)
{
    return card->used_hour == hour || card->used_hour == hour + 1;
}

static int32_t uses_this_hour(const struct card *card, int64_t hour)
{
    return is_this_hour(card, hour) ? card->used_count : 0;
}

/* What the card has, with what the charge that this one replaces gives back. */
static int64_t balance_to_charge(const struct decision *decision)
{
    int64_t balance_minor = decision->card->card.balance_minor;
    if (decision->replaced != NULL)
        CHECK(money_add(balance_minor, operation_left_minor(&decision->replaced->operation),
                        &balance_minor));
    return balance_minor;
}

enum result charge_check(struct decision *decision)
{
    const struct command *command = decision->command;
    const struct card *card = &decision->card->card;
    int32_t uses_max = command->policy.uses_hour_max;
    if (uses_max > 0 && uses_this_hour(card, hour_of(command)) >= uses_max)
        return RESULT_OVER_USES;
    int64_t balance_minor = balance_to_charge(decision);
    bool is_partial = balance_minor < command->asked_minor;
    if (balance_minor == 0 || (is_partial && !command->policy.partial_is_allowed))
        return RESULT_NO_FUNDS;
    decision->outcome->amount_minor = is_partial ? balance_minor : command->asked_minor;
    return approval_is_needed(command) ? approval_check(decision) : RESULT_OK;
}

void charge_apply(struct decision *decision, struct operation *operation)
{
    struct card *card = &decision->card->card;
    int64_t hour = hour_of(decision->command);
    card->used_count = uses_this_hour(card, hour) + 1;
    if (!is_this_hour(card, hour))
        card->used_hour = hour;
    if (approval_is_needed(decision->command))
        approval_apply(decision);
    view_move(decision, operation, CAUSE_CHARGE, account_make(ACCOUNT_SALES, operation->tenant_id),
              operation->amount_minor, operation->id);
}
