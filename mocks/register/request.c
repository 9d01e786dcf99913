/* Builds what a register sends (protocol o-series 2.1): address, body, signature. */
#include "mocks/register/request.h"

#include "base/error.h"
#include "base/json.h"
#include "base/seal.h"

#include <string.h>

#include "base/banned.h"

/* company, site, register, order, card, amount */
#define FIELDS_MAX 6
#define DIGITS_MAX 24 /* INT64_MIN and a NUL, rounded up */

struct field {
    const char *name;
    struct text value;
    bool is_number; /* written bare in JSON */
};

struct fields {
    struct field field[FIELDS_MAX];
    size_t count;
    char digits[FIELDS_MAX][DIGITS_MAX];
};

static void fields_add(struct fields *fields, const char *name, const char *value, bool is_number)
{
    CHECK(fields->count < FIELDS_MAX);
    fields->field[fields->count++] =
        (struct field){.name = name, .value = text_of(value), .is_number = is_number};
}

static void fields_add_id(struct fields *fields, const char *name, int64_t id)
{
    struct text_buffer digits;
    text_buffer_init(&digits, fields->digits[fields->count], DIGITS_MAX);
    text_append_int64(&digits, id);
    fields_add(fields, name, digits.base, true);
}

static void fields_fill(struct fields *fields, const struct options *options)
{
    fields->count = 0;
    fields_add_id(fields, "company_id", options->company_id);
    fields_add_id(fields, "site_id", options->site_id);
    fields_add_id(fields, "register_id", options->register_id);
    if (options->has_order)
        fields_add_id(fields, "order_id", options->order_id);
    fields_add(fields, options->card_is_reference_id ? "reference_id" : "keyword", options->card,
               false);
    if (options->amount != NULL)
        fields_add(fields, options->action == TILL_TOP_UP ? "topup_amount" : "amount",
                   options->amount, !options->amount_is_string);
}

static void body_write_json(struct text_buffer *body, const struct fields *fields)
{
    struct jwrite writer;
    jwrite_init(&writer, body);
    jwrite_object_begin(&writer);
    for (size_t i = 0; i < fields->count; i++) {
        const struct field *field = &fields->field[i];
        jwrite_key(&writer, text_of(field->name));
        if (field->is_number)
            jwrite_raw(&writer, field->value);
        else
            jwrite_text(&writer, field->value);
    }
    jwrite_object_end(&writer);
}

/* application/x-www-form-urlencoded: a space is '+', all but the unreserved characters %XX. */
static void body_write_form_value(struct text_buffer *body, struct text value)
{
    static const char PLAIN[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    for (size_t i = 0; i < value.length; i++) {
        char c = value.base[i];
        if (c == ' ')
            text_append_char(body, '+');
        else if (c != '\0' && strchr(PLAIN, c) != NULL)
            text_append_char(body, c);
        else
            text_append_format(body, "%%%02X", (unsigned char)c);
    }
}

static void body_write_form(struct text_buffer *body, const struct fields *fields)
{
    for (size_t i = 0; i < fields->count; i++) {
        if (i > 0)
            text_append_char(body, '&');
        text_append(body, text_of(fields->field[i].name));
        text_append_char(body, '=');
        body_write_form_value(body, fields->field[i].value);
    }
}

static int request_write_body(struct request *request, const struct options *options)
{
    struct fields fields;
    struct text_buffer body;
    fields_fill(&fields, options);
    text_buffer_init(&body, request->body_bytes, sizeof(request->body_bytes));
    if (options->body_is_form)
        body_write_form(&body, &fields);
    else
        body_write_json(&body, &fields);
    request->content_type =
        options->body_is_form ? "application/x-www-form-urlencoded" : "application/json";
    request->body = text_buffer_text(&body);
    return body.is_cut ? ERR_TOO_LARGE : 0;
}

static bool url_names_action(struct text path, struct text action)
{
    return path.length > action.length && path.base[path.length - action.length - 1] == '/' &&
           text_equal(text_slice(path, path.length - action.length, action.length), action);
}

/* The action's path goes before a query string: configured addresses may carry one (o-series 1.1).
 */
static int request_write_url(struct request *request, const struct options *options)
{
    struct text url = text_of(options->url);
    struct text action = text_of(till_action_path(options->action));
    struct text path = text_slice(url, 0, strcspn(options->url, "?"));
    struct text query = text_slice(url, path.length, url.length - path.length);
    struct text_buffer out;
    while (path.length > 0 && path.base[path.length - 1] == '/')
        path.length--;
    text_buffer_init(&out, request->url, sizeof(request->url));
    text_append(&out, path);
    if (!url_names_action(path, action)) {
        text_append_char(&out, '/');
        text_append(&out, action);
    }
    text_append(&out, query);
    return out.is_cut ? ERR_TOO_LARGE : 0;
}

static void signature_write_base64(struct text_buffer *out, const uint8_t mac[SEAL_MAC_BYTES])
{
    static const char ALPHABET[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < SEAL_MAC_BYTES; i += 3) {
        size_t left = SEAL_MAC_BYTES - i;
        uint32_t bits = (uint32_t)mac[i] << 16 | (left > 1 ? (uint32_t)mac[i + 1] << 8 : 0) |
                        (left > 2 ? (uint32_t)mac[i + 2] : 0);
        text_append_char(out, ALPHABET[bits >> 18 & 63]);
        text_append_char(out, ALPHABET[bits >> 12 & 63]);
        text_append_char(out, left > 1 ? ALPHABET[bits >> 6 & 63] : '=');
        text_append_char(out, left > 2 ? ALPHABET[bits & 63] : '=');
    }
}

static void signature_write_hex(struct text_buffer *out, const uint8_t mac[SEAL_MAC_BYTES],
                                bool is_upper)
{
    const char *digits = is_upper ? "0123456789ABCDEF" : "0123456789abcdef";
    for (size_t i = 0; i < SEAL_MAC_BYTES; i++) {
        text_append_char(out, digits[mac[i] >> 4]);
        text_append_char(out, digits[mac[i] & 15]);
    }
}

/* protocol o-series 4: HMAC-SHA256 of the raw body under the Signature Token, lower-case hex. */
static void request_sign(struct request *request, const struct options *options)
{
    uint8_t mac[SEAL_MAC_BYTES];
    struct text_buffer out;
    text_buffer_init(&out, request->signature, sizeof(request->signature));
    if (options->sign_mode == SIGN_NONE)
        return;
    struct seal_hmac *hmac = seal_hmac_create(text_of(options->token));
    seal_hmac_sign(hmac, options->sign_mode == SIGN_WRONG ? TEXT("another body") : request->body,
                   mac);
    seal_hmac_destroy(hmac);
    if (options->sign_mode == SIGN_BASE64)
        signature_write_base64(&out, mac);
    else
        signature_write_hex(&out, mac, options->sign_mode == SIGN_UPPER);
    CHECK(!out.is_cut);
}

int request_build(struct request *request, const struct options *options)
{
    int err = request_write_url(request, options);
    if (err == 0)
        err = request_write_body(request, options);
    if (err == 0)
        request_sign(request, options);
    return err;
}
