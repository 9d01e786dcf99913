/* JSON out: a writer over a bounded buffer that places commas, escapes text and mends bad UTF-8. */
#include "base/json.h"

#include "base/banned.h"

void jwrite_init(struct jwrite *writer, struct text_buffer *buffer)
{
    *writer = (struct jwrite){.buffer = buffer};
}

static void begin_value(struct jwrite *writer)
{
    if (writer->needs_comma)
        text_append_char(writer->buffer, ',');
    writer->needs_comma = true;
}

static void open_container(struct jwrite *writer, char bracket)
{
    begin_value(writer);
    text_append_char(writer->buffer, bracket);
    writer->needs_comma = false;
}

static void close_container(struct jwrite *writer, char bracket)
{
    text_append_char(writer->buffer, bracket);
    writer->needs_comma = true;
}

void jwrite_object_begin(struct jwrite *writer)
{
    open_container(writer, '{');
}

void jwrite_object_end(struct jwrite *writer)
{
    close_container(writer, '}');
}

void jwrite_array_begin(struct jwrite *writer)
{
    open_container(writer, '[');
}

void jwrite_array_end(struct jwrite *writer)
{
    close_container(writer, ']');
}

static void append_control(struct text_buffer *buffer, unsigned char c)
{
    static const char short_forms[] = "\bb\tt\nn\ff\rr";
    for (size_t i = 0; i < sizeof(short_forms) - 1; i += 2) {
        if (c == (unsigned char)short_forms[i]) {
            text_append_char(buffer, '\\');
            text_append_char(buffer, short_forms[i + 1]);
            return;
        }
    }
    text_append_format(buffer, "\\u%04x", (unsigned)c);
}

/* Length of the run at the front that may stand in a JSON string as it is. */
static size_t plain_run(struct text text)
{
    size_t run = 0;
    while (run < text.length) {
        unsigned char c = (unsigned char)text.base[run];
        if (c < 0x20 || c == '"' || c == '\\')
            break;
        if (c < 0x80) {
            run++;
            continue;
        }
        size_t size = text_utf8_length(text_slice(text, run, text.length));
        if (size == 0)
            break;
        run += size;
    }
    return run;
}

static void append_string(struct text_buffer *buffer, struct text text)
{
    text_append_char(buffer, '"');
    while (text.length > 0) {
        size_t run = plain_run(text);
        text_append(buffer, text_slice(text, 0, run));
        text = text_slice(text, run, text.length);
        if (text.length == 0)
            break;
        unsigned char c = (unsigned char)text.base[0];
        if (c == '"' || c == '\\') {
            text_append_char(buffer, '\\');
            text_append_char(buffer, (char)c);
        } else if (c < 0x20) {
            append_control(buffer, c);
        } else {
            text_append(buffer, TEXT("\xEF\xBF\xBD")); /* U+FFFD for a byte that is no UTF-8 */
        }
        text = text_slice(text, 1, text.length);
    }
    text_append_char(buffer, '"');
}

void jwrite_key(struct jwrite *writer, struct text name)
{
    begin_value(writer);
    append_string(writer->buffer, name);
    text_append_char(writer->buffer, ':');
    writer->needs_comma = false;
}

void jwrite_key_ready(struct jwrite *writer, struct text key)
{
    begin_value(writer);
    text_append(writer->buffer, key);
    writer->needs_comma = false;
}

void jwrite_text(struct jwrite *writer, struct text text)
{
    begin_value(writer);
    append_string(writer->buffer, text);
}

void jwrite_int64(struct jwrite *writer, int64_t number)
{
    begin_value(writer);
    text_append_int64(writer->buffer, number);
}

void jwrite_bool(struct jwrite *writer, bool flag)
{
    jwrite_raw(writer, flag ? TEXT("true") : TEXT("false"));
}

void jwrite_null(struct jwrite *writer)
{
    jwrite_raw(writer, TEXT("null"));
}

void jwrite_raw(struct jwrite *writer, struct text value)
{
    begin_value(writer);
    text_append(writer->buffer, value);
}
