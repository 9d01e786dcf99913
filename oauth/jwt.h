/*
 * Tokens of our own, that travel through other hands and come back: the state of an authorisation,
 * and the one-time token in a redeem_url. JSON Web Tokens by libjwt with everything pinned: HS256
 * and nothing else, issuer, audience, exp and nbf checked here, the key named by kid.
 *
 * Keys derive from the master key (base/seal.h), one for each generation; a rotation raises the
 * generation, and tokens of the one before stay good until they expire.
 */
#ifndef COUNTERPART_OAUTH_JWT_H
#define COUNTERPART_OAUTH_JWT_H

#include "base/seal.h"

#define JWT_TEXT_MAX 1024
#define JWT_ID_CHARS ID_KEY_CHARS

enum token_audience {
    TOKEN_STATE,  /* /oauth/start -> Lightspeed -> /oauth/callback */
    TOKEN_REDEEM, /* reward-lookup -> register -> redeem */
};

struct token_claims {
    enum token_audience audience;
    char id[JWT_ID_CHARS + 1]; /* jti: made by token_sign */
    int64_t tenant_id;
    int64_t member_id;     /* TOKEN_REDEEM; else 0 */
    int64_t reward_id;     /* TOKEN_REDEEM; else 0 */
    int64_t not_before_us; /* wall clock; kept in whole seconds */
    int64_t expires_at_us;
};

struct token_keys; /* immutable but for the generation; any thread */
/* generation >= 1. ownership: caller, token_keys_destroy. errors: ERR_NO_MEMORY. */
MUST_CHECK int token_keys_create(const struct seal *seal, int64_t generation,
                                 struct token_keys **keys);
void token_keys_destroy(struct token_keys *keys); /* accepts NULL */
void token_keys_rotate(struct token_keys *keys, int64_t generation);
/* The same, for one that another process may have raised, or nobody. */
void token_keys_follow(struct token_keys *keys, int64_t generation);

/* Appends the token. Fills claims->id. errors: ERR_NO_MEMORY. */
MUST_CHECK int token_sign(const struct token_keys *keys, struct id_source source,
                          struct token_claims *claims, struct text_buffer *buffer);
/*
 * errors     ERR_BAD_TOKEN: not ours, whatever is wrong with it: algorithm, key, signature, issuer,
 *            audience, not yet valid, claims missing or of the wrong type. ERR_EXPIRED.
 * source     RFC 7519; RFC 8725 sections 3.1, 3.2, 3.8, 3.9.
 */
MUST_CHECK int token_verify(const struct token_keys *keys, enum token_audience audience,
                            struct text token, int64_t now_us, struct token_claims *claims);

#endif
