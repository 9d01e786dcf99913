/*
 * Decides about points: one command at a time, over the rows that it needs.
 */
#include "ledger/points.h"

#include "base/check.h"
#include "base/money.h"

#include <string.h>

#include "base/banned.h"

#define STATE_COUNT (RESERVATION_RETURNED + 1)

struct points_decision {
    struct points_view *view;
    const struct points_command *command;
    int64_t now_us;
    struct points_changes *changes;
    int64_t limit_minor;
};

const char *points_result_name(enum points_result result)
{
    static const char *const names[] = {
#define X(symbol, name) name,
        POINTS_RESULT_LIST(X)
#undef X
    };
    CHECK((size_t)result < COUNT_OF(names));
    return names[result];
}

const char *points_cause_name(enum points_cause cause)
{
    static const char *const names[] = {
        [POINTS_CAUSE_GRANT] = "grant",   [POINTS_CAUSE_EARN] = "earn",
        [POINTS_CAUSE_UNEARN] = "unearn", [POINTS_CAUSE_BURN] = "burn",
        [POINTS_CAUSE_RETURN] = "return", [POINTS_CAUSE_EXPIRE] = "expire",
    };
    return cause >= POINTS_CAUSE_GRANT && cause <= POINTS_CAUSE_EXPIRE ? names[cause] : "unknown";
}

const char *reservation_state_name(enum reservation_state state)
{
    static const char *const names[STATE_COUNT] = {"none", "reserved", "applied", "burned",
                                                   "returned"};
    CHECK((size_t)state < STATE_COUNT);
    return names[state];
}

bool reservation_may_move(enum reservation_state from, enum reservation_state to)
{
    static const bool may_move[STATE_COUNT][STATE_COUNT] = {
        [RESERVATION_NONE] = {[RESERVATION_RESERVED] = true},
        [RESERVATION_RESERVED] = {[RESERVATION_APPLIED] = true,
                                  [RESERVATION_BURNED] = true,
                                  [RESERVATION_RETURNED] = true},
        [RESERVATION_APPLIED] = {[RESERVATION_BURNED] = true, [RESERVATION_RETURNED] = true},
    };
    CHECK((size_t)from < STATE_COUNT && (size_t)to < STATE_COUNT);
    return may_move[from][to];
}

int64_t points_for_amount(int64_t amount_minor, int exponent, int64_t earn_milli)
{
    CHECK(exponent >= 0 && exponent <= MONEY_EXPONENT_MAX);
    CHECK(earn_milli >= 0 && earn_milli <= POINTS_EARN_MILLI_MAX);
    int64_t divisor = 1000;
    for (int i = 0; i < exponent; i++)
        divisor *= 10;
    if (amount_minor <= 0)
        return 0;
    /* amount = whole * divisor + rest: rest is below 10^6, so its product below 10^12. */
    int64_t points;
    int64_t rest_points = amount_minor % divisor * earn_milli / divisor;
    if (__builtin_mul_overflow(amount_minor / divisor, earn_milli, &points))
        return POINTS_MAX;
    return points > POINTS_MAX - rest_points ? POINTS_MAX : points + rest_points;
}

/* --- what changes --- */

static int64_t spendable(const struct points_account *account)
{
    return account->points - account->points_held;
}

static bool has_room(const struct points_account *account, int64_t points)
{
    return points <= POINTS_MAX && account->points <= POINTS_MAX - points;
}

static struct points_account *change_account(struct points_decision *decision)
{
    decision->changes->account_is_changed = true;
    return &decision->view->account;
}

/* Idle is who neither gets nor spends; being taken from is no sign of life. */
static bool is_activity(enum points_cause cause, int64_t points)
{
    return points > 0 || cause == POINTS_CAUSE_BURN;
}

static struct points_entry *add_entry(struct points_decision *decision, enum points_cause cause,
                                      int64_t points)
{
    struct points_account *account = change_account(decision);
    struct points_entry *entry = &decision->changes->entry;
    CHECK(points != 0 && !decision->changes->has_entry);
    account->points += points;
    CHECK(account->points >= account->points_held && account->points_held >= 0);
    *entry = (struct points_entry){
        .id = decision->view->next_entry_id,
        .tenant_id = decision->command->tenant_id,
        .member_id = account->member_id,
        .version = account->version + 1,
        .cause = cause,
        .points = points,
        .points_after = account->points,
        .previous_entry_id = account->last_entry_id,
        .created_at_us = decision->now_us,
    };
    memcpy(entry->reason, decision->command->reason, sizeof(entry->reason));
    account->version = entry->version;
    account->last_entry_id = entry->id;
    if (is_activity(cause, points) && account->active_at_us < decision->now_us)
        account->active_at_us = decision->now_us;
    decision->changes->has_entry = true;
    return entry;
}

static struct reservation *change_reservation(struct points_decision *decision)
{
    struct reservation *reservation = &decision->view->reservation;
    decision->changes->reservation_is_changed = true;
    decision->changes->state_before = reservation->state;
    /* Never the same twice, whatever the clocks of the processes: who has read it sees the
     * change. */
    reservation->changed_at_us = decision->now_us > reservation->changed_at_us
                                     ? decision->now_us
                                     : reservation->changed_at_us + 1;
    if (decision->command->reason[0] != '\0')
        memcpy(reservation->reason, decision->command->reason, sizeof(reservation->reason));
    return reservation;
}

static void move_reservation(struct points_decision *decision, enum reservation_state to)
{
    struct reservation *reservation = change_reservation(decision);
    CHECK(reservation_may_move(reservation->state, to));
    if (reservation->pays_minor != 0)
        decision->changes->end = to == RESERVATION_RETURNED ? FOREIGN_UNPAID : FOREIGN_PAID;
    reservation->state = to;
    reservation->is_unsure = false;
}

/* --- grant, earn, unearn, expire --- */

static enum points_result grant(struct points_decision *decision)
{
    const struct points_account *account = &decision->view->account;
    int64_t points = decision->command->points;
    if (points == 0 || points < -POINTS_MAX || !has_room(account, points))
        return POINTS_BAD_AMOUNT;
    if (spendable(account) + points < 0)
        return POINTS_NOT_ENOUGH;
    add_entry(decision, POINTS_CAUSE_GRANT, points);
    return POINTS_OK;
}

static enum points_result earn(struct points_decision *decision)
{
    const struct points_account *account = &decision->view->account;
    int64_t points = decision->command->points;
    if (decision->view->order_is_counted)
        return POINTS_ALREADY_DONE;
    if (!account->is_active)
        return POINTS_INACTIVE;
    if (points < 0 || !has_room(account, points))
        return POINTS_BAD_AMOUNT;
    if (points == 0)
        return POINTS_NOTHING;
    add_entry(decision, POINTS_CAUSE_EARN, points)->order_id = decision->command->order_id;
    return POINTS_OK;
}

static enum points_result unearn(struct points_decision *decision)
{
    int64_t points = decision->command->points;
    int64_t left = spendable(&decision->view->account);
    int64_t points_max = left < decision->view->sale_points ? left : decision->view->sale_points;
    if (decision->view->order_is_counted)
        return POINTS_ALREADY_DONE;
    CHECK(points_max >= 0);
    if (points < 0 || points > POINTS_MAX)
        return POINTS_BAD_AMOUNT;
    if (points > points_max)
        points = points_max;
    if (points == 0)
        return POINTS_NOTHING;
    struct points_entry *entry = add_entry(decision, POINTS_CAUSE_UNEARN, -points);
    entry->order_id = decision->command->order_id;
    entry->sale_order_id = decision->command->sale_order_id;
    return POINTS_OK;
}

static enum points_result expire(struct points_decision *decision)
{
    const struct points_account *account = &decision->view->account;
    if (account->active_at_us >= decision->command->inactive_since_us || spendable(account) == 0)
        return POINTS_NOTHING;
    add_entry(decision, POINTS_CAUSE_EXPIRE, -spendable(account));
    return POINTS_OK;
}

/* --- reserve --- */

static bool is_same_redemption(const struct reservation *reservation,
                               const struct points_command *command)
{
    return reservation->tenant_id == command->tenant_id &&
           reservation->member_id == command->member_id &&
           reservation->reward_id == command->reward_id &&
           reservation->order_id == command->order_id;
}

static enum points_result reserve_again(const struct points_decision *decision)
{
    const struct reservation *reservation = &decision->view->reservation;
    CHECK(reservation->state != RESERVATION_RETURNED);
    if (!is_same_redemption(reservation, decision->command))
        return POINTS_OTHER_ORDER;
    return reservation->state == RESERVATION_RESERVED ? POINTS_UNDER_WAY : POINTS_ALREADY_DONE;
}

static void add_reservation(struct points_decision *decision)
{
    const struct points_command *command = decision->command;
    struct points_view *view = decision->view;
    change_account(decision)->points_held += command->points;
    view->has_reservation = true;
    view->reservation = (struct reservation){
        .id = view->next_reservation_id,
        .tenant_id = command->tenant_id,
        .member_id = command->member_id,
        .reward_id = command->reward_id,
        .order_id = command->order_id,
        .site_id = command->site_id,
        .points = command->points,
        .pays_minor = command->pays_minor,
        .state = RESERVATION_RESERVED,
        .created_at_us = decision->now_us,
        .changed_at_us = decision->now_us,
    };
    memcpy(view->reservation.token_id, command->token_id, sizeof(command->token_id));
    memcpy(view->reservation.reason, command->reason, sizeof(command->reason));
    decision->changes->reservation_is_new = true;
}

static enum points_result result_of(enum foreign_verdict verdict)
{
    static const enum points_result results[] = {
        [FOREIGN_ALLOWED] = POINTS_OK,
        [FOREIGN_NOT_APPROVED] = POINTS_NOT_APPROVED,
        [FOREIGN_EXPIRED] = POINTS_APPROVAL_EXPIRED,
        [FOREIGN_OVER_PAYMENT_MAX] = POINTS_OVER_APPROVED,
        [FOREIGN_OVER_DAY_MAX] = POINTS_OVER_APPROVED_DAY,
        [FOREIGN_SUSPENDED] = POINTS_APPROVAL_SUSPENDED,
    };
    return results[verdict];
}

/* May points pay onto an order that is not ours? */
static enum points_result reserve_judge(struct points_decision *decision)
{
    const struct points_view *view = decision->view;
    const struct points_command *command = decision->command;
    enum foreign_verdict verdict = foreign_judge(&view->approval, command->pays_minor,
                                                 command->local_date, view->foreign_paid_minor);
    decision->changes->has_attempt = true;
    decision->changes->verdict = verdict;
    decision->limit_minor = foreign_limit_minor(&view->approval, verdict, view->foreign_paid_minor);
    return result_of(verdict);
}

static enum points_result reserve(struct points_decision *decision)
{
    const struct points_view *view = decision->view;
    int64_t points = decision->command->points;
    if (!view->has_reward)
        return POINTS_NOT_FOUND;
    if (view->has_reservation)
        return reserve_again(decision);
    if (!view->account.is_active)
        return POINTS_INACTIVE;
    if (view->order_is_busy)
        return POINTS_ORDER_BUSY;
    if (points <= 0 || points > POINTS_MAX || decision->command->pays_minor < 0)
        return POINTS_BAD_AMOUNT;
    if (points > spendable(&view->account))
        return POINTS_NOT_ENOUGH;
    enum points_result result =
        decision->command->pays_minor != 0 ? reserve_judge(decision) : POINTS_OK;
    if (result == POINTS_OK)
        add_reservation(decision);
    return result;
}

/* --- what becomes of a reservation --- */

static enum points_result mark_unsure(struct points_decision *decision)
{
    const struct reservation *reservation = &decision->view->reservation;
    if (reservation->state != RESERVATION_RESERVED)
        return POINTS_WRONG_STATE;
    if (reservation->is_unsure)
        return POINTS_ALREADY_DONE;
    struct reservation *unsure = change_reservation(decision);
    unsure->is_unsure = true;
    unsure->alike_before = decision->command->alike_before;
    return POINTS_OK;
}

static enum points_result move_to(struct points_decision *decision, enum reservation_state to)
{
    enum reservation_state from = decision->view->reservation.state;
    if (from == to)
        return POINTS_ALREADY_DONE;
    if (!reservation_may_move(from, to))
        return POINTS_WRONG_STATE;
    move_reservation(decision, to);
    return POINTS_OK;
}

static enum points_result apply(struct points_decision *decision)
{
    bool pays = decision->view->reservation.pays_minor != 0;
    return pays ? POINTS_WRONG_STATE : move_to(decision, RESERVATION_APPLIED);
}

static enum points_result burn(struct points_decision *decision)
{
    const struct reservation *reservation = &decision->view->reservation;
    enum points_result result = move_to(decision, RESERVATION_BURNED);
    if (result != POINTS_OK)
        return result;
    change_account(decision)->points_held -= reservation->points;
    add_entry(decision, POINTS_CAUSE_BURN, -reservation->points)->reservation_id = reservation->id;
    return POINTS_OK;
}

static enum points_result give_back_burned(struct points_decision *decision)
{
    const struct reservation *reservation = &decision->view->reservation;
    if (!decision->command->is_order_deleted)
        return POINTS_WRONG_STATE;
    if (decision->view->is_given_back)
        return POINTS_ALREADY_DONE;
    if (!has_room(&decision->view->account, reservation->points))
        return POINTS_BAD_AMOUNT;
    add_entry(decision, POINTS_CAUSE_RETURN, reservation->points)->reservation_id = reservation->id;
    return POINTS_OK;
}

static bool is_as_seen(const struct points_decision *decision)
{
    int64_t seen_us = decision->command->seen_changed_at_us;
    return seen_us == 0 || seen_us == decision->view->reservation.changed_at_us;
}

static enum points_result give_back(struct points_decision *decision)
{
    enum reservation_state state = decision->view->reservation.state;
    if (state != RESERVATION_RETURNED && !is_as_seen(decision))
        return POINTS_STALE;
    if (state == RESERVATION_BURNED)
        return give_back_burned(decision);
    enum points_result result = move_to(decision, RESERVATION_RETURNED);
    if (result == POINTS_OK)
        change_account(decision)->points_held -= decision->view->reservation.points;
    return result;
}

/* --- the decision --- */

bool points_action_is_of_reservation(enum points_action action)
{
    return action == POINTS_MARK_UNSURE || action == POINTS_APPLY || action == POINTS_BURN ||
           action == POINTS_RETURN;
}

static enum points_result decide(struct points_decision *decision)
{
    switch (decision->command->action) {
    case POINTS_GRANT:
        return grant(decision);
    case POINTS_EARN:
        return earn(decision);
    case POINTS_UNEARN:
        return unearn(decision);
    case POINTS_RESERVE:
        return reserve(decision);
    case POINTS_MARK_UNSURE:
        return mark_unsure(decision);
    case POINTS_APPLY:
        return apply(decision);
    case POINTS_BURN:
        return burn(decision);
    case POINTS_RETURN:
        return give_back(decision);
    case POINTS_EXPIRE:
        return expire(decision);
    }
    check_failed("action is one of enum points_action", __FILE__, __LINE__);
}

static bool has_rows(const struct points_view *view, const struct points_command *command)
{
    if (!view->has_account)
        return false;
    return !points_action_is_of_reservation(command->action) || view->has_reservation;
}

void points_decide(struct points_view *view, const struct points_command *command, int64_t now_us,
                   struct points_changes *changes, struct points_outcome *outcome)
{
    struct points_decision decision = {
        .view = view, .command = command, .now_us = now_us, .changes = changes};
    *changes = (struct points_changes){.version_before = view->account.version};
    *outcome = (struct points_outcome){.result = POINTS_NOT_FOUND};
    if (has_rows(view, command))
        outcome->result = decide(&decision);
    if (view->has_account)
        outcome->account = view->account;
    if (view->has_reservation)
        outcome->reservation = view->reservation;
    outcome->limit_minor = decision.limit_minor;
}
