/* The inbox: takes work that is due, sees it through, and writes down how it ended. */
#include "lightspeed/inbox_state.h"

#include <stdlib.h>

#include "base/banned.h"

/* Under way at once: 2 requests a second are what one grant allows (o-series 7.1), and replies take
 * a fraction of a second. */
#define CHORES_MAX 64
#define CHORES_OF_TENANT_MAX 4 /* nobody's backlog holds up the others */
/* All merchants' are due at once, and each walks its lists for minutes: money need not wait. */
#define SWEEPS_MAX (CHORES_MAX / 8)
#define CALL_US (INT64_C(15) * CLOCK_US_PER_S)
#define BACKOFF_FIRST_US CLOCK_US_PER_S
#define BACKOFF_MAX_US (INT64_C(3600) * CLOCK_US_PER_S)
/* At least so often, for what a jumping clock has made due; and what another process has. */
#define LOOK_MAX_US (INT64_C(60) * CLOCK_US_PER_S)
#define LOOK_SHARED_US CLOCK_US_PER_S
#define LOOK_AGAIN_US CLOCK_US_PER_S /* after the store has failed */
#define FORGET_US (INT64_C(86400) * CLOCK_US_PER_S)
#define FORGET_MORE_US CLOCK_US_PER_S /* there is more than one turn forgets */
/* Not connected: somebody must act, and inbox_connected or _elsewhere tells when that is done. */
#define CONNECT_US (INT64_C(600) * CLOCK_US_PER_S)

static void inbox_look(struct inbox *inbox);

/* --- ending --- */

static void chore_free(struct chore *chore)
{
    struct inbox *inbox = chore->inbox;
    struct chore **link = &inbox->chores;
    while (*link != chore)
        link = &(*link)->next;
    *link = chore->next;
    inbox->chore_count--;
    directory_release(chore->snapshot);
    free(chore->read);
    free(chore->prove);
    chore->read = NULL;
    chore->prove = NULL;
    free(chore->sweeping);
    chore->sweeping = NULL;
    if (inbox->is_reading) {
        chore->next = inbox->over;
        inbox->over = chore;
    } else {
        free(chore);
    }
}

static void inbox_forget_over(struct inbox *inbox)
{
    while (inbox->over != NULL) {
        struct chore *chore = inbox->over;
        inbox->over = chore->next;
        free(chore);
    }
}

static void on_look_due(void *context)
{
    inbox_look(context);
}

static void inbox_look_in(struct inbox *inbox, int64_t delay_us)
{
    outbound_set_timer(inbox->config.outbound, &inbox->look_timer, clock_monotonic_us() + delay_us,
                       on_look_due, inbox);
}

static void chore_log(const struct chore *chore)
{
    const struct work *work = &chore->work;
    log_event(work->state == WORK_GIVEN_UP ? LOG_WARNING : LOG_INFO, "work",
              LOG_INT("work_id", work->id), LOG_INT("tenant_id", work->tenant_id),
              LOG_TEXT("kind", work_kind_name(work->kind)), LOG_INT("subject_id", work->subject_id),
              LOG_TEXT("state", work_state_name(work->state)), LOG_INT("attempts", work->attempts),
              LOG_TEXT("reason", work->reason));
}

/* The extra bytes of its errand. */
struct update {
    struct work work;
    struct foreign_attempt answer; /* operation_id 0: none */
};

static int task_update(struct job *job, struct store *store)
{
    const struct update *update = errand_data_of(job);
    int err = 0;
    if (update->answer.operation_id != 0)
        err = store_answer_foreign_attempt(store, &update->answer);
    if (err != 0 && err != ERR_NOT_FOUND) /* none: a charge from before there were attempts */
        return err;
    return store_update_work(store, &update->work);
}

/* What could not be written down is found open again, and every step is safe to repeat. */
static void on_updated(struct errand *errand)
{
    struct chore *chore = errand->context;
    struct inbox *inbox = chore->inbox;
    int err = errand->job.error;
    if (err != 0 && err != ERR_SHUTTING_DOWN)
        log_event(LOG_WARNING, "work_not_updated", LOG_INT("work_id", chore->work.id),
                  LOG_TEXT("error", error_name(err)));
    chore_free(chore);
    if (err == 0)
        inbox_look(inbox);
    else
        inbox_look_in(inbox, LOOK_AGAIN_US);
}

/* What was read under a duty that has ended is another process' to judge. */
struct errand *chore_errand(struct chore *chore, size_t extra_bytes)
{
    struct inbox *inbox = chore->inbox;
    const struct duty *duty = inbox->config.duty;
    struct errand *errand = NULL;
    if (duty_is_still(duty, chore->duty_version))
        errand = errand_create(inbox->config.outbound, extra_bytes);
    if (errand != NULL) {
        errand->until_us = duty_ends_us(duty);
        return errand;
    }
    chore_free(chore);
    inbox_look_in(inbox, LOOK_AGAIN_US);
    return NULL;
}

static void chore_write(struct chore *chore, const char *reason)
{
    struct text_buffer buffer;
    text_buffer_init(&buffer, chore->work.reason, sizeof(chore->work.reason));
    text_append(&buffer, text_of(reason));
    struct errand *errand = chore_errand(chore, sizeof(struct update));
    if (errand == NULL)
        return;
    chore_log(chore);
    *(struct update *)errand_data(errand) = (struct update){chore->work, chore->answer};
    errand->job.joins = true;
    errand_write(errand, chore->inbox->config.committer, task_update, on_updated, chore);
}

static void chore_end(struct chore *chore, enum work_state state, const char *reason)
{
    chore->work.state = state;
    chore->work.attempts++;
    chore->work.ended_at_us = clock_steady_us();
    chore_write(chore, reason);
}

void chore_done(struct chore *chore, const char *reason)
{
    atomic_fetch_add_explicit(&chore->inbox->done, 1, memory_order_relaxed);
    chore_end(chore, WORK_DONE, reason);
}

void chore_give_up(struct chore *chore, const char *reason)
{
    atomic_fetch_add_explicit(&chore->inbox->given_up, 1, memory_order_relaxed);
    chore_end(chore, WORK_GIVEN_UP, reason);
}

static int64_t backoff_us(int32_t attempts)
{
    int64_t delay_us = BACKOFF_FIRST_US;
    for (int32_t i = 0; i < attempts && delay_us < BACKOFF_MAX_US; i++)
        delay_us *= 2;
    return delay_us < BACKOFF_MAX_US ? delay_us : BACKOFF_MAX_US;
}

static void chore_postpone(struct chore *chore, int64_t delay_us, const char *reason)
{
    int64_t due_us = clock_steady_us() + delay_us;
    if (chore->work.due_at_us < due_us) /* else something asked for more time */
        chore->work.due_at_us = due_us;
    atomic_fetch_add_explicit(&chore->inbox->retried, 1, memory_order_relaxed);
    chore_write(chore, reason);
}

void chore_retry(struct chore *chore, const char *reason)
{
    if (chore->work.attempts + 1 >= INBOX_ATTEMPTS_MAX) {
        chore_give_up(chore, reason);
        return;
    }
    int64_t delay_us = backoff_us(chore->work.attempts);
    chore->work.attempts++;
    chore_postpone(chore, delay_us, reason);
}

void chore_wait(struct chore *chore, int64_t delay_us, const char *reason)
{
    if (clock_steady_us() - chore->work.created_at_us > WORK_KEEP_US)
        chore_give_up(chore, reason);
    else
        chore_postpone(chore, delay_us, reason);
}

void chore_retry_api(struct chore *chore, const struct api_result *result)
{
    char reason[WORK_REASON_MAX + 1];
    struct text_buffer buffer;
    if (result->error == ERR_SHUTTING_DOWN) {
        chore_free(chore); /* open as it is: the next start goes on with it */
        return;
    }
    if (result->error == ERR_NOT_CONNECTED || result->error == ERR_NO_APP) {
        chore_wait(chore, CONNECT_US, "waits until the merchant is connected to Lightspeed");
        return;
    }
    text_buffer_init(&buffer, reason, sizeof(reason));
    text_append_format(&buffer, "Lightspeed: %s", error_name(result->error));
    if (result->status != 0)
        text_append_format(&buffer, " %d", result->status);
    if (result->sentence[0] != '\0')
        text_append_format(&buffer, ": %.120s", result->sentence);
    chore_retry(chore, reason);
}

bool api_error_may_pass(int error)
{
    return error != ERR_NOT_CONNECTED && error != ERR_NO_APP && error != ERR_SHUTTING_DOWN &&
           error != ERR_REFUSED && error != ERR_NOT_FOUND;
}

void chore_retry_store(struct chore *chore, int err)
{
    char reason[WORK_REASON_MAX + 1];
    struct text_buffer buffer;
    if (err == ERR_SHUTTING_DOWN) {
        chore_free(chore);
        return;
    }
    text_buffer_init(&buffer, reason, sizeof(reason));
    text_append_format(&buffer, "store: %s", error_name(err));
    chore_retry(chore, reason);
}

/* When the duty ends another process may begin the same: nothing of ours is under way then. */
struct api_call chore_call(const struct chore *chore)
{
    int64_t deadline_us = clock_monotonic_us() + CALL_US;
    int64_t ends_us = duty_ends_us(chore->inbox->config.duty);
    return (struct api_call){.tenant_id = chore->work.tenant_id,
                             .priority = API_BACKGROUND,
                             .deadline_us = deadline_us < ends_us ? deadline_us : ends_us};
}

/* --- beginning --- */

static void chore_begin(struct chore *chore)
{
    switch (chore->work.kind) {
    case WORK_ORDER_CHANGED:
        order_begin(chore);
        return;
    case WORK_POST_PAYMENT:
        payment_begin(chore);
        return;
    case WORK_REGISTER_WEBHOOKS:
        connect_begin(chore);
        return;
    case WORK_PROVE_ORDER:
        prove_begin(chore);
        return;
    case WORK_SWEEP:
        sweep_begin(chore);
        return;
    case WORK_NOTIFY:
        notify_begin(chore);
        return;
    }
    chore_give_up(chore, "of a kind that is not known"); /* a row of a later program */
}

static void inbox_start(struct inbox *inbox, const struct work *work)
{
    struct chore *chore = calloc(1, sizeof(*chore));
    if (chore == NULL)
        return; /* it stays open */
    chore->inbox = inbox;
    chore->work = *work;
    chore->duty_version = duty_version(inbox->config.duty);
    chore->snapshot = directory_acquire(inbox->config.directory);
    chore->tenant = directory_find_id(chore->snapshot, work->tenant_id);
    chore->next = inbox->chores;
    inbox->chores = chore;
    inbox->chore_count++;
    if (chore->tenant == NULL)
        chore_give_up(chore, "there is no such tenant");
    else
        chore_begin(chore);
}

static bool has_work(const struct chore *chore, int64_t work_id)
{
    while (chore != NULL && chore->work.id != work_id)
        chore = chore->next;
    return chore != NULL;
}

/* One thing is worked on by one chore: what a second reads meanwhile, the first may be about to
 * change, and what the first has read, the second may know better. A refund is at its sale, too. */
static bool is_at(const struct chore *chore, const struct work *work)
{
    if (chore->work.tenant_id != work->tenant_id || chore->work.kind != work->kind)
        return false;
    return chore->work.subject_id == work->subject_id ||
           (work->kind == WORK_ORDER_CHANGED && chore->order.refunded_order_id == work->subject_id);
}

static bool has_subject(const struct chore *chore, const struct work *work)
{
    while (chore != NULL && !is_at(chore, work))
        chore = chore->next;
    return chore != NULL;
}

static bool has_room(const struct inbox *inbox, const struct work *work)
{
    int32_t of_tenant = 0, sweeps = 0;
    for (const struct chore *chore = inbox->chores; chore != NULL; chore = chore->next) {
        of_tenant += chore->work.tenant_id == work->tenant_id;
        sweeps += chore->work.kind == WORK_SWEEP;
    }
    if (work->kind == WORK_SWEEP && sweeps >= SWEEPS_MAX)
        return false;
    return inbox->chore_count < CHORES_MAX && of_tenant < CHORES_OF_TENANT_MAX;
}

/* --- looking --- */

/* Of each tenant twice what may be under way: so there is something new among it. */
#define LOOK_OF_TENANT (2 * CHORES_OF_TENANT_MAX)
#define LOOK_ROWS_MAX 256 /* 400 bytes each */

struct look_task {
    struct work works[LOOK_ROWS_MAX];
    int32_t count;
    int64_t open;
};

static void on_open_work(void *context, const struct work *work)
{
    struct look_task *task = context;
    if (task->count < LOOK_ROWS_MAX)
        task->works[task->count++] = *work;
}

static int task_look(struct job *job, struct store *store)
{
    struct look_task *task = errand_data_of(job);
    int err = store_count_open_work(store, &task->open);
    if (err != 0 || task->open == 0)
        return err;
    return store_each_open_work(store, LOOK_OF_TENANT, LOOK_ROWS_MAX / 2, on_open_work, task);
}

/* What is due begins; of the rest, when the next one is due. */
static int64_t inbox_take(struct inbox *inbox, const struct look_task *task)
{
    int64_t now_us = clock_steady_us();
    int64_t next_us = inbox->config.is_shared ? LOOK_SHARED_US : LOOK_MAX_US;
    if (!duty_is_ours(inbox->config.duty, DUTY_MARGIN_US))
        return LOOK_MAX_US; /* inbox_wake comes with the duty */
    for (int32_t i = 0; i < task->count; i++) {
        const struct work *work = &task->works[i];
        int64_t in_us = work->due_at_us - now_us;
        if (has_work(inbox->chores, work->id) || has_work(inbox->over, work->id))
            continue;
        if (in_us > 0)
            next_us = in_us < next_us ? in_us : next_us;
        else if (has_room(inbox, work) && !has_subject(inbox->chores, work))
            inbox_start(inbox, work); /* else when another ends */
    }
    return next_us;
}

static void on_looked(struct errand *errand)
{
    struct inbox *inbox = errand->context;
    const struct look_task *task = errand_data(errand);
    int err = errand->job.error;
    inbox->is_reading = false;
    if (err == 0) {
        atomic_store_explicit(&inbox->open, (int32_t)task->open, memory_order_relaxed);
        inbox_look_in(inbox, inbox_take(inbox, task));
    } else if (err != ERR_SHUTTING_DOWN) {
        log_event(LOG_WARNING, "work_not_read", LOG_TEXT("error", error_name(err)));
        inbox_look_in(inbox, LOOK_AGAIN_US);
    }
    inbox_forget_over(inbox);
    if (err == 0 && inbox->must_read_again)
        inbox_look(inbox);
}

static void inbox_look(struct inbox *inbox)
{
    inbox->must_read_again = inbox->is_reading;
    if (inbox->is_reading)
        return;
    struct errand *errand = errand_create(inbox->config.outbound, sizeof(struct look_task));
    if (errand == NULL) {
        inbox_look_in(inbox, LOOK_AGAIN_US);
        return;
    }
    inbox->is_reading = true;
    errand_read(errand, inbox->config.reader, task_look, on_looked, inbox);
}

/* --- forgetting --- */

static void inbox_forget(void *context);

/* The most that one of the tables forgot: there may be more. */
static int task_forget(struct job *job, struct store *store)
{
    int32_t *forgotten = errand_data_of(job);
    int32_t orders;
    int64_t now_us = clock_steady_us();
    int err = store_forget_work(store, now_us - WORK_KEEP_US, forgotten);
    if (err == 0)
        err = store_forget_orders(store, now_us - ORDER_SEEN_KEEP_US, &orders);
    if (err == 0 && orders > *forgotten)
        *forgotten = orders;
    return err;
}

static void on_forgotten(struct errand *errand)
{
    struct inbox *inbox = errand->context;
    int32_t forgotten = *(int32_t *)errand_data(errand);
    bool is_all = errand->job.error == 0 && forgotten < WORK_FORGET_MAX;
    if (errand->job.error == ERR_SHUTTING_DOWN)
        return;
    outbound_set_timer(inbox->config.outbound, &inbox->forget_timer,
                       clock_monotonic_us() + (is_all ? FORGET_US : FORGET_MORE_US), inbox_forget,
                       inbox);
}

static void inbox_forget(void *context)
{
    struct inbox *inbox = context;
    bool is_ours = duty_is_ours(inbox->config.duty, 0);
    struct errand *errand = is_ours ? errand_create(inbox->config.outbound, sizeof(int32_t)) : NULL;
    if (errand != NULL)
        errand_write(errand, inbox->config.committer, task_forget, on_forgotten, inbox);
    else
        outbound_set_timer(inbox->config.outbound, &inbox->forget_timer,
                           clock_monotonic_us() + (is_ours ? FORGET_MORE_US : LOOK_MAX_US),
                           inbox_forget, inbox);
}

/* --- the rest --- */

static void on_begin(void *context)
{
    inbox_look(context);
    inbox_forget(context);
}

static void on_woken(void *context)
{
    struct inbox *inbox = context;
    atomic_store(&inbox->is_woken, false); /* before looking: who comes now wakes us again */
    inbox_look(inbox);
}

void inbox_wake(struct inbox *inbox)
{
    if (inbox != NULL && !atomic_exchange(&inbox->is_woken, true))
        outbound_post(inbox->config.outbound, &inbox->wake_message);
}

int inbox_create(const struct inbox_config *config, struct inbox **inbox)
{
    struct inbox *made = calloc(1, sizeof(*made));
    if (made == NULL)
        return ERR_NO_MEMORY;
    made->config = *config;
    made->wake_message.fn = on_woken;
    made->wake_message.context = made;
    made->begin_message.fn = on_begin;
    made->begin_message.context = made;
    outbound_post(config->outbound, &made->begin_message);
    *inbox = made;
    return 0;
}

/* What is under way when the thread ends is freed here; its rows are open. */
void inbox_destroy(struct inbox *inbox)
{
    if (inbox == NULL)
        return;
    while (inbox->chores != NULL)
        chore_free(inbox->chores);
    inbox_forget_over(inbox);
    free(inbox);
}

void inbox_read_counters(struct inbox *inbox, struct inbox_counters *counters)
{
    *counters = (struct inbox_counters){
        .done = atomic_load_explicit(&inbox->done, memory_order_relaxed),
        .given_up = atomic_load_explicit(&inbox->given_up, memory_order_relaxed),
        .retried = atomic_load_explicit(&inbox->retried, memory_order_relaxed),
        .released = atomic_load_explicit(&inbox->released, memory_order_relaxed),
        .earned = atomic_load_explicit(&inbox->earned, memory_order_relaxed),
        .taken_back = atomic_load_explicit(&inbox->taken_back, memory_order_relaxed),
        .confirmed = atomic_load_explicit(&inbox->confirmed, memory_order_relaxed),
        .reversed = atomic_load_explicit(&inbox->reversed, memory_order_relaxed),
        .listed = atomic_load_explicit(&inbox->listed, memory_order_relaxed),
        .recharged = atomic_load_explicit(&inbox->recharged, memory_order_relaxed),
        .swept = atomic_load_explicit(&inbox->swept, memory_order_relaxed),
        .missed = atomic_load_explicit(&inbox->missed, memory_order_relaxed),
        .noticed = atomic_load_explicit(&inbox->noticed, memory_order_relaxed),
        .open = atomic_load_explicit(&inbox->open, memory_order_relaxed),
    };
}
