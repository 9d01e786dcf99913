/* Does a request get exactly one answer, whatever happens to its job and to itself? A real event
 * loop and real bytes; only the workers are fakes that keep what they are given. */
#include "handlers/exchange.h"
#include "handlers/json_errors.h"
#include "handlers/route.h"

#include <h2o/http2.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

/* --- the fake workers */

/* To a deadline: a machine under full load must get the job taken before it. */
#define A_WHILE_US 500000
#define KEPT_MAX 8
static struct job *kept[KEPT_MAX];
static int kept_count;
static int submit_error;

static int keep(struct job *job)
{
    if (submit_error != 0)
        return submit_error;
    assert_true(kept_count < KEPT_MAX);
    kept[kept_count++] = job;
    return 0;
}

int __wrap_committer_submit(struct committer *committer, struct job *job);
int __wrap_committer_submit(struct committer *committer, struct job *job)
{
    (void)committer;
    return keep(job);
}

int __wrap_reader_submit(struct reader *reader, struct job *job);
int __wrap_reader_submit(struct reader *reader, struct job *job)
{
    (void)reader;
    return keep(job);
}

int __wrap_outbound_submit(struct outbound *outbound, struct job *job);
int __wrap_outbound_submit(struct outbound *outbound, struct job *job)
{
    (void)outbound;
    assert_non_null(job->begin);
    return keep(job);
}

void __wrap_committer_read_counters(struct committer *committer,
                                    struct committer_counters *counters);
void __wrap_committer_read_counters(struct committer *committer,
                                    struct committer_counters *counters)
{
    (void)committer;
    *counters = (struct committer_counters){.is_healthy = true};
}

int32_t __wrap_reader_queue_depth(struct reader *reader);
int32_t __wrap_reader_queue_depth(struct reader *reader)
{
    (void)reader;
    return 0;
}

int32_t scheduler_count(const struct scheduler *scheduler)
{
    (void)scheduler;
    return 0;
}

void scheduler_read_counters(const struct scheduler *scheduler, int32_t index,
                             struct scheduler_counters *counters)
{
    (void)scheduler;
    (void)index;
    *counters = (struct scheduler_counters){.name = "none"};
}

void scheduler_end(struct scheduled *task, int err)
{
    (void)task;
    (void)err;
    fail_msg("nothing is scheduled here");
}

/* What a worker does with a job that it may run. */
static void work(int index)
{
    assert_true(job_move(kept[index], JOB_QUEUED, JOB_TAKEN));
    kept[index]->outcome.operation_id = 42;
    assert_true(job_move(kept[index], JOB_TAKEN, JOB_DONE));
    kept[index]->give_back(kept[index]);
}

/* --- the loop and its client */

static struct fixture {
    struct handlers handlers;
    struct exchange_loop loop;
    h2o_globalconf_t globalconf;
    h2o_hostconf_t *hosts[2];
    h2o_evloop_t *evloop;
    h2o_accept_ctx_t accept;
    int clients[4];
    int client_count;
    int client; /* the last one */
    char answer[32 * 1024];
    size_t answer_length;
    /* what the handler under test does and saw */
    void (*handle)(struct exchange *exchange);
    int done_calls;
    int done_error;
    int64_t done_operation;
    int64_t deadline_us;
    bool is_free; /* what handle_wait waits for */
    bool is_forgetful, is_client_gone;
    int left_calls, left_error;
    int64_t left_operation;
    int turns, refused_waits;
    int64_t received_us;
} f;

static int on_request(h2o_handler_t *self, h2o_req_t *req)
{
    (void)self;
    struct exchange *exchange = exchange_begin(req);
    f.handle(exchange);
    assert_true(exchange_is_under_way(exchange));
    return 0;
}

static void connect_client(void)
{
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    f.client = fds[0];
    f.clients[f.client_count++] = fds[0];
    h2o_accept(&f.accept,
               h2o_evloop_socket_create(f.evloop, fds[1], H2O_SOCKET_FLAG_IS_ACCEPTED_CONNECTION));
}

static int setup(void **state)
{
    (void)state;
    memset(&f, 0, sizeof(f));
    kept_count = 0;
    submit_error = 0;
    assert_int_equal(metrics_create(&f.handlers.metrics), 0);
    assert_int_equal(directory_create(&f.handlers.directory), 0);
    assert_int_equal(profiles_create(NULL, &f.handlers.profiles), 0);
    static struct client_proxies nobody;
    static uint64_t seed = 1;
    f.handlers.proxies = &nobody;
    f.handlers.random = id_source_seeded(&seed);
    h2o_config_init(&f.globalconf);
    f.globalconf.server_name = (h2o_iovec_t){NULL, 0};
    f.globalconf.max_request_entity_size = BODY_MAX + 1;
    f.hosts[0] = h2o_config_register_host(&f.globalconf, h2o_iovec_init(H2O_STRLIT("test")), 65535);
    h2o_pathconf_t *path = h2o_config_register_path(f.hosts[0], "/", 0);
    h2o_create_handler(path, sizeof(h2o_handler_t))->on_req = on_request;
    json_errors_register(path);
    json_errors_register(&f.hosts[0]->fallback_path);
    f.evloop = h2o_evloop_create();
    exchange_loop_init(&f.loop, f.evloop, &f.globalconf, &f.handlers);
    f.accept = (h2o_accept_ctx_t){.ctx = &f.loop.context, .hosts = f.hosts};
    connect_client();
    return 0;
}

static void turn(int times)
{
    while (times-- > 0) {
        (void)exchange_loop_tend(&f.loop);
        h2o_evloop_run(f.evloop, 1);
    }
}

static int teardown(void **state)
{
    (void)state;
    while (f.client_count > 0)
        close(f.clients[--f.client_count]);
    turn(5);
    assert_int_equal(f.loop.unanswered, 0);
    exchange_loop_finish(&f.loop);
    h2o_evloop_run(f.evloop, 0);
    h2o_evloop_destroy(f.evloop);
    h2o_config_dispose(&f.globalconf);
    profiles_destroy(f.handlers.profiles);
    directory_destroy(f.handlers.directory);
    metrics_destroy(f.handlers.metrics);
    return 0;
}

static void send_bytes(const void *bytes, size_t size)
{
    assert_int_equal(write(f.client, bytes, size), (ssize_t)size);
    turn(5);
}

static void send_text(const char *text)
{
    send_bytes(text, strlen(text));
}

static const char *answer(void)
{
    turn(5);
    ssize_t got =
        read(f.client, f.answer + f.answer_length, sizeof(f.answer) - 1 - f.answer_length);
    if (got > 0)
        f.answer_length += (size_t)got;
    f.answer[f.answer_length] = '\0';
    return f.answer;
}

static int count(const char *haystack, const char *needle)
{
    int found = 0;
    for (; (haystack = strstr(haystack, needle)) != NULL; haystack++)
        found++;
    return found;
}

#define POST "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\n{}"

/* --- what handlers under test do */

static void on_done(struct exchange *exchange, const struct job *job)
{
    f.done_calls++;
    f.done_error = job->error;
    f.done_operation = job->outcome.operation_id;
    exchange_reply_json(exchange, 200, TEXT("{\"done\":true}"));
}

static void handle_command(struct exchange *exchange)
{
    struct job *job = exchange_job(exchange, 0);
    job->command.order_id = 7;
    if (f.deadline_us != 0)
        job->deadline_us = f.deadline_us;
    exchange_submit_command(exchange, job, on_done);
}

static void on_left(struct exchange_loop *loop, const struct job *job)
{
    assert_ptr_equal(loop, &f.loop);
    f.left_calls++;
    f.left_error = job->error;
    f.left_operation = job->outcome.operation_id;
}

static void handle_watched(struct exchange *exchange)
{
    struct job *job = exchange_job(exchange, 0);
    if (f.deadline_us != 0)
        job->deadline_us = f.deadline_us;
    exchange_watch_left(job, on_left);
    exchange_submit_command(exchange, job, on_done);
}

static void on_peeked(struct exchange *exchange, const struct job *job)
{
    f.is_client_gone = exchange_client_is_gone(exchange);
    on_done(exchange, job);
}

static void handle_peek(struct exchange *exchange)
{
    exchange_submit_command(exchange, exchange_job(exchange, 0), on_peeked);
}

static void begin_nothing(struct job *job)
{
    (void)job;
}

static void handle_outbound(struct exchange *exchange)
{
    struct job *job = exchange_job(exchange, 0);
    job->begin = begin_nothing;
    exchange_submit_outbound(exchange, job, on_done);
}

static void handle_at_once(struct exchange *exchange)
{
    exchange_reply_json(exchange, 200, TEXT("{\"at\":\"once\"}"));
}

static void handle_twice(struct exchange *exchange)
{
    exchange_reply_json(exchange, 200, TEXT("{\"n\":1}"));
    exchange_reply_json(exchange, 200, TEXT("{\"n\":2}"));
}

static int task_nothing(struct job *job, struct store *store)
{
    (void)job;
    (void)store;
    return 0;
}

static void on_first(struct exchange *exchange, const struct job *job)
{
    (void)job;
    f.done_calls++;
    struct job *second = exchange_job(exchange, 0);
    second->task = task_nothing;
    exchange_submit_read(exchange, second, on_done);
}

static void handle_chain(struct exchange *exchange)
{
    struct job *job = exchange_job(exchange, 0);
    job->task = task_nothing;
    exchange_submit_read(exchange, job, on_first);
}

static void on_forgetful(struct exchange *exchange, const struct job *job)
{
    (void)exchange;
    (void)job;
}

static void handle_forgetful(struct exchange *exchange)
{
    exchange_submit_command(exchange, exchange_job(exchange, 0), on_forgetful);
}

/* --- tests */

static void the_answer_comes_after_the_job(void **state)
{
    (void)state;
    f.handle = handle_command;
    send_text(POST);
    assert_int_equal(kept_count, 1);
    assert_int_equal(f.loop.unanswered, 1);
    assert_string_equal(answer(), "");
    work(0);
    assert_non_null(strstr(answer(), "{\"done\":true}"));
    assert_int_equal(f.done_calls, 1);
    assert_int_equal(f.done_error, 0);
    assert_int_equal(f.done_operation, 42);
    assert_int_equal(f.loop.jobs_away, 0);
}

static void a_job_of_the_outbound_thread_comes_home_like_any_other(void **state)
{
    (void)state;
    f.handle = handle_outbound;
    send_text(POST);
    assert_int_equal(kept_count, 1);
    assert_string_equal(answer(), "");
    work(0);
    assert_non_null(strstr(answer(), "{\"done\":true}"));
    assert_int_equal(f.loop.jobs_away, 0);
}

static void a_full_outbound_mailbox_is_told_at_once(void **state)
{
    (void)state;
    f.handle = handle_outbound;
    submit_error = ERR_QUEUE_FULL;
    send_text(POST);
    assert_non_null(strstr(answer(), "HTTP/1.1 503 "));
    assert_int_equal(f.done_calls, 0);
    assert_int_equal(f.loop.jobs_away, 0);
}

static void an_answer_carries_its_headers(void **state)
{
    (void)state;
    f.handle = handle_at_once;
    send_text(POST);
    assert_non_null(strstr(answer(), "HTTP/1.1 200 OK\r\n"));
    assert_non_null(strstr(f.answer, "content-type: application/json; charset=utf-8\r\n"));
    assert_non_null(strstr(f.answer, "Content-Length: 13\r\n"));
    assert_non_null(strstr(f.answer, "cache-control: no-store\r\n"));
    assert_non_null(strstr(f.answer, "x-request-id: "));
    assert_null(strstr(f.answer, "erver: "));
}

static void a_head_request_gets_the_length_and_no_body(void **state)
{
    (void)state;
    f.handle = handle_at_once;
    send_text("HEAD / HTTP/1.1\r\nhost: a\r\n\r\n");
    assert_non_null(strstr(answer(), "Content-Length: 13\r\n"));
    assert_null(strstr(f.answer, "once"));
}

static void a_second_answer_is_swallowed(void **state)
{
    (void)state;
    f.handle = handle_twice;
    send_text(POST);
    assert_int_equal(count(answer(), "HTTP/1.1"), 1);
    assert_non_null(strstr(f.answer, "{\"n\":1}"));
}

static void a_full_queue_is_told_at_once_with_retry_after(void **state)
{
    (void)state;
    f.handle = handle_command;
    submit_error = ERR_QUEUE_FULL;
    send_text(POST);
    assert_non_null(strstr(answer(), "HTTP/1.1 503 "));
    assert_non_null(strstr(f.answer, "retry-after: 1\r\n"));
    assert_non_null(strstr(f.answer, "\"code\":\"queue_full\""));
    assert_int_equal(f.done_calls, 0);
    assert_int_equal(f.loop.jobs_away, 0);
}

static void a_queued_job_past_its_deadline_is_cancelled_and_cannot_run_later(void **state)
{
    (void)state;
    f.handle = handle_command;
    f.deadline_us = clock_monotonic_us() + 10000;
    send_text(POST);
    usleep(20000);
    assert_non_null(strstr(answer(), "{\"done\":true}"));
    assert_int_equal(f.done_error, ERR_CANCELLED);
    assert_false(job_move(kept[0], JOB_QUEUED, JOB_TAKEN));
    assert_int_equal(f.loop.jobs_away, 1);
    kept[0]->give_back(kept[0]); /* the worker finds it in its queue */
    turn(5);
    assert_int_equal(f.done_calls, 1);
    assert_int_equal(f.loop.jobs_away, 0);
    assert_int_equal(count(answer(), "HTTP/1.1"), 1);
}

static void a_taken_job_past_its_deadline_is_unconfirmed_never_not_done(void **state)
{
    (void)state;
    f.handle = handle_command;
    f.deadline_us = clock_monotonic_us() + A_WHILE_US;
    send_text(POST);
    assert_true(job_move(kept[0], JOB_QUEUED, JOB_TAKEN));
    usleep(A_WHILE_US + 10000);
    assert_non_null(strstr(answer(), "{\"done\":true}"));
    assert_int_equal(f.done_error, ERR_UNCONFIRMED);
    assert_true(job_move(kept[0], JOB_TAKEN, JOB_DONE));
    kept[0]->give_back(kept[0]);
    turn(5);
    assert_int_equal(f.done_calls, 1);
    assert_int_equal(f.loop.jobs_away, 0);
}

static void a_job_that_ended_just_before_its_deadline_is_told_as_it_ended(void **state)
{
    (void)state;
    f.handle = handle_command;
    f.deadline_us = clock_monotonic_us() + A_WHILE_US;
    send_text(POST);
    assert_true(job_move(kept[0], JOB_QUEUED, JOB_TAKEN));
    kept[0]->outcome.operation_id = 42;
    assert_true(job_move(kept[0], JOB_TAKEN, JOB_DONE));
    usleep(A_WHILE_US + 10000);
    (void)exchange_loop_tend(&f.loop);
    assert_int_equal(f.done_calls, 0);
    kept[0]->give_back(kept[0]);
    assert_non_null(strstr(answer(), "{\"done\":true}"));
    assert_int_equal(f.done_error, 0);
    assert_int_equal(f.done_operation, 42);
}

static void jobs_can_follow_each_other(void **state)
{
    (void)state;
    f.handle = handle_chain;
    send_text(POST);
    work(0);
    turn(5);
    assert_int_equal(kept_count, 2);
    assert_string_equal(answer(), "");
    work(1);
    assert_non_null(strstr(answer(), "{\"done\":true}"));
    assert_int_equal(f.done_calls, 2);
}

static void the_sooner_deadline_ends_first_even_when_it_came_later(void **state)
{
    (void)state;
    f.handle = handle_command;
    f.deadline_us = clock_monotonic_us() + 60 * CLOCK_US_PER_S;
    send_text(POST);
    connect_client();
    f.deadline_us = clock_monotonic_us() + A_WHILE_US;
    send_text(POST);
    assert_true(exchange_loop_tend(&f.loop) <= A_WHILE_US / 1000 + 1);
    usleep(A_WHILE_US + 10000);
    assert_non_null(strstr(answer(), "{\"done\":true}"));
    assert_int_equal(f.done_error, ERR_CANCELLED);
    kept[1]->give_back(kept[1]);
    work(0);
    turn(5);
    assert_int_equal(f.done_calls, 2);
}

static void a_handler_that_forgets_to_answer_is_a_bug_told_in_json(void **state)
{
    (void)state;
    f.handle = handle_forgetful;
    send_text(POST);
    work(0);
    assert_non_null(strstr(answer(), "HTTP/1.1 500 "));
    assert_non_null(strstr(f.answer, "\"code\":\"bug\""));
}

static void a_draining_service_closes_after_its_answer(void **state)
{
    (void)state;
    f.handle = handle_command;
    send_text(POST);
    atomic_store(&f.handlers.is_draining, true);
    work(0);
    assert_non_null(strstr(answer(), "Connection: close\r\n"));
}

static void libh2os_own_errors_are_json(void **state)
{
    (void)state;
    f.handle = handle_at_once;
    send_text("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: x\r\n\r\n");
    assert_non_null(strstr(answer(), "HTTP/1.1 400 "));
    assert_non_null(strstr(f.answer, "content-type: application/json; charset=utf-8\r\n"));
    assert_non_null(strstr(f.answer, "\r\n\r\n{\"success\":false,"));
    assert_null(strstr(f.answer, "text/plain"));
}

static void a_snapshot_is_replaced_when_the_directory_has_moved(void **state)
{
    (void)state;
    f.handle = handle_command;
    send_text(POST);
    struct exchange_snapshot *before = f.loop.snapshot;
    connect_client();
    send_text(POST);
    assert_ptr_equal(f.loop.snapshot, before);
    atomic_fetch_add(&f.handlers.epoch, 1);
    connect_client();
    send_text(POST);
    assert_ptr_not_equal(f.loop.snapshot, before);
    assert_ptr_equal(f.loop.retired, before); /* two exchanges still read it */
    for (int i = 0; i < 3; i++)
        work(i);
    turn(5);
    assert_null(f.loop.retired);
}

/* --- what is told, in any dialect; and what is kept of it */

#define NAME_60 "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn"

/* The largest refusal that a legal profile can ask for: each field is the sentence. */
static void write_largest_dialect(char *folder, char *path)
{
    assert_non_null(mkdtemp(folder));
    snprintf(path, 64, "%s/default.json", folder);
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    fputs("{\"reply\":{\"refusal\":[", file);
    for (int i = 0; i < PROFILE_PAIRS_MAX; i++)
        fprintf(file, "%s{\"name\":\"" NAME_60 "%04d\",\"value\":\"error\"}", i == 0 ? "" : ",", i);
    fputs("]}}", file);
    assert_int_equal(fclose(file), 0);
}

static void handle_refusal(struct exchange *exchange)
{
    char sentence[256 + 1];
    memset(sentence, '\1', sizeof(sentence) - 1);
    sentence[sizeof(sentence) - 1] = '\0';
    exchange_refuse(exchange, 400, "bad_request", sentence);
}

static void the_largest_refusal_of_a_legal_dialect_is_whole(void **state)
{
    (void)state;
    char folder[] = "/tmp/counterpart-exchange-XXXXXX", path[64];
    write_largest_dialect(folder, path);
    profiles_destroy(f.handlers.profiles);
    assert_int_equal(profiles_create(folder, &f.handlers.profiles), 0);
    assert_int_equal(unlink(path) + rmdir(folder), 0);
    f.handle = handle_refusal;
    send_text(POST);
    assert_non_null(strstr(answer(), "HTTP/1.1 400 "));
    assert_int_equal(count(f.answer, NAME_60), PROFILE_PAIRS_MAX);
    assert_int_equal(count(f.answer, "\\u0001"), PROFILE_PAIRS_MAX * 256);
    assert_int_equal(f.answer[f.answer_length - 1], '}');
}

/* Stands before libcrypto's: which of the bytes we watch were wiped? */
static const char *watched;
static size_t watched_size, wiped_size, wiped_in_all;
void OPENSSL_cleanse(void *bytes, size_t size);
void OPENSSL_cleanse(void *bytes, size_t size)
{
    volatile char *at = bytes;
    for (size_t i = 0; i < size; i++) {
        at[i] = 0;
        if ((uintptr_t)bytes + i - (uintptr_t)watched < watched_size)
            wiped_size++;
    }
    wiped_in_all += size;
}

static void watch(const void *bytes, size_t size)
{
    watched = bytes;
    watched_size = size;
    wiped_size = wiped_in_all = 0;
}

static void handle_extra(struct exchange *exchange)
{
    struct job *job = exchange_job(exchange, 40);
    job->task = task_nothing;
    exchange_submit_write(exchange, job, on_done);
}

static void a_job_that_came_home_is_wiped(void **state)
{
    (void)state;
    f.handle = handle_command;
    send_text(POST);
    watch(&kept[0]->command, sizeof(kept[0]->command));
    work(0);
    turn(5);
    assert_int_equal(f.done_calls, 1);
    assert_int_equal(wiped_size, watched_size);
    f.handle = handle_extra; /* and what a task carries, such as a new signature token */
    connect_client();
    send_text(POST);
    watch(kept[1] + 1, 40);
    work(1);
    turn(5);
    assert_int_equal(wiped_size, watched_size);
}

static void a_job_that_no_queue_took_is_wiped(void **state)
{
    (void)state;
    f.handle = handle_extra;
    submit_error = ERR_QUEUE_FULL;
    watch(NULL, 0);
    send_text(POST);
    assert_true(wiped_in_all >= sizeof(struct job) + 40);
}

/* --- waiting their turn */

static void handle_wait(struct exchange *exchange)
{
    if (f.turns++ > 0 && f.is_forgetful)
        return;
    if (f.received_us != 0)
        exchange->received_monotonic_us = f.received_us;
    if (f.is_free) {
        handle_at_once(exchange);
    } else if (!exchange_wait(exchange, handle_wait)) {
        f.refused_waits++;
        handle_at_once(exchange);
    }
}

static void who_waits_is_called_when_woken(void **state)
{
    (void)state;
    f.handle = handle_wait;
    send_text(POST);
    assert_string_equal(answer(), "");
    f.is_free = true;
    exchange_wake(&f.loop);
    (void)exchange_loop_tend(&f.loop);
    assert_int_equal(f.loop.waiting_count, 0);
    assert_non_null(strstr(answer(), "{\"at\":\"once\"}"));
}

static void who_waits_is_called_without_being_woken_too(void **state)
{
    (void)state;
    f.handle = handle_wait;
    send_text(POST);
    int turns = f.turns;
    f.is_free = true;
    assert_true(exchange_loop_tend(&f.loop) <= 10);
    usleep(11000);
    (void)exchange_loop_tend(&f.loop);
    assert_int_equal(f.turns, turns + 1);
    assert_non_null(strstr(answer(), "{\"at\":\"once\"}"));
    assert_true(exchange_loop_tend(&f.loop) > 10);
}

static void who_waits_is_called_no_more_often_than_that(void **state)
{
    (void)state;
    f.handle = handle_wait;
    send_text(POST);
    f.turns = 0;
    f.loop.waiting_next_us = clock_monotonic_us() + 60 * CLOCK_US_PER_S;
    turn(5);
    assert_int_equal(f.turns, 0);
    f.is_free = true;
    exchange_wake(&f.loop);
    turn(1);
    assert_int_equal(f.turns, 1);
}

static void a_turn_that_is_not_used_is_a_bug_told_in_json(void **state)
{
    (void)state;
    f.handle = handle_wait;
    f.is_forgetful = true;
    send_text(POST);
    exchange_wake(&f.loop);
    assert_non_null(strstr(answer(), "HTTP/1.1 500 "));
    assert_non_null(strstr(f.answer, "\"code\":\"bug\""));
}

static void nobody_waits_beyond_the_deadline(void **state)
{
    (void)state;
    f.handle = handle_wait;
    send_text(POST);
    assert_int_equal(f.refused_waits, 0);
    f.received_us = clock_monotonic_us() - JOB_DEADLINE_US + JOB_RESERVE_US;
    exchange_wake(&f.loop);
    (void)exchange_loop_tend(&f.loop);
    assert_int_equal(f.refused_waits, 1);
    assert_int_equal(f.loop.waiting_count, 0);
    assert_non_null(strstr(answer(), "{\"at\":\"once\"}"));
}

static void a_register_is_answered_by_its_tenants_deadline(void **state)
{
    (void)state;
    struct directory_tenant tenant = {.tenant = {.deadline_us = 1500000}};
    struct exchange exchange = {.received_monotonic_us = 70};
    assert_int_equal(exchange_deadline_us(&exchange), 70 + JOB_DEADLINE_US);
    exchange.tenant = &tenant;
    assert_int_equal(exchange_deadline_us(&exchange), 70 + 1500000);
}

static void the_waiting_are_bounded(void **state)
{
    (void)state;
    f.handle = handle_wait;
    f.loop.waiting_count = 511;
    send_text(POST);
    assert_int_equal(f.refused_waits, 0);
    connect_client();
    send_text(POST);
    assert_int_equal(f.refused_waits, 1);
    assert_non_null(strstr(answer(), "{\"at\":\"once\"}"));
    f.loop.waiting_count -= 511;
    f.is_free = true;
    exchange_wake(&f.loop);
    turn(5);
    assert_int_equal(f.loop.waiting_count, 0);
}

/* --- jobs that nobody waits for any more */

static void a_job_that_is_waited_for_is_not_told_to_have_been_left(void **state)
{
    (void)state;
    f.handle = handle_watched;
    send_text(POST);
    work(0);
    assert_non_null(strstr(answer(), "{\"done\":true}"));
    assert_int_equal(f.done_calls, 1);
    assert_int_equal(f.left_calls, 0);
}

static void a_job_that_ends_after_its_deadline_is_told_to_have_been_left(void **state)
{
    (void)state;
    f.handle = handle_watched;
    f.deadline_us = clock_monotonic_us() + A_WHILE_US;
    send_text(POST);
    assert_true(job_move(kept[0], JOB_QUEUED, JOB_TAKEN));
    usleep(A_WHILE_US + 10000);
    assert_non_null(strstr(answer(), "{\"done\":true}"));
    assert_int_equal(f.done_error, ERR_UNCONFIRMED);
    assert_int_equal(f.left_calls, 0);
    kept[0]->outcome.operation_id = 42;
    assert_true(job_move(kept[0], JOB_TAKEN, JOB_DONE));
    kept[0]->give_back(kept[0]);
    turn(5);
    assert_int_equal(f.done_calls, 1);
    assert_int_equal(f.left_calls, 1);
    assert_int_equal(f.left_error, 0);
    assert_int_equal(f.left_operation, 42);
}

static void a_task_that_no_request_waits_for_tells_how_it_ended(void **state)
{
    (void)state;
    struct job *job = exchange_loop_job(&f.loop, 8);
    job->task = task_nothing;
    assert_int_equal(exchange_loop_write(&f.loop, job, on_left), 0);
    assert_int_equal(f.loop.jobs_away, 1);
    work(0);
    turn(5);
    assert_int_equal(f.loop.jobs_away, 0);
    assert_int_equal(f.left_calls, 1);
    assert_int_equal(f.left_operation, 42);
    submit_error = ERR_QUEUE_FULL;
    job = exchange_loop_job(&f.loop, 8);
    job->task = task_nothing;
    assert_int_equal(exchange_loop_write(&f.loop, job, on_left), ERR_QUEUE_FULL);
    assert_int_equal(f.loop.jobs_away, 0);
    assert_int_equal(f.left_calls, 1);
}

static void a_client_that_has_closed_is_gone_and_one_that_waits_is_not(void **state)
{
    (void)state;
    f.handle = handle_peek;
    send_text(POST);
    work(0);
    assert_non_null(strstr(answer(), "{\"done\":true}"));
    assert_false(f.is_client_gone);
    send_text(POST);
    send_text(POST); /* and the next request is no end */
    work(1);
    turn(5);
    assert_false(f.is_client_gone);
    work(2);
    turn(5);
    signal(SIGPIPE, SIG_IGN); /* as service/serve.c */
    send_text(POST);
    close(f.client);
    f.client_count--;
    work(3);
    turn(5);
    assert_true(f.is_client_gone);
    assert_int_equal(f.done_calls, 4);
}

/* --- HTTP/2: requests that die */

/* SETTINGS without entries; HEADERS of stream 1: GET http / with authority a; RST_STREAM of it. */
static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
static const uint8_t settings[] = {0, 0, 0, 4, 0, 0, 0, 0, 0};
static const uint8_t headers[] = {0, 0, 6, 1, 5, 0, 0, 0, 1, 0x82, 0x86, 0x84, 0x41, 0x01, 'a'};
static const uint8_t reset[] = {0, 0, 4, 3, 0, 0, 0, 0, 1, 0, 0, 0, 8};

static void open_http2(void)
{
    f.globalconf.http1.upgrade_to_http2 = 1;
    send_bytes(preface, sizeof(preface) - 1);
    send_bytes(settings, sizeof(settings));
    send_bytes(headers, sizeof(headers));
}

static void a_request_that_was_reset_is_not_told_and_its_job_comes_home(void **state)
{
    (void)state;
    f.handle = handle_command;
    open_http2();
    assert_int_equal(kept_count, 1);
    assert_int_equal(f.loop.unanswered, 1);
    send_bytes(reset, sizeof(reset));
    turn(5);
    assert_int_equal(f.loop.unanswered, 0);
    assert_int_equal(f.loop.jobs_away, 1);
    work(0);
    turn(5);
    assert_int_equal(f.done_calls, 0);
    assert_int_equal(f.loop.jobs_away, 0);
}

static void a_job_whose_request_was_reset_is_told_to_have_been_left(void **state)
{
    (void)state;
    f.handle = handle_watched;
    open_http2();
    send_bytes(reset, sizeof(reset));
    turn(5);
    assert_int_equal(f.left_calls, 0);
    work(0);
    turn(5);
    assert_int_equal(f.done_calls, 0);
    assert_int_equal(f.left_calls, 1);
    assert_int_equal(f.left_operation, 42);
}

static void a_dead_requests_queued_job_is_still_cancelled_at_its_deadline(void **state)
{
    (void)state;
    f.handle = handle_command;
    f.deadline_us = clock_monotonic_us() + 200000;
    open_http2();
    send_bytes(reset, sizeof(reset));
    usleep(210000);
    turn(5);
    assert_int_equal(f.done_calls, 0);
    assert_false(job_move(kept[0], JOB_QUEUED, JOB_TAKEN));
    kept[0]->give_back(kept[0]);
    turn(5);
    assert_int_equal(f.loop.jobs_away, 0);
}

static void a_request_that_was_reset_waits_no_more(void **state)
{
    (void)state;
    f.handle = handle_wait;
    open_http2();
    assert_int_equal(f.loop.waiting_count, 1);
    assert_int_equal(f.loop.unanswered, 1);
    send_bytes(reset, sizeof(reset));
    turn(5);
    assert_int_equal(f.loop.waiting_count, 0);
    assert_int_equal(f.loop.unanswered, 0);
    f.turns = 0;
    exchange_wake(&f.loop);
    turn(5);
    assert_int_equal(f.turns, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

/* libh2o keeps freed memory for reuse and forgets its message queues. */
const char *__lsan_default_options(void);
const char *__lsan_default_options(void)
{
    return "print_suppressions=0";
}
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:h2o_mem_alloc_recycle\nleak:h2o_multithread_create_queue\n";
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_answer_comes_after_the_job),
        TEST(a_job_of_the_outbound_thread_comes_home_like_any_other),
        TEST(a_full_outbound_mailbox_is_told_at_once),
        TEST(an_answer_carries_its_headers),
        TEST(a_head_request_gets_the_length_and_no_body),
        TEST(a_second_answer_is_swallowed),
        TEST(a_full_queue_is_told_at_once_with_retry_after),
        TEST(a_job_that_is_waited_for_is_not_told_to_have_been_left),
        TEST(a_job_that_ends_after_its_deadline_is_told_to_have_been_left),
        TEST(a_task_that_no_request_waits_for_tells_how_it_ended),
        TEST(a_client_that_has_closed_is_gone_and_one_that_waits_is_not),
        TEST(a_job_whose_request_was_reset_is_told_to_have_been_left),
        TEST(a_queued_job_past_its_deadline_is_cancelled_and_cannot_run_later),
        TEST(a_taken_job_past_its_deadline_is_unconfirmed_never_not_done),
        TEST(a_job_that_ended_just_before_its_deadline_is_told_as_it_ended),
        TEST(jobs_can_follow_each_other),
        TEST(the_sooner_deadline_ends_first_even_when_it_came_later),
        TEST(a_handler_that_forgets_to_answer_is_a_bug_told_in_json),
        TEST(a_draining_service_closes_after_its_answer),
        TEST(libh2os_own_errors_are_json),
        TEST(a_snapshot_is_replaced_when_the_directory_has_moved),
        TEST(the_largest_refusal_of_a_legal_dialect_is_whole),
        TEST(a_job_that_came_home_is_wiped),
        TEST(a_job_that_no_queue_took_is_wiped),
        TEST(who_waits_is_called_when_woken),
        TEST(who_waits_is_called_without_being_woken_too),
        TEST(who_waits_is_called_no_more_often_than_that),
        TEST(a_turn_that_is_not_used_is_a_bug_told_in_json),
        TEST(nobody_waits_beyond_the_deadline),
        TEST(a_register_is_answered_by_its_tenants_deadline),
        TEST(the_waiting_are_bounded),
        TEST(a_request_that_was_reset_waits_no_more),
        TEST(a_request_that_was_reset_is_not_told_and_its_job_comes_home),
        TEST(a_dead_requests_queued_job_is_still_cancelled_at_its_deadline),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
