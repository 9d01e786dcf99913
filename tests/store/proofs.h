/*
 * What the suites about proofs share: a tenant that is connected, operations with their proofs,
 * payments as orders show them.
 */
#ifndef COUNTERPART_TESTS_STORE_PROOFS_H
#define COUNTERPART_TESTS_STORE_PROOFS_H

#include "tests/store/rows.h"

#include "store/proof.h"
#include "store/work.h"

#define PROOFS_MAX 256

/* Gives rows->tenant a grant, which makes the scan see its operations. */
void proofs_connect(struct rows *rows);
/* Adds a tenant of another company, which becomes rows->tenant. */
void proofs_add_tenant(struct rows *rows, int64_t company);

struct operation proofs_operation(struct rows *rows, int64_t operation_id);
/* Runs a command that must succeed. */
int64_t proofs_run(struct rows *rows, enum action action, const char *number, int64_t order_id,
                   int64_t amount_minor);
/* ACTION_REVERSE, ACTION_RECHARGE of an operation; 0 when the ledger finds nothing to do. */
int64_t proofs_undo(struct rows *rows, enum action action, const char *number,
                    int64_t operation_id);

/* Everything that the scan has not come to yet gets its proof, of this date; the number of them. */
int32_t proofs_make(struct rows *rows, int32_t local_date);
struct proof_facts proofs_facts(struct rows *rows, int64_t operation_id);
/* As if it had been judged just now. */
void proofs_set_state(struct rows *rows, int64_t operation_id, enum proof_state state,
                      enum proof_reason reason);

struct register_payment proofs_payment(const struct rows *rows, int64_t order_id, int64_t number,
                                       int64_t amount_minor, int64_t operation_id);
void proofs_put(struct rows *rows, int64_t order_id, const struct register_payment *payments,
                int32_t count);

#endif
