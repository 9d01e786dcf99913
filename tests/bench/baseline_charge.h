/*
 * A charge as plain SQL, one transaction for each: what the set statements of the service are
 * compared with. In eight statements, or in one call of a function (baseline.sql).
 */
#ifndef COUNTERPART_TESTS_BENCH_BASELINE_CHARGE_H
#define COUNTERPART_TESTS_BENCH_BASELINE_CHARGE_H

#include "base/text.h"

#define NUMBER_MAX 32

enum charge_result {
    CHARGE_BOOKED, /* now, or by an earlier request that was the same */
    CHARGE_NO_FUNDS,
    CHARGE_NOT_FOUND,
    CHARGE_FAILED, /* the database said no; nothing moved, or nobody knows */
};

struct charge {
    char number[NUMBER_MAX + 1];
    int64_t order_id, site_id, register_id, asked_minor;
    /* --- set by charge_run --- */
    enum charge_result result;
    int64_t operation_id, balance_minor_after;
};

struct charge_connection; /* one to the database, of one thread */

/* location: of libpq. Ends the process when there is no connection to be had. */
struct charge_connection *charge_connect(const char *location, bool is_one_call);
void charge_run(struct charge_connection *connection, struct charge *charge);

#endif
