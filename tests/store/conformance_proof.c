/*
 * Conformance: proofs, from the scan that makes them to the payments that confirm them.
 */
#include "tests/store/conformance.h"
#include "tests/store/proofs.h"

#include "base/check.h"
#include "base/error.h"

#include <stdio.h>
#include <string.h>

#define CARD_A "6000000000000001"
#define CARD_B "6000000000000002"
#define ORDER INT64_C(2802065908)

/* --- the scan --- */

struct scanned {
    int64_t ids[PROOFS_MAX];
    int32_t count;
};

static void on_scanned(void *context, const struct operation *operation)
{
    struct scanned *scanned = context;
    assert_true(scanned->count < PROOFS_MAX);
    scanned->ids[scanned->count++] = operation->id;
}

static struct scanned scan(struct rows *rows, int64_t after_id, int32_t limit, int64_t *scanned_to)
{
    struct scanned scanned = {.count = 0};
    assert_int_equal(
        store_scan_operations(rows->store, after_id, limit, on_scanned, &scanned, scanned_to), 0);
    return scanned;
}

static void the_scan_finds_what_a_register_should_show(void **state)
{
    struct rows *rows = conformance_rows(state);
    int64_t scanned_to;
    proofs_connect(rows);
    rows_run(rows, rows_issue(rows, CARD_A, 10000)); /* 1 */
    int64_t charge = proofs_run(rows, ACTION_CHARGE, CARD_A, ORDER, 700);
    rows_run(rows, rows_command(rows, ACTION_CHARGE, CARD_A, ORDER, 999999)); /* a part of it */
    rows_run(rows, rows_command(rows, ACTION_CHARGE, CARD_A, ORDER + 1, 5));  /* no funds */
    int64_t refund = proofs_run(rows, ACTION_REFUND, CARD_A, ORDER, 300);
    int64_t load = proofs_run(rows, ACTION_TOP_UP, CARD_A, ORDER + 2, 50);
    rows->tenant.policy.top_up_is_held = true;
    int64_t held = proofs_run(rows, ACTION_TOP_UP, CARD_A, ORDER + 3, 60);
    rows_run(rows, rows_command(rows, ACTION_RELEASE, CARD_A, ORDER + 3, 0));
    assert_true(proofs_undo(rows, ACTION_REVERSE, CARD_A, charge) != 0);
    struct scanned scanned = scan(rows, 0, 99, &scanned_to);
    assert_int_equal(scanned.count, 5);
    assert_int_equal(scanned.ids[0], charge);
    assert_int_equal(scanned.ids[1], charge + 1);
    assert_int_equal(scanned.ids[2], refund);
    assert_int_equal(scanned.ids[3], load);
    assert_int_equal(scanned.ids[4], held);
    assert_int_equal(scanned_to, rows_totals(rows).operations);
    assert_int_equal(scan(rows, scanned_to, 99, &scanned_to).count, 0);
    assert_int_equal(scanned_to, rows_totals(rows).operations);
}

static void the_scan_goes_on_where_its_limit_has_stopped_it(void **state)
{
    struct rows *rows = conformance_rows(state);
    int64_t scanned_to;
    proofs_connect(rows);
    rows_run(rows, rows_issue(rows, CARD_A, 10000)); /* 1 */
    for (int i = 1; i <= 5; i++)
        proofs_run(rows, ACTION_CHARGE, CARD_A, ORDER, i);
    struct scanned scanned = scan(rows, 0, 2, &scanned_to);
    assert_int_equal(scanned.count, 2);
    assert_int_equal(scanned_to, 3);
    scanned = scan(rows, scanned_to, 3, &scanned_to);
    assert_int_equal(scanned.count, 3);
    assert_int_equal(scanned.ids[0], 4);
    assert_int_equal(scanned_to, 6);
}

static void the_scan_looks_at_so_many_rows_at_a_time(void **state)
{
    struct rows *rows = conformance_rows(state);
    static struct command issues[BATCH_MAX];
    int64_t connected_id, scanned_to, charge;
    char number[17];
    rows_run(rows, rows_issue(rows, CARD_A, 10000)); /* 1 */
    proofs_connect(rows);
    struct tenant connected = rows->tenant;
    proofs_add_tenant(rows, 9999);
    for (int32_t at = 0; at < PROOF_SCAN_MAX + 100; at += BATCH_MAX) {
        for (int32_t i = 0; i < BATCH_MAX; i++) {
            snprintf(number, sizeof(number), "7%015d", (int)(at + i));
            issues[i] = rows_issue(rows, number, 500);
        }
        rows_run_all(rows, issues, BATCH_MAX);
    }
    rows->tenant = connected;
    charge = proofs_run(rows, ACTION_CHARGE, CARD_A, ORDER, 700);
    assert_int_equal(scan(rows, 0, 99, &connected_id).count, 0);
    assert_int_equal(connected_id, PROOF_SCAN_MAX);
    struct scanned scanned = scan(rows, connected_id, 99, &scanned_to);
    assert_int_equal(scanned.count, 1);
    assert_int_equal(scanned.ids[0], charge);
    assert_int_equal(scanned_to, charge);
}

static void operations_of_merchants_who_are_not_connected_are_passed_over(void **state)
{
    struct rows *rows = conformance_rows(state);
    int64_t scanned_to;
    rows_run(rows, rows_issue(rows, CARD_A, 10000));
    proofs_run(rows, ACTION_CHARGE, CARD_A, ORDER, 700);
    assert_int_equal(scan(rows, 0, 99, &scanned_to).count, 0); /* nobody is */
    assert_in_range(scanned_to, 2, 4); /* where a batch takes ids that it does not need, behind 2 */
    assert_int_equal(scan(rows, 5, 99, &scanned_to).count, 0); /* never back */
    assert_int_equal(scanned_to, 5);
    struct tenant first = rows->tenant;
    proofs_add_tenant(rows, 9999);
    proofs_connect(rows);
    rows_run(rows, rows_issue(rows, CARD_B, 10000));
    int64_t charge = proofs_run(rows, ACTION_CHARGE, CARD_B, ORDER, 700);
    rows->tenant = first;
    proofs_run(rows, ACTION_CHARGE, CARD_A, ORDER, 5);
    struct scanned scanned = scan(rows, 0, 99, &scanned_to);
    assert_int_equal(scanned.count, 1);
    assert_int_equal(scanned.ids[0], charge);
    assert_int_equal(scanned_to, charge + 1);
}

/* --- making them --- */

struct works {
    struct work works[16];
    int32_t count;
};

static void on_work(void *context, const struct work *work)
{
    struct works *works = context;
    assert_true(works->count < 16);
    works->works[works->count++] = *work;
}

static struct works open_works(struct rows *rows)
{
    struct works works = {.count = 0};
    assert_int_equal(store_each_open_work(rows->store, 16, 16, on_work, &works), 0);
    return works;
}

static int64_t cursor_of(struct rows *rows)
{
    int64_t cursor;
    assert_int_equal(store_read_proof_cursor(rows->store, &cursor), 0);
    return cursor;
}

static void assert_no_proof(struct rows *rows, int64_t operation_id)
{
    struct proof_facts facts;
    assert_int_equal(store_read_proof(rows->store, operation_id, &facts), ERR_NOT_FOUND);
}

static void assert_same_proof(const struct proof *a, const struct proof *b)
{
    assert_int_equal(a->operation_id, b->operation_id);
    assert_int_equal(a->tenant_id, b->tenant_id);
    assert_int_equal(a->order_id, b->order_id);
    assert_int_equal(a->card_id, b->card_id);
    assert_int_equal(a->site_id, b->site_id);
    assert_int_equal(a->register_id, b->register_id);
    assert_int_equal(a->action, b->action);
    assert_int_equal(a->booked_minor, b->booked_minor);
    assert_int_equal(a->local_date, b->local_date);
    assert_int_equal(a->state, b->state);
    assert_int_equal(a->reason, b->reason);
    assert_int_equal(a->is_suspect, b->is_suspect);
    assert_int_equal(a->shown_order_id, b->shown_order_id);
    assert_int_equal(a->payment_number, b->payment_number);
    assert_int_equal(a->missing_since_us, b->missing_since_us);
    assert_int_equal(a->created_at_us, b->created_at_us);
    assert_int_equal(a->changed_at_us, b->changed_at_us);
}

struct unproved {
    int64_t ids[PROOFS_MAX];
    int64_t ledger_minor[PROOFS_MAX];
    int32_t count;
};

static void on_unproved(void *context, const struct operation *operation, int64_t ledger_minor)
{
    struct unproved *unproved = context;
    assert_true(unproved->count < PROOFS_MAX);
    unproved->ids[unproved->count] = operation->id;
    unproved->ledger_minor[unproved->count++] = ledger_minor;
}

static struct unproved unproved_of(struct rows *rows)
{
    struct unproved unproved = {.count = 0};
    assert_int_equal(store_each_unproved(rows->store, rows->tenant.id, on_unproved, &unproved), 0);
    return unproved;
}

static void what_the_scan_has_not_reached_is_told_with_what_the_ledger_says_of_it(void **state)
{
    struct rows *rows = conformance_rows(state);
    proofs_connect(rows);
    rows_run(rows, rows_issue(rows, CARD_A, 10000));
    int64_t charge = proofs_run(rows, ACTION_CHARGE, CARD_A, ORDER, 700);
    int64_t refund = proofs_run(rows, ACTION_REFUND, CARD_A, ORDER, 300);
    int64_t load = proofs_run(rows, ACTION_TOP_UP, CARD_A, ORDER + 2, 50);
    rows_run(rows, rows_command(rows, ACTION_CHARGE, CARD_A, ORDER + 1, 999999)); /* in part */
    assert_true(proofs_undo(rows, ACTION_REVERSE, CARD_A, charge) != 0);
    struct unproved unproved = unproved_of(rows);
    assert_int_equal(unproved.count, 4);
    assert_int_equal(unproved.ids[0], charge);
    assert_int_equal(unproved.ledger_minor[0], 300); /* the rest of it was given back */
    assert_int_equal(unproved.ids[1], refund);
    assert_int_equal(unproved.ledger_minor[1], -300);
    assert_int_equal(unproved.ids[2], load);
    assert_int_equal(unproved.ledger_minor[2], 0);
    assert_int_equal(store_suspect(rows->store, rows->tenant.id, refund, 20000, rows->now_us), 0);
    unproved = unproved_of(rows); /* it has a proof before the scan gets there */
    assert_int_equal(unproved.count, 3);
    assert_int_equal(unproved.ids[1], load);
    struct tenant first = rows->tenant;
    proofs_add_tenant(rows, 9999);
    assert_int_equal(unproved_of(rows).count, 0); /* another's */
    rows->tenant = first;
    (void)proofs_make(rows, 20000);
    assert_int_equal(unproved_of(rows).count, 0);
}

static void of_merchants_who_are_not_connected_nothing_is_proved(void **state)
{
    struct rows *rows = conformance_rows(state);
    struct tenant first = rows->tenant;
    rows_run(rows, rows_issue(rows, CARD_A, 10000));
    int64_t charge = proofs_run(rows, ACTION_CHARGE, CARD_A, ORDER, 700);
    proofs_add_tenant(rows, 9999);
    proofs_connect(rows);
    rows_run(rows, rows_issue(rows, CARD_B, 10000));
    proofs_run(rows, ACTION_CHARGE, CARD_B, ORDER, 700);
    assert_int_equal(proofs_make(rows, 20000), 1); /* and the scan has passed over the first's */
    assert_int_equal(unproved_of(rows).count, 0);
    rows->tenant = first;
    struct unproved unproved = unproved_of(rows);
    assert_int_equal(unproved.count, 1);
    assert_int_equal(unproved.ids[0], charge);
    assert_int_equal(unproved.ledger_minor[0], 700);
}

static void a_proof_begins_open_and_is_read_back_field_by_field(void **state)
{
    struct rows *rows = conformance_rows(state);
    proofs_connect(rows);
    rows_run(rows, rows_issue(rows, CARD_B, 10000));
    rows_run(rows, rows_issue(rows, CARD_A, 10000));
    int64_t charge = proofs_run(rows, ACTION_CHARGE, CARD_A, ORDER, 700);
    struct operation operation = proofs_operation(rows, charge);
    struct proof proof = proof_make(&operation, ROWS_DATE + 3, rows->now_us);
    assert_int_equal(proof.state, PROOF_OPEN);
    assert_int_equal(proof.reason, PROOF_REASON_NOT_LOOKED);
    assert_int_equal(proof.booked_minor, 700);
    assert_int_equal(proof.site_id, 923);
    assert_int_equal(store_add_proofs(rows->store, 0, charge, &proof, 1, rows->now_us), 0);
    struct proof_facts facts = proofs_facts(rows, charge);
    assert_same_proof(&facts.proof, &proof);
    assert_int_equal(facts.operation.id, charge);
    assert_int_equal(facts.operation.amount_minor, 700);
    assert_memory_equal(facts.card_index, rows_card(rows, CARD_A).index, CARD_INDEX_BYTES);
    assert_string_equal(facts.last4, "0001");
    assert_int_equal(facts.ledger_minor, 700);
    assert_int_equal(facts.shown_minor, 0);
    assert_int_equal(facts.reversed_operation_id, 0);
    assert_int_equal(facts.recharged_operation_id, 0);
    proof.state = PROOF_LISTED;
    proof.reason = PROOF_REASON_ELSEWHERE;
    proof.is_suspect = true;
    proof.shown_order_id = 31;
    proof.payment_number = 32;
    proof.missing_since_us = 33;
    proof.changed_at_us = rows->now_us + 34;
    assert_int_equal(store_update_proof(rows->store, &proof, rows->now_us), 0);
    facts = proofs_facts(rows, charge);
    assert_same_proof(&facts.proof, &proof);
}

static void a_refund_is_booked_below_nothing_and_a_load_not_at_all(void **state)
{
    struct rows *rows = conformance_rows(state);
    proofs_connect(rows);
    rows_run(rows, rows_issue(rows, CARD_A, 10000));
    proofs_run(rows, ACTION_CHARGE, CARD_A, ORDER, 700);
    int64_t refund = proofs_run(rows, ACTION_REFUND, CARD_A, ORDER, 300);
    int64_t load = proofs_run(rows, ACTION_TOP_UP, CARD_A, ORDER, 50);
    int64_t no_order = proofs_run(rows, ACTION_CHARGE, CARD_A, 0, 20);
    assert_int_equal(proofs_make(rows, ROWS_DATE), 4);
    assert_int_equal(proofs_facts(rows, refund).proof.booked_minor, -300);
    assert_int_equal(proofs_facts(rows, refund).ledger_minor, -300);
    assert_int_equal(proofs_facts(rows, load).proof.booked_minor, 0);
    assert_int_equal(proofs_facts(rows, load).ledger_minor, 0);
    assert_int_equal(proofs_facts(rows, no_order).proof.state, PROOF_LISTED);
    assert_int_equal(proofs_facts(rows, no_order).proof.reason, PROOF_REASON_NO_ORDER);
    assert_int_equal(open_works(rows).count, 1); /* there is one order to look at */
}

static void each_order_gets_one_row_of_work_however_often_it_is_sold_on(void **state)
{
    struct rows *rows = conformance_rows(state);
    proofs_connect(rows);
    rows_run(rows, rows_issue(rows, CARD_A, 10000));
    proofs_run(rows, ACTION_CHARGE, CARD_A, ORDER, 1);
    proofs_run(rows, ACTION_CHARGE, CARD_A, ORDER + 1, 2);
    proofs_run(rows, ACTION_CHARGE, CARD_A, ORDER, 3);
    int64_t made_at_us = rows->now_us;
    assert_int_equal(proofs_make(rows, ROWS_DATE), 3);
    struct works works = open_works(rows);
    assert_int_equal(works.count, 2);
    for (int32_t i = 0; i < works.count; i++) {
        assert_int_equal(works.works[i].kind, WORK_PROVE_ORDER);
        assert_int_equal(works.works[i].subject_id, ORDER + i);
        assert_int_equal(works.works[i].due_at_us, made_at_us);
    }
    works.works[0].state = WORK_DONE;
    works.works[0].ended_at_us = rows->now_us;
    assert_int_equal(store_update_work(rows->store, &works.works[0]), 0);
    assert_int_equal(open_works(rows).count, 1);
    proofs_run(rows, ACTION_CHARGE, CARD_A, ORDER, 4);
    proofs_make(rows, ROWS_DATE);
    assert_int_equal(open_works(rows).count, 2); /* looked at again */
}

static void two_scans_at_once_write_one_of_them(void **state)
{
    struct rows *rows = conformance_rows(state);
    proofs_connect(rows);
    rows_run(rows, rows_issue(rows, CARD_A, 10000));
    int64_t charge = proofs_run(rows, ACTION_CHARGE, CARD_A, ORDER, 700);
    struct operation operation = proofs_operation(rows, charge);
    struct proof proof = proof_make(&operation, ROWS_DATE, rows->now_us);
    assert_int_equal(store_add_proofs(rows->store, 0, 1, NULL, 0, rows->now_us), 0);
    assert_int_equal(store_add_proofs(rows->store, 0, charge, &proof, 1, rows->now_us), ERR_STALE);
    assert_no_proof(rows, charge);
    assert_int_equal(cursor_of(rows), 1);
    assert_int_equal(open_works(rows).count, 0);
    assert_int_equal(store_add_proofs(rows->store, 1, charge, &proof, 1, rows->now_us), 0);
    assert_int_equal(cursor_of(rows), charge);
    proofs_facts(rows, charge);
}

static void a_proof_that_is_there_stays_as_it_is(void **state)
{
    struct rows *rows = conformance_rows(state);
    proofs_connect(rows);
    rows_run(rows, rows_issue(rows, CARD_A, 10000));
    int64_t charge = proofs_run(rows, ACTION_CHARGE, CARD_A, ORDER, 700);
    proofs_make(rows, ROWS_DATE);
    proofs_set_state(rows, charge, PROOF_LISTED, PROOF_REASON_CUT);
    struct proof before = proofs_facts(rows, charge).proof;
    struct operation operation = proofs_operation(rows, charge);
    struct proof again = proof_make(&operation, ROWS_DATE + 1, rows->now_us + 99);
    assert_int_equal(store_add_proofs(rows->store, charge, charge, &again, 1, rows->now_us), 0);
    struct proof after = proofs_facts(rows, charge).proof;
    assert_same_proof(&after, &before);
}

static void what_joined_a_group_that_failed_never_happened(void **state)
{
    struct rows *rows = conformance_rows(state);
    proofs_connect(rows);
    rows_run(rows, rows_issue(rows, CARD_A, 10000));
    int64_t charge = proofs_run(rows, ACTION_CHARGE, CARD_A, ORDER, 700);
    assert_int_equal(store_begin_group(rows->store), 0);
    proofs_make(rows, ROWS_DATE);
    struct register_payment payment = proofs_payment(rows, ORDER, 1, 700, charge);
    proofs_put(rows, ORDER, &payment, 1);
    proofs_set_state(rows, charge, PROOF_CONFIRMED, PROOF_REASON_NONE);
    assert_int_equal(proofs_facts(rows, charge).shown_minor, 700);
    store_rollback_group(rows->store);
    assert_no_proof(rows, charge);
    assert_int_equal(cursor_of(rows), 0);
    assert_int_equal(store_begin_group(rows->store), 0);
    proofs_make(rows, ROWS_DATE);
    assert_int_equal(store_add_proofs(rows->store, 0, 9, NULL, 0, rows->now_us), ERR_STALE);
    assert_int_equal(store_commit_group(rows->store), 0);
    proofs_facts(rows, charge); /* what went wrong beside it took nothing with it */
    assert_int_equal(cursor_of(rows), charge);
}

/* --- suspects --- */

static int suspect(struct rows *rows, int64_t operation_id)
{
    return store_suspect(rows->store, rows->tenant.id, operation_id, ROWS_DATE + 7, rows->now_us);
}

static void a_suspect_is_looked_at_at_once(void **state)
{
    struct rows *rows = conformance_rows(state);
    proofs_connect(rows);
    rows_run(rows, rows_issue(rows, CARD_A, 10000));
    int64_t charge = proofs_run(rows, ACTION_CHARGE, CARD_A, ORDER, 700);
    proofs_make(rows, ROWS_DATE);
    struct work work = open_works(rows).works[0];
    struct proof before = proofs_facts(rows, charge).proof;
    work.due_at_us = rows->now_us + 3600000000;
    work.attempts = 4;
    assert_int_equal(store_update_work(rows->store, &work), 0);
    assert_int_equal(suspect(rows, charge), 0);
    struct proof proof = proofs_facts(rows, charge).proof;
    assert_true(proof.is_suspect);
    assert_int_equal(proof.local_date, ROWS_DATE); /* it was there */
    assert_true(proof.changed_at_us > before.changed_at_us);
    before.reason = PROOF_REASON_ORDER_OPEN; /* who had read it before judges it anew */
    assert_int_equal(store_update_proof(rows->store, &before, before.changed_at_us), ERR_STALE);
    assert_int_equal(open_works(rows).works[0].due_at_us, rows->now_us);
    assert_int_equal(open_works(rows).works[0].attempts, 0);
}

static void a_suspect_without_a_proof_gets_one_and_the_scan_leaves_it(void **state)
{
    struct rows *rows = conformance_rows(state);
    proofs_connect(rows);
    rows_run(rows, rows_issue(rows, CARD_A, 10000));
    int64_t charge = proofs_run(rows, ACTION_CHARGE, CARD_A, ORDER, 700);
    int64_t no_order = proofs_run(rows, ACTION_CHARGE, CARD_A, 0, 20);
    assert_int_equal(suspect(rows, charge), 0);
    assert_int_equal(suspect(rows, no_order), 0);
    assert_int_equal(cursor_of(rows), 0);
    assert_int_equal(open_works(rows).count, 1);
    assert_int_equal(proofs_facts(rows, no_order).proof.state, PROOF_LISTED);
    proofs_make(rows, ROWS_DATE);
    struct proof_facts facts = proofs_facts(rows, charge);
    assert_true(facts.proof.is_suspect);
    assert_int_equal(facts.proof.local_date, ROWS_DATE + 7);
    assert_int_equal(facts.proof.booked_minor, 700);
    assert_int_equal(facts.ledger_minor, 700);
    assert_int_equal(open_works(rows).count, 1);
}

static void only_what_is_proved_can_be_a_suspect(void **state)
{
    struct rows *rows = conformance_rows(state);
    rows_run(rows, rows_issue(rows, CARD_A, 10000)); /* 1 */
    int64_t charge = proofs_run(rows, ACTION_CHARGE, CARD_A, ORDER, 10000);
    struct outcome refused = rows_run(rows, rows_command(rows, ACTION_CHARGE, CARD_A, ORDER, 5));
    assert_int_equal(refused.result, RESULT_NO_FUNDS);
    assert_int_equal(suspect(rows, charge), ERR_NOT_FOUND); /* not connected */
    proofs_connect(rows);
    assert_int_equal(suspect(rows, 1), ERR_NOT_FOUND);
    assert_int_equal(suspect(rows, refused.operation_id), ERR_NOT_FOUND);
    assert_int_equal(suspect(rows, 99), ERR_NOT_FOUND);
    assert_int_equal(store_suspect(rows->store, rows->tenant.id + 1, charge, 1, 1), ERR_NOT_FOUND);
    assert_no_proof(rows, charge);
    assert_int_equal(open_works(rows).count, 0);
    assert_int_equal(suspect(rows, charge), 0);
}

/* --- judging them --- */

/* Charges of 1, 2, 3 ... on one order, in one commit. */
static void charge_often(struct rows *rows, int32_t count)
{
    static struct command commands[BATCH_MAX];
    for (int32_t i = 0; i < count; i++)
        commands[i] = rows_command(rows, ACTION_CHARGE, CARD_A, ORDER, i + 1);
    rows_run_all(rows, commands, count);
    for (int32_t i = 0; i < count; i++)
        assert_int_equal(rows->batch->outcomes[i].result, RESULT_OK);
}

static void on_proof(void *context, const struct proof_facts *facts)
{
    struct scanned *scanned = context;
    assert_true(scanned->count < PROOFS_MAX);
    assert_int_equal(facts->operation.id, facts->proof.operation_id);
    scanned->ids[scanned->count++] = facts->proof.operation_id;
}

static struct scanned proofs_of_order(struct rows *rows, int64_t order_id)
{
    struct scanned scanned = {.count = 0};
    assert_int_equal(
        store_each_order_proof(rows->store, rows->tenant.id, order_id, on_proof, &scanned), 0);
    return scanned;
}

static void the_newest_proofs_of_an_order_come_in_their_order(void **state)
{
    struct rows *rows = conformance_rows(state);
    proofs_connect(rows);
    rows_run(rows, rows_issue(rows, CARD_A, 1000000)); /* 1 */
    assert_int_equal(proofs_of_order(rows, ORDER).count, 0);
    charge_often(rows, ORDER_PROOFS_MAX);
    proofs_make(rows, ROWS_DATE);
    assert_int_equal(proofs_of_order(rows, ORDER).count, ORDER_PROOFS_MAX);
    for (int i = 1; i <= 3; i++)
        proofs_run(rows, ACTION_CHARGE, CARD_A, ORDER, 1000 + i);
    proofs_run(rows, ACTION_CHARGE, CARD_A, ORDER + 1, 1);
    proofs_make(rows, ROWS_DATE);
    struct scanned scanned = proofs_of_order(rows, ORDER);
    assert_int_equal(scanned.count, ORDER_PROOFS_MAX);
    for (int i = 0; i < scanned.count; i++)
        assert_int_equal(scanned.ids[i], i + 2 + 3);
    assert_int_equal(proofs_of_order(rows, ORDER + 1).count, 1);
    proofs_add_tenant(rows, 9999);
    assert_int_equal(proofs_of_order(rows, ORDER).count, 0); /* another merchant's number */
}

static void a_proof_moves_along_its_table_only(void **state)
{
    struct rows *rows = conformance_rows(state);
    static const bool may_move[5][5] = {
        [PROOF_OPEN] = {0, 1, 1, 1, 1},
        [PROOF_CONFIRMED] = {0, 1, 1, 0, 0},
        [PROOF_REVERSED] = {0, 0, 1, 1, 1},
        [PROOF_LISTED] = {0, 0, 1, 1, 1},
    };
    proofs_connect(rows);
    rows_run(rows, rows_issue(rows, CARD_A, 1000000));
    charge_often(rows, 16);
    proofs_make(rows, ROWS_DATE);
    int64_t id = 1;
    for (int from = PROOF_OPEN; from <= PROOF_LISTED; from++)
        for (int to = PROOF_OPEN; to <= PROOF_LISTED; to++) {
            id++;
            proofs_set_state(rows, id, (enum proof_state)from, PROOF_REASON_NONE);
            struct proof proof = proofs_facts(rows, id).proof;
            proof.state = (enum proof_state)to;
            assert_int_equal(store_update_proof(rows->store, &proof, proof.changed_at_us),
                             may_move[from][to] ? 0 : ERR_STORE_CONSTRAINT);
            assert_int_equal(proofs_facts(rows, id).proof.state, may_move[from][to] ? to : from);
        }
}

static void of_two_who_judge_a_proof_the_second_is_told(void **state)
{
    struct rows *rows = conformance_rows(state);
    proofs_connect(rows);
    rows_run(rows, rows_issue(rows, CARD_A, 10000));
    int64_t charge = proofs_run(rows, ACTION_CHARGE, CARD_A, ORDER, 700);
    proofs_make(rows, ROWS_DATE);
    struct proof first = proofs_facts(rows, charge).proof;
    struct proof second = first; /* the clock stands still, too */
    int64_t read_us = first.changed_at_us;
    first.reason = PROOF_REASON_ORDER_OPEN;
    assert_int_equal(store_update_proof(rows->store, &first, read_us), 0);
    second.reason = PROOF_REASON_UNREADABLE;
    assert_int_equal(store_update_proof(rows->store, &second, read_us), ERR_STALE);
    assert_int_equal(proofs_facts(rows, charge).proof.reason, PROOF_REASON_ORDER_OPEN);
    second.operation_id = 99;
    assert_int_equal(store_update_proof(rows->store, &second, read_us), ERR_NOT_FOUND);
}

static void facts_follow_reversals_and_recharges_to_any_depth(void **state)
{
    struct rows *rows = conformance_rows(state);
    proofs_connect(rows);
    rows_run(rows, rows_issue(rows, CARD_A, 1000));
    int64_t charge = proofs_run(rows, ACTION_CHARGE, CARD_A, ORDER, 700);
    int64_t early = proofs_undo(rows, ACTION_REVERSE, CARD_A, charge);
    proofs_make(rows, ROWS_DATE); /* the proof comes after its reversal */
    struct proof_facts facts = proofs_facts(rows, charge);
    assert_int_equal(facts.proof.booked_minor, 700);
    assert_int_equal(facts.ledger_minor, 0);
    assert_int_equal(facts.reversed_operation_id, early);
    assert_int_equal(facts.reversed_minor, 700);
    proofs_run(rows, ACTION_CHARGE, CARD_A, ORDER + 1, 600); /* 400 are left */
    int64_t recharge = proofs_undo(rows, ACTION_RECHARGE, CARD_A, early);
    facts = proofs_facts(rows, charge);
    assert_int_equal(facts.recharged_operation_id, recharge);
    assert_int_equal(facts.recharged_minor, 400);
    assert_int_equal(facts.ledger_minor, 400);
    int64_t late = proofs_undo(rows, ACTION_REVERSE, CARD_A, recharge);
    facts = proofs_facts(rows, charge);
    assert_int_equal(facts.reversed_operation_id, late);
    assert_int_equal(facts.reversed_minor, 1100);
    assert_int_equal(facts.ledger_minor, 0);
    assert_int_equal(proofs_make(rows, ROWS_DATE), 1); /* none of these has a proof of its own */
}

static void a_refund_that_is_taken_again_counts_as_never_given(void **state)
{
    struct rows *rows = conformance_rows(state);
    proofs_connect(rows);
    rows_run(rows, rows_issue(rows, CARD_A, 1000));
    int64_t charge = proofs_run(rows, ACTION_CHARGE, CARD_A, ORDER, 700);
    int64_t refund = proofs_run(rows, ACTION_REFUND, CARD_A, ORDER, 300);
    proofs_make(rows, ROWS_DATE);
    int64_t recharge = proofs_undo(rows, ACTION_RECHARGE, CARD_A, refund);
    struct proof_facts facts = proofs_facts(rows, refund);
    assert_int_equal(facts.recharged_operation_id, recharge);
    assert_int_equal(facts.ledger_minor, 0);
    assert_int_equal(proofs_facts(rows, charge).ledger_minor, 700);
}

/* --- payments --- */

struct payments {
    struct register_payment rows[ORDER_REGISTER_PAYMENTS_MAX];
    int32_t count;
};

static void on_payment(void *context, const struct register_payment *payment)
{
    struct payments *payments = context;
    assert_true(payments->count < ORDER_REGISTER_PAYMENTS_MAX);
    payments->rows[payments->count++] = *payment;
}

static struct payments payments_of(struct rows *rows, int64_t order_id)
{
    struct payments payments = {.count = 0};
    assert_int_equal(
        store_each_register_payment(rows->store, rows->tenant.id, order_id, on_payment, &payments),
        0);
    return payments;
}

static void assert_same_payment(const struct register_payment *a, const struct register_payment *b)
{
    assert_int_equal(a->tenant_id, b->tenant_id);
    assert_int_equal(a->order_id, b->order_id);
    assert_int_equal(a->number, b->number);
    assert_int_equal(a->site_id, b->site_id);
    assert_int_equal(a->register_id, b->register_id);
    assert_int_equal(a->method_id, b->method_id);
    assert_int_equal(a->amount_minor, b->amount_minor);
    assert_string_equal(a->ref, b->ref);
    assert_int_equal(a->operation_id, b->operation_id);
    assert_int_equal(a->local_date, b->local_date);
    assert_int_equal(a->seen_at_us, b->seen_at_us);
}

static int64_t connected_charge(struct rows *rows, int64_t amount_minor)
{
    proofs_connect(rows);
    rows_run(rows, rows_issue(rows, CARD_A, 10000));
    int64_t charge = proofs_run(rows, ACTION_CHARGE, CARD_A, ORDER, amount_minor);
    proofs_make(rows, ROWS_DATE);
    return charge;
}

static void what_an_order_shows_replaces_what_was_known(void **state)
{
    struct rows *rows = conformance_rows(state);
    int64_t charge = connected_charge(rows, 700);
    struct register_payment shown[2] = {proofs_payment(rows, ORDER, 4, 700, charge),
                                        proofs_payment(rows, ORDER, 3, -20, 0)};
    struct register_payment other = proofs_payment(rows, ORDER + 1, 4, 5, 0);
    memset(shown[1].ref, 'r', sizeof(shown[1].ref) - 1);
    proofs_put(rows, ORDER, shown, 2);
    proofs_put(rows, ORDER + 1, &other, 1);
    struct payments payments = payments_of(rows, ORDER);
    assert_int_equal(payments.count, 2);
    assert_same_payment(&payments.rows[0], &shown[1]);
    assert_same_payment(&payments.rows[1], &shown[0]);
    assert_int_equal(proofs_facts(rows, charge).shown_minor, 700);
    shown[0].amount_minor = 650;
    proofs_put(rows, ORDER, shown, 1);
    assert_int_equal(payments_of(rows, ORDER).count, 1);
    assert_int_equal(proofs_facts(rows, charge).shown_minor, 650);
    proofs_put(rows, ORDER, NULL, 0);
    assert_int_equal(payments_of(rows, ORDER).count, 0);
    assert_int_equal(payments_of(rows, ORDER + 1).count, 1);
    assert_int_equal(proofs_facts(rows, charge).shown_minor, 0);
}

static void as_many_payments_as_an_order_may_have_are_kept_and_replaced(void **state)
{
    struct rows *rows = conformance_rows(state);
    static struct register_payment shown[ORDER_REGISTER_PAYMENTS_MAX];
    proofs_connect(rows);
    rows_run(rows, rows_issue(rows, CARD_A, 1000000)); /* 1 */
    charge_often(rows, ORDER_REGISTER_PAYMENTS_MAX);
    for (int i = 0; i < ORDER_REGISTER_PAYMENTS_MAX; i++)
        shown[i] = proofs_payment(rows, ORDER, i, i + 1, i + 2);
    proofs_make(rows, ROWS_DATE);
    proofs_put(rows, ORDER, shown, ORDER_REGISTER_PAYMENTS_MAX);
    proofs_put(rows, ORDER, shown, ORDER_REGISTER_PAYMENTS_MAX);
    for (int i = 0; i < ORDER_REGISTER_PAYMENTS_MAX; i++)
        assert_int_equal(proofs_facts(rows, shown[i].operation_id).shown_minor, i + 1);
}

static void a_payment_that_is_put_with_another_merchants_claim_is_refused_whole(void **state)
{
    struct rows *rows = conformance_rows(state);
    int64_t charge = connected_charge(rows, 700);
    struct register_payment kept = proofs_payment(rows, ORDER, 1, 700, charge);
    proofs_put(rows, ORDER, &kept, 1);
    struct tenant first = rows->tenant;
    proofs_add_tenant(rows, 9999);
    rows_run(rows, rows_issue(rows, CARD_B, 10000));
    int64_t other = proofs_run(rows, ACTION_CHARGE, CARD_B, ORDER, 700);
    rows->tenant = first;
    struct register_payment wrong[2] = {proofs_payment(rows, ORDER, 1, 5, 0),
                                        proofs_payment(rows, ORDER, 2, 700, other)};
    int64_t tenant_id = rows->tenant.id;
    assert_int_equal(store_put_register_payments(rows->store, tenant_id, ORDER, wrong, 2),
                     ERR_NOT_FOUND);
    wrong[1].operation_id = 99; /* nobody's at all */
    assert_int_equal(store_put_register_payments(rows->store, tenant_id, ORDER, wrong, 2),
                     ERR_NOT_FOUND);
    struct payments payments = payments_of(rows, ORDER);
    assert_int_equal(payments.count, 1);
    assert_same_payment(&payments.rows[0], &kept);
    assert_int_equal(proofs_facts(rows, charge).shown_minor, 700);
}

static void an_operation_claims_one_payment_wherever_it_stands(void **state)
{
    struct rows *rows = conformance_rows(state);
    int64_t charge = connected_charge(rows, 700);
    struct register_payment here = proofs_payment(rows, ORDER, 1, 700, charge);
    struct register_payment there = proofs_payment(rows, ORDER + 1, 1, 710, charge);
    proofs_put(rows, ORDER, &here, 1);
    proofs_put(rows, ORDER + 1, &there, 1); /* the bill was merged */
    assert_int_equal(payments_of(rows, ORDER).rows[0].operation_id, 0);
    assert_int_equal(payments_of(rows, ORDER + 1).rows[0].operation_id, charge);
    assert_int_equal(proofs_facts(rows, charge).shown_minor, 710);
    proofs_put(rows, ORDER, &here, 1);
    assert_int_equal(payments_of(rows, ORDER + 1).rows[0].operation_id, 0);
    assert_int_equal(proofs_facts(rows, charge).shown_minor, 700);
    here.operation_id = 0;
    proofs_put(rows, ORDER, &here, 1);
    assert_int_equal(proofs_facts(rows, charge).shown_minor, 0);
}

static void a_payment_changes_its_owner(void **state)
{
    struct rows *rows = conformance_rows(state);
    int64_t first = connected_charge(rows, 700);
    int64_t second = proofs_run(rows, ACTION_CHARGE, CARD_A, ORDER, 701);
    proofs_make(rows, ROWS_DATE);
    struct register_payment payment = proofs_payment(rows, ORDER, 1, 700, first);
    proofs_put(rows, ORDER, &payment, 1);
    payment.operation_id = second;
    proofs_put(rows, ORDER, &payment, 1);
    assert_int_equal(proofs_facts(rows, first).shown_minor, 0);
    assert_int_equal(proofs_facts(rows, second).shown_minor, 700);
}

static void confirm(struct rows *rows, int64_t operation_id, int64_t order_id, int64_t number)
{
    struct proof proof = proofs_facts(rows, operation_id).proof;
    proof.state = PROOF_CONFIRMED;
    proof.reason = PROOF_REASON_NONE;
    proof.shown_order_id = order_id;
    proof.payment_number = number;
    assert_int_equal(store_update_proof(rows->store, &proof, proof.changed_at_us), 0);
}

static void assert_confirmed_before(const struct proof *proof, int64_t order_id, int64_t number,
                                    int64_t at_us)
{
    assert_int_equal(proof->was_order_id, order_id);
    assert_int_equal(proof->was_payment_number, number);
    assert_int_equal(proof->was_confirmed_at_us, at_us);
}

static void the_confirmation_before_this_one_is_remembered(void **state)
{
    struct rows *rows = conformance_rows(state);
    int64_t charge = connected_charge(rows, 700);
    struct register_payment payment = proofs_payment(rows, ORDER, 1, 700, charge);
    proofs_put(rows, ORDER, &payment, 1);
    confirm(rows, charge, ORDER, 1);
    struct proof first = proofs_facts(rows, charge).proof;
    assert_confirmed_before(&first, 0, 0, 0);
    proofs_set_state(rows, charge, PROOF_CONFIRMED, PROOF_REASON_NONE); /* as it was */
    struct proof same = proofs_facts(rows, charge).proof;
    assert_confirmed_before(&same, 0, 0, 0);
    payment.number = 2; /* another number, and confirmed as ever */
    proofs_put(rows, ORDER, &payment, 1);
    confirm(rows, charge, ORDER, 2);
    struct proof second = proofs_facts(rows, charge).proof;
    assert_confirmed_before(&second, ORDER, 1, same.changed_at_us);
    proofs_set_state(rows, charge, PROOF_OPEN, PROOF_REASON_ORDER_OPEN);
    struct proof open = proofs_facts(rows, charge).proof;
    assert_confirmed_before(&open, ORDER, 2, second.changed_at_us);
    proofs_set_state(rows, charge, PROOF_LISTED, PROOF_REASON_UNREADABLE);
    struct proof listed = proofs_facts(rows, charge).proof;
    assert_confirmed_before(&listed, ORDER, 2, second.changed_at_us);
}

static void a_confirmed_proof_whose_payment_is_gone_is_open_again(void **state)
{
    struct rows *rows = conformance_rows(state);
    int64_t charge = connected_charge(rows, 700);
    struct register_payment payment = proofs_payment(rows, ORDER, 1, 700, charge);
    proofs_put(rows, ORDER, &payment, 1);
    confirm(rows, charge, ORDER, 1);
    struct proof before = proofs_facts(rows, charge).proof;
    proofs_put(rows, ORDER, &payment, 1); /* read again: nothing changed */
    assert_int_equal(proofs_facts(rows, charge).proof.state, PROOF_CONFIRMED);
    proofs_put(rows, ORDER, NULL, 0);
    struct proof proof = proofs_facts(rows, charge).proof;
    assert_int_equal(proof.state, PROOF_OPEN);
    assert_int_equal(proof.reason, PROOF_REASON_SEEN_MISSING);
    assert_int_equal(proof.shown_order_id, 0);
    assert_int_equal(proof.payment_number, 0);
    assert_confirmed_before(&proof, ORDER, 1, before.changed_at_us);
    /* Who has put the payments judges the proof that it had read before. */
    before.payment_number = 2;
    payment.number = 2;
    proofs_put(rows, ORDER, &payment, 1);
    assert_int_equal(store_update_proof(rows->store, &before, before.changed_at_us), 0);
    payment.operation_id = 0; /* the same payment, and nobody's */
    proofs_put(rows, ORDER, &payment, 1);
    assert_int_equal(proofs_facts(rows, charge).proof.state, PROOF_OPEN);
}

static void a_load_is_confirmed_without_a_payment(void **state)
{
    struct rows *rows = conformance_rows(state);
    connected_charge(rows, 700);
    int64_t load = proofs_run(rows, ACTION_TOP_UP, CARD_A, ORDER, 50);
    proofs_make(rows, ROWS_DATE);
    proofs_set_state(rows, load, PROOF_CONFIRMED, PROOF_REASON_NONE);
    proofs_put(rows, ORDER, NULL, 0);
    assert_int_equal(proofs_facts(rows, load).proof.state, PROOF_CONFIRMED);
}

static void payments_are_found_by_their_reference(void **state)
{
    struct rows *rows = conformance_rows(state);
    struct payments payments = {.count = 0};
    int64_t charge = connected_charge(rows, 700);
    struct register_payment here[2] = {proofs_payment(rows, ORDER, 1, 700, charge),
                                       proofs_payment(rows, ORDER, 2, 5, 0)};
    struct register_payment there = proofs_payment(rows, ORDER + 1, 9, 700, 0);
    memcpy(there.ref, here[0].ref, sizeof(there.ref));
    proofs_put(rows, ORDER, here, 2);
    proofs_put(rows, ORDER + 1, &there, 1);
    int64_t tenant_id = rows->tenant.id;
    assert_int_equal(
        store_each_payment_of_ref(rows->store, tenant_id, here[0].ref, on_payment, &payments), 0);
    assert_int_equal(payments.count, 2);
    assert_same_payment(&payments.rows[0], &here[0]);
    assert_same_payment(&payments.rows[1], &there);
    payments.count = 0;
    assert_int_equal(
        store_each_payment_of_ref(rows->store, tenant_id + 1, here[0].ref, on_payment, &payments),
        0);
    assert_int_equal(
        store_each_payment_of_ref(rows->store, tenant_id, "CP1-99", on_payment, &payments), 0);
    static const char *const prefixes[] = {"CP1-", "CP1", "C", "CP2-", "CP1-99", "B", "D"};
    for (size_t i = 0; i < COUNT_OF(prefixes); i++) {
        bool has_one, has_theirs;
        assert_int_equal(store_has_payment_ref(rows->store, tenant_id, prefixes[i], &has_one), 0);
        assert_int_equal(
            store_has_payment_ref(rows->store, tenant_id + 1, prefixes[i], &has_theirs), 0);
        assert_int_equal(has_one, i < 3);
        assert_false(has_theirs);
    }
    assert_int_equal(payments.count, 0);
}

static void payments_that_nobody_claims_are_found_by_site_and_amount(void **state)
{
    struct rows *rows = conformance_rows(state);
    struct payments payments = {.count = 0};
    int64_t charge = connected_charge(rows, 700);
    struct register_payment shown[5] = {
        proofs_payment(rows, ORDER, 1, 700, charge), proofs_payment(rows, ORDER, 2, 700, 0),
        proofs_payment(rows, ORDER, 3, 701, 0), proofs_payment(rows, ORDER, 4, 700, 0),
        proofs_payment(rows, ORDER, 5, 700, 0)};
    shown[3].site_id = 924;
    shown[4].seen_at_us = rows->now_us - 10;
    proofs_put(rows, ORDER, shown, 5);
    assert_int_equal(store_each_unclaimed_payment(rows->store, rows->tenant.id, 923, 700,
                                                  rows->now_us - 9, on_payment, &payments),
                     0);
    assert_int_equal(payments.count, 1);
    assert_same_payment(&payments.rows[0], &shown[1]);
    payments.count = 0;
    assert_int_equal(store_each_unclaimed_payment(rows->store, rows->tenant.id, 923, 700, 0,
                                                  on_payment, &payments),
                     0);
    assert_int_equal(payments.count, 2);
    assert_int_equal(payments.rows[0].number, 5);
}

/* --- orders that were read, sweeps --- */

static struct order_seen seen_of(struct rows *rows, int64_t order_id, int64_t read_at_us)
{
    return (struct order_seen){.tenant_id = rows->tenant.id,
                               .order_id = order_id,
                               .site_id = 923,
                               .updated_at = "2026-05-01T01:02:03+00:00",
                               .read_at_us = read_at_us};
}

static void an_order_that_was_read_is_remembered_and_forgotten(void **state)
{
    struct rows *rows = conformance_rows(state);
    int64_t tenant_id = rows->tenant.id;
    int32_t forgotten;
    struct order_seen seen = seen_of(rows, ORDER, 100), found;
    assert_int_equal(store_read_order_seen(rows->store, tenant_id, ORDER, &found), ERR_NOT_FOUND);
    assert_int_equal(store_put_order_seen(rows->store, &seen), 0);
    seen.is_closed = true;
    seen.site_id = 924;
    seen.read_at_us = 200;
    memset(seen.updated_at, 'u', ORDER_UPDATED_AT_MAX);
    assert_int_equal(store_put_order_seen(rows->store, &seen), 0);
    assert_int_equal(store_read_order_seen(rows->store, tenant_id, ORDER, &found), 0);
    assert_int_equal(found.tenant_id, tenant_id);
    assert_int_equal(found.order_id, ORDER);
    assert_int_equal(found.site_id, 924);
    assert_true(found.is_closed);
    assert_string_equal(found.updated_at, seen.updated_at);
    assert_int_equal(found.read_at_us, 200);
    assert_int_equal(store_read_order_seen(rows->store, tenant_id + 1, ORDER, &found),
                     ERR_NOT_FOUND);
    assert_int_equal(store_forget_orders(rows->store, 200, &forgotten), 0);
    assert_int_equal(forgotten, 0);
    assert_int_equal(store_forget_orders(rows->store, 201, &forgotten), 0);
    assert_int_equal(forgotten, 1);
    assert_int_equal(store_read_order_seen(rows->store, tenant_id, ORDER, &found), ERR_NOT_FOUND);
}

static void only_so_many_orders_are_forgotten_at_a_time(void **state)
{
    struct rows *rows = conformance_rows(state);
    int32_t forgotten;
    assert_int_equal(store_begin_group(rows->store), 0);
    for (int i = 0; i <= ORDER_FORGET_MAX; i++) {
        struct order_seen seen = seen_of(rows, ORDER + i, i);
        assert_int_equal(store_put_order_seen(rows->store, &seen), 0);
    }
    assert_int_equal(store_commit_group(rows->store), 0);
    assert_int_equal(store_forget_orders(rows->store, 1000000, &forgotten), 0);
    assert_int_equal(forgotten, ORDER_FORGET_MAX);
    assert_int_equal(store_forget_orders(rows->store, 1000000, &forgotten), 0);
    assert_int_equal(forgotten, 1);
}

static void the_latest_sweep_is_kept(void **state)
{
    struct rows *rows = conformance_rows(state);
    int64_t tenant_id = rows->tenant.id;
    struct sweep sweep, put = {.tenant_id = tenant_id, .begun_at_us = 1};
    assert_int_equal(store_read_sweep(rows->store, tenant_id, &sweep), 0);
    assert_int_equal(sweep.tenant_id, tenant_id);
    assert_int_equal(sweep.begun_at_us + sweep.finished_at_us + sweep.listed + sweep.missed, 0);
    assert_int_equal(store_put_sweep(rows->store, &put), 0);
    put = (struct sweep){tenant_id, 2, 3, 4, 5};
    assert_int_equal(store_put_sweep(rows->store, &put), 0);
    assert_int_equal(store_read_sweep(rows->store, tenant_id, &sweep), 0);
    assert_int_equal(sweep.begun_at_us, 2);
    assert_int_equal(sweep.finished_at_us, 3);
    assert_int_equal(sweep.listed, 4);
    assert_int_equal(sweep.missed, 5);
}

static void set_missing(struct rows *rows, int64_t operation_id, enum proof_state state,
                        enum proof_reason reason)
{
    struct proof proof = proofs_facts(rows, operation_id).proof;
    int64_t before_us = proof.changed_at_us;
    proof.state = state;
    proof.reason = reason;
    proof.missing_since_us = before_us;
    proof.changed_at_us = before_us + 1;
    assert_int_equal(store_update_proof(rows->store, &proof, before_us), 0);
}

static struct work work_of(struct rows *rows, int64_t order_id)
{
    struct work work = work_make(rows->tenant.id, WORK_PROVE_ORDER, order_id, order_id, 0);
    assert_int_equal(store_find_work(rows->store, &work), 0);
    return work;
}

static void the_end_of_a_sweep_hastens_what_its_order_does_not_show_and_nothing_else(void **state)
{
    struct rows *rows = conformance_rows(state);
    int64_t charges[6], later_us = rows->now_us + 900, now_us = rows->now_us + 40;
    int32_t hastened;
    proofs_connect(rows);
    rows_run(rows, rows_issue(rows, CARD_A, 10000));
    for (int i = 0; i < 6; i++)
        charges[i] = proofs_run(rows, ACTION_CHARGE, CARD_A, ORDER + i, 100);
    (void)proofs_make(rows, 20000);
    for (int i = 0; i < 6; i++) {
        struct work work = work_of(rows, ORDER + i);
        work.due_at_us = later_us;
        assert_int_equal(store_update_work(rows->store, &work), 0);
    }
    set_missing(rows, charges[0], PROOF_OPEN, PROOF_REASON_SEEN_MISSING);
    set_missing(rows, charges[1], PROOF_LISTED, PROOF_REASON_NOT_SWEPT);
    set_missing(rows, charges[2], PROOF_REVERSED, PROOF_REASON_NONE); /* and its refund is owed */
    set_missing(rows, charges[3], PROOF_LISTED, PROOF_REASON_NOT_TOLD_APART);
    proofs_set_state(rows, charges[4], PROOF_OPEN, PROOF_REASON_ORDER_OPEN);
    struct work before = work_of(rows, ORDER);
    struct tenant first = rows->tenant;
    proofs_add_tenant(rows, 9999);
    assert_int_equal(store_hasten_unswept(rows->store, rows->tenant.id, now_us, &hastened), 0);
    assert_int_equal(hastened, 0);
    rows->tenant = first;
    assert_int_equal(store_hasten_unswept(rows->store, rows->tenant.id, now_us, &hastened), 0);
    assert_int_equal(hastened, 3);
    for (int i = 0; i < 6; i++)
        assert_int_equal(work_of(rows, ORDER + i).due_at_us, i < 3 ? now_us : later_us);
    /* Who is at it does not know of the sweep. */
    before.state = WORK_DONE;
    before.ended_at_us = now_us;
    assert_int_equal(store_update_work(rows->store, &before), 0);
    assert_int_equal(work_of(rows, ORDER).state, WORK_OPEN);
}

#define ELSEWHERES 8

/* Each order's work waits for later. */
static void make_elsewheres(struct rows *rows, int64_t charges[ELSEWHERES], int64_t later_us)
{
    static const int64_t amounts_minor[ELSEWHERES] = {500, 500, 501, 500, 500, 500, 500, 500};
    proofs_connect(rows);
    rows_run(rows, rows_issue(rows, CARD_A, 10000));
    for (int i = 0; i < ELSEWHERES; i++) {
        struct command command =
            rows_command(rows, ACTION_CHARGE, CARD_A, ORDER + i, amounts_minor[i]);
        command.site_id += i == 3;
        charges[i] = rows_run(rows, command).operation_id;
    }
    (void)proofs_make(rows, ROWS_DATE);
    for (int i = 0; i < ELSEWHERES; i++) {
        struct work work = work_of(rows, ORDER + i);
        work.due_at_us = later_us;
        work.attempts = 3;
        assert_int_equal(store_update_work(rows->store, &work), 0);
        set_missing(rows, charges[i], i == 7 ? PROOF_OPEN : PROOF_LISTED, PROOF_REASON_ELSEWHERE);
    }
}

static int32_t hasten_elsewhere(struct rows *rows, int64_t now_us)
{
    int32_t hastened = -1;
    assert_int_equal(
        store_hasten_elsewhere(rows->store, rows->tenant.id, 923, 500, now_us, &hastened), 0);
    return hastened;
}

static void what_is_listed_for_a_payment_elsewhere_is_hastened_and_nothing_else(void **state)
{
    struct rows *rows = conformance_rows(state);
    int64_t charges[ELSEWHERES], now_us = ROWS_NOW_US + 500 * INT64_C(1000000);
    int64_t later_us = now_us + 900;
    make_elsewheres(rows, charges, later_us);
    struct work before = work_of(rows, ORDER), sooner = work_of(rows, ORDER + 1);
    sooner.due_at_us = now_us - 5;
    assert_int_equal(store_update_work(rows->store, &sooner), 0);
    set_missing(rows, charges[4], PROOF_LISTED, PROOF_REASON_AMOUNT_DIFFERS);
    set_missing(rows, charges[5], PROOF_REVERSED, PROOF_REASON_ELSEWHERE);
    struct work ended = work_of(rows, ORDER + 6);
    ended.state = WORK_DONE;
    ended.ended_at_us = now_us - 9;
    assert_int_equal(store_update_work(rows->store, &ended), 0);
    struct tenant first = rows->tenant;
    proofs_add_tenant(rows, 9999);
    assert_int_equal(hasten_elsewhere(rows, now_us), 0);
    rows->tenant = first;
    assert_int_equal(hasten_elsewhere(rows, now_us), 2);
    assert_int_equal(work_of(rows, ORDER).due_at_us, now_us);
    assert_int_equal(work_of(rows, ORDER).attempts, 3);
    assert_int_equal(work_of(rows, ORDER + 1).due_at_us, now_us - 5);
    for (int i = 2; i < ELSEWHERES; i++)
        assert_int_equal(work_of(rows, ORDER + i).due_at_us, later_us);
    assert_int_equal(work_of(rows, ORDER + 6).state, WORK_DONE);
    /* Who is at it does not know. */
    assert_int_equal(store_update_work(rows->store, &before), 0);
    assert_int_equal(work_of(rows, ORDER).due_at_us, now_us);
}

static void another_payment_that_nobody_claims_keeps_it_listed(void **state)
{
    struct rows *rows = conformance_rows(state);
    int64_t charges[ELSEWHERES], now_us = ROWS_NOW_US + 500 * INT64_C(1000000);
    make_elsewheres(rows, charges, now_us + 900);
    for (int i = 1; i < ELSEWHERES; i++)
        set_missing(rows, charges[i], PROOF_LISTED, PROOF_REASON_CUT);
    struct register_payment other = proofs_payment(rows, ORDER + 99, 1, 500, 0);
    proofs_put(rows, ORDER + 99, &other, 1);
    assert_int_equal(hasten_elsewhere(rows, now_us), 0);
    other.operation_id = charges[1];
    proofs_put(rows, ORDER + 99, &other, 1);
    assert_int_equal(hasten_elsewhere(rows, now_us), 1);
    /* None of these is what it was listed for. */
    struct register_payment others[4] = {proofs_payment(rows, ORDER + 99, 1, 500, charges[1]),
                                         proofs_payment(rows, ORDER + 99, 2, 501, 0),
                                         proofs_payment(rows, ORDER + 99, 3, 500, 0),
                                         proofs_payment(rows, ORDER + 99, 4, 500, 0)};
    others[2].site_id++;
    others[3].seen_at_us = proofs_facts(rows, charges[0]).proof.created_at_us - 1;
    proofs_put(rows, ORDER + 99, others, 4);
    struct register_payment own = proofs_payment(rows, ORDER, 1, 500, 0);
    proofs_put(rows, ORDER, &own, 1);
    assert_int_equal(hasten_elsewhere(rows, now_us), 1);
    others[3].seen_at_us++;
    proofs_put(rows, ORDER + 99, others, 4);
    assert_int_equal(hasten_elsewhere(rows, now_us), 0);
    proofs_put(rows, ORDER + 99, others, 3);
    assert_int_equal(hasten_elsewhere(rows, now_us), 1);
}

static void a_sweep_is_over_when_its_orders_were_read_or_cannot_be(void **state)
{
    struct rows *rows = conformance_rows(state);
    int64_t tenant_id = rows->tenant.id, count, now_us = ROWS_NOW_US;
    const enum work_kind kinds[] = {WORK_ORDER_CHANGED, WORK_PROVE_ORDER, WORK_SWEEP};
    struct work works[COUNT_OF(kinds)];
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        works[i] = work_make(tenant_id, kinds[i], ORDER, ORDER, now_us);
        assert_int_equal(store_open_work(rows->store, &works[i]), 0);
    }
    assert_int_equal(store_count_unread_orders(rows->store, tenant_id, now_us + 1, 3, &count), 0);
    assert_int_equal(count, 2);
    assert_int_equal(store_count_unread_orders(rows->store, tenant_id, now_us, 3, &count), 0);
    assert_int_equal(count, 0);
    assert_int_equal(store_count_unread_orders(rows->store, tenant_id + 1, now_us + 1, 3, &count),
                     0);
    assert_int_equal(count, 0);
    struct work again = work_make(tenant_id, WORK_PROVE_ORDER, ORDER, ORDER, now_us + 50);
    assert_int_equal(store_open_work(rows->store, &again), 0); /* as unread as it was */
    assert_int_equal(store_count_unread_orders(rows->store, tenant_id, now_us + 1, 3, &count), 0);
    assert_int_equal(count, 2);
    again.attempts = 1; /* it has looked */
    assert_int_equal(store_update_work(rows->store, &again), 0);
    assert_int_equal(store_count_unread_orders(rows->store, tenant_id, now_us + 1, 3, &count), 0);
    assert_int_equal(count, 1);
    works[0].attempts = 2; /* Lightspeed had no time for it */
    assert_int_equal(store_update_work(rows->store, &works[0]), 0);
    assert_int_equal(store_count_unread_orders(rows->store, tenant_id, now_us + 1, 3, &count), 0);
    assert_int_equal(count, 1);
    assert_int_equal(store_count_unread_orders(rows->store, tenant_id, now_us + 1, 2, &count), 0);
    assert_int_equal(count, 0);
    struct order_seen seen = {
        .tenant_id = tenant_id, .order_id = ORDER, .site_id = 1, .read_at_us = now_us - 1};
    assert_int_equal(store_put_order_seen(rows->store, &seen), 0); /* before it was told of */
    assert_int_equal(store_count_unread_orders(rows->store, tenant_id, now_us + 1, 3, &count), 0);
    assert_int_equal(count, 1);
    seen.read_at_us = now_us + 1;
    assert_int_equal(store_put_order_seen(rows->store, &seen), 0);
    assert_int_equal(store_count_unread_orders(rows->store, tenant_id, now_us + 1, 3, &count), 0);
    assert_int_equal(count, 0);
}

static void proofs_are_there_after_reopening_and_for_readers(void **state)
{
    struct rows *rows = conformance_rows(state);
    struct proof_facts facts;
    int64_t cursor;
    if (!conformance_backend()->is_shared)
        skip();
    int64_t charge = connected_charge(rows, 700);
    struct register_payment payment = proofs_payment(rows, ORDER, 1, 700, charge);
    proofs_put(rows, ORDER, &payment, 1);
    conformance_reopen(state);
    struct store *reader = conformance_open_reader(state);
    assert_int_equal(store_read_proof(reader, charge, &facts), 0);
    assert_int_equal(facts.shown_minor, 700);
    assert_int_equal(store_read_proof_cursor(reader, &cursor), 0);
    assert_int_equal(cursor, charge);
    store_close(reader);
}

static void guards_hold(void **state)
{
    struct rows *rows = conformance_rows(state);
    struct register_payment payment = proofs_payment(rows, ORDER, 1, 700, 0);
    int64_t scanned_to;
    check_hook = rows_on_failed_check;
    expect_assert_failure((void)!store_scan_operations(rows->store, 0, 0, NULL, NULL, &scanned_to));
    expect_assert_failure((void)!store_add_proofs(rows->store, 5, 4, NULL, 0, 1));
    expect_assert_failure(
        (void)!store_put_register_payments(rows->store, rows->tenant.id, ORDER + 1, &payment, 1));
    expect_assert_failure((void)!store_put_register_payments(
        rows->store, rows->tenant.id, ORDER, NULL, ORDER_REGISTER_PAYMENTS_MAX + 1));
    expect_assert_failure((void)!store_each_payment_of_ref(rows->store, 1, "", NULL, NULL));
    expect_assert_failure((void)!store_each_order_proof(rows->store, 1, 0, NULL, NULL));
    check_hook = NULL;
}

static const struct CMUnitTest conformance_proofs[] = {
    CONFORMANCE_TEST(the_scan_finds_what_a_register_should_show),
    CONFORMANCE_TEST(the_scan_goes_on_where_its_limit_has_stopped_it),
    CONFORMANCE_TEST(the_scan_looks_at_so_many_rows_at_a_time),
    CONFORMANCE_TEST(operations_of_merchants_who_are_not_connected_are_passed_over),
    CONFORMANCE_TEST(what_the_scan_has_not_reached_is_told_with_what_the_ledger_says_of_it),
    CONFORMANCE_TEST(of_merchants_who_are_not_connected_nothing_is_proved),
    CONFORMANCE_TEST(a_proof_begins_open_and_is_read_back_field_by_field),
    CONFORMANCE_TEST(a_refund_is_booked_below_nothing_and_a_load_not_at_all),
    CONFORMANCE_TEST(each_order_gets_one_row_of_work_however_often_it_is_sold_on),
    CONFORMANCE_TEST(two_scans_at_once_write_one_of_them),
    CONFORMANCE_TEST(a_proof_that_is_there_stays_as_it_is),
    CONFORMANCE_TEST(what_joined_a_group_that_failed_never_happened),
    CONFORMANCE_TEST(a_suspect_is_looked_at_at_once),
    CONFORMANCE_TEST(a_suspect_without_a_proof_gets_one_and_the_scan_leaves_it),
    CONFORMANCE_TEST(only_what_is_proved_can_be_a_suspect),
    CONFORMANCE_TEST(the_newest_proofs_of_an_order_come_in_their_order),
    CONFORMANCE_TEST(a_proof_moves_along_its_table_only),
    CONFORMANCE_TEST(of_two_who_judge_a_proof_the_second_is_told),
    CONFORMANCE_TEST(facts_follow_reversals_and_recharges_to_any_depth),
    CONFORMANCE_TEST(a_refund_that_is_taken_again_counts_as_never_given),
    CONFORMANCE_TEST(what_an_order_shows_replaces_what_was_known),
    CONFORMANCE_TEST(as_many_payments_as_an_order_may_have_are_kept_and_replaced),
    CONFORMANCE_TEST(a_payment_that_is_put_with_another_merchants_claim_is_refused_whole),
    CONFORMANCE_TEST(an_operation_claims_one_payment_wherever_it_stands),
    CONFORMANCE_TEST(a_payment_changes_its_owner),
    CONFORMANCE_TEST(the_confirmation_before_this_one_is_remembered),
    CONFORMANCE_TEST(a_confirmed_proof_whose_payment_is_gone_is_open_again),
    CONFORMANCE_TEST(a_load_is_confirmed_without_a_payment),
    CONFORMANCE_TEST(payments_are_found_by_their_reference),
    CONFORMANCE_TEST(payments_that_nobody_claims_are_found_by_site_and_amount),
    CONFORMANCE_TEST(an_order_that_was_read_is_remembered_and_forgotten),
    CONFORMANCE_TEST(only_so_many_orders_are_forgotten_at_a_time),
    CONFORMANCE_TEST(the_latest_sweep_is_kept),
    CONFORMANCE_TEST(the_end_of_a_sweep_hastens_what_its_order_does_not_show_and_nothing_else),
    CONFORMANCE_TEST(what_is_listed_for_a_payment_elsewhere_is_hastened_and_nothing_else),
    CONFORMANCE_TEST(another_payment_that_nobody_claims_keeps_it_listed),
    CONFORMANCE_TEST(a_sweep_is_over_when_its_orders_were_read_or_cannot_be),
    CONFORMANCE_TEST(proofs_are_there_after_reopening_and_for_readers),
    CONFORMANCE_TEST(guards_hold),
};

int conformance_run_proofs(const char *name)
{
    return _cmocka_run_group_tests(name, conformance_proofs, COUNT_OF(conformance_proofs), NULL,
                                   NULL);
}
