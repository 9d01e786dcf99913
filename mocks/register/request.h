/*
 * The request of one run: serialised once, signed as these bytes, sent as these bytes, however
 * often. Nothing here talks to a network.
 */
#ifndef COUNTERPART_MOCKS_REGISTER_REQUEST_H
#define COUNTERPART_MOCKS_REGISTER_REQUEST_H

#include "mocks/register/options.h"

/* Room for a card argument of 128 KiB (the longest one Linux passes) escaped six-fold, so that an
 * over-long body can be tried from the command line. */
#define REQUEST_BODY_MAX (800 * 1024)
#define REQUEST_URL_MAX 2048
#define REQUEST_SIGNATURE_MAX 72 /* 64 hex digits and a NUL, rounded up */

struct request {
    char url[REQUEST_URL_MAX];
    const char *content_type;
    char signature[REQUEST_SIGNATURE_MAX]; /* empty: the header is not sent */
    char body_bytes[REQUEST_BODY_MAX];
    struct text body;
};

/* errors  ERR_TOO_LARGE: address or body longer than the room above. */
MUST_CHECK int request_build(struct request *request, const struct options *options);

#endif
