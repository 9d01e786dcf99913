/* Text, the bounded builder, and the codecs: hex, base64, UTF-8, forms. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/error.h"
#include "base/text.h"

#include "base/banned.h"

#define BYTES(literal) ((struct text){(literal), sizeof(literal) - 1})

static void hook(const char *expression, const char *file, int line)
{
    mock_assert(0, expression, file, line);
}

#define assert_text(text_, expected)                                                               \
    do {                                                                                           \
        struct text text__ = (text_);                                                              \
        assert_int_equal(text__.length, strlen(expected));                                         \
        assert_memory_equal(text__.length > 0 ? text__.base : "", expected, strlen(expected));     \
    } while (0)

/* --- looking --------------------------------------------------------------------------------- */

static void text_of_null_is_empty(void **state)
{
    (void)state;
    assert_int_equal(text_of(NULL).length, 0);
    assert_text(text_of("abc"), "abc");
}

static void equality_is_of_length_and_bytes(void **state)
{
    (void)state;
    bool (*const equals[])(struct text, struct text) = {text_equal, text_equal_nocase,
                                                        text_equal_constant_time};
    for (size_t i = 0; i < COUNT_OF(equals); i++) {
        assert_true(equals[i](TEXT("abc"), TEXT("abc")));
        assert_true(equals[i](TEXT(""), text_of(NULL)));
        assert_false(equals[i](TEXT("abc"), TEXT("abd")));
        assert_false(equals[i](TEXT("xbc"), TEXT("abc")));
        assert_false(equals[i](TEXT("abc"), TEXT("abcd")));
        assert_true(equals[i](BYTES("a\0b"), BYTES("a\0b")));
        assert_false(equals[i](BYTES("a\0b"), BYTES("a\0c")));
    }
    assert_true(text_equal_nocase(TEXT("SHA256="), TEXT("sha256=")));
    assert_false(text_equal(TEXT("SHA256="), TEXT("sha256=")));
    assert_false(text_equal_nocase(TEXT("[@`{"), TEXT("{`@["))); /* the neighbours of letters */
}

static void starts_with_needs_the_whole_prefix(void **state)
{
    (void)state;
    assert_true(text_starts_with(TEXT("sha256=ab"), TEXT("sha256=")));
    assert_true(text_starts_with(TEXT("abc"), TEXT("")));
    assert_true(text_starts_with(text_of(NULL), TEXT("")));
    assert_false(text_starts_with(TEXT("sha"), TEXT("sha256=")));
    assert_false(text_starts_with(TEXT("xsha256="), TEXT("sha256=")));
}

static void trim_takes_white_space_from_both_ends_only(void **state)
{
    (void)state;
    assert_text(text_trim(TEXT(" \t\r\n\v\f a b \n")), "a b");
    assert_text(text_trim(TEXT("   ")), "");
    assert_text(text_trim(TEXT("")), "");
    assert_text(text_trim(TEXT("\xc2\xa0x")), "\xc2\xa0x"); /* no-break space is not ASCII */
}

static void slice_is_clipped_to_the_text(void **state)
{
    (void)state;
    assert_text(text_slice(TEXT("hello"), 1, 3), "ell");
    assert_text(text_slice(TEXT("hello"), 3, 99), "lo");
    assert_text(text_slice(TEXT("hello"), 5, 1), "");
    assert_text(text_slice(TEXT("hello"), 99, SIZE_MAX), "");
    assert_text(text_slice(TEXT("hello"), 2, SIZE_MAX), "llo");
    assert_text(text_slice(text_of(NULL), 0, 1), "");
}

static void digits_are_ascii_and_at_least_one(void **state)
{
    (void)state;
    assert_true(text_is_digits(TEXT("0123456789")));
    assert_false(text_is_digits(TEXT("")));
    assert_false(text_is_digits(TEXT("12a")));
    assert_false(text_is_digits(TEXT("-1")));
    assert_false(text_is_digits(TEXT("/")));
    assert_false(text_is_digits(TEXT(":")));
    assert_false(text_is_digits(TEXT("１２"))); /* full-width */
    assert_false(text_is_digits(TEXT("٣")));    /* Arabic-Indic */
    assert_false(text_is_digits(BYTES("1\0")));
}

static void utf8_well_formed_sequences_are_taken(void **state)
{
    (void)state;
    /* The ends of every range of Unicode table 3-7. */
    const struct text good[] = {
        BYTES(""),
        BYTES("\0"),
        BYTES("plain ascii, longer than eight bytes"),
        BYTES("\xC2\x80\xDF\xBF"),
        BYTES("\xE0\xA0\x80\xE0\xBF\xBF"),
        BYTES("\xE1\x80\x80\xEC\xBF\xBF"),
        BYTES("\xED\x80\x80\xED\x9F\xBF"),
        BYTES("\xEE\x80\x80\xEF\xBF\xBF"),
        BYTES("\xF0\x90\x80\x80\xF0\xBF\xBF\xBF"),
        BYTES("\xF1\x80\x80\x80\xF3\xBF\xBF\xBF"),
        BYTES("\xF4\x80\x80\x80\xF4\x8F\xBF\xBF"),
        BYTES("1234567\xC3\xA9 across the word of eight"),
    };
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        if (!text_is_utf8(good[i]))
            fail_msg("good[%zu] refused", i);
    }
}

static void utf8_ill_formed_sequences_are_refused(void **state)
{
    (void)state;
    const struct text bad[] = {
        BYTES("\x80"),
        BYTES("\xBF"),
        BYTES("\xC0\x80"),         /* overlong NUL */
        BYTES("\xC1\xBF"),         /* overlong */
        BYTES("\xC2"),             /* cut */
        BYTES("\xC2\x41"),         /* second byte missing */
        BYTES("\xC2\xC0"),         /* second byte too high */
        BYTES("\xE0\x80\x80"),     /* overlong */
        BYTES("\xE0\x9F\xBF"),     /* overlong */
        BYTES("\xED\xA0\x80"),     /* surrogate */
        BYTES("\xED\xBF\xBF"),     /* surrogate */
        BYTES("\xE2\x82"),         /* cut */
        BYTES("\xE2\x82\x41"),     /* third byte missing */
        BYTES("\xF0\x80\x80\x80"), /* overlong */
        BYTES("\xF0\x8F\xBF\xBF"), /* overlong */
        BYTES("\xF4\x90\x80\x80"), /* beyond U+10FFFF */
        BYTES("\xF5\x80\x80\x80"),
        BYTES("\xF0\x9F\x92"), /* cut */
        BYTES("\xFE"),
        BYTES("\xFF"),
        BYTES("12345678\xFF"),
        BYTES("1234567\xFF"),
        BYTES("123456789012345\x80"),
    };
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        char *copy = malloc(bad[i].length); /* ends where the text ends: a read beyond is caught */
        assert_non_null(copy);
        memcpy(copy, bad[i].base, bad[i].length);
        if (text_is_utf8((struct text){copy, bad[i].length}))
            fail_msg("bad[%zu] taken", i);
        free(copy);
    }
}

static void utf8_length_is_of_the_first_character(void **state)
{
    (void)state;
    assert_int_equal(text_utf8_length(TEXT("ab")), 1);
    assert_int_equal(text_utf8_length(TEXT("éa")), 2);
    assert_int_equal(text_utf8_length(TEXT("€a")), 3);
    assert_int_equal(text_utf8_length(TEXT("💳a")), 4);
    assert_int_equal(text_utf8_length(BYTES("\xE2\x82")), 0);
    assert_int_equal(text_utf8_length(TEXT("")), 0);
    assert_int_equal(text_utf8_step(TEXT("aéb"), 0), 1);
    assert_int_equal(text_utf8_step(TEXT("aéb"), 1), 2);
    assert_int_equal(text_utf8_step(TEXT("aéb"), 2), 1); /* in the middle of one */
    assert_int_equal(text_utf8_step(BYTES("\xE2\x82"), 0), 1);
    assert_int_equal(text_utf8_step(TEXT("a"), 1), 1); /* behind the end */
}

static void utf8_is_copied_as_whole_characters(void **state)
{
    (void)state;
    char out[6];
    assert_true(text_copy_utf8(out, sizeof(out), TEXT("abé€")) == false);
    assert_string_equal(out, "abé");
    assert_true(text_copy_utf8(out, sizeof(out), TEXT("a💳")));
    assert_string_equal(out, "a💳");
    assert_false(text_copy_utf8(out, sizeof(out), TEXT("aa💳")));
    assert_string_equal(out, "aa");
    assert_false(text_copy_utf8(out, sizeof(out), BYTES("a\xFFz")));
    assert_string_equal(out, "a");
    assert_false(text_copy_utf8(out, 1, TEXT("a")));
    assert_string_equal(out, "");
    assert_true(text_copy_utf8(out, 1, (struct text){NULL, 0}));
    assert_string_equal(out, "");
}

static void what_is_not_printable_is_replaced_whole_characters_are_kept(void **state)
{
    (void)state;
    char bytes[8];
    struct text_buffer buffer;
    text_buffer_init(&buffer, bytes, sizeof(bytes));
    text_append_printable(&buffer, BYTES("a\x1b\xc2\x9b\xffé"), TEXT(" "));
    assert_string_equal(bytes, "a   é");
    assert_false(buffer.is_cut);
    text_append_printable(&buffer, TEXT("€"), TEXT(" "));
    assert_string_equal(bytes, "a   é"); /* three bytes for one of room */
    assert_true(buffer.is_cut);
    text_buffer_init(&buffer, bytes, sizeof(bytes));
    text_append_printable(&buffer,
                          BYTES("\x01"
                                "a\x7f"
                                "bcdefg"),
                          TEXT(""));
    assert_string_equal(bytes, "abcdefg");
    assert_false(buffer.is_cut);
    text_append_printable(&buffer, TEXT("\n"), TEXT(" "));
    assert_string_equal(bytes, "abcdefg");
    assert_true(buffer.is_cut);
}

static void hash_is_fnv_1a(void **state)
{
    (void)state;
    assert_true(text_hash(TEXT("")) == UINT64_C(0xcbf29ce484222325));
    assert_true(text_hash(TEXT("a")) == UINT64_C(0xaf63dc4c8601ec8c));
    assert_true(text_hash(TEXT("foobar")) == UINT64_C(0x85944171f73967e8));
    assert_true(text_hash(BYTES("\xff")) != text_hash(BYTES("\x7f")));
}

static void int64_is_parsed_at_its_limits(void **state)
{
    (void)state;
    const struct {
        const char *text;
        int64_t value;
    } good[] = {
        {"0", 0},
        {"-0", 0},
        {"007", 7},
        {"2802065908", INT64_C(2802065908)},
        {"9223372036854775807", INT64_MAX},
        {"-9223372036854775808", INT64_MIN},
        {"000000000000000000000000000009", 9},
    };
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        int64_t value = -1;
        assert_int_equal(text_parse_int64(text_of(good[i].text), &value), 0);
        assert_true(value == good[i].value);
    }
}

static void int64_refuses_what_is_no_integer_and_leaves_the_value_alone(void **state)
{
    (void)state;
    const struct {
        struct text text;
        int err;
    } bad[] = {
        {BYTES(""), ERR_NOT_A_NUMBER},
        {BYTES("-"), ERR_NOT_A_NUMBER},
        {BYTES("+1"), ERR_NOT_A_NUMBER},
        {BYTES("--1"), ERR_NOT_A_NUMBER},
        {BYTES(" 1"), ERR_NOT_A_NUMBER},
        {BYTES("1 "), ERR_NOT_A_NUMBER},
        {BYTES("1.0"), ERR_NOT_A_NUMBER},
        {BYTES("1e2"), ERR_NOT_A_NUMBER},
        {BYTES("0x10"), ERR_NOT_A_NUMBER},
        {BYTES("１"), ERR_NOT_A_NUMBER},
        {BYTES("1\0"), ERR_NOT_A_NUMBER},
        {BYTES("9223372036854775808"), ERR_TOO_LARGE},
        {BYTES("-9223372036854775809"), ERR_TOO_LARGE},
        {BYTES("18446744073709551616"), ERR_TOO_LARGE},
        {BYTES("99999999999999999999999999999999"), ERR_TOO_LARGE},
    };
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        int64_t value = 42;
        assert_int_equal(text_parse_int64(bad[i].text, &value), bad[i].err);
        assert_true(value == 42);
    }
}

/* --- building -------------------------------------------------------------------------------- */

static void buffer_keeps_what_fits_and_says_that_it_was_cut(void **state)
{
    (void)state;
    char memory[8];
    memset(memory, '#', sizeof(memory));
    struct text_buffer buffer;
    text_buffer_init(&buffer, memory, 6);
    assert_int_equal(memory[0], '\0');
    text_append(&buffer, TEXT("abc"));
    text_append(&buffer, text_of(NULL));
    text_append_char(&buffer, 'd');
    text_append_char(&buffer, 'e');
    assert_false(buffer.is_cut);
    assert_string_equal(memory, "abcde");
    text_append(&buffer, TEXT("fgh"));
    assert_true(buffer.is_cut);
    assert_text(text_buffer_text(&buffer), "abcde");
    assert_int_equal(memory[5], '\0');
    assert_int_equal(memory[6], '#');
    assert_int_equal(memory[7], '#');
}

static void buffer_of_one_byte_holds_the_nul_only(void **state)
{
    (void)state;
    char memory[2] = {'x', '#'};
    struct text_buffer buffer;
    text_buffer_init(&buffer, memory, 1);
    text_append_format(&buffer, "%d", 7);
    assert_true(buffer.is_cut);
    assert_int_equal(buffer.length, 0);
    assert_int_equal(memory[0], '\0');
    assert_int_equal(memory[1], '#');
}

/* Calls that must fail a CHECK stand in functions of their own: what lives beside setjmp may be
 * clobbered. */
static void init_buffer(size_t capacity)
{
    char memory[1];
    struct text_buffer buffer;
    text_buffer_init(&buffer, memory, capacity);
}

static void buffer_without_room_for_the_nul_is_the_callers_bug(void **state)
{
    (void)state;
    init_buffer(1);
    expect_assert_failure(init_buffer(0));
}

static void format_is_cut_like_text(void **state)
{
    (void)state;
    char memory[8];
    memset(memory, '#', sizeof(memory));
    struct text_buffer buffer;
    text_buffer_init(&buffer, memory, 7);
    text_append_format(&buffer, "%s-%02d", "ab", 3);
    assert_false(buffer.is_cut);
    assert_string_equal(memory, "ab-03");
    text_append_format(&buffer, "%c", 'x'); /* exactly full */
    assert_false(buffer.is_cut);
    text_append_format(&buffer, "%s", "yz");
    assert_true(buffer.is_cut);
    assert_string_equal(memory, "ab-03x");
    assert_int_equal(buffer.length, 6);
    assert_int_equal(memory[7], '#');
}

static void int64_is_written_at_its_limits(void **state)
{
    (void)state;
    char memory[64];
    struct text_buffer buffer;
    text_buffer_init(&buffer, memory, sizeof(memory));
    text_append_int64(&buffer, INT64_MIN);
    text_append_char(&buffer, ' ');
    text_append_int64(&buffer, INT64_MAX);
    text_append_char(&buffer, ' ');
    text_append_int64(&buffer, 0);
    text_append_char(&buffer, ' ');
    text_append_int64(&buffer, -10);
    assert_string_equal(memory, "-9223372036854775808 9223372036854775807 0 -10");
}

/* --- hex and base64 -------------------------------------------------------------------------- */

static void hex_goes_out_lower_and_comes_in_either_case(void **state)
{
    (void)state;
    const uint8_t bytes[] = {0x00, 0x9f, 0xa0, 0xff};
    char hex[9];
    uint8_t back[4];
    text_hex_encode(hex, bytes, sizeof(bytes));
    assert_string_equal(hex, "009fa0ff");
    assert_true(text_hex_decode(back, sizeof(back), TEXT("009FA0fF")));
    assert_memory_equal(back, bytes, sizeof(bytes));
    assert_true(text_hex_decode(back, 0, TEXT("")));
}

static void hex_refuses_other_lengths_and_characters(void **state)
{
    (void)state;
    uint8_t out[2];
    assert_false(text_hex_decode(out, 2, TEXT("00ff0")));
    assert_false(text_hex_decode(out, 2, TEXT("00ff00")));
    assert_false(text_hex_decode(out, 2, TEXT("00f")));
    assert_false(text_hex_decode(out, 2, TEXT("")));
    assert_false(text_hex_decode(out, 2, TEXT("00fg")));
    assert_false(text_hex_decode(out, 2, TEXT("0 ff")));
    assert_false(text_hex_decode(out, 2, TEXT("@0ff")));
    assert_false(text_hex_decode(out, 2, TEXT("00f:")));
    assert_false(text_hex_decode(out, 2, TEXT("00f`")));
}

/* RFC 4648 section 10, and a signature of the protocol notes. */
static void base64_follows_the_rfc_with_and_without_padding(void **state)
{
    (void)state;
    const struct {
        const char *padded;
        const char *bare;
        const char *plain;
    } vectors[] = {
        {"Zg==", "Zg", "f"},
        {"Zm8=", "Zm8", "fo"},
        {"Zm9v", "Zm9v", "foo"},
        {"Zm9vYg==", "Zm9vYg", "foob"},
        {"Zm9vYmE=", "Zm9vYmE", "fooba"},
        {"Zm9vYmFy", "Zm9vYmFy", "foobar"},
    };
    uint8_t out[32];
    for (size_t i = 0; i < COUNT_OF(vectors); i++) {
        size_t size = strlen(vectors[i].plain);
        assert_true(text_base64_decode(out, size, text_of(vectors[i].padded)));
        assert_memory_equal(out, vectors[i].plain, size);
        memset(out, 0, sizeof(out));
        assert_true(text_base64_decode(out, size, text_of(vectors[i].bare)));
        assert_memory_equal(out, vectors[i].plain, size);
    }
    uint8_t wanted[32];
    assert_true(text_hex_decode(
        wanted, 32, TEXT("e218f006caa7dd13a7ee3fe31f02b3a279734f3f9a310241d8683f52645ad77f")));
    assert_true(text_base64_decode(out, 32, TEXT("4hjwBsqn3ROn7j/jHwKzonlzTz+aMQJB2Gg/UmRa138=")));
    assert_memory_equal(out, wanted, 32);
}

static void base64_is_written_as_the_rfc_has_it(void **state)
{
    (void)state;
    static const struct {
        const char *plain, *encoded;
    } vectors[] = {{"", ""},
                   {"f", "Zg=="},
                   {"fo", "Zm8="},
                   {"foo", "Zm9v"},
                   {"foob", "Zm9vYg=="},
                   {"fooba", "Zm9vYmE="},
                   {"foobar", "Zm9vYmFy"},
                   {"\xfb\xff\xfe", "+//+"}};
    for (size_t i = 0; i < COUNT_OF(vectors); i++) {
        char bytes[16];
        struct text_buffer buffer;
        text_buffer_init(&buffer, bytes, sizeof(bytes));
        text_append_base64(&buffer, text_of(vectors[i].plain));
        assert_string_equal(bytes, vectors[i].encoded);
    }
}

static void all_but_the_unreserved_is_percent_encoded(void **state)
{
    (void)state;
    char bytes[128];
    struct text_buffer buffer;
    text_buffer_init(&buffer, bytes, sizeof(bytes));
    text_append_percent(&buffer, TEXT("AZaz09-._~ +&=%/?#\0\xff"));
    assert_string_equal(bytes, "AZaz09-._~%20%2B%26%3D%25%2F%3F%23%00%FF");
    assert_false(buffer.is_cut);
    text_buffer_init(&buffer, bytes, 3);
    text_append_percent(&buffer, TEXT("  "));
    assert_true(buffer.is_cut);
}

static void base64_refuses_everything_else(void **state)
{
    (void)state;
    const struct {
        size_t size;
        const char *text;
    } bad[] = {
        {1, ""},
        {1, "Z"},
        {1, "Zg="},
        {1, "Zg==="},
        {1, "Zg=a"},
        {1, "Zga="},
        {1, "Zh=="}, /* unused bits set */
        {2, "Zm9="}, /* unused bits set */
        {1, "Zm8="},
        {2, "Zg=="},
        {3, "Zm9v===="},
        {3, "Zm9-"},
        {3, "Zm9_"},
        {3, "Zm 9"},
        {3, "Zm9\n"},
        {
            3,
            "====",
        },
    };
    uint8_t out[4];
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        if (text_base64_decode(out, bad[i].size, text_of(bad[i].text)))
            fail_msg("\"%s\" was taken as %zu bytes", bad[i].text, bad[i].size);
    }
}

/* --- forms ----------------------------------------------------------------------------------- */

static void form_pairs_are_decoded_one_by_one(void **state)
{
    (void)state;
    struct text cursor = TEXT("company_id=5678&keyword=a+b%2b%C3%A9&empty=&bare&&=v&x=1=2&");
    const char *const wanted[][2] = {{"company_id", "5678"},
                                     {"keyword", "a b+é"},
                                     {"empty", ""},
                                     {"bare", ""},
                                     {"", "v"},
                                     {"x", "1=2"}};
    char memory[128];
    struct text_buffer buffer;
    struct text name;
    struct text value;
    struct text first_value = {NULL, 0};
    text_buffer_init(&buffer, memory, cursor.length + 1);
    for (size_t i = 0; i < COUNT_OF(wanted); i++) {
        assert_int_equal(text_form_next(&cursor, &buffer, &name, &value), 0);
        assert_text(name, wanted[i][0]);
        assert_text(value, wanted[i][1]);
        if (i == 0)
            first_value = value;
    }
    assert_int_equal(text_form_next(&cursor, &buffer, &name, &value), ERR_NOT_FOUND);
    assert_int_equal(text_form_next(&cursor, &buffer, &name, &value), ERR_NOT_FOUND);
    assert_text(first_value, "5678"); /* earlier pairs stay where they are */
}

static void form_with_nothing_in_it_has_no_pairs(void **state)
{
    (void)state;
    const struct text bodies[] = {TEXT(""), TEXT("&"), TEXT("&&&"), {NULL, 0}};
    char memory[8];
    struct text_buffer buffer;
    struct text name;
    struct text value;
    for (size_t i = 0; i < COUNT_OF(bodies); i++) {
        struct text cursor = bodies[i];
        text_buffer_init(&buffer, memory, sizeof(memory));
        assert_int_equal(text_form_next(&cursor, &buffer, &name, &value), ERR_NOT_FOUND);
    }
}

static void form_with_a_broken_escape_or_a_nul_is_refused(void **state)
{
    (void)state;
    const struct text bodies[] = {BYTES("a=%"),   BYTES("a=%4"),   BYTES("a=%4g"),
                                  BYTES("a=%g4"), BYTES("%zz=1"),  BYTES("a=%00"),
                                  BYTES("a=b\0"), BYTES("a%00=1"), BYTES("a=%4&b=1")};
    char memory[64];
    struct text_buffer buffer;
    struct text name;
    struct text value;
    for (size_t i = 0; i < COUNT_OF(bodies); i++) {
        struct text cursor = bodies[i];
        text_buffer_init(&buffer, memory, sizeof(memory));
        assert_int_equal(text_form_next(&cursor, &buffer, &name, &value), ERR_FORM_SYNTAX);
    }
}

static void take_pair(size_t capacity)
{
    struct text cursor = TEXT("abc=def");
    char memory[7];
    struct text_buffer buffer;
    struct text name;
    struct text value;
    text_buffer_init(&buffer, memory, capacity);
    assert_int_equal(text_form_next(&cursor, &buffer, &name, &value), 0);
}

static void form_with_too_small_a_buffer_is_the_callers_bug(void **state)
{
    (void)state;
    take_pair(7);
    expect_assert_failure(take_pair(6));
}

static void control_characters_are_not_printable(void **state)
{
    (void)state;
    assert_true(text_is_printable(TEXT("")));
    assert_true(text_is_printable(TEXT("Caf\xc3\xa9 \"Two\" ~")));
    assert_true(text_is_printable(TEXT("\xc2\xa0\xc3\x80"))); /* U+00A0, U+00C0 */
    assert_false(text_is_printable(TEXT("a\033[31m")));
    assert_false(text_is_printable(TEXT("a\n")));
    assert_false(text_is_printable((struct text){"a\0b", 3}));
    assert_false(text_is_printable(TEXT("a\x7f")));
    assert_false(text_is_printable(TEXT("a\xc2\x9b"
                                        "31m")));           /* U+009B begins a sequence too */
    assert_false(text_is_printable(TEXT("a\xe2\x80\xaa"))); /* U+202A */
    assert_false(text_is_printable(TEXT("a\xe2\x80\xae"
                                        "b")));                                   /* U+202E */
    assert_false(text_is_printable(TEXT("\xe2\x81\xa6")));                        /* U+2066 */
    assert_false(text_is_printable(TEXT("\xe2\x81\xa9")));                        /* U+2069 */
    assert_true(text_is_printable(TEXT("\xe2\x80\x8f\xe2\x80\xa9\xe2\x80\xaf"))); /* others near */
    assert_true(text_is_printable(TEXT("\xe2\x81\xa5\xe2\x81\xaa\xe2\x80")));
}

int main(void)
{
    check_hook = hook;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_of_null_is_empty),
        cmocka_unit_test(equality_is_of_length_and_bytes),
        cmocka_unit_test(starts_with_needs_the_whole_prefix),
        cmocka_unit_test(trim_takes_white_space_from_both_ends_only),
        cmocka_unit_test(slice_is_clipped_to_the_text),
        cmocka_unit_test(digits_are_ascii_and_at_least_one),
        cmocka_unit_test(utf8_well_formed_sequences_are_taken),
        cmocka_unit_test(utf8_ill_formed_sequences_are_refused),
        cmocka_unit_test(utf8_length_is_of_the_first_character),
        cmocka_unit_test(hash_is_fnv_1a),
        cmocka_unit_test(int64_is_parsed_at_its_limits),
        cmocka_unit_test(int64_refuses_what_is_no_integer_and_leaves_the_value_alone),
        cmocka_unit_test(buffer_keeps_what_fits_and_says_that_it_was_cut),
        cmocka_unit_test(buffer_of_one_byte_holds_the_nul_only),
        cmocka_unit_test(buffer_without_room_for_the_nul_is_the_callers_bug),
        cmocka_unit_test(format_is_cut_like_text),
        cmocka_unit_test(int64_is_written_at_its_limits),
        cmocka_unit_test(hex_goes_out_lower_and_comes_in_either_case),
        cmocka_unit_test(hex_refuses_other_lengths_and_characters),
        cmocka_unit_test(base64_follows_the_rfc_with_and_without_padding),
        cmocka_unit_test(base64_is_written_as_the_rfc_has_it),
        cmocka_unit_test(all_but_the_unreserved_is_percent_encoded),
        cmocka_unit_test(base64_refuses_everything_else),
        cmocka_unit_test(form_pairs_are_decoded_one_by_one),
        cmocka_unit_test(form_with_nothing_in_it_has_no_pairs),
        cmocka_unit_test(form_with_a_broken_escape_or_a_nul_is_refused),
        cmocka_unit_test(control_characters_are_not_printable),
        cmocka_unit_test(utf8_is_copied_as_whole_characters),
        cmocka_unit_test(what_is_not_printable_is_replaced_whole_characters_are_kept),
        cmocka_unit_test(form_with_too_small_a_buffer_is_the_callers_bug),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
