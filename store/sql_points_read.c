/*
 * Reading what points commands have left: reservations, entries along a member's chain, and the
 * members whose points have lain idle.
 */
#include "store/sql.h"

#include "base/check.h"
#include "base/log.h"

#include "base/banned.h"

enum read_statement {
    READ_RESERVATION,
    READ_OPEN,
    READ_MEMBER,
    READ_ORDER,
    READ_LAST_ENTRY,
    READ_ENTRY,
    READ_ANSWER,
    READ_IDLE,
    READ_STATEMENTS,
};

/* A partial index is used only where the query says its condition, too. */
static const char *const read_text[READ_STATEMENTS] = {
    [READ_RESERVATION] = "SELECT " RESERVATION_COLUMNS " FROM reservation WHERE id = ?",
    [READ_OPEN] = "SELECT " RESERVATION_COLUMNS " FROM reservation "
                  "WHERE state <= 2 AND state = ? AND changed_at_us < ? "
                  "AND EXISTS (SELECT 1 FROM tenant WHERE tenant.id = tenant_id AND place = 0) "
                  "ORDER BY changed_at_us, id LIMIT ?",
    [READ_MEMBER] = "SELECT " RESERVATION_COLUMNS " FROM reservation "
                    "WHERE state <= 2 AND member_id = ? AND tenant_id = ? ORDER BY id",
    [READ_ORDER] = "SELECT " RESERVATION_COLUMNS " FROM reservation "
                   "WHERE tenant_id = ? AND order_id = ? ORDER BY id",
    [READ_LAST_ENTRY] = "SELECT last_entry_id FROM member WHERE id = ? AND tenant_id = ?",
    [READ_ENTRY] = "SELECT " POINTS_ENTRY_COLUMNS " FROM points_entry WHERE id = ?",
    [READ_ANSWER] = "SELECT " POINTS_ENTRY_COLUMNS " FROM points_entry "
                    "WHERE reservation_id = ? AND cause = ? AND reservation_id <> 0",
    [READ_IDLE] = "SELECT " MEMBER_COLUMNS " FROM member "
                  "WHERE points > points_held AND tenant_id = ? AND active_at_us < ? "
                  "ORDER BY active_at_us LIMIT ?",
};

static int prepare(struct sql *sql, enum read_statement which, struct binder *binder)
{
    *binder = (struct binder){0};
    return sql_prepare_of(sql, AREA_POINTS_READ, (int)which, read_text[which], &binder->statement);
}

int row_read_reservation(struct sql_statement *statement, struct reservation *reservation)
{
    struct columns columns = {.statement = statement};
    reservation->id = column_int(&columns);
    reservation->tenant_id = column_int(&columns);
    reservation->member_id = column_int(&columns);
    reservation->reward_id = column_int(&columns);
    column_text(&columns, reservation->token_id, sizeof(reservation->token_id));
    reservation->order_id = column_int(&columns);
    reservation->site_id = column_int(&columns);
    reservation->points = column_int(&columns);
    reservation->pays_minor = column_int(&columns);
    reservation->state =
        (enum reservation_state)column_enum(&columns, RESERVATION_RESERVED, RESERVATION_RETURNED);
    reservation->is_unsure = column_bool(&columns);
    column_text(&columns, reservation->reason, sizeof(reservation->reason));
    reservation->created_at_us = column_int(&columns);
    reservation->changed_at_us = column_int(&columns);
    reservation->alike_before = column_int32(&columns);
    return row_end(&columns, "reservation", reservation->id);
}

int row_read_points_entry(struct sql_statement *statement, struct points_entry *entry)
{
    struct columns columns = {.statement = statement};
    entry->id = column_int(&columns);
    entry->tenant_id = column_int(&columns);
    entry->member_id = column_int(&columns);
    entry->version = column_int(&columns);
    entry->cause =
        (enum points_cause)column_enum(&columns, POINTS_CAUSE_GRANT, POINTS_CAUSE_EXPIRE);
    entry->points = column_int(&columns);
    entry->points_after = column_int(&columns);
    entry->order_id = column_int(&columns);
    entry->sale_order_id = column_int(&columns);
    entry->reservation_id = column_int(&columns);
    entry->previous_entry_id = column_int(&columns);
    entry->created_at_us = column_int(&columns);
    column_text(&columns, entry->reason, sizeof(entry->reason));
    return row_end(&columns, "points_entry", entry->id);
}

/* --- reservations --- */

int sql_read_reservation(struct store *store, int64_t reservation_id,
                         struct reservation *reservation)
{
    struct sql *sql = sql_of(store);
    struct binder binder;
    int err = prepare(sql, READ_RESERVATION, &binder);
    if (err != 0)
        return err;
    bind_int(&binder, reservation_id);
    err = sql_step_to_row(sql, binder.statement);
    if (err != 0)
        return err;
    err = row_read_reservation(binder.statement, reservation);
    sql_reset(binder.statement);
    return err;
}

/* Of a bound statement; resets it. */
static int walk_reservations(struct sql *sql, struct sql_statement *statement,
                             store_reservation_fn each, void *context)
{
    bool has_row;
    int err = sql_step(sql, statement, &has_row);
    while (err == 0 && has_row) {
        struct reservation reservation;
        err = row_read_reservation(statement, &reservation);
        if (err != 0)
            break;
        each(context, &reservation);
        err = sql_step(sql, statement, &has_row);
    }
    sql_reset(statement);
    return err;
}

/* Two numbers each: whose and which. */
static int each_reservation(struct store *store, enum read_statement which, int64_t first,
                            int64_t second, store_reservation_fn each, void *context)
{
    struct sql *sql = sql_of(store);
    struct binder binder;
    int err = prepare(sql, which, &binder);
    if (err != 0)
        return err;
    bind_int(&binder, first);
    bind_int(&binder, second);
    return walk_reservations(sql, binder.statement, each, context);
}

int sql_each_open_reservation(struct store *store, enum reservation_state state,
                              int64_t changed_before_us, int32_t limit, store_reservation_fn each,
                              void *context)
{
    struct sql *sql = sql_of(store);
    struct binder binder;
    int err = prepare(sql, READ_OPEN, &binder);
    if (err != 0)
        return err;
    bind_int(&binder, state);
    bind_int(&binder, changed_before_us);
    bind_int(&binder, limit);
    return walk_reservations(sql, binder.statement, each, context);
}

int sql_each_member_reservation(struct store *store, int64_t tenant_id, int64_t member_id,
                                store_reservation_fn each, void *context)
{
    return each_reservation(store, READ_MEMBER, member_id, tenant_id, each, context);
}

int sql_each_order_reservation(struct store *store, int64_t tenant_id, int64_t order_id,
                               store_reservation_fn each, void *context)
{
    return each_reservation(store, READ_ORDER, tenant_id, order_id, each, context);
}

/* --- entries: a chain from the member's row on, like a card's --- */

static int read_last_entry_id(struct sql *sql, int64_t tenant_id, int64_t member_id, int64_t *id)
{
    struct binder binder;
    int err = prepare(sql, READ_LAST_ENTRY, &binder);
    if (err != 0)
        return err;
    bind_int(&binder, member_id);
    bind_int(&binder, tenant_id);
    err = sql_step_to_row(sql, binder.statement);
    if (err != 0)
        return err;
    *id = column_int(&(struct columns){.statement = binder.statement});
    sql_reset(binder.statement);
    return 0;
}

static int read_entry(struct sql *sql, int64_t id, struct points_entry *entry)
{
    struct binder binder;
    int err = prepare(sql, READ_ENTRY, &binder);
    if (err != 0)
        return err;
    bind_int(&binder, id);
    err = sql_step_to_row(sql, binder.statement);
    if (err != 0)
        return err == ERR_NOT_FOUND ? ERR_STORE_CORRUPT : err; /* the chain names it */
    err = row_read_points_entry(binder.statement, entry);
    sql_reset(binder.statement);
    return err;
}

int sql_each_points_entry(struct store *store, int64_t tenant_id, int64_t member_id, int32_t limit,
                          store_points_entry_fn each, void *context)
{
    struct sql *sql = sql_of(store);
    int64_t id = 0;
    int err = read_last_entry_id(sql, tenant_id, member_id, &id);
    for (int32_t i = 0; err == 0 && id != 0 && i < limit; i++) {
        struct points_entry entry;
        err = read_entry(sql, id, &entry);
        if (err != 0)
            break;
        each(context, &entry);
        if (entry.previous_entry_id >= id)
            return ERR_STORE_CORRUPT; /* a chain that does not end */
        id = entry.previous_entry_id;
    }
    return err;
}

/* --- idle members --- */

int sql_read_points_answer(struct store *store, int64_t reservation_id, enum points_cause cause,
                           struct points_entry *entry)
{
    struct sql *sql = sql_of(store);
    struct binder binder;
    int err = prepare(sql, READ_ANSWER, &binder);
    if (err != 0)
        return err;
    bind_int(&binder, reservation_id);
    bind_int(&binder, cause);
    err = sql_step_to_row(sql, binder.statement);
    if (err != 0)
        return err;
    err = row_read_points_entry(binder.statement, entry);
    sql_reset(binder.statement);
    return err;
}

int sql_each_idle_member(struct store *store, int64_t tenant_id, int64_t inactive_since_us,
                         int32_t limit, store_member_fn each, void *context)
{
    struct sql *sql = sql_of(store);
    struct binder binder;
    bool has_row;
    int err = prepare(sql, READ_IDLE, &binder);
    if (err != 0)
        return err;
    bind_int(&binder, tenant_id);
    bind_int(&binder, inactive_since_us);
    bind_int(&binder, limit);
    err = sql_step(sql, binder.statement, &has_row);
    while (err == 0 && has_row) {
        struct member member;
        err = row_read_member(binder.statement, &member);
        if (err != 0)
            break;
        each(context, &member);
        err = sql_step(sql, binder.statement, &has_row);
    }
    sql_reset(binder.statement);
    return err;
}

const char *sql_points_read_text(int index)
{
    return index >= 0 && index < READ_STATEMENTS ? read_text[index] : NULL;
}
