/*
 * SQLite in a file passes the conformance suite; and what only a file can do: secrets at rest,
 * foreign files, locks, full disks, the write-ahead log.
 */
#include "tests/store/files.h"

#include "base/clock.h"
#include "base/error.h"
#include "store/sqlite_driver.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CARD_A "6000000000000001"

struct fixture {
    struct rows rows;
    char location[LOCATION_MAX];
};

static int setup(void **state)
{
    struct fixture *fixture = test_calloc(1, sizeof(*fixture));
    rows_init(&fixture->rows, 1);
    files_create(fixture->location);
    rows_open(&fixture->rows, fixture->location);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    rows_finish(&fixture->rows);
    files_remove(fixture->location);
    test_free(fixture);
    return 0;
}

static int open_error(struct fixture *fixture, enum store_mode mode)
{
    struct store_config config = {.location = fixture->location, .seal = fixture->rows.seal};
    struct store *store;
    int err = store_open(&config, mode, &store);
    store_close(store);
    return err;
}

static void close_writer(struct fixture *fixture)
{
    store_close(fixture->rows.store);
    fixture->rows.store = NULL;
}

/* --- secrets at rest --- */

static void assert_absent(const struct fixture *fixture, const char *secret)
{
    assert_false(files_contain(fixture->location, secret, strlen(secret)));
}

static void no_secret_stands_in_the_files(void **state)
{
    struct fixture *fixture = *state;
    struct rows *rows = &fixture->rows;
    uint8_t key[16];
    struct tenant changed = rows->tenant;
    memcpy(changed.signature_token_previous, "an older token", sizeof("an older token"));
    assert_int_equal(store_update_tenant(rows->store, &changed), 0);
    rows_run(rows, rows_issue(rows, CARD_A, 1000));
    for (int i = 0; i < 2; i++) { /* in the log, then in the database */
        assert_absent(fixture, CARD_A);
        assert_absent(fixture, rows->tenant.key);
        assert_absent(fixture, "a signature token");
        assert_absent(fixture, "an older token");
        assert_true(text_hex_decode(key, sizeof(key), text_of(rows->tenant.key)));
        assert_false(files_contain(fixture->location, key, sizeof(key)));
        assert_true(files_contain(fixture->location, "Harbour Kiosk", 13)); /* it does look */
        assert_int_equal(store_checkpoint(rows->store), 0);
    }
}

static void files_are_for_their_owner_only(void **state)
{
    struct fixture *fixture = *state;
    struct stat info;
    char log[LOCATION_MAX + 8];
    assert_int_equal(stat(fixture->location, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    snprintf(log, sizeof(log), "%s-wal", fixture->location);
    assert_int_equal(stat(log, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
}

/* A secret moved from one column to another does not open. */
static void secret_in_the_wrong_column_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct store *store = fixture->rows.store;
    files_execute(fixture->location, "UPDATE tenant SET signature_token_previous_sealed = "
                                     "signature_token_sealed");
    assert_int_equal(store_each_tenant(store, NULL, NULL), ERR_BAD_SEAL); /* none is given out */
}

/* --- files that are not ours --- */

static void later_schema_is_refused(void **state)
{
    struct fixture *fixture = *state;
    close_writer(fixture);
    files_execute(fixture->location, "PRAGMA user_version = 1000");
    assert_int_equal(open_error(fixture, STORE_WRITER), ERR_SCHEMA_TOO_NEW);
    assert_int_equal(open_error(fixture, STORE_READER), ERR_SCHEMA_TOO_NEW);
}

static void database_of_another_program_is_refused_untouched(void **state)
{
    struct fixture *fixture = *state;
    close_writer(fixture);
    files_remove(fixture->location);
    files_create(fixture->location);
    files_execute(fixture->location, "CREATE TABLE theirs (x); INSERT INTO theirs VALUES (1)");
    assert_int_equal(open_error(fixture, STORE_WRITER), ERR_STORE_CORRUPT);
    files_execute(fixture->location, "UPDATE theirs SET x = 2");
    bool is_empty = true;
    assert_int_equal(store_is_empty(fixture->location, &is_empty), 0);
    assert_false(is_empty);
}

static void file_that_is_no_database_is_refused(void **state)
{
    struct fixture *fixture = *state;
    close_writer(fixture);
    files_remove(fixture->location);
    files_create(fixture->location);
    FILE *file = fopen(fixture->location, "wb");
    assert_non_null(file);
    for (int i = 0; i < 1000; i++)
        fputs("this is a letter to a friend\n", file);
    assert_int_equal(fclose(file), 0);
    bool is_empty;
    assert_int_equal(open_error(fixture, STORE_WRITER), ERR_STORE_CORRUPT);
    assert_int_equal(open_error(fixture, STORE_READER), ERR_STORE_CORRUPT);
    assert_int_equal(store_is_empty(fixture->location, &is_empty), ERR_STORE_CORRUPT);
}

static void folder_that_is_not_there_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct store_config config = {.location = "/nowhere/at/all.db", .seal = fixture->rows.seal};
    struct store *store;
    assert_int_equal(store_open(&config, STORE_WRITER, &store), ERR_STORE_DOWN);
    assert_null(store);
}

static void nothing_is_committed_to_a_file_that_is_gone(void **state)
{
    struct fixture *fixture = *state;
    struct rows *rows = &fixture->rows;
    rows_run(rows, rows_issue(rows, CARD_A, 1000));
    assert_int_equal(store_ping(rows->store), 0);
    assert_int_equal(unlink(fixture->location), 0);
    const struct command charge = rows_command(rows, ACTION_CHARGE, CARD_A, 12, 100);
    batch_clear(rows->batch);
    batch_add(rows->batch, &charge);
    assert_int_equal(store_fetch(rows->store, rows->batch), ERR_STORE_DOWN);
    assert_int_equal(store_ping(rows->store), ERR_STORE_DOWN);
}

/* --- laws that the schema keeps against other programs --- */

static void assert_refused_by(const struct fixture *fixture, const char *sql, const char *law)
{
    sqlite3 *connection;
    char *message = NULL;
    assert_int_equal(sqlite3_open_v2(fixture->location, &connection, SQLITE_OPEN_READWRITE, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_exec(connection, sql, NULL, NULL, &message), SQLITE_CONSTRAINT);
    assert_non_null(strstr(message, law));
    sqlite3_free(message);
    sqlite3_close(connection);
}

static void moved_money_is_never_rewritten(void **state)
{
    struct fixture *fixture = *state;
    struct rows *rows = &fixture->rows;
    rows_run(rows, rows_issue(rows, CARD_A, 1000));
    assert_refused_by(fixture, "UPDATE transfer SET amount_minor = 1", "law 1");
    assert_refused_by(fixture, "DELETE FROM transfer", "law 1");
    assert_refused_by(fixture, "UPDATE operation SET amount_minor = 1", "law 5");
    assert_refused_by(fixture, "UPDATE operation SET created_at_us = 1", "law 5");
    assert_refused_by(fixture, "DELETE FROM operation", "law 5");
    assert_refused_by(fixture, "DELETE FROM card", "law 2");
    assert_refused_by(fixture, "UPDATE card SET balance_minor = -1", "balance_minor >= 0");
    assert_int_equal(rows_verify(rows->store), 0);
}

/* --- locks, full disks, unknown commits --- */

static void locked_database_is_busy_in_bounded_time(void **state)
{
    struct fixture *fixture = *state;
    struct rows *rows = &fixture->rows;
    sqlite3 *other;
    rows_run(rows, rows_issue(rows, CARD_A, 1000));
    assert_int_equal(sqlite3_open(fixture->location, &other), SQLITE_OK);
    assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    struct command charge = rows_command(rows, ACTION_CHARGE, CARD_A, 12, 700);
    batch_clear(rows->batch);
    batch_add(rows->batch, &charge);
    int64_t began_us = clock_monotonic_us();
    assert_int_equal(store_fetch(rows->store, rows->batch), ERR_STORE_BUSY);
    int64_t took_us = clock_monotonic_us() - began_us;
    assert_true(took_us >= 100 * 1000);
    assert_true(took_us < 2 * CLOCK_US_PER_S);
    assert_int_equal(rows_card(rows, CARD_A).balance_minor, 1000); /* reading goes on */
    assert_int_equal(sqlite3_exec(other, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(other);
    assert_int_equal(rows_run(rows, charge).result, RESULT_OK);
}

static void set_max_pages(struct rows *rows, int pages)
{
    char sql[64];
    snprintf(sql, sizeof(sql), "PRAGMA max_page_count = %d", pages);
    assert_int_equal(sqlite3_exec(sqlite_of(rows->store)->connection, sql, NULL, NULL, NULL),
                     SQLITE_OK);
}

static void full_disk_rolls_back_and_works_again_with_space(void **state)
{
    struct fixture *fixture = *state;
    struct rows *rows = &fixture->rows;
    rows_run(rows, rows_issue(rows, CARD_A, 100000));
    set_max_pages(rows, 1); /* not below what there is: no page more */
    int64_t charged = 0;
    int err = 0;
    while (err == 0 && charged < 10000) {
        struct command charge = rows_command(rows, ACTION_CHARGE, CARD_A, 100 + charged, 1);
        rows_decide(rows, &charge, 1);
        err = store_commit(rows->store, rows->batch);
        charged += err == 0;
    }
    assert_int_equal(err, ERR_STORE_FULL);
    assert_int_equal(rows_card(rows, CARD_A).balance_minor, 100000 - charged);
    assert_int_equal(rows_totals(rows).operations, 1 + charged);
    assert_int_equal(rows_verify(rows->store), 0);
    set_max_pages(rows, 1000000);
    struct command charge = rows_command(rows, ACTION_CHARGE, CARD_A, 100 + charged, 1);
    assert_int_equal(rows_run(rows, charge).operation_id, 2 + charged);
    assert_int_equal(rows_verify(rows->store), 0);
}

static int refuse_commit(void *context)
{
    (void)context;
    return 1;
}

static void failed_commit_is_unknown_until_it_is_settled(void **state)
{
    struct fixture *fixture = *state;
    struct rows *rows = &fixture->rows;
    rows_run(rows, rows_issue(rows, CARD_A, 1000));
    struct command charge = rows_command(rows, ACTION_CHARGE, CARD_A, 12, 700);
    sqlite3 *connection = sqlite_of(rows->store)->connection;
    rows_decide(rows, &charge, 1);
    sqlite3_commit_hook(connection, refuse_commit, NULL);
    assert_int_equal(store_commit(rows->store, rows->batch), ERR_COMMIT_UNKNOWN);
    assert_int_not_equal(sqlite3_get_autocommit(connection), 0); /* the transaction has ended */
    batch_clear(rows->batch);
    batch_add(rows->batch, &charge);
    assert_int_equal(store_fetch(rows->store, rows->batch), 0);
    assert_int_equal(rows->batch->view.next_operation_id, 3); /* 2 may yet turn out to exist */
    assert_int_equal(rows->batch->view.next_transfer_id, 3);
    batch_decide(rows->batch, rows->now_us);
    assert_int_equal(store_commit(rows->store, rows->batch), ERR_COMMIT_UNKNOWN);
    bool happened = true;
    assert_int_not_equal(store_settle(rows->store, rows->batch, &happened), 0); /* still refused */
    sqlite3_commit_hook(connection, NULL, NULL);
    assert_int_equal(store_settle(rows->store, rows->batch, &happened), 0);
    assert_false(happened);
    assert_int_equal(rows_run(rows, charge).operation_id, 4);
    assert_int_equal(rows_verify(rows->store), 0);
}

static void batch_without_changes_is_never_unknown(void **state)
{
    struct fixture *fixture = *state;
    struct rows *rows = &fixture->rows;
    rows_run(rows, rows_issue(rows, CARD_A, 1000));
    struct command charge = rows_command(rows, ACTION_CHARGE, CARD_A, 12, 700);
    rows_run(rows, charge);
    sqlite3_commit_hook(sqlite_of(rows->store)->connection, refuse_commit, NULL);
    assert_true(rows_run(rows, charge).is_replay);
    sqlite3_commit_hook(sqlite_of(rows->store)->connection, NULL, NULL);
}

/* --- the write-ahead log --- */

static void checkpoint_moves_the_log_into_the_database(void **state)
{
    struct fixture *fixture = *state;
    struct rows *rows = &fixture->rows;
    struct store_config config = {.location = fixture->location, .seal = rows->seal};
    struct store *checkpointer;
    struct stat before, after;
    assert_int_equal(store_open(&config, STORE_WRITER, &checkpointer), 0);
    for (int64_t i = 0; i < 40; i++) {
        char number[17];
        snprintf(number, sizeof(number), "7%015d", (int)i);
        rows_run(rows, rows_issue(rows, number, 500));
    }
    assert_int_equal(stat(fixture->location, &before), 0);
    assert_int_equal(store_checkpoint(checkpointer), 0);
    assert_int_equal(stat(fixture->location, &after), 0);
    assert_true(after.st_size > before.st_size);
    struct command charge = rows_command(rows, ACTION_CHARGE, "7000000000000000", 12, 700);
    rows_decide(rows, &charge, 1);
    assert_int_equal(store_checkpoint(checkpointer), 0); /* beside the writer at work */
    assert_int_equal(store_commit(rows->store, rows->batch), 0);
    store_close(checkpointer);
    assert_int_equal(rows_verify(rows->store), 0);
}

static int log_pages(const char *location)
{
    sqlite3 *connection;
    int pages, moved;
    assert_int_equal(sqlite3_open(location, &connection), SQLITE_OK);
    sqlite3_exec(connection, "SELECT * FROM meta", NULL, NULL, NULL); /* now it knows of the log */
    assert_int_equal(
        sqlite3_wal_checkpoint_v2(connection, "main", SQLITE_CHECKPOINT_PASSIVE, &pages, &moved),
        SQLITE_OK);
    sqlite3_close(connection);
    return pages;
}

static void log_that_has_grown_too_long_is_restarted(void **state)
{
    struct fixture *fixture = *state;
    struct rows *rows = &fixture->rows;
    struct store_config config = {.location = fixture->location, .seal = rows->seal};
    struct store *checkpointer, *reader;
    rows_run(rows, rows_issue(rows, CARD_A, 1000));
    assert_int_equal(store_open(&config, STORE_READER, &reader), 0);
    assert_int_equal(store_open(&config, STORE_WRITER, &checkpointer), 0);
    sqlite3 *reading = sqlite_of(reader)->connection;
    files_execute(fixture->location, "CREATE TABLE filler (x);"
                                     "INSERT INTO filler VALUES (zeroblob(70000000))");
    /* A reader of the old log holds it: the checkpoint gives up soon and the writer goes on. */
    assert_int_equal(sqlite3_exec(reading, "BEGIN; SELECT id FROM card", NULL, NULL, NULL), 0);
    int64_t began_us = clock_monotonic_us();
    assert_int_equal(store_checkpoint(checkpointer), 0);
    assert_true(clock_monotonic_us() - began_us < 5 * CLOCK_US_PER_S);
    rows_run(rows, rows_command(rows, ACTION_CHARGE, CARD_A, 12, 700));
    assert_true(log_pages(fixture->location) > 32768);
    assert_int_equal(sqlite3_exec(reading, "COMMIT", NULL, NULL, NULL), 0);
    assert_int_equal(store_checkpoint(checkpointer), 0);
    rows_run(rows, rows_command(rows, ACTION_CHARGE, CARD_A, 13, 10));
    assert_true(log_pages(fixture->location) < 100);
    store_close(checkpointer);
    store_close(reader);
}

/* --- a writer that leaves only microseconds between its transactions --- */

#define RESTLESS_COMMITS 1000 /* 250 MB of log in all: four times its bound */
#define LOG_BOUND_BYTES INT64_C(67108864)

struct restless {
    const char *location;
    _Atomic bool has_ended;
};

static void *write_without_rest(void *argument)
{
    struct restless *restless = argument;
    sqlite3 *connection;
    bool is_well =
        sqlite3_open(restless->location, &connection) == SQLITE_OK &&
        sqlite3_busy_timeout(connection, 5000) == SQLITE_OK &&
        sqlite3_exec(connection, "PRAGMA synchronous = OFF; PRAGMA wal_autocheckpoint = 0", NULL,
                     NULL, NULL) == SQLITE_OK;
    for (int i = 0; is_well && i < RESTLESS_COMMITS; i++)
        is_well = sqlite3_exec(connection, "UPDATE filler SET x = randomblob(250000)", NULL, NULL,
                               NULL) == SQLITE_OK;
    sqlite3_close(connection);
    atomic_store(&restless->has_ended, true);
    return is_well ? restless : NULL;
}

static void log_of_a_writer_that_never_rests_stays_bounded(void **state)
{
    struct fixture *fixture = *state;
    struct restless restless = {.location = fixture->location};
    pthread_t writer;
    void *result;
    struct stat info;
    char log[LOCATION_MAX + 8];
    files_execute(fixture->location, "CREATE TABLE filler (x);"
                                     "INSERT INTO filler VALUES (zeroblob(250000))");
    assert_int_equal(pthread_create(&writer, NULL, write_without_rest, &restless), 0);
    while (!atomic_load(&restless.has_ended)) {
        assert_int_equal(store_checkpoint(fixture->rows.store), 0);
        usleep(5000);
    }
    assert_int_equal(pthread_join(writer, &result), 0);
    assert_non_null(result);
    snprintf(log, sizeof(log), "%s-wal", fixture->location);
    assert_int_equal(stat(log, &info), 0);
    assert_true(info.st_size > LOG_BOUND_BYTES / 2); /* it was under pressure */
    assert_true(info.st_size < 3 * LOG_BOUND_BYTES); /* unbounded it would be four times */
}

#define TEST_CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_CASE(no_secret_stands_in_the_files),
        TEST_CASE(files_are_for_their_owner_only),
        TEST_CASE(secret_in_the_wrong_column_is_refused),
        TEST_CASE(later_schema_is_refused),
        TEST_CASE(database_of_another_program_is_refused_untouched),
        TEST_CASE(file_that_is_no_database_is_refused),
        TEST_CASE(folder_that_is_not_there_is_refused),
        TEST_CASE(nothing_is_committed_to_a_file_that_is_gone),
        TEST_CASE(moved_money_is_never_rewritten),
        TEST_CASE(locked_database_is_busy_in_bounded_time),
        TEST_CASE(full_disk_rolls_back_and_works_again_with_space),
        TEST_CASE(failed_commit_is_unknown_until_it_is_settled),
        TEST_CASE(batch_without_changes_is_never_unknown),
        TEST_CASE(checkpoint_moves_the_log_into_the_database),
        TEST_CASE(log_that_has_grown_too_long_is_restarted),
        TEST_CASE(log_of_a_writer_that_never_rests_stays_bounded),
    };
    static const struct conformance_backend backend = {
        .name = "sqlite file", .is_shared = true, .create = files_create, .remove = files_remove};
    int failed = conformance_run(&backend) + conformance_run_members(&backend);
    return failed + cmocka_run_group_tests_name("sqlite file only", tests, NULL, NULL);
}
