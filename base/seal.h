/*
 * Keys and what is done with them: HMAC-SHA256 (signatures, card index, PIN hash) and AES-256-GCM
 * (sealed text in the store). All keys derive by HKDF-SHA256 from one 32-byte master key file, mode
 * 0600, 64 hex digits.
 */
#ifndef COUNTERPART_BASE_SEAL_H
#define COUNTERPART_BASE_SEAL_H

#include "base/id.h"

#define SEAL_KEY_BYTES 32
#define SEAL_MAC_BYTES 32
/* version (1) + nonce (12) + tag (16) */
#define SEAL_OVERHEAD 29
#define SEAL_KEY_VERSION 1

struct seal; /* holds the derived keys; immutable; any thread */

/*
 * Read the master key file, or create it.
 *
 * ownership  *seal is the caller's; seal_destroy wipes it.
 * errors     ERR_NOT_FOUND: not there and may_create is false; ERR_BAD_KEY: malformed, or readable
 * by group or others; ERR_IO: cannot be read or written. The reason is logged, the key never is.
 */
MUST_CHECK int seal_open(const char *path, bool may_create, struct seal **seal);
MUST_CHECK int seal_from_bytes(const uint8_t master[SEAL_KEY_BYTES],
                               struct seal **seal); /* tests */
void seal_destroy(struct seal *seal);               /* accepts NULL */

/* A value that is equal exactly for the same master key; the store keeps it and refuses another
 * key. */
void seal_check_value(const struct seal *seal, uint8_t out[SEAL_MAC_BYTES]);

/* A key for the one purpose that label names, such as "token 3": HKDF-Expand (RFC 5869) of a key
 * that comes from the master key and is used for nothing else. 0.2 us: no reason to keep it. The
 * caller wipes it. label: at most SEAL_LABEL_MAX bytes. */
#define SEAL_LABEL_MAX 64
void seal_derive_key(const struct seal *seal, struct text label, uint8_t out[SEAL_KEY_BYTES]);

/* HMAC-SHA256 under the card-index key over tenant id and normalised number: the row's look-up
 * index. */
void seal_card_index(const struct seal *seal, int64_t tenant_id, struct text number,
                     uint8_t out[SEAL_MAC_BYTES]);
/* HMAC-SHA256 under the PIN key over tenant id, card index and PIN. */
void seal_pin_hash(const struct seal *seal, int64_t tenant_id,
                   const uint8_t card_index[SEAL_MAC_BYTES], struct text pin,
                   uint8_t out[SEAL_MAC_BYTES]);

/*
 * AES-256-GCM. The label (such as "card.number") is authenticated, so a sealed value cannot be
 * moved to another column. out holds text.length + SEAL_OVERHEAD bytes (seal) or sealed length -
 * SEAL_OVERHEAD (open).
 *
 * errors     seal_text_open: ERR_BAD_SEAL.
 */
void seal_text(const struct seal *seal, struct id_source source, const char *label,
               struct text text, uint8_t *out);
MUST_CHECK int seal_text_open(const struct seal *seal, const char *label, const uint8_t *sealed,
                              size_t size, char *out);

/* A prepared HMAC-SHA256 key (signature tokens): the key schedule is done once. Immutable. */
struct seal_hmac;
struct seal_hmac *seal_hmac_create(struct text key);
void seal_hmac_destroy(struct seal_hmac *hmac); /* accepts NULL */
/* Safe from any thread: the prepared context is duplicated per call. */
void seal_hmac_sign(const struct seal_hmac *hmac, struct text message, uint8_t out[SEAL_MAC_BYTES]);

bool seal_equal(const void *a, const void *b, size_t size); /* constant time */
void seal_wipe(void *bytes, size_t size);

#endif
