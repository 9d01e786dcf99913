/*
 * A connection to a database, and what each database does in its own way: statements, parameters,
 * columns and transactions (sqlite_driver.c).
 */
#ifndef COUNTERPART_STORE_SQL_DRIVER_H
#define COUNTERPART_STORE_SQL_DRIVER_H

#include "store/backend.h"

/* Areas whose statements stand in the files that run them: an enum and a table of texts each. */
enum sql_area {
    AREA_ROWS,   /* sql_statement.c: enum statement */
    AREA_CHANGE, /* sql.c */
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
    AREA_SHARE,
    AREA_BACKEND, /* the driver's own */
    AREA_COUNT,
};
#define AREA_STATEMENTS_MAX 48

/* How the text of an INSERT ends whose new id is wanted. */
#define SQL_RETURNING_ID " RETURNING id"

struct sql;
struct verify;

/* One prepared statement of one connection; a driver embeds it as its first member. */
struct sql_statement {
    const struct sql_driver *driver;
    const char *text;
};

enum sql_dialect {
    DIALECT_SQLITE,
    DIALECT_POSTGRES,
};

/* What a database does in its own way. Errors are logged where they arise. */
struct sql_driver {
    enum sql_dialect dialect; /* of the few texts that come in pairs: sql_either */
    /* text lives as long as the statement. ownership: caller, finalize. */
    int (*prepare)(struct sql *sql, const char *text, struct sql_statement **statement);
    /* The same for one of which many rows are read, and who knows how long: a portion at a time.
     * Inside begin_read only. */
    int (*prepare_stream)(struct sql *sql, const char *text, struct sql_statement **statement);
    void (*finalize)(struct sql_statement *statement);
    /*
     * One row further; at the end, sql->changed_count. After an error, and after the last row, the
     * statement is reset. is_quiet: what a constraint forbids is an answer, not logged, and the
     * transaction goes on as if the statement had not been: ERR_ALREADY_EXISTS (unique),
     * ERR_NOT_FOUND (a key that refers to nothing).
     */
    int (*step)(struct sql *sql, struct sql_statement *statement, bool is_quiet, bool *has_row);
    /* A bound statement that ends in SQL_RETURNING_ID and inserts one row at most, to its end. *id
     * 0: it inserted none. NULL: its row is read as any other. (To return rows costs SQLite 4 us;
     * it asks the connection instead.) */
    int (*insert)(struct sql *sql, struct sql_statement *statement, bool is_quiet, int64_t *id);
    void (*reset)(struct sql_statement *statement);
    /* position from 1. Bytes are borrowed until the statement is bound again. */
    void (*bind_int)(struct sql_statement *statement, int position, int64_t value);
    void (*bind_blob)(struct sql_statement *statement, int position, const void *bytes,
                      size_t size);
    void (*bind_text)(struct sql_statement *statement, int position, const char *c_string);
    /* column from 0, of the row that step has come to. A NULL is 0, and bytes at NULL; none that
     * are no NULL are somewhere else. Borrowed until the next step or reset. */
    int64_t (*column_int)(const struct sql_statement *statement, int column);
    const void *(*column_bytes)(const struct sql_statement *statement, int column, size_t *size);
    int (*column_count)(const struct sql_statement *statement);

    /* A transaction that only reads, all of it of one moment. rollback ends it. */
    int (*begin_read)(struct sql *sql);
    /* One that writes: alone among all changes of the store, whatever connection and process they
     * come from. errors: ERR_STORE_DOWN also when the store is no longer where it was. */
    int (*begin_change)(struct sql *sql);
    /* The transaction has ended. errors: ERR_COMMIT_UNKNOWN: what it wrote may be there; any other:
     * it is not. */
    int (*commit)(struct sql *sql);
    void (*rollback)(struct sql *sql); /* of none: nothing */
    /* In a change that has written nothing, before its commit: when that returns 0, what the change
     * has read is where a commit of ours would be, too, the replica included. */
    int (*follow)(struct sql *sql);
    bool (*is_in_transaction)(const struct sql *sql);

    /* Until the transaction ends, its statements may take as long as they like. */
    int (*be_patient)(struct sql *sql);
    /* In the read transaction: is the database sound, and its schema what the program made? */
    int (*verify_schema)(struct verify *verify);
};

/* A connection; a database's own struct embeds it as its first member. */
struct sql {
    struct store store; /* first: callers hold only this */
    const struct sql_driver *driver;
    enum store_mode mode;
    bool is_grouping; /* between store_begin_group and its end: one transaction for all changes */
    int32_t changed_count; /* rows that the statement which ended last has changed */
    /* Prepared at their first use, then kept. */
    struct sql_statement *statements[AREA_COUNT][AREA_STATEMENTS_MAX];
};

static inline struct sql *sql_of(struct store *store)
{
    return (struct sql *)store;
}

/* Where one text does not do for both. */
static inline const char *sql_either(const struct sql *sql, const char *sqlite,
                                     const char *postgres)
{
    return sql->driver->dialect == DIALECT_SQLITE ? sqlite : postgres;
}

static inline bool sql_is_in_transaction(const struct sql *sql)
{
    return sql->driver->is_in_transaction(sql);
}

#endif
