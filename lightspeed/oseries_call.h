/*
 * One call of the O-Series API on its way: turn, token, request, and what its reply means. The
 * inside of oseries_api_*.c; nobody else includes it.
 *
 *     QUEUED -> AUTHORISING -> SENT -> done
 *       ^  429      ^  401: renew     |
 *       +-----------+-----------------+
 */
#ifndef COUNTERPART_LIGHTSPEED_OSERIES_CALL_H
#define COUNTERPART_LIGHTSPEED_OSERIES_CALL_H

#include "lightspeed/oseries_api.h"
#include "lightspeed/rate.h"

#define CALL_URL_MAX API_URL_MAX
#define CALL_BODY_MAX                                                                              \
    (8 * 1024)            /* notes of ORDER_NOTES_MAX, each byte escaped as \u00XX, and some */
#define CALL_PAGES_MAX 40 /* of 25 records */

/* --- what a reply means: pure ----------------------------------------------------------------- */

struct verdict {
    struct api_result result;
    struct jread *document; /* of a 2xx reply; NULL: none, or an empty one. The caller's */
    bool token_is_stale;
    bool is_rate_limited;
};
void verdict_make(struct verdict *verdict, bool is_change, const struct outbound_reply *reply);
void verdict_finish(struct verdict *verdict);

/* --- a call ----------------------------------------------------------------------------------- */

enum call_state {
    CALL_QUEUED,
    CALL_AUTHORISING,
    CALL_SENT,
    CALL_ENDED, /* told; only the token's manager still knows it */
};

struct oseries_call;
/* document: NULL, or good for the call only, as is reply (NULL: none came). */
typedef void (*call_end_fn)(struct oseries_call *call, const struct api_result *result,
                            const struct jread *document, const struct outbound_reply *reply);

struct oseries_call {
    struct oseries_call *next, *previous; /* all of the API's */
    struct oseries_call *queue_next;
    struct oseries_api *api;
    struct api_tenant *tenant;
    struct api_call call;
    enum call_state state;
    const char *method;
    bool is_change;
    bool url_is_whole;      /* else a path below /companies/{company} */
    char url[CALL_URL_MAX]; /* or path */
    int64_t page;           /* X-Page; 0: not sent */
    int64_t record_id;      /* what is read; a reply about another is none. 0: not known yet */
    char *body;             /* wiped and freed with the call; NULL: none */
    int64_t token_version;
    bool has_renewed;
    bool has_waited;
    struct outbound_timer deadline;
    call_end_fn on_end;
    /* the typed call it serves */
    api_order_fn on_order;
    api_done_fn on_done;
    api_customer_fn on_customer;
    api_company_fn on_company;
    api_order_page_fn on_order_page;
    void *context;
    void *work; /* of a call in several steps */
};

/* The rate and the queues of one tenant's grant. */
struct api_tenant {
    struct api_tenant *next;
    int64_t tenant_id;
    struct rate rate;
    enum grant_kind kind;
    struct {
        struct oseries_call *first, *last;
    } queues[API_BACKGROUND + 1];
};

struct oseries_api {
    struct outbound *outbound;
    struct oauth *oauth;
    struct directory *directory;
    char url[OAUTH_URL_MAX + 1]; /* without a slash at its end */
    struct api_tenant *tenants;
    struct oseries_call *calls;
    struct outbound_timer pump;
    struct outbound_watch watch;
    _Atomic uint64_t call_count, failures, refreshes, rate_limited, waited;
    _Atomic int32_t waiting;
};

/* A call that is not on its way yet; fill path, body and what it serves, then call_begin. */
struct oseries_call *call_create(struct oseries_api *api, const struct api_call *call,
                                 const char *method, call_end_fn on_end);
__attribute__((format(printf, 2, 3))) void call_set_path(struct oseries_call *call,
                                                         const char *format, ...);
/* false: it is longer than any URL that the API gives. */
MUST_CHECK bool call_set_url(struct oseries_call *call, struct text url);
void call_set_body(struct oseries_call *call, struct text json); /* copied */
void call_discard(struct oseries_call *call);                    /* instead of call_begin */
/*
 * The page after this one (protocol o-series 7.1): X-Next-Page, its whole address, followed on the
 * API's own origin only; or, of old, X-Pages, how many there are, and X-Page in the request. A page
 * that was followed to has no number of ours: its X-Pages says nothing.
 *
 * outcomes   *has_next
 * errors     ERR_BAD_REPLY: there is one, and it cannot be got at.
 */
MUST_CHECK int call_find_next_page(const struct oseries_call *call,
                                   const struct outbound_reply *reply, bool *has_next,
                                   struct api_page *next);
/* path: of the first page, where the next one is a number. */
void call_set_page(struct oseries_call *call, const struct api_page *page, const char *path);
/* on_end is called exactly once, later, never from inside the call. */
void call_begin(struct oseries_call *call);

/* Of the tenant's currency; -1: there is no such tenant. */
int call_exponent(const struct oseries_call *call);

void calls_init(struct oseries_api *api);
void calls_finish(struct oseries_api *api); /* frees what has not ended, untold */

#endif
