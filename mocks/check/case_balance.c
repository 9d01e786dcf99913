/* Balances tell the truth, and a card that has too little is charged at most what it has (protocol
 * o-series 2.3, 2.4). */
#include "mocks/check/cases.h"
#include "mocks/check/expect.h"

#include <stdio.h>
#include <string.h>

#include "base/banned.h"

void balance_after_charge(struct scene *scene)
{
    const char *card = scene->settings->card;
    int64_t balance_minor;
    if (!read_balance(scene, card, &balance_minor) || !pay_charge(scene, card, 20) ||
        !expect_balance(scene, card, balance_minor - 20, "right after a charge of 0.20") ||
        !pay_charge(scene, card, 10))
        return;
    (void)expect_balance(scene, card, balance_minor - 30, "after charges of 0.20 and 0.10");
}

void balance_in_reply(struct scene *scene)
{
    char told[CENTS_TEXT_MAX], real[CENTS_TEXT_MAX];
    const char *card = scene->settings->card;
    int64_t balance_minor;
    const struct step *step = pay(scene, TILL_CHECKOUT, card, scene_new_order(scene), 10);
    if (!expect_approved(scene, step, 10) || !read_balance(scene, card, &balance_minor))
        return;
    if (!step->has_balance) {
        scene_expect(scene, "The till cannot tell the customer what is left after the charge.");
        scene_fail(scene, "the reply to the charge tells no \"balance\" in cents");
    } else if (step->balance_minor != balance_minor)
        scene_fail(scene, "the reply to the charge says %s is left, check-balance says %s",
                   cents_text(told, step->balance_minor), cents_text(real, balance_minor));
}

void balance_only_looks(struct scene *scene)
{
    const char *card = scene->settings->card;
    int64_t balance_minor;
    if (!read_balance(scene, card, &balance_minor))
        return;
    struct ask ask = {.action = TILL_CHECK_BALANCE,
                      .title = "check-balance that names a sale and an amount",
                      .card = card,
                      .order_id = scene_new_order(scene),
                      .amount = "0.10"};
    (void)scene_ask(scene, &ask); /* whatever it says, it must not charge */
    for (int i = 0; i < 3; i++) {
        if (!expect_balance(scene, card, balance_minor, "after nothing but looks"))
            return;
    }
}

void balance_after_refusal(struct scene *scene)
{
    const char *card = scene->settings->card;
    const char *empty = scene->settings->empty_card;
    int64_t balance_minor, empty_minor = 0;
    if (!read_balance(scene, card, &balance_minor) ||
        (empty != NULL && !read_balance(scene, empty, &empty_minor)))
        return;
    struct ask ask = {.action = TILL_CHECKOUT,
                      .card = card,
                      .order_id = scene_new_order(scene),
                      .amount = "\"abc\""};
    if (!expect_refused(scene, scene_ask(scene, &ask)) ||
        !expect_refused(scene, pay(scene, TILL_CHECKOUT, card, scene_new_order(scene), 0)) ||
        !expect_balance(scene, card, balance_minor, "after two refused charges"))
        return;
    if (empty == NULL || empty_minor != 0)
        return;
    if (expect_refused(scene, pay(scene, TILL_CHECKOUT, empty, scene_new_order(scene), 10)))
        (void)expect_balance(scene, empty, 0, "after a charge refused for lack of money");
}

/* --- less than asked -------------------------------------------------------------------------- */

static bool refusal_is_told(struct scene *scene, const struct step *step)
{
    return expect_object(scene, step) && step->has_success && !step->is_success;
}

void partial_at_most_asked(struct scene *scene)
{
    const char *card = scene->settings->empty_card;
    if (!load_empty_card(scene, 50))
        return;
    const struct step *step = pay(scene, TILL_CHECKOUT, card, scene_new_order(scene), 80);
    if (refusal_is_told(scene, step)) {
        (void)expect_balance(scene, card, 50, "after a refused charge of 0.80");
        return;
    }
    if (!expect_at_most(scene, step, 50))
        return;
    (void)expect_balance(scene, card, 50 - step->amount_minor, "after a partial approval");
}

void partial_rest(struct scene *scene)
{
    const char *card = scene->settings->empty_card;
    int64_t order_id = scene_new_order(scene), balance_minor;
    if (!load_empty_card(scene, 50) || !read_balance(scene, scene->settings->card, &balance_minor))
        return;
    const struct step *part = pay(scene, TILL_CHECKOUT, card, order_id, 80);
    int64_t part_minor = 50;
    if (refusal_is_told(scene, part)) /* then the cashier enters what is there */
        part = pay(scene, TILL_CHECKOUT, card, order_id, part_minor);
    if (!expect_at_most(scene, part, part_minor))
        return;
    part_minor = part->amount_minor;
    int64_t rest_minor = 80 - part_minor;
    const struct step *rest =
        pay(scene, TILL_CHECKOUT, scene->settings->card, order_id, rest_minor);
    if (expect_approved(scene, rest, rest_minor) &&
        expect_balance(scene, card, 50 - part_minor, "after its part of the sale"))
        (void)expect_balance(scene, scene->settings->card, balance_minor - rest_minor,
                             "after the rest of the sale");
}

void partial_empty_card(struct scene *scene)
{
    const char *card = scene->settings->empty_card;
    int64_t balance_minor;
    if (!read_balance(scene, card, &balance_minor))
        return;
    if (balance_minor != 0) {
        scene_skip(scene, "the card of --empty-card is not empty");
        return;
    }
    if (expect_refused(scene, pay(scene, TILL_CHECKOUT, card, scene_new_order(scene), 10)))
        (void)expect_balance(scene, card, 0, "after a refused charge");
}
