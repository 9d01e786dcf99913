/*
 * What the SQLite files of this folder share: the connection, and what SQLite does in its own way.
 * Nobody else includes this header, and nobody else includes <sqlite3.h>.
 */
#ifndef COUNTERPART_STORE_SQLITE_DRIVER_H
#define COUNTERPART_STORE_SQLITE_DRIVER_H

#include "store/card_ids.h"
#include "store/sql.h"
#include "store/sqlite_scout.h"

#include <sqlite3.h>

/* Statements of AREA_BACKEND; their texts are in sqlite_driver.c. */
enum sqlite_own {
    OWN_BEGIN_READ,
    OWN_BEGIN_WRITE,
    OWN_COMMIT,
    OWN_ROLLBACK,
    OWN_READ_LAST_IDS,
    OWN_TOUCH_META,
};

/* Cards of one batch by index: open addressing, at most half full. */
#define CARD_SLOTS (2 * BATCH_MAX)

struct store_sqlite {
    struct sql sql; /* first: callers hold only its struct store */
    sqlite3 *connection;
    /* The next ids, or 0 when they must be read from the tables (at the start, and after anything
     * went wrong). */
    int64_t next_card_id;
    int64_t next_operation_id;
    int64_t next_transfer_id;
    /* Ids below these may have been committed, whatever the tables say now. */
    int64_t floor_card_id;
    int64_t floor_operation_id;
    int64_t floor_transfer_id;
    int32_t card_slots[CARD_SLOTS]; /* index into view.cards, VIEW_NONE: free */
    struct card_ids *card_ids;
    struct scout *scout;                /* NULL: not worth it */
    bool has_recent_charges[BATCH_MAX]; /* of the batch under way: by index into view.cards */
};

static inline struct store_sqlite *sqlite_of(struct store *store)
{
    return (struct store_sqlite *)store;
}

/* The same from what the shared files hold. */
static inline struct store_sqlite *sqlite_of_sql(struct sql *sql)
{
    return (struct store_sqlite *)sql;
}

/* --- sqlite_driver.c --- */

extern const struct sql_driver sqlite_driver;

/* SQLite's code as ours, without logging. SQLITE_OK and friends must not come here. */
int sqlite_error_of(int code);
/* The same, logged with SQLite's own words: call right after the failure. what: a literal. */
int sqlite_fail(struct sql *sql, const char *what);

/* ownership  *statement stays the connection's; it is reset. */
MUST_CHECK int sqlite_prepare(struct sql *sql, enum sqlite_own which,
                              struct sql_statement **statement);
/* Of the row that step has come to; NULL for a NULL. */
const char *sqlite_column_text(const struct sql_statement *statement, int column);
/* A statement without parameters or rows. */
MUST_CHECK int sqlite_run(struct sql *sql, enum sqlite_own which);
/* Ends whatever transaction is open; the next fetch reads the ids anew. */
void sqlite_rollback(struct sql *sql);

/* --- the other files --- */

/* sqlite.c: is the file that we write still the one at its path? Else ERR_STORE_DOWN: what is
 * committed to a deleted file is lost with the process. */
MUST_CHECK int sqlite_check_file(struct sql *sql);

/* sqlite_migrations.c: in order; entry n brings a database of version n to n + 1. Entries are never
 * changed. */
extern const char *const sqlite_migrations[];
extern const int64_t sqlite_migration_count; /* the version of this program's schema */
/* sqlite_schema.c */
extern const char sqlite_schema_1[], sqlite_schema_2[], sqlite_schema_3[], sqlite_schema_4[];

/* sqlite_schema.c: creates or migrates (writer), or refuses what is not ours. */
MUST_CHECK int sqlite_schema_open(struct sql *sql);
/* An empty database in memory with the schema as it ought to be. ownership: caller, sqlite3_close,
 * also after an error. */
MUST_CHECK int sqlite_schema_create_model(sqlite3 **model);

/* sqlite_fetch.c, sqlite_commit.c */
int sqlite_fetch(struct store *store, struct batch *batch);
int sqlite_commit(struct store *store, const struct batch *batch);
int sqlite_settle(struct store *store, const struct batch *batch, bool *happened);

/* sqlite_check.c */
MUST_CHECK int sqlite_verify_schema(struct verify *verify);

#endif
