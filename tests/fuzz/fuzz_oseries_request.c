/* Fuzzes the tolerant reader: whatever the body, it answers with an error that has a sentence, or
 * with a request whose every part is within its bounds. Byte 0 chooses action, decimals and the
 * last-four option; the rest is the body. */
#include "base/error.h"
#include "base/money.h"
#include "handlers/oseries_request.h"

#include <string.h>

#include "base/banned.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct profile *default_profile(void)
{
    static struct profiles *profiles;
    if (profiles == NULL)
        CHECK(profiles_create(NULL, &profiles) == 0);
    const struct profile *profile = profile_acquire(profiles, "default");
    profile_release(profile); /* the set stays: profiles holds it */
    return profile;
}

static void check_card(const struct payment_request *request)
{
    const struct card_number *card = &request->card;
    char again[CARD_NUMBER_MAX + 1];
    struct text number = text_of(card->number);
    CHECK(request->has_card || number.length == 0);
    CHECK(!request->has_card || card->is_usable == (number.base[0] != '#'));
    CHECK(strlen(card->pin) <= CARD_PIN_MAX);
    CHECK(card->is_usable || card->pin[0] == '\0');
    CHECK(card->pin[0] == '\0' || card_pin_is_valid(text_of(card->pin)));
    if (card->is_usable) {
        CHECK(card_number_normalise(number, again));
        CHECK(strcmp(again, card->number) == 0);
    }
    CHECK(!request->is_last4 || (number.length == 4 && text_is_digits(number)));
}

static void check_request(const struct payment_dialect *dialect,
                          const struct payment_request *request)
{
    CHECK(request->company_id >= 0 && request->site_id >= 0);
    CHECK(request->register_id >= 0 && request->order_id >= 0);
    CHECK(request->asked_minor >= -MONEY_MAX_MINOR && request->asked_minor <= MONEY_MAX_MINOR);
    CHECK(request->amount_result == RESULT_OK || request->asked_minor == 0);
    CHECK(dialect->action != PROFILE_REFUND || request->asked_minor >= 0);
    CHECK(!request->is_last4 || dialect->last4_is_accepted);
    check_card(request);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    const struct payment_dialect dialect = {
        .profile = default_profile(),
        .action = (enum profile_action)(data[0] % PROFILE_ACTIONS),
        .exponent = data[0] / PROFILE_ACTIONS % (MONEY_EXPONENT_MAX + 1),
        .last4_is_accepted = data[0] >= 128,
    };
    struct text body = {(const char *)data + 1, size - 1};
    struct payment_request request;
    char text[REQUEST_FAULT_MAX];
    struct text_buffer fault;
    text_buffer_init(&fault, text, sizeof(text));
    int err = oseries_request_read(&dialect, body, &request, &fault);
    CHECK(err != ERR_BUG);
    if (err == 0)
        check_request(&dialect, &request);
    CHECK((err == 0) == (fault.length == 0));
    CHECK(!fault.is_cut);
    return 0;
}
