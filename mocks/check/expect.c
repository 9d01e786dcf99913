/* Asks as a cashier does, and says in plain words what is wrong with an answer. */
#include "mocks/check/expect.h"

#include <stdio.h>
#include <string.h>

#include "base/banned.h"

const char TILL_CRASHES[] =
    "The till crashes: its screens expect a JSON object and cannot show anything else. The cashier "
    "restarts it in front of the customer, not knowing whether the card was charged.";
const char TILL_WAITS[] =
    "The cashier looks at a waiting screen until the till gives up, and presses again, not knowing "
    "whether the card was charged.";

static const char TOO_LONG[] =
    "No public text says how long a reply may be. A till reads it over a shop's line while the "
    "customer waits, and shows a few lines of it.";

static const char DOUBTFUL[] =
    "Some readers of JSON take such a reply and others refuse it, or read something else in it: "
    "what a till shows then nobody can promise.";

static const char NO_OBJECT[] =
    "The till finds nothing it knows in the answer: it shows an error or crashes, and the cashier "
    "does not know whether the card was charged.";

static const char UNTOLD[] = "The cashier cannot tell the customer what is left on the card.";

/* JSON, and yet not to be read: the register's own words for why. */
static bool expect_readable(struct scene *scene, const struct step *step)
{
    static const enum rule WANTED[] = {RULE_READABLE, RULE_NAMES, RULE_TEXTS};
    for (size_t i = 0; i < COUNT_OF(WANTED); i++) {
        if (step->judgement.verdicts[WANTED[i]] != VERDICT_FAILED)
            continue;
        scene_expect(scene, "%s", DOUBTFUL);
        return scene_fail(scene, "%s: the reply breaks the rule: %s", step->title,
                          rule_name(WANTED[i]));
    }
    return true;
}

bool expect_object(struct scene *scene, const struct step *step)
{
    const char *failure = step->reply.failure;
    if (failure != NULL) {
        scene_expect_of(scene, WRONG_SILENT, "%s", TILL_WAITS);
        return scene_fail(scene, "%s: no usable reply: %s", step->title, failure);
    }
    if (step->reply.is_cut) {
        scene_expect(scene, "%s", TOO_LONG);
        return scene_fail(scene, "%s: the reply is longer than 64 KiB", step->title);
    }
    if (!expect_readable(scene, step))
        return false;
    if (step->judgement.verdicts[RULE_PARSES] != VERDICT_PASSED) {
        scene_expect_of(scene, WRONG_NO_OBJECT, "%s", TILL_CRASHES);
        return scene_fail(scene, "%s: the body of the reply (status %d, %s) is not JSON",
                          step->title, step->reply.status,
                          step->reply.content_type[0] != '\0' ? step->reply.content_type
                                                              : "no content type");
    }
    if (step->judgement.verdicts[RULE_OBJECT] != VERDICT_PASSED) {
        scene_expect(scene, "%s", NO_OBJECT);
        return scene_fail(scene, "%s: the reply is JSON, but no object", step->title);
    }
    return true;
}

static bool fail_undecided(struct scene *scene, const struct step *step)
{
    scene_expect_of(scene, WRONG_UNDECIDED,
                    "The till cannot tell yes from no: it books nothing, and nobody at the counter "
                    "knows whether money has moved.");
    return scene_fail(scene, "%s: the reply has no \"success\" that is true or false", step->title);
}

static const char *meaning_of_refusal(enum till_action action)
{
    switch (action) {
    case TILL_CHECKOUT:
        return "The cashier sees an error although the card is good, and the customer pays in "
               "another way.";
    case TILL_CHECK_BALANCE:
        return UNTOLD;
    case TILL_TOP_UP:
        return "The cashier sees an error, and cannot load the card although it is good.";
    case TILL_REFUND:
        return "The cashier sees an error, and pays the money out in another way.";
    case TILL_CUSTOMER_SEARCH:
    case TILL_REWARD_LOOKUP:
    case TILL_LOYALTY:
    case TILL_REDEEM:
    case TILL_ACTIONS:
        break;
    }
    return "The cashier sees an error, and the member does not get what is his.";
}

bool fail_refused(struct scene *scene, const struct step *step)
{
    const char *sentence = step->judgement.sentence;
    scene_expect_of(scene, WRONG_REFUSED, "%s", meaning_of_refusal(step->action));
    return scene_fail(scene, "%s: refused: %s", step->title,
                      sentence[0] != '\0' ? sentence : "(no error given)");
}

static bool expect_success(struct scene *scene, const struct step *step)
{
    if (!expect_object(scene, step))
        return false;
    if (!step->has_success)
        return fail_undecided(scene, step);
    if (!step->is_success)
        return fail_refused(scene, step);
    if (step->has_amount)
        return true;
    scene_expect(scene, "The till cannot add that to the sale: it books nothing, or what it had "
                        "asked for, whatever the card has paid.");
    return scene_fail(scene, "%s: approved, but \"amount\" is no amount in cents: %s", step->title,
                      step->judgement.amount[0] != '\0' ? step->judgement.amount : "missing");
}

bool expect_approved(struct scene *scene, const struct step *step, int64_t amount_minor)
{
    char asked[CENTS_TEXT_MAX], got[CENTS_TEXT_MAX];
    if (!expect_success(scene, step))
        return false;
    if (step->amount_minor == amount_minor)
        return true;
    cents_text(asked, amount_minor);
    cents_text(got, step->amount_minor);
    if (step->amount_minor < amount_minor)
        scene_expect_of(scene, WRONG_AMOUNT,
                        "The till books %s, as the reply says; the rest of the %s stays open.", got,
                        asked);
    else
        scene_expect_of(scene, WRONG_AMOUNT,
                        "The till has asked for %s and is told of %s: it books more than it asked "
                        "for, or cannot use the answer.",
                        asked, got);
    return scene_fail(scene, "%s: %s was asked, the reply says %s", step->title, asked, got);
}

bool expect_at_most(struct scene *scene, const struct step *step, int64_t amount_minor)
{
    char most[CENTS_TEXT_MAX], got[CENTS_TEXT_MAX];
    if (!expect_success(scene, step))
        return false;
    if (step->amount_minor >= 0 && step->amount_minor <= amount_minor)
        return true;
    cents_text(most, amount_minor);
    cents_text(got, step->amount_minor);
    scene_expect_of(scene, WRONG_AMOUNT,
                    "The till books %s, as the reply says, where it can be %s at most: the sale "
                    "and the card no longer agree.",
                    got, most);
    return scene_fail(scene, "%s: at most %s may be approved, the reply says %s", step->title, most,
                      got);
}

/* By the amount that stands in the approval. */
static void expect_unwanted_payment(struct scene *scene, const struct step *step)
{
    char got[CENTS_TEXT_MAX];
    if (!step->has_amount)
        scene_expect_of(scene, WRONG_APPROVED,
                        "The till reads a yes without an amount: it books what it had asked for, "
                        "or cannot use the answer. Nothing of the kind should be paid.");
    else if (step->amount_minor == 0)
        scene_expect_of(scene, WRONG_APPROVED,
                        "The till adds a payment of 0.00 and says \"successful\": the cashier "
                        "believes that the card was charged, and the sale stays open.");
    else
        scene_expect_of(scene, WRONG_APPROVED,
                        "The till says \"successful\" and books %s as paid, for a charge that "
                        "should have been refused.",
                        cents_text(got, step->amount_minor));
}

static void expect_unwanted(struct scene *scene, const struct step *step)
{
    const char *meaning = "The till shows what it is told as if the request had been good.";
    switch (step->action) {
    case TILL_CHECKOUT:
        expect_unwanted_payment(scene, step);
        return;
    case TILL_CHECK_BALANCE:
        meaning = "The till shows a balance to somebody who should be told none.";
        break;
    case TILL_TOP_UP:
        meaning = "The till takes the customer's money for a load that should have been refused.";
        break;
    case TILL_REFUND:
        meaning = "The till books a refund that should have been refused: the shop pays it.";
        break;
    case TILL_REDEEM:
        meaning = "The till says \"redeemed\" where nothing should have been redeemed.";
        break;
    case TILL_CUSTOMER_SEARCH:
    case TILL_REWARD_LOOKUP:
    case TILL_LOYALTY:
    case TILL_ACTIONS:
        break;
    }
    scene_expect_of(scene, WRONG_APPROVED, "%s", meaning);
}

bool expect_not_done(struct scene *scene, const struct step *step)
{
    if (!expect_object(scene, step))
        return false;
    if (!step->is_success)
        return true;
    expect_unwanted(scene, step);
    return scene_fail(scene, "%s: approved (\"success\":true), and should not be", step->title);
}

bool expect_refused(struct scene *scene, const struct step *step)
{
    char got[CENTS_TEXT_MAX];
    if (!expect_not_done(scene, step))
        return false;
    if (!step->has_success)
        return fail_undecided(scene, step);
    if (!step->has_amount || step->amount_minor == 0)
        return true;
    scene_expect(scene, "The till books nothing, since it was refused, although the reply tells of "
                        "money: nobody at the counter knows whether the card has paid.");
    return scene_fail(scene, "%s: refused, but with an amount of %s", step->title,
                      cents_text(got, step->amount_minor));
}

static bool look_at_balance(struct scene *scene, const char *card, int64_t *balance_minor)
{
    const struct step *step = pay(scene, TILL_CHECK_BALANCE, card, 0, 0);
    if (!expect_object(scene, step))
        return false;
    if (step->is_success && step->has_balance) {
        *balance_minor = step->balance_minor;
        return true;
    }
    scene_expect(scene, "%s", UNTOLD);
    if (!step->is_success)
        return scene_fail(scene, "the balance of card ...%s is not told: %s",
                          card + (strlen(card) > 4 ? strlen(card) - 4 : 0),
                          step->judgement.sentence[0] != '\0' ? step->judgement.sentence
                                                              : "(no error given)");
    return scene_fail(scene, "check-balance: \"balance\" is no amount in cents: %s",
                      step->judgement.balance[0] != '\0' ? step->judgement.balance : "missing");
}

/* No case is about that alone but those of check-balance's shape, which do not come here. */
bool read_balance(struct scene *scene, const char *card, int64_t *balance_minor)
{
    bool prepared = scene->prepares;
    scene->prepares = true;
    bool is_known = look_at_balance(scene, card, balance_minor);
    scene->prepares = prepared;
    return is_known;
}

bool expect_balance(struct scene *scene, const char *card, int64_t balance_minor, const char *what)
{
    char wanted[CENTS_TEXT_MAX], got[CENTS_TEXT_MAX];
    int64_t now_minor = 0;
    if (!read_balance(scene, card, &now_minor))
        return false;
    if (now_minor == balance_minor)
        return true;
    bool has_less = now_minor < balance_minor;
    const char *loser = has_less ? "customer" : "shop";
    (void)cents_text(got, has_less ? balance_minor - now_minor : now_minor - balance_minor);
    scene_expect_of(scene, has_less ? WRONG_LESS : WRONG_MORE,
                    "The till has booked what it was told, and the card has %s %s: the %s loses "
                    "it.",
                    got, has_less ? "less" : "more", loser);
    return scene_fail(scene, "%s the card should have %s, and has %s", what,
                      cents_text(wanted, balance_minor), cents_text(got, now_minor));
}

static struct step *pay_once(struct scene *scene, enum till_action action, const char *card,
                             int64_t order_id, int64_t amount_minor, bool is_repeat)
{
    char amount[CENTS_TEXT_MAX];
    struct ask ask = {.action = action, .card = card, .order_id = order_id, .is_repeat = is_repeat};
    if (action != TILL_CHECK_BALANCE)
        ask.amount = cents_text(amount, amount_minor);
    return scene_ask(scene, &ask);
}

struct step *pay(struct scene *scene, enum till_action action, const char *card, int64_t order_id,
                 int64_t amount_minor)
{
    return pay_once(scene, action, card, order_id, amount_minor, false);
}

struct step *pay_again(struct scene *scene, enum till_action action, const char *card,
                       int64_t order_id, int64_t amount_minor)
{
    return pay_once(scene, action, card, order_id, amount_minor, true);
}

bool pay_charge(struct scene *scene, const char *card, int64_t amount_minor)
{
    const struct step *step = pay(scene, TILL_CHECKOUT, card, scene_new_order(scene), amount_minor);
    return expect_approved(scene, step, amount_minor);
}

bool load_empty_card(struct scene *scene, int64_t amount_minor)
{
    char has[CENTS_TEXT_MAX];
    const char *card = scene->settings->empty_card;
    int64_t balance_minor = 0;
    if (!read_balance(scene, card, &balance_minor))
        return false;
    if (balance_minor != 0)
        return scene_skip(scene, "the card of --empty-card is not empty: it has %s",
                          cents_text(has, balance_minor));
    const struct step *step = pay(scene, TILL_TOP_UP, card, scene_new_order(scene), amount_minor);
    unsigned about = scene->about;
    scene->prepares = true;
    scene->about = 0; /* no case is about the load that it begins with */
    bool is_loaded = expect_approved(scene, step, amount_minor);
    scene->prepares = false;
    scene->about = about;
    return is_loaded;
}

bool expect_same(struct scene *scene, const struct step *first, const struct step *second)
{
    const struct judgement *a = &first->judgement, *b = &second->judgement;
    if (!expect_object(scene, second))
        return false;
    if (!second->has_success || first->is_success != second->is_success) {
        scene_expect_of(scene, WRONG_REPEAT,
                        "The cashier reads a refusal of what was done already, and the customer "
                        "pays once more in another way.");
        return scene_fail(scene, "the second answer to the same request is %s: %s",
                          second->is_success ? "an approval" : "a refusal", b->sentence);
    }
    if (first->has_amount != second->has_amount || first->amount_minor != second->amount_minor) {
        scene_expect_of(scene, WRONG_REPEAT,
                        "The till books the answer that reaches it, which is not the amount of the "
                        "one that was lost.");
        return scene_fail(scene, "the same request was answered with %s, then with %s", a->amount,
                          b->amount);
    }
    if (strcmp(a->reference, b->reference) == 0)
        return true;
    scene_expect_of(scene, WRONG_REPEAT,
                    "The till knows a payment by its reference: the second answer is another "
                    "payment to it, and books once more.");
    return scene_fail(scene, "the same request was answered as %s, then as %s", a->reference,
                      b->reference);
}
