/* Takes requests apart and puts answers together. */
#include "mocks/lightspeed/call.h"

#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

/* --- reading */

static bool decode_segment(struct text raw, struct text_buffer *buffer, struct text *segment)
{
    size_t start = buffer->length;
    for (size_t i = 0; i < raw.length; i++) {
        char c = raw.base[i];
        if (c == '%') {
            uint8_t byte;
            if (!text_hex_decode(&byte, 1, text_slice(raw, i + 1, 2)) || byte == 0)
                return false;
            c = (char)byte;
            i += 2;
        }
        text_append_char(buffer, c);
    }
    *segment = (struct text){buffer->base + start, buffer->length - start};
    return !buffer->is_cut;
}

static void call_cut_suffix(struct call *call)
{
    static const struct text suffix = {".json", 5};
    if (call->segment_count == 0)
        return;
    struct text *last = &call->segments[call->segment_count - 1];
    if (last->length <= suffix.length ||
        !text_equal(text_slice(*last, last->length - suffix.length, suffix.length), suffix))
        return;
    last->length -= suffix.length;
    call->path.length -= suffix.length;
    call->has_json_suffix = true;
}

bool call_read(struct call *call)
{
    struct text rest = call->target;
    const char *mark = rest.length > 0 ? memchr(rest.base, '?', rest.length) : NULL;
    if (mark != NULL) {
        rest.length = (size_t)(mark - rest.base);
        call->query = text_slice(call->target, rest.length + 1, call->target.length);
    }
    if (rest.length == 0 || rest.base[0] != '/' || call->query.length >= CALL_QUERY_MAX)
        return false;
    struct text_buffer buffer;
    text_buffer_init(&buffer, call->decoded, sizeof(call->decoded));
    while (rest.length > 0) {
        rest = text_slice(rest, 1, rest.length); /* the slash */
        const char *slash = rest.length > 0 ? memchr(rest.base, '/', rest.length) : NULL;
        size_t length = slash == NULL ? rest.length : (size_t)(slash - rest.base);
        text_append_char(&buffer, '/');
        struct text segment;
        if (!decode_segment(text_slice(rest, 0, length), &buffer, &segment))
            return false;
        rest = text_slice(rest, length, rest.length);
        if (segment.length == 0 && rest.length == 0)
            break; /* a slash at the end */
        if (call->segment_count == CALL_SEGMENTS_MAX)
            return false;
        call->segments[call->segment_count++] = segment;
    }
    call->path = text_buffer_text(&buffer);
    call_cut_suffix(call);
    return !buffer.is_cut;
}

void call_finish(struct call *call)
{
    jread_destroy(call->json);
    call->json = NULL;
}

bool call_method_is(const struct call *call, const char *method)
{
    return text_equal(call->method, text_of(method));
}

bool call_segment_is(const struct call *call, size_t index, const char *word)
{
    return index < call->segment_count && text_equal(call->segments[index], text_of(word));
}

int64_t call_segment_id(const struct call *call, size_t index)
{
    int64_t id;
    if (index >= call->segment_count || !text_is_digits(call->segments[index]) ||
        text_parse_int64(call->segments[index], &id) != 0)
        return 0;
    return id;
}

bool call_query(const struct call *call, const char *name, char *memory, size_t size)
{
    char pairs[CALL_QUERY_MAX + 1];
    struct text_buffer buffer;
    text_buffer_init(&buffer, pairs, sizeof(pairs));
    struct text cursor = call->query, found, value;
    while (text_form_next(&cursor, &buffer, &found, &value) == 0) {
        if (!text_equal(found, text_of(name)))
            continue;
        struct text_buffer out;
        text_buffer_init(&out, memory, size);
        text_append(&out, value);
        return !out.is_cut;
    }
    return false;
}

const struct jread *call_json_any(struct call *call, struct answer *answer)
{
    if (call->json != NULL)
        return call->json;
    struct text body = call->body.length > 0 ? call->body : TEXT("{}");
    int err = jread_parse(body, &call->json);
    if (err != 0)
        answer_error(answer, 400, "bad_request", "The body is no valid JSON (%s).",
                     error_name(err));
    else if (call->json == NULL) /* what the reader makes of null */
        answer_bad(answer, "The body must be a JSON object.");
    return call->json;
}

const struct jread *call_json(struct call *call, struct answer *answer)
{
    const struct jread *json = call_json_any(call, answer);
    if (json == NULL || jread_kind_of(json) == JREAD_OBJECT)
        return json;
    answer_bad(answer, "The body must be one JSON object.");
    return NULL;
}

/* --- answering */

void answer_begin(struct answer *answer, char *memory, size_t size)
{
    answer->status = 200;
    answer->content_type = "application/json; charset=utf-8";
    answer->header_count = 0;
    text_buffer_init(&answer->body, memory, size);
    jwrite_init(&answer->writer, &answer->body);
}

/* The headers stay: those of the rate limit go with every answer. */
static void answer_clear(struct answer *answer)
{
    size_t header_count = answer->header_count;
    answer_begin(answer, answer->body.base, answer->body.capacity);
    answer->header_count = header_count;
}

void answer_header(struct answer *answer, const char *name_lower, struct text value)
{
    CHECK(answer->header_count < ANSWER_HEADERS_MAX);
    struct answer_header *header = &answer->headers[answer->header_count++];
    header->name = name_lower;
    struct text_buffer buffer;
    text_buffer_init(&buffer, header->value, sizeof(header->value));
    text_append(&buffer, value);
}

void answer_header_int(struct answer *answer, const char *name_lower, int64_t value)
{
    char digits[24];
    struct text_buffer buffer;
    text_buffer_init(&buffer, digits, sizeof(digits));
    text_append_int64(&buffer, value);
    answer_header(answer, name_lower, text_buffer_text(&buffer));
}

void answer_error(struct answer *answer, int status, const char *error, const char *format, ...)
{
    char description[ANSWER_ERROR_MAX];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(description, sizeof(description), format, arguments);
    va_end(arguments);
    answer_clear(answer);
    answer->status = status;
    jwrite_object_begin(&answer->writer);
    jwrite_named_text(&answer->writer, "error", error);
    jwrite_named_text(&answer->writer, "error_description", description);
    jwrite_object_end(&answer->writer);
}

bool answer_is_error(const struct answer *answer)
{
    return answer->status >= 400;
}

void answer_not_found(struct answer *answer, const char *what)
{
    answer_error(answer, 404, "not_found", "There is no such %s.", what);
}

void answer_bad(struct answer *answer, const char *description)
{
    answer_error(answer, 400, "bad_request", "%s", description);
}

void answer_created(struct answer *answer, const struct call *call, const char *format, ...)
{
    char path[ANSWER_ERROR_MAX], location[2 * ANSWER_ERROR_MAX];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(path, sizeof(path), format, arguments);
    va_end(arguments);
    struct text_buffer buffer;
    text_buffer_init(&buffer, location, sizeof(location));
    text_append(&buffer, TEXT("http://"));
    text_append(&buffer, text_slice(call->authority, 0, ANSWER_ERROR_MAX - 16));
    text_append(&buffer, text_of(path));
    answer_clear(answer);
    answer->status = 201;
    answer_header(answer, "location", text_buffer_text(&buffer));
    jwrite_null(&answer->writer);
}

void answer_updated(struct answer *answer)
{
    answer_clear(answer);
    jwrite_null(&answer->writer);
}

void answer_empty(struct answer *answer, int status)
{
    answer_clear(answer);
    answer->status = status;
}

/* --- small writers */

void text_append_encoded(struct text_buffer *buffer, struct text text)
{
    static const char plain[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    for (size_t i = 0; i < text.length; i++) {
        char c = text.base[i];
        if (c != '\0' && strchr(plain, c) != NULL)
            text_append_char(buffer, c);
        else
            text_append_format(buffer, "%%%02X", (unsigned)(unsigned char)c);
    }
}

void jwrite_copy(struct jwrite *writer, const struct jread *value)
{
    struct text text = TEXT("");
    bool flag = false;
    switch (jread_kind_of(value)) {
    case JREAD_NULL:
        jwrite_null(writer);
        return;
    case JREAD_BOOL:
        CHECK(jread_bool(value, &flag) == 0);
        jwrite_bool(writer, flag);
        return;
    case JREAD_NUMBER:
        CHECK(jread_scalar(value, &text) == 0);
        jwrite_raw(writer, text);
        return;
    case JREAD_STRING:
        if (jread_scalar(value, &text) != 0) /* it holds a NUL character */
            text = TEXT("");
        jwrite_text(writer, text);
        return;
    case JREAD_ARRAY:
        jwrite_array_begin(writer);
        for (size_t i = 0; i < jread_count(value); i++)
            jwrite_copy(writer, jread_element(value, i));
        jwrite_array_end(writer);
        return;
    case JREAD_OBJECT:
        jwrite_object_begin(writer);
        for (size_t i = 0; i < jread_count(value); i++) {
            const struct jread *member = jread_member_at(value, i, &text);
            jwrite_key(writer, text);
            jwrite_copy(writer, member);
        }
        jwrite_object_end(writer);
        return;
    }
}

void jwrite_named_text(struct jwrite *writer, const char *name, const char *value)
{
    jwrite_key(writer, text_of(name));
    jwrite_text(writer, text_of(value));
}

void jwrite_named_int(struct jwrite *writer, const char *name, int64_t value)
{
    jwrite_key(writer, text_of(name));
    jwrite_int64(writer, value);
}

void jwrite_named_bool(struct jwrite *writer, const char *name, bool value)
{
    jwrite_key(writer, text_of(name));
    jwrite_bool(writer, value);
}

void jwrite_named_id(struct jwrite *writer, const char *name, int64_t id)
{
    jwrite_key(writer, text_of(name));
    if (id == 0)
        jwrite_null(writer);
    else
        jwrite_int64(writer, id);
}
