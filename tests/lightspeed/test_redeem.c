/* Redemption over a real store, with everything that can go wrong at the API and at the store. The
 * outbound thread, its errands and the API's client are doubles here: one thread, in order, so that
 * each fault hits exactly where it is aimed. */
#include "base/clock.h"
#include "lightspeed/redeem_state.h"
#include "runtime/errand.h"
#include "runtime/queue.h"
#include "store/foreign.h"
#include "store/verify.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#define SETTLE_US 20000
#define DEADLINE_US 1000000
#define ORDERS_MAX 2048
#define MS 1000
#define DATE 19000 /* the local one of every request */

/* --- the clock --- */

/* Some times what the longest step of a test takes, and far below DEADLINE_US. */
#define STEP_MAX_US (5 * MS)

int64_t __real_clock_monotonic_us(void);
int64_t __wrap_clock_monotonic_us(void);

/* All that happens here is ours, in one thread: what a busy machine gives to others while a request
 * is under way is no time that it has taken. */
int64_t __wrap_clock_monotonic_us(void)
{
    static int64_t real_us, told_us;
    int64_t now_us = __real_clock_monotonic_us();
    int64_t step_us = real_us == 0 ? now_us : clock_sooner_us(now_us - real_us, STEP_MAX_US);
    real_us = now_us;
    told_us += step_us;
    return told_us;
}

/* --- the double of the outbound thread --- */

struct outbound {
    struct outbound_message *first, **last;
    struct outbound_timer *timers[64];
    struct errand *errands[256];
    int errand_count;
};
static struct outbound outbound;

void outbound_post(struct outbound *to, struct outbound_message *message)
{
    message->next = NULL;
    *to->last = message;
    to->last = &message->next;
}

void outbound_watch_end(struct outbound *of, struct outbound_watch *watch, outbound_fn fn,
                        void *context)
{
    (void)of;
    *watch = (struct outbound_watch){.fn = fn, .context = context};
}

void outbound_cancel_timer(struct outbound *of, struct outbound_timer *timer)
{
    for (size_t i = 0; i < COUNT_OF(of->timers); i++)
        if (of->timers[i] == timer)
            of->timers[i] = NULL;
    timer->is_set = false;
}

void outbound_set_timer(struct outbound *of, struct outbound_timer *timer, int64_t due_us,
                        outbound_fn fn, void *context)
{
    outbound_cancel_timer(of, timer);
    *timer =
        (struct outbound_timer){.due_us = due_us, .fn = fn, .context = context, .is_set = true};
    for (size_t i = 0; i < COUNT_OF(of->timers); i++) {
        if (of->timers[i] == NULL) {
            of->timers[i] = timer;
            return;
        }
    }
    fail_msg("too many timers");
}

/* --- other processes --- */

static bool duty_is_anothers;
struct duty {
    bool is_theirs;
};
static const struct duty no_duty; /* of a process that never has it */

bool duty_is_ours(const struct duty *duty, int64_t for_us)
{
    (void)for_us;
    return duty == NULL ? !duty_is_anothers : duty->is_theirs;
}

/* --- errands: the store's faults --- */

enum store_fault {
    STORE_WORKS,
    STORE_FULL,         /* nothing happened */
    STORE_UNKNOWN_DONE, /* it happened, and is not known */
    STORE_UNKNOWN_NOT,
};
static struct store *store;
static enum store_fault store_fault;
static int store_fault_skip, store_fault_count; /* of writes */

struct errand *errand_create(struct outbound *of, size_t extra_bytes)
{
    struct errand *errand = calloc(1, sizeof(*errand) + extra_bytes);
    errand->outbound = of;
    return errand;
}
void *errand_data(struct errand *errand)
{
    return errand + 1;
}
void *errand_data_of(struct job *job)
{
    return errand_data((struct errand *)job);
}

static void queue_errand(struct errand *errand, job_task_fn task, errand_done_fn on_done,
                         void *context)
{
    errand->job.task = task;
    errand->on_done = on_done;
    errand->context = context;
    assert_true(outbound.errand_count < (int)COUNT_OF(outbound.errands));
    outbound.errands[outbound.errand_count++] = errand;
}
void errand_write(struct errand *errand, struct committer *committer, job_task_fn task,
                  errand_done_fn on_done, void *context)
{
    (void)committer;
    errand->size = 1; /* a write */
    queue_errand(errand, task, on_done, context);
}
void errand_read(struct errand *errand, struct reader *reader, job_task_fn task,
                 errand_done_fn on_done, void *context)
{
    (void)reader;
    queue_errand(errand, task, on_done, context);
}

static bool takes_fault(const struct errand *errand)
{
    if (errand->size == 0 || store_fault_count == 0)
        return false;
    if (store_fault_skip > 0) {
        store_fault_skip--;
        return false;
    }
    store_fault_count--;
    return true;
}

static void run_errand(struct errand *errand)
{
    enum store_fault fault = takes_fault(errand) ? store_fault : STORE_WORKS;
    if (fault == STORE_WORKS || fault == STORE_UNKNOWN_DONE)
        errand->job.error = errand->job.task(&errand->job, store);
    if (fault == STORE_FULL)
        errand->job.error = ERR_STORE_FULL;
    else if (fault != STORE_WORKS)
        errand->job.error = ERR_COMMIT_UNKNOWN;
    errand->on_done(errand);
    free(errand);
}

/* --- the API: orders, and what happens to a call --- */

enum api_fault {
    API_WORKS,
    API_REFUSES,     /* 409 */
    API_REFUSES_400, /* an order's variation is not known */
    API_FORBIDS,     /* 403 */
    API_LIMITS,      /* 429 */
    API_FAILS_FIRST, /* 500, nothing was done */
    API_FAILS_AFTER, /* 500, it was done */
    API_DROPS_FIRST, /* no reply, nothing was done or ever will */
    API_DROPS_AFTER, /* no reply, it was done */
    API_IS_LATE,     /* no reply, and it is done after a while */
    API_IS_AWAY,     /* no connection */
    API_IS_NOT_CONNECTED,
    API_HANGS,    /* no reply until the deadline; nothing was done */
    API_SAYS_YES, /* and does nothing */
    API_FAULTS,
};
struct oseries_api {
    int calls, reads, changes;
    int duty_lost_at_read;              /* while it was on its way; 0: at none */
    bool keeps_no_ref;                  /* of payments */
    bool ignores_orders, ignores_lines; /* variations of: 200, the notes are kept, the price too */
};
static struct oseries_api api;
static struct oseries_order *orders[ORDERS_MAX]; /* by id */
static enum api_fault faults[64];                /* of the next calls, in order */
static int fault_first, fault_count;

struct late {
    int64_t due_us, order_id;
    struct reward_plan what;
};
static struct late lates[512];
static int late_count;

struct call {
    enum { CALL_GET, CALL_PUT_ORDER, CALL_PUT_LINE, CALL_POST_LINE, CALL_POST_PAYMENT } kind;
    int64_t order_id, deadline_us;
    struct reward_plan what;
    api_order_fn on_order;
    api_done_fn on_done;
    void *context;
};
static struct call calls[256];
static int call_count;

static struct oseries_order *order_make(int64_t id, int64_t total_minor)
{
    struct oseries_order *order = calloc(1, sizeof(*order));
    order->id = id;
    order->status = ORDER_ON_HOLD;
    order->site_id = 923;
    order->total_minor = total_minor;
    order->price_variation_ppm = ORDER_ONE_PPM;
    order->line_count = 1;
    order->lines[0] = (struct order_line){.number = 1,
                                          .product_id = 5,
                                          .quantity_milli = 1000,
                                          .total_minor = total_minor,
                                          .price_variation_ppm = ORDER_ONE_PPM};
    free(orders[id]);
    orders[id] = order;
    return order;
}

static void order_change(int64_t order_id, const struct reward_plan *what)
{
    struct oseries_order *order = orders[order_id];
    struct order_line *line = &order->lines[0];
    api.changes++;
    if (what->step == STEP_POST_PAYMENT) {
        struct order_payment *payment = &order->payments[order->payment_count++];
        *payment = (struct order_payment){.number = order->payment_count,
                                          .amount_minor = what->pays_minor};
        if (!api.keeps_no_ref)
            memcpy(payment->ref, what->ref, sizeof(payment->ref));
        order->paid_minor += what->pays_minor;
        return;
    }
    if (what->step == STEP_PUT_ORDER) {
        memcpy(order->notes, what->notes, sizeof(order->notes));
        if (what->has_fixed && !api.ignores_orders)
            order->price_fixed_variation_minor = what->price_fixed_variation_minor;
        return;
    }
    if (what->step == STEP_POST_LINE) {
        line = &order->lines[order->line_count++];
        *line = (struct order_line){
            .number = 99, .total_minor = 450, .price_variation_ppm = ORDER_ONE_PPM};
    }
    if (what->has_fixed && !api.ignores_lines)
        line->price_fixed_variation_minor = what->price_fixed_variation_minor;
    if (what->has_ppm && !api.ignores_lines)
        line->price_variation_ppm = what->price_variation_ppm;
    snprintf(line->notes, sizeof(line->notes), "%.256s", what->notes);
}

static void late_add(const struct call *call)
{
    assert_true(late_count < (int)COUNT_OF(lates));
    lates[late_count++] =
        (struct late){clock_monotonic_us() + SETTLE_US / 2, call->order_id, call->what};
}

static void lates_run(int64_t now_us)
{
    for (int i = 0; i < late_count; i++) {
        if (lates[i].due_us > now_us)
            continue;
        order_change(lates[i].order_id, &lates[i].what);
        lates[i--] = lates[--late_count];
    }
}

static struct api_result result_of(const struct call *call, enum api_fault fault)
{
    bool is_change = call->kind != CALL_GET;
    switch (fault) {
    case API_REFUSES:
        return (struct api_result){.error = ERR_REFUSED, .status = 409, .sentence = "Conflict"};
    case API_REFUSES_400:
        return (struct api_result){.error = ERR_REFUSED, .status = 400, .sentence = "Bad"};
    case API_FORBIDS:
        return (struct api_result){
            .error = ERR_REFUSED, .status = 403, .sentence = "This application may not."};
    case API_LIMITS:
        return (struct api_result){.error = ERR_RATE_LIMITED, .status = 429};
    case API_FAILS_FIRST:
    case API_FAILS_AFTER:
        return (struct api_result){
            .error = ERR_BAD_REPLY, .status = 500, .may_have_happened = is_change};
    case API_DROPS_FIRST:
    case API_DROPS_AFTER:
    case API_IS_LATE:
        return (struct api_result){.error = ERR_CONNECTION_LOST,
                                   .may_have_happened = is_change,
                                   .may_happen_later = is_change};
    case API_HANGS:
        return (struct api_result){
            .error = ERR_TIMED_OUT, .may_have_happened = is_change, .may_happen_later = is_change};
    case API_IS_AWAY:
        return (struct api_result){.error = ERR_UNREACHABLE};
    case API_IS_NOT_CONNECTED:
        return (struct api_result){.error = ERR_NOT_CONNECTED};
    case API_WORKS:
    case API_SAYS_YES:
    case API_FAULTS:
        break;
    }
    return (struct api_result){.status = 200};
}

static void run_call(const struct call *call)
{
    enum api_fault fault = API_WORKS;
    if (fault_count > 0) {
        fault = faults[fault_first++];
        fault_count--;
    }
    bool is_done = fault == API_WORKS || fault == API_FAILS_AFTER || fault == API_DROPS_AFTER;
    struct oseries_order *order = orders[call->order_id];
    struct api_result result = result_of(call, fault);
    if (result.error == 0 && order == NULL)
        result = (struct api_result){.error = ERR_NOT_FOUND, .status = 404};
    if (fault == API_HANGS)
        while (clock_monotonic_us() < call->deadline_us)
            nanosleep(&(struct timespec){0, 1000000}, NULL);
    if (call->kind == CALL_GET) {
        duty_is_anothers |= ++api.reads == api.duty_lost_at_read;
        call->on_order(call->context, &result, result.error == 0 ? order : NULL);
        return;
    }
    if (is_done && order != NULL)
        order_change(call->order_id, &call->what);
    if (fault == API_IS_LATE)
        late_add(call);
    call->on_done(call->context, &result);
}

static struct call *call_add(const struct api_call *call, int64_t order_id)
{
    assert_true(call_count < (int)COUNT_OF(calls));
    api.calls++;
    calls[call_count] = (struct call){.order_id = order_id, .deadline_us = call->deadline_us};
    return &calls[call_count++];
}

void oseries_api_get_order(struct oseries_api *of, const struct api_call *call, int64_t order_id,
                           api_order_fn on_done, void *context)
{
    (void)of;
    struct call *made = call_add(call, order_id);
    made->on_order = on_done;
    made->context = context;
}

static void add_change(const struct api_call *call, int64_t order_id, enum reward_step step,
                       const int64_t *ppm, const int64_t *fixed, const char *notes,
                       api_done_fn on_done, void *context)
{
    struct call *made = call_add(call, order_id);
    made->kind = step == STEP_PUT_ORDER  ? CALL_PUT_ORDER
                 : step == STEP_PUT_LINE ? CALL_PUT_LINE
                                         : CALL_POST_LINE;
    made->what.step = step;
    made->what.has_ppm = ppm != NULL;
    made->what.has_fixed = fixed != NULL;
    made->what.price_fixed_variation_minor = fixed == NULL ? 0 : *fixed;
    made->what.price_variation_ppm = ppm == NULL ? 0 : *ppm;
    snprintf(made->what.notes, sizeof(made->what.notes), "%s", notes);
    made->on_done = on_done;
    made->context = context;
}

void oseries_api_put_order(struct oseries_api *of, const struct api_call *call, int64_t order_id,
                           const struct order_change *change, api_done_fn on_done, void *context)
{
    (void)of;
    add_change(call, order_id, STEP_PUT_ORDER, change->price_variation_ppm,
               change->price_fixed_variation_minor, change->notes, on_done, context);
}
void oseries_api_put_line(struct oseries_api *of, const struct api_call *call, int64_t order_id,
                          int64_t line_number, const struct line_change *line, api_done_fn on_done,
                          void *context)
{
    (void)of;
    assert_int_equal(line_number, 1);
    add_change(call, order_id, STEP_PUT_LINE, line->price_variation_ppm,
               line->price_fixed_variation_minor, line->notes, on_done, context);
}
void oseries_api_post_line(struct oseries_api *of, const struct api_call *call, int64_t order_id,
                           const struct line_change *line, api_done_fn on_done, void *context)
{
    (void)of;
    assert_int_equal(line->product_id, 7302);
    add_change(call, order_id, STEP_POST_LINE, line->price_variation_ppm,
               line->price_fixed_variation_minor, line->notes, on_done, context);
}

void oseries_api_post_payment(struct oseries_api *of, const struct api_call *call, int64_t order_id,
                              int64_t amount_minor, const char *ref, api_done_fn on_done,
                              void *context)
{
    (void)of;
    struct call *made = call_add(call, order_id);
    made->kind = CALL_POST_PAYMENT;
    made->what.step = STEP_POST_PAYMENT;
    made->what.pays_minor = amount_minor;
    snprintf(made->what.ref, sizeof(made->what.ref), "%s", ref);
    made->on_done = on_done;
    made->context = context;
}

/* --- the world turns --- */

static bool turn(void)
{
    int64_t now_us = clock_monotonic_us();
    bool has_turned = outbound.first != NULL || outbound.errand_count > 0 || call_count > 0;
    while (outbound.first != NULL) {
        struct outbound_message *message = outbound.first;
        outbound.first = message->next;
        if (outbound.first == NULL)
            outbound.last = &outbound.first;
        message->fn(message->context);
    }
    if (outbound.errand_count > 0) {
        struct errand *errand = outbound.errands[0];
        outbound.errand_count--;
        for (int i = 0; i < outbound.errand_count; i++)
            outbound.errands[i] = outbound.errands[i + 1];
        run_errand(errand);
    }
    if (call_count > 0) {
        struct call call = calls[0];
        memmove(calls, calls + 1, (size_t)--call_count * sizeof(call));
        run_call(&call);
    }
    lates_run(now_us);
    for (size_t i = 0; i < COUNT_OF(outbound.timers); i++) {
        struct outbound_timer *timer = outbound.timers[i];
        if (timer == NULL || timer->due_us > now_us)
            continue;
        outbound_cancel_timer(&outbound, timer);
        timer->fn(timer->context);
    }
    return has_turned;
}

static void turn_for(int64_t us)
{
    int64_t until_us = clock_monotonic_us() + us;
    while (clock_monotonic_us() < until_us)
        if (!turn())
            nanosleep(&(struct timespec){0, 200000}, NULL);
}

/* --- what every test starts with --- */

static struct seal *seal;
static struct directory *directory;
static struct redeem *redeem;
static struct tenant tenant;
static struct member member;
static struct reward ten_off, coffee, ten_paid;

static void redeem_start(void)
{
    const struct redeem_config config = {
        .outbound = &outbound, .directory = directory, .api = &api, .settle_us = SETTLE_US};
    assert_int_equal(redeem_create(&config, &redeem), 0);
}

/* As a kill would: nothing that was under way goes on. */
static void redeem_restart(void)
{
    redeem_destroy(redeem);
    for (int i = 0; i < outbound.errand_count; i++)
        free(outbound.errands[i]);
    memset(&outbound, 0, sizeof(outbound));
    outbound.last = &outbound.first;
    call_count = 0;
    redeem_start();
}

static void grant(int64_t points)
{
    struct points_outcome outcome;
    const struct points_command command = {
        .action = POINTS_GRANT, .tenant_id = tenant.id, .member_id = member.id, .points = points};
    assert_int_equal(store_run_points(store, &command, clock_steady_us(), &outcome), 0);
    assert_int_equal(outcome.result, POINTS_OK);
}

static void set_tenant(void)
{
    assert_int_equal(store_update_tenant(store, &tenant), 0);
    assert_int_equal(directory_load(directory, store), 0);
}

static int begin(void **state)
{
    (void)state;
    const uint8_t master[SEAL_KEY_BYTES] = {7};
    memset(&outbound, 0, sizeof(outbound));
    memset(&api, 0, sizeof(api));
    outbound.last = &outbound.first;
    fault_first = fault_count = late_count = call_count = store_fault_count = 0;
    assert_int_equal(seal_from_bytes(master, &seal), 0);
    const struct store_config config = {.location = ":memory:", .seal = seal};
    assert_int_equal(store_open(&config, STORE_WRITER, &store), 0);
    tenant = (struct tenant){.name = "Kiosk",
                             .key = "00112233445566778899aabbccddeeff",
                             .currency = {"AUD", 2},
                             .zone = "Australia/Sydney",
                             .oseries_company = 5678,
                             .profile = "default",
                             TENANT_CHOICES};
    assert_int_equal(store_add_tenant(store, &tenant), 0);
    assert_int_equal(directory_create(&directory), 0);
    assert_int_equal(directory_load(directory, store), 0);
    member = (struct member){.tenant_id = tenant.id, .code = "M-1", .account.is_active = true};
    assert_int_equal(store_add_member(store, &member), 0);
    ten_off = (struct reward){.tenant_id = tenant.id,
                              .title = "$10 off",
                              .points = 100,
                              .effect = REWARD_MONEY_OFF,
                              .amount_minor = 1000,
                              .is_active = true};
    assert_int_equal(store_add_reward(store, &ten_off), 0);
    coffee = (struct reward){.tenant_id = tenant.id,
                             .title = "Free coffee",
                             .points = 100,
                             .effect = REWARD_PRODUCT,
                             .product_id = 7302,
                             .is_active = true};
    assert_int_equal(store_add_reward(store, &coffee), 0);
    ten_paid = (struct reward){.tenant_id = tenant.id,
                               .title = "$10 paid",
                               .points = 100,
                               .effect = REWARD_PAY,
                               .amount_minor = 1000,
                               .is_active = true};
    assert_int_equal(store_add_reward(store, &ten_paid), 0);
    grant(500);
    order_make(7, 4560);
    redeem_start();
    return 0;
}

static int end(void **state)
{
    (void)state;
    redeem_destroy(redeem);
    for (int i = 0; i < outbound.errand_count; i++)
        free(outbound.errands[i]);
    directory_destroy(directory);
    store_close(store);
    seal_destroy(seal);
    for (int i = 0; i < ORDERS_MAX; i++) {
        free(orders[i]);
        orders[i] = NULL;
    }
    return 0;
}

/* --- asking --- */

struct asked {
    struct job job;
    struct redemption redemption;
};
_Static_assert(offsetof(struct asked, redemption) == sizeof(struct job), "job + 1");

static void on_given_back(struct job *job)
{
    job->next = job; /* seen */
}

static void ask_until(struct asked *asked, const struct reward *reward, const char *token,
                      int64_t order_id, int64_t deadline_us)
{
    memset(asked, 0, sizeof(*asked));
    asked->job.give_back = on_given_back;
    atomic_store(&asked->job.state, JOB_TAKEN);
    asked->redemption = (struct redemption){.redeem = redeem,
                                            .tenant_id = tenant.id,
                                            .member_id = member.id,
                                            .reward_id = reward->id,
                                            .order_id = order_id,
                                            .local_date = DATE,
                                            .deadline_us = clock_monotonic_us() + deadline_us};
    snprintf(asked->redemption.token_id, sizeof(asked->redemption.token_id), "%s", token);
    redeem_begin(&asked->job);
}

static bool is_answered(const struct asked *asked)
{
    return atomic_load(&asked->job.state) == JOB_DONE;
}

static void await(struct asked *asked)
{
    while (!is_answered(asked))
        if (!turn())
            nanosleep(&(struct timespec){0, 200000}, NULL);
    assert_true(clock_monotonic_us() < asked->redemption.deadline_us + 100 * MS);
}

static struct asked redeem_once(const struct reward *reward, const char *token, int64_t order_id)
{
    struct asked asked;
    ask_until(&asked, reward, token, order_id, DEADLINE_US);
    await(&asked);
    return asked;
}

static void is_told(const struct asked *asked, const char *sentence)
{
    assert_int_equal(asked->job.error, 0);
    if (sentence == NULL) {
        if (!asked->redemption.is_redeemed)
            fail_msg("not redeemed: %s", asked->redemption.sentence);
        assert_string_equal(asked->redemption.sentence, "");
        return;
    }
    assert_false(asked->redemption.is_redeemed);
    if (strstr(asked->redemption.sentence, sentence) == NULL)
        fail_msg("'%s' instead of '%s'", asked->redemption.sentence, sentence);
    assert_true(strlen(asked->redemption.sentence) <= 120);
}

static void set_faults(int count, ...)
{
    va_list list;
    va_start(list, count);
    fault_first = 0;
    fault_count = count;
    for (int i = 0; i < count; i++)
        faults[i] = (enum api_fault)va_arg(list, int);
    va_end(list);
}

static void set_store_fault(enum store_fault fault, int skip, int count)
{
    store_fault = fault;
    store_fault_skip = skip;
    store_fault_count = count;
}

static void points_are(int64_t points, int64_t held)
{
    struct member found;
    assert_int_equal(store_read_member(store, tenant.id, member.id, &found), 0);
    assert_int_equal(found.account.points, points);
    assert_int_equal(found.account.points_held, held);
}

static struct reservation reservation_of(int64_t id)
{
    struct reservation reservation;
    assert_int_equal(store_read_reservation(store, id, &reservation), 0);
    return reservation;
}

static void state_is(int64_t id, enum reservation_state state)
{
    assert_int_equal(reservation_of(id).state, state);
}

static bool mark_is_on(int64_t order_id, int64_t reservation_id)
{
    const struct reservation reservation = reservation_of(reservation_id);
    return reward_is_applied(&reservation, orders[order_id]);
}

/* --- when all goes well --- */

static void points_are_burned_and_the_order_carries_the_mark(void **state)
{
    (void)state;
    struct asked asked = redeem_once(&ten_off, "token-1", 7);
    is_told(&asked, NULL);
    points_are(400, 0);
    state_is(1, RESERVATION_BURNED);
    assert_string_equal(orders[7]->notes, "$10 off (CP-R1-token-1)");
    assert_int_equal(orders[7]->price_fixed_variation_minor, -1000);
    assert_int_equal(api.calls, 3); /* read, changed, looked after */
}

static void the_same_again_is_told_again_and_changes_nothing(void **state)
{
    (void)state;
    struct asked asked = redeem_once(&ten_off, "token-1", 7);
    int calls_before = api.calls;
    for (int i = 0; i < 3; i++) {
        asked = redeem_once(&ten_off, "token-1", 7);
        is_told(&asked, NULL);
    }
    points_are(400, 0);
    assert_int_equal(api.calls, calls_before);
    ten_off.is_active = false; /* what was redeemed stays redeemed */
    assert_int_equal(store_update_reward(store, &ten_off), 0);
    asked = redeem_once(&ten_off, "token-1", 7);
    is_told(&asked, NULL);
    asked = redeem_once(&ten_off, "token-2", 7);
    is_told(&asked, "not offered any more");
    points_are(400, 0);
}

static void another_order_is_refused(void **state)
{
    (void)state;
    struct asked asked = redeem_once(&ten_off, "token-1", 7);
    order_make(8, 4560);
    asked = redeem_once(&ten_off, "token-1", 8);
    is_told(&asked, "another sale");
    assert_int_equal(asked.redemption.result, POINTS_OTHER_ORDER);
    points_are(400, 0);
    assert_string_equal(orders[8]->notes, "");
}

static void requests_at_once_share_one_redemption(void **state)
{
    (void)state;
    struct asked asked[5];
    for (size_t i = 0; i < COUNT_OF(asked); i++)
        ask_until(&asked[i], &ten_off, "token-1", 7, DEADLINE_US);
    for (size_t i = 0; i < COUNT_OF(asked); i++) {
        await(&asked[i]);
        is_told(&asked[i], NULL);
    }
    assert_int_equal(api.changes, 1);
    points_are(400, 0);
}

static void two_rewards_go_onto_one_order_one_after_the_other(void **state)
{
    (void)state;
    struct asked first, second;
    ask_until(&first, &ten_off, "token-1", 7, DEADLINE_US);
    ask_until(&second, &ten_off, "token-2", 7, DEADLINE_US);
    await(&first);
    await(&second);
    is_told(&first, NULL);
    is_told(&second, "Another reward");
    second = redeem_once(&ten_off, "token-2", 7);
    is_told(&second, NULL);
    assert_int_equal(orders[7]->price_fixed_variation_minor, -2000);
    points_are(300, 0);
}

/* --- refusals --- */

static void a_mark_that_was_there_before_the_change_proves_nothing(void **state)
{
    (void)state;
    snprintf(orders[7]->notes, sizeof(orders[7]->notes), "CP-R1 CP-R1-token-1 CP-R2-token-2");
    struct asked asked = redeem_once(&ten_off, "token-1", 7);
    is_told(&asked, "has this reward's mark");
    set_faults(2, API_WORKS, API_FAILS_FIRST);
    asked = redeem_once(&ten_off, "token-2", 7);
    is_told(&asked, "has this reward's mark");
    assert_int_equal(api.changes, 0);
    state_is(1, RESERVATION_RETURNED);
    state_is(2, RESERVATION_RETURNED);
    points_are(500, 0);
}

static void who_has_too_few_points_gets_nothing(void **state)
{
    (void)state;
    ten_off.points = 501;
    assert_int_equal(store_update_reward(store, &ten_off), 0);
    struct asked asked = redeem_once(&ten_off, "token-1", 7);
    is_told(&asked, "Not enough points");
    assert_int_equal(api.calls, 0);
    points_are(500, 0);
}

static void orders_that_cannot_be_changed_return_the_points(void **state)
{
    (void)state;
    struct asked asked = redeem_once(&ten_off, "placeholder", 111);
    is_told(&asked, "not known yet");
    orders[7]->status = ORDER_COMPLETE;
    asked = redeem_once(&ten_off, "closed", 7);
    is_told(&asked, "closed");
    orders[7]->status = ORDER_ON_HOLD;
    orders[7]->is_deleted = true;
    asked = redeem_once(&ten_off, "deleted", 7);
    is_told(&asked, "deleted");
    order_make(7, 500);
    asked = redeem_once(&ten_off, "small", 7);
    is_told(&asked, "Less is left to pay");
    points_are(500, 0);
    assert_int_equal(api.changes, 0);
    for (int64_t id = 1; id <= 4; id++)
        state_is(id, RESERVATION_RETURNED);
}

static void orders_of_unmapped_sites_are_left_alone(void **state)
{
    (void)state;
    struct asked asked;
    tenant.sites_must_be_mapped = true;
    set_tenant();
    order_make(8, 4560);
    asked = redeem_once(&ten_off, "token-2", 8);
    is_told(&asked, "not set up");
    struct site site = {.tenant_id = tenant.id, .name = "Site", .oseries_site = 923};
    assert_int_equal(store_add_site(store, &site), 0);
    assert_int_equal(directory_load(directory, store), 0);
    asked = redeem_once(&ten_off, "token-3", 8);
    is_told(&asked, NULL);
    points_are(400, 0);
}

static void a_site_that_the_request_names_must_be_the_orders(void **state)
{
    (void)state;
    struct asked asked;
    memset(&asked, 0, sizeof(asked));
    asked.job.give_back = on_given_back;
    atomic_store(&asked.job.state, JOB_TAKEN);
    asked.redemption = (struct redemption){.redeem = redeem,
                                           .tenant_id = tenant.id,
                                           .member_id = member.id,
                                           .reward_id = ten_off.id,
                                           .token_id = "token-1",
                                           .order_id = 7,
                                           .site_id = 924,
                                           .deadline_us = clock_monotonic_us() + DEADLINE_US};
    redeem_begin(&asked.job);
    await(&asked);
    is_told(&asked, "another site");
    points_are(500, 0);
    assert_int_equal(api.changes, 0);
}

static void what_the_api_refuses_is_returned_and_said(void **state)
{
    (void)state;
    set_faults(2, API_WORKS, API_REFUSES);
    struct asked asked = redeem_once(&ten_off, "token-1", 7);
    is_told(&asked, "This sale cannot be changed now. Check that it is open. Nothing was redeemed");
    points_are(500, 0);
    state_is(1, RESERVATION_RETURNED);
    assert_int_equal(api.reads, 1); /* a refusal is certain */
    asked = redeem_once(&ten_off, "token-1", 7);
    is_told(&asked, NULL); /* its token is free again */
    points_are(400, 0);
}

static void an_api_without_variations_of_orders_gets_one_of_a_line(void **state)
{
    (void)state;
    set_faults(2, API_WORKS, API_REFUSES_400);
    struct asked asked = redeem_once(&ten_off, "token-1", 7);
    is_told(&asked, NULL);
    assert_string_equal(orders[7]->notes, "");
    assert_string_equal(orders[7]->lines[0].notes, "$10 off (CP-R1-token-1)");
    points_are(400, 0);
    order_make(8, 4560);
    set_faults(3, API_WORKS, API_REFUSES_400, API_REFUSES_400); /* once, not for ever */
    asked = redeem_once(&ten_off, "token-2", 8);
    is_told(&asked, "cannot be changed now");
    points_are(400, 0);
}

/* --- an API that says yes and keeps the price --- */

static void an_ignored_discount_of_the_order_is_given_on_a_line(void **state)
{
    (void)state;
    api.ignores_orders = true;
    snprintf(orders[7]->notes, sizeof(orders[7]->notes), "Window seat");
    struct asked asked = redeem_once(&ten_off, "token-1", 7);
    is_told(&asked, NULL);
    assert_string_equal(orders[7]->notes, "Window seat"); /* no mark without its discount */
    assert_string_equal(orders[7]->lines[0].notes, "$10 off (CP-R1-token-1)");
    assert_int_equal(orders[7]->lines[0].price_fixed_variation_minor, -1000);
    points_are(400, 0);
}

static void an_ignored_discount_that_no_line_bears_burns_nothing(void **state)
{
    (void)state;
    api.ignores_orders = true;
    orders[7]->lines[0].has_options = true;
    struct asked asked = redeem_once(&ten_off, "token-1", 7);
    is_told(&asked, "did not take the discount. Nothing was redeemed");
    state_is(1, RESERVATION_RETURNED);
    points_are(500, 0);
    assert_string_equal(orders[7]->notes, "");
    asked = redeem_once(&ten_off, "token-1", 7); /* a new mark: the same again */
    is_told(&asked, "did not take the discount");
    state_is(2, RESERVATION_RETURNED);
    points_are(500, 0);
}

static void an_api_that_ignores_lines_too_burns_nothing(void **state)
{
    (void)state;
    api.ignores_orders = api.ignores_lines = true;
    struct asked asked = redeem_once(&ten_off, "token-1", 7);
    is_told(&asked, "did not take the discount");
    asked = redeem_once(&coffee, "token-2", 7);
    is_told(&asked, "Take the product off the sale");
    state_is(1, RESERVATION_RETURNED);
    state_is(2, RESERVATION_RETURNED);
    points_are(500, 0);
}

static void a_line_after_an_ignored_discount_is_settled_by_its_own_mark(void **state)
{
    (void)state;
    api.ignores_orders = true;
    set_faults(5, API_WORKS, API_WORKS, API_WORKS, API_WORKS, API_DROPS_FIRST);
    struct asked asked = redeem_once(&ten_off, "token-1", 7);
    is_told(&asked, "Not confirmed yet");
    turn_for(30 * SETTLE_US);
    state_is(1, RESERVATION_RETURNED);
    points_are(500, 0);
    set_faults(4, API_WORKS, API_WORKS, API_WORKS, API_DROPS_FIRST); /* the notes stay: no line */
    asked = redeem_once(&ten_off, "token-2", 7);
    is_told(&asked, "did not take the discount");
    state_is(2, RESERVATION_RETURNED);
    assert_int_equal(orders[7]->lines[0].price_fixed_variation_minor, 0);
}

static void a_yes_that_cannot_be_looked_after_is_believed(void **state)
{
    (void)state;
    set_faults(3, API_WORKS, API_WORKS, API_DROPS_FIRST);
    struct asked asked = redeem_once(&ten_off, "token-1", 7);
    is_told(&asked, NULL);
    set_faults(3, API_WORKS, API_WORKS, API_HANGS);
    asked = redeem_once(&ten_off, "token-2", 7);
    is_told(&asked, NULL);
    api.reads = 0;
    ask_until(&asked, &ten_off, "token-3", 7, 650 * MS); /* no time to look */
    await(&asked);
    is_told(&asked, NULL);
    assert_int_equal(api.reads, 1);
    points_are(200, 0);
}

static void a_yes_of_which_nothing_is_seen_is_settled(void **state)
{
    (void)state;
    set_faults(3, API_WORKS, API_SAYS_YES, API_WORKS);
    struct asked asked = redeem_once(&ten_off, "token-1", 7);
    is_told(&asked, "Not confirmed yet");
    turn_for(30 * SETTLE_US);
    state_is(1, RESERVATION_RETURNED);
    points_are(500, 0);
}

/* --- faults of the API --- */

static void an_order_that_cannot_be_read_returns_the_points(void **state)
{
    (void)state;
    const enum api_fault each[] = {API_LIMITS,  API_FAILS_FIRST, API_DROPS_FIRST,
                                   API_IS_AWAY, API_REFUSES,     API_IS_NOT_CONNECTED};
    for (size_t i = 0; i < COUNT_OF(each); i++) {
        set_faults(1, each[i]);
        struct asked asked = redeem_once(&ten_off, "token-1", 7);
        is_told(&asked, each[i] == API_IS_NOT_CONNECTED ? "not connected"
                        : each[i] == API_REFUSES        ? "does not let us read"
                                                        : "Nothing was redeemed");
        points_are(500, 0);
    }
    assert_int_equal(api.changes, 0);
}

static void a_change_without_reply_that_was_made_is_burned(void **state)
{
    (void)state;
    set_faults(2, API_WORKS, API_DROPS_AFTER);
    struct asked asked = redeem_once(&ten_off, "token-1", 7);
    is_told(&asked, NULL);
    points_are(400, 0);
    set_faults(2, API_WORKS, API_FAILS_AFTER);
    asked = redeem_once(&coffee, "token-2", 7);
    is_told(&asked, NULL);
    points_are(300, 0);
    assert_int_equal(api.changes, 2);
}

static void a_change_that_was_certainly_not_made_is_returned(void **state)
{
    (void)state;
    const enum api_fault each[] = {API_FAILS_FIRST, API_LIMITS, API_IS_AWAY, API_IS_NOT_CONNECTED};
    for (size_t i = 0; i < COUNT_OF(each); i++) {
        set_faults(2, API_WORKS, each[i]);
        struct asked asked = redeem_once(&ten_off, "token-1", 7);
        assert_false(asked.redemption.is_redeemed);
        points_are(500, 0);
        state_is((int64_t)i + 1, RESERVATION_RETURNED);
    }
    assert_int_equal(api.changes, 0);
}

static void a_change_that_may_still_arrive_is_kept_until_two_reads_agree(void **state)
{
    (void)state;
    set_faults(2, API_WORKS, API_DROPS_FIRST);
    struct asked asked = redeem_once(&ten_off, "token-1", 7);
    is_told(&asked, "Not confirmed yet");
    points_are(500, 100);
    state_is(1, RESERVATION_RESERVED);
    assert_true(reservation_of(1).is_unsure);
    asked = redeem_once(&ten_off, "token-1", 7); /* asked again meanwhile */
    is_told(&asked, "Not confirmed yet");
    assert_int_equal(api.changes, 0);
    asked = redeem_once(&coffee, "token-2", 7);
    is_told(&asked, "Another reward");
    int reads_before = api.reads;
    turn_for(3 * SETTLE_US / 2);
    state_is(1, RESERVATION_RESERVED); /* not by one read */
    turn_for(30 * SETTLE_US);
    state_is(1, RESERVATION_RETURNED);
    assert_true(api.reads >= reads_before + 2);
    points_are(500, 0);
    asked = redeem_once(&ten_off, "token-1", 7);
    is_told(&asked, NULL);
    points_are(400, 0);
}

/* Its change is sent and made; before it is read back the order is deleted. */
static struct asked redeem_and_delete(const char *token, enum api_fault fault)
{
    struct asked asked;
    int changes_before = api.changes;
    set_faults(2, API_WORKS, fault);
    ask_until(&asked, &ten_off, token, 7, DEADLINE_US);
    while (api.changes == changes_before)
        turn();
    orders[7]->is_deleted = true;
    await(&asked);
    return asked;
}

static void an_order_deleted_before_it_is_read_back_gives_the_points_back(void **state)
{
    (void)state;
    struct asked asked = redeem_and_delete("token-1", API_FAILS_AFTER);
    is_told(&asked, "order was deleted");
    state_is(1, RESERVATION_RETURNED);
    points_are(500, 0);
    order_make(7, 4560);
    asked = redeem_and_delete("token-2", API_DROPS_AFTER);
    is_told(&asked, "Not confirmed yet");
    turn_for(30 * SETTLE_US);
    state_is(2, RESERVATION_RETURNED);
    points_are(500, 0);
}

static void a_change_that_arrives_late_is_burned(void **state)
{
    (void)state;
    set_faults(2, API_WORKS, API_IS_LATE);
    struct asked asked = redeem_once(&ten_off, "token-1", 7);
    is_told(&asked, "Not confirmed yet");
    turn_for(SETTLE_US / 2 + 5 * MS);
    assert_true(mark_is_on(7, 1));
    asked = redeem_once(&ten_off, "token-1", 7); /* the order shows it */
    is_told(&asked, NULL);
    points_are(400, 0);
    set_faults(2, API_WORKS, API_IS_LATE);
    asked = redeem_once(&coffee, "token-2", 7);
    is_told(&asked, "Not confirmed yet");
    turn_for(30 * SETTLE_US);
    state_is(2, RESERVATION_BURNED);
    points_are(300, 0);
}

static void an_api_that_cannot_be_reached_settles_nothing(void **state)
{
    (void)state;
    set_faults(2, API_WORKS, API_DROPS_FIRST);
    struct asked asked = redeem_once(&ten_off, "token-1", 7);
    is_told(&asked, "Not confirmed yet");
    fault_count = 40;
    fault_first = 0;
    for (int i = 0; i < 40; i++)
        faults[i] = i % 2 == 0 ? API_IS_AWAY : API_IS_NOT_CONNECTED;
    turn_for(15 * SETTLE_US);
    assert_true(fault_count < 40);
    state_is(1, RESERVATION_RESERVED);
    points_are(500, 100);
    fault_count = 0;
    turn_for(30 * SETTLE_US);
    state_is(1, RESERVATION_RETURNED);
}

static void a_register_is_answered_in_time_by_an_api_that_hangs(void **state)
{
    (void)state;
    for (int hanging = 1; hanging <= 3; hanging++) {
        char token[16];
        struct asked asked;
        snprintf(token, sizeof(token), "token-%d", hanging);
        order_make(10 + hanging, 4560);
        set_faults(3, hanging == 1 ? API_HANGS : API_WORKS, hanging >= 2 ? API_HANGS : API_WORKS,
                   hanging == 3 ? API_HANGS : API_WORKS);
        ask_until(&asked, &ten_off, token, 10 + hanging, DEADLINE_US);
        await(&asked);
        assert_true(clock_monotonic_us() <= asked.redemption.deadline_us);
        assert_false(asked.redemption.is_redeemed);
    }
    turn_for(30 * SETTLE_US);
    points_are(500, 0);
}

/* --- faults of the store --- */

static void what_could_not_be_reserved_is_said_and_nothing_moves(void **state)
{
    (void)state;
    set_store_fault(STORE_FULL, 0, 1);
    struct asked asked = redeem_once(&ten_off, "token-1", 7);
    assert_int_equal(asked.job.error, ERR_STORE_FULL);
    assert_false(asked.redemption.is_redeemed);
    assert_int_equal(api.calls, 0);
    points_are(500, 0);
}

static void a_reservation_of_unknown_outcome_is_asked_for_again(void **state)
{
    (void)state;
    set_store_fault(STORE_UNKNOWN_DONE, 0, 1);
    struct asked asked = redeem_once(&coffee, "token-1", 7);
    is_told(&asked, NULL);
    set_store_fault(STORE_UNKNOWN_NOT, 0, 1);
    asked = redeem_once(&ten_off, "token-2", 7);
    is_told(&asked, NULL);
    points_are(300, 0);
    assert_int_equal(api.changes, 2);
}

static void no_success_without_a_durable_burn(void **state)
{
    (void)state;
    struct asked asked;
    set_store_fault(STORE_FULL, 1, 1000); /* the reservation is written, the burn is not */
    ask_until(&asked, &ten_off, "token-1", 7, 700 * MS);
    await(&asked);
    is_told(&asked, "Not confirmed yet");
    assert_true(mark_is_on(7, 1));
    points_are(500, 100);
    store_fault_count = 0;
    asked = redeem_once(&ten_off, "token-1", 7); /* again: the order is read, not changed */
    is_told(&asked, NULL);
    assert_int_equal(api.changes, 1);
    points_are(400, 0);
}

static void a_burn_is_tried_again_while_there_is_time(void **state)
{
    (void)state;
    set_store_fault(STORE_FULL, 1, 2);
    struct asked asked = redeem_once(&ten_off, "token-1", 7);
    is_told(&asked, NULL);
    set_store_fault(STORE_UNKNOWN_DONE, 1, 1);
    asked = redeem_once(&ten_off, "token-2", 7);
    is_told(&asked, NULL);
    set_store_fault(STORE_UNKNOWN_NOT, 1, 1);
    asked = redeem_once(&ten_off, "token-3", 7);
    is_told(&asked, NULL);
    points_are(200, 0);
}

static void what_a_full_disk_left_open_is_settled(void **state)
{
    (void)state;
    struct asked asked;
    set_store_fault(STORE_FULL, 1, 1000);
    ask_until(&asked, &ten_off, "token-1", 7, 700 * MS);
    await(&asked);
    is_told(&asked, "Not confirmed yet");
    turn_for(5 * SETTLE_US);
    store_fault_count = 0;
    turn_for(30 * SETTLE_US);
    state_is(1, RESERVATION_BURNED);
    points_are(400, 0);
}

static void what_could_not_be_marked_unsure_is_remembered(void **state)
{
    (void)state;
    struct asked asked;
    set_faults(2, API_WORKS, API_DROPS_FIRST);
    set_store_fault(STORE_FULL, 1, 1000);
    ask_until(&asked, &ten_off, "token-1", 7, 700 * MS);
    await(&asked);
    store_fault_count = 0;
    assert_false(reservation_of(1).is_unsure);
    asked = redeem_once(&ten_off, "token-1", 7);
    is_told(&asked, "Not confirmed yet");
    assert_int_equal(api.changes, 0);
    turn_for(30 * SETTLE_US);
    state_is(1, RESERVATION_RETURNED);
}

static void who_waits_for_a_slow_store_is_answered_in_time(void **state)
{
    (void)state;
    struct asked asked;
    ask_until(&asked, &ten_off, "token-1", 7, 50 * MS);
    int64_t until_us = clock_monotonic_us() + 80 * MS;
    struct errand *held = outbound.errands[--outbound.errand_count];
    while (clock_monotonic_us() < until_us)
        turn();
    assert_true(is_answered(&asked));
    is_told(&asked, "Not confirmed yet");
    run_errand(held); /* nobody waits for it any more */
    turn_for(5 * MS);
    state_is(1, RESERVATION_RETURNED);
    points_are(500, 0);
    assert_int_equal(api.changes, 0);
}

/* --- a process that died in the middle --- */

static void reserve_at(const char *token, const struct reward *reward, int64_t order_id,
                       int64_t now_us)
{
    struct points_outcome outcome;
    struct points_command command = {.action = POINTS_RESERVE,
                                     .tenant_id = tenant.id,
                                     .member_id = member.id,
                                     .points = 100,
                                     .order_id = order_id,
                                     .reward_id = reward->id,
                                     .local_date = DATE};
    if (reward->effect == REWARD_PAY)
        command.pays_minor = reward->amount_minor;
    snprintf(command.token_id, sizeof(command.token_id), "%s", token);
    assert_int_equal(store_run_points(store, &command, now_us, &outcome), 0);
    assert_int_equal(outcome.result, POINTS_OK);
}

static void reserve_as_before_a_kill(const char *token, const struct reward *reward,
                                     int64_t order_id)
{
    reserve_at(token, reward, order_id, clock_steady_us() - 1000);
}

static void what_a_kill_left_is_settled_by_the_order(void **state)
{
    (void)state;
    reserve_as_before_a_kill("made", &ten_off, 7);
    snprintf(orders[7]->notes, sizeof(orders[7]->notes), "x; $10 off (CP-R1-made)");
    order_make(8, 4560);
    reserve_as_before_a_kill("not-made", &ten_off, 8);
    reserve_as_before_a_kill("gone", &ten_off, 9);
    redeem_restart();
    turn_for(40 * SETTLE_US);
    state_is(1, RESERVATION_BURNED);
    state_is(2, RESERVATION_RETURNED);
    state_is(3, RESERVATION_RETURNED);
    points_are(400, 0);
}

static void what_is_left_open_is_settled_by_the_process_that_has_the_duty(void **state)
{
    (void)state;
    reserve_as_before_a_kill("made", &ten_off, 7);
    snprintf(orders[7]->notes, sizeof(orders[7]->notes), "x; $10 off (CP-R1-made)");
    duty_is_anothers = true;
    redeem_restart();
    turn_for(40 * SETTLE_US);
    state_is(1, RESERVATION_RESERVED);
    duty_is_anothers = false;
    turn_for(40 * SETTLE_US);
    state_is(1, RESERVATION_BURNED);
}

static void who_has_lost_the_duty_moves_nothing(void **state)
{
    (void)state;
    reserve_as_before_a_kill("gone", &ten_off, 9);
    redeem_restart();
    api.duty_lost_at_read = 2;
    turn_for(30 * SETTLE_US);
    assert_true(api.reads == 2 && duty_is_anothers);
    state_is(1, RESERVATION_RESERVED);
    duty_is_anothers = false;
    turn_for(40 * SETTLE_US);
    state_is(1, RESERVATION_RETURNED);
}

static void the_same_request_after_a_kill_goes_on(void **state)
{
    (void)state;
    reserve_as_before_a_kill("token-1", &ten_off, 7);
    struct asked asked = redeem_once(&ten_off, "token-1", 7);
    is_told(&asked, NULL);
    assert_int_equal(api.changes, 1);
    points_are(400, 0);
}

static void a_line_that_a_kill_may_have_sent_is_not_sent_again(void **state)
{
    (void)state;
    reserve_as_before_a_kill("token-1", &coffee, 7);
    struct asked asked = redeem_once(&coffee, "token-1", 7);
    is_told(&asked, "Not confirmed yet");
    assert_int_equal(api.changes, 0);
    turn_for(30 * SETTLE_US);
    state_is(1, RESERVATION_RETURNED);
    asked = redeem_once(&coffee, "token-1", 7);
    is_told(&asked, NULL);
    assert_int_equal(api.changes, 1);
}

static void a_clock_that_was_set_back_makes_no_old_reservation_ours(void **state)
{
    (void)state;
    const int64_t ahead_us = clock_steady_us() + 3600 * CLOCK_US_PER_S;
    struct points_outcome outcome;
    const struct points_command mark = {.action = POINTS_MARK_UNSURE,
                                        .tenant_id = tenant.id,
                                        .member_id = member.id,
                                        .reservation_id = 2};
    order_make(8, 4560);
    reserve_at("token-1", &coffee, 7, ahead_us);
    reserve_at("token-2", &ten_off, 8, ahead_us);
    assert_int_equal(store_run_points(store, &mark, ahead_us, &outcome), 0);
    struct asked asked = redeem_once(&coffee, "token-1", 7); /* its line may be there soon */
    is_told(&asked, "Not confirmed yet");
    asked = redeem_once(&ten_off, "token-2", 8);
    is_told(&asked, "Not confirmed yet");
    orders[7]->status = ORDER_COMPLETE;
    asked = redeem_once(&coffee, "token-1", 7); /* nor returned at once */
    is_told(&asked, "Not confirmed yet");
    assert_int_equal(api.changes, 0);
    state_is(1, RESERVATION_RESERVED);
    state_is(2, RESERVATION_RESERVED);
    points_are(500, 200);
}

static void one_that_was_there_is_not_ours_by_asking_twice(void **state)
{
    (void)state;
    const enum store_fault each[] = {STORE_UNKNOWN_DONE, STORE_UNKNOWN_NOT};
    reserve_as_before_a_kill("token-1", &coffee, 7);
    for (size_t i = 0; i < COUNT_OF(each); i++) {
        set_store_fault(each[i], 0, 1);
        struct asked asked = redeem_once(&coffee, "token-1", 7);
        is_told(&asked, "Not confirmed yet");
    }
    assert_int_equal(api.changes, 0);
}

/* --- another process of the same store --- */

static struct redeem *other;

static void other_start(void)
{
    const struct redeem_config config = {.outbound = &outbound,
                                         .directory = directory,
                                         .api = &api,
                                         .duty = &no_duty,
                                         .settle_us = SETTLE_US};
    assert_int_equal(redeem_create(&config, &other), 0);
}

static void ask_other(struct asked *asked, const struct reward *reward, const char *token,
                      int64_t order_id)
{
    struct redeem *ours = redeem;
    redeem = other;
    ask_until(asked, reward, token, order_id, DEADLINE_US);
    redeem = ours;
}

static int find_move(enum points_action action)
{
    for (int i = 0; i < outbound.errand_count; i++) {
        const struct redeem_move *move = errand_data(outbound.errands[i]);
        if (outbound.errands[i]->size == 1 && move->command.action == action)
            return i;
    }
    return -1;
}

/* As of a process that is stopped before its commit. */
static struct errand *hold_move(enum points_action action)
{
    int at;
    int64_t until_us = clock_monotonic_us() + CLOCK_US_PER_S;
    while ((at = find_move(action)) == -1) {
        assert_true(clock_monotonic_us() < until_us);
        (void)turn();
    }
    struct errand *held = outbound.errands[at];
    outbound.errand_count--;
    for (int i = at; i < outbound.errand_count; i++)
        outbound.errands[i] = outbound.errands[i + 1];
    return held;
}

static void what_one_process_sends_again_another_does_not_return(void **state)
{
    (void)state;
    struct asked asked;
    reserve_as_before_a_kill("token-1", &ten_off, 7);
    struct errand *returning = hold_move(POINTS_RETURN); /* it was not there, twice */
    other_start();
    set_faults(3, API_WORKS, API_DROPS_AFTER, API_IS_AWAY);
    ask_other(&asked, &ten_off, "token-1", 7);
    await(&asked);
    is_told(&asked, "Not confirmed yet");
    assert_int_equal(api.changes, 1);
    run_errand(returning);
    state_is(1, RESERVATION_RESERVED);
    turn_for(30 * SETTLE_US);
    state_is(1, RESERVATION_BURNED);
    points_are(400, 0);
    redeem_destroy(other);
}

static void what_one_process_has_returned_another_does_not_send(void **state)
{
    (void)state;
    struct asked asked;
    reserve_as_before_a_kill("token-1", &ten_off, 7);
    struct errand *returning = hold_move(POINTS_RETURN);
    other_start();
    ask_other(&asked, &ten_off, "token-1", 7);
    struct errand *noting = hold_move(POINTS_MARK_UNSURE);
    run_errand(returning);
    run_errand(noting);
    await(&asked);
    is_told(&asked, "Not confirmed yet");
    state_is(1, RESERVATION_RETURNED);
    assert_int_equal(api.changes, 0);
    points_are(500, 0);
    asked = redeem_once(&ten_off, "token-1", 7); /* its token is free */
    is_told(&asked, NULL);
    points_are(400, 0);
    redeem_destroy(other);
}

static void of_two_processes_one_sends_a_change_again(void **state)
{
    (void)state;
    struct asked here, there;
    reserve_as_before_a_kill("token-1", &ten_off, 7);
    other_start();
    ask_until(&here, &ten_off, "token-1", 7, DEADLINE_US);
    ask_other(&there, &ten_off, "token-1", 7);
    await(&here);
    await(&there);
    assert_int_equal(api.changes, 1);
    assert_int_equal(here.redemption.is_redeemed + there.redemption.is_redeemed, 1);
    state_is(1, RESERVATION_BURNED);
    points_are(400, 0);
    redeem_destroy(other);
}

static void a_refusal_at_one_process_returns_nothing_that_another_has_sent(void **state)
{
    (void)state;
    struct asked here, there;
    other_start();
    ask_other(&there, &ten_off, "token-1", 7);
    while (call_count == 0 || calls[0].kind != CALL_PUT_ORDER)
        (void)turn();
    struct call put = calls[--call_count]; /* on its way for long */
    ask_until(&here, &ten_off, "token-1", 7, DEADLINE_US);
    struct errand *burning = hold_move(POINTS_BURN);
    const struct api_result refused = {.error = ERR_REFUSED, .status = 409};
    put.on_done(put.context, &refused);
    await(&there);
    is_told(&there, "Not confirmed yet");
    run_errand(burning);
    await(&here);
    is_told(&here, NULL);
    state_is(1, RESERVATION_BURNED);
    points_are(400, 0);
    redeem_destroy(other);
}

static void who_did_not_reserve_returns_nothing_by_a_refusal(void **state)
{
    (void)state;
    reserve_as_before_a_kill("token-1", &ten_off, 7); /* its change may still arrive */
    set_faults(2, API_WORKS, API_REFUSES);
    struct asked asked = redeem_once(&ten_off, "token-1", 7);
    is_told(&asked, "Not confirmed yet");
    state_is(1, RESERVATION_RESERVED);
    turn_for(30 * SETTLE_US);
    state_is(1, RESERVATION_RETURNED);
    points_are(500, 0);
}

/* --- burned when the order completes --- */

static void points_may_wait_for_the_order(void **state)
{
    (void)state;
    tenant.burn_is_on_complete = true;
    set_tenant();
    struct asked asked = redeem_once(&ten_off, "token-1", 7);
    is_told(&asked, NULL);
    state_is(1, RESERVATION_APPLIED);
    points_are(500, 100);
    asked = redeem_once(&ten_off, "token-1", 7);
    is_told(&asked, NULL);
    turn_for(20 * SETTLE_US);
    state_is(1, RESERVATION_APPLIED); /* its order ends it */
    assert_int_equal(api.changes, 1);
}

static void an_order_that_does_not_end_gives_its_points_back(void **state)
{
    (void)state;
    tenant.burn_is_on_complete = true;
    tenant.reservation_max_us = 5 * SETTLE_US;
    set_tenant();
    order_make(8, 4560);
    redeem_once(&ten_off, "token-1", 7);
    redeem_once(&ten_off, "token-2", 8);
    orders[8]->status = ORDER_COMPLETE; /* and nobody told us */
    turn_for(40 * SETTLE_US);
    state_is(1, RESERVATION_RETURNED);
    state_is(2, RESERVATION_BURNED);
    assert_string_equal(reservation_of(1).reason, "the order did not complete in time");
    points_are(400, 0);
}

/* --- points that pay --- */

struct seen_attempts {
    struct foreign_attempt newest;
    int count, paid, unpaid, open;
    int64_t paid_minor;
};

static void on_attempt(void *context, const struct foreign_attempt *attempt)
{
    struct seen_attempts *seen = context;
    if (seen->count++ == 0)
        seen->newest = *attempt;
    seen->paid += attempt->end == FOREIGN_PAID;
    seen->unpaid += attempt->end == FOREIGN_UNPAID;
    seen->open += attempt->end == FOREIGN_OPEN;
    seen->paid_minor += attempt->end == FOREIGN_PAID ? attempt->amount_minor : 0;
}

static struct seen_attempts attempts(void)
{
    struct seen_attempts seen = {0};
    assert_int_equal(store_each_foreign_attempt(store, tenant.id, 0, 0, 1000, on_attempt, &seen),
                     0);
    return seen;
}

static void on_finding(void *context, const char *name, const char *detail)
{
    (void)context;
    print_message("%s: %s\n", name, detail);
}

static void all_is_proved(void)
{
    int64_t findings;
    assert_int_equal(store_verify(store, on_finding, NULL, NULL, &findings), 0);
    assert_int_equal(findings, 0);
}

static void approve(struct foreign_approval approval)
{
    struct foreign_change change = {.tenant_id = tenant.id, .to.state = FOREIGN_REQUESTED};
    assert_int_equal(store_add_foreign_change(store, &change), 0);
    change.to = approval;
    assert_int_equal(store_add_foreign_change(store, &change), 0);
}

static void approve_all(void)
{
    approve((struct foreign_approval){.state = FOREIGN_APPROVED});
}

/* What the last attempt came to, and how many payments its order has. */
static void ended(enum foreign_end end, int status, const char *answer, int payments)
{
    const struct foreign_attempt attempt = attempts().newest;
    assert_int_equal(attempt.end, end);
    assert_int_equal(attempt.api_status, status);
    assert_string_equal(attempt.api_answer, answer);
    assert_int_equal(orders[attempt.order_id]->payment_count, payments);
    all_is_proved();
}

static void points_pay_with_the_mark_as_ref(void **state)
{
    (void)state;
    approve_all();
    struct asked asked = redeem_once(&ten_paid, "token-1", 7);
    is_told(&asked, NULL);
    points_are(400, 0);
    state_is(1, RESERVATION_BURNED);
    assert_string_equal(orders[7]->payments[0].ref, "CP-R1-token-1");
    assert_int_equal(orders[7]->payments[0].amount_minor, 1000);
    assert_string_equal(orders[7]->notes, "");
    assert_int_equal(attempts().newest.reservation_id, 1);
    assert_int_equal(attempts().newest.effect, FOREIGN_REWARD);
    ended(FOREIGN_PAID, 200, "", 1);
    asked = redeem_once(&ten_paid, "token-1", 7);
    is_told(&asked, NULL);
    assert_int_equal(api.changes, 1);
    assert_int_equal(attempts().count, 1);
}

static void without_an_approval_no_call_is_made(void **state)
{
    (void)state;
    struct asked asked = redeem_once(&ten_paid, "token-1", 7);
    is_told(&asked, "has not approved it");
    assert_int_equal(asked.redemption.result, POINTS_NOT_APPROVED);
    assert_int_equal(api.calls, 0);
    points_are(500, 0);
    assert_int_equal(attempts().newest.verdict, FOREIGN_NOT_APPROVED);
    assert_int_equal(attempts().newest.reservation_id, 0);
    ended(FOREIGN_UNPAID, 0, "", 0);
    approve((struct foreign_approval){.state = FOREIGN_APPROVED, .expires_on = DATE - 1});
    asked = redeem_once(&ten_paid, "token-1", 7);
    is_told(&asked, "has run out");
    asked = redeem_once(&ten_off, "token-2", 7); /* a discount needs none */
    is_told(&asked, NULL);
    assert_int_equal(attempts().count, 2);
}

static void the_limits_hold_before_any_call(void **state)
{
    (void)state;
    struct foreign_change change = {.tenant_id = tenant.id,
                                    .to = {.state = FOREIGN_APPROVED, .payment_max_minor = 999}};
    approve((struct foreign_approval){.state = FOREIGN_APPROVED, .day_max_minor = 1999});
    struct asked asked = redeem_once(&ten_paid, "token-1", 7);
    is_told(&asked, NULL);
    asked = redeem_once(&ten_paid, "token-2", 7);
    is_told(&asked, "approved for today");
    assert_int_equal(store_add_foreign_change(store, &change), 0);
    asked = redeem_once(&ten_paid, "token-3", 7);
    is_told(&asked, "approved at once");
    assert_int_equal(api.changes, 1);
    assert_int_equal(attempts().count, 3);
    points_are(400, 0);
    all_is_proved();
}

static void what_is_refused_frees_its_share_of_the_day(void **state)
{
    (void)state;
    approve((struct foreign_approval){.state = FOREIGN_APPROVED, .day_max_minor = 1000});
    set_faults(2, API_WORKS, API_FORBIDS);
    struct asked asked = redeem_once(&ten_paid, "token-1", 7);
    is_told(&asked, "does not let points pay");
    points_are(500, 0);
    state_is(1, RESERVATION_RETURNED);
    ended(FOREIGN_UNPAID, 403, "This application may not.", 0);
    asked = redeem_once(&ten_paid, "token-1", 7); /* each tap is an attempt of its own */
    is_told(&asked, "Lightspeed has refused it");
    ended(FOREIGN_UNPAID, 0, "", 0);
    assert_int_equal(attempts().newest.verdict, FOREIGN_SUSPENDED);
    struct foreign_change again = {.tenant_id = tenant.id,
                                   .to = {.state = FOREIGN_APPROVED, .day_max_minor = 1000}};
    assert_int_equal(store_add_foreign_change(store, &again), 0);
    asked = redeem_once(&ten_paid, "token-1", 7);
    is_told(&asked, NULL);
    asked = redeem_once(&ten_paid, "token-2", 7);
    is_told(&asked, "approved for today");
    assert_int_equal(attempts().count, 4);
}

static void a_payment_of_more_than_is_due_is_refused_whole(void **state)
{
    (void)state;
    approve_all();
    orders[7]->paid_minor = 3561;
    struct asked asked = redeem_once(&ten_paid, "token-1", 7);
    is_told(&asked, "Less is left to pay");
    assert_int_equal(api.changes, 0);
    ended(FOREIGN_UNPAID, 0, "Less is left to pay on this order than the reward is worth", 0);
    orders[7]->paid_minor = 3560;
    asked = redeem_once(&ten_paid, "token-1", 7);
    is_told(&asked, NULL);
}

static void a_payment_without_reply_is_found_by_its_ref(void **state)
{
    (void)state;
    const enum api_fault each[] = {API_FAILS_AFTER, API_DROPS_AFTER};
    approve_all();
    for (int i = 0; i < 2; i++) {
        char token[16];
        snprintf(token, sizeof(token), "token-%d", i);
        order_make(8, 4560);
        set_faults(2, API_WORKS, each[i]);
        struct asked asked = redeem_once(&ten_paid, token, 8);
        is_told(&asked, NULL);
        ended(FOREIGN_PAID, i == 0 ? 500 : 0, i == 0 ? "bad_reply" : "connection_lost", 1);
    }
    points_are(300, 0);
}

static void a_payment_that_may_still_arrive_is_settled(void **state)
{
    (void)state;
    approve_all();
    set_faults(2, API_WORKS, API_DROPS_FIRST);
    struct asked asked = redeem_once(&ten_paid, "token-1", 7);
    is_told(&asked, "Not confirmed yet");
    ended(FOREIGN_OPEN, 0, "connection_lost", 0);
    asked = redeem_once(&ten_paid, "token-1", 7); /* asked again: looked for, not sent again */
    is_told(&asked, "Not confirmed yet");
    turn_for(30 * SETTLE_US);
    state_is(1, RESERVATION_RETURNED);
    ended(FOREIGN_UNPAID, 0, "connection_lost", 0);
    order_make(8, 4560);
    set_faults(2, API_WORKS, API_IS_LATE);
    asked = redeem_once(&ten_paid, "token-2", 8);
    is_told(&asked, "Not confirmed yet");
    turn_for(30 * SETTLE_US);
    state_is(2, RESERVATION_BURNED);
    ended(FOREIGN_PAID, 0, "connection_lost", 1);
    points_are(400, 0);
}

static void a_yes_without_our_ref_is_seen_by_what_was_paid(void **state)
{
    (void)state;
    approve_all();
    api.keeps_no_ref = true;
    struct asked asked = redeem_once(&ten_paid, "token-1", 7);
    is_told(&asked, NULL);
    ended(FOREIGN_PAID, 200, "", 1);
}

/* Nobody can tell it from cash, so nobody guesses: not by its age either. */
static void a_payment_that_may_be_there_without_its_ref_is_for_people(void **state)
{
    (void)state;
    tenant.reservation_max_us = 5 * SETTLE_US;
    set_tenant();
    approve_all();
    api.keeps_no_ref = true;
    orders[7]->payments[0] = (struct order_payment){.number = 1, .amount_minor = 1000};
    orders[7]->payment_count = 1;
    set_faults(2, API_WORKS, API_DROPS_AFTER);
    struct asked asked = redeem_once(&ten_paid, "token-1", 7);
    is_told(&asked, "Not confirmed yet");
    turn_for(30 * SETTLE_US);
    redeem_restart();
    turn_for(30 * SETTLE_US);
    state_is(1, RESERVATION_RESERVED);
    ended(FOREIGN_OPEN, 0, "connection_lost", 2);
    asked = redeem_once(&ten_paid, "token-1", 7);
    is_told(&asked, "Not confirmed yet");
    assert_int_equal(api.changes, 1);
    points_are(500, 100);
}

static void a_payment_of_its_amount_that_was_there_before_hides_nothing(void **state)
{
    (void)state;
    approve_all();
    orders[7]->payments[0] = (struct order_payment){.number = 1, .amount_minor = 1000};
    orders[7]->payment_count = 1;
    set_faults(2, API_WORKS, API_DROPS_FIRST);
    struct asked asked = redeem_once(&ten_paid, "token-1", 7);
    is_told(&asked, "Not confirmed yet");
    redeem_restart();
    turn_for(30 * SETTLE_US);
    state_is(1, RESERVATION_RETURNED);
    ended(FOREIGN_UNPAID, 0, "connection_lost", 1);
}

static void a_payment_that_a_kill_may_have_sent_is_not_sent_again(void **state)
{
    (void)state;
    approve_all();
    reserve_as_before_a_kill("made", &ten_paid, 7);
    orders[7]->payments[0] = (struct order_payment){.number = 1, .ref = "CP-R1-made"};
    orders[7]->payment_count = 1;
    order_make(8, 4560);
    reserve_as_before_a_kill("not-made", &ten_paid, 8);
    struct asked asked = redeem_once(&ten_paid, "made", 7);
    is_told(&asked, NULL);
    asked = redeem_once(&ten_paid, "not-made", 8);
    is_told(&asked, "Not confirmed yet");
    assert_int_equal(api.changes, 0);
    redeem_restart();
    turn_for(40 * SETTLE_US);
    state_is(1, RESERVATION_BURNED);
    state_is(2, RESERVATION_RETURNED);
    ended(FOREIGN_UNPAID, 0, "not on the order", 0);
    points_are(400, 0);
}

static void points_that_paid_do_not_wait_for_the_order(void **state)
{
    (void)state;
    tenant.burn_is_on_complete = true;
    tenant.reservation_max_us = 5 * SETTLE_US;
    set_tenant();
    approve_all();
    struct asked asked = redeem_once(&ten_paid, "token-1", 7);
    is_told(&asked, NULL);
    state_is(1, RESERVATION_BURNED);
    order_make(8, 4560);
    set_faults(2, API_WORKS, API_IS_LATE);
    redeem_once(&ten_paid, "token-2", 8);
    turn_for(40 * SETTLE_US);
    state_is(2, RESERVATION_BURNED);
    points_are(300, 0);
    all_is_proved();
}

static void payments_beyond_those_that_were_read_may_hide_ours(void **state)
{
    (void)state;
    approve_all();
    reserve_as_before_a_kill("token-1", &ten_paid, 7);
    orders[7]->is_cut = true;
    orders[7]->payment_count = ORDER_PAYMENTS_MAX;
    redeem_restart();
    turn_for(30 * SETTLE_US);
    state_is(1, RESERVATION_RESERVED);
    struct asked asked = redeem_once(&ten_paid, "token-2", 7);
    is_told(&asked, "Another reward is being put");
}

/* --- all of it, at random --- */

#define ROUNDS 300
#define DAY_MAX_MINOR 40000 /* of 100 payments of 1000, some of which fail */

static void day_is_what_was_paid(void)
{
    const struct seen_attempts seen = attempts();
    int64_t on_orders_minor = 0;
    for (int i = 0; i < ORDERS_MAX; i++)
        on_orders_minor += orders[i] == NULL ? 0 : orders[i]->paid_minor;
    assert_int_equal(seen.open, 0);
    assert_int_equal(seen.paid_minor, on_orders_minor);
    assert_true(on_orders_minor <= DAY_MAX_MINOR && seen.unpaid > 0);
}

static void spoil_at_random(uint64_t *seed)
{
    struct id_source source = id_source_seeded(seed);
    uint8_t random[8];
    source.fill(source.context, random, sizeof(random));
    fault_first = 0;
    fault_count = 4;
    for (int i = 0; i < 4; i++)
        faults[i] = random[i] % 2 == 0 ? API_WORKS : (enum api_fault)(random[i + 1] % API_HANGS);
    store_fault_count = random[6] % 4 == 0;
    store_fault_skip = random[6] / 4 % 3;
    store_fault = (enum store_fault)(1 + random[7] % 3);
}

static void burned_exactly_where_the_mark_is(int64_t id, int *burned)
{
    struct reservation reservation = reservation_of(id);
    bool is_burned = reservation.state == RESERVATION_BURNED;
    if (!is_burned && reservation.state != RESERVATION_RETURNED)
        fail_msg("reservation %lld is still open", (long long)id);
    if (is_burned != mark_is_on(reservation.order_id, id))
        fail_msg("reservation %lld: state %d, order '%s'", (long long)id, reservation.state,
                 orders[reservation.order_id]->notes);
    *burned += is_burned;
}

static void whatever_happens_points_and_orders_agree(void **state)
{
    (void)state;
    const char *given = getenv("COUNTERPART_SEED");
    uint64_t seed = (uint64_t)clock_wall_us();
    int64_t chosen;
    if (given != NULL && text_parse_int64(text_of(given), &chosen) == 0)
        seed = (uint64_t)chosen;
    print_message("COUNTERPART_SEED=%llu\n", (unsigned long long)seed);
    grant(100 * 2 * ROUNDS);
    const struct reward *each[] = {&coffee, &ten_off, &ten_paid};
    int told = 0, burned = 0;
    approve((struct foreign_approval){.state = FOREIGN_APPROVED, .day_max_minor = DAY_MAX_MINOR});
    for (int i = 0; i < ROUNDS; i++) {
        char token[16];
        struct asked asked;
        snprintf(token, sizeof(token), "token-%d", i);
        order_make(100 + i, 4560);
        spoil_at_random(&seed);
        for (int again = 0; again < 2; again++) {
            ask_until(&asked, each[i % 3], token, 100 + i, 700 * MS);
            await(&asked);
        }
        told += asked.redemption.is_redeemed;
    }
    fault_count = store_fault_count = 0;
    turn_for(60 * SETTLE_US);
    struct reservation last;
    int64_t id = 1;
    for (; store_read_reservation(store, id, &last) == 0; id++)
        burned_exactly_where_the_mark_is(id, &burned);
    assert_true(id > ROUNDS / 2 && burned >= told && told > ROUNDS / 4);
    points_are(500 + 100 * 2 * ROUNDS - 100 * burned, 0);
    day_is_what_was_paid();
    all_is_proved();
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(points_are_burned_and_the_order_carries_the_mark),
        TEST(the_same_again_is_told_again_and_changes_nothing),
        TEST(another_order_is_refused),
        TEST(requests_at_once_share_one_redemption),
        TEST(two_rewards_go_onto_one_order_one_after_the_other),
        TEST(a_mark_that_was_there_before_the_change_proves_nothing),
        TEST(who_has_too_few_points_gets_nothing),
        TEST(orders_that_cannot_be_changed_return_the_points),
        TEST(orders_of_unmapped_sites_are_left_alone),
        TEST(a_site_that_the_request_names_must_be_the_orders),
        TEST(what_the_api_refuses_is_returned_and_said),
        TEST(an_api_without_variations_of_orders_gets_one_of_a_line),
        TEST(an_ignored_discount_of_the_order_is_given_on_a_line),
        TEST(an_ignored_discount_that_no_line_bears_burns_nothing),
        TEST(an_api_that_ignores_lines_too_burns_nothing),
        TEST(a_line_after_an_ignored_discount_is_settled_by_its_own_mark),
        TEST(a_yes_that_cannot_be_looked_after_is_believed),
        TEST(a_yes_of_which_nothing_is_seen_is_settled),
        TEST(an_order_that_cannot_be_read_returns_the_points),
        TEST(a_change_without_reply_that_was_made_is_burned),
        TEST(a_change_that_was_certainly_not_made_is_returned),
        TEST(a_change_that_may_still_arrive_is_kept_until_two_reads_agree),
        TEST(an_order_deleted_before_it_is_read_back_gives_the_points_back),
        TEST(a_change_that_arrives_late_is_burned),
        TEST(an_api_that_cannot_be_reached_settles_nothing),
        TEST(a_register_is_answered_in_time_by_an_api_that_hangs),
        TEST(what_could_not_be_reserved_is_said_and_nothing_moves),
        TEST(a_reservation_of_unknown_outcome_is_asked_for_again),
        TEST(no_success_without_a_durable_burn),
        TEST(a_burn_is_tried_again_while_there_is_time),
        TEST(what_a_full_disk_left_open_is_settled),
        TEST(what_could_not_be_marked_unsure_is_remembered),
        TEST(who_waits_for_a_slow_store_is_answered_in_time),
        TEST(what_a_kill_left_is_settled_by_the_order),
        TEST(what_is_left_open_is_settled_by_the_process_that_has_the_duty),
        TEST(who_has_lost_the_duty_moves_nothing),
        TEST(the_same_request_after_a_kill_goes_on),
        TEST(a_line_that_a_kill_may_have_sent_is_not_sent_again),
        TEST(a_clock_that_was_set_back_makes_no_old_reservation_ours),
        TEST(one_that_was_there_is_not_ours_by_asking_twice),
        TEST(what_one_process_sends_again_another_does_not_return),
        TEST(what_one_process_has_returned_another_does_not_send),
        TEST(of_two_processes_one_sends_a_change_again),
        TEST(a_refusal_at_one_process_returns_nothing_that_another_has_sent),
        TEST(who_did_not_reserve_returns_nothing_by_a_refusal),
        TEST(points_may_wait_for_the_order),
        TEST(an_order_that_does_not_end_gives_its_points_back),
        TEST(points_pay_with_the_mark_as_ref),
        TEST(without_an_approval_no_call_is_made),
        TEST(the_limits_hold_before_any_call),
        TEST(what_is_refused_frees_its_share_of_the_day),
        TEST(a_payment_of_more_than_is_due_is_refused_whole),
        TEST(a_payment_without_reply_is_found_by_its_ref),
        TEST(a_payment_that_may_still_arrive_is_settled),
        TEST(a_yes_without_our_ref_is_seen_by_what_was_paid),
        TEST(a_payment_that_may_be_there_without_its_ref_is_for_people),
        TEST(a_payment_of_its_amount_that_was_there_before_hides_nothing),
        TEST(a_payment_that_a_kill_may_have_sent_is_not_sent_again),
        TEST(points_that_paid_do_not_wait_for_the_order),
        TEST(payments_beyond_those_that_were_read_may_hide_ours),
        TEST(whatever_happens_points_and_orders_agree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
