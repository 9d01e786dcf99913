/* The token endpoint: three grants, form or JSON, errors as the library words them. */
#include "mocks/lightspeed/oauth.h"

#include "base/error.h"

#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

struct token_request {
    char grant_type[PARAMETER_MAX];
    char client_id[PARAMETER_MAX];
    char client_secret[PARAMETER_MAX];
    char code[PARAMETER_MAX];
    char redirect_uri[PARAMETER_MAX];
    char refresh_token[PARAMETER_MAX];
};

/* --- reading */

void oauth_take_parameter(const struct oauth_parameter *parameters, size_t count, struct text name,
                          struct text value)
{
    for (size_t i = 0; i < count; i++) {
        if (!text_equal(name, text_of(parameters[i].name)))
            continue;
        struct text_buffer buffer;
        text_buffer_init(&buffer, parameters[i].place, PARAMETER_MAX);
        text_append(&buffer, value);
    }
}

static void request_take(struct token_request *request, struct text name, struct text value)
{
    const struct oauth_parameter PARAMETERS[] = {
        {"grant_type", request->grant_type},       {"client_id", request->client_id},
        {"client_secret", request->client_secret}, {"code", request->code},
        {"redirect_uri", request->redirect_uri},   {"refresh_token", request->refresh_token}};
    oauth_take_parameter(PARAMETERS, COUNT_OF(PARAMETERS), name, value);
}

static void request_read_form(struct token_request *request, struct text body)
{
    size_t size = body.length + 2;
    char *memory = malloc(size);
    CHECK(memory != NULL);
    struct text_buffer buffer;
    text_buffer_init(&buffer, memory, size);
    struct text name, value;
    while (text_form_next(&body, &buffer, &name, &value) == 0)
        request_take(request, name, value);
    free(memory);
}

static void request_read_json(struct token_request *request, const struct jread *json)
{
    for (size_t i = 0; i < jread_count(json); i++) {
        struct text name, value;
        const struct jread *member = jread_member_at(json, i, &name);
        if (jread_scalar(member, &value) == 0)
            request_take(request, name, value);
    }
}

/* JSON when it says so or looks like it; what cannot be read has no parameters. */
static void request_read(struct token_request *request, struct call *call)
{
    memset(request, 0, sizeof(*request));
    struct text body = text_trim(call->body);
    struct text type = text_slice(call->content_type, 0, strlen("application/json"));
    if (text_equal_nocase(type, TEXT("application/json")) ||
        (body.length > 0 && body.base[0] == '{')) {
        if (call->json == NULL && jread_parse(body, &call->json) != 0)
            return;
        if (jread_kind_of(call->json) == JREAD_OBJECT)
            request_read_json(request, call->json);
        return;
    }
    request_read_form(request, body);
}

/* The client may also show itself with Basic (RFC 6749 section 2.3.1). */
static void request_read_basic(struct token_request *request, const struct call *call)
{
    struct text value = text_trim(call->authorization);
    char credentials[PARAMETER_MAX];
    if (!text_equal_nocase(text_slice(value, 0, strlen("Basic ")), TEXT("Basic ")))
        return;
    struct text base64 = text_trim(text_slice(value, strlen("Basic "), value.length));
    while (base64.length > 0 && base64.base[base64.length - 1] == '=')
        base64.length--;
    size_t length = base64.length * 3 / 4;
    if (length == 0 || length > sizeof(credentials) ||
        !text_base64_decode((uint8_t *)credentials, length, base64))
        return;
    const char *colon = memchr(credentials, ':', length);
    if (colon == NULL)
        return;
    size_t id_length = (size_t)(colon - credentials);
    request_take(request, TEXT("client_id"), (struct text){credentials, id_length});
    request_take(request, TEXT("client_secret"), (struct text){colon + 1, length - id_length - 1});
}

/* --- issuing */

static int64_t expiry_us(const struct cloud *cloud, int64_t ttl_s)
{
    return ttl_s == 0 ? 0 : cloud->wall_us + ttl_s * CLOCK_US_PER_S;
}

struct grant *oauth_grant(struct cloud *cloud, int64_t application_id, int64_t company_id)
{
    for (size_t i = 0; i < cloud->grants.count; i++) {
        struct grant *grant = cloud->grants.records[i];
        if (grant->application_id == application_id && grant->company_id == company_id)
            return grant;
    }
    struct grant *grant = table_add(&cloud->grants, 0);
    if (grant == NULL)
        return NULL;
    grant->application_id = application_id;
    grant->company_id = company_id;
    return grant;
}

struct token *oauth_issue_code(struct cloud *cloud, struct grant *grant, const char *redirect_uri)
{
    struct token *code = token_issue(&cloud->tokens, cloud->random, TOKEN_CODE, grant->id,
                                     expiry_us(cloud, cloud->settings.code_ttl_s));
    if (code == NULL)
        return NULL;
    code->redirect_uri = strdup(redirect_uri);
    CHECK(code->redirect_uri != NULL);
    grant->codes_issued++;
    return code;
}

static void refuse_full(struct answer *answer)
{
    answer_error(answer, 503, "full", "This fake has no room for another token.");
}

/* The reply of protocol o-series 6.2. */
static void give_tokens(struct cloud *cloud, struct grant *grant, bool has_refresh,
                        struct answer *answer)
{
    struct token *access = token_issue(&cloud->tokens, cloud->random, TOKEN_ACCESS, grant->id,
                                       expiry_us(cloud, cloud->settings.access_token_ttl_s));
    struct token *refresh = NULL;
    if (has_refresh)
        refresh = token_issue(&cloud->tokens, cloud->random, TOKEN_REFRESH, grant->id,
                              expiry_us(cloud, cloud->settings.refresh_token_ttl_s));
    if (access == NULL || (has_refresh && refresh == NULL)) {
        refuse_full(answer);
        return;
    }
    memcpy(grant->access_token, access->text, sizeof(grant->access_token));
    grant->access_tokens_issued++;
    jwrite_object_begin(&answer->writer);
    jwrite_named_text(&answer->writer, "access_token", access->text);
    jwrite_named_int(&answer->writer, "expires_in", cloud->settings.access_token_ttl_s);
    jwrite_named_text(&answer->writer, "token_type", "Bearer");
    jwrite_key(&answer->writer, TEXT("scope"));
    jwrite_null(&answer->writer);
    if (has_refresh) {
        memcpy(grant->refresh_token, refresh->text, sizeof(grant->refresh_token));
        grant->refresh_tokens_issued++;
        jwrite_named_text(&answer->writer, "refresh_token", refresh->text);
    }
    jwrite_object_end(&answer->writer);
}

/* --- the grants */

static void refuse_grant(struct answer *answer, const char *description)
{
    answer_error(answer, 400, "invalid_grant", "%s", description);
}

static void refuse_missing(struct answer *answer, const char *name)
{
    answer_error(answer, 400, "invalid_request", "Missing parameter: \"%s\" is required", name);
}

static void grant_by_code(struct cloud *cloud, const struct application *application,
                          const struct token_request *request, struct answer *answer)
{
    if (request->code[0] == '\0') {
        refuse_missing(answer, "code");
        return;
    }
    struct token *code = token_find(&cloud->tokens, TOKEN_CODE, text_of(request->code));
    struct grant *grant = code == NULL ? NULL : table_find(&cloud->grants, code->grant_id);
    if (code == NULL || code->state != TOKEN_LIVE || grant->application_id != application->id)
        refuse_grant(answer, "Authorization code doesn't exist or is invalid for the client");
    else if (strcmp(request->redirect_uri, code->redirect_uri) != 0)
        answer_error(answer, 400, "redirect_uri_mismatch",
                     "The redirect URI is missing or do not match");
    else if (token_is_expired(code, cloud->wall_us))
        refuse_grant(answer, "The authorization code has expired");
    else {
        code->state = TOKEN_SPENT;
        give_tokens(cloud, grant, true, answer);
    }
}

static bool refresh_is_good(const struct cloud *cloud, const struct application *application,
                            const struct token *token, const struct grant *grant,
                            struct answer *answer)
{
    if (token == NULL || token->state != TOKEN_LIVE || grant->application_id != application->id)
        refuse_grant(answer, "Invalid refresh token");
    else if (token_is_expired(token, cloud->wall_us))
        refuse_grant(answer, "Refresh token has expired");
    else
        return true;
    return false;
}

static void grant_by_refresh(struct cloud *cloud, const struct application *application,
                             const struct token_request *request, struct answer *answer)
{
    if (request->refresh_token[0] == '\0') {
        refuse_missing(answer, "refresh_token");
        return;
    }
    struct token *token =
        token_find(&cloud->tokens, TOKEN_REFRESH, text_of(request->refresh_token));
    struct grant *grant = token == NULL ? NULL : table_find(&cloud->grants, token->grant_id);
    if (!refresh_is_good(cloud, application, token, grant, answer)) {
        if (grant != NULL) {
            grant->refreshes_refused++;
            grant->refreshes_with_spent_token += token->state == TOKEN_SPENT;
        }
        return;
    }
    grant->refreshes++;
    if (cloud->settings.refresh_returns_new && cloud->settings.refresh_revokes_old)
        token->state = TOKEN_SPENT;
    give_tokens(cloud, grant, cloud->settings.refresh_returns_new, answer);
}

/* Development only: the developer's own company, and no refresh token. */
static void grant_by_credentials(struct cloud *cloud, const struct application *application,
                                 struct answer *answer)
{
    struct grant *grant = oauth_grant(cloud, application->id, application->own_company_id);
    if (grant == NULL)
        refuse_full(answer);
    else
        give_tokens(cloud, grant, false, answer);
}

static const struct application *
find_client(const struct cloud *cloud, const struct token_request *request, struct answer *answer)
{
    if (request->client_id[0] == '\0') {
        answer_error(answer, 400, "invalid_client",
                     "Client credentials were not found in the headers or body");
        return NULL;
    }
    const struct application *application = cloud_application(cloud, text_of(request->client_id));
    if (application != NULL && text_equal_constant_time(text_of(application->client_secret),
                                                        text_of(request->client_secret)))
        return application;
    answer_error(answer, 400, "invalid_client", "The client credentials are invalid");
    return NULL;
}

static void token_post(struct cloud *cloud, struct call *call, struct answer *answer)
{
    static const char *const names[] = {"authorization_code", "refresh_token",
                                        "client_credentials"};
    struct token_request request;
    request_read(&request, call);
    request_read_basic(&request, call);
    if (request.grant_type[0] == '\0') {
        answer_error(answer, 400, "invalid_request",
                     "The grant type was not specified in the request");
        return;
    }
    size_t at = 0;
    while (at < COUNT_OF(names) && strcmp(names[at], request.grant_type) != 0)
        at++;
    if (at == COUNT_OF(names)) {
        answer_error(answer, 400, "unsupported_grant_type", "Grant type \"%.64s\" not supported",
                     request.grant_type);
        return;
    }
    const struct application *application = find_client(cloud, &request, answer);
    if (application == NULL)
        return;
    if (at == 0)
        grant_by_code(cloud, application, &request, answer);
    else if (at == 1)
        grant_by_refresh(cloud, application, &request, answer);
    else
        grant_by_credentials(cloud, application, answer);
}

void oauth_token(struct cloud *cloud, struct call *call, struct answer *answer)
{
    answer_header(answer, "cache-control", TEXT("no-store"));
    answer_header(answer, "pragma", TEXT("no-cache"));
    if (call_method_is(call, "POST")) {
        token_post(cloud, call, answer);
        return;
    }
    answer_header(answer, "allow", TEXT("POST, OPTIONS"));
    if (call_method_is(call, "OPTIONS"))
        answer_empty(answer, 200);
    else
        answer_error(answer, 405, "invalid_request",
                     "The request method must be POST when requesting an access token");
}

/* --- who refreshes at the same time */

int64_t oauth_refresh_begin(struct cloud *cloud, struct call *call)
{
    bool is_token = call_method_is(call, "POST") && call->segment_count == 2 &&
                    call_segment_is(call, 0, "v1") && call_segment_is(call, 1, "token");
    if (!is_token)
        return 0;
    struct token_request request;
    request_read(&request, call);
    const struct token *token =
        token_find(&cloud->tokens, TOKEN_REFRESH, text_of(request.refresh_token));
    struct grant *grant = token == NULL ? NULL : table_find(&cloud->grants, token->grant_id);
    if (grant == NULL || strcmp(request.grant_type, "refresh_token") != 0)
        return 0;
    if (++grant->refreshes_running > grant->refreshes_running_max)
        grant->refreshes_running_max = grant->refreshes_running;
    return grant->id;
}

void oauth_refresh_end(struct cloud *cloud, int64_t grant_id)
{
    struct grant *grant = table_find(&cloud->grants, grant_id);
    if (grant != NULL && grant->refreshes_running > 0)
        grant->refreshes_running--;
}
