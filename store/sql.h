/*
 * What the SQL files of this folder share: statements, and how rows become structs. They say what
 * they ask in one text for both databases. Nobody else includes this header.
 *
 * The dialect of the texts: parameters are ? or ?1 (a text uses one kind), integers have 64 bits,
 * bytes and text are bound as such; no function that only one of the two has (CASE instead of iif
 * and of min and max of two; count(*) FILTER (WHERE ..) instead of sums of comparisons;
 * CAST(sum(..) AS BIGINT)); a table's column is qualified in DO UPDATE; new ids come by
 * SQL_RETURNING_ID.
 */
#ifndef COUNTERPART_STORE_SQL_H
#define COUNTERPART_STORE_SQL_H

#include "store/sql_driver.h"

#include "base/error.h"

/* What several files ask, and what fetch and commit do; the texts are one table in sql_statement.c.
 */
enum statement {
    STATEMENT_READ_META,
    STATEMENT_READ_HOT_GENERATION,
    STATEMENT_RAISE_HOT_GENERATION,
    STATEMENT_READ_CARD,
    STATEMENT_READ_CARD_BY_LAST4,
    STATEMENT_READ_CARD_HEADS,
    STATEMENT_INSERT_CARD,
    STATEMENT_UPDATE_CARD,
    STATEMENT_UPDATE_CARD_STATUS,
    STATEMENT_READ_OPERATION,
    STATEMENT_READ_ORDER_OPERATIONS,
    STATEMENT_READ_ORDER_IS_KNOWN,
    STATEMENT_READ_WHOLE_ORDER,
    STATEMENT_INSERT_OPERATION,
    STATEMENT_INSERT_TOMBSTONE,
    STATEMENT_UPDATE_GIVEN_BACK,
    STATEMENT_READ_TRANSFER,
    STATEMENT_READ_TRANSFER_UNTIL,
    STATEMENT_READ_ANSWERS,
    STATEMENT_INSERT_TRANSFER,
    STATEMENT_READ_DAY,
    STATEMENT_INSERT_DAY,
    STATEMENT_UPDATE_DAY,
    STATEMENT_READ_TENANT,
    STATEMENT_READ_TENANTS,
    STATEMENT_INSERT_TENANT,
    STATEMENT_UPDATE_TENANT,
    STATEMENT_READ_SITES,
    STATEMENT_INSERT_SITE,
    STATEMENT_READ_TOTALS,
    STATEMENT_READ_LAST_OPERATION,
    STATEMENT_COUNT,
};

/* Triggers of that name and message keep the rows of a tenant that is closed, or has gone, as they
 * are (store/move_source.c): ERR_ELSEWHERE. */
#define SQL_BAR "bar_"
#define SQL_BAR_MESSAGE "the rows of this tenant change no more"

/* --- statements (sql_statement.c) --- */

/* As sql_member_text, below. */
const char *sql_statement_text(int index);
/* ownership  *statement stays the connection's; it is reset and ready to be bound. */
MUST_CHECK int sql_prepare(struct sql *sql, enum statement which, struct sql_statement **statement);
/* The same for a statement of an area; which is its number there, text always the same. */
MUST_CHECK int sql_prepare_of(struct sql *sql, enum sql_area area, int which, const char *text,
                              struct sql_statement **statement);
/* One row further. *has_row false: no more rows, or an error; the statement is then reset. */
MUST_CHECK int sql_step(struct sql *sql, struct sql_statement *statement, bool *has_row);
/* To the row that a look-up by key has. Reset it when the row is read.
 * errors  ERR_NOT_FOUND: there is none; the store's own. The statement is then reset. */
MUST_CHECK int sql_step_to_row(struct sql *sql, struct sql_statement *statement);
/* A bound statement that returns no rows; resets it. */
MUST_CHECK int sql_finish(struct sql *sql, struct sql_statement *statement);
/* A bound statement that ends in SQL_RETURNING_ID and inserts one row at most. *id 0: it inserted
 * none. */
MUST_CHECK int sql_finish_insert(struct sql *sql, struct sql_statement *statement, int64_t *id);
/* A bound statement of values that somebody chose: what they make impossible is an answer, not a
 * failure of the store. id: as of sql_finish_insert; NULL: it returns none.
 * errors  ERR_ALREADY_EXISTS, ERR_NOT_FOUND (what a key refers to); the store's own. */
MUST_CHECK int sql_finish_chosen(struct sql *sql, struct sql_statement *statement, int64_t *id);
/* A bound UPDATE that must meet exactly one row; else the rows moved under us:
 * ERR_STORE_CONSTRAINT. */
MUST_CHECK int sql_finish_update(struct sql *sql, struct sql_statement *statement,
                                 const char *table, int64_t id);
void sql_reset(struct sql_statement *statement);

/* Of the row that step has come to: column from 0. */
int64_t sql_column_int(const struct sql_statement *statement, int column);
const void *sql_column_bytes(const struct sql_statement *statement, int column, size_t *size);
int sql_column_count(const struct sql_statement *statement);

/* --- transactions (sql.c) --- */

/* A transaction of reads. end_read: also of nothing. */
int sql_begin_read(struct store *store);
void sql_end_read(struct store *store);
/*
 * A change of its own: a transaction, or while a group is under way a part of its transaction
 * that can be taken back alone. begin, then commit or rollback.
 *
 * errors  begin: ERR_STORE_DOWN also when the store is no longer where it was. commit: the change
 *         has ended; ERR_COMMIT_UNKNOWN: it may be in the store; any other error: it is not.
 */
MUST_CHECK int sql_begin_change(struct sql *sql);
MUST_CHECK int sql_commit_change(struct sql *sql);
void sql_rollback_change(struct sql *sql);
/* Committed when err is 0, else rolled back. Returns err, or what the commit said. */
MUST_CHECK int sql_end_change(struct sql *sql, int err);
/* store_begin_group and its ends. */
int sql_begin_group(struct store *store);
int sql_commit_group(struct store *store);
void sql_rollback_group(struct store *store);
/* Whatever transaction is open. */
void sql_rollback(struct store *store);
/* All statements of a connection that is about to be closed. */
void sql_finalize_all(struct sql *sql);

/* Parameters in order. Bound bytes are borrowed until the statement is bound again. */
struct binder {
    struct sql_statement *statement;
    int position;
};
void bind_int(struct binder *binder, int64_t value);
void bind_blob(struct binder *binder, const void *bytes, size_t size);
void bind_text(struct binder *binder, const char *c_string);

/* Columns in order. A value that does not fit its struct field sets is_bad: a corrupt row. */
struct columns {
    struct sql_statement *statement;
    int position;
    bool is_bad;
};
int64_t column_int(struct columns *columns);
int32_t column_int32(struct columns *columns);
int column_enum(struct columns *columns, int first, int last);
bool column_bool(struct columns *columns);
void column_text(struct columns *columns, char *out, size_t capacity);
/* Exactly size bytes, or none: then out is zeroed. */
void column_blob(struct columns *columns, void *out, size_t size);

/* A secret as it is stored: sealed under the name of its column, so that it cannot be moved into
 * another one; an empty secret stays empty. Must live until its statement has run. */
#define SEALED_SECRET_MAX 512 /* GRANT_TOKEN_MAX is the longest */
struct sealed_secret {
    uint8_t bytes[SEALED_SECRET_MAX + SEAL_OVERHEAD];
    size_t size;
};
void bind_secret(struct binder *binder, const struct seal *seal, const char *label,
                 const char *secret, struct sealed_secret *sealed);
/* errors  ERR_BAD_SEAL; one that does not fit is a corrupt row (is_bad). */
MUST_CHECK int column_secret(struct columns *columns, const struct seal *seal, const char *label,
                             char *out, size_t capacity);

/* --- rows (sql_row.c): the column lists below, in this order --- */

#define CARD_COLUMNS                                                                               \
    "id, tenant_id, number_index, last4, status, has_pin, pin_hash, valid_from, expires_on, "      \
    "balance_minor, version, last_transfer_id, last_operation_id, loaded_on, loaded_minor, "       \
    "used_hour, used_count"
#define OPERATION_COLUMNS                                                                          \
    "id, tenant_id, card_id, action, result, order_id, refunded_order_id, answers_operation_id, "  \
    "site_id, register_id, asked_minor, amount_minor, balance_minor_after, card_version_after, "   \
    "limit_minor, given_back_minor, previous_operation_id, created_at_us"
#define TRANSFER_COLUMNS                                                                           \
    "id, operation_id, debit_account, credit_account, amount_minor, cause, "                       \
    "answers_operation_id, version, balance_minor_after, previous_transfer_id, created_at_us"

/* Secrets are sealed: key, signature tokens. */
#define TENANT_FIELDS                                                                              \
    "name, key_sealed, currency_code, currency_exponent, zone, oseries_company, "                  \
    "signature_token_sealed, signature_token_previous_sealed, oseries_signature_mode, "            \
    "signature_base64_is_accepted, charge_is_on, top_up_is_on, refund_is_on, balance_is_on, "      \
    "sites_must_be_mapped, last4_is_accepted, amounts_are_strings, card_prefix, profile, "         \
    "partial_is_allowed, balance_max_minor, load_day_max_minor, uses_hour_max, "                   \
    "refund_max_minor, refund_register_day_max_minor, replay_window_us, "                          \
    "replay_window_no_order_us, top_up_is_held, refusal_status, body_format, deadline_us, "        \
    "payment_is_ours, payment_refusals, webhook_topics, token_refresh_us, discount_is_on_line, "   \
    "payment_method, order_look_is_on, notify_is_on, "                                             \
    "search_is_on, rewards_is_on, redeem_is_on, loyalty_signature_mode, earn_milli, "              \
    "points_label, points_expire_days, burn_is_on_complete, reservation_max_us, redeem_token_us"
#define SITE_FIELDS "tenant_id, name, oseries_site, zone"

/* After the last column. errors: ERR_STORE_CORRUPT: one was no value of its kind; logged. */
MUST_CHECK int row_end(const struct columns *columns, const char *table, int64_t id);
/* errors  ERR_STORE_CORRUPT. */
MUST_CHECK int row_read_card(struct sql_statement *statement, struct card *card);
MUST_CHECK int row_read_operation(struct sql_statement *statement, struct operation *operation);
MUST_CHECK int row_read_transfer(struct sql_statement *statement, struct transfer *transfer);
void row_bind_card(struct binder *binder, const struct card *card);
void row_bind_operation(struct binder *binder, const struct operation *operation);
void row_bind_transfer(struct binder *binder, const struct transfer *transfer);

/* errors  ERR_NOT_FOUND and the store's own. */
MUST_CHECK int sql_find_card(struct sql *sql, int64_t tenant_id,
                             const uint8_t index[CARD_INDEX_BYTES], struct card *card);
MUST_CHECK int sql_find_operation(struct sql *sql, int64_t id, struct operation *operation);

/* --- the files behind the backend's table --- */

/* sql_config.c */
int sql_add_tenant(struct store *store, struct tenant *tenant);
int sql_update_tenant(struct store *store, const struct tenant *tenant);
int sql_add_site(struct store *store, struct site *site);
int sql_read_tenant(struct store *store, int64_t tenant_id, struct tenant *tenant);
int sql_each_tenant(struct store *store, store_tenant_fn each, void *context);
int sql_each_site(struct store *store, store_site_fn each, void *context);

/* sql_share.c */
int sql_take_lease(struct store *store, const struct lease_wish *wish, struct lease_state *state);
int sql_release_lease(struct store *store, const char *name, const char *owner);
int sql_read_versions(struct store *store, struct store_versions *versions);

/* sql_read.c */
int sql_generation(struct store *store, int64_t *generation);
int sql_hot_generation(struct store *store, int64_t *generation);
int sql_last_operation(struct store *store, int64_t *operation_id);
int sql_raise_hot_generation(struct store *store, int64_t *generation);
int sql_read_card(struct store *store, int64_t tenant_id, const uint8_t index[CARD_INDEX_BYTES],
                  struct card *card);
int sql_read_card_by_last4(struct store *store, int64_t tenant_id, const char last4[5],
                           struct card *card);
int sql_set_card_status(struct store *store, int64_t tenant_id,
                        const uint8_t index[CARD_INDEX_BYTES], enum card_status status,
                        struct card *card);
int sql_each_entry(struct store *store, int64_t card_id, int64_t before_operation_id, int32_t limit,
                   store_entry_fn each, void *context);
int sql_read_operation(struct store *store, int64_t operation_id, struct operation *operation);
int sql_each_order_operation(struct store *store, int64_t tenant_id, int64_t order_id,
                             int32_t limit, store_operation_fn each, void *context);
int sql_each_answer(struct store *store, int64_t operation_id, store_operation_fn each,
                    void *context);
int sql_each_operation_transfer(struct store *store, int64_t operation_id, store_transfer_fn each,
                                void *context);
int sql_read_totals(struct store *store, struct store_totals *totals);

/* sql_grant.c */
extern const struct store_backend_grants sql_grants;
/* As sql_member_text. */
const char *sql_grant_text(int index);

/* sql_reward.c */
extern const struct store_backend_rewards sql_rewards;
/* As sql_member_text. */
const char *sql_reward_text(int index);

/* sql_points.c, sql_points_read.c */
extern const struct store_backend_points sql_points;
#define RESERVATION_COLUMNS                                                                        \
    "id, tenant_id, member_id, reward_id, token_id, order_id, site_id, points, pays_minor, "       \
    "state, is_unsure, reason, created_at_us, changed_at_us, alike_before"
#define POINTS_ENTRY_COLUMNS                                                                       \
    "id, tenant_id, member_id, version, cause, points, points_after, order_id, sale_order_id, "    \
    "reservation_id, previous_entry_id, created_at_us, reason"
/* errors  ERR_STORE_CORRUPT. */
MUST_CHECK int row_read_reservation(struct sql_statement *statement,
                                    struct reservation *reservation);
MUST_CHECK int row_read_points_entry(struct sql_statement *statement, struct points_entry *entry);
int sql_read_reservation(struct store *store, int64_t reservation_id,
                         struct reservation *reservation);
int sql_each_open_reservation(struct store *store, enum reservation_state state,
                              int64_t changed_before_us, int32_t limit, store_reservation_fn each,
                              void *context);
int sql_each_member_reservation(struct store *store, int64_t tenant_id, int64_t member_id,
                                store_reservation_fn each, void *context);
int sql_each_order_reservation(struct store *store, int64_t tenant_id, int64_t order_id,
                               store_reservation_fn each, void *context);
int sql_each_points_entry(struct store *store, int64_t tenant_id, int64_t member_id, int32_t limit,
                          store_points_entry_fn each, void *context);
int sql_read_points_answer(struct store *store, int64_t reservation_id, enum points_cause cause,
                           struct points_entry *entry);
int sql_each_idle_member(struct store *store, int64_t tenant_id, int64_t inactive_since_us,
                         int32_t limit, store_member_fn each, void *context);
/* As sql_member_text. */
const char *sql_points_text(int index);
const char *sql_points_read_text(int index);

/* sql_work.c */
extern const struct store_backend_work sql_work;
/* Of a row that is new. */
#define WORK_FIELDS                                                                                \
    "tenant_id, kind, subject_id, identity, state, attempts, due_at_us, created_at_us, "           \
    "ended_at_us, reason"
/* work: until its statement has run. */
void row_bind_work(struct binder *binder, const struct work *work);
/* As sql_member_text. */
const char *sql_work_text(int index);
/* What PostgreSQL is asked instead of two of them. */
extern const char sql_read_open_postgres[];
extern const char sql_hasten_elsewhere_postgres[];
/* In the commit's transaction: what the decided commands of a batch leave to be done. */
MUST_CHECK int sql_write_work(struct sql *sql, const struct batch *batch);

/* In the change under way: store_open_work. */
MUST_CHECK int sql_write_open_work(struct sql *sql, struct work *work);
int sql_count_unread_orders(struct store *store, int64_t tenant_id, int64_t before_us,
                            int32_t attempts_max, int64_t *count);

/* sql_proof.c: the proofs and the scan that makes them */
extern const struct store_backend_proofs sql_proofs;
/* What is behind PROOF_FIELDS is kept up by the store alone: two sums, and what an update that ends
 * a confirmation remembers of it. */
#define PROOF_REMEMBER(is_lost)                                                                    \
    "was_order_id = CASE WHEN " is_lost " THEN shown_order_id ELSE was_order_id END, "             \
    "was_payment_number = CASE WHEN " is_lost " THEN payment_number ELSE was_payment_number "      \
    "END, "                                                                                        \
    "was_confirmed_at_us = CASE WHEN " is_lost " THEN changed_at_us ELSE was_confirmed_at_us END"
#define PROOF_FIELDS                                                                               \
    "operation_id, tenant_id, order_id, card_id, site_id, register_id, action, booked_minor, "     \
    "local_date, state, reason, is_suspect, shown_order_id, payment_number, missing_since_us, "    \
    "created_at_us, changed_at_us"
#define PROOF_INSERTED PROOF_FIELDS ", ledger_minor, shown_minor"
#define PROOF_COLUMNS PROOF_INSERTED ", was_order_id, was_payment_number, was_confirmed_at_us"
/*
 * The reversals and recharges that answer an operation (id: how the statement names it), or one
 * another down to it. Answers are newer than what they answer, so it ends also in damaged rows.
 */
#define PROOF_TREE(id)                                                                             \
    "WITH RECURSIVE tree (id, action, amount_minor) AS ("                                          \
    "SELECT id, action, amount_minor FROM operation WHERE answers_operation_id = " id              \
    " AND answers_operation_id <> 0 AND operation.id > " id " AND result = 0 UNION ALL "           \
    "SELECT operation.id, operation.action, operation.amount_minor FROM tree CROSS JOIN "          \
    "operation "                                                                                   \
    "WHERE operation.answers_operation_id = tree.id AND operation.answers_operation_id <> 0 "      \
    "AND operation.id > tree.id AND operation.result = 0) "
/* What they add to what the ledger says of it. */
#define PROOF_TREE_MINOR(id)                                                                       \
    "(" PROOF_TREE(id) "SELECT CAST(coalesce(sum(CASE WHEN action = 9 THEN amount_minor "          \
                       "ELSE -amount_minor END), 0) AS BIGINT) FROM tree)"
/* And what counts on a charge instead of on the refund that gave it back, or instead of on the
 * charge that a reversal answers: here or there. */
#define PROOF_OFFSET_MINOR(id)                                                                     \
    "((SELECT CAST(coalesce(sum(amount_minor), 0) AS BIGINT) FROM proof_offset "                   \
    "WHERE by_operation_id = " id                                                                  \
    ") - (SELECT CAST(coalesce(sum(amount_minor), 0) AS BIGINT) FROM proof_offset "                \
    "WHERE proof_offset.operation_id = " id "))"
/* errors  ERR_STORE_CORRUPT. Of *facts what the row itself says. */
MUST_CHECK int row_read_proof(struct sql_statement *statement, struct proof_facts *facts);
/* All that is beside the row. errors: ERR_STORE_CORRUPT: there is no such operation or card. */
MUST_CHECK int sql_fill_proof_facts(struct sql *sql, struct proof_facts *facts);
/* As sql_member_text. */
const char *sql_proof_text(int index);

/* sql_proof_ledger.c: what the ledger says of operations that have proofs */
/* In the commit's transaction: what reversals and recharges of a batch change of their proofs. */
MUST_CHECK int sql_write_proofs(struct sql *sql, const struct batch *batch);
/* In the change under way: the state of this proof may have changed. */
MUST_CHECK int sql_settle_refund(struct sql *sql, int64_t operation_id);
/* As sql_member_text. */
const char *sql_proof_ledger_text(int index);

/* sql_proof_payment.c: what orders were seen to show */
#define REGISTER_PAYMENT_COLUMNS                                                                   \
    "tenant_id, order_id, number, site_id, register_id, method_id, amount_minor, ref, "            \
    "operation_id, local_date, seen_at_us"
/* errors  ERR_STORE_CORRUPT. */
MUST_CHECK int row_read_register_payment(struct sql_statement *statement,
                                         struct register_payment *payment);
int sql_put_register_payments(struct store *store, int64_t tenant_id, int64_t order_id,
                              const struct register_payment *payments, int32_t count);
int sql_each_register_payment(struct store *store, int64_t tenant_id, int64_t order_id,
                              store_register_payment_fn each, void *context);
int sql_each_payment_of_ref(struct store *store, int64_t tenant_id, const char *ref,
                            store_register_payment_fn each, void *context);
int sql_has_payment_ref(struct store *store, int64_t tenant_id, const char *prefix, bool *has_one);
int sql_each_unclaimed_payment(struct store *store, int64_t tenant_id, int64_t site_id,
                               int64_t amount_minor, int64_t since_us,
                               store_register_payment_fn each, void *context);
int sql_put_order_seen(struct store *store, const struct order_seen *seen);
int sql_read_order_seen(struct store *store, int64_t tenant_id, int64_t order_id,
                        struct order_seen *seen);
int sql_forget_orders(struct store *store, int64_t before_us, int32_t *forgotten);
int sql_put_sweep(struct store *store, const struct sweep *sweep);
int sql_read_sweep(struct store *store, int64_t tenant_id, struct sweep *sweep);
/* As sql_member_text. */
const char *sql_proof_payment_text(int index);

/* sql_proof_report.c */
int sql_read_proof_totals(struct store *store, int64_t tenant_id, int32_t from, int32_t until,
                          struct proof_totals *totals);
int sql_each_unproved(struct store *store, int64_t tenant_id, store_unproved_fn each,
                      void *context);
int sql_count_open_items(struct store *store, int64_t *count);
int sql_each_open_item(struct store *store, int64_t tenant_id, int32_t from, int32_t until,
                       const struct open_item_place *after, int32_t limit, store_open_item_fn each,
                       void *context);
int sql_each_operation_after(struct store *store, int64_t tenant_id, int64_t after_id,
                             int64_t until_id, int32_t limit, store_operation_fn each,
                             void *context);
int sql_read_card_by_id(struct store *store, int64_t card_id, struct card *card);
/* As sql_member_text. */
const char *sql_proof_report_text(int index);
/* sql_foreign.c */
extern const struct store_backend_foreign sql_foreign;
#define FOREIGN_CHANGE_COLUMNS                                                                     \
    "id, tenant_id, from_state, to_state, payment_max_minor, day_max_minor, expires_on, "          \
    "reference, note, actor, created_at_us"
#define FOREIGN_ATTEMPT_FIELDS                                                                     \
    "tenant_id, effect, order_id, site_id, operation_id, reservation_id, amount_minor, "           \
    "local_date, verdict, end_state, api_status, api_answer, created_at_us, answered_at_us, "      \
    "alike_before"
#define FOREIGN_ATTEMPT_COLUMNS "id, " FOREIGN_ATTEMPT_FIELDS
void row_bind_foreign_attempt(struct binder *binder, const struct foreign_attempt *attempt);
/* As sql_member_text. */
const char *sql_foreign_text(int index);
/* errors  ERR_STORE_CORRUPT. */
MUST_CHECK int row_read_foreign_change(struct sql_statement *statement,
                                       struct foreign_change *change);
MUST_CHECK int row_read_foreign_attempt(struct sql_statement *statement,
                                        struct foreign_attempt *attempt);
/* state, payment_max_minor, day_max_minor, expires_on. */
void columns_approval(struct columns *columns, struct foreign_approval *approval);
/* In the commit's transaction: the day of a charge whose payment is ours, and what the batch
 * changed. */
MUST_CHECK int sql_fetch_foreign_day(struct sql *sql, struct view *view,
                                     const struct command *command, int32_t *index);
MUST_CHECK int sql_write_foreign(struct sql *sql, const struct batch *batch);
/* In a points command's transaction. */
MUST_CHECK int sql_fetch_foreign_points(struct sql *sql, const struct points_command *command,
                                        struct points_view *view);
MUST_CHECK int sql_write_foreign_points(struct sql *sql, const struct points_command *command,
                                        const struct points_view *view,
                                        const struct points_changes *changes, int64_t now_us);

/* sql_member.c */
extern const struct store_backend_members sql_members;
#define MEMBER_COLUMNS                                                                             \
    "id, tenant_id, code, first_name, last_name, email, phone, card_number, icon_url, "            \
    "intro_text, tier, created_at_us, points, points_held, version, last_entry_id, "               \
    "active_at_us, is_active"
/* errors  ERR_STORE_CORRUPT. */
MUST_CHECK int row_read_member(struct sql_statement *statement, struct member *member);
int sql_read_member(struct store *store, int64_t tenant_id, int64_t member_id,
                    struct member *member);
/* What it asks, for the test of the plans: index from 0; NULL at the end. */
const char *sql_member_text(int index);
extern const char sql_find_same_postgres[]; /* what PostgreSQL is asked instead of one of them */

/* sql_search.c */
int sql_search_members(struct store *store, int64_t tenant_id, struct text keyword, int32_t limit,
                       store_member_fn each, void *context);
/* As sql_member_text. */
const char *sql_search_text(int index);

/* sql_verify.c */
int sql_verify(struct store *store, verify_finding_fn finding, verify_progress_fn progress,
               void *context, int64_t *findings);

/*
 * Of a struct store_backend what both databases do alike. The rest is a database's own: fetch,
 * commit, settle, checkpoint, ping and close.
 */
#define SQL_BACKEND                                                                                \
    .grants = &sql_grants, .members = &sql_members, .rewards = &sql_rewards,                       \
    .points = &sql_points, .work = &sql_work, .proofs = &sql_proofs, .foreign = &sql_foreign,      \
    .rollback = sql_rollback, .begin_group = sql_begin_group, .commit_group = sql_commit_group,    \
    .rollback_group = sql_rollback_group, .add_tenant = sql_add_tenant,                            \
    .update_tenant = sql_update_tenant, .add_site = sql_add_site,                                  \
    .set_card_status = sql_set_card_status, .generation = sql_generation,                          \
    .last_operation = sql_last_operation, .hot_generation = sql_hot_generation,                    \
    .raise_hot_generation = sql_raise_hot_generation, .take_lease = sql_take_lease,                \
    .release_lease = sql_release_lease, .read_versions = sql_read_versions,                        \
    .begin_read = sql_begin_read, .end_read = sql_end_read, .read_tenant = sql_read_tenant,        \
    .each_tenant = sql_each_tenant, .each_site = sql_each_site, .read_card = sql_read_card,        \
    .read_card_by_last4 = sql_read_card_by_last4, .each_entry = sql_each_entry,                    \
    .read_operation = sql_read_operation, .each_order_operation = sql_each_order_operation,        \
    .read_totals = sql_read_totals, .verify = sql_verify

#endif
