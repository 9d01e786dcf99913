/* Does the queue keep order, bounds and its end, also with many threads at both ends? And the
 * worker's side of a job's life. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sched.h>
#include <time.h>

#include <cmocka.h>

#include "runtime/queue.h"

#include "base/banned.h"

#define MANY 64

static struct queue queue;
static struct job jobs[MANY];

static int setup(void **state)
{
    (void)state;
    memset(jobs, 0, sizeof(jobs));
    queue_init(&queue, MANY);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    queue_finish(&queue);
    return 0;
}

static void push(int from, int count)
{
    for (int i = from; i < from + count; i++)
        assert_int_equal(queue_push(&queue, &jobs[i]), 0);
}

/* The next list is exactly these, in this order. */
static void assert_taken(int32_t count_max, int from, int count)
{
    struct job *job = queue_take(&queue, count_max);
    for (int i = from; i < from + count; i++, job = job->next)
        assert_ptr_equal(job, &jobs[i]);
    assert_null(job);
}

static void first_in_is_first_out(void **state)
{
    (void)state;
    push(0, 5);
    assert_int_equal(queue_depth(&queue), 5);
    for (int i = 0; i < 5; i++)
        assert_taken(1, i, 1);
    assert_int_equal(queue_depth(&queue), 0);
}

static void a_taker_gets_at_most_what_it_asked_for_and_the_rest_stays(void **state)
{
    (void)state;
    push(0, 5);
    assert_taken(3, 0, 3);
    assert_int_equal(queue_depth(&queue), 2);
    push(5, 1);
    assert_taken(100, 3, 3);
    assert_int_equal(queue_depth(&queue), 0);
    push(6, 2); /* an emptied queue is filled from its start again */
    assert_taken(2, 6, 2);
}

static void a_full_queue_leaves_the_job_to_its_caller_and_takes_it_later(void **state)
{
    (void)state;
    struct job extra;
    memset(&extra, 0, sizeof(extra));
    push(0, MANY);
    assert_int_equal(queue_push(&queue, &extra), ERR_QUEUE_FULL);
    assert_int_equal(queue_depth(&queue), MANY);
    assert_taken(1, 0, 1);
    assert_int_equal(queue_push(&queue, &extra), 0);
    assert_taken(MANY - 1, 1, MANY - 1);
    assert_ptr_equal(queue_take(&queue, MANY), &extra);
}

static void a_closed_queue_gives_out_what_is_left_and_then_nothing(void **state)
{
    (void)state;
    push(0, 2);
    queue_close(&queue);
    assert_int_equal(queue_push(&queue, &jobs[2]), ERR_SHUTTING_DOWN);
    assert_taken(1, 0, 1);
    assert_taken(1, 1, 1);
    assert_null(queue_take(&queue, 1));
    assert_null(queue_take(&queue, 1));
}

static void check_is_expected(const char *expression, const char *file, int line)
{
    mock_assert(0, expression, file, line);
}

static void a_queue_with_jobs_in_it_cannot_be_finished(void **state)
{
    (void)state;
    push(0, 1);
    check_hook = check_is_expected;
    expect_assert_failure(queue_finish(&queue));
    check_hook = NULL;
    assert_taken(1, 0, 1);
}

/* --- threads */

#define TAKERS 3
#define PUSHERS 3
#define PER_PUSHER 20000

struct pushed {
    struct job job; /* first: found from it */
    int pusher;
    int number;
};

static struct pushed pushed[PUSHERS][PER_PUSHER];
static atomic_int taken_count;
static atomic_int takers_waiting;

static void *push_all(void *argument)
{
    struct pushed *mine = argument;
    for (int i = 0; i < PER_PUSHER; i++) {
        while (queue_push(&queue, &mine[i].job) != 0)
            sched_yield();
    }
    return NULL;
}

/* Checks that one pusher's jobs reach it in the order in which they were pushed. */
static void *take_all(void *argument)
{
    int newest[PUSHERS] = {-1, -1, -1};
    int32_t count_max = (int32_t)(intptr_t)argument;
    struct job *list;
    atomic_fetch_add(&takers_waiting, 1);
    while ((list = queue_take(&queue, count_max)) != NULL) {
        int count = 0;
        for (; list != NULL; list = list->next) {
            const struct pushed *each = (const struct pushed *)list;
            CHECK(each->number > newest[each->pusher]);
            newest[each->pusher] = each->number;
            count++;
        }
        CHECK(count <= count_max);
        atomic_fetch_add(&taken_count, count);
    }
    return NULL;
}

static void start_takers(pthread_t threads[TAKERS])
{
    static const int32_t count_max[TAKERS] = {1, 2, 512};
    atomic_store(&taken_count, 0);
    atomic_store(&takers_waiting, 0);
    for (int i = 0; i < TAKERS; i++)
        assert_int_equal(
            pthread_create(&threads[i], NULL, take_all, (void *)(intptr_t)count_max[i]), 0);
}

static void every_job_of_many_threads_is_taken_once_and_in_order(void **state)
{
    (void)state;
    pthread_t takers[TAKERS], pushers[PUSHERS];
    start_takers(takers);
    for (int i = 0; i < PUSHERS; i++) {
        for (int n = 0; n < PER_PUSHER; n++)
            pushed[i][n] = (struct pushed){.pusher = i, .number = n};
        assert_int_equal(pthread_create(&pushers[i], NULL, push_all, pushed[i]), 0);
    }
    for (int i = 0; i < PUSHERS; i++)
        pthread_join(pushers[i], NULL);
    queue_close(&queue);
    for (int i = 0; i < TAKERS; i++)
        pthread_join(takers[i], NULL);
    assert_int_equal(atomic_load(&taken_count), PUSHERS * PER_PUSHER);
}

static void *take_one(void *argument)
{
    (void)argument;
    atomic_fetch_add(&takers_waiting, 1);
    struct job *job = queue_take(&queue, 1);
    CHECK(job != NULL && job->next == NULL);
    return NULL;
}

/* One push wakes one taker; who leaves jobs behind must wake the next. */
static void every_waiting_taker_gets_one_of_the_jobs_that_came_together(void **state)
{
    (void)state;
    for (int round = 0; round < 200; round++) {
        pthread_t takers[TAKERS];
        atomic_store(&takers_waiting, 0);
        for (int i = 0; i < TAKERS; i++)
            assert_int_equal(pthread_create(&takers[i], NULL, take_one, NULL), 0);
        while (atomic_load(&takers_waiting) < TAKERS)
            sched_yield();
        nanosleep(&(struct timespec){.tv_nsec = 500 * 1000}, NULL); /* into their wait */
        push(0, TAKERS);
        for (int i = 0; i < TAKERS; i++)
            pthread_join(takers[i], NULL); /* for ever, if one was forgotten */
    }
}

static void closing_wakes_every_waiting_taker(void **state)
{
    (void)state;
    pthread_t takers[TAKERS];
    start_takers(takers);
    while (atomic_load(&takers_waiting) < TAKERS)
        sched_yield();
    nanosleep(&(struct timespec){.tv_nsec = 20 * 1000 * 1000}, NULL); /* into their wait */
    queue_close(&queue);
    for (int i = 0; i < TAKERS; i++)
        pthread_join(takers[i], NULL);
    assert_int_equal(atomic_load(&taken_count), 0);
}

/* --- a job in its worker's hands */

static int homecomings;

static void on_home(struct job *job)
{
    (void)job;
    homecomings++;
}

static struct job new_job(int64_t deadline_us)
{
    homecomings = 0;
    return (struct job){.deadline_us = deadline_us, .give_back = on_home};
}

static void a_job_with_just_enough_time_left_is_taken_and_one_with_less_goes_home(void **state)
{
    (void)state;
    struct job job = new_job(JOB_RESERVE_US);
    assert_true(job_take(&job, 0));
    assert_int_equal(job.state, JOB_TAKEN);
    assert_int_equal(homecomings, 0);
    job_end(&job, ERR_STORE_BUSY);
    assert_int_equal(job.state, JOB_DONE);
    assert_int_equal(job.error, ERR_STORE_BUSY);
    assert_int_equal(homecomings, 1);

    job = new_job(JOB_RESERVE_US);
    assert_false(job_take(&job, 1));
    assert_int_equal(job.state, JOB_CANCELLED);
    assert_int_equal(job.error, ERR_CANCELLED);
    assert_int_equal(homecomings, 1);
}

static void a_job_that_its_loop_gave_up_goes_home_and_is_not_run(void **state)
{
    (void)state;
    struct job job = new_job(JOB_DEADLINE_US);
    assert_true(job_move(&job, JOB_QUEUED, JOB_CANCELLED));
    assert_false(job_take(&job, 0));
    assert_int_equal(job.error, ERR_CANCELLED);
    assert_int_equal(homecomings, 1);
}

static void move(struct job *job, enum job_state from, enum job_state to)
{
    assert_true(job_move(job, from, to));
}

static void a_job_ends_only_after_it_was_taken_and_never_moves_back(void **state)
{
    (void)state;
    static const enum job_state forbidden[][2] = {
        {JOB_QUEUED, JOB_DONE},   {JOB_TAKEN, JOB_QUEUED},    {JOB_TAKEN, JOB_CANCELLED},
        {JOB_DONE, JOB_QUEUED},   {JOB_CANCELLED, JOB_TAKEN}, {JOB_CANCELLED, JOB_DONE},
        {JOB_QUEUED, JOB_QUEUED},
    };
    check_hook = check_is_expected;
    for (size_t i = 0; i < COUNT_OF(forbidden); i++) {
        struct job job = new_job(JOB_DEADLINE_US);
        atomic_store(&job.state, forbidden[i][0]);
        expect_assert_failure(move(&job, forbidden[i][0], forbidden[i][1]));
        assert_int_equal(job.state, forbidden[i][0]);
    }
    struct job job = new_job(JOB_DEADLINE_US);
    expect_assert_failure(job_end(&job, 0));
    assert_int_equal(homecomings, 0);
    check_hook = NULL;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(first_in_is_first_out),
        TEST(a_taker_gets_at_most_what_it_asked_for_and_the_rest_stays),
        TEST(a_full_queue_leaves_the_job_to_its_caller_and_takes_it_later),
        TEST(a_closed_queue_gives_out_what_is_left_and_then_nothing),
        TEST(a_queue_with_jobs_in_it_cannot_be_finished),
        TEST(every_job_of_many_threads_is_taken_once_and_in_order),
        TEST(every_waiting_taker_gets_one_of_the_jobs_that_came_together),
        TEST(closing_wakes_every_waiting_taker),
        cmocka_unit_test(a_job_with_just_enough_time_left_is_taken_and_one_with_less_goes_home),
        cmocka_unit_test(a_job_that_its_loop_gave_up_goes_home_and_is_not_run),
        cmocka_unit_test(a_job_ends_only_after_it_was_taken_and_never_moves_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
