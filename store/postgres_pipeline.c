/*
 * Pipelines: statements that are sent together and answered together, and arrays as parameters.
 */
#include "store/postgres.h"

#include "base/check.h"
#include "base/error.h"

#include "base/banned.h"

/* --- arrays --- */

static struct postgres_parameter *array_at(struct sql_statement *base, int position)
{
    struct postgres_statement *statement = postgres_statement_of(base);
    CHECK(position >= 1 && position <= statement->parameter_count);
    return &statement->parameters[position - 1];
}

static void bind_array(struct sql_statement *base, int position, enum postgres_type type)
{
    struct postgres_parameter *parameter = array_at(base, position);
    postgres_array_clear(&parameter->array, type);
    parameter->type = postgres_array_type(&parameter->array);
}

void postgres_bind_ints(struct sql_statement *statement, int position)
{
    bind_array(statement, position, POSTGRES_INT8);
}

void postgres_bind_blobs(struct sql_statement *statement, int position)
{
    bind_array(statement, position, POSTGRES_BYTEA);
}

void postgres_bind_texts(struct sql_statement *statement, int position)
{
    bind_array(statement, position, POSTGRES_TEXT);
}

void postgres_bind_rows(struct sql_statement *statement, int position,
                        const struct postgres_row_type *row)
{
    struct postgres_parameter *parameter = array_at(statement, position);
    postgres_array_clear_rows(&parameter->array, row);
    parameter->type = postgres_array_type(&parameter->array);
}

void postgres_add_int(struct sql_statement *statement, int position, int64_t value)
{
    postgres_array_add_int(&array_at(statement, position)->array, value);
}

void postgres_add_blob(struct sql_statement *statement, int position, const void *bytes,
                       size_t size)
{
    postgres_array_add_bytes(&array_at(statement, position)->array, bytes, size);
}

void postgres_add_text(struct sql_statement *statement, int position, const char *c_string)
{
    struct text text = text_of(c_string);
    postgres_array_add_bytes(&array_at(statement, position)->array, text.base, text.length);
}

/* --- sending --- */

int postgres_pipeline(struct store_postgres *postgres)
{
    if (postgres->connection == NULL)
        return ERR_STORE_DOWN; /* what was begun is gone */
    postgres->is_synced = false;
    postgres->has_committed = false;
    postgres->pipeline_number++;
    if (PQenterPipelineMode(postgres->connection) == 1)
        return 0;
    return postgres_lose(postgres, PQerrorMessage(postgres->connection));
}

static int send_named(struct store_postgres *postgres, const char *name)
{
    if (PQsendQueryPrepared(postgres->connection, name, 0, NULL, NULL, NULL, 1) == 1)
        return 0;
    return postgres_lose(postgres, PQerrorMessage(postgres->connection));
}

int postgres_send_begin(struct store_postgres *postgres)
{
    CHECK(!postgres->is_begun);
    postgres->is_begun = true;
    postgres->is_beginning = true;
    return send_named(postgres, POSTGRES_NAMED_BEGIN);
}

int postgres_send(struct store_postgres *postgres, struct sql_statement *base)
{
    struct postgres_statement *statement = postgres_statement_of(base);
    int err = 0;
    CHECK(!statement->is_stream && statement->pipeline_number != postgres->pipeline_number);
    if (!postgres_is_prepared(postgres, statement)) {
        err = postgres_send_prepare(postgres, statement);
        statement->pipeline_number = postgres->pipeline_number;
    }
    return err != 0 ? err : postgres_send_execute(postgres, statement);
}

int postgres_send_commit(struct store_postgres *postgres)
{
    CHECK(postgres->is_begun);
    postgres->is_committing = true;
    return send_named(postgres, POSTGRES_NAMED_COMMIT);
}

int postgres_sync(struct store_postgres *postgres)
{
    postgres->is_synced = true;
    if (PQpipelineSync(postgres->connection) == 1)
        return 0;
    return postgres_lose(postgres, PQerrorMessage(postgres->connection));
}

/* --- receiving --- */

/* One result and the NULL behind it. */
static int receive_result(struct store_postgres *postgres, const char *what, bool is_quiet,
                          PGresult **result)
{
    PGresult *end = NULL;
    int err = postgres_take_next(postgres, result);
    if (err == 0)
        err = postgres_judge(postgres, *result, what, is_quiet);
    if (*result == NULL || postgres->connection == NULL)
        return err;
    int end_err = postgres_take_next(postgres, &end);
    if (end != NULL)
        end_err = postgres_lose(postgres, "two answers where one was due");
    PQclear(end);
    return err != 0 ? err : end_err;
}

static int receive_prepared(struct store_postgres *postgres, struct postgres_statement *statement)
{
    PGresult *result;
    int err = receive_result(postgres, statement->text, false, &result);
    PQclear(result);
    statement->pipeline_number = 0;
    statement->connection_number = err == 0 ? postgres->connection_number : 0;
    return err;
}

static int receive_text(struct store_postgres *postgres)
{
    PGresult *result;
    bool is_commit = postgres->is_committing && !postgres->is_beginning;
    postgres->is_beginning = false;
    int err = receive_result(postgres, is_commit ? "COMMIT" : "BEGIN", false, &result);
    if (is_commit) {
        err = postgres_judge_commit(postgres, result, err);
        postgres_end_transaction(postgres);
        postgres->has_committed = err == 0;
    }
    PQclear(result);
    return err;
}

int postgres_receive(struct store_postgres *postgres, struct sql_statement *base, bool is_quiet)
{
    PGresult *result;
    CHECK(postgres->is_synced);
    if (base == NULL)
        return receive_text(postgres);
    struct postgres_statement *statement = postgres_statement_of(base);
    bool is_being_prepared = statement->pipeline_number == postgres->pipeline_number;
    int err = is_being_prepared ? receive_prepared(postgres, statement) : 0;
    if (err != 0)
        return err;
    err = receive_result(postgres, statement->text, is_quiet, &result);
    if (err == 0)
        return postgres_keep_result(postgres, statement, result);
    PQclear(result);
    return err;
}

/* What nobody has received, up to the end of the pipeline. */
static int drain(struct store_postgres *postgres)
{
    int err = 0;
    bool is_end = false;
    while (err == 0 && !is_end) {
        PGresult *result;
        err = postgres_take_next(postgres, &result);
        is_end = err == 0 && PQresultStatus(result) == PGRES_PIPELINE_SYNC;
        PQclear(result);
    }
    return err;
}

static int leave(struct store_postgres *postgres)
{
    if (postgres->connection == NULL)
        return ERR_STORE_DOWN;
    int err = postgres->is_synced ? 0 : postgres_sync(postgres);
    if (err == 0)
        err = drain(postgres);
    if (err == 0 && PQexitPipelineMode(postgres->connection) == 0)
        err = postgres_lose(postgres, PQerrorMessage(postgres->connection));
    return err;
}

int postgres_end_pipeline(struct store_postgres *postgres, int err)
{
    int end_err = leave(postgres);
    postgres->is_beginning = false;
    /* What is committed stays so, even where its connection ends right behind it. */
    if (err == 0 && !postgres->has_committed)
        err = end_err;
    if (err != 0) {
        postgres->is_committing = false; /* said already */
        postgres_driver.rollback(&postgres->sql);
    }
    return err;
}
