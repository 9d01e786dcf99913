/* Writes requests as a register does, or as a case wants them. */
#include "mocks/check/ask.h"

#include "base/json.h"
#include "base/seal.h"
#include "mocks/check/line.h"

#include <string.h>

#include "base/banned.h"

#define CHUNK_BYTES 7 /* odd and small: chunk ends fall anywhere */

void ask_sign(const char *token, struct text message, char out[ASK_SIGNATURE_MAX])
{
    uint8_t mac[SEAL_MAC_BYTES];
    struct seal_hmac *hmac = seal_hmac_create(text_of(token));
    seal_hmac_sign(hmac, message, mac);
    seal_hmac_destroy(hmac);
    text_hex_encode(out, mac, sizeof(mac));
}

/* --- the body: the documented fields (protocol o-series 2.1) --------------------------------- */

static void body_name(struct text_buffer *body, const char *name, bool is_form)
{
    bool is_first = body->length == (is_form ? 0 : 1);
    if (!is_first)
        text_append_char(body, is_form ? '&' : ',');
    text_append_format(body, is_form ? "%s=" : "\"%s\":", name);
}

static void body_text(struct text_buffer *body, const char *name, const char *value, bool is_form)
{
    struct jwrite writer;
    if (value == NULL)
        return;
    body_name(body, name, is_form);
    jwrite_init(&writer, body);
    if (is_form)
        text_append_percent(body, text_of(value));
    else
        jwrite_text(&writer, text_of(value));
}

static void body_raw(struct text_buffer *body, const char *name, const char *value, bool is_form)
{
    if (value == NULL)
        return;
    body_name(body, name, is_form);
    text_append(body, text_of(value));
}

static void body_id(struct text_buffer *body, const char *name, int64_t id, const struct ask *ask)
{
    char digits[32];
    bool is_quoted = ask->ids_are_strings && !ask->is_form;
    struct text_buffer buffer;
    text_buffer_init(&buffer, digits, sizeof(digits));
    text_append_format(&buffer, is_quoted ? "\"%lld\"" : "%lld", (long long)id);
    body_raw(body, name, digits, ask->is_form);
}

static void body_write(const struct settings *settings, const struct ask *ask,
                       struct text_buffer *body)
{
    if (!ask->is_form)
        text_append_char(body, '{');
    body_id(body, "company_id", settings->company_id, ask);
    body_id(body, "site_id", settings->site_id, ask);
    body_id(body, "register_id", ask->register_id != 0 ? ask->register_id : settings->register_id,
            ask);
    if (ask->order_id != 0)
        body_id(body, "order_id", ask->order_id, ask);
    body_text(body, "keyword", ask->card, ask->is_form);
    body_text(body, "reference_id", ask->reference, ask->is_form);
    body_raw(body, ask->action == TILL_TOP_UP ? "topup_amount" : "amount", ask->amount,
             ask->is_form);
    if (ask->more != NULL)
        text_append(body, text_of(ask->more));
    if (!ask->is_form)
        text_append_char(body, '}');
}

/* --- the head -------------------------------------------------------------------------------- */

static const char *ask_method(const struct ask *ask)
{
    if (ask->method != NULL)
        return ask->method;
    return till_action_is_payment(ask->action) ? "POST" : "GET";
}

static bool ask_has_body(const struct ask *ask)
{
    return ask->has_body || till_action_is_payment(ask->action);
}

static bool ask_write_url(const struct settings *settings, const struct ask *ask,
                          struct text_buffer *url)
{
    if (ask->url != NULL)
        text_append(url, text_of(ask->url));
    else if (!settings_write_url(settings, ask->action, url))
        return false;
    if (ask->query != NULL) {
        text_append_char(url, strchr(url->base, '?') != NULL ? '&' : '?');
        text_append(url, text_of(ask->query));
    }
    return !url->is_cut;
}

static bool head_write_start(const struct ask *ask, const char *url, struct text_buffer *out)
{
    char host_bytes[LINE_HOST_MAX], target_bytes[ASK_URL_MAX];
    struct text_buffer host, target;
    text_buffer_init(&host, host_bytes, sizeof(host_bytes));
    text_buffer_init(&target, target_bytes, sizeof(target_bytes));
    if (!line_split_url(url, &host, &target))
        return false;
    text_append_format(out, "%s ", ask_method(ask));
    text_append(out, text_buffer_text(&target));
    text_append_format(out, " HTTP/1.1\r\nHost: %s\r\nUser-Agent: tillsim\r\nAccept: */*\r\n",
                       host_bytes);
    return true;
}

static void head_write_body(const struct settings *settings, const struct ask *ask,
                            struct text body, struct text_buffer *out)
{
    char signature[ASK_SIGNATURE_MAX];
    const char *type = ask->is_form ? "application/x-www-form-urlencoded" : "application/json";
    text_append_format(out, "Content-Type: %s\r\n",
                       ask->content_type != NULL ? ask->content_type : type);
    const char *shown = ask->signature;
    if (shown == NULL && settings->token != NULL && till_action_is_payment(ask->action)) {
        ask_sign(settings->token, body, signature);
        shown = signature;
    }
    if (shown != NULL && shown[0] != '\0')
        text_append_format(out, "X-Kounta-Signature: %s\r\n", shown);
    if (ask->says_expect)
        text_append_format(out, "Expect: 100-continue\r\n");
    if (ask->is_chunked)
        text_append_format(out, "Transfer-Encoding: chunked\r\n");
    else
        text_append_format(out, "Content-Length: %zu\r\n", body.length);
}

static void body_append_chunked(struct text_buffer *out, struct text body)
{
    for (size_t at = 0; at < body.length; at += CHUNK_BYTES) {
        struct text chunk = text_slice(body, at, CHUNK_BYTES);
        text_append_format(out, "%zx\r\n", chunk.length);
        text_append(out, chunk);
        text_append_format(out, "\r\n");
    }
    text_append_format(out, "0\r\n\r\n");
}

bool ask_write(const struct settings *settings, const struct ask *ask, struct ask_bytes *bytes)
{
    struct text_buffer out, url, body;
    text_buffer_init(&out, bytes->memory, sizeof(bytes->memory));
    text_buffer_init(&url, bytes->url, sizeof(bytes->url));
    text_buffer_init(&body, bytes->body_memory, sizeof(bytes->body_memory));
    if (ask->has_body)
        text_append(&body, ask->body);
    else if (ask_has_body(ask))
        body_write(settings, ask, &body);
    bytes->body = text_buffer_text(&body);
    if (!ask_write_url(settings, ask, &url) || !head_write_start(ask, bytes->url, &out))
        return false;
    if (ask_has_body(ask))
        head_write_body(settings, ask, bytes->body, &out);
    text_append_format(&out, "\r\n");
    bytes->head_length = out.length;
    if (ask->is_chunked)
        body_append_chunked(&out, bytes->body);
    else
        text_append(&out, bytes->body);
    bytes->whole = text_buffer_text(&out);
    return !out.is_cut && !body.is_cut;
}
