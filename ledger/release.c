/* Release: the order is complete, so what its held top-ups asked for goes onto the card. */
#include "ledger/rules.h"

#include "base/check.h"
#include "base/money.h"

#include "base/banned.h"

static enum result release_check(struct decision *decision)
{
    struct outcome *outcome = decision->outcome;
    if (decision->card == NULL)
        return RESULT_NOT_FOUND;
    outcome->asked_minor = view_held_minor(decision);
    if (outcome->asked_minor == 0)
        return RESULT_NOTHING_HELD;
    int64_t room_minor = MONEY_MAX_MINOR - decision->card->card.balance_minor;
    if (outcome->asked_minor > room_minor) {
        outcome->limit_minor = room_minor;
        return RESULT_OVER_BALANCE_MAX;
    }
    outcome->amount_minor = outcome->asked_minor;
    return RESULT_OK;
}

/* One transfer for each held top-up, naming it (law 9). */
static void release_apply(struct decision *decision, const struct operation *release)
{
    int64_t loads = account_make(ACCOUNT_LOADS, release->tenant_id);
    struct view_operation *each = view_newest(decision->view, decision->card); /* the release */
    while ((each = view_next_held(decision, each)) != NULL)
        view_move(decision, release, CAUSE_LOAD, loads, each->operation.asked_minor,
                  each->operation.id);
    if (decision->card->card.status == CARD_STOCK)
        decision->card->card.status = CARD_ACTIVE;
}

void release_decide(struct decision *decision)
{
    CHECK(decision->command->order_id != 0);
    decision->outcome->result = release_check(decision);
    if (decision->outcome->result == RESULT_NOT_FOUND ||
        decision->outcome->result == RESULT_NOTHING_HELD)
        return;
    const struct operation *operation = view_record(decision);
    if (decision->outcome->result == RESULT_OK)
        release_apply(decision, operation);
    outcome_show_card(decision->outcome, &decision->card->card);
}
