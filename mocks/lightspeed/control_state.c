/* What the fake knows and how it is set, over the control address. */
#include "mocks/lightspeed/control.h"

#include "base/error.h"
#include "mocks/lightspeed/field.h"

#include <string.h>

#include "base/banned.h"

/* --- settings */

#define TTL_MAX_S INT64_C(3153600000) /* a hundred years */
#define RATE_MAX INT64_C(1000000000)

static const struct field SETTINGS[] = {
    FIELD_OF_INT(struct settings, access_token_ttl_s, "access_token_ttl_s", 1, TTL_MAX_S, false),
    FIELD_OF_INT(struct settings, refresh_token_ttl_s, "refresh_token_ttl_s", 0, TTL_MAX_S, false),
    FIELD_OF_INT(struct settings, code_ttl_s, "code_ttl_s", 1, TTL_MAX_S, false),
    FIELD_OF(struct settings, refresh_returns_new, "refresh_returns_new", FIELD_BOOL),
    FIELD_OF(struct settings, refresh_revokes_old, "refresh_revokes_old", FIELD_BOOL),
    FIELD_OF_TEXT(struct settings, expired_error, "expired_token_error", true),
    FIELD_OF_INT(struct settings, visibility_delay_ms, "visibility_delay_ms", 0, 600000, false),
    FIELD_OF_INT(struct settings, read_delay_ms, "read_delay_ms", 0, 600000, false),
    FIELD_OF(struct settings, registers_keep_ref, "registers_keep_ref", FIELD_BOOL),
    FIELD_OF_INT(struct settings, rate_bearer_max, "rate_limit_bearer", 0, RATE_MAX, false),
    FIELD_OF_INT(struct settings, rate_basic_max, "rate_limit_basic", 0, RATE_MAX, false),
    FIELD_OF_INT(struct settings, rate_window_s, "rate_limit_window_s", 1, 86400, false),
    FIELD_OF(struct settings, rate_retry_after, "rate_limit_retry_after", FIELD_BOOL),
    FIELD_OF(struct settings, ignore_variations, "ignore_variations", FIELD_BOOL),
};
static const char *const SETTINGS_OTHERS[] = {"webhooks", "may_pay_foreign_orders", NULL};

static const struct field POST[] = {
    FIELD_OF(struct post_settings, drop_percent, "drop", FIELD_PERCENT),
    FIELD_OF(struct post_settings, duplicate_percent, "duplicate", FIELD_PERCENT),
    FIELD_OF(struct post_settings, reorder_percent, "reorder", FIELD_PERCENT),
    FIELD_OF_INT(struct post_settings, delay_ms, "delay_ms", 0, 600000, false),
    FIELD_OF_INT(struct post_settings, retries, "retries", 0, DELIVERY_ATTEMPTS_MAX - 1, false),
    FIELD_OF_INT(struct post_settings, retry_delay_ms, "retry_delay_ms", 0, 600000, false),
    FIELD_OF_INT(struct post_settings, timeout_ms, "timeout_ms", 1, 60000, false),
};

static void write_settings(const struct cloud *cloud, struct jwrite *writer)
{
    jwrite_object_begin(writer);
    fields_write(SETTINGS, COUNT_OF(SETTINGS), 2, &cloud->settings, writer);
    jwrite_key(writer, TEXT("webhooks"));
    jwrite_object_begin(writer);
    fields_write(POST, COUNT_OF(POST), 2, &cloud->settings.post, writer);
    jwrite_object_end(writer);
    jwrite_key(writer, TEXT("may_pay_foreign_orders"));
    jwrite_object_begin(writer);
    for (size_t i = 0; i < cloud->applications.count; i++) {
        const struct application *application = cloud->applications.records[i];
        jwrite_named_bool(writer, application->client_id, application->may_pay_foreign_orders);
    }
    jwrite_object_end(writer);
    jwrite_object_end(writer);
}

void control_settings_get(struct cloud *cloud, struct call *call, struct answer *answer)
{
    (void)call;
    write_settings(cloud, &answer->writer);
}

/* {"demo-client":true} */
static bool flags_are_good(const struct cloud *cloud, const struct jread *flags,
                           struct answer *answer)
{
    bool is_good = flags == NULL || jread_kind_of(flags) == JREAD_OBJECT;
    for (size_t i = 0; is_good && i < jread_count(flags); i++) {
        struct text client_id;
        bool flag;
        const struct jread *value = jread_member_at(flags, i, &client_id);
        is_good = cloud_application(cloud, client_id) != NULL && jread_bool(value, &flag) == 0;
    }
    if (!is_good)
        answer_bad(answer, "may_pay_foreign_orders: an object of client ids and true or false "
                           "wanted.");
    return is_good;
}

static void set_flags(const struct cloud *cloud, const struct jread *flags)
{
    for (size_t i = 0; i < jread_count(flags); i++) {
        struct text client_id;
        const struct jread *value = jread_member_at(flags, i, &client_id);
        struct application *application = cloud_application(cloud, client_id);
        CHECK(jread_bool(value, &application->may_pay_foreign_orders) == 0);
    }
}

void control_settings_put(struct cloud *cloud, struct call *call, struct answer *answer)
{
    const struct jread *json = call_json(call, answer);
    if (json == NULL)
        return;
    struct settings draft = cloud->settings;
    const struct jread *post = jread_member(json, "webhooks");
    const struct jread *flags = jread_member(json, "may_pay_foreign_orders");
    if (!fields_are_known(SETTINGS, COUNT_OF(SETTINGS), SETTINGS_OTHERS, json, answer) ||
        !fields_read(SETTINGS, COUNT_OF(SETTINGS), 2, false, json, &draft, answer) ||
        !flags_are_good(cloud, flags, answer))
        return;
    if (post != NULL && (!fields_are_known(POST, COUNT_OF(POST), NULL, post, answer) ||
                         !fields_read(POST, COUNT_OF(POST), 2, false, post, &draft.post, answer)))
        return;
    cloud->settings = draft;
    set_flags(cloud, flags);
    write_settings(cloud, &answer->writer);
}

/* --- tokens */

struct revocation {
    char client_id[NAME_MAX_BYTES]; /* empty: every application */
    int64_t company_id;             /* 0: every company */
    bool has_access;
    bool has_refresh;
    bool expires; /* let them run out instead: another sentence */
};

static const struct field REVOCATION[] = {
    FIELD_OF_TEXT(struct revocation, client_id, "client_id", false),
    FIELD_OF_INT(struct revocation, company_id, "company_id", 1, INT64_MAX, false),
    FIELD_OF(struct revocation, has_access, "access", FIELD_BOOL),
    FIELD_OF(struct revocation, has_refresh, "refresh", FIELD_BOOL),
    FIELD_OF(struct revocation, expires, "expire", FIELD_BOOL),
};

static size_t revoke_grant(struct cloud *cloud, const struct revocation *revocation,
                           int64_t grant_id)
{
    int64_t expires_us = revocation->expires ? cloud->wall_us : 0;
    size_t count = 0;
    if (revocation->has_access)
        count += token_end_all(&cloud->tokens, TOKEN_ACCESS, grant_id, expires_us);
    if (revocation->has_refresh)
        count += token_end_all(&cloud->tokens, TOKEN_REFRESH, grant_id, expires_us);
    return count;
}

void control_revoke(struct cloud *cloud, struct call *call, struct answer *answer)
{
    struct revocation revocation = {.has_access = true, .has_refresh = true};
    const struct jread *json = call_json(call, answer);
    if (json == NULL || !fields_are_known(REVOCATION, COUNT_OF(REVOCATION), NULL, json, answer) ||
        !fields_read(REVOCATION, COUNT_OF(REVOCATION), 2, true, json, &revocation, answer))
        return;
    size_t count = 0;
    for (size_t i = 0; i < cloud->grants.count; i++) {
        const struct grant *grant = cloud->grants.records[i];
        const struct application *application =
            cloud_application_by_id(cloud, grant->application_id);
        bool is_meant =
            (revocation.company_id == 0 || revocation.company_id == grant->company_id) &&
            (revocation.client_id[0] == '\0' ||
             strcmp(revocation.client_id, application->client_id) == 0);
        count += is_meant ? revoke_grant(cloud, &revocation, grant->id) : 0;
    }
    jwrite_object_begin(&answer->writer);
    jwrite_named_int(&answer->writer, "tokens", (int64_t)count);
    jwrite_object_end(&answer->writer);
}

/* --- what there is */

static const struct field GRANT[] = {
    FIELD_OF_INT(struct grant, company_id, "company_id", 0, 0, false),
    FIELD_OF_TEXT(struct grant, access_token, "access_token", false),
    FIELD_OF_TEXT(struct grant, refresh_token, "refresh_token", false),
    FIELD_OF_INT(struct grant, codes_issued, "codes_issued", 0, 0, false),
    FIELD_OF_INT(struct grant, access_tokens_issued, "access_tokens_issued", 0, 0, false),
    FIELD_OF_INT(struct grant, refresh_tokens_issued, "refresh_tokens_issued", 0, 0, false),
    FIELD_OF_INT(struct grant, refreshes, "refreshes", 0, 0, false),
    FIELD_OF_INT(struct grant, refreshes_refused, "refreshes_refused", 0, 0, false),
    FIELD_OF_INT(struct grant, refreshes_with_spent_token, "refreshes_with_spent_token", 0, 0,
                 false),
    FIELD_OF_INT(struct grant, refreshes_running, "refreshes_running", 0, 0, false),
    FIELD_OF_INT(struct grant, refreshes_running_max, "refreshes_running_max", 0, 0, false),
};

/* What switches a merchant's registers on: a refresh token that works (protocol o-series 1.1). */
static bool grant_is_registered(const struct cloud *cloud, const struct grant *grant)
{
    const struct token *token =
        token_find(&cloud->tokens, TOKEN_REFRESH, text_of(grant->refresh_token));
    return token != NULL && token->state == TOKEN_LIVE && !token_is_expired(token, cloud->wall_us);
}

static void write_grants(const struct cloud *cloud, struct jwrite *writer)
{
    jwrite_array_begin(writer);
    for (size_t i = 0; i < cloud->grants.count; i++) {
        const struct grant *grant = cloud->grants.records[i];
        jwrite_object_begin(writer);
        jwrite_named_text(writer, "client_id",
                          cloud_application_by_id(cloud, grant->application_id)->client_id);
        fields_write(GRANT, COUNT_OF(GRANT), 2, grant, writer);
        jwrite_named_bool(writer, "is_registered", grant_is_registered(cloud, grant));
        jwrite_object_end(writer);
    }
    jwrite_array_end(writer);
}

static void write_requests(const struct cloud *cloud, struct jwrite *writer)
{
    int64_t first = cloud->journal_count > JOURNAL_MAX ? cloud->journal_count - JOURNAL_MAX : 0;
    jwrite_array_begin(writer);
    for (int64_t i = first; i < cloud->journal_count; i++) {
        const struct journal_entry *entry = &cloud->journal[i % JOURNAL_MAX];
        jwrite_object_begin(writer);
        jwrite_named_int(writer, "number", entry->number);
        jwrite_named_text(writer, "method", entry->method);
        jwrite_named_text(writer, "path", entry->path);
        jwrite_named_int(writer, "status", entry->status);
        jwrite_named_id(writer, "company_id", entry->company_id);
        jwrite_named_int(writer, "at_ms", entry->wall_us / 1000);
        jwrite_named_int(writer, "duration_us", entry->duration_us);
        jwrite_key(writer, TEXT("fault"));
        if (entry->fault == NULL)
            jwrite_null(writer);
        else
            jwrite_text(writer, text_of(entry->fault));
        jwrite_object_end(writer);
    }
    jwrite_array_end(writer);
}

void control_requests(struct cloud *cloud, struct call *call, struct answer *answer)
{
    (void)call;
    write_requests(cloud, &answer->writer);
}

void control_grants(struct cloud *cloud, struct call *call, struct answer *answer)
{
    (void)call;
    write_grants(cloud, &answer->writer);
}

void control_deliveries(struct cloud *cloud, struct call *call, struct answer *answer)
{
    (void)call;
    post_write(cloud, &answer->writer);
}

void control_state(struct cloud *cloud, struct call *call, struct answer *answer)
{
    static const char *const kinds[] = {"applications",    "companies", "sites",    "registers",
                                        "payment_methods", "products",  "customers"};
    struct jwrite *writer = &answer->writer;
    (void)call;
    jwrite_object_begin(writer);
    jwrite_named_int(writer, "seed", (int64_t)cloud->seed);
    jwrite_key(writer, TEXT("settings"));
    write_settings(cloud, writer);
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        jwrite_key(writer, text_of(kinds[i]));
        control_write_records(cloud, kinds[i], writer);
    }
    jwrite_key(writer, TEXT("grants"));
    write_grants(cloud, writer);
    jwrite_named_int(writer, "order_count", (int64_t)cloud->orders.count);
    jwrite_key(writer, TEXT("orders"));
    control_write_orders(cloud, 0, writer);
    jwrite_key(writer, TEXT("notifications"));
    control_write_notifications(cloud, writer);
    jwrite_named_int(writer, "deliveries_lost", cloud->post.lost);
    jwrite_key(writer, TEXT("deliveries"));
    post_write(cloud, writer);
    jwrite_key(writer, TEXT("faults"));
    faults_write(&cloud->faults, writer);
    jwrite_named_int(writer, "request_count", cloud->journal_count);
    jwrite_key(writer, TEXT("requests"));
    write_requests(cloud, writer);
    jwrite_object_end(writer);
}
