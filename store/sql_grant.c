/*
 * Applications and grants, the one-time tokens that were used, and the generation of their keys.
 */
#include "store/sql.h"

#include "base/check.h"

#include <string.h>

#include "base/banned.h"

enum grant_statement {
    SQL_PUT_APP,
    SQL_READ_APP,
    SQL_READ_GRANT,
    SQL_READ_GRANTS,
    SQL_INSERT_GRANT,
    SQL_UPDATE_GRANT,
    SQL_LEASE_GRANT,
    SQL_READ_COMPANY,
    SQL_SET_COMPANY,
    SQL_USE_TOKEN,
    SQL_FORGET_TOKENS,
    SQL_READ_GENERATION,
    SQL_RAISE_GENERATION,
};

#define GRANT_FIELDS                                                                               \
    "kind, status, company_id, access_token_sealed, refresh_token_sealed, connected_at_us, "       \
    "refreshed_at_us, expires_at_us, failures, failed_at_us, reason"
#define GRANT_COLUMNS "tenant_id, surface, " GRANT_FIELDS ", version, lease_owner, leased_until_us"
#define GRANT_MARKS "?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?"

static const char *const grant_text[] = {
    [SQL_PUT_APP] =
        "INSERT INTO app (surface, client_id, client_secret_sealed, signature_token_sealed, "
        "signature_token_previous_sealed) VALUES (?, ?, ?, ?, ?) ON CONFLICT (surface) DO UPDATE "
        "SET client_id = excluded.client_id, "
        "client_secret_sealed = excluded.client_secret_sealed, "
        "signature_token_sealed = excluded.signature_token_sealed, "
        "signature_token_previous_sealed = excluded.signature_token_previous_sealed",
    [SQL_READ_APP] = "SELECT surface, client_id, client_secret_sealed, signature_token_sealed, "
                     "signature_token_previous_sealed FROM app WHERE surface = ?",
    [SQL_READ_GRANT] =
        "SELECT " GRANT_COLUMNS " FROM oauth_grant WHERE tenant_id = ? AND surface = ?",
    [SQL_READ_GRANTS] = "SELECT " GRANT_COLUMNS " FROM oauth_grant "
                        "WHERE EXISTS (SELECT 1 FROM tenant WHERE id = tenant_id AND place = 0) "
                        "ORDER BY tenant_id, surface",
    [SQL_INSERT_GRANT] = "INSERT INTO oauth_grant (" GRANT_FIELDS ", tenant_id, surface, version, "
                         "lease_owner, leased_until_us) VALUES (" GRANT_MARKS ", ?, ?, 1, '', 0) "
                         "ON CONFLICT (tenant_id, surface) DO NOTHING",
    [SQL_UPDATE_GRANT] =
        "UPDATE oauth_grant SET (" GRANT_FIELDS ") = (" GRANT_MARKS "), version = version + 1, "
        "lease_owner = '', leased_until_us = 0 "
        "WHERE tenant_id = ? AND surface = ? AND version = ?",
    [SQL_LEASE_GRANT] =
        "UPDATE oauth_grant SET lease_owner = ?1, leased_until_us = ?2, version = version + 1 "
        "WHERE tenant_id = ?3 AND surface = ?4 "
        "AND (lease_owner = '' OR lease_owner = ?1 OR leased_until_us <= ?5)",
    [SQL_READ_COMPANY] = "SELECT oseries_company FROM tenant WHERE id = ?",
    [SQL_SET_COMPANY] = "UPDATE tenant SET oseries_company = ? WHERE id = ?",
    [SQL_USE_TOKEN] = "INSERT INTO used_token (id, expires_at_us) VALUES (?, ?) "
                      "ON CONFLICT (id) DO NOTHING",
    [SQL_FORGET_TOKENS] = "DELETE FROM used_token WHERE expires_at_us < ?",
    [SQL_READ_GENERATION] = "SELECT token_generation FROM meta WHERE id = 1",
    [SQL_RAISE_GENERATION] = "UPDATE meta SET token_generation = token_generation + 1 WHERE id = 1",
};

static const char label_client_secret[] = "app.client_secret";
static const char label_signature[] = "app.signature_token";
static const char label_signature_previous[] = "app.signature_token_previous";
static const char label_access[] = "oauth_grant.access_token";
static const char label_refresh[] = "oauth_grant.refresh_token";

static int prepare(struct sql *sql, enum grant_statement which, struct binder *binder)
{
    *binder = (struct binder){.statement = NULL};
    return sql_prepare_of(sql, AREA_GRANT, (int)which, grant_text[which], &binder->statement);
}

/* Ends the change that err has spoilt, or commits it. */
static int end_change(struct sql *sql, int err)
{
    return sql_end_change(sql, err);
}

/* --- the application */

static int write_app(struct sql *sql, const struct app *app)
{
    struct sealed_secret secrets[3];
    const struct seal *seal = sql->store.seal;
    struct binder binder;
    int err = prepare(sql, SQL_PUT_APP, &binder);
    if (err != 0)
        return err;
    bind_int(&binder, app->surface);
    bind_text(&binder, app->client_id);
    bind_secret(&binder, seal, label_client_secret, app->client_secret, &secrets[0]);
    bind_secret(&binder, seal, label_signature, app->signature_token, &secrets[1]);
    bind_secret(&binder, seal, label_signature_previous, app->signature_token_previous,
                &secrets[2]);
    return sql_finish(sql, binder.statement);
}

static int sql_put_app(struct store *store, const struct app *app)
{
    struct sql *sql = sql_of(store);
    int err = sql_begin_change(sql);
    return err != 0 ? err : end_change(sql, write_app(sql, app));
}

static int read_app_row(struct sql_statement *statement, const struct seal *seal, struct app *app)
{
    struct columns columns = {.statement = statement};
    app->surface = (enum app_surface)column_enum(&columns, APP_OSERIES, APP_OSERIES);
    column_text(&columns, app->client_id, sizeof(app->client_id));
    int secret_err = column_secret(&columns, seal, label_client_secret, app->client_secret,
                                   sizeof(app->client_secret));
    int token_err = column_secret(&columns, seal, label_signature, app->signature_token,
                                  sizeof(app->signature_token));
    int previous_err =
        column_secret(&columns, seal, label_signature_previous, app->signature_token_previous,
                      sizeof(app->signature_token_previous));
    if (columns.is_bad)
        return ERR_STORE_CORRUPT;
    return secret_err != 0 ? secret_err : token_err != 0 ? token_err : previous_err;
}

static int sql_read_app(struct store *store, enum app_surface surface, struct app *app)
{
    struct sql *sql = sql_of(store);
    struct binder binder;
    *app = (struct app){.surface = surface};
    int err = prepare(sql, SQL_READ_APP, &binder);
    if (err != 0)
        return err;
    bind_int(&binder, surface);
    err = sql_step_to_row(sql, binder.statement);
    if (err == 0)
        err = read_app_row(binder.statement, store->seal, app);
    sql_reset(binder.statement);
    if (err != 0)
        seal_wipe(app, sizeof(*app));
    return err;
}

/* --- reading grants */

static int read_grant_row(struct sql_statement *statement, const struct seal *seal,
                          struct grant *grant)
{
    struct columns columns = {.statement = statement};
    grant->tenant_id = column_int(&columns);
    grant->surface = (enum app_surface)column_enum(&columns, APP_OSERIES, APP_OSERIES);
    grant->kind = (enum grant_kind)column_enum(&columns, GRANT_OAUTH, GRANT_BASIC);
    grant->status = (enum grant_status)column_enum(&columns, GRANT_CONNECTED, GRANT_REVOKED);
    grant->company_id = column_int(&columns);
    int access_err = column_secret(&columns, seal, label_access, grant->access_token,
                                   sizeof(grant->access_token));
    int refresh_err = column_secret(&columns, seal, label_refresh, grant->refresh_token,
                                    sizeof(grant->refresh_token));
    grant->connected_at_us = column_int(&columns);
    grant->refreshed_at_us = column_int(&columns);
    grant->expires_at_us = column_int(&columns);
    grant->failures = column_int32(&columns);
    grant->failed_at_us = column_int(&columns);
    column_text(&columns, grant->reason, sizeof(grant->reason));
    grant->version = column_int(&columns);
    column_text(&columns, grant->lease_owner, sizeof(grant->lease_owner));
    grant->leased_until_us = column_int(&columns);
    if (columns.is_bad)
        return ERR_STORE_CORRUPT;
    return access_err != 0 ? access_err : refresh_err;
}

static int sql_read_grant(struct store *store, int64_t tenant_id, enum app_surface surface,
                          struct grant *grant)
{
    struct sql *sql = sql_of(store);
    struct binder binder;
    *grant = (struct grant){.tenant_id = tenant_id, .surface = surface};
    int err = prepare(sql, SQL_READ_GRANT, &binder);
    if (err != 0)
        return err;
    bind_int(&binder, tenant_id);
    bind_int(&binder, surface);
    err = sql_step_to_row(sql, binder.statement);
    if (err == 0)
        err = read_grant_row(binder.statement, store->seal, grant);
    sql_reset(binder.statement);
    if (err != 0)
        seal_wipe(grant, sizeof(*grant));
    return err;
}

static int sql_each_grant(struct store *store, store_grant_fn each, void *context)
{
    struct sql *sql = sql_of(store);
    struct binder binder;
    bool has_row;
    int err = prepare(sql, SQL_READ_GRANTS, &binder);
    if (err != 0)
        return err;
    err = sql_step(sql, binder.statement, &has_row);
    while (err == 0 && has_row) {
        struct grant grant;
        err = read_grant_row(binder.statement, store->seal, &grant);
        if (err == 0) {
            each(context, &grant);
            err = sql_step(sql, binder.statement, &has_row);
        }
        seal_wipe(&grant, sizeof(grant));
    }
    sql_reset(binder.statement);
    return err;
}

/* --- writing grants: inside a change */

static int write_grant(struct sql *sql, const struct grant *grant)
{
    struct sealed_secret access, refresh;
    const struct seal *seal = sql->store.seal;
    struct binder binder;
    int err = prepare(sql, grant->version == 0 ? SQL_INSERT_GRANT : SQL_UPDATE_GRANT, &binder);
    if (err != 0)
        return err;
    bind_int(&binder, grant->kind);
    bind_int(&binder, grant->status);
    bind_int(&binder, grant->company_id);
    bind_secret(&binder, seal, label_access, grant->access_token, &access);
    bind_secret(&binder, seal, label_refresh, grant->refresh_token, &refresh);
    bind_int(&binder, grant->connected_at_us);
    bind_int(&binder, grant->refreshed_at_us);
    bind_int(&binder, grant->expires_at_us);
    bind_int(&binder, grant->failures);
    bind_int(&binder, grant->failed_at_us);
    bind_text(&binder, grant->reason);
    bind_int(&binder, grant->tenant_id);
    bind_int(&binder, grant->surface);
    if (grant->version != 0)
        bind_int(&binder, grant->version);
    err = sql_finish(sql, binder.statement);
    return err == 0 && sql->changed_count == 0 ? ERR_STALE : err;
}

static void note_written(struct grant *grant)
{
    grant->version++;
    grant->lease_owner[0] = '\0';
    grant->leased_until_us = 0;
}

static int sql_put_grant(struct store *store, struct grant *grant)
{
    struct sql *sql = sql_of(store);
    int err = sql_begin_change(sql);
    if (err != 0)
        return err;
    err = end_change(sql, write_grant(sql, grant));
    if (err == 0)
        note_written(grant);
    return err;
}

static int read_company(struct sql *sql, int64_t tenant_id, int64_t *company)
{
    struct binder binder;
    int err = prepare(sql, SQL_READ_COMPANY, &binder);
    if (err != 0)
        return err;
    bind_int(&binder, tenant_id);
    err = sql_step_to_row(sql, binder.statement);
    if (err == 0)
        *company = sql_column_int(binder.statement, 0);
    sql_reset(binder.statement);
    return err;
}

/* A company that another tenant has is an answer, not a failure of the store. */
static int set_company(struct sql *sql, int64_t tenant_id, int64_t company)
{
    struct binder binder;
    int64_t present;
    int err = read_company(sql, tenant_id, &present);
    if (err != 0 || present == company)
        return err;
    if (present != 0)
        return ERR_ALREADY_EXISTS;
    err = prepare(sql, SQL_SET_COMPANY, &binder);
    if (err != 0)
        return err;
    bind_int(&binder, company);
    bind_int(&binder, tenant_id);
    return sql_finish_chosen(sql, binder.statement, NULL);
}

static int sql_bind_grant(struct store *store, struct grant *grant)
{
    struct sql *sql = sql_of(store);
    int err = sql_begin_change(sql);
    if (err != 0)
        return err;
    err = set_company(sql, grant->tenant_id, grant->company_id);
    if (err == 0)
        err = write_grant(sql, grant);
    err = end_change(sql, err);
    if (err == 0)
        note_written(grant);
    return err;
}

static int take_lease(struct sql *sql, const struct grant_lease *lease, bool *is_taken)
{
    struct binder binder;
    int err = prepare(sql, SQL_LEASE_GRANT, &binder);
    if (err != 0)
        return err;
    bind_text(&binder, lease->owner);
    bind_int(&binder, lease->until_us);
    bind_int(&binder, lease->tenant_id);
    bind_int(&binder, lease->surface);
    bind_int(&binder, lease->now_us);
    err = sql_finish(sql, binder.statement);
    *is_taken = err == 0 && sql->changed_count == 1;
    return err;
}

static int sql_lease_grant(struct store *store, const struct grant_lease *lease,
                           struct grant *grant)
{
    struct sql *sql = sql_of(store);
    bool is_taken = false;
    int err = sql_begin_change(sql);
    if (err != 0)
        return err;
    err = take_lease(sql, lease, &is_taken);
    if (err == 0)
        err = sql_read_grant(store, lease->tenant_id, lease->surface, grant);
    if (err == 0 && !is_taken)
        err = ERR_LEASED;
    err = end_change(sql, err);
    if (err != 0)
        seal_wipe(grant, sizeof(*grant));
    return err;
}

/* --- tokens of ours */

static int forget_tokens(struct sql *sql, int64_t now_us)
{
    struct binder binder;
    int err = prepare(sql, SQL_FORGET_TOKENS, &binder);
    if (err != 0)
        return err;
    bind_int(&binder, now_us);
    return sql_finish(sql, binder.statement);
}

static int insert_token(struct sql *sql, const char *id, int64_t expires_at_us)
{
    struct binder binder;
    int err = prepare(sql, SQL_USE_TOKEN, &binder);
    if (err != 0)
        return err;
    bind_text(&binder, id);
    bind_int(&binder, expires_at_us);
    err = sql_finish(sql, binder.statement);
    return err == 0 && sql->changed_count == 0 ? ERR_ALREADY_EXISTS : err;
}

static int sql_use_token(struct store *store, const char *id, int64_t expires_at_us, int64_t now_us)
{
    struct sql *sql = sql_of(store);
    int err = sql_begin_change(sql);
    if (err != 0)
        return err;
    err = forget_tokens(sql, now_us);
    if (err == 0)
        err = insert_token(sql, id, expires_at_us);
    return end_change(sql, err);
}

static int sql_token_generation(struct store *store, int64_t *generation)
{
    struct sql *sql = sql_of(store);
    struct binder binder;
    int err = prepare(sql, SQL_READ_GENERATION, &binder);
    if (err != 0)
        return err;
    err = sql_step_to_row(sql, binder.statement);
    if (err == 0)
        *generation = sql_column_int(binder.statement, 0);
    sql_reset(binder.statement);
    return err == ERR_NOT_FOUND ? ERR_STORE_CORRUPT : err;
}

static int raise_generation(struct sql *sql)
{
    struct binder binder;
    int err = prepare(sql, SQL_RAISE_GENERATION, &binder);
    return err != 0 ? err : sql_finish_update(sql, binder.statement, "meta", 1);
}

static int sql_raise_token_generation(struct store *store, int64_t *generation)
{
    struct sql *sql = sql_of(store);
    int err = sql_begin_change(sql);
    if (err != 0)
        return err;
    err = raise_generation(sql);
    if (err == 0)
        err = sql_token_generation(store, generation);
    return end_change(sql, err);
}

const struct store_backend_grants sql_grants = {
    .put_app = sql_put_app,
    .read_app = sql_read_app,
    .read = sql_read_grant,
    .each = sql_each_grant,
    .put = sql_put_grant,
    .bind = sql_bind_grant,
    .lease = sql_lease_grant,
    .use_token = sql_use_token,
    .token_generation = sql_token_generation,
    .raise_token_generation = sql_raise_token_generation,
};

const char *sql_grant_text(int index)
{
    return index >= 0 && (size_t)index < COUNT_OF(grant_text) ? grant_text[index] : NULL;
}
