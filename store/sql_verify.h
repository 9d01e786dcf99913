/*
 * What the verify files share. Every pass reads ordered streams and keeps a row of each at a time,
 * so the memory does not grow with the tables (SQLite sorts in temporary files).
 */
#ifndef COUNTERPART_STORE_SQL_VERIFY_H
#define COUNTERPART_STORE_SQL_VERIFY_H

#include "store/sql.h"

#define FINDING_DETAIL_MAX 320 /* the longest sentence has ten numbers of up to 20 digits */
/* Between two reports of progress. */
#define PROGRESS_ROWS 4096

struct verify {
    struct sql *sql;
    verify_finding_fn finding;
    verify_progress_fn progress; /* may be NULL */
    void *context;
    int64_t findings;
    int64_t rows_done;
    int64_t rows_total;
};

void verify_report(struct verify *verify, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* One ordered statement, standing on a row or at its end. */
struct stream {
    struct verify *verify;
    struct sql_statement *statement;
    bool has_row;
};
/* On its first row. ownership: stream_close, also after an error. */
MUST_CHECK int stream_open(struct stream *stream, struct verify *verify, const char *sql);
MUST_CHECK int stream_next(struct stream *stream);
void stream_close(struct stream *stream);

/* The passes. */
MUST_CHECK int verify_cards(struct verify *verify);
MUST_CHECK int verify_operations(struct verify *verify);
MUST_CHECK int verify_days(struct verify *verify);
MUST_CHECK int verify_points(struct verify *verify);
MUST_CHECK int verify_words(struct verify *verify);
MUST_CHECK int verify_proofs(struct verify *verify);
MUST_CHECK int verify_foreign(struct verify *verify);
/* Add to rows_total what these passes will read. */
MUST_CHECK int verify_points_count_rows(struct verify *verify);
MUST_CHECK int verify_words_count_rows(struct verify *verify);
MUST_CHECK int verify_proofs_count_rows(struct verify *verify);
MUST_CHECK int verify_foreign_count_rows(struct verify *verify);

#endif
