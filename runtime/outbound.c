/* The outbound thread: a mailbox, timers, and HTTP requests, none of which it ever waits for. */
#include "runtime/outbound.h"

#include "base/clock.h"
#include "base/log.h"
#include "runtime/queue.h"
#include "runtime/http_call.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "base/banned.h"

#define SLEEP_MAX_US (INT64_C(60) * CLOCK_US_PER_S)
/* After the grace: for what the last replies brought to be written. */
#define DRAIN_US (OUTBOUND_GRACE_US + CLOCK_US_PER_S)
/* Jobs have to end by their deadlines, errands come home when the workers have stopped. */
#define STOP_US (JOB_DEADLINE_US + CLOCK_US_PER_S)
/* How often in a row may somebody who is told of the end try again? Whoever asks
 * outbound_is_ending does not. */
#define LAST_ROUNDS_MAX 1000

enum phase {
    PHASE_RUNNING,
    PHASE_ENDING,
    PHASE_STOPPING, /* ends when all is quiet */
    PHASE_OVER,
};

struct call_list {
    struct http_call *first, *last;
    int32_t count;
};

struct outbound {
    struct http_calls *calls;
    pthread_t thread;
    bool is_joined;

    pthread_mutex_t mutex; /* guards what follows, up to the thread's own */
    pthread_cond_t changed;
    enum phase phase;
    int64_t give_up_us; /* while stopping */
    bool is_quiet;      /* while ending: nothing is under way */
    struct job *first_job, *last_job;
    int32_t job_count;
    struct outbound_message *first_message, *last_message;
    struct outbound_watch *watches;

    /* the thread's own */
    bool is_ending;
    int64_t cut_us; /* while ending: when the grace is over */
    int64_t turn_us;
    int64_t expected; /* messages that will come */
    struct outbound_timer *timers;
    struct call_list waiting, under_way;

    _Atomic int32_t jobs_begun; /* and not ended */
    _Atomic uint64_t requests, failures, timeouts;
    _Atomic int32_t in_flight, waiting_count;
};

/* What the thread's functions CHECK: they take no locks. */
static _Thread_local const struct outbound *here;

/* --- lists ------------------------------------------------------------------------------------ */

static void list_append(struct call_list *list, struct http_call *call)
{
    call->next = NULL;
    call->previous = list->last;
    if (list->last != NULL)
        list->last->next = call;
    else
        list->first = call;
    list->last = call;
    list->count++;
}

static void list_remove(struct call_list *list, struct http_call *call)
{
    if (call->previous != NULL)
        call->previous->next = call->next;
    else
        list->first = call->next;
    if (call->next != NULL)
        call->next->previous = call->previous;
    else
        list->last = call->previous;
    call->next = call->previous = NULL;
    list->count--;
}

/* --- the mailbox, from any thread ------------------------------------------------------------- */

/* Locked, so that libcurl is never woken when it is gone. */
static void outbound_wake(struct outbound *outbound)
{
    if (outbound->phase != PHASE_OVER)
        http_calls_wake(outbound->calls);
}

int outbound_submit(struct outbound *outbound, struct job *job)
{
    int err = 0;
    CHECK(job->begin != NULL);
    pthread_mutex_lock(&outbound->mutex);
    if (outbound->phase != PHASE_RUNNING) {
        err = ERR_SHUTTING_DOWN;
    } else if (outbound->job_count >= OUTBOUND_QUEUE_MAX) {
        err = ERR_QUEUE_FULL;
    } else {
        job->next = NULL;
        if (outbound->last_job != NULL)
            outbound->last_job->next = job;
        else
            outbound->first_job = job;
        outbound->last_job = job;
        outbound->job_count++;
        outbound_wake(outbound);
    }
    pthread_mutex_unlock(&outbound->mutex);
    return err;
}

void outbound_post(struct outbound *outbound, struct outbound_message *message)
{
    pthread_mutex_lock(&outbound->mutex);
    message->next = NULL;
    if (outbound->last_message != NULL)
        outbound->last_message->next = message;
    else
        outbound->first_message = message;
    outbound->last_message = message;
    outbound_wake(outbound);
    pthread_mutex_unlock(&outbound->mutex);
}

void outbound_watch_end(struct outbound *outbound, struct outbound_watch *watch, outbound_fn fn,
                        void *context)
{
    pthread_mutex_lock(&outbound->mutex);
    *watch = (struct outbound_watch){.fn = fn, .context = context, .next = outbound->watches};
    outbound->watches = watch;
    outbound_wake(outbound);
    pthread_mutex_unlock(&outbound->mutex);
}

static void run_job(struct outbound *outbound, struct job *job)
{
    if (!job_take(job, clock_monotonic_us()))
        return;
    job->begun_count = &outbound->jobs_begun;
    atomic_fetch_add(&outbound->jobs_begun, 1);
    job->begin(job);
}

static void run_message(struct outbound *outbound, struct outbound_message *message)
{
    outbound->expected -= message->is_expected; /* fn may free it */
    message->fn(message->context);
}

/* Messages first: they end what was begun before the jobs begin something new. */
static void run_mailbox(struct outbound *outbound)
{
    pthread_mutex_lock(&outbound->mutex);
    struct outbound_message *message = outbound->first_message;
    struct job *job = outbound->first_job;
    outbound->first_message = outbound->last_message = NULL;
    outbound->first_job = outbound->last_job = NULL;
    outbound->job_count = 0;
    pthread_mutex_unlock(&outbound->mutex);
    while (message != NULL) {
        struct outbound_message *each = message;
        message = each->next;
        run_message(outbound, each);
    }
    while (job != NULL) {
        struct job *each = job;
        job = each->next;
        run_job(outbound, each);
    }
}

/* --- timers ----------------------------------------------------------------------------------- */

void outbound_cancel_timer(struct outbound *outbound, struct outbound_timer *timer)
{
    CHECK(here == outbound);
    if (!timer->is_set)
        return;
    struct outbound_timer **link = &outbound->timers;
    while (*link != timer)
        link = &(*link)->next;
    *link = timer->next;
    timer->is_set = false;
}

void outbound_set_timer(struct outbound *outbound, struct outbound_timer *timer, int64_t due_us,
                        outbound_fn fn, void *context)
{
    outbound_cancel_timer(outbound, timer);
    /* In the next turn at soonest: one that sets itself again and again stops nobody else. */
    if (due_us <= outbound->turn_us)
        due_us = outbound->turn_us + 1;
    *timer =
        (struct outbound_timer){.due_us = due_us, .fn = fn, .context = context, .is_set = true};
    struct outbound_timer **link = &outbound->timers;
    while (*link != NULL && (*link)->due_us <= due_us)
        link = &(*link)->next;
    timer->next = *link;
    *link = timer;
}

static void run_timers(struct outbound *outbound)
{
    while (outbound->timers != NULL && outbound->timers->due_us <= outbound->turn_us) {
        struct outbound_timer *first = outbound->timers;
        outbound->timers = first->next;
        first->is_set = false;
        first->fn(first->context);
    }
}

/* --- requests --------------------------------------------------------------------------------- */

void outbound_send(struct outbound *outbound, const struct outbound_request *request,
                   outbound_done_fn on_done, void *context)
{
    CHECK(here == outbound);
    list_append(&outbound->waiting, http_call_create(request, on_done, context));
    atomic_fetch_add(&outbound->requests, 1);
}

static void tell(struct outbound *outbound, struct http_call *call,
                 const struct outbound_reply *reply)
{
    atomic_fetch_add(&outbound->failures, reply->error != 0);
    atomic_fetch_add(&outbound->timeouts, reply->error == ERR_TIMED_OUT);
    call->on_done(call->context, reply);
    http_call_destroy(call);
}

static void fail(struct outbound *outbound, struct http_call *call, int error)
{
    struct outbound_reply reply;
    http_call_abort(call, error, &reply);
    tell(outbound, call, &reply);
}

/* Those there now, each at most once: what their ends send waits for the next turn. */
static void start_waiting(struct outbound *outbound)
{
    struct call_list list = outbound->waiting;
    outbound->waiting = (struct call_list){NULL, NULL, 0};
    while (list.first != NULL) {
        struct http_call *call = list.first;
        int64_t now_us = clock_monotonic_us();
        int err = outbound->is_ending ? ERR_SHUTTING_DOWN : 0;
        bool is_late = call->deadline_us <= now_us;
        list_remove(&list, call);
        if (err == 0 && !is_late && outbound->under_way.count >= OUTBOUND_IN_FLIGHT_MAX) {
            list_append(&outbound->waiting, call);
            continue;
        }
        if (err == 0)
            err = http_call_start(outbound->calls, call, now_us);
        if (err == 0)
            list_append(&outbound->under_way, call);
        else
            fail(outbound, call, err);
    }
}

static void end_ended(struct outbound *outbound)
{
    struct outbound_reply reply;
    struct http_call *call;
    http_calls_run(outbound->calls);
    while ((call = http_calls_ended(outbound->calls, &reply)) != NULL) {
        list_remove(&outbound->under_way, call);
        tell(outbound, call, &reply);
    }
}

static void cut_under_way(struct outbound *outbound)
{
    while (outbound->under_way.first != NULL) {
        struct http_call *call = outbound->under_way.first;
        list_remove(&outbound->under_way, call);
        fail(outbound, call, ERR_SHUTTING_DOWN);
    }
}

/* Nobody is left without an answer, nor what they carry unwiped. */
static void tell_the_last(struct outbound *outbound)
{
    cut_under_way(outbound);
    for (int round = 0; outbound->waiting.count > 0; round++) {
        CHECK(round < LAST_ROUNDS_MAX);
        start_waiting(outbound);
    }
}

/* --- the thread ------------------------------------------------------------------------------- */

static int64_t sleep_us(const struct outbound *outbound)
{
    int64_t now_us = clock_monotonic_us();
    int64_t until_us = now_us + SLEEP_MAX_US;
    if (outbound->timers != NULL)
        until_us = clock_sooner_us(until_us, outbound->timers->due_us);
    bool has_room = outbound->under_way.count < OUTBOUND_IN_FLIGHT_MAX;
    for (const struct http_call *each = outbound->waiting.first; each != NULL; each = each->next)
        until_us = clock_sooner_us(until_us, has_room ? now_us : each->deadline_us);
    if (outbound->is_ending) /* jobs end without a sound */
        until_us = clock_sooner_us(until_us, now_us + 10000);
    return until_us > now_us ? until_us - now_us : 0;
}

/* Also those that were set when the end had begun. */
static void call_watches(struct outbound *outbound)
{
    pthread_mutex_lock(&outbound->mutex);
    struct outbound_watch *watch = outbound->watches;
    outbound->watches = NULL;
    pthread_mutex_unlock(&outbound->mutex);
    while (watch != NULL) {
        struct outbound_watch *each = watch;
        watch = each->next;
        each->fn(each->context);
    }
}

/* Under the mutex. */
static bool outbound_has_nothing(const struct outbound *outbound)
{
    return outbound->under_way.count == 0 && outbound->waiting.count == 0 &&
           outbound->expected == 0 && outbound->first_message == NULL &&
           outbound->first_job == NULL && outbound->watches == NULL &&
           atomic_load(&outbound->jobs_begun) == 0;
}

/* true: the thread is to end. */
static bool look_at_phase(struct outbound *outbound)
{
    pthread_mutex_lock(&outbound->mutex);
    bool is_ending = outbound->phase != PHASE_RUNNING;
    if (outbound->is_ending)
        outbound->is_quiet = outbound_has_nothing(outbound);
    bool is_late = clock_monotonic_us() >= outbound->give_up_us;
    bool is_over = outbound->phase == PHASE_STOPPING && (outbound->is_quiet || is_late);
    if (is_over)
        outbound->phase = PHASE_OVER;
    if (is_over && !outbound->is_quiet)
        log_event(LOG_ERROR, "outbound_gave_up", LOG_INT("expected", outbound->expected),
                  LOG_INT("jobs", atomic_load(&outbound->jobs_begun)));
    pthread_cond_broadcast(&outbound->changed);
    pthread_mutex_unlock(&outbound->mutex);
    if (is_ending && !outbound->is_ending) {
        outbound->is_ending = true;
        outbound->cut_us = clock_monotonic_us() + OUTBOUND_GRACE_US;
    }
    if (is_ending)
        call_watches(outbound);
    return is_over;
}

static void show_depths(struct outbound *outbound)
{
    atomic_store(&outbound->in_flight, outbound->under_way.count);
    atomic_store(&outbound->waiting_count, outbound->waiting.count);
}

static void *outbound_run(void *argument)
{
    struct outbound *outbound = argument;
    sigset_t signals;
    here = outbound;
    sigemptyset(&signals);
    sigaddset(&signals, SIGPIPE); /* OpenSSL writes to sockets without MSG_NOSIGNAL */
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    do {
        start_waiting(outbound);
        show_depths(outbound);
        http_calls_wait(outbound->calls, sleep_us(outbound));
        outbound->turn_us = clock_monotonic_us();
        run_mailbox(outbound);
        run_timers(outbound);
        end_ended(outbound);
        if (outbound->is_ending && outbound->turn_us >= outbound->cut_us)
            cut_under_way(outbound);
    } while (!look_at_phase(outbound));
    tell_the_last(outbound);
    return NULL;
}

bool outbound_is_ending(const struct outbound *outbound)
{
    CHECK(here == outbound);
    return outbound->is_ending;
}

void outbound_expect(struct outbound *outbound, struct outbound_message *message)
{
    CHECK(here == outbound);
    message->is_expected = true;
    outbound->expected++;
}

/* --- life ------------------------------------------------------------------------------------- */

static void init_locks(struct outbound *outbound)
{
    pthread_condattr_t attributes;
    CHECK(pthread_condattr_init(&attributes) == 0);
    CHECK(pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0);
    CHECK(pthread_cond_init(&outbound->changed, &attributes) == 0);
    pthread_condattr_destroy(&attributes);
    CHECK(pthread_mutex_init(&outbound->mutex, NULL) == 0);
}

static void outbound_free(struct outbound *outbound)
{
    http_calls_destroy(outbound->calls);
    pthread_cond_destroy(&outbound->changed);
    pthread_mutex_destroy(&outbound->mutex);
    free(outbound);
}

int outbound_create(struct outbound **outbound)
{
    struct outbound *made = calloc(1, sizeof(*made));
    if (made == NULL)
        return ERR_NO_MEMORY;
    init_locks(made);
    int err = http_calls_create(&made->calls);
    if (err == 0 && pthread_create(&made->thread, NULL, outbound_run, made) != 0)
        err = ERR_NO_MEMORY;
    if (err != 0) {
        outbound_free(made);
        return err;
    }
    *outbound = made;
    return 0;
}

void outbound_drain(struct outbound *outbound)
{
    if (outbound == NULL)
        return;
    int64_t until_us = clock_monotonic_us() + DRAIN_US;
    struct timespec until = {.tv_sec = until_us / CLOCK_US_PER_S,
                             .tv_nsec = until_us % CLOCK_US_PER_S * 1000};
    pthread_mutex_lock(&outbound->mutex);
    if (outbound->phase == PHASE_RUNNING) {
        outbound->phase = PHASE_ENDING;
        outbound_wake(outbound);
        int late = 0;
        while (!outbound->is_quiet && late == 0)
            late = pthread_cond_timedwait(&outbound->changed, &outbound->mutex, &until);
    }
    pthread_mutex_unlock(&outbound->mutex);
}

void outbound_stop(struct outbound *outbound)
{
    if (outbound == NULL || outbound->is_joined)
        return;
    outbound_drain(outbound);
    pthread_mutex_lock(&outbound->mutex);
    outbound->phase = PHASE_STOPPING;
    outbound->give_up_us = clock_monotonic_us() + STOP_US;
    outbound_wake(outbound);
    pthread_mutex_unlock(&outbound->mutex);
    pthread_join(outbound->thread, NULL);
    outbound->is_joined = true;
}

void outbound_destroy(struct outbound *outbound)
{
    if (outbound == NULL)
        return;
    outbound_stop(outbound);
    outbound_free(outbound);
}

void outbound_read_counters(struct outbound *outbound, struct outbound_counters *counters)
{
    *counters = (struct outbound_counters){
        .requests = atomic_load(&outbound->requests),
        .failures = atomic_load(&outbound->failures),
        .timeouts = atomic_load(&outbound->timeouts),
        .in_flight = atomic_load(&outbound->in_flight),
        .waiting = atomic_load(&outbound->waiting_count),
    };
}
