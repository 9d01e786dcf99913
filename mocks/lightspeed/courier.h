/*
 * The thread that carries webhooks to their addresses, with libcurl. A parcel is one heap
 * allocation that belongs to one thread at a time: handed over by courier_send, back by
 * courier_collect.
 */
#ifndef COUNTERPART_MOCKS_LIGHTSPEED_COURIER_H
#define COUNTERPART_MOCKS_LIGHTSPEED_COURIER_H

#include "mocks/lightspeed/post.h"

struct courier;

struct parcel {
    struct parcel *next;
    struct delivery delivery; /* a copy; its body too */
    int64_t status;           /* 0: no reply */
    char error[96];
};

/* Called on the courier's thread whenever a parcel has come back. */
typedef void (*courier_done_fn)(void *context);

/* errors  ERR_NO_MEMORY. */
MUST_CHECK int courier_create(courier_done_fn on_done, void *context, struct courier **courier);
void courier_destroy(struct courier *courier); /* accepts NULL; drops what is under way */
/* Copies the delivery. errors: ERR_NO_MEMORY. */
MUST_CHECK int courier_send(struct courier *courier, const struct delivery *delivery);
/* What has come back, as a list; each is freed with parcel_destroy. */
struct parcel *courier_collect(struct courier *courier);
void parcel_destroy(struct parcel *parcel);

#endif
