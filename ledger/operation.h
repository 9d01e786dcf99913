/*
 * An operation: one request of a register (or the merchant) on one card, with its outcome. It is a
 * row in the money's own transaction, so "did this happen?" has one answer (design section 4).
 */
#ifndef COUNTERPART_LEDGER_OPERATION_H
#define COUNTERPART_LEDGER_OPERATION_H

#include <stdbool.h>
#include <stdint.h>

/* Stored as these numbers. */
enum action {
    ACTION_ISSUE = 1,  /* the merchant creates a card, perhaps with an opening balance */
    ACTION_CHARGE = 2, /* O-Series "checkout" */
    ACTION_TOP_UP = 3, /* O-Series "top-up"; the first one on stock activates it */
    ACTION_REFUND = 4,
    ACTION_VOID =
        5, /* a tombstone: this operation id was given out, never happened and never can */
    ACTION_HOLD_LOAD = 6, /* a top-up that waits for its order to complete: amount_minor is 0 and
                             no transfer is its; asked_minor is what a release will move */
    ACTION_RELEASE = 7,   /* the order is complete: moves what its held top-ups of this card have
                             asked for since the last release; nobody at a register asks for it */
    ACTION_REVERSE = 8,   /* gives back what a charge or recharge took, where the register does not
                             show it; answers_operation_id names it */
    ACTION_RECHARGE = 9,  /* takes again what a reversal or refund gave, where the register shows
                             otherwise after all; answers_operation_id names it. A charge like any
                             other afterwards: refunds and reversals may answer it */
};

/*
 * RESULT_LIST: every answer a decision can have, in order of precedence: when several apply, the
 * first one is told. X(symbol, stored number, wire name). Stored numbers never change; the order
 * may.
 */
#define RESULT_LIST(X)                                                                             \
    X(RESULT_OK, 0, "ok")                                                                          \
    X(RESULT_THROTTLED, 1, "throttled") /* budget of misses used up, and this is a guess */        \
    X(RESULT_NOT_FOUND, 2, "not_found") /* unknown, unsold stock, PIN wrong or not given */        \
    X(RESULT_AMOUNT_MISSING, 3, "amount_missing")                                                  \
    X(RESULT_AMOUNT_INVALID, 4, "amount_invalid") /* not a plain decimal number */                 \
    X(RESULT_AMOUNT_TOO_PRECISE, 5, "amount_too_precise")                                          \
    X(RESULT_AMOUNT_NOT_POSITIVE, 6, "amount_not_positive")                                        \
    X(RESULT_AMOUNT_TOO_LARGE, 7, "amount_too_large")                                              \
    X(RESULT_ALREADY_EXISTS, 8, "already_exists") /* issue: that number is taken */                \
    X(RESULT_ALREADY_LOADED, 9, "already_loaded") /* top-up: this sale has loaded it before */     \
    X(RESULT_LOOK_FIRST, 24,                                                                       \
      "look_first") /* charge: only the order can say what is meant. Never stored nor told */      \
    X(RESULT_ORDER_CLOSED, 22, "order_closed") /* charge: asked again when its sale is over */     \
    X(RESULT_NOTHING_LEFT, 23, "nothing_left") /* reverse, recharge: nothing is left to undo */    \
    X(RESULT_DISABLED, 10, "disabled")                                                             \
    X(RESULT_NOT_YET_VALID, 11, "not_yet_valid")                                                   \
    X(RESULT_EXPIRED, 12, "expired")                                                               \
    X(RESULT_OVER_USES, 13, "over_uses") /* charge: uses per hour */                               \
    X(RESULT_NO_FUNDS, 14, "no_funds")   /* nothing, or less than asked and no partial approval */ \
    X(RESULT_OVER_BALANCE_MAX, 15, "over_balance_max")                                             \
    X(RESULT_OVER_LOAD_DAY, 16, "over_load_day")                                                   \
    X(RESULT_NOT_CHARGED, 17,                                                                      \
      "not_charged") /* refund: the sale is known, this card paid nothing on it */                 \
    X(RESULT_OVER_CHARGED, 18, "over_charged") /* refund: more than is still to give back */       \
    X(RESULT_OVER_REFUND_LIMIT, 19,                                                                \
      "over_refund_limit") /* refund without a known sale: charges, tenant's limit */              \
    X(RESULT_OVER_REGISTER_DAY, 20,                                                                \
      "over_register_day") /* refund without a known sale: register's cap for the day */           \
    X(RESULT_NOTHING_HELD, 21, "nothing_held") /* release: none, or all was released before */     \
    X(RESULT_NOT_APPROVED, 25,                                                                     \
      "not_approved") /* charge whose payment we add: Lightspeed has not approved that */          \
    X(RESULT_APPROVAL_SUSPENDED, 29, "approval_suspended") /* Lightspeed has refused one since */  \
    X(RESULT_APPROVAL_EXPIRED, 26, "approval_expired")                                             \
    X(RESULT_OVER_APPROVED, 27, "over_approved")         /* more than one payment may be */        \
    X(RESULT_OVER_APPROVED_DAY, 28, "over_approved_day") /* more than a day's payments may be */

enum result {
#define X(symbol, number, name) symbol = number,
    RESULT_LIST(X)
#undef X
};

const char *result_name(enum result result);
/* "issue", "charge", "top_up", "refund", "void", "hold_load", "release", "reverse", "recharge" */
const char *action_name(enum action action);

struct operation {
    int64_t id; /* given out in ascending order; latest = greatest */
    int64_t tenant_id;
    int64_t card_id;
    enum action action;
    enum result result;
    int64_t order_id;          /* 0: the register named none */
    int64_t refunded_order_id; /* refunds: the sale that the order gives back, as the API told; 0:
                                  not known, or no other than order_id */
    int64_t answers_operation_id; /* reversals, recharges: what they undo; else 0 */
    int64_t site_id; /* as the register told it; 0: none. Recorded, compared only without order */
    int64_t register_id;
    int64_t asked_minor;  /* the amount of the request */
    int64_t amount_minor; /* what moved; 0 when refused; less than asked for a partial approval */
    int64_t balance_minor_after;
    int64_t card_version_after;
    int64_t limit_minor; /* RESULT_OVER_*: what would have been possible; else 0 */
    /* What was undone of it; never above amount_minor (law 9). Charges and recharges: the refunds
     * and reversals that answer it; refunds and reversals: the recharges that do. */
    int64_t given_back_minor;
    int64_t previous_operation_id; /* of the same card; 0: first. A card's history is this chain */
    int64_t created_at_us;         /* when it was decided */
};

/* A charge or recharge that took something: what refunds and reversals may answer. */
bool operation_is_charge(const struct operation *operation);
/* A refund or reversal that gave something: what recharges may answer. */
bool operation_gives_back(const struct operation *operation);
/* What of it is not undone yet: amount_minor - given_back_minor. */
int64_t operation_left_minor(const struct operation *operation);
/* It moved something, and all of that was undone since. */
bool operation_is_undone(const struct operation *operation);

/* Why a credit was given (law 9). Stored as these numbers. */
enum cause {
    CAUSE_CHARGE = 1, /* the debit of a charge or recharge; answers_operation_id is it itself */
    CAUSE_LOAD = 2,   /* answers the sale in which the till took the money: the top-up itself, or,
                         from a release, the held top-up that asked for it */
    CAUSE_REFUND = 3, /* answers_operation_id is the charge that is given back */
    CAUSE_GRANT =
        4, /* the merchant's opening balance or goodwill; answers its own issue operation */
    CAUSE_REVERSE = 5, /* answers_operation_id is the charge or recharge that is undone */
};

/* Insert-only (law 1). Exactly one end is a customer account; version and balance belong to it. */
struct transfer {
    int64_t id;
    int64_t operation_id;
    int64_t debit_account; /* ledger/account.h */
    int64_t credit_account;
    int64_t amount_minor; /* > 0 */
    enum cause cause;
    int64_t answers_operation_id;
    int64_t version;              /* of the customer account: 1, 2, 3 ... without gaps */
    int64_t balance_minor_after;  /* of the customer account */
    int64_t previous_transfer_id; /* the customer account's transfer before this one; 0: first */
    int64_t created_at_us;
};

#endif
