/*
 * Card numbers as people and scanners give them: typed with dashes, swiped with all of a magnetic
 * stripe, followed by a PIN. One spelling is compared and stored: 4 to 64 characters of 0-9 A-Z.
 */
#ifndef COUNTERPART_HANDLERS_CARD_NUMBER_H
#define COUNTERPART_HANDLERS_CARD_NUMBER_H

#include "base/text.h"

#define CARD_NUMBER_MIN 4
#define CARD_NUMBER_MAX 64 /* a UUID has 32; ledger/command.h seals as many */
#define CARD_PIN_MAX 12    /* ISO 9564 */

struct card_number {
    bool is_usable; /* else number is a stand-in that no card can have, and there is no PIN */
    char number[CARD_NUMBER_MAX + 1];
    char pin[CARD_PIN_MAX + 1]; /* empty: none given */
};

/* The one spelling of a number: trimmed, upper-case, without spaces and dashes. false: it cannot be
 * a card number; out is then empty. */
bool card_number_normalise(struct text typed, char out[CARD_NUMBER_MAX + 1]);
bool card_pin_is_valid(struct text pin); /* 1..12 digits */

/*
 * What was typed, scanned or swiped: "6036-2800 0001 2345", "6036280000012345*1234",
 * "%B6036280000012345^GIFT/CARD^4912?;6036280000012345=4912?".
 *
 * What cannot be a number is not an error but an unknown card: it gets a stand-in made from its
 * hash, so that it takes the same way, and the same budgets, as any unknown number.
 * source     protocol o-series 2.1; ISO/IEC 7813 for the tracks.
 */
void card_number_read(struct text typed, struct card_number *card);

#endif
