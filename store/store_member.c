/* The store's front for members: forwards every call to the backend that was opened. */
#include "store/member.h"

#include "store/backend.h"

#include "base/banned.h"

int store_add_member(struct store *store, struct member *member)
{
    CHECK(member->tenant_id > 0);
    return store->backend->add_member(store, member);
}

int store_update_member(struct store *store, const struct member *member)
{
    CHECK(member->id > 0 && member->tenant_id > 0);
    return store->backend->update_member(store, member);
}

int store_read_member(struct store *store, int64_t tenant_id, int64_t member_id,
                      struct member *member)
{
    return store->backend->read_member(store, tenant_id, member_id, member);
}

int store_read_member_by_code(struct store *store, int64_t tenant_id, struct text code,
                              struct member *member)
{
    return store->backend->read_member_by_code(store, tenant_id, code, member);
}

int store_each_member(struct store *store, int64_t tenant_id, int64_t after_id, int32_t limit,
                      store_member_fn each, void *context)
{
    CHECK(after_id >= 0 && limit > 0);
    return store->backend->each_member(store, tenant_id, after_id, limit, each, context);
}

int store_begin_import(struct store *store)
{
    return store->backend->begin_import(store);
}

int store_commit_import(struct store *store)
{
    return store->backend->commit_import(store);
}

void store_rollback_import(struct store *store)
{
    store->backend->rollback_import(store);
}

int store_search_members(struct store *store, int64_t tenant_id, struct text keyword, int32_t limit,
                         store_member_fn each, void *context)
{
    CHECK(limit > 0 && limit <= SEARCH_RESULTS_MAX);
    return store->backend->search_members(store, tenant_id, keyword, limit, each, context);
}
