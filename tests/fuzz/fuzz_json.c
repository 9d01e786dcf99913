/*
 * Invariants of the JSON reader and writer:
 *   what is taken, json-c's tokener takes too, and reads as the same tree;
 *   what is taken, written by our writer and taken again is the same text;
 *   any bytes, written as a name and as text, are taken, and valid UTF-8 comes back unchanged.
 */
#include "base/error.h"
#include "base/json.h"

#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define INPUT_MAX (64 * 1024)
/* Every byte may become six characters ("\u0001"), twice, with punctuation around. */
#define OUTPUT_MAX (12 * INPUT_MAX + 256)

static char output[2][OUTPUT_MAX];

/* --- against json-c --------------------------------------------------------------------------- */

static void compare(const struct jread *ours, struct json_object *theirs);

static void compare_object(const struct jread *ours, struct json_object *theirs)
{
    size_t index = 0;
    CHECK((size_t)json_object_object_length(theirs) == jread_count(ours));
    json_object_object_foreach(theirs, their_name, their_value)
    {
        struct text name;
        const struct jread *value = jread_member_at(ours, index++, &name);
        CHECK(text_equal(name, text_of(their_name)));
        CHECK(jread_member(ours, their_name) == value);
        compare(value, their_value);
    }
}

static void compare_array(const struct jread *ours, struct json_object *theirs)
{
    CHECK(json_object_array_length(theirs) == jread_count(ours));
    for (size_t i = 0; i < jread_count(ours); i++)
        compare(jread_element(ours, i), json_object_array_get_idx(theirs, i));
}

/* json-c keeps the source of doubles and the value of integers up to 64 bits. */
static void compare_number(const struct jread *ours, struct json_object *theirs)
{
    struct text source;
    int64_t number;
    CHECK(jread_scalar(ours, &source) == 0);
    if (json_object_is_type(theirs, json_type_double)) {
        CHECK(text_equal(source, text_of(json_object_get_string(theirs))));
        CHECK(jread_int64(ours, &number) == ERR_NOT_A_NUMBER);
        return;
    }
    CHECK(json_object_is_type(theirs, json_type_int));
    int err = jread_int64(ours, &number);
    CHECK(err == 0 || err == ERR_TOO_LARGE);
    if (err == 0)
        CHECK(number == json_object_get_int64(theirs));
}

static void compare_string(const struct jread *ours, struct json_object *theirs)
{
    struct text their_text = {json_object_get_string(theirs),
                              (size_t)json_object_get_string_len(theirs)};
    struct text text;
    int err = jread_text(ours, &text);
    CHECK(err == 0 ? text_equal(text, their_text)
                   : err == ERR_JSON_TYPE && memchr(their_text.base, 0, their_text.length) != NULL);
}

static void compare(const struct jread *ours, struct json_object *theirs)
{
    bool flag;
    switch (jread_kind_of(ours)) {
    case JREAD_NULL:
        CHECK(theirs == NULL);
        return;
    case JREAD_BOOL:
        CHECK(json_object_is_type(theirs, json_type_boolean));
        CHECK(jread_bool(ours, &flag) == 0 && flag == json_object_get_boolean(theirs));
        return;
    case JREAD_NUMBER:
        compare_number(ours, theirs);
        return;
    case JREAD_STRING:
        CHECK(json_object_is_type(theirs, json_type_string));
        compare_string(ours, theirs);
        return;
    case JREAD_ARRAY:
        CHECK(json_object_is_type(theirs, json_type_array));
        compare_array(ours, theirs);
        return;
    case JREAD_OBJECT:
        CHECK(json_object_is_type(theirs, json_type_object));
        compare_object(ours, theirs);
        return;
    }
}

static void check_against_json_c(struct text body, const struct jread *ours)
{
    struct json_tokener *tokener = json_tokener_new_ex(JREAD_DEPTH_MAX + 1);
    json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
    struct json_object *theirs = json_tokener_parse_ex(tokener, body.base, (int)body.length);
    if (json_tokener_get_error(tokener) == json_tokener_continue) /* a bare number at the end */
        theirs = json_tokener_parse_ex(tokener, "", 1);
    CHECK(json_tokener_get_error(tokener) == json_tokener_success);
    compare(ours, theirs);
    json_object_put(theirs);
    json_tokener_free(tokener);
}

/* --- there and back --------------------------------------------------------------------------- */

static void write_value(struct jwrite *writer, const struct jread *value)
{
    struct text text = {NULL, 0};
    bool flag = false;
    switch (jread_kind_of(value)) {
    case JREAD_NULL:
        jwrite_null(writer);
        return;
    case JREAD_BOOL:
        CHECK(jread_bool(value, &flag) == 0);
        jwrite_bool(writer, flag);
        return;
    case JREAD_NUMBER:
        CHECK(jread_scalar(value, &text) == 0);
        jwrite_raw(writer, text);
        return;
    case JREAD_STRING:
        if (jread_text(value, &text) != 0) /* holds a NUL, which nobody may read */
            text = TEXT("NUL");
        jwrite_text(writer, text);
        return;
    case JREAD_ARRAY:
        jwrite_array_begin(writer);
        for (size_t i = 0; i < jread_count(value); i++)
            write_value(writer, jread_element(value, i));
        jwrite_array_end(writer);
        return;
    case JREAD_OBJECT:
        jwrite_object_begin(writer);
        for (size_t i = 0; i < jread_count(value); i++) {
            const struct jread *member = jread_member_at(value, i, &text);
            jwrite_key(writer, text);
            write_value(writer, member);
        }
        jwrite_object_end(writer);
        return;
    }
}

static struct text written(const struct jread *value, char *memory)
{
    struct text_buffer buffer;
    struct jwrite writer;
    text_buffer_init(&buffer, memory, OUTPUT_MAX);
    jwrite_init(&writer, &buffer);
    write_value(&writer, value);
    CHECK(!buffer.is_cut);
    return text_buffer_text(&buffer);
}

static void check_round_trip(const struct jread *document)
{
    struct text first = written(document, output[0]);
    struct jread *again;
    CHECK(jread_parse(first, &again) == 0);
    struct text second = written(again, output[1]);
    CHECK(text_equal(first, second));
    jread_destroy(again);
}

/* Valid UTF-8 without a NUL must come back as it was; the rest must at least be taken (a name with
 * a NUL must not). */
static void check_writer(struct text text)
{
    struct text_buffer buffer;
    struct jwrite writer;
    struct jread *document;
    text_buffer_init(&buffer, output[0], OUTPUT_MAX);
    jwrite_init(&writer, &buffer);
    jwrite_object_begin(&writer);
    jwrite_key(&writer, text);
    jwrite_text(&writer, text);
    jwrite_object_end(&writer);
    CHECK(!buffer.is_cut);
    bool has_nul = text.length > 0 && memchr(text.base, 0, text.length) != NULL;
    int err = jread_parse(text_buffer_text(&buffer), &document);
    CHECK(err == (has_nul ? ERR_JSON_SYNTAX : 0));
    if (err != 0)
        return;
    struct text name;
    struct text value;
    CHECK(jread_text(jread_member_at(document, 0, &name), &value) == 0);
    CHECK(text_equal(name, value));
    CHECK(!text_is_utf8(text) || text_equal(value, text));
    CHECK(text_is_utf8(value));
    jread_destroy(document);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > INPUT_MAX)
        return 0;
    struct text body = {(const char *)data, size};
    struct jread *document = NULL;
    int err = jread_parse(body, &document);
    if (err == 0) {
        check_against_json_c(body, document);
        check_round_trip(document);
        jread_destroy(document);
    } else {
        CHECK(err == ERR_JSON_SYNTAX || err == ERR_JSON_DUPLICATE || err == ERR_JSON_DEPTH);
        CHECK(document == NULL);
    }
    check_writer(body);
    return 0;
}
