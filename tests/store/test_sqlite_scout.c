/*
 * Cards found by an id that was remembered or looked up ahead: a wrong one is worth nothing, and
 * nothing waits for the scout.
 */
#include "store/sqlite_scout.h"

#include "base/clock.h"
#include "store/sqlite_driver.h"
#include "tests/store/files.h"

#include <stdio.h>
#include <unistd.h>

#define CARD_A "6000000000000001"
#define CARD_B "6000000000000002"
#define CARD_STOCKED "6000000000000003"
#define CARDS 8 /* that wait at once: enough to wake it */
#define WAIT_US (INT64_C(20) * CLOCK_US_PER_S)

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

static int64_t known_id(struct rows *rows, const struct command *command)
{
    return card_ids_find(sqlite_of(rows->store)->card_ids, command->card_index);
}

/* --- ids that were remembered --- */

static void charge_on(struct rows *rows, const char *number, int64_t noted_id)
{
    struct command charge = rows_command(rows, ACTION_CHARGE, number, 12, 100);
    card_ids_note(sqlite_of(rows->store)->card_ids, charge.card_index, noted_id);
    assert_int_equal(rows_run(rows, charge).result, RESULT_OK);
}

static void id_of_another_card_moves_none_of_its_money(void **state)
{
    struct rows *rows = &((struct fixture *)*state)->rows;
    rows_run(rows, rows_issue(rows, CARD_A, 1000));
    rows_run(rows, rows_issue(rows, CARD_B, 1000));
    charge_on(rows, CARD_B, rows_card(rows, CARD_A).id);
    assert_int_equal(rows_card(rows, CARD_A).balance_minor, 1000);
    assert_int_equal(rows_card(rows, CARD_B).balance_minor, 900);
    assert_int_equal(rows_verify(rows->store), 0);
}

static void id_of_no_card_finds_the_one_by_its_number(void **state)
{
    struct rows *rows = &((struct fixture *)*state)->rows;
    rows_run(rows, rows_issue(rows, CARD_A, 1000));
    charge_on(rows, CARD_A, 4711);
    assert_int_equal(rows_card(rows, CARD_A).balance_minor, 900);
}

static void second_look_at_a_card_knows_its_id(void **state)
{
    struct rows *rows = &((struct fixture *)*state)->rows;
    rows_run(rows, rows_issue(rows, CARD_A, 1000));
    struct command charge = rows_command(rows, ACTION_CHARGE, CARD_A, 12, 100);
    assert_int_equal(known_id(rows, &charge), 0);
    rows_run(rows, charge);
    assert_int_equal(known_id(rows, &charge), rows_card(rows, CARD_A).id);
    charge = rows_command(rows, ACTION_CHARGE, CARD_A, 13, 200);
    assert_int_equal(rows_run(rows, charge).balance_minor, 700);
}

static void issue_stock(struct rows *rows)
{
    struct command stock = rows_issue(rows, CARD_STOCKED, 0);
    stock.new_card.status = CARD_STOCK;
    assert_int_equal(rows_run(rows, stock).result, RESULT_OK);
}

static void id_of_unsold_stock_is_never_remembered(void **state)
{
    struct rows *rows = &((struct fixture *)*state)->rows;
    issue_stock(rows);
    struct command charge = rows_command(rows, ACTION_CHARGE, CARD_STOCKED, 12, 100);
    assert_int_not_equal(rows_run(rows, charge).result, RESULT_OK);
    assert_int_equal(known_id(rows, &charge), 0);
}

/* --- the scout --- */

static void store_of_few_cards_has_none(void **state)
{
    struct rows *rows = &((struct fixture *)*state)->rows;
    assert_null(sqlite_of(rows->store)->scout);
    struct command charge = rows_command(rows, ACTION_CHARGE, CARD_A, 12, 100);
    store_foresee(rows->store, &charge);
}

static void reopen_as_large(struct fixture *fixture)
{
    struct rows *rows = &fixture->rows;
    struct store_config config = {.location = fixture->location, .seal = rows->seal};
    store_close(rows->store);
    files_execute(fixture->location, "CREATE TABLE filler (x);"
                                     "INSERT INTO filler VALUES (zeroblob(70000000));"
                                     "PRAGMA wal_checkpoint(TRUNCATE)");
    assert_int_equal(store_open(&config, STORE_WRITER, &rows->store), 0);
}

static void wait_for_count(struct scout *scout, int64_t count)
{
    int64_t until_us = clock_monotonic_us() + WAIT_US;
    while (scout_count(scout) < count && clock_monotonic_us() < until_us)
        usleep(1000);
    assert_true(scout_count(scout) >= count);
}

/* What was counted is under way; it is over when the thread has been joined. */
static void close_scout(struct rows *rows)
{
    struct store_sqlite *sqlite = sqlite_of(rows->store);
    scout_destroy(sqlite->scout);
    sqlite->scout = NULL;
}

static void number_of(char number[17], int card)
{
    snprintf(number, 17, "7%015d", card);
}

static void cards_of_waiting_commands_are_found_ahead(void **state)
{
    struct fixture *fixture = *state;
    struct rows *rows = &fixture->rows;
    struct command waiting[CARDS];
    char number[17];
    issue_stock(rows);
    for (int i = 0; i < CARDS - 1; i++) {
        number_of(number, i);
        rows_run(rows, rows_issue(rows, number, 1000));
        waiting[i] = rows_command(rows, ACTION_CHARGE, number, 12, 100);
    }
    waiting[CARDS - 1] = rows_command(rows, ACTION_CHARGE, CARD_STOCKED, 12, 100);
    reopen_as_large(fixture);
    for (int i = 0; i < CARDS; i++)
        store_foresee(rows->store, &waiting[i]);
    wait_for_count(sqlite_of(rows->store)->scout, CARDS - 2); /* it may begin before the last */
    close_scout(rows);
    for (int i = 0; i < 6; i++) {
        number_of(number, i);
        assert_int_equal(known_id(rows, &waiting[i]), rows_card(rows, number).id);
    }
    assert_int_equal(known_id(rows, &waiting[CARDS - 1]), 0);
    rows_run_all(rows, waiting, CARDS - 1);
    number_of(number, CARDS - 2);
    assert_int_equal(rows_card(rows, number).balance_minor, 900);
    files_execute(fixture->location, "DROP TABLE filler");
    assert_int_equal(rows_verify(rows->store), 0);
}

static void what_the_writer_has_taken_is_not_looked_up(void **state)
{
    struct rows *rows = &((struct fixture *)*state)->rows;
    struct scout *scout =
        scout_create(((struct fixture *)*state)->location, sqlite_of(rows->store)->card_ids);
    rows_run(rows, rows_issue(rows, CARD_A, 1000));
    struct command charge = rows_command(rows, ACTION_CHARGE, CARD_A, 12, 100);
    for (int i = 0; i < 20; i++) { /* never six at once */
        for (int k = 0; k < 5; k++)
            scout_tell(scout, &charge);
        scout_forget(scout);
    }
    scout_destroy(scout);
    assert_int_equal(known_id(rows, &charge), 0);
}

static void commands_beyond_its_room_are_left_to_the_writer(void **state)
{
    struct rows *rows = &((struct fixture *)*state)->rows;
    struct scout *scout =
        scout_create(((struct fixture *)*state)->location, sqlite_of(rows->store)->card_ids);
    for (int i = 0; i < 2000; i++) {
        char number[17];
        number_of(number, i);
        struct command charge = rows_command(rows, ACTION_CHARGE, number, 12, 100);
        scout_tell(scout, &charge);
    }
    wait_for_count(scout, 6);
    scout_destroy(scout);
}

static void scout_without_a_database_does_nothing(void **state)
{
    struct rows *rows = &((struct fixture *)*state)->rows;
    struct scout *scout = scout_create("/nowhere/at.all", sqlite_of(rows->store)->card_ids);
    struct command charge = rows_command(rows, ACTION_CHARGE, CARD_A, 12, 100);
    for (int i = 0; i < CARDS; i++)
        scout_tell(scout, &charge);
    wait_for_count(scout, 6);
    scout_destroy(scout);
    assert_int_equal(known_id(rows, &charge), 0);
}

#define TEST_CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_CASE(id_of_another_card_moves_none_of_its_money),
        TEST_CASE(id_of_no_card_finds_the_one_by_its_number),
        TEST_CASE(second_look_at_a_card_knows_its_id),
        TEST_CASE(id_of_unsold_stock_is_never_remembered),
        TEST_CASE(store_of_few_cards_has_none),
        TEST_CASE(cards_of_waiting_commands_are_found_ahead),
        TEST_CASE(what_the_writer_has_taken_is_not_looked_up),
        TEST_CASE(commands_beyond_its_room_are_left_to_the_writer),
        TEST_CASE(scout_without_a_database_does_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
