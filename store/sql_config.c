/*
 * Configuration: tenants and their sites, with the tenant's secrets sealed.
 */
#include "store/sql.h"

#include "base/check.h"

#include <string.h>

#include "base/banned.h"

static const char label_key[] = "tenant.key";
static const char label_token[] = "tenant.signature_token";
static const char label_token_previous[] = "tenant.signature_token_previous";

struct tenant_secrets {
    struct sealed_secret key;
    struct sealed_secret token;
    struct sealed_secret token_previous;
};

static void bind_policy(struct binder *binder, const struct policy *policy)
{
    bind_int(binder, policy->partial_is_allowed);
    bind_int(binder, policy->balance_max_minor);
    bind_int(binder, policy->load_day_max_minor);
    bind_int(binder, policy->uses_hour_max);
    bind_int(binder, policy->refund_max_minor);
    bind_int(binder, policy->refund_register_day_max_minor);
    bind_int(binder, policy->replay_window_us);
    bind_int(binder, policy->replay_window_no_order_us);
    bind_int(binder, policy->top_up_is_held);
}

static void bind_choices(struct binder *binder, const struct tenant *tenant)
{
    bind_int(binder, tenant->refusal_status);
    bind_int(binder, tenant->body_format);
    bind_int(binder, tenant->deadline_us);
    bind_int(binder, tenant->payment_is_ours);
    bind_text(binder, tenant->payment_refusals);
    bind_text(binder, tenant->webhook_topics);
    bind_int(binder, tenant->token_refresh_us);
    bind_int(binder, tenant->discount_is_on_line);
    bind_int(binder, tenant->payment_method);
    bind_int(binder, tenant->order_look_is_on);
    bind_int(binder, tenant->notify_is_on);
}

static void bind_loyalty(struct binder *binder, const struct tenant *tenant)
{
    bind_int(binder, tenant->search_is_on);
    bind_int(binder, tenant->rewards_is_on);
    bind_int(binder, tenant->redeem_is_on);
    bind_int(binder, tenant->loyalty_signature_mode);
    bind_int(binder, tenant->earn_milli);
    bind_text(binder, tenant->points_label);
    bind_int(binder, tenant->points_expire_days);
    bind_int(binder, tenant->burn_is_on_complete);
    bind_int(binder, tenant->reservation_max_us);
    bind_int(binder, tenant->redeem_token_us);
}

/* TENANT_FIELDS. secrets must live until the statement has run. */
static void bind_tenant(struct binder *binder, const struct seal *seal, const struct tenant *tenant,
                        struct tenant_secrets *secrets)
{
    bind_text(binder, tenant->name);
    bind_secret(binder, seal, label_key, tenant->key, &secrets->key);
    bind_text(binder, tenant->currency.code);
    bind_int(binder, tenant->currency.exponent);
    bind_text(binder, tenant->zone);
    bind_int(binder, tenant->oseries_company);
    bind_secret(binder, seal, label_token, tenant->signature_token, &secrets->token);
    bind_secret(binder, seal, label_token_previous, tenant->signature_token_previous,
                &secrets->token_previous);
    bind_int(binder, tenant->oseries_signature_mode);
    bind_int(binder, tenant->signature_base64_is_accepted);
    bind_int(binder, tenant->charge_is_on);
    bind_int(binder, tenant->top_up_is_on);
    bind_int(binder, tenant->refund_is_on);
    bind_int(binder, tenant->balance_is_on);
    bind_int(binder, tenant->sites_must_be_mapped);
    bind_int(binder, tenant->last4_is_accepted);
    bind_int(binder, tenant->amounts_are_strings);
    bind_text(binder, tenant->card_prefix);
    bind_text(binder, tenant->profile);
    bind_policy(binder, &tenant->policy);
    bind_choices(binder, tenant);
    bind_loyalty(binder, tenant);
}

static void read_policy(struct columns *columns, struct policy *policy)
{
    policy->partial_is_allowed = column_bool(columns);
    policy->balance_max_minor = column_int(columns);
    policy->load_day_max_minor = column_int(columns);
    policy->uses_hour_max = column_int32(columns);
    policy->refund_max_minor = column_int(columns);
    policy->refund_register_day_max_minor = column_int(columns);
    policy->replay_window_us = column_int(columns);
    policy->replay_window_no_order_us = column_int(columns);
    policy->top_up_is_held = column_bool(columns);
}

static void read_choices(struct columns *columns, struct tenant *tenant)
{
    tenant->refusal_status = column_int32(columns);
    tenant->body_format = (enum body_format)column_enum(columns, BODY_ANY, BODY_FORM);
    tenant->deadline_us = column_int(columns);
    tenant->payment_is_ours = column_bool(columns);
    column_text(columns, tenant->payment_refusals, sizeof(tenant->payment_refusals));
    column_text(columns, tenant->webhook_topics, sizeof(tenant->webhook_topics));
    tenant->token_refresh_us = column_int(columns);
    tenant->discount_is_on_line = column_bool(columns);
    tenant->payment_method = column_int32(columns);
    tenant->order_look_is_on = column_bool(columns);
    tenant->notify_is_on = column_bool(columns);
}

static void read_loyalty(struct columns *columns, struct tenant *tenant)
{
    tenant->search_is_on = column_bool(columns);
    tenant->rewards_is_on = column_bool(columns);
    tenant->redeem_is_on = column_bool(columns);
    tenant->loyalty_signature_mode =
        (enum signature_mode)column_enum(columns, SIGNATURE_ENFORCE, SIGNATURE_OFF);
    tenant->earn_milli = column_int(columns);
    column_text(columns, tenant->points_label, sizeof(tenant->points_label));
    tenant->points_expire_days = column_int32(columns);
    tenant->burn_is_on_complete = column_bool(columns);
    tenant->reservation_max_us = column_int(columns);
    tenant->redeem_token_us = column_int(columns);
}

static void read_switches(struct columns *columns, struct tenant *tenant)
{
    tenant->oseries_signature_mode =
        (enum signature_mode)column_enum(columns, SIGNATURE_ENFORCE, SIGNATURE_OFF);
    tenant->signature_base64_is_accepted = column_bool(columns);
    tenant->charge_is_on = column_bool(columns);
    tenant->top_up_is_on = column_bool(columns);
    tenant->refund_is_on = column_bool(columns);
    tenant->balance_is_on = column_bool(columns);
    tenant->sites_must_be_mapped = column_bool(columns);
    tenant->last4_is_accepted = column_bool(columns);
    tenant->amounts_are_strings = column_bool(columns);
}

/* errors  ERR_BAD_SEAL, ERR_STORE_CORRUPT. */
static int read_tenant(struct sql_statement *statement, const struct seal *seal,
                       struct tenant *tenant)
{
    struct columns columns = {.statement = statement};
    tenant->id = column_int(&columns);
    column_text(&columns, tenant->name, sizeof(tenant->name));
    int err = column_secret(&columns, seal, label_key, tenant->key, sizeof(tenant->key));
    column_text(&columns, tenant->currency.code, sizeof(tenant->currency.code));
    tenant->currency.exponent = column_enum(&columns, 0, MONEY_EXPONENT_MAX);
    column_text(&columns, tenant->zone, sizeof(tenant->zone));
    tenant->oseries_company = column_int(&columns);
    int token_err = column_secret(&columns, seal, label_token, tenant->signature_token,
                                  sizeof(tenant->signature_token));
    int previous_err =
        column_secret(&columns, seal, label_token_previous, tenant->signature_token_previous,
                      sizeof(tenant->signature_token_previous));
    read_switches(&columns, tenant);
    column_text(&columns, tenant->card_prefix, sizeof(tenant->card_prefix));
    column_text(&columns, tenant->profile, sizeof(tenant->profile));
    read_policy(&columns, &tenant->policy);
    read_choices(&columns, tenant);
    read_loyalty(&columns, tenant);
    columns_approval(&columns, &tenant->approval);
    tenant->approval.is_suspended = column_bool(&columns);
    tenant->place = (enum tenant_place)column_enum(&columns, TENANT_HERE, TENANT_PLACE_LAST);
    if (err == 0)
        err = token_err != 0 ? token_err : previous_err;
    return err == 0 && columns.is_bad ? ERR_STORE_CORRUPT : err;
}

int sql_add_tenant(struct store *store, struct tenant *tenant)
{
    struct sql *sql = sql_of(store);
    struct tenant_secrets secrets;
    struct sql_statement *statement;
    int err = sql_prepare(sql, STATEMENT_INSERT_TENANT, &statement);
    if (err != 0)
        return err;
    struct binder binder = {.statement = statement};
    bind_tenant(&binder, store->seal, tenant, &secrets);
    return sql_finish_chosen(sql, statement, &tenant->id);
}

int sql_update_tenant(struct store *store, const struct tenant *tenant)
{
    struct sql *sql = sql_of(store);
    struct tenant_secrets secrets;
    struct sql_statement *statement;
    int err = sql_prepare(sql, STATEMENT_UPDATE_TENANT, &statement);
    if (err != 0)
        return err;
    struct binder binder = {.statement = statement};
    bind_tenant(&binder, store->seal, tenant, &secrets);
    bind_int(&binder, tenant->id);
    err = sql_finish_chosen(sql, statement, NULL);
    if (err == 0 && sql->changed_count == 0)
        err = ERR_NOT_FOUND;
    return err;
}

int sql_add_site(struct store *store, struct site *site)
{
    struct sql *sql = sql_of(store);
    struct sql_statement *statement;
    int err = sql_prepare(sql, STATEMENT_INSERT_SITE, &statement);
    if (err != 0)
        return err;
    struct binder binder = {.statement = statement};
    bind_int(&binder, site->tenant_id);
    bind_text(&binder, site->name);
    bind_int(&binder, site->oseries_site);
    bind_text(&binder, site->zone);
    return sql_finish_chosen(sql, statement, &site->id);
}

int sql_read_tenant(struct store *store, int64_t tenant_id, struct tenant *tenant)
{
    struct sql *sql = sql_of(store);
    struct sql_statement *statement;
    bool has_row;
    int err = sql_prepare(sql, STATEMENT_READ_TENANT, &statement);
    if (err != 0)
        return err;
    bind_int(&(struct binder){.statement = statement}, tenant_id);
    err = sql_step(sql, statement, &has_row);
    if (err != 0)
        return err;
    err = has_row ? read_tenant(statement, store->seal, tenant) : ERR_NOT_FOUND;
    if (err != 0)
        seal_wipe(tenant, sizeof(*tenant));
    sql_reset(statement);
    return err;
}

int sql_each_tenant(struct store *store, store_tenant_fn each, void *context)
{
    struct sql *sql = sql_of(store);
    struct sql_statement *statement;
    bool has_row;
    int err = sql_prepare(sql, STATEMENT_READ_TENANTS, &statement);
    if (err != 0)
        return err;
    err = sql_step(sql, statement, &has_row);
    while (err == 0 && has_row) {
        struct tenant tenant;
        err = read_tenant(statement, store->seal, &tenant);
        if (err == 0) {
            each(context, &tenant);
            err = sql_step(sql, statement, &has_row);
        }
        seal_wipe(&tenant, sizeof(tenant));
    }
    sql_reset(statement);
    return err;
}

static int read_site(struct sql_statement *statement, struct site *site)
{
    struct columns columns = {.statement = statement};
    site->id = column_int(&columns);
    site->tenant_id = column_int(&columns);
    column_text(&columns, site->name, sizeof(site->name));
    site->oseries_site = column_int(&columns);
    column_text(&columns, site->zone, sizeof(site->zone));
    return columns.is_bad ? ERR_STORE_CORRUPT : 0;
}

int sql_each_site(struct store *store, store_site_fn each, void *context)
{
    struct sql *sql = sql_of(store);
    struct sql_statement *statement;
    bool has_row;
    int err = sql_prepare(sql, STATEMENT_READ_SITES, &statement);
    if (err != 0)
        return err;
    err = sql_step(sql, statement, &has_row);
    while (err == 0 && has_row) {
        struct site site;
        err = read_site(statement, &site);
        if (err == 0) {
            each(context, &site);
            err = sql_step(sql, statement, &has_row);
        }
    }
    sql_reset(statement);
    return err;
}
