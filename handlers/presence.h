/*
 * Is it really this process that answers at the public URL, and does what is sent there arrive as
 * it was sent? Who knows a nonce asks; only this process, or one that shares its store, can make
 * the proof of it. It covers the body and the signature's header, so that a proxy that drops or
 * rewrites either is recognised.
 */
#ifndef COUNTERPART_HANDLERS_PRESENCE_H
#define COUNTERPART_HANDLERS_PRESENCE_H

#include "handlers/exchange.h"

#define PRESENCE_PATH "/oseries/presence"
#define PRESENCE_NONCE_CHARS 32
#define PRESENCE_PROOF_CHARS (2 * SEAL_MAC_BYTES)

/* GET and POST PRESENCE_PATH?nonce=...: {"alive":true,"proof":"..."}. */
void presence_show(struct exchange *exchange);

/* presence: of struct handlers. */
void presence_make_proof(const struct seal_hmac *presence, struct text nonce, struct text signature,
                         struct text body, char proof[PRESENCE_PROOF_CHARS + 1]);

#endif
