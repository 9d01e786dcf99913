/* JSON in and out: json-c's tree behind a strict scanner, and a writer over a bounded buffer. */
#include "base/json.h"

#include "base/error.h"
#include "base/jscan.h"

#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

/* A struct jread is a json_object under our own name; a JSON null is NULL in both. json-c caches
 * text inside its objects when asked for it, so a document belongs to one thread at a time. */
static struct json_object *unwrap(const struct jread *value)
{
    return (struct json_object *)(uintptr_t)value;
}

static struct jread *wrap(struct json_object *object)
{
    return (struct jread *)object;
}

/* --- parsing --------------------------------------------------------------------------------- */

/*
 * Why a scanner of our own stands in front: json-c 0.16 with JSON_TOKENER_STRICT and
 * JSON_TOKENER_VALIDATE_UTF8 still takes names in single quotes, control characters in strings,
 * overlong and surrogate UTF-8, lone \u surrogates (as U+FFFD), NaN and Infinity, "-01", "1." and
 * "1.+5", cuts names at \u0000, and keeps the last of two equal names. No flag turns these off.
 * What has passed the scanner is plain, and json-c builds the tree from it.
 */
static int build_tree(struct text body, struct json_object **root)
{
    /* One level more than containers: a scalar inside the innermost one counts as a level. */
    struct json_tokener *tokener = json_tokener_new_ex(JREAD_DEPTH_MAX + 1);
    if (tokener == NULL)
        return ERR_NO_MEMORY;
    json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
    *root = json_tokener_parse_ex(tokener, body.base, (int)body.length);
    /* A bare number at the end could go on: the NUL of "" tells json-c that it does not. */
    if (json_tokener_get_error(tokener) == json_tokener_continue)
        *root = json_tokener_parse_ex(tokener, "", 1);
    enum json_tokener_error error = json_tokener_get_error(tokener);
    json_tokener_free(tokener);
    /* The scanner has passed the text and "null" is handled before, so only memory is left. */
    return error == json_tokener_success && *root != NULL ? 0 : ERR_NO_MEMORY;
}

static size_t count_members(struct json_object *value)
{
    size_t count = 0;
    if (json_object_is_type(value, json_type_object)) {
        struct lh_entry *entry;
        count = (size_t)json_object_object_length(value);
        lh_foreach(json_object_get_object(value), entry) count +=
            count_members((struct json_object *)lh_entry_v(entry));
    } else if (json_object_is_type(value, json_type_array)) {
        for (size_t i = 0; i < json_object_array_length(value); i++)
            count += count_members(json_object_array_get_idx(value, i));
    }
    return count;
}

/*
 * Hang the source text on a number, the way json-c itself does it for doubles. Integers need it
 * when they are wide: beyond 2^64 json-c saturates them, and two long card numbers sent as JSON
 * numbers would become the same one.
 */
static int keep_number(struct json_object *number, struct text source)
{
    char *copy = strndup(source.base, source.length);
    if (copy == NULL)
        return ERR_NO_MEMORY;
    json_object_set_serializer(number, json_object_userdata_to_json_string, copy,
                               json_object_free_userdata);
    return 0;
}

/* The tree in document order meets the numbers in the order in which they stand in the source. */
static int keep_numbers(struct json_object *value, struct text *source)
{
    int err = 0;
    if (json_object_is_type(value, json_type_object)) {
        struct lh_entry *entry;
        lh_foreach(json_object_get_object(value), entry)
        {
            err = keep_numbers((struct json_object *)lh_entry_v(entry), source);
            if (err != 0)
                return err;
        }
    } else if (json_object_is_type(value, json_type_array)) {
        for (size_t i = 0; i < json_object_array_length(value) && err == 0; i++)
            err = keep_numbers(json_object_array_get_idx(value, i), source);
    } else if (json_object_is_type(value, json_type_int)) {
        err = keep_number(value, jscan_next_number(source));
    } else if (json_object_is_type(value, json_type_double)) {
        (void)jscan_next_number(source); /* json-c has kept it */
    }
    return err;
}

int jread_parse(struct text body, struct jread **document)
{
    struct jscan_counts counts;
    int err = jscan_check(body, &counts);
    if (err != 0)
        return err;
    *document = NULL;
    if (text_equal(text_trim(body), TEXT("null")))
        return 0;
    if (body.length > INT32_MAX) /* json-c counts in int; bodies are capped far below */
        return ERR_NO_MEMORY;
    struct json_object *root;
    err = build_tree(body, &root);
    if (err != 0)
        return err;
    if (count_members(root) != counts.members) {
        err = ERR_JSON_DUPLICATE;
        goto err_after_tree;
    }
    if (counts.has_wide_integers) {
        err = keep_numbers(root, &body);
        if (err != 0)
            goto err_after_tree;
    }
    *document = wrap(root);
    return 0;
err_after_tree:
    json_object_put(root);
    return err;
}

void jread_destroy(struct jread *document)
{
    json_object_put(unwrap(document)); /* accepts NULL */
}

/* --- walking --------------------------------------------------------------------------------- */

enum jread_kind jread_kind_of(const struct jread *value)
{
    switch (json_object_get_type(unwrap(value))) {
    case json_type_null:
        return JREAD_NULL;
    case json_type_boolean:
        return JREAD_BOOL;
    case json_type_int:
    case json_type_double:
        return JREAD_NUMBER;
    case json_type_string:
        return JREAD_STRING;
    case json_type_array:
        return JREAD_ARRAY;
    case json_type_object:
        return JREAD_OBJECT;
    }
    return JREAD_NULL;
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

int jread_text(const struct jread *value, struct text *text)
{
    enum jread_kind kind = jread_kind_of(value);
    if (kind == JREAD_NULL)
        return ERR_MISSING;
    if (kind != JREAD_STRING)
        return ERR_JSON_TYPE;
    size_t length = (size_t)json_object_get_string_len(unwrap(value));
    const char *base = json_object_get_string(unwrap(value));
    if (memchr(base, '\0', length) != NULL)
        return ERR_JSON_TYPE;
    *text = (struct text){base, length};
    return 0;
}

int jread_scalar(const struct jread *value, struct text *text)
{
    if (jread_kind_of(value) != JREAD_NUMBER)
        return jread_text(value, text);
    /* Doubles and wide integers carry their source text; narrow integers print as they came. */
    const char *source = json_object_get_string(unwrap(value));
    if (source == NULL)
        return ERR_NO_MEMORY;
    *text = text_of(source);
    return 0;
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

/* --- writing --------------------------------------------------------------------------------- */

void jwrite_init(struct jwrite *writer, struct text_buffer *buffer)
{
    *writer = (struct jwrite){.buffer = buffer};
}

static void begin_value(struct jwrite *writer)
{
    if (writer->needs_comma)
        text_append_char(writer->buffer, ',');
    writer->needs_comma = true;
}

static void open_container(struct jwrite *writer, char bracket)
{
    begin_value(writer);
    text_append_char(writer->buffer, bracket);
    writer->needs_comma = false;
}

static void close_container(struct jwrite *writer, char bracket)
{
    text_append_char(writer->buffer, bracket);
    writer->needs_comma = true;
}

void jwrite_object_begin(struct jwrite *writer)
{
    open_container(writer, '{');
}

void jwrite_object_end(struct jwrite *writer)
{
    close_container(writer, '}');
}

void jwrite_array_begin(struct jwrite *writer)
{
    open_container(writer, '[');
}

void jwrite_array_end(struct jwrite *writer)
{
    close_container(writer, ']');
}

static void append_control(struct text_buffer *buffer, unsigned char c)
{
    static const char short_forms[] = "\bb\tt\nn\ff\rr";
    for (size_t i = 0; i < sizeof(short_forms) - 1; i += 2) {
        if (c == (unsigned char)short_forms[i]) {
            text_append_char(buffer, '\\');
            text_append_char(buffer, short_forms[i + 1]);
            return;
        }
    }
    text_append_format(buffer, "\\u%04x", (unsigned)c);
}

/* Length of the run at the front that may stand in a JSON string as it is. */
static size_t plain_run(struct text text)
{
    size_t run = 0;
    while (run < text.length) {
        unsigned char c = (unsigned char)text.base[run];
        if (c < 0x20 || c == '"' || c == '\\')
            break;
        size_t size = c < 0x80 ? 1 : text_utf8_length(text_slice(text, run, text.length));
        if (size == 0)
            break;
        run += size;
    }
    return run;
}

static void append_string(struct text_buffer *buffer, struct text text)
{
    text_append_char(buffer, '"');
    while (text.length > 0) {
        size_t run = plain_run(text);
        text_append(buffer, text_slice(text, 0, run));
        text = text_slice(text, run, text.length);
        if (text.length == 0)
            break;
        unsigned char c = (unsigned char)text.base[0];
        if (c == '"' || c == '\\') {
            text_append_char(buffer, '\\');
            text_append_char(buffer, (char)c);
        } else if (c < 0x20) {
            append_control(buffer, c);
        } else {
            text_append(buffer, TEXT("\xEF\xBF\xBD")); /* U+FFFD for a byte that is no UTF-8 */
        }
        text = text_slice(text, 1, text.length);
    }
    text_append_char(buffer, '"');
}

void jwrite_key(struct jwrite *writer, struct text name)
{
    begin_value(writer);
    append_string(writer->buffer, name);
    text_append_char(writer->buffer, ':');
    writer->needs_comma = false;
}

void jwrite_text(struct jwrite *writer, struct text text)
{
    begin_value(writer);
    append_string(writer->buffer, text);
}

void jwrite_int64(struct jwrite *writer, int64_t number)
{
    begin_value(writer);
    text_append_int64(writer->buffer, number);
}

void jwrite_bool(struct jwrite *writer, bool flag)
{
    jwrite_raw(writer, flag ? TEXT("true") : TEXT("false"));
}

void jwrite_null(struct jwrite *writer)
{
    jwrite_raw(writer, TEXT("null"));
}

void jwrite_raw(struct jwrite *writer, struct text value)
{
    begin_value(writer);
    text_append(writer->buffer, value);
}
