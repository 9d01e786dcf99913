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

struct foreign_attempt {
    int64_t id;
    int64_t tenant_id;
    int64_t order_id, site_id;
    int64_t operation_id;   /* a charge whose payment we add; else 0 */
    int64_t reservation_id; /* a reward that pays from points; else 0 */
    int64_t amount_minor;
    int32_t local_date;
    enum foreign_verdict verdict; /* other than FOREIGN_ALLOWED: no call was made */
    int32_t api_status;           /* 0: not answered (yet) */
    bool is_final;                /* the API's refusal is permanent, or the payment is made */
    char api_answer[FOREIGN_TEXT_MAX + 1];
    int64_t created_at_us, answered_at_us;
};
/* What the API said; an attempt that is final is not changed any more. errors: ERR_NOT_FOUND. */
MUST_CHECK int store_answer_foreign_attempt(struct store *store,
                                            const struct foreign_attempt *attempt);
typedef void (*store_foreign_attempt_fn)(void *context, const struct foreign_attempt *attempt);
/* Newest first, local dates from..until (from 0: all). */
MUST_CHECK int store_each_foreign_attempt(struct store *store, int64_t tenant_id, int32_t from,
                                          int32_t until, int32_t limit,
                                          store_foreign_attempt_fn each, void *context);

#endif
