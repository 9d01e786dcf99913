/* Sends the register's bytes with libcurl, one by one, at once, or cut off before the reply. */
#include "mocks/register/wire.h"

#include "base/clock.h"
#include "base/error.h"

#include <curl/curl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/banned.h"

#define MS_PER_S 1000
#define USER_AGENT "tillsim"
/* Request line, host and headers around a body: the address twice, and some short lines. */
#define HEAD_MAX (2 * REQUEST_URL_MAX + 4096)

/* An interrupt is noticed within this. */
#define SLICE_US 100000
/* Of a body; payments have some hundred bytes, a list of 20 members some 8 KiB. */
#define BODY_ROOM_FIRST (64 * 1024)
/* Of a reply that is cut in the middle: less than any status line with a header. */
#define MID_REPLY_BYTES 24

static const char DROPPED_UNSENT[] = "the connection broke before the request was sent";
static const char WAITED_IN_VAIN[] = "no reply within the time that the till waits";
static const char INTERRUPTED[] = "the till was switched off";

static atomic_bool is_interrupted;

struct call {
    CURL *curl;
    struct curl_slist *headers;
};

void wire_start(void)
{
    CHECK(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
}

void wire_finish(void)
{
    curl_global_cleanup();
}

void wire_interrupt(void)
{
    atomic_store(&is_interrupted, true);
}

void wire_wait(int64_t wait_us)
{
    int64_t until_us = clock_monotonic_us() + wait_us;
    int64_t left_us;
    while (!atomic_load(&is_interrupted) && (left_us = until_us - clock_monotonic_us()) > 0)
        (void)poll(NULL, 0, (int)(clock_sooner_us(left_us, SLICE_US) / MS_PER_S) + 1);
}

int reply_init(struct reply *reply)
{
    *reply = (struct reply){.body_room = BODY_ROOM_FIRST};
    reply->body = malloc(BODY_ROOM_FIRST);
    reply->sent_head = calloc(1, HEAD_KEPT_MAX);
    reply->head = calloc(1, HEAD_KEPT_MAX);
    return reply->body == NULL || reply->sent_head == NULL || reply->head == NULL ? ERR_NO_MEMORY
                                                                                  : 0;
}

void reply_finish(struct reply *reply)
{
    free(reply->body);
    free(reply->sent_head);
    free(reply->head);
    *reply = (struct reply){0};
}

static void body_make_room(struct reply *reply, size_t length)
{
    size_t room = reply->body_room;
    while (room < length)
        room *= 2;
    if (room == reply->body_room)
        return;
    reply->body = realloc(reply->body, room);
    CHECK(reply->body != NULL);
    reply->body_room = room;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *context)
{
    struct reply *reply = context;
    size_t length = size * count;
    size_t room = REPLY_BODY_MAX - reply->body_length;
    size_t kept = length < room ? length : room;
    body_make_room(reply, reply->body_length + kept);
    memcpy(reply->body + reply->body_length, bytes, kept);
    reply->body_length += kept;
    reply->is_cut = reply->is_cut || kept < length;
    return length;
}

static void header_keep(struct text line, struct text name, char out[REPLY_HEADER_MAX])
{
    if (line.length <= name.length || line.base[name.length] != ':' ||
        !text_equal_nocase(text_slice(line, 0, name.length), name))
        return;
    struct text_buffer value;
    text_buffer_init(&value, out, REPLY_HEADER_MAX);
    text_append(&value, text_trim(text_slice(line, name.length + 1, line.length)));
}

/* A header line behind those that are kept; a request or status line is none. */
static void head_keep(char *head, struct text line)
{
    size_t used = strlen(head);
    struct text trimmed = text_trim(line);
    size_t colon = 0;
    while (colon < trimmed.length && trimmed.base[colon] != ':' && trimmed.base[colon] != ' ')
        colon++;
    if (colon == trimmed.length || trimmed.base[colon] == ' ' ||
        used + trimmed.length + 2 > HEAD_KEPT_MAX)
        return;
    memcpy(head + used, trimmed.base, trimmed.length);
    memcpy(head + used + trimmed.length, "\n", 2);
}

static void head_keep_all(char *head, struct text lines)
{
    while (lines.length > 0) {
        const char *end = memchr(lines.base, '\n', lines.length);
        size_t length = end == NULL ? lines.length : (size_t)(end - lines.base) + 1;
        head_keep(head, text_slice(lines, 0, length));
        lines = text_slice(lines, length, lines.length);
    }
}

/* Only what was sent as head is of interest here. */
static int on_debug(CURL *curl, curl_infotype type, char *bytes, size_t size, void *context)
{
    struct reply *reply = context;
    (void)curl;
    if (type == CURLINFO_HEADER_OUT)
        head_keep_all(reply->sent_head, (struct text){bytes, size});
    return 0;
}

static int on_progress(void *context, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    (void)context, (void)a, (void)b, (void)c, (void)d;
    return atomic_load(&is_interrupted);
}

static size_t on_header(char *bytes, size_t size, size_t count, void *context)
{
    struct reply *reply = context;
    struct text line = {bytes, size * count};
    head_keep(reply->head, line);
    header_keep(line, TEXT("content-type"), reply->content_type);
    header_keep(line, TEXT("content-length"), reply->content_length);
    header_keep(line, TEXT("x-request-id"), reply->request_id);
    return size * count;
}

static void header_add(struct curl_slist **headers, const char *name, const char *value)
{
    char line[256];
    struct text_buffer buffer;
    text_buffer_init(&buffer, line, sizeof(line));
    text_append_format(&buffer, "%s: %s", name, value);
    struct curl_slist *longer = curl_slist_append(*headers, line);
    CHECK(longer != NULL);
    *headers = longer;
}

/* "Name: value" of libcurl's own list: without a value it says "Name;", and "Name:" takes away what
 * libcurl would add. */
static void header_line_add(struct curl_slist **headers, struct text line)
{
    char *copy = malloc(line.length + 1);
    CHECK(copy != NULL);
    memcpy(copy, line.base, line.length);
    copy[line.length] = '\0';
    if (line.length > 0 && copy[line.length - 1] == ':')
        copy[line.length - 1] = ';';
    struct curl_slist *longer = curl_slist_append(*headers, copy);
    CHECK(longer != NULL);
    *headers = longer;
    free(copy);
}

static bool lines_name(const char *lines, const char *name)
{
    for (struct text rest = text_of(lines); rest.length > 0;) {
        size_t end = strcspn(rest.base, "\n");
        if (end > strlen(name) && rest.base[strlen(name)] == ':' &&
            text_equal_nocase(text_slice(rest, 0, strlen(name)), text_of(name)))
            return true;
        rest = text_slice(rest, end + 1, rest.length);
    }
    return false;
}

static void header_lines_add(struct curl_slist **headers, const char *lines)
{
    static const char *const ADDED[] = {"Accept", "Content-Type"};
    for (struct text rest = text_of(lines); rest.length > 0;) {
        size_t end = strcspn(rest.base, "\n");
        header_line_add(headers, text_trim(text_slice(rest, 0, end)));
        rest = text_slice(rest, end + 1, rest.length);
    }
    for (size_t i = 0; i < COUNT_OF(ADDED); i++) {
        if (!lines_name(lines, ADDED[i]))
            *headers = curl_slist_append(*headers, i == 0 ? "Accept:" : "Content-Type:");
    }
}

static void headers_add(struct curl_slist **headers, const struct request *request)
{
    if (request->header_lines != NULL) {
        header_lines_add(headers, request->header_lines);
        return;
    }
    if (request->content_type != NULL)
        header_add(headers, "Content-Type", request->content_type);
    if (request->signature[0] != '\0')
        header_add(headers, "X-Kounta-Signature", request->signature);
}

/* Proxies are ignored: the till under test is usually on this machine. */
static void call_set_common(CURL *curl, const struct request *request, int64_t timeout_s)
{
    curl_easy_setopt(curl, CURLOPT_URL, request->url);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)timeout_s * MS_PER_S);
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
    if (request->credentials != NULL) {
        curl_easy_setopt(curl, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
        curl_easy_setopt(curl, CURLOPT_USERPWD, request->credentials);
    }
}

static void call_set_body(CURL *curl, const struct request *request)
{
    if (request->content_type == NULL && request->body.length == 0)
        return;
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request->method);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.length);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request->body.base);
}

static struct call call_create(const struct request *request, int64_t timeout_s,
                               struct reply *reply)
{
    struct call call = {.curl = curl_easy_init()};
    CHECK(call.curl != NULL);
    headers_add(&call.headers, request);
    call_set_common(call.curl, request, timeout_s);
    curl_easy_setopt(call.curl, CURLOPT_HTTPHEADER, call.headers);
    if (request->header_lines == NULL)
        curl_easy_setopt(call.curl, CURLOPT_USERAGENT, USER_AGENT);
    curl_easy_setopt(call.curl, CURLOPT_VERBOSE, 1L);
    curl_easy_setopt(call.curl, CURLOPT_DEBUGFUNCTION, on_debug);
    curl_easy_setopt(call.curl, CURLOPT_DEBUGDATA, reply);
    curl_easy_setopt(call.curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    call_set_body(call.curl, request);
    curl_easy_setopt(call.curl, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(call.curl, CURLOPT_WRITEDATA, reply);
    curl_easy_setopt(call.curl, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(call.curl, CURLOPT_HEADERDATA, reply);
    return call;
}

static void call_destroy(struct call *call)
{
    curl_easy_cleanup(call->curl);
    curl_slist_free_all(call->headers);
}

static void call_finish(const struct call *call, CURLcode code, struct reply *reply)
{
    long status = 0;
    curl_off_t time_us = 0;
    curl_easy_getinfo(call->curl, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(call->curl, CURLINFO_TOTAL_TIME_T, &time_us);
    reply->status = (int)status;
    reply->time_us = (int64_t)time_us;
    reply->failure = code == CURLE_OK                    ? NULL
                     : code == CURLE_ABORTED_BY_CALLBACK ? INTERRUPTED
                                                         : curl_easy_strerror(code);
}

void wire_send(const struct request *request, int64_t timeout_s, struct reply *reply)
{
    struct call call = call_create(request, timeout_s, reply);
    CURLcode code = curl_easy_perform(call.curl);
    call_finish(&call, code, reply);
    call_destroy(&call);
}

static void calls_run(CURLM *multi)
{
    int running = 1;
    while (running > 0) {
        CURLMcode code = curl_multi_perform(multi, &running);
        if (code == CURLM_OK && running > 0)
            code = curl_multi_poll(multi, NULL, 0, MS_PER_S, NULL);
        CHECK(code == CURLM_OK);
    }
}

static void calls_collect(CURLM *multi, const struct call *calls, struct reply *replies,
                          size_t count)
{
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(multi, &left)) != NULL) {
        for (size_t i = 0; i < count; i++) {
            if (calls[i].curl == message->easy_handle)
                call_finish(&calls[i], message->data.result, &replies[i]);
        }
    }
}

void wire_send_at_once(const struct request *request, int64_t timeout_s, struct reply *replies,
                       size_t count)
{
    struct call calls[SENDS_MAX];
    CHECK(count <= SENDS_MAX);
    CURLM *multi = curl_multi_init();
    CHECK(multi != NULL);
    for (size_t i = 0; i < count; i++) {
        calls[i] = call_create(request, timeout_s, &replies[i]);
        CHECK(curl_multi_add_handle(multi, calls[i].curl) == CURLM_OK);
    }
    calls_run(multi);
    calls_collect(multi, calls, replies, count);
    for (size_t i = 0; i < count; i++) {
        curl_multi_remove_handle(multi, calls[i].curl);
        call_destroy(&calls[i]);
    }
    curl_multi_cleanup(multi);
}

static void head_write_address(struct text_buffer *head, const char *method, CURLU *url)
{
    char *host = NULL, *port = NULL, *path = NULL, *query = NULL;
    CHECK(curl_url_get(url, CURLUPART_HOST, &host, 0) == CURLUE_OK);
    CHECK(curl_url_get(url, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) == CURLUE_OK);
    CHECK(curl_url_get(url, CURLUPART_PATH, &path, 0) == CURLUE_OK);
    curl_url_get(url, CURLUPART_QUERY, &query, 0); /* stays NULL when there is none */
    text_append_format(head, "%s %s%s%s HTTP/1.1\r\nHost: %s:%s\r\n", method, path,
                       query != NULL ? "?" : "", query != NULL ? query : "", host, port);
    curl_free(host);
    curl_free(port);
    curl_free(path);
    curl_free(query);
}

/* The request as raw bytes, since libcurl reads a reply whenever it writes a request. The address
 * was good enough to connect to, so it parses. */
static void head_write(struct text_buffer *head, const struct request *request)
{
    CURLU *url = curl_url();
    CHECK(url != NULL && curl_url_set(url, CURLUPART_URL, request->url, 0) == CURLUE_OK);
    head_write_address(head, request->method, url);
    curl_url_cleanup(url);
    text_append_format(head, "User-Agent: " USER_AGENT "\r\nAccept: */*\r\n");
    if (request->content_type != NULL)
        text_append_format(head, "Content-Type: %s\r\n", request->content_type);
    if (request->signature[0] != '\0')
        text_append_format(head, "X-Kounta-Signature: %s\r\n", request->signature);
    if (request->content_type != NULL)
        text_append_format(head, "Content-Length: %zu\r\n", request->body.length);
    text_append_format(head, "\r\n");
    CHECK(!head->is_cut);
}

static curl_socket_t socket_of(CURL *curl)
{
    curl_socket_t socket = CURL_SOCKET_BAD;
    curl_easy_getinfo(curl, CURLINFO_ACTIVESOCKET, &socket);
    return socket;
}

static bool socket_wait(CURL *curl, short events, int64_t until_us)
{
    struct pollfd wait = {.fd = socket_of(curl), .events = events};
    int64_t left_us;
    while (wait.fd != CURL_SOCKET_BAD && !atomic_load(&is_interrupted) &&
           (left_us = until_us - clock_monotonic_us()) > 0) {
        if (poll(&wait, 1, (int)(clock_sooner_us(left_us, SLICE_US) / MS_PER_S) + 1) > 0)
            return true;
    }
    return false;
}

static bool socket_send_all(CURL *curl, struct text bytes, int64_t until_us)
{
    while (bytes.length > 0) {
        size_t sent = 0;
        CURLcode code = curl_easy_send(curl, bytes.base, bytes.length, &sent);
        if (code != CURLE_OK && code != CURLE_AGAIN)
            return false;
        if (code == CURLE_AGAIN && !socket_wait(curl, POLLOUT, until_us))
            return false;
        bytes = text_slice(bytes, sent, bytes.length - sent);
    }
    return true;
}

/* Closing then resets the connection instead of ending it. */
static void socket_reset_on_close(CURL *curl)
{
    struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    (void)setsockopt(socket_of(curl), SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
}

/* Until some bytes of the reply are here; false: the other side said nothing, or is gone. */
static bool socket_read_some(CURL *curl, int64_t until_us)
{
    char bytes[MID_REPLY_BYTES];
    size_t got = 0;
    CURLcode code;
    while ((code = curl_easy_recv(curl, bytes, sizeof(bytes), &got)) == CURLE_AGAIN)
        if (!socket_wait(curl, POLLIN, until_us))
            return false;
    return code == CURLE_OK && got > 0;
}

static void cut(CURL *curl, enum wire_cut how, int64_t until_us, struct reply *reply)
{
    switch (how) {
    case WIRE_CUT_AFTER_REQUEST:
        reply->was_dropped = true;
        return;
    case WIRE_CUT_AFTER_TIMEOUT:
        wire_wait(until_us - clock_monotonic_us());
        reply->failure = WAITED_IN_VAIN;
        return;
    case WIRE_CUT_MID_REPLY:
        reply->was_dropped = socket_read_some(curl, until_us);
        if (!reply->was_dropped)
            reply->failure = WAITED_IN_VAIN;
        socket_reset_on_close(curl);
        return;
    }
}

static void send_and_cut(CURL *curl, const struct request *request, enum wire_cut how,
                         int64_t until_us, struct reply *reply)
{
    struct text_buffer head;
    char *head_bytes = malloc(HEAD_MAX);
    CHECK(head_bytes != NULL);
    text_buffer_init(&head, head_bytes, HEAD_MAX);
    head_write(&head, request);
    head_keep_all(reply->sent_head, text_buffer_text(&head));
    if (socket_send_all(curl, text_buffer_text(&head), until_us) &&
        socket_send_all(curl, request->body, until_us))
        cut(curl, how, until_us, reply);
    else
        reply->failure = DROPPED_UNSENT;
    free(head_bytes);
}

void wire_send_and_cut(const struct request *request, int64_t timeout_s, enum wire_cut how,
                       struct reply *reply)
{
    int64_t started_us = clock_monotonic_us();
    CURL *curl = curl_easy_init();
    CHECK(curl != NULL);
    call_set_common(curl, request, timeout_s);
    curl_easy_setopt(curl, CURLOPT_CONNECT_ONLY, 1L);
    CURLcode code = curl_easy_perform(curl);
    if (code == CURLE_OK)
        send_and_cut(curl, request, how, started_us + timeout_s * CLOCK_US_PER_S, reply);
    else
        reply->failure = curl_easy_strerror(code);
    curl_easy_cleanup(curl); /* closes the connection */
    reply->time_us = clock_monotonic_us() - started_us;
}
