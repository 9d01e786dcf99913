/* Work: what a decision leaves to be done, the words for it, and the way to the backend. */
#include "store/work.h"

#include "base/check.h"
#include "store/backend.h"

#include "base/banned.h"

const char *work_kind_name(enum work_kind kind)
{
    switch (kind) {
    case WORK_ORDER_CHANGED:
        return "order_changed";
    case WORK_POST_PAYMENT:
        return "post_payment";
    case WORK_REGISTER_WEBHOOKS:
        return "register_webhooks";
    case WORK_PROVE_ORDER:
        return "prove_order";
    case WORK_SWEEP:
        return "sweep";
    case WORK_NOTIFY:
        return "notify";
    }
    check_failed("kind is one of enum work_kind", __FILE__, __LINE__);
}

const char *work_state_name(enum work_state state)
{
    switch (state) {
    case WORK_OPEN:
        return "open";
    case WORK_DONE:
        return "done";
    case WORK_GIVEN_UP:
        return "given_up";
    }
    check_failed("state is one of enum work_state", __FILE__, __LINE__);
}

struct work work_make(int64_t tenant_id, enum work_kind kind, int64_t subject_id, int64_t told_by,
                      int64_t now_us)
{
    struct work work = {
        .tenant_id = tenant_id,
        .kind = kind,
        .subject_id = subject_id,
        .state = WORK_OPEN,
        .due_at_us = now_us,
        .created_at_us = now_us,
    };
    /* Big-endian: numbers that grow are appended at the right edge of the index. */
    for (int i = 0; i < 8; i++)
        work.identity[i] = (uint8_t)((uint64_t)told_by >> (56 - 8 * i));
    return work;
}

bool work_follows(const struct command *command, const struct outcome *outcome, int64_t now_us,
                  struct work *work)
{
    if (outcome->result != RESULT_OK || outcome->is_replay)
        return false;
    /* Also without an order: then it is given up and shown, for nobody would book it. */
    if (outcome->action == ACTION_CHARGE && command->payment_is_ours) {
        *work = work_make(command->tenant_id, WORK_POST_PAYMENT, outcome->operation_id,
                          outcome->operation_id, now_us);
        return true;
    }
    if (outcome->action != ACTION_HOLD_LOAD)
        return false;
    *work = work_make(command->tenant_id, WORK_ORDER_CHANGED, command->order_id,
                      outcome->operation_id, now_us);
    work->due_at_us += WORK_HELD_LOOK_US;
    return true;
}

int store_add_work(struct store *store, struct work *work)
{
    CHECK(work->tenant_id > 0 && work->subject_id > 0 && work->state == WORK_OPEN);
    return store->backend->work->add(store, work);
}

int store_open_work(struct store *store, struct work *work)
{
    CHECK(work->tenant_id > 0 && work->subject_id > 0 && work->state == WORK_OPEN);
    return store->backend->work->open(store, work);
}

int store_find_work(struct store *store, struct work *work)
{
    return store->backend->work->find(store, work);
}

int store_each_open_work(struct store *store, int32_t per_tenant, int32_t limit, store_work_fn each,
                         void *context)
{
    CHECK(per_tenant > 0 && limit > 0);
    return store->backend->work->each_open(store, per_tenant, limit, each, context);
}

int store_each_work(struct store *store, int64_t tenant_id, int32_t limit, store_work_fn each,
                    void *context)
{
    CHECK(limit > 0);
    return store->backend->work->each(store, tenant_id, limit, each, context);
}

int store_count_open_work(struct store *store, int64_t *open)
{
    return store->backend->work->count_open(store, open);
}

int store_update_work(struct store *store, const struct work *work)
{
    CHECK(work->id > 0 && (work->state == WORK_OPEN) == (work->ended_at_us == 0));
    return store->backend->work->update(store, work);
}

int store_take_work(struct store *store, struct work *work)
{
    CHECK(work->id > 0 && work->state == WORK_OPEN);
    return store->backend->work->take(store, work);
}

int store_hasten_work(struct store *store, int64_t tenant_id, int64_t now_us, int32_t *hastened)
{
    return store->backend->work->hasten(store, tenant_id, now_us, hastened);
}

int store_hasten_unswept(struct store *store, int64_t tenant_id, int64_t now_us, int32_t *hastened)
{
    return store->backend->work->hasten_unswept(store, tenant_id, now_us, hastened);
}

int store_hasten_elsewhere(struct store *store, int64_t tenant_id, int64_t site_id,
                           int64_t amount_minor, int64_t now_us, int32_t *hastened)
{
    return store->backend->work->hasten_elsewhere(store, tenant_id, site_id, amount_minor, now_us,
                                                  hastened);
}

int store_reopen_work(struct store *store, int64_t tenant_id, int64_t work_id, int64_t now_us)
{
    return store->backend->work->reopen(store, tenant_id, work_id, now_us);
}

int store_forget_work(struct store *store, int64_t before_us, int32_t *forgotten)
{
    return store->backend->work->forget(store, before_us, forgotten);
}

int store_each_held_card(struct store *store, int64_t tenant_id, int64_t order_id, int32_t limit,
                         store_held_fn each, void *context)
{
    CHECK(order_id != 0 && limit > 0);
    return store->backend->work->each_held_card(store, tenant_id, order_id, limit, each, context);
}

int store_read_order_entry(struct store *store, int64_t tenant_id, int64_t order_id,
                           enum points_cause cause, struct points_entry *entry)
{
    CHECK(cause == POINTS_CAUSE_EARN || cause == POINTS_CAUSE_UNEARN);
    return store->backend->work->read_order_entry(store, tenant_id, order_id, cause, entry);
}

int store_is_order_counted(struct store *store, int64_t tenant_id, int64_t order_id,
                           bool *is_counted)
{
    CHECK(order_id != 0);
    return store->backend->work->is_order_counted(store, tenant_id, order_id, is_counted);
}
