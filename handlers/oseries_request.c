/* The tolerant reader: the body of an O-Series payment in any dialect becomes one plain struct. */
#include "handlers/oseries_request.h"

#include "base/error.h"
#include "base/json.h"
#include "base/log.h"
#include "base/money.h"
#include "base/seal.h"

#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

/* --- fields that nobody asked for --- */

#define IGNORED_LOGGED_MAX 16 /* per request: a hostile body must not fill the log */

static bool is_known(const struct payment_dialect *dialect, struct text name)
{
    const struct profile_names *names = dialect->profile->request[dialect->action];
    for (int field = 0; field < PROFILE_FIELDS; field++)
        for (int32_t i = 0; i < names[field].count; i++)
            if (text_equal(profile_name(&names[field], i), name))
                return true;
    return false;
}

/* A body that is no form reads as one field whose name is the whole body, card number and all. So a
 * name is logged only when it looks like one. */
static struct text loggable_name(struct text name)
{
    bool is_plain = name.length > 0 && name.length <= PROFILE_NAME_MAX;
    for (size_t i = 0; i < name.length && is_plain; i++) {
        char c = name.base[i];
        is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
    }
    return is_plain ? name : TEXT("(no plain name)");
}

static void log_ignored(const struct payment_dialect *dialect, struct text name, size_t count)
{
    if (count < IGNORED_LOGGED_MAX)
        log_event(LOG_DEBUG, "field_ignored", LOG_INT("request_id", dialect->request_id),
                  LOG_TEXT_N("name", loggable_name(name)));
}

/* --- the two body types, one way to ask --- */

/* Only known fields of a form are kept, so this cannot overflow. */
#define FORM_FIELDS_MAX ((size_t)PROFILE_FIELDS * PROFILE_ALIASES_MAX)

struct form_field {
    struct text name;
    struct text value;
};

struct fields {
    struct jread *document; /* NULL: a form */
    char *memory;           /* of the decoded form */
    size_t memory_size;
    struct form_field form[FORM_FIELDS_MAX];
    size_t form_count;
};

static const struct form_field *form_find(const struct fields *fields, struct text name)
{
    for (size_t i = 0; i < fields->form_count; i++)
        if (text_equal(fields->form[i].name, name))
            return &fields->form[i];
    return NULL;
}

static int form_read(const struct payment_dialect *dialect, struct fields *fields, struct text body)
{
    struct text_buffer buffer;
    text_buffer_init(&buffer, fields->memory, fields->memory_size);
    size_t ignored_count = 0;
    for (;;) {
        struct form_field field;
        int err = text_form_next(&body, &buffer, &field.name, &field.value);
        if (err != 0)
            return err == ERR_NOT_FOUND ? 0 : err;
        if (!is_known(dialect, field.name)) {
            if (field.value.length > 0) /* a body that is no form is one name without a value */
                log_ignored(dialect, field.name, ignored_count++);
            continue;
        }
        if (form_find(fields, field.name) != NULL)
            return ERR_JSON_DUPLICATE;
        fields->form[fields->form_count++] = field;
    }
}

static void json_log_ignored(const struct payment_dialect *dialect, const struct jread *document)
{
    size_t ignored_count = 0;
    if (!log_is_on(LOG_DEBUG))
        return;
    for (size_t i = 0; i < jread_count(document); i++) {
        struct text name;
        (void)jread_member_at(document, i, &name);
        if (!is_known(dialect, name))
            log_ignored(dialect, name, ignored_count++);
    }
}

static void fields_close(struct fields *fields)
{
    jread_destroy(fields->document);
    if (fields->memory != NULL)
        seal_wipe(fields->memory, fields->memory_size);
    free(fields->memory);
}

bool oseries_body_is_json(enum body_format format, struct text visible)
{
    switch (format) {
    case BODY_ANY:
        return visible.length > 0 && visible.base[0] == '{';
    case BODY_JSON:
        return true;
    case BODY_FORM:
        return false;
    }
    return false;
}

static int fields_open(const struct payment_dialect *dialect, struct fields *fields,
                       struct text body)
{
    struct text visible = text_trim(body);
    fields->document = NULL;
    fields->memory = NULL;
    fields->memory_size = 0;
    fields->form_count = 0;
    if (oseries_body_is_json(dialect->body_format, visible))
        return jread_parse(body, &fields->document);
    fields->memory_size = visible.length + 1; /* decoding never grows */
    fields->memory = malloc(fields->memory_size);
    if (fields->memory == NULL)
        return ERR_NO_MEMORY;
    int err = form_read(dialect, fields, visible);
    if (err != 0)
        fields_close(fields);
    return err;
}

/* errors  ERR_MISSING: not there, null or empty; ERR_JSON_TYPE: neither text nor number. */
static int fields_find(const struct fields *fields, struct text name, struct text *value)
{
    if (fields->document == NULL) {
        const struct form_field *field = form_find(fields, name);
        *value = field == NULL ? (struct text){NULL, 0} : field->value;
    } else {
        int err = jread_scalar(jread_member_named(fields->document, name), value);
        if (err != 0)
            return err;
    }
    return value->length == 0 ? ERR_MISSING : 0;
}

/* The first alias that says something wins. *name is the one that did, or the field's first name;
 * NULL when this dialect has none. */
static int fields_find_any(const struct fields *fields, const struct profile_names *aliases,
                           const char **name, struct text *value)
{
    *name = aliases->count == 0 ? NULL : aliases->names[0];
    for (int32_t i = 0; i < aliases->count; i++) {
        int err = fields_find(fields, profile_name(aliases, i), value);
        if (err == ERR_MISSING)
            continue;
        *name = aliases->names[i];
        return err;
    }
    return ERR_MISSING;
}

/* --- what is in them --- */

static int tell_body(struct text_buffer *fault, int err)
{
    const char *sentence = "The request cannot be read.";
    if (err == ERR_JSON_SYNTAX)
        sentence = "The request is not valid JSON.";
    else if (err == ERR_JSON_DUPLICATE)
        sentence = "The request names one field twice.";
    else if (err == ERR_JSON_DEPTH)
        sentence = "The request is nested too deeply.";
    else if (err == ERR_FORM_SYNTAX)
        sentence = "The request is neither valid JSON nor a valid form.";
    text_append(fault, text_of(sentence));
    return err;
}

static int tell_field(struct text_buffer *fault, const char *name, int err)
{
    const char *what = "is not a whole number.";
    if (err == ERR_MISSING)
        what = "is missing.";
    else if (err == ERR_TOO_LARGE)
        what = "is too large.";
    else if (err == ERR_JSON_TYPE)
        what = "must be a text or a number.";
    text_append_format(fault, "%s %s", name, what);
    return err;
}

static int read_id(const struct fields *fields, const struct profile_names *aliases, bool is_needed,
                   int64_t *id, struct text_buffer *fault)
{
    const char *name;
    struct text value;
    *id = 0;
    int err = fields_find_any(fields, aliases, &name, &value);
    if (err == ERR_MISSING && !is_needed)
        return 0;
    if (err == 0)
        err = text_parse_int64(value, id);
    if (err == 0 && *id < 0)
        err = ERR_NOT_A_NUMBER;
    return err == 0 ? 0 : tell_field(fault, name, err);
}

static int read_ids(const struct fields *fields, const struct profile_names names[PROFILE_FIELDS],
                    struct payment_request *request, struct text_buffer *fault)
{
    int err = read_id(fields, &names[PROFILE_COMPANY], true, &request->company_id, fault);
    if (err == 0)
        err = read_id(fields, &names[PROFILE_SITE], false, &request->site_id, fault);
    if (err == 0)
        err = read_id(fields, &names[PROFILE_REGISTER], false, &request->register_id, fault);
    if (err == 0)
        err = read_id(fields, &names[PROFILE_ORDER], false, &request->order_id, fault);
    return err;
}

static int read_card_field(const struct fields *fields, const struct profile_names *aliases,
                           struct card_number *card, bool *is_given, struct text_buffer *fault)
{
    const char *name;
    struct text value;
    *is_given = false;
    int err = fields_find_any(fields, aliases, &name, &value);
    if (err == ERR_MISSING || (err == 0 && text_trim(value).length == 0))
        return 0;
    if (err != 0)
        return tell_field(fault, name, err);
    card_number_read(value, card);
    *is_given = true;
    return 0;
}

static bool cards_differ(const struct card_number *a, const struct card_number *b)
{
    return strcmp(a->number, b->number) != 0 || strcmp(a->pin, b->pin) != 0;
}

/* reference_id, which a customer check-in fills, goes before what was typed. */
static int read_card(const struct payment_dialect *dialect, const struct fields *fields,
                     struct payment_request *request, struct text_buffer *fault)
{
    const struct profile_names *names = dialect->profile->request[dialect->action];
    struct card_number typed = {0};
    bool has_typed, has_reference;
    int err =
        read_card_field(fields, &names[PROFILE_REFERENCE], &request->card, &has_reference, fault);
    if (err == 0)
        err = read_card_field(fields, &names[PROFILE_KEYWORD], &typed, &has_typed, fault);
    if (err != 0)
        return err;
    request->has_card = has_typed || has_reference;
    if (has_typed && has_reference && cards_differ(&typed, &request->card))
        log_event(LOG_INFO, "card_fields_differ", LOG_INT("request_id", dialect->request_id),
                  LOG_TEXT("used", names[PROFILE_REFERENCE].names[0]));
    if (has_typed && !has_reference) {
        request->card = typed;
        request->is_last4 = dialect->last4_is_accepted && strlen(typed.number) == 4 &&
                            text_is_digits(text_of(typed.number));
    }
    seal_wipe(&typed, sizeof(typed));
    return 0;
}

static enum result amount_result_of(int err)
{
    if (err == 0)
        return RESULT_OK;
    if (err == ERR_MISSING)
        return RESULT_AMOUNT_MISSING;
    if (err == ERR_TOO_PRECISE)
        return RESULT_AMOUNT_TOO_PRECISE;
    if (err == ERR_TOO_LARGE)
        return RESULT_AMOUNT_TOO_LARGE;
    return RESULT_AMOUNT_INVALID;
}

static void read_amount(const struct payment_dialect *dialect, const struct fields *fields,
                        struct payment_request *request)
{
    const char *name;
    struct text value;
    int err = fields_find_any(fields, &dialect->profile->request[dialect->action][PROFILE_AMOUNT],
                              &name, &value);
    if (err == 0)
        err = money_parse(value, dialect->exponent, &request->asked_minor);
    request->amount_result = amount_result_of(err);
    if (err != 0)
        request->asked_minor = 0;
    /* The REST API writes refunds as negative payments; a register may do the same here. */
    if (dialect->action == PROFILE_REFUND && request->asked_minor < 0)
        request->asked_minor = -request->asked_minor;
}

static bool carries_refused(const struct payment_dialect *dialect, const struct fields *fields)
{
    const char *name;
    struct text value;
    return fields_find_any(fields, &dialect->profile->request[dialect->action][PROFILE_REFUSED],
                           &name, &value) != ERR_MISSING;
}

int oseries_request_read(const struct payment_dialect *dialect, struct text body,
                         struct payment_request *request, struct text_buffer *fault)
{
    struct fields fields;
    memset(request, 0, sizeof(*request));
    int err = fields_open(dialect, &fields, body);
    if (err != 0)
        return tell_body(fault, err);
    err = read_ids(&fields, dialect->profile->request[dialect->action], request, fault);
    if (err == 0)
        err = read_card(dialect, &fields, request, fault);
    if (err == 0) {
        read_amount(dialect, &fields, request);
        request->is_misdirected = carries_refused(dialect, &fields);
        if (fields.document != NULL)
            json_log_ignored(dialect, fields.document);
    }
    fields_close(&fields);
    return err;
}
