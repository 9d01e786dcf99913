/* The approval that a charge needs whose payment we add to an order that is not ours: judged here,
 * with the day's sum, before anything is sent. */
#include "ledger/rules.h"

#include "base/check.h"
#include "base/money.h"

#include "base/banned.h"

bool approval_is_needed(const struct command *command)
{
    return command->action == ACTION_CHARGE && command->payment_is_ours;
}

static struct view_foreign_day *day_of(const struct decision *decision)
{
    int32_t at = decision->scope->foreign_day;
    CHECK(at >= 0 && at < decision->view->foreign_day_count);
    return &decision->view->foreign_days[at];
}

static enum result result_of(enum foreign_verdict verdict)
{
    static const enum result results[] = {
        [FOREIGN_ALLOWED] = RESULT_OK,
        [FOREIGN_NOT_APPROVED] = RESULT_NOT_APPROVED,
        [FOREIGN_EXPIRED] = RESULT_APPROVAL_EXPIRED,
        [FOREIGN_OVER_PAYMENT_MAX] = RESULT_OVER_APPROVED,
        [FOREIGN_OVER_DAY_MAX] = RESULT_OVER_APPROVED_DAY,
        [FOREIGN_SUSPENDED] = RESULT_APPROVAL_SUSPENDED,
    };
    return results[verdict];
}

enum result approval_check(struct decision *decision)
{
    const struct command *command = decision->command;
    struct outcome *outcome = decision->outcome;
    const struct foreign_approval *approval = &day_of(decision)->approval;
    int64_t paid_minor = day_of(decision)->day.paid_minor;
    outcome->foreign_minor = outcome->amount_minor;
    enum foreign_verdict verdict =
        foreign_judge(approval, outcome->foreign_minor, command->local_date, paid_minor);
    outcome->limit_minor = foreign_limit_minor(approval, verdict, paid_minor);
    return result_of(verdict);
}

void approval_apply(struct decision *decision)
{
    struct view_foreign_day *day = day_of(decision);
    CHECK(money_add(day->day.paid_minor, decision->outcome->foreign_minor, &day->day.paid_minor));
    day->is_changed = true;
}
