/* What the register's screen is told of an operation, and how often. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lightspeed/inbox_state.h"

#define HOUR_US (INT64_C(3600) * CLOCK_US_PER_S)

static struct notices notices;

static int setup(void **state)
{
    (void)state;
    memset(&notices, 0, sizeof(notices));
    return 0;
}

static struct proof_facts facts_of(enum action action, enum proof_state state,
                                   enum proof_reason reason)
{
    struct proof_facts facts = {
        .proof = {
            .operation_id = 42, .order_id = 7, .action = action, .state = state, .reason = reason}};
    memcpy(facts.last4, "1234", sizeof(facts.last4));
    return facts;
}

static void assert_told(const struct proof_facts *facts, enum news news, const char *sentence)
{
    const struct currency dollars = {"AUD", 2};
    char bytes[NOTICE_MAX + 1];
    struct text_buffer message;
    int64_t amount_minor;
    text_buffer_init(&message, bytes, sizeof(bytes));
    assert_int_equal(notify_news(facts, &amount_minor), news);
    notify_compose(facts, &dollars, &message);
    assert_false(message.is_cut);
    assert_string_equal(bytes, sentence);
}

static void staff_read_what_became_of_the_money(void **state)
{
    (void)state;
    struct proof_facts facts = facts_of(ACTION_CHARGE, PROOF_REVERSED, PROOF_REASON_NONE);
    facts.reversed_minor = 2550;
    assert_told(&facts, NEWS_GIVEN_BACK,
                "Gift card ...1234: $25.50 given back, this sale does not show its payment");
    facts.recharged_minor = 2000; /* and reversed again, as much as there was */
    facts.reversed_minor = 4550;
    assert_told(&facts, NEWS_GIVEN_BACK,
                "Gift card ...1234: $25.50 given back, this sale does not show its payment");

    facts = facts_of(ACTION_CHARGE, PROOF_CONFIRMED, PROOF_REASON_NONE);
    facts.reversed_minor = facts.recharged_minor = 2550;
    assert_told(&facts, NEWS_CHARGED_AGAIN,
                "Gift card ...1234: $25.50 charged after all, this sale shows its payment");

    facts = facts_of(ACTION_CHARGE, PROOF_LISTED, PROOF_REASON_CARD_EMPTY);
    facts.reversed_minor = 2550;
    facts.recharged_minor = 1000;
    assert_told(
        &facts, NEWS_CARD_EMPTY,
        "Gift card ...1234: $15.50 of this sale could not be charged, too little is left on "
        "the card");

    facts = facts_of(ACTION_REFUND, PROOF_REVERSED, PROOF_REASON_NONE);
    facts.recharged_minor = 700;
    assert_told(&facts, NEWS_TAKEN_BACK,
                "Gift card ...1234: $7.00 charged again, this sale does not show its refund");
}

static void assert_quiet(const struct proof_facts *facts)
{
    int64_t amount_minor;
    assert_int_equal(notify_news(facts, &amount_minor), NEWS_NONE);
}

static void of_what_is_as_it_should_be_staff_read_nothing(void **state)
{
    (void)state;
    struct proof_facts facts = facts_of(ACTION_CHARGE, PROOF_CONFIRMED, PROOF_REASON_NONE);
    assert_quiet(&facts);
    facts = facts_of(ACTION_CHARGE, PROOF_OPEN, PROOF_REASON_SEEN_MISSING);
    assert_quiet(&facts);
    facts = facts_of(ACTION_CHARGE, PROOF_LISTED, PROOF_REASON_ORDER_OPEN);
    facts.reversed_minor = 100;
    assert_quiet(&facts);
    facts = facts_of(ACTION_CHARGE, PROOF_REVERSED, PROOF_REASON_NONE); /* nothing was left */
    assert_quiet(&facts);
    facts = facts_of(ACTION_TOP_UP, PROOF_LISTED, PROOF_REASON_SALE_DELETED);
    assert_quiet(&facts);
    facts = facts_of(ACTION_REFUND, PROOF_CONFIRMED, PROOF_REASON_NONE);
    facts.recharged_minor = 100;
    assert_quiet(&facts);
}

/* NULL: it was told. */
static const char *tell(int64_t tenant_id, int64_t order_id, int64_t operation_id, enum news news,
                        int64_t at_us)
{
    const struct told_notice notice = {tenant_id, order_id, operation_id, news, at_us};
    return notices_note(&notices, &notice);
}

static void each_kind_of_news_of_an_operation_is_told_once(void **state)
{
    (void)state;
    assert_null(tell(1, 7, 42, NEWS_GIVEN_BACK, HOUR_US));
    assert_string_equal(tell(1, 7, 42, NEWS_GIVEN_BACK, 9 * HOUR_US), "was told before");
    assert_null(tell(1, 7, 42, NEWS_CHARGED_AGAIN, HOUR_US));
    assert_null(tell(2, 7, 42, NEWS_GIVEN_BACK, HOUR_US));
}

static void an_order_is_told_of_three_times(void **state)
{
    (void)state;
    for (int64_t operation = 1; operation <= 3; operation++)
        assert_null(tell(1, 7, operation, NEWS_GIVEN_BACK, operation * 2 * HOUR_US));
    assert_string_equal(tell(1, 7, 4, NEWS_GIVEN_BACK, 20 * HOUR_US),
                        "not told: enough was told of this sale");
    assert_null(tell(1, 8, 4, NEWS_GIVEN_BACK, 20 * HOUR_US));
    assert_null(tell(2, 7, 4, NEWS_GIVEN_BACK, 20 * HOUR_US));
}

static void a_tenant_is_told_twenty_times_an_hour(void **state)
{
    (void)state;
    for (int64_t i = 1; i <= 20; i++)
        assert_null(tell(1, i, i, NEWS_GIVEN_BACK, HOUR_US + i));
    assert_string_equal(tell(1, 21, 21, NEWS_GIVEN_BACK, 2 * HOUR_US),
                        "not told: enough was told within an hour");
    assert_null(tell(2, 21, 21, NEWS_GIVEN_BACK, 2 * HOUR_US));
    assert_null(tell(1, 21, 21, NEWS_GIVEN_BACK, 2 * HOUR_US + 1));
    assert_non_null(tell(1, 22, 22, NEWS_GIVEN_BACK, 2 * HOUR_US + 1));
}

static void the_oldest_notices_are_forgotten_first(void **state)
{
    (void)state;
    for (int64_t i = 1; i <= NOTICES_KEPT; i++)
        assert_null(tell(i, 7, 42, NEWS_GIVEN_BACK, HOUR_US));
    assert_non_null(tell(1, 7, 42, NEWS_GIVEN_BACK, HOUR_US));
    assert_null(tell(NOTICES_KEPT + 1, 7, 42, NEWS_GIVEN_BACK, HOUR_US));
    assert_null(tell(1, 7, 42, NEWS_GIVEN_BACK, HOUR_US));
    assert_non_null(tell(3, 7, 42, NEWS_GIVEN_BACK, HOUR_US));
}

static void only_the_latest_of_an_operation_is_taken_back(void **state)
{
    (void)state;
    assert_null(tell(1, 7, 42, NEWS_GIVEN_BACK, HOUR_US));
    assert_null(tell(1, 7, 42, NEWS_CHARGED_AGAIN, 2 * HOUR_US));
    assert_null(tell(1, 7, 43, NEWS_GIVEN_BACK, 3 * HOUR_US));
    notices_forget(&notices, 42);
    assert_non_null(tell(1, 7, 42, NEWS_GIVEN_BACK, 4 * HOUR_US));
    assert_null(tell(1, 7, 42, NEWS_CHARGED_AGAIN, 4 * HOUR_US));
    assert_non_null(tell(1, 7, 43, NEWS_GIVEN_BACK, 4 * HOUR_US));
    notices_forget(&notices, 44); /* nothing of it was told */
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(staff_read_what_became_of_the_money),
        TEST(of_what_is_as_it_should_be_staff_read_nothing),
        TEST(each_kind_of_news_of_an_operation_is_told_once),
        TEST(an_order_is_told_of_three_times),
        TEST(a_tenant_is_told_twenty_times_an_hour),
        TEST(only_the_latest_of_an_operation_is_taken_back),
        TEST(the_oldest_notices_are_forgotten_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
