/*
 * The reports of a made-up run: causes and their order, JUnit, JSON and the page, with whatever
 * bytes a target answers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mocks/check/report.h"

#define HOSTILE "<b>\"&'\x1b[31m\xff\xe2\x80\xae]]>\n"

static struct settings settings;
static struct run_state run;
static struct report report;
static struct scene scenes[8];
static char *written;
static size_t written_length;

static void begin(void)
{
    memset(&settings, 0, sizeof(settings));
    memset(&report, 0, sizeof(report));
    settings.target = "http://127.0.0.1/oseries/key?a=<b>";
    run = (struct run_state){.settings = &settings, .requests = 12, .at_once_max = 3};
    report.settings = &settings;
    report.run = &run;
    report.time_us = 1234567;
}

/* The cases of the table, from its first on. */
static struct scene *add(enum outcome outcome, const char *sentence)
{
    size_t count;
    struct scene *scene = &scenes[report.count];
    scene_begin(scene, &run);
    scene->outcome = outcome;
    scene->time_us = 1500;
    (void)snprintf(scene->sentence, sizeof(scene->sentence), "%s", sentence);
    report.results[report.count] =
        (struct result){.check = &cases_all(&count)[report.count], .scene = scene};
    report.outcomes[outcome]++;
    report.count++;
    return scene;
}

static char *copy(const char *text)
{
    char *bytes = malloc(strlen(text) + 1);
    assert_non_null(bytes);
    memcpy(bytes, text, strlen(text) + 1);
    return bytes;
}

/* One request that was answered with hostile bytes. */
static void add_step(struct scene *scene)
{
    struct step *step = calloc(1, sizeof(*step));
    assert_non_null(step);
    scene->steps[scene->step_count++] = step;
    (void)snprintf(step->title, sizeof(step->title), "checkout 0.10");
    step->sent = copy("POST / HTTP/1.1\r\n\r\n{}");
    step->sent_kept = step->sent_length = strlen(step->sent);
    step->received = copy(HOSTILE);
    step->received_kept = strlen(HOSTILE);
    step->reading.length = 5000;
    step->reply.status = 200;
}

static void finish(void)
{
    for (size_t i = 0; i < report.count; i++)
        scene_finish(report.results[i].scene);
    free(written);
    written = NULL;
}

static const char *write_report(void (*write)(const struct report *report, FILE *out))
{
    free(written);
    written = NULL;
    FILE *out = open_memstream(&written, &written_length);
    assert_non_null(out);
    write(&report, out);
    assert_int_equal(fclose(out), 0);
    return written;
}

static size_t count_of(const char *text, const char *what)
{
    size_t count = 0;
    for (const char *at = strstr(text, what); at != NULL; at = strstr(at + 1, what))
        count++;
    return count;
}

static void holds(const char *text)
{
    if (strstr(written, text) == NULL)
        fail_msg("'%s' is not in: %s", text, written);
}

/* --- causes */

static void one_mistake_is_one_cause_whatever_the_numbers(void **state)
{
    (void)state;
    struct cause causes[CASES_MAX];
    begin();
    add(OUTCOME_FAILED, "checkout 0.10: refused: No");
    add(OUTCOME_PASSED, "");
    add(OUTCOME_FAILED, "the card should have 99.70, and has 99.40");
    add(OUTCOME_FAILED, "the card should have 1,000.00, and has 2");
    add(OUTCOME_SKIPPED, "the card should have 1, and has 2");
    add(OUTCOME_FAILED, "the card should have 5, and has 4 less");
    assert_int_equal(report_find_causes(&report, causes), 3);
    assert_int_equal(causes[0].first, 2);
    assert_int_equal(causes[0].count, 2);
    assert_int_equal(causes[1].first, 0); /* as many each: in the order of the table */
    assert_int_equal(causes[2].first, 5);
    assert_true(results_are_alike(&report.results[2], &report.results[3]));
    assert_false(results_are_alike(&report.results[2], &report.results[4]));
    finish();
}

static void nothing_failed_has_no_cause(void **state)
{
    (void)state;
    struct cause causes[CASES_MAX];
    begin();
    add(OUTCOME_PASSED, "");
    add(OUTCOME_SKIPPED, "needs a card");
    assert_int_equal(report_find_causes(&report, causes), 0);
    finish();
}

static void the_summary_counts_every_outcome(void **state)
{
    (void)state;
    char line[SENTENCE_MAX];
    struct text_buffer summary;
    begin();
    add(OUTCOME_PASSED, "");
    add(OUTCOME_PASSED, "");
    add(OUTCOME_FAILED, "wrong");
    add(OUTCOME_BLOCKED, "wrong");
    add(OUTCOME_SKIPPED, "no card");
    text_buffer_init(&summary, line, sizeof(line));
    report_write_summary(&report, &summary);
    assert_string_equal(line, "2 passed, 1 failed, 1 blocked, 1 skipped; 12 requests, at most 3 "
                              "at once, 1.2 s");
    finish();
}

/* --- blocked */

/* A case that failed by what it did not ask about says nothing of its own. */
static void what_stopped_a_case_before_blocks_the_next_and_what_is_asked_itself_fails(void **state)
{
    (void)state;
    begin();
    run.case_id = "signature-right";
    scene_begin(&scenes[0], &run);
    scenes[0].prepares = true;
    assert_false(scene_fail(&scenes[0], "the balance of card ...%d is not told: No", 10));
    assert_int_equal(scenes[0].outcome, OUTCOME_FAILED);
    assert_null(scenes[0].blocked_by);

    run.case_id = "amount-exact";
    scene_begin(&scenes[1], &run);
    scenes[1].prepares = true;
    assert_false(scene_fail(&scenes[1], "the balance of card ...%d is not told: No", 28));
    assert_int_equal(scenes[1].outcome, OUTCOME_BLOCKED);
    assert_string_equal(scenes[1].blocked_by, "signature-right");

    scene_begin(&scenes[2], &run); /* for another reason */
    scenes[2].prepares = true;
    assert_false(scene_fail(&scenes[2], "the balance of card ...%d is not told: Closed", 28));
    assert_int_equal(scenes[2].outcome, OUTCOME_FAILED);

    scene_begin(&scenes[3], &run); /* what the case is about */
    assert_false(scene_fail(&scenes[3], "the balance of card ...%d is not told: No", 28));
    assert_int_equal(scenes[3].outcome, OUTCOME_FAILED);
}

static void a_blocked_case_counts_to_its_cause(void **state)
{
    (void)state;
    struct cause causes[CASES_MAX];
    begin();
    add(OUTCOME_FAILED, "the balance of card ...0010 is not told: No");
    add(OUTCOME_BLOCKED, "the balance of card ...0036 is not told: No");
    assert_int_equal(report_find_causes(&report, causes), 1);
    assert_int_equal(causes[0].first, 0);
    assert_int_equal(causes[0].count, 2);
    finish();
}

/* --- JUnit */

static void junit_has_a_suite_a_group_and_failures_and_skips_with_their_words(void **state)
{
    (void)state;
    begin();
    add(OUTCOME_PASSED, "");
    add_step(add(OUTCOME_FAILED, "the reply says " HOSTILE));
    add(OUTCOME_SKIPPED, "needs a card: --card");
    add(OUTCOME_BLOCKED, "the balance is not told")->blocked_by = "shape-content-type";
    write_report(report_write_junit);
    holds("<testsuites name=\"tillsim check\" tests=\"4\" failures=\"1\" skipped=\"2\"");
    holds("<testsuite name=\"shape\" tests=\"4\" failures=\"1\" skipped=\"2\" time=\"0.006000\"");
    holds("<testcase classname=\"tillsim.check.shape\" name=\"shape-status\" time=\"0.001500\"/>");
    holds("<skipped message=\"needs a card: --card\"/>");
    holds("<skipped message=\"blocked by shape-content-type: the balance is not told\"/>");
    assert_int_equal(count_of(written, "<failure "), 1);
    assert_int_equal(count_of(written, "</failure>"), 1);
    finish();
}

static void junit_holds_no_byte_that_xml_does_not_take(void **state)
{
    (void)state;
    begin();
    add_step(add(OUTCOME_FAILED, HOSTILE "\xef\xbf\xbf"));
    write_report(report_write_junit);
    for (size_t i = 0; i < written_length; i++)
        assert_true((unsigned char)written[i] >= 0x20 || written[i] == '\n');
    assert_true(text_is_utf8((struct text){written, written_length}));
    assert_null(strstr(written, "<b>"));
    assert_null(strstr(written, "]]>"));
    assert_null(strstr(written, "\xef\xbf\xbf"));
    finish();
}

/* --- JSON */

static const struct jread *member(const struct jread *object, const char *name)
{
    const struct jread *value = jread_member(object, name);
    if (value == NULL)
        fail_msg("there is no %s", name);
    return value;
}

static void is_text(const struct jread *object, const char *name, const char *wanted)
{
    struct text text;
    assert_int_equal(jread_scalar(member(object, name), &text), 0);
    if (!text_equal(text, text_of(wanted)))
        fail_msg("%s is %.*s", name, (int)text.length, text.base);
}

static void json_is_one_object_with_every_case_and_its_bytes(void **state)
{
    (void)state;
    struct jread *document;
    begin();
    add(OUTCOME_PASSED, "");
    struct scene *failed = add(OUTCOME_FAILED, "wrong");
    add_step(failed);
    (void)snprintf(failed->left, sizeof(failed->left), "0.10 too little was left");
    add(OUTCOME_BLOCKED, "not told")->blocked_by = "shape-content-type";
    write_report(report_write_json);
    assert_int_equal(jread_parse((struct text){written, written_length}, &document), 0);
    is_text(document, "passed", "1");
    is_text(document, "failed", "1");
    is_text(document, "blocked", "1");
    is_text(document, "skipped", "0");
    is_text(document, "profile", "strict");
    const struct jread *cases = member(document, "cases");
    assert_int_equal(jread_count(cases), 3);
    const struct jread *each = jread_element(cases, 1);
    is_text(each, "outcome", "failed");
    is_text(each, "why", "wrong");
    is_text(each, "left", "0.10 too little was left");
    is_text(each, "page", "docs/conformance/shape-content-type.md");
    const struct jread *step = jread_element(member(each, "steps"), 0);
    is_text(step, "received_bytes", "5000");
    is_text(step, "sent", "POST / HTTP/1.1\r\n\r\n{}");
    each = jread_element(cases, 2);
    is_text(each, "outcome", "blocked");
    is_text(each, "blocked_by", "shape-content-type");
    assert_null(jread_member(each, "consequence"));
    assert_null(jread_member(jread_element(cases, 0), "why"));
    jread_destroy(document);
    finish();
}

/* --- the page */

static void the_page_shows_bytes_as_text_and_runs_nothing(void **state)
{
    (void)state;
    begin();
    add_step(add(OUTCOME_FAILED, "the reply says " HOSTILE));
    add(OUTCOME_PASSED, "");
    add_step(add(OUTCOME_BLOCKED, "the reply says " HOSTILE));
    write_report(report_write_html);
    holds("1 of 2 cases failed");
    holds("&lt;b&gt;&quot;&amp;&#39;\\x1b[31m\\xff\\xe2\\x80\\xae]]&gt;");
    holds("... 5000 bytes in all");
    holds("class=\"row blocked\"");
    holds("<b>2 cases</b>");
    assert_null(strstr(written, "<script"));
    assert_null(strstr(written, "<b>\""));
    finish();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_mistake_is_one_cause_whatever_the_numbers),
        cmocka_unit_test(nothing_failed_has_no_cause),
        cmocka_unit_test(the_summary_counts_every_outcome),
        cmocka_unit_test(what_stopped_a_case_before_blocks_the_next_and_what_is_asked_itself_fails),
        cmocka_unit_test(a_blocked_case_counts_to_its_cause),
        cmocka_unit_test(junit_has_a_suite_a_group_and_failures_and_skips_with_their_words),
        cmocka_unit_test(junit_holds_no_byte_that_xml_does_not_take),
        cmocka_unit_test(json_is_one_object_with_every_case_and_its_bytes),
        cmocka_unit_test(the_page_shows_bytes_as_text_and_runs_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
