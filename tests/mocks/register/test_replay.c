/* A recording is sent again byte for byte; a file that is none is refused, and nothing is sent. */
#include "mocks/register/replay.h"

#include "base/error.h"
#include "mocks/register/bill.h"
#include "mocks/register/recording.h"
#include "mocks/register/run.h"
#include "tests/support/tiny_http.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/banned.h"

#define PRESS_GAP_US INT64_C(60000000) /* longer than any answer: none overlaps the next */
#define TOKEN "the-token"
#define REPLY(text, length)                                                                        \
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: " length "\r\n\r\n" text
#define HEAD_LINE "{\"tillsim_recording\":1}\n"

static struct tiny *partner;
static struct recording recording;
static struct config *config;
static struct made file;
static char url[64];

static int set_up(void **state)
{
    (void)state;
    wire_start();
    partner = tiny_start();
    config = calloc(1, sizeof(*config));
    assert_non_null(config);
    config_init(config);
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%d/oseries/KEY", tiny_port(partner));
    (void)snprintf(config->token, sizeof(config->token), "%s", TOKEN);
    assert_true(config_set_base(config, url));
    recording_init(&recording);
    recording_begin(&recording, 0, 1);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    made_destroy(&file);
    recording_finish(&recording);
    free(config);
    tiny_stop(partner);
    wire_finish();
    return 0;
}

static void script(const char *text)
{
    tiny_script(partner, (struct tiny_answer){.text = text});
}

/* One press with its answer, as the till would keep it. */
static void record(const char *amount)
{
    struct run run;
    const struct fault_set none = {0};
    const struct options options = {.action = TILL_CHECKOUT,
                                    .url = url,
                                    .token = TOKEN,
                                    .card = "6036280000010010",
                                    .amount = amount,
                                    .company_id = 5678,
                                    .site_id = 923,
                                    .register_id = 9091,
                                    .order_id = 17,
                                    .has_order = true,
                                    .sign_mode = SIGN_HEX,
                                    .concurrent = 1,
                                    .timeout_s = 5};
    assert_int_equal(run_perform(&run, &options), 0);
    struct exchange exchange = {.press = 1,
                                .send = 1,
                                .sends = 1,
                                .options = &options,
                                .request = run.request,
                                .reply = &run.attempts[0].reply,
                                .judgement = &run.attempts[0].judgement,
                                .faults = &none};
    recording_add(&recording, &exchange, recording.began_us + recording.count * PRESS_GAP_US);
    run_destroy(&run);
    made_destroy(&file);
    recording_copy(&recording, &file);
}

static int replay(struct text text, struct replay_result *result)
{
    const struct replay_target target = {.config = config};
    return replay_run(text, &target, result);
}

static void assert_same_request(int recorded, int replayed)
{
    const struct tiny_request *first = tiny_await(partner, recorded);
    const struct tiny_request *again = tiny_await(partner, replayed);
    assert_string_equal(again->head, first->head);
    assert_non_null(strstr(first->head, "X-Kounta-Signature: "));
    assert_int_equal(again->body_length, first->body_length);
    assert_true(first->body_length > 0);
    assert_memory_equal(again->body, first->body, first->body_length);
}

static void what_was_recorded_is_sent_again_byte_for_byte(void **state)
{
    struct replay_result result;
    (void)state;
    for (int i = 0; i < 2; i++) {
        script(REPLY("{\"success\":true,\"amount\":25.50,\"balance\":1}", "43"));
        script(REPLY("{\"success\":false,\"error\":\"Not enough.\"}", "39"));
    }
    record("25.50");
    record("99.00");
    assert_int_equal(replay(made_text(&file), &result), 0);
    assert_int_equal(result.sent, 2);
    assert_int_equal(result.same_bytes, 2);
    assert_int_equal(result.differences, 0);
    assert_same_request(0, 2);
    assert_same_request(1, 3);
    made_destroy(&result.report);
}

static void an_answer_that_differs_is_told_and_other_spaces_are_not(void **state)
{
    struct replay_result result;
    struct jread *report = NULL;
    (void)state;
    script(REPLY("{\"success\":true,\"amount\":25.50,\"balance\":1}", "43"));
    script(REPLY("{\"success\":true,\"amount\":25.50,\"balance\":1}", "43"));
    script(REPLY("{\"success\":true,\"amount\":25.50,\"balance\":2}", "43"));
    script(REPLY("{\"success\":true,\"amount\":25.50, \"balance\":1}", "44"));
    record("25.50");
    record("25.50");
    assert_int_equal(replay(made_text(&file), &result), 0);
    assert_int_equal(result.differences, 1);
    assert_int_equal(result.same_bytes, 0);
    assert_int_equal(jread_parse(made_text(&result.report), &report), 0);
    const struct jread *exchanges = jread_member(report, "exchanges");
    const struct jread *differs = jread_member(jread_element(exchanges, 0), "differs");
    assert_int_equal(jread_count(differs), 1);
    assert_true(text_equal(bill_text(jread_element(differs, 0), "what"), TEXT("balance")));
    assert_true(text_equal(bill_text(jread_element(differs, 0), "recorded"), TEXT("1")));
    assert_true(text_equal(bill_text(jread_element(differs, 0), "replayed"), TEXT("2")));
    assert_int_equal(jread_count(jread_member(jread_element(exchanges, 1), "differs")), 0);
    jread_destroy(report);
    made_destroy(&result.report);
}

static void assert_refused(struct text text, const char *problem)
{
    struct replay_result result;
    int before = tiny_count(partner);
    assert_int_equal(replay(text, &result), ERR_JSON_SYNTAX);
    assert_string_equal(result.problem, problem);
    assert_int_equal(tiny_count(partner), before);
}

static void a_file_that_was_cut_is_refused_wherever_in_its_last_line_it_ends(void **state)
{
    struct replay_result result;
    (void)state;
    record("25.50");
    size_t opening = (size_t)(strchr(file.base, '\n') - file.base) + 1;
    for (size_t length = opening + 1; length < file.length - 1; length++)
        assert_refused((struct text){file.base, length},
                       "Line 2 is cut off: the file is not the whole recording.");
    assert_refused((struct text){file.base, opening}, "The recording is empty.");
    assert_refused((struct text){file.base, opening - 2},
                   "Line 1 is no beginning of a till's recording.");
    assert_int_equal(replay((struct text){file.base, file.length - 1}, &result), 0);
    assert_int_equal(result.sent, 1); /* an editor took its last line's end, no more */
    made_destroy(&result.report);
}

static void a_file_of_something_else_is_refused(void **state)
{
    static const struct {
        const char *text, *problem;
    } cases[] = {
        {"", "The recording is empty."},
        {"hello\n", "Line 1 is no beginning of a till's recording."},
        {"{\"log\":{\"version\":\"1.2\",\"entries\":[]}}",
         "Line 1 is no beginning of a till's recording."},
        {"{\"tillsim_recording\":0}\n", "Line 1 is no beginning of a till's recording."},
        {HEAD_LINE "\n", "The recording is empty."},
        {HEAD_LINE "{}\n", "Line 2 is no exchange of a till's recording."},
        {HEAD_LINE "{}", "Line 2 is no exchange of a till's recording."},
        {HEAD_LINE "\n[1]\n", "Line 3 is no exchange of a till's recording."},
        {HEAD_LINE "{\"a\":\n{}\n", "Line 2 is no exchange of a till's recording."},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_refused(text_of(cases[i].text), cases[i].problem);
}

static void one_of_a_newer_version_is_refused_by_its_number(void **state)
{
    (void)state;
    assert_refused(TEXT("{\"tillsim_recording\":2,\"started\":\"x\"}\n{\"new\":1}\n"),
                   "The recording is of version 2; this till reads version 1: replay it with a "
                   "newer one.");
}

static void one_bad_line_behind_good_ones_sends_nothing_at_all(void **state)
{
    struct made more = {0};
    struct text_buffer buffer;
    (void)state;
    record("25.50");
    made_reserve(&more, file.length + 8);
    text_buffer_init(&buffer, more.base, file.length + 8);
    text_append(&buffer, made_text(&file));
    text_append(&buffer, TEXT("{}\n"));
    assert_refused(text_buffer_text(&buffer), "Line 3 is no exchange of a till's recording.");
    made_destroy(&more);
}

#define REPLAY_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        REPLAY_TEST(what_was_recorded_is_sent_again_byte_for_byte),
        REPLAY_TEST(an_answer_that_differs_is_told_and_other_spaces_are_not),
        REPLAY_TEST(a_file_that_was_cut_is_refused_wherever_in_its_last_line_it_ends),
        REPLAY_TEST(a_file_of_something_else_is_refused),
        REPLAY_TEST(one_of_a_newer_version_is_refused_by_its_number),
        REPLAY_TEST(one_bad_line_behind_good_ones_sends_nothing_at_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
