/*
 * Reconciliation on real threads and a real store, against a Lightspeed that this file plays: the
 * scan, the look at an order, the judgement, the commands. Whatever happened before a start, a
 * crash after any step, the end is the same.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <pthread.h>

#include "base/clock.h"
#include "store/backend.h"
#include "lightspeed/reconcile.h"
#include "runtime/errand.h"
#include "store/foreign.h"
#include "store/grant.h"

#define SITE 923
#define METHOD 88
#define CASH 1
#define ORDER INT64_C(2802065908)
#define OTHER_ORDER INT64_C(2802065950)
#define REFUND_ORDER INT64_C(2802065951)
#define CARDS 2
#define BALANCE 10000
#define PATIENCE_US (INT64_C(20) * CLOCK_US_PER_S)
#define MS_US INT64_C(1000)
#define HOUR_US (INT64_C(3600) * CLOCK_US_PER_S)

/* --- the Lightspeed of this test ------------------------------------------------------------- */

#define PLAYED_ORDERS 4

struct oseries_api {
    struct outbound *outbound;
    pthread_mutex_t mutex; /* the test writes while the outbound thread reads */
    struct oseries_order orders[PLAYED_ORDERS];
    int order_count;
    int order_reads;
    int error;         /* of every read; 0: none */
    int64_t shy_order; /* is read once, and then no more; 0: none */
    int shy_reads;
    int64_t held_orders[PLAYED_ORDERS]; /* a read of such a one is answered when it is let go */
    struct reply *held[PLAYED_ORDERS];
    bool lists_hang; /* no list is ever answered */
    bool has_lists;
    int64_t listed_since_us;
};

/* Replies come later, never from inside the call. */
struct reply {
    struct outbound_message message;
    struct api_result result;
    struct oseries_order order;
    api_order_fn on_order;
    api_done_fn on_done;
    void *context;
};

static void reply_arrive(void *context)
{
    struct reply *reply = context;
    if (reply->on_order != NULL)
        reply->on_order(reply->context, &reply->result,
                        reply->result.error == 0 ? &reply->order : NULL);
    else
        reply->on_done(reply->context, &reply->result);
    free(reply);
}

static struct reply *reply_create(int error, void *context)
{
    struct reply *reply = calloc(1, sizeof(*reply));
    assert_non_null(reply);
    reply->result.error = error;
    reply->context = context;
    reply->message.fn = reply_arrive;
    reply->message.context = reply;
    return reply;
}

/* Is it kept until release? */
static bool hold_reply(struct oseries_api *api, int64_t order_id, struct reply *reply)
{
    for (int i = 0; i < PLAYED_ORDERS; i++) {
        if (api->held_orders[i] != order_id)
            continue;
        api->held[i] = reply;
        return true;
    }
    return false;
}

void oseries_api_get_order(struct oseries_api *api, const struct api_call *call, int64_t order_id,
                           api_order_fn on_done, void *context)
{
    struct reply *reply = reply_create(ERR_NOT_FOUND, context);
    assert_int_equal(call->priority, API_BACKGROUND);
    pthread_mutex_lock(&api->mutex);
    api->order_reads++;
    for (int i = 0; i < api->order_count; i++) {
        if (api->orders[i].id != order_id)
            continue;
        reply->result.error = 0;
        reply->order = api->orders[i];
    }
    if (api->error != 0)
        reply->result.error = api->error;
    if (order_id == api->shy_order && ++api->shy_reads > 1)
        reply->result.error = ERR_RATE_LIMITED;
    reply->on_order = on_done;
    bool is_held = hold_reply(api, order_id, reply);
    pthread_mutex_unlock(&api->mutex);
    if (!is_held)
        outbound_post(api->outbound, &reply->message);
}

/* Notices are proved elsewhere, and sweeps: here Lightspeed is too busy for the first, and for the
 * others until it has_lists, on which nothing stands. */
static void not_now(struct oseries_api *api, api_done_fn on_done, void *context)
{
    struct reply *reply = reply_create(ERR_RATE_LIMITED, context);
    reply->on_done = on_done;
    outbound_post(api->outbound, &reply->message);
}

struct page_reply {
    struct outbound_message message;
    api_order_page_fn on_page;
    void *context;
    int error;
};

static void page_arrive(void *context)
{
    struct page_reply *reply = context;
    const struct api_result result = {.error = reply->error};
    const struct order_page page = {.count = 0};
    reply->on_page(reply->context, &result, reply->error == 0 ? &page : NULL);
    free(reply);
}

void oseries_api_list_orders(struct oseries_api *api, const struct api_call *call,
                             enum order_list list, int64_t created_since_us,
                             const struct api_page *from, api_order_page_fn on_done, void *context)
{
    (void)call;
    (void)list;
    (void)from;
    if (api->lists_hang)
        return;
    struct page_reply *reply = calloc(1, sizeof(*reply));
    assert_non_null(reply);
    reply->on_page = on_done;
    reply->context = context;
    pthread_mutex_lock(&api->mutex);
    reply->error = api->has_lists ? 0 : ERR_RATE_LIMITED;
    api->listed_since_us = created_since_us;
    pthread_mutex_unlock(&api->mutex);
    reply->message.fn = page_arrive;
    reply->message.context = reply;
    outbound_post(api->outbound, &reply->message);
}

void oseries_api_post_notification(struct oseries_api *api, const struct api_call *call,
                                   int64_t order_id, const struct notice *notice,
                                   api_done_fn on_done, void *context)
{
    (void)call;
    (void)order_id;
    (void)notice;
    not_now(api, on_done, context);
}

void oseries_api_get_customer(struct oseries_api *api, const struct api_call *call,
                              int64_t customer_id, api_customer_fn on_done, void *context)
{
    (void)api;
    (void)call;
    (void)customer_id;
    (void)on_done;
    (void)context;
    fail_msg("nobody's points are counted here");
}

void oseries_api_post_payment(struct oseries_api *api, const struct api_call *call,
                              int64_t order_id, int64_t amount_minor, const char *ref,
                              api_done_fn on_done, void *context)
{
    (void)call;
    (void)order_id;
    (void)amount_minor;
    (void)ref;
    not_now(api, on_done, context);
}

void oseries_api_ensure_webhooks(struct oseries_api *api, const struct api_call *call,
                                 const char *topics, const char *address, api_done_fn on_done,
                                 void *context)
{
    (void)call;
    (void)topics;
    (void)address;
    not_now(api, on_done, context);
}

/* --- the fixture: rows are written before the threads start, read through our own reader --- */

struct fixture {
    char folder[64], location[96];
    struct seal *seal;
    struct store *writer, *readers[1], *look;
    struct directory *directory;
    struct outbound *outbound;
    struct committer *committer;
    struct reader *reader;
    struct inbox *inbox;
    struct duty *duty;
    bool shares_duty;
    struct scheduler *scheduler;
    struct reconcile *reconcile;
    struct oseries_api api;
    struct tenant tenant;
    struct reconcile_times times;
};

static struct outcome run(struct fixture *fixture, struct command command)
{
    struct batch *batch = batch_create();
    command.tenant_id = fixture->tenant.id;
    command.local_date = 20000;
    command.received_at_us = clock_steady_us();
    command.policy = fixture->tenant.policy;
    command.site_id = SITE;
    batch_add(batch, &command);
    assert_int_equal(store_fetch(fixture->writer, batch), 0);
    batch_decide(batch, clock_steady_us());
    assert_int_equal(store_commit(fixture->writer, batch), 0);
    struct outcome outcome = batch->outcomes[0];
    batch_destroy(batch);
    assert_int_equal(outcome.result, RESULT_OK);
    return outcome;
}

static struct command command_of(enum action action, int card, int64_t order_id,
                                 int64_t asked_minor)
{
    struct command command = {
        .action = action,
        .order_id = order_id,
        .asked_minor = asked_minor,
        .new_card = {
            .last4 = "2345", .status = CARD_ACTIVE, .number_sealed_size = 1, .key_version = 1}};
    memset(command.card_index, 1 + card, CARD_INDEX_BYTES);
    return command;
}

static int64_t charge(struct fixture *fixture, int card, int64_t order_id, int64_t amount_minor)
{
    struct command command = command_of(ACTION_CHARGE, card, order_id, amount_minor);
    return run(fixture, command).operation_id;
}

static int64_t refund(struct fixture *fixture, int card, int64_t order_id, int64_t sale_order_id,
                      int64_t amount_minor)
{
    struct command command = command_of(ACTION_REFUND, card, order_id, amount_minor);
    command.refunded_order_id = sale_order_id;
    return run(fixture, command).operation_id;
}

static int64_t balance_of(const struct fixture *fixture, int card)
{
    uint8_t index[CARD_INDEX_BYTES];
    struct card found;
    memset(index, 1 + card, sizeof(index));
    assert_int_equal(store_read_card(fixture->look, fixture->tenant.id, index, &found), 0);
    return found.balance_minor;
}

static void add_rows(struct fixture *fixture)
{
    struct tenant *tenant = &fixture->tenant;
    *tenant = (struct tenant){
        .name = "Test", .zone = "UTC", .oseries_company = 1, .profile = "default", TENANT_CHOICES};
    tenant->currency = (struct currency){"AUD", 2};
    memset(tenant->key, 'a', ID_KEY_CHARS);
    tenant->payment_method = METHOD;
    tenant->policy.refund_max_minor = BALANCE;
    tenant->policy.refund_register_day_max_minor = BALANCE;
    tenant->policy.partial_is_allowed = true;
    assert_int_equal(store_add_tenant(fixture->writer, tenant), 0);
    struct grant grant = {.tenant_id = tenant->id,
                          .surface = APP_OSERIES,
                          .kind = GRANT_OAUTH,
                          .status = GRANT_CONNECTED,
                          .company_id = 1,
                          .access_token = "a",
                          .refresh_token = "r",
                          .connected_at_us = 1};
    assert_int_equal(store_put_grant(fixture->writer, &grant), 0);
    for (int i = 0; i < CARDS; i++)
        (void)run(fixture, command_of(ACTION_ISSUE, i, 0, BALANCE));
}

static int setup(void **state)
{
    static const uint8_t master[SEAL_KEY_BYTES] = {1};
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    assert_non_null(fixture);
    snprintf(fixture->folder, sizeof(fixture->folder), "/tmp/counterpart-prove-XXXXXX");
    assert_non_null(mkdtemp(fixture->folder));
    snprintf(fixture->location, sizeof(fixture->location), "%s/store.db", fixture->folder);
    assert_int_equal(seal_from_bytes(master, &fixture->seal), 0);
    struct store_config config = {.location = fixture->location, .seal = fixture->seal};
    assert_int_equal(store_open(&config, STORE_WRITER, &fixture->writer), 0);
    add_rows(fixture);
    assert_int_equal(store_open(&config, STORE_READER, &fixture->readers[0]), 0);
    assert_int_equal(store_open(&config, STORE_READER, &fixture->look), 0);
    pthread_mutex_init(&fixture->api.mutex, NULL);
    fixture->times = (struct reconcile_times){.scan_us = 10 * MS_US,
                                              .reread_us = 30 * MS_US,
                                              .reverse_age_us = 10 * MS_US,
                                              .open_listed_us = HOUR_US,
                                              .sweep_us = HOUR_US};
    *state = fixture;
    return 0;
}

static void start_inbox(struct fixture *fixture)
{
    struct inbox_config config = {.outbound = fixture->outbound,
                                  .committer = fixture->committer,
                                  .reader = fixture->reader,
                                  .directory = fixture->directory,
                                  .api = &fixture->api,
                                  .public_url = "https://partner.example",
                                  .generation = 1,
                                  .duty = fixture->duty,
                                  .times = fixture->times};
    assert_int_equal(inbox_create(&config, &fixture->inbox), 0);
}

/* As if there were other processes: the lease is granted, and not asked for again. */
static void start_duty(struct fixture *fixture)
{
    const struct duty_config config = {.outbound = fixture->outbound,
                                       .committer = fixture->committer,
                                       .owner = "this process",
                                       .is_shared = true,
                                       .life_us = HOUR_US,
                                       .renew_us = HOUR_US};
    int64_t until_us = clock_monotonic_us() + PATIENCE_US;
    assert_int_equal(duty_create(&config, &fixture->duty), 0);
    duty_start(fixture->duty);
    while (!duty_is_ours(fixture->duty, DUTY_MARGIN_US)) {
        assert_true(clock_monotonic_us() < until_us);
        usleep(1000);
    }
}

static void start_scan(struct fixture *fixture)
{
    struct reconcile_config config = {.outbound = fixture->outbound,
                                      .committer = fixture->committer,
                                      .reader = fixture->reader,
                                      .directory = fixture->directory,
                                      .inbox = fixture->inbox,
                                      .times = fixture->times};
    assert_int_equal(reconcile_create(&config, &fixture->reconcile), 0);
    assert_int_equal(scheduler_create(fixture->outbound, NULL, &fixture->scheduler), 0);
    scheduler_add(fixture->scheduler, "reconcile", fixture->times.scan_us, reconcile_scan,
                  fixture->reconcile);
    scheduler_start(fixture->scheduler, 0, fixture->times.scan_us);
}

/* From here on the writer is the committer's. */
static void start(struct fixture *fixture)
{
    struct committer_config committer = {.stores = {fixture->writer}, .batch_max = BATCH_MAX};
    assert_int_equal(directory_create(&fixture->directory), 0);
    assert_int_equal(directory_load(fixture->directory, fixture->writer), 0);
    assert_int_equal(reader_create(fixture->readers, 1, &fixture->reader), 0);
    assert_int_equal(committer_create(&committer, &fixture->committer), 0);
    assert_int_equal(outbound_create(&fixture->outbound), 0);
    fixture->api.outbound = fixture->outbound;
    if (fixture->shares_duty)
        start_duty(fixture);
    start_inbox(fixture);
    start_scan(fixture);
}

static void stop(struct fixture *fixture)
{
    if (fixture->outbound == NULL)
        return;
    outbound_drain(fixture->outbound);
    committer_stop(fixture->committer);
    reader_stop(fixture->reader);
    outbound_stop(fixture->outbound);
    scheduler_destroy(fixture->scheduler);
    reconcile_destroy(fixture->reconcile);
    inbox_destroy(fixture->inbox);
    outbound_destroy(fixture->outbound);
    committer_destroy(fixture->committer);
    reader_destroy(fixture->reader);
    directory_destroy(fixture->directory);
    duty_destroy(fixture->duty);
    fixture->duty = NULL;
    fixture->outbound = NULL;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    static const char *const endings[] = {"", "-wal", "-shm"};
    stop(fixture);
    store_close(fixture->look);
    store_close(fixture->readers[0]);
    store_close(fixture->writer);
    seal_destroy(fixture->seal);
    pthread_mutex_destroy(&fixture->api.mutex);
    for (size_t i = 0; i < COUNT_OF(endings); i++) {
        char path[128];
        snprintf(path, sizeof(path), "%s%s", fixture->location, endings[i]);
        (void)unlink(path);
    }
    assert_int_equal(rmdir(fixture->folder), 0);
    free(fixture);
    return 0;
}

/* --- the register's side --- */

static struct oseries_order *find_order(struct fixture *fixture, int64_t order_id)
{
    int i = 0;
    while (i < fixture->api.order_count && fixture->api.orders[i].id != order_id)
        i++;
    assert_true(i < fixture->api.order_count);
    return &fixture->api.orders[i];
}

static void make_order(struct fixture *fixture, int64_t order_id, int64_t total_minor)
{
    assert_true(fixture->api.order_count < PLAYED_ORDERS);
    fixture->api.orders[fixture->api.order_count++] =
        (struct oseries_order){.id = order_id,
                               .status = ORDER_PENDING,
                               .site_id = SITE,
                               .total_minor = total_minor,
                               .price_variation_ppm = ORDER_ONE_PPM,
                               .updated_at = "2026-05-29T13:00:01+10:00"};
}

/* operation_id 0: no ref. */
static void pay(struct fixture *fixture, int64_t order_id, int64_t method_id, int64_t amount_minor,
                int64_t operation_id)
{
    pthread_mutex_lock(&fixture->api.mutex);
    struct oseries_order *order = find_order(fixture, order_id);
    struct order_payment *payment = &order->payments[order->payment_count];
    *payment = (struct order_payment){
        .number = ++order->payment_count, .method_id = method_id, .amount_minor = amount_minor};
    if (operation_id != 0)
        payment_ref_make(1, operation_id, payment->ref);
    pthread_mutex_unlock(&fixture->api.mutex);
}

static void set_status(struct fixture *fixture, int64_t order_id, enum order_status status)
{
    pthread_mutex_lock(&fixture->api.mutex);
    find_order(fixture, order_id)->status = status;
    pthread_mutex_unlock(&fixture->api.mutex);
}

static void unpay(struct fixture *fixture, int64_t order_id)
{
    pthread_mutex_lock(&fixture->api.mutex);
    find_order(fixture, order_id)->payment_count = 0;
    pthread_mutex_unlock(&fixture->api.mutex);
}

static void make_sold(struct fixture *fixture, int64_t order_id, int64_t cash_minor)
{
    make_order(fixture, order_id, cash_minor);
    pay(fixture, order_id, CASH, cash_minor, 0);
    set_status(fixture, order_id, ORDER_COMPLETE);
}

/* From now on whoever asks for a sweep gets one. */
static void sweep_all(struct fixture *fixture)
{
    pthread_mutex_lock(&fixture->api.mutex);
    fixture->api.has_lists = true;
    pthread_mutex_unlock(&fixture->api.mutex);
}

/* A reason to look at it: a webhook, say. While the threads are stopped. */
static void ask(struct fixture *fixture, int64_t order_id)
{
    struct work work =
        work_make(fixture->tenant.id, WORK_PROVE_ORDER, order_id, order_id, clock_steady_us());
    assert_int_equal(store_open_work(fixture->writer, &work), 0);
}

static void again(struct fixture *fixture, int64_t order_id)
{
    stop(fixture);
    ask(fixture, order_id);
    start(fixture);
}

/* --- waiting --- */

static struct proof_facts await(const struct fixture *fixture, int64_t operation_id,
                                enum proof_state state, enum proof_reason reason)
{
    int64_t until_us = clock_monotonic_us() + PATIENCE_US;
    for (;;) {
        struct proof_facts facts = {.operation = {.id = 0}};
        int err = store_read_proof(fixture->look, operation_id, &facts);
        if (err == 0 && facts.proof.state == state && facts.proof.reason == reason)
            return facts;
        if (clock_monotonic_us() > until_us)
            fail_msg("operation %d is %s, %s", (int)operation_id,
                     err != 0 ? "nowhere" : proof_state_name(facts.proof.state),
                     proof_reason_name(facts.proof.reason));
        usleep(2000);
    }
}

static struct proof await_confirmed(const struct fixture *fixture, int64_t operation_id)
{
    return await(fixture, operation_id, PROOF_CONFIRMED, PROOF_REASON_NONE).proof;
}

static struct proof_facts await_reversed(const struct fixture *fixture, int64_t operation_id)
{
    return await(fixture, operation_id, PROOF_REVERSED, PROOF_REASON_NONE);
}

struct found {
    enum work_kind kind;
    int64_t subject_id;
    int count;
    struct work work;
};

static void on_work(void *context, const struct work *work)
{
    struct found *found = context;
    if (work->kind != found->kind || work->subject_id != found->subject_id)
        return;
    found->count++;
    found->work = *work;
}

/* Open or given up: done work is shown to nobody. */
static struct found find_work(const struct fixture *fixture, enum work_kind kind,
                              int64_t subject_id)
{
    struct found found = {.kind = kind, .subject_id = subject_id};
    assert_int_equal(store_each_work(fixture->look, fixture->tenant.id, 100, on_work, &found), 0);
    return found;
}

/* The look at this order is over, and nothing more is expected. */
static void await_quiet(const struct fixture *fixture, int64_t order_id)
{
    int64_t until_us = clock_monotonic_us() + PATIENCE_US;
    while (find_work(fixture, WORK_PROVE_ORDER, order_id).count > 0) {
        if (clock_monotonic_us() > until_us)
            fail_msg("still open: %s", find_work(fixture, WORK_PROVE_ORDER, order_id).work.reason);
        usleep(2000);
    }
}

static void count_answer(void *context, const struct operation *operation)
{
    *(int *)context += operation->action == ACTION_REVERSE || operation->action == ACTION_RECHARGE;
}

static int answers_of(const struct fixture *fixture, int64_t operation_id)
{
    int count = 0;
    assert_int_equal(store_each_answer(fixture->look, operation_id, count_answer, &count), 0);
    return count;
}

struct payments_seen {
    struct register_payment payments[8];
    int count;
};

static void on_payment(void *context, const struct register_payment *payment)
{
    struct payments_seen *seen = context;
    assert_true(seen->count < 8);
    seen->payments[seen->count++] = *payment;
}

static struct payments_seen payments_of(const struct fixture *fixture, int64_t order_id)
{
    struct payments_seen seen = {.count = 0};
    assert_int_equal(
        store_each_register_payment(fixture->look, fixture->tenant.id, order_id, on_payment, &seen),
        0);
    return seen;
}

/* Register less ledger. */
static int64_t difference_of(const struct fixture *fixture)
{
    struct proof_totals totals;
    assert_int_equal(store_read_proof_totals(fixture->look, fixture->tenant.id, 0, 0, &totals), 0);
    return totals.register_minor - totals.ledger_minor;
}

/* --- confirmed ------------------------------------------------------------------------------- */

static void a_payment_with_its_ref_is_confirmed_and_kept(void **state)
{
    struct fixture *fixture = *state;
    int64_t id = charge(fixture, 0, ORDER, 5000);
    make_order(fixture, ORDER, 5000);
    pay(fixture, ORDER, METHOD, 5000, id);
    set_status(fixture, ORDER, ORDER_COMPLETE);
    start(fixture);
    struct proof proof = await_confirmed(fixture, id);
    assert_true(proof.shown_order_id == ORDER && proof.payment_number == 1);
    await_quiet(fixture, ORDER);
    struct payments_seen seen = payments_of(fixture, ORDER);
    assert_int_equal(seen.count, 1);
    assert_true(seen.payments[0].operation_id == id && seen.payments[0].amount_minor == 5000);
    struct order_seen order; /* a sweep still has to look at it */
    assert_int_equal(store_read_order_seen(fixture->look, fixture->tenant.id, ORDER, &order),
                     ERR_NOT_FOUND);
    assert_int_equal(difference_of(fixture), 0);
    assert_int_equal(balance_of(fixture, 0), BALANCE - 5000);
    assert_int_equal(answers_of(fixture, id), 0);
}

static void a_payment_without_a_ref_is_confirmed_by_its_amount(void **state)
{
    struct fixture *fixture = *state;
    int64_t first = charge(fixture, 0, ORDER, 2000), second = charge(fixture, 1, ORDER, 3000);
    make_order(fixture, ORDER, 5000);
    pay(fixture, ORDER, METHOD, 3000, 0);
    pay(fixture, ORDER, METHOD, 2000, 0);
    set_status(fixture, ORDER, ORDER_COMPLETE);
    start(fixture);
    assert_int_equal(await_confirmed(fixture, first).payment_number, 2);
    assert_int_equal(await_confirmed(fixture, second).payment_number, 1);
}

static void what_is_confirmed_on_an_open_order_is_looked_at_again(void **state)
{
    struct fixture *fixture = *state;
    int64_t id = charge(fixture, 0, ORDER, 5000);
    make_order(fixture, ORDER, 9000);
    pay(fixture, ORDER, METHOD, 5000, id);
    start(fixture);
    (void)await_confirmed(fixture, id);
    usleep(50000);
    struct found found = find_work(fixture, WORK_PROVE_ORDER, ORDER);
    assert_int_equal(found.count, 1);
    assert_true(found.work.due_at_us > clock_steady_us() + HOUR_US / 2);
}

/* --- reversed -------------------------------------------------------------------------------- */

static void cash_instead_is_given_back_once(void **state)
{
    struct fixture *fixture = *state;
    int64_t id = charge(fixture, 0, ORDER, 5000);
    make_sold(fixture, ORDER, 5000);
    sweep_all(fixture);
    start(fixture);
    struct proof_facts facts = await_reversed(fixture, id);
    assert_int_equal(facts.reversed_minor, 5000);
    await_quiet(fixture, ORDER);
    assert_int_equal(balance_of(fixture, 0), BALANCE);
    assert_int_equal(find_work(fixture, WORK_NOTIFY, id).count, 1);
    assert_true(fixture->api.order_reads >= 2);
    again(fixture, ORDER);
    await_quiet(fixture, ORDER);
    assert_int_equal(balance_of(fixture, 0), BALANCE);
    assert_int_equal(answers_of(fixture, id), 1);
    assert_int_equal(difference_of(fixture), 0);
}

static void nothing_is_given_back_before_the_other_orders_were_read(void **state)
{
    struct fixture *fixture = *state;
    int64_t id = charge(fixture, 0, ORDER, 5000);
    make_sold(fixture, ORDER, 5000);
    start(fixture);
    (void)await(fixture, id, PROOF_OPEN, PROOF_REASON_NOT_SWEPT);
    assert_int_equal(find_work(fixture, WORK_SWEEP, fixture->tenant.id).count, 1);
    usleep(100000); /* several looks */
    assert_int_equal(balance_of(fixture, 0), BALANCE - 5000);
    stop(fixture);
    sweep_all(fixture);
    start(fixture);
    (void)await_reversed(fixture, id);
    assert_int_equal(balance_of(fixture, 0), BALANCE);
}

static void open_sweep(struct fixture *fixture, int merchant)
{
    struct tenant tenant = {.name = "Other",
                            .zone = "UTC",
                            .oseries_company = 100 + merchant,
                            .profile = "default",
                            TENANT_CHOICES};
    tenant.currency = (struct currency){"AUD", 2};
    snprintf(tenant.key, sizeof(tenant.key), "%0*d", ID_KEY_CHARS, merchant);
    assert_int_equal(store_add_tenant(fixture->writer, &tenant), 0);
    struct work work = work_make(tenant.id, WORK_SWEEP, tenant.id, tenant.id, clock_steady_us());
    assert_int_equal(store_open_work(fixture->writer, &work), 0);
}

/* As many as may be under way at once, and a few more. */
static void the_sweeps_of_many_merchants_leave_room_for_money(void **state)
{
    struct fixture *fixture = *state;
    for (int i = 0; i < 70; i++)
        open_sweep(fixture, i);
    fixture->api.lists_hang = true;
    int64_t id = charge(fixture, 0, ORDER, 5000);
    make_order(fixture, ORDER, 5000);
    pay(fixture, ORDER, METHOD, 5000, id);
    set_status(fixture, ORDER, ORDER_COMPLETE);
    start(fixture);
    (void)await_confirmed(fixture, id);
}

static struct work add_order_changed(struct fixture *fixture, int64_t told_by, int64_t due_in_us)
{
    struct work work =
        work_make(fixture->tenant.id, WORK_ORDER_CHANGED, OTHER_ORDER, told_by, clock_steady_us());
    work.due_at_us += due_in_us;
    assert_int_equal(store_add_work(fixture->writer, &work), 0);
    return work;
}

static void a_sweep_of_a_clock_that_was_ahead_does_not_count(void **state)
{
    struct fixture *fixture = *state;
    int64_t id = charge(fixture, 0, ORDER, 5000);
    int64_t ahead_us = clock_steady_us() + 72 * HOUR_US;
    struct sweep sweep = {
        .tenant_id = fixture->tenant.id, .begun_at_us = ahead_us, .finished_at_us = ahead_us};
    assert_int_equal(store_put_sweep(fixture->writer, &sweep), 0);
    make_sold(fixture, ORDER, 5000);
    start(fixture);
    (void)await(fixture, id, PROOF_OPEN, PROOF_REASON_NOT_SWEPT);
    assert_int_equal(balance_of(fixture, 0), BALANCE - 5000);
    stop(fixture);
    sweep_all(fixture);
    struct work work = find_work(fixture, WORK_SWEEP, fixture->tenant.id).work;
    work.due_at_us = clock_steady_us();
    assert_int_equal(store_update_work(fixture->writer, &work), 0);
    start(fixture);
    (void)await_reversed(fixture, id);
    stop(fixture);
    assert_true(fixture->api.listed_since_us < clock_steady_us());
}

static void nothing_is_given_back_while_another_order_waits_to_be_read(void **state)
{
    struct fixture *fixture = *state;
    int64_t id = charge(fixture, 0, ORDER, 5000);
    make_sold(fixture, ORDER, 5000);
    sweep_all(fixture);
    struct work unread = add_order_changed(fixture, 1, WORK_HELD_LOOK_US - CLOCK_US_PER_S);
    unread.attempts = 1; /* Lightspeed had no time for it */
    assert_int_equal(store_update_work(fixture->writer, &unread), 0);
    start(fixture);
    (void)await(fixture, id, PROOF_OPEN, PROOF_REASON_NOT_SWEPT);
    usleep(100000); /* several looks */
    assert_int_equal(balance_of(fixture, 0), BALANCE - 5000);
    assert_int_equal(find_work(fixture, WORK_SWEEP, fixture->tenant.id).count, 0);
    stop(fixture);
    unread.state = WORK_DONE;
    unread.ended_at_us = clock_steady_us();
    assert_int_equal(store_update_work(fixture->writer, &unread), 0);
    (void)add_order_changed(fixture, 2, WORK_HELD_LOOK_US); /* nobody has told of this one */
    start(fixture);
    (void)await_reversed(fixture, id);
    assert_int_equal(balance_of(fixture, 0), BALANCE);
}

static int reads_of(struct fixture *fixture)
{
    pthread_mutex_lock(&fixture->api.mutex);
    int reads = fixture->api.order_reads;
    pthread_mutex_unlock(&fixture->api.mutex);
    return reads;
}

static void await_read(struct fixture *fixture)
{
    int64_t until_us = clock_monotonic_us() + PATIENCE_US;
    int before = reads_of(fixture);
    while (reads_of(fixture) == before && clock_monotonic_us() < until_us)
        usleep(2000);
    assert_true(reads_of(fixture) > before);
}

static void be_shy(struct fixture *fixture, int64_t order_id)
{
    pthread_mutex_lock(&fixture->api.mutex);
    fixture->api.shy_order = order_id;
    pthread_mutex_unlock(&fixture->api.mutex);
}

/* Of both the payment stands on the order that a sweep has found, and Lightspeed has no time for
 * the look that would prove it. Until then somebody may claim the one without a reference. */
static void what_was_found_counts_before_it_is_proved(void **state)
{
    struct fixture *fixture = *state;
    int64_t with_ref = charge(fixture, 0, ORDER, 5000);
    int64_t without = charge(fixture, 1, ORDER, 3000);
    make_sold(fixture, ORDER, 8000);
    make_order(fixture, OTHER_ORDER, 8000);
    pay(fixture, OTHER_ORDER, METHOD, 5000, with_ref);
    pay(fixture, OTHER_ORDER, METHOD, 3000, 0);
    set_status(fixture, OTHER_ORDER, ORDER_COMPLETE);
    fixture->api.shy_order = OTHER_ORDER;
    sweep_all(fixture);
    (void)add_order_changed(fixture, 1, 0);
    start(fixture);
    assert_int_equal(await_confirmed(fixture, with_ref).shown_order_id, OTHER_ORDER);
    (void)await(fixture, without, PROOF_OPEN, PROOF_REASON_NOT_SWEPT);
    await_read(fixture);
    usleep(500000); /* several looks */
    (void)await(fixture, without, PROOF_OPEN, PROOF_REASON_NOT_SWEPT);
    assert_int_equal(payments_of(fixture, OTHER_ORDER).count, 2);
    be_shy(fixture, 0);
    (void)await(fixture, without, PROOF_LISTED, PROOF_REASON_ELSEWHERE);
    assert_int_equal(balance_of(fixture, 0), BALANCE - 5000);
    assert_int_equal(balance_of(fixture, 1), BALANCE - 3000);
    assert_int_equal(answers_of(fixture, with_ref) + answers_of(fixture, without), 0);
}

/* Of a payment that somebody claims the claim stays. */
static void a_confirmed_payment_that_is_told_of_again_stays_confirmed(void **state)
{
    struct fixture *fixture = *state;
    int64_t id = charge(fixture, 0, OTHER_ORDER, 5000);
    make_order(fixture, OTHER_ORDER, 5000);
    pay(fixture, OTHER_ORDER, METHOD, 5000, 0);
    set_status(fixture, OTHER_ORDER, ORDER_COMPLETE);
    start(fixture);
    (void)await_confirmed(fixture, id);
    stop(fixture);
    (void)add_order_changed(fixture, 1, 0);
    fixture->api.shy_order = OTHER_ORDER;
    start(fixture);
    struct order_seen order;
    while (store_read_order_seen(fixture->look, fixture->tenant.id, OTHER_ORDER, &order) != 0)
        usleep(2000);
    (void)await_confirmed(fixture, id);
    struct payments_seen seen = payments_of(fixture, OTHER_ORDER);
    assert_true(seen.count == 1 && seen.payments[0].operation_id == id);
}

/* Its payment waits for a connection, or for Lightspeed: here it is too busy. */
static void what_we_are_still_to_book_is_not_given_back(void **state)
{
    struct fixture *fixture = *state;
    struct foreign_change approval = {.tenant_id = fixture->tenant.id};
    struct command command = command_of(ACTION_CHARGE, 0, ORDER, 5000);
    for (int to = FOREIGN_REQUESTED; to <= FOREIGN_APPROVED; to++) {
        approval.to.state = (enum foreign_state)to;
        assert_int_equal(store_add_foreign_change(fixture->writer, &approval), 0);
    }
    command.payment_is_ours = true;
    int64_t id = run(fixture, command).operation_id;
    int64_t other_id = charge(fixture, 1, ORDER, 4000);
    make_sold(fixture, ORDER, 9000);
    sweep_all(fixture);
    start(fixture);
    (void)await(fixture, other_id, PROOF_REVERSED, PROOF_REASON_NONE);
    (void)await(fixture, id, PROOF_OPEN, PROOF_REASON_NOT_BOOKED);
    assert_int_equal(balance_of(fixture, 0), BALANCE - 5000);
}

static void tell_no_method(struct fixture *fixture)
{
    fixture->tenant.payment_method = 0;
    assert_int_equal(store_update_tenant(fixture->writer, &fixture->tenant), 0);
}

/* The bill was merged into another order: of the old one nothing is left. */
static void play_merged(struct fixture *fixture)
{
    make_order(fixture, ORDER, 5000);
    find_order(fixture, ORDER)->is_deleted = true;
    make_order(fixture, OTHER_ORDER, 5000);
    pay(fixture, OTHER_ORDER, METHOD, 5000, 0);
    set_status(fixture, OTHER_ORDER, ORDER_COMPLETE);
    (void)add_order_changed(fixture, 1, 0);
    sweep_all(fixture);
}

static void a_merged_bill_is_not_given_back_where_nothing_tells_our_payments(void **state)
{
    struct fixture *fixture = *state;
    tell_no_method(fixture);
    int64_t id = charge(fixture, 0, ORDER, 5000);
    play_merged(fixture);
    start(fixture);
    (void)await(fixture, id, PROOF_LISTED, PROOF_REASON_NOT_TOLD_APART);
    assert_int_equal(balance_of(fixture, 0), BALANCE - 5000);
    assert_int_equal(answers_of(fixture, id), 0);
}

static void a_refund_on_an_order_of_its_own_is_not_taken_back_either(void **state)
{
    struct fixture *fixture = *state;
    tell_no_method(fixture);
    int64_t id = charge(fixture, 0, ORDER, 5000);
    make_order(fixture, ORDER, 5000);
    pay(fixture, ORDER, METHOD, 5000, 0);
    set_status(fixture, ORDER, ORDER_COMPLETE);
    int64_t back = refund(fixture, 0, ORDER, 0, 5000); /* tells the sale's order */
    make_order(fixture, REFUND_ORDER, -5000);
    pay(fixture, REFUND_ORDER, METHOD, -5000, 0);
    set_status(fixture, REFUND_ORDER, ORDER_COMPLETE);
    ask(fixture, REFUND_ORDER);
    sweep_all(fixture);
    start(fixture);
    (void)await_confirmed(fixture, id);
    (void)await(fixture, back, PROOF_LISTED, PROOF_REASON_NOT_TOLD_APART);
    assert_int_equal(balance_of(fixture, 0), BALANCE);
    assert_int_equal(answers_of(fixture, back), 0);
}

/* Another sale has shown that the registers keep our references. */
static void a_ref_that_was_seen_before_tells_them_as_well(void **state)
{
    struct fixture *fixture = *state;
    tell_no_method(fixture);
    int64_t seen = charge(fixture, 1, OTHER_ORDER, 3000);
    make_order(fixture, OTHER_ORDER, 3000);
    pay(fixture, OTHER_ORDER, METHOD, 3000, seen);
    set_status(fixture, OTHER_ORDER, ORDER_COMPLETE);
    int64_t id = charge(fixture, 0, ORDER, 5000);
    make_order(fixture, ORDER, 5000);
    find_order(fixture, ORDER)->is_deleted = true;
    sweep_all(fixture);
    start(fixture);
    (void)await_confirmed(fixture, seen);
    (void)await_reversed(fixture, id);
    assert_int_equal(balance_of(fixture, 0), BALANCE);
}

static void a_crash_between_the_reversal_and_its_note_reverses_once(void **state)
{
    struct fixture *fixture = *state;
    int64_t id = charge(fixture, 0, ORDER, 5000);
    struct command reverse = command_of(ACTION_REVERSE, 0, ORDER, 5000);
    reverse.answers_operation_id = id;
    (void)run(fixture, reverse);
    make_sold(fixture, ORDER, 5000);
    start(fixture);
    (void)await_reversed(fixture, id);
    await_quiet(fixture, ORDER);
    assert_int_equal(balance_of(fixture, 0), BALANCE);
    assert_int_equal(answers_of(fixture, id), 1);
}

static void what_a_cashier_gave_back_is_not_given_back_again(void **state)
{
    struct fixture *fixture = *state;
    int64_t id = charge(fixture, 0, ORDER, 5000);
    (void)refund(fixture, 0, REFUND_ORDER, ORDER, 2000);
    make_sold(fixture, ORDER, 5000);
    sweep_all(fixture);
    start(fixture);
    struct proof_facts facts = await_reversed(fixture, id);
    assert_int_equal(facts.reversed_minor, 3000);
    assert_int_equal(balance_of(fixture, 0), BALANCE);
}

static void count_item(void *context, const struct open_item *item)
{
    (void)item;
    ++*(int *)context;
}

static int open_items_of(const struct fixture *fixture)
{
    struct open_item_place place = {0};
    int count = 0;
    assert_int_equal(store_each_open_item(fixture->look, fixture->tenant.id, 0, 0, &place, 100,
                                          count_item, &count),
                     0);
    return count;
}

/* Cash instead of a charge whose answer was lost, and a refund by hand before anybody else gave it
 * back: the register shows neither, and there is nothing left to say. */
static void assert_settled(const struct fixture *fixture, int64_t id, int64_t back)
{
    (void)await_reversed(fixture, id);
    (void)await_reversed(fixture, back);
    await_quiet(fixture, ORDER);
    assert_int_equal(balance_of(fixture, 0), BALANCE);
    assert_int_equal(difference_of(fixture), 0);
    assert_int_equal(open_items_of(fixture), 0);
    assert_int_equal(answers_of(fixture, back), 0);
}

static void what_a_cashier_gave_back_on_the_same_order_is_settled(void **state)
{
    struct fixture *fixture = *state;
    int64_t id = charge(fixture, 0, ORDER, 5000);
    int64_t back = refund(fixture, 0, ORDER, 0, 5000);
    make_sold(fixture, ORDER, 5000);
    sweep_all(fixture);
    start(fixture);
    assert_settled(fixture, id, back);
    again(fixture, ORDER);
    await_quiet(fixture, ORDER);
    assert_settled(fixture, id, back);
}

static void a_part_that_a_cashier_gave_back_on_the_same_order_is_settled(void **state)
{
    struct fixture *fixture = *state;
    int64_t id = charge(fixture, 0, ORDER, 5000);
    int64_t back = refund(fixture, 0, ORDER, 0, 2000);
    make_sold(fixture, ORDER, 5000);
    sweep_all(fixture);
    start(fixture);
    assert_settled(fixture, id, back);
    assert_int_equal(answers_of(fixture, id), 1);
}

static void play_refund_order(struct fixture *fixture, int64_t cash_minor)
{
    make_order(fixture, REFUND_ORDER, cash_minor);
    pay(fixture, REFUND_ORDER, CASH, cash_minor, 0);
    set_status(fixture, REFUND_ORDER, ORDER_COMPLETE);
}

static void what_a_cashier_gave_back_elsewhere_is_settled_whichever_is_read_first(void **state)
{
    struct fixture *fixture = *state;
    int64_t id = charge(fixture, 0, ORDER, 5000);
    int64_t back = refund(fixture, 0, REFUND_ORDER, ORDER, 5000);
    play_refund_order(fixture, -5000);
    make_order(fixture, ORDER, 5000); /* open still, so it says nothing yet */
    sweep_all(fixture);
    start(fixture);
    (void)await(fixture, back, PROOF_OPEN, PROOF_REASON_SEEN_MISSING);
    (void)await(fixture, id, PROOF_OPEN, PROOF_REASON_ORDER_OPEN);
    usleep(100000); /* several looks at the refund */
    pay(fixture, ORDER, CASH, 5000, 0);
    set_status(fixture, ORDER, ORDER_COMPLETE);
    again(fixture, ORDER);
    assert_settled(fixture, id, back);
    await_quiet(fixture, REFUND_ORDER);
}

static void what_a_cashier_gave_back_elsewhere_is_settled_also_sale_first(void **state)
{
    struct fixture *fixture = *state;
    int64_t id = charge(fixture, 0, ORDER, 5000);
    make_sold(fixture, ORDER, 5000);
    int64_t back = refund(fixture, 0, REFUND_ORDER, ORDER, 5000);
    make_order(fixture, REFUND_ORDER, -5000);
    sweep_all(fixture);
    start(fixture);
    (void)await_reversed(fixture, id);
    (void)await(fixture, back, PROOF_OPEN, PROOF_REASON_ORDER_OPEN);
    pay(fixture, REFUND_ORDER, CASH, -5000, 0);
    set_status(fixture, REFUND_ORDER, ORDER_COMPLETE);
    again(fixture, REFUND_ORDER);
    assert_settled(fixture, id, back);
}

static void a_deleted_order_gives_back_all_that_was_paid_on_it(void **state)
{
    struct fixture *fixture = *state;
    int64_t first = charge(fixture, 0, ORDER, 2000), second = charge(fixture, 1, ORDER, 3000);
    make_order(fixture, ORDER, 5000);
    find_order(fixture, ORDER)->is_deleted = true;
    sweep_all(fixture);
    start(fixture);
    (void)await_reversed(fixture, first);
    (void)await_reversed(fixture, second);
    assert_int_equal(balance_of(fixture, 0), BALANCE);
    assert_int_equal(balance_of(fixture, 1), BALANCE);
    await_quiet(fixture, ORDER);
}

static void a_payment_that_goes_after_it_was_confirmed_is_given_back(void **state)
{
    struct fixture *fixture = *state;
    int64_t id = charge(fixture, 0, ORDER, 5000);
    make_order(fixture, ORDER, 5000);
    pay(fixture, ORDER, METHOD, 5000, id);
    set_status(fixture, ORDER, ORDER_COMPLETE);
    sweep_all(fixture);
    start(fixture);
    (void)await_confirmed(fixture, id);
    unpay(fixture, ORDER);
    pay(fixture, ORDER, CASH, 5000, 0);
    again(fixture, ORDER);
    (void)await_reversed(fixture, id);
    assert_int_equal(balance_of(fixture, 0), BALANCE);
    assert_int_equal(difference_of(fixture), 0);
}

/* --- charged again --------------------------------------------------------------------------- */

static int64_t reversed_charge(struct fixture *fixture, int64_t amount_minor)
{
    int64_t id = charge(fixture, 0, ORDER, amount_minor);
    make_sold(fixture, ORDER, amount_minor);
    sweep_all(fixture);
    start(fixture);
    (void)await_reversed(fixture, id);
    await_quiet(fixture, ORDER);
    return id;
}

static void a_late_payment_is_charged_again_once(void **state)
{
    struct fixture *fixture = *state;
    int64_t id = reversed_charge(fixture, 5000);
    pay(fixture, ORDER, METHOD, 5000, id);
    again(fixture, ORDER);
    (void)await_confirmed(fixture, id);
    await_quiet(fixture, ORDER);
    assert_int_equal(balance_of(fixture, 0), BALANCE - 5000);
    again(fixture, ORDER);
    await_quiet(fixture, ORDER);
    assert_int_equal(balance_of(fixture, 0), BALANCE - 5000);
    assert_int_equal(difference_of(fixture), 0);
}

static void what_came_late_and_goes_again_is_given_back_again(void **state)
{
    struct fixture *fixture = *state;
    int64_t id = reversed_charge(fixture, 5000);
    pay(fixture, ORDER, METHOD, 5000, id);
    again(fixture, ORDER);
    (void)await_confirmed(fixture, id);
    unpay(fixture, ORDER);
    pay(fixture, ORDER, CASH, 5000, 0);
    again(fixture, ORDER);
    (void)await_reversed(fixture, id);
    assert_int_equal(balance_of(fixture, 0), BALANCE);
    assert_int_equal(difference_of(fixture), 0);
}

static void a_late_payment_takes_what_is_left_and_the_rest_is_listed(void **state)
{
    struct fixture *fixture = *state;
    int64_t id = reversed_charge(fixture, 5000);
    stop(fixture);
    (void)charge(fixture, 0, OTHER_ORDER, BALANCE - 3000);
    make_order(fixture, OTHER_ORDER, BALANCE);
    ask(fixture, ORDER);
    pay(fixture, ORDER, METHOD, 5000, id);
    start(fixture);
    struct proof_facts facts = await(fixture, id, PROOF_LISTED, PROOF_REASON_CARD_EMPTY);
    assert_int_equal(facts.recharged_minor, 3000);
    assert_int_equal(balance_of(fixture, 0), 0);
    assert_int_equal(find_work(fixture, WORK_NOTIFY, id).count,
                     2); /* reversed, and charged again */
    again(fixture, ORDER);
    usleep(100000);
    (void)await(fixture, id, PROOF_LISTED, PROOF_REASON_CARD_EMPTY);
    assert_int_equal(balance_of(fixture, 0), 0);
}

static void a_late_payment_finds_an_empty_card(void **state)
{
    struct fixture *fixture = *state;
    int64_t id = reversed_charge(fixture, 5000);
    stop(fixture);
    (void)charge(fixture, 0, OTHER_ORDER, BALANCE);
    make_order(fixture, OTHER_ORDER, BALANCE);
    ask(fixture, ORDER);
    pay(fixture, ORDER, METHOD, 5000, id);
    start(fixture);
    struct proof_facts facts = await(fixture, id, PROOF_LISTED, PROOF_REASON_CARD_EMPTY);
    assert_int_equal(facts.recharged_minor, 0);
    assert_int_equal(find_work(fixture, WORK_NOTIFY, id).count, 2);
}

/* --- refunds --------------------------------------------------------------------------------- */

/* A sale that is confirmed, and a refund whose order shows cash instead. */
static int64_t lost_refund(struct fixture *fixture, int64_t amount_minor)
{
    int64_t sale = charge(fixture, 0, ORDER, 5000);
    make_order(fixture, ORDER, 5000);
    pay(fixture, ORDER, METHOD, 5000, sale);
    set_status(fixture, ORDER, ORDER_COMPLETE);
    int64_t id = refund(fixture, 0, REFUND_ORDER, ORDER, amount_minor);
    make_sold(fixture, REFUND_ORDER, -amount_minor);
    sweep_all(fixture);
    return id;
}

static void a_refund_that_is_not_shown_is_taken_back_once(void **state)
{
    struct fixture *fixture = *state;
    int64_t id = lost_refund(fixture, 2000);
    start(fixture);
    (void)await_reversed(fixture, id);
    await_quiet(fixture, REFUND_ORDER);
    assert_int_equal(balance_of(fixture, 0), BALANCE - 5000);
    again(fixture, REFUND_ORDER);
    await_quiet(fixture, REFUND_ORDER);
    assert_int_equal(balance_of(fixture, 0), BALANCE - 5000);
    assert_int_equal(answers_of(fixture, id), 1);
    assert_int_equal(difference_of(fixture), 0);
}

static void a_refund_that_is_shown_late_is_given_again(void **state)
{
    struct fixture *fixture = *state;
    int64_t id = lost_refund(fixture, 2000);
    start(fixture);
    (void)await_reversed(fixture, id);
    unpay(fixture, REFUND_ORDER);
    pay(fixture, REFUND_ORDER, METHOD, -2000, id);
    again(fixture, REFUND_ORDER);
    (void)await_confirmed(fixture, id);
    assert_int_equal(balance_of(fixture, 0), BALANCE - 3000);
    assert_int_equal(difference_of(fixture), 0);
}

/* What the refund gave was taken back, and then the register shows its sale no more either. */
static void lose_the_sale_too(struct fixture *fixture, int64_t refunded_minor)
{
    int64_t id = lost_refund(fixture, refunded_minor);
    int64_t sale = id - 1;
    start(fixture);
    (void)await_reversed(fixture, id);
    (void)await_confirmed(fixture, sale);
    stop(fixture);
    assert_int_equal(balance_of(fixture, 0), BALANCE - 5000);
    unpay(fixture, ORDER);
    pay(fixture, ORDER, CASH, 5000, 0);
    ask(fixture, ORDER);
    start(fixture);
    (void)await_reversed(fixture, sale);
    await_quiet(fixture, REFUND_ORDER);
    (void)await_reversed(fixture, id);
    assert_int_equal(balance_of(fixture, 0), BALANCE);
    assert_int_equal(difference_of(fixture), 0);
}

static void a_refund_that_was_taken_back_is_given_again_when_its_sale_goes(void **state)
{
    lose_the_sale_too(*state, 5000);
}

static void a_partial_refund_that_was_taken_back_is_given_again_when_its_sale_goes(void **state)
{
    lose_the_sale_too(*state, 2000);
}

static void and_is_taken_back_when_the_sale_is_shown_again(void **state)
{
    struct fixture *fixture = *state;
    lose_the_sale_too(fixture, 5000);
    stop(fixture);
    unpay(fixture, ORDER);
    pay(fixture, ORDER, METHOD, 5000, 0);
    ask(fixture, ORDER);
    start(fixture);
    int64_t until_us = clock_monotonic_us() + PATIENCE_US;
    while (balance_of(fixture, 0) != BALANCE - 5000 && clock_monotonic_us() < until_us)
        usleep(2000);
    await_quiet(fixture, REFUND_ORDER);
    assert_int_equal(balance_of(fixture, 0), BALANCE - 5000);
    assert_int_equal(difference_of(fixture), 0);
}

static void a_refund_that_was_spent_is_listed(void **state)
{
    struct fixture *fixture = *state;
    int64_t id = lost_refund(fixture, 2000);
    (void)charge(fixture, 0, OTHER_ORDER, BALANCE - 3000 - 500);
    make_order(fixture, OTHER_ORDER, BALANCE);
    start(fixture);
    struct proof_facts facts = await(fixture, id, PROOF_LISTED, PROOF_REASON_CREDIT_SPENT);
    assert_int_equal(facts.recharged_minor, 500);
    assert_int_equal(balance_of(fixture, 0), 0);
}

static void a_refund_of_a_charge_that_is_not_shown_either_undoes_it(void **state)
{
    struct fixture *fixture = *state;
    int64_t sale = charge(fixture, 0, ORDER, 5000);
    int64_t id = refund(fixture, 0, REFUND_ORDER, ORDER, 2000);
    make_sold(fixture, ORDER, 5000);
    make_sold(fixture, REFUND_ORDER, -2000);
    sweep_all(fixture);
    start(fixture);
    (void)await_reversed(fixture, sale);
    (void)await_reversed(fixture, id);
    assert_int_equal(balance_of(fixture, 0), BALANCE);
    assert_int_equal(difference_of(fixture), 0);
}

/* A refund gives back the newest charge first: 1000 of the second, 2000 of the first. Nobody knows
 * of it, and of one of the charges neither. */
static void refund_both(struct fixture *fixture, bool is_first_shown)
{
    int64_t first = charge(fixture, 0, ORDER, 5000);
    int64_t second = charge(fixture, 0, ORDER, 1000);
    int64_t id = refund(fixture, 0, REFUND_ORDER, ORDER, 3000);
    make_order(fixture, ORDER, 6000);
    pay(fixture, ORDER, METHOD, is_first_shown ? 5000 : 1000, is_first_shown ? first : second);
    pay(fixture, ORDER, CASH, is_first_shown ? 1000 : 5000, 0);
    set_status(fixture, ORDER, ORDER_COMPLETE);
    make_sold(fixture, REFUND_ORDER, -3000);
    sweep_all(fixture);
    start(fixture);
    (void)await_confirmed(fixture, is_first_shown ? first : second);
    (void)await_reversed(fixture, is_first_shown ? second : first);
    (void)await_reversed(fixture, id);
    again(fixture, REFUND_ORDER);
    await_quiet(fixture, REFUND_ORDER);
    assert_int_equal(balance_of(fixture, 0), BALANCE - (is_first_shown ? 5000 : 1000));
    assert_int_equal(answers_of(fixture, id), 1);
    assert_int_equal(difference_of(fixture), 0);
    assert_int_equal(open_items_of(fixture), 0);
}

static void of_a_refund_only_the_part_of_a_shown_charge_is_taken_back(void **state)
{
    refund_both(*state, false);
}

static void of_a_refund_only_the_part_of_a_shown_older_charge_is_taken_back(void **state)
{
    refund_both(*state, true);
}

/* The refund is of the first charge; the ledger, which could not ask, gave back the newest ones
 * first, and one of those is what nobody knows of. */
static void what_a_refund_gave_of_a_lost_charge_is_given_of_the_charge_that_it_was_of(void **state)
{
    struct fixture *fixture = *state;
    int64_t first = charge(fixture, 0, ORDER, 3916);
    int64_t lost = charge(fixture, 0, ORDER, 1560);
    int64_t last = charge(fixture, 0, ORDER, 371);
    int64_t back = refund(fixture, 0, ORDER, 0, 3916);
    make_order(fixture, ORDER, 8488);
    pay(fixture, ORDER, METHOD, 3916, first);
    pay(fixture, ORDER, METHOD, 371, last);
    pay(fixture, ORDER, METHOD, -3916, back);
    pay(fixture, ORDER, CASH, 8488 - 371, 0);
    set_status(fixture, ORDER, ORDER_COMPLETE);
    sweep_all(fixture);
    start(fixture);
    (void)await_confirmed(fixture, first);
    (void)await_confirmed(fixture, last);
    (void)await_confirmed(fixture, back);
    (void)await_reversed(fixture, lost);
    for (int i = 0; i < 2; i++) {
        await_quiet(fixture, ORDER);
        assert_int_equal(balance_of(fixture, 0), BALANCE - 371);
        assert_int_equal(difference_of(fixture), 0);
        assert_int_equal(open_items_of(fixture), 0);
        again(fixture, ORDER);
    }
}

static enum proof_state state_of(const struct fixture *fixture, int64_t operation_id)
{
    struct proof_facts facts;
    int err = store_read_proof(fixture->look, operation_id, &facts);
    return err == 0 ? facts.proof.state : PROOF_OPEN;
}

/* The second was asked for because the answer to the first was lost, and gave of a lost charge. */
static void a_refund_made_twice_is_the_one_whose_charge_is_shown(void **state)
{
    struct fixture *fixture = *state;
    int64_t lost = charge(fixture, 0, ORDER, 1817);
    int64_t sale = charge(fixture, 0, ORDER, 672);
    int64_t first = refund(fixture, 0, REFUND_ORDER, ORDER, 672);
    int64_t second = refund(fixture, 0, REFUND_ORDER, ORDER, 672);
    make_order(fixture, ORDER, 2489);
    pay(fixture, ORDER, METHOD, 672, sale);
    pay(fixture, ORDER, CASH, 1817, 0);
    set_status(fixture, ORDER, ORDER_COMPLETE);
    make_order(fixture, REFUND_ORDER, -672);
    pay(fixture, REFUND_ORDER, METHOD, -672, second);
    set_status(fixture, REFUND_ORDER, ORDER_COMPLETE);
    sweep_all(fixture);
    start(fixture);
    (void)await_confirmed(fixture, sale);
    int64_t until_us = clock_monotonic_us() + PATIENCE_US;
    while (state_of(fixture, second) != PROOF_REVERSED || open_items_of(fixture) != 0) {
        assert_true(clock_monotonic_us() < until_us);
        usleep(2000);
    }
    await_quiet(fixture, ORDER);
    await_quiet(fixture, REFUND_ORDER);
    (void)await_reversed(fixture, lost);
    (void)await_confirmed(fixture, first);
    assert_int_equal(balance_of(fixture, 0), BALANCE);
    assert_int_equal(difference_of(fixture), 0);
    assert_int_equal(open_items_of(fixture), 0);
}

/* The sale above, as it has ended: the first charge has stood in for the lost one. */
static void play_stand_in(struct fixture *fixture, int64_t ids[3])
{
    ids[0] = charge(fixture, 0, ORDER, 3900);
    ids[1] = charge(fixture, 0, ORDER, 1500);
    ids[2] = refund(fixture, 0, ORDER, 0, 1500);
    make_order(fixture, ORDER, 9000);
    pay(fixture, ORDER, METHOD, 3900, ids[0]);
    pay(fixture, ORDER, METHOD, -1500, ids[2]);
    pay(fixture, ORDER, CASH, 6600, 0);
    set_status(fixture, ORDER, ORDER_COMPLETE);
    sweep_all(fixture);
    start(fixture);
    (void)await_confirmed(fixture, ids[0]);
    (void)await_confirmed(fixture, ids[2]);
    (void)await_reversed(fixture, ids[1]);
    await_quiet(fixture, ORDER);
    assert_int_equal(balance_of(fixture, 0), BALANCE - 3900 + 1500);
    assert_int_equal(open_items_of(fixture), 0);
}

static void a_refund_that_goes_after_a_charge_stood_in_is_taken_back(void **state)
{
    struct fixture *fixture = *state;
    int64_t ids[3];
    play_stand_in(fixture, ids);
    unpay(fixture, ORDER);
    pay(fixture, ORDER, METHOD, 3900, ids[0]);
    pay(fixture, ORDER, CASH, 5100, 0);
    again(fixture, ORDER);
    (void)await_reversed(fixture, ids[2]);
    await_quiet(fixture, ORDER);
    assert_int_equal(balance_of(fixture, 0), BALANCE - 3900);
    assert_int_equal(difference_of(fixture), 0);
    assert_int_equal(open_items_of(fixture), 0);
}

static void a_late_payment_of_what_another_charge_stood_in_for_is_charged_again(void **state)
{
    struct fixture *fixture = *state;
    int64_t ids[3];
    play_stand_in(fixture, ids);
    pay(fixture, ORDER, METHOD, 1500, ids[1]);
    again(fixture, ORDER);
    (void)await_confirmed(fixture, ids[1]);
    await_quiet(fixture, ORDER);
    assert_int_equal(balance_of(fixture, 0), BALANCE - 3900);
    assert_int_equal(difference_of(fixture), 0);
    assert_int_equal(open_items_of(fixture), 0);
}

/* --- other orders ---------------------------------------------------------------------------- */

static void a_payment_that_went_to_another_order_is_confirmed_there(void **state)
{
    struct fixture *fixture = *state;
    int64_t id = charge(fixture, 0, ORDER, 5000);
    int64_t own = charge(fixture, 1, OTHER_ORDER, 1000);
    make_order(fixture, ORDER, 5000);
    find_order(fixture, ORDER)->is_deleted = true;
    make_order(fixture, OTHER_ORDER, 6000);
    pay(fixture, OTHER_ORDER, METHOD, 1000, own);
    pay(fixture, OTHER_ORDER, METHOD, 5000, id);
    set_status(fixture, OTHER_ORDER, ORDER_COMPLETE);
    sweep_all(fixture);
    start(fixture);
    struct proof proof = await_confirmed(fixture, id);
    assert_true(proof.shown_order_id == OTHER_ORDER && proof.payment_number == 2);
    (void)await_confirmed(fixture, own);
    await_quiet(fixture, ORDER);
    assert_int_equal(balance_of(fixture, 0), BALANCE - 5000);
    assert_int_equal(difference_of(fixture), 0);
}

static void a_payment_that_goes_from_another_order_is_missed_on_its_own(void **state)
{
    struct fixture *fixture = *state;
    int64_t id = charge(fixture, 0, ORDER, 5000);
    make_sold(fixture, ORDER, 5000);
    make_order(fixture, OTHER_ORDER, 5000);
    pay(fixture, OTHER_ORDER, METHOD, 5000, id);
    ask(fixture, OTHER_ORDER);
    start(fixture);
    assert_true(await_confirmed(fixture, id).shown_order_id == OTHER_ORDER);
    stop(fixture);
    unpay(fixture, OTHER_ORDER);
    sweep_all(fixture);
    ask(fixture, OTHER_ORDER);
    start(fixture);
    (void)await_reversed(fixture, id);
    assert_int_equal(balance_of(fixture, 0), BALANCE);
    assert_int_equal(payments_of(fixture, OTHER_ORDER).count, 0);
}

static void changed(struct fixture *fixture, int64_t order_id)
{
    struct work work =
        work_make(fixture->tenant.id, WORK_ORDER_CHANGED, order_id, order_id, clock_steady_us());
    assert_int_equal(store_open_work(fixture->writer, &work), 0);
}

static void what_goes_from_another_order_is_missed_by_its_webhook(void **state)
{
    struct fixture *fixture = *state;
    int64_t id = charge(fixture, 0, ORDER, 5000);
    make_order(fixture, ORDER, 5000);
    find_order(fixture, ORDER)->is_deleted = true;
    make_order(fixture, OTHER_ORDER, 5000);
    pay(fixture, OTHER_ORDER, METHOD, 5000, id);
    set_status(fixture, OTHER_ORDER, ORDER_COMPLETE);
    changed(fixture, OTHER_ORDER);
    sweep_all(fixture);
    start(fixture);
    assert_true(await_confirmed(fixture, id).shown_order_id == OTHER_ORDER);
    await_quiet(fixture, OTHER_ORDER);
    stop(fixture);
    unpay(fixture, OTHER_ORDER); /* paid in cash after all */
    pay(fixture, OTHER_ORDER, CASH, 5000, 0);
    changed(fixture, OTHER_ORDER);
    start(fixture);
    (void)await_reversed(fixture, id);
    assert_int_equal(balance_of(fixture, 0), BALANCE);
    assert_int_equal(payments_of(fixture, OTHER_ORDER).count, 0);
}

/* No list of ended orders tells of it, and no webhook. */
static void an_open_order_that_shows_payments_of_others_is_looked_at_again(void **state)
{
    struct fixture *fixture = *state;
    fixture->times.open_listed_us = 100 * MS_US;
    int64_t id = charge(fixture, 0, ORDER, 5000);
    make_order(fixture, ORDER, 5000);
    find_order(fixture, ORDER)->is_deleted = true;
    make_order(fixture, OTHER_ORDER, 5000);
    pay(fixture, OTHER_ORDER, METHOD, 5000, id);
    ask(fixture, OTHER_ORDER);
    sweep_all(fixture);
    start(fixture);
    assert_true(await_confirmed(fixture, id).shown_order_id == OTHER_ORDER);
    unpay(fixture, OTHER_ORDER);
    (void)await_reversed(fixture, id);
    assert_int_equal(balance_of(fixture, 0), BALANCE);
    await_quiet(fixture, OTHER_ORDER);
}

static void a_late_payment_on_another_order_is_charged_again(void **state)
{
    struct fixture *fixture = *state;
    int64_t id = reversed_charge(fixture, 5000);
    make_order(fixture, OTHER_ORDER, 5000);
    pay(fixture, OTHER_ORDER, METHOD, 5000, id);
    again(fixture, OTHER_ORDER);
    assert_true(await_confirmed(fixture, id).shown_order_id == OTHER_ORDER);
    assert_int_equal(balance_of(fixture, 0), BALANCE - 5000);
}

static void a_payment_that_nobody_claims_is_kept_and_stops_a_reversal(void **state)
{
    struct fixture *fixture = *state;
    int64_t id = charge(fixture, 0, ORDER, 5000);
    make_sold(fixture, ORDER, 5000);
    make_order(fixture, OTHER_ORDER, 5000);
    pay(fixture, OTHER_ORDER, METHOD, 5000, 0);
    sweep_all(fixture);
    ask(fixture, OTHER_ORDER);
    start(fixture);
    (void)await(fixture, id, PROOF_LISTED, PROOF_REASON_ELSEWHERE);
    struct payments_seen seen = payments_of(fixture, OTHER_ORDER);
    assert_int_equal(seen.count, 1);
    assert_int_equal(seen.payments[0].operation_id, 0);
    assert_int_equal(balance_of(fixture, 0), BALANCE - 5000);
    assert_int_equal(difference_of(fixture), 0); /* 50.00 that nobody claims, 50.00 not shown */
}

/* The other order is open, so its work is too; but it was proved since it was read. */
static void what_a_payment_elsewhere_has_listed_is_given_back_when_that_has_gone(void **state)
{
    struct fixture *fixture = *state;
    int64_t ids[2];
    for (int i = 0; i < 2; i++) {
        ids[i] = charge(fixture, i, ORDER + i, 3000 + i);
        make_sold(fixture, ORDER + i, 5000);
    }
    make_order(fixture, OTHER_ORDER, 5000);
    pay(fixture, OTHER_ORDER, METHOD, 3000, 0);
    pay(fixture, OTHER_ORDER, METHOD, 3001, 0);
    sweep_all(fixture);
    changed(fixture, OTHER_ORDER);
    start(fixture);
    for (int i = 0; i < 2; i++)
        (void)await(fixture, ids[i], PROOF_LISTED, PROOF_REASON_ELSEWHERE);
    stop(fixture);
    unpay(fixture, OTHER_ORDER);
    pay(fixture, OTHER_ORDER, METHOD, 3500, 0); /* the first, corrected */
    changed(fixture, OTHER_ORDER);
    start(fixture);
    for (int i = 0; i < 2; i++) {
        (void)await_reversed(fixture, ids[i]);
        assert_int_equal(balance_of(fixture, i), BALANCE);
    }
}

static void hold(struct fixture *fixture, int at, int64_t order_id)
{
    fixture->api.held_orders[at] = order_id;
}

static void await_held(struct fixture *fixture, int at)
{
    int64_t until_us = clock_monotonic_us() + PATIENCE_US;
    for (bool is_held = false; !is_held; usleep(2000)) {
        pthread_mutex_lock(&fixture->api.mutex);
        is_held = fixture->api.held[at] != NULL;
        pthread_mutex_unlock(&fixture->api.mutex);
        assert_true(clock_monotonic_us() < until_us);
    }
}

static void release(struct fixture *fixture, int at)
{
    pthread_mutex_lock(&fixture->api.mutex);
    struct reply *reply = fixture->api.held[at];
    fixture->api.held_orders[at] = 0;
    fixture->api.held[at] = NULL;
    pthread_mutex_unlock(&fixture->api.mutex);
    outbound_post(fixture->outbound, &reply->message);
}

static void await_payments(struct fixture *fixture, int64_t order_id, int count)
{
    int64_t until_us = clock_monotonic_us() + PATIENCE_US;
    while (payments_of(fixture, order_id).count != count) {
        assert_true(clock_monotonic_us() < until_us);
        usleep(2000);
    }
}

/* Its look, which is not the first, is due. While the threads are stopped. */
static void make_due(struct fixture *fixture, int64_t order_id)
{
    struct work work = find_work(fixture, WORK_PROVE_ORDER, order_id).work;
    work.due_at_us = clock_steady_us();
    work.attempts = 1;
    assert_int_equal(store_update_work(fixture->writer, &work), 0);
}

/* All other orders were read just now. While the threads are stopped. */
static void put_sweep(struct fixture *fixture)
{
    int64_t now_us = clock_steady_us();
    struct sweep sweep = {
        .tenant_id = fixture->tenant.id, .begun_at_us = now_us, .finished_at_us = now_us};
    assert_int_equal(store_put_sweep(fixture->writer, &sweep), 0);
}

/* Nobody was listed when the payment went, so nobody is told of it. */
static void a_payment_that_goes_while_a_look_is_under_way_lists_nobody(void **state)
{
    struct fixture *fixture = *state;
    int64_t id = charge(fixture, 0, ORDER, 5000);
    make_sold(fixture, ORDER, 5000);
    make_order(fixture, OTHER_ORDER, 5000);
    pay(fixture, OTHER_ORDER, METHOD, 5000, 0);
    ask(fixture, OTHER_ORDER);
    start(fixture);
    (void)await(fixture, id, PROOF_OPEN, PROOF_REASON_NOT_SWEPT);
    await_payments(fixture, OTHER_ORDER, 1);
    stop(fixture);
    put_sweep(fixture);
    unpay(fixture, OTHER_ORDER);
    hold(fixture, 0, ORDER);
    hold(fixture, 1, OTHER_ORDER);
    make_due(fixture, ORDER);
    make_due(fixture, OTHER_ORDER);
    start(fixture);
    await_held(fixture, 0);
    await_held(fixture, 1);
    release(fixture, 1);
    await_payments(fixture, OTHER_ORDER, 0);
    release(fixture, 0);
    (void)await_reversed(fixture, id);
    assert_int_equal(balance_of(fixture, 0), BALANCE);
}

/* A process that was stopped with the reply in its hands looks at what was true when it asked. */
static void a_look_is_as_old_as_its_question(void **state)
{
    struct fixture *fixture = *state;
    fixture->times.reread_us = 1500 * MS_US;
    int64_t id = charge(fixture, 0, ORDER, 5000);
    make_sold(fixture, ORDER, 5000);
    start(fixture);
    (void)await(fixture, id, PROOF_OPEN, PROOF_REASON_SEEN_MISSING);
    stop(fixture);
    put_sweep(fixture);
    hold(fixture, 0, ORDER);
    make_due(fixture, ORDER);
    start(fixture);
    await_held(fixture, 0);
    usleep(1600 * 1000);
    release(fixture, 0);
    (void)await_reversed(fixture, id);
    assert_true(fixture->api.order_reads >= 3);
}

static void what_was_read_under_a_duty_that_has_ended_is_not_judged(void **state)
{
    struct fixture *fixture = *state;
    int64_t id = charge(fixture, 0, ORDER, 5000);
    make_order(fixture, ORDER, 5000);
    pay(fixture, ORDER, METHOD, 5000, id);
    hold(fixture, 0, ORDER);
    fixture->shares_duty = true;
    start(fixture);
    await_held(fixture, 0);
    duty_give_up(fixture->duty, fixture->look); /* another process has it */
    release(fixture, 0);
    stop(fixture);
    assert_int_equal(payments_of(fixture, ORDER).count, 0);
    struct proof_facts facts;
    assert_int_equal(store_read_proof(fixture->look, id, &facts), 0);
    assert_int_equal(facts.proof.state, PROOF_OPEN);
    assert_int_equal(find_work(fixture, WORK_PROVE_ORDER, ORDER).work.state, WORK_OPEN);
    assert_int_equal(find_work(fixture, WORK_PROVE_ORDER, ORDER).work.attempts, 0);
    start(fixture); /* whoever has it now looks again */
    (void)await(fixture, id, PROOF_CONFIRMED, PROOF_REASON_NONE);
}

/* --- what a look reads of the store is of one moment: a backend that watches --- */

static const struct store_backend *watched;
static struct store_backend watching;
static struct store_backend_proofs watching_proofs;
static _Atomic int reads_begun, reads_of_no_moment;

static int watch_begin(struct store *store)
{
    atomic_store(&reads_begun, 1);
    return watched->begin_read(store);
}

static void watch_end(struct store *store)
{
    atomic_store(&reads_begun, 0);
    watched->end_read(store);
}

static int watch_answers(struct store *store, int64_t operation_id, store_operation_fn each,
                         void *context)
{
    if (atomic_load(&reads_begun) == 0)
        atomic_fetch_add(&reads_of_no_moment, 1);
    return watched->proofs->each_answer(store, operation_id, each, context);
}

static void watch(struct store *reader)
{
    watched = reader->backend;
    watching = *watched;
    watching_proofs = *watched->proofs;
    watching_proofs.each_answer = watch_answers;
    watching.proofs = &watching_proofs;
    watching.begin_read = watch_begin;
    watching.end_read = watch_end;
    reader->backend = &watching;
}

static void what_a_look_reads_is_of_one_moment(void **state)
{
    struct fixture *fixture = *state;
    watch(fixture->readers[0]);
    int64_t id = charge(fixture, 0, ORDER, 5000);
    make_sold(fixture, ORDER, 5000);
    sweep_all(fixture);
    start(fixture);
    (void)await_reversed(fixture, id);
    again(fixture, ORDER); /* reads the reversal, too */
    await_quiet(fixture, ORDER);
    assert_int_equal(atomic_load(&reads_of_no_moment), 0);
}

static void a_ref_of_nobody_is_not_claimed(void **state)
{
    struct fixture *fixture = *state;
    int64_t id = charge(fixture, 0, ORDER, 5000);
    make_order(fixture, ORDER, 6000);
    pay(fixture, ORDER, METHOD, 5000, id);
    pay(fixture, ORDER, METHOD, 1000, 4711);
    set_status(fixture, ORDER, ORDER_COMPLETE);
    start(fixture);
    (void)await_confirmed(fixture, id);
    struct payments_seen seen = payments_of(fixture, ORDER);
    assert_int_equal(seen.count, 2);
    assert_true(seen.payments[0].operation_id == id && seen.payments[1].operation_id == 0);
}

static void a_charge_without_an_order_is_listed_until_an_order_shows_it(void **state)
{
    struct fixture *fixture = *state;
    int64_t id = charge(fixture, 0, 0, 5000);
    start(fixture);
    (void)await(fixture, id, PROOF_LISTED, PROOF_REASON_NO_ORDER);
    make_order(fixture, ORDER, 5000);
    pay(fixture, ORDER, METHOD, 5000, id);
    again(fixture, ORDER);
    assert_true(await_confirmed(fixture, id).shown_order_id == ORDER);
    unpay(fixture, ORDER);
    again(fixture, ORDER);
    (void)await(fixture, id, PROOF_LISTED, PROOF_REASON_NO_ORDER);
    assert_int_equal(balance_of(fixture, 0), BALANCE - 5000);
}

/* --- listed ---------------------------------------------------------------------------------- */

static void two_cards_that_nothing_tells_apart_are_listed(void **state)
{
    struct fixture *fixture = *state;
    int64_t first = charge(fixture, 0, ORDER, 5000), second = charge(fixture, 1, ORDER, 5000);
    make_order(fixture, ORDER, 10000);
    pay(fixture, ORDER, METHOD, 5000, 0);
    pay(fixture, ORDER, CASH, 5000, 0);
    set_status(fixture, ORDER, ORDER_COMPLETE);
    sweep_all(fixture);
    start(fixture);
    (void)await(fixture, first, PROOF_LISTED, PROOF_REASON_AMBIGUOUS);
    (void)await(fixture, second, PROOF_LISTED, PROOF_REASON_AMBIGUOUS);
    assert_int_equal(balance_of(fixture, 0) + balance_of(fixture, 1), 2 * BALANCE - 10000);
    assert_int_equal(difference_of(fixture), -5000);
}

static void a_ref_tells_two_cards_apart(void **state)
{
    struct fixture *fixture = *state;
    int64_t first = charge(fixture, 0, ORDER, 5000), second = charge(fixture, 1, ORDER, 5000);
    make_order(fixture, ORDER, 10000);
    pay(fixture, ORDER, METHOD, 5000, second);
    pay(fixture, ORDER, CASH, 5000, 0);
    set_status(fixture, ORDER, ORDER_COMPLETE);
    sweep_all(fixture);
    start(fixture);
    (void)await_reversed(fixture, first);
    (void)await_confirmed(fixture, second);
    assert_int_equal(balance_of(fixture, 0), BALANCE);
    assert_int_equal(balance_of(fixture, 1), BALANCE - 5000);
}

static void an_order_that_cannot_be_read_is_listed_and_looked_at_again(void **state)
{
    struct fixture *fixture = *state;
    int64_t id = charge(fixture, 0, ORDER, 5000);
    fixture->times.open_listed_us = 100 * MS_US;
    start(fixture);
    (void)await(fixture, id, PROOF_LISTED, PROOF_REASON_UNREADABLE);
    pthread_mutex_lock(&fixture->api.mutex);
    make_order(fixture, ORDER, 5000);
    pthread_mutex_unlock(&fixture->api.mutex);
    pay(fixture, ORDER, METHOD, 5000, id);
    set_status(fixture, ORDER, ORDER_COMPLETE);
    (void)await_confirmed(fixture, id);
}

static void set_error(struct fixture *fixture, int error)
{
    pthread_mutex_lock(&fixture->api.mutex);
    fixture->api.error = error;
    pthread_mutex_unlock(&fixture->api.mutex);
}

static void an_error_that_passes_is_no_judgement(void **state)
{
    struct fixture *fixture = *state;
    fixture->times.open_listed_us = 1;
    int64_t first = charge(fixture, 0, ORDER, 5000);
    (void)charge(fixture, 1, ORDER, 5000);
    make_order(fixture, ORDER, 5000);
    pay(fixture, ORDER, METHOD, 5000, 0);
    set_status(fixture, ORDER, ORDER_COMPLETE);
    start(fixture);
    (void)await(fixture, first, PROOF_LISTED, PROOF_REASON_AMBIGUOUS);
    set_error(fixture, ERR_RATE_LIMITED);
    again(fixture, ORDER);
    await_read(fixture);
    await_read(fixture); /* again soon: what it is about was not judged */
    (void)await(fixture, first, PROOF_LISTED, PROOF_REASON_AMBIGUOUS);
    struct proof_facts facts;
    assert_int_equal(store_read_proof(fixture->look, first, &facts), 0);
    assert_int_equal(facts.proof.reason, PROOF_REASON_AMBIGUOUS);
}

static void an_error_that_does_not_pass_is_listed_and_asked_again(void **state)
{
    struct fixture *fixture = *state;
    fixture->times.open_listed_us = 1;
    int64_t id = charge(fixture, 0, ORDER, 5000);
    fixture->api.error = ERR_TIMED_OUT;
    start(fixture);
    await_read(fixture);
    await_read(fixture);
    stop(fixture);
    struct proof_facts facts;
    assert_int_equal(store_read_proof(fixture->look, id, &facts), 0);
    assert_int_equal(facts.proof.state, PROOF_OPEN);
    struct work work = find_work(fixture, WORK_PROVE_ORDER, ORDER).work;
    work.attempts = 5; /* some time later */
    work.due_at_us = clock_steady_us();
    assert_int_equal(store_update_work(fixture->writer, &work), 0);
    start(fixture);
    (void)await(fixture, id, PROOF_LISTED, PROOF_REASON_UNREADABLE);
    assert_int_equal(find_work(fixture, WORK_PROVE_ORDER, ORDER).work.state, WORK_OPEN);
}

static void a_merchant_who_is_not_connected_is_waited_for(void **state)
{
    struct fixture *fixture = *state;
    int64_t id = charge(fixture, 0, ORDER, 5000);
    fixture->api.error = ERR_NOT_CONNECTED;
    start(fixture);
    (void)await(fixture, id, PROOF_OPEN, PROOF_REASON_NOT_CONNECTED);
    assert_int_equal(find_work(fixture, WORK_PROVE_ORDER, ORDER).work.state, WORK_OPEN);
}

static void an_open_order_is_waited_for_and_listed(void **state)
{
    struct fixture *fixture = *state;
    int64_t id = charge(fixture, 0, ORDER, 5000);
    make_order(fixture, ORDER, 5000);
    sweep_all(fixture);
    start(fixture);
    (void)await(fixture, id, PROOF_OPEN, PROOF_REASON_ORDER_OPEN);
    stop(fixture);
    fixture->times.open_listed_us = 20 * MS_US;
    ask(fixture, ORDER);
    start(fixture);
    (void)await(fixture, id, PROOF_LISTED, PROOF_REASON_ORDER_OPEN);
    assert_int_equal(balance_of(fixture, 0), BALANCE - 5000);
}

/* --- loads ----------------------------------------------------------------------------------- */

static void a_load_stands_and_falls_with_its_sale(void **state)
{
    struct fixture *fixture = *state;
    int64_t id = run(fixture, command_of(ACTION_TOP_UP, 0, ORDER, 5000)).operation_id;
    make_sold(fixture, ORDER, 5000);
    sweep_all(fixture);
    start(fixture);
    (void)await_confirmed(fixture, id);
    await_quiet(fixture, ORDER);
    stop(fixture);
    find_order(fixture, ORDER)->is_deleted = true;
    ask(fixture, ORDER);
    start(fixture);
    (void)await(fixture, id, PROOF_LISTED, PROOF_REASON_SALE_DELETED);
    assert_int_equal(balance_of(fixture, 0), BALANCE + 5000);
}

/* --- the scan -------------------------------------------------------------------------------- */

static void more_operations_than_one_scan_takes_are_all_proved(void **state)
{
    struct fixture *fixture = *state;
    int64_t last = 0;
    for (int i = 0; i < PROOF_SCAN_MAX + 50; i++)
        last = charge(fixture, 0, ORDER, 1);
    start(fixture);
    (void)await(fixture, last, PROOF_OPEN, PROOF_REASON_UNREADABLE);
    struct proof_totals totals;
    assert_int_equal(store_read_proof_totals(fixture->look, fixture->tenant.id, 0, 0, &totals), 0);
    assert_int_equal(totals.operations, PROOF_SCAN_MAX + 50);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_payment_with_its_ref_is_confirmed_and_kept),
        TEST(a_payment_without_a_ref_is_confirmed_by_its_amount),
        TEST(what_is_confirmed_on_an_open_order_is_looked_at_again),
        TEST(cash_instead_is_given_back_once),
        TEST(nothing_is_given_back_before_the_other_orders_were_read),
        TEST(the_sweeps_of_many_merchants_leave_room_for_money),
        TEST(a_sweep_of_a_clock_that_was_ahead_does_not_count),
        TEST(nothing_is_given_back_while_another_order_waits_to_be_read),
        TEST(what_was_found_counts_before_it_is_proved),
        TEST(a_confirmed_payment_that_is_told_of_again_stays_confirmed),
        TEST(what_we_are_still_to_book_is_not_given_back),
        TEST(a_merged_bill_is_not_given_back_where_nothing_tells_our_payments),
        TEST(a_refund_on_an_order_of_its_own_is_not_taken_back_either),
        TEST(a_ref_that_was_seen_before_tells_them_as_well),
        TEST(a_crash_between_the_reversal_and_its_note_reverses_once),
        TEST(what_a_cashier_gave_back_is_not_given_back_again),
        TEST(what_a_cashier_gave_back_on_the_same_order_is_settled),
        TEST(a_part_that_a_cashier_gave_back_on_the_same_order_is_settled),
        TEST(what_a_cashier_gave_back_elsewhere_is_settled_whichever_is_read_first),
        TEST(what_a_cashier_gave_back_elsewhere_is_settled_also_sale_first),
        TEST(a_deleted_order_gives_back_all_that_was_paid_on_it),
        TEST(a_payment_that_goes_after_it_was_confirmed_is_given_back),
        TEST(a_late_payment_is_charged_again_once),
        TEST(what_came_late_and_goes_again_is_given_back_again),
        TEST(a_late_payment_takes_what_is_left_and_the_rest_is_listed),
        TEST(a_late_payment_finds_an_empty_card),
        TEST(a_refund_that_is_not_shown_is_taken_back_once),
        TEST(a_refund_that_is_shown_late_is_given_again),
        TEST(a_refund_that_was_taken_back_is_given_again_when_its_sale_goes),
        TEST(a_partial_refund_that_was_taken_back_is_given_again_when_its_sale_goes),
        TEST(and_is_taken_back_when_the_sale_is_shown_again),
        TEST(a_refund_that_was_spent_is_listed),
        TEST(a_refund_of_a_charge_that_is_not_shown_either_undoes_it),
        TEST(of_a_refund_only_the_part_of_a_shown_charge_is_taken_back),
        TEST(of_a_refund_only_the_part_of_a_shown_older_charge_is_taken_back),
        TEST(what_a_refund_gave_of_a_lost_charge_is_given_of_the_charge_that_it_was_of),
        TEST(a_refund_made_twice_is_the_one_whose_charge_is_shown),
        TEST(a_refund_that_goes_after_a_charge_stood_in_is_taken_back),
        TEST(a_late_payment_of_what_another_charge_stood_in_for_is_charged_again),
        TEST(a_payment_that_went_to_another_order_is_confirmed_there),
        TEST(a_payment_that_goes_from_another_order_is_missed_on_its_own),
        TEST(what_goes_from_another_order_is_missed_by_its_webhook),
        TEST(an_open_order_that_shows_payments_of_others_is_looked_at_again),
        TEST(a_late_payment_on_another_order_is_charged_again),
        TEST(a_payment_that_nobody_claims_is_kept_and_stops_a_reversal),
        TEST(what_a_payment_elsewhere_has_listed_is_given_back_when_that_has_gone),
        TEST(a_payment_that_goes_while_a_look_is_under_way_lists_nobody),
        TEST(a_look_is_as_old_as_its_question),
        TEST(what_a_look_reads_is_of_one_moment),
        TEST(what_was_read_under_a_duty_that_has_ended_is_not_judged),
        TEST(a_ref_of_nobody_is_not_claimed),
        TEST(a_charge_without_an_order_is_listed_until_an_order_shows_it),
        TEST(two_cards_that_nothing_tells_apart_are_listed),
        TEST(a_ref_tells_two_cards_apart),
        TEST(an_order_that_cannot_be_read_is_listed_and_looked_at_again),
        TEST(an_error_that_passes_is_no_judgement),
        TEST(an_error_that_does_not_pass_is_listed_and_asked_again),
        TEST(a_merchant_who_is_not_connected_is_waited_for),
        TEST(an_open_order_is_waited_for_and_listed),
        TEST(a_load_stands_and_falls_with_its_sale),
        TEST(more_operations_than_one_scan_takes_are_all_proved),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
