/*
 * A tenant that is connected to Lightspeed: the outbound thread, committer and reader over a real
 * store, the real manager of tokens with one grant, and the API's client, for tests of lightspeed/.
 */
#ifndef COUNTERPART_TESTS_CONNECTED_H
#define COUNTERPART_TESTS_CONNECTED_H

#include "lightspeed/inbox.h"

#define CONNECTED_COMPANY 5678
#define CONNECTED_ACCESS "00112233445566778899aabbccddeeff00112233"
#define CONNECTED_REFRESH "ffeeddccbbaa99887766554433221100ffeeddcc"

struct connected_config {
    const char *api_url, *token_url;
    const char *access_token, *refresh_token; /* NULL: those above */
    const char *client_id, *client_secret;    /* NULL: "client", "secret" */
    enum grant_kind kind;                     /* 0: GRANT_OAUTH */
};

struct connected {
    char folder[64];
    struct seal *seal;
    struct store *writer, *read_store;
    struct committer *committer;
    struct reader *reader;
    struct directory *directory;
    struct token_keys *keys;
    struct outbound *outbound;
    struct oauth *oauth;
    struct oseries_api *api;
    struct inbox *inbox; /* NULL, but for tests that make one */
    int64_t tenant_id;   /* in AUD */
    int64_t lonely_id;   /* a tenant without a grant */
};

void connected_start(struct connected *connected, const struct connected_config *config);
/* In the order of service/serve.c. */
void connected_stop(struct connected *connected);
/* fn(context) on the outbound thread; returns when it has run. */
void connected_run(struct connected *connected, outbound_fn fn, void *context);

#endif
