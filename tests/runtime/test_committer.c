/* The committer against a real store behind one that fails, waits and lies on request. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "runtime/committer.h"
#include "store/foreign.h"
#include "store/grant.h"
#include "store/work.h"
#include "tests/support/faulty_store.h"

#define CARD_BALANCE 50000

struct fixture {
    struct seal *seal;
    struct store *real;
    struct faulty_store faulty;
    struct hot *hot;
    struct committer *committer;
    int64_t tenant_id;
    uint8_t card_index[CARD_INDEX_BYTES];
};

/* A job that its test waits for. */
struct call {
    struct job job;
    pthread_mutex_t mutex;
    pthread_cond_t ended; /* or begun, or let go */
    int homecomings;
    bool is_begun, is_let_go; /* of task_wait */
};

static void on_home(struct job *job)
{
    struct call *call = (struct call *)job;
    pthread_mutex_lock(&call->mutex);
    call->homecomings++;
    pthread_cond_signal(&call->ended);
    pthread_mutex_unlock(&call->mutex);
}

static void call_init(struct call *call, const struct fixture *fixture, enum action action,
                      int64_t order_id, int64_t asked_minor)
{
    memset(call, 0, sizeof(*call));
    pthread_mutex_init(&call->mutex, NULL);
    pthread_cond_init(&call->ended, NULL);
    call->job.deadline_us = clock_monotonic_us() + JOB_DEADLINE_US;
    call->job.give_back = on_home;
    call->job.command = (struct command){
        .action = action,
        .tenant_id = fixture->tenant_id,
        .order_id = order_id,
        .asked_minor = asked_minor,
        .local_date = 20000,
        .received_at_us = clock_wall_us(),
        .policy = {.partial_is_allowed = true,
                   .replay_window_us = REPLAY_WINDOW_US,
                   .replay_window_no_order_us = REPLAY_WINDOW_NO_ORDER_US},
        .new_card = {.last4 = "2345",
                     .status = CARD_ACTIVE,
                     .number_sealed_size = 1,
                     .key_version = 1},
    };
    memcpy(call->job.command.card_index, fixture->card_index, CARD_INDEX_BYTES);
}

static void call_await(struct call *call)
{
    pthread_mutex_lock(&call->mutex);
    while (call->homecomings == 0)
        pthread_cond_wait(&call->ended, &call->mutex);
    pthread_mutex_unlock(&call->mutex);
    assert_int_equal(call->homecomings, 1);
}

static void call_finish(struct call *call)
{
    pthread_cond_destroy(&call->ended);
    pthread_mutex_destroy(&call->mutex);
}

static void submit(struct fixture *fixture, struct call *call)
{
    assert_int_equal(committer_submit(fixture->committer, &call->job), 0);
}

static int64_t balance(struct fixture *fixture)
{
    struct card card;
    assert_int_equal(store_read_card(fixture->real, fixture->tenant_id, fixture->card_index, &card),
                     0);
    return card.balance_minor;
}

static void add_tenant(struct fixture *fixture)
{
    struct tenant tenant = {
        .name = "Test", .zone = "UTC", .oseries_company = 1, .profile = "default", TENANT_CHOICES};
    tenant.currency = (struct currency){"AUD", 2};
    memset(tenant.key, 'a', ID_KEY_CHARS);
    assert_int_equal(store_add_tenant(fixture->real, &tenant), 0);
    fixture->tenant_id = tenant.id;
}

static void issue_card(struct fixture *fixture)
{
    struct call call;
    memset(fixture->card_index, 7, CARD_INDEX_BYTES);
    call_init(&call, fixture, ACTION_ISSUE, 0, CARD_BALANCE);
    submit(fixture, &call);
    call_await(&call);
    assert_int_equal(call.job.error, 0);
    assert_int_equal(call.job.outcome.result, RESULT_OK);
    call_finish(&call);
}

static int setup(void **state)
{
    static const uint8_t master[SEAL_KEY_BYTES] = {1};
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    assert_int_equal(seal_from_bytes(master, &fixture->seal), 0);
    struct store_config config = {.location = ":memory:", .seal = fixture->seal};
    assert_int_equal(store_open(&config, STORE_WRITER, &fixture->real), 0);
    faulty_store_init(&fixture->faulty, fixture->real);
    assert_int_equal(hot_memory_create(1024, HOT_TTL_US, &fixture->hot), 0);
    add_tenant(fixture);
    struct committer_config committer = {
        .stores = {&fixture->faulty.super}, .hot = fixture->hot, .batch_max = BATCH_MAX};
    assert_int_equal(committer_create(&committer, &fixture->committer), 0);
    issue_card(fixture);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    committer_destroy(fixture->committer);
    hot_destroy(fixture->hot);
    faulty_store_finish(&fixture->faulty);
    store_close(fixture->real);
    seal_destroy(fixture->seal);
    free(fixture);
    return 0;
}

static void stop_committer(struct fixture *fixture)
{
    committer_destroy(fixture->committer); /* so that the test may look into the store */
    fixture->committer = NULL;
}

static void a_charge_is_answered_after_its_commit(void **state)
{
    struct fixture *fixture = *state;
    struct call call;
    call_init(&call, fixture, ACTION_CHARGE, 1, 1000);
    submit(fixture, &call);
    call_await(&call);
    assert_int_equal(call.job.error, 0);
    assert_int_equal(atomic_load(&call.job.state), JOB_DONE);
    assert_int_equal(call.job.outcome.amount_minor, 1000);
    stop_committer(fixture);
    assert_int_equal(balance(fixture), CARD_BALANCE - 1000);
    call_finish(&call);
}

static void what_waits_together_is_committed_together(void **state)
{
    enum { COUNT = 100 };
    struct fixture *fixture = *state;
    static struct call first, calls[COUNT];
    faulty_store_hold(&fixture->faulty);
    call_init(&first, fixture, ACTION_CHARGE, 1, 100);
    submit(fixture, &first);
    faulty_store_await_waiting(&fixture->faulty);
    for (int i = 0; i < COUNT; i++) {
        call_init(&calls[i], fixture, ACTION_CHARGE, 2 + i, 100);
        submit(fixture, &calls[i]);
    }
    faulty_store_let_go(&fixture->faulty);
    for (int i = 0; i < COUNT; i++) {
        call_await(&calls[i]);
        assert_int_equal(calls[i].job.outcome.result, RESULT_OK);
        assert_int_equal(calls[i].job.outcome.balance_minor, CARD_BALANCE - 100 * (i + 2));
        call_finish(&calls[i]);
    }
    stop_committer(fixture);
    assert_int_equal(fixture->faulty.fetches, 3); /* the card, the first, the hundred */
    assert_int_equal(balance(fixture), CARD_BALANCE - 100 * (COUNT + 1));
    call_finish(&first);
}

static void a_command_cancelled_in_the_queue_never_runs(void **state)
{
    struct fixture *fixture = *state;
    struct call taken, queued;
    faulty_store_hold(&fixture->faulty);
    call_init(&taken, fixture, ACTION_CHARGE, 1, 1000);
    call_init(&queued, fixture, ACTION_CHARGE, 2, 2000);
    submit(fixture, &taken);
    faulty_store_await_waiting(&fixture->faulty);
    submit(fixture, &queued);
    assert_true(job_move(&queued.job, JOB_QUEUED, JOB_CANCELLED));
    faulty_store_let_go(&fixture->faulty);
    call_await(&taken);
    call_await(&queued);
    assert_int_equal(queued.job.error, ERR_CANCELLED);
    assert_int_equal(atomic_load(&queued.job.state), JOB_CANCELLED);
    stop_committer(fixture);
    assert_int_equal(balance(fixture), CARD_BALANCE - 1000);
    call_finish(&taken);
    call_finish(&queued);
}

static void a_command_that_was_taken_cannot_be_called_not_done(void **state)
{
    struct fixture *fixture = *state;
    struct call taken;
    faulty_store_hold(&fixture->faulty);
    call_init(&taken, fixture, ACTION_CHARGE, 1, 1000);
    submit(fixture, &taken);
    faulty_store_await_waiting(&fixture->faulty);
    assert_false(job_move(&taken.job, JOB_QUEUED, JOB_CANCELLED));
    faulty_store_let_go(&fixture->faulty);
    call_await(&taken);
    assert_int_equal(taken.job.error, 0);
    assert_int_equal(atomic_load(&taken.job.state), JOB_DONE);
    call_finish(&taken);
}

static void a_command_with_too_little_time_left_is_not_begun(void **state)
{
    struct fixture *fixture = *state;
    struct call call;
    call_init(&call, fixture, ACTION_CHARGE, 1, 1000);
    call.job.deadline_us = clock_monotonic_us() + JOB_RESERVE_US / 2;
    submit(fixture, &call);
    call_await(&call);
    assert_int_equal(call.job.error, ERR_CANCELLED);
    assert_int_equal(atomic_load(&call.job.state), JOB_CANCELLED);
    stop_committer(fixture);
    assert_int_equal(balance(fixture), CARD_BALANCE);
    call_finish(&call);
}

static void a_full_queue_refuses_and_keeps_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct call *calls = calloc(COMMITTER_QUEUE_MAX, sizeof(*calls));
    struct call first, refused;
    faulty_store_hold(&fixture->faulty);
    call_init(&first, fixture, ACTION_CHARGE, 1, 1);
    submit(fixture, &first);
    faulty_store_await_waiting(&fixture->faulty);
    for (int i = 0; i < COMMITTER_QUEUE_MAX; i++) {
        call_init(&calls[i], fixture, ACTION_CHARGE, 2 + i, 1);
        submit(fixture, &calls[i]);
    }
    call_init(&refused, fixture, ACTION_CHARGE, 99999, 1);
    assert_int_equal(committer_submit(fixture->committer, &refused.job), ERR_QUEUE_FULL);
    faulty_store_let_go(&fixture->faulty);
    for (int i = 0; i < COMMITTER_QUEUE_MAX; i++) {
        call_await(&calls[i]);
        call_finish(&calls[i]);
    }
    assert_int_equal(refused.homecomings, 0);
    stop_committer(fixture);
    assert_int_equal(balance(fixture), CARD_BALANCE - 1 - COMMITTER_QUEUE_MAX);
    call_finish(&first);
    call_finish(&refused);
    free(calls);
}

static void what_was_cancelled_does_not_keep_others_out_of_a_full_queue(void **state)
{
    struct fixture *fixture = *state;
    struct call *calls = calloc(COMMITTER_QUEUE_MAX, sizeof(*calls));
    struct committer_counters counters;
    struct call first, next;
    faulty_store_hold(&fixture->faulty);
    call_init(&first, fixture, ACTION_CHARGE, 1, 1);
    submit(fixture, &first);
    faulty_store_await_waiting(&fixture->faulty);
    for (int i = 0; i < COMMITTER_QUEUE_MAX; i++) {
        call_init(&calls[i], fixture, ACTION_CHARGE, 2 + i, 1);
        submit(fixture, &calls[i]);
        assert_true(job_move(&calls[i].job, JOB_QUEUED, JOB_CANCELLED));
    }
    call_init(&next, fixture, ACTION_CHARGE, 99999, 1);
    submit(fixture, &next);
    for (int i = 0; i < COMMITTER_QUEUE_MAX; i++) {
        call_await(&calls[i]);
        assert_int_equal(calls[i].job.error, ERR_CANCELLED);
        call_finish(&calls[i]);
    }
    committer_read_counters(fixture->committer, &counters);
    assert_int_equal(counters.cancelled, COMMITTER_QUEUE_MAX);
    faulty_store_let_go(&fixture->faulty);
    call_await(&first);
    call_await(&next);
    assert_int_equal(next.job.error, 0);
    stop_committer(fixture);
    assert_int_equal(balance(fixture), CARD_BALANCE - 2);
    call_finish(&first);
    call_finish(&next);
    free(calls);
}

static void a_store_that_fails_and_comes_back_is_told_and_forgotten(void **state)
{
    struct fixture *fixture = *state;
    struct committer_counters counters;
    struct call failed, retried;
    fixture->faulty.fetch_error = ERR_STORE_DOWN;
    fixture->faulty.fail_fetches = 1;
    call_init(&failed, fixture, ACTION_CHARGE, 1, 1000);
    submit(fixture, &failed);
    call_await(&failed);
    assert_int_equal(failed.job.error, ERR_STORE_DOWN);
    committer_read_counters(fixture->committer, &counters);
    assert_false(counters.is_healthy);
    call_init(&retried, fixture, ACTION_CHARGE, 1, 1000);
    submit(fixture, &retried);
    call_await(&retried);
    assert_int_equal(retried.job.error, 0);
    assert_false(retried.job.outcome.is_replay);
    committer_read_counters(fixture->committer, &counters);
    assert_true(counters.is_healthy);
    call_finish(&failed);
    call_finish(&retried);
}

static void a_full_disk_at_commit_moves_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct call call;
    fixture->faulty.commit_error = ERR_STORE_FULL;
    fixture->faulty.fail_commits = 1;
    call_init(&call, fixture, ACTION_CHARGE, 1, 1000);
    submit(fixture, &call);
    call_await(&call);
    assert_int_equal(call.job.error, ERR_STORE_FULL);
    stop_committer(fixture);
    assert_int_equal(balance(fixture), CARD_BALANCE);
    call_finish(&call);
}

static void refuse_a_batch_and_one_of_it(struct fixture *fixture, int refusal)
{
    enum { COUNT = 8 };
    struct call first, calls[COUNT];
    faulty_store_hold(&fixture->faulty);
    call_init(&first, fixture, ACTION_CHARGE, 1, 100);
    submit(fixture, &first);
    faulty_store_await_waiting(&fixture->faulty);
    for (int i = 0; i < COUNT; i++) {
        call_init(&calls[i], fixture, ACTION_CHARGE, 2 + i, 100);
        submit(fixture, &calls[i]);
    }
    faulty_store_let_go(&fixture->faulty);
    call_await(&first);
    pthread_mutex_lock(&fixture->faulty.mutex);
    fixture->faulty.commit_error = refusal;
    fixture->faulty.fail_commits = 2; /* the batch, and the first of it alone */
    pthread_mutex_unlock(&fixture->faulty.mutex);
    int failed = 0;
    for (int i = 0; i < COUNT; i++) {
        call_await(&calls[i]);
        failed += calls[i].job.error == refusal;
        call_finish(&calls[i]);
    }
    stop_committer(fixture);
    assert_true(failed <= 1);
    assert_int_equal(balance(fixture), CARD_BALANCE - 100 * (COUNT + 1 - failed));
    call_finish(&first);
}

static void a_batch_that_breaks_a_constraint_is_run_again_one_by_one(void **state)
{
    refuse_a_batch_and_one_of_it(*state, ERR_STORE_CONSTRAINT);
}

static void a_tenant_that_was_closed_costs_the_others_of_a_batch_nothing(void **state)
{
    refuse_a_batch_and_one_of_it(*state, ERR_ELSEWHERE);
}

static void charge_a_busy_store(struct fixture *fixture, int commit_error, struct call *call)
{
    fixture->faulty.commit_error = commit_error;
    fixture->faulty.fetch_error = ERR_STORE_BUSY;
    fixture->faulty.fetches = 0;
    call_init(call, fixture, ACTION_CHARGE, 1, 100);
    submit(fixture, call);
    call_await(call);
    call_finish(call);
}

static void a_batch_that_met_another_process_is_run_again_at_most_three_times(void **state)
{
    struct fixture *fixture = *state;
    struct call call;
    faulty_store_share(&fixture->faulty);
    fixture->faulty.fail_fetches = 1;
    fixture->faulty.fail_commits = 2;
    charge_a_busy_store(fixture, ERR_STORE_BUSY, &call);
    assert_int_equal(call.job.error, 0);
    assert_int_equal(call.job.outcome.result, RESULT_OK);
    assert_int_equal(balance(fixture), CARD_BALANCE - 100);
    assert_int_equal(fixture->faulty.fetches, 4);
    fixture->faulty.fail_fetches = 100;
    charge_a_busy_store(fixture, ERR_STORE_BUSY, &call);
    assert_int_equal(call.job.error, ERR_STORE_BUSY);
    assert_int_equal(fixture->faulty.fetches, 4);
}

/* A card with that number, a register's day: made by another process since they were looked for. */
static void a_command_that_met_a_row_that_is_just_there_is_run_again(void **state)
{
    struct fixture *fixture = *state;
    struct call call;
    fixture->faulty.fail_commits = 1;
    charge_a_busy_store(fixture, ERR_STORE_CONSTRAINT, &call);
    assert_int_equal(call.job.error, ERR_STORE_CONSTRAINT); /* a file has one writer */
    assert_int_equal(fixture->faulty.fetches, 1);
    faulty_store_share(&fixture->faulty);
    fixture->faulty.fail_commits = 1;
    charge_a_busy_store(fixture, ERR_STORE_CONSTRAINT, &call);
    assert_int_equal(call.job.error, 0);
    assert_int_equal(fixture->faulty.fetches, 2);
    assert_int_equal(balance(fixture), CARD_BALANCE - 100);
}

static void what_another_process_holds_is_decided_after_the_others(void **state)
{
    enum { COUNT = 4 };
    struct fixture *fixture = *state;
    struct call first, calls[COUNT];
    struct committer_counters before, after;
    faulty_store_hold(&fixture->faulty);
    call_init(&first, fixture, ACTION_CHARGE, 1, 100);
    submit(fixture, &first);
    faulty_store_await_waiting(&fixture->faulty);
    for (int i = 0; i < COUNT; i++) {
        call_init(&calls[i], fixture, ACTION_CHARGE, 2 + i, 100);
        submit(fixture, &calls[i]);
    }
    fixture->faulty.skip_firsts = 1;
    committer_read_counters(fixture->committer, &before);
    faulty_store_let_go(&fixture->faulty);
    call_await(&first);
    for (int i = 0; i < COUNT; i++) {
        call_await(&calls[i]);
        assert_int_equal(calls[i].job.error, 0);
        assert_int_equal(calls[i].job.outcome.result, RESULT_OK);
        assert_int_not_equal(calls[i].job.outcome.operation_id, 0);
    }
    assert_true(calls[0].job.outcome.operation_id > calls[COUNT - 1].job.outcome.operation_id);
    committer_read_counters(fixture->committer, &after);
    assert_int_equal(after.commands - before.commands, COUNT + 1);
    assert_int_equal(after.batches - before.batches, 3); /* the first, the others, what was held */
    assert_int_equal(balance(fixture), CARD_BALANCE - 100 * (COUNT + 1));
    for (int i = 0; i < COUNT; i++)
        call_finish(&calls[i]);
    call_finish(&first);
}

/* Of all but the first two each has a card of its own, and a batch has two commands: so the second
 * call, whose card another process holds in so many fetches, has one of the others beside it. */
static void submit_beside_a_held_card(struct fixture *fixture, struct call *calls, int count,
                                      int skips)
{
    struct committer_config config = {.stores = {&fixture->faulty.super}, .batch_max = 2};
    stop_committer(fixture);
    assert_int_equal(committer_create(&config, &fixture->committer), 0);
    faulty_store_hold(&fixture->faulty);
    for (int i = 0; i < count; i++) {
        call_init(&calls[i], fixture, ACTION_CHARGE, 1 + i, 100);
        if (i > 1)
            memset(calls[i].job.command.card_index, 20 + i, CARD_INDEX_BYTES);
    }
    submit(fixture, &calls[0]);
    faulty_store_await_waiting(&fixture->faulty);
    for (int i = 1; i < count; i++)
        submit(fixture, &calls[i]);
    fixture->faulty.skip_firsts = skips;
}

static void let_go_and_await_all(struct fixture *fixture, struct call *calls, int count,
                                 struct committer_counters *counters)
{
    faulty_store_let_go(&fixture->faulty);
    for (int i = 0; i < count; i++)
        call_await(&calls[i]);
    committer_read_counters(fixture->committer, counters);
    stop_committer(fixture);
    for (int i = 0; i < count; i++)
        call_finish(&calls[i]);
}

static void what_another_process_holds_goes_along_with_the_next_batch(void **state)
{
    enum { COUNT = 4 };
    struct fixture *fixture = *state;
    struct call calls[COUNT];
    struct committer_counters counters;
    submit_beside_a_held_card(fixture, calls, COUNT, 1);
    let_go_and_await_all(fixture, calls, COUNT, &counters);
    assert_int_equal(calls[1].job.outcome.result, RESULT_OK);
    assert_int_equal(counters.commands, COUNT);
    assert_int_equal(counters.batches,
                     3); /* the first; the one beside; what was held and the last */
    assert_int_equal(balance(fixture), CARD_BALANCE - 200);
}

static void what_another_process_always_holds_is_waited_for_in_the_end(void **state)
{
    enum { TRIES = 4, COUNT = 2 + TRIES + 1 };
    struct fixture *fixture = *state;
    struct call calls[COUNT];
    struct committer_counters counters;
    submit_beside_a_held_card(fixture, calls, COUNT, TRIES);
    let_go_and_await_all(fixture, calls, COUNT, &counters);
    assert_int_equal(calls[1].job.outcome.result, RESULT_OK);
    assert_int_equal(counters.batch_size[0], COUNT); /* each by itself: nothing waits beside it */
    assert_int_equal(balance(fixture), CARD_BALANCE - 200);
}

static struct call *late;

/* On the committer's thread, before what was skipped is put back. */
static void on_home_makes_late(struct job *job)
{
    late->job.deadline_us = 0;
    on_home(job);
}

static void what_was_skipped_until_its_time_was_over_is_never_decided(void **state)
{
    enum { COUNT = 4 };
    struct fixture *fixture = *state;
    struct call calls[COUNT];
    struct committer_counters counters;
    submit_beside_a_held_card(fixture, calls, COUNT, 1);
    late = &calls[1];
    calls[2].job.give_back = on_home_makes_late;
    let_go_and_await_all(fixture, calls, COUNT, &counters);
    assert_int_equal(late->job.error, ERR_CANCELLED);
    assert_int_equal(calls[3].job.error, 0);
    assert_int_equal(counters.cancelled, 1);
    assert_int_equal(counters.commands, COUNT - 1);
    assert_int_equal(balance(fixture), CARD_BALANCE - 100);
}

/* Payments of this service onto orders of others. */
static void approve(struct fixture *fixture)
{
    const enum foreign_state states[] = {FOREIGN_REQUESTED, FOREIGN_APPROVED};
    for (size_t i = 0; i < COUNT_OF(states); i++) {
        struct foreign_change change = {.tenant_id = fixture->tenant_id,
                                        .to = {.state = states[i]},
                                        .created_at_us = clock_wall_us()};
        assert_int_equal(store_add_foreign_change(fixture->real, &change), 0);
    }
}

/* Decided, rolled back, and then of a card that another process has taken meanwhile: of the first
 * run nothing is left. */
static void what_is_skipped_after_a_failed_run_is_written_once(void **state)
{
    enum { COUNT = 2 };
    struct fixture *fixture = *state;
    struct call first, calls[COUNT];
    int64_t open;
    approve(fixture);
    faulty_store_share(&fixture->faulty);
    faulty_store_hold(&fixture->faulty);
    call_init(&first, fixture, ACTION_CHARGE, 1, 100);
    submit(fixture, &first);
    faulty_store_await_waiting(&fixture->faulty);
    for (int i = 0; i < COUNT; i++) {
        call_init(&calls[i], fixture, ACTION_CHARGE, 2 + i, 100);
        calls[i].job.command.payment_is_ours = i == 0;
        submit(fixture, &calls[i]);
    }
    fixture->faulty.commit_error = ERR_STORE_BUSY;
    fixture->faulty.skip_commits = 1; /* the first one's */
    fixture->faulty.fail_commits = 1;
    fixture->faulty.skips_after_failure = true;
    fixture->faulty.skip_firsts = 1;
    faulty_store_let_go(&fixture->faulty);
    call_await(&first);
    for (int i = 0; i < COUNT; i++) {
        call_await(&calls[i]);
        assert_int_equal(calls[i].job.error, 0);
        assert_int_equal(calls[i].job.outcome.result, RESULT_OK);
    }
    assert_int_equal(fixture->faulty.skip_firsts, 0);
    assert_true(calls[0].job.outcome.operation_id > calls[1].job.outcome.operation_id);
    stop_committer(fixture);
    assert_int_equal(store_count_open_work(fixture->real, &open), 0);
    assert_int_equal(open, 1);
    assert_int_equal(balance(fixture), CARD_BALANCE - 100 * (COUNT + 1));
    for (int i = 0; i < COUNT; i++)
        call_finish(&calls[i]);
    call_finish(&first);
}

/* There it has waited for its only writer's lock, and more would be too long. */
static void a_batch_that_met_a_busy_file_is_not_run_again(void **state)
{
    struct fixture *fixture = *state;
    struct call call;
    fixture->faulty.fail_fetches = 1;
    charge_a_busy_store(fixture, ERR_STORE_BUSY, &call);
    assert_int_equal(call.job.error, ERR_STORE_BUSY);
    assert_int_equal(fixture->faulty.fetches, 1);
    assert_int_equal(balance(fixture), CARD_BALANCE);
}

static void an_unknown_commit_that_happened_is_answered_as_done(void **state)
{
    struct fixture *fixture = *state;
    struct call call;
    fixture->faulty.commit_error = ERR_COMMIT_UNKNOWN;
    fixture->faulty.unknown_happens = true;
    fixture->faulty.fail_commits = 1;
    fixture->faulty.fail_settles = 2;
    call_init(&call, fixture, ACTION_CHARGE, 1, 1000);
    submit(fixture, &call);
    call_await(&call);
    assert_int_equal(call.job.error, 0);
    assert_int_equal(call.job.outcome.amount_minor, 1000);
    stop_committer(fixture);
    assert_int_equal(balance(fixture), CARD_BALANCE - 1000);
    call_finish(&call);
}

static void an_unknown_commit_that_did_not_happen_never_can(void **state)
{
    struct fixture *fixture = *state;
    struct call call, retried;
    fixture->faulty.commit_error = ERR_COMMIT_UNKNOWN;
    fixture->faulty.unknown_happens = false;
    fixture->faulty.fail_commits = 1;
    call_init(&call, fixture, ACTION_CHARGE, 1, 1000);
    submit(fixture, &call);
    call_await(&call);
    assert_int_equal(call.job.error, ERR_STORE_DOWN);
    call_init(&retried, fixture, ACTION_CHARGE, 1, 1000);
    submit(fixture, &retried);
    call_await(&retried);
    assert_int_equal(retried.job.error, 0);
    assert_false(retried.job.outcome.is_replay);
    stop_committer(fixture);
    assert_int_equal(balance(fixture), CARD_BALANCE - 1000);
    call_finish(&call);
    call_finish(&retried);
}

/* A store whose replica is silent: there is nothing to settle, and the next one is answered. */
static void an_answer_that_may_not_stay_is_not_repeated_and_holds_up_nobody(void **state)
{
    struct fixture *fixture = *state;
    struct call calls[4];
    call_init(&calls[0], fixture, ACTION_CHARGE, 1, 1000);
    submit(fixture, &calls[0]);
    call_await(&calls[0]);
    fixture->faulty.commit_error = ERR_COMMIT_UNKNOWN;
    fixture->faulty.unknown_happens = true;
    fixture->faulty.fail_commits = 1;
    fixture->faulty.fail_settles = 1000000;
    call_init(&calls[1], fixture, ACTION_CHARGE, 1, 1000);
    submit(fixture, &calls[1]);
    call_await(&calls[1]);
    assert_int_equal(calls[1].job.error, ERR_UNCONFIRMED);
    call_init(&calls[2], fixture, ACTION_CHARGE, 1, 1000);
    submit(fixture, &calls[2]);
    call_await(&calls[2]);
    assert_int_equal(calls[2].job.error, 0);
    assert_true(calls[2].job.outcome.is_replay);
    call_init(&calls[3], fixture, ACTION_CHARGE, 2, 1000);
    submit(fixture, &calls[3]);
    call_await(&calls[3]);
    assert_int_equal(calls[3].job.error, 0);
    stop_committer(fixture);
    assert_int_equal(balance(fixture), CARD_BALANCE - 2000);
    for (int i = 0; i < 4; i++)
        call_finish(&calls[i]);
}

static void an_unknown_commit_at_the_end_stays_unconfirmed(void **state)
{
    struct fixture *fixture = *state;
    struct call call;
    fixture->faulty.commit_error = ERR_COMMIT_UNKNOWN;
    fixture->faulty.unknown_happens = true;
    fixture->faulty.fail_commits = 1;
    fixture->faulty.fail_settles = 1000000;
    call_init(&call, fixture, ACTION_CHARGE, 1, 1000);
    submit(fixture, &call);
    stop_committer(fixture);
    call_await(&call);
    assert_int_equal(call.job.error, ERR_UNCONFIRMED);
    call_finish(&call);
}

static void nothing_is_decided_after_a_commit_that_stays_unknown(void **state)
{
    struct fixture *fixture = *state;
    struct call unknown, again;
    fixture->faulty.commit_error = ERR_COMMIT_UNKNOWN;
    fixture->faulty.unknown_happens = true;
    fixture->faulty.fail_commits = 1;
    fixture->faulty.fail_settles = 1000000;
    faulty_store_hold(&fixture->faulty);
    call_init(&unknown, fixture, ACTION_CHARGE, 1, 1000);
    call_init(&again, fixture, ACTION_CHARGE, 1, 1000);
    submit(fixture, &unknown);
    faulty_store_await_waiting(&fixture->faulty);
    submit(fixture, &again); /* in a batch of its own */
    faulty_store_let_go(&fixture->faulty);
    stop_committer(fixture);
    call_await(&unknown);
    call_await(&again);
    assert_int_equal(unknown.job.error, ERR_UNCONFIRMED);
    assert_int_equal(again.job.error, ERR_STORE_DOWN);
    assert_int_equal(balance(fixture), CARD_BALANCE - 1000);
    call_finish(&unknown);
    call_finish(&again);
}

static void a_batch_that_writes_nothing_proves_no_health(void **state)
{
    struct fixture *fixture = *state;
    struct committer_counters counters;
    struct call failed, unknown_card, charged;
    fixture->faulty.commit_error = ERR_STORE_FULL;
    fixture->faulty.fail_commits = 1;
    call_init(&failed, fixture, ACTION_CHARGE, 1, 1000);
    submit(fixture, &failed);
    call_await(&failed);
    call_init(&unknown_card, fixture, ACTION_CHARGE, 2, 1000);
    memset(unknown_card.job.command.card_index, 9, CARD_INDEX_BYTES);
    submit(fixture, &unknown_card);
    call_await(&unknown_card);
    assert_int_equal(unknown_card.job.outcome.result, RESULT_NOT_FOUND);
    committer_read_counters(fixture->committer, &counters);
    assert_false(counters.is_healthy);
    call_init(&charged, fixture, ACTION_CHARGE, 3, 1000);
    submit(fixture, &charged);
    call_await(&charged);
    committer_read_counters(fixture->committer, &counters);
    assert_true(counters.is_healthy);
    call_finish(&failed);
    call_finish(&unknown_card);
    call_finish(&charged);
}

static int task_without_writes(struct job *job, struct store *store)
{
    (void)job;
    (void)store;
    return 0;
}

static bool is_healthy_after_a_task(struct fixture *fixture)
{
    struct committer_counters counters;
    struct call task;
    call_init(&task, fixture, ACTION_CHARGE, 0, 0);
    task.job.task = task_without_writes;
    submit(fixture, &task);
    call_await(&task);
    assert_int_equal(task.job.error, 0);
    committer_read_counters(fixture->committer, &counters);
    call_finish(&task);
    return counters.is_healthy;
}

static void a_task_that_writes_nothing_proves_no_health_and_the_probe_does(void **state)
{
    struct fixture *fixture = *state;
    struct call failed;
    fixture->faulty.commit_error = ERR_STORE_FULL;
    fixture->faulty.fail_commits = 1;
    fixture->faulty.fail_pings = 1;
    call_init(&failed, fixture, ACTION_CHARGE, 1, 1000);
    submit(fixture, &failed);
    call_await(&failed);
    assert_int_equal(failed.job.error, ERR_STORE_FULL);
    assert_false(is_healthy_after_a_task(fixture));
    assert_int_equal(fixture->faulty.fail_pings, 0);
    assert_true(is_healthy_after_a_task(fixture));
    call_finish(&failed);
}

static int task_of_the_test(struct job *job, struct store *store)
{
    (void)store;
    job->outcome.operation_id = 4711;
    return ERR_ALREADY_EXISTS;
}

static void a_task_runs_in_its_place_and_brings_its_error_home(void **state)
{
    struct fixture *fixture = *state;
    struct call before, task, after;
    faulty_store_hold(&fixture->faulty);
    call_init(&before, fixture, ACTION_CHARGE, 1, 100);
    call_init(&task, fixture, ACTION_CHARGE, 0, 0);
    call_init(&after, fixture, ACTION_CHARGE, 2, 100);
    task.job.task = task_of_the_test;
    submit(fixture, &before);
    submit(fixture, &task);
    submit(fixture, &after);
    faulty_store_let_go(&fixture->faulty);
    call_await(&before);
    call_await(&task);
    call_await(&after);
    assert_int_equal(task.job.error, ERR_ALREADY_EXISTS);
    assert_int_equal(task.job.outcome.operation_id, 4711);
    assert_int_equal(after.job.outcome.balance_minor, CARD_BALANCE - 200);
    call_finish(&before);
    call_finish(&task);
    call_finish(&after);
}

/* Tasks that join: each uses a token up, named by its order id. */
static int task_use_token(struct job *job, struct store *store)
{
    struct store *real = ((struct faulty_store *)store)->real;
    char id[32];
    snprintf(id, sizeof(id), "token-%d", (int)job->command.order_id);
    return store_use_token(real, id, INT64_MAX, 0);
}

static void run_joining_tasks(struct fixture *fixture, struct call *calls, int count)
{
    struct call charge; /* holds the committer until all of them wait */
    call_init(&charge, fixture, ACTION_CHARGE, 1, 100);
    faulty_store_hold(&fixture->faulty);
    submit(fixture, &charge);
    faulty_store_await_waiting(&fixture->faulty);
    for (int i = 0; i < count; i++) {
        call_init(&calls[i], fixture, ACTION_CHARGE, i == 2 ? 1 : i, 0);
        calls[i].job.task = task_use_token;
        calls[i].job.joins = true;
        submit(fixture, &calls[i]);
    }
    faulty_store_let_go(&fixture->faulty);
    for (int i = 0; i < count; i++)
        call_await(&calls[i]);
    call_await(&charge);
    assert_int_equal(charge.job.error, 0);
    call_finish(&charge);
}

static void tasks_that_join_share_a_commit_and_each_has_its_own_error(void **state)
{
    struct fixture *fixture = *state;
    struct committer_counters counters;
    struct call calls[4];
    run_joining_tasks(fixture, calls, 4);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(calls[i].job.error, i == 2 ? ERR_ALREADY_EXISTS : 0);
        call_finish(&calls[i]);
    }
    committer_read_counters(fixture->committer, &counters);
    assert_int_equal(counters.task_commits, 1);
    assert_int_equal(store_use_token(fixture->real, "token-3", INT64_MAX, 0), ERR_ALREADY_EXISTS);
}

static void tasks_whose_shared_commit_fails_have_all_failed(void **state)
{
    struct fixture *fixture = *state;
    struct committer_counters counters;
    struct call calls[4];
    fixture->faulty.commit_error = ERR_STORE_FULL;
    fixture->faulty.skip_commits = 1; /* the charge's */
    fixture->faulty.fail_commits = 1;
    run_joining_tasks(fixture, calls, 4);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(calls[i].job.error, ERR_STORE_FULL);
        call_finish(&calls[i]);
    }
    committer_read_counters(fixture->committer, &counters);
    assert_false(counters.is_healthy);
    assert_int_equal(store_use_token(fixture->real, "token-3", INT64_MAX, 0), 0);
}

static void a_task_that_joins_alone_has_one_commit_too(void **state)
{
    struct fixture *fixture = *state;
    struct call call;
    fixture->faulty.commit_error = ERR_STORE_FULL;
    fixture->faulty.skip_commits = 1; /* the charge's */
    fixture->faulty.fail_commits = 1;
    run_joining_tasks(fixture, &call, 1);
    assert_int_equal(call.job.error, ERR_STORE_FULL);
    call_finish(&call);
    assert_int_equal(store_use_token(fixture->real, "token-0", INT64_MAX, 0), 0);
}

static int task_meet_a_full_disk(struct job *job, struct store *store)
{
    (void)job;
    (void)store;
    return ERR_STORE_FULL;
}

static void a_task_that_joins_and_meets_a_full_disk_is_noticed(void **state)
{
    struct fixture *fixture = *state;
    struct committer_counters counters;
    struct call call;
    call_init(&call, fixture, ACTION_CHARGE, 0, 0);
    call.job.task = task_meet_a_full_disk;
    call.job.joins = true;
    submit(fixture, &call);
    call_await(&call);
    assert_int_equal(call.job.error, ERR_STORE_FULL);
    call_finish(&call);
    committer_read_counters(fixture->committer, &counters);
    assert_false(counters.is_healthy);
}

static void the_hot_tier_learns_each_commit(void **state)
{
    struct fixture *fixture = *state;
    struct hot_value value;
    struct call call;
    call_init(&call, fixture, ACTION_CHARGE, 1, 1000);
    submit(fixture, &call);
    call_await(&call);
    assert_int_equal(hot_ask(fixture->hot, NULL, fixture->tenant_id, fixture->card_index,
                             clock_monotonic_us(), NULL, &value),
                     HOT_HIT);
    assert_int_equal(value.card.balance_minor, CARD_BALANCE - 1000);
    call_finish(&call);
}

static void the_hot_tier_does_not_know_unsold_stock(void **state)
{
    struct fixture *fixture = *state;
    struct hot_value value;
    struct call call;
    memset(fixture->card_index, 8, CARD_INDEX_BYTES);
    call_init(&call, fixture, ACTION_ISSUE, 0, 0);
    call.job.command.new_card.status = CARD_STOCK;
    submit(fixture, &call);
    call_await(&call);
    assert_int_equal(call.job.outcome.result, RESULT_OK);
    assert_int_equal(hot_ask(fixture->hot, NULL, fixture->tenant_id, fixture->card_index,
                             clock_monotonic_us(), NULL, &value),
                     HOT_MISS);
    call_finish(&call);
}

static void nothing_is_taken_after_the_end(void **state)
{
    struct fixture *fixture = *state;
    struct call last;
    faulty_store_hold(&fixture->faulty);
    call_init(&last, fixture, ACTION_CHARGE, 1, 1000);
    submit(fixture, &last);
    faulty_store_let_go(&fixture->faulty);
    stop_committer(fixture); /* finishes what is queued */
    assert_int_equal(last.homecomings, 1);
    assert_int_equal(last.job.error, 0);
    assert_int_equal(balance(fixture), CARD_BALANCE - 1000);
    call_finish(&last);
}

struct till {
    struct fixture *fixture;
    int64_t first_order;
    int approved;
};

static void *till_run(void *argument)
{
    struct till *till = argument;
    for (int i = 0; i < 200; i++) {
        struct call call;
        call_init(&call, till->fixture, ACTION_CHARGE, till->first_order + i, 10);
        submit(till->fixture, &call);
        call_await(&call);
        till->approved += call.job.error == 0 && call.job.outcome.result == RESULT_OK;
        call_finish(&call);
    }
    return NULL;
}

static void many_tills_at_once_each_get_their_own_answer(void **state)
{
    enum { TILLS = 8 };
    struct fixture *fixture = *state;
    struct till tills[TILLS];
    pthread_t threads[TILLS];
    for (int i = 0; i < TILLS; i++) {
        tills[i] = (struct till){fixture, 1000 * (i + 1), 0};
        assert_int_equal(pthread_create(&threads[i], NULL, till_run, &tills[i]), 0);
    }
    int approved = 0;
    for (int i = 0; i < TILLS; i++) {
        pthread_join(threads[i], NULL);
        approved += tills[i].approved;
    }
    stop_committer(fixture);
    assert_int_equal(approved, TILLS * 200);
    assert_int_equal(balance(fixture), CARD_BALANCE - 10 * TILLS * 200);
}

/* --- several threads --- */

/* Threads of one store, each with a front of its own that can be held. The store belongs to one
 * thread at a time: the tests let only one of them go on. */
#define THREADS 2
struct threads {
    struct fixture *fixture;
    struct faulty_store faulty[THREADS];
    struct call waiting; /* what keeps the first one from taking anything */
};

static int task_wait(struct job *job, struct store *store)
{
    struct call *call = (struct call *)job;
    (void)store;
    pthread_mutex_lock(&call->mutex);
    call->is_begun = true;
    pthread_cond_broadcast(&call->ended);
    while (!call->is_let_go)
        pthread_cond_wait(&call->ended, &call->mutex);
    pthread_mutex_unlock(&call->mutex);
    return 0;
}

static void threads_init(struct threads *threads, struct fixture *fixture)
{
    struct committer_config config = {.batch_max = BATCH_MAX};
    stop_committer(fixture);
    threads->fixture = fixture;
    for (int i = 0; i < THREADS; i++) {
        faulty_store_init(&threads->faulty[i], fixture->real);
        config.stores[i] = &threads->faulty[i].super;
    }
    assert_int_equal(committer_create(&config, &fixture->committer), 0);
}

/* From now on commands are all the second one's. */
static void threads_occupy_first(struct threads *threads)
{
    struct call *call = &threads->waiting;
    call_init(call, threads->fixture, ACTION_CHARGE, 0, 0);
    call->job.task = task_wait;
    submit(threads->fixture, call);
    pthread_mutex_lock(&call->mutex);
    while (!call->is_begun)
        pthread_cond_wait(&call->ended, &call->mutex);
    pthread_mutex_unlock(&call->mutex);
}

static void threads_free_first(struct threads *threads)
{
    struct call *call = &threads->waiting;
    pthread_mutex_lock(&call->mutex);
    call->is_let_go = true;
    pthread_cond_broadcast(&call->ended);
    pthread_mutex_unlock(&call->mutex);
    call_await(call);
    call_finish(call);
}

static void threads_finish(struct threads *threads)
{
    stop_committer(threads->fixture);
    for (int i = 0; i < THREADS; i++)
        faulty_store_finish(&threads->faulty[i]);
}

static void call_of_card(struct call *call, const struct fixture *fixture, uint8_t card,
                         int64_t order_id)
{
    call_init(call, fixture, ACTION_CHARGE, order_id, 100);
    memset(call->job.command.card_index, card, CARD_INDEX_BYTES);
}

static void submit_of_card(struct fixture *fixture, struct call *call, uint8_t card,
                           int64_t order_id)
{
    call_of_card(call, fixture, card, order_id);
    submit(fixture, call);
}

/* Of the fixture's card, in the order in which they were submitted. */
static void await_in_order(struct call *calls, int count)
{
    for (int i = 0; i < count; i++) {
        call_await(&calls[i]);
        assert_int_equal(calls[i].job.error, 0);
        assert_int_equal(calls[i].job.outcome.balance_minor, CARD_BALANCE - 100 * (i + 1));
        call_finish(&calls[i]);
    }
}

static void a_thread_that_waits_holds_up_no_other_and_nothing_of_a_card_overtakes(void **state)
{
    enum { COUNT = 20 };
    static struct call held[COUNT], other;
    struct fixture *fixture = *state;
    struct threads threads;
    struct committer_counters counters;
    threads_init(&threads, fixture);
    faulty_store_hold(&threads.faulty[1]);
    threads_occupy_first(&threads);
    for (int i = 0; i < COUNT; i++) {
        submit_of_card(fixture, &held[i], 7, 10 + i);
        faulty_store_await_waiting(&threads.faulty[1]);
    }
    threads_free_first(&threads);
    submit_of_card(fixture, &other, 8, 1);
    call_await(&other);
    assert_int_equal(other.job.outcome.result, RESULT_NOT_FOUND);
    assert_int_equal(threads.faulty[0].fetches, 1);
    committer_read_counters(fixture->committer, &counters);
    assert_int_equal(counters.commands, 1);
    assert_int_equal(counters.queue_depth, COUNT - 1);
    faulty_store_let_go(&threads.faulty[1]);
    await_in_order(held, COUNT);
    committer_read_counters(fixture->committer, &counters);
    assert_int_equal(counters.commands, 1 + COUNT);
    call_finish(&other);
    threads_finish(&threads);
}

/* Another process has the card: what waits for it keeps no other card from anybody. */
static void what_waits_for_another_process_holds_up_its_own_card_only(void **state)
{
    struct fixture *fixture = *state;
    struct call calls[3], others[2];
    struct threads threads;
    threads_init(&threads, fixture);
    faulty_store_hold(&threads.faulty[1]);
    threads_occupy_first(&threads);
    submit_of_card(fixture, &calls[0], 7, 1);
    faulty_store_await_waiting(&threads.faulty[1]);
    submit_of_card(fixture, &calls[1], 7, 2);
    submit_of_card(fixture, &others[0], 8, 1);
    threads.faulty[1].skip_firsts = 1;
    threads.faulty[1].holds_skipped = true;
    faulty_store_let_go(&threads.faulty[1]);
    call_await(&others[0]);
    faulty_store_await_waiting(&threads.faulty[1]);
    submit_of_card(fixture, &calls[2], 7, 3);
    submit_of_card(fixture, &others[1], 8, 2);
    threads_free_first(&threads);
    call_await(&others[1]);
    assert_int_equal(threads.faulty[0].fetches, 1);
    assert_int_equal(calls[1].homecomings + calls[2].homecomings, 0);
    faulty_store_let_go(&threads.faulty[1]);
    await_in_order(calls, 3);
    call_finish(&others[0]);
    call_finish(&others[1]);
    threads_finish(&threads);
}

static void what_waits_for_its_card_may_be_cancelled(void **state)
{
    struct fixture *fixture = *state;
    struct call calls[2], cancelled;
    struct threads threads;
    threads_init(&threads, fixture);
    faulty_store_hold(&threads.faulty[1]);
    threads_occupy_first(&threads);
    submit_of_card(fixture, &calls[0], 7, 1);
    faulty_store_await_waiting(&threads.faulty[1]);
    submit_of_card(fixture, &cancelled, 7, 2);
    submit_of_card(fixture, &calls[1], 7, 3);
    assert_true(job_move(&cancelled.job, JOB_QUEUED, JOB_CANCELLED));
    faulty_store_let_go(&threads.faulty[1]);
    await_in_order(calls, 2);
    call_await(&cancelled);
    assert_int_equal(cancelled.job.error, ERR_CANCELLED);
    threads_free_first(&threads);
    call_finish(&cancelled);
    threads_finish(&threads);
}

static void what_waits_for_its_card_at_the_end_is_decided(void **state)
{
    enum { COUNT = 20 };
    static struct call calls[COUNT];
    struct fixture *fixture = *state;
    struct threads threads;
    threads_init(&threads, fixture);
    faulty_store_hold(&threads.faulty[1]);
    threads_occupy_first(&threads);
    for (int i = 0; i < COUNT; i++) {
        submit_of_card(fixture, &calls[i], 7, 10 + i);
        faulty_store_await_waiting(&threads.faulty[1]);
    }
    threads_free_first(&threads);
    faulty_store_let_go(&threads.faulty[1]);
    threads_finish(&threads);
    await_in_order(calls, COUNT);
}

static int task_note_store(struct job *job, struct store *store)
{
    job->command.order_id = (int64_t)(intptr_t)store;
    return 0;
}

static void tasks_are_all_the_first_threads(void **state)
{
    struct fixture *fixture = *state;
    struct threads threads;
    threads_init(&threads, fixture);
    for (uint8_t card = 0; card < 4; card++) {
        struct call call;
        call_of_card(&call, fixture, card, 0);
        call.job.task = task_note_store;
        submit(fixture, &call);
        call_await(&call);
        assert_true(call.job.command.order_id == (int64_t)(intptr_t)&threads.faulty[0].super);
        call_finish(&call);
    }
    threads_finish(&threads);
}

/* What one could not write is the store's illness, and any other shows that it is over. */
static void a_store_is_well_again_when_any_thread_has_written(void **state)
{
    struct fixture *fixture = *state;
    struct threads threads;
    struct committer_counters counters;
    struct call call;
    threads_init(&threads, fixture);
    threads.faulty[1].commit_error = ERR_STORE_DOWN;
    threads.faulty[1].fail_commits = 1;
    threads_occupy_first(&threads);
    submit_of_card(fixture, &call, 7, 1);
    call_await(&call);
    assert_int_equal(call.job.error, ERR_STORE_DOWN);
    committer_read_counters(fixture->committer, &counters);
    assert_false(counters.is_healthy);
    call_finish(&call);
    threads_free_first(&threads);
    committer_read_counters(fixture->committer, &counters);
    assert_true(counters.is_healthy);
    threads_finish(&threads);
}

/* Its cards wait for as long as it looks, and are nobody else's afterwards. */
static void a_thread_that_settles_is_an_illness_whatever_the_others_write(void **state)
{
    struct fixture *fixture = *state;
    struct threads threads;
    struct committer_counters counters = {0};
    struct call call, same;
    threads_init(&threads, fixture);
    threads.faulty[1].commit_error = ERR_COMMIT_UNKNOWN;
    threads.faulty[1].fail_commits = 1;
    threads.faulty[1].fail_settles = 1000000;
    threads_occupy_first(&threads);
    submit_of_card(fixture, &call, 7, 1);
    while (counters.unknown_commits == 0)
        committer_read_counters(fixture->committer, &counters);
    submit_of_card(fixture, &same, 7, 2);
    threads_free_first(&threads);
    committer_read_counters(fixture->committer, &counters);
    assert_false(counters.is_healthy);
    threads_finish(&threads);
    call_await(&call);
    call_await(&same);
    assert_int_equal(call.job.error, ERR_UNCONFIRMED);
    assert_int_equal(same.job.error, ERR_STORE_DOWN);
    assert_int_equal(threads.faulty[0].fetches, 0);
    call_finish(&call);
    call_finish(&same);
}

#define committer_test(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        committer_test(a_charge_is_answered_after_its_commit),
        committer_test(what_waits_together_is_committed_together),
        committer_test(a_command_cancelled_in_the_queue_never_runs),
        committer_test(a_command_that_was_taken_cannot_be_called_not_done),
        committer_test(a_command_with_too_little_time_left_is_not_begun),
        committer_test(a_full_queue_refuses_and_keeps_nothing),
        committer_test(what_was_cancelled_does_not_keep_others_out_of_a_full_queue),
        committer_test(a_store_that_fails_and_comes_back_is_told_and_forgotten),
        committer_test(a_full_disk_at_commit_moves_nothing),
        committer_test(a_batch_that_breaks_a_constraint_is_run_again_one_by_one),
        committer_test(a_tenant_that_was_closed_costs_the_others_of_a_batch_nothing),
        committer_test(a_batch_that_met_another_process_is_run_again_at_most_three_times),
        committer_test(a_command_that_met_a_row_that_is_just_there_is_run_again),
        committer_test(what_another_process_holds_is_decided_after_the_others),
        committer_test(what_another_process_holds_goes_along_with_the_next_batch),
        committer_test(what_another_process_always_holds_is_waited_for_in_the_end),
        committer_test(what_was_skipped_until_its_time_was_over_is_never_decided),
        committer_test(what_is_skipped_after_a_failed_run_is_written_once),
        committer_test(a_batch_that_met_a_busy_file_is_not_run_again),
        committer_test(an_unknown_commit_that_happened_is_answered_as_done),
        committer_test(an_unknown_commit_that_did_not_happen_never_can),
        committer_test(an_answer_that_may_not_stay_is_not_repeated_and_holds_up_nobody),
        committer_test(an_unknown_commit_at_the_end_stays_unconfirmed),
        committer_test(nothing_is_decided_after_a_commit_that_stays_unknown),
        committer_test(a_batch_that_writes_nothing_proves_no_health),
        committer_test(a_task_that_writes_nothing_proves_no_health_and_the_probe_does),
        committer_test(a_task_runs_in_its_place_and_brings_its_error_home),
        committer_test(tasks_that_join_share_a_commit_and_each_has_its_own_error),
        committer_test(tasks_whose_shared_commit_fails_have_all_failed),
        committer_test(a_task_that_joins_alone_has_one_commit_too),
        committer_test(a_task_that_joins_and_meets_a_full_disk_is_noticed),
        committer_test(the_hot_tier_learns_each_commit),
        committer_test(the_hot_tier_does_not_know_unsold_stock),
        committer_test(nothing_is_taken_after_the_end),
        committer_test(many_tills_at_once_each_get_their_own_answer),
        committer_test(a_thread_that_waits_holds_up_no_other_and_nothing_of_a_card_overtakes),
        committer_test(what_waits_for_another_process_holds_up_its_own_card_only),
        committer_test(what_waits_for_its_card_may_be_cancelled),
        committer_test(what_waits_for_its_card_at_the_end_is_decided),
        committer_test(tasks_are_all_the_first_threads),
        committer_test(a_store_is_well_again_when_any_thread_has_written),
        committer_test(a_thread_that_settles_is_an_illness_whatever_the_others_write),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
