/*
 * The approval to pay orders that our application did not create, as rows: who asked for it and who
 * gave it (append-only), and every payment that was attempted under it, with what was decided and
 * what the API said (append-only but for that answer). The rules are ledger/foreign.h.
 */
#ifndef COUNTERPART_STORE_FOREIGN_H
#define COUNTERPART_STORE_FOREIGN_H

#include "ledger/foreign.h"
#include "store/store.h"

#define FOREIGN_TEXT_MAX 200

/* One step of the approval. Insert-only. */
struct foreign_change {
    int64_t id;
    int64_t tenant_id;
    enum foreign_state from;
    struct foreign_approval to;
    char reference[FOREIGN_TEXT_MAX + 1]; /* Lightspeed's: a ticket, a letter */
    char note[FOREIGN_TEXT_MAX + 1];
    char actor[FOREIGN_TEXT_MAX + 1]; /* who recorded it */
    int64_t created_at_us;
};
/* id and from are filled in; the tenant's row (tenant.approval) changes with it, in one
 * transaction. errors: ERR_NOT_FOUND: no such tenant; ERR_REFUSED: the state does not move there
 * (change->from says what it is). */
MUST_CHECK int store_add_foreign_change(struct store *store, struct foreign_change *change);
typedef void (*store_foreign_change_fn)(void *context, const struct foreign_change *change);
MUST_CHECK int store_each_foreign_change(struct store *store, int64_t tenant_id,
                                         store_foreign_change_fn each,
                                         void *context); /* oldest first */

/* One payment that somebody wanted to make. What was decided is insert-only; the rest is what
 * became of it. */
struct foreign_attempt {
    int64_t id;
    int64_t tenant_id;
    enum foreign_effect effect;
    int64_t order_id, site_id; /* order_id 0: the register named none */
    int64_t operation_id;      /* FOREIGN_CHARGE: the charge; else 0 */
    int64_t reservation_id;    /* FOREIGN_REWARD that was allowed; else 0 */
    int64_t amount_minor;
    int32_t local_date;
    enum foreign_verdict verdict; /* other than FOREIGN_ALLOWED: no call was made */
    enum foreign_end end;         /* FOREIGN_UNPAID from the start where the verdict was no */
    int32_t api_status;           /* the latest; 0: no reply (yet) */
    char api_answer[FOREIGN_TEXT_MAX + 1]; /* the API's own words, or why nothing was sent */
    int64_t created_at_us, answered_at_us;
    /* FOREIGN_CHARGE: payments that may be taken for it (lightspeed/booking.h) and are not: the
     * order had them before it was sent. -1: not sent, or certain not to have been made. */
    int32_t alike_before;
    bool may_be_paid; /* no column: alike_before of the row as store_begin_foreign_payment found it
                         was not -1 */
};

/*
 * Attempts come to be with what they are part of: with a charge, allowed or refused, in its commit
 * (store_commit); with a reservation in store_run_points, whose moves end it, too. This one is for
 * the moment before the payment of a charge is sent, which may be much later: may it still be?
 *
 * attempt    tenant_id, operation_id, order_id, site_id, amount_minor, local_date and alike_before
 *            (both of now) are given; the rest becomes the row's, and alike_before the row's where
 *            that was -1: it is about to be sent. verdict FOREIGN_ALLOWED and end FOREIGN_OPEN:
 *            send it. FOREIGN_PAID: it was made before.
 *            One that is open was counted when the charge was decided: of its approval only state
 *            and expiry are looked at again, and whether it is suspended; where these say no it
 *            ends here, but that one which may_be_paid stays open: store_end_foreign_attempt knows.
 *            One that has ended unpaid, or a charge from before there were approvals, is judged
 *            anew, and a new row.
 */
MUST_CHECK int store_begin_foreign_payment(struct store *store, int64_t now_us,
                                           struct foreign_attempt *attempt);
/* What the API said of the newest allowed attempt of attempt->operation_id, or else of
 * attempt->reservation_id: end, api_status, api_answer, answered_at_us, alike_before. One that has
 * ended is not changed any more; one that ends unpaid no longer counts for its day, and where the
 * API has forbidden it (foreign_suspends) the approval is suspended with it, until
 * store_add_foreign_change. Of a reservation end stays FOREIGN_OPEN: its moves end it, and suspend
 * as well. errors: ERR_NOT_FOUND. */
MUST_CHECK int store_answer_foreign_attempt(struct store *store,
                                            const struct foreign_attempt *attempt);
/* What reconciliation has found of a charge, FOREIGN_PAID or FOREIGN_UNPAID, ends an attempt that
 * is open still and whose work (WORK_POST_PAYMENT) is not; any other, or none, stays as it is.
 * Suspends nothing. */
MUST_CHECK int store_end_foreign_attempt(struct store *store, int64_t tenant_id,
                                         int64_t operation_id, enum foreign_end end,
                                         int64_t now_us);
typedef void (*store_foreign_attempt_fn)(void *context, const struct foreign_attempt *attempt);
/* Newest date first, and the newest of each first; local dates from..until (0: no bound). */
MUST_CHECK int store_each_foreign_attempt(struct store *store, int64_t tenant_id, int32_t from,
                                          int32_t until, int32_t limit,
                                          store_foreign_attempt_fn each, void *context);

/* The attempts of one local date, added up. */
struct foreign_sum {
    int32_t local_date;
    int64_t attempts, attempted_minor;
    int64_t refused, refused_minor; /* by us: no call was made */
    int64_t paid, paid_minor;
    int64_t api_refused, api_refused_minor; /* allowed by us, refused by the API */
    int64_t unsent, unsent_minor;           /* allowed by us, and for another reason not made */
    int64_t open, open_minor;               /* not known yet */
};
typedef void (*store_foreign_sum_fn)(void *context, const struct foreign_sum *sum);
/* Newest first; dates without attempts are left out. */
MUST_CHECK int store_each_foreign_sum(struct store *store, int64_t tenant_id, int32_t from,
                                      int32_t until, int32_t limit, store_foreign_sum_fn each,
                                      void *context);

/* The newest attempt since the latest step of the approval that the API has answered "forbidden"
 * (403), when no payment was made after it: Lightspeed then knows of no approval, whatever is
 * recorded here. errors: ERR_NOT_FOUND. */
MUST_CHECK int store_read_foreign_refusal(struct store *store, int64_t tenant_id,
                                          struct foreign_attempt *attempt);

/* The attempt that a decided charge leaves, allowed or refused; written in the transaction of its
 * commit. Pure. */
bool foreign_attempt_follows(const struct command *command, const struct outcome *outcome,
                             int64_t now_us, struct foreign_attempt *attempt);

#endif
