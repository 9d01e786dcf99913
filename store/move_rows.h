/*
 * What the files of the move share: one table's rows, read from both stores a chunk at a time and
 * compared. Nobody else includes this header.
 */
#ifndef COUNTERPART_STORE_MOVE_ROWS_H
#define COUNTERPART_STORE_MOVE_ROWS_H

#include "base/digest.h"
#include "store/sql.h"

#define MOVE_COLUMNS_MAX 64 /* the tenant has 50 */
#define MOVE_KEYS_MAX 4
#define MOVE_NAME_MAX 48
#define MOVE_KEY_TEXT_MAX 1024 /* a member's word has less */
/* A chunk of operations takes some 20 ms of the target, and 2 MiB here. */
#define MOVE_CHUNK_ROWS 4096

struct move_table {
    const char *name;
    const char *key;   /* its primary key: the order in which it is read */
    const char *whose; /* which rows are the tenant's; the one ? is its id */
    /* Columns that change after a row was made; "*": all but the key and the tenant; NULL: none, or
     * is_replaced. */
    const char *assigned;
    /* NULL, or what goes before they are assigned, with the condition for the rows added: the laws
     * of the target know single steps only. NULL at the end. */
    const char *const *steps;
    bool is_early;    /* large: copied while the source is in use */
    bool is_by_id;    /* grows at its end: what was copied once is not read again before the end */
    bool is_replaced; /* rows may go: those of a chunk that differs are deleted, and written anew */
    bool is_shared;   /* of all tenants: the target may have others besides */
};

/* In an order in which rows refer to those before them; without a name at the end. All tables but
 * meta. */
extern const struct move_table move_tables[];

struct move_column {
    char name[MOVE_NAME_MAX];
    char kind; /* i: integer, b: bytes, t: text */
};

/* Values of the key's columns, in its order. */
struct move_key {
    struct {
        int64_t number;
        size_t size;
        char text[MOVE_KEY_TEXT_MAX + 1]; /* of a text, and 0 */
    } parts[MOVE_KEYS_MAX];
};

struct move_side {
    struct sql *sql;
    struct sql_statement *within; /* a chunk whose end is known */
    struct sql_statement *rest;   /* the first rows behind a key: of the source a chunk, else all */
    int64_t row_count;            /* of the latest chunk */
    uint8_t digest[DIGEST_BYTES]; /* of the latest chunk */
};

struct move_writer;

/* One table of one tenant. */
struct move_pass {
    const struct move_table *table;
    int64_t tenant_id;
    struct move_column columns[MOVE_COLUMNS_MAX];
    int column_count;
    int keys[MOVE_KEYS_MAX]; /* as numbers of columns */
    int key_count;
    struct move_side source, target;
    struct sql_statement *remove_within, *remove_rest;
    struct move_writer *writer;
    struct digest *digest;
    struct move_key from, to; /* the chunk: behind the one, up to the other */
    bool is_last;             /* it has no end */
    bool is_kept;             /* its rows are with the writer */
};

/* ownership  caller, move_pass_close, also after an error. */
MUST_CHECK int move_pass_open(struct sql *source, struct sql *target,
                              const struct move_table *table, int64_t tenant_id,
                              struct move_pass *pass);
void move_pass_close(struct move_pass *pass);
/* From the beginning, or behind an id. */
void move_pass_begin(struct move_pass *pass, int64_t after_id);
/* The next chunk of the source. is_kept: its rows are likely to be written. */
MUST_CHECK int move_pass_read(struct move_pass *pass, bool is_kept);
/* The same rows of the target. */
MUST_CHECK int move_pass_compare(struct move_pass *pass, bool *is_equal);
/* Make the target's rows those of the source, which must not have changed since they were read;
 * inside a transaction. */
MUST_CHECK int move_pass_write(struct move_pass *pass);
/* The chunk is done. */
void move_pass_go_on(struct move_pass *pass);

/* Text that was put together at run time: prepared, and not kept. */
MUST_CHECK int move_prepare(struct sql *sql, const char *text, struct binder *binder);

/* --- the tenant in the source (move_source.c) --- */

struct move_source {
    const char *location;
    const struct seal *seal;
    int64_t tenant_id;
    int64_t move_id; /* that he leaves by, or has left by */
};
/*
 * Nothing new begins; his rows change no more; they are another store's; he is served here as
 * before. Each is one commit, beside a service too, and comes only from the place before it, by the
 * same move; what is done already is done.
 *
 *     leave   from here
 *     close   from leaving
 *     go      from closed
 *     return  from leaving or closed; is_refused: the target is certain not to take him, then from
 *             gone, too
 *
 * errors  the store's own; ERR_STALE: he is at another place, or left by another move. close:
 *         ERR_LEASED: a token is being refreshed, try again soon.
 */
MUST_CHECK int move_source_leave(const struct move_source *source);
MUST_CHECK int move_source_close(const struct move_source *source, int64_t now_us);
MUST_CHECK int move_source_go(const struct move_source *source);
MUST_CHECK int move_source_return(const struct move_source *source, bool is_refused);
/* The target has had him since that move ended, and this store, restored, does not know: from
 * everywhere but where he has gone by another move. errors: as above. */
MUST_CHECK int move_source_let_go(const struct move_source *source);

/* --- writing to PostgreSQL (postgres_move.c) --- */

/* Rows of one table, many in one statement. ownership: caller, move_writer_close. */
MUST_CHECK int move_writer_open(struct sql *target, const struct move_pass *pass,
                                struct move_writer **writer);
void move_writer_close(struct move_writer *writer); /* accepts NULL */
void move_writer_clear(struct move_writer *writer);
void move_writer_add(struct move_writer *writer, int column, char kind,
                     const struct sql_statement *row);
MUST_CHECK int move_writer_write(struct move_writer *writer);

/* A transaction of the target in which nothing is impatient, and plans stay as they are. is_change:
 * alone among all changes. */
MUST_CHECK int move_target_begin(struct sql *target, bool is_change);
/* Until the connection ends nobody else moves. errors: ERR_LOCKED. */
MUST_CHECK int move_target_lock(struct sql *target);
/* The laws of one table that forbid to delete rows, until they are back or the transaction ends. */
MUST_CHECK int move_target_lift_laws(struct sql *target, const char *table, bool are_lifted);
/* The partitions in which these rows of the source will lie. */
MUST_CHECK int move_target_make_room(struct sql *target, struct sql *source);

#endif
