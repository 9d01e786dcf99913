/*
 * Random points commands against a naive model: the ledger decides over rows kept as a store would
 * keep them, the model keeps one long list of everything that ever succeeded and answers each
 * command by reading it from the start. They must agree on every answer, and the laws must hold
 * after each. Prints its seed; COUNTERPART_SEED repeats a run, COUNTERPART_COMMANDS lengthens it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/check.h"
#include "ledger/points.h"

#define COMMANDS_DEFAULT 600000
#define WORLD_COMMANDS 400 /* then a new world: short lists keep the naive model quick */
#define MEMBERS 4
#define TENANTS 2
#define REWARDS 3
#define ORDERS 12
#define TOKENS 10
#define DATES 3
#define START_US (INT64_C(1700000000) * 1000000)

/* --- the world: rows as a store would keep them --- */

struct member_row {
    int64_t tenant_id;
    struct points_account account;
};

struct world {
    struct member_row members[MEMBERS];
    struct points_entry entries[WORLD_COMMANDS];
    int entry_count;
    struct reservation reservations[WORLD_COMMANDS];
    int reservation_count;
    struct foreign_approval approval; /* of both tenants; with every limit that there is */
    int64_t paid_minor[TENANTS + 1][DATES];
    int64_t now_us;
};

/* What succeeded, in order: all that the model knows. */
struct event {
    struct points_command command;
    int64_t reservation_id; /* RESERVE: the one it made */
    int64_t moved;          /* points, signed */
    int64_t at_us;
};

struct model {
    struct event events[WORLD_COMMANDS];
    int count;
};

static struct world world;
static int32_t date_of_reservation[WORLD_COMMANDS + 1];
static struct model model;
static uint64_t random_state;
static int64_t commands_left;
static int64_t results_seen[32];

static uint64_t random_next(void)
{
    uint64_t z = (random_state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static int64_t random_below(int64_t bound)
{
    return (int64_t)(random_next() % (uint64_t)bound);
}

static bool random_chance(int percent)
{
    return random_below(100) < percent;
}

static int64_t tenant_of_reward(int64_t reward_id)
{
    return reward_id == REWARDS ? 2 : 1;
}

/* --- the naive model --- */

struct life { /* of one reservation, read from the events */
    bool exists;
    const struct points_command *reserve;
    int64_t id, changed_at_us;
    bool is_applied, is_burned, is_returned, is_unsure, is_given_back;
};

/* Never the same twice, however the clock goes. */
static void life_note_change(struct life *life, int64_t at_us)
{
    life->changed_at_us = at_us > life->changed_at_us ? at_us : life->changed_at_us + 1;
}

static struct life model_life(int64_t reservation_id)
{
    struct life life = {.id = reservation_id};
    for (int i = 0; i < model.count; i++) {
        const struct event *each = &model.events[i];
        if (each->command.action == POINTS_RESERVE && each->reservation_id == reservation_id) {
            life.exists = true;
            life.reserve = &each->command;
            life.changed_at_us = each->at_us;
        }
        if (each->command.reservation_id != reservation_id)
            continue;
        if (!life.is_burned)
            life_note_change(&life, each->at_us);
        if (each->command.action == POINTS_MARK_UNSURE)
            life.is_unsure = true;
        else if (each->command.action == POINTS_APPLY)
            life.is_applied = true;
        else if (each->command.action == POINTS_BURN)
            life.is_burned = true;
        else if (each->command.action == POINTS_RETURN && life.is_burned)
            life.is_given_back = true;
        else if (each->command.action == POINTS_RETURN)
            life.is_returned = true;
    }
    return life;
}

static int64_t model_member_of(const struct points_command *command)
{
    if (!points_action_is_of_reservation(command->action))
        return command->member_id;
    struct life life = model_life(command->reservation_id);
    return life.exists ? life.reserve->member_id : 0;
}

static int64_t model_points(int64_t member_id)
{
    int64_t points = 0;
    for (int i = 0; i < model.count; i++)
        if (model_member_of(&model.events[i].command) == member_id)
            points += model.events[i].moved;
    return points;
}

static int64_t model_held(int64_t member_id)
{
    int64_t held = 0;
    for (int i = 0; i < model.count; i++) {
        const struct event *each = &model.events[i];
        if (each->command.action != POINTS_RESERVE || each->command.member_id != member_id)
            continue;
        struct life life = model_life(each->reservation_id);
        if (!life.is_burned && !life.is_returned)
            held += each->command.points;
    }
    return held;
}

static int64_t model_active_at(int64_t member_id)
{
    int64_t active_at_us = START_US;
    for (int i = 0; i < model.count; i++) {
        const struct event *each = &model.events[i];
        bool is_burn = each->command.action == POINTS_BURN;
        if (model_member_of(&each->command) == member_id && (each->moved > 0 || is_burn) &&
            each->at_us > active_at_us)
            active_at_us = each->at_us;
    }
    return active_at_us;
}

static bool model_order_is_counted(const struct points_command *command)
{
    for (int i = 0; i < model.count; i++) {
        const struct points_command *each = &model.events[i].command;
        if (each->action == command->action && each->tenant_id == command->tenant_id &&
            each->order_id == command->order_id)
            return true;
    }
    return false;
}

/* What was reserved to pay on that date, and did not come back unburned. */
static int64_t model_paid_on(const struct points_command *command)
{
    int64_t paid_minor = 0;
    for (int i = 0; i < model.count; i++) {
        const struct event *each = &model.events[i];
        if (each->command.action == POINTS_RESERVE &&
            each->command.tenant_id == command->tenant_id &&
            each->command.local_date == command->local_date &&
            !model_life(each->reservation_id).is_returned)
            paid_minor += each->command.pays_minor;
    }
    return paid_minor;
}

static enum points_result model_judge(const struct points_command *command)
{
    if (world.approval.state != FOREIGN_APPROVED)
        return POINTS_NOT_APPROVED;
    if (world.approval.is_suspended)
        return POINTS_APPROVAL_SUSPENDED;
    if (command->local_date > world.approval.expires_on)
        return POINTS_APPROVAL_EXPIRED;
    if (command->pays_minor > world.approval.payment_max_minor)
        return POINTS_OVER_APPROVED;
    return model_paid_on(command) + command->pays_minor > world.approval.day_max_minor
               ? POINTS_OVER_APPROVED_DAY
               : POINTS_OK;
}

static enum points_result model_reserve(const struct points_command *command, bool is_active,
                                        int64_t spendable)
{
    bool is_busy = false;
    if (tenant_of_reward(command->reward_id) != command->tenant_id)
        return POINTS_NOT_FOUND;
    for (int i = 0; i < model.count; i++) {
        const struct event *each = &model.events[i];
        if (each->command.action != POINTS_RESERVE)
            continue;
        struct life life = model_life(each->reservation_id);
        bool is_under_way = !life.is_applied && !life.is_burned && !life.is_returned;
        if (strcmp(each->command.token_id, command->token_id) == 0 && !life.is_returned) {
            if (each->command.tenant_id != command->tenant_id ||
                each->command.member_id != command->member_id ||
                each->command.reward_id != command->reward_id ||
                each->command.order_id != command->order_id)
                return POINTS_OTHER_ORDER;
            return is_under_way ? POINTS_UNDER_WAY : POINTS_ALREADY_DONE;
        }
        is_busy |= is_under_way && each->command.tenant_id == command->tenant_id &&
                   each->command.order_id == command->order_id;
    }
    if (!is_active)
        return POINTS_INACTIVE;
    if (is_busy)
        return POINTS_ORDER_BUSY;
    if (command->points <= 0)
        return POINTS_BAD_AMOUNT;
    if (command->points > spendable)
        return POINTS_NOT_ENOUGH;
    return command->pays_minor == 0 ? POINTS_OK : model_judge(command);
}

static enum points_result model_of_reservation(const struct points_command *command, int64_t *moved)
{
    struct life life = model_life(command->reservation_id);
    if (!life.exists || life.reserve->tenant_id != command->tenant_id)
        return POINTS_NOT_FOUND;
    bool is_over = life.is_burned || life.is_returned;
    switch (command->action) {
    case POINTS_MARK_UNSURE:
        if (life.is_applied || is_over)
            return POINTS_WRONG_STATE;
        return life.is_unsure ? POINTS_ALREADY_DONE : POINTS_OK;
    case POINTS_APPLY:
        if (is_over || life.reserve->pays_minor != 0)
            return POINTS_WRONG_STATE;
        return life.is_applied ? POINTS_ALREADY_DONE : POINTS_OK;
    case POINTS_BURN:
        if (is_over)
            return life.is_burned ? POINTS_ALREADY_DONE : POINTS_WRONG_STATE;
        *moved = -life.reserve->points;
        return POINTS_OK;
    case POINTS_RETURN:
        if (!life.is_returned && command->seen_changed_at_us != 0 &&
            command->seen_changed_at_us != life.changed_at_us)
            return POINTS_STALE;
        if (!life.is_burned)
            return life.is_returned ? POINTS_ALREADY_DONE : POINTS_OK;
        if (!command->is_order_deleted)
            return POINTS_WRONG_STATE;
        if (life.is_given_back)
            return POINTS_ALREADY_DONE;
        *moved = life.reserve->points;
        return POINTS_OK;
    case POINTS_GRANT:
    case POINTS_EARN:
    case POINTS_UNEARN:
    case POINTS_RESERVE:
    case POINTS_EXPIRE:
        break;
    }
    fail();
    return POINTS_NOT_FOUND;
}

/* Of what the sale earned for the member, what no refund and no deletion has taken yet. */
static int64_t model_left_of_sale(const struct points_command *command)
{
    int64_t left = 0;
    for (int i = 0; i < model.count; i++) {
        const struct event *each = &model.events[i];
        if (each->command.tenant_id != command->tenant_id ||
            each->command.member_id != command->member_id)
            continue;
        bool is_earning =
            each->command.action == POINTS_EARN && each->command.order_id == command->sale_order_id;
        bool is_taking = each->command.action == POINTS_UNEARN &&
                         each->command.sale_order_id == command->sale_order_id;
        if (is_earning || is_taking)
            left += each->moved;
    }
    return left;
}

static enum points_result model_count(const struct points_command *command, bool is_active,
                                      int64_t spendable, int64_t *moved)
{
    bool is_earn = command->action == POINTS_EARN;
    if (model_order_is_counted(command))
        return POINTS_ALREADY_DONE;
    if (is_earn && !is_active)
        return POINTS_INACTIVE;
    if (command->points < 0)
        return POINTS_BAD_AMOUNT;
    if (!is_earn && model_left_of_sale(command) < spendable)
        spendable = model_left_of_sale(command);
    *moved = is_earn                       ? command->points
             : command->points < spendable ? -command->points
                                           : -spendable;
    return *moved == 0 ? POINTS_NOTHING : POINTS_OK;
}

static enum points_result model_decide(const struct points_command *command, int64_t *moved)
{
    *moved = 0;
    if (points_action_is_of_reservation(command->action))
        return model_of_reservation(command, moved);
    const struct member_row *member = &world.members[command->member_id - 1];
    if (command->member_id > MEMBERS || member->tenant_id != command->tenant_id)
        return POINTS_NOT_FOUND;
    int64_t spendable = model_points(command->member_id) - model_held(command->member_id);
    switch (command->action) {
    case POINTS_GRANT:
        if (command->points == 0)
            return POINTS_BAD_AMOUNT;
        *moved = command->points;
        return spendable + command->points < 0 ? POINTS_NOT_ENOUGH : POINTS_OK;
    case POINTS_RESERVE:
        return model_reserve(command, member->account.is_active, spendable);
    case POINTS_EXPIRE:
        *moved = -spendable;
        return model_active_at(command->member_id) < command->inactive_since_us && spendable > 0
                   ? POINTS_OK
                   : POINTS_NOTHING;
    case POINTS_EARN:
    case POINTS_UNEARN:
    case POINTS_MARK_UNSURE:
    case POINTS_APPLY:
    case POINTS_BURN:
    case POINTS_RETURN:
        break;
    }
    return model_count(command, member->account.is_active, spendable, moved);
}

/* --- the store's part: fetch and write --- */

static void fetch_account(struct points_view *view, int64_t tenant_id, int64_t member_id)
{
    view->has_account = member_id <= MEMBERS && world.members[member_id - 1].tenant_id == tenant_id;
    if (view->has_account)
        view->account = world.members[member_id - 1].account;
}

static void fetch_reservation(struct points_view *view, const struct reservation *reservation)
{
    view->has_reservation = true;
    view->reservation = *reservation;
}

static void fetch_by_id(struct points_view *view, const struct points_command *command)
{
    if (command->reservation_id > world.reservation_count)
        return;
    const struct reservation *found = &world.reservations[command->reservation_id - 1];
    if (found->tenant_id != command->tenant_id)
        return;
    fetch_reservation(view, found);
    fetch_account(view, command->tenant_id, found->member_id);
    for (int i = 0; i < world.entry_count; i++)
        view->is_given_back |= world.entries[i].cause == POINTS_CAUSE_RETURN &&
                               world.entries[i].reservation_id == found->id;
}

static void fetch_for_reserve(struct points_view *view, const struct points_command *command)
{
    view->has_reward = tenant_of_reward(command->reward_id) == command->tenant_id;
    view->approval = world.approval;
    view->foreign_paid_minor = world.paid_minor[command->tenant_id][command->local_date];
    for (int i = 0; i < world.reservation_count; i++) {
        const struct reservation *each = &world.reservations[i];
        if (strcmp(each->token_id, command->token_id) == 0 && each->state != RESERVATION_RETURNED)
            fetch_reservation(view, each);
        view->order_is_busy |= each->state == RESERVATION_RESERVED &&
                               each->tenant_id == command->tenant_id &&
                               each->order_id == command->order_id;
    }
}

static void fetch_sale(struct points_view *view, const struct points_command *command)
{
    for (int i = 0; i < world.entry_count; i++) {
        const struct points_entry *each = &world.entries[i];
        bool is_of_sale =
            each->cause == POINTS_CAUSE_EARN
                ? each->order_id == command->sale_order_id
                : each->sale_order_id == command->sale_order_id && each->sale_order_id != 0;
        if (is_of_sale && each->tenant_id == command->tenant_id &&
            each->member_id == command->member_id)
            view->sale_points += each->points;
    }
}

static void fetch(struct points_view *view, const struct points_command *command)
{
    *view = (struct points_view){.next_entry_id = world.entry_count + 1,
                                 .next_reservation_id = world.reservation_count + 1};
    if (points_action_is_of_reservation(command->action)) {
        fetch_by_id(view, command);
        return;
    }
    fetch_account(view, command->tenant_id, command->member_id);
    if (command->action == POINTS_RESERVE)
        fetch_for_reserve(view, command);
    if (command->action == POINTS_UNEARN)
        fetch_sale(view, command);
    enum points_cause cause =
        command->action == POINTS_EARN ? POINTS_CAUSE_EARN : POINTS_CAUSE_UNEARN;
    for (int i = 0; i < world.entry_count; i++)
        view->order_is_counted |= world.entries[i].cause == cause &&
                                  world.entries[i].tenant_id == command->tenant_id &&
                                  world.entries[i].order_id == command->order_id;
}

static void write_changes(const struct points_command *command, const struct points_view *view,
                          const struct points_changes *changes)
{
    const struct reservation *of = &view->reservation;
    if (changes->has_attempt)
        world.paid_minor[command->tenant_id][command->local_date] += command->pays_minor;
    if (changes->end == FOREIGN_UNPAID)
        world.paid_minor[of->tenant_id][date_of_reservation[of->id]] -= of->pays_minor;
    if (changes->reservation_is_new)
        date_of_reservation[of->id] = command->local_date;
    if (changes->account_is_changed) {
        struct points_account *account = &world.members[view->account.member_id - 1].account;
        assert_int_equal(account->version, changes->version_before);
        *account = view->account;
    }
    if (changes->has_entry)
        world.entries[world.entry_count++] = changes->entry;
    if (changes->reservation_is_new)
        world.reservations[world.reservation_count++] = view->reservation;
    if (changes->reservation_is_changed) {
        struct reservation *reservation = &world.reservations[view->reservation.id - 1];
        assert_int_equal(reservation->state, changes->state_before);
        *reservation = view->reservation;
    }
}

/* --- the laws, on the rows alone --- */

static void check_entries(const struct points_account *account)
{
    int64_t points = 0, version = 0, last_id = 0;
    for (int i = 0; i < world.entry_count; i++) {
        const struct points_entry *each = &world.entries[i];
        if (each->member_id != account->member_id)
            continue;
        points += each->points;
        assert_int_not_equal(each->points, 0);
        assert_int_equal(each->version, ++version);
        assert_int_equal(each->points_after, points);
        assert_int_equal(each->previous_entry_id, last_id);
        assert_true(points >= 0);
        last_id = each->id;
    }
    assert_int_equal(account->points, points);
    assert_int_equal(account->version, version);
    assert_int_equal(account->last_entry_id, last_id);
}

/* What is taken back of a sale never comes to more than it earned, whoever takes how often. */
static void check_sales(const struct points_account *account)
{
    int64_t left[ORDERS + 1] = {0};
    for (int i = 0; i < world.entry_count; i++) {
        const struct points_entry *each = &world.entries[i];
        if (each->member_id != account->member_id)
            continue;
        assert_int_equal(each->sale_order_id != 0, each->cause == POINTS_CAUSE_UNEARN);
        if (each->cause == POINTS_CAUSE_EARN)
            left[each->order_id] += each->points;
        else if (each->cause == POINTS_CAUSE_UNEARN)
            left[each->sale_order_id] += each->points;
    }
    for (int i = 0; i <= ORDERS; i++)
        assert_true(left[i] >= 0);
}

static void check_reservations(const struct points_account *account)
{
    int64_t held = 0;
    for (int i = 0; i < world.reservation_count; i++) {
        const struct reservation *each = &world.reservations[i];
        int burns = 0;
        if (each->member_id != account->member_id)
            continue;
        for (int k = 0; k < world.entry_count; k++)
            burns += world.entries[k].cause == POINTS_CAUSE_BURN &&
                     world.entries[k].reservation_id == each->id;
        assert_int_equal(burns, each->state == RESERVATION_BURNED);
        if (each->state == RESERVATION_RESERVED || each->state == RESERVATION_APPLIED)
            held += each->points;
    }
    assert_int_equal(account->points_held, held);
    assert_true(held <= account->points);
}

static void check_member(int64_t member_id)
{
    const struct points_account *account = &world.members[member_id - 1].account;
    check_entries(account);
    check_sales(account);
    check_reservations(account);
    assert_int_equal(account->points, model_points(member_id));
    assert_int_equal(account->points_held, model_held(member_id));
    assert_int_equal(account->active_at_us, model_active_at(member_id));
}

/* --- random commands --- */

static int64_t random_points(void)
{
    return random_chance(3) ? random_below(3) - 2 : 1 + random_below(60);
}

static struct points_command random_of_member(enum points_action action)
{
    struct points_command command = {.action = action,
                                     .member_id = 1 + random_below(MEMBERS),
                                     .points = random_points(),
                                     .order_id = 1 + random_below(ORDERS)};
    command.tenant_id = command.member_id == MEMBERS ? 2 : 1;
    if (random_chance(1))
        command.member_id = MEMBERS + 1;
    if (action == POINTS_UNEARN) /* a refund of another order, or the deleted sale itself */
        command.sale_order_id = random_chance(40) ? command.order_id : 1 + random_below(ORDERS);
    if (action == POINTS_GRANT && random_chance(25))
        command.points = -command.points;
    if (action == POINTS_EXPIRE)
        command.inactive_since_us = world.now_us - random_below(60) * 1000000;
    if (action != POINTS_RESERVE)
        return command;
    int64_t token = random_below(TOKENS);
    /* A token is made for one member and reward, and mostly used so. */
    if (random_chance(90)) {
        command.member_id = 1 + token % MEMBERS;
        command.tenant_id = command.member_id == MEMBERS ? 2 : 1;
    }
    command.reward_id = command.tenant_id == 2 ? REWARDS : 1 + token % (REWARDS - 1);
    if (random_chance(3))
        command.reward_id = 1 + random_below(REWARDS);
    command.site_id = random_below(3);
    command.local_date = (int32_t)random_below(DATES);
    if (random_chance(40))
        command.pays_minor = 1 + random_below(1050);
    snprintf(command.token_id, sizeof(command.token_id), "%lld", (long long)token);
    return command;
}

static struct points_command random_of_reservation(enum points_action action)
{
    int64_t newest = world.reservation_count + 1;
    struct points_command command = {.action = action,
                                     .is_order_deleted = random_chance(40),
                                     .reservation_id = 1 + random_below(newest)};
    if (newest > 8 && random_chance(70)) /* mostly the young: they are open still */
        command.reservation_id = newest - 1 - random_below(7);
    command.tenant_id = 1;
    if (command.reservation_id == newest)
        return command;
    const struct reservation *found = &world.reservations[command.reservation_id - 1];
    command.tenant_id = found->tenant_id;
    if (action == POINTS_RETURN && random_chance(40)) /* mostly as it was when it was made */
        command.seen_changed_at_us = random_chance(80) ? found->created_at_us : world.now_us;
    return command;
}

static struct points_command random_command(void)
{
    static const enum points_action actions[] = {
        POINTS_GRANT, POINTS_EARN,        POINTS_UNEARN, POINTS_RESERVE, POINTS_RESERVE,
        POINTS_BURN,  POINTS_MARK_UNSURE, POINTS_APPLY,  POINTS_RETURN,  POINTS_EXPIRE,
    };
    enum points_action action = actions[random_below((int64_t)COUNT_OF(actions))];
    struct points_command command = points_action_is_of_reservation(action)
                                        ? random_of_reservation(action)
                                        : random_of_member(action);
    if (random_chance(2))
        command.tenant_id = 3 - command.tenant_id;
    return command;
}

/* --- one step --- */

static void remember(const struct points_command *command, const struct points_outcome *outcome,
                     int64_t moved)
{
    struct event *event = &model.events[model.count++];
    *event = (struct event){.command = *command, .moved = moved, .at_us = world.now_us};
    if (command->action == POINTS_RESERVE)
        event->reservation_id = outcome->reservation.id;
}

static void run(const struct points_command *command)
{
    struct points_view view;
    struct points_changes changes;
    struct points_outcome outcome;
    int64_t moved;
    enum points_result wanted = model_decide(command, &moved);
    fetch(&view, command);
    points_decide(&view, command, world.now_us, &changes, &outcome);
    if (outcome.result != wanted)
        fail_msg("action %d: %s, the model says %s", (int)command->action,
                 points_result_name(outcome.result), points_result_name(wanted));
    results_seen[wanted]++;
    if (wanted == POINTS_OK) {
        assert_int_equal(changes.has_entry ? changes.entry.points : 0, moved);
        write_changes(command, &view, &changes);
        remember(command, &outcome, moved);
        check_member(outcome.account.member_id);
    } else {
        assert_false(changes.account_is_changed || changes.has_entry ||
                     changes.reservation_is_new || changes.reservation_is_changed);
    }
    commands_left--;
}

static void world_begin(void)
{
    memset(&world, 0, sizeof(world));
    memset(&model, 0, sizeof(model));
    world.now_us = START_US;
    for (int i = 0; i < MEMBERS; i++) {
        world.members[i].tenant_id = i + 1 == MEMBERS ? 2 : 1;
        world.members[i].account = (struct points_account){
            .member_id = i + 1, .active_at_us = START_US, .is_active = true};
    }
}

static struct foreign_approval random_approval(void)
{
    return (struct foreign_approval){
        .state = random_chance(85) ? FOREIGN_APPROVED : FOREIGN_REVOKED,
        .payment_max_minor = 1000,
        .day_max_minor = 1000 + random_below(9000),
        .expires_on = random_chance(20) ? 1 : DATES,
        .is_suspended = random_chance(10),
    };
}

static void live_one_world(void)
{
    struct points_command earlier[8] = {0};
    int64_t count = 0;
    world_begin();
    for (int i = 0; i < WORLD_COMMANDS && commands_left > 0; i++) {
        /* A clock that is set back now and then: ids order, it does not. */
        world.now_us += random_chance(2) ? -5000000 : random_below(10) * 1000000;
        if (random_chance(2))
            world.members[random_below(MEMBERS)].account.is_active = random_chance(80);
        if (random_chance(3))
            world.approval = random_approval();
        bool is_repeat = count > 0 && random_chance(25);
        struct points_command command =
            is_repeat ? earlier[random_below(count < 8 ? count : 8)] : random_command();
        earlier[count++ % 8] = command;
        run(&command);
    }
    for (int64_t id = 1; id <= MEMBERS; id++)
        check_member(id);
}

static int64_t number_from_environment(const char *name, int64_t otherwise)
{
    const char *text = getenv(name);
    return text == NULL || *text == '\0' ? otherwise : strtoll(text, NULL, 10);
}

static void random_commands_agree_with_the_naive_model(void **state)
{
    (void)state;
    uint64_t seed = (uint64_t)number_from_environment("COUNTERPART_SEED", (int64_t)time(NULL));
    commands_left = number_from_environment("COUNTERPART_COMMANDS", COMMANDS_DEFAULT);
    print_message("COUNTERPART_SEED=%llu\n", (unsigned long long)seed);
    random_state = seed;
    while (commands_left > 0)
        live_one_world();
#define X(symbol, name)                                                                            \
    print_message("%s %lld\n", name, (long long)results_seen[symbol]);                             \
    assert_true(results_seen[symbol] > 0);
    POINTS_RESULT_LIST(X)
#undef X
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_commands_agree_with_the_naive_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
