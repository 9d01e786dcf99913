/* Amounts: decimal currency units, exact to the cent (protocol o-series 2.1). */
#include "mocks/check/cases.h"
#include "mocks/check/expect.h"

#include <stdio.h>
#include <string.h>

#include "base/banned.h"

#define LITTLE_MINOR 5 /* on the card when a huge amount is asked: more than the cent of a wrap */

void amount_exact(struct scene *scene)
{
    /* 0.29 and 1.10 are no binary fractions: 0.29 * 100 is 28.999... */
    static const int64_t AMOUNTS_MINOR[] = {1, 10, 29, 58, 110};
    const char *card = scene->settings->card;
    int64_t balance_minor;
    if (!read_balance(scene, card, &balance_minor))
        return;
    for (size_t i = 0; i < COUNT_OF(AMOUNTS_MINOR); i++) {
        if (!pay_charge(scene, card, AMOUNTS_MINOR[i]))
            return;
        balance_minor -= AMOUNTS_MINOR[i];
    }
    (void)expect_balance(scene, card, balance_minor,
                         "after charges of 0.01, 0.10, 0.29, 0.58, 1.10");
}

static struct step *charge_written(struct scene *scene, const char *card, const char *amount)
{
    struct ask ask = {.action = TILL_CHECKOUT,
                      .card = card,
                      .order_id = scene_new_order(scene),
                      .amount = amount};
    return scene_ask(scene, &ask);
}

/* Nothing moves, whatever is said. */
static bool amounts_are_refused(struct scene *scene, const char *card, const char *const amounts[],
                                size_t count)
{
    int64_t balance_minor;
    if (!read_balance(scene, card, &balance_minor))
        return false;
    for (size_t i = 0; i < count; i++) {
        if (!expect_refused(scene, charge_written(scene, card, amounts[i])))
            return false;
    }
    return expect_balance(scene, card, balance_minor, "after refused charges");
}

void amount_string(struct scene *scene)
{
    const char *card = scene->settings->card;
    int64_t balance_minor;
    if (!read_balance(scene, card, &balance_minor) ||
        !expect_approved(scene, charge_written(scene, card, "\"0.25\""), 25) ||
        !expect_approved(scene, charge_written(scene, card, "\"0.5\""), 50))
        return;
    (void)expect_balance(scene, card, balance_minor - 75, "after charges of \"0.25\" and \"0.5\"");
}

void amount_zero(struct scene *scene)
{
    static const char *const AMOUNTS[] = {"0", "0.00", "\"0.00\""};
    (void)amounts_are_refused(scene, scene->settings->card, AMOUNTS, COUNT_OF(AMOUNTS));
}

void amount_negative(struct scene *scene)
{
    static const char *const AMOUNTS[] = {"-0.10", "-1", "\"-0.10\""};
    (void)amounts_are_refused(scene, scene->settings->card, AMOUNTS, COUNT_OF(AMOUNTS));
}

void amount_three_decimals(struct scene *scene)
{
    static const char *const AMOUNTS[] = {"0.105", "0.001", "0.2999"};
    const char *card = scene->settings->card;
    if (amounts_are_refused(scene, card, AMOUNTS, COUNT_OF(AMOUNTS)))
        (void)expect_approved(scene, charge_written(scene, card, "0.100"), 10);
}

/* All that is there may be approved where the partner does so, or nothing; who takes a part of it
 * has wrapped around. */
static bool huge_is_good(struct scene *scene, const char *card, const struct step *step)
{
    char got[CENTS_TEXT_MAX];
    if (!expect_object(scene, step))
        return false;
    if (!step->is_success)
        return expect_refused(scene, step) &&
               expect_balance(scene, card, LITTLE_MINOR, "after a huge charge that was refused");
    if (step->has_amount && step->amount_minor < LITTLE_MINOR)
        scene_expect(scene,
                     "The amount has wrapped around: the card pays %s of a sale of any size, "
                     "and the till asks for the rest.",
                     cents_text(got, step->amount_minor));
    if (step->amount_minor != LITTLE_MINOR)
        return scene_fail(scene,
                          "%s: of the 0.05 on the card, %s was approved: neither all nor none",
                          step->title, cents_text(got, step->amount_minor));
    return expect_balance(scene, card, 0, "after a huge charge that took all");
}

/* The first two wrap around to 0.01 in 64 bits, unsigned and signed (and so do they in 32). */
void amount_huge(struct scene *scene)
{
    static const char *const AMOUNTS[] = {"184467440737095516.17", "92233720368547758.09",
                                          "99999999999999999999.99"};
    const char *card = scene->settings->empty_card;
    bool goes_on = load_empty_card(scene, LITTLE_MINOR);
    for (size_t i = 0; i < COUNT_OF(AMOUNTS) && goes_on; i++) {
        const struct step *step = charge_written(scene, card, AMOUNTS[i]);
        goes_on = huge_is_good(scene, card, step) && !step->is_success;
    }
}

void amount_not_a_number(struct scene *scene)
{
    static const char *const AMOUNTS[] = {"\"abc\"", "\"\"",        "\"0,10\"", "\"1e-1\"",
                                          "true",    "[0.10]",      "{}",       "\"0.10 AUD\"",
                                          "\"NaN\"", "\"Infinity\""};
    (void)amounts_are_refused(scene, scene->settings->card, AMOUNTS, COUNT_OF(AMOUNTS));
}

void amount_cents(struct scene *scene)
{
    const char *card = scene->settings->card;
    int64_t balance_minor;
    if (read_balance(scene, card, &balance_minor) &&
        expect_approved(scene, charge_written(scene, card, "1"), 100))
        (void)expect_balance(scene, card, balance_minor - 100, "after a charge of 1 (one unit)");
}
