/* Builds what a register sends (protocol o-series 2.1, 3): address, body, signature. */
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

/* A field without a name is one that this register does not send. */
static void fields_add(struct fields *fields, const char *name, const char *value, bool is_number)
{
    if (name[0] == '\0')
        return;
    CHECK(fields->count < FIELDS_MAX);
    fields->field[fields->count++] =
        (struct field){.name = name, .value = text_of(value), .is_number = is_number};
}

static void fields_add_id(struct fields *fields, const char *name, int64_t id)
{
    CHECK(fields->count < FIELDS_MAX);
    struct text_buffer digits;
    text_buffer_init(&digits, fields->digits[fields->count], DIGITS_MAX);
    text_append_int64(&digits, id);
    fields_add(fields, name, digits.base, true);
}

static void fields_fill(struct fields *fields, const struct options *options)
{
    CHECK(options->action < DIALECT_PAYMENTS);
    const char(*names)[DIALECT_NAME_MAX] = options_dialect(options)->request[options->action];
    fields->count = 0;
    fields_add_id(fields, names[FIELD_COMPANY_ID], options->company_id);
    fields_add_id(fields, names[FIELD_SITE_ID], options->site_id);
    fields_add_id(fields, names[FIELD_REGISTER_ID], options->register_id);
    if (options->has_order)
        fields_add_id(fields, names[FIELD_ORDER_ID], options->order_id);
    if (options->card != NULL)
        fields_add(fields,
                   names[options->card_is_reference_id ? FIELD_REFERENCE_ID : FIELD_KEYWORD],
                   options->card, false);
    if (options->amount != NULL)
        fields_add(fields, names[FIELD_AMOUNT], options->amount, !options->amount_is_string);
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

/* All but the unreserved characters %XX; a space '+' in a form's body, but %20 in an address, as in
 * the vendor's example (protocol o-series 3.1). */
static void append_encoded(struct text_buffer *buffer, struct text value, const char *space)
{
    static const char PLAIN[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    for (size_t i = 0; i < value.length; i++) {
        char c = value.base[i];
        if (c == ' ')
            text_append(buffer, text_of(space));
        else if (c != '\0' && strchr(PLAIN, c) != NULL)
            text_append_char(buffer, c);
        else
            text_append_format(buffer, "%%%02X", (unsigned char)c);
    }
}

static void body_write_form(struct text_buffer *body, const struct fields *fields)
{
    for (size_t i = 0; i < fields->count; i++) {
        if (i > 0)
            text_append_char(body, '&');
        text_append(body, text_of(fields->field[i].name));
        text_append_char(body, '=');
        append_encoded(body, fields->field[i].value, "+");
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
static void url_write(struct text_buffer *out, const struct options *options)
{
    struct text url = text_of(options->url);
    struct text action = text_of(till_action_path(options->action));
    struct text path = text_slice(url, 0, strcspn(options->url, "?"));
    if (options->url_is_exact) {
        text_append(out, url);
        return;
    }
    struct text query = text_slice(url, path.length, url.length - path.length);
    while (path.length > 0 && path.base[path.length - 1] == '/')
        path.length--;
    text_append(out, path);
    if (!url_names_action(path, action)) {
        text_append_char(out, '/');
        text_append(out, action);
    }
    text_append(out, query);
}

static void query_add(struct text_buffer *url, const char *name, struct text value)
{
    if (name[0] == '\0')
        return;
    bool is_first = memchr(url->base, '?', url->length) == NULL;
    text_append_format(url, "%c%s=", is_first ? '?' : '&', name);
    append_encoded(url, value, "%20");
}

static void query_add_id(struct text_buffer *url, const char *name, int64_t id)
{
    char digits[DIGITS_MAX];
    struct text_buffer buffer;
    text_buffer_init(&buffer, digits, sizeof(digits));
    text_append_int64(&buffer, id);
    query_add(url, name, text_buffer_text(&buffer));
}

/* protocol o-series 3.1 and 3.2; the parameters in the order of the vendor's examples. */
static void url_write_query(struct text_buffer *url, const struct options *options)
{
    const char(*names)[DIALECT_NAME_MAX] = options_dialect(options)->query;
    bool is_search = options->action == TILL_CUSTOMER_SEARCH;
    if (is_search)
        query_add(url, names[QUERY_KEYWORD], text_of(options->keyword));
    if (!is_search && options->customer_id != 0)
        query_add_id(url, names[QUERY_CUSTOMER_ID], options->customer_id);
    if (!is_search && options->reference != NULL)
        query_add(url, names[QUERY_REFERENCE_ID], text_of(options->reference));
    query_add_id(url, names[QUERY_SITE_ID], options->site_id);
    query_add_id(url, names[QUERY_COMPANY_ID], options->company_id);
    query_add_id(url, names[QUERY_ORDER_ID], options->placeholder_id);
}

struct text placeholder_text(char memory[PLACEHOLDER_TEXT_MAX], const struct options *options,
                             int64_t placeholder_id)
{
    struct text_buffer buffer;
    text_buffer_init(&buffer, memory, PLACEHOLDER_TEXT_MAX);
    text_append_format(&buffer, "%s=", options_dialect(options)->query[QUERY_ORDER_ID]);
    text_append_int64(&buffer, placeholder_id);
    CHECK(!buffer.is_cut);
    return text_buffer_text(&buffer);
}

size_t text_count(struct text text, struct text wanted)
{
    size_t count = 0;
    CHECK(wanted.length > 0);
    for (size_t at = 0; at + wanted.length <= text.length;) {
        bool is_here = memcmp(text.base + at, wanted.base, wanted.length) == 0;
        count += is_here;
        at += is_here ? wanted.length : 1;
    }
    return count;
}

static size_t digits_at(struct text text, size_t at)
{
    size_t end = at;
    while (end < text.length && text.base[end] >= '0' && text.base[end] <= '9')
        end++;
    return end - at;
}

bool placeholder_find(const struct options *options, struct text url, int64_t *placeholder_id)
{
    char memory[PLACEHOLDER_TEXT_MAX];
    struct text name = placeholder_text(memory, options, 0);
    name.length--; /* without the number */
    for (size_t at = url.length; at >= name.length; at--) {
        struct text before = text_slice(url, at - name.length, name.length);
        struct text digits = text_slice(url, at, digits_at(url, at));
        if (text_equal(before, name) && text_parse_int64(digits, placeholder_id) == 0)
            return true;
    }
    return false;
}

/* The replacement is textual, wherever it stands: "kounta_order_id=1119" is hit by "order_id=111"
 * too (protocol o-series 3.3). */
static size_t url_write_redeem(struct text_buffer *out, const struct options *options)
{
    char old_memory[PLACEHOLDER_TEXT_MAX], new_memory[PLACEHOLDER_TEXT_MAX];
    struct text url = text_of(options->url);
    int64_t placeholder_id = options->placeholder_id;
    if (!options->has_placeholder && !placeholder_find(options, url, &placeholder_id)) {
        text_append(out, url);
        return 0;
    }
    struct text old = placeholder_text(old_memory, options, placeholder_id);
    struct text new = placeholder_text(
        new_memory, options, options->keeps_placeholder ? placeholder_id : options->order_id);
    for (size_t at = 0; at < url.length;) {
        bool is_here = text_starts_with(text_slice(url, at, url.length), old);
        text_append(out, is_here ? new : text_slice(url, at, 1));
        at += is_here ? old.length : 1;
    }
    return text_count(url, old);
}

static int request_write_url(struct request *request, const struct options *options)
{
    struct text_buffer url;
    text_buffer_init(&url, request->url, sizeof(request->url));
    if (options->action == TILL_REDEEM)
        request->placeholders = url_write_redeem(&url, options);
    else
        url_write(&url, options);
    if (options->action == TILL_CUSTOMER_SEARCH || options->action == TILL_REWARD_LOOKUP)
        url_write_query(&url, options);
    return url.is_cut ? ERR_TOO_LARGE : 0;
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

/* Of a GET: what might be signed, if anything is (protocol o-series 4). */
static struct text url_signed_part(struct text url, enum sign_mode mode)
{
    size_t path = 0, query = 0;
    for (size_t slashes = 0; path < url.length; path++) {
        slashes += url.base[path] == '/';
        if (slashes == 3) /* http://HOST/ */
            break;
    }
    while (query < url.length && url.base[query] != '?')
        query++;
    if (mode == SIGN_QUERY)
        return text_slice(url, query + 1, url.length);
    if (mode == SIGN_PATH)
        return text_slice(url, path, url.length);
    return mode == SIGN_URL ? url : TEXT("");
}

static struct text request_signed_part(const struct request *request, enum sign_mode mode)
{
    if (mode == SIGN_WRONG)
        return TEXT("another body");
    return mode >= SIGN_EMPTY ? url_signed_part(text_of(request->url), mode) : request->body;
}

/* protocol o-series 4: HMAC-SHA256 under the Signature Token, of the raw body, lower-case hex. */
void request_sign_anew(struct request *request, const char *token, enum sign_mode mode)
{
    uint8_t mac[SEAL_MAC_BYTES];
    struct text_buffer out;
    text_buffer_init(&out, request->signature, sizeof(request->signature));
    if (mode == SIGN_NONE || token == NULL || token[0] == '\0')
        return;
    struct seal_hmac *hmac = seal_hmac_create(text_of(token));
    seal_hmac_sign(hmac, request_signed_part(request, mode), mac);
    seal_hmac_destroy(hmac);
    if (mode == SIGN_BASE64)
        signature_write_base64(&out, mac);
    else
        signature_write_hex(&out, mac, mode == SIGN_UPPER);
    CHECK(!out.is_cut);
}

int request_build(struct request *request, const struct options *options)
{
    CHECK(options->action < TILL_LOYALTY);
    bool is_payment = till_action_is_payment(options->action);
    request->method = is_payment ? "POST" : "GET";
    int err = request_write_url(request, options);
    if (err == 0 && is_payment)
        err = request_write_body(request, options);
    if (err == 0)
        request_sign_anew(request, options->token, options->sign_mode);
    return err;
}

int request_build_get(struct request *request, const char *url, const char *credentials)
{
    struct text_buffer out;
    request->method = "GET";
    request->credentials = credentials;
    text_buffer_init(&out, request->url, sizeof(request->url));
    text_append(&out, text_of(url));
    return out.is_cut ? ERR_TOO_LARGE : 0;
}
