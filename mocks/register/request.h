/*
 * The request of one run: serialised once, signed as these bytes, sent as these bytes, however
 * often. Payments are POSTs with a body, loyalty is in the address alone (protocol o-series 3).
 * Nothing here talks to a network.
 */
#ifndef COUNTERPART_MOCKS_REGISTER_REQUEST_H
#define COUNTERPART_MOCKS_REGISTER_REQUEST_H

#include "mocks/register/options.h"

/* Room for a card argument of 128 KiB (the longest one Linux passes) escaped six-fold, so that an
 * over-long body can be tried from the command line. */
#define REQUEST_BODY_MAX (800 * 1024)
/* The same argument as a keyword, percent-encoded three-fold. */
#define REQUEST_URL_MAX (400 * 1024)
#define REQUEST_SIGNATURE_MAX 72 /* 64 hex digits and a NUL, rounded up */

struct request {
    const char *method; /* "POST", "GET" */
    char url[REQUEST_URL_MAX];
    const char *content_type; /* NULL: no body, and no such header */
    const char *credentials;  /* "ID:SECRET", sent as Basic; NULL: none */
    /* Headers in place of the usual ones, "Name: value" each, a line feed behind each; NULL: the
     * usual ones. Host and Content-Length are never in it. */
    const char *header_lines;
    char signature[REQUEST_SIGNATURE_MAX]; /* empty: the header is not sent */
    char body_bytes[REQUEST_BODY_MAX];
    struct text body;
    size_t placeholders; /* redeem: how often the address names the placeholder */
};

/* errors  ERR_TOO_LARGE: address or body longer than the room above. */
MUST_CHECK int request_build(struct request *request, const struct options *options);
/* A plain GET. errors: ERR_TOO_LARGE. */
MUST_CHECK int request_build_get(struct request *request, const char *url, const char *credentials);

/* Signs over again what the request now holds; an empty token signs nothing. */
void request_sign_anew(struct request *request, const char *token, enum sign_mode mode);

/* "order_id=<placeholder>": what the platform looks for in a redeem_url, as text and wherever it
 * stands (protocol o-series 3.3). */
#define PLACEHOLDER_TEXT_MAX (DIALECT_NAME_MAX + 24)
struct text placeholder_text(char memory[PLACEHOLDER_TEXT_MAX], const struct options *options,
                             int64_t placeholder_id);
size_t text_count(struct text text, struct text wanted); /* without overlaps */
/* The number behind the last "order_id=" of an address. false: there is none. */
bool placeholder_find(const struct options *options, struct text url, int64_t *placeholder_id);

#endif
