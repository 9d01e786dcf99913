/* Reads comma-separated values, byte by byte, as a state machine. */
#include "base/csv.h"

#include <string.h>

#include "base/banned.h"

static const unsigned char byte_order_mark[] = {0xEF, 0xBB, 0xBF};
#define MARK_BYTES ((int32_t)sizeof(byte_order_mark))

static const char fault_quote[] = "a quote inside a field that does not begin with one";
static const char fault_after_quote[] = "something stands between a closing quote and the comma";
static const char fault_open[] = "a quote is never closed";
static const char fault_long[] = "longer than 8192 bytes; is a closing quote missing?";
static const char fault_wide[] = "more than 32 fields";
static const char fault_binary[] = "a zero byte: this is no text in UTF-8";

void csv_init(struct csv *csv)
{
    csv->state = CSV_RECORD_START;
    csv->is_after_cr = false;
    csv->mark_seen = 0;
    csv->line = 1;
    csv->record_line = 1;
    csv->fault = NULL;
    csv->count = 0;
    csv->length = 0;
}

static void fail(struct csv *csv, const char *fault)
{
    csv->fault = fault;
    csv->state = CSV_SKIPPING;
}

static void append(struct csv *csv, char c)
{
    if (c == '\0')
        fail(csv, fault_binary);
    else if (csv->length == CSV_RECORD_MAX)
        fail(csv, fault_long);
    else
        csv->bytes[csv->length++] = c;
}

static void end_field(struct csv *csv)
{
    if (csv->count == CSV_FIELDS_MAX) {
        fail(csv, fault_wide);
        return;
    }
    csv->ends[csv->count++] = csv->length;
    csv->state = CSV_FIELD_START;
}

/* At a line end or at the end of all. true: there was a record. */
static bool end_record(struct csv *csv)
{
    if (csv->state == CSV_RECORD_START)
        return false;
    if (csv->state != CSV_SKIPPING)
        end_field(csv);
    csv->state = CSV_RECORD_START;
    return true;
}

static void begin_record(struct csv *csv)
{
    csv->state = CSV_FIELD_START;
    csv->fault = NULL;
    csv->count = 0;
    csv->length = 0;
    csv->record_line = csv->line;
}

static void take_inside(struct csv *csv, char c)
{
    if (csv->state == CSV_FIELD_START && c == '"') {
        csv->state = CSV_QUOTED;
    } else if (c == ',' && csv->state != CSV_QUOTED) {
        end_field(csv);
    } else if (c == '"' && csv->state == CSV_QUOTED) {
        csv->state = CSV_QUOTE_SEEN;
    } else if (c == '"' && csv->state == CSV_QUOTE_SEEN) {
        csv->state = CSV_QUOTED;
        append(csv, c);
    } else if (c == '"') {
        fail(csv, fault_quote);
    } else if (csv->state == CSV_QUOTE_SEEN) {
        fail(csv, fault_after_quote);
    } else {
        if (csv->state == CSV_FIELD_START)
            csv->state = CSV_PLAIN;
        append(csv, c);
    }
}

/* true: a record has ended with this byte. */
static bool take(struct csv *csv, char c)
{
    bool is_second_half = c == '\n' && csv->is_after_cr;
    bool is_line_end = c == '\n' || c == '\r';
    csv->is_after_cr = c == '\r';
    if (is_line_end && csv->state == CSV_QUOTED) {
        append(csv, c);
        csv->line += !is_second_half;
        return csv->state == CSV_SKIPPING && end_record(csv); /* it has become too long */
    }
    if (is_second_half)
        return false;
    if (is_line_end) {
        csv->line++;
        return end_record(csv);
    }
    if (csv->state == CSV_RECORD_START)
        begin_record(csv);
    if (csv->state != CSV_SKIPPING)
        take_inside(csv, c);
    return false;
}

/* A byte order mark may come in pieces. What only begins like one is text after all. */
static bool take_mark(struct csv *csv, char c)
{
    if (csv->mark_seen < 0)
        return false;
    if (csv->mark_seen < MARK_BYTES && (unsigned char)c == byte_order_mark[csv->mark_seen]) {
        csv->mark_seen++;
        return true;
    }
    int32_t seen = csv->mark_seen;
    csv->mark_seen = -1;
    for (int32_t i = 0; seen < MARK_BYTES && i < seen; i++)
        (void)take(csv, (char)byte_order_mark[i]); /* ends no record */
    return false;
}

static enum csv_event event_of(const struct csv *csv)
{
    return csv->fault != NULL ? CSV_FAULT : CSV_RECORD;
}

enum csv_event csv_read(struct csv *csv, struct text *bytes)
{
    while (bytes->length > 0) {
        char c = bytes->base[0];
        *bytes = (struct text){bytes->base + 1, bytes->length - 1};
        if (!take_mark(csv, c) && take(csv, c))
            return event_of(csv);
    }
    return CSV_MORE;
}

enum csv_event csv_end(struct csv *csv)
{
    if (csv->mark_seen > 0)
        (void)take_mark(csv, '\0'); /* a file that ends inside what looked like a mark */
    if (csv->state == CSV_QUOTED)
        fail(csv, fault_open);
    return end_record(csv) ? event_of(csv) : CSV_MORE;
}

struct text csv_field(const struct csv *csv, int32_t index)
{
    CHECK(index >= 0 && index < csv->count);
    size_t from = index == 0 ? 0 : csv->ends[index - 1];
    return (struct text){csv->bytes + from, csv->ends[index] - from};
}
