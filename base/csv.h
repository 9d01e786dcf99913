/*
 * Comma-separated values (RFC 4180), taken piece by piece in bounded memory: quotes, commas and
 * line ends inside quotes, CR LF, LF or CR alone, a byte order mark in front. Builds one record at
 * a time. What is malformed is one bad record; reading goes on with the next line.
 */
#ifndef COUNTERPART_BASE_CSV_H
#define COUNTERPART_BASE_CSV_H

#include "base/text.h"

#define CSV_FIELDS_MAX 32
#define CSV_RECORD_MAX (8 * 1024) /* of one record's fields, without quotes and commas */

enum csv_state {
    CSV_RECORD_START,
    CSV_FIELD_START,
    CSV_PLAIN,
    CSV_QUOTED,
    CSV_QUOTE_SEEN, /* inside quotes: the end, or the first half of a quote that is meant */
    CSV_SKIPPING,   /* the rest of a line that cannot be understood */
};

enum csv_event {
    CSV_MORE,   /* all bytes are taken */
    CSV_RECORD, /* fields are ready until the next call */
    CSV_FAULT,  /* a bad record: fault says why */
};

struct csv {
    enum csv_state state;
    bool is_after_cr;    /* an LF that comes now belongs to it */
    int32_t mark_seen;   /* bytes of the byte order mark; -1: its time is over */
    int64_t line;        /* where reading is, from 1 */
    int64_t record_line; /* where the record begins */
    const char *fault;   /* NULL, or a sentence without the line */
    int32_t count;
    size_t ends[CSV_FIELDS_MAX]; /* of the fields, in bytes */
    size_t length;
    char bytes[CSV_RECORD_MAX];
};

void csv_init(struct csv *csv);
/* Takes bytes off the front until a record is complete or all are taken. Empty lines are no
 * records. */
enum csv_event csv_read(struct csv *csv, struct text *bytes);
/* The input has ended: the last record may have no line end. CSV_MORE: there was none. */
enum csv_event csv_end(struct csv *csv);
struct text csv_field(const struct csv *csv, int32_t index); /* 0..count - 1; CHECKed */

#endif
