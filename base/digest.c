/* Computes SHA-256, of pieces and of files. */
#include "base/digest.h"

#include "base/error.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/banned.h"

#define PIECE_BYTES (64 * 1024)

struct digest {
    EVP_MD_CTX *context;
};

int digest_create(struct digest **digest)
{
    struct digest *made = calloc(1, sizeof(*made));
    if (made == NULL)
        return ERR_NO_MEMORY;
    made->context = EVP_MD_CTX_new();
    if (made->context == NULL) {
        free(made);
        return ERR_NO_MEMORY;
    }
    *digest = made;
    return 0;
}

void digest_destroy(struct digest *digest)
{
    if (digest == NULL)
        return;
    EVP_MD_CTX_free(digest->context);
    free(digest);
}

void digest_begin(struct digest *digest)
{
    CHECK(EVP_DigestInit_ex(digest->context, EVP_sha256(), NULL) == 1);
}

void digest_add(struct digest *digest, const void *bytes, size_t size)
{
    CHECK(size == 0 || EVP_DigestUpdate(digest->context, bytes, size) == 1);
}

void digest_end(struct digest *digest, uint8_t out[DIGEST_BYTES])
{
    CHECK(EVP_DigestFinal_ex(digest->context, out, NULL) == 1);
}

static int digest_rest(EVP_MD_CTX *context, int fd, int64_t *bytes)
{
    static _Thread_local uint8_t piece[PIECE_BYTES];
    ssize_t got;
    *bytes = 0;
    while ((got = read(fd, piece, sizeof(piece))) > 0) {
        CHECK(EVP_DigestUpdate(context, piece, (size_t)got) == 1);
        *bytes += got;
    }
    return got == 0 ? 0 : ERR_IO;
}

int digest_file(const char *path, char hex[DIGEST_CHARS + 1], int64_t *bytes)
{
    uint8_t digest[DIGEST_CHARS / 2];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd == -1)
        return errno == ENOENT ? ERR_NOT_FOUND : ERR_IO;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    CHECK(context != NULL && EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1);
    int err = digest_rest(context, fd, bytes);
    CHECK(EVP_DigestFinal_ex(context, digest, NULL) == 1);
    EVP_MD_CTX_free(context);
    close(fd);
    text_hex_encode(hex, digest, sizeof(digest));
    return err;
}
