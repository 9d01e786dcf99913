/*
 * What the processes of one store share besides its rows: leases, which say who of them does what
 * only one may do, and numbers that tell each of what another has changed. Times are the
 * database's: the clocks of the processes need not agree.
 */
#ifndef COUNTERPART_STORE_LEASE_H
#define COUNTERPART_STORE_LEASE_H

#include "base/id.h"
#include "store/store.h"

#define LEASE_OWNER_CHARS ID_KEY_CHARS

struct lease_wish {
    const char *name; /* of what only one may do; a literal */
    char owner[LEASE_OWNER_CHARS + 1];
    int64_t life_us; /* from now on */
};
struct lease_state {
    char owner[LEASE_OWNER_CHARS + 1]; /* empty: nobody's */
    int64_t left_us;                   /* <= 0: it has ended, and anybody may take it */
    int64_t version;                   /* raised whenever it comes to another owner */
};

/*
 * Take or renew the lease, unless another owner has it. *state is who has it afterwards: the wish
 * was granted when that is its owner. A store with one process (SQLite) always grants it and keeps
 * nothing. On a writer, outside of groups.
 */
MUST_CHECK int store_take_lease(struct store *store, const struct lease_wish *wish,
                                struct lease_state *state);
/* If this owner has it, anybody may take it from now on. */
MUST_CHECK int store_release_lease(struct store *store, const char *name, const char *owner);

/* Each only rises. */
struct store_versions {
    int64_t config; /* of what a directory holds, and applications and grants; always 0 where there
                       is one process */
    int64_t hot_generation;
    int64_t token_generation;
};
MUST_CHECK int store_read_versions(struct store *store, struct store_versions *versions);
/* May other processes have this store open and write to it? */
bool store_is_shared(const struct store *store);

#endif
