/*
 * A cashier's refund races the automatic reversal of the same charge, through the committer and a
 * real SQLite file: whatever the order, whatever the batches, the card gets back what was charged,
 * once. Prints its seed; COUNTERPART_SEED repeats a run.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "runtime/committer.h"
#include "store/verify.h"
#include "tests/support/faulty_store.h"

#define INTERLEAVINGS 1000
#define CARD_BALANCE 50000
#define CHARGE_MAX 900
#define CALLS_MAX 3       /* of one side */
#define JITTER_MAX 4000   /* turns of an empty loop: some microseconds, about what a submit takes */
#define PLUG_ORDER 100000 /* of the command that holds the store while others gather */

#define CARD_RACED "6000000000000001"
#define CARD_PLUG "6000000000000002"

struct call {
    struct job job;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool is_home;
};

/* The cashier, or whoever settles. */
struct side {
    struct race *race;
    struct call calls[CALLS_MAX];
    int count;
    int64_t jitter;
    bool waits_for_submits; /* of the other side */
    bool waits_for_ends;
    atomic_bool has_submitted;
};

struct race {
    struct fixture *fixture;
    struct side cashier, settler;
    int64_t order_id;
    int64_t charge_id;
    int64_t charge_minor;
    bool is_together; /* in one batch */
};

struct fixture {
    char folder[64];
    char location[80];
    struct seal *seal;
    struct store *writer, *reader;
    struct faulty_store faulty;
    struct committer *committer;
    int64_t tenant_id;
    uint64_t random_state;
    int won_by_cashier, won_by_settler, shared, one_batch, several_batches;
};

static int64_t random_below(struct fixture *fixture, int64_t bound)
{
    uint64_t z = (fixture->random_state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (int64_t)((z ^ (z >> 31)) % (uint64_t)bound);
}

/* --- calls --- */

static void on_home(struct job *job)
{
    struct call *call = (struct call *)job;
    pthread_mutex_lock(&call->mutex);
    call->is_home = true;
    pthread_cond_broadcast(&call->changed);
    pthread_mutex_unlock(&call->mutex);
}

static void seal_new_card(const struct fixture *fixture, const char *number, struct new_card *card)
{
    struct text text = text_of(number);
    *card = (struct new_card){.status = CARD_ACTIVE, .key_version = SEAL_KEY_VERSION};
    card->number_sealed_size = (int32_t)(text.length + SEAL_OVERHEAD);
    seal_text(fixture->seal, id_source_system(), CARD_NUMBER_LABEL, text, card->number_sealed);
    memcpy(card->last4, text.base + text.length - 4, 4);
}

static void call_init(struct call *call, const struct fixture *fixture, enum action action,
                      const char *number, int64_t order_id, int64_t asked_minor)
{
    memset(call, 0, sizeof(*call));
    pthread_mutex_init(&call->mutex, NULL);
    pthread_cond_init(&call->changed, NULL);
    call->job.deadline_us =
        clock_monotonic_us() + 15 * JOB_DEADLINE_US; /* a slow disk is no test */
    call->job.give_back = on_home;
    call->job.command = (struct command){
        .action = action,
        .tenant_id = fixture->tenant_id,
        .order_id = order_id,
        .asked_minor = asked_minor,
        .local_date = 20000,
        .received_at_us = clock_wall_us(),
        .policy = {.replay_window_us = REPLAY_WINDOW_US,
                   .replay_window_no_order_us = REPLAY_WINDOW_NO_ORDER_US},
    };
    seal_card_index(fixture->seal, fixture->tenant_id, text_of(number),
                    call->job.command.card_index);
    if (action == ACTION_ISSUE)
        seal_new_card(fixture, number, &call->job.command.new_card);
}

static void call_submit(const struct fixture *fixture, struct call *call)
{
    CHECK(committer_submit(fixture->committer, &call->job) == 0);
}

static void call_await(struct call *call)
{
    pthread_mutex_lock(&call->mutex);
    while (!call->is_home)
        pthread_cond_wait(&call->changed, &call->mutex);
    pthread_mutex_unlock(&call->mutex);
}

static void call_finish(struct call *call)
{
    pthread_cond_destroy(&call->changed);
    pthread_mutex_destroy(&call->mutex);
}

static struct outcome run(const struct fixture *fixture, enum action action, const char *number,
                          int64_t order_id, int64_t asked_minor)
{
    struct call call;
    call_init(&call, fixture, action, number, order_id, asked_minor);
    call_submit(fixture, &call);
    call_await(&call);
    call_finish(&call);
    assert_int_equal(call.job.error, 0);
    assert_int_equal(call.job.outcome.result, RESULT_OK);
    return call.job.outcome;
}

/* --- the store --- */

static void add_tenant(struct fixture *fixture)
{
    struct tenant tenant = {
        .name = "Test", .zone = "UTC", .oseries_company = 1, .profile = "default", TENANT_CHOICES};
    tenant.currency = (struct currency){"AUD", 2};
    memset(tenant.key, 'a', ID_KEY_CHARS);
    assert_int_equal(store_add_tenant(fixture->writer, &tenant), 0);
    fixture->tenant_id = tenant.id;
}

static int setup(void **state)
{
    static const uint8_t master[SEAL_KEY_BYTES] = {1};
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    const char *folder = getenv("TMPDIR");
    snprintf(fixture->folder, sizeof(fixture->folder), "%s/race-XXXXXX",
             folder == NULL ? "/tmp" : folder);
    assert_non_null(mkdtemp(fixture->folder));
    snprintf(fixture->location, sizeof(fixture->location), "%s/store.db", fixture->folder);
    assert_int_equal(seal_from_bytes(master, &fixture->seal), 0);
    struct store_config config = {.location = fixture->location, .seal = fixture->seal};
    assert_int_equal(store_open(&config, STORE_WRITER, &fixture->writer), 0);
    add_tenant(fixture);
    assert_int_equal(store_open(&config, STORE_READER, &fixture->reader), 0);
    faulty_store_init(&fixture->faulty, fixture->writer);
    struct committer_config committer = {.stores = {&fixture->faulty.super},
                                         .batch_max = BATCH_MAX};
    assert_int_equal(committer_create(&committer, &fixture->committer), 0);
    run(fixture, ACTION_ISSUE, CARD_RACED, 0, CARD_BALANCE);
    run(fixture, ACTION_ISSUE, CARD_PLUG, 0, INTERLEAVINGS);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    static const char *const files[] = {"store.db", "store.db-wal", "store.db-shm"};
    struct fixture *fixture = *state;
    char path[96];
    committer_destroy(fixture->committer);
    faulty_store_finish(&fixture->faulty);
    store_close(fixture->reader);
    store_close(fixture->writer);
    seal_destroy(fixture->seal);
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        snprintf(path, sizeof(path), "%s/%s", fixture->folder, files[i]);
        unlink(path);
    }
    rmdir(fixture->folder);
    free(fixture);
    return 0;
}

/* --- one interleaving --- */

static void spin(int64_t turns)
{
    for (volatile int64_t i = 0; i < turns; i = i + 1)
        continue;
}

static struct side *other_side(struct side *side)
{
    return side == &side->race->cashier ? &side->race->settler : &side->race->cashier;
}

static void *side_run(void *context)
{
    struct side *side = context;
    struct side *other = other_side(side);
    while ((side->waits_for_submits || side->waits_for_ends) && !atomic_load(&other->has_submitted))
        sched_yield();
    for (int i = 0; side->waits_for_ends && i < other->count; i++)
        call_await(&other->calls[i]);
    for (int i = 0; i < side->count; i++) {
        spin(side->jitter);
        call_submit(side->race->fixture, &side->calls[i]);
    }
    atomic_store(&side->has_submitted, true);
    return NULL;
}

/* One refund of all, or several of a part each, which may come to more than there is. */
static void plan_refunds(struct race *race)
{
    struct fixture *fixture = race->fixture;
    struct side *cashier = &race->cashier;
    cashier->count = (int)(1 + random_below(fixture, CALLS_MAX));
    for (int i = 0; i < cashier->count; i++) {
        int64_t part_minor = 1 + random_below(fixture, race->charge_minor);
        call_init(&cashier->calls[i], fixture, ACTION_REFUND, CARD_RACED, race->order_id,
                  cashier->count == 1 ? race->charge_minor : part_minor);
    }
}

/* Whoever settles may ask twice. */
static void plan_reversals(struct race *race)
{
    struct side *settler = &race->settler;
    settler->count = (int)(1 + random_below(race->fixture, 2));
    for (int i = 0; i < settler->count; i++) {
        call_init(&settler->calls[i], race->fixture, ACTION_REVERSE, CARD_RACED, race->order_id, 0);
        settler->calls[i].job.command.answers_operation_id = race->charge_id;
    }
}

static void plan(struct race *race)
{
    struct fixture *fixture = race->fixture;
    int64_t kind = random_below(fixture, 4);
    struct side *second = random_below(fixture, 2) == 0 ? &race->cashier : &race->settler;
    race->cashier.race = race->settler.race = race;
    plan_refunds(race);
    plan_reversals(race);
    race->cashier.jitter = random_below(fixture, JITTER_MAX);
    race->settler.jitter = random_below(fixture, JITTER_MAX);
    race->is_together = kind <= 1;         /* 0: in any order; 1: one after the other */
    second->waits_for_submits = kind == 1; /* 2: as it comes */
    second->waits_for_ends = kind == 3;
}

static void run_both(struct race *race)
{
    struct fixture *fixture = race->fixture;
    pthread_t cashier, settler;
    struct call plug;
    if (race->is_together) {
        faulty_store_hold(&fixture->faulty);
        call_init(&plug, fixture, ACTION_CHARGE, CARD_PLUG, PLUG_ORDER + race->order_id, 1);
        call_submit(fixture, &plug);
        faulty_store_await_waiting(&fixture->faulty);
    }
    assert_int_equal(pthread_create(&cashier, NULL, side_run, &race->cashier), 0);
    assert_int_equal(pthread_create(&settler, NULL, side_run, &race->settler), 0);
    pthread_join(cashier, NULL);
    pthread_join(settler, NULL);
    if (race->is_together) {
        faulty_store_let_go(&fixture->faulty);
        call_await(&plug);
        call_finish(&plug);
    }
}

/* What a side got for the card. */
static int64_t collect(struct side *side, enum result otherwise)
{
    int64_t moved_minor = 0;
    for (int i = 0; i < side->count; i++) {
        struct call *call = &side->calls[i];
        call_await(call);
        assert_int_equal(call->job.error, 0);
        if (call->job.outcome.result != RESULT_OK)
            assert_int_equal(call->job.outcome.result, otherwise);
        else if (!call->job.outcome.is_replay) /* two parts of one amount are one request */
            moved_minor += call->job.outcome.amount_minor;
        call_finish(call);
    }
    return moved_minor;
}

static void assert_given_back_once(struct race *race)
{
    struct fixture *fixture = race->fixture;
    int64_t refunded_minor = collect(&race->cashier, RESULT_OVER_CHARGED);
    int64_t reversed_minor = collect(&race->settler, RESULT_NOTHING_LEFT);
    struct operation charge;
    struct card card;
    uint8_t index[CARD_INDEX_BYTES];
    seal_card_index(fixture->seal, fixture->tenant_id, text_of(CARD_RACED), index);
    assert_int_equal(store_read_operation(fixture->reader, race->charge_id, &charge), 0);
    assert_int_equal(store_read_card(fixture->reader, fixture->tenant_id, index, &card), 0);
    assert_int_equal(refunded_minor + reversed_minor, race->charge_minor);
    assert_int_equal(charge.given_back_minor, race->charge_minor);
    assert_int_equal(card.balance_minor, CARD_BALANCE);
    fixture->won_by_cashier += reversed_minor == 0;
    fixture->won_by_settler += refunded_minor == 0;
    fixture->shared += refunded_minor > 0 && reversed_minor > 0;
}

static uint64_t batches_of(const struct fixture *fixture)
{
    struct committer_counters counters;
    committer_read_counters(fixture->committer, &counters);
    return counters.batches;
}

static void interleave(struct fixture *fixture, int64_t order_id)
{
    static struct race race;
    memset(&race, 0, sizeof(race));
    race.fixture = fixture;
    race.order_id = order_id;
    race.charge_minor = 1 + random_below(fixture, CHARGE_MAX);
    race.charge_id =
        run(fixture, ACTION_CHARGE, CARD_RACED, order_id, race.charge_minor).operation_id;
    uint64_t batches_before = batches_of(fixture);
    plan(&race);
    run_both(&race);
    assert_given_back_once(&race);
    uint64_t batches = batches_of(fixture) - batches_before - (race.is_together ? 1 : 0);
    fixture->one_batch += batches == 1;
    fixture->several_batches += batches > 1;
    if (race.is_together)
        assert_int_equal(batches, 1);
}

static void on_finding(void *context, const char *name, const char *detail)
{
    (void)context;
    print_message("finding %s: %s\n", name, detail);
}

static void a_refund_racing_a_reversal_gives_back_once(void **state)
{
    struct fixture *fixture = *state;
    const char *seed = getenv("COUNTERPART_SEED");
    int64_t findings;
    fixture->random_state =
        seed == NULL ? (uint64_t)time(NULL) : (uint64_t)strtoull(seed, NULL, 10);
    print_message("COUNTERPART_SEED=%llu\n", (unsigned long long)fixture->random_state);
    for (int64_t i = 1; i <= INTERLEAVINGS; i++)
        interleave(fixture, i);
    print_message("all by the cashier %d, all by the settler %d, by both %d; in one batch %d, in "
                  "several %d\n",
                  fixture->won_by_cashier, fixture->won_by_settler, fixture->shared,
                  fixture->one_batch, fixture->several_batches);
    assert_true(fixture->won_by_cashier > 50 && fixture->won_by_settler > 50);
    assert_true(fixture->shared > 50);
    assert_true(fixture->one_batch > 200 && fixture->several_batches > 200);
    assert_int_equal(store_verify(fixture->reader, on_finding, NULL, NULL, &findings), 0);
    assert_int_equal(findings, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_refund_racing_a_reversal_gives_back_once, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
