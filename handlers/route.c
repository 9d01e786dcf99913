/* Finds the route of a request, checks who is calling, and hands the exchange to its handler. */
#include "handlers/route.h"

#include "base/log.h"
#include "handlers/admin.h"
#include "handlers/framing.h"
#include "handlers/json_errors.h"
#include "handlers/loyalty.h"
#include "handlers/oauth.h"
#include "handlers/operations.h"
#include "handlers/oseries.h"
#include "handlers/presence.h"
#include "handlers/signature.h"
#include "handlers/webhook.h"

#include <string.h>

#include "base/banned.h"

static const struct route routes[] = {
    {"POST", "/oseries/{key}/checkout", "oseries.checkout", SURFACE_OSERIES, AUTH_TENANT_SIGNED,
     oseries_checkout},
    {"POST", "/oseries/{key}/check-balance", "oseries.check_balance", SURFACE_OSERIES,
     AUTH_TENANT_SIGNED, oseries_check_balance},
    {"POST", "/oseries/{key}/top-up", "oseries.top_up", SURFACE_OSERIES, AUTH_TENANT_SIGNED,
     oseries_top_up},
    {"POST", "/oseries/{key}/refund", "oseries.refund", SURFACE_OSERIES, AUTH_TENANT_SIGNED,
     oseries_refund},
    {"GET", "/oseries/{key}/customer-search", "oseries.customer_search", SURFACE_OSERIES,
     AUTH_TENANT, loyalty_customer_search},
    {"POST", "/oseries/{key}/customer-search", "oseries.customer_search.post", SURFACE_OSERIES,
     AUTH_TENANT, loyalty_customer_search},
    {"GET", "/oseries/{key}/reward-lookup", "oseries.reward_lookup", SURFACE_OSERIES, AUTH_TENANT,
     loyalty_reward_lookup},
    {"POST", "/oseries/{key}/reward-lookup", "oseries.reward_lookup.post", SURFACE_OSERIES,
     AUTH_TENANT, loyalty_reward_lookup},
    {"GET", "/oseries/{key}/redeem", "oseries.redeem", SURFACE_OSERIES, AUTH_TENANT,
     loyalty_redeem},
    {"POST", "/oseries/{key}/redeem", "oseries.redeem.post", SURFACE_OSERIES, AUTH_TENANT,
     loyalty_redeem},
    {"GET", PRESENCE_PATH, "presence", SURFACE_OPERATIONS, AUTH_NONE, presence_show},
    {"POST", PRESENCE_PATH, "presence.post", SURFACE_OPERATIONS, AUTH_NONE, presence_show},
    {"GET", "/oauth/start", "oauth.start", SURFACE_OAUTH, AUTH_NONE, oauth_start},
    {"GET", "/oauth/callback", "oauth.callback", SURFACE_OAUTH, AUTH_NONE, oauth_callback},
    {"POST", "/oseries/{key}/webhooks/orders/completed", "webhook.order_completed", SURFACE_WEBHOOK,
     AUTH_TENANT_SIGNED, webhook_order_completed},
    {"POST", "/oseries/{key}/webhooks/orders/deleted", "webhook.order_deleted", SURFACE_WEBHOOK,
     AUTH_TENANT_SIGNED, webhook_order_deleted},
    {"POST", "/oseries/{key}/webhooks/{topic}", "webhook.other", SURFACE_WEBHOOK,
     AUTH_TENANT_SIGNED, webhook_other},
    {"GET", "/healthz", "healthz", SURFACE_OPERATIONS, AUTH_NONE, operations_healthz},
    {"GET", "/readyz", "readyz", SURFACE_OPERATIONS, AUTH_NONE, operations_readyz},
    {"GET", "/metrics", "metrics", SURFACE_OPERATIONS, AUTH_NONE, operations_metrics},
    {"POST", "/admin/tenant/add", "admin.tenant_add", SURFACE_ADMIN, AUTH_LOCAL, admin_tenant_add},
    {"POST", "/admin/tenant/reload", "admin.tenant_reload", SURFACE_ADMIN, AUTH_LOCAL,
     admin_tenant_reload},
    {"GET", "/admin/tenant/list", "admin.tenant_list", SURFACE_ADMIN, AUTH_LOCAL,
     admin_tenant_list},
    {"POST", "/admin/tenant/set", "admin.tenant_set", SURFACE_ADMIN, AUTH_LOCAL, admin_tenant_set},
    {"POST", "/admin/site/add", "admin.site_add", SURFACE_ADMIN, AUTH_LOCAL, admin_site_add},
    {"GET", "/admin/site/list", "admin.site_list", SURFACE_ADMIN, AUTH_LOCAL, admin_site_list},
    {"POST", "/admin/card/issue", "admin.card_issue", SURFACE_ADMIN, AUTH_LOCAL, admin_card_issue},
    {"POST", "/admin/card/show", "admin.card_show", SURFACE_ADMIN, AUTH_LOCAL, admin_card_show},
    {"POST", "/admin/card/disable", "admin.card_disable", SURFACE_ADMIN, AUTH_LOCAL,
     admin_card_disable},
    {"POST", "/admin/card/enable", "admin.card_enable", SURFACE_ADMIN, AUTH_LOCAL,
     admin_card_enable},
    {"POST", "/admin/app/set", "admin.app_set", SURFACE_ADMIN, AUTH_LOCAL, admin_app_set},
    {"GET", "/admin/app/show", "admin.app_show", SURFACE_ADMIN, AUTH_LOCAL, admin_app_show},
    {"POST", "/admin/oauth/start", "admin.oauth_start", SURFACE_ADMIN, AUTH_LOCAL,
     admin_oauth_start},
    {"POST", "/admin/oauth/exchange", "admin.oauth_exchange", SURFACE_ADMIN, AUTH_LOCAL,
     admin_oauth_exchange},
    {"GET", "/admin/oauth/status", "admin.oauth_status", SURFACE_ADMIN, AUTH_LOCAL,
     admin_oauth_status},
    {"POST", "/admin/oauth/refresh", "admin.oauth_refresh", SURFACE_ADMIN, AUTH_LOCAL,
     admin_oauth_refresh},
    {"POST", "/admin/oauth/revoke", "admin.oauth_revoke", SURFACE_ADMIN, AUTH_LOCAL,
     admin_oauth_revoke},
    {"POST", "/admin/oauth/basic", "admin.oauth_basic", SURFACE_ADMIN, AUTH_LOCAL,
     admin_oauth_basic},
    {"POST", "/admin/key/rotate", "admin.key_rotate", SURFACE_ADMIN, AUTH_LOCAL, admin_key_rotate},
    {"POST", "/admin/reward/add", "admin.reward_add", SURFACE_ADMIN, AUTH_LOCAL, admin_reward_add},
    {"GET", "/admin/reward/list", "admin.reward_list", SURFACE_ADMIN, AUTH_LOCAL,
     admin_reward_list},
    {"POST", "/admin/reward/disable", "admin.reward_disable", SURFACE_ADMIN, AUTH_LOCAL,
     admin_reward_disable},
    {"POST", "/admin/reward/enable", "admin.reward_enable", SURFACE_ADMIN, AUTH_LOCAL,
     admin_reward_enable},
    {"POST", "/admin/points/grant", "admin.points_grant", SURFACE_ADMIN, AUTH_LOCAL,
     admin_points_grant},
    {"POST", "/admin/points/show", "admin.points_show", SURFACE_ADMIN, AUTH_LOCAL,
     admin_points_show},
    {"POST", "/admin/points/settle", "admin.points_settle", SURFACE_ADMIN, AUTH_LOCAL,
     admin_points_settle},
    {"POST", "/admin/member/add", "admin.member_add", SURFACE_ADMIN, AUTH_LOCAL, admin_member_add},
    {"POST", "/admin/member/list", "admin.member_list", SURFACE_ADMIN, AUTH_LOCAL,
     admin_member_list},
    {"POST", "/admin/member/show", "admin.member_show", SURFACE_ADMIN, AUTH_LOCAL,
     admin_member_show},
    {"POST", "/admin/member/set", "admin.member_set", SURFACE_ADMIN, AUTH_LOCAL, admin_member_set},
    {"POST", "/admin/member/disable", "admin.member_disable", SURFACE_ADMIN, AUTH_LOCAL,
     admin_member_disable},
    {"POST", "/admin/member/enable", "admin.member_enable", SURFACE_ADMIN, AUTH_LOCAL,
     admin_member_enable},
    {"POST", "/admin/member/search", "admin.member_search", SURFACE_ADMIN, AUTH_LOCAL,
     admin_member_search},
    {"POST", "/admin/member/import", "admin.member_import", SURFACE_ADMIN, AUTH_LOCAL,
     admin_member_import},
    {"GET", "/admin/work/list", "admin.work_list", SURFACE_ADMIN, AUTH_LOCAL, admin_work_list},
    {"POST", "/admin/work/retry", "admin.work_retry", SURFACE_ADMIN, AUTH_LOCAL, admin_work_retry},
    {"POST", "/admin/reconcile", "admin.reconcile", SURFACE_ADMIN, AUTH_LOCAL, admin_reconcile},
    {"POST", "/admin/explain", "admin.explain", SURFACE_ADMIN, AUTH_LOCAL, admin_explain},
    {"POST", "/admin/doctor", "admin.doctor", SURFACE_ADMIN, AUTH_LOCAL, admin_doctor},
    {"POST", "/admin/tail", "admin.tail", SURFACE_ADMIN, AUTH_LOCAL, admin_tail},
    {"POST", "/admin/foreign-orders/request", "admin.foreign_request", SURFACE_ADMIN, AUTH_LOCAL,
     admin_foreign_request},
    {"POST", "/admin/foreign-orders/record", "admin.foreign_record", SURFACE_ADMIN, AUTH_LOCAL,
     admin_foreign_record},
    {"POST", "/admin/foreign-orders/report", "admin.foreign_report", SURFACE_ADMIN, AUTH_LOCAL,
     admin_foreign_report},
    {"POST", "/admin/sign", "admin.sign", SURFACE_ADMIN, AUTH_LOCAL, admin_sign},
};

struct route_h2o_handler {
    h2o_handler_t super;
    bool is_local;
};

const char *surface_name(enum surface surface)
{
    switch (surface) {
    case SURFACE_OSERIES:
        return "oseries";
    case SURFACE_OAUTH:
        return "oauth";
    case SURFACE_WEBHOOK:
        return "webhook";
    case SURFACE_OPERATIONS:
        return "operations";
    case SURFACE_ADMIN:
        return "admin";
    case SURFACE_NONE:
    case SURFACE_COUNT:
        return "none";
    }
    return "none";
}

int route_count(void)
{
    return (int)COUNT_OF(routes);
}

const struct route *route_at(int index)
{
    CHECK(index >= 0 && index < route_count());
    return &routes[index];
}

int route_index(const struct route *route)
{
    return route == NULL ? route_count() : (int)(route - routes);
}

/* Most routes differ from a path in its last character already: nothing after {key} is variable,
 * but a {topic}. */
static bool ends_differ(const char *pattern, struct text path)
{
    char last = pattern[strlen(pattern) - 1];
    return path.length == 0 || (last != '}' && last != path.base[path.length - 1]);
}

/* What stands after {key}, to the end of the path. */
static bool tail_matches(const char *pattern, struct text tail)
{
    const char *brace = strchr(pattern, '{');
    if (brace == NULL)
        return text_equal(tail, text_of(pattern));
    struct text fixed = {pattern, (size_t)(brace - pattern)};
    return text_starts_with(tail, fixed) && tail.length > fixed.length;
}

/* {key} stands for the characters up to the next slash. */
static bool pattern_matches(const char *pattern, struct text path, struct text *key)
{
    const char *brace = strchr(pattern, '{');
    *key = (struct text){NULL, 0};
    if (brace == NULL)
        return text_equal(path, text_of(pattern));
    size_t before = (size_t)(brace - pattern);
    if (!text_starts_with(path, (struct text){pattern, before}))
        return false;
    struct text rest = text_slice(path, before, path.length);
    const char *slash = rest.length == 0 ? NULL : memchr(rest.base, '/', rest.length);
    size_t length = slash == NULL ? rest.length : (size_t)(slash - rest.base);
    *key = text_slice(rest, 0, length);
    return tail_matches(strchr(brace, '}') + 1, text_slice(rest, length, rest.length));
}

static bool method_matches(const struct route *route, struct text method)
{
    if (text_equal(method, text_of(route->method)))
        return true;
    return route->method[0] == 'G' && text_equal(method, TEXT("HEAD"));
}

static bool route_is_served(const struct route *route, bool is_local)
{
    return (route->auth == AUTH_LOCAL) == is_local || route->surface == SURFACE_OPERATIONS;
}

enum route_finding route_find(struct text method, struct text path, bool is_local,
                              const struct route **route, struct text *key)
{
    struct text matched;
    *route = NULL;
    *key = (struct text){NULL, 0};
    for (size_t i = 0; i < COUNT_OF(routes); i++) {
        if (!route_is_served(&routes[i], is_local) || ends_differ(routes[i].pattern, path) ||
            !pattern_matches(routes[i].pattern, path, &matched))
            continue;
        *route = &routes[i];
        *key = matched;
        if (method_matches(&routes[i], method))
            return ROUTE_FOUND;
    }
    return *route == NULL ? ROUTE_UNKNOWN : ROUTE_WRONG_METHOD;
}

/* The same words for a bad key and a bad signature: an outsider learns nothing about either. */
static void refuse_unauthorized(struct exchange *exchange)
{
    exchange_refuse(exchange, 401, "unauthorized", "Not authorised");
}

static const char *sentence_of(enum tenant_place place)
{
    if (place == TENANT_GONE)
        return "This shop has moved to another server, nothing was done. Please call your gift "
               "card provider";
    return "This shop is being moved to another server, nothing was done. Try again in a minute";
}

/* His rows are in another store, or on their way: what is asked is for whoever serves them, and
 * comes there when it comes again. */
static void refuse_elsewhere(struct exchange *exchange, const struct tenant *elsewhere)
{
    const char *code = elsewhere->place == TENANT_GONE ? "tenant_has_moved" : "tenant_is_moving";
    if (elsewhere->place != TENANT_GONE) /* it does not come back in a minute */
        exchange_add_header(exchange, "retry-after", TEXT("60"));
    exchange_refuse_as(exchange, 503, elsewhere->profile, code, sentence_of(elsewhere->place));
}

static void log_signature(struct exchange *exchange, enum signature_verdict verdict, bool is_served)
{
    log_event(LOG_WARNING, "signature", LOG_INT("request_id", exchange->request_id),
              LOG_INT("tenant_id", exchange->tenant->tenant.id),
              LOG_TEXT("route", exchange->route->name),
              LOG_TEXT("verdict", signature_verdict_name(verdict)), LOG_BOOL("served", is_served),
              LOG_TEXT_N("client", exchange_client(exchange)));
}

static bool signature_is_accepted(struct exchange *exchange)
{
    enum signature_mode mode = exchange->tenant->tenant.oseries_signature_mode;
    if (mode == SIGNATURE_OFF)
        return true;
    struct text header = {NULL, 0};
    (void)exchange_header(exchange, "x-kounta-signature", &header);
    enum signature_verdict verdict = signature_verify(exchange->tenant, header, exchange->body);
    metrics_signature(exchange->handlers->metrics, (int)verdict);
    metrics_tenant_signature(exchange->handlers->metrics, exchange->tenant->tenant.id, (int)verdict,
                             exchange->received_steady_us);
    if (verdict == SIGNATURE_VALID)
        return true;
    log_signature(exchange, verdict, mode == SIGNATURE_LOG);
    return mode == SIGNATURE_LOG;
}

/* NULL: the request has been answered. What is not known here, or not served yet, may be what
 * another process has just changed. */
static const struct directory_tenant *find_tenant(struct exchange *exchange, struct text key)
{
    const struct directory_tenant *found = NULL;
    const struct tenant *elsewhere = NULL;
    if (key.length == ID_KEY_CHARS) {
        found = directory_find_key(exchange->snapshot, key);
        if (found == NULL) {
            news_wake(exchange->handlers->news);
            elsewhere = directory_find_elsewhere(exchange->snapshot, key);
        }
    }
    if (elsewhere != NULL)
        refuse_elsewhere(exchange, elsewhere);
    else if (found == NULL)
        refuse_unauthorized(exchange);
    return found;
}

/* Else the request has been answered. */
static bool caller_is_accepted(struct exchange *exchange, struct text key)
{
    enum route_auth auth = exchange->route->auth;
    if (auth != AUTH_TENANT_SIGNED && auth != AUTH_TENANT)
        return true;
    exchange->tenant = find_tenant(exchange, key);
    if (exchange->tenant == NULL)
        return false;
    if (auth == AUTH_TENANT ? loyalty_signature_is_accepted(exchange)
                            : signature_is_accepted(exchange))
        return true;
    refuse_unauthorized(exchange);
    return false;
}

static struct text bytes_of(h2o_iovec_t bytes)
{
    return (struct text){bytes.base, bytes.len};
}

/* A full order of 200 lines has some 80 KiB, with options and modifiers more. */
static size_t body_max_of(const struct route *route)
{
    return route != NULL && route->surface == SURFACE_WEBHOOK ? BODY_LARGEST : BODY_MAX;
}

/* What libh2o has let through and we do not. */
static bool request_is_sound(struct exchange *exchange)
{
    h2o_req_t *req = exchange->req;
    if (req->version < 0x200) {
        h2o_buffer_t *input = req->conn->callbacks->get_socket(req->conn)->input;
        if (framing_is_ambiguous((struct text){input->bytes, input->size})) {
            exchange_close_after(exchange);
            exchange_refuse(exchange, 400, "bad_framing",
                            "The request says more than once how long it is");
            return false;
        }
    }
    size_t body_max = body_max_of(exchange->route);
    if (exchange->body.length > body_max) {
        char sentence[64];
        struct text_buffer buffer;
        text_buffer_init(&buffer, sentence, sizeof(sentence));
        text_append_format(&buffer, "The request is larger than %zu KiB", body_max / 1024);
        exchange_refuse(exchange, 413, "too_large", sentence);
        return false;
    }
    return true;
}

static bool path_knows(const struct route *route, char method_initial)
{
    for (size_t i = 0; i < COUNT_OF(routes); i++)
        if (routes[i].method[0] == method_initial && strcmp(routes[i].pattern, route->pattern) == 0)
            return true;
    return false;
}

static void refuse_method(struct exchange *exchange)
{
    bool knows_get = path_knows(exchange->route, 'G'),
         knows_post = path_knows(exchange->route, 'P');
    exchange_add_header(exchange, "allow",
                        knows_get && knows_post ? TEXT("GET, HEAD, POST")
                        : knows_get             ? TEXT("GET, HEAD")
                                                : TEXT("POST"));
    exchange_refuse(exchange, 405, "method_not_allowed", "This path does not know that method");
}

static void exchange_dispatch(struct exchange *exchange, bool is_local)
{
    h2o_req_t *req = exchange->req;
    struct text target = bytes_of(req->input.path), key;
    struct text path = text_slice(target, 0, req->query_at);
    exchange->query = text_slice(target, path.length + 1, target.length);
    enum route_finding finding =
        route_find(bytes_of(req->input.method), path, is_local, &exchange->route, &key);
    if (!request_is_sound(exchange))
        return;
    if (finding == ROUTE_UNKNOWN)
        exchange_refuse(exchange, 404, "not_found", "There is nothing at this path");
    else if (finding == ROUTE_WRONG_METHOD)
        refuse_method(exchange);
    else if (atomic_load_explicit(&exchange->handlers->is_handed_over, memory_order_relaxed))
        exchange_refuse_busy(exchange, ERR_SHUTTING_DOWN);
    else if (caller_is_accepted(exchange, key))
        exchange->route->handler(exchange);
}

static int on_request(h2o_handler_t *self, h2o_req_t *req)
{
    struct exchange *exchange = exchange_begin(req);
    exchange_dispatch(exchange, ((struct route_h2o_handler *)self)->is_local);
    if (!exchange_is_under_way(exchange))
        exchange_fail_bug(exchange, "handler neither answered nor sent a job");
    return 0;
}

void route_register(h2o_hostconf_t *host, bool is_local)
{
    h2o_pathconf_t *path = h2o_config_register_path(host, "/", 0);
    struct route_h2o_handler *handler =
        (struct route_h2o_handler *)h2o_create_handler(path, sizeof(*handler));
    handler->super.on_req = on_request;
    handler->is_local = is_local;
    json_errors_register(path);
    json_errors_register(&host->fallback_path);
}
