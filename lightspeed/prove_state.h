/*
 * What the steps of proving one order share (inbox_prove.c, prove_read.c, prove_write.c); nobody
 * else's. Read on a reader's thread, judged on the outbound thread, written on the committer's: one
 * after the other, never at once.
 */
#ifndef COUNTERPART_LIGHTSPEED_PROVE_STATE_H
#define COUNTERPART_LIGHTSPEED_PROVE_STATE_H

#include "lightspeed/inbox_state.h"
#include "lightspeed/reconcile.h"

/* What a command can undo at once: the newest operation that has something left. */
struct prove_target {
    int64_t operation_id, order_id;
    int64_t rest_minor;
};

struct prove {
    const struct directory_snapshot *snapshot; /* the chore's */
    const struct directory_tenant *tenant;
    int64_t order_id;
    bool has_order;
    int api_error; /* of reading it; 0: none */
    struct oseries_order order;
    struct judge_case about;

    /* read from the store */
    int64_t sweep_begun_us; /* the latest that ended; 0: none. What it found may not be read yet */
    int32_t count;
    struct proof_facts facts[ORDER_PROOFS_MAX];
    struct judged judged[ORDER_PROOFS_MAX];
    struct prove_target left[ORDER_PROOFS_MAX], undone[ORDER_PROOFS_MAX];

    /* judged */
    int64_t claimed[ORDER_PAYMENTS_MAX];

    /* written */
    bool has_payments; /* of ours, whosever */
    struct proof after[ORDER_PROOFS_MAX];
    struct { /* confirmed by the way: operations of other orders */
        struct proof before, after;
    } strangers[ORDER_REGISTER_PAYMENTS_MAX];
    int32_t stranger_count;
    bool must_repeat; /* more is to be done than one look can do */
    int32_t at;       /* the next operation whose command is due */
};

/* --- prove_read.c: on a reader's thread --- */

/* Everything that the judgement needs besides the order; counts, facts and judged are filled. */
MUST_CHECK int prove_read(struct store *store, struct prove *prove);
/* is_amount_elsewhere and is_amount_unproved of one, as the store has it now. Any thread. */
MUST_CHECK int prove_read_unclaimed(struct store *store, const struct prove *prove,
                                    struct judged *judged);

/* --- prove_write.c: on the committer's thread; each in one transaction, safe to repeat --- */

/* What the order shows of ours, what the judgements say, and the work that follows elsewhere; after
 * is filled. errors: ERR_STALE: somebody else has judged meanwhile. */
MUST_CHECK int prove_write(struct store *store, struct prove *prove);
/* One proof (changed_at_us says when it was read), with a notice for people (told_by: what makes
 * it one; 0: none) with it. errors: ERR_STALE. */
MUST_CHECK int prove_write_proof(struct store *store, struct proof *proof, int64_t told_by,
                                 int64_t now_us);

/* The payments of ours on about's order (order, generation, method_id and now_us are given) that
 * nobody has seen there yet, as nobody's: the proof of their order claims them, and until then
 * others may find them. */
MUST_CHECK int prove_note_payments(struct store *store, const struct directory_snapshot *snapshot,
                                   const struct directory_tenant *tenant,
                                   const struct judge_case *about);

/* --- pure --- */

/* What a judgement makes of a proof. Where money is to move, the outcome says the rest: until then
 * the proof is open, or what it was. */
struct proof prove_follow(const struct proof *before, const struct judged *judged);
bool judged_moves_money(enum judgement judgement);
/* The date at a site, which need not be mapped. */
int32_t prove_local_date(const struct directory_snapshot *snapshot,
                         const struct directory_tenant *tenant, int64_t site_id, int64_t wall_us);

#endif
