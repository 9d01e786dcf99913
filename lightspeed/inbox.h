/*
 * Work from the store's table, done on the outbound thread: an order that may have changed is
 * re-read through the tenant's own grant, and what follows from it is done: points earned or taken
 * back, held top-ups released, reservations burned or returned. A webhook is a trigger, never
 * evidence (design section 7). Also the payments that we book ourselves, and telling Lightspeed
 * where our webhooks go.
 *
 * Every step is safe to repeat, so work is done at least once, with back-off, up to
 * INBOX_ATTEMPTS_MAX. What follows from an order as it is read:
 *
 *     COMPLETE            release what its top-ups hold; burn the reservations applied to it;
 *                         earn: points_for_amount of the order's total for the member that the
 *                         order's customer is linked to, once
 *     COMPLETE, a refund  take back the share of the refunded order's points that its total has in
 *                         that order's total, rounded down; release. A refunded order that has not
 *                         been counted yet earns first, so it may be told later than its refund;
 *                         one that cannot be read, or is not complete, is waited for. All that is
 *                         taken back of one sale never comes to more than it earned
 *     deleted             return its reservations, burned ones too; take back what it earned; held
 *                         top-ups stay as they are, and nothing will release them
 *     anything else       nothing yet: looked at again
 *     not readable        another merchant's: ignored after three looks. Where a top-up or a
 *                         reservation waits for it, it is ours: looked for, given up in the end
 *
 * One order is worked on once at a time, and so is a refund's sale.
 */
#ifndef COUNTERPART_LIGHTSPEED_INBOX_H
#define COUNTERPART_LIGHTSPEED_INBOX_H

#include "lightspeed/redeem.h"
#include "store/work.h"

#define INBOX_ATTEMPTS_MAX 20 /* 1 s, 2 s, 4 s ... 1 h, 1 h: about 9 hours */
/* A payment was sent and no reply came: it may still arrive, so the order is not read before. */
#define INBOX_SETTLE_US (INT64_C(60) * 1000000)

/* When proofs are looked at (lightspeed/reconcile.h). Tests shorten them
 * (COUNTERPART_RECONCILE_*). */
struct reconcile_times {
    int64_t scan_us;        /* between scans for new operations; 5 s */
    int64_t reread_us;      /* between the two reads that agree; 60 s */
    int64_t reverse_age_us; /* 15 min */
    int64_t open_listed_us; /* 24 h; what is listed is looked at as often */
    int64_t sweep_us;       /* between sweeps; 24 h */
};
#define RECONCILE_TIMES                                                                            \
    {                                                                                              \
        .scan_us = INT64_C(5) * 1000000, .reread_us = INT64_C(60) * 1000000,                       \
        .reverse_age_us = INT64_C(900) * 1000000, .open_listed_us = INT64_C(86400) * 1000000,      \
        .sweep_us = INT64_C(86400) * 1000000,                                                      \
    }

struct inbox;
struct inbox_config {
    struct outbound *outbound;
    struct committer *committer;
    struct reader *reader;
    struct directory *directory;
    struct oseries_api *api;
    const char *public_url;  /* webhooks come to public_url/oseries/{key}/webhooks/{topic} */
    int64_t generation;      /* of the store; part of every reference */
    const struct duty *duty; /* work begins only while it is ours; borrowed. NULL: always */
    bool is_shared;          /* other processes may add work, and wake nobody here */
    struct reconcile_times times;
};
/* Begins with what the store holds. */
MUST_CHECK int inbox_create(const struct inbox_config *config, struct inbox **inbox);
void inbox_destroy(struct inbox *inbox); /* after outbound_stop; accepts NULL */
/* There is new work. Any thread; accepts NULL. */
void inbox_wake(struct inbox *inbox);
/* The tenant has just been connected: its webhooks are registered, and what waited for this is
 * looked at. On the outbound thread. */
void inbox_connected(struct inbox *inbox, int64_t tenant_id);
/* Another process has connected him, and this one knows the tokens only now: what it put off since
 * is looked at too. On the outbound thread. */
void inbox_connected_elsewhere(struct inbox *inbox, int64_t tenant_id);

struct inbox_counters {
    uint64_t done, given_up, retried;
    uint64_t released, earned, taken_back; /* held top-ups' cards; orders */
    /* Operations, each time that it is said of one anew: see enum proof_state; how often a card was
     * charged again, by a late payment or a refund that the register does not show. */
    uint64_t confirmed, reversed, listed, recharged;
    uint64_t swept, missed; /* sweeps that have ended; orders that they were the first to tell of */
    uint64_t noticed;       /* told on registers' screens */
    int32_t open;
};
void inbox_read_counters(struct inbox *inbox, struct inbox_counters *counters); /* any thread */

/* Of points that an order of whole_minor has earned, the share of part_minor of it: rounded down,
 * never more than all. Pure. */
int64_t points_share(int64_t points, int64_t part_minor, int64_t whole_minor);

#endif
