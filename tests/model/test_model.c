/*
 * Random commands against a naive model: the ledger decides batches on a view, the model keeps one
 * long list of everything that ever happened and answers each command by reading it from the start.
 * They must agree on every answer, and the laws must hold after every batch. Prints its seed;
 * COUNTERPART_SEED repeats a run, COUNTERPART_COMMANDS lengthens it.
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

#include "ledger/account.h"
#include "ledger/ledger.h"
#include "tests/support/view_memory.h"

#define COMMANDS_DEFAULT 1200000
#define WORLD_COMMANDS 300 /* then a new world: short lists keep the naive model quick */
#define EVENTS_MAX (2 * WORLD_COMMANDS) /* a charge may reverse another in one command */
#define CARDS 5
#define TENANT 3
#define START_US (INT64_C(1700000000) * 1000000)

/* --- the world both sides live in: rows as a store would keep them
 * ------------------------------------------ */

struct world {
    struct card cards[CARDS + WORLD_COMMANDS];
    int card_count;
    struct operation operations[EVENTS_MAX];
    int operation_count;
    struct transfer transfers[WORLD_COMMANDS * 70];
    int transfer_count;
    struct register_day days[64];
    int day_count;
    int64_t now_us;
};

/* What the model remembers of one decided command. Balances and allocations are always summed up
 * anew. */
struct event {
    struct command command;
    enum result result;
    int64_t operation_id; /* 0: left no trace */
    int64_t moved_minor;
    int64_t balance_minor_after;
    int64_t limit_minor;
    int64_t at_us;
    int card;
    bool known_sale; /* refunds */
};

struct allocation {
    int undone; /* event */
    int64_t amount_minor;
};

/* What the model takes a command for. */
enum meaning {
    MEANS_ITSELF,
    MEANS_AGAIN, /* an earlier event */
    MEANS_SUSPECT,
    MEANS_LATE_LOAD,
    MEANS_LOOK,
    MEANS_CLOSED,
    MEANS_INSTEAD, /* of an earlier event */
};

struct model {
    struct event events[EVENTS_MAX];
    int event_count;
    struct allocation allocations[WORLD_COMMANDS * 70];
    int allocation_count;
};

static struct world world;
static struct model model;
static struct view view;
static uint64_t random_state;
static int64_t commands_left;
static int64_t batches, replays, refusals, approvals, released;
static int64_t reversed, recharged, replaced, stood_again, looks, suspects, closed;

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

/* --- the naive model
 * ----------------------------------------------------------------------------------------- */

static bool model_took(const struct event *event)
{
    enum action action = event->command.action;
    return event->result == RESULT_OK && (action == ACTION_CHARGE || action == ACTION_RECHARGE);
}

static bool model_gave_back(const struct event *event)
{
    enum action action = event->command.action;
    return event->result == RESULT_OK && (action == ACTION_REFUND || action == ACTION_REVERSE);
}

static int64_t model_balance(int card)
{
    int64_t balance_minor = 0;
    for (int i = 0; i < model.event_count; i++) {
        const struct event *each = &model.events[i];
        if (each->card == card && each->result == RESULT_OK)
            balance_minor += model_took(each) ? -each->moved_minor : each->moved_minor;
    }
    return balance_minor;
}

static int64_t model_undone(int event)
{
    int64_t sum_minor = 0;
    for (int i = 0; i < model.allocation_count; i++) {
        if (model.allocations[i].undone == event)
            sum_minor += model.allocations[i].amount_minor;
    }
    return sum_minor;
}

/* What the event undoes, or -1. */
static int model_undoes(int event)
{
    int64_t id = model.events[event].command.answers_operation_id;
    enum action action = model.events[event].command.action;
    if (action != ACTION_REVERSE && action != ACTION_RECHARGE)
        return -1;
    for (int i = 0; i < event; i++)
        if (model.events[i].operation_id == id)
            return i;
    return -1;
}

/* Of a charge also by way of a refund of its order, which gives back the newest charge first. */
static bool model_is_about(int undo, int event)
{
    while (undo > event && model_undoes(undo) >= 0)
        undo = model_undoes(undo);
    const struct event *root = &model.events[undo];
    const struct event *charge = &model.events[event];
    return undo == event ||
           (undo > event && charge->command.action == ACTION_CHARGE &&
            root->command.action == ACTION_REFUND && root->result == RESULT_OK &&
            root->card == charge->card && root->command.order_id == charge->command.order_id);
}

/* What was moved is moved still, or was again since: the events that move it and are not undone.
 * *last: the latest of them. */
static int model_stands(int event, int *last)
{
    int parts = 0;
    for (int i = event; i < model.event_count; i++) {
        bool is_alike = model_took(&model.events[i]) == model_took(&model.events[event]);
        if (!is_alike || model.events[i].moved_minor == model_undone(i) ||
            !model_is_about(i, event))
            continue;
        parts++;
        *last = i;
    }
    return parts;
}

static bool model_waits(const struct command *load)
{
    return load->action == ACTION_TOP_UP && load->policy.top_up_is_held && load->order_id != 0;
}

/* What loads of this card wait for this order, minus what its releases have moved. */
static int64_t model_held(int card, int64_t order_id)
{
    int64_t held_minor = 0;
    for (int i = 0; i < model.event_count; i++) {
        const struct event *each = &model.events[i];
        if (each->card != card || each->result != RESULT_OK || each->command.order_id != order_id)
            continue;
        if (model_waits(&each->command))
            held_minor += each->command.asked_minor;
        if (each->command.action == ACTION_RELEASE)
            held_minor -= each->moved_minor;
    }
    return held_minor;
}

static bool model_was_sold(int card)
{
    if (world.cards[card].status == CARD_DISABLED)
        return true;
    for (int i = 0; i < model.event_count; i++) {
        const struct event *each = &model.events[i];
        if (each->card != card)
            continue;
        if (each->command.action == ACTION_ISSUE && each->command.new_card.status == CARD_ACTIVE)
            return true;
        bool is_load = each->command.action == ACTION_TOP_UP && !model_waits(&each->command);
        if ((is_load || each->command.action == ACTION_RELEASE) && each->result == RESULT_OK)
            return true;
    }
    return false;
}

static bool same_sale(const struct command *a, const struct command *b)
{
    if (a->order_id != 0 || b->order_id != 0)
        return a->order_id == b->order_id;
    return a->site_id == b->site_id && a->register_id == b->register_id;
}

static bool same_request(const struct command *a, const struct command *b)
{
    return a->action == b->action && a->asked_minor == b->asked_minor && same_sale(a, b);
}

static bool still_waiting(const struct event *event, const struct command *command)
{
    return event->at_us >= command->received_at_us &&
           event->at_us - command->received_at_us <= 4 * INT64_C(1000000);
}

static bool asked_by_nobody(const struct event *event)
{
    enum action action = event->command.action;
    return action == ACTION_RELEASE || action == ACTION_REVERSE || action == ACTION_RECHARGE;
}

/* A refund of which nothing is left: it is as if it had not been. */
static bool model_taken_back(int event)
{
    int part;
    return model.events[event].command.action == ACTION_REFUND && model_stands(event, &part) == 0;
}

/* The latest that succeeded on the command's sale, or -1. */
static int model_latest(const struct command *command, int card)
{
    for (int i = model.event_count - 1; i >= 0; i--) {
        const struct event *each = &model.events[i];
        if (each->card == card && each->operation_id != 0 && each->result == RESULT_OK &&
            same_sale(&each->command, command) && !asked_by_nobody(each) && !model_taken_back(i))
            return i;
    }
    return -1;
}

/* A charge after another of its order, which it repeats late or is not. */
static enum meaning model_ask_order(const struct event *latest, const struct command *command)
{
    const struct order_evidence *shown = &command->evidence;
    bool is_same = latest->command.asked_minor == command->asked_minor;
    if (shown->state == EVIDENCE_NONE && command->order_is_readable)
        return MEANS_LOOK;
    if (shown->state != EVIDENCE_READ || shown->operation_id != latest->operation_id)
        return MEANS_ITSELF;
    if (shown->is_closed && !(is_same && shown->is_booked))
        return MEANS_CLOSED;
    if (is_same && !shown->is_booked)
        return MEANS_SUSPECT;
    if (is_same)
        return shown->due_minor > 0 && !shown->is_closed ? MEANS_ITSELF : MEANS_AGAIN;
    return !shown->is_booked && shown->has_changed ? MEANS_INSTEAD : MEANS_ITSELF;
}

static bool model_in_window(const struct event *event, const struct command *command)
{
    int64_t window_us = command->order_id != 0 ? 90 * INT64_C(1000000) : 15 * INT64_C(1000000);
    return command->received_at_us - event->at_us < window_us;
}

/* Any load of the sale counts, whatever came after it. */
static enum meaning model_means_load(const struct command *command, int card, int *event)
{
    for (int i = model.event_count - 1; i >= 0; i--) {
        const struct event *each = &model.events[i];
        *event = i;
        if (each->card != card || each->operation_id == 0 || each->result != RESULT_OK ||
            !same_request(&each->command, command))
            continue;
        if (model_in_window(each, command))
            return MEANS_AGAIN;
        if (command->order_id != 0)
            return MEANS_LATE_LOAD;
    }
    return MEANS_ITSELF;
}

/* Asked before this one was answered, refused, and nothing has succeeded in between. */
static int model_in_flight(const struct command *command, int card, int after)
{
    for (int i = model.event_count - 1; i > after; i--) {
        const struct event *each = &model.events[i];
        if (each->card == card && each->operation_id != 0 && each->result != RESULT_OK &&
            same_request(&each->command, command) && still_waiting(each, command))
            return i;
    }
    return -1;
}

static enum meaning model_means(const struct command *command, int card, int *event)
{
    int latest = model_latest(command, card);
    bool is_load = command->action == ACTION_TOP_UP;
    int after = latest;
    if (is_load && model_means_load(command, card, &after) == MEANS_ITSELF)
        after = -1;
    *event = model_in_flight(command, card, after);
    if (*event >= 0)
        return MEANS_AGAIN;
    if (is_load)
        return model_means_load(command, card, event);
    *event = latest;
    int part;
    if (latest < 0 || model_stands(latest, &part) == 0)
        return MEANS_ITSELF;
    const struct event *earlier = &model.events[latest];
    stood_again += model_undone(latest) == earlier->moved_minor;
    if (same_request(&earlier->command, command) && model_in_window(earlier, command))
        return MEANS_AGAIN;
    bool is_charges = command->action == ACTION_CHARGE && earlier->command.action == ACTION_CHARGE;
    return is_charges && command->order_id != 0 ? model_ask_order(earlier, command) : MEANS_ITSELF;
}

static enum result model_charge(const struct command *command, int card, int64_t regained_minor,
                                struct event *event)
{
    int64_t balance_minor = model_balance(card) + regained_minor;
    int64_t hour = command->received_at_us / (3600 * INT64_C(1000000));
    int uses = 0;
    int64_t last_hour = 0;
    for (int i = 0; i < model.event_count; i++) {
        const struct event *each = &model.events[i];
        if (each->card != card || each->command.action != ACTION_CHARGE ||
            each->result != RESULT_OK)
            continue;
        int64_t its_hour = each->command.received_at_us / (3600 * INT64_C(1000000));
        if (its_hour > last_hour) {
            last_hour = its_hour;
            uses = 0;
        }
        uses++;
    }
    if (hour > last_hour)
        uses = 0;
    if (command->policy.uses_hour_max > 0 && uses >= command->policy.uses_hour_max)
        return RESULT_OVER_USES;
    if (balance_minor <= 0)
        return RESULT_NO_FUNDS;
    if (balance_minor < command->asked_minor && !command->policy.partial_is_allowed)
        return RESULT_NO_FUNDS;
    event->moved_minor =
        balance_minor < command->asked_minor ? balance_minor : command->asked_minor;
    return RESULT_OK;
}

static enum result model_top_up(const struct command *command, int card, struct event *event)
{
    int64_t balance_minor = model_balance(card);
    int64_t loaded_minor = 0;
    int32_t day = 0;
    for (int i = 0; i < model.event_count; i++) {
        const struct event *each = &model.events[i];
        if (each->card != card || each->command.action != ACTION_TOP_UP ||
            each->result != RESULT_OK)
            continue;
        if (each->command.local_date > day) {
            day = each->command.local_date;
            loaded_minor = 0;
        }
        loaded_minor += each->command.asked_minor;
    }
    if (command->local_date > day)
        loaded_minor = 0;
    int64_t room_minor =
        command->policy.balance_max_minor - balance_minor - model_held(card, command->order_id);
    if (command->asked_minor > room_minor) {
        event->limit_minor = room_minor > 0 ? room_minor : 0;
        return RESULT_OVER_BALANCE_MAX;
    }
    room_minor = command->policy.load_day_max_minor - loaded_minor;
    if (command->asked_minor > room_minor) {
        event->limit_minor = room_minor > 0 ? room_minor : 0;
        return RESULT_OVER_LOAD_DAY;
    }
    event->moved_minor = model_waits(command) ? 0 : command->asked_minor;
    return RESULT_OK;
}

static bool model_reaches(const struct event *charge, const struct command *refund, int card,
                          bool known)
{
    if (charge->card != card || !model_took(charge))
        return false;
    if (known)
        return charge->command.order_id ==
               (refund->refunded_order_id != 0 ? refund->refunded_order_id : refund->order_id);
    return charge->at_us >= refund->received_at_us - 90 * INT64_C(86400) * 1000000;
}

static int64_t model_register_day(const struct command *refund)
{
    int64_t sum_minor = 0;
    for (int i = 0; i < model.event_count; i++) {
        const struct event *each = &model.events[i];
        if (each->command.action == ACTION_REFUND && each->result == RESULT_OK &&
            !each->known_sale && each->command.site_id == refund->site_id &&
            each->command.register_id == refund->register_id &&
            each->command.local_date == refund->local_date)
            sum_minor += each->moved_minor;
    }
    return sum_minor;
}

static bool model_sale_is_known(const struct command *command)
{
    int64_t sale = command->refunded_order_id != 0 ? command->refunded_order_id : command->order_id;
    for (int i = 0; i < model.event_count && sale != 0; i++) {
        const struct event *each = &model.events[i];
        if (model_took(each) && each->command.order_id == sale)
            return true;
    }
    return false;
}

static enum result model_refund(const struct command *command, int card, struct event *event)
{
    int64_t left_minor = 0;
    bool has_charges = false;
    event->known_sale = model_sale_is_known(command);
    for (int i = 0; i < model.event_count; i++) {
        if (!model_reaches(&model.events[i], command, card, event->known_sale))
            continue;
        has_charges = true;
        left_minor += model.events[i].moved_minor - model_undone(i);
    }
    if (event->known_sale && !has_charges)
        return RESULT_NOT_CHARGED;
    if (command->asked_minor > left_minor) {
        event->limit_minor = left_minor;
        return event->known_sale ? RESULT_OVER_CHARGED : RESULT_OVER_REFUND_LIMIT;
    }
    if (!event->known_sale && command->asked_minor > command->policy.refund_max_minor) {
        event->limit_minor = command->policy.refund_max_minor;
        return RESULT_OVER_REFUND_LIMIT;
    }
    int64_t day_minor = command->policy.refund_register_day_max_minor - model_register_day(command);
    if (!event->known_sale && command->asked_minor > day_minor) {
        event->limit_minor = day_minor > 0 ? day_minor : 0;
        return RESULT_OVER_REGISTER_DAY;
    }
    event->moved_minor = command->asked_minor;
    left_minor = command->asked_minor;
    for (int i = model.event_count - 1; i >= 0 && left_minor > 0; i--) {
        if (!model_reaches(&model.events[i], command, card, event->known_sale))
            continue;
        int64_t part_minor = model.events[i].moved_minor - model_undone(i);
        part_minor = part_minor < left_minor ? part_minor : left_minor;
        if (part_minor == 0)
            continue;
        model.allocations[model.allocation_count++] = (struct allocation){i, part_minor};
        left_minor -= part_minor;
    }
    return RESULT_OK;
}

static enum result model_guess(const struct command *command, int card)
{
    bool is_load = command->action == ACTION_TOP_UP;
    if (card < 0 || (!is_load && !model_was_sold(card)))
        return command->is_throttled ? RESULT_THROTTLED : RESULT_NOT_FOUND;
    bool is_sale = is_load && !model_was_sold(card);
    if (!world.cards[card].has_pin || (is_sale && !command->has_pin))
        return RESULT_OK;
    if (command->is_throttled)
        return RESULT_THROTTLED;
    if (!command->has_pin ||
        memcmp(command->pin_hash, world.cards[card].pin_hash, CARD_PIN_BYTES) != 0)
        return RESULT_NOT_FOUND;
    return RESULT_OK;
}

static enum result model_state(const struct card *card, int32_t local_date)
{
    if (card->status == CARD_DISABLED)
        return RESULT_DISABLED;
    if (card->valid_from > local_date)
        return RESULT_NOT_YET_VALID;
    return card->expires_on != 0 && card->expires_on < local_date ? RESULT_EXPIRED : RESULT_OK;
}

static int model_transfers_before(int card, int event)
{
    int count = 0;
    for (int i = 0; i < event; i++) {
        const struct event *each = &model.events[i];
        count += each->card == card && each->result == RESULT_OK && each->moved_minor > 0;
    }
    return count;
}

static void model_replay(int repeat, enum meaning meaning, struct outcome *wanted)
{
    const struct event *earlier = &model.events[repeat];
    *wanted = (struct outcome){.result = earlier->result,
                               .action = model_waits(&earlier->command) ? ACTION_HOLD_LOAD
                                                                        : earlier->command.action,
                               .asked_minor = earlier->command.asked_minor,
                               .is_replay = true,
                               .is_suspect = meaning == MEANS_SUSPECT,
                               .operation_id = earlier->operation_id,
                               .amount_minor = earlier->moved_minor,
                               .balance_minor = earlier->balance_minor_after,
                               .limit_minor = earlier->limit_minor};
}

/* Refused as a guess: the retry of a sale that could not know the PIN is answered all the same, and
 * with a PIN that is not looked at the retry of anything that succeeded. */
static void model_answer_again(const struct command *command, int card, struct outcome *wanted)
{
    int repeat;
    if (card < 0 || command->asked_minor <= 0)
        return;
    enum meaning meaning = model_means(command, card, &repeat);
    if ((meaning != MEANS_AGAIN && meaning != MEANS_SUSPECT) ||
        model.events[repeat].result != RESULT_OK)
        return;
    bool is_sale = command->action == ACTION_TOP_UP && !command->has_pin &&
                   model_transfers_before(card, repeat) == 0;
    if (is_sale || (command->has_pin && wanted->result == RESULT_THROTTLED))
        model_replay(repeat, meaning, wanted);
}

static int model_find(const struct command *undo, int card)
{
    for (int i = 0; i < model.event_count; i++) {
        const struct event *each = &model.events[i];
        bool fits = undo->action == ACTION_REVERSE ? model_took(each) : model_gave_back(each);
        if (fits && each->card == card && each->operation_id == undo->answers_operation_id &&
            each->command.order_id == undo->order_id)
            return i;
    }
    return -1;
}

static void model_add_undo(const struct command *command, int card, int undone, int64_t moved_minor,
                           int64_t now_us, int64_t operation_id)
{
    struct event event = {.command = *command,
                          .card = card,
                          .operation_id = operation_id,
                          .moved_minor = moved_minor,
                          .at_us = now_us};
    model.events[model.event_count++] = event;
    model.allocations[model.allocation_count++] = (struct allocation){undone, moved_minor};
}

static void model_undo(const struct command *command, int card, int64_t now_us,
                       int64_t operation_id, struct outcome *wanted)
{
    int undone = card < 0 ? -1 : model_find(command, card);
    *wanted = (struct outcome){
        .result = RESULT_NOT_FOUND, .action = command->action, .asked_minor = command->asked_minor};
    if (undone < 0)
        return;
    int64_t left_minor = model.events[undone].moved_minor - model_undone(undone);
    bool is_part = command->asked_minor > 0 && command->asked_minor < left_minor;
    int64_t moved_minor = is_part ? command->asked_minor : left_minor;
    wanted->asked_minor = moved_minor;
    wanted->balance_minor = model_balance(card);
    wanted->result = left_minor == 0 ? RESULT_NOTHING_LEFT : RESULT_OK;
    if (command->action == ACTION_RECHARGE && moved_minor > wanted->balance_minor)
        moved_minor = wanted->balance_minor;
    if (left_minor > 0 && moved_minor == 0)
        wanted->result = RESULT_NO_FUNDS;
    if (wanted->result != RESULT_OK)
        return;
    model_add_undo(command, card, undone, moved_minor, now_us, operation_id);
    wanted->operation_id = operation_id;
    wanted->amount_minor = moved_minor;
    wanted->balance_minor = model_balance(card);
    reversed += command->action == ACTION_REVERSE;
    recharged += command->action == ACTION_RECHARGE;
}

static void model_release(const struct command *command, int card, int64_t now_us,
                          int64_t operation_id, struct outcome *wanted)
{
    int64_t held_minor = card < 0 ? 0 : model_held(card, command->order_id);
    *wanted = (struct outcome){.result = card < 0 ? RESULT_NOT_FOUND : RESULT_NOTHING_HELD,
                               .action = ACTION_RELEASE,
                               .asked_minor = card < 0 ? command->asked_minor : held_minor};
    if (held_minor == 0)
        return;
    model.events[model.event_count++] = (struct event){.command = *command,
                                                       .card = card,
                                                       .operation_id = operation_id,
                                                       .moved_minor = held_minor,
                                                       .at_us = now_us};
    wanted->result = RESULT_OK;
    wanted->operation_id = operation_id;
    wanted->amount_minor = held_minor;
    wanted->balance_minor = model_balance(card);
    released++;
}

/* Before anything is looked up: what leaves no trace. */
static enum result model_refuse(const struct command *command, int card, struct outcome *wanted)
{
    enum result result = model_guess(command, card);
    if (result != RESULT_OK)
        return result;
    if (command->asked_minor <= 0 && !model_was_sold(card))
        return RESULT_NOT_FOUND;
    wanted->balance_minor = model_balance(card);
    return command->asked_minor <= 0 ? RESULT_AMOUNT_NOT_POSITIVE : RESULT_OK;
}

static enum result model_afresh(const struct command *command, int card, enum meaning meaning,
                                int64_t regained_minor, struct event *event)
{
    if (meaning == MEANS_LATE_LOAD)
        return RESULT_ALREADY_LOADED;
    if (meaning == MEANS_CLOSED)
        return RESULT_ORDER_CLOSED;
    enum result result = model_state(&world.cards[card], command->local_date);
    if (result != RESULT_OK)
        return result;
    if (command->action == ACTION_CHARGE)
        return model_charge(command, card, regained_minor, event);
    return command->action == ACTION_TOP_UP ? model_top_up(command, card, event)
                                            : model_refund(command, card, event);
}

/* The reversal that comes before a charge which takes another's place. */
static void model_reverse_first(const struct command *command, int card, int undone,
                                int64_t left_minor, int64_t now_us, int64_t operation_id)
{
    struct command reversal = {.action = ACTION_REVERSE,
                               .order_id = command->order_id,
                               .site_id = command->site_id,
                               .register_id = command->register_id,
                               .answers_operation_id = model.events[undone].operation_id};
    model_add_undo(&reversal, card, undone, left_minor, now_us, operation_id);
    replaced++;
}

static void model_decide_afresh(const struct command *command, int card, enum meaning meaning,
                                int earlier, int64_t now_us, int64_t operation_id,
                                struct outcome *wanted)
{
    struct event event = {.command = *command, .card = card, .at_us = now_us};
    bool is_instead = meaning == MEANS_INSTEAD && model_stands(earlier, &earlier) == 1;
    int64_t left_minor = is_instead ? model.events[earlier].moved_minor - model_undone(earlier) : 0;
    event.result = model_afresh(command, card, meaning, left_minor, &event);
    if (event.result == RESULT_OK && is_instead) {
        model_reverse_first(command, card, earlier, left_minor, now_us, operation_id++);
        wanted->reversed_operation_id = model.events[earlier].operation_id;
    }
    event.operation_id = operation_id;
    model.events[model.event_count++] = event;
    model.events[model.event_count - 1].balance_minor_after = model_balance(card);
    wanted->result = event.result;
    wanted->operation_id = operation_id;
    wanted->amount_minor = event.moved_minor;
    wanted->balance_minor = model_balance(card);
    wanted->limit_minor = event.limit_minor;
    closed += event.result == RESULT_ORDER_CLOSED;
}

/* Answers one request from the list of events; appends an event unless it was a repeat or left no
 * trace. */
static void model_decide_request(const struct command *command, int card, int64_t now_us,
                                 int64_t next_operation_id, struct outcome *wanted)
{
    int earlier;
    *wanted = (struct outcome){.action = model_waits(command) ? ACTION_HOLD_LOAD : command->action,
                               .asked_minor = command->asked_minor};
    wanted->result = model_refuse(command, card, wanted);
    if (model_guess(command, card) != RESULT_OK)
        model_answer_again(command, card, wanted);
    if (wanted->result != RESULT_OK || wanted->is_replay)
        return;
    enum meaning meaning = model_means(command, card, &earlier);
    if (meaning == MEANS_AGAIN || meaning == MEANS_SUSPECT) {
        model_replay(earlier, meaning, wanted);
        suspects += meaning == MEANS_SUSPECT;
    } else if (meaning == MEANS_LOOK) {
        wanted->result = RESULT_LOOK_FIRST;
        wanted->earlier_operation_id = model.events[earlier].operation_id;
        wanted->earlier_minor = model.events[earlier].moved_minor;
        looks++;
    } else {
        model_decide_afresh(command, card, meaning, earlier, now_us, next_operation_id, wanted);
    }
}

static void model_decide(const struct command *command, int card, int64_t now_us,
                         int64_t next_operation_id, struct outcome *wanted)
{
    if (command->action == ACTION_RELEASE)
        model_release(command, card, now_us, next_operation_id, wanted);
    else if (command->action == ACTION_REVERSE || command->action == ACTION_RECHARGE)
        model_undo(command, card, now_us, next_operation_id, wanted);
    else
        model_decide_request(command, card, now_us, next_operation_id, wanted);
}

/* --- the store's part, played over arrays
 * -------------------------------------------------------------------- */

static int32_t load_card(int card)
{
    for (int32_t i = 0; i < view.card_count; i++) {
        if (view.cards[i].card.id == world.cards[card].id)
            return i;
    }
    view.cards[view.card_count] = (struct view_card){.card = world.cards[card],
                                                     .operation_newest = VIEW_NONE,
                                                     .version_loaded = world.cards[card].version};
    return view.card_count++;
}

static int32_t load_day(const struct command *command)
{
    struct register_day wanted = {command->tenant_id, command->site_id, command->register_id,
                                  command->local_date, 0};
    for (int32_t i = 0; i < view.day_count; i++) {
        struct register_day *each = &view.days[i].day;
        if (each->site_id == wanted.site_id && each->register_id == wanted.register_id &&
            each->local_date == wanted.local_date)
            return i;
    }
    view.days[view.day_count] = (struct view_day){.day = wanted, .is_new = true};
    for (int i = 0; i < world.day_count; i++) {
        struct register_day *each = &world.days[i];
        if (each->site_id == wanted.site_id && each->register_id == wanted.register_id &&
            each->local_date == wanted.local_date)
            view.days[view.day_count] =
                (struct view_day){.day = *each, .refunded_minor_loaded = each->refunded_minor};
    }
    return view.day_count++;
}

static bool is_charge_row(const struct operation *row)
{
    return (row->action == ACTION_CHARGE || row->action == ACTION_RECHARGE) &&
           row->result == RESULT_OK;
}

static void load_operations(const struct command *command, const struct keys *keys,
                            struct scope *scope)
{
    int64_t card_id = view.cards[scope->card].card.id;
    for (int i = 0; i < world.operation_count; i++) {
        const struct operation *row = &world.operations[i];
        bool is_of_order = row->card_id == card_id && row->order_id == command->order_id &&
                           (command->order_id != 0 || (row->site_id == command->site_id &&
                                                       row->register_id == command->register_id));
        bool is_of_sale = keys->wants_refunded_operations && scope->order_is_known &&
                          row->card_id == card_id && row->order_id == command->refunded_order_id;
        bool is_recent = keys->wants_recent_charges && !scope->order_is_known &&
                         row->card_id == card_id && is_charge_row(row) &&
                         row->given_back_minor < row->amount_minor &&
                         row->created_at_us >= keys->recent_since_us;
        bool is_undone = row->card_id == card_id && row->id == keys->answers_operation_id;
        if ((keys->wants_order_operations && is_of_order) || is_of_sale || is_recent || is_undone)
            view_add_operation(&view, scope->card, row);
    }
}

static void load_scope(const struct command *command, int card, struct scope *scope)
{
    struct keys keys;
    ledger_keys(command, &keys);
    *scope = (struct scope){card < 0 ? VIEW_NONE : load_card(card), VIEW_NONE, false, VIEW_NONE};
    if (keys.wants_register_day)
        scope->day = load_day(command);
    for (int i = 0; keys.wants_order_is_known && i < world.operation_count; i++) {
        if (is_charge_row(&world.operations[i]) &&
            world.operations[i].order_id == keys.sale_order_id)
            scope->order_is_known = true;
    }
    if (scope->card != VIEW_NONE)
        load_operations(command, &keys, scope);
}

static void store_operation(const struct view_operation *changed)
{
    if (changed->is_new) {
        assert_true(world.operation_count < EVENTS_MAX);
        world.operations[world.operation_count++] = changed->operation;
        return;
    }
    for (int i = 0; i < world.operation_count; i++) {
        if (world.operations[i].id == changed->operation.id)
            world.operations[i].given_back_minor = changed->operation.given_back_minor;
    }
}

static void store_day(const struct view_day *changed)
{
    for (int i = 0; i < world.day_count; i++) {
        struct register_day *each = &world.days[i];
        if (each->site_id == changed->day.site_id &&
            each->register_id == changed->day.register_id &&
            each->local_date == changed->day.local_date) {
            assert_int_equal(each->refunded_minor, changed->refunded_minor_loaded);
            *each = changed->day;
            return;
        }
    }
    assert_true(world.day_count < 64);
    world.days[world.day_count++] = changed->day;
}

static void store_view(void)
{
    for (int32_t i = 0; i < view.card_count; i++) {
        for (int c = 0; c < world.card_count; c++) {
            if (world.cards[c].id != view.cards[i].card.id)
                continue;
            assert_int_equal(world.cards[c].version, view.cards[i].version_loaded);
            world.cards[c] = view.cards[i].card;
        }
    }
    for (int32_t i = view.operation_count - 1; i >= 0; i--)
        assert_true(view.operations[i].is_new || !view.operations[i].is_changed ||
                    view.operations[i].operation.given_back_minor >
                        view.operations[i].given_back_minor_loaded);
    for (int32_t i = 0; i < view.operation_count; i++) {
        if (view.operations[i].is_new || view.operations[i].is_changed)
            store_operation(&view.operations[i]);
    }
    for (int32_t i = 0; i < view.transfer_count; i++)
        world.transfers[world.transfer_count++] = view.transfers[i];
    for (int32_t i = 0; i < view.day_count; i++) {
        if (view.days[i].is_changed)
            store_day(&view.days[i]);
    }
}

static void view_clear(void)
{
    int64_t card_id = view.next_card_id, operation_id = view.next_operation_id,
            transfer_id = view.next_transfer_id;
    view.card_count = view.operation_count = view.day_count = view.transfer_count = 0;
    view.next_card_id = card_id;
    view.next_operation_id = operation_id;
    view.next_transfer_id = transfer_id;
}

/* --- laws, from the rows alone
 * -------------------------------------------------------------------------------- */

static void assert_card_laws(const struct card *card, int index)
{
    int64_t sum_minor = 0, version = 0, last_id = 0;
    int64_t account = account_make(ACCOUNT_CARD, card->id);
    for (int i = 0; i < world.transfer_count; i++) {
        const struct transfer *each = &world.transfers[i];
        bool is_debit = each->debit_account == account, is_credit = each->credit_account == account;
        if (!is_debit && !is_credit)
            continue;
        assert_false(is_debit && is_credit);
        sum_minor += is_credit ? each->amount_minor : -each->amount_minor;
        assert_int_equal(each->version, ++version); /* law 2: no gaps */
        assert_int_equal(each->balance_minor_after, sum_minor);
        assert_true(sum_minor >= 0); /* law 4 */
        assert_int_equal(each->previous_transfer_id, last_id);
        last_id = each->id;
    }
    assert_int_equal(card->balance_minor, sum_minor); /* law 2 */
    assert_int_equal(card->version, version);
    assert_int_equal(card->last_transfer_id, last_id);
    assert_int_equal(card->balance_minor, model_balance(index));
}

/* Of a refund or reversal, what recharges took again. */
static int64_t taken_again(const struct operation *row)
{
    int64_t sum_minor = 0;
    for (int i = 0; i < world.operation_count; i++) {
        const struct operation *each = &world.operations[i];
        if (each->action == ACTION_RECHARGE && each->answers_operation_id == row->id)
            sum_minor += each->amount_minor;
    }
    return sum_minor;
}

/* Law 9: what a reversal or recharge answers is of its card and order, and may be undone so. */
static void assert_undoes_what_it_may(const struct operation *undo)
{
    bool is_reversal = undo->action == ACTION_REVERSE;
    if (!is_reversal && undo->action != ACTION_RECHARGE) {
        assert_int_equal(undo->answers_operation_id, 0);
        return;
    }
    assert_int_equal(undo->result, RESULT_OK);
    for (int i = 0; i < world.operation_count; i++) {
        const struct operation *each = &world.operations[i];
        if (each->id != undo->answers_operation_id)
            continue;
        bool is_credit = each->action == ACTION_REFUND || each->action == ACTION_REVERSE;
        assert_true(is_reversal ? is_charge_row(each) : is_credit && each->result == RESULT_OK);
        assert_true(each->card_id == undo->card_id && each->order_id == undo->order_id);
        return;
    }
    fail_msg("operation %lld undoes nothing", (long long)undo->id);
}

static void assert_operation_laws(void)
{
    for (int i = 0; i < world.operation_count; i++) {
        const struct operation *row = &world.operations[i];
        int64_t moved_minor = 0, given_minor = 0, loaded_minor = 0;
        for (int t = 0; t < world.transfer_count; t++) {
            const struct transfer *each = &world.transfers[t];
            if (each->operation_id == row->id)
                moved_minor += each->amount_minor;
            bool is_back = each->cause == CAUSE_REFUND || each->cause == CAUSE_REVERSE;
            if (is_back && each->answers_operation_id == row->id)
                given_minor += each->amount_minor;
            if (each->cause == CAUSE_LOAD && each->answers_operation_id == row->id)
                loaded_minor += each->amount_minor;
        }
        if (row->action == ACTION_HOLD_LOAD && row->result == RESULT_OK)
            assert_true(loaded_minor == 0 || loaded_minor == row->asked_minor); /* law 9 */
        assert_int_equal(moved_minor, row->amount_minor);
        given_minor += taken_again(row);
        assert_int_equal(given_minor, row->given_back_minor); /* law 9 */
        assert_undoes_what_it_may(row);
        assert_true(row->given_back_minor <= row->amount_minor);
        assert_true(row->amount_minor <= row->asked_minor);
    }
}

/* --- random commands
 * ------------------------------------------------------------------------------------------ */

static struct policy random_policy(void)
{
    return (struct policy){
        .partial_is_allowed = random_chance(60),
        .balance_max_minor = 100 + random_below(400),
        .load_day_max_minor = 100 + random_below(500),
        .uses_hour_max = random_chance(70) ? 0 : (int32_t)(1 + random_below(6)),
        .top_up_is_held = random_chance(40),
        .refund_max_minor = random_below(200),
        .refund_register_day_max_minor = random_below(300),
        .replay_window_us = REPLAY_WINDOW_US,
        .replay_window_no_order_us = REPLAY_WINDOW_NO_ORDER_US,
    };
}

/* Mostly about the operation that it will be about, unless the batch adds one before. */
static void random_evidence(struct command *command, int card)
{
    struct order_evidence *order = &command->evidence;
    int latest = card < 0 ? -1 : model_latest(command, card);
    command->order_is_readable = random_chance(60);
    *order = (struct order_evidence){.state = (enum evidence_state)random_below(3)};
    if (random_chance(50))
        order->state = EVIDENCE_READ;
    order->operation_id =
        latest >= 0 && random_chance(95) ? model.events[latest].operation_id : 1 + random_below(9);
    order->is_booked = random_chance(40);
    order->is_closed = random_chance(20);
    order->has_changed = random_chance(60);
    order->due_minor = random_below(3) * 30 - 30;
}

/* Mostly of what it may undo. */
static void random_undo(struct command *command, int *card)
{
    if (model.event_count == 0)
        return;
    const struct event *event = &model.events[random_below(model.event_count)];
    bool is_reversal = random_chance(95) ? model_took(event) : random_chance(50);
    command->action = is_reversal ? ACTION_REVERSE : ACTION_RECHARGE;
    command->answers_operation_id = event->operation_id == 0 ? 1 : event->operation_id;
    command->order_id = random_chance(97) ? event->command.order_id : random_below(6);
    if (random_chance(60))
        command->asked_minor = 0; /* all of it */
    if (random_chance(97))
        *card = event->card;
}

static void random_command(struct command *command, int *card, const struct command *previous,
                           int previous_card)
{
    static const enum action actions[] = {ACTION_CHARGE, ACTION_CHARGE, ACTION_TOP_UP,
                                          ACTION_TOP_UP, ACTION_REFUND, ACTION_RELEASE};
    if (previous != NULL && random_chance(25)) {
        *command = *previous; /* asked again */
        *card = previous_card;
    } else {
        *command = (struct command){.action = actions[random_below(6)], .tenant_id = TENANT};
        *card = (int)random_below(CARDS + 1) - 1;
        command->order_id = random_below(6);
        if (command->action == ACTION_RELEASE)
            command->order_id = 1 + random_below(5);
        if (command->action == ACTION_REFUND && command->order_id != 0 && random_chance(30))
            command->refunded_order_id = 1 + random_below(5);
        command->site_id = 1 + random_below(2);
        command->register_id = 1 + random_below(2);
        command->asked_minor = random_chance(2) ? -random_below(3) : 1 + random_below(4) * 30;
        command->has_pin = random_chance(50);
        memset(command->pin_hash, (int)random_below(2), CARD_PIN_BYTES);
        command->is_throttled = random_chance(5);
        if (command->action == ACTION_CHARGE)
            random_evidence(command, *card);
        if (random_chance(15))
            random_undo(command, card);
    }
    command->policy = random_policy();
    command->local_date = (int32_t)(world.now_us / 1000000 / 86400) + (int32_t)random_below(2);
    command->received_at_us =
        world.now_us - (random_chance(80) ? random_below(1000) : random_below(2000000));
}

static void compare(const struct outcome *got, const struct outcome *wanted)
{
    if (got->result != wanted->result)
        fail_msg("ledger says %s, the model says %s", result_name(got->result),
                 result_name(wanted->result));
    assert_int_equal(got->is_replay, wanted->is_replay);
    assert_int_equal(got->action, wanted->action);
    assert_int_equal(got->asked_minor, wanted->asked_minor);
    assert_int_equal(got->amount_minor, wanted->amount_minor);
    assert_int_equal(got->balance_minor, wanted->balance_minor);
    assert_int_equal(got->limit_minor, wanted->limit_minor);
    assert_int_equal(got->operation_id, wanted->operation_id);
    assert_int_equal(got->is_suspect, wanted->is_suspect);
    assert_int_equal(got->earlier_operation_id, wanted->earlier_operation_id);
    assert_int_equal(got->earlier_minor, wanted->earlier_minor);
    assert_int_equal(got->reversed_operation_id, wanted->reversed_operation_id);
    replays += got->is_replay;
    approvals += got->result == RESULT_OK;
    refusals += got->result != RESULT_OK;
}

static void decide_batch(int count)
{
    static struct command commands[16];
    static struct scope scopes[16];
    int cards[16];
    view_clear();
    for (int i = 0; i < count; i++) {
        random_command(&commands[i], &cards[i], i > 0 ? &commands[i - 1] : NULL,
                       i > 0 ? cards[i - 1] : 0);
        load_scope(&commands[i], cards[i], &scopes[i]);
    }
    for (int i = 0; i < count; i++) {
        struct outcome got, wanted;
        model_decide(&commands[i], cards[i], world.now_us, view.next_operation_id, &wanted);
        ledger_decide(&view, &scopes[i], i, &commands[i], world.now_us, &got);
        compare(&got, &wanted);
    }
    store_view();
    for (int i = 0; i < world.card_count; i++)
        assert_card_laws(&world.cards[i], i);
    assert_operation_laws();
    commands_left -= count;
    batches++;
}

static void issue_cards(void)
{
    view_clear();
    for (int i = 0; i < CARDS; i++) {
        struct command command = {.action = ACTION_ISSUE, .tenant_id = TENANT, .local_date = 1};
        struct scope scope = {VIEW_NONE, VIEW_NONE, false, VIEW_NONE};
        struct outcome outcome;
        command.card_index[0] = (uint8_t)(i + 1);
        command.new_card.status = random_chance(80) ? CARD_ACTIVE : CARD_STOCK;
        command.asked_minor = command.new_card.status == CARD_ACTIVE ? random_below(300) : 0;
        command.has_pin = random_chance(30);
        memset(command.pin_hash, 1, CARD_PIN_BYTES);
        int32_t today = (int32_t)(world.now_us / 1000000 / 86400);
        command.new_card.expires_on = random_chance(70) ? 0 : today + (int32_t)random_below(3);
        command.new_card.valid_from = random_chance(90) ? 0 : today + 1;
        model.events[model.event_count++] = (struct event){.command = command,
                                                           .card = i,
                                                           .moved_minor = command.asked_minor,
                                                           .at_us = world.now_us};
        ledger_decide(&view, &scope, i, &command, world.now_us, &outcome);
        assert_int_equal(outcome.result, RESULT_OK);
        world.cards[world.card_count++] = view.cards[i].card;
        if (random_chance(5))
            world.cards[i].status = CARD_DISABLED;
    }
    for (int32_t i = 0; i < view.operation_count; i++)
        store_operation(&view.operations[i]);
    for (int32_t i = 0; i < view.transfer_count; i++)
        world.transfers[world.transfer_count++] = view.transfers[i];
}

static void live_one_world(void)
{
    memset(&world, 0, sizeof(world));
    memset(&model, 0, sizeof(model));
    world.now_us = START_US + random_below(86400) * 1000000;
    issue_cards();
    int lived = CARDS;
    while (lived < WORLD_COMMANDS - 16) {
        int count = 1 + (int)random_below(random_chance(50) ? 1 : 16);
        static const int64_t steps_s[] = {0, 1, 5, 20, 60, 100, 3000, 90000, 8000000};
        world.now_us += 1 + steps_s[random_below(random_chance(95) ? 7 : 9)] * 1000000;
        decide_batch(count);
        lived += count;
    }
}

static int64_t number_from_environment(const char *name, int64_t fallback)
{
    const char *value = getenv(name);
    return value == NULL ? fallback : strtoll(value, NULL, 10);
}

static void random_commands_agree_with_the_naive_model(void **state)
{
    uint64_t seed = (uint64_t)number_from_environment("COUNTERPART_SEED", (int64_t)time(NULL));
    (void)state;
    commands_left = number_from_environment("COUNTERPART_COMMANDS", COMMANDS_DEFAULT);
    print_message("COUNTERPART_SEED=%llu\n", (unsigned long long)seed);
    random_state = seed;
    view_memory_init(&view);
    view.next_card_id = view.next_operation_id = view.next_transfer_id = 1;
    while (commands_left > 0)
        live_one_world();
    print_message("batches %lld, approvals %lld (replays %lld, releases %lld), refusals %lld\n",
                  (long long)batches, (long long)approvals, (long long)replays, (long long)released,
                  (long long)refusals);
    print_message("reversals %lld, recharges %lld, charges instead of others %lld, looks %lld, "
                  "suspects %lld, closed %lld, done again %lld\n",
                  (long long)reversed, (long long)recharged, (long long)replaced, (long long)looks,
                  (long long)suspects, (long long)closed, (long long)stood_again);
    assert_true(reversed > batches / 50 && recharged > batches / 50);
    assert_true(replaced > batches / 200 && looks > batches / 200);
    assert_true(stood_again > batches / 1000);
    assert_true(suspects > batches / 500 && closed > batches / 500);
    assert_true(replays > batches / 50);
    assert_true(released > batches / 200);
    assert_true(approvals > refusals / 10);
    view_memory_finish(&view);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_commands_agree_with_the_naive_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
