/*
 * The words of the report on payments onto orders that are not ours, for page and terminal alike.
 */
#ifndef COUNTERPART_SERVICE_FOREIGN_WORDS_H
#define COUNTERPART_SERVICE_FOREIGN_WORDS_H

#include "service/answer.h"
#include "service/html.h"

struct foreign_wording {
    const char *name; /* the service's */
    const char *words;
    enum html_tone tone;
};
/* For a name that is not known: "?". */
const struct foreign_wording *foreign_state_wording(struct text state);
const struct foreign_wording *foreign_outcome_wording(struct text outcome);
/* Why we have stopped a payment. */
const char *foreign_verdict_words(struct text verdict);

/* What the report comes to: a heading, and a sentence. */
struct foreign_summary {
    enum html_tone tone;
    const char *heading;
    struct text_buffer sentence;
    char bytes[768];
};
void foreign_summarize(struct foreign_summary *summary, const struct answer_style *style,
                       const struct jread *report);

/* The API's own words, or what came instead of an answer; of what was paid all the same, how that
 * is known. */
void foreign_append_answer(struct text_buffer *buffer, const struct jread *attempt);
/* "$50.00", or "no limit". */
void foreign_append_limit(struct text_buffer *buffer, const struct answer_style *style,
                          struct text limit);
/* "at most $50.00 a payment and $500.00 a day, until 2027-03-31" */
void foreign_append_terms(struct text_buffer *buffer, const struct answer_style *style,
                          const struct jread *approval);
/* ", from 2026-05-01 until 2026-05-31" */
void foreign_append_days(struct text_buffer *buffer, const struct jread *report);

#endif
