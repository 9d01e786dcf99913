/*
 * The circuit breaker: when it opens, when it lets a probe through, and how its pauses grow.
 */
#include "store/redis_breaker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define NOW_US INT64_C(1000000)

static struct breaker make_closed(void)
{
    struct breaker breaker = {0};
    assert_true(breaker_may_probe(&breaker, NOW_US));
    breaker_note_probed(&breaker);
    assert_int_equal(breaker.state, BREAKER_CLOSED);
    return breaker;
}

static void fail_until_open(struct breaker *breaker, int64_t now_us)
{
    for (int i = 1; i < BREAKER_FAILURES_MAX; i++)
        assert_false(breaker_note_failure(breaker, now_us));
    assert_true(breaker_note_failure(breaker, now_us));
    assert_int_equal(breaker->state, BREAKER_OPEN);
}

static void a_new_one_wants_a_probe_first(void **state)
{
    (void)state;
    struct breaker breaker = {0};
    assert_int_equal(breaker.state, BREAKER_OPEN);
    assert_true(breaker_may_probe(&breaker, 0));
    assert_false(breaker_may_probe(&breaker, 0)); /* one at a time */
    assert_int_equal(breaker.state, BREAKER_PROBING);
}

static void failures_in_a_row_open_it_and_a_success_between_them_does_not(void **state)
{
    (void)state;
    struct breaker breaker = make_closed();
    for (int i = 0; i < 3 * BREAKER_FAILURES_MAX; i++) {
        assert_false(breaker_note_failure(&breaker, NOW_US));
        if (i % (BREAKER_FAILURES_MAX - 1) == 0)
            breaker_note_success(&breaker);
    }
    breaker_note_success(&breaker);
    fail_until_open(&breaker, NOW_US);
    assert_false(breaker_note_failure(&breaker, NOW_US)); /* it is open */
}

static void nobody_passes_until_the_pause_is_over(void **state)
{
    (void)state;
    struct breaker breaker = make_closed();
    fail_until_open(&breaker, NOW_US);
    assert_false(breaker_may_probe(&breaker, NOW_US + BREAKER_PAUSE_MIN_US - 1));
    assert_true(breaker_may_probe(&breaker, NOW_US + BREAKER_PAUSE_MIN_US));
}

static void pauses_double_up_to_a_limit_and_start_small_after_a_success(void **state)
{
    (void)state;
    struct breaker breaker = {0};
    int64_t now_us = NOW_US, pause_us = BREAKER_PAUSE_MIN_US;
    for (int i = 0; i < 10; i++) {
        assert_true(breaker_may_probe(&breaker, now_us));
        if (i % 2 == 0)
            breaker_note_probed(&breaker); /* what answers probes only is asked ever less */
        breaker_note_lost(&breaker, now_us);
        assert_int_equal(breaker.open_until_us - now_us, pause_us);
        now_us = breaker.open_until_us;
        pause_us = pause_us * 2 > BREAKER_PAUSE_MAX_US ? BREAKER_PAUSE_MAX_US : pause_us * 2;
    }
    assert_int_equal(pause_us, BREAKER_PAUSE_MAX_US);
    assert_true(breaker_may_probe(&breaker, now_us));
    breaker_note_probed(&breaker);
    breaker_note_success(&breaker);
    breaker_note_lost(&breaker, now_us);
    assert_int_equal(breaker.open_until_us - now_us, BREAKER_PAUSE_MIN_US);
}

static void a_loss_while_it_is_open_does_not_lengthen_the_pause(void **state)
{
    (void)state;
    struct breaker breaker = make_closed();
    fail_until_open(&breaker, NOW_US);
    breaker_note_lost(&breaker, NOW_US + 1);
    assert_int_equal(breaker.open_until_us, NOW_US + BREAKER_PAUSE_MIN_US);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_one_wants_a_probe_first),
        cmocka_unit_test(failures_in_a_row_open_it_and_a_success_between_them_does_not),
        cmocka_unit_test(nobody_passes_until_the_pause_is_over),
        cmocka_unit_test(pauses_double_up_to_a_limit_and_start_small_after_a_success),
        cmocka_unit_test(a_loss_while_it_is_open_does_not_lengthen_the_pause),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
