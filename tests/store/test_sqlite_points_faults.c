/*
 * Points commands on a disk that fails: every write and the fsync of a commit in turn, a lock, a
 * file that is gone. A crash at any moment leaves the command whole or absent, and whoever was told
 * that its outcome is unknown runs it again, to one effect.
 */
#include "tests/store/faulty_disk.h"
#include "tests/store/files.h"
#include "tests/store/loyalty.h"

#include "base/error.h"
#include "store/sqlite_driver.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* More writes than the commit of one command makes. */
#define CALLS_MAX 100
#define POINTS 100000

struct fixture {
    struct rows rows;
    char location[LOCATION_MAX];
    int64_t member_id;
    int64_t reward_id;
    int64_t order_id;
};

static int setup(void **state)
{
    struct fixture *fixture = test_calloc(1, sizeof(*fixture));
    rows_init(&fixture->rows, 1);
    files_create(fixture->location);
    rows_open(&fixture->rows, fixture->location);
    fixture->member_id = loyalty_member(&fixture->rows, "M-1");
    fixture->reward_id = loyalty_add_reward(&fixture->rows);
    loyalty_run_to(&fixture->rows, loyalty_grant(&fixture->rows, fixture->member_id, POINTS),
                   POINTS_OK);
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

static struct points_command next_reserve(struct fixture *fixture)
{
    char token[POINTS_TOKEN_CHARS + 1];
    snprintf(token, sizeof(token), "token-%lld", (long long)++fixture->order_id);
    return loyalty_reserve(&fixture->rows, fixture->member_id, fixture->reward_id, token,
                           fixture->order_id, 20);
}

/* Reserved, so that a burn writes all three tables. */
static struct points_command next_burn(struct fixture *fixture)
{
    struct points_outcome outcome =
        loyalty_run_to(&fixture->rows, next_reserve(fixture), POINTS_OK);
    return loyalty_move(&fixture->rows, POINTS_BURN, outcome.reservation.id);
}

static int run(struct fixture *fixture, const struct points_command *command,
               struct points_outcome *outcome)
{
    return store_run_points(fixture->rows.store, command, fixture->rows.now_us, outcome);
}

/* What a restart after a crash at this moment finds. */
static struct points_account account_after_crash(const struct fixture *fixture)
{
    char copy[LOCATION_MAX];
    struct rows other = {.seal = fixture->rows.seal, .tenant = fixture->rows.tenant};
    struct store_config config = {.location = copy, .seal = other.seal};
    files_create(copy);
    files_copy(fixture->location, copy);
    assert_int_equal(store_open(&config, STORE_WRITER, &other.store), 0);
    assert_int_equal(rows_verify(other.store), 0); /* whole or not at all */
    struct points_account account = loyalty_account(&other, fixture->member_id);
    store_close(other.store);
    files_remove(copy);
    return account;
}

static void assert_crash_finds(struct fixture *fixture, const struct points_account *account)
{
    struct points_account found = account_after_crash(fixture);
    assert_int_equal(found.points, account->points);
    assert_int_equal(found.points_held, account->points_held);
    assert_int_equal(found.version, account->version);
}

static void disk_full_at_any_write_means_nothing_happened(void **state)
{
    struct fixture *fixture = *state;
    int failures = 0;
    bool ended = false;
    for (int nth = 1; nth < CALLS_MAX && !ended; nth++) {
        struct points_command burn = next_burn(fixture);
        struct points_account before = loyalty_account(&fixture->rows, fixture->member_id);
        struct points_outcome outcome = {.result = POINTS_NOTHING};
        faulty_disk_arm(DISK_WRITE, nth, SQLITE_FULL, false);
        int err = run(fixture, &burn, &outcome);
        ended = !faulty_disk_disarm();
        if (ended) {
            assert_int_equal(err, 0);
            break;
        }
        failures++;
        assert_int_equal(err, ERR_STORE_FULL);
        assert_int_equal(outcome.result, POINTS_NOTHING); /* untouched */
        assert_crash_finds(fixture, &before);
        loyalty_run_to(&fixture->rows, burn, POINTS_OK);
    }
    assert_true(ended);
    assert_true(failures >= 3);
}

/* Unknown: the same command again tells, and has happened once. */
static void settle_by_repeating(struct fixture *fixture, const struct points_command *burn,
                                const struct points_account *before)
{
    struct points_outcome outcome;
    assert_int_equal(run(fixture, burn, &outcome), 0);
    assert_true(outcome.result == POINTS_OK || outcome.result == POINTS_ALREADY_DONE);
    assert_int_equal(outcome.account.points, before->points - 20);
    assert_int_equal(outcome.account.points_held, before->points_held - 20);
    assert_int_equal(outcome.account.version, before->version + 1);
    assert_crash_finds(fixture, &outcome.account);
    loyalty_run_to(&fixture->rows, *burn, POINTS_ALREADY_DONE);
}

static void write_error_is_unknown_until_the_command_is_repeated(void **state)
{
    struct fixture *fixture = *state;
    int failures = 0;
    bool ended = false;
    for (int nth = 1; nth < CALLS_MAX && !ended; nth++) {
        struct points_command burn = next_burn(fixture);
        struct points_account before = loyalty_account(&fixture->rows, fixture->member_id);
        struct points_outcome outcome;
        faulty_disk_arm(DISK_WRITE, nth, SQLITE_IOERR_WRITE, false);
        int err = run(fixture, &burn, &outcome);
        ended = !faulty_disk_disarm();
        if (ended) {
            assert_int_equal(err, 0);
            break;
        }
        failures++;
        assert_int_equal(err, ERR_COMMIT_UNKNOWN);
        account_after_crash(fixture); /* whole or not at all, whichever */
        settle_by_repeating(fixture, &burn, &before);
    }
    assert_true(ended);
    assert_true(failures >= 3);
}

static void failed_fsync_is_unknown_until_the_command_is_repeated(void **state)
{
    struct fixture *fixture = *state;
    struct points_command burn = next_burn(fixture);
    struct points_account before = loyalty_account(&fixture->rows, fixture->member_id);
    struct points_outcome outcome;
    faulty_disk_arm(DISK_SYNC, 1, SQLITE_IOERR_FSYNC, false);
    assert_int_equal(run(fixture, &burn, &outcome), ERR_COMMIT_UNKNOWN);
    assert_true(faulty_disk_disarm());
    /* All bytes are in the log: a crash now would find it burned. That is why it is unknown. */
    assert_int_equal(account_after_crash(fixture).points, before.points - 20);
    settle_by_repeating(fixture, &burn, &before);
}

/* The id of a reservation whose commit is unknown goes to the same reservation, or to nobody. */
static void reservation_of_an_unknown_commit_is_found_or_made_by_repeating(void **state)
{
    struct fixture *fixture = *state;
    struct points_outcome outcome;
    for (int nth = 1; nth <= 3; nth++) {
        struct points_command reserve = next_reserve(fixture);
        struct points_account before = loyalty_account(&fixture->rows, fixture->member_id);
        faulty_disk_arm(DISK_WRITE, nth, SQLITE_IOERR_WRITE, false);
        assert_int_equal(run(fixture, &reserve, &outcome), ERR_COMMIT_UNKNOWN);
        assert_true(faulty_disk_disarm());
        outcome = loyalty_run(&fixture->rows, reserve);
        assert_true(outcome.result == POINTS_OK || outcome.result == POINTS_UNDER_WAY);
        assert_string_equal(outcome.reservation.token_id, reserve.token_id);
        assert_int_equal(outcome.account.points_held, before.points_held + 20);
        loyalty_run_to(&fixture->rows, reserve, POINTS_UNDER_WAY);
        assert_crash_finds(fixture, &outcome.account);
    }
}

static void command_is_not_answered_before_its_fsync(void **state)
{
    struct fixture *fixture = *state;
    struct points_outcome outcome;
    faulty_disk_arm(DISK_SYNC, CALLS_MAX, SQLITE_IOERR_FSYNC, false);
    for (int i = 1; i < CALLS_MAX; i++)
        loyalty_run_to(&fixture->rows, next_reserve(fixture), POINTS_OK);
    struct points_command last = next_reserve(fixture);
    assert_int_equal(run(fixture, &last, &outcome), ERR_COMMIT_UNKNOWN);
    assert_true(faulty_disk_disarm());
}

static void refusals_and_replays_need_no_fsync(void **state)
{
    struct fixture *fixture = *state;
    struct points_command burn = next_burn(fixture);
    loyalty_run_to(&fixture->rows, burn, POINTS_OK);
    faulty_disk_arm(DISK_SYNC, 1, SQLITE_IOERR_FSYNC, true);
    for (int i = 0; i < 10; i++) {
        loyalty_run_to(&fixture->rows, burn, POINTS_ALREADY_DONE);
        loyalty_run_to(&fixture->rows, loyalty_grant(&fixture->rows, fixture->member_id, 0),
                       POINTS_BAD_AMOUNT);
    }
    assert_false(faulty_disk_disarm());
}

/* From the nth write on the disk is gone, and then the power. */
static void crash_at_any_write_leaves_the_command_whole_or_absent(void **state)
{
    struct fixture *fixture = *state;
    bool ended = false;
    for (int nth = 1; nth < CALLS_MAX && !ended; nth++) {
        struct points_command burn = next_burn(fixture);
        struct points_account before = loyalty_account(&fixture->rows, fixture->member_id);
        struct points_outcome outcome;
        faulty_disk_arm(DISK_WRITE, nth, SQLITE_IOERR_WRITE, true);
        int err = run(fixture, &burn, &outcome);
        int64_t found = account_after_crash(fixture).points;
        ended = !faulty_disk_disarm();
        assert_int_equal(err, ended ? 0 : ERR_COMMIT_UNKNOWN);
        assert_true(found == before.points - 20 || (!ended && found == before.points));
        if (!ended)
            settle_by_repeating(fixture, &burn, &before);
    }
    assert_true(ended);
}

static void unreadable_page_fails_the_command_and_leaves_nothing_open(void **state)
{
    struct fixture *fixture = *state;
    struct rows *rows = &fixture->rows;
    struct store_config config = {.location = fixture->location, .seal = rows->seal};
    int failures = 0;
    bool ended = false;
    for (int nth = 1; nth < CALLS_MAX && !ended; nth++) {
        struct points_command burn = next_burn(fixture);
        struct points_account before = loyalty_account(rows, fixture->member_id);
        struct points_outcome outcome;
        store_close(rows->store); /* with cold caches */
        assert_int_equal(store_open(&config, STORE_WRITER, &rows->store), 0);
        faulty_disk_arm(DISK_READ, nth, SQLITE_IOERR_READ, false);
        int err = run(fixture, &burn, &outcome);
        ended = !faulty_disk_disarm();
        assert_true(ended ? err == 0 : err == ERR_STORE_DOWN || err == ERR_COMMIT_UNKNOWN);
        assert_int_not_equal(sqlite3_get_autocommit(sqlite_of(rows->store)->connection), 0);
        if (ended)
            break;
        failures++;
        settle_by_repeating(fixture, &burn, &before);
    }
    assert_true(ended);
    assert_true(failures >= 2);
}

static void locked_store_is_busy_and_nothing_happens(void **state)
{
    struct fixture *fixture = *state;
    struct points_command burn = next_burn(fixture);
    struct points_account before = loyalty_account(&fixture->rows, fixture->member_id);
    struct points_outcome outcome;
    sqlite3 *other;
    assert_int_equal(sqlite3_open(fixture->location, &other), SQLITE_OK);
    assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(run(fixture, &burn, &outcome), ERR_STORE_BUSY);
    assert_int_equal(sqlite3_exec(other, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(other), SQLITE_OK);
    assert_crash_finds(fixture, &before);
    loyalty_run_to(&fixture->rows, burn, POINTS_OK);
}

static void file_that_is_gone_takes_no_command(void **state)
{
    struct fixture *fixture = *state;
    struct points_command burn = next_burn(fixture);
    struct points_outcome outcome;
    struct reward reward = loyalty_reward(fixture->rows.tenant.id);
    char aside[LOCATION_MAX + 8];
    snprintf(aside, sizeof(aside), "%s.aside", fixture->location);
    assert_int_equal(rename(fixture->location, aside), 0);
    assert_int_equal(run(fixture, &burn, &outcome), ERR_STORE_DOWN);
    assert_int_equal(store_add_reward(fixture->rows.store, &reward), ERR_STORE_DOWN);
    assert_int_equal(rename(aside, fixture->location), 0);
    loyalty_run_to(&fixture->rows, burn, POINTS_OK);
}

/* The first write error of a group may end its transaction; what comes after must not be kept as if
 * it stood alone. */
static void group_that_a_full_disk_has_ended_keeps_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct rows *rows = &fixture->rows;
    struct points_account before = loyalty_account(rows, fixture->member_id);
    struct points_command grant = loyalty_grant(rows, fixture->member_id, 1);
    struct points_outcome outcome;
    assert_int_equal(store_begin_group(rows->store), 0);
    assert_int_equal(run(fixture, &grant, &outcome), 0);
    assert_int_equal(sqlite3_exec(sqlite_of(rows->store)->connection, "ROLLBACK", NULL, NULL, NULL),
                     SQLITE_OK); /* as SQLite does on some errors */
    assert_int_equal(run(fixture, &grant, &outcome), ERR_STORE_DOWN);
    assert_int_equal(store_commit_group(rows->store), ERR_STORE_FULL);
    assert_crash_finds(fixture, &before);
    loyalty_run_to(rows, grant, POINTS_OK);
}

static void full_disk_at_the_commit_of_a_group_means_nothing_happened(void **state)
{
    struct fixture *fixture = *state;
    struct rows *rows = &fixture->rows;
    struct points_account before = loyalty_account(rows, fixture->member_id);
    assert_int_equal(store_begin_group(rows->store), 0);
    for (int i = 0; i < 10; i++)
        loyalty_run_to(rows, loyalty_grant(rows, fixture->member_id, 1), POINTS_OK);
    faulty_disk_arm(DISK_WRITE, 1, SQLITE_FULL, false);
    assert_int_equal(store_commit_group(rows->store), ERR_STORE_FULL);
    assert_true(faulty_disk_disarm());
    assert_crash_finds(fixture, &before);
    loyalty_run_to(rows, loyalty_grant(rows, fixture->member_id, 1), POINTS_OK);
}

#define TEST_CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_CASE(disk_full_at_any_write_means_nothing_happened),
        TEST_CASE(write_error_is_unknown_until_the_command_is_repeated),
        TEST_CASE(failed_fsync_is_unknown_until_the_command_is_repeated),
        TEST_CASE(reservation_of_an_unknown_commit_is_found_or_made_by_repeating),
        TEST_CASE(command_is_not_answered_before_its_fsync),
        TEST_CASE(refusals_and_replays_need_no_fsync),
        TEST_CASE(crash_at_any_write_leaves_the_command_whole_or_absent),
        TEST_CASE(unreadable_page_fails_the_command_and_leaves_nothing_open),
        TEST_CASE(locked_store_is_busy_and_nothing_happens),
        TEST_CASE(file_that_is_gone_takes_no_command),
        TEST_CASE(group_that_a_full_disk_has_ended_keeps_nothing),
        TEST_CASE(full_disk_at_the_commit_of_a_group_means_nothing_happened),
    };
    faulty_disk_install();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
