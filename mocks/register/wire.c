/* Sends the register's bytes with libcurl, one by one, at once, or cut off before the reply. */
#include "mocks/register/wire.h"

#include "base/clock.h"
#include "base/error.h"

#include <curl/curl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

#define MS_PER_S 1000
/* Request line, host and headers around a body: the address twice, and some short lines. */
#define HEAD_MAX (2 * REQUEST_URL_MAX + 4096)

static const char DROPPED_UNSENT[] = "the connection broke before the request was sent";

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

int reply_init(struct reply *reply)
{
    *reply = (struct reply){0};
    reply->body = malloc(REPLY_BODY_MAX);
    return reply->body == NULL ? ERR_NO_MEMORY : 0;
}

void reply_finish(struct reply *reply)
{
    free(reply->body);
    *reply = (struct reply){0};
}

static size_t on_body(char *bytes, size_t size, size_t count, void *context)
{
    struct reply *reply = context;
    size_t length = size * count;
    size_t room = REPLY_BODY_MAX - reply->body_length;
    size_t kept = length < room ? length : room;
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

static size_t on_header(char *bytes, size_t size, size_t count, void *context)
{
    struct reply *reply = context;
    struct text line = {bytes, size * count};
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

/* Proxies are ignored: the till under test is usually on this machine. */
static void call_set_common(CURL *curl, const struct request *request, int64_t timeout_s)
{
    curl_easy_setopt(curl, CURLOPT_URL, request->url);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)timeout_s * MS_PER_S);
    if (request->credentials != NULL) {
        curl_easy_setopt(curl, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
        curl_easy_setopt(curl, CURLOPT_USERPWD, request->credentials);
    }
}

static void call_set_body(CURL *curl, const struct request *request)
{
    if (request->content_type == NULL)
        return;
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.length);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request->body.base);
}

static struct call call_create(const struct request *request, int64_t timeout_s,
                               struct reply *reply)
{
    struct call call = {.curl = curl_easy_init()};
    CHECK(call.curl != NULL);
    if (request->content_type != NULL)
        header_add(&call.headers, "Content-Type", request->content_type);
    if (request->signature[0] != '\0')
        header_add(&call.headers, "X-Kounta-Signature", request->signature);
    call_set_common(call.curl, request, timeout_s);
    curl_easy_setopt(call.curl, CURLOPT_HTTPHEADER, call.headers);
    curl_easy_setopt(call.curl, CURLOPT_USERAGENT, "tillsim");
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
    reply->failure = code == CURLE_OK ? NULL : curl_easy_strerror(code);
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
    text_append_format(head, "User-Agent: tillsim\r\n");
    if (request->signature[0] != '\0')
        text_append_format(head, "X-Kounta-Signature: %s\r\n", request->signature);
    if (request->content_type != NULL)
        text_append_format(head, "Content-Type: %s\r\nContent-Length: %zu\r\n",
                           request->content_type, request->body.length);
    text_append_format(head, "\r\n");
    CHECK(!head->is_cut);
}

static bool socket_wait_writable(CURL *curl, int64_t until_us)
{
    curl_socket_t socket = CURL_SOCKET_BAD;
    curl_easy_getinfo(curl, CURLINFO_ACTIVESOCKET, &socket);
    int64_t left_us = until_us - clock_monotonic_us();
    if (socket == CURL_SOCKET_BAD || left_us <= 0)
        return false;
    struct pollfd wait = {.fd = socket, .events = POLLOUT};
    return poll(&wait, 1, (int)(left_us / MS_PER_S) + 1) > 0;
}

static bool socket_send_all(CURL *curl, struct text bytes, int64_t until_us)
{
    while (bytes.length > 0) {
        size_t sent = 0;
        CURLcode code = curl_easy_send(curl, bytes.base, bytes.length, &sent);
        if (code != CURLE_OK && code != CURLE_AGAIN)
            return false;
        if (code == CURLE_AGAIN && !socket_wait_writable(curl, until_us))
            return false;
        bytes = text_slice(bytes, sent, bytes.length - sent);
    }
    return true;
}

void wire_send_and_drop(const struct request *request, int64_t timeout_s, struct reply *reply)
{
    struct text_buffer head;
    char *head_bytes = malloc(HEAD_MAX);
    CHECK(head_bytes != NULL);
    int64_t started_us = clock_monotonic_us();
    int64_t until_us = started_us + timeout_s * CLOCK_US_PER_S;
    CURL *curl = curl_easy_init();
    CHECK(curl != NULL);
    call_set_common(curl, request, timeout_s);
    curl_easy_setopt(curl, CURLOPT_CONNECT_ONLY, 1L);
    CURLcode code = curl_easy_perform(curl);
    if (code == CURLE_OK) {
        text_buffer_init(&head, head_bytes, HEAD_MAX);
        head_write(&head, request);
        reply->was_dropped = socket_send_all(curl, text_buffer_text(&head), until_us) &&
                             socket_send_all(curl, request->body, until_us);
    }
    if (!reply->was_dropped)
        reply->failure = code == CURLE_OK ? DROPPED_UNSENT : curl_easy_strerror(code);
    curl_easy_cleanup(curl); /* closes the connection; nothing was read from it */
    free(head_bytes);
    reply->time_us = clock_monotonic_us() - started_us;
}
