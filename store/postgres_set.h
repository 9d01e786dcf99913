/*
 * Sets: one statement for all rows of a batch. Its parameters are arrays, one per column, and the
 * text puts them side by side with unnest(). Not for other folders.
 *
 *     err = postgres_set_begin(postgres, SET_.., text, kinds, &set);
 *     struct binder binder = postgres_set_row(&set);      for each row, then bind_int(&binder, ..)
 *     err = postgres_set_send(postgres, &set);            in a pipeline; one without rows: nothing
 *     err = postgres_set_receive(postgres, &set);         in the order they were sent
 *     while (err == 0 && (err = postgres_set_step(postgres, &set, &has_row)) == 0 && has_row) ...
 */
#ifndef COUNTERPART_STORE_POSTGRES_SET_H
#define COUNTERPART_STORE_POSTGRES_SET_H

#include "store/postgres.h"

/* Their numbers in AREA_BACKEND; the texts stand in the files that send them. */
enum postgres_set_number {
    /* postgres_fetch.c, postgres_ids.c */
    SET_LOCK_CHANGES,
    SET_LOCK_CARDS,
    SET_LOCK_FREE_CARDS,
    SET_READ_WANTED,
    SET_TAKE_IDS,
    SET_READ_KNOWN,
    SET_READ_ORDERS,
    SET_READ_ORDERLESS,
    SET_READ_ANSWERED,
    SET_LOCK_DAYS,
    SET_LOCK_FOREIGN_DAYS,
    SET_READ_APPROVALS,
    SET_READ_RECENT,
    /* postgres_commit.c */
    SET_UPDATE_CARDS,
    SET_INSERT_CARDS,
    SET_INSERT_OPERATIONS,
    SET_UPDATE_GIVEN_BACK,
    SET_INSERT_TRANSFERS,
    SET_INSERT_DAYS,
    SET_UPDATE_DAYS,
    SET_INSERT_FOREIGN_DAYS,
    SET_UPDATE_FOREIGN_DAYS,
    SET_INSERT_ATTEMPTS,
    SET_INSERT_WORK,
    SET_BURY,
    SET_COUNT_FOUND,
    SET_SKIP_IDS,
    SET_WRITE,
    SET_COUNT,
};

struct postgres_set {
    struct sql_statement row; /* what is bound to it is appended to the arrays */
    struct sql_statement *statement;
    int32_t row_count;
    bool is_sent;
};

/* kinds: of the parameters, a letter each: i for integers, b for bytes, t for text; "" for none.
 * text, always the same for a number, must outlive the connection. */
MUST_CHECK int postgres_set_begin(struct store_postgres *postgres, enum postgres_set_number number,
                                  const char *text, const char *kinds, struct postgres_set *set);
struct binder postgres_set_row(struct postgres_set *set);
MUST_CHECK int postgres_set_send(struct store_postgres *postgres, struct postgres_set *set);
/* Of one that was not sent: no rows. */
MUST_CHECK int postgres_set_receive(struct store_postgres *postgres, struct postgres_set *set);
MUST_CHECK int postgres_set_step(struct store_postgres *postgres, struct postgres_set *set,
                                 bool *has_row);

#endif
