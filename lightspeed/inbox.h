/*
 * Work from the store's table, done on the outbound thread: an order that may have changed is
 * re-read through the tenant's own grant, and what follows from it is done: points earned or taken
 * back, held top-ups released, reservations burned or returned. A webhook is a trigger, never
 * evidence (design section 7). Also the payments that we book ourselves.
 *
 * Every step is safe to repeat, so work is done at least once, with back-off, up to
 * INBOX_ATTEMPTS_MAX.
 */
#ifndef COUNTERPART_LIGHTSPEED_INBOX_H
#define COUNTERPART_LIGHTSPEED_INBOX_H

#include "lightspeed/redeem.h"
#include "store/work.h"

#define INBOX_ATTEMPTS_MAX 20 /* 1 s, 2 s, 4 s ... 1 h, 1 h: about 9 hours */

struct inbox;
struct inbox_config {
    struct outbound *outbound;
    struct committer *committer;
    struct reader *reader;
    struct directory *directory;
    struct oseries_api *api;
    struct redeem *redeem;
};
/* Begins with what the store holds. */
MUST_CHECK int inbox_create(const struct inbox_config *config, struct inbox **inbox);
void inbox_destroy(struct inbox *inbox); /* after outbound_stop; accepts NULL */
/* There is new work. Any thread. */
void inbox_wake(struct inbox *inbox);

struct inbox_counters {
    uint64_t done, given_up, retried;
    int32_t open;
};
void inbox_read_counters(struct inbox *inbox, struct inbox_counters *counters); /* any thread */

#endif
