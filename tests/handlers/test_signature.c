/* X-Kounta-Signature: the vectors of protocol o-series section 4, and everything near them. */
#include "handlers/signature.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#define TOKEN "sig-token-EXAMPLE-1234"
#define CHECKOUT                                                                                   \
    "{\"company_id\":5678,\"site_id\":923,\"register_id\":9091,\"order_id\":2802065908,"           \
    "\"keyword\":\"6036280000012345\",\"amount\":25.5}"
#define CHECKOUT_SPACED                                                                            \
    "{\"company_id\": 5678, \"site_id\": 923, \"register_id\": 9091, \"order_id\": 2802065908, "   \
    "\"keyword\": \"6036280000012345\", \"amount\": 25.5}"
#define TOP_UP                                                                                     \
    "{\"company_id\":5678,\"site_id\":923,\"register_id\":9091,\"order_id\":2802065909,"           \
    "\"keyword\":\"6036280000012345\",\"topup_amount\":\"50.00\"}"
#define OF_CHECKOUT "e218f006caa7dd13a7ee3fe31f02b3a279734f3f9a310241d8683f52645ad77f"
#define OF_CHECKOUT_UPPER "E218F006CAA7DD13A7EE3FE31F02B3A279734F3F9A310241D8683F52645AD77F"
#define OF_CHECKOUT_BASE64 "4hjwBsqn3ROn7j/jHwKzonlzTz+aMQJB2Gg/UmRa138="
#define OF_SPACED "8d2144c69556fc158699e078a8c32a0bbfa82b9cceeea70b26f88b03604e2562"
#define OF_TOP_UP "03502f99aef71927ef703258ba65e2d3c5797876cab6cca77d4a80c52bb17682"
#define OF_EMPTY "f0fb4ed64fa82948cb59c32e69d704d7aa25ef0e47f12bc655dc5bb2b005200e"

static const struct {
    const char *header;
    const char *body;
    bool base64_is_accepted;
    enum signature_verdict verdict;
} table[] = {
    {OF_CHECKOUT, CHECKOUT, false, SIGNATURE_VALID},
    {OF_CHECKOUT_UPPER, CHECKOUT, false, SIGNATURE_VALID},
    {" " OF_CHECKOUT " ", CHECKOUT, false, SIGNATURE_VALID},
    {"sha256=" OF_CHECKOUT, CHECKOUT, false, SIGNATURE_VALID},
    {"SHA256=" OF_CHECKOUT_UPPER, CHECKOUT, false, SIGNATURE_VALID},
    {OF_SPACED, CHECKOUT_SPACED, false, SIGNATURE_VALID},
    {OF_TOP_UP, TOP_UP, false, SIGNATURE_VALID},
    {OF_EMPTY, "", false, SIGNATURE_VALID},
    {OF_CHECKOUT_BASE64, CHECKOUT, true, SIGNATURE_VALID},
    {"sha256=" OF_CHECKOUT_BASE64, CHECKOUT, true, SIGNATURE_VALID},
    {OF_CHECKOUT, CHECKOUT, true, SIGNATURE_VALID},
    {OF_CHECKOUT_BASE64, CHECKOUT, false, SIGNATURE_MALFORMED},
    /* of another body: re-serialised, another action's, the empty one */
    {OF_SPACED, CHECKOUT, false, SIGNATURE_WRONG},
    {OF_CHECKOUT, CHECKOUT_SPACED, false, SIGNATURE_WRONG},
    {OF_TOP_UP, CHECKOUT, false, SIGNATURE_WRONG},
    {OF_EMPTY, CHECKOUT, false, SIGNATURE_WRONG},
    {OF_CHECKOUT, "", false, SIGNATURE_WRONG},
    {OF_CHECKOUT, CHECKOUT "\n", false, SIGNATURE_WRONG},
    {OF_CHECKOUT_BASE64, CHECKOUT_SPACED, true, SIGNATURE_WRONG},
    /* the last hex digit is another one */
    {"e218f006caa7dd13a7ee3fe31f02b3a279734f3f9a310241d8683f52645ad77e", CHECKOUT, false,
     SIGNATURE_WRONG},
    {"", CHECKOUT, false, SIGNATURE_MISSING},
    {"   ", CHECKOUT, false, SIGNATURE_MISSING},
    {"sha256=", CHECKOUT, false, SIGNATURE_MALFORMED},
    {"e218f006", CHECKOUT, false, SIGNATURE_MALFORMED},
    {OF_CHECKOUT "00", CHECKOUT, false, SIGNATURE_MALFORMED},
    {OF_CHECKOUT "\n" OF_CHECKOUT, CHECKOUT, false, SIGNATURE_MALFORMED},
    {"g218f006caa7dd13a7ee3fe31f02b3a279734f3f9a310241d8683f52645ad77f", CHECKOUT, true,
     SIGNATURE_MALFORMED},
    {"sha1=" OF_CHECKOUT, CHECKOUT, false, SIGNATURE_MALFORMED},
};

static void each_header_gets_its_verdict(void **state)
{
    (void)state;
    struct directory_tenant tenant = {.signature = seal_hmac_create(TEXT(TOKEN))};
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        tenant.tenant.signature_base64_is_accepted = table[i].base64_is_accepted;
        enum signature_verdict verdict =
            signature_verify(&tenant, text_of(table[i].header), text_of(table[i].body));
        if (verdict != table[i].verdict)
            fail_msg("line %zu, header '%s': %s instead of %s", i, table[i].header,
                     signature_verdict_name(verdict), signature_verdict_name(table[i].verdict));
    }
    seal_hmac_destroy(tenant.signature);
}

static void both_tokens_are_good_during_a_rotation_and_no_third(void **state)
{
    (void)state;
    struct directory_tenant tenant = {.signature = seal_hmac_create(TEXT("the-new-token")),
                                      .signature_previous = seal_hmac_create(TEXT(TOKEN))};
    uint8_t mac[SEAL_MAC_BYTES];
    char hex[2 * SEAL_MAC_BYTES + 1];
    seal_hmac_sign(tenant.signature, TEXT(CHECKOUT), mac);
    text_hex_encode(hex, mac, sizeof(mac));
    assert_int_equal(signature_verify(&tenant, text_of(hex), TEXT(CHECKOUT)), SIGNATURE_VALID);
    assert_int_equal(signature_verify(&tenant, TEXT(OF_CHECKOUT), TEXT(CHECKOUT)), SIGNATURE_VALID);
    seal_hmac_destroy(tenant.signature_previous);
    tenant.signature_previous = NULL;
    assert_int_equal(signature_verify(&tenant, text_of(hex), TEXT(CHECKOUT)), SIGNATURE_VALID);
    assert_int_equal(signature_verify(&tenant, TEXT(OF_CHECKOUT), TEXT(CHECKOUT)), SIGNATURE_WRONG);
    seal_hmac_destroy(tenant.signature);
}

static void without_a_token_nothing_is_valid(void **state)
{
    (void)state;
    struct directory_tenant tenant = {0};
    assert_int_equal(signature_verify(&tenant, TEXT(OF_CHECKOUT), TEXT(CHECKOUT)),
                     SIGNATURE_NO_TOKEN);
    assert_int_equal(signature_verify(&tenant, TEXT(""), TEXT("")), SIGNATURE_NO_TOKEN);
}

static void what_was_signed_is_found_among_several_texts(void **state)
{
    (void)state;
    const struct text texts[] = {TEXT("a=b"), TEXT(""), TEXT(CHECKOUT), TEXT(TOP_UP)};
    struct directory_tenant tenant = {.signature_previous = seal_hmac_create(TEXT(TOKEN))};
    struct signature_match match;
    assert_true(signature_find(&tenant, TEXT(OF_EMPTY), texts, COUNT_OF(texts), &match));
    assert_int_equal(match.index, 1);
    assert_true(match.is_previous && !match.is_base64);
    tenant.signature = seal_hmac_create(TEXT(TOKEN));
    assert_true(signature_find(&tenant, TEXT(OF_CHECKOUT_BASE64), texts, COUNT_OF(texts), &match));
    assert_int_equal(match.index, 2);
    assert_true(!match.is_previous && match.is_base64);
    assert_true(signature_find(&tenant, TEXT("sha256=" OF_TOP_UP), texts, COUNT_OF(texts), &match));
    assert_int_equal(match.index, 3);
    assert_false(signature_find(&tenant, TEXT(OF_SPACED), texts, COUNT_OF(texts), &match));
    assert_false(signature_find(&tenant, TEXT(OF_TOP_UP), texts, 3, &match));
    assert_false(signature_find(&tenant, TEXT("nonsense"), texts, COUNT_OF(texts), &match));
    seal_hmac_destroy(tenant.signature);
    seal_hmac_destroy(tenant.signature_previous);
}

static void each_verdict_has_a_name_of_its_own(void **state)
{
    (void)state;
    for (int a = SIGNATURE_VALID; a <= SIGNATURE_NO_TOKEN; a++)
        for (int b = SIGNATURE_VALID; b < a; b++)
            assert_string_not_equal(signature_verdict_name((enum signature_verdict)a),
                                    signature_verdict_name((enum signature_verdict)b));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_header_gets_its_verdict),
        cmocka_unit_test(both_tokens_are_good_during_a_rotation_and_no_third),
        cmocka_unit_test(without_a_token_nothing_is_valid),
        cmocka_unit_test(what_was_signed_is_found_among_several_texts),
        cmocka_unit_test(each_verdict_has_a_name_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
