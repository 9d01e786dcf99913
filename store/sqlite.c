/*
 * The SQLite backend: one connection, how it is opened, configured, checkpointed and closed.
 */
#include "store/sqlite_driver.h"

#include "base/check.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/banned.h"

/* How long a statement waits for another connection's lock. The only one that ever holds the
 * writer's is a restarting checkpoint, for less than this; JOB_RESERVE_US leaves room for it. */
#define BUSY_TIMEOUT_MS 250
/* A restarting checkpoint asks for the writer's lock this often, because a busy writer leaves only
 * microseconds between two transactions; and once it has it, it waits no longer than 50 ms in all
 * for readers of the old log, well below what the writer is ready to wait. The next one tries
 * again. */
#define CHECKPOINT_WAIT_US 100
#define CHECKPOINT_WAITS_MAX 500
/* Passive rounds before a restart: each has only what was written during the one before, so that
 * little is left to copy and to flush while the writer stands still. */
#define CHECKPOINT_ROUNDS 3
/*
 * A busy writer never lets the log end, so a passive checkpoint alone would let it grow for ever.
 * Beyond this many pages it is restarted, which stops the writer for a few pages of copying and two
 * fsyncs. 32,768 pages are 64 MiB: at the 2.2 KiB of log that one charge costs in a batch of 64,
 * some 30,000 charges, so at full speed one restart every half second; and a look-up in the log
 * searches one hash table per 4,096 pages, so at most 8 or 9.
 */
#define LOG_PAGES_MAX 32768

/*
 * page_size counts for a new database only. A charge in a large batch rewrites one page of its own,
 * its card's, so small pages save log: measured on 100,000 cards, 2 KiB gave 1.3 times the charges
 * of 4 KiB and half the log; 1 KiB gave little more and needs a level more for 10 M cards.
 *
 * synchronous FULL: a commit returns after its fsync. mmap off: a failing disk is then an error we
 * can answer, not a SIGBUS.
 *
 * Caches in KiB. 8 MiB do not hold the 18 MiB of inner pages of 10 M cards: a card that nobody
 * asked for lately costs four reads, an inner and a leaf page of the index and of the table. The
 * system's page cache answers them in a few microseconds, and more cache of our own buys nothing:
 * measured on 10 M cards, 64 MiB halved a charge's reads, from 2.4 to 1.1, and left the committer's
 * processor time and the rate as they were; nor did it help where the pages came from the disk.
 * With four readers of 2 MiB, the scout's 2 and 4 of ids the store stays below 26 MiB of resident
 * memory.
 */
static const char sql_configure_writer[] = "PRAGMA page_size = 2048;"
                                           "PRAGMA synchronous = FULL;"
                                           "PRAGMA foreign_keys = ON;"
                                           "PRAGMA trusted_schema = OFF;"
                                           "PRAGMA mmap_size = 0;"
                                           "PRAGMA cache_size = -8192;"
                                           "PRAGMA wal_autocheckpoint = 0;"
                                           "PRAGMA journal_size_limit = 67108864";
static const char sql_configure_reader[] = "PRAGMA query_only = ON;"
                                           "PRAGMA trusted_schema = OFF;"
                                           "PRAGMA mmap_size = 0;"
                                           "PRAGMA cache_size = -2048";
/* From some 250,000 cards on: of fewer the index nearly is in the writer's cache. */
#define SCOUT_FILE_BYTES (INT64_C(64) << 20)
static const char sql_count_objects[] = "SELECT count(*) FROM sqlite_schema";
static const char location_memory[] = ":memory:";

static void sqlite_close(struct store *store)
{
    struct store_sqlite *sqlite = sqlite_of(store);
    scout_destroy(sqlite->scout);
    card_ids_destroy(sqlite->card_ids);
    sql_finalize_all(&sqlite->sql);
    CHECK(sqlite3_close(sqlite->connection) == SQLITE_OK);
    free(sqlite);
}

int sqlite_check_file(struct sql *sql)
{
    sqlite3 *connection = sqlite_of_sql(sql)->connection;
    int has_moved = 0;
    /* Not known to ":memory:", which then counts as in its place. */
    sqlite3_file_control(connection, "main", SQLITE_FCNTL_HAS_MOVED, &has_moved);
    if (has_moved == 0)
        return 0;
    log_event(LOG_ERROR, "store_file_is_gone",
              LOG_TEXT("path", sqlite3_db_filename(connection, "main")));
    return ERR_STORE_DOWN;
}

static int checkpoint_run(struct store_sqlite *sqlite, int mode, int *log_pages)
{
    int moved_pages;
    int code = sqlite3_wal_checkpoint_v2(sqlite->connection, "main", mode, log_pages, &moved_pages);
    if (code == SQLITE_OK || (code & 0xff) == SQLITE_BUSY)
        return 0; /* busy: another checkpoint, or readers of the old log: next time */
    return sqlite_fail(&sqlite->sql, "checkpoint");
}

/* A checkpoint that has not met the end of the log leaves what it copied to the system, unflushed:
 * left to the restart, it would be flushed while the writer stands still, with 10 M cards for some
 * 150 ms. */
static int checkpoint_flush(struct store_sqlite *sqlite)
{
    sqlite3_file *file = NULL;
    sqlite3_file_control(sqlite->connection, "main", SQLITE_FCNTL_FILE_POINTER, &file);
    if (file == NULL || file->pMethods == NULL)
        return 0; /* ":memory:" */
    int code = file->pMethods->xSync(file, SQLITE_SYNC_NORMAL);
    if (code == SQLITE_OK)
        return 0;
    log_event(LOG_ERROR, "sql_failed", LOG_TEXT("statement", "checkpoint_flush"),
              LOG_INT("code", code), LOG_TEXT("message", sqlite3_errstr(code)));
    return sqlite_error_of(code);
}

static int on_checkpoint_busy(void *context, int waits)
{
    (void)context;
    if (waits >= CHECKPOINT_WAITS_MAX)
        return 0;
    usleep(CHECKPOINT_WAIT_US);
    return 1;
}

static int sqlite_checkpoint(struct store *store)
{
    struct store_sqlite *sqlite = sqlite_of(store);
    int log_pages = 0;
    int err = checkpoint_run(sqlite, SQLITE_CHECKPOINT_PASSIVE, &log_pages);
    if (err != 0 || log_pages < LOG_PAGES_MAX)
        return err;
    for (int i = 1; err == 0 && i < CHECKPOINT_ROUNDS; i++) {
        err = checkpoint_flush(sqlite);
        if (err == 0)
            err = checkpoint_run(sqlite, SQLITE_CHECKPOINT_PASSIVE, &log_pages);
    }
    if (err == 0)
        err = checkpoint_flush(sqlite);
    if (err != 0)
        return err;
    /* RESTART, not TRUNCATE: appending to space that the file already has makes fsync cheaper. */
    sqlite3_busy_handler(sqlite->connection, on_checkpoint_busy, NULL);
    err = checkpoint_run(sqlite, SQLITE_CHECKPOINT_RESTART, &log_pages);
    sqlite3_busy_timeout(sqlite->connection, BUSY_TIMEOUT_MS);
    return err;
}

static int sqlite_ping(struct store *store)
{
    struct sql *sql = sql_of(store);
    int err = sqlite_check_file(sql);
    if (err != 0)
        return err;
    if (sql->mode == STORE_WRITER)
        /* A full disk shows at a write only, and only at one as large as a charge's: 8 pages. */
        return sqlite_run(sql, OWN_TOUCH_META);
    int64_t generation; /* reads a page of the file: SELECT 1 would not */
    return sql_generation(store, &generation);
}

static void sqlite_foresee(struct store *store, const struct command *command)
{
    struct scout *scout = sqlite_of(store)->scout;
    if (scout != NULL)
        scout_tell(scout, command);
}

static const struct store_backend sqlite_backend = {
    SQL_BACKEND,
    .foresee = sqlite_foresee,
    .fetch = sqlite_fetch,
    .commit = sqlite_commit,
    .settle = sqlite_settle,
    .checkpoint = sqlite_checkpoint,
    .ping = sqlite_ping,
    .close = sqlite_close,
};

/*
 * For our eyes only from its first byte; the log and its index inherit the mode. O_EXCL matters: to
 * open and close a database that this process uses would drop the locks of its connections (POSIX
 * record locks belong to the process).
 */
static int create_file(const char *location)
{
    int file = open(location, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file >= 0)
        return close(file) == 0 ? 0 : ERR_STORE_DOWN;
    if (errno == EEXIST)
        return 0;
    log_event(LOG_ERROR, "store_not_created", LOG_TEXT("path", location), LOG_INT("errno", errno));
    return ERR_STORE_DOWN;
}

static int connection_open(struct store_sqlite *sqlite, const char *location)
{
    bool is_writer = sqlite->sql.mode == STORE_WRITER;
    if (is_writer && strcmp(location, location_memory) != 0) {
        int err = create_file(location);
        if (err != 0)
            return err;
    }
    /* One thread at a time uses a connection, so SQLite's own mutex is not needed. */
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    if (sqlite3_open_v2(location, &sqlite->connection, flags, NULL) != SQLITE_OK)
        return sqlite->connection == NULL ? ERR_NO_MEMORY : sqlite_fail(&sqlite->sql, "open");
    sqlite3_busy_timeout(sqlite->connection, BUSY_TIMEOUT_MS);
    const char *sql = is_writer ? sql_configure_writer : sql_configure_reader;
    if (sqlite3_exec(sqlite->connection, sql, NULL, NULL, NULL) != SQLITE_OK)
        return sqlite_fail(&sqlite->sql, "configure");
    return 0;
}

static bool is_worth_a_scout(const char *location)
{
    struct stat info;
    cpu_set_t cores;
    return stat(location, &info) == 0 && info.st_size >= SCOUT_FILE_BYTES &&
           sched_getaffinity(0, sizeof(cores), &cores) == 0 && CPU_COUNT(&cores) > 1;
}

/* What only the one that decides has. */
static int writer_prepare(struct store_sqlite *sqlite)
{
    sqlite->card_ids = card_ids_create();
    if (sqlite->card_ids == NULL)
        return ERR_NO_MEMORY;
    const char *location = sqlite3_db_filename(sqlite->connection, "main");
    if (!is_worth_a_scout(location))
        return 0;
    sqlite->scout = scout_create(location, sqlite->card_ids);
    return sqlite->scout == NULL ? ERR_NO_MEMORY : 0;
}

int store_sqlite_open(const struct store_config *config, enum store_mode mode, struct store **store)
{
    struct store_sqlite *sqlite = calloc(1, sizeof(*sqlite));
    if (sqlite == NULL)
        return ERR_NO_MEMORY;
    sqlite->sql = (struct sql){.store = {.backend = &sqlite_backend, .seal = config->seal},
                               .driver = &sqlite_driver,
                               .mode = mode};
    int err = connection_open(sqlite, config->location);
    if (err == 0)
        err = sqlite_schema_open(&sqlite->sql);
    if (err == 0 && mode == STORE_WRITER)
        err = writer_prepare(sqlite);
    if (err != 0) {
        sqlite_close(&sqlite->sql.store);
        return err;
    }
    *store = &sqlite->sql.store;
    return 0;
}

static int count_objects(sqlite3 *connection, int64_t *count)
{
    sqlite3_stmt *statement;
    int code = sqlite3_prepare_v2(connection, sql_count_objects, -1, &statement, NULL);
    if (code != SQLITE_OK)
        return sqlite_error_of(code);
    code = sqlite3_step(statement);
    if (code == SQLITE_ROW)
        *count = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return code == SQLITE_ROW ? 0 : sqlite_error_of(code);
}

int store_sqlite_is_empty(const char *location, bool *is_empty)
{
    *is_empty = true;
    if (strcmp(location, location_memory) == 0)
        return 0;
    if (access(location, F_OK) != 0)
        return errno == ENOENT ? 0 : ERR_STORE_DOWN;
    sqlite3 *connection;
    int64_t count = 0;
    int code = sqlite3_open_v2(location, &connection, SQLITE_OPEN_READWRITE, NULL);
    int err = code == SQLITE_OK ? count_objects(connection, &count) : sqlite_error_of(code);
    CHECK(sqlite3_close(connection) == SQLITE_OK);
    *is_empty = count == 0;
    return err;
}
