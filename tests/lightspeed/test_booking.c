/* Which of an order's payments are ours, and whose: one line, one case. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "lightspeed/booking.h"

#define GENERATION 3
#define BOOKINGS_MAX 8

/*
 * payments   amount/method/ref, numbered from 1
 * bookings   operation/card/amount, +undone, +known<number>
 * expected   operation>payment's number (0: none), ? ambiguous, ! another amount
 */
static const struct match_case {
    const char *name;
    int64_t method_id;
    const char *payments, *bookings, *expected;
} match_cases[] = {
    {"nothing is matched with nothing", 0, "", "", ""},
    {"an order without payments shows none", 0, "", "7/1/500", "7>0"},
    {"a ref says whose it is", 0, "500/9/CP3-8 500/9/CP3-7", "7/1/500 8/2/500", "7>2 8>1"},
    {"a ref says so whatever the method", 5, "500/9/CP3-7", "7/1/500", "7>1"},
    {"a ref with another amount is told", 0, "400/9/CP3-7", "7/1/500", "7>1!"},
    {"of two with one ref the right amount is taken", 0, "400/9/CP3-7 500/9/CP3-7", "7/1/500",
     "7>2"},
    {"of two alike with one ref the first is taken", 0, "500/9/CP3-7 500/9/CP3-7", "7/1/500",
     "7>1"},
    {"a payment with the ref of an operation that is not here is nobody's", 0, "500/9/CP3-99",
     "7/1/500", "7>0"},
    {"a ref of another generation is none of ours: its amount counts", 0, "500/9/CP2-7", "7/1/500",
     "7>1"},
    {"without a ref the amount counts", 0, "500/9/", "7/1/500", "7>1"},
    {"somebody else's ref is no ref of ours", 0, "500/9/VISA", "7/1/500", "7>1"},
    {"what points paid is no card's, whatever its amount", 0, "500/9/CP-R42-0f3a9c1b", "7/1/500",
     "7>0"},
    {"nor whatever its method", 5, "500/5/CP-R42-0f3a9c1b 500/5/", "7/1/500 8/1/500", "7>2 8>0"},
    {"nor does its method tell ours", 0, "300/5/CP-R42-0f3a9c1b 500/9/", "7/1/500", "7>2"},
    {"a ref that only looks like it is somebody else's", 0, "500/9/CP-R42", "7/1/500", "7>1"},
    {"another amount does not", 0, "501/9/", "7/1/500", "7>0"},
    {"another method does not", 5, "500/9/", "7/1/500", "7>0"},
    {"our method does", 5, "500/9/ 500/5/", "7/1/500", "7>2"},
    {"a method that is not told may be ours", 5, "500/0/", "7/1/500", "7>1"},
    {"a ref tells the method where the tenant does not", 0, "300/5/CP3-6 500/9/", "6/1/300 7/1/500",
     "6>1 7>0"},
    {"a ref tells the method of a payment without one", 0, "300/5/CP3-6 500/9/ 500/5/",
     "6/1/300 7/1/500", "6>1 7>3"},
    {"each payment is matched once", 0, "500/9/", "7/1/500 8/1/500", "7>1 8>0"},
    {"the oldest operation comes first", 0, "500/9/ 500/9/", "7/1/500 8/2/500", "7>1 8>2"},
    {"of one card it makes no difference which is missing", 0, "500/9/", "7/1/500 8/1/500 9/1/400",
     "7>1 8>0 9>0"},
    {"of several cards it does", 0, "500/9/", "7/1/500 8/2/500", "7>1? 8>0?"},
    {"three rivals of two cards for two payments", 0, "500/9/ 500/9/", "7/1/500 8/2/500 9/1/500",
     "7>1? 8>2? 9>0?"},
    {"where none is there, nothing is ambiguous", 0, "100/9/", "7/1/500 8/2/500", "7>0 8>0"},
    {"a ref takes its operation out of the doubt", 0, "500/9/CP3-8", "7/1/500 8/2/500", "7>0 8>1"},
    {"what was found before keeps its payment, and the doubt stays", 0, "500/9/",
     "7/1/500 8/2/500+known1", "7>0? 8>1?"},
    {"a payment that was found before and is gone is searched for", 0, "500/9/", "7/1/500+known4",
     "7>1"},
    {"a refund is a negative payment", 0, "500/9/ -200/9/", "7/1/500 8/1/-200", "7>1 8>2"},
    {"a payment is no refund", 0, "200/9/", "8/1/-200", "8>0"},
    {"a top-up has no payment", 0, "0/9/", "8/1/0", "8>0"},
    {"what was reversed takes what others leave", 0, "500/9/", "7/1/500+undone 8/2/500", "7>0 8>1"},
    {"and there is no doubt between the two", 0, "500/9/ 500/9/", "7/1/500+undone 8/2/500",
     "7>2 8>1"},
    {"its ref brings it back for certain", 0, "500/9/CP3-7", "7/1/500+undone 8/2/500", "7>1 8>0"},
    {"two that were reversed are in doubt themselves", 0, "500/9/", "7/1/500+undone 8/2/500+undone",
     "7>1? 8>0?"},
};

static void read_payments(const char *text, struct oseries_order *order)
{
    char copy[256], *rest = copy, *word;
    snprintf(copy, sizeof(copy), "%s", text);
    while ((word = strsep(&rest, " ")) != NULL && word[0] != '\0') {
        struct order_payment *payment = &order->payments[order->payment_count++];
        long long amount_minor, method_id;
        assert_true(sscanf(word, "%lld/%lld/%64s", &amount_minor, &method_id, payment->ref) >= 2);
        payment->number = order->payment_count;
        payment->amount_minor = amount_minor;
        payment->method_id = method_id;
    }
}

static int32_t read_bookings(const char *text, struct booking bookings[BOOKINGS_MAX])
{
    char copy[256], *rest = copy, *word;
    int32_t count = 0;
    snprintf(copy, sizeof(copy), "%s", text);
    while ((word = strsep(&rest, " ")) != NULL && word[0] != '\0') {
        long long id, card, amount_minor;
        const char *known = strstr(word, "+known");
        assert_int_equal(sscanf(word, "%lld/%lld/%lld", &id, &card, &amount_minor), 3);
        assert_true(count < BOOKINGS_MAX);
        bookings[count++] = (struct booking){
            .operation_id = id,
            .card_id = card,
            .amount_minor = amount_minor,
            .is_undone = strstr(word, "+undone") != NULL,
            .known_number = known == NULL ? 0 : strtoll(known + 6, NULL, 10),
            /* what was there before says nothing */
            .payment = 17,
            .is_ambiguous = true,
            .amount_differs = true,
        };
    }
    return count;
}

static void tell(const struct booking *bookings, int32_t count, char *told, size_t size)
{
    size_t length = 0;
    told[0] = '\0';
    for (int32_t i = 0; i < count; i++) {
        int wrote =
            snprintf(told + length, size - length, "%s%lld>%d%s%s", i == 0 ? "" : " ",
                     (long long)bookings[i].operation_id, bookings[i].payment + 1,
                     bookings[i].is_ambiguous ? "?" : "", bookings[i].amount_differs ? "!" : "");
        length += (size_t)wrote;
        assert_true(length < size);
    }
}

static void assert_claims(const struct booking *bookings, int32_t count,
                          const struct oseries_order *order, const int64_t *claimed)
{
    for (int32_t i = 0; i < ORDER_PAYMENTS_MAX; i++) {
        int64_t whose = 0;
        for (int32_t j = 0; j < count; j++)
            whose = bookings[j].payment == i ? bookings[j].operation_id : whose;
        assert_int_equal(claimed[i], whose);
        assert_true(whose == 0 || i < order->payment_count);
    }
}

static void payments_are_matched_line_by_line(void **state)
{
    (void)state;
    struct oseries_order *order = malloc(sizeof(*order));
    assert_non_null(order);
    for (size_t i = 0; i < COUNT_OF(match_cases); i++) {
        const struct match_case *each = &match_cases[i];
        struct booking bookings[BOOKINGS_MAX];
        int64_t claimed[ORDER_PAYMENTS_MAX] = {1, 2, 3};
        char told[256];
        memset(order, 0, sizeof(*order));
        read_payments(each->payments, order);
        int32_t count = read_bookings(each->bookings, bookings);
        bookings_match(bookings, count, order, GENERATION, each->method_id, claimed);
        tell(bookings, count, told, sizeof(told));
        if (strcmp(told, each->expected) != 0)
            fail_msg("%s: %s, not %s", each->name, told, each->expected);
        assert_claims(bookings, count, order, claimed);
    }
    free(order);
}

static void a_ref_is_read_as_it_was_made(void **state)
{
    (void)state;
    char ref[ORDER_REF_MAX + 1];
    int64_t generation, operation_id;
    payment_ref_make(GENERATION, 42, ref);
    assert_string_equal(ref, "CP3-42");
    payment_ref_make(INT64_MAX, INT64_MAX, ref);
    assert_string_equal(ref, "CP9223372036854775807-9223372036854775807");
    assert_int_equal(payment_ref_read(ref, &generation, &operation_id), 0);
    assert_true(generation == INT64_MAX && operation_id == INT64_MAX);
}

static void what_only_looks_like_a_ref_is_none(void **state)
{
    (void)state;
    static const char *const others[] = {
        "",        "CP",      "CP3",     "CP3-",     "CP-42",   "CP3_42",
        "cp3-42",  "CP3-42 ", " CP3-42", "CP03-42",  "CP3-042", "CP3--42",
        "CP+3-42", "CP0-42",  "CP3-0",   "CP3-42-1", "XCP3-42", "CP3-99999999999999999999",
        "-",
    };
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        int64_t generation, operation_id;
        if (payment_ref_read(others[i], &generation, &operation_id) != ERR_NOT_FOUND)
            fail_msg("'%s' is none of ours", others[i]);
    }
}

static void ours_is_a_ref_of_this_generation_or_our_method(void **state)
{
    (void)state;
    const struct order_payment named = {.method_id = 9, .ref = "CP3-1"};
    const struct order_payment older = {.method_id = 9, .ref = "CP2-1"};
    const struct order_payment bare = {.method_id = 9};
    assert_true(payment_is_ours(&named, GENERATION, 0));
    assert_true(payment_is_ours(&named, GENERATION, 5));
    assert_false(payment_is_ours(&older, GENERATION, 5));
    assert_true(payment_is_ours(&older, GENERATION, 9));
    assert_true(payment_is_ours(&bare, GENERATION, 9));
    assert_false(payment_is_ours(&bare, GENERATION, 5));
    assert_false(payment_is_ours(&bare, GENERATION, 0));
}

static void what_points_paid_is_told_by_its_ref(void **state)
{
    (void)state;
    static const struct {
        const char *ref;
        bool is_reward;
    } cases[] = {{"CP-R1-0f3a9c1b", true},
                 {"CP-R9223372036854775807-00000000", true},
                 {"CP-R1-0f3a9c1", false},
                 {"CP-R1-0f3a9c1bd", false},
                 {"CP-R1-0F3A9C1B", false},
                 {"CP-R1-", false},
                 {"CP-R1", false},
                 {"CP-R-0f3a9c1b", false},
                 {"CP-R0-0f3a9c1b", false},
                 {"CP-R01-0f3a9c1b", false},
                 {"CP-R-1-0f3a9c1b", false},
                 {"CP1-1", false},
                 {"XCP-R1-0f3a9c1b", false},
                 {"", false},
                 {"CP-R99999999999999999999-0f3a9c1b", false}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct order_payment payment = {.method_id = 5};
        snprintf(payment.ref, sizeof(payment.ref), "%s", cases[i].ref);
        if (payment_is_reward(&payment) != cases[i].is_reward)
            fail_msg("'%s'", cases[i].ref);
        bool is_card = !cases[i].is_reward;
        assert_int_equal(payment_is_ours(&payment, GENERATION, 5), is_card);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(payments_are_matched_line_by_line),
        cmocka_unit_test(a_ref_is_read_as_it_was_made),
        cmocka_unit_test(what_only_looks_like_a_ref_is_none),
        cmocka_unit_test(what_points_paid_is_told_by_its_ref),
        cmocka_unit_test(ours_is_a_ref_of_this_generation_or_our_method),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
