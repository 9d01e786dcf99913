/*
 * A page for people: one card with a heading, some sentences and what to do next. No script,
 * nothing from elsewhere, and a policy that allows nothing else; every text is escaped.
 */
#ifndef COUNTERPART_HANDLERS_PAGE_H
#define COUNTERPART_HANDLERS_PAGE_H

#include "handlers/exchange.h"

#define PAGE_SENTENCES_MAX 3
#define PAGE_STEPS_MAX 3

struct page {
    int status;
    bool is_good;         /* it worked: shown in another colour */
    const char *code;     /* for programs: error_name; ignored when it is good */
    const char *merchant; /* whom it is about; NULL: not known */
    const char *heading;  /* short: "Connected" */
    const char *sentences[PAGE_SENTENCES_MAX]; /* NULL at the end; the first says it all */
    const char *steps[PAGE_STEPS_MAX];         /* what to do next, in order; NULL at the end */
    const char *link;                          /* where a button leads; NULL: there is none */
    const char *link_text;
};

/* Answers with the page; where Accept asks for JSON, with {"success":..., "message" or "error"}. */
void page_reply(struct exchange *exchange, const struct page *page);
/* Does the caller want JSON? */
bool page_wants_json(const struct exchange *exchange);

#endif
