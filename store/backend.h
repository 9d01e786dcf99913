/*
 * What a database must be able to do to hold the ledger. store/store.c forwards to it; meanings are
 * in store/store.h. An implementation embeds struct store as its first member.
 */
#ifndef COUNTERPART_STORE_BACKEND_H
#define COUNTERPART_STORE_BACKEND_H

#include "store/foreign.h"
#include "store/grant.h"
#include "store/lease.h"
#include "store/member.h"
#include "store/proof.h"
#include "store/store.h"
#include "store/verify.h"
#include "store/work.h"

/* store/grant.h */
struct store_backend_grants {
    int (*put_app)(struct store *store, const struct app *app);
    int (*read_app)(struct store *store, enum app_surface surface, struct app *app);
    int (*read)(struct store *store, int64_t tenant_id, enum app_surface surface,
                struct grant *grant);
    int (*each)(struct store *store, store_grant_fn each, void *context);
    int (*put)(struct store *store, struct grant *grant);
    int (*bind)(struct store *store, struct grant *grant);
    int (*lease)(struct store *store, const struct grant_lease *lease, struct grant *grant);
    int (*use_token)(struct store *store, const char *id, int64_t expires_at_us, int64_t now_us);
    int (*token_generation)(struct store *store, int64_t *generation);
    int (*raise_token_generation)(struct store *store, int64_t *generation);
};

/* store/member.h */
struct store_backend_members {
    int (*add)(struct store *store, struct member *member);
    int (*update)(struct store *store, const struct member *member);
    int (*read)(struct store *store, int64_t tenant_id, int64_t member_id, struct member *member);
    int (*read_by_code)(struct store *store, int64_t tenant_id, struct text code,
                        struct member *member);
    int (*each)(struct store *store, int64_t tenant_id, int64_t after_id, int32_t limit,
                store_member_fn each, void *context);
    int (*find_same)(struct store *store, const struct member *like, struct member *member);
    int (*search)(struct store *store, int64_t tenant_id, struct text keyword, int32_t limit,
                  store_member_fn each, void *context);
};
struct store_backend_rewards {
    int (*add)(struct store *store, struct reward *reward);
    int (*update)(struct store *store, const struct reward *reward);
    int (*read)(struct store *store, int64_t tenant_id, int64_t reward_id, struct reward *reward);
    int (*each)(struct store *store, int64_t tenant_id, store_reward_fn each, void *context);
};
struct store_backend_points {
    int (*run)(struct store *store, const struct points_command *command, int64_t now_us,
               struct points_outcome *outcome);
    int (*read_reservation)(struct store *store, int64_t reservation_id,
                            struct reservation *reservation);
    int (*each_open_reservation)(struct store *store, enum reservation_state state,
                                 int64_t changed_before_us, int32_t limit,
                                 store_reservation_fn each, void *context);
    int (*each_member_reservation)(struct store *store, int64_t tenant_id, int64_t member_id,
                                   store_reservation_fn each, void *context);
    int (*each_order_reservation)(struct store *store, int64_t tenant_id, int64_t order_id,
                                  store_reservation_fn each, void *context);
    int (*each_entry)(struct store *store, int64_t tenant_id, int64_t member_id, int32_t limit,
                      store_points_entry_fn each, void *context);
    int (*read_answer)(struct store *store, int64_t reservation_id, enum points_cause cause,
                       struct points_entry *entry);
    int (*each_idle_member)(struct store *store, int64_t tenant_id, int64_t inactive_since_us,
                            int32_t limit, store_member_fn each, void *context);
};

/* store/work.h */
struct store_backend_work {
    int (*add)(struct store *store, struct work *work);
    int (*open)(struct store *store, struct work *work);
    int (*find)(struct store *store, struct work *work);
    int (*each_open)(struct store *store, int32_t per_tenant, int32_t limit, store_work_fn each,
                     void *context);
    int (*each)(struct store *store, int64_t tenant_id, int32_t limit, store_work_fn each,
                void *context);
    int (*count_open)(struct store *store, int64_t *open);
    int (*update)(struct store *store, const struct work *work);
    int (*take)(struct store *store, struct work *work);
    int (*reopen)(struct store *store, int64_t tenant_id, int64_t work_id, int64_t now_us);
    int (*hasten)(struct store *store, int64_t tenant_id, int64_t now_us, int32_t *hastened);
    int (*hasten_unswept)(struct store *store, int64_t tenant_id, int64_t now_us,
                          int32_t *hastened);
    int (*hasten_elsewhere)(struct store *store, int64_t tenant_id, int64_t site_id,
                            int64_t amount_minor, int64_t now_us, int32_t *hastened);
    int (*forget)(struct store *store, int64_t before_us, int32_t *forgotten);
    int (*each_held_card)(struct store *store, int64_t tenant_id, int64_t order_id, int32_t limit,
                          store_held_fn each, void *context);
    int (*read_order_entry)(struct store *store, int64_t tenant_id, int64_t order_id,
                            enum points_cause cause, struct points_entry *entry);
    int (*is_order_counted)(struct store *store, int64_t tenant_id, int64_t order_id,
                            bool *is_counted);
};

/* store/proof.h */
struct store_backend_proofs {
    int (*scan)(struct store *store, int64_t after_id, int32_t limit, store_operation_fn each,
                void *context, int64_t *scanned_to);
    int (*read_cursor)(struct store *store, int64_t *cursor);
    int (*add)(struct store *store, int64_t cursor_before, int64_t cursor_after,
               const struct proof *proofs, int32_t count, int64_t now_us);
    int (*suspect)(struct store *store, int64_t tenant_id, int64_t operation_id, int32_t local_date,
                   int64_t now_us);
    int (*each_of_order)(struct store *store, int64_t tenant_id, int64_t order_id,
                         store_proof_fn each, void *context);
    int (*read)(struct store *store, int64_t operation_id, struct proof_facts *facts);
    int (*update)(struct store *store, const struct proof *proof, int64_t changed_at_before_us);
    int (*put_payments)(struct store *store, int64_t tenant_id, int64_t order_id,
                        const struct register_payment *payments, int32_t count);
    int (*each_payment)(struct store *store, int64_t tenant_id, int64_t order_id,
                        store_register_payment_fn each, void *context);
    int (*each_payment_of_ref)(struct store *store, int64_t tenant_id, const char *ref,
                               store_register_payment_fn each, void *context);
    int (*has_ref)(struct store *store, int64_t tenant_id, const char *prefix, bool *has_one);
    int (*each_unclaimed)(struct store *store, int64_t tenant_id, int64_t site_id,
                          int64_t amount_minor, int64_t since_us, store_register_payment_fn each,
                          void *context);
    int (*put_order_seen)(struct store *store, const struct order_seen *seen);
    int (*read_order_seen)(struct store *store, int64_t tenant_id, int64_t order_id,
                           struct order_seen *seen);
    int (*forget_orders)(struct store *store, int64_t before_us, int32_t *forgotten);
    int (*put_sweep)(struct store *store, const struct sweep *sweep);
    int (*read_sweep)(struct store *store, int64_t tenant_id, struct sweep *sweep);
    int (*count_unread)(struct store *store, int64_t tenant_id, int64_t before_us,
                        int32_t attempts_max, int64_t *count);
    int (*read_totals)(struct store *store, int64_t tenant_id, int32_t from, int32_t until,
                       struct proof_totals *totals);
    int (*each_unproved)(struct store *store, int64_t tenant_id, store_unproved_fn each,
                         void *context);
    int (*count_open_items)(struct store *store, int64_t *count);
    int (*each_open_item)(struct store *store, int64_t tenant_id, int32_t from, int32_t until,
                          const struct open_item_place *after, int32_t limit,
                          store_open_item_fn each, void *context);
    int (*each_operation_after)(struct store *store, int64_t tenant_id, int64_t after_id,
                                int64_t until_id, int32_t limit, store_operation_fn each,
                                void *context);
    int (*each_answer)(struct store *store, int64_t operation_id, store_operation_fn each,
                       void *context);
    int (*each_transfer)(struct store *store, int64_t operation_id, store_transfer_fn each,
                         void *context);
    int (*read_card)(struct store *store, int64_t card_id, struct card *card);
};

/* store/foreign.h */
struct store_backend_foreign {
    int (*add_change)(struct store *store, struct foreign_change *change);
    int (*each_change)(struct store *store, int64_t tenant_id, store_foreign_change_fn each,
                       void *context);
    int (*begin_payment)(struct store *store, int64_t now_us, struct foreign_attempt *attempt);
    int (*answer)(struct store *store, const struct foreign_attempt *attempt);
    int (*end_attempt)(struct store *store, int64_t tenant_id, int64_t operation_id,
                       enum foreign_end end, int64_t now_us);
    int (*each_attempt)(struct store *store, int64_t tenant_id, int32_t from, int32_t until,
                        int32_t limit, store_foreign_attempt_fn each, void *context);
    int (*each_sum)(struct store *store, int64_t tenant_id, int32_t from, int32_t until,
                    int32_t limit, store_foreign_sum_fn each, void *context);
    int (*read_refusal)(struct store *store, int64_t tenant_id, struct foreign_attempt *attempt);
};

struct store_backend {
    const struct store_backend_foreign *foreign;
    const struct store_backend_grants *grants;
    const struct store_backend_members *members;
    const struct store_backend_rewards *rewards;
    const struct store_backend_points *points;
    const struct store_backend_work *work;
    const struct store_backend_proofs *proofs;
    void (*foresee)(struct store *store, const struct command *command); /* or NULL */
    int (*fetch)(struct store *store, struct batch *batch);
    int (*commit)(struct store *store, const struct batch *batch);
    void (*rollback)(struct store *store);
    int (*settle)(struct store *store, const struct batch *batch, bool *happened);
    int32_t reruns_max; /* store_reruns_max */
    bool is_shared;     /* store_is_shared */
    int (*begin_group)(struct store *store);
    int (*commit_group)(struct store *store);
    void (*rollback_group)(struct store *store);
    int (*checkpoint)(struct store *store);
    int (*add_tenant)(struct store *store, struct tenant *tenant);
    int (*update_tenant)(struct store *store, const struct tenant *tenant);
    int (*add_site)(struct store *store, struct site *site);
    int (*set_card_status)(struct store *store, int64_t tenant_id,
                           const uint8_t index[CARD_INDEX_BYTES], enum card_status status,
                           struct card *card);
    int (*generation)(struct store *store, int64_t *generation);
    int (*last_operation)(struct store *store, int64_t *operation_id);
    int (*hot_generation)(struct store *store, int64_t *generation);
    int (*raise_hot_generation)(struct store *store, int64_t *generation);
    int (*take_lease)(struct store *store, const struct lease_wish *wish,
                      struct lease_state *state);
    int (*release_lease)(struct store *store, const char *name, const char *owner);
    int (*read_versions)(struct store *store, struct store_versions *versions);
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
    int (*read_operation)(struct store *store, int64_t operation_id, struct operation *operation);
    int (*each_order_operation)(struct store *store, int64_t tenant_id, int64_t order_id,
                                int32_t limit, store_operation_fn each, void *context);
    int (*read_totals)(struct store *store, struct store_totals *totals);
    int (*ping)(struct store *store);
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
int store_postgres_open(const struct store_config *config, enum store_mode mode,
                        struct store **store);
int store_postgres_is_empty(const char *location, bool *is_empty);
/* store/backup.h */
int store_sqlite_begin_anew(const char *location, int64_t operation_least, int64_t now_us);
int store_postgres_begin_anew(const struct store_config *config, int64_t operation_least,
                              int64_t now_us);
bool postgres_is_location(const char *location);
/* NULL, or what is wrong with it, to follow the name of the setting. */
const char *postgres_location_fault(const char *location);

#endif
