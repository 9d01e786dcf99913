/* Makes TLS contexts from certificate files. */
#include "service/tls.h"

#include "base/error.h"
#include "base/log.h"

#include <h2o.h>
#include <h2o/http2.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "base/banned.h"

static int complain(const char *what, const char *path)
{
    char reason[256] = "unknown";
    unsigned long code = ERR_peek_last_error();
    if (code != 0)
        ERR_error_string_n(code, reason, sizeof(reason));
    ERR_clear_error();
    log_event(LOG_ERROR, "tls", LOG_TEXT("what", what), LOG_TEXT("path", path),
              LOG_TEXT("reason", reason));
    return ERR_BAD_CONFIG;
}

static int read_files(SSL_CTX *context, const char *certificate_path, const char *key_path)
{
    if (SSL_CTX_use_certificate_chain_file(context, certificate_path) != 1)
        return complain("the certificate cannot be read", certificate_path);
    if (SSL_CTX_use_PrivateKey_file(context, key_path, SSL_FILETYPE_PEM) != 1)
        return complain("the private key cannot be read or is not the certificate's", key_path);
    if (SSL_CTX_check_private_key(context) != 1)
        return complain("the private key is not the certificate's", key_path);
    return 0;
}

int tls_open(const char *certificate_path, const char *key_path, bool offers_http2,
             SSL_CTX **context)
{
    SSL_CTX *made = SSL_CTX_new(TLS_server_method());
    if (made == NULL)
        return ERR_NO_MEMORY;
    SSL_CTX_set_min_proto_version(made, TLS1_2_VERSION);
    SSL_CTX_set_options(made, SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_NO_RENEGOTIATION |
                                  SSL_OP_NO_COMPRESSION);
    int err = read_files(made, certificate_path, key_path);
    if (err != 0) {
        SSL_CTX_free(made);
        return err;
    }
    if (offers_http2)
        h2o_ssl_register_alpn_protocols(made, h2o_http2_alpn_protocols);
    *context = made;
    return 0;
}
