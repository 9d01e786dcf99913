/*
 * The store's front for rewards and points: forwards every call to the backend that was opened.
 */
#include "store/backend.h"

#include "base/error.h"

#include "base/banned.h"

int store_add_reward(struct store *store, struct reward *reward)
{
    return store->backend->rewards->add(store, reward);
}

int store_update_reward(struct store *store, const struct reward *reward)
{
    CHECK(reward->id > 0);
    return store->backend->rewards->update(store, reward);
}

int store_read_reward(struct store *store, int64_t tenant_id, int64_t reward_id,
                      struct reward *reward)
{
    return store->backend->rewards->read(store, tenant_id, reward_id, reward);
}

int store_each_reward(struct store *store, int64_t tenant_id, store_reward_fn each, void *context)
{
    return store->backend->rewards->each(store, tenant_id, each, context);
}

static bool has_order(const struct points_command *command)
{
    return command->member_id > 0 && command->order_id > 0;
}

/* A caller's slip concerns its own request only: an error, no CHECK. */
static bool has_ids(const struct points_command *command)
{
    switch (command->action) {
    case POINTS_GRANT:
    case POINTS_EXPIRE:
        return command->member_id > 0;
    case POINTS_EARN:
        return has_order(command);
    case POINTS_UNEARN:
        return has_order(command) && command->sale_order_id > 0;
    case POINTS_RESERVE:
        return has_order(command) && command->reward_id > 0 && command->token_id[0] != '\0';
    case POINTS_MARK_UNSURE:
    case POINTS_APPLY:
    case POINTS_BURN:
    case POINTS_RETURN:
        return command->reservation_id > 0;
    }
    return false;
}

int store_run_points(struct store *store, const struct points_command *command, int64_t now_us,
                     struct points_outcome *outcome)
{
    if (command->tenant_id <= 0 || !has_ids(command))
        return ERR_BUG;
    return store->backend->points->run(store, command, now_us, outcome);
}

int store_read_reservation(struct store *store, int64_t reservation_id,
                           struct reservation *reservation)
{
    return store->backend->points->read_reservation(store, reservation_id, reservation);
}

int store_each_open_reservation(struct store *store, enum reservation_state state,
                                int64_t changed_before_us, int32_t limit, store_reservation_fn each,
                                void *context)
{
    CHECK(limit > 0 && (state == RESERVATION_RESERVED || state == RESERVATION_APPLIED));
    return store->backend->points->each_open_reservation(store, state, changed_before_us, limit,
                                                         each, context);
}

int store_each_member_reservation(struct store *store, int64_t tenant_id, int64_t member_id,
                                  store_reservation_fn each, void *context)
{
    return store->backend->points->each_member_reservation(store, tenant_id, member_id, each,
                                                           context);
}

int store_each_order_reservation(struct store *store, int64_t tenant_id, int64_t order_id,
                                 store_reservation_fn each, void *context)
{
    return store->backend->points->each_order_reservation(store, tenant_id, order_id, each,
                                                          context);
}

int store_each_points_entry(struct store *store, int64_t tenant_id, int64_t member_id,
                            int32_t limit, store_points_entry_fn each, void *context)
{
    CHECK(limit > 0);
    return store->backend->points->each_entry(store, tenant_id, member_id, limit, each, context);
}

int store_read_points_answer(struct store *store, int64_t reservation_id, enum points_cause cause,
                             struct points_entry *entry)
{
    CHECK(cause == POINTS_CAUSE_BURN || cause == POINTS_CAUSE_RETURN);
    return store->backend->points->read_answer(store, reservation_id, cause, entry);
}

int store_each_idle_member(struct store *store, int64_t tenant_id, int64_t inactive_since_us,
                           int32_t limit, store_member_fn each, void *context)
{
    CHECK(limit > 0);
    return store->backend->points->each_idle_member(store, tenant_id, inactive_since_us, limit,
                                                    each, context);
}
