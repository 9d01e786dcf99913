/*
 * PostgreSQL's schema: which databases are taken and which are refused, what its triggers and
 * functions keep, and what verify says of one that somebody has changed.
 */
#include "tests/store/postgres_process.h"
#include "tests/store/rows.h"

#include "base/error.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DATABASE "schema"
#define CARD_A "6000000000000001"

static struct postgres_process server;

struct fixture {
    struct rows rows;
    char location[POSTGRES_LOCATION_MAX];
};

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    assert_non_null(fixture);
    postgres_process_create_database(&server, DATABASE);
    postgres_process_location(&server, NULL, DATABASE, fixture->location);
    rows_init(&fixture->rows, 7);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    rows_finish(&fixture->rows);
    postgres_process_drop_database(&server, DATABASE);
    free(fixture);
    return 0;
}

static struct rows *opened(void **state)
{
    struct fixture *fixture = *state;
    rows_open(&fixture->rows, fixture->location);
    return &fixture->rows;
}

static void execute(const char *sql)
{
    postgres_process_execute(&server, DATABASE, sql);
}

static int64_t read_int(const char *sql)
{
    return postgres_process_read_int(&server, DATABASE, sql);
}

static int open_again(void **state, enum store_mode mode, const struct seal *seal)
{
    struct fixture *fixture = *state;
    struct store_config config = {.location = fixture->location, .seal = seal};
    struct store *store;
    int err = store_open(&config, mode, &store);
    if (err == 0)
        store_close(store);
    return err;
}

/* --- opening --- */

static void a_store_is_opened_again_and_found_as_it_was(void **state)
{
    struct rows *rows = opened(state);
    rows_run(rows, rows_issue(rows, CARD_A, 5000));
    assert_int_equal(open_again(state, STORE_WRITER, rows->seal), 0);
    assert_int_equal(open_again(state, STORE_READER, rows->seal), 0);
    assert_int_equal(read_int("SELECT count(*) FROM card"), 1);
}

static void a_database_with_other_tables_is_left_alone(void **state)
{
    struct fixture *fixture = *state;
    execute("CREATE TABLE invoice (id BIGINT)");
    assert_int_equal(open_again(state, STORE_WRITER, fixture->rows.seal), ERR_STORE_CORRUPT);
    assert_int_equal(read_int("SELECT count(*) FROM pg_class WHERE relname = 'meta'"), 0);
}

static bool is_empty(void **state)
{
    const struct fixture *fixture = *state;
    bool is_empty;
    assert_int_equal(store_is_empty(fixture->location, &is_empty), 0);
    return is_empty;
}

/* The master key is made for an empty database: an extension's views are nobody's data. */
static void a_database_is_empty_until_somebody_keeps_something_in_it(void **state)
{
    const struct fixture *fixture = *state;
    assert_true(is_empty(state));
    execute("CREATE EXTENSION pg_buffercache");
    assert_true(is_empty(state));
    execute("CREATE VIEW theirs AS SELECT 1 AS one");
    assert_false(is_empty(state));
    execute("DROP VIEW theirs");
    assert_int_equal(open_again(state, STORE_WRITER, fixture->rows.seal), 0);
    assert_false(is_empty(state));
}

static void a_schema_of_a_later_program_is_refused(void **state)
{
    struct rows *rows = opened(state);
    execute("UPDATE meta SET schema_version = 99, schema_oldest = 99");
    assert_int_equal(open_again(state, STORE_WRITER, rows->seal), ERR_SCHEMA_TOO_NEW);
    assert_int_equal(open_again(state, STORE_READER, rows->seal), ERR_SCHEMA_TOO_NEW);
}

static void a_schema_that_a_later_program_made_for_this_one_too_is_used(void **state)
{
    struct rows *rows = opened(state);
    execute("UPDATE meta SET schema_version = 99");
    assert_int_equal(open_again(state, STORE_WRITER, rows->seal), 0);
    assert_int_equal(open_again(state, STORE_READER, rows->seal), 0);
    assert_int_equal(read_int("SELECT schema_version FROM meta"), 99);
}

static void each_session_says_which_schema_its_program_knows(void **state)
{
    opened(state);
    assert_int_equal(read_int("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"
                              " AND mode = 'ShareLock' AND classid = 1131378030"
                              " AND objid = 1962934273"),
                     1);
}

static void
a_store_whose_schema_has_gone_on_meanwhile_is_refused_by_the_next_connection(void **state)
{
    struct rows *rows = opened(state);
    int64_t generation;
    execute("UPDATE meta SET schema_version = 99, schema_oldest = 99");
    assert_int_equal(store_generation(rows->store, &generation), 0);
    execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
            " AND datname = current_database()");
    assert_int_equal(store_generation(rows->store, &generation), ERR_STORE_DOWN);
    execute("UPDATE meta SET schema_version = 1, schema_oldest = 1");
    while (store_generation(rows->store, &generation) != 0)
        usleep(20000);
}

static void another_master_key_is_refused(void **state)
{
    struct rows other;
    opened(state);
    rows_init(&other, 8);
    assert_int_equal(open_again(state, STORE_WRITER, other.seal), ERR_BAD_KEY);
    rows_finish(&other);
}

static void a_reader_makes_no_schema(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(open_again(state, STORE_READER, fixture->rows.seal), ERR_NOT_FOUND);
    assert_int_equal(read_int("SELECT count(*) FROM pg_class WHERE relname = 'meta'"), 0);
}

/* --- laws --- */

static void assert_refused(const char *sql, const char *words)
{
    PGconn *admin = postgres_process_connect(&server, DATABASE);
    PGresult *result = PQexec(admin, sql);
    assert_int_equal(PQresultStatus(result), PGRES_FATAL_ERROR);
    assert_memory_equal(PQresultErrorField(result, PG_DIAG_SQLSTATE), "23", 2);
    assert_non_null(strstr(PQresultErrorMessage(result), words));
    PQclear(result);
    PQfinish(admin);
}

static void what_a_law_forbids_is_refused_to_everybody(void **state)
{
    struct rows *rows = opened(state);
    rows_run(rows, rows_issue(rows, CARD_A, 5000));
    assert_refused("UPDATE transfer SET amount_minor = 1", "law 1");
    assert_refused("DELETE FROM transfer", "law 1");
    assert_refused("TRUNCATE transfer", "law 1");
    assert_refused("TRUNCATE transfer_0", "law 1");
    assert_refused("UPDATE operation SET amount_minor = 1", "law 5");
    assert_refused("DELETE FROM operation_0", "law 5");
    assert_refused("DELETE FROM card", "law 2");
    assert_refused("UPDATE card SET balance_minor = -1", "not_negative_check");
    assert_refused("INSERT INTO transfer VALUES (9, 8, 1, 2, 5, 1, 8, 1, 5, 0, 1)", "law 1");
    execute("UPDATE operation SET given_back_minor = 1");
}

static void assert_row_refused(const char *table, const char *columns)
{
    char sql[256];
    (void)snprintf(
        sql, sizeof(sql),
        "INSERT INTO %s SELECT (jsonb_populate_record(%s, '{\"id\": 100, %s}')).* FROM %s "
        "LIMIT 1",
        table, table, columns, table);
    assert_refused(sql, ""); /* by a domain, a CHECK or a trigger */
}

static void no_number_of_a_hot_table_is_out_of_its_bounds(void **state)
{
    static const char *const cards[] = {
        "id = 0",
        "number_index = ''",
        "last4 = '12345'",
        "status = -1",
        "status = 3",
        "has_pin = -1",
        "has_pin = 2",
        "has_pin = 1",
        "pin_hash = 'x'",
        "balance_minor = -1",
        "version = -1",
        "loaded_minor = -1",
        "used_count = -1",
        "last_transfer_id = -1",
        "last_operation_id = -1",
    };
    static const char *const operations[] = {
        "\"id\": 0",
        "\"card_id\": 0",
        "\"action\": 0",
        "\"action\": 5",
        "\"action\": 10",
        "\"result\": -1",
        "\"result\": 3",
        "\"result\": 32, \"amount_minor\": 0",
        "\"answers_operation_id\": -1",
        "\"amount_minor\": -1",
        "\"balance_minor_after\": -1",
        "\"card_version_after\": -1",
        "\"given_back_minor\": -1",
        "\"given_back_minor\": 5001",
        "\"previous_operation_id\": -1",
        "\"previous_operation_id\": 100",
    };
    static const char *const transfers[] = {
        "\"id\": 0",
        "\"debit_account\": 0",
        "\"credit_account\": 0",
        "\"credit_account\": 7, \"debit_account\": 7",
        "\"amount_minor\": 0",
        "\"cause\": 0",
        "\"cause\": 6",
        "\"answers_operation_id\": 0",
        "\"version\": 0",
        "\"balance_minor_after\": -1",
        "\"previous_transfer_id\": -1",
        "\"previous_transfer_id\": 100",
    };
    struct rows *rows = opened(state);
    rows_run(rows, rows_issue(rows, CARD_A, 5000));
    for (size_t i = 0; i < COUNT_OF(cards); i++) {
        char sql[64];
        (void)snprintf(sql, sizeof(sql), "UPDATE card SET %s", cards[i]);
        assert_refused(sql, "violates check constraint");
    }
    for (size_t i = 0; i < COUNT_OF(operations); i++)
        assert_row_refused("operation", operations[i]);
    for (size_t i = 0; i < COUNT_OF(transfers); i++)
        assert_row_refused("transfer", transfers[i]);
    execute("INSERT INTO operation SELECT (jsonb_populate_record(operation, '{\"id\": 100}')).*"
            " FROM operation LIMIT 1");
    execute("INSERT INTO transfer SELECT (jsonb_populate_record(transfer, '{\"id\": 100}')).*"
            " FROM transfer LIMIT 1");
}

static void verify_names_what_somebody_changed_of_the_schema(void **state)
{
    static const char *const changes[] = {
        "DROP TRIGGER transfer_is_never_deleted ON transfer",
        "ALTER TABLE operation_0 DISABLE TRIGGER operation_is_never_deleted",
        "ALTER TABLE card DROP CONSTRAINT card_check",
        "ALTER DOMAIN not_negative DROP CONSTRAINT not_negative_check",
        "DROP INDEX proof_told",
        "CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " RETURN NULL; END $$",
        "ALTER TABLE card ADD COLUMN note BIGINT",
    };
    struct rows *rows = opened(state);
    assert_int_equal(rows_verify(rows->store), 0);
    for (size_t i = 0; i < COUNT_OF(changes); i++) {
        execute(changes[i]);
        assert_int_equal(rows_verify(rows->store), (int64_t)i + 1);
    }
}

/* --- configuration --- */

static int64_t config_version(void)
{
    return read_int("SELECT config_version FROM meta");
}

static void changed_configuration_has_another_version(void **state)
{
    struct rows *rows = opened(state);
    int64_t version = config_version();
    rows_run(rows, rows_issue(rows, CARD_A, 5000));
    assert_int_equal(config_version(), version); /* what is sold is no configuration */
    assert_int_equal(store_update_tenant(rows->store, &rows->tenant), 0);
    assert_true(config_version() > version);
    version = config_version();
    execute("INSERT INTO oauth_grant VALUES (1, 1, 1, 1, 5678, '', '', 1, 1, 1, 0, 0, '', 1, '',"
            " 0)");
    assert_true(config_version() > version);
    version = config_version();
    execute("UPDATE oauth_grant SET access_token_sealed = 'x', company_id = 5678");
    assert_int_equal(config_version(), version);
    execute("UPDATE oauth_grant SET company_id = 5679");
    assert_true(config_version() > version);
}

/* --- ids and partitions --- */

static void run(PGconn *session, const char *sql)
{
    PGresult *result = PQexec(session, sql);
    ExecStatusType status = PQresultStatus(result);
    assert_true(status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK);
    PQclear(result);
}

static void what_is_settled_ends_before_the_first_batch_under_way(void **state)
{
    static const char take_and_insert[] = "INSERT INTO operation SELECT last_operation_id, 1, 1, "
                                          "2, 0, 1, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0,"
                                          " 0, 1 FROM take_ids(1, 0)";
    struct rows *rows = opened(state);
    PGconn *one = postgres_process_connect(&server, DATABASE);
    PGconn *two = postgres_process_connect(&server, DATABASE);
    int64_t before, last;
    run(one, take_and_insert);
    assert_int_equal(store_read_last_operation(rows->store, &before), 0);
    assert_int_equal(before, 1);
    run(one, "BEGIN");
    run(one, take_and_insert);
    run(two, take_and_insert); /* a later id, there first */
    assert_int_equal(store_read_last_operation(rows->store, &last), 0);
    assert_int_equal(last, before);
    run(one, "COMMIT");
    assert_int_equal(store_read_last_operation(rows->store, &last), 0);
    assert_int_equal(last, before + 2);
    run(one, "BEGIN");
    run(one, take_and_insert);
    run(one, "ROLLBACK");
    run(two, take_and_insert);
    assert_int_equal(store_read_last_operation(rows->store, &last), 0);
    assert_int_equal(last, before + 4);
    PQfinish(one);
    PQfinish(two);
}

static void blocks_of_ids_are_contiguous_and_go_on_behind_what_was_skipped(void **state)
{
    opened(state);
    assert_int_equal(read_int("SELECT last_operation_id FROM take_ids(5, 2)"), 5);
    assert_int_equal(read_int("SELECT last_operation_id FROM take_ids(1, 0)"), 6);
    assert_int_equal(read_int("SELECT last_transfer_id FROM take_ids(0, 1)"), 3);
    assert_int_equal(read_int("SELECT last_card_id FROM take_card_ids(3)"), 3);
    execute("SELECT skip_ids(9, 100, 3)");
    assert_int_equal(read_int("SELECT last_operation_id FROM take_ids(1, 0)"), 101);
    assert_int_equal(read_int("SELECT last_transfer_id FROM take_ids(0, 1)"), 4);
    assert_int_equal(read_int("SELECT last_card_id FROM take_card_ids(1)"), 10);
    execute("SELECT skip_ids(1, 50, 1)"); /* never back */
    assert_int_equal(read_int("SELECT last_operation_id FROM take_ids(1, 0)"), 102);
    assert_int_equal(read_int("SELECT count(*) FROM take_ids(1, 1) WHERE is_done"), 1);
    assert_int_equal(read_int("SELECT count(*) FROM take_card_ids(1) WHERE is_done"), 1);
    assert_int_equal(read_int("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"
                              " AND mode = 'ExclusiveLock'"),
                     0);
}

static void a_partition_is_there_before_half_of_the_one_before_it_is_used(void **state)
{
    static const char partitions[] =
        "SELECT count(*) FROM pg_inherits WHERE inhparent = 'operation'::regclass";
    opened(state);
    assert_int_equal(read_int(partitions), 1);
    assert_int_equal(read_int("SELECT partition_ahead()"), 0);
    execute("SELECT skip_ids(1, 33554431, 1)");
    assert_int_equal(read_int("SELECT partition_ahead()"), 0);
    execute("SELECT skip_ids(1, 33554432, 1)");
    assert_int_equal(read_int("SELECT partition_ahead()"), 1);
    assert_int_equal(read_int(partitions), 2);
    assert_refused("TRUNCATE operation_1", "law 1");
    assert_int_equal(read_int("SELECT count(*) FROM pg_index WHERE NOT indisvalid"), 0);
}

static int create_server(void **state)
{
    (void)state;
    postgres_process_create(&server);
    return 0;
}

static int destroy_server(void **state)
{
    (void)state;
    postgres_process_destroy(&server);
    return 0;
}

#define WITH_DATABASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_DATABASE(a_store_is_opened_again_and_found_as_it_was),
        WITH_DATABASE(a_database_with_other_tables_is_left_alone),
        WITH_DATABASE(a_schema_of_a_later_program_is_refused),
        WITH_DATABASE(a_schema_that_a_later_program_made_for_this_one_too_is_used),
        WITH_DATABASE(each_session_says_which_schema_its_program_knows),
        WITH_DATABASE(a_store_whose_schema_has_gone_on_meanwhile_is_refused_by_the_next_connection),
        WITH_DATABASE(another_master_key_is_refused),
        WITH_DATABASE(a_database_is_empty_until_somebody_keeps_something_in_it),
        WITH_DATABASE(a_reader_makes_no_schema),
        WITH_DATABASE(what_a_law_forbids_is_refused_to_everybody),
        WITH_DATABASE(no_number_of_a_hot_table_is_out_of_its_bounds),
        WITH_DATABASE(verify_names_what_somebody_changed_of_the_schema),
        WITH_DATABASE(changed_configuration_has_another_version),
        WITH_DATABASE(what_is_settled_ends_before_the_first_batch_under_way),
        WITH_DATABASE(blocks_of_ids_are_contiguous_and_go_on_behind_what_was_skipped),
        WITH_DATABASE(a_partition_is_there_before_half_of_the_one_before_it_is_used),
    };
    return cmocka_run_group_tests(tests, create_server, destroy_server);
}
