/*
 * Prove the laws from the rows alone (law 2 and its neighbours). Reads one consistent snapshot, so
 * it may run beside a live service; every deviation is one finding with a stable name and the ids
 * it concerns.
 */
#ifndef COUNTERPART_STORE_VERIFY_H
#define COUNTERPART_STORE_VERIFY_H

#include "base/check.h"

#include <stdint.h>

struct store;

/* name such as "balance_differs"; detail one sentence with ids and amounts, never a card number. */
typedef void (*verify_finding_fn)(void *context, const char *name, const char *detail);
typedef void (*verify_progress_fn)(void *context, int64_t done,
                                   int64_t total); /* rows; may be NULL */

/* errors  the store's own; *findings counts what was reported, 0: the laws hold. */
MUST_CHECK int store_verify(struct store *store, verify_finding_fn finding,
                            verify_progress_fn progress, void *context, int64_t *findings);

#endif
