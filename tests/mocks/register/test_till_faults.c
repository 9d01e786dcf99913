/* Faults: armed for one press, or always, or thrown by a seed. */
#include "mocks/register/till_faults.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/banned.h"

/* Changes faults; the word of the refusal, or NULL. */
static int put(struct till_faults *faults, const char *body)
{
    struct jread *json = NULL;
    struct till_answer answer = {0};
    assert_int_equal(jread_parse(text_of(body), &json), 0);
    bool is_good = till_faults_read(faults, json, &answer);
    jread_destroy(json);
    made_destroy(&answer.body);
    return is_good ? 200 : answer.status;
}

static void what_is_armed_is_for_one_press_but_states_stay(void **state)
{
    struct till_faults faults;
    (void)state;
    till_faults_init(&faults, 1);
    assert_int_equal(put(&faults, "{\"next\":{\"drop_reply\":true,\"send_twice\":\"concurrent\","
                                  "\"delay_ms\":7,\"unregistered_token\":true,"
                                  "\"clock_skew_s\":-5}}"),
                     200);
    struct fault_set first = till_faults_take(&faults), second = till_faults_take(&faults);
    assert_true(first.drops_reply && first.twice == SEND_CONCURRENT && first.delay_ms == 7);
    assert_false(second.drops_reply || second.twice != SEND_ONCE || second.delay_ms != 0);
    assert_true(second.is_unregistered && second.clock_skew_s == -5);
}

static void always_keeps_it_armed_until_it_is_disarmed(void **state)
{
    struct till_faults faults;
    (void)state;
    till_faults_init(&faults, 1);
    assert_int_equal(put(&faults, "{\"next\":{\"wrong_signature\":true},\"always\":true}"), 200);
    for (int i = 0; i < 3; i++)
        assert_true(till_faults_take(&faults).has_wrong_signature);
    assert_int_equal(put(&faults, "{\"next\":{}}"), 200);
    assert_false(till_faults_take(&faults).has_wrong_signature);
}

static void draw(int64_t seed, bool drops[200])
{
    struct till_faults faults;
    till_faults_init(&faults, seed);
    faults.percents[CHANCE_DROP_REPLY] = 25;
    for (size_t i = 0; i < 200; i++)
        drops[i] = till_faults_take(&faults).drops_reply;
}

static void a_seed_decides_and_percents_are_about_kept(void **state)
{
    bool first[200], again[200], other[200];
    size_t count = 0, different = 0;
    (void)state;
    draw(7, first);
    draw(7, again);
    draw(8, other);
    for (size_t i = 0; i < 200; i++) {
        assert_int_equal(first[i], again[i]);
        count += first[i];
        different += first[i] != other[i];
    }
    assert_in_range(count, 25, 75);
    assert_true(different > 0);
}

static void chances_of_0_and_100_are_never_and_always(void **state)
{
    struct till_faults faults;
    (void)state;
    till_faults_init(&faults, 3);
    assert_int_equal(put(&faults, "{\"chance\":{\"seed\":9,\"send_at_once\":100,\"delay\":100,"
                                  "\"delay_ms\":40}}"),
                     200);
    assert_int_equal(faults.seed, 9);
    for (int i = 0; i < 100; i++) {
        struct fault_set set = till_faults_take(&faults);
        assert_true(set.twice == SEND_AT_ONCE && set.delay_ms == 40);
        assert_false(set.drops_reply || set.resets_mid_reply || set.has_wrong_signature);
    }
}

static void what_is_no_fault_is_refused(void **state)
{
    static const struct {
        const char *body;
        int status;
    } BAD[] = {{"{\"next\":[]}", 400},
               {"{\"nxt\":{}}", 400},
               {"{\"next\":{\"drop\":true}}", 400},
               {"{\"next\":{\"drop_reply\":1}}", 400},
               {"{\"next\":{\"send_twice\":\"thrice\"}}", 422},
               {"{\"next\":{\"delay_ms\":60001}}", 422},
               {"{\"chance\":{\"drop_reply\":101}}", 422},
               {"{\"chance\":{\"seed\":-1}}", 422},
               {"{\"always\":\"yes\"}", 400}};
    struct till_faults faults;
    (void)state;
    till_faults_init(&faults, 1);
    for (size_t i = 0; i < COUNT_OF(BAD); i++)
        assert_int_equal(put(&faults, BAD[i].body), BAD[i].status);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_armed_is_for_one_press_but_states_stay),
        cmocka_unit_test(always_keeps_it_armed_until_it_is_disarmed),
        cmocka_unit_test(a_seed_decides_and_percents_are_about_kept),
        cmocka_unit_test(chances_of_0_and_100_are_never_and_always),
        cmocka_unit_test(what_is_no_fault_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
