/*
 * Which id a card has, as an earlier look-up found it: spares the next one the index. Of no use by
 * itself: what it tells may be another card's, so whoever reads the row compares it. Any thread.
 */
#ifndef COUNTERPART_STORE_CARD_IDS_H
#define COUNTERPART_STORE_CARD_IDS_H

#include "ledger/card.h"

struct card_ids;

/* NULL: no memory. */
struct card_ids *card_ids_create(void);
void card_ids_destroy(struct card_ids *ids); /* accepts NULL */
/* Takes the place of another card now and then. */
void card_ids_note(struct card_ids *ids, const uint8_t index[CARD_INDEX_BYTES], int64_t id);
/* 0: not known. */
int64_t card_ids_find(const struct card_ids *ids, const uint8_t index[CARD_INDEX_BYTES]);

#endif
