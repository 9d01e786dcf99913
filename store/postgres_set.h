/*
 * Sets: one statement for all rows of a batch. Its parameters are arrays: one per column, which the
 * text puts side by side with unnest(); or one for all integers, row behind row, of which the text
 * picks each by its place (POSTGRES_ROWS_3 and the like); or one for all integers as rows of a
 * type of the schema (postgres_set_type), which unnest() gives back as they are. The server makes a
 * table of each array that it unnests, and prepares each place that a text names anew with each
 * statement: what every charge writes comes as rows of a type. Not for other folders.
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
    SET_TAKE_IDS,
    SET_TAKE_CARD_IDS,
    SET_READ_KNOWN,
    SET_READ_ORDERS,
    SET_READ_ORDERLESS,
    SET_READ_ANSWERED,
    SET_LOCK_DAYS,
    SET_LOCK_FOREIGN_DAYS,
    SET_READ_APPROVALS,
    SET_READ_RECENT,
    /* postgres_commit.c */
    SET_WRITE_LEDGER,
    SET_INSERT_CARDS,
    SET_UPDATE_GIVEN_BACK,
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
    const char *kinds;
    int parameter_first;        /* that of the first column */
    struct postgres_set *first; /* whose statement it shares; NULL: it has its own */
    int32_t row_count;
    bool is_sent;
};

/*
 * kinds: of the columns, a letter each: i for integers, b for bytes, t for text, each an array of
 * its own; "" for none. r: integers in rows; they come first, and all of them are one array. text,
 * always the same for a number, must outlive the connection.
 */
MUST_CHECK int postgres_set_begin(struct store_postgres *postgres, enum postgres_set_number number,
                                  const char *text, const char *kinds, struct postgres_set *set);
/* Other rows of first's statement: its parameters from this one on. It is sent, received and
 * stepped as first, where any of them has rows. */
void postgres_set_join(struct postgres_set *first, int parameter, const char *kinds,
                       struct postgres_set *set);
/* Its integers are one array of rows of that type. Before its first row. */
void postgres_set_type(struct postgres_set *set, const struct postgres_row_type *row);
struct binder postgres_set_row(struct postgres_set *set);
MUST_CHECK int postgres_set_send(struct store_postgres *postgres, struct postgres_set *set);
/* Of one that was not sent: no rows. */
MUST_CHECK int postgres_set_receive(struct store_postgres *postgres, struct postgres_set *set);
MUST_CHECK int postgres_set_step(struct store_postgres *postgres, struct postgres_set *set,
                                 bool *has_row);

/* The rows of a parameter, such as "?1", as a table in a FROM, by the number of their columns. */
#define POSTGRES_ROWS_3(of) POSTGRES_ROWS_OF(of, "3", POSTGRES_ROW_3(of))
#define POSTGRES_ROWS_4(of) POSTGRES_ROWS_OF(of, "4", POSTGRES_ROW_4(of))
#define POSTGRES_ROWS_5(of) POSTGRES_ROWS_OF(of, "5", POSTGRES_ROW_5(of))
#define POSTGRES_ROWS_6(of) POSTGRES_ROWS_OF(of, "6", POSTGRES_ROW_6(of))
#define POSTGRES_ROWS_8(of) POSTGRES_ROWS_OF(of, "8", POSTGRES_ROW_8(of))
#define POSTGRES_ROWS_18(of) POSTGRES_ROWS_OF(of, "18", POSTGRES_ROW_18(of))
#define POSTGRES_ROWS_OF(of, width, columns)                                                       \
    "(SELECT " columns " FROM generate_series(1, cardinality(" of "), " width ") AS rows (at))"
#define POSTGRES_ROW_2(of) of "[at], " of "[at + 1]"
#define POSTGRES_ROW_3(of) POSTGRES_ROW_2(of) ", " of "[at + 2]"
#define POSTGRES_ROW_4(of) POSTGRES_ROW_3(of) ", " of "[at + 3]"
#define POSTGRES_ROW_5(of) POSTGRES_ROW_4(of) ", " of "[at + 4]"
#define POSTGRES_ROW_6(of) POSTGRES_ROW_5(of) ", " of "[at + 5]"
#define POSTGRES_ROW_7(of) POSTGRES_ROW_6(of) ", " of "[at + 6]"
#define POSTGRES_ROW_8(of) POSTGRES_ROW_7(of) ", " of "[at + 7]"
#define POSTGRES_ROW_9(of) POSTGRES_ROW_8(of) ", " of "[at + 8]"
#define POSTGRES_ROW_10(of) POSTGRES_ROW_9(of) ", " of "[at + 9]"
#define POSTGRES_ROW_11(of) POSTGRES_ROW_10(of) ", " of "[at + 10]"
#define POSTGRES_ROW_12(of) POSTGRES_ROW_11(of) ", " of "[at + 11]"
#define POSTGRES_ROW_13(of) POSTGRES_ROW_12(of) ", " of "[at + 12]"
#define POSTGRES_ROW_14(of) POSTGRES_ROW_13(of) ", " of "[at + 13]"
#define POSTGRES_ROW_15(of) POSTGRES_ROW_14(of) ", " of "[at + 14]"
#define POSTGRES_ROW_16(of) POSTGRES_ROW_15(of) ", " of "[at + 15]"
#define POSTGRES_ROW_17(of) POSTGRES_ROW_16(of) ", " of "[at + 16]"
#define POSTGRES_ROW_18(of) POSTGRES_ROW_17(of) ", " of "[at + 17]"

#endif
