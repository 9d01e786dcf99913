/*
 * Proof: what became of each operation at the register. Every charge, refund and top-up of a
 * connected tenant has one row, which ends confirmed (its order shows it), reversed (it does not,
 * and the money was given back) or listed with a reason (design section 7). The rows follow the
 * ledger at a distance: a scan in id order makes them, so no decision waits for them.
 *
 * Beside them the payments of ours that orders were seen to have, whatever the ledger says of them:
 * the two sums are what `counterpart reconcile` compares.
 */
#ifndef COUNTERPART_STORE_PROOF_H
#define COUNTERPART_STORE_PROOF_H

#include "store/store.h"

/* Stored as these numbers. open -> confirmed | reversed | listed; listed -> confirmed | reversed;
 * reversed -> confirmed (charged again) | listed; confirmed -> open (its payment is gone again). */
enum proof_state {
    PROOF_OPEN = 1,
    PROOF_CONFIRMED = 2,
    PROOF_REVERSED = 3,
    PROOF_LISTED = 4,
};
const char *proof_state_name(enum proof_state state); /* "open" */

/* Why an operation is on the list, or still open. X(symbol, stored number, wire name, sentence for
 * people). */
#define PROOF_REASON_LIST(X)                                                                       \
    X(PROOF_REASON_NONE, 0, "none", "")                                                            \
    X(PROOF_REASON_NOT_LOOKED, 1, "not_looked", "The order has not been read yet")                 \
    X(PROOF_REASON_NO_ORDER, 2, "no_order", "The register named no order")                         \
    X(PROOF_REASON_UNREADABLE, 3, "unreadable", "The order cannot be read")                        \
    X(PROOF_REASON_ORDER_OPEN, 4, "order_open", "The order is still open")                         \
    X(PROOF_REASON_SEEN_MISSING, 5, "seen_missing", "The order does not show it; read again")      \
    X(PROOF_REASON_NOT_COVERED, 6, "not_covered",                                                  \
      "The order is complete, and its other payments do not cover it")                             \
    X(PROOF_REASON_AMBIGUOUS, 7, "ambiguous",                                                      \
      "Several cards paid the same amount, and the order does not say which")                      \
    X(PROOF_REASON_ELSEWHERE, 8, "elsewhere",                                                      \
      "Another order of the site has a payment of this amount that nobody claims")                 \
    X(PROOF_REASON_CUT, 9, "cut", "The order has more payments than can be read")                  \
    X(PROOF_REASON_NOT_SWEPT, 10, "not_swept", "Other orders of the site are still to be read")    \
    X(PROOF_REASON_CARD_EMPTY, 11, "card_empty",                                                   \
      "The register shows it after all, and the card has too little left")                         \
    X(PROOF_REASON_CREDIT_SPENT, 12, "credit_spent",                                               \
      "The register shows no such refund, and the card has spent it")                              \
    X(PROOF_REASON_SALE_DELETED, 13, "sale_deleted",                                               \
      "The card was loaded, and the sale was deleted")                                             \
    X(PROOF_REASON_AMOUNT_DIFFERS, 14, "amount_differs",                                           \
      "The register shows another amount under its reference")                                     \
    X(PROOF_REASON_NOT_CONNECTED, 15, "not_connected", "The merchant is not connected")            \
    X(PROOF_REASON_PAYMENT_UNKNOWN, 16, "payment_unknown",                                         \
      "The register shows a payment that no card has made")                                        \
    X(PROOF_REASON_REFUND_SHOWN, 17, "refund_shown",                                               \
      "The register does not show it, yet shows a refund that counts against it. If that gave "    \
      "back another sale, that one is still charged: give the customer the amount by hand")        \
    X(PROOF_REASON_CHANGED, 18, "changed",                                                         \
      "The register or the ledger says something else since it was judged")                        \
    X(PROOF_REASON_NOT_BOOKED, 19, "not_booked", "Its payment is still to be added to the order")  \
    X(PROOF_REASON_NOT_TOLD_APART, 20, "not_told_apart",                                           \
      "The order does not show it, and elsewhere nothing tells our payments from others: set "     \
      "payment_method")

enum proof_reason {
#define X(symbol, number, name, sentence) symbol = number,
    PROOF_REASON_LIST(X)
#undef X
};
const char *proof_reason_name(enum proof_reason reason);
const char *proof_reason_sentence(enum proof_reason reason);

struct proof {
    int64_t operation_id; /* ACTION_CHARGE, _REFUND, _TOP_UP, _HOLD_LOAD that succeeded */
    int64_t tenant_id;
    int64_t order_id; /* 0: PROOF_REASON_NO_ORDER */
    int64_t card_id;
    int64_t site_id, register_id;
    enum action action;
    int64_t booked_minor; /* what the register should show: refunds below 0; top-ups 0 */
    int32_t local_date;   /* of the operation, at its site: the day it is reported under */
    enum proof_state state;
    enum proof_reason reason;
    bool is_suspect;          /* the register may not know of it: no answer was delivered */
    int64_t shown_order_id;   /* the order that shows its payment; 0: none */
    int64_t payment_number;   /* there */
    int64_t missing_since_us; /* the first of the reads that agree that it is missing; 0: none */
    int64_t created_at_us;    /* the operation's */
    int64_t changed_at_us;
    /* Of the latest confirmation that is no more: the payment was moved, or is gone. The store's to
     * keep. was_confirmed_at_us 0: there was none. */
    int64_t was_order_id, was_payment_number, was_confirmed_at_us;
};

/* A proof with what the ledger knows of its operation now. */
struct proof_facts {
    struct proof proof;
    struct operation operation;
    uint8_t card_index[CARD_INDEX_BYTES];
    char last4[5];
    /* Of the reversals and recharges that answer it, or one another down to it. */
    int64_t reversed_operation_id;  /* the newest reversal; 0: none */
    int64_t recharged_operation_id; /* the newest recharge; newer than the reversal: this one is
                                       what a reversal has to answer now */
    int64_t reversed_minor;
    int64_t recharged_minor;
    /* What its reversals gave in the place of other charges of its order; below 0: what reversals
     * of others gave in its place (command.in_place_of_id). */
    int64_t placed_minor;
    int64_t placed_operation_id; /* the newest of those reversals of others; 0: none */
    /* What the ledger says of it now: booked less reversed plus recharged plus placed. A refund
     * that is PROOF_REVERSED, and not taken again, counts on the charges that it answers instead:
     * the register shows neither. */
    int64_t ledger_minor;
    int64_t shown_minor; /* the payment that it claims; 0: none */
};

/* A payment of ours on an order, as it was last read. */
struct register_payment {
    int64_t tenant_id;
    int64_t order_id;
    int64_t number;
    int64_t site_id, register_id;
    int64_t method_id;
    int64_t amount_minor; /* negative: a refund */
    char ref[65];
    int64_t operation_id; /* whose it is; 0: nobody's: PROOF_REASON_PAYMENT_UNKNOWN */
    int32_t local_date;
    int64_t seen_at_us;
};
#define ORDER_PROOFS_MAX 128 /* operations on one order that are judged together */
#define ORDER_REGISTER_PAYMENTS_MAX 64

/* --- making them (runtime: the scan) --- */

/* Successful charges, refunds and top-ups with id > after_id of tenants that have a grant, in id
 * order, at most limit, and the greatest id that was looked at, which is where the next scan
 * begins: after_id when there is nothing newer. One call looks at PROOF_SCAN_MAX rows at most, so
 * it may find nothing and yet not be at the end. */
#define PROOF_SCAN_MAX 1000
MUST_CHECK int store_scan_operations(struct store *store, int64_t after_id, int32_t limit,
                                     store_operation_fn each, void *context, int64_t *scanned_to);
MUST_CHECK int store_read_proof_cursor(struct store *store, int64_t *cursor);
/* Writes the rows (those that are there already stay as they are), opens the work WORK_PROVE_ORDER
 * of each order, due at now_us, and moves the cursor; nothing when it is not at cursor_before any
 * more: ERR_STALE. One transaction, of at most PROOF_SCAN_MAX proofs. */
MUST_CHECK int store_add_proofs(struct store *store, int64_t cursor_before, int64_t cursor_after,
                                const struct proof *proofs, int32_t count, int64_t now_us);
/* The operation's answer reached nobody, or its order should show it and does not: its proof, also
 * one that is not made yet, is a suspect, and its order's work is due at once. local_date: the
 * operation's, at its site, for a proof that is not made yet; the scan, when it comes there, leaves
 * it as it is. errors: ERR_NOT_FOUND: no such operation of the tenant that a proof is made of (a
 * tenant without a grant has none). */
MUST_CHECK int store_suspect(struct store *store, int64_t tenant_id, int64_t operation_id,
                             int32_t local_date, int64_t now_us);
/* A proof as it begins: open and not looked at, or listed where there is no order to look at. */
struct proof proof_make(const struct operation *operation, int32_t local_date, int64_t now_us);
/* What the register should show of it: proof.booked_minor. */
int64_t proof_booked_minor(const struct operation *operation);
/* A charge that no order shows: reversed, or listed because a refund left nothing of it. */
bool proof_is_missing(const struct proof *charge);
/* Is a proof made of it? Not whether its tenant has a grant. */
bool proof_is_made_of(const struct operation *operation);

/* --- judging them --- */

typedef void (*store_proof_fn)(void *context, const struct proof_facts *facts);
/* Of one order, in operation order; at most ORDER_PROOFS_MAX, the newest. */
MUST_CHECK int store_each_order_proof(struct store *store, int64_t tenant_id, int64_t order_id,
                                      store_proof_fn each, void *context);
MUST_CHECK int store_read_proof(struct store *store, int64_t operation_id,
                                struct proof_facts *facts); /* ERR_NOT_FOUND */
/* state, reason, is_suspect, shown_order_id, payment_number, missing_since_us, changed_at_us as
 * given (changed_at_us at least one more than before, so that two writers see each other). errors:
 * ERR_NOT_FOUND; ERR_STALE: changed since *proof was read (changed_at_before_us);
 * ERR_STORE_CONSTRAINT: a state that does not move there. */
MUST_CHECK int store_update_proof(struct store *store, const struct proof *proof,
                                  int64_t changed_at_before_us);

/*
 * What one order shows of ours now: replaces what was known of it. An operation claims one payment:
 * a claim that stood on another order's has moved here, and that one is nobody's. A confirmed
 * charge or refund whose payment is no longer where it was is open again, SEEN_MISSING
 * (changed_at_us stays: who puts the payments is about to judge it). So put the payments before the
 * proofs that they confirm. errors: ERR_NOT_FOUND: claimed by what is no operation of the
 * tenant; nothing is written.
 */
MUST_CHECK int store_put_register_payments(struct store *store, int64_t tenant_id, int64_t order_id,
                                           const struct register_payment *payments, int32_t count);
typedef void (*store_register_payment_fn)(void *context, const struct register_payment *payment);
MUST_CHECK int store_each_register_payment(struct store *store, int64_t tenant_id, int64_t order_id,
                                           store_register_payment_fn each, void *context);
/* Wherever this reference stands. */
MUST_CHECK int store_each_payment_of_ref(struct store *store, int64_t tenant_id, const char *ref,
                                         store_register_payment_fn each, void *context);
/* Does any payment of the tenant's have a reference that begins so? */
MUST_CHECK int store_has_payment_ref(struct store *store, int64_t tenant_id, const char *prefix,
                                     bool *has_one);
/* Payments of this amount at a site that nobody claims, seen since since_us. */
MUST_CHECK int store_each_unclaimed_payment(struct store *store, int64_t tenant_id, int64_t site_id,
                                            int64_t amount_minor, int64_t since_us,
                                            store_register_payment_fn each, void *context);

/* --- orders that were read, and the sweep that finds those that were not --- */

#define ORDER_UPDATED_AT_MAX 39
struct order_seen {
    int64_t tenant_id, order_id, site_id;
    bool is_closed;
    char updated_at[ORDER_UPDATED_AT_MAX + 1]; /* as the API told it */
    int64_t read_at_us;
};
MUST_CHECK int store_put_order_seen(struct store *store, const struct order_seen *seen);
MUST_CHECK int store_read_order_seen(struct store *store, int64_t tenant_id, int64_t order_id,
                                     struct order_seen *seen); /* ERR_NOT_FOUND */

/* Forget what was read before before_us, at most ORDER_FORGET_MAX at a time: the committer waits.
 */
#define ORDER_SEEN_KEEP_US (INT64_C(60) * 86400 * 1000000)
#define ORDER_FORGET_MAX 1000
MUST_CHECK int store_forget_orders(struct store *store, int64_t before_us, int32_t *forgotten);

struct sweep {
    int64_t tenant_id;
    int64_t begun_at_us;    /* of the latest one that ended */
    int64_t finished_at_us; /* 0: never */
    int64_t listed, missed; /* orders in its lists; those that no webhook had told of */
};
MUST_CHECK int store_put_sweep(struct store *store, const struct sweep *sweep);
MUST_CHECK int store_read_sweep(struct store *store, int64_t tenant_id,
                                struct sweep *sweep); /* zeroes when there was none */
/* Open work made before before_us that is still to read its order; while there is any, the sweep's
 * orders are not all read: WORK_PROVE_ORDER that was never tried, and WORK_ORDER_CHANGED whose
 * order was not seen since it was made, and that was tried fewer than attempts_max times. Not what
 * was never to be looked at before WORK_HELD_LOOK_US: a look that nobody has asked for. */
MUST_CHECK int store_count_unread_orders(struct store *store, int64_t tenant_id, int64_t before_us,
                                         int32_t attempts_max, int64_t *count);

/* --- telling them (reports) --- */

struct proof_totals {
    int64_t register_minor; /* payments of ours that orders were seen to have */
    int64_t ledger_minor;   /* charges and recharges less refunds and reversals, by the day of the
                               operation that they count on (proof_facts) */
    int64_t operations, confirmed, reversed, open, listed;
    int64_t changed; /* of the confirmed and reversed: those that PROOF_REASON_CHANGED tells */
    int64_t strays;  /* payments that nobody claims */
};
/*
 * Of the local dates from..until, both included; from 0: all. Both sums are of operations that have
 * proofs: a payment counts on the day of the operation that claims it, one that nobody claims on
 * its own. The difference of the two sums is that of the items that store_each_open_item tells,
 * whatever has happened since the last look: read both between store_begin_read and store_end_read.
 */
MUST_CHECK int store_read_proof_totals(struct store *store, int64_t tenant_id, int32_t from,
                                       int32_t until, struct proof_totals *totals);
/* Operations of the tenant that a proof is made of and that have none yet, in any order: those that
 * the scan has not reached and, of a tenant without a grant, all of them. ledger_minor: what the
 * ledger says of it now, as in proof_facts. With the totals between store_begin_read and
 * store_end_read: an operation is in one of the two. */
typedef void (*store_unproved_fn)(void *context, const struct operation *operation,
                                  int64_t ledger_minor);
MUST_CHECK int store_each_unproved(struct store *store, int64_t tenant_id, store_unproved_fn each,
                                   void *context);
/* Operations that are open items, of all tenants: for metrics. */
MUST_CHECK int store_count_open_items(struct store *store, int64_t *count);
/* An operation that is open or listed, or that is confirmed or reversed and yet the sums differ
 * (payment NULL), or a payment that nobody claims (facts NULL). */
struct open_item {
    const struct proof_facts *facts;
    const struct register_payment *payment;
    enum proof_reason
        reason; /* the proof's, PROOF_REASON_CHANGED or PROOF_REASON_PAYMENT_UNKNOWN */
    int64_t difference_minor; /* what it adds to register total less ledger total */
};
typedef void (*store_open_item_fn)(void *context, const struct open_item *item);
/* The item that a page ended with: the next one begins behind it. Zeroes: at the first. */
struct open_item_place {
    bool is_payment; /* all operations were told */
    int32_t local_date;
    int64_t operation_id;
    int64_t order_id, number; /* is_payment */
};
struct open_item_place open_item_place(const struct open_item *item);
/* Operations first, in the order of date and id; then payments, in that of date, order and number;
 * at most limit in all. */
MUST_CHECK int store_each_open_item(struct store *store, int64_t tenant_id, int32_t from,
                                    int32_t until, const struct open_item_place *after,
                                    int32_t limit, store_open_item_fn each, void *context);
/* Operations of a tenant (0: of all) with after_id < id <= until_id, in id order: for `counterpart
 * tail`. None is passed over for good where until_id is what store_read_last_operation said. */
MUST_CHECK int store_each_operation_after(struct store *store, int64_t tenant_id, int64_t after_id,
                                          int64_t until_id, int32_t limit, store_operation_fn each,
                                          void *context);
/* Operations that answer this one (refunds, releases, reversals, recharges), and transfers of one
 * operation, both newest first, by index: what a card has done besides costs nothing. errors:
 * ERR_NOT_FOUND: no such operation. */
MUST_CHECK int store_each_answer(struct store *store, int64_t operation_id, store_operation_fn each,
                                 void *context);
typedef void (*store_transfer_fn)(void *context, const struct transfer *transfer);
MUST_CHECK int store_each_operation_transfer(struct store *store, int64_t operation_id,
                                             store_transfer_fn each, void *context);
/* The card of an id. errors: ERR_NOT_FOUND. */
MUST_CHECK int store_read_card_by_id(struct store *store, int64_t card_id, struct card *card);

#endif
