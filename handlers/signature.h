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

#endif
