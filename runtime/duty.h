/*
 * The duty: of all processes of one store, one at a time does what nobody asks for (the work that
 * webhooks bring, sweeps, proofs, what expires). It holds a lease of the store (store/lease.h),
 * renewed long before it ends; the process that has lost it starts nothing more, and another one
 * takes it when it has ended. A store with one process has no lease: the duty is always ours.
 *
 * A process may be stopped in the middle of something, for longer than the lease, and go on with
 * what it knew then. So what was begun with the duty ends with it (duty_is_still), nothing is sent
 * and no errand is run after the lease that it was begun under, and what is done twice all the same
 * is safe to repeat.
 */
#ifndef COUNTERPART_RUNTIME_DUTY_H
#define COUNTERPART_RUNTIME_DUTY_H

#include "runtime/committer.h"
#include "runtime/outbound.h"
#include "store/lease.h"

#define DUTY_LEASE "scheduler"
#define DUTY_LIFE_US (INT64_C(30) * 1000000)
#define DUTY_RENEW_US (INT64_C(5) * 1000000) /* five may fail before it is lost */
/* Nothing is started with less: a request to Lightspeed may take 15 s. */
#define DUTY_MARGIN_US (INT64_C(16) * 1000000)

struct duty;
struct duty_config {
    struct outbound *outbound;
    struct committer *committer;
    char owner[LEASE_OWNER_CHARS + 1];  /* this process, since its start */
    char former[LEASE_OWNER_CHARS + 1]; /* one that has ended: what it had is released first; or
                                           empty */
    bool is_shared;                     /* store_is_shared; false: nobody is asked */
    /* The duty has come to this process; on the outbound thread. NULL: nobody wants to know. */
    void (*on_taken)(void *context);
    void *taken_context;
    int64_t life_us, renew_us; /* DUTY_LIFE_US, DUTY_RENEW_US; tests shorten them */
};

MUST_CHECK int duty_create(const struct duty_config *config, struct duty **duty);
/* Once: asks for the lease, and goes on asking. */
void duty_start(struct duty *duty);
void duty_destroy(struct duty *duty); /* after outbound_stop; accepts NULL */
/* Another process may take it at once: after committer_stop, with the store that was its first.
 * What does not work costs the others the rest of the lease. Accepts NULL. */
void duty_give_up(struct duty *duty, struct store *store);

/* Is it ours for so long? Any thread; NULL: there is nobody else. */
bool duty_is_ours(const struct duty *duty, int64_t for_us);
/* monotonic; INT64_MAX: it does not end. */
int64_t duty_ends_us(const struct duty *duty);
/* Which time it is that we have it. */
int64_t duty_version(const struct duty *duty);
/* Has it been ours without a break since it was of this version? */
bool duty_is_still(const struct duty *duty, int64_t version);

#endif
