/*
 * An order that may have changed: read through the tenant's own grant, then everything that follows
 * from what it is now. Nothing is taken from the webhook but the order's id.
 */
#include "lightspeed/prove_state.h"

#include "base/error.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

/* An order may be told before it can be read; then it is looked for again after 1 s and 2 s. */
#define MISSING_ATTEMPTS 3
/* Told as completed and not complete to the reader: late, or reopened, and told again when it ends.
 * 1 + 2 + ... + 64 s. Longer only where a top-up or points wait for it. */
#define UNFINISHED_ATTEMPTS 7
#define RESERVATIONS_MAX 32 /* rewards of one order: a register shows a handful */

int64_t points_share(int64_t points, int64_t part_minor, int64_t whole_minor)
{
    if (points <= 0 || part_minor <= 0)
        return 0;
    if (part_minor >= whole_minor)
        return points;
    /* 10^12 points times 10^15 minor units need 90 bits. */
    return (int64_t)((unsigned __int128)points * (uint64_t)part_minor / (uint64_t)whole_minor);
}

static int64_t absolute(int64_t amount_minor)
{
    return amount_minor < 0 ? -amount_minor : amount_minor;
}

/* --- points: one task on the committer's thread, each step of which may be repeated --- */

struct points_task {
    int64_t tenant_id, order_id, points;
    int64_t site_id;
    struct order_facts order;
    const struct oseries_order *read; /* the chore's, which outlives its task */
    bool has_earned, has_taken_back;
    bool is_redemption_open;
    int64_t unpaid_id, unpaid_points; /* a reward on the completed order, its points returned */
    enum points_result refused;       /* the last that was neither done nor done before */
    struct reservation reservations[RESERVATIONS_MAX];
    int32_t reservation_count;
};

static int run(struct store *store, struct points_task *task, struct points_command *command,
               bool *is_done)
{
    struct points_outcome outcome;
    command->tenant_id = task->tenant_id;
    int err = store_run_points(store, command, clock_steady_us(), &outcome);
    if (err == 0 && outcome.result != POINTS_OK && outcome.result != POINTS_ALREADY_DONE)
        task->refused = outcome.result;
    *is_done |= err == 0 && outcome.result == POINTS_OK;
    return err;
}

/* The order's customer is known to Lightspeed by our member's code, or is nobody of ours. */
static int task_earn(struct store *store, struct points_task *task)
{
    struct member member;
    if (task->order.member_code[0] == '\0' || task->points == 0)
        return 0;
    int err = store_read_member_by_code(store, task->tenant_id, text_of(task->order.member_code),
                                        &member);
    if (err != 0)
        return err == ERR_NOT_FOUND ? 0 : err;
    struct points_command command = {.action = POINTS_EARN,
                                     .member_id = member.id,
                                     .order_id = task->order.earning_order_id,
                                     .points = task->points};
    return run(store, task, &command, &task->has_earned);
}

/* Once for each order that takes back: a refund order, or the deleted one itself; of the sale never
 * more than is left of what it earned. */
static int task_take_back(struct store *store, struct points_task *task, int64_t earned_order_id,
                          int64_t part_minor, int64_t whole_minor)
{
    struct points_entry earned;
    int err =
        store_read_order_entry(store, task->tenant_id, earned_order_id, POINTS_CAUSE_EARN, &earned);
    if (err != 0)
        return err == ERR_NOT_FOUND ? 0 : err;
    struct points_command command = {.action = POINTS_UNEARN,
                                     .member_id = earned.member_id,
                                     .order_id = task->order_id,
                                     .sale_order_id = earned_order_id,
                                     .points =
                                         points_share(earned.points, part_minor, whole_minor)};
    return command.points == 0 ? 0 : run(store, task, &command, &task->has_taken_back);
}

static int task_burn(struct store *store, struct points_task *task,
                     const struct reservation *reservation)
{
    bool is_done = false;
    struct points_command command = {.action = POINTS_BURN,
                                     .member_id = reservation->member_id,
                                     .reservation_id = reservation->id};
    return run(store, task, &command, &is_done);
}

static int task_return(struct store *store, struct points_task *task,
                       const struct reservation *reservation, const char *reason)
{
    bool is_done = false;
    struct text_buffer buffer;
    struct points_command command = {.action = POINTS_RETURN,
                                     .member_id = reservation->member_id,
                                     .reservation_id = reservation->id,
                                     .is_order_deleted = task->order.is_deleted};
    text_buffer_init(&buffer, command.reason, sizeof(command.reason));
    text_append(&buffer, text_of(reason));
    return run(store, task, &command, &is_done);
}

/* An order that was deleted, so that its points came back, and then was opened again and completed:
 * whether they are asked for once more is for people to say. (A mark without any discount is left
 * of a reward that the API did not take.) */
static int task_look_for_unpaid(struct store *store, struct points_task *task,
                                const struct reservation *reservation)
{
    struct points_entry back;
    int err = 0;
    bool has_worth = reservation->pays_minor != 0 || order_has_discount(task->read);
    if (!reward_is_applied(reservation, task->read) || !has_worth)
        return 0;
    if (reservation->state == RESERVATION_BURNED)
        err = store_read_points_answer(store, reservation->id, POINTS_CAUSE_RETURN, &back);
    if (err != 0)
        return err == ERR_NOT_FOUND ? 0 : err;
    task->unpaid_id = reservation->id;
    task->unpaid_points = reservation->points;
    return 0;
}

static int task_complete(struct store *store, struct points_task *task,
                         const struct reservation *reservation)
{
    if (reservation->state != RESERVATION_APPLIED)
        return task_look_for_unpaid(store, task, reservation);
    if (reward_is_gone(reservation, task->read))
        return task_return(store, task, reservation, "the reward was taken off the order");
    return task_burn(store, task, reservation);
}

static int task_move(struct store *store, struct points_task *task,
                     const struct reservation *reservation)
{
    if (reservation->state == RESERVATION_RESERVED) {
        /* Redemption ends it. What it burns or applies may be of an order that has ended since it
         * was read: so we come back. */
        task->is_redemption_open = true;
        return 0;
    }
    if (!task->order.is_deleted)
        return task_complete(store, task, reservation);
    if (reservation->state == RESERVATION_RETURNED)
        return 0;
    return task_return(store, task, reservation, "the order was deleted");
}

/* Of what was returned only that counts whose mark is there: tries that failed may be many. */
static void on_reservation(void *context, const struct reservation *reservation)
{
    struct points_task *task = context;
    if (reservation->state == RESERVATION_RETURNED && !reward_is_applied(reservation, task->read))
        return;
    if (task->reservation_count < RESERVATIONS_MAX)
        task->reservations[task->reservation_count++] = *reservation;
}

static int task_reservations(struct store *store, struct points_task *task)
{
    int err =
        store_each_order_reservation(store, task->tenant_id, task->order_id, on_reservation, task);
    for (int32_t i = 0; err == 0 && i < task->reservation_count; i++)
        err = task_move(store, task, &task->reservations[i]);
    return err;
}

static int task_points(struct job *job, struct store *store)
{
    struct points_task *task = errand_data_of(job);
    const struct order_facts *order = &task->order;
    int err = 0;
    if (order->is_deleted)
        err = task_take_back(store, task, task->order_id, 1, 1);
    else if (order->earning_order_id != 0)
        err = task_earn(store, task);
    if (err == 0 && !order->is_deleted && order->refunded_order_id != 0)
        err = task_take_back(store, task, order->refunded_order_id, absolute(order->total_minor),
                             absolute(order->refunded_total_minor));
    return err != 0 ? err : task_reservations(store, task);
}

static void order_list_unpaid(struct chore *chore, const struct points_task *task)
{
    char reason[WORK_REASON_MAX + 1];
    struct text_buffer buffer;
    text_buffer_init(&buffer, reason, sizeof(reason));
    text_append_format(&buffer,
                       "reservation %" PRId64
                       ": its reward is on the completed order, and its %" PRId64
                       " points were returned",
                       task->unpaid_id, task->unpaid_points);
    chore_give_up(chore, reason);
}

static void order_end(struct chore *chore, const struct points_task *task)
{
    if (task->is_redemption_open)
        chore_retry(chore, "a redemption on the order is not settled yet");
    else if (chore->is_release_refused)
        chore_give_up(chore, "a paid top-up cannot be released: the card holds too much");
    else if (task->unpaid_id != 0)
        order_list_unpaid(chore, task);
    else if (chore->held.count == HELD_MAX)
        chore_wait(chore, 0, "more cards wait for their release");
    else
        chore_done(chore, chore->order.is_deleted ? "the order was deleted" : "");
}

static void on_points(struct errand *errand)
{
    struct chore *chore = errand->context;
    const struct points_task *task = errand_data(errand);
    struct inbox *inbox = chore->inbox;
    if (errand->job.error != 0) {
        chore_retry_store(chore, errand->job.error);
        return;
    }
    atomic_fetch_add_explicit(&inbox->earned, task->has_earned, memory_order_relaxed);
    atomic_fetch_add_explicit(&inbox->taken_back, task->has_taken_back, memory_order_relaxed);
    if (task->refused != POINTS_OK)
        log_event(LOG_INFO, "points_refused", LOG_INT("tenant_id", chore->work.tenant_id),
                  LOG_INT("order_id", chore->work.subject_id),
                  LOG_TEXT("result", points_result_name(task->refused)));
    order_end(chore, task);
}

static void order_do_points(struct chore *chore)
{
    struct errand *errand = chore_errand(chore, sizeof(struct points_task));
    if (errand == NULL)
        return;
    struct points_task *task = errand_data(errand);
    const struct tenant *tenant = &chore->tenant->tenant;
    task->tenant_id = chore->work.tenant_id;
    task->order_id = chore->work.subject_id;
    task->order = chore->order;
    task->read = chore->read;
    task->points = points_for_amount(chore->order.earning_minor, tenant->currency.exponent,
                                     tenant->earn_milli);
    errand->job.joins = true;
    errand_write(errand, chore->inbox->config.committer, task_points, on_points, chore);
}

/* --- whose points, and how many --- */

static void on_customer(void *context, const struct api_result *result,
                        const struct oseries_customer *customer)
{
    struct chore *chore = context;
    if (result->error == ERR_NOT_FOUND) {
        order_do_points(chore); /* nobody earns */
        return;
    }
    if (result->error != 0) {
        chore_retry_api(chore, result);
        return;
    }
    struct text_buffer code;
    text_buffer_init(&code, chore->order.member_code, sizeof(chore->order.member_code));
    text_append(&code, text_of(customer->reference_id));
    order_do_points(chore);
}

static void order_earn(struct chore *chore, int64_t order_id, int64_t total_minor,
                       int64_t customer_id)
{
    struct api_call call = chore_call(chore);
    if (customer_id == 0 || total_minor <= 0 || chore->tenant->tenant.earn_milli == 0) {
        order_do_points(chore);
        return;
    }
    chore->order.earning_order_id = order_id;
    chore->order.earning_minor = total_minor;
    oseries_api_get_customer(chore->inbox->config.api, &call, customer_id, on_customer, chore);
}

/* "2019-05-08T...": longer ago than ended work is kept. What such a sale earned was settled then,
 * and if it was nothing, then because nobody earned. */
static bool is_long_ago(const char *updated_at)
{
    int32_t date;
    if (clock_parse_date(text_slice(text_of(updated_at), 0, 10), &date) != 0)
        return false;
    return date < (clock_steady_us() - WORK_KEEP_US) / (INT64_C(86400) * CLOCK_US_PER_S);
}

/* The sale that a refund gives back: how much of it is that? It may be told later than its refund,
 * and then earns first: what came in which order makes no difference in the end. */
static void on_refunded_order(void *context, const struct api_result *result,
                              const struct oseries_order *order)
{
    struct chore *chore = context;
    if (result->error == ERR_NOT_FOUND) {
        chore_retry(chore, "the sale that it gives back cannot be read");
        return;
    }
    if (result->error != 0) {
        chore_retry_api(chore, result);
        return;
    }
    chore->order.refunded_total_minor = order->total_minor;
    if (chore->held.is_sale_counted || order->is_deleted || order->is_refund ||
        is_long_ago(order->updated_at))
        order_do_points(chore);
    else if (order->status == ORDER_COMPLETE)
        order_earn(chore, order->id, order->total_minor, order->customer_id);
    else
        chore_retry(chore, "the sale that it gives back is not complete yet");
}

static bool is_sale_under_way(const struct chore *refund)
{
    const struct chore *each = refund->inbox->chores;
    while (each != NULL && (each->work.kind != WORK_ORDER_CHANGED ||
                            each->work.tenant_id != refund->work.tenant_id ||
                            each->work.subject_id != refund->order.refunded_order_id))
        each = each->next;
    return each != NULL;
}

static void order_count_points(struct chore *chore)
{
    const struct order_facts *order = &chore->order;
    struct api_call call = chore_call(chore);
    if (!order->is_refund)
        order_earn(chore, chore->work.subject_id, order->total_minor, order->customer_id);
    else if (order->refunded_order_id == 0)
        order_do_points(chore);
    else if (is_sale_under_way(chore))
        chore_wait(chore, CLOCK_US_PER_S, "the sale that it gives back is under way");
    else
        oseries_api_get_order(chore->inbox->config.api, &call, order->refunded_order_id,
                              on_refunded_order, chore);
}

/* --- releasing: money first, whatever becomes of the points --- */

static void order_release_next(struct chore *chore);

static void on_released(struct errand *errand)
{
    struct chore *chore = errand->context;
    const struct outcome *outcome = &errand->job.outcome;
    if (errand->job.error != 0) {
        chore_retry_store(chore, errand->job.error);
        return;
    }
    if (outcome->result != RESULT_NOTHING_HELD)
        log_event(LOG_INFO, "operation", LOG_INT("operation_id", outcome->operation_id),
                  LOG_INT("tenant_id", chore->work.tenant_id), LOG_INT("card_id", outcome->card_id),
                  LOG_TEXT("action", action_name(outcome->action)),
                  LOG_TEXT("result", result_name(outcome->result)),
                  LOG_INT("amount_minor", outcome->amount_minor),
                  LOG_INT("order_id", chore->work.subject_id));
    if (outcome->result == RESULT_OK)
        atomic_fetch_add_explicit(&chore->inbox->released, 1, memory_order_relaxed);
    else if (outcome->result != RESULT_NOTHING_HELD)
        chore->is_release_refused = true;
    order_release_next(chore);
}

static void order_release(struct chore *chore, const uint8_t index[CARD_INDEX_BYTES])
{
    struct errand *errand = chore_errand(chore, 0);
    if (errand == NULL)
        return;
    struct command *command = &errand->job.command;
    command->action = ACTION_RELEASE;
    command->tenant_id = chore->work.tenant_id;
    command->order_id = chore->work.subject_id;
    command->site_id = chore->order.site_id;
    command->register_id = chore->order.register_id;
    memcpy(command->card_index, index, CARD_INDEX_BYTES);
    command->received_at_us = clock_steady_us();
    command->policy = chore->tenant->tenant.policy;
    errand_command(errand, chore->inbox->config.committer, on_released, chore);
}

static void order_release_next(struct chore *chore)
{
    if (chore->held_at < chore->held.count)
        order_release(chore, chore->held.indexes[chore->held_at++]);
    else
        order_count_points(chore);
}

/* --- what waits for the order --- */

struct held_task {
    int64_t tenant_id, order_id, refunded_order_id;
    struct held_cards held;
};

static void on_held(void *context, const struct card *card)
{
    struct held_cards *held = context;
    if (held->count < HELD_MAX)
        memcpy(held->indexes[held->count++], card->index, CARD_INDEX_BYTES);
}

static void on_maybe_open(void *context, const struct reservation *reservation)
{
    struct held_cards *held = context;
    held->has_open_reservation |=
        reservation->state == RESERVATION_APPLIED || reservation->state == RESERVATION_RESERVED;
}

static int task_held(struct job *job, struct store *store)
{
    struct held_task *task = errand_data_of(job);
    int err = store_each_held_card(store, task->tenant_id, task->order_id, HELD_MAX, on_held,
                                   &task->held);
    if (err == 0)
        err = store_each_order_reservation(store, task->tenant_id, task->order_id, on_maybe_open,
                                           &task->held);
    if (err == 0 && task->refunded_order_id != 0)
        err = store_is_order_counted(store, task->tenant_id, task->refunded_order_id,
                                     &task->held.is_sale_counted);
    return err;
}

static bool order_take_held(struct errand *errand)
{
    struct chore *chore = errand->context;
    const struct held_task *task = errand_data(errand);
    if (errand->job.error != 0) {
        chore_retry_store(chore, errand->job.error);
        return false;
    }
    chore->held = task->held;
    return true;
}

static void order_read_held(struct chore *chore, errand_done_fn on_done)
{
    struct errand *errand = chore_errand(chore, sizeof(struct held_task));
    if (errand == NULL)
        return;
    struct held_task *task = errand_data(errand);
    task->tenant_id = chore->work.tenant_id;
    task->order_id = chore->work.subject_id;
    task->refunded_order_id = chore->order.refunded_order_id;
    errand_read(errand, chore->inbox->config.reader, task_held, on_done, chore);
}

static void on_held_of_complete(struct errand *errand)
{
    if (order_take_held(errand))
        order_release_next(errand->context);
}

static bool is_awaited(const struct chore *chore)
{
    return chore->held.count > 0 || chore->held.has_open_reservation;
}

static void on_held_of_unfinished(struct errand *errand)
{
    struct chore *chore = errand->context;
    if (!order_take_held(errand))
        return;
    if (is_awaited(chore) || chore->work.attempts + 1 < UNFINISHED_ATTEMPTS)
        chore_retry(chore, "the order is not complete yet");
    else
        chore_done(chore, "the order is not complete, and nothing waits for it");
}

/* Another merchant's order looks like one that is not there: its grant does not reach it. So does
 * that of a till that is offline, but for that something waits. */
static void on_held_of_missing(struct errand *errand)
{
    struct chore *chore = errand->context;
    if (!order_take_held(errand))
        return;
    if (is_awaited(chore) || chore->work.attempts + 1 < MISSING_ATTEMPTS)
        chore_retry(chore, "not an order that this merchant's grant can read");
    else
        chore_done(chore, "ignored: not an order that this merchant's grant can read");
}

/* --- reading --- */

static void order_decide(struct chore *chore)
{
    if (chore->order.is_deleted)
        order_do_points(chore);
    else if (chore->order.status == ORDER_COMPLETE)
        order_read_held(chore, on_held_of_complete);
    else if (sweep_found_open(&chore->work))
        chore_done(chore, "the order is open: its payments were read");
    else
        order_read_held(chore, on_held_of_unfinished);
}

/* --- what others want to know of it: that it was read, and the money of ours that is on it --- */

struct seen_task {
    struct order_seen seen;
    struct work prove;
    bool must_prove;
    const struct chore *chore; /* outlives its task */
    struct judge_case about;   /* its payments of ours are to be noted; order NULL: it has none */
};

static void on_proof(void *context, const struct proof_facts *facts)
{
    (void)facts;
    *(bool *)context = true;
}

static void on_known_payment(void *context, const struct register_payment *payment)
{
    (void)payment;
    *(bool *)context = true;
}

/* Also where it shows nothing of ours any more: another order's payment that has gone from here is
 * missed by nobody else. */
static int must_be_proved(struct store *store, const struct order_seen *seen, bool *must_prove)
{
    int err = store_each_order_proof(store, seen->tenant_id, seen->order_id, on_proof, must_prove);
    if (err == 0 && !*must_prove)
        err = store_each_register_payment(store, seen->tenant_id, seen->order_id, on_known_payment,
                                          must_prove);
    return err;
}

/* Seen last, and each step may be repeated: an order that counts as seen shows its payments to all
 * who look for theirs elsewhere, however long the work that proves it takes. */
static int task_seen(struct job *job, struct store *store)
{
    struct seen_task *task = errand_data_of(job);
    int err = task->about.order == NULL ? 0
                                        : prove_note_payments(store, task->chore->snapshot,
                                                              task->chore->tenant, &task->about);
    if (err == 0 && !task->must_prove)
        err = must_be_proved(store, &task->seen, &task->must_prove);
    if (err == 0 && task->must_prove)
        err = store_open_work(store, &task->prove);
    return err == 0 ? store_put_order_seen(store, &task->seen) : err;
}

static void on_seen(struct errand *errand)
{
    struct chore *chore = errand->context;
    if (errand->job.error != 0)
        chore_retry_store(chore, errand->job.error);
    else
        order_decide(chore);
}

static bool has_payment_of_ours(const struct chore *chore)
{
    const struct oseries_order *order = chore->read;
    for (int32_t i = 0; i < order->payment_count; i++)
        if (payment_is_ours(&order->payments[i], chore->inbox->config.generation,
                            chore->tenant->tenant.payment_method))
            return true;
    return false;
}

static struct order_seen make_seen(const struct chore *chore, int64_t now_us)
{
    const struct oseries_order *order = chore->read;
    struct order_seen seen = {
        .tenant_id = chore->work.tenant_id,
        .order_id = order->id,
        .site_id = order->site_id,
        .is_closed =
            order->is_deleted || order->status == ORDER_COMPLETE || order->status == ORDER_REJECTED,
        .read_at_us = now_us,
    };
    struct text_buffer buffer;
    text_buffer_init(&buffer, seen.updated_at, sizeof(seen.updated_at));
    text_append(&buffer, text_of(order->updated_at));
    return seen;
}

static void order_note(struct chore *chore)
{
    struct errand *errand = chore_errand(chore, sizeof(struct seen_task));
    if (errand == NULL)
        return;
    struct seen_task *task = errand_data(errand);
    int64_t now_us = clock_steady_us();
    task->seen = make_seen(chore, now_us);
    task->must_prove = has_payment_of_ours(chore);
    task->chore = chore;
    task->about = (struct judge_case){.order = task->must_prove ? chore->read : NULL,
                                      .generation = chore->inbox->config.generation,
                                      .method_id = chore->tenant->tenant.payment_method,
                                      .now_us = now_us};
    task->prove = work_make(chore->work.tenant_id, WORK_PROVE_ORDER, chore->work.subject_id,
                            chore->work.subject_id, now_us);
    errand->job.joins = true;
    errand_write(errand, chore->inbox->config.committer, task_seen, on_seen, chore);
}

static int order_take(struct chore *chore, const struct oseries_order *order)
{
    chore->read = malloc(sizeof(*chore->read));
    if (chore->read == NULL)
        return ERR_NO_MEMORY;
    *chore->read = *order;
    chore->order = (struct order_facts){
        .status = order->status,
        .is_deleted = order->is_deleted,
        .is_refund = order->is_refund,
        .customer_id = order->customer_id,
        .refunded_order_id = order->is_refund && order->refunded_order_id != order->id
                                 ? order->refunded_order_id
                                 : 0,
        .site_id = order->site_id,
        .register_id = order->register_id,
        .total_minor = order->total_minor,
    };
    return 0;
}

static void on_order(void *context, const struct api_result *result,
                     const struct oseries_order *order)
{
    struct chore *chore = context;
    if (result->error == ERR_NOT_FOUND) {
        order_read_held(chore, on_held_of_missing);
    } else if (result->error != 0) {
        chore_retry_api(chore, result);
    } else {
        int err = order_take(chore, order);
        if (err == 0)
            order_note(chore);
        else
            chore_retry_store(chore, err);
    }
}

void order_begin(struct chore *chore)
{
    struct api_call call = chore_call(chore);
    oseries_api_get_order(chore->inbox->config.api, &call, chore->work.subject_id, on_order, chore);
}
