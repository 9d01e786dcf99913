/*
 * The findings of a run, and the four ways to tell them: for people on a terminal, for people in a
 * browser, for build servers (JUnit) and for programs (JSON). What comes from the target is
 * escaped everywhere.
 */
#ifndef COUNTERPART_MOCKS_CHECK_REPORT_H
#define COUNTERPART_MOCKS_CHECK_REPORT_H

#include "mocks/check/cases.h"

#include <stdio.h>

#define OUTCOMES (OUTCOME_SKIPPED + 1)
#define MONEY_LINES_MAX 4

struct result {
    const struct check_case *check;
    struct scene *scene;
};

struct report {
    const struct settings *settings;
    const struct run_state *run;
    struct result results[CASES_MAX];
    size_t count;
    size_t outcomes[OUTCOMES];
    int64_t started_us; /* wall */
    int64_t time_us;
    char money[MONEY_LINES_MAX][SENTENCE_MAX]; /* what is on the cards, before and after */
    size_t money_count;
};

/* Why the till would mind: the case's own word, else the table's. */
const char *result_consequence(const struct result *result);
/* "docs/conformance/once-retry.md" */
#define PAGE_MAX 96
const char *result_page(const struct result *result, char out[PAGE_MAX]);
/* "once", and what it is called. */
struct text result_group(const struct result *result);
const char *result_group_title(const struct result *result);
/* One mistake fails many cases, which then all say the same, numbers aside. */
struct cause {
    size_t first; /* of report->results */
    size_t count;
    bool is_money; /* a card has another amount than its holder was told */
};
/* It failed, or was blocked by what another one failed for. */
bool result_has_cause(const struct result *result);
/* Money that was lost first, then those with the most cases; gives how many. */
size_t report_find_causes(const struct report *report, struct cause causes[CASES_MAX]);
bool results_are_alike(const struct result *a, const struct result *b);
/* "tillsim check: 85 asked ..." */
void report_write_summary(const struct report *report, struct text_buffer *out);

void report_print_text(const struct report *report);
void report_write_html(const struct report *report, FILE *out);
void report_write_junit(const struct report *report, FILE *out);
void report_write_json(const struct report *report, FILE *out);

#endif
