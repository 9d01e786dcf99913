/* Makes the requests of the manager: for tokens, and for the company that a token belongs to. */
#include "oauth/manager.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/seal.h"

#include <stdio.h>
#include <string.h>

#include "base/banned.h"

/* The longest refresh: two fields of 128 bytes, a token of 512, a redirect URI, all of it encoded,
 * and the names. */
#define FORM_MAX (3 * (2 * APP_CLIENT_MAX + GRANT_TOKEN_MAX + OAUTH_REDIRECT_MAX) + 256)
#define HEADER_MAX (AUTHORIZATION_MAX + 32)
#define COMPANY_PATH "/companies/me.json"

static void append_field(struct text_buffer *form, const char *name, struct text value)
{
    text_append_format(form, "%s%s=", form->length == 0 ? "" : "&", name);
    text_append_percent(form, value);
}

/* RFC 6749 sections 4.1.3 and 6; the client authenticates in the body, as everybody has seen it
 * (protocol o-series 6.2). */
static void append_form(const struct oauth *oauth, const char *refresh_token, const char *code,
                        struct text_buffer *form)
{
    char bytes[OAUTH_REDIRECT_MAX];
    struct text_buffer redirect;
    text_buffer_init(&redirect, bytes, sizeof(bytes));
    oauth_append_redirect_uri(oauth, &redirect);
    if (refresh_token != NULL) {
        append_field(form, "grant_type", TEXT("refresh_token"));
        append_field(form, "refresh_token", text_of(refresh_token));
    } else {
        append_field(form, "grant_type", TEXT("authorization_code"));
        append_field(form, "code", text_of(code));
        append_field(form, "redirect_uri", text_buffer_text(&redirect));
    }
    append_field(form, "client_id", text_of(oauth->app.client_id));
    append_field(form, "client_secret", text_of(oauth->app.client_secret));
    CHECK(!form->is_cut && !redirect.is_cut);
}

void ask_token(struct oauth *oauth, const char *refresh_token, const char *code,
               outbound_done_fn on_done, void *context)
{
    char bytes[FORM_MAX];
    struct text_buffer form;
    text_buffer_init(&form, bytes, sizeof(bytes));
    append_form(oauth, refresh_token, code, &form);
    const struct outbound_request request = {
        .method = "POST",
        .url = oauth->config.token_url,
        .headers = {"content-type: application/x-www-form-urlencoded", "accept: application/json"},
        .body = text_buffer_text(&form),
        .deadline_us = clock_monotonic_us() + OAUTH_HTTP_TIMEOUT_US,
    };
    outbound_send(oauth->config.outbound, &request, on_done, context);
    seal_wipe(bytes, sizeof(bytes));
}

void append_authorization(const struct oauth *oauth, const char *access_token,
                          struct text_buffer *buffer)
{
    char bytes[2 * APP_CLIENT_MAX + 2];
    struct text_buffer pair;
    if (access_token != NULL) {
        text_append(buffer, TEXT("Bearer "));
        text_append(buffer, text_of(access_token));
    } else {
        text_buffer_init(&pair, bytes, sizeof(bytes));
        text_append_format(&pair, "%s:%s", oauth->app.client_id, oauth->app.client_secret);
        text_append(buffer, TEXT("Basic "));
        text_append_base64(buffer, text_buffer_text(&pair));
        seal_wipe(bytes, sizeof(bytes));
    }
    CHECK(!buffer->is_cut);
}

void ask_company(struct oauth *oauth, const char *access_token, int64_t deadline_us,
                 outbound_done_fn on_done, void *context)
{
    int64_t own_deadline_us = clock_monotonic_us() + OAUTH_HTTP_TIMEOUT_US;
    char url[OAUTH_URL_MAX + sizeof(COMPANY_PATH)];
    char header[HEADER_MAX];
    struct text_buffer buffer;
    snprintf(url, sizeof(url), "%s" COMPANY_PATH, oauth->config.api_url);
    text_buffer_init(&buffer, header, sizeof(header));
    text_append(&buffer, TEXT("authorization: "));
    append_authorization(oauth, access_token, &buffer);
    const struct outbound_request request = {
        .method = "GET",
        .url = url,
        .headers = {header, "accept: application/json"},
        .deadline_us = deadline_us < own_deadline_us ? deadline_us : own_deadline_us,
    };
    outbound_send(oauth->config.outbound, &request, on_done, context);
    seal_wipe(header, sizeof(header));
}

void note_oddities(int64_t tenant_id, const struct token_reply *reply)
{
    if (reply->life_is_odd)
        log_event(LOG_WARNING, "oauth_odd_reply", LOG_INT("tenant_id", tenant_id),
                  LOG_TEXT("member", "expires_in"), LOG_INT("life_s", reply->life_s));
    if (reply->type_is_odd)
        log_event(LOG_WARNING, "oauth_odd_reply", LOG_INT("tenant_id", tenant_id),
                  LOG_TEXT("member", "token_type"));
}

const char *explain_no_reply(int err)
{
    switch (err) {
    case ERR_TIMED_OUT:
        return "Lightspeed did not answer in time";
    case ERR_UNREACHABLE:
        return "Lightspeed cannot be reached from here";
    case ERR_CONNECTION_LOST:
        return "the connection to Lightspeed ended before its answer was whole";
    case ERR_TOO_LARGE:
        return "Lightspeed's answer was far too long to be one";
    case ERR_SHUTTING_DOWN:
        return "the service is stopping";
    default:
        return "no answer of Lightspeed could be had";
    }
}
