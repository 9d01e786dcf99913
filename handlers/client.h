/*
 * Who is calling? The socket's address, or, when that belongs to a proxy on the configured list,
 * what the proxy wrote into X-Forwarded-For: its right-most address that is no trusted proxy
 * itself. Anything else in that header is the caller's own invention.
 */
#ifndef COUNTERPART_HANDLERS_CLIENT_H
#define COUNTERPART_HANDLERS_CLIENT_H

#include "base/text.h"

#define CLIENT_PROXIES_MAX 32 /* networks on the list; real deployments have one to three */
#define CLIENT_TEXT_MAX 64    /* an IPv6 address and a NUL fit in 46 */

/* One network, as IPv6 (IPv4 is mapped): 16 bytes and the number of leading bits that count. */
struct client_network {
    uint8_t address[16];
    int bits;
};

struct client_proxies {
    struct client_network networks[CLIENT_PROXIES_MAX];
    int count;
};

/* "10.0.0.0/8, 192.168.1.7,fd00::/8"; empty: none. errors: ERR_BAD_CONFIG; *bad is the item that
 * cannot be read. */
MUST_CHECK int client_proxies_parse(struct text list, struct client_proxies *proxies,
                                    struct text *bad);

/* peer: the socket's address without port; forwarded: the header's value, empty when absent. The
 * result points into one of the two. */
struct text client_address(const struct client_proxies *proxies, struct text peer,
                           struct text forwarded);

#endif
