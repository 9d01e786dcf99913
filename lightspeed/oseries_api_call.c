/* Sends one call of the API: waits for its turn, gets a token, sends, and repeats it once with a
 * fresh token or later when the API says so. */
#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/url.h"
#include "lightspeed/oseries_call.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

#define AUTHORIZATION_HEADER_MAX 1024 /* GRANT_TOKEN_MAX, or client id and secret in base64 */
#define PAGE_HEADER_MAX 32

/* --- lists ------------------------------------------------------------------------------------ */

static void call_link(struct oseries_call *call)
{
    call->next = call->api->calls;
    if (call->next != NULL)
        call->next->previous = call;
    call->api->calls = call;
}

static void call_unlink(struct oseries_call *call)
{
    if (call->next != NULL)
        call->next->previous = call->previous;
    if (call->previous != NULL)
        call->previous->next = call->next;
    else
        call->api->calls = call->next;
}

void call_discard(struct oseries_call *call)
{
    if (call->body != NULL)
        seal_wipe(call->body, strlen(call->body));
    free(call->body);
    free(call);
}

static void call_destroy(struct oseries_call *call)
{
    call_unlink(call);
    call_discard(call);
}

static void enqueue(struct oseries_call *call, bool is_first)
{
    struct api_tenant *tenant = call->tenant;
    enum api_priority priority = call->call.priority;
    struct oseries_call **first = &tenant->queues[priority].first;
    struct oseries_call **last = &tenant->queues[priority].last;
    call->state = CALL_QUEUED;
    call->queue_next = is_first ? *first : NULL;
    if (*first == NULL)
        *first = *last = call;
    else if (is_first)
        *first = call;
    else
        *last = (*last)->queue_next = call;
    atomic_fetch_add(&call->api->waiting, 1);
}

static void dequeue(struct oseries_call *call)
{
    struct api_tenant *tenant = call->tenant;
    enum api_priority priority = call->call.priority;
    struct oseries_call *before = NULL, *each = tenant->queues[priority].first;
    while (each != call) {
        before = each;
        each = each->queue_next;
    }
    if (before == NULL)
        tenant->queues[priority].first = call->queue_next;
    else
        before->queue_next = call->queue_next;
    if (tenant->queues[priority].last == call)
        tenant->queues[priority].last = before;
    atomic_fetch_sub(&call->api->waiting, 1);
}

static struct api_tenant *find_tenant(struct oseries_api *api, int64_t tenant_id)
{
    for (struct api_tenant *each = api->tenants; each != NULL; each = each->next)
        if (each->tenant_id == tenant_id)
            return each;
    struct api_tenant *made = calloc(1, sizeof(*made));
    CHECK(made != NULL); /* as outbound_send: there would be nobody to tell */
    made->tenant_id = tenant_id;
    made->kind = GRANT_OAUTH;
    rate_init(&made->rate, RATE_LIMIT_BEARER, clock_monotonic_us());
    made->next = api->tenants;
    api->tenants = made;
    return made;
}

/* --- the end of a call ------------------------------------------------------------------------ */

/* Somebody still holds it: who gives the tokens. */
static void call_tell(struct oseries_call *call, const struct api_result *result,
                      const struct jread *document, const struct outbound_reply *reply)
{
    struct oseries_api *api = call->api;
    outbound_cancel_timer(api->outbound, &call->deadline);
    call->state = CALL_ENDED;
    atomic_fetch_add(&api->failures, result->error != 0);
    log_event(LOG_DEBUG, "api_call", LOG_TEXT("method", call->method),
              LOG_INT("tenant_id", call->call.tenant_id), LOG_INT("status", result->status),
              LOG_TEXT("error", error_name(result->error)));
    call->on_end(call, result, document, reply);
}

static void call_end(struct oseries_call *call, const struct api_result *result,
                     const struct jread *document, const struct outbound_reply *reply)
{
    call_tell(call, result, document, reply);
    call_destroy(call);
}

/* Without having been sent. */
static void call_fail(struct oseries_call *call, int error)
{
    const struct api_result result = {.error = error};
    call_end(call, &result, NULL, NULL);
}

static void call_lose_turn(struct oseries_call *call, int error)
{
    dequeue(call);
    call_fail(call, error);
}

/* --- sending ---------------------------------------------------------------------------------- */

static void pump_soon(struct oseries_api *api);
static void on_access(void *context, int err, const struct oauth_access *access);

static void on_deadline(void *context)
{
    struct oseries_call *call = context;
    if (call->state == CALL_QUEUED) {
        call_lose_turn(call, call->has_waited ? ERR_RATE_LIMITED : ERR_TIMED_OUT);
        return;
    }
    CHECK(call->state == CALL_AUTHORISING);
    const struct api_result result = {.error = ERR_TIMED_OUT};
    call_tell(call, &result, NULL, NULL); /* on_access frees it */
}

static void watch_deadline(struct oseries_call *call)
{
    outbound_set_timer(call->api->outbound, &call->deadline, call->call.deadline_us, on_deadline,
                       call);
}

static void call_renew(struct oseries_call *call)
{
    struct oseries_api *api = call->api;
    call->has_renewed = true;
    call->state = CALL_AUTHORISING;
    atomic_fetch_add(&api->refreshes, 1);
    rate_force(&call->tenant->rate, clock_monotonic_us());
    watch_deadline(call);
    oauth_renew(api->oauth, call->call.tenant_id, call->token_version, on_access, call);
}

/* After a 429: true when there is still time for another turn. */
static bool call_wait_again(struct oseries_call *call)
{
    int64_t now_us = clock_monotonic_us();
    atomic_fetch_add(&call->api->rate_limited, 1);
    if (rate_due_us(&call->tenant->rate, call->call.priority, now_us) >= call->call.deadline_us)
        return false;
    call->has_waited = true;
    enqueue(call, true);
    watch_deadline(call);
    pump_soon(call->api);
    return true;
}

static void on_reply(void *context, const struct outbound_reply *reply)
{
    struct oseries_call *call = context;
    struct verdict verdict;
    rate_end(&call->tenant->rate, reply, clock_monotonic_us(), clock_wall_us());
    verdict_make(&verdict, call->is_change, reply);
    bool is_over = true;
    if (verdict.token_is_stale && !call->has_renewed) {
        call_renew(call);
        is_over = false;
    } else if (verdict.is_rate_limited) {
        is_over = !call_wait_again(call);
    }
    if (is_over)
        call_end(call, &verdict.result, verdict.document, reply);
    verdict_finish(&verdict);
}

static bool call_append_url(const struct oseries_call *call, int64_t company_id,
                            struct text_buffer *url)
{
    if (!call->url_is_whole) {
        text_append(url, text_of(call->api->url));
        text_append(url, TEXT("/companies/"));
        text_append_int64(url, company_id);
    }
    text_append(url, text_of(call->url));
    return !url->is_cut;
}

static void call_send(struct oseries_call *call, const struct oauth_access *access)
{
    char url[OAUTH_URL_MAX + CALL_URL_MAX], bearer[AUTHORIZATION_HEADER_MAX], page[PAGE_HEADER_MAX];
    struct text_buffer url_buffer, bearer_buffer, page_buffer;
    text_buffer_init(&url_buffer, url, sizeof(url));
    text_buffer_init(&bearer_buffer, bearer, sizeof(bearer));
    text_buffer_init(&page_buffer, page, sizeof(page));
    text_append(&bearer_buffer, TEXT("Authorization: "));
    text_append(&bearer_buffer, text_of(access->authorization));
    text_append_format(&page_buffer, "X-Page: %lld", (long long)call->page);
    CHECK(call_append_url(call, access->company_id, &url_buffer) && !bearer_buffer.is_cut);
    struct outbound_request request = {.method = call->method,
                                       .url = url,
                                       .headers = {"Accept: application/json", bearer},
                                       .body = text_of(call->body),
                                       .deadline_us = call->call.deadline_us};
    int count = 2;
    if (call->body != NULL)
        request.headers[count++] = "Content-Type: application/json";
    if (call->page > 0)
        request.headers[count++] = page;
    call->state = CALL_SENT;
    call->token_version = access->version;
    outbound_cancel_timer(call->api->outbound, &call->deadline);
    atomic_fetch_add(&call->api->call_count, 1);
    outbound_send(call->api->outbound, &request, on_reply, call);
    seal_wipe(bearer, sizeof(bearer));
}

static void note_kind(struct api_tenant *tenant, enum grant_kind kind)
{
    if (tenant->kind == kind)
        return;
    tenant->kind = kind;
    rate_set_limit(&tenant->rate, kind == GRANT_BASIC ? RATE_LIMIT_BASIC : RATE_LIMIT_BEARER,
                   clock_monotonic_us());
}

static void on_access(void *context, int err, const struct oauth_access *access)
{
    struct oseries_call *call = context;
    if (err != 0 || call->state == CALL_ENDED)
        rate_return(&call->tenant->rate);
    if (call->state == CALL_ENDED) { /* its deadline was first */
        call_destroy(call);
        return;
    }
    if (err != 0) {
        /* Of the token, not of the call: the grant must be given again. */
        call_fail(call, err == ERR_REFUSED ? ERR_NOT_CONNECTED : err);
        return;
    }
    note_kind(call->tenant, access->kind);
    call_send(call, access);
}

static void call_authorise(struct oseries_call *call)
{
    call->state = CALL_AUTHORISING;
    oauth_acquire(call->api->oauth, call->call.tenant_id, on_access, call);
}

/* --- turns ------------------------------------------------------------------------------------ */

/* Whoever cannot have a turn before the deadline is told so now, while there is still time to say
 * it to somebody. */
static void refuse_hopeless(struct oseries_call *first, int64_t due_us)
{
    struct oseries_call *next;
    for (struct oseries_call *each = first; each != NULL; each = next) {
        next = each->queue_next;
        if (!each->has_waited)
            atomic_fetch_add(&each->api->waited, 1);
        each->has_waited = true;
        if (each->call.deadline_us <= due_us)
            call_lose_turn(each, ERR_RATE_LIMITED);
    }
}

/* Returns when the tenant's next turn is; INT64_MAX: nobody waits. */
static int64_t serve_tenant(struct api_tenant *tenant)
{
    for (int priority = API_WAITING; priority <= API_BACKGROUND; priority++) {
        struct oseries_call *call;
        while ((call = tenant->queues[priority].first) != NULL) {
            int64_t now_us = clock_monotonic_us();
            if (!rate_take(&tenant->rate, (enum api_priority)priority, now_us))
                break;
            dequeue(call);
            call_authorise(call);
        }
        if (call == NULL)
            continue;
        int64_t due_us =
            rate_due_us(&tenant->rate, (enum api_priority)priority, clock_monotonic_us());
        refuse_hopeless(call, due_us);
        if (tenant->queues[priority].first != NULL)
            return due_us;
    }
    return INT64_MAX;
}

static void end_queued(struct api_tenant *tenant, int error)
{
    for (int priority = API_WAITING; priority <= API_BACKGROUND; priority++)
        while (tenant->queues[priority].first != NULL)
            call_lose_turn(tenant->queues[priority].first, error);
}

static void pump(void *context)
{
    struct oseries_api *api = context;
    int64_t next_us = INT64_MAX;
    for (struct api_tenant *each = api->tenants; each != NULL; each = each->next) {
        if (outbound_is_ending(api->outbound))
            end_queued(each, ERR_SHUTTING_DOWN);
        int64_t due_us = serve_tenant(each);
        if (due_us < next_us)
            next_us = due_us;
    }
    /* What ends of calls have begun meanwhile has set the timer to the next turn of the thread. */
    if (next_us != INT64_MAX && !(api->pump.is_set && api->pump.due_us <= next_us))
        outbound_set_timer(api->outbound, &api->pump, next_us, pump, api);
}

static void pump_soon(struct oseries_api *api)
{
    outbound_set_timer(api->outbound, &api->pump, 0, pump, api);
}

/* --- making calls ----------------------------------------------------------------------------- */

struct oseries_call *call_create(struct oseries_api *api, const struct api_call *call,
                                 const char *method, call_end_fn on_end)
{
    struct oseries_call *made = calloc(1, sizeof(*made));
    CHECK(made != NULL); /* as outbound_send */
    made->api = api;
    made->call = *call;
    made->method = method;
    made->is_change = strcmp(method, "GET") != 0;
    made->on_end = on_end;
    return made;
}

void call_set_path(struct oseries_call *call, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(call->url, sizeof(call->url), format, arguments);
    va_end(arguments);
    CHECK(length > 0 && (size_t)length < sizeof(call->url));
}

bool call_set_url(struct oseries_call *call, struct text url)
{
    struct text_buffer buffer;
    text_buffer_init(&buffer, call->url, sizeof(call->url));
    text_append(&buffer, url);
    call->url_is_whole = true;
    return !buffer.is_cut && text_is_printable(url);
}

int call_find_next_page(const struct oseries_call *call, const struct outbound_reply *reply,
                        bool *has_next, struct api_page *next)
{
    int64_t pages = 0;
    bool has_cursor = reply->next_page.length > 0;
    bool has_more = !call->url_is_whole && text_parse_int64(reply->pages, &pages) == 0 &&
                    call->page + 1 < pages;
    struct text_buffer url;
    *has_next = has_cursor || has_more;
    *next = (struct api_page){.number = has_cursor ? 0 : call->page + 1};
    text_buffer_init(&url, next->url, sizeof(next->url));
    text_append(&url, reply->next_page);
    bool is_ours = !has_cursor || (url_is_same_origin(reply->next_page, text_of(call->api->url)) &&
                                   text_is_printable(reply->next_page) && !url.is_cut);
    return is_ours ? 0 : ERR_BAD_REPLY;
}

void call_set_page(struct oseries_call *call, const struct api_page *page, const char *path)
{
    if (page->url[0] != '\0') {
        CHECK(call_set_url(call, text_of(page->url))); /* looked at by call_find_next_page */
        return;
    }
    call_set_path(call, "%s", path);
    call->page = page->number;
}

void call_set_body(struct oseries_call *call, struct text json)
{
    call->body = strndup(json.base, json.length);
    CHECK(call->body != NULL);
}

void call_begin(struct oseries_call *call)
{
    call->tenant = find_tenant(call->api, call->call.tenant_id);
    call_link(call);
    enqueue(call, false);
    watch_deadline(call);
    pump_soon(call->api);
}

void calls_init(struct oseries_api *api)
{
    outbound_watch_end(api->outbound, &api->watch, pump, api);
}

void calls_finish(struct oseries_api *api)
{
    while (api->calls != NULL)
        call_destroy(api->calls);
    while (api->tenants != NULL) {
        struct api_tenant *tenant = api->tenants;
        api->tenants = tenant->next;
        free(tenant);
    }
}
