/*
 * The inbox on real threads and a real store, against a Lightspeed that this file plays: what an
 * order is when it is read decides what follows, and nothing else does.
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
#include <stdatomic.h>

#include "base/clock.h"
#include "lightspeed/inbox.h"
#include "store/foreign.h"
#include "store/verify.h"
#include "runtime/errand.h"

#define ORDER INT64_C(2802065908)
#define REFUND_ORDER INT64_C(2802065950)
#define CUSTOMER 389427
#define CARDS 3
#define MARK "CP-R1-01234567" /* of the one reservation */
#define UNPAID                                                                                     \
    "reservation 1: its reward is on the completed order, and its 100 points were returned"
#define UNDER_WAY "a redemption on the order is not settled yet"
#define NOT_READABLE "not an order that this merchant's grant can read"
#define PATIENCE_US (INT64_C(8) * CLOCK_US_PER_S)
#define MINUTE_US (INT64_C(60) * CLOCK_US_PER_S)

/* --- the Lightspeed of this test ------------------------------------------------------------- */

#define PLAYED_ORDERS 4

struct played_order {
    struct oseries_order order;
    struct api_result result; /* error 0: it is there */
};

struct oseries_api {
    struct outbound *outbound;
    pthread_mutex_t mutex; /* the test writes while the outbound thread reads */
    struct played_order orders[PLAYED_ORDERS];
    int order_count;
    struct api_result customer_result;
    int64_t customer_delay_us;
    bool is_deleted_before_customer; /* the first order is deleted while a customer is read */
    char reference_id[65];
    struct api_result payment_result, webhooks_result;
    bool payment_is_booked; /* also when its result is a failure */
    bool keeps_no_ref;      /* of payments */
    int order_reads, payments_posted, webhook_calls;
    struct committer *committer;
    struct command meanwhile; /* decided while the next order is read */
    struct store *elsewhere;  /* another process, that takes work 1 while an order is read; NULL */
    int64_t paid_minor;
    char ref[ORDER_REF_MAX + 1];
    char topics[200], address[300];
};

/* Replies come later, never from inside the call. */
struct reply {
    struct outbound_message message;
    struct outbound_timer timer;
    struct api_result result;
    struct oseries_order order;
    struct oseries_customer customer;
    api_order_fn on_order;
    api_customer_fn on_customer;
    api_done_fn on_done;
    void *context;
};

static void reply_arrive(void *context)
{
    struct reply *reply = context;
    bool is_fine = reply->result.error == 0;
    if (reply->on_order != NULL)
        reply->on_order(reply->context, &reply->result, is_fine ? &reply->order : NULL);
    else if (reply->on_customer != NULL)
        reply->on_customer(reply->context, &reply->result, is_fine ? &reply->customer : NULL);
    else
        reply->on_done(reply->context, &reply->result);
    free(reply);
}

static struct reply *reply_create(struct api_result result, void *context)
{
    struct reply *reply = calloc(1, sizeof(*reply));
    assert_non_null(reply);
    reply->result = result;
    reply->context = context;
    reply->message.fn = reply_arrive;
    reply->message.context = reply;
    return reply;
}

static void on_meanwhile(struct errand *errand)
{
    assert_int_equal(errand->job.error, 0);
    assert_int_equal(errand->job.outcome.result, RESULT_OK);
    reply_arrive(errand->context);
}

static void reply_after(struct oseries_api *api, struct reply *reply)
{
    struct errand *errand = errand_create(api->outbound, 0);
    assert_non_null(errand);
    errand->job.command = api->meanwhile;
    api->meanwhile = (struct command){0};
    errand_command(errand, api->committer, on_meanwhile, reply);
}

static void assert_call(const struct api_call *call)
{
    assert_int_equal(call->priority, API_BACKGROUND);
    assert_true(call->deadline_us > clock_monotonic_us());
}

#define TAKEN_UNTIL_US (INT64_C(3600) * CLOCK_US_PER_S)

static void take_elsewhere(struct store *store)
{
    struct work work = {
        .id = 1, .state = WORK_OPEN, .due_at_us = clock_steady_us() + TAKEN_UNTIL_US};
    assert_int_equal(store_take_work(store, &work), 0);
}

void oseries_api_get_order(struct oseries_api *api, const struct api_call *call, int64_t order_id,
                           api_order_fn on_done, void *context)
{
    struct reply *reply =
        reply_create((struct api_result){.error = ERR_NOT_FOUND, .status = 404}, context);
    assert_call(call);
    if (api->elsewhere != NULL)
        take_elsewhere(api->elsewhere);
    pthread_mutex_lock(&api->mutex);
    api->order_reads++;
    for (int i = 0; i < api->order_count; i++) {
        if (api->orders[i].order.id != order_id)
            continue;
        reply->result = api->orders[i].result;
        reply->order = api->orders[i].order;
    }
    pthread_mutex_unlock(&api->mutex);
    reply->on_order = on_done;
    if (api->meanwhile.action != 0)
        reply_after(api, reply);
    else
        outbound_post(api->outbound, &reply->message);
}

void oseries_api_get_customer(struct oseries_api *api, const struct api_call *call,
                              int64_t customer_id, api_customer_fn on_done, void *context)
{
    struct reply *reply = reply_create(api->customer_result, context);
    assert_call(call);
    assert_int_equal(customer_id, CUSTOMER);
    reply->customer.id = customer_id;
    memcpy(reply->customer.reference_id, api->reference_id, sizeof(api->reference_id));
    reply->on_customer = on_done;
    pthread_mutex_lock(&api->mutex);
    api->orders[0].order.is_deleted |= api->is_deleted_before_customer;
    pthread_mutex_unlock(&api->mutex);
    outbound_set_timer(api->outbound, &reply->timer, clock_monotonic_us() + api->customer_delay_us,
                       reply_arrive, reply);
}

static void book_payment(struct oseries_api *api, int64_t order_id, int64_t amount_minor,
                         const char *ref)
{
    for (int i = 0; i < api->order_count; i++) {
        struct oseries_order *order = &api->orders[i].order;
        if (order->id != order_id)
            continue;
        struct order_payment *payment = &order->payments[order->payment_count++];
        payment->amount_minor = amount_minor;
        snprintf(payment->ref, sizeof(payment->ref), "%s", ref);
    }
}

void oseries_api_post_payment(struct oseries_api *api, const struct api_call *call,
                              int64_t order_id, int64_t amount_minor, const char *ref,
                              api_done_fn on_done, void *context)
{
    struct reply *reply = reply_create(api->payment_result, context);
    assert_call(call);
    pthread_mutex_lock(&api->mutex);
    api->payments_posted++;
    api->paid_minor += amount_minor;
    snprintf(api->ref, sizeof(api->ref), "%s", ref);
    if (api->payment_is_booked)
        book_payment(api, order_id, amount_minor, api->keeps_no_ref ? "" : ref);
    pthread_mutex_unlock(&api->mutex);
    reply->on_done = on_done;
    outbound_post(api->outbound, &reply->message);
}

void oseries_api_ensure_webhooks(struct oseries_api *api, const struct api_call *call,
                                 const char *topics, const char *address, api_done_fn on_done,
                                 void *context)
{
    struct reply *reply = reply_create(api->webhooks_result, context);
    assert_call(call);
    pthread_mutex_lock(&api->mutex);
    api->webhook_calls++;
    snprintf(api->topics, sizeof(api->topics), "%s", topics);
    snprintf(api->address, sizeof(api->address), "%s", address);
    pthread_mutex_unlock(&api->mutex);
    reply->on_done = on_done;
    outbound_post(api->outbound, &reply->message);
}

/* Sweeps and notices are tested against the fake cloud (test_sweep.c). */
void oseries_api_list_orders(struct oseries_api *api, const struct api_call *call,
                             enum order_list list, int64_t created_since_us,
                             const struct api_page *from, api_order_page_fn on_done, void *context)
{
    (void)api, (void)call, (void)list, (void)created_since_us, (void)from;
    (void)on_done, (void)context;
    fail();
}

void oseries_api_post_notification(struct oseries_api *api, const struct api_call *call,
                                   int64_t order_id, const struct notice *notice,
                                   api_done_fn on_done, void *context)
{
    (void)api, (void)call, (void)order_id, (void)notice, (void)on_done, (void)context;
    fail();
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
    struct oseries_api api;
    struct tenant tenant;
    struct member member;
    struct reward reward;
    int64_t works; /* told apart by their number */
};

static void run(struct fixture *fixture, struct command command, struct outcome *outcome)
{
    struct batch *batch = batch_create();
    command.tenant_id = fixture->tenant.id;
    command.local_date = 20000;
    command.received_at_us = clock_steady_us();
    batch_add(batch, &command);
    assert_int_equal(store_fetch(fixture->writer, batch), 0);
    batch_decide(batch, clock_steady_us());
    assert_int_equal(store_commit(fixture->writer, batch), 0);
    assert_int_equal(batch->outcomes[0].result, RESULT_OK);
    if (outcome != NULL)
        *outcome = batch->outcomes[0];
    batch_destroy(batch);
}

static struct command command_of(const struct fixture *fixture, enum action action, int card,
                                 int64_t asked_minor)
{
    struct command command = {
        .action = action,
        .order_id = ORDER,
        .asked_minor = asked_minor,
        .policy = fixture->tenant.policy,
        .new_card = {
            .last4 = "2345", .status = CARD_ACTIVE, .number_sealed_size = 1, .key_version = 1}};
    memset(command.card_index, 1 + card, CARD_INDEX_BYTES);
    return command;
}

static int64_t balance_of(const struct fixture *fixture, int card)
{
    uint8_t index[CARD_INDEX_BYTES];
    struct card found;
    memset(index, 1 + card, sizeof(index));
    assert_int_equal(store_read_card(fixture->look, fixture->tenant.id, index, &found), 0);
    return found.balance_minor;
}

static int64_t points_of(const struct fixture *fixture)
{
    struct member member;
    assert_int_equal(
        store_read_member(fixture->look, fixture->tenant.id, fixture->member.id, &member), 0);
    return member.account.points;
}

static void run_points(struct fixture *fixture, struct points_command command,
                       struct points_outcome *outcome)
{
    command.tenant_id = fixture->tenant.id;
    command.member_id = fixture->member.id;
    assert_int_equal(store_run_points(fixture->writer, &command, clock_steady_us(), outcome), 0);
    assert_int_equal(outcome->result, POINTS_OK);
}

static int64_t reserve(struct fixture *fixture, enum points_action then)
{
    struct points_outcome outcome;
    run_points(fixture, (struct points_command){.action = POINTS_GRANT, .points = 500}, &outcome);
    run_points(fixture,
               (struct points_command){.action = POINTS_RESERVE,
                                       .points = 100,
                                       .order_id = ORDER,
                                       .reward_id = fixture->reward.id,
                                       .token_id = "0123456789abcdef0123456789abcdef"},
               &outcome);
    int64_t id = outcome.reservation.id;
    if (then != POINTS_RESERVE)
        run_points(fixture, (struct points_command){.action = then, .reservation_id = id},
                   &outcome);
    return id;
}

static enum reservation_state state_of(const struct fixture *fixture, int64_t reservation_id)
{
    struct reservation reservation;
    assert_int_equal(store_read_reservation(fixture->look, reservation_id, &reservation), 0);
    return reservation.state;
}

static struct work add_work(struct fixture *fixture, enum work_kind kind, int64_t subject_id,
                            int32_t attempts)
{
    struct work work =
        work_make(fixture->tenant.id, kind, subject_id, 1000 + fixture->works++, clock_steady_us());
    work.attempts = attempts;
    assert_int_equal(store_add_work(fixture->writer, &work), 0);
    return work;
}

static struct oseries_order *play_order(struct fixture *fixture, int64_t id,
                                        enum order_status status, int64_t total_minor)
{
    struct played_order *played = &fixture->api.orders[fixture->api.order_count++];
    assert_true(fixture->api.order_count <= PLAYED_ORDERS);
    played->order.id = id;
    played->order.status = status;
    played->order.total_minor = total_minor;
    played->order.price_variation_ppm = ORDER_ONE_PPM;
    played->order.customer_id = CUSTOMER;
    played->order.site_id = 923;
    return &played->order;
}

/* To pay orders that are not ours, without limits. */
static void approve(struct fixture *fixture)
{
    struct foreign_change change = {.tenant_id = fixture->tenant.id, .to.state = FOREIGN_REQUESTED};
    assert_int_equal(store_add_foreign_change(fixture->writer, &change), 0);
    change.to.state = FOREIGN_APPROVED;
    assert_int_equal(store_add_foreign_change(fixture->writer, &change), 0);
}

static void add_rows(struct fixture *fixture)
{
    struct tenant *tenant = &fixture->tenant;
    *tenant = (struct tenant){
        .name = "Test", .zone = "UTC", .oseries_company = 1, .profile = "default", TENANT_CHOICES};
    tenant->currency = (struct currency){"AUD", 2};
    memset(tenant->key, 'a', ID_KEY_CHARS);
    tenant->policy.top_up_is_held = true;
    tenant->policy.replay_window_us = REPLAY_WINDOW_US;
    assert_int_equal(store_add_tenant(fixture->writer, tenant), 0);
    approve(fixture);
    for (int i = 0; i < CARDS; i++)
        run(fixture, command_of(fixture, ACTION_ISSUE, i, 1000), NULL);
    fixture->member =
        (struct member){.tenant_id = tenant->id, .first_name = "David", .code = "M-1"};
    fixture->member.account.is_active = true;
    assert_int_equal(store_add_member(fixture->writer, &fixture->member), 0);
    fixture->reward = (struct reward){.tenant_id = tenant->id,
                                      .title = "$10 off",
                                      .points = 100,
                                      .effect = REWARD_MONEY_OFF,
                                      .amount_minor = 1000,
                                      .is_active = true};
    assert_int_equal(store_add_reward(fixture->writer, &fixture->reward), 0);
}

static int setup(void **state)
{
    static const uint8_t master[SEAL_KEY_BYTES] = {1};
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    assert_non_null(fixture);
    snprintf(fixture->folder, sizeof(fixture->folder), "/tmp/counterpart-inbox-XXXXXX");
    assert_non_null(mkdtemp(fixture->folder));
    snprintf(fixture->location, sizeof(fixture->location), "%s/store.db", fixture->folder);
    assert_int_equal(seal_from_bytes(master, &fixture->seal), 0);
    struct store_config config = {.location = fixture->location, .seal = fixture->seal};
    assert_int_equal(store_open(&config, STORE_WRITER, &fixture->writer), 0);
    add_rows(fixture);
    assert_int_equal(store_open(&config, STORE_READER, &fixture->readers[0]), 0);
    assert_int_equal(store_open(&config, STORE_READER, &fixture->look), 0);
    pthread_mutex_init(&fixture->api.mutex, NULL);
    memcpy(fixture->api.reference_id, "M-1", 4);
    *state = fixture;
    return 0;
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
    fixture->api.committer = fixture->committer;
    struct inbox_config config = {.outbound = fixture->outbound,
                                  .committer = fixture->committer,
                                  .reader = fixture->reader,
                                  .directory = fixture->directory,
                                  .api = &fixture->api,
                                  .public_url = "https://partner.example",
                                  .generation = 1};
    assert_int_equal(inbox_create(&config, &fixture->inbox), 0);
}

static void stop(struct fixture *fixture)
{
    outbound_drain(fixture->outbound);
    committer_stop(fixture->committer);
    reader_stop(fixture->reader);
    outbound_stop(fixture->outbound);
    inbox_destroy(fixture->inbox);
    outbound_destroy(fixture->outbound);
    committer_destroy(fixture->committer);
    reader_destroy(fixture->reader);
    directory_destroy(fixture->directory);
    fixture->inbox = NULL;
    fixture->outbound = NULL;
    fixture->committer = NULL;
    fixture->reader = NULL;
    fixture->directory = NULL;
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

/* --- waiting --- */

struct seen {
    int64_t id;
    struct work work;
    bool is_found;
};

static void on_work(void *context, const struct work *work)
{
    struct seen *seen = context;
    if (work->id != seen->id)
        return;
    seen->work = *work;
    seen->is_found = true;
}

/* Done work is shown to nobody, so what is not found has been done. */
static struct seen see(const struct fixture *fixture, int64_t work_id)
{
    struct seen seen = {.id = work_id};
    assert_int_equal(store_each_work(fixture->look, fixture->tenant.id, 100, on_work, &seen), 0);
    return seen;
}

static struct seen await(const struct fixture *fixture, const struct work *work)
{
    int64_t until_us = clock_monotonic_us() + PATIENCE_US;
    for (;;) {
        struct seen seen = see(fixture, work->id);
        if (!seen.is_found || seen.work.state != WORK_OPEN || seen.work.reason[0] != '\0')
            return seen;
        if (clock_monotonic_us() > until_us)
            fail_msg("work %d is not taken", (int)work->id);
        usleep(2000);
    }
}

static void assert_done(const struct fixture *fixture, const struct work *work)
{
    int64_t until_us = clock_monotonic_us() + PATIENCE_US;
    struct seen seen = await(fixture, work);
    while (seen.is_found && seen.work.state == WORK_OPEN && clock_monotonic_us() < until_us) {
        usleep(2000);
        seen = see(fixture, work->id);
    }
    if (seen.is_found)
        fail_msg("not done: %s", seen.work.reason);
}

static void assert_given_up(const struct fixture *fixture, const struct work *work,
                            const char *reason)
{
    struct seen seen = await(fixture, work);
    assert_true(seen.is_found);
    assert_string_equal(seen.work.reason, reason);
    assert_int_equal(seen.work.state, WORK_GIVEN_UP);
    assert_true(seen.work.ended_at_us > 0);
}

/* Open, with a reason, and due in about so long. */
static void assert_postponed(const struct fixture *fixture, const struct work *work,
                             const char *reason, int32_t attempts, int64_t least_us,
                             int64_t most_us)
{
    struct seen seen = await(fixture, work);
    assert_true(seen.is_found);
    assert_string_equal(seen.work.reason, reason);
    assert_int_equal(seen.work.state, WORK_OPEN);
    assert_int_equal(seen.work.attempts, attempts);
    int64_t in_us = seen.work.due_at_us - clock_steady_us();
    assert_true(in_us > least_us - CLOCK_US_PER_S && in_us <= most_us);
}

static int order_reads(struct fixture *fixture)
{
    pthread_mutex_lock(&fixture->api.mutex);
    int reads = fixture->api.order_reads;
    pthread_mutex_unlock(&fixture->api.mutex);
    return reads;
}

static struct inbox_counters counters_of(const struct fixture *fixture)
{
    struct inbox_counters counters;
    inbox_read_counters(fixture->inbox, &counters);
    return counters;
}

static int task_add(struct job *job, struct store *store)
{
    return store_add_work(store, *(struct work **)errand_data_of(job));
}

static void on_added(struct errand *errand)
{
    atomic_store((_Atomic bool *)errand->context, errand->job.error == 0);
}

struct posted {
    struct outbound_message message;
    struct fixture *fixture;
    struct work *work;
    _Atomic bool is_added;
};

static void on_posted_work(void *context)
{
    struct posted *posted = context;
    struct errand *errand = errand_create(posted->fixture->outbound, sizeof(posted->work));
    assert_non_null(errand);
    memcpy(errand_data(errand), &posted->work, sizeof(posted->work));
    errand_write(errand, posted->fixture->committer, task_add, on_added, &posted->is_added);
}

/* As a webhook would, while the threads run. */
static void post_work(struct fixture *fixture, struct work *work)
{
    struct posted posted = {.fixture = fixture, .work = work};
    int64_t until_us = clock_monotonic_us() + PATIENCE_US;
    posted.message.fn = on_posted_work;
    posted.message.context = &posted;
    outbound_post(fixture->outbound, &posted.message);
    while (!atomic_load(&posted.is_added) && clock_monotonic_us() < until_us)
        usleep(1000);
    assert_true(atomic_load(&posted.is_added));
    inbox_wake(fixture->inbox);
}

/* --- orders --- */

static void a_complete_order_releases_burns_and_earns_once(void **state)
{
    struct fixture *fixture = *state;
    run(fixture, command_of(fixture, ACTION_TOP_UP, 0, 5000), NULL);
    run(fixture, command_of(fixture, ACTION_TOP_UP, 0, 2000), NULL);
    run(fixture, command_of(fixture, ACTION_TOP_UP, 1, 300), NULL);
    int64_t reservation = reserve(fixture, POINTS_APPLY);
    play_order(fixture, ORDER, ORDER_COMPLETE, 4565)->price_fixed_variation_minor = -1000;
    struct work first = add_work(fixture, WORK_ORDER_CHANGED, ORDER, 0);
    struct work again = add_work(fixture, WORK_ORDER_CHANGED, ORDER, 0);
    start(fixture);
    assert_done(fixture, &first);
    assert_done(fixture, &again);
    assert_int_equal(balance_of(fixture, 0), 8000);
    assert_int_equal(balance_of(fixture, 1), 1300);
    assert_int_equal(balance_of(fixture, 2), 1000);
    assert_int_equal(state_of(fixture, reservation), RESERVATION_BURNED);
    assert_int_equal(points_of(fixture), 500 - 100 + 45);
    struct inbox_counters counters = counters_of(fixture);
    assert_int_equal(counters.done, 2);
    assert_int_equal(counters.released, 2);
    assert_int_equal(counters.earned, 1);
}

static void an_order_of_nobody_s_customer_earns_nothing(void **state)
{
    struct fixture *fixture = *state;
    memcpy(fixture->api.reference_id, "M-9", 4); /* no member of ours */
    play_order(fixture, ORDER, ORDER_COMPLETE, 4565);
    play_order(fixture, ORDER + 1, ORDER_COMPLETE, 4565)->customer_id = 0;
    struct work stranger = add_work(fixture, WORK_ORDER_CHANGED, ORDER, 0);
    struct work nobody = add_work(fixture, WORK_ORDER_CHANGED, ORDER + 1, 0);
    start(fixture);
    assert_done(fixture, &stranger);
    assert_done(fixture, &nobody);
    assert_int_equal(points_of(fixture), 0);
}

static void a_customer_that_is_gone_does_not_hold_up_the_rest(void **state)
{
    struct fixture *fixture = *state;
    run(fixture, command_of(fixture, ACTION_TOP_UP, 0, 5000), NULL);
    fixture->api.customer_result = (struct api_result){.error = ERR_NOT_FOUND, .status = 404};
    play_order(fixture, ORDER, ORDER_COMPLETE, 4565);
    struct work work = add_work(fixture, WORK_ORDER_CHANGED, ORDER, 0);
    start(fixture);
    assert_done(fixture, &work);
    assert_int_equal(balance_of(fixture, 0), 6000);
    assert_int_equal(points_of(fixture), 0);
}

static void money_does_not_wait_for_a_customer_that_cannot_be_read(void **state)
{
    struct fixture *fixture = *state;
    run(fixture, command_of(fixture, ACTION_TOP_UP, 0, 5000), NULL);
    fixture->api.customer_result = (struct api_result){.error = ERR_BAD_REPLY, .status = 502};
    play_order(fixture, ORDER, ORDER_COMPLETE, 4565);
    struct work work = add_work(fixture, WORK_ORDER_CHANGED, ORDER, 5);
    start(fixture);
    assert_postponed(fixture, &work, "Lightspeed: bad_reply 502", 6, 32 * CLOCK_US_PER_S,
                     32 * CLOCK_US_PER_S);
    assert_int_equal(balance_of(fixture, 0), 6000);
    assert_int_equal(points_of(fixture), 0);
}

static void a_refund_takes_back_its_share_once(void **state)
{
    struct fixture *fixture = *state;
    play_order(fixture, ORDER, ORDER_COMPLETE, 4565);
    struct oseries_order *refund = play_order(fixture, REFUND_ORDER, ORDER_COMPLETE, -2000);
    refund->is_refund = true;
    refund->refunded_order_id = ORDER;
    struct points_outcome outcome;
    run_points(fixture,
               (struct points_command){.action = POINTS_EARN, .order_id = ORDER, .points = 45},
               &outcome);
    struct work first = add_work(fixture, WORK_ORDER_CHANGED, REFUND_ORDER, 0);
    struct work again = add_work(fixture, WORK_ORDER_CHANGED, REFUND_ORDER, 0);
    start(fixture);
    assert_done(fixture, &first);
    assert_done(fixture, &again);
    assert_int_equal(points_of(fixture), 45 - 19); /* 45 * 20.00 / 45.65 = 19.7 */
    assert_int_equal(counters_of(fixture).taken_back, 1);
    assert_int_equal(counters_of(fixture).earned, 0); /* the refund's customer earns nothing */
}

static void all_refunds_and_the_deletion_of_one_sale_take_back_what_it_earned(void **state)
{
    struct fixture *fixture = *state;
    struct points_outcome outcome;
    struct work works[3];
    run_points(fixture, (struct points_command){.action = POINTS_GRANT, .points = 500}, &outcome);
    run_points(fixture,
               (struct points_command){.action = POINTS_EARN, .order_id = ORDER, .points = 90},
               &outcome);
    for (int i = 0; i < 2; i++) {
        struct oseries_order *refund =
            play_order(fixture, REFUND_ORDER + i, ORDER_COMPLETE, -6000 * (1 + i));
        refund->is_refund = true;
        refund->refunded_order_id = ORDER;
        works[i] = add_work(fixture, WORK_ORDER_CHANGED, REFUND_ORDER + i, 0);
    }
    play_order(fixture, ORDER, ORDER_COMPLETE, 9000)->is_deleted = true;
    works[2] = add_work(fixture, WORK_ORDER_CHANGED, ORDER, 0);
    start(fixture);
    for (int i = 0; i < 3; i++)
        assert_done(fixture, &works[i]);
    assert_int_equal(points_of(fixture), 500);
}

static struct oseries_order *play_refund(struct fixture *fixture, int64_t total_minor)
{
    struct oseries_order *refund = play_order(fixture, REFUND_ORDER, ORDER_COMPLETE, total_minor);
    refund->is_refund = true;
    refund->refunded_order_id = ORDER;
    return refund;
}

static void assert_refund_and_sale_told(struct fixture *fixture, int64_t points)
{
    struct work refund = add_work(fixture, WORK_ORDER_CHANGED, REFUND_ORDER, 0);
    start(fixture);
    assert_done(fixture, &refund);
    assert_int_equal(points_of(fixture), points);
    stop(fixture);
    struct work sale = add_work(fixture, WORK_ORDER_CHANGED, ORDER, 0);
    start(fixture);
    assert_done(fixture, &sale);
    assert_int_equal(points_of(fixture), points);
}

static void a_refund_told_before_its_sale_comes_to_the_same(void **state)
{
    struct fixture *fixture = *state;
    play_order(fixture, ORDER, ORDER_COMPLETE, 4565);
    play_refund(fixture, -4565)->customer_id = 0; /* it is the sale's that earns */
    assert_refund_and_sale_told(fixture, 0);
}

static void a_partial_refund_told_before_its_sale_comes_to_the_same(void **state)
{
    struct fixture *fixture = *state;
    play_order(fixture, ORDER, ORDER_COMPLETE, 4565);
    play_refund(fixture, -2000);
    assert_refund_and_sale_told(fixture, 45 - 19);
}

static void a_refund_waits_for_the_customer_of_a_sale_that_is_not_counted(void **state)
{
    struct fixture *fixture = *state;
    play_order(fixture, ORDER, ORDER_COMPLETE, 4565);
    play_refund(fixture, -4565);
    fixture->api.customer_result = (struct api_result){.error = ERR_BAD_REPLY, .status = 502};
    struct work refund = add_work(fixture, WORK_ORDER_CHANGED, REFUND_ORDER, 0);
    start(fixture);
    assert_postponed(fixture, &refund, "Lightspeed: bad_reply 502", 1, 0, CLOCK_US_PER_S);
}

static void a_sale_that_was_done_without_points_does_not_earn_by_its_refund(void **state)
{
    struct fixture *fixture = *state;
    memcpy(fixture->api.reference_id, "M-9", 4);
    play_order(fixture, ORDER, ORDER_COMPLETE, 4565);
    play_refund(fixture, -2000);
    struct work sale = add_work(fixture, WORK_ORDER_CHANGED, ORDER, 0);
    start(fixture);
    assert_done(fixture, &sale);
    stop(fixture);
    memcpy(fixture->api.reference_id, "M-1", 4);
    struct work refund = add_work(fixture, WORK_ORDER_CHANGED, REFUND_ORDER, 0);
    start(fixture);
    assert_done(fixture, &refund);
    assert_int_equal(points_of(fixture), 0);
}

static void a_sale_of_long_ago_does_not_earn_by_its_refund(void **state)
{
    struct fixture *fixture = *state;
    struct oseries_order *sale = play_order(fixture, ORDER, ORDER_COMPLETE, 4565);
    snprintf(sale->updated_at, sizeof(sale->updated_at), "2019-05-08T10:11:12+00:00");
    play_refund(fixture, -2000);
    struct work refund = add_work(fixture, WORK_ORDER_CHANGED, REFUND_ORDER, 0);
    start(fixture);
    assert_done(fixture, &refund);
    assert_int_equal(points_of(fixture), 0);
}

static void a_deleted_sale_does_not_earn_by_its_refund(void **state)
{
    struct fixture *fixture = *state;
    play_order(fixture, ORDER, ORDER_COMPLETE, 4565)->is_deleted = true;
    play_refund(fixture, -2000);
    struct work refund = add_work(fixture, WORK_ORDER_CHANGED, REFUND_ORDER, 0);
    start(fixture);
    assert_done(fixture, &refund);
    assert_int_equal(points_of(fixture), 0);
}

static void a_refund_waits_for_a_sale_that_is_not_complete_or_cannot_be_read(void **state)
{
    struct fixture *fixture = *state;
    play_order(fixture, ORDER, ORDER_PENDING, 4565);
    play_refund(fixture, -2000);
    struct work open = add_work(fixture, WORK_ORDER_CHANGED, REFUND_ORDER, 0);
    start(fixture);
    assert_postponed(fixture, &open, "the sale that it gives back is not complete yet", 1, 0,
                     CLOCK_US_PER_S);
    stop(fixture);
    fixture->api.orders[0].result = (struct api_result){.error = ERR_NOT_FOUND, .status = 404};
    struct work missing = add_work(fixture, WORK_ORDER_CHANGED, REFUND_ORDER, 0);
    struct work last = add_work(fixture, WORK_ORDER_CHANGED, REFUND_ORDER, 19);
    start(fixture);
    assert_postponed(fixture, &missing, "the sale that it gives back cannot be read", 1, 0,
                     CLOCK_US_PER_S);
    assert_given_up(fixture, &last, "the sale that it gives back cannot be read");
}

/* Told while the refund reads the sale's customer, the sale's deletion comes after it. */
static void a_sale_is_not_looked_at_while_its_refund_is(void **state)
{
    struct fixture *fixture = *state;
    play_order(fixture, ORDER, ORDER_COMPLETE, 4565);
    play_refund(fixture, -2000);
    fixture->api.is_deleted_before_customer = true;
    fixture->api.customer_delay_us = 200 * 1000;
    struct work refund = add_work(fixture, WORK_ORDER_CHANGED, REFUND_ORDER, 0);
    start(fixture);
    usleep(100 * 1000);
    struct work sale = work_make(fixture->tenant.id, WORK_ORDER_CHANGED, ORDER, 7, 0);
    post_work(fixture, &sale);
    assert_done(fixture, &refund);
    assert_done(fixture, &sale);
    assert_int_equal(points_of(fixture), 0);
    assert_int_equal(counters_of(fixture).earned, 1);
}

/* Told at the same moment: the refund comes after its sale. */
static void a_refund_is_not_looked_at_while_its_sale_is(void **state)
{
    struct fixture *fixture = *state;
    play_order(fixture, ORDER, ORDER_COMPLETE, 4565);
    play_refund(fixture, -2000);
    fixture->api.customer_delay_us = 200 * 1000;
    struct work sale = add_work(fixture, WORK_ORDER_CHANGED, ORDER, 0);
    struct work refund = add_work(fixture, WORK_ORDER_CHANGED, REFUND_ORDER, 0);
    start(fixture);
    assert_postponed(fixture, &refund, "the sale that it gives back is under way", 0, 0,
                     CLOCK_US_PER_S);
    assert_done(fixture, &sale);
    assert_done(fixture, &refund);
    assert_int_equal(points_of(fixture), 45 - 19);
}

/* The first reads COMPLETE and waits for the customer; the second would read deleted, find nothing
 * that was earned, and be done before the first earns. */
static void an_order_is_worked_on_once_at_a_time(void **state)
{
    struct fixture *fixture = *state;
    play_order(fixture, ORDER, ORDER_COMPLETE, 4565);
    fixture->api.is_deleted_before_customer = true;
    fixture->api.customer_delay_us = 200 * 1000;
    struct work completed = add_work(fixture, WORK_ORDER_CHANGED, ORDER, 0);
    struct work deleted = add_work(fixture, WORK_ORDER_CHANGED, ORDER, 0);
    start(fixture);
    assert_done(fixture, &completed);
    assert_done(fixture, &deleted);
    assert_int_equal(points_of(fixture), 0);
    assert_int_equal(counters_of(fixture).earned, 1);
    assert_int_equal(counters_of(fixture).taken_back, 1);
}

static void an_order_of_less_than_nothing_earns_nothing(void **state)
{
    struct fixture *fixture = *state;
    play_order(fixture, ORDER, ORDER_COMPLETE, -4565); /* goods given back, and no refund */
    struct work work = add_work(fixture, WORK_ORDER_CHANGED, ORDER, 0);
    start(fixture);
    assert_done(fixture, &work);
    assert_int_equal(points_of(fixture), 0);
    assert_int_equal(counters_of(fixture).earned, 0);
}

static void a_refund_of_what_earned_nothing_takes_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct points_outcome outcome;
    run_points(fixture, (struct points_command){.action = POINTS_GRANT, .points = 500}, &outcome);
    play_order(fixture, ORDER, ORDER_COMPLETE, 4565)->customer_id = 0;
    play_refund(fixture, -2000);
    struct oseries_order *loose = play_order(fixture, REFUND_ORDER + 1, ORDER_COMPLETE, -2000);
    loose->is_refund = true; /* of no order that it names */
    struct work named = add_work(fixture, WORK_ORDER_CHANGED, REFUND_ORDER, 0);
    struct work unnamed = add_work(fixture, WORK_ORDER_CHANGED, REFUND_ORDER + 1, 0);
    start(fixture);
    assert_done(fixture, &named);
    assert_done(fixture, &unnamed);
    assert_int_equal(points_of(fixture), 500);
}

static void a_deleted_order_gives_points_back_and_releases_nothing(void **state)
{
    struct fixture *fixture = *state;
    run(fixture, command_of(fixture, ACTION_TOP_UP, 0, 5000), NULL);
    int64_t reservation = reserve(fixture, POINTS_APPLY);
    play_order(fixture, ORDER, ORDER_COMPLETE, 4565)->is_deleted = true;
    struct work first = add_work(fixture, WORK_ORDER_CHANGED, ORDER, 0);
    struct work again = add_work(fixture, WORK_ORDER_CHANGED, ORDER, 0);
    start(fixture);
    assert_done(fixture, &first);
    assert_done(fixture, &again);
    assert_int_equal(state_of(fixture, reservation), RESERVATION_RETURNED);
    assert_int_equal(points_of(fixture), 500); /* and it earns nothing */
    assert_int_equal(balance_of(fixture, 0), 1000);
}

static void burned_points_come_back_when_the_order_is_deleted(void **state)
{
    struct fixture *fixture = *state;
    int64_t reservation = reserve(fixture, POINTS_BURN);
    struct points_outcome outcome;
    run_points(fixture,
               (struct points_command){.action = POINTS_EARN, .order_id = ORDER, .points = 45},
               &outcome);
    play_order(fixture, ORDER, ORDER_COMPLETE, 4565)->is_deleted = true;
    struct work work = add_work(fixture, WORK_ORDER_CHANGED, ORDER, 0);
    start(fixture);
    assert_done(fixture, &work);
    assert_int_equal(state_of(fixture, reservation), RESERVATION_BURNED);
    assert_int_equal(points_of(fixture), 500); /* 500 - 100 + 45, + 100 - 45 */
}

/* Redemption ends its reservation between two looks; the committer is stopped meanwhile. */
static void move_between_looks(struct fixture *fixture, struct work *work, int64_t reservation_id,
                               enum points_action action)
{
    struct points_outcome outcome;
    stop(fixture);
    run_points(fixture, (struct points_command){.action = action, .reservation_id = reservation_id},
               &outcome);
    struct seen seen = see(fixture, work->id);
    assert_true(seen.is_found);
    seen.work.due_at_us = 0;
    assert_int_equal(store_update_work(fixture->writer, &seen.work), 0);
    start(fixture);
}

static void a_deletion_waits_for_the_redemption_under_way_and_returns_what_it_burned(void **state)
{
    struct fixture *fixture = *state;
    int64_t reservation = reserve(fixture, POINTS_RESERVE);
    play_order(fixture, ORDER, ORDER_PENDING, 4565)->is_deleted = true;
    struct work work = add_work(fixture, WORK_ORDER_CHANGED, ORDER, 0);
    start(fixture);
    assert_postponed(fixture, &work, UNDER_WAY, 1, 0, CLOCK_US_PER_S);
    assert_int_equal(state_of(fixture, reservation), RESERVATION_RESERVED); /* left to it */
    move_between_looks(fixture, &work, reservation, POINTS_BURN);
    assert_done(fixture, &work);
    assert_int_equal(state_of(fixture, reservation), RESERVATION_BURNED);
    assert_int_equal(points_of(fixture), 500);
}

static void a_completion_waits_for_the_redemption_under_way_and_burns_what_it_applied(void **state)
{
    struct fixture *fixture = *state;
    int64_t reservation = reserve(fixture, POINTS_RESERVE);
    play_order(fixture, ORDER, ORDER_COMPLETE, 4565)->price_fixed_variation_minor = -1000;
    struct work work = add_work(fixture, WORK_ORDER_CHANGED, ORDER, 0);
    start(fixture);
    assert_postponed(fixture, &work, UNDER_WAY, 1, 0, CLOCK_US_PER_S);
    assert_int_equal(points_of(fixture), 500 + 45); /* what it earns does not wait */
    move_between_looks(fixture, &work, reservation, POINTS_APPLY);
    assert_done(fixture, &work);
    assert_int_equal(state_of(fixture, reservation), RESERVATION_BURNED);
    assert_int_equal(points_of(fixture), 500 + 45 - 100);
}

static void
a_reward_that_was_taken_off_before_the_order_completed_gives_its_points_back(void **state)
{
    struct fixture *fixture = *state;
    int64_t reservation = reserve(fixture, POINTS_APPLY);
    play_order(fixture, ORDER, ORDER_COMPLETE, 4565);
    struct work work = add_work(fixture, WORK_ORDER_CHANGED, ORDER, 0);
    start(fixture);
    assert_done(fixture, &work);
    assert_int_equal(state_of(fixture, reservation), RESERVATION_RETURNED);
    assert_int_equal(points_of(fixture), 500 + 45);
}

static void a_mark_without_its_discount_burns_all_the_same(void **state)
{
    struct fixture *fixture = *state;
    int64_t reservation = reserve(fixture, POINTS_APPLY);
    struct oseries_order *order = play_order(fixture, ORDER, ORDER_COMPLETE, 4565);
    snprintf(order->notes, sizeof(order->notes), "$10 off (" MARK ")");
    struct work work = add_work(fixture, WORK_ORDER_CHANGED, ORDER, 0);
    start(fixture);
    assert_done(fixture, &work);
    assert_int_equal(state_of(fixture, reservation), RESERVATION_BURNED);
}

static void return_points(struct fixture *fixture, int64_t reservation_id)
{
    struct points_outcome outcome;
    run_points(fixture,
               (struct points_command){.action = POINTS_RETURN,
                                       .reservation_id = reservation_id,
                                       .is_order_deleted = true},
               &outcome);
}

/* Deleted, reopened and completed: the discount is there, the points came back. */
static void complete_with_a_mark(struct fixture *fixture, const char *notes, int64_t off_minor,
                                 const char *reason)
{
    struct oseries_order *order = play_order(fixture, ORDER, ORDER_COMPLETE, 4565);
    order->price_fixed_variation_minor = -off_minor;
    snprintf(order->notes, sizeof(order->notes), "%s", notes);
    struct work work = add_work(fixture, WORK_ORDER_CHANGED, ORDER, 0);
    start(fixture);
    if (reason == NULL)
        assert_done(fixture, &work);
    else
        assert_given_up(fixture, &work, reason);
    assert_int_equal(points_of(fixture), 500 + 45); /* it earns all the same */
}

static void a_reward_on_a_completed_order_whose_burned_points_came_back_is_listed(void **state)
{
    struct fixture *fixture = *state;
    return_points(fixture, reserve(fixture, POINTS_BURN));
    complete_with_a_mark(fixture, "$10 off (" MARK ")", 1000, UNPAID);
}

static void a_reward_on_a_completed_order_whose_reserved_points_came_back_is_listed(void **state)
{
    struct fixture *fixture = *state;
    return_points(fixture, reserve(fixture, POINTS_APPLY));
    complete_with_a_mark(fixture, "$10 off (" MARK ")", 1000, UNPAID);
}

static void a_returned_reward_that_is_not_on_the_order_is_not_listed(void **state)
{
    struct fixture *fixture = *state;
    return_points(fixture, reserve(fixture, POINTS_APPLY));
    complete_with_a_mark(fixture, "CP-R1", 1000, NULL);
}

static void a_mark_that_is_left_of_a_discount_not_taken_is_not_listed(void **state)
{
    struct fixture *fixture = *state;
    return_points(fixture, reserve(fixture, POINTS_APPLY));
    complete_with_a_mark(fixture, "$10 off (" MARK ")", 0, NULL);
}

static void an_order_of_another_merchant_is_ignored_after_three_looks(void **state)
{
    struct fixture *fixture = *state;
    run(fixture, command_of(fixture, ACTION_TOP_UP, 0, 5000), NULL); /* waits for another order */
    struct work first = add_work(fixture, WORK_ORDER_CHANGED, ORDER + 1, 0);
    struct work last = add_work(fixture, WORK_ORDER_CHANGED, ORDER + 1, 2);
    start(fixture);
    assert_postponed(fixture, &first, NOT_READABLE, 1, 0, CLOCK_US_PER_S);
    assert_done(fixture, &last);
    assert_int_equal(balance_of(fixture, 0), 1000);
    assert_int_equal(points_of(fixture), 0);
}

/* Its till may be offline for hours, and no webhook need come after that. */
static void a_missing_order_that_something_waits_for_is_looked_for_and_then_shown(void **state)
{
    struct fixture *fixture = *state;
    run(fixture, command_of(fixture, ACTION_TOP_UP, 0, 5000), NULL);
    struct work third = add_work(fixture, WORK_ORDER_CHANGED, ORDER, 2);
    start(fixture);
    assert_postponed(fixture, &third, NOT_READABLE, 3, 4 * CLOCK_US_PER_S, 4 * CLOCK_US_PER_S);
    stop(fixture);
    struct work last = add_work(fixture, WORK_ORDER_CHANGED, ORDER, 19);
    start(fixture);
    assert_given_up(fixture, &last, NOT_READABLE);
    stop(fixture);
    play_order(fixture, ORDER, ORDER_COMPLETE, 4565);
    struct seen seen = see(fixture, third.id);
    seen.work.due_at_us = 0; /* the till is back */
    assert_int_equal(store_update_work(fixture->writer, &seen.work), 0);
    start(fixture);
    assert_done(fixture, &third);
    assert_int_equal(balance_of(fixture, 0), 6000);
}

static void a_missing_order_with_a_reservation_is_not_ignored(void **state)
{
    struct fixture *fixture = *state;
    int64_t reservation = reserve(fixture, POINTS_APPLY);
    struct work work = add_work(fixture, WORK_ORDER_CHANGED, ORDER, 2);
    start(fixture);
    assert_postponed(fixture, &work, NOT_READABLE, 3, 4 * CLOCK_US_PER_S, 4 * CLOCK_US_PER_S);
    assert_int_equal(state_of(fixture, reservation), RESERVATION_APPLIED);
}

/* It may be ours, and the person who connected us have lost a right. */
static void a_forbidden_order_is_not_ignored(void **state)
{
    struct fixture *fixture = *state;
    play_order(fixture, ORDER, ORDER_COMPLETE, 4565);
    fixture->api.orders[0].result = (struct api_result){.error = ERR_REFUSED, .status = 403};
    struct work work = add_work(fixture, WORK_ORDER_CHANGED, ORDER, 2);
    start(fixture);
    assert_postponed(fixture, &work, "Lightspeed: refused 403", 3, 4 * CLOCK_US_PER_S,
                     4 * CLOCK_US_PER_S);
    assert_int_equal(points_of(fixture), 0);
}

static void an_open_order_is_looked_at_again_only_where_something_waits(void **state)
{
    struct fixture *fixture = *state;
    play_order(fixture, ORDER, ORDER_PENDING, 4565);
    play_order(fixture, ORDER + 1, ORDER_PENDING, 4565);
    run(fixture, command_of(fixture, ACTION_TOP_UP, 0, 5000), NULL);
    struct work nothing_waits = add_work(fixture, WORK_ORDER_CHANGED, ORDER + 1, 6);
    struct work early = add_work(fixture, WORK_ORDER_CHANGED, ORDER + 1, 5);
    struct work money_waits = add_work(fixture, WORK_ORDER_CHANGED, ORDER, 6);
    struct work for_the_last_time = add_work(fixture, WORK_ORDER_CHANGED, ORDER, 19);
    start(fixture);
    assert_done(fixture, &nothing_waits);
    assert_postponed(fixture, &early, "the order is not complete yet", 6, 32 * CLOCK_US_PER_S,
                     32 * CLOCK_US_PER_S);
    assert_postponed(fixture, &money_waits, "the order is not complete yet", 7, 64 * CLOCK_US_PER_S,
                     64 * CLOCK_US_PER_S);
    assert_given_up(fixture, &for_the_last_time, "the order is not complete yet");
    assert_int_equal(balance_of(fixture, 0), 1000);
    assert_int_equal(points_of(fixture), 0);
}

static void an_open_order_that_completes_is_done_at_the_next_look(void **state)
{
    struct fixture *fixture = *state;
    struct oseries_order *order = play_order(fixture, ORDER, ORDER_PENDING, 4565);
    struct work work = add_work(fixture, WORK_ORDER_CHANGED, ORDER, 0);
    start(fixture);
    assert_postponed(fixture, &work, "the order is not complete yet", 1, 0, CLOCK_US_PER_S);
    pthread_mutex_lock(&fixture->api.mutex);
    order->status = ORDER_COMPLETE;
    pthread_mutex_unlock(&fixture->api.mutex);
    assert_done(fixture, &work);
    assert_int_equal(points_of(fixture), 45);
}

static void a_release_that_is_refused_is_shown_to_people_and_earns_all_the_same(void **state)
{
    struct fixture *fixture = *state;
    run(fixture, command_of(fixture, ACTION_TOP_UP, 0, 5000), NULL);
    struct command fill = command_of(fixture, ACTION_TOP_UP, 0, MONEY_MAX_MINOR - 1000);
    fill.policy.top_up_is_held = false; /* another sale fills the card meanwhile */
    fill.order_id = ORDER + 7;
    run(fixture, fill, NULL);
    play_order(fixture, ORDER, ORDER_COMPLETE, 4565);
    struct work work = add_work(fixture, WORK_ORDER_CHANGED, ORDER, 0);
    start(fixture);
    assert_given_up(fixture, &work, "a paid top-up cannot be released: the card holds too much");
    assert_int_equal(points_of(fixture), 45);
}

static void many_cards_that_wait_are_all_released(void **state)
{
    struct fixture *fixture = *state;
    for (int i = CARDS; i < 40; i++)
        run(fixture, command_of(fixture, ACTION_ISSUE, i, 1000), NULL);
    for (int i = 0; i < 40; i++)
        run(fixture, command_of(fixture, ACTION_TOP_UP, i, 100), NULL);
    play_order(fixture, ORDER, ORDER_COMPLETE, 4565);
    struct work work = add_work(fixture, WORK_ORDER_CHANGED, ORDER, 0);
    start(fixture);
    assert_done(fixture, &work);
    for (int i = 0; i < 40; i++)
        assert_int_equal(balance_of(fixture, i), 1100);
    assert_int_equal(points_of(fixture), 45);
}

/* --- when nothing can be read --- */

static void what_cannot_be_read_is_tried_again_later_and_later(void **state)
{
    struct fixture *fixture = *state;
    play_order(fixture, ORDER, ORDER_COMPLETE, 4565);
    fixture->api.orders[0].result =
        (struct api_result){.error = ERR_BAD_REPLY, .status = 503, .sentence = "Down for a moment"};
    struct work young = add_work(fixture, WORK_ORDER_CHANGED, ORDER, 3);
    struct work old = add_work(fixture, WORK_ORDER_CHANGED, ORDER, 18);
    struct work last = add_work(fixture, WORK_ORDER_CHANGED, ORDER, 19);
    start(fixture);
    assert_postponed(fixture, &young, "Lightspeed: bad_reply 503: Down for a moment", 4,
                     8 * CLOCK_US_PER_S, 8 * CLOCK_US_PER_S);
    assert_postponed(fixture, &old, "Lightspeed: bad_reply 503: Down for a moment", 19,
                     60 * MINUTE_US, 60 * MINUTE_US);
    assert_given_up(fixture, &last, "Lightspeed: bad_reply 503: Down for a moment");
    assert_int_equal(counters_of(fixture).given_up, 1);
    assert_int_equal(counters_of(fixture).retried, 2);
}

struct connected {
    struct outbound_message message;
    struct fixture *fixture;
};

static void on_connected(void *context)
{
    struct connected *connected = context;
    inbox_connected(connected->fixture->inbox, connected->fixture->tenant.id);
}

/* An order that waits until the merchant is connected goes on when tell says that he is. */
static void wait_until_connected(struct fixture *fixture, void (*tell)(void *context))
{
    struct connected connected = {.fixture = fixture};
    connected.message.fn = tell;
    connected.message.context = &connected;
    play_order(fixture, ORDER, ORDER_COMPLETE, 4565);
    fixture->api.orders[0].result = (struct api_result){.error = ERR_NOT_CONNECTED};
    struct work work = add_work(fixture, WORK_ORDER_CHANGED, ORDER, 19);
    start(fixture);
    assert_postponed(fixture, &work, "waits until the merchant is connected to Lightspeed", 19,
                     9 * MINUTE_US, 10 * MINUTE_US);
    pthread_mutex_lock(&fixture->api.mutex);
    fixture->api.orders[0].result.error = 0;
    pthread_mutex_unlock(&fixture->api.mutex);
    outbound_post(fixture->outbound, &connected.message);
    assert_done(fixture, &work);
}

static void what_waits_for_a_connection_goes_on_when_it_is_there(void **state)
{
    struct fixture *fixture = *state;
    wait_until_connected(fixture, on_connected);
    assert_int_equal(points_of(fixture), 45);
    int64_t until_us = clock_monotonic_us() + PATIENCE_US;
    while (counters_of(fixture).done < 2 && clock_monotonic_us() < until_us)
        usleep(2000);
    assert_int_equal(fixture->api.webhook_calls, 1);
    assert_string_equal(fixture->api.topics, fixture->tenant.webhook_topics);
    assert_string_equal(
        fixture->api.address,
        "https://partner.example/oseries/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/webhooks");
}

static void on_connected_elsewhere(void *context)
{
    struct connected *connected = context;
    inbox_connected_elsewhere(connected->fixture->inbox, connected->fixture->tenant.id);
}

static void what_waits_for_a_connection_goes_on_when_another_process_has_made_it(void **state)
{
    struct fixture *fixture = *state;
    wait_until_connected(fixture, on_connected_elsewhere);
    assert_int_equal(counters_of(fixture).done, 1); /* the webhooks are the other's work */
    assert_int_equal(fixture->api.webhook_calls, 0);
}

static void on_late_work(void *context, const struct work *work)
{
    *(int *)context += work->due_at_us > clock_steady_us() + 5 * MINUTE_US;
}

static int count_late(const struct fixture *fixture)
{
    int late = 0;
    assert_int_equal(store_each_open_work(fixture->look, 2000, 2000, on_late_work, &late), 0);
    return late;
}

static void all_that_waits_for_a_connection_goes_on_however_much_it_is(void **state)
{
    struct fixture *fixture = *state;
    struct connected connected = {.fixture = fixture};
    connected.message.fn = on_connected;
    connected.message.context = &connected;
    for (int i = 0; i < WORK_HASTEN_MAX + 5; i++) {
        struct work work =
            work_make(fixture->tenant.id, WORK_ORDER_CHANGED, ORDER + i, i, clock_steady_us());
        work.due_at_us += 10 * MINUTE_US;
        assert_int_equal(store_add_work(fixture->writer, &work), 0);
    }
    assert_int_equal(count_late(fixture), WORK_HASTEN_MAX + 5);
    start(fixture);
    outbound_post(fixture->outbound, &connected.message);
    int64_t until_us = clock_monotonic_us() + PATIENCE_US;
    while (count_late(fixture) > 0 && clock_monotonic_us() < until_us)
        usleep(2000);
    assert_int_equal(count_late(fixture), 0);
}

static void webhooks_that_could_not_be_registered_are_tried_again(void **state)
{
    struct fixture *fixture = *state;
    fixture->api.webhooks_result = (struct api_result){.error = ERR_TIMED_OUT};
    struct work work = add_work(fixture, WORK_REGISTER_WEBHOOKS, fixture->tenant.id, 0);
    start(fixture);
    assert_postponed(fixture, &work, "Lightspeed: timed_out", 1, 0, CLOCK_US_PER_S);
}

static void what_was_open_at_the_end_is_done_after_the_next_start(void **state)
{
    struct fixture *fixture = *state;
    play_order(fixture, ORDER, ORDER_COMPLETE, 4565);
    fixture->api.orders[0].result = (struct api_result){.error = ERR_SHUTTING_DOWN};
    struct work work = add_work(fixture, WORK_ORDER_CHANGED, ORDER, 3);
    start(fixture);
    int64_t until_us = clock_monotonic_us() + PATIENCE_US;
    while (order_reads(fixture) == 0 && clock_monotonic_us() < until_us)
        usleep(2000);
    stop(fixture);
    assert_true(order_reads(fixture) > 0);
    struct seen seen = see(fixture, work.id);
    assert_int_equal(seen.work.attempts, 3); /* the row is as it was */
    assert_int_equal(seen.work.due_at_us, work.due_at_us);
    fixture->api.orders[0].result.error = 0;
    start(fixture);
    assert_done(fixture, &work);
    assert_int_equal(points_of(fixture), 45);
}

/* --- payments of ours --- */

static struct work charge_that_is_ours(struct fixture *fixture, struct outcome *outcome)
{
    struct work work = {0};
    struct command command = command_of(fixture, ACTION_CHARGE, 0, 700);
    command.payment_is_ours = true;
    run(fixture, command, outcome);
    work.id = 1; /* the first there is */
    work.tenant_id = fixture->tenant.id;
    return work;
}

static void on_attempt(void *context, const struct foreign_attempt *attempt)
{
    struct foreign_attempt *newest = context;
    if (newest->id == 0)
        *newest = *attempt;
}

/* The cards of this file have no number that could be opened: of the attempts only. */
static void on_finding(void *context, const char *name, const char *detail)
{
    (void)context;
    if (strncmp(name, "foreign_", 8) == 0)
        fail_msg("%s: %s", name, detail);
}

/* What was written down of the newest attempt. */
static void assert_attempt(const struct fixture *fixture, enum foreign_end end, int status,
                           const char *answer)
{
    struct foreign_attempt newest = {0};
    int64_t findings;
    assert_int_equal(store_each_foreign_attempt(fixture->look, fixture->tenant.id, 0, 0, 100,
                                                on_attempt, &newest),
                     0);
    assert_int_equal(newest.end, end);
    assert_int_equal(newest.api_status, status);
    assert_string_equal(newest.api_answer, answer);
    assert_int_equal(store_verify(fixture->look, on_finding, NULL, NULL, &findings), 0);
}

static void a_payment_is_added_once_with_our_reference(void **state)
{
    struct fixture *fixture = *state;
    struct outcome outcome;
    char ref[40];
    play_order(fixture, ORDER, ORDER_PENDING, 700);
    fixture->api.payment_is_booked = true;
    struct work work = charge_that_is_ours(fixture, &outcome);
    start(fixture);
    assert_done(fixture, &work);
    snprintf(ref, sizeof(ref), "CP1-%d", (int)outcome.operation_id);
    assert_string_equal(fixture->api.ref, ref);
    assert_int_equal(fixture->api.paid_minor, 700);
    assert_int_equal(fixture->api.payments_posted, 1);
    assert_attempt(fixture, FOREIGN_PAID, 0, "");
}

static void a_payment_that_is_on_the_order_is_not_added_again(void **state)
{
    struct fixture *fixture = *state;
    struct outcome outcome;
    char ref[40];
    play_order(fixture, ORDER, ORDER_COMPLETE, 700);
    struct work work = charge_that_is_ours(fixture, &outcome);
    snprintf(ref, sizeof(ref), "CP1-%d", (int)outcome.operation_id);
    book_payment(&fixture->api, ORDER, 700, ref);
    start(fixture);
    assert_done(fixture, &work);
    assert_int_equal(fixture->api.payments_posted, 0);
    assert_attempt(fixture, FOREIGN_PAID, 200, "found on the order");
}

static void a_payment_without_reply_is_looked_for_before_it_is_sent_again(void **state)
{
    struct fixture *fixture = *state;
    play_order(fixture, ORDER, ORDER_PENDING, 700);
    fixture->api.payment_result = (struct api_result){
        .error = ERR_TIMED_OUT, .may_have_happened = true, .may_happen_later = true};
    fixture->api.payment_is_booked = true;
    struct work work = charge_that_is_ours(fixture, NULL);
    start(fixture);
    assert_postponed(fixture, &work, "Lightspeed: timed_out", 1, INBOX_SETTLE_US - CLOCK_US_PER_S,
                     INBOX_SETTLE_US);
    assert_attempt(fixture, FOREIGN_OPEN, 0, "timed_out");
    stop(fixture);
    struct seen seen = see(fixture, work.id);
    seen.work.due_at_us = 0; /* a minute later */
    assert_int_equal(store_update_work(fixture->writer, &seen.work), 0);
    start(fixture);
    assert_done(fixture, &work);
    assert_int_equal(fixture->api.payments_posted, 1);
    assert_int_equal(fixture->api.orders[0].order.payment_count, 1);
    assert_attempt(fixture, FOREIGN_PAID, 200, "found on the order");
}

static void a_payment_that_surely_was_not_made_is_sent_again_soon(void **state)
{
    struct fixture *fixture = *state;
    play_order(fixture, ORDER, ORDER_PENDING, 700);
    fixture->api.payment_result = (struct api_result){.error = ERR_RATE_LIMITED, .status = 429};
    struct work work = charge_that_is_ours(fixture, NULL);
    start(fixture);
    assert_postponed(fixture, &work, "Lightspeed: rate_limited 429", 1, 0, CLOCK_US_PER_S);
    assert_attempt(fixture, FOREIGN_OPEN, 429, "rate_limited");
}

static void a_payment_that_another_process_has_taken_is_not_sent(void **state)
{
    struct fixture *fixture = *state;
    struct store_config config = {.location = fixture->location, .seal = fixture->seal};
    play_order(fixture, ORDER, ORDER_PENDING, 700);
    struct work work = charge_that_is_ours(fixture, NULL);
    assert_int_equal(store_open(&config, STORE_WRITER, &fixture->api.elsewhere), 0);
    start(fixture);
    int64_t until_us = clock_monotonic_us() + PATIENCE_US;
    while (counters_of(fixture).retried == 0 && clock_monotonic_us() < until_us)
        usleep(2000);
    stop(fixture);
    store_close(fixture->api.elsewhere);
    fixture->api.elsewhere = NULL;
    assert_int_equal(fixture->api.payments_posted, 0);
    struct seen seen = see(fixture, work.id);
    assert_int_equal(seen.work.state, WORK_OPEN);
    assert_int_equal(seen.work.attempts, 0);
    assert_string_equal(seen.work.reason, "");
    assert_true(seen.work.due_at_us > clock_steady_us() + TAKEN_UNTIL_US / 2);
    start(fixture);
}

/* A minute later, in another process. */
static void start_later(struct fixture *fixture, const struct work *work)
{
    stop(fixture);
    struct seen seen = see(fixture, work->id);
    seen.work.reason[0] = '\0';
    seen.work.due_at_us = 0;
    assert_int_equal(store_update_work(fixture->writer, &seen.work), 0);
    start(fixture);
}

static void a_payment_that_may_be_there_without_our_reference_is_for_people(void **state)
{
    struct fixture *fixture = *state;
    play_order(fixture, ORDER, ORDER_PENDING, 1400);
    book_payment(&fixture->api, ORDER, 700, "cash"); /* half of the bill: there before */
    fixture->api.payment_result = (struct api_result){
        .error = ERR_TIMED_OUT, .may_have_happened = true, .may_happen_later = true};
    fixture->api.payment_is_booked = fixture->api.keeps_no_ref = true;
    struct work work = charge_that_is_ours(fixture, NULL);
    start(fixture);
    assert_postponed(fixture, &work, "Lightspeed: timed_out", 1, INBOX_SETTLE_US - CLOCK_US_PER_S,
                     INBOX_SETTLE_US);
    start_later(fixture, &work);
    assert_given_up(fixture, &work,
                    "the order has a payment of this amount, without our reference, that came "
                    "since it was sent: it may be this one");
    assert_int_equal(fixture->api.payments_posted, 1);
    assert_attempt(fixture, FOREIGN_OPEN, 0,
                   "the order has a payment of this amount, without our reference, that came "
                   "since it was sent: it may be this one");
}

static void what_surely_was_not_made_is_sent_whatever_else_has_its_amount(void **state)
{
    struct fixture *fixture = *state;
    play_order(fixture, ORDER, ORDER_PENDING, 1400);
    fixture->api.payment_result = (struct api_result){.error = ERR_RATE_LIMITED, .status = 429};
    struct work work = charge_that_is_ours(fixture, NULL);
    start(fixture);
    assert_postponed(fixture, &work, "Lightspeed: rate_limited 429", 1, 0, CLOCK_US_PER_S);
    book_payment(&fixture->api, ORDER, 700, "cash");
    fixture->api.payment_result = (struct api_result){.error = ERR_UNREACHABLE};
    start_later(fixture, &work);
    assert_postponed(fixture, &work, "Lightspeed: unreachable", 2, 0, 2 * CLOCK_US_PER_S);
    assert_attempt(fixture, FOREIGN_OPEN, 0, "");
    book_payment(&fixture->api, ORDER, 700, "cash");
    fixture->api.payment_result = (struct api_result){.status = 201};
    start_later(fixture, &work);
    assert_done(fixture, &work);
    assert_int_equal(fixture->api.payments_posted, 3);
    assert_attempt(fixture, FOREIGN_PAID, 201, "");
}

static void a_refused_payment_is_given_up_and_says_why(void **state)
{
    struct fixture *fixture = *state;
    play_order(fixture, ORDER, ORDER_PENDING, 700);
    fixture->api.payment_result =
        (struct api_result){.error = ERR_REFUSED,
                            .status = 403,
                            .sentence = "This application may not add payments to orders it did "
                                        "not create."};
    struct work work = charge_that_is_ours(fixture, NULL);
    start(fixture);
    assert_given_up(fixture, &work,
                    "Lightspeed refuses the payment: 403: This application may not add payments "
                    "to orders it did not create.");
    assert_int_equal(fixture->api.payments_posted, 1);
    assert_attempt(fixture, FOREIGN_UNPAID, 403, fixture->api.payment_result.sentence);
}

static void on_work_of(void *context, const struct work *work)
{
    int *counts = context;
    counts[work->kind]++;
}

/* The refused charge is on no order, so its money goes back at once, and staff are told. */
static void what_a_refused_payment_was_for_is_given_back_at_once(void **state)
{
    struct fixture *fixture = *state;
    struct outcome outcome;
    struct operation operation;
    int counts[WORK_NOTIFY + 1] = {0};
    play_order(fixture, ORDER, ORDER_PENDING, 700);
    fixture->api.payment_result = (struct api_result){.error = ERR_REFUSED, .status = 403};
    struct work work = charge_that_is_ours(fixture, &outcome);
    int64_t before_minor = balance_of(fixture, 0);
    start(fixture);
    assert_given_up(fixture, &work, "Lightspeed refuses the payment: 403");
    assert_int_equal(balance_of(fixture, 0), before_minor + 700);
    assert_int_equal(store_read_operation(fixture->look, outcome.operation_id, &operation), 0);
    assert_int_equal(operation.given_back_minor, 700);
    assert_int_equal(store_each_work(fixture->look, fixture->tenant.id, 100, on_work_of, counts),
                     0);
    assert_int_equal(counts[WORK_NOTIFY], 1);
    struct tenant tenant;
    assert_int_equal(store_read_tenant(fixture->look, fixture->tenant.id, &tenant), 0);
    assert_true(tenant.approval.is_suspended);
}

/* Of the first one nobody knows whether it was made: without our reference it may be there. */
static void a_charge_whose_payment_may_have_been_made_before_stays(void **state)
{
    struct fixture *fixture = *state;
    play_order(fixture, ORDER, ORDER_PENDING, 700);
    fixture->api.payment_result = (struct api_result){
        .error = ERR_TIMED_OUT, .may_have_happened = true, .may_happen_later = true};
    struct work work = charge_that_is_ours(fixture, NULL);
    int64_t before_minor = balance_of(fixture, 0);
    start(fixture);
    assert_postponed(fixture, &work, "Lightspeed: timed_out", 1, INBOX_SETTLE_US - CLOCK_US_PER_S,
                     INBOX_SETTLE_US);
    fixture->api.payment_result = (struct api_result){.error = ERR_RATE_LIMITED, .status = 429};
    start_later(fixture, &work);
    assert_postponed(fixture, &work, "Lightspeed: rate_limited 429", 2, 0, 2 * CLOCK_US_PER_S);
    fixture->api.payment_result = (struct api_result){.error = ERR_REFUSED, .status = 403};
    start_later(fixture, &work);
    assert_given_up(fixture, &work, "Lightspeed refuses the payment: 403");
    assert_int_equal(balance_of(fixture, 0), before_minor);
}

/* It was in the queue when another one was refused: it is not sent, and goes back like that one. */
static void a_charge_whose_approval_was_suspended_is_not_sent_and_given_back(void **state)
{
    struct fixture *fixture = *state;
    struct outcome outcome;
    play_order(fixture, ORDER, ORDER_PENDING, 700);
    struct work work = charge_that_is_ours(fixture, &outcome);
    struct command command = command_of(fixture, ACTION_CHARGE, 0, 300);
    command.payment_is_ours = true;
    struct outcome refused;
    run(fixture, command, &refused);
    const struct foreign_attempt said = {.tenant_id = fixture->tenant.id,
                                         .operation_id = refused.operation_id,
                                         .end = FOREIGN_UNPAID,
                                         .api_status = 403,
                                         .answered_at_us = clock_steady_us()};
    assert_int_equal(store_answer_foreign_attempt(fixture->writer, &said), 0);
    int64_t before_minor = balance_of(fixture, 0);
    start(fixture);
    assert_given_up(fixture, &work, "not sent, for want of Lightspeed's approval: suspended");
    assert_int_equal(fixture->api.payments_posted, 0);
    assert_true(balance_of(fixture, 0) >= before_minor + 700);
}

static void a_refusal_that_the_tenant_does_not_count_as_final_is_tried_again(void **state)
{
    struct fixture *fixture = *state;
    play_order(fixture, ORDER, ORDER_PENDING, 700);
    fixture->api.payment_result = (struct api_result){.error = ERR_REFUSED, .status = 409};
    struct work work = charge_that_is_ours(fixture, NULL);
    start(fixture);
    assert_postponed(fixture, &work, "Lightspeed: refused 409", 1, 0, CLOCK_US_PER_S);
    assert_attempt(fixture, FOREIGN_OPEN, 409, "refused");
}

static void a_payment_waits_for_an_order_that_the_till_has_not_sent_yet(void **state)
{
    struct fixture *fixture = *state;
    struct work work = charge_that_is_ours(fixture, NULL);
    start(fixture);
    assert_postponed(fixture, &work, "Lightspeed: not_found 404", 1, 0, CLOCK_US_PER_S);
    assert_attempt(fixture, FOREIGN_OPEN, 0, "");
}

static void no_payment_is_added_to_a_deleted_order(void **state)
{
    struct fixture *fixture = *state;
    play_order(fixture, ORDER, ORDER_PENDING, 700)->is_deleted = true;
    struct work work = charge_that_is_ours(fixture, NULL);
    start(fixture);
    assert_given_up(fixture, &work, "the order was deleted before the payment was added");
    assert_int_equal(fixture->api.payments_posted, 0);
    assert_attempt(fixture, FOREIGN_UNPAID, 0,
                   "the order was deleted before the payment was added");
}

static void no_payment_is_added_where_not_all_of_them_can_be_seen(void **state)
{
    struct fixture *fixture = *state;
    struct oseries_order *order = play_order(fixture, ORDER, ORDER_PENDING, 700);
    order->is_cut = true;
    order->payment_count = ORDER_PAYMENTS_MAX;
    struct work work = charge_that_is_ours(fixture, NULL);
    start(fixture);
    assert_given_up(fixture, &work, "the order has more payments than can be looked through");
    assert_int_equal(fixture->api.payments_posted, 0);
    assert_attempt(fixture, FOREIGN_OPEN, 0, "");
}

static void a_payment_is_added_where_only_lines_are_too_many_to_be_seen(void **state)
{
    struct fixture *fixture = *state;
    play_order(fixture, ORDER, ORDER_PENDING, 700)->is_cut = true;
    struct work work = charge_that_is_ours(fixture, NULL);
    start(fixture);
    assert_done(fixture, &work);
    assert_int_equal(fixture->api.payments_posted, 1);
}

/* A minute later, and perhaps after a crash: a payment was sent, and nothing is known of it. */
static void may_be_on_its_way(struct fixture *fixture, int64_t work_id)
{
    struct seen seen = see(fixture, work_id);
    assert_true(seen.is_found);
    seen.work.due_at_us--;
    assert_int_equal(store_update_work(fixture->writer, &seen.work), 0);
}

static void a_charge_given_back_whose_payment_has_arrived_is_shown(void **state)
{
    struct fixture *fixture = *state;
    struct outcome outcome;
    char ref[40];
    play_order(fixture, ORDER, ORDER_COMPLETE, 700);
    struct work work = charge_that_is_ours(fixture, &outcome);
    snprintf(ref, sizeof(ref), "CP1-%d", (int)outcome.operation_id);
    book_payment(&fixture->api, ORDER, 700, ref);
    run(fixture, command_of(fixture, ACTION_REFUND, 0, 700), NULL);
    may_be_on_its_way(fixture, work.id);
    start(fixture);
    assert_given_up(fixture, &work, "given back, and yet the payment is on the order");
    assert_int_equal(fixture->api.payments_posted, 0);
    assert_attempt(fixture, FOREIGN_PAID, 200, "found on the order");
}

static void a_charge_given_back_whose_payment_did_not_arrive_is_done(void **state)
{
    struct fixture *fixture = *state;
    play_order(fixture, ORDER, ORDER_PENDING, 700)->is_deleted = true;
    struct work work = charge_that_is_ours(fixture, NULL);
    run(fixture, command_of(fixture, ACTION_REFUND, 0, 700), NULL);
    may_be_on_its_way(fixture, work.id);
    start(fixture);
    assert_done(fixture, &work);
    assert_int_equal(order_reads(fixture), 1);
    assert_int_equal(fixture->api.payments_posted, 0);
    assert_attempt(fixture, FOREIGN_OPEN, 0, ""); /* it may arrive yet */
}

static void a_charge_given_back_is_looked_for_until_its_order_can_be_read(void **state)
{
    struct fixture *fixture = *state;
    struct work work = charge_that_is_ours(fixture, NULL);
    run(fixture, command_of(fixture, ACTION_REFUND, 0, 700), NULL);
    may_be_on_its_way(fixture, work.id);
    start(fixture);
    assert_postponed(fixture, &work, "Lightspeed: not_found 404", 1, 0, CLOCK_US_PER_S);
}

static void a_charge_without_an_order_is_shown(void **state)
{
    struct fixture *fixture = *state;
    struct command command = command_of(fixture, ACTION_CHARGE, 0, 700);
    struct work work = {.id = 1};
    command.payment_is_ours = true;
    command.order_id = 0;
    run(fixture, command, NULL);
    start(fixture);
    assert_given_up(fixture, &work, "charged without an order: there is none to add a payment to");
    assert_int_equal(order_reads(fixture), 0);
    assert_attempt(fixture, FOREIGN_UNPAID, 0,
                   "charged without an order: there is none to add a payment to");
}

static void a_charge_given_back_meanwhile_is_not_booked(void **state)
{
    struct fixture *fixture = *state;
    play_order(fixture, ORDER, ORDER_PENDING, 700);
    struct work work = charge_that_is_ours(fixture, NULL);
    run(fixture, command_of(fixture, ACTION_REFUND, 0, 700), NULL);
    start(fixture);
    assert_done(fixture, &work);
    assert_int_equal(order_reads(fixture), 0); /* none was ever sent */
    assert_int_equal(fixture->api.payments_posted, 0);
    assert_attempt(fixture, FOREIGN_UNPAID, 0, "given back before it was added to the order");
}

static void a_charge_reversed_while_its_order_is_read_is_not_booked(void **state)
{
    struct fixture *fixture = *state;
    struct outcome outcome;
    play_order(fixture, ORDER, ORDER_PENDING, 700);
    fixture->api.payment_is_booked = true;
    struct work work = charge_that_is_ours(fixture, &outcome);
    struct command reversal = command_of(fixture, ACTION_REVERSE, 0, 700);
    reversal.tenant_id = fixture->tenant.id;
    reversal.answers_operation_id = outcome.operation_id;
    reversal.received_at_us = clock_steady_us();
    reversal.local_date = 20000;
    fixture->api.meanwhile = reversal;
    start(fixture);
    assert_done(fixture, &work);
    assert_int_equal(order_reads(fixture), 1);
    assert_int_equal(fixture->api.payments_posted, 0);
    assert_attempt(fixture, FOREIGN_UNPAID, 0, "given back before it was added to the order");
}

static void record(const struct fixture *fixture, enum foreign_state state)
{
    struct foreign_change change = {.tenant_id = fixture->tenant.id, .to.state = state};
    assert_int_equal(store_add_foreign_change(fixture->writer, &change), 0);
}

/* Revoked between the charge and its payment, which nothing has been heard of yet. */
static void no_payment_is_sent_when_its_approval_is_gone(void **state)
{
    struct fixture *fixture = *state;
    play_order(fixture, ORDER, ORDER_PENDING, 700);
    struct work work = charge_that_is_ours(fixture, NULL);
    record(fixture, FOREIGN_REVOKED);
    start(fixture);
    assert_given_up(fixture, &work, "not sent, for want of Lightspeed's approval: not_approved");
    assert_int_equal(fixture->api.payments_posted, 0);
    assert_attempt(fixture, FOREIGN_UNPAID, 0, "not sent: the approval no longer stands");
    stop(fixture);
    record(fixture, FOREIGN_REQUESTED);
    record(fixture, FOREIGN_APPROVED);
    fixture->api.payment_is_booked = true;
    assert_int_equal(
        store_reopen_work(fixture->writer, fixture->tenant.id, work.id, clock_steady_us()), 0);
    start(fixture);
    assert_done(fixture, &work);
    assert_int_equal(fixture->api.payments_posted, 1);
    assert_attempt(fixture, FOREIGN_PAID, 0, "");
}

/* --- pure --- */

static void a_share_is_rounded_down_and_never_more_than_all(void **state)
{
    (void)state;
    assert_int_equal(points_share(45, 2000, 4565), 19);
    assert_int_equal(points_share(45, 4565, 4565), 45);
    assert_int_equal(points_share(45, 9999, 4565), 45);
    assert_int_equal(points_share(45, 1, 0), 45);
    assert_int_equal(points_share(45, 0, 4565), 0);
    assert_int_equal(points_share(0, 10, 4565), 0);
    assert_int_equal(points_share(-5, 10, 4565), 0);
    assert_int_equal(points_share(1, 4564, 4565), 0);
    assert_int_equal(points_share(POINTS_MAX, MONEY_MAX_MINOR - 1, MONEY_MAX_MINOR),
                     POINTS_MAX - 1);
}

#define INBOX_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

static const struct CMUnitTest tests[] = {
    INBOX_TEST(a_complete_order_releases_burns_and_earns_once),
    INBOX_TEST(an_order_of_nobody_s_customer_earns_nothing),
    INBOX_TEST(a_customer_that_is_gone_does_not_hold_up_the_rest),
    INBOX_TEST(money_does_not_wait_for_a_customer_that_cannot_be_read),
    INBOX_TEST(a_refund_takes_back_its_share_once),
    INBOX_TEST(all_refunds_and_the_deletion_of_one_sale_take_back_what_it_earned),
    INBOX_TEST(a_refund_of_what_earned_nothing_takes_nothing),
    INBOX_TEST(a_refund_told_before_its_sale_comes_to_the_same),
    INBOX_TEST(a_partial_refund_told_before_its_sale_comes_to_the_same),
    INBOX_TEST(a_refund_waits_for_the_customer_of_a_sale_that_is_not_counted),
    INBOX_TEST(a_sale_that_was_done_without_points_does_not_earn_by_its_refund),
    INBOX_TEST(a_sale_of_long_ago_does_not_earn_by_its_refund),
    INBOX_TEST(a_deleted_sale_does_not_earn_by_its_refund),
    INBOX_TEST(a_refund_waits_for_a_sale_that_is_not_complete_or_cannot_be_read),
    INBOX_TEST(a_sale_is_not_looked_at_while_its_refund_is),
    INBOX_TEST(a_refund_is_not_looked_at_while_its_sale_is),
    INBOX_TEST(an_order_is_worked_on_once_at_a_time),
    INBOX_TEST(an_order_of_less_than_nothing_earns_nothing),
    INBOX_TEST(a_deleted_order_gives_points_back_and_releases_nothing),
    INBOX_TEST(burned_points_come_back_when_the_order_is_deleted),
    INBOX_TEST(a_deletion_waits_for_the_redemption_under_way_and_returns_what_it_burned),
    INBOX_TEST(a_completion_waits_for_the_redemption_under_way_and_burns_what_it_applied),
    INBOX_TEST(a_reward_that_was_taken_off_before_the_order_completed_gives_its_points_back),
    INBOX_TEST(a_mark_without_its_discount_burns_all_the_same),
    INBOX_TEST(a_reward_on_a_completed_order_whose_burned_points_came_back_is_listed),
    INBOX_TEST(a_reward_on_a_completed_order_whose_reserved_points_came_back_is_listed),
    INBOX_TEST(a_returned_reward_that_is_not_on_the_order_is_not_listed),
    INBOX_TEST(a_mark_that_is_left_of_a_discount_not_taken_is_not_listed),
    INBOX_TEST(an_order_of_another_merchant_is_ignored_after_three_looks),
    INBOX_TEST(a_missing_order_that_something_waits_for_is_looked_for_and_then_shown),
    INBOX_TEST(a_missing_order_with_a_reservation_is_not_ignored),
    INBOX_TEST(a_forbidden_order_is_not_ignored),
    INBOX_TEST(an_open_order_is_looked_at_again_only_where_something_waits),
    INBOX_TEST(an_open_order_that_completes_is_done_at_the_next_look),
    INBOX_TEST(a_release_that_is_refused_is_shown_to_people_and_earns_all_the_same),
    INBOX_TEST(many_cards_that_wait_are_all_released),
    INBOX_TEST(what_cannot_be_read_is_tried_again_later_and_later),
    INBOX_TEST(what_waits_for_a_connection_goes_on_when_it_is_there),
    INBOX_TEST(what_waits_for_a_connection_goes_on_when_another_process_has_made_it),
    INBOX_TEST(all_that_waits_for_a_connection_goes_on_however_much_it_is),
    INBOX_TEST(webhooks_that_could_not_be_registered_are_tried_again),
    INBOX_TEST(what_was_open_at_the_end_is_done_after_the_next_start),
    INBOX_TEST(a_payment_is_added_once_with_our_reference),
    INBOX_TEST(a_payment_that_is_on_the_order_is_not_added_again),
    INBOX_TEST(a_payment_without_reply_is_looked_for_before_it_is_sent_again),
    INBOX_TEST(a_payment_that_surely_was_not_made_is_sent_again_soon),
    INBOX_TEST(a_payment_that_another_process_has_taken_is_not_sent),
    INBOX_TEST(a_payment_that_may_be_there_without_our_reference_is_for_people),
    INBOX_TEST(what_surely_was_not_made_is_sent_whatever_else_has_its_amount),
    INBOX_TEST(a_refused_payment_is_given_up_and_says_why),
    INBOX_TEST(what_a_refused_payment_was_for_is_given_back_at_once),
    INBOX_TEST(a_charge_whose_payment_may_have_been_made_before_stays),
    INBOX_TEST(a_charge_whose_approval_was_suspended_is_not_sent_and_given_back),
    INBOX_TEST(a_refusal_that_the_tenant_does_not_count_as_final_is_tried_again),
    INBOX_TEST(a_payment_waits_for_an_order_that_the_till_has_not_sent_yet),
    INBOX_TEST(no_payment_is_added_to_a_deleted_order),
    INBOX_TEST(no_payment_is_added_where_not_all_of_them_can_be_seen),
    INBOX_TEST(a_payment_is_added_where_only_lines_are_too_many_to_be_seen),
    INBOX_TEST(a_charge_given_back_whose_payment_has_arrived_is_shown),
    INBOX_TEST(a_charge_given_back_whose_payment_did_not_arrive_is_done),
    INBOX_TEST(a_charge_given_back_is_looked_for_until_its_order_can_be_read),
    INBOX_TEST(a_charge_without_an_order_is_shown),
    INBOX_TEST(a_charge_given_back_meanwhile_is_not_booked),
    INBOX_TEST(a_charge_reversed_while_its_order_is_read_is_not_booked),
    INBOX_TEST(no_payment_is_sent_when_its_approval_is_gone),
    cmocka_unit_test(a_share_is_rounded_down_and_never_more_than_all),
};

int main(void)
{
    return cmocka_run_group_tests(tests, NULL, NULL);
}
