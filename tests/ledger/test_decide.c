/*
 * Walks the decision tables: one line, one case (format in decide.table). Every result of
 * RESULT_LIST must have a line in which it is the answer.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ledger/ledger.h"
#include "tests/support/view_memory.h"

#define TODAY 20000
#define NOW_US (INT64_C(1700000000) * 1000000)
#define HOUR (NOW_US / 1000000 / 3600)
#define TENANT 7
#define OTHER_CARD 2

struct world {
    struct view view;
    struct scope scope;
    struct command command;
    struct outcome outcome;
};

static bool result_seen[64];

static void world_create(struct world *world)
{
    *world = (struct world){.scope = {VIEW_NONE, VIEW_NONE, false, VIEW_NONE}};
    view_memory_init(&world->view);
    world->view.next_card_id = 100;
    world->view.next_operation_id = 1000;
    world->view.next_transfer_id = 5000;
    world->command.tenant_id = TENANT;
    world->command.local_date = TODAY;
    world->command.received_at_us = NOW_US;
    world->command.policy = (struct policy){
        .partial_is_allowed = true,
        .refund_max_minor = 5000,
        .refund_register_day_max_minor = 20000,
        .replay_window_us = REPLAY_WINDOW_US,
        .replay_window_no_order_us = REPLAY_WINDOW_NO_ORDER_US,
    };
    world->command.new_card = (struct new_card){.last4 = "2345", .status = CARD_ACTIVE};
}

static void world_destroy(struct world *world)
{
    view_memory_finish(&world->view);
}

/* "name=value" or "name" (value 1). */
static int64_t split_pair(char *token, const char **name, const char **word)
{
    char *equals = strchr(token, '=');
    *name = token;
    *word = "";
    if (equals == NULL)
        return 1;
    *equals = '\0';
    *word = equals + 1;
    return strtoll(equals + 1, NULL, 10);
}

static void fill_pin(uint8_t hash[32], int64_t pin)
{
    memset(hash, (int)(pin % 251), 32);
}

static void set_card(struct world *world, char *token)
{
    struct card *card = &world->view.cards[0].card;
    const char *name, *word;
    if (strcmp(token, "none") == 0) {
        world->view.card_count = 0;
        world->scope.card = VIEW_NONE;
        return;
    }
    if (world->view.card_count == 0) {
        world->view.card_count = 1;
        world->scope.card = 0;
        world->view.cards[0].operation_newest = VIEW_NONE;
        *card = (struct card){.id = 1, .tenant_id = TENANT, .last4 = "2345", .status = CARD_ACTIVE};
    }
    int64_t value = split_pair(token, &name, &word);
    if (strcmp(name, "balance") == 0)
        card->balance_minor = value;
    else if (strcmp(name, "stock") == 0)
        card->status = CARD_STOCK;
    else if (strcmp(name, "disabled") == 0)
        card->status = CARD_DISABLED;
    else if (strcmp(name, "pin") == 0) {
        card->has_pin = true;
        fill_pin(card->pin_hash, value);
    } else if (strcmp(name, "from") == 0)
        card->valid_from = (int32_t)(TODAY + value);
    else if (strcmp(name, "expires") == 0)
        card->expires_on = (int32_t)(TODAY + value);
    else if (strcmp(name, "loaded") == 0)
        card->loaded_minor = value;
    else if (strcmp(name, "loaded_on") == 0)
        card->loaded_on = (int32_t)(TODAY + value);
    else if (strcmp(name, "used") == 0)
        card->used_count = (int32_t)value;
    else if (strcmp(name, "used_hour") == 0)
        card->used_hour = HOUR + value;
    else
        fail_msg("unknown card word %s", name);
}

static enum action action_of(const char *word)
{
    for (int action = ACTION_ISSUE; action <= ACTION_RECHARGE; action++) {
        if (strcmp(action_name((enum action)action), word) == 0)
            return (enum action)action;
    }
    fail_msg("unknown action %s", word);
    return ACTION_VOID;
}

static bool find_result(const char *word, enum result *result)
{
    static const enum result results[] = {
#define X(symbol, number, name) symbol,
        RESULT_LIST(X)
#undef X
    };
    for (size_t i = 0; i < sizeof(results) / sizeof(results[0]); i++) {
        if (strcmp(result_name(results[i]), word) == 0) {
            *result = results[i];
            return true;
        }
    }
    return false;
}

/* charge:asked=500:moved=500:order=1:age=30:given=0:site=..:register=..:refused=no_funds */
static void add_history(struct world *world, char *token)
{
    char *rest = NULL;
    struct operation operation = {.id = world->view.operation_count + 1,
                                  .tenant_id = TENANT,
                                  .card_id = 1,
                                  .amount_minor = -1};
    operation.action = action_of(strtok_r(token, ":", &rest));
    operation.created_at_us = NOW_US - 1;
    for (char *word; (word = strtok_r(NULL, ":", &rest)) != NULL;) {
        const char *name, *text;
        int64_t value = split_pair(word, &name, &text);
        if (strcmp(name, "asked") == 0)
            operation.asked_minor = value;
        else if (strcmp(name, "moved") == 0)
            operation.amount_minor = value;
        else if (strcmp(name, "order") == 0)
            operation.order_id = value;
        else if (strcmp(name, "age") == 0)
            operation.created_at_us = NOW_US - value * 1000000;
        else if (strcmp(name, "given") == 0)
            operation.given_back_minor = value;
        else if (strcmp(name, "answers") == 0)
            operation.answers_operation_id = value;
        else if (strcmp(name, "site") == 0)
            operation.site_id = value;
        else if (strcmp(name, "register") == 0)
            operation.register_id = value;
        else if (strcmp(name, "after") == 0)
            operation.balance_minor_after = value;
        else if (strcmp(name, "version") == 0)
            operation.card_version_after = value;
        else if (strcmp(name, "refused") == 0) {
            assert_true(find_result(text, &operation.result));
            operation.amount_minor = 0;
        } else
            fail_msg("unknown history word %s", name);
    }
    if (operation.amount_minor < 0)
        operation.amount_minor = operation.action == ACTION_HOLD_LOAD ? 0 : operation.asked_minor;
    view_add_operation(&world->view, 0, &operation);
}

static void set_policy(struct world *world, char *token)
{
    struct policy *policy = &world->command.policy;
    const char *name, *word;
    int64_t value = split_pair(token, &name, &word);
    if (strcmp(name, "no_partial") == 0)
        policy->partial_is_allowed = false;
    else if (strcmp(name, "balance_max") == 0)
        policy->balance_max_minor = value;
    else if (strcmp(name, "load_day_max") == 0)
        policy->load_day_max_minor = value;
    else if (strcmp(name, "uses_hour_max") == 0)
        policy->uses_hour_max = (int32_t)value;
    else if (strcmp(name, "refund_max") == 0)
        policy->refund_max_minor = value;
    else if (strcmp(name, "held") == 0)
        policy->top_up_is_held = true;
    else if (strcmp(name, "register_day_max") == 0)
        policy->refund_register_day_max_minor = value;
    else
        fail_msg("unknown policy word %s", name);
}

static bool set_evidence(struct command *command, const char *name, int64_t value)
{
    struct order_evidence *order = &command->evidence;
    if (strcmp(name, "answers") == 0)
        command->answers_operation_id = value;
    else if (strcmp(name, "readable") == 0)
        command->order_is_readable = true;
    else if (strcmp(name, "unreadable") == 0)
        *order = (struct order_evidence){.state = EVIDENCE_UNREADABLE, .operation_id = value};
    else if (strcmp(name, "read") == 0)
        *order = (struct order_evidence){.state = EVIDENCE_READ, .operation_id = value};
    else if (strcmp(name, "booked") == 0)
        order->is_booked = true;
    else if (strcmp(name, "closed") == 0)
        order->is_closed = true;
    else if (strcmp(name, "changed") == 0)
        order->has_changed = true;
    else if (strcmp(name, "due") == 0)
        order->due_minor = value;
    else
        return false;
    return true;
}

/* Of a charge whose payment is added by us. */
static bool set_approval(struct world *world, const char *name, int64_t value)
{
    struct foreign_approval *approval = &world->view.foreign_days[0].approval;
    if (strcmp(name, "ours") == 0)
        world->command.payment_is_ours = true;
    else if (strcmp(name, "approved") == 0)
        approval->state = FOREIGN_APPROVED;
    else if (strcmp(name, "approved_max") == 0)
        approval->payment_max_minor = value;
    else if (strcmp(name, "approved_day_max") == 0)
        approval->day_max_minor = value;
    else if (strcmp(name, "suspended") == 0)
        approval->is_suspended = true;
    else if (strcmp(name, "approved_until") == 0)
        approval->expires_on = (int32_t)(TODAY + value);
    else if (strcmp(name, "paid_today") == 0)
        world->view.foreign_days[0].day.paid_minor = value;
    else
        return false;
    return true;
}

static void set_command(struct world *world, char *token)
{
    struct command *command = &world->command;
    const char *name, *word;
    int64_t value = split_pair(token, &name, &word);
    if (strcmp(name, "asked") == 0) {
        if (!find_result(word, &command->amount_result))
            command->asked_minor = value;
    } else if (strcmp(name, "order") == 0)
        command->order_id = value;
    else if (strcmp(name, "gives_back") == 0)
        command->refunded_order_id = value;
    else if (strcmp(name, "site") == 0)
        command->site_id = value;
    else if (strcmp(name, "register") == 0)
        command->register_id = value;
    else if (strcmp(name, "pin") == 0) {
        command->has_pin = true;
        fill_pin(command->pin_hash, value);
    } else if (strcmp(name, "throttled") == 0)
        command->is_throttled = true;
    else if (strcmp(name, "waited") == 0)
        command->received_at_us = NOW_US - value * 1000000;
    else if (strcmp(name, "order_known") == 0)
        world->scope.order_is_known = true;
    else if (strcmp(name, "day_refunded") == 0)
        world->view.days[0].day.refunded_minor = value;
    else if (strcmp(name, "local") == 0)
        command->local_date = (int32_t)(TODAY + value);
    else if (strcmp(name, "stock") == 0)
        command->new_card.status = CARD_STOCK;
    else if (!set_evidence(command, name, value) && !set_approval(world, name, value))
        command->action = action_of(name);
}

/* Of the operation that the command names. */
static int64_t undone_of(const struct world *world)
{
    const struct command *command = &world->command;
    int64_t id = command->answers_operation_id != 0 ? command->answers_operation_id
                                                    : command->evidence.operation_id;
    for (int32_t i = 0; i < world->view.operation_count; i++) {
        const struct view_operation *each = &world->view.operations[i];
        if (each->operation.id != id)
            continue;
        assert_int_equal(each->is_changed,
                         each->operation.given_back_minor != each->given_back_minor_loaded);
        return each->operation.given_back_minor;
    }
    fail_msg("no operation %lld", (long long)id);
    return -1;
}

static void expect(struct world *world, char *token)
{
    const struct outcome *outcome = &world->outcome;
    const char *name, *word;
    enum result result;
    if (find_result(token, &result)) {
        assert_string_equal(result_name(outcome->result), result_name(result));
        result_seen[result] = true;
        return;
    }
    int64_t value = split_pair(token, &name, &word);
    if (strcmp(name, "amount") == 0)
        assert_int_equal(outcome->amount_minor, value);
    else if (strcmp(name, "balance") == 0)
        assert_int_equal(outcome->balance_minor, value);
    else if (strcmp(name, "limit") == 0)
        assert_int_equal(outcome->limit_minor, value);
    else if (strcmp(name, "replay") == 0)
        assert_int_equal(outcome->is_replay, value);
    else if (strcmp(name, "transfers") == 0)
        assert_int_equal(world->view.transfer_count, value);
    else if (strcmp(name, "recorded") == 0)
        assert_int_equal(world->view.next_operation_id, 1000 + value);
    else if (strcmp(name, "status") == 0)
        assert_int_equal(world->view.cards[0].card.status, value);
    else if (strcmp(name, "day") == 0)
        assert_int_equal(world->view.days[0].day.refunded_minor, value);
    else if (strcmp(name, "used") == 0)
        assert_int_equal(world->view.cards[0].card.used_count, value);
    else if (strcmp(name, "loaded") == 0)
        assert_int_equal(world->view.cards[0].card.loaded_minor, value);
    else if (strcmp(name, "as") == 0)
        assert_string_equal(action_name(outcome->action), word);
    else if (strcmp(name, "asked") == 0)
        assert_int_equal(outcome->asked_minor, value);
    else if (strcmp(name, "suspect") == 0)
        assert_int_equal(outcome->is_suspect, value);
    else if (strcmp(name, "earlier") == 0)
        assert_int_equal(outcome->earlier_operation_id, value);
    else if (strcmp(name, "earlier_minor") == 0)
        assert_int_equal(outcome->earlier_minor, value);
    else if (strcmp(name, "reversed") == 0)
        assert_int_equal(outcome->reversed_operation_id, value);
    else if (strcmp(name, "given") == 0)
        assert_int_equal(undone_of(world), value);
    else if (strcmp(name, "foreign") == 0)
        assert_int_equal(outcome->foreign_minor, value);
    else if (strcmp(name, "paid_today") == 0)
        assert_int_equal(world->view.foreign_days[0].day.paid_minor, value);
    else
        fail_msg("unknown expectation %s", name);
}

static void each_word(struct world *world, char *column, void (*use)(struct world *, char *))
{
    char *rest = NULL;
    for (char *word = strtok_r(column, " \t\n", &rest); word != NULL;
         word = strtok_r(NULL, " \t\n", &rest))
        use(world, word);
}

/* Only a charge that takes another one's place moves more than its own. */
static bool is_reversal_of_replaced(const struct world *world, const struct transfer *transfer)
{
    return transfer->cause == CAUSE_REVERSE && world->outcome.reversed_operation_id != 0 &&
           transfer->answers_operation_id == world->outcome.reversed_operation_id;
}

/* Law by law on what the decision changed: the same statements for every line of the table. */
static void assert_laws(const struct world *world)
{
    const struct view *view = &world->view;
    int64_t moved_minor = 0;
    for (int32_t i = 0; i < view->transfer_count; i++) {
        const struct transfer *each = &view->transfers[i];
        assert_true(each->amount_minor > 0);
        assert_true(each->balance_minor_after >= 0);
        assert_int_not_equal(each->answers_operation_id, 0);
        if (each->operation_id == world->outcome.operation_id)
            moved_minor += each->amount_minor;
        else
            assert_true(is_reversal_of_replaced(world, each));
    }
    for (int32_t i = 0; i < view->operation_count; i++)
        assert_true(view->operations[i].operation.given_back_minor <=
                    view->operations[i].operation.amount_minor);
    if (world->outcome.is_replay)
        assert_int_equal(view->transfer_count, 0);
    else
        assert_int_equal(moved_minor, world->outcome.amount_minor);
}

static void walk_line(char *line)
{
    struct world world;
    char *columns[6] = {0};
    char *rest = line;
    for (int i = 0; i < 6; i++) {
        columns[i] = strsep(&rest, "|");
        if (columns[i] == NULL)
            fail_msg("a case has 6 columns: %s", line);
    }
    world_create(&world);
    each_word(&world, columns[1], set_card);
    each_word(&world, columns[2], add_history);
    each_word(&world, columns[3], set_policy);
    each_word(&world, columns[4], set_command);
    struct keys keys;
    ledger_keys(&world.command, &keys);
    world.scope.day = keys.wants_register_day ? 0 : VIEW_NONE;
    world.view.day_count = 1;
    world.scope.foreign_day = keys.wants_foreign_day ? 0 : VIEW_NONE;
    world.view.foreign_day_count = 1;
    struct card card_before = world.view.cards[0].card;
    ledger_decide(&world.view, &world.scope, 0, &world.command, NOW_US, &world.outcome);
    assert_laws(&world);
    bool is_asked_for = world.command.action != ACTION_RELEASE &&
                        world.command.action != ACTION_REVERSE &&
                        world.command.action != ACTION_RECHARGE;
    if (is_asked_for && world.scope.card != VIEW_NONE &&
        world.view.transfer_count > 0) /* who moves it knows it */
        assert_true(ledger_knows(&world.command, &card_before));
    each_word(&world, columns[5], expect);
    world_destroy(&world);
}

static void every_line_of_the_table_decides_as_it_says(void **state)
{
    char line[1024];
    int cases = 0;
    FILE *file = fopen(TESTS_DIR "/ledger/decide.table", "r");
    (void)state;
    assert_non_null(file);
    while (fgets(line, sizeof(line), file) != NULL) {
        if (line[0] == '#' || line[0] == '\n')
            continue;
        print_message("%.90s\n", line);
        walk_line(line);
        cases++;
    }
    fclose(file);
    assert_true(cases > 60);
}

static void every_result_has_a_line(void **state)
{
    (void)state;
#define X(symbol, number, name)                                                                    \
    if (!result_seen[number])                                                                      \
        fail_msg("no line of the table ends in %s", name);
    RESULT_LIST(X)
#undef X
}

static void results_stand_in_order_of_precedence(void **state)
{
    /* The numbers are stored for ever; this pins the pairs whose order the registers can see. */
    (void)state;
    assert_true(RESULT_THROTTLED < RESULT_NOT_FOUND);
    assert_true(RESULT_NOT_FOUND < RESULT_AMOUNT_MISSING);
    assert_true(RESULT_AMOUNT_TOO_LARGE < RESULT_DISABLED);
    assert_true(RESULT_DISABLED < RESULT_EXPIRED);
    assert_true(RESULT_EXPIRED < RESULT_NO_FUNDS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_line_of_the_table_decides_as_it_says),
        cmocka_unit_test(every_result_has_a_line),
        cmocka_unit_test(results_stand_in_order_of_precedence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
