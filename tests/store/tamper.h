/*
 * Hand-made corruptions: raw SQL on a copy of a store, and what verify says of it.
 */
#ifndef COUNTERPART_TESTS_STORE_TAMPER_H
#define COUNTERPART_TESTS_STORE_TAMPER_H

#include "tests/store/files.h"

/* The number of a card that a store may hold; no finding may tell it. */
#define TAMPER_CARD "6000000000000001"

struct corruption {
    const char *finding;
    const char *sql;
};

struct findings {
    const char *wanted;
    bool is_found;
    int64_t count;
    char names[1024];
    int64_t progress_calls;
    int64_t done;
    int64_t total;
};

/* Raw SQL as somebody with the file would run it. */
void tamper(const char *location, const char *sql);
/* findings: zeroed but for wanted. Returns what store_open or store_verify returns. */
int tamper_verify(const struct rows *rows, const char *location, struct findings *findings);
/* Of a tampered copy. */
void tamper_verify_corrupted(const struct rows *rows, const char *location, const char *sql,
                             struct findings *findings);
/* Every name that this file of store/ can say is the finding of one of the corruptions. */
void tamper_check_names(const struct corruption *corruptions, size_t count, const char *file_name);

#endif
