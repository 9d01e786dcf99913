/*
 * Refund: gives back charges, and names each one it answers (law 9). Bounded by what this card paid
 * on the sale: the order's own, or the one that the order gives back where Lightspeed has told. A
 * refund whose sale is not known here is bounded by the card's recent charges and the merchant's
 * limits.
 */
#include "ledger/rules.h"

#include "base/check.h"
#include "base/money.h"

#include "base/banned.h"

static int64_t sale_of(const struct command *command)
{
    return command->refunded_order_id != 0 ? command->refunded_order_id : command->order_id;
}

/* A charge of the sale by any card, decided earlier in this batch: the store could not know it. */
static bool order_became_known(const struct decision *decision)
{
    const struct view *view = decision->view;
    for (int32_t i = 0; i < view->operation_count; i++) {
        const struct view_operation *each = &view->operations[i];
        if (each->is_new && operation_is_charge(&each->operation) &&
            each->operation.tenant_id == decision->command->tenant_id &&
            each->operation.order_id == sale_of(decision->command))
            return true;
    }
    return false;
}

/* Also a sale that the API has named: whether a checkout tells the order id that the sale has in
 * the end is not known (o-series 2.1), so that no card has paid on it here proves nothing. */
static bool order_is_known(const struct decision *decision)
{
    if (sale_of(decision->command) == 0)
        return false;
    return decision->scope->order_is_known || order_became_known(decision);
}

/* Charges this refund may answer: of its sale, or without one those of the last 90 days. */
static bool is_candidate(const struct decision *decision, const struct operation *operation,
                         bool is_known)
{
    if (!operation_is_charge(operation))
        return false;
    if (is_known)
        return operation->order_id == sale_of(decision->command);
    return operation->created_at_us >= decision->command->received_at_us - REFUND_REACH_US;
}

struct reach {
    bool has_charges;
    int64_t left_minor; /* charged and not yet given back */
};

static struct reach refund_reach(const struct decision *decision, bool is_known)
{
    struct reach reach = {0};
    const struct view_operation *each = view_newest(decision->view, decision->card);
    for (; each != NULL; each = view_older(decision->view, each)) {
        const struct operation *charge = &each->operation;
        if (!is_candidate(decision, charge, is_known))
            continue;
        reach.has_charges = true;
        CHECK(money_add(reach.left_minor, operation_left_minor(charge), &reach.left_minor));
    }
    return reach;
}

/* The merchant's limits for a refund whose sale is not known here. */
static enum result refund_check_unknown_sale(const struct decision *decision)
{
    const struct command *command = decision->command;
    const struct policy *policy = &command->policy;
    struct outcome *outcome = decision->outcome;
    if (command->asked_minor > policy->refund_max_minor) {
        outcome->limit_minor = policy->refund_max_minor;
        return RESULT_OVER_REFUND_LIMIT;
    }
    CHECK(decision->scope->day != VIEW_NONE);
    int64_t refunded_minor = decision->view->days[decision->scope->day].day.refunded_minor;
    int64_t left_minor = policy->refund_register_day_max_minor - refunded_minor;
    if (command->asked_minor > left_minor) {
        outcome->limit_minor = left_minor > 0 ? left_minor : 0;
        return RESULT_OVER_REGISTER_DAY;
    }
    return RESULT_OK;
}

enum result refund_check(struct decision *decision)
{
    struct outcome *outcome = decision->outcome;
    int64_t asked_minor = decision->command->asked_minor;
    bool is_known = order_is_known(decision);
    struct reach reach = refund_reach(decision, is_known);
    int64_t room_minor = MONEY_MAX_MINOR - decision->card->card.balance_minor;
    if (asked_minor > room_minor) {
        outcome->limit_minor = room_minor;
        return RESULT_OVER_BALANCE_MAX;
    }
    if (is_known && !reach.has_charges)
        return RESULT_NOT_CHARGED;
    if (asked_minor > reach.left_minor) {
        outcome->limit_minor = reach.left_minor;
        return is_known ? RESULT_OVER_CHARGED : RESULT_OVER_REFUND_LIMIT;
    }
    outcome->amount_minor = asked_minor;
    return is_known ? RESULT_OK : refund_check_unknown_sale(decision);
}

static int64_t refund_answer(struct decision *decision, const struct operation *refund,
                             struct view_operation *answered, int64_t left_minor)
{
    struct operation *charge = &answered->operation;
    int64_t open_minor = operation_left_minor(charge);
    int64_t amount_minor = open_minor < left_minor ? open_minor : left_minor;
    if (amount_minor == 0)
        return 0;
    charge->given_back_minor += amount_minor;
    answered->is_changed = true;
    view_move(decision, refund, CAUSE_REFUND, account_make(ACCOUNT_SALES, refund->tenant_id),
              amount_minor, charge->id);
    return amount_minor;
}

void refund_apply(struct decision *decision, struct operation *operation)
{
    bool is_known = order_is_known(decision);
    int64_t left_minor = operation->amount_minor;
    struct view_operation *each = view_newest(decision->view, decision->card);
    for (; each != NULL && left_minor > 0; each = view_older(decision->view, each)) {
        if (is_candidate(decision, &each->operation, is_known))
            left_minor -= refund_answer(decision, operation, each, left_minor);
    }
    CHECK(left_minor == 0);
    if (is_known)
        return;
    struct view_day *day = &decision->view->days[decision->scope->day];
    CHECK(money_add(day->day.refunded_minor, operation->amount_minor, &day->day.refunded_minor));
    day->is_changed = true;
}
