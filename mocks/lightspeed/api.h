/*
 * The REST API under /v1, one function a method and resource. They come after the caller is known,
 * the company is his, and the format is right (api.c).
 */
#ifndef COUNTERPART_MOCKS_LIGHTSPEED_API_H
#define COUNTERPART_MOCKS_LIGHTSPEED_API_H

#include "mocks/lightspeed/order.h"

#define PAGE_RECORDS 25 /* protocol o-series 7.1: fixed */

typedef void (*api_fn)(struct cloud *cloud, struct call *call, struct answer *answer);

/* Every /v1 request but the token endpoint. */
void api_answer(struct cloud *cloud, struct call *call, struct answer *answer);

/* api_caller.c: false, and the answer is 401, 429 or so. */
MUST_CHECK bool api_find_caller(struct cloud *cloud, struct call *call, struct answer *answer);
/* 429 with the headers of an exhausted window; also what a fault sends. retry_after_s -1: none. */
void api_refuse_rate(struct cloud *cloud, struct answer *answer, int64_t limit, int64_t reset_us,
                     int64_t retry_after_s);
/* 401 as the OAuth library words it; also what a fault sends. */
void api_refuse_token(struct answer *answer, const char *error, const char *description);

/*
 * One page of a list (api_page.c): which records by filter, how each is shown. Sets X-Page, X-Pages
 * and X-Next-Page.
 */
struct page_source {
    const struct table *table;
    bool (*is_listed)(const struct cloud *cloud, const struct call *call, const void *record,
                      const void *context);
    void (*write)(const struct cloud *cloud, const struct call *call, const void *record,
                  struct jwrite *writer);
    const void *context;
};
void api_answer_page(const struct cloud *cloud, const struct call *call, struct answer *answer,
                     const struct page_source *source);

/* The order of ids[0], if it is the company's; NULL: answered with 404. */
struct order *api_order(const struct cloud *cloud, const struct call *call, struct answer *answer);

void api_company_get(struct cloud *cloud, struct call *call, struct answer *answer);
void api_company_status(struct cloud *cloud, struct call *call, struct answer *answer);
void api_site_list(struct cloud *cloud, struct call *call, struct answer *answer);
void api_site_get(struct cloud *cloud, struct call *call, struct answer *answer);
void api_site_put(struct cloud *cloud, struct call *call, struct answer *answer);
void api_site_status(struct cloud *cloud, struct call *call, struct answer *answer);
void api_till_list(struct cloud *cloud, struct call *call, struct answer *answer);
void api_till_get(struct cloud *cloud, struct call *call, struct answer *answer);
void api_method_list(struct cloud *cloud, struct call *call, struct answer *answer);
void api_product_list(struct cloud *cloud, struct call *call, struct answer *answer);
void api_product_get(struct cloud *cloud, struct call *call, struct answer *answer);
void site_write(const struct site *site, struct jwrite *writer);
void till_write(const struct cloud *cloud, const struct till *till, struct jwrite *writer);

void api_customer_list(struct cloud *cloud, struct call *call, struct answer *answer);
void api_customer_get(struct cloud *cloud, struct call *call, struct answer *answer);
void api_customer_post(struct cloud *cloud, struct call *call, struct answer *answer);
void api_customer_put(struct cloud *cloud, struct call *call, struct answer *answer);
/* As the application sees it: reference_id is its own. */
void customer_write(const struct cloud *cloud, const struct customer *customer,
                    int64_t application_id, struct jwrite *writer);
/* false, and a 400. */
MUST_CHECK bool customer_read(const struct jread *json, bool is_new, int64_t application_id,
                              struct customer *customer, struct answer *answer);

void api_checkin_list(struct cloud *cloud, struct call *call, struct answer *answer);
void api_checkin_get(struct cloud *cloud, struct call *call, struct answer *answer);
void api_checkin_post(struct cloud *cloud, struct call *call, struct answer *answer);
void api_checkin_delete(struct cloud *cloud, struct call *call, struct answer *answer);
/* Everybody who is checked in at a site now, as an array. */
void checkins_write(const struct cloud *cloud, int64_t site_id, struct jwrite *writer);

void api_order_list(struct cloud *cloud, struct call *call, struct answer *answer);
void api_order_get(struct cloud *cloud, struct call *call, struct answer *answer);
void api_order_by_sale(struct cloud *cloud, struct call *call, struct answer *answer);
void api_order_post(struct cloud *cloud, struct call *call, struct answer *answer);
void api_order_put(struct cloud *cloud, struct call *call, struct answer *answer);

void api_line_list(struct cloud *cloud, struct call *call, struct answer *answer);
void api_line_post(struct cloud *cloud, struct call *call, struct answer *answer);
void api_line_put(struct cloud *cloud, struct call *call, struct answer *answer);
void api_line_delete(struct cloud *cloud, struct call *call, struct answer *answer);

void api_payment_post(struct cloud *cloud, struct call *call, struct answer *answer);
void api_payment_put(struct cloud *cloud, struct call *call, struct answer *answer);

void api_notification_post(struct cloud *cloud, struct call *call, struct answer *answer);

#endif
