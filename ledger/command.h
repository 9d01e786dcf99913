/*
 * A command: a request made plain. Everything a decision depends on is in here or in the view; the
 * clock, ids, local date and the tenant's policy are passed in (law 8).
 */
#ifndef COUNTERPART_LEDGER_COMMAND_H
#define COUNTERPART_LEDGER_COMMAND_H

#include "ledger/card.h"
#include "ledger/foreign.h"
#include "ledger/operation.h"

/* Limits of one tenant, copied into each command. Amounts are minor units; 0 means no limit unless
 * said. */
struct policy {
    bool partial_is_allowed; /* approve a lower amount when the card has less */
    int64_t balance_max_minor;
    int64_t load_day_max_minor;            /* top-ups per card and local date */
    int32_t uses_hour_max;                 /* charges per card and clock hour */
    int64_t refund_max_minor;              /* one refund without a known sale; 0: none is given */
    int64_t refund_register_day_max_minor; /* such refunds per register and local date; 0: none is
                                              given */
    bool top_up_is_held;                   /* a load moves when its order completes, not at once */
    int64_t replay_window_us;              /* with an order id; default 90 s */
    int64_t replay_window_no_order_us;     /* without; default 15 s */
};

/*
 * What the order shows, read through the tenant's own grant while the cashier waits (design section
 * 4, rules 4 and 5). Asked for by RESULT_LOOK_FIRST only, so most charges cost no call.
 */
enum evidence_state {
    EVIDENCE_NONE,       /* nobody has looked */
    EVIDENCE_UNREADABLE, /* looked, and it could not be read in time */
    EVIDENCE_READ,
};
struct order_evidence {
    enum evidence_state state;
    int64_t operation_id; /* what it is about: the outcome's earlier_operation_id */
    bool is_booked;       /* the order shows the payment of that operation */
    bool is_closed;       /* complete, deleted or rejected */
    bool has_changed;     /* the order was changed clearly after that operation */
    int64_t due_minor;    /* the order's total less its payments; <= 0: nothing is due */
};

#define REPLAY_WINDOW_US (INT64_C(90) * 1000000)
#define REPLAY_WINDOW_NO_ORDER_US (INT64_C(15) * 1000000)
/* A command is decided within its deadline (4 s) of its coming, or never. */
#define COMMAND_WAIT_MAX_US (INT64_C(4) * 1000000)
#define REFUND_REACH_US                                                                            \
    (INT64_C(90) * 86400 * 1000000) /* a refund without its sale reaches back 90 days */

/* A new card, for ACTION_ISSUE only. */
#define CARD_SEALED_MAX 96 /* number of up to 64 characters + SEAL_OVERHEAD, rounded up */
#define CARD_NUMBER_LABEL "card.number" /* what number_sealed is sealed under (base/seal.h) */
struct new_card {
    char last4[5];
    enum card_status status; /* CARD_STOCK or CARD_ACTIVE */
    int32_t valid_from;
    int32_t expires_on;
    uint8_t number_sealed[CARD_SEALED_MAX];
    int32_t number_sealed_size;
    int32_t key_version;
};

struct command {
    enum action action; /* not ACTION_VOID; not ACTION_HOLD_LOAD: the policy makes a top-up one */
    int64_t answers_operation_id; /* ACTION_REVERSE, ACTION_RECHARGE: what is undone; of the card
                                     and order named here */
    int64_t in_place_of_id;       /* ACTION_REVERSE: the charge of the same card and order that is
                                     meant, of which a refund has nothing left to give; 0: the one
                                     that it answers. The store counts it there. */
    int64_t tenant_id;
    int64_t order_id;
    int64_t refunded_order_id; /* ACTION_REFUND: the sale that order_id gives back, as the API told;
                                  0: not known, or no other than order_id */
    int64_t site_id;
    int64_t register_id;
    uint8_t card_index[CARD_INDEX_BYTES];
    bool has_pin;
    uint8_t pin_hash[CARD_PIN_BYTES];
    bool is_throttled; /* the caller's budget of misses is used up: unknown numbers and PINs are
                          refused unseen */
    enum result
        amount_result;      /* RESULT_OK, or the RESULT_AMOUNT_* found while reading the request */
    int64_t asked_minor;    /* valid when amount_result is RESULT_OK; any sign: the ledger judges */
    int32_t local_date;     /* at the site, when the request came */
    int64_t received_at_us; /* steady wall time (base/clock.h), when the request came */
    bool payment_is_ours;   /* a charge whose payment we add to the order: that work is stored with
                               it */
    bool order_is_readable; /* a charge may be answered RESULT_LOOK_FIRST */
    struct order_evidence evidence;
    struct policy policy;
    struct new_card new_card;
};

/* What is told. Everything a reply needs, also for a replay, is rebuilt from stored values only, so
 * that a repeated answer is the same byte for byte. */
struct outcome {
    enum result result;
    enum action action; /* what it was decided as: a top-up may have become ACTION_HOLD_LOAD */
    bool is_replay;     /* nothing moved now: the answer of an earlier operation */
    bool is_suspect;    /* and the order does not show that one, though it should by now */
    int64_t earlier_operation_id;  /* RESULT_LOOK_FIRST: what the order is to be searched for */
    int64_t earlier_minor;         /* what that one moved */
    int64_t reversed_operation_id; /* this charge took the place of that one (rule 5); else 0 */
    int64_t operation_id;          /* 0 when none was recorded (unknown card, bad amount) */
    int64_t card_id;               /* 0: unknown */
    char last4[5];
    int64_t asked_minor;
    int64_t amount_minor;  /* moved: of a held top-up nothing yet */
    int64_t balance_minor; /* after; for refusals what is on the card now. 0 for RESULT_THROTTLED,
                              _NOT_FOUND */
    int64_t card_version;
    int64_t foreign_minor; /* what it pays, or when its approval says no would have paid, onto an
                              order that is not ours; else 0 */
    int64_t limit_minor;   /* for RESULT_OVER_*: what would have been possible; else 0 */
    int32_t expires_on;
};

#endif
