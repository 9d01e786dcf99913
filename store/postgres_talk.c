/*
 * Talking to the server: waits for answers with a bound, and says what an answer means.
 */
#include "store/postgres.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

#include "base/banned.h"

#define STATEMENT_LOGGED_MAX 400 /* enough to find it; a schema has thousands */

static bool has_class(const char *sqlstate, const char *class)
{
    return strncmp(sqlstate, class, strlen(class)) == 0;
}

/* PostgreSQL's appendix A. A value that the database does not take (class 22) is the row's fault,
 * as a constraint is: the batch that holds it is run again one by one. */
int postgres_error_of(const char *sqlstate)
{
    static const struct {
        const char *class;
        int err;
    } errors[] = {
        {"22", ERR_STORE_CONSTRAINT}, {"23", ERR_STORE_CONSTRAINT}, {"40001", ERR_STORE_BUSY},
        {"40P01", ERR_STORE_BUSY},    {"55P03", ERR_STORE_BUSY}, /* lock_timeout */
        {"57014", ERR_STORE_BUSY},                               /* statement_timeout */
        {"53100", ERR_STORE_FULL},    {"53200", ERR_NO_MEMORY},     {"XX001", ERR_STORE_CORRUPT},
        {"XX002", ERR_STORE_CORRUPT},
    };
    for (size_t i = 0; sqlstate != NULL && i < COUNT_OF(errors); i++)
        if (has_class(sqlstate, errors[i].class))
            return errors[i].err;
    return ERR_STORE_DOWN;
}

/* Of a statement of values that somebody chose: what they make impossible is an answer. */
static int quiet_error_of(const char *sqlstate)
{
    if (strcmp(sqlstate, "23505") == 0)
        return ERR_ALREADY_EXISTS;
    return strcmp(sqlstate, "23503") == 0 ? ERR_NOT_FOUND : postgres_error_of(sqlstate);
}

/* After these the session is over, or is not the primary's: 25006 a server that takes no writes,
 * 25P03 a transaction that idled too long. */
static bool is_end_of_session(const char *sqlstate)
{
    static const char *const classes[] = {"08", "57P", "25006", "25P03"};
    for (size_t i = 0; sqlstate != NULL && i < COUNT_OF(classes); i++)
        if (has_class(sqlstate, classes[i]))
            return true;
    return sqlstate == NULL;
}

int postgres_lose(struct store_postgres *postgres, const char *why)
{
    log_event(LOG_ERROR, "postgres_connection_lost", LOG_TEXT("why", why),
              LOG_BOOL("is_committing", postgres->is_committing));
    postgres_disconnect(postgres);
    return postgres->is_committing ? ERR_COMMIT_UNKNOWN : ERR_STORE_DOWN;
}

/* The message names constraints and tables; its detail holds values and is left out, and so is the
 * message where it quotes the value that was no good. */
static void log_refusal(const PGresult *result, const char *what, const char *sqlstate)
{
    const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    const char *constraint = PQresultErrorField(result, PG_DIAG_CONSTRAINT_NAME);
    bool is_quoting = has_class(sqlstate, "22");
    struct text statement = {what, strnlen(what, STATEMENT_LOGGED_MAX)};
    log_event(LOG_ERROR, "postgres_failed", LOG_TEXT_N("statement", statement),
              LOG_TEXT("sqlstate", sqlstate),
              LOG_TEXT("message", message == NULL || is_quoting ? "" : message),
              LOG_TEXT("constraint", constraint == NULL ? "" : constraint));
}

static int judge_error(struct store_postgres *postgres, const PGresult *result, const char *what,
                       bool is_quiet)
{
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    if (sqlstate == NULL)
        return postgres_lose(postgres, PQresultErrorMessage(result));
    int err = is_quiet ? quiet_error_of(sqlstate) : postgres_error_of(sqlstate);
    if (strcmp(sqlstate, "25P02") == 0 && postgres->failed_err != 0)
        return postgres->failed_err; /* only says that something before it has failed */
    if (err != ERR_ALREADY_EXISTS && err != ERR_NOT_FOUND)
        log_refusal(result, what, sqlstate);
    postgres->failed_err = postgres->is_begun ? err : 0;
    if (is_end_of_session(sqlstate) || PQstatus(postgres->connection) != CONNECTION_OK)
        return postgres_lose(postgres, sqlstate);
    return err;
}

int postgres_judge(struct store_postgres *postgres, const PGresult *result, const char *what,
                   bool is_quiet)
{
    if (result == NULL)
        return postgres_lose(postgres, "no answer where one was due");
    int status = (int)PQresultStatus(result);
    if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK) {
        postgres->failed_err = 0;
        return 0;
    }
    if (status == PGRES_PIPELINE_ABORTED)
        return postgres->failed_err != 0 ? postgres->failed_err : ERR_STORE_DOWN;
    return judge_error(postgres, result, what, is_quiet);
}

/*
 * What an answer to COMMIT says for certain: a refusal of severity ERROR comes from a transaction
 * that was rolled back, and the tag ROLLBACK from one that something had already made useless. A
 * warning means that the wait for the replica was cut short; anything else ends the session, and
 * the commit may have come before it.
 */
int postgres_judge_commit(struct store_postgres *postgres, const PGresult *result, int err)
{
    const char *severity =
        result == NULL ? NULL : PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);
    bool is_refusal = severity != NULL && strcmp(severity, "ERROR") == 0;
    bool is_aborted = result != NULL && PQresultStatus(result) == PGRES_PIPELINE_ABORTED;
    if (err != 0)
        return is_refusal || is_aborted ? err : ERR_COMMIT_UNKNOWN;
    if (strcmp(PQcmdStatus((PGresult *)result), "COMMIT") != 0)
        return ERR_STORE_CONSTRAINT;
    return postgres->was_warned ? ERR_COMMIT_UNKNOWN : 0;
}

void postgres_on_notice(void *context, const PGresult *notice)
{
    struct store_postgres *postgres = context;
    const char *severity = PQresultErrorField(notice, PG_DIAG_SEVERITY_NONLOCALIZED);
    const char *sqlstate = PQresultErrorField(notice, PG_DIAG_SQLSTATE);
    const char *message = PQresultErrorField(notice, PG_DIAG_MESSAGE_PRIMARY);
    bool is_last_word =
        severity != NULL && (strcmp(severity, "FATAL") == 0 || strcmp(severity, "PANIC") == 0);
    if (severity != NULL && strcmp(severity, "WARNING") != 0 && !is_last_word)
        return; /* NOTICE, INFO: about the schema */
    postgres->was_warned |= postgres->is_committing;
    postgres->has_ended |= is_last_word;
    log_event(LOG_WARNING, "postgres_warns", LOG_TEXT("sqlstate", sqlstate == NULL ? "" : sqlstate),
              LOG_TEXT("message", message == NULL ? "" : message));
}

/* --- waiting --- */

static int wait_for_socket(PGconn *connection, bool wants_write, int64_t until_us)
{
    int64_t left_us = until_us - clock_monotonic_us();
    if (left_us <= 0)
        return ERR_TIMED_OUT;
    int64_t left_ms = left_us / 1000 + 1;
    struct pollfd pollfd = {.fd = PQsocket(connection),
                            .events = wants_write ? POLLIN | POLLOUT : POLLIN};
    int count = poll(&pollfd, 1, left_ms > INT32_MAX ? INT32_MAX : (int)left_ms);
    return count < 0 && errno != EINTR ? ERR_IO : 0;
}

/* Until PQgetResult has what it needs. */
static int wait_for_result(struct store_postgres *postgres)
{
    int64_t until_us = clock_monotonic_us() + postgres->patience_us;
    PGconn *connection = postgres->connection;
    for (;;) {
        int unsent = PQflush(connection);
        if (unsent < 0)
            return postgres_lose(postgres, PQerrorMessage(connection));
        if (unsent == 0 && PQisBusy(connection) == 0)
            return 0;
        int err = wait_for_socket(connection, unsent > 0, until_us);
        if (err != 0)
            return postgres_lose(postgres, err == ERR_TIMED_OUT ? "it does not answer in time"
                                                                : "its socket failed");
        if (PQconsumeInput(connection) == 0)
            return postgres_lose(postgres, PQerrorMessage(connection));
    }
}

int postgres_take_next(struct store_postgres *postgres, PGresult **result)
{
    *result = NULL;
    if (postgres->connection == NULL)
        return postgres->is_committing ? ERR_COMMIT_UNKNOWN : ERR_STORE_DOWN;
    int err = wait_for_result(postgres);
    if (err == 0)
        *result = PQgetResult(postgres->connection);
    return err;
}

int postgres_take(struct store_postgres *postgres, const char *what, bool is_quiet,
                  PGresult **result)
{
    PGresult *next;
    int err = postgres_take_next(postgres, result);
    if (err == 0)
        err = postgres_judge(postgres, *result, what, is_quiet);
    while (postgres->connection != NULL && *result != NULL) {
        int end_err = postgres_take_next(postgres, &next);
        if (err == 0)
            err = end_err;
        if (next == NULL)
            break;
        PQclear(*result);
        *result = next;
        if (err == 0)
            err = postgres_judge(postgres, next, what, is_quiet);
    }
    return err;
}

int postgres_ask(struct store_postgres *postgres, const char *text, PGresult **result)
{
    *result = NULL;
    if (postgres->connection == NULL)
        return ERR_STORE_DOWN;
    if (PQsendQuery(postgres->connection, text) == 0)
        return postgres_lose(postgres, PQerrorMessage(postgres->connection));
    return postgres_take(postgres, text, false, result);
}

int postgres_execute(struct store_postgres *postgres, const char *text)
{
    PGresult *result;
    int err = postgres_ask(postgres, text, &result);
    PQclear(result);
    return err;
}

int postgres_be_patient(struct store_postgres *postgres)
{
    CHECK(postgres->is_begun);
    postgres->patience_us = INT64_MAX / 2;
    return postgres_execute(postgres,
                            "SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0; "
                            "SET LOCAL enable_seqscan = on; SET LOCAL enable_hashjoin = on; "
                            "SET LOCAL enable_mergejoin = on; SET LOCAL plan_cache_mode = auto");
}
