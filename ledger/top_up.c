/* Top-up: the till took money and loads it on the card, at once or when the order completes; the
 * first load of printed stock activates it. */
#include "ledger/rules.h"

#include "base/check.h"
#include "base/money.h"

#include "base/banned.h"

/* Without a limit of the merchant's: keeps the counter inside int64_t whatever a day brings. */
#define LOAD_DAY_MAX_MINOR (1000 * MONEY_MAX_MINOR)

/* A counter belongs to its day. Sites in an earlier time zone count into the day already begun; a
 * day further ahead was a clock gone wrong, and must not hold its count for ever. */
static bool is_today(const struct card *card, int32_t local_date)
{
    return card->loaded_on == local_date || card->loaded_on == local_date + 1;
}

static int64_t loaded_today(const struct card *card, int32_t local_date)
{
    return is_today(card, local_date) ? card->loaded_minor : 0;
}

/* What waits on the same order will be on the card too. (What waits on others is bounded by the
 * day's limit, which counts a held load when it is asked for.) */
static int64_t room_for_balance(const struct decision *decision)
{
    const struct policy *policy = &decision->command->policy;
    int64_t max_minor = policy->balance_max_minor > 0 ? policy->balance_max_minor : MONEY_MAX_MINOR;
    int64_t balance_minor;
    CHECK(money_add(decision->card->card.balance_minor, view_held_minor(decision), &balance_minor));
    return max_minor > balance_minor ? max_minor - balance_minor : 0;
}

static int64_t room_for_today(const struct card *card, const struct command *command)
{
    int64_t max_minor = command->policy.load_day_max_minor > 0 ? command->policy.load_day_max_minor
                                                               : LOAD_DAY_MAX_MINOR;
    int64_t loaded_minor = loaded_today(card, command->local_date);
    return max_minor > loaded_minor ? max_minor - loaded_minor : 0;
}

bool top_up_is_held(const struct command *command)
{
    return command->action == ACTION_TOP_UP && command->policy.top_up_is_held &&
           command->order_id != 0;
}

enum result top_up_check(struct decision *decision)
{
    const struct command *command = decision->command;
    const struct card *card = &decision->card->card;
    struct outcome *outcome = decision->outcome;
    int64_t room_minor = room_for_balance(decision);
    if (command->asked_minor > room_minor) {
        outcome->limit_minor = room_minor;
        return RESULT_OVER_BALANCE_MAX;
    }
    room_minor = room_for_today(card, command);
    if (command->asked_minor > room_minor) {
        outcome->limit_minor = room_minor;
        return RESULT_OVER_LOAD_DAY;
    }
    outcome->amount_minor = top_up_is_held(command) ? 0 : command->asked_minor;
    return RESULT_OK;
}

void top_up_apply(struct decision *decision, struct operation *operation)
{
    struct card *card = &decision->card->card;
    int32_t local_date = decision->command->local_date;
    CHECK(money_add(loaded_today(card, local_date), operation->asked_minor, &card->loaded_minor));
    if (!is_today(card, local_date))
        card->loaded_on = local_date;
    if (operation->action == ACTION_HOLD_LOAD)
        return; /* stock stays stock until the sale is paid */
    if (card->status == CARD_STOCK)
        card->status = CARD_ACTIVE;
    view_move(decision, operation, CAUSE_LOAD, account_make(ACCOUNT_LOADS, operation->tenant_id),
              operation->amount_minor, operation->id);
}
