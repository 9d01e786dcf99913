/* What happened, in words for merchants: a sentence for whatever can be stored. */
#include "handlers/tell.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/banned.h"

#define S INT64_C(1000000)

static const struct currency aud = {"AUD", 2};

static const enum result results[] = {
#define X(symbol, number, name) symbol,
    RESULT_LIST(X)
#undef X
};
static const enum proof_reason proof_reasons[] = {
#define X(symbol, number, name, sentence) symbol,
    PROOF_REASON_LIST(X)
#undef X
};

static struct operation operation_of(enum action action, enum result result)
{
    return (struct operation){.id = 42,
                              .action = action,
                              .result = result,
                              .order_id = 2802065908,
                              .site_id = 923,
                              .register_id = 9091,
                              .asked_minor = 2550,
                              .amount_minor = result == RESULT_OK ? 2550 : 0,
                              .balance_minor_after = 450,
                              .limit_minor = 1234,
                              .answers_operation_id = 41,
                              .created_at_us = 1000 * S};
}

static const char *told(const struct operation *operation, const char *site)
{
    static char bytes[TELL_SENTENCE_MAX];
    struct text_buffer sentence;
    text_buffer_init(&sentence, bytes, sizeof(bytes));
    tell_operation(&sentence, operation, &aud, site);
    assert_false(sentence.is_cut);
    return bytes;
}

static void every_action_and_result_has_a_sentence(void **state)
{
    (void)state;
    for (int action = ACTION_ISSUE; action <= ACTION_RECHARGE; action++)
        for (size_t i = 0; i < COUNT_OF(results); i++) {
            struct operation operation = operation_of((enum action)action, results[i]);
            const char *sentence = told(&operation, NULL);
            size_t length = strlen(sentence);
            assert_true(length > 10);
            assert_null(strpbrk(sentence, "{}"));
            assert_null(strstr(sentence, "  "));
            assert_true(sentence[length - 1] != '.' && sentence[length - 1] != ' ');
        }
}

static void refusals_of_one_action_are_told_apart(void **state)
{
    (void)state;
    for (size_t i = 1; i < COUNT_OF(results); i++)
        for (size_t j = 1; j < i; j++) {
            struct operation one = operation_of(ACTION_CHARGE, results[i]);
            struct operation other = operation_of(ACTION_CHARGE, results[j]);
            char first[TELL_SENTENCE_MAX];
            snprintf(first, sizeof(first), "%s", told(&one, NULL));
            assert_string_not_equal(first, told(&other, NULL));
        }
}

static void sentences_name_amount_order_and_place(void **state)
{
    (void)state;
    struct operation operation = operation_of(ACTION_CHARGE, RESULT_OK);
    assert_string_equal(told(&operation, "Main Street"),
                        "$25.50 was charged on order 2802065908 at Main Street, register 9091");
    assert_string_equal(told(&operation, NULL),
                        "$25.50 was charged on order 2802065908 at site 923, register 9091");
    operation.amount_minor = 1000;
    operation.order_id = operation.site_id = operation.register_id = 0;
    assert_string_equal(told(&operation, NULL),
                        "$10.00 of the $25.50 asked for was charged without "
                        "an order: the card had no more");
    operation = operation_of(ACTION_REFUND, RESULT_OVER_CHARGED);
    operation.refunded_order_id = 17;
    assert_string_equal(told(&operation, NULL),
                        "A refund of $25.50 on order 2802065908 for sale 17 at site 923, register "
                        "9091 was refused: no more than $12.34 was left to give back");
    operation = operation_of(ACTION_REVERSE, RESULT_OK);
    assert_string_equal(told(&operation, NULL),
                        "$25.50 was given back by itself: the payment of operation 41 is not on "
                        "order 2802065908");
}

static void what_moved_has_the_sign_that_the_card_saw(void **state)
{
    (void)state;
    static const enum action takes[] = {ACTION_CHARGE, ACTION_RECHARGE};
    static const enum action gives[] = {ACTION_ISSUE, ACTION_TOP_UP, ACTION_REFUND, ACTION_RELEASE,
                                        ACTION_REVERSE};
    for (size_t i = 0; i < COUNT_OF(takes); i++) {
        struct operation operation = operation_of(takes[i], RESULT_OK);
        assert_int_equal(tell_moved_minor(&operation), -2550);
    }
    for (size_t i = 0; i < COUNT_OF(gives); i++) {
        struct operation operation = operation_of(gives[i], RESULT_OK);
        assert_int_equal(tell_moved_minor(&operation), 2550);
    }
}

static const char *proof_told(const struct proof *proof)
{
    static char bytes[TELL_SENTENCE_MAX];
    struct text_buffer sentence;
    text_buffer_init(&sentence, bytes, sizeof(bytes));
    tell_proof(&sentence, proof);
    assert_false(sentence.is_cut);
    return bytes;
}

static void a_proof_names_the_order_that_shows_it(void **state)
{
    (void)state;
    struct proof proof = {
        .state = PROOF_CONFIRMED, .order_id = 7, .shown_order_id = 7, .payment_number = 2};
    assert_string_equal(proof_told(&proof), "Confirmed: order 7 shows it as payment 2");
    proof.shown_order_id = 8;
    assert_string_equal(proof_told(&proof),
                        "Confirmed: order 8 shows it as payment 2; it was made on order 7");
    proof.shown_order_id = proof.payment_number = 0;
    assert_string_equal(proof_told(&proof), "Confirmed by order 7");
    for (size_t i = 1; i < COUNT_OF(proof_reasons); i++) {
        struct proof listed = {
            .state = PROOF_LISTED, .reason = proof_reasons[i], .is_suspect = true};
        assert_non_null(strstr(proof_told(&listed), proof_reason_sentence(proof_reasons[i])));
        assert_non_null(strstr(proof_told(&listed), "never have got the answer"));
        listed.is_suspect = false;
        assert_null(strstr(proof_told(&listed), "never have got the answer"));
    }
}

static const char *replay_told(const struct operation *operation, int64_t age_us)
{
    static const struct policy policy = {.replay_window_us = 90 * S,
                                         .replay_window_no_order_us = 15 * S};
    static char bytes[TELL_SENTENCE_MAX];
    struct text_buffer sentence;
    text_buffer_init(&sentence, bytes, sizeof(bytes));
    tell_replay(&sentence, operation, &policy, operation->created_at_us + age_us);
    return bytes;
}

static void a_repetition_is_foretold(void **state)
{
    (void)state;
    struct operation operation = operation_of(ACTION_CHARGE, RESULT_OK);
    assert_non_null(strstr(replay_told(&operation, 89 * S), "within 90 s"));
    assert_non_null(strstr(replay_told(&operation, 90 * S), "no repetition any more"));
    operation.order_id = 0;
    assert_non_null(strstr(replay_told(&operation, 15 * S), "that window was 15 s"));
    operation.given_back_minor = operation.amount_minor;
    assert_non_null(strstr(replay_told(&operation, 1 * S), "all of it was undone"));
    operation = operation_of(ACTION_CHARGE, RESULT_NO_FUNDS);
    assert_non_null(strstr(replay_told(&operation, 1 * S), "decided afresh"));
    operation = operation_of(ACTION_REVERSE, RESULT_OK);
    assert_string_equal(replay_told(&operation, 1 * S), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_action_and_result_has_a_sentence),
        cmocka_unit_test(refusals_of_one_action_are_told_apart),
        cmocka_unit_test(sentences_name_amount_order_and_place),
        cmocka_unit_test(what_moved_has_the_sign_that_the_card_saw),
        cmocka_unit_test(a_proof_names_the_order_that_shows_it),
        cmocka_unit_test(a_repetition_is_foretold),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
