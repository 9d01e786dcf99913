/* Field names as data: the documented ones, and what a file changes of them. */
#include "mocks/register/dialect.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/banned.h"

static bool change(struct dialect *dialect, const char *names)
{
    char memory[256];
    struct text_buffer why;
    struct jread *json = NULL;
    text_buffer_init(&why, memory, sizeof(memory));
    assert_int_equal(jread_parse(text_of(names), &json), 0);
    bool is_good = dialect_read(dialect, json, &why);
    assert_int_equal(is_good, why.length == 0);
    jread_destroy(json);
    return is_good;
}

static void what_is_written_is_read_back_the_same(void **state)
{
    static char memory[32 * 1024];
    struct dialect dialect;
    struct text_buffer buffer;
    struct jwrite writer;
    (void)state;
    text_buffer_init(&buffer, memory, sizeof(memory));
    jwrite_init(&writer, &buffer);
    dialect_write(dialect_documented(), &writer);
    memset(&dialect, 'x', sizeof(dialect));
    assert_true(change(&dialect, memory));
    assert_memory_equal(dialect.reply[0][VALUE_AMOUNT], "amount", sizeof("amount"));
    assert_string_equal(dialect.request[2][FIELD_AMOUNT], "topup_amount");
    assert_string_equal(dialect.member[LOOK_LOOKUP][MEMBER_EMAIL], "email_address");
    assert_string_equal(dialect.request[1][FIELD_AMOUNT], "");
}

static void the_first_name_is_spoken_and_what_is_left_out_stays(void **state)
{
    struct dialect dialect;
    (void)state;
    dialect_init(&dialect);
    assert_true(change(&dialect, "{\"request\":{\"all\":{\"keyword\":[\"card\",\"keyword\"]},"
                                 "\"refund\":{\"keyword\":[\"back\"],\"refused\":[\"x\"]}}}"));
    assert_string_equal(dialect.request[0][FIELD_KEYWORD], "card");
    assert_string_equal(dialect.request[3][FIELD_KEYWORD], "back");
    assert_string_equal(dialect.request[0][FIELD_ORDER_ID], "order_id");
}

static void a_list_of_a_reply_says_all_that_it_has(void **state)
{
    struct dialect dialect;
    (void)state;
    dialect_init(&dialect);
    assert_true(change(
        &dialect, "{\"reply\":{\"checkout\":{\"success\":[{\"name\":\"ok\",\"value\":\"success\"},"
                  "{\"name\":\"a\",\"value\":\"amount\"},{\"name\":\"b\",\"value\":\"amount\"},"
                  "{\"name\":\"l\",\"value\":\"last4\"}],"
                  "\"failure\":[{\"name\":\"why\",\"value\":\"message\"}]}}}"));
    assert_string_equal(dialect.reply[0][VALUE_SUCCESS], "ok");
    assert_string_equal(dialect.reply[0][VALUE_AMOUNT], "a");
    assert_string_equal(dialect.reply[0][VALUE_BALANCE], "");
    assert_string_equal(dialect.reply[0][VALUE_ERROR], "why");
    assert_string_equal(dialect.reply[1][VALUE_BALANCE], "balance");
}

static void the_service_s_own_default_profile_changes_nothing(void **state)
{
    static char bytes[64 * 1024];
    struct dialect dialect;
    (void)state;
    FILE *file = fopen(TESTS_DIR "/../handlers/profiles/default.json", "re");
    assert_non_null(file);
    size_t length = fread(bytes, 1, sizeof(bytes) - 1, file);
    (void)fclose(file);
    bytes[length] = '\0';
    dialect_init(&dialect);
    assert_true(change(&dialect, bytes));
    /* But for this: a look-up has no amount of its own, though it may say the balance twice. */
    assert_string_equal(dialect.reply[1][VALUE_AMOUNT], "");
    memcpy(dialect.reply[1], dialect_documented()->reply[1], sizeof(dialect.reply[1]));
    assert_memory_equal(&dialect, dialect_documented(), sizeof(dialect));
}

static void what_cannot_be_spoken_is_refused(void **state)
{
    static const char *const BAD[] = {
        "{\"requests\":{}}",
        "{\"request\":{\"all\":{\"keyword\":\"card\"}}}",
        "{\"request\":{\"all\":{\"card\":[\"card\"]}}}",
        "{\"request\":{\"all\":{\"keyword\":[\"\"]}}}",
        "{\"request\":{\"all\":{\"keyword\":[7]}}}",
        "{\"reply\":{\"checkout\":{\"success\":{}}}}",
        "{\"reply\":{\"checkout\":{\"success\":[{\"name\":\"x\"}]}}}",
        "{\"loyalty\":{\"request\":{\"order_id\":[]}}}",
        "{\"loyalty\":{\"search\":{\"wrapper\":\"\"}}}",
        "[]",
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(BAD); i++) {
        struct dialect dialect;
        dialect_init(&dialect);
        if (change(&dialect, BAD[i]))
            fail_msg("%s was taken", BAD[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read_back_the_same),
        cmocka_unit_test(the_first_name_is_spoken_and_what_is_left_out_stays),
        cmocka_unit_test(a_list_of_a_reply_says_all_that_it_has),
        cmocka_unit_test(the_service_s_own_default_profile_changes_nothing),
        cmocka_unit_test(what_cannot_be_spoken_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
