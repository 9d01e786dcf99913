/* Rewrites libh2o's own error pages into JSON. */
#include "mocks/lightspeed/server_errors.h"

#include "base/text.h"

#include "base/banned.h"

static const char BODY[] = "{\"error\":\"bad_request\",\"error_description\":\"The request cannot "
                           "be read, or is too large.\"}";

static void on_send(h2o_ostream_t *super, h2o_req_t *req, h2o_iovec_t *parts, size_t count,
                    h2o_send_state_t state)
{
    (void)parts;
    h2o_iovec_t part = h2o_iovec_init(H2O_STRLIT(BODY));
    h2o_ostream_send_next(super, req, &part, count == 0 ? 0 : 1, state); /* 0: HEAD */
}

static void on_setup_ostream(h2o_filter_t *self, h2o_req_t *req, h2o_ostream_t **slot)
{
    (void)self;
    h2o_ostream_t *stream = h2o_add_ostream(req, sizeof(*stream), slot);
    stream->do_send = on_send;
    req->res.content_length = sizeof(BODY) - 1;
    h2o_set_header(&req->pool, &req->res.headers, H2O_TOKEN_CONTENT_TYPE,
                   H2O_STRLIT("application/json; charset=utf-8"), 1);
    h2o_setup_next_ostream(req, &stream->next);
}

void server_errors_register(h2o_pathconf_t *path)
{
    h2o_filter_t *filter = h2o_create_filter(path, sizeof(*filter));
    filter->on_setup_ostream = on_setup_ostream;
}
