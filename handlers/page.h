/*
 * A page for people: a heading and some sentences. No script, nothing from elsewhere, and a policy
 * that allows nothing else; every text is escaped.
 */
#ifndef COUNTERPART_HANDLERS_PAGE_H
#define COUNTERPART_HANDLERS_PAGE_H

#include "handlers/exchange.h"

#define PAGE_SENTENCES_MAX 4

struct page {
    int status;
    bool is_good;        /* it worked: shown in another colour */
    const char *code;    /* for programs: error_name; ignored when it is good */
    const char *heading; /* short: "Connected" */
    const char *sentences[PAGE_SENTENCES_MAX]; /* NULL at the end; the first says it all */
};

/* Answers with the page; where Accept asks for JSON, with {"success":..., "message" or "error"}. */
void page_reply(struct exchange *exchange, const struct page *page);
/* Does the caller want JSON? */
bool page_wants_json(const struct exchange *exchange);

#endif
