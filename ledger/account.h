/*
 * Accounts: the two ends of every transfer. Only customer accounts (cards) store a balance (law 3);
 * the other side is a name whose sum is derived from the transfers.
 */
#ifndef COUNTERPART_LEDGER_ACCOUNT_H
#define COUNTERPART_LEDGER_ACCOUNT_H

#include <stdbool.h>
#include <stdint.h>

enum account_kind {
    ACCOUNT_CARD = 1,  /* owner: card id. What the shop owes this card's holder */
    ACCOUNT_SALES = 2, /* owner: tenant id. Paid at the till with cards */
    ACCOUNT_LOADS = 3, /* owner: tenant id. Money the till took to load cards */
    ACCOUNT_ISSUED =
        4, /* owner: tenant id. Given out by the merchant: opening balances, goodwill */
};

/* One 64-bit name: kind in the top byte, owner below it. */
#define ACCOUNT_OWNER_MAX ((INT64_C(1) << 55) - 1)
int64_t account_make(enum account_kind kind,
                     int64_t owner_id); /* CHECKs 0 < owner_id <= ACCOUNT_OWNER_MAX */
enum account_kind account_kind_of(int64_t account);
int64_t account_owner(int64_t account);
bool account_is_customer(int64_t account); /* does it store a balance? */

#endif
