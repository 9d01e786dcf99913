/*
 * What is expected of an answer: each reply as a target may give it, judged as a register judges,
 * with the verdict and the sentence that come of it. And what is owed when a case is over.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mocks/check/expect.h"

#define CARD "6036280000010010"

static struct settings settings;
static struct run_state run;
static struct request redeem;
static struct scene scene;
static struct step step;

static void begin(void)
{
    judgement_finish(&step.judgement);
    memset(&settings, 0, sizeof(settings));
    run = (struct run_state){.settings = &settings, .redeem = &redeem, .next_order_id = 1000};
    scene_begin(&scene, &run);
}

/* A reply with this body to a checkout of 1.00. */
static const struct step *answered(int status, const char *body)
{
    static const struct options options = {.action = TILL_CHECKOUT, .amount = "1.00"};
    static char bytes[512];
    begin();
    memset(&step, 0, sizeof(step));
    (void)snprintf(step.title, sizeof(step.title), "checkout 1.00");
    (void)snprintf(bytes, sizeof(bytes), "%s", body);
    step.reply = (struct reply){.status = status, .body = bytes, .body_length = strlen(body)};
    (void)snprintf(step.reply.content_type, sizeof(step.reply.content_type), "application/json");
    step_judge(&scene, &(struct ask){.action = options.action, .amount = options.amount}, &step);
    return &step;
}

static void is_verdict(enum outcome outcome, const char *sentence)
{
    if (scene.outcome != outcome || strstr(scene.sentence, sentence) == NULL)
        fail_msg("%s: '%s'; wanted %s: '%s'", outcome_name(scene.outcome), scene.sentence,
                 outcome_name(outcome), sentence);
}

static void only_an_object_is_a_reply(void **state)
{
    (void)state;
    assert_true(expect_object(&scene, answered(200, "{}")));
    is_verdict(OUTCOME_PASSED, "");
    assert_false(expect_object(&scene, answered(200, "Approved")));
    is_verdict(OUTCOME_FAILED, "(status 200, application/json) is not JSON");
    assert_string_equal(scene.consequence, TILL_CRASHES);
    assert_false(expect_object(&scene, answered(200, "[1]")));
    is_verdict(OUTCOME_FAILED, "JSON, but no object");
    assert_false(expect_object(&scene, answered(200, "{\"amount\":1,\"amount\":2}")));
    is_verdict(OUTCOME_FAILED, "breaks the rule");
    (void)answered(200, "{}");
    step.reply.failure = "nobody listens";
    assert_false(expect_object(&scene, &step));
    is_verdict(OUTCOME_FAILED, "no usable reply: nobody listens");
    assert_string_equal(scene.consequence, TILL_WAITS);
    (void)answered(200, "{}");
    step.reply.is_cut = true;
    assert_false(expect_object(&scene, &step));
    is_verdict(OUTCOME_FAILED, "longer than 64 KiB");
}

static void an_approval_says_yes_and_exactly_what_was_asked(void **state)
{
    (void)state;
    assert_true(expect_approved(&scene, answered(200, "{\"success\":true,\"amount\":1.00}"), 100));
    assert_true(expect_approved(&scene, answered(200, "{\"success\":true,\"amount\":1}"), 100));
    static const struct {
        const char *body, *sentence;
    } wrong[] = {
        {"{\"success\":true,\"amount\":0.99}", "1.00 was asked, the reply says 0.99"},
        {"{\"success\":true,\"amount\":100}", "1.00 was asked, the reply says 100.00"},
        {"{\"success\":true}", "no amount in cents: missing"},
        {"{\"success\":true,\"amount\":1.005}", "no amount in cents: 1.005"},
        {"{\"success\":\"true\",\"amount\":1}", "no \"success\" that is true or false"},
        {"{\"amount\":1}", "no \"success\" that is true or false"},
        {"{\"success\":false,\"error\":\"No money\"}", "refused: No money"},
    };
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        assert_false(expect_approved(&scene, answered(200, wrong[i].body), 100));
        is_verdict(OUTCOME_FAILED, wrong[i].sentence);
    }
}

static void a_partial_approval_is_at_most_what_was_asked(void **state)
{
    (void)state;
    assert_true(expect_at_most(&scene, answered(200, "{\"success\":true,\"amount\":0.40}"), 100));
    assert_true(expect_at_most(&scene, answered(200, "{\"success\":true,\"amount\":0}"), 100));
    assert_false(expect_at_most(&scene, answered(200, "{\"success\":true,\"amount\":1.01}"), 100));
    is_verdict(OUTCOME_FAILED, "at most 1.00 may be approved, the reply says 1.01");
}

static void a_refusal_claims_no_money(void **state)
{
    (void)state;
    assert_true(expect_refused(&scene, answered(200, "{\"success\":false,\"error\":\"No\"}")));
    assert_true(expect_refused(&scene, answered(200, "{\"success\":false,\"amount\":0}")));
    assert_false(expect_refused(&scene, answered(200, "{\"success\":true,\"amount\":1}")));
    is_verdict(OUTCOME_FAILED, "approved");
    assert_false(expect_refused(&scene, answered(200, "{\"success\":false,\"amount\":1}")));
    is_verdict(OUTCOME_FAILED, "refused, but with an amount of 1.00");
    assert_false(expect_refused(&scene, answered(200, "{\"error\":\"No\"}")));
    is_verdict(OUTCOME_FAILED, "no \"success\"");
    assert_true(expect_not_done(&scene, answered(400, "{\"error\":\"No\"}")));
}

static void the_same_request_has_the_same_answer(void **state)
{
    (void)state;
    static const char first[] = "{\"success\":true,\"amount\":1,\"reference_id\":\"A\"}";
    static const struct {
        const char *second, *sentence;
    } cases[] = {
        {first, ""},
        {"{\"success\":false,\"error\":\"No\"}", "is a refusal: No"},
        {"{\"success\":true,\"amount\":0.5,\"reference_id\":\"A\"}",
         "answered with 1, then with 0.5"},
        {"{\"success\":true,\"amount\":1,\"reference_id\":\"B\"}", "answered as A, then as B"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct step before = *answered(200, first);
        step.judgement.body = NULL; /* before's now */
        (void)answered(200, cases[i].second);
        assert_int_equal(expect_same(&scene, &before, &step), cases[i].sentence[0] == '\0');
        is_verdict(cases[i].sentence[0] == '\0' ? OUTCOME_PASSED : OUTCOME_FAILED,
                   cases[i].sentence);
        judgement_finish(&before.judgement);
    }
}

static void the_first_verdict_stays(void **state)
{
    (void)state;
    begin();
    assert_false(scene_fail(&scene, "first %d", 1));
    scene_expect(&scene, "too late");
    assert_false(scene_skip(&scene, "second"));
    is_verdict(OUTCOME_FAILED, "first 1");
    assert_string_equal(scene.consequence, "");
    begin();
    scene.cleans_up = true; /* what goes wrong there is told otherwise */
    assert_false(scene_fail(&scene, "while cleaning up"));
    is_verdict(OUTCOME_PASSED, "");
}

/* Nothing can be asked here, so what is owed is what is left. */
static void what_could_not_be_given_back_is_told_to_the_cent(void **state)
{
    (void)state;
    begin();
    scene.tab[scene.tab_count++] = (struct tab_entry){CARD, 1, 50};
    scene.tab[scene.tab_count++] = (struct tab_entry){CARD, 2, 10};
    scene.tab[scene.tab_count++] = (struct tab_entry){CARD, 0, 20};
    scene_clean_up(&scene);
    assert_string_equal(scene.left, "0.40 too little was left on card ...0010");
    assert_int_equal(scene.outcome, OUTCOME_PASSED);
    begin();
    scene.tab[scene.tab_count++] = (struct tab_entry){CARD, 0, 20};
    scene_clean_up(&scene);
    assert_string_equal(scene.left, "0.20 too much was left on card ...0010");
    begin();
    scene.tab[scene.tab_count++] = (struct tab_entry){CARD, 1, 20};
    scene.tab[scene.tab_count++] = (struct tab_entry){CARD, 0, 20};
    scene_clean_up(&scene);
    assert_string_equal(scene.left, "");
}

static int finish(void **state)
{
    (void)state;
    judgement_finish(&step.judgement);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_an_object_is_a_reply),
        cmocka_unit_test(an_approval_says_yes_and_exactly_what_was_asked),
        cmocka_unit_test(a_partial_approval_is_at_most_what_was_asked),
        cmocka_unit_test(a_refusal_claims_no_money),
        cmocka_unit_test(the_same_request_has_the_same_answer),
        cmocka_unit_test(the_first_verdict_stays),
        cmocka_unit_test(what_could_not_be_given_back_is_told_to_the_cent),
    };
    return cmocka_run_group_tests(tests, NULL, finish);
}
