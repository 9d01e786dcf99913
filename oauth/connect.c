/* Connects a tenant to its company, by code or by client id and secret, and ends a connection. */
#include "oauth/manager.h"

#include "base/clock.h"
#include "base/log.h"
#include "runtime/queue.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

/* Of a write that was overtaken, or whose outcome is unknown. */
#define WRITES_MAX 4
/* Of /companies/me: a code is good once, so the only copy of a consent depends on it. */
#define ASKS_MAX 3
#define ASK_PAUSE_US (INT64_C(500) * 1000)
/* Of the time that the job has, left to the store. */
#define WRITE_US (INT64_C(3) * CLOCK_US_PER_S)

/* One person's change under way. Lives from its job's begin to its end. */
struct connection {
    struct change change; /* first */
    struct oauth *oauth;
    struct job *job;
    struct grant_entry *entry;
    struct grant grant; /* what is to be written */
    int writes, asks;
    struct outbound_timer timer; /* the next ask */
};

static void write_connection(struct connection *connection);

static struct oauth_task *task_of(const struct connection *connection)
{
    return (struct oauth_task *)(connection->job + 1);
}

static void tell(struct oauth_task *task, const char *sentence)
{
    snprintf(task->sentence, sizeof(task->sentence), "%s", sentence);
}

static void connection_end(struct connection *connection, int err)
{
    struct job *job = connection->job;
    seal_wipe(connection, sizeof(*connection));
    free(connection);
    job_end(job, err);
}

/* --- writing: in LIFE_CHANGING, from here to entry_rest */

static void connection_written(struct connection *connection, const struct grant *written)
{
    struct grant_entry *entry = connection->entry;
    const struct oauth_config *config = &connection->oauth->config;
    bool is_revoked = written->status == GRANT_REVOKED;
    entry_adopt(entry, written);
    entry->is_urgent = entry->is_orphaned = false; /* of what it was before */
    entry->renewed_version = 0;
    log_event(LOG_INFO, is_revoked ? "oauth_revoked" : "oauth_connected",
              LOG_INT("tenant_id", entry->tenant_id), LOG_INT("company_id", written->company_id),
              LOG_TEXT("kind", written->kind == GRANT_BASIC ? "basic" : "oauth"));
    entry_rest(entry, 0);
    if (!is_revoked && config->on_connected != NULL)
        config->on_connected(config->connected_context, entry->tenant_id);
    connection_end(connection, 0); /* last: who has the answer finds all as it says */
}

static void explain_refusal(struct connection *connection, int err)
{
    struct oauth_task *task = task_of(connection);
    struct oauth *oauth = connection->oauth;
    if (err != ERR_ALREADY_EXISTS) {
        tell(task, connection->grant.status == GRANT_REVOKED
                       ? "the revocation could not be stored: the connection is as it was"
                       : "the connection could not be stored");
        return;
    }
    const struct directory_snapshot *snapshot = directory_acquire(oauth->config.directory);
    const struct directory_tenant *tenant =
        directory_find_id(snapshot, connection->entry->tenant_id);
    int64_t own = tenant == NULL ? 0 : tenant->tenant.oseries_company;
    directory_release(snapshot);
    if (own != 0)
        snprintf(task->sentence, sizeof(task->sentence),
                 "access was granted for company %lld, but this tenant is company %lld: nothing "
                 "was stored",
                 (long long)task->company_id, (long long)own);
    else
        snprintf(task->sentence, sizeof(task->sentence),
                 "company %lld is already served under another tenant: nothing was stored",
                 (long long)task->company_id);
}

static void log_not_connected(const struct connection *connection, int err)
{
    log_event(
        LOG_WARNING, "oauth_not_connected", LOG_INT("tenant_id", connection->entry->tenant_id),
        LOG_INT("company_id", connection->grant.company_id), LOG_TEXT("error", error_name(err)),
        LOG_TEXT("reason", task_of(connection)->sentence));
}

static void connection_failed(struct connection *connection, int err)
{
    struct grant_entry *entry = connection->entry;
    explain_refusal(connection, err);
    log_not_connected(connection, err);
    entry_rest(entry, 0);
    connection_end(connection, err);
}

/* Did it happen? Its moment tells: no two changes have the same. */
static bool is_ours(const struct grant *found, const struct grant *wanted)
{
    return found->connected_at_us == wanted->connected_at_us && found->status == wanted->status &&
           found->kind == wanted->kind && found->company_id == wanted->company_id;
}

static void on_read_again(struct errand *errand)
{
    struct connection *connection = errand->context;
    const struct grant_task *task = errand_data(errand);
    int err = errand->job.error;
    if (err == 0 && is_ours(&task->grant, &connection->grant)) {
        connection_written(connection, &task->grant);
    } else if ((err == 0 || err == ERR_NOT_FOUND) && connection->writes < WRITES_MAX) {
        connection->grant.version = err == 0 ? task->grant.version : 0;
        write_connection(connection);
    } else {
        connection_failed(connection, err == 0 ? ERR_STORE_BUSY : err);
    }
}

static void read_again(struct connection *connection)
{
    struct oauth *oauth = connection->oauth;
    struct errand *errand = errand_create(oauth->config.outbound, sizeof(struct grant_task));
    if (errand == NULL) {
        connection_failed(connection, ERR_NO_MEMORY);
        return;
    }
    ((struct grant_task *)errand_data(errand))->grant = (struct grant){
        .tenant_id = connection->grant.tenant_id, .surface = connection->grant.surface};
    errand_write(errand, oauth->config.committer, grant_task_read, on_read_again, connection);
}

static void on_connection_written(struct errand *errand)
{
    struct connection *connection = errand->context;
    const struct grant_task *task = errand_data(errand);
    int err = errand->job.error;
    if (err == 0)
        connection_written(connection, &task->grant);
    else if (err == ERR_STALE || err == ERR_COMMIT_UNKNOWN)
        read_again(connection);
    else
        connection_failed(connection, err);
}

static bool company_is_known(struct oauth *oauth, const struct grant *grant)
{
    const struct directory_snapshot *snapshot = directory_acquire(oauth->config.directory);
    const struct directory_tenant *tenant = directory_find_id(snapshot, grant->tenant_id);
    bool is_known = tenant != NULL && tenant->tenant.oseries_company == grant->company_id;
    directory_release(snapshot);
    return is_known;
}

static void write_connection(struct connection *connection)
{
    struct oauth *oauth = connection->oauth;
    struct errand *errand = errand_create(oauth->config.outbound, sizeof(struct grant_task));
    if (errand == NULL) {
        connection_failed(connection, ERR_NO_MEMORY);
        return;
    }
    struct grant_task *task = errand_data(errand);
    bool is_bound = connection->grant.status == GRANT_CONNECTED;
    connection->writes++;
    task->grant = connection->grant;
    task->reload = company_is_known(oauth, &connection->grant) ? NULL : oauth->config.reload;
    task->reload_context = oauth->config.reload_context;
    errand_write(errand, oauth->config.committer, is_bound ? grant_task_bind : grant_task_put,
                 on_connection_written, connection);
}

static void begin_binding(struct change *change)
{
    struct connection *connection = (struct connection *)change;
    connection->grant.version = connection->entry->grant.version;
    write_connection(connection);
}

static void refuse_change(struct change *change, int err)
{
    struct connection *connection = (struct connection *)change;
    tell(task_of(connection), "the service is stopping");
    log_not_connected(connection, err);
    connection_end(connection, err);
}

/* --- the beginning of all three */

/* NULL: the job has ended. */
static struct connection *connection_begin(struct job *job)
{
    struct oauth_task *task = (struct oauth_task *)(job + 1);
    struct connection *connection = calloc(1, sizeof(*connection));
    int err = connection == NULL ? ERR_NO_MEMORY : 0;
    if (err == 0)
        err = oauth_find_or_add(task->oauth, task->tenant_id, &connection->entry);
    if (err != 0) {
        free(connection);
        job_end(job, err);
        return NULL;
    }
    connection->oauth = task->oauth;
    connection->job = job;
    connection->change.begin = begin_binding;
    connection->change.refuse = refuse_change;
    return connection;
}

/* --- connecting */

static void connection_give_up(struct connection *connection, int err, const char *sentence)
{
    tell(task_of(connection), sentence);
    log_event(LOG_WARNING, "oauth_not_connected",
              LOG_INT("tenant_id", connection->entry->tenant_id),
              LOG_TEXT("error", error_name(err)), LOG_TEXT("reason", sentence));
    connection_end(connection, err);
}

static void on_company(void *context, const struct outbound_reply *reply);

static int64_t ask_deadline_us(const struct connection *connection)
{
    return connection->job->deadline_us - WRITE_US;
}

static void ask_which_company(void *context)
{
    struct connection *connection = context;
    bool is_basic = connection->grant.kind == GRANT_BASIC;
    connection->asks++;
    ask_company(connection->oauth, is_basic ? NULL : connection->grant.access_token,
                ask_deadline_us(connection), on_company, connection);
}

/* true: there was no answer that decides anything, and there is time for another. */
static bool ask_again(struct connection *connection, const struct outbound_reply *reply)
{
    int64_t at_us = clock_monotonic_us() + ASK_PAUSE_US;
    bool is_open = reply->error != 0 || reply->status >= 500 || reply->status == 429;
    if (!is_open || reply->error == ERR_SHUTTING_DOWN || connection->asks >= ASKS_MAX ||
        at_us >= ask_deadline_us(connection))
        return false;
    outbound_set_timer(connection->oauth->config.outbound, &connection->timer, at_us,
                       ask_which_company, connection);
    return true;
}

static void on_company(void *context, const struct outbound_reply *reply)
{
    struct connection *connection = context;
    struct oauth_task *task = task_of(connection);
    struct company_reply company;
    if (ask_again(connection, reply))
        return;
    if (reply->error != 0) {
        connection_give_up(connection, reply->error, explain_no_reply(reply->error));
        return;
    }
    int err = company_reply_read(reply->status, reply->body, &company);
    if (err != 0) {
        connection_give_up(connection, err,
                           err == ERR_REFUSED
                               ? "Lightspeed does not tell which company this is: it refused "
                                 "/companies/me"
                               : "Lightspeed's answer to /companies/me is not a company");
        return;
    }
    task->company_id = company.id;
    memcpy(task->company_name, company.name, sizeof(company.name));
    connection->grant.tenant_id = connection->entry->tenant_id;
    connection->grant.surface = APP_OSERIES;
    connection->grant.status = GRANT_CONNECTED;
    connection->grant.company_id = company.id;
    connection->grant.connected_at_us = clock_steady_us();
    entry_add_change(connection->entry, &connection->change);
}

static void take_tokens(struct connection *connection, const struct token_reply *reply)
{
    struct grant *grant = &connection->grant;
    note_oddities(connection->entry->tenant_id, reply);
    grant->kind = GRANT_OAUTH;
    memcpy(grant->access_token, reply->access_token, sizeof(grant->access_token));
    memcpy(grant->refresh_token, reply->refresh_token, sizeof(grant->refresh_token));
    /* refreshed_at_us is when we asked */
    grant->expires_at_us = grant->refreshed_at_us + reply->life_s * CLOCK_US_PER_S;
    ask_which_company(connection);
}

static void refuse_code(struct connection *connection, const struct token_reply *reply)
{
    char bytes[OAUTH_SENTENCE_MAX + 1];
    struct text_buffer sentence;
    text_buffer_init(&sentence, bytes, sizeof(bytes));
    if (reply->verdict == TOKEN_GRANTED) {
        text_append(&sentence, TEXT("Lightspeed gave no refresh token, and nothing lasts without"));
    } else if (reply->verdict == TOKEN_INVALID_GRANT) {
        text_append(&sentence, TEXT("Lightspeed does not accept this code: it is good once and for "
                                    "a short time, so start again"));
    } else if (strcmp(reply->code, "redirect_uri_mismatch") == 0) {
        text_append(&sentence, TEXT("the redirect URL of the add-on must be exactly "));
        oauth_append_redirect_uri(connection->oauth, &sentence);
    } else {
        token_reply_explain(reply, &sentence);
    }
    bool has_failed = reply->verdict == TOKEN_FAILED || reply->verdict == TOKEN_GRANTED;
    connection_give_up(connection, has_failed ? ERR_BAD_REPLY : ERR_REFUSED, bytes);
}

static void on_code_exchanged(void *context, const struct outbound_reply *reply)
{
    struct connection *connection = context;
    struct token_reply token;
    if (reply->error != 0) {
        connection_give_up(connection, reply->error, explain_no_reply(reply->error));
        return;
    }
    token_reply_read(reply->status, reply->body, &token);
    if (token.verdict == TOKEN_GRANTED && token.refresh_token[0] != '\0')
        take_tokens(connection, &token);
    else
        refuse_code(connection, &token);
    seal_wipe(&token, sizeof(token));
}

void oauth_begin_exchange(struct job *job)
{
    struct oauth_task *task = (struct oauth_task *)(job + 1);
    if (!task->oauth->has_app) {
        job_end(job, ERR_NO_APP);
        return;
    }
    struct connection *connection = connection_begin(job);
    if (connection == NULL)
        return;
    connection->grant.refreshed_at_us = clock_steady_us();
    ask_token(task->oauth, NULL, task->code, on_code_exchanged, connection);
    seal_wipe(task->code, sizeof(task->code));
}

void oauth_begin_basic(struct job *job)
{
    struct oauth_task *task = (struct oauth_task *)(job + 1);
    if (!task->oauth->has_app) {
        job_end(job, ERR_NO_APP);
        return;
    }
    struct connection *connection = connection_begin(job);
    if (connection == NULL)
        return;
    connection->grant.kind = GRANT_BASIC;
    ask_which_company(connection);
}

/* --- ending it */

static void begin_revoking(struct change *change)
{
    struct connection *connection = (struct connection *)change;
    struct grant_entry *entry = connection->entry;
    if (life_rest_of(&entry->grant) == LIFE_ABSENT) {
        entry_rest(entry, 0);
        connection_end(connection, ERR_NOT_CONNECTED);
        return;
    }
    connection->grant = entry->grant;
    connection->grant.status = GRANT_REVOKED;
    connection->grant.failures = 0;
    connection->grant.failed_at_us = connection->grant.expires_at_us = 0;
    connection->grant.reason[0] = '\0';
    seal_wipe(connection->grant.access_token, sizeof(connection->grant.access_token));
    seal_wipe(connection->grant.refresh_token, sizeof(connection->grant.refresh_token));
    task_of(connection)->company_id = entry->grant.company_id;
    write_connection(connection);
}

void oauth_begin_revoke(struct job *job)
{
    struct connection *connection = connection_begin(job);
    if (connection == NULL)
        return;
    connection->change.begin = begin_revoking;
    entry_add_change(connection->entry, &connection->change);
}
