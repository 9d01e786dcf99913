/*
 * Reconciliation: every operation ends confirmed, reversed, or on a named list with a reason
 * (design section 7). A scheduled scan makes the proofs (store/proof.h) of new operations and opens
 * the work that looks at their orders (inbox: WORK_PROVE_ORDER); a webhook or the sweep makes that
 * work due. Money moves by commands (ACTION_REVERSE, ACTION_RECHARGE) that the ledger decides.
 *
 * Reversed only if all of these hold: two reads at least reread_us apart agree; the order is
 * COMPLETE with other payments that cover it, or deleted; our payments on it are fewer than our
 * operations, and none is ours to add still; the operation is older than reverse_age_us and the
 * replay window; a sweep that began after it was first seen missing has read the other orders
 * of the tenant, and none has its ref; no payment of its amount at the site is unclaimed (one that
 * its own order may claim yet is waited for, any other is for people), and one that is ours would
 * be known for ours (by the tenant's payment method, or because its registers keep our refs). An
 * open order proves nothing; after open_listed_us it is listed. A payment that is seen after its
 * reversal is charged again, down to the floor; the rest is listed.
 */
#ifndef COUNTERPART_LIGHTSPEED_RECONCILE_H
#define COUNTERPART_LIGHTSPEED_RECONCILE_H

#include "lightspeed/booking.h"
#include "lightspeed/inbox.h"
#include "runtime/scheduler.h"
#include "store/proof.h"

/* --- the judgement: pure --- */

enum judgement {
    JUDGED_KEEP,       /* nothing new: the proof stays as it is */
    JUDGED_WAIT,       /* look again; reason says for what */
    JUDGED_CONFIRMED,  /* shown_order_id and payment_number say where */
    JUDGED_MISSING,    /* the first read that does not show it, or one that agrees too early */
    JUDGED_UNDONE,     /* the register does not show it, and it was given back before: reversed */
    JUDGED_REVERSE,    /* a charge: give it back */
    JUDGED_TAKE_BACK,  /* a refund that the register does not show: charge again what it gave for
                          charges that it shows */
    JUDGED_RECHARGE,   /* a payment seen after its reversal: charge again */
    JUDGED_GIVE_AGAIN, /* a refund seen after it was taken back, or whose charge went after that:
                          reverse what took it back */
    JUDGED_LIST,       /* reason */
    JUDGED_STAND_IN,   /* a charge of which a refund that is shown left nothing: give it back of
                          another charge of the sale, which that refund was of */
    JUDGED_SWEEP,      /* to be reversed once a sweep has read the other orders */
};
struct judged {
    const struct proof_facts *facts;
    /* What reversals and recharges left of it: left_minor can still be undone (of a charge: given
     * back; of a refund: taken back), undone_minor is undone and can be done again. */
    int64_t left_minor, undone_minor;
    /* Refunds: what it gave for charges that the register does not show either. That is what undid
     * them, and stays as it is. */
    int64_t moot_minor;
    bool is_charge_unknown; /* refunds: a charge of it is not settled yet; moot_minor is 0 */
    bool has_shown_refund;  /* charges: the register shows a refund of it, and no other charge has
                               given that in its place */
    int64_t refunded_minor; /* charges: what such refunds of its own order gave of it */
    bool is_to_be_paid;     /* charges: its payment is ours to add, and that work is open */
    bool is_loaded;         /* top-ups: its money has moved */
    /* what is known besides the order */
    bool is_ref_elsewhere; /* another order shows its ref */
    int64_t elsewhere_order_id, elsewhere_number, elsewhere_minor;
    /* Unclaimed payments of its amount at its site: one that its own order does not claim either,
     * and one that was noted there and whose order is still to be proved. */
    bool is_amount_elsewhere, is_amount_unproved;
    /* out */
    enum judgement judgement;
    enum proof_reason reason;
    int64_t shown_order_id, payment_number;
    int64_t missing_since_us;
    bool is_refund_gone; /* such a refund of this order is not in this look */
    int32_t stand_in;    /* which of the judged; -1: there is none */
    int64_t stand_in_minor;
};
struct judge_case {
    const struct oseries_order *order; /* NULL: it cannot be read */
    bool is_connected;                 /* order NULL: the merchant is */
    bool may_pass;                     /* order NULL: it may be read soon */
    int64_t method_id;                 /* of ours; 0: not told */
    bool refs_are_kept;                /* a register of the tenant has shown a ref of ours before */
    int64_t generation;
    int64_t now_us;
    int64_t replay_window_us;
    int64_t swept_since_us; /* the latest complete sweep began then; 0: never */
    struct reconcile_times times;
};
/* What a judgement that moves money is to move; 0 of the others. */
int64_t judged_minor(const struct judged *judged);
/* claimed as in bookings_match. */
void reconcile_judge(const struct judge_case *about, struct judged *judged, int32_t count,
                     int64_t claimed[ORDER_PAYMENTS_MAX]);

/* --- the scan --- */

struct reconcile;
struct reconcile_config {
    struct outbound *outbound;
    struct committer *committer;
    struct reader *reader;
    struct directory *directory;
    struct inbox *inbox; /* woken when there is new work */
    struct reconcile_times times;
};
MUST_CHECK int reconcile_create(const struct reconcile_config *config,
                                struct reconcile **reconcile);
struct reconcile_counters {
    uint64_t proofs;    /* made by the scan */
    int64_t open_items; /* as the scan found them, some time ago */
};
void reconcile_read_counters(struct reconcile *reconcile,
                             struct reconcile_counters *counters); /* any thread */
void reconcile_destroy(struct reconcile *reconcile);         /* after outbound_stop; accepts NULL */
void reconcile_scan(struct scheduled *task, void *context);  /* scheduler_fn; scan_us */
void reconcile_sweep(struct scheduled *task, void *context); /* scheduler_fn; sweep_us: opens
                                                                WORK_SWEEP of each tenant */

#endif
