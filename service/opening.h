/*
 * Opens what is in the data folder, master key and store, for `serve` and `verify`. What is wrong
 * is given as a reason (service/reason.h), with what to do.
 */
#ifndef COUNTERPART_SERVICE_OPENING_H
#define COUNTERPART_SERVICE_OPENING_H

#include "service/config.h"
#include "store/store.h"

/* What to do where a command finds no store. */
#define OPENING_ADVICE                                                                             \
    "set COUNTERPART_DATA to the service's data folder; if its store is PostgreSQL, set "          \
    "COUNTERPART_DATABASE and COUNTERPART_MASTER_KEY as the service has them, too"

/* errors  as seal_open. */
MUST_CHECK int opening_seal(const struct config *config, bool may_create, struct seal **seal);
/* errors  as store_open. */
MUST_CHECK int opening_store(const struct config *config, const struct seal *seal,
                             enum store_mode mode, struct store **store);
/* store_open said err: gives the reason and returns it. */
int opening_store_failed(const struct config *config, enum store_mode mode, int err);

#endif
