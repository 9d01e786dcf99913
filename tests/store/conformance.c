/*
 * The conformance suite of the store: rows in, rows out, and nothing else.
 */
#include "tests/store/conformance.h"

#include "base/error.h"
#include "ledger/account.h"

#include <stdio.h>
#include <string.h>

#define CARD_A "6000000000000001"
#define CARD_B "6000000000000002"

static const struct conformance_backend *suite_backend;

struct fixture {
    struct rows rows;
    char location[LOCATION_MAX];
};

int conformance_setup(void **state)
{
    struct fixture *fixture = test_calloc(1, sizeof(*fixture));
    rows_init(&fixture->rows, 1);
    suite_backend->create(fixture->location);
    fixture->rows.close_gaps = suite_backend->close_gaps;
    fixture->rows.location = fixture->location;
    rows_open(&fixture->rows, fixture->location);
    *state = fixture;
    return 0;
}

int conformance_teardown(void **state)
{
    struct fixture *fixture = *state;
    rows_finish(&fixture->rows);
    suite_backend->remove(fixture->location);
    test_free(fixture);
    return 0;
}

struct rows *conformance_rows(void **state)
{
    return &((struct fixture *)*state)->rows;
}

static struct rows *rows_of(void **state)
{
    return conformance_rows(state);
}

const struct conformance_backend *conformance_backend(void)
{
    return suite_backend;
}

struct store *conformance_open_reader(void **state)
{
    struct fixture *fixture = *state;
    struct store_config config = {.location = fixture->location, .seal = fixture->rows.seal};
    struct store *reader;
    assert_int_equal(store_open(&config, STORE_READER, &reader), 0);
    return reader;
}

void conformance_reopen(void **state)
{
    struct fixture *fixture = *state;
    struct rows *rows = &fixture->rows;
    struct store_config config = {.location = fixture->location, .seal = rows->seal};
    store_close(rows->store);
    assert_int_equal(store_open(&config, STORE_WRITER, &rows->store), 0);
}

/* --- commit and rollback --- */

static void committed_rows_are_read_back_field_by_field(void **state)
{
    struct rows *rows = rows_of(state);
    struct command issue = rows_issue(rows, CARD_A, 10000);
    issue.has_pin = true;
    memset(issue.pin_hash, 0x5a, sizeof(issue.pin_hash));
    issue.new_card.valid_from = 100;
    issue.new_card.expires_on = 30000;
    assert_int_equal(rows_run(rows, issue).result, RESULT_OK);
    struct command top_up = rows_command(rows, ACTION_TOP_UP, CARD_A, 11, 2500);
    top_up.has_pin = true;
    memset(top_up.pin_hash, 0x5a, sizeof(top_up.pin_hash));
    assert_int_equal(rows_run(rows, top_up).result, RESULT_OK);
    struct command charge = rows_command(rows, ACTION_CHARGE, CARD_A, 12, 700);
    charge.has_pin = true;
    memset(charge.pin_hash, 0x5a, sizeof(charge.pin_hash));
    assert_int_equal(rows_run(rows, charge).result, RESULT_OK);

    struct card card = rows_card(rows, CARD_A);
    assert_int_equal(card.id, 1);
    assert_int_equal(card.tenant_id, rows->tenant.id);
    assert_memory_equal(card.index, issue.card_index, CARD_INDEX_BYTES);
    assert_string_equal(card.last4, "0001");
    assert_int_equal(card.status, CARD_ACTIVE);
    assert_true(card.has_pin);
    assert_memory_equal(card.pin_hash, issue.pin_hash, CARD_PIN_BYTES);
    assert_int_equal(card.valid_from, 100);
    assert_int_equal(card.expires_on, 30000);
    assert_int_equal(card.balance_minor, 11800);
    assert_int_equal(card.version, 3);
    assert_int_equal(card.last_transfer_id, 3);
    assert_int_equal(card.last_operation_id, 3);
    assert_int_equal(card.loaded_on, ROWS_DATE);
    assert_int_equal(card.loaded_minor, 2500);
    assert_int_equal(card.used_hour, charge.received_at_us / (INT64_C(3600) * 1000000));
    assert_int_equal(card.used_count, 1);
}

static void every_counter_of_a_card_is_kept(void **state)
{
    struct rows *rows = rows_of(state);
    struct command issue = rows_issue(rows, CARD_A, 10000);
    for (int round = 0; round < 2; round++) { /* inserted, then updated */
        struct command charge = rows_command(rows, ACTION_CHARGE, CARD_A, 12, 100);
        rows_decide(rows, round == 0 ? &issue : &charge, 1);
        struct card *card = &rows->batch->view.cards[0].card;
        card->valid_from = 10 + round;
        card->expires_on = 20 + round;
        card->loaded_on = 30 + round;
        card->loaded_minor = 40 + round;
        card->used_hour = 50 + round;
        card->used_count = 60 + round;
        assert_int_equal(store_commit(rows->store, rows->batch), 0);
        struct card kept = rows_card(rows, CARD_A);
        assert_int_equal(kept.valid_from, 10 + round);
        assert_int_equal(kept.expires_on, 20 + round);
        assert_int_equal(kept.loaded_on, 30 + round);
        assert_int_equal(kept.loaded_minor, 40 + round);
        assert_int_equal(kept.used_hour, 50 + round);
        assert_int_equal(kept.used_count, 60 + round);
    }
}

static void rolled_back_batch_leaves_no_trace(void **state)
{
    struct rows *rows = rows_of(state);
    rows_run(rows, rows_issue(rows, CARD_A, 10000));
    struct command charge = rows_command(rows, ACTION_CHARGE, CARD_A, 12, 700);
    rows_decide(rows, &charge, 1);
    assert_int_equal(rows->batch->outcomes[0].result, RESULT_OK);
    store_rollback(rows->store);
    assert_int_equal(rows_card(rows, CARD_A).balance_minor, 10000);
    assert_int_equal(rows_totals(rows).operations, 1);
    assert_int_equal(rows_run(rows, charge).result, RESULT_OK);
    assert_int_equal(rows_card(rows, CARD_A).balance_minor, 9300);
}

static void batch_without_changes_commits_and_writes_nothing(void **state)
{
    struct rows *rows = rows_of(state);
    assert_int_equal(rows_run(rows, rows_command(rows, ACTION_CHARGE, CARD_A, 12, 700)).result,
                     RESULT_NOT_FOUND);
    assert_int_equal(rows->batch->scopes[0].card, VIEW_NONE);
    assert_int_equal(rows_totals(rows).operations, 0);
    assert_int_equal(rows_run(rows, rows_issue(rows, CARD_A, 1)).result, RESULT_OK);
}

static void card_of_several_commands_is_loaded_once(void **state)
{
    struct rows *rows = rows_of(state);
    rows_run(rows, rows_issue(rows, CARD_A, 1000));
    rows_run(rows, rows_issue(rows, CARD_B, 1000));
    const struct command commands[] = {
        rows_command(rows, ACTION_CHARGE, CARD_A, 1, 600),
        rows_command(rows, ACTION_CHARGE, CARD_B, 2, 100),
        rows_command(rows, ACTION_CHARGE, CARD_A, 3, 600),
    };
    rows_run_all(rows, commands, 3);
    assert_int_equal(rows->batch->view.card_count, 2);
    assert_int_equal(rows->batch->scopes[0].card, rows->batch->scopes[2].card);
    assert_int_not_equal(rows->batch->scopes[0].card, rows->batch->scopes[1].card);
    assert_int_equal(rows->batch->outcomes[2].amount_minor, 400);
    assert_int_equal(rows_card(rows, CARD_A).balance_minor, 0);
    assert_int_equal(rows_card(rows, CARD_A).version, 3);
}

static void full_batch_on_many_cards_is_committed(void **state)
{
    struct rows *rows = rows_of(state);
    static struct command commands[BATCH_MAX];
    char number[17];
    for (int32_t i = 0; i < BATCH_MAX; i++) {
        snprintf(number, sizeof(number), "7%015d", (int)i);
        commands[i] = rows_issue(rows, number, 500);
    }
    rows_run_all(rows, commands, BATCH_MAX);
    for (int32_t i = 0; i < BATCH_MAX; i++) {
        snprintf(number, sizeof(number), "7%015d", (int)i);
        commands[i] = rows_command(rows, ACTION_CHARGE, number, i + 1, 100);
    }
    rows_run_all(rows, commands, BATCH_MAX);
    assert_int_equal(rows->batch->view.card_count, BATCH_MAX);
    assert_int_equal(rows_card(rows, "7000000000000000").balance_minor, 400);
    assert_int_equal(rows_card(rows, "7000000000000511").balance_minor, 400);
    assert_int_equal(rows_verify(rows->store), 0);
}

static void same_number_at_two_tenants_is_two_cards(void **state)
{
    struct rows *rows = rows_of(state);
    struct tenant other = rows_tenant(9999);
    assert_int_equal(store_add_tenant(rows->store, &other), 0);
    struct command issues[2] = {rows_issue(rows, CARD_A, 100), rows_issue(rows, CARD_A, 200)};
    issues[1].tenant_id = other.id; /* the same index on purpose */
    rows_run_all(rows, issues, 2);
    struct card card;
    assert_int_equal(store_read_card(rows->store, rows->tenant.id, issues[0].card_index, &card), 0);
    assert_int_equal(card.balance_minor, 100);
    assert_int_equal(store_read_card(rows->store, other.id, issues[0].card_index, &card), 0);
    assert_int_equal(card.balance_minor, 200);
    const struct command charges[] = {rows_command(rows, ACTION_CHARGE, CARD_A, 1, 10)};
    rows_run_all(rows, charges, 1);
    assert_int_equal(store_read_card(rows->store, other.id, issues[0].card_index, &card), 0);
    assert_int_equal(card.balance_minor, 200);
}

/* --- the schema's own laws: a decision gone wrong is refused whole --- */

static void decide_a_charge(struct rows *rows, struct command *charge)
{
    rows_run(rows, rows_issue(rows, CARD_A, 10000));
    rows_run(rows, rows_command(rows, ACTION_CHARGE, CARD_A, 12, 700));
    *charge = rows_command(rows, ACTION_CHARGE, CARD_A, 13, 300);
    rows_decide(rows, charge, 1);
    assert_int_equal(rows->batch->outcomes[0].result, RESULT_OK);
}

static void assert_is_refused(struct rows *rows, const struct command *charge)
{
    assert_int_equal(store_commit(rows->store, rows->batch), ERR_STORE_CONSTRAINT);
    assert_int_equal(rows_card(rows, CARD_A).balance_minor, 9300);
    assert_int_equal(rows_totals(rows).operations, 2);
    assert_int_equal(rows_totals(rows).transfers, 2);
    assert_int_equal(rows_run(rows, *charge).result, RESULT_OK); /* and it works again */
    assert_int_equal(rows_card(rows, CARD_A).balance_minor, 9000);
    assert_int_equal(rows_verify(rows->store), 0);
}

static void another_version_than_loaded_is_refused(void **state)
{
    struct rows *rows = rows_of(state);
    struct command charge;
    decide_a_charge(rows, &charge);
    rows->batch->view.cards[0].version_loaded--;
    assert_is_refused(rows, &charge);
}

static void negative_balance_is_refused(void **state)
{
    struct rows *rows = rows_of(state);
    struct command charge;
    decide_a_charge(rows, &charge);
    rows->batch->view.cards[0].card.balance_minor = -1;
    assert_is_refused(rows, &charge);
}

static void transfer_of_nothing_is_refused(void **state)
{
    struct rows *rows = rows_of(state);
    struct command charge;
    decide_a_charge(rows, &charge);
    rows->batch->view.transfers[0].amount_minor = 0;
    assert_is_refused(rows, &charge);
}

static void transfer_to_itself_is_refused(void **state)
{
    struct rows *rows = rows_of(state);
    struct command charge;
    decide_a_charge(rows, &charge);
    rows->batch->view.transfers[0].credit_account = rows->batch->view.transfers[0].debit_account;
    assert_is_refused(rows, &charge);
}

static void transfer_of_no_operation_is_refused(void **state)
{
    struct rows *rows = rows_of(state);
    struct command charge;
    decide_a_charge(rows, &charge);
    rows->batch->view.transfers[0].operation_id = 99;
    assert_is_refused(rows, &charge);
}

static void operation_id_given_out_twice_is_refused(void **state)
{
    struct rows *rows = rows_of(state);
    struct command charge;
    decide_a_charge(rows, &charge);
    struct view *view = &rows->batch->view;
    view->operations[view->operation_count - 1].operation.id = 2;
    view->operations[view->operation_count - 1].operation.previous_operation_id = 1;
    assert_is_refused(rows, &charge);
}

static void giving_back_more_than_was_charged_is_refused(void **state)
{
    struct rows *rows = rows_of(state);
    struct command refund;
    rows_run(rows, rows_issue(rows, CARD_A, 10000));
    rows_run(rows, rows_command(rows, ACTION_CHARGE, CARD_A, 12, 700));
    refund = rows_command(rows, ACTION_REFUND, CARD_A, 12, 300);
    rows_decide(rows, &refund, 1);
    struct view_operation *charge = &rows->batch->view.operations[0];
    assert_true(charge->is_changed);
    assert_int_equal(charge->operation.given_back_minor, 300);
    charge->operation.given_back_minor = 701;
    assert_int_equal(store_commit(rows->store, rows->batch), ERR_STORE_CONSTRAINT);
    assert_int_equal(rows_card(rows, CARD_A).balance_minor, 9300);
    assert_int_equal(rows_run(rows, refund).result, RESULT_OK);
    assert_int_equal(rows_card(rows, CARD_A).balance_minor, 9600);
}

static void charge_given_back_meanwhile_is_refused(void **state)
{
    struct rows *rows = rows_of(state);
    rows_run(rows, rows_issue(rows, CARD_A, 10000));
    rows_run(rows, rows_command(rows, ACTION_CHARGE, CARD_A, 12, 700));
    struct command refund = rows_command(rows, ACTION_REFUND, CARD_A, 12, 300);
    rows_decide(rows, &refund, 1);
    rows->batch->view.operations[0].given_back_minor_loaded = 100;
    assert_int_equal(store_commit(rows->store, rows->batch), ERR_STORE_CONSTRAINT);
    assert_int_equal(rows_card(rows, CARD_A).balance_minor, 9300);
}

static void number_issued_twice_is_refused(void **state)
{
    struct rows *rows = rows_of(state);
    rows_run(rows, rows_issue(rows, CARD_A, 100));
    struct command issue = rows_issue(rows, CARD_B, 200);
    rows_decide(rows, &issue, 1);
    struct card first = {0};
    seal_card_index(rows->seal, rows->tenant.id, text_of(CARD_A), first.index);
    memcpy(rows->batch->view.cards[0].card.index, first.index, CARD_INDEX_BYTES);
    assert_int_equal(store_commit(rows->store, rows->batch), ERR_STORE_CONSTRAINT);
    assert_int_equal(rows_totals(rows).cards, 1);
}

/* --- what is loaded --- */

/* Loaded operations of the command's card, newest first, then zeros. */
static int32_t loaded_ids(const struct rows *rows, int64_t *ids, int32_t max)
{
    const struct view *view = &rows->batch->view;
    memset(ids, 0, (size_t)max * sizeof(*ids));
    int32_t count = 0;
    int32_t at = view->cards[rows->batch->scopes[0].card].operation_newest;
    for (; at != VIEW_NONE && count < max; at = view->operations[at].next_older)
        ids[count++] = view->operations[at].operation.id;
    return count;
}

/* Fetches one command with keys of the test's choice; rolls back. */
static int32_t fetch_ids(struct rows *rows, const struct command *command, struct keys keys,
                         int64_t *ids, int32_t max)
{
    batch_clear(rows->batch);
    batch_add(rows->batch, command);
    rows->batch->keys[0] = keys;
    assert_int_equal(store_fetch(rows->store, rows->batch), 0);
    int32_t count = loaded_ids(rows, ids, max);
    store_rollback(rows->store);
    return count;
}

static void order_operations_are_those_of_card_and_order(void **state)
{
    struct rows *rows = rows_of(state);
    int64_t ids[8];
    rows_run(rows, rows_issue(rows, CARD_A, 10000));                      /* 1 */
    rows_run(rows, rows_issue(rows, CARD_B, 10000));                      /* 2 */
    rows_run(rows, rows_command(rows, ACTION_CHARGE, CARD_A, 12, 700));   /* 3 */
    rows_run(rows, rows_command(rows, ACTION_CHARGE, CARD_B, 12, 800));   /* 4 */
    rows_run(rows, rows_command(rows, ACTION_CHARGE, CARD_A, 13, 900));   /* 5 */
    rows_run(rows, rows_command(rows, ACTION_REFUND, CARD_A, 12, 50000)); /* 6: refused */
    rows_run(rows, rows_command(rows, ACTION_REFUND, CARD_A, 12, 100));   /* 7 */
    struct command command = rows_command(rows, ACTION_CHARGE, CARD_A, 12, 700);
    command.site_id = 1; /* recorded, not compared */
    struct keys keys = {.wants_order_operations = true};
    assert_int_equal(fetch_ids(rows, &command, keys, ids, 8), 3);
    assert_int_equal(ids[0], 7);
    assert_int_equal(ids[1], 6);
    assert_int_equal(ids[2], 3);
    command.order_id = 14;
    assert_int_equal(fetch_ids(rows, &command, keys, ids, 8), 0);
    command.order_id = 12;
    assert_int_equal(fetch_ids(rows, &command, (struct keys){0}, ids, 8), 0);
}

static void no_number_of_charges_hides_what_waits_for_its_order(void **state)
{
    struct rows *rows = rows_of(state);
    rows->tenant.policy.top_up_is_held = true;
    rows_run(rows, rows_issue(rows, CARD_A, 100000));
    assert_int_equal(rows_run(rows, rows_command(rows, ACTION_TOP_UP, CARD_A, 12, 500)).action,
                     ACTION_HOLD_LOAD);
    for (int i = 0; i < ORDER_OPERATIONS_MAX; i++)
        rows_run(rows, rows_command(rows, ACTION_CHARGE, CARD_A, 12, 100 + i));
    int64_t before_minor = rows_card(rows, CARD_A).balance_minor;
    struct command release = rows_command(rows, ACTION_RELEASE, CARD_A, 12, 0);
    struct outcome outcome = rows_run(rows, release);
    assert_int_equal(outcome.result, RESULT_OK);
    assert_int_equal(outcome.amount_minor, 500);
    assert_int_equal(rows_card(rows, CARD_A).balance_minor, before_minor + 500);
    for (int i = 0; i < ORDER_OPERATIONS_MAX; i++)
        rows_run(rows, rows_command(rows, ACTION_CHARGE, CARD_A, 12, 200 + i));
    assert_int_equal(rows_run(rows, release).result, RESULT_NOTHING_HELD);
    assert_int_equal(rows_verify(rows->store), 0);
}

static void held_and_released_in_one_batch_moves_once(void **state)
{
    struct rows *rows = rows_of(state);
    rows->tenant.policy.top_up_is_held = true;
    struct command stock = rows_issue(rows, CARD_A, 0);
    stock.new_card.status = CARD_STOCK;
    rows_run(rows, stock);
    struct command commands[4] = {rows_command(rows, ACTION_RELEASE, CARD_A, 12, 0),
                                  rows_command(rows, ACTION_TOP_UP, CARD_A, 12, 500),
                                  rows_command(rows, ACTION_RELEASE, CARD_A, 12, 0),
                                  rows_command(rows, ACTION_RELEASE, CARD_A, 12, 0)};
    rows_run_all(rows, commands, 4);
    assert_int_equal(rows->batch->outcomes[0].result, RESULT_NOTHING_HELD);
    assert_int_equal(rows->batch->outcomes[1].amount_minor, 0);
    assert_int_equal(rows->batch->outcomes[2].amount_minor, 500);
    assert_int_equal(rows->batch->outcomes[3].result, RESULT_NOTHING_HELD);
    assert_int_equal(rows_card(rows, CARD_A).balance_minor, 500);
    assert_int_equal(rows_card(rows, CARD_A).status, CARD_ACTIVE);
    assert_int_equal(rows_verify(rows->store), 0);
}

/* A refund order of its own: bounded by the sale that it gives back, and no register's day counts
 * it. */
static void charges_of_the_sale_that_a_refund_names_are_loaded(void **state)
{
    struct rows *rows = rows_of(state);
    int64_t ids[8];
    rows_run(rows, rows_issue(rows, CARD_A, 10000));                    /* 1 */
    rows_run(rows, rows_command(rows, ACTION_CHARGE, CARD_A, 12, 700)); /* 2 */
    rows_run(rows, rows_command(rows, ACTION_CHARGE, CARD_A, 13, 900)); /* 3 */
    struct command refund = rows_command(rows, ACTION_REFUND, CARD_A, 14, 300);
    refund.refunded_order_id = 12;
    struct keys keys;
    ledger_keys(&refund, &keys);
    assert_int_equal(fetch_ids(rows, &refund, keys, ids, 8), 1);
    assert_int_equal(ids[0], 2);
    struct outcome outcome = rows_run(rows, refund); /* 4 */
    assert_int_equal(outcome.amount_minor, 300);
    assert_false(rows->batch->view.days[0].is_changed);
    assert_int_equal(fetch_ids(rows, &refund, keys, ids, 8), 2);
    assert_int_equal(ids[0], 4);
    for (int32_t i = 0; i < rows->batch->view.operation_count; i++) {
        const struct operation *loaded = &rows->batch->view.operations[i].operation;
        assert_int_equal(loaded->refunded_order_id, loaded->id == 4 ? 12 : 0);
    }
    refund.order_id = 15;
    refund.asked_minor = 401;
    assert_int_equal(rows_run(rows, refund).result, RESULT_OVER_CHARGED);
    assert_int_equal(rows_verify(rows->store), 0);
}

static void a_refund_that_names_a_sale_nobody_has_paid_here_is_bounded_by_the_limits(void **state)
{
    struct rows *rows = rows_of(state);
    rows_run(rows, rows_issue(rows, CARD_A, 10000));
    rows_run(rows, rows_command(rows, ACTION_CHARGE, CARD_A, 13, 900));
    struct command refund = rows_command(rows, ACTION_REFUND, CARD_A, 14, 300);
    refund.refunded_order_id = 12;
    assert_int_equal(rows_run(rows, refund).result, RESULT_OK);
    assert_true(rows->batch->view.days[0].is_changed);
    refund.order_id = 15;
    refund.asked_minor = 601;
    assert_int_equal(rows_run(rows, refund).result, RESULT_OVER_REFUND_LIMIT);
    assert_int_equal(rows_verify(rows->store), 0);
    rows_run(rows,
             rows_command(rows, ACTION_CHARGE, CARD_A, 12, 100)); /* later: it changes nothing */
    assert_int_equal(rows_verify(rows->store), 0);
    refund.order_id = 16;
    assert_int_equal(rows_run(rows, refund).result, RESULT_OVER_CHARGED);
}

static void loaded_operation_has_all_its_fields(void **state)
{
    struct rows *rows = rows_of(state);
    rows_run(rows, rows_issue(rows, CARD_A, 500));
    struct command charge = rows_command(rows, ACTION_CHARGE, CARD_A, 12, 700);
    rows_run(rows, charge);
    int64_t decided_at_us = rows->now_us;
    rows_run(rows, rows_command(rows, ACTION_REFUND, CARD_A, 12, 120));
    batch_clear(rows->batch);
    batch_add(rows->batch, &charge);
    assert_int_equal(store_fetch(rows->store, rows->batch), 0);
    const struct view *view = &rows->batch->view;
    int32_t at = 0;
    while (at < view->operation_count && view->operations[at].operation.id != 2)
        at++;
    assert_true(at < view->operation_count);
    const struct view_operation *loaded = &view->operations[at];
    const struct operation expected = {
        .id = 2,
        .tenant_id = rows->tenant.id,
        .card_id = 1,
        .action = ACTION_CHARGE,
        .result = RESULT_OK,
        .order_id = 12,
        .site_id = 923,
        .register_id = 7,
        .asked_minor = 700,
        .amount_minor = 500,
        .balance_minor_after = 0,
        .card_version_after = 2,
        .given_back_minor = 120,
        .previous_operation_id = 1,
        .created_at_us = decided_at_us,
    };
    assert_memory_equal(&loaded->operation, &expected, sizeof(expected));
    assert_int_equal(loaded->given_back_minor_loaded, 120);
    assert_false(loaded->is_new || loaded->is_changed);
    store_rollback(rows->store);
}

static void only_the_newest_operations_of_an_order_are_loaded(void **state)
{
    struct rows *rows = rows_of(state);
    int64_t ids[ORDER_OPERATIONS_MAX + 8];
    rows_run(rows, rows_issue(rows, CARD_A, 10000)); /* 1 */
    for (int32_t i = 0; i < ORDER_OPERATIONS_MAX + 5; i++)
        rows_run(rows, rows_command(rows, ACTION_CHARGE, CARD_A, 12, i + 1));
    struct command command = rows_command(rows, ACTION_CHARGE, CARD_A, 12, 700);
    struct keys keys = {.wants_order_operations = true};
    assert_int_equal(fetch_ids(rows, &command, keys, ids, COUNT_OF(ids)), ORDER_OPERATIONS_MAX);
    assert_int_equal(ids[0], 1 + ORDER_OPERATIONS_MAX + 5);
    assert_int_equal(ids[ORDER_OPERATIONS_MAX - 1], 1 + 6);
}

/* A cashier, or a till, that presses again and again: what went through before stays in sight. */
static void no_number_of_refusals_hides_what_an_order_did(void **state)
{
    struct rows *rows = rows_of(state);
    rows_run(rows, rows_issue(rows, CARD_A, 1000));
    rows_run(rows, rows_command(rows, ACTION_TOP_UP, CARD_A, 12, 5000));
    rows_run(rows, rows_command(rows, ACTION_CHARGE, CARD_A, 12, 6000));
    rows->now_us += 2 * REPLAY_WINDOW_US;
    for (int32_t i = 0; i < ORDER_OPERATIONS_MAX + ORDER_REFUSALS_MAX + 5; i++) {
        struct outcome refused = rows_run(rows, rows_command(rows, ACTION_CHARGE, CARD_A, 12, 1));
        assert_int_equal(refused.result, RESULT_NO_FUNDS);
        refused = rows_run(rows, rows_command(rows, ACTION_TOP_UP, CARD_A, 12, 5000));
        assert_int_equal(refused.result, RESULT_ALREADY_LOADED);
    }
    struct outcome refund = rows_run(rows, rows_command(rows, ACTION_REFUND, CARD_A, 12, 6000));
    assert_int_equal(refund.result, RESULT_OK);
    assert_int_equal(rows_card(rows, CARD_A).balance_minor, 6000);
}

/* Sixty-four charges of one order do not hide what was loaded on it. */
static void no_number_of_charges_hides_what_was_loaded(void **state)
{
    struct rows *rows = rows_of(state);
    rows_run(rows, rows_issue(rows, CARD_A, 1000));
    rows_run(rows, rows_command(rows, ACTION_TOP_UP, CARD_A, 12, 5000));
    for (int32_t i = 0; i < ORDER_OPERATIONS_MAX + 5; i++)
        rows_run(rows, rows_command(rows, ACTION_CHARGE, CARD_A, 12, i + 1));
    struct outcome again = rows_run(rows, rows_command(rows, ACTION_TOP_UP, CARD_A, 12, 5000));
    assert_int_equal(again.result, RESULT_ALREADY_LOADED);
}

/* Who does not know the card must not tell by his work, and so by its time, that it exists. */
static void who_does_not_know_the_pin_causes_no_charges_to_be_looked_for(void **state)
{
    struct rows *rows = rows_of(state);
    int64_t ids[8];
    struct command issue = rows_issue(rows, CARD_A, 1000);
    issue.has_pin = true;
    memset(issue.pin_hash, 1, sizeof(issue.pin_hash));
    rows_run(rows, issue);
    struct command charge = rows_command(rows, ACTION_CHARGE, CARD_A, 12, 100);
    charge.has_pin = true;
    memset(charge.pin_hash, 1, sizeof(charge.pin_hash));
    rows_run(rows, charge);
    struct keys keys = {.wants_recent_charges = true};
    assert_int_equal(fetch_ids(rows, &charge, keys, ids, 8), 1);
    charge.is_throttled = true;
    assert_int_equal(fetch_ids(rows, &charge, keys, ids, 8), 0);
    charge.is_throttled = false;
    memset(charge.pin_hash, 2, sizeof(charge.pin_hash));
    assert_int_equal(fetch_ids(rows, &charge, keys, ids, 8), 0);
}

static void without_order_site_and_register_count(void **state)
{
    struct rows *rows = rows_of(state);
    int64_t ids[8];
    rows_run(rows, rows_issue(rows, CARD_A, 10000)); /* 1: no order, no ... the same register */
    struct command here = rows_command(rows, ACTION_CHARGE, CARD_A, 0, 700);
    struct command other_register = here;
    struct command other_site = here;
    other_register.register_id = 8;
    other_site.site_id = 924;
    rows_run(rows, here);           /* 2 */
    rows_run(rows, other_register); /* 3 */
    rows_run(rows, other_site);     /* 4 */
    struct keys keys = {.wants_order_operations = true};
    assert_int_equal(fetch_ids(rows, &here, keys, ids, 8), 2);
    assert_int_equal(ids[0], 2);
    assert_int_equal(ids[1], 1);
    assert_int_equal(fetch_ids(rows, &other_register, keys, ids, 8), 1);
    assert_int_equal(ids[0], 3);
}

static bool order_is_known(struct rows *rows, const char *number, int64_t order_id)
{
    struct command command = rows_command(rows, ACTION_REFUND, number, order_id, 1);
    batch_clear(rows->batch);
    batch_add(rows->batch, &command);
    assert_true(rows->batch->keys[0].wants_order_is_known);
    assert_int_equal(store_fetch(rows->store, rows->batch), 0);
    bool is_known = rows->batch->scopes[0].order_is_known;
    store_rollback(rows->store);
    return is_known;
}

static void order_is_known_by_a_successful_charge_of_any_card(void **state)
{
    struct rows *rows = rows_of(state);
    rows_run(rows, rows_issue(rows, CARD_A, 10000));
    rows_run(rows, rows_issue(rows, CARD_B, 0));
    rows_run(rows, rows_command(rows, ACTION_CHARGE, CARD_A, 12, 700));
    assert_int_equal(rows_run(rows, rows_command(rows, ACTION_CHARGE, CARD_B, 13, 700)).result,
                     RESULT_NO_FUNDS);
    rows_run(rows, rows_command(rows, ACTION_TOP_UP, CARD_B, 14, 700));
    assert_true(order_is_known(rows, CARD_B, 12));
    assert_true(order_is_known(rows, CARD_A, 12));
    assert_false(order_is_known(rows, CARD_A, 13)); /* refused */
    assert_false(order_is_known(rows, CARD_A, 14)); /* a top-up pays nothing */
    assert_false(order_is_known(rows, CARD_A, 15));
}

static void order_of_another_tenant_is_not_known(void **state)
{
    struct rows *rows = rows_of(state);
    rows_run(rows, rows_issue(rows, CARD_A, 10000));
    rows_run(rows, rows_command(rows, ACTION_CHARGE, CARD_A, 12, 700));
    struct tenant other = rows_tenant(9999);
    assert_int_equal(store_add_tenant(rows->store, &other), 0);
    rows->tenant = other;
    assert_false(order_is_known(rows, CARD_A, 12));
}

static void recent_charges_are_open_young_and_of_the_card(void **state)
{
    struct rows *rows = rows_of(state);
    int64_t ids[8];
    rows_run(rows, rows_issue(rows, CARD_A, 10000));                    /* 1 */
    rows_run(rows, rows_issue(rows, CARD_B, 10000));                    /* 2 */
    rows_run(rows, rows_command(rows, ACTION_CHARGE, CARD_A, 11, 100)); /* 3: too old */
    int64_t since_us = rows->now_us + 1;
    rows_run(rows, rows_command(rows, ACTION_CHARGE, CARD_A, 12, 200));   /* 4: given back whole */
    rows_run(rows, rows_command(rows, ACTION_REFUND, CARD_A, 12, 200));   /* 5 */
    rows_run(rows, rows_command(rows, ACTION_CHARGE, CARD_A, 13, 300));   /* 6: partly */
    rows_run(rows, rows_command(rows, ACTION_REFUND, CARD_A, 13, 100));   /* 7 */
    rows_run(rows, rows_command(rows, ACTION_CHARGE, CARD_B, 14, 400));   /* 8: other card */
    rows_run(rows, rows_command(rows, ACTION_CHARGE, CARD_A, 0, 500));    /* 9 */
    rows_run(rows, rows_command(rows, ACTION_TOP_UP, CARD_A, 15, 600));   /* 10 */
    rows_run(rows, rows_command(rows, ACTION_REFUND, CARD_A, 15, 90000)); /* 11: refused */
    struct command command = rows_command(rows, ACTION_REFUND, CARD_A, 77, 50);
    struct keys keys = {.wants_recent_charges = true, .recent_since_us = since_us};
    assert_int_equal(fetch_ids(rows, &command, keys, ids, 8), 2);
    assert_int_equal(ids[0], 9);
    assert_int_equal(ids[1], 6);
    keys.recent_since_us = 0;
    assert_int_equal(fetch_ids(rows, &command, keys, ids, 8), 3);
    assert_int_equal(ids[2], 3);
}

static void recent_charges_are_left_alone_when_the_order_is_known(void **state)
{
    struct rows *rows = rows_of(state);
    int64_t ids[8];
    rows_run(rows, rows_issue(rows, CARD_A, 10000));
    rows_run(rows, rows_command(rows, ACTION_CHARGE, CARD_A, 11, 100)); /* 2 */
    rows_run(rows, rows_command(rows, ACTION_CHARGE, CARD_A, 12, 200)); /* 3 */
    struct command command = rows_command(rows, ACTION_REFUND, CARD_A, 12, 50);
    struct keys keys = {.sale_order_id = 12,
                        .wants_order_is_known = true,
                        .wants_recent_charges = true,
                        .wants_order_operations = true};
    assert_int_equal(fetch_ids(rows, &command, keys, ids, 8), 1);
    assert_int_equal(ids[0], 3);
}

static void only_the_newest_recent_charges_are_loaded(void **state)
{
    struct rows *rows = rows_of(state);
    int64_t ids[RECENT_CHARGES_MAX + 8];
    rows_run(rows, rows_issue(rows, CARD_A, 10000));
    for (int32_t i = 0; i < RECENT_CHARGES_MAX + 3; i++)
        rows_run(rows, rows_command(rows, ACTION_CHARGE, CARD_A, 100 + i, 1));
    struct command command = rows_command(rows, ACTION_REFUND, CARD_A, 77, 50);
    struct keys keys = {.wants_recent_charges = true};
    assert_int_equal(fetch_ids(rows, &command, keys, ids, COUNT_OF(ids)), RECENT_CHARGES_MAX);
    assert_int_equal(ids[0], 1 + RECENT_CHARGES_MAX + 3);
}

static void register_day_is_kept_per_register_and_date(void **state)
{
    struct rows *rows = rows_of(state);
    rows_run(rows, rows_issue(rows, CARD_A, 10000));
    rows_run(rows, rows_command(rows, ACTION_CHARGE, CARD_A, 11, 5000));
    struct command refund = rows_command(rows, ACTION_REFUND, CARD_A, 77, 50);
    rows_decide(rows, &refund, 1);
    assert_true(rows->batch->view.days[0].is_new);
    assert_int_equal(store_commit(rows->store, rows->batch), 0);
    struct command more[3] = {rows_command(rows, ACTION_REFUND, CARD_A, 78, 30),
                              rows_command(rows, ACTION_REFUND, CARD_A, 79, 20),
                              rows_command(rows, ACTION_REFUND, CARD_A, 80, 10)};
    more[2].local_date++;
    rows_run_all(rows, more, 3);
    const struct view *view = &rows->batch->view;
    assert_int_equal(view->day_count, 2);
    assert_false(view->days[0].is_new);
    assert_int_equal(view->days[0].refunded_minor_loaded, 50);
    assert_int_equal(view->days[0].day.refunded_minor, 100);
    assert_true(view->days[1].is_new);
    assert_int_equal(rows_verify(rows->store), 0);
    /* A day that moved under us. */
    rows_decide(rows, &refund, 1);
    rows->batch->view.days[0].refunded_minor_loaded = 99;
    rows->batch->view.days[0].is_changed = true;
    assert_int_equal(store_commit(rows->store, rows->batch), ERR_STORE_CONSTRAINT);
}

static void refusal_is_kept_and_moves_only_the_history(void **state)
{
    struct rows *rows = rows_of(state);
    rows_run(rows, rows_issue(rows, CARD_A, 0));
    struct outcome outcome = rows_run(rows, rows_command(rows, ACTION_CHARGE, CARD_A, 12, 700));
    assert_int_equal(outcome.result, RESULT_NO_FUNDS);
    assert_int_equal(outcome.operation_id, 2);
    struct card card = rows_card(rows, CARD_A);
    assert_int_equal(card.last_operation_id, 2);
    assert_int_equal(card.version, 0);
    assert_int_equal(rows_totals(rows).transfers, 0);
    assert_int_equal(rows_verify(rows->store), 0);
}

/* --- ids and settling --- */

static void ids_grow_and_are_never_given_out_twice(void **state)
{
    struct rows *rows = rows_of(state);
    rows_run(rows, rows_issue(rows, CARD_A, 10000));
    struct command charge = rows_command(rows, ACTION_CHARGE, CARD_A, 12, 700);
    for (int64_t id = 2; id < 5; id++) {
        rows_decide(rows, &charge, 1);
        assert_int_equal(rows->batch->outcomes[0].operation_id, id);
        store_rollback(rows->store); /* never committed: may be given out again */
        assert_int_equal(rows_run(rows, charge).operation_id, id);
        charge.order_id++;
    }
    if (suite_backend->is_shared)
        conformance_reopen(state);
    assert_int_equal(rows_run(rows, charge).operation_id, 5);
    assert_int_equal(rows_run(rows, rows_issue(rows, CARD_B, 1)).card_id, 2);
}

static void settling_a_commit_that_happened_says_so_and_adds_nothing(void **state)
{
    struct rows *rows = rows_of(state);
    rows_run(rows, rows_issue(rows, CARD_A, 10000));
    rows_run(rows, rows_command(rows, ACTION_CHARGE, CARD_A, 12, 700));
    bool happened = false;
    assert_int_equal(store_settle(rows->store, rows->batch, &happened), 0);
    assert_true(happened);
    assert_int_equal(rows_totals(rows).operations, 2);
    assert_int_equal(rows_run(rows, rows_command(rows, ACTION_CHARGE, CARD_A, 13, 1)).operation_id,
                     3);
    assert_int_equal(rows_verify(rows->store), 0);
}

static void settling_a_commit_that_did_not_happen_makes_it_impossible(void **state)
{
    struct rows *rows = rows_of(state);
    rows_run(rows, rows_issue(rows, CARD_A, 10000));
    const struct command charges[2] = {rows_command(rows, ACTION_CHARGE, CARD_A, 12, 700),
                                       rows_command(rows, ACTION_CHARGE, CARD_A, 13, 700)};
    rows_decide(rows, charges, 2);
    store_rollback(rows->store); /* the COMMIT that nobody heard of again */
    bool happened = true;
    assert_int_equal(store_settle(rows->store, rows->batch, &happened), 0);
    assert_false(happened);
    assert_int_equal(rows_totals(rows).operations, 3);
    assert_int_equal(rows_card(rows, CARD_A).balance_minor, 10000);
    happened = true; /* asked again, it says the same */
    assert_int_equal(store_settle(rows->store, rows->batch, &happened), 0);
    assert_false(happened);
    assert_int_equal(rows_totals(rows).operations, 3);
    struct outcome outcome = rows_run(rows, charges[0]);
    assert_int_equal(outcome.result, RESULT_OK);
    assert_false(outcome.is_replay);
    assert_true(outcome.operation_id > 3);
    assert_int_equal(rows_verify(rows->store), 0);
}

/* --- tenants, sites, cards --- */

struct found {
    struct tenant tenants[4];
    struct site sites[4];
    int32_t count;
};

static void on_tenant(void *context, const struct tenant *tenant)
{
    struct found *found = context;
    assert_true(found->count < 4);
    found->tenants[found->count++] = *tenant;
}

static void on_site(void *context, const struct site *site)
{
    struct found *found = context;
    assert_true(found->count < 4);
    found->sites[found->count++] = *site;
}

static void assert_same_tenant(const struct tenant *a, const struct tenant *b)
{
    assert_int_equal(a->id, b->id);
    assert_string_equal(a->name, b->name);
    assert_string_equal(a->key, b->key);
    assert_string_equal(a->currency.code, b->currency.code);
    assert_int_equal(a->currency.exponent, b->currency.exponent);
    assert_string_equal(a->zone, b->zone);
    assert_int_equal(a->oseries_company, b->oseries_company);
    assert_string_equal(a->signature_token, b->signature_token);
    assert_string_equal(a->signature_token_previous, b->signature_token_previous);
    assert_int_equal(a->oseries_signature_mode, b->oseries_signature_mode);
    assert_int_equal(a->signature_base64_is_accepted, b->signature_base64_is_accepted);
    assert_int_equal(a->charge_is_on, b->charge_is_on);
    assert_int_equal(a->top_up_is_on, b->top_up_is_on);
    assert_int_equal(a->refund_is_on, b->refund_is_on);
    assert_int_equal(a->balance_is_on, b->balance_is_on);
    assert_int_equal(a->sites_must_be_mapped, b->sites_must_be_mapped);
    assert_int_equal(a->last4_is_accepted, b->last4_is_accepted);
    assert_int_equal(a->amounts_are_strings, b->amounts_are_strings);
    assert_string_equal(a->card_prefix, b->card_prefix);
    assert_string_equal(a->profile, b->profile);
    assert_int_equal(a->policy.partial_is_allowed, b->policy.partial_is_allowed);
    assert_int_equal(a->policy.balance_max_minor, b->policy.balance_max_minor);
    assert_int_equal(a->policy.load_day_max_minor, b->policy.load_day_max_minor);
    assert_int_equal(a->policy.uses_hour_max, b->policy.uses_hour_max);
    assert_int_equal(a->policy.refund_max_minor, b->policy.refund_max_minor);
    assert_int_equal(a->policy.refund_register_day_max_minor,
                     b->policy.refund_register_day_max_minor);
    assert_int_equal(a->policy.replay_window_us, b->policy.replay_window_us);
    assert_int_equal(a->policy.replay_window_no_order_us, b->policy.replay_window_no_order_us);
}

/* No two fields alike, so that a swapped column shows. */
static struct tenant odd_tenant(void)
{
    return (struct tenant){
        .name = "N\xc3\xbc"
                "chtern",
        .key = "ffeeddccbbaa99887766554433221100",
        .currency = {"BHD", 3},
        .zone = "Asia/Bahrain",
        .oseries_company = 4242,
        .signature_token = "new token",
        .signature_token_previous = "old token",
        .oseries_signature_mode = SIGNATURE_OFF,
        .signature_base64_is_accepted = true,
        .top_up_is_on = true,
        .balance_is_on = true,
        .last4_is_accepted = true,
        .card_prefix = "9876543210",
        .profile = "dialect",
        .policy = {.balance_max_minor = 1,
                   .load_day_max_minor = 2,
                   .uses_hour_max = 3,
                   .refund_max_minor = 4,
                   .refund_register_day_max_minor = 5,
                   .replay_window_us = 6,
                   .replay_window_no_order_us = 7,
                   .top_up_is_held = true},
        .refusal_status = 402,
        .body_format = BODY_FORM,
        .deadline_us = 2500000,
        .payment_is_ours = true,
        .payment_refusals = "403",
        .webhook_topics = "orders/completed",
        .token_refresh_us = 8,
        .discount_is_on_line = true,
        .rewards_is_on = true,
        .earn_milli = 9,
        .points_label = "Beans",
        .points_expire_days = 10,
        .burn_is_on_complete = true,
        .reservation_max_us = 11,
        .redeem_token_us = 12,
    };
}

static void tenants_are_read_back_field_by_field(void **state)
{
    struct rows *rows = rows_of(state);
    struct tenant odd = odd_tenant();
    struct found found = {0};
    assert_int_equal(store_add_tenant(rows->store, &odd), 0);
    assert_int_equal(odd.id, 2);
    assert_int_equal(store_each_tenant(rows->store, on_tenant, &found), 0);
    assert_int_equal(found.count, 2);
    assert_same_tenant(&found.tenants[0], &rows->tenant);
    assert_same_tenant(&found.tenants[1], &odd);
}

static void tenant_is_updated_whole_and_alone(void **state)
{
    struct rows *rows = rows_of(state);
    struct tenant odd = odd_tenant();
    struct found found = {0};
    assert_int_equal(store_add_tenant(rows->store, &odd), 0);
    struct tenant changed = rows->tenant;
    changed.id = odd.id;
    changed.oseries_company = 4243;
    changed.signature_token[0] = '\0';
    assert_int_equal(store_update_tenant(rows->store, &changed), 0);
    assert_int_equal(store_each_tenant(rows->store, on_tenant, &found), 0);
    assert_int_equal(found.count, 2);
    assert_same_tenant(&found.tenants[0], &rows->tenant);
    assert_same_tenant(&found.tenants[1], &changed);
    changed.id = 77;
    changed.oseries_company = 4244;
    assert_int_equal(store_update_tenant(rows->store, &changed), ERR_NOT_FOUND);
}

static void one_tenant_is_read_as_it_is_now(void **state)
{
    struct rows *rows = rows_of(state);
    struct tenant odd = odd_tenant(), read;
    assert_int_equal(store_add_tenant(rows->store, &odd), 0);
    assert_int_equal(store_read_tenant(rows->store, odd.id, &read), 0);
    assert_same_tenant(&read, &odd);
    odd.oseries_company = 4243;
    assert_int_equal(store_update_tenant(rows->store, &odd), 0);
    assert_int_equal(store_read_tenant(rows->store, odd.id, &read), 0);
    assert_same_tenant(&read, &odd);
    assert_int_equal(store_read_tenant(rows->store, 77, &read), ERR_NOT_FOUND);
}

static void company_has_one_tenant(void **state)
{
    struct rows *rows = rows_of(state);
    struct tenant twin = rows_tenant(5678);
    assert_int_equal(store_add_tenant(rows->store, &twin), ERR_ALREADY_EXISTS);
    struct tenant none = rows_tenant(0); /* not connected yet: any number of these */
    assert_int_equal(store_add_tenant(rows->store, &none), 0);
    assert_int_equal(store_add_tenant(rows->store, &none), 0);
    none.oseries_company = 5678;
    assert_int_equal(store_update_tenant(rows->store, &none), ERR_ALREADY_EXISTS);
    assert_int_equal(rows_totals(rows).tenants, 3);
}

static void sites_are_read_back_and_mapped_once(void **state)
{
    struct rows *rows = rows_of(state);
    struct found found = {0};
    struct site site = {.tenant_id = rows->tenant.id,
                        .name = "Pier 3",
                        .oseries_site = 923,
                        .zone = "Australia/Perth"};
    assert_int_equal(store_add_site(rows->store, &site), 0);
    assert_int_equal(site.id, 1);
    struct site again = site;
    assert_int_equal(store_add_site(rows->store, &again), ERR_ALREADY_EXISTS);
    again.tenant_id = 99;
    assert_int_equal(store_add_site(rows->store, &again), ERR_NOT_FOUND);
    struct site second = {.tenant_id = rows->tenant.id, .name = "Pier 4", .oseries_site = 924};
    assert_int_equal(store_add_site(rows->store, &second), 0);
    assert_int_equal(store_each_site(rows->store, on_site, &found), 0);
    assert_int_equal(found.count, 2);
    assert_int_equal(found.sites[0].id, 1);
    assert_int_equal(found.sites[0].tenant_id, rows->tenant.id);
    assert_string_equal(found.sites[0].name, "Pier 3");
    assert_int_equal(found.sites[0].oseries_site, 923);
    assert_string_equal(found.sites[0].zone, "Australia/Perth");
    assert_string_equal(found.sites[1].zone, "");
}

static void card_is_switched_off_and_on(void **state)
{
    struct rows *rows = rows_of(state);
    struct command issue = rows_issue(rows, CARD_A, 100);
    struct card card;
    rows_run(rows, issue);
    assert_int_equal(
        store_set_card_status(rows->store, rows->tenant.id, issue.card_index, CARD_DISABLED, &card),
        0);
    assert_int_equal(card.status, CARD_DISABLED);
    assert_int_equal(card.balance_minor, 100);
    assert_int_equal(rows_card(rows, CARD_A).status, CARD_DISABLED);
    assert_int_equal(rows_run(rows, rows_command(rows, ACTION_CHARGE, CARD_A, 1, 5)).result,
                     RESULT_DISABLED);
    assert_int_equal(
        store_set_card_status(rows->store, rows->tenant.id, issue.card_index, CARD_ACTIVE, &card),
        0);
    assert_int_equal(rows_run(rows, rows_command(rows, ACTION_CHARGE, CARD_A, 1, 5)).result,
                     RESULT_OK);
    issue.card_index[0] ^= 1;
    assert_int_equal(
        store_set_card_status(rows->store, rows->tenant.id, issue.card_index, CARD_DISABLED, &card),
        ERR_NOT_FOUND);
}

static void stock_is_not_switched_before_it_is_sold(void **state)
{
    struct rows *rows = rows_of(state);
    struct command stock = rows_issue(rows, CARD_A, 0);
    stock.new_card.status = CARD_STOCK;
    rows_run(rows, stock);
    static const enum card_status wanted[] = {CARD_ACTIVE, CARD_DISABLED};
    for (int i = 0; i < 2; i++) {
        struct card card;
        assert_int_equal(
            store_set_card_status(rows->store, rows->tenant.id, stock.card_index, wanted[i], &card),
            ERR_NOT_SOLD);
        assert_int_equal(rows_card(rows, CARD_A).status, CARD_STOCK);
    }
    assert_int_equal(rows_run(rows, rows_command(rows, ACTION_CHARGE, CARD_A, 1, 5)).result,
                     RESULT_NOT_FOUND);
    rows_run(rows, rows_command(rows, ACTION_TOP_UP, CARD_A, 2, 100));
    assert_int_equal(rows_card(rows, CARD_A).status, CARD_ACTIVE);
    assert_int_equal(rows_verify(rows->store), 0);
}

static void no_card_becomes_stock_again(void **state)
{
    struct rows *rows = rows_of(state);
    struct card card;
    uint8_t index[CARD_INDEX_BYTES] = {0};
    check_hook = rows_on_failed_check;
    expect_assert_failure(
        (void)!store_set_card_status(rows->store, rows->tenant.id, index, CARD_STOCK, &card));
    check_hook = NULL;
}

static void last4_finds_exactly_one_sold_card(void **state)
{
    struct rows *rows = rows_of(state);
    struct card card;
    int64_t tenant_id = rows->tenant.id;
    assert_int_equal(store_read_card_by_last4(rows->store, tenant_id, "0001", &card),
                     ERR_NOT_FOUND);
    rows_run(rows, rows_issue(rows, CARD_A, 100));
    struct command stock = rows_issue(rows, "7000000000000001", 0);
    stock.new_card.status = CARD_STOCK;
    rows_run(rows, stock);
    assert_int_equal(store_read_card_by_last4(rows->store, tenant_id, "0001", &card), 0);
    assert_int_equal(card.id, 1);
    assert_int_equal(store_read_card_by_last4(rows->store, tenant_id + 1, "0001", &card),
                     ERR_NOT_FOUND);
    rows_run(rows, rows_issue(rows, "8000000000000001", 100));
    assert_int_equal(store_read_card_by_last4(rows->store, tenant_id, "0001", &card),
                     ERR_NOT_FOUND);
}

static void unknown_card_is_not_found(void **state)
{
    struct rows *rows = rows_of(state);
    uint8_t index[CARD_INDEX_BYTES] = {1};
    struct card card;
    assert_int_equal(store_read_card(rows->store, rows->tenant.id, index, &card), ERR_NOT_FOUND);
}

/* --- history, totals --- */

struct history {
    struct entry entries[16];
    int32_t count;
};

static void on_entry(void *context, const struct entry *entry)
{
    struct history *history = context;
    assert_true(history->count < 16);
    history->entries[history->count++] = *entry;
}

static struct history read_history(struct rows *rows, int64_t card_id, int64_t before,
                                   int32_t limit)
{
    struct history history = {0};
    assert_int_equal(store_each_entry(rows->store, card_id, before, limit, on_entry, &history), 0);
    return history;
}

static void assert_entry(const struct entry *entry, int64_t operation_id, int64_t transfer_id)
{
    assert_int_equal(entry->operation.id, operation_id);
    assert_int_equal(entry->transfer.id, transfer_id);
    if (transfer_id != 0)
        assert_int_equal(entry->transfer.operation_id, operation_id);
}

static void write_a_history(struct rows *rows)
{
    rows_run(rows, rows_issue(rows, CARD_A, 1000));                     /* 1: transfer 1 */
    rows_run(rows, rows_issue(rows, CARD_B, 1000));                     /* 2: transfer 2 */
    rows_run(rows, rows_command(rows, ACTION_CHARGE, CARD_A, 11, 100)); /* 3: transfer 3 */
    rows_run(rows, rows_command(rows, ACTION_CHARGE, CARD_A, 12, 200)); /* 4: transfer 4 */
    rows_run(rows, rows_command(rows, ACTION_REFUND, CARD_A, 11, 999)); /* 5: refused */
    rows_run(rows, rows_command(rows, ACTION_CHARGE, CARD_B, 13, 300)); /* 6: transfer 5 */
    rows_run(rows, rows_command(rows, ACTION_REFUND, CARD_A, 77, 250)); /* 7: 6 and 7 */
}

static void history_is_newest_first_with_refusals_and_every_transfer(void **state)
{
    struct rows *rows = rows_of(state);
    write_a_history(rows);
    struct history history = read_history(rows, 1, 0, 100);
    assert_int_equal(history.count, 6);
    assert_entry(&history.entries[0], 7, 7); /* gives back the rest from order 11 */
    assert_int_equal(history.entries[0].transfer.answers_operation_id, 3);
    assert_int_equal(history.entries[0].transfer.amount_minor, 50);
    assert_entry(&history.entries[1], 7, 6);
    assert_int_equal(history.entries[1].transfer.answers_operation_id, 4);
    assert_int_equal(history.entries[1].transfer.amount_minor, 200);
    assert_entry(&history.entries[2], 5, 0);
    assert_int_equal(history.entries[2].operation.result, RESULT_OVER_CHARGED);
    assert_entry(&history.entries[3], 4, 4);
    assert_entry(&history.entries[4], 3, 3);
    assert_entry(&history.entries[5], 1, 1);
}

static void history_is_read_in_pages(void **state)
{
    struct rows *rows = rows_of(state);
    write_a_history(rows);
    struct history page = read_history(rows, 1, 0, 2);
    assert_int_equal(page.count, 3);
    assert_entry(&page.entries[2], 5, 0);
    page = read_history(rows, 1, 5, 2);
    assert_int_equal(page.count, 2);
    assert_entry(&page.entries[0], 4, 4);
    assert_entry(&page.entries[1], 3, 3);
    page = read_history(rows, 1, 3, 2);
    assert_int_equal(page.count, 1);
    assert_entry(&page.entries[0], 1, 1);
    page = read_history(rows, 1, 1, 2);
    assert_int_equal(page.count, 0);
    struct history none = {0};
    assert_int_equal(store_each_entry(rows->store, 1, 6, 2, on_entry, &none), ERR_NOT_FOUND);
    assert_int_equal(store_each_entry(rows->store, 99, 0, 2, on_entry, &none), ERR_NOT_FOUND);
    assert_int_equal(none.count, 0);
}

static void transfer_is_read_back_field_by_field(void **state)
{
    struct rows *rows = rows_of(state);
    write_a_history(rows);
    struct history page = read_history(rows, 1, 5, 1);
    assert_int_equal(page.count, 1);
    const struct transfer *transfer = &page.entries[0].transfer;
    assert_int_equal(transfer->id, 4);
    assert_int_equal(transfer->operation_id, 4);
    assert_int_equal(transfer->debit_account, account_make(ACCOUNT_CARD, 1));
    assert_int_equal(transfer->credit_account, account_make(ACCOUNT_SALES, rows->tenant.id));
    assert_int_equal(transfer->amount_minor, 200);
    assert_int_equal(transfer->cause, CAUSE_CHARGE);
    assert_int_equal(transfer->answers_operation_id, 4);
    assert_int_equal(transfer->version, 3);
    assert_int_equal(transfer->balance_minor_after, 700);
    assert_int_equal(transfer->previous_transfer_id, 3);
    assert_int_equal(transfer->created_at_us, page.entries[0].operation.created_at_us);
}

static void totals_and_generation_are_told(void **state)
{
    struct rows *rows = rows_of(state);
    int64_t generation;
    write_a_history(rows);
    struct store_totals totals = rows_totals(rows);
    assert_int_equal(totals.cards, 2);
    assert_int_equal(totals.operations, 7);
    assert_int_equal(totals.transfers, 7);
    assert_int_equal(totals.tenants, 1);
    assert_int_equal(store_generation(rows->store, &generation), 0);
    assert_int_equal(generation, 1);
    assert_int_equal(store_ping(rows->store), 0);
    assert_int_equal(rows_verify(rows->store), 0);
}

/* --- several connections --- */

static void reader_sees_the_last_commit_while_the_writer_is_at_work(void **state)
{
    struct rows *rows = rows_of(state);
    if (!suite_backend->is_shared)
        skip();
    struct command issue = rows_issue(rows, CARD_A, 1000);
    struct card card;
    rows_run(rows, issue);
    struct store *reader = conformance_open_reader(state);
    struct command charge = rows_command(rows, ACTION_CHARGE, CARD_A, 12, 700);
    rows_decide(rows, &charge, 1);
    assert_int_equal(store_read_card(reader, rows->tenant.id, issue.card_index, &card), 0);
    assert_int_equal(card.balance_minor, 1000);
    assert_int_equal(store_ping(reader), 0);
    assert_int_equal(rows_verify(reader), 0);
    assert_int_equal(store_commit(rows->store, rows->batch), 0);
    assert_int_equal(store_read_card(reader, rows->tenant.id, issue.card_index, &card), 0);
    assert_int_equal(card.balance_minor, 300);
    store_close(reader);
}

static void card_and_history_of_one_read_are_of_one_moment(void **state)
{
    struct rows *rows = rows_of(state);
    if (!suite_backend->is_shared)
        skip();
    struct command issue = rows_issue(rows, CARD_A, 1000);
    struct card card;
    rows_run(rows, issue);
    struct store *reader = conformance_open_reader(state);
    assert_int_equal(store_begin_read(reader), 0);
    assert_int_equal(store_read_card(reader, rows->tenant.id, issue.card_index, &card), 0);
    rows_run(rows, rows_command(rows, ACTION_CHARGE, CARD_A, 12, 700));
    for (int i = 0; i < 2; i++) { /* the first must not end what was begun */
        struct history history = {0};
        assert_int_equal(store_each_entry(reader, card.id, 0, 10, on_entry, &history), 0);
        assert_int_equal(history.count, 1);
        assert_int_equal(history.entries[0].operation.balance_minor_after, card.balance_minor);
    }
    struct history none = {0};
    assert_int_equal(store_each_entry(reader, 99, 0, 10, on_entry, &none), ERR_NOT_FOUND);
    assert_int_equal(store_read_card(reader, rows->tenant.id, issue.card_index, &card), 0);
    assert_int_equal(card.balance_minor, 1000);
    store_end_read(reader);
    assert_int_equal(store_read_card(reader, rows->tenant.id, issue.card_index, &card), 0);
    assert_int_equal(card.balance_minor, 300);
    struct history after = {0};
    assert_int_equal(store_each_entry(reader, card.id, 0, 10, on_entry, &after), 0);
    assert_int_equal(after.count, 2);
    store_close(reader);
}

static void reader_refuses_to_write(void **state)
{
    struct rows *rows = rows_of(state);
    if (!suite_backend->is_shared)
        skip();
    struct store *reader = conformance_open_reader(state);
    struct tenant tenant = rows_tenant(1);
    assert_int_equal(store_add_tenant(reader, &tenant), ERR_STORE_DOWN);
    assert_int_equal(rows_totals(rows).tenants, 1);
    store_close(reader);
}

static void reader_of_a_store_that_is_not_there_is_refused(void **state)
{
    struct rows *rows = rows_of(state);
    if (!suite_backend->is_shared)
        skip();
    char location[LOCATION_MAX];
    struct store *reader;
    suite_backend->create(location);
    struct store_config config = {.location = location, .seal = rows->seal};
    int err = store_open(&config, STORE_READER, &reader);
    assert_true(err == ERR_STORE_DOWN || err == ERR_NOT_FOUND);
    assert_null(reader);
    suite_backend->remove(location);
}

static void everything_is_there_after_reopening(void **state)
{
    struct rows *rows = rows_of(state);
    if (!suite_backend->is_shared)
        skip();
    struct found found = {0};
    write_a_history(rows);
    conformance_reopen(state);
    assert_int_equal(rows_totals(rows).transfers, 7);
    assert_int_equal(rows_card(rows, CARD_A).balance_minor, 950);
    assert_int_equal(read_history(rows, 1, 0, 100).count, 6);
    assert_int_equal(store_each_tenant(rows->store, on_tenant, &found), 0);
    assert_same_tenant(&found.tenants[0], &rows->tenant);
    assert_int_equal(rows_verify(rows->store), 0);
}

static void another_master_key_is_refused(void **state)
{
    struct fixture *fixture = *state;
    if (!suite_backend->is_shared)
        skip();
    struct rows other;
    rows_init(&other, 2);
    struct store_config config = {.location = fixture->location, .seal = other.seal};
    assert_int_equal(store_open(&config, STORE_WRITER, &other.store), ERR_BAD_KEY);
    assert_null(other.store);
    assert_int_equal(store_open(&config, STORE_READER, &other.store), ERR_BAD_KEY);
    rows_finish(&other);
    conformance_reopen(state); /* and nothing was changed by the attempt */
    assert_int_equal(store_ping(fixture->rows.store), 0);
}

static void emptiness_is_told_before_anything_is_created(void **state)
{
    struct fixture *fixture = *state;
    bool is_empty = false;
    char location[LOCATION_MAX];
    suite_backend->create(location);
    assert_int_equal(store_is_empty(location, &is_empty), 0);
    assert_true(is_empty);
    suite_backend->remove(location);
    if (!suite_backend->is_shared)
        return;
    assert_int_equal(store_is_empty(fixture->location, &is_empty), 0);
    assert_false(is_empty);
}

#define TEST_CASE(name) CONFORMANCE_TEST(name)

static const struct CMUnitTest conformance[] = {
    TEST_CASE(committed_rows_are_read_back_field_by_field),
    TEST_CASE(every_counter_of_a_card_is_kept),
    TEST_CASE(rolled_back_batch_leaves_no_trace),
    TEST_CASE(batch_without_changes_commits_and_writes_nothing),
    TEST_CASE(card_of_several_commands_is_loaded_once),
    TEST_CASE(full_batch_on_many_cards_is_committed),
    TEST_CASE(same_number_at_two_tenants_is_two_cards),
    TEST_CASE(another_version_than_loaded_is_refused),
    TEST_CASE(negative_balance_is_refused),
    TEST_CASE(transfer_of_nothing_is_refused),
    TEST_CASE(transfer_to_itself_is_refused),
    TEST_CASE(transfer_of_no_operation_is_refused),
    TEST_CASE(operation_id_given_out_twice_is_refused),
    TEST_CASE(giving_back_more_than_was_charged_is_refused),
    TEST_CASE(charge_given_back_meanwhile_is_refused),
    TEST_CASE(number_issued_twice_is_refused),
    TEST_CASE(order_operations_are_those_of_card_and_order),
    TEST_CASE(no_number_of_refusals_hides_what_an_order_did),
    TEST_CASE(no_number_of_charges_hides_what_was_loaded),
    TEST_CASE(who_does_not_know_the_pin_causes_no_charges_to_be_looked_for),
    TEST_CASE(no_number_of_charges_hides_what_waits_for_its_order),
    TEST_CASE(held_and_released_in_one_batch_moves_once),
    TEST_CASE(charges_of_the_sale_that_a_refund_names_are_loaded),
    TEST_CASE(a_refund_that_names_a_sale_nobody_has_paid_here_is_bounded_by_the_limits),
    TEST_CASE(loaded_operation_has_all_its_fields),
    TEST_CASE(only_the_newest_operations_of_an_order_are_loaded),
    TEST_CASE(without_order_site_and_register_count),
    TEST_CASE(order_is_known_by_a_successful_charge_of_any_card),
    TEST_CASE(order_of_another_tenant_is_not_known),
    TEST_CASE(recent_charges_are_open_young_and_of_the_card),
    TEST_CASE(recent_charges_are_left_alone_when_the_order_is_known),
    TEST_CASE(only_the_newest_recent_charges_are_loaded),
    TEST_CASE(register_day_is_kept_per_register_and_date),
    TEST_CASE(refusal_is_kept_and_moves_only_the_history),
    TEST_CASE(ids_grow_and_are_never_given_out_twice),
    TEST_CASE(settling_a_commit_that_happened_says_so_and_adds_nothing),
    TEST_CASE(settling_a_commit_that_did_not_happen_makes_it_impossible),
    TEST_CASE(tenants_are_read_back_field_by_field),
    TEST_CASE(tenant_is_updated_whole_and_alone),
    TEST_CASE(one_tenant_is_read_as_it_is_now),
    TEST_CASE(company_has_one_tenant),
    TEST_CASE(sites_are_read_back_and_mapped_once),
    TEST_CASE(card_is_switched_off_and_on),
    TEST_CASE(stock_is_not_switched_before_it_is_sold),
    TEST_CASE(no_card_becomes_stock_again),
    TEST_CASE(last4_finds_exactly_one_sold_card),
    TEST_CASE(unknown_card_is_not_found),
    TEST_CASE(history_is_newest_first_with_refusals_and_every_transfer),
    TEST_CASE(history_is_read_in_pages),
    TEST_CASE(transfer_is_read_back_field_by_field),
    TEST_CASE(totals_and_generation_are_told),
    TEST_CASE(reader_sees_the_last_commit_while_the_writer_is_at_work),
    TEST_CASE(card_and_history_of_one_read_are_of_one_moment),
    TEST_CASE(reader_refuses_to_write),
    TEST_CASE(reader_of_a_store_that_is_not_there_is_refused),
    TEST_CASE(everything_is_there_after_reopening),
    TEST_CASE(another_master_key_is_refused),
    TEST_CASE(emptiness_is_told_before_anything_is_created),
};

int conformance_run(const struct conformance_backend *backend)
{
    suite_backend = backend;
    int failed =
        _cmocka_run_group_tests(backend->name, conformance, COUNT_OF(conformance), NULL, NULL);
    failed += conformance_run_grants(backend->name);
    failed += conformance_run_work(backend->name);
    failed += conformance_run_foreign(backend->name);
    failed += conformance_run_undo(backend->name);
    failed += conformance_run_proofs(backend->name);
    failed += conformance_run_sums(backend->name);
    failed += conformance_run_leases(backend->name);
    return failed;
}
