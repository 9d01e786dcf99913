/*
 * The paper of a receipt: rules, labelled lines, colours and wrapped text. What comes from
 * elsewhere reaches the terminal without control characters.
 */
#ifndef COUNTERPART_MOCKS_REGISTER_PAPER_H
#define COUNTERPART_MOCKS_REGISTER_PAPER_H

#include "base/text.h"

#define PAPER_WIDTH 64 /* columns; fits an 80-column terminal with its margin */
#define WRAP_WIDTH 76  /* of bodies and addresses, indented by two */

enum ink {
    INK_PLAIN,
    INK_FAINT,
    INK_BOLD,
    INK_GREEN,
    INK_RED,
    INK_YELLOW,
};

const char *ink(enum ink which); /* empty unless standard output is a terminal */
void paper_rule(const char *title, const char *note);
void paper_foreign(struct text text);
/* In at most lines_max lines of at most WRAP_WIDTH columns, broken where a value or parameter ends;
 * what is left out is counted. start goes in front of the first line, indent in front of the
 * others. */
#define LINES_ALL SIZE_MAX
void paper_wrap(struct text text, const char *start, const char *indent, size_t lines_max);
/* "label ....... value"; nothing when value is empty. The value in that ink. */
void paper_line(struct text label, enum ink which, struct text value);
/* The same, where the label is the news. */
void paper_entry(struct text label, struct text value);
/* Columns that a text takes: its characters, whatever their width. */
size_t paper_columns(struct text text);
void paper_spaces(size_t count);

#endif
