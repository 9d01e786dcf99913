/*
 * What the SQLite files of this folder share: the connection, its statements, and how rows become
 * structs. Nobody else includes this header, and nobody else includes <sqlite3.h>.
 */
#ifndef COUNTERPART_STORE_SQLITE_H
#define COUNTERPART_STORE_SQLITE_H

#include "store/backend.h"

#include "base/error.h"

#include <sqlite3.h>

/* Every statement but the schema's and verify's; their text is one table in sqlite_statement.c. */
enum statement {
    STATEMENT_BEGIN_READ,
    STATEMENT_BEGIN_WRITE,
    STATEMENT_COMMIT,
    STATEMENT_ROLLBACK,
    STATEMENT_READ_META,
    STATEMENT_READ_HOT_GENERATION,
    STATEMENT_RAISE_HOT_GENERATION,
    STATEMENT_READ_LAST_IDS,
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
    STATEMENT_TOUCH_META,
    STATEMENT_COUNT,
};

/* Areas whose statements stand in the files that run them: an enum and a table of texts each. */
enum statement_area {
    AREA_CHANGE, /* sqlite_statement.c */
    AREA_POINTS,
    AREA_POINTS_READ,
    AREA_REWARD,
    AREA_MEMBER,
    AREA_SEARCH,
    AREA_GRANT,
    AREA_WORK,
    AREA_PROOF,
    AREA_PROOF_LEDGER,
    AREA_PROOF_PAYMENT,
    AREA_PROOF_REPORT,
    AREA_FOREIGN,
    AREA_COUNT,
};
#define AREA_STATEMENTS_MAX 32

/* Cards of one batch by index: open addressing, at most half full. */
#define CARD_SLOTS (2 * BATCH_MAX)

struct store_sqlite {
    struct store store; /* first: callers hold only this */
    sqlite3 *connection;
    enum store_mode mode;
    sqlite3_stmt *statements[STATEMENT_COUNT]; /* prepared at their first use, then kept */
    sqlite3_stmt *area_statements[AREA_COUNT][AREA_STATEMENTS_MAX]; /* the same */
    bool is_grouping; /* between store_begin_group and its end: one transaction for all changes */
    /* The next ids, or 0 when they must be read from the tables (at the start, and after anything
     * went wrong). */
    int64_t next_card_id;
    int64_t next_operation_id;
    int64_t next_transfer_id;
    /* Ids below these may have been committed, whatever the tables say now. */
    int64_t floor_card_id;
    int64_t floor_operation_id;
    int64_t floor_transfer_id;
    int32_t card_slots[CARD_SLOTS];     /* index into view.cards, VIEW_NONE: free */
    bool has_recent_charges[BATCH_MAX]; /* of the batch under way: by index into view.cards */
};

static inline struct store_sqlite *sqlite_of(struct store *store)
{
    return (struct store_sqlite *)store;
}

/* --- statements (sqlite_statement.c) --- */

/* SQLite's code as ours, without logging. SQLITE_OK and friends must not come here. */
int sqlite_error_of(int code);
/* The same, logged with SQLite's own words: call right after the failure. what: a literal. */
int sqlite_fail(struct store_sqlite *sqlite, const char *what);

/* Is the file that we write still the one at its path? Else ERR_STORE_DOWN: what is committed to a
 * deleted file is lost with the process. */
MUST_CHECK int sqlite_check_file(struct store_sqlite *sqlite);

/* ownership  *statement stays the connection's; it is reset and ready to be bound. */
MUST_CHECK int sqlite_prepare(struct store_sqlite *sqlite, enum statement which,
                              sqlite3_stmt **statement);
/* The same for a statement of an area; which is its number there, text always the same. */
MUST_CHECK int sqlite_prepare_of(struct store_sqlite *sqlite, enum statement_area area, int which,
                                 const char *text, sqlite3_stmt **statement);
/* One row further. *has_row false: no more rows, or an error; the statement is then reset. */
MUST_CHECK int sqlite_step(struct store_sqlite *sqlite, sqlite3_stmt *statement, bool *has_row);
/* To the row that a look-up by key has. Reset it when the row is read.
 * errors  ERR_NOT_FOUND: there is none; the store's own. The statement is then reset. */
MUST_CHECK int sqlite_step_to_row(struct store_sqlite *sqlite, sqlite3_stmt *statement);
/* A bound statement that returns no rows; resets it. */
MUST_CHECK int sqlite_finish(struct store_sqlite *sqlite, sqlite3_stmt *statement);
/* A statement without parameters or rows. */
MUST_CHECK int sqlite_run(struct store_sqlite *sqlite, enum statement which);
/* Ends whatever transaction is open; the next fetch reads the ids anew. */
void sqlite_rollback(struct store_sqlite *sqlite);

/*
 * A change of its own: a transaction, or while a group is under way a part of its transaction
 * that can be taken back alone. begin, then commit or rollback.
 *
 * errors  begin: ERR_STORE_DOWN also when the file is no longer at its path. commit: the change has
 *         ended; ERR_COMMIT_UNKNOWN: it may be in the store; any other error: it is not.
 */
MUST_CHECK int sqlite_begin_change(struct store_sqlite *sqlite);
MUST_CHECK int sqlite_commit_change(struct store_sqlite *sqlite);
void sqlite_rollback_change(struct store_sqlite *sqlite);
/* store_begin_group and its ends. */
int sqlite_begin_group(struct store *store);
int sqlite_commit_group(struct store *store);
void sqlite_rollback_group(struct store *store);
/* A bound UPDATE that must meet exactly one row; else the rows moved under us:
 * ERR_STORE_CONSTRAINT. */
MUST_CHECK int sqlite_finish_update(struct store_sqlite *sqlite, sqlite3_stmt *statement,
                                    const char *table, int64_t id);

/* Parameters in order. Bound bytes are borrowed until the statement is bound again. */
struct binder {
    sqlite3_stmt *statement;
    int position;
};
void bind_int(struct binder *binder, int64_t value);
void bind_blob(struct binder *binder, const void *bytes, size_t size);
void bind_text(struct binder *binder, const char *c_string);

/* Columns in order. A value that does not fit its struct field sets is_bad: a corrupt row. */
struct columns {
    sqlite3_stmt *statement;
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

/* --- rows (sqlite_row.c): the column lists below, in this order --- */

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
MUST_CHECK int row_read_card(sqlite3_stmt *statement, struct card *card);
MUST_CHECK int row_read_operation(sqlite3_stmt *statement, struct operation *operation);
MUST_CHECK int row_read_transfer(sqlite3_stmt *statement, struct transfer *transfer);
void row_bind_card(struct binder *binder, const struct card *card);
void row_bind_operation(struct binder *binder, const struct operation *operation);
void row_bind_transfer(struct binder *binder, const struct transfer *transfer);

/* errors  ERR_NOT_FOUND and the store's own. */
MUST_CHECK int sqlite_find_card(struct store_sqlite *sqlite, int64_t tenant_id,
                                const uint8_t index[CARD_INDEX_BYTES], struct card *card);
MUST_CHECK int sqlite_find_operation(struct store_sqlite *sqlite, int64_t id,
                                     struct operation *operation);

/* --- the files behind the backend's table --- */

/* sqlite_schema.c: creates or migrates (writer), or refuses what is not ours. */
MUST_CHECK int sqlite_schema_open(struct store_sqlite *sqlite);
/* An empty database in memory with the schema as it ought to be. ownership: caller, sqlite3_close,
 * also after an error. */
MUST_CHECK int sqlite_schema_create_model(sqlite3 **model);

/* sqlite_fetch.c, sqlite_commit.c */
int sqlite_fetch(struct store *store, struct batch *batch);
int sqlite_commit(struct store *store, const struct batch *batch);
int sqlite_settle(struct store *store, const struct batch *batch, bool *happened);

/* sqlite_config.c */
int sqlite_add_tenant(struct store *store, struct tenant *tenant);
int sqlite_update_tenant(struct store *store, const struct tenant *tenant);
int sqlite_add_site(struct store *store, struct site *site);
int sqlite_read_tenant(struct store *store, int64_t tenant_id, struct tenant *tenant);
int sqlite_each_tenant(struct store *store, store_tenant_fn each, void *context);
int sqlite_each_site(struct store *store, store_site_fn each, void *context);

/* sqlite_read.c */
int sqlite_begin_read(struct store *store);
void sqlite_end_read(struct store *store);
int sqlite_generation(struct store *store, int64_t *generation);
int sqlite_hot_generation(struct store *store, int64_t *generation);
int sqlite_raise_hot_generation(struct store *store, int64_t *generation);
int sqlite_read_card(struct store *store, int64_t tenant_id, const uint8_t index[CARD_INDEX_BYTES],
                     struct card *card);
int sqlite_read_card_by_last4(struct store *store, int64_t tenant_id, const char last4[5],
                              struct card *card);
int sqlite_set_card_status(struct store *store, int64_t tenant_id,
                           const uint8_t index[CARD_INDEX_BYTES], enum card_status status,
                           struct card *card);
int sqlite_each_entry(struct store *store, int64_t card_id, int64_t before_operation_id,
                      int32_t limit, store_entry_fn each, void *context);
int sqlite_read_operation(struct store *store, int64_t operation_id, struct operation *operation);
int sqlite_each_order_operation(struct store *store, int64_t tenant_id, int64_t order_id,
                                int32_t limit, store_operation_fn each, void *context);
int sqlite_each_answer(struct store *store, int64_t operation_id, store_operation_fn each,
                       void *context);
int sqlite_each_operation_transfer(struct store *store, int64_t operation_id,
                                   store_transfer_fn each, void *context);
int sqlite_read_totals(struct store *store, struct store_totals *totals);
int sqlite_ping(struct store *store);

/* sqlite_grant.c */
extern const struct store_backend_grants sqlite_grants;

/* sqlite_reward.c */
extern const struct store_backend_rewards sqlite_rewards;

/* sqlite_points.c, sqlite_points_read.c */
extern const struct store_backend_points sqlite_points;
#define RESERVATION_COLUMNS                                                                        \
    "id, tenant_id, member_id, reward_id, token_id, order_id, site_id, points, pays_minor, "       \
    "state, is_unsure, reason, created_at_us, changed_at_us, alike_before"
#define POINTS_ENTRY_COLUMNS                                                                       \
    "id, tenant_id, member_id, version, cause, points, points_after, order_id, sale_order_id, "    \
    "reservation_id, previous_entry_id, created_at_us, reason"
/* errors  ERR_STORE_CORRUPT. */
MUST_CHECK int row_read_reservation(sqlite3_stmt *statement, struct reservation *reservation);
MUST_CHECK int row_read_points_entry(sqlite3_stmt *statement, struct points_entry *entry);
int sqlite_read_reservation(struct store *store, int64_t reservation_id,
                            struct reservation *reservation);
int sqlite_each_open_reservation(struct store *store, enum reservation_state state,
                                 int64_t changed_before_us, int32_t limit,
                                 store_reservation_fn each, void *context);
int sqlite_each_member_reservation(struct store *store, int64_t tenant_id, int64_t member_id,
                                   store_reservation_fn each, void *context);
int sqlite_each_order_reservation(struct store *store, int64_t tenant_id, int64_t order_id,
                                  store_reservation_fn each, void *context);
int sqlite_each_points_entry(struct store *store, int64_t tenant_id, int64_t member_id,
                             int32_t limit, store_points_entry_fn each, void *context);
int sqlite_read_points_answer(struct store *store, int64_t reservation_id, enum points_cause cause,
                              struct points_entry *entry);
int sqlite_each_idle_member(struct store *store, int64_t tenant_id, int64_t inactive_since_us,
                            int32_t limit, store_member_fn each, void *context);
/* As sqlite_member_text. */
const char *sqlite_points_text(int index);
const char *sqlite_points_read_text(int index);

/* sqlite_work.c */
extern const struct store_backend_work sqlite_work;
/* As sqlite_member_text. */
const char *sqlite_work_text(int index);
/* In the commit's transaction: what the decided commands of a batch leave to be done. */
MUST_CHECK int sqlite_write_work(struct store_sqlite *sqlite, const struct batch *batch);

/* In the change under way: store_open_work. */
MUST_CHECK int sqlite_write_open_work(struct store_sqlite *sqlite, struct work *work);
int sqlite_count_unread_orders(struct store *store, int64_t tenant_id, int64_t before_us,
                               int32_t attempts_max, int64_t *count);

/* sqlite_proof.c: the proofs and the scan that makes them */
extern const struct store_backend_proofs sqlite_proofs;
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
MUST_CHECK int row_read_proof(sqlite3_stmt *statement, struct proof_facts *facts);
/* All that is beside the row. errors: ERR_STORE_CORRUPT: there is no such operation or card. */
MUST_CHECK int sqlite_fill_proof_facts(struct store_sqlite *sqlite, struct proof_facts *facts);
/* As sqlite_member_text. */
const char *sqlite_proof_text(int index);

/* sqlite_proof_ledger.c: what the ledger says of operations that have proofs */
/* In the commit's transaction: what reversals and recharges of a batch change of their proofs. */
MUST_CHECK int sqlite_write_proofs(struct store_sqlite *sqlite, const struct batch *batch);
/* In the change under way: the state of this proof may have changed. */
MUST_CHECK int sqlite_settle_refund(struct store_sqlite *sqlite, int64_t operation_id);
/* As sqlite_member_text. */
const char *sqlite_proof_ledger_text(int index);

/* sqlite_proof_payment.c: what orders were seen to show */
#define REGISTER_PAYMENT_COLUMNS                                                                   \
    "tenant_id, order_id, number, site_id, register_id, method_id, amount_minor, ref, "            \
    "operation_id, local_date, seen_at_us"
/* errors  ERR_STORE_CORRUPT. */
MUST_CHECK int row_read_register_payment(sqlite3_stmt *statement, struct register_payment *payment);
int sqlite_put_register_payments(struct store *store, int64_t tenant_id, int64_t order_id,
                                 const struct register_payment *payments, int32_t count);
int sqlite_each_register_payment(struct store *store, int64_t tenant_id, int64_t order_id,
                                 store_register_payment_fn each, void *context);
int sqlite_each_payment_of_ref(struct store *store, int64_t tenant_id, const char *ref,
                               store_register_payment_fn each, void *context);
int sqlite_has_payment_ref(struct store *store, int64_t tenant_id, const char *prefix,
                           bool *has_one);
int sqlite_each_unclaimed_payment(struct store *store, int64_t tenant_id, int64_t site_id,
                                  int64_t amount_minor, int64_t since_us,
                                  store_register_payment_fn each, void *context);
int sqlite_claim_payment(struct store *store, int64_t tenant_id, int64_t order_id, int64_t number,
                         int64_t operation_id);
int sqlite_put_order_seen(struct store *store, const struct order_seen *seen);
int sqlite_read_order_seen(struct store *store, int64_t tenant_id, int64_t order_id,
                           struct order_seen *seen);
int sqlite_forget_orders(struct store *store, int64_t before_us, int32_t *forgotten);
int sqlite_put_sweep(struct store *store, const struct sweep *sweep);
int sqlite_read_sweep(struct store *store, int64_t tenant_id, struct sweep *sweep);
/* As sqlite_member_text. */
const char *sqlite_proof_payment_text(int index);

/* sqlite_proof_report.c */
int sqlite_read_proof_totals(struct store *store, int64_t tenant_id, int32_t from, int32_t until,
                             struct proof_totals *totals);
int sqlite_each_unproved(struct store *store, int64_t tenant_id, store_unproved_fn each,
                         void *context);
int sqlite_count_open_items(struct store *store, int64_t *count);
int sqlite_each_open_item(struct store *store, int64_t tenant_id, int32_t from, int32_t until,
                          const struct open_item_place *after, int32_t limit,
                          store_open_item_fn each, void *context);
int sqlite_each_operation_after(struct store *store, int64_t tenant_id, int64_t after_id,
                                int32_t limit, store_operation_fn each, void *context);
int sqlite_read_card_by_id(struct store *store, int64_t card_id, struct card *card);
/* As sqlite_member_text. */
const char *sqlite_proof_report_text(int index);
/* sqlite_foreign.c */
extern const struct store_backend_foreign sqlite_foreign;
#define FOREIGN_CHANGE_COLUMNS                                                                     \
    "id, tenant_id, from_state, to_state, payment_max_minor, day_max_minor, expires_on, "          \
    "reference, note, actor, created_at_us"
#define FOREIGN_ATTEMPT_COLUMNS                                                                    \
    "id, tenant_id, effect, order_id, site_id, operation_id, reservation_id, amount_minor, "       \
    "local_date, verdict, end_state, api_status, api_answer, created_at_us, answered_at_us, "      \
    "alike_before"
/* As sqlite_member_text. */
const char *sqlite_foreign_text(int index);
/* errors  ERR_STORE_CORRUPT. */
MUST_CHECK int row_read_foreign_change(sqlite3_stmt *statement, struct foreign_change *change);
MUST_CHECK int row_read_foreign_attempt(sqlite3_stmt *statement, struct foreign_attempt *attempt);
/* state, payment_max_minor, day_max_minor, expires_on. */
void columns_approval(struct columns *columns, struct foreign_approval *approval);
/* In the commit's transaction: the day of a charge whose payment is ours, and what the batch
 * changed. */
MUST_CHECK int sqlite_fetch_foreign_day(struct store_sqlite *sqlite, struct view *view,
                                        const struct command *command, int32_t *index);
MUST_CHECK int sqlite_write_foreign(struct store_sqlite *sqlite, const struct batch *batch);
/* In a points command's transaction. */
MUST_CHECK int sqlite_fetch_foreign_points(struct store_sqlite *sqlite,
                                           const struct points_command *command,
                                           struct points_view *view);
MUST_CHECK int sqlite_write_foreign_points(struct store_sqlite *sqlite,
                                           const struct points_command *command,
                                           const struct points_view *view,
                                           const struct points_changes *changes, int64_t now_us);

/* sqlite_member.c */
extern const struct store_backend_members sqlite_members;
#define MEMBER_COLUMNS                                                                             \
    "id, tenant_id, code, first_name, last_name, email, phone, card_number, icon_url, "            \
    "intro_text, tier, created_at_us, points, points_held, version, last_entry_id, "               \
    "active_at_us, is_active"
/* errors  ERR_STORE_CORRUPT. */
MUST_CHECK int row_read_member(sqlite3_stmt *statement, struct member *member);
int sqlite_read_member(struct store *store, int64_t tenant_id, int64_t member_id,
                       struct member *member);
/* What it asks SQLite, for the test of the plans: index from 0; NULL at the end. */
const char *sqlite_member_text(int index);

/* sqlite_search.c */
int sqlite_search_members(struct store *store, int64_t tenant_id, struct text keyword,
                          int32_t limit, store_member_fn each, void *context);
/* As sqlite_member_text. */
const char *sqlite_search_text(int index);

/* sqlite_verify.c */
int sqlite_verify(struct store *store, verify_finding_fn finding, verify_progress_fn progress,
                  void *context, int64_t *findings);

#endif
