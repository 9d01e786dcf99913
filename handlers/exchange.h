/*
 * An exchange: one HTTP request on its way to one answer. All handlers have the same silhouette on
 * it:
 *
 *     decode -> (command) -> exchange_submit -> on_done -> encode -> exchange_reply
 *
 * The exchange lives in the request's pool and dies with the request, which may happen while its
 * job is under way; the job then comes home, is freed, and on_done is not called (style: four
 * owners).
 */
#ifndef COUNTERPART_HANDLERS_EXCHANGE_H
#define COUNTERPART_HANDLERS_EXCHANGE_H

#include "handlers/client.h"
#include "handlers/metrics.h"
#include "handlers/profile.h"
#include "runtime/committer.h"
#include "runtime/directory.h"
#include "runtime/duty.h"
#include "runtime/news.h"
#include "runtime/outbound.h"
#include "runtime/reader.h"
#include "runtime/scheduler.h"
#include "store/budget.h"
#include "store/hot.h"

#include <h2o.h>

#define BODY_MAX (64 * 1024)      /* larger is 413, but where a route says more */
#define BODY_LARGEST (256 * 1024) /* no route says more; libh2o reads no further */
#define REPLY_MAX (16 * 1024)     /* one register reply; reports page themselves */

struct oauth;
struct token_keys;
struct inbox; /* lightspeed/inbox.h */
struct depot; /* store/redis_depot.h */
struct words; /* store/redis_link.h */
struct answer;

/* What this process is and where its things are: for counterpart doctor. */
struct about {
    const char *version;
    const char *data_path, *master_key_path;
    const char *api_url;    /* Lightspeed's, without a slash at its end */
    bool public_url_is_set; /* else it was made of the first address that is listened to */
    int64_t started_at_us;  /* steady */
};

/* Everything a handler may use; one per process, shared by all loops, wired up by service/. */
struct handlers {
    struct directory *directory;
    struct committer *committer;
    struct reader *reader;
    struct outbound *outbound;
    struct oseries_api *api;
    struct redeem *redeem;
    struct oauth *oauth;
    struct token_keys *token_keys; /* of our own tokens: oauth state, redeem_url */
    struct scheduler *scheduler;   /* NULL: nothing is scheduled */
    struct hot *hot;
    struct depot *depot; /* the Redis behind hot; NULL: there is none */
    struct budget *budget;
    struct profiles *profiles;
    const struct seal *seal;
    struct metrics *metrics;
    struct inbox *inbox;         /* NULL: nobody does the work that webhooks bring, as in tests */
    const struct duty *duty;     /* NULL: there is no other process, as in tests */
    struct news *news;           /* NULL: the same */
    struct reconcile *reconcile; /* NULL: nobody proves what operations became, as in tests */
    const struct client_proxies *proxies; /* whose X-Forwarded-For is believed */
    struct id_source random;
    const char *public_url;
    const char *store_name;     /* "sqlite" */
    const struct about *about;  /* what nobody but counterpart doctor asks for; NULL: in tests */
    struct seal_hmac *presence; /* handlers/presence.h; under a key of this process or its store */
    int64_t generation;         /* of the store; part of every reference */
    _Atomic bool
        is_draining; /* SIGTERM was seen: /readyz is red, connections close after their answer */
    _Atomic bool is_handed_over; /* another process has the store: what still comes here is refused,
                                    for what is remembered here may be old */
    _Atomic uint64_t epoch; /* counts loads of the directory and of the profiles; loops keep what
                               they hold of both until it moves */
    _Atomic int64_t pinged_at_us; /* /readyz: monotonic time and result of the last store ping;
                                     0: never */
    _Atomic int ping_error;
    _Atomic int64_t probed_at_us; /* the last write that /readyz tried on an unhealthy committer */
    _Atomic uint64_t looks, looks_unread; /* of orders, while a cashier waited */
};

/* A loop's share of directory and profiles: one reference for all requests of the loop that started
 * with it. */
struct exchange_snapshot;

/* What exchanges need of the loop they run on. service/ owns one per loop thread. */
struct exchange_loop {
    h2o_context_t context; /* first: found from req->conn->ctx */
    struct handlers *handlers;
    struct lane *lane;                     /* to the depot; service/'s. NULL: there is none */
    h2o_multithread_receiver_t homecoming; /* jobs that workers have given back */
    h2o_linklist_t away;                   /* jobs under way, by deadline */
    h2o_linklist_t waiting;                /* exchanges that wait their turn, oldest first */
    struct exchange_snapshot *snapshot;
    struct exchange_snapshot *retired; /* replaced, perhaps still used */
    uint64_t request_id_next;
    int64_t waiting_next_us; /* when the waiting are called at latest */
    int32_t waiting_count;
    int32_t jobs_away;
    int32_t unanswered; /* exchanges begun and not yet answered */
    int32_t lingering;  /* handlers/linger.h */
};

/*
 * On the thread that will run it: libh2o's sockets allocate from lists of the thread that made
 * them.
 *
 * ownership  the loop's memory is the caller's, zeroed; evloop stays the caller's.
 */
void exchange_loop_init(struct exchange_loop *loop, h2o_evloop_t *evloop,
                        h2o_globalconf_t *globalconf, struct handlers *handlers);
/* All jobs must be home (jobs_away 0) and all connections closed. */
void exchange_loop_finish(struct exchange_loop *loop);
/* Once per turn of the loop: ends what is past its deadline. Returns how many milliseconds the loop
 * may sleep. */
int32_t exchange_loop_tend(struct exchange_loop *loop);

struct exchange {
    h2o_req_t *req;
    struct exchange_loop *loop;
    struct handlers *handlers;
    const struct route *route;                 /* NULL: unknown path */
    const struct directory_snapshot *snapshot; /* good until the exchange is answered */
    const struct profile *dialect;             /* as long; profile_beside finds the tenant's */
    const struct directory_tenant *tenant;     /* of the {key} in the path; NULL without */
    struct text query;                         /* after '?', undecoded */
    struct text body;
    int64_t received_wall_us;   /* for local dates */
    int64_t received_steady_us; /* for the order and age of what happens here */
    int64_t received_monotonic_us;
    uint64_t request_id; /* in the logs and in X-Request-Id */
    void *data;          /* the handler's own, in the request pool */
    struct exchange_snapshot *held;
    struct waiter *waiter;   /* NULL: has never waited */
    struct reading *reading; /* handlers/budget_share.h */
    int32_t jobs_away;
    bool is_answered;
};

/* Called on the loop when the job has ended and the request is still there. error is job->error (0:
 * DONE well). After ERR_CANCELLED and ERR_UNCONFIRMED only job->error and job->command may be
 * looked at: the real job may still be the worker's. The job is freed after the call: copy what the
 * reply needs. */
typedef void (*exchange_done_fn)(struct exchange *exchange, const struct job *job);

/* Called on the loop when the job has come home and nobody waits for it: the request has died, or
 * was answered at its deadline; never besides exchange_done_fn for what it ended with. The job is
 * freed after the call. */
typedef void (*exchange_left_fn)(struct exchange_loop *loop, const struct job *job);

/* A request has arrived. It ends with its answer, or dies with its connection. */
struct exchange *exchange_begin(h2o_req_t *req);

/* Answered, or somebody will: a job is away or it waits its turn. Else its handler forgot it. */
bool exchange_is_under_way(const struct exchange *exchange);

/* Monotonic: answered by then, whatever the answer: the tenant's deadline, else JOB_DEADLINE_US. */
int64_t exchange_deadline_us(const struct exchange *exchange);

/* Memory that lives as long as the request; zeroed. */
void *exchange_allocate(struct exchange *exchange, size_t size);

/*
 * Hand a job to the committer or a reader. The job is made by exchange_job, filled by the handler,
 * and from here on no longer the handler's. When the queue is full the exchange is answered 503
 * with Retry-After. At the deadline a job still queued is cancelled and on_done gets ERR_CANCELLED;
 * one that was taken gets ERR_UNCONFIRMED. Several jobs may be under way for one exchange; on_done
 * is not called for those that come home after the answer.
 */
/* extra_bytes: after struct job, zeroed, for tasks; job + 1. All of it is wiped when it is freed.
 */
struct job *exchange_job(struct exchange *exchange, size_t extra_bytes);
void exchange_submit_command(struct exchange *exchange, struct job *job, exchange_done_fn on_done);
void exchange_submit_write(struct exchange *exchange, struct job *job,
                           exchange_done_fn on_done); /* a task, on the committer's thread */
void exchange_submit_read(struct exchange *exchange, struct job *job,
                          exchange_done_fn on_done); /* a task, on a reader's thread */
/* job->begin, on the outbound thread; it ends when something there calls job_end. */
void exchange_submit_outbound(struct exchange *exchange, struct job *job, exchange_done_fn on_done);
/* As exchange_submit_*, but the answer to a full queue is the caller's: on error the job has been
 * freed. */
MUST_CHECK int exchange_offer_command(struct exchange *exchange, struct job *job,
                                      exchange_done_fn on_done);
MUST_CHECK int exchange_offer_outbound(struct exchange *exchange, struct job *job,
                                       exchange_done_fn on_done);
/* Before the job is submitted: what to do when nobody waits for it any more. */
void exchange_watch_left(struct job *job, exchange_left_fn on_left);
/* A task for the committer that no request waits for: the job is made by exchange_loop_job, and
 * on_left is told how it ended. errors: it has been freed, and on_left is not called. */
struct job *exchange_loop_job(struct exchange_loop *loop, size_t extra_bytes);
MUST_CHECK int exchange_loop_write(struct exchange_loop *loop, struct job *job,
                                   exchange_left_fn on_left);

/*
 * Wait for something that other requests hold for a moment, such as the tokens of a guess: on_turn
 * is called when one of this loop has let go of it (exchange_wake), and at latest every 10 ms,
 * because one of another loop may have. It answers, submits, or waits again, which keeps its place
 * among the waiting. false: too many wait, or less time is left than a job needs.
 */
typedef void (*exchange_turn_fn)(struct exchange *exchange);
MUST_CHECK bool exchange_wait(struct exchange *exchange, exchange_turn_fn on_turn);
void exchange_wake(struct exchange_loop *loop); /* at the end of this turn of the loop */

/* Look a balance up in the hot tier. HOT_LATER: on_hot is called within LANE_TIMEOUT_US, unless the
 * request dies; value NULL is a miss. */
typedef void (*exchange_hot_fn)(struct exchange *exchange, const struct hot_value *value);
MUST_CHECK enum hot_answer exchange_ask_hot(struct exchange *exchange,
                                            const uint8_t index[CARD_INDEX_BYTES],
                                            struct hot_value *value, exchange_hot_fn on_hot);
/* Ask the depot anything else. on_answer is called once (answer NULL: none in time), unless the
 * request dies. false: it cannot be asked now. */
typedef void (*exchange_depot_fn)(struct exchange *exchange, const struct answer *answer);
MUST_CHECK bool exchange_ask_depot(struct exchange *exchange, const struct words *words,
                                   exchange_depot_fn on_answer);

/* What the store has answered. The request came before the store was asked: early enough for
 * hot_fill. */
void exchange_fill_hot(struct exchange *exchange, const struct card *card);

/* The client has closed the connection: what is answered now reaches nobody. Costs a system call;
 * not known of TLS and HTTP/2, whose requests die by themselves. */
bool exchange_client_is_gone(const struct exchange *exchange);

/* Answer, exactly once. body is copied. Sets content type, length, no-store; HEAD gets no body. */
void exchange_reply_json(struct exchange *exchange, int status, struct text body);
void exchange_reply_text(struct exchange *exchange, int status, const char *content_type,
                         struct text body);
/* {"success":false,"error":"sentence","code":"wire_name"}, in the tenant's dialect where there is
 * one. sentence: at most 256 bytes. */
void exchange_refuse(struct exchange *exchange, int status, const char *code, const char *sentence);
/* In the dialect of that profile. */
void exchange_refuse_as(struct exchange *exchange, int status, const char *dialect,
                        const char *code, const char *sentence);
/* One more header for the answer; before it. name and value must outlive the request (literals or
 * its pool). */
void exchange_add_header(struct exchange *exchange, const char *name_lower, struct text value);
/* The connection ends after the answer: what follows on it cannot be trusted. */
void exchange_close_after(struct exchange *exchange);
/* 503 with Retry-After: nothing has happened. */
void exchange_refuse_busy(struct exchange *exchange, int error);
/* 500 for a request-local violation of our own rules; logged. */
void exchange_fail_bug(struct exchange *exchange, const char *what);

/* The value of a request header; false when it is not there. What comes in several lines is one
 * list with commas, as a proxy on the way may make it (RFC 9110 section 5.3): so two signatures are
 * none that is good, whoever has put the second one there. */
bool exchange_header(const struct exchange *exchange, const char *name_lower, struct text *value);
/* The client's address as text: the socket's, or what a trusted proxy says. For logs. */
struct text exchange_client(struct exchange *exchange);

#endif
