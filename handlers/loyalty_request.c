/* The tolerant reader of loyalty: a query string and a body become one plain struct. */
#include "handlers/loyalty_request.h"

#include "base/error.h"
#include "base/json.h"
#include "handlers/oseries_request.h"

#include <string.h>

#include "base/banned.h"

/* The token is the last field: its name is ours and in no profile. */
#define TOKEN LOYALTY_FIELDS
#define FIELDS (LOYALTY_FIELDS + 1)

/* What one source says: of a field with several names, the first name that says something. */
struct found {
    struct text values[FIELDS];
    int32_t ranks[FIELDS]; /* of the name that said it */
    bool is_there[FIELDS][PROFILE_ALIASES_MAX];
};

static bool find_field(const struct profile_loyalty *profile, struct text name, int *field,
                       int32_t *rank)
{
    *rank = 0;
    *field = TOKEN;
    if (text_equal(name, TEXT(LOYALTY_TOKEN_NAME)))
        return true;
    for (*field = 0; *field < LOYALTY_FIELDS; (*field)++)
        for (*rank = 0; *rank < profile->request[*field].count; (*rank)++)
            if (text_equal(name, profile_name(&profile->request[*field], *rank)))
                return true;
    return false;
}

static int take_value(const struct profile_loyalty *profile, struct text name, struct text value,
                      struct found *found)
{
    int field;
    int32_t rank;
    if (!find_field(profile, name, &field, &rank))
        return 0;
    if (found->is_there[field][rank])
        return ERR_JSON_DUPLICATE;
    found->is_there[field][rank] = true;
    value = text_trim(value);
    if (value.length > 0 && (found->values[field].length == 0 || rank < found->ranks[field])) {
        found->values[field] = value;
        found->ranks[field] = rank;
    }
    return 0;
}

static int read_form(const struct profile_loyalty *profile, struct text form,
                     struct text_buffer *memory, struct found *found)
{
    for (;;) {
        struct text name, value;
        int err = text_form_next(&form, memory, &name, &value);
        if (err != 0)
            return err == ERR_NOT_FOUND ? 0 : err;
        err = take_value(profile, name, value, found);
        if (err != 0)
            return err;
    }
}

static int read_json(const struct profile_loyalty *profile, struct text body,
                     struct text_buffer *memory, struct found *found)
{
    struct jread *document;
    int err = jread_parse(body, &document);
    if (err != 0)
        return err;
    if (jread_kind_of(document) != JREAD_OBJECT)
        err = ERR_JSON_TYPE;
    for (size_t i = 0; i < jread_count(document) && err == 0; i++) {
        struct text name, value;
        const struct jread *member = jread_member_at(document, i, &name);
        if (jread_scalar(member, &value) != 0)
            continue; /* null says nothing; a list or an object is no field of ours */
        struct text copy = {memory->base + memory->length, value.length};
        text_append(memory, value);
        err = take_value(profile, name, copy, found);
    }
    jread_destroy(document);
    return err;
}

static int read_body(const struct profile_loyalty *profile, const struct loyalty_input *input,
                     struct text_buffer *memory, struct found *found)
{
    struct text visible = text_trim(input->body);
    if (visible.length == 0)
        return 0;
    return oseries_body_is_json(input->body_format, visible)
               ? read_json(profile, input->body, memory, found)
               : read_form(profile, visible, memory, found);
}

/* --- what is in them --- */

static int tell(struct text_buffer *fault, int err, const char *name)
{
    const char *sentence = "The request cannot be read.";
    if (err == ERR_FORM_SYNTAX)
        sentence = "The request has a broken percent sign, or a NUL, in it.";
    else if (err == ERR_JSON_SYNTAX)
        sentence = "The request is not valid JSON.";
    else if (err == ERR_JSON_DUPLICATE)
        sentence = "The request names one field twice.";
    else if (err == ERR_JSON_DEPTH)
        sentence = "The request is nested too deeply.";
    if (name == NULL)
        text_append(fault, text_of(sentence));
    else
        text_append_format(fault, "%s is %s.", name,
                           err == ERR_TOO_LARGE ? "too large" : "not a whole number");
    return err;
}

static int read_id(const struct profile_loyalty *profile, const struct text *values,
                   enum loyalty_field field, int64_t *id, struct text_buffer *fault)
{
    *id = 0;
    if (values[field].length == 0)
        return 0;
    int err = text_parse_int64(values[field], id);
    if (err == 0 && *id < 0)
        err = ERR_NOT_A_NUMBER;
    return err == 0 ? 0 : tell(fault, err, profile->request[field].names[0]);
}

static bool is_plain(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
           c == '_';
}

bool loyalty_order_is_placeholder(struct text order)
{
    for (size_t i = 0; i < order.length; i++)
        if (!is_plain(order.base[i]))
            return false;
    return order.length > 0 && order.length <= LOYALTY_ORDER_MAX;
}

static void read_order(struct text order, struct loyalty_request *request)
{
    request->order = order;
    if (!text_is_digits(order) || text_parse_int64(order, &request->order_id) != 0)
        request->order_id = 0;
}

size_t loyalty_request_memory(const struct loyalty_input *input)
{
    return input->query.length + 1 + input->body.length + 1; /* decoding never grows */
}

int loyalty_request_read(const struct profile_loyalty *profile, const struct loyalty_input *input,
                         char *memory, struct loyalty_request *request, struct text_buffer *fault)
{
    struct found of_query = {0}, of_body = {0};
    struct text_buffer buffers[2];
    struct text values[FIELDS];
    memset(request, 0, sizeof(*request));
    text_buffer_init(&buffers[0], memory, input->query.length + 1);
    text_buffer_init(&buffers[1], memory + input->query.length + 1, input->body.length + 1);
    int err = read_form(profile, input->query, &buffers[0], &of_query);
    if (err == 0)
        err = read_body(profile, input, &buffers[1], &of_body);
    if (err != 0)
        return tell(fault, err, NULL);
    for (int i = 0; i < FIELDS; i++)
        values[i] = of_body.values[i].length > 0 ? of_body.values[i] : of_query.values[i];
    request->keyword = values[LOYALTY_KEYWORD];
    request->reference = values[LOYALTY_REFERENCE];
    request->token = values[TOKEN];
    read_order(values[LOYALTY_ORDER], request);
    err = read_id(profile, values, LOYALTY_COMPANY, &request->company_id, fault);
    if (err == 0)
        err = read_id(profile, values, LOYALTY_SITE, &request->site_id, fault);
    if (err == 0)
        err = read_id(profile, values, LOYALTY_CUSTOMER, &request->customer_id, fault);
    return err;
}
