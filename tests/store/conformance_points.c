/*
 * The conformance suite of rewards and points.
 */
#include "tests/store/conformance_points.h"

#include "base/error.h"
#include "tests/store/loyalty.h"

#include <stdio.h>
#include <string.h>

#define LIST_MAX 128

static const struct conformance_backend *suite_backend;

struct fixture {
    struct rows rows;
    char location[LOCATION_MAX];
    int64_t member_id;
    int64_t reward_id;
};

static int setup(void **state)
{
    struct fixture *fixture = test_calloc(1, sizeof(*fixture));
    rows_init(&fixture->rows, 1);
    suite_backend->create(fixture->location);
    rows_open(&fixture->rows, fixture->location);
    fixture->member_id = loyalty_member(&fixture->rows, "M-1");
    fixture->reward_id = loyalty_add_reward(&fixture->rows);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    rows_finish(&fixture->rows);
    suite_backend->remove(fixture->location);
    test_free(fixture);
    return 0;
}

static struct points_command reserve(struct fixture *fixture, const char *token_id,
                                     int64_t order_id)
{
    return loyalty_reserve(&fixture->rows, fixture->member_id, fixture->reward_id, token_id,
                           order_id, 20);
}

/* With 100 points, and a reservation of 20 of them for order 11. */
static int64_t reserve_20_of_100(struct fixture *fixture)
{
    struct rows *rows = &fixture->rows;
    loyalty_run_to(rows, loyalty_grant(rows, fixture->member_id, 100), POINTS_OK);
    return loyalty_run_to(rows, reserve(fixture, "token-1", 11), POINTS_OK).reservation.id;
}

static struct rows other_tenant(struct fixture *fixture)
{
    struct rows rows = fixture->rows;
    rows.tenant = rows_tenant(9999);
    assert_int_equal(store_add_tenant(rows.store, &rows.tenant), 0);
    return rows;
}

static void assert_account(struct fixture *fixture, int64_t points, int64_t points_held)
{
    struct points_account account = loyalty_account(&fixture->rows, fixture->member_id);
    assert_int_equal(account.points, points);
    assert_int_equal(account.points_held, points_held);
}

/* --- what the walks give --- */

struct list {
    int count;
    struct reward rewards[LIST_MAX];
    struct reservation reservations[LIST_MAX];
    struct points_entry entries[LIST_MAX];
    struct member members[4];
};

static struct list list;

static void on_reward(void *context, const struct reward *reward)
{
    struct list *into = context;
    assert_true(into->count < LIST_MAX);
    into->rewards[into->count++] = *reward;
}

static void on_reservation(void *context, const struct reservation *reservation)
{
    struct list *into = context;
    assert_true(into->count < LIST_MAX);
    into->reservations[into->count++] = *reservation;
}

static void on_entry(void *context, const struct points_entry *entry)
{
    struct list *into = context;
    assert_true(into->count < LIST_MAX);
    into->entries[into->count++] = *entry;
}

static void on_member(void *context, const struct member *member)
{
    struct list *into = context;
    assert_true(into->count < 4);
    into->members[into->count++] = *member;
}

static int list_open(struct rows *rows, enum reservation_state reserved_or_applied,
                     int64_t changed_before_us, int32_t limit)
{
    list.count = 0;
    assert_int_equal(store_each_open_reservation(rows->store, reserved_or_applied,
                                                 changed_before_us, limit, on_reservation, &list),
                     0);
    return list.count;
}

static int list_entries(struct rows *rows, int64_t member_id, int32_t limit)
{
    list.count = 0;
    assert_int_equal(
        store_each_points_entry(rows->store, rows->tenant.id, member_id, limit, on_entry, &list),
        0);
    return list.count;
}

static int list_idle(struct rows *rows, int64_t since_us, int32_t limit)
{
    list.count = 0;
    assert_int_equal(
        store_each_idle_member(rows->store, rows->tenant.id, since_us, limit, on_member, &list), 0);
    return list.count;
}

/* --- rewards --- */

static void assert_same_reward(const struct reward *a, const struct reward *b)
{
    assert_int_equal(a->id, b->id);
    assert_int_equal(a->tenant_id, b->tenant_id);
    assert_string_equal(a->title, b->title);
    assert_string_equal(a->terms, b->terms);
    assert_int_equal(a->points, b->points);
    assert_int_equal(a->effect, b->effect);
    assert_int_equal(a->amount_minor, b->amount_minor);
    assert_int_equal(a->percent_bp, b->percent_bp);
    assert_int_equal(a->product_id, b->product_id);
    assert_int_equal(a->is_active, b->is_active);
}

static void reward_is_read_back_field_by_field(void **state)
{
    struct rows *rows = &((struct fixture *)*state)->rows;
    struct reward found;
    struct reward reward = {.tenant_id = rows->tenant.id,
                            .title = "Caf\xc3\xa9",
                            .terms = "",
                            .points = 7,
                            .effect = REWARD_PRODUCT,
                            .amount_minor = 5,
                            .percent_bp = 1500,
                            .product_id = 7302};
    assert_int_equal(store_add_reward(rows->store, &reward), 0);
    assert_true(reward.id > 0);
    assert_int_equal(store_read_reward(rows->store, rows->tenant.id, reward.id, &found), 0);
    assert_same_reward(&found, &reward);
}

static void reward_is_updated_whole_and_alone(void **state)
{
    struct fixture *fixture = *state;
    struct rows *rows = &fixture->rows;
    struct reward other, found;
    struct reward changed = {.id = loyalty_add_reward(rows),
                             .tenant_id = rows->tenant.id,
                             .title = "A quarter off",
                             .terms = "Sundays",
                             .points = 99,
                             .effect = REWARD_PERCENT_OFF,
                             .percent_bp = 2500};
    assert_int_equal(store_update_reward(rows->store, &changed), 0);
    assert_int_equal(store_read_reward(rows->store, rows->tenant.id, changed.id, &found), 0);
    assert_same_reward(&found, &changed);
    assert_int_equal(store_read_reward(rows->store, rows->tenant.id, fixture->reward_id, &other),
                     0);
    assert_string_equal(other.title, "Ten dollars off");
}

static void reward_of_another_tenant_is_not_found(void **state)
{
    struct fixture *fixture = *state;
    struct rows other = other_tenant(fixture);
    struct reward reward;
    assert_int_equal(store_read_reward(other.store, other.tenant.id, fixture->reward_id, &reward),
                     ERR_NOT_FOUND);
    reward = loyalty_reward(other.tenant.id);
    reward.id = fixture->reward_id;
    assert_int_equal(store_update_reward(other.store, &reward), ERR_NOT_FOUND);
    reward = loyalty_reward(777);
    assert_int_equal(store_add_reward(other.store, &reward), ERR_NOT_FOUND);
}

static void rewards_are_listed_in_order_those_switched_off_too(void **state)
{
    struct fixture *fixture = *state;
    struct rows *rows = &fixture->rows;
    struct rows other = other_tenant(fixture);
    struct reward off = loyalty_reward(rows->tenant.id);
    off.is_active = false;
    loyalty_add_reward(&other);
    assert_int_equal(store_add_reward(rows->store, &off), 0);
    list.count = 0;
    assert_int_equal(store_each_reward(rows->store, rows->tenant.id, on_reward, &list), 0);
    assert_int_equal(list.count, 2);
    assert_int_equal(list.rewards[0].id, fixture->reward_id);
    assert_int_equal(list.rewards[1].id, off.id);
    assert_false(list.rewards[1].is_active);
}

static void rewards_of_a_tenant_are_bounded(void **state)
{
    struct fixture *fixture = *state;
    struct rows *rows = &fixture->rows;
    struct rows other = other_tenant(fixture);
    struct reward reward = loyalty_reward(rows->tenant.id);
    for (int i = 1; i < REWARDS_MAX; i++)
        loyalty_add_reward(rows);
    assert_int_equal(store_add_reward(rows->store, &reward), ERR_TOO_LARGE);
    loyalty_add_reward(&other); /* has its own hundred */
    list.count = 0;
    assert_int_equal(store_each_reward(rows->store, rows->tenant.id, on_reward, &list), 0);
    assert_int_equal(list.count, REWARDS_MAX);
}

/* --- points commands --- */

static void entry_is_read_back_field_by_field(void **state)
{
    struct fixture *fixture = *state;
    struct rows *rows = &fixture->rows;
    loyalty_run_to(rows, loyalty_grant(rows, fixture->member_id, 100), POINTS_OK);
    loyalty_run_to(rows, loyalty_earn(rows, fixture->member_id, 12, 25), POINTS_OK);
    int64_t earned_at_us = rows->now_us;
    assert_int_equal(list_entries(rows, fixture->member_id, 10), 2);
    const struct points_entry *entry = &list.entries[0];
    assert_int_equal(entry->id, 2);
    assert_int_equal(entry->tenant_id, rows->tenant.id);
    assert_int_equal(entry->member_id, fixture->member_id);
    assert_int_equal(entry->version, 2);
    assert_int_equal(entry->cause, POINTS_CAUSE_EARN);
    assert_int_equal(entry->points, 25);
    assert_int_equal(entry->points_after, 125);
    assert_int_equal(entry->order_id, 12);
    assert_int_equal(entry->reservation_id, 0);
    assert_int_equal(entry->previous_entry_id, 1);
    assert_int_equal(entry->created_at_us, earned_at_us);
    assert_string_equal(entry->reason, "");
    assert_string_equal(list.entries[1].reason, "goodwill");
    struct points_account account = loyalty_account(rows, fixture->member_id);
    assert_int_equal(account.points, 125);
    assert_int_equal(account.version, 2);
    assert_int_equal(account.last_entry_id, 2);
    assert_int_equal(account.active_at_us, earned_at_us);
    assert_true(account.is_active);
}

static void reservation_is_read_back_field_by_field(void **state)
{
    struct fixture *fixture = *state;
    struct rows *rows = &fixture->rows;
    struct reservation found;
    int64_t id = reserve_20_of_100(fixture);
    int64_t created_at_us = rows->now_us;
    assert_int_equal(store_read_reservation(rows->store, id, &found), 0);
    assert_int_equal(found.id, id);
    assert_int_equal(found.tenant_id, rows->tenant.id);
    assert_int_equal(found.member_id, fixture->member_id);
    assert_int_equal(found.reward_id, fixture->reward_id);
    assert_string_equal(found.token_id, "token-1");
    assert_int_equal(found.order_id, 11);
    assert_int_equal(found.site_id, LOYALTY_SITE);
    assert_int_equal(found.points, 20);
    assert_int_equal(found.state, RESERVATION_RESERVED);
    assert_false(found.is_unsure);
    assert_string_equal(found.reason, "");
    assert_int_equal(found.created_at_us, created_at_us);
    assert_int_equal(found.changed_at_us, created_at_us);
    struct points_command unsure = loyalty_move(rows, POINTS_MARK_UNSURE, id);
    snprintf(unsure.reason, sizeof(unsure.reason), "no reply");
    loyalty_run_to(rows, unsure, POINTS_OK);
    assert_int_equal(store_read_reservation(rows->store, id, &found), 0);
    assert_true(found.is_unsure);
    assert_string_equal(found.reason, "no reply");
    assert_int_equal(found.created_at_us, created_at_us);
    assert_int_equal(found.changed_at_us, rows->now_us);
    assert_int_equal(store_read_reservation(rows->store, id + 1, &found), ERR_NOT_FOUND);
}

static void life_of_a_redemption_is_kept(void **state)
{
    struct fixture *fixture = *state;
    struct rows *rows = &fixture->rows;
    int64_t id = reserve_20_of_100(fixture);
    struct points_command give_back = loyalty_move(rows, POINTS_RETURN, id);
    assert_account(fixture, 100, 20);
    loyalty_run_to(rows, loyalty_move(rows, POINTS_APPLY, id), POINTS_OK);
    assert_account(fixture, 100, 20);
    loyalty_run_to(rows, loyalty_move(rows, POINTS_BURN, id), POINTS_OK);
    assert_account(fixture, 80, 0);
    loyalty_run_to(rows, loyalty_move(rows, POINTS_BURN, id), POINTS_ALREADY_DONE);
    loyalty_run_to(rows, give_back, POINTS_WRONG_STATE);
    give_back.is_order_deleted = true;
    loyalty_run_to(rows, give_back, POINTS_OK);
    loyalty_run_to(rows, give_back, POINTS_ALREADY_DONE);
    assert_account(fixture, 100, 0);
    assert_int_equal(list_entries(rows, fixture->member_id, 10), 3);
    assert_int_equal(list.entries[0].cause, POINTS_CAUSE_RETURN);
    assert_int_equal(list.entries[0].reservation_id, id);
    assert_int_equal(list.entries[1].cause, POINTS_CAUSE_BURN);
    assert_int_equal(list.entries[1].points, -20);
}

static void refused_command_leaves_no_trace(void **state)
{
    struct fixture *fixture = *state;
    struct rows *rows = &fixture->rows;
    int64_t id = reserve_20_of_100(fixture);
    struct points_command greedy = reserve(fixture, "token-2", 12);
    greedy.points = 81;
    struct points_outcome outcome = loyalty_run_to(rows, greedy, POINTS_NOT_ENOUGH);
    assert_int_equal(outcome.account.points, 100);
    assert_int_equal(outcome.reservation.id, 0);
    assert_account(fixture, 100, 20);
    assert_int_equal(list_entries(rows, fixture->member_id, 10), 1);
    assert_int_equal(list_open(rows, RESERVATION_RESERVED, INT64_MAX, 10), 1);
    assert_int_equal(list.reservations[0].id, id);
}

static void order_earns_and_is_taken_back_once_whoever_asks(void **state)
{
    struct fixture *fixture = *state;
    struct rows *rows = &fixture->rows;
    int64_t other_id = loyalty_member(rows, "M-2");
    loyalty_run_to(rows, loyalty_earn(rows, fixture->member_id, 12, 25), POINTS_OK);
    loyalty_run_to(rows, loyalty_earn(rows, fixture->member_id, 12, 25), POINTS_ALREADY_DONE);
    loyalty_run_to(rows, loyalty_earn(rows, other_id, 12, 25), POINTS_ALREADY_DONE);
    loyalty_run_to(rows, loyalty_unearn(rows, fixture->member_id, 12, 12, 5), POINTS_OK);
    loyalty_run_to(rows, loyalty_unearn(rows, fixture->member_id, 12, 12, 5), POINTS_ALREADY_DONE);
    loyalty_run_to(rows, loyalty_unearn(rows, fixture->member_id, 13, 12, 5), POINTS_OK);
    assert_account(fixture, 15, 0);
    assert_int_equal(list_entries(rows, fixture->member_id, 1), 1);
    assert_int_equal(list.entries[0].order_id, 13);
    assert_int_equal(list.entries[0].sale_order_id, 12);
}

static void what_answers_a_reservation_is_found(void **state)
{
    struct fixture *fixture = *state;
    struct rows *rows = &fixture->rows;
    struct points_entry entry;
    int64_t id = reserve_20_of_100(fixture);
    assert_int_equal(store_read_points_answer(rows->store, id, POINTS_CAUSE_BURN, &entry),
                     ERR_NOT_FOUND);
    loyalty_run_to(rows, loyalty_move(rows, POINTS_BURN, id), POINTS_OK);
    assert_int_equal(store_read_points_answer(rows->store, id, POINTS_CAUSE_BURN, &entry), 0);
    assert_int_equal(entry.points, -20);
    assert_int_equal(entry.reservation_id, id);
    assert_int_equal(store_read_points_answer(rows->store, id, POINTS_CAUSE_RETURN, &entry),
                     ERR_NOT_FOUND);
    struct points_command back = loyalty_move(rows, POINTS_RETURN, id);
    back.is_order_deleted = true;
    loyalty_run_to(rows, back, POINTS_OK);
    assert_int_equal(store_read_points_answer(rows->store, id, POINTS_CAUSE_RETURN, &entry), 0);
    assert_int_equal(entry.points, 20);
}

static void a_sale_gives_up_what_it_earned_and_no_more(void **state)
{
    struct fixture *fixture = *state;
    struct rows *rows = &fixture->rows;
    struct rows other = other_tenant(fixture);
    int64_t id = fixture->member_id;
    int64_t other_id = loyalty_member(rows, "M-2");
    int64_t stranger_id = loyalty_member(&other, "M-1");
    loyalty_run_to(rows, loyalty_earn(rows, id, 12, 90), POINTS_OK);
    loyalty_run_to(rows, loyalty_earn(rows, id, 13, 90), POINTS_OK);
    loyalty_run_to(rows, loyalty_grant(rows, other_id, 500), POINTS_OK);
    loyalty_run_to(&other, loyalty_earn(&other, stranger_id, 12, 500), POINTS_OK);
    loyalty_run_to(rows, loyalty_unearn(rows, id, 20, 12, 45), POINTS_OK);
    loyalty_run_to(rows, loyalty_unearn(rows, id, 21, 12, 40), POINTS_OK);
    loyalty_run_to(rows, loyalty_unearn(rows, id, 22, 12, 45), POINTS_OK); /* 5 are left */
    assert_account(fixture, 90, 0);
    loyalty_run_to(rows, loyalty_unearn(rows, id, 12, 12, 90), POINTS_NOTHING);
    loyalty_run_to(rows, loyalty_unearn(rows, id, 23, 14, 5), POINTS_NOTHING); /* earned nothing */
    loyalty_run_to(rows, loyalty_unearn(rows, other_id, 24, 13, 5), POINTS_NOTHING);
    loyalty_run_to(&other, loyalty_unearn(&other, stranger_id, 24, 13, 5), POINTS_NOTHING);
    assert_account(fixture, 90, 0);
    loyalty_run_to(rows, loyalty_unearn(rows, id, 13, 13, 90), POINTS_OK);
    assert_account(fixture, 0, 0);
}

static void what_is_not_the_tenants_is_not_found(void **state)
{
    struct fixture *fixture = *state;
    struct rows *rows = &fixture->rows;
    struct rows other = other_tenant(fixture);
    int64_t id = reserve_20_of_100(fixture);
    int64_t stranger_id = loyalty_member(&other, "M-1");
    loyalty_run_to(&other, loyalty_grant(&other, stranger_id, 100), POINTS_OK);
    loyalty_run_to(&other, loyalty_grant(&other, fixture->member_id, 5), POINTS_NOT_FOUND);
    struct points_outcome burn =
        loyalty_run_to(&other, loyalty_move(&other, POINTS_BURN, id), POINTS_NOT_FOUND);
    assert_int_equal(burn.reservation.id, 0); /* and nothing of it is told */
    loyalty_run_to(&other,
                   loyalty_reserve(&other, stranger_id, fixture->reward_id, "token-9", 11, 20),
                   POINTS_NOT_FOUND);
    loyalty_run_to(rows, loyalty_grant(rows, stranger_id, 5), POINTS_NOT_FOUND);
    loyalty_run_to(&other, loyalty_earn(&other, stranger_id, 12, 1), POINTS_OK);
    loyalty_run_to(rows, loyalty_earn(rows, fixture->member_id, 12, 1), POINTS_OK); /* its own 12 */
    list.count = 0;
    assert_int_equal(
        store_each_points_entry(rows->store, rows->tenant.id, stranger_id, 9, on_entry, &list),
        ERR_NOT_FOUND);
    assert_int_equal(store_each_member_reservation(rows->store, other.tenant.id, fixture->member_id,
                                                   on_reservation, &list),
                     0);
    assert_int_equal(list.count, 0);
}

static void same_redemption_is_answered_by_its_reservation(void **state)
{
    struct fixture *fixture = *state;
    struct rows *rows = &fixture->rows;
    int64_t id = reserve_20_of_100(fixture);
    struct points_command again = reserve(fixture, "token-1", 11);
    assert_int_equal(loyalty_run_to(rows, again, POINTS_UNDER_WAY).reservation.id, id);
    loyalty_run_to(rows, reserve(fixture, "token-1", 12), POINTS_OTHER_ORDER);
    loyalty_run_to(rows, loyalty_move(rows, POINTS_APPLY, id), POINTS_OK);
    assert_int_equal(loyalty_run_to(rows, again, POINTS_ALREADY_DONE).reservation.id, id);
    loyalty_run_to(rows, loyalty_move(rows, POINTS_BURN, id), POINTS_OK);
    assert_int_equal(loyalty_run_to(rows, again, POINTS_ALREADY_DONE).reservation.state,
                     RESERVATION_BURNED);
    loyalty_run_to(rows, reserve(fixture, "token-1", 12), POINTS_OTHER_ORDER);
    assert_account(fixture, 80, 0);
}

static void token_is_free_when_its_points_were_returned(void **state)
{
    struct fixture *fixture = *state;
    struct rows *rows = &fixture->rows;
    int64_t id = reserve_20_of_100(fixture);
    loyalty_run_to(rows, loyalty_move(rows, POINTS_RETURN, id), POINTS_OK);
    assert_account(fixture, 100, 0);
    struct points_outcome outcome =
        loyalty_run_to(rows, reserve(fixture, "token-1", 12), POINTS_OK);
    assert_int_equal(outcome.reservation.id, id + 1);
    loyalty_run_to(rows, loyalty_move(rows, POINTS_BURN, id), POINTS_WRONG_STATE);
    loyalty_run_to(rows, loyalty_move(rows, POINTS_BURN, id + 1), POINTS_OK);
    assert_account(fixture, 80, 0);
}

static void order_takes_one_change_at_a_time(void **state)
{
    struct fixture *fixture = *state;
    struct rows *rows = &fixture->rows;
    int64_t id = reserve_20_of_100(fixture);
    loyalty_run_to(rows, reserve(fixture, "token-2", 11), POINTS_ORDER_BUSY);
    loyalty_run_to(rows, reserve(fixture, "token-2", 12), POINTS_OK);
    loyalty_run_to(rows, loyalty_move(rows, POINTS_APPLY, id), POINTS_OK);
    loyalty_run_to(rows, reserve(fixture, "token-3", 11), POINTS_OK);
    assert_account(fixture, 100, 60);
}

static void command_without_its_ids_is_a_bug_of_its_own(void **state)
{
    struct fixture *fixture = *state;
    struct rows *rows = &fixture->rows;
    struct points_command commands[] = {
        loyalty_grant(rows, 0, 5),
        loyalty_earn(rows, 0, 12, 5),
        loyalty_earn(rows, fixture->member_id, 0, 5),
        loyalty_unearn(rows, fixture->member_id, -1, 12, 5),
        loyalty_unearn(rows, fixture->member_id, 12, 0, 5),
        loyalty_reserve(rows, fixture->member_id, fixture->reward_id, "", 11, 20),
        loyalty_reserve(rows, fixture->member_id, fixture->reward_id, "t", 0, 20),
        loyalty_reserve(rows, fixture->member_id, 0, "t", 11, 20),
        loyalty_move(rows, POINTS_BURN, 0),
        loyalty_move(rows, (enum points_action)(POINTS_EXPIRE + 1), 1),
        {.action = POINTS_EXPIRE, .tenant_id = rows->tenant.id},
        {.action = POINTS_EXPIRE, .member_id = fixture->member_id},
    };
    struct points_outcome outcome;
    for (size_t i = 0; i < COUNT_OF(commands); i++)
        assert_int_equal(store_run_points(rows->store, &commands[i], rows->now_us, &outcome),
                         ERR_BUG);
    assert_account(fixture, 0, 0);
}

/* --- walks --- */

static void open_reservations_are_those_not_changed_since_oldest_first(void **state)
{
    struct fixture *fixture = *state;
    struct rows *rows = &fixture->rows;
    int64_t first_id = reserve_20_of_100(fixture);
    int64_t first_at_us = rows->now_us;
    loyalty_run_to(rows, reserve(fixture, "token-2", 12), POINTS_OK);
    loyalty_run_to(rows, reserve(fixture, "token-3", 13), POINTS_OK);
    loyalty_run_to(rows, reserve(fixture, "token-4", 14), POINTS_OK);
    loyalty_run_to(rows, loyalty_move(rows, POINTS_APPLY, first_id + 1), POINTS_OK);
    loyalty_run_to(rows, loyalty_move(rows, POINTS_BURN, first_id + 2), POINTS_OK);
    loyalty_run_to(rows, loyalty_move(rows, POINTS_RETURN, first_id + 3), POINTS_OK);
    loyalty_run_to(rows, reserve(fixture, "token-5", 15), POINTS_OK);
    assert_int_equal(list_open(rows, RESERVATION_APPLIED, INT64_MAX, 10), 1);
    assert_int_equal(list.reservations[0].id, first_id + 1);
    assert_int_equal(list.reservations[0].state, RESERVATION_APPLIED);
    assert_int_equal(list_open(rows, RESERVATION_RESERVED, INT64_MAX, 10), 2);
    assert_int_equal(list.reservations[0].id, first_id);
    assert_int_equal(list.reservations[1].id, first_id + 4);
    assert_int_equal(list_open(rows, RESERVATION_RESERVED, INT64_MAX, 1), 1);
    assert_int_equal(list.reservations[0].id, first_id);
    assert_int_equal(list_open(rows, RESERVATION_RESERVED, first_at_us + 1, 10), 1);
    assert_int_equal(list_open(rows, RESERVATION_RESERVED, first_at_us, 10), 0);
    loyalty_run_to(rows, loyalty_move(rows, POINTS_MARK_UNSURE, first_id), POINTS_OK);
    assert_int_equal(list_open(rows, RESERVATION_RESERVED, INT64_MAX, 10), 2);
    assert_int_equal(list.reservations[0].id, first_id + 4); /* the other has changed since */
}

static void reservations_of_an_order_and_of_a_member_are_told_apart(void **state)
{
    struct fixture *fixture = *state;
    struct rows *rows = &fixture->rows;
    int64_t id = reserve_20_of_100(fixture);
    int64_t other_id = loyalty_member(rows, "M-2");
    loyalty_run_to(rows, loyalty_grant(rows, other_id, 50), POINTS_OK);
    loyalty_run_to(rows, loyalty_move(rows, POINTS_BURN, id), POINTS_OK);
    loyalty_run_to(rows, loyalty_reserve(rows, other_id, fixture->reward_id, "token-2", 11, 20),
                   POINTS_OK);
    loyalty_run_to(rows, reserve(fixture, "token-3", 12), POINTS_OK);
    list.count = 0;
    assert_int_equal(
        store_each_order_reservation(rows->store, rows->tenant.id, 11, on_reservation, &list), 0);
    assert_int_equal(list.count, 2);
    assert_int_equal(list.reservations[0].id, id);
    assert_int_equal(list.reservations[1].member_id, other_id);
    list.count = 0;
    assert_int_equal(store_each_member_reservation(rows->store, rows->tenant.id, fixture->member_id,
                                                   on_reservation, &list),
                     0);
    assert_int_equal(list.count, 1); /* the burned one is not open */
    assert_int_equal(list.reservations[0].order_id, 12);
}

static void entries_are_newest_first_and_bounded(void **state)
{
    struct fixture *fixture = *state;
    struct rows *rows = &fixture->rows;
    int64_t other_id = loyalty_member(rows, "M-2");
    assert_int_equal(list_entries(rows, other_id, 10), 0);
    for (int i = 1; i <= 5; i++) {
        loyalty_run_to(rows, loyalty_grant(rows, fixture->member_id, i), POINTS_OK);
        loyalty_run_to(rows, loyalty_grant(rows, other_id, 100 * i), POINTS_OK);
    }
    assert_int_equal(list_entries(rows, fixture->member_id, 10), 5);
    for (int i = 0; i < 5; i++)
        assert_int_equal(list.entries[i].points, 5 - i);
    assert_int_equal(list_entries(rows, fixture->member_id, 2), 2);
    assert_int_equal(list.entries[1].points, 4);
}

static void idle_members_are_those_with_points_to_lose_longest_idle_first(void **state)
{
    struct fixture *fixture = *state;
    struct rows *rows = &fixture->rows;
    struct rows other = other_tenant(fixture);
    int64_t second_id = loyalty_member(rows, "M-2");
    int64_t poor_id = loyalty_member(rows, "M-3");
    int64_t held_id = loyalty_member(rows, "M-4");
    loyalty_run_to(&other, loyalty_grant(&other, loyalty_member(&other, "M-1"), 5), POINTS_OK);
    loyalty_run_to(rows, loyalty_grant(rows, second_id, 10), POINTS_OK);
    int64_t second_at_us = rows->now_us;
    loyalty_run_to(rows, loyalty_grant(rows, fixture->member_id, 100), POINTS_OK);
    loyalty_run_to(rows, loyalty_grant(rows, held_id, 20), POINTS_OK);
    loyalty_run_to(rows, loyalty_reserve(rows, held_id, fixture->reward_id, "token-1", 11, 20),
                   POINTS_OK);
    (void)poor_id;
    assert_int_equal(list_idle(rows, rows->now_us + 1, 4), 2);
    assert_int_equal(list.members[0].id, second_id);
    assert_int_equal(list.members[1].id, fixture->member_id);
    assert_int_equal(list.members[1].account.points, 100);
    assert_int_equal(list.members[1].account.member_id, fixture->member_id);
    assert_int_equal(list.members[1].account.version, 1);
    assert_string_equal(list.members[1].code, "M-1");
    assert_int_equal(list_idle(rows, rows->now_us + 1, 1), 1);
    assert_int_equal(list_idle(rows, second_at_us, 4), 0);
    assert_int_equal(list_idle(rows, second_at_us + 1, 4), 1);
    struct points_command expire = {.action = POINTS_EXPIRE,
                                    .tenant_id = rows->tenant.id,
                                    .member_id = second_id,
                                    .inactive_since_us = second_at_us + 1};
    loyalty_run_to(rows, expire, POINTS_OK);
    assert_int_equal(list_idle(rows, second_at_us + 1, 4), 0);
}

/* --- durability --- */

static void everything_is_there_after_reopening(void **state)
{
    struct fixture *fixture = *state;
    struct rows *rows = &fixture->rows;
    struct store_config config = {.location = fixture->location, .seal = rows->seal};
    struct store *reader;
    if (!suite_backend->is_shared)
        return;
    int64_t id = reserve_20_of_100(fixture);
    assert_int_equal(store_open(&config, STORE_READER, &reader), 0);
    list.count = 0;
    assert_int_equal(
        store_each_points_entry(reader, rows->tenant.id, fixture->member_id, 9, on_entry, &list),
        0);
    assert_int_equal(list.count, 1);
    store_close(reader);
    store_close(rows->store);
    assert_int_equal(store_open(&config, STORE_WRITER, &rows->store), 0);
    assert_account(fixture, 100, 20);
    loyalty_run_to(rows, loyalty_move(rows, POINTS_BURN, id), POINTS_OK);
    assert_account(fixture, 80, 0);
}

/* --- inside a group --- */

static void commands_of_a_group_are_there_when_it_is_committed(void **state)
{
    struct fixture *fixture = *state;
    struct rows *rows = &fixture->rows;
    assert_int_equal(store_begin_group(rows->store), 0);
    int64_t member_id = loyalty_member(rows, "M-2");
    loyalty_run_to(rows, loyalty_grant(rows, member_id, 30), POINTS_OK);
    loyalty_run_to(rows, loyalty_grant(rows, member_id, -31), POINTS_NOT_ENOUGH);
    loyalty_run_to(rows, loyalty_earn(rows, member_id, 12, 5), POINTS_OK);
    loyalty_run_to(rows, loyalty_earn(rows, member_id, 12, 5), POINTS_ALREADY_DONE);
    if (suite_backend->is_shared) {
        struct store_config config = {.location = fixture->location, .seal = rows->seal};
        struct store *reader;
        assert_int_equal(store_open(&config, STORE_READER, &reader), 0);
        assert_int_equal(
            store_each_points_entry(reader, rows->tenant.id, member_id, 9, on_entry, &list),
            ERR_NOT_FOUND); /* not yet */
        store_close(reader);
    }
    assert_int_equal(store_commit_group(rows->store), 0);
    assert_int_equal(list_entries(rows, member_id, 9), 2);
    assert_int_equal(loyalty_account(rows, member_id).points, 35);
    assert_int_equal(rows_verify(rows->store), 0);
}

static void commands_of_a_group_are_gone_when_it_is_taken_back(void **state)
{
    struct fixture *fixture = *state;
    struct rows *rows = &fixture->rows;
    loyalty_run_to(rows, loyalty_grant(rows, fixture->member_id, 10), POINTS_OK);
    assert_int_equal(store_begin_group(rows->store), 0);
    loyalty_run_to(rows, loyalty_grant(rows, fixture->member_id, 30), POINTS_OK);
    assert_account(fixture, 40, 0);
    store_rollback_group(rows->store);
    assert_account(fixture, 10, 0);
    loyalty_run_to(rows, loyalty_grant(rows, fixture->member_id, 5), POINTS_OK);
    assert_account(fixture, 15, 0);
    assert_int_equal(rows_verify(rows->store), 0);
}

#define TEST_CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

static const struct CMUnitTest conformance[] = {
    TEST_CASE(reward_is_read_back_field_by_field),
    TEST_CASE(reward_is_updated_whole_and_alone),
    TEST_CASE(reward_of_another_tenant_is_not_found),
    TEST_CASE(rewards_are_listed_in_order_those_switched_off_too),
    TEST_CASE(rewards_of_a_tenant_are_bounded),
    TEST_CASE(entry_is_read_back_field_by_field),
    TEST_CASE(reservation_is_read_back_field_by_field),
    TEST_CASE(life_of_a_redemption_is_kept),
    TEST_CASE(refused_command_leaves_no_trace),
    TEST_CASE(order_earns_and_is_taken_back_once_whoever_asks),
    TEST_CASE(a_sale_gives_up_what_it_earned_and_no_more),
    TEST_CASE(what_answers_a_reservation_is_found),
    TEST_CASE(what_is_not_the_tenants_is_not_found),
    TEST_CASE(same_redemption_is_answered_by_its_reservation),
    TEST_CASE(token_is_free_when_its_points_were_returned),
    TEST_CASE(order_takes_one_change_at_a_time),
    TEST_CASE(command_without_its_ids_is_a_bug_of_its_own),
    TEST_CASE(open_reservations_are_those_not_changed_since_oldest_first),
    TEST_CASE(reservations_of_an_order_and_of_a_member_are_told_apart),
    TEST_CASE(entries_are_newest_first_and_bounded),
    TEST_CASE(idle_members_are_those_with_points_to_lose_longest_idle_first),
    TEST_CASE(everything_is_there_after_reopening),
    TEST_CASE(commands_of_a_group_are_there_when_it_is_committed),
    TEST_CASE(commands_of_a_group_are_gone_when_it_is_taken_back),
};

int conformance_points_run(const struct conformance_backend *backend)
{
    suite_backend = backend;
    return _cmocka_run_group_tests(backend->name, conformance, COUNT_OF(conformance), NULL, NULL);
}
