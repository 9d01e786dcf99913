/* The four handlers, between a fake exchange and a fake store: what they ask for, what they answer,
 * and what they never ask for. Reader, writer, profiles, keys and the ledger's rules are the real
 * ones. */
#include "base/error.h"
#include "handlers/budget_share.h"
#include "handlers/oseries.h"

#include "lightspeed/inbox.h"
#include "lightspeed/look.h"
#include "lightspeed/refund.h"
#include "store/proof.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define NUMBER "6036280000012345"
#define IDS "\"company_id\":5678,\"site_id\":923,\"register_id\":9091,\"order_id\":2802065908,"
#define BODY_CHECKOUT "{" IDS "\"keyword\":\"" NUMBER "\",\"amount\":25.5}"
#define BODY_TOP_UP "{" IDS "\"keyword\":\"" NUMBER "\",\"topup_amount\":\"50.00\"}"
#define BODY_BALANCE "{" IDS "\"keyword\":\"" NUMBER "\"}"
#define BODY_LAST4 "{" IDS "\"keyword\":\"2345\",\"amount\":25.5}"
#define NOT_FOUND                                                                                  \
    "{\"success\":false,\"amount\":0.00,\"error\":\"Card not found. Check the number, and the "    \
    "PIN "                                                                                         \
    "if the card has one\"}"
#define MIDNIGHT_UTC_US (INT64_C(20500) * 86400 * 1000000)

/* Everything around one request. */
static struct world {
    struct handlers handlers;
    struct directory_tenant tenant;
    struct directory_site site;
    bool site_is_mapped;
    h2o_req_t *req;
    struct exchange_loop loop;
    struct exchange exchange;
    /* submitted */
    struct job *job;
    exchange_done_fn on_done;
    int command_count, read_count, outbound_count;
    exchange_left_fn on_left; /* of the command */
    struct job *task;         /* that no request waits for */
    exchange_left_fn on_task_left;
    int task_error; /* the queue's */
    bool is_client_gone;
    int64_t suspect_id;
    int32_t suspect_date;
    int store_suspect_error, bug_count;
    int64_t time_left_us; /* until the deadline */
    int inbox_wakes;
    /* answered */
    int status;
    char code[64];
    char reply[REPLY_MAX];
    int reply_count;
    /* around */
    struct card stored; /* id 0: the store has no card */
    int store_error;
    struct hot_value hot; /* card.id 0: nothing hot */
    bool hot_is_late;     /* asked, and not answered yet */
    exchange_hot_fn on_hot;
    struct card hot_card; /* what was put */
    bool is_exhausted, is_busy, is_crowded, outbound_is_full;
    exchange_turn_fn on_turn;
    int share_reads, share_misses; /* of what other processes are asked and told */
    int miss_count, held_count, wake_count, outcome_count;
} world;

/* --- the fakes */

struct job *exchange_job(struct exchange *exchange, size_t extra_bytes)
{
    assert_ptr_equal(exchange, &world.exchange);
    assert_null(world.job);
    world.job = calloc(1, sizeof(*world.job) + extra_bytes);
    assert_non_null(world.job);
    return world.job;
}

void exchange_submit_command(struct exchange *exchange, struct job *job, exchange_done_fn on_done)
{
    (void)exchange;
    assert_ptr_equal(job, world.job);
    assert_null(job->task);
    world.on_done = on_done;
    world.command_count++;
}

void exchange_submit_read(struct exchange *exchange, struct job *job, exchange_done_fn on_done)
{
    (void)exchange;
    assert_ptr_equal(job, world.job);
    assert_non_null(job->task);
    world.on_done = on_done;
    world.read_count++;
}

int exchange_offer_outbound(struct exchange *exchange, struct job *job, exchange_done_fn on_done)
{
    (void)exchange;
    assert_ptr_equal(job, world.job);
    assert_true(job->begin == refund_look_begin || job->begin == order_look_begin);
    if (world.outbound_is_full) {
        free(world.job);
        world.job = NULL;
        return ERR_QUEUE_FULL;
    }
    world.on_done = on_done;
    world.outbound_count++;
    return 0;
}

int64_t exchange_deadline_us(const struct exchange *exchange)
{
    (void)exchange;
    return clock_monotonic_us() + world.time_left_us;
}

/* The API's side is the test's: see the_api_says. */
void refund_look_begin(struct job *job)
{
    (void)job;
}

void order_look_begin(struct job *job)
{
    (void)job;
}

void exchange_watch_left(struct job *job, exchange_left_fn on_left)
{
    assert_ptr_equal(job, world.job);
    world.on_left = on_left;
}

struct job *exchange_loop_job(struct exchange_loop *loop, size_t extra_bytes)
{
    assert_ptr_equal(loop, &world.loop);
    assert_null(world.task);
    world.task = calloc(1, sizeof(*world.task) + extra_bytes);
    assert_non_null(world.task);
    return world.task;
}

int exchange_loop_write(struct exchange_loop *loop, struct job *job, exchange_left_fn on_left)
{
    assert_ptr_equal(loop, &world.loop);
    assert_ptr_equal(job, world.task);
    assert_true(job->task != NULL && job->joins);
    world.on_task_left = on_left;
    if (world.task_error == 0)
        return 0;
    free(world.task);
    world.task = NULL;
    return world.task_error;
}

bool exchange_client_is_gone(const struct exchange *exchange)
{
    assert_ptr_equal(exchange, &world.exchange);
    return world.is_client_gone;
}

void exchange_fail_bug(struct exchange *exchange, const char *what)
{
    world.bug_count++;
    exchange_reply_json(exchange, 500, text_of(what));
}

int store_suspect(struct store *store, int64_t tenant_id, int64_t operation_id, int32_t local_date,
                  int64_t now_us)
{
    (void)store;
    assert_int_equal(tenant_id, 3);
    assert_true(now_us > 0);
    world.suspect_id = operation_id;
    world.suspect_date = local_date;
    return world.store_suspect_error;
}

void inbox_wake(struct inbox *inbox)
{
    assert_ptr_equal(inbox, world.handlers.inbox);
    world.inbox_wakes++;
}

void exchange_reply_json(struct exchange *exchange, int status, struct text body)
{
    (void)exchange;
    world.reply_count++;
    world.status = status;
    assert_true(body.length < sizeof(world.reply));
    memcpy(world.reply, body.base, body.length);
    world.reply[body.length] = '\0';
}

void exchange_refuse(struct exchange *exchange, int status, const char *code, const char *sentence)
{
    exchange_reply_json(exchange, status, text_of(sentence));
    assert_true(strlen(code) < sizeof(world.code));
    memcpy(world.code, code, strlen(code) + 1);
}

void metrics_outcome(struct metrics *metrics, enum action action, enum result result,
                     bool is_replay)
{
    (void)metrics, (void)action, (void)result, (void)is_replay;
    world.outcome_count++;
}

const struct directory_site *directory_find_site(const struct directory_snapshot *snapshot,
                                                 int64_t tenant_id, int64_t oseries_site)
{
    (void)snapshot;
    assert_int_equal(tenant_id, world.tenant.tenant.id);
    return world.site_is_mapped && oseries_site == world.site.site.oseries_site ? &world.site
                                                                                : NULL;
}

static int store_answer(struct card *card)
{
    if (world.store_error != 0)
        return world.store_error;
    *card = world.stored;
    return world.stored.id == 0 ? ERR_NOT_FOUND : 0;
}

int store_read_card(struct store *store, int64_t tenant_id, const uint8_t index[CARD_INDEX_BYTES],
                    struct card *card)
{
    (void)store;
    assert_int_equal(tenant_id, world.tenant.tenant.id);
    if (memcmp(index, world.stored.index, CARD_INDEX_BYTES) != 0 && world.store_error == 0)
        return ERR_NOT_FOUND;
    return store_answer(card);
}

int store_read_card_by_last4(struct store *store, int64_t tenant_id, const char last4[5],
                             struct card *card)
{
    (void)store;
    assert_int_equal(tenant_id, world.tenant.tenant.id);
    assert_string_equal(last4, "2345");
    return store_answer(card);
}

enum hot_answer exchange_ask_hot(struct exchange *exchange, const uint8_t index[CARD_INDEX_BYTES],
                                 struct hot_value *value, exchange_hot_fn on_hot)
{
    assert_ptr_equal(exchange, &world.exchange);
    *value = world.hot;
    world.on_hot = on_hot;
    if (world.hot_is_late)
        return HOT_LATER;
    bool is_there =
        world.hot.card.id != 0 && memcmp(index, world.hot.card.index, CARD_INDEX_BYTES) == 0;
    return is_there ? HOT_HIT : HOT_MISS;
}

void exchange_fill_hot(struct exchange *exchange, const struct card *card)
{
    assert_ptr_equal(exchange, &world.exchange);
    world.hot_card = *card;
}

const char *budget_layer_name(enum budget_layer layer)
{
    return layer == BUDGET_CARD ? "card" : "other";
}

void budget_keys_fill(const struct budget *budget, struct budget_keys *keys, int64_t tenant_id,
                      int64_t site_id, int64_t register_id, const uint8_t card_index[32],
                      struct text number)
{
    (void)budget, (void)tenant_id, (void)card_index;
    assert_true(number.length > 0);
    memset(keys, 0, sizeof(*keys));
    keys->key[BUDGET_SITE] = (uint64_t)site_id;
    keys->key[BUDGET_REGISTER] = (uint64_t)register_id;
}

bool budget_is_exhausted(struct budget *budget, const struct budget_keys *keys, int64_t now_us,
                         enum budget_layer *layer)
{
    (void)budget, (void)now_us, (void)layer;
    assert_int_equal(keys->key[BUDGET_SITE], 923);
    assert_int_equal(keys->key[BUDGET_REGISTER], 9091);
    return world.is_exhausted;
}

bool budget_take(struct budget *budget, const struct budget_keys *keys, int64_t now_us,
                 enum budget_layer *layer)
{
    (void)budget, (void)now_us;
    assert_int_equal(keys->key[BUDGET_REGISTER], 9091);
    *layer = BUDGET_CARD;
    return ++world.miss_count == 1;
}

enum budget_answer budget_hold(struct budget *budget, const struct budget_keys *keys,
                               int64_t now_us)
{
    (void)budget;
    assert_int_equal(keys->key[BUDGET_REGISTER], 9091);
    assert_int_equal(now_us, world.exchange.received_monotonic_us);
    if (world.is_exhausted)
        return BUDGET_EXHAUSTED;
    if (world.is_busy)
        return BUDGET_BUSY;
    world.held_count++;
    return BUDGET_HELD;
}

bool budget_settle(struct budget *budget, const struct budget_keys *keys, bool is_miss,
                   int64_t now_us, enum budget_layer *layer)
{
    assert_true(world.held_count > 0);
    world.held_count--;
    return is_miss && budget_take(budget, keys, now_us, layer);
}

void budget_share_read(struct exchange *exchange, const struct budget_keys *keys,
                       exchange_turn_fn on_turn)
{
    assert_int_equal(keys->key[BUDGET_REGISTER], 9091);
    world.share_reads++;
    on_turn(exchange);
}

void budget_share_miss(struct exchange_loop *loop, const struct budget_keys *keys)
{
    assert_ptr_equal(loop, &world.loop);
    assert_int_equal(keys->key[BUDGET_REGISTER], 9091);
    world.share_misses++;
}

bool exchange_wait(struct exchange *exchange, exchange_turn_fn on_turn)
{
    assert_ptr_equal(exchange, &world.exchange);
    world.on_turn = on_turn;
    return !world.is_crowded;
}

void exchange_wake(struct exchange_loop *loop)
{
    assert_ptr_equal(loop, &world.loop);
    world.wake_count++;
}

/* --- the world */

static void index_of(const char *number, uint8_t index[CARD_INDEX_BYTES])
{
    seal_card_index(world.handlers.seal, world.tenant.tenant.id, text_of(number), index);
}

static struct card card_of(int64_t balance_minor)
{
    struct card card = {.id = 7,
                        .tenant_id = 3,
                        .last4 = "2345",
                        .status = CARD_ACTIVE,
                        .balance_minor = balance_minor,
                        .version = 4};
    index_of(NUMBER, card.index);
    return card;
}

static void give_pin(struct card *card, const char *pin)
{
    card->has_pin = true;
    seal_pin_hash(world.handlers.seal, card->tenant_id, card->index, text_of(pin), card->pin_hash);
}

static int set_up(void **state)
{
    (void)state;
    static const uint8_t master[SEAL_KEY_BYTES] = {1, 2, 3};
    struct seal *seal;
    memset(&world, 0, sizeof(world));
    if (seal_from_bytes(master, &seal) != 0 ||
        profiles_create(NULL, &world.handlers.profiles) != 0 ||
        clock_zone_create("Australia/Sydney", &world.tenant.zone) != 0 ||
        clock_zone_create("America/Los_Angeles", &world.site.zone) != 0)
        return -1;
    world.handlers.seal = seal;
    world.loop.handlers = &world.handlers;
    world.handlers.generation = 1;
    world.time_left_us = JOB_DEADLINE_US;
    struct tenant *tenant = &world.tenant.tenant;
    *tenant = (struct tenant){.id = 3,
                              .currency = {"AUD", 2},
                              TENANT_CHOICES,
                              .oseries_company = 5678,
                              .charge_is_on = true,
                              .top_up_is_on = true,
                              .refund_is_on = true,
                              .balance_is_on = true,
                              .profile = "default",
                              .policy = {.partial_is_allowed = true, .uses_hour_max = 9}};
    world.site.site = (struct site){.id = 1, .tenant_id = 3, .oseries_site = 923};
    world.req = calloc(1, sizeof(*world.req));
    if (world.req == NULL)
        return -1;
    h2o_mem_init_pool(&world.req->pool);
    world.exchange =
        (struct exchange){.req = world.req,
                          .loop = &world.loop,
                          .handlers = &world.handlers,
                          .dialect = profile_acquire(world.handlers.profiles, "default"),
                          .tenant = &world.tenant,
                          .received_wall_us = MIDNIGHT_UTC_US + 1,
                          .received_steady_us = MIDNIGHT_UTC_US + 2,
                          .received_monotonic_us = 1000,
                          .request_id = 99};
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    h2o_mem_clear_pool(&world.req->pool);
    free(world.req);
    free(world.job);
    free(world.task);
    clock_zone_destroy(world.tenant.zone);
    clock_zone_destroy(world.site.zone);
    profile_release(world.exchange.dialect);
    profiles_destroy(world.handlers.profiles);
    seal_destroy((struct seal *)world.handlers.seal);
    return 0;
}

static void ask(void (*handler)(struct exchange *exchange), const char *body)
{
    world.exchange.body = text_of(body);
    handler(&world.exchange);
}

/* The job comes home; the handler may submit another one meanwhile. */
static void come_home(void)
{
    struct job *job = world.job;
    exchange_done_fn on_done = world.on_done;
    assert_non_null(job);
    world.job = NULL;
    world.on_done = NULL;
    if (job->task != NULL && job->error == 0)
        job->error = job->task(job, NULL);
    on_done(&world.exchange, job);
    free(job);
}

static void decide(struct outcome outcome)
{
    world.job->outcome = outcome;
    if (outcome.action == 0)
        world.job->outcome.action = world.job->command.action;
    come_home();
}

static void check_reply(const char *reply)
{
    assert_int_equal(world.reply_count, 1);
    assert_int_equal(world.status, 200);
    assert_string_equal(world.reply, reply);
}

/* For a second request in the same world: the first one dies. */
static void forget_reply(void)
{
    h2o_mem_clear_pool(&world.req->pool);
    h2o_mem_init_pool(&world.req->pool);
    world.reply_count = 0;
    world.status = 0;
    world.reply[0] = '\0';
}

/* --- money */

static void a_checkout_becomes_a_command_with_all_that_a_decision_needs(void **state)
{
    (void)state;
    ask(oseries_checkout, "{" IDS "\"keyword\":\"" NUMBER "*4711\",\"amount\":25.5}");
    assert_int_equal(world.command_count, 1);
    const struct command *command = &world.job->command;
    struct card card = card_of(0);
    give_pin(&card, "4711");
    assert_int_equal(command->action, ACTION_CHARGE);
    assert_int_equal(command->tenant_id, 3);
    assert_int_equal(command->order_id, INT64_C(2802065908));
    assert_int_equal(command->site_id, 923);
    assert_int_equal(command->register_id, 9091);
    assert_memory_equal(command->card_index, card.index, CARD_INDEX_BYTES);
    assert_true(command->has_pin);
    assert_memory_equal(command->pin_hash, card.pin_hash, CARD_PIN_BYTES);
    assert_false(command->is_throttled);
    assert_int_equal(command->amount_result, RESULT_OK);
    assert_int_equal(command->asked_minor, 2550);
    assert_int_equal(command->received_at_us, MIDNIGHT_UTC_US + 2);
    assert_int_equal(command->policy.uses_hour_max, 9);
    assert_true(command->policy.partial_is_allowed);
    assert_int_equal(world.reply_count, 0);
    assert_int_equal(world.read_count, 0);
}

static void top_ups_and_refunds_become_their_own_commands(void **state)
{
    (void)state;
    ask(oseries_top_up, BODY_TOP_UP);
    assert_int_equal(world.job->command.action, ACTION_TOP_UP);
    assert_int_equal(world.job->command.asked_minor, 5000);
    assert_false(world.job->command.has_pin);
    decide((struct outcome){.result = RESULT_OK});
    ask(oseries_refund, "{" IDS "\"keyword\":\"" NUMBER "\",\"amount\":-5}");
    assert_int_equal(world.job->command.action, ACTION_REFUND);
    assert_int_equal(world.job->command.asked_minor, 500);
}

#define BODY_REFUND "{" IDS "\"keyword\":\"" NUMBER "\",\"amount\":5}"

static void connect_the_api(void)
{
    world.handlers.api = (struct oseries_api *)&world; /* never looked into here */
}

static void the_api_says(int64_t refunded_order_id)
{
    struct refund_look *look = (struct refund_look *)(world.job + 1);
    int64_t in_us = look->deadline_us - clock_monotonic_us();
    assert_ptr_equal(look->api, world.handlers.api);
    assert_int_equal(look->tenant_id, 3);
    assert_int_equal(look->order_id, INT64_C(2802065908));
    assert_true(in_us > REFUND_LOOK_US - 100000 && in_us <= REFUND_LOOK_US);
    look->refunded_order_id = refunded_order_id;
    come_home();
}

static void a_refund_names_the_sale_that_the_api_has_told(void **state)
{
    (void)state;
    connect_the_api();
    ask(oseries_refund, BODY_REFUND);
    assert_int_equal(world.outbound_count, 1);
    assert_int_equal(world.command_count, 0);
    the_api_says(2802065111);
    assert_int_equal(world.command_count, 1);
    assert_int_equal(world.job->command.order_id, INT64_C(2802065908)); /* identity stays */
    assert_int_equal(world.job->command.refunded_order_id, 2802065111);
}

static void a_refund_is_decided_also_when_the_api_tells_nothing(void **state)
{
    (void)state;
    connect_the_api();
    ask(oseries_refund, BODY_REFUND);
    the_api_says(0);
    assert_int_equal(world.job->command.refunded_order_id, 0);
    decide((struct outcome){.result = RESULT_OK});
    forget_reply();
    ask(oseries_refund, BODY_REFUND);
    world.job->error = ERR_CANCELLED; /* the outbound thread was too busy to begin */
    come_home();
    assert_int_equal(world.command_count, 2);
    assert_int_equal(world.job->command.refunded_order_id, 0);
}

static void a_refund_is_decided_also_when_too_much_waits_for_the_api(void **state)
{
    (void)state;
    connect_the_api();
    world.outbound_is_full = true;
    ask(oseries_refund, BODY_REFUND);
    assert_int_equal(world.outbound_count, 0);
    assert_int_equal(world.reply_count, 0);
    assert_int_equal(world.command_count, 1);
    assert_int_equal(world.job->command.refunded_order_id, 0);
}

static void the_api_is_asked_of_refunds_alone_that_may_be_given(void **state)
{
    (void)state;
    connect_the_api();
    ask(oseries_checkout, BODY_CHECKOUT);
    decide((struct outcome){.result = RESULT_OK});
    forget_reply();
    ask(oseries_refund,
        "{\"company_id\":5678,\"site_id\":923,\"register_id\":9091,\"keyword\":\"" NUMBER
        "\",\"amount\":5}");
    decide((struct outcome){.result = RESULT_OK}); /* without an order there is none to read */
    forget_reply();
    world.is_exhausted = true;
    ask(oseries_refund, BODY_REFUND);
    decide((struct outcome){.result = RESULT_OK});
    forget_reply();
    world.is_exhausted = false;
    world.time_left_us = 700000; /* a commit needs it all */
    ask(oseries_refund, BODY_REFUND);
    assert_int_equal(world.outbound_count, 0);
    assert_int_equal(world.command_count, 4);
}

/* --- a charge that may be a late repetition --- */

#define LOOK_FIRST(...)                                                                            \
    ((struct outcome){.result = RESULT_LOOK_FIRST, .earlier_operation_id = 41, __VA_ARGS__})

static void the_order_says(struct order_evidence evidence)
{
    struct order_look *look = (struct order_look *)(world.job + 1);
    int64_t in_us = look->deadline_us - clock_monotonic_us();
    assert_true(world.job->begin == order_look_begin);
    assert_ptr_equal(look->api, world.handlers.api);
    assert_int_equal(look->tenant_id, 3);
    assert_int_equal(look->order_id, INT64_C(2802065908));
    assert_int_equal(look->operation_id, 41);
    assert_int_equal(look->generation, 1);
    assert_int_equal(look->method_id, 88);
    assert_true(in_us > ORDER_LOOK_US - 100000 && in_us <= ORDER_LOOK_US);
    look->evidence = evidence;
    come_home();
}

static void assert_unreadable(const struct command *command)
{
    assert_int_equal(command->evidence.state, EVIDENCE_UNREADABLE);
    assert_int_equal(command->evidence.operation_id, 41);
}

static void a_charge_looks_first_where_an_order_can_be_read(void **state)
{
    (void)state;
    ask(oseries_checkout, BODY_CHECKOUT);
    assert_false(world.job->command.order_is_readable); /* no API */
    decide((struct outcome){.result = RESULT_OK});
    forget_reply();
    connect_the_api();
    ask(oseries_checkout, BODY_CHECKOUT);
    assert_true(world.job->command.order_is_readable);
    assert_int_equal(world.job->command.evidence.state, EVIDENCE_NONE);
    decide((struct outcome){.result = RESULT_OK});
    assert_int_equal(world.outbound_count, 0); /* most charges ask the API nothing */
    forget_reply();
    ask(oseries_checkout, "{\"company_id\":5678,\"site_id\":923,\"register_id\":9091,"
                          "\"keyword\":\"" NUMBER "\",\"amount\":25.5}");
    assert_false(world.job->command.order_is_readable); /* no order */
    decide((struct outcome){.result = RESULT_OK});
    forget_reply();
    world.tenant.tenant.order_look_is_on = false;
    ask(oseries_checkout, BODY_CHECKOUT);
    assert_false(world.job->command.order_is_readable);
}

static void what_the_order_says_goes_to_the_second_decision(void **state)
{
    (void)state;
    connect_the_api();
    world.tenant.tenant.payment_method = 88;
    ask(oseries_checkout, "{" IDS "\"keyword\":\"" NUMBER "*4711\",\"amount\":25.5}");
    struct command first = world.job->command;
    decide(LOOK_FIRST());
    assert_int_equal(world.outbound_count, 1);
    assert_int_equal(world.reply_count, 0);
    assert_int_equal(world.outcome_count, 0); /* it is no outcome */
    the_order_says((struct order_evidence){
        .state = EVIDENCE_READ, .operation_id = 41, .is_booked = true, .due_minor = 500});
    assert_int_equal(world.command_count, 2);
    struct command second = world.job->command;
    assert_int_equal(second.evidence.state, EVIDENCE_READ);
    assert_int_equal(second.evidence.due_minor, 500);
    second.evidence = first.evidence;
    assert_memory_equal(&second, &first, sizeof(first)); /* but for that it is the same */
    decide((struct outcome){.result = RESULT_OK, .operation_id = 43});
    assert_int_equal(world.reply_count, 1);
    assert_int_equal(world.outcome_count, 1);
    assert_null(world.task);
    assert_int_equal(world.held_count, 0);
}

static void a_charge_is_decided_also_when_nothing_can_be_read(void **state)
{
    (void)state;
    connect_the_api();
    ask(oseries_checkout, BODY_CHECKOUT);
    decide(LOOK_FIRST());
    world.job->error = ERR_CANCELLED; /* the outbound thread was too busy to begin */
    come_home();
    assert_unreadable(&world.job->command);
    decide((struct outcome){.result = RESULT_OK});
    forget_reply();
    world.outbound_is_full = true;
    ask(oseries_checkout, BODY_CHECKOUT);
    decide(LOOK_FIRST());
    assert_unreadable(&world.job->command);
    decide((struct outcome){.result = RESULT_OK});
    forget_reply();
    world.time_left_us = JOB_RESERVE_US + 200000; /* of a register with little patience */
    ask(oseries_checkout, BODY_CHECKOUT);
    decide(LOOK_FIRST());
    assert_unreadable(&world.job->command);
    assert_int_equal(world.outbound_count, 1);
    decide((struct outcome){.result = RESULT_OK});
    assert_int_equal(world.reply_count, 1);
}

static void to_be_asked_for_the_order_twice_is_a_bug(void **state)
{
    (void)state;
    connect_the_api();
    world.outbound_is_full = true;
    ask(oseries_checkout, BODY_CHECKOUT);
    decide(LOOK_FIRST());
    decide(LOOK_FIRST());
    assert_int_equal(world.bug_count, 1);
    assert_int_equal(world.status, 500);
}

/* --- suspects --- */

static void task_comes_home(void)
{
    struct job *job = world.task;
    assert_non_null(job);
    world.task = NULL;
    job->error = job->task(job, NULL);
    world.on_task_left(&world.loop, job);
    free(job);
}

static void a_replay_that_the_order_does_not_show_is_a_suspect(void **state)
{
    (void)state;
    ask(oseries_checkout, BODY_CHECKOUT);
    decide((struct outcome){
        .result = RESULT_OK, .is_replay = true, .is_suspect = true, .operation_id = 41});
    assert_int_equal(world.reply_count, 1); /* who asks does not wait for that */
    assert_int_equal(world.inbox_wakes, 0);
    task_comes_home();
    assert_int_equal(world.suspect_id, 41);
    assert_int_equal(world.suspect_date, 20500);
    assert_int_equal(world.inbox_wakes, 1);
}

static void money_that_moved_for_nobody_is_a_suspect(void **state)
{
    (void)state;
    world.is_client_gone = true;
    ask(oseries_checkout, BODY_CHECKOUT);
    decide((struct outcome){.result = RESULT_OK, .operation_id = 42});
    task_comes_home();
    assert_int_equal(world.suspect_id, 42);
    forget_reply();
    static const struct outcome harmless[] = {
        {.result = RESULT_NO_FUNDS, .operation_id = 43},
        {.result = RESULT_OK, .operation_id = 42, .is_replay = true},
    };
    for (size_t i = 0; i < sizeof(harmless) / sizeof(harmless[0]); i++) {
        ask(oseries_checkout, BODY_CHECKOUT);
        decide(harmless[i]);
        assert_null(world.task);
        forget_reply();
    }
}

static void money_whose_request_has_died_is_a_suspect(void **state)
{
    (void)state;
    ask(oseries_top_up, BODY_TOP_UP);
    struct job *job = world.job;
    world.job = NULL;
    forget_reply(); /* it dies */
    job->outcome = (struct outcome){.result = RESULT_OK, .operation_id = 44, .is_replay = true};
    world.on_left(&world.loop, job);
    assert_null(world.task);
    job->outcome.is_replay = false;
    job->error = ERR_STORE_DOWN;
    world.on_left(&world.loop, job);
    assert_null(world.task);
    job->error = 0;
    world.on_left(&world.loop, job);
    free(job);
    task_comes_home();
    assert_int_equal(world.suspect_id, 44);
    assert_int_equal(world.suspect_date, 20500);
}

static void a_suspect_that_cannot_be_stored_wakes_nobody(void **state)
{
    (void)state;
    const struct outcome outcome = {.result = RESULT_OK, .operation_id = 42};
    world.is_client_gone = true;
    world.store_suspect_error = ERR_STORE_DOWN;
    ask(oseries_checkout, BODY_CHECKOUT);
    decide(outcome);
    task_comes_home();
    forget_reply();
    world.store_suspect_error = ERR_NOT_FOUND; /* of a tenant that is not connected */
    ask(oseries_checkout, BODY_CHECKOUT);
    decide(outcome);
    task_comes_home();
    forget_reply();
    world.task_error = ERR_QUEUE_FULL;
    ask(oseries_checkout, BODY_CHECKOUT);
    decide(outcome);
    assert_int_equal(world.reply_count, 1);
    assert_int_equal(world.inbox_wakes, 0);
}

static void who_books_payments_themselves_wakes_the_inbox(void **state)
{
    (void)state;
    ask(oseries_checkout, BODY_CHECKOUT);
    assert_false(world.job->command.payment_is_ours);
    decide((struct outcome){.result = RESULT_OK});
    assert_int_equal(world.inbox_wakes, 0);
    forget_reply();
    world.tenant.tenant.payment_is_ours = true;
    ask(oseries_checkout, BODY_CHECKOUT);
    assert_true(world.job->command.payment_is_ours);
    decide((struct outcome){.result = RESULT_NO_FUNDS});
    assert_int_equal(world.inbox_wakes, 0);
    forget_reply();
    ask(oseries_checkout, BODY_CHECKOUT);
    decide((struct outcome){.result = RESULT_OK});
    assert_int_equal(world.inbox_wakes, 1);
}

static void the_date_is_the_sites_else_the_tenants(void **state)
{
    (void)state;
    ask(oseries_checkout, BODY_CHECKOUT); /* just after midnight in London */
    assert_int_equal(world.job->command.local_date, 20500);
    decide((struct outcome){.result = RESULT_OK});
    world.site_is_mapped = true; /* in Los Angeles it is still yesterday */
    ask(oseries_checkout, BODY_CHECKOUT);
    assert_int_equal(world.job->command.local_date, 20499);
}

static void a_bad_amount_goes_to_the_ledger_which_knows_the_card(void **state)
{
    (void)state;
    ask(oseries_checkout, "{" IDS "\"keyword\":\"" NUMBER "\",\"amount\":\"NaN\"}");
    assert_int_equal(world.command_count, 1);
    assert_int_equal(world.job->command.amount_result, RESULT_AMOUNT_INVALID);
}

static void the_outcome_is_told_and_counted(void **state)
{
    (void)state;
    ask(oseries_checkout, BODY_CHECKOUT);
    decide((struct outcome){.result = RESULT_OK,
                            .operation_id = 42,
                            .card_id = 7,
                            .last4 = "2345",
                            .asked_minor = 2550,
                            .amount_minor = 2550,
                            .balance_minor = 7450});
    check_reply(
        "{\"success\":true,\"amount\":25.50,\"balance\":74.50,\"reference_id\":\"CP1-42\","
        "\"ref\":\"CP1-42\",\"message\":\"Gift card ...2345 charged $25.50, $74.50 left\"}");
    assert_int_equal(world.outcome_count, 1);
    assert_int_equal(world.miss_count, 0);
}

static void what_could_not_be_done_is_told_by_what_happened_to_the_money(void **state)
{
    (void)state;
    static const struct {
        void (*handler)(struct exchange *exchange);
        const char *body;
        int error;
        int status;
        const char *told;
    } lines[] = {
        {oseries_checkout, BODY_CHECKOUT, ERR_CANCELLED, 200, "Not done: the system is busy."},
        {oseries_checkout, BODY_CHECKOUT, ERR_UNCONFIRMED, 200, "Not confirmed: check the card's"},
        {oseries_top_up, BODY_TOP_UP, ERR_COMMIT_UNKNOWN, 200, "Not confirmed: check the card's"},
        {oseries_checkout, BODY_CHECKOUT, ERR_STORE_DOWN, 200, "Nothing was charged."},
        {oseries_top_up, BODY_TOP_UP, ERR_STORE_FULL, 200, "Nothing was loaded."},
        {oseries_refund, BODY_CHECKOUT, ERR_STORE_BUSY, 200, "Not done: the system is busy."},
        {oseries_checkout, BODY_CHECKOUT, ERR_SHUTTING_DOWN, 200, "Nothing was charged."},
        {oseries_checkout, BODY_CHECKOUT, ERR_STORE_CONSTRAINT, 500, "Nothing was charged."},
        {oseries_checkout, BODY_CHECKOUT, ERR_BUG, 500, "Nothing was charged."},
        {oseries_check_balance, BODY_BALANCE, ERR_STORE_DOWN, 200, "not available right now. Try"},
        {oseries_check_balance, BODY_BALANCE, ERR_UNCONFIRMED, 200, "Not done: the system is busy"},
        {oseries_check_balance, BODY_BALANCE, ERR_CANCELLED, 200, "Not done: the system is busy"},
    };
    for (size_t i = 0; i < COUNT_OF(lines); i++) {
        ask(lines[i].handler, lines[i].body);
        world.job->error = lines[i].error;
        come_home();
        assert_int_equal(world.reply_count, 1);
        assert_int_equal(world.status, lines[i].status);
        assert_non_null(strstr(world.reply, lines[i].told));
        if (lines[i].status == 200)
            assert_non_null(strstr(world.reply, "\"success\":false"));
        forget_reply();
    }
    assert_int_equal(world.miss_count, 0);
    assert_int_equal(world.outcome_count, 0);
}

/* --- what never reaches the ledger */

static void requests_that_are_not_for_us_are_refused_before_anything_is_asked(void **state)
{
    (void)state;
    static const struct {
        void (*handler)(struct exchange *exchange);
        const char *body;
        int status;
        const char *told;
    } lines[] = {
        {oseries_checkout, "{", 400, "The request is not valid JSON."},
        {oseries_checkout, "{\"keyword\":\"" NUMBER "\"}", 400, "company_id is missing."},
        {oseries_checkout, "{\"company_id\":\"x\"}", 400, "company_id is not a whole number."},
        {oseries_checkout, "{\"company_id\":5679,\"keyword\":\"" NUMBER "\",\"amount\":1}", 403,
         "This URL belongs to another company."},
        {oseries_check_balance, "company_id=0&keyword=" NUMBER, 403, "another company"},
        {oseries_checkout, BODY_TOP_UP, 200, "This URL is for checkout and got a top-up."},
        {oseries_refund, BODY_TOP_UP, 200, "This URL is for refunds and got a top-up."},
        {oseries_checkout, "{" IDS "\"amount\":1}", 200, "Card number required"},
        {oseries_check_balance, "{" IDS "\"keyword\":\"  \"}", 200, "Card number required"},
    };
    for (size_t i = 0; i < COUNT_OF(lines); i++) {
        ask(lines[i].handler, lines[i].body);
        assert_null(world.job);
        assert_int_equal(world.reply_count, 1);
        assert_int_equal(world.status, lines[i].status);
        assert_non_null(strstr(world.reply, lines[i].told));
        forget_reply();
    }
    assert_int_equal(world.miss_count, 0);
}

static void each_action_can_be_switched_off(void **state)
{
    (void)state;
    struct tenant *tenant = &world.tenant.tenant;
    const struct {
        bool *is_on;
        void (*handler)(struct exchange *exchange);
        const char *body;
    } lines[] = {
        {&tenant->charge_is_on, oseries_checkout, BODY_CHECKOUT},
        {&tenant->balance_is_on, oseries_check_balance, BODY_BALANCE},
        {&tenant->top_up_is_on, oseries_top_up, BODY_TOP_UP},
        {&tenant->refund_is_on, oseries_refund, BODY_CHECKOUT},
    };
    for (size_t i = 0; i < COUNT_OF(lines); i++) {
        *lines[i].is_on = false;
        ask(lines[i].handler, lines[i].body);
        assert_null(world.job);
        assert_int_equal(world.status, 200);
        assert_non_null(strstr(world.reply, "switched off here"));
        *lines[i].is_on = true;
        forget_reply();
        ask(lines[i].handler, lines[i].body); /* the switch was the reason */
        assert_non_null(world.job);
        free(world.job);
        world.job = NULL;
    }
}

static void a_site_must_be_mapped_when_the_tenant_says_so(void **state)
{
    (void)state;
    world.tenant.tenant.sites_must_be_mapped = true;
    ask(oseries_checkout, BODY_CHECKOUT);
    assert_null(world.job);
    check_reply("{\"success\":false,\"amount\":0.00,\"error\":\"This site is not set up for gift "
                "cards. Ask the manager\"}");
    world.site_is_mapped = true;
    ask(oseries_checkout, BODY_CHECKOUT);
    assert_int_equal(world.command_count, 1);
}

/* --- guessing */

static void a_miss_draws_on_the_budget_and_a_throttled_guess_does_not(void **state)
{
    (void)state;
    ask(oseries_checkout, BODY_CHECKOUT);
    decide((struct outcome){.result = RESULT_NOT_FOUND});
    check_reply(NOT_FOUND);
    assert_int_equal(world.miss_count, 1);
    world.is_exhausted = true;
    forget_reply();
    ask(oseries_checkout, BODY_CHECKOUT);
    assert_true(world.job->command.is_throttled);
    decide((struct outcome){.result = RESULT_THROTTLED});
    assert_non_null(strstr(world.reply, "Too many wrong card numbers"));
    assert_int_equal(world.miss_count, 1);
}

#define BODY_PIN "{" IDS "\"keyword\":\"" NUMBER "*4711\",\"amount\":25.5}"

static void a_pin_holds_its_tokens_until_it_is_known_to_be_right_or_wrong(void **state)
{
    (void)state;
    ask(oseries_checkout, BODY_PIN);
    assert_int_equal(world.held_count, 1); /* before anything is known */
    decide((struct outcome){.result = RESULT_NO_FUNDS});
    assert_int_equal(world.held_count, 0); /* and not only when the request is gone */
    assert_int_equal(world.miss_count, 0);
    assert_int_equal(world.wake_count, 1);
    forget_reply();
    ask(oseries_checkout, BODY_PIN);
    decide((struct outcome){.result = RESULT_NOT_FOUND});
    assert_int_equal(world.held_count, 0);
    assert_int_equal(world.miss_count, 1);
    assert_int_equal(world.wake_count, 2);
    forget_reply();
    world.is_exhausted = true;
    ask(oseries_checkout, BODY_PIN);
    assert_true(world.job->command.is_throttled);
    assert_int_equal(world.held_count, 0);
}

/* Over HTTP/2 a guesser could reset each request and see elsewhere what was decided. */
static void a_client_that_goes_away_pays_as_for_a_miss(void **state)
{
    (void)state;
    ask(oseries_checkout, BODY_PIN);
    assert_int_equal(world.held_count, 1);
    forget_reply();
    assert_int_equal(world.held_count, 0);
    assert_int_equal(world.miss_count, 1);
    assert_int_equal(world.wake_count, 1);
}

static void nor_is_a_number_without_a_pin_free_for_who_goes_away(void **state)
{
    (void)state;
    ask(oseries_checkout, BODY_CHECKOUT);
    forget_reply();
    assert_int_equal(world.held_count, 0);
    assert_int_equal(world.miss_count, 1);
}

static void an_attempt_that_could_not_be_decided_was_no_miss(void **state)
{
    (void)state;
    ask(oseries_checkout, BODY_PIN);
    world.job->error = ERR_CANCELLED;
    come_home();
    forget_reply();
    assert_int_equal(world.held_count + world.miss_count, 0);
}

static void while_others_are_being_decided_a_guess_waits_its_turn(void **state)
{
    (void)state;
    world.is_busy = true;
    ask(oseries_checkout, BODY_PIN);
    assert_null(world.job);
    assert_int_equal(world.reply_count, 0);
    exchange_turn_fn on_turn = world.on_turn;
    assert_non_null(on_turn);
    on_turn(&world.exchange); /* still busy */
    assert_null(world.job);
    assert_int_equal(world.reply_count, 0);
    world.is_busy = false;
    on_turn(&world.exchange);
    assert_int_equal(world.command_count, 1);
    assert_true(world.job->command.has_pin);
    assert_false(world.job->command.is_throttled);
    assert_int_equal(world.held_count, 1);
}

static void a_guess_that_cannot_wait_is_told_busy_and_not_wrong(void **state)
{
    (void)state;
    world.is_busy = world.is_crowded = true;
    ask(oseries_checkout, BODY_PIN);
    assert_null(world.job);
    check_reply("{\"success\":false,\"amount\":0.00,\"error\":\"Not done: the system is busy. Try "
                "again.\"}");
    forget_reply();
    assert_int_equal(world.held_count + world.miss_count, 0);
    ask(oseries_checkout, BODY_CHECKOUT); /* a number alone is no guess */
    assert_int_equal(world.command_count, 1);
}

static void a_number_without_a_pin_pays_only_for_a_miss(void **state)
{
    (void)state;
    ask(oseries_checkout, BODY_CHECKOUT);
    assert_int_equal(world.miss_count, 0);
    decide((struct outcome){.result = RESULT_OK});
    forget_reply();
    assert_int_equal(world.miss_count + world.held_count, 0);
}

static void a_strange_keyword_takes_the_way_of_any_unknown_card(void **state)
{
    (void)state;
    ask(oseries_checkout, "{" IDS "\"keyword\":\"<script>\",\"amount\":1}");
    assert_int_equal(world.command_count, 1);
    decide((struct outcome){.result = RESULT_NOT_FOUND});
    check_reply(NOT_FOUND);
    assert_int_equal(world.miss_count, 1);
}

/* --- the last four digits */

static void four_digits_find_the_one_card_and_its_pin(void **state)
{
    (void)state;
    world.tenant.tenant.last4_is_accepted = true;
    world.stored = card_of(10000);
    give_pin(&world.stored, "4711");
    ask(oseries_checkout, "{" IDS "\"keyword\":\"2345*4711\",\"amount\":25.5}");
    assert_int_equal(world.read_count, 1);
    assert_int_equal(world.command_count, 0);
    come_home();
    assert_int_equal(world.command_count, 1);
    assert_memory_equal(world.job->command.card_index, world.stored.index, CARD_INDEX_BYTES);
    assert_true(world.job->command.has_pin);
    assert_memory_equal(world.job->command.pin_hash, world.stored.pin_hash, CARD_PIN_BYTES);
}

static void four_digits_that_no_card_or_many_end_in_are_a_miss(void **state)
{
    (void)state;
    world.tenant.tenant.last4_is_accepted = true;
    ask(oseries_checkout, BODY_LAST4);
    come_home();
    check_reply(NOT_FOUND);
    assert_int_equal(world.command_count, 0);
    assert_int_equal(world.miss_count, 1);
}

static void four_digits_are_a_full_number_when_the_tenant_does_not_accept_them(void **state)
{
    (void)state;
    ask(oseries_checkout, BODY_LAST4);
    assert_int_equal(world.read_count, 0);
    assert_int_equal(world.command_count, 1);
}

static void four_digits_are_refused_unseen_once_the_budget_is_empty(void **state)
{
    (void)state;
    world.tenant.tenant.last4_is_accepted = true;
    world.is_exhausted = true;
    ask(oseries_checkout, BODY_LAST4);
    assert_null(world.job);
    assert_non_null(strstr(world.reply, "Too many wrong card numbers"));
    forget_reply();
    ask(oseries_check_balance, BODY_LAST4);
    assert_null(world.job);
    assert_non_null(strstr(world.reply, "Too many wrong card numbers"));
    assert_int_equal(world.miss_count, 0);
}

static void four_digits_are_not_told_that_the_card_is_expired_or_disabled(void **state)
{
    (void)state;
    static const enum result hidden[] = {RESULT_DISABLED, RESULT_NOT_YET_VALID, RESULT_EXPIRED};
    world.tenant.tenant.last4_is_accepted = true;
    world.stored = card_of(10000);
    for (size_t i = 0; i < COUNT_OF(hidden); i++) {
        forget_reply();
        ask(oseries_checkout, BODY_LAST4);
        come_home();
        decide((struct outcome){.result = hidden[i], .operation_id = 42, .last4 = "2345"});
        check_reply(NOT_FOUND);
        assert_int_equal(world.miss_count, (int)i + 1);
    }
    forget_reply();
    world.stored.status = CARD_DISABLED;
    ask(oseries_check_balance, BODY_LAST4);
    come_home();
    check_reply(NOT_FOUND);
    forget_reply();
    ask(oseries_check_balance, BODY_BALANCE); /* a full number is told */
    come_home();
    assert_non_null(strstr(world.reply, "This card is disabled"));
}

static void an_error_while_looking_for_four_digits_has_moved_nothing(void **state)
{
    (void)state;
    world.tenant.tenant.last4_is_accepted = true;
    ask(oseries_checkout, BODY_LAST4);
    world.job->error = ERR_UNCONFIRMED;
    come_home();
    assert_non_null(strstr(world.reply, "Not done: the system is busy."));
    assert_int_equal(world.command_count, 0);
}

/* --- balances */

#define BALANCE_REPLY                                                                              \
    "{\"success\":true,\"balance\":74.50,\"amount\":74.50,\"message\":\"Gift card ...2345 has "    \
    "$74.50\"}"

static void a_hot_balance_is_told_without_the_store(void **state)
{
    (void)state;
    world.hot.card = card_of(7450);
    ask(oseries_check_balance, BODY_BALANCE);
    check_reply(BALANCE_REPLY);
    assert_int_equal(world.read_count, 0);
    assert_int_equal(world.outcome_count, 0); /* a look-up is no operation */
}

static void a_balance_that_is_asked_for_elsewhere_waits_for_the_answer(void **state)
{
    (void)state;
    struct hot_value value = {.card = card_of(7450)};
    world.hot_is_late = true;
    ask(oseries_check_balance, BODY_BALANCE);
    assert_int_equal(world.reply_count, 0);
    assert_int_equal(world.read_count, 0);
    world.on_hot(&world.exchange, &value);
    check_reply(BALANCE_REPLY);
    assert_int_equal(world.read_count, 0);
    forget_reply();
    world.stored = card_of(7450);
    ask(oseries_check_balance, BODY_BALANCE);
    world.on_hot(&world.exchange, NULL); /* no answer in time, or none */
    assert_int_equal(world.reply_count, 0);
    assert_int_equal(world.read_count, 1);
    come_home();
    check_reply(BALANCE_REPLY);
    forget_reply();
    give_pin(&value.card, "4711");
    ask(oseries_check_balance, BODY_BALANCE);
    world.on_hot(&world.exchange, &value); /* of a card with a PIN nobody is told from here */
    assert_int_equal(world.read_count, 2);
    come_home();
}

static void a_cold_balance_is_read_told_and_kept(void **state)
{
    (void)state;
    world.stored = card_of(7450);
    ask(oseries_check_balance, BODY_BALANCE);
    assert_int_equal(world.read_count, 1);
    assert_int_equal(world.reply_count, 0);
    come_home();
    check_reply(BALANCE_REPLY);
    assert_int_equal(world.hot_card.id, 7);
}

static void what_may_be_a_guess_always_takes_the_stores_way(void **state)
{
    (void)state;
    world.stored = card_of(7450);
    give_pin(&world.stored, "4711");
    world.hot.card = world.stored;
    ask(oseries_check_balance, BODY_BALANCE); /* a hot card with a PIN, none given */
    assert_int_equal(world.read_count, 1);
    come_home();
    check_reply(NOT_FOUND);
    forget_reply();
    ask(oseries_check_balance, "{" IDS "\"keyword\":\"" NUMBER "*4712\"}");
    assert_int_equal(world.read_count, 2);
    come_home();
    check_reply(NOT_FOUND);
    forget_reply();
    ask(oseries_check_balance, "{" IDS "\"keyword\":\"9999999999999999\"}");
    assert_int_equal(world.read_count, 3);
    come_home();
    check_reply(NOT_FOUND);
    assert_int_equal(world.miss_count, 3);
    forget_reply();
    ask(oseries_check_balance, "{" IDS "\"keyword\":\"" NUMBER "*4711\"}");
    come_home();
    check_reply(BALANCE_REPLY);
    forget_reply();
    assert_int_equal(world.miss_count, 3);
    assert_int_equal(world.share_misses, 3); /* as many as were counted here */
    assert_int_equal(world.share_reads, 2);  /* before each PIN */
    assert_int_equal(world.held_count, 0);
}

static void unsold_stock_that_is_hot_is_not_told_faster_than_an_unknown_number(void **state)
{
    (void)state;
    world.stored = card_of(0);
    world.stored.status = CARD_STOCK;
    world.hot.card = world.stored;
    ask(oseries_check_balance, BODY_BALANCE);
    assert_int_equal(world.read_count, 1);
    come_home();
    check_reply(NOT_FOUND);
    assert_int_equal(world.miss_count, 1);
    assert_int_equal(world.hot_card.id, 0); /* the look-up has not made it hot again */
}

static void a_full_number_is_told_even_when_the_budget_is_empty(void **state)
{
    (void)state;
    world.is_exhausted = true;
    world.stored = card_of(7450);
    ask(oseries_check_balance, BODY_BALANCE);
    assert_int_equal(world.read_count, 1);
    come_home();
    check_reply(BALANCE_REPLY);
    forget_reply();
    world.hot.card = world.stored; /* and from memory without asking the store */
    ask(oseries_check_balance, BODY_BALANCE);
    assert_int_equal(world.read_count, 1);
    check_reply(BALANCE_REPLY);
}

static void a_store_that_fails_is_not_an_unknown_card(void **state)
{
    (void)state;
    world.store_error = ERR_STORE_DOWN;
    ask(oseries_check_balance, BODY_BALANCE);
    come_home();
    check_reply("{\"success\":false,\"amount\":0.00,\"error\":\"Gift cards are not available right "
                "now. Try again shortly.\"}");
    assert_int_equal(world.miss_count, 0);
    assert_int_equal(world.hot_card.id, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_checkout_becomes_a_command_with_all_that_a_decision_needs),
        TEST(top_ups_and_refunds_become_their_own_commands),
        TEST(a_refund_names_the_sale_that_the_api_has_told),
        TEST(a_refund_is_decided_also_when_the_api_tells_nothing),
        TEST(a_refund_is_decided_also_when_too_much_waits_for_the_api),
        TEST(the_api_is_asked_of_refunds_alone_that_may_be_given),
        TEST(a_charge_looks_first_where_an_order_can_be_read),
        TEST(what_the_order_says_goes_to_the_second_decision),
        TEST(a_charge_is_decided_also_when_nothing_can_be_read),
        TEST(to_be_asked_for_the_order_twice_is_a_bug),
        TEST(a_replay_that_the_order_does_not_show_is_a_suspect),
        TEST(money_that_moved_for_nobody_is_a_suspect),
        TEST(money_whose_request_has_died_is_a_suspect),
        TEST(a_suspect_that_cannot_be_stored_wakes_nobody),
        TEST(who_books_payments_themselves_wakes_the_inbox),
        TEST(the_date_is_the_sites_else_the_tenants),
        TEST(a_bad_amount_goes_to_the_ledger_which_knows_the_card),
        TEST(the_outcome_is_told_and_counted),
        TEST(what_could_not_be_done_is_told_by_what_happened_to_the_money),
        TEST(requests_that_are_not_for_us_are_refused_before_anything_is_asked),
        TEST(each_action_can_be_switched_off),
        TEST(a_site_must_be_mapped_when_the_tenant_says_so),
        TEST(a_miss_draws_on_the_budget_and_a_throttled_guess_does_not),
        TEST(a_pin_holds_its_tokens_until_it_is_known_to_be_right_or_wrong),
        TEST(a_client_that_goes_away_pays_as_for_a_miss),
        TEST(nor_is_a_number_without_a_pin_free_for_who_goes_away),
        TEST(an_attempt_that_could_not_be_decided_was_no_miss),
        TEST(while_others_are_being_decided_a_guess_waits_its_turn),
        TEST(a_guess_that_cannot_wait_is_told_busy_and_not_wrong),
        TEST(a_number_without_a_pin_pays_only_for_a_miss),
        TEST(a_strange_keyword_takes_the_way_of_any_unknown_card),
        TEST(four_digits_find_the_one_card_and_its_pin),
        TEST(four_digits_that_no_card_or_many_end_in_are_a_miss),
        TEST(four_digits_are_a_full_number_when_the_tenant_does_not_accept_them),
        TEST(four_digits_are_refused_unseen_once_the_budget_is_empty),
        TEST(four_digits_are_not_told_that_the_card_is_expired_or_disabled),
        TEST(an_error_while_looking_for_four_digits_has_moved_nothing),
        TEST(a_hot_balance_is_told_without_the_store),
        TEST(a_balance_that_is_asked_for_elsewhere_waits_for_the_answer),
        TEST(a_cold_balance_is_read_told_and_kept),
        TEST(what_may_be_a_guess_always_takes_the_stores_way),
        TEST(unsold_stock_that_is_hot_is_not_told_faster_than_an_unknown_number),
        TEST(a_full_number_is_told_even_when_the_budget_is_empty),
        TEST(a_store_that_fails_is_not_an_unknown_card),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
