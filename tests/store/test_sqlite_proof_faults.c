/*
 * Proofs on a disk that fails: a scan's rows with their work and the cursor, and what an order
 * shows, are there whole or not at all, whichever write fails; and whoever was told that it is
 * unknown finds out by doing it again, to one effect.
 */
#include "tests/store/faulty_disk.h"
#include "tests/store/files.h"
#include "tests/store/proofs.h"

#include "base/error.h"
#include "store/sqlite_driver.h"

#include <string.h>

/* More writes than one change makes. */
#define CALLS_MAX 100
#define CARD_A "6000000000000001"

struct fixture {
    struct rows rows;
    char location[LOCATION_MAX];
    int64_t order_id; /* grows: each round has orders of its own */
    struct proof proofs[2];
    int64_t cursor;
};

static int setup(void **state)
{
    struct fixture *fixture = test_calloc(1, sizeof(*fixture));
    rows_init(&fixture->rows, 1);
    files_create(fixture->location);
    rows_open(&fixture->rows, fixture->location);
    proofs_connect(&fixture->rows);
    rows_run(&fixture->rows, rows_issue(&fixture->rows, CARD_A, 1000000));
    proofs_make(&fixture->rows, ROWS_DATE);
    fixture->order_id = 1000;
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    faulty_disk_disarm();
    rows_finish(&fixture->rows);
    files_remove(fixture->location);
    test_free(fixture);
    return 0;
}

/* Two charges on two orders, not proved yet. */
static void next_round(struct fixture *fixture)
{
    struct rows *rows = &fixture->rows;
    assert_int_equal(store_read_proof_cursor(rows->store, &fixture->cursor), 0);
    for (int i = 0; i < 2; i++) {
        int64_t id = proofs_run(rows, ACTION_CHARGE, CARD_A, ++fixture->order_id, 10 + i);
        struct operation operation = proofs_operation(rows, id);
        fixture->proofs[i] = proof_make(&operation, ROWS_DATE, rows->now_us);
    }
}

static int add(struct fixture *fixture)
{
    return store_add_proofs(fixture->rows.store, fixture->cursor, fixture->proofs[1].operation_id,
                            fixture->proofs, 2, fixture->rows.now_us);
}

/* What a restart after a crash at this moment finds: all of the round, or nothing. */
static bool is_there_after_crash(const struct fixture *fixture)
{
    char copy[LOCATION_MAX];
    struct rows other = {.seal = fixture->rows.seal, .tenant = fixture->rows.tenant};
    struct store_config config = {.location = copy, .seal = other.seal};
    struct proof_facts facts;
    int64_t cursor;
    int found = 0;
    files_create(copy);
    files_copy(fixture->location, copy);
    assert_int_equal(store_open(&config, STORE_WRITER, &other.store), 0);
    assert_int_equal(rows_verify(other.store), 0);
    for (int i = 0; i < 2; i++) {
        int64_t order_id = fixture->proofs[i].order_id;
        struct work work =
            work_make(other.tenant.id, WORK_PROVE_ORDER, order_id, order_id, ROWS_NOW_US);
        found += store_read_proof(other.store, fixture->proofs[i].operation_id, &facts) == 0;
        found += store_find_work(other.store, &work) == 0;
    }
    assert_int_equal(store_read_proof_cursor(other.store, &cursor), 0);
    assert_true(found == 0 || found == 4);
    assert_int_equal(cursor, found == 0 ? fixture->cursor : fixture->proofs[1].operation_id);
    store_close(other.store);
    files_remove(copy);
    return found == 4;
}

static void disk_full_at_any_write_means_nothing_happened(void **state)
{
    struct fixture *fixture = *state;
    int failures = 0;
    bool ended = false;
    for (int nth = 1; nth < CALLS_MAX && !ended; nth++) {
        next_round(fixture);
        faulty_disk_arm(DISK_WRITE, nth, SQLITE_FULL, false);
        int err = add(fixture);
        ended = !faulty_disk_disarm();
        assert_int_equal(err, ended ? 0 : ERR_STORE_FULL);
        assert_true(is_there_after_crash(fixture) == ended);
        if (ended)
            break;
        failures++;
        assert_int_equal(add(fixture), 0);
    }
    assert_true(ended);
    assert_true(failures >= 3);
}

/* Who does not know tries again: the cursor tells. */
static void write_error_is_unknown_until_it_is_tried_again(void **state)
{
    struct fixture *fixture = *state;
    int failures = 0;
    bool ended = false;
    for (int nth = 1; nth < CALLS_MAX && !ended; nth++) {
        next_round(fixture);
        faulty_disk_arm(DISK_WRITE, nth, SQLITE_IOERR_WRITE, false);
        int err = add(fixture);
        ended = !faulty_disk_disarm();
        assert_int_equal(err, ended ? 0 : ERR_COMMIT_UNKNOWN);
        is_there_after_crash(fixture); /* whole or not at all, whichever */
        if (ended)
            break;
        failures++;
        err = add(fixture);
        assert_true(err == 0 || err == ERR_STALE);
        assert_true(is_there_after_crash(fixture));
    }
    assert_true(ended);
    assert_true(failures >= 3);
}

static void crash_at_any_write_leaves_it_whole_or_absent(void **state)
{
    struct fixture *fixture = *state;
    bool ended = false;
    for (int nth = 1; nth < CALLS_MAX && !ended; nth++) {
        next_round(fixture);
        faulty_disk_arm(DISK_WRITE, nth, SQLITE_IOERR_WRITE, true); /* and all later ones */
        int err = add(fixture);
        bool is_there = is_there_after_crash(fixture);
        ended = !faulty_disk_disarm();
        assert_int_equal(err, ended ? 0 : ERR_COMMIT_UNKNOWN);
        assert_true(is_there || !ended);
        err = add(fixture);
        assert_true(err == 0 || err == ERR_STALE);
        assert_true(is_there_after_crash(fixture));
    }
    assert_true(ended);
}

/* Payments, the proofs that claim them and what was confirmed by others: all or nothing. */
static void what_an_order_shows_is_replaced_whole_or_not_at_all(void **state)
{
    struct fixture *fixture = *state;
    struct rows *rows = &fixture->rows;
    int failures = 0;
    bool ended = false;
    for (int nth = 1; nth < CALLS_MAX && !ended; nth++) {
        next_round(fixture);
        assert_int_equal(add(fixture), 0);
        int64_t order_id = fixture->proofs[0].order_id;
        int64_t first = fixture->proofs[0].operation_id, second = fixture->proofs[1].operation_id;
        struct register_payment payment = proofs_payment(rows, order_id, 1, 10, first);
        proofs_put(rows, order_id, &payment, 1);
        payment.operation_id = second;
        faulty_disk_arm(DISK_WRITE, nth, SQLITE_FULL, false);
        int err = store_put_register_payments(rows->store, rows->tenant.id, order_id, &payment, 1);
        ended = !faulty_disk_disarm();
        failures += !ended;
        assert_int_equal(err, ended ? 0 : ERR_STORE_FULL);
        assert_int_equal(proofs_facts(rows, first).shown_minor, ended ? 0 : 10);
        assert_int_equal(proofs_facts(rows, second).shown_minor, ended ? 10 : 0);
        assert_true(is_there_after_crash(fixture)); /* and verify finds nothing */
    }
    assert_true(ended);
    assert_true(failures >= 2);
}

static void unreadable_page_fails_the_change_and_leaves_nothing_open(void **state)
{
    struct fixture *fixture = *state;
    struct rows *rows = &fixture->rows;
    struct store_config config = {.location = fixture->location, .seal = rows->seal};
    int failures = 0;
    bool ended = false;
    for (int nth = 1; nth < CALLS_MAX && !ended; nth++) {
        next_round(fixture);
        store_close(rows->store); /* with cold caches */
        assert_int_equal(store_open(&config, STORE_WRITER, &rows->store), 0);
        faulty_disk_arm(DISK_READ, nth, SQLITE_IOERR_READ, false);
        int err = add(fixture);
        ended = !faulty_disk_disarm();
        assert_true(ended ? err == 0 : err == ERR_STORE_DOWN || err == ERR_COMMIT_UNKNOWN);
        assert_int_not_equal(sqlite3_get_autocommit(sqlite_of(rows->store)->connection), 0);
        failures += !ended;
        err = add(fixture);
        assert_true(err == 0 || err == ERR_STALE);
    }
    assert_true(ended);
    assert_true(failures >= 2);
}

static void a_reversal_that_cannot_be_stored_leaves_its_proof_alone(void **state)
{
    struct fixture *fixture = *state;
    struct rows *rows = &fixture->rows;
    next_round(fixture);
    assert_int_equal(add(fixture), 0);
    int64_t charge = fixture->proofs[0].operation_id;
    struct command reversal =
        rows_command(rows, ACTION_REVERSE, CARD_A, fixture->proofs[0].order_id, 0);
    reversal.answers_operation_id = charge;
    rows_decide(rows, &reversal, 1);
    faulty_disk_arm(DISK_WRITE, 1, SQLITE_FULL, false);
    assert_int_equal(store_commit(rows->store, rows->batch), ERR_STORE_FULL);
    assert_true(faulty_disk_disarm());
    assert_int_equal(proofs_facts(rows, charge).ledger_minor, 10);
    assert_int_equal(rows_run(rows, reversal).result, RESULT_OK);
    assert_int_equal(proofs_facts(rows, charge).ledger_minor, 0);
    assert_true(is_there_after_crash(fixture));
}

#define TEST_CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_CASE(disk_full_at_any_write_means_nothing_happened),
        TEST_CASE(write_error_is_unknown_until_it_is_tried_again),
        TEST_CASE(crash_at_any_write_leaves_it_whole_or_absent),
        TEST_CASE(what_an_order_shows_is_replaced_whole_or_not_at_all),
        TEST_CASE(unreadable_page_fails_the_change_and_leaves_nothing_open),
        TEST_CASE(a_reversal_that_cannot_be_stored_leaves_its_proof_alone),
    };
    faulty_disk_install();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
