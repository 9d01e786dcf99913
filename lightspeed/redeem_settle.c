/* Settling: what redemption left open is looked at until the order says what became of it. */
#include "lightspeed/redeem_state.h"

#include "base/log.h"

#include <stdlib.h>

#include "base/banned.h"

/* Reservations kept in mind at once; more wait in the store. 150 bytes each. */
#define WATCHES_MAX 1024
#define READS_MAX 8 /* at once, beside the cashiers' */
#define READ_US (INT64_C(10) * CLOCK_US_PER_S)
#define SCAN_MIN_US (INT64_C(100) * 1000)
#define SCAN_MAX_US (INT64_C(5) * CLOCK_US_PER_S)
#define READ_AGAIN_MAX_US (INT64_C(60) * CLOCK_US_PER_S)
/* Rows of each state that one scan walks. RESERVED ones come first; APPLIED ones only where they
 * are older than the tenant with the least patience lets them be. */
#define SCAN_ROWS_MAX 65536

#define REASON_ABSENT "not on the order"
#define REASON_TOO_OLD "the order did not complete in time"
#define REASON_DELETED "the order was deleted"

struct watch {
    struct watch *next;
    struct redeem *redeem;
    struct reservation reservation;
    bool is_busy;   /* being read or moved */
    bool is_unsure; /* noted by redemption, because the store could not */
    enum points_action move;
    int64_t noted_us;        /* monotonic */
    int64_t next_us;         /* not before */
    int64_t absent_since_us; /* of the first read that found no mark; 0: none yet */
    uint64_t scan_round;     /* the last one that found it open */
};

/* --- the list --- */

static struct watch *watch_find(const struct redeem *redeem, int64_t reservation_id)
{
    struct watch *watch = redeem->watches;
    while (watch != NULL && watch->reservation.id != reservation_id)
        watch = watch->next;
    return watch;
}

/* The one there is, or a new one; NULL when there is no room. */
static struct watch *watch_note(struct redeem *redeem, const struct reservation *reservation)
{
    struct watch *watch = watch_find(redeem, reservation->id);
    if (watch != NULL || redeem->watch_count == WATCHES_MAX)
        return watch;
    watch = calloc(1, sizeof(*watch));
    if (watch == NULL)
        return NULL;
    watch->redeem = redeem;
    watch->reservation = *reservation;
    watch->noted_us = clock_monotonic_us();
    watch->next = redeem->watches;
    redeem->watches = watch;
    redeem->watch_count++;
    return watch;
}

static void watch_free(struct watch *watch)
{
    struct redeem *redeem = watch->redeem;
    struct watch **link = &redeem->watches;
    while (*link != watch)
        link = &(*link)->next;
    *link = watch->next;
    redeem->watch_count--;
    free(watch);
}

bool settle_works_on(const struct redeem *redeem, int64_t reservation_id)
{
    const struct watch *watch = watch_find(redeem, reservation_id);
    return watch != NULL && watch->is_busy;
}

void settle_forget(struct redeem *redeem, int64_t reservation_id)
{
    struct watch *watch = watch_find(redeem, reservation_id);
    if (watch == NULL)
        return;
    CHECK(!watch->is_busy);
    watch->absent_since_us = 0;
    watch->next_us = clock_monotonic_us() + redeem->config.settle_us;
}

void settle_note_unsure(struct redeem *redeem, const struct reservation *reservation)
{
    struct watch *watch = watch_note(redeem, reservation);
    if (watch == NULL)
        redeem->is_note_lost = true;
    else
        watch->is_unsure = true;
}

bool settle_knows_unsure(const struct redeem *redeem, int64_t reservation_id)
{
    const struct watch *watch = watch_find(redeem, reservation_id);
    return redeem->is_note_lost || (watch != NULL && watch->is_unsure);
}

/* --- ending one --- */

static void watch_rest(struct watch *watch)
{
    int64_t again_us = watch->redeem->config.settle_us;
    again_us = again_us < READ_AGAIN_MAX_US ? again_us : READ_AGAIN_MAX_US;
    watch->is_busy = false;
    watch->next_us = clock_monotonic_us() + again_us;
}

static void on_settled(struct errand *errand)
{
    struct watch *watch = errand->context;
    struct redeem *redeem = watch->redeem;
    const struct redeem_move *move = errand_data(errand);
    bool is_done = redeem_move_is_done(errand);
    log_event(is_done ? LOG_INFO : LOG_WARNING, "redemption_settled",
              LOG_INT("reservation_id", watch->reservation.id),
              LOG_INT("tenant_id", watch->reservation.tenant_id),
              LOG_INT("order_id", watch->reservation.order_id),
              LOG_TEXT("move", watch->move == POINTS_RETURN ? "return"
                               : watch->move == POINTS_BURN ? "burn"
                                                            : "apply"),
              LOG_TEXT("result", points_result_name(move->outcome.result)),
              LOG_TEXT("error", error_name(errand->job.error)));
    if (!is_done) {
        watch->absent_since_us = 0;
        watch_rest(watch); /* the next scan shows whether it is still open */
        return;
    }
    atomic_fetch_add_explicit(watch->move == POINTS_RETURN ? &redeem->settled_returned
                                                           : &redeem->settled_burned,
                              1, memory_order_relaxed);
    watch_free(watch);
}

static void watch_move(struct watch *watch, enum points_action action, const char *reason)
{
    watch->move = action;
    if (!duty_is_ours(watch->redeem->config.duty, 0) ||
        !redeem_move_begin(watch->redeem, &watch->reservation, action, reason, NULL, on_settled,
                           watch))
        watch_rest(watch);
}

/* --- reading --- */

struct tenant_terms {
    bool burn_is_on_complete;
    int64_t reservation_max_us;
};

static struct tenant_terms terms_of(struct directory *directory, int64_t tenant_id)
{
    const struct directory_snapshot *snapshot = directory_acquire(directory);
    const struct directory_tenant *found = directory_find_id(snapshot, tenant_id);
    struct tenant_terms terms = {.reservation_max_us = INT64_MAX};
    if (found != NULL)
        terms = (struct tenant_terms){found->tenant.burn_is_on_complete,
                                      found->tenant.reservation_max_us};
    directory_release(snapshot);
    return terms;
}

static bool is_too_old(const struct reservation *reservation, const struct tenant_terms *terms,
                       int64_t now_us)
{
    return now_us - reservation->created_at_us >= terms->reservation_max_us;
}

/* Two reads apart must agree: a change that was on its way may have come between them. */
static void watch_found_absent(struct watch *watch, const char *reason)
{
    int64_t now_us = clock_monotonic_us();
    int64_t settle_us = watch->redeem->config.settle_us;
    if (watch->absent_since_us != 0 && now_us - watch->absent_since_us >= settle_us) {
        watch_move(watch, POINTS_RETURN, reason);
        return;
    }
    if (watch->absent_since_us == 0)
        watch->absent_since_us = now_us;
    watch->is_busy = false;
    watch->next_us = watch->absent_since_us + settle_us;
}

static void watch_found_applied(struct watch *watch, const struct oseries_order *order)
{
    struct tenant_terms terms =
        terms_of(watch->redeem->config.directory, watch->reservation.tenant_id);
    bool is_complete = order->status == ORDER_COMPLETE;
    bool is_payment = watch->reservation.pays_minor != 0; /* nobody takes it off again */
    if (is_complete || is_payment || !terms.burn_is_on_complete)
        watch_move(watch, POINTS_BURN, NULL);
    else if (is_too_old(&watch->reservation, &terms, clock_steady_us()))
        watch_move(watch, POINTS_RETURN, REASON_TOO_OLD);
    else if (watch->reservation.state == RESERVATION_RESERVED)
        watch_move(watch, POINTS_APPLY, NULL);
    else
        watch_rest(watch);
}

static void watch_found(struct watch *watch, const struct oseries_order *order)
{
    struct tenant_terms terms =
        terms_of(watch->redeem->config.directory, watch->reservation.tenant_id);
    if (order->is_deleted) {
        watch_found_absent(watch, REASON_DELETED);
    } else if (reward_is_applied(&watch->reservation, order)) {
        watch_found_applied(watch, order);
    } else if (!reward_may_be_hidden(&watch->reservation, order) ||
               (watch->reservation.pays_minor == 0 &&
                is_too_old(&watch->reservation, &terms, clock_steady_us()))) {
        watch_found_absent(watch, REASON_ABSENT);
    } else {
        watch_rest(watch); /* a payment that may be there is never given back unasked */
    }
}

static void read_due(struct redeem *redeem, int64_t now_us);

static void on_watch_read(void *context, const struct api_result *result,
                          const struct oseries_order *order)
{
    struct watch *watch = context;
    struct redeem *redeem = watch->redeem;
    redeem->reads_under_way--;
    if (result->error == 0)
        watch_found(watch, order);
    else if (result->error == ERR_NOT_FOUND)
        watch_found_absent(watch, REASON_ABSENT);
    else
        watch_rest(watch); /* not reachable, not connected: that says nothing about the order */
    if (!redeem->is_reading)
        read_due(redeem, clock_monotonic_us());
}

static void watch_read(struct watch *watch)
{
    struct redeem *redeem = watch->redeem;
    const struct api_call call = {.tenant_id = watch->reservation.tenant_id,
                                  .priority = API_BACKGROUND,
                                  .deadline_us = clock_monotonic_us() + READ_US};
    watch->is_busy = true;
    redeem->reads_under_way++;
    oseries_api_get_order(redeem->config.api, &call, watch->reservation.order_id, on_watch_read,
                          watch);
}

/* Of what the scan has found, and what nobody else is at. */
static void read_due(struct redeem *redeem, int64_t now_us)
{
    if (!duty_is_ours(redeem->config.duty, DUTY_MARGIN_US))
        return;
    redeem->is_reading = true; /* a read that fails at once comes back from inside the call */
    for (struct watch *watch = redeem->watches, *next; watch != NULL; watch = next) {
        next = watch->next;
        if (redeem->reads_under_way == READS_MAX)
            break;
        if (!watch->is_busy && watch->scan_round == redeem->scan_round &&
            watch->next_us <= now_us && !redeem_works_on(redeem, watch->reservation.id))
            watch_read(watch);
    }
    redeem->is_reading = false;
}

/* --- scanning --- */

/* The extra bytes of its errand. */
struct scan {
    struct directory *directory;
    int64_t now_us, settle_us;
    int32_t open; /* rows seen */
    int32_t count;
    struct reservation found[WATCHES_MAX];
};

/* What no tenant's APPLIED reservation outlives may be ours. */
static int64_t shortest_reservation_us(struct directory *directory)
{
    const struct directory_snapshot *snapshot = directory_acquire(directory);
    int64_t shortest_us = INT64_MAX;
    for (size_t i = 0; i < directory_tenant_count(snapshot); i++) {
        int64_t max_us = directory_tenant_at(snapshot, i)->tenant.reservation_max_us;
        shortest_us = max_us < shortest_us ? max_us : shortest_us;
    }
    directory_release(snapshot);
    return shortest_us;
}

/* APPLIED ones end by their order; only those that are too old are ours. */
static void on_open_reservation(void *context, const struct reservation *reservation)
{
    struct scan *scan = context;
    scan->open++;
    if (reservation->state == RESERVATION_APPLIED) {
        struct tenant_terms terms = terms_of(scan->directory, reservation->tenant_id);
        if (!is_too_old(reservation, &terms, scan->now_us))
            return;
    }
    if (scan->count < WATCHES_MAX)
        scan->found[scan->count++] = *reservation;
}

static int task_scan(struct job *job, struct store *store)
{
    struct scan *scan = errand_data_of(job);
    int64_t applied_us = shortest_reservation_us(scan->directory);
    applied_us = applied_us < scan->settle_us ? scan->settle_us : applied_us;
    int err =
        store_each_open_reservation(store, RESERVATION_RESERVED, scan->now_us - scan->settle_us,
                                    SCAN_ROWS_MAX, on_open_reservation, scan);
    if (err != 0 || applied_us > scan->now_us) /* no tenant, so no reservation */
        return err;
    return store_each_open_reservation(store, RESERVATION_APPLIED, scan->now_us - applied_us,
                                       SCAN_ROWS_MAX, on_open_reservation, scan);
}

/* What is not found any more has ended. What was noted a moment ago could not be found yet. */
static void drop_ended(struct redeem *redeem, int64_t now_us)
{
    for (struct watch *watch = redeem->watches, *next; watch != NULL; watch = next) {
        next = watch->next;
        if (!watch->is_busy && watch->scan_round != redeem->scan_round &&
            now_us - watch->noted_us > 2 * redeem->config.settle_us)
            watch_free(watch);
    }
}

/* Somebody may have sent its change since it was read. */
static void watch_take(struct watch *watch, const struct reservation *found)
{
    if (watch->reservation.changed_at_us != found->changed_at_us)
        watch->absent_since_us = 0;
    watch->reservation = *found;
}

static void take_found(struct redeem *redeem, const struct scan *scan)
{
    for (int32_t i = 0; i < scan->count; i++) {
        struct watch *watch = watch_note(redeem, &scan->found[i]);
        if (watch == NULL)
            break;
        watch->scan_round = redeem->scan_round;
        if (!watch->is_busy)
            watch_take(watch, &scan->found[i]);
    }
}

static void scan_begin(void *context);

static void scan_again(struct redeem *redeem)
{
    int64_t pause_us = redeem->config.settle_us / 4;
    pause_us = pause_us < SCAN_MIN_US ? SCAN_MIN_US : pause_us;
    pause_us = pause_us > SCAN_MAX_US ? SCAN_MAX_US : pause_us;
    outbound_set_timer(redeem->config.outbound, &redeem->scan_timer,
                       clock_monotonic_us() + pause_us, scan_begin, redeem);
}

static void on_scanned(struct errand *errand)
{
    struct redeem *redeem = errand->context;
    const struct scan *scan = errand_data(errand);
    int64_t now_us = clock_monotonic_us();
    if (errand->job.error == 0) {
        redeem->scan_round++;
        take_found(redeem, scan);
        if (scan->count < WATCHES_MAX)
            drop_ended(redeem, now_us);
        read_due(redeem, now_us);
        atomic_store_explicit(&redeem->open, scan->open, memory_order_relaxed);
    }
    scan_again(redeem);
}

static void scan_begin(void *context)
{
    struct redeem *redeem = context;
    struct errand *errand = errand_create(redeem->config.outbound, sizeof(struct scan));
    if (errand == NULL) {
        scan_again(redeem);
        return;
    }
    struct scan *scan = errand_data(errand);
    scan->directory = redeem->config.directory;
    scan->now_us = clock_steady_us();
    scan->settle_us = redeem->config.settle_us;
    errand_read(errand, redeem->config.reader, task_scan, on_scanned, redeem);
}

void settle_begin(struct redeem *redeem)
{
    redeem->begin_message = (struct outbound_message){.fn = scan_begin, .context = redeem};
    outbound_post(redeem->config.outbound, &redeem->begin_message);
}

void settle_finish(struct redeem *redeem)
{
    for (struct watch *watch = redeem->watches, *next; watch != NULL; watch = next) {
        next = watch->next;
        free(watch);
    }
    redeem->watches = NULL;
}
