/* The shape of replies: what a register reads of every answer (protocol o-series 2.6, 10). */
#include "mocks/check/cases.h"
#include "mocks/check/expect.h"

#include <string.h>

#include "base/banned.h"

#define PROBE_MINOR 10
#define ERROR_CHARS_MAX 160 /* protocol 2.6 says about 120; a third more still fits the dialog */

/* One answer of every kind: two approvals, what gives them back, a refusal. */
#define SAMPLES 4
struct samples {
    struct step *step[SAMPLES];
    size_t count;
};

static void sample_add(struct samples *samples, struct step *step)
{
    samples->step[samples->count++] = step;
}

static void take_samples(struct scene *scene, struct samples *samples)
{
    const struct settings *settings = scene->settings;
    int64_t order_id = scene_new_order(scene);
    samples->count = 0;
    if (settings_have_action(settings, TILL_CHECK_BALANCE))
        sample_add(samples, pay(scene, TILL_CHECK_BALANCE, settings->card, 0, 0));
    sample_add(samples, pay(scene, TILL_CHECKOUT, settings->card, order_id, PROBE_MINOR));
    if (settings_have_action(settings, TILL_REFUND))
        sample_add(samples, pay(scene, TILL_REFUND, settings->card, order_id, PROBE_MINOR));
    sample_add(samples, pay(scene, TILL_CHECKOUT, settings->card, scene_new_order(scene), 0));
}

static bool is_strict(const struct scene *scene)
{
    return scene->settings->profile == PROFILE_STRICT;
}

void shape_status(struct scene *scene)
{
    struct samples samples;
    take_samples(scene, &samples);
    for (size_t i = 0; i < samples.count; i++) {
        const struct step *step = samples.step[i];
        if (!expect_object(scene, step))
            return;
        if (step->reply.status != 200) {
            scene_fail(scene, "%s: the status is %d; registers want 200, for refusals too",
                       step->title, step->reply.status);
            return;
        }
    }
}

void shape_content_type(struct scene *scene)
{
    struct samples samples;
    take_samples(scene, &samples);
    for (size_t i = 0; i < samples.count; i++) {
        const struct step *step = samples.step[i];
        if (step->reply.failure != NULL && !expect_object(scene, step))
            return;
        if (step->judgement.verdicts[RULE_TYPE] != VERDICT_PASSED) {
            scene_fail(scene, "%s: the content type is \"%s\", not application/json", step->title,
                       step->reply.content_type);
            return;
        }
    }
}

void shape_object(struct scene *scene)
{
    struct samples samples;
    take_samples(scene, &samples);
    for (size_t i = 0; i < samples.count; i++) {
        if (!expect_object(scene, samples.step[i]))
            return;
    }
}

void shape_success(struct scene *scene)
{
    struct samples samples;
    take_samples(scene, &samples);
    for (size_t i = 0; i < samples.count; i++) {
        const struct step *step = samples.step[i];
        if (!expect_object(scene, step))
            return;
        if (!step->has_success) {
            scene_fail(scene, "%s: \"success\" is missing, or is neither true nor false",
                       step->title);
            return;
        }
    }
}

static bool error_is_good(struct scene *scene, const struct step *step)
{
    struct text error;
    const struct jread *value = jread_member(step->judgement.body, "error");
    if (!expect_not_done(scene, step))
        return false;
    if (jread_text(value, &error) != 0 || text_trim(error).length == 0)
        return scene_fail(scene, "%s: refused without saying why: \"error\" is %s", step->title,
                          value == NULL ? "missing" : "no sentence");
    if (memchr(error.base, '<', error.length) != NULL && memchr(error.base, '>', error.length))
        return scene_fail(scene, "%s: \"error\" holds markup; the till shows it as it is",
                          step->title);
    return error.length <= ERROR_CHARS_MAX ||
           scene_fail(scene, "%s: \"error\" has %zu bytes; a dialog shows about 120", step->title,
                      error.length);
}

void shape_error(struct scene *scene)
{
    const struct settings *settings = scene->settings;
    struct ask unknown = {.action = TILL_CHECKOUT,
                          .title = "checkout of a card nobody has",
                          .card = scene_unknown_card(scene),
                          .order_id = scene_new_order(scene),
                          .register_id = settings->other_register_id,
                          .amount = "0.10"};
    struct step *steps[] = {pay(scene, TILL_CHECKOUT, settings->card, scene_new_order(scene), 0),
                            scene_ask(scene, &unknown)};
    for (size_t i = 0; i < COUNT_OF(steps); i++) {
        if (!error_is_good(scene, steps[i]))
            return;
    }
    const struct step *good =
        pay(scene, TILL_CHECKOUT, settings->card, scene_new_order(scene), PROBE_MINOR);
    if (expect_approved(scene, good, PROBE_MINOR) &&
        jread_member(good->judgement.body, "error") != NULL) {
        scene_expect(scene, "A till that looks for \"error\" first takes the approval for a "
                            "refusal: the card was charged, and the customer pays again.");
        scene_fail(scene, "%s: approved, and yet there is an \"error\"", good->title);
    }
}

/* The till books what the reply says, so it must be an amount, and in the strict profile one that
 * was asked for. */
static bool amount_is_good(struct scene *scene, const struct step *step)
{
    bool is_look = step->action == TILL_CHECK_BALANCE;
    if (!expect_object(scene, step))
        return false;
    if (!step->is_success || (is_look && step->judgement.amount[0] == '\0'))
        return true;
    if (!step->has_amount || step->amount_minor < 0)
        return scene_fail(scene, "%s: \"amount\" is no amount in cents: %s", step->title,
                          step->judgement.amount[0] != '\0' ? step->judgement.amount : "missing");
    return !is_strict(scene) || is_look || expect_at_most(scene, step, PROBE_MINOR);
}

void shape_amount(struct scene *scene)
{
    struct samples samples;
    take_samples(scene, &samples);
    bool has_approval = false;
    for (size_t i = 0; i < samples.count; i++) {
        if (!amount_is_good(scene, samples.step[i]))
            return;
        has_approval = has_approval ||
                       (samples.step[i]->action == TILL_CHECKOUT && samples.step[i]->is_success);
    }
    if (has_approval)
        return;
    scene_expect(scene, "No card pays anything: the cashier sees an error at every sale.");
    scene_fail(scene, "no checkout was approved, so there is no amount to look at");
}

void shape_balance(struct scene *scene)
{
    const char *card = scene->settings->card;
    const struct step *step = pay(scene, TILL_CHECK_BALANCE, card, 0, 0);
    if (!expect_object(scene, step))
        return;
    if (!step->is_success)
        scene_fail(scene, "the balance is not told: %s", step->judgement.sentence);
    else if (!step->has_balance || step->balance_minor < 0)
        scene_fail(scene, "\"balance\" is no amount in cents: %s",
                   step->judgement.balance[0] != '\0' ? step->judgement.balance : "missing");
}

void shape_length(struct scene *scene)
{
    struct samples samples;
    take_samples(scene, &samples);
    for (size_t i = 0; i < samples.count; i++) {
        const struct step *step = samples.step[i];
        const struct reading *reading = &step->reading;
        if (!expect_object(scene, step))
            return;
        if (!reading->has_declared_length && !reading->is_chunked) {
            scene_fail(scene, "%s: the reply has no Content-Length and is not chunked",
                       step->title);
            return;
        }
        if (reading->has_more) {
            scene_expect(scene, "What is too much is the beginning of the next answer on this "
                                "connection, which the till then cannot read.");
            scene_fail(scene, "%s: the reply goes on behind the length it has told", step->title);
            return;
        }
    }
}
