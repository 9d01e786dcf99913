/* Fuzzes signature verification: the only valid headers are the spellings of the body's own HMAC.
 * Byte 0: option bits; byte 1: length of the header; then header and body. */
#include "handlers/signature.h"

#include <string.h>

#include "base/banned.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct directory_tenant *tenant(void)
{
    static struct directory_tenant one;
    if (one.signature == NULL) {
        one.signature = seal_hmac_create(TEXT("sig-token-EXAMPLE-1234"));
        one.signature_previous = seal_hmac_create(TEXT("the-token-before"));
    }
    return &one;
}

/* The header without space and prefix; decoded, it must be one of the two HMACs. */
static bool is_spelling_of(struct text header, const uint8_t mac[SEAL_MAC_BYTES])
{
    uint8_t decoded[SEAL_MAC_BYTES];
    struct text value = text_trim(header);
    if (text_equal_nocase(text_slice(value, 0, 7), TEXT("sha256=")))
        value = text_slice(value, 7, value.length);
    return (text_hex_decode(decoded, sizeof(decoded), value) ||
            text_base64_decode(decoded, sizeof(decoded), value)) &&
           memcmp(decoded, mac, sizeof(decoded)) == 0;
}

static void check_own_signature(const struct seal_hmac *token, struct text body)
{
    uint8_t mac[SEAL_MAC_BYTES];
    char hex[2 * SEAL_MAC_BYTES + 1];
    seal_hmac_sign(token, body, mac);
    text_hex_encode(hex, mac, sizeof(mac));
    CHECK(signature_verify(tenant(), text_of(hex), body) == SIGNATURE_VALID);
    hex[0] = hex[0] == '0' ? '1' : '0';
    CHECK(signature_verify(tenant(), text_of(hex), body) == SIGNATURE_WRONG);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    struct text rest = {(const char *)data + 2, size - 2};
    struct text header = text_slice(rest, 0, data[1]);
    struct text body = text_slice(rest, header.length, rest.length);
    uint8_t current[SEAL_MAC_BYTES], previous[SEAL_MAC_BYTES];
    tenant()->tenant.signature_base64_is_accepted = (data[0] & 1) != 0;
    seal_hmac_sign(tenant()->signature, body, current);
    seal_hmac_sign(tenant()->signature_previous, body, previous);
    if (signature_verify(tenant(), header, body) == SIGNATURE_VALID)
        CHECK(is_spelling_of(header, current) || is_spelling_of(header, previous));
    check_own_signature(tenant()->signature, body);
    check_own_signature(tenant()->signature_previous, body);
    return 0;
}
