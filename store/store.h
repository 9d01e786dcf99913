/*
 * Rows in, rows out: the durable truth. Knows tables and transactions, decides nothing. SQLite or
 * PostgreSQL; another backend joins by filling struct store_backend (store/backend.h) and passing
 * the conformance suite.
 *
 * A struct store is one connection and belongs to one thread at a time. A service has one writer
 * (the committer's) and several readers. Readers see the last commit and never block the writer.
 */
#ifndef COUNTERPART_STORE_STORE_H
#define COUNTERPART_STORE_STORE_H

#include "base/seal.h"
#include "store/batch.h"
#include "store/tenant.h"

struct store;

enum store_mode {
    STORE_WRITER, /* creates the schema, migrates it */
    STORE_READER, /* refuses a store that is not there or not migrated */
};

struct store_config {
    /* "postgresql://..."; or SQLite: path of the file, or ":memory:" for tests. */
    const char *location;
    const struct seal *seal; /* seals tokens and keys; must be the one the store was created with */
    /* PostgreSQL: the file that remembers the highest timeline seen, so that a primary that was
     * replaced is refused; NULL: only the process remembers it. */
    const char *timeline_path;
};

/*
 * ownership  *store is the caller's, store_close.
 * errors     ERR_BAD_KEY (key-check value differs), ERR_SCHEMA_TOO_NEW, ERR_STORE_DOWN,
 * ERR_STORE_CORRUPT, ERR_NO_MEMORY. A reader where there is no store: ERR_STORE_DOWN, or
 * ERR_NOT_FOUND where that is certain. A writer that would migrate PostgreSQL: ERR_STORE_BUSY (a
 * table is in use for long), ERR_LOCKED (a program is connected that could not live with it).
 */
MUST_CHECK int store_open(const struct store_config *config, enum store_mode mode,
                          struct store **store);
void store_close(struct store *store); /* accepts NULL */
/* Does the location name PostgreSQL? *fault: NULL, or what is wrong with it, to follow the name of
 * the setting that holds it; it quotes nothing of the location, which may hold a password. */
bool store_is_postgres(const char *location, const char **fault);
/* Is this location without any tables? A new master key may be created only then. */
MUST_CHECK int store_is_empty(const char *location, bool *is_empty);

/* --- the committer's cycle: fetch, (batch_decide,) commit ----------------------------------- */

/* By any thread, while the store is open: this command waits for the writer. A store may look ahead
 * for what it will ask for; nothing depends on it. */
void store_foresee(struct store *store, const struct command *command);

/*
 * store_fetch begins a transaction and loads what batch->keys ask for; sets view and scopes, ids
 * included. Then exactly one of store_commit or store_rollback ends it. With batch->may_skip it may
 * leave commands out (batch->is_skipped): those whose cards another process holds.
 *
 * errors     fetch: ERR_STORE_BUSY, _FULL, _DOWN, _CORRUPT; nothing is open afterwards.
 *            commit: the same and ERR_STORE_CONSTRAINT, ERR_ELSEWHERE: rolled back, nothing
 *            happened.
 *            ERR_COMMIT_UNKNOWN: the COMMIT itself failed; settle with store_settle before anything
 *            else is decided. Of a batch without changes: what it repeats may not stay, and there
 *            is nothing to settle. Never for a full disk where that is certain.
 */
MUST_CHECK int store_fetch(struct store *store, struct batch *batch);
MUST_CHECK int store_commit(struct store *store, const struct batch *batch);
void store_rollback(struct store *store);
/* How often a batch is worth fetching again at once (batch_rewind) when fetch or commit was
 * ERR_STORE_BUSY, or of one command ERR_STORE_CONSTRAINT: another process was in the way and went
 * first. 0 where there is none, and the wait was as long as makes sense. */
int32_t store_reruns_max(const struct store *store);
/*
 * Settle a commit whose outcome is unknown: writes a tombstone (ACTION_VOID) for each new operation
 * id of the batch that is not in the store.
 *
 * outcomes   *happened: the batch is in the store as decided; else it never happened and never can.
 * errors     as store_fetch: still unknown, call again.
 */
MUST_CHECK int store_settle(struct store *store, const struct batch *batch, bool *happened);

/*
 * A group: many changes in one transaction, which then cost one flush together: an import, tasks
 * that waited at the same time. Changes that have a transaction of their own (members, points,
 * grants, work) join it, each of them whole or not at all; store_fetch must not be called inside.
 *
 * errors     commit: as store_commit; whatever joined has happened only when it returns 0.
 */
MUST_CHECK int store_begin_group(struct store *store);
MUST_CHECK int store_commit_group(struct store *store);
void store_rollback_group(struct store *store);

/* Move the write-ahead log into the database file. Runs on a thread and a connection (STORE_WRITER)
 * of its own. */
MUST_CHECK int store_checkpoint(struct store *store);

/* --- configuration (writer, each in a transaction of its own) -------------------------------- */

/* ids are filled in. errors: ERR_ALREADY_EXISTS (company already served under another tenant; site
 * mapped twice), ERR_NOT_FOUND (no such tenant). */
MUST_CHECK int store_add_tenant(struct store *store, struct tenant *tenant);
MUST_CHECK int store_update_tenant(struct store *store, const struct tenant *tenant);
MUST_CHECK int store_add_site(struct store *store, struct site *site);
/* The merchant's switch on one card that was sold. errors: ERR_NOT_FOUND; ERR_NOT_SOLD: it is
 * CARD_STOCK, untouched. STOCK cannot be set. *card is the row afterwards. */
MUST_CHECK int store_set_card_status(struct store *store, int64_t tenant_id,
                                     const uint8_t index[CARD_INDEX_BYTES], enum card_status status,
                                     struct card *card);
/* Part of every reference. It is 1 everywhere: a restored store is told apart by the ids that it
 * goes on with (store/backup.h), so that what registers were told stays as it is. */
MUST_CHECK int store_generation(struct store *store, int64_t *generation);
/* Part of every key in Redis: raised (by the writer), it makes everything there forgotten. It has
 * nothing to do with the one of references. */
MUST_CHECK int store_hot_generation(struct store *store, int64_t *generation);
MUST_CHECK int store_raise_hot_generation(struct store *store, int64_t *generation);

/* --- reading ---------------------------------------------------------------------------------- */

/* What is read between the two is of one moment: a reader's. Without them each call has a moment of
 * its own. One at a time; store_end_read must follow a begin that returned 0. */
MUST_CHECK int store_begin_read(struct store *store);
void store_end_read(struct store *store);

typedef void (*store_tenant_fn)(void *context, const struct tenant *tenant);
typedef void (*store_site_fn)(void *context, const struct site *site);
MUST_CHECK int store_each_tenant(struct store *store, store_tenant_fn each, void *context);
/* Its secrets come opened: the caller wipes *tenant. errors: ERR_NOT_FOUND, ERR_BAD_SEAL and the
 * store's own; *tenant is then wiped. */
MUST_CHECK int store_read_tenant(struct store *store, int64_t tenant_id, struct tenant *tenant);
MUST_CHECK int store_each_site(struct store *store, store_site_fn each, void *context);

/* errors  ERR_NOT_FOUND and the store's own. */
MUST_CHECK int store_read_card(struct store *store, int64_t tenant_id,
                               const uint8_t index[CARD_INDEX_BYTES], struct card *card);
/* The one sold card (not CARD_STOCK) that ends in last4. errors: ERR_NOT_FOUND for none and for
 * more than one. */
MUST_CHECK int store_read_card_by_last4(struct store *store, int64_t tenant_id, const char last4[5],
                                        struct card *card);

/* Where a walk along all operations may stop and go on later without passing one over: whatever is
 * read from now on sees every operation up to this id, and none of them will ever be added. 0:
 * there is none. Not between store_begin_read and its end, which see what was there before. */
MUST_CHECK int store_read_last_operation(struct store *store, int64_t *operation_id);
/* errors  ERR_NOT_FOUND and the store's own. */
MUST_CHECK int store_read_operation(struct store *store, int64_t operation_id,
                                    struct operation *operation);

/* All that succeeded on one order, whatever the card, in id order; at most limit of them. */
typedef void (*store_operation_fn)(void *context, const struct operation *operation);
MUST_CHECK int store_each_order_operation(struct store *store, int64_t tenant_id, int64_t order_id,
                                          int32_t limit, store_operation_fn each, void *context);

/* One line of a card's history: an operation, and its transfer where money moved (transfer.id 0 for
 * refusals). A refund that answers several charges gives several lines. */
struct entry {
    struct operation operation;
    struct transfer transfer;
};
typedef void (*store_entry_fn)(void *context, const struct entry *entry);
/* Newest first; before_operation_id 0 starts at the end; at most limit operations. */
MUST_CHECK int store_each_entry(struct store *store, int64_t card_id, int64_t before_operation_id,
                                int32_t limit, store_entry_fn each, void *context);

/* Totals for verify and tests; no ids, and not cheap in every store. A settled commit that never
 * happened leaves its tombstones in them, in SQLite also its gaps. */
struct store_totals {
    int64_t cards, operations, transfers, tenants;
};
MUST_CHECK int store_read_totals(struct store *store, struct store_totals *totals);
/* Readiness: can this connection do its work? A reader reads a row; a writer commits a row that
 * changes nothing, which shows a lock that is held or a disk that is full. */
MUST_CHECK int store_ping(struct store *store);

#endif
