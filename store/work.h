/*
 * Work that must survive a crash: a table of things to be done outside, each once. Webhooks that
 * came in (triggers), payments to be added to an order, webhooks to be registered. Done by
 * lightspeed/, on the outbound thread; rows are kept WORK_KEEP_US after their end, so that a
 * repetition is recognised.
 */
#ifndef COUNTERPART_STORE_WORK_H
#define COUNTERPART_STORE_WORK_H

#include "ledger/points.h"
#include "store/store.h"

#define WORK_IDENTITY_BYTES 32
#define WORK_REASON_MAX 200
#define WORK_KEEP_US (INT64_C(30) * 86400 * 1000000)
/* A held top-up's order is looked at also when no webhook has told of its end by then. */
#define WORK_HELD_LOOK_US (INT64_C(15) * 60 * 1000000)

/* Stored as these numbers. */
enum work_kind {
    WORK_ORDER_CHANGED = 1, /* subject: order id. Re-read it, then earn, release, give back */
    WORK_POST_PAYMENT =
        2, /* subject: operation id. Tenants whose payments we book (o-series 2.4) */
    WORK_REGISTER_WEBHOOKS = 3, /* subject: tenant id. Tell Lightspeed where our webhooks go */
    WORK_PROVE_ORDER = 4, /* subject: order id. Does it show what our operations on it say? One row
                             an order, opened again by each new reason to look */
    WORK_SWEEP = 5,       /* subject: tenant id. Orders that no webhook has told of */
    WORK_NOTIFY = 6,      /* subject: operation id. Tell the register's screen what became of it */
};
const char *work_kind_name(enum work_kind kind); /* "order_changed", "post_payment", ... */

enum work_state {
    WORK_OPEN = 1,
    WORK_DONE = 2,
    WORK_GIVEN_UP = 3, /* reason says why; shown to the merchant */
};
const char *work_state_name(enum work_state state); /* "open", "done", "given_up" */

struct work {
    int64_t id;
    int64_t tenant_id;
    enum work_kind kind;
    int64_t subject_id;
    uint8_t identity[WORK_IDENTITY_BYTES]; /* what makes it the same thing asked again */
    enum work_state state;
    int32_t attempts;
    int64_t due_at_us; /* steady wall clock (base/clock.h), all of them */
    int64_t created_at_us;
    int64_t ended_at_us;              /* 0: open */
    char reason[WORK_REASON_MAX + 1]; /* of the latest attempt; of what is done, what was ignored */
    int32_t openings; /* raised when it is opened again or taken: of a copy that was read before
                         nothing counts any more; the store's to count */
};

/* New open work that is told apart by one number, such as an operation id or a time. */
struct work work_make(int64_t tenant_id, enum work_kind kind, int64_t subject_id, int64_t told_by,
                      int64_t now_us);

/*
 * What a decided command leaves to be done, if anything; written in the transaction of its commit,
 * so that no crash comes between the two. Pure.
 */
bool work_follows(const struct command *command, const struct outcome *outcome, int64_t now_us,
                  struct work *work);

/* id is filled in. errors: ERR_ALREADY_EXISTS: this identity is there, open or ended; nothing
 * changed. */
MUST_CHECK int store_add_work(struct store *store, struct work *work);
/* As store_add_work, but where this identity is there, that row is open as if it had never been
 * tried: one that was open is due at the earlier of the two times and stays as old as it is, one
 * that had ended is as new as this. Whoever is at it at this moment does not end it any more
 * (store_update_work): the new reason may have come after the look. *work is the row. */
MUST_CHECK int store_open_work(struct store *store, struct work *work);
/* *work becomes the row of its tenant, kind and identity, open or ended. errors: ERR_NOT_FOUND. */
MUST_CHECK int store_find_work(struct store *store, struct work *work);
/* Open work, what is due first coming first; of each tenant at most per_tenant, so that nobody's
 * backlog hides what others wait for. So of two classes each, at most limit of each: proofs, sweeps
 * and notices come after all else, for money waits for the other kinds. */
typedef void (*store_work_fn)(void *context, const struct work *work);
MUST_CHECK int store_each_open_work(struct store *store, int32_t per_tenant, int32_t limit,
                                    store_work_fn each, void *context);
/* The newest of a tenant that were given up or are open: for people. */
MUST_CHECK int store_each_work(struct store *store, int64_t tenant_id, int32_t limit,
                               store_work_fn each, void *context);
MUST_CHECK int store_count_open_work(struct store *store, int64_t *open);
/* state, attempts, due_at_us, ended_at_us and reason as given; nothing when store_open_work has
 * opened it again since *work was read: it stays open; nor when it has ended or was taken by
 * another process (store_take_work), which knows better. errors: ERR_NOT_FOUND. */
MUST_CHECK int store_update_work(struct store *store, const struct work *work);
/* Before what cannot be done twice: open work, as it was read, is due at due_at_us and nobody's but
 * the caller's, whose *work it is; what others have read of it counts no more. errors: ERR_STALE:
 * it was taken, opened again or ended since it was read; ERR_NOT_FOUND. */
MUST_CHECK int store_take_work(struct store *store, struct work *work);
/* A tenant's open work that is due later is due at now_us: what it waited for has come. But for
 * payments: one may be on its way, and its order must not be read before it has arrived. At most
 * WORK_HASTEN_MAX at a time: the committer waits. */
#define WORK_HASTEN_MAX 1000
MUST_CHECK int store_hasten_work(struct store *store, int64_t tenant_id, int64_t now_us,
                                 int32_t *hastened);
/* The same of WORK_PROVE_ORDER whose order was read and did not show an operation: what that waits
 * for is to hear of the other orders. Whoever is at it at this moment does not end it
 * (store_open_work). */
MUST_CHECK int store_hasten_unswept(struct store *store, int64_t tenant_id, int64_t now_us,
                                    int32_t *hastened);
/* The same of the orders with an operation of this site and amount (proof.booked_minor) that is
 * listed because nobody claims a payment of that amount elsewhere (PROOF_REASON_ELSEWHERE), once no
 * such payment is left: none that another order was seen to have since the operation was made. */
MUST_CHECK int store_hasten_elsewhere(struct store *store, int64_t tenant_id, int64_t site_id,
                                      int64_t amount_minor, int64_t now_us, int32_t *hastened);
/* What was given up is open again, as if it had never been tried, and due at once; a payment that
 * may be on its way not before it was. errors: ERR_NOT_FOUND: the tenant
 * has no such work that was given up. */
MUST_CHECK int store_reopen_work(struct store *store, int64_t tenant_id, int64_t work_id,
                                 int64_t now_us);
/* Forget what ended before before_us, at most WORK_FORGET_MAX at a time: the committer waits. */
#define WORK_FORGET_MAX 1000
MUST_CHECK int store_forget_work(struct store *store, int64_t before_us, int32_t *forgotten);

/* --- what an order has left in the ledger --- */

/* Cards with a held top-up on this order that no release has moved yet, in id order. */
typedef void (*store_held_fn)(void *context, const struct card *card);
MUST_CHECK int store_each_held_card(struct store *store, int64_t tenant_id, int64_t order_id,
                                    int32_t limit, store_held_fn each, void *context);
/* The entry of this cause, EARN or UNEARN, that answers an order: there is one at most. errors:
 * ERR_NOT_FOUND. */
MUST_CHECK int store_read_order_entry(struct store *store, int64_t tenant_id, int64_t order_id,
                                      enum points_cause cause, struct points_entry *entry);
/* The order has earned, or is among the work that was done and earned nothing. Forgotten with its
 * work, WORK_KEEP_US after its end, but for what has earned. */
MUST_CHECK int store_is_order_counted(struct store *store, int64_t tenant_id, int64_t order_id,
                                      bool *is_counted);

#endif
