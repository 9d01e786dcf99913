/*
 * The store's front: forwards every call to the backend that was opened.
 */
#include "store/backend.h"
#include "store/backup.h"

#include "base/check.h"

#include "base/banned.h"

int store_open(const struct store_config *config, enum store_mode mode, struct store **store)
{
    CHECK(config->location != NULL && config->seal != NULL);
    *store = NULL;
    return postgres_is_location(config->location) ? store_postgres_open(config, mode, store)
                                                  : store_sqlite_open(config, mode, store);
}

void store_close(struct store *store)
{
    if (store != NULL)
        store->backend->close(store);
}

int store_is_empty(const char *location, bool *is_empty)
{
    return postgres_is_location(location) ? store_postgres_is_empty(location, is_empty)
                                          : store_sqlite_is_empty(location, is_empty);
}

int store_begin_anew(const struct store_config *config, int64_t operation_least, int64_t now_us)
{
    CHECK(operation_least > 0);
    return postgres_is_location(config->location)
               ? store_postgres_begin_anew(config, operation_least, now_us)
               : store_sqlite_begin_anew(config->location, operation_least, now_us);
}

bool store_is_postgres(const char *location, const char **fault)
{
    *fault = NULL;
    if (!postgres_is_location(location))
        return false;
    *fault = postgres_location_fault(location);
    return true;
}

int store_fetch(struct store *store, struct batch *batch)
{
    CHECK(batch->count > 0 && batch->count <= BATCH_MAX);
    CHECK(batch->view.card_count == 0 && batch->view.operation_count == 0);
    CHECK(batch->view.day_count == 0 && batch->view.transfer_count == 0);
    return store->backend->fetch(store, batch);
}

int store_commit(struct store *store, const struct batch *batch)
{
    return store->backend->commit(store, batch);
}

int32_t store_reruns_max(const struct store *store)
{
    return store->backend->reruns_max;
}

void store_rollback(struct store *store)
{
    store->backend->rollback(store);
}

void store_foresee(struct store *store, const struct command *command)
{
    if (store->backend->foresee != NULL)
        store->backend->foresee(store, command);
}

int store_settle(struct store *store, const struct batch *batch, bool *happened)
{
    return store->backend->settle(store, batch, happened);
}

int store_begin_group(struct store *store)
{
    return store->backend->begin_group(store);
}

int store_commit_group(struct store *store)
{
    return store->backend->commit_group(store);
}

void store_rollback_group(struct store *store)
{
    store->backend->rollback_group(store);
}

int store_checkpoint(struct store *store)
{
    return store->backend->checkpoint(store);
}

int store_add_tenant(struct store *store, struct tenant *tenant)
{
    return store->backend->add_tenant(store, tenant);
}

int store_update_tenant(struct store *store, const struct tenant *tenant)
{
    CHECK(tenant->id > 0);
    return store->backend->update_tenant(store, tenant);
}

int store_add_site(struct store *store, struct site *site)
{
    return store->backend->add_site(store, site);
}

int store_set_card_status(struct store *store, int64_t tenant_id,
                          const uint8_t index[CARD_INDEX_BYTES], enum card_status status,
                          struct card *card)
{
    CHECK(status == CARD_ACTIVE || status == CARD_DISABLED);
    return store->backend->set_card_status(store, tenant_id, index, status, card);
}

int store_generation(struct store *store, int64_t *generation)
{
    return store->backend->generation(store, generation);
}

int store_hot_generation(struct store *store, int64_t *generation)
{
    return store->backend->hot_generation(store, generation);
}

int store_raise_hot_generation(struct store *store, int64_t *generation)
{
    return store->backend->raise_hot_generation(store, generation);
}

int store_take_lease(struct store *store, const struct lease_wish *wish, struct lease_state *state)
{
    CHECK(wish->owner[0] != '\0' && wish->life_us > 0);
    return store->backend->take_lease(store, wish, state);
}

int store_release_lease(struct store *store, const char *name, const char *owner)
{
    return store->backend->release_lease(store, name, owner);
}

int store_read_versions(struct store *store, struct store_versions *versions)
{
    return store->backend->read_versions(store, versions);
}

bool store_is_shared(const struct store *store)
{
    return store->backend->is_shared;
}

int store_begin_read(struct store *store)
{
    return store->backend->begin_read(store);
}

void store_end_read(struct store *store)
{
    store->backend->end_read(store);
}

int store_read_tenant(struct store *store, int64_t tenant_id, struct tenant *tenant)
{
    return store->backend->read_tenant(store, tenant_id, tenant);
}

int store_each_tenant(struct store *store, store_tenant_fn each, void *context)
{
    return store->backend->each_tenant(store, each, context);
}

int store_each_site(struct store *store, store_site_fn each, void *context)
{
    return store->backend->each_site(store, each, context);
}

int store_read_card(struct store *store, int64_t tenant_id, const uint8_t index[CARD_INDEX_BYTES],
                    struct card *card)
{
    return store->backend->read_card(store, tenant_id, index, card);
}

int store_read_card_by_last4(struct store *store, int64_t tenant_id, const char last4[5],
                             struct card *card)
{
    return store->backend->read_card_by_last4(store, tenant_id, last4, card);
}

int store_read_operation(struct store *store, int64_t operation_id, struct operation *operation)
{
    return store->backend->read_operation(store, operation_id, operation);
}

int store_each_entry(struct store *store, int64_t card_id, int64_t before_operation_id,
                     int32_t limit, store_entry_fn each, void *context)
{
    CHECK(card_id > 0 && before_operation_id >= 0 && limit > 0);
    return store->backend->each_entry(store, card_id, before_operation_id, limit, each, context);
}

int store_each_order_operation(struct store *store, int64_t tenant_id, int64_t order_id,
                               int32_t limit, store_operation_fn each, void *context)
{
    CHECK(order_id != 0 && limit > 0);
    return store->backend->each_order_operation(store, tenant_id, order_id, limit, each, context);
}

int store_read_last_operation(struct store *store, int64_t *operation_id)
{
    return store->backend->last_operation(store, operation_id);
}

int store_read_totals(struct store *store, struct store_totals *totals)
{
    return store->backend->read_totals(store, totals);
}

int store_ping(struct store *store)
{
    return store->backend->ping(store);
}

int store_verify(struct store *store, verify_finding_fn finding, verify_progress_fn progress,
                 void *context, int64_t *findings)
{
    CHECK(finding != NULL);
    *findings = 0;
    return store->backend->verify(store, finding, progress, context, findings);
}

/* --- applications and grants */

int store_put_app(struct store *store, const struct app *app)
{
    return store->backend->grants->put_app(store, app);
}

int store_read_app(struct store *store, enum app_surface surface, struct app *app)
{
    return store->backend->grants->read_app(store, surface, app);
}

int store_read_grant(struct store *store, int64_t tenant_id, enum app_surface surface,
                     struct grant *grant)
{
    return store->backend->grants->read(store, tenant_id, surface, grant);
}

int store_each_grant(struct store *store, store_grant_fn each, void *context)
{
    return store->backend->grants->each(store, each, context);
}

int store_put_grant(struct store *store, struct grant *grant)
{
    CHECK(grant->tenant_id > 0 && grant->version >= 0);
    return store->backend->grants->put(store, grant);
}

int store_bind_grant(struct store *store, struct grant *grant)
{
    CHECK(grant->tenant_id > 0 && grant->company_id > 0);
    return store->backend->grants->bind(store, grant);
}

int store_lease_grant(struct store *store, const struct grant_lease *lease, struct grant *grant)
{
    CHECK(lease->owner[0] != '\0' && lease->until_us > lease->now_us);
    return store->backend->grants->lease(store, lease, grant);
}

int store_use_token(struct store *store, const char *id, int64_t expires_at_us, int64_t now_us)
{
    CHECK(id[0] != '\0');
    return store->backend->grants->use_token(store, id, expires_at_us, now_us);
}

int store_token_generation(struct store *store, int64_t *generation)
{
    return store->backend->grants->token_generation(store, generation);
}

int store_raise_token_generation(struct store *store, int64_t *generation)
{
    return store->backend->grants->raise_token_generation(store, generation);
}
