/*
 * Fuzzes the reading of our tokens. Byte 0 says how the rest is made a token:
 *
 *   even  as it stands, NULs included: it must never be good, for nobody has the key
 *   odd   header and claims (byte 1: length of the header), signed with the right key: good only
 *         for this audience, between nbf and exp, with ids that are ids
 */
#include "oauth/jwt.h"

#include "base/clock.h"
#include "base/error.h"

#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NOW_US (INT64_C(1790000000) * CLOCK_US_PER_S)
#define TOKEN_ROOM (4 * JWT_TEXT_MAX)

static struct seal *seal;

static const struct token_keys *keys_ready(void)
{
    static const uint8_t master[SEAL_KEY_BYTES] = {1};
    static struct token_keys *keys;
    if (keys == NULL) {
        CHECK(seal_from_bytes(master, &seal) == 0);
        CHECK(token_keys_create(seal, 3, &keys) == 0);
    }
    return keys;
}

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

static void sign(struct text_buffer *token, struct text header, struct text claims)
{
    uint8_t key[SEAL_KEY_BYTES], mac[SEAL_MAC_BYTES];
    seal_derive_key(seal, TEXT("token 3"), key);
    struct seal_hmac *hmac = seal_hmac_create((struct text){(const char *)key, sizeof(key)});
    append_base64url(token, header);
    text_append_char(token, '.');
    append_base64url(token, claims);
    seal_hmac_sign(hmac, text_buffer_text(token), mac);
    text_append_char(token, '.');
    append_base64url(token, (struct text){(const char *)mac, sizeof(mac)});
    seal_hmac_destroy(hmac);
}

static int try_for(struct text token, enum token_audience audience)
{
    struct token_claims claims;
    int err = token_verify(keys_ready(), audience, token, NOW_US, &claims);
    CHECK(err == 0 || err == ERR_BAD_TOKEN || err == ERR_EXPIRED);
    CHECK(claims.audience == audience);
    if (err != 0) {
        CHECK(claims.tenant_id == 0 && claims.member_id == 0 && claims.id[0] == '\0');
        return err;
    }
    CHECK(claims.tenant_id > 0 && strlen(claims.id) == JWT_ID_CHARS);
    CHECK((claims.member_id > 0) == (audience == TOKEN_REDEEM));
    CHECK((claims.reward_id > 0) == (audience == TOKEN_REDEEM));
    CHECK(claims.not_before_us <= NOW_US && NOW_US < claims.expires_at_us);
    return 0;
}

static void try_raw(struct text token)
{
    CHECK(try_for(token, TOKEN_STATE) == ERR_BAD_TOKEN);
    CHECK(try_for(token, TOKEN_REDEEM) == ERR_BAD_TOKEN);
}

static void try_signed(struct text header, struct text claims)
{
    static char bytes[TOKEN_ROOM];
    struct text_buffer token;
    text_buffer_init(&token, bytes, sizeof(bytes));
    sign(&token, header, claims);
    bool is_state = try_for(text_buffer_text(&token), TOKEN_STATE) == 0;
    bool is_redeem = try_for(text_buffer_text(&token), TOKEN_REDEEM) == 0;
    CHECK(!is_state || !is_redeem);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    (void)keys_ready();
    if (size < 2)
        return 0;
    struct text rest = {(const char *)data + 1, size - 1};
    if ((data[0] & 1) == 0) {
        try_raw(rest);
        return 0;
    }
    rest = text_slice(rest, 1, rest.length);
    struct text header = text_slice(rest, 0, data[1]);
    try_signed(header, text_slice(rest, header.length, rest.length));
    return 0;
}
