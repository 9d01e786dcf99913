/* Fuzzes "is this the same request again?": a card with any history, and a command that is asked
 * once, again while the first was under way, and again right after it. Whatever the first answer
 * was, the others are the same and move nothing. Bytes 0..15: card and command; then 8 bytes for
 * each earlier operation. */
#include "ledger/account.h"
#include "ledger/ledger.h"

#include "fuzz.h"

#include <string.h>

#include "base/banned.h"

#define HEAD_BYTES 16
#define OPERATION_BYTES 8
#define HISTORY_MAX 48
#define ASKS 3
#define TENANT 3
#define CARD 9
/* In the middle of a clock hour: the asks are all in the same one. */
#define NOW_US ((INT64_C(472222) * 3600 + 1800) * 1000000)
#define TODAY 20000

static struct view_card cards[1];
static struct view_operation operations[HISTORY_MAX + ASKS];
static struct view_day days[1];
static struct transfer transfers[ASKS * (HISTORY_MAX + ASKS)];
static struct view view;
static struct scope scope;

/* --- the input */

/* Steps around everything that an identity's age is compared with: 15 s, 90 s, 90 days. */
static int64_t age_us(uint8_t code)
{
    static const int64_t scale_s[] = {1, 1, 10, 86400};
    int64_t age_s = (code & 63) * scale_s[code >> 6];
    return age_s * 1000000 + (code >> 6 == 3 ? INT64_C(60) * 86400 * 1000000 : 0) - 500;
}

static struct operation read_operation(const uint8_t *bytes)
{
    bool is_ok = (bytes[0] & 4) == 0;
    struct operation operation = {
        .id = 1 + bytes[6] % HISTORY_MAX,
        .tenant_id = TENANT,
        .card_id = CARD,
        .action = (enum action)(ACTION_ISSUE + bytes[0] % 4),
        .result = is_ok ? RESULT_OK : (enum result)(RESULT_ALREADY_LOADED + bytes[0] / 8 % 12),
        .order_id = bytes[1] % 3,
        .site_id = 1 + bytes[1] / 3 % 2,
        .register_id = 1 + bytes[1] / 6 % 2,
        .asked_minor = 1 + bytes[2] % 4,
        .balance_minor_after = bytes[5],
        .limit_minor = is_ok ? 0 : bytes[5] % 4,
        .created_at_us = NOW_US - age_us(bytes[3]),
    };
    if (is_ok)
        operation.amount_minor = bytes[4] % 2 == 0 ? operation.asked_minor : 1;
    if (is_ok && operation.action == ACTION_CHARGE)
        operation.given_back_minor = bytes[4] / 2 % (operation.amount_minor + 1);
    return operation;
}

static void read_card(const uint8_t *head)
{
    struct card *card = &cards[0].card;
    cards[0] = (struct view_card){.operation_newest = VIEW_NONE, .version_loaded = head[1]};
    *card = (struct card){
        .id = CARD,
        .tenant_id = TENANT,
        .last4 = "1234",
        .status = head[0] % 8 == 0   ? CARD_STOCK
                  : head[0] % 8 == 1 ? CARD_DISABLED
                                     : CARD_ACTIVE,
        .has_pin = (head[0] & 8) != 0,
        .valid_from = (head[0] & 16) != 0 ? TODAY + (head[0] >> 5) % 2 : 0,
        .expires_on = (head[0] & 128) != 0 ? TODAY - (head[0] >> 5) % 2 : CARD_NEVER_EXPIRES,
        .balance_minor = head[2] % 16,
        .version = head[1],
        .last_transfer_id = head[1],
        .loaded_on = TODAY - head[3] % 2,
        .loaded_minor = head[3] % 8,
        .used_hour = NOW_US / 1000000 / 3600 - head[4] % 2,
        .used_count = head[4] % 4,
    };
    if (card->status == CARD_STOCK) /* nothing has ever moved on it */
        card->balance_minor = card->version = card->last_transfer_id = 0;
}

static struct command read_command(const uint8_t *head)
{
    struct command command = {
        .action = (enum action)(ACTION_CHARGE + head[5] % 3),
        .tenant_id = TENANT,
        .order_id = head[6] % 3,
        .site_id = 1 + head[6] / 3 % 2,
        .register_id = 1 + head[6] / 6 % 2,
        .has_pin = (head[5] & 64) != 0,
        .is_throttled = head[5] >= 192,
        .asked_minor = head[7] % 6 == 5 ? -1 : head[7] % 6,
        .local_date = TODAY,
        .received_at_us = NOW_US - head[8] % 4 * INT64_C(1000000),
        .policy = {.partial_is_allowed = (head[9] & 1) != 0,
                   .balance_max_minor = head[10] % 32,
                   .load_day_max_minor = head[11] % 32,
                   .uses_hour_max = head[12] % 5,
                   .refund_max_minor = head[13] % 8,
                   .refund_register_day_max_minor = head[14] % 8,
                   .replay_window_us = REPLAY_WINDOW_US,
                   .replay_window_no_order_us = REPLAY_WINDOW_NO_ORDER_US},
    };
    command.pin_hash[0] = head[9] / 2 % 2;
    return command;
}

static void load(const struct command *command, const uint8_t *head, const uint8_t *history,
                 size_t size)
{
    view = (struct view){.cards = cards,
                         .card_count = 1,
                         .operations = operations,
                         .days = days,
                         .day_count = 1,
                         .transfers = transfers,
                         .next_card_id = CARD + 1,
                         .next_operation_id = HISTORY_MAX + 1,
                         .next_transfer_id = 1000};
    read_card(head);
    days[0] = (struct view_day){
        .day = {TENANT, command->site_id, command->register_id, TODAY, head[15] % 8}};
    scope = (struct scope){.order_is_known = (head[15] & 128) != 0 && command->order_id != 0};
    for (size_t i = 0; i < HISTORY_MAX && (i + 1) * OPERATION_BYTES <= size; i++) {
        struct operation operation = read_operation(history + i * OPERATION_BYTES);
        view_add_operation(&view, 0, &operation);
    }
    for (int32_t i = 0; i < view.operation_count; i++) {
        const struct operation *each = &operations[i].operation;
        if (each->action == ACTION_CHARGE && each->result == RESULT_OK &&
            each->order_id == command->order_id && command->order_id != 0)
            scope.order_is_known = true;
    }
}

/* --- the laws */

static void check_list_order(void)
{
    int32_t count = 0;
    for (int32_t i = cards[0].operation_newest; i != VIEW_NONE; i = operations[i].next_older) {
        int32_t older = operations[i].next_older;
        CHECK(older == VIEW_NONE || operations[older].operation.id < operations[i].operation.id);
        count++;
    }
    CHECK(count == view.operation_count);
}

/* Sums the transfers up: they alone say what the card has and what each charge has given back. */
static void check_transfers(int64_t balance_minor, int64_t version)
{
    int64_t account = account_make(ACCOUNT_CARD, CARD);
    for (int32_t i = 0; i < view.transfer_count; i++) {
        const struct transfer *each = &transfers[i];
        bool is_debit = each->debit_account == account;
        CHECK(is_debit != (each->credit_account == account));
        CHECK(is_debit == (each->cause == CAUSE_CHARGE));
        CHECK(each->amount_minor > 0);
        balance_minor += is_debit ? -each->amount_minor : each->amount_minor;
        CHECK(balance_minor >= 0);
        CHECK(each->balance_minor_after == balance_minor);
        CHECK(each->version == ++version);
    }
    CHECK(cards[0].card.balance_minor == balance_minor);
    CHECK(cards[0].card.version == version);
}

static int64_t sum_of_transfers(int64_t operation_id, int64_t answers_operation_id)
{
    int64_t sum_minor = 0;
    for (int32_t i = 0; i < view.transfer_count; i++) {
        if ((operation_id != 0 && transfers[i].operation_id == operation_id) ||
            (answers_operation_id != 0 && transfers[i].cause == CAUSE_REFUND &&
             transfers[i].answers_operation_id == answers_operation_id))
            sum_minor += transfers[i].amount_minor;
    }
    return sum_minor;
}

static void check_operations(void)
{
    for (int32_t i = 0; i < view.operation_count; i++) {
        const struct view_operation *each = &operations[i];
        const struct operation *operation = &each->operation;
        CHECK(operation->given_back_minor <= operation->amount_minor);
        CHECK(operation->given_back_minor - each->given_back_minor_loaded ==
              sum_of_transfers(0, operation->id));
        if (each->is_new) {
            CHECK(operation->amount_minor == sum_of_transfers(operation->id, 0));
            CHECK(operation->amount_minor <= operation->asked_minor);
            CHECK((operation->amount_minor > 0) == (operation->result == RESULT_OK));
        }
    }
}

static const struct operation *find_operation(int64_t id)
{
    for (int32_t i = 0; i < view.operation_count; i++) {
        if (operations[i].operation.id == id)
            return &operations[i].operation;
    }
    return NULL;
}

/* A replay is the answer to this very request, told as it was recorded. */
static void check_replay(const struct command *command, const struct outcome *outcome)
{
    const struct operation *earlier = find_operation(outcome->operation_id);
    CHECK(earlier != NULL);
    CHECK(earlier->action == command->action && earlier->asked_minor == command->asked_minor);
    CHECK(earlier->order_id == command->order_id);
    CHECK(command->order_id != 0 ||
          (earlier->site_id == command->site_id && earlier->register_id == command->register_id));
    CHECK(outcome->result == earlier->result && outcome->amount_minor == earlier->amount_minor);
    CHECK(outcome->balance_minor == earlier->balance_minor_after);
    CHECK(outcome->limit_minor == earlier->limit_minor);
    CHECK(earlier->result != RESULT_OK || earlier->action != ACTION_CHARGE ||
          earlier->given_back_minor < earlier->amount_minor);
}

static struct outcome ask(const struct command *command, int64_t now_us, int64_t balance_minor,
                          int64_t version)
{
    struct outcome outcome;
    ledger_decide(&view, &scope, 0, command, now_us, &outcome);
    check_list_order();
    check_transfers(balance_minor, version);
    check_operations();
    if (outcome.is_replay)
        check_replay(command, &outcome);
    return outcome;
}

/* operation_id may differ: a refusal is decided anew each time. */
static void check_same_answer(const struct outcome *first, const struct outcome *again)
{
    CHECK(again->result == first->result);
    CHECK(again->card_id == first->card_id);
    CHECK(memcmp(again->last4, first->last4, sizeof(first->last4)) == 0);
    CHECK(again->asked_minor == first->asked_minor);
    CHECK(again->amount_minor == first->amount_minor);
    CHECK(again->balance_minor == first->balance_minor);
    CHECK(again->limit_minor == first->limit_minor);
    CHECK(again->expires_on == first->expires_on);
    CHECK(first->result != RESULT_OK ||
          (again->is_replay && again->operation_id == first->operation_id));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < HEAD_BYTES)
        return 0;
    struct command command = read_command(data);
    load(&command, data, data + HEAD_BYTES, size - HEAD_BYTES);
    int64_t balance_minor = cards[0].card.balance_minor, version = cards[0].card.version;
    int64_t day_minor = days[0].day.refunded_minor;
    struct outcome first = ask(&command, NOW_US, balance_minor, version);
    int32_t moved = view.transfer_count;
    if (first.is_replay || first.result != RESULT_OK)
        CHECK(moved == 0 && days[0].day.refunded_minor == day_minor);
    day_minor = days[0].day.refunded_minor;

    /* It came while the first was decided: even a refusal is the very same one. */
    struct outcome again = ask(&command, NOW_US + 1, balance_minor, version);
    check_same_answer(&first, &again);
    CHECK(again.operation_id == first.operation_id);
    CHECK(first.operation_id == 0 || again.is_replay);

    /* It comes right after the first. (Not asked of replays, whose window may end in between; nor
     * of what left no trace: what it waited for may have ended.) */
    if (!first.is_replay && first.operation_id != 0) {
        command.received_at_us = NOW_US + 2;
        again = ask(&command, NOW_US + 3, balance_minor, version);
        check_same_answer(&first, &again);
    }
    CHECK(view.transfer_count == moved);
    CHECK(days[0].day.refunded_minor == day_minor);
    return 0;
}
