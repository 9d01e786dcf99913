/*
 * The PostgreSQL driver: statements, their parameters and columns, and transactions, over libpq.
 */
#include "store/postgres.h"

#include "base/check.h"
#include "base/error.h"
#include "base/log.h"

#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

/* Rows of a stream that are here at a time. */
#define STREAM_ROWS 4096

/* What else than enum postgres_type a column may be. */
enum column_type {
    TYPE_BOOL = 16,
    TYPE_CHAR = 18,
    TYPE_NAME = 19,
    TYPE_INT2 = 21,
    TYPE_INT4 = 23,
    TYPE_OID = 26,
    TYPE_UNKNOWN = 705,
    TYPE_VARCHAR = 1043,
};

/* --- texts --- */

static bool is_digit(char byte)
{
    return byte >= '0' && byte <= '9';
}

/* The byte after a quoted word that begins at quote. A doubled quote in it ends one word and begins
 * the next, which comes to the same. */
static const char *skip_quoted(const char *quote)
{
    const char *end = strchr(quote + 1, *quote);
    CHECK(end != NULL);
    return end + 1;
}

static int count_marks(const char *text)
{
    int count = 0;
    for (const char *at = text; *at != '\0'; at++)
        count += *at == '?';
    return count;
}

/* at: behind the ?. *number: what it asks for. Returns what is behind its digits. */
static const char *read_number(const char *at, int *number)
{
    *number = 0;
    for (; is_digit(*at); at++)
        *number = *number * 10 + (*at - '0');
    return at;
}

static void append_mark(struct text_buffer *buffer, const char **at, int *parameter_count)
{
    int number;
    *at = read_number(*at + 1, &number);
    if (number == 0)
        number = *parameter_count + 1;
    if (number > *parameter_count)
        *parameter_count = number;
    CHECK(number <= POSTGRES_PARAMETERS_MAX);
    text_append_format(buffer, "$%d", number);
}

int postgres_translate(const char *text, char **translated, int *parameter_count)
{
    size_t size = strlen(text) + 3 * (size_t)count_marks(text) + 1; /* ? becomes at most $96 */
    char *bytes = malloc(size);
    struct text_buffer buffer;
    *translated = bytes;
    *parameter_count = 0;
    if (bytes == NULL)
        return ERR_NO_MEMORY;
    text_buffer_init(&buffer, bytes, size);
    for (const char *at = text; *at != '\0';) {
        if (*at == '?') {
            append_mark(&buffer, &at, parameter_count);
            continue;
        }
        const char *end = *at == '\'' || *at == '"' ? skip_quoted(at) : at + 1;
        text_append(&buffer, (struct text){at, (size_t)(end - at)});
        at = end;
    }
    CHECK(!buffer.is_cut);
    return 0;
}

static int prepare_as(struct sql *sql, const char *text, bool is_stream,
                      struct sql_statement **statement)
{
    char *translated;
    int count;
    *statement = NULL;
    int err = postgres_translate(text, &translated, &count);
    if (err != 0)
        return err;
    struct postgres_statement *made =
        calloc(1, sizeof(*made) + (size_t)count * sizeof(made->parameters[0]));
    if (made == NULL) {
        free(translated);
        return ERR_NO_MEMORY;
    }
    made->base = (struct sql_statement){.driver = &postgres_driver, .text = text};
    made->postgres = postgres_of_sql(sql);
    made->text = translated;
    made->is_stream = is_stream;
    made->parameter_count = count;
    *statement = &made->base;
    return 0;
}

static int driver_prepare(struct sql *sql, const char *text, struct sql_statement **statement)
{
    return prepare_as(sql, text, false, statement);
}

static int driver_prepare_stream(struct sql *sql, const char *text,
                                 struct sql_statement **statement)
{
    return prepare_as(sql, text, true, statement);
}

static void name_of(const struct postgres_statement *statement, char name[POSTGRES_NAME_MAX])
{
    struct text_buffer buffer;
    text_buffer_init(&buffer, name, POSTGRES_NAME_MAX);
    text_append_format(&buffer, "%c%lld", statement->is_stream ? 'c' : 's',
                       (long long)statement->name);
    CHECK(!buffer.is_cut);
}

static void drop_result(struct postgres_statement *statement)
{
    PQclear(statement->result);
    statement->result = NULL;
}

/* Of the transaction under way, and useful? */
static bool is_cursor_open(const struct postgres_statement *statement)
{
    const struct store_postgres *postgres = statement->postgres;
    return statement->is_open && postgres->is_begun && postgres->connection != NULL &&
           postgres->failed_err == 0 && statement->connection_number == postgres->connection_number;
}

/* What it has sorted need not wait for the end of the transaction. */
static void close_cursor(struct postgres_statement *statement)
{
    char name[POSTGRES_NAME_MAX], text[POSTGRES_NAME_MAX + 8];
    struct text_buffer buffer;
    name_of(statement, name);
    text_buffer_init(&buffer, text, sizeof(text));
    text_append_format(&buffer, "CLOSE %s", name);
    CHECK(!buffer.is_cut);
    int err = is_cursor_open(statement) ? postgres_execute(statement->postgres, text) : 0;
    (void)err; /* logged; what comes next fails too */
    statement->is_open = false;
}

static void driver_reset(struct sql_statement *base)
{
    struct postgres_statement *statement = postgres_statement_of(base);
    drop_result(statement);
    if (statement->is_open)
        close_cursor(statement);
}

/* What the server holds of it ends with the connection: closing a statement costs a round trip, and
 * a connection's statements are as many as the program's texts. */
static void driver_finalize(struct sql_statement *base)
{
    if (base == NULL)
        return;
    struct postgres_statement *statement = postgres_statement_of(base);
    driver_reset(base);
    for (int i = 0; i < statement->parameter_count; i++)
        postgres_array_finish(&statement->parameters[i].array);
    free(statement->text);
    free(statement);
}

/* --- parameters --- */

static struct postgres_parameter *parameter_at(struct sql_statement *base, int position)
{
    struct postgres_statement *statement = postgres_statement_of(base);
    CHECK(position >= 1 && position <= statement->parameter_count);
    return &statement->parameters[position - 1];
}

static void driver_bind_int(struct sql_statement *base, int position, int64_t value)
{
    struct postgres_parameter *parameter = parameter_at(base, position);
    for (int i = 0; i < 8; i++)
        parameter->number[i] = (uint8_t)((uint64_t)value >> (56 - 8 * i));
    parameter->type = POSTGRES_INT8;
    parameter->bytes = parameter->number;
    parameter->size = sizeof(parameter->number);
}

/* Without a byte to point at it would be NULL. */
static void bind_bytes(struct sql_statement *base, int position, const void *bytes, size_t size,
                       enum postgres_type type)
{
    struct postgres_parameter *parameter = parameter_at(base, position);
    parameter->type = type;
    parameter->bytes = size == 0 ? "" : bytes;
    parameter->size = size;
}

static void driver_bind_blob(struct sql_statement *base, int position, const void *bytes,
                             size_t size)
{
    bind_bytes(base, position, bytes, size, POSTGRES_BYTEA);
}

static void driver_bind_text(struct sql_statement *base, int position, const char *c_string)
{
    bind_bytes(base, position, c_string, strlen(c_string), POSTGRES_TEXT);
}

/* --- running --- */

struct sent_values {
    Oid types[POSTGRES_PARAMETERS_MAX];
    const char *values[POSTGRES_PARAMETERS_MAX];
    int sizes[POSTGRES_PARAMETERS_MAX];
    int formats[POSTGRES_PARAMETERS_MAX];
};

static bool is_array(const struct postgres_parameter *parameter)
{
    return parameter->type == POSTGRES_INT8_ARRAY || parameter->type == POSTGRES_BYTEA_ARRAY ||
           parameter->type == POSTGRES_TEXT_ARRAY || parameter->array.row.width > 0;
}

/* errors  ERR_NO_MEMORY: an array that could not grow. */
static int values_gather(struct postgres_statement *statement, struct sent_values *sent)
{
    for (int i = 0; i < statement->parameter_count; i++) {
        struct postgres_parameter *parameter = &statement->parameters[i];
        if (is_array(parameter)) {
            parameter->bytes = postgres_array_encode(&parameter->array, &parameter->size);
            if (parameter->bytes == NULL)
                return ERR_NO_MEMORY;
        }
        CHECK(parameter->size <= INT32_MAX);
        sent->types[i] = parameter->type;
        sent->values[i] = parameter->bytes;
        sent->sizes[i] = (int)parameter->size;
        sent->formats[i] = 1;
    }
    return 0;
}

bool postgres_is_prepared(const struct store_postgres *postgres,
                          const struct postgres_statement *statement)
{
    if (statement->connection_number != postgres->connection_number)
        return false;
    for (int i = 0; i < statement->parameter_count; i++)
        if (statement->parameters[i].type != statement->parameters[i].type_prepared)
            return false;
    return true;
}

static int send_failed(struct store_postgres *postgres)
{
    return postgres_lose(postgres, PQerrorMessage(postgres->connection));
}

int postgres_send_prepare(struct store_postgres *postgres, struct postgres_statement *statement)
{
    struct sent_values sent;
    char name[POSTGRES_NAME_MAX];
    statement->connection_number = 0;
    statement->name = ++postgres->name_count;
    name_of(statement, name);
    int err = values_gather(statement, &sent);
    if (err != 0)
        return err;
    for (int i = 0; i < statement->parameter_count; i++)
        statement->parameters[i].type_prepared = statement->parameters[i].type;
    int sent_count = PQsendPrepare(postgres->connection, name, statement->text,
                                   statement->parameter_count, sent.types);
    return sent_count == 1 ? 0 : send_failed(postgres);
}

int postgres_send_execute(struct store_postgres *postgres, struct postgres_statement *statement)
{
    struct sent_values sent;
    char name[POSTGRES_NAME_MAX];
    name_of(statement, name);
    int err = values_gather(statement, &sent);
    if (err != 0)
        return err;
    int sent_count = PQsendQueryPrepared(postgres->connection, name, statement->parameter_count,
                                         sent.values, sent.sizes, sent.formats, 1);
    return sent_count == 1 ? 0 : send_failed(postgres);
}

static int prepare_now(struct store_postgres *postgres, struct postgres_statement *statement)
{
    PGresult *result = NULL;
    int err = postgres_send_prepare(postgres, statement);
    if (err == 0)
        err = postgres_take(postgres, statement->text, false, &result);
    PQclear(result);
    statement->connection_number = err == 0 ? postgres->connection_number : 0;
    return err;
}

static bool is_int_type(Oid type)
{
    return type == POSTGRES_INT8 || type == TYPE_INT4 || type == TYPE_INT2 || type == TYPE_BOOL ||
           type == TYPE_OID;
}

static bool is_bytes_type(Oid type)
{
    return type == POSTGRES_TEXT || type == POSTGRES_BYTEA || type == TYPE_VARCHAR ||
           type == TYPE_NAME || type == TYPE_CHAR || type == TYPE_UNKNOWN;
}

static int64_t changed_of(PGresult *result)
{
    int64_t count;
    return text_parse_int64(text_of(PQcmdTuples(result)), &count) == 0 ? count : 0;
}

int postgres_keep_result(struct store_postgres *postgres, struct postgres_statement *statement,
                         PGresult *result)
{
    drop_result(statement);
    statement->result = result;
    statement->row = -1;
    for (int i = 0; i < PQnfields(result); i++) {
        Oid type = PQftype(result, i);
        if (is_int_type(type) || is_bytes_type(type))
            continue;
        log_event(LOG_ERROR, "column_type_unknown", LOG_TEXT("statement", statement->text),
                  LOG_INT("column", i), LOG_INT("type", type));
        drop_result(statement);
        return ERR_BUG;
    }
    if (strncmp(PQcmdStatus(result), "SELECT", 6) != 0)
        postgres->sql.changed_count = (int32_t)changed_of(result);
    return 0;
}

static int execute(struct store_postgres *postgres, struct postgres_statement *statement,
                   bool is_quiet)
{
    PGresult *result = NULL;
    int err = postgres_is_prepared(postgres, statement) ? 0 : prepare_now(postgres, statement);
    if (err == 0)
        err = postgres_send_execute(postgres, statement);
    if (err == 0)
        err = postgres_take(postgres, statement->text, is_quiet, &result);
    if (err == 0)
        return postgres_keep_result(postgres, statement, result);
    PQclear(result);
    return err;
}

/* PostgreSQL gives up a whole transaction for one statement that failed; with a savepoint before it
 * only that statement. */
static int execute_quietly(struct store_postgres *postgres, struct postgres_statement *statement)
{
    int end_err = 0;
    int err = postgres->is_begun ? postgres_execute(postgres, "SAVEPOINT quiet") : 0;
    if (err != 0)
        return err;
    err = execute(postgres, statement, true);
    if (postgres->is_begun && err == 0)
        end_err = postgres_execute(postgres, "RELEASE quiet");
    else if (postgres->is_begun && postgres->connection != NULL)
        end_err = postgres_execute(postgres, "ROLLBACK TO quiet; RELEASE quiet");
    return err != 0 ? err : end_err;
}

/* --- streams: cursors of the read transaction --- */

/* errors  ERR_NO_MEMORY. ownership: *text is the caller's, free. */
static int stream_text(const struct postgres_statement *statement, char **text)
{
    static const char declare[] = "DECLARE %s BINARY NO SCROLL CURSOR FOR %s";
    char name[POSTGRES_NAME_MAX];
    struct text_buffer buffer;
    size_t size = sizeof(declare) + sizeof(name) + strlen(statement->text);
    *text = malloc(size);
    if (*text == NULL)
        return ERR_NO_MEMORY;
    name_of(statement, name);
    text_buffer_init(&buffer, *text, size);
    text_append_format(&buffer, declare, name, statement->text);
    CHECK(!buffer.is_cut);
    return 0;
}

static int stream_declare(struct store_postgres *postgres, struct postgres_statement *statement)
{
    struct sent_values sent;
    PGresult *result = NULL;
    char *text = NULL;
    CHECK(postgres->is_begun);
    statement->name = ++postgres->name_count;
    int err = values_gather(statement, &sent);
    if (err == 0)
        err = stream_text(statement, &text);
    if (err == 0 && PQsendQueryParams(postgres->connection, text, statement->parameter_count,
                                      sent.types, sent.values, sent.sizes, sent.formats, 1) == 0)
        err = send_failed(postgres);
    if (err == 0)
        err = postgres_take(postgres, statement->text, false, &result);
    free(text);
    PQclear(result);
    statement->connection_number = postgres->connection_number;
    statement->is_open = err == 0;
    return err;
}

static int stream_fetch(struct store_postgres *postgres, struct postgres_statement *statement)
{
    char name[POSTGRES_NAME_MAX], text[64];
    struct text_buffer buffer;
    PGresult *result = NULL;
    name_of(statement, name);
    text_buffer_init(&buffer, text, sizeof(text));
    text_append_format(&buffer, "FETCH %d FROM %s", STREAM_ROWS, name);
    CHECK(!buffer.is_cut);
    int err = 0;
    if (PQsendQueryParams(postgres->connection, text, 0, NULL, NULL, NULL, NULL, 1) == 0)
        err = send_failed(postgres);
    if (err == 0)
        err = postgres_take(postgres, statement->text, false, &result);
    if (err == 0)
        return postgres_keep_result(postgres, statement, result);
    PQclear(result);
    return err;
}

/* The first portion, or the next: a full one may have another behind it. */
static int stream_advance(struct store_postgres *postgres, struct postgres_statement *statement)
{
    if (statement->result != NULL) {
        if (!is_cursor_open(statement))
            return ERR_STORE_DOWN; /* its transaction has ended */
        return PQntuples(statement->result) < STREAM_ROWS ? 0 : stream_fetch(postgres, statement);
    }
    int err = stream_declare(postgres, statement);
    return err != 0 ? err : stream_fetch(postgres, statement);
}

/* --- steps and columns --- */

/* Rows to walk from: the statement's, where there are any. */
static int advance(struct store_postgres *postgres, struct postgres_statement *statement,
                   bool is_quiet)
{
    if (statement->result != NULL && !statement->is_stream)
        return 0;
    int err = 0;
    if (!postgres->is_begun)
        err = postgres_connect(postgres);
    else if (postgres->connection == NULL)
        err = ERR_STORE_DOWN; /* the transaction that was begun is gone */
    if (err != 0)
        return err;
    if (statement->is_stream)
        return stream_advance(postgres, statement);
    return is_quiet ? execute_quietly(postgres, statement) : execute(postgres, statement, false);
}

static bool has_next_row(const struct postgres_statement *statement)
{
    return statement->result != NULL && statement->row + 1 < PQntuples(statement->result);
}

static int driver_step(struct sql *sql, struct sql_statement *base, bool is_quiet, bool *has_row)
{
    struct postgres_statement *statement = postgres_statement_of(base);
    int err = 0;
    *has_row = has_next_row(statement);
    if (!*has_row)
        err = advance(postgres_of_sql(sql), statement, is_quiet);
    *has_row = err == 0 && has_next_row(statement);
    if (*has_row)
        statement->row++;
    else
        driver_reset(base);
    return err;
}

static int64_t driver_column_int(const struct sql_statement *base, int column)
{
    const struct postgres_statement *statement = (const struct postgres_statement *)base;
    const PGresult *result = statement->result;
    CHECK(result != NULL && column < PQnfields(result) && is_int_type(PQftype(result, column)));
    const uint8_t *bytes = (const uint8_t *)PQgetvalue(result, statement->row, column);
    int size = PQgetlength(result, statement->row, column);
    bool is_negative = size > 1 && (bytes[0] & 0x80) != 0 && PQftype(result, column) != TYPE_OID;
    uint64_t value = is_negative ? UINT64_MAX : 0;
    for (int i = 0; i < size; i++)
        value = value << 8 | bytes[i];
    return (int64_t)value;
}

static const void *driver_column_bytes(const struct sql_statement *base, int column, size_t *size)
{
    const struct postgres_statement *statement = (const struct postgres_statement *)base;
    const PGresult *result = statement->result;
    CHECK(result != NULL && column < PQnfields(result) && is_bytes_type(PQftype(result, column)));
    *size = (size_t)PQgetlength(result, statement->row, column);
    if (PQgetisnull(result, statement->row, column) != 0)
        return NULL;
    return PQgetvalue(result, statement->row, column); /* libpq puts a NUL behind it */
}

static int driver_column_count(const struct sql_statement *base)
{
    const struct postgres_statement *statement = (const struct postgres_statement *)base;
    return statement->result == NULL ? 0 : PQnfields(statement->result);
}

/* --- transactions --- */

void postgres_end_transaction(struct store_postgres *postgres)
{
    postgres->is_begun = false;
    postgres->is_committing = false;
    postgres->was_warned = false;
    postgres->failed_err = 0;
    postgres->patience_us = POSTGRES_PATIENCE_US;
}

static void driver_rollback(struct sql *sql)
{
    struct store_postgres *postgres = postgres_of_sql(sql);
    if (!postgres->is_begun)
        return;
    if (postgres->connection != NULL) {
        int err = postgres_execute(postgres, "ROLLBACK");
        if (err != 0)
            postgres_disconnect(postgres); /* logged; without its connection it is rolled back */
    }
    postgres_end_transaction(postgres);
}

static int begin_with(struct store_postgres *postgres, const char *text)
{
    CHECK(!postgres->is_begun);
    int err = postgres_connect(postgres);
    if (err != 0)
        return err;
    postgres->is_begun = true;
    err = postgres_execute(postgres, text);
    if (err != 0)
        driver_rollback(&postgres->sql);
    return err;
}

static int driver_begin_read(struct sql *sql)
{
    return begin_with(postgres_of_sql(sql), "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
}

int postgres_begin(struct store_postgres *postgres)
{
    return begin_with(postgres, POSTGRES_BEGIN);
}

static int driver_begin_change(struct sql *sql)
{
    char text[128];
    struct text_buffer buffer;
    text_buffer_init(&buffer, text, sizeof(text));
    text_append_format(&buffer, POSTGRES_BEGIN "; SELECT pg_advisory_xact_lock(%lld)",
                       (long long)POSTGRES_LOCK_CHANGE);
    CHECK(!buffer.is_cut);
    return begin_with(postgres_of_sql(sql), text);
}

static int driver_commit(struct sql *sql)
{
    struct store_postgres *postgres = postgres_of_sql(sql);
    PGresult *result = NULL;
    CHECK(postgres->is_begun);
    int err = ERR_STORE_DOWN; /* nothing was committed by a connection lost before */
    if (postgres->connection != NULL) {
        int failed_err = postgres->failed_err;
        postgres->is_committing = true;
        err = postgres_ask(postgres, "COMMIT", &result);
        err = postgres_judge_commit(postgres, result, err);
        if (err == ERR_STORE_CONSTRAINT && failed_err != 0)
            err = failed_err;
        PQclear(result);
    }
    postgres_end_transaction(postgres);
    return err;
}

static int driver_be_patient(struct sql *sql)
{
    return postgres_be_patient(postgres_of_sql(sql));
}

/* What a killed server alone has, and a failover takes away, can be read there. */
static int driver_follow(struct sql *sql)
{
    return postgres_execute(postgres_of_sql(sql),
                            "SELECT CASE WHEN current_setting('synchronous_standby_names') <> '' "
                            "THEN pg_logical_emit_message(true, 'counterpart', 'repeated') END");
}

static bool driver_is_in_transaction(const struct sql *sql)
{
    const struct store_postgres *postgres = postgres_of_sql((struct sql *)sql);
    return postgres->is_begun && postgres->connection != NULL;
}

const struct sql_driver postgres_driver = {
    .dialect = DIALECT_POSTGRES,
    .prepare = driver_prepare,
    .prepare_stream = driver_prepare_stream,
    .finalize = driver_finalize,
    .step = driver_step,
    .reset = driver_reset,
    .bind_int = driver_bind_int,
    .bind_blob = driver_bind_blob,
    .bind_text = driver_bind_text,
    .column_int = driver_column_int,
    .column_bytes = driver_column_bytes,
    .column_count = driver_column_count,
    .begin_read = driver_begin_read,
    .begin_change = driver_begin_change,
    .commit = driver_commit,
    .rollback = driver_rollback,
    .follow = driver_follow,
    .is_in_transaction = driver_is_in_transaction,
    .be_patient = driver_be_patient,
    .verify_schema = postgres_verify_schema,
};
