/*
 * Commits whose outcome is unknown, on PostgreSQL: what is settled is so for good, whatever the old
 * connection, the replica or the old primary still do.
 */
#include "tests/store/loyalty.h"
#include "tests/store/postgres_process.h"
#include "tests/store/rows.h"

#include "base/error.h"

#include <stdio.h>
#include <stdlib.h>

#define CARD "6000000000000001"

static struct postgres_process primary;
static struct postgres_process replica;

struct fixture {
    char database[32];
    struct rows rows;  /* one process */
    struct rows other; /* and another one, without a tenant of its own */
};

static void open_other(struct fixture *fixture, const char *location)
{
    struct store_config config = {.location = location, .seal = fixture->other.seal};
    assert_int_equal(store_open(&config, STORE_WRITER, &fixture->other.store), 0);
    fixture->other.tenant = fixture->rows.tenant;
}

static int setup_with(void **state, const struct postgres_process *other)
{
    static int count;
    char location[POSTGRES_LOCATION_MAX];
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    assert_non_null(fixture);
    (void)snprintf(fixture->database, sizeof(fixture->database), "commit_%d", ++count);
    postgres_process_create_database(&primary, fixture->database);
    postgres_process_location(&primary, other, fixture->database, location);
    rows_init(&fixture->rows, 5);
    rows_open(&fixture->rows, location);
    rows_init(&fixture->other, 5);
    open_other(fixture, location);
    rows_run(&fixture->rows, rows_issue(&fixture->rows, CARD, 1000));
    *state = fixture;
    return 0;
}

static int setup(void **state)
{
    return setup_with(state, NULL);
}

static int setup_replicated(void **state)
{
    postgres_process_create_replica(&replica, &primary, true);
    return setup_with(state, &replica);
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    rows_finish(&fixture->rows);
    rows_finish(&fixture->other);
    free(fixture);
    postgres_process_destroy(&replica);
    return 0;
}

static int teardown_replicated(void **state)
{
    postgres_process_execute(&primary, "postgres", "ALTER SYSTEM RESET synchronous_standby_names");
    postgres_process_execute(&primary, "postgres", "SELECT pg_reload_conf()");
    return teardown(state);
}

static int64_t read_int(const struct fixture *fixture, const char *sql)
{
    return postgres_process_read_int(&primary, fixture->database, sql);
}

static struct command charge(struct rows *rows, int64_t order_id)
{
    return rows_command(rows, ACTION_CHARGE, CARD, order_id, 10);
}

/* --- one server */

static void a_commit_that_happened_is_found_and_nothing_added(void **state)
{
    struct fixture *fixture = *state;
    struct rows *rows = &fixture->rows;
    struct command commands[] = {charge(rows, 1), charge(rows, 2)};
    rows_run_all(rows, commands, 2);
    for (int i = 0; i < 2; i++) {
        bool happened = false;
        assert_int_equal(store_settle(rows->store, rows->batch, &happened), 0);
        assert_true(happened);
    }
    assert_int_equal(read_int(fixture, "SELECT count(*) FROM operation"), 3);
    assert_int_equal(rows_card(rows, CARD).balance_minor, 980);
    assert_int_equal(rows_verify(rows->store), 0);
}

static void a_commit_that_never_happened_never_can(void **state)
{
    struct fixture *fixture = *state;
    struct rows *rows = &fixture->rows;
    struct command commands[] = {charge(rows, 1), charge(rows, 2)};
    bool happened = true;
    rows_decide(rows, commands, 2);
    /* Decided and not sent yet, by a process of which nothing is known: */
    assert_int_equal(store_settle(fixture->other.store, rows->batch, &happened), 0);
    assert_false(happened);
    assert_int_equal(read_int(fixture, "SELECT count(*) FROM operation WHERE action = 5"), 2);
    assert_int_equal(store_commit(rows->store, rows->batch), ERR_STORE_CONSTRAINT);
    assert_int_equal(store_settle(fixture->other.store, rows->batch, &happened), 0);
    assert_false(happened);
    assert_int_equal(rows_card(rows, CARD).balance_minor, 1000);
    int64_t buried_id = rows->batch->view.next_operation_id - 1;
    struct outcome outcome = rows_run(rows, charge(rows, 1));
    assert_int_equal(outcome.result, RESULT_OK);
    assert_true(outcome.operation_id > buried_id);
    assert_int_equal(rows_verify(rows->store), 0);
}

static void what_is_still_under_way_is_not_settled(void **state)
{
    struct fixture *fixture = *state;
    struct rows *rows = &fixture->rows;
    struct command command = charge(rows, 1);
    char sql[512];
    bool happened;
    rows_decide(rows, &command, 1);
    /* The old connection has written its row and not ended yet. */
    PGconn *old = postgres_process_connect(&primary, fixture->database);
    (void)snprintf(sql, sizeof(sql),
                   "BEGIN; SELECT set_config('session_replication_role', 'replica', true);"
                   "INSERT INTO operation SELECT (jsonb_populate_record(operation, "
                   "'{\"id\": %lld, \"order_id\": 1, \"action\": 2, \"asked_minor\": 10, "
                   "\"amount_minor\": 10, \"card_version_after\": 2, \"created_at_us\": %lld}')).* "
                   "FROM operation LIMIT 1",
                   (long long)rows->batch->view.next_operation_id - 1,
                   (long long)rows->batch->decided_at_us);
    PGresult *result = PQexec(old, sql);
    assert_int_equal(PQresultStatus(result), PGRES_COMMAND_OK);
    PQclear(result);
    assert_int_equal(store_settle(fixture->other.store, rows->batch, &happened), ERR_STORE_BUSY);
    PQclear(PQexec(old, "COMMIT"));
    PQfinish(old);
    assert_int_equal(store_settle(fixture->other.store, rows->batch, &happened), 0);
    assert_true(happened);
    store_rollback(rows->store);
}

static void a_torn_batch_is_damage(void **state)
{
    struct fixture *fixture = *state;
    struct rows *rows = &fixture->rows;
    struct command commands[] = {charge(rows, 1), charge(rows, 2)};
    bool happened;
    rows_run_all(rows, commands, 2);
    rows->batch->view.operations[rows->batch->view.operation_count - 1].operation.id += 1000;
    assert_int_equal(store_settle(rows->store, rows->batch, &happened), ERR_STORE_CORRUPT);
    assert_int_equal(read_int(fixture, "SELECT count(*) FROM operation"), 3);
}

/* As a server that was killed, or a replica that took its place, gives them out again. */
static void forget_ids(const struct fixture *fixture, int64_t next_id)
{
    char sql[96];
    (void)snprintf(sql, sizeof(sql), "SELECT setval('operation_ids', %lld)",
                   (long long)next_id - 1);
    postgres_process_execute(&primary, fixture->database, sql);
}

static void operations_of_others_at_the_same_ids_are_not_taken_for_ours(void **state)
{
    struct fixture *fixture = *state;
    struct rows *rows = &fixture->rows;
    struct rows *other = &fixture->other;
    struct command lost[] = {charge(rows, 1), charge(rows, 2)};
    bool happened = true;
    other->now_us = rows->now_us;
    struct command theirs[] = {charge(other, 3), charge(other, 4)};
    rows_decide(rows, lost, 2);
    int64_t next_id = rows->batch->view.next_operation_id;
    postgres_process_kill(&primary);
    postgres_process_start(&primary);
    assert_int_equal(store_commit(rows->store, rows->batch), ERR_COMMIT_UNKNOWN);
    forget_ids(fixture, read_int(fixture, "SELECT max(id) + 1 FROM operation"));
    rows_run_all(other, theirs, 2);
    assert_int_equal(other->batch->view.next_operation_id, next_id);

    assert_int_equal(store_settle(rows->store, rows->batch, &happened), 0);
    assert_false(happened);
    assert_int_equal(read_int(fixture, "SELECT count(*) FROM operation WHERE order_id IN (1, 2)"),
                     0);
    assert_int_equal(rows_card(rows, CARD).balance_minor, 980);
    assert_int_equal(rows_verify(rows->store), 0);
}

/* --- with a replica */

static int64_t count_waiting(const struct fixture *fixture)
{
    return read_int(fixture, "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'");
}

/* What waits for the replica is seen by all from now on, as after a crash of the primary. */
static void cut_waits_short(const struct fixture *fixture)
{
    postgres_process_execute(&primary, fixture->database,
                             "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                             "WHERE wait_event = 'SyncRep'");
    postgres_process_await(
        &primary, fixture->database,
        "SELECT count(*) = 0 FROM pg_stat_activity WHERE wait_event = 'SyncRep'");
}

static void what_the_replica_does_not_have_is_unknown_until_it_does(void **state)
{
    struct fixture *fixture = *state;
    struct rows *rows = &fixture->rows;
    struct command command = charge(rows, 1);
    bool happened = false;
    rows_decide(rows, &command, 1);
    postgres_process_execute(&primary, fixture->database, "SELECT take_ids(9, 9)");
    postgres_process_stop(&replica);
    assert_int_equal(store_commit(rows->store, rows->batch), ERR_COMMIT_UNKNOWN);
    cut_waits_short(fixture);
    assert_int_equal(read_int(fixture, "SELECT count(*) FROM operation"), 2);
    /* It is there, but only here: to say so would be too early. */
    assert_int_not_equal(store_settle(rows->store, rows->batch, &happened), 0);
    postgres_process_start(&replica);
    assert_int_equal(store_settle(rows->store, rows->batch, &happened), 0);
    assert_true(happened);
    assert_int_equal(rows_card(rows, CARD).balance_minor, 990);
}

static void attempts_to_settle_do_not_pile_up_on_a_server_that_waits(void **state)
{
    struct fixture *fixture = *state;
    struct rows *rows = &fixture->rows;
    struct command command = charge(rows, 1);
    bool happened = false;
    rows_decide(rows, &command, 1);
    postgres_process_stop(&replica);
    assert_int_equal(store_commit(rows->store, rows->batch), ERR_COMMIT_UNKNOWN);
    cut_waits_short(fixture);
    for (int i = 0; i < 3; i++)
        assert_int_not_equal(store_settle(rows->store, rows->batch, &happened), 0);
    assert_int_equal(count_waiting(fixture), 1);
    for (int i = 0; i < 3; i++)
        assert_int_not_equal(store_ping(fixture->other.store), 0);
    assert_int_equal(count_waiting(fixture), 2);
    postgres_process_start(&replica);
    while (store_settle(rows->store, rows->batch, &happened) != 0)
        continue; /* as the committer does */
    assert_true(happened);
}

static void an_answer_is_not_repeated_before_the_replica_has_it(void **state)
{
    struct fixture *fixture = *state;
    struct rows *rows = &fixture->rows;
    struct command command = charge(rows, 1);
    rows_decide(rows, &command, 1);
    postgres_process_stop(&replica);
    assert_int_equal(store_commit(rows->store, rows->batch), ERR_COMMIT_UNKNOWN);
    cut_waits_short(fixture);
    struct rows *other = &fixture->other;
    other->now_us = rows->now_us;
    rows_decide(other, &command, 1);
    assert_true(other->batch->outcomes[0].is_replay);
    assert_false(batch_has_changes(other->batch));
    assert_int_equal(store_commit(other->store, other->batch), ERR_COMMIT_UNKNOWN);
    postgres_process_start(&replica);
    postgres_process_await(
        &primary, fixture->database,
        "SELECT count(*) = 0 FROM pg_stat_activity WHERE wait_event = 'SyncRep'");
    assert_true(rows_run(other, command).is_replay);
    assert_int_equal(rows_card(rows, CARD).balance_minor, 990);
}

static void points_are_not_told_redeemed_again_before_the_replica_has_it(void **state)
{
    struct fixture *fixture = *state;
    struct rows *rows = &fixture->rows, *other = &fixture->other;
    struct points_outcome outcome;
    int64_t member_id = loyalty_member(rows, "M");
    int64_t reward_id = loyalty_add_reward(rows);
    loyalty_run_to(rows, loyalty_grant(rows, member_id, 100), POINTS_OK);
    const struct points_command reserve = loyalty_reserve(rows, member_id, reward_id, "t", 7, 60);
    int64_t id = loyalty_run_to(rows, reserve, POINTS_OK).reservation.id;
    const struct points_command burn = loyalty_move(rows, POINTS_BURN, id);
    postgres_process_stop(&replica);
    assert_int_equal(store_run_points(rows->store, &burn, rows->now_us, &outcome),
                     ERR_COMMIT_UNKNOWN);
    cut_waits_short(fixture);
    assert_int_equal(store_run_points(other->store, &reserve, rows->now_us, &outcome),
                     ERR_COMMIT_UNKNOWN);
    postgres_process_start(&replica);
    postgres_process_await(
        &primary, fixture->database,
        "SELECT count(*) = 0 FROM pg_stat_activity WHERE wait_event = 'SyncRep'");
    assert_int_equal(store_run_points(other->store, &reserve, rows->now_us, &outcome), 0);
    assert_int_equal(outcome.result, POINTS_ALREADY_DONE);
    assert_int_equal(loyalty_account(rows, member_id).points, 40);
}

static void what_the_old_primary_alone_had_never_happened(void **state)
{
    struct fixture *fixture = *state;
    struct rows *rows = &fixture->rows;
    struct command command = charge(rows, 1);
    bool happened = true;
    rows_decide(rows, &command, 1);
    postgres_process_stop(&replica);
    assert_int_equal(store_commit(rows->store, rows->batch), ERR_COMMIT_UNKNOWN);
    postgres_process_kill(&primary);
    postgres_process_start(&replica);
    postgres_process_promote(&replica);
    while (store_settle(rows->store, rows->batch, &happened) != 0)
        continue; /* as the committer does */
    assert_false(happened);
    struct outcome outcome = rows_run(rows, charge(rows, 1));
    assert_int_equal(outcome.result, RESULT_OK);
    assert_false(outcome.is_replay);
    assert_int_equal(rows_card(rows, CARD).balance_minor, 990);
    assert_int_equal(rows_verify(rows->store), 0);
    postgres_process_start(&primary); /* teardown's */
}

int main(void)
{
    check_hook = rows_on_failed_check;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_commit_that_happened_is_found_and_nothing_added, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_commit_that_never_happened_never_can, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_still_under_way_is_not_settled, setup, teardown),
        cmocka_unit_test_setup_teardown(a_torn_batch_is_damage, setup, teardown),
        cmocka_unit_test_setup_teardown(operations_of_others_at_the_same_ids_are_not_taken_for_ours,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(attempts_to_settle_do_not_pile_up_on_a_server_that_waits,
                                        setup_replicated, teardown_replicated),
        cmocka_unit_test_setup_teardown(an_answer_is_not_repeated_before_the_replica_has_it,
                                        setup_replicated, teardown_replicated),
        cmocka_unit_test_setup_teardown(
            points_are_not_told_redeemed_again_before_the_replica_has_it, setup_replicated,
            teardown_replicated),
        cmocka_unit_test_setup_teardown(what_the_replica_does_not_have_is_unknown_until_it_does,
                                        setup_replicated, teardown_replicated),
        cmocka_unit_test_setup_teardown(what_the_old_primary_alone_had_never_happened,
                                        setup_replicated, teardown_replicated),
    };
    postgres_process_create(&primary);
    int failed = cmocka_run_group_tests_name("postgres commit", tests, NULL, NULL);
    postgres_process_destroy(&primary);
    return failed;
}
