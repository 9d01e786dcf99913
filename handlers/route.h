/*
 * The routes: ONE static table of all endpoints (route.c).
 */
#ifndef COUNTERPART_HANDLERS_ROUTE_H
#define COUNTERPART_HANDLERS_ROUTE_H

#include "handlers/exchange.h"

enum surface {
    SURFACE_OSERIES,
    SURFACE_OPERATIONS, /* /healthz, /readyz, /metrics */
    SURFACE_ADMIN,      /* only on the admin socket */
    SURFACE_NONE,       /* unknown paths */
    SURFACE_COUNT,
};

enum route_auth {
    AUTH_NONE,
    AUTH_TENANT_SIGNED, /* {key} names a tenant, X-Kounta-Signature per its mode */
    AUTH_LOCAL,         /* admin socket: file permissions are the authority */
};

typedef void (*route_handler_fn)(struct exchange *exchange);

struct route {
    const char *method;  /* "GET" also answers HEAD */
    const char *pattern; /* "/oseries/{key}/checkout" */
    const char *name;    /* in metrics and logs: "oseries.checkout" */
    enum surface surface;
    enum route_auth auth;
    route_handler_fn handler;
};

#endif
