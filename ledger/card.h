/*
 * A gift card as the ledger sees it: a balance, its version, and what may be done with it. The
 * number itself never comes here, only its keyed index and last four digits.
 */
#ifndef COUNTERPART_LEDGER_CARD_H
#define COUNTERPART_LEDGER_CARD_H

#include <stdbool.h>
#include <stdint.h>

#define CARD_INDEX_BYTES 32 /* HMAC-SHA256 of the normalised number */
#define CARD_PIN_BYTES 32   /* HMAC-SHA256 of the PIN */
#define CARD_NEVER_EXPIRES 0

/* Stored as these numbers. */
enum card_status {
    CARD_STOCK = 0, /* printed, not sold: answers as unknown until its first top-up */
    CARD_ACTIVE = 1,
    CARD_DISABLED = 2,
};

struct card {
    int64_t id;
    int64_t tenant_id;
    uint8_t index[CARD_INDEX_BYTES];
    char last4[5];
    enum card_status status;
    bool has_pin;
    uint8_t pin_hash[CARD_PIN_BYTES]; /* zeroes without PIN */
    int32_t valid_from;               /* local date; 0: at once */
    int32_t expires_on;               /* last local date it is good for; CARD_NEVER_EXPIRES */
    int64_t balance_minor;
    int64_t version;           /* number of transfers on this card: 0, 1, 2 ... */
    int64_t last_transfer_id;  /* head of the card's transfer chain; 0: none */
    int64_t last_operation_id; /* head of the card's operation chain, refusals included; 0: none */
    /* Counters for the merchant's limits; each belongs to the period beside it and restarts in a
     * new one. */
    int32_t loaded_on; /* local date of loaded_minor */
    int64_t loaded_minor;
    int64_t used_hour; /* hours since 1970 of used_count */
    int32_t used_count;
};

#endif
