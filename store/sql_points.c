/*
 * Points commands as rows: fetch, decide, commit, one command in a change of its own.
 */
#include "store/sql.h"

#include "base/check.h"
#include "base/log.h"

#include "base/banned.h"

enum points_statement {
    POINTS_READ_ACCOUNT,
    POINTS_UPDATE_ACCOUNT,
    POINTS_READ_NEXT_IDS,
    POINTS_READ_RESERVATION,
    POINTS_READ_TOKEN,
    POINTS_READ_BUSY,
    POINTS_READ_COUNTED,
    POINTS_READ_SALE,
    POINTS_READ_GIVEN_BACK,
    POINTS_READ_REWARD,
    POINTS_INSERT_RESERVATION,
    POINTS_UPDATE_RESERVATION,
    POINTS_INSERT_ENTRY,
    POINTS_STATEMENTS,
};

/* A partial index is used only where the query says its condition, too. */
static const char *const points_text[POINTS_STATEMENTS] = {
    [POINTS_READ_ACCOUNT] = "SELECT points, points_held, version, last_entry_id, active_at_us, "
                            "is_active FROM member WHERE id = ? AND tenant_id = ?",
    [POINTS_UPDATE_ACCOUNT] =
        "UPDATE member SET points = ?, points_held = ?, version = ?, last_entry_id = ?, "
        "active_at_us = ? WHERE id = ? AND version = ?",
    [POINTS_READ_NEXT_IDS] = "SELECT (SELECT coalesce(max(id), 0) + 1 FROM points_entry), "
                             "(SELECT coalesce(max(id), 0) + 1 FROM reservation)",
    [POINTS_READ_RESERVATION] =
        "SELECT " RESERVATION_COLUMNS " FROM reservation WHERE id = ? AND tenant_id = ?",
    [POINTS_READ_TOKEN] =
        "SELECT " RESERVATION_COLUMNS " FROM reservation WHERE token_id = ? AND state <> 4",
    [POINTS_READ_BUSY] =
        "SELECT 1 FROM reservation WHERE tenant_id = ? AND order_id = ? AND state = 1",
    [POINTS_READ_COUNTED] = "SELECT 1 FROM points_entry WHERE tenant_id = ? AND order_id = ? "
                            "AND cause = ? AND cause IN (2, 3)",
    /* What it has earned, what was taken back of it: two searches, each by its own index. */
    [POINTS_READ_SALE] =
        "SELECT CAST(coalesce((SELECT sum(points) FROM points_entry WHERE tenant_id = ?1"
        " AND order_id = ?2 AND cause = 2 AND cause IN (2, 3) AND member_id = ?3), 0)"
        " + coalesce((SELECT sum(points) FROM points_entry WHERE tenant_id = ?1"
        " AND sale_order_id = ?2 AND sale_order_id <> 0 AND member_id = ?3), 0) AS BIGINT)",
    [POINTS_READ_GIVEN_BACK] = "SELECT 1 FROM points_entry WHERE reservation_id = ? "
                               "AND reservation_id <> 0 AND cause = 5",
    [POINTS_READ_REWARD] = "SELECT 1 FROM reward WHERE id = ? AND tenant_id = ?",
    [POINTS_INSERT_RESERVATION] = "INSERT INTO reservation (" RESERVATION_COLUMNS ") "
                                  "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    [POINTS_UPDATE_RESERVATION] =
        "UPDATE reservation SET state = ?, is_unsure = ?, reason = ?, changed_at_us = ?, "
        "alike_before = ? "
        "WHERE id = ? AND state = ?",
    [POINTS_INSERT_ENTRY] = "INSERT INTO points_entry (" POINTS_ENTRY_COLUMNS ") "
                            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
};

static int prepare(struct sql *sql, enum points_statement which, struct binder *binder)
{
    *binder = (struct binder){0};
    return sql_prepare_of(sql, AREA_POINTS, (int)which, points_text[which], &binder->statement);
}

/* --- fetch --- */

/* Is there a row for these numbers? */
static int fetch_exists(struct sql *sql, enum points_statement which, const int64_t *numbers,
                        size_t count, bool *exists)
{
    struct binder binder;
    int err = prepare(sql, which, &binder);
    if (err != 0)
        return err;
    for (size_t i = 0; i < count; i++)
        bind_int(&binder, numbers[i]);
    err = sql_step(sql, binder.statement, exists);
    sql_reset(binder.statement);
    return err;
}

static int fetch_next_ids(struct sql *sql, struct points_view *view)
{
    struct binder binder;
    int err = prepare(sql, POINTS_READ_NEXT_IDS, &binder);
    if (err == 0)
        err = sql_step_to_row(sql, binder.statement);
    if (err != 0)
        return err;
    struct columns columns = {.statement = binder.statement};
    view->next_entry_id = column_int(&columns);
    view->next_reservation_id = column_int(&columns);
    sql_reset(binder.statement);
    return 0;
}

static int fetch_account(struct sql *sql, int64_t tenant_id, int64_t member_id,
                         struct points_view *view)
{
    struct points_account *account = &view->account;
    struct binder binder;
    int err = prepare(sql, POINTS_READ_ACCOUNT, &binder);
    if (err != 0)
        return err;
    bind_int(&binder, member_id);
    bind_int(&binder, tenant_id);
    err = sql_step(sql, binder.statement, &view->has_account);
    if (err != 0 || !view->has_account)
        return err;
    struct columns columns = {.statement = binder.statement};
    account->member_id = member_id;
    account->points = column_int(&columns);
    account->points_held = column_int(&columns);
    account->version = column_int(&columns);
    account->last_entry_id = column_int(&columns);
    account->active_at_us = column_int(&columns);
    account->is_active = column_bool(&columns);
    sql_reset(binder.statement);
    return columns.is_bad ? ERR_STORE_CORRUPT : 0;
}

/* Of a bound statement that has one row or none; resets it. */
static int fetch_reservation(struct sql *sql, struct sql_statement *statement,
                             struct points_view *view)
{
    int err = sql_step(sql, statement, &view->has_reservation);
    if (err == 0 && view->has_reservation)
        err = row_read_reservation(statement, &view->reservation);
    sql_reset(statement);
    return err;
}

static int fetch_for_reserve(struct sql *sql, const struct points_command *command,
                             struct points_view *view)
{
    struct binder binder;
    const int64_t order[] = {command->tenant_id, command->order_id};
    const int64_t reward[] = {command->reward_id, command->tenant_id};
    int err = prepare(sql, POINTS_READ_TOKEN, &binder);
    if (err != 0)
        return err;
    bind_text(&binder, command->token_id);
    err = fetch_reservation(sql, binder.statement, view);
    if (err == 0)
        err = fetch_exists(sql, POINTS_READ_BUSY, order, COUNT_OF(order), &view->order_is_busy);
    if (err == 0)
        err = fetch_exists(sql, POINTS_READ_REWARD, reward, COUNT_OF(reward), &view->has_reward);
    if (err == 0 && command->pays_minor != 0)
        err = sql_fetch_foreign_points(sql, command, view);
    return err;
}

/* Whoever takes back beyond what is there has found a row that nobody wrote. */
static int fetch_sale(struct sql *sql, const struct points_command *command,
                      struct points_view *view)
{
    struct binder binder;
    int err = prepare(sql, POINTS_READ_SALE, &binder);
    if (err != 0)
        return err;
    bind_int(&binder, command->tenant_id);
    bind_int(&binder, command->sale_order_id);
    bind_int(&binder, command->member_id);
    err = sql_step_to_row(sql, binder.statement);
    CHECK(err != ERR_NOT_FOUND); /* a sum always has a row */
    if (err != 0)
        return err;
    view->sale_points = column_int(&(struct columns){.statement = binder.statement});
    sql_reset(binder.statement);
    return view->sale_points < 0 ? ERR_STORE_CORRUPT : 0;
}

static int fetch_for_order(struct sql *sql, const struct points_command *command,
                           struct points_view *view)
{
    bool is_earn = command->action == POINTS_EARN;
    const int64_t counted[] = {command->tenant_id, command->order_id,
                               is_earn ? POINTS_CAUSE_EARN : POINTS_CAUSE_UNEARN};
    int err =
        fetch_exists(sql, POINTS_READ_COUNTED, counted, COUNT_OF(counted), &view->order_is_counted);
    return err != 0 || is_earn ? err : fetch_sale(sql, command, view);
}

static int fetch_of_reservation(struct sql *sql, const struct points_command *command,
                                struct points_view *view)
{
    struct binder binder;
    int err = prepare(sql, POINTS_READ_RESERVATION, &binder);
    if (err != 0)
        return err;
    bind_int(&binder, command->reservation_id);
    bind_int(&binder, command->tenant_id);
    err = fetch_reservation(sql, binder.statement, view);
    if (err != 0 || !view->has_reservation)
        return err;
    err = fetch_exists(sql, POINTS_READ_GIVEN_BACK, &command->reservation_id, 1,
                       &view->is_given_back);
    if (err != 0)
        return err;
    return fetch_account(sql, command->tenant_id, view->reservation.member_id, view);
}

static int fetch_of_member(struct sql *sql, const struct points_command *command,
                           struct points_view *view)
{
    int err = fetch_account(sql, command->tenant_id, command->member_id, view);
    if (err != 0)
        return err;
    if (command->action == POINTS_RESERVE)
        return fetch_for_reserve(sql, command, view);
    if (command->action == POINTS_EARN || command->action == POINTS_UNEARN)
        return fetch_for_order(sql, command, view);
    return 0;
}

static int fetch(struct sql *sql, const struct points_command *command, struct points_view *view)
{
    *view = (struct points_view){0};
    int err = fetch_next_ids(sql, view);
    if (err != 0)
        return err;
    return points_action_is_of_reservation(command->action)
               ? fetch_of_reservation(sql, command, view)
               : fetch_of_member(sql, command, view);
}

/* --- write --- */

static int write_reservation(struct sql *sql, const struct points_changes *changes,
                             const struct reservation *reservation)
{
    struct binder binder;
    int err = prepare(sql, POINTS_UPDATE_RESERVATION, &binder);
    if (err != 0)
        return err;
    bind_int(&binder, reservation->state);
    bind_int(&binder, reservation->is_unsure);
    bind_text(&binder, reservation->reason);
    bind_int(&binder, reservation->changed_at_us);
    bind_int(&binder, reservation->alike_before);
    bind_int(&binder, reservation->id);
    bind_int(&binder, changes->state_before);
    return sql_finish_update(sql, binder.statement, "reservation", reservation->id);
}

static int insert_reservation(struct sql *sql, const struct reservation *reservation)
{
    struct binder binder;
    int err = prepare(sql, POINTS_INSERT_RESERVATION, &binder);
    if (err != 0)
        return err;
    bind_int(&binder, reservation->id);
    bind_int(&binder, reservation->tenant_id);
    bind_int(&binder, reservation->member_id);
    bind_int(&binder, reservation->reward_id);
    bind_text(&binder, reservation->token_id);
    bind_int(&binder, reservation->order_id);
    bind_int(&binder, reservation->site_id);
    bind_int(&binder, reservation->points);
    bind_int(&binder, reservation->pays_minor);
    bind_int(&binder, reservation->state);
    bind_int(&binder, reservation->is_unsure);
    bind_text(&binder, reservation->reason);
    bind_int(&binder, reservation->created_at_us);
    bind_int(&binder, reservation->changed_at_us);
    bind_int(&binder, reservation->alike_before);
    return sql_finish(sql, binder.statement);
}

static int insert_entry(struct sql *sql, const struct points_entry *entry)
{
    struct binder binder;
    int err = prepare(sql, POINTS_INSERT_ENTRY, &binder);
    if (err != 0)
        return err;
    bind_int(&binder, entry->id);
    bind_int(&binder, entry->tenant_id);
    bind_int(&binder, entry->member_id);
    bind_int(&binder, entry->version);
    bind_int(&binder, entry->cause);
    bind_int(&binder, entry->points);
    bind_int(&binder, entry->points_after);
    bind_int(&binder, entry->order_id);
    bind_int(&binder, entry->sale_order_id);
    bind_int(&binder, entry->reservation_id);
    bind_int(&binder, entry->previous_entry_id);
    bind_int(&binder, entry->created_at_us);
    bind_text(&binder, entry->reason);
    return sql_finish(sql, binder.statement);
}

static int write_account(struct sql *sql, const struct points_changes *changes,
                         const struct points_account *account)
{
    struct binder binder;
    int err = prepare(sql, POINTS_UPDATE_ACCOUNT, &binder);
    if (err != 0)
        return err;
    bind_int(&binder, account->points);
    bind_int(&binder, account->points_held);
    bind_int(&binder, account->version);
    bind_int(&binder, account->last_entry_id);
    bind_int(&binder, account->active_at_us);
    bind_int(&binder, account->member_id);
    bind_int(&binder, changes->version_before);
    return sql_finish_update(sql, binder.statement, "member", account->member_id);
}

static int write_changes(struct sql *sql, const struct points_changes *changes,
                         const struct points_view *view)
{
    int err = 0;
    if (changes->reservation_is_new)
        err = insert_reservation(sql, &view->reservation);
    else if (changes->reservation_is_changed)
        err = write_reservation(sql, changes, &view->reservation);
    if (err == 0 && changes->has_entry)
        err = insert_entry(sql, &changes->entry);
    if (err == 0 && changes->account_is_changed)
        err = write_account(sql, changes, &view->account);
    return err;
}

/* An attempt to pay that was refused is kept, too. */
static bool has_rows_to_write(const struct points_changes *changes, enum points_result result)
{
    return result == POINTS_OK || changes->has_attempt;
}

/* --- the command --- */

/* Where nothing was written there is nothing that could be unknown, and no fsync; but a success
 * that is told again must last as the first one did. */
static int end_points(struct sql *sql, const struct points_changes *changes,
                      enum points_result result)
{
    int err = 0;
    if (!has_rows_to_write(changes, result) && result != POINTS_ALREADY_DONE) {
        sql_rollback_change(sql);
        return 0;
    }
    if (!has_rows_to_write(changes, result))
        err = sql->driver->follow(sql);
    return sql_end_change(sql, err);
}

static int run_points(struct store *store, const struct points_command *command, int64_t now_us,
                      struct points_outcome *outcome)
{
    struct sql *sql = sql_of(store);
    struct points_view view;
    struct points_changes changes;
    struct points_outcome decided;
    int err = sql_begin_change(sql);
    if (err != 0)
        return err;
    err = fetch(sql, command, &view);
    if (err != 0)
        goto err_after_begin;
    points_decide(&view, command, now_us, &changes, &decided);
    if (decided.result == POINTS_OK)
        err = write_changes(sql, &changes, &view);
    if (err == 0)
        err = sql_write_foreign_points(sql, command, &view, &changes, now_us);
    if (err != 0)
        goto err_after_begin;
    err = end_points(sql, &changes, decided.result);
    if (err == 0 || err == ERR_COMMIT_UNKNOWN)
        *outcome = decided;
    return err;
err_after_begin:
    CHECK(err != 0);
    sql_rollback_change(sql);
    return err;
}

const char *sql_points_text(int index)
{
    return index >= 0 && index < POINTS_STATEMENTS ? points_text[index] : NULL;
}

const struct store_backend_points sql_points = {
    .run = run_points,
    .read_reservation = sql_read_reservation,
    .each_open_reservation = sql_each_open_reservation,
    .each_member_reservation = sql_each_member_reservation,
    .each_order_reservation = sql_each_order_reservation,
    .each_entry = sql_each_points_entry,
    .read_answer = sql_read_points_answer,
    .each_idle_member = sql_each_idle_member,
};
