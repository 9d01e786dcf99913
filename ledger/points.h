/*
 * Points: what a member has earned and may spend. The same laws as for money (1, 2, 4, 5, 6, 8),
 * kept apart from it: whole points, one account a member, decided one command at a time by a pure
 * function over the few rows that it needs.
 *
 * Spending takes two steps, because the reward changes an order at Lightspeed in between: points
 * are reserved, the order is changed, then the points are burned or returned.
 */
#ifndef COUNTERPART_LEDGER_POINTS_H
#define COUNTERPART_LEDGER_POINTS_H

#include "ledger/foreign.h"

#define POINTS_MAX INT64_C(1000000000000) /* of one member: sums stay far inside int64_t */
#define POINTS_TOKEN_CHARS 32             /* id of the one-time token (oauth/jwt.h) */
#define POINTS_EARN_MILLI_MAX 1000000     /* 1000 points per currency unit */
#define POINTS_REASON_MAX 120

/* Stored as these numbers. */
enum points_cause {
    POINTS_CAUSE_GRANT = 1,  /* by the merchant: an opening balance, goodwill, a correction */
    POINTS_CAUSE_EARN = 2,   /* answers an order: once per order */
    POINTS_CAUSE_UNEARN = 3, /* answers a refund order, or a deleted sale: once per order; all of
                                one sale together never more than it earned */
    POINTS_CAUSE_BURN = 4,   /* answers a reservation: once */
    POINTS_CAUSE_RETURN = 5, /* a burned reservation whose order was deleted: once */
    POINTS_CAUSE_EXPIRE = 6,
};
const char *points_cause_name(enum points_cause cause); /* "grant"; for what is none "unknown" */

/* Law 6. Stored as these numbers. reserved -> applied | burned | returned; applied -> burned |
 * returned. */
enum reservation_state {
    RESERVATION_NONE = 0,     /* not a row */
    RESERVATION_RESERVED = 1, /* the order is being changed, or it is not known whether it was */
    RESERVATION_APPLIED = 2,  /* the order is changed; burned when it completes (tenant setting) */
    RESERVATION_BURNED = 3,
    RESERVATION_RETURNED = 4,
};
const char *reservation_state_name(enum reservation_state state); /* "reserved" */

struct reservation {
    int64_t id; /* part of the mark in the order's notes (lightspeed/redeem.h) */
    int64_t tenant_id;
    int64_t member_id;
    int64_t reward_id;
    char token_id[POINTS_TOKEN_CHARS + 1];
    int64_t order_id;
    int64_t site_id;
    int64_t points;
    int64_t pays_minor; /* a payment of so much onto the order; 0: a discount or a product */
    enum reservation_state state;
    bool is_unsure; /* RESERVED: a change was sent and no reply came; it may still arrive */
    char reason[POINTS_REASON_MAX + 1];
    int64_t created_at_us;
    int64_t changed_at_us;
    int32_t alike_before; /* is_unsure, what pays: payments that may be taken for it, and are not:
                             the order had them before; 0 where that is not known */
};

struct points_account { /* the part of a member's row that moves */
    int64_t member_id;
    int64_t points;      /* all, the held included */
    int64_t points_held; /* sum of the RESERVED and APPLIED */
    int64_t version;     /* number of entries */
    int64_t last_entry_id;
    int64_t active_at_us; /* last given, earned, burned or got back: expiry counts from here */
    bool is_active;
};

struct points_entry { /* insert-only */
    int64_t id;
    int64_t tenant_id;
    int64_t member_id;
    int64_t version;
    enum points_cause cause;
    int64_t points; /* signed, not 0 */
    int64_t points_after;
    int64_t order_id;       /* EARN, UNEARN; else 0 */
    int64_t sale_order_id;  /* UNEARN: what had earned; else 0 */
    int64_t reservation_id; /* BURN, RETURN; else 0 */
    int64_t previous_entry_id;
    int64_t created_at_us;
    char reason[POINTS_REASON_MAX + 1]; /* the command's; may be empty */
};

enum points_action {
    POINTS_GRANT,
    POINTS_EARN,
    POINTS_UNEARN,
    POINTS_RESERVE,
    POINTS_MARK_UNSURE, /* the change was sent, no reply came */
    POINTS_APPLY,
    POINTS_BURN,
    POINTS_RETURN, /* of what is open; of what is burned only when is_order_deleted */
    POINTS_EXPIRE,
};

/* POINTS_RESULT_LIST: in order of precedence. X(symbol, wire name). */
#define POINTS_RESULT_LIST(X)                                                                      \
    X(POINTS_OK, "ok")                                                                             \
    X(POINTS_NOT_FOUND, "not_found")       /* no such member, reward or reservation */             \
    X(POINTS_ALREADY_DONE, "already_done") /* was done; a replay, nothing moves */                 \
    X(POINTS_STALE, "stale")               /* return: somebody has moved the reservation since */  \
    X(POINTS_OTHER_ORDER, "other_order")   /* reserve: the token is used for another order */      \
    X(POINTS_UNDER_WAY, "under_way")       /* reserve: this very redemption is not settled */      \
    X(POINTS_WRONG_STATE, "wrong_state")   /* the reservation cannot move there (law 6) */         \
    X(POINTS_INACTIVE, "inactive")         /* earn, reserve: member switched off */                \
    X(POINTS_ORDER_BUSY, "order_busy")     /* reserve: another reward is being put on the order */ \
    X(POINTS_BAD_AMOUNT, "bad_amount")     /* not positive, or too large */                        \
    X(POINTS_NOT_ENOUGH, "not_enough")                                                             \
    X(POINTS_NOT_APPROVED, "not_approved") /* reserve what pays: as RESULT_NOT_APPROVED ... */     \
    X(POINTS_APPROVAL_EXPIRED, "approval_expired")                                                 \
    X(POINTS_OVER_APPROVED, "over_approved")                                                       \
    X(POINTS_OVER_APPROVED_DAY, "over_approved_day")                                               \
    X(POINTS_APPROVAL_SUSPENDED, "approval_suspended")                                             \
    X(POINTS_NOTHING, "nothing") /* earn, unearn, expire: comes to no points */

enum points_result {
#define X(symbol, name) symbol,
    POINTS_RESULT_LIST(X)
#undef X
};
const char *points_result_name(enum points_result result);

struct points_command {
    enum points_action action;
    int64_t tenant_id;                     /* whatever is not this tenant's is not found */
    int64_t member_id;                     /* GRANT, EARN, UNEARN, RESERVE, EXPIRE */
    int64_t points;                        /* GRANT (signed), EARN, UNEARN, RESERVE */
    int64_t order_id;                      /* EARN, UNEARN, RESERVE */
    int64_t sale_order_id;                 /* UNEARN: of this sale; order_id takes it back */
    int64_t site_id;                       /* RESERVE */
    int64_t reward_id;                     /* RESERVE */
    int64_t pays_minor;                    /* RESERVE: onto the order; 0: it is no payment */
    int32_t local_date;                    /* RESERVE: at the site */
    char token_id[POINTS_TOKEN_CHARS + 1]; /* RESERVE */
    int64_t reservation_id;                /* MARK_UNSURE, APPLY, BURN, RETURN */
    int32_t alike_before;                  /* MARK_UNSURE */
    bool is_order_deleted;                 /* RETURN */
    int64_t seen_changed_at_us;            /* RETURN: of the reservation as it was read; 0: however
                                              it is by now */
    int64_t inactive_since_us;             /* EXPIRE: only when account.active_at_us is before it */
    char reason[POINTS_REASON_MAX + 1];
};

/* The rows one command may need; has_* false: there is none. Filled by the store. */
struct points_view {
    bool has_account; /* of the command's member, or of the reservation's */
    struct points_account account;
    bool has_reward;      /* RESERVE: the tenant has it, switched on or off */
    bool has_reservation; /* RESERVE: of this token, not returned; else: reservation_id */
    struct reservation reservation;
    bool order_is_busy;               /* RESERVE: another reservation of the order is RESERVED */
    bool order_is_counted;            /* EARN, UNEARN: has this order such an entry already? */
    struct foreign_approval approval; /* RESERVE of what pays: the tenant's */
    int64_t
        foreign_paid_minor; /* RESERVE of what pays: of its date (ledger/ledger.h foreign_day) */
    int64_t sale_points;    /* UNEARN: earned by the member on the sale, not taken back yet */
    bool is_given_back;     /* RETURN: has an entry returned the burned points already? */
    int64_t next_entry_id;
    int64_t next_reservation_id;
};

/* What changed; the store writes it. */
struct points_changes {
    bool account_is_changed; /* view->account is its new state */
    int64_t version_before;
    bool has_entry;
    struct points_entry entry;
    bool reservation_is_new, reservation_is_changed; /* view->reservation is its new state */
    enum reservation_state state_before;
    /* RESERVE of what pays, allowed or refused: it is written down, and counts for its day. */
    bool has_attempt;
    enum foreign_verdict verdict;
    enum foreign_end end; /* what became of such a payment; FOREIGN_OPEN: nothing new */
};

struct points_outcome {
    enum points_result result;
    struct points_account account; /* after; zeroed when there is none */
    struct reservation reservation;
    int64_t limit_minor; /* POINTS_OVER_APPROVED*: what could have been paid; else 0 */
};

/* May a reservation move so? The one table (law 6). */
bool reservation_may_move(enum reservation_state from, enum reservation_state to);

/* Does the action name a reservation (reservation_id), or a member? */
bool points_action_is_of_reservation(enum points_action action);

/* Points for an amount: amount_minor * earn_milli / 1000 / 10^exponent, rounded down; 0 for amounts
 * that are not positive; at most POINTS_MAX. */
int64_t points_for_amount(int64_t amount_minor, int exponent, int64_t earn_milli);

/*
 * Decide one command. Pure; cannot fail. Of the command the ids that its action needs are positive
 * and token_id is not empty.
 *
 * GRANT    of less than nothing: down to what is held, and no further.
 * RESERVE  the same token, member, reward and order while RESERVED: POINTS_UNDER_WAY with that
 *          reservation (the caller looks at the order and settles it); APPLIED or BURNED:
 *          POINTS_ALREADY_DONE; else POINTS_OTHER_ORDER. A returned one does not count: its token
 *          is free. Whether the reward is on, and what it costs, is the caller's to know.
 *          What pays is judged last, against the approval and its date's sum.
 * APPLY    of what pays: POINTS_WRONG_STATE. A payment cannot be taken off the order again, so its
 *          points are burned as soon as it is there.
 * UNEARN   takes what is there down to what is held, and no further (law 4); of one sale, however
 *          many refunds and deletions it has, no more than it earned.
 * MARK_UNSURE, APPLY, BURN, RETURN   of what is there already: POINTS_ALREADY_DONE; a reason that
 *          is not empty is kept with the move.
 * RETURN   of one that has changed since it was read: POINTS_STALE. What the order showed then says
 *          nothing of what somebody else has sent since.
 *          of a burned one: gives the points back by an entry of its own; the state stays BURNED.
 */
void points_decide(struct points_view *view, const struct points_command *command, int64_t now_us,
                   struct points_changes *changes, struct points_outcome *outcome);

#endif
