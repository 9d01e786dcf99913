/*
 * Walks the table of payments onto orders that are not ours (format in foreign.table), for both
 * effects, through the judgement itself and through the decisions that ask it; and the table of
 * moves of an approval.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/check.h"
#include "ledger/ledger.h"
#include "ledger/points.h"
#include "tests/support/view_memory.h"

#define TODAY 20000
#define TENANT 7
#define NOW_US (INT64_C(1800000000) * 1000000)

struct row {
    struct foreign_approval approval;
    int64_t amount_minor, paid_minor, limit_minor;
    bool has_limit;
    enum foreign_verdict verdict;
};

static bool state_seen[FOREIGN_REVOKED + 1], verdict_seen[FOREIGN_SUSPENDED + 1];

static int64_t number_after(const char *word, const char *name)
{
    size_t length = strlen(name);
    return strncmp(word, name, length) == 0 ? strtoll(word + length, NULL, 10) : INT64_MIN;
}

static bool take(const char *word, const char *name, int64_t *number)
{
    int64_t found = number_after(word, name);
    if (found != INT64_MIN)
        *number = found;
    return found != INT64_MIN;
}

static void read_state(struct row *row, char *word)
{
    for (int each = 0; each <= FOREIGN_REVOKED; each++) {
        if (strcmp(foreign_state_name((enum foreign_state)each), word) == 0) {
            row->approval.state = (enum foreign_state)each;
            state_seen[each] = true;
            return;
        }
    }
    fail_msg("no state %s", word);
}

static void read_limit(struct row *row, char *word)
{
    int64_t days;
    if (strcmp(word, "suspended") == 0)
        row->approval.is_suspended = true;
    else if (take(word, "until=", &days))
        row->approval.expires_on = (int32_t)(TODAY + days);
    else if (!take(word, "max=", &row->approval.payment_max_minor) &&
             !take(word, "day=", &row->approval.day_max_minor))
        fail_msg("unknown limit %s", word);
}

static void read_payment(struct row *row, char *word)
{
    if (!take(word, "paid=", &row->paid_minor) && !take(word, "", &row->amount_minor))
        fail_msg("unknown payment %s", word);
}

static void read_verdict(struct row *row, char *word)
{
    if (take(word, "limit=", &row->limit_minor)) {
        row->has_limit = true;
        return;
    }
    for (int each = 0; each <= FOREIGN_SUSPENDED; each++) {
        if (strcmp(foreign_verdict_name((enum foreign_verdict)each), word) == 0) {
            row->verdict = (enum foreign_verdict)each;
            verdict_seen[each] = true;
            return;
        }
    }
    fail_msg("no verdict %s", word);
}

static void read_row(struct row *row, char *line)
{
    void (*const columns[])(struct row *, char *) = {read_state, read_limit, read_payment,
                                                     read_verdict};
    char *rest = line;
    *row = (struct row){0};
    for (size_t i = 0; i < COUNT_OF(columns); i++) {
        char *inner = NULL, *column = strsep(&rest, "|");
        if (column == NULL)
            fail_msg("a case has 4 columns");
        for (char *word = strtok_r(column, " \n", &inner); word != NULL;
             word = strtok_r(NULL, " \n", &inner))
            columns[i](row, word);
    }
    assert_true(row->amount_minor > 0);
}

/* --- through a charge --- */

static enum result result_of(enum foreign_verdict verdict)
{
    static const enum result results[] = {
        [FOREIGN_ALLOWED] = RESULT_OK,
        [FOREIGN_NOT_APPROVED] = RESULT_NOT_APPROVED,
        [FOREIGN_EXPIRED] = RESULT_APPROVAL_EXPIRED,
        [FOREIGN_OVER_PAYMENT_MAX] = RESULT_OVER_APPROVED,
        [FOREIGN_OVER_DAY_MAX] = RESULT_OVER_APPROVED_DAY,
        [FOREIGN_SUSPENDED] = RESULT_APPROVAL_SUSPENDED,
    };
    return results[verdict];
}

static void walk_charge(const struct row *row)
{
    struct view view;
    struct outcome outcome;
    view_memory_init(&view);
    view.cards[0] =
        (struct view_card){.card = {.id = 1, .tenant_id = TENANT, .status = CARD_ACTIVE},
                           .operation_newest = VIEW_NONE};
    view.cards[0].card.balance_minor = row->amount_minor;
    view.card_count = 1;
    view.foreign_days[0].day = (struct foreign_day){TENANT, TODAY, row->paid_minor};
    view.foreign_days[0].approval = row->approval;
    view.foreign_day_count = 1;
    view.next_operation_id = view.next_transfer_id = 100;
    const struct scope scope = {.card = 0, .day = VIEW_NONE, .foreign_day = 0};
    const struct command command = {.action = ACTION_CHARGE,
                                    .tenant_id = TENANT,
                                    .order_id = 5,
                                    .asked_minor = row->amount_minor,
                                    .local_date = TODAY,
                                    .received_at_us = NOW_US,
                                    .payment_is_ours = true};
    bool is_allowed = row->verdict == FOREIGN_ALLOWED;
    ledger_decide(&view, &scope, 0, &command, NOW_US, &outcome);
    assert_string_equal(result_name(outcome.result), result_name(result_of(row->verdict)));
    assert_int_equal(outcome.foreign_minor, row->amount_minor);
    assert_int_equal(view.foreign_days[0].is_changed, is_allowed);
    assert_int_equal(view.foreign_days[0].day.paid_minor,
                     row->paid_minor + (is_allowed ? row->amount_minor : 0));
    assert_int_equal(view.transfer_count, is_allowed);
    if (row->has_limit)
        assert_int_equal(outcome.limit_minor, row->limit_minor);
    view_memory_finish(&view);
}

/* --- through points --- */

static enum points_result points_result_of(enum foreign_verdict verdict)
{
    static const enum points_result results[] = {
        [FOREIGN_ALLOWED] = POINTS_OK,
        [FOREIGN_NOT_APPROVED] = POINTS_NOT_APPROVED,
        [FOREIGN_EXPIRED] = POINTS_APPROVAL_EXPIRED,
        [FOREIGN_OVER_PAYMENT_MAX] = POINTS_OVER_APPROVED,
        [FOREIGN_OVER_DAY_MAX] = POINTS_OVER_APPROVED_DAY,
        [FOREIGN_SUSPENDED] = POINTS_APPROVAL_SUSPENDED,
    };
    return results[verdict];
}

static void walk_points(const struct row *row)
{
    struct points_view view = {.has_account = true,
                               .account = {.member_id = 1, .points = 50, .is_active = true},
                               .has_reward = true,
                               .approval = row->approval,
                               .foreign_paid_minor = row->paid_minor,
                               .next_reservation_id = 9};
    const struct points_command command = {.action = POINTS_RESERVE,
                                           .tenant_id = TENANT,
                                           .member_id = 1,
                                           .points = 20,
                                           .order_id = 5,
                                           .reward_id = 3,
                                           .pays_minor = row->amount_minor,
                                           .local_date = TODAY,
                                           .token_id = "t"};
    struct points_changes changes;
    struct points_outcome outcome;
    points_decide(&view, &command, NOW_US, &changes, &outcome);
    assert_string_equal(points_result_name(outcome.result),
                        points_result_name(points_result_of(row->verdict)));
    assert_true(changes.has_attempt);
    assert_int_equal(changes.verdict, row->verdict);
    assert_int_equal(changes.reservation_is_new, row->verdict == FOREIGN_ALLOWED);
    assert_int_equal(outcome.account.points_held, row->verdict == FOREIGN_ALLOWED ? 20 : 0);
    if (row->has_limit)
        assert_int_equal(outcome.limit_minor, row->limit_minor);
}

/* --- tests --- */

static void every_line_is_judged_alike_for_both_effects(void **state)
{
    char line[512];
    int cases = 0;
    FILE *file = fopen(TESTS_DIR "/ledger/foreign.table", "r");
    (void)state;
    assert_non_null(file);
    while (fgets(line, sizeof(line), file) != NULL) {
        struct row row;
        if (line[0] == '#' || line[0] == '\n')
            continue;
        print_message("%s", line);
        read_row(&row, line);
        assert_int_equal(foreign_judge(&row.approval, row.amount_minor, TODAY, row.paid_minor),
                         row.verdict);
        walk_charge(&row);
        walk_points(&row);
        cases++;
    }
    fclose(file);
    assert_true(cases > 30);
}

static void every_state_and_verdict_has_a_line(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(state_seen); i++)
        assert_true(state_seen[i]);
    for (size_t i = 0; i < COUNT_OF(verdict_seen); i++)
        assert_true(verdict_seen[i]);
}

static void approvals_move_along_their_table_only(void **state)
{
    static const struct {
        enum foreign_state from, to;
    } moves[] = {
        {FOREIGN_NOT_REQUESTED, FOREIGN_REQUESTED}, {FOREIGN_REQUESTED, FOREIGN_UNDER_REVIEW},
        {FOREIGN_REQUESTED, FOREIGN_APPROVED},      {FOREIGN_REQUESTED, FOREIGN_REFUSED},
        {FOREIGN_UNDER_REVIEW, FOREIGN_APPROVED},   {FOREIGN_UNDER_REVIEW, FOREIGN_REFUSED},
        {FOREIGN_APPROVED, FOREIGN_APPROVED},       {FOREIGN_APPROVED, FOREIGN_REVOKED},
        {FOREIGN_REFUSED, FOREIGN_REQUESTED},       {FOREIGN_REVOKED, FOREIGN_REQUESTED},
    };
    (void)state;
    for (int from = FOREIGN_NOT_REQUESTED; from <= FOREIGN_REVOKED; from++)
        for (int to = FOREIGN_NOT_REQUESTED; to <= FOREIGN_REVOKED; to++) {
            bool is_listed = false;
            for (size_t i = 0; i < COUNT_OF(moves); i++)
                is_listed |= (int)moves[i].from == from && (int)moves[i].to == to;
            assert_int_equal(foreign_may_move((enum foreign_state)from, (enum foreign_state)to),
                             is_listed);
        }
}

static void only_a_final_403_suspends(void **state)
{
    (void)state;
    assert_true(foreign_suspends(FOREIGN_UNPAID, 403));
    assert_false(foreign_suspends(FOREIGN_UNPAID, 0));
    assert_false(foreign_suspends(FOREIGN_UNPAID, 422));
    assert_false(foreign_suspends(FOREIGN_OPEN, 403));
    assert_false(foreign_suspends(FOREIGN_PAID, 403));
}

static void on_check_failed(const char *expression, const char *file, int line)
{
    mock_assert(0, expression, file, line);
}

static void what_is_no_word_of_ours_has_no_name(void **state)
{
    (void)state;
    const struct foreign_approval approval = {.state = FOREIGN_APPROVED};
    check_hook = on_check_failed;
    expect_assert_failure(foreign_state_name((enum foreign_state)99));
    expect_assert_failure(foreign_verdict_name((enum foreign_verdict)99));
    expect_assert_failure(foreign_effect_name((enum foreign_effect)99));
    expect_assert_failure(foreign_end_name((enum foreign_end)99));
    expect_assert_failure(foreign_limit_minor(&approval, (enum foreign_verdict)99, 0));
    check_hook = NULL;
}

static void names_are_what_the_wire_has(void **state)
{
    (void)state;
    assert_string_equal(foreign_effect_name(FOREIGN_CHARGE), "gift_card");
    assert_string_equal(foreign_effect_name(FOREIGN_REWARD), "points");
    assert_string_equal(foreign_end_name(FOREIGN_OPEN), "open");
    assert_string_equal(foreign_end_name(FOREIGN_PAID), "paid");
    assert_string_equal(foreign_end_name(FOREIGN_UNPAID), "unpaid");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_line_is_judged_alike_for_both_effects),
        cmocka_unit_test(every_state_and_verdict_has_a_line),
        cmocka_unit_test(approvals_move_along_their_table_only),
        cmocka_unit_test(only_a_final_403_suspends),
        cmocka_unit_test(what_is_no_word_of_ours_has_no_name),
        cmocka_unit_test(names_are_what_the_wire_has),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
