/* Replies of the token endpoint and of /companies/me: what is taken, and what is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "oauth/token_reply.h"

#define ACCESS "00112233445566778899aabbccddeeff00112233"
#define REFRESH "ffeeddccbbaa99887766554433221100ffeeddcc"

static struct token_reply read_reply(int status, const char *body)
{
    struct token_reply reply;
    token_reply_read(status, text_of(body), &reply);
    return reply;
}

/* Nothing of it is kept. */
static void assert_not_granted(int status, const char *body, enum token_verdict verdict)
{
    struct token_reply reply = read_reply(status, body);
    assert_int_equal(reply.verdict, verdict);
    assert_string_equal(reply.access_token, "");
    assert_string_equal(reply.refresh_token, "");
}

static void assert_life(const char *expires_in, int64_t life_s)
{
    char body[256];
    snprintf(body, sizeof(body), "{\"access_token\":\"a\",\"expires_in\":%s}", expires_in);
    struct token_reply reply = read_reply(200, body);
    assert_int_equal(reply.verdict, TOKEN_GRANTED);
    assert_int_equal(reply.life_s, life_s);
    assert_false(reply.type_is_odd);
}

static bool life_is_odd(const char *expires_in)
{
    char body[256];
    snprintf(body, sizeof(body), "{\"access_token\":\"a\",\"expires_in\":%s}", expires_in);
    return read_reply(200, body).life_is_odd;
}

static void the_documented_reply_is_taken(void **state)
{
    (void)state;
    struct token_reply reply =
        read_reply(200, "{\"access_token\":\"" ACCESS "\",\"expires_in\":3600,\"token_type\":"
                        "\"Bearer\",\"scope\":null,\"refresh_token\":\"" REFRESH "\"}");
    assert_int_equal(reply.verdict, TOKEN_GRANTED);
    assert_string_equal(reply.access_token, ACCESS);
    assert_string_equal(reply.refresh_token, REFRESH);
    assert_int_equal(reply.life_s, 3600);
}

static void a_reply_without_refresh_token_leaves_the_old_one(void **state)
{
    static const char *const bodies[] = {
        "{\"access_token\":\"a\",\"expires_in\":1}",
        "{\"access_token\":\"a\",\"expires_in\":1,\"refresh_token\":null}",
        "{\"access_token\":\"a\",\"expires_in\":1,\"refresh_token\":\"\"}",
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(bodies); i++) {
        struct token_reply reply = read_reply(200, bodies[i]);
        assert_int_equal(reply.verdict, TOKEN_GRANTED);
        assert_string_equal(reply.refresh_token, "");
    }
}

static void a_life_may_be_a_number_or_its_digits(void **state)
{
    (void)state;
    assert_life("3600", 3600);
    assert_life("\"3600\"", 3600);
    assert_life("1", 1);
    assert_life("null", TOKEN_LIFE_DEFAULT_S);
    assert_life("315360000", 315360000);
    assert_false(life_is_odd("3600"));
    assert_false(life_is_odd("null"));
    assert_int_equal(read_reply(200, "{\"access_token\":\"a\"}").life_s, TOKEN_LIFE_DEFAULT_S);
    assert_false(read_reply(200, "{\"access_token\":\"a\"}").life_is_odd);
}

/* The pair is good and there is no other: a life that is too long ends with a 401. */
static void with_any_other_life_a_pair_is_taken_for_the_usual_one(void **state)
{
    static const char *const wrong[] = {
        "0",    "-1",    "3600.5", "36e2",      "true",
        "\"\"", "\"x\"", "[3600]", "315360001", "99999999999999999999"};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        assert_life(wrong[i], TOKEN_LIFE_DEFAULT_S);
        assert_true(life_is_odd(wrong[i]));
    }
}

static void a_token_that_could_not_be_sent_is_none(void **state)
{
    char body[2 * GRANT_TOKEN_MAX];
    (void)state;
    assert_not_granted(200, "{\"access_token\":\"a b\"}", TOKEN_FAILED);
    assert_not_granted(200, "{\"access_token\":\"a\\r\\nx: y\"}", TOKEN_FAILED);
    assert_not_granted(200, "{\"access_token\":\"\\u00e9\"}", TOKEN_FAILED);
    assert_not_granted(200, "{\"access_token\":\"\"}", TOKEN_FAILED);
    assert_not_granted(200, "{\"access_token\":null}", TOKEN_FAILED);
    assert_not_granted(200, "{\"access_token\":12}", TOKEN_FAILED);
    assert_not_granted(200, "{\"access_token\":\"a\",\"refresh_token\":12}", TOKEN_FAILED);
    assert_not_granted(200, "{\"access_token\":\"a\",\"refresh_token\":\"a b\"}", TOKEN_FAILED);
    snprintf(body, sizeof(body), "{\"access_token\":\"%0*d\"}", GRANT_TOKEN_MAX, 0);
    assert_int_equal(read_reply(200, body).verdict, TOKEN_GRANTED);
    snprintf(body, sizeof(body), "{\"access_token\":\"%0*d\"}", GRANT_TOKEN_MAX + 1, 0);
    assert_not_granted(200, body, TOKEN_FAILED);
}

static bool type_is_odd(const char *token_type)
{
    char body[256];
    snprintf(body, sizeof(body), "{\"access_token\":\"a\",\"token_type\":%s}", token_type);
    struct token_reply reply = read_reply(200, body);
    assert_int_equal(reply.verdict, TOKEN_GRANTED);
    return reply.type_is_odd;
}

static void a_token_of_another_type_is_taken_and_noted(void **state)
{
    (void)state;
    assert_false(type_is_odd("\"bearer\""));
    assert_false(type_is_odd("\"Bearer\""));
    assert_false(type_is_odd("null"));
    assert_true(type_is_odd("\"mac\""));
    assert_true(type_is_odd("1"));
}

static void errors_are_told_apart(void **state)
{
    static const struct {
        int status;
        const char *error;
        enum token_verdict verdict;
    } cases[] = {
        {400, "invalid_grant", TOKEN_INVALID_GRANT},
        {401, "invalid_grant", TOKEN_INVALID_GRANT},
        {400, "invalid_client", TOKEN_INVALID_CLIENT},
        {401, "invalid_client", TOKEN_INVALID_CLIENT},
        {400, "unauthorized_client", TOKEN_INVALID_CLIENT},
        {400, "redirect_uri_mismatch", TOKEN_REFUSED},
        {400, "invalid_request", TOKEN_REFUSED},
        {400, "unsupported_grant_type", TOKEN_REFUSED},
        /* not the endpoint's own word, or not the time to believe it */
        {200, "invalid_grant", TOKEN_FAILED},
        {500, "invalid_grant", TOKEN_FAILED},
        {503, "invalid_grant", TOKEN_FAILED},
        {429, "invalid_grant", TOKEN_FAILED},
        {302, "invalid_grant", TOKEN_FAILED},
        {400, "Invalid Grant", TOKEN_FAILED},
        {400, "", TOKEN_FAILED},
    };
    char body[256];
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        snprintf(body, sizeof(body),
                 "{\"error\":\"%s\",\"error_description\":\"Invalid refresh token\"}",
                 cases[i].error);
        assert_not_granted(cases[i].status, body, cases[i].verdict);
    }
    assert_not_granted(400, "{\"error\":{\"code\":\"invalid_grant\"}}", TOKEN_FAILED);
}

static void an_error_beside_a_token_is_an_error(void **state)
{
    (void)state;
    assert_not_granted(200, "{\"access_token\":\"a\",\"error\":\"invalid_grant\"}", TOKEN_FAILED);
}

static void what_is_no_token_reply_is_a_failure(void **state)
{
    static const char *const bodies[] = {
        "",
        "null",
        "[]",
        "\"" ACCESS "\"",
        "<html><body>Maintenance</body></html>",
        "{\"access_token\":\"" ACCESS "\",\"expires_in\":36",
        "{\"access_token\":\"" ACCESS "\"} trailing",
        "{\"access_token\":\"a\",\"access_token\":\"b\"}",
        "access_token=a&expires_in=3600",
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(bodies); i++) {
        assert_not_granted(200, bodies[i], TOKEN_FAILED);
        assert_not_granted(400, bodies[i], TOKEN_FAILED);
        assert_not_granted(500, bodies[i], TOKEN_FAILED);
    }
    assert_not_granted(201, "{\"access_token\":\"a\"}", TOKEN_FAILED);
    assert_not_granted(302, "{\"access_token\":\"a\"}", TOKEN_FAILED);
}

static void a_megabyte_is_read_without_harm(void **state)
{
    enum { SIZE = 1024 * 1024 };
    char *body = malloc(SIZE);
    struct token_reply reply;
    (void)state;
    assert_non_null(body);
    memset(body, ' ', SIZE);
    token_reply_read(200, (struct text){body, SIZE}, &reply);
    assert_int_equal(reply.verdict, TOKEN_FAILED);
    memset(body, '[', SIZE);
    token_reply_read(200, (struct text){body, SIZE}, &reply);
    assert_int_equal(reply.verdict, TOKEN_FAILED);
    free(body);
}

/* A server that repeats what it was sent must not make us log it. */
static void explanations_repeat_nothing_of_a_reply(void **state)
{
    static const char *const bodies[] = {
        "{\"error\":\"invalid_grant\",\"error_description\":\"" REFRESH " is no good\"}",
        "{\"error\":\"" REFRESH "\"}",
        "{\"error\":\"invalid_client\",\"error_description\":\"" REFRESH "\"}",
        "{\"error\":\"invalid_request\",\"error_uri\":\"" REFRESH "\"}",
        "<p>" REFRESH "</p>",
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(bodies); i++) {
        char bytes[GRANT_REASON_MAX + 1];
        struct text_buffer sentence;
        struct token_reply reply = read_reply(400, bodies[i]);
        text_buffer_init(&sentence, bytes, sizeof(bytes));
        token_reply_explain(&reply, &sentence);
        assert_false(sentence.is_cut);
        assert_true(sentence.length > 20);
        assert_null(strstr(bytes, REFRESH));
    }
}

static void a_company_is_an_id_and_a_name(void **state)
{
    struct company_reply company;
    (void)state;
    assert_int_equal(company_reply_read(200,
                                        TEXT("{\"id\":5678,\"name\":\"Caf\\u00e9 \\u001bOne\","
                                             "\"currency\":\"AUD\",\"sites\":{\"count\":2}}"),
                                        &company),
                     0);
    assert_int_equal(company.id, 5678);
    assert_string_equal(company.name, "Caf\xc3\xa9 One");
    assert_int_equal(company_reply_read(200, TEXT("{\"id\":\"2802065908\"}"), &company), 0);
    assert_int_equal(company.id, 2802065908);
    assert_string_equal(company.name, "");
}

static void a_long_name_is_cut_between_characters(void **state)
{
    struct company_reply company;
    char body[1024];
    struct text_buffer buffer;
    (void)state;
    text_buffer_init(&buffer, body, sizeof(body));
    text_append(&buffer, TEXT("{\"id\":1,\"name\":\"a"));
    for (int i = 0; i < 100; i++)
        text_append(&buffer, TEXT("\xc3\xa9"));
    text_append(&buffer, TEXT("\"}"));
    assert_int_equal(company_reply_read(200, text_buffer_text(&buffer), &company), 0);
    assert_int_equal(strlen(company.name), COMPANY_NAME_MAX - 1);
    assert_true(text_is_utf8(text_of(company.name)));
}

static void what_is_no_company_is_refused(void **state)
{
    struct company_reply company;
    (void)state;
    assert_int_equal(company_reply_read(200, TEXT("null"), &company), ERR_BAD_REPLY);
    assert_int_equal(company_reply_read(200, TEXT("{\"name\":\"x\"}"), &company), ERR_BAD_REPLY);
    assert_int_equal(company_reply_read(200, TEXT("{\"id\":0}"), &company), ERR_BAD_REPLY);
    assert_int_equal(company_reply_read(200, TEXT("{\"id\":-5}"), &company), ERR_BAD_REPLY);
    assert_int_equal(company_reply_read(200, TEXT("{\"id\":1.5}"), &company), ERR_BAD_REPLY);
    assert_int_equal(company_reply_read(200, TEXT("<html>"), &company), ERR_BAD_REPLY);
    assert_int_equal(company_reply_read(500, TEXT("{\"id\":5}"), &company), ERR_BAD_REPLY);
    assert_int_equal(company_reply_read(302, TEXT("{\"id\":5}"), &company), ERR_BAD_REPLY);
    assert_int_equal(company_reply_read(401, TEXT("{}"), &company), ERR_REFUSED);
    assert_int_equal(company_reply_read(403, TEXT("<html>"), &company), ERR_REFUSED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_documented_reply_is_taken),
        cmocka_unit_test(a_reply_without_refresh_token_leaves_the_old_one),
        cmocka_unit_test(a_life_may_be_a_number_or_its_digits),
        cmocka_unit_test(with_any_other_life_a_pair_is_taken_for_the_usual_one),
        cmocka_unit_test(a_token_that_could_not_be_sent_is_none),
        cmocka_unit_test(a_token_of_another_type_is_taken_and_noted),
        cmocka_unit_test(errors_are_told_apart),
        cmocka_unit_test(an_error_beside_a_token_is_an_error),
        cmocka_unit_test(what_is_no_token_reply_is_a_failure),
        cmocka_unit_test(a_megabyte_is_read_without_harm),
        cmocka_unit_test(explanations_repeat_nothing_of_a_reply),
        cmocka_unit_test(a_company_is_an_id_and_a_name),
        cmocka_unit_test(a_long_name_is_cut_between_characters),
        cmocka_unit_test(what_is_no_company_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
