/* Which requests say more than once how long they are? */
#include "handlers/framing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static bool is_ambiguous(const char *bytes)
{
    return framing_is_ambiguous(text_of(bytes));
}

static void one_length_is_clear(void **state)
{
    (void)state;
    assert_false(is_ambiguous("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nhello"));
    assert_false(is_ambiguous("POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n"));
    assert_false(is_ambiguous("GET / HTTP/1.1\r\nhost: a\r\n\r\n"));
}

static void two_lengths_are_ambiguous_even_when_equal(void **state)
{
    (void)state;
    assert_true(
        is_ambiguous("POST / HTTP/1.1\r\ncontent-length: 5\r\ncontent-length: 5\r\n\r\nhello"));
    assert_true(is_ambiguous(
        "POST / HTTP/1.1\r\ncontent-length: 5\r\nhost: a\r\ncontent-length: 50\r\n\r\nhello"));
}

static void length_and_encoding_are_ambiguous_in_either_order(void **state)
{
    (void)state;
    assert_true(
        is_ambiguous("POST / HTTP/1.1\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n"));
    assert_true(
        is_ambiguous("POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n"));
    assert_true(is_ambiguous(
        "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n"));
}

static void bare_line_feeds_and_a_leading_empty_line_are_read_as_the_parser_does(void **state)
{
    (void)state;
    assert_true(is_ambiguous("POST / HTTP/1.1\ncontent-length: 5\ncontent-length: 5\n\nhello"));
    assert_true(
        is_ambiguous("\r\nPOST / HTTP/1.1\r\ncontent-length: 5\r\ncontent-length: 5\r\n\r\nhello"));
    assert_false(is_ambiguous("\r\nPOST / HTTP/1.1\r\ncontent-length: 5\r\n\r\nhello"));
}

static void the_body_is_not_read(void **state)
{
    (void)state;
    assert_false(is_ambiguous("POST / HTTP/1.1\r\ncontent-length: 60\r\n\r\nx\r\n"
                              "content-length: 5\r\ncontent-length: 5\r\n"));
}

static void longer_names_and_values_do_not_count(void **state)
{
    (void)state;
    assert_false(is_ambiguous("POST / HTTP/1.1\r\ncontent-length: 5\r\ncontent-length-x: 5\r\n"
                              "x: content-length: 5\r\n\r\nhello"));
}

static void bytes_that_end_early_are_survived(void **state)
{
    (void)state;
    assert_false(framing_is_ambiguous((struct text){NULL, 0}));
    assert_false(is_ambiguous("POST / HTTP/1.1"));
    assert_false(is_ambiguous("POST / HTTP/1.1\r\ncontent-len"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_length_is_clear),
        cmocka_unit_test(two_lengths_are_ambiguous_even_when_equal),
        cmocka_unit_test(length_and_encoding_are_ambiguous_in_either_order),
        cmocka_unit_test(bare_line_feeds_and_a_leading_empty_line_are_read_as_the_parser_does),
        cmocka_unit_test(the_body_is_not_read),
        cmocka_unit_test(longer_names_and_values_do_not_count),
        cmocka_unit_test(bytes_that_end_early_are_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
