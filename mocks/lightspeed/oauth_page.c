/* The consent page: which application asks for which company, and the two answers. */
#include "mocks/lightspeed/oauth.h"

#include "base/error.h"

#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

/* What an application asks for, from the query or from the page's own form. */
struct consent {
    char client_id[PARAMETER_MAX];
    char redirect_uri[PARAMETER_MAX];
    char response_type[PARAMETER_MAX];
    char state[PARAMETER_MAX];
    char company_id[PARAMETER_MAX];
    char decision[PARAMETER_MAX];
    const struct application *application;
};

static void consent_take(struct consent *consent, struct text name, struct text value)
{
    const struct oauth_parameter PARAMETERS[] = {
        {"client_id", consent->client_id},         {"redirect_uri", consent->redirect_uri},
        {"response_type", consent->response_type}, {"state", consent->state},
        {"company_id", consent->company_id},       {"decision", consent->decision}};
    oauth_take_parameter(PARAMETERS, COUNT_OF(PARAMETERS), name, value);
}

static void consent_read(struct consent *consent, struct text pairs)
{
    char *memory = malloc(pairs.length + 2);
    CHECK(memory != NULL);
    struct text_buffer buffer;
    text_buffer_init(&buffer, memory, pairs.length + 2);
    struct text name, value;
    while (text_form_next(&pairs, &buffer, &name, &value) == 0)
        consent_take(consent, name, value);
    free(memory);
}

/* --- going back to the application */

static void go_back(const struct consent *consent, const char *name, const char *value,
                    const char *description, struct answer *answer)
{
    char location[ANSWER_HEADER_MAX];
    struct text_buffer buffer;
    text_buffer_init(&buffer, location, sizeof(location));
    text_append(&buffer, text_of(consent->redirect_uri));
    text_append_char(&buffer, strchr(consent->redirect_uri, '?') == NULL ? '?' : '&');
    text_append_format(&buffer, "%s=%s", name, value);
    if (description != NULL) {
        text_append(&buffer, TEXT("&error_description="));
        text_append_encoded(&buffer, text_of(description));
    }
    if (consent->state[0] != '\0') {
        text_append(&buffer, TEXT("&state="));
        text_append_encoded(&buffer, text_of(consent->state));
    }
    answer_empty(answer, 302);
    answer_header(answer, "location", text_buffer_text(&buffer));
}

static bool redirect_is_registered(const struct application *application, const char *uri)
{
    for (size_t i = 0; i < application->redirect_count; i++)
        if (strcmp(application->redirect_uris[i], uri) == 0)
            return true;
    return false;
}

/* protocol o-series 6.1. The real one answers a wrong redirect_uri with a bare 500. */
static bool consent_is_good(const struct cloud *cloud, struct consent *consent,
                            struct answer *answer)
{
    consent->application = cloud_application(cloud, text_of(consent->client_id));
    if (consent->application == NULL) {
        answer_error(answer, 400, "invalid_client", "%s",
                     consent->client_id[0] == '\0' ? "No client id supplied"
                                                   : "The client id supplied is invalid");
        return false;
    }
    if (!redirect_is_registered(consent->application, consent->redirect_uri)) {
        answer_empty(answer, 500);
        return false;
    }
    if (strcmp(consent->response_type, "code") != 0) {
        go_back(consent, "error", "unsupported_response_type", "Invalid or missing response type",
                answer);
        return false;
    }
    if (consent->state[0] != '\0')
        return true;
    go_back(consent, "error", "invalid_request", "The state parameter is required", answer);
    return false;
}

/* --- the page */

static const char PAGE_HEAD[] =
    "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
    "<title>Grant access</title>\n<style>\n"
    ":root{color-scheme:light dark;--ink:#1b2430;--soft:#56606d;--paper:#fff;--ground:#eef1f4;"
    "--line:#c9d0d8;--accent:#0a5c47;--on-accent:#fff}\n"
    "@media (prefers-color-scheme:dark){:root{--ink:#eef1f4;--soft:#a9b3be;--paper:#1b222b;"
    "--ground:#11161c;--line:#3a444f;--accent:#5fd0ae;--on-accent:#08251c}}\n"
    "*{box-sizing:border-box}\n"
    "body{margin:0;min-height:100vh;display:flex;align-items:center;justify-content:center;"
    "padding:1rem;background:var(--ground);color:var(--ink);"
    "font:1rem/1.5 system-ui,-apple-system,\"Segoe UI\",sans-serif}\n"
    "main{width:100%;max-width:30rem;background:var(--paper);border:1px solid var(--line);"
    "border-radius:.75rem;padding:1.5rem}\n"
    "h1{font-size:1.375rem;line-height:1.25;margin:0 0 .5rem;overflow-wrap:anywhere}\n"
    "p{margin:0 0 1rem}\n.soft{color:var(--soft);font-size:.9rem;overflow-wrap:anywhere}\n"
    "fieldset{border:0;margin:0 0 1.25rem;padding:0}\nlegend{font-weight:600;padding:0;"
    "margin-bottom:.5rem}\n"
    "label{display:flex;gap:.75rem;align-items:center;min-height:3rem;padding:.5rem .75rem;"
    "border:1px solid var(--line);border-radius:.5rem;margin-bottom:.5rem;cursor:pointer}\n"
    "label:has(:checked){border-color:var(--accent);box-shadow:inset 0 0 0 1px var(--accent)}\n"
    "input{accent-color:var(--accent);width:1.125rem;height:1.125rem;flex:none;margin:0}\n"
    "label span{min-width:0;overflow-wrap:anywhere}\n"
    "label small{margin-left:auto;color:var(--soft);white-space:nowrap}\n"
    ".actions{display:flex;flex-wrap:wrap;gap:.75rem}\n"
    "button{flex:1 1 10rem;min-height:3rem;font:inherit;font-weight:600;border-radius:.5rem;"
    "border:1px solid var(--line);background:transparent;color:inherit;cursor:pointer}\n"
    "button.grant{background:var(--accent);border-color:var(--accent);color:var(--on-accent)}\n"
    ":focus-visible{outline:3px solid var(--accent);outline-offset:2px}\n"
    "footer{margin-top:1.25rem;padding-top:1rem;border-top:1px solid var(--line)}\n"
    "footer p{margin:0}\n</style>\n</head>\n<body>\n<main>\n";

static void html_append(struct text_buffer *buffer, const char *value)
{
    for (; *value != '\0'; value++) {
        switch (*value) {
        case '&':
            text_append(buffer, TEXT("&amp;"));
            break;
        case '<':
            text_append(buffer, TEXT("&lt;"));
            break;
        case '>':
            text_append(buffer, TEXT("&gt;"));
            break;
        case '"':
            text_append(buffer, TEXT("&quot;"));
            break;
        case '\'':
            text_append(buffer, TEXT("&#39;"));
            break;
        default:
            text_append_char(buffer, *value);
        }
    }
}

static void html_append_hidden(struct text_buffer *page, const char *name, const char *value)
{
    text_append_format(page, "<input type=\"hidden\" name=\"%s\" value=\"", name);
    html_append(page, value);
    text_append(page, TEXT("\">\n"));
}

static void page_append_companies(const struct cloud *cloud, struct text_buffer *page)
{
    text_append(page, TEXT("<fieldset>\n<legend>Company</legend>\n"));
    for (size_t i = 0; i < cloud->companies.count; i++) {
        const struct company *company = cloud->companies.records[i];
        text_append_format(page,
                           "<label><input type=\"radio\" name=\"company_id\" value=\"%lld\"%s "
                           "required><span>",
                           (long long)company->id, i == 0 ? " checked" : "");
        html_append(page, company->name);
        text_append_format(page, "</span><small>No. %lld</small></label>\n",
                           (long long)company->id);
    }
    text_append(page, TEXT("</fieldset>\n"));
}

static void page_write(const struct cloud *cloud, const struct consent *consent,
                       struct answer *answer)
{
    struct text_buffer *page = &answer->body;
    answer->content_type = "text/html; charset=utf-8";
    text_append(page, text_of(PAGE_HEAD));
    text_append(page, TEXT("<h1>"));
    html_append(page, consent->application->name);
    text_append(page, TEXT(" asks for access</h1>\n<p>It will be able to read and change orders, "
                           "customers and webhooks of the company you choose, with your rights, "
                           "until you take the access away.</p>\n"
                           "<form method=\"post\" action=\"/authorize\">\n"));
    html_append_hidden(page, "client_id", consent->client_id);
    html_append_hidden(page, "redirect_uri", consent->redirect_uri);
    html_append_hidden(page, "response_type", consent->response_type);
    html_append_hidden(page, "state", consent->state);
    page_append_companies(cloud, page);
    text_append(page, TEXT("<div class=\"actions\">\n"
                           "<button class=\"grant\" name=\"decision\" value=\"grant\">Grant "
                           "access</button>\n"
                           "<button name=\"decision\" value=\"deny\" formnovalidate>Deny</button>"
                           "\n</div>\n</form>\n<footer class=\"soft\"><p>You will return to "));
    html_append(page, consent->redirect_uri);
    text_append(page, TEXT("</p><p>This is a simulated Lightspeed account for tests. Nothing here "
                           "is real.</p></footer>\n</main>\n</body>\n</html>\n"));
}

void oauth_authorize_get(struct cloud *cloud, struct call *call, struct answer *answer)
{
    struct consent consent = {.application = NULL};
    consent_read(&consent, call->query);
    if (consent_is_good(cloud, &consent, answer))
        page_write(cloud, &consent, answer);
}

void oauth_authorize_post(struct cloud *cloud, struct call *call, struct answer *answer)
{
    struct consent consent = {.application = NULL};
    consent_read(&consent, call->query);
    consent_read(&consent, call->body);
    if (!consent_is_good(cloud, &consent, answer))
        return;
    if (strcmp(consent.decision, "grant") != 0) {
        go_back(&consent, "error", "access_denied", "The user denied access to your application",
                answer);
        return;
    }
    int64_t company_id = 0;
    bool is_number = text_parse_int64(text_of(consent.company_id), &company_id) == 0;
    if (!is_number || cloud_company(cloud, company_id) == NULL) {
        answer_bad(answer, "company_id: no such company.");
        return;
    }
    struct grant *grant = oauth_grant(cloud, consent.application->id, company_id);
    struct token *code =
        grant == NULL ? NULL : oauth_issue_code(cloud, grant, consent.redirect_uri);
    if (code == NULL)
        answer_error(answer, 503, "full", "This fake has no room for another grant.");
    else
        go_back(&consent, "code", code->text, NULL, answer);
}
