/*
 * Conformance: the sums of register and ledger, and what they differ by item by item. Whatever
 * happens in whichever order, the difference of the sums is that of the items, on each day and over
 * all; and both sums are what a naive walk over the rows makes them.
 */
#include "tests/store/conformance.h"
#include "tests/store/proofs.h"

#include "base/check.h"
#include "base/error.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CARD_A "6000000000000001"
#define ORDER INT64_C(2802065908)
#define ITEMS_MAX 1024

static struct proof_totals totals_of(struct rows *rows, int32_t from, int32_t until)
{
    struct proof_totals totals;
    assert_int_equal(store_read_proof_totals(rows->store, rows->tenant.id, from, until, &totals),
                     0);
    return totals;
}

struct told_item {
    int64_t operation_id; /* 0: a payment */
    int64_t order_id;
    enum proof_reason reason;
    int64_t difference_minor;
};

struct told {
    struct told_item items[ITEMS_MAX];
    int32_t count;
    struct open_item_place last;
    int64_t difference_minor;
};

static void on_item(void *context, const struct open_item *item)
{
    struct told *told = context;
    assert_true(told->count < ITEMS_MAX);
    assert_true((item->facts == NULL) != (item->payment == NULL));
    told->items[told->count++] = (struct told_item){
        .operation_id = item->facts == NULL ? 0 : item->facts->proof.operation_id,
        .order_id = item->facts == NULL ? item->payment->order_id : item->facts->proof.order_id,
        .reason = item->reason,
        .difference_minor = item->difference_minor,
    };
    told->difference_minor += item->difference_minor;
    told->last = open_item_place(item);
}

static struct told items_of(struct rows *rows, int32_t from, int32_t until, int32_t limit)
{
    static struct told told;
    struct open_item_place first = {0};
    told.count = 0;
    told.difference_minor = 0;
    assert_int_equal(store_each_open_item(rows->store, rows->tenant.id, from, until, &first, limit,
                                          on_item, &told),
                     0);
    return told;
}

static void assert_item(const struct told_item *item, int64_t operation_id,
                        enum proof_reason reason, int64_t difference_minor)
{
    assert_int_equal(item->operation_id, operation_id);
    assert_int_equal(item->reason, reason);
    assert_int_equal(item->difference_minor, difference_minor);
}

static void start(struct rows *rows)
{
    proofs_connect(rows);
    rows_run(rows, rows_issue(rows, CARD_A, 100000));
}

static int64_t open_items_of(struct rows *rows)
{
    int64_t count = -1;
    assert_int_equal(store_count_open_items(rows->store, &count), 0);
    return count;
}

static void nothing_sums_up_to_nothing(void **state)
{
    struct rows *rows = conformance_rows(state);
    struct proof_totals totals = totals_of(rows, 0, 0);
    static const struct proof_totals none;
    assert_memory_equal(&totals, &none, sizeof(none));
    assert_int_equal(items_of(rows, 0, 0, 9).count, 0);
    assert_int_equal(open_items_of(rows), 0);
}

static void what_is_confirmed_counts_on_both_sides_and_is_no_item(void **state)
{
    struct rows *rows = conformance_rows(state);
    start(rows);
    int64_t charge = proofs_run(rows, ACTION_CHARGE, CARD_A, ORDER, 700);
    int64_t refund = proofs_run(rows, ACTION_REFUND, CARD_A, ORDER, 200);
    proofs_run(rows, ACTION_TOP_UP, CARD_A, ORDER, 50);
    proofs_make(rows, ROWS_DATE);
    struct proof_totals totals = totals_of(rows, 0, 0);
    assert_int_equal(totals.ledger_minor, 500);
    assert_int_equal(totals.register_minor, 0);
    assert_int_equal(totals.open, 3);
    assert_int_equal(open_items_of(rows), 3);
    struct register_payment shown[2] = {proofs_payment(rows, ORDER, 1, 700, charge),
                                        proofs_payment(rows, ORDER, 2, -200, refund)};
    proofs_put(rows, ORDER, shown, 2);
    for (int64_t id = charge; id <= refund + 1; id++)
        proofs_set_state(rows, id, PROOF_CONFIRMED, PROOF_REASON_NONE);
    totals = totals_of(rows, 0, 0);
    assert_int_equal(totals.register_minor, 500);
    assert_int_equal(totals.ledger_minor, 500);
    assert_int_equal(totals.operations, 3);
    assert_int_equal(totals.confirmed, 3);
    assert_int_equal(totals.open + totals.listed + totals.reversed, 0);
    assert_int_equal(totals.changed + totals.strays, 0);
    assert_int_equal(items_of(rows, 0, 0, 9).count, 0);
}

static void each_item_says_what_it_adds_and_why(void **state)
{
    struct rows *rows = conformance_rows(state);
    start(rows);
    int64_t missing = proofs_run(rows, ACTION_CHARGE, CARD_A, ORDER, 700);
    int64_t other_amount = proofs_run(rows, ACTION_CHARGE, CARD_A, ORDER, 60);
    int64_t load = proofs_run(rows, ACTION_TOP_UP, CARD_A, ORDER, 50);
    int64_t reversed = proofs_run(rows, ACTION_CHARGE, CARD_A, ORDER + 1, 9);
    proofs_make(rows, ROWS_DATE);
    proofs_undo(rows, ACTION_REVERSE, CARD_A, reversed);
    proofs_set_state(rows, reversed, PROOF_REVERSED, PROOF_REASON_NONE);
    struct register_payment shown[2] = {proofs_payment(rows, ORDER, 1, 61, other_amount),
                                        proofs_payment(rows, ORDER, 2, 7, 0)};
    proofs_put(rows, ORDER, shown, 2);
    proofs_set_state(rows, other_amount, PROOF_LISTED, PROOF_REASON_AMOUNT_DIFFERS);
    proofs_set_state(rows, load, PROOF_LISTED, PROOF_REASON_SALE_DELETED);
    struct told told = items_of(rows, 0, 0, 99);
    assert_int_equal(told.count, 4);
    assert_item(&told.items[0], missing, PROOF_REASON_NOT_LOOKED, -700);
    assert_item(&told.items[1], other_amount, PROOF_REASON_AMOUNT_DIFFERS, 1);
    assert_item(&told.items[2], load, PROOF_REASON_SALE_DELETED, 0);
    assert_item(&told.items[3], 0, PROOF_REASON_PAYMENT_UNKNOWN, 7);
    assert_int_equal(told.items[3].order_id, ORDER);
    struct proof_totals totals = totals_of(rows, 0, 0);
    assert_int_equal(totals.reversed, 1);
    assert_int_equal(totals.listed, 2);
    assert_int_equal(totals.open, 1);
    assert_int_equal(totals.strays, 1);
    assert_int_equal(totals.register_minor - totals.ledger_minor, told.difference_minor);
    told = items_of(rows, 0, 0, 3); /* and no more than is asked for */
    assert_int_equal(told.count, 3);
    assert_int_equal(items_of(rows, 0, 0, 2).count, 2);
}

/* The cashier undid what the register had never booked. */
static void a_refund_of_what_is_not_shown_counts_on_its_charge(void **state)
{
    struct rows *rows = conformance_rows(state);
    start(rows);
    int64_t charge = proofs_run(rows, ACTION_CHARGE, CARD_A, ORDER, 700);
    proofs_make(rows, ROWS_DATE);
    int64_t refund = proofs_run(rows, ACTION_REFUND, CARD_A, ORDER, 300);
    proofs_make(rows, ROWS_DATE + 1);
    proofs_undo(rows, ACTION_REVERSE, CARD_A, charge); /* the rest */
    proofs_set_state(rows, charge, PROOF_REVERSED, PROOF_REASON_NONE);
    assert_int_equal(totals_of(rows, ROWS_DATE, ROWS_DATE).ledger_minor, 300);
    assert_int_equal(items_of(rows, 0, 0, 9).count, 2);
    proofs_set_state(rows, refund, PROOF_REVERSED, PROOF_REASON_NONE);
    assert_int_equal(items_of(rows, 0, 0, 9).count, 0);
    assert_int_equal(totals_of(rows, ROWS_DATE, ROWS_DATE).ledger_minor, 0);
    assert_int_equal(totals_of(rows, ROWS_DATE + 1, ROWS_DATE + 1).ledger_minor, 0);
    assert_int_equal(proofs_facts(rows, charge).ledger_minor, 0);
    assert_int_equal(proofs_facts(rows, refund).ledger_minor, 0);
    assert_int_equal(rows_verify(rows->store), 0);
    proofs_undo(rows, ACTION_RECHARGE, CARD_A, refund); /* taken again after all */
    assert_int_equal(proofs_facts(rows, charge).ledger_minor, 300);
    assert_int_equal(proofs_facts(rows, refund).ledger_minor, 0);
    proofs_set_state(rows, refund, PROOF_LISTED, PROOF_REASON_CREDIT_SPENT);
    assert_int_equal(proofs_facts(rows, charge).ledger_minor, 300);
    assert_int_equal(rows_verify(rows->store), 0);
}

static void a_refund_that_is_listed_again_counts_on_itself(void **state)
{
    struct rows *rows = conformance_rows(state);
    start(rows);
    int64_t first = proofs_run(rows, ACTION_CHARGE, CARD_A, ORDER, 700);
    int64_t second = proofs_run(rows, ACTION_CHARGE, CARD_A, ORDER, 60);
    int64_t refund = proofs_run(rows, ACTION_REFUND, CARD_A, ORDER, 720); /* of both */
    proofs_make(rows, ROWS_DATE);
    proofs_set_state(rows, refund, PROOF_REVERSED, PROOF_REASON_NONE);
    assert_int_equal(proofs_facts(rows, refund).ledger_minor, 0);
    assert_int_equal(
        proofs_facts(rows, first).ledger_minor + proofs_facts(rows, second).ledger_minor, 40);
    proofs_set_state(rows, refund, PROOF_LISTED, PROOF_REASON_REFUND_SHOWN);
    assert_int_equal(proofs_facts(rows, refund).ledger_minor, -720);
    assert_int_equal(proofs_facts(rows, first).ledger_minor, 700);
    assert_int_equal(proofs_facts(rows, second).ledger_minor, 60);
}

static void assert_pages_tell(struct rows *rows, int32_t from, int32_t until,
                              const struct told *all, int32_t page)
{
    static struct told told;
    told.count = 0;
    told.last = (struct open_item_place){0};
    for (int32_t before = -1; before != told.count;) {
        struct open_item_place after = told.last;
        before = told.count;
        assert_int_equal(store_each_open_item(rows->store, rows->tenant.id, from, until, &after,
                                              page, on_item, &told),
                         0);
        assert_true(told.count <= before + page);
    }
    assert_int_equal(told.count, all->count);
    for (int32_t i = 0; i < told.count; i++) {
        assert_item(&told.items[i], all->items[i].operation_id, all->items[i].reason,
                    all->items[i].difference_minor);
        assert_int_equal(told.items[i].order_id, all->items[i].order_id);
    }
}

static void pages_tell_every_item_once(void **state)
{
    struct rows *rows = conformance_rows(state);
    struct register_payment shown[4];
    start(rows);
    for (int i = 0; i < 7; i++) {
        proofs_run(rows, ACTION_CHARGE, CARD_A, ORDER + i % 2, i + 1);
        if (i % 3 == 1) /* the day before, for the newer ones */
            proofs_make(rows, ROWS_DATE - i);
    }
    proofs_make(rows, ROWS_DATE);
    for (int64_t order_id = ORDER; order_id < ORDER + 2; order_id++) {
        for (int i = 0; i < 4; i++) {
            shown[i] = proofs_payment(rows, order_id, i + 1, 10 * i + 1, 0);
            shown[i].local_date = ROWS_DATE - i / 2;
        }
        proofs_put(rows, order_id, shown, 4);
    }
    struct told all = items_of(rows, 0, 0, 99);
    assert_int_equal(all.count, 15);
    for (int32_t page = 1; page <= 16; page++)
        assert_pages_tell(rows, 0, 0, &all, page);
    all = items_of(rows, ROWS_DATE - 1, ROWS_DATE - 1, 99);
    assert_true(all.count > 0 && all.count < 15);
    assert_pages_tell(rows, ROWS_DATE - 1, ROWS_DATE - 1, &all, 2);
}

/* The judgement is of another time: what happened since is told until somebody looks again. */
static void what_has_changed_since_it_was_judged_is_an_item(void **state)
{
    struct rows *rows = conformance_rows(state);
    start(rows);
    int64_t charge = proofs_run(rows, ACTION_CHARGE, CARD_A, ORDER, 700);
    proofs_make(rows, ROWS_DATE);
    struct register_payment payment = proofs_payment(rows, ORDER, 1, 700, charge);
    proofs_put(rows, ORDER, &payment, 1);
    proofs_set_state(rows, charge, PROOF_CONFIRMED, PROOF_REASON_NONE);
    int64_t reversal = proofs_undo(rows, ACTION_REVERSE, CARD_A, charge);
    struct told told = items_of(rows, 0, 0, 9);
    assert_int_equal(told.count, 1);
    assert_item(&told.items[0], charge, PROOF_REASON_CHANGED, 700);
    assert_int_equal(totals_of(rows, 0, 0).changed, 1);
    proofs_undo(rows, ACTION_RECHARGE, CARD_A, reversal);
    assert_int_equal(items_of(rows, 0, 0, 9).count, 0);
    assert_int_equal(totals_of(rows, 0, 0).changed, 0);
}

static void days_are_those_of_the_operations(void **state)
{
    struct rows *rows = conformance_rows(state);
    start(rows);
    int64_t first = proofs_run(rows, ACTION_CHARGE, CARD_A, ORDER, 700);
    proofs_make(rows, ROWS_DATE);
    proofs_run(rows, ACTION_CHARGE, CARD_A, ORDER, 30);
    proofs_make(rows, ROWS_DATE + 1);
    struct register_payment shown[2] = {proofs_payment(rows, ORDER, 1, 700, first),
                                        proofs_payment(rows, ORDER, 2, 8, 0)};
    shown[0].local_date = ROWS_DATE + 1; /* the register booked it after midnight */
    shown[1].local_date = ROWS_DATE + 2;
    proofs_put(rows, ORDER, shown, 2);
    struct proof_totals totals = totals_of(rows, ROWS_DATE, ROWS_DATE);
    assert_int_equal(totals.register_minor, 700);
    assert_int_equal(totals.ledger_minor, 700);
    proofs_undo(rows, ACTION_REVERSE, CARD_A, first); /* on another day: counts on this one */
    assert_int_equal(totals_of(rows, ROWS_DATE, ROWS_DATE).ledger_minor, 0);
    totals = totals_of(rows, ROWS_DATE + 1, ROWS_DATE + 1);
    assert_int_equal(totals.register_minor, 0);
    assert_int_equal(totals.ledger_minor, 30);
    assert_int_equal(totals.strays, 0);
    totals = totals_of(rows, ROWS_DATE + 1, ROWS_DATE + 2);
    assert_int_equal(totals.register_minor, 8);
    assert_int_equal(totals.strays, 1);
    assert_int_equal(totals.operations, 1);
    assert_int_equal(items_of(rows, ROWS_DATE, ROWS_DATE, 9).count, 1);
    assert_int_equal(items_of(rows, ROWS_DATE + 2, ROWS_DATE + 9, 9).count, 1);
    assert_int_equal(totals_of(rows, 0, 5).operations, 2); /* from 0: all, whatever until is */
    proofs_add_tenant(rows, 9999);
    assert_int_equal(totals_of(rows, 0, 0).operations, 0);
    assert_int_equal(items_of(rows, 0, 0, 9).count, 0);
}

/* --- anything in any order --- */

#define SEEDS 6
#define STEPS 160
#define CARDS 3
#define ORDERS 4
#define DAYS 3

struct play {
    struct rows *rows;
    uint64_t random;
};

static int64_t pick(struct play *play, int64_t count)
{
    play->random ^= play->random << 13; /* xorshift64 */
    play->random ^= play->random >> 7;
    play->random ^= play->random << 17;
    return (int64_t)(play->random % (uint64_t)count);
}

static const char *pick_card(struct play *play)
{
    static const char *const numbers[CARDS] = {CARD_A, "6000000000000002", "6000000000000003"};
    return numbers[pick(play, CARDS)];
}

static int64_t pick_order(struct play *play)
{
    return ORDER + pick(play, ORDERS);
}

static int64_t pick_operation(struct play *play)
{
    return 1 + pick(play, rows_totals(play->rows).operations);
}

static void play_request(struct play *play)
{
    static const enum action actions[] = {ACTION_CHARGE, ACTION_CHARGE, ACTION_REFUND,
                                          ACTION_REFUND, ACTION_TOP_UP};
    enum action action = actions[pick(play, (int64_t)COUNT_OF(actions))];
    int64_t order_id = pick(play, 12) == 0 ? 0 : pick_order(play);
    rows_run(play->rows,
             rows_command(play->rows, action, pick_card(play), order_id, 1 + pick(play, 900)));
}

/* Of whatever: most of it the ledger refuses. */
static void play_undo(struct play *play)
{
    struct operation operation = proofs_operation(play->rows, pick_operation(play));
    enum action action = pick(play, 2) == 0 ? ACTION_REVERSE : ACTION_RECHARGE;
    for (int i = 0; i < CARDS; i++)
        proofs_undo(play->rows, action, pick_card(play), operation.id);
}

static void play_payments(struct play *play)
{
    struct register_payment shown[4];
    int64_t order_id = pick_order(play);
    int32_t count = (int32_t)pick(play, 5);
    for (int32_t i = 0; i < count; i++) {
        int64_t claimed = pick(play, 3) == 0 ? 0 : pick_operation(play);
        shown[i] = proofs_payment(play->rows, order_id, i + 1, pick(play, 1800) - 600, claimed);
        shown[i].local_date = ROWS_DATE + (int32_t)pick(play, DAYS);
    }
    proofs_put(play->rows, order_id, shown, count);
}

static void play_judgement(struct play *play)
{
    struct proof_facts facts;
    int err = ERR_NOT_FOUND;
    for (int i = 0; err != 0 && i < 8; i++) /* most are refusals */
        err = store_read_proof(play->rows->store, pick_operation(play), &facts);
    if (err != 0)
        return;
    facts.proof.state = (enum proof_state)(PROOF_OPEN + pick(play, 4));
    facts.proof.shown_order_id = pick_order(play);
    facts.proof.payment_number = 1 + pick(play, 4);
    err = store_update_proof(play->rows->store, &facts.proof, facts.proof.changed_at_us);
    assert_true(err == 0 || err == ERR_STORE_CONSTRAINT);
}

static void play_suspect(struct play *play)
{
    int err = store_suspect(play->rows->store, play->rows->tenant.id, pick_operation(play),
                            ROWS_DATE + (int32_t)pick(play, DAYS), play->rows->now_us);
    assert_true(err == 0 || err == ERR_NOT_FOUND);
}

static void play_step(struct play *play)
{
    int64_t step = pick(play, 20);
    if (step < 6)
        play_request(play);
    else if (step < 10)
        play_undo(play);
    else if (step < 12)
        proofs_make(play->rows, ROWS_DATE + (int32_t)pick(play, DAYS));
    else if (step < 15)
        play_payments(play);
    else if (step < 19)
        play_judgement(play);
    else
        play_suspect(play);
}

/* --- the naive walk --- */

#define WALK_MAX (SEEDS * STEPS * 2)

struct walked {
    int64_t root_id;      /* the request of a register that it is all about */
    int64_t ledger_minor; /* of a root: all that is about it */
    bool has_proof;
    bool is_reversed_refund;
    int32_t local_date;
};

struct walk {
    struct walked operations[WALK_MAX]; /* by id */
    int64_t count;
    struct register_payment payments[ORDERS * 4];
    int32_t payment_count;
};

static void walk_operation(struct rows *rows, int64_t id, struct walk *walk)
{
    struct operation operation = proofs_operation(rows, id);
    struct walked *walked = &walk->operations[id];
    bool takes = operation.action == ACTION_CHARGE || operation.action == ACTION_RECHARGE;
    bool gives = operation.action == ACTION_REFUND || operation.action == ACTION_REVERSE;
    int64_t minor = takes ? operation.amount_minor : gives ? -operation.amount_minor : 0;
    struct proof_facts facts = {.ledger_minor = 0};
    bool is_refund = operation.action == ACTION_REFUND;
    while (operation.answers_operation_id != 0)
        operation = proofs_operation(rows, operation.answers_operation_id);
    walked->root_id = operation.id;
    walked->ledger_minor = 0;
    walk->operations[walked->root_id].ledger_minor += minor; /* older, or itself */
    walked->has_proof = store_read_proof(rows->store, id, &facts) == 0;
    walked->is_reversed_refund =
        is_refund && walked->has_proof && facts.proof.state == PROOF_REVERSED;
    walked->local_date = walked->has_proof ? facts.proof.local_date : 0;
}

/* What a reversed refund gave, and was not taken again, counts on the charges that it answers. */
static void on_walked_transfer(void *context, const struct transfer *transfer)
{
    struct walk *walk = context;
    struct walked *refund = &walk->operations[transfer->operation_id];
    struct walked *charge = &walk->operations[transfer->answers_operation_id];
    int64_t left_minor = -refund->ledger_minor;
    int64_t part_minor = transfer->amount_minor < left_minor ? transfer->amount_minor : left_minor;
    refund->ledger_minor += part_minor;
    walk->operations[charge->root_id].ledger_minor -= part_minor;
}

static void on_walked_payment(void *context, const struct register_payment *payment)
{
    struct walk *walk = context;
    assert_true(walk->payment_count < (int32_t)COUNT_OF(walk->payments));
    walk->payments[walk->payment_count++] = *payment;
}

static void walk_all(struct rows *rows, struct walk *walk)
{
    walk->count = rows_totals(rows).operations;
    walk->payment_count = 0;
    assert_true(walk->count < WALK_MAX);
    for (int64_t id = 1; id <= walk->count; id++)
        walk_operation(rows, id, walk);
    for (int64_t id = 1; id <= walk->count; id++)
        if (walk->operations[id].is_reversed_refund)
            assert_int_equal(
                store_each_operation_transfer(rows->store, id, on_walked_transfer, walk), 0);
    for (int i = 0; i < ORDERS; i++)
        assert_int_equal(store_each_register_payment(rows->store, rows->tenant.id, ORDER + i,
                                                     on_walked_payment, walk),
                         0);
}

static bool is_within(int32_t date, int32_t from, int32_t until)
{
    return date >= from && date <= until;
}

/* Of the proof of an operation; false: it has none, or of another day. */
static bool counts(const struct walk *walk, int64_t operation_id, int32_t from, int32_t until)
{
    const struct walked *walked = &walk->operations[operation_id];
    return walked->has_proof && is_within(walked->local_date, from, until);
}

static struct proof_totals walk_totals(const struct walk *walk, int32_t from, int32_t until)
{
    struct proof_totals totals = {0};
    for (int64_t id = 1; id <= walk->count; id++)
        if (counts(walk, id, from, until))
            totals.ledger_minor += walk->operations[id].ledger_minor;
    for (int32_t i = 0; i < walk->payment_count; i++) {
        const struct register_payment *payment = &walk->payments[i];
        bool is_stray = payment->operation_id == 0;
        if (is_stray ? !is_within(payment->local_date, from, until)
                     : !counts(walk, payment->operation_id, from, until))
            continue;
        totals.register_minor += payment->amount_minor;
        totals.strays += is_stray;
    }
    return totals;
}

static void assert_sums(struct rows *rows, const struct walk *walk, int32_t from, int32_t until)
{
    struct proof_totals naive = walk_totals(walk, from, until);
    struct proof_totals totals = totals_of(rows, from, until);
    struct told told = items_of(rows, from, until, ITEMS_MAX);
    assert_int_equal(totals.register_minor, naive.register_minor);
    assert_int_equal(totals.ledger_minor, naive.ledger_minor);
    assert_int_equal(totals.strays, naive.strays);
    assert_int_equal(totals.register_minor - totals.ledger_minor, told.difference_minor);
    assert_int_equal(told.count, totals.open + totals.listed + totals.changed + totals.strays);
    assert_int_equal(totals.operations,
                     totals.open + totals.listed + totals.confirmed + totals.reversed);
}

static void assert_all_sums(struct rows *rows)
{
    static struct walk walk;
    walk_all(rows, &walk);
    for (int32_t day = 0; day < DAYS; day++)
        assert_sums(rows, &walk, ROWS_DATE + day, ROWS_DATE + day);
    assert_sums(rows, &walk, ROWS_DATE, ROWS_DATE + 1);
    assert_sums(rows, &walk, ROWS_DATE, ROWS_DATE + DAYS);
    struct proof_totals all = totals_of(rows, 0, 0);
    struct proof_totals days = totals_of(rows, ROWS_DATE, ROWS_DATE + DAYS);
    assert_memory_equal(&all, &days, sizeof(all));
}

static void the_difference_of_the_sums_is_that_of_the_items_whatever_happens(void **state)
{
    struct rows *rows = conformance_rows(state);
    const char *chosen = getenv("COUNTERPART_SEED");
    uint64_t first = chosen == NULL ? 4711 : strtoull(chosen, NULL, 10);
    struct proof_totals totals = {0};
    proofs_connect(rows);
    for (int i = 0; i < CARDS; i++) {
        char number[17];
        snprintf(number, sizeof(number), "600000000000000%d", i + 1);
        rows_run(rows, rows_issue(rows, number, 20000));
    }
    /* Where each step waits for a disk, one of them. */
    uint64_t seeds = conformance_backend()->is_shared ? 1 : SEEDS;
    for (uint64_t seed = first; seed < first + seeds; seed++) {
        struct play play = {.rows = rows, .random = (seed + 1) * UINT64_C(0x9E3779B97F4A7C15)};
        print_message("seed %llu\n", (unsigned long long)seed);
        for (int step = 1; step <= STEPS; step++) {
            play_step(&play);
            if (step % 40 == 0)
                assert_all_sums(rows);
        }
    }
    if (seeds < SEEDS)
        return;
    totals = totals_of(rows, 0, 0); /* and it has seen everything */
    assert_true(totals.confirmed > 0 && totals.reversed > 0 && totals.listed > 0);
    assert_true(totals.open > 0 && totals.changed > 0 && totals.strays > 0);
}

/* --- single rows, for people who ask why --- */

struct operations {
    int64_t ids[32];
    int32_t count;
};

static void on_operation(void *context, const struct operation *operation)
{
    struct operations *operations = context;
    assert_true(operations->count < 32);
    operations->ids[operations->count++] = operation->id;
}

static struct operations after(struct rows *rows, int64_t tenant_id, int64_t after_id,
                               int32_t limit)
{
    struct operations operations = {.count = 0};
    int64_t last_id;
    assert_int_equal(store_read_last_operation(rows->store, &last_id), 0);
    assert_int_equal(store_each_operation_after(rows->store, tenant_id, after_id, last_id, limit,
                                                on_operation, &operations),
                     0);
    return operations;
}

static void operations_are_followed_of_one_merchant_or_of_all(void **state)
{
    struct rows *rows = conformance_rows(state);
    start(rows);                                                         /* 1 */
    proofs_run(rows, ACTION_CHARGE, CARD_A, ORDER, 700);                 /* 2 */
    rows_run(rows, rows_command(rows, ACTION_CHARGE, CARD_A, ORDER, 1)); /* 3 */
    int64_t first_id = rows->tenant.id;
    proofs_add_tenant(rows, 9999);
    rows_run(rows, rows_issue(rows, "6000000000000009", 5)); /* 4 */
    struct operations operations = after(rows, 0, 1, 9);
    assert_int_equal(operations.count, 3);
    assert_int_equal(operations.ids[0], 2);
    assert_int_equal(operations.ids[2], 4);
    assert_int_equal(after(rows, 0, 0, 2).count, 2);
    assert_int_equal(after(rows, 0, 4, 9).count, 0);
    assert_int_equal(after(rows, first_id, 0, 9).count, 3);
    operations = after(rows, rows->tenant.id, 0, 9);
    assert_int_equal(operations.count, 1);
    assert_int_equal(operations.ids[0], 4);
}

static struct operations answers_of(struct rows *rows, int64_t operation_id)
{
    struct operations operations = {.count = 0};
    assert_int_equal(store_each_answer(rows->store, operation_id, on_operation, &operations), 0);
    return operations;
}

static void whatever_answers_an_operation_is_found(void **state)
{
    struct rows *rows = conformance_rows(state);
    start(rows);
    int64_t charge = proofs_run(rows, ACTION_CHARGE, CARD_A, ORDER, 700);
    int64_t other = proofs_run(rows, ACTION_CHARGE, CARD_A, ORDER, 50);
    int64_t refund = proofs_run(rows, ACTION_REFUND, CARD_A, ORDER, 100);
    rows->tenant.policy.top_up_is_held = true;
    int64_t held = proofs_run(rows, ACTION_TOP_UP, CARD_A, ORDER, 60);
    struct outcome release = rows_run(rows, rows_command(rows, ACTION_RELEASE, CARD_A, ORDER, 0));
    int64_t reversal = proofs_undo(rows, ACTION_REVERSE, CARD_A, charge);
    int64_t recharge = proofs_undo(rows, ACTION_RECHARGE, CARD_A, reversal);
    int64_t refunded = answers_of(rows, charge).count == 2 ? charge : other;
    struct operations operations = answers_of(rows, charge);
    assert_int_equal(operations.ids[0], reversal); /* newest first */
    operations = answers_of(rows, refunded);
    assert_int_equal(operations.ids[operations.count - 1], refund);
    operations = answers_of(rows, held);
    assert_int_equal(operations.count, 1);
    assert_int_equal(operations.ids[0], release.operation_id);
    operations = answers_of(rows, reversal);
    assert_int_equal(operations.count, 1);
    assert_int_equal(operations.ids[0], recharge);
    assert_int_equal(answers_of(rows, recharge).count, 0);
    assert_int_equal(store_each_answer(rows->store, 99, on_operation, &operations), ERR_NOT_FOUND);
}

struct transfers {
    struct transfer rows[8];
    int32_t count;
};

static void on_transfer(void *context, const struct transfer *transfer)
{
    struct transfers *transfers = context;
    assert_true(transfers->count < 8);
    transfers->rows[transfers->count++] = *transfer;
}

static struct transfers transfers_of(struct rows *rows, int64_t operation_id)
{
    struct transfers transfers = {.count = 0};
    assert_int_equal(
        store_each_operation_transfer(rows->store, operation_id, on_transfer, &transfers), 0);
    return transfers;
}

static void what_an_operation_moved_is_found(void **state)
{
    struct rows *rows = conformance_rows(state);
    struct transfers transfers = {.count = 0};
    start(rows);
    int64_t charge = proofs_run(rows, ACTION_CHARGE, CARD_A, ORDER, 700);
    int64_t second = proofs_run(rows, ACTION_CHARGE, CARD_A, ORDER, 500);
    int64_t refund = proofs_run(rows, ACTION_REFUND, CARD_A, ORDER, 1100); /* of both */
    struct outcome refused = rows_run(rows, rows_command(rows, ACTION_REFUND, CARD_A, ORDER, 101));
    assert_int_equal(refused.result, RESULT_OVER_CHARGED);
    proofs_run(rows, ACTION_CHARGE, CARD_A, ORDER, 3);
    transfers = transfers_of(rows, charge);
    assert_int_equal(transfers.count, 1);
    assert_int_equal(transfers.rows[0].operation_id, charge);
    assert_int_equal(transfers.rows[0].amount_minor, 700);
    transfers = transfers_of(rows, refund);
    assert_int_equal(transfers.count, 2);
    assert_true(transfers.rows[0].id > transfers.rows[1].id); /* newest first */
    assert_int_equal(transfers.rows[0].amount_minor + transfers.rows[1].amount_minor, 1100);
    assert_int_equal(transfers.rows[0].answers_operation_id +
                         transfers.rows[1].answers_operation_id,
                     charge + second);
    assert_int_equal(transfers_of(rows, refused.operation_id).count, 0);
    assert_int_equal(store_each_operation_transfer(rows->store, 99, on_transfer, &transfers),
                     ERR_NOT_FOUND);
}

static void a_tombstone_moved_nothing_and_is_answered_by_nothing(void **state)
{
    struct rows *rows = conformance_rows(state);
    bool happened;
    start(rows);
    struct command charge = rows_command(rows, ACTION_CHARGE, CARD_A, ORDER, 5);
    rows_decide(rows, &charge, 1);
    store_rollback(rows->store);
    assert_int_equal(store_settle(rows->store, rows->batch, &happened), 0);
    assert_false(happened);
    int64_t tombstone = rows_totals(rows).operations;
    assert_int_equal(transfers_of(rows, tombstone).count, 0);
    assert_int_equal(answers_of(rows, tombstone).count, 0);
}

static void a_card_is_read_by_its_id(void **state)
{
    struct rows *rows = conformance_rows(state);
    struct card card;
    start(rows);
    struct card wanted = rows_card(rows, CARD_A);
    assert_int_equal(store_read_card_by_id(rows->store, wanted.id, &card), 0);
    assert_memory_equal(card.index, wanted.index, CARD_INDEX_BYTES);
    assert_int_equal(card.balance_minor, 100000);
    assert_int_equal(store_read_card_by_id(rows->store, wanted.id + 1, &card), ERR_NOT_FOUND);
}

static void states_and_reasons_have_their_words(void **state)
{
    (void)state;
    assert_string_equal(proof_state_name(PROOF_OPEN), "open");
    assert_string_equal(proof_state_name(PROOF_CONFIRMED), "confirmed");
    assert_string_equal(proof_state_name(PROOF_REVERSED), "reversed");
    assert_string_equal(proof_state_name(PROOF_LISTED), "listed");
    assert_string_equal(proof_reason_name(PROOF_REASON_CARD_EMPTY), "card_empty");
    assert_string_equal(proof_reason_sentence(PROOF_REASON_NO_ORDER),
                        "The register named no order");
    assert_string_equal(proof_reason_sentence(PROOF_REASON_NONE), "");
}

static const struct CMUnitTest conformance_sums[] = {
    CONFORMANCE_TEST(nothing_sums_up_to_nothing),
    CONFORMANCE_TEST(what_is_confirmed_counts_on_both_sides_and_is_no_item),
    CONFORMANCE_TEST(each_item_says_what_it_adds_and_why),
    CONFORMANCE_TEST(a_refund_of_what_is_not_shown_counts_on_its_charge),
    CONFORMANCE_TEST(a_refund_that_is_listed_again_counts_on_itself),
    CONFORMANCE_TEST(pages_tell_every_item_once),
    CONFORMANCE_TEST(what_has_changed_since_it_was_judged_is_an_item),
    CONFORMANCE_TEST(days_are_those_of_the_operations),
    CONFORMANCE_TEST(the_difference_of_the_sums_is_that_of_the_items_whatever_happens),
    CONFORMANCE_TEST(operations_are_followed_of_one_merchant_or_of_all),
    CONFORMANCE_TEST(whatever_answers_an_operation_is_found),
    CONFORMANCE_TEST(what_an_operation_moved_is_found),
    CONFORMANCE_TEST(a_tombstone_moved_nothing_and_is_answered_by_nothing),
    CONFORMANCE_TEST(a_card_is_read_by_its_id),
    CONFORMANCE_TEST(states_and_reasons_have_their_words),
};

int conformance_run_sums(const char *name)
{
    return _cmocka_run_group_tests(name, conformance_sums, COUNT_OF(conformance_sums), NULL, NULL);
}
