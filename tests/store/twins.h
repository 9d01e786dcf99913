/*
 * Twins: one stream of random commands through two stores, SQLite's and PostgreSQL's, that must
 * load the same rows and decide the same. Their ids differ (PostgreSQL's have gaps), so ids are
 * compared through a table of those that were met.
 */
#ifndef COUNTERPART_TESTS_STORE_TWINS_H
#define COUNTERPART_TESTS_STORE_TWINS_H

#include "tests/store/conformance.h"

#define TWIN_CARDS 24
#define TWIN_IDS_MAX 32768

struct twin_ids {
    int64_t sqlite[TWIN_IDS_MAX];
    int64_t postgres[TWIN_IDS_MAX];
    int32_t count;
};

/* What was done to a card, as later commands may answer it: an index into the operations' ids. */
struct twin_past {
    int32_t card;
    int32_t operation;
    int64_t order_id;
    int64_t asked_minor;
};

struct twins {
    struct rows sqlite;
    struct rows postgres;
    uint64_t random;
    struct twin_ids cards;
    struct twin_ids operations;
    struct twin_past past[TWIN_IDS_MAX];
    int32_t past_count;
    struct command sqlite_commands[BATCH_MAX];
    struct command postgres_commands[BATCH_MAX];
    int32_t card_of[BATCH_MAX];
};

/* location: of an empty PostgreSQL store. ownership: caller, twins_destroy. */
struct twins *twins_create(const char *location);
void twins_destroy(struct twins *twins);
void twins_seed(struct twins *twins, uint64_t seed);
/* 1 to batch_max commands; batch_max itself with BATCH_MAX. */
void twins_run_batch(struct twins *twins, int32_t batch_max);
/* Every card row but for ids. */
void twins_compare_cards(struct twins *twins);

#endif
