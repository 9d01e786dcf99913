/* Reads an order while a cashier waits, to see whether an earlier charge of ours was booked. */
#include "lightspeed/look.h"

#include "base/clock.h"
#include "base/log.h"
#include "runtime/errand.h"
#include "runtime/queue.h"

#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

/* --- what of ours should be on it: pure --- */

static int32_t find_operation(const struct operation *operations, int32_t count, int64_t id)
{
    while (--count >= 0 && operations[count].id != id)
        ;
    return count;
}

/* The charge or refund that a reversal or recharge is about in the end, by way of others; -1: it is
 * not among them. */
static int32_t find_root(const struct operation *operations, int32_t count, int32_t at)
{
    while (at >= 0 &&
           (operations[at].action == ACTION_REVERSE || operations[at].action == ACTION_RECHARGE))
        at = find_operation(operations, at, operations[at].answers_operation_id);
    CHECK(at < count);
    return at;
}

/* What came onto the card after all: of a charge what was reversed and not charged again, of a
 * refund what was charged again and not reversed, below 0. */
static int64_t undone_minor(const struct operation *operations, int32_t count, int32_t root)
{
    int64_t undone = 0;
    for (int32_t i = root + 1; i < count; i++) {
        int64_t amount = operations[i].amount_minor;
        if (find_root(operations, count, i) == root)
            CHECK(money_add(undone, operations[i].action == ACTION_REVERSE ? amount : -amount,
                            &undone));
    }
    return undone;
}

int32_t order_bookings_make(const struct operation *operations, int32_t count,
                            struct booking *bookings)
{
    int32_t made = 0;
    for (int32_t i = 0; i < count; i++) {
        const struct operation *operation = &operations[i];
        bool is_charge = operation->action == ACTION_CHARGE;
        if (!is_charge && operation->action != ACTION_REFUND)
            continue;
        bookings[made++] = (struct booking){
            .operation_id = operation->id,
            .card_id = operation->card_id,
            .amount_minor = is_charge ? operation->amount_minor : -operation->amount_minor,
            .is_undone = undone_minor(operations, count, i) != 0,
        };
    }
    return made;
}

/* --- what it says: pure --- */

/* What the API tells is small enough for the sum of all payments (oseries_order_read). */
static int64_t due_minor(const struct oseries_order *order)
{
    int64_t due = order->total_minor;
    for (int32_t i = 0; i < order->payment_count; i++)
        CHECK(money_add(due, -order->payments[i].amount_minor, &due));
    return due;
}

/* By the API's clock; a time that cannot be read says nothing. */
static bool has_changed_since(const struct oseries_order *order, int64_t at_us)
{
    int64_t updated_us;
    return clock_parse_time(text_of(order->updated_at), &updated_us) == 0 &&
           updated_us > at_us + ORDER_LOOK_SKEW_US;
}

static const struct booking *find_booking(const struct booking *bookings, int32_t count,
                                          int64_t operation_id)
{
    for (int32_t i = 0; i < count; i++)
        if (bookings[i].operation_id == operation_id)
            return &bookings[i];
    return NULL;
}

/* A payment that may be another card's as well is taken for its own: nothing is given back then,
 * and nothing charged twice when nothing is due. */
static bool is_shown(const struct booking *booking)
{
    return booking->payment >= 0 || booking->is_ambiguous;
}

void order_evidence_make(const struct oseries_order *order, const struct booking *bookings,
                         int32_t count, const struct operation *earlier, int64_t ahead_us,
                         int64_t generation, int64_t method_id, struct order_evidence *evidence)
{
    struct booking matched[ORDER_LOOK_OPERATIONS_MAX];
    int64_t claimed[ORDER_PAYMENTS_MAX];
    CHECK(count <= ORDER_LOOK_OPERATIONS_MAX);
    *evidence = (struct order_evidence){.state = EVIDENCE_UNREADABLE, .operation_id = earlier->id};
    if (count > 0)
        memcpy(matched, bookings, (size_t)count * sizeof(matched[0]));
    bookings_match(matched, count, order, generation, method_id, claimed);
    const struct booking *booking = find_booking(matched, count, earlier->id);
    bool may_be_cut_away = order_payments_are_cut(order);
    if (booking == NULL || may_be_cut_away)
        return;
    evidence->state = EVIDENCE_READ;
    evidence->is_booked = is_shown(booking);
    evidence->is_closed =
        order->is_deleted || order->status == ORDER_COMPLETE || order->status == ORDER_REJECTED;
    evidence->has_changed = has_changed_since(order, earlier->created_at_us + ahead_us);
    evidence->due_minor = due_minor(order);
}

/* --- the look --- */

/* One look under way; outlives its job when the time is up. */
struct looking {
    struct job *job; /* NULL: it has ended */
    struct oseries_order order;
    int64_t ahead_us; /* the API's clock, of our steady one */
    struct outbound_timer deadline;
};

struct look_task {
    int64_t tenant_id, order_id;
    struct operation operations[ORDER_LOOK_OPERATIONS_MAX];
    int32_t count;
};

static struct order_look *look_of(const struct looking *looking)
{
    return (struct order_look *)(looking->job + 1);
}

static void look_end(struct looking *looking)
{
    struct job *job = looking->job;
    outbound_cancel_timer(look_of(looking)->outbound, &looking->deadline);
    looking->job = NULL;
    job_end(job, 0);
}

static void look_fail(struct looking *looking, const char *step, int error, int status)
{
    const struct order_look *look = look_of(looking);
    if (error != ERR_NOT_CONNECTED && error != ERR_NO_APP)
        log_event(LOG_WARNING, "order_not_looked_at", LOG_INT("tenant_id", look->tenant_id),
                  LOG_INT("order_id", look->order_id), LOG_TEXT("step", step),
                  LOG_TEXT("error", error_name(error)), LOG_INT("status", status));
    look_end(looking);
}

/* The store hangs: whoever holds the errand frees what is left. */
static void on_late(void *context)
{
    look_fail(context, "operations", ERR_TIMED_OUT, 0);
}

static void look_judge(struct looking *looking, const struct look_task *task)
{
    struct order_look *look = look_of(looking);
    struct booking bookings[ORDER_LOOK_OPERATIONS_MAX];
    int32_t earlier = find_operation(task->operations, task->count, look->operation_id);
    if (earlier < 0 || task->count == ORDER_LOOK_OPERATIONS_MAX)
        return; /* there may be more of them */
    int32_t count = order_bookings_make(task->operations, task->count, bookings);
    order_evidence_make(&looking->order, bookings, count, &task->operations[earlier],
                        looking->ahead_us, look->generation, look->method_id, &look->evidence);
}

static void on_operations(struct errand *errand)
{
    struct looking *looking = errand->context;
    if (looking->job != NULL && errand->job.error != 0) {
        look_fail(looking, "operations", errand->job.error, 0);
    } else if (looking->job != NULL) {
        look_judge(looking, errand_data(errand));
        look_end(looking);
    }
    free(looking);
}

static void take_operation(void *context, const struct operation *operation)
{
    struct look_task *task = context;
    task->operations[task->count++] = *operation;
}

static int task_operations(struct job *job, struct store *store)
{
    struct look_task *task = errand_data_of(job);
    return store_each_order_operation(store, task->tenant_id, task->order_id,
                                      ORDER_LOOK_OPERATIONS_MAX, take_operation, task);
}

static void look_read_operations(struct looking *looking)
{
    const struct order_look *look = look_of(looking);
    struct errand *errand = errand_create(look->outbound, sizeof(struct look_task));
    if (errand == NULL) {
        look_fail(looking, "operations", ERR_NO_MEMORY, 0);
        free(looking);
        return;
    }
    struct look_task *task = errand_data(errand);
    task->tenant_id = look->tenant_id;
    task->order_id = look->order_id;
    outbound_set_timer(look->outbound, &looking->deadline, look->deadline_us, on_late, looking);
    errand_read(errand, look->reader, task_operations, on_operations, looking);
}

/* An API that does not tell its time is taken to be right, and our wall clock by now, too: the
 * steady one keeps what that said when the process began. */
static int64_t find_ahead_us(const struct api_result *result)
{
    int64_t api_us = result->told_at_us != 0 ? result->told_at_us : clock_wall_us();
    return api_us - clock_steady_us();
}

static void on_order(void *context, const struct api_result *result,
                     const struct oseries_order *order)
{
    struct looking *looking = context;
    if (result->error != 0) {
        look_fail(looking, "order", result->error, result->status);
        free(looking);
        return;
    }
    looking->order = *order;
    looking->ahead_us = find_ahead_us(result);
    look_read_operations(looking);
}

void order_look_begin(struct job *job)
{
    struct order_look *look = (struct order_look *)(job + 1);
    const struct api_call call = {
        .tenant_id = look->tenant_id, .priority = API_WAITING, .deadline_us = look->deadline_us};
    struct looking *looking = calloc(1, sizeof(*looking)); /* some 70 KiB */
    look->evidence =
        (struct order_evidence){.state = EVIDENCE_UNREADABLE, .operation_id = look->operation_id};
    if (looking == NULL) {
        job_end(job, 0);
        return;
    }
    looking->job = job;
    oseries_api_get_order(look->api, &call, look->order_id, on_order, looking);
}
