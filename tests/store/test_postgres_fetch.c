/*
 * PostgreSQL's hot path beside SQLite's: whatever a batch is made of, both load the same rows and
 * decide the same; and what only a store of several processes can meet: races, deadlocks, a
 * connection that is gone.
 */
#include "tests/store/postgres_process.h"
#include "tests/store/twins.h"

#include "store/foreign.h"
#include "store/postgres.h"
#include "store/work.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct postgres_process cluster;

struct fixture {
    char database[32];
    char location[LOCATION_MAX];
    struct rows rows;  /* one process */
    struct rows other; /* and another one, without a tenant of its own */
};

static void create_database(struct fixture *fixture)
{
    static int count;
    (void)snprintf(fixture->database, sizeof(fixture->database), "fetch_%d", ++count);
    postgres_process_create_database(&cluster, fixture->database);
    postgres_process_location(&cluster, NULL, fixture->database, fixture->location);
}

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    assert_non_null(fixture);
    create_database(fixture);
    rows_init(&fixture->rows, 5);
    rows_open(&fixture->rows, fixture->location);
    rows_init(&fixture->other, 5);
    struct store_config config = {.location = fixture->location, .seal = fixture->other.seal};
    assert_int_equal(store_open(&config, STORE_WRITER, &fixture->other.store), 0);
    fixture->other.tenant = fixture->rows.tenant;
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    rows_finish(&fixture->rows);
    rows_finish(&fixture->other);
    postgres_process_drop_database(&cluster, fixture->database);
    free(fixture);
    return 0;
}

static void execute(const struct fixture *fixture, const char *sql)
{
    postgres_process_execute(&cluster, fixture->database, sql);
}

static int64_t read_int(const struct fixture *fixture, const char *sql)
{
    return postgres_process_read_int(&cluster, fixture->database, sql);
}

/* --- the same stream of commands through both stores */

static void assert_streams_agree(uint64_t seed, int32_t batches, int32_t batch_max)
{
    struct fixture fixture = {0};
    create_database(&fixture);
    struct twins *twins = twins_create(fixture.location);
    print_message("seed %llu\n", (unsigned long long)seed);
    twins_seed(twins, seed);
    for (int32_t i = 0; i < batches; i++)
        twins_run_batch(twins, batch_max);
    twins_compare_cards(twins);
    assert_int_equal(rows_verify(twins->sqlite.store), 0);
    assert_int_equal(rows_verify(twins->postgres.store), 0);
    twins_destroy(twins);
    postgres_process_drop_database(&cluster, fixture.database);
}

static void a_random_stream_loads_and_decides_as_on_sqlite(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 4; seed++)
        assert_streams_agree(seed, 60, 12);
}

static void batches_of_512_mixed_commands_load_and_decide_as_on_sqlite(void **state)
{
    (void)state;
    assert_streams_agree(77, 6, BATCH_MAX);
}

/* --- ids */

static void a_refund_of_64_charges_stays_within_the_ids_that_were_taken(void **state)
{
    struct rows *rows = &((struct fixture *)*state)->rows;
    struct command charges[ORDER_OPERATIONS_MAX];
    rows_run(rows, rows_issue(rows, "6000000000000001", 100000));
    for (int32_t i = 0; i < ORDER_OPERATIONS_MAX; i++) {
        charges[i] = rows_command(rows, ACTION_CHARGE, "6000000000000001", 4, 10 + i);
        charges[i].policy.replay_window_us = 0;
    }
    rows_run_all(rows, charges, ORDER_OPERATIONS_MAX);
    int64_t charged_minor = 100000 - rows_card(rows, "6000000000000001").balance_minor;
    struct command refund = rows_command(rows, ACTION_REFUND, "6000000000000001", 4, charged_minor);
    struct outcome outcome = rows_run(rows, refund);
    assert_int_equal(outcome.result, RESULT_OK);
    assert_int_equal(rows->batch->view.transfer_count, ORDER_OPERATIONS_MAX);
    assert_int_equal(rows_card(rows, "6000000000000001").balance_minor, 100000);
    assert_int_equal(rows_verify(rows->store), 0);
}

static void ids_beyond_those_that_were_taken_are_a_bug(void **state)
{
    struct rows *rows = &((struct fixture *)*state)->rows;
    struct command issue = rows_issue(rows, "6000000000000001", 100);
    rows_decide(rows, &issue, 1);
    int64_t next_id = rows->batch->view.next_operation_id;
    rows->batch->view.next_operation_id = next_id + 1;
    expect_assert_failure((void)!store_commit(rows->store, rows->batch));
    rows->batch->view.next_operation_id = next_id;
    assert_int_equal(store_commit(rows->store, rows->batch), 0);
}

static void run_charges(struct fixture *fixture, const char *number, int64_t order_id)
{
    struct rows *rows = &fixture->rows;
    struct command commands[3];
    for (int32_t i = 0; i < 3; i++)
        commands[i] = rows_command(rows, ACTION_CHARGE, number, order_id + i, 4);
    rows_run_all(rows, commands, 3);
    for (int32_t i = 0; i < 3; i++)
        assert_int_equal(rows->batch->outcomes[i].result, RESULT_OK);
}

static void a_batch_is_written_before_in_and_behind_the_border_of_partitions(void **state)
{
    struct fixture *fixture = *state;
    struct rows *rows = &fixture->rows;
    rows_run(rows, rows_issue(rows, "6000000000000001", 100000));
    execute(fixture, "SELECT skip_ids(1, 67108850, 67108855); SELECT partition_ahead()");
    run_charges(fixture, "6000000000000001", 10);
    assert_int_equal(read_int(fixture, "SELECT count(*) FROM operation_1"), 0);
    execute(fixture, "SELECT skip_ids(1, 67108861, 67108862)"); /* the last is 67108863 */
    run_charges(fixture, "6000000000000001", 20);
    assert_int_equal(read_int(fixture, "SELECT count(*) FROM operation_1"), 1);
    assert_int_equal(read_int(fixture, "SELECT count(*) FROM transfer_1"), 2);
    run_charges(fixture, "6000000000000001", 30);
    assert_int_equal(read_int(fixture, "SELECT count(*) FROM operation_1"), 4);
    assert_int_equal(read_int(fixture, "SELECT count(*) FROM transfer_1"), 5);
    assert_int_equal(rows_card(rows, "6000000000000001").balance_minor, 100000 - 9 * 4);
    assert_int_equal(rows_verify(rows->store), 0);
}

static void who_is_broken_off_while_it_takes_ids_keeps_them_from_nobody(void **state)
{
    struct fixture *fixture = *state;
    struct rows *rows = &fixture->rows, *other = &fixture->other;
    struct command charge = rows_command(rows, ACTION_CHARGE, "6000000000000001", 10, 4);
    rows_run(rows, rows_issue(rows, "6000000000000001", 100000));
    execute(fixture, "ALTER SEQUENCE transfer_ids MAXVALUE 2");
    batch_clear(rows->batch);
    batch_add(rows->batch, &charge);
    assert_int_not_equal(store_fetch(rows->store, rows->batch), 0);
    execute(fixture, "ALTER SEQUENCE transfer_ids NO MAXVALUE");
    other->now_us = rows->now_us;
    assert_int_equal(rows_run(other, charge).result, RESULT_OK);
    assert_int_equal(rows_run(rows, charge).is_replay, true);
}

/* --- several processes */

#define RACE_CARDS 8
#define RACE_BATCHES 40

struct racer {
    struct rows *rows;
    bool is_backwards;
    int failures;
    pthread_t thread;
};

/* Every card once; the two name them the other way round. */
static void *race(void *context)
{
    struct racer *racer = context;
    struct batch *batch = racer->rows->batch;
    struct command commands[RACE_CARDS];
    for (int32_t i = 0; i < RACE_BATCHES; i++) {
        batch_clear(batch);
        for (int32_t at = 0; at < RACE_CARDS; at++) {
            char number[32];
            (void)snprintf(number, sizeof(number), "600000000000%04d",
                           racer->is_backwards ? RACE_CARDS - 1 - at : at);
            commands[at] = rows_command(racer->rows, ACTION_CHARGE, number,
                                        100 + i + (racer->is_backwards ? 1000 : 0), 3);
            batch_add(batch, &commands[at]);
        }
        int err = store_fetch(racer->rows->store, batch);
        if (err == 0) {
            batch_decide(batch, racer->rows->now_us);
            err = store_commit(racer->rows->store, batch);
        }
        racer->failures += err != 0;
    }
    return NULL;
}

static void two_processes_on_the_same_cards_wait_for_each_other_and_lose_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct racer racers[2] = {{.rows = &fixture->rows},
                              {.rows = &fixture->other, .is_backwards = true}};
    for (int32_t i = 0; i < RACE_CARDS; i++) {
        char number[32];
        (void)snprintf(number, sizeof(number), "600000000000%04d", i);
        rows_run(&fixture->rows, rows_issue(&fixture->rows, number, 100000));
    }
    fixture->other.now_us = fixture->rows.now_us;
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&racers[i].thread, NULL, race, &racers[i]), 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_join(racers[i].thread, NULL), 0);
    assert_int_equal(racers[0].failures + racers[1].failures, 0);
    for (int32_t i = 0; i < RACE_CARDS; i++) {
        char number[32];
        (void)snprintf(number, sizeof(number), "600000000000%04d", i);
        struct card card = rows_card(&fixture->rows, number);
        assert_int_equal(card.balance_minor, 100000 - 2 * RACE_BATCHES * 3);
        assert_int_equal(card.version, 1 + 2 * RACE_BATCHES);
    }
    assert_int_equal(rows_verify(fixture->rows.store), 0);
}

static void a_number_that_another_process_has_just_made_is_not_made_twice(void **state)
{
    struct fixture *fixture = *state;
    struct command ours = rows_issue(&fixture->rows, "6000000000000001", 100);
    struct command theirs = rows_issue(&fixture->other, "6000000000000001", 200);
    rows_decide(&fixture->rows, &ours, 1);
    rows_run(&fixture->other, theirs);
    assert_int_equal(store_commit(fixture->rows.store, fixture->rows.batch), ERR_STORE_CONSTRAINT);
    /* Alone, once more, as the committer does it. */
    assert_int_equal(rows_run(&fixture->rows, ours).result, RESULT_ALREADY_EXISTS);
    assert_int_equal(rows_card(&fixture->rows, "6000000000000001").balance_minor, 200);
    assert_int_equal(rows_verify(fixture->rows.store), 0);
}

static void a_register_day_that_another_process_has_just_begun_is_not_begun_twice(void **state)
{
    struct fixture *fixture = *state;
    static const char *const numbers[] = {"6000000000000001", "6000000000000002"};
    for (int i = 0; i < 2; i++) {
        rows_run(&fixture->rows, rows_issue(&fixture->rows, numbers[i], 1000));
        rows_run(&fixture->rows, rows_command(&fixture->rows, ACTION_CHARGE, numbers[i], 0, 500));
    }
    fixture->other.now_us = fixture->rows.now_us;
    struct command ours = rows_command(&fixture->rows, ACTION_REFUND, numbers[0], 0, 100);
    struct command theirs = rows_command(&fixture->other, ACTION_REFUND, numbers[1], 0, 100);
    rows_decide(&fixture->rows, &ours, 1);
    assert_int_equal(fixture->rows.batch->outcomes[0].result, RESULT_OK);
    assert_int_equal(rows_run(&fixture->other, theirs).result, RESULT_OK);
    assert_int_equal(store_commit(fixture->rows.store, fixture->rows.batch), ERR_STORE_CONSTRAINT);
    assert_int_equal(rows_run(&fixture->rows, ours).result, RESULT_OK);
    assert_int_equal(read_int(fixture, "SELECT refunded_minor FROM register_day"), 200);
}

static void a_card_that_is_not_as_it_was_loaded_stops_the_whole_batch(void **state)
{
    struct fixture *fixture = *state;
    struct rows *rows = &fixture->rows;
    rows_run(rows, rows_issue(rows, "6000000000000001", 1000));
    rows_run(rows, rows_issue(rows, "6000000000000002", 1000));
    struct command commands[] = {rows_command(rows, ACTION_CHARGE, "6000000000000001", 1, 10),
                                 rows_command(rows, ACTION_CHARGE, "6000000000000002", 1, 10)};
    rows_decide(rows, commands, 2);
    rows->batch->view.cards[1].version_loaded++; /* as if somebody had written it since */
    assert_int_equal(store_commit(rows->store, rows->batch), ERR_STORE_CONSTRAINT);
    assert_int_equal(rows_card(rows, "6000000000000001").balance_minor, 1000);
    assert_int_equal(read_int(fixture, "SELECT count(*) FROM operation"), 2);
    rows_run_all(rows, commands, 2);
    assert_int_equal(rows_card(rows, "6000000000000002").balance_minor, 990);
}

static void an_operation_or_a_day_that_is_not_as_it_was_loaded_stops_the_batch(void **state)
{
    struct rows *rows = &((struct fixture *)*state)->rows;
    rows_run(rows, rows_issue(rows, "6000000000000001", 1000));
    rows_run(rows, rows_command(rows, ACTION_CHARGE, "6000000000000001", 0, 500));
    rows_run(rows, rows_command(rows, ACTION_REFUND, "6000000000000001", 0, 100));
    rows->now_us += INT64_C(30000000);
    struct command refund = rows_command(rows, ACTION_REFUND, "6000000000000001", 0, 100);
    rows_decide(rows, &refund, 1);
    for (int32_t i = 0; i < rows->batch->view.operation_count; i++)
        rows->batch->view.operations[i].given_back_minor_loaded++;
    assert_int_equal(store_commit(rows->store, rows->batch), ERR_STORE_CONSTRAINT);
    rows_decide(rows, &refund, 1);
    assert_int_equal(rows->batch->outcomes[0].result, RESULT_OK);
    rows->batch->view.days[0].refunded_minor_loaded++;
    assert_int_equal(store_commit(rows->store, rows->batch), ERR_STORE_CONSTRAINT);
    rows_run(rows, refund);
    assert_int_equal(rows_card(rows, "6000000000000001").balance_minor, 700);
    assert_int_equal(rows_verify(rows->store), 0);
}

/* --- locks and deadlocks */

struct fetcher {
    struct rows *rows;
    int err;
    pthread_t thread;
};

static void *run_fetch(void *context)
{
    struct fetcher *fetcher = context;
    fetcher->err = store_fetch(fetcher->rows->store, fetcher->rows->batch);
    return NULL;
}

static void say(PGconn *connection, const char *sql)
{
    PGresult *result = PQexec(connection, sql);
    if (PQresultStatus(result) != PGRES_COMMAND_OK && PQresultStatus(result) != PGRES_TUPLES_OK)
        fail_msg("%s: %s", sql, PQerrorMessage(connection));
    PQclear(result);
}

static void await_waiting(const struct fixture *fixture)
{
    postgres_process_await(&cluster, fixture->database,
                           "SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event_type = "
                           "'Lock' AND datname = current_database()");
}

static void begin_fetch(struct fetcher *fetcher, const struct command *commands, int32_t count)
{
    batch_clear(fetcher->rows->batch);
    for (int32_t i = 0; i < count; i++)
        batch_add(fetcher->rows->batch, &commands[i]);
    assert_int_equal(pthread_create(&fetcher->thread, NULL, run_fetch, fetcher), 0);
}

static void cards_are_locked_in_the_order_of_their_ids(void **state)
{
    struct fixture *fixture = *state;
    struct rows *rows = &fixture->rows;
    struct fetcher fetcher = {.rows = rows};
    rows_run(rows, rows_issue(rows, "6000000000000001", 1000));
    rows_run(rows, rows_issue(rows, "6000000000000002", 1000));
    struct command commands[] = {rows_command(rows, ACTION_CHARGE, "6000000000000002", 1, 10),
                                 rows_command(rows, ACTION_CHARGE, "6000000000000001", 1, 10)};
    PGconn *stranger = postgres_process_connect(&cluster, fixture->database);
    say(stranger, "BEGIN; SELECT 1 FROM card WHERE last4 = '0001' FOR UPDATE");
    begin_fetch(&fetcher, commands, 2);
    await_waiting(fixture);
    say(stranger, "SELECT 1 FROM card WHERE last4 = '0002' FOR UPDATE NOWAIT; COMMIT");
    PQfinish(stranger);
    assert_int_equal(pthread_join(fetcher.thread, NULL), 0);
    assert_int_equal(fetcher.err, 0);
    store_rollback(rows->store);
}

/* --- the limit of a day, which changes and batches both raise */

struct payer {
    struct rows *rows;
    struct foreign_attempt attempt;
    int err;
    pthread_t thread;
};

static void *run_begin_payment(void *context)
{
    struct payer *payer = context;
    payer->err =
        store_begin_foreign_payment(payer->rows->store, payer->rows->now_us, &payer->attempt);
    return NULL;
}

static struct command charge_elsewhere(struct rows *rows, int64_t order_id, int64_t amount_minor)
{
    struct command command =
        rows_command(rows, ACTION_CHARGE, "6000000000000001", order_id, amount_minor);
    command.payment_is_ours = true;
    return command;
}

static void approve(struct rows *rows, int64_t day_max_minor)
{
    struct foreign_change change = {.tenant_id = rows->tenant.id,
                                    .to = {.state = FOREIGN_REQUESTED},
                                    .created_at_us = rows->now_us};
    assert_int_equal(store_add_foreign_change(rows->store, &change), 0);
    change.to =
        (struct foreign_approval){.state = FOREIGN_APPROVED, .day_max_minor = day_max_minor};
    assert_int_equal(store_add_foreign_change(rows->store, &change), 0);
}

/* A payment of 500 on a charge that the register was to book. */
static struct payer payer_of(struct rows *rows)
{
    struct command charge = rows_command(rows, ACTION_CHARGE, "6000000000000001", 9, 500);
    return (struct payer){.rows = rows,
                          .attempt = {.tenant_id = rows->tenant.id,
                                      .operation_id = rows_run(rows, charge).operation_id,
                                      .order_id = 9,
                                      .amount_minor = 500,
                                      .local_date = ROWS_DATE}};
}

static void a_payment_waits_for_what_a_batch_under_way_pays_on_the_same_day(void **state)
{
    struct fixture *fixture = *state;
    struct rows *rows = &fixture->rows;
    rows_run(rows, rows_issue(rows, "6000000000000001", 10000));
    approve(rows, 1000);
    fixture->other.now_us = rows->now_us;
    struct payer payer = payer_of(&fixture->other);
    rows_run(rows, charge_elsewhere(rows, 1, 100)); /* begins the day */
    struct command charge = charge_elsewhere(rows, 2, 600);
    rows_decide(rows, &charge, 1);
    assert_int_equal(rows->batch->outcomes[0].result, RESULT_OK);
    assert_int_equal(pthread_create(&payer.thread, NULL, run_begin_payment, &payer), 0);
    await_waiting(fixture);
    assert_int_equal(store_commit(rows->store, rows->batch), 0);
    assert_int_equal(pthread_join(payer.thread, NULL), 0);
    assert_int_equal(payer.err, 0);
    assert_int_equal(payer.attempt.verdict, FOREIGN_OVER_DAY_MAX);
    assert_int_equal(read_int(fixture, "SELECT paid_minor FROM foreign_day"), 700);
    assert_int_equal(rows_verify(rows->store), 0);
}

static void a_batch_that_would_begin_a_day_which_a_payment_has_begun_is_decided_again(void **state)
{
    struct fixture *fixture = *state;
    struct rows *rows = &fixture->rows;
    rows_run(rows, rows_issue(rows, "6000000000000001", 10000));
    approve(rows, 1000);
    fixture->other.now_us = rows->now_us;
    struct payer payer = payer_of(&fixture->other);
    struct command charge = charge_elsewhere(rows, 2, 600);
    rows_decide(rows, &charge, 1);
    assert_int_equal(rows->batch->outcomes[0].result, RESULT_OK);
    (void)run_begin_payment(&payer);
    assert_int_equal(payer.attempt.verdict, FOREIGN_ALLOWED);
    assert_int_equal(store_commit(rows->store, rows->batch), ERR_STORE_CONSTRAINT);
    assert_int_not_equal(rows_run(rows, charge).result, RESULT_OK);
    assert_int_equal(read_int(fixture, "SELECT paid_minor FROM foreign_day"), 500);
    assert_int_equal(rows_verify(rows->store), 0);
}

static int64_t count_open_work(struct rows *rows)
{
    int64_t open;
    assert_int_equal(store_count_open_work(rows->store, &open), 0);
    return open;
}

/* What a batch decides and does not commit, because another process is busy with the days. */
static void fail_busy(const struct fixture *fixture, const struct command *commands, int32_t count)
{
    struct rows *rows = (struct rows *)&fixture->rows;
    PGconn *busy = postgres_process_connect(&cluster, fixture->database);
    rows_decide(rows, commands, count);
    say(busy, "BEGIN; LOCK TABLE foreign_day IN SHARE MODE");
    assert_int_equal(store_commit(rows->store, rows->batch), ERR_STORE_BUSY);
    say(busy, "ROLLBACK");
    PQfinish(busy);
}

static void what_was_rolled_back_and_then_skipped_leaves_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct rows *rows = &fixture->rows, *other = &fixture->other;
    struct batch *batch = rows->batch;
    rows_run(rows, rows_issue(rows, "6000000000000001", 1000));
    rows_run(rows, rows_issue(rows, "6000000000000002", 1000));
    approve(rows, 1000);
    struct command ours[] = {charge_elsewhere(rows, 1, 100), charge_elsewhere(rows, 2, 10)};
    memcpy(ours[1].card_index,
           rows_command(rows, ACTION_CHARGE, "6000000000000002", 2, 10).card_index,
           CARD_INDEX_BYTES);
    fail_busy(fixture, ours, 2);
    other->now_us = rows->now_us;
    struct command theirs = rows_command(other, ACTION_CHARGE, "6000000000000001", 3, 10);
    rows_decide(other, &theirs, 1);
    batch_rewind(batch);
    batch->may_skip = true;
    assert_int_equal(store_fetch(rows->store, batch), 0);
    assert_true(batch->is_skipped[0] && !batch->is_skipped[1]);
    batch_decide(batch, rows->now_us);
    assert_int_equal(store_commit(rows->store, batch), 0);
    assert_int_equal(read_int(fixture, "SELECT count(*) FROM foreign_attempt"), 1);
    assert_int_equal(count_open_work(rows), 1);
    assert_int_equal(rows_verify(rows->store), 0);
    store_rollback(other->store);
    assert_int_equal(batch_keep_skipped(batch), 1);
    assert_int_equal(store_fetch(rows->store, batch), 0);
    batch_decide(batch, rows->now_us);
    assert_int_equal(store_commit(rows->store, batch), 0);
    assert_int_equal(read_int(fixture, "SELECT count(*) FROM foreign_attempt"), 2);
    assert_int_equal(read_int(fixture, "SELECT paid_minor FROM foreign_day"), 110);
    assert_int_equal(count_open_work(rows), 2);
    assert_int_equal(rows_verify(rows->store), 0);
}

/* Ids rise along a card's chain, so they are taken by who holds its lock. */
static void ids_are_taken_by_who_comes_next_and_not_by_who_asked_first(void **state)
{
    struct fixture *fixture = *state;
    struct rows *rows = &fixture->rows;
    struct fetcher fetcher = {.rows = rows};
    rows_run(rows, rows_issue(rows, "6000000000000001", 1000));
    fixture->other.now_us = rows->now_us;
    struct command first = rows_command(rows, ACTION_CHARGE, "6000000000000001", 1, 10);
    struct command second = rows_command(&fixture->other, ACTION_CHARGE, "6000000000000001", 2, 10);
    rows_decide(&fixture->other, &second, 1);
    begin_fetch(&fetcher, &first, 1);
    await_waiting(fixture);
    assert_int_equal(store_commit(fixture->other.store, fixture->other.batch), 0);
    assert_int_equal(pthread_join(fetcher.thread, NULL), 0);
    assert_int_equal(fetcher.err, 0);
    batch_decide(rows->batch, rows->now_us);
    assert_int_equal(store_commit(rows->store, rows->batch), 0);
    assert_true(rows->batch->outcomes[0].operation_id >
                fixture->other.batch->outcomes[0].operation_id);
    assert_int_equal(rows_card(rows, "6000000000000001").balance_minor, 980);
    assert_int_equal(rows_verify(rows->store), 0);
}

/* The card that another process holds is left out, and whoever needs another one does not wait. */
static void a_batch_that_may_skip_leaves_out_what_another_process_holds(void **state)
{
    struct fixture *fixture = *state;
    struct rows *rows = &fixture->rows;
    struct batch *batch = rows->batch;
    rows_run(rows, rows_issue(rows, "6000000000000001", 1000));
    rows_run(rows, rows_issue(rows, "6000000000000002", 1000));
    fixture->other.now_us = rows->now_us;
    struct command theirs = rows_command(&fixture->other, ACTION_CHARGE, "6000000000000001", 1, 10);
    struct command ours[] = {rows_command(rows, ACTION_CHARGE, "6000000000000001", 2, 10),
                             rows_command(rows, ACTION_CHARGE, "6000000000000002", 3, 10),
                             rows_command(rows, ACTION_CHARGE, "6000000000000003", 4, 10),
                             rows_command(rows, ACTION_REFUND, "6000000000000001", 2, 10)};
    rows_decide(&fixture->other, &theirs, 1);
    batch_clear(batch);
    for (size_t i = 0; i < COUNT_OF(ours); i++)
        batch_add(batch, &ours[i]);
    batch->may_skip = true;
    assert_int_equal(store_fetch(rows->store, batch), 0);
    batch_decide(batch, rows->now_us);
    assert_int_equal(store_commit(rows->store, batch), 0);
    assert_true(batch->is_skipped[0] && batch->is_skipped[3]);
    assert_false(batch->is_skipped[1] || batch->is_skipped[2]);
    assert_int_equal(batch->outcomes[0].operation_id, 0);
    assert_int_equal(batch->outcomes[1].result, RESULT_OK);
    assert_int_equal(batch->outcomes[2].result, RESULT_NOT_FOUND);
    assert_int_equal(store_commit(fixture->other.store, fixture->other.batch), 0);
    assert_int_equal(batch_keep_skipped(batch), 2);
    assert_false(batch->may_skip);
    assert_int_equal(store_fetch(rows->store, batch), 0);
    batch_decide(batch, rows->now_us);
    assert_int_equal(store_commit(rows->store, batch), 0);
    assert_int_equal(batch->outcomes[0].result, RESULT_OK);
    assert_int_equal(batch->outcomes[1].result, RESULT_OK);
    assert_int_equal(batch->outcomes[1].action, ACTION_REFUND);
    assert_int_equal(rows_card(rows, "6000000000000001").balance_minor, 990);
    assert_int_equal(rows_card(rows, "6000000000000002").balance_minor, 990);
    assert_int_equal(rows_verify(rows->store), 0);
}

/* Else one of the two would have to be run again. */
static void a_register_day_under_way_is_waited_for(void **state)
{
    struct fixture *fixture = *state;
    struct rows *rows = &fixture->rows;
    struct fetcher fetcher = {.rows = rows};
    static const char *const numbers[] = {"6000000000000001", "6000000000000002"};
    for (int i = 0; i < 2; i++) {
        rows_run(rows, rows_issue(rows, numbers[i], 1000));
        rows_run(rows, rows_command(rows, ACTION_CHARGE, numbers[i], 0, 500));
        rows_run(rows, rows_command(rows, ACTION_REFUND, numbers[i], 0, 100));
    }
    fixture->other.now_us = rows->now_us + INT64_C(30000000);
    struct command first = rows_command(&fixture->other, ACTION_REFUND, numbers[0], 0, 50);
    struct command second = rows_command(&fixture->other, ACTION_REFUND, numbers[1], 0, 50);
    rows_decide(&fixture->other, &first, 1);
    begin_fetch(&fetcher, &second, 1);
    await_waiting(fixture);
    assert_int_equal(store_commit(fixture->other.store, fixture->other.batch), 0);
    assert_int_equal(pthread_join(fetcher.thread, NULL), 0);
    assert_int_equal(fetcher.err, 0);
    batch_decide(rows->batch, fixture->other.now_us);
    assert_int_equal(rows->batch->outcomes[0].result, RESULT_OK);
    assert_int_equal(store_commit(rows->store, rows->batch), 0);
    assert_int_equal(read_int(fixture, "SELECT refunded_minor FROM register_day"), 300);
}

static void of_a_deadlock_the_batch_is_told_and_can_be_run_again(void **state)
{
    struct fixture *fixture = *state;
    struct rows *rows = &fixture->rows;
    struct fetcher fetcher = {.rows = rows};
    rows_run(rows, rows_issue(rows, "6000000000000001", 1000));
    rows_run(rows, rows_issue(rows, "6000000000000002", 1000));
    struct command commands[] = {rows_command(rows, ACTION_CHARGE, "6000000000000001", 1, 10),
                                 rows_command(rows, ACTION_CHARGE, "6000000000000002", 1, 10)};
    PGconn *stranger = postgres_process_connect(&cluster, fixture->database);
    say(stranger, "SET deadlock_timeout = '1min'"); /* so that it is the batch that is told */
    say(stranger, "BEGIN; SELECT 1 FROM card WHERE last4 = '0002' FOR UPDATE");
    begin_fetch(&fetcher, commands, 2);
    await_waiting(fixture);
    say(stranger, "SELECT 1 FROM card WHERE last4 = '0001' FOR UPDATE"); /* in no order of ours */
    assert_int_equal(pthread_join(fetcher.thread, NULL), 0);
    assert_int_equal(fetcher.err, ERR_STORE_BUSY);
    say(stranger, "COMMIT");
    PQfinish(stranger);
    rows_run_all(rows, commands, 2);
    assert_int_equal(rows_card(rows, "6000000000000001").balance_minor, 990);
    assert_int_equal(rows_verify(rows->store), 0);
}

/* --- connections */

static void a_connection_that_ended_while_nobody_used_it_costs_no_answer(void **state)
{
    struct fixture *fixture = *state;
    struct rows *rows = &fixture->rows;
    rows_run(rows, rows_issue(rows, "6000000000000001", 1000));
    execute(fixture, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                     "WHERE application_name = 'counterpart' AND datname = current_database()");
    rows_run(rows, rows_command(rows, ACTION_CHARGE, "6000000000000001", 1, 10));
    assert_int_equal(rows_card(rows, "6000000000000001").balance_minor, 990);
}

static int64_t read_setting(struct store_postgres *postgres, const char *name)
{
    char sql[96];
    int64_t number;
    PGresult *result;
    (void)snprintf(sql, sizeof(sql), "SELECT setting FROM pg_settings WHERE name = '%s'", name);
    assert_int_equal(postgres_ask(postgres, sql, &result), 0);
    assert_int_equal(text_parse_int64(text_of(PQgetvalue(result, 0, 0)), &number), 0);
    PQclear(result);
    return number;
}

/* Of a machine that is gone in the middle of a pipeline nothing comes, and nothing is sent to it:
 * only the server's own probes find out, and then the cards are free. */
static void the_server_looks_soon_whether_the_machine_of_a_session_is_there(void **state)
{
    struct fixture *fixture = *state;
    struct store_postgres *postgres = postgres_of(fixture->rows.store);
    int64_t idle_s = read_setting(postgres, "tcp_keepalives_idle");
    int64_t interval_s = read_setting(postgres, "tcp_keepalives_interval");
    int64_t count = read_setting(postgres, "tcp_keepalives_count");
    assert_true(idle_s > 0 && interval_s > 0 && count > 0);
    assert_in_range(idle_s + interval_s * count, 1, 10);
    assert_in_range(read_setting(postgres, "tcp_user_timeout"), 1, 10000);
}

/* There it is no matter, and no reason not to be served. */
static void a_session_over_a_unix_socket_has_no_such_probes(void **state)
{
    struct fixture *fixture = *state;
    struct rows *rows = &fixture->other;
    char location[LOCATION_MAX];
    store_close(rows->store);
    (void)snprintf(location, sizeof(location), "postgresql://counterpart@/%s?host=%s&port=%d",
                   fixture->database, cluster.folder, cluster.port);
    struct store_config config = {.location = location, .seal = rows->seal};
    assert_int_equal(store_open(&config, STORE_WRITER, &rows->store), 0);
    assert_int_equal(read_setting(postgres_of(rows->store), "tcp_keepalives_idle"), 0);
    assert_int_equal(read_setting(postgres_of(rows->store), "tcp_user_timeout"), 0);
}

static void a_connection_that_ends_under_a_batch_leaves_nothing_of_it(void **state)
{
    struct fixture *fixture = *state;
    struct rows *rows = &fixture->rows;
    rows_run(rows, rows_issue(rows, "6000000000000001", 1000));
    struct command charge = rows_command(rows, ACTION_CHARGE, "6000000000000001", 1, 10);
    rows_decide(rows, &charge, 1);
    execute(fixture, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                     "WHERE application_name = 'counterpart' AND state LIKE 'idle in%' "
                     "AND datname = current_database()");
    postgres_process_await(&cluster, fixture->database,
                           "SELECT count(*) = 0 FROM pg_stat_activity WHERE state LIKE 'idle in%' "
                           "AND datname = current_database()");
    int err = store_commit(rows->store, rows->batch);
    assert_true(err == ERR_STORE_DOWN || err == ERR_COMMIT_UNKNOWN);
    bool happened = true;
    assert_int_equal(store_settle(rows->store, rows->batch, &happened), 0);
    assert_false(happened);
    assert_int_equal(rows_card(rows, "6000000000000001").balance_minor, 1000);
    rows_run(rows, charge);
    assert_int_equal(rows_card(rows, "6000000000000001").balance_minor, 990);
}

/* --- damage */

static void a_chain_that_leads_nowhere_is_damage_and_not_an_answer(void **state)
{
    struct fixture *fixture = *state;
    struct rows *rows = &fixture->rows;
    rows_run(rows, rows_issue(rows, "6000000000000001", 1000));
    struct command refund = rows_command(rows, ACTION_REFUND, "6000000000000001", 9, 10);
    execute(fixture, "UPDATE card SET last_operation_id = 4000");
    batch_clear(rows->batch);
    batch_add(rows->batch, &refund);
    assert_int_equal(store_fetch(rows->store, rows->batch), ERR_STORE_CORRUPT);
    refund.order_id = 0;
    batch_clear(rows->batch);
    batch_add(rows->batch, &refund);
    assert_int_equal(store_fetch(rows->store, rows->batch), ERR_STORE_CORRUPT);
}

/* --- plans */

static void read_plan(struct store_postgres *postgres, const char *name, int32_t parameters,
                      struct text_buffer *plan)
{
    char sql[512];
    struct text_buffer buffer;
    PGresult *result;
    text_buffer_init(&buffer, sql, sizeof(sql));
    text_append_format(&buffer, "EXPLAIN EXECUTE %s", name);
    for (int32_t i = 0; i < parameters; i++)
        text_append_format(&buffer, "%sNULL", i == 0 ? "(" : ", ");
    text_append_format(&buffer, "%s", parameters > 0 ? ")" : "");
    assert_false(buffer.is_cut);
    assert_int_equal(postgres_ask(postgres, sql, &result), 0);
    for (int row = 0; row < PQntuples(result); row++)
        text_append_format(plan, "%s\n", PQgetvalue(result, row, 0));
    PQclear(result);
}

/* By no more than its tenant, of which it may have any number of rows? */
static bool is_of_tenant_alone(const char *plan)
{
    static const char condition[] = "Index Cond: (tenant_id = ";
    for (const char *at = strstr(plan, condition); at != NULL; at = strstr(at + 1, condition)) {
        const char *end = strchr(at, '\n'), *next = strstr(at, " AND ");
        if (next == NULL || next > end)
            return true;
    }
    return false;
}

/* What is scanned whole: the arrays, and what one statement makes for itself. Of a tenant's rows
 * there is one approval, and any number of all others. */
static void assert_plan(const char *statement, const char *plan)
{
    static const char *const wrong[] = {"Seq Scan", "Bitmap", "Hash Join", "Merge Join", "hashed"};
    for (size_t i = 0; i < COUNT_OF(wrong); i++)
        if (strstr(plan, wrong[i]) != NULL)
            fail_msg("%s\n%s: %s", statement, wrong[i], plan);
    if (is_of_tenant_alone(plan) && strstr(plan, "foreign_approval_pkey") == NULL)
        fail_msg("%s\n%s", statement, plan);
}

/* The plans that a new store makes once, without statistics, are those that it keeps. */
static void everything_is_found_by_key_also_in_a_store_that_is_new(void **state)
{
    struct fixture *fixture = *state;
    struct rows *rows = &fixture->rows;
    struct store_postgres *postgres = postgres_of(rows->store);
    PGresult *names;
    char plan[16384];
    struct command commands[] = {rows_issue(rows, "6000000000000001", 1000),
                                 rows_command(rows, ACTION_CHARGE, "6000000000000002", 1, 10),
                                 rows_command(rows, ACTION_REFUND, "6000000000000003", 0, 10),
                                 rows_command(rows, ACTION_REFUND, "6000000000000003", 1, 10),
                                 rows_command(rows, ACTION_REVERSE, "6000000000000003", 1, 10)};
    commands[1].payment_is_ours = true;
    commands[4].answers_operation_id = 1;
    rows_run_all(rows, commands, (int32_t)COUNT_OF(commands));
    rows_run(rows, rows_command(rows, ACTION_CHARGE, "6000000000000001", 0, 10));
    rows_run(rows, rows_command(rows, ACTION_REFUND, "6000000000000001", 0, 10));
    rows_run(rows, rows_command(rows, ACTION_REFUND, "6000000000000001", 0, 0));
    rows_run(rows, rows_command(rows, ACTION_CHARGE, "6000000000000001", 1, 10));
    batch_clear(rows->batch);
    batch_add(rows->batch, &commands[3]);
    rows->batch->may_skip = true;
    assert_int_equal(store_fetch(rows->store, rows->batch), 0);
    store_rollback(rows->store);
    assert_int_equal(postgres_ask(postgres,
                                  "SELECT name, cardinality(parameter_types), statement "
                                  "FROM pg_prepared_statements WHERE statement LIKE '%unnest%' "
                                  "OR statement LIKE '%generate_series%'",
                                  &names),
                     0);
    assert_in_range(PQntuples(names), 15, 32);
    for (int row = 0; row < PQntuples(names); row++) {
        int64_t parameters;
        struct text_buffer buffer;
        text_buffer_init(&buffer, plan, sizeof(plan));
        assert_int_equal(text_parse_int64(text_of(PQgetvalue(names, row, 1)), &parameters), 0);
        read_plan(postgres, PQgetvalue(names, row, 0), (int32_t)parameters, &buffer);
        assert_false(buffer.is_cut);
        assert_plan(PQgetvalue(names, row, 2), plan);
    }
    PQclear(names);
}

int main(void)
{
    check_hook = rows_on_failed_check;
#define FETCH_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_random_stream_loads_and_decides_as_on_sqlite),
        cmocka_unit_test(batches_of_512_mixed_commands_load_and_decide_as_on_sqlite),
        FETCH_TEST(a_refund_of_64_charges_stays_within_the_ids_that_were_taken),
        FETCH_TEST(ids_beyond_those_that_were_taken_are_a_bug),
        FETCH_TEST(a_batch_is_written_before_in_and_behind_the_border_of_partitions),
        FETCH_TEST(who_is_broken_off_while_it_takes_ids_keeps_them_from_nobody),
        FETCH_TEST(two_processes_on_the_same_cards_wait_for_each_other_and_lose_nothing),
        FETCH_TEST(a_number_that_another_process_has_just_made_is_not_made_twice),
        FETCH_TEST(a_register_day_that_another_process_has_just_begun_is_not_begun_twice),
        FETCH_TEST(a_card_that_is_not_as_it_was_loaded_stops_the_whole_batch),
        FETCH_TEST(an_operation_or_a_day_that_is_not_as_it_was_loaded_stops_the_batch),
        FETCH_TEST(cards_are_locked_in_the_order_of_their_ids),
        FETCH_TEST(a_payment_waits_for_what_a_batch_under_way_pays_on_the_same_day),
        FETCH_TEST(a_batch_that_would_begin_a_day_which_a_payment_has_begun_is_decided_again),
        FETCH_TEST(ids_are_taken_by_who_comes_next_and_not_by_who_asked_first),
        FETCH_TEST(a_batch_that_may_skip_leaves_out_what_another_process_holds),
        FETCH_TEST(what_was_rolled_back_and_then_skipped_leaves_nothing),
        FETCH_TEST(a_register_day_under_way_is_waited_for),
        FETCH_TEST(of_a_deadlock_the_batch_is_told_and_can_be_run_again),
        FETCH_TEST(a_connection_that_ended_while_nobody_used_it_costs_no_answer),
        FETCH_TEST(the_server_looks_soon_whether_the_machine_of_a_session_is_there),
        FETCH_TEST(a_session_over_a_unix_socket_has_no_such_probes),
        FETCH_TEST(a_connection_that_ends_under_a_batch_leaves_nothing_of_it),
        FETCH_TEST(a_chain_that_leads_nowhere_is_damage_and_not_an_answer),
        FETCH_TEST(everything_is_found_by_key_also_in_a_store_that_is_new),
    };
    postgres_process_create(&cluster);
    int failed = cmocka_run_group_tests_name("postgres fetch", tests, NULL, NULL);
    postgres_process_destroy(&cluster);
    return failed;
}
