/*
 * Conformance: work that must survive a crash, and what an order has left in the ledger.
 */
#include "tests/store/conformance.h"

#include "base/check.h"
#include "base/error.h"
#include "store/foreign.h"
#include "store/member.h"
#include "store/work.h"

#include <stdio.h>
#include <string.h>

#define CARD_A "6000000000000001"
#define CARD_B "6000000000000002"
#define ORDER INT64_C(2802065908)
#define NOW_US ROWS_NOW_US

struct found {
    struct work works[32];
    int count;
};

static void on_work(void *context, const struct work *work)
{
    struct found *found = context;
    assert_true(found->count < 32);
    found->works[found->count++] = *work;
}

static struct found open_work(struct store *store)
{
    struct found found = {0};
    assert_int_equal(store_each_open_work(store, 32, 32, on_work, &found), 0);
    return found;
}

static struct found for_people(struct store *store, int64_t tenant_id)
{
    struct found found = {0};
    assert_int_equal(store_each_work(store, tenant_id, 32, on_work, &found), 0);
    return found;
}

static struct work see(struct store *store, int64_t tenant_id, int64_t work_id)
{
    struct found found = for_people(store, tenant_id);
    for (int i = 0; i < found.count; i++)
        if (found.works[i].id == work_id)
            return found.works[i];
    fail_msg("work %d is not shown", (int)work_id);
    return (struct work){0};
}

static int64_t count_open(struct store *store)
{
    int64_t open;
    assert_int_equal(store_count_open_work(store, &open), 0);
    return open;
}

static struct work add(struct rows *rows, int64_t told_by, int64_t due_at_us)
{
    struct work work =
        work_make(rows->tenant.id, WORK_ORDER_CHANGED, ORDER + told_by, told_by, NOW_US);
    work.due_at_us = due_at_us;
    assert_int_equal(store_add_work(rows->store, &work), 0);
    return work;
}

static void assert_same_work(const struct work *a, const struct work *b)
{
    assert_int_equal(a->id, b->id);
    assert_int_equal(a->tenant_id, b->tenant_id);
    assert_int_equal(a->kind, b->kind);
    assert_int_equal(a->subject_id, b->subject_id);
    assert_memory_equal(a->identity, b->identity, WORK_IDENTITY_BYTES);
    assert_int_equal(a->state, b->state);
    assert_int_equal(a->attempts, b->attempts);
    assert_int_equal(a->due_at_us, b->due_at_us);
    assert_int_equal(a->created_at_us, b->created_at_us);
    assert_int_equal(a->ended_at_us, b->ended_at_us);
    assert_string_equal(a->reason, b->reason);
    assert_int_equal(a->openings, b->openings);
}

static void end(struct rows *rows, struct work *work, enum work_state state, int64_t ended_at_us)
{
    work->state = state;
    work->ended_at_us = ended_at_us;
    assert_int_equal(store_update_work(rows->store, work), 0);
}

/* --- rows --- */

static void work_is_read_back_field_by_field(void **state)
{
    struct rows *rows = conformance_rows(state);
    struct work work = work_make(rows->tenant.id, WORK_POST_PAYMENT, 77, 0, NOW_US);
    for (int i = 0; i < WORK_IDENTITY_BYTES; i++)
        work.identity[i] = (uint8_t)(200 + i);
    work.attempts = 3;
    work.due_at_us = NOW_US + 5;
    snprintf(work.reason, sizeof(work.reason), "the order is not complete");
    assert_int_equal(store_add_work(rows->store, &work), 0);
    assert_true(work.id > 0);
    struct found found = open_work(rows->store);
    assert_int_equal(found.count, 1);
    assert_same_work(&found.works[0], &work);
    memset(work.reason, 'x', WORK_REASON_MAX);
    work.attempts = 4;
    end(rows, &work, WORK_GIVEN_UP, NOW_US + 9);
    found = for_people(rows->store, rows->tenant.id);
    assert_int_equal(found.count, 1);
    assert_same_work(&found.works[0], &work);
}

static void the_same_thing_asked_again_is_added_once(void **state)
{
    struct rows *rows = conformance_rows(state);
    struct work first = add(rows, 1, NOW_US);
    struct work again = work_make(rows->tenant.id, WORK_ORDER_CHANGED, 5, 1, NOW_US + 60);
    assert_int_equal(store_add_work(rows->store, &again), ERR_ALREADY_EXISTS);
    end(rows, &first, WORK_DONE, NOW_US + 70);
    assert_int_equal(store_add_work(rows->store, &again), ERR_ALREADY_EXISTS); /* ended alike */
    assert_int_equal(open_work(rows->store).count, 0);
    again.kind = WORK_POST_PAYMENT; /* another kind is another thing */
    assert_int_equal(store_add_work(rows->store, &again), 0);
    struct tenant other = rows_tenant(9999);
    other.key[0] = 'f';
    assert_int_equal(store_add_tenant(rows->store, &other), 0);
    again.tenant_id = other.id;
    again.kind = WORK_ORDER_CHANGED; /* and so is another merchant's */
    assert_int_equal(store_add_work(rows->store, &again), 0);
    assert_int_equal(open_work(rows->store).count, 2);
}

static void what_is_open_comes_by_when_it_is_due(void **state)
{
    struct rows *rows = conformance_rows(state);
    add(rows, 1, NOW_US + 30);
    add(rows, 2, NOW_US + 10);
    struct work done = add(rows, 3, NOW_US + 5);
    struct work given_up = add(rows, 4, NOW_US + 6);
    add(rows, 5, NOW_US + 20);
    end(rows, &done, WORK_DONE, NOW_US + 7);
    end(rows, &given_up, WORK_GIVEN_UP, NOW_US + 8);
    struct found found = open_work(rows->store);
    assert_int_equal(found.count, 3);
    assert_int_equal(found.works[0].subject_id, ORDER + 2);
    assert_int_equal(found.works[1].subject_id, ORDER + 5);
    assert_int_equal(found.works[2].subject_id, ORDER + 1);
    assert_int_equal(count_open(rows->store), 3);
}

static void the_backlog_of_one_tenant_does_not_hide_another_s(void **state)
{
    struct rows *rows = conformance_rows(state);
    struct tenant other = rows_tenant(9999);
    other.key[0] = 'f';
    assert_int_equal(store_add_tenant(rows->store, &other), 0);
    for (int i = 1; i <= 10; i++)
        add(rows, i, NOW_US + i);
    rows->tenant = other;
    add(rows, 11, NOW_US + 11);
    struct found found = {0};
    assert_int_equal(store_each_open_work(rows->store, 3, 32, on_work, &found), 0);
    assert_int_equal(found.count, 4);
    assert_int_equal(found.works[2].subject_id, ORDER + 3);
    assert_int_equal(found.works[3].tenant_id, other.id);
    found.count = 0;
    assert_int_equal(store_each_open_work(rows->store, 3, 2, on_work, &found), 0);
    assert_int_equal(found.count, 2);
    assert_int_equal(found.works[0].subject_id, ORDER + 1);
}

static void add_kind(struct rows *rows, enum work_kind kind, int64_t subject_id, int64_t due_us)
{
    struct work work = work_make(rows->tenant.id, kind, subject_id, subject_id, due_us);
    assert_int_equal(store_add_work(rows->store, &work), 0);
}

static void what_money_waits_for_comes_before_proofs_and_sweeps(void **state)
{
    struct rows *rows = conformance_rows(state);
    for (int i = 0; i < 10; i++)
        add_kind(rows, WORK_PROVE_ORDER, ORDER + i, NOW_US + i);
    add_kind(rows, WORK_SWEEP, rows->tenant.id, NOW_US - 2);
    add_kind(rows, WORK_NOTIFY, 42, NOW_US - 1);
    add_kind(rows, WORK_POST_PAYMENT, 43, NOW_US + 100);
    add_kind(rows, WORK_ORDER_CHANGED, 44, NOW_US + 200);
    struct found found = {0};
    assert_int_equal(store_each_open_work(rows->store, 3, 32, on_work, &found), 0);
    assert_int_equal(found.count, 5);
    assert_int_equal(found.works[0].kind, WORK_POST_PAYMENT);
    assert_int_equal(found.works[1].kind, WORK_ORDER_CHANGED);
    assert_int_equal(found.works[2].kind, WORK_SWEEP);
    assert_int_equal(found.works[3].kind, WORK_NOTIFY);
    assert_int_equal(found.works[4].subject_id, ORDER);
    found.count = 0;
    assert_int_equal(store_each_open_work(rows->store, 3, 1, on_work, &found), 0);
    assert_int_equal(found.count, 2);
    assert_int_equal(found.works[0].kind, WORK_POST_PAYMENT);
    assert_int_equal(found.works[1].kind, WORK_SWEEP);
}

static void what_was_given_up_can_be_tried_again(void **state)
{
    struct rows *rows = conformance_rows(state);
    int64_t tenant_id = rows->tenant.id;
    struct work given_up = add(rows, 1, NOW_US);
    struct work done = add(rows, 2, NOW_US);
    struct work open = add(rows, 3, NOW_US + 7);
    given_up.attempts = 20;
    end(rows, &given_up, WORK_GIVEN_UP, NOW_US + 1);
    end(rows, &done, WORK_DONE, NOW_US + 1);
    assert_int_equal(store_reopen_work(rows->store, tenant_id + 1, given_up.id, NOW_US + 9),
                     ERR_NOT_FOUND); /* another merchant's */
    assert_int_equal(store_reopen_work(rows->store, tenant_id, done.id, NOW_US + 9), ERR_NOT_FOUND);
    assert_int_equal(store_reopen_work(rows->store, tenant_id, open.id, NOW_US + 9), ERR_NOT_FOUND);
    assert_int_equal(store_reopen_work(rows->store, tenant_id, given_up.id, NOW_US + 9), 0);
    struct work payment = work_make(tenant_id, WORK_POST_PAYMENT, 7, 7, NOW_US + 60);
    assert_int_equal(store_add_work(rows->store, &payment), 0);
    end(rows, &payment, WORK_GIVEN_UP, NOW_US + 1);
    assert_int_equal(store_reopen_work(rows->store, tenant_id, payment.id, NOW_US + 9), 0);
    end(rows, &payment, WORK_GIVEN_UP, NOW_US + 69); /* whoever was at it before */
    payment = see(rows->store, tenant_id, payment.id);
    assert_int_equal(payment.state, WORK_OPEN);
    assert_int_equal(payment.due_at_us, NOW_US + 60);
    end(rows, &payment, WORK_DONE, NOW_US + 70);
    struct found found = open_work(rows->store);
    assert_int_equal(found.count, 2);
    assert_int_equal(found.works[0].id, open.id);
    assert_int_equal(found.works[1].id, given_up.id);
    assert_int_equal(found.works[1].attempts, 0);
    assert_int_equal(found.works[1].due_at_us, NOW_US + 9);
    assert_int_equal(found.works[1].ended_at_us, 0);
}

static void only_so_much_is_hastened_at_a_time(void **state)
{
    struct rows *rows = conformance_rows(state);
    int32_t hastened;
    for (int i = 0; i < WORK_HASTEN_MAX + 5; i++)
        add(rows, i, NOW_US + 30);
    assert_int_equal(store_hasten_work(rows->store, rows->tenant.id, NOW_US, &hastened), 0);
    assert_int_equal(hastened, WORK_HASTEN_MAX);
    assert_int_equal(store_hasten_work(rows->store, rows->tenant.id, NOW_US, &hastened), 0);
    assert_int_equal(hastened, 5);
    assert_int_equal(store_hasten_work(rows->store, rows->tenant.id, NOW_US, &hastened), 0);
    assert_int_equal(hastened, 0);
}

static void what_waited_is_due_when_its_tenant_is_connected(void **state)
{
    struct rows *rows = conformance_rows(state);
    struct tenant other = rows_tenant(9999);
    other.key[0] = 'f';
    assert_int_equal(store_add_tenant(rows->store, &other), 0);
    add(rows, 1, NOW_US + 30);
    add(rows, 2, NOW_US - 5);
    struct work ended = add(rows, 3, NOW_US + 30);
    end(rows, &ended, WORK_GIVEN_UP, NOW_US);
    struct work payment = work_make(rows->tenant.id, WORK_POST_PAYMENT, 7, 7, NOW_US + 40);
    assert_int_equal(store_add_work(rows->store, &payment), 0);
    int64_t tenant_id = rows->tenant.id;
    rows->tenant = other;
    add(rows, 4, NOW_US + 30);
    int32_t hastened;
    assert_int_equal(store_hasten_work(rows->store, tenant_id, NOW_US, &hastened), 0);
    assert_int_equal(hastened, 1);
    struct found found = open_work(rows->store);
    assert_int_equal(found.works[0].due_at_us, NOW_US - 5);
    assert_int_equal(found.works[1].due_at_us, NOW_US);
    assert_int_equal(found.works[2].due_at_us, NOW_US + 30);
    assert_int_equal(found.works[3].due_at_us, NOW_US + 40); /* it may be on its way */
    assert_int_equal(see(rows->store, tenant_id, ended.id).due_at_us, NOW_US + 30);
}

static void people_are_shown_what_is_open_or_was_given_up(void **state)
{
    struct rows *rows = conformance_rows(state);
    struct work done = add(rows, 1, NOW_US);
    struct work given_up = add(rows, 2, NOW_US);
    struct work open = add(rows, 3, NOW_US + 9999999);
    end(rows, &done, WORK_DONE, NOW_US + 1);
    end(rows, &given_up, WORK_GIVEN_UP, NOW_US + 1);
    struct found found = for_people(rows->store, rows->tenant.id);
    assert_int_equal(found.count, 2);
    assert_int_equal(found.works[0].id, open.id);
    assert_int_equal(found.works[1].id, given_up.id);
    assert_int_equal(for_people(rows->store, rows->tenant.id + 1).count, 0);
}

static void work_that_is_not_there_cannot_be_changed(void **state)
{
    struct rows *rows = conformance_rows(state);
    struct work work = add(rows, 1, NOW_US);
    work.id += 1;
    assert_int_equal(store_update_work(rows->store, &work), ERR_NOT_FOUND);
    check_hook = rows_on_failed_check;
    work.id = 1;
    work.state = WORK_DONE; /* ended, and does not say when */
    expect_assert_failure((void)!store_update_work(rows->store, &work));
    work.state = WORK_OPEN;
    work.subject_id = 0;
    expect_assert_failure((void)!store_add_work(rows->store, &work));
    check_hook = NULL;
}

static void old_work_is_forgotten_and_what_is_open_never(void **state)
{
    struct rows *rows = conformance_rows(state);
    int32_t forgotten;
    struct work old = add(rows, 1, NOW_US);
    struct work young = add(rows, 2, NOW_US);
    struct work given_up = add(rows, 3, NOW_US);
    add(rows, 4, 5); /* open since the beginning of time */
    end(rows, &old, WORK_DONE, NOW_US + 10);
    end(rows, &young, WORK_DONE, NOW_US + 20);
    end(rows, &given_up, WORK_GIVEN_UP, NOW_US + 19);
    assert_int_equal(store_forget_work(rows->store, NOW_US + 20, &forgotten), 0);
    assert_int_equal(forgotten, 2);
    assert_int_equal(store_forget_work(rows->store, NOW_US + 20, &forgotten), 0);
    assert_int_equal(forgotten, 0);
    assert_int_equal(count_open(rows->store), 1);
    struct work again = work_make(rows->tenant.id, WORK_ORDER_CHANGED, 5, 2, NOW_US);
    assert_int_equal(store_add_work(rows->store, &again), ERR_ALREADY_EXISTS); /* young is kept */
    again = work_make(rows->tenant.id, WORK_ORDER_CHANGED, 5, 1, NOW_US);
    assert_int_equal(store_add_work(rows->store, &again), 0);
}

static void only_so_much_is_forgotten_at_a_time(void **state)
{
    struct rows *rows = conformance_rows(state);
    int32_t forgotten;
    for (int i = 1; i <= WORK_FORGET_MAX + 1; i++) {
        struct work work = add(rows, i, NOW_US);
        end(rows, &work, WORK_DONE, NOW_US);
    }
    assert_int_equal(store_forget_work(rows->store, NOW_US + 1, &forgotten), 0);
    assert_int_equal(forgotten, WORK_FORGET_MAX);
    assert_int_equal(store_forget_work(rows->store, NOW_US + 1, &forgotten), 0);
    assert_int_equal(forgotten, 1);
}

/* --- work with one row for all reasons --- */

static struct work open_again(struct rows *rows, int64_t due_at_us, int64_t created_at_us)
{
    struct work work = work_make(rows->tenant.id, WORK_PROVE_ORDER, ORDER, ORDER, created_at_us);
    work.due_at_us = due_at_us;
    assert_int_equal(store_open_work(rows->store, &work), 0);
    return work;
}

static void what_is_open_is_opened_again_for_the_earlier_time(void **state)
{
    struct rows *rows = conformance_rows(state);
    struct work first = open_again(rows, NOW_US + 50, NOW_US);
    assert_int_equal(first.openings, 0);
    first.attempts = 7;
    snprintf(first.reason, sizeof(first.reason), "the order is open");
    assert_int_equal(store_update_work(rows->store, &first), 0);
    struct work later = open_again(rows, NOW_US + 60, NOW_US + 10);
    assert_int_equal(later.id, first.id);
    assert_int_equal(later.due_at_us, NOW_US + 50);
    assert_int_equal(later.created_at_us, NOW_US); /* as old as it is */
    assert_int_equal(later.attempts, 0);
    assert_string_equal(later.reason, "the order is open");
    struct work earlier = open_again(rows, NOW_US + 40, NOW_US + 20);
    assert_int_equal(earlier.due_at_us, NOW_US + 40);
    struct found found = open_work(rows->store);
    assert_int_equal(found.count, 1);
    assert_same_work(&found.works[0], &earlier);
}

static void work_is_found_by_what_it_is_told_apart_by(void **state)
{
    struct rows *rows = conformance_rows(state);
    struct work made = open_again(rows, NOW_US + 50, NOW_US);
    struct work found = work_make(rows->tenant.id, WORK_PROVE_ORDER, ORDER, ORDER, NOW_US + 1);
    assert_int_equal(store_find_work(rows->store, &found), 0);
    assert_same_work(&found, &made);
    end(rows, &made, WORK_GIVEN_UP, NOW_US + 60);
    assert_int_equal(store_find_work(rows->store, &found), 0);
    assert_int_equal(found.state, WORK_GIVEN_UP);
    struct work others[] = {
        work_make(rows->tenant.id, WORK_PROVE_ORDER, ORDER, ORDER + 1, NOW_US),
        work_make(rows->tenant.id, WORK_NOTIFY, ORDER, ORDER, NOW_US),
        work_make(rows->tenant.id + 1, WORK_PROVE_ORDER, ORDER, ORDER, NOW_US),
    };
    for (size_t i = 0; i < COUNT_OF(others); i++)
        assert_int_equal(store_find_work(rows->store, &others[i]), ERR_NOT_FOUND);
}

static void what_had_ended_is_opened_as_if_it_were_new(void **state)
{
    struct rows *rows = conformance_rows(state);
    for (int i = 0; i < 2; i++) {
        struct work work = open_again(rows, NOW_US + i, NOW_US + i);
        work.attempts = 3;
        snprintf(work.reason, sizeof(work.reason), "it cannot be read");
        end(rows, &work, i == 0 ? WORK_DONE : WORK_GIVEN_UP, NOW_US + 5);
        assert_int_equal(count_open(rows->store), 0);
        struct work again = open_again(rows, NOW_US + 90, NOW_US + 80);
        assert_int_equal(again.id, work.id);
        assert_int_equal(again.state, WORK_OPEN);
        assert_int_equal(again.due_at_us, NOW_US + 90); /* not when it was due long ago */
        assert_int_equal(again.created_at_us, NOW_US + 80);
        assert_int_equal(again.ended_at_us, 0);
        assert_int_equal(again.attempts, 0);
        assert_string_equal(again.reason, "");
        end(rows, &again, WORK_DONE, NOW_US + 95);
    }
}

static void who_began_before_it_was_opened_again_does_not_end_it(void **state)
{
    struct rows *rows = conformance_rows(state);
    open_again(rows, NOW_US, NOW_US);
    struct work begun = open_work(rows->store).works[0];
    struct work opened = open_again(rows, NOW_US + 7, NOW_US + 7); /* while somebody is at it */
    end(rows, &begun, WORK_DONE, NOW_US + 9);
    struct found found = open_work(rows->store);
    assert_int_equal(found.count, 1);
    assert_same_work(&found.works[0], &opened);
    end(rows, &found.works[0], WORK_DONE, NOW_US + 10);
    assert_int_equal(count_open(rows->store), 0);
    begun.id += 1;
    assert_int_equal(store_update_work(rows->store, &begun), ERR_NOT_FOUND);
}

static void what_one_has_taken_nobody_else_takes_or_ends(void **state)
{
    struct rows *rows = conformance_rows(state);
    open_again(rows, NOW_US, NOW_US);
    struct work late = open_work(rows->store).works[0];
    struct work ours = late;
    ours.due_at_us = NOW_US + 60;
    assert_int_equal(store_take_work(rows->store, &ours), 0);
    assert_int_equal(store_take_work(rows->store, &late), ERR_STALE);
    end(rows, &late, WORK_GIVEN_UP, NOW_US + 9); /* whoever was stopped for long */
    struct found found = open_work(rows->store);
    assert_int_equal(found.count, 1);
    assert_same_work(&found.works[0], &ours);
    assert_int_equal(store_take_work(rows->store, &ours), 0); /* its own again */
    end(rows, &ours, WORK_DONE, NOW_US + 10);
    struct work ended = ours;
    ended.state = WORK_OPEN;
    ended.ended_at_us = 0;
    assert_int_equal(store_take_work(rows->store, &ended), ERR_STALE);
    ended.id++;
    assert_int_equal(store_take_work(rows->store, &ended), ERR_NOT_FOUND);
}

static void what_has_ended_ends_once(void **state)
{
    struct rows *rows = conformance_rows(state);
    struct work work = open_again(rows, NOW_US, NOW_US);
    struct work late = work;
    end(rows, &work, WORK_DONE, NOW_US + 5);
    late.attempts = 3;
    end(rows, &late, WORK_GIVEN_UP, NOW_US + 9);
    assert_int_equal(store_find_work(rows->store, &late), 0);
    assert_same_work(&late, &work);
    late = work;
    late.state = WORK_OPEN;
    late.ended_at_us = 0;
    assert_int_equal(store_update_work(rows->store, &late), 0);
    assert_int_equal(count_open(rows->store), 0);
}

static void work_is_found_by_its_identity_open_or_ended(void **state)
{
    struct rows *rows = conformance_rows(state);
    struct work work = open_again(rows, NOW_US + 50, NOW_US);
    struct work found = work_make(rows->tenant.id, WORK_PROVE_ORDER, 1, ORDER, 1);
    assert_int_equal(store_find_work(rows->store, &found), 0);
    assert_same_work(&found, &work);
    end(rows, &work, WORK_DONE, NOW_US + 60);
    assert_int_equal(store_find_work(rows->store, &found), 0);
    assert_same_work(&found, &work);
    found.kind = WORK_ORDER_CHANGED;
    assert_int_equal(store_find_work(rows->store, &found), ERR_NOT_FOUND);
    found.kind = WORK_PROVE_ORDER;
    found.tenant_id++;
    assert_int_equal(store_find_work(rows->store, &found), ERR_NOT_FOUND);
}

static void work_is_there_after_reopening_and_for_readers(void **state)
{
    struct rows *rows = conformance_rows(state);
    if (!conformance_backend()->is_shared)
        skip();
    struct work work = add(rows, 1, NOW_US);
    conformance_reopen(state);
    struct store *reader = conformance_open_reader(state);
    struct found found = open_work(reader);
    assert_int_equal(found.count, 1);
    assert_same_work(&found.works[0], &work);
    assert_int_equal(count_open(reader), 1);
    store_close(reader);
}

/* --- work that follows from a decision --- */

static void approve(struct rows *rows)
{
    struct foreign_change change = {.tenant_id = rows->tenant.id, .to.state = FOREIGN_REQUESTED};
    assert_int_equal(store_add_foreign_change(rows->store, &change), 0);
    change.to.state = FOREIGN_APPROVED;
    assert_int_equal(store_add_foreign_change(rows->store, &change), 0);
}

static void a_charge_whose_payment_is_ours_is_stored_with_the_work_for_it(void **state)
{
    struct rows *rows = conformance_rows(state);
    rows_run(rows, rows_issue(rows, CARD_A, 1000));
    struct command charge = rows_command(rows, ACTION_CHARGE, CARD_A, ORDER, 700);
    charge.payment_is_ours = true;
    approve(rows);
    struct outcome outcome = rows_run(rows, charge);
    struct found found = open_work(rows->store);
    assert_int_equal(found.count, 1);
    assert_int_equal(found.works[0].kind, WORK_POST_PAYMENT);
    assert_int_equal(found.works[0].subject_id, outcome.operation_id);
    assert_int_equal(found.works[0].due_at_us, rows->now_us);
    assert_true(rows_run(rows, charge).is_replay); /* a retry books nothing twice */
    charge.asked_minor = 400;                      /* 300 approved: a part is booked */
    assert_int_equal(rows_run(rows, charge).amount_minor, 300);
    charge.asked_minor = 500;
    assert_int_equal(rows_run(rows, charge).result, RESULT_NO_FUNDS);
    assert_int_equal(count_open(rows->store), 2);
    rows_run(rows, rows_issue(rows, CARD_B, 1000));
    struct command twice[2] = {rows_command(rows, ACTION_CHARGE, CARD_B, ORDER, 700)};
    twice[0].payment_is_ours = true;
    twice[1] = twice[0]; /* and its retry in the same batch */
    rows_run_all(rows, twice, 2);
    assert_true(rows->batch->outcomes[1].is_replay);
    assert_int_equal(count_open(rows->store), 3);
}

static void a_rolled_back_charge_leaves_no_work(void **state)
{
    struct rows *rows = conformance_rows(state);
    rows_run(rows, rows_issue(rows, CARD_A, 1000));
    struct command charge = rows_command(rows, ACTION_CHARGE, CARD_A, ORDER, 700);
    charge.payment_is_ours = true;
    approve(rows);
    rows_decide(rows, &charge, 1);
    rows->batch->view.cards[0].version_loaded++;
    assert_int_equal(store_commit(rows->store, rows->batch), ERR_STORE_CONSTRAINT);
    assert_int_equal(count_open(rows->store), 0);
}

static void where_the_register_books_it_a_charge_leaves_no_work(void **state)
{
    struct rows *rows = conformance_rows(state);
    rows_run(rows, rows_issue(rows, CARD_A, 1000));
    rows_run(rows, rows_command(rows, ACTION_CHARGE, CARD_A, ORDER, 100));
    rows_run(rows, rows_command(rows, ACTION_TOP_UP, CARD_A, ORDER, 50));
    assert_int_equal(count_open(rows->store), 0);
}

/* There is nothing to add its payment to, and somebody must know. */
static void a_charge_whose_payment_is_ours_leaves_work_also_without_an_order(void **state)
{
    struct rows *rows = conformance_rows(state);
    rows_run(rows, rows_issue(rows, CARD_A, 1000));
    struct command no_order = rows_command(rows, ACTION_CHARGE, CARD_A, 0, 100);
    no_order.payment_is_ours = true;
    approve(rows);
    struct outcome outcome = rows_run(rows, no_order);
    assert_int_equal(outcome.result, RESULT_OK);
    struct found found = open_work(rows->store);
    assert_int_equal(found.count, 1);
    assert_int_equal(found.works[0].kind, WORK_POST_PAYMENT);
    assert_int_equal(found.works[0].subject_id, outcome.operation_id);
}

static void the_order_of_a_held_load_is_looked_at_later_also_without_a_webhook(void **state)
{
    struct rows *rows = conformance_rows(state);
    rows->tenant.policy.top_up_is_held = true;
    rows_run(rows, rows_issue(rows, CARD_A, 1000));
    struct command load = rows_command(rows, ACTION_TOP_UP, CARD_A, ORDER, 50);
    assert_int_equal(rows_run(rows, load).action, ACTION_HOLD_LOAD);
    assert_true(rows_run(rows, load).is_replay);
    assert_int_equal(count_open(rows->store), 1);
    struct found found = open_work(rows->store);
    int64_t due_us = found.works[0].due_at_us;
    assert_true(due_us > rows->now_us && due_us <= rows->now_us + WORK_HELD_LOOK_US);
    assert_int_equal(found.works[0].kind, WORK_ORDER_CHANGED);
    assert_int_equal(found.works[0].subject_id, ORDER);
}

/* --- what an order has left --- */

struct held {
    int64_t ids[8];
    int count;
};

static void on_held(void *context, const struct card *card)
{
    struct held *held = context;
    assert_true(held->count < 8);
    held->ids[held->count++] = card->id;
}

static struct held held_of(struct rows *rows, int64_t order_id, int32_t limit)
{
    struct held held = {0};
    assert_int_equal(
        store_each_held_card(rows->store, rows->tenant.id, order_id, limit, on_held, &held), 0);
    return held;
}

static void cards_that_wait_for_an_order_are_found_until_their_release(void **state)
{
    struct rows *rows = conformance_rows(state);
    rows_run(rows, rows_issue(rows, CARD_A, 1000));                       /* card 1 */
    rows_run(rows, rows_issue(rows, CARD_B, 1000));                       /* card 2 */
    rows_run(rows, rows_command(rows, ACTION_TOP_UP, CARD_B, ORDER, 20)); /* moved at once */
    rows->tenant.policy.top_up_is_held = true;
    rows_run(rows, rows_command(rows, ACTION_TOP_UP, CARD_B, ORDER, 50));
    rows_run(rows, rows_command(rows, ACTION_TOP_UP, CARD_B, ORDER, 60));
    rows_run(rows, rows_command(rows, ACTION_TOP_UP, CARD_A, ORDER, 50));
    rows_run(rows, rows_command(rows, ACTION_TOP_UP, CARD_A, ORDER + 1, 50));
    struct held held = held_of(rows, ORDER, 8);
    assert_int_equal(held.count, 2);
    assert_int_equal(held.ids[0], 1);
    assert_int_equal(held.ids[1], 2);
    assert_int_equal(held_of(rows, ORDER, 1).count, 1);
    assert_int_equal(held_of(rows, ORDER + 2, 8).count, 0);
    rows_run(rows, rows_command(rows, ACTION_RELEASE, CARD_B, ORDER, 0));
    held = held_of(rows, ORDER, 8);
    assert_int_equal(held.count, 1);
    assert_int_equal(held.ids[0], 1);
    rows_run(rows, rows_command(rows, ACTION_TOP_UP, CARD_B, ORDER, 70)); /* after the release */
    assert_int_equal(held_of(rows, ORDER, 8).count, 2);
    struct tenant other = rows_tenant(9999);
    other.key[0] = 'f';
    assert_int_equal(store_add_tenant(rows->store, &other), 0);
    rows->tenant = other;
    assert_int_equal(held_of(rows, ORDER, 8).count,
                     0); /* another merchant's order of that number */
}

static void the_points_that_answer_an_order_are_found(void **state)
{
    struct rows *rows = conformance_rows(state);
    struct member member = {.tenant_id = rows->tenant.id, .first_name = "David", .code = "M-1"};
    struct points_entry entry;
    struct points_outcome outcome;
    member.account.is_active = true;
    assert_int_equal(store_add_member(rows->store, &member), 0);
    struct points_command earn = {.action = POINTS_EARN,
                                  .tenant_id = rows->tenant.id,
                                  .member_id = member.id,
                                  .order_id = ORDER,
                                  .points = 45};
    assert_int_equal(store_run_points(rows->store, &earn, NOW_US, &outcome), 0);
    assert_int_equal(outcome.result, POINTS_OK);
    assert_int_equal(
        store_read_order_entry(rows->store, rows->tenant.id, ORDER, POINTS_CAUSE_EARN, &entry), 0);
    assert_int_equal(entry.member_id, member.id);
    assert_int_equal(entry.points, 45);
    assert_int_equal(
        store_read_order_entry(rows->store, rows->tenant.id, ORDER, POINTS_CAUSE_UNEARN, &entry),
        ERR_NOT_FOUND);
    assert_int_equal(
        store_read_order_entry(rows->store, rows->tenant.id + 1, ORDER, POINTS_CAUSE_EARN, &entry),
        ERR_NOT_FOUND);
}

static bool is_counted(const struct rows *rows, int64_t tenant_id, int64_t order_id)
{
    bool is_counted;
    assert_int_equal(store_is_order_counted(rows->store, tenant_id, order_id, &is_counted), 0);
    return is_counted;
}

static void an_order_is_counted_when_it_has_earned_or_was_done_without(void **state)
{
    struct rows *rows = conformance_rows(state);
    int64_t tenant_id = rows->tenant.id;
    struct work work = add(rows, 0, NOW_US);
    struct work ignored = add(rows, 1, NOW_US);
    struct points_outcome outcome;
    assert_false(is_counted(rows, tenant_id, ORDER)); /* open */
    work.state = WORK_DONE;
    work.ended_at_us = NOW_US;
    assert_int_equal(store_update_work(rows->store, &work), 0);
    assert_true(is_counted(rows, tenant_id, ORDER));
    assert_false(is_counted(rows, tenant_id + 1, ORDER));
    ignored.state = WORK_DONE;
    ignored.ended_at_us = NOW_US;
    snprintf(ignored.reason, sizeof(ignored.reason), "ignored");
    assert_int_equal(store_update_work(rows->store, &ignored), 0);
    assert_false(is_counted(rows, tenant_id, ORDER + 1));
    struct member member = {.tenant_id = tenant_id, .first_name = "David", .code = "M-1"};
    member.account.is_active = true;
    assert_int_equal(store_add_member(rows->store, &member), 0);
    struct points_command earn = {.action = POINTS_EARN,
                                  .tenant_id = tenant_id,
                                  .member_id = member.id,
                                  .order_id = ORDER + 2,
                                  .points = 45};
    assert_false(is_counted(rows, tenant_id, ORDER + 2));
    assert_int_equal(store_run_points(rows->store, &earn, NOW_US, &outcome), 0);
    assert_true(is_counted(rows, tenant_id, ORDER + 2));
}

static void one_operation_is_read_by_its_id(void **state)
{
    struct rows *rows = conformance_rows(state);
    struct operation operation;
    rows_run(rows, rows_issue(rows, CARD_A, 1000));
    struct outcome outcome = rows_run(rows, rows_command(rows, ACTION_CHARGE, CARD_A, ORDER, 100));
    assert_int_equal(store_read_operation(rows->store, outcome.operation_id, &operation), 0);
    assert_int_equal(operation.order_id, ORDER);
    assert_int_equal(operation.amount_minor, 100);
    assert_int_equal(store_read_operation(rows->store, 99, &operation), ERR_NOT_FOUND);
}

struct order_ids {
    int64_t ids[8];
    int32_t count;
};

static void take_id(void *context, const struct operation *operation)
{
    struct order_ids *found = context;
    assert_int_equal(operation->result, RESULT_OK);
    assert_int_equal(operation->order_id, ORDER);
    assert_in_range(found->count, 0, COUNT_OF(found->ids) - 1);
    found->ids[found->count++] = operation->id;
}

static void what_succeeded_on_an_order_is_read_whatever_the_card(void **state)
{
    struct rows *rows = conformance_rows(state);
    struct order_ids found = {.count = 0};
    int64_t ids[3];
    rows_run(rows, rows_issue(rows, CARD_A, 1000));
    rows_run(rows, rows_issue(rows, CARD_B, 1000));
    ids[0] = rows_run(rows, rows_command(rows, ACTION_CHARGE, CARD_B, ORDER, 100)).operation_id;
    ids[1] = rows_run(rows, rows_command(rows, ACTION_CHARGE, CARD_A, ORDER, 200)).operation_id;
    rows_run(rows, rows_command(rows, ACTION_CHARGE, CARD_A, ORDER + 1, 300));
    rows_run(rows, rows_command(rows, ACTION_REFUND, CARD_B, ORDER, 99999)); /* refused */
    ids[2] = rows_run(rows, rows_command(rows, ACTION_REFUND, CARD_B, ORDER, 50)).operation_id;
    int64_t tenant_id = rows->tenant.id;
    assert_int_equal(store_each_order_operation(rows->store, tenant_id, ORDER, 8, take_id, &found),
                     0);
    assert_int_equal(found.count, 3);
    assert_memory_equal(found.ids, ids, sizeof(ids));
    found.count = 0;
    assert_int_equal(store_each_order_operation(rows->store, tenant_id, ORDER, 2, take_id, &found),
                     0);
    assert_int_equal(found.count, 2);
    assert_int_equal(found.ids[0], ids[0]);
    found.count = 0;
    assert_int_equal(
        store_each_order_operation(rows->store, tenant_id + 1, ORDER, 8, take_id, &found), 0);
    assert_int_equal(found.count, 0);
}

static const struct CMUnitTest conformance_works[] = {
    CONFORMANCE_TEST(work_is_read_back_field_by_field),
    CONFORMANCE_TEST(the_same_thing_asked_again_is_added_once),
    CONFORMANCE_TEST(what_is_open_comes_by_when_it_is_due),
    CONFORMANCE_TEST(the_backlog_of_one_tenant_does_not_hide_another_s),
    CONFORMANCE_TEST(what_money_waits_for_comes_before_proofs_and_sweeps),
    CONFORMANCE_TEST(what_was_given_up_can_be_tried_again),
    CONFORMANCE_TEST(what_waited_is_due_when_its_tenant_is_connected),
    CONFORMANCE_TEST(only_so_much_is_hastened_at_a_time),
    CONFORMANCE_TEST(people_are_shown_what_is_open_or_was_given_up),
    CONFORMANCE_TEST(work_that_is_not_there_cannot_be_changed),
    CONFORMANCE_TEST(old_work_is_forgotten_and_what_is_open_never),
    CONFORMANCE_TEST(only_so_much_is_forgotten_at_a_time),
    CONFORMANCE_TEST(what_is_open_is_opened_again_for_the_earlier_time),
    CONFORMANCE_TEST(work_is_found_by_what_it_is_told_apart_by),
    CONFORMANCE_TEST(what_had_ended_is_opened_as_if_it_were_new),
    CONFORMANCE_TEST(who_began_before_it_was_opened_again_does_not_end_it),
    CONFORMANCE_TEST(what_one_has_taken_nobody_else_takes_or_ends),
    CONFORMANCE_TEST(what_has_ended_ends_once),
    CONFORMANCE_TEST(work_is_found_by_its_identity_open_or_ended),
    CONFORMANCE_TEST(work_is_there_after_reopening_and_for_readers),
    CONFORMANCE_TEST(a_charge_whose_payment_is_ours_is_stored_with_the_work_for_it),
    CONFORMANCE_TEST(a_rolled_back_charge_leaves_no_work),
    CONFORMANCE_TEST(where_the_register_books_it_a_charge_leaves_no_work),
    CONFORMANCE_TEST(a_charge_whose_payment_is_ours_leaves_work_also_without_an_order),
    CONFORMANCE_TEST(the_order_of_a_held_load_is_looked_at_later_also_without_a_webhook),
    CONFORMANCE_TEST(cards_that_wait_for_an_order_are_found_until_their_release),
    CONFORMANCE_TEST(the_points_that_answer_an_order_are_found),
    CONFORMANCE_TEST(an_order_is_counted_when_it_has_earned_or_was_done_without),
    CONFORMANCE_TEST(one_operation_is_read_by_its_id),
    CONFORMANCE_TEST(what_succeeded_on_an_order_is_read_whatever_the_card),
};

int conformance_run_work(const char *name)
{
    return _cmocka_run_group_tests(name, conformance_works, COUNT_OF(conformance_works), NULL,
                                   NULL);
}
