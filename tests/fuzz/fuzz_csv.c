/*
 * Invariants of the CSV reader (the first byte is the size of the pieces it is fed with):
 *   the size of the pieces makes no difference;
 *   a good record, written with quotes around every field, is read back as it was;
 *   lines grow from record to record, and nothing is left over.
 */
#include "base/csv.h"

#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SIZE_MAX_FED (64 * 1024)

static void append_quoted(struct text_buffer *out, const struct csv *csv)
{
    for (int32_t i = 0; i < csv->count; i++) {
        struct text field = csv_field(csv, i);
        text_append(out, i == 0 ? TEXT("\"") : TEXT(",\""));
        for (size_t j = 0; j < field.length; j++) {
            if (field.base[j] == '"')
                text_append_char(out, '"');
            text_append_char(out, field.base[j]);
        }
        text_append_char(out, '"');
    }
    text_append_char(out, '\n');
}

static void keep(struct text_buffer *out, const struct csv *csv, enum csv_event event,
                 int64_t *line)
{
    CHECK(csv->record_line > *line && csv->line >= csv->record_line);
    *line = csv->record_line;
    CHECK((event == CSV_FAULT) == (csv->fault != NULL));
    if (event == CSV_RECORD)
        append_quoted(out, csv);
}

/* The good records of text, quoted. */
static struct text rewrite(struct text text, size_t step, struct text_buffer *out)
{
    static struct csv csv;
    int64_t line = 0;
    enum csv_event event;
    csv_init(&csv);
    for (size_t at = 0; at < text.length; at += step) {
        struct text piece = text_slice(text, at, step);
        while ((event = csv_read(&csv, &piece)) != CSV_MORE)
            keep(out, &csv, event, &line);
        CHECK(piece.length == 0);
    }
    event = csv_end(&csv);
    if (event != CSV_MORE)
        keep(out, &csv, event, &line);
    CHECK(!out->is_cut);
    return text_buffer_text(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0 || size > SIZE_MAX_FED)
        return 0;
    struct text text = {(const char *)data + 1, size - 1};
    size_t capacity = 4 * size + 16; /* each byte at most a quoted field of its own */
    char *memory = malloc(3 * capacity);
    struct text_buffer buffers[3];
    CHECK(memory != NULL);
    for (size_t i = 0; i < COUNT_OF(buffers); i++)
        text_buffer_init(&buffers[i], memory + i * capacity, capacity);
    struct text whole = rewrite(text, SIZE_MAX_FED, &buffers[0]);
    struct text pieces = rewrite(text, (size_t)data[0] % 32 + 1, &buffers[1]);
    CHECK(text_equal(whole, pieces));
    CHECK(text_equal(rewrite(whole, SIZE_MAX_FED, &buffers[2]), whole));
    free(memory);
    return 0;
}
