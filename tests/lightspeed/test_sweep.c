/*
 * What the inbox does without being told by a webhook: sweeps, the marks that a read order leaves,
 * and notices to the register's screen. Real threads, a real store, the fake cloud.
 */
#include "base/clock.h"
#include "base/error.h"
#include "lightspeed/inbox.h"
#include "runtime/errand.h"
#include "store/proof.h"
#include "tests/support/connected.h"
#include "tests/support/fake_cloud.h"

#include <inttypes.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/banned.h"

#define PATIENCE_US (INT64_C(20) * CLOCK_US_PER_S)
#define HOUR_US (INT64_C(3600) * CLOCK_US_PER_S)
#define MINUTE_US (INT64_C(60) * CLOCK_US_PER_S)
#define DATE 20000
#define SEEDED 2 /* open orders that the cloud begins with */

static struct connected f;
static struct fake_cloud cloud;
static struct store *look; /* a reader of the test's own */
static int64_t told;       /* tells works apart */

static int setup(void **state)
{
    (void)state;
    char path[96];
    fake_cloud_start(&cloud, 1);
    fake_cloud_connect(&cloud);
    connected_start(&f, &(struct connected_config){.api_url = cloud.api_url,
                                                   .token_url = cloud.token_url,
                                                   .access_token = cloud.access_token,
                                                   .refresh_token = cloud.refresh_token,
                                                   .client_id = FAKE_CLIENT,
                                                   .client_secret = FAKE_SECRET});
    snprintf(path, sizeof(path), "%s/store", f.folder);
    const struct store_config store = {.location = path, .seal = f.seal};
    assert_int_equal(store_open(&store, STORE_READER, &look), 0);
    const struct inbox_config config = {.outbound = f.outbound,
                                        .committer = f.committer,
                                        .reader = f.reader,
                                        .directory = f.directory,
                                        .api = f.api,
                                        .public_url = "http://127.0.0.1:9",
                                        .generation = 1,
                                        .times = RECONCILE_TIMES};
    assert_int_equal(inbox_create(&config, &f.inbox), 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    store_close(look);
    connected_stop(&f);
    fake_cloud_stop(&cloud);
    return 0;
}

/* --- writing rows, on the committer's thread --- */

static struct writing {
    job_task_fn task; /* NULL: a command */
    const void *data;
    size_t size;
    struct command command;
    struct outcome outcome;
    sem_t is_done;
} writing;

static void on_written(struct errand *errand)
{
    assert_int_equal(errand->job.error, 0);
    writing.outcome = errand->job.outcome;
    sem_post(&writing.is_done);
}

static void write_now(void *context)
{
    (void)context;
    struct errand *errand = errand_create(f.outbound, writing.size);
    assert_non_null(errand);
    if (writing.task == NULL) {
        errand->job.command = writing.command;
        errand_command(errand, f.committer, on_written, NULL);
        return;
    }
    memcpy(errand_data(errand), writing.data, writing.size);
    errand_write(errand, f.committer, writing.task, on_written, NULL);
}

static void write_and_wait(void)
{
    assert_int_equal(sem_init(&writing.is_done, 0, 0), 0);
    connected_run(&f, write_now, NULL);
    while (sem_wait(&writing.is_done) != 0)
        continue;
    sem_destroy(&writing.is_done);
}

static void write_rows(job_task_fn task, const void *data, size_t size)
{
    writing = (struct writing){.task = task, .data = data, .size = size};
    write_and_wait();
}

static struct outcome run(enum action action, int64_t order_id, int64_t asked_minor,
                          int64_t answers)
{
    writing = (struct writing){.command = {.action = action,
                                           .tenant_id = f.tenant_id,
                                           .order_id = order_id,
                                           .asked_minor = asked_minor,
                                           .answers_operation_id = answers,
                                           .local_date = DATE,
                                           .received_at_us = clock_steady_us(),
                                           .new_card = {.last4 = "1234",
                                                        .status = CARD_ACTIVE,
                                                        .number_sealed_size = 1,
                                                        .key_version = 1}}};
    write_and_wait();
    assert_int_equal(writing.outcome.result, RESULT_OK);
    return writing.outcome;
}

static int task_add_work(struct job *job, struct store *store)
{
    return store_add_work(store, errand_data_of(job));
}

static void add_work_of(int64_t tenant_id, enum work_kind kind, int64_t subject_id, int64_t in_us)
{
    struct work work = work_make(tenant_id, kind, subject_id, ++told, clock_steady_us());
    work.due_at_us += in_us;
    write_rows(task_add_work, &work, sizeof(work));
    inbox_wake(f.inbox);
}

static void add_work(enum work_kind kind, int64_t subject_id)
{
    add_work_of(f.tenant_id, kind, subject_id, 0);
}

/* --- looking --- */

struct count {
    enum work_kind kind;
    int64_t subject_id; /* 0: any */
    int open;
    struct work last;
};

static void on_work(void *context, const struct work *work)
{
    struct count *count = context;
    if (work->kind != count->kind || work->state != WORK_OPEN ||
        (count->subject_id != 0 && work->subject_id != count->subject_id))
        return;
    count->open++;
    count->last = *work;
}

static struct count open_work(int64_t tenant_id, enum work_kind kind, int64_t subject_id)
{
    struct count count = {.kind = kind, .subject_id = subject_id};
    assert_int_equal(store_each_work(look, tenant_id, 500, on_work, &count), 0);
    return count;
}

static void wait_a_little(int64_t *until_us, const char *what)
{
    if (*until_us == 0)
        *until_us = clock_monotonic_us() + PATIENCE_US;
    if (clock_monotonic_us() > *until_us)
        fail_msg("waited in vain for %s", what);
    usleep(5000);
}

static struct sweep await_sweep(int64_t after_us)
{
    struct sweep sweep;
    int64_t until_us = 0;
    for (;;) {
        assert_int_equal(store_read_sweep(look, f.tenant_id, &sweep), 0);
        if (sweep.finished_at_us > after_us)
            return sweep;
        wait_a_little(&until_us, "the sweep");
    }
}

static struct sweep sweep(void)
{
    int64_t now_us = clock_steady_us();
    add_work(WORK_SWEEP, f.tenant_id);
    return await_sweep(now_us);
}

static struct order_seen await_seen(int64_t order_id)
{
    struct order_seen seen;
    int64_t until_us = 0;
    while (store_read_order_seen(look, f.tenant_id, order_id, &seen) != 0)
        wait_a_little(&until_us, "the order to be read");
    return seen;
}

static void await_done(enum work_kind kind, int64_t subject_id)
{
    int64_t until_us = 0;
    while (open_work(f.tenant_id, kind, subject_id).open > 0)
        wait_a_little(&until_us, work_kind_name(kind));
}

/* --- the cloud's side --- */

static const char *control(const char *method, const char *path, const char *body)
{
    return fake_cloud_control(&cloud, method, path, body);
}

static int64_t make_order(void)
{
    return fake_cloud_number(control("POST", "/orders", "{\"lines\":[{\"product_id\":7308}]}"),
                             "id");
}

static int64_t change_order(int64_t order_id, const char *how, const char *body)
{
    char path[64];
    snprintf(path, sizeof(path), "/orders/%" PRId64 "/%s", order_id, how);
    control("POST", path, body);
    return order_id;
}

static int count_in(const char *text, const char *what)
{
    int count = 0;
    for (; (text = strstr(text, what)) != NULL; text++)
        count++;
    return count;
}

static int reads_of(int64_t order_id)
{
    char path[96];
    snprintf(path, sizeof(path), "\"path\":\"/v1/companies/5678/orders/%" PRId64, order_id);
    return count_in(control("GET", "/requests", NULL), path);
}

/* --- proofs --- */

struct proof_task {
    struct proof proof;
    int64_t changed_before_us;
};

static int task_add_proof(struct job *job, struct store *store)
{
    const struct proof_task *task = errand_data_of(job);
    int64_t cursor;
    int err = store_read_proof_cursor(store, &cursor);
    if (err != 0)
        return err;
    return store_add_proofs(store, cursor, task->proof.operation_id, &task->proof, 1,
                            clock_steady_us());
}

static int task_update_proof(struct job *job, struct store *store)
{
    const struct proof_task *task = errand_data_of(job);
    return store_update_proof(store, &task->proof, task->changed_before_us);
}

static struct proof_task add_proof(const struct outcome *charge)
{
    struct operation operation;
    assert_int_equal(store_read_operation(look, charge->operation_id, &operation), 0);
    struct proof_task task = {.proof = proof_make(&operation, DATE, clock_steady_us())};
    write_rows(task_add_proof, &task, sizeof(task));
    return task;
}

/* --- sweeps --- */

static int task_put_seen(struct job *job, struct store *store)
{
    return store_put_order_seen(store, errand_data_of(job));
}

/* As if it had been read when it had rested: so long after its last change. */
static void read_later(int64_t order_id, int64_t later_us)
{
    struct order_seen seen = await_seen(order_id);
    int64_t updated_us;
    assert_int_equal(clock_parse_time(text_of(seen.updated_at), &updated_us), 0);
    seen.read_at_us = updated_us + later_us;
    write_rows(task_put_seen, &seen, sizeof(seen));
}

static void a_sweep_looks_at_every_order_that_nobody_has_read(void **state)
{
    (void)state;
    enum { SALES = 30 };
    int64_t open = make_order();
    int64_t deleted = change_order(make_order(), "delete", "{}");
    for (int i = 0; i < SALES; i++)
        change_order(make_order(), "complete", "{}");
    struct sweep first = sweep();
    assert_int_equal(first.listed, SALES + 2 + SEEDED);
    assert_int_equal(first.missed, SALES + 1);
    assert_true(first.begun_at_us <= first.finished_at_us);
    /* One after the other, so that webhooks come in between. */
    struct count waiting = open_work(f.tenant_id, WORK_ORDER_CHANGED, 0);
    assert_in_range(waiting.open, SALES / 2, SALES + 1);
    assert_int_equal(open_work(f.tenant_id, WORK_ORDER_CHANGED, open).open, 0);
    assert_int_equal(open_work(f.tenant_id, WORK_ORDER_CHANGED, deleted).open, 1);
    /* Asked again before they were read: the same work, and no more of it. */
    struct sweep second = sweep();
    assert_int_equal(second.listed, SALES + 2 + SEEDED);
    assert_in_range(second.missed, SALES / 2, SALES + 1);
    assert_in_range(open_work(f.tenant_id, WORK_ORDER_CHANGED, 0).open, SALES / 3, SALES + 1);
}

static void what_was_read_is_looked_at_again_only_when_it_has_changed(void **state)
{
    (void)state;
    int64_t order_id = change_order(make_order(), "complete", "{}");
    int64_t other_id = change_order(make_order(), "complete", "{}");
    assert_int_equal(sweep().missed, 2);
    struct order_seen seen = await_seen(order_id);
    assert_true(seen.is_closed);
    assert_int_equal(seen.site_id, 923);
    await_done(WORK_ORDER_CHANGED, 0);
    read_later(order_id, MINUTE_US);
    read_later(other_id, MINUTE_US);
    struct sweep again = sweep();
    assert_int_equal(again.listed, 2 + SEEDED);
    assert_int_equal(again.missed, 0);
    assert_int_equal(reads_of(order_id), 1);
    sleep(1); /* the API tells seconds */
    change_order(change_order(order_id, "reopen", "{}"), "complete", "{}");
    assert_int_equal(sweep().missed, 1);
    await_done(WORK_ORDER_CHANGED, 0);
    assert_int_equal(reads_of(order_id), 2);
    assert_int_equal(reads_of(other_id), 1);
}

/* The API tells seconds. */
static void what_changes_in_the_second_in_which_it_was_read_is_looked_at_again(void **state)
{
    (void)state;
    int64_t order_id = change_order(make_order(), "complete", "{}");
    assert_int_equal(sweep().missed, 1);
    await_done(WORK_ORDER_CHANGED, 0);
    read_later(order_id, 0);
    assert_int_equal(sweep().missed, 1);
    await_done(WORK_ORDER_CHANGED, 0);
    assert_int_equal(reads_of(order_id), 2);
    read_later(order_id, MINUTE_US);
    assert_int_equal(sweep().missed, 0);
}

static void what_was_open_when_it_was_read_and_has_ended_is_looked_at_again(void **state)
{
    (void)state;
    int64_t order_id =
        change_order(make_order(), "payments", "{\"method\":\"Cash\",\"amount\":10}");
    assert_int_equal(sweep().missed, 1);
    await_done(WORK_ORDER_CHANGED, 0);
    change_order(order_id, "delete", "{}");
    assert_int_equal(sweep().missed, 1);
    await_done(WORK_ORDER_CHANGED, 0);
    struct order_seen seen = await_seen(order_id);
    assert_true(seen.is_closed);
    seen.is_closed = false; /* both in one second, and at rest */
    write_rows(task_put_seen, &seen, sizeof(seen));
    read_later(order_id, MINUTE_US);
    assert_int_equal(sweep().missed, 1);
    await_done(WORK_ORDER_CHANGED, 0);
    assert_true(await_seen(order_id).is_closed);
}

/* A bill may have been merged into it. Its points wait for its end. */
static void an_open_order_is_read_when_it_has_money_and_once(void **state)
{
    (void)state;
    int64_t empty = make_order();
    int64_t paid = change_order(make_order(), "payments", "{\"method\":\"Cash\",\"amount\":10}");
    struct sweep first = sweep();
    assert_int_equal(first.listed, 2 + SEEDED);
    assert_int_equal(first.missed, 1);
    assert_false(await_seen(paid).is_closed);
    await_done(WORK_ORDER_CHANGED, 0);
    read_later(paid, MINUTE_US);
    assert_int_equal(sweep().missed, 0);
    assert_int_equal(reads_of(paid), 1);
    assert_int_equal(reads_of(empty), 0);
    sleep(1); /* the API tells seconds */
    change_order(paid, "complete", "{}");
    assert_int_equal(sweep().missed, 1);
    await_done(WORK_ORDER_CHANGED, 0);
    assert_true(await_seen(paid).is_closed);
}

/* Its proof was read of it, and nothing else was done. */
static void an_order_whose_money_was_proved_has_its_webhook_made_up_for_too(void **state)
{
    (void)state;
    int64_t order_id = make_order();
    run(ACTION_ISSUE, 0, 5000, 0);
    struct outcome charge = run(ACTION_CHARGE, order_id, 2550, 0);
    change_order(order_id, "payments", "{\"method\":\"Our Gift Card\",\"amount\":25.5}");
    change_order(order_id, "complete", "{}");
    (void)add_proof(&charge);
    inbox_wake(f.inbox);
    int64_t until_us = 0;
    while (reads_of(order_id) == 0)
        wait_a_little(&until_us, "its proof");
    await_done(WORK_PROVE_ORDER, order_id);
    assert_int_equal(sweep().missed, 1);
    (void)await_seen(order_id);
}

static void a_page_that_fails_is_asked_for_again(void **state)
{
    (void)state;
    change_order(make_order(), "complete", "{}");
    control("POST", "/faults",
            "{\"match\":{\"path\":\"/orders?\"},\"action\":\"status\",\"status\":503,"
            "\"count\":1}");
    assert_int_equal(sweep().listed, 1 + SEEDED);
}

static void a_sweep_goes_on_where_webhooks_may_have_been_lost(void **state)
{
    (void)state;
    assert_int_equal(sweep().listed, SEEDED);
    const char *requests = control("GET", "/requests", NULL);
    assert_int_equal(count_in(requests, "/orders?created_gte="), 1);
    assert_int_equal(count_in(requests, "/orders/pending?created_gte="), 1);
    assert_int_equal(count_in(requests, "/orders/deleted?created_gte="), 1);
    char before[40], bytes[80];
    struct text_buffer day;
    text_buffer_init(&day, before, sizeof(before));
    clock_append_date(&day, (int32_t)((clock_wall_us() - 3 * 24 * HOUR_US) / (24 * HOUR_US)));
    snprintf(bytes, sizeof(bytes), "/orders?created_gte=%s", before);
    assert_int_equal(count_in(requests, bytes), 1);
    (void)sweep();
    text_buffer_init(&day, before, sizeof(before));
    clock_append_date(&day, (int32_t)((clock_wall_us() - 24 * HOUR_US) / (24 * HOUR_US)));
    snprintf(bytes, sizeof(bytes), "/orders?created_gte=%s", before);
    assert_int_equal(count_in(control("GET", "/requests", NULL), bytes), 1);
}

/* An order that nobody can read, and a charge on it that it did not show when somebody could. */
static void miss_charge(int64_t order_id)
{
    run(ACTION_ISSUE, 0, 5000, 0);
    struct outcome charge = run(ACTION_CHARGE, order_id, 100, 0);
    struct proof_task task = add_proof(&charge);
    struct proof_facts facts;
    int64_t until_us = 0;
    inbox_wake(f.inbox);
    while (open_work(f.tenant_id, WORK_PROVE_ORDER, order_id).last.reason[0] == '\0')
        wait_a_little(&until_us, "its proof to be looked at");
    assert_int_equal(store_read_proof(look, charge.operation_id, &facts), 0);
    task.proof = facts.proof;
    task.proof.missing_since_us = facts.proof.created_at_us;
    task.proof.changed_at_us = facts.proof.changed_at_us + 1;
    task.changed_before_us = facts.proof.changed_at_us;
    write_rows(task_update_proof, &task, sizeof(task));
}

static void what_waits_for_a_sweep_is_due_after_it(void **state)
{
    (void)state;
    miss_charge(42);
    add_work_of(f.tenant_id, WORK_ORDER_CHANGED, 43, HOUR_US);
    add_work_of(f.lonely_id, WORK_PROVE_ORDER, 44, HOUR_US);
    add_work_of(f.tenant_id, WORK_PROVE_ORDER, 45, HOUR_US);
    int64_t openings = open_work(f.tenant_id, WORK_PROVE_ORDER, 42).last.openings;
    int64_t until_us = 0;
    struct sweep done = sweep();
    while (open_work(f.tenant_id, WORK_PROVE_ORDER, 42).last.openings == openings)
        wait_a_little(&until_us, "the proof to be due");
    assert_true(open_work(f.tenant_id, WORK_ORDER_CHANGED, 43).last.due_at_us >
                done.finished_at_us + HOUR_US / 2);
    assert_true(open_work(f.lonely_id, WORK_PROVE_ORDER, 44).last.due_at_us >
                done.finished_at_us + HOUR_US / 2);
    assert_true(open_work(f.tenant_id, WORK_PROVE_ORDER, 45).last.due_at_us >
                done.finished_at_us + HOUR_US / 2);
}

static void a_merchant_who_is_not_connected_is_waited_for(void **state)
{
    (void)state;
    int64_t until_us = 0;
    add_work_of(f.lonely_id, WORK_SWEEP, f.lonely_id, 0);
    while (open_work(f.lonely_id, WORK_SWEEP, 0).last.reason[0] == '\0')
        wait_a_little(&until_us, "the sweep to be tried");
    assert_non_null(strstr(open_work(f.lonely_id, WORK_SWEEP, 0).last.reason, "connected"));
    struct sweep none;
    assert_int_equal(store_read_sweep(look, f.lonely_id, &none), 0);
    assert_int_equal(none.finished_at_us, 0);
}

/* --- what a read order leaves --- */

static void read_order(int64_t order_id)
{
    add_work(WORK_ORDER_CHANGED, order_id);
    (void)await_seen(order_id);
    await_done(WORK_ORDER_CHANGED, order_id); /* it is complete: read once */
}

static void await_reads(int64_t order_id, int reads)
{
    int64_t until_us = 0;
    while (reads_of(order_id) < reads)
        wait_a_little(&until_us, "its proof to be looked at");
}

static void an_order_with_money_of_ours_is_proved_when_it_was_read(void **state)
{
    (void)state;
    int64_t theirs = change_order(make_order(), "payments", "{\"method\":\"Cash\",\"amount\":10}");
    int64_t by_method =
        change_order(make_order(), "payments", "{\"method\":\"Our Gift Card\",\"amount\":10}");
    int64_t by_ref = change_order(make_order(), "payments",
                                  "{\"method\":\"Cash\",\"amount\":10,\"ref\":\"CP1-42\"}");
    const int64_t orders[] = {theirs, by_method, by_ref};
    for (int i = 0; i < 3; i++)
        read_order(change_order(orders[i], "complete", "{}"));
    await_reads(by_ref, 2);
    assert_int_equal(reads_of(theirs), 1);
    assert_int_equal(reads_of(by_method), 1); /* nobody has told that it is ours */
    assert_true(await_seen(theirs).is_closed);
}

static void an_order_that_has_proofs_is_proved_when_it_was_read(void **state)
{
    (void)state;
    int64_t order_id = make_order();
    run(ACTION_ISSUE, 0, 5000, 0);
    struct outcome charge = run(ACTION_CHARGE, order_id, 2550, 0);
    (void)add_proof(&charge);
    inbox_wake(f.inbox);
    await_reads(order_id, 1);
    int64_t until_us = 0; /* the order is open: that is looked at again in a minute */
    while (open_work(f.tenant_id, WORK_PROVE_ORDER, order_id).last.reason[0] == '\0')
        wait_a_little(&until_us, "its proof to be looked at");
    read_order(change_order(order_id, "complete", "{}"));
    await_reads(order_id, 3);
}

/* --- notices --- */

static int64_t reversed_charge(int64_t order_id, int64_t amount_minor)
{
    struct outcome charge = run(ACTION_CHARGE, order_id, amount_minor, 0);
    struct proof_task task = add_proof(&charge);
    run(ACTION_REVERSE, order_id, 0, charge.operation_id);
    struct proof_facts facts;
    assert_int_equal(store_read_proof(look, charge.operation_id, &facts), 0);
    task.proof = facts.proof;
    task.changed_before_us = facts.proof.changed_at_us;
    task.proof.state = PROOF_REVERSED;
    task.proof.reason = PROOF_REASON_NONE;
    task.proof.changed_at_us = facts.proof.changed_at_us + 1;
    write_rows(task_update_proof, &task, sizeof(task));
    return charge.operation_id;
}

static int notices_of(int64_t order_id, const char *message)
{
    char path[64];
    snprintf(path, sizeof(path), "/orders/%" PRId64 "/notifications", order_id);
    return count_in(control("GET", path, NULL), message);
}

static void notify(int64_t operation_id)
{
    add_work(WORK_NOTIFY, operation_id);
    await_done(WORK_NOTIFY, operation_id);
}

static void on_given_up(void *context, const struct work *work)
{
    *(int *)context += work->kind == WORK_NOTIFY && work->state == WORK_GIVEN_UP;
}

static void assert_no_notice_was_given_up(void)
{
    int given_up = 0;
    assert_int_equal(store_each_work(look, f.tenant_id, 500, on_given_up, &given_up), 0);
    assert_int_equal(given_up, 0);
}

static void the_screen_shows_what_was_given_back_once(void **state)
{
    (void)state;
    int64_t order_id = make_order();
    run(ACTION_ISSUE, 0, 10000, 0);
    int64_t operation_id = reversed_charge(order_id, 2550);
    for (int i = 0; i < 3; i++)
        notify(operation_id);
    assert_int_equal(notices_of(order_id, "\"message\":"), 1);
    assert_int_equal(notices_of(order_id, "Gift card ...1234: $25.50 given back, this sale does "
                                          "not show its payment"),
                     1);
    assert_int_equal(notices_of(order_id, "\"broadcast_level\":\"now\""), 1);
    for (int i = 0; i < 3; i++)
        notify(reversed_charge(order_id, 100 + i));
    assert_int_equal(notices_of(order_id, "\"message\":"), 3);
    notify(4711); /* of no operation */
    assert_no_notice_was_given_up();
}

static void a_notice_that_is_refused_or_too_late_is_left_out(void **state)
{
    (void)state;
    int64_t order_id = make_order();
    run(ACTION_ISSUE, 0, 10000, 0);
    int64_t operation_id = reversed_charge(order_id, 2550);
    control("POST", "/faults",
            "{\"match\":{\"path\":\"/notifications\"},\"action\":\"status\",\"status\":400,"
            "\"count\":1}");
    notify(operation_id);
    assert_int_equal(notices_of(order_id, "\"message\":"), 0);
    int64_t elsewhere = reversed_charge(4711, 300); /* an order that cannot be read */
    notify(elsewhere);
    control("POST", "/faults",
            "{\"match\":{\"path\":\"/notifications\"},\"action\":\"status\",\"status\":503,"
            "\"count\":1}");
    int64_t second = reversed_charge(order_id, 400);
    notify(second); /* 503: it may have been shown */
    assert_int_equal(notices_of(order_id, "\"message\":"), 0);
    assert_no_notice_was_given_up();
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_sweep_looks_at_every_order_that_nobody_has_read),
        TEST(what_was_read_is_looked_at_again_only_when_it_has_changed),
        TEST(what_changes_in_the_second_in_which_it_was_read_is_looked_at_again),
        TEST(what_was_open_when_it_was_read_and_has_ended_is_looked_at_again),
        TEST(an_open_order_is_read_when_it_has_money_and_once),
        TEST(an_order_whose_money_was_proved_has_its_webhook_made_up_for_too),
        TEST(a_page_that_fails_is_asked_for_again),
        TEST(a_sweep_goes_on_where_webhooks_may_have_been_lost),
        TEST(what_waits_for_a_sweep_is_due_after_it),
        TEST(a_merchant_who_is_not_connected_is_waited_for),
        TEST(an_order_with_money_of_ours_is_proved_when_it_was_read),
        TEST(an_order_that_has_proofs_is_proved_when_it_was_read),
        TEST(the_screen_shows_what_was_given_back_once),
        TEST(a_notice_that_is_refused_or_too_late_is_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
