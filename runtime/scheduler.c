/*
 * Runs periodic tasks on the outbound thread's timers.
 */
#include "runtime/scheduler.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/banned.h"

struct scheduled {
    struct scheduler *scheduler;
    const char *name;
    int64_t period_us;
    scheduler_fn fn;
    void *context;
    struct outbound_timer timer;
    int64_t begun_us; /* monotonic */
    bool is_running;
    _Atomic uint64_t runs;
    _Atomic uint64_t failures;
};

struct scheduler {
    struct outbound *outbound;
    const struct duty *duty;
    struct outbound_message start;
    int64_t delay_us;
    int64_t retry_us;
    bool is_started;
    int32_t count;
    struct scheduled tasks[SCHEDULER_TASKS_MAX];
};

int scheduler_create(struct outbound *outbound, const struct duty *duty,
                     struct scheduler **scheduler)
{
    *scheduler = calloc(1, sizeof(**scheduler));
    if (*scheduler == NULL)
        return ERR_NO_MEMORY;
    (*scheduler)->outbound = outbound;
    (*scheduler)->duty = duty;
    return 0;
}

void scheduler_destroy(struct scheduler *scheduler)
{
    free(scheduler);
}

void scheduler_add(struct scheduler *scheduler, const char *name, int64_t period_us,
                   scheduler_fn fn, void *context)
{
    CHECK(!scheduler->is_started && scheduler->count < SCHEDULER_TASKS_MAX && period_us > 0);
    struct scheduled *task = &scheduler->tasks[scheduler->count++];
    task->scheduler = scheduler;
    task->name = name;
    task->period_us = period_us;
    task->fn = fn;
    task->context = context;
}

static void on_due(void *context)
{
    struct scheduled *task = context;
    CHECK(!task->is_running);
    struct scheduler *scheduler = task->scheduler;
    if (outbound_is_ending(scheduler->outbound))
        return;
    if (!duty_is_ours(scheduler->duty, DUTY_MARGIN_US)) {
        outbound_set_timer(scheduler->outbound, &task->timer,
                           clock_monotonic_us() + SCHEDULER_DUTY_US, on_due, task);
        return;
    }
    task->is_running = true;
    task->begun_us = clock_monotonic_us();
    task->fn(task, task->context);
}

bool scheduler_may_go_on(const struct scheduled *task)
{
    return duty_is_ours(task->scheduler->duty, DUTY_MARGIN_US);
}

static int64_t wait_after(const struct scheduled *task, int err)
{
    int64_t retry_us = task->scheduler->retry_us;
    return err != 0 && retry_us < task->period_us ? retry_us : task->period_us;
}

/* A timer also where it is due at once: fn may have called from inside itself. */
void scheduler_end(struct scheduled *task, int err)
{
    CHECK(task->is_running);
    task->is_running = false;
    atomic_fetch_add(&task->runs, 1);
    if (err != 0 && err != ERR_SHUTTING_DOWN && err != ERR_LEASED) {
        atomic_fetch_add(&task->failures, 1);
        log_event(LOG_WARNING, "scheduled_run_failed", LOG_TEXT("task", task->name),
                  LOG_TEXT("error", error_name(err)));
    }
    outbound_set_timer(task->scheduler->outbound, &task->timer,
                       task->begun_us + wait_after(task, err), on_due, task);
}

static void on_start(void *context)
{
    struct scheduler *scheduler = context;
    int64_t due_us = clock_monotonic_us() + scheduler->delay_us;
    for (int32_t i = 0; i < scheduler->count; i++)
        outbound_set_timer(scheduler->outbound, &scheduler->tasks[i].timer, due_us, on_due,
                           &scheduler->tasks[i]);
}

void scheduler_start(struct scheduler *scheduler, int64_t delay_us, int64_t retry_us)
{
    CHECK(!scheduler->is_started);
    scheduler->is_started = true;
    scheduler->delay_us = delay_us;
    scheduler->retry_us = retry_us;
    scheduler->start.fn = on_start;
    scheduler->start.context = scheduler;
    outbound_post(scheduler->outbound, &scheduler->start);
}

int32_t scheduler_count(const struct scheduler *scheduler)
{
    return scheduler->count;
}

void scheduler_read_counters(const struct scheduler *scheduler, int32_t index,
                             struct scheduler_counters *counters)
{
    CHECK(index >= 0 && index < scheduler->count);
    const struct scheduled *task = &scheduler->tasks[index];
    counters->name = task->name;
    counters->runs = atomic_load(&task->runs);
    counters->failures = atomic_load(&task->failures);
}
