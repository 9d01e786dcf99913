/* What a look at an order leaves in the store: its payments of ours, its proofs, and work. */
#include "lightspeed/prove_state.h"

#include "base/error.h"
#include "store/foreign.h"

#include <string.h>

#include "base/banned.h"

/* --- what a judgement makes of a proof --- */

static void follow_open(struct proof *proof, const struct judged *judged)
{
    if (proof->state == PROOF_CONFIRMED)
        proof->state = PROOF_OPEN;
    if (proof->state != PROOF_REVERSED)
        proof->reason = judged->reason;
    proof->shown_order_id = proof->payment_number = 0;
    proof->missing_since_us = judged->missing_since_us;
}

/* What was confirmed is open first: the next look, which is soon, says the rest. */
static void follow_end(struct proof *proof, const struct judged *judged, enum proof_state state)
{
    if (proof->state == PROOF_CONFIRMED && state != PROOF_CONFIRMED) {
        follow_open(proof, judged);
        return;
    }
    proof->state = state;
    proof->reason = judged->reason;
    proof->shown_order_id = judged->shown_order_id;
    proof->payment_number = judged->payment_number;
    proof->missing_since_us = judged->missing_since_us;
    proof->is_suspect &= state != PROOF_CONFIRMED;
}

struct proof prove_follow(const struct proof *before, const struct judged *judged)
{
    struct proof proof = *before;
    switch (judged->judgement) {
    case JUDGED_KEEP:
    case JUDGED_RECHARGE:
    case JUDGED_GIVE_AGAIN:
        break;
    case JUDGED_CONFIRMED:
        follow_end(&proof, judged, PROOF_CONFIRMED);
        break;
    case JUDGED_UNDONE:
        follow_end(&proof, judged, PROOF_REVERSED);
        proof.missing_since_us = 0;
        break;
    case JUDGED_LIST:
        follow_end(&proof, judged, PROOF_LISTED);
        break;
    case JUDGED_WAIT:
    case JUDGED_MISSING:
    case JUDGED_SWEEP:
        follow_open(&proof, judged);
        break;
    case JUDGED_REVERSE:
    case JUDGED_TAKE_BACK:
    case JUDGED_STAND_IN:
        follow_open(&proof, judged);
        if (proof.state != PROOF_REVERSED)
            proof.reason = PROOF_REASON_SEEN_MISSING;
        break;
    }
    return proof;
}

int32_t prove_local_date(const struct directory_snapshot *snapshot,
                         const struct directory_tenant *tenant, int64_t site_id, int64_t wall_us)
{
    const struct directory_site *site = directory_find_site(snapshot, tenant->tenant.id, site_id);
    return clock_local_date(site == NULL ? tenant->zone : site->zone, wall_us);
}

bool judged_moves_money(enum judgement judgement)
{
    return judgement == JUDGED_REVERSE || judgement == JUDGED_TAKE_BACK ||
           judgement == JUDGED_RECHARGE || judgement == JUDGED_GIVE_AGAIN ||
           judgement == JUDGED_STAND_IN;
}

/* --- one proof --- */

#define REFUNDS_MAX 32

struct id_list {
    int64_t ids[REFUNDS_MAX];
    int32_t count;
};

static int open_prove(struct store *store, int64_t tenant_id, int64_t order_id, int64_t now_us)
{
    struct work work = work_make(tenant_id, WORK_PROVE_ORDER, order_id, order_id, now_us);
    return store_open_work(store, &work);
}

static void on_answer(void *context, const struct operation *operation)
{
    struct id_list *refunds = context;
    if (operation->action == ACTION_REFUND && operation->result == RESULT_OK &&
        operation->order_id != 0 && refunds->count < REFUNDS_MAX)
        refunds->ids[refunds->count++] = operation->order_id;
}

/* Whether a refund stands depends on the charge that it gave back, and its order may be over. */
static int open_refunds(struct store *store, const struct proof *charge, int64_t now_us)
{
    struct operation operation;
    struct id_list refunds = {.count = 0};
    int err = store_read_operation(store, charge->operation_id, &operation);
    if (err == 0 && operation.given_back_minor > 0)
        err = store_each_answer(store, charge->operation_id, on_answer, &refunds);
    for (int32_t i = 0; err == 0 && i < refunds.count; i++)
        err = open_prove(store, charge->tenant_id, refunds.ids[i], now_us);
    return err;
}

static void on_transfer(void *context, const struct transfer *transfer)
{
    struct id_list *charges = context;
    if (transfer->cause == CAUSE_REFUND && charges->count < REFUNDS_MAX)
        charges->ids[charges->count++] = transfer->answers_operation_id;
}

/* What was listed because of this refund need not be any more. */
static int open_charges(struct store *store, const struct proof *refund, int64_t now_us)
{
    struct id_list charges = {.count = 0};
    int err = store_each_operation_transfer(store, refund->operation_id, on_transfer, &charges);
    for (int32_t i = 0; err == 0 && i < charges.count; i++) {
        struct proof_facts charge;
        err = store_read_proof(store, charges.ids[i], &charge);
        if (err == 0 && charge.proof.state == PROOF_LISTED &&
            charge.proof.reason == PROOF_REASON_REFUND_SHOWN)
            err = open_prove(store, refund->tenant_id, charge.proof.order_id, now_us);
        err = err == ERR_NOT_FOUND ? 0 : err;
    }
    return err;
}

static int add_notice(struct store *store, const struct proof *proof, int64_t told_by,
                      int64_t now_us)
{
    struct work notice =
        work_make(proof->tenant_id, WORK_NOTIFY, proof->operation_id, told_by, now_us);
    int err = store_add_work(store, &notice);
    return err == ERR_ALREADY_EXISTS ? 0 : err;
}

/* Of a payment that was ours to add, and of which nobody had heard the end. */
static int end_payment(struct store *store, const struct proof *proof, int64_t now_us)
{
    bool is_paid = proof->state == PROOF_CONFIRMED;
    if (proof->action != ACTION_CHARGE)
        return 0;
    return store_end_foreign_attempt(store, proof->tenant_id, proof->operation_id,
                                     is_paid ? FOREIGN_PAID : FOREIGN_UNPAID, now_us);
}

int prove_write_proof(struct store *store, struct proof *proof, int64_t told_by, int64_t now_us)
{
    int64_t before_us = proof->changed_at_us;
    bool is_settled = proof->state == PROOF_CONFIRMED || proof->state == PROOF_REVERSED;
    proof->changed_at_us = now_us > before_us ? now_us : before_us + 1;
    int err = store_update_proof(store, proof, before_us);
    if (err == 0 && proof->booked_minor > 0 && is_settled)
        err = open_refunds(store, proof, now_us);
    if (err == 0 && proof->action == ACTION_REFUND && proof->state == PROOF_REVERSED)
        err = open_charges(store, proof, now_us);
    if (err == 0 && is_settled)
        err = end_payment(store, proof, now_us);
    return err != 0 || told_by == 0 ? err : add_notice(store, proof, told_by, now_us);
}

/* --- payments --- */

struct payments {
    struct register_payment known[ORDER_REGISTER_PAYMENTS_MAX];
    int32_t known_count;
    struct register_payment rows[ORDER_REGISTER_PAYMENTS_MAX];
    int32_t count;
};

static void on_known(void *context, const struct register_payment *payment)
{
    struct payments *payments = context;
    if (payments->known_count < ORDER_REGISTER_PAYMENTS_MAX)
        payments->known[payments->known_count++] = *payment;
}

static const struct register_payment *find_number(const struct register_payment *rows,
                                                  int32_t count, int64_t number)
{
    int32_t i = 0;
    while (i < count && rows[i].number != number)
        i++;
    return i == count ? NULL : &rows[i];
}

static const struct register_payment *find_claim(const struct register_payment *rows, int32_t count,
                                                 int64_t operation_id)
{
    int32_t i = 0;
    while (i < count && rows[i].operation_id != operation_id)
        i++;
    return i == count ? NULL : &rows[i];
}

static bool is_of_order(const struct prove *prove, int64_t operation_id)
{
    int32_t i = 0;
    while (i < prove->count && prove->facts[i].proof.operation_id != operation_id)
        i++;
    return i < prove->count;
}

/* An operation that books payments, and was made by another order. Its proof may be on its way. */
static int find_stranger(struct store *store, const struct prove *prove,
                         const struct order_payment *payment, int64_t *operation_id)
{
    int64_t generation, named;
    struct operation operation;
    *operation_id = 0;
    if (payment_ref_read(payment->ref, &generation, &named) != 0 ||
        generation != prove->about.generation || is_of_order(prove, named))
        return 0;
    int err = store_read_operation(store, named, &operation);
    if (err != 0)
        return err == ERR_NOT_FOUND ? 0 : err;
    bool books = operation.action == ACTION_CHARGE || operation.action == ACTION_REFUND;
    if (operation.tenant_id == prove->tenant->tenant.id && operation.result == RESULT_OK && books)
        *operation_id = named;
    return 0;
}

/* A payment of about's order as a row; nobody's until somebody claims it. */
static struct register_payment make_row(const struct directory_snapshot *snapshot,
                                        const struct directory_tenant *tenant,
                                        const struct judge_case *about, int32_t at)
{
    const struct oseries_order *order = about->order;
    const struct order_payment *payment = &order->payments[at];
    struct register_payment row = {
        .tenant_id = tenant->tenant.id,
        .order_id = order->id,
        .number = payment->number,
        .site_id = order->site_id,
        .register_id = order->register_id,
        .method_id = payment->method_id,
        .amount_minor = payment->amount_minor,
        .local_date = prove_local_date(snapshot, tenant, order->site_id, about->now_us),
        .seen_at_us = about->now_us,
    };
    memcpy(row.ref, payment->ref, sizeof(row.ref));
    return row;
}

static bool is_ours(const struct judge_case *about, int32_t at)
{
    return payment_is_ours(&about->order->payments[at], about->generation,
                           payment_method_of(about->order, about->generation, about->method_id));
}

static void add_row(struct prove *prove, struct payments *payments, int32_t at,
                    int64_t operation_id)
{
    int64_t number = prove->order.payments[at].number;
    const struct register_payment *known =
        find_number(payments->known, payments->known_count, number);
    bool is_claimed =
        operation_id != 0 && find_claim(payments->rows, payments->count, operation_id) == NULL;
    if ((!is_claimed && !is_ours(&prove->about, at)) ||
        payments->count == ORDER_REGISTER_PAYMENTS_MAX ||
        find_number(payments->rows, payments->count, number) != NULL)
        return;
    struct register_payment *row = &payments->rows[payments->count++];
    *row = make_row(prove->snapshot, prove->tenant, &prove->about, at);
    row->operation_id = is_claimed ? operation_id : 0;
    row->local_date = known != NULL ? known->local_date : row->local_date;
}

/* What is beyond those that were read is as it was. */
static void keep_cut_rows(const struct prove *prove, struct payments *payments)
{
    int64_t last = prove->order.payments[ORDER_PAYMENTS_MAX - 1].number;
    for (int32_t i = 0; i < payments->known_count; i++)
        if (payments->known[i].number > last && payments->count < ORDER_REGISTER_PAYMENTS_MAX &&
            find_number(payments->rows, payments->count, payments->known[i].number) == NULL)
            payments->rows[payments->count++] = payments->known[i];
}

static int make_rows(struct store *store, struct prove *prove, struct payments *payments)
{
    int err = 0;
    for (int32_t i = 0; err == 0 && i < prove->order.payment_count; i++) {
        int64_t operation_id = prove->claimed[i];
        if (operation_id == 0)
            err = find_stranger(store, prove, &prove->order.payments[i], &operation_id);
        if (err == 0)
            add_row(prove, payments, i, operation_id);
    }
    if (order_payments_are_cut(&prove->order))
        keep_cut_rows(prove, payments);
    return err;
}

/* What is known stays as it is, claims and all: the order is still to be proved. */
int prove_note_payments(struct store *store, const struct directory_snapshot *snapshot,
                        const struct directory_tenant *tenant, const struct judge_case *about)
{
    struct payments payments = {.known_count = 0};
    int err = store_each_register_payment(store, tenant->tenant.id, about->order->id, on_known,
                                          &payments);
    int32_t known_count = payments.known_count;
    for (int32_t i = 0; i < about->order->payment_count; i++)
        if (is_ours(about, i) && payments.known_count < ORDER_REGISTER_PAYMENTS_MAX &&
            find_number(payments.known, payments.known_count, about->order->payments[i].number) ==
                NULL)
            payments.known[payments.known_count++] = make_row(snapshot, tenant, about, i);
    if (err != 0 || payments.known_count == known_count)
        return err;
    return store_put_register_payments(store, tenant->tenant.id, about->order->id, payments.known,
                                       payments.known_count);
}

/* --- operations of other orders: bills get split, merged, opened again on another till --- */

static int open_order(struct store *store, const struct prove *prove, int64_t order_id)
{
    return order_id == 0
               ? 0
               : open_prove(store, prove->tenant->tenant.id, order_id, prove->about.now_us);
}

static bool is_said_here(const struct proof *proof, const struct register_payment *row)
{
    return (proof->state == PROOF_CONFIRMED || proof->state == PROOF_LISTED) &&
           proof->shown_order_id == row->order_id && proof->payment_number == row->number;
}

/* Its own order judges what is more than a plain confirmation; without an order nobody would. */
static int confirm_stranger(struct store *store, struct prove *prove,
                            const struct register_payment *row)
{
    struct proof_facts facts;
    int err = store_read_proof(store, row->operation_id, &facts);
    if (err != 0)
        return err == ERR_NOT_FOUND ? 0 : err;
    if (is_said_here(&facts.proof, row))
        return 0;
    bool is_plain = facts.reversed_minor == 0 && facts.recharged_minor == 0 &&
                    facts.proof.booked_minor == row->amount_minor;
    struct judged judged = {.facts = &facts,
                            .judgement = JUDGED_CONFIRMED,
                            .shown_order_id = row->order_id,
                            .payment_number = row->number};
    struct proof proof = prove_follow(&facts.proof, &judged);
    if (is_plain) {
        err = prove_write_proof(store, &proof, 0, prove->about.now_us);
        prove->strangers[prove->stranger_count].before = facts.proof;
        prove->strangers[prove->stranger_count++].after = proof;
    }
    return err != 0 ? err : open_order(store, prove, facts.proof.order_id);
}

/* A payment of theirs is gone from here. Without an order it is listed as it began. */
static int release_stranger(struct store *store, const struct prove *prove, int64_t operation_id)
{
    struct proof_facts facts;
    int err = store_read_proof(store, operation_id, &facts);
    if (err != 0)
        return err == ERR_NOT_FOUND ? 0 : err;
    if (facts.proof.order_id != 0)
        return open_order(store, prove, facts.proof.order_id);
    if (facts.proof.state != PROOF_OPEN)
        return 0;
    struct proof proof = facts.proof;
    proof.state = PROOF_LISTED;
    proof.reason = PROOF_REASON_NO_ORDER;
    proof.shown_order_id = proof.payment_number = proof.missing_since_us = 0;
    return prove_write_proof(store, &proof, 0, prove->about.now_us);
}

static int write_strangers(struct store *store, struct prove *prove,
                           const struct payments *payments)
{
    int err = 0;
    prove->stranger_count = 0;
    for (int32_t i = 0; err == 0 && i < payments->count; i++)
        if (payments->rows[i].operation_id != 0 &&
            !is_of_order(prove, payments->rows[i].operation_id))
            err = confirm_stranger(store, prove, &payments->rows[i]);
    for (int32_t i = 0; err == 0 && i < payments->known_count; i++) {
        int64_t operation_id = payments->known[i].operation_id;
        if (operation_id != 0 && !is_of_order(prove, operation_id) &&
            find_claim(payments->rows, payments->count, operation_id) == NULL)
            err = release_stranger(store, prove, operation_id);
    }
    return err;
}

/* --- payments that were nobody's, and are not any more --- */

static bool is_nobodys_still(const struct payments *payments, const struct register_payment *known)
{
    const struct register_payment *row =
        find_number(payments->rows, payments->count, known->number);
    return row != NULL && row->operation_id == 0 && row->site_id == known->site_id &&
           row->amount_minor == known->amount_minor;
}

/* It was nobody's, and is claimed or gone. */
static bool is_settled_now(const struct payments *payments, int32_t at)
{
    return payments->known[at].operation_id == 0 &&
           !is_nobodys_still(payments, &payments->known[at]);
}

static bool is_first_of_amount(const struct payments *payments, int32_t at)
{
    const struct register_payment *payment = &payments->known[at];
    int32_t i = 0;
    while (i < at &&
           (!is_settled_now(payments, i) || payments->known[i].site_id != payment->site_id ||
            payments->known[i].amount_minor != payment->amount_minor))
        i++;
    return i == at;
}

/* What is listed because of them need not wait for another day. */
static int hasten_elsewhere(struct store *store, const struct prove *prove,
                            const struct payments *payments)
{
    int err = 0;
    for (int32_t i = 0; err == 0 && i < payments->known_count; i++) {
        int32_t hastened;
        if (is_settled_now(payments, i) && is_first_of_amount(payments, i))
            err = store_hasten_elsewhere(
                store, prove->tenant->tenant.id, payments->known[i].site_id,
                payments->known[i].amount_minor, prove->about.now_us, &hastened);
    }
    return err;
}

/* --- the order --- */

/* Payments before proofs: the store opens what was confirmed by a payment that is gone. That the
 * order was read is not noted: a sweep must still do what its webhook would have brought. */
static int write_order(struct store *store, struct prove *prove)
{
    struct payments payments = {.known_count = 0};
    int64_t tenant_id = prove->tenant->tenant.id;
    if (!prove->has_order)
        return 0;
    int err = store_each_register_payment(store, tenant_id, prove->order_id, on_known, &payments);
    if (err == 0)
        err = make_rows(store, prove, &payments);
    if (err == 0)
        err = store_put_register_payments(store, tenant_id, prove->order_id, payments.rows,
                                          payments.count);
    if (err == 0)
        err = hasten_elsewhere(store, prove, &payments);
    if (err == 0)
        err = write_strangers(store, prove, &payments);
    prove->has_payments = payments.count > 0;
    return err;
}

/* --- proofs --- */

static bool is_same(const struct proof *a, const struct proof *b)
{
    return a->state == b->state && a->reason == b->reason && a->is_suspect == b->is_suspect &&
           a->shown_order_id == b->shown_order_id && a->payment_number == b->payment_number &&
           a->missing_since_us == b->missing_since_us;
}

/* A payment that somebody has claimed since the look was read hastens nobody who was not listed
 * then: who is about to be, goes on waiting. */
static int check_elsewhere(struct store *store, const struct prove *prove, struct judged *judged)
{
    if (judged->judgement != JUDGED_LIST || judged->reason != PROOF_REASON_ELSEWHERE)
        return 0;
    int err = prove_read_unclaimed(store, prove, judged);
    if (err == 0 && !judged->is_amount_elsewhere) {
        judged->judgement = JUDGED_SWEEP;
        judged->reason = PROOF_REASON_NOT_SWEPT;
    }
    return err;
}

/* A command is due: the row is written all the same, which shows that nobody has judged it
 * meanwhile. */
static int write_judged(struct store *store, struct prove *prove, int32_t at)
{
    struct judged *judged = &prove->judged[at];
    struct proof_facts now;
    int err = store_read_proof(store, judged->facts->proof.operation_id, &now);
    if (err == 0)
        err = check_elsewhere(store, prove, judged);
    if (err != 0)
        return err;
    if (now.proof.changed_at_us != judged->facts->proof.changed_at_us)
        return ERR_STALE;
    struct proof *after = &prove->after[at];
    *after = prove_follow(&now.proof, judged);
    if (is_same(after, &now.proof) && !judged_moves_money(judged->judgement))
        return 0;
    return prove_write_proof(store, after, 0, prove->about.now_us);
}

/* Asked for once: what is under way would begin anew by each. */
static bool is_sweep_new(const struct prove *prove, const struct judged *judged)
{
    return judged->judgement == JUDGED_SWEEP &&
           judged->facts->proof.reason != PROOF_REASON_NOT_SWEPT &&
           prove->sweep_begun_us <= judged->missing_since_us;
}

static int write_sweep(struct store *store, const struct prove *prove)
{
    bool is_wanted = false;
    int64_t tenant_id = prove->tenant->tenant.id;
    struct work work = work_make(tenant_id, WORK_SWEEP, tenant_id, tenant_id, prove->about.now_us);
    for (int32_t i = 0; i < prove->count; i++)
        is_wanted |= is_sweep_new(prove, &prove->judged[i]);
    return is_wanted ? store_open_work(store, &work) : 0;
}

static int write_all(struct store *store, struct prove *prove)
{
    int err = write_order(store, prove);
    for (int32_t i = 0; err == 0 && i < prove->count; i++)
        err = write_judged(store, prove, i);
    return err != 0 ? err : write_sweep(store, prove);
}

int prove_write(struct store *store, struct prove *prove)
{
    int err = store_begin_group(store);
    if (err != 0)
        return err;
    err = write_all(store, prove);
    if (err != 0)
        goto err_after_begin;
    return store_commit_group(store);
err_after_begin:
    store_rollback_group(store);
    return err;
}
