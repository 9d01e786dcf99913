/* The same request again is answered once (protocol o-series 2.7): nobody pays twice because a
 * reply was lost, and nobody is told an old answer to a new question. */
#include "mocks/check/cases.h"
#include "mocks/check/expect.h"

#include "base/clock.h"

#include "base/banned.h"

#define AMOUNT_MINOR 30
#define LATER_US (4 * CLOCK_US_PER_S) /* a cashier who waits, reads, and presses again */
#define CONCURRENT 6

void once_retry(struct scene *scene)
{
    const char *card = scene->settings->card;
    int64_t order_id = scene_new_order(scene), balance_minor;
    if (!read_balance(scene, card, &balance_minor))
        return;
    const struct step *first = pay(scene, TILL_CHECKOUT, card, order_id, AMOUNT_MINOR);
    if (!expect_approved(scene, first, AMOUNT_MINOR))
        return;
    const struct step *second = pay_again(scene, TILL_CHECKOUT, card, order_id, AMOUNT_MINOR);
    if (expect_same(scene, first, second))
        (void)expect_balance(scene, card, balance_minor - AMOUNT_MINOR,
                             "after the same charge of 0.30 twice");
}

/* Meanwhile somebody looks at the balance, and the card pays another sale. */
void once_retry_later(struct scene *scene)
{
    const char *card = scene->settings->card;
    int64_t order_id = scene_new_order(scene), balance_minor;
    struct line waiting = {.until_us = scene->run->until_us};
    if (!read_balance(scene, card, &balance_minor))
        return;
    const struct step *first = pay(scene, TILL_CHECKOUT, card, order_id, AMOUNT_MINOR);
    if (!expect_approved(scene, first, AMOUNT_MINOR) || !pay_charge(scene, card, 10) ||
        !expect_balance(scene, card, balance_minor - AMOUNT_MINOR - 10, "after two sales"))
        return;
    line_pause(&waiting, LATER_US);
    const struct step *second = pay_again(scene, TILL_CHECKOUT, card, order_id, AMOUNT_MINOR);
    if (expect_same(scene, first, second))
        (void)expect_balance(scene, card, balance_minor - AMOUNT_MINOR - 10,
                             "after the first charge was asked again four seconds later");
}

void once_concurrent(struct scene *scene)
{
    const char *card = scene->settings->card;
    struct step *steps[CONCURRENT];
    const struct step *approved = NULL;
    int64_t balance_minor;
    struct ask ask = {.action = TILL_CHECKOUT,
                      .card = card,
                      .order_id = scene_new_order(scene),
                      .amount = "0.30"};
    if (!read_balance(scene, card, &balance_minor))
        return;
    scene_ask_at_once(scene, &ask, 1, steps, COUNT_OF(steps));
    for (size_t i = 0; i < COUNT_OF(steps); i++) {
        if (!expect_object(scene, steps[i]))
            return;
        if (approved == NULL && steps[i]->is_success)
            approved = steps[i];
        if (steps[i]->is_success && (!expect_approved(scene, steps[i], AMOUNT_MINOR) ||
                                     !expect_same(scene, approved, steps[i])))
            return;
    }
    if (approved == NULL)
        (void)fail_refused(scene, steps[0]);
    else
        (void)expect_balance(scene, card, balance_minor - AMOUNT_MINOR,
                             "after the same charge of 0.30 six times at once");
}

/* The sale has grown: this is a new question. Whether the first charge stands beside it or is
 * replaced by it is the partner's to decide, but the answer must be what the card has paid. */
void once_other_amount(struct scene *scene)
{
    const char *card = scene->settings->card;
    int64_t order_id = scene_new_order(scene), before_minor, after_minor;
    char moved[CENTS_TEXT_MAX];
    if (!read_balance(scene, card, &before_minor) ||
        !expect_approved(scene, pay(scene, TILL_CHECKOUT, card, order_id, 20), 20) ||
        !expect_approved(scene, pay(scene, TILL_CHECKOUT, card, order_id, AMOUNT_MINOR),
                         AMOUNT_MINOR) ||
        !read_balance(scene, card, &after_minor))
        return;
    int64_t moved_minor = before_minor - after_minor;
    if (moved_minor != 20 + AMOUNT_MINOR && moved_minor != AMOUNT_MINOR)
        scene_fail(scene, "charges of 0.20 and 0.30 on one sale were approved, and moved %s",
                   cents_text(moved, moved_minor));
}

void once_other_order(struct scene *scene)
{
    const char *card = scene->settings->card;
    int64_t balance_minor;
    if (!read_balance(scene, card, &balance_minor) || !pay_charge(scene, card, AMOUNT_MINOR) ||
        !pay_charge(scene, card, AMOUNT_MINOR))
        return;
    (void)expect_balance(scene, card, balance_minor - 2 * AMOUNT_MINOR,
                         "after 0.30 on each of two sales");
}

/* A refusal is no answer for ever: the customer tops up, and the same charge goes through. */
void once_decline_then_funds(struct scene *scene)
{
    const char *card = scene->settings->empty_card;
    int64_t order_id = scene_new_order(scene), balance_minor;
    if (!read_balance(scene, card, &balance_minor))
        return;
    if (balance_minor != 0) {
        scene_skip(scene, "the card of --empty-card is not empty");
        return;
    }
    if (!expect_refused(scene, pay(scene, TILL_CHECKOUT, card, order_id, AMOUNT_MINOR)) ||
        !load_empty_card(scene, AMOUNT_MINOR) ||
        !expect_approved(scene, pay(scene, TILL_CHECKOUT, card, order_id, AMOUNT_MINOR),
                         AMOUNT_MINOR))
        return;
    (void)expect_balance(scene, card, 0, "after the charge that the top-up was for");
}

/* A sale may be opened again on the till beside. */
void once_other_register(struct scene *scene)
{
    const char *card = scene->settings->card;
    int64_t balance_minor;
    struct ask ask = {.action = TILL_CHECKOUT,
                      .card = card,
                      .order_id = scene_new_order(scene),
                      .amount = "0.30"};
    if (!read_balance(scene, card, &balance_minor))
        return;
    const struct step *first = scene_ask(scene, &ask);
    if (!expect_approved(scene, first, AMOUNT_MINOR))
        return;
    ask.register_id = scene->settings->other_register_id;
    ask.title = "the same charge from the register beside";
    ask.is_repeat = true;
    if (expect_same(scene, first, scene_ask(scene, &ask)))
        (void)expect_balance(scene, card, balance_minor - AMOUNT_MINOR,
                             "after the same sale was charged from two registers");
}

void once_refund_retry(struct scene *scene)
{
    const char *card = scene->settings->card;
    int64_t order_id = scene_new_order(scene), balance_minor;
    if (!read_balance(scene, card, &balance_minor) ||
        !expect_approved(scene, pay(scene, TILL_CHECKOUT, card, order_id, 50), 50))
        return;
    const struct step *first = pay(scene, TILL_REFUND, card, order_id, 20);
    if (!expect_approved(scene, first, 20))
        return;
    const struct step *second = pay_again(scene, TILL_REFUND, card, order_id, 20);
    if (expect_same(scene, first, second))
        (void)expect_balance(scene, card, balance_minor - 30,
                             "after a charge of 0.50 and the same refund of 0.20 twice");
}

/* A second load of one sale may be answered with the first answer or refused, but not loaded. */
void once_top_up_retry(struct scene *scene)
{
    const char *card =
        scene->settings->empty_card != NULL ? scene->settings->empty_card : scene->settings->card;
    int64_t order_id = scene_new_order(scene), balance_minor;
    if (!read_balance(scene, card, &balance_minor) ||
        !expect_approved(scene, pay(scene, TILL_TOP_UP, card, order_id, AMOUNT_MINOR),
                         AMOUNT_MINOR))
        return;
    if (expect_object(scene, pay_again(scene, TILL_TOP_UP, card, order_id, AMOUNT_MINOR)))
        (void)expect_balance(scene, card, balance_minor + AMOUNT_MINOR,
                             "after the same top-up of 0.30 twice");
}
