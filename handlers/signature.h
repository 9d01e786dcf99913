/*
 * X-Kounta-Signature: HMAC-SHA256 of the raw body under the application's Signature Token (protocol
 * o-series section 4). Bytes are compared as received, before anything parses them.
 */
#ifndef COUNTERPART_HANDLERS_SIGNATURE_H
#define COUNTERPART_HANDLERS_SIGNATURE_H

#include "runtime/directory.h"

enum signature_verdict {
    SIGNATURE_VALID,
    SIGNATURE_MISSING,
    SIGNATURE_MALFORMED, /* neither 64 hex digits nor, where accepted, base64 of 32 bytes */
    SIGNATURE_WRONG,
    SIGNATURE_NO_TOKEN, /* the tenant has none set, so nothing can be valid */
};
const char *signature_verdict_name(enum signature_verdict verdict);

/* header: empty when absent; an optional "sha256=" is stripped; either case of hex. Constant time
 * in the token. */
enum signature_verdict signature_verify(const struct directory_tenant *tenant, struct text header,
                                        struct text body);

/* Which of some texts a header signs, in which spelling and under which token: to learn how GETs
 * are signed. Base64 is found also where the tenant does not accept it. */
struct signature_match {
    size_t index; /* of the text */
    bool is_previous;
    bool is_base64;
};
bool signature_find(const struct directory_tenant *tenant, struct text header,
                    const struct text *texts, size_t count, struct signature_match *match);

#endif
