/*
 * SHA-256 of a file, in hex: tells a copy from what it was when it was made. No secret is in it.
 */
#ifndef COUNTERPART_BASE_DIGEST_H
#define COUNTERPART_BASE_DIGEST_H

#include "base/check.h"

#include <stdint.h>

#define DIGEST_CHARS 64

/* *bytes: how long the file is. errors: ERR_NOT_FOUND; ERR_IO. */
MUST_CHECK int digest_file(const char *path, char hex[DIGEST_CHARS + 1], int64_t *bytes);

#endif
