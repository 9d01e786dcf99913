/*
 * Applications and grants: what Lightspeed gave us, as rows. Tokens and secrets are sealed in the
 * store and come opened from here: the caller wipes them. Decides nothing; oauth/ does.
 */
#ifndef COUNTERPART_STORE_GRANT_H
#define COUNTERPART_STORE_GRANT_H

#include "store/store.h"

#define APP_CLIENT_MAX 128
#define GRANT_TOKEN_MAX 512 /* O-Series tokens have 40 characters, K-Series' some 300 */
#define GRANT_REASON_MAX 200
#define GRANT_OWNER_CHARS ID_KEY_CHARS

/* Stored as these numbers. */
enum app_surface {
    APP_OSERIES = 1,
};

/* Our application at Lightspeed, one per surface. Its Signature Token serves all tenants that have
 * none of their own. */
struct app {
    enum app_surface surface;
    char client_id[APP_CLIENT_MAX + 1];
    char client_secret[APP_CLIENT_MAX + 1];
    char signature_token[TENANT_TOKEN_MAX + 1];
    char signature_token_previous[TENANT_TOKEN_MAX + 1];
};
MUST_CHECK int store_put_app(struct store *store, const struct app *app);
/* errors  ERR_NOT_FOUND: none was set; *app is then zeroed. */
MUST_CHECK int store_read_app(struct store *store, enum app_surface surface, struct app *app);

enum grant_kind {
    GRANT_OAUTH = 1,
    GRANT_BASIC = 2, /* client id and secret, for development: the developer's own company only */
};
enum grant_status {
    GRANT_CONNECTED = 1,
    GRANT_RECONNECT_REQUIRED = 2, /* the refresh token is no longer good; somebody must consent */
    GRANT_REVOKED = 3,            /* by the merchant or us; tokens are wiped */
};

struct grant {
    int64_t tenant_id;
    enum app_surface surface;
    enum grant_kind kind;
    enum grant_status status;
    int64_t company_id; /* as /companies/me told */
    char access_token[GRANT_TOKEN_MAX + 1];
    char refresh_token[GRANT_TOKEN_MAX + 1];
    int64_t connected_at_us;           /* wall clocks, all of them */
    int64_t refreshed_at_us;           /* the pair was obtained */
    int64_t expires_at_us;             /* the access token's end; GRANT_BASIC: 0, never */
    int32_t failures;                  /* refreshes in a row that failed */
    int64_t failed_at_us;              /* the latest; 0: none since the last success */
    char reason[GRANT_REASON_MAX + 1]; /* of the latest failure, for people; no tokens */
    int64_t version;                   /* raised by every write: the fence. 0: not stored yet */
    char lease_owner[GRANT_OWNER_CHARS + 1]; /* empty: nobody refreshes it now */
    int64_t leased_until_us;
};

/* errors  ERR_NOT_FOUND and the store's own. */
MUST_CHECK int store_read_grant(struct store *store, int64_t tenant_id, enum app_surface surface,
                                struct grant *grant);
typedef void (*store_grant_fn)(void *context, const struct grant *grant);
MUST_CHECK int store_each_grant(struct store *store, store_grant_fn each, void *context);

/*
 * Write the grant, leaving no lease on it. grant->version must be what was read (0: there was
 * none); it is raised.
 *
 * errors     ERR_STALE: somebody else has written it since; nothing changed. ERR_COMMIT_UNKNOWN:
 *            read it again to see.
 */
MUST_CHECK int store_put_grant(struct store *store, struct grant *grant);

/*
 * Write a grant that was just obtained, and make grant->company_id its tenant's O-Series company,
 * in one. As store_put_grant, and
 *
 * errors     ERR_ALREADY_EXISTS: the tenant has another company, or another tenant has this one.
 *            ERR_NOT_FOUND: no such tenant. Nothing is stored then.
 */
MUST_CHECK int store_bind_grant(struct store *store, struct grant *grant);

/* The right to refresh a grant. */
struct grant_lease {
    int64_t tenant_id;
    enum app_surface surface;
    char owner[GRANT_OWNER_CHARS + 1];
    int64_t now_us; /* of another owner's lease that has ended by now nothing is left */
    int64_t until_us;
};
/*
 * Take the right to refresh this grant until then, unless another owner has it. *grant is the row
 * afterwards; its version is raised, so an older holder's write is refused.
 *
 * errors     ERR_LEASED, ERR_NOT_FOUND. ERR_COMMIT_UNKNOWN: take it again.
 */
MUST_CHECK int store_lease_grant(struct store *store, const struct grant_lease *lease,
                                 struct grant *grant);

/* A token of ours that is good for one use (oauth/jwt.h) is used up. errors: ERR_ALREADY_EXISTS: it
 * was. Forgets those that have expired before now_us. */
MUST_CHECK int store_use_token(struct store *store, const char *id, int64_t expires_at_us,
                               int64_t now_us);

/* Which key signs our own tokens. raise: one more than it was, which comes back. */
MUST_CHECK int store_token_generation(struct store *store, int64_t *generation);
MUST_CHECK int store_raise_token_generation(struct store *store, int64_t *generation);

#endif
