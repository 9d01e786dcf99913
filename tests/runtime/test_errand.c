/* Does every errand come home exactly once, on the outbound thread, whatever its worker says? With
 * real threads over fake stores. */
#include "runtime/errand.h"

#include "base/clock.h"
#include "store/backend.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/banned.h"

#define ERRANDS_MAX 200

static struct {
    struct outbound *outbound;
    struct reader *reader;
    struct store stores[2];
    struct store *store_pointers[2];
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    pthread_t outbound_thread;
    int runs, homecomings;
    int errors[ERRANDS_MAX];
    bool is_gate_open;
    bool was_elsewhere; /* on_done on another thread, or from inside the call */
    bool was_not_zeroed;
    int wanted;
    bool is_sending;
    int32_t chain;
} f = {.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

struct load {
    char secret[64];
    int index;
    int task_error;
};

static int task_answer(struct job *job, struct store *store)
{
    struct load *load = errand_data_of(job);
    assert_non_null(store);
    pthread_mutex_lock(&f.mutex);
    while (!f.is_gate_open)
        pthread_cond_wait(&f.changed, &f.mutex);
    f.runs++;
    pthread_mutex_unlock(&f.mutex);
    load->secret[0] = 's';
    return load->task_error;
}

static void on_done(struct errand *errand)
{
    struct load *load = errand_data(errand);
    pthread_mutex_lock(&f.mutex);
    f.was_elsewhere |= !pthread_equal(pthread_self(), f.outbound_thread) || f.is_sending;
    f.errors[load->index] = errand->job.error;
    f.homecomings++;
    pthread_cond_broadcast(&f.changed);
    pthread_mutex_unlock(&f.mutex);
}

static void send_errands(void *context)
{
    (void)context;
    pthread_mutex_lock(&f.mutex);
    f.outbound_thread = pthread_self();
    f.is_sending = true;
    pthread_mutex_unlock(&f.mutex);
    for (int i = 0; i < f.wanted; i++) {
        struct errand *errand = errand_create(f.outbound, sizeof(struct load));
        struct load *load = errand_data(errand);
        for (size_t at = 0; at < sizeof(*load); at++)
            f.was_not_zeroed |= ((char *)load)[at] != 0;
        load->index = i;
        load->task_error = i % 3 == 0 ? ERR_NOT_FOUND : 0;
        errand_read(errand, f.reader, task_answer, on_done, NULL);
    }
    pthread_mutex_lock(&f.mutex);
    f.is_sending = false;
    pthread_mutex_unlock(&f.mutex);
}

static int setup(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++)
        f.store_pointers[i] = &f.stores[i];
    f.runs = f.homecomings = f.wanted = 0;
    f.is_gate_open = true;
    f.was_elsewhere = f.was_not_zeroed = false;
    memset(f.errors, -1, sizeof(f.errors));
    assert_int_equal(reader_create(f.store_pointers, 2, &f.reader), 0);
    assert_int_equal(outbound_create(&f.outbound), 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    outbound_destroy(f.outbound);
    reader_destroy(f.reader);
    assert_false(f.was_elsewhere);
    assert_false(f.was_not_zeroed);
    return 0;
}

static void post(struct outbound_message *message, outbound_fn fn)
{
    *message = (struct outbound_message){.fn = fn};
    outbound_post(f.outbound, message);
}

static void await(const int *count, int wanted)
{
    pthread_mutex_lock(&f.mutex);
    while (*count < wanted)
        pthread_cond_wait(&f.changed, &f.mutex);
    pthread_mutex_unlock(&f.mutex);
}

static void open_gate(void)
{
    pthread_mutex_lock(&f.mutex);
    f.is_gate_open = true;
    pthread_cond_broadcast(&f.changed);
    pthread_mutex_unlock(&f.mutex);
}

static void every_errand_comes_home_once_with_its_error(void **state)
{
    (void)state;
    struct outbound_message message;
    f.wanted = ERRANDS_MAX;
    post(&message, send_errands);
    await(&f.homecomings, ERRANDS_MAX);
    assert_int_equal(f.runs, ERRANDS_MAX);
    for (int i = 0; i < ERRANDS_MAX; i++)
        assert_int_equal(f.errors[i], i % 3 == 0 ? ERR_NOT_FOUND : 0);
}

static void what_a_stopped_worker_refuses_comes_home_later_all_the_same(void **state)
{
    (void)state;
    struct outbound_message message;
    reader_stop(f.reader);
    f.wanted = 10;
    post(&message, send_errands);
    await(&f.homecomings, 10);
    assert_int_equal(f.runs, 0);
    for (int i = 0; i < 10; i++)
        assert_int_equal(f.errors[i], ERR_SHUTTING_DOWN);
}

/* A second errand out of the end of the first: the end waits for the chain. */
static void on_link(struct errand *errand)
{
    on_done(errand);
    if (--f.chain > 0)
        errand_read(errand_create(f.outbound, sizeof(struct load)), f.reader, task_answer, on_link,
                    NULL);
}

static void send_chain(void *context)
{
    (void)context;
    f.outbound_thread = pthread_self();
    errand_read(errand_create(f.outbound, sizeof(struct load)), f.reader, task_answer, on_link,
                NULL);
}

static void draining_waits_for_errands_and_what_follows_them(void **state)
{
    (void)state;
    struct outbound_message message;
    f.chain = 20;
    post(&message, send_chain);
    outbound_drain(f.outbound);
    assert_int_equal(f.homecomings, 20);
    outbound_stop(f.outbound);
    assert_int_equal(f.homecomings, 20);
}

static void *open_late(void *argument)
{
    (void)argument;
    usleep(100000);
    open_gate();
    return NULL;
}

/* The order of service/serve.c with a store that hangs: the drain gives up, and whatever the worker
 * ends by being stopped still comes home before the thread ends. */
static void an_errand_held_by_a_hanging_store_is_home_before_the_thread_ends(void **state)
{
    (void)state;
    struct outbound_message message;
    pthread_t opener;
    f.is_gate_open = false;
    f.wanted = 5;
    post(&message, send_errands);
    int64_t began_us = clock_monotonic_us();
    outbound_drain(f.outbound);
    assert_in_range(clock_monotonic_us() - began_us, OUTBOUND_GRACE_US, 2 * OUTBOUND_GRACE_US);
    assert_int_equal(f.homecomings, 0);
    assert_int_equal(pthread_create(&opener, NULL, open_late, NULL), 0);
    reader_stop(f.reader);
    outbound_stop(f.outbound);
    pthread_join(opener, NULL);
    assert_int_equal(f.homecomings, 5);
}

/* --- to the committer */

static int task_write(struct job *job, struct store *store)
{
    assert_non_null(store);
    return ((struct load *)errand_data_of(job))->task_error;
}

static struct committer *committer;

static void send_writes(void *context)
{
    (void)context;
    f.outbound_thread = pthread_self();
    struct errand *write = errand_create(f.outbound, sizeof(struct load));
    ((struct load *)errand_data(write))->task_error = ERR_STALE;
    errand_write(write, committer, task_write, on_done, NULL);
    struct errand *command = errand_create(f.outbound, sizeof(struct load));
    ((struct load *)errand_data(command))->index = 1;
    command->job.command.action = ACTION_CHARGE;
    errand_command(command, committer, on_done, NULL);
}

static void writes_and_commands_go_to_the_committer(void **state)
{
    (void)state;
    static const uint8_t master[SEAL_KEY_BYTES] = {1};
    struct outbound_message message;
    struct seal *seal;
    struct store *store;
    assert_int_equal(seal_from_bytes(master, &seal), 0);
    const struct store_config opening = {.location = ":memory:", .seal = seal};
    assert_int_equal(store_open(&opening, STORE_WRITER, &store), 0);
    const struct committer_config config = {.stores = {store}, .batch_max = 8};
    assert_int_equal(committer_create(&config, &committer), 0);
    post(&message, send_writes);
    await(&f.homecomings, 2);
    assert_int_equal(f.errors[0], ERR_STALE);
    assert_int_equal(f.errors[1], 0);
    outbound_drain(f.outbound);
    committer_stop(committer);
    outbound_stop(f.outbound);
    committer_destroy(committer);
    store_close(store);
    seal_destroy(seal);
}

static void check_is_expected(const char *expression, const char *file, int line)
{
    mock_assert(0, expression, file, line);
}

static void an_errand_from_another_thread_is_a_bug(void **state)
{
    (void)state;
    struct errand *errand = errand_create(f.outbound, 0);
    check_hook = check_is_expected;
    expect_assert_failure(errand_read(errand, f.reader, task_answer, on_done, NULL));
    check_hook = NULL;
    free(errand);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_errand_comes_home_once_with_its_error),
        TEST(what_a_stopped_worker_refuses_comes_home_later_all_the_same),
        TEST(draining_waits_for_errands_and_what_follows_them),
        TEST(an_errand_held_by_a_hanging_store_is_home_before_the_thread_ends),
        TEST(writes_and_commands_go_to_the_committer),
        TEST(an_errand_from_another_thread_is_a_bug),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
