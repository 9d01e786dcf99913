/* Rewrites libh2o's own error pages into JSON refusals. */
#include "handlers/json_errors.h"

#include "handlers/exchange.h"
#include "handlers/linger.h"
#include "handlers/route.h"

#include <string.h>

#include "base/banned.h"

/* What libh2o 2.2.5 may answer by itself before a handler sees the request. */
static struct text refusal_of(int status)
{
    switch (status) {
    case 400:
        return TEXT("{\"success\":false,\"error\":\"The request could not be read\","
                    "\"code\":\"bad_request\"}");
    case 413:
        return TEXT("{\"success\":false,\"error\":\"The request is too large\","
                    "\"code\":\"too_large\"}");
    case 417:
        return TEXT("{\"success\":false,\"error\":\"Unknown expectation\","
                    "\"code\":\"expectation_failed\"}");
    default:
        return TEXT("{\"success\":false,\"error\":\"The request could not be served\","
                    "\"code\":\"unavailable\"}");
    }
}

struct json_ostream {
    h2o_ostream_t super;
    struct text body;
};

static void on_send(h2o_ostream_t *super, h2o_req_t *req, h2o_iovec_t *parts, size_t count,
                    h2o_send_state_t state)
{
    (void)parts;
    struct json_ostream *self = (struct json_ostream *)super;
    h2o_iovec_t body = h2o_iovec_init(self->body.base, self->body.length);
    h2o_ostream_send_next(super, req, &body, count == 0 ? 0 : 1, state); /* 0: HEAD */
}

static bool is_text_page(const h2o_req_t *req)
{
    if (req->res.status < 400)
        return false;
    ssize_t at = h2o_find_header(&req->res.headers, H2O_TOKEN_CONTENT_TYPE, -1);
    if (at == -1)
        return false;
    h2o_iovec_t value = req->res.headers.entries[at].value;
    return text_starts_with((struct text){value.base, value.len}, TEXT("text/plain"));
}

/* Returns the slot for the filters after us. */
static h2o_ostream_t **rewrite(h2o_req_t *req, h2o_ostream_t **slot)
{
    struct exchange_loop *loop =
        H2O_STRUCT_FROM_MEMBER(struct exchange_loop, context, req->conn->ctx);
    struct json_ostream *stream =
        (struct json_ostream *)h2o_add_ostream(req, sizeof(*stream), slot);
    stream->super.do_send = on_send;
    stream->body = refusal_of(req->res.status);
    req->res.content_length = stream->body.length;
    h2o_set_header(&req->pool, &req->res.headers, H2O_TOKEN_CONTENT_TYPE,
                   H2O_STRLIT("application/json; charset=utf-8"), 1);
    h2o_set_header(&req->pool, &req->res.headers, H2O_TOKEN_CACHE_CONTROL, H2O_STRLIT("no-store"),
                   1);
    metrics_request(loop->handlers->metrics, route_index(NULL), req->res.status, 0);
    if (req->version < 0x200 && !req->http1_is_persistent)
        linger_arm(loop, req->conn->callbacks->get_socket(req->conn));
    return &stream->super.next;
}

static void on_setup_ostream(h2o_filter_t *self, h2o_req_t *req, h2o_ostream_t **slot)
{
    (void)self;
    if (is_text_page(req))
        slot = rewrite(req, slot);
    h2o_setup_next_ostream(req, slot);
}

void json_errors_register(h2o_pathconf_t *path)
{
    h2o_filter_t *filter = h2o_create_filter(path, sizeof(*filter));
    filter->on_setup_ostream = on_setup_ostream;
}
