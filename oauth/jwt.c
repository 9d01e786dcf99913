/* Signs and verifies our own tokens by libjwt, with everything pinned that a token could choose. */
#include "oauth/jwt.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/json.h"

#include <jwt.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

/*
 * What libjwt 1.10 leaves to its caller, found by trying; tests/oauth/test_jwt.c holds each:
 *
 *   - it takes the algorithm from the token: one signed by HS256 under an RSA public key verifies
 *     where that key is configured, HS512 where HS256 was meant, and a NULL key accepts alg "none".
 *     So the header is read here first, key and algorithm are ours, and jwt_get_alg is asked after;
 *   - exp, nbf, iss and aud are not looked at;
 *   - of a name that stands twice it takes one, and a claim of another type reads as 0 or NULL. So
 *     the claims are read here, strictly (base/json.h);
 *   - it wants a C string.
 */

#define ISSUER "counterpart"
#define TYPE "JWT"
#define ALGORITHM "HS256"
/* "token " and an int64_t */
#define LABEL_MAX 32

struct token_keys {
    const struct seal *seal;
    _Atomic int64_t generation;
};

int token_keys_create(const struct seal *seal, int64_t generation, struct token_keys **keys)
{
    CHECK(generation >= 1);
    struct token_keys *made = calloc(1, sizeof(*made));
    if (made == NULL)
        return ERR_NO_MEMORY;
    made->seal = seal;
    atomic_init(&made->generation, generation);
    *keys = made;
    return 0;
}

void token_keys_destroy(struct token_keys *keys)
{
    free(keys);
}

void token_keys_rotate(struct token_keys *keys, int64_t generation)
{
    CHECK(generation >= atomic_load(&keys->generation));
    atomic_store(&keys->generation, generation);
}

void token_keys_follow(struct token_keys *keys, int64_t generation)
{
    int64_t known = atomic_load(&keys->generation);
    while (known < generation &&
           !atomic_compare_exchange_weak(&keys->generation, &known, generation))
        continue;
}

static void derive_key(const struct token_keys *keys, int64_t generation,
                       uint8_t key[SEAL_KEY_BYTES])
{
    char bytes[LABEL_MAX];
    struct text_buffer label;
    text_buffer_init(&label, bytes, sizeof(bytes));
    text_append_format(&label, "token %lld", (long long)generation);
    seal_derive_key(keys->seal, text_buffer_text(&label), key);
}

static const char *audience_name(enum token_audience audience)
{
    switch (audience) {
    case TOKEN_STATE:
        return "state";
    case TOKEN_REDEEM:
        return "redeem";
    }
    CHECK(false);
    return "";
}

/* --- signing */

static int add_claims(jwt_t *jwt, const struct token_claims *claims)
{
    int err = jwt_add_grant(jwt, "iss", ISSUER);
    err |= jwt_add_grant(jwt, "aud", audience_name(claims->audience));
    err |= jwt_add_grant(jwt, "jti", claims->id);
    err |= jwt_add_grant_int(jwt, "iat", claims->not_before_us / CLOCK_US_PER_S);
    err |= jwt_add_grant_int(jwt, "nbf", claims->not_before_us / CLOCK_US_PER_S);
    err |= jwt_add_grant_int(jwt, "exp", claims->expires_at_us / CLOCK_US_PER_S);
    err |= jwt_add_grant_int(jwt, "tenant", claims->tenant_id);
    if (claims->audience != TOKEN_REDEEM)
        return err;
    err |= jwt_add_grant_int(jwt, "member", claims->member_id);
    err |= jwt_add_grant_int(jwt, "reward", claims->reward_id);
    return err;
}

static int sign_with(jwt_t *jwt, const struct token_keys *keys, const struct token_claims *claims,
                     struct text_buffer *buffer)
{
    char kid[LABEL_MAX];
    uint8_t key[SEAL_KEY_BYTES];
    int64_t generation = atomic_load(&keys->generation);
    snprintf(kid, sizeof(kid), "%lld", (long long)generation);
    derive_key(keys, generation, key);
    int err = jwt_set_alg(jwt, JWT_ALG_HS256, key, (int)sizeof(key));
    seal_wipe(key, sizeof(key));
    if (err == 0)
        err = jwt_add_header(jwt, "kid", kid);
    if (err == 0)
        err = add_claims(jwt, claims);
    char *token = err == 0 ? jwt_encode_str(jwt) : NULL;
    if (token == NULL)
        return ERR_NO_MEMORY; /* nothing else can fail here: all of it is ours */
    CHECK(strlen(token) <= JWT_TEXT_MAX);
    text_append(buffer, text_of(token));
    seal_wipe(token, strlen(token));
    free(token);
    return 0;
}

int token_sign(const struct token_keys *keys, struct id_source source, struct token_claims *claims,
               struct text_buffer *buffer)
{
    bool is_redeem = claims->audience == TOKEN_REDEEM;
    jwt_t *jwt;
    CHECK(claims->tenant_id > 0 && claims->not_before_us >= 0);
    CHECK((claims->member_id > 0) == is_redeem && (claims->reward_id > 0) == is_redeem);
    id_key_generate(source, claims->id);
    if (jwt_new(&jwt) != 0)
        return ERR_NO_MEMORY;
    int err = sign_with(jwt, keys, claims, buffer);
    jwt_free(jwt);
    return err;
}

/* --- verifying */

struct token_parts {
    struct text header, claims;
};

static bool is_base64url(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_';
}

/* Takes what stands before the next '.', or the end. */
static bool take_part(struct text *rest, bool is_last, struct text *part)
{
    size_t length = 0;
    while (length < rest->length && is_base64url(rest->base[length]))
        length++;
    *part = text_slice(*rest, 0, length);
    bool is_at_end = length == rest->length;
    if (length == 0 || is_at_end != is_last || (!is_last && rest->base[length] != '.'))
        return false;
    *rest = text_slice(*rest, length + 1, rest->length);
    return true;
}

/* Three parts of base64url without padding (RFC 7515 section 7.1). */
static bool split(struct text token, struct token_parts *parts)
{
    struct text signature;
    return take_part(&token, false, &parts->header) && take_part(&token, false, &parts->claims) &&
           take_part(&token, true, &signature);
}

/* A part's JSON object. *json is the caller's: jread_destroy. */
static int read_part(struct text part, struct jread **json)
{
    char standard[JWT_TEXT_MAX];
    uint8_t bytes[JWT_TEXT_MAX];
    size_t size = part.length * 3 / 4;
    for (size_t i = 0; i < part.length; i++) {
        char c = part.base[i];
        standard[i] = c == '-' ? '+' : c == '_' ? '/' : c;
    }
    if (!text_base64_decode(bytes, size, (struct text){standard, part.length}))
        return ERR_BAD_TOKEN;
    int err = jread_parse((struct text){(const char *)bytes, size}, json);
    return err == 0 || err == ERR_NO_MEMORY ? err : ERR_BAD_TOKEN;
}

static bool member_is(const struct jread *json, const char *name, const char *wanted)
{
    struct text text;
    return jread_text(jread_member(json, name), &text) == 0 && text_equal(text, text_of(wanted));
}

/* A JSON number, not a string of digits. */
static bool member_number(const struct jread *json, const char *name, int64_t max, int64_t *number)
{
    const struct jread *member = jread_member(json, name);
    return jread_kind_of(member) == JREAD_NUMBER && jread_int64(member, number) == 0 &&
           *number >= 0 && *number <= max;
}

/* Only our own three members: whatever else a header may ask for, such as "crit", we do not do. */
static bool header_is_ours(const struct jread *header, const struct token_keys *keys,
                           int64_t *generation)
{
    struct text kid;
    int64_t current = atomic_load(&keys->generation);
    return jread_kind_of(header) == JREAD_OBJECT && jread_count(header) == 3 &&
           member_is(header, "alg", ALGORITHM) && member_is(header, "typ", TYPE) &&
           jread_text(jread_member(header, "kid"), &kid) == 0 &&
           text_parse_int64(kid, generation) == 0 && *generation >= 1 &&
           (*generation == current || *generation == current - 1);
}

static int check_header(const struct token_keys *keys, struct text part, int64_t *generation)
{
    struct jread *header;
    int err = read_part(part, &header);
    if (err != 0)
        return err;
    if (!header_is_ours(header, keys, generation))
        err = ERR_BAD_TOKEN;
    jread_destroy(header);
    return err;
}

static int check_signature(const struct token_keys *keys, struct text token, int64_t generation)
{
    char c_string[JWT_TEXT_MAX + 1];
    uint8_t key[SEAL_KEY_BYTES];
    jwt_t *jwt = NULL;
    memcpy(c_string, token.base, token.length);
    c_string[token.length] = '\0';
    derive_key(keys, generation, key);
    bool is_good =
        jwt_decode(&jwt, c_string, key, (int)sizeof(key)) == 0 && jwt_get_alg(jwt) == JWT_ALG_HS256;
    seal_wipe(key, sizeof(key));
    jwt_free(jwt);
    return is_good ? 0 : ERR_BAD_TOKEN;
}

static bool read_id(const struct jread *json, char id[JWT_ID_CHARS + 1])
{
    struct text text;
    uint8_t bytes[JWT_ID_CHARS / 2];
    if (jread_text(jread_member(json, "jti"), &text) != 0 || text.length != JWT_ID_CHARS ||
        !text_hex_decode(bytes, sizeof(bytes), text))
        return false;
    memcpy(id, text.base, JWT_ID_CHARS);
    id[JWT_ID_CHARS] = '\0';
    return true;
}

static bool read_times(const struct jread *json, struct token_claims *claims)
{
    const int64_t max_s = INT64_MAX / CLOCK_US_PER_S;
    int64_t issued_s, not_before_s, expires_s;
    if (!member_number(json, "iat", max_s, &issued_s) ||
        !member_number(json, "nbf", max_s, &not_before_s) ||
        !member_number(json, "exp", max_s, &expires_s))
        return false;
    claims->not_before_us = not_before_s * CLOCK_US_PER_S;
    claims->expires_at_us = expires_s * CLOCK_US_PER_S;
    return true;
}

/* What a token for this audience has, and nothing else. */
static bool read_subject(const struct jread *json, struct token_claims *claims)
{
    bool is_redeem = claims->audience == TOKEN_REDEEM;
    if (jread_count(json) != (is_redeem ? 9 : 7) ||
        !member_number(json, "tenant", INT64_MAX, &claims->tenant_id) || claims->tenant_id == 0)
        return false;
    return !is_redeem || (member_number(json, "member", INT64_MAX, &claims->member_id) &&
                          member_number(json, "reward", INT64_MAX, &claims->reward_id) &&
                          claims->member_id > 0 && claims->reward_id > 0);
}

static int read_claims(struct text part, enum token_audience audience, struct token_claims *claims)
{
    struct jread *json;
    int err = read_part(part, &json);
    if (err != 0)
        return err;
    *claims = (struct token_claims){.audience = audience};
    if (jread_kind_of(json) != JREAD_OBJECT || !member_is(json, "iss", ISSUER) ||
        !member_is(json, "aud", audience_name(audience)) || !read_id(json, claims->id) ||
        !read_times(json, claims) || !read_subject(json, claims))
        err = ERR_BAD_TOKEN;
    jread_destroy(json);
    return err;
}

int token_verify(const struct token_keys *keys, enum token_audience audience, struct text token,
                 int64_t now_us, struct token_claims *claims)
{
    struct token_parts parts;
    int64_t generation;
    *claims = (struct token_claims){.audience = audience};
    if (token.length > JWT_TEXT_MAX || !split(token, &parts))
        return ERR_BAD_TOKEN;
    int err = check_header(keys, parts.header, &generation);
    if (err == 0)
        err = check_signature(keys, token, generation);
    if (err == 0)
        err = read_claims(parts.claims, audience, claims);
    if (err == 0 && now_us < claims->not_before_us)
        err = ERR_BAD_TOKEN;
    else if (err == 0 && now_us >= claims->expires_at_us)
        err = ERR_EXPIRED;
    if (err != 0)
        *claims = (struct token_claims){.audience = audience};
    return err;
}
