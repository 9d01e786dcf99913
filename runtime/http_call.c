/* HTTP calls by libcurl: one request each, verified, bounded, and exact about what was sent. */
#include "runtime/http_call.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/seal.h"
#include "base/url.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/banned.h"

/* Connections kept open for reuse: two hosts, and some for a rush hour. */
#define CONNECTIONS_KEPT 32
/* A server may close an idle connection just when a request takes it. A reading is then sent again;
 * a change is left in doubt. Servers wait 5 s (Apache, Node) or longer. */
#define READ_REUSE_S 60
#define CHANGE_REUSE_S 4
#define REPLY_ROOM_FIRST 4096
#define USER_AGENT "counterpart"

_Static_assert(HTTP_CALL_REASON_MAX >= CURL_ERROR_SIZE, "libcurl writes as much");

struct http_calls {
    CURLM *multi;
    const char *authorities; /* a file of certificates; NULL: the system's */
    int32_t count;           /* started and not taken out */
};

/* --- what libcurl calls ----------------------------------------------------------------------- */

/*
 * Just before the request goes out over a connection that stands. libcurl 7.88 repeats a request of
 * its own accord, a POST too, when a kept connection ends without a byte of reply: but the other
 * side may have read it and acted on it, so a second issue of a change is forbidden.
 */
static int on_issue(void *context, char *peer, char *local, int peer_port, int local_port)
{
    struct http_call *call = context;
    (void)peer, (void)local, (void)peer_port, (void)local_port;
    if (call->was_sent && !call->is_repeatable)
        return CURL_PREREQFUNC_ABORT;
    call->was_sent = true;
    return CURL_PREREQFUNC_OK;
}

/* Called for the head of every response, 1xx and trailers too: only counts. What the reply's own
 * head says is asked of libcurl when it has ended. */
static size_t on_header(char *bytes, size_t size, size_t count, void *context)
{
    struct http_call *call = context;
    (void)bytes;
    call->head_size += size * count;
    if (call->head_size <= HTTP_CALL_HEAD_MAX)
        return size * count;
    call->error = ERR_TOO_LARGE;
    return 0;
}

/* By hand instead of realloc, which leaves copies: replies carry tokens. */
static bool reply_grow(struct http_call *call, size_t wanted)
{
    size_t room = call->reply_room == 0 ? REPLY_ROOM_FIRST : call->reply_room;
    while (room < wanted)
        room *= 2;
    if (room == call->reply_room)
        return true;
    char *grown = malloc(room);
    if (grown == NULL)
        return false;
    if (call->reply != NULL) {
        memcpy(grown, call->reply, call->reply_length);
        seal_wipe(call->reply, call->reply_length);
        free(call->reply);
    }
    call->reply = grown;
    call->reply_room = room;
    return true;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *context)
{
    struct http_call *call = context;
    size_t length = size * count;
    if (length > OUTBOUND_REPLY_MAX - call->reply_length)
        call->error = ERR_TOO_LARGE;
    else if (!reply_grow(call, call->reply_length + length))
        call->error = ERR_NO_MEMORY;
    if (call->error != 0)
        return 0;
    if (length > 0)
        memcpy(call->reply + call->reply_length, bytes, length);
    call->reply_length += length;
    return length;
}

/* --- the request ------------------------------------------------------------------------------ */

static bool add_header(struct http_call *call, const char *line)
{
    struct curl_slist *longer = curl_slist_append(call->headers, line);
    if (longer != NULL)
        call->headers = longer;
    return longer != NULL;
}

static bool copy_headers(struct http_call *call, const struct outbound_request *request)
{
    bool is_fine = add_header(call, "Expect:"); /* none: it would cost a second of waiting */
    for (int i = 0; i < OUTBOUND_HEADERS_MAX && request->headers[i] != NULL; i++)
        is_fine = is_fine && add_header(call, request->headers[i]);
    return is_fine;
}

static bool copy_texts(struct http_call *call, const struct outbound_request *request)
{
    size_t url_size = strlen(request->url) + 1;
    size_t method_size = strlen(request->method) + 1;
    call->text_size = url_size + method_size + request->body.length + 1;
    call->text = calloc(1, call->text_size);
    if (call->text == NULL)
        return false;
    memcpy(call->text, request->url, url_size);
    memcpy(call->text + url_size, request->method, method_size);
    if (request->body.length > 0)
        memcpy(call->text + url_size + method_size, request->body.base, request->body.length);
    call->url = call->text;
    call->method = call->url + url_size;
    call->body = call->method + method_size;
    call->body_length = request->body.length;
    return true;
}

struct http_call *http_call_create(const struct outbound_request *request, outbound_done_fn on_done,
                                   void *context)
{
    struct http_call *call = calloc(1, sizeof(*call));
    CHECK(call != NULL); /* 200 bytes; there would be nobody to tell */
    call->deadline_us = request->deadline_us;
    call->on_done = on_done;
    call->context = context;
    call->is_repeatable = strcmp(request->method, "GET") == 0;
    call->wants_certificate = request->wants_certificate;
    if (!copy_texts(call, request) || !copy_headers(call, request))
        call->error = ERR_NO_MEMORY;
    return call;
}

static bool set_method(const struct http_call *call)
{
    CURL *easy = call->easy;
    bool is_post = strcmp(call->method, "POST") == 0;
    bool has_body = is_post || strcmp(call->method, "PUT") == 0 || call->body_length > 0;
    if (!has_body && call->is_repeatable)
        return curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L) == CURLE_OK;
    if (curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, call->method) != CURLE_OK)
        return false;
    if (!has_body)
        return true;
    /* POSTFIELDS makes it a POST with a length, also of 0; without it libcurl would read a body
     * from standard input. */
    return curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->body_length) ==
               CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_POSTFIELDS, call->body) == CURLE_OK;
}

static bool set_callbacks(struct http_call *call)
{
    CURL *easy = call->easy;
    return curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_issue) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_PREREQDATA, call) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_HEADERDATA, call) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_WRITEDATA, call) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_PRIVATE, call) == CURLE_OK;
}

/* The environment's proxy is libcurl's default. What is for this machine goes without one: it may
 * be unencrypted, and a proxy would be somebody else who reads it. */
static bool set_proxy(struct http_call *call)
{
    return !url_is_loopback(text_of(call->url)) ||
           curl_easy_setopt(call->easy, CURLOPT_NOPROXY, "*") == CURLE_OK;
}

/* What libcurl verifies of https is its default: chain and host name. Certificates are told of a
 * handshake, so who asks for them gets one. */
static bool set_trust(struct http_call *call, const char *authorities)
{
    CURL *easy = call->easy;
    long wants = call->wants_certificate;
    return (authorities == NULL ||
            curl_easy_setopt(easy, CURLOPT_CAINFO, authorities) == CURLE_OK) &&
           curl_easy_setopt(easy, CURLOPT_CERTINFO, wants) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, wants) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, call->reason) == CURLE_OK;
}

static bool set_limits(struct http_call *call, int64_t left_us)
{
    CURL *easy = call->easy;
    long reuse_s = call->is_repeatable ? READ_REUSE_S : CHANGE_REUSE_S;
    return curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)(left_us / 1000)) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN, reuse_s) == CURLE_OK &&
           /* No signals for time-outs: they belong to the main thread. */
           curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
           /* A look-up that outlasts its request is left behind; else its end would be waited for,
            * and everybody with it. */
           curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L) == CURLE_OK;
}

static bool set_all(struct http_call *call, int64_t left_us)
{
    CURL *easy = call->easy;
    return curl_easy_setopt(easy, CURLOPT_URL, call->url) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_USERAGENT, USER_AGENT) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_HTTPHEADER, call->headers) == CURLE_OK &&
           set_method(call) && set_callbacks(call) && set_proxy(call) && set_limits(call, left_us);
}

int http_call_start(struct http_calls *calls, struct http_call *call, int64_t now_us)
{
    int64_t left_us = call->deadline_us - now_us;
    if (call->error != 0)
        return call->error;
    if (left_us < 1000)
        return ERR_TIMED_OUT; /* and 0 ms would mean: no limit */
    call->easy = curl_easy_init();
    if (call->easy == NULL)
        return ERR_NO_MEMORY;
    if (!set_all(call, left_us) || !set_trust(call, calls->authorities))
        return ERR_NO_MEMORY;
    if (curl_multi_add_handle(calls->multi, call->easy) != CURLM_OK)
        return ERR_NO_MEMORY;
    call->calls = calls;
    calls->count++;
    return 0;
}

/* --- the reply -------------------------------------------------------------------------------- */

static struct text header_of(const struct http_call *call, const char *name)
{
    struct curl_header *header;
    if (curl_easy_header(call->easy, name, 0, CURLH_HEADER, -1, &header) != CURLHE_OK)
        return (struct text){NULL, 0};
    return text_trim(text_of(header->value));
}

/* As HTTP and as TLS libraries write it, in whole seconds; 0: it cannot be read. */
static int64_t parse_date_us(const char *date)
{
    time_t date_s = curl_getdate(date, NULL);
    return date_s > 0 && date_s <= INT64_MAX / CLOCK_US_PER_S ? date_s * CLOCK_US_PER_S : 0;
}

static int64_t read_date_us(const struct http_call *call)
{
    struct curl_header *header;
    if (curl_easy_header(call->easy, "Date", 0, CURLH_HEADER, -1, &header) != CURLHE_OK)
        return 0;
    return parse_date_us(header->value);
}

/* "Expire date:Jan  1 00:00:00 2030 GMT", among other lines of each certificate. */
static int64_t read_certificate_end_us(const struct http_call *call)
{
    static const struct text label = {"Expire date:", 12};
    struct curl_certinfo *chain = NULL;
    int64_t ends_us = 0;
    if (curl_easy_getinfo(call->easy, CURLINFO_CERTINFO, &chain) != CURLE_OK || chain == NULL)
        return 0;
    for (int i = 0; i < chain->num_of_certs; i++)
        for (const struct curl_slist *line = chain->certinfo[i]; line != NULL; line = line->next) {
            struct text text = text_of(line->data);
            if (!text_starts_with(text, label))
                continue;
            int64_t end_us = parse_date_us(line->data + label.length);
            if (end_us != 0 && (ends_us == 0 || end_us < ends_us))
                ends_us = end_us;
        }
    return ends_us;
}

static void reply_read_head(const struct http_call *call, struct outbound_reply *reply)
{
    long status = 0;
    if (curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status) != CURLE_OK || status < 200)
        return; /* none came, or no more than a "100 Continue" */
    reply->status = (int)status;
    reply->told_at_us = read_date_us(call);
    reply->location = header_of(call, "Location");
    reply->content_type = header_of(call, "Content-Type");
    reply->next_page = header_of(call, "X-Next-Page");
    reply->pages = header_of(call, "X-Pages");
    reply->retry_after = header_of(call, "Retry-After");
    reply->ratelimit_limit = header_of(call, "X-Ratelimit-Limit");
    reply->ratelimit_remaining = header_of(call, "X-Ratelimit-Remaining");
    reply->ratelimit_reset = header_of(call, "X-Ratelimit-Reset");
}

static void reply_fill(const struct http_call *call, int error, struct outbound_reply *reply)
{
    *reply = (struct outbound_reply){
        .error = error, .was_sent = call->was_sent, .reason = text_of(call->reason)};
    if (call->easy != NULL && call->wants_certificate)
        reply->certificate_ends_us = read_certificate_end_us(call);
    if (call->easy != NULL && call->was_sent)
        reply_read_head(call, reply);
    if (error == 0)
        reply->body = (struct text){call->reply, call->reply_length};
}

static int error_of(const struct http_call *call, CURLcode code)
{
    if (code == CURLE_OK)
        return 0;
    if (call->error != 0)
        return call->error; /* we broke it off */
    if (code == CURLE_OPERATION_TIMEDOUT)
        return ERR_TIMED_OUT;
    if (code == CURLE_OUT_OF_MEMORY)
        return ERR_NO_MEMORY;
    return call->was_sent ? ERR_CONNECTION_LOST : ERR_UNREACHABLE;
}

/* libcurl's own words: whoever set the address or runs the firewall needs them. Neither address nor
 * anything that was sent is among them. */
static void log_failure(const struct http_call *call, CURLcode code)
{
    if (code == CURLE_OK)
        return;
    char *peer = NULL;
    const char *reason = code == CURLE_ABORTED_BY_CALLBACK
                             ? "The connection ended without a reply; not sent again"
                             : curl_easy_strerror(code);
    if (curl_easy_getinfo(call->easy, CURLINFO_PRIMARY_IP, &peer) != CURLE_OK)
        peer = NULL;
    log_event(LOG_INFO, "outbound_failed", LOG_TEXT("method", call->method), LOG_TEXT("peer", peer),
              LOG_INT("code", code), LOG_TEXT("reason", reason), LOG_BOOL("sent", call->was_sent));
}

static void http_call_take_out(struct http_call *call)
{
    if (call->calls == NULL)
        return;
    CHECK(curl_multi_remove_handle(call->calls->multi, call->easy) == CURLM_OK);
    call->calls->count--;
    call->calls = NULL;
}

void http_calls_run(struct http_calls *calls)
{
    int running;
    CURLMcode code = curl_multi_perform(calls->multi, &running);
    if (code != CURLM_OK)
        log_event(LOG_ERROR, "outbound_perform_failed",
                  LOG_TEXT("reason", curl_multi_strerror(code)));
}

struct http_call *http_calls_ended(struct http_calls *calls, struct outbound_reply *reply)
{
    int left;
    CURLMsg *message;
    while ((message = curl_multi_info_read(calls->multi, &left)) != NULL) {
        if (message->msg != CURLMSG_DONE)
            continue;
        CURLcode code = message->data.result; /* the message is gone when its handle is */
        char *private = NULL;
        CHECK(curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &private) == CURLE_OK);
        struct http_call *call = (void *)private;
        http_call_take_out(call);
        log_failure(call, code);
        reply_fill(call, error_of(call, code), reply);
        return call;
    }
    return NULL;
}

void http_call_abort(struct http_call *call, int error, struct outbound_reply *reply)
{
    CHECK(error != 0);
    http_call_take_out(call);
    reply_fill(call, error, reply);
}

static void free_headers(struct curl_slist *headers)
{
    for (struct curl_slist *each = headers; each != NULL; each = each->next)
        seal_wipe(each->data, strlen(each->data));
    curl_slist_free_all(headers);
}

void http_call_destroy(struct http_call *call)
{
    CHECK(call->calls == NULL);
    if (call->easy != NULL)
        curl_easy_cleanup(call->easy);
    free_headers(call->headers);
    if (call->text != NULL)
        seal_wipe(call->text, call->text_size);
    free(call->text);
    if (call->reply != NULL)
        seal_wipe(call->reply, call->reply_length);
    free(call->reply);
    free(call);
}

/* --- all of them ------------------------------------------------------------------------------ */

void http_calls_wait(struct http_calls *calls, int64_t timeout_us)
{
    int timeout_ms = (int)((timeout_us + 999) / 1000); /* up: else the rest is spun away */
    if (curl_multi_poll(calls->multi, NULL, 0, timeout_ms, NULL) != CURLM_OK)
        usleep(10000); /* no memory to wait with */
}

void http_calls_wake(struct http_calls *calls)
{
    CHECK(curl_multi_wakeup(calls->multi) == CURLM_OK);
}

int http_calls_create(struct http_calls **calls)
{
    /* Counted by libcurl, and safe from any thread since 7.84. */
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return ERR_NO_MEMORY;
    struct http_calls *made = calloc(1, sizeof(*made));
    if (made == NULL)
        goto err_after_init;
    made->authorities = getenv("SSL_CERT_FILE"); /* as the curl tool and OpenSSL do */
    made->multi = curl_multi_init();
    /* Without descriptors for its socket pair, multi_init still succeeds. */
    if (made->multi == NULL || curl_multi_wakeup(made->multi) != CURLM_OK)
        goto err_after_calloc;
    CHECK(curl_multi_setopt(made->multi, CURLMOPT_MAXCONNECTS, (long)CONNECTIONS_KEPT) == CURLM_OK);
    *calls = made;
    return 0;
err_after_calloc:
    if (made->multi != NULL)
        curl_multi_cleanup(made->multi);
    free(made);
err_after_init:
    curl_global_cleanup();
    return ERR_NO_MEMORY;
}

void http_calls_destroy(struct http_calls *calls)
{
    if (calls == NULL)
        return;
    CHECK(calls->count == 0); /* easy handles go first, then the multi handle */
    CHECK(curl_multi_cleanup(calls->multi) == CURLM_OK);
    free(calls);
    curl_global_cleanup();
}
