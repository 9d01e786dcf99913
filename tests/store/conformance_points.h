/*
 * The conformance suite of rewards and points: what every backend of the store must do with them.
 */
#ifndef COUNTERPART_TESTS_STORE_CONFORMANCE_POINTS_H
#define COUNTERPART_TESTS_STORE_CONFORMANCE_POINTS_H

#include "tests/store/conformance.h"

/* Runs all tests; returns the number that failed. */
int conformance_points_run(const struct conformance_backend *backend);

#endif
