/* Tokens of our own: what comes back as it went out, and everything that must not be taken for one
 * of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jwt.h>

#include "base/clock.h"
#include "base/error.h"
#include "oauth/jwt.h"

#define NOW_US (INT64_C(1790000000) * CLOCK_US_PER_S)
#define HEADER "{\"typ\":\"JWT\",\"alg\":\"HS256\",\"kid\":\"3\"}"
#define ID "0123456789abcdef0123456789abcdef"
#define TIMES "\"iat\":1790000000,\"nbf\":1790000000,\"exp\":1790000600"
#define STATE                                                                                      \
    "{\"iss\":\"counterpart\",\"aud\":\"state\",\"jti\":\"" ID "\"," TIMES ",\"tenant\":7}"
#define REDEEM                                                                                     \
    "{\"iss\":\"counterpart\",\"aud\":\"redeem\",\"jti\":\"" ID "\"," TIMES                        \
    ",\"tenant\":7,\"member\":8,\"reward\":9}"

static struct seal *seal;
static struct token_keys *keys;
static uint64_t randomness;

static int setup(void **state)
{
    static const uint8_t master[SEAL_KEY_BYTES] = {1};
    (void)state;
    assert_int_equal(seal_from_bytes(master, &seal), 0);
    assert_int_equal(token_keys_create(seal, 3, &keys), 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    token_keys_destroy(keys);
    seal_destroy(seal);
    return 0;
}

/* --- making tokens by hand */

struct token {
    char bytes[8 * JWT_TEXT_MAX];
    struct text_buffer buffer;
};

static void append_base64url(struct text_buffer *buffer, struct text bytes)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    uint32_t bits = 0;
    int count = 0;
    for (size_t i = 0; i < bytes.length; i++) {
        bits = (bits << 8 | (uint8_t)bytes.base[i]) & 0xFFFFFF;
        for (count += 8; count >= 6; count -= 6)
            text_append_char(buffer, alphabet[bits >> (count - 6) & 63]);
    }
    if (count > 0)
        text_append_char(buffer, alphabet[bits << (6 - count) & 63]);
}

static void forge_with(struct token *token, const char *header, const char *claims,
                       struct text secret)
{
    uint8_t mac[SEAL_MAC_BYTES];
    struct seal_hmac *hmac = seal_hmac_create(secret);
    text_buffer_init(&token->buffer, token->bytes, sizeof(token->bytes));
    append_base64url(&token->buffer, text_of(header));
    text_append_char(&token->buffer, '.');
    append_base64url(&token->buffer, text_of(claims));
    seal_hmac_sign(hmac, text_buffer_text(&token->buffer), mac);
    text_append_char(&token->buffer, '.');
    append_base64url(&token->buffer, (struct text){(const char *)mac, sizeof(mac)});
    assert_false(token->buffer.is_cut);
    seal_hmac_destroy(hmac);
}

/* With the right key: what only a bug of ours, or who has the master key, could make. */
static void forge(struct token *token, const char *header, const char *claims)
{
    uint8_t key[SEAL_KEY_BYTES];
    seal_derive_key(seal, TEXT("token 3"), key);
    forge_with(token, header, claims, (struct text){(const char *)key, sizeof(key)});
}

static int verify_at(const struct token *token, enum token_audience audience, int64_t now_us,
                     struct token_claims *claims)
{
    return token_verify(keys, audience, text_buffer_text(&token->buffer), now_us, claims);
}

/* Nothing of a refused token is told. */
static void assert_refused(const struct token *token, enum token_audience audience, int err)
{
    struct token_claims claims;
    assert_int_equal(verify_at(token, audience, NOW_US, &claims), err);
    assert_int_equal(claims.tenant_id, 0);
    assert_int_equal(claims.expires_at_us, 0);
    assert_string_equal(claims.id, "");
}

static void assert_claims(const char *claims, int err)
{
    struct token token;
    struct token_claims read;
    forge(&token, HEADER, claims);
    if (err == 0)
        assert_int_equal(verify_at(&token, TOKEN_STATE, NOW_US, &read), 0);
    else
        assert_refused(&token, TOKEN_STATE, err);
}

static void assert_header(const char *header, int err)
{
    struct token token;
    struct token_claims read;
    forge(&token, header, STATE);
    if (err == 0)
        assert_int_equal(verify_at(&token, TOKEN_STATE, NOW_US, &read), 0);
    else
        assert_refused(&token, TOKEN_STATE, err);
}

static void sign(struct token *token, struct token_claims *claims)
{
    text_buffer_init(&token->buffer, token->bytes, sizeof(token->bytes));
    assert_int_equal(token_sign(keys, id_source_seeded(&randomness), claims, &token->buffer), 0);
    assert_true(token->buffer.length <= JWT_TEXT_MAX);
}

static struct token_claims state_claims(void)
{
    return (struct token_claims){.audience = TOKEN_STATE,
                                 .tenant_id = 7,
                                 .not_before_us = NOW_US,
                                 .expires_at_us = NOW_US + 600 * CLOCK_US_PER_S};
}

/* --- tests */

static void a_token_comes_back_as_it_went_out(void **state)
{
    struct token token;
    struct token_claims claims = {.audience = TOKEN_REDEEM,
                                  .tenant_id = INT64_MAX,
                                  .member_id = INT64_MAX - 1,
                                  .reward_id = INT64_MAX - 2,
                                  .not_before_us = NOW_US + 999999,
                                  .expires_at_us = NOW_US + 9 * CLOCK_US_PER_S};
    struct token_claims read;
    (void)state;
    sign(&token, &claims);
    assert_int_equal(verify_at(&token, TOKEN_REDEEM, NOW_US, &read), 0);
    assert_string_equal(read.id, claims.id);
    assert_int_equal(strlen(read.id), JWT_ID_CHARS);
    assert_int_equal(read.tenant_id, claims.tenant_id);
    assert_int_equal(read.member_id, claims.member_id);
    assert_int_equal(read.reward_id, claims.reward_id);
    assert_int_equal(read.not_before_us, NOW_US); /* whole seconds */
    assert_int_equal(read.expires_at_us, claims.expires_at_us);

    struct token_claims again = state_claims();
    sign(&token, &again);
    assert_string_not_equal(again.id, claims.id);
    assert_int_equal(verify_at(&token, TOKEN_STATE, NOW_US, &read), 0);
    assert_int_equal(read.member_id, 0);
}

/* A redeem_url is rewritten by text: the token may hold nothing that could be taken for the place
 * of the order. */
static void a_token_is_made_of_url_characters(void **state)
{
    struct token token;
    struct token_claims claims = state_claims();
    (void)state;
    sign(&token, &claims);
    for (size_t i = 0; i < token.buffer.length; i++)
        assert_non_null(strchr(".-_0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ",
                               token.bytes[i]));
}

static void a_token_made_by_hand_is_what_ours_are(void **state)
{
    struct token token;
    struct token_claims claims;
    (void)state;
    forge(&token, HEADER, REDEEM);
    assert_int_equal(verify_at(&token, TOKEN_REDEEM, NOW_US, &claims), 0);
    assert_int_equal(claims.tenant_id, 7);
    assert_int_equal(claims.member_id, 8);
    assert_int_equal(claims.reward_id, 9);
    assert_claims(STATE, 0);
}

static void a_token_is_good_from_nbf_until_exp(void **state)
{
    struct token token;
    struct token_claims claims = state_claims(), read;
    (void)state;
    sign(&token, &claims);
    assert_int_equal(verify_at(&token, TOKEN_STATE, NOW_US - 1, &read), ERR_BAD_TOKEN);
    assert_int_equal(verify_at(&token, TOKEN_STATE, NOW_US, &read), 0);
    assert_int_equal(verify_at(&token, TOKEN_STATE, claims.expires_at_us - 1, &read), 0);
    assert_int_equal(verify_at(&token, TOKEN_STATE, claims.expires_at_us, &read), ERR_EXPIRED);
    assert_int_equal(read.tenant_id, 0);
    assert_int_equal(verify_at(&token, TOKEN_STATE, INT64_MAX, &read), ERR_EXPIRED);
}

static void a_token_for_another_audience_is_refused(void **state)
{
    struct token token;
    struct token_claims claims = state_claims();
    (void)state;
    sign(&token, &claims);
    assert_refused(&token, TOKEN_REDEEM, ERR_BAD_TOKEN);
    forge(&token, HEADER, REDEEM);
    assert_refused(&token, TOKEN_STATE, ERR_BAD_TOKEN);
}

static void alg_none_is_refused_with_and_without_a_signature(void **state)
{
    struct token token;
    (void)state;
    assert_header("{\"typ\":\"JWT\",\"alg\":\"none\",\"kid\":\"3\"}", ERR_BAD_TOKEN);
    assert_header("{\"typ\":\"JWT\",\"alg\":\"NONE\",\"kid\":\"3\"}", ERR_BAD_TOKEN);
    assert_header("{\"typ\":\"JWT\",\"kid\":\"3\"}", ERR_BAD_TOKEN);
    forge(&token, "{\"typ\":\"JWT\",\"alg\":\"none\",\"kid\":\"3\"}", STATE);
    token.buffer.length -= 43;
    assert_int_equal(token.bytes[token.buffer.length - 1], '.');
    assert_refused(&token, TOKEN_STATE, ERR_BAD_TOKEN);
    token.buffer.length--;
    assert_refused(&token, TOKEN_STATE, ERR_BAD_TOKEN);
    forge(&token, HEADER, STATE);
    token.buffer.length -= 43;
    assert_refused(&token, TOKEN_STATE, ERR_BAD_TOKEN);
}

static const char public_key[] =
    "-----BEGIN PUBLIC KEY-----\n"
    "MFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBAL8eJ5AKoIsjURpcEoGubZMxLD7+kT+T\n"
    "LrXuAE4nUFIBM+6Rc7kBOEk5aSNrxnJ0aTIBCYPXdmmpyUwPYOvIAFMCAwEAAQ==\n"
    "-----END PUBLIC KEY-----\n";

/* Who knows a public key signs with it as if it were a secret. */
static void a_token_signed_with_a_public_key_as_secret_is_refused(void **state)
{
    struct token token;
    jwt_t *jwt;
    (void)state;
    forge_with(&token, HEADER, STATE, text_of(public_key));
    assert_refused(&token, TOKEN_STATE, ERR_BAD_TOKEN);
    /* What libjwt says to it where that public key is the one configured: why algorithms are pinned
     * by us. */
    token.bytes[token.buffer.length] = '\0';
    assert_int_equal(
        jwt_decode(&jwt, token.bytes, (const unsigned char *)public_key, (int)strlen(public_key)),
        0);
    jwt_free(jwt);
    assert_header("{\"typ\":\"JWT\",\"alg\":\"RS256\",\"kid\":\"3\"}", ERR_BAD_TOKEN);
    assert_header("{\"typ\":\"JWT\",\"alg\":\"ES256\",\"kid\":\"3\"}", ERR_BAD_TOKEN);
}

static void other_sizes_of_hs_are_refused_though_the_key_is_right(void **state)
{
    static const jwt_alg_t algorithms[] = {JWT_ALG_HS384, JWT_ALG_HS512};
    uint8_t key[SEAL_KEY_BYTES];
    (void)state;
    seal_derive_key(seal, TEXT("token 3"), key);
    for (size_t i = 0; i < COUNT_OF(algorithms); i++) {
        struct token token;
        jwt_t *jwt, *decoded;
        assert_int_equal(jwt_new(&jwt), 0);
        assert_int_equal(jwt_set_alg(jwt, algorithms[i], key, sizeof(key)), 0);
        assert_int_equal(jwt_add_header(jwt, "kid", "3"), 0);
        assert_int_equal(jwt_add_grants_json(jwt, STATE), 0);
        char *text = jwt_encode_str(jwt);
        text_buffer_init(&token.buffer, token.bytes, sizeof(token.bytes));
        text_append(&token.buffer, text_of(text));
        assert_refused(&token, TOKEN_STATE, ERR_BAD_TOKEN);
        assert_int_equal(jwt_decode(&decoded, text, key, sizeof(key)), 0); /* libjwt takes it */
        jwt_free(decoded);
        jwt_free(jwt);
        free(text);
    }
}

static void a_header_with_anything_more_or_less_is_refused(void **state)
{
    (void)state;
    assert_header(HEADER, 0);
    assert_header("{\"kid\":\"3\",\"alg\":\"HS256\",\"typ\":\"JWT\"}", 0);
    assert_header("{\"alg\":\"HS256\",\"kid\":\"3\"}", ERR_BAD_TOKEN);
    assert_header("{\"typ\":\"JWT\",\"alg\":\"HS256\"}", ERR_BAD_TOKEN);
    assert_header("{\"typ\":\"JWT\",\"alg\":\"HS256\",\"kid\":3}", ERR_BAD_TOKEN);
    assert_header("{\"typ\":\"JWT\",\"alg\":\"HS256\",\"kid\":\"3\",\"crit\":[\"b64\"]}",
                  ERR_BAD_TOKEN);
    assert_header("{\"typ\":\"JWT\",\"alg\":\"HS256\",\"alg\":\"none\",\"kid\":\"3\"}",
                  ERR_BAD_TOKEN);
    assert_header("{\"typ\":\"JWT\",\"alg\":\"HS256\",\"alg\":\"HS256\",\"kid\":\"3\"}",
                  ERR_BAD_TOKEN);
    assert_header("[\"HS256\"]", ERR_BAD_TOKEN);
    assert_header("\"HS256\"", ERR_BAD_TOKEN);
    assert_header("", ERR_BAD_TOKEN);
}

static void another_kid_is_refused_but_for_the_generation_before(void **state)
{
    struct token token, old;
    struct token_claims claims = state_claims(), read;
    (void)state;
    assert_header("{\"typ\":\"JWT\",\"alg\":\"HS256\",\"kid\":\"4\"}", ERR_BAD_TOKEN);
    assert_header("{\"typ\":\"JWT\",\"alg\":\"HS256\",\"kid\":\"2\"}", ERR_BAD_TOKEN); /* its key */
    assert_header("{\"typ\":\"JWT\",\"alg\":\"HS256\",\"kid\":\"1\"}", ERR_BAD_TOKEN);
    assert_header("{\"typ\":\"JWT\",\"alg\":\"HS256\",\"kid\":\"0\"}", ERR_BAD_TOKEN);
    assert_header("{\"typ\":\"JWT\",\"alg\":\"HS256\",\"kid\":\"\"}", ERR_BAD_TOKEN);
    assert_header("{\"typ\":\"JWT\",\"alg\":\"HS256\",\"kid\":\"../../key\"}", ERR_BAD_TOKEN);

    sign(&old, &claims);
    token_keys_rotate(keys, 4);
    assert_int_equal(verify_at(&old, TOKEN_STATE, NOW_US, &read), 0);
    sign(&token, &claims);
    assert_int_equal(verify_at(&token, TOKEN_STATE, NOW_US, &read), 0);
    token_keys_rotate(keys, 5);
    assert_int_equal(verify_at(&old, TOKEN_STATE, NOW_US, &read), ERR_BAD_TOKEN);
    assert_int_equal(verify_at(&token, TOKEN_STATE, NOW_US, &read), 0);
}

static void the_first_generation_has_none_before_it(void **state)
{
    struct token_keys *first;
    struct token token;
    struct token_claims read;
    uint8_t key[SEAL_KEY_BYTES];
    (void)state;
    assert_int_equal(token_keys_create(seal, 1, &first), 0);
    seal_derive_key(seal, TEXT("token 0"), key);
    forge_with(&token, "{\"typ\":\"JWT\",\"alg\":\"HS256\",\"kid\":\"0\"}", STATE,
               (struct text){(const char *)key, sizeof(key)});
    assert_int_equal(
        token_verify(first, TOKEN_STATE, text_buffer_text(&token.buffer), NOW_US, &read),
        ERR_BAD_TOKEN);
    token_keys_destroy(first);
}

static void a_token_of_another_master_key_is_refused(void **state)
{
    static const uint8_t master[SEAL_KEY_BYTES] = {2};
    struct seal *other_seal;
    struct token_keys *other;
    struct token token;
    struct token_claims claims = state_claims(), read;
    (void)state;
    assert_int_equal(seal_from_bytes(master, &other_seal), 0);
    assert_int_equal(token_keys_create(other_seal, 3, &other), 0);
    sign(&token, &claims);
    assert_int_equal(
        token_verify(other, TOKEN_STATE, text_buffer_text(&token.buffer), NOW_US, &read),
        ERR_BAD_TOKEN);
    token_keys_destroy(other);
    seal_destroy(other_seal);
}

static void a_truncated_token_is_refused_at_every_length(void **state)
{
    struct token token;
    struct token_claims claims = state_claims();
    (void)state;
    sign(&token, &claims);
    for (size_t length = token.buffer.length; length-- > 0;) {
        token.buffer.length = length;
        assert_refused(&token, TOKEN_STATE, ERR_BAD_TOKEN);
    }
}

static void a_token_with_any_character_changed_is_refused(void **state)
{
    struct token token;
    struct token_claims claims = state_claims();
    (void)state;
    sign(&token, &claims);
    for (size_t i = 0; i < token.buffer.length; i++) {
        char before = token.bytes[i];
        for (const char *c = "A9-. =\0\xff"; c < "A9-. =\0\xff" + 8; c++) {
            token.bytes[i] = *c;
            if (*c != before)
                assert_refused(&token, TOKEN_STATE, ERR_BAD_TOKEN);
        }
        token.bytes[i] = before;
    }
}

static void a_token_with_parts_too_many_is_refused(void **state)
{
    struct token token;
    struct token_claims claims = state_claims();
    (void)state;
    sign(&token, &claims);
    text_append(&token.buffer, TEXT("."));
    assert_refused(&token, TOKEN_STATE, ERR_BAD_TOKEN);
    text_append(&token.buffer, TEXT("AAAA"));
    assert_refused(&token, TOKEN_STATE, ERR_BAD_TOKEN);
}

static void a_huge_token_is_refused_though_well_signed(void **state)
{
    static char claims[3 * JWT_TEXT_MAX];
    struct token token;
    (void)state;
    int length = snprintf(claims, sizeof(claims), "%.*s,\"x\":\"%0*d\"}", (int)strlen(STATE) - 1,
                          STATE, 2 * JWT_TEXT_MAX, 0);
    assert_in_range(length, 2 * JWT_TEXT_MAX, sizeof(claims) - 1);
    forge(&token, HEADER, claims);
    assert_refused(&token, TOKEN_STATE, ERR_BAD_TOKEN);
    /* The longest that is looked at: white space makes up the length. */
    snprintf(claims, sizeof(claims), "%s%*s", STATE, 400, "");
    forge(&token, HEADER, claims);
    assert_in_range(token.buffer.length, 700, JWT_TEXT_MAX);
    assert_claims(claims, 0);
}

#define WITHOUT_TIMES "\"iss\":\"counterpart\",\"aud\":\"state\",\"jti\":\"" ID "\",\"tenant\":7"

static void claims_of_the_wrong_type_are_refused(void **state)
{
    static const char *const times[] = {
        "\"iat\":1790000000,\"nbf\":1790000000,\"exp\":\"1790000600\"",
        "\"iat\":1790000000,\"nbf\":\"1790000000\",\"exp\":1790000600",
        "\"iat\":\"1790000000\",\"nbf\":1790000000,\"exp\":1790000600",
        "\"iat\":1790000000,\"nbf\":1790000000,\"exp\":1790000600.5",
        "\"iat\":1790000000,\"nbf\":1790000000,\"exp\":17900006e2",
        "\"iat\":1790000000,\"nbf\":1790000000,\"exp\":true",
        "\"iat\":1790000000,\"nbf\":1790000000,\"exp\":null",
        "\"iat\":1790000000,\"nbf\":1790000000,\"exp\":[1790000600]",
        "\"iat\":1790000000,\"nbf\":1790000000,\"exp\":9223372036854775807",
        "\"iat\":1790000000,\"nbf\":1790000000,\"exp\":9223372036854775808",
        "\"iat\":1790000000,\"nbf\":1790000000,\"exp\":-1790000600",
        "\"iat\":1790000000,\"nbf\":-1,\"exp\":1790000600",
        "\"iat\":-1,\"nbf\":1790000000,\"exp\":1790000600",
        "\"nbf\":1790000000,\"exp\":1790000600",
        "\"iat\":1790000000,\"exp\":1790000600",
        "\"iat\":1790000000,\"nbf\":1790000000",
    };
    char claims[1024];
    (void)state;
    snprintf(claims, sizeof(claims), "{" WITHOUT_TIMES ",%s}", TIMES);
    assert_claims(claims, 0);
    for (size_t i = 0; i < COUNT_OF(times); i++) {
        snprintf(claims, sizeof(claims), "{" WITHOUT_TIMES ",%s}", times[i]);
        assert_claims(claims, ERR_BAD_TOKEN);
    }
}

static void claims_that_are_not_ours_are_refused(void **state)
{
    static const char *const others[] = {
        "\"iss\":\"somebody\",\"aud\":\"state\",\"jti\":\"" ID "\",\"tenant\":7",
        "\"iss\":[\"counterpart\"],\"aud\":\"state\",\"jti\":\"" ID "\",\"tenant\":7",
        "\"aud\":\"state\",\"jti\":\"" ID "\",\"tenant\":7",
        "\"iss\":\"counterpart\",\"aud\":[\"state\"],\"jti\":\"" ID "\",\"tenant\":7",
        "\"iss\":\"counterpart\",\"jti\":\"" ID "\",\"tenant\":7",
        "\"iss\":\"counterpart\",\"aud\":\"state\",\"jti\":\"0\",\"tenant\":7",
        "\"iss\":\"counterpart\",\"aud\":\"state\",\"jti\":5,\"tenant\":7",
        "\"iss\":\"counterpart\",\"aud\":\"state\",\"jti\":\"" ID "0\",\"tenant\":7",
        "\"iss\":\"counterpart\",\"aud\":\"state\",\"jti\":"
        "\"0123456789abcdef0123456789abcdeg\",\"tenant\":7",
        "\"iss\":\"counterpart\",\"aud\":\"state\",\"tenant\":7",
        "\"iss\":\"counterpart\",\"aud\":\"state\",\"jti\":\"" ID "\",\"tenant\":\"7\"",
        "\"iss\":\"counterpart\",\"aud\":\"state\",\"jti\":\"" ID "\",\"tenant\":0",
        "\"iss\":\"counterpart\",\"aud\":\"state\",\"jti\":\"" ID "\",\"tenant\":-7",
        "\"iss\":\"counterpart\",\"aud\":\"state\",\"jti\":\"" ID "\"",
        "\"iss\":\"counterpart\",\"aud\":\"state\",\"jti\":\"" ID "\",\"tenant\":7,\"member\":8",
        "\"iss\":\"counterpart\",\"aud\":\"state\",\"jti\":\"" ID "\",\"tenant\":7,\"x\":8",
    };
    char claims[1024];
    (void)state;
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        snprintf(claims, sizeof(claims), "{%s," TIMES "}", others[i]);
        assert_claims(claims, ERR_BAD_TOKEN);
    }
    assert_claims("[]", ERR_BAD_TOKEN);
    assert_claims("null", ERR_BAD_TOKEN);
    assert_claims("{}", ERR_BAD_TOKEN);
    assert_claims(STATE " x", ERR_BAD_TOKEN);
}

static void claims_that_stand_twice_are_refused(void **state)
{
    char claims[1024];
    (void)state;
    snprintf(claims, sizeof(claims), "{" WITHOUT_TIMES "," TIMES ",\"exp\":1890000600}");
    assert_claims(claims, ERR_BAD_TOKEN);
    snprintf(claims, sizeof(claims), "{" WITHOUT_TIMES "," TIMES ",\"tenant\":7}");
    assert_claims(claims, ERR_BAD_TOKEN);
    snprintf(claims, sizeof(claims), "{" WITHOUT_TIMES "," TIMES ",\"t\\u0065nant\":8}");
    assert_claims(claims, ERR_BAD_TOKEN);
}

static void a_redeem_token_needs_its_member_and_reward(void **state)
{
    static const char *const wrong[] = {
        "\"member\":8",
        "\"reward\":9",
        "\"member\":8,\"reward\":0",
        "\"member\":0,\"reward\":9",
        "\"member\":\"8\",\"reward\":9",
        "\"member\":8,\"reward\":9,\"order\":1",
    };
    char claims[1024];
    (void)state;
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        struct token token;
        snprintf(claims, sizeof(claims),
                 "{\"iss\":\"counterpart\",\"aud\":\"redeem\",\"jti\":\"" ID "\"," TIMES
                 ",\"tenant\":7,%s}",
                 wrong[i]);
        forge(&token, HEADER, claims);
        assert_refused(&token, TOKEN_REDEEM, ERR_BAD_TOKEN);
    }
}

static void on_check(const char *expression, const char *file, int line)
{
    mock_assert(0, expression, file, line);
}

static void a_token_about_nobody_cannot_be_signed(void **state)
{
    struct token token;
    struct token_claims claims = state_claims();
    (void)state;
    check_hook = on_check;
    text_buffer_init(&token.buffer, token.bytes, sizeof(token.bytes));
    claims.tenant_id = 0;
    expect_assert_failure(
        (void)!token_sign(keys, id_source_seeded(&randomness), &claims, &token.buffer));
    claims = state_claims();
    claims.audience = TOKEN_REDEEM;
    expect_assert_failure(
        (void)!token_sign(keys, id_source_seeded(&randomness), &claims, &token.buffer));
    claims = state_claims();
    claims.member_id = 8;
    expect_assert_failure(
        (void)!token_sign(keys, id_source_seeded(&randomness), &claims, &token.buffer));
    expect_assert_failure(token_keys_rotate(keys, 2));
    check_hook = NULL;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_token_comes_back_as_it_went_out),
        TEST(a_token_is_made_of_url_characters),
        TEST(a_token_made_by_hand_is_what_ours_are),
        TEST(a_token_is_good_from_nbf_until_exp),
        TEST(a_token_for_another_audience_is_refused),
        TEST(alg_none_is_refused_with_and_without_a_signature),
        TEST(a_token_signed_with_a_public_key_as_secret_is_refused),
        TEST(other_sizes_of_hs_are_refused_though_the_key_is_right),
        TEST(a_header_with_anything_more_or_less_is_refused),
        TEST(another_kid_is_refused_but_for_the_generation_before),
        TEST(the_first_generation_has_none_before_it),
        TEST(a_token_of_another_master_key_is_refused),
        TEST(a_truncated_token_is_refused_at_every_length),
        TEST(a_token_with_any_character_changed_is_refused),
        TEST(a_token_with_parts_too_many_is_refused),
        TEST(a_huge_token_is_refused_though_well_signed),
        TEST(claims_of_the_wrong_type_are_refused),
        TEST(claims_that_are_not_ours_are_refused),
        TEST(claims_that_stand_twice_are_refused),
        TEST(a_redeem_token_needs_its_member_and_reward),
        TEST(a_token_about_nobody_cannot_be_signed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
