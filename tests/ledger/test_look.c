/* The balance look-up's decision: it needs what a charge needs, and changes nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "ledger/ledger.h"

#define TODAY 20000

static const uint8_t right_pin[CARD_PIN_BYTES] = {1, 2, 3};
static const uint8_t wrong_pin[CARD_PIN_BYTES] = {3, 2, 1};

static struct card plain_card(void)
{
    return (struct card){.id = 1, .status = CARD_ACTIVE, .balance_minor = 500};
}

static struct card pin_card(void)
{
    struct card card = plain_card();
    card.has_pin = true;
    memcpy(card.pin_hash, right_pin, sizeof(right_pin));
    return card;
}

static void a_good_card_may_be_looked_at(void **state)
{
    struct card card = plain_card();
    (void)state;
    assert_int_equal(ledger_look(&card, false, false, wrong_pin, TODAY), RESULT_OK);
}

static void unknown_unsold_and_wrong_pin_are_one_answer(void **state)
{
    struct card stock = plain_card();
    struct card pinned = pin_card();
    stock.status = CARD_STOCK;
    (void)state;
    assert_int_equal(ledger_look(NULL, false, false, wrong_pin, TODAY), RESULT_NOT_FOUND);
    assert_int_equal(ledger_look(&stock, false, false, wrong_pin, TODAY), RESULT_NOT_FOUND);
    assert_int_equal(ledger_look(&pinned, false, true, wrong_pin, TODAY), RESULT_NOT_FOUND);
    assert_int_equal(ledger_look(&pinned, false, false, right_pin, TODAY), RESULT_NOT_FOUND);
    assert_int_equal(ledger_look(&pinned, false, true, right_pin, TODAY), RESULT_OK);
}

static void a_guess_beyond_the_budget_is_refused_unseen(void **state)
{
    struct card plain = plain_card();
    struct card pinned = pin_card();
    (void)state;
    assert_int_equal(ledger_look(NULL, true, false, wrong_pin, TODAY), RESULT_THROTTLED);
    assert_int_equal(ledger_look(&pinned, true, true, right_pin, TODAY), RESULT_THROTTLED);
    assert_int_equal(ledger_look(&plain, true, false, wrong_pin, TODAY), RESULT_OK);
}

static void what_is_wrong_with_the_card_is_told(void **state)
{
    struct card card = plain_card();
    (void)state;
    card.valid_from = TODAY + 1;
    assert_int_equal(ledger_look(&card, false, false, wrong_pin, TODAY), RESULT_NOT_YET_VALID);
    card.valid_from = 0;
    card.expires_on = TODAY - 1;
    assert_int_equal(ledger_look(&card, false, false, wrong_pin, TODAY), RESULT_EXPIRED);
    card.status = CARD_DISABLED;
    assert_int_equal(ledger_look(&card, false, false, wrong_pin, TODAY), RESULT_DISABLED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_card_may_be_looked_at),
        cmocka_unit_test(unknown_unsold_and_wrong_pin_are_one_answer),
        cmocka_unit_test(a_guess_beyond_the_budget_is_refused_unseen),
        cmocka_unit_test(what_is_wrong_with_the_card_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
