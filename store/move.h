/*
 * The move of a tenant from a store in SQLite to one in PostgreSQL, with all its rows and ids.
 *
 * Ids are kept: references stand on receipts (CP1-8), marks stand in orders at Lightspeed, cards
 * are found by a hash over the tenant's id, PINs are hashed over both. So the target must be under
 * the same master key, and hold nothing but what came from the same store before it was used.
 *
 *     move_open; move_copy until little is new; move_leave; move_shut; move_finish; move_close
 *
 * A service may have the source open all the time, and goes on with the other tenants. It may be
 * killed at any moment and begun again: what is there is compared, never believed. In the source
 * the tenant is marked TENANT_GONE before it is TENANT_HERE in the target: never two stores serve
 * it, and between the two, for the moment of one commit, none. Who takes leave writes a random
 * number, the move's, into both: what goes on, ends or undoes must find it in both, and changes a
 * place only from the one that comes before it (ERR_STALE: somebody else has changed it).
 */
#ifndef COUNTERPART_STORE_MOVE_H
#define COUNTERPART_STORE_MOVE_H

#include "base/digest.h"
#include "store/store.h"

/* rows: of this table, looked at since the call began. */
typedef void (*move_progress_fn)(void *context, const char *table, int64_t rows);
/* A table in the end: the same on both sides, read from both. */
typedef void (*move_table_fn)(void *context, const char *table, int64_t rows,
                              const uint8_t digest[DIGEST_BYTES]);

struct move_config {
    const char *source; /* path of the file */
    const char *target; /* postgresql://... */
    const struct seal *seal;
    int64_t tenant_id;
    move_progress_fn on_progress; /* NULL: nobody looks */
    move_table_fn on_table;       /* NULL: nobody looks */
    void *context;
};

struct move;

/*
 * Both stores, and what stands against the move; the schema of an empty target is made. Nobody else
 * moves into the target meanwhile. *is_done: the tenant was moved before, there is nothing to do.
 *
 * ownership  *move is the caller's, move_close, also after an error (then it may be NULL).
 * errors     the stores' own (ERR_BAD_KEY: the target is under another master key); ERR_NOT_FOUND:
 *            no such tenant in the source; ERR_ALREADY_EXISTS: the target holds something else;
 *            ERR_LOCKED: somebody moves into it. move_fault says it in words.
 */
MUST_CHECK int move_open(const struct move_config *config, struct move **move, bool *is_done);
void move_close(struct move *move); /* accepts NULL */
/*
 * Copy what is new in the large tables since the last call. The source may be in use.
 *
 * outcomes   *copied: rows written; few of them: what is left will not take long.
 */
MUST_CHECK int move_copy(struct move *move, int64_t *copied);
/* The tenant takes leave: a service that loads its directory anew begins nothing for him. What is
 * under way may end. errors: ERR_STALE: somebody moves him to another target. */
MUST_CHECK int move_leave(struct move *move);
/* The tenant is closed: from the commit of this on his rows in the source do not change, whoever
 * writes. errors: ERR_LEASED: his token is being refreshed; again soon. ERR_STALE: as above. */
MUST_CHECK int move_shut(struct move *move, int64_t now_us);
/*
 * The rest: all tables are compared row by row, what differs is copied, and the tenant changes its
 * place.
 *
 * errors     ERR_STALE: he is not closed, or not by this move. ERR_STORE_CORRUPT: the copy cannot
 *            be made equal. ERR_COMMIT_UNKNOWN: it may have moved; move_open tells.
 */
MUST_CHECK int move_finish(struct move *move, int64_t now_us);
/* After move_open with *is_done: whether move_note_verified was called in this run or an earlier
 * one, which is said when the target was found to hold its laws. */
bool move_is_verified(const struct move *move);
MUST_CHECK int move_note_verified(struct move *move, int64_t now_us);
/*
 * Undo a move that has not ended: what was copied is deleted from the target, and the source serves
 * the tenant as before, the latter also while the target cannot be reached, unless it may have him.
 *
 * ownership  as of move_open.
 * errors     ERR_ALREADY_EXISTS: the move has ended, or he left for another target. ERR_LOCKED: it
 *            is under way. ERR_STALE: it has gone on meanwhile.
 */
MUST_CHECK int move_cancel(const struct move_config *config, struct move **move);
/* What move_open and all that follows would find; writes nothing. */
struct move_look {
    int64_t rows; /* of the tenant, in the source */
    bool is_begun;
    bool is_done;
};
/* ownership, errors  as of move_open. */
MUST_CHECK int move_look(const struct move_config *config, struct move **move,
                         struct move_look *look);
/* Where the tenant is, as the source has it: after an error he may be closed there. */
enum tenant_place move_place(const struct move *move);
/* What the latest error was about, as a sentence; "": nothing besides the error. Accepts NULL. */
const char *move_fault(const struct move *move);

#endif
