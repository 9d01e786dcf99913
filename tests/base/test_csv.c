/* Comma-separated values: what is a record, what is not, and on which line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/csv.h"

#include "base/banned.h"

static char said[16 * 1024];
static struct text_buffer buffer;

static void say(const struct csv *csv, enum csv_event event)
{
    text_append_format(&buffer, "%d:", (int)csv->record_line);
    if (event == CSV_FAULT)
        text_append_format(&buffer, "!%s", csv->fault);
    for (int32_t i = 0; event == CSV_RECORD && i < csv->count; i++) {
        text_append(&buffer, i == 0 ? TEXT("") : TEXT("|"));
        text_append(&buffer, csv_field(csv, i));
    }
    text_append_char(&buffer, ';');
}

/* All records as "line:field|field;", fed in pieces of step bytes. */
static const char *read_in_steps(struct text text, size_t step)
{
    static struct csv csv;
    enum csv_event event;
    text_buffer_init(&buffer, said, sizeof(said));
    csv_init(&csv);
    for (size_t at = 0; at < text.length; at += step) {
        struct text piece = text_slice(text, at, step);
        while ((event = csv_read(&csv, &piece)) != CSV_MORE)
            say(&csv, event);
        assert_int_equal(piece.length, 0);
    }
    event = csv_end(&csv);
    if (event != CSV_MORE)
        say(&csv, event);
    return said;
}

#define assert_csv(from, to)                                                                       \
    do {                                                                                           \
        assert_string_equal(read_in_steps(TEXT(from), 1000), to);                                  \
        assert_string_equal(read_in_steps(TEXT(from), 1), to);                                     \
        assert_string_equal(read_in_steps(TEXT(from), 3), to);                                     \
    } while (0)

static void fields_are_separated_by_commas_and_records_by_line_ends(void **state)
{
    (void)state;
    assert_csv("a,b\r\nc,d\r\n", "1:a|b;2:c|d;");
    assert_csv("a,b\nc,d", "1:a|b;2:c|d;");
    assert_csv("a,b\rc,d\r", "1:a|b;2:c|d;");
    assert_csv("a,,\n,\n", "1:a||;2:|;");
    assert_csv(" a , b \n", "1: a | b ;");
    assert_csv("", "");
}

static void quotes_hold_commas_quotes_and_line_ends(void **state)
{
    (void)state;
    assert_csv("\"a,b\",\"c\"\"d\",\"\"\n", "1:a,b|c\"d|;");
    assert_csv("\"a\r\nb\",c\nd\n", "1:a\r\nb|c;3:d;");
    assert_csv("\"a\n\n\rb\"\rx", "1:a\n\n\rb;5:x;");
    assert_csv("\"\"\"\"", "1:\";");
}

static void empty_lines_are_no_records_but_count(void **state)
{
    (void)state;
    assert_csv("\n\na\n\r\n\nb\n\n", "3:a;6:b;");
}

static void byte_order_mark_in_front_is_skipped(void **state)
{
    (void)state;
    assert_csv("\xEF\xBB\xBF"
               "a,b\n",
               "1:a|b;");
    assert_csv("\xEF\xBB\xBF", "");
    assert_csv("\xEF\xBB"
               "a\n",
               "1:\xEF\xBB"
               "a;");
    assert_csv("\xEF\xBB", "1:\xEF\xBB;");
    assert_csv("a\n\xEF\xBB\xBF"
               "b\n",
               "1:a;2:\xEF\xBB\xBF"
               "b;"); /* in front only */
}

static void malformed_record_is_named_and_the_next_line_is_good(void **state)
{
    (void)state;
    assert_csv("a\"b,c\nd\n", "1:!a quote inside a field that does not begin with one;2:d;");
    assert_csv("\"a\"b\nd\n", "1:!something stands between a closing quote and the comma;2:d;");
    assert_csv("x\n\"a\nb\n", "1:x;2:!a quote is never closed;");
    assert_csv("a\0b,c\nd\n", "1:!a zero byte: this is no text in UTF-8;2:d;");
    assert_csv("a\"\"\"\"\r\nd", "1:!a quote inside a field that does not begin with one;2:d;");
}

static void record_is_bounded(void **state)
{
    static char text[CSV_RECORD_MAX + 16];
    (void)state;
    memset(text, 'x', sizeof(text));
    memcpy(text + CSV_RECORD_MAX, "\nd\n", 3);
    const char *all = read_in_steps((struct text){text, CSV_RECORD_MAX + 3}, 1000);
    assert_string_equal(all + strlen(all) - 5, "x;2:d;" + 1);
    text[CSV_RECORD_MAX] = 'x';
    memcpy(text + CSV_RECORD_MAX + 1, "\nd\n", 3);
    assert_string_equal(read_in_steps((struct text){text, CSV_RECORD_MAX + 4}, 1000),
                        "1:!longer than 8192 bytes; is a closing quote missing?;2:d;");
    text[0] = '"'; /* never closed: found out long before the end of a large file */
    text[10] = '\n';
    assert_string_equal(read_in_steps((struct text){text, CSV_RECORD_MAX + 5}, 1000),
                        "1:!longer than 8192 bytes; is a closing quote missing?;3:d;4:x;");
}

static void fields_are_bounded(void **state)
{
    char text[CSV_FIELDS_MAX + 8];
    (void)state;
    memset(text, ',', sizeof(text));
    memcpy(text + CSV_FIELDS_MAX - 1, "\nd\n", 3);
    const char *all = read_in_steps((struct text){text, CSV_FIELDS_MAX + 2}, 7);
    assert_string_equal(all + CSV_FIELDS_MAX + 1, ";2:d;");
    memcpy(text + CSV_FIELDS_MAX - 1, ",\nd\n", 4);
    assert_string_equal(read_in_steps((struct text){text, CSV_FIELDS_MAX + 3}, 7),
                        "1:!more than 32 fields;2:d;");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_are_separated_by_commas_and_records_by_line_ends),
        cmocka_unit_test(quotes_hold_commas_quotes_and_line_ends),
        cmocka_unit_test(empty_lines_are_no_records_but_count),
        cmocka_unit_test(byte_order_mark_in_front_is_skipped),
        cmocka_unit_test(malformed_record_is_named_and_the_next_line_is_good),
        cmocka_unit_test(record_is_bounded),
        cmocka_unit_test(fields_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
