/* The superset writer: exact bytes, sentences for everything, the same bytes for the same outcome.
 */
#include "base/check.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/json.h"
#include "handlers/oseries_reply.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static const enum result results[] = {
#define X(symbol, number, name) symbol == RESULT_LOOK_FIRST ? RESULT_OK : symbol,
    RESULT_LIST(X) /* that one is never told */
#undef X
};

static struct profiles *profiles;
static const struct profile *profile;

static struct payment_style style_of(enum profile_action action, const char *currency)
{
    struct payment_style style = {.profile = profile, .action = action, .generation = 1};
    assert_int_equal(currency_find(text_of(currency), &style.currency), 0);
    return style;
}

static struct outcome outcome_of(enum result result)
{
    return (struct outcome){.result = result,
                            .operation_id = 42,
                            .card_id = 7,
                            .last4 = "2345",
                            .asked_minor = 2550,
                            .amount_minor = result == RESULT_OK ? 2550 : 0,
                            .balance_minor = result == RESULT_OK ? 7450 : 1000,
                            .limit_minor = 1500,
                            .expires_on = result == RESULT_EXPIRED ? 20908 : 0};
}

static const char *reply_of(const struct payment_style *style, const struct outcome *outcome)
{
    static char text[16 * 1024];
    struct text_buffer reply;
    text_buffer_init(&reply, text, sizeof(text));
    oseries_reply_outcome(style, outcome, &reply);
    assert_false(reply.is_cut);
    return text;
}

static void successes_have_these_bytes(void **state)
{
    (void)state;
    struct payment_style style = style_of(PROFILE_CHECKOUT, "AUD");
    struct outcome outcome = outcome_of(RESULT_OK);
    assert_string_equal(
        reply_of(&style, &outcome),
        "{\"success\":true,\"amount\":25.50,\"balance\":74.50,\"reference_id\":\"CP1-42\","
        "\"ref\":\"CP1-42\",\"message\":\"Gift card ...2345 charged $25.50, $74.50 left\"}");
    style.action = PROFILE_TOP_UP;
    assert_string_equal(
        reply_of(&style, &outcome),
        "{\"success\":true,\"amount\":25.50,\"balance\":74.50,\"reference_id\":\"CP1-42\","
        "\"ref\":\"CP1-42\",\"message\":\"Gift card ...2345 loaded with $25.50, $74.50 on it "
        "now\"}");
    style.action = PROFILE_REFUND;
    assert_string_equal(
        reply_of(&style, &outcome),
        "{\"success\":true,\"amount\":25.50,\"balance\":74.50,\"reference_id\":\"CP1-42\","
        "\"ref\":\"CP1-42\",\"message\":\"Gift card ...2345 got back $25.50, $74.50 on it now\"}");
    style.action = PROFILE_CHECK_BALANCE;
    outcome = (struct outcome){.last4 = "2345", .balance_minor = 7450, .expires_on = 20908};
    assert_string_equal(reply_of(&style, &outcome),
                        "{\"success\":true,\"balance\":74.50,\"amount\":74.50,\"message\":\"Gift "
                        "card ...2345 has $74.50, good until 2027-03-31\"}");
    outcome.expires_on = 0;
    assert_string_equal(reply_of(&style, &outcome),
                        "{\"success\":true,\"balance\":74.50,\"amount\":74.50,\"message\":\"Gift "
                        "card ...2345 has $74.50\"}");
}

static void a_load_that_waits_is_told_as_one_with_the_balance_of_now(void **state)
{
    (void)state;
    struct payment_style style = style_of(PROFILE_TOP_UP, "AUD");
    struct outcome outcome = outcome_of(RESULT_OK);
    outcome.action = ACTION_HOLD_LOAD;
    outcome.asked_minor = 5000;
    outcome.amount_minor = 0;
    assert_string_equal(
        reply_of(&style, &outcome),
        "{\"success\":true,\"amount\":50.00,\"balance\":74.50,\"reference_id\":\"CP1-42\","
        "\"ref\":\"CP1-42\",\"message\":\"Gift card ...2345 gets $50.00 when this sale is paid, "
        "$74.50 on it until then\"}");
    outcome.result = RESULT_OVER_LOAD_DAY; /* refused, it is a refusal like any other */
    assert_string_equal(reply_of(&style, &outcome),
                        "{\"success\":false,\"amount\":0.00,\"error\":\"Too much for one day: at "
                        "most $15.00 can be loaded today\"}");
}

static void a_partial_approval_says_what_is_still_due(void **state)
{
    (void)state;
    struct payment_style style = style_of(PROFILE_CHECKOUT, "AUD");
    struct outcome outcome = outcome_of(RESULT_OK);
    outcome.amount_minor = 1000;
    outcome.balance_minor = 0;
    assert_string_equal(
        reply_of(&style, &outcome),
        "{\"success\":true,\"amount\":10.00,\"balance\":0.00,\"reference_id\":\"CP1-42\","
        "\"ref\":\"CP1-42\",\"message\":\"Gift card ...2345 charged $10.00, $15.50 still to "
        "pay\"}");
}

static void refusals_name_what_the_cashier_can_do(void **state)
{
    (void)state;
    static const struct {
        enum profile_action action;
        enum result result;
        const char *error;
    } lines[] = {
        {PROFILE_CHECKOUT, RESULT_NO_FUNDS, "Insufficient balance: $10.00 available"},
        {PROFILE_TOP_UP, RESULT_ALREADY_LOADED, "Already loaded on this sale, check the balance"},
        {PROFILE_CHECKOUT, RESULT_EXPIRED, "This card has expired, it was good until 2027-03-31"},
        {PROFILE_TOP_UP, RESULT_OVER_BALANCE_MAX,
         "Too much for one card: at most $15.00 can be added"},
        {PROFILE_REFUND, RESULT_OVER_CHARGED,
         "At most $15.00 can be refunded to this card for this sale"},
        {PROFILE_CHECKOUT, RESULT_AMOUNT_TOO_PRECISE, "The amount has more decimals than AUD has"},
        {PROFILE_TOP_UP, RESULT_AMOUNT_MISSING,
         "This URL is for top-ups and got no amount to load. Check the URLs in Back Office"},
        {PROFILE_CHECK_BALANCE, RESULT_NOT_FOUND,
         "Card not found. Check the number, and the PIN if the card has one"},
    };
    for (size_t i = 0; i < COUNT_OF(lines); i++) {
        struct payment_style style = style_of(lines[i].action, "AUD");
        struct outcome outcome = outcome_of(lines[i].result);
        char expected[512];
        snprintf(expected, sizeof(expected), "{\"success\":false,\"amount\":0.00,\"error\":\"%s\"}",
                 lines[i].error);
        assert_string_equal(reply_of(&style, &outcome), expected);
    }
}

/* Braces would be a placeholder left over, angle brackets markup. */
static void check_sentence(const struct payment_style *style, const struct outcome *outcome)
{
    char text[512];
    struct text_buffer sentence;
    text_buffer_init(&sentence, text, sizeof(text));
    oseries_reply_sentence(style, outcome, &sentence);
    if (sentence.length < 10 || sentence.length >= SENTENCE_MAX || strpbrk(text, "{}<>&") != NULL)
        fail_msg("%s, %s: '%s'", profile_action_name(style->action), result_name(outcome->result),
                 text);
}

static void every_result_has_a_sentence_for_every_action(void **state)
{
    (void)state;
    /* The longest there are: no symbol of its own, three decimals, the largest amount. */
    static const char *const currencies[] = {"AUD", "JPY", "KWD", "EUR"};
    for (size_t r = 0; r < COUNT_OF(results); r++)
        for (int action = 0; action < PROFILE_ACTIONS; action++)
            for (size_t c = 0; c < COUNT_OF(currencies); c++) {
                struct payment_style style = style_of((enum profile_action)action, currencies[c]);
                struct outcome outcome = outcome_of(results[r]);
                outcome.asked_minor = outcome.balance_minor = MONEY_MAX_MINOR;
                outcome.limit_minor = outcome.amount_minor = MONEY_MAX_MINOR;
                outcome.expires_on = 20908;
                check_sentence(&style, &outcome);
                outcome.amount_minor = 1;
                check_sentence(&style, &outcome);
                outcome.action = ACTION_HOLD_LOAD;
                check_sentence(&style, &outcome);
            }
}

static void on_failed_check(const char *expression, const char *file, int line)
{
    mock_assert(0, expression, file, line);
}

static void what_only_the_order_can_say_is_never_told(void **state)
{
    (void)state;
    struct payment_style style = style_of(PROFILE_CHECKOUT, "AUD");
    struct outcome outcome = outcome_of(RESULT_LOOK_FIRST);
    check_hook = on_failed_check;
    expect_assert_failure(reply_of(&style, &outcome));
    check_hook = NULL;
}

static const struct jread *check_member(const struct jread *document, const char *name,
                                        enum jread_kind kind)
{
    const struct jread *member = jread_member(document, name);
    if (jread_kind_of(member) != kind)
        fail_msg("%s is missing or of another kind", name);
    return member;
}

static void check_reply_parses(const struct payment_style *style, const struct outcome *outcome)
{
    struct jread *document;
    enum jread_kind amount_kind = style->amounts_are_strings ? JREAD_STRING : JREAD_NUMBER;
    bool is_success;
    const char *reply = reply_of(style, outcome);
    assert_int_equal(jread_parse(text_of(reply), &document), 0);
    assert_int_equal(jread_bool(check_member(document, "success", JREAD_BOOL), &is_success), 0);
    assert_int_equal(is_success, outcome->result == RESULT_OK);
    check_member(document, "amount", amount_kind);
    if (is_success) {
        check_member(document, "balance", amount_kind);
        check_member(document, "message", JREAD_STRING);
        assert_null(jread_member(document, "error"));
    } else {
        check_member(document, "error", JREAD_STRING);
        assert_null(jread_member(document, "message"));
    }
    jread_destroy(document);
}

static void every_reply_is_json_with_the_promised_kinds(void **state)
{
    (void)state;
    static const char *const currencies[] = {"AUD", "JPY", "KWD", "GBP"};
    for (size_t r = 0; r < COUNT_OF(results); r++)
        for (int action = 0; action < PROFILE_ACTIONS; action++)
            for (size_t c = 0; c < COUNT_OF(currencies); c++)
                for (int strings = 0; strings < 2; strings++) {
                    struct payment_style style =
                        style_of((enum profile_action)action, currencies[c]);
                    struct outcome outcome = outcome_of(results[r]);
                    style.amounts_are_strings = strings == 1;
                    check_reply_parses(&style, &outcome);
                }
}

static void amounts_have_exactly_the_decimals_of_the_currency(void **state)
{
    (void)state;
    static const struct {
        const char *currency;
        bool are_strings;
        const char *amounts;
    } lines[] = {
        {"AUD", false, "\"amount\":25.50,\"balance\":74.50,"},
        {"AUD", true, "\"amount\":\"25.50\",\"balance\":\"74.50\","},
        {"JPY", false, "\"amount\":2550,\"balance\":7450,"},
        {"JPY", true, "\"amount\":\"2550\",\"balance\":\"7450\","},
        {"KWD", false, "\"amount\":2.550,\"balance\":7.450,"},
        {"KWD", true, "\"amount\":\"2.550\",\"balance\":\"7.450\","},
    };
    for (size_t i = 0; i < COUNT_OF(lines); i++) {
        struct payment_style style = style_of(PROFILE_CHECKOUT, lines[i].currency);
        struct outcome outcome = outcome_of(RESULT_OK);
        style.amounts_are_strings = lines[i].are_strings;
        assert_non_null(strstr(reply_of(&style, &outcome), lines[i].amounts));
    }
}

/* A dialect that tells everything it can on failure. */
static void use_talkative_profile(struct profile *talkative)
{
    static const char json[] =
        "{\"reply\":{\"checkout\":{\"failure\":["
        "{\"name\":\"ok\",\"value\":\"success\"},{\"name\":\"paid\",\"value\":\"amount\"},"
        "{\"name\":\"asked\",\"value\":\"asked\"},{\"name\":\"due\",\"value\":\"due\"},"
        "{\"name\":\"left\",\"value\":\"balance\"},{\"name\":\"id\",\"value\":\"reference\"},"
        "{\"name\":\"card\",\"value\":\"last4\"},{\"name\":\"money\",\"value\":\"currency\"},"
        "{\"name\":\"say\",\"value\":\"message\"},{\"name\":\"why\",\"value\":\"error\"},"
        "{\"name\":\"kind\",\"value\":\"code\"}]}}}";
    char text[256];
    struct text_buffer problem;
    text_buffer_init(&problem, text, sizeof(text));
    if (profile_compile(text_of(json), profile, talkative, &problem) != 0)
        fail_msg("%s", text);
}

static void every_kind_of_value_can_be_told_under_any_name(void **state)
{
    (void)state;
    struct profile talkative;
    use_talkative_profile(&talkative);
    struct payment_style style = style_of(PROFILE_CHECKOUT, "AUD");
    struct outcome outcome = outcome_of(RESULT_NO_FUNDS);
    style.profile = &talkative;
    assert_string_equal(
        reply_of(&style, &outcome),
        "{\"ok\":false,\"paid\":0.00,\"asked\":25.50,\"due\":25.50,\"left\":10.00,"
        "\"id\":\"CP1-42\",\"card\":\"2345\",\"money\":\"AUD\","
        "\"say\":\"Insufficient balance: $10.00 available\","
        "\"why\":\"Insufficient balance: $10.00 available\",\"kind\":\"no_funds\"}");
}

static void unknown_unsold_and_wrong_pin_read_the_same_in_every_dialect(void **state)
{
    (void)state;
    static const enum result quiet[] = {RESULT_NOT_FOUND, RESULT_THROTTLED};
    struct profile talkative;
    use_talkative_profile(&talkative);
    struct payment_style style = style_of(PROFILE_CHECKOUT, "AUD");
    style.profile = &talkative;
    for (size_t i = 0; i < COUNT_OF(quiet); i++) {
        struct outcome unknown = {.result = quiet[i]};
        struct outcome wrong_pin = outcome_of(quiet[i]);
        char first[1024];
        snprintf(first, sizeof(first), "%s", reply_of(&style, &unknown));
        assert_string_equal(reply_of(&style, &wrong_pin), first);
        assert_null(strstr(first, "2345"));
        assert_null(strstr(first, "CP1"));
    }
}

static void a_replay_has_the_bytes_of_the_first_answer(void **state)
{
    (void)state;
    struct payment_style style = style_of(PROFILE_CHECKOUT, "AUD");
    struct outcome outcome = outcome_of(RESULT_OK);
    char first[1024];
    snprintf(first, sizeof(first), "%s", reply_of(&style, &outcome));
    outcome.is_replay = true;
    outcome.expires_on = 20908; /* the merchant has given the card an end since */
    outcome.card_version = 99;
    assert_string_equal(reply_of(&style, &outcome), first);
}

static void a_failure_without_a_decision_has_the_shape_of_a_refusal(void **state)
{
    (void)state;
    struct payment_style style = style_of(PROFILE_REFUND, "JPY");
    char text[512];
    struct text_buffer reply;
    text_buffer_init(&reply, text, sizeof(text));
    oseries_reply_failure(&style, "cancelled", "Not done: the system is busy. Try again.", &reply);
    assert_string_equal(text, "{\"success\":false,\"amount\":0,\"error\":\"Not done: the system is "
                              "busy. Try again.\"}");
}

static int set_up(void **state)
{
    (void)state;
    int err = profiles_create(NULL, &profiles);
    if (err == 0)
        profile = profile_acquire(profiles, "default");
    return err;
}

static int tear_down(void **state)
{
    (void)state;
    profile_release(profile);
    profiles_destroy(profiles);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(successes_have_these_bytes),
        cmocka_unit_test(a_load_that_waits_is_told_as_one_with_the_balance_of_now),
        cmocka_unit_test(a_partial_approval_says_what_is_still_due),
        cmocka_unit_test(refusals_name_what_the_cashier_can_do),
        cmocka_unit_test(every_result_has_a_sentence_for_every_action),
        cmocka_unit_test(what_only_the_order_can_say_is_never_told),
        cmocka_unit_test(every_reply_is_json_with_the_promised_kinds),
        cmocka_unit_test(amounts_have_exactly_the_decimals_of_the_currency),
        cmocka_unit_test(every_kind_of_value_can_be_told_under_any_name),
        cmocka_unit_test(unknown_unsold_and_wrong_pin_read_the_same_in_every_dialect),
        cmocka_unit_test(a_replay_has_the_bytes_of_the_first_answer),
        cmocka_unit_test(a_failure_without_a_decision_has_the_shape_of_a_refusal),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
