/*
 * HTTP calls by libcurl, many at once, on one thread: the outbound thread's alone. The only file
 * that knows libcurl.
 *
 *     http_call_create -> http_call_start -> http_calls_ended -> http_call_destroy
 *                                          | http_call_abort
 */
#ifndef COUNTERPART_RUNTIME_HTTP_CALL_H
#define COUNTERPART_RUNTIME_HTTP_CALL_H

#include "runtime/outbound.h"

#define HTTP_CALL_HEAD_MAX                                                                         \
    (32 * 1024) /* all header lines of a reply; the real API sends some 1 KiB */

#define HTTP_CALL_REASON_MAX 256 /* libcurl's */

struct http_calls; /* libcurl's multi handle */

struct http_call {
    struct http_calls *calls; /* NULL: not started, or taken out again */
    void *easy;               /* libcurl's */
    struct curl_slist *headers;
    char *text; /* URL, method and body of the request, one behind the other */
    size_t text_size;
    const char *url, *method, *body;
    size_t body_length;
    int64_t deadline_us;
    outbound_done_fn on_done;
    void *context;
    bool is_repeatable; /* libcurl may send it again over a new connection */
    bool wants_certificate;
    bool was_sent;
    int error; /* ERR_TOO_LARGE, ERR_NO_MEMORY: why we broke it off; else 0 */
    size_t head_size;
    char *reply; /* the body of the reply so far */
    size_t reply_length, reply_room;
    char reason[HTTP_CALL_REASON_MAX]; /* libcurl's words for an error */
    struct http_call *next, *previous; /* the owner's */
};

MUST_CHECK int http_calls_create(struct http_calls **calls);
void http_calls_destroy(struct http_calls *calls); /* accepts NULL; CHECKs that none is started */
/* Until something happens, http_calls_wake is called, or timeout_us is over. */
void http_calls_wait(struct http_calls *calls, int64_t timeout_us);
void http_calls_wake(struct http_calls *calls); /* any thread */

/* Copies the request. Never NULL: memory that is short shows as call->error. */
struct http_call *http_call_create(const struct outbound_request *request, outbound_done_fn on_done,
                                   void *context);
/* errors  ERR_TIMED_OUT (no time is left), ERR_NO_MEMORY. */
MUST_CHECK int http_call_start(struct http_calls *calls, struct http_call *call, int64_t now_us);
/* Does what can be done without waiting. */
void http_calls_run(struct http_calls *calls);
/* One that has ended since, taken out, with *reply filled; NULL: no more. reply is good until the
 * call is destroyed. */
struct http_call *http_calls_ended(struct http_calls *calls, struct outbound_reply *reply);
/* Takes it out, whether it was started or not. */
void http_call_abort(struct http_call *call, int error, struct outbound_reply *reply);
void http_call_destroy(struct http_call *call); /* wipes what it carried */

#endif
