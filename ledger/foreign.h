/*
 * Paying orders that our application did not create needs Lightspeed's approval, per merchant: the
 * states of that approval, and the one judgement that every such payment passes before any call is
 * made. Pure.
 *
 * An order that our application created itself needs no approval. (Whether it did is not asked of
 * the API in a cashier's time: we create none, so every order is foreign until something of ours
 * creates orders.)
 */
#ifndef COUNTERPART_LEDGER_FOREIGN_H
#define COUNTERPART_LEDGER_FOREIGN_H

#include <stdbool.h>
#include <stdint.h>

/* Law 6. Stored as these numbers. */
enum foreign_state {
    FOREIGN_NOT_REQUESTED = 0,
    FOREIGN_REQUESTED = 1,
    FOREIGN_UNDER_REVIEW = 2,
    FOREIGN_APPROVED = 3,
    FOREIGN_REFUSED = 4,
    FOREIGN_REVOKED = 5,
};
const char *foreign_state_name(enum foreign_state state); /* "not_requested" */
/* not_requested -> requested -> under_review -> approved | refused; requested -> approved |
 * refused; approved -> approved (other limits) | revoked; refused, revoked -> requested. */
bool foreign_may_move(enum foreign_state from, enum foreign_state to);

/* What a merchant is approved for. */
struct foreign_approval {
    enum foreign_state state;
    int64_t payment_max_minor; /* of one payment; 0: no limit */
    int64_t day_max_minor;     /* of all payments of one local date; 0: no limit */
    int32_t expires_on;        /* last local date it is good for; 0: until revoked */
    bool is_suspended; /* Lightspeed has refused a payment all the same: until the next step */
};

/* One payment that somebody wants to make. Stored as these numbers. */
enum foreign_verdict {
    FOREIGN_ALLOWED = 0,
    FOREIGN_NOT_APPROVED = 1,
    FOREIGN_EXPIRED = 2,
    FOREIGN_OVER_PAYMENT_MAX = 3,
    FOREIGN_OVER_DAY_MAX = 4,
    FOREIGN_SUSPENDED = 5, /* approved here, and not at Lightspeed */
};
const char *foreign_verdict_name(enum foreign_verdict verdict); /* "allowed" */

/* What wants to pay. Stored as these numbers. */
enum foreign_effect {
    FOREIGN_CHARGE = 1, /* a gift card, where we add the payment to the order */
    FOREIGN_REWARD = 2, /* points: a reward that pays */
};
const char *foreign_effect_name(enum foreign_effect effect); /* "gift_card", "points" */

/* What became of a payment that was allowed: open -> paid | unpaid. Stored as these numbers. */
enum foreign_end {
    FOREIGN_OPEN = 0,   /* not sent yet, or not known; counts as paid */
    FOREIGN_PAID = 1,   /* it is on the order */
    FOREIGN_UNPAID = 2, /* it is certain that it is not: refused by the API, or never sent */
};
const char *foreign_end_name(enum foreign_end end); /* "open" */

/* The answer "forbidden": Lightspeed knows of no approval. Any other refusal is of one payment:
 * of more than is due, say, or onto an order that is closed. */
#define FOREIGN_FORBIDDEN_STATUS 403
/* Does an attempt that ended so suspend the approval? */
bool foreign_suspends(enum foreign_end end, int32_t api_status);

/* In order of precedence as the enum has it, but that FOREIGN_SUSPENDED comes right after
 * FOREIGN_NOT_APPROVED. paid_today_minor: what was allowed before on that date, whatever became of
 * it, less what is certain not to have been paid. */
enum foreign_verdict foreign_judge(const struct foreign_approval *approval, int64_t amount_minor,
                                   int32_t local_date, int64_t paid_today_minor);
/* What could have been paid where the verdict names a limit; else 0. */
int64_t foreign_limit_minor(const struct foreign_approval *approval, enum foreign_verdict verdict,
                            int64_t paid_today_minor);

#endif
