/* Prints the report for people at a terminal. */
#include "service/foreign_report.h"
#include "service/foreign_words.h"

#include "base/banned.h"

#define INDENT 2
#define NOTE_WIDTH 60

struct listing {
    FILE *file;
    const struct jread *report;
    struct answer_style style;
};

static void print_line(const struct listing *listing, struct text text)
{
    answer_print_wrapped(listing->file, text, 0);
}

static void print_table(const struct listing *listing, const char *title, const char *member,
                        const struct answer_column *columns, int count, answer_cell_fn cell)
{
    const struct jread *rows = jread_member(listing->report, member);
    struct answer_table table = {
        .columns = columns, .count = count, .indent = INDENT, .cell = cell, .context = listing};
    fprintf(listing->file, "\n%s\n", title);
    if (jread_count(rows) == 0)
        fprintf(listing->file, "%*s(none)\n", INDENT, "");
    for (size_t i = 0; i < jread_count(rows); i++)
        answer_table_measure(&table, jread_element(rows, i));
    for (size_t i = 0; i < jread_count(rows); i++)
        answer_table_print(&table, listing->file, jread_element(rows, i));
}

/* --- steps of the approval --- */

static const struct answer_column history_columns[] = {
    {.title = "when"},      {.title = "became"}, {.title = "terms"},
    {.title = "reference"}, {.title = "by"},     {.title = "note"},
};

static void history_cell(const void *context, const struct jread *row, int column,
                         struct text_buffer *cell)
{
    const struct listing *listing = context;
    static const char *const words[] = {"", "", "", "reference", "actor", "note"};
    if (column == 0)
        answer_append_time(cell, &listing->style, answer_time_us(row, "at"), true);
    else if (column == 1)
        text_append(cell, answer_text(row, "to"));
    else if (column != 2)
        answer_append_cell(cell, answer_text(row, words[column]), NOTE_WIDTH);
    else if (text_equal(answer_text(row, "to"), TEXT("approved")))
        foreign_append_terms(cell, &listing->style, jread_member(row, "approval"));
}

/* --- days --- */

static const struct answer_column day_columns[] = {
    {.title = "day"},
    {.title = "attempted", .is_number = true},
    {.title = "stopped", .is_number = true},
    {.title = "paid", .is_number = true},
    {.title = "refused", .is_number = true},
    {.title = "not made", .is_number = true},
    {.title = "open", .is_number = true},
};

static void day_cell(const void *context, const struct jread *row, int column,
                     struct text_buffer *cell)
{
    static const char *const amounts[] = {"",
                                          "attempted",
                                          "refused_by_us_amount",
                                          "paid_amount",
                                          "refused_by_api_amount",
                                          "not_made_amount",
                                          "open_amount"};
    const struct listing *listing = context;
    if (column == 0)
        text_append(cell, answer_text(row, "date"));
    else
        answer_append_money(cell, &listing->style, answer_text(row, amounts[column]), false);
}

/* --- attempts --- */

static const struct answer_column attempt_columns[] = {
    {.title = "when"},      {.title = "order", .is_number = true},
    {.title = "paid with"}, {.title = "amount", .is_number = true},
    {.title = "outcome"},   {.title = "answer of Lightspeed's API"},
};

static void append_answer(struct text_buffer *cell, const struct jread *row)
{
    int64_t status = answer_int64(row, "api_status");
    char bytes[512];
    struct text_buffer words;
    if (status != 0)
        text_append_format(cell, "%lld ", (long long)status);
    text_buffer_init(&words, bytes, sizeof(bytes));
    foreign_append_answer(&words, row);
    answer_append_cell(cell, text_buffer_text(&words), NOTE_WIDTH);
}

static void attempt_cell(const void *context, const struct jread *row, int column,
                         struct text_buffer *cell)
{
    const struct listing *listing = context;
    struct text verdict = answer_text(row, "verdict");
    if (column == 0)
        answer_append_time(cell, &listing->style, answer_time_us(row, "at"), true);
    else if (column == 1)
        text_append(cell, answer_text(row, "order_id"));
    else if (column == 2)
        text_append(cell, text_equal(answer_text(row, "effect"), TEXT("points"))
                              ? TEXT("points")
                              : TEXT("gift card"));
    else if (column == 3)
        answer_append_money(cell, &listing->style, answer_text(row, "amount"), false);
    else if (column == 4)
        text_append(cell, text_of(foreign_outcome_wording(answer_text(row, "outcome"))->words));
    else if (text_equal(verdict, TEXT("allowed")))
        append_answer(cell, row);
    else
        text_append(cell, text_of(foreign_verdict_words(verdict)));
}

/* --- all of it --- */

static void print_head(const struct listing *listing)
{
    char bytes[512];
    struct text_buffer line;
    struct foreign_summary summary;
    text_buffer_init(&line, bytes, sizeof(bytes));
    text_append(&line, TEXT("Payments onto orders that are not ours: "));
    text_append(&line, answer_text(listing->report, "name"));
    foreign_append_days(&line, listing->report);
    print_line(listing, text_buffer_text(&line));
    foreign_summarize(&summary, &listing->style, listing->report);
    text_buffer_init(&line, bytes, sizeof(bytes));
    text_append(&line, text_of(summary.heading));
    text_append(&line, TEXT(". "));
    text_append(&line, text_buffer_text(&summary.sentence));
    print_line(listing, text_buffer_text(&line));
}

void foreign_text_write(FILE *file, const struct jread *report)
{
    struct listing listing = {.file = file, .report = report};
    answer_style_init(&listing.style, report);
    print_head(&listing);
    print_table(&listing, "Steps of the approval", "history", history_columns,
                COUNT_OF(history_columns), history_cell);
    print_table(&listing, "Day by day", "days", day_columns, COUNT_OF(day_columns), day_cell);
    print_table(&listing, "Attempts, the newest first", "list", attempt_columns,
                COUNT_OF(attempt_columns), attempt_cell);
    if (answer_int64(report, "left_out") > 0)
        fprintf(file, "%*s%lld older ones are in the sums above; --from and --until show them\n",
                INDENT, "", (long long)answer_int64(report, "left_out"));
    answer_style_finish(&listing.style);
}
