/*
 * The conformance suite: what every backend of the store must do. A backend passes in how a fresh
 * location is made and removed; everything else goes through store/store.h.
 */
#ifndef COUNTERPART_TESTS_STORE_CONFORMANCE_H
#define COUNTERPART_TESTS_STORE_CONFORMANCE_H

#include "tests/store/rows.h"

#define LOCATION_MAX 256

struct conformance_backend {
    const char *name;
    /* May several connections open one location? (SQLite's ":memory:" is private to its connection,
     * so tests with readers, or that reopen, are skipped there.) */
    bool is_shared;
    void (*create)(char location[LOCATION_MAX]); /* of an empty store */
    void (*remove)(const char *location);
    /* The cases name cards, operations and transfers by their number: the next one's id becomes
     * the greatest there is plus one. NULL: it always is. */
    void (*close_gaps)(const char *location);
};

/* Runs all tests; returns the number that failed. */
int conformance_run(const struct conformance_backend *backend);
int conformance_run_members(const struct conformance_backend *backend); /* conformance_member.c */

/* --- for the files of the suite */

/* Around every test: a fresh location with an open writer and a tenant. */
int conformance_setup(void **state);
int conformance_teardown(void **state);
struct rows *conformance_rows(void **state);
const struct conformance_backend *conformance_backend(void);
struct store *conformance_open_reader(void **state);
void conformance_reopen(void **state);

#define CONFORMANCE_TEST(name)                                                                     \
    cmocka_unit_test_setup_teardown(name, conformance_setup, conformance_teardown)

/* Runs the tests of one area: its own file, its own line in conformance_run. */
int conformance_run_grants(const char *name);  /* conformance_grant.c */
int conformance_run_leases(const char *name);  /* conformance_lease.c */
int conformance_run_work(const char *name);    /* conformance_work.c */
int conformance_run_foreign(const char *name); /* conformance_foreign.c */
int conformance_run_undo(const char *name);    /* conformance_undo.c */
int conformance_run_proofs(const char *name);  /* conformance_proof.c */
int conformance_run_sums(const char *name);    /* conformance_sum.c */

#endif
