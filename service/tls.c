/* Makes TLS contexts from certificate files and keeps the old ones as long as they are used. */
#include "service/tls.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"

#include <h2o.h>
#include <h2o/http2.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "base/banned.h"

/* libh2o gives up a handshake after 10 s; until then it may make its SSL from the old context. */
#define RETIRED_US (INT64_C(60) * CLOCK_US_PER_S)

static int complain(const char *what, const char *path)
{
    char reason[256] = "unknown";
    unsigned long code = ERR_peek_last_error();
    if (code != 0)
        ERR_error_string_n(code, reason, sizeof(reason));
    ERR_clear_error();
    log_event(LOG_ERROR, "tls_refused", LOG_TEXT("what", what), LOG_TEXT("path", path),
              LOG_TEXT("reason", reason));
    return ERR_BAD_CONFIG;
}

static int read_files(SSL_CTX *context, const struct tls_files *files)
{
    if (SSL_CTX_use_certificate_chain_file(context, files->certificate_path) != 1)
        return complain("the certificate cannot be read", files->certificate_path);
    if (SSL_CTX_use_PrivateKey_file(context, files->key_path, SSL_FILETYPE_PEM) != 1)
        return complain("the private key cannot be read or is not the certificate's",
                        files->key_path);
    if (SSL_CTX_check_private_key(context) != 1)
        return complain("the private key is not the certificate's", files->key_path);
    return 0;
}

static int context_create(const struct tls_files *files, SSL_CTX **context)
{
    SSL_CTX *made = SSL_CTX_new(TLS_server_method());
    if (made == NULL)
        return ERR_NO_MEMORY;
    SSL_CTX_set_min_proto_version(made, TLS1_2_VERSION);
    SSL_CTX_set_options(made, SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_NO_RENEGOTIATION |
                                  SSL_OP_NO_COMPRESSION);
    int err = read_files(made, files);
    if (err != 0) {
        SSL_CTX_free(made);
        return err;
    }
    if (files->offers_http2)
        h2o_ssl_register_alpn_protocols(made, h2o_http2_alpn_protocols);
    *context = made;
    return 0;
}

static void free_retired(struct tls *tls, int64_t before_us)
{
    int kept = 0;
    for (int i = 0; i < tls->retired_count; i++) {
        if (tls->retired[i].since_us < before_us)
            SSL_CTX_free(tls->retired[i].context);
        else
            tls->retired[kept++] = tls->retired[i];
    }
    tls->retired_count = kept;
}

int tls_load(struct tls *tls, const struct tls_files *files)
{
    int64_t now_us = clock_monotonic_us();
    SSL_CTX *context;
    free_retired(tls, now_us - RETIRED_US);
    if (tls->retired_count == TLS_RETIRED_MAX)
        return ERR_QUEUE_FULL;
    int err = context_create(files, &context);
    if (err != 0)
        return err;
    SSL_CTX *old = atomic_exchange(&tls->current, context);
    if (old == NULL)
        return 0;
    tls->retired[tls->retired_count].context = old;
    tls->retired[tls->retired_count++].since_us = now_us;
    return 0;
}

void tls_finish(struct tls *tls)
{
    free_retired(tls, INT64_MAX);
    SSL_CTX_free(atomic_exchange(&tls->current, NULL));
}
