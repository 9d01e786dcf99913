/* Wire names of actions and results, and what an operation left behind. */
#include "ledger/operation.h"

#include "base/check.h"

#include "base/banned.h"

const char *result_name(enum result result)
{
    switch (result) {
#define X(symbol, number, name)                                                                    \
    case symbol:                                                                                   \
        return name;
        RESULT_LIST(X)
#undef X
    }
    check_failed("result is one of RESULT_LIST", __FILE__, __LINE__);
}

const char *action_name(enum action action)
{
    switch (action) {
    case ACTION_ISSUE:
        return "issue";
    case ACTION_CHARGE:
        return "charge";
    case ACTION_TOP_UP:
        return "top_up";
    case ACTION_REFUND:
        return "refund";
    case ACTION_VOID:
        return "void";
    case ACTION_HOLD_LOAD:
        return "hold_load";
    case ACTION_RELEASE:
        return "release";
    case ACTION_REVERSE:
        return "reverse";
    case ACTION_RECHARGE:
        return "recharge";
    }
    check_failed("action is one of enum action", __FILE__, __LINE__);
}

bool operation_is_charge(const struct operation *operation)
{
    bool is_debit = operation->action == ACTION_CHARGE || operation->action == ACTION_RECHARGE;
    return is_debit && operation->result == RESULT_OK;
}

bool operation_gives_back(const struct operation *operation)
{
    bool is_credit = operation->action == ACTION_REFUND || operation->action == ACTION_REVERSE;
    return is_credit && operation->result == RESULT_OK;
}

int64_t operation_left_minor(const struct operation *operation)
{
    return operation->amount_minor - operation->given_back_minor;
}

bool operation_is_undone(const struct operation *operation)
{
    return operation->amount_minor > 0 && operation_left_minor(operation) == 0;
}
