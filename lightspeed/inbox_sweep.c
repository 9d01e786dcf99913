/*
 * A sweep: the lists of orders are walked, and each that has ended and that nobody has read as it
 * is now is looked at as if its webhook had come. So lost webhooks cost a day, and no points. Of
 * open orders those with money are read too: a bill may have been merged into one, with its
 * payment.
 */
#include "lightspeed/inbox_state.h"

#include "lightspeed/look.h"
#include "store/proof.h"

#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

#define DAY_US (CLOCK_S_PER_DAY * CLOCK_US_PER_S)
/* Lists tell when an order was created, and it may have been completed a day later. */
#define SWEEP_OVERLAP_US DAY_US
#define SWEEP_FIRST_US (3 * DAY_US)
/* 100,000 orders of 25 a page; at 2.4 requests a second half an hour. */
#define SWEEP_PAGES_MAX 4000
/* A page is tried again after 2, 4, 8, 16 and 32 s: one that fails costs not the whole walk. */
#define SWEEP_TRIES_MAX 5
#define SWEEP_PAUSE_US (INT64_C(2) * CLOCK_US_PER_S)
/* Orders that were missed are read one after the other, each after such a share of the time between
 * sweeps, so that what webhooks tell meanwhile does not wait behind them: once a day, every half
 * second, which is a quarter of what the grant allows. */
#define SWEEP_SHARES (2 * CLOCK_S_PER_DAY)

struct sweeping {
    struct sweep sweep;
    int64_t since_us;
    enum order_list list;
    bool has_page; /* else the first of the list */
    struct api_page page;
    int32_t pages;
    int32_t tries; /* of this page that failed */
    struct outbound_timer pause;
};

static void sweep_ask(struct chore *chore);

/* --- the end --- */

struct finish_task {
    struct sweep sweep;
    int32_t hastened;
};

/* What waits to hear that other orders were read is looked at again. */
static int task_finish(struct job *job, struct store *store)
{
    struct finish_task *task = errand_data_of(job);
    int err = store_put_sweep(store, &task->sweep);
    if (err != 0)
        return err;
    return store_hasten_unswept(store, task->sweep.tenant_id, task->sweep.finished_at_us,
                                &task->hastened);
}

static void on_finished(struct errand *errand)
{
    struct chore *chore = errand->context;
    const struct sweep *sweep = &((struct finish_task *)errand_data(errand))->sweep;
    char reason[WORK_REASON_MAX + 1];
    struct text_buffer buffer;
    if (errand->job.error != 0) {
        chore_retry_store(chore, errand->job.error);
        return;
    }
    atomic_fetch_add_explicit(&chore->inbox->swept, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&chore->inbox->missed, (uint64_t)sweep->missed, memory_order_relaxed);
    text_buffer_init(&buffer, reason, sizeof(reason));
    text_append_format(&buffer, "%lld orders listed, %lld of them not read before",
                       (long long)sweep->listed, (long long)sweep->missed);
    chore_done(chore, reason);
}

static void sweep_finish(struct chore *chore)
{
    struct errand *errand = chore_errand(chore, sizeof(struct finish_task));
    if (errand == NULL)
        return;
    struct finish_task *task = errand_data(errand);
    task->sweep = chore->sweeping->sweep;
    task->sweep.finished_at_us = clock_steady_us();
    errand->job.joins = true;
    errand_write(errand, chore->inbox->config.committer, task_finish, on_finished, chore);
}

/* --- a page --- */

struct page_task {
    int64_t tenant_id;
    int64_t spread_us;
    int64_t missed_before; /* in earlier pages: what they opened comes first */
    bool is_of_deleted;
    int32_t count;
    int32_t missed;
    struct order_brief orders[ORDER_PAGE_MAX];
};

/* The API may write the same moment in two ways. */
static bool is_same_time(const char *a, const char *b)
{
    int64_t a_us, b_us;
    if (clock_parse_time(text_of(a), &a_us) == 0 && clock_parse_time(text_of(b), &b_us) == 0)
        return a_us == b_us;
    return strcmp(a, b) == 0;
}

#define MARK_AT 16
static const uint8_t ended_mark[WORK_IDENTITY_BYTES - MARK_AT] = {'S'};
static const uint8_t open_mark[WORK_IDENTITY_BYTES - MARK_AT] = {'S', 'o', 'p', 'e', 'n'};

bool sweep_found_open(const struct work *work)
{
    return work->kind == WORK_ORDER_CHANGED &&
           memcmp(work->identity + MARK_AT, open_mark, sizeof(open_mark)) == 0;
}

static bool is_open(const struct page_task *task, const struct order_brief *order)
{
    return !task->is_of_deleted && !order->is_deleted && order->status != ORDER_COMPLETE;
}

static bool has_ended(const struct page_task *task, const struct order_brief *order)
{
    return !is_open(task, order) || order->status == ORDER_REJECTED;
}

/* The API tells seconds: what changes in the second in which it was read looks as it did, and may
 * be where another bill's payment went. So each order is read once more, when it has rested. */
static bool was_read_too_soon(const struct order_seen *seen)
{
    int64_t updated_us;
    return clock_parse_time(text_of(seen->updated_at), &updated_us) == 0 &&
           seen->read_at_us < updated_us + ORDER_LOOK_SKEW_US;
}

/* Was it read as it is now? */
static int is_known(struct store *store, const struct page_task *task,
                    const struct order_brief *order, bool *is_known)
{
    struct order_seen seen;
    *is_known = false;
    int err = store_read_order_seen(store, task->tenant_id, order->id, &seen);
    if (err != 0)
        return err == ERR_NOT_FOUND ? 0 : err;
    *is_known = is_same_time(seen.updated_at, order->updated_at) &&
                seen.is_closed == has_ended(task, order) && !was_read_too_soon(&seen);
    return 0;
}

/* Told apart from webhooks, and by each change of the order. */
static struct work make_work(const struct page_task *task, const struct order_brief *order,
                             int64_t now_us)
{
    struct work work = work_make(task->tenant_id, WORK_ORDER_CHANGED, order->id, order->id, now_us);
    int64_t updated_us = 0;
    (void)!clock_parse_time(text_of(order->updated_at), &updated_us);
    for (int i = 0; i < 8; i++)
        work.identity[8 + i] = (uint8_t)((uint64_t)updated_us >> (56 - 8 * i));
    memcpy(work.identity + MARK_AT, is_open(task, order) ? open_mark : ended_mark,
           sizeof(open_mark));
    return work;
}

static int task_order(struct store *store, struct page_task *task, const struct order_brief *order)
{
    int64_t now_us = clock_steady_us();
    bool is_seen;
    if (is_open(task, order) && order->paid_minor == 0)
        return 0;
    int err = is_known(store, task, order, &is_seen);
    if (err != 0 || is_seen)
        return err;
    struct work work = make_work(task, order, now_us);
    work.due_at_us += (task->missed_before + task->missed) * task->spread_us;
    task->missed++;
    return store_open_work(store, &work);
}

static int task_page(struct job *job, struct store *store)
{
    struct page_task *task = errand_data_of(job);
    int err = 0;
    for (int32_t i = 0; i < task->count && err == 0; i++)
        err = task_order(store, task, &task->orders[i]);
    return err;
}

static void sweep_go_on(struct chore *chore)
{
    struct sweeping *sweeping = chore->sweeping;
    if (sweeping->has_page && ++sweeping->pages > SWEEP_PAGES_MAX) {
        chore_give_up(chore, "the lists of orders are longer than can be walked");
        return;
    }
    if (!sweeping->has_page && sweeping->list == ORDERS_DELETED) {
        sweep_finish(chore);
        return;
    }
    if (!sweeping->has_page)
        sweeping->list++;
    sweep_ask(chore);
}

static void on_page_noted(struct errand *errand)
{
    struct chore *chore = errand->context;
    const struct page_task *task = errand_data(errand);
    struct sweep *sweep = &chore->sweeping->sweep;
    if (errand->job.error != 0) {
        chore_retry_store(chore, errand->job.error);
        return;
    }
    sweep->listed += task->count;
    sweep->missed += task->missed;
    if (task->missed > 0)
        inbox_wake(chore->inbox);
    sweep_go_on(chore);
}

static void sweep_note(struct chore *chore, const struct order_page *page)
{
    struct sweeping *sweeping = chore->sweeping;
    struct errand *errand = chore_errand(chore, sizeof(struct page_task));
    if (errand == NULL)
        return;
    struct page_task *task = errand_data(errand);
    task->tenant_id = chore->work.tenant_id;
    task->spread_us = chore->inbox->config.times.sweep_us / SWEEP_SHARES;
    task->missed_before = sweeping->sweep.missed;
    task->is_of_deleted = sweeping->list == ORDERS_DELETED;
    task->count = page->count;
    if (page->count > 0)
        memcpy(task->orders, page->orders, (size_t)page->count * sizeof(task->orders[0]));
    sweeping->tries = 0;
    sweeping->has_page = page->has_next;
    sweeping->page = page->next;
    errand->job.joins = true;
    errand_write(errand, chore->inbox->config.committer, task_page, on_page_noted, chore);
}

static void on_pause_over(void *context)
{
    sweep_ask(context);
}

static void on_page(void *context, const struct api_result *result, const struct order_page *page)
{
    struct chore *chore = context;
    struct sweeping *sweeping = chore->sweeping;
    if (result->error == 0) {
        sweep_note(chore, page);
        return;
    }
    /* whatever may pass is waited out; what needs somebody to act ends this walk */
    if (!api_error_may_pass(result->error) || sweeping->tries == SWEEP_TRIES_MAX) {
        chore_retry_api(chore, result);
        return;
    }
    outbound_set_timer(chore->inbox->config.outbound, &sweeping->pause,
                       clock_monotonic_us() + (SWEEP_PAUSE_US << sweeping->tries), on_pause_over,
                       chore);
    sweeping->tries++;
}

static void sweep_ask(struct chore *chore)
{
    const struct sweeping *sweeping = chore->sweeping;
    struct api_call call = chore_call(chore);
    oseries_api_list_orders(chore->inbox->config.api, &call, sweeping->list, sweeping->since_us,
                            sweeping->has_page ? &sweeping->page : NULL, on_page, chore);
}

/* --- the beginning --- */

static int task_last(struct job *job, struct store *store)
{
    struct sweep *sweep = errand_data_of(job);
    return store_read_sweep(store, sweep->tenant_id, sweep);
}

static void on_last(struct errand *errand)
{
    struct chore *chore = errand->context;
    const struct sweep *last = errand_data(errand);
    struct sweeping *sweeping = chore->sweeping;
    if (errand->job.error != 0) {
        chore_retry_store(chore, errand->job.error);
        return;
    }
    int64_t now_us = clock_steady_us();
    sweeping->sweep = (struct sweep){.tenant_id = chore->work.tenant_id, .begun_at_us = now_us};
    /* a clock that was ahead may have written it: nothing says then what was seen since when */
    bool is_known = last->finished_at_us != 0 && last->begun_at_us <= now_us;
    sweeping->since_us = is_known ? last->begun_at_us - SWEEP_OVERLAP_US : now_us - SWEEP_FIRST_US;
    sweep_ask(chore);
}

void sweep_begin(struct chore *chore)
{
    chore->sweeping = calloc(1, sizeof(*chore->sweeping));
    if (chore->sweeping == NULL) {
        chore_retry_store(chore, ERR_NO_MEMORY);
        return;
    }
    struct errand *errand = chore_errand(chore, sizeof(struct sweep));
    if (errand == NULL)
        return;
    ((struct sweep *)errand_data(errand))->tenant_id = chore->work.tenant_id;
    errand_read(errand, chore->inbox->config.reader, task_last, on_last, chore);
}
