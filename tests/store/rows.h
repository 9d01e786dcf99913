/*
 * What every store suite needs: a seal, a tenant, cards by number, and commands that go the
 * committer's way (fetch, decide, commit).
 */
#ifndef COUNTERPART_TESTS_STORE_ROWS_H
#define COUNTERPART_TESTS_STORE_ROWS_H

#include "store/store.h"
#include "store/verify.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define ROWS_NOW_US (INT64_C(1800000000) * 1000000)
#define ROWS_DATE 20833

struct rows {
    struct seal *seal;
    struct store *store; /* the writer */
    struct batch *batch;
    struct tenant tenant;
    int64_t now_us; /* moves on by a second with each command */
    /* Before each batch, with the location; NULL: nothing. See struct conformance_backend. */
    void (*close_gaps)(const char *location);
    const char *location;
};

/* master: repeated as the master key. Opens nothing yet. */
void rows_init(struct rows *rows, uint8_t master);
void rows_finish(struct rows *rows); /* closes the store, too */
/* Opens the writer at location and adds a tenant for company 5678. */
void rows_open(struct rows *rows, const char *location);
struct tenant rows_tenant(int64_t company);

/* number: what the card's index is made of; last four of it are its last4. */
struct command rows_issue(struct rows *rows, const char *number, int64_t amount_minor);
struct command rows_command(struct rows *rows, enum action action, const char *number,
                            int64_t order_id, int64_t amount_minor);

/* fetch and decide; the transaction stays open. */
void rows_decide(struct rows *rows, const struct command *commands, int32_t count);
/* fetch, decide, commit a batch; *outcome (may be NULL) is the last one's. */
void rows_run_all(struct rows *rows, const struct command *commands, int32_t count);
struct outcome rows_run(struct rows *rows, struct command command);

struct card rows_card(struct rows *rows, const char *number);
struct store_totals rows_totals(struct rows *rows);
/* For check_hook, so that expect_assert_failure sees a failing CHECK. */
void rows_on_failed_check(const char *expression, const char *file, int line);
/* How many findings verify has; it prints each. */
int64_t rows_verify(struct store *store);

#endif
