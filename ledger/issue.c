/* Issue: the merchant creates a card, perhaps with an opening balance granted by the merchant. */
#include "ledger/rules.h"

#include "base/check.h"

#include <string.h>

#include "base/banned.h"

/* The store found no such card, but an earlier command of this batch may have made it. */
static bool is_taken(const struct decision *decision)
{
    const struct command *command = decision->command;
    for (int32_t i = 0; i < decision->view->card_count; i++) {
        const struct card *card = &decision->view->cards[i].card;
        if (card->tenant_id == command->tenant_id &&
            memcmp(card->index, command->card_index, CARD_INDEX_BYTES) == 0)
            return true;
    }
    return false;
}

static struct view_card *issue_add_card(struct view *view, const struct command *command,
                                        int32_t command_index)
{
    CHECK(view->card_count < BATCH_MAX);
    struct view_card *added = &view->cards[view->card_count++];
    *added = (struct view_card){
        .card = {.id = view->next_card_id++,
                 .tenant_id = command->tenant_id,
                 .status = command->new_card.status,
                 .has_pin = command->has_pin,
                 .valid_from = command->new_card.valid_from,
                 .expires_on = command->new_card.expires_on},
        .operation_newest = VIEW_NONE,
        .is_new = true,
        .new_card = command_index,
    };
    memcpy(added->card.index, command->card_index, CARD_INDEX_BYTES);
    memcpy(added->card.last4, command->new_card.last4, sizeof(added->card.last4));
    if (command->has_pin)
        memcpy(added->card.pin_hash, command->pin_hash, CARD_PIN_BYTES);
    return added;
}

static enum result issue_check(const struct decision *decision)
{
    enum result result = rule_amount(decision->command, true);
    if (result != RESULT_OK)
        return result;
    return is_taken(decision) ? RESULT_ALREADY_EXISTS : RESULT_OK;
}

void issue_decide(struct decision *decision, int32_t command_index)
{
    const struct command *command = decision->command;
    struct outcome *outcome = decision->outcome;
    CHECK(command->new_card.status != CARD_DISABLED);
    CHECK(command->new_card.status == CARD_ACTIVE || command->asked_minor == 0);
    outcome->result = issue_check(decision);
    if (outcome->result != RESULT_OK)
        return;
    decision->card = issue_add_card(decision->view, command, command_index);
    outcome->amount_minor = command->asked_minor;
    struct operation *operation = view_record(decision);
    if (command->asked_minor > 0)
        view_move(decision, operation, CAUSE_GRANT,
                  account_make(ACCOUNT_ISSUED, command->tenant_id), command->asked_minor,
                  operation->id);
    outcome->card_id = decision->card->card.id;
    memcpy(outcome->last4, decision->card->card.last4, sizeof(outcome->last4));
    outcome->balance_minor = operation->balance_minor_after;
    outcome->card_version = operation->card_version_after;
    outcome->expires_on = decision->card->card.expires_on;
}
