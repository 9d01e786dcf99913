/* Random commands for two stores, and the comparison of what each makes of them. */
#include "tests/store/twins.h"

#include "store/foreign.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ORDERS 6

/* --- random values */

static uint64_t next_random(struct twins *twins)
{
    twins->random ^= twins->random << 13;
    twins->random ^= twins->random >> 7;
    twins->random ^= twins->random << 17;
    return twins->random;
}

static int32_t below(struct twins *twins, int32_t limit)
{
    return (int32_t)(next_random(twins) % (uint64_t)limit);
}

static bool one_in(struct twins *twins, int32_t n)
{
    return below(twins, n) == 0;
}

void twins_seed(struct twins *twins, uint64_t seed)
{
    twins->random = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
}

/* --- ids */

static int32_t index_of(const struct twin_ids *ids, int64_t sqlite_id)
{
    for (int32_t i = ids->count - 1; i >= 0; i--)
        if (ids->sqlite[i] == sqlite_id)
            return i;
    return -1;
}

static bool is_taken(const struct twin_ids *ids, int64_t postgres_id)
{
    for (int32_t i = 0; i < ids->count; i++)
        if (ids->postgres[i] == postgres_id)
            return true;
    return false;
}

/* The same thing in both stores: as met before, or met for the first time. */
static void assert_same_id(struct twin_ids *ids, int64_t sqlite_id, int64_t postgres_id)
{
    assert_int_equal(sqlite_id == 0, postgres_id == 0);
    if (sqlite_id == 0)
        return;
    int32_t index = index_of(ids, sqlite_id);
    if (index >= 0) {
        assert_int_equal(ids->postgres[index], postgres_id);
        return;
    }
    assert_false(is_taken(ids, postgres_id));
    assert_true(ids->count < TWIN_IDS_MAX);
    ids->sqlite[ids->count] = sqlite_id;
    ids->postgres[ids->count++] = postgres_id;
}

/* --- commands */

static void name_card(char number[32], int32_t card)
{
    (void)snprintf(number, 32, "60000000000%05d", card);
}

/* Of both: the same, but for the tenant's id and the seal's random bytes. */
static struct command make(struct rows *rows, enum action action, int32_t card, int64_t order_id,
                           int64_t amount_minor)
{
    char number[32];
    name_card(number, card);
    return action == ACTION_ISSUE ? rows_issue(rows, number, amount_minor)
                                  : rows_command(rows, action, number, order_id, amount_minor);
}

static enum action choose_action(struct twins *twins)
{
    static const enum action actions[] = {
        ACTION_ISSUE,  ACTION_CHARGE,  ACTION_CHARGE,  ACTION_CHARGE,  ACTION_CHARGE,
        ACTION_CHARGE, ACTION_TOP_UP,  ACTION_TOP_UP,  ACTION_REFUND,  ACTION_REFUND,
        ACTION_REFUND, ACTION_RELEASE, ACTION_REVERSE, ACTION_RECHARGE};
    return actions[below(twins, (int32_t)COUNT_OF(actions))];
}

/* What a reversal or recharge answers, or a retry repeats: mostly something new. */
static const struct twin_past *choose_past(struct twins *twins)
{
    int32_t span = one_in(twins, 4) ? twins->past_count : 40;
    if (span > twins->past_count)
        span = twins->past_count;
    return span == 0 ? NULL : &twins->past[twins->past_count - 1 - below(twins, span)];
}

/* The latest of a card and order. */
static const struct twin_past *find_past(const struct twins *twins, int32_t card, int64_t order_id)
{
    for (int32_t i = twins->past_count - 1; i >= 0; i--)
        if (twins->past[i].card == card && twins->past[i].order_id == order_id)
            return &twins->past[i];
    return NULL;
}

static void choose_pin(struct twins *twins, struct command *command)
{
    command->has_pin = one_in(twins, 3);
    memset(command->pin_hash, one_in(twins, 4) ? 9 : 8, sizeof(command->pin_hash));
    command->is_throttled = one_in(twins, 12);
}

static void choose_policy(struct twins *twins, struct command *command)
{
    struct policy *policy = &command->policy;
    policy->partial_is_allowed = !one_in(twins, 3);
    policy->top_up_is_held = one_in(twins, 3);
    policy->uses_hour_max = one_in(twins, 6) ? 3 : 0;
    policy->load_day_max_minor = one_in(twins, 6) ? 5000 : 0;
    policy->balance_max_minor = one_in(twins, 6) ? 20000 : 0;
    policy->refund_max_minor = one_in(twins, 6) ? 300 : 100000;
    policy->refund_register_day_max_minor = one_in(twins, 6) ? 900 : 1000000;
    command->payment_is_ours = command->action == ACTION_CHARGE && one_in(twins, 5);
}

static void choose_issue(struct twins *twins, struct command *command)
{
    bool is_stock = command->asked_minor == 0 && one_in(twins, 2);
    command->new_card.status = is_stock ? CARD_STOCK : CARD_ACTIVE;
    command->new_card.expires_on = one_in(twins, 12) ? ROWS_DATE - 1 : CARD_NEVER_EXPIRES;
    command->has_pin = one_in(twins, 5);
    memset(command->pin_hash, 8, sizeof(command->pin_hash));
}

/* evidence and answers name operations by their index, until each store gets its own ids. */
struct choice {
    struct command command;
    int32_t card;
    int32_t answered; /* index into the operations' ids; -1: none */
    int32_t evidence;
};

static void choose_evidence(struct twins *twins, struct choice *choice)
{
    struct command *command = &choice->command;
    const struct twin_past *past = find_past(twins, choice->card, command->order_id);
    command->order_is_readable = one_in(twins, 2);
    if (past == NULL || !one_in(twins, 2))
        return;
    choice->evidence = past->operation;
    command->evidence = (struct order_evidence){
        .state = EVIDENCE_READ,
        .is_booked = one_in(twins, 3),
        .is_closed = one_in(twins, 6),
        .has_changed = !one_in(twins, 3),
        .due_minor = below(twins, 2) * 500,
    };
}

/* Some orders have loads only: nobody charged there, so as a sale they are not known. */
static int64_t choose_order(struct twins *twins, enum action action)
{
    if (action == ACTION_TOP_UP && one_in(twins, 4))
        return ORDERS + below(twins, 3);
    int64_t order_id = below(twins, ORDERS);
    return order_id == 0 ? 0 : order_id + 100 * below(twins, 2);
}

/* Of what was done before: undone, or asked again as it was. */
static void choose_repeat(const struct twin_past *past, bool is_undo, struct choice *choice)
{
    choice->card = past->card;
    choice->command.order_id = past->order_id;
    if (is_undo)
        choice->answered = past->operation;
    else
        choice->command.asked_minor = past->asked_minor;
}

static void choose_rest(struct twins *twins, struct choice *choice)
{
    struct command *command = &choice->command;
    command->register_id = 7 + below(twins, 4) / 3;
    command->received_at_us += (int64_t)below(twins, 30) * 1000000;
    choose_policy(twins, command);
    if (command->action == ACTION_ISSUE)
        choose_issue(twins, command);
    else
        choose_pin(twins, command);
    if (command->action == ACTION_CHARGE && command->order_id != 0)
        choose_evidence(twins, choice);
    if (command->action == ACTION_REFUND && command->order_id != 0 && one_in(twins, 2))
        command->refunded_order_id = 1 + below(twins, ORDERS + 2);
}

static struct choice choose(struct twins *twins)
{
    enum action action = choose_action(twins);
    const struct twin_past *past = choose_past(twins);
    bool is_undo = action == ACTION_REVERSE || action == ACTION_RECHARGE;
    bool is_repeat = past != NULL && action != ACTION_ISSUE && one_in(twins, 4);
    if (is_undo && past == NULL)
        action = ACTION_ISSUE;
    struct choice wanted = {.card = below(twins, TWIN_CARDS), .answered = -1, .evidence = -1};
    wanted.command.order_id = action == ACTION_ISSUE ? 0 : choose_order(twins, action);
    wanted.command.asked_minor = below(twins, 12) * 250;
    if ((is_undo && past != NULL) || is_repeat)
        choose_repeat(past, is_undo, &wanted);
    if (action == ACTION_RELEASE && wanted.command.order_id == 0)
        wanted.command.order_id = 1;
    wanted.command = make(&twins->sqlite, action, wanted.card, wanted.command.order_id,
                          wanted.command.asked_minor);
    choose_rest(twins, &wanted);
    return wanted;
}

/* The commands of both stores for one choice. */
static void put(struct twins *twins, int32_t at, const struct choice *choice)
{
    const struct twin_ids *ids = &twins->operations;
    struct command *sqlite = &twins->sqlite_commands[at];
    struct command *postgres = &twins->postgres_commands[at];
    twins->card_of[at] = choice->card;
    *sqlite = choice->command;
    *postgres = choice->command;
    postgres->tenant_id = twins->postgres.tenant.id;
    /* The index is made of the tenant's id. */
    struct command made = make(&twins->postgres, choice->command.action, choice->card,
                               choice->command.order_id, choice->command.asked_minor);
    memcpy(postgres->card_index, made.card_index, CARD_INDEX_BYTES);
    if (choice->answered >= 0) {
        sqlite->answers_operation_id = ids->sqlite[choice->answered];
        postgres->answers_operation_id = ids->postgres[choice->answered];
    }
    if (choice->evidence >= 0) {
        sqlite->evidence.operation_id = ids->sqlite[choice->evidence];
        postgres->evidence.operation_id = ids->postgres[choice->evidence];
    }
}

/* --- comparing */

static void compare_operations(struct twins *twins, const struct operation *sqlite,
                               const struct operation *postgres)
{
    struct operation rest = *postgres;
    assert_same_id(&twins->operations, sqlite->id, postgres->id);
    assert_same_id(&twins->cards, sqlite->card_id, postgres->card_id);
    assert_same_id(&twins->operations, sqlite->answers_operation_id,
                   postgres->answers_operation_id);
    assert_same_id(&twins->operations, sqlite->previous_operation_id,
                   postgres->previous_operation_id);
    rest.id = sqlite->id;
    rest.tenant_id = sqlite->tenant_id;
    rest.card_id = sqlite->card_id;
    rest.answers_operation_id = sqlite->answers_operation_id;
    rest.previous_operation_id = sqlite->previous_operation_id;
    assert_memory_equal(&rest, sqlite, sizeof(rest));
}

static void compare_card_rows(struct twins *twins, const struct card *sqlite,
                              const struct card *postgres)
{
    assert_same_id(&twins->cards, sqlite->id, postgres->id);
    assert_same_id(&twins->operations, sqlite->last_operation_id, postgres->last_operation_id);
    assert_int_equal(sqlite->last_transfer_id == 0, postgres->last_transfer_id == 0);
    assert_string_equal(sqlite->last4, postgres->last4);
    assert_int_equal(sqlite->status, postgres->status);
    assert_int_equal(sqlite->has_pin, postgres->has_pin);
    assert_memory_equal(sqlite->pin_hash, postgres->pin_hash, sizeof(sqlite->pin_hash));
    assert_int_equal(sqlite->valid_from, postgres->valid_from);
    assert_int_equal(sqlite->expires_on, postgres->expires_on);
    assert_int_equal(sqlite->balance_minor, postgres->balance_minor);
    assert_int_equal(sqlite->version, postgres->version);
    assert_int_equal(sqlite->loaded_on, postgres->loaded_on);
    assert_int_equal(sqlite->loaded_minor, postgres->loaded_minor);
    assert_int_equal(sqlite->used_hour, postgres->used_hour);
    assert_int_equal(sqlite->used_count, postgres->used_count);
}

static void compare_view_cards(struct twins *twins, const struct view *sqlite,
                               const struct view *postgres)
{
    assert_int_equal(sqlite->card_count, postgres->card_count);
    for (int32_t i = 0; i < sqlite->card_count; i++) {
        compare_card_rows(twins, &sqlite->cards[i].card, &postgres->cards[i].card);
        assert_int_equal(sqlite->cards[i].version_loaded, postgres->cards[i].version_loaded);
        int32_t a = sqlite->cards[i].operation_newest, b = postgres->cards[i].operation_newest;
        for (; a != VIEW_NONE && b != VIEW_NONE;
             a = sqlite->operations[a].next_older, b = postgres->operations[b].next_older) {
            compare_operations(twins, &sqlite->operations[a].operation,
                               &postgres->operations[b].operation);
            assert_int_equal(sqlite->operations[a].given_back_minor_loaded,
                             postgres->operations[b].given_back_minor_loaded);
        }
        assert_int_equal(a, VIEW_NONE);
        assert_int_equal(b, VIEW_NONE);
    }
}

static void compare_days(const struct view *sqlite, const struct view *postgres)
{
    assert_int_equal(sqlite->day_count, postgres->day_count);
    for (int32_t i = 0; i < sqlite->day_count; i++) {
        struct view_day rest = postgres->days[i];
        rest.day.tenant_id = sqlite->days[i].day.tenant_id;
        assert_memory_equal(&rest, &sqlite->days[i], sizeof(rest));
    }
    assert_int_equal(sqlite->foreign_day_count, postgres->foreign_day_count);
    for (int32_t i = 0; i < sqlite->foreign_day_count; i++) {
        const struct view_foreign_day *a = &sqlite->foreign_days[i];
        const struct view_foreign_day *b = &postgres->foreign_days[i];
        assert_int_equal(a->day.local_date, b->day.local_date);
        assert_int_equal(a->day.paid_minor, b->day.paid_minor);
        assert_int_equal(a->paid_minor_loaded, b->paid_minor_loaded);
        assert_int_equal(a->is_new, b->is_new);
        assert_int_equal(a->approval.state, b->approval.state);
        assert_int_equal(a->approval.payment_max_minor, b->approval.payment_max_minor);
        assert_int_equal(a->approval.day_max_minor, b->approval.day_max_minor);
        assert_int_equal(a->approval.is_suspended, b->approval.is_suspended);
    }
}

static void compare_views(struct twins *twins, int32_t count)
{
    const struct batch *sqlite = twins->sqlite.batch, *postgres = twins->postgres.batch;
    compare_view_cards(twins, &sqlite->view, &postgres->view);
    compare_days(&sqlite->view, &postgres->view);
    assert_int_equal(sqlite->view.operation_count, postgres->view.operation_count);
    for (int32_t i = 0; i < count; i++) {
        assert_int_equal(sqlite->scopes[i].card, postgres->scopes[i].card);
        assert_int_equal(sqlite->scopes[i].day, postgres->scopes[i].day);
        assert_int_equal(sqlite->scopes[i].foreign_day, postgres->scopes[i].foreign_day);
        assert_int_equal(sqlite->scopes[i].order_is_known, postgres->scopes[i].order_is_known);
    }
}

static void compare_outcomes(struct twins *twins, int32_t at)
{
    const struct outcome *sqlite = &twins->sqlite.batch->outcomes[at];
    struct outcome rest = twins->postgres.batch->outcomes[at];
    assert_same_id(&twins->operations, sqlite->operation_id, rest.operation_id);
    assert_same_id(&twins->operations, sqlite->earlier_operation_id, rest.earlier_operation_id);
    assert_same_id(&twins->operations, sqlite->reversed_operation_id, rest.reversed_operation_id);
    assert_same_id(&twins->cards, sqlite->card_id, rest.card_id);
    rest.operation_id = sqlite->operation_id;
    rest.earlier_operation_id = sqlite->earlier_operation_id;
    rest.reversed_operation_id = sqlite->reversed_operation_id;
    rest.card_id = sqlite->card_id;
    assert_memory_equal(&rest, sqlite, sizeof(rest));
}

static void remember(struct twins *twins, int32_t at)
{
    const struct outcome *outcome = &twins->sqlite.batch->outcomes[at];
    if (outcome->operation_id == 0 || twins->past_count == TWIN_IDS_MAX)
        return;
    twins->past[twins->past_count++] =
        (struct twin_past){.card = twins->card_of[at],
                           .operation = index_of(&twins->operations, outcome->operation_id),
                           .order_id = twins->sqlite_commands[at].order_id,
                           .asked_minor = twins->sqlite_commands[at].asked_minor};
}

/* --- batches */

static void fetch(struct rows *rows, const struct command *commands, int32_t count)
{
    batch_clear(rows->batch);
    for (int32_t i = 0; i < count; i++)
        batch_add(rows->batch, &commands[i]);
    rows->batch->may_skip = count % 2 == 0; /* where nobody else is, it means nothing */
    assert_int_equal(store_fetch(rows->store, rows->batch), 0);
}

/* Mostly on by half a minute; sometimes a clock is set back, or a season goes by. */
static void move_clock(struct twins *twins)
{
    int64_t seconds = 31;
    if (one_in(twins, 8))
        seconds = -below(twins, 200);
    else if (one_in(twins, 40))
        seconds = INT64_C(91) * 86400;
    twins->sqlite.now_us += seconds * 1000000;
    twins->postgres.now_us = twins->sqlite.now_us;
}

void twins_run_batch(struct twins *twins, int32_t batch_max)
{
    int32_t count = batch_max == BATCH_MAX ? BATCH_MAX : 1 + below(twins, batch_max);
    for (int32_t i = 0; i < count; i++) {
        struct choice choice = choose(twins);
        put(twins, i, &choice);
    }
    fetch(&twins->sqlite, twins->sqlite_commands, count);
    fetch(&twins->postgres, twins->postgres_commands, count);
    compare_views(twins, count);
    move_clock(twins);
    batch_decide(twins->sqlite.batch, twins->sqlite.now_us);
    batch_decide(twins->postgres.batch, twins->sqlite.now_us);
    for (int32_t i = 0; i < count; i++)
        compare_outcomes(twins, i);
    compare_views(twins, count);
    assert_int_equal(store_commit(twins->sqlite.store, twins->sqlite.batch), 0);
    assert_int_equal(store_commit(twins->postgres.store, twins->postgres.batch), 0);
    for (int32_t i = 0; i < count; i++)
        remember(twins, i);
}

static int read_twin(struct rows *rows, int32_t card, struct card *row)
{
    char number[32];
    uint8_t index[CARD_INDEX_BYTES];
    name_card(number, card);
    seal_card_index(rows->seal, rows->tenant.id, text_of(number), index);
    return store_read_card(rows->store, rows->tenant.id, index, row);
}

void twins_compare_cards(struct twins *twins)
{
    for (int32_t i = 0; i < TWIN_CARDS; i++) {
        struct card sqlite, postgres;
        int err = read_twin(&twins->sqlite, i, &sqlite);
        assert_int_equal(read_twin(&twins->postgres, i, &postgres), err);
        if (err == 0)
            compare_card_rows(twins, &sqlite, &postgres);
    }
}

/* --- both stores */

/* Payments of ours onto orders may be made, up to limits that some are above. */
static void approve(struct rows *rows)
{
    struct foreign_change change = {.tenant_id = rows->tenant.id,
                                    .to = {.state = FOREIGN_REQUESTED},
                                    .created_at_us = rows->now_us};
    assert_int_equal(store_add_foreign_change(rows->store, &change), 0);
    change.to = (struct foreign_approval){
        .state = FOREIGN_APPROVED, .payment_max_minor = 2000, .day_max_minor = 60000};
    assert_int_equal(store_add_foreign_change(rows->store, &change), 0);
}

struct twins *twins_create(const char *location)
{
    struct twins *twins = calloc(1, sizeof(*twins));
    assert_non_null(twins);
    rows_init(&twins->sqlite, 3);
    rows_init(&twins->postgres, 3);
    rows_open(&twins->sqlite, ":memory:");
    rows_open(&twins->postgres, location);
    approve(&twins->sqlite);
    approve(&twins->postgres);
    return twins;
}

void twins_destroy(struct twins *twins)
{
    rows_finish(&twins->sqlite);
    rows_finish(&twins->postgres);
    free(twins);
}
