/* JSON in: a strict parser that builds json-c's tree, and typed access to it. */
#include "base/json.h"

#include "base/error.h"
#include "base/jscan.h"

#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

/*
 * Why the text is read here and not by json-c's tokener. With JSON_TOKENER_STRICT and
 * JSON_TOKENER_VALIDATE_UTF8 the tokener of json-c 0.16 still takes names in single quotes, control
 * characters in strings, overlong and surrogate UTF-8, lone \u surrogates (as U+FFFD), NaN and
 * Infinity, "-01", "00", "-.5" and "1."; it cuts names at \u0000, keeps the last of two equal
 * names, saturates integers beyond 2^64 (two long card numbers become one) and forgets how they
 * were written. No flag changes that, so a strict scanner would have to stand in front of it, and
 * then the tokener is what costs: 2.4 us to parse and read a register's 117-byte body, against 0.9
 * us this way (of which allocating json-c's objects 0.3). tests/fuzz/fuzz_json.c holds the two
 * against each other: what is taken here, the tokener reads as the same tree.
 *
 * In the tree a number is a string object that carries number_mark: its source text is all there is
 * to know, and no double comes into being. A JSON null is NULL, in json-c as in our interface.
 */
static char number_mark;

static struct json_object *unwrap(const struct jread *value)
{
    return (struct json_object *)(uintptr_t)value;
}

static struct jread *wrap(struct json_object *object)
{
    return (struct jread *)object;
}

/* --- parsing --------------------------------------------------------------------------------- */

struct parser {
    struct text rest;
    int depth;
};

static int parse_value(struct parser *parser, struct json_object **value);

static int made(struct json_object *object, struct json_object **value)
{
    *value = object;
    return object != NULL ? 0 : ERR_NO_MEMORY;
}

static int parse_number(struct parser *parser, struct json_object **value)
{
    struct text source;
    if (!jscan_number(&parser->rest, &source))
        return ERR_JSON_SYNTAX;
    int err = made(json_object_new_string_len(source.base, (int)source.length), value);
    if (err == 0)
        json_object_set_userdata(*value, &number_mark, NULL);
    return err;
}

static int parse_string(struct parser *parser, struct json_object **value)
{
    struct text raw;
    bool has_escapes;
    if (!jscan_string(&parser->rest, &raw, &has_escapes))
        return ERR_JSON_SYNTAX;
    if (!has_escapes)
        return made(json_object_new_string_len(raw.base, (int)raw.length), value);
    char *decoded = malloc(raw.length);
    if (decoded == NULL)
        return ERR_NO_MEMORY;
    size_t length = jscan_unescape(decoded, raw);
    int err = made(json_object_new_string_len(decoded, (int)length), value);
    free(decoded);
    return err;
}

/* The name before a colon, for the caller to free. json-c's names end at a NUL: one inside a name
 * would make "amount\u0000x" pass for "amount". */
static int parse_name(struct parser *parser, char **name)
{
    struct text raw;
    bool has_escapes;
    if (!jscan_string(&parser->rest, &raw, &has_escapes))
        return ERR_JSON_SYNTAX;
    char *decoded = malloc(raw.length + 1);
    if (decoded == NULL)
        return ERR_NO_MEMORY;
    size_t length = jscan_unescape(decoded, raw);
    decoded[length] = '\0';
    jscan_skip_space(&parser->rest);
    if (strlen(decoded) != length || !jscan_char(&parser->rest, ':')) {
        free(decoded);
        return ERR_JSON_SYNTAX;
    }
    *name = decoded;
    return 0;
}

/* Takes value over. An object that did not grow had that name before. */
static int add_member(struct json_object *object, const char *name, struct json_object *value)
{
    int count_before = json_object_object_length(object);
    if (json_object_object_add(object, name, value) != 0) {
        json_object_put(value);
        return ERR_NO_MEMORY;
    }
    return json_object_object_length(object) > count_before ? 0 : ERR_JSON_DUPLICATE;
}

static int parse_member(struct parser *parser, struct json_object *object)
{
    char *name;
    int err = parse_name(parser, &name);
    if (err != 0)
        return err;
    struct json_object *value;
    err = parse_value(parser, &value);
    if (err == 0)
        err = add_member(object, name, value);
    free(name);
    return err;
}

static int parse_element(struct parser *parser, struct json_object *array)
{
    struct json_object *value;
    int err = parse_value(parser, &value);
    if (err == 0 && json_object_array_add(array, value) != 0) {
        json_object_put(value);
        err = ERR_NO_MEMORY;
    }
    return err;
}

typedef int (*parse_item_fn)(struct parser *parser, struct json_object *container);

/* Members or elements, between the brackets. */
static int parse_items(struct parser *parser, char close, parse_item_fn parse_item,
                       struct json_object *container)
{
    jscan_skip_space(&parser->rest);
    if (jscan_char(&parser->rest, close))
        return 0;
    for (;;) {
        jscan_skip_space(&parser->rest);
        int err = parse_item(parser, container);
        if (err != 0)
            return err;
        jscan_skip_space(&parser->rest);
        if (jscan_char(&parser->rest, close))
            return 0;
        if (!jscan_char(&parser->rest, ','))
            return ERR_JSON_SYNTAX;
    }
}

static int parse_container(struct parser *parser, char close, parse_item_fn parse_item,
                           struct json_object *container, struct json_object **value)
{
    if (container == NULL)
        return ERR_NO_MEMORY;
    parser->depth++;
    int err = parser->depth > JREAD_DEPTH_MAX ? ERR_JSON_DEPTH
                                              : parse_items(parser, close, parse_item, container);
    parser->depth--;
    if (err != 0)
        json_object_put(container);
    else
        *value = container;
    return err;
}

static int parse_bool(struct parser *parser, bool flag, struct json_object **value)
{
    if (!jscan_literal(&parser->rest, flag ? TEXT("true") : TEXT("false")))
        return ERR_JSON_SYNTAX;
    return made(json_object_new_boolean(flag), value);
}

static int parse_null(struct parser *parser, struct json_object **value)
{
    *value = NULL;
    return jscan_literal(&parser->rest, TEXT("null")) ? 0 : ERR_JSON_SYNTAX;
}

/* White space in front is taken too. *value is set on success only. */
static int parse_value(struct parser *parser, struct json_object **value)
{
    jscan_skip_space(&parser->rest);
    if (jscan_char(&parser->rest, '{'))
        return parse_container(parser, '}', parse_member, json_object_new_object(), value);
    if (jscan_char(&parser->rest, '['))
        return parse_container(parser, ']', parse_element, json_object_new_array(), value);
    switch (parser->rest.length > 0 ? parser->rest.base[0] : '\0') {
    case '"':
        return parse_string(parser, value);
    case 't':
        return parse_bool(parser, true, value);
    case 'f':
        return parse_bool(parser, false, value);
    case 'n':
        return parse_null(parser, value);
    default:
        return parse_number(parser, value);
    }
}

int jread_parse(struct text body, struct jread **document)
{
    if (body.length > INT32_MAX) /* json-c counts in int; bodies are capped far below */
        return ERR_NO_MEMORY;
    if (!text_is_utf8(body))
        return ERR_JSON_SYNTAX;
    struct parser parser = {.rest = body};
    struct json_object *root;
    int err = parse_value(&parser, &root);
    if (err != 0)
        return err;
    jscan_skip_space(&parser.rest);
    if (parser.rest.length > 0) {
        json_object_put(root);
        return ERR_JSON_SYNTAX;
    }
    *document = wrap(root);
    return 0;
}

void jread_destroy(struct jread *document)
{
    json_object_put(unwrap(document)); /* accepts NULL */
}

/* --- walking --------------------------------------------------------------------------------- */

enum jread_kind jread_kind_of(const struct jread *value)
{
    struct json_object *object = unwrap(value);
    switch (json_object_get_type(object)) {
    case json_type_string:
        return json_object_get_userdata(object) == &number_mark ? JREAD_NUMBER : JREAD_STRING;
    case json_type_boolean:
        return JREAD_BOOL;
    case json_type_array:
        return JREAD_ARRAY;
    case json_type_object:
        return JREAD_OBJECT;
    case json_type_null:
        return JREAD_NULL;
    case json_type_int: /* never made here: numbers are text */
    case json_type_double:
        break;
    }
    check_failed("a value that json.c did not make", __FILE__, __LINE__);
}

const struct jread *jread_member(const struct jread *value, const char *name)
{
    if (jread_kind_of(value) != JREAD_OBJECT)
        return NULL;
    return wrap(json_object_object_get(unwrap(value), name));
}

size_t jread_count(const struct jread *value)
{
    enum jread_kind kind = jread_kind_of(value);
    if (kind == JREAD_ARRAY)
        return json_object_array_length(unwrap(value));
    return kind == JREAD_OBJECT ? (size_t)json_object_object_length(unwrap(value)) : 0;
}

const struct jread *jread_element(const struct jread *value, size_t index)
{
    if (jread_kind_of(value) != JREAD_ARRAY)
        return NULL;
    return wrap(json_object_array_get_idx(unwrap(value), index)); /* NULL beyond the end */
}

/* Where the last jread_member_at on an object stood. json-c keeps members in a list, and a hostile
 * body has room for 10,000 of them: starting over for each would take 50 million steps. */
struct place {
    size_t index;
    struct lh_entry *entry;
};

static void free_place(struct json_object *object, void *place)
{
    (void)object;
    free(place);
}

static struct lh_entry *find_entry(struct json_object *object, size_t index)
{
    struct place start = {0, lh_table_head(json_object_get_object(object))};
    struct place *place = json_object_get_userdata(object);
    if (place != NULL && place->index <= index)
        start = *place;
    for (; start.index < index; start.index++)
        start.entry = lh_entry_next(start.entry);
    if (place == NULL) {
        place = malloc(sizeof(*place));
        if (place == NULL)
            return start.entry;
        json_object_set_userdata(object, place, free_place);
    }
    *place = start;
    return start.entry;
}

const struct jread *jread_member_at(const struct jread *value, size_t index, struct text *name)
{
    CHECK(jread_kind_of(value) == JREAD_OBJECT && index < jread_count(value));
    struct lh_entry *entry = find_entry(unwrap(value), index);
    *name = text_of(lh_entry_k(entry));
    return wrap((struct json_object *)lh_entry_v(entry));
}

/* --- scalars --------------------------------------------------------------------------------- */

static int read_string(const struct jread *value, struct text *text)
{
    const char *base = json_object_get_string(unwrap(value));
    size_t length = (size_t)json_object_get_string_len(unwrap(value));
    if (memchr(base, '\0', length) != NULL) /* who reads it as a C string would see another text */
        return ERR_JSON_TYPE;
    *text = (struct text){base, length};
    return 0;
}

int jread_text(const struct jread *value, struct text *text)
{
    enum jread_kind kind = jread_kind_of(value);
    if (kind == JREAD_NULL)
        return ERR_MISSING;
    return kind == JREAD_STRING ? read_string(value, text) : ERR_JSON_TYPE;
}

int jread_scalar(const struct jread *value, struct text *text)
{
    if (jread_kind_of(value) == JREAD_NUMBER)
        return read_string(value, text);
    return jread_text(value, text);
}

int jread_bool(const struct jread *value, bool *flag)
{
    enum jread_kind kind = jread_kind_of(value);
    if (kind == JREAD_NULL)
        return ERR_MISSING;
    if (kind != JREAD_BOOL)
        return ERR_JSON_TYPE;
    *flag = json_object_get_boolean(unwrap(value));
    return 0;
}

int jread_int64(const struct jread *value, int64_t *number)
{
    struct text text;
    int err = jread_scalar(value, &text);
    if (err != 0)
        return err;
    if (text.length == 0)
        return ERR_MISSING;
    return text_parse_int64(text, number);
}
