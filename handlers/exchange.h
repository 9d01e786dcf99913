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

#include "handlers/metrics.h"
#include "handlers/profile.h"
#include "runtime/committer.h"
#include "runtime/directory.h"
#include "runtime/reader.h"
#include "store/budget.h"
#include "store/hot.h"

#include <h2o.h>

#define BODY_MAX (64 * 1024)  /* larger is 413 */
#define REPLY_MAX (16 * 1024) /* one register reply; reports page themselves */

/* Everything a handler may use; one per process, shared by all loops, wired up by service/. */
struct handlers {
    struct directory *directory;
    struct committer *committer;
    struct reader *reader;
    struct hot *hot;
    struct budget *budget;
    struct profiles *profiles;
    const struct seal *seal;
    struct metrics *metrics;
    struct id_source random;
    const char *public_url;
    const char *store_name; /* "sqlite" */
    int64_t generation;     /* of the store; part of every reference */
    _Atomic bool
        is_draining; /* SIGTERM was seen: /readyz is red, connections close after their answer */
};

struct exchange {
    h2o_req_t *req;
    struct handlers *handlers;
    const struct route *route;
    const struct directory_snapshot *snapshot; /* held until the exchange dies */
    const struct directory_tenant *tenant; /* of the {key} in the path; NULL for routes without */
    struct text path_tail;                 /* what {name} at the end of the pattern matched */
    struct text query;                     /* after '?', undecoded */
    struct text body;
    int64_t received_wall_us;
    int64_t received_monotonic_us;
    uint64_t request_id; /* in the logs and in X-Request-Id */
    void *data;          /* the handler's own, in the request pool */
};

/* Called on the loop when the job has ended and the request is still there. error is job->error (0:
 * DONE well). The job is freed after the call: copy what the reply needs. */
typedef void (*exchange_done_fn)(struct exchange *exchange, const struct job *job);

/* Memory that lives as long as the request; zeroed. */
void *exchange_allocate(struct exchange *exchange, size_t size);

/*
 * Hand a job to the committer or a reader. The job is made by exchange_job, filled by the handler,
 * and from here on no longer the handler's. When the queue is full the exchange is answered 503
 * with Retry-After. At the deadline a job still queued is cancelled and on_done gets ERR_CANCELLED;
 * one that was taken gets ERR_UNCONFIRMED.
 */
struct job *
exchange_job(struct exchange *exchange,
             size_t extra_bytes); /* extra_bytes: after struct job, zeroed, for tasks; job + 1 */
void exchange_submit_command(struct exchange *exchange, struct job *job, exchange_done_fn on_done);
void exchange_submit_write(struct exchange *exchange, struct job *job,
                           exchange_done_fn on_done); /* a task, on the committer's thread */
void exchange_submit_read(struct exchange *exchange, struct job *job,
                          exchange_done_fn on_done); /* a task, on a reader's thread */

/* Answer, exactly once. body is copied. Sets content type, length, no-store; HEAD gets no body. */
void exchange_reply_json(struct exchange *exchange, int status, struct text body);
void exchange_reply_text(struct exchange *exchange, int status, const char *content_type,
                         struct text body);
/* {"success":false,"error":"sentence","code":"wire_name"}, in the tenant's profile where there is
 * one. */
void exchange_refuse(struct exchange *exchange, int status, const char *code, const char *sentence);

/* The value of a request header; false when it is not there. */
bool exchange_header(const struct exchange *exchange, const char *name_lower, struct text *value);

#endif
