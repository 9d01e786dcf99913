/* Connects tenants from the command line, and shows how their connections are. */
#include "handlers/admin.h"

#include "base/log.h"
#include "handlers/admin_request.h"
#include "oauth/oauth.h"

#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

#define START_JSON_MAX (2 * OAUTH_AUTHORIZE_MAX)
#define RESULT_JSON_MAX 1024
#define STATUS_JSON_MAX 2048 /* a tenant's: two texts of 120 and 200 bytes, some 15 members */
/* The whole redirect: a code and a state, encoded. */
#define PASTED_MAX 4096

static void begin_reply(struct exchange *exchange, size_t capacity, struct text_buffer *buffer,
                        struct jwrite *writer)
{
    text_buffer_init(buffer, exchange_allocate(exchange, capacity), capacity);
    jwrite_init(writer, buffer);
    jwrite_object_begin(writer);
}

static void end_reply(struct exchange *exchange, struct text_buffer *buffer, struct jwrite *writer)
{
    jwrite_object_end(writer);
    CHECK(!buffer->is_cut);
    exchange_reply_json(exchange, 200, text_buffer_text(buffer));
}

/* --- what can go wrong */

static void refuse_no_app(struct exchange *exchange)
{
    char uri[OAUTH_REDIRECT_MAX];
    struct text_buffer redirect;
    text_buffer_init(&redirect, uri, sizeof(uri));
    oauth_append_redirect_uri(exchange->handlers->oauth, &redirect);
    /* The URI last: it may be long, and a refusal is cut at 256 bytes. */
    admin_refuse(exchange, 409, error_name(ERR_NO_APP),
                 "No application is set: counterpart app set --surface oseries --client-id C "
                 "--client-secret -. Register it at Lightspeed with this redirect URL: %s",
                 uri);
}

static const char *sentence_of(int err)
{
    switch (err) {
    case ERR_NOT_CONNECTED:
        return "This tenant is not connected, or must be connected again: counterpart oauth start";
    case ERR_TIMED_OUT:
        return "Lightspeed did not answer in time";
    case ERR_UNREACHABLE:
        return "Lightspeed cannot be reached from here";
    case ERR_CONNECTION_LOST:
        return "The connection to Lightspeed ended before its answer was whole";
    case ERR_BAD_REPLY:
        return "Lightspeed answered with something that makes no sense";
    case ERR_LEASED:
        return "Another process is at it";
    case ERR_UNCONFIRMED:
        return "Lightspeed takes very long; look at counterpart oauth status before you try again";
    default:
        return NULL;
    }
}

static int status_of(int err)
{
    bool is_conflict = err == ERR_REFUSED || err == ERR_ALREADY_EXISTS || err == ERR_NOT_CONNECTED;
    return is_conflict ? 409 : 503;
}

static void refuse_job(struct exchange *exchange, const struct job *job)
{
    int err = job->error;
    bool has_task = err != ERR_CANCELLED && err != ERR_UNCONFIRMED;
    const struct oauth_task *task = (const struct oauth_task *)(job + 1);
    const char *sentence = has_task ? task->sentence : "";
    if (err == ERR_NO_APP)
        refuse_no_app(exchange);
    else if (sentence[0] != '\0')
        admin_refuse(exchange, status_of(err), error_name(err), "%c%s",
                     sentence[0] >= 'a' && sentence[0] <= 'z' ? sentence[0] - 'a' + 'A'
                                                              : sentence[0],
                     sentence + 1);
    else if (sentence_of(err) != NULL)
        admin_refuse(exchange, status_of(err), error_name(err), "%s", sentence_of(err));
    else
        admin_refuse_error(exchange, err);
}

/* --- start */

static void append_start_url(struct exchange *exchange, const struct tenant *tenant,
                             struct text_buffer *url)
{
    text_append_format(url, "%s/oauth/start?key=%s", exchange->handlers->public_url, tenant->key);
}

static void reply_start(struct exchange *exchange, const struct tenant *tenant, const char *url)
{
    char bytes[OAUTH_REDIRECT_MAX + 64], next[256];
    struct text_buffer buffer, uri;
    struct jwrite writer;
    begin_reply(exchange, START_JSON_MAX, &buffer, &writer);
    admin_write_int64(&writer, "tenant", tenant->id);
    admin_write_text(&writer, "authorize_url", url);
    text_buffer_init(&uri, bytes, sizeof(bytes));
    oauth_append_redirect_uri(exchange->handlers->oauth, &uri);
    admin_write_text(&writer, "redirect_uri", bytes);
    text_buffer_init(&uri, bytes, sizeof(bytes));
    append_start_url(exchange, tenant, &uri);
    admin_write_text(&writer, "start_url", bytes);
    admin_write_int64(&writer, "expires_in_s", OAUTH_STATE_LIFE_US / CLOCK_US_PER_S);
    text_buffer_init(&uri, next, sizeof(next));
    text_append_format(&uri,
                       "open authorize_url in a browser, choose the company, press Grant Access; "
                       "where that page cannot come back here: counterpart oauth exchange "
                       "--tenant %lld --code - with the address it ended at",
                       (long long)tenant->id);
    admin_write_text(&writer, "next", next);
    end_reply(exchange, &buffer, &writer);
}

static void start(struct exchange *exchange, const struct directory_tenant *tenant)
{
    struct text_buffer url;
    text_buffer_init(&url, exchange_allocate(exchange, OAUTH_AUTHORIZE_MAX), OAUTH_AUTHORIZE_MAX);
    int err = oauth_append_authorize_url(exchange->handlers->oauth, tenant->tenant.id,
                                         exchange->received_steady_us, &url);
    if (err == ERR_NO_APP)
        refuse_no_app(exchange);
    else if (err != 0)
        admin_refuse_error(exchange, err);
    else
        reply_start(exchange, &tenant->tenant, url.base);
}

static const char *const only_tenant[] = {"tenant", NULL};

void admin_oauth_start(struct exchange *exchange)
{
    struct jread *body;
    const struct directory_tenant *tenant;
    if (!admin_read_body(exchange, only_tenant, &body))
        return;
    if (admin_read_tenant(exchange, body, &tenant))
        start(exchange, tenant);
    jread_destroy(body);
}

/* --- exchange, refresh, revoke, basic: jobs on the outbound thread */

static struct job *make_job(struct exchange *exchange, const struct directory_tenant *tenant,
                            job_begin_fn begin)
{
    struct job *job = exchange_job(exchange, sizeof(struct oauth_task));
    struct oauth_task *task = (struct oauth_task *)(job + 1);
    task->oauth = exchange->handlers->oauth;
    task->tenant_id = tenant->tenant.id;
    job->begin = begin;
    job->deadline_us = exchange->received_monotonic_us + OAUTH_TASK_US;
    return job;
}

static void reply_result(struct exchange *exchange, const struct job *job, const char *status,
                         const char *note)
{
    const struct oauth_task *task = (const struct oauth_task *)(job + 1);
    struct text_buffer buffer;
    struct jwrite writer;
    if (job->error != 0) {
        refuse_job(exchange, job);
        return;
    }
    begin_reply(exchange, RESULT_JSON_MAX, &buffer, &writer);
    admin_write_int64(&writer, "tenant", task->tenant_id);
    admin_write_text(&writer, "status", status);
    admin_write_int64(&writer, "company", task->company_id);
    if (task->company_name[0] != '\0')
        admin_write_text(&writer, "company_name", task->company_name);
    if (note != NULL)
        admin_write_text(&writer, "note", note);
    end_reply(exchange, &buffer, &writer);
}

static void on_exchanged(struct exchange *exchange, const struct job *job)
{
    reply_result(exchange, job, "connected", NULL);
}

static void on_refreshed(struct exchange *exchange, const struct job *job)
{
    reply_result(exchange, job, "refreshed", NULL);
}

static void on_revoked(struct exchange *exchange, const struct job *job)
{
    reply_result(exchange, job, "revoked",
                 "our tokens are wiped; the merchant can take the add-on away in the Back Office "
                 "too");
}

static void on_basic(struct exchange *exchange, const struct job *job)
{
    reply_result(exchange, job, "connected",
                 "basic: development only. It reaches your own company only, at a lower rate, and "
                 "registers keep payments and loyalty off");
}

/* What stands for a code: the code itself, or the address that the browser ended at. */
struct pasted {
    struct text code, state, error;
};

static bool read_pasted(struct text text, struct text_buffer *buffer, struct pasted *pasted)
{
    struct text name, value;
    const char *question = memchr(text.base, '?', text.length);
    int err = 0;
    *pasted = (struct pasted){.code = text};
    if (question == NULL)
        return true;
    text = text_slice(text, (size_t)(question - text.base) + 1, text.length);
    const char *hash = text.length == 0 ? NULL : memchr(text.base, '#', text.length);
    if (hash != NULL)
        text = text_slice(text, 0, (size_t)(hash - text.base));
    pasted->code = (struct text){NULL, 0};
    while (err == 0) {
        err = text_form_next(&text, buffer, &name, &value);
        if (err == 0 && text_equal(name, TEXT("code")))
            pasted->code = value;
        else if (err == 0 && text_equal(name, TEXT("state")))
            pasted->state = value;
        else if (err == 0 && text_equal(name, TEXT("error")))
            pasted->error = value;
    }
    return err == ERR_NOT_FOUND;
}

/* A state is not needed here, but one that was given must be ours and this tenant's: an address
 * from another tenant's window would connect the wrong company. */
static bool state_is_sound(struct exchange *exchange, struct text state, int64_t tenant_id)
{
    struct token_claims claims;
    if (state.length == 0)
        return true;
    int err = token_verify(exchange->handlers->token_keys, TOKEN_STATE, state,
                           exchange->received_steady_us, &claims);
    if (err == ERR_EXPIRED || (err == 0 && claims.tenant_id == tenant_id))
        return true;
    admin_refuse(exchange, 409, error_name(ERR_BAD_TOKEN),
                 err == 0 ? "This address came from connecting tenant %lld, not this one"
                          : "The state in this address is not one of ours",
                 (long long)claims.tenant_id);
    return false;
}

static void exchange_pasted(struct exchange *exchange, const struct directory_tenant *tenant,
                            const struct pasted *pasted)
{
    if (pasted->error.length > 0) {
        admin_refuse(exchange, 409, error_name(ERR_REFUSED),
                     "That address says that access was not granted (%.*s)",
                     (int)(pasted->error.length < 40 ? pasted->error.length : 40),
                     pasted->error.base);
        return;
    }
    if (pasted->code.length == 0 || pasted->code.length > OAUTH_CODE_MAX ||
        !text_is_printable(pasted->code)) {
        admin_refuse(exchange, 400, "bad_code",
                     "'code' must be the code, or the whole address that the browser ended at, "
                     "with ?code=...");
        return;
    }
    if (!state_is_sound(exchange, pasted->state, tenant->tenant.id))
        return;
    struct job *job = make_job(exchange, tenant, oauth_begin_exchange);
    struct oauth_task *task = (struct oauth_task *)(job + 1);
    memcpy(task->code, pasted->code.base, pasted->code.length);
    exchange_submit_outbound(exchange, job, on_exchanged);
}

static void exchange_code(struct exchange *exchange, const struct jread *body)
{
    const struct directory_tenant *tenant;
    struct text_buffer buffer;
    struct pasted pasted;
    struct text text;
    if (!admin_read_tenant(exchange, body, &tenant) ||
        !admin_read_text(exchange, body, "code", true, &text))
        return;
    text_buffer_init(&buffer, exchange_allocate(exchange, PASTED_MAX), PASTED_MAX);
    text = text_trim(text);
    if (text.length >= PASTED_MAX || !read_pasted(text, &buffer, &pasted))
        pasted = (struct pasted){.code = {NULL, 0}};
    exchange_pasted(exchange, tenant, &pasted);
}

void admin_oauth_exchange(struct exchange *exchange)
{
    static const char *const members[] = {"tenant", "code", NULL};
    struct jread *body;
    if (!admin_read_body(exchange, members, &body))
        return;
    exchange_code(exchange, body);
    jread_destroy(body);
}

static void begin_for_tenant(struct exchange *exchange, job_begin_fn begin,
                             exchange_done_fn on_done)
{
    struct jread *body;
    const struct directory_tenant *tenant;
    if (!admin_read_body(exchange, only_tenant, &body))
        return;
    if (admin_read_tenant(exchange, body, &tenant))
        exchange_submit_outbound(exchange, make_job(exchange, tenant, begin), on_done);
    jread_destroy(body);
}

void admin_oauth_refresh(struct exchange *exchange)
{
    begin_for_tenant(exchange, oauth_begin_refresh, on_refreshed);
}

void admin_oauth_revoke(struct exchange *exchange)
{
    begin_for_tenant(exchange, oauth_begin_revoke, on_revoked);
}

void admin_oauth_basic(struct exchange *exchange)
{
    begin_for_tenant(exchange, oauth_begin_basic, on_basic);
}

/* --- status */

static void write_time(struct jwrite *writer, const char *key, int64_t wall_us)
{
    char bytes[40];
    struct text_buffer buffer;
    jwrite_key(writer, text_of(key));
    if (wall_us == 0) {
        jwrite_null(writer);
        return;
    }
    text_buffer_init(&buffer, bytes, sizeof(bytes));
    clock_append_time(&buffer, wall_us);
    jwrite_text(writer, text_buffer_text(&buffer));
}

static const char *status_name(const struct oauth_status *status)
{
    if (status->tenant_id == 0)
        return "not_connected";
    switch (status->status) {
    case GRANT_CONNECTED:
        return "connected";
    case GRANT_RECONNECT_REQUIRED:
        return "reconnect_required";
    case GRANT_REVOKED:
        return "revoked";
    }
    return "unknown";
}

static void write_or_null(struct jwrite *writer, const char *key, const char *value)
{
    jwrite_key(writer, text_of(key));
    if (value[0] == '\0')
        jwrite_null(writer);
    else
        jwrite_text(writer, text_of(value));
}

static const char *kind_name(const struct oauth_status *status)
{
    if (status->tenant_id == 0)
        return "";
    return status->kind == GRANT_BASIC ? "basic: development only" : "oauth";
}

/* The same members for every tenant, so that they make one table. */
static void write_grant(struct jwrite *writer, const struct oauth_status *status, int64_t now_us)
{
    write_or_null(writer, "reason", status->reason);
    write_or_null(writer, "kind", kind_name(status));
    admin_write_int64(writer, "company", status->company_id);
    write_time(writer, "connected_at", status->connected_at_us);
    write_time(writer, "refreshed_at", status->refreshed_at_us);
    write_time(writer, "expires_at", status->expires_at_us);
    jwrite_key(writer, TEXT("expires_in_s"));
    if (status->expires_at_us == 0)
        jwrite_null(writer);
    else
        jwrite_int64(writer, (status->expires_at_us - now_us) / CLOCK_US_PER_S);
    admin_write_int64(writer, "refreshes", (int64_t)status->refreshes);
    admin_write_int64(writer, "failures", status->failures);
    write_time(writer, "failed_at", status->failed_at_us);
}

struct status_list {
    struct oauth_status *items; /* in order of tenants */
    size_t count, room;
};

static void count_status(void *context, const struct oauth_status *status)
{
    (void)status;
    ++*(size_t *)context;
}

/* One more may have come since they were counted: it is in the next answer. */
static void take_status(void *context, const struct oauth_status *status)
{
    struct status_list *list = context;
    if (list->count < list->room)
        list->items[list->count++] = *status;
}

static void read_statuses(struct exchange *exchange, struct status_list *list)
{
    *list = (struct status_list){.items = NULL};
    oauth_each_status(exchange->handlers->oauth, count_status, &list->room);
    list->items = exchange_allocate(exchange, (list->room + 1) * sizeof(*list->items));
    oauth_each_status(exchange->handlers->oauth, take_status, list);
}

static int compare_statuses(const void *a, const void *b)
{
    const struct oauth_status *left = a, *right = b;
    return (left->tenant_id > right->tenant_id) - (left->tenant_id < right->tenant_id);
}

static const struct oauth_status *find_status(const struct status_list *list, int64_t tenant_id)
{
    static const struct oauth_status none;
    const struct oauth_status wanted = {.tenant_id = tenant_id};
    const struct oauth_status *found =
        bsearch(&wanted, list->items, list->count, sizeof(wanted), compare_statuses);
    return found == NULL ? &none : found;
}

static void write_tenant(struct jwrite *writer, const struct tenant *tenant,
                         const struct oauth_status *status, int64_t now_us)
{
    jwrite_object_begin(writer);
    admin_write_int64(writer, "tenant", tenant->id);
    admin_write_text(writer, "name", tenant->name);
    admin_write_text(writer, "status", status_name(status));
    jwrite_key(writer, TEXT("alarm"));
    jwrite_bool(writer, status->is_alarming);
    write_grant(writer, status, now_us);
    jwrite_object_end(writer);
}

static void write_tenants(struct exchange *exchange, struct jwrite *writer,
                          const struct directory_tenant *only)
{
    struct status_list list;
    read_statuses(exchange, &list);
    jwrite_key(writer, TEXT("tenants"));
    jwrite_array_begin(writer);
    for (size_t i = 0; i < directory_tenant_count(exchange->snapshot); i++) {
        const struct directory_tenant *tenant = directory_tenant_at(exchange->snapshot, i);
        if (only == NULL || only == tenant)
            write_tenant(writer, &tenant->tenant, find_status(&list, tenant->tenant.id),
                         exchange->received_steady_us);
    }
    jwrite_array_end(writer);
}

void admin_oauth_status(struct exchange *exchange)
{
    const struct directory_tenant *only;
    struct text_buffer buffer;
    struct jwrite writer;
    if (!admin_query_tenant(exchange, false, &only))
        return;
    size_t tenants = only != NULL ? 1 : directory_tenant_count(exchange->snapshot);
    begin_reply(exchange, (tenants + 1) * STATUS_JSON_MAX, &buffer, &writer);
    jwrite_key(&writer, TEXT("app_is_set"));
    jwrite_bool(&writer, oauth_has_app(exchange->handlers->oauth));
    jwrite_key(&writer, TEXT("alarm"));
    jwrite_bool(&writer, oauth_is_alarming(exchange->handlers->oauth));
    write_tenants(exchange, &writer, only);
    end_reply(exchange, &buffer, &writer);
}
