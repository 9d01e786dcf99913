/* Refunds give back what was charged, at most; top-ups load what they say (protocol o-series 2.2,
 * 2.5). */
#include "mocks/check/cases.h"
#include "mocks/check/expect.h"

#include "base/banned.h"

#define AMOUNT_MINOR 40
#define ABSURD_MINOR INT64_C(100000000) /* a million: beyond what any gift card has paid */

void refund_gives_back(struct scene *scene)
{
    const char *card = scene->settings->card;
    int64_t order_id = scene_new_order(scene), balance_minor;
    if (!read_balance(scene, card, &balance_minor) ||
        !expect_approved(scene, pay(scene, TILL_CHECKOUT, card, order_id, AMOUNT_MINOR),
                         AMOUNT_MINOR) ||
        !expect_approved(scene, pay(scene, TILL_REFUND, card, order_id, 15), 15) ||
        !expect_balance(scene, card, balance_minor - AMOUNT_MINOR + 15,
                        "after 0.40 and a refund of 0.15") ||
        !expect_approved(scene, pay(scene, TILL_REFUND, card, order_id, AMOUNT_MINOR - 15),
                         AMOUNT_MINOR - 15))
        return;
    (void)expect_balance(scene, card, balance_minor, "after everything was given back");
}

void refund_at_most(struct scene *scene)
{
    const char *card = scene->settings->card;
    int64_t order_id = scene_new_order(scene), before_minor, after_minor;
    char more[CENTS_TEXT_MAX];
    if (!read_balance(scene, card, &before_minor) ||
        !expect_approved(scene, pay(scene, TILL_CHECKOUT, card, order_id, AMOUNT_MINOR),
                         AMOUNT_MINOR))
        return;
    const struct step *twice = pay(scene, TILL_REFUND, card, order_id, 2 * AMOUNT_MINOR);
    if (!expect_object(scene, twice) ||
        (twice->is_success && !expect_at_most(scene, twice, AMOUNT_MINOR)))
        return;
    const struct step *whole = pay(scene, TILL_REFUND, card, order_id, AMOUNT_MINOR);
    const struct step *rest = pay(scene, TILL_REFUND, card, order_id, AMOUNT_MINOR / 2);
    if (!expect_object(scene, whole) || !expect_object(scene, rest) ||
        !read_balance(scene, card, &after_minor))
        return;
    if (after_minor > before_minor)
        scene_fail(scene, "refunds on a sale of 0.40 have left %s more on the card than before it",
                   cents_text(more, after_minor - before_minor));
}

/* Whether a small refund is given without its sale is the partner's to decide (the sale in the
 * request is probably the refund's own), but it has a limit. */
void refund_no_charge(struct scene *scene)
{
    const char *card = scene->settings->card;
    int64_t balance_minor;
    if (!read_balance(scene, card, &balance_minor) ||
        !expect_refused(scene,
                        pay(scene, TILL_REFUND, card, scene_new_order(scene), ABSURD_MINOR)) ||
        !expect_balance(scene, card, balance_minor, "after a refused refund"))
        return;
    struct ask unknown = {.action = TILL_REFUND,
                          .title = "refund to a card nobody has",
                          .card = scene_unknown_card(scene),
                          .order_id = scene_new_order(scene),
                          .register_id = scene->settings->other_register_id,
                          .amount = "0.10"};
    (void)expect_refused(scene, scene_ask(scene, &unknown));
}

static const char *card_to_load(const struct scene *scene)
{
    return scene->settings->empty_card != NULL ? scene->settings->empty_card
                                               : scene->settings->card;
}

void top_up_adds(struct scene *scene)
{
    const char *card = card_to_load(scene);
    int64_t balance_minor;
    if (!read_balance(scene, card, &balance_minor))
        return;
    const struct step *step = pay(scene, TILL_TOP_UP, card, scene_new_order(scene), AMOUNT_MINOR);
    if (!expect_approved(scene, step, AMOUNT_MINOR) ||
        !expect_balance(scene, card, balance_minor + AMOUNT_MINOR, "after a top-up of 0.40"))
        return;
    if (!step->has_balance || step->balance_minor == balance_minor + AMOUNT_MINOR)
        return;
    scene_expect(scene, "The receipt tells the customer one balance, the next look another.");
    scene_fail(scene, "the reply to the top-up tells another balance than check-balance");
}

void top_up_then_spend(struct scene *scene)
{
    const char *card = card_to_load(scene);
    int64_t balance_minor;
    if (!read_balance(scene, card, &balance_minor) ||
        !expect_approved(scene, pay(scene, TILL_TOP_UP, card, scene_new_order(scene), AMOUNT_MINOR),
                         AMOUNT_MINOR))
        return;
    scene_mean(scene, ABOUT(WRONG_REFUSED),
               "The customer has paid for value that cannot be spent. If it is released only when "
               "the sale completes, on purpose, leave this case out (--skip).");
    if (pay_charge(scene, card, AMOUNT_MINOR))
        (void)expect_balance(scene, card, balance_minor, "after loading and spending 0.40");
}
