/*
 * Back-up and restore: a copy of a store in a file, of one moment, made beside a running service;
 * and the start of any copy as a store of its own. (PostgreSQL is copied by its own programs:
 * packaging/postgres.)
 */
#ifndef COUNTERPART_STORE_BACKUP_H
#define COUNTERPART_STORE_BACKUP_H

#include "store/store.h"

typedef void (*store_copy_fn)(void *context, int64_t done, int64_t total); /* pages; may be NULL */

/*
 * Copy the store at from into a new file, mode 0600, as one commit has left it. The writer goes on
 * meanwhile; its log grows until the copy is done, as beside store_verify.
 *
 * errors     ERR_ALREADY_EXISTS: there is something at to; ERR_STORE_FULL, _DOWN, _CORRUPT, _BUSY.
 *            What was begun is removed.
 */
MUST_CHECK int store_copy(const char *from, const char *to, store_copy_fn progress, void *context);

/*
 * A copy, of today's schema, becomes a store of its own: what it gives out from now on (references,
 * tokens, entries in Redis) is never taken for what the original has given out since the copy was
 * made. The ids of operations, which references carry, go on from operation_least at least; those
 * that are there keep theirs, so that a repeated request gets the answer it had. So do those of
 * members, which registers and the customers' records at Lightspeed carry (store/sql_member.c: by
 * the generation of tokens). Nobody may serve it: of PostgreSQL that is looked at.
 *
 * errors     ERR_STORE_FULL, _DOWN, _CORRUPT, _BUSY. PostgreSQL: ERR_LOCKED: this role has other
 *            connections to the database; how many is logged.
 */
MUST_CHECK int store_begin_anew(const struct store_config *config, int64_t operation_least,
                                int64_t now_us);

#endif
