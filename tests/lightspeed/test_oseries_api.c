/* The API's client over a real connection, with the real manager of tokens: what goes out, what
 * comes of each fault, who waits for whom, and that nothing is left over at the end. */
#include "base/clock.h"
#include "base/error.h"
#include "lightspeed/oseries_api.h"
#include "tests/support/connected.h"
#include "tests/support/tiny_http.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/banned.h"

#define MS INT64_C(1000)
#define SECONDS(s) ((s)*1000 * MS)
#define CALLS_MAX 128

enum what {
    GET_ORDER,
    PUT_ORDER,
    POST_LINE,
    PUT_LINE,
    POST_PAYMENT,
    GET_CUSTOMER,
    FIND_CUSTOMER,
    ENSURE_WEBHOOKS,
    GET_COMPANY,
    LIST_SITES,
    LIST_PAYMENT_METHODS,
};

/* What to ask, and what came of it. */
struct ask {
    enum what what;
    struct api_call call;
    int64_t order_id;
    struct order_change change;
    struct line_change line;
    const char *text; /* ref, e-mail, topics */
    int times;
    bool was_inside; /* called back from inside the call */
    struct api_result result;
    bool has_order, has_customer;
    int64_t order_total_minor;
    struct oseries_customer customer;
    struct oseries_company company;
    struct api_names names;
    int64_t done_us;
};

static struct connected f;
static struct tiny *tiny;
static char api_url[64], token_url[80];
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static struct ask asks[CALLS_MAX];
static bool is_inside;

static void start(enum grant_kind kind)
{
    memset(asks, 0, sizeof(asks));
    tiny = tiny_start();
    snprintf(api_url, sizeof(api_url), "http://127.0.0.1:%d/v1", tiny_port(tiny));
    snprintf(token_url, sizeof(token_url), "%s/token", api_url);
    connected_start(
        &f, &(struct connected_config){.api_url = api_url, .token_url = token_url, .kind = kind});
}

static int setup(void **state)
{
    (void)state;
    start(GRANT_OAUTH);
    return 0;
}

static int setup_basic(void **state)
{
    (void)state;
    start(GRANT_BASIC);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    connected_stop(&f);
    tiny_stop(tiny);
    return 0;
}

/* --- asking */

static void note(struct ask *ask, const struct api_result *result)
{
    pthread_mutex_lock(&mutex);
    ask->was_inside |= is_inside;
    ask->result = *result;
    ask->times++;
    ask->done_us = clock_monotonic_us();
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&mutex);
}

static void on_done(void *context, const struct api_result *result)
{
    note(context, result);
}

static void on_order(void *context, const struct api_result *result,
                     const struct oseries_order *order)
{
    struct ask *ask = context;
    ask->has_order = order != NULL;
    if (order != NULL)
        ask->order_total_minor = order->total_minor;
    note(ask, result);
}

static void on_customer(void *context, const struct api_result *result,
                        const struct oseries_customer *customer)
{
    struct ask *ask = context;
    ask->has_customer = customer != NULL;
    if (customer != NULL)
        ask->customer = *customer;
    note(ask, result);
}

static void on_company(void *context, const struct api_result *result,
                       const struct oseries_company *company)
{
    struct ask *ask = context;
    if (company != NULL)
        ask->company = *company;
    note(ask, result);
}

static void on_names(void *context, const struct api_result *result, const struct api_names *names)
{
    struct ask *ask = context;
    if (names != NULL)
        ask->names = *names;
    note(ask, result);
}

static void ask_one(struct ask *ask)
{
    switch (ask->what) {
    case GET_ORDER:
        oseries_api_get_order(f.api, &ask->call, ask->order_id, on_order, ask);
        break;
    case PUT_ORDER:
        oseries_api_put_order(f.api, &ask->call, ask->order_id, &ask->change, on_done, ask);
        break;
    case POST_LINE:
        oseries_api_post_line(f.api, &ask->call, ask->order_id, &ask->line, on_done, ask);
        break;
    case PUT_LINE:
        oseries_api_put_line(f.api, &ask->call, ask->order_id, 3, &ask->line, on_done, ask);
        break;
    case POST_PAYMENT:
        oseries_api_post_payment(f.api, &ask->call, ask->order_id, -2550, ask->text, on_done, ask);
        break;
    case GET_CUSTOMER:
        oseries_api_get_customer(f.api, &ask->call, ask->order_id, on_customer, ask);
        break;
    case FIND_CUSTOMER:
        oseries_api_find_customer(f.api, &ask->call, ask->text, on_customer, ask);
        break;
    case ENSURE_WEBHOOKS:
        oseries_api_ensure_webhooks(f.api, &ask->call, ask->text, "https://p.example/hooks",
                                    on_done, ask);
        break;
    case GET_COMPANY:
        oseries_api_get_company(f.api, &ask->call, on_company, ask);
        break;
    case LIST_SITES:
        oseries_api_list_names(f.api, &ask->call, API_SITES, on_names, ask);
        break;
    case LIST_PAYMENT_METHODS:
        oseries_api_list_names(f.api, &ask->call, API_PAYMENT_METHODS, on_names, ask);
        break;
    }
}

struct range {
    int from, count;
};

static void ask_range(void *context)
{
    const struct range *range = context;
    is_inside = true;
    for (int i = range->from; i < range->from + range->count; i++)
        ask_one(&asks[i]);
    is_inside = false;
}

static struct ask *prepare(int index, enum what what, int64_t wait_us)
{
    asks[index].what = what;
    asks[index].call = (struct api_call){.tenant_id = f.tenant_id,
                                         .priority = API_WAITING,
                                         .deadline_us = clock_monotonic_us() + wait_us};
    asks[index].order_id = 7;
    asks[index].text = "CP1-42";
    return &asks[index];
}

static void begin(int from, int count)
{
    struct range range = {from, count};
    connected_run(&f, ask_range, &range);
}

static struct ask *await(int index)
{
    pthread_mutex_lock(&mutex);
    while (asks[index].times == 0)
        pthread_cond_wait(&changed, &mutex);
    pthread_mutex_unlock(&mutex);
    assert_int_equal(asks[index].times, 1);
    assert_false(asks[index].was_inside);
    return &asks[index];
}

static struct ask *ask(int index, enum what what, int64_t wait_us)
{
    prepare(index, what, wait_us);
    begin(index, 1);
    return await(index);
}

/* --- answering */

static char memory[64 * 1024];
static size_t memory_used;

/* A reply with its length; extra: further header lines, each with its end. */
static const char *reply(int status, const char *extra, const char *body)
{
    char *out = memory + memory_used;
    int length = snprintf(out, sizeof(memory) - memory_used,
                          "HTTP/1.1 %d X\r\nContent-Length: %zu\r\n%s\r\n%s", status, strlen(body),
                          extra, body);
    memory_used += (size_t)length + 1;
    assert_true(memory_used < sizeof(memory));
    return out;
}

static void script(enum tiny_way way, const char *text)
{
    tiny_script(tiny, (struct tiny_answer){.way = way, .text = text});
}

static void say(int status, const char *extra, const char *body)
{
    script(TINY_SAY, reply(status, extra, body));
}

static void say_tokens(void)
{
    const char *text =
        reply(200, "",
              "{\"access_token\":\"new\",\"expires_in\":3600,\"token_type\":\"Bearer\","
              "\"scope\":null,\"refresh_token\":\"newer\"}");
    tiny_script(tiny, (struct tiny_answer){.way = TINY_SAY, .text = text, .only_for = "/token"});
}

#define STALE "{\"error\":\"invalid_token\",\"error_description\":\"The access token is invalid\"}"

static void assert_asked(int index, const char *line, const char *body)
{
    const struct tiny_request *request = tiny_await(tiny, index);
    size_t length = strcspn(request->head, "\r");
    assert_int_equal(length, strlen(line) + strlen(" HTTP/1.1"));
    assert_memory_equal(request->head, line, strlen(line));
    assert_string_equal(request->body, body);
}

/* --- what goes out */

static void an_order_is_read_with_the_tenants_token(void **state)
{
    (void)state;
    say(200, "", "{\"id\":7,\"total\":12.5}");
    struct ask *each = ask(0, GET_ORDER, SECONDS(10));
    assert_int_equal(each->result.error, 0);
    assert_int_equal(each->result.status, 200);
    assert_true(each->has_order);
    assert_int_equal(each->order_total_minor, 1250);
    assert_asked(0, "GET /v1/companies/5678/orders/7", "");
    const struct tiny_request *request = tiny_await(tiny, 0);
    assert_string_equal(tiny_header(request, "Accept"), "application/json");
    assert_string_equal(tiny_header(request, "Authorization"), "Bearer " CONNECTED_ACCESS);
    assert_null(tiny_header(request, "Content-Type"));
    assert_null(tiny_header(request, "X-Page"));
}

static void changes_say_what_changes_and_nothing_else(void **state)
{
    (void)state;
    static const int64_t ppm = 1150000, fixed_minor = -250;
    struct ask *each = prepare(0, PUT_ORDER, SECONDS(10));
    each->change.price_fixed_variation_minor = &fixed_minor;
    each->change.notes = "Extra \"hot\"\nCP-R42";
    prepare(1, PUT_ORDER, SECONDS(10))->change.price_variation_ppm = &ppm;
    each = prepare(2, POST_LINE, SECONDS(10));
    each->line =
        (struct line_change){.product_id = 7302, .price_fixed_variation_minor = &fixed_minor};
    each = prepare(3, PUT_LINE, SECONDS(10));
    each->line = (struct line_change){.price_variation_ppm = &ppm, .notes = ""};
    prepare(4, POST_PAYMENT, SECONDS(10));
    for (int i = 0; i < 5; i++) {
        say(201, "Location: http://a/v1/companies/5678/orders/7/lines/9\r\n", "null");
        begin(i, 1);
        assert_int_equal(await(i)->result.error, 0);
        assert_int_equal(asks[i].result.created_id, 9);
        assert_false(asks[i].result.may_have_happened || asks[i].result.may_happen_later);
        assert_string_equal(tiny_header(tiny_await(tiny, i), "Content-Type"), "application/json");
    }
    assert_asked(0, "PUT /v1/companies/5678/orders/7",
                 "{\"price_fixed_variation\":-2.5,\"notes\":\"Extra \\\"hot\\\"\\nCP-R42\"}");
    assert_asked(1, "PUT /v1/companies/5678/orders/7", "{\"price_variation\":1.15}");
    assert_asked(2, "POST /v1/companies/5678/orders/7/lines",
                 "{\"product_id\":7302,\"quantity\":1,\"price_fixed_variation\":-2.5}");
    assert_asked(3, "PUT /v1/companies/5678/orders/7/lines/3",
                 "{\"price_variation\":1.15,\"notes\":\"\"}");
    assert_asked(4, "POST /v1/companies/5678/orders/7/payments",
                 "{\"amount\":-25.5,\"ref\":\"CP1-42\"}");
}

/* --- what comes back */

static void a_reading_of_nonsense_is_a_bad_reply(void **state)
{
    (void)state;
    static const char huge_head[] = "HTTP/1.1 200 OK\r\nContent-Length: 1048576\r\n\r\n";
    static char huge[sizeof(huge_head) + 1048576];
    memset(huge, ' ', sizeof(huge) - 1);
    memcpy(huge, huge_head, sizeof(huge_head) - 1);
    say(200, "", "<html>Welcome</html>");
    say(200, "", "{\"id\":7,\"total\":");
    say(200, "", "");
    say(200, "", "{\"id\":8}"); /* another order */
    say(200, "", "{\"id\":7,\"total\":\"much\"}");
    say(500, "", "{\"error_description\":\"Oops\"}");
    script(TINY_SAY, huge);
    for (int i = 0; i < 7; i++) {
        struct ask *each = ask(i, GET_ORDER, SECONDS(10));
        assert_int_equal(each->result.error, ERR_BAD_REPLY);
        assert_false(each->has_order);
    }
    assert_string_equal(asks[5].result.sentence, "Oops");
    script(TINY_SAY_AND_CUT, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{\"id\":7");
    assert_int_equal(ask(7, GET_ORDER, SECONDS(10))->result.error, ERR_CONNECTION_LOST);
}

static void a_change_without_a_reply_may_have_happened(void **state)
{
    (void)state;
    script(TINY_DROP, NULL);
    struct ask *each = ask(0, POST_LINE, SECONDS(10));
    assert_int_equal(each->result.error, ERR_CONNECTION_LOST);
    assert_true(each->result.may_have_happened && each->result.may_happen_later);
    script(TINY_HANG, NULL);
    each = ask(1, PUT_ORDER, 200 * MS);
    assert_int_equal(each->result.error, ERR_TIMED_OUT);
    assert_int_equal(each->result.status, 0);
    assert_true(each->result.may_have_happened && each->result.may_happen_later);
    assert_int_equal(tiny_count(tiny), 2);
}

static void a_refused_change_has_not_happened_and_says_why(void **state)
{
    (void)state;
    say(400, "",
        "{\"error\":\"bad_request\",\"error_description\":\"Product (7) is out of stock.\"}");
    struct ask *each = ask(0, POST_LINE, SECONDS(10));
    assert_int_equal(each->result.error, ERR_REFUSED);
    assert_int_equal(each->result.status, 400);
    assert_string_equal(each->result.sentence, "Product (7) is out of stock.");
    assert_false(each->result.may_have_happened || each->result.may_happen_later);
    say(404, "", "{}");
    assert_int_equal(ask(1, GET_ORDER, SECONDS(10))->result.error, ERR_NOT_FOUND);
}

/* --- tokens */

static void a_stale_token_is_renewed_once_and_the_call_repeated(void **state)
{
    (void)state;
    struct api_counters counters;
    say(401, "", STALE);
    say_tokens();
    say(200, "", "{}");
    struct ask *each = ask(0, PUT_ORDER, SECONDS(10));
    assert_int_equal(each->result.error, 0);
    assert_asked(1, "POST /v1/token", tiny_await(tiny, 1)->body);
    assert_non_null(strstr(tiny_await(tiny, 1)->body, CONNECTED_REFRESH));
    assert_asked(2, "PUT /v1/companies/5678/orders/7", "{}");
    assert_string_equal(tiny_header(tiny_await(tiny, 2), "Authorization"), "Bearer new");
    say(200, "", "{\"id\":7}");
    assert_int_equal(ask(1, GET_ORDER, SECONDS(10))->result.error, 0);
    assert_string_equal(tiny_header(tiny_await(tiny, 3), "Authorization"), "Bearer new");
    oseries_api_read_counters(f.api, &counters);
    assert_int_equal(counters.refreshes, 1);
    assert_int_equal(counters.calls, 3);
    assert_int_equal(counters.failures, 0);
}

static void a_token_that_stays_stale_ends_the_call(void **state)
{
    (void)state;
    say(400, "", "{\"error\":\"x\",\"error_description\":\"The access token has expired\"}");
    say_tokens();
    say(401, "", STALE);
    struct ask *each = ask(0, PUT_ORDER, SECONDS(10));
    assert_int_equal(each->result.error, ERR_REFUSED);
    assert_int_equal(each->result.status, 401);
    assert_false(each->result.may_have_happened);
    assert_int_equal(tiny_count(tiny), 3);
}

static void a_grant_that_is_gone_is_told(void **state)
{
    (void)state;
    say(401, "", STALE);
    say(400, "", "{\"error\":\"invalid_grant\",\"error_description\":\"Invalid refresh token\"}");
    struct ask *each = ask(0, PUT_ORDER, SECONDS(10));
    assert_int_equal(each->result.error, ERR_NOT_CONNECTED);
    assert_false(each->result.may_have_happened);
    say(401, "", STALE); /* the token may be good still, its successor is not to be had */
    assert_int_equal(ask(1, GET_ORDER, SECONDS(10))->result.error, ERR_NOT_CONNECTED);
    assert_int_equal(tiny_count(tiny), 3);
}

static void a_refresh_that_hangs_does_not_hold_the_answer_beyond_its_deadline(void **state)
{
    (void)state;
    say(401, "", STALE);
    script(TINY_HANG, NULL);
    int64_t began_us = clock_monotonic_us();
    struct ask *each = ask(0, PUT_ORDER, 400 * MS);
    assert_int_equal(each->result.error, ERR_TIMED_OUT);
    assert_false(each->result.may_have_happened || each->result.may_happen_later);
    assert_in_range(each->done_us - began_us, 300 * MS, SECONDS(2));
}

static void many_calls_with_a_stale_token_share_one_refresh(void **state)
{
    (void)state;
    say_tokens();
    for (int i = 0; i < 10; i++) {
        tiny_script(tiny, (struct tiny_answer){.way = TINY_SAY,
                                               .text = reply(401, "", STALE),
                                               .only_for = "Bearer " CONNECTED_ACCESS});
        tiny_script(tiny, (struct tiny_answer){.way = TINY_SAY,
                                               .text = reply(200, "", "{\"id\":7}"),
                                               .only_for = "Bearer new"});
        prepare(i, GET_ORDER, SECONDS(10));
    }
    begin(0, 10);
    for (int i = 0; i < 10; i++)
        assert_int_equal(await(i)->result.error, 0);
    assert_int_equal(tiny_count(tiny), 21);
}

static void a_tenant_without_a_grant_is_told_so(void **state)
{
    (void)state;
    prepare(0, GET_ORDER, SECONDS(10))->call.tenant_id = f.lonely_id;
    prepare(1, PUT_ORDER, SECONDS(10))->call.tenant_id = 4711;
    begin(0, 2);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(await(i)->result.error, ERR_NOT_CONNECTED);
        assert_false(asks[i].result.may_have_happened);
    }
    assert_int_equal(tiny_count(tiny), 0);
}

static void basic_authentication_has_a_third_of_the_rate_and_no_refresh(void **state)
{
    (void)state;
    assert_int_equal(ask(0, PUT_ORDER, SECONDS(10))->result.error, 0);
    assert_string_equal(tiny_header(tiny_await(tiny, 0), "Authorization"),
                        "Basic Y2xpZW50OnNlY3JldA==");
    for (int i = 1; i <= 30; i++)
        prepare(i, PUT_ORDER, 800 * MS);
    begin(1, 30);
    int done = 0;
    for (int i = 1; i <= 30; i++)
        done += await(i)->result.error == 0;
    assert_in_range(done, 10, 13); /* a fifth of 60, less the first, and what flows in 0.8 s */
    say(401, "", STALE);
    usleep(2000000); /* two more flow */
    assert_int_equal(ask(31, PUT_ORDER, SECONDS(10))->result.error, ERR_NOT_CONNECTED);
}

/* --- the rate */

static void a_429_is_waited_out_where_the_deadline_allows(void **state)
{
    (void)state;
    struct api_counters counters;
    say(429, "Retry-After: 1\r\n", "");
    say(200, "", "{}");
    int64_t began_us = clock_monotonic_us();
    struct ask *each = ask(0, PUT_ORDER, SECONDS(10));
    assert_int_equal(each->result.error, 0);
    assert_in_range(each->done_us - began_us, 900 * MS, SECONDS(4));
    say(429, "", ""); /* says nothing: 2 s */
    began_us = clock_monotonic_us();
    each = ask(1, PUT_ORDER, 1500 * MS);
    assert_int_equal(each->result.error, ERR_RATE_LIMITED);
    assert_int_equal(each->result.status, 429);
    assert_false(each->result.may_have_happened || each->result.may_happen_later);
    assert_true(each->done_us - began_us < 1000 * MS); /* at once: waiting would be in vain */
    /* The next one knows it. */
    assert_int_equal(ask(2, GET_ORDER, 500 * MS)->result.error, ERR_RATE_LIMITED);
    assert_int_equal(tiny_count(tiny), 3);
    oseries_api_read_counters(f.api, &counters);
    assert_int_equal(counters.rate_limited, 2);
    assert_int_equal(counters.waiting, 0);
}

static void cashiers_come_before_background_work(void **state)
{
    (void)state;
    enum { BURST = 36 };
    for (int i = 0; i < BURST; i++)
        prepare(i, PUT_ORDER, SECONDS(4));
    begin(0, BURST); /* the bucket is empty */
    for (int i = BURST; i < BURST + 40; i++)
        prepare(i, PUT_ORDER, SECONDS(3))->call.priority = API_BACKGROUND;
    for (int i = 76; i < 79; i++)
        prepare(i, PUT_ORDER, SECONDS(4))->order_id = 2000 + i;
    begin(BURST, 43);
    for (int i = 76; i < 79; i++) { /* though asked for last */
        assert_int_equal(await(i)->result.error, 0);
        assert_non_null(strstr(tiny_await(tiny, BURST + i - 76)->head, "/orders/20"));
    }
    for (int i = BURST; i < 76;
         i++) /* half a bucket is kept for cashiers, and takes 10 s to fill */
        assert_int_equal(await(i)->result.error, ERR_RATE_LIMITED);
    assert_int_equal(tiny_count(tiny), BURST + 3);
}

static void who_cannot_have_a_turn_in_time_is_told_at_once(void **state)
{
    (void)state;
    say(200, "X-Ratelimit-Limit: 180\r\nX-Ratelimit-Remaining: 0\r\nX-Ratelimit-Reset: 60\r\n",
        "{\"id\":7}");
    assert_int_equal(ask(0, GET_ORDER, SECONDS(10))->result.error, 0);
    int64_t began_us = clock_monotonic_us();
    struct ask *each = ask(1, PUT_ORDER, SECONDS(10));
    assert_int_equal(each->result.error, ERR_RATE_LIMITED);
    assert_false(each->result.may_have_happened);
    assert_true(each->done_us - began_us < SECONDS(1));
    assert_int_equal(tiny_count(tiny), 1);
}

static void a_deadline_that_has_passed_sends_nothing(void **state)
{
    (void)state;
    struct ask *each = ask(0, PUT_ORDER, -SECONDS(1));
    assert_int_equal(each->result.error, ERR_TIMED_OUT);
    assert_false(each->result.may_have_happened);
    assert_int_equal(tiny_count(tiny), 0);
}

/* --- customers */

static const char david[] =
    "{\"id\":389427,\"first_name\":\"David\",\"last_name\":\"Kent\",\"email\":\"\","
    "\"primary_email_address\":\"david.kent@example.com\",\"phone\":null,"
    "\"reference_id\":\"M-1001\"}";

static void assert_david(const struct ask *each)
{
    assert_int_equal(each->result.error, 0);
    assert_true(each->has_customer);
    assert_int_equal(each->customer.id, 389427);
    assert_string_equal(each->customer.first_name, "David");
    assert_string_equal(each->customer.email, "david.kent@example.com");
    assert_string_equal(each->customer.phone, "");
    assert_string_equal(each->customer.reference_id, "M-1001");
}

static void a_customer_is_read_by_id(void **state)
{
    (void)state;
    say(200, "", david);
    prepare(0, GET_CUSTOMER, SECONDS(10))->order_id = 389427;
    begin(0, 1);
    assert_david(await(0));
    assert_asked(0, "GET /v1/companies/5678/customers/389427", "");
    say(200, "", david);
    assert_int_equal(ask(1, GET_CUSTOMER, SECONDS(10))->result.error, ERR_BAD_REPLY); /* 7 */
    say(404, "", "{}");
    assert_int_equal(ask(2, GET_CUSTOMER, SECONDS(10))->result.error, ERR_NOT_FOUND);
}

static void the_redirect_to_a_customer_is_followed_with_authorization(void **state)
{
    (void)state;
    char absolute[160];
    const char *const locations[] = {absolute, "Location: /v1/companies/5678/customers/389427\r\n"};
    snprintf(absolute, sizeof(absolute), "Location: %s/companies/5678/customers/389427\r\n",
             api_url);
    for (int i = 0; i < 2; i++) {
        say(302, locations[i], "");
        say(200, "", david);
        prepare(i, FIND_CUSTOMER, SECONDS(10))->text = "david.kent+a@example.com";
        begin(i, 1);
        assert_david(await(i));
        assert_asked(2 * i, "GET /v1/companies/5678/customers?email=david.kent%2Ba%40example.com",
                     "");
        assert_asked(2 * i + 1, "GET /v1/companies/5678/customers/389427", "");
        assert_string_equal(tiny_header(tiny_await(tiny, 2 * i + 1), "Authorization"),
                            "Bearer " CONNECTED_ACCESS);
    }
}

static void a_redirect_to_elsewhere_is_not_followed(void **state)
{
    (void)state;
    struct tiny *evil = tiny_start();
    char lines[6][160];
    int port = tiny_port(evil);
    snprintf(lines[0], 160, "Location: http://127.0.0.1:%d/v1/companies/5678/customers/1\r\n",
             port);
    snprintf(lines[1], 160, "Location: //127.0.0.1:%d/v1/companies/5678/customers/1\r\n", port);
    snprintf(lines[2], 160, "Location: http://127.0.0.1:%d@127.0.0.1:%d/\r\n", tiny_port(tiny),
             port);
    snprintf(lines[3], 160, "Location: ftp://127.0.0.1:%d/\r\n", port);
    snprintf(lines[4], 160, "X-Nothing: 1\r\n");
    snprintf(lines[5], 160, "Location: customers/1\r\n");
    for (int i = 0; i < 6; i++) {
        say(302, lines[i], "");
        struct ask *each = ask(i, FIND_CUSTOMER, SECONDS(10));
        assert_int_equal(each->result.error, ERR_BAD_REPLY);
        assert_int_equal(each->result.status, 302);
    }
    assert_int_equal(tiny_count(tiny), 6);
    assert_int_equal(tiny_connections(evil), 0);
    tiny_stop(evil);
}

static void redirects_end(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++)
        say(302, "Location: /v1/companies/5678/customers?again=1\r\n", "");
    assert_int_equal(ask(0, FIND_CUSTOMER, SECONDS(10))->result.error, ERR_BAD_REPLY);
    assert_int_equal(tiny_count(tiny), 2);
}

static void a_search_may_answer_with_a_list(void **state)
{
    (void)state;
    char list[400];
    snprintf(list, sizeof(list), "[%s]", david);
    say(200, "", list);
    assert_david(ask(0, FIND_CUSTOMER, SECONDS(10)));
    say(200, "", "[]");
    assert_int_equal(ask(1, FIND_CUSTOMER, SECONDS(10))->result.error, ERR_NOT_FOUND);
    say(200, "", "{\"id\":0}");
    assert_int_equal(ask(2, FIND_CUSTOMER, SECONDS(10))->result.error, ERR_BAD_REPLY);
}

/* --- webhooks */

static struct ask *ensure(int index, const char *topics)
{
    prepare(index, ENSURE_WEBHOOKS, SECONDS(10))->text = topics;
    begin(index, 1);
    return await(index);
}

#define HOOK(id, topic, address, format)                                                           \
    "{\"id\":" id ",\"topic\":\"" topic "\",\"address\":\"" address "\",\"format\":\"" format "\"" \
    "}"

static void webhooks_that_are_right_are_left_alone(void **state)
{
    (void)state;
    say(200, "",
        "[" HOOK("1", "orders/completed", "https://p.example/hooks/orders/completed",
                 "json") "," HOOK("2", "orders/deleted", "https://p.example/hooks/orders/deleted",
                                  "json") "," HOOK("3", "orders/completed", "https://old.example/x",
                                                   "json") "]");
    assert_int_equal(ensure(0, "orders/completed, orders/deleted,")->result.error, 0);
    assert_asked(0, "GET /v1/companies/5678/webhooks", "");
    assert_int_equal(tiny_count(tiny), 1);
}

static void webhooks_are_looked_for_on_all_pages_then_posted_or_put(void **state)
{
    (void)state;
    char next[160];
    snprintf(next, sizeof(next), "X-Next-Page: %s/companies/5678/webhooks?start=2\r\n", api_url);
    say(200, next, "[" HOOK("1", "sites/updated", "https://x.example", "json") "]");
    say(200, "",
        "[" HOOK("537", "orders/deleted", "https://old.example/x",
                 "json") "," HOOK("538", "a/b", "https://p.example/hooks/a/b", "xml") "]");
    for (int i = 0; i < 3; i++)
        say(i == 0 ? 201 : 200, "", "null");
    assert_int_equal(ensure(0, "orders/completed,orders/deleted,a/b")->result.error, 0);
    assert_asked(1, "GET /v1/companies/5678/webhooks?start=2", "");
    assert_asked(2, "POST /v1/companies/5678/webhooks",
                 "{\"topic\":\"orders/completed\",\"address\":\"https://p.example/hooks/orders/"
                 "completed\",\"format\":\"json\"}");
    assert_asked(3, "PUT /v1/companies/5678/webhooks/537",
                 "{\"address\":\"https://p.example/hooks/orders/deleted\",\"format\":\"json\"}");
    assert_asked(4, "PUT /v1/companies/5678/webhooks/538",
                 "{\"address\":\"https://p.example/hooks/a/b\",\"format\":\"json\"}");
    assert_int_equal(tiny_count(tiny), 5);
}

static void pages_of_old_are_counted(void **state)
{
    (void)state;
    say(200, "X-Pages: 3\r\n", "[]");
    say(200, "X-Pages: 3\r\n", "[]");
    say(200, "X-Pages: 3\r\n", "[" HOOK("9", "a", "https://p.example/hooks/a", "json") "]");
    assert_int_equal(ensure(0, "a")->result.error, 0);
    assert_int_equal(tiny_count(tiny), 3);
    assert_null(tiny_header(tiny_await(tiny, 0), "X-Page"));
    assert_string_equal(tiny_header(tiny_await(tiny, 1), "X-Page"), "1");
    assert_string_equal(tiny_header(tiny_await(tiny, 2), "X-Page"), "2");
}

static void the_last_page_of_those_that_follow_ends_it_whatever_it_counts(void **state)
{
    (void)state;
    char next[200];
    snprintf(next, sizeof(next),
             "X-Pages: 3\r\nX-Next-Page: %s/companies/5678/webhooks?start=2\r\n", api_url);
    say(200, next, "[]");
    say(200, "X-Pages: 3\r\n", "[" HOOK("9", "a", "https://p.example/hooks/a", "json") "]");
    assert_int_equal(ensure(0, "a")->result.error, 0);
    assert_asked(1, "GET /v1/companies/5678/webhooks?start=2", "");
    assert_null(tiny_header(tiny_await(tiny, 1), "X-Page"));
    assert_int_equal(tiny_count(tiny), 2);
}

static void a_page_elsewhere_is_not_fetched_and_pages_end(void **state)
{
    (void)state;
    struct tiny *evil = tiny_start();
    char next[160];
    snprintf(next, sizeof(next), "X-Next-Page: http://127.0.0.1:%d/v1/companies\r\n",
             tiny_port(evil));
    say(200, next, "[]");
    assert_int_equal(ensure(0, "a")->result.error, ERR_BAD_REPLY);
    assert_int_equal(tiny_connections(evil), 0);
    tiny_stop(evil);
    snprintf(next, sizeof(next), "X-Next-Page: %s/companies/5678/webhooks?start=2\r\n", api_url);
    const char *again = reply(200, next, "[]");
    for (int i = 0; i < 60; i++)
        script(TINY_SAY, again);
    prepare(1, ENSURE_WEBHOOKS, SECONDS(10))->text = "a";
    begin(1, 1);
    assert_int_equal(await(1)->result.error, ERR_BAD_REPLY);
    assert_in_range(tiny_count(tiny), 40, 42);
}

/* --- what the company is set up with */

static void a_company_is_the_one_of_the_grant(void **state)
{
    (void)state;
    say(200, "",
        "{\"id\":5678,\"name\":\"Demo\",\"currency\":\"AUD\","
        "\"timezone\":{\"offset\":10,\"name\":\"Australia/Sydney\"}}");
    struct ask *each = ask(0, GET_COMPANY, SECONDS(10));
    assert_int_equal(each->result.error, 0);
    assert_asked(0, "GET /v1/companies/5678.json", "");
    assert_int_equal(each->company.id, 5678);
    assert_string_equal(each->company.currency, "AUD");
    assert_string_equal(each->company.zone, "Australia/Sydney");
    say(200, "", "{\"id\":5678,\"name\":null}");
    each = ask(1, GET_COMPANY, SECONDS(10));
    assert_int_equal(each->result.error, 0);
    assert_string_equal(each->company.zone, "");
    say(200, "", "{\"name\":\"Demo\"}");
    assert_int_equal(ask(2, GET_COMPANY, SECONDS(10))->result.error, ERR_BAD_REPLY);
    say(403, "", "{}");
    assert_int_equal(ask(3, GET_COMPANY, SECONDS(10))->result.error, ERR_REFUSED);
}

static void names_are_read_from_all_pages(void **state)
{
    (void)state;
    char next[160];
    snprintf(next, sizeof(next), "X-Next-Page: %s/companies/5678/sites?start=2\r\n", api_url);
    say(200, next, "[{\"id\":923,\"name\":\"High Street\"}]");
    say(200, "", "[{\"id\":924,\"name\":null},{\"id\":925,\"name\":\"Harbour\"}]");
    struct ask *each = ask(0, LIST_SITES, SECONDS(10));
    assert_int_equal(each->result.error, 0);
    assert_asked(0, "GET /v1/companies/5678/sites", "");
    assert_asked(1, "GET /v1/companies/5678/sites?start=2", "");
    assert_int_equal(each->names.count, 3);
    assert_int_equal(each->names.items[1].id, 924);
    assert_string_equal(each->names.items[1].name, "");
    assert_string_equal(each->names.items[2].name, "Harbour");
    assert_false(each->names.is_cut);
}

static void more_names_than_we_keep_are_cut_and_nonsense_is_none(void **state)
{
    (void)state;
    static char list[API_NAMES_MAX * 16];
    struct text_buffer body;
    text_buffer_init(&body, list, sizeof(list));
    for (int i = 1; i <= API_NAMES_MAX + 1; i++)
        text_append_format(&body, "%s{\"id\":%d}", i == 1 ? "[" : ",", i);
    text_append_char(&body, ']');
    assert_false(body.is_cut);
    say(200, "X-Pages: 9\r\n", list);
    struct ask *each = ask(0, LIST_PAYMENT_METHODS, SECONDS(10));
    assert_int_equal(each->result.error, 0);
    assert_asked(0, "GET /v1/companies/5678/payment_methods", "");
    assert_int_equal(each->names.count, API_NAMES_MAX);
    assert_true(each->names.is_cut);
    say(200, "", "[{\"id\":0}]");
    assert_int_equal(ask(1, LIST_SITES, SECONDS(10))->result.error, ERR_BAD_REPLY);
    say(200, "", "{}");
    assert_int_equal(ask(2, LIST_SITES, SECONDS(10))->result.error, ERR_BAD_REPLY);
    assert_int_equal(tiny_count(tiny), 3);
}

static void a_list_that_is_none_or_a_refusal_ends_it(void **state)
{
    (void)state;
    say(200, "", "{\"error\":\"none\"}");
    assert_int_equal(ensure(0, "a")->result.error, ERR_BAD_REPLY);
    say(403, "", "{}");
    assert_int_equal(ensure(1, "a")->result.error, ERR_REFUSED);
    say(200, "", "[]");
    say(422, "", "{\"error_description\":\"Unknown topic\"}");
    struct ask *each = ensure(2, "a,b");
    assert_int_equal(each->result.error, ERR_REFUSED);
    assert_string_equal(each->result.sentence, "Unknown topic");
    assert_int_equal(tiny_count(tiny), 4);
}

/* --- the end */

static void the_end_leaves_nobody_without_an_answer(void **state)
{
    (void)state;
    for (int i = 0; i < 100; i++) {
        prepare(i, i % 2 == 0 ? PUT_ORDER : GET_ORDER, SECONDS(60));
        asks[i].call.priority = i % 3 == 0 ? API_BACKGROUND : API_WAITING;
        script(TINY_HANG, NULL);
    }
    begin(0, 100);
    tiny_await(tiny, 10);
    outbound_drain(f.outbound);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(await(i)->result.error, ERR_SHUTTING_DOWN);
        assert_true(asks[i].what == PUT_ORDER || !asks[i].result.may_have_happened);
    }
    prepare(100, PUT_ORDER, SECONDS(60));
    begin(100, 1);
    assert_int_equal(await(100)->result.error, ERR_SHUTTING_DOWN);
    assert_false(asks[100].result.may_have_happened);
}

static void an_address_that_is_none_is_refused_at_the_start(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "api.kounta.com", "ftp://a/v1", "https://u@h/v1"};
    struct oseries_api *api;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        const struct oseries_api_config config = {.outbound = f.outbound, .api_url = bad[i]};
        assert_int_equal(oseries_api_create(&config, &api), ERR_BAD_CONFIG);
    }
    oseries_api_destroy(NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_order_is_read_with_the_tenants_token),
        TEST(changes_say_what_changes_and_nothing_else),
        TEST(a_reading_of_nonsense_is_a_bad_reply),
        TEST(a_change_without_a_reply_may_have_happened),
        TEST(a_refused_change_has_not_happened_and_says_why),
        TEST(a_stale_token_is_renewed_once_and_the_call_repeated),
        TEST(a_token_that_stays_stale_ends_the_call),
        TEST(a_grant_that_is_gone_is_told),
        TEST(a_refresh_that_hangs_does_not_hold_the_answer_beyond_its_deadline),
        TEST(many_calls_with_a_stale_token_share_one_refresh),
        TEST(a_tenant_without_a_grant_is_told_so),
        cmocka_unit_test_setup_teardown(basic_authentication_has_a_third_of_the_rate_and_no_refresh,
                                        setup_basic, teardown),
        TEST(a_429_is_waited_out_where_the_deadline_allows),
        TEST(cashiers_come_before_background_work),
        TEST(who_cannot_have_a_turn_in_time_is_told_at_once),
        TEST(a_deadline_that_has_passed_sends_nothing),
        TEST(a_customer_is_read_by_id),
        TEST(the_redirect_to_a_customer_is_followed_with_authorization),
        TEST(a_redirect_to_elsewhere_is_not_followed),
        TEST(redirects_end),
        TEST(a_search_may_answer_with_a_list),
        TEST(webhooks_that_are_right_are_left_alone),
        TEST(webhooks_are_looked_for_on_all_pages_then_posted_or_put),
        TEST(pages_of_old_are_counted),
        TEST(the_last_page_of_those_that_follow_ends_it_whatever_it_counts),
        TEST(a_page_elsewhere_is_not_fetched_and_pages_end),
        TEST(a_list_that_is_none_or_a_refusal_ends_it),
        TEST(a_company_is_the_one_of_the_grant),
        TEST(names_are_read_from_all_pages),
        TEST(more_names_than_we_keep_are_cut_and_nonsense_is_none),
        TEST(the_end_leaves_nobody_without_an_answer),
        TEST(an_address_that_is_none_is_refused_at_the_start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
