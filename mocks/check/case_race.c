/* Many tills on one card at the same moment: what is approved is what has left it. */
#include "mocks/check/cases.h"
#include "mocks/check/expect.h"

#include "base/banned.h"

#define TILLS AT_ONCE_MAX
#define EACH_MINOR 20

static bool charge_at_once(struct scene *scene, const char *card, int64_t *approved_minor,
                           size_t *approvals)
{
    struct ask asks[TILLS];
    struct step *steps[TILLS];
    for (size_t i = 0; i < TILLS; i++)
        asks[i] = (struct ask){.action = TILL_CHECKOUT,
                               .card = card,
                               .order_id = scene_new_order(scene),
                               .amount = "0.20"};
    scene_ask_at_once(scene, asks, TILLS, steps, TILLS);
    *approved_minor = 0;
    *approvals = 0;
    for (size_t i = 0; i < TILLS; i++) {
        if (!expect_object(scene, steps[i]))
            return false;
        if (!steps[i]->is_success)
            continue;
        if (!expect_at_most(scene, steps[i], EACH_MINOR))
            return false;
        *approved_minor += steps[i]->amount_minor;
        (*approvals)++;
    }
    return true;
}

void race_one_card(struct scene *scene)
{
    const char *card = scene->settings->card;
    int64_t balance_minor, approved_minor;
    size_t approvals;
    if (!read_balance(scene, card, &balance_minor) ||
        !charge_at_once(scene, card, &approved_minor, &approvals))
        return;
    if (approvals == TILLS) {
        (void)expect_balance(scene, card, balance_minor - approved_minor,
                             "after eight charges of 0.20 at once");
        return;
    }
    scene_expect(scene, "Where many pay at once, cashiers see an error although the card is good, "
                        "and press again.");
    scene_fail(scene, "eight sales charged 0.20 each at once, and only %zu were approved",
               approvals);
}

static void fail_unspent(struct scene *scene, int64_t approved_minor)
{
    char approved[CENTS_TEXT_MAX];
    scene_expect(scene, "Cashiers see an error although there is money on the card, and the "
                        "customer pays in another way.");
    scene_fail(scene, "the card had 0.60, and eight tills at once got only %s of it",
               cents_text(approved, approved_minor));
}

void race_last_cents(struct scene *scene)
{
    const char *card = scene->settings->empty_card;
    const int64_t loaded_minor = 3 * EACH_MINOR;
    int64_t approved_minor;
    size_t approvals;
    char approved[CENTS_TEXT_MAX];
    if (!load_empty_card(scene, loaded_minor) ||
        !charge_at_once(scene, card, &approved_minor, &approvals))
        return;
    if (approved_minor > loaded_minor)
        scene_fail(scene, "the card had 0.60, and eight tills at once were promised %s",
                   cents_text(approved, approved_minor));
    else if (approved_minor < loaded_minor)
        fail_unspent(scene, approved_minor);
    else
        (void)expect_balance(scene, card, 0, "after eight tills wanted its last 0.60");
}
