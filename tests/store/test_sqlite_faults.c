/*
 * SQLite on a disk that fails: every write, every fsync and every read of a commit in turn. Each
 * time the files are copied as a crash would leave them, and the copy must hold the batch whole or
 * not at all, and verify clean.
 */
#include "tests/store/faulty_disk.h"
#include "tests/store/files.h"

#include "base/error.h"
#include "store/sqlite_driver.h"

#include <string.h>

#define CARD_A "6000000000000001"
#define CARD_B "6000000000000002"
#define BALANCE 10000
/* More writes than one commit of two charges makes. */
#define CALLS_MAX 200

struct fixture {
    struct rows rows;
    char location[LOCATION_MAX];
    int64_t order_id;
    int64_t charged_minor; /* of CARD_A, by commits that were confirmed */
};

static int setup(void **state)
{
    struct fixture *fixture = test_calloc(1, sizeof(*fixture));
    rows_init(&fixture->rows, 1);
    files_create(fixture->location);
    rows_open(&fixture->rows, fixture->location);
    rows_run(&fixture->rows, rows_issue(&fixture->rows, CARD_A, BALANCE));
    rows_run(&fixture->rows, rows_issue(&fixture->rows, CARD_B, BALANCE));
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

/* Two charges on two cards; the transaction is open afterwards. */
static void decide_two(struct fixture *fixture, struct command commands[2])
{
    struct rows *rows = &fixture->rows;
    fixture->order_id++;
    commands[0] = rows_command(rows, ACTION_CHARGE, CARD_A, fixture->order_id, 1);
    commands[1] = rows_command(rows, ACTION_CHARGE, CARD_B, fixture->order_id, 1);
    rows_decide(rows, commands, 2);
}

/* What a restart after a crash at this moment finds of CARD_A. */
static int64_t balance_after_crash(const struct fixture *fixture)
{
    char copy[LOCATION_MAX];
    struct rows other = {.seal = fixture->rows.seal, .tenant = fixture->rows.tenant};
    struct store_config config = {.location = copy, .seal = other.seal};
    files_create(copy);
    files_copy(fixture->location, copy);
    assert_int_equal(store_open(&config, STORE_WRITER, &other.store), 0);
    assert_int_equal(rows_verify(other.store), 0);
    int64_t a_minor = rows_card(&other, CARD_A).balance_minor;
    assert_int_equal(rows_card(&other, CARD_B).balance_minor, a_minor); /* whole or not at all */
    store_close(other.store);
    files_remove(copy);
    return a_minor;
}

static void assert_confirmed_only(const struct fixture *fixture)
{
    assert_int_equal(balance_after_crash(fixture), BALANCE - fixture->charged_minor);
}

static void charge_once_more(struct fixture *fixture)
{
    struct command commands[2];
    decide_two(fixture, commands);
    assert_int_equal(store_commit(fixture->rows.store, fixture->rows.batch), 0);
    fixture->charged_minor++;
    assert_confirmed_only(fixture);
}

static void disk_full_at_any_write_means_nothing_happened(void **state)
{
    struct fixture *fixture = *state;
    int failures = 0;
    for (int nth = 1; nth < CALLS_MAX; nth++) {
        struct command commands[2];
        decide_two(fixture, commands);
        faulty_disk_arm(DISK_WRITE, nth, SQLITE_FULL, false);
        int err = store_commit(fixture->rows.store, fixture->rows.batch);
        if (!faulty_disk_disarm()) {
            assert_int_equal(err, 0); /* it has fewer writes than nth: all were tried */
            fixture->charged_minor++;
            break;
        }
        failures++;
        assert_int_equal(err, ERR_STORE_FULL); /* never unknown */
        assert_confirmed_only(fixture);
        charge_once_more(fixture);
    }
    assert_true(failures >= 3);
    assert_confirmed_only(fixture);
}

/* Unknown, then settled: it never happened, and no later crash brings it back. */
static void settle_as_never_happened(struct fixture *fixture)
{
    struct rows *rows = &fixture->rows;
    bool happened = true;
    assert_int_equal(store_settle(rows->store, rows->batch, &happened), 0);
    assert_false(happened);
    assert_confirmed_only(fixture);
    charge_once_more(fixture);
}

static void write_error_at_any_write_is_unknown_until_settled(void **state)
{
    struct fixture *fixture = *state;
    int failures = 0;
    for (int nth = 1; nth < CALLS_MAX; nth++) {
        struct command commands[2];
        decide_two(fixture, commands);
        faulty_disk_arm(DISK_WRITE, nth, SQLITE_IOERR_WRITE, false);
        int err = store_commit(fixture->rows.store, fixture->rows.batch);
        if (!faulty_disk_disarm()) {
            assert_int_equal(err, 0);
            fixture->charged_minor++;
            break;
        }
        failures++;
        assert_int_equal(err, ERR_COMMIT_UNKNOWN);
        balance_after_crash(fixture); /* whole or not at all, whichever */
        settle_as_never_happened(fixture);
    }
    assert_true(failures >= 3);
}

static void failed_fsync_is_unknown_until_settled(void **state)
{
    struct fixture *fixture = *state;
    struct command commands[2];
    decide_two(fixture, commands);
    faulty_disk_arm(DISK_SYNC, 1, SQLITE_IOERR_FSYNC, false);
    assert_int_equal(store_commit(fixture->rows.store, fixture->rows.batch), ERR_COMMIT_UNKNOWN);
    assert_true(faulty_disk_disarm());
    /* All bytes are in the log: a crash now would find the batch. That is why it is unknown. */
    assert_int_equal(balance_after_crash(fixture), BALANCE - 1);
    settle_as_never_happened(fixture);
}

static void commit_is_not_answered_before_its_fsync(void **state)
{
    struct fixture *fixture = *state;
    struct command commands[2];
    faulty_disk_arm(DISK_SYNC, CALLS_MAX, SQLITE_IOERR_FSYNC, false);
    for (int i = 1; i < CALLS_MAX; i++) {
        decide_two(fixture, commands);
        assert_int_equal(store_commit(fixture->rows.store, fixture->rows.batch), 0);
    }
    /* At least one fsync a commit: with fewer, the countdown would not have ended by now. */
    decide_two(fixture, commands);
    assert_int_equal(store_commit(fixture->rows.store, fixture->rows.batch), ERR_COMMIT_UNKNOWN);
    assert_true(faulty_disk_disarm());
}

static void batch_without_changes_needs_no_fsync(void **state)
{
    struct fixture *fixture = *state;
    struct rows *rows = &fixture->rows;
    struct command charge = rows_command(rows, ACTION_CHARGE, CARD_A, 1, 1);
    assert_int_equal(rows_run(rows, charge).result, RESULT_OK);
    faulty_disk_arm(DISK_SYNC, 1, SQLITE_IOERR_FSYNC, true);
    for (int i = 0; i < 10; i++)
        assert_true(rows_run(rows, charge).is_replay);
    assert_false(faulty_disk_disarm());
}

static void settling_on_a_dead_disk_stays_unknown(void **state)
{
    struct fixture *fixture = *state;
    struct rows *rows = &fixture->rows;
    struct command commands[2];
    decide_two(fixture, commands);
    faulty_disk_arm(DISK_WRITE, 1, SQLITE_IOERR_WRITE, true);
    assert_int_equal(store_commit(rows->store, rows->batch), ERR_COMMIT_UNKNOWN);
    bool happened;
    for (int i = 0; i < 3; i++)
        assert_int_equal(store_settle(rows->store, rows->batch, &happened), ERR_STORE_DOWN);
    faulty_disk_disarm();
    settle_as_never_happened(fixture);
}

/* From the nth write on the disk is gone, and then the power. */
static void crash_at_any_write_leaves_the_batch_whole_or_absent(void **state)
{
    struct fixture *fixture = *state;
    bool ended = false;
    for (int nth = 1; nth < CALLS_MAX && !ended; nth++) {
        struct command commands[2];
        decide_two(fixture, commands);
        faulty_disk_arm(DISK_WRITE, nth, SQLITE_IOERR_WRITE, true);
        int err = store_commit(fixture->rows.store, fixture->rows.batch);
        int64_t found_minor = balance_after_crash(fixture);
        ended = !faulty_disk_disarm();
        if (err == 0) {
            fixture->charged_minor++;
            assert_int_equal(found_minor, BALANCE - fixture->charged_minor);
        } else {
            assert_int_equal(err, ERR_COMMIT_UNKNOWN);
            settle_as_never_happened(fixture);
        }
    }
    assert_true(ended);
}

static void unreadable_page_fails_the_fetch_and_leaves_nothing_open(void **state)
{
    struct fixture *fixture = *state;
    struct rows *rows = &fixture->rows;
    struct store_config config = {.location = fixture->location, .seal = rows->seal};
    int failures = 0;
    bool ended = false;
    for (int nth = 1; nth < CALLS_MAX && !ended; nth++) {
        store_close(rows->store); /* with cold caches */
        assert_int_equal(store_open(&config, STORE_WRITER, &rows->store), 0);
        struct command charge = rows_command(rows, ACTION_CHARGE, CARD_A, 500 + nth, 1);
        batch_clear(rows->batch);
        batch_add(rows->batch, &charge);
        faulty_disk_arm(DISK_READ, nth, SQLITE_IOERR_READ, false);
        int err = store_fetch(rows->store, rows->batch);
        ended = !faulty_disk_disarm();
        if (err == 0) {
            store_rollback(rows->store);
            continue;
        }
        failures++;
        assert_int_equal(err, ERR_STORE_DOWN);
        assert_int_not_equal(sqlite3_get_autocommit(sqlite_of(rows->store)->connection), 0);
        assert_int_equal(rows_run(rows, charge).result, RESULT_OK);
        fixture->charged_minor++;
    }
    assert_true(ended);
    assert_true(failures >= 2);
    assert_int_equal(rows_card(rows, CARD_A).balance_minor, BALANCE - fixture->charged_minor);
    assert_int_equal(rows_verify(rows->store), 0);
}

#define TEST_CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_CASE(disk_full_at_any_write_means_nothing_happened),
        TEST_CASE(write_error_at_any_write_is_unknown_until_settled),
        TEST_CASE(failed_fsync_is_unknown_until_settled),
        TEST_CASE(commit_is_not_answered_before_its_fsync),
        TEST_CASE(batch_without_changes_needs_no_fsync),
        TEST_CASE(settling_on_a_dead_disk_stays_unknown),
        TEST_CASE(crash_at_any_write_leaves_the_batch_whole_or_absent),
        TEST_CASE(unreadable_page_fails_the_fetch_and_leaves_nothing_open),
    };
    faulty_disk_install();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
