/* Reads and writes a till's configuration from one table of its fields. */
#include "mocks/register/config.h"

#include "base/url.h"
#include "mocks/lightspeed/call.h"
#include "mocks/register/bill.h"

#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

enum kind {
    KIND_ID,
    KIND_NUMBER,
    KIND_TEXT,
    KIND_NAME, /* a text that is not empty */
    KIND_URL,
    KIND_BOOL,
    KIND_CHOICE,
};

struct row {
    const char *name;
    enum kind kind;
    size_t offset, size;
    int64_t min, max;
    const char *const *choices; /* NULL-terminated */
};

static const char *const BODY_TYPES[] = {"json", "form", NULL};
static const char *const AMOUNT_TYPES[] = {"number", "string", NULL};
static const char *const PROFILES[] = {"strict", "lenient", NULL};
static const char *const SIGN_GETS[] = {"none", "empty", "query", "path", "url", NULL};
static const char *const REFUND_NAMES[] = {"refund", "sale", NULL};

#define AT(member) .offset = offsetof(struct config, member)
#define SIZED(member) AT(member), .size = sizeof(((struct config *)0)->member)
#define URL_OF(action) AT(urls[action]), .size = CONFIG_URL_MAX, .kind = KIND_URL
#define CHOICE_OF(member, words) AT(member), .kind = KIND_CHOICE, .choices = (words)

static const struct row ROWS[] = {
    {"company_id", AT(company_id), .kind = KIND_ID},
    {"site_id", AT(site_id), .kind = KIND_ID},
    {"register_id", AT(register_id), .kind = KIND_ID},
    {"client_id", SIZED(client_id), .kind = KIND_NAME},
    {"signature_token", SIZED(token), .kind = KIND_TEXT},
    {"checkout_url", URL_OF(TILL_CHECKOUT)},
    {"check_balance_url", URL_OF(TILL_CHECK_BALANCE)},
    {"top_up_url", URL_OF(TILL_TOP_UP)},
    {"refund_url", URL_OF(TILL_REFUND)},
    {"customer_search_url", URL_OF(TILL_CUSTOMER_SEARCH)},
    {"reward_lookup_url", URL_OF(TILL_REWARD_LOOKUP)},
    {"payment_name", SIZED(payment_name), .kind = KIND_NAME},
    {"requires_reference", AT(requires_reference), .kind = KIND_BOOL},
    {"has_payments", AT(has_payments), .kind = KIND_BOOL},
    {"has_loyalty", AT(has_loyalty), .kind = KIND_BOOL},
    {"needs_grant", AT(needs_grant), .kind = KIND_BOOL},
    {"body_type", CHOICE_OF(body_is_form, BODY_TYPES)},
    {"amount_type", CHOICE_OF(amount_is_string, AMOUNT_TYPES)},
    {"profile", CHOICE_OF(is_lenient, PROFILES)},
    {"timeout_s", AT(timeout_s), .kind = KIND_NUMBER, .min = 1, .max = CONFIG_TIMEOUT_S_MAX},
    {"sign_get", CHOICE_OF(sign_get, SIGN_GETS)},
    {"refund_names", CHOICE_OF(refund_names_sale, REFUND_NAMES)},
    {"clock_skew_s", AT(clock_skew_s), .kind = KIND_NUMBER, .min = -CONFIG_SKEW_S_MAX,
     .max = CONFIG_SKEW_S_MAX},
};

static void *place_of(struct config *config, const struct row *row)
{
    return (char *)config + row->offset;
}

static void put_text(char *out, size_t size, struct text text)
{
    struct text_buffer buffer;
    text_buffer_init(&buffer, out, size);
    text_append(&buffer, text);
}

enum sign_mode config_sign_mode(const struct config *config)
{
    static const enum sign_mode MODES[] = {SIGN_NONE, SIGN_EMPTY, SIGN_QUERY, SIGN_PATH, SIGN_URL};
    CHECK(config->sign_get >= 0 && (size_t)config->sign_get < COUNT_OF(MODES));
    return config->token[0] == '\0' ? SIGN_NONE : MODES[config->sign_get];
}

void config_init(struct config *config)
{
    *config = (struct config){.company_id = 5678,
                              .site_id = 923,
                              .register_id = 9091,
                              .client_id = "demo-client",
                              .payment_name = "Our Gift Card",
                              .requires_reference = true,
                              .has_payments = true,
                              .has_loyalty = true,
                              .needs_grant = true,
                              .timeout_s = TIMEOUT_S_DEFAULT};
    dialect_init(&config->dialect);
}

/* --- reading --------------------------------------------------------------------------------- */

/* NULL: libcurl goes there when it is asked to. */
static const char *url_objection(struct text url)
{
    char memory[URL_ORIGIN_MAX];
    struct text_buffer origin;
    text_buffer_init(&origin, memory, sizeof(memory));
    if (!text_equal_nocase(text_slice(url, 0, 7), TEXT("http://")) &&
        !text_equal_nocase(text_slice(url, 0, 8), TEXT("https://")))
        return "an address that begins with http:// or https:// wanted, or nothing.";
    for (size_t i = 0; i < url.length; i++)
        if ((unsigned char)url.base[i] <= ' ' || url.base[i] == '#' || url.base[i] == '\x7f')
            return "an address without spaces, control characters and # wanted.";
    if (url_origin(url, &origin))
        return NULL;
    return "a host wanted, by name, as 127.0.0.1 or as [::1], and behind it nothing or a port from "
           "1 to 65535: without a user or a password.";
}

static bool read_text(struct config *config, const struct row *row, const struct jread *json,
                      struct till_answer *answer)
{
    struct text text;
    if (!till_take_text(json, row->name, true, &text, answer))
        return false;
    if (text.length >= row->size)
        return till_refuse(answer, 422, "bad_value", "%s: at most %zu bytes.", row->name,
                           row->size - 1);
    if (row->kind == KIND_NAME && text_trim(text).length == 0)
        return till_refuse(answer, 422, "bad_value", "%s: it must not be empty.", row->name);
    const char *objection = row->kind == KIND_URL && text.length > 0 ? url_objection(text) : NULL;
    if (objection != NULL)
        return till_refuse(answer, 422, "bad_value", "%s: %s", row->name, objection);
    if (row->kind != KIND_URL && !text_is_printable(text))
        return till_refuse(answer, 422, "bad_value", "%s: no control characters.", row->name);
    put_text(place_of(config, row), row->size, text);
    return true;
}

static bool read_choice(struct config *config, const struct row *row, const struct jread *json,
                        struct till_answer *answer)
{
    struct text word;
    char words[128];
    struct text_buffer all;
    text_buffer_init(&all, words, sizeof(words));
    if (!till_take_text(json, row->name, true, &word, answer))
        return false;
    for (int64_t i = 0; row->choices[i] != NULL; i++) {
        if (text_equal(word, text_of(row->choices[i]))) {
            *(int64_t *)place_of(config, row) = i;
            return true;
        }
        text_append_format(&all, "%s\"%s\"", i > 0 ? ", " : "", row->choices[i]);
    }
    return till_refuse(answer, 422, "bad_value", "%s: one of %s wanted.", row->name, words);
}

static bool read_row(struct config *config, const struct row *row, const struct jread *json,
                     struct till_answer *answer)
{
    switch (row->kind) {
    case KIND_ID:
        return till_take_int(json, row->name, 1, INT64_MAX, place_of(config, row), answer);
    case KIND_NUMBER:
        return till_take_int(json, row->name, row->min, row->max, place_of(config, row), answer);
    case KIND_BOOL:
        return till_take_bool(json, row->name, place_of(config, row), answer);
    case KIND_CHOICE:
        return read_choice(config, row, json, answer);
    case KIND_TEXT:
    case KIND_NAME:
    case KIND_URL:
        return read_text(config, row, json, answer);
    }
    return false;
}

static void write_copy(struct jwrite *writer, const void *json)
{
    jwrite_copy(writer, json);
}

/* names: null takes them back to the documented ones. */
static bool read_names(struct config *config, const struct jread *names, struct till_answer *answer)
{
    char memory[TILL_ERROR_MAX];
    struct text_buffer why;
    struct made made = {0};
    text_buffer_init(&why, memory, sizeof(memory));
    dialect_init(&config->dialect);
    config->names[0] = '\0';
    if (jread_kind_of(names) == JREAD_NULL)
        return true;
    if (!dialect_read(&config->dialect, names, &why))
        return till_refuse(answer, 422, "bad_value", "%s", memory);
    made_create(&made, write_copy, names);
    bool fits = made.length < sizeof(config->names);
    if (fits)
        put_text(config->names, sizeof(config->names), made_text(&made));
    made_destroy(&made);
    return fits || till_refuse(answer, 422, "bad_value", "names: at most 32 KiB.");
}

static const struct row *find_row(struct text name)
{
    for (size_t i = 0; i < COUNT_OF(ROWS); i++)
        if (text_equal(text_of(ROWS[i].name), name))
            return &ROWS[i];
    return NULL;
}

static bool read_member(struct config *config, const struct jread *json, size_t index,
                        struct till_answer *answer)
{
    struct text name;
    const struct jread *value = jread_member_at(json, index, &name);
    const struct row *row = find_row(name);
    if (row == NULL && !text_equal(name, TEXT("names")))
        return till_refuse(answer, 400, "unknown_field", "The back office has no \"%.*s\".",
                           (int)(name.length > 64 ? 64 : name.length), name.base);
    if (row != NULL && jread_kind_of(value) == JREAD_NULL)
        return till_refuse(answer, 400, "wrong_type", "%s cannot be null.", row->name);
    return row == NULL ? read_names(config, value, answer) : read_row(config, row, json, answer);
}

bool config_read(struct config *config, const struct jread *json, struct till_answer *answer)
{
    for (size_t i = 0; i < jread_count(json); i++)
        if (!read_member(config, json, i, answer))
            return false;
    return true;
}

/* Each is its own button: two that are called the same, or but for capitals, are none. */
bool config_name_is_free(const struct config *config, const struct jread *methods,
                         struct till_answer *answer)
{
    struct text wanted = text_trim(text_of(config->payment_name));
    for (size_t i = 0; i < jread_count(methods); i++) {
        const struct jread *method = jread_element(methods, i);
        if (bill_method_is_plain(method, config->company_id) &&
            text_equal_nocase(text_trim(bill_text(method, "name")), wanted))
            return till_refuse(answer, 422, "bad_value",
                               "payment_name: the merchant has a payment type of this name "
                               "already; another one wanted.");
    }
    return true;
}

static void write_problem(struct jwrite *writer, struct text name, struct till_answer *refusal)
{
    jwrite_key(writer, name);
    jwrite_raw(writer, made_text(&refusal->body));
}

/* false: the payment type's name has one. */
static bool write_problem_of(struct config *config, const struct jread *json, size_t index,
                             struct jwrite *writer)
{
    struct text name;
    struct till_answer refusal = {0};
    (void)jread_member_at(json, index, &name);
    bool is_good = read_member(config, json, index, &refusal);
    if (!is_good)
        write_problem(writer, name, &refusal);
    made_destroy(&refusal.body);
    return is_good || !text_equal(name, TEXT("payment_name"));
}

void config_write_problems(const struct config *config, const struct jread *json,
                           const struct jread *methods, struct jwrite *writer)
{
    struct till_answer refusal = {0};
    bool is_name_good = jread_member(json, "payment_name") != NULL;
    struct config *scratch = malloc(sizeof(*scratch));
    CHECK(scratch != NULL);
    *scratch = *config;
    jwrite_object_begin(writer);
    jwrite_begin(writer, "problems", false);
    for (size_t i = 0; i < jread_count(json); i++)
        is_name_good = write_problem_of(scratch, json, i, writer) && is_name_good;
    if (is_name_good && !config_name_is_free(scratch, methods, &refusal))
        write_problem(writer, TEXT("payment_name"), &refusal);
    made_destroy(&refusal.body);
    jwrite_object_end(writer);
    jwrite_object_end(writer);
    free(scratch);
}

bool config_set_base(struct config *config, const char *url)
{
    struct text base = text_of(url);
    struct text path = text_slice(base, 0, strcspn(url, "?"));
    struct text query = text_slice(base, path.length, base.length);
    while (path.length > 0 && path.base[path.length - 1] == '/')
        path.length--;
    bool fits = url_objection(base) == NULL;
    for (int action = 0; action < CONFIG_URLS; action++) {
        struct text_buffer out;
        text_buffer_init(&out, config->urls[action], CONFIG_URL_MAX);
        text_append(&out, path);
        text_append_format(&out, "/%s", till_action_path((enum till_action)action));
        text_append(&out, query);
        fits = fits && !out.is_cut;
    }
    return fits;
}

/* --- writing --------------------------------------------------------------------------------- */

static void write_row(const struct config *config, const struct row *row, struct jwrite *writer)
{
    const void *place = (const char *)config + row->offset;
    jwrite_key(writer, text_of(row->name));
    switch (row->kind) {
    case KIND_ID:
    case KIND_NUMBER:
        jwrite_int64(writer, *(const int64_t *)place);
        return;
    case KIND_BOOL:
        jwrite_bool(writer, *(const bool *)place);
        return;
    case KIND_CHOICE:
        jwrite_text(writer, text_of(row->choices[*(const int64_t *)place]));
        return;
    case KIND_TEXT:
    case KIND_NAME:
    case KIND_URL:
        jwrite_text(writer, text_of(place));
        return;
    }
}

void config_write(const struct config *config, struct jwrite *writer)
{
    jwrite_object_begin(writer);
    for (size_t i = 0; i < COUNT_OF(ROWS); i++)
        write_row(config, &ROWS[i], writer);
    jwrite_key(writer, TEXT("names"));
    if (config->names[0] != '\0')
        jwrite_raw(writer, text_of(config->names));
    else
        jwrite_null(writer);
    jwrite_object_end(writer);
}

static void write_whole(struct jwrite *writer, const void *config)
{
    config_write(config, writer);
}

bool config_equal(const struct config *a, const struct config *b)
{
    struct made made[2];
    made_create(&made[0], write_whole, a);
    made_create(&made[1], write_whole, b);
    bool are_equal = text_equal(made_text(&made[0]), made_text(&made[1]));
    made_destroy(&made[0]);
    made_destroy(&made[1]);
    return are_equal;
}
