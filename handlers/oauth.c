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
                                        .heading = "Counterpart",
                                        .sentences = {"Open this link in a browser"}});
    return true;
}

/* --- /oauth/start */

static void refuse_start(struct exchange *exchange, int err)
{
    if (err == ERR_NO_APP) {
        page_reply(exchange,
                   &(struct page){.status = 503,
                                  .code = error_name(err),
                                  .heading = "Not set up yet",
                                  .sentences = {"This service does not know its own application at "
                                                "Lightspeed yet",
                                                "Whoever runs it has to do this first: counterpart "
                                                "app set --surface oseries --client-id ... "
                                                "--client-secret -"}});
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
        refuse_start(exchange, err);
        return;
    }
    log_event(LOG_INFO, "oauth_started", LOG_INT("tenant_id", tenant->tenant.id));
    exchange_add_header(exchange, "location", text_buffer_text(&url));
    page_reply(exchange, &(struct page){.status = 302,
                                        .is_good = true,
                                        .heading = "On to Lightspeed",
                                        .sentences = {"Your browser goes on to Lightspeed"}});
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
                                  .heading = "This link is not right",
                                  .sentences = {"No merchant here has this link",
                                                "Ask for the whole link once more: it ends with "
                                                "?key= and 32 letters and digits"}});
}

/* --- /oauth/callback */

struct callback {
    struct token_claims claims;
    struct text code;
    struct text error;
};

static void refuse_state(struct exchange *exchange, int err)
{
    const bool is_expired = err == ERR_EXPIRED;
    page_reply(exchange,
               &(struct page){
                   .status = 400,
                   .code = error_name(err),
                   .heading = is_expired ? "That took too long" : "This was not started here",
                   .sentences = {is_expired ? "The link to connect is good for ten minutes"
                                            : "Lightspeed sent you here with a state that is not "
                                              "one of ours",
                                 "Nothing was changed. Open the start link again, and follow it to "
                                 "the end"}});
}

static void refuse_used(struct exchange *exchange)
{
    page_reply(exchange, &(struct page){.status = 409,
                                        .code = "already_used",
                                        .heading = "This link was used already",
                                        .sentences = {"Each way through Lightspeed counts once",
                                                      "If you saw that you are connected, all is "
                                                      "well. Else open the start link again"}});
}

/* As Lightspeed put it: the word of RFC 6749 section 4.1.2.1, if it is one. */
static void refuse_consent(struct exchange *exchange, struct text error)
{
    bool is_denied = text_equal(error, TEXT("access_denied"));
    page_reply(exchange,
               &(struct page){
                   .status = is_denied ? 403 : 400,
                   .code = is_denied ? "access_denied" : error_name(ERR_REFUSED),
                   .heading = is_denied ? "Access was not granted" : "Lightspeed said no",
                   .sentences = {is_denied ? "You chose not to grant access, so nothing was changed"
                                           : "Lightspeed ended this without granting access",
                                 "If that was not meant, open the start link again and press Grant "
                                 "Access"}});
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

static void refuse_exchange(struct exchange *exchange, int err, const char *sentence)
{
    char bytes[SENTENCE_MAX];
    bool has_sentence = sentence != NULL && sentence[0] != '\0';
    snprintf(bytes, sizeof(bytes), "It did not work: %s",
             has_sentence             ? sentence
             : err == ERR_NO_APP      ? "this service does not know its own application yet"
             : err == ERR_UNCONFIRMED ? "Lightspeed takes very long. It may still be under way"
                                      : "this service cannot do it at the moment");
    page_reply(exchange, &(struct page){.status = status_of(err),
                                        .code = error_name(err),
                                        .heading = "Not connected",
                                        .sentences = {bytes, "Open the start link again"}});
}

static void on_connected(struct exchange *exchange, const struct job *job)
{
    const struct oauth_task *task = (const struct oauth_task *)(job + 1);
    char first[SENTENCE_MAX];
    if (job->error == ERR_CANCELLED || job->error == ERR_UNCONFIRMED) {
        refuse_exchange(exchange, job->error, NULL); /* there is no task to look at */
        return;
    }
    if (job->error != 0) {
        refuse_exchange(exchange, job->error, task->sentence);
        return;
    }
    bool has_name = task->company_name[0] != '\0';
    snprintf(first, sizeof(first), "%s%s(company %lld) is connected with this service",
             task->company_name, has_name ? " " : "", (long long)task->company_id);
    page_reply(exchange,
               &(struct page){.status = 200,
                              .is_good = true,
                              .heading = "Connected",
                              .sentences = {first,
                                            "Next: on every register choose Sync, so that payments "
                                            "and loyalty appear there",
                                            "You can close this page"}});
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

static void on_state_used(struct exchange *exchange, const struct job *job)
{
    const struct callback *callback = exchange->data;
    if (job->error == ERR_ALREADY_EXISTS)
        refuse_used(exchange);
    else if (job->error != 0)
        refuse_exchange(exchange, job->error, NULL);
    else if (callback->error.length > 0)
        refuse_consent(exchange, callback->error);
    else if (code_is_sound(callback->code))
        submit_exchange(exchange);
    else
        refuse_exchange(exchange, ERR_REFUSED, "Lightspeed sent no code");
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
