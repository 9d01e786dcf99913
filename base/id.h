/*
 * Random identifiers and card-number arithmetic.
 */
#ifndef COUNTERPART_BASE_ID_H
#define COUNTERPART_BASE_ID_H

#include "base/text.h"

#define ID_KEY_BYTES 16 /* tenant keys: 128 random bits */
#define ID_KEY_CHARS 32 /* as lower-case hex */

/* Where randomness comes from: the system in the service, a seeded generator in tests (law 8). */
typedef void (*id_random_fn)(void *context, uint8_t *out, size_t size);
struct id_source {
    id_random_fn fill;
    void *context;
};
struct id_source id_source_system(void);            /* OpenSSL's RAND_bytes; CHECKs that it works */
struct id_source id_source_seeded(uint64_t *state); /* deterministic, for tests; splitmix64 */

void id_key_generate(struct id_source source, char out[ID_KEY_CHARS + 1]);

/* A card number: prefix, random digits, Luhn digit. length in digits, prefix shorter than it;
 * CHECKed. */
void id_card_number_generate(struct id_source source, struct text prefix, size_t length, char *out);
bool id_luhn_is_valid(struct text digits);

#endif
