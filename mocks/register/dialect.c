/* Reads and writes the names that a register speaks, from tables of what may be named. */
#include "mocks/register/dialect.h"

#include <string.h>

#include "base/banned.h"

static const char *const ACTIONS[DIALECT_PAYMENTS] = {"checkout", "check_balance", "top_up",
                                                      "refund"};
static const char *const FIELDS[DIALECT_FIELDS] = {
    "company_id", "site_id", "register_id", "order_id", "keyword", "reference_id", "amount"};
static const char *const QUERIES[DIALECT_QUERIES] = {"company_id", "site_id",      "order_id",
                                                     "keyword",    "reference_id", "customer_id"};
static const char *const VALUES[DIALECT_VALUES] = {"success",   "amount",  "balance",
                                                   "reference", "message", "error"};
static const char *const LOOKS[DIALECT_LOOKS] = {"search", "lookup"};
static const char *const MEMBERS[DIALECT_MEMBERS] = {"member",   "first_name", "last_name",
                                                     "email",    "points",     "points_label",
                                                     "icon_url", "intro_text", "params"};
static const char *const REWARDS[DIALECT_REWARDS] = {"reward", "title", "terms", "points_required",
                                                     "redeem_url"};

/* What the values are called where nobody has changed it (protocol o-series 2.6, 3.1, 3.2). */
static const struct dialect DOCUMENTED = {
    .request = {{"company_id", "site_id", "register_id", "order_id", "keyword", "reference_id",
                 "amount"},
                {"company_id", "site_id", "register_id", "order_id", "keyword", "reference_id", ""},
                {"company_id", "site_id", "register_id", "order_id", "keyword", "reference_id",
                 "topup_amount"},
                {"company_id", "site_id", "register_id", "order_id", "keyword", "reference_id",
                 "amount"}},
    .reply = {{"success", "amount", "balance", "reference_id", "message", "error"},
              {"success", "amount", "balance", "reference_id", "message", "error"},
              {"success", "amount", "balance", "reference_id", "message", "error"},
              {"success", "amount", "balance", "reference_id", "message", "error"}},
    .refusal_error = "error",
    .query = {"company_id", "site_id", "order_id", "keyword", "reference_id", "customer_id"},
    .wrapper = {"members", "member"},
    .member = {{"id", "first_name", "last_name", "email_address", "current_points", "points_label",
                "icon_url", "intro_text", "params"},
               {"id", "first_name", "last_name", "email_address", "current_points", "points_label",
                "icon_url", "intro_text", "params"}},
    .rewards = "rewards",
    .reward = {"id", "title", "terms", "points_required", "redeem_url"},
    .redeem_success = "success",
    .redeem_error = "error",
    .loyalty_error = "error",
};

const struct dialect *dialect_documented(void)
{
    return &DOCUMENTED;
}

void dialect_init(struct dialect *dialect)
{
    *dialect = DOCUMENTED;
}

/* --- reading --------------------------------------------------------------------------------- */

static bool complain(struct text_buffer *why, const char *where, const char *what)
{
    text_append_format(why, "names: %s: %s.", where, what);
    return false;
}

static bool name_take(char name[DIALECT_NAME_MAX], const struct jread *value, const char *where,
                      struct text_buffer *why)
{
    struct text text;
    struct text_buffer buffer;
    text_buffer_init(&buffer, name, DIALECT_NAME_MAX);
    if (jread_text(value, &text) == 0 && text.length > 0 && text.length < DIALECT_NAME_MAX) {
        text_append(&buffer, text);
        return true;
    }
    return complain(why, where, "a name of 1 to 63 bytes wanted");
}

/* A list of names, of which a register writes the first; an empty one: the field is not sent. */
static bool list_take(char name[DIALECT_NAME_MAX], const struct jread *list, const char *where,
                      struct text_buffer *why)
{
    if (jread_kind_of(list) != JREAD_ARRAY)
        return complain(why, where, "a list of names wanted");
    name[0] = '\0';
    return jread_count(list) == 0 || name_take(name, jread_element(list, 0), where, why);
}

static size_t find_name(const char *const *names, size_t count, struct text wanted)
{
    size_t i = 0;
    while (i < count && !text_equal(text_of(names[i]), wanted))
        i++;
    return i;
}

/* {"company_id": ["firm"], ...} into names; "refused" is the partner's affair. */
static bool lists_take(char (*names)[DIALECT_NAME_MAX], const char *const *fields, size_t count,
                       const struct jread *object, const char *where, struct text_buffer *why)
{
    if (object != NULL && jread_kind_of(object) != JREAD_OBJECT)
        return complain(why, where, "an object wanted");
    for (size_t i = 0; i < jread_count(object); i++) {
        struct text field;
        const struct jread *list = jread_member_at(object, i, &field);
        size_t at = find_name(fields, count, field);
        if (at == count && !text_equal(field, TEXT("refused")))
            return complain(why, where, "it has a field that no register sends");
        if (at < count && !list_take(names[at], list, fields[at], why))
            return false;
    }
    return true;
}

/* [{"name": "ok", "value": "success"}, ...]: what the list does not have, the reply has not. Values
 * that a register does not read are left alone. */
static bool values_take(char (*names)[DIALECT_NAME_MAX], const char *const *values, size_t count,
                        const struct jread *list, const char *where, struct text_buffer *why)
{
    if (jread_kind_of(list) != JREAD_ARRAY)
        return complain(why, where, "a list of names and values wanted");
    memset(names, 0, count * sizeof(*names));
    for (size_t i = 0; i < jread_count(list); i++) {
        struct text value = TEXT("");
        const struct jread *item = jread_element(list, i);
        if (jread_text(jread_member(item, "value"), &value) != 0)
            return complain(why, where, "every item has a name and a value");
        size_t at = find_name(values, count, value);
        if (at < count && names[at][0] == '\0' &&
            !name_take(names[at], jread_member(item, "name"), where, why))
            return false;
    }
    return true;
}

/* The sentence of a failure: its error, else its message. */
static bool error_take(char name[DIALECT_NAME_MAX], const struct jread *list, const char *where,
                       struct text_buffer *why)
{
    static const char *const SENTENCES[] = {"error", "message"};
    char found[COUNT_OF(SENTENCES)][DIALECT_NAME_MAX];
    if (!values_take(found, SENTENCES, COUNT_OF(SENTENCES), list, where, why))
        return false;
    memcpy(name, found[found[0][0] == '\0'], sizeof(found[0]));
    return true;
}

static bool sections_are_known(const struct jread *object, const char *const *names, size_t count,
                               const char *where, struct text_buffer *why)
{
    if (object == NULL)
        return true;
    if (jread_kind_of(object) != JREAD_OBJECT)
        return complain(why, where, "an object wanted");
    for (size_t i = 0; i < jread_count(object); i++) {
        struct text name;
        (void)jread_member_at(object, i, &name);
        if (find_name(names, count, name) == count)
            return complain(why, where, "it has a part that is not known");
    }
    return true;
}

static bool request_take(struct dialect *dialect, const struct jread *request,
                         struct text_buffer *why)
{
    static const char *const PARTS[] = {"all", "checkout", "check_balance", "top_up", "refund"};
    if (!sections_are_known(request, PARTS, COUNT_OF(PARTS), "request", why))
        return false;
    for (size_t i = 0; i < DIALECT_PAYMENTS; i++) {
        if (!lists_take(dialect->request[i], FIELDS, DIALECT_FIELDS, jread_member(request, "all"),
                        "request.all", why) ||
            !lists_take(dialect->request[i], FIELDS, DIALECT_FIELDS,
                        jread_member(request, ACTIONS[i]), ACTIONS[i], why))
            return false;
    }
    return true;
}

static bool reply_take(struct dialect *dialect, const struct jread *reply, struct text_buffer *why)
{
    static const char *const PARTS[] = {"checkout", "check_balance", "top_up", "refund", "refusal"};
    if (!sections_are_known(reply, PARTS, COUNT_OF(PARTS), "reply", why))
        return false;
    for (size_t i = 0; i < DIALECT_PAYMENTS; i++) {
        const struct jread *action = jread_member(reply, ACTIONS[i]);
        const struct jread *success = jread_member(action, "success");
        const struct jread *failure = jread_member(action, "failure");
        /* The last value is the failure's. */
        if (success != NULL &&
            !values_take(dialect->reply[i], VALUES, DIALECT_VALUES - 1, success, ACTIONS[i], why))
            return false;
        if (failure != NULL &&
            !error_take(dialect->reply[i][VALUE_ERROR], failure, ACTIONS[i], why))
            return false;
    }
    const struct jread *refusal = jread_member(reply, "refusal");
    return refusal == NULL || error_take(dialect->refusal_error, refusal, "refusal", why);
}

static bool look_take(struct dialect *dialect, size_t look, const struct jread *part,
                      struct text_buffer *why)
{
    const struct jread *wrapper = jread_member(part, "wrapper");
    const struct jread *member = jread_member(part, "member");
    return (wrapper == NULL || name_take(dialect->wrapper[look], wrapper, LOOKS[look], why)) &&
           (member == NULL ||
            values_take(dialect->member[look], MEMBERS, DIALECT_MEMBERS, member, LOOKS[look], why));
}

static bool rewards_take(struct dialect *dialect, const struct jread *part, struct text_buffer *why)
{
    const struct jread *wrapper = jread_member(part, "wrapper");
    const struct jread *reward = jread_member(part, "reward");
    return (wrapper == NULL || name_take(dialect->rewards, wrapper, "rewards", why)) &&
           (reward == NULL ||
            values_take(dialect->reward, REWARDS, DIALECT_REWARDS, reward, "rewards", why));
}

static bool redeem_take(struct dialect *dialect, const struct jread *part, struct text_buffer *why)
{
    const struct jread *success = jread_member(part, "success");
    const struct jread *failure = jread_member(part, "failure");
    return (success == NULL ||
            values_take(&dialect->redeem_success, VALUES, 1, success, "redeem", why)) &&
           (failure == NULL || error_take(dialect->redeem_error, failure, "redeem", why));
}

static bool loyalty_take(struct dialect *dialect, const struct jread *loyalty,
                         struct text_buffer *why)
{
    static const char *const PARTS[] = {"request", "search", "lookup",
                                        "rewards", "redeem", "error"};
    const struct jread *error = jread_member(loyalty, "error");
    return sections_are_known(loyalty, PARTS, COUNT_OF(PARTS), "loyalty", why) &&
           lists_take(dialect->query, QUERIES, DIALECT_QUERIES, jread_member(loyalty, "request"),
                      "loyalty.request", why) &&
           look_take(dialect, LOOK_SEARCH, jread_member(loyalty, "search"), why) &&
           look_take(dialect, LOOK_LOOKUP, jread_member(loyalty, "lookup"), why) &&
           rewards_take(dialect, jread_member(loyalty, "rewards"), why) &&
           redeem_take(dialect, jread_member(loyalty, "redeem"), why) &&
           (error == NULL || error_take(dialect->loyalty_error, error, "loyalty.error", why));
}

bool dialect_read(struct dialect *dialect, const struct jread *names, struct text_buffer *why)
{
    static const char *const PARTS[] = {"request", "reply", "loyalty"};
    return sections_are_known(names, PARTS, COUNT_OF(PARTS), "the whole", why) &&
           request_take(dialect, jread_member(names, "request"), why) &&
           reply_take(dialect, jread_member(names, "reply"), why) &&
           loyalty_take(dialect, jread_member(names, "loyalty"), why) &&
           (dialect->query[QUERY_ORDER_ID][0] != '\0' ||
            complain(why, "loyalty.request.order_id", "a redeem_url needs its name"));
}

/* --- writing --------------------------------------------------------------------------------- */

static void write_lists(struct jwrite *writer, const char *title, const char *const *fields,
                        const char (*names)[DIALECT_NAME_MAX], size_t count)
{
    jwrite_key(writer, text_of(title));
    jwrite_object_begin(writer);
    for (size_t i = 0; i < count; i++) {
        jwrite_key(writer, text_of(fields[i]));
        jwrite_array_begin(writer);
        if (names[i][0] != '\0')
            jwrite_text(writer, text_of(names[i]));
        jwrite_array_end(writer);
    }
    jwrite_object_end(writer);
}

static void write_values(struct jwrite *writer, const char *title, const char *const *values,
                         const char (*names)[DIALECT_NAME_MAX], size_t count)
{
    jwrite_key(writer, text_of(title));
    jwrite_array_begin(writer);
    for (size_t i = 0; i < count; i++) {
        if (names[i][0] == '\0')
            continue;
        jwrite_object_begin(writer);
        jwrite_key(writer, TEXT("name"));
        jwrite_text(writer, text_of(names[i]));
        jwrite_key(writer, TEXT("value"));
        jwrite_text(writer, text_of(values[i]));
        jwrite_object_end(writer);
    }
    jwrite_array_end(writer);
}

static void begin(struct jwrite *writer, const char *title)
{
    jwrite_key(writer, text_of(title));
    jwrite_object_begin(writer);
}

static void write_wrapper(struct jwrite *writer, const char *name)
{
    jwrite_key(writer, TEXT("wrapper"));
    jwrite_text(writer, text_of(name));
}

static void write_reply(const struct dialect *dialect, struct jwrite *writer)
{
    begin(writer, "reply");
    for (size_t i = 0; i < DIALECT_PAYMENTS; i++) {
        begin(writer, ACTIONS[i]);
        write_values(writer, "success", VALUES, dialect->reply[i], DIALECT_VALUES - 1);
        write_values(writer, "failure", &VALUES[VALUE_ERROR], &dialect->reply[i][VALUE_ERROR], 1);
        jwrite_object_end(writer);
    }
    write_values(writer, "refusal", &VALUES[VALUE_ERROR], &dialect->refusal_error, 1);
    jwrite_object_end(writer);
}

static void write_loyalty(const struct dialect *dialect, struct jwrite *writer)
{
    begin(writer, "loyalty");
    write_lists(writer, "request", QUERIES, dialect->query, DIALECT_QUERIES);
    for (size_t i = 0; i < DIALECT_LOOKS; i++) {
        begin(writer, LOOKS[i]);
        write_wrapper(writer, dialect->wrapper[i]);
        write_values(writer, "member", MEMBERS, dialect->member[i], DIALECT_MEMBERS);
        jwrite_object_end(writer);
    }
    begin(writer, "rewards");
    write_wrapper(writer, dialect->rewards);
    write_values(writer, "reward", REWARDS, dialect->reward, DIALECT_REWARDS);
    jwrite_object_end(writer);
    begin(writer, "redeem");
    write_values(writer, "success", VALUES, &dialect->redeem_success, 1);
    write_values(writer, "failure", &VALUES[VALUE_ERROR], &dialect->redeem_error, 1);
    jwrite_object_end(writer);
    write_values(writer, "error", &VALUES[VALUE_ERROR], &dialect->loyalty_error, 1);
    jwrite_object_end(writer);
}

void dialect_write(const struct dialect *dialect, struct jwrite *writer)
{
    jwrite_object_begin(writer);
    begin(writer, "request");
    for (size_t i = 0; i < DIALECT_PAYMENTS; i++)
        write_lists(writer, ACTIONS[i], FIELDS, dialect->request[i], DIALECT_FIELDS);
    jwrite_object_end(writer);
    write_reply(dialect, writer);
    write_loyalty(dialect, writer);
    jwrite_object_end(writer);
}
