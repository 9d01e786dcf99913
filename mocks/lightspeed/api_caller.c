/* Who calls, and how often he may: Bearer, Basic, and the two rate limits. */
#include "mocks/lightspeed/api.h"

#include <stdio.h>
#include <string.h>

#include "base/banned.h"

#define REALM "Bearer realm=\"Service\""
#define CREDENTIALS_MAX 512

void api_refuse_token(struct answer *answer, const char *error, const char *description)
{
    char challenge[256];
    answer_error(answer, 401, error, "%s", description);
    (void)snprintf(challenge, sizeof(challenge), REALM ", error=\"%s\", error_description=\"%s\"",
                   error, description);
    answer_header(answer, "www-authenticate", text_of(challenge));
}

/* No credentials at all: protocol o-series 6.2, first row. */
static void refuse_stranger(struct answer *answer)
{
    answer_empty(answer, 401);
    answer_header(answer, "www-authenticate", TEXT(REALM));
    jwrite_object_begin(&answer->writer);
    jwrite_object_end(&answer->writer);
}

/* --- rate limits */

void api_refuse_rate(struct cloud *cloud, struct answer *answer, int64_t limit, int64_t reset_us,
                     int64_t retry_after_s)
{
    (void)cloud;
    answer_error(answer, 429, "too_many_requests", "The limit of %lld requests is used up.",
                 (long long)limit);
    answer_header_int(answer, "x-ratelimit-limit", limit);
    answer_header_int(answer, "x-ratelimit-remaining", 0);
    answer_header_int(answer, "x-ratelimit-reset", reset_us / CLOCK_US_PER_S);
    if (retry_after_s >= 0)
        answer_header_int(answer, "retry-after", retry_after_s);
}

static bool rate_allows(struct cloud *cloud, struct window *window, int64_t limit,
                        struct answer *answer)
{
    int64_t length_us = cloud->settings.rate_window_s * CLOCK_US_PER_S;
    if (window->start_us == 0 || cloud->wall_us - window->start_us >= length_us ||
        cloud->wall_us < window->start_us)
        *window = (struct window){.start_us = cloud->wall_us};
    /* Rounded up: who waits for it must not come a moment too early. */
    int64_t reset_us = window->start_us + length_us + CLOCK_US_PER_S - 1;
    if (window->used >= limit) {
        int64_t wait_s = (reset_us - cloud->wall_us) / CLOCK_US_PER_S;
        api_refuse_rate(cloud, answer, limit, reset_us,
                        cloud->settings.rate_retry_after ? wait_s : -1);
        return false;
    }
    window->used++;
    answer_header_int(answer, "x-ratelimit-limit", limit);
    answer_header_int(answer, "x-ratelimit-remaining", limit - window->used);
    answer_header_int(answer, "x-ratelimit-reset", reset_us / CLOCK_US_PER_S);
    return true;
}

/* --- Bearer */

static bool caller_by_token(struct cloud *cloud, struct call *call, struct text text,
                            struct answer *answer)
{
    struct token *token = token_find(&cloud->tokens, TOKEN_ACCESS, text);
    if (token == NULL || token->state != TOKEN_LIVE) {
        api_refuse_token(answer, "invalid_token", "The access token provided is invalid");
        return false;
    }
    if (token_is_expired(token, cloud->wall_us)) {
        api_refuse_token(answer, cloud->settings.expired_error,
                         "The access token provided has expired");
        return false;
    }
    struct grant *grant = table_find(&cloud->grants, token->grant_id);
    CHECK(grant != NULL);
    call->grant = grant;
    call->application = cloud_application_by_id(cloud, grant->application_id);
    call->company = cloud_company(cloud, grant->company_id);
    struct window window = {grant->window_start_us, grant->window_used};
    bool is_allowed = rate_allows(cloud, &window, cloud->settings.rate_bearer_max, answer);
    grant->window_start_us = window.start_us;
    grant->window_used = window.used;
    return is_allowed;
}

/* --- Basic: only the developer's own company (protocol o-series 6.3) */

static bool decode_basic(struct text base64, char *out, size_t size, struct text *id,
                         struct text *secret)
{
    while (base64.length > 0 && base64.base[base64.length - 1] == '=')
        base64.length--;
    size_t length = base64.length * 3 / 4;
    if (length == 0 || length >= size || !text_base64_decode((uint8_t *)out, length, base64))
        return false;
    const char *colon = memchr(out, ':', length);
    if (colon == NULL)
        return false;
    *id = (struct text){out, (size_t)(colon - out)};
    *secret = (struct text){colon + 1, length - id->length - 1};
    return true;
}

static bool caller_by_secret(struct cloud *cloud, struct call *call, struct text base64,
                             struct answer *answer)
{
    char credentials[CREDENTIALS_MAX];
    struct text id, secret;
    struct application *application = NULL;
    if (decode_basic(base64, credentials, sizeof(credentials), &id, &secret))
        application = cloud_application(cloud, id);
    if (application == NULL ||
        !text_equal_constant_time(text_of(application->client_secret), secret)) {
        answer_error(answer, 401, "invalid_client", "The client credentials are invalid");
        answer_header(answer, "www-authenticate", TEXT("Basic realm=\"Service\""));
        return false;
    }
    call->application = application;
    call->company = cloud_company(cloud, application->own_company_id);
    if (call->company == NULL) {
        answer_not_found(answer, "company of the developer");
        return false;
    }
    return rate_allows(cloud, &application->basic_window, cloud->settings.rate_basic_max, answer);
}

bool api_find_caller(struct cloud *cloud, struct call *call, struct answer *answer)
{
    static const struct text bearer = {"Bearer ", 7}, basic = {"Basic ", 6};
    struct text value = text_trim(call->authorization);
    if (value.length == 0) {
        refuse_stranger(answer);
        return false;
    }
    if (text_equal_nocase(text_slice(value, 0, bearer.length), bearer))
        return caller_by_token(cloud, call,
                               text_trim(text_slice(value, bearer.length, value.length)), answer);
    if (text_equal_nocase(text_slice(value, 0, basic.length), basic))
        return caller_by_secret(cloud, call,
                                text_trim(text_slice(value, basic.length, value.length)), answer);
    answer_error(answer, 400, "invalid_request", "Malformed auth header");
    return false;
}
