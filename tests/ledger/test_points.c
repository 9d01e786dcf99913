/*
 * Walks the table of points decisions: one line, one case (format in points.table). Every result
 * of POINTS_RESULT_LIST must have a line in which it is the answer.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/check.h"
#include "ledger/points.h"

#define NOW_US (INT64_C(1700000000) * 1000000)
#define SECOND_US INT64_C(1000000)
#define TENANT 7
#define MEMBER 5
#define REWARD 3
#define ORDER 11
#define SALE 9
#define ENTRY_BEFORE 900
#define NEXT_ENTRY 1000
#define NEXT_RESERVATION 2000
#define COLUMNS 5
#define DATE 19000

struct world {
    struct points_view view;
    struct points_command command;
    struct points_account account_before;
    struct reservation reservation_before;
    struct points_changes changes;
    struct points_outcome outcome;
};

static bool result_seen[32];

static void world_init(struct world *world)
{
    *world = (struct world){
        .view = {.has_account = true,
                 .account = {.member_id = MEMBER,
                             .last_entry_id = ENTRY_BEFORE,
                             .active_at_us = NOW_US,
                             .is_active = true},
                 .has_reward = true,
                 .sale_points = POINTS_MAX,
                 .next_entry_id = NEXT_ENTRY,
                 .next_reservation_id = NEXT_RESERVATION},
        .command = {.local_date = DATE,
                    .tenant_id = TENANT,
                    .member_id = MEMBER,
                    .reward_id = REWARD,
                    .order_id = ORDER,
                    .sale_order_id = SALE,
                    .token_id = "t",
                    .reservation_id = 42},
    };
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

static void set_account(struct world *world, char *token)
{
    struct points_account *account = &world->view.account;
    const char *name, *word;
    int64_t value = split_pair(token, &name, &word);
    if (strcmp(name, "none") == 0) {
        world->view.has_account = false;
        *account = (struct points_account){0};
    } else if (strcmp(name, "points") == 0)
        account->points = value;
    else if (strcmp(name, "held") == 0)
        account->points_held = value;
    else if (strcmp(name, "version") == 0)
        account->version = value;
    else if (strcmp(name, "idle") == 0)
        account->active_at_us = NOW_US - value * SECOND_US;
    else if (strcmp(name, "off") == 0)
        account->is_active = false;
    else
        fail_msg("unknown account word %s", name);
}

static bool find_state(const char *word, enum reservation_state *state)
{
    for (int i = RESERVATION_RESERVED; i <= RESERVATION_RETURNED; i++) {
        if (strcmp(reservation_state_name((enum reservation_state)i), word) == 0) {
            *state = (enum reservation_state)i;
            return true;
        }
    }
    return false;
}

static void add_reservation(struct world *world, enum reservation_state state)
{
    world->view.has_reservation = true;
    world->view.reservation = (struct reservation){.id = 42,
                                                   .tenant_id = TENANT,
                                                   .member_id = MEMBER,
                                                   .reward_id = REWARD,
                                                   .token_id = "t",
                                                   .order_id = ORDER,
                                                   .points = 20,
                                                   .state = state};
}

static void set_reservation(struct world *world, char *token)
{
    struct reservation *reservation = &world->view.reservation;
    enum reservation_state state;
    const char *name, *word;
    int64_t value = split_pair(token, &name, &word);
    if (find_state(name, &state))
        add_reservation(world, state);
    else if (strcmp(name, "order") == 0)
        reservation->order_id = value;
    else if (strcmp(name, "member") == 0)
        reservation->member_id = value;
    else if (strcmp(name, "reward") == 0)
        reservation->reward_id = value;
    else if (strcmp(name, "tenant") == 0)
        reservation->tenant_id = value;
    else if (strcmp(name, "pays") == 0)
        reservation->pays_minor = value;
    else if (strcmp(name, "unsure") == 0)
        reservation->is_unsure = true;
    else if (strcmp(name, "changed") == 0)
        reservation->changed_at_us = NOW_US + value * SECOND_US;
    else if (strcmp(name, "counted") == 0)
        world->view.order_is_counted = true;
    else if (strcmp(name, "left") == 0)
        world->view.sale_points = value;
    else if (strcmp(name, "busy") == 0)
        world->view.order_is_busy = true;
    else if (strcmp(name, "given_back") == 0)
        world->view.is_given_back = true;
    else if (strcmp(name, "no_reward") == 0)
        world->view.has_reward = false;
    else
        fail_msg("unknown reservation word %s", name);
}

static bool find_action(const char *word, enum points_action *action)
{
    static const char *const words[] = {"grant", "earn", "unearn", "reserve", "unsure",
                                        "apply", "burn", "return", "expire"};
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        if (strcmp(words[i], word) == 0) {
            *action = (enum points_action)i;
            return true;
        }
    }
    return false;
}

static void set_command(struct world *world, char *token)
{
    struct points_command *command = &world->command;
    const char *name, *word;
    int64_t value = split_pair(token, &name, &word);
    if (find_action(name, &command->action))
        return;
    struct foreign_approval *approval = &world->view.approval;
    if (strcmp(name, "points") == 0)
        command->points = value;
    else if (strcmp(name, "pays") == 0)
        command->pays_minor = value;
    else if (strcmp(name, "approved") == 0)
        approval->state = FOREIGN_APPROVED;
    else if (strcmp(name, "approved_max") == 0)
        approval->payment_max_minor = value;
    else if (strcmp(name, "approved_day_max") == 0)
        approval->day_max_minor = value;
    else if (strcmp(name, "suspended") == 0)
        approval->is_suspended = true;
    else if (strcmp(name, "approved_until") == 0)
        approval->expires_on = (int32_t)(DATE + value);
    else if (strcmp(name, "paid_today") == 0)
        world->view.foreign_paid_minor = value;
    else if (strcmp(name, "site") == 0)
        command->site_id = value;
    else if (strcmp(name, "deleted") == 0)
        command->is_order_deleted = true;
    else if (strcmp(name, "seen") == 0)
        command->seen_changed_at_us = NOW_US + value * SECOND_US;
    else if (strcmp(name, "since") == 0)
        command->inactive_since_us = NOW_US - value * SECOND_US;
    else if (strcmp(name, "reason") == 0)
        snprintf(command->reason, sizeof(command->reason), "%s", word);
    else
        fail_msg("unknown command word %s", name);
}

static bool find_result(const char *word, enum points_result *result)
{
    static const enum points_result results[] = {
#define X(symbol, name) symbol,
        POINTS_RESULT_LIST(X)
#undef X
    };
    for (size_t i = 0; i < COUNT_OF(results); i++) {
        if (strcmp(points_result_name(results[i]), word) == 0) {
            *result = results[i];
            return true;
        }
    }
    return false;
}

static void expect_result(struct world *world, enum points_result result)
{
    assert_string_equal(points_result_name(world->outcome.result), points_result_name(result));
    result_seen[result] = true;
}

/* "active": now; "active=60": in 60 seconds; "idle": as before. */
static void expect_activity(struct world *world, const char *name, const char *word, int64_t value)
{
    int64_t wanted_us = strcmp(name, "idle") == 0 ? world->account_before.active_at_us
                        : word[0] == '\0'         ? NOW_US
                                                  : NOW_US + value * SECOND_US;
    assert_int_equal(world->outcome.account.active_at_us, wanted_us);
}

static void expect_state(const struct world *world, const char *word)
{
    enum reservation_state state;
    assert_true(find_state(word, &state));
    assert_int_equal(world->outcome.reservation.state, state);
}

static void expect(struct world *world, char *token)
{
    const struct points_outcome *outcome = &world->outcome;
    const struct points_changes *changes = &world->changes;
    enum points_result result;
    const char *name, *word;
    if (find_result(token, &result)) {
        expect_result(world, result);
        return;
    }
    int64_t value = split_pair(token, &name, &word);
    if (strcmp(name, "points") == 0)
        assert_int_equal(outcome->account.points, value);
    else if (strcmp(name, "held") == 0)
        assert_int_equal(outcome->account.points_held, value);
    else if (strcmp(name, "version") == 0)
        assert_int_equal(outcome->account.version, value);
    else if (strcmp(name, "active") == 0 || strcmp(name, "idle") == 0)
        expect_activity(world, name, word, value);
    else if (strcmp(name, "entry") == 0)
        assert_int_equal(changes->has_entry ? changes->entry.points : 0, value);
    else if (strcmp(name, "order") == 0)
        assert_int_equal(changes->entry.order_id, value);
    else if (strcmp(name, "entry_reason") == 0)
        assert_string_equal(changes->entry.reason, word);
    else if (strcmp(name, "reserved") == 0)
        assert_int_equal(changes->reservation_is_new, value);
    else if (strcmp(name, "moved") == 0)
        assert_int_equal(changes->reservation_is_changed, value);
    else if (strcmp(name, "unsure") == 0)
        assert_int_equal(outcome->reservation.is_unsure, value);
    else if (strcmp(name, "reason") == 0)
        assert_string_equal(outcome->reservation.reason, word);
    else if (strcmp(name, "state") == 0)
        expect_state(world, word);
    else if (strcmp(name, "attempt") == 0)
        assert_string_equal(changes->has_attempt ? foreign_verdict_name(changes->verdict) : "none",
                            word);
    else if (strcmp(name, "pays") == 0)
        assert_int_equal(outcome->reservation.pays_minor, value);
    else if (strcmp(name, "end") == 0)
        assert_string_equal(foreign_end_name(changes->end), word);
    else if (strcmp(name, "limit") == 0)
        assert_int_equal(outcome->limit_minor, value);
    else
        fail_msg("unknown expectation %s", name);
}

/* --- the laws, on what any decision changed --- */

static bool is_open(const struct reservation *reservation)
{
    return reservation->state == RESERVATION_RESERVED || reservation->state == RESERVATION_APPLIED;
}

static void assert_entry(const struct world *world)
{
    const struct points_entry *entry = &world->changes.entry;
    const struct points_account *before = &world->account_before;
    assert_int_equal(entry->id, NEXT_ENTRY);
    assert_int_equal(entry->tenant_id, TENANT);
    assert_int_equal(entry->member_id, MEMBER);
    assert_int_equal(entry->version, before->version + 1);
    assert_int_not_equal(entry->points, 0);
    assert_int_equal(entry->points_after, before->points + entry->points);
    assert_int_equal(entry->previous_entry_id, ENTRY_BEFORE);
    assert_int_equal(entry->created_at_us, NOW_US);
    bool is_of_order = entry->cause == POINTS_CAUSE_EARN || entry->cause == POINTS_CAUSE_UNEARN;
    bool is_of_reservation =
        entry->cause == POINTS_CAUSE_BURN || entry->cause == POINTS_CAUSE_RETURN;
    assert_int_equal(entry->order_id, is_of_order ? ORDER : 0);
    assert_int_equal(entry->sale_order_id, entry->cause == POINTS_CAUSE_UNEARN ? SALE : 0);
    assert_int_equal(entry->reservation_id, is_of_reservation ? 42 : 0);
}

static void assert_reservation(const struct world *world)
{
    const struct reservation *after = &world->outcome.reservation;
    const struct points_changes *changes = &world->changes;
    if (!changes->reservation_is_new && !changes->reservation_is_changed) {
        assert_memory_equal(after, &world->reservation_before, sizeof(*after));
        return;
    }
    assert_false(changes->reservation_is_new && changes->reservation_is_changed);
    int64_t before_us = world->reservation_before.changed_at_us;
    assert_int_equal(after->changed_at_us, NOW_US > before_us ? NOW_US : before_us + 1);
    if (changes->reservation_is_new) {
        assert_int_equal(after->id, NEXT_RESERVATION);
        assert_int_equal(after->created_at_us, NOW_US);
        assert_int_equal(after->site_id, world->command.site_id);
        assert_string_equal(after->token_id, "t");
        assert_int_equal(after->order_id, ORDER);
        assert_int_equal(after->member_id, MEMBER);
        assert_int_equal(after->reward_id, REWARD);
        return;
    }
    assert_int_equal(changes->state_before, world->reservation_before.state);
    assert_true(after->state == changes->state_before ||
                reservation_may_move(changes->state_before, after->state));
}

static void assert_laws(const struct world *world)
{
    const struct points_account *before = &world->account_before;
    const struct points_account *after = &world->outcome.account;
    const struct points_changes *changes = &world->changes;
    int64_t moved = changes->has_entry ? changes->entry.points : 0;
    int64_t held = is_open(&world->outcome.reservation) ? world->outcome.reservation.points : 0;
    int64_t held_before =
        is_open(&world->reservation_before) ? world->reservation_before.points : 0;
    assert_int_equal(after->points, before->points + moved);
    assert_int_equal(after->points_held, before->points_held + held - held_before);
    assert_true(after->points >= after->points_held && after->points_held >= 0);
    assert_true(after->points <= POINTS_MAX);
    assert_int_equal(changes->version_before, before->version);
    assert_int_equal(after->version, before->version + (changes->has_entry ? 1 : 0));
    if (!changes->account_is_changed)
        assert_memory_equal(after, before, sizeof(*after));
    bool is_changed = changes->account_is_changed || changes->has_entry ||
                      changes->reservation_is_new || changes->reservation_is_changed;
    assert_int_equal(is_changed, world->outcome.result == POINTS_OK);
    if (changes->has_entry)
        assert_entry(world);
    assert_reservation(world);
}

static void decide(struct world *world)
{
    world->account_before = world->view.account;
    world->reservation_before = world->view.reservation;
    memset(&world->changes, 0xa5, sizeof(world->changes)); /* all of it is written */
    memset(&world->outcome, 0xa5, sizeof(world->outcome));
    points_decide(&world->view, &world->command, NOW_US, &world->changes, &world->outcome);
    assert_laws(world);
}

static void each_word(struct world *world, char *column, void (*use)(struct world *, char *))
{
    char *rest = NULL;
    for (char *word = strtok_r(column, " \t\n", &rest); word != NULL;
         word = strtok_r(NULL, " \t\n", &rest))
        use(world, word);
}

static void walk_line(char *line)
{
    struct world world;
    char *columns[COLUMNS] = {0};
    char *rest = line;
    for (int i = 0; i < COLUMNS; i++) {
        columns[i] = strsep(&rest, "|");
        if (columns[i] == NULL)
            fail_msg("a case has %d columns: %s", COLUMNS, line);
    }
    world_init(&world);
    each_word(&world, columns[1], set_account);
    each_word(&world, columns[2], set_reservation);
    each_word(&world, columns[3], set_command);
    decide(&world);
    each_word(&world, columns[4], expect);
}

static void every_line_of_the_table_decides_as_it_says(void **state)
{
    char line[1024];
    int cases = 0;
    FILE *file = fopen(TESTS_DIR "/ledger/points.table", "r");
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
#define X(symbol, name)                                                                            \
    if (!result_seen[symbol])                                                                      \
        fail_msg("no line of the table ends in %s", name);
    POINTS_RESULT_LIST(X)
#undef X
}

/* --- the table of moves (law 6) --- */

static void reservations_move_along_their_table_only(void **state)
{
    static const struct {
        enum reservation_state from, to;
    } moves[] = {
        {RESERVATION_NONE, RESERVATION_RESERVED},   {RESERVATION_RESERVED, RESERVATION_APPLIED},
        {RESERVATION_RESERVED, RESERVATION_BURNED}, {RESERVATION_RESERVED, RESERVATION_RETURNED},
        {RESERVATION_APPLIED, RESERVATION_BURNED},  {RESERVATION_APPLIED, RESERVATION_RETURNED},
    };
    (void)state;
    for (int from = RESERVATION_NONE; from <= RESERVATION_RETURNED; from++)
        for (int to = RESERVATION_NONE; to <= RESERVATION_RETURNED; to++) {
            bool is_listed = false;
            for (size_t i = 0; i < COUNT_OF(moves); i++)
                is_listed |= (int)moves[i].from == from && (int)moves[i].to == to;
            assert_int_equal(
                reservation_may_move((enum reservation_state)from, (enum reservation_state)to),
                is_listed);
        }
}

static void causes_have_names(void **state)
{
    static const char *const names[] = {"unknown", "grant",  "earn",   "unearn",
                                        "burn",    "return", "expire", "unknown"};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(names); i++)
        assert_string_equal(points_cause_name((enum points_cause)i), names[i]);
}

/* --- points of an amount --- */

static void points_are_earned_per_currency_unit_rounded_down(void **state)
{
    static const struct {
        int64_t amount_minor;
        int exponent;
        int64_t earn_milli, points;
    } cases[] = {
        {2550, 2, 1000, 25},
        {2599, 2, 1000, 25},
        {99, 2, 1000, 0},
        {100, 2, 1000, 1},
        {2550, 2, 1500, 38},
        {2550, 2, 1, 0},
        {100000, 2, 1, 1},
        {99999, 2, 1, 0},
        {25, 0, 1000, 25},
        {25500, 3, 1000, 25},
        {25500, 3, 100, 2},
        {1, 2, 1000000, 10},
        {1, 3, 1000000, 1},
        {2550, 2, 0, 0},
        {0, 2, 1000, 0},
        {-1, 2, 1000, 0},
        {INT64_MIN, 2, POINTS_EARN_MILLI_MAX, 0},
        {INT64_C(1000000000000000), 2, 1000, POINTS_MAX},
        {INT64_C(99999999999999), 2, 1000, INT64_C(999999999999)},
        {INT64_C(100000000000099), 2, 1000, POINTS_MAX},
        {INT64_C(100000000000000), 2, 1000, POINTS_MAX},
        {INT64_C(99999999999999), 2, 1001, POINTS_MAX},
        {INT64_MAX, 0, POINTS_EARN_MILLI_MAX, POINTS_MAX},
        {INT64_MAX, 3, POINTS_EARN_MILLI_MAX, POINTS_MAX},
        {INT64_MAX, 3, 0, 0},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_int_equal(
            points_for_amount(cases[i].amount_minor, cases[i].exponent, cases[i].earn_milli),
            cases[i].points);
}

/* Against long division in 128 bits, which C11 does not have and gcc does. */
static void no_product_overflows(void **state)
{
    __extension__ typedef unsigned __int128 wide;
    uint64_t seed = UINT64_C(0x9e3779b97f4a7c15);
    (void)state;
    for (int i = 0; i < 200000; i++) {
        seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        int64_t amount_minor = (int64_t)(seed >> (1 + (seed >> 32) % 60));
        int64_t earn_milli = (int64_t)((seed >> 20) % (POINTS_EARN_MILLI_MAX + 1));
        int exponent = (int)(seed >> 60) % 4;
        wide divisor = exponent == 0   ? 1000
                       : exponent == 1 ? 10000
                       : exponent == 2 ? 100000
                                       : 1000000;
        wide points = (wide)amount_minor * (wide)earn_milli / divisor;
        int64_t wanted = points > (wide)POINTS_MAX ? POINTS_MAX : (int64_t)points;
        assert_int_equal(points_for_amount(amount_minor, exponent, earn_milli), wanted);
    }
}

/* --- bugs of callers --- */

static void on_failed_check(const char *expression, const char *file, int line)
{
    mock_assert(0, expression, file, line);
}

static void action_that_does_not_exist_is_a_bug(void **state)
{
    struct world world;
    (void)state;
    check_hook = on_failed_check;
    world_init(&world);
    world.command.action = (enum points_action)(POINTS_EXPIRE + 1);
    expect_assert_failure(
        points_decide(&world.view, &world.command, NOW_US, &world.changes, &world.outcome));
    world_init(&world);
    world.command.action = POINTS_UNEARN;
    world.view.sale_points = -1;
    expect_assert_failure(
        points_decide(&world.view, &world.command, NOW_US, &world.changes, &world.outcome));
    expect_assert_failure(points_for_amount(1, 4, 1000));
    expect_assert_failure(points_for_amount(1, 2, POINTS_EARN_MILLI_MAX + 1));
    expect_assert_failure(reservation_may_move(RESERVATION_NONE, (enum reservation_state)5));
    check_hook = NULL;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_line_of_the_table_decides_as_it_says),
        cmocka_unit_test(every_result_has_a_line),
        cmocka_unit_test(reservations_move_along_their_table_only),
        cmocka_unit_test(causes_have_names),
        cmocka_unit_test(points_are_earned_per_currency_unit_rounded_down),
        cmocka_unit_test(no_product_overflows),
        cmocka_unit_test(action_that_does_not_exist_is_a_bug),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
