/* Reads a Postman collection, or example JSON, into exchanges: what was asked, what answered. */
#include "base/error.h"
#include "handlers/profile_import_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

#define EXCHANGES_MAX (IMPORT_ACTIONS * IMPORT_EXAMPLES_MAX)
#define FOLDERS_MAX 16
#define RESOLVED_MAX (4 * IMPORT_BODY_MAX)
#define HINT "$" /* in front of a variable that has no value, where JSON wants one */
#define NOT_JSON "is not JSON"
#define SCORE_MIN 12 /* of a title and a path that name an action */

const struct exchange *import_next(const struct import *import, enum import_action action,
                                   int32_t *index)
{
    while (++*index < import->exchange_count)
        if (import->exchanges[*index].action == action)
            return &import->exchanges[*index];
    return NULL;
}

/* Texts made here live as long as the import. */
static struct text keep(struct import *import, struct text text)
{
    size_t from = import->arena.length;
    text_append(&import->arena, text);
    return text_slice(text_buffer_text(&import->arena), from, text.length);
}

static struct text text_of_member(const struct jread *object, const char *name)
{
    struct text text;
    return jread_scalar(jread_member(object, name), &text) == 0 ? text : TEXT("");
}

static bool flag_of_member(const struct jread *object, const char *name)
{
    bool flag;
    return jread_bool(jread_member(object, name), &flag) == 0 && flag;
}

/* --- variables --- */

static struct text trim_variable(struct text name)
{
    name = text_trim(name);
    if (name.length > 0 && name.base[0] == '$') /* Postman's own: {{$guid}} */
        name = text_slice(name, 1, name.length);
    return name;
}

static bool variable_find(const struct import *import, struct text name, struct text *value)
{
    for (size_t i = 0; i < jread_count(import->variables); i++) {
        const struct jread *variable = jread_element(import->variables, i);
        struct text key = text_of_member(variable, "key");
        if (key.length == 0)
            key = text_of_member(variable, "id");
        if (!text_equal(key, name))
            continue;
        *value = text_of_member(variable, "value");
        return value->length > 0 && memchr(value->base, '{', value->length) == NULL;
    }
    return false;
}

/* The variable at the front of text ("{{name}}..."), and how long it is; 0: there is none. */
static size_t variable_length(struct text text, struct text *name)
{
    if (text.length < 4 || text.base[0] != '{' || text.base[1] != '{')
        return 0;
    for (size_t i = 2; i + 1 < text.length && i < 2 + PROFILE_NAME_MAX; i++)
        if (text.base[i] == '}' && text.base[i + 1] == '}') {
            *name = trim_variable(text_slice(text, 2, i - 2));
            return i + 2;
        }
    return 0;
}

/* A value that is one variable and nothing else. */
static void resolve_field(struct import *import, struct import_field *field)
{
    struct text name, value;
    if (field->kind != JREAD_STRING)
        return;
    size_t length = variable_length(field->text, &name);
    if (length == 0 || length != field->text.length)
        return;
    field->hint = name;
    bool is_known = variable_find(import, name, &value);
    field->text = is_known ? keep(import, value) : TEXT("");
    if (!is_known)
        field->kind = JREAD_NULL;
}

/* --- bodies --- */

/* Where JSON wants a value, a variable becomes a text: "{{amount}}". Its value is looked up with
 * the field. Comments go: Postman takes them out too. */
struct cleaner {
    struct text rest;
    struct text_buffer *out;
    bool is_in_text;
};

static void clean_step(struct cleaner *cleaner)
{
    struct text rest = cleaner->rest, name;
    char c = rest.base[0], next = rest.length > 1 ? rest.base[1] : '\0';
    size_t step = 1, length = variable_length(rest, &name);
    if (cleaner->is_in_text) {
        step = c == '\\' && rest.length > 1 ? 2 : 1;
        cleaner->is_in_text = c != '"';
        text_append(cleaner->out, text_slice(rest, 0, step));
    } else if (length > 0) {
        step = length;
        text_append_char(cleaner->out, '"');
        text_append(cleaner->out, text_slice(rest, 0, length));
        text_append_char(cleaner->out, '"');
    } else if (c == '/' && next == '/') {
        while (step < rest.length && rest.base[step] != '\n')
            step++;
    } else if (c == '/' && next == '*') {
        for (step = 2; step < rest.length; step++)
            if (rest.base[step] == '/' && rest.base[step - 1] == '*' && step > 2)
                break;
        step++;
    } else {
        cleaner->is_in_text = c == '"';
        text_append_char(cleaner->out, c);
    }
    cleaner->rest = text_slice(rest, step, rest.length);
}

static void append_reason(struct text_buffer *reason, int err)
{
    if (err == ERR_TOO_LARGE)
        text_append_format(reason, "is longer than %d KiB", RESOLVED_MAX / 1024);
    else if (err == ERR_JSON_DEPTH)
        text_append_format(reason, "nests deeper than %d levels", JREAD_DEPTH_MAX);
    else if (err == ERR_JSON_DUPLICATE)
        text_append(reason, TEXT("has a name twice"));
    else
        text_append(reason, TEXT(NOT_JSON));
}

/* *document stays NULL where the body cannot be read; it ends with the exchange. reason is empty
 * for an object, else it says what the body is instead. */
static int read_json(struct exchange *exchange, struct text body, const struct jread **document,
                     struct text_buffer *reason)
{
    struct jread *parsed = NULL;
    char *bytes = malloc(RESOLVED_MAX);
    if (bytes == NULL)
        return ERR_NO_MEMORY;
    struct text_buffer out;
    text_buffer_init(&out, bytes, RESOLVED_MAX);
    struct cleaner cleaner = {body, &out, false};
    while (cleaner.rest.length > 0 && !out.is_cut)
        clean_step(&cleaner);
    int err = out.is_cut ? ERR_TOO_LARGE : jread_parse(text_buffer_text(&out), &parsed);
    free(bytes);
    if (err == 0 && parsed != NULL)
        exchange->owned[exchange->owned_count++] = parsed;
    *document = err == 0 ? parsed : NULL;
    if (err != 0)
        append_reason(reason, err);
    else if (jread_kind_of(parsed) != JREAD_OBJECT)
        text_append(reason, TEXT("is JSON, but no object"));
    return err == ERR_NO_MEMORY ? err : 0;
}

static void add_field(struct import *import, struct exchange *exchange, struct import_field field)
{
    bool is_variable = text_starts_with(field.name, TEXT("{{"));
    if (field.name.length == 0 || is_variable)
        return;
    if (exchange->field_count < IMPORT_FIELDS_MAX) {
        exchange->fields[exchange->field_count++] = field;
        return;
    }
    if (!exchange->has_more_fields && !exchange->is_asked_alike)
        import_note(import, true,
                    "%s: the request has more than %d fields; those behind them were not read",
                    exchange->name, IMPORT_FIELDS_MAX);
    exchange->has_more_fields = true;
}

struct import_field import_field_of(struct import *import, struct text parent, struct text name,
                                    const struct jread *value)
{
    struct import_field field = {
        .name = name, .parent = parent, .kind = jread_kind_of(value), .value = value};
    struct text text;
    bool flag;
    if (jread_scalar(value, &text) == 0)
        field.text = text;
    else if (jread_bool(value, &flag) == 0)
        field.text = flag ? TEXT("true") : TEXT("false");
    resolve_field(import, &field);
    return field;
}

/* The fields of an object, and those of objects in it: what stands there is told of, as the service
 * does not read it. */
static void add_object(struct import *import, struct exchange *exchange, struct text parent,
                       const struct jread *object)
{
    for (size_t i = 0; i < jread_count(object); i++) {
        struct text name;
        const struct jread *value = jread_member_at(object, i, &name);
        add_field(import, exchange, import_field_of(import, parent, name, value));
        if (parent.length == 0 && jread_kind_of(value) == JREAD_OBJECT)
            add_object(import, exchange, name, value);
    }
}

static void note_unread_request(struct import *import, struct exchange *exchange,
                                const char *reason)
{
    exchange->is_request_unread = true;
    if (!exchange->is_asked_alike)
        import_note(import, true, "%s: the body of the request %s and was not read", exchange->name,
                    reason);
}

static int add_raw(struct import *import, struct exchange *exchange, struct text body)
{
    const struct jread *request;
    char bytes[64];
    struct text_buffer reason;
    if (body.length <= RESOLVED_MAX && text_trim(body).length == 0)
        return 0;
    text_buffer_init(&reason, bytes, sizeof(bytes));
    int err = read_json(exchange, body, &request, &reason);
    if (err != 0)
        return err;
    if (reason.length == 0)
        add_object(import, exchange, TEXT(""), request);
    else
        note_unread_request(import, exchange, bytes);
    return 0;
}

static void add_text(struct import *import, struct exchange *exchange, struct text name,
                     struct text value)
{
    struct import_field field = {.name = name, .text = value, .kind = JREAD_STRING};
    resolve_field(import, &field);
    add_field(import, exchange, field);
}

/* "a=1&b={{two}}" of an address. */
static void add_form(struct import *import, struct exchange *exchange, struct text form)
{
    char *bytes = malloc(form.length + 1);
    if (bytes == NULL)
        return;
    struct text_buffer buffer;
    struct text name, value;
    text_buffer_init(&buffer, bytes, form.length + 1);
    while (text_form_next(&form, &buffer, &name, &value) == 0)
        add_text(import, exchange, keep(import, name), keep(import, value));
    free(bytes);
}

/* Postman's list of {key, value, disabled}: query, urlencoded, formdata. */
static void add_pairs(struct import *import, struct exchange *exchange, const struct jread *pairs)
{
    for (size_t i = 0; i < jread_count(pairs); i++) {
        const struct jread *pair = jread_element(pairs, i);
        if (flag_of_member(pair, "disabled"))
            continue;
        add_text(import, exchange, text_of_member(pair, "key"), text_of_member(pair, "value"));
    }
}

/* "file", "graphql": no register asks so. */
static void note_unread_mode(struct import *import, struct exchange *exchange, struct text mode)
{
    char bytes[64];
    struct text_buffer reason;
    text_buffer_init(&reason, bytes, sizeof(bytes));
    text_append(&reason, TEXT("is of the mode '"));
    text_append_printable(&reason, text_slice(mode, 0, mode.length < 24 ? mode.length : 24),
                          TEXT("?"));
    text_append_char(&reason, '\'');
    note_unread_request(import, exchange, bytes);
}

static int add_body(struct import *import, struct exchange *exchange, const struct jread *body)
{
    struct text mode = text_of_member(body, "mode");
    if (flag_of_member(body, "disabled"))
        return 0;
    if (text_equal(mode, TEXT("raw")))
        return add_raw(import, exchange, text_of_member(body, "raw"));
    if (text_equal(mode, TEXT("urlencoded")))
        add_pairs(import, exchange, jread_member(body, "urlencoded"));
    else if (text_equal(mode, TEXT("formdata")))
        add_pairs(import, exchange, jread_member(body, "formdata"));
    else if (mode.length > 0 && !text_equal(mode, TEXT("none")))
        note_unread_mode(import, exchange, mode);
    return 0;
}

/* --- addresses --- */

static struct text url_text(const struct jread *url)
{
    struct text text;
    if (jread_text(url, &text) == 0) /* v2.0 */
        return text;
    return text_of_member(url, "raw");
}

static struct text url_query(struct text url)
{
    const char *mark = url.length == 0 ? NULL : memchr(url.base, '?', url.length);
    if (mark == NULL)
        return TEXT("");
    return text_slice(url, (size_t)(mark - url.base) + 1, url.length);
}

/* The last two parts of the path: what is in front says more about the server than the action. */
static void url_tail(const struct jread *url, struct text_buffer *tail)
{
    struct text text = url_text(url);
    const struct jread *path = jread_member(url, "path");
    size_t count = jread_count(path), end = 0, slashes = 0;
    for (size_t i = count > 2 ? count - 2 : 0; text.length == 0 && i < count; i++) {
        struct text part;
        text_append_char(tail, '/');
        if (jread_text(jread_element(path, i), &part) == 0)
            text_append(tail, part);
    }
    while (end < text.length && text.base[end] != '?' && text.base[end] != '#')
        end++;
    size_t from = end;
    while (from > 0 && slashes < 2)
        slashes += text.base[--from] == '/';
    text_append(tail, text_slice(text, from, end - from));
}

static void add_query(struct import *import, struct exchange *exchange, const struct jread *url)
{
    const struct jread *query = jread_member(url, "query");
    if (query != NULL)
        add_pairs(import, exchange, query);
    else
        add_form(import, exchange, url_query(url_text(url)));
}

/* --- exchanges --- */

struct item {
    struct text folders[FOLDERS_MAX];
    int32_t folder_count;
    struct text name;
    enum import_action action;
};

static void name_exchange(struct exchange *exchange, const struct item *item, struct text example)
{
    struct text_buffer name;
    text_buffer_init(&name, exchange->name, sizeof(exchange->name));
    for (int32_t i = 0; i < item->folder_count; i++) {
        text_append_printable(&name, item->folders[i], TEXT("?"));
        text_append(&name, TEXT(" / "));
    }
    text_append_printable(&name, item->name, TEXT("?"));
    if (example.length > 0)
        text_append(&name, TEXT(" > "));
    text_append_printable(&name, example, TEXT("?"));
}

static int32_t count_of(const struct import *import, enum import_action action)
{
    int32_t count = 0;
    for (int32_t i = 0; i < import->exchange_count; i++)
        count += import->exchanges[i].action == action;
    return count;
}

/* NULL: there are examples enough of this action. */
static struct exchange *exchange_begin(struct import *import, const struct item *item,
                                       struct text example)
{
    if (import->exchange_count == import->exchange_max ||
        count_of(import, item->action) == IMPORT_EXAMPLES_MAX)
        return NULL;
    struct exchange *exchange = &import->exchanges[import->exchange_count++];
    exchange->action = item->action;
    name_exchange(exchange, item, example);
    return exchange;
}

static bool action_is_payment(enum import_action action)
{
    return action < (enum import_action)PROFILE_ACTIONS;
}

static int add_request(struct import *import, struct exchange *exchange,
                       const struct jread *request)
{
    int err = add_body(import, exchange, jread_member(request, "body"));
    if (err != 0)
        return err;
    /* What stands in the address of a payment was pasted there by the merchant. */
    if (!action_is_payment(exchange->action) || exchange->field_count == 0)
        add_query(import, exchange, jread_member(request, "url"));
    return 0;
}

static int add_reply(struct import *import, struct exchange *exchange, struct text body)
{
    char bytes[64];
    struct text_buffer reason;
    text_buffer_init(&reason, bytes, sizeof(bytes));
    int err = read_json(exchange, body, &exchange->reply, &reason);
    exchange->is_reply_unread = reason.length > 0;
    if (exchange->is_reply_unread)
        import_note(import, true, "%s: the reply %s and was not read%s", exchange->name, bytes,
                    text_equal(text_buffer_text(&reason), TEXT(NOT_JSON))
                        ? "; a register crashes on it"
                        : "");
    return err;
}

static int add_example(struct import *import, const struct item *item, const struct jread *request,
                       const struct jread *saved)
{
    struct exchange *exchange = exchange_begin(import, item, text_of_member(saved, "name"));
    if (exchange == NULL)
        return 0;
    const struct jread *original = jread_member(saved, "originalRequest");
    int64_t status = 0;
    exchange->is_asked_alike = original == NULL;
    int err = add_request(import, exchange, original == NULL ? request : original);
    if (jread_int64(jread_member(saved, "code"), &status) == 0 && status >= 100 && status < 600)
        exchange->status = (int32_t)status;
    struct text body = text_of_member(saved, "body");
    if (err == 0 && body.length > 0)
        err = add_reply(import, exchange, body);
    return err;
}

static int add_item(struct import *import, const struct item *item, const struct jread *node)
{
    const struct jread *request = jread_member(node, "request");
    const struct jread *saved = jread_member(node, "response");
    struct exchange *exchange = exchange_begin(import, item, TEXT(""));
    int err = 0;
    if (exchange != NULL)
        err = add_request(import, exchange, request);
    for (size_t i = 0; err == 0 && i < jread_count(saved); i++)
        err = add_example(import, item, request, jread_element(saved, i));
    return err;
}

/* --- which action? --- */

static bool action_is_ordered(struct import *import, const struct item *item,
                              enum import_action *action)
{
    const struct import_order *order = import->order;
    for (int32_t i = 0; i < order->action_count; i++) {
        struct text rule = order->actions[i];
        const char *equals = memchr(rule.base, '=', rule.length);
        if (equals == NULL ||
            !text_equal_nocase(text_slice(rule, 0, (size_t)(equals - rule.base)), item->name))
            continue;
        struct text name = text_slice(rule, (size_t)(equals - rule.base) + 1, rule.length);
        if (!import_find_action(name, action))
            *action = IMPORT_NONE; /* "=none"; other words were refused before */
        return true;
    }
    return false;
}

static void ask_action(struct import *import, const struct item *item, enum import_action a,
                       enum import_action b)
{
    char where[64];
    snprintf(where, sizeof(where), "action %.*s",
             (int)(item->name.length < 50 ? item->name.length : 50),
             item->name.base == NULL ? "" : item->name.base);
    struct import_question *question = import_ask(import, where);
    if (question == NULL)
        return;
    snprintf(question->sentence, sizeof(question->sentence), "Is the request '%.*s' a %s or a %s?",
             (int)(item->name.length < 80 ? item->name.length : 80), item->name.base,
             import_action_name(a), import_action_name(b));
    snprintf(question->option, sizeof(question->option), "--action '%.*s=%s'",
             (int)(item->name.length < 80 ? item->name.length : 80), item->name.base,
             import_action_name(a));
    for (int i = 0; i < 2; i++)
        snprintf(question->candidates[question->candidate_count++], PROFILE_NAME_MAX + 1, "%s",
                 import_action_name(i == 0 ? a : b));
}

static void choose_action(struct import *import, struct item *item, const struct jread *request)
{
    int scores[IMPORT_ACTIONS] = {0}, best = 0, second = -1;
    char bytes[1024];
    struct text_buffer tail;
    text_buffer_init(&tail, bytes, sizeof(bytes));
    url_tail(jread_member(request, "url"), &tail);
    words_score_actions(text_buffer_text(&tail), 3, scores);
    words_score_actions(item->name, 2, scores);
    for (int32_t i = 0; i < item->folder_count; i++)
        words_score_actions(item->folders[i], 1, scores);
    for (int i = 1; i < IMPORT_ACTIONS; i++)
        if (scores[i] > scores[best])
            best = i;
    for (int i = 0; i < IMPORT_ACTIONS; i++)
        if (i != best && (second < 0 || scores[i] > scores[second]))
            second = i;
    item->action = scores[best] < SCORE_MIN ? IMPORT_NONE : (enum import_action)best;
    if (scores[best] >= SCORE_MIN && 10 * scores[second] > 8 * scores[best]) {
        ask_action(import, item, (enum import_action)best, (enum import_action)second);
        item->action = IMPORT_NONE;
    }
}

/* Some by name, the rest counted. */
static void remember_unused(struct import *import, const struct item *item)
{
    if (import->unused_count < UNUSED_NAMED_MAX)
        import->unused[import->unused_count] = item->name;
    import->unused_count++;
}

static void note_unused(struct import *import)
{
    char bytes[256];
    struct text_buffer names;
    int32_t named =
        import->unused_count < UNUSED_NAMED_MAX ? import->unused_count : UNUSED_NAMED_MAX;
    text_buffer_init(&names, bytes, sizeof(bytes));
    for (int32_t i = 0; i < named; i++) {
        text_append(&names, i == 0 ? TEXT("") : TEXT(", "));
        text_append_printable(&names, import->unused[i], TEXT("?"));
    }
    if (import->unused_count > named)
        text_append_format(&names, " and %d more", import->unused_count - named);
    if (named > 0)
        import_note(import, false,
                    "not used, as they name none of the actions (--action 'REQUEST=checkout' says "
                    "which one): %s",
                    bytes);
}

static int walk(struct import *import, struct item *item, const struct jread *nodes)
{
    int err = 0;
    for (size_t i = 0; err == 0 && i < jread_count(nodes); i++) {
        const struct jread *node = jread_element(nodes, i);
        const struct jread *inside = jread_member(node, "item");
        struct text name = text_of_member(node, "name");
        if (inside != NULL && item->folder_count == FOLDERS_MAX)
            return import_complain(import, "folders are nested deeper than %d", FOLDERS_MAX);
        if (inside != NULL) {
            item->folders[item->folder_count++] = name;
            err = walk(import, item, inside);
            item->folder_count--;
            continue;
        }
        item->name = name;
        if (!action_is_ordered(import, item, &item->action))
            choose_action(import, item, jread_member(node, "request"));
        if (item->action == IMPORT_NONE)
            remember_unused(import, item);
        else if (!import->is_skipped[item->action])
            err = add_item(import, item, node);
    }
    return err;
}

/* --- example JSON --- */

/* A bare object: is it what is asked, or what is answered? A reply says whether it worked. */
static bool is_reply(const struct jread *object)
{
    for (size_t i = 0; i < jread_count(object); i++) {
        struct text name;
        enum jread_kind kind = jread_kind_of(jread_member_at(object, i, &name));
        if (kind == JREAD_BOOL || kind == JREAD_ARRAY || kind == JREAD_OBJECT ||
            words_score(name, "balance=100 error=100 success=100 message=90") > 80)
            return true;
    }
    return false;
}

static const struct jread *either_member(const struct jread *object, const char *a, const char *b)
{
    const struct jread *found = jread_member(object, a);
    return found == NULL ? jread_member(object, b) : found;
}

/* The values of a request or reply that stands in the file itself are borrowed from it. */
static int add_part(struct import *import, struct exchange *exchange, const struct jread *part,
                    bool is_answer)
{
    struct text text;
    if (is_answer && jread_text(part, &text) == 0)
        return add_reply(import, exchange, text);
    if (jread_kind_of(part) != JREAD_OBJECT)
        return import_complain(import, "%s: a request and a reply are JSON objects",
                               exchange->name);
    if (!is_answer) {
        add_object(import, exchange, TEXT(""), part);
        return 0;
    }
    exchange->reply = part; /* of the file */
    return 0;
}

static int add_plain(struct import *import, enum import_action action, const struct jread *object)
{
    struct item item = {.name = text_of(import_action_name(action)), .action = action};
    if (import->is_skipped[action])
        return 0;
    struct exchange *exchange = exchange_begin(import, &item, text_of_member(object, "name"));
    if (exchange == NULL)
        return 0;
    const struct jread *request = jread_member(object, "request");
    const struct jread *reply = either_member(object, "reply", "response");
    int64_t status = 0;
    if (jread_int64(jread_member(object, "status"), &status) == 0 && status >= 100 && status < 600)
        exchange->status = (int32_t)status;
    if (request == NULL && reply == NULL)
        return add_part(import, exchange, object, is_reply(object));
    int err = request == NULL ? 0 : add_part(import, exchange, request, false);
    return err != 0 || reply == NULL ? err : add_part(import, exchange, reply, true);
}

/* One example, or a list of them. */
static int add_plains(struct import *import, enum import_action action, const struct jread *value)
{
    if (jread_kind_of(value) != JREAD_ARRAY)
        return add_plain(import, action, value);
    int err = 0;
    for (size_t i = 0; err == 0 && i < jread_count(value); i++)
        err = add_plain(import, action, jread_element(value, i));
    return err;
}

static bool whole_file_action(const struct import *import, enum import_action *action)
{
    for (int32_t i = 0; i < import->order->action_count; i++) {
        struct text rule = import->order->actions[i];
        if (memchr(rule.base, '=', rule.length) == NULL)
            return import_find_action(rule, action);
    }
    return false;
}

static int complain_unknown(struct import *import)
{
    return import_complain(import, "the file is no Postman collection; say with --action which "
                                   "action it is an example of (--action checkout)");
}

static int read_plain(struct import *import)
{
    enum import_action action;
    if (whole_file_action(import, &action))
        return add_plains(import, action, import->file);
    if (jread_kind_of(import->file) != JREAD_OBJECT)
        return complain_unknown(import);
    for (size_t i = 0; i < jread_count(import->file); i++) {
        struct text name;
        const struct jread *value = jread_member_at(import->file, i, &name);
        if (!import_find_action(name, &action))
            return complain_unknown(import);
        int err = add_plains(import, action, value);
        if (err != 0)
            return err;
    }
    return 0;
}

/* --- the file --- */

static void make_title(struct import *import, struct text name)
{
    char *title = import->report->title;
    size_t used = 0;
    for (size_t i = 0; i < name.length && used < PROFILE_TITLE_MAX; i++) {
        char c = name.base[i];
        if (c >= 'A' && c <= 'Z')
            c = (char)(c - 'A' + 'a');
        bool is_usable = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        if (is_usable || (used > 0 && title[used - 1] != '-'))
            title[used++] = is_usable ? c : '-';
    }
    while (used > 0 && title[used - 1] == '-')
        used--;
    title[used] = '\0';
}

static int read_collection(struct import *import, const struct jread *collection)
{
    struct item item = {0};
    const struct jread *info = jread_member(collection, "info");
    import->is_collection = true;
    import->variables = jread_member(collection, "variable");
    make_title(import, text_of_member(info, "name"));
    int err = walk(import, &item, jread_member(collection, "item"));
    note_unused(import);
    return err;
}

static int parse_file(struct import *import, struct text file)
{
    if (file.length > IMPORT_FILE_MAX)
        return import_complain(import, "the file is larger than 4 MiB");
    if (text_starts_with(file, TEXT("\xef\xbb\xbf"))) /* of an editor */
        file = text_slice(file, 3, file.length);
    int err = jread_parse_deep(file, JREAD_FILE_DEPTH_MAX, &import->file);
    if (err == ERR_JSON_DEPTH)
        return import_complain(import, "the file nests deeper than %d levels",
                               JREAD_FILE_DEPTH_MAX);
    if (err == ERR_JSON_DUPLICATE)
        return import_complain(import, "the file is not JSON: an object has a name twice");
    return err == 0 || err == ERR_NO_MEMORY ? err : import_complain(import, "the file is not JSON");
}

int import_read(struct import *import, struct text file)
{
    int err = parse_file(import, file);
    if (err != 0)
        return err;
    import->exchange_max = EXCHANGES_MAX;
    import->exchanges = calloc((size_t)import->exchange_max, sizeof(*import->exchanges));
    if (import->exchanges == NULL)
        return ERR_NO_MEMORY;
    const struct jread *collection = jread_member(import->file, "collection");
    if (jread_member(collection, "item") == NULL) /* Postman's own API wraps it */
        collection = import->file;
    if (jread_kind_of(jread_member(collection, "item")) == JREAD_ARRAY)
        err = read_collection(import, collection);
    else if (jread_member(collection, "requests") != NULL)
        err = import_complain(import, "this is a collection of Postman's format 1; export it as "
                                      "Collection v2.1");
    else
        err = read_plain(import);
    if (err == 0 && import->arena.is_cut)
        err = import_complain(import, "the addresses and variables of the file are too long");
    if (err == 0 && import->exchange_count == 0 && import->report->question_count == 0)
        err = import_complain(import, "the file holds no example of any action");
    return err == 0 ? import_judge_unread(import) : err;
}
