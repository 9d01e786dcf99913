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
};

/* Runs all tests; returns the number that failed. */
int conformance_run(const struct conformance_backend *backend);
int conformance_run_members(const struct conformance_backend *backend); /* conformance_member.c */

#endif
