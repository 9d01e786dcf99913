/* Sends bytes and reads one reply, with a limit on everything. */
#include "mocks/check/line.h"

#include "base/clock.h"
#include "base/error.h"

#include <curl/curl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/banned.h"

#define US_PER_MS 1000
#define CHUNK_DIGITS_MAX 8 /* of a chunk's length; READING_MAX has five */

static const char TOO_LATE[] = "no whole reply came in time";
static const char NO_REPLY[] = "the connection was closed without a reply";
static const char BROKEN_OFF[] = "the connection broke off in the middle of the reply";
static const char NOT_HTTP[] = "what came is not HTTP";
static const char BAD_CHUNKS[] = "the chunks of the reply cannot be read";

/* --- the connection ------------------------------------------------------------------------- */

static int64_t line_left_ms(const struct line *line)
{
    int64_t left_us = line->until_us - clock_monotonic_us();
    return left_us <= 0 ? 0 : left_us / US_PER_MS + 1;
}

bool line_open(struct line *line, const char *url, int64_t until_us)
{
    *line = (struct line){.curl = curl_easy_init(), .until_us = until_us};
    CHECK(line->curl != NULL);
    if (line_left_ms(line) == 0) {
        line->failure = TOO_LATE;
        return false;
    }
    curl_easy_setopt(line->curl, CURLOPT_URL, url);
    curl_easy_setopt(line->curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(line->curl, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(line->curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(line->curl, CURLOPT_CONNECT_ONLY, 1L);
    curl_easy_setopt(line->curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(line->curl, CURLOPT_TIMEOUT_MS, (long)line_left_ms(line));
    CURLcode code = curl_easy_perform(line->curl);
    line->failure = code == CURLE_OK ? NULL : curl_easy_strerror(code);
    return line->failure == NULL;
}

void line_close(struct line *line)
{
    curl_easy_cleanup(line->curl);
    line->curl = NULL;
}

static bool line_wait(const struct line *line, short events)
{
    curl_socket_t socket = CURL_SOCKET_BAD;
    curl_easy_getinfo(line->curl, CURLINFO_ACTIVESOCKET, &socket);
    int64_t left_ms = line_left_ms(line);
    struct pollfd wait = {.fd = socket, .events = events};
    return socket != CURL_SOCKET_BAD && left_ms > 0 && poll(&wait, 1, (int)left_ms) > 0;
}

bool line_send(struct line *line, struct text bytes)
{
    while (bytes.length > 0) {
        size_t sent = 0;
        CURLcode code = curl_easy_send(line->curl, bytes.base, bytes.length, &sent);
        if (code != CURLE_OK && code != CURLE_AGAIN)
            return false;
        if (code == CURLE_AGAIN && !line_wait(line, POLLOUT))
            return false;
        bytes = text_slice(bytes, sent, bytes.length);
    }
    return true;
}

void line_pause(const struct line *line, int64_t pause_us)
{
    int64_t left_us = line->until_us - clock_monotonic_us();
    int64_t us = pause_us < left_us ? pause_us : left_us;
    struct timespec span = {.tv_sec = us / CLOCK_US_PER_S, .tv_nsec = us % CLOCK_US_PER_S * 1000};
    if (us > 0)
        nanosleep(&span, NULL);
}

/* --- one reply ------------------------------------------------------------------------------ */

int reading_init(struct reading *reading)
{
    *reading = (struct reading){0};
    reading->bytes = malloc(READING_MAX);
    return reading->bytes == NULL ? ERR_NO_MEMORY : 0;
}

void reading_finish(struct reading *reading)
{
    free(reading->bytes);
    *reading = (struct reading){0};
}

/* Bytes of the head with its empty line; 0: not there yet. */
static size_t head_end(const char *bytes, size_t length)
{
    for (size_t i = 0; i + 1 < length; i++) {
        if (bytes[i] == '\n' && bytes[i + 1] == '\n')
            return i + 2;
        if (i + 3 < length && memcmp(bytes + i, "\r\n\r\n", 4) == 0)
            return i + 4;
    }
    return 0;
}

/* The value of "Name: value", empty otherwise. */
static struct text header_value(struct text line, struct text name)
{
    if (line.length <= name.length || line.base[name.length] != ':' ||
        !text_equal_nocase(text_slice(line, 0, name.length), name))
        return TEXT("");
    return text_trim(text_slice(line, name.length + 1, line.length));
}

static void reading_take_header(struct reading *reading, struct text line)
{
    int64_t length;
    struct text value = header_value(line, TEXT("content-length"));
    if (text_parse_int64(value, &length) == 0 && length >= 0) {
        reading->declared_length = (size_t)length;
        reading->has_declared_length = true;
    }
    value = header_value(line, TEXT("content-type"));
    if (value.length > 0)
        (void)text_copy_utf8(reading->content_type, sizeof(reading->content_type), value);
    if (text_equal_nocase(header_value(line, TEXT("transfer-encoding")), TEXT("chunked")))
        reading->is_chunked = true;
    if (text_equal_nocase(header_value(line, TEXT("connection")), TEXT("close")))
        reading->says_close = true;
}

static struct text next_line(struct text *rest)
{
    size_t end = 0;
    while (end < rest->length && rest->base[end] != '\n')
        end++;
    struct text line = text_trim(text_slice(*rest, 0, end));
    *rest = text_slice(*rest, end + 1, rest->length);
    return line;
}

static bool reading_take_status(struct reading *reading, struct text line)
{
    int64_t status;
    if (!text_starts_with(line, TEXT("HTTP/1.")) || line.length < sizeof("HTTP/1.1 200") - 1 ||
        text_parse_int64(text_slice(line, sizeof("HTTP/1.1 ") - 1, 3), &status) != 0)
        return false;
    reading->status = (int)status;
    reading->says_close = line.base[sizeof("HTTP/1.") - 1] == '0';
    return status >= 100;
}

/* false: it is no head. What says "go on" (1xx) is taken off the front. */
static bool reading_take_head(struct reading *reading)
{
    struct text rest = {reading->bytes, reading->head_length};
    reading->has_declared_length = reading->is_chunked = false;
    if (!reading_take_status(reading, next_line(&rest)))
        return false;
    while (rest.length > 0)
        reading_take_header(reading, next_line(&rest));
    if (reading->status < 200) {
        reading->length -= reading->head_length;
        memmove(reading->bytes, reading->bytes + reading->head_length, reading->length);
        reading->head_length = 0;
    }
    return true;
}

static bool chunk_length(struct text line, size_t *length)
{
    size_t digits = 0;
    *length = 0;
    for (; digits < line.length && line.base[digits] != ';'; digits++) {
        char c = line.base[digits];
        size_t digit = c >= '0' && c <= '9'   ? (size_t)(c - '0')
                       : c >= 'a' && c <= 'f' ? (size_t)(c - 'a' + 10)
                       : c >= 'A' && c <= 'F' ? (size_t)(c - 'A' + 10)
                                              : 16;
        if (digit == 16 || digits == CHUNK_DIGITS_MAX)
            return false;
        *length = *length * 16 + digit;
    }
    return digits > 0;
}

enum progress {
    PROGRESS_MORE, /* is to come */
    PROGRESS_WHOLE,
    PROGRESS_BROKEN,
};

/* Walks the chunks from the front; body may be NULL, else it is filled. */
static enum progress chunks_walk(struct reading *reading, char *body)
{
    struct text rest = text_slice((struct text){reading->bytes, reading->length},
                                  reading->head_length, reading->length);
    size_t length = 1;
    reading->body_length = 0;
    while (length > 0) {
        if (rest.length == 0 || memchr(rest.base, '\n', rest.length) == NULL)
            return PROGRESS_MORE;
        if (!chunk_length(next_line(&rest), &length))
            return PROGRESS_BROKEN;
        if (rest.length < length + 2 && length > 0)
            return PROGRESS_MORE;
        if (body != NULL && length > 0)
            memcpy(body + reading->body_length, rest.base, length);
        reading->body_length += length;
        if (length > 0 && next_line(&(struct text){rest.base + length, 2}).length > 0)
            return PROGRESS_BROKEN;
        rest = length > 0 ? text_slice(rest, length + 2, rest.length) : rest;
    }
    while (rest.length > 0 && memchr(rest.base, '\n', rest.length) != NULL) {
        if (next_line(&rest).length == 0) {
            reading->has_more = rest.length > 0;
            return PROGRESS_WHOLE;
        }
    }
    return PROGRESS_MORE;
}

static enum progress reading_body(struct reading *reading, bool has_no_body)
{
    size_t here = reading->length - reading->head_length;
    reading->body = reading->bytes + reading->head_length;
    if (has_no_body || reading->status == 204 || reading->status == 304) {
        reading->body_length = 0;
        return PROGRESS_WHOLE;
    }
    if (reading->is_chunked)
        return chunks_walk(reading, NULL);
    if (!reading->has_declared_length || here < reading->declared_length) {
        reading->body_length = here;
        return PROGRESS_MORE;
    }
    reading->body_length = reading->declared_length;
    reading->has_more = here > reading->declared_length;
    return PROGRESS_WHOLE;
}

static enum progress reading_progress(struct reading *reading, bool has_no_body)
{
    static const struct text START = {"HTTP/1.", 7};
    struct text here = {reading->bytes, reading->length};
    size_t seen = here.length < START.length ? here.length : START.length;
    if (!text_equal(text_slice(here, 0, seen), text_slice(START, 0, seen)))
        return PROGRESS_BROKEN;
    while (reading->head_length == 0) {
        reading->head_length = head_end(reading->bytes, reading->length);
        if (reading->head_length == 0)
            return PROGRESS_MORE;
        if (!reading_take_head(reading))
            return PROGRESS_BROKEN;
    }
    return reading_body(reading, has_no_body);
}

/* What the end of the connection makes of what has come. */
static void reading_close(struct reading *reading)
{
    bool ends_by_closing =
        reading->head_length > 0 && !reading->is_chunked && !reading->has_declared_length;
    reading->is_whole = ends_by_closing;
    if (!ends_by_closing)
        reading->failure = reading->length == 0 ? NO_REPLY : BROKEN_OFF;
}

/* true: there is more to read. */
static bool reading_receive(struct line *line, struct reading *reading)
{
    size_t got = 0;
    CURLcode code = curl_easy_recv(line->curl, reading->bytes + reading->length,
                                   READING_MAX - reading->length, &got);
    if (code == CURLE_AGAIN) {
        if (line_wait(line, POLLIN))
            return true;
        reading->failure = TOO_LATE;
        return false;
    }
    if (code != CURLE_OK || got == 0) {
        reading_close(reading);
        return false;
    }
    reading->length += got;
    return true;
}

/* The framing goes, in memory of its own, since the bytes are kept as they came. */
static void reading_unchunk(struct reading *reading)
{
    size_t room = reading->length - reading->head_length;
    char *body = malloc(room + 1);
    CHECK(body != NULL);
    CHECK(chunks_walk(reading, body) == PROGRESS_WHOLE);
    char *both = malloc(reading->length + reading->body_length + 1);
    CHECK(both != NULL);
    memcpy(both, reading->bytes, reading->length);
    memcpy(both + reading->length, body, reading->body_length);
    free(body);
    free(reading->bytes);
    reading->bytes = both;
    reading->body = both + reading->length;
}

void line_read(struct line *line, struct reading *reading, bool has_no_body)
{
    enum progress progress = PROGRESS_MORE;
    bool goes_on = true;
    while (goes_on && progress == PROGRESS_MORE) {
        if (reading->length == READING_MAX) {
            reading->is_too_long = true;
            break;
        }
        goes_on = reading_receive(line, reading);
        if (goes_on && reading->length > 0)
            progress = reading_progress(reading, has_no_body);
        if (goes_on && progress == PROGRESS_MORE && line_left_ms(line) == 0) {
            reading->failure = TOO_LATE;
            goes_on = false;
        }
    }
    if (progress == PROGRESS_BROKEN)
        reading->failure = reading->head_length == 0 ? NOT_HTTP : BAD_CHUNKS;
    reading->is_whole = reading->is_whole || progress == PROGRESS_WHOLE;
    reading->is_too_long = reading->is_too_long || reading->body_length > READING_BODY_MAX;
    if (reading->is_whole && reading->is_chunked)
        reading_unchunk(reading);
}

static bool url_part(CURLU *url, CURLUPart part, unsigned flags, struct text_buffer *out)
{
    char *value = NULL;
    if (curl_url_get(url, part, &value, flags) != CURLUE_OK)
        return false;
    text_append(out, text_of(value));
    curl_free(value);
    return true;
}

bool line_split_url(const char *url, struct text_buffer *host, struct text_buffer *target)
{
    CURLU *parsed = curl_url();
    CHECK(parsed != NULL);
    bool is_good = text_is_printable(text_of(url)) && strchr(url, ' ') == NULL &&
                   curl_url_set(parsed, CURLUPART_URL, url, 0) == CURLUE_OK &&
                   url_part(parsed, CURLUPART_HOST, 0, host);
    if (is_good) {
        struct text_buffer port;
        char digits[16];
        text_buffer_init(&port, digits, sizeof(digits));
        if (url_part(parsed, CURLUPART_PORT, 0, &port))
            text_append_format(host, ":%s", digits);
        (void)url_part(parsed, CURLUPART_PATH, 0, target);
        size_t before = target->length;
        text_append_char(target, '?');
        if (!url_part(parsed, CURLUPART_QUERY, 0, target))
            target->base[target->length = before] = '\0';
    }
    curl_url_cleanup(parsed);
    return is_good && !host->is_cut && !target->is_cut;
}
