/* Finds out what an X-Kounta-Signature on a loyalty request is over, and judges it. */
#include "base/log.h"
#include "handlers/loyalty.h"
#include "handlers/route.h"
#include "handlers/signature.h"

#include <string.h>

#include "base/banned.h"

/* In the order in which they are told apart: without a body its text is the empty one. */
enum signed_text {
    SIGNED_EMPTY,
    SIGNED_QUERY,
    SIGNED_PATH, /* and query */
    SIGNED_URL,
    SIGNED_BODY,
    SIGNED_TEXTS,
};
static const char *const text_names[SIGNED_TEXTS] = {
    [SIGNED_EMPTY] = "empty", [SIGNED_QUERY] = "query", [SIGNED_PATH] = "path",
    [SIGNED_URL] = "url",     [SIGNED_BODY] = "body",
};

static struct text join(struct exchange *exchange, struct text a, struct text b)
{
    size_t capacity = a.length + b.length + 1;
    struct text_buffer buffer;
    text_buffer_init(&buffer, exchange_allocate(exchange, capacity), capacity);
    text_append(&buffer, a);
    text_append(&buffer, b);
    return text_buffer_text(&buffer);
}

static void fill_texts(struct exchange *exchange, struct text texts[SIGNED_TEXTS])
{
    h2o_iovec_t target = exchange->req->input.path;
    texts[SIGNED_EMPTY] = TEXT("");
    texts[SIGNED_QUERY] = exchange->query;
    texts[SIGNED_PATH] = (struct text){target.base, target.len};
    texts[SIGNED_URL] = join(exchange, text_of(exchange->handlers->public_url), texts[SIGNED_PATH]);
    texts[SIGNED_BODY] = exchange->body;
}

static void log_finding(struct exchange *exchange, enum signature_verdict verdict,
                        const struct signature_match *match, bool is_served)
{
    bool is_found = verdict == SIGNATURE_VALID;
    const char *token = match->is_previous ? "previous" : "current";
    const char *spelling = match->is_base64 ? "base64" : "hex";
    log_event(is_found ? LOG_INFO : LOG_WARNING, "loyalty_signature",
              LOG_INT("request_id", exchange->request_id),
              LOG_INT("tenant_id", exchange->tenant->tenant.id),
              LOG_TEXT("route", exchange->route->name),
              LOG_TEXT("verdict", signature_verdict_name(verdict)),
              LOG_TEXT("over", is_found ? text_names[match->index] : "unknown"),
              LOG_TEXT("token", is_found ? token : "unknown"),
              LOG_TEXT("spelling", is_found ? spelling : "unknown"), LOG_BOOL("served", is_served),
              LOG_TEXT_N("client", exchange_client(exchange)));
}

static enum signature_verdict judge(struct exchange *exchange, struct text header,
                                    struct signature_match *match)
{
    const struct directory_tenant *tenant = exchange->tenant;
    struct text texts[SIGNED_TEXTS];
    if (tenant->signature == NULL && tenant->signature_previous == NULL)
        return SIGNATURE_NO_TOKEN;
    if (text_trim(header).length == 0)
        return SIGNATURE_MISSING;
    fill_texts(exchange, texts);
    return signature_find(tenant, header, texts, SIGNED_TEXTS, match) ? SIGNATURE_VALID
                                                                      : SIGNATURE_WRONG;
}

bool loyalty_signature_is_accepted(struct exchange *exchange)
{
    const struct tenant *tenant = &exchange->tenant->tenant;
    enum signature_mode mode = tenant->loyalty_signature_mode;
    struct signature_match match = {0};
    struct text header = {NULL, 0};
    if (mode == SIGNATURE_OFF)
        return true;
    (void)exchange_header(exchange, "x-kounta-signature", &header);
    enum signature_verdict verdict = judge(exchange, header, &match);
    /* What is signed of a request with a body is documented. */
    bool is_good = verdict == SIGNATURE_VALID &&
                   (!match.is_base64 || tenant->signature_base64_is_accepted) &&
                   (exchange->body.length == 0 || match.index == SIGNED_BODY);
    bool is_served = is_good || mode == SIGNATURE_LOG;
    metrics_signature(exchange->handlers->metrics, (int)verdict);
    if (is_good || mode == SIGNATURE_ENFORCE) /* else nobody has said that there must be one */
        metrics_tenant_signature(exchange->handlers->metrics, tenant->id, (int)verdict,
                                 exchange->received_steady_us);
    /* Without a header there is nothing to learn, and most requests may come so. */
    if (header.length > 0 || !is_served)
        log_finding(exchange, verdict, &match, is_served);
    return is_served;
}
