/* The approval's states and their table, and the judgement of one payment. */
#include "ledger/foreign.h"

#include "base/check.h"

#include "base/banned.h"

#define STATE_COUNT (FOREIGN_REVOKED + 1)

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

const char *foreign_verdict_name(enum foreign_verdict verdict)
{
    switch (verdict) {
    case FOREIGN_ALLOWED:
        return "allowed";
    case FOREIGN_NOT_APPROVED:
        return "not_approved";
    case FOREIGN_EXPIRED:
        return "expired";
    case FOREIGN_OVER_PAYMENT_MAX:
        return "over_payment_max";
    case FOREIGN_OVER_DAY_MAX:
        return "over_day_max";
    case FOREIGN_SUSPENDED:
        return "suspended";
    }
    check_failed("verdict is one of enum foreign_verdict", __FILE__, __LINE__);
}

const char *foreign_effect_name(enum foreign_effect effect)
{
    switch (effect) {
    case FOREIGN_CHARGE:
        return "gift_card";
    case FOREIGN_REWARD:
        return "points";
    }
    check_failed("effect is one of enum foreign_effect", __FILE__, __LINE__);
}

const char *foreign_end_name(enum foreign_end end)
{
    switch (end) {
    case FOREIGN_OPEN:
        return "open";
    case FOREIGN_PAID:
        return "paid";
    case FOREIGN_UNPAID:
        return "unpaid";
    }
    check_failed("end is one of enum foreign_end", __FILE__, __LINE__);
}

bool foreign_may_move(enum foreign_state from, enum foreign_state to)
{
    static const bool may_move[STATE_COUNT][STATE_COUNT] = {
        [FOREIGN_NOT_REQUESTED] = {[FOREIGN_REQUESTED] = true},
        [FOREIGN_REQUESTED] =
            {[FOREIGN_UNDER_REVIEW] = true, [FOREIGN_APPROVED] = true, [FOREIGN_REFUSED] = true},
        [FOREIGN_UNDER_REVIEW] = {[FOREIGN_APPROVED] = true, [FOREIGN_REFUSED] = true},
        [FOREIGN_APPROVED] = {[FOREIGN_APPROVED] = true, [FOREIGN_REVOKED] = true},
        [FOREIGN_REFUSED] = {[FOREIGN_REQUESTED] = true},
        [FOREIGN_REVOKED] = {[FOREIGN_REQUESTED] = true},
    };
    CHECK((unsigned)from < STATE_COUNT && (unsigned)to < STATE_COUNT);
    return may_move[from][to];
}

bool foreign_suspends(enum foreign_end end, int32_t api_status)
{
    return end == FOREIGN_UNPAID && api_status == FOREIGN_FORBIDDEN_STATUS;
}

/* A limit that was lowered since may be below what is paid already. */
static int64_t day_left_minor(const struct foreign_approval *approval, int64_t paid_today_minor)
{
    return paid_today_minor < approval->day_max_minor ? approval->day_max_minor - paid_today_minor
                                                      : 0;
}

enum foreign_verdict foreign_judge(const struct foreign_approval *approval, int64_t amount_minor,
                                   int32_t local_date, int64_t paid_today_minor)
{
    CHECK(amount_minor > 0 && paid_today_minor >= 0);
    if (approval->state != FOREIGN_APPROVED)
        return FOREIGN_NOT_APPROVED;
    if (approval->is_suspended)
        return FOREIGN_SUSPENDED;
    if (approval->expires_on != 0 && local_date > approval->expires_on)
        return FOREIGN_EXPIRED;
    if (approval->payment_max_minor != 0 && amount_minor > approval->payment_max_minor)
        return FOREIGN_OVER_PAYMENT_MAX;
    if (approval->day_max_minor != 0 && amount_minor > day_left_minor(approval, paid_today_minor))
        return FOREIGN_OVER_DAY_MAX;
    return FOREIGN_ALLOWED;
}

int64_t foreign_limit_minor(const struct foreign_approval *approval, enum foreign_verdict verdict,
                            int64_t paid_today_minor)
{
    switch (verdict) {
    case FOREIGN_OVER_PAYMENT_MAX:
        return approval->payment_max_minor;
    case FOREIGN_OVER_DAY_MAX:
        return day_left_minor(approval, paid_today_minor);
    case FOREIGN_ALLOWED:
    case FOREIGN_NOT_APPROVED:
    case FOREIGN_EXPIRED:
    case FOREIGN_SUSPENDED:
        return 0;
    }
    check_failed("verdict is one of enum foreign_verdict", __FILE__, __LINE__);
}
