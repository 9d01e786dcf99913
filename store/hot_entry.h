/*
 * A hot balance as it stands in Redis: key and value. Nothing in it is trusted when it comes back:
 * what carries a wrong code was written by nobody of ours, or for another card. Immutable; any
 * thread.
 *
 * Key:   cp:<store>:<generation>:<tenant>:<first half of the card's index>
 * Value: 64 bytes, numbers big-endian:
 *     0 format (1)   1 state (1 entry, 2 tombstone)   2 status   3 has_pin   4 last four
 *     8 version   16 fill time (wall, us)   24 balance   32 card id   40 valid from   44 expires on
 *     48 the first 16 bytes of HMAC-SHA256 over key, whole index and the 48 bytes before; zero in a
 *        tombstone, which says nothing but "ask the store", so that a script may raise its version
 */
#ifndef COUNTERPART_STORE_HOT_ENTRY_H
#define COUNTERPART_STORE_HOT_ENTRY_H

#include "base/seal.h"
#include "store/hot_memory.h"

#define ENTRY_BYTES 64
/* "cp:" 16 ":" 20 ":" 20 ":" 32 */
#define ENTRY_KEY_MAX 96

struct entry_codec;

/* Codes and store's name come from the master key. errors: ERR_NO_MEMORY. */
MUST_CHECK int entry_codec_create(const struct seal *seal, struct entry_codec **codec);
void entry_codec_destroy(struct entry_codec *codec);            /* accepts NULL */
struct text entry_codec_store(const struct entry_codec *codec); /* 16 hex digits */

void entry_key(const struct entry_codec *codec, int64_t generation, int64_t tenant_id,
               const uint8_t index[CARD_INDEX_BYTES], struct text_buffer *key);
/* write->at_us counts as wall time here. */
void entry_encode(const struct entry_codec *codec, struct text key, const struct hot_write *write,
                  uint8_t bytes[ENTRY_BYTES]);

enum entry_verdict {
    ENTRY_GOOD,
    ENTRY_TOMBSTONE,
    ENTRY_POISONED,
};
/* *write is filled in when ENTRY_GOOD. */
MUST_CHECK enum entry_verdict entry_decode(const struct entry_codec *codec, struct text key,
                                           int64_t tenant_id, const uint8_t index[CARD_INDEX_BYTES],
                                           struct text bytes, struct hot_write *write);

#endif
