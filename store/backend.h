/*
 * What a database must be able to do to hold the ledger. store/store.c forwards to it; meanings are
 * in store/store.h. An implementation embeds struct store as its first member.
 */
#ifndef COUNTERPART_STORE_BACKEND_H
#define COUNTERPART_STORE_BACKEND_H

#include "store/member.h"
#include "store/verify.h"

struct store_backend {
    int (*fetch)(struct store *store, struct batch *batch);
    int (*commit)(struct store *store, const struct batch *batch);
    void (*rollback)(struct store *store);
    int (*settle)(struct store *store, const struct batch *batch, bool *happened);
    int (*checkpoint)(struct store *store);
    int (*add_tenant)(struct store *store, struct tenant *tenant);
    int (*update_tenant)(struct store *store, const struct tenant *tenant);
    int (*add_site)(struct store *store, struct site *site);
    int (*set_card_status)(struct store *store, int64_t tenant_id,
                           const uint8_t index[CARD_INDEX_BYTES], enum card_status status,
                           struct card *card);
    int (*generation)(struct store *store, int64_t *generation);
    int (*begin_read)(struct store *store);
    void (*end_read)(struct store *store);
    int (*read_tenant)(struct store *store, int64_t tenant_id, struct tenant *tenant);
    int (*each_tenant)(struct store *store, store_tenant_fn each, void *context);
    int (*each_site)(struct store *store, store_site_fn each, void *context);
    int (*read_card)(struct store *store, int64_t tenant_id, const uint8_t index[CARD_INDEX_BYTES],
                     struct card *card);
    int (*read_card_by_last4)(struct store *store, int64_t tenant_id, const char last4[5],
                              struct card *card);
    int (*each_entry)(struct store *store, int64_t card_id, int64_t before_operation_id,
                      int32_t limit, store_entry_fn each, void *context);
    int (*read_totals)(struct store *store, struct store_totals *totals);
    int (*ping)(struct store *store);
    /* members (store/member.h) */
    int (*add_member)(struct store *store, struct member *member);
    int (*update_member)(struct store *store, const struct member *member);
    int (*read_member)(struct store *store, int64_t tenant_id, int64_t member_id,
                       struct member *member);
    int (*read_member_by_code)(struct store *store, int64_t tenant_id, struct text code,
                               struct member *member);
    int (*each_member)(struct store *store, int64_t tenant_id, int64_t after_id, int32_t limit,
                       store_member_fn each, void *context);
    int (*begin_import)(struct store *store);
    int (*commit_import)(struct store *store);
    void (*rollback_import)(struct store *store);
    int (*search_members)(struct store *store, int64_t tenant_id, struct text keyword,
                          int32_t limit, store_member_fn each, void *context);
    int (*verify)(struct store *store, verify_finding_fn finding, verify_progress_fn progress,
                  void *context, int64_t *findings);
    void (*close)(struct store *store);
};

struct store {
    const struct store_backend *backend;
    const struct seal *seal;
};

int store_sqlite_open(const struct store_config *config, enum store_mode mode,
                      struct store **store);
int store_sqlite_is_empty(const char *location, bool *is_empty);

#endif
