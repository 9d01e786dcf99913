/*
 * Walks the import's table: names in, findings, questions or a refusal out (format in
 * profile_import.table). Beside it what is asked and answered in bodies that cannot be read, and
 * the words that a name is taken apart into.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "handlers/profile_import_parts.h"
#include "tests/handlers/table.h"

static struct import_report report;
static char problem_bytes[512];
static int imported; /* what the import gave */

static void import_text(const char *file, const struct import_order *order)
{
    static const struct import_order nothing;
    struct text_buffer problem;
    text_buffer_init(&problem, problem_bytes, sizeof(problem_bytes));
    imported =
        profile_import(text_of(file), order == NULL ? &nothing : order, NULL, &report, &problem);
}

/* --- what came of it */

static const struct import_finding *finding_at(const char *where)
{
    for (int32_t i = 0; i < report.finding_count; i++)
        if (strcmp(report.findings[i].where, where) == 0)
            return &report.findings[i];
    return NULL;
}

static const struct import_question *question_at(const char *where)
{
    for (int32_t i = 0; i < report.question_count; i++)
        if (strcmp(report.questions[i].where, where) == 0)
            return &report.questions[i];
    return NULL;
}

static bool is_noted(bool is_warning, const char *text)
{
    for (int32_t i = 0; i < report.note_count; i++)
        if (report.notes[i].is_warning == is_warning &&
            strstr(report.notes[i].sentence, text) != NULL)
            return true;
    return false;
}

static void print_report(void)
{
    fprintf(stderr, "  gave %d '%s'\n", imported, problem_bytes);
    for (int32_t i = 0; i < report.finding_count; i++)
        fprintf(stderr, "  found %s %s %s\n", report.findings[i].where, report.findings[i].name,
                import_sureness_name(report.findings[i].sureness));
    for (int32_t i = 0; i < report.question_count; i++)
        fprintf(stderr, "  asks %s %s: %s\n", report.questions[i].where, report.questions[i].option,
                report.questions[i].sentence);
    for (int32_t i = 0; i < report.note_count; i++)
        fprintf(stderr, "  %s %s\n", report.notes[i].is_warning ? "warns" : "notes",
                report.notes[i].sentence);
}

static bool finding_is(char *words)
{
    char *rest;
    const struct import_finding *finding = finding_at(strtok_r(words, " ", &rest));
    const char *name = strtok_r(NULL, " ", &rest);
    return finding != NULL && strcmp(finding->name, name) == 0 &&
           strcmp(import_sureness_name(finding->sureness), rest) == 0;
}

static bool question_is(char *words)
{
    char *option = strchr(words, ' ');
    assert_non_null(option);
    *option++ = '\0';
    const struct import_question *question = question_at(words);
    return question != NULL && strcmp(question->option, option) == 0;
}

static bool holds(const char *verb, char *rest)
{
    if (strcmp(verb, "found") == 0)
        return finding_is(rest);
    if (strcmp(verb, "lost") == 0)
        return finding_at(rest) == NULL;
    if (strcmp(verb, "default") == 0)
        return report.is_default;
    if (strcmp(verb, "asks") == 0)
        return question_is(rest);
    if (strcmp(verb, "warns") == 0)
        return is_noted(true, rest);
    if (strcmp(verb, "notes") == 0)
        return is_noted(false, rest);
    assert_string_equal(verb, "fails");
    return imported == ERR_BAD_CONFIG && strstr(problem_bytes, rest) != NULL;
}

static void expect_all(const char *name, char *expected)
{
    char *each_rest, *each;
    int32_t asked = 0;
    bool may_fail = false;
    for (each = strtok_r(expected, ";", &each_rest); each != NULL;
         each = strtok_r(NULL, ";", &each_rest)) {
        char *verb = table_trim(each), *rest = strchr(verb, ' ');
        rest = rest == NULL ? verb + strlen(verb) : rest;
        if (*rest != '\0')
            *rest++ = '\0';
        asked += strcmp(verb, "asks") == 0;
        may_fail |= strcmp(verb, "fails") == 0;
        if (!holds(verb, rest)) {
            print_report();
            fail_msg("%s: '%s %s' does not hold", name, verb, rest);
        }
    }
    if ((imported != 0 && !may_fail) || report.question_count != asked) {
        print_report();
        fail_msg("%s: %d questions, %d wanted", name, (int)report.question_count, (int)asked);
    }
}

/* --- the table */

static struct import_order read_order(char *words)
{
    struct import_order order = {0};
    char *rest;
    for (char *word = strtok_r(words, " ", &rest); word != NULL;
         word = strtok_r(NULL, " ", &rest)) {
        char *said = strchr(word, '=');
        assert_non_null(said);
        *said++ = '\0';
        if (strcmp(word, "action") == 0)
            order.actions[order.action_count++] = text_of(said);
        else if (strcmp(word, "field") == 0)
            order.fields[order.field_count++] = text_of(said);
        else if (strcmp(word, "skip") == 0)
            order.skipped[order.skip_count++] = text_of(said);
        else
            fail_msg("nobody says '%s'", word);
    }
    return order;
}

static void run_case(char *line)
{
    char *rest = line;
    const char *name = table_next_field(&rest);
    struct import_order order = read_order(table_next_field(&rest));
    import_text(table_next_field(&rest), &order);
    expect_all(name, table_trim(rest));
}

static void the_table_holds(void **state)
{
    (void)state;
    int cases = table_walk(TESTS_DIR "/handlers/profile_import.table", run_case);
    assert_true(cases > 40);
}

/* --- bodies that cannot be read */

#define GOOD_CHECKOUT "{\"company_id\":1,\"keyword\":\"6\",\"amount\":2.5}"
#define GOOD_REPLY "{\"success\":true,\"amount\":2.5,\"balance\":1}"

static char collection[512 * 1024];

/* A collection of requests by name, each with a body of a mode and one saved reply. */
static struct jwrite collection_begin(struct text_buffer *buffer)
{
    struct jwrite writer;
    text_buffer_init(buffer, collection, sizeof(collection));
    jwrite_init(&writer, buffer);
    jwrite_object_begin(&writer);
    jwrite_key(&writer, TEXT("item"));
    jwrite_array_begin(&writer);
    return writer;
}

static void write_member(struct jwrite *writer, const char *name, const char *value)
{
    jwrite_key(writer, text_of(name));
    jwrite_text(writer, text_of(value));
}

static void add_item(struct jwrite *writer, const char *name, const char *mode, const char *body,
                     const char *reply)
{
    jwrite_object_begin(writer);
    write_member(writer, "name", name);
    jwrite_key(writer, TEXT("request"));
    jwrite_object_begin(writer);
    jwrite_key(writer, TEXT("body"));
    jwrite_object_begin(writer);
    write_member(writer, "mode", mode);
    write_member(writer, mode, body);
    jwrite_object_end(writer);
    jwrite_object_end(writer);
    jwrite_key(writer, TEXT("response"));
    jwrite_array_begin(writer);
    jwrite_object_begin(writer);
    write_member(writer, "name", "Saved");
    write_member(writer, "body", reply);
    jwrite_object_end(writer);
    jwrite_array_end(writer);
    jwrite_object_end(writer);
}

static void collection_import(struct jwrite *writer, const char *skipped)
{
    struct import_order order = {0};
    jwrite_array_end(writer);
    jwrite_object_end(writer);
    assert_false(writer->buffer->is_cut);
    if (skipped != NULL)
        order.skipped[order.skip_count++] = text_of(skipped);
    import_text(collection, &order);
}

static void import_one(const char *mode, const char *body, const char *reply)
{
    struct text_buffer buffer;
    struct jwrite writer = collection_begin(&buffer);
    add_item(&writer, "Checkout", mode, body, reply);
    collection_import(&writer, NULL);
}

static const char *nested(int depth)
{
    static char body[128];
    struct text_buffer buffer;
    text_buffer_init(&buffer, body, sizeof(body));
    text_append(&buffer, TEXT("{\"a\":"));
    for (int i = 1; i < depth; i++)
        text_append_char(&buffer, '[');
    for (int i = 1; i < depth; i++)
        text_append_char(&buffer, ']');
    text_append_char(&buffer, '}');
    return body;
}

static void a_body_that_cannot_be_read_is_told_with_its_reason(void **state)
{
    (void)state;
    static char long_body[300 * 1024];
    memset(long_body, ' ', sizeof(long_body) - 1);
    static const struct {
        const char *body, *reason;
    } cases[] = {
        {NULL, "nests deeper than 16 levels"},
        {"{\"a\":1,\"a\":2}", "has a name twice"},
        {"{\"a\":", "is not JSON"},
        {"[1]", "is JSON, but no object"},
        {long_body, "is longer than 256 KiB"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const char *body = cases[i].body == NULL ? nested(17) : cases[i].body;
        char sentence[160];
        snprintf(sentence, sizeof(sentence), "Checkout: the body of the request %s",
                 cases[i].reason);
        import_one("raw", body, GOOD_REPLY);
        if (!is_noted(true, sentence) || question_at("checkout.request") == NULL) {
            print_report();
            fail_msg("%s", cases[i].reason);
        }
        snprintf(sentence, sizeof(sentence), "Checkout > Saved: the reply %s", cases[i].reason);
        import_one("raw", GOOD_CHECKOUT, body);
        if (!is_noted(true, sentence) || question_at("checkout.reply") == NULL) {
            print_report();
            fail_msg("the reply %s", cases[i].reason);
        }
    }
    import_one("raw", nested(16), GOOD_REPLY);
    assert_null(question_at("checkout.request"));
}

static void a_body_of_a_mode_that_is_not_read_is_told(void **state)
{
    (void)state;
    import_one("graphql", "{ pay }", GOOD_REPLY);
    assert_true(is_noted(true, "Checkout: the body of the request is of the mode 'graphql'"));
    assert_non_null(question_at("checkout.request"));
    import_one("none", "", GOOD_REPLY);
    assert_null(question_at("checkout.request"));
}

static void where_nothing_could_be_read_the_import_fails_and_says_what(void **state)
{
    (void)state;
    import_one("raw", nested(20), nested(20));
    assert_int_equal(imported, ERR_BAD_CONFIG);
    assert_non_null(strstr(problem_bytes, "nothing could be read"));
    assert_non_null(strstr(problem_bytes, "Checkout: the body of the request nests deeper"));
}

/* An action of which nothing was read would keep the default's names without a word. */
static void an_action_of_which_nothing_was_read_is_asked_about(void **state)
{
    (void)state;
    struct text_buffer buffer;
    for (int with_skip = 0; with_skip < 2; with_skip++) {
        struct jwrite writer = collection_begin(&buffer);
        add_item(&writer, "Checkout", "raw", GOOD_CHECKOUT, GOOD_REPLY);
        add_item(&writer, "Refund", "raw", nested(20), "<html>");
        collection_import(&writer, with_skip == 1 ? "refund" : NULL);
        assert_int_equal(imported, 0);
        assert_int_equal(report.question_count, with_skip == 1 ? 0 : 2);
        const struct import_question *question = question_at("refund.request");
        assert_true((question == NULL) == (with_skip == 1));
        if (question != NULL)
            assert_string_equal(question->option, "--skip refund");
        assert_true((report.profile[0] != '\0' || report.is_default) == (with_skip == 1));
    }
}

static void one_example_of_several_that_cannot_be_read_is_a_warning(void **state)
{
    (void)state;
    struct text_buffer buffer;
    struct jwrite writer = collection_begin(&buffer);
    add_item(&writer, "Checkout", "raw", GOOD_CHECKOUT, GOOD_REPLY);
    add_item(&writer, "Checkout again", "raw", nested(20), "<html>");
    collection_import(&writer, NULL);
    assert_int_equal(imported, 0);
    assert_int_equal(report.question_count, 0);
    assert_true(is_noted(true, "Checkout again: the body of the request nests deeper"));
}

static void more_fields_than_are_read_are_told(void **state)
{
    (void)state;
    char body[2048];
    struct text_buffer buffer;
    text_buffer_init(&buffer, body, sizeof(body));
    text_append(&buffer, TEXT("{\"company\":1,\"card\":\"6\",\"amount\":1"));
    for (int i = 3; i < IMPORT_FIELDS_MAX; i++)
        text_append_format(&buffer, ",\"f%d\":1", i);
    size_t full = buffer.length;
    text_append_char(&buffer, '}');
    import_one("raw", body, GOOD_REPLY);
    assert_false(is_noted(true, "more than 32 fields"));
    buffer.length = full;
    text_append(&buffer, TEXT(",\"last\":1,\"more\":1}"));
    import_one("raw", body, GOOD_REPLY);
    assert_true(is_noted(true, "Checkout: the request has more than 32 fields"));
}

/* --- words */

static void a_name_is_taken_apart_into_words(void **state)
{
    (void)state;
    static const char list[] = "amount=100 cardnumber=90 card=80";
    static const struct {
        const char *name;
        int score;
    } cases[] = {
        {"amount", 100},     {"Amount", 100},     {"amounts", 0},  {"cardNumber", 90},
        {"card_number", 90}, {"CARD-NUMBER", 90}, {"card_id", 75}, {"charge_amount", 78},
        {"amount_due", 65},  {"zebra", 0},        {"", 0},         {"POSAmount", 78},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        if (words_score(text_of(cases[i].name), list) != cases[i].score)
            fail_msg("%s: %d, %d wanted", cases[i].name, words_score(text_of(cases[i].name), list),
                     cases[i].score);
}

static void a_title_names_its_action(void **state)
{
    (void)state;
    static const struct {
        const char *title;
        enum import_action action;
    } cases[] = {
        {"Check balance", IMPORT_CHECK_BALANCE}, {"/v1/topUp", IMPORT_TOP_UP},
        {"Give back a refund", IMPORT_REFUND},   {"Redemptions", IMPORT_REDEEM},
        {"Rewards of a member", IMPORT_LOOKUP},  {"Pay by card", IMPORT_CHECKOUT},
        {"Find customers", IMPORT_SEARCH},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        int scores[IMPORT_ACTIONS] = {0};
        words_score_actions(text_of(cases[i].title), 1, scores);
        for (int action = 0; action < IMPORT_ACTIONS; action++)
            if (action != (int)cases[i].action && scores[action] >= scores[cases[i].action])
                fail_msg("%s: %s %d", cases[i].title,
                         import_action_name((enum import_action)action), scores[action]);
    }
}

static void an_action_is_found_however_its_words_are_joined(void **state)
{
    (void)state;
    static const char *const names[] = {"check_balance", "check-balance", "Check balance",
                                        "checkBalance"};
    enum import_action action;
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        assert_true(import_find_action(text_of(names[i]), &action));
        assert_int_equal(action, IMPORT_CHECK_BALANCE);
    }
    assert_false(import_find_action(TEXT("balance"), &action));
    assert_int_equal(action, IMPORT_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_holds),
        cmocka_unit_test(a_body_that_cannot_be_read_is_told_with_its_reason),
        cmocka_unit_test(a_body_of_a_mode_that_is_not_read_is_told),
        cmocka_unit_test(where_nothing_could_be_read_the_import_fails_and_says_what),
        cmocka_unit_test(an_action_of_which_nothing_was_read_is_asked_about),
        cmocka_unit_test(one_example_of_several_that_cannot_be_read_is_a_warning),
        cmocka_unit_test(more_fields_than_are_read_are_told),
        cmocka_unit_test(a_name_is_taken_apart_into_words),
        cmocka_unit_test(a_title_names_its_action),
        cmocka_unit_test(an_action_is_found_however_its_words_are_joined),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
