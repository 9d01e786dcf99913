/*
 * TLS contexts from certificate files (OpenSSL), read again on SIGHUP.
 */
#ifndef COUNTERPART_SERVICE_TLS_H
#define COUNTERPART_SERVICE_TLS_H

#include "base/check.h"

#include <openssl/types.h>
#include <stdbool.h>

/* TLS 1.2 and up. offers_http2: in ALPN. ownership: caller, SSL_CTX_free. errors: ERR_BAD_CONFIG;
 * why was logged. */
MUST_CHECK int tls_open(const char *certificate_path, const char *key_path, bool offers_http2,
                        SSL_CTX **context);

#endif
