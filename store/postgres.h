/*
 * What the PostgreSQL files of this folder share: the connection, how statements are sent many at a
 * time, arrays as parameters. Nobody else includes this header, and nobody else includes
 * <libpq-fe.h>. The shared files (sql_*.c) come here only through struct sql_driver.
 */
#ifndef COUNTERPART_STORE_POSTGRES_H
#define COUNTERPART_STORE_POSTGRES_H

#include "store/postgres_array.h"
#include "store/sql.h"

#include <libpq-fe.h>

/* The one lock that makes changes alone among changes, in the whole cluster; and the one of
 * migrations. Any two numbers that no other program on the same database takes. */
#define POSTGRES_LOCK_CHANGE INT64_C(0x436f756e74657231)
#define POSTGRES_LOCK_SCHEMA INT64_C(0x436f756e74657232)
/* Of those who write only in order to wait for the replica: as many sessions as wait at most. */
#define POSTGRES_LOCK_TOUCH_TEXT "4859231640215712308"
/* And the version of the program's schema: held, shared, by each session (postgres_schema.c). */
#define POSTGRES_LOCK_PROGRAM INT64_C(0x436f756e75000000)
/* For take_ids, while it moves three sequences. */
#define POSTGRES_LOCK_IDS INT64_C(0x436f756e74657233)

/* A primary and its standbys; libpq knows no bound, we do. */
#define POSTGRES_HOSTS_MAX 8
#define POSTGRES_HOST_NAME_MAX 255
struct postgres_host {
    char name[POSTGRES_HOST_NAME_MAX + 1]; /* or the folder of a Unix socket */
    char address[64];                      /* hostaddr, or "" */
    char port[8];                          /* or "" */
};

#define POSTGRES_LEDGER_TEXT_MAX 2048

struct store_postgres {
    struct sql sql;     /* first: callers hold only its store */
    PGconn *connection; /* NULL: none; the next begin makes one */
    char *location;
    struct postgres_host hosts[POSTGRES_HOSTS_MAX]; /* of the location, to be tried one by one */
    int32_t host_count;                             /* 0: what libpq takes without a name */
    int32_t host_last;                              /* the one that served last */
    struct cluster *cluster;
    int64_t timeline;          /* of the connection */
    int64_t connection_number; /* statements prepared on another one are forgotten */
    int64_t pipeline_number;
    int64_t name_count;  /* names given to statements and cursors, never twice */
    int64_t retry_at_us; /* monotonic: no attempt to connect before */
    int64_t retry_wait_us;
    int64_t partition_at_us; /* monotonic: then room for the ids to come is made again */
    int64_t patience_us;     /* an answer that takes longer is none: the connection is given up */
    bool is_opened;          /* its schema has been looked at */
    bool has_ended;          /* the server said good-bye while nobody asked it anything */
    bool is_begun;           /* a transaction was begun and nobody has ended it yet */
    bool is_committing;      /* COMMIT was sent: whatever goes wrong now, it may have happened */
    bool was_warned;         /* by the server, since COMMIT was sent */
    bool is_beginning;       /* in a pipeline: BEGIN was sent */
    bool is_synced;          /* in a pipeline: its end was sent */
    bool has_committed;      /* in a pipeline: for certain */
    int failed_err;          /* the error that made the open transaction useless, or 0 */
    /* --- the batch under way (postgres_fetch.c) --- */
    int64_t card_id_end; /* what take_ids gave out ends before these */
    int64_t operation_id_end;
    int64_t transfer_id_end;
    int64_t operation_id_begin; /* and begins at these */
    int64_t transfer_id_begin;
    bool has_change_lock; /* proofs may be written */
    /* --- what writes the ledger (postgres_commit.c) --- */
    int64_t row_types_connection; /* that told the numbers below; 0: none */
    struct postgres_row_type row_types[3];
    struct {
        int64_t operations, transfers;
    } partitions;                               /* that its text names */
    char ledger_text[POSTGRES_LEDGER_TEXT_MAX]; /* "": none yet */
};

static inline struct store_postgres *postgres_of(struct store *store)
{
    return (struct store_postgres *)store;
}

/* The same from what the shared files hold. */
static inline struct store_postgres *postgres_of_sql(struct sql *sql)
{
    return (struct store_postgres *)sql;
}

/* --- what the process remembers of the cluster behind a location (postgres_cluster.c) --- */

/*
 * Shared by the connections of a process to one location; and kept in a file, so that a process
 * that starts again does not take the old primary for the new one.
 */
struct cluster;
/* path: of the file; NULL: none. ownership: cluster_release. errors: ERR_STORE_DOWN: the file is
 * there and cannot be read, or holds something else; ERR_NO_MEMORY. */
MUST_CHECK int cluster_acquire(const char *location, const char *path, struct cluster **cluster);
void cluster_release(struct cluster *cluster);     /* accepts NULL */
int64_t cluster_timeline(struct cluster *cluster); /* the highest seen; 0: none yet */
/* errors  ERR_STORE_DOWN: another cluster than before, or an older timeline. */
MUST_CHECK int cluster_meet(struct cluster *cluster, int64_t identifier, int64_t timeline);

/* --- connection (postgres.c) --- */

/* A connection to what is there, without a look at its schema. ownership: caller, store_close.
 * errors: as store_open, ERR_BAD_CONFIG (the location). */
MUST_CHECK int postgres_open(const char *location, const char *timeline_path, enum store_mode mode,
                             struct store_postgres **opened);
/*
 * A connection that may be used: the one there is, or a new one to the primary, unless its timeline
 * is older than one seen before. Outside transactions only; every begin calls it first.
 *
 * errors  ERR_STORE_DOWN: none to be had, also while the last attempt is too recent.
 */
MUST_CHECK int postgres_connect(struct store_postgres *postgres);
/* Gives the connection up. An open transaction is gone with it. Accepts that there is none. */
void postgres_disconnect(struct store_postgres *postgres);

/* --- talking to the server (postgres_talk.c) --- */

/* SQLSTATE as our error, without logging. NULL or "": the connection is lost. */
int postgres_error_of(const char *sqlstate);
/*
 * One text without parameters, at once: the schema, settings. Several statements separated by ; are
 * one transaction unless one is open. Rows are thrown away.
 */
MUST_CHECK int postgres_execute(struct store_postgres *postgres, const char *text);
/* The same, and the rows of the last statement (as text). ownership: *result is the caller's. */
MUST_CHECK int postgres_ask(struct store_postgres *postgres, const char *text, PGresult **result);
/* What PQsend* was given is on its way: its last result. ownership: the caller's, also after an
 * error (then NULL or the server's refusal). errors: as step. */
MUST_CHECK int postgres_take(struct store_postgres *postgres, const char *what, bool is_quiet,
                             PGresult **result);
/* In a pipeline: the next result of any kind, or NULL between two statements. */
MUST_CHECK int postgres_take_next(struct store_postgres *postgres, PGresult **result);
/* Is this result a success? Else logs it unless it is quiet, and gives the connection up when it
 * is of no more use. */
MUST_CHECK int postgres_judge(struct store_postgres *postgres, const PGresult *result,
                              const char *what, bool is_quiet);
/* The answer to COMMIT: whether, and how certain. err: what take said. */
MUST_CHECK int postgres_judge_commit(struct store_postgres *postgres, const PGresult *result,
                                     int err);
/* The connection is of no more use: logs why and gives it up. Returns ERR_STORE_DOWN, or
 * ERR_COMMIT_UNKNOWN while a commit is under way. */
int postgres_lose(struct store_postgres *postgres, const char *why);
void postgres_on_notice(void *postgres, const PGresult *notice);

/* --- the driver (postgres_driver.c) --- */

extern const struct sql_driver postgres_driver;

#define POSTGRES_BEGIN "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"
/* Statements that each session has, so that a batch's ends are not parsed anew: BEGIN, which is of
 * the kind above by the session's settings, and COMMIT. */
#define POSTGRES_NAMED_BEGIN "begin"
#define POSTGRES_NAMED_COMMIT "commit"
/* What the server is allowed for one statement is less, so it is the one that says no; who waits
 * longer waits for a server that is silent. */
#define POSTGRES_PATIENCE_US (INT64_C(3500) * 1000)

struct postgres_parameter {
    Oid type; /* enum postgres_type; 0: never bound: NULL */
    Oid type_prepared;
    const void *bytes; /* borrowed, or number; of an array only when it is sent */
    size_t size;
    uint8_t number[8]; /* an integer, big end first */
    struct postgres_array array;
};

struct postgres_statement {
    struct sql_statement base; /* first */
    struct store_postgres *postgres;
    char *text; /* with $1 for ? */
    bool is_stream;
    bool is_open;              /* a stream's cursor */
    int64_t name;              /* "s" and this number; of a stream's cursor "c" and it */
    int64_t connection_number; /* where it is prepared (a stream: open); 0: nowhere */
    int64_t pipeline_number;   /* it is prepared in that one; the answer has not been seen */
    PGresult *result;          /* NULL: the next step executes */
    int row;
    int parameter_count;
    struct postgres_parameter parameters[];
};
/* At most so many ? in a text: more than the columns of the widest table, the tenant's 49. */
#define POSTGRES_PARAMETERS_MAX 96
#define POSTGRES_NAME_MAX 24

static inline struct postgres_statement *postgres_statement_of(struct sql_statement *statement)
{
    return (struct postgres_statement *)statement;
}

/* ? and ?1 outside of quotes as $1. ownership: *translated is the caller's, free. */
MUST_CHECK int postgres_translate(const char *text, char **translated, int *parameter_count);
/* Is it prepared here, for parameters of the types that are bound? */
bool postgres_is_prepared(const struct store_postgres *postgres,
                          const struct postgres_statement *statement);
/* Put it on its way (PQsendPrepare, PQsendQueryPrepared). errors: the connection's. */
MUST_CHECK int postgres_send_prepare(struct store_postgres *postgres,
                                     struct postgres_statement *statement);
MUST_CHECK int postgres_send_execute(struct store_postgres *postgres,
                                     struct postgres_statement *statement);
/* The statement has this result now (owned): step walks it. errors: ERR_BUG: a column of a type
 * that nobody reads. */
MUST_CHECK int postgres_keep_result(struct store_postgres *postgres,
                                    struct postgres_statement *statement, PGresult *result);
/* The transaction is over, whatever became of it. */
void postgres_end_transaction(struct store_postgres *postgres);
/* Until the transaction under way ends, statements and locks may take as long as they like:
 * migrations, verify. */
MUST_CHECK int postgres_be_patient(struct store_postgres *postgres);

/* The batch's transaction: as begin_change, but without the lock that keeps changes apart. For a
 * batch in a pipeline: postgres_send_begin instead. */
MUST_CHECK int postgres_begin(struct store_postgres *postgres);

/* --- many at once (postgres_pipeline.c) --- */

/*
 * An array as parameter: emptied, then filled one by one. Integers are an int8[], bytes a bytea[],
 * text a text[]. It belongs to the statement and stays bound until it is emptied again.
 */
void postgres_bind_ints(struct sql_statement *statement, int position);
void postgres_bind_blobs(struct sql_statement *statement, int position);
void postgres_bind_texts(struct sql_statement *statement, int position);
/* Of rows: add_int fills them column by column. */
void postgres_bind_rows(struct sql_statement *statement, int position,
                        const struct postgres_row_type *row);
void postgres_add_int(struct sql_statement *statement, int position, int64_t value);
void postgres_add_blob(struct sql_statement *statement, int position, const void *bytes,
                       size_t size);
void postgres_add_text(struct sql_statement *statement, int position, const char *c_string);

/*
 * A pipeline: statements that are sent together and answered together.
 *
 *     err = postgres_connect(postgres);                 outside of a transaction
 *     err = postgres_pipeline(postgres);
 *     err = postgres_send_begin(postgres);              each send only while the last returned 0
 *     err = postgres_send(postgres, statement);         ...
 *     err = postgres_send_commit(postgres);             where it is the last
 *     err = postgres_sync(postgres);                    all of it is on its way
 *     err = postgres_receive(postgres, statement, false);   in the order they were sent, begin and
 *     while (err == 0 && (err = sql_step(..)) ...)          commit too (with statement NULL)
 *     err = postgres_end_pipeline(postgres, err);       always; returns err, or its own
 *
 * A statement that was sent is bound again, sent again or reset only after it was received. After
 * receive, step walks its rows, and sql.changed_count is what it changed. When one fails, those
 * behind it have not run, and the transaction (if it was begun) can only be rolled back.
 *
 * errors  receive: as step (ERR_STORE_CONSTRAINT, _BUSY, ...); ERR_COMMIT_UNKNOWN: the commit was
 *         sent and it cannot be known whether it happened. An error of a statement before the
 *         commit is certain: nothing of the transaction happened. The transaction has then ended.
 */
MUST_CHECK int postgres_pipeline(struct store_postgres *postgres);
MUST_CHECK int postgres_send_begin(struct store_postgres *postgres);
MUST_CHECK int postgres_send(struct store_postgres *postgres, struct sql_statement *statement);
MUST_CHECK int postgres_send_commit(struct store_postgres *postgres);
MUST_CHECK int postgres_sync(struct store_postgres *postgres);
MUST_CHECK int postgres_receive(struct store_postgres *postgres, struct sql_statement *statement,
                                bool is_quiet);
MUST_CHECK int postgres_end_pipeline(struct store_postgres *postgres, int err);

/* --- the files behind the backend's table --- */

/* postgres_schema.c: creates or migrates (writer), or refuses what is not ours. */
MUST_CHECK int postgres_schema_open(struct store_postgres *postgres);
/* On a new connection: says which schema the program knows, so that nobody migrates it away. Of a
 * store that was opened: and looks whether somebody has meanwhile. errors: ERR_SCHEMA_TOO_NEW. */
MUST_CHECK int postgres_schema_announce(struct store_postgres *postgres);
MUST_CHECK int postgres_verify_schema(struct verify *verify); /* of struct sql_driver */

/* postgres_fetch.c, postgres_commit.c */
int postgres_fetch(struct store *store, struct batch *batch);
int postgres_commit(struct store *store, const struct batch *batch);
int postgres_settle(struct store *store, const struct batch *batch, bool *happened);

#endif
