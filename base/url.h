/*
 * Addresses (RFC 3986) of http and https: whose they are, and no more. Not a general parser: what
 * two readers could understand differently is no address here. Pure.
 */
#ifndef COUNTERPART_BASE_URL_H
#define COUNTERPART_BASE_URL_H

#include "base/text.h"

#define URL_ORIGIN_MAX 512

/* "https://api.kounta.com" of a URL, without the port that goes without saying; false: it is no
 * http(s) URL, or one that tries to look like another's. */
MUST_CHECK bool url_origin(struct text url, struct text_buffer *origin);
MUST_CHECK bool url_is_same_origin(struct text a, struct text b);
/* Its host is this machine: 127.0.0.0/8, ::1 or localhost. */
MUST_CHECK bool url_is_loopback(struct text url);
/* The number at the end of a path, ".json" and query set aside; 0: none. */
int64_t url_last_number(struct text url);

#endif
