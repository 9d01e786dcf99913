/*
 * The routes: ONE static table of all endpoints (route.c), and the way of a request to its handler.
 */
#ifndef COUNTERPART_HANDLERS_ROUTE_H
#define COUNTERPART_HANDLERS_ROUTE_H

#include "handlers/exchange.h"

enum surface {
    SURFACE_OSERIES,
    SURFACE_OAUTH,      /* answers browsers: pages, or JSON where Accept asks for it */
    SURFACE_WEBHOOK,    /* what Lightspeed's cloud sends, no register; bodies up to BODY_LARGEST */
    SURFACE_OPERATIONS, /* /healthz, /readyz, /metrics, and what counterpart doctor asks for */
    SURFACE_ADMIN,      /* only on the admin socket */
    SURFACE_NONE,       /* unknown paths */
    SURFACE_COUNT,
};
const char *surface_name(enum surface surface);

enum route_auth {
    AUTH_NONE,
    AUTH_TENANT_SIGNED, /* {key} names a tenant, X-Kounta-Signature per its mode */
    AUTH_TENANT,        /* {key} alone must do; a signature by the tenant's loyalty mode */
    AUTH_LOCAL,         /* admin socket: file permissions are the authority */
};

typedef void (*route_handler_fn)(struct exchange *exchange);

struct route {
    const char *method; /* "GET" also answers HEAD */
    /* "/oseries/{key}/webhooks/{topic}": at most one {key}, which matches one segment; at its end
     * {topic}, which matches all that is left, at least one character. The first pattern that
     * matches is it. */
    const char *pattern;
    const char *name; /* in metrics and logs: "oseries.checkout" */
    enum surface surface;
    enum route_auth auth;
    route_handler_fn handler;
};

int route_count(void);
/* index 0..route_count() - 1. */
const struct route *route_at(int index);
/* NULL, for unknown paths, gives route_count(). */
int route_index(const struct route *route);

enum route_finding {
    ROUTE_FOUND,
    ROUTE_UNKNOWN,      /* no such path here */
    ROUTE_WRONG_METHOD, /* *route is one that has the path: its method is what would be allowed */
};

/* is_local: the request came over the admin socket, which serves AUTH_LOCAL and SURFACE_OPERATIONS;
 * the others serve everything but AUTH_LOCAL. *key is what {key} matched, not yet judged. */
enum route_finding route_find(struct text method, struct text path, bool is_local,
                              const struct route **route, struct text *key);

/* Puts the one handler and the JSON error filter on all paths of a host. is_local: see route_find.
 */
void route_register(h2o_hostconf_t *host, bool is_local);

#endif
