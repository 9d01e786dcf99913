/* Do readers run every task once, beside each other, each with a store of its own, and go home in
 * order? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "runtime/reader.h"
#include "store/backend.h"

#include <pthread.h>

#include "base/banned.h"

#define READERS 3
#define ERRANDS 200

/* Stores are only handed through: nobody opens them. */
static struct store stores[READERS];
static struct store *const handed[READERS] = {&stores[0], &stores[1], &stores[2]};

static struct reader *reader;

static struct gate {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    int inside; /* tasks that run now */
    bool is_open;
    int homecomings;
} gate;

/* Who did it: filled in by the task, on the reader's thread. */
struct errand {
    struct job job; /* first: found from it */
    struct store *store;
    pthread_t thread;
    int runs;
    int homecomings;
    int order; /* of the homecomings */
};

static struct errand errands[ERRANDS];

static void on_home(struct job *job)
{
    struct errand *errand = (struct errand *)job;
    pthread_mutex_lock(&gate.mutex);
    errand->homecomings++;
    errand->order = gate.homecomings++;
    pthread_cond_broadcast(&gate.changed);
    pthread_mutex_unlock(&gate.mutex);
}

static int task_note(struct job *job, struct store *store)
{
    struct errand *errand = (struct errand *)job;
    errand->store = store;
    errand->thread = pthread_self();
    errand->runs++;
    return errand == &errands[1] ? ERR_NOT_FOUND : 0;
}

static int task_wait(struct job *job, struct store *store)
{
    pthread_mutex_lock(&gate.mutex);
    gate.inside++;
    pthread_cond_broadcast(&gate.changed);
    while (!gate.is_open)
        pthread_cond_wait(&gate.changed, &gate.mutex);
    gate.inside--;
    pthread_mutex_unlock(&gate.mutex);
    return task_note(job, store);
}

static void await_inside(int count)
{
    pthread_mutex_lock(&gate.mutex);
    while (gate.inside < count)
        pthread_cond_wait(&gate.changed, &gate.mutex);
    pthread_mutex_unlock(&gate.mutex);
}

static void await_homecomings(int count)
{
    pthread_mutex_lock(&gate.mutex);
    while (gate.homecomings < count)
        pthread_cond_wait(&gate.changed, &gate.mutex);
    pthread_mutex_unlock(&gate.mutex);
}

static void open_gate(void)
{
    pthread_mutex_lock(&gate.mutex);
    gate.is_open = true;
    pthread_cond_broadcast(&gate.changed);
    pthread_mutex_unlock(&gate.mutex);
}

static int setup(void **state)
{
    (void)state;
    memset(errands, 0, sizeof(errands));
    gate = (struct gate){.inside = 0};
    pthread_mutex_init(&gate.mutex, NULL);
    pthread_cond_init(&gate.changed, NULL);
    for (int i = 0; i < ERRANDS; i++) {
        errands[i].job.deadline_us = clock_monotonic_us() + JOB_DEADLINE_US;
        errands[i].job.give_back = on_home;
        errands[i].job.task = task_note;
    }
    reader = NULL;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    reader_destroy(reader);
    pthread_cond_destroy(&gate.changed);
    pthread_mutex_destroy(&gate.mutex);
    return 0;
}

static void start(int32_t count)
{
    assert_int_equal(reader_create(handed, count, &reader), 0);
}

static void submit(int from, int count)
{
    for (int i = from; i < from + count; i++)
        assert_int_equal(reader_submit(reader, &errands[i].job), 0);
}

static void every_task_runs_once_and_its_error_comes_home(void **state)
{
    (void)state;
    start(READERS);
    submit(0, ERRANDS);
    await_homecomings(ERRANDS);
    reader_stop(reader);
    for (int i = 0; i < ERRANDS; i++) {
        assert_int_equal(errands[i].runs, 1);
        assert_int_equal(errands[i].homecomings, 1);
        assert_int_equal(errands[i].job.error, i == 1 ? ERR_NOT_FOUND : 0);
        assert_int_equal(errands[i].job.state, JOB_DONE);
    }
}

static void one_reader_keeps_the_order(void **state)
{
    (void)state;
    start(1);
    submit(0, ERRANDS);
    await_homecomings(ERRANDS);
    reader_stop(reader);
    for (int i = 0; i < ERRANDS; i++) {
        assert_int_equal(errands[i].order, i);
        assert_ptr_equal(errands[i].store, &stores[0]);
    }
}

static void readers_work_beside_each_other_each_with_its_own_store(void **state)
{
    (void)state;
    start(READERS);
    for (int i = 0; i < READERS; i++)
        errands[i].job.task = task_wait;
    submit(0, READERS);
    await_inside(READERS); /* all at once: one thread would hang here */
    open_gate();
    await_homecomings(READERS);
    reader_stop(reader);
    for (int i = 0; i < READERS; i++) {
        for (int j = 0; j < i; j++) {
            assert_ptr_not_equal(errands[i].store, errands[j].store);
            assert_false(pthread_equal(errands[i].thread, errands[j].thread));
        }
    }
}

static void a_slow_task_holds_up_nobody_while_another_reader_is_free(void **state)
{
    (void)state;
    start(2);
    errands[0].job.task = task_wait;
    submit(0, 1);
    await_inside(1);
    submit(1, 50);
    await_homecomings(50);
    assert_int_equal(errands[0].homecomings, 0);
    open_gate();
    await_homecomings(51);
}

/* Runs while reader_stop waits for the thread that the gate holds. */
static void *open_late(void *argument)
{
    (void)argument;
    open_gate();
    return NULL;
}

static void make_long(int from, int count)
{
    for (int i = from; i < from + count; i++)
        errands[i].job.is_long = true;
}

static void long_tasks_leave_a_reader_for_the_others(void **state)
{
    (void)state;
    for (int32_t count = 2; count <= READERS; count++) {
        setup(state);
        start(count);
        int32_t longs = count - count / 2;
        for (int i = 0; i < READERS; i++)
            errands[i].job.task = task_wait;
        make_long(0, READERS);
        submit(0, READERS);
        await_inside(longs);
        submit(READERS, 50); /* quick ones: behind the long in time, but not in the queue */
        await_homecomings(50);
        pthread_mutex_lock(&gate.mutex);
        assert_int_equal(gate.inside, longs);
        pthread_mutex_unlock(&gate.mutex);
        assert_int_equal(reader_queue_depth(reader), READERS - longs);
        open_gate();
        await_homecomings(50 + READERS);
        reader_destroy(reader);
        reader = NULL;
    }
}

static void quick_tasks_go_before_long_ones(void **state)
{
    (void)state;
    start(1);
    errands[0].job.task = task_wait;
    submit(0, 1);
    await_inside(1);
    make_long(1, 10);
    submit(1, 20); /* the first ten long, then ten quick */
    open_gate();
    await_homecomings(21);
    for (int i = 1; i <= 10; i++)
        assert_int_equal(errands[i].order, i + 10);
    for (int i = 11; i <= 20; i++)
        assert_int_equal(errands[i].order, i - 10);
}

static void stopping_finishes_long_tasks_too(void **state)
{
    (void)state;
    pthread_t opener;
    start(2);
    errands[0].job.task = task_wait;
    make_long(0, 20);
    submit(0, 20);
    await_inside(1);
    assert_int_equal(pthread_create(&opener, NULL, open_late, NULL), 0);
    reader_stop(reader);
    pthread_join(opener, NULL);
    assert_int_equal(gate.homecomings, 20);
    assert_int_equal(reader_submit(reader, &errands[0].job), ERR_SHUTTING_DOWN);
}

static void full_queue_of_long_tasks_refuses_long_ones_only(void **state)
{
    (void)state;
    static struct errand crowd[READER_LONG_MAX];
    start(2);
    errands[0].job.task = task_wait;
    make_long(0, 2);
    submit(0, 1);
    await_inside(1);
    for (int i = 0; i < READER_LONG_MAX; i++) {
        crowd[i] = (struct errand){.job = errands[1].job};
        assert_int_equal(reader_submit(reader, &crowd[i].job), 0);
    }
    assert_int_equal(reader_submit(reader, &errands[1].job), ERR_QUEUE_FULL);
    submit(2, 1);
    await_homecomings(1);
    open_gate();
    await_homecomings(READER_LONG_MAX + 2);
}

static void a_task_whose_time_is_up_or_whose_loop_gave_it_up_never_runs(void **state)
{
    (void)state;
    start(1);
    errands[0].job.deadline_us = clock_monotonic_us() + JOB_RESERVE_US - 1;
    assert_true(job_move(&errands[2].job, JOB_QUEUED, JOB_CANCELLED));
    submit(0, 4);
    await_homecomings(4);
    reader_stop(reader);
    for (int i = 0; i < 4; i++) {
        bool is_cancelled = i == 0 || i == 2;
        assert_int_equal(errands[i].runs, is_cancelled ? 0 : 1);
        assert_int_equal(errands[i].homecomings, 1);
        assert_int_equal(errands[i].job.state, is_cancelled ? JOB_CANCELLED : JOB_DONE);
        if (is_cancelled)
            assert_int_equal(errands[i].job.error, ERR_CANCELLED);
    }
}

static void stopping_finishes_what_is_queued_and_refuses_what_comes_later(void **state)
{
    (void)state;
    pthread_t opener;
    start(1);
    errands[0].job.task = task_wait;
    submit(0, 20);
    await_inside(1);
    assert_int_equal(reader_queue_depth(reader), 19);
    assert_int_equal(pthread_create(&opener, NULL, open_late, NULL), 0);
    reader_stop(reader);
    pthread_join(opener, NULL);
    assert_int_equal(gate.homecomings, 20); /* before reader_stop returned */
    for (int i = 0; i < 20; i++)
        assert_int_equal(errands[i].runs, 1);
    assert_int_equal(reader_submit(reader, &errands[20].job), ERR_SHUTTING_DOWN);
    assert_int_equal(errands[20].homecomings, 0); /* it stays the caller's */
    reader_stop(reader);
}

static void a_full_queue_refuses_and_leaves_the_job_to_its_caller(void **state)
{
    (void)state;
    static struct errand crowd[READER_QUEUE_MAX];
    start(1);
    errands[0].job.task = task_wait;
    submit(0, 1);
    await_inside(1);
    for (int i = 0; i < READER_QUEUE_MAX; i++) {
        crowd[i] = (struct errand){.job = errands[1].job};
        assert_int_equal(reader_submit(reader, &crowd[i].job), 0);
    }
    assert_int_equal(reader_queue_depth(reader), READER_QUEUE_MAX);
    assert_int_equal(reader_submit(reader, &errands[1].job), ERR_QUEUE_FULL);
    assert_int_equal(errands[1].homecomings, 0);
    open_gate();
    await_homecomings(READER_QUEUE_MAX + 1);
    assert_int_equal(reader_queue_depth(reader), 0);
    submit(1, 1);
    await_homecomings(READER_QUEUE_MAX + 2);
}

static void check_is_expected(const char *expression, const char *file, int line)
{
    mock_assert(0, expression, file, line);
}

static void a_job_without_a_task_is_a_bug(void **state)
{
    (void)state;
    start(1);
    errands[0].job.task = NULL;
    check_hook = check_is_expected;
    expect_assert_failure(submit(0, 1));
    check_hook = NULL;
    assert_int_equal(reader_queue_depth(reader), 0);
}

static void nothing_is_stopped_and_destroyed_without_harm(void **state)
{
    (void)state;
    reader_stop(NULL);
    reader_destroy(NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_task_runs_once_and_its_error_comes_home),
        TEST(one_reader_keeps_the_order),
        TEST(readers_work_beside_each_other_each_with_its_own_store),
        TEST(a_slow_task_holds_up_nobody_while_another_reader_is_free),
        TEST(long_tasks_leave_a_reader_for_the_others),
        TEST(quick_tasks_go_before_long_ones),
        TEST(stopping_finishes_long_tasks_too),
        TEST(full_queue_of_long_tasks_refuses_long_ones_only),
        TEST(a_task_whose_time_is_up_or_whose_loop_gave_it_up_never_runs),
        TEST(stopping_finishes_what_is_queued_and_refuses_what_comes_later),
        TEST(a_full_queue_refuses_and_leaves_the_job_to_its_caller),
        TEST(a_job_without_a_task_is_a_bug),
        TEST(nothing_is_stopped_and_destroyed_without_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
