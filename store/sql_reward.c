/*
 * Rewards: what a tenant's members may have for their points.
 */
#include "store/sql.h"

#include "base/check.h"
#include "base/log.h"

#include "base/banned.h"

enum reward_statement {
    REWARD_COUNT,
    REWARD_INSERT,
    REWARD_UPDATE,
    REWARD_READ,
    REWARD_READ_ALL,
};

#define REWARD_FIELDS                                                                              \
    "tenant_id, title, terms, points, effect, amount_minor, percent_bp, product_id, is_active"

static const char *const reward_text[] = {
    [REWARD_COUNT] = "SELECT (SELECT count(*) FROM reward WHERE tenant_id = ?1), "
                     "EXISTS (SELECT 1 FROM tenant WHERE id = ?1)",
    [REWARD_INSERT] = "INSERT INTO reward (" REWARD_FIELDS
                      ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)" SQL_RETURNING_ID,
    [REWARD_UPDATE] = "UPDATE reward SET (" REWARD_FIELDS ") = (?, ?, ?, ?, ?, ?, ?, ?, ?) "
                      "WHERE id = ?10 AND tenant_id = ?1",
    [REWARD_READ] = "SELECT id, " REWARD_FIELDS " FROM reward WHERE id = ? AND tenant_id = ?",
    [REWARD_READ_ALL] = "SELECT id, " REWARD_FIELDS " FROM reward WHERE tenant_id = ? ORDER BY id",
};

static int prepare(struct sql *sql, enum reward_statement which, struct binder *binder)
{
    *binder = (struct binder){0};
    return sql_prepare_of(sql, AREA_REWARD, (int)which, reward_text[which], &binder->statement);
}

static void bind_reward(struct binder *binder, const struct reward *reward)
{
    bind_int(binder, reward->tenant_id);
    bind_text(binder, reward->title);
    bind_text(binder, reward->terms);
    bind_int(binder, reward->points);
    bind_int(binder, reward->effect);
    bind_int(binder, reward->amount_minor);
    bind_int(binder, reward->percent_bp);
    bind_int(binder, reward->product_id);
    bind_int(binder, reward->is_active);
}

static int read_row(struct sql_statement *statement, struct reward *reward)
{
    struct columns columns = {.statement = statement};
    reward->id = column_int(&columns);
    reward->tenant_id = column_int(&columns);
    column_text(&columns, reward->title, sizeof(reward->title));
    column_text(&columns, reward->terms, sizeof(reward->terms));
    reward->points = column_int(&columns);
    reward->effect = (enum reward_effect)column_enum(&columns, REWARD_MONEY_OFF, REWARD_PAY);
    reward->amount_minor = column_int(&columns);
    reward->percent_bp = column_int32(&columns);
    reward->product_id = column_int(&columns);
    reward->is_active = column_bool(&columns);
    if (!columns.is_bad)
        return 0;
    log_event(LOG_ERROR, "row_is_corrupt", LOG_TEXT("table", "reward"), LOG_INT("id", reward->id));
    return ERR_STORE_CORRUPT;
}

static int check_room(struct sql *sql, int64_t tenant_id)
{
    struct binder binder;
    int err = prepare(sql, REWARD_COUNT, &binder);
    if (err != 0)
        return err;
    bind_int(&binder, tenant_id);
    err = sql_step_to_row(sql, binder.statement);
    if (err != 0)
        return err;
    struct columns columns = {.statement = binder.statement};
    int64_t count = column_int(&columns);
    bool has_tenant = column_bool(&columns);
    sql_reset(binder.statement);
    if (!has_tenant)
        return ERR_NOT_FOUND;
    return count < REWARDS_MAX ? 0 : ERR_TOO_LARGE;
}

static int insert_reward(struct sql *sql, struct reward *reward)
{
    struct binder binder;
    int err = check_room(sql, reward->tenant_id);
    if (err == 0)
        err = prepare(sql, REWARD_INSERT, &binder);
    if (err != 0)
        return err;
    bind_reward(&binder, reward);
    return sql_finish_insert(sql, binder.statement, &reward->id);
}

static int reward_add(struct store *store, struct reward *reward)
{
    struct sql *sql = sql_of(store);
    int err = sql_begin_change(sql);
    if (err != 0)
        return err;
    return sql_end_change(sql, insert_reward(sql, reward));
}

static int update_row(struct sql *sql, const struct reward *reward)
{
    struct binder binder;
    int err = prepare(sql, REWARD_UPDATE, &binder);
    if (err != 0)
        return err;
    bind_reward(&binder, reward);
    bind_int(&binder, reward->id);
    err = sql_finish(sql, binder.statement);
    if (err == 0 && sql->changed_count == 0)
        err = ERR_NOT_FOUND;
    return err;
}

static int reward_update(struct store *store, const struct reward *reward)
{
    struct sql *sql = sql_of(store);
    int err = sql_begin_change(sql);
    if (err != 0)
        return err;
    return sql_end_change(sql, update_row(sql, reward));
}

static int reward_read(struct store *store, int64_t tenant_id, int64_t reward_id,
                       struct reward *reward)
{
    struct sql *sql = sql_of(store);
    struct binder binder;
    int err = prepare(sql, REWARD_READ, &binder);
    if (err != 0)
        return err;
    bind_int(&binder, reward_id);
    bind_int(&binder, tenant_id);
    err = sql_step_to_row(sql, binder.statement);
    if (err != 0)
        return err;
    err = read_row(binder.statement, reward);
    sql_reset(binder.statement);
    return err;
}

static int reward_each(struct store *store, int64_t tenant_id, store_reward_fn each, void *context)
{
    struct sql *sql = sql_of(store);
    struct binder binder;
    bool has_row;
    int err = prepare(sql, REWARD_READ_ALL, &binder);
    if (err != 0)
        return err;
    bind_int(&binder, tenant_id);
    err = sql_step(sql, binder.statement, &has_row);
    while (err == 0 && has_row) {
        struct reward reward;
        err = read_row(binder.statement, &reward);
        if (err != 0)
            break;
        each(context, &reward);
        err = sql_step(sql, binder.statement, &has_row);
    }
    sql_reset(binder.statement);
    return err;
}

const struct store_backend_rewards sql_rewards = {
    .add = reward_add,
    .update = reward_update,
    .read = reward_read,
    .each = reward_each,
};

const char *sql_reward_text(int index)
{
    return index >= 0 && (size_t)index < COUNT_OF(reward_text) ? reward_text[index] : NULL;
}
