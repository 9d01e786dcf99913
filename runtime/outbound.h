/*
 * The outbound thread: libcurl multi, timers, and a mailbox. Whatever talks to Lightspeed (oauth/,
 * lightspeed/) runs on this one thread and therefore needs no locks; it never waits for anything:
 * not for a reply, not for the store.
 *
 * It is also a worker like the committer: exchanges hand it jobs (runtime/job.h) whose begin
 * function starts something and whose end comes later, by job_end.
 */
#ifndef COUNTERPART_RUNTIME_OUTBOUND_H
#define COUNTERPART_RUNTIME_OUTBOUND_H

#include "base/text.h"
#include "runtime/job.h"

#define OUTBOUND_QUEUE_MAX 4096         /* jobs in the mailbox; beyond it ERR_QUEUE_FULL */
#define OUTBOUND_REPLY_MAX (256 * 1024) /* a full order of 200 lines has some 80 KiB */
#define OUTBOUND_HEADERS_MAX 8
#define OUTBOUND_IN_FLIGHT_MAX 256 /* requests at libcurl; more wait their turn, oldest first */

/* Requests at libcurl when the end begins may still get their replies: one of them may carry a
 * refresh token that is given once. */
#define OUTBOUND_GRACE_US (INT64_C(2) * 1000000)

struct outbound;

/* Starts the thread. */
MUST_CHECK int outbound_create(struct outbound **outbound);
/*
 * The end, in two steps around that of the store's workers:
 *
 *     outbound_drain -> committer_stop, reader_stop -> outbound_stop -> ... -> outbound_destroy
 *
 * drain: from now on later jobs and requests get ERR_SHUTTING_DOWN, requests that wait their turn
 * too, and after OUTBOUND_GRACE_US those under way; the watches are called. Returns when nothing is
 * under way (requests, jobs, errands), after another second at latest: what replies brought has
 * been written by then, unless the store hangs, and that only committer_stop can end.
 * stop: drains if that was not done; waits for jobs and errands that are left; joins the thread.
 * Messages that come later are forgotten, timers that are left never run.
 */
void outbound_drain(struct outbound *outbound);   /* accepts NULL */
void outbound_stop(struct outbound *outbound);    /* accepts NULL */
void outbound_destroy(struct outbound *outbound); /* accepts NULL; stops it if that was not done */

/* --- from any thread ------------------------------------------------------------------------- */

/* job->begin is called on the outbound thread when the job could be taken (job_take). Takes
 * ownership on success. errors: ERR_QUEUE_FULL, ERR_SHUTTING_DOWN: the job stays the caller's. */
MUST_CHECK int outbound_submit(struct outbound *outbound, struct job *job);

/* A message: fn(context) on the outbound thread, in order. Memory of the message is the caller's
 * and must live until it has run; it is not bounded, for it brings back what was under way. */
typedef void (*outbound_fn)(void *context);
struct outbound_message {
    outbound_fn fn;
    void *context;
    bool is_expected;              /* outbound_expect */
    struct outbound_message *next; /* the mailbox's */
};
void outbound_post(struct outbound *outbound, struct outbound_message *message);

/* fn(context) once, on the outbound thread, when the end begins, or soon when it has begun: ends
 * what waits for a timer. Never when the thread has ended. The watch's memory is the caller's and
 * lives until outbound_stop has returned. */
struct outbound_watch {
    outbound_fn fn;
    void *context;
    struct outbound_watch *next; /* the thread's */
};
void outbound_watch_end(struct outbound *outbound, struct outbound_watch *watch, outbound_fn fn,
                        void *context);

/* --- on the outbound thread ------------------------------------------------------------------ */

/* fn(context) once, not before due. The timer's memory is the caller's until it has run or was
 * cancelled. Setting one that is set moves it. */
struct outbound_timer {
    int64_t due_us; /* monotonic */
    outbound_fn fn;
    void *context;
    bool is_set;
    struct outbound_timer *next; /* the thread's, by due_us */
};
void outbound_set_timer(struct outbound *outbound, struct outbound_timer *timer, int64_t due_us,
                        outbound_fn fn, void *context);
void outbound_cancel_timer(struct outbound *outbound, struct outbound_timer *timer);

/* The end has begun: nothing new should be started. */
MUST_CHECK bool outbound_is_ending(const struct outbound *outbound);
/* This message will be posted for certain: the end waits for it. (runtime/errand.c) */
void outbound_expect(struct outbound *outbound, struct outbound_message *message);

struct outbound_request {
    const char *method;                        /* "GET", "POST", "PUT", "DELETE" */
    const char *url;                           /* http:// or https:// */
    const char *headers[OUTBOUND_HEADERS_MAX]; /* "name: value"; NULL at the end */
    struct text body;    /* sent when its length is not 0 or the method is POST or PUT */
    int64_t deadline_us; /* monotonic */
    /* https: over a new connection, and the reply tells the end of its certificates. */
    bool wants_certificate;
};

struct outbound_reply {
    /* 0: a whole HTTP reply came, whatever its status. ERR_TIMED_OUT, ERR_UNREACHABLE (no
     * connection was made), ERR_CONNECTION_LOST (it ended before the reply was whole),
     * ERR_TOO_LARGE, ERR_SHUTTING_DOWN, ERR_NO_MEMORY. */
    int error;
    bool was_sent;        /* the other side may have acted on it: false only when that is certain */
    int status;           /* 0: none came. It and the headers may have come before an error */
    int64_t told_at_us;   /* Date: by the other side's wall clock; 0: it does not say */
    struct text body;     /* empty beside an error */
    struct text location; /* headers; empty when absent */
    struct text content_type;
    struct text next_page;                                             /* X-Next-Page */
    struct text pages;                                                 /* X-Pages */
    struct text retry_after;                                           /* Retry-After */
    struct text ratelimit_limit, ratelimit_remaining, ratelimit_reset; /* X-Ratelimit-* */
    /* The first end among the certificates that the other side has shown; 0: not asked for, or
     * none. */
    int64_t certificate_ends_us;
    struct text reason; /* libcurl's words for an error; may name the host. For people */
};
/* reply and its texts are good for the call only. */
typedef void (*outbound_done_fn)(void *context, const struct outbound_reply *reply);

/*
 * Send a request. Certificates of https are verified, against the system's authorities or those of
 * the environment's SSL_CERT_FILE. The proxy of the environment (https_proxy, no_proxy ...) is
 * used, but never for this machine (url_is_loopback). Redirects are not followed:
 * who follows one decides what it carries. A GET may go out twice, when a kept connection ends
 * without a reply; nothing else ever does. Neither bodies nor Authorization are ever logged.
 *
 * ownership  request is copied. on_done is called exactly once, later, never from inside the call.
 */
void outbound_send(struct outbound *outbound, const struct outbound_request *request,
                   outbound_done_fn on_done, void *context);

struct outbound_counters {
    uint64_t requests, failures, timeouts;
    int32_t in_flight, waiting;
};
void outbound_read_counters(struct outbound *outbound, struct outbound_counters *counters);

#endif
