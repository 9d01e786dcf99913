/*
 * What the files of the search share: one query under way, and look-ups in the index of words.
 */
#ifndef COUNTERPART_STORE_SQL_SEARCH_H
#define COUNTERPART_STORE_SQL_SEARCH_H

#include "store/member_word.h"
#include "store/sql.h"

struct candidate {
    int64_t member_id;
    bool is_exact; /* a whole word is what was typed */
};

struct search {
    struct sql *sql;
    int64_t tenant_id;
    const struct keyword *keyword;
    int32_t rows_left, reads_left, seeks_left; /* of this query's share */
    int32_t count;
    struct candidate candidates[SEARCH_SCAN_MAX];
};

/* One row of a range. look and prefix: what it was looked up for, and by. */
typedef int (*search_row_fn)(struct search *search, const struct look *look,
                             const struct word *prefix, const struct word *word, int64_t member_id);

/* The words that begin with prefix, in order, at most limit. */
MUST_CHECK int search_each_row(struct search *search, const struct look *look,
                               const struct word *prefix, int32_t limit, search_row_fn each);
/* The first word from from on that begins with prefix; from may be prefix. *is_there false also
 * when the query has had its share of look-ups. */
MUST_CHECK int search_find_next(struct search *search, const struct word *prefix,
                                const struct word *from, struct word *word, bool *is_there);

/* For search_each_row: takes the member as one who was looked for. */
int search_on_found(struct search *search, const struct look *look, const struct word *prefix,
                    const struct word *word, int64_t member_id);
/* The same if the other words of the keyword match, too, each with an edit at most. */
int search_on_near_word(struct search *search, const struct look *look, const struct word *prefix,
                        const struct word *word, int64_t member_id);

/* prefix's first at bytes, by, and prefix's bytes from end on. false: it would be too long. */
MUST_CHECK bool search_replace(struct word *word, const struct word *prefix, size_t at, size_t end,
                               struct text by);

/* Its last character becomes the next one: what sorts behind all that begin with it. false: there
 * is none, or it would be too long. */
MUST_CHECK bool search_raise(struct word *word);

/* sql_search_near.c: whose name's words begin as those typed, in their order, the name being
 * read round; may_differ: or nearly so. Each word may be short: words of the index are passed over
 * in steps, not row by row. */
MUST_CHECK int search_names(struct search *search, bool may_differ);
/* Who is meant when nobody is found by what was typed. */
MUST_CHECK int search_nearby(struct search *search);

#endif
