/* The store's front for members: forwards every call to the backend that was opened. */
#include "store/member.h"

#include "store/backend.h"

#include "base/banned.h"

int store_add_member(struct store *store, struct member *member)
{
    CHECK(member->tenant_id > 0);
    return store->backend->members->add(store, member);
}

int store_update_member(struct store *store, const struct member *member)
{
    CHECK(member->id > 0 && member->tenant_id > 0);
    return store->backend->members->update(store, member);
}

int store_read_member(struct store *store, int64_t tenant_id, int64_t member_id,
                      struct member *member)
{
    return store->backend->members->read(store, tenant_id, member_id, member);
}

int store_read_member_by_code(struct store *store, int64_t tenant_id, struct text code,
                              struct member *member)
{
    return store->backend->members->read_by_code(store, tenant_id, code, member);
}

int store_each_member(struct store *store, int64_t tenant_id, int64_t after_id, int32_t limit,
                      store_member_fn each, void *context)
{
    CHECK(after_id >= 0 && limit > 0);
    return store->backend->members->each(store, tenant_id, after_id, limit, each, context);
}

int store_find_same_member(struct store *store, const struct member *like, struct member *member)
{
    CHECK(like->tenant_id > 0);
    return store->backend->members->find_same(store, like, member);
}

int store_search_members(struct store *store, int64_t tenant_id, struct text keyword, int32_t limit,
                         store_member_fn each, void *context)
{
    CHECK(limit > 0 && limit <= SEARCH_RESULTS_MAX);
    return store->backend->members->search(store, tenant_id, keyword, limit, each, context);
}
