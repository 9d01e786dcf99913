/* The strict reader: everything json-c is generous about is refused. And the bounded writer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/error.h"
#include "base/clock.h"
#include "base/json.h"

#include "base/banned.h"

#define BYTES(literal) ((struct text){(literal), sizeof(literal) - 1})

static void hook(const char *expression, const char *file, int line)
{
    mock_assert(0, expression, file, line);
}

/* Parse from memory that ends where the body ends, so that a read beyond it is caught. */
static int parse(struct text body, struct jread **document)
{
    char *copy = malloc(body.length + (body.length == 0));
    assert_non_null(copy);
    if (body.length > 0)
        memcpy(copy, body.base, body.length);
    *document = NULL;
    int err = jread_parse((struct text){copy, body.length}, document);
    free(copy); /* and so that a value which points into the body is caught */
    return err;
}

static struct jread *parsed(struct text body)
{
    struct jread *document;
    int err = parse(body, &document);
    if (err != 0)
        fail_msg("\"%.*s\": %s", (int)body.length, body.base, error_name(err));
    return document;
}

#define assert_text(text_, expected)                                                               \
    do {                                                                                           \
        struct text text__ = (text_);                                                              \
        assert_int_equal(text__.length, strlen(expected));                                         \
        assert_memory_equal(text__.length > 0 ? text__.base : "", expected, strlen(expected));     \
    } while (0)

static void assert_scalar(const struct jread *value, const char *expected)
{
    struct text text = {NULL, 0};
    assert_int_equal(jread_scalar(value, &text), 0);
    assert_text(text, expected);
}

/* --- reading: the ordinary ------------------------------------------------------------------- */

static void register_body_is_read_field_by_field(void **state)
{
    (void)state;
    struct jread *body =
        parsed(TEXT("{\"company_id\":5678,\"site_id\":923,\"register_id\":\"9091\","
                    "\"order_id\":2802065908,\"keyword\":\"6036280000012345\","
                    "\"amount\":25.50,\"paid\":true,\"note\":null}"));
    int64_t number;
    struct text text;
    bool flag = false;
    assert_int_equal(jread_kind_of(body), JREAD_OBJECT);
    assert_int_equal(jread_count(body), 8);
    assert_int_equal(jread_int64(jread_member(body, "order_id"), &number), 0);
    assert_true(number == INT64_C(2802065908));
    assert_int_equal(jread_int64(jread_member(body, "register_id"), &number), 0);
    assert_true(number == 9091);
    assert_int_equal(jread_text(jread_member(body, "keyword"), &text), 0);
    assert_text(text, "6036280000012345");
    assert_scalar(jread_member(body, "amount"), "25.50");
    assert_int_equal(jread_bool(jread_member(body, "paid"), &flag), 0);
    assert_true(flag);
    assert_null(jread_member(body, "note"));
    assert_null(jread_member(body, "nothing"));
    jread_destroy(body);
    jread_destroy(NULL);
}

static void every_kind_is_told_apart(void **state)
{
    (void)state;
    const struct {
        struct text body;
        enum jread_kind kind;
        size_t count;
    } cases[] = {
        {BYTES("null"), JREAD_NULL, 0},       {BYTES(" \t\r\n null \n"), JREAD_NULL, 0},
        {BYTES("true"), JREAD_BOOL, 0},       {BYTES("false"), JREAD_BOOL, 0},
        {BYTES("1"), JREAD_NUMBER, 0},        {BYTES("-1.5e+3"), JREAD_NUMBER, 0},
        {BYTES("\"null\""), JREAD_STRING, 0}, {BYTES("\"\""), JREAD_STRING, 0},
        {BYTES("[]"), JREAD_ARRAY, 0},        {BYTES("[1,[2,3]]"), JREAD_ARRAY, 2},
        {BYTES("{}"), JREAD_OBJECT, 0},       {BYTES("{\"a\":{\"b\":1}}"), JREAD_OBJECT, 1},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct jread *document = parsed(cases[i].body);
        assert_int_equal(jread_kind_of(document), cases[i].kind);
        assert_int_equal(jread_count(document), cases[i].count);
        assert_null(jread_member(document, "b"));
        assert_null(jread_element(document, 99));
        jread_destroy(document);
    }
    assert_int_equal(jread_kind_of(NULL), JREAD_NULL);
    assert_int_equal(jread_count(NULL), 0);
    assert_null(jread_member(NULL, "a"));
    assert_null(jread_element(NULL, 0));
}

static void elements_are_reached_by_index(void **state)
{
    (void)state;
    struct jread *array = parsed(TEXT("[10,\"x\",null,[true]]"));
    assert_int_equal(jread_count(array), 4);
    assert_scalar(jread_element(array, 0), "10");
    assert_scalar(jread_element(array, 1), "x");
    assert_null(jread_element(array, 2));
    assert_int_equal(jread_kind_of(jread_element(jread_element(array, 3), 0)), JREAD_BOOL);
    assert_null(jread_element(array, 4));
    assert_null(jread_element(array, SIZE_MAX));
    jread_destroy(array);
}

static void members_are_walked_in_their_order_forwards_and_back(void **state)
{
    (void)state;
    struct jread *object = parsed(TEXT("{\"z\":1,\"a\":null,\"m\":3,\"\":4}"));
    const char *const names[] = {"z", "a", "m", ""};
    const size_t order[] = {0, 1, 2, 3, 3, 1, 0, 2};
    for (size_t i = 0; i < COUNT_OF(order); i++) {
        struct text name;
        const struct jread *value = jread_member_at(object, order[i], &name);
        assert_text(name, names[order[i]]);
        if (order[i] == 1) {
            assert_null(value);
        } else {
            int64_t number;
            assert_int_equal(jread_int64(value, &number), 0);
            assert_int_equal(number, order[i] + 1);
        }
    }
    jread_destroy(object);
}

static void walk_to(const struct jread *value, size_t index)
{
    struct text name;
    (void)jread_member_at(value, index, &name);
}

static void walking_beyond_the_members_is_the_callers_bug(void **state)
{
    (void)state;
    struct jread *object = parsed(TEXT("{\"a\":1}"));
    struct jread *array = parsed(TEXT("[1]"));
    walk_to(object, 0);
    expect_assert_failure(walk_to(object, 1));
    expect_assert_failure(walk_to(array, 0));
    expect_assert_failure(walk_to(NULL, 0));
    jread_destroy(object);
    jread_destroy(array);
}

/* A 64 KiB body full of members is walked in one pass, not in one pass per member. */
static void walking_many_members_takes_no_square_of_steps(void **state)
{
    (void)state;
    enum { MEMBERS = 40000 };
    static char memory[MEMBERS * 12];
    struct text_buffer buffer;
    text_buffer_init(&buffer, memory, sizeof(memory));
    for (int i = 0; i < MEMBERS; i++)
        text_append_format(&buffer, "%c\"%d\":0", i == 0 ? '{' : ',', i);
    text_append_char(&buffer, '}');
    assert_false(buffer.is_cut);
    struct jread *object = parsed(text_buffer_text(&buffer));
    assert_int_equal(jread_count(object), MEMBERS);
    int64_t start_us = clock_monotonic_us();
    for (size_t i = 0; i < MEMBERS; i++) {
        struct text name;
        int64_t number;
        (void)jread_member_at(object, i, &name);
        assert_int_equal(text_parse_int64(name, &number), 0);
        assert_int_equal(number, i);
    }
    /* Measured: 20 ms with sanitizers; 2,500 ms with the square. */
    assert_in_range(clock_monotonic_us() - start_us, 0, 1000000);
    jread_destroy(object);
}

/* --- reading: strings ------------------------------------------------------------------------ */

static void escapes_are_decoded(void **state)
{
    (void)state;
    const struct {
        struct text body;
        const char *wanted;
    } cases[] = {
        {BYTES("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\""), "\"\\/\b\f\n\r\t"},
        {BYTES("\"caf\\u00e9\""), "café"},
        {BYTES("\"caf\\u00E9\""), "café"},
        {BYTES("\"caf\xC3\xA9\""), "café"},
        {BYTES("\"\\u20ac\\uD83D\\uDCB3\""), "€💳"},
        {BYTES("\"\x7f\""), "\x7f"},
        {BYTES("\"/* no comment */ 'single' {[:,]}\""), "/* no comment */ 'single' {[:,]}"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct jread *document = parsed(cases[i].body);
        assert_scalar(document, cases[i].wanted);
        jread_destroy(document);
    }
}

static void escaped_names_are_found_by_their_meaning(void **state)
{
    (void)state;
    struct jread *object = parsed(TEXT("{\"\\u0061mount\":1,\"k\\u00e9y\":2}"));
    assert_scalar(jread_member(object, "amount"), "1");
    assert_scalar(jread_member(object, "kéy"), "2");
    jread_destroy(object);
}

static void string_with_a_nul_character_is_parsed_but_never_handed_out(void **state)
{
    (void)state;
    struct jread *object = parsed(TEXT("{\"keyword\":\"6036\\u00001234\",\"b\":\"ok\"}"));
    struct text text = TEXT("untouched");
    assert_int_equal(jread_scalar(jread_member(object, "keyword"), &text), ERR_JSON_TYPE);
    assert_int_equal(jread_text(jread_member(object, "keyword"), &text), ERR_JSON_TYPE);
    assert_text(text, "untouched");
    assert_scalar(jread_member(object, "b"), "ok");
    jread_destroy(object);
}

static void long_keyword_is_read_whole(void **state)
{
    (void)state;
    enum { LENGTH = 60 * 1024 };
    static char body[LENGTH + 3];
    memset(body, 'k', sizeof(body));
    body[0] = '"';
    body[LENGTH + 1] = '"';
    struct jread *document = parsed((struct text){body, LENGTH + 2});
    struct text text;
    assert_int_equal(jread_text(document, &text), 0);
    assert_int_equal(text.length, LENGTH);
    jread_destroy(document);
}

/* --- reading: numbers ------------------------------------------------------------------------ */

static void numbers_keep_their_source_text(void **state)
{
    (void)state;
    const char *const numbers[] = {
        "0",
        "-0",
        "0.0",
        "-0.00",
        "25.50",
        "25.5",
        "1e2",
        "1E+2",
        "1.0e-7",
        "0.001",
        "1e999",
        "-1e-999",
        "9223372036854775807",
        "9223372036854775807.99",
        "-9223372036854775808",
        "9223372036854775808",
        "18446744073709551615",
        "18446744073709551616",
        "12345678901234567890123456789012345678901234567890",
        "-99999999999999999999999999",
        "999999999999999999",
        "1000000000000000000",
        "0.1000000000000000055511151231257827021181583404541015625",
    };
    char memory[4096];
    struct text_buffer all;
    text_buffer_init(&all, memory, sizeof(memory));
    for (size_t i = 0; i < COUNT_OF(numbers); i++) {
        struct jread *document = parsed(text_of(numbers[i]));
        assert_int_equal(jread_kind_of(document), JREAD_NUMBER);
        assert_scalar(document, numbers[i]);
        assert_scalar(document, numbers[i]); /* asking changes nothing */
        jread_destroy(document);
        /* Between strings that look like numbers, to confuse whoever looks for the source. */
        text_append_format(&all, "%c\"-%zu\",\"\\\"7\",%s,true", i == 0 ? '[' : ',', i, numbers[i]);
    }
    text_append_char(&all, ']');
    struct jread *document = parsed(text_buffer_text(&all));
    for (size_t i = 0; i < COUNT_OF(numbers); i++)
        assert_scalar(jread_element(document, 4 * i + 2), numbers[i]);
    jread_destroy(document);
}

static void source_text_is_kept_in_nested_objects_too(void **state)
{
    (void)state;
    struct jread *document = parsed(TEXT("{\"1\":{\"2\":[3,{\"4\":-0}],\"5\":\"6\"},\"7\":1.50,"
                                         "\"8\":99999999999999999999}"));
    const struct jread *array = jread_member(jread_member(document, "1"), "2");
    assert_scalar(jread_element(array, 0), "3");
    assert_scalar(jread_member(jread_element(array, 1), "4"), "-0");
    assert_scalar(jread_member(document, "7"), "1.50");
    assert_scalar(jread_member(document, "8"), "99999999999999999999");
    jread_destroy(document);
}

static void integers_come_from_numbers_and_numeric_strings_only(void **state)
{
    (void)state;
    const struct {
        struct text body;
        int err;
        int64_t number;
    } cases[] = {
        {BYTES("100"), 0, 100},
        {BYTES("\"100\""), 0, 100},
        {BYTES("-5"), 0, -5},
        {BYTES("-0"), 0, 0},
        {BYTES("9223372036854775807"), 0, INT64_MAX},
        {BYTES("-9223372036854775808"), 0, INT64_MIN},
        {BYTES("\"9223372036854775807\""), 0, INT64_MAX},
        {BYTES("9223372036854775808"), ERR_TOO_LARGE, 0},
        {BYTES("-9223372036854775809"), ERR_TOO_LARGE, 0},
        {BYTES("18446744073709551616"), ERR_TOO_LARGE, 0},
        {BYTES("99999999999999999999999999"), ERR_TOO_LARGE, 0},
        {BYTES("\"9223372036854775808\""), ERR_TOO_LARGE, 0},
        {BYTES("\"99999999999999999999\""), ERR_TOO_LARGE, 0},
        {BYTES("1.0"), ERR_NOT_A_NUMBER, 0},
        {BYTES("10.5"), ERR_NOT_A_NUMBER, 0},
        {BYTES("1e2"), ERR_NOT_A_NUMBER, 0},
        {BYTES("\"1.0\""), ERR_NOT_A_NUMBER, 0},
        {BYTES("\"12a\""), ERR_NOT_A_NUMBER, 0},
        {BYTES("\" 12\""), ERR_NOT_A_NUMBER, 0},
        {BYTES("\"+12\""), ERR_NOT_A_NUMBER, 0},
        {BYTES("\"NaN\""), ERR_NOT_A_NUMBER, 0},
        {BYTES("\"１２\""), ERR_NOT_A_NUMBER, 0},
        {BYTES("\"\""), ERR_MISSING, 0},
        {BYTES("null"), ERR_MISSING, 0},
        {BYTES("true"), ERR_JSON_TYPE, 0},
        {BYTES("[1]"), ERR_JSON_TYPE, 0},
        {BYTES("{\"a\":1}"), ERR_JSON_TYPE, 0},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        int64_t number = 42;
        struct jread *document = parsed(cases[i].body);
        int err = jread_int64(document, &number);
        if (err != cases[i].err || number != (err == 0 ? cases[i].number : 42))
            fail_msg("%s: %s, %lld", cases[i].body.base, error_name(err), (long long)number);
        jread_destroy(document);
    }
}

static void asking_for_another_type_is_refused(void **state)
{
    (void)state;
    const struct {
        struct text body;
        int scalar, text, flag;
    } cases[] = {
        {BYTES("null"), ERR_MISSING, ERR_MISSING, ERR_MISSING},
        {BYTES("true"), ERR_JSON_TYPE, ERR_JSON_TYPE, 0},
        {BYTES("1"), 0, ERR_JSON_TYPE, ERR_JSON_TYPE},
        {BYTES("1.5"), 0, ERR_JSON_TYPE, ERR_JSON_TYPE},
        {BYTES("\"true\""), 0, 0, ERR_JSON_TYPE},
        {BYTES("\"\""), 0, 0, ERR_JSON_TYPE},
        {BYTES("[]"), ERR_JSON_TYPE, ERR_JSON_TYPE, ERR_JSON_TYPE},
        {BYTES("{}"), ERR_JSON_TYPE, ERR_JSON_TYPE, ERR_JSON_TYPE},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct text text;
        bool flag;
        struct jread *document = parsed(cases[i].body);
        assert_int_equal(jread_scalar(document, &text), cases[i].scalar);
        assert_int_equal(jread_text(document, &text), cases[i].text);
        assert_int_equal(jread_bool(document, &flag), cases[i].flag);
        jread_destroy(document);
    }
}

/* --- reading: what is refused ---------------------------------------------------------------- */

/* BYTES as an initialiser of static data. */
#define STATIC_BYTES(literal)                                                                      \
    {                                                                                              \
        (literal), sizeof(literal) - 1                                                             \
    }

static const struct text not_one_strict_value[] = {
    /* nothing, or more than one */
    STATIC_BYTES(""),
    {NULL, 0},
    STATIC_BYTES("  \n"),
    STATIC_BYTES("{}{}"),
    STATIC_BYTES("{} x"),
    STATIC_BYTES("1 2"),
    STATIC_BYTES("null,"),
    STATIC_BYTES("{}]"),
    STATIC_BYTES("\xEF\xBB\xBF{}"), /* byte order mark */
    STATIC_BYTES("amount=5&keyword=1"),
    /* truncated */
    STATIC_BYTES("{"),
    STATIC_BYTES("["),
    STATIC_BYTES("{\"a\""),
    STATIC_BYTES("{\"a\":"),
    STATIC_BYTES("{\"a\":1"),
    STATIC_BYTES("{\"a\":1,"),
    STATIC_BYTES("{\"a"),
    STATIC_BYTES("\"a"),
    STATIC_BYTES("\"a\\"),
    STATIC_BYTES("\"a\\u00e"),
    STATIC_BYTES("[1,"),
    STATIC_BYTES("tru"),
    STATIC_BYTES("-"),
    STATIC_BYTES("1."),
    STATIC_BYTES("1e"),
    STATIC_BYTES("1e+"),
    /* commas and colons */
    STATIC_BYTES("{,}"),
    STATIC_BYTES("{\"a\":1,}"),
    STATIC_BYTES("{\"a\":1,,\"b\":2}"),
    STATIC_BYTES("{\"a\" 1}"),
    STATIC_BYTES("{\"a\"::1}"),
    STATIC_BYTES("{\"a\":1 \"b\":2}"),
    STATIC_BYTES("{\"a\"}"),
    STATIC_BYTES("{1:2}"),
    STATIC_BYTES("{a:1}"),
    STATIC_BYTES("{null:1}"),
    STATIC_BYTES("[,]"),
    STATIC_BYTES("[1,]"),
    STATIC_BYTES("[1 2]"),
    STATIC_BYTES("[1:2]"),
    STATIC_BYTES("[}"),
    STATIC_BYTES("{]"),
    STATIC_BYTES("{\"a\":1]"),
    /* quotes */
    STATIC_BYTES("{'a':1}"),
    STATIC_BYTES("{\"a\":'b'}"),
    STATIC_BYTES("'a'"),
    STATIC_BYTES("{'a\":1}"),
    STATIC_BYTES("[\"a']"),
    STATIC_BYTES("`a`"),
    /* comments */
    STATIC_BYTES("/* c */ {}"),
    STATIC_BYTES("{} /* c */"),
    STATIC_BYTES("{/* c */\"a\":1}"),
    STATIC_BYTES("[1 // c\n]"),
    STATIC_BYTES("# c\n{}"),
    /* literals */
    STATIC_BYTES("True"),
    STATIC_BYTES("TRUE"),
    STATIC_BYTES("tRUE"),
    STATIC_BYTES("False"),
    STATIC_BYTES("NULL"),
    STATIC_BYTES("Null"),
    STATIC_BYTES("nul"),
    STATIC_BYTES("nullx"),
    STATIC_BYTES("truefalse"),
    STATIC_BYTES("undefined"),
    STATIC_BYTES("NaN"),
    STATIC_BYTES("nan"),
    STATIC_BYTES("{\"amount\":NaN}"),
    STATIC_BYTES("{\"amount\":-NaN}"),
    STATIC_BYTES("Infinity"),
    STATIC_BYTES("-Infinity"),
    STATIC_BYTES("[Infinity]"),
    STATIC_BYTES("[-Infinity]"),
    STATIC_BYTES("inf"),
    /* numbers */
    STATIC_BYTES("+1"),
    STATIC_BYTES("01"),
    STATIC_BYTES("-01"),
    STATIC_BYTES("00"),
    STATIC_BYTES("-00"),
    STATIC_BYTES("01.5"),
    STATIC_BYTES("[1.]"),
    STATIC_BYTES("[.5]"),
    STATIC_BYTES("[-.5]"),
    STATIC_BYTES("[-]"),
    STATIC_BYTES("[--1]"),
    STATIC_BYTES("[1.e5]"),
    STATIC_BYTES("[1.+5]"),
    STATIC_BYTES("[1.-5]"),
    STATIC_BYTES("[1e]"),
    STATIC_BYTES("[1e+]"),
    STATIC_BYTES("[1e1.5]"),
    STATIC_BYTES("[1e1e1]"),
    STATIC_BYTES("[1.2.3]"),
    STATIC_BYTES("[0x10]"),
    STATIC_BYTES("[1_000]"),
    STATIC_BYTES("[12,50.]"),
    STATIC_BYTES("[1,000.00]"), /* 000.00 has leading zeroes */
    STATIC_BYTES("[- 1]"),
    STATIC_BYTES("[1 .5]"),
    STATIC_BYTES("[１]"),
    STATIC_BYTES("[$1]"),
    /* strings */
    STATIC_BYTES("\"a\nb\""),
    STATIC_BYTES("\"a\tb\""),
    STATIC_BYTES("\"\x01\""),
    STATIC_BYTES("\"\x1f\""),
    STATIC_BYTES("{\"a\nb\":1}"),
    STATIC_BYTES("\"\\x41\""),
    STATIC_BYTES("\"\\a\""),
    STATIC_BYTES("\"\\'\""),
    STATIC_BYTES("\"\\0\""),
    STATIC_BYTES("\"\\U0041\""),
    STATIC_BYTES("\"\\u004\""),
    STATIC_BYTES("\"\\u00g1\""),
    STATIC_BYTES("\"\\u+041\""),
    STATIC_BYTES("\"\\u 041\""),
    STATIC_BYTES("\"\\ud800\""),
    STATIC_BYTES("\"\\udc00\""),
    STATIC_BYTES("\"\\ud800x\""),
    STATIC_BYTES("\"\\ud800\\n\""),
    STATIC_BYTES("\"\\ud800\\u0041\""),
    STATIC_BYTES("\"\\ud800\\ud800\""),
    STATIC_BYTES("\"\\udc00\\ud800\""),
    STATIC_BYTES("\"\\udc00\\udc00\""),
    STATIC_BYTES("\"\\ud800\\ue000\""),
    /* white space that JSON does not know */
    STATIC_BYTES("\v{}"),
    STATIC_BYTES("{}\f"),
    STATIC_BYTES("{\xC2\xA0}"),
    /* raw NUL, everywhere */
    STATIC_BYTES("\0"),
    STATIC_BYTES("\0{}"),
    STATIC_BYTES("{}\0"),
    STATIC_BYTES("{\0}"),
    STATIC_BYTES("\"a\0b\""),
    STATIC_BYTES("{\"a\0b\":1}"),
    STATIC_BYTES("{\"a\":1\0}"),
    STATIC_BYTES("nul\0"),
    STATIC_BYTES("1\0"),
    STATIC_BYTES("1\0002"),
    /* a name that json-c would cut to "amount" */
    STATIC_BYTES("{\"amount\\u0000x\":1}"),
    /* not UTF-8 */
    STATIC_BYTES("\"\xff\""),
    STATIC_BYTES("\"\xC3\""),
    STATIC_BYTES("\"\xC0\xAF\""),
    STATIC_BYTES("\"\xED\xA0\x80\""),
    STATIC_BYTES("\"\xF4\x90\x80\x80\""),
    STATIC_BYTES("{\"\xE9\":1}"),
    STATIC_BYTES("\xff\xfe{\0}\0"),
};

static void what_is_not_exactly_one_strict_value_is_a_syntax_error(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(not_one_strict_value); i++) {
        struct jread *document;
        struct text body = not_one_strict_value[i];
        int err = parse(body, &document);
        if (err != ERR_JSON_SYNTAX || document != NULL)
            fail_msg("entry %zu \"%.*s\": %s", i, (int)body.length, body.base, error_name(err));
    }
}

static void every_cut_of_a_good_body_is_a_syntax_error(void **state)
{
    (void)state;
    struct text body = TEXT("{\"company_id\":5678,\"a\":[true,false,null,-1.5e2,\"\\u00e9\\n\"],"
                            "\"o\":{\"k\":\"v\"},\"order_id\":280206590812345678901}");
    for (size_t length = 0; length < body.length; length++) {
        struct jread *document;
        assert_int_equal(parse(text_slice(body, 0, length), &document), ERR_JSON_SYNTAX);
        assert_null(document);
    }
    jread_destroy(parsed(body));
}

static void duplicate_names_are_refused_at_any_depth(void **state)
{
    (void)state;
    const struct text bad[] = {
        BYTES("{\"amount\":1,\"amount\":100}"),
        BYTES("{\"amount\":1,\"amount\":1}"),
        BYTES("{\"a\":1,\"b\":2,\"c\":3,\"a\":null}"),
        BYTES("{\"amount\":1,\"\\u0061mount\":2}"), /* the same name, spelled otherwise */
        BYTES("{\"a\":{\"b\":1,\"b\":2}}"),
        BYTES("[{\"a\":1},{\"a\":1,\"a\":1}]"),
        BYTES("{\"x\":[[{\"y\":{\"a\":1,\"a\":2}}]]}"),
        BYTES("{\"a\":{\"b\":1,\"c\":2},\"a\":{}}"),
        BYTES("{\"a\":{},\"a\":{\"b\":1,\"c\":2}}"), /* what is dropped may hide what is kept */
        BYTES("{\"\":1,\"\":2}"),
    };
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct jread *document;
        if (parse(bad[i], &document) != ERR_JSON_DUPLICATE || document != NULL)
            fail_msg("bad[%zu]", i);
    }
    const struct text good[] = {
        BYTES("[{\"a\":1},{\"a\":1}]"),
        BYTES("{\"a\":{\"a\":{\"a\":1}}}"),
        BYTES("{\"a\":\"a:a:a\",\"b\":\":\\\":\"}"), /* colons that are no members */
        BYTES("{\"a\":1,\"A\":2,\"a \":3}"),
    };
    for (size_t i = 0; i < COUNT_OF(good); i++)
        jread_destroy(parsed(good[i]));
}

static void nest(struct text_buffer *buffer, const char *open, const char *middle,
                 const char *close, int depth)
{
    for (int i = 0; i < depth; i++)
        text_append(buffer, text_of(open));
    text_append(buffer, text_of(middle));
    for (int i = 0; i < depth; i++)
        text_append(buffer, text_of(close));
}

static void nesting_is_allowed_up_to_the_limit_only(void **state)
{
    (void)state;
    static char memory[64 * 1024];
    const char *const kinds[][3] = {{"[", "", "]"},
                                    {"[", "1", "]"},
                                    {"[", "null", "]"},
                                    {"{\"a\":", "\"s\"", "}"},
                                    {"[{\"a\":", "[]", "}]"}};
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        int step = i == 4 ? 2 : 1;
        for (int depth = 1; depth <= JREAD_DEPTH_MAX + 4; depth++) {
            struct text_buffer buffer;
            struct jread *document;
            text_buffer_init(&buffer, memory, sizeof(memory));
            nest(&buffer, kinds[i][0], kinds[i][1], kinds[i][2], depth);
            int containers = depth * step + (i == 4);
            assert_int_equal(parse(text_buffer_text(&buffer), &document),
                             containers <= JREAD_DEPTH_MAX ? 0 : ERR_JSON_DEPTH);
            jread_destroy(document);
        }
    }
    /* 64 KiB of brackets end at the limit, not at the end of the stack. */
    struct text_buffer buffer;
    struct jread *document;
    text_buffer_init(&buffer, memory, sizeof(memory));
    nest(&buffer, "[", "", "", sizeof(memory) - 1);
    assert_int_equal(parse(text_buffer_text(&buffer), &document), ERR_JSON_DEPTH);
}

/* --- writing --------------------------------------------------------------------------------- */

static void writer_places_the_commas(void **state)
{
    (void)state;
    char memory[256];
    struct text_buffer buffer;
    struct jwrite writer;
    text_buffer_init(&buffer, memory, sizeof(memory));
    jwrite_init(&writer, &buffer);
    jwrite_object_begin(&writer);
    jwrite_key(&writer, TEXT("a"));
    jwrite_int64(&writer, INT64_MIN);
    jwrite_key(&writer, TEXT("b"));
    jwrite_array_begin(&writer);
    jwrite_array_begin(&writer);
    jwrite_array_end(&writer);
    jwrite_object_begin(&writer);
    jwrite_object_end(&writer);
    jwrite_bool(&writer, true);
    jwrite_bool(&writer, false);
    jwrite_null(&writer);
    jwrite_raw(&writer, TEXT("25.50"));
    jwrite_text(&writer, TEXT("x"));
    jwrite_array_end(&writer);
    jwrite_key(&writer, TEXT("c\""));
    jwrite_text(&writer, text_of(NULL));
    jwrite_object_end(&writer);
    assert_false(buffer.is_cut);
    assert_string_equal(memory, "{\"a\":-9223372036854775808,\"b\":[[],{},true,false,null,25.50,"
                                "\"x\"],\"c\\\"\":\"\"}");
}

static void writer_escapes_and_mends_text(void **state)
{
    (void)state;
    const struct {
        struct text text;
        const char *wanted;
    } cases[] = {
        {BYTES("\"\\/\b\f\n\r\t"), "\"\\\"\\\\/\\b\\f\\n\\r\\t\""},
        {BYTES("\0\x01\x1f\x7f"), "\"\\u0000\\u0001\\u001f\x7f\""},
        {BYTES("caf\xC3\xA9 €💳"), "\"café €💳\""},
        {BYTES("a\xff"
               "b"),
         "\"a\xEF\xBF\xBD"
         "b\""},
        {BYTES("\xC3"), "\"\xEF\xBF\xBD\""},
        {BYTES("\xC3\""), "\"\xEF\xBF\xBD\\\"\""},
        {BYTES("\xED\xA0\x80"), "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\""},
        {BYTES("</script>"), "\"</script>\""},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char memory[64];
        struct text_buffer buffer;
        struct jwrite writer;
        text_buffer_init(&buffer, memory, sizeof(memory));
        jwrite_init(&writer, &buffer);
        jwrite_text(&writer, cases[i].text);
        assert_text(text_buffer_text(&buffer), cases[i].wanted);
        jread_destroy(parsed(text_buffer_text(&buffer)));
    }
}

static void writer_says_when_the_buffer_was_too_small(void **state)
{
    (void)state;
    for (size_t capacity = 1; capacity <= 14; capacity++) {
        char memory[16];
        memset(memory, '#', sizeof(memory));
        struct text_buffer buffer;
        struct jwrite writer;
        text_buffer_init(&buffer, memory, capacity);
        jwrite_init(&writer, &buffer);
        jwrite_object_begin(&writer);
        jwrite_key(&writer, TEXT("a"));
        jwrite_text(&writer, TEXT("\x01"));
        jwrite_object_end(&writer);
        assert_int_equal(buffer.is_cut, capacity < sizeof("{\"a\":\"\\u0001\"}"));
        assert_int_equal(memory[capacity], '#');
    }
}

int main(void)
{
    check_hook = hook;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(register_body_is_read_field_by_field),
        cmocka_unit_test(every_kind_is_told_apart),
        cmocka_unit_test(elements_are_reached_by_index),
        cmocka_unit_test(members_are_walked_in_their_order_forwards_and_back),
        cmocka_unit_test(walking_beyond_the_members_is_the_callers_bug),
        cmocka_unit_test(walking_many_members_takes_no_square_of_steps),
        cmocka_unit_test(escapes_are_decoded),
        cmocka_unit_test(escaped_names_are_found_by_their_meaning),
        cmocka_unit_test(string_with_a_nul_character_is_parsed_but_never_handed_out),
        cmocka_unit_test(long_keyword_is_read_whole),
        cmocka_unit_test(numbers_keep_their_source_text),
        cmocka_unit_test(source_text_is_kept_in_nested_objects_too),
        cmocka_unit_test(integers_come_from_numbers_and_numeric_strings_only),
        cmocka_unit_test(asking_for_another_type_is_refused),
        cmocka_unit_test(what_is_not_exactly_one_strict_value_is_a_syntax_error),
        cmocka_unit_test(every_cut_of_a_good_body_is_a_syntax_error),
        cmocka_unit_test(duplicate_names_are_refused_at_any_depth),
        cmocka_unit_test(nesting_is_allowed_up_to_the_limit_only),
        cmocka_unit_test(writer_places_the_commas),
        cmocka_unit_test(writer_escapes_and_mends_text),
        cmocka_unit_test(writer_says_when_the_buffer_was_too_small),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
