/* A grant's life: the table of moves, and what follows from its times. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "oauth/life.h"

#define S INT64_C(1000000)
#define DAY_US (86400 * S)
#define T0 (1790000000 * S)

static void on_check(const char *expression, const char *file, int line)
{
    mock_assert(0, expression, file, line);
}

/* An hour's token, connected at T0. */
static struct grant grant_of(void)
{
    return (struct grant){.tenant_id = 1,
                          .surface = APP_OSERIES,
                          .kind = GRANT_OAUTH,
                          .status = GRANT_CONNECTED,
                          .access_token = "a",
                          .refresh_token = "r",
                          .refreshed_at_us = T0,
                          .expires_at_us = T0 + 3600 * S,
                          .version = 1};
}

/* --- the table */

static const struct {
    enum life_phase from, to;
} moves[] = {
    {LIFE_ABSENT, LIFE_CHANGING}, {LIFE_READY, LIFE_LEASING},   {LIFE_READY, LIFE_CHANGING},
    {LIFE_ENDED, LIFE_LEASING},   {LIFE_ENDED, LIFE_CHANGING},  {LIFE_LEASING, LIFE_ASKING},
    {LIFE_LEASING, LIFE_WRITING}, {LIFE_LEASING, LIFE_READING}, {LIFE_LEASING, LIFE_READY},
    {LIFE_LEASING, LIFE_ENDED},   {LIFE_ASKING, LIFE_WRITING},  {LIFE_ASKING, LIFE_READING},
    {LIFE_WRITING, LIFE_READING}, {LIFE_WRITING, LIFE_READY},   {LIFE_WRITING, LIFE_ENDED},
    {LIFE_WRITING, LIFE_ABSENT},  {LIFE_READING, LIFE_WRITING}, {LIFE_READING, LIFE_READY},
    {LIFE_READING, LIFE_ENDED},   {LIFE_READING, LIFE_ABSENT},  {LIFE_CHANGING, LIFE_READY},
    {LIFE_CHANGING, LIFE_ENDED},  {LIFE_CHANGING, LIFE_ABSENT},
};

static bool is_listed(enum life_phase from, enum life_phase to)
{
    for (size_t i = 0; i < COUNT_OF(moves); i++)
        if (moves[i].from == from && moves[i].to == to)
            return true;
    return false;
}

static void a_grant_moves_along_its_table_and_not_otherwise(void **state)
{
    (void)state;
    check_hook = on_check;
    for (int from = 0; from < LIFE_PHASES; from++)
        for (int to = 0; to < LIFE_PHASES; to++) {
            enum life_phase phase = (enum life_phase)from;
            if (is_listed(phase, (enum life_phase)to)) {
                life_move(&phase, (enum life_phase)to);
                assert_int_equal(phase, to);
            } else {
                expect_assert_failure(life_move(&phase, (enum life_phase)to));
                assert_int_equal(phase, from);
            }
        }
    check_hook = NULL;
}

static void nothing_is_under_way_in_three_phases(void **state)
{
    (void)state;
    for (int phase = 0; phase < LIFE_PHASES; phase++)
        assert_int_equal(life_is_resting((enum life_phase)phase),
                         phase == LIFE_ABSENT || phase == LIFE_READY || phase == LIFE_ENDED);
}

static void a_grant_rests_where_its_status_says(void **state)
{
    struct grant grant = grant_of();
    (void)state;
    assert_int_equal(life_rest_of(&grant), LIFE_READY);
    grant.status = GRANT_RECONNECT_REQUIRED;
    assert_int_equal(life_rest_of(&grant), LIFE_ENDED);
    grant.status = GRANT_REVOKED;
    assert_int_equal(life_rest_of(&grant), LIFE_ABSENT);
    grant.status = GRANT_CONNECTED;
    grant.version = 0;
    assert_int_equal(life_rest_of(&grant), LIFE_ABSENT);
}

/* --- times */

static void a_pair_is_due_at_three_quarters_of_its_life(void **state)
{
    struct grant grant = grant_of();
    (void)state;
    assert_int_equal(life_next_attempt_us(&grant, DAY_US), T0 + 2700 * S);
    grant.expires_at_us = T0 + S;
    assert_int_equal(life_next_attempt_us(&grant, DAY_US), T0 + 750000);
}

static void a_pair_of_long_life_is_due_when_the_tenant_says(void **state)
{
    struct grant grant = grant_of();
    (void)state;
    grant.expires_at_us = T0 + 30 * DAY_US;
    assert_int_equal(life_next_attempt_us(&grant, DAY_US), T0 + DAY_US);
    assert_int_equal(life_next_attempt_us(&grant, 60 * S), T0 + 60 * S);
}

static void basic_authentication_is_never_due(void **state)
{
    struct grant grant = grant_of();
    (void)state;
    grant.kind = GRANT_BASIC;
    grant.expires_at_us = 0;
    assert_int_equal(life_next_attempt_us(&grant, DAY_US), LIFE_NEVER_US);
    assert_int_equal(life_alarm_us(&grant, DAY_US), LIFE_NEVER_US);
    grant.access_token[0] = '\0';
    assert_true(life_is_usable(&grant, INT64_MAX - 1));
    grant.status = GRANT_REVOKED;
    assert_false(life_is_usable(&grant, T0));
}

static void nothing_is_tried_on_what_is_not_connected(void **state)
{
    struct grant grant = grant_of();
    (void)state;
    grant.status = GRANT_RECONNECT_REQUIRED;
    assert_int_equal(life_next_attempt_us(&grant, DAY_US), LIFE_NEVER_US);
    grant.status = GRANT_REVOKED;
    assert_int_equal(life_next_attempt_us(&grant, DAY_US), LIFE_NEVER_US);
}

static void attempts_back_off_from_a_second_to_five_minutes(void **state)
{
    static const int64_t waits_s[] = {1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300};
    struct grant grant = grant_of();
    (void)state;
    grant.failed_at_us = T0 + 77 * S;
    for (size_t i = 0; i < COUNT_OF(waits_s); i++) {
        grant.failures = (int32_t)i + 1;
        assert_int_equal(life_next_attempt_us(&grant, DAY_US), T0 + (77 + waits_s[i]) * S);
    }
    grant.failures = INT32_MAX;
    assert_int_equal(life_next_attempt_us(&grant, DAY_US), T0 + 377 * S);
}

static void the_alarm_comes_after_failures_and_before_the_end(void **state)
{
    struct grant grant = grant_of();
    (void)state;
    assert_int_equal(life_alarm_us(&grant, DAY_US), LIFE_NEVER_US);
    grant.failures = 1;
    grant.failed_at_us = T0 + 2700 * S;
    assert_int_equal(life_alarm_us(&grant, DAY_US), T0 + (2700 + 225) * S);
    assert_true(life_alarm_us(&grant, DAY_US) < grant.expires_at_us);
    grant.expires_at_us = T0 + 30 * DAY_US; /* due after a day, a quarter of 29 days later */
    assert_int_equal(life_alarm_us(&grant, DAY_US), T0 + DAY_US + 29 * DAY_US / 4);
    grant.expires_at_us = T0; /* it never lived */
    assert_int_equal(life_alarm_us(&grant, DAY_US), T0);
}

static void a_required_reconnect_alarms_at_once_and_a_revocation_never(void **state)
{
    struct grant grant = grant_of();
    (void)state;
    grant.status = GRANT_RECONNECT_REQUIRED;
    assert_int_equal(life_alarm_us(&grant, DAY_US), 0);
    grant.status = GRANT_REVOKED;
    grant.failures = 5;
    assert_int_equal(life_alarm_us(&grant, DAY_US), LIFE_NEVER_US);
}

static void a_token_is_usable_until_shortly_before_its_end(void **state)
{
    struct grant grant = grant_of();
    (void)state;
    assert_true(life_is_usable(&grant, T0));
    assert_true(life_is_usable(&grant, T0 + 3595 * S - 1));
    assert_false(life_is_usable(&grant, T0 + 3595 * S));
    grant.expires_at_us = T0 + S;
    assert_true(life_is_usable(&grant, T0 + 875000 - 1));
    assert_false(life_is_usable(&grant, T0 + 875000));
    assert_true(
        life_is_usable(&grant, life_next_attempt_us(&grant, DAY_US))); /* while it is refreshed */
}

static void what_was_written_in_the_future_is_due_now(void **state)
{
    struct grant grant = grant_of();
    const int64_t now_us = T0 - 3 * DAY_US;
    (void)state;
    life_doubt_future(&grant, now_us);
    assert_int_equal(life_next_attempt_us(&grant, DAY_US), now_us);
    assert_true(life_is_usable(&grant, now_us));
    assert_false(life_is_usable(&grant, now_us + 900 * S));
    grant.failures = 1;
    grant.failed_at_us = T0;
    life_doubt_future(&grant, now_us);
    assert_int_equal(life_next_attempt_us(&grant, DAY_US), now_us + LIFE_BACKOFF_MIN_US);
    assert_int_equal(life_alarm_us(&grant, DAY_US), now_us + 225 * S);
    grant = grant_of();
    life_doubt_future(&grant, T0); /* the present is not doubted */
    assert_int_equal(grant.refreshed_at_us, T0);
    grant.expires_at_us = T0 - S; /* no sense in it at all */
    life_doubt_future(&grant, now_us);
    assert_int_equal(life_next_attempt_us(&grant, DAY_US), now_us);
    grant = grant_of();
    grant.kind = GRANT_BASIC;
    grant.expires_at_us = 0;
    life_doubt_future(&grant, now_us);
    assert_int_equal(grant.expires_at_us, 0);
}

/* The refresh token has ended, but what was given with it before has not. */
static void a_token_outlives_the_need_to_reconnect_but_no_revocation(void **state)
{
    struct grant grant = grant_of();
    (void)state;
    grant.status = GRANT_RECONNECT_REQUIRED;
    assert_true(life_is_usable(&grant, T0));
    assert_false(life_is_usable(&grant, T0 + 3600 * S));
    grant.access_token[0] = '\0';
    assert_false(life_is_usable(&grant, T0));
    grant = grant_of();
    grant.status = GRANT_REVOKED;
    assert_false(life_is_usable(&grant, T0));
    grant = grant_of();
    grant.version = 0;
    assert_false(life_is_usable(&grant, T0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_grant_moves_along_its_table_and_not_otherwise),
        cmocka_unit_test(nothing_is_under_way_in_three_phases),
        cmocka_unit_test(a_grant_rests_where_its_status_says),
        cmocka_unit_test(a_pair_is_due_at_three_quarters_of_its_life),
        cmocka_unit_test(a_pair_of_long_life_is_due_when_the_tenant_says),
        cmocka_unit_test(basic_authentication_is_never_due),
        cmocka_unit_test(nothing_is_tried_on_what_is_not_connected),
        cmocka_unit_test(attempts_back_off_from_a_second_to_five_minutes),
        cmocka_unit_test(the_alarm_comes_after_failures_and_before_the_end),
        cmocka_unit_test(a_required_reconnect_alarms_at_once_and_a_revocation_never),
        cmocka_unit_test(a_token_is_usable_until_shortly_before_its_end),
        cmocka_unit_test(what_was_written_in_the_future_is_due_now),
        cmocka_unit_test(a_token_outlives_the_need_to_reconnect_but_no_revocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
