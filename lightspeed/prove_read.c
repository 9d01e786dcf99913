/* What the store knows of an order's operations before it is judged. */
#include "lightspeed/prove_state.h"

#include "base/error.h"

#include <string.h>

#include "base/banned.h"

/* Reversals and recharges of one operation: a payment that comes and goes so often is a broken
 * register, and what is beyond it is left to people. */
#define UNDO_MAX 32
/* An order whose look failed this often (1 + 2 + ... + 16 s) is not waited for: some are never
 * read. */
#define UNREAD_ATTEMPTS_MAX 6

/* --- what was undone, and done again: each answers the one before --- */

struct undo_tree {
    struct operation operations[UNDO_MAX];
    int32_t count;
    bool has_refund; /* of the operation itself, by somebody at the till */
    int64_t refunds[UNDO_MAX];
    int32_t refund_count;
    int64_t refunded_minor; /* by those that the register shows */
};

static void on_answer(void *context, const struct operation *operation)
{
    struct undo_tree *tree = context;
    bool is_undo = operation->action == ACTION_REVERSE || operation->action == ACTION_RECHARGE;
    if (operation->result != RESULT_OK)
        return;
    if (is_undo && tree->count < UNDO_MAX)
        tree->operations[tree->count++] = *operation;
    if (operation->action == ACTION_REFUND && tree->refund_count < UNDO_MAX)
        tree->refunds[tree->refund_count++] = operation->id;
}

static void target_add(struct prove_target *target, int64_t *sum_minor,
                       const struct operation *operation)
{
    int64_t rest_minor = operation->amount_minor - operation->given_back_minor;
    if (rest_minor <= 0)
        return;
    *sum_minor += rest_minor;
    if (operation->id > target->operation_id)
        *target = (struct prove_target){operation->id, operation->order_id, rest_minor};
}

/* A refund and its reversal move money the same way; so do a charge and a recharge. */
static bool moves_alike(const struct operation *operation, enum action root)
{
    bool takes = operation->action == ACTION_CHARGE || operation->action == ACTION_RECHARGE;
    return takes == (root == ACTION_CHARGE);
}

static void read_rests(struct prove *prove, int32_t at, const struct undo_tree *tree)
{
    struct judged *judged = &prove->judged[at];
    enum action root = prove->facts[at].operation.action;
    for (int32_t i = 0; i < tree->count; i++) {
        if (moves_alike(&tree->operations[i], root))
            target_add(&prove->left[at], &judged->left_minor, &tree->operations[i]);
        else
            target_add(&prove->undone[at], &judged->undone_minor, &tree->operations[i]);
    }
    if (judged->facts->placed_minor > 0) /* that undid others */
        judged->undone_minor -= judged->facts->placed_minor;
    if (judged->undone_minor < 0)
        judged->undone_minor = 0;
}

static void on_refunded(void *context, const struct transfer *transfer)
{
    struct undo_tree *tree = context;
    for (int32_t i = 0; transfer->cause == CAUSE_REFUND && i < tree->count; i++)
        if (tree->operations[i].id == transfer->answers_operation_id)
            tree->refunded_minor += transfer->amount_minor;
}

/* What a refund gave of it; nothing unless the register shows that refund. */
static int read_shown_refund(struct store *store, struct undo_tree *tree, int64_t refund_id,
                             int64_t *order_id)
{
    struct proof_facts refund;
    int err = store_read_proof(store, refund_id, &refund);
    *order_id = err == 0 ? refund.proof.order_id : 0;
    tree->refunded_minor = 0;
    if (err != 0 || refund.proof.state != PROOF_CONFIRMED)
        return err == ERR_NOT_FOUND ? 0 : err;
    return store_each_operation_transfer(store, refund_id, on_refunded, tree);
}

static int64_t less(int64_t a_minor, int64_t b_minor)
{
    return a_minor < b_minor ? a_minor : b_minor;
}

/* What others have given in its place is no more to be said. */
static int read_shown_refunds(struct store *store, struct undo_tree *tree, struct judged *judged)
{
    const struct proof_facts *facts = judged->facts;
    int64_t all_minor = less(facts->placed_minor, 0), own_minor = 0;
    int err = 0;
    for (int32_t i = 0; err == 0 && i < tree->refund_count; i++) {
        int64_t order_id;
        err = read_shown_refund(store, tree, tree->refunds[i], &order_id);
        all_minor += tree->refunded_minor;
        own_minor += order_id == facts->proof.order_id ? tree->refunded_minor : 0;
    }
    judged->has_shown_refund = all_minor > 0;
    judged->refunded_minor = less(own_minor, all_minor);
    return err;
}

/* What was given in its place can be taken again. */
static int read_place(struct store *store, struct prove *prove, int32_t at)
{
    const struct proof_facts *facts = &prove->facts[at];
    struct operation reversal;
    if (facts->placed_minor >= 0)
        return 0;
    int err = store_read_operation(store, facts->placed_operation_id, &reversal);
    if (err == 0)
        target_add(&prove->undone[at], &prove->judged[at].undone_minor, &reversal);
    return err;
}

/* Nothing answers most operations, and then nothing is read. */
static int read_undo(struct store *store, struct prove *prove, int32_t at)
{
    const struct operation *operation = &prove->facts[at].operation;
    struct undo_tree tree = {.operations = {*operation}, .count = 1};
    int err = 0;
    if (prove->facts[at].proof.booked_minor == 0)
        return 0;
    for (int32_t i = 0; err == 0 && i < tree.count; i++)
        if (tree.operations[i].given_back_minor > 0)
            err = store_each_answer(store, tree.operations[i].id, on_answer, &tree);
    if (err == 0)
        err = read_shown_refunds(store, &tree, &prove->judged[at]);
    read_rests(prove, at, &tree);
    return err != 0 ? err : read_place(store, prove, at);
}

/* --- the charges that a refund gave back --- */

#define ANSWERED_MAX 64

struct answered_list {
    struct transfer transfers[ANSWERED_MAX];
    int32_t count;
};

static void on_transfer(void *context, const struct transfer *transfer)
{
    struct answered_list *list = context;
    if (transfer->cause == CAUSE_REFUND && list->count < ANSWERED_MAX)
        list->transfers[list->count++] = *transfer;
}

static bool is_unsettled(const struct proof *charge)
{
    return !proof_is_missing(charge) &&
           (charge->state == PROOF_OPEN ||
            (charge->state == PROOF_LISTED && charge->shown_order_id == 0));
}

/* Of what others gave in the place of a charge: what no refund but this one, which is not shown any
 * more, can have been the reason for. */
static int read_made_up(struct store *store, const struct proof_facts *charge, int64_t refund_id,
                        int64_t *made_up_minor)
{
    struct undo_tree tree = {.operations = {charge->operation}, .count = 1};
    int64_t order_id;
    *made_up_minor = -less(charge->placed_minor, 0);
    int err =
        *made_up_minor == 0 ? 0 : store_each_answer(store, charge->operation.id, on_answer, &tree);
    for (int32_t i = 0; err == 0 && i < tree.refund_count; i++) {
        if (tree.refunds[i] == refund_id)
            continue;
        tree.count = 1;
        err = read_shown_refund(store, &tree, tree.refunds[i], &order_id);
        *made_up_minor -= less(tree.refunded_minor, *made_up_minor);
    }
    return err;
}

/* A charge without a proof was made before the connection: nobody asks for it. */
static int read_answered_one(struct store *store, const struct transfer *transfer,
                             struct judged *judged)
{
    struct proof_facts charge;
    int64_t made_up_minor = 0;
    int err = store_read_proof(store, transfer->answers_operation_id, &charge);
    if (err != 0)
        return err == ERR_NOT_FOUND ? 0 : err;
    judged->is_charge_unknown |= is_unsettled(&charge.proof);
    if (!proof_is_missing(&charge.proof))
        return 0;
    err = read_made_up(store, &charge, transfer->operation_id, &made_up_minor);
    judged->moot_minor += transfer->amount_minor - less(made_up_minor, transfer->amount_minor);
    return err;
}

static int read_answered(struct store *store, struct prove *prove, int32_t at)
{
    struct answered_list list = {.count = 0};
    struct judged *judged = &prove->judged[at];
    if (prove->facts[at].operation.action != ACTION_REFUND)
        return 0;
    int err =
        store_each_operation_transfer(store, prove->facts[at].operation.id, on_transfer, &list);
    for (int32_t i = 0; err == 0 && i < list.count; i++)
        err = read_answered_one(store, &list.transfers[i], judged);
    if (judged->is_charge_unknown)
        judged->moot_minor = 0;
    return err;
}

/* --- held loads that nothing has released --- */

static void on_held(void *context, const struct card *card)
{
    struct prove *prove = context;
    for (int32_t i = 0; i < prove->count; i++)
        if (prove->facts[i].operation.action == ACTION_HOLD_LOAD &&
            memcmp(prove->facts[i].card_index, card->index, CARD_INDEX_BYTES) == 0)
            prove->judged[i].is_loaded = false;
}

static int read_loads(struct store *store, struct prove *prove)
{
    for (int32_t i = 0; i < prove->count; i++)
        prove->judged[i].is_loaded = prove->facts[i].proof.booked_minor == 0;
    return store_each_held_card(store, prove->tenant->tenant.id, prove->order_id, ORDER_PROOFS_MAX,
                                on_held, prove);
}

/* --- payments on other orders --- */

struct elsewhere {
    const struct prove *prove;
    struct judged *judged;
};

/* Of several the one of the right amount. */
static void on_ref(void *context, const struct register_payment *payment)
{
    struct elsewhere *elsewhere = context;
    struct judged *judged = elsewhere->judged;
    if (payment->order_id == elsewhere->prove->order_id ||
        (judged->is_ref_elsewhere && judged->elsewhere_minor == judged->facts->proof.booked_minor))
        return;
    judged->is_ref_elsewhere = true;
    judged->elsewhere_order_id = payment->order_id;
    judged->elsewhere_number = payment->number;
    judged->elsewhere_minor = payment->amount_minor;
}

/* Where there are more, nobody asks for each whether it may be claimed yet. */
#define UNCLAIMED_MAX 16

struct unclaimed {
    int64_t own_order_id;
    struct register_payment payments[UNCLAIMED_MAX];
    int32_t count;
    bool is_cut;
};

static void on_unclaimed(void *context, const struct register_payment *payment)
{
    struct unclaimed *unclaimed = context;
    if (payment->order_id == unclaimed->own_order_id)
        return;
    unclaimed->is_cut |= unclaimed->count == UNCLAIMED_MAX;
    if (unclaimed->count < UNCLAIMED_MAX)
        unclaimed->payments[unclaimed->count++] = *payment;
}

/* It was noted by who read its order, and the look that says whose it is has not come there yet:
 * that look would have noted it anew. */
static int read_unproved(struct store *store, const struct register_payment *payment,
                         bool *is_unproved)
{
    struct order_seen seen;
    struct work work =
        work_make(payment->tenant_id, WORK_PROVE_ORDER, payment->order_id, payment->order_id, 0);
    *is_unproved = false;
    int err = store_find_work(store, &work);
    if (err == 0)
        err = store_read_order_seen(store, payment->tenant_id, payment->order_id, &seen);
    if (err == 0)
        *is_unproved = work.state == WORK_OPEN && work.attempts < UNREAD_ATTEMPTS_MAX &&
                       payment->seen_at_us <= seen.read_at_us;
    return err == ERR_NOT_FOUND ? 0 : err;
}

int prove_read_unclaimed(struct store *store, const struct prove *prove, struct judged *judged)
{
    const struct proof *proof = &judged->facts->proof;
    struct unclaimed unclaimed = {.own_order_id = prove->order_id};
    int err =
        store_each_unclaimed_payment(store, proof->tenant_id, proof->site_id, proof->booked_minor,
                                     proof->created_at_us, on_unclaimed, &unclaimed);
    judged->is_amount_elsewhere = unclaimed.is_cut;
    judged->is_amount_unproved = false;
    for (int32_t i = 0; err == 0 && i < unclaimed.count; i++) {
        bool is_unproved;
        err = read_unproved(store, &unclaimed.payments[i], &is_unproved);
        judged->is_amount_unproved |= is_unproved;
        judged->is_amount_elsewhere |= !is_unproved;
    }
    return err;
}

static int read_elsewhere(struct store *store, struct prove *prove, int32_t at)
{
    const struct proof *proof = &prove->facts[at].proof;
    struct elsewhere elsewhere = {prove, &prove->judged[at]};
    char ref[ORDER_REF_MAX + 1];
    if (proof->booked_minor == 0)
        return 0;
    payment_ref_make(prove->about.generation, proof->operation_id, ref);
    int err = store_each_payment_of_ref(store, proof->tenant_id, ref, on_ref, &elsewhere);
    if (err == 0 && proof->state != PROOF_CONFIRMED)
        err = prove_read_unclaimed(store, prove, &prove->judged[at]);
    return err;
}

/* --- payments that are ours to add --- */

static int read_payment(struct store *store, struct prove *prove, int32_t at)
{
    const struct proof *proof = &prove->facts[at].proof;
    struct work work =
        work_make(proof->tenant_id, WORK_POST_PAYMENT, proof->operation_id, proof->operation_id, 0);
    if (proof->action != ACTION_CHARGE || proof->state == PROOF_CONFIRMED)
        return 0;
    int err = store_find_work(store, &work);
    prove->judged[at].is_to_be_paid = err == 0 && work.state == WORK_OPEN;
    return err == ERR_NOT_FOUND ? 0 : err;
}

/* --- sweeps --- */

/* A sweep has only said which orders are to be read, and reading one opens the work that proves it:
 * so whatever waits for its first look is waited for. */
static int read_sweep(struct store *store, struct prove *prove)
{
    int64_t tenant_id = prove->tenant->tenant.id;
    int64_t unread = 0;
    struct sweep sweep;
    int err = store_read_sweep(store, tenant_id, &sweep);
    if (err != 0 || sweep.finished_at_us == 0)
        return err;
    if (sweep.begun_at_us > clock_steady_us()) /* as a clock told it that was ahead */
        return 0;
    err = store_count_unread_orders(store, tenant_id, clock_steady_us(), UNREAD_ATTEMPTS_MAX,
                                    &unread);
    prove->sweep_begun_us = sweep.begun_at_us;
    prove->about.swept_since_us = unread == 0 ? sweep.begun_at_us : 0;
    return err;
}

/* --- what tells our payments from others --- */

static int read_refs(struct store *store, struct prove *prove)
{
    char prefix[ORDER_REF_MAX + 1];
    payment_ref_make_prefix(prove->about.generation, prefix);
    return store_has_payment_ref(store, prove->tenant->tenant.id, prefix,
                                 &prove->about.refs_are_kept);
}

/* --- all of it --- */

static void on_proof(void *context, const struct proof_facts *facts)
{
    struct prove *prove = context;
    if (prove->count == ORDER_PROOFS_MAX)
        return;
    prove->facts[prove->count] = *facts;
    prove->judged[prove->count] = (struct judged){.facts = &prove->facts[prove->count]};
    prove->left[prove->count] = prove->undone[prove->count] = (struct prove_target){0};
    prove->count++;
}

static int read_one(struct store *store, struct prove *prove, int32_t at)
{
    int err = read_undo(store, prove, at);
    if (err == 0)
        err = read_answered(store, prove, at);
    if (err == 0)
        err = read_elsewhere(store, prove, at);
    if (err == 0)
        err = read_payment(store, prove, at);
    return err;
}

int prove_read(struct store *store, struct prove *prove)
{
    int64_t tenant_id = prove->tenant->tenant.id;
    prove->count = 0;
    int err = store_each_order_proof(store, tenant_id, prove->order_id, on_proof, prove);
    if (err == 0)
        err = read_sweep(store, prove);
    if (err == 0)
        err = read_refs(store, prove);
    if (err == 0)
        err = read_loads(store, prove);
    for (int32_t i = 0; err == 0 && i < prove->count; i++)
        err = read_one(store, prove, i);
    return err;
}
