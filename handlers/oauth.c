/* Sends merchants to Lightspeed's consent page, and takes them back. */
#include "handlers/oauth.h"

#include "base/log.h"
#include "handlers/page.h"
#include "oauth/oauth.h"

#include <stdio.h>
#include <string.h>

#include "base/banned.h"

#define QUERY_MAX 4096   /* a code, a state and a description of an error are some 1,500 */
#define SENTENCE_MAX 256 /* as long as exchange_refuse takes */

/* --- queries */

struct parameter {
    const char *name;
    struct text value;
    bool is_there;
};

/* false: broken, too long, or one of them stands twice. Others are left alone: Lightspeed may add
 * some. */
static bool read_query(struct exchange *exchange, struct parameter *parameters, size_t count)
{
    struct text cursor = exchange->query, name, value;
    struct text_buffer buffer;
    int err = 0;
    if (cursor.length >= QUERY_MAX)
        return false;
    text_buffer_init(&buffer, exchange_allocate(exchange, QUERY_MAX), QUERY_MAX);
    while (err == 0) {
        err = text_form_next(&cursor, &buffer, &name, &value);
        for (size_t i = 0; err == 0 && i < count; i++) {
            if (!text_equal(name, text_of(parameters[i].name)))
                continue;
            if (parameters[i].is_there)
                return false;
            parameters[i].value = value;
            parameters[i].is_there = true;
        }
    }
    return err == ERR_NOT_FOUND;
}

/* Link previews and mail filters ask with HEAD: they must neither start nor use up anything. */
static bool is_head(struct exchange *exchange)
{
    h2o_iovec_t method = exchange->req->input.method;
    if (!h2o_memis(method.base, method.len, H2O_STRLIT("HEAD")))
        return false;
    page_reply(exchange, &(struct page){.status = 200,
                                        .is_good = true,
                                        .heading = "A link for browsers",
                                        .sentences = {"Open this link in a browser."}});
    return true;
}

/* --- /oauth/start */

static void refuse_start(struct exchange *exchange, const struct directory_tenant *tenant, int err)
{
    if (err == ERR_NO_APP) {
        log_event(LOG_WARNING, "oauth_not_started", LOG_INT("request_id", exchange->request_id),
                  LOG_INT("tenant_id", tenant->tenant.id), LOG_TEXT("error", error_name(err)),
                  LOG_TEXT("reason", "no application is set: counterpart app set --surface oseries "
                                     "--client-id C --client-secret -"));
        page_reply(exchange,
                   &(struct page){.status = 503,
                                  .code = error_name(err),
                                  .merchant = tenant->tenant.name,
                                  .heading = "Not ready yet",
                                  .sentences = {"This service is not set up for Lightspeed yet.",
                                                "Your link is right. Tell whoever sent it to you, "
                                                "and open it again when they are ready."}});
        return;
    }
    exchange_fail_bug(exchange, error_name(err));
}

static void redirect(struct exchange *exchange, const struct directory_tenant *tenant)
{
    struct text_buffer url;
    text_buffer_init(&url, exchange_allocate(exchange, OAUTH_AUTHORIZE_MAX), OAUTH_AUTHORIZE_MAX);
    int err = oauth_append_authorize_url(exchange->handlers->oauth, tenant->tenant.id,
                                         exchange->received_steady_us, &url);
    if (err != 0) {
        refuse_start(exchange, tenant, err);
        return;
    }
    log_event(LOG_INFO, "oauth_started", LOG_INT("tenant_id", tenant->tenant.id));
    exchange_add_header(exchange, "location", text_buffer_text(&url));
    page_reply(exchange, &(struct page){.status = 302,
                                        .is_good = true,
                                        .merchant = tenant->tenant.name,
                                        .heading = "On to Lightspeed",
                                        .sentences = {"Your browser goes on to Lightspeed."},
                                        .link = url.base,
                                        .link_text = "Go on to Lightspeed"});
}

void oauth_start(struct exchange *exchange)
{
    struct parameter key = {.name = "key"};
    const struct directory_tenant *tenant = NULL;
    if (is_head(exchange))
        return;
    if (read_query(exchange, &key, 1) && key.value.length == ID_KEY_CHARS)
        tenant = directory_find_key(exchange->snapshot, key.value);
    if (tenant != NULL)
        redirect(exchange, tenant);
    else
        page_reply(exchange,
                   &(struct page){.status = 404,
                                  .code = "not_found",
                                  .heading = "This link is not complete",
                                  .sentences = {"A part of this link is missing, or was changed "
                                                "on its way to you.",
                                                "Copy the whole link once more: it ends with ?key= "
                                                "and 32 letters and digits. If it does, ask "
                                                "whoever sent it for a new one."}});
}

/* --- /oauth/callback */

struct callback {
    struct token_claims claims;
    struct text code;
    struct text error;
};

/* What a page about a tenant needs to know. */
struct standing {
    const struct directory_tenant *tenant; /* NULL: it is gone */
    int64_t company_id;                    /* connected with it; 0: with none */
};

static void on_status(void *context, const struct oauth_status *status)
{
    struct standing *standing = context;
    if (status->tenant_id == standing->tenant->tenant.id && status->surface == APP_OSERIES &&
        status->status == GRANT_CONNECTED)
        standing->company_id = status->company_id;
}

static struct standing find_standing(struct exchange *exchange)
{
    const struct callback *callback = exchange->data;
    struct standing standing = {
        .tenant = directory_find_id(exchange->snapshot, callback->claims.tenant_id)};
    if (standing.tenant != NULL)
        oauth_each_status(exchange->handlers->oauth, on_status, &standing);
    return standing;
}

/* About the tenant whose state came back. Who brought it may try again at once, with a new one. */
static void reply_about(struct exchange *exchange, struct page page, bool may_retry)
{
    const struct standing standing = find_standing(exchange);
    struct text_buffer url;
    int err = 0;
    if (standing.tenant != NULL)
        page.merchant = standing.tenant->tenant.name;
    if (may_retry && standing.tenant != NULL) {
        text_buffer_init(&url, exchange_allocate(exchange, OAUTH_AUTHORIZE_MAX),
                         OAUTH_AUTHORIZE_MAX);
        err = oauth_append_authorize_url(exchange->handlers->oauth, standing.tenant->tenant.id,
                                         exchange->received_steady_us, &url);
        page.link = err == 0 ? url.base : NULL;
        page.link_text = "Connect again";
    }
    page_reply(exchange, &page);
}

/* The merchant's page has a sentence for merchants; why it is shown stands here. */
static void log_refused(struct exchange *exchange, int err, struct text reason)
{
    const struct callback *callback = exchange->data;
    log_event(LOG_WARNING, "oauth_not_connected", LOG_INT("request_id", exchange->request_id),
              LOG_INT("tenant_id", callback->claims.tenant_id), LOG_TEXT("error", error_name(err)),
              LOG_TEXT_N("reason", reason));
}

static void refuse_state(struct exchange *exchange, int err)
{
    const bool is_expired = err == ERR_EXPIRED;
    page_reply(exchange,
               &(struct page){
                   .status = 400,
                   .code = error_name(err),
                   .heading = is_expired ? "That took too long" : "Please start once more",
                   .sentences = {is_expired ? "From the start link to Grant Access there are ten "
                                              "minutes, and they are over."
                                            : "This page was opened without the start link that "
                                              "leads to it.",
                                 "Nothing was changed. Open the start link that you were sent, and "
                                 "follow it to the end."}});
}

static void reply_connected(struct exchange *exchange, const char *company_name, int64_t company_id)
{
    char first[SENTENCE_MAX];
    if (company_name[0] != '\0')
        snprintf(first, sizeof(first), "%s (company %lld) is connected with Counterpart.",
                 company_name, (long long)company_id);
    else
        snprintf(first, sizeof(first), "Company %lld is connected with Counterpart.",
                 (long long)company_id);
    reply_about(exchange,
                (struct page){
                    .status = 200,
                    .is_good = true,
                    .heading = "You are connected",
                    .sentences = {first, "This stays so until you take the access away "
                                         "in the Back Office."},
                    .steps = {"Choose Sync on every register. Gift cards and loyalty appear there.",
                              "Close this page: that is all."}},
                false);
}

/* The page was loaded again, or somebody was faster. */
static void reply_used(struct exchange *exchange)
{
    const struct standing standing = find_standing(exchange);
    if (standing.company_id != 0) {
        reply_connected(exchange, "", standing.company_id);
        return;
    }
    reply_about(exchange,
                (struct page){.status = 409,
                              .code = "already_used",
                              .heading = "Not connected yet",
                              .sentences = {"This page was opened before, and it works only once.",
                                            "If you pressed Grant Access a moment ago, wait a "
                                            "little and reload this page. Otherwise open the start "
                                            "link that you were sent."}},
                false);
}

/* As Lightspeed put it: the word of RFC 6749 section 4.1.2.1, if it is one. */
static void refuse_consent(struct exchange *exchange, struct text error)
{
    enum { WORD_MAX = 40 };
    bool is_denied = text_equal(error, TEXT("access_denied"));
    log_refused(exchange, ERR_REFUSED,
                text_slice(error, 0, error.length < WORD_MAX ? error.length : WORD_MAX));
    reply_about(
        exchange,
        (struct page){.status = is_denied ? 403 : 400,
                      .code = is_denied ? "access_denied" : error_name(ERR_REFUSED),
                      .heading = is_denied ? "Access was not granted" : "Lightspeed said no",
                      .sentences = {is_denied
                                        ? "You chose not to grant access, so nothing was changed."
                                        : "Lightspeed ended this without granting access. Nothing "
                                          "was changed.",
                                    "If you did not mean that, connect again and press Grant "
                                    "Access."}},
        true);
}

static int status_of(int err)
{
    switch (err) {
    case ERR_REFUSED:
        return 400;
    case ERR_ALREADY_EXISTS:
        return 409;
    case ERR_TIMED_OUT:
    case ERR_UNCONFIRMED:
        return 504;
    case ERR_UNREACHABLE:
    case ERR_CONNECTION_LOST:
    case ERR_BAD_REPLY:
    case ERR_TOO_LARGE:
        return 502;
    default:
        return 503;
    }
}

static void explain_refused(struct page *page)
{
    page->heading = "Lightspeed did not confirm it";
    page->sentences[0] = "Lightspeed did not accept what your browser brought back from it.";
    page->sentences[1] = "Nothing was changed. Connect again; if you see this page twice, tell "
                         "whoever sent you the link.";
}

static void explain_slow(struct page *page)
{
    page->heading = "Lightspeed takes very long";
    page->sentences[0] = "Lightspeed has not answered yet. You may still become connected.";
    page->sentences[1] = "Wait a minute and reload this page: it says whether you are connected.";
}

static void explain_silence(struct page *page)
{
    page->heading = "Lightspeed did not answer";
    page->sentences[0] = "Lightspeed could not be reached, or its answer made no sense.";
    page->sentences[1] = "Nothing was changed. Wait a minute, then connect again.";
}

static void explain_ourselves(struct page *page)
{
    page->heading = "Not at the moment";
    page->sentences[0] = "This service cannot finish connecting you at the moment.";
    page->sentences[1] = "Wait a minute, then connect again. If that does not help, tell whoever "
                         "sent you the link.";
}

static void refuse_exchange(struct exchange *exchange, int err)
{
    struct page page = {.status = status_of(err), .code = error_name(err)};
    if (err == ERR_REFUSED)
        explain_refused(&page);
    else if (err == ERR_UNCONFIRMED)
        explain_slow(&page);
    else if (page.status == 502 || page.status == 504)
        explain_silence(&page);
    else
        explain_ourselves(&page);
    reply_about(exchange, page, err != ERR_UNCONFIRMED);
}

/* The company that was chosen is another tenant's, or not this tenant's. */
static void refuse_company(struct exchange *exchange, const struct oauth_task *task)
{
    char first[SENTENCE_MAX], second[SENTENCE_MAX];
    const struct standing standing = find_standing(exchange);
    int64_t own = standing.tenant == NULL ? 0 : standing.tenant->tenant.oseries_company;
    bool has_name = task->company_name[0] != '\0';
    snprintf(first, sizeof(first), "You granted access to %s%s%lld%s%s.",
             has_name ? task->company_name : "", has_name ? " (company " : "company ",
             (long long)task->company_id, has_name ? ")" : "",
             own == 0 ? ", which another merchant of this service has connected" : "");
    if (own != 0)
        snprintf(second, sizeof(second),
                 "This link is for company %lld. Nothing was changed. Connect again and choose "
                 "company %lld.",
                 (long long)own, (long long)own);
    else
        snprintf(second, sizeof(second),
                 "Nothing was changed. Connect again and choose your own company. If that is the "
                 "one, tell whoever sent you the link.");
    reply_about(exchange,
                (struct page){.status = status_of(ERR_ALREADY_EXISTS),
                              .code = error_name(ERR_ALREADY_EXISTS),
                              .heading = "That is another company",
                              .sentences = {first, second}},
                true);
}

static void on_connected(struct exchange *exchange, const struct job *job)
{
    const struct oauth_task *task = (const struct oauth_task *)(job + 1);
    if (job->error == 0)
        reply_connected(exchange, task->company_name, task->company_id);
    else if (job->error == ERR_ALREADY_EXISTS)
        refuse_company(exchange, task);
    else
        refuse_exchange(exchange, job->error); /* after some there is no task to look at */
}

static void submit_exchange(struct exchange *exchange)
{
    const struct callback *callback = exchange->data;
    struct job *job = exchange_job(exchange, sizeof(struct oauth_task));
    struct oauth_task *task = (struct oauth_task *)(job + 1);
    task->oauth = exchange->handlers->oauth;
    task->tenant_id = callback->claims.tenant_id;
    memcpy(task->code, callback->code.base, callback->code.length);
    job->begin = oauth_begin_exchange;
    job->deadline_us = exchange->received_monotonic_us + OAUTH_TASK_US;
    exchange_submit_outbound(exchange, job, on_connected);
}

static bool code_is_sound(struct text code)
{
    return code.length > 0 && code.length <= OAUTH_CODE_MAX && text_is_printable(code);
}

static void refuse_code(struct exchange *exchange)
{
    log_refused(exchange, ERR_REFUSED, TEXT("Lightspeed sent no usable code"));
    refuse_exchange(exchange, ERR_REFUSED);
}

static void on_state_used(struct exchange *exchange, const struct job *job)
{
    const struct callback *callback = exchange->data;
    if (job->error == ERR_ALREADY_EXISTS)
        reply_used(exchange);
    else if (job->error != 0)
        refuse_exchange(exchange, job->error);
    else if (callback->error.length > 0)
        refuse_consent(exchange, callback->error);
    else if (code_is_sound(callback->code))
        submit_exchange(exchange);
    else
        refuse_code(exchange);
}

struct use_task {
    char id[JWT_ID_CHARS + 1];
    int64_t expires_at_us;
    int64_t now_us;
};

static int task_use_token(struct job *job, struct store *store)
{
    const struct use_task *task = (const struct use_task *)(job + 1);
    return store_use_token(store, task->id, task->expires_at_us, task->now_us);
}

/* First of all, whatever else came with it: a state counts once. */
static void use_state(struct exchange *exchange)
{
    const struct callback *callback = exchange->data;
    struct job *job = exchange_job(exchange, sizeof(struct use_task));
    struct use_task *task = (struct use_task *)(job + 1);
    memcpy(task->id, callback->claims.id, sizeof(task->id));
    task->expires_at_us = callback->claims.expires_at_us;
    task->now_us = exchange->received_steady_us;
    job->task = task_use_token;
    job->joins = true;
    exchange_submit_write(exchange, job, on_state_used);
}

void oauth_callback(struct exchange *exchange)
{
    struct parameter parameters[] = {{.name = "state"}, {.name = "code"}, {.name = "error"}};
    struct callback *callback = exchange_allocate(exchange, sizeof(*callback));
    if (is_head(exchange))
        return;
    int err = ERR_BAD_TOKEN;
    if (read_query(exchange, parameters, COUNT_OF(parameters)))
        err = token_verify(exchange->handlers->token_keys, TOKEN_STATE, parameters[0].value,
                           exchange->received_steady_us, &callback->claims);
    if (err != 0) {
        log_event(LOG_WARNING, "oauth_state_refused", LOG_INT("request_id", exchange->request_id),
                  LOG_TEXT("error", error_name(err)),
                  LOG_TEXT_N("client", exchange_client(exchange)));
        refuse_state(exchange, err);
        return;
    }
    callback->code = parameters[1].value;
    callback->error = parameters[2].value;
    exchange->data = callback;
    use_state(exchange);
}
