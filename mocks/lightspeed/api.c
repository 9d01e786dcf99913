/* The way through /v1: format rules, caller, company, scopes, then one table of routes. */
#include "mocks/lightspeed/api.h"

#include "mocks/lightspeed/webhook.h"

#include <string.h>

#include "base/banned.h"

/* "#" stands for a number, which goes to ids; "*" at the end for one more word of any kind, "~" for
 * any further words that are no numbers. Scopes such as sites/923 have been taken off the front. */
static const struct route {
    const char *method;
    const char *pattern;
    api_fn answer;
} ROUTES[] = {
    {"GET", "", api_company_get},
    {"GET", "status", api_company_status},
    {"GET", "sites", api_site_list},
    {"GET", "sites/#", api_site_get},
    {"PUT", "sites/#", api_site_put},
    {"GET", "sites/#/status", api_site_status},
    {"GET", "registers", api_till_list},
    {"GET", "registers/#", api_till_get},
    {"GET", "payment_methods", api_method_list},
    {"GET", "products", api_product_list},
    {"GET", "products/#", api_product_get},
    {"GET", "customers", api_customer_list},
    {"POST", "customers", api_customer_post},
    {"GET", "customers/#", api_customer_get},
    {"PUT", "customers/#", api_customer_put},
    {"GET", "checkins", api_checkin_list},
    {"POST", "checkins", api_checkin_post},
    {"GET", "checkins/#", api_checkin_get},
    {"DELETE", "checkins/#", api_checkin_delete},
    {"GET", "orders/saleid/*", api_order_by_sale},
    {"POST", "orders", api_order_post},
    {"GET", "orders/#", api_order_get},
    {"PUT", "orders/#", api_order_put},
    {"GET", "orders/#/lines", api_line_list},
    {"POST", "orders/#/lines", api_line_post},
    {"PUT", "orders/#/lines/#", api_line_put},
    {"DELETE", "orders/#/lines/#", api_line_delete},
    {"POST", "orders/#/payments", api_payment_post},
    {"PUT", "orders/#/payments/#", api_payment_put},
    {"POST", "orders/#/notifications", api_notification_post},
    {"GET", "orders/~", api_order_list},
    {"GET", "webhooks", api_webhook_list},
    {"POST", "webhooks", api_webhook_post},
    {"GET", "webhooks/#", api_webhook_get},
    {"PUT", "webhooks/#", api_webhook_put},
    {"DELETE", "webhooks/#", api_webhook_delete},
};

static bool rest_has_no_number(const struct call *call, size_t from)
{
    for (size_t i = from; i < call->segment_count; i++)
        if (text_is_digits(call->segments[i]))
            return false;
    return true;
}

static bool route_matches(const char *pattern, struct call *call)
{
    size_t at = call->resource;
    call->id_count = 0;
    while (*pattern != '\0') {
        size_t length = strcspn(pattern, "/");
        struct text word = {pattern, length};
        if (text_equal(word, TEXT("~")))
            return rest_has_no_number(call, at);
        if (at >= call->segment_count)
            return false;
        if (text_equal(word, TEXT("#"))) {
            int64_t id = call_segment_id(call, at);
            if (id == 0)
                return false;
            call->ids[call->id_count++] = id;
        } else if (!text_equal(word, TEXT("*")) && !text_equal(word, call->segments[at])) {
            return false;
        }
        at++;
        pattern += length + (pattern[length] == '/' ? 1 : 0);
    }
    return at == call->segment_count;
}

static void api_route(struct cloud *cloud, struct call *call, struct answer *answer)
{
    bool is_known = false;
    for (size_t i = 0; i < COUNT_OF(ROUTES); i++) {
        if (!route_matches(ROUTES[i].pattern, call))
            continue;
        is_known = true;
        if (!call_method_is(call, ROUTES[i].method))
            continue;
        ROUTES[i].answer(cloud, call, answer);
        return;
    }
    if (is_known)
        answer_error(answer, 405, "method_not_allowed", "This resource does not know %.*s.",
                     (int)(call->method.length < 16 ? call->method.length : 16), call->method.base);
    else
        answer_not_found(answer, "resource");
}

/* protocol o-series 7.1: ".json" or Accept, else 406; what is sent is JSON, else 400. */
static bool format_is_good(const struct call *call, struct answer *answer)
{
    static const char wanted[] = "application/json";
    bool is_accepted = call->has_json_suffix ||
                       (call->accept.length > 0 && memmem(call->accept.base, call->accept.length,
                                                          wanted, strlen(wanted)) != NULL);
    if (!is_accepted) {
        answer_error(answer, 406, "not_acceptable",
                     "End the path in .json or send Accept: application/json.");
        return false;
    }
    bool has_body = call_method_is(call, "POST") || call_method_is(call, "PUT");
    struct text type = text_slice(call->content_type, 0, strlen(wanted));
    if (!has_body || text_equal_nocase(type, text_of(wanted)))
        return true;
    answer_bad(answer, "Content-Type must be application/json.");
    return false;
}

/* A token sees its own company; every other one is not there (protocol o-series 11). */
static bool find_company(struct call *call, struct answer *answer)
{
    bool is_own = call_segment_is(call, 2, "me") || call_segment_id(call, 2) == call->company->id;
    if (call_segment_is(call, 1, "companies") && is_own) {
        call->resource = 3;
        return true;
    }
    answer_not_found(answer, call_segment_is(call, 1, "companies") ? "company" : "resource");
    return false;
}

/* companies/5678/sites/923/orders: every pair of scope and number that something follows. */
static void take_scopes(struct call *call)
{
    const struct {
        const char *name;
        int64_t *id;
    } SCOPES[] = {{"sites", &call->site_id},
                  {"registers", &call->register_id},
                  {"staff", &call->staff_id},
                  {"customers", &call->customer_id}};
    bool has_taken = true;
    while (has_taken) {
        has_taken = false;
        size_t at = call->resource;
        int64_t id = call_segment_id(call, at + 1);
        if (id == 0 || at + 2 >= call->segment_count || call_segment_is(call, at + 2, "status"))
            return;
        for (size_t i = 0; i < COUNT_OF(SCOPES) && !has_taken; i++) {
            if (!call_segment_is(call, at, SCOPES[i].name))
                continue;
            *SCOPES[i].id = id;
            call->resource += 2;
            has_taken = true;
        }
    }
}

static bool scopes_exist(const struct cloud *cloud, const struct call *call, struct answer *answer)
{
    int64_t company_id = call->company->id;
    if (call->site_id != 0 && cloud_site(cloud, company_id, call->site_id) == NULL)
        answer_not_found(answer, "site");
    else if (call->register_id != 0 && cloud_till(cloud, company_id, call->register_id) == NULL)
        answer_not_found(answer, "register");
    else if (call->customer_id != 0 && cloud_customer(cloud, company_id, call->customer_id) == NULL)
        answer_not_found(answer, "customer");
    else
        return true;
    return false;
}

void api_answer(struct cloud *cloud, struct call *call, struct answer *answer)
{
    if (!api_find_caller(cloud, call, answer) || !format_is_good(call, answer))
        return;
    if (call_segment_is(call, 1, "sites_status") && call->segment_count == 2) {
        api_company_status(cloud, call, answer); /* all authorised sites: those of one company */
        return;
    }
    if (!find_company(call, answer))
        return;
    take_scopes(call);
    if (scopes_exist(cloud, call, answer))
        api_route(cloud, call, answer);
}
