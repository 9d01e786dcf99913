/* Carries one HTTP request to its one answer, over jobs that may outlive it. */
#include "handlers/exchange.h"

#include "base/log.h"
#include "base/seal.h"
#include "handlers/linger.h"
#include "handlers/route.h"
#include "store/redis_lane.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/banned.h"

#define LOOP_SLEEP_MAX_MS 500 /* an idle loop still looks at its phase twice a second */
/* Request ids count up from a random number below 2^52: even readers that keep JSON numbers in
 * binary floating point see them exactly. */
#define REQUEST_ID_MASK ((UINT64_C(1) << 52) - 1)
#define REQUEST_ID_TEXT_MAX 24
#define WAITING_TURN_US 10000
/* Requests of one loop that wait their turn: at 5 tokens and 5 ms a commit, 512 take half a second;
 * calling them all takes 0.1 ms. */
#define WAITING_MAX 512
/* Every field of a dialect's refusal may be the sentence: 256 bytes, each escaped as \\u00XX. */
#define REFUSAL_MAX (PROFILE_PAIRS_MAX * (PROFILE_KEY_BYTES + 6 * 256 + 3) + 3)

/* --- snapshots: one reference per loop, so that no request touches a lock that loops share */

struct exchange_snapshot {
    const struct directory_snapshot *snapshot;
    const struct profile *dialect;
    uint64_t epoch;
    int32_t uses; /* by exchanges of this loop */
    struct exchange_snapshot *next;
};

static void snapshot_destroy(struct exchange_snapshot *held)
{
    directory_release(held->snapshot);
    profile_release(held->dialect);
    free(held);
}

static struct exchange_snapshot *loop_take_snapshot(struct exchange_loop *loop)
{
    /* Read before the acquire: an epoch that is too old only makes us acquire once more. */
    uint64_t epoch = atomic_load_explicit(&loop->handlers->epoch, memory_order_acquire);
    if (loop->snapshot == NULL || loop->snapshot->epoch != epoch) {
        if (loop->snapshot != NULL) {
            loop->snapshot->next = loop->retired;
            loop->retired = loop->snapshot;
        }
        loop->snapshot = h2o_mem_alloc(sizeof(*loop->snapshot));
        *loop->snapshot = (struct exchange_snapshot){
            .snapshot = directory_acquire(loop->handlers->directory),
            .dialect = profile_acquire(loop->handlers->profiles, "default"),
            .epoch = epoch};
    }
    loop->snapshot->uses++;
    return loop->snapshot;
}

static void loop_release_retired(struct exchange_loop *loop)
{
    struct exchange_snapshot **link = &loop->retired;
    while (*link != NULL) {
        struct exchange_snapshot *held = *link;
        if (held->uses > 0) {
            link = &held->next;
            continue;
        }
        *link = held->next;
        snapshot_destroy(held);
    }
}

/* --- trips: jobs away from their loop */

struct trip_slot; /* in the request's pool: ties trip and exchange together while both live */

struct trip {
    h2o_multithread_message_t message; /* first: found from the mailbox */
    h2o_linklist_t by_deadline;
    struct exchange_loop *loop;
    struct trip_slot *slot; /* NULL: nobody waits for it any more */
    exchange_done_fn on_done;
    exchange_left_fn on_left; /* NULL: nothing is to be done then */
    size_t job_size;
    struct job job; /* last: the job's extra bytes follow */
};

struct trip_slot {
    struct trip *trip; /* NULL: told, or never sent */
    struct exchange *exchange;
};

static struct trip *trip_of(const struct job *job)
{
    return H2O_STRUCT_FROM_MEMBER(struct trip, job, job);
}

/* Commands carry PINs, tasks carry tokens. */
static void trip_free(struct trip *trip)
{
    seal_wipe(&trip->job, trip->job_size);
    free(trip);
}

static void exchange_end(struct exchange *exchange)
{
    exchange->held->uses--;
    exchange->loop->unanswered--;
    exchange->is_answered = true;
}

/* The request's pool is being cleared. An exchange that dies unanswered ends here. */
static void on_slot_dispose(void *bytes)
{
    struct trip_slot *slot = bytes;
    if (slot->trip == NULL)
        return;
    slot->trip->slot = NULL;
    slot->trip = NULL;
    if (!slot->exchange->is_answered)
        exchange_end(slot->exchange);
}

static void trip_untie(struct trip *trip)
{
    trip->slot->exchange->jobs_away--;
    trip->slot->trip = NULL;
    trip->slot = NULL;
}

/* In the request's pool, found from the loop. */
struct waiter {
    h2o_linklist_t link;
    struct exchange *exchange;
    exchange_turn_fn on_turn;
};

bool exchange_is_under_way(const struct exchange *exchange)
{
    bool is_waiting = exchange->waiter != NULL && h2o_linklist_is_linked(&exchange->waiter->link);
    return exchange->is_answered || exchange->jobs_away > 0 || is_waiting;
}

static void exchange_tell(struct exchange *exchange, exchange_done_fn on_done,
                          const struct job *job)
{
    if (exchange->is_answered)
        return;
    on_done(exchange, job);
    if (!exchange_is_under_way(exchange))
        exchange_fail_bug(exchange, "on_done neither answered nor sent a job");
}

static void trip_tell_nobody(const struct trip *trip)
{
    if (trip->on_done != NULL) /* somebody has waited once */
        log_event(LOG_INFO, "job_came_home_late",
                  LOG_INT("operation_id", trip->job.outcome.operation_id),
                  LOG_TEXT("error", error_name(trip->job.error)));
    if (trip->on_left != NULL)
        trip->on_left(trip->loop, &trip->job);
}

static void trip_come_home(struct trip *trip)
{
    struct exchange_loop *loop = trip->loop;
    if (h2o_linklist_is_linked(&trip->by_deadline)) /* else its deadline was first */
        h2o_linklist_unlink(&trip->by_deadline);
    loop->jobs_away--;
    if (trip->slot != NULL) {
        struct exchange *exchange = trip->slot->exchange;
        trip_untie(trip);
        exchange_tell(exchange, trip->on_done, &trip->job);
    } else {
        trip_tell_nobody(trip);
    }
    trip_free(trip);
}

static void on_homecoming(h2o_multithread_receiver_t *receiver, h2o_linklist_t *messages)
{
    (void)receiver;
    while (!h2o_linklist_is_empty(messages)) {
        struct trip *trip = H2O_STRUCT_FROM_MEMBER(struct trip, message.link, messages->next);
        h2o_linklist_unlink(&trip->message.link);
        trip_come_home(trip);
    }
}

/* On the worker's thread: nothing of the trip may be touched afterwards. */
static void on_give_back(struct job *job)
{
    struct trip *trip = trip_of(job);
    h2o_multithread_send_message(&trip->loop->homecoming, &trip->message);
}

static void trip_link(struct trip *trip)
{
    /* Nearly always at the tail: only an exchange's second job is due before younger ones. */
    h2o_linklist_t *at = &trip->loop->away;
    while (at->prev != &trip->loop->away &&
           H2O_STRUCT_FROM_MEMBER(struct trip, by_deadline, at->prev)->job.deadline_us >
               trip->job.deadline_us)
        at = at->prev;
    h2o_linklist_insert(at, &trip->by_deadline);
}

static void trip_time_out(struct trip *trip)
{
    h2o_linklist_unlink(&trip->by_deadline);
    int error = ERR_CANCELLED;
    if (!job_move(&trip->job, JOB_QUEUED, JOB_CANCELLED)) {
        if (atomic_load(&trip->job.state) != JOB_TAKEN)
            return; /* it has ended and is on its way home */
        error = ERR_UNCONFIRMED;
    }
    if (trip->slot == NULL)
        return;
    /* The worker may be writing to the real job, so the handler is shown another. */
    struct job told = {.deadline_us = trip->job.deadline_us,
                       .task = trip->job.task,
                       .command = trip->job.command,
                       .error = error};
    struct exchange *exchange = trip->slot->exchange;
    trip_untie(trip);
    exchange_tell(exchange, trip->on_done, &told);
    seal_wipe(&told.command, sizeof(told.command));
}

/* --- waiting */

static void waiter_unlink(struct waiter *waiter)
{
    h2o_linklist_unlink(&waiter->link);
    waiter->exchange->loop->waiting_count--;
}

/* As on_slot_dispose: an exchange that dies unanswered ends here. */
static void on_waiter_dispose(void *bytes)
{
    struct waiter *waiter = bytes;
    if (!h2o_linklist_is_linked(&waiter->link))
        return;
    waiter_unlink(waiter);
    exchange_end(waiter->exchange);
}

int64_t exchange_deadline_us(const struct exchange *exchange)
{
    int64_t wait_us =
        exchange->tenant == NULL ? JOB_DEADLINE_US : exchange->tenant->tenant.deadline_us;
    return exchange->received_monotonic_us + wait_us;
}

bool exchange_wait(struct exchange *exchange, exchange_turn_fn on_turn)
{
    struct exchange_loop *loop = exchange->loop;
    int64_t until_us = exchange_deadline_us(exchange) - JOB_RESERVE_US;
    int64_t now_us = clock_monotonic_us();
    if (loop->waiting_count == WAITING_MAX || now_us >= until_us)
        return false;
    if (exchange->waiter == NULL) {
        exchange->waiter =
            h2o_mem_alloc_shared(&exchange->req->pool, sizeof(struct waiter), on_waiter_dispose);
        *exchange->waiter = (struct waiter){.exchange = exchange};
    }
    if (loop->waiting_count++ == 0)
        loop->waiting_next_us = now_us + WAITING_TURN_US;
    exchange->waiter->on_turn = on_turn;
    h2o_linklist_insert(&loop->waiting, &exchange->waiter->link);
    return true;
}

void exchange_wake(struct exchange_loop *loop)
{
    loop->waiting_next_us = 0;
}

/* Each of them once, oldest first; who waits again waits in the same order. */
static void loop_call_waiting(struct exchange_loop *loop)
{
    h2o_linklist_t called;
    h2o_linklist_init_anchor(&called);
    h2o_linklist_insert_list(&called, &loop->waiting);
    loop->waiting_next_us = clock_monotonic_us() + WAITING_TURN_US;
    while (!h2o_linklist_is_empty(&called)) {
        struct waiter *waiter = H2O_STRUCT_FROM_MEMBER(struct waiter, link, called.next);
        waiter_unlink(waiter);
        struct exchange *exchange = waiter->exchange;
        waiter->on_turn(exchange);
        if (!exchange_is_under_way(exchange))
            exchange_fail_bug(exchange, "on_turn neither answered, sent a job nor waited");
    }
}

/* --- asking the hot tier, and the Redis behind it */

/* In the request's pool, found from the lane. */
struct asking {
    struct hot_question question;
    struct exchange *exchange;
    exchange_hot_fn on_hot;
};

/* As on_slot_dispose: an exchange that dies unanswered ends here. */
static void on_asking_dispose(void *bytes)
{
    struct asking *asking = bytes;
    if (asking->question.ticket == 0)
        return;
    hot_forget(asking->exchange->loop->lane, &asking->question);
    exchange_end(asking->exchange);
}

static void on_hot_reply(struct hot_question *question, const struct hot_value *value)
{
    struct asking *asking = H2O_STRUCT_FROM_MEMBER(struct asking, question, question);
    struct exchange *exchange = asking->exchange;
    exchange->jobs_away--;
    asking->on_hot(exchange, value);
    if (!exchange_is_under_way(exchange))
        exchange_fail_bug(exchange, "on_hot neither answered nor sent a job");
}

enum hot_answer exchange_ask_hot(struct exchange *exchange, const uint8_t index[CARD_INDEX_BYTES],
                                 struct hot_value *value, exchange_hot_fn on_hot)
{
    struct hot *hot = exchange->handlers->hot;
    struct lane *lane = exchange->loop->lane;
    int64_t tenant_id = exchange->tenant->tenant.id, now_us = exchange->received_monotonic_us;
    if (!hot_is_remote(hot))
        return hot_ask(hot, lane, tenant_id, index, now_us, NULL, value);
    struct asking *asking =
        h2o_mem_alloc_shared(&exchange->req->pool, sizeof(*asking), on_asking_dispose);
    *asking =
        (struct asking){.question.on_reply = on_hot_reply, .exchange = exchange, .on_hot = on_hot};
    enum hot_answer answer = hot_ask(hot, lane, tenant_id, index, now_us, &asking->question, value);
    exchange->jobs_away += answer == HOT_LATER;
    return answer;
}

/* In the request's pool, found from the lane. */
struct depot_asking {
    struct exchange *exchange;
    exchange_depot_fn on_answer;
    uint64_t ticket; /* 0: answered */
};

/* As on_slot_dispose: an exchange that dies unanswered ends here. */
static void on_depot_asking_dispose(void *bytes)
{
    struct depot_asking *asking = bytes;
    if (asking->ticket == 0)
        return;
    lane_forget(asking->exchange->loop->lane, asking->ticket);
    exchange_end(asking->exchange);
}

static void on_depot_answer(void *context, const struct answer *answer)
{
    struct depot_asking *asking = context;
    struct exchange *exchange = asking->exchange;
    asking->ticket = 0;
    exchange->jobs_away--;
    asking->on_answer(exchange, answer);
    if (!exchange_is_under_way(exchange))
        exchange_fail_bug(exchange, "on_answer neither answered nor sent a job");
}

bool exchange_ask_depot(struct exchange *exchange, const struct words *words,
                        exchange_depot_fn on_answer)
{
    struct lane *lane = exchange->loop->lane;
    if (lane == NULL || !lane_is_ready(lane))
        return false;
    struct depot_asking *asking =
        h2o_mem_alloc_shared(&exchange->req->pool, sizeof(*asking), on_depot_asking_dispose);
    *asking = (struct depot_asking){.exchange = exchange, .on_answer = on_answer};
    asking->ticket = lane_ask(lane, words, clock_monotonic_us(), on_depot_answer, asking);
    exchange->jobs_away += asking->ticket != 0;
    return asking->ticket != 0;
}

void exchange_fill_hot(struct exchange *exchange, const struct card *card)
{
    hot_fill(exchange->handlers->hot, exchange->loop->lane, card, exchange->received_monotonic_us);
}

/* --- the loop */

void exchange_loop_init(struct exchange_loop *loop, h2o_evloop_t *evloop,
                        h2o_globalconf_t *globalconf, struct handlers *handlers)
{
    h2o_context_init(&loop->context, evloop, globalconf);
    loop->handlers = handlers;
    h2o_linklist_init_anchor(&loop->away);
    h2o_linklist_init_anchor(&loop->waiting);
    h2o_multithread_register_receiver(loop->context.queue, &loop->homecoming, on_homecoming);
    handlers->random.fill(handlers->random.context, (uint8_t *)&loop->request_id_next,
                          sizeof(loop->request_id_next));
    loop->request_id_next &= REQUEST_ID_MASK;
}

void exchange_loop_finish(struct exchange_loop *loop)
{
    CHECK(loop->jobs_away == 0);
    loop_release_retired(loop);
    if (loop->snapshot != NULL)
        snapshot_destroy(loop->snapshot);
    h2o_multithread_unregister_receiver(loop->context.queue, &loop->homecoming);
    h2o_timeout_unlink(&loop->context.http2._graceful_shutdown_timeout);
    h2o_context_dispose(&loop->context);
}

/* Ends what is past its deadline; gives the time until the next one. */
static int32_t loop_tend_away(struct exchange_loop *loop)
{
    while (!h2o_linklist_is_empty(&loop->away)) {
        struct trip *first = H2O_STRUCT_FROM_MEMBER(struct trip, by_deadline, loop->away.next);
        int64_t left_us = first->job.deadline_us - clock_monotonic_us();
        if (left_us > LOOP_SLEEP_MAX_MS * 1000)
            break;
        if (left_us > 0)
            return (int32_t)(left_us / 1000) + 1;
        trip_time_out(first);
    }
    return LOOP_SLEEP_MAX_MS;
}

int32_t exchange_loop_tend(struct exchange_loop *loop)
{
    if (loop->retired != NULL)
        loop_release_retired(loop);
    int32_t sleep_ms = loop_tend_away(loop);
    if (loop->waiting_count == 0)
        return sleep_ms;
    if (clock_monotonic_us() >= loop->waiting_next_us)
        loop_call_waiting(loop);
    return sleep_ms < WAITING_TURN_US / 1000 ? sleep_ms : WAITING_TURN_US / 1000;
}

/* --- submitting */

void *exchange_allocate(struct exchange *exchange, size_t size)
{
    void *memory = h2o_mem_alloc_pool(&exchange->req->pool, size);
    memset(memory, 0, size);
    return memory;
}

struct job *exchange_loop_job(struct exchange_loop *loop, size_t extra_bytes)
{
    size_t size = sizeof(struct trip) + extra_bytes;
    struct trip *trip = h2o_mem_alloc(size);
    memset(trip, 0, size);
    trip->job_size = sizeof(trip->job) + extra_bytes;
    trip->loop = loop;
    trip->job.give_back = on_give_back;
    trip->job.deadline_us = clock_monotonic_us() + JOB_DEADLINE_US;
    return &trip->job;
}

struct job *exchange_job(struct exchange *exchange, size_t extra_bytes)
{
    struct job *job = exchange_loop_job(exchange->loop, extra_bytes);
    job->deadline_us = exchange_deadline_us(exchange);
    return job;
}

void exchange_watch_left(struct job *job, exchange_left_fn on_left)
{
    trip_of(job)->on_left = on_left;
}

/* Before the queue has it: afterwards the worker may give it back at any moment. */
static void trip_depart(struct trip *trip, struct exchange *exchange, exchange_done_fn on_done)
{
    trip->slot = h2o_mem_alloc_shared(&exchange->req->pool, sizeof(*trip->slot), on_slot_dispose);
    *trip->slot = (struct trip_slot){.trip = trip, .exchange = exchange};
    trip->on_done = on_done;
    trip_link(trip);
    exchange->jobs_away++;
    trip->loop->jobs_away++;
}

static void trip_turn_back(struct trip *trip)
{
    h2o_linklist_unlink(&trip->by_deadline);
    trip->loop->jobs_away--;
    if (trip->slot != NULL)
        trip_untie(trip);
    trip_free(trip);
}

void exchange_refuse_busy(struct exchange *exchange, int error)
{
    if (exchange->is_answered)
        return;
    exchange_add_header(exchange, "retry-after", TEXT("1"));
    exchange_refuse(exchange, 503, error_name(error), "Busy, please try again shortly");
}

int exchange_offer_command(struct exchange *exchange, struct job *job, exchange_done_fn on_done)
{
    struct trip *trip = trip_of(job);
    trip_depart(trip, exchange, on_done);
    int err = committer_submit(exchange->handlers->committer, job);
    if (err != 0)
        trip_turn_back(trip);
    return err;
}

int exchange_loop_write(struct exchange_loop *loop, struct job *job, exchange_left_fn on_left)
{
    CHECK(job->task != NULL);
    struct trip *trip = trip_of(job);
    trip->on_left = on_left;
    trip_link(trip);
    loop->jobs_away++;
    int err = committer_submit(loop->handlers->committer, job);
    if (err != 0)
        trip_turn_back(trip);
    return err;
}

void exchange_submit_command(struct exchange *exchange, struct job *job, exchange_done_fn on_done)
{
    CHECK(job->task == NULL);
    int err = exchange_offer_command(exchange, job, on_done);
    if (err != 0)
        exchange_refuse_busy(exchange, err);
}

void exchange_submit_write(struct exchange *exchange, struct job *job, exchange_done_fn on_done)
{
    CHECK(job->task != NULL);
    int err = exchange_offer_command(exchange, job, on_done);
    if (err != 0)
        exchange_refuse_busy(exchange, err);
}

void exchange_submit_read(struct exchange *exchange, struct job *job, exchange_done_fn on_done)
{
    CHECK(job->task != NULL);
    struct trip *trip = trip_of(job);
    trip_depart(trip, exchange, on_done);
    int err = reader_submit(exchange->handlers->reader, job);
    if (err == 0)
        return;
    trip_turn_back(trip);
    exchange_refuse_busy(exchange, err);
}

int exchange_offer_outbound(struct exchange *exchange, struct job *job, exchange_done_fn on_done)
{
    CHECK(job->begin != NULL && job->task == NULL);
    struct trip *trip = trip_of(job);
    trip_depart(trip, exchange, on_done);
    int err = outbound_submit(exchange->handlers->outbound, job);
    if (err != 0)
        trip_turn_back(trip);
    return err;
}

void exchange_submit_outbound(struct exchange *exchange, struct job *job, exchange_done_fn on_done)
{
    int err = exchange_offer_outbound(exchange, job, on_done);
    if (err != 0)
        exchange_refuse_busy(exchange, err);
}

/* --- answering */

/* libh2o does not read while it serves an HTTP/1 request, so an end lies unread in the socket. */
bool exchange_client_is_gone(const struct exchange *exchange)
{
    h2o_conn_t *connection = exchange->req->conn;
    uint8_t next;
    if (exchange->req->version >= 0x200)
        return false;
    int fd = h2o_socket_get_fd(connection->callbacks->get_socket(connection));
    ssize_t got = recv(fd, &next, sizeof(next), MSG_PEEK | MSG_DONTWAIT);
    return got == 0 || (got < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR);
}

/* The reason phrases of the statuses we send. */
static const char *status_reason(int status)
{
    static const struct {
        int status;
        const char *reason;
    } reasons[] = {
        {200, "OK"},
        {302, "Found"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {409, "Conflict"},
        {413, "Payload Too Large"},
        {500, "Internal Server Error"},
        {502, "Bad Gateway"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
    };
    for (size_t i = 0; i < COUNT_OF(reasons); i++)
        if (reasons[i].status == status)
            return reasons[i].reason;
    return "Unknown";
}

static struct text pool_copy(struct exchange *exchange, struct text text)
{
    if (text.length == 0)
        return (struct text){"", 0};
    char *copy = h2o_mem_alloc_pool(&exchange->req->pool, text.length);
    memcpy(copy, text.base, text.length);
    return (struct text){copy, text.length};
}

static void add_standard_headers(struct exchange *exchange, const char *content_type)
{
    h2o_req_t *req = exchange->req;
    h2o_add_header(&req->pool, &req->res.headers, H2O_TOKEN_CONTENT_TYPE, NULL, content_type,
                   strlen(content_type));
    h2o_add_header(&req->pool, &req->res.headers, H2O_TOKEN_CACHE_CONTROL, NULL,
                   H2O_STRLIT("no-store"));
    char *id = h2o_mem_alloc_pool(&req->pool, REQUEST_ID_TEXT_MAX);
    struct text_buffer buffer;
    text_buffer_init(&buffer, id, REQUEST_ID_TEXT_MAX);
    text_append_int64(&buffer, (int64_t)exchange->request_id);
    exchange_add_header(exchange, "x-request-id", text_buffer_text(&buffer));
}

static const char *exchange_route_name(const struct exchange *exchange)
{
    return exchange->route == NULL ? "none" : exchange->route->name;
}

/* All bookkeeping comes before h2o_send: it may end the request. */
static void exchange_account(struct exchange *exchange, int status)
{
    int64_t duration_us = clock_monotonic_us() - exchange->received_monotonic_us;
    struct metrics *metrics = exchange->handlers->metrics;
    metrics_request(metrics, route_index(exchange->route), status, duration_us);
    if (status == 200 && exchange->tenant != NULL)
        metrics_call(metrics, exchange->tenant->tenant.id, route_index(exchange->route),
                     exchange->received_steady_us);
    log_event(LOG_DEBUG, "request", LOG_INT("request_id", exchange->request_id),
              LOG_TEXT("route", exchange_route_name(exchange)), LOG_INT("status", status),
              LOG_INT("duration_us", duration_us), LOG_TEXT_N("client", exchange_client(exchange)));
}

void exchange_reply_text(struct exchange *exchange, int status, const char *content_type,
                         struct text body)
{
    static h2o_generator_t generator = {NULL, NULL};
    if (exchange->is_answered) { /* local to this request: the first answer stands */
        log_event(LOG_ERROR, "answered_twice", LOG_INT("request_id", exchange->request_id),
                  LOG_TEXT("route", exchange_route_name(exchange)));
        return;
    }
    h2o_req_t *req = exchange->req;
    req->res.status = status;
    req->res.reason = status_reason(status);
    req->res.content_length = body.length;
    add_standard_headers(exchange, content_type);
    if (atomic_load_explicit(&exchange->handlers->is_draining, memory_order_relaxed))
        req->http1_is_persistent = 0;
    struct text copy = pool_copy(exchange, body);
    h2o_iovec_t part = h2o_iovec_init(copy.base, copy.length);
    bool is_head = h2o_memis(req->input.method.base, req->input.method.len, H2O_STRLIT("HEAD"));
    exchange_account(exchange, status);
    exchange_end(exchange);
    h2o_start_response(req, &generator);
    h2o_send(req, &part, is_head ? 0 : 1, H2O_SEND_STATE_FINAL);
}

void exchange_reply_json(struct exchange *exchange, int status, struct text body)
{
    exchange_reply_text(exchange, status, "application/json; charset=utf-8", body);
}

void exchange_refuse_as(struct exchange *exchange, int status, const char *dialect,
                        const char *code, const char *sentence)
{
    char bytes[REFUSAL_MAX];
    struct text_buffer buffer;
    text_buffer_init(&buffer, bytes, sizeof(bytes));
    if (!exchange->is_answered) /* else the dialect may be gone, and the first answer stands */
        profile_append_refusal(profile_beside(exchange->dialect, dialect), &buffer, code, sentence);
    CHECK(!buffer.is_cut);
    exchange_reply_json(exchange, status, text_buffer_text(&buffer));
}

void exchange_refuse(struct exchange *exchange, int status, const char *code, const char *sentence)
{
    const char *dialect = exchange->tenant == NULL ? "default" : exchange->tenant->tenant.profile;
    exchange_refuse_as(exchange, status, dialect, code, sentence);
}

void exchange_fail_bug(struct exchange *exchange, const char *what)
{
    log_event(LOG_ERROR, "bug", LOG_INT("request_id", exchange->request_id),
              LOG_TEXT("route", exchange_route_name(exchange)), LOG_TEXT("what", what));
    exchange_refuse(exchange, 500, error_name(ERR_BUG),
                    "Something went wrong here; please check the balance before trying again");
}

void exchange_add_header(struct exchange *exchange, const char *name_lower, struct text value)
{
    h2o_req_t *req = exchange->req;
    h2o_add_header_by_str(&req->pool, &req->res.headers, name_lower, strlen(name_lower), 0, NULL,
                          value.base, value.length);
}

void exchange_close_after(struct exchange *exchange)
{
    h2o_req_t *req = exchange->req;
    req->http1_is_persistent = 0;
    if (req->version < 0x200)
        linger_arm(exchange->loop, req->conn->callbacks->get_socket(req->conn));
}

static struct text header_at(const h2o_headers_t *headers, ssize_t at)
{
    return (struct text){headers->entries[at].value.base, headers->entries[at].value.len};
}

bool exchange_header(const struct exchange *exchange, const char *name_lower, struct text *value)
{
    const h2o_headers_t *headers = &exchange->req->headers;
    size_t length = strlen(name_lower), size = 0;
    ssize_t first = h2o_find_header_by_str(headers, name_lower, length, -1);
    if (first == -1)
        return false;
    *value = header_at(headers, first);
    if (h2o_find_header_by_str(headers, name_lower, length, first) == -1)
        return true;
    for (ssize_t at = first; at != -1; at = h2o_find_header_by_str(headers, name_lower, length, at))
        size += headers->entries[at].value.len + 1;
    struct text_buffer list;
    text_buffer_init(&list, h2o_mem_alloc_pool(&exchange->req->pool, size), size);
    for (ssize_t at = first; at != -1;
         at = h2o_find_header_by_str(headers, name_lower, length, at)) {
        if (at != first)
            text_append_char(&list, ',');
        text_append(&list, header_at(headers, at));
    }
    CHECK(!list.is_cut);
    *value = text_buffer_text(&list);
    return true;
}

struct text exchange_client(struct exchange *exchange)
{
    struct sockaddr_storage address;
    socklen_t length = exchange->req->conn->callbacks->get_peername(exchange->req->conn,
                                                                    (struct sockaddr *)&address);
    if (length == 0 || address.ss_family == AF_UNIX)
        return TEXT("local");
    char host[NI_MAXHOST];
    size_t host_length = h2o_socket_getnumerichost((struct sockaddr *)&address, length, host);
    if (host_length == SIZE_MAX)
        return TEXT("unknown");
    struct text peer = pool_copy(exchange, (struct text){host, host_length});
    /* A proxy that does not extend the caller's line adds its own after it. */
    struct text forwarded = TEXT("");
    (void)exchange_header(exchange, "x-forwarded-for", &forwarded);
    return client_address(exchange->handlers->proxies, peer, forwarded);
}

struct exchange *exchange_begin(h2o_req_t *req)
{
    struct exchange_loop *loop =
        H2O_STRUCT_FROM_MEMBER(struct exchange_loop, context, req->conn->ctx);
    struct exchange *exchange = h2o_mem_alloc_pool(&req->pool, sizeof(*exchange));
    *exchange = (struct exchange){
        .req = req,
        .loop = loop,
        .handlers = loop->handlers,
        .held = loop_take_snapshot(loop),
        .body = {req->entity.base, req->entity.len},
        .received_wall_us = clock_wall_us(),
        .received_steady_us = clock_steady_us(),
        .received_monotonic_us = clock_monotonic_us(),
        .request_id = loop->request_id_next++,
    };
    exchange->snapshot = exchange->held->snapshot;
    exchange->dialect = exchange->held->dialect;
    loop->unanswered++;
    return exchange;
}
