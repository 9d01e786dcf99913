/* Rules shared by all actions: who may know of a card, when it is good, which amounts exist. */
#include "ledger/rules.h"

#include "base/money.h"
#include "base/seal.h"

#include "base/banned.h"

/* The first load of printed stock. Whoever sells a card cannot see its PIN. */
static bool is_sale(const struct card *card, enum action action)
{
    return card->status == CARD_STOCK && action == ACTION_TOP_UP;
}

static bool pin_fits(const struct card *card, enum action action, bool has_pin,
                     const uint8_t pin_hash[CARD_PIN_BYTES])
{
    if (!card->has_pin)
        return true; /* a PIN typed for a card that has none says nothing */
    if (!has_pin)
        return is_sale(card, action);
    return seal_equal(card->pin_hash, pin_hash, CARD_PIN_BYTES);
}

enum result rule_guess(const struct card *card, enum action action, bool is_throttled, bool has_pin,
                       const uint8_t pin_hash[CARD_PIN_BYTES])
{
    bool is_known = card != NULL && (card->status != CARD_STOCK || is_sale(card, action));
    bool is_pin_attempt = is_known && card->has_pin && (has_pin || !is_sale(card, action));
    if (is_throttled && (!is_known || is_pin_attempt))
        return RESULT_THROTTLED; /* a full number that exists is never refused for the misses of
                                    others */
    if (!is_known || !pin_fits(card, action, has_pin, pin_hash))
        return RESULT_NOT_FOUND;
    return RESULT_OK;
}

enum result rule_validity(const struct card *card, int32_t local_date)
{
    if (card->status == CARD_DISABLED)
        return RESULT_DISABLED;
    if (local_date < card->valid_from)
        return RESULT_NOT_YET_VALID;
    if (card->expires_on != CARD_NEVER_EXPIRES && local_date > card->expires_on)
        return RESULT_EXPIRED;
    return RESULT_OK;
}

enum result rule_amount(const struct command *command, bool zero_is_fine)
{
    if (command->amount_result != RESULT_OK)
        return command->amount_result;
    if (command->asked_minor < 0 || (command->asked_minor == 0 && !zero_is_fine))
        return RESULT_AMOUNT_NOT_POSITIVE;
    if (command->asked_minor > MONEY_MAX_MINOR)
        return RESULT_AMOUNT_TOO_LARGE;
    return RESULT_OK;
}
