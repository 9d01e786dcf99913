/* JSON in: a strict parser that lays a document out as one array of values, and typed access to it.
 */
#include "base/json.h"

#include "base/error.h"
#include "base/jscan.h"
#include "base/seal.h"

#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

/*
 * Why this is not a library. No flag of json-c 0.16 makes its tokener strict: it takes names in
 * single quotes, control characters in strings, overlong and surrogate UTF-8, lone \u surrogates,
 * NaN, "-01" and "1."; it cuts names at \u0000, keeps the last of two equal names, saturates
 * integers beyond 2^64 (two long card numbers become one) and forgets how they were written. So a
 * strict scanner has to stand in front of it, and behind a scanner there is only a tree left to
 * build. tests/fuzz/fuzz_json.c holds the two against each other: what is taken here, json-c reads
 * as the same tree.
 *
 * Why it is one array. A register's body of 103 bytes, parsed, its members read, and freed: 4,000
 * instructions this way, 11,300 with json-c's tree, which is a dozen allocations.
 *
 * A document is its values in the order of the text, a container before what it holds, and behind
 * them a copy of the body, in which escapes are decoded where they stand.
 */
struct jread {
    const char *name; /* of a member */
    union {
        const char *base; /* the characters of a string, the source of a number */
        struct {
            uint32_t index;
            uint32_t offset;
        } place; /* of a container: the item asked for last, and how many values on it stands; else
                    10,000 members asked for one by one would take 50 million steps */
    };
    uint32_t name_length;
    uint32_t length; /* of base; of a container: how many items */
    uint32_t span;   /* values from here to the next one that is not inside this one */
    uint8_t kind;
    bool flag; /* what a boolean says; of a string: it holds a NUL */
};

struct document {
    size_t body_size;
    size_t values_max;
    struct jread values[];
};

/* --- parsing --------------------------------------------------------------------------------- */

struct parser {
    struct text rest;
    char *body;
    struct jread *next; /* where the next value goes */
    const struct jread *end;
    int depth, depth_max;
};

/* Decodes escapes in place. *holds_nul: a NUL can only come from an escape. */
static bool take_string(struct parser *parser, struct text *string, bool *holds_nul)
{
    bool has_escapes;
    *holds_nul = false;
    if (!jscan_string(&parser->rest, string, &has_escapes))
        return false;
    if (!has_escapes)
        return true;
    string->length = jscan_unescape(parser->body + (string->base - parser->body), *string);
    *holds_nul = memchr(string->base, '\0', string->length) != NULL;
    return true;
}

/* A NUL in a name is refused: who read the name as a C string would take "amount\u0000x" for
 * "amount". */
static bool take_name(struct parser *parser, struct text *name)
{
    bool holds_nul;
    jscan_skip_space(&parser->rest);
    if (!take_string(parser, name, &holds_nul) || holds_nul)
        return false;
    jscan_skip_space(&parser->rest);
    return jscan_char(&parser->rest, ':');
}

static struct text name_of(const struct jread *member)
{
    return (struct text){member->name, member->name_length};
}

static bool names_are_equal(const struct jread *a, const struct jread *b)
{
    return text_equal(name_of(a), name_of(b));
}

static bool pair_is_twice(const struct jread *object)
{
    const struct jread *end = object + object->span;
    for (const struct jread *a = object + 1; a < end; a += a->span)
        for (const struct jread *b = object + 1; b < a; b += b->span)
            if (names_are_equal(a, b))
                return true;
    return false;
}

static int compare_names(const void *left, const void *right)
{
    const struct jread *a = *(const struct jread *const *)left;
    const struct jread *b = *(const struct jread *const *)right;
    if (a->name_length != b->name_length)
        return a->name_length < b->name_length ? -1 : 1;
    return memcmp(a->name, b->name, a->name_length);
}

static int check_many_names(const struct jread *object)
{
    const struct jread **members = malloc(object->length * sizeof(struct jread *));
    if (members == NULL)
        return ERR_NO_MEMORY;
    const struct jread *member = object + 1;
    for (uint32_t i = 0; i < object->length; i++, member += member->span)
        members[i] = member;
    qsort(members, object->length, sizeof(struct jread *), compare_names);
    bool is_twice = false;
    for (uint32_t i = 1; i < object->length; i++)
        is_twice |= names_are_equal(members[i - 1], members[i]);
    free(members);
    return is_twice ? ERR_JSON_DUPLICATE : 0;
}

/* Pairs are compared while they are few: 32 members have 496. A hostile body has room for 10,000
 * members, which are sorted. */
#define COMPARED_MAX 32

static int check_names(const struct jread *object)
{
    if (object->length > COMPARED_MAX)
        return check_many_names(object);
    return pair_is_twice(object) ? ERR_JSON_DUPLICATE : 0;
}

static int parse_value(struct parser *parser, struct text name);

/* Members or elements, up to the closing bracket. */
static int parse_items(struct parser *parser, struct jread *container, char close)
{
    jscan_skip_space(&parser->rest);
    if (jscan_char(&parser->rest, close))
        return 0;
    for (;;) {
        struct text name = {NULL, 0};
        if (container->kind == JREAD_OBJECT && !take_name(parser, &name))
            return ERR_JSON_SYNTAX;
        int err = parse_value(parser, name);
        if (err != 0)
            return err;
        container->length++;
        jscan_skip_space(&parser->rest);
        if (jscan_char(&parser->rest, close))
            return 0;
        if (!jscan_char(&parser->rest, ','))
            return ERR_JSON_SYNTAX;
    }
}

static int parse_container(struct parser *parser, struct jread *container, enum jread_kind kind)
{
    container->kind = (uint8_t)kind;
    container->place.index = 0;
    container->place.offset = 1;
    if (parser->depth == parser->depth_max)
        return ERR_JSON_DEPTH;
    parser->depth++;
    int err = parse_items(parser, container, kind == JREAD_OBJECT ? '}' : ']');
    parser->depth--;
    if (err != 0)
        return err;
    container->span = (uint32_t)(parser->next - container);
    return kind == JREAD_OBJECT ? check_names(container) : 0;
}

/* What stands there is no container. */
static bool take_scalar(struct parser *parser, struct jread *value)
{
    struct text source = {NULL, 0};
    bool is_taken;
    switch (parser->rest.length > 0 ? parser->rest.base[0] : '\0') {
    case '"':
        value->kind = JREAD_STRING;
        is_taken = take_string(parser, &source, &value->flag);
        break;
    case 't':
        value->kind = JREAD_BOOL;
        value->flag = true;
        is_taken = jscan_literal(&parser->rest, TEXT("true"));
        break;
    case 'f':
        value->kind = JREAD_BOOL;
        is_taken = jscan_literal(&parser->rest, TEXT("false"));
        break;
    case 'n':
        value->kind = JREAD_NULL;
        is_taken = jscan_literal(&parser->rest, TEXT("null"));
        break;
    default:
        value->kind = JREAD_NUMBER;
        is_taken = jscan_number(&parser->rest, &source);
    }
    value->base = source.base;
    value->length = (uint32_t)source.length;
    return is_taken;
}

/* White space in front is taken too. */
static int parse_value(struct parser *parser, struct text name)
{
    CHECK(parser->next < parser->end);
    struct jread *value = parser->next++;
    *value = (struct jread){.name = name.base, .name_length = (uint32_t)name.length, .span = 1};
    jscan_skip_space(&parser->rest);
    if (jscan_char(&parser->rest, '{'))
        return parse_container(parser, value, JREAD_OBJECT);
    if (jscan_char(&parser->rest, '['))
        return parse_container(parser, value, JREAD_ARRAY);
    return take_scalar(parser, value) ? 0 : ERR_JSON_SYNTAX;
}

static int parse_document(struct document *document, int depth_max)
{
    struct parser parser = {.body = (char *)&document->values[document->values_max],
                            .next = document->values,
                            .end = &document->values[document->values_max],
                            .depth_max = depth_max};
    parser.rest = (struct text){parser.body, document->body_size};
    int err = parse_value(&parser, (struct text){NULL, 0});
    if (err != 0)
        return err;
    jscan_skip_space(&parser.rest);
    return parser.rest.length == 0 ? 0 : ERR_JSON_SYNTAX;
}

/* A body may hold a card number and its PIN. */
static void document_free(struct document *document)
{
    seal_wipe(&document->values[document->values_max], document->body_size);
    free(document);
}

int jread_parse_deep(struct text body, int depth_max, struct jread **parsed)
{
    CHECK(depth_max >= 0 && depth_max <= JREAD_FILE_DEPTH_MAX);
    if (body.length > INT32_MAX) /* we count in 32 bits; bodies are capped far below */
        return ERR_NO_MEMORY;
    if (!text_is_utf8(body))
        return ERR_JSON_SYNTAX;
    /* A value has a character of its own and one that ends it; containers still open have none of
     * the latter yet. */
    size_t values_max = body.length / 2 + (size_t)depth_max + 2;
    struct document *document =
        malloc(sizeof(*document) + values_max * sizeof(struct jread) + body.length);
    if (document == NULL)
        return ERR_NO_MEMORY;
    document->body_size = body.length;
    document->values_max = values_max;
    if (body.length > 0)
        memcpy(&document->values[values_max], body.base, body.length);
    int err = parse_document(document, depth_max);
    bool is_null = document->values[0].kind == JREAD_NULL;
    if (err != 0 || is_null)
        document_free(document);
    if (err == 0)
        *parsed = is_null ? NULL : document->values;
    return err;
}

int jread_parse(struct text body, struct jread **parsed)
{
    return jread_parse_deep(body, JREAD_DEPTH_MAX, parsed);
}

void jread_destroy(struct jread *value)
{
    if (value != NULL)
        document_free((struct document *)((char *)value - offsetof(struct document, values)));
}

/* --- walking --------------------------------------------------------------------------------- */

enum jread_kind jread_kind_of(const struct jread *value)
{
    return value == NULL ? JREAD_NULL : (enum jread_kind)value->kind;
}

/* A null in the text is NULL outside. */
static const struct jread *seen(const struct jread *value)
{
    return value->kind == JREAD_NULL ? NULL : value;
}

const struct jread *jread_member_named(const struct jread *value, struct text name)
{
    if (jread_kind_of(value) != JREAD_OBJECT)
        return NULL;
    const struct jread *end = value + value->span;
    for (const struct jread *member = value + 1; member < end; member += member->span)
        if (text_equal(name_of(member), name))
            return seen(member);
    return NULL;
}

const struct jread *jread_member(const struct jread *value, const char *name)
{
    return jread_member_named(value, text_of(name));
}

size_t jread_count(const struct jread *value)
{
    enum jread_kind kind = jread_kind_of(value);
    return kind == JREAD_ARRAY || kind == JREAD_OBJECT ? value->length : 0;
}

/* Remembers where it stands; see struct jread. */
static const struct jread *item_at(const struct jread *value, size_t index)
{
    struct jread *container = (struct jread *)(uintptr_t)value;
    if (index < container->place.index) {
        container->place.index = 0;
        container->place.offset = 1;
    }
    for (; container->place.index < index; container->place.index++)
        container->place.offset += container[container->place.offset].span;
    return &container[container->place.offset];
}

const struct jread *jread_element(const struct jread *value, size_t index)
{
    if (jread_kind_of(value) != JREAD_ARRAY || index >= value->length)
        return NULL;
    return seen(item_at(value, index));
}

const struct jread *jread_member_at(const struct jread *value, size_t index, struct text *name)
{
    CHECK(jread_kind_of(value) == JREAD_OBJECT && index < value->length);
    const struct jread *member = item_at(value, index);
    *name = name_of(member);
    return seen(member);
}

/* --- scalars --------------------------------------------------------------------------------- */

int jread_scalar(const struct jread *value, struct text *text)
{
    enum jread_kind kind = jread_kind_of(value);
    if (kind == JREAD_NULL)
        return ERR_MISSING;
    /* Who reads a text with a NUL as a C string would see another text. */
    if ((kind != JREAD_STRING && kind != JREAD_NUMBER) || value->flag)
        return ERR_JSON_TYPE;
    *text = (struct text){value->base, value->length};
    return 0;
}

int jread_text(const struct jread *value, struct text *text)
{
    return jread_kind_of(value) == JREAD_NUMBER ? ERR_JSON_TYPE : jread_scalar(value, text);
}

int jread_bool(const struct jread *value, bool *flag)
{
    enum jread_kind kind = jread_kind_of(value);
    if (kind == JREAD_NULL)
        return ERR_MISSING;
    if (kind != JREAD_BOOL)
        return ERR_JSON_TYPE;
    *flag = value->flag;
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
