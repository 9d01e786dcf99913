/*
 * The PostgreSQL driver beside a real server: what is bound and read, what an error means, and what
 * becomes of transactions whose connection is lost.
 */
#include "tests/store/postgres_process.h"

#include "store/postgres.h"

#include "base/clock.h"
#include "base/error.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DATABASE "driver"
#define STATEMENTS_MAX 8
/* Where somebody else ends the wait, however busy the machine is. */
#define LONG_PATIENCE_US (60 * CLOCK_US_PER_S)

static struct postgres_process server;
static char location[POSTGRES_LOCATION_MAX];

struct fixture {
    struct store_postgres *one, *two;
    struct sql_statement *statements[STATEMENTS_MAX];
    int count;
};

/* --- helpers --- */

static void admin(const char *sql)
{
    postgres_process_execute(&server, DATABASE, sql);
}

static int64_t admin_int(const char *sql)
{
    return postgres_process_read_int(&server, DATABASE, sql);
}

static struct sql_statement *prepare(struct fixture *fixture, struct store_postgres *postgres,
                                     const char *text)
{
    struct sql_statement **place = &fixture->statements[fixture->count++];
    assert_true(fixture->count <= STATEMENTS_MAX);
    assert_int_equal(postgres_driver.prepare(&postgres->sql, text, place), 0);
    return *place;
}

static int step(struct store_postgres *postgres, struct sql_statement *statement, bool *has_row)
{
    return postgres_driver.step(&postgres->sql, statement, false, has_row);
}

/* A statement without rows. */
static int run(struct store_postgres *postgres, struct sql_statement *statement)
{
    bool has_row;
    return step(postgres, statement, &has_row);
}

static int run_text(struct store_postgres *postgres, const char *text)
{
    struct sql_statement *statement;
    assert_int_equal(postgres_driver.prepare(&postgres->sql, text, &statement), 0);
    int err = run(postgres, statement);
    postgres_driver.finalize(statement);
    return err;
}

static void to_row(struct store_postgres *postgres, struct sql_statement *statement)
{
    bool has_row;
    assert_int_equal(step(postgres, statement, &has_row), 0);
    assert_true(has_row);
}

static int64_t read_int(struct store_postgres *postgres, const char *text)
{
    struct sql_statement *statement;
    assert_int_equal(postgres_driver.prepare(&postgres->sql, text, &statement), 0);
    to_row(postgres, statement);
    int64_t value = postgres_driver.column_int(statement, 0);
    postgres_driver.finalize(statement);
    return value;
}

static int begin(struct store_postgres *postgres)
{
    return postgres_begin(postgres);
}

static int commit(struct store_postgres *postgres)
{
    return postgres_driver.commit(&postgres->sql);
}

static void rollback(struct store_postgres *postgres)
{
    postgres_driver.rollback(&postgres->sql);
}

static void open_both(struct fixture *fixture)
{
    assert_int_equal(postgres_open(location, NULL, STORE_WRITER, &fixture->one), 0);
    assert_int_equal(postgres_open(location, NULL, STORE_WRITER, &fixture->two), 0);
}

static int setup(void **state)
{
    static struct fixture fixture;
    fixture = (struct fixture){0};
    admin("DROP TABLE IF EXISTS child, item;"
          "CREATE TABLE item (id bigint PRIMARY KEY, n bigint CHECK (n >= 0), b bytea, t text);"
          "CREATE TABLE child (item_id bigint NOT NULL REFERENCES item);"
          "ALTER TABLE item OWNER TO counterpart; ALTER TABLE child OWNER TO counterpart;"
          "INSERT INTO item VALUES (1, 10, '', ''), (2, 20, '', '')");
    open_both(&fixture);
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    for (int i = 0; i < fixture->count; i++)
        postgres_driver.finalize(fixture->statements[i]);
    store_close(&fixture->one->sql.store);
    store_close(&fixture->two->sql.store);
    return 0;
}

static void terminate(const struct store_postgres *postgres, const char *function)
{
    char sql[96];
    snprintf(sql, sizeof(sql), "SELECT %s(%d)", function, PQbackendPID(postgres->connection));
    admin(sql);
    if (strcmp(function, "pg_terminate_backend") != 0)
        return;
    snprintf(sql, sizeof(sql), "SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = %d",
             PQbackendPID(postgres->connection));
    postgres_process_await(&server, DATABASE, sql);
}

/* --- texts --- */

static void assert_translated(const char *text, const char *expected, int expected_count)
{
    char *translated;
    int count;
    assert_int_equal(postgres_translate(text, &translated, &count), 0);
    assert_string_equal(translated, expected);
    assert_int_equal(count, expected_count);
    free(translated);
}

static void marks_outside_of_quotes_become_parameters(void **state)
{
    (void)state;
    assert_translated("SELECT 1", "SELECT 1", 0);
    assert_translated("SELECT ? + ?", "SELECT $1 + $2", 2);
    assert_translated("SELECT ?2, ?1, ?2", "SELECT $2, $1, $2", 2);
    assert_translated("SELECT '?', \"a?\", ?", "SELECT '?', \"a?\", $1", 1);
    assert_translated("SELECT 'it''s ?', ?", "SELECT 'it''s ?', $1", 1);
    assert_translated("?,?,?,?,?,?,?,?,?,?,?", "$1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11", 11);
}

/* --- values --- */

static void integers_come_back_as_bound(void **state)
{
    static const int64_t values[] = {0, 1, -1, 255, -256, INT64_C(1) << 40, INT64_MIN, INT64_MAX};
    struct fixture *fixture = *state;
    struct sql_statement *echo = prepare(fixture, fixture->one, "SELECT ?");
    for (size_t i = 0; i < COUNT_OF(values); i++) {
        postgres_driver.bind_int(echo, 1, values[i]);
        to_row(fixture->one, echo);
        assert_int_equal(postgres_driver.column_int(echo, 0), values[i]);
        postgres_driver.reset(echo);
    }
}

static void bytes_and_text_come_back_as_bound(void **state)
{
    struct fixture *fixture = *state;
    struct sql_statement *echo = prepare(fixture, fixture->one, "SELECT ?1, ?2, length(?2)");
    uint8_t bytes[256];
    size_t size;
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)i;
    postgres_driver.bind_blob(echo, 1, bytes, sizeof(bytes));
    postgres_driver.bind_text(echo, 2, "café ?");
    to_row(fixture->one, echo);
    assert_memory_equal(postgres_driver.column_bytes(echo, 0, &size), bytes, sizeof(bytes));
    assert_int_equal(size, sizeof(bytes));
    assert_string_equal(postgres_driver.column_bytes(echo, 1, &size), "café ?");
    assert_int_equal(size, 7);
    assert_int_equal(postgres_driver.column_int(echo, 2), 6); /* a text, not bytes */
    assert_int_equal(postgres_driver.column_count(echo), 3);
}

static void empty_bytes_are_no_null(void **state)
{
    struct fixture *fixture = *state;
    struct sql_statement *echo =
        prepare(fixture, fixture->one, "SELECT ?1, ?1 IS NULL, ?2, ?2 IS NULL");
    size_t size = 99;
    postgres_driver.bind_blob(echo, 1, NULL, 0);
    postgres_driver.bind_text(echo, 2, "");
    to_row(fixture->one, echo);
    assert_non_null(postgres_driver.column_bytes(echo, 0, &size));
    assert_int_equal(size, 0);
    assert_int_equal(postgres_driver.column_int(echo, 1), 0);
    assert_string_equal(postgres_driver.column_bytes(echo, 2, &size), "");
    assert_int_equal(postgres_driver.column_int(echo, 3), 0);
}

static void null_reads_as_zero_and_as_no_bytes(void **state)
{
    struct fixture *fixture = *state;
    struct sql_statement *read =
        prepare(fixture, fixture->one,
                "SELECT CAST(NULL AS bigint), CAST(NULL AS bytea), CAST(? AS bigint) IS NULL");
    size_t size = 99;
    to_row(fixture->one, read);
    assert_int_equal(postgres_driver.column_int(read, 0), 0);
    assert_null(postgres_driver.column_bytes(read, 1, &size));
    assert_int_equal(size, 0);
    assert_int_equal(postgres_driver.column_int(read, 2), 1); /* what nobody bound */
}

static void small_integers_and_truth_read_as_integers(void **state)
{
    struct fixture *fixture = *state;
    struct sql_statement *read =
        prepare(fixture, fixture->one,
                "SELECT CAST(-2 AS smallint), -70000, true, false, CAST(4000000000 AS oid)");
    to_row(fixture->one, read);
    assert_int_equal(postgres_driver.column_int(read, 0), -2);
    assert_int_equal(postgres_driver.column_int(read, 1), -70000);
    assert_int_equal(postgres_driver.column_int(read, 2), 1);
    assert_int_equal(postgres_driver.column_int(read, 3), 0);
    assert_int_equal(postgres_driver.column_int(read, 4), INT64_C(4000000000));
}

static void column_of_a_type_that_nobody_reads_is_a_bug(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(run_text(fixture->one, "SELECT sum(n) FROM item"), ERR_BUG); /* numeric */
    assert_int_equal(run_text(fixture->one, "SELECT now()"), ERR_BUG);
    assert_int_equal(read_int(fixture->one, "SELECT CAST(sum(n) AS bigint) FROM item"), 30);
}

static void parameter_of_another_type_is_prepared_again(void **state)
{
    struct fixture *fixture = *state;
    struct sql_statement *echo = prepare(fixture, fixture->one, "SELECT ?");
    size_t size;
    postgres_driver.bind_int(echo, 1, 5);
    to_row(fixture->one, echo);
    postgres_driver.reset(echo);
    postgres_driver.bind_text(echo, 1, "five");
    to_row(fixture->one, echo);
    assert_string_equal(postgres_driver.column_bytes(echo, 0, &size), "five");
    postgres_driver.reset(echo);
    postgres_driver.bind_int(echo, 1, 6);
    to_row(fixture->one, echo);
    assert_int_equal(postgres_driver.column_int(echo, 0), 6);
}

static void statements_may_be_read_inside_of_each_other(void **state)
{
    struct fixture *fixture = *state;
    struct sql_statement *outer = prepare(fixture, fixture->one, "SELECT id FROM item ORDER BY id");
    struct sql_statement *inner = prepare(fixture, fixture->one, "SELECT n FROM item WHERE id = ?");
    for (int64_t i = 1; i <= 2; i++) {
        to_row(fixture->one, outer);
        assert_int_equal(postgres_driver.column_int(outer, 0), i);
        postgres_driver.bind_int(inner, 1, i);
        to_row(fixture->one, inner);
        assert_int_equal(postgres_driver.column_int(inner, 0), 10 * i);
        postgres_driver.reset(inner);
    }
    bool has_row = true;
    assert_int_equal(step(fixture->one, outer, &has_row), 0);
    assert_false(has_row);
}

static void changed_rows_are_counted_and_read_ones_are_not(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(run_text(fixture->one, "UPDATE item SET n = n + 1"), 0);
    assert_int_equal(fixture->one->sql.changed_count, 2);
    assert_int_equal(read_int(fixture->one, "SELECT n FROM item WHERE id = 1"), 11);
    assert_int_equal(fixture->one->sql.changed_count, 2);
    assert_int_equal(run_text(fixture->one, "DELETE FROM item WHERE id = 99"), 0);
    assert_int_equal(fixture->one->sql.changed_count, 0);
    struct sql_statement *insert =
        prepare(fixture, fixture->one, "INSERT INTO item (id, n) VALUES (?, 1) RETURNING id");
    postgres_driver.bind_int(insert, 1, 77);
    to_row(fixture->one, insert);
    assert_int_equal(postgres_driver.column_int(insert, 0), 77);
    assert_int_equal(fixture->one->sql.changed_count, 1);
}

/* --- errors --- */

static void error_codes_are_sorted_by_what_can_be_done(void **state)
{
    (void)state;
    assert_int_equal(postgres_error_of("23505"), ERR_STORE_CONSTRAINT);
    assert_int_equal(postgres_error_of("23000"), ERR_STORE_CONSTRAINT);
    assert_int_equal(postgres_error_of("22012"), ERR_STORE_CONSTRAINT);
    assert_int_equal(postgres_error_of("40001"), ERR_STORE_BUSY);
    assert_int_equal(postgres_error_of("40P01"), ERR_STORE_BUSY);
    assert_int_equal(postgres_error_of("55P03"), ERR_STORE_BUSY);
    assert_int_equal(postgres_error_of("57014"), ERR_STORE_BUSY);
    assert_int_equal(postgres_error_of("53100"), ERR_STORE_FULL);
    assert_int_equal(postgres_error_of("XX001"), ERR_STORE_CORRUPT);
    assert_int_equal(postgres_error_of("57P01"), ERR_STORE_DOWN);
    assert_int_equal(postgres_error_of("25006"), ERR_STORE_DOWN);
    assert_int_equal(postgres_error_of(NULL), ERR_STORE_DOWN);
}

static void broken_law_is_a_constraint(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(run_text(fixture->one, "UPDATE item SET n = -1"), ERR_STORE_CONSTRAINT);
    assert_int_equal(run_text(fixture->one, "INSERT INTO item VALUES (1)"), ERR_STORE_CONSTRAINT);
    assert_int_equal(run_text(fixture->one, "SELECT 1 / (n - 10) FROM item"),
                     ERR_STORE_CONSTRAINT); /* how a set statement stops a batch */
    assert_int_equal(read_int(fixture->one, "SELECT n FROM item WHERE id = 1"), 10);
}

static void chosen_value_that_is_refused_leaves_its_transaction_whole(void **state)
{
    struct fixture *fixture = *state;
    struct store_postgres *one = fixture->one;
    struct sql_statement *insert = prepare(fixture, one, "INSERT INTO item (id, n) VALUES (?, ?)");
    struct sql_statement *child = prepare(fixture, one, "INSERT INTO child VALUES (?)");
    bool has_row;
    assert_int_equal(begin(one), 0);
    assert_int_equal(run_text(one, "UPDATE item SET n = 99 WHERE id = 2"), 0);
    postgres_driver.bind_int(insert, 1, 1);
    postgres_driver.bind_int(insert, 2, 1);
    assert_int_equal(postgres_driver.step(&one->sql, insert, true, &has_row), ERR_ALREADY_EXISTS);
    postgres_driver.bind_int(child, 1, 3);
    assert_int_equal(postgres_driver.step(&one->sql, child, true, &has_row), ERR_NOT_FOUND);
    postgres_driver.bind_int(insert, 1, 3);
    assert_int_equal(postgres_driver.step(&one->sql, insert, true, &has_row), 0);
    assert_int_equal(one->sql.changed_count, 1);
    assert_int_equal(commit(one), 0);
    assert_int_equal(admin_int("SELECT count(*) FROM item WHERE n = 99 OR id = 3"), 2);
}

static void transaction_that_has_failed_commits_nothing(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(begin(fixture->one), 0);
    assert_int_equal(run_text(fixture->one, "UPDATE item SET n = 5"), 0);
    assert_int_equal(run_text(fixture->one, "UPDATE item SET n = -1"), ERR_STORE_CONSTRAINT);
    assert_int_equal(run_text(fixture->one, "UPDATE item SET n = 6"), ERR_STORE_CONSTRAINT);
    assert_int_equal(commit(fixture->one), ERR_STORE_CONSTRAINT);
    assert_int_equal(admin_int("SELECT n FROM item WHERE id = 1"), 10);
    assert_int_equal(begin(fixture->one), 0);
    rollback(fixture->one);
    rollback(fixture->one); /* of nothing */
}

static void part_of_a_transaction_can_be_taken_back_alone(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(begin(fixture->one), 0);
    assert_int_equal(run_text(fixture->one, "UPDATE item SET n = 5 WHERE id = 1"), 0);
    assert_int_equal(run_text(fixture->one, "SAVEPOINT change"), 0);
    assert_int_equal(run_text(fixture->one, "UPDATE item SET n = -1"), ERR_STORE_CONSTRAINT);
    assert_int_equal(run_text(fixture->one, "ROLLBACK TO change"), 0);
    assert_int_equal(run_text(fixture->one, "RELEASE change"), 0);
    assert_int_equal(commit(fixture->one), 0);
    assert_int_equal(admin_int("SELECT n FROM item WHERE id = 1"), 5);
}

/* What the log says while it is redirected. */
static void no_value_is_logged(void **state)
{
    struct fixture *fixture = *state;
    char path[] = "/tmp/counterpart-log-XXXXXX", said[4096];
    int kept = dup(STDERR_FILENO), file = mkstemp(path);
    assert_true(kept >= 0 && file >= 0);
    struct sql_statement *insert =
        prepare(fixture, fixture->one, "INSERT INTO item (id, n) VALUES (?, CAST(? AS bigint))");
    assert_true(dup2(file, STDERR_FILENO) >= 0);
    postgres_driver.bind_int(insert, 1, 1);
    postgres_driver.bind_text(insert, 2, "4929123412341234");
    int unique_err = run(fixture->one, insert);
    postgres_driver.bind_text(insert, 2, "4929-secret");
    int value_err = run(fixture->one, insert);
    assert_true(dup2(kept, STDERR_FILENO) >= 0);
    ssize_t size = pread(file, said, sizeof(said) - 1, 0);
    assert_true(size > 0);
    said[size] = '\0';
    close(kept);
    close(file);
    unlink(path);
    assert_int_equal(unique_err, ERR_STORE_CONSTRAINT);
    assert_int_equal(value_err, ERR_STORE_CONSTRAINT);
    assert_non_null(strstr(said, "item_pkey"));
    assert_null(strstr(said, "4929"));
    assert_null(strstr(said, "(id)"));
}

/* --- locks --- */

static void *update_second_then_first(void *argument)
{
    struct store_postgres *two = argument;
    static int err;
    err = run_text(two, "UPDATE item SET n = n + 1 WHERE id = 1");
    return &err;
}

static void deadlock_is_busy_for_one_of_the_two(void **state)
{
    struct fixture *fixture = *state;
    pthread_t thread;
    void *second_err;
    admin("ALTER SYSTEM SET deadlock_timeout = '100ms'");
    admin("SELECT pg_reload_conf()");
    assert_int_equal(begin(fixture->one), 0);
    assert_int_equal(begin(fixture->two), 0);
    assert_int_equal(run_text(fixture->one, "UPDATE item SET n = n + 1 WHERE id = 1"), 0);
    assert_int_equal(run_text(fixture->two, "UPDATE item SET n = n + 1 WHERE id = 2"), 0);
    assert_int_equal(pthread_create(&thread, NULL, update_second_then_first, fixture->two), 0);
    int first_err = run_text(fixture->one, "UPDATE item SET n = n + 1 WHERE id = 2");
    if (first_err != 0)
        rollback(fixture->one); /* lets the other go on */
    assert_int_equal(pthread_join(thread, &second_err), 0);
    assert_int_equal(first_err + *(int *)second_err, ERR_STORE_BUSY);
    rollback(fixture->one);
    rollback(fixture->two);
}

static void row_that_stays_locked_is_busy_in_bounded_time(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(begin(fixture->one), 0);
    assert_int_equal(run_text(fixture->one, "UPDATE item SET n = 1 WHERE id = 1"), 0);
    int64_t began_us = clock_monotonic_us();
    assert_int_equal(run_text(fixture->two, "UPDATE item SET n = 2 WHERE id = 1"), ERR_STORE_BUSY);
    assert_true(clock_monotonic_us() - began_us < POSTGRES_PATIENCE_US);
    rollback(fixture->one);
    assert_int_equal(run_text(fixture->two, "UPDATE item SET n = 2 WHERE id = 1"), 0);
}

static void statement_that_takes_too_long_is_busy_unless_patience_was_asked_for(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(run_text(fixture->one, "SELECT 1 FROM pg_sleep(20)"), ERR_STORE_BUSY);
    assert_int_equal(postgres_driver.begin_read(&fixture->one->sql), 0);
    assert_int_equal(postgres_driver.be_patient(&fixture->one->sql), 0);
    assert_int_equal(run_text(fixture->one, "SELECT 1 FROM pg_sleep(4)"), 0);
    rollback(fixture->one);
    assert_true(fixture->one->patience_us == POSTGRES_PATIENCE_US);
    assert_int_equal(run_text(fixture->one, "SELECT 1 FROM pg_sleep(20)"), ERR_STORE_BUSY);
}

static void changes_wait_for_each_other_and_batches_for_none(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(postgres_driver.begin_change(&fixture->one->sql), 0);
    assert_int_equal(postgres_driver.begin_change(&fixture->two->sql), ERR_STORE_BUSY);
    assert_false(postgres_driver.is_in_transaction(&fixture->two->sql));
    assert_int_equal(begin(fixture->two), 0);
    rollback(fixture->two);
    assert_int_equal(postgres_driver.begin_read(&fixture->two->sql), 0);
    rollback(fixture->two);
    assert_int_equal(commit(fixture->one), 0);
    assert_int_equal(postgres_driver.begin_change(&fixture->two->sql), 0);
    assert_true(postgres_driver.is_in_transaction(&fixture->two->sql));
    assert_int_equal(commit(fixture->two), 0);
}

static void read_transaction_is_of_one_moment(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(postgres_driver.begin_read(&fixture->one->sql), 0);
    assert_int_equal(read_int(fixture->one, "SELECT n FROM item WHERE id = 1"), 10);
    assert_int_equal(run_text(fixture->two, "UPDATE item SET n = 11 WHERE id = 1"), 0);
    assert_int_equal(read_int(fixture->one, "SELECT n FROM item WHERE id = 1"), 10);
    rollback(fixture->one);
    assert_int_equal(read_int(fixture->one, "SELECT n FROM item WHERE id = 1"), 11);
}

static void reader_cannot_write(void **state)
{
    struct fixture *fixture = *state;
    struct store_postgres *reader;
    (void)fixture;
    assert_int_equal(postgres_open(location, NULL, STORE_READER, &reader), 0);
    assert_int_not_equal(run_text(reader, "UPDATE item SET n = 3"), 0);
    assert_int_equal(read_int(reader, "SELECT n FROM item WHERE id = 1"), 10);
    store_close(&reader->sql.store);
}

/* --- streams --- */

static void stream_gives_all_rows_portion_by_portion(void **state)
{
    struct fixture *fixture = *state;
    struct store_postgres *one = fixture->one;
    static const char *const texts[] = {"SELECT i FROM generate_series(1, 10000) AS i ORDER BY i",
                                        "SELECT i FROM generate_series(1, 4096) AS i ORDER BY i",
                                        "SELECT i FROM generate_series(1, 0) AS i ORDER BY i"};
    static const int64_t counts[] = {10000, 4096, 0};
    assert_int_equal(postgres_driver.begin_read(&one->sql), 0);
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct sql_statement *stream;
        bool has_row;
        int64_t count = 0;
        assert_int_equal(postgres_driver.prepare_stream(&one->sql, texts[i], &stream), 0);
        assert_int_equal(step(one, stream, &has_row), 0);
        while (has_row) {
            assert_int_equal(postgres_driver.column_int(stream, 0), ++count);
            assert_true(PQntuples(postgres_statement_of(stream)->result) <= 4096);
            assert_int_equal(step(one, stream, &has_row), 0);
        }
        assert_int_equal(count, counts[i]);
        postgres_driver.finalize(stream);
    }
    rollback(one);
}

static void streams_are_read_side_by_side_and_closed_early(void **state)
{
    struct fixture *fixture = *state;
    struct store_postgres *one = fixture->one;
    struct sql_statement *a, *b;
    static const char text[] = "SELECT i FROM generate_series(1, 9000) AS i ORDER BY i";
    assert_int_equal(postgres_driver.begin_read(&one->sql), 0);
    assert_int_equal(postgres_driver.prepare_stream(&one->sql, text, &a), 0);
    assert_int_equal(postgres_driver.prepare_stream(&one->sql, text, &b), 0);
    for (int64_t i = 1; i <= 5000; i++) {
        to_row(one, a);
        to_row(one, b);
        assert_int_equal(postgres_driver.column_int(a, 0), i);
        assert_int_equal(postgres_driver.column_int(b, 0), i);
    }
    postgres_driver.finalize(a);
    assert_int_equal(read_int(one, "SELECT count(*) FROM pg_cursors WHERE name <> ''"), 1);
    rollback(one);
    bool has_row;
    int err = 0;
    for (int64_t i = 5001; err == 0 && i <= 9000; i++)
        err = step(one, b, &has_row);
    assert_int_equal(err, ERR_STORE_DOWN); /* never half a table without a word */
    postgres_driver.finalize(b);
}

/* --- pipelines and arrays --- */

static void arrays_are_sets_of_rows(void **state)
{
    struct fixture *fixture = *state;
    struct sql_statement *insert =
        prepare(fixture, fixture->one,
                "INSERT INTO item SELECT * FROM unnest(CAST(? AS bigint[]), CAST(? AS bigint[]), "
                "CAST(? AS bytea[]), CAST(? AS text[]))");
    postgres_bind_ints(insert, 1);
    postgres_bind_ints(insert, 2);
    postgres_bind_blobs(insert, 3);
    postgres_bind_texts(insert, 4);
    for (int64_t i = 0; i < 600; i++) {
        postgres_add_int(insert, 1, 100 + i);
        postgres_add_int(insert, 2, i);
        postgres_add_blob(insert, 3, "\0\1\2", (size_t)(i % 4));
        postgres_add_text(insert, 4, i == 5 ? "" : "{\"a\",NULL}");
    }
    assert_int_equal(run(fixture->one, insert), 0);
    assert_int_equal(fixture->one->sql.changed_count, 600);
    assert_int_equal(admin_int("SELECT count(*) FROM item WHERE id >= 100 AND n = id - 100 AND "
                               "length(b) = n % 4 AND t = CASE n WHEN 5 THEN '' "
                               "ELSE '{\"a\",NULL}' END"),
                     600);
    postgres_bind_ints(insert, 1); /* emptied: no rows at all */
    postgres_bind_ints(insert, 2);
    postgres_bind_blobs(insert, 3);
    postgres_bind_texts(insert, 4);
    assert_int_equal(run(fixture->one, insert), 0);
    assert_int_equal(fixture->one->sql.changed_count, 0);
}

struct three {
    struct sql_statement *read, *update, *insert;
};

static struct three prepare_three(struct fixture *fixture)
{
    struct three three = {
        .read = prepare(fixture, fixture->one, "SELECT n FROM item WHERE id = ? FOR UPDATE"),
        .update = prepare(fixture, fixture->one, "UPDATE item SET n = ? WHERE id = 1"),
        .insert = prepare(fixture, fixture->one, "INSERT INTO item (id, n) VALUES (?, 0)"),
    };
    postgres_driver.bind_int(three.read, 1, 1);
    postgres_driver.bind_int(three.update, 1, 42);
    postgres_driver.bind_int(three.insert, 1, 3);
    return three;
}

/* BEGIN, read, update, insert, COMMIT in one go; *step_failed: 1 to 5, or 0. */
static int run_three(struct store_postgres *one, const struct three *three, int *step_failed)
{
    struct sql_statement *const sent[] = {NULL, three->read, three->update, three->insert, NULL};
    assert_int_equal(postgres_connect(one), 0);
    assert_int_equal(postgres_pipeline(one), 0);
    int err = postgres_send_begin(one);
    for (size_t i = 1; err == 0 && i < 4; i++)
        err = postgres_send(one, sent[i]);
    if (err == 0)
        err = postgres_send_commit(one);
    if (err == 0)
        err = postgres_sync(one);
    *step_failed = 0;
    for (size_t i = 0; err == 0 && i < COUNT_OF(sent); i++) {
        err = postgres_receive(one, sent[i], false);
        *step_failed = err == 0 ? 0 : (int)i + 1;
    }
    return postgres_end_pipeline(one, err);
}

static void pipeline_runs_a_whole_transaction_in_one_go(void **state)
{
    struct fixture *fixture = *state;
    struct three three = prepare_three(fixture);
    int failed;
    for (int64_t i = 0; i < 3; i++) { /* prepared in the first, known in the others */
        postgres_driver.bind_int(three.insert, 1, 3 + i);
        postgres_driver.bind_int(three.update, 1, 42 + i);
        assert_int_equal(run_three(fixture->one, &three, &failed), 0);
        to_row(fixture->one, three.read);
        assert_int_equal(postgres_driver.column_int(three.read, 0), i == 0 ? 10 : 41 + i);
        postgres_driver.reset(three.read);
        assert_false(postgres_driver.is_in_transaction(&fixture->one->sql));
    }
    assert_int_equal(admin_int("SELECT count(*) FROM item WHERE id >= 3 OR n = 44"), 4);
}

static void pipeline_stops_at_its_first_error(void **state)
{
    struct fixture *fixture = *state;
    struct three three = prepare_three(fixture);
    int failed;
    postgres_driver.bind_int(three.update, 1, -1);
    assert_int_equal(run_three(fixture->one, &three, &failed), ERR_STORE_CONSTRAINT);
    assert_int_equal(failed, 3);
    assert_false(postgres_driver.is_in_transaction(&fixture->one->sql));
    postgres_driver.bind_int(three.update, 1, 7);
    postgres_driver.bind_int(three.insert, 1, 1);
    assert_int_equal(run_three(fixture->one, &three, &failed), ERR_STORE_CONSTRAINT);
    assert_int_equal(failed, 4);
    assert_int_equal(admin_int("SELECT sum(n) FROM item"), 30); /* nothing of either happened */
    postgres_driver.bind_int(three.insert, 1, 3);
    assert_int_equal(run_three(fixture->one, &three, &failed), 0);
    assert_int_equal(admin_int("SELECT sum(n) FROM item"), 27);
}

static void pipeline_may_end_inside_a_transaction(void **state)
{
    struct fixture *fixture = *state;
    struct store_postgres *one = fixture->one;
    struct three three = prepare_three(fixture);
    assert_int_equal(begin(one), 0);
    assert_int_equal(postgres_pipeline(one), 0);
    assert_int_equal(postgres_send(one, three.update), 0);
    assert_int_equal(postgres_send(one, three.read), 0);
    assert_int_equal(postgres_sync(one), 0);
    assert_int_equal(postgres_receive(one, three.update, false), 0);
    assert_int_equal(one->sql.changed_count, 1);
    assert_int_equal(postgres_end_pipeline(one, 0), 0); /* what nobody receives is thrown away */
    assert_true(postgres_driver.is_in_transaction(&one->sql));
    assert_int_equal(run(one, three.insert), 0);
    assert_int_equal(commit(one), 0);
    assert_int_equal(admin_int("SELECT n FROM item WHERE id = 1"), 42);
}

static void pipeline_whose_connection_is_lost_before_it_commits_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct store_postgres *one = fixture->one;
    struct three three = prepare_three(fixture);
    assert_int_equal(postgres_connect(one), 0);
    assert_int_equal(postgres_pipeline(one), 0);
    assert_int_equal(postgres_send_begin(one), 0);
    assert_int_equal(postgres_send(one, three.update), 0);
    terminate(one, "pg_terminate_backend");
    int err = postgres_sync(one);
    if (err == 0)
        err = postgres_receive(one, NULL, false);
    if (err == 0)
        err = postgres_receive(one, three.update, false);
    err = postgres_end_pipeline(one, err);
    assert_int_equal(err, ERR_STORE_DOWN);
    assert_false(postgres_driver.is_in_transaction(&one->sql));
    assert_int_equal(admin_int("SELECT n FROM item WHERE id = 1"), 10);
    int failed;
    assert_int_equal(run_three(one, &three, &failed), 0); /* on a new connection */
}

/* --- connections that are lost --- */

static void idle_connection_that_was_cut_is_replaced_unnoticed(void **state)
{
    struct fixture *fixture = *state;
    struct sql_statement *read = prepare(fixture, fixture->one, "SELECT n FROM item WHERE id = ?");
    for (int i = 0; i < 3; i++) {
        postgres_driver.bind_int(read, 1, 1);
        to_row(fixture->one, read);
        assert_int_equal(postgres_driver.column_int(read, 0), 10);
        postgres_driver.reset(read);
        terminate(fixture->one, "pg_terminate_backend");
    }
    assert_int_equal(begin(fixture->one), 0);
    assert_int_equal(run_text(fixture->one, "UPDATE item SET n = 12 WHERE id = 1"), 0);
    assert_int_equal(commit(fixture->one), 0);
    assert_int_equal(admin_int("SELECT n FROM item WHERE id = 1"), 12);
}

static void connection_lost_inside_a_transaction_loses_all_of_it(void **state)
{
    struct fixture *fixture = *state;
    struct store_postgres *one = fixture->one;
    assert_int_equal(begin(one), 0);
    assert_int_equal(run_text(one, "UPDATE item SET n = 12 WHERE id = 1"), 0);
    terminate(one, "pg_terminate_backend");
    assert_int_equal(run_text(one, "UPDATE item SET n = 13 WHERE id = 2"), ERR_STORE_DOWN);
    assert_false(postgres_driver.is_in_transaction(&one->sql));
    /* Not on a new connection either: it would be a half of what was begun. */
    assert_int_equal(run_text(one, "UPDATE item SET n = 13 WHERE id = 2"), ERR_STORE_DOWN);
    assert_int_equal(commit(one), ERR_STORE_DOWN);
    assert_int_equal(admin_int("SELECT sum(n) FROM item"), 30);
    assert_int_equal(begin(one), 0);
    rollback(one);
}

/* Not a full disk: who reads that clears one up. */
static void group_lost_with_its_connection_says_so(void **state)
{
    struct fixture *fixture = *state;
    struct store *store = &fixture->one->sql.store;
    assert_int_equal(sql_begin_group(store), 0);
    assert_int_equal(run_text(fixture->one, "UPDATE item SET n = 12 WHERE id = 1"), 0);
    terminate(fixture->one, "pg_terminate_backend");
    assert_int_equal(run_text(fixture->one, "UPDATE item SET n = 13 WHERE id = 2"), ERR_STORE_DOWN);
    assert_int_equal(sql_commit_group(store), ERR_STORE_DOWN);
    assert_int_equal(admin_int("SELECT sum(n) FROM item"), 30);
    assert_int_equal(sql_begin_group(store), 0);
    sql_rollback_group(store);
}

static void connection_lost_before_commit_is_never_unknown_when_it_was_seen(void **state)
{
    struct fixture *fixture = *state;
    struct store_postgres *one = fixture->one;
    assert_int_equal(begin(one), 0);
    terminate(one, "pg_terminate_backend");
    assert_int_equal(run_text(one, "UPDATE item SET n = 12 WHERE id = 1"), ERR_STORE_DOWN);
    assert_int_equal(commit(one), ERR_STORE_DOWN);
}

static void connection_that_is_found_lost_by_commit_is_unknown(void **state)
{
    struct fixture *fixture = *state;
    struct store_postgres *one = fixture->one;
    assert_int_equal(begin(one), 0);
    assert_int_equal(run_text(one, "UPDATE item SET n = 12 WHERE id = 1"), 0);
    terminate(one, "pg_terminate_backend");
    assert_int_equal(commit(one), ERR_COMMIT_UNKNOWN);
    assert_int_equal(begin(one), 0);
    rollback(one);
}

/* Commits that wait for a replica that does not exist. */
static void wait_for_nobody(bool is_on)
{
    admin(is_on ? "ALTER SYSTEM SET synchronous_standby_names = 'nobody'"
                : "ALTER SYSTEM RESET synchronous_standby_names");
    admin("SELECT pg_reload_conf()");
    postgres_process_await(&server, DATABASE,
                           is_on ? "SELECT current_setting('synchronous_standby_names') = 'nobody'"
                                 : "SELECT current_setting('synchronous_standby_names') = ''");
}

struct ending {
    const struct store_postgres *postgres;
    const char *function;
};

static void *end_when_it_waits(void *argument)
{
    const struct ending *ending = argument;
    char sql[160];
    int pid = PQbackendPID(ending->postgres->connection);
    snprintf(sql, sizeof(sql),
             "SELECT count(*) = 1 FROM pg_stat_activity WHERE pid = %d AND wait_event = 'SyncRep'",
             pid);
    postgres_process_await(&server, DATABASE, sql);
    snprintf(sql, sizeof(sql), "SELECT %s(%d)", ending->function, pid);
    admin(sql);
    return NULL;
}

static int commit_and_end(struct fixture *fixture, const char *function)
{
    struct ending ending = {.postgres = fixture->one, .function = function};
    pthread_t thread;
    assert_int_equal(begin(fixture->one), 0);
    assert_int_equal(run_text(fixture->one, "UPDATE item SET n = n + 1 WHERE id = 1"), 0);
    fixture->one->patience_us = LONG_PATIENCE_US;
    assert_int_equal(pthread_create(&thread, NULL, end_when_it_waits, &ending), 0);
    int err = commit(fixture->one);
    assert_int_equal(pthread_join(thread, NULL), 0);
    return err;
}

static void commit_whose_wait_for_the_replica_is_cut_short_is_unknown(void **state)
{
    struct fixture *fixture = *state;
    wait_for_nobody(true);
    assert_int_equal(commit_and_end(fixture, "pg_cancel_backend"), ERR_COMMIT_UNKNOWN); /* warns */
    assert_false(postgres_driver.is_in_transaction(&fixture->one->sql));
    assert_int_equal(commit_and_end(fixture, "pg_terminate_backend"), ERR_COMMIT_UNKNOWN);
    wait_for_nobody(false);
    assert_int_equal(begin(fixture->one), 0);
    assert_int_equal(commit(fixture->one), 0);
    assert_int_equal(admin_int("SELECT n FROM item WHERE id = 1"), 12); /* both had happened */
}

static void *cancel_pipeline(void *argument)
{
    return end_when_it_waits(argument);
}

static void pipeline_whose_commit_is_cut_short_is_unknown(void **state)
{
    struct fixture *fixture = *state;
    struct three three = prepare_three(fixture);
    static const char *const functions[] = {"pg_cancel_backend", "pg_terminate_backend"};
    wait_for_nobody(true);
    for (size_t i = 0; i < COUNT_OF(functions); i++) {
        pthread_t thread;
        int failed;
        assert_int_equal(postgres_connect(fixture->one), 0);
        struct ending ending = {.postgres = fixture->one, .function = functions[i]};
        assert_int_equal(pthread_create(&thread, NULL, cancel_pipeline, &ending), 0);
        postgres_driver.bind_int(three.insert, 1, 3 + (int64_t)i);
        fixture->one->patience_us = LONG_PATIENCE_US;
        assert_int_equal(run_three(fixture->one, &three, &failed), ERR_COMMIT_UNKNOWN);
        assert_int_equal(pthread_join(thread, NULL), 0);
        assert_false(postgres_driver.is_in_transaction(&fixture->one->sql));
    }
    wait_for_nobody(false);
    assert_int_equal(admin_int("SELECT count(*) FROM item"), 4);
}

static void commit_that_nobody_answers_is_unknown_in_bounded_time(void **state)
{
    struct fixture *fixture = *state;
    wait_for_nobody(true);
    assert_int_equal(begin(fixture->one), 0);
    assert_int_equal(run_text(fixture->one, "UPDATE item SET n = 11 WHERE id = 1"), 0);
    int64_t began_us = clock_monotonic_us();
    assert_int_equal(commit(fixture->one), ERR_COMMIT_UNKNOWN);
    assert_true(clock_monotonic_us() - began_us < 2 * POSTGRES_PATIENCE_US);
    assert_null(fixture->one->connection); /* its answer would come to another question */
    wait_for_nobody(false);
}

static void reading_transaction_does_not_wait_for_the_replica(void **state)
{
    struct fixture *fixture = *state;
    wait_for_nobody(true);
    assert_int_equal(postgres_driver.begin_read(&fixture->one->sql), 0);
    assert_int_equal(read_int(fixture->one, "SELECT n FROM item WHERE id = 1"), 10);
    assert_int_equal(commit(fixture->one), 0);
    wait_for_nobody(false);
}

static void server_that_falls_silent_is_given_up_in_bounded_time(void **state)
{
    struct fixture *fixture = *state;
    pid_t backend = PQbackendPID(fixture->one->connection);
    assert_int_equal(begin(fixture->one), 0);
    assert_int_equal(kill(backend, SIGSTOP), 0);
    int64_t began_us = clock_monotonic_us();
    assert_int_equal(run_text(fixture->one, "UPDATE item SET n = 11 WHERE id = 1"), ERR_STORE_DOWN);
    assert_true(clock_monotonic_us() - began_us < 2 * POSTGRES_PATIENCE_US);
    assert_int_equal(kill(backend, SIGCONT), 0);
    rollback(fixture->one);
    assert_int_equal(admin_int("SELECT n FROM item WHERE id = 1"), 10);
}

static void server_that_was_killed_is_found_again_when_it_is_back(void **state)
{
    struct fixture *fixture = *state;
    struct store_postgres *one = fixture->one;
    int64_t attempt = one->connection_number;
    postgres_process_kill(&server);
    while (one->connection_number == attempt) /* until the loss is seen and a new one is tried */
        assert_int_equal(begin(one), ERR_STORE_DOWN);
    attempt = one->connection_number;
    one->retry_at_us = INT64_MAX; /* too soon for another attempt, however slow this machine is */
    assert_int_equal(begin(one), ERR_STORE_DOWN);
    assert_int_equal(one->connection_number, attempt);
    int64_t asked_us = clock_monotonic_us();
    one->retry_at_us = asked_us;
    assert_int_equal(begin(one), ERR_STORE_DOWN);
    assert_int_equal(one->connection_number, attempt + 1);
    assert_true(one->retry_at_us > asked_us); /* and not at once again */
    postgres_process_start(&server);
    int64_t until_us = clock_monotonic_us() + 20 * CLOCK_US_PER_S;
    while (begin(one) != 0) {
        assert_true(clock_monotonic_us() < until_us);
        (void)poll(NULL, 0, 20);
    }
    assert_int_equal(read_int(one, "SELECT n FROM item WHERE id = 1"), 10);
    rollback(one);
}

/* --- locations --- */

static void location_that_libpq_does_not_know_is_refused_without_quoting_it(void **state)
{
    (void)state;
    const char *fault;
    assert_false(store_is_postgres("sqlite", &fault));
    assert_false(store_is_postgres("/var/postgresql://x", &fault));
    assert_true(store_is_postgres("postgresql://a:b@h1,h2:5433/x?sslmode=verify-full", &fault));
    assert_null(fault);
    assert_true(store_is_postgres("postgresql://a:se%zzret@h1/x", &fault));
    assert_non_null(fault);
    assert_null(strstr(fault, "zzret"));
    assert_true(store_is_postgres("postgresql://h/x?colour=red", &fault));
    assert_non_null(fault);
    assert_true(store_is_postgres("postgres://1,2,3,4,5,6,7,8,9/x", &fault));
    assert_non_null(fault);
    struct store_postgres *none;
    assert_int_equal(postgres_open("postgresql://h/x?colour=red", NULL, STORE_WRITER, &none),
                     ERR_BAD_CONFIG);
}

static void host_that_is_not_there_is_passed_over(void **state)
{
    struct store_postgres *postgres;
    char both[POSTGRES_LOCATION_MAX];
    (void)state;
    snprintf(both, sizeof(both), "postgresql://counterpart@127.0.0.1:1,127.0.0.1:%u/" DATABASE,
             server.port);
    assert_int_equal(postgres_open(both, NULL, STORE_WRITER, &postgres), 0);
    assert_int_equal(postgres->host_last, 1);
    store_close(&postgres->sql.store);
    snprintf(both, sizeof(both), "postgresql:///" DATABASE "?host=%s&port=%u&user=counterpart",
             server.folder, server.port);
    assert_int_equal(postgres_open(both, NULL, STORE_WRITER, &postgres), 0); /* a Unix socket */
    store_close(&postgres->sql.store);
}

static void database_of_another_encoding_is_refused(void **state)
{
    struct store_postgres *postgres;
    char other[POSTGRES_LOCATION_MAX];
    (void)state;
    admin("DROP DATABASE IF EXISTS latin");
    admin("CREATE DATABASE latin OWNER counterpart ENCODING 'LATIN1' TEMPLATE template0");
    postgres_process_location(&server, NULL, "latin", other);
    assert_int_equal(postgres_open(other, NULL, STORE_WRITER, &postgres), ERR_STORE_DOWN);
    admin("DROP DATABASE latin WITH (FORCE)");
}

#define TEST_CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

static int start_server(void **state)
{
    (void)state;
    postgres_process_create(&server);
    postgres_process_create_database(&server, DATABASE);
    postgres_process_location(&server, NULL, DATABASE, location);
    return 0;
}

static int end_server(void **state)
{
    (void)state;
    postgres_process_destroy(&server);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(marks_outside_of_quotes_become_parameters),
        cmocka_unit_test(error_codes_are_sorted_by_what_can_be_done),
        cmocka_unit_test(location_that_libpq_does_not_know_is_refused_without_quoting_it),
        TEST_CASE(integers_come_back_as_bound),
        TEST_CASE(bytes_and_text_come_back_as_bound),
        TEST_CASE(empty_bytes_are_no_null),
        TEST_CASE(null_reads_as_zero_and_as_no_bytes),
        TEST_CASE(small_integers_and_truth_read_as_integers),
        TEST_CASE(column_of_a_type_that_nobody_reads_is_a_bug),
        TEST_CASE(parameter_of_another_type_is_prepared_again),
        TEST_CASE(statements_may_be_read_inside_of_each_other),
        TEST_CASE(changed_rows_are_counted_and_read_ones_are_not),
        TEST_CASE(broken_law_is_a_constraint),
        TEST_CASE(chosen_value_that_is_refused_leaves_its_transaction_whole),
        TEST_CASE(transaction_that_has_failed_commits_nothing),
        TEST_CASE(part_of_a_transaction_can_be_taken_back_alone),
        TEST_CASE(no_value_is_logged),
        TEST_CASE(deadlock_is_busy_for_one_of_the_two),
        TEST_CASE(row_that_stays_locked_is_busy_in_bounded_time),
        TEST_CASE(statement_that_takes_too_long_is_busy_unless_patience_was_asked_for),
        TEST_CASE(changes_wait_for_each_other_and_batches_for_none),
        TEST_CASE(read_transaction_is_of_one_moment),
        TEST_CASE(reader_cannot_write),
        TEST_CASE(stream_gives_all_rows_portion_by_portion),
        TEST_CASE(streams_are_read_side_by_side_and_closed_early),
        TEST_CASE(arrays_are_sets_of_rows),
        TEST_CASE(pipeline_runs_a_whole_transaction_in_one_go),
        TEST_CASE(pipeline_stops_at_its_first_error),
        TEST_CASE(pipeline_may_end_inside_a_transaction),
        TEST_CASE(pipeline_whose_connection_is_lost_before_it_commits_nothing),
        TEST_CASE(idle_connection_that_was_cut_is_replaced_unnoticed),
        TEST_CASE(connection_lost_inside_a_transaction_loses_all_of_it),
        TEST_CASE(group_lost_with_its_connection_says_so),
        TEST_CASE(connection_lost_before_commit_is_never_unknown_when_it_was_seen),
        TEST_CASE(connection_that_is_found_lost_by_commit_is_unknown),
        TEST_CASE(commit_whose_wait_for_the_replica_is_cut_short_is_unknown),
        TEST_CASE(pipeline_whose_commit_is_cut_short_is_unknown),
        TEST_CASE(commit_that_nobody_answers_is_unknown_in_bounded_time),
        TEST_CASE(reading_transaction_does_not_wait_for_the_replica),
        TEST_CASE(server_that_falls_silent_is_given_up_in_bounded_time),
        TEST_CASE(server_that_was_killed_is_found_again_when_it_is_back),
        TEST_CASE(host_that_is_not_there_is_passed_over),
        TEST_CASE(database_of_another_encoding_is_refused),
    };
    return cmocka_run_group_tests_name("postgresql driver", tests, start_server, end_server);
}
