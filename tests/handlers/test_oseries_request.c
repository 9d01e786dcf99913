/* The tolerant reader. One line, one case: action, body, and what was read of it, written out by
 * describe() below. */
#include "base/error.h"
#include "base/log.h"
#include "handlers/oseries_request.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

static struct profiles *profiles;

#define BODY(literal)                                                                              \
    {                                                                                              \
        (literal), sizeof(literal) - 1                                                             \
    }
#define IDS "\"company_id\":5678,\"site_id\":923,\"register_id\":9091,\"order_id\":2802065908,"
#define CARD "\"keyword\":\"6036280000012345\","
#define READ "5678/923/9091/2802065908 card 6036280000012345 "

#define CHECKOUT PROFILE_CHECKOUT
#define BALANCE PROFILE_CHECK_BALANCE
#define TOP_UP PROFILE_TOP_UP
#define REFUND PROFILE_REFUND

static const struct {
    enum profile_action action;
    struct text body;
    const char *read;
} table[] = {
    /* the plain ones */
    {CHECKOUT, BODY("{" IDS CARD "\"amount\":25.5}"), READ "ok 2550"},
    {BALANCE, BODY("{" IDS "\"keyword\":\"6036280000012345\"}"), READ "amount_missing 0"},
    {TOP_UP, BODY("{" IDS CARD "\"topup_amount\":\"50.00\"}"), READ "ok 5000"},
    {REFUND, BODY("{" IDS CARD "\"amount\":5}"), READ "ok 500"},
    /* forms, whatever the content type says; JSON with space around it */
    {CHECKOUT,
     BODY("company_id=5678&site_id=923&register_id=9091&order_id=2802065908&"
          "keyword=6036-2800+0001%202345&amount=25.50"),
     READ "ok 2550"},
    {TOP_UP,
     BODY("order_id=2802065908&topup_amount=50&keyword=6036280000012345&site_id=923&"
          "register_id=9091&company_id=5678"),
     READ "ok 5000"},
    {CHECKOUT, BODY(" \r\n\t{" IDS CARD "\"amount\":25.5} \n"), READ "ok 2550"},
    {CHECKOUT, BODY("company_id=5678&keyword=%25B6036280000012345%5EA%2FB%5E4912%3F&amount=1"),
     "5678/0/0/0 card 6036280000012345 ok 100"},
    {CHECKOUT, BODY("company_id=5678&keyword=6036280000012345*12&amount="),
     "5678/0/0/0 card 6036280000012345 pin 12 amount_missing 0"},
    {CHECKOUT, BODY("company_id=5678&lines[]=1&lines[]=2&keyword=77777&amount=1&=&flag"),
     "5678/0/0/0 card 77777 ok 100"},
    /* ids as numbers and as numeric strings, up to the last of 64 bits */
    {CHECKOUT,
     BODY("{\"company_id\":\"5678\",\"site_id\":\"923\",\"register_id\":\"9091\","
          "\"order_id\":\"2802065908\"," CARD "\"amount\":1}"),
     READ "ok 100"},
    {CHECKOUT, BODY("{\"company_id\":1,\"order_id\":9223372036854775807," CARD "\"amount\":1}"),
     "1/0/0/9223372036854775807 card 6036280000012345 ok 100"},
    {CHECKOUT,
     BODY("{\"company_id\":1,\"site_id\":null,\"register_id\":\"\",\"order_id\":0," CARD
          "\"amount\":1}"),
     "1/0/0/0 card 6036280000012345 ok 100"},
    {CHECKOUT, BODY("{\"company_id\":1,\"order_id\":9223372036854775808," CARD "\"amount\":1}"),
     "too_large: order_id is too large."},
    {CHECKOUT, BODY("{\"company_id\":\"99999999999999999999\"," CARD "\"amount\":1}"),
     "too_large: company_id is too large."},
    {CHECKOUT, BODY("company_id=1&site_id=9223372036854775808&keyword=7777&amount=1"),
     "too_large: site_id is too large."},
    {CHECKOUT, BODY("{\"company_id\":1,\"register_id\":-9091," CARD "\"amount\":1}"),
     "not_a_number: register_id is not a whole number."},
    {CHECKOUT, BODY("{\"company_id\":1,\"site_id\":1.0," CARD "\"amount\":1}"),
     "not_a_number: site_id is not a whole number."},
    {CHECKOUT, BODY("{\"company_id\":1,\"site_id\":1e2," CARD "\"amount\":1}"),
     "not_a_number: site_id is not a whole number."},
    {CHECKOUT, BODY("{\"company_id\":1,\"site_id\":\"nine\"," CARD "\"amount\":1}"),
     "not_a_number: site_id is not a whole number."},
    {CHECKOUT, BODY("{\"company_id\":true," CARD "\"amount\":1}"),
     "json_type: company_id must be a text or a number."},
    {CHECKOUT, BODY("{\"company_id\":{\"id\":1}," CARD "\"amount\":1}"),
     "json_type: company_id must be a text or a number."},
    {CHECKOUT, BODY("{\"company_id\":1,\"order_id\":[1]," CARD "\"amount\":1}"),
     "json_type: order_id must be a text or a number."},
    {CHECKOUT, BODY("{" CARD "\"amount\":1}"), "missing: company_id is missing."},
    {CHECKOUT, BODY("{\"company_id\":null," CARD "\"amount\":1}"),
     "missing: company_id is missing."},
    {CHECKOUT, BODY("keyword=7777&amount=1"), "missing: company_id is missing."},
    {CHECKOUT, BODY(""), "missing: company_id is missing."},
    {CHECKOUT, BODY("[1,2,3]"), "missing: company_id is missing."},
    {CHECKOUT, BODY("6036280000012345"), "missing: company_id is missing."},
    /* which card */
    {BALANCE, BODY("{\"company_id\":1,\"keyword\":6036280000012345}"),
     "1/0/0/0 card 6036280000012345 amount_missing 0"},
    {BALANCE, BODY("{\"company_id\":1,\"keyword\":\"typed-1\",\"reference_id\":\"checked-in-2\"}"),
     "1/0/0/0 card CHECKEDIN2 amount_missing 0"},
    {BALANCE, BODY("{\"company_id\":1,\"keyword\":\"typed-1\",\"reference_id\":\"  \"}"),
     "1/0/0/0 card TYPED1 amount_missing 0"},
    {BALANCE, BODY("{\"company_id\":1,\"keyword\":\"typed-1\",\"reference_id\":null}"),
     "1/0/0/0 card TYPED1 amount_missing 0"},
    {BALANCE, BODY("{\"company_id\":1,\"keyword\":\"\",\"reference_id\":\"M-1001\"}"),
     "1/0/0/0 card M1001 amount_missing 0"},
    {BALANCE, BODY("{\"company_id\":1,\"keyword\":\"\",\"reference_id\":\"\"}"),
     "1/0/0/0 no card amount_missing 0"},
    {BALANCE, BODY("{\"company_id\":1}"), "1/0/0/0 no card amount_missing 0"},
    {BALANCE, BODY("{\"company_id\":1,\"keyword\":\"x\"}"),
     "1/0/0/0 unknown card amount_missing 0"},
    {BALANCE, BODY("{\"company_id\":1,\"keyword\":\"6036280000012345*x\"}"),
     "1/0/0/0 unknown card amount_missing 0"},
    {BALANCE, BODY("{\"company_id\":1,\"keyword\":\"\\uff16\\uff10\\uff13\\uff16\"}"),
     "1/0/0/0 unknown card amount_missing 0"},
    {BALANCE, BODY("{\"company_id\":1,\"keyword\":[\"6036280000012345\"]}"),
     "json_type: keyword must be a text or a number."},
    {BALANCE, BODY("{\"company_id\":1,\"keyword\":\"6036\\u00002800\"}"),
     "json_type: keyword must be a text or a number."},
    {BALANCE, BODY("{\"company_id\":1,\"keyword\":\"6036280000012345\",\"reference_id\":false}"),
     "json_type: reference_id must be a text or a number."},
    /* four digits */
    {BALANCE, BODY("{\"company_id\":1,\"keyword\":\"2345\"}"),
     "1/0/0/0 card 2345 last4 amount_missing 0"},
    {BALANCE, BODY("{\"company_id\":1,\"keyword\":\"2345*99\"}"),
     "1/0/0/0 card 2345 pin 99 last4 amount_missing 0"},
    {BALANCE, BODY("{\"company_id\":1,\"keyword\":\"234A\"}"),
     "1/0/0/0 card 234A amount_missing 0"},
    {BALANCE, BODY("{\"company_id\":1,\"reference_id\":\"2345\"}"),
     "1/0/0/0 card 2345 amount_missing 0"},
    /* amounts, told only once the card is known */
    {CHECKOUT, BODY("{" IDS CARD "\"checkout_amount\":1.1}"), READ "ok 110"},
    {CHECKOUT, BODY("{" IDS CARD "\"payment_amount\":\"1.1\"}"), READ "ok 110"},
    {CHECKOUT, BODY("{" IDS CARD "\"total\":1}"), READ "ok 100"},
    {CHECKOUT, BODY("{" IDS CARD "\"total\":9,\"amount\":1}"), READ "ok 100"},
    {CHECKOUT, BODY("{" IDS CARD "\"amount\":null,\"total\":9}"), READ "ok 900"},
    {REFUND, BODY("{" IDS CARD "\"refund_amount\":7}"), READ "ok 700"},
    {REFUND, BODY("{" IDS CARD "\"amount\":-5.25}"), READ "ok 525"},
    {REFUND, BODY("{" IDS CARD "\"amount\":\"-10000000000000.00\"}"), READ "ok 1000000000000000"},
    {REFUND, BODY("{" IDS CARD "\"checkout_amount\":7}"), READ "amount_missing 0"},
    {CHECKOUT, BODY("{" IDS CARD "\"amount\":0}"), READ "ok 0"},
    {CHECKOUT, BODY("{" IDS CARD "\"amount\":-1}"), READ "ok -100"},
    {CHECKOUT, BODY("{" IDS CARD "\"amount\":1e2}"), READ "amount_invalid 0"},
    {CHECKOUT, BODY("{" IDS CARD "\"amount\":0.001}"), READ "amount_too_precise 0"},
    {CHECKOUT, BODY("{" IDS CARD "\"amount\":1.500}"), READ "ok 150"},
    {CHECKOUT, BODY("{" IDS CARD "\"amount\":\"NaN\"}"), READ "amount_invalid 0"},
    {CHECKOUT, BODY("{" IDS CARD "\"amount\":NaN}"), "json_syntax: The request is not valid JSON."},
    {CHECKOUT, BODY("{" IDS CARD "\"amount\":9223372036854775807.99}"), READ "amount_too_large 0"},
    {CHECKOUT, BODY("{" IDS CARD "\"amount\":\"12,50\"}"), READ "amount_invalid 0"},
    {CHECKOUT, BODY("{" IDS CARD "\"amount\":true}"), READ "amount_invalid 0"},
    {CHECKOUT, BODY("{" IDS CARD "\"amount\":[1]}"), READ "amount_invalid 0"},
    {CHECKOUT, BODY("{" IDS CARD "\"amount\":{}}"), READ "amount_invalid 0"},
    {CHECKOUT, BODY("{" IDS CARD "\"amount\":\"\\uff11\\uff10\"}"), READ "amount_invalid 0"},
    {CHECKOUT, BODY("{" IDS CARD "\"amount\":\"$5\"}"), READ "amount_invalid 0"},
    {CHECKOUT, BODY("{" IDS CARD "\"amount\":\"\"}"), READ "amount_missing 0"},
    {CHECKOUT, BODY("{" IDS CARD "\"x\":1}"), READ "amount_missing 0"},
    /* URLs pasted into the wrong field */
    {CHECKOUT, BODY("{" IDS CARD "\"topup_amount\":\"50.00\"}"),
     READ "misdirected amount_missing 0"},
    {CHECKOUT, BODY("{" IDS CARD "\"amount\":1,\"topup_amount\":\"50.00\"}"),
     READ "misdirected ok 100"},
    {CHECKOUT, BODY("{" IDS CARD "\"amount\":1,\"topup_amount\":{}}"), READ "misdirected ok 100"},
    {CHECKOUT, BODY("{" IDS CARD "\"amount\":1,\"topup_amount\":null}"), READ "ok 100"},
    {CHECKOUT, BODY("company_id=1&keyword=77777&amount=1&topup_amount=1"),
     "1/0/0/0 card 77777 misdirected ok 100"},
    {REFUND, BODY("{" IDS CARD "\"amount\":1,\"topup_amount\":\"50.00\"}"),
     READ "misdirected ok 100"},
    {TOP_UP, BODY("{" IDS CARD "\"amount\":25.5}"), READ "amount_missing 0"},
    {TOP_UP, BODY("{" IDS CARD "\"amount\":25.5,\"topup_amount\":1}"), READ "ok 100"},
    /* bodies that are nothing */
    {CHECKOUT, BODY("{"), "json_syntax: The request is not valid JSON."},
    {CHECKOUT, BODY("{" IDS CARD "\"amount\":25."), "json_syntax: The request is not valid JSON."},
    {CHECKOUT, BODY("{" IDS CARD "\"amount\":25.5}}"),
     "json_syntax: The request is not valid JSON."},
    {CHECKOUT, BODY("{" IDS CARD "\"amount\":1,\"amount\":2}"),
     "json_duplicate_key: The request names one field twice."},
    {CHECKOUT, BODY("company_id=1&amount=1&keyword=7777&amount=2"),
     "json_duplicate_key: The request names one field twice."},
    {CHECKOUT, BODY("{\"a\":[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]}"),
     "json_depth: The request is nested too deeply."},
    {CHECKOUT, BODY("{'company_id':5678}"), "json_syntax: The request is not valid JSON."},
    {CHECKOUT, BODY("{" IDS CARD "\"amount\":1}\0"), "json_syntax: The request is not valid JSON."},
    {CHECKOUT,
     BODY("{" IDS "\"keyword\":\"60\0"
          "36\",\"amount\":1}"),
     "json_syntax: The request is not valid JSON."},
    {CHECKOUT, BODY("{" IDS "\"keyword\":\"\xc3\x28\",\"amount\":1}"),
     "json_syntax: The request is not valid JSON."},
    {CHECKOUT, BODY("company_id=1&keyword=%zz&amount=1"),
     "form_syntax: The request is neither valid JSON nor a valid form."},
    {CHECKOUT, BODY("company_id=1&keyword=12%0034&amount=1"),
     "form_syntax: The request is neither valid JSON nor a valid form."},
    {CHECKOUT, BODY("company_id=1&keyword=\xff\xfe\xfd\xfc&amount=1"),
     "1/0/0/0 unknown card ok 100"},
};

static const char *amount_name(enum result result)
{
    switch ((int)result) {
    case RESULT_OK:
        return "ok";
    case RESULT_AMOUNT_MISSING:
        return "amount_missing";
    case RESULT_AMOUNT_INVALID:
        return "amount_invalid";
    case RESULT_AMOUNT_TOO_PRECISE:
        return "amount_too_precise";
    case RESULT_AMOUNT_TOO_LARGE:
        return "amount_too_large";
    }
    return "?";
}

static void describe_request(const struct payment_request *request, struct text_buffer *out)
{
    text_append_format(out, "%lld/%lld/%lld/%lld", (long long)request->company_id,
                       (long long)request->site_id, (long long)request->register_id,
                       (long long)request->order_id);
    if (!request->has_card)
        text_append(out, TEXT(" no card"));
    else if (!request->card.is_usable)
        text_append(out, TEXT(" unknown card"));
    else
        text_append_format(out, " card %s", request->card.number);
    if (request->card.pin[0] != '\0')
        text_append_format(out, " pin %s", request->card.pin);
    if (request->is_last4)
        text_append(out, TEXT(" last4"));
    if (request->is_misdirected)
        text_append(out, TEXT(" misdirected"));
    text_append_format(out, " %s %lld", amount_name(request->amount_result),
                       (long long)request->asked_minor);
}

static void describe(const struct payment_dialect *dialect, struct text body,
                     struct text_buffer *out)
{
    struct payment_request request;
    char text[REQUEST_FAULT_MAX];
    struct text_buffer fault;
    text_buffer_init(&fault, text, sizeof(text));
    int err = oseries_request_read(dialect, body, &request, &fault);
    if (err == 0)
        describe_request(&request, out);
    else
        text_append_format(out, "%s: %s", error_name(err), text);
}

static struct payment_dialect dialect_of(const struct profile *profile, enum profile_action action)
{
    return (struct payment_dialect){
        .profile = profile, .action = action, .exponent = 2, .last4_is_accepted = true};
}

/* An exact copy on the heap, so that the sanitizer sees a read past the end. */
static void check_line(const struct payment_dialect *dialect, struct text body, const char *read)
{
    char *copy = malloc(body.length == 0 ? 1 : body.length);
    char text[512];
    struct text_buffer out;
    assert_non_null(copy);
    memcpy(copy, body.base, body.length);
    text_buffer_init(&out, text, sizeof(text));
    describe(dialect, (struct text){copy, body.length}, &out);
    free(copy);
    if (strcmp(text, read) != 0)
        fail_msg("%.*s\n  was read as '%s'\n  instead of  '%s'", (int)body.length, body.base, text,
                 read);
}

static void every_body_is_read_as_the_table_says(void **state)
{
    (void)state;
    const struct profile *profile = profile_acquire(profiles, "default");
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        struct payment_dialect dialect = dialect_of(profile, table[i].action);
        check_line(&dialect, table[i].body, table[i].read);
    }
    profile_release(profile);
}

static void a_tenant_may_insist_on_one_format(void **state)
{
    (void)state;
    static const char form[] = "company_id=1&keyword=6036280000012345&amount=2";
    static const char json[] = "{\"company_id\":1,\"keyword\":\"6036280000012345\",\"amount\":2}";
    static const char read[] = "1/0/0/0 card 6036280000012345 ok 200";
    const struct profile *profile = profile_acquire(profiles, "default");
    struct payment_dialect dialect = dialect_of(profile, PROFILE_CHECKOUT);
    check_line(&dialect, text_of(form), read);
    check_line(&dialect, text_of(json), read);
    dialect.body_format = BODY_JSON;
    check_line(&dialect, text_of(form), "json_syntax: The request is not valid JSON.");
    check_line(&dialect, text_of(json), read);
    dialect.body_format = BODY_FORM;
    check_line(&dialect, text_of(form), read);
    check_line(&dialect, text_of(json), "missing: company_id is missing.");
    profile_release(profile);
}

static void four_digits_are_a_number_where_the_tenant_says_so(void **state)
{
    (void)state;
    const struct profile *profile = profile_acquire(profiles, "default");
    struct payment_dialect dialect = dialect_of(profile, PROFILE_CHECK_BALANCE);
    dialect.last4_is_accepted = false;
    check_line(&dialect, TEXT("company_id=1&keyword=2345"), "1/0/0/0 card 2345 amount_missing 0");
    profile_release(profile);
}

static void amounts_have_the_decimals_of_the_currency(void **state)
{
    (void)state;
    static const struct {
        int exponent;
        const char *amount;
        const char *read;
    } lines[] = {
        {0, "300", "ok 300"},
        {0, "300.0", "ok 300"},
        {0, "300.5", "amount_too_precise 0"},
        {2, "300", "ok 30000"},
        {3, "300", "ok 300000"},
        {3, "0.001", "ok 1"},
        {3, "1.2345", "amount_too_precise 0"},
    };
    const struct profile *profile = profile_acquire(profiles, "default");
    for (size_t i = 0; i < COUNT_OF(lines); i++) {
        struct payment_dialect dialect = dialect_of(profile, PROFILE_CHECKOUT);
        char body[128], read[128];
        struct text_buffer b, r;
        dialect.exponent = lines[i].exponent;
        text_buffer_init(&b, body, sizeof(body));
        text_buffer_init(&r, read, sizeof(read));
        text_append_format(&b, "company_id=1&keyword=77777&amount=%s", lines[i].amount);
        text_append_format(&r, "1/0/0/0 card 77777 %s", lines[i].read);
        check_line(&dialect, text_buffer_text(&b), read);
    }
    profile_release(profile);
}

static void keywords_of_60_kilobytes_are_unknown_cards_in_both_body_types(void **state)
{
    (void)state;
    static char body[64 * 1024];
    static char filler[60 * 1024 + 1];
    const struct profile *profile = profile_acquire(profiles, "default");
    struct payment_dialect dialect = dialect_of(profile, PROFILE_CHECKOUT);
    struct text_buffer out;
    memset(filler, '6', sizeof(filler) - 1);
    text_buffer_init(&out, body, sizeof(body));
    text_append_format(&out, "{\"company_id\":1,\"amount\":1,\"keyword\":\"%s\"}", filler);
    check_line(&dialect, text_buffer_text(&out), "1/0/0/0 unknown card ok 100");
    text_buffer_init(&out, body, sizeof(body));
    text_append_format(&out, "company_id=1&amount=1&keyword=%s", filler);
    check_line(&dialect, text_buffer_text(&out), "1/0/0/0 unknown card ok 100");
    assert_false(out.is_cut);
    profile_release(profile);
}

static void a_form_of_thousands_of_fields_is_read_for_the_known_ones(void **state)
{
    (void)state;
    static char body[64 * 1024];
    const struct profile *profile = profile_acquire(profiles, "default");
    struct payment_dialect dialect = dialect_of(profile, PROFILE_CHECKOUT);
    struct text_buffer out;
    text_buffer_init(&out, body, sizeof(body));
    while (out.length < 60 * 1024)
        text_append_format(&out, "x%zu=%zu&", out.length, out.length);
    text_append(&out, TEXT("company_id=1&amount=1&keyword=77777"));
    check_line(&dialect, text_buffer_text(&out), "1/0/0/0 card 77777 ok 100");
    profile_release(profile);
}

/* The mirror of the built-in names: every field of every action has another name. */
static void a_profile_renames_every_field(void **state)
{
    (void)state;
    static const char renamed[] =
        "{\"request\":{\"all\":{\"company_id\":[\"firm\"],\"site_id\":[\"shop\"],"
        "\"register_id\":[\"till\",\"desk\"],\"order_id\":[\"sale\"],\"keyword\":[\"typed\"],"
        "\"reference_id\":[\"guest\"],\"amount\":[\"sum\",\"value\"],\"refused\":[\"load\"]},"
        "\"top_up\":{\"amount\":[\"load\"],\"refused\":[]}}}";
    static const struct {
        enum profile_action action;
        struct text body;
        const char *read;
    } lines[] = {
        {CHECKOUT,
         BODY("{\"firm\":1,\"shop\":2,\"till\":3,\"sale\":4,\"typed\":\"77777\",\"sum\":5}"),
         "1/2/3/4 card 77777 ok 500"},
        {REFUND, BODY("firm=1&shop=2&till=3&sale=4&guest=88888&value=-6"),
         "1/2/3/4 card 88888 ok 600"},
        {TOP_UP, BODY("firm=1&shop=2&till=3&sale=4&guest=88888&typed=77777&load=7"),
         "1/2/3/4 card 88888 ok 700"},
        {BALANCE, BODY("firm=1&shop=2&till=3&sale=4&typed=77777"),
         "1/2/3/4 card 77777 amount_missing 0"},
        {CHECKOUT, BODY("firm=1&typed=77777&sum=5&load=5"),
         "1/0/0/0 card 77777 misdirected ok 500"},
        {CHECKOUT, BODY("firm=1&typed=77777&sum=5&topup_amount=5"), "1/0/0/0 card 77777 ok 500"},
        {CHECKOUT, BODY("firm=1&site_id=2&register_id=3&order_id=4&keyword=77777&amount=5"),
         "1/0/0/0 no card amount_missing 0"},
        {CHECKOUT, BODY("company_id=1"), "missing: firm is missing."},
        {CHECKOUT, BODY("firm=1&till=x"), "not_a_number: till is not a whole number."},
        {CHECKOUT, BODY("firm=1&desk=x"), "not_a_number: desk is not a whole number."},
    };
    const struct profile *base = profile_acquire(profiles, "default");
    struct profile profile;
    char text[256];
    struct text_buffer problem;
    text_buffer_init(&problem, text, sizeof(text));
    if (profile_compile(text_of(renamed), base, &profile, &problem) != 0)
        fail_msg("%s", text);
    for (size_t i = 0; i < COUNT_OF(lines); i++) {
        struct payment_dialect dialect = dialect_of(&profile, lines[i].action);
        check_line(&dialect, lines[i].body, lines[i].read);
    }
    profile_release(base);
}

/* Everything the reader logs at the most talkative level, in a file. */
static void read_while_logging(const struct payment_dialect *dialect, struct text body, char *log,
                               size_t log_size)
{
    FILE *file = tmpfile();
    int saved = dup(STDERR_FILENO);
    char text[512];
    struct text_buffer out;
    assert_non_null(file);
    assert_int_equal(dup2(fileno(file), STDERR_FILENO), STDERR_FILENO);
    int err = log_start(LOG_DEBUG);
    text_buffer_init(&out, text, sizeof(text));
    describe(dialect, body, &out);
    log_finish();
    assert_int_equal(dup2(saved, STDERR_FILENO), STDERR_FILENO);
    close(saved);
    assert_int_equal(err, 0);
    rewind(file);
    log[fread(log, 1, log_size - 1, file)] = '\0';
    fclose(file);
}

static void the_log_names_ignored_fields_and_never_a_secret(void **state)
{
    (void)state;
    static const struct {
        struct text body;
        const char *logged;
    } lines[] = {
        {BODY("{\"company_id\":1,\"keyword\":\"6036280000012345*4711\",\"tip\":1}"), "\"tip\""},
        {BODY("company_id=1&keyword=6036280000012345*4711&tip=1"), "\"tip\""},
        {BODY("company_id=1&keyword=6036280000012345*4711&reference_id=6036280000012345"),
         "card_fields_differ"},
        {BODY("{\"company_id\":1,\"6036280000012345\":4711}"), "no plain name"},
        {BODY("company_id=1&6036280000012345*4711=1"), "no plain name"},
        {BODY("6036280000012345*4711"), ""},
        {BODY("[\"6036280000012345*4711\"]"), ""},
        {BODY("GIFTNUMBER"), ""},
        {BODY("{\"keyword\":\"6036280000012345*4711"), ""},
    };
    const struct profile *profile = profile_acquire(profiles, "default");
    struct payment_dialect dialect = dialect_of(profile, PROFILE_CHECKOUT);
    for (size_t i = 0; i < COUNT_OF(lines); i++) {
        char log[4096];
        read_while_logging(&dialect, lines[i].body, log, sizeof(log));
        assert_non_null(strstr(log, lines[i].logged));
        assert_null(strstr(log, "6036280000012345"));
        assert_null(strstr(log, "4711"));
        assert_null(strstr(log, "GIFTNUMBER"));
    }
    profile_release(profile);
}

static int set_up(void **state)
{
    (void)state;
    return profiles_create(NULL, &profiles);
}

static int tear_down(void **state)
{
    (void)state;
    profiles_destroy(profiles);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_body_is_read_as_the_table_says),
        cmocka_unit_test(a_tenant_may_insist_on_one_format),
        cmocka_unit_test(four_digits_are_a_number_where_the_tenant_says_so),
        cmocka_unit_test(amounts_have_the_decimals_of_the_currency),
        cmocka_unit_test(keywords_of_60_kilobytes_are_unknown_cards_in_both_body_types),
        cmocka_unit_test(a_form_of_thousands_of_fields_is_read_for_the_known_ones),
        cmocka_unit_test(a_profile_renames_every_field),
        cmocka_unit_test(the_log_names_ignored_fields_and_never_a_secret),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
