/*
 * TLS from certificate files (OpenSSL), read again on SIGHUP.
 */
#ifndef COUNTERPART_SERVICE_TLS_H
#define COUNTERPART_SERVICE_TLS_H

#include "base/check.h"

#include <openssl/types.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define TLS_RETIRED_MAX 64

struct tls_files {
    const char *certificate_path; /* a chain, PEM */
    const char *key_path;
    bool offers_http2; /* in ALPN */
};

/* One per process; zeroed: no TLS. */
struct tls {
    _Atomic(SSL_CTX *) current; /* for new connections, taken by the loops; NULL without TLS */
    struct {
        SSL_CTX *context;
        int64_t since_us;
    } retired[TLS_RETIRED_MAX]; /* handshakes that began on them may still be under way */
    int retired_count;
};

/*
 * Read the files and use them for new connections: at the start, and again whenever they have
 * changed. TLS 1.2 and up.
 *
 * errors     ERR_BAD_CONFIG: why was logged, and what was in force stays; ERR_QUEUE_FULL: asked for
 * more than once a second, the last reading stands.
 */
MUST_CHECK int tls_load(struct tls *tls, const struct tls_files *files);
/* All connections must have ended. */
void tls_finish(struct tls *tls);

#endif
