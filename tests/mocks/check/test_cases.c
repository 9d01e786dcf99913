/*
 * The table of cases: ids, groups, what a case needs, and which words pick it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "mocks/check/report.h"

/* Everything a partner can give. */
static struct settings all_settings(void)
{
    return (struct settings){.target = "http://127.0.0.1:1/oseries/key",
                             .token = "token",
                             .card = "6036280000010010",
                             .empty_card = "1",
                             .pin_card = "2*3",
                             .stock_card = "4",
                             .keyword = "kent",
                             .cloud = "http://127.0.0.1:2",
                             .surfaces = SURFACE_PAYMENTS | SURFACE_LOYALTY,
                             .profile = PROFILE_STRICT};
}

static const struct check_case *case_of(const char *id)
{
    size_t count;
    const struct check_case *cases = cases_all(&count);
    for (size_t i = 0; i < count; i++)
        if (strcmp(cases[i].id, id) == 0)
            return &cases[i];
    fail_msg("there is no case %s", id);
    return NULL;
}

static void every_case_has_an_id_of_its_own_a_group_and_its_words(void **state)
{
    (void)state;
    size_t count;
    const struct check_case *cases = cases_all(&count);
    assert_in_range(count, 60, CASES_MAX);
    for (size_t i = 0; i < count; i++) {
        const struct result result = {.check = &cases[i]};
        assert_true(result_group(&result).length > 0);
        assert_true(strlen(result_group_title(&result)) > 0);
        assert_true(cases[i].title[0] != '\0' && cases[i].consequence[0] != '\0');
        assert_non_null(cases[i].run);
        for (size_t other = 0; other < i; other++)
            if (strcmp(cases[other].id, cases[i].id) == 0 || cases[other].run == cases[i].run)
                fail_msg("%s stands twice", cases[i].id);
    }
}

/* The reports walk from group to group: each must stand together. */
static void the_cases_of_a_group_stand_together(void **state)
{
    (void)state;
    size_t count;
    const struct check_case *cases = cases_all(&count);
    for (size_t i = 1; i < count; i++) {
        struct text group = result_group(&(struct result){.check = &cases[i]});
        if (text_equal(group, result_group(&(struct result){.check = &cases[i - 1]})))
            continue;
        for (size_t before = 0; before < i; before++)
            assert_false(
                text_equal(group, result_group(&(struct result){.check = &cases[before]})));
    }
}

static void a_word_picks_its_group_and_an_id_itself_alone(void **state)
{
    (void)state;
    const struct picks group = {.id = {"once"}, .count = 1};
    assert_true(picks_hold(&group, "once-retry"));
    assert_true(picks_hold(&group, "once-retry-later"));
    assert_false(picks_hold(&group, "onceretry"));
    assert_false(picks_hold(&group, "shape-status"));
    const struct picks id = {.id = {"shape-status", "once-retry"}, .count = 2};
    assert_true(picks_hold(&id, "once-retry"));
    assert_false(picks_hold(&id, "once-retry-later"));
    assert_false(picks_hold(&(struct picks){.count = 0}, "once-retry"));
}

static void with_everything_given_every_case_is_possible(void **state)
{
    (void)state;
    struct settings settings = all_settings();
    size_t count;
    char why[SENTENCE_MAX];
    const struct check_case *cases = cases_all(&count);
    for (size_t i = 0; i < count; i++)
        if (!case_is_possible(&cases[i], &settings, why))
            fail_msg("%s: %s", cases[i].id, why);
}

static void what_is_missing_is_told_with_its_option(void **state)
{
    (void)state;
    char why[SENTENCE_MAX];
    struct settings settings = all_settings();
    settings.card = NULL;
    assert_false(case_is_possible(case_of("once-retry"), &settings, why));
    assert_non_null(strstr(why, "--card"));
    settings = all_settings();
    settings.token = NULL;
    assert_false(case_is_possible(case_of("signature-wrong"), &settings, why));
    assert_non_null(strstr(why, "--token"));
    settings = all_settings();
    settings.is_without[TILL_REFUND] = true;
    assert_false(case_is_possible(case_of("refund-gives-back"), &settings, why));
    assert_non_null(strstr(why, "--refund-url"));
    settings = all_settings();
    settings.card = "ABC-1";
    assert_false(case_is_possible(case_of("card-swipe"), &settings, why));
    assert_non_null(strstr(why, "digits"));
    settings = all_settings();
    settings.profile = PROFILE_LENIENT;
    assert_false(case_is_possible(case_of("shape-status"), &settings, why));
    assert_non_null(strstr(why, "--profile strict"));
    assert_true(case_is_possible(case_of("shape-object"), &settings, why));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_case_has_an_id_of_its_own_a_group_and_its_words),
        cmocka_unit_test(the_cases_of_a_group_stand_together),
        cmocka_unit_test(a_word_picks_its_group_and_an_id_itself_alone),
        cmocka_unit_test(with_everything_given_every_case_is_possible),
        cmocka_unit_test(what_is_missing_is_told_with_its_option),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
