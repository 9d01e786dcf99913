/*
 * The O-Series REST API as typed calls (protocol o-series section 7). On the outbound thread.
 * Every call: a token of the tenant's grant, one refresh and one repetition on 401 (or whatever
 * says that the token has expired), at most 80 % of the rate limit with waiting cashiers before
 * background work, a 429 waited out where the deadline allows.
 */
#ifndef COUNTERPART_LIGHTSPEED_OSERIES_API_H
#define COUNTERPART_LIGHTSPEED_OSERIES_API_H

#include "base/json.h"
#include "base/money.h"
#include "oauth/oauth.h"

struct oseries_api;
struct oseries_api_config {
    struct outbound *outbound;
    struct oauth *oauth;
    struct directory *directory; /* currency and company of a tenant */
    const char *api_url;
};
MUST_CHECK int oseries_api_create(const struct oseries_api_config *config,
                                  struct oseries_api **api);
void oseries_api_destroy(struct oseries_api *api); /* after outbound_stop; accepts NULL */

enum api_priority {
    API_WAITING,    /* a cashier waits for it */
    API_BACKGROUND, /* webhooks, sweeps */
};
struct api_call {
    int64_t tenant_id;
    enum api_priority priority;
    int64_t deadline_us; /* monotonic: the answer comes by then, whatever it is */
};

#define API_ERROR_MAX 200
struct api_result {
    /* 0: the API has done it. ERR_REFUSED: 4xx (status says which; 404 is ERR_NOT_FOUND).
     * ERR_RATE_LIMITED, ERR_NOT_CONNECTED, ERR_TIMED_OUT, ERR_UNREACHABLE, ERR_CONNECTION_LOST,
     * ERR_BAD_REPLY (5xx included), ERR_NO_APP, ERR_SHUTTING_DOWN. */
    int error;
    int status;             /* 0: no reply */
    bool may_have_happened; /* a change: it was sent, and nothing says that it was refused */
    bool may_happen_later;  /* it may even be under way still: no reply came */
    char sentence[API_ERROR_MAX + 1]; /* error_description, cut and made printable */
    int64_t created_id;               /* of Location; 0: none */
    int64_t told_at_us; /* when, by the API's own clock, in whole seconds; 0: it does not say */
};

/* --- orders ----------------------------------------------------------------------------------- */

#define ORDER_LINES_MAX 200
#define ORDER_PAYMENTS_MAX 64
#define ORDER_NOTES_MAX 1000
#define ORDER_REF_MAX 64
#define ORDER_ONE_PPM 1000000

enum order_status {
    ORDER_SUBMITTED,
    ORDER_ON_HOLD,
    ORDER_PENDING,
    ORDER_ACCEPTED,
    ORDER_REJECTED,
    ORDER_COMPLETE,
    ORDER_OTHER, /* a word that we do not know */
};
struct order_line {
    int64_t number;
    int64_t product_id;
    int64_t quantity_milli;
    int64_t total_minor;         /* with tax */
    int64_t price_variation_ppm; /* 1000000: none */
    int64_t price_fixed_variation_minor;
    bool has_options; /* option_sets: takes no variation */
    char notes[ORDER_REF_MAX * 4 + 1];
};
struct order_payment {
    int64_t number;
    int64_t method_id;
    int64_t amount_minor; /* negative: a refund */
    char ref[ORDER_REF_MAX + 1];
};
struct oseries_order {
    int64_t id;
    enum order_status status;
    bool is_deleted;
    int64_t site_id, register_id;
    int64_t customer_id; /* 0: none */
    int64_t total_minor, paid_minor;
    int64_t price_variation_ppm; /* 1000000: none */
    int64_t price_fixed_variation_minor;
    bool is_refund;
    int64_t refunded_order_id; /* 0: none */
    char notes[ORDER_NOTES_MAX + 1];
    bool notes_are_cut;
    char updated_at[40];
    int32_t line_count, payment_count;
    bool is_cut; /* more lines or payments than we keep */
    struct order_line lines[ORDER_LINES_MAX];
    struct order_payment payments[ORDER_PAYMENTS_MAX];
};
/* Payments that are not shown may be among those that were cut; lines alone hide none. */
static inline bool order_payments_are_cut(const struct oseries_order *order)
{
    return order->is_cut && order->payment_count == ORDER_PAYMENTS_MAX;
}
/* Pure: an order's JSON into the struct. Amounts are rounded to exponent, the currency's: the API
 * computes in binary, and its totals may say so. errors: ERR_BAD_REPLY. */
MUST_CHECK int oseries_order_read(const struct jread *json, int exponent,
                                  struct oseries_order *order);

/* order is NULL when result->error is not 0; good for the call only, as is result. */
typedef void (*api_order_fn)(void *context, const struct api_result *result,
                             const struct oseries_order *order);
void oseries_api_get_order(struct oseries_api *api, const struct api_call *call, int64_t order_id,
                           api_order_fn on_done, void *context);

typedef void (*api_done_fn)(void *context, const struct api_result *result);
/* What to change of an order; what is NULL or negative stays. */
struct order_change {
    const int64_t *price_variation_ppm;
    const int64_t *price_fixed_variation_minor;
    const char *notes;
};
void oseries_api_put_order(struct oseries_api *api, const struct api_call *call, int64_t order_id,
                           const struct order_change *change, api_done_fn on_done, void *context);
struct line_change {
    int64_t product_id; /* POST only */
    const int64_t *price_variation_ppm;
    const int64_t *price_fixed_variation_minor;
    const char *notes;
};
void oseries_api_post_line(struct oseries_api *api, const struct api_call *call, int64_t order_id,
                           const struct line_change *line, api_done_fn on_done, void *context);
void oseries_api_put_line(struct oseries_api *api, const struct api_call *call, int64_t order_id,
                          int64_t line_number, const struct line_change *line, api_done_fn on_done,
                          void *context);
void oseries_api_post_payment(struct oseries_api *api, const struct api_call *call,
                              int64_t order_id, int64_t amount_minor, const char *ref,
                              api_done_fn on_done, void *context);

/* --- lists of orders -------------------------------------------------------------------------- */

/* What a list says of an order; the whole is read one by one (o-series 7.1). */
struct order_brief {
    int64_t id;
    int64_t site_id;
    enum order_status status;
    int64_t total_minor, paid_minor;
    bool is_deleted, is_refund;
    int64_t refunded_order_id; /* 0: none */
    char updated_at[40];
};
/* Pure. errors: ERR_BAD_REPLY. */
MUST_CHECK int order_brief_read(const struct jread *json, int exponent, struct order_brief *order);

enum order_list {
    ORDERS_ALL,      /* of every status, but not the deleted ones */
    ORDERS_OLD_OPEN, /* pending, and created in the 60 days before the time that is asked for */
    ORDERS_DELETED,
};
#define API_URL_MAX 1024
/* Where a list goes on: an address that the API gave, or the number of a page. */
struct api_page {
    int64_t number; /* from 0; without an address */
    char url[API_URL_MAX];
};
/* Records of one page: 25 today. A longer one is refused: it would not be bounded. */
#define ORDER_PAGE_MAX 100
struct order_page {
    const struct order_brief *orders;
    int32_t count;
    bool has_next;
    struct api_page next;
};
/* page is NULL when result->error is not 0; good for the call only. */
typedef void (*api_order_page_fn)(void *context, const struct api_result *result,
                                  const struct order_page *page);
/* One page of the orders created since then (wall clock); from: NULL: the first. */
void oseries_api_list_orders(struct oseries_api *api, const struct api_call *call,
                             enum order_list list, int64_t created_since_us,
                             const struct api_page *from, api_order_page_fn on_done, void *context);

/* --- the register's screen (o-series 7.6) ----------------------------------------------------- */

#define NOTICE_MAX 300 /* characters; at most 5 notices an order */
#define NOTICE_S_MIN 3
#define NOTICE_S_MAX 60
struct notice {
    bool is_urgent; /* red; else orange */
    int32_t duration_s;
    const char *message;
};
/* Shown at once on the registers of the order's site. errors: ERR_REFUSED with 400: the order has
 * had its five. */
void oseries_api_post_notification(struct oseries_api *api, const struct api_call *call,
                                   int64_t order_id, const struct notice *notice,
                                   api_done_fn on_done, void *context);

/* --- companies, customers, webhooks ----------------------------------------------------------- */

#define API_NAME_MAX 120
struct oseries_company {
    int64_t id;
    char name[API_NAME_MAX + 1];
    char currency[4];
    char zone[65]; /* "Australia/Sydney"; empty: not told */
};
typedef void (*api_company_fn)(void *context, const struct api_result *result,
                               const struct oseries_company *company);
/* The one that the tenant's grant is for. */
void oseries_api_get_company(struct oseries_api *api, const struct api_call *call,
                             api_company_fn on_done, void *context);

/* What the company has, with its names; more than API_NAMES_MAX are cut: no company is so large. */
enum api_list {
    API_SITES,
    API_PAYMENT_METHODS,
};
#define API_NAMES_MAX 200
struct api_name {
    int64_t id;
    char name[API_NAME_MAX + 1];
};
struct api_names {
    struct api_name items[API_NAMES_MAX];
    int32_t count;
    bool is_cut;
};
/* names is NULL when result->error is not 0; good for the call only. */
typedef void (*api_names_fn)(void *context, const struct api_result *result,
                             const struct api_names *names);
void oseries_api_list_names(struct oseries_api *api, const struct api_call *call,
                            enum api_list list, api_names_fn on_done, void *context);

struct oseries_customer {
    int64_t id;
    char reference_id[65]; /* ours: private to our application; empty: none */
    char first_name[81], last_name[81], email[255], phone[33];
};
typedef void (*api_customer_fn)(void *context, const struct api_result *result,
                                const struct oseries_customer *customer);
void oseries_api_get_customer(struct oseries_api *api, const struct api_call *call,
                              int64_t customer_id, api_customer_fn on_done, void *context);
/* By e-mail: follows the 302 and keeps Authorization on it, to the same host only. For whoever
 * links members without a register: a register that means a customer sends his id, so the service
 * has not needed it yet. */
void oseries_api_find_customer(struct oseries_api *api, const struct api_call *call,
                               const char *email, api_customer_fn on_done, void *context);

/* Make sure that the company's webhooks for these comma-separated topics point at address/topic
 * (format json); walks all pages of the list, posts what is missing, puts what points elsewhere. */
void oseries_api_ensure_webhooks(struct oseries_api *api, const struct api_call *call,
                                 const char *topics, const char *address, api_done_fn on_done,
                                 void *context);

struct api_counters {
    uint64_t calls, failures, refreshes, rate_limited, waited;
    int32_t waiting;
};
void oseries_api_read_counters(struct oseries_api *api,
                               struct api_counters *counters); /* any thread */

#endif
