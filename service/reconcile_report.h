/*
 * The report of `counterpart reconcile` between its parts: how a tenant's answer and its items are
 * got, and the three ways they are written. Not for other files.
 */
#ifndef COUNTERPART_SERVICE_RECONCILE_REPORT_H
#define COUNTERPART_SERVICE_RECONCILE_REPORT_H

#include "service/admin_client.h"
#include "service/answer.h"

/* Where an item stands. */
enum group {
    GROUP_LISTED,    /* somebody has to look at it */
    GROUP_UNCLAIMED, /* a payment that nobody claims */
    GROUP_OPEN,      /* looked at again by itself */
    GROUP_COUNT,
};

struct reconcile {
    const struct invocation *invocation;
    struct admin_session *session;
    bool is_all;         /* of all tenants */
    int64_t tenants;     /* told so far */
    int64_t unconnected; /* of them */
    int64_t blind;       /* of the unconnected, those of whom something is to be proved */
    int64_t open_items;  /* of them */
};

/* One tenant: its answer with the first page of items. */
struct tenant_answer {
    struct jread *document;
    struct answer_style style;
    int64_t tenant_id;
    int64_t counts[GROUP_COUNT];
    int64_t open_items; /* all of them, and what is to be looked at in a moment */
    int64_t not_looked; /* operations that nobody has looked at: of a tenant that is not connected
                           no open items, as nobody will */
};

/* The tenant that was asked for, or the first after after_id. limit: items of the first page.
 * outcomes   *is_end: there is none any more.
 * errors     what is wrong was written to stderr. */
MUST_CHECK int reconcile_ask_tenant(struct reconcile *reconcile, int64_t after_id, int64_t limit,
                                    struct tenant_answer *answer, bool *is_end);
void reconcile_free_tenant(struct tenant_answer *answer); /* accepts zeroes */

bool reconcile_is_connected(const struct tenant_answer *answer);
/* Something is to be proved, or was until the connection broke, and cannot be. */
bool reconcile_is_blind(const struct tenant_answer *answer);
/* Not connected, and no operation was ever looked at: of the register nothing is known. */
bool reconcile_is_unread(const struct tenant_answer *answer);
/* Not connected, and never was: zeroes would say that nothing was paid, and nobody knows. */
bool reconcile_is_unknown(const struct tenant_answer *answer);

typedef void (*reconcile_page_fn)(void *context, const struct jread *items);
/* The items, a page at a time: the first is the answer's own. */
MUST_CHECK int reconcile_each_page(struct reconcile *reconcile, const struct tenant_answer *answer,
                                   reconcile_page_fn each, void *context);
enum group reconcile_group_of(const struct jread *item);
/* Do the items' differences add up to the tenant's? They do, unless something moved while pages
 * were read. Walks them all. */
MUST_CHECK int reconcile_check_sum(struct reconcile *reconcile, const struct tenant_answer *answer,
                                   bool *is_consistent);

typedef int (*reconcile_tenant_fn)(void *context, struct reconcile *reconcile,
                                   const struct tenant_answer *answer);
/* All tenants that the invocation asks for; counts them. */
MUST_CHECK int reconcile_each_tenant(struct reconcile *reconcile, int64_t limit,
                                     reconcile_tenant_fn each, void *context);

/* Which days: "2026-05-29", "2026-05-01 to 2026-05-31", "all days". */
void reconcile_append_days(struct text_buffer *buffer, const struct jread *document);
/* Why nothing can be proved, for a tenant that is not connected; empty for one that is. */
void reconcile_append_connection(struct text_buffer *buffer, const struct jread *document);
/* What nobody has looked at: "2 charges of $12.00, 1 refund of $3.00 since 2026-05-29 11:16: ...";
 * empty when there is nothing of that kind. */
void reconcile_append_not_looked(struct text_buffer *buffer, const struct tenant_answer *answer);
/* What else is known of an item: "So since 2026-05-29 11:16. Missing
 * since 2026-05-29 11:15. Next look 2026-05-29 11:20" */
void reconcile_append_notes(struct text_buffer *buffer, const struct answer_style *style,
                            const struct jread *item);

/* The three ways. errors: what is wrong was written to stderr. */
MUST_CHECK int reconcile_print_json(struct reconcile *reconcile);
MUST_CHECK int reconcile_print_text(struct reconcile *reconcile);
MUST_CHECK int reconcile_write_page(struct reconcile *reconcile, const char *path);

#endif
