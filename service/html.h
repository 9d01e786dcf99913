/*
 * Pages that stand alone: one file with its style in it, no script, nothing from elsewhere. They
 * read well on a phone, on a screen and on paper, light and dark. All markup comes from these
 * functions; data is escaped by each of them, in texts and in attributes, and what it may do to the
 * direction of writing ends with it.
 *
 * A page is written straight to its file, so its length needs no memory. Nothing here fails: who
 * opened the file asks ferror() and closes it.
 *
 *     html_begin
 *       html_verdict  html_facts_*  html_figures_*  html_paragraph
 *       html_section_begin  html_paragraph, html_table_*, html_facts_*  html_section_end
 *     html_end
 */
#ifndef COUNTERPART_SERVICE_HTML_H
#define COUNTERPART_SERVICE_HTML_H

#include "base/text.h"

#include <stdio.h>

enum html_tone {
    HTML_PLAIN,
    HTML_GOOD,
    HTML_NOTICE, /* somebody should know */
    HTML_BAD,    /* somebody should do something */
};

/* title: heading and window title. subtitle: whom and when it is about. */
void html_begin(FILE *file, struct text title, struct text subtitle);
/* note: the last line, such as when and by what it was made. */
void html_end(FILE *file, struct text note);

/* Escaped: may stand between tags and in an attribute in quotes. What is no UTF-8, control
 * characters, and what turns the direction of writing become U+FFFD. */
void html_text(FILE *file, struct text text);

/* What the page comes to, in one line and a sentence: "Everything is accounted for". */
void html_verdict(FILE *file, enum html_tone tone, struct text heading, struct text sentence);
void html_paragraph(FILE *file, struct text text);

void html_section_begin(FILE *file, struct text heading);
void html_section_end(FILE *file);

/* Large numbers side by side. note may be empty. */
void html_figures_begin(FILE *file);
void html_figure(FILE *file, enum html_tone tone, struct text label, struct text value,
                 struct text note);
void html_figures_end(FILE *file);

/* Labels with their values, one a line. */
void html_facts_begin(FILE *file);
void html_fact(FILE *file, struct text label, struct text value);
void html_facts_end(FILE *file);

/*
 * A table; on a phone each row becomes a card, in which each cell has its column's title beside it.
 * Rows must have a cell for each column, in order. An empty table is not begun: a paragraph says
 * that there is nothing.
 */
struct html_column {
    const char *title;
    bool is_number; /* flush right, digits below digits, in one line */
    bool is_short;  /* a time, a few digits: in one line */
    bool is_wide;   /* sentences: takes what width is left */
    int width_rem;  /* at least so wide, so that tables below each other line up; 0: as needed */
};
/* A sentence, and behind it what is to be typed or pasted as it stands; either may be empty. */
struct html_line {
    struct text words, code;
};
struct html_table {
    FILE *file;
    const struct html_column *columns;
    int count;
    int next; /* column of the next cell */
};
/* caption: for those who cannot see the page; columns must outlive the table. */
void html_table_begin(struct html_table *table, FILE *file, struct text caption,
                      const struct html_column *columns, int count);
/* The same of three columns, a state, what it is of and what was found: on a phone a list, in which
 * the state stands beside the title, and below them, without a label, what was found. */
void html_checks_begin(struct html_table *table, FILE *file, struct text caption,
                       const struct html_column columns[3]);
void html_row_begin(struct html_table *table);
/* detail: smaller, below; may be empty. */
void html_cell(struct html_table *table, struct text text, struct text detail);
/* The same with lines below it, of which the empty ones are left out. */
void html_cell_lines(struct html_table *table, struct text text, const struct html_line *lines,
                     int count);
/* The text as a badge in its tone. */
void html_cell_badge(struct html_table *table, enum html_tone tone, struct text text,
                     struct text detail);
void html_row_end(struct html_table *table);
void html_table_end(struct html_table *table);

#endif
