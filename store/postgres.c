/*
 * The PostgreSQL backend: one connection, how it finds the primary, comes back after a loss and is
 * closed.
 */
#include "store/postgres_schema.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

/* After an attempt that failed, none for so long; doubled each time, so that ten connections of ten
 * processes do not fall upon a server that starts. */
#define RETRY_FIRST_US (INT64_C(50) * 1000)
#define RETRY_MAX_US (INT64_C(1000) * 1000)
/* Room for the ids to come is looked after so often: half a partition, 2^25 ids, lasts five minutes
 * at 50,000 charges a second. */
#define PARTITION_EVERY_US (INT64_C(60) * CLOCK_US_PER_S)
/* pg_current_xact_id and what target_session_attrs stands on are there since. */
#define SERVER_VERSION_MIN 140000

/*
 * What a session is set to, in one round trip with the question who it is.
 *
 * statement_timeout and lock_timeout end below POSTGRES_PATIENCE_US and the deadline of a command;
 * a client that fell silent inside a transaction holds its locks no longer than the third; the
 * server looks every second whether the client of a waiting statement is still there.
 * client_min_messages: the warning that a commit may not be replicated must come here, whatever
 * the role's default. tcp_keepalives_* and tcp_user_timeout: of a machine that is gone in the
 * middle of a pipeline the server waits for more, and none of the limits above counts meanwhile; it
 * probes as the client's side does, and the locks are free after 8 s. It ignores these over a Unix
 * socket.
 * synchronous_commit: an answer leaves after the commit is durable.
 * Plans are made once, and before a new store has any statistics: they must not scan the ledger,
 * nor hash it because LIMIT ? counts as a tenth of it (test_postgres_texts.c looks at all plans).
 * cursor_tuple_fraction: verify reads its cursors to the end.
 */
static const char sql_configure[] =
    "SET statement_timeout = 3000; SET lock_timeout = 1500;"
    "SET idle_in_transaction_session_timeout = 10000; SET client_connection_check_interval = 1000;"
    "SET tcp_keepalives_idle = 5; SET tcp_keepalives_interval = 1; SET tcp_keepalives_count = 3;"
    "SET tcp_user_timeout = 5000;"
    "SET client_min_messages = warning; SET synchronous_commit = on;"
    "SET default_transaction_isolation = 'read committed'; SET default_transaction_read_only = off;"
    "SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; SET jit = off;"
    "SET enable_hashjoin = off; SET enable_mergejoin = off;"
    "SET max_parallel_workers_per_gather = 0;"
    "SET cursor_tuple_fraction = 1;"
    "SELECT (SELECT system_identifier FROM pg_control_system()),"
    " CAST(CAST('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) AS bit(32)) AS bigint)";
static const char sql_configure_reader[] = "SET default_transaction_read_only = on";
/* A commit that flushes and waits for the replica as a charge's does, and locks no row. One at a
 * time: where the replica is silent, each leaves a session behind that waits for it. */
static const char sql_touch[] = "SELECT pg_advisory_xact_lock(" POSTGRES_LOCK_TOUCH_TEXT "); "
                                "SELECT pg_logical_emit_message(true, 'counterpart', '')";
static const char sql_partition[] = "SELECT partition_ahead()";

/* --- the location --- */

bool postgres_is_location(const char *location)
{
    return strncmp(location, "postgresql://", 13) == 0 || strncmp(location, "postgres://", 11) == 0;
}

/* The next of a comma-separated list, up to its comma or end. */
static struct text list_next(const char **list)
{
    size_t length = strcspn(*list, ",");
    struct text item = {*list, length};
    *list += length + ((*list)[length] == ',');
    return item;
}

static int copy_item(char *out, size_t capacity, struct text item)
{
    if (item.length >= capacity)
        return ERR_BAD_CONFIG;
    memcpy(out, item.base, item.length);
    out[item.length] = '\0';
    return 0;
}

static const char *option_of(const PQconninfoOption *options, const char *keyword)
{
    for (; options->keyword != NULL; options++)
        if (strcmp(options->keyword, keyword) == 0)
            return options->val == NULL ? "" : options->val;
    return "";
}

static int32_t count_items(const char *list)
{
    int32_t count = *list == '\0' ? 0 : 1;
    for (; *list != '\0'; list++)
        count += *list == ',';
    return count;
}

/* Of a list of hosts without ports libpq makes as many empty ones, which name the default; one of
 * them, for one host, would not replace the list. */
static struct text port_or_default(struct text port)
{
    return port.length == 0 ? TEXT("5432") : port;
}

/* As libpq pairs them: by position; one port stands for all. */
static int split_hosts(struct store_postgres *postgres, const PQconninfoOption *options)
{
    const char *names = option_of(options, "host"), *addresses = option_of(options, "hostaddr");
    const char *ports = option_of(options, "port");
    int32_t names_count = count_items(names), addresses_count = count_items(addresses);
    bool is_one_port = count_items(ports) == 1;
    postgres->host_count = names_count > addresses_count ? names_count : addresses_count;
    if (postgres->host_count > POSTGRES_HOSTS_MAX)
        return ERR_BAD_CONFIG;
    int err = 0;
    for (int32_t i = 0; err == 0 && i < postgres->host_count; i++) {
        struct postgres_host *host = &postgres->hosts[i];
        const char *port = ports;
        err = copy_item(host->name, sizeof(host->name), list_next(&names));
        if (err == 0)
            err = copy_item(host->address, sizeof(host->address), list_next(&addresses));
        if (err == 0)
            err = copy_item(host->port, sizeof(host->port),
                            port_or_default(list_next(is_one_port ? &port : &ports)));
    }
    return err;
}

/* Its message may quote the password, and is not passed on. */
static int read_location(struct store_postgres *postgres, const char *location)
{
    PQconninfoOption *options = PQconninfoParse(location, NULL);
    int err = options == NULL ? ERR_BAD_CONFIG : split_hosts(postgres, options);
    PQconninfoFree(options);
    return err;
}

const char *postgres_location_fault(const char *location)
{
    struct store_postgres postgres = {0};
    if (read_location(&postgres, location) == 0)
        return NULL;
    return "must be postgresql://user:password@host1:5432,host2:5432/database with at most 8 "
           "hosts; "
           "other characters than letters and digits in the password are written as %XX";
}

/* --- one attempt --- */

/*
 * What stands before the location may be set otherwise in it; what stands behind it may not. The
 * host is one of the location's: libpq would take the first that is writable, be it the old
 * primary. connect_timeout bounds every attempt, tcp_user_timeout and keepalives what a network
 * that swallows packets costs afterwards; GSSAPI would ask for tickets first.
 */
static PGconn *start(const struct store_postgres *postgres, int32_t which)
{
    static const struct postgres_host none;
    const struct postgres_host *host = which < 0 ? &none : &postgres->hosts[which];
    const char *const keywords[] = {"application_name",
                                    "connect_timeout",
                                    "keepalives_idle",
                                    "keepalives_interval",
                                    "keepalives_count",
                                    "tcp_user_timeout",
                                    "gssencmode",
                                    "dbname",
                                    "host",
                                    "hostaddr",
                                    "port",
                                    "target_session_attrs",
                                    "client_encoding",
                                    NULL};
    const char *const values[] = {
        "counterpart",      "2",        "5",           "1",        "3",          "5000", "disable",
        postgres->location, host->name, host->address, host->port, "read-write", "UTF8", NULL};
    return PQconnectdbParams(keywords, values, 1);
}

/* errors  ERR_STORE_DOWN: no usable session; the reason is logged, as an error where this one is
 * needed. */
static int check_session(PGconn *connection, bool is_needed)
{
    if (PQstatus(connection) != CONNECTION_OK) {
        log_event(is_needed ? LOG_ERROR : LOG_DEBUG, "postgres_not_connected",
                  LOG_TEXT("why", PQerrorMessage(connection)));
        return ERR_STORE_DOWN;
    }
    const char *encoding = PQparameterStatus(connection, "server_encoding");
    if (PQserverVersion(connection) < SERVER_VERSION_MIN || encoding == NULL ||
        strcmp(encoding, "UTF8") != 0) {
        log_event(LOG_ERROR, "postgres_not_served", LOG_INT("version", PQserverVersion(connection)),
                  LOG_TEXT("encoding", encoding == NULL ? "" : encoding));
        return ERR_STORE_DOWN;
    }
    return PQsetnonblocking(connection, 1) == 0 ? 0 : ERR_STORE_DOWN;
}

static int read_number(const PGresult *result, int column, int64_t *number)
{
    if (PQntuples(result) != 1 || PQnfields(result) != 2)
        return ERR_STORE_DOWN;
    return text_parse_int64(text_of(PQgetvalue(result, 0, column)), number);
}

static int prepare_named(struct store_postgres *postgres, const char *name, const char *text)
{
    PGresult *result = NULL;
    if (PQsendPrepare(postgres->connection, name, text, 0, NULL) == 0)
        return postgres_lose(postgres, PQerrorMessage(postgres->connection));
    int err = postgres_take(postgres, text, false, &result);
    PQclear(result);
    return err;
}

/* Settings, and who it is: an old primary is sent away. */
static int introduce(struct store_postgres *postgres)
{
    int64_t identifier = 0;
    PGresult *result;
    int err = postgres_ask(postgres, sql_configure, &result);
    if (err == 0)
        err = read_number(result, 0, &identifier);
    if (err == 0)
        err = read_number(result, 1, &postgres->timeline);
    PQclear(result);
    if (err == 0)
        err = cluster_meet(postgres->cluster, identifier, postgres->timeline);
    if (err == 0)
        err = prepare_named(postgres, POSTGRES_NAMED_BEGIN, "BEGIN");
    if (err == 0)
        err = prepare_named(postgres, POSTGRES_NAMED_COMMIT, "COMMIT");
    if (err == 0 && postgres->sql.mode == STORE_READER)
        err = postgres_execute(postgres, sql_configure_reader);
    return err == 0 ? postgres_schema_announce(postgres) : err;
}

static int try_host(struct store_postgres *postgres, int32_t which, bool is_needed)
{
    postgres->connection = start(postgres, which);
    if (postgres->connection == NULL)
        return ERR_NO_MEMORY;
    postgres->connection_number++;
    postgres->has_ended = false;
    PQsetNoticeReceiver(postgres->connection, postgres_on_notice, postgres);
    int err = check_session(postgres->connection, is_needed);
    if (err == 0)
        err = introduce(postgres);
    if (err != 0)
        postgres_disconnect(postgres);
    return err;
}

/* --- connecting --- */

/* One more host, beside the connection there may be: that one stays unless this one is as new. */
static int try_other(struct store_postgres *postgres, int32_t which)
{
    PGconn *kept = postgres->connection;
    int64_t kept_timeline = postgres->timeline;
    postgres->connection = NULL;
    int err = try_host(postgres, which, kept == NULL);
    if (err == 0) {
        postgres->host_last = which;
        PQfinish(kept);
        return 0;
    }
    postgres->connection = kept;
    postgres->timeline = kept_timeline;
    postgres->has_ended = false;
    return kept == NULL ? err : 0;
}

/*
 * All of them, each time: an old primary that its machine has started again takes writes, too, and
 * who has met neither, or only the old one, would not know. The newest is what is kept, because an
 * older one than any that was met is refused. The one that served last comes first. Standbys refuse
 * at once; a host that is gone costs its time-out.
 */
static int try_hosts(struct store_postgres *postgres)
{
    if (postgres->host_count == 0)
        return try_host(postgres, -1, true);
    int err = ERR_STORE_DOWN;
    int32_t first = postgres->host_last;
    for (int32_t i = 0; i < postgres->host_count && err != ERR_NO_MEMORY; i++)
        err = try_other(postgres, (first + i) % postgres->host_count);
    if (err == 0 && postgres->timeline < cluster_timeline(postgres->cluster)) {
        postgres_disconnect(postgres); /* another connection has met a newer one meanwhile */
        err = ERR_STORE_DOWN;
    }
    return err;
}

void postgres_disconnect(struct store_postgres *postgres)
{
    PQfinish(postgres->connection);
    postgres->connection = NULL;
}

/* Closed by the server meanwhile? What it says unasked comes as a notice. */
static bool has_ended(struct store_postgres *postgres)
{
    PGconn *connection = postgres->connection;
    struct pollfd pollfd = {.fd = PQsocket(connection), .events = POLLIN};
    if (poll(&pollfd, 1, 0) == 0)
        return false;
    bool is_lost = PQconsumeInput(connection) == 0 || PQisBusy(connection) != 0;
    return is_lost || postgres->has_ended || PQstatus(connection) != CONNECTION_OK;
}

static bool is_usable(struct store_postgres *postgres)
{
    return postgres->connection != NULL &&
           postgres->timeline >= cluster_timeline(postgres->cluster) &&
           PQtransactionStatus(postgres->connection) == PQTRANS_IDLE && !has_ended(postgres);
}

int postgres_connect(struct store_postgres *postgres)
{
    CHECK(!postgres->is_begun);
    if (is_usable(postgres))
        return 0;
    postgres_disconnect(postgres);
    if (clock_monotonic_us() < postgres->retry_at_us)
        return ERR_STORE_DOWN;
    int err = try_hosts(postgres);
    if (err == 0) {
        postgres->retry_wait_us = RETRY_FIRST_US;
        return 0;
    }
    postgres->retry_at_us = clock_monotonic_us() + postgres->retry_wait_us;
    postgres->retry_wait_us = clock_sooner_us(2 * postgres->retry_wait_us, RETRY_MAX_US);
    return err == ERR_NO_MEMORY ? err : ERR_STORE_DOWN;
}

/* --- the backend --- */

static int run_change(struct store_postgres *postgres, const char *text)
{
    int err = postgres_begin(postgres);
    if (err == 0)
        err = postgres_execute(postgres, text);
    if (err != 0)
        postgres_driver.rollback(&postgres->sql);
    return err != 0 ? err : postgres_driver.commit(&postgres->sql);
}

/* The server does that itself; what is left to do now and then is to make room for the ids to
 * come. */
static int postgres_checkpoint(struct store *store)
{
    struct store_postgres *postgres = postgres_of(store);
    int64_t now_us = clock_monotonic_us();
    if (now_us < postgres->partition_at_us)
        return 0;
    int err = run_change(postgres, sql_partition);
    if (err == 0)
        postgres->partition_at_us = now_us + PARTITION_EVERY_US;
    return err;
}

static int postgres_ping(struct store *store)
{
    struct store_postgres *postgres = postgres_of(store);
    int64_t generation;
    return postgres->sql.mode == STORE_WRITER ? run_change(postgres, sql_touch)
                                              : sql_generation(store, &generation);
}

static void postgres_close(struct store *store)
{
    struct store_postgres *postgres = postgres_of(store);
    sql_finalize_all(&postgres->sql);
    postgres_disconnect(postgres);
    cluster_release(postgres->cluster);
    if (postgres->location != NULL)
        seal_wipe(postgres->location, strlen(postgres->location));
    free(postgres->location);
    free(postgres);
}

static const struct store_backend postgres_backend = {
    SQL_BACKEND,
    .fetch = postgres_fetch,
    .commit = postgres_commit,
    .settle = postgres_settle,
    .reruns_max = 3,
    .is_shared = true,
    .checkpoint = postgres_checkpoint,
    .ping = postgres_ping,
    .close = postgres_close,
};

static int init(struct store_postgres *postgres, const char *location, const char *timeline_path)
{
    postgres->location = strdup(location);
    if (postgres->location == NULL)
        return ERR_NO_MEMORY;
    int err = read_location(postgres, location);
    if (err == 0)
        err = cluster_acquire(location, timeline_path, &postgres->cluster);
    return err != 0 ? err : postgres_connect(postgres);
}

int postgres_open(const char *location, const char *timeline_path, enum store_mode mode,
                  struct store_postgres **opened)
{
    struct store_postgres *postgres = calloc(1, sizeof(*postgres));
    *opened = NULL;
    if (postgres == NULL)
        return ERR_NO_MEMORY;
    postgres->sql.store.backend = &postgres_backend;
    postgres->sql.driver = &postgres_driver;
    postgres->sql.mode = mode;
    postgres->patience_us = POSTGRES_PATIENCE_US;
    postgres->retry_wait_us = RETRY_FIRST_US;
    int err = init(postgres, location, timeline_path);
    if (err != 0) {
        postgres_close(&postgres->sql.store);
        return err;
    }
    *opened = postgres;
    return 0;
}

int store_postgres_open(const struct store_config *config, enum store_mode mode,
                        struct store **store)
{
    struct store_postgres *postgres;
    int err = postgres_open(config->location, config->timeline_path, mode, &postgres);
    if (err != 0)
        return err;
    postgres->sql.store.seal = config->seal;
    err = postgres_schema_open(postgres);
    if (err != 0) {
        postgres_close(&postgres->sql.store);
        return err;
    }
    *store = &postgres->sql.store;
    return 0;
}

int store_postgres_is_empty(const char *location, bool *is_empty)
{
    struct store_postgres *postgres;
    PGresult *result;
    int64_t count = 0;
    int err = postgres_open(location, NULL, STORE_READER, &postgres);
    if (err != 0)
        return err;
    err = postgres_ask(postgres, postgres_sql_count_tables, &result);
    if (err == 0)
        err = text_parse_int64(text_of(PQgetvalue(result, 0, 0)), &count);
    PQclear(result);
    postgres_close(&postgres->sql.store);
    *is_empty = count == 0;
    return err;
}
