/* The approval's states, and the judgement of one payment. */
#include "ledger/foreign.h"

#include "base/check.h"

#include "base/banned.h"

const char *foreign_state_name(enum foreign_state state)
{
    switch (state) {
    case FOREIGN_NOT_REQUESTED:
        return "not_requested";
    case FOREIGN_REQUESTED:
        return "requested";
    case FOREIGN_UNDER_REVIEW:
        return "under_review";
    case FOREIGN_APPROVED:
        return "approved";
    case FOREIGN_REFUSED:
        return "refused";
    case FOREIGN_REVOKED:
        return "revoked";
    }
    check_failed("state is one of enum foreign_state", __FILE__, __LINE__);
}
