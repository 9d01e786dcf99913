/*
 * Work that must survive a crash: a table of things to be done outside, each once. Webhooks that
 * came in (triggers), payments to be added to an order. Done by lightspeed/, on the outbound
 * thread; rows are kept WORK_KEEP_US after their end, so that a repetition is recognised.
 */
#ifndef COUNTERPART_STORE_WORK_H
#define COUNTERPART_STORE_WORK_H

#include "store/store.h"

#define WORK_IDENTITY_BYTES 32
#define WORK_REASON_MAX 200
#define WORK_KEEP_US (INT64_C(30) * 86400 * 1000000)

/* Stored as these numbers. */
enum work_kind {
    WORK_ORDER_CHANGED = 1, /* subject: order id. Re-read it, then earn, release, give back */
    WORK_POST_PAYMENT =
        2, /* subject: operation id. Tenants whose payments we book (o-series 2.4) */
};
enum work_state {
    WORK_OPEN = 1,
    WORK_DONE = 2,
    WORK_GIVEN_UP = 3, /* reason says why; shown to the merchant */
};

struct work {
    int64_t id;
    int64_t tenant_id;
    enum work_kind kind;
    int64_t subject_id;
    uint8_t identity[WORK_IDENTITY_BYTES]; /* what makes it the same thing asked again */
    enum work_state state;
    int32_t attempts;
    int64_t due_at_us; /* wall clock */
    int64_t created_at_us;
    int64_t ended_at_us; /* 0: open */
    char reason[WORK_REASON_MAX + 1];
};

/* errors  ERR_ALREADY_EXISTS: this identity is there, open or ended; nothing changed. */
MUST_CHECK int store_add_work(struct store *store, struct work *work);
/* Open work that is due, oldest due first. */
typedef void (*store_work_fn)(void *context, const struct work *work);
MUST_CHECK int store_each_due_work(struct store *store, int64_t now_us, int32_t limit,
                                   store_work_fn each, void *context);
/* The newest of a tenant that were given up, and what is open: for people. */
MUST_CHECK int store_each_work(struct store *store, int64_t tenant_id, int32_t limit,
                               store_work_fn each, void *context);
/* state, attempts, due_at_us, ended_at_us and reason as given. */
MUST_CHECK int store_update_work(struct store *store, const struct work *work);
/* Forget what ended before before_us. */
MUST_CHECK int store_forget_work(struct store *store, int64_t before_us);

#endif
