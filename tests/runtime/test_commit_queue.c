/* The committers' queue: order within a card, who gets what, the end; and many at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/commit_queue.h"

#define DEPTH_MAX 64
#define JOBS 96

struct fixture {
    struct commit_queue queue;
    struct job jobs[JOBS];
    int32_t count;
};

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    assert_non_null(fixture);
    commit_queue_init(&fixture->queue, DEPTH_MAX, 2);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    commit_queue_finish(&fixture->queue);
    free(fixture);
    return 0;
}

static int task_nothing(struct job *job, struct store *store)
{
    (void)job;
    (void)store;
    return 0;
}

static struct job *push(struct fixture *fixture, uint8_t card)
{
    struct job *job = &fixture->jobs[fixture->count++];
    memset(job->command.card_index, card, CARD_INDEX_BYTES);
    assert_int_equal(commit_queue_push(&fixture->queue, job), 0);
    return job;
}

static struct job *push_task(struct fixture *fixture, bool joins)
{
    struct job *job = &fixture->jobs[fixture->count++];
    job->task = task_nothing;
    job->joins = joins;
    assert_int_equal(commit_queue_push(&fixture->queue, job), 0);
    return job;
}

static struct job *take(struct fixture *fixture, int32_t taker)
{
    return commit_queue_take(&fixture->queue, taker, BATCH_MAX);
}

static void what_waits_is_taken_in_its_order_and_up_to_a_number(void **state)
{
    struct fixture *fixture = *state;
    struct job *jobs[] = {push(fixture, 1), push(fixture, 2), push(fixture, 1)};
    assert_int_equal(commit_queue_depth(&fixture->queue), 3);
    assert_ptr_equal(commit_queue_take(&fixture->queue, 0, 2), jobs[0]);
    assert_ptr_equal(jobs[0]->next, jobs[1]);
    assert_null(jobs[1]->next);
    assert_int_equal(commit_queue_depth(&fixture->queue), 1);
    assert_ptr_equal(take(fixture, 0), jobs[2]);
    assert_null(jobs[2]->next);
}

static void what_is_of_a_card_that_a_taker_has_waits_for_it(void **state)
{
    struct fixture *fixture = *state;
    struct job *first = push(fixture, 1);
    assert_ptr_equal(take(fixture, 0), first);
    struct job *same = push(fixture, 1);
    struct job *other = push(fixture, 2);
    struct job *again = push(fixture, 1);
    assert_ptr_equal(take(fixture, 1), other);
    assert_null(other->next);
    assert_ptr_equal(take(fixture, 0), same);
    assert_ptr_equal(same->next, again);
}

static void a_card_is_anybodys_when_its_taker_comes_again(void **state)
{
    struct fixture *fixture = *state;
    struct job *first = push(fixture, 1);
    assert_ptr_equal(take(fixture, 0), first);
    struct job *other = push(fixture, 2);
    struct job *same = push(fixture, 1);
    assert_ptr_equal(commit_queue_take(&fixture->queue, 0, 1), other);
    assert_ptr_equal(take(fixture, 1), same);
}

static void what_a_taker_keeps_is_all_that_waits_for_it(void **state)
{
    struct fixture *fixture = *state;
    struct job *jobs[] = {push(fixture, 1), push(fixture, 2), push(fixture, 2)};
    assert_ptr_equal(take(fixture, 0), jobs[0]);
    commit_queue_keep(&fixture->queue, 0, &jobs[1], 2);
    struct job *kept = push(fixture, 2);
    struct job *freed = push(fixture, 1);
    assert_ptr_equal(take(fixture, 1), freed);
    assert_null(freed->next);
    commit_queue_keep(&fixture->queue, 0, NULL, 0);
    assert_ptr_equal(take(fixture, 1), kept);
}

static void a_taker_may_have_more_of_the_cards_that_it_has(void **state)
{
    struct fixture *fixture = *state;
    struct job *first = push(fixture, 1);
    assert_ptr_equal(take(fixture, 0), first);
    assert_null(commit_queue_take_more(&fixture->queue, 0, BATCH_MAX));
    struct job *other = push(fixture, 2);
    struct job *jobs[] = {push(fixture, 1), push(fixture, 1), push(fixture, 1)};
    struct job *task = push_task(fixture, true);
    assert_ptr_equal(commit_queue_take_more(&fixture->queue, 0, 2), jobs[0]);
    assert_ptr_equal(jobs[0]->next, jobs[1]);
    assert_null(jobs[1]->next);
    assert_null(commit_queue_take_more(&fixture->queue, 1, BATCH_MAX));
    assert_ptr_equal(take(fixture, 1), other);
    assert_null(other->next);
    commit_queue_keep(&fixture->queue, 1, NULL, 0);
    assert_ptr_equal(take(fixture, 0), jobs[2]);
    assert_ptr_equal(jobs[2]->next, task);
}

/* Another process has their card: what came later of it must not go first. */
static void what_is_put_back_is_taken_before_all_others_and_in_its_order(void **state)
{
    struct fixture *fixture = *state;
    struct job *jobs[] = {push(fixture, 1), push(fixture, 1), push(fixture, 2)};
    assert_ptr_equal(take(fixture, 0), jobs[0]);
    struct job *same = push(fixture, 1);
    struct job *other = push(fixture, 3);
    commit_queue_put_back(&fixture->queue, jobs, 2);
    assert_int_equal(commit_queue_depth(&fixture->queue), 4);
    assert_ptr_equal(take(fixture, 1), other);
    assert_null(other->next);
    commit_queue_keep(&fixture->queue, 0, NULL, 0);
    assert_ptr_equal(take(fixture, 1), jobs[0]);
    assert_ptr_equal(jobs[0]->next, jobs[1]);
    assert_ptr_equal(jobs[1]->next, same);
    assert_null(same->next);
}

static void what_is_put_back_into_an_empty_queue_has_what_comes_behind_it(void **state)
{
    struct fixture *fixture = *state;
    struct job *back = push(fixture, 1);
    assert_ptr_equal(take(fixture, 0), back);
    commit_queue_put_back(&fixture->queue, &back, 1);
    struct job *behind = push(fixture, 2);
    commit_queue_close(&fixture->queue);
    assert_ptr_equal(take(fixture, 0), back);
    assert_ptr_equal(back->next, behind);
    assert_null(behind->next);
    assert_null(take(fixture, 0));
}

static void push_cards(struct fixture *fixture, uint8_t first_card, int32_t count)
{
    for (int32_t i = 0; i < count; i++)
        push(fixture, (uint8_t)(first_card + i));
}

/* Batches of so many, until that is usual; then the first taker has as many of one card. */
static void begin_with(struct fixture *fixture, int32_t count)
{
    for (int32_t i = 0; i < 20 * COMMIT_QUEUE_USUAL_BATCHES; i++) {
        fixture->count = 0;
        push_cards(fixture, 1, count);
        assert_ptr_equal(take(fixture, 0), &fixture->jobs[0]);
        commit_queue_keep(&fixture->queue, 0, NULL, 0);
    }
    fixture->count = 0;
    for (int32_t i = 0; i < count; i++)
        push(fixture, 1);
    assert_ptr_equal(take(fixture, 0), &fixture->jobs[0]);
}

/* The second taker begins with so many of its own, and with no fewer. */
static void expect_worth(struct fixture *fixture, int32_t count)
{
    int32_t first = fixture->count;
    push(fixture, 1); /* the first one's */
    push_cards(fixture, 2, count - 1);
    assert_false(commit_queue_is_worth_it(&fixture->queue));
    push(fixture, 200);
    assert_true(commit_queue_is_worth_it(&fixture->queue));
    assert_ptr_equal(take(fixture, 1), &fixture->jobs[first + 1]);
    commit_queue_keep(&fixture->queue, 0, NULL, 0);
    assert_ptr_equal(take(fixture, 0), &fixture->jobs[first]);
}

static void what_waits_beside_nobody_is_worth_it(void **state)
{
    struct fixture *fixture = *state;
    assert_false(commit_queue_is_worth_it(&fixture->queue));
    push(fixture, 1);
    assert_true(commit_queue_is_worth_it(&fixture->queue));
    assert_ptr_equal(take(fixture, 0), &fixture->jobs[0]);
}

static void half_of_what_is_usually_under_way_is_worth_a_further_taker(void **state)
{
    begin_with(*state, 24);
    expect_worth(*state, 12);
}

static void few_are_not_worth_a_further_taker(void **state)
{
    begin_with(*state, 2);
    expect_worth(*state, COMMIT_QUEUE_WORTH_MIN);
}

static void enough_are_worth_a_further_taker_however_many_are_usual(void **state)
{
    begin_with(*state, 60);
    expect_worth(*state, COMMIT_QUEUE_WORTH);
}

/* So a machine that is busy is not given more to do. */
static void a_command_waits_longer_where_fetches_take_longer(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(commit_queue_wait_us(&fixture->queue), COMMIT_QUEUE_WAIT_MIN_US);
    for (int i = 0; i < 100; i++)
        commit_queue_note_fetch(&fixture->queue, 5000);
    int64_t wait_us = commit_queue_wait_us(&fixture->queue);
    assert_in_range(wait_us, COMMIT_QUEUE_WAIT_FETCHES * 4900, COMMIT_QUEUE_WAIT_FETCHES * 5000);
    for (int i = 0; i < 100; i++)
        commit_queue_note_fetch(&fixture->queue, 1000000);
    assert_int_equal(commit_queue_wait_us(&fixture->queue), COMMIT_QUEUE_WAIT_MAX_US);
    for (int i = 0; i < 100; i++)
        commit_queue_note_fetch(&fixture->queue, 100);
    assert_int_equal(commit_queue_wait_us(&fixture->queue), COMMIT_QUEUE_WAIT_MIN_US);
}

static void tasks_are_the_first_takers(void **state)
{
    struct fixture *fixture = *state;
    struct job *task = push_task(fixture, true);
    struct job *command = push(fixture, 1);
    assert_ptr_equal(take(fixture, 1), command);
    assert_null(command->next);
    assert_int_equal(commit_queue_depth(&fixture->queue), 1);
    assert_ptr_equal(take(fixture, 0), task);
}

/* So that what is behind it is nobody's while it runs. */
static void a_task_that_does_not_join_is_the_last_that_is_taken(void **state)
{
    struct fixture *fixture = *state;
    struct job *before = push(fixture, 1);
    struct job *joining = push_task(fixture, true);
    struct job *task = push_task(fixture, false);
    struct job *behind = push(fixture, 2);
    assert_ptr_equal(take(fixture, 0), before);
    assert_ptr_equal(before->next, joining);
    assert_ptr_equal(joining->next, task);
    assert_null(task->next);
    assert_ptr_equal(take(fixture, 1), behind);
}

static void a_full_queue_refuses_and_so_does_a_closed_one(void **state)
{
    struct fixture *fixture = *state;
    static struct job jobs[DEPTH_MAX + 1];
    for (int i = 0; i < DEPTH_MAX; i++)
        assert_int_equal(commit_queue_push(&fixture->queue, &jobs[i]), 0);
    assert_int_equal(commit_queue_push(&fixture->queue, &jobs[DEPTH_MAX]), ERR_QUEUE_FULL);
    assert_ptr_equal(take(fixture, 0), &jobs[0]);
    commit_queue_close(&fixture->queue);
    assert_int_equal(commit_queue_push(&fixture->queue, &jobs[DEPTH_MAX]), ERR_SHUTTING_DOWN);
}

/* Their tills have been answered, and their cards may be another taker's for long. */
static void what_was_cancelled_makes_room_and_comes_home(void **state)
{
    struct fixture *fixture = *state;
    static struct job jobs[DEPTH_MAX], other;
    struct job *held = push(fixture, 1);
    assert_ptr_equal(take(fixture, 0), held);
    for (int i = 0; i < DEPTH_MAX; i++) {
        memset(jobs[i].command.card_index, i == 1 ? 2 : 1, CARD_INDEX_BYTES);
        jobs[i].task = i == 2 ? task_nothing : NULL;
        assert_int_equal(commit_queue_push(&fixture->queue, &jobs[i]), 0);
    }
    memset(other.command.card_index, 3, CARD_INDEX_BYTES);
    assert_null(commit_queue_drop_cancelled(&fixture->queue));
    assert_int_equal(commit_queue_push(&fixture->queue, &other), ERR_QUEUE_FULL);
    for (int i = 1; i < DEPTH_MAX; i++)
        assert_true(job_move(&jobs[i], JOB_QUEUED, JOB_CANCELLED));
    fixture->queue.dropped_at_us = 0; /* long ago */
    struct job *dropped = commit_queue_drop_cancelled(&fixture->queue);
    for (int i = 1; i < DEPTH_MAX; i++, dropped = dropped->next)
        assert_ptr_equal(dropped, &jobs[i]);
    assert_null(dropped);
    assert_int_equal(commit_queue_depth(&fixture->queue), 1);
    assert_int_equal(commit_queue_push(&fixture->queue, &other), 0);
    assert_ptr_equal(take(fixture, 1), &other);
    assert_null(other.next);
    assert_ptr_equal(take(fixture, 0), &jobs[0]);
    assert_null(jobs[0].next);
    commit_queue_close(&fixture->queue);
    assert_null(take(fixture, 0));
    assert_null(take(fixture, 1));
}

static void at_the_end_each_gets_what_is_left_for_it(void **state)
{
    struct fixture *fixture = *state;
    struct job *first = push(fixture, 1);
    assert_ptr_equal(take(fixture, 1), first);
    struct job *task = push_task(fixture, false);
    struct job *same = push(fixture, 1);
    commit_queue_close(&fixture->queue);
    assert_ptr_equal(take(fixture, 0), task);
    assert_null(take(fixture, 0));
    assert_ptr_equal(take(fixture, 1), same);
    assert_null(take(fixture, 1));
}

/* --- many at once --- */

#define TAKERS 4
#define PUSHERS 3
#define CARDS 24
#define ROUNDS 4000

struct crowd {
    struct commit_queue queue;
    _Atomic int32_t has_card[CARDS]; /* takers that have a command of it: never two */
    _Atomic int64_t last_of[PUSHERS][CARDS];
    _Atomic int64_t taken_count;
};

struct person {
    struct crowd *crowd;
    int32_t number;
    struct job *jobs; /* of a pusher */
};

/* Names its pusher, and its place among that one's. */
static void prepare(struct job *job, int32_t pusher, int64_t i)
{
    uint8_t card = (uint8_t)((i * 7 + i / 5) % CARDS);
    memset(job->command.card_index, card, CARD_INDEX_BYTES);
    job->command.site_id = pusher;
    job->command.order_id = i + 1;
    job->command.register_id = card;
}

static void *push_many(void *argument)
{
    struct person *person = argument;
    for (int64_t i = 0; i < ROUNDS;) {
        prepare(&person->jobs[i], person->number, i);
        int err = commit_queue_push(&person->crowd->queue, &person->jobs[i]);
        assert_true(err == 0 || err == ERR_QUEUE_FULL);
        i += err == 0;
    }
    return NULL;
}

static void enter(struct person *person, const struct job *job)
{
    struct crowd *crowd = person->crowd;
    int64_t card = job->command.register_id;
    int32_t before = atomic_exchange(&crowd->has_card[card], person->number + 1);
    assert_true(before == 0 || before == person->number + 1);
    int64_t last =
        atomic_exchange(&crowd->last_of[job->command.site_id][card], job->command.order_id);
    assert_true(last < job->command.order_id);
    atomic_fetch_add(&crowd->taken_count, 1);
}

/* Of the oldest one's card, where another process might have it. What is left. */
static struct job *put_back_once(struct person *person, struct job *list)
{
    struct job *back[8], *left = NULL, **end = &left;
    int32_t count = 0;
    int64_t card = list->command.register_id;
    bool is_first = list->skipped_count == 0 && list->command.order_id % 3 == 0;
    for (struct job *job = list; job != NULL; job = job->next) {
        if (is_first && job->command.register_id == card) {
            job->skipped_count = 1;
            back[count++] = job;
        } else {
            *end = job;
            end = &job->next;
        }
    }
    *end = NULL;
    commit_queue_put_back(&person->crowd->queue, back, count);
    return left;
}

static void *take_many(void *argument)
{
    struct person *person = argument;
    struct crowd *crowd = person->crowd;
    struct job *list;
    while ((list = commit_queue_take(&crowd->queue, person->number, 8)) != NULL) {
        list = put_back_once(person, list);
        for (struct job *job = list; job != NULL; job = job->next)
            enter(person, job);
        for (struct job *job = list; job != NULL; job = job->next)
            atomic_store(&crowd->has_card[job->command.register_id], 0);
    }
    return NULL;
}

static void nothing_of_a_card_overtakes_and_nothing_is_lost(void **state)
{
    (void)state;
    struct crowd *crowd = calloc(1, sizeof(*crowd));
    pthread_t takers[TAKERS], pushers[PUSHERS];
    struct person taking[TAKERS], pushing[PUSHERS];
    assert_non_null(crowd);
    commit_queue_init(&crowd->queue, DEPTH_MAX, TAKERS);
    for (int32_t i = 0; i < TAKERS; i++) {
        taking[i] = (struct person){.crowd = crowd, .number = i};
        assert_int_equal(pthread_create(&takers[i], NULL, take_many, &taking[i]), 0);
    }
    for (int32_t i = 0; i < PUSHERS; i++) {
        pushing[i] = (struct person){crowd, i, calloc(ROUNDS, sizeof(struct job))};
        assert_int_equal(pthread_create(&pushers[i], NULL, push_many, &pushing[i]), 0);
    }
    for (int32_t i = 0; i < PUSHERS; i++)
        pthread_join(pushers[i], NULL);
    commit_queue_close(&crowd->queue);
    for (int32_t i = 0; i < TAKERS; i++)
        pthread_join(takers[i], NULL);
    assert_int_equal(crowd->taken_count, PUSHERS * ROUNDS);
    commit_queue_finish(&crowd->queue);
    for (int32_t i = 0; i < PUSHERS; i++)
        free(pushing[i].jobs);
    free(crowd);
}

#define queue_test(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        queue_test(what_waits_is_taken_in_its_order_and_up_to_a_number),
        queue_test(what_is_of_a_card_that_a_taker_has_waits_for_it),
        queue_test(a_card_is_anybodys_when_its_taker_comes_again),
        queue_test(what_a_taker_keeps_is_all_that_waits_for_it),
        queue_test(a_taker_may_have_more_of_the_cards_that_it_has),
        queue_test(what_is_put_back_is_taken_before_all_others_and_in_its_order),
        queue_test(what_is_put_back_into_an_empty_queue_has_what_comes_behind_it),
        queue_test(what_waits_beside_nobody_is_worth_it),
        queue_test(half_of_what_is_usually_under_way_is_worth_a_further_taker),
        queue_test(few_are_not_worth_a_further_taker),
        queue_test(enough_are_worth_a_further_taker_however_many_are_usual),
        queue_test(a_command_waits_longer_where_fetches_take_longer),
        queue_test(tasks_are_the_first_takers),
        queue_test(a_task_that_does_not_join_is_the_last_that_is_taken),
        queue_test(a_full_queue_refuses_and_so_does_a_closed_one),
        queue_test(what_was_cancelled_makes_room_and_comes_home),
        queue_test(at_the_end_each_gets_what_is_left_for_it),
        cmocka_unit_test(nothing_of_a_card_overtakes_and_nothing_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
