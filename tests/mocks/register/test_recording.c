/* What a recording keeps: a line about itself, and one for every exchange while it is on. */
#include "mocks/register/recording.h"

#include "mocks/register/bill.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/banned.h"

#define SEED 7

static struct recording recording;
static struct request *request;
static char head[1];

static int set_up(void **state)
{
    (void)state;
    recording_init(&recording);
    request = calloc(1, sizeof(*request));
    assert_non_null(request);
    request->method = "POST";
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    recording_finish(&recording);
    free(request);
    return 0;
}

static void add(char *body, size_t length, int64_t began_at_us)
{
    const struct options options = {.action = TILL_CHECKOUT};
    const struct reply reply = {
        .status = 200, .head = head, .sent_head = head, .body = body, .body_length = length};
    const struct judgement judgement = {.ending = ENDING_APPROVED};
    const struct fault_set none = {0};
    struct exchange exchange = {.options = &options,
                                .request = request,
                                .reply = &reply,
                                .judgement = &judgement,
                                .faults = &none};
    recording_add(&recording, &exchange, began_at_us);
}

/* Every line is JSON and has its end. */
static size_t lines(struct jread **first, struct jread **last)
{
    size_t count = 0;
    struct made made = {0};
    recording_copy(&recording, &made);
    struct text rest = made_text(&made);
    *first = *last = NULL;
    while (rest.length > 0) {
        const char *end = memchr(rest.base, '\n', rest.length);
        assert_non_null(end);
        struct text line = text_slice(rest, 0, (size_t)(end - rest.base));
        if (*last != *first)
            jread_destroy(*last);
        assert_int_equal(jread_parse(line, last), 0);
        *first = count++ == 0 ? *last : *first;
        rest = text_slice(rest, line.length + 1, rest.length);
    }
    made_destroy(&made);
    return count;
}

static void destroy(struct jread *first, struct jread *last)
{
    if (last != first)
        jread_destroy(last);
    jread_destroy(first);
}

static void a_recording_says_what_it_is_and_then_what_was_sent_and_came(void **state)
{
    struct jread *first, *last;
    char body[] = {'{', '\0', '\xff', '}'};
    (void)state;
    request->body = TEXT("{\"amount\":5}");
    recording_begin(&recording, 1766400000000000, SEED);
    add(body, sizeof(body), recording.began_us + 250);
    assert_int_equal(lines(&first, &last), 2);
    assert_int_equal(bill_id(first, "tillsim_recording"), RECORDING_VERSION);
    assert_int_equal(bill_id(first, "seed"), SEED);
    assert_true(text_equal(bill_text(first, "started"), TEXT("2025-12-22T10:40:00.000000Z")));
    assert_int_equal(bill_id(last, "offset_us"), 250);
    assert_true(text_equal(bill_text(last, "body_base64"), TEXT("eyJhbW91bnQiOjV9")));
    assert_true(text_equal(bill_text(last, "reply_body_base64"), TEXT("ewD/fQ==")));
    assert_int_equal(recording.count, 1);
    destroy(first, last);
}

static void what_was_sent_before_or_after_it_was_on_is_not_in_it(void **state)
{
    struct jread *first, *last;
    (void)state;
    add(head, 0, 1);
    assert_int_equal(lines(&first, &last), 0);
    recording_begin(&recording, 0, SEED);
    add(head, 0, recording.began_us - 1);
    add(head, 0, recording.began_us);
    recording_end(&recording);
    add(head, 0, recording.began_us + 1);
    assert_int_equal(lines(&first, &last), 2);
    assert_int_equal(recording.count, 1);
    destroy(first, last);
}

static void one_that_is_begun_anew_has_forgotten_the_one_before(void **state)
{
    struct jread *first, *last;
    (void)state;
    recording_begin(&recording, 0, SEED);
    add(head, 0, recording.began_us);
    recording_begin(&recording, 0, SEED + 1);
    assert_int_equal(lines(&first, &last), 1);
    assert_int_equal(bill_id(first, "seed"), SEED + 1);
    assert_int_equal(recording.count, 0);
    destroy(first, last);
}

static void what_does_not_fit_is_left_out_whole_and_said(void **state)
{
    struct jread *first, *last;
    size_t length = RECORDING_BYTES_MAX / 3; /* four thirds of it as base64 */
    char *body = calloc(1, length);
    (void)state;
    assert_non_null(body);
    recording_begin(&recording, 0, SEED);
    for (int i = 0; i < 3; i++)
        add(body, length, recording.began_us);
    assert_true(recording.is_full);
    assert_int_equal(recording.count, 2);
    assert_true(recording.lines.length <= RECORDING_BYTES_MAX);
    assert_int_equal(lines(&first, &last), 3);
    destroy(first, last);
    free(body);
}

#define RECORDING_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RECORDING_TEST(a_recording_says_what_it_is_and_then_what_was_sent_and_came),
        RECORDING_TEST(what_was_sent_before_or_after_it_was_on_is_not_in_it),
        RECORDING_TEST(one_that_is_begun_anew_has_forgotten_the_one_before),
        RECORDING_TEST(what_does_not_fit_is_left_out_whole_and_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
