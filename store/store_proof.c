/*
 * The store's front for proofs: how one begins, the words for it, and the way to the backend.
 */
#include "store/backend.h"

#include "base/check.h"

#include "base/banned.h"

const char *proof_state_name(enum proof_state state)
{
    switch (state) {
    case PROOF_OPEN:
        return "open";
    case PROOF_CONFIRMED:
        return "confirmed";
    case PROOF_REVERSED:
        return "reversed";
    case PROOF_LISTED:
        return "listed";
    }
    check_failed("state is one of enum proof_state", __FILE__, __LINE__);
}

const char *proof_reason_name(enum proof_reason reason)
{
    switch (reason) {
#define X(symbol, number, name, sentence)                                                          \
    case symbol:                                                                                   \
        return name;
        PROOF_REASON_LIST(X)
#undef X
    }
    check_failed("reason is one of PROOF_REASON_LIST", __FILE__, __LINE__);
}

const char *proof_reason_sentence(enum proof_reason reason)
{
    switch (reason) {
#define X(symbol, number, name, sentence)                                                          \
    case symbol:                                                                                   \
        return sentence;
        PROOF_REASON_LIST(X)
#undef X
    }
    check_failed("reason is one of PROOF_REASON_LIST", __FILE__, __LINE__);
}

bool proof_is_missing(const struct proof *charge)
{
    return charge->state == PROOF_REVERSED ||
           (charge->state == PROOF_LISTED && charge->reason == PROOF_REASON_REFUND_SHOWN);
}

bool proof_is_made_of(const struct operation *operation)
{
    if (operation->result != RESULT_OK)
        return false;
    return operation->action == ACTION_CHARGE || operation->action == ACTION_REFUND ||
           operation->action == ACTION_TOP_UP || operation->action == ACTION_HOLD_LOAD;
}

/* A card that is loaded is a sale like any other to the register: no payment of ours. */
int64_t proof_booked_minor(const struct operation *operation)
{
    if (operation->action == ACTION_CHARGE)
        return operation->amount_minor;
    return operation->action == ACTION_REFUND ? -operation->amount_minor : 0;
}

struct proof proof_make(const struct operation *operation, int32_t local_date, int64_t now_us)
{
    CHECK(proof_is_made_of(operation));
    bool has_order = operation->order_id != 0;
    return (struct proof){
        .operation_id = operation->id,
        .tenant_id = operation->tenant_id,
        .order_id = operation->order_id,
        .card_id = operation->card_id,
        .site_id = operation->site_id,
        .register_id = operation->register_id,
        .action = operation->action,
        .booked_minor = proof_booked_minor(operation),
        .local_date = local_date,
        .state = has_order ? PROOF_OPEN : PROOF_LISTED,
        .reason = has_order ? PROOF_REASON_NOT_LOOKED : PROOF_REASON_NO_ORDER,
        .created_at_us = operation->created_at_us,
        .changed_at_us = now_us,
    };
}

/* --- making them --- */

int store_scan_operations(struct store *store, int64_t after_id, int32_t limit,
                          store_operation_fn each, void *context, int64_t *scanned_to)
{
    CHECK(after_id >= 0 && limit > 0);
    return store->backend->proofs->scan(store, after_id, limit, each, context, scanned_to);
}

int store_read_proof_cursor(struct store *store, int64_t *cursor)
{
    return store->backend->proofs->read_cursor(store, cursor);
}

int store_add_proofs(struct store *store, int64_t cursor_before, int64_t cursor_after,
                     const struct proof *proofs, int32_t count, int64_t now_us)
{
    CHECK(cursor_after >= cursor_before && count >= 0 && count <= PROOF_SCAN_MAX);
    return store->backend->proofs->add(store, cursor_before, cursor_after, proofs, count, now_us);
}

int store_suspect(struct store *store, int64_t tenant_id, int64_t operation_id, int32_t local_date,
                  int64_t now_us)
{
    return store->backend->proofs->suspect(store, tenant_id, operation_id, local_date, now_us);
}

/* --- judging them --- */

int store_each_order_proof(struct store *store, int64_t tenant_id, int64_t order_id,
                           store_proof_fn each, void *context)
{
    CHECK(order_id != 0);
    return store->backend->proofs->each_of_order(store, tenant_id, order_id, each, context);
}

int store_read_proof(struct store *store, int64_t operation_id, struct proof_facts *facts)
{
    return store->backend->proofs->read(store, operation_id, facts);
}

int store_update_proof(struct store *store, const struct proof *proof, int64_t changed_at_before_us)
{
    return store->backend->proofs->update(store, proof, changed_at_before_us);
}

int store_put_register_payments(struct store *store, int64_t tenant_id, int64_t order_id,
                                const struct register_payment *payments, int32_t count)
{
    CHECK(order_id > 0 && count >= 0 && count <= ORDER_REGISTER_PAYMENTS_MAX);
    for (int32_t i = 0; i < count; i++)
        CHECK(payments[i].tenant_id == tenant_id && payments[i].order_id == order_id);
    return store->backend->proofs->put_payments(store, tenant_id, order_id, payments, count);
}

int store_each_register_payment(struct store *store, int64_t tenant_id, int64_t order_id,
                                store_register_payment_fn each, void *context)
{
    return store->backend->proofs->each_payment(store, tenant_id, order_id, each, context);
}

int store_each_payment_of_ref(struct store *store, int64_t tenant_id, const char *ref,
                              store_register_payment_fn each, void *context)
{
    CHECK(ref[0] != '\0'); /* most payments have none */
    return store->backend->proofs->each_payment_of_ref(store, tenant_id, ref, each, context);
}

int store_has_payment_ref(struct store *store, int64_t tenant_id, const char *prefix, bool *has_one)
{
    CHECK(prefix[0] != '\0');
    return store->backend->proofs->has_ref(store, tenant_id, prefix, has_one);
}

int store_each_unclaimed_payment(struct store *store, int64_t tenant_id, int64_t site_id,
                                 int64_t amount_minor, int64_t since_us,
                                 store_register_payment_fn each, void *context)
{
    return store->backend->proofs->each_unclaimed(store, tenant_id, site_id, amount_minor, since_us,
                                                  each, context);
}

/* --- orders that were read, and the sweep --- */

int store_put_order_seen(struct store *store, const struct order_seen *seen)
{
    return store->backend->proofs->put_order_seen(store, seen);
}

int store_read_order_seen(struct store *store, int64_t tenant_id, int64_t order_id,
                          struct order_seen *seen)
{
    return store->backend->proofs->read_order_seen(store, tenant_id, order_id, seen);
}

int store_forget_orders(struct store *store, int64_t before_us, int32_t *forgotten)
{
    return store->backend->proofs->forget_orders(store, before_us, forgotten);
}

int store_put_sweep(struct store *store, const struct sweep *sweep)
{
    return store->backend->proofs->put_sweep(store, sweep);
}

int store_read_sweep(struct store *store, int64_t tenant_id, struct sweep *sweep)
{
    return store->backend->proofs->read_sweep(store, tenant_id, sweep);
}

int store_count_unread_orders(struct store *store, int64_t tenant_id, int64_t before_us,
                              int32_t attempts_max, int64_t *count)
{
    return store->backend->proofs->count_unread(store, tenant_id, before_us, attempts_max, count);
}

/* --- telling them --- */

int store_read_proof_totals(struct store *store, int64_t tenant_id, int32_t from, int32_t until,
                            struct proof_totals *totals)
{
    return store->backend->proofs->read_totals(store, tenant_id, from, until, totals);
}

int store_each_unproved(struct store *store, int64_t tenant_id, store_unproved_fn each,
                        void *context)
{
    return store->backend->proofs->each_unproved(store, tenant_id, each, context);
}

int store_count_open_items(struct store *store, int64_t *count)
{
    return store->backend->proofs->count_open_items(store, count);
}

struct open_item_place open_item_place(const struct open_item *item)
{
    const struct register_payment *payment = item->payment;
    if (payment != NULL)
        return (struct open_item_place){.is_payment = true,
                                        .local_date = payment->local_date,
                                        .order_id = payment->order_id,
                                        .number = payment->number};
    return (struct open_item_place){.local_date = item->facts->proof.local_date,
                                    .operation_id = item->facts->proof.operation_id};
}

int store_each_open_item(struct store *store, int64_t tenant_id, int32_t from, int32_t until,
                         const struct open_item_place *after, int32_t limit,
                         store_open_item_fn each, void *context)
{
    CHECK(limit > 0);
    return store->backend->proofs->each_open_item(store, tenant_id, from, until, after, limit, each,
                                                  context);
}

int store_each_operation_after(struct store *store, int64_t tenant_id, int64_t after_id,
                               int64_t until_id, int32_t limit, store_operation_fn each,
                               void *context)
{
    CHECK(limit > 0);
    return store->backend->proofs->each_operation_after(store, tenant_id, after_id, until_id, limit,
                                                        each, context);
}

int store_each_answer(struct store *store, int64_t operation_id, store_operation_fn each,
                      void *context)
{
    return store->backend->proofs->each_answer(store, operation_id, each, context);
}

int store_each_operation_transfer(struct store *store, int64_t operation_id, store_transfer_fn each,
                                  void *context)
{
    return store->backend->proofs->each_transfer(store, operation_id, each, context);
}

int store_read_card_by_id(struct store *store, int64_t card_id, struct card *card)
{
    return store->backend->proofs->read_card(store, card_id, card);
}
