/* X-Kounta-Signature: verifies the HMAC of the raw body under one or two tokens. */
#include "handlers/signature.h"

#include "base/banned.h"

const char *signature_verdict_name(enum signature_verdict verdict)
{
    switch (verdict) {
    case SIGNATURE_VALID:
        return "valid";
    case SIGNATURE_MISSING:
        return "missing";
    case SIGNATURE_MALFORMED:
        return "malformed";
    case SIGNATURE_WRONG:
        return "wrong";
    case SIGNATURE_NO_TOKEN:
        return "no_token";
    }
    return "unknown";
}

static bool decode(struct text header, bool base64_is_accepted, uint8_t mac[SEAL_MAC_BYTES],
                   bool *is_base64)
{
    const struct text prefix = TEXT("sha256=");
    struct text value = text_trim(header);
    if (text_equal_nocase(text_slice(value, 0, prefix.length), prefix))
        value = text_slice(value, prefix.length, value.length - prefix.length);
    *is_base64 = false;
    if (text_hex_decode(mac, SEAL_MAC_BYTES, value))
        return true;
    *is_base64 = base64_is_accepted && text_base64_decode(mac, SEAL_MAC_BYTES, value);
    return *is_base64;
}

static bool is_signed_with(const struct seal_hmac *token, struct text body,
                           const uint8_t mac[SEAL_MAC_BYTES])
{
    uint8_t expected[SEAL_MAC_BYTES];
    if (token == NULL)
        return false;
    seal_hmac_sign(token, body, expected);
    return seal_equal(expected, mac, SEAL_MAC_BYTES);
}

enum signature_verdict signature_verify(const struct directory_tenant *tenant, struct text header,
                                        struct text body)
{
    uint8_t mac[SEAL_MAC_BYTES];
    if (tenant->signature == NULL && tenant->signature_previous == NULL)
        return SIGNATURE_NO_TOKEN;
    if (text_trim(header).length == 0)
        return SIGNATURE_MISSING;
    bool is_base64;
    if (!decode(header, tenant->tenant.signature_base64_is_accepted, mac, &is_base64))
        return SIGNATURE_MALFORMED;
    /* Both are always computed: the time must not tell which token is the current one. */
    bool is_current = is_signed_with(tenant->signature, body, mac);
    bool is_previous = is_signed_with(tenant->signature_previous, body, mac);
    return is_current || is_previous ? SIGNATURE_VALID : SIGNATURE_WRONG;
}

bool signature_find(const struct directory_tenant *tenant, struct text header,
                    const struct text *texts, size_t count, struct signature_match *match)
{
    uint8_t mac[SEAL_MAC_BYTES];
    bool is_found = false;
    if (!decode(header, true, mac, &match->is_base64))
        return false;
    /* All are always computed, for the same reason. */
    for (size_t i = 0; i < count; i++) {
        bool is_current = is_signed_with(tenant->signature, texts[i], mac);
        bool is_previous = is_signed_with(tenant->signature_previous, texts[i], mac);
        if (is_found || (!is_current && !is_previous))
            continue;
        is_found = true;
        match->index = i;
        match->is_previous = !is_current;
    }
    return is_found;
}
