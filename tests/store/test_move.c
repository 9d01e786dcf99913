/*
 * The move of a tenant into PostgreSQL, table by table: what was copied early and has changed
 * since, rows of many chunks, ids that leap, approvals in each state, targets that hold something
 * else.
 */
#include "store/move.h"

#include "base/error.h"
#include "store/foreign.h"
#include "store/grant.h"
#include "store/move_rows.h"
#include "tests/store/loyalty.h"
#include "tests/store/postgres_process.h"
#include "tests/store/proofs.h"
#include "tests/store/tamper.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CARD_A TAMPER_CARD
#define CARD_B "6000000000000002"
#define ORDER INT64_C(2802065908)
#define DATABASE "moved"
#define DATABASE_OTHER "moved_elsewhere"
/* Nobody listens there. */
#define TARGET_LOST "postgresql://counterpart@127.0.0.1:1/lost?connect_timeout=2"
#define TABLES_MAX 40

static struct postgres_process cluster;

struct fixture {
    struct rows rows;
    char location[LOCATION_MAX];
    char target[POSTGRES_LOCATION_MAX];
    struct move *move;
    const char *tables[TABLES_MAX]; /* told */
    int64_t row_counts[TABLES_MAX];
    int table_count;
    void (*on_compared)(struct fixture *fixture); /* NULL; at the first table that is told */
    char target_other[POSTGRES_LOCATION_MAX];
    struct move *other; /* into target_other */
};

static void on_table(void *context, const char *table, int64_t rows,
                     const uint8_t digest[DIGEST_BYTES])
{
    struct fixture *fixture = context;
    (void)digest;
    assert_true(fixture->table_count < TABLES_MAX);
    fixture->tables[fixture->table_count] = table;
    fixture->row_counts[fixture->table_count++] = rows;
    if (fixture->table_count == 1 && fixture->on_compared != NULL)
        fixture->on_compared(fixture);
}

static int64_t told(const struct fixture *fixture, const char *table)
{
    for (int i = 0; i < fixture->table_count; i++)
        if (strcmp(fixture->tables[i], table) == 0)
            return fixture->row_counts[i];
    fail_msg("%s was not told", table);
    return -1;
}

/* Charges, a member who buys a reward, proofs; and a row in each table that those leave empty. */
static void fill(struct rows *rows)
{
    proofs_connect(rows);
    rows_run(rows, rows_issue(rows, CARD_A, 10000));
    for (int i = 0; i < 6; i++)
        proofs_run(rows, ACTION_CHARGE, CARD_A, ORDER + i, 100 + i);
    proofs_run(rows, ACTION_REFUND, CARD_A, ORDER, 50);
    assert_true(proofs_undo(rows, ACTION_REVERSE, CARD_A, 3) != 0);
    int64_t member = loyalty_member(rows, "M-1");
    int64_t reward = loyalty_add_reward(rows);
    loyalty_run(rows, loyalty_grant(rows, member, 1000));
    loyalty_run(rows, loyalty_reserve(rows, member, reward, "token", ORDER, 100));
    proofs_make(rows, ROWS_DATE);
    struct register_payment payments[] = {proofs_payment(rows, ORDER + 1, 1, 101, 3),
                                          proofs_payment(rows, ORDER + 1, 2, 102, 0)};
    proofs_put(rows, ORDER + 1, payments, 2);
}

static const char fill_the_rest[] =
    "INSERT INTO site VALUES (7, 1, 'Kiosk', 923, '');"
    "INSERT INTO app VALUES (1, 'client', x'', x'', x'');"
    "INSERT INTO used_token VALUES ('used', 9);"
    "INSERT INTO register_day VALUES (1, 2, 3, 4, 5);"
    "INSERT INTO work (tenant_id, kind, subject_id, identity, state, attempts, due_at_us,"
    " created_at_us, ended_at_us, reason) VALUES (1, 9, 8, zeroblob(32), 3, 1, 2, 3, 4, 'why');"
    "INSERT INTO proof_offset VALUES (8, 2, 50);"
    "INSERT INTO order_seen VALUES (1, 2802065908, 2, 1, 'then', 5);"
    "INSERT INTO sweep VALUES (1, 2, 3, 4, 5);"
    "INSERT INTO foreign_approval VALUES (1, 5, 10, 20, 30, 1);"
    "INSERT INTO foreign_change VALUES (4, 1, 1, 3, 0, 0, 0, 'LS-1', 'note', 'actor', 5);"
    "INSERT INTO foreign_attempt VALUES (6, 1, 1, 2, 3, 4, 0, 5, 6, 0, 0, 0, '', 7, 8, -1);"
    "INSERT INTO foreign_day VALUES (1, 2, 3)";

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    assert_non_null(fixture);
    rows_init(&fixture->rows, 7);
    files_create(fixture->location);
    rows_open(&fixture->rows, fixture->location);
    fill(&fixture->rows);
    store_close(fixture->rows.store);
    fixture->rows.store = NULL;
    postgres_process_create_database(&cluster, DATABASE);
    postgres_process_location(&cluster, NULL, DATABASE, fixture->target);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    move_close(fixture->move);
    rows_finish(&fixture->rows);
    files_remove(fixture->location);
    postgres_process_drop_database(&cluster, DATABASE);
    free(fixture);
    return 0;
}

static int begin(struct fixture *fixture, bool *is_done)
{
    const struct move_config config = {.source = fixture->location,
                                       .target = fixture->target,
                                       .seal = fixture->rows.seal,
                                       .tenant_id = 1,
                                       .on_table = on_table,
                                       .context = fixture};
    move_close(fixture->move);
    fixture->table_count = 0;
    return move_open(&config, &fixture->move, is_done);
}

static void copy(struct fixture *fixture)
{
    int64_t copied;
    assert_int_equal(move_copy(fixture->move, &copied), 0);
}

static void begin_and_copy(struct fixture *fixture)
{
    bool is_done;
    assert_int_equal(begin(fixture, &is_done), 0);
    assert_false(is_done);
    copy(fixture);
}

static int finish(struct fixture *fixture)
{
    int err = move_leave(fixture->move);
    if (err == 0)
        err = move_shut(fixture->move, ROWS_NOW_US);
    return err != 0 ? err : move_finish(fixture->move, ROWS_NOW_US);
}

static void must_finish(struct fixture *fixture)
{
    int err = finish(fixture);
    if (err != 0)
        fail_msg("%s: %s", error_name(err), move_fault(fixture->move));
}

static int64_t ask(const char *sql)
{
    return postgres_process_read_int(&cluster, DATABASE, sql);
}

static int64_t findings_there(const struct fixture *fixture)
{
    const struct store_config config = {.location = fixture->target, .seal = fixture->rows.seal};
    struct store *store;
    assert_int_equal(store_open(&config, STORE_READER, &store), 0);
    int64_t findings = rows_verify(store);
    store_close(store);
    return findings;
}

static bool is_moved(const char *table)
{
    for (const struct move_table *each = move_tables; each->name != NULL; each++)
        if (strcmp(each->name, table) == 0)
            return true;
    return false;
}

static void every_table_but_the_stores_own_is_moved_and_has_no_nulls(void **state)
{
    const struct fixture *fixture = *state;
    sqlite3 *connection;
    sqlite3_stmt *statement;
    int count = 0;
    assert_int_equal(sqlite3_open(fixture->location, &connection), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(connection,
                                        "SELECT name, (SELECT count(*) FROM pragma_table_info(name)"
                                        " AS c WHERE \"notnull\" = 0 AND pk = 0)"
                                        " FROM sqlite_schema WHERE type = 'table'",
                                        -1, &statement, NULL),
                     SQLITE_OK);
    while (sqlite3_step(statement) == SQLITE_ROW) {
        const char *name = (const char *)sqlite3_column_text(statement, 0);
        if (strcmp(name, "meta") == 0 || strncmp(name, "sqlite_", 7) == 0)
            continue;
        if (!is_moved(name))
            fail_msg("%s stays behind", name);
        assert_int_equal(sqlite3_column_int(statement, 1), 0);
        count++;
    }
    sqlite3_finalize(statement);
    assert_int_equal(sqlite3_close(connection), SQLITE_OK);
    assert_int_equal(count, 24);
}

static void a_row_of_each_table_arrives_and_the_ids_go_on_behind_them(void **state)
{
    struct fixture *fixture = *state;
    bool is_done;
    tamper(fixture->location, fill_the_rest);
    begin_and_copy(fixture);
    must_finish(fixture);
    for (int i = 0; i < fixture->table_count; i++)
        if (fixture->row_counts[i] == 0)
            fail_msg("no row of %s", fixture->tables[i]);
    assert_int_equal(ask("SELECT count(*) FROM app WHERE client_id = 'client'"), 1);
    assert_int_equal(ask("SELECT count(*) FROM used_token WHERE id = 'used'"), 1);
    assert_int_equal(ask("SELECT state * 100 + is_suspended FROM foreign_approval"), 501);
    assert_int_equal(ask("SELECT place FROM tenant"), TENANT_HERE);
    assert_true(ask("SELECT nextval(pg_get_serial_sequence('site', 'id'))") > 7);
    assert_true(ask("SELECT nextval(pg_get_serial_sequence('foreign_attempt', 'id'))") > 6);
    assert_true(ask("SELECT last_operation_id FROM take_ids(1, 0)") > told(fixture, "operation"));
    assert_int_equal(begin(fixture, &is_done), 0);
    assert_true(is_done);
}

static void what_changed_after_it_was_copied_is_made_equal(void **state)
{
    struct fixture *fixture = *state;
    tamper(fixture->location, "UPDATE proof SET state = 3, reason = 0 WHERE operation_id = 2;"
                              "UPDATE proof SET state = 2 WHERE operation_id = 4;"
                              "UPDATE proof SET state = 4, reason = 1 WHERE operation_id = 5");
    begin_and_copy(fixture);
    /* By steps that the law knows one by one, and not as one. */
    tamper(fixture->location,
           "UPDATE proof SET state = 1 WHERE operation_id = 5;"
           "UPDATE proof SET state = 4, reason = 2 WHERE operation_id = 4;"
           "UPDATE card SET last4 = '9999', status = 2;"
           "UPDATE operation SET given_back_minor = 7 WHERE id = 6;"
           "UPDATE member SET first_name = 'Other';"
           "DELETE FROM member_word; INSERT INTO member_word VALUES (1, 'other', 1);"
           "UPDATE register_payment SET operation_id = CASE number WHEN 1 THEN 0 ELSE 3 END;"
           "UPDATE tenant SET name = 'Renamed'");
    must_finish(fixture);
    assert_int_equal(ask("SELECT state FROM proof WHERE operation_id = 2"), 3);
    assert_int_equal(ask("SELECT state FROM proof WHERE operation_id = 4"), 4);
    assert_int_equal(ask("SELECT state FROM proof WHERE operation_id = 5"), 1);
    assert_int_equal(ask("SELECT count(*) FROM card WHERE last4 = '9999' AND status = 2"), 1);
    assert_int_equal(ask("SELECT given_back_minor FROM operation WHERE id = 6"), 7);
    assert_int_equal(ask("SELECT count(*) FROM member_word"), 1);
    assert_int_equal(ask("SELECT number FROM register_payment WHERE operation_id = 3"), 2);
    assert_int_equal(ask("SELECT count(*) FROM tenant WHERE name = 'Renamed'"), 1);
}

static void what_was_written_there_by_somebody_is_made_equal(void **state)
{
    struct fixture *fixture = *state;
    begin_and_copy(fixture);
    postgres_process_execute(&cluster, DATABASE,
                             "UPDATE card SET balance_minor = balance_minor + 1");
    must_finish(fixture);
    assert_int_equal(findings_there(fixture), 0);
}

static void rows_that_the_source_does_not_have_are_no_copy(void **state)
{
    struct fixture *fixture = *state;
    begin_and_copy(fixture);
    postgres_process_execute(&cluster, DATABASE,
                             "INSERT INTO operation SELECT 1000, 1, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0, "
                             "0, 0, 0, 0, 0, 0");
    assert_int_equal(finish(fixture), ERR_STORE_CORRUPT);
    assert_non_null(strstr(move_fault(fixture->move), "table operation: the target has other"));
    assert_int_equal(ask("SELECT place FROM tenant"), TENANT_ARRIVING);
}

static void tables_of_many_chunks_arrive_whole(void **state)
{
    struct fixture *fixture = *state;
    tamper(fixture->location,
           "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 9000)"
           " INSERT INTO register_payment SELECT 1, 3000000000 + i / 7, i, 2, 3, 4, 5, '', 0, 6, 7"
           " FROM n;"
           "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 8192)"
           " INSERT INTO order_seen SELECT 1, i, 2, 0, 'then', 4 FROM n;"
           "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 8000)"
           " INSERT INTO member_word SELECT 1, 'w' || i, 1 FROM n");
    tamper(fixture->location,
           "UPDATE register_payment SET operation_id = 9999 WHERE number = 8000");
    begin_and_copy(fixture);
    /* The claim goes to a row of another chunk, and is still taken there when that is written. */
    tamper(fixture->location, "UPDATE register_payment SET operation_id = 0 WHERE number = 8000;"
                              "UPDATE register_payment SET operation_id = 9999 WHERE number = 10;"
                              "DELETE FROM register_payment WHERE number IN (1, 4000, 9000);"
                              "UPDATE register_payment SET amount_minor = 6 WHERE number = 4500");
    must_finish(fixture);
    assert_int_equal(told(fixture, "register_payment"), 2 + 9000 - 4);
    assert_int_equal(ask("SELECT count(*) FROM register_payment"),
                     told(fixture, "register_payment"));
    assert_int_equal(ask("SELECT count(*) FROM order_seen"), 8192);
}

static void count_grant(void *context, const struct grant *grant)
{
    (void)grant;
    ++*(int *)context;
}

static void count_work(void *context, const struct work *work)
{
    (void)work;
    ++*(int *)context;
}

static void count_reservation(void *context, const struct reservation *reservation)
{
    (void)reservation;
    ++*(int *)context;
}

static void count_site(void *context, const struct site *site)
{
    (void)site;
    ++*(int *)context;
}

/* What a service would look after: grants to refresh, work, redemptions to settle; and sites. */
static int duties(const struct fixture *fixture, const char *location)
{
    const struct store_config config = {.location = location, .seal = fixture->rows.seal};
    struct store *store;
    int count = 0;
    assert_int_equal(store_open(&config, STORE_READER, &store), 0);
    assert_int_equal(store_each_grant(store, count_grant, &count), 0);
    assert_int_equal(store_each_open_work(store, 9, 9, count_work, &count), 0);
    assert_int_equal(store_each_open_reservation(store, RESERVATION_RESERVED, INT64_MAX, 9,
                                                 count_reservation, &count),
                     0);
    assert_int_equal(store_each_site(store, count_site, &count), 0);
    store_close(store);
    return count;
}

static void the_store_that_let_go_looks_after_nothing_and_the_other_after_all(void **state)
{
    struct fixture *fixture = *state;
    tamper(
        fixture->location,
        "INSERT INTO site VALUES (7, 1, 'Kiosk', 923, '');"
        "INSERT INTO work (tenant_id, kind, subject_id, identity, state, attempts, due_at_us,"
        " created_at_us, ended_at_us, reason) VALUES (1, 1, 8, zeroblob(32), 1, 1, 2, 3, 0, '')");
    int before = duties(fixture, fixture->location);
    assert_true(before >= 4);
    begin_and_copy(fixture);
    assert_int_equal(duties(fixture, fixture->target), 0);
    assert_int_equal(duties(fixture, fixture->location), before);
    must_finish(fixture);
    assert_int_equal(duties(fixture, fixture->target), before);
    assert_int_equal(duties(fixture, fixture->location), 0);
}

static void ids_that_leap_lie_in_partitions_of_their_own(void **state)
{
    struct fixture *fixture = *state;
    tamper(fixture->location,
           "INSERT INTO operation (id, tenant_id, card_id, action, result, order_id, site_id,"
           " register_id, asked_minor, amount_minor, balance_minor_after, card_version_after,"
           " limit_minor, given_back_minor, previous_operation_id, created_at_us)"
           " VALUES (300000000000, 1, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)");
    begin_and_copy(fixture);
    must_finish(fixture);
    assert_int_equal(ask("SELECT count(*) FROM operation WHERE id = 300000000000"), 1);
    assert_true(ask("SELECT last_operation_id FROM take_ids(1, 0)") > INT64_C(300000000000));
}

static void approvals_move_in_each_of_their_states(void **state)
{
    struct fixture *fixture = *state;
    char sql[128];
    for (int now = FOREIGN_REQUESTED; now <= 5; now++) {
        snprintf(sql, sizeof(sql),
                 "DELETE FROM foreign_approval; UPDATE tenant SET place = 0;"
                 "INSERT INTO foreign_approval VALUES (1, %d, 1, 2, 3, 0)",
                 now);
        tamper(fixture->location, sql);
        begin_and_copy(fixture);
        must_finish(fixture);
        assert_int_equal(ask("SELECT state FROM foreign_approval"), now);
        move_close(fixture->move);
        fixture->move = NULL;
        postgres_process_execute(&cluster, DATABASE,
                                 "SET client_min_messages = warning;"
                                 "DROP SCHEMA public CASCADE;"
                                 "CREATE SCHEMA public AUTHORIZATION counterpart");
    }
}

static int try_charge(struct rows *rows, int64_t order_id)
{
    const struct command command = rows_command(rows, ACTION_CHARGE, CARD_A, order_id, 1);
    rows_decide(rows, &command, 1);
    return store_commit(rows->store, rows->batch);
}

/* What is under way when a tenant is closed must not be half of it there. */
static void rows_of_a_closed_tenant_do_not_change_whoever_writes(void **state)
{
    struct fixture *fixture = *state;
    const struct store_config config = {.location = fixture->location, .seal = fixture->rows.seal};
    struct store *beside; /* a service that has loaded its directory before */
    struct tenant tenant;
    begin_and_copy(fixture);
    assert_int_equal(store_open(&config, STORE_WRITER, &beside), 0);
    assert_int_equal(store_read_tenant(beside, 1, &tenant), 0);
    fixture->rows.store = beside;
    assert_int_equal(move_leave(fixture->move), 0);
    proofs_run(&fixture->rows, ACTION_CHARGE, CARD_A, ORDER + 50, 1); /* it may still end */
    assert_int_equal(move_shut(fixture->move, ROWS_NOW_US), 0);
    assert_int_equal(try_charge(&fixture->rows, ORDER + 51), ERR_ELSEWHERE);
    assert_int_equal(store_update_tenant(beside, &tenant), ERR_ELSEWHERE);
    assert_int_equal(rows_verify(beside), 0);
    assert_int_equal(move_finish(fixture->move, ROWS_NOW_US), 0);
    assert_int_equal(try_charge(&fixture->rows, ORDER + 51), ERR_ELSEWHERE);
    assert_int_equal(ask("SELECT count(*) FROM operation WHERE order_id = 2802065958"), 1);
    assert_int_equal(rows_verify(beside), 0);
    store_close(beside);
    fixture->rows.store = NULL;
}

static void a_tenant_is_not_closed_while_its_token_is_refreshed(void **state)
{
    struct fixture *fixture = *state;
    char sql[160];
    snprintf(sql, sizeof(sql),
             "UPDATE oauth_grant SET lease_owner = 'beside', leased_until_us = %lld",
             (long long)ROWS_NOW_US + 1);
    tamper(fixture->location, sql);
    begin_and_copy(fixture);
    assert_int_equal(move_leave(fixture->move), 0);
    assert_int_equal(move_shut(fixture->move, ROWS_NOW_US), ERR_LEASED);
    assert_int_equal(move_finish(fixture->move, ROWS_NOW_US), ERR_STALE);
    assert_int_equal(move_shut(fixture->move, ROWS_NOW_US + 1), 0); /* it has ended */
    assert_int_equal(move_finish(fixture->move, ROWS_NOW_US), 0);
}

/* A service that no longer knows the tenant passes over his operations. */
static void proofs_are_looked_for_from_where_they_were_when_the_tenant_left(void **state)
{
    struct fixture *fixture = *state;
    tamper(fixture->location, "UPDATE meta SET proof_cursor = 4");
    begin_and_copy(fixture);
    assert_int_equal(move_leave(fixture->move), 0);
    tamper(fixture->location, "UPDATE meta SET proof_cursor = 7");
    assert_int_equal(move_shut(fixture->move, ROWS_NOW_US), 0);
    assert_int_equal(move_finish(fixture->move, ROWS_NOW_US), 0);
    assert_int_equal(ask("SELECT proof_cursor FROM meta"), 4);
}

static void a_move_that_is_cancelled_leaves_nothing_there_and_all_laws(void **state)
{
    struct fixture *fixture = *state;
    struct move *undone;
    bool is_done;
    tamper(fixture->location, fill_the_rest);
    begin_and_copy(fixture);
    assert_int_equal(move_leave(fixture->move), 0);
    assert_int_equal(move_shut(fixture->move, ROWS_NOW_US), 0);
    const struct move_config config = {.source = fixture->location,
                                       .target = fixture->target,
                                       .seal = fixture->rows.seal,
                                       .tenant_id = 1};
    assert_int_equal(move_cancel(&config, &undone), ERR_LOCKED);
    move_close(undone);
    move_close(fixture->move);
    fixture->move = NULL;
    assert_int_equal(move_cancel(&config, &undone), 0);
    move_close(undone);
    assert_int_equal(ask("SELECT (SELECT count(*) FROM tenant) + (SELECT count(*) FROM operation)"
                         " + (SELECT count(*) FROM transfer) + (SELECT count(*) FROM card)"
                         " + (SELECT count(*) FROM proof) + (SELECT count(*) FROM move_progress)"),
                     0);
    assert_int_equal(ask("SELECT count(*) FROM pg_trigger WHERE tgenabled = 'D'"), 0);
    assert_int_equal(findings_there(fixture), 0);
    const struct store_config source = {.location = fixture->location, .seal = fixture->rows.seal};
    assert_int_equal(store_open(&source, STORE_WRITER, &fixture->rows.store), 0);
    proofs_run(&fixture->rows, ACTION_CHARGE, CARD_A, ORDER + 50, 1);
    store_close(fixture->rows.store);
    fixture->rows.store = NULL;
    assert_int_equal(begin(fixture, &is_done), 0);
    copy(fixture);
    must_finish(fixture);
    assert_int_equal(move_cancel(&config, &undone), ERR_LOCKED);
    move_close(undone);
    move_close(fixture->move);
    fixture->move = NULL;
    assert_int_equal(move_cancel(&config, &undone), ERR_ALREADY_EXISTS);
    move_close(undone);
}

static void only_one_moves_into_a_target_at_a_time(void **state)
{
    struct fixture *fixture = *state;
    struct fixture other = *fixture;
    bool is_done;
    begin_and_copy(fixture);
    other.move = NULL;
    assert_int_equal(begin(&other, &is_done), ERR_LOCKED);
    move_close(other.move);
    must_finish(fixture);
}

/* --- more than one target, and more than one who moves --- */

static int set_up_two(void **state)
{
    int err = set_up(state);
    struct fixture *fixture = *state;
    postgres_process_create_database(&cluster, DATABASE_OTHER);
    postgres_process_location(&cluster, NULL, DATABASE_OTHER, fixture->target_other);
    return err;
}

static int tear_down_two(void **state)
{
    struct fixture *fixture = *state;
    move_close(fixture->other);
    postgres_process_drop_database(&cluster, DATABASE_OTHER);
    return tear_down(state);
}

static struct move_config config_to(const struct fixture *fixture, const char *target)
{
    return (struct move_config){
        .source = fixture->location, .target = target, .seal = fixture->rows.seal, .tenant_id = 1};
}

static int begin_other(struct fixture *fixture)
{
    const struct move_config config = config_to(fixture, fixture->target_other);
    bool is_done;
    int64_t copied;
    move_close(fixture->other);
    int err = move_open(&config, &fixture->other, &is_done);
    return err != 0 ? err : move_copy(fixture->other, &copied);
}

/* A rehearsal that was stopped while it copied: the target keeps what has come. */
static void rehearse_other(struct fixture *fixture)
{
    assert_int_equal(begin_other(fixture), 0);
    move_close(fixture->other);
    fixture->other = NULL;
}

static int cancel_at(struct fixture *fixture, const char *target, const char *words)
{
    const struct move_config config = config_to(fixture, target);
    struct move *undone;
    int err = move_cancel(&config, &undone);
    if (strstr(move_fault(undone), words) == NULL)
        fail_msg("not told: %s, but: %s", words, move_fault(undone));
    move_close(undone);
    return err;
}

static int64_t place_here(const struct fixture *fixture)
{
    const struct store_config config = {.location = fixture->location, .seal = fixture->rows.seal};
    struct store *store;
    struct tenant tenant;
    assert_int_equal(store_open(&config, STORE_READER, &store), 0);
    assert_int_equal(store_read_tenant(store, 1, &tenant), 0);
    store_close(store);
    return tenant.place;
}

static int64_t place_at_other(void)
{
    return postgres_process_read_int(&cluster, DATABASE_OTHER, "SELECT place FROM tenant");
}

static void a_tenant_that_went_elsewhere_is_not_opened_by_cancelling_an_earlier_move(void **state)
{
    struct fixture *fixture = *state;
    rehearse_other(fixture);
    begin_and_copy(fixture);
    must_finish(fixture);
    assert_int_equal(cancel_at(fixture, fixture->target_other, "has moved to another database"),
                     ERR_ALREADY_EXISTS);
    assert_int_equal(place_here(fixture), TENANT_GONE);
    assert_int_equal(ask("SELECT place FROM tenant"), TENANT_HERE);
}

static void a_tenant_that_went_elsewhere_is_not_taken_by_an_earlier_move(void **state)
{
    struct fixture *fixture = *state;
    rehearse_other(fixture);
    begin_and_copy(fixture);
    must_finish(fixture);
    assert_int_equal(begin_other(fixture), ERR_ALREADY_EXISTS);
    assert_non_null(strstr(move_fault(fixture->other), "and not to this target"));
    assert_int_equal(place_at_other(), TENANT_ARRIVING);
    assert_int_equal(place_here(fixture), TENANT_GONE);
}

static void a_tenant_that_is_closed_for_one_target_is_cancelled_and_continued_there(void **state)
{
    struct fixture *fixture = *state;
    rehearse_other(fixture);
    begin_and_copy(fixture);
    assert_int_equal(move_leave(fixture->move), 0);
    assert_int_equal(cancel_at(fixture, fixture->target_other, "cancel it there"),
                     ERR_ALREADY_EXISTS);
    assert_int_equal(begin_other(fixture), ERR_ALREADY_EXISTS);
    assert_int_equal(place_here(fixture), TENANT_LEAVING);
    move_close(fixture->move);
    fixture->move = NULL;
    begin_and_copy(fixture); /* it goes on where it was broken off */
    assert_int_equal(place_here(fixture), TENANT_LEAVING);
    must_finish(fixture);
    assert_int_equal(ask("SELECT place FROM tenant"), TENANT_HERE);
}

static void cancel_out_of_reach(struct fixture *fixture)
{
    assert_int_not_equal(cancel_at(fixture, TARGET_LOST, "cannot be opened"), 0);
    assert_int_equal(place_here(fixture), TENANT_HERE);
}

static void charge_here(struct fixture *fixture)
{
    const struct store_config config = {.location = fixture->location, .seal = fixture->rows.seal};
    assert_int_equal(store_open(&config, STORE_WRITER, &fixture->rows.store), 0);
    assert_int_equal(try_charge(&fixture->rows, ORDER + 60), 0);
    store_close(fixture->rows.store);
    fixture->rows.store = NULL;
}

static void cancel_out_of_reach_and_charge(struct fixture *fixture)
{
    cancel_out_of_reach(fixture);
    charge_here(fixture);
}

static void what_is_paid_after_a_cancel_out_of_reach_is_never_left_behind(void **state)
{
    struct fixture *fixture = *state;
    begin_and_copy(fixture);
    fixture->on_compared = cancel_out_of_reach_and_charge;
    assert_int_equal(finish(fixture), ERR_STALE);
    assert_non_null(strstr(move_fault(fixture->move), "opened the tenant again"));
    assert_int_equal(move_place(fixture->move), TENANT_HERE);
    assert_int_equal(place_here(fixture), TENANT_HERE);
    assert_int_equal(ask("SELECT place FROM tenant"), TENANT_ARRIVING);
    fixture->on_compared = NULL;
    begin_and_copy(fixture);
    must_finish(fixture);
    assert_int_equal(ask("SELECT count(*) FROM operation WHERE order_id = 2802065968"), 1);
    assert_int_equal(place_here(fixture), TENANT_GONE);
}

static void cancel_out_of_reach_and_close_for_other(struct fixture *fixture)
{
    cancel_out_of_reach_and_charge(fixture);
    assert_int_equal(begin_other(fixture), 0);
    assert_int_equal(move_leave(fixture->other), 0);
    assert_int_equal(move_shut(fixture->other, ROWS_NOW_US), 0);
}

static void a_tenant_that_was_closed_again_for_another_target_goes_only_there(void **state)
{
    struct fixture *fixture = *state;
    begin_and_copy(fixture);
    fixture->on_compared = cancel_out_of_reach_and_close_for_other;
    assert_int_equal(finish(fixture), ERR_STALE);
    assert_non_null(strstr(move_fault(fixture->move), "to another database"));
    assert_int_equal(ask("SELECT place FROM tenant"), TENANT_ARRIVING);
    assert_int_equal(move_finish(fixture->other, ROWS_NOW_US), 0);
    assert_int_equal(place_at_other(), TENANT_HERE);
    assert_int_equal(move_finish(fixture->move, ROWS_NOW_US), ERR_STALE);
    assert_int_equal(ask("SELECT place FROM tenant"), TENANT_ARRIVING);
}

static void of_two_who_move_to_two_targets_one_ends(void **state)
{
    struct fixture *fixture = *state;
    begin_and_copy(fixture);
    assert_int_equal(begin_other(fixture), 0);
    must_finish(fixture);
    assert_int_equal(move_leave(fixture->other), ERR_STALE);
    assert_non_null(strstr(move_fault(fixture->other), "to another database"));
    assert_int_equal(place_here(fixture), TENANT_GONE);
    assert_int_equal(ask("SELECT place FROM tenant"), TENANT_HERE);
    assert_int_equal(place_at_other(), TENANT_ARRIVING);
}

static void who_closed_a_tenant_first_is_not_disturbed_by_another(void **state)
{
    struct fixture *fixture = *state;
    begin_and_copy(fixture);
    assert_int_equal(begin_other(fixture), 0);
    assert_int_equal(move_leave(fixture->move), 0);
    assert_int_equal(move_shut(fixture->move, ROWS_NOW_US), 0);
    assert_int_equal(move_leave(fixture->other), ERR_STALE);
    assert_int_equal(place_here(fixture), TENANT_CLOSED);
    assert_int_equal(move_finish(fixture->move, ROWS_NOW_US), 0);
}

/* The lock goes with the connection, and a new one is made without a word. */
static void who_has_lost_the_target_does_not_disturb_who_went_on(void **state)
{
    struct fixture *fixture = *state;
    const struct move_config config = config_to(fixture, fixture->target);
    bool is_done;
    begin_and_copy(fixture);
    ask("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()");
    int err;
    do { /* the server lets go of the lock soon */
        move_close(fixture->other);
        err = move_open(&config, &fixture->other, &is_done);
    } while (err == ERR_LOCKED);
    assert_int_equal(err, 0);
    assert_int_equal(move_leave(fixture->other), 0);
    move_close(fixture->other);
    fixture->other = NULL;
    assert_int_not_equal(move_leave(fixture->move), 0);
    begin_and_copy(fixture);
    must_finish(fixture);
    assert_int_equal(place_here(fixture), TENANT_GONE);
    assert_int_equal(ask("SELECT place FROM tenant"), TENANT_HERE);
}

#define MOVE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define MOVE_TEST_TWO(name) cmocka_unit_test_setup_teardown(name, set_up_two, tear_down_two)

int main(void)
{
    const struct CMUnitTest tests[] = {
        MOVE_TEST(every_table_but_the_stores_own_is_moved_and_has_no_nulls),
        MOVE_TEST(a_row_of_each_table_arrives_and_the_ids_go_on_behind_them),
        MOVE_TEST(what_changed_after_it_was_copied_is_made_equal),
        MOVE_TEST(what_was_written_there_by_somebody_is_made_equal),
        MOVE_TEST(rows_that_the_source_does_not_have_are_no_copy),
        MOVE_TEST(tables_of_many_chunks_arrive_whole),
        MOVE_TEST(the_store_that_let_go_looks_after_nothing_and_the_other_after_all),
        MOVE_TEST(ids_that_leap_lie_in_partitions_of_their_own),
        MOVE_TEST(approvals_move_in_each_of_their_states),
        MOVE_TEST(rows_of_a_closed_tenant_do_not_change_whoever_writes),
        MOVE_TEST(a_tenant_is_not_closed_while_its_token_is_refreshed),
        MOVE_TEST(proofs_are_looked_for_from_where_they_were_when_the_tenant_left),
        MOVE_TEST(a_move_that_is_cancelled_leaves_nothing_there_and_all_laws),
        MOVE_TEST(only_one_moves_into_a_target_at_a_time),
        MOVE_TEST_TWO(a_tenant_that_went_elsewhere_is_not_opened_by_cancelling_an_earlier_move),
        MOVE_TEST_TWO(a_tenant_that_went_elsewhere_is_not_taken_by_an_earlier_move),
        MOVE_TEST_TWO(a_tenant_that_is_closed_for_one_target_is_cancelled_and_continued_there),
        MOVE_TEST_TWO(what_is_paid_after_a_cancel_out_of_reach_is_never_left_behind),
        MOVE_TEST_TWO(a_tenant_that_was_closed_again_for_another_target_goes_only_there),
        MOVE_TEST_TWO(of_two_who_move_to_two_targets_one_ends),
        MOVE_TEST_TWO(who_closed_a_tenant_first_is_not_disturbed_by_another),
        MOVE_TEST_TWO(who_has_lost_the_target_does_not_disturb_who_went_on),
    };
    postgres_process_create(&cluster);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    postgres_process_destroy(&cluster);
    return failed;
}
