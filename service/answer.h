/*
 * The service's answers as people read them: money with its sign and groups, times on the
 * merchant's clock; and as JSON again, for who streams them. What is not there reads as empty or 0.
 */
#ifndef COUNTERPART_SERVICE_ANSWER_H
#define COUNTERPART_SERVICE_ANSWER_H

#include "base/clock.h"
#include "base/json.h"
#include "base/money.h"

#include <stdio.h>

struct text answer_text(const struct jread *object, const char *name); /* strings and numbers */
int64_t answer_int64(const struct jread *object, const char *name);
bool answer_bool(const struct jread *object, const char *name);
int64_t answer_time_us(const struct jread *object, const char *name);
/* JSON as it came, on one line; and a text of ours. */
void answer_write_text(FILE *file, struct text text);
void answer_write(FILE *file, const struct jread *value);
/* A page for people into a file, "-": standard output. errors: ERR_IO, and standard error says why.
 */
typedef void (*answer_page_fn)(FILE *file, const struct jread *report);
MUST_CHECK int answer_write_page(const char *path, answer_page_fn write,
                                 const struct jread *report);

/* How a tenant's amounts and times are shown. */
struct answer_style {
    struct currency currency;
    struct clock_zone *zone; /* NULL: UTC */
};
/* From the members "currency" and "timezone". ownership: caller, answer_style_finish. */
void answer_style_init(struct answer_style *style, const struct jread *object);
void answer_style_finish(struct answer_style *style); /* accepts zeroes */

/* "$1,234.50", "-$0.05"; is_signed: "+$3.00" too. Empty for what is no amount. */
void answer_append_money(struct text_buffer *buffer, const struct answer_style *style,
                         struct text amount, bool is_signed);
/* "2026-05-29 21:14", with_seconds: "2026-05-29 21:14:06"; empty for 0. */
void answer_append_time(struct text_buffer *buffer, const struct answer_style *style,
                        int64_t time_us, bool with_seconds);
/* "Made on 2026-05-29 21:14:06 (Australia/Sydney) by counterpart doctor.", from the member
 * "made_at"; without it "Made by counterpart doctor." */
void answer_append_made(struct text_buffer *buffer, const struct answer_style *style,
                        const struct jread *report, const char *command);
/* For a terminal: control characters and what is no UTF-8 become '?'; longer than width: cut, and
 * an ellipsis says so. */
void answer_append_cell(struct text_buffer *buffer, struct text text, int width);
/* Characters, as a terminal counts them; combining and wide ones are taken for one. */
int answer_width(struct text text);
/* Words in lines of the terminal's width, each indented; a line ends after them. */
void answer_print_wrapped(FILE *file, struct text text, int indent);
/* "1 item is open", "2 items are open": count, then one of the two. */
void answer_append_count(struct text_buffer *buffer, int64_t count, const char *one,
                         const char *many);

/* Columns of text whose widths follow what stands in them: measure all rows of a page, then print
 * them. What has been printed stays as it is, so later pages may only grow wider. */
#define ANSWER_COLUMNS_MAX 12
#define ANSWER_CELL_MAX 640
struct answer_column {
    const char *title;
    bool is_number;
};
typedef void (*answer_cell_fn)(const void *context, const struct jread *row, int column,
                               struct text_buffer *cell);
struct answer_table {
    const struct answer_column *columns;
    int count;
    int indent;
    answer_cell_fn cell;
    const void *context;
    int widths[ANSWER_COLUMNS_MAX]; /* zeroes at first */
    bool has_header;                /* was printed */
};
void answer_table_measure(struct answer_table *table, const struct jread *row);
/* The header with the first row. The last column is not padded. */
void answer_table_print(struct answer_table *table, FILE *file, const struct jread *row);

#endif
