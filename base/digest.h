/*
 * SHA-256: tells a copy from what it was when it was made. No secret is in it.
 */
#ifndef COUNTERPART_BASE_DIGEST_H
#define COUNTERPART_BASE_DIGEST_H

#include "base/check.h"

#include <stddef.h>
#include <stdint.h>

#define DIGEST_CHARS 64

#define DIGEST_BYTES (DIGEST_CHARS / 2)

/* Of what is told piece by piece. ownership: caller, digest_destroy. */
struct digest;
MUST_CHECK int digest_create(struct digest **digest); /* errors: ERR_NO_MEMORY */
void digest_destroy(struct digest *digest);           /* accepts NULL */
void digest_begin(struct digest *digest);
void digest_add(struct digest *digest, const void *bytes, size_t size);
void digest_end(struct digest *digest, uint8_t out[DIGEST_BYTES]);

/* Of a file, in hex. *bytes: how long the file is. errors: ERR_NOT_FOUND; ERR_IO. */
MUST_CHECK int digest_file(const char *path, char hex[DIGEST_CHARS + 1], int64_t *bytes);

#endif
