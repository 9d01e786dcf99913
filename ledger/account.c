/* Account names: kind in the top byte, owner below it. */
#include "ledger/account.h"

#include "base/check.h"

#include "base/banned.h"

#define ACCOUNT_KIND_SHIFT 55

int64_t account_make(enum account_kind kind, int64_t owner_id)
{
    CHECK(owner_id > 0 && owner_id <= ACCOUNT_OWNER_MAX);
    return (int64_t)kind << ACCOUNT_KIND_SHIFT | owner_id;
}

enum account_kind account_kind_of(int64_t account)
{
    return (enum account_kind)(account >> ACCOUNT_KIND_SHIFT);
}

int64_t account_owner(int64_t account)
{
    return account & ACCOUNT_OWNER_MAX;
}

bool account_is_customer(int64_t account)
{
    return account_kind_of(account) == ACCOUNT_CARD;
}
