/* The whole cloud without a socket, under a clock that the test moves. */
#include "mocks/lightspeed/cloud.h"
#include "mocks/lightspeed/oauth.h"
#include "mocks/lightspeed/webhook.h"

#include "base/error.h"
#include "base/seal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MEMORY (4 * 1024 * 1024)
#define MINUTE_US (60 * CLOCK_US_PER_S)

struct world {
    struct cloud *cloud;
    uint64_t seed;
    char *memory;
    struct answer answer;
    char token[TOKEN_CHARS + 1];
};

static struct world world;

/* --- asking */

static const struct answer *ask_as(const char *authorization, const char *method,
                                   const char *target, const char *body)
{
    struct call call = {.method = text_of(method),
                        .target = text_of(target),
                        .authority = TEXT("cloud.test"),
                        .accept = TEXT("application/json"),
                        .content_type = TEXT("application/json"),
                        .authorization = text_of(authorization),
                        .body = text_of(body)};
    assert_true(call_read(&call));
    answer_begin(&world.answer, world.memory, MEMORY);
    cloud_answer(world.cloud, &call, &world.answer);
    assert_false(world.answer.body.is_cut);
    call_finish(&call);
    return &world.answer;
}

static const struct answer *ask(const char *method, const char *target, const char *body)
{
    char authorization[64];
    (void)snprintf(authorization, sizeof(authorization), "Bearer %s", world.token);
    return ask_as(authorization, method, target, body);
}

static void assert_status(const struct answer *answer, int status)
{
    if (answer->status != status)
        print_error("%s\n", answer->body.base);
    assert_int_equal(answer->status, status);
}

static const char *header(const struct answer *answer, const char *name)
{
    for (size_t i = 0; i < answer->header_count; i++)
        if (strcmp(answer->headers[i].name, name) == 0)
            return answer->headers[i].value;
    return NULL;
}

static bool says(const struct answer *answer, const char *words)
{
    return strstr(answer->body.base, words) != NULL;
}

static void pass(int64_t us)
{
    world.cloud->wall_us += us;
    world.cloud->mono_us += us;
}

static void setting(const char *json)
{
    assert_status(ask("PUT", "/_cloud/settings", json), 200);
}

/* --- the world */

static int setup(void **state)
{
    static const char *const redirects[] = {"http://127.0.0.1:8080/oauth/callback"};
    const struct cloud_demo demo = {.client_id = "demo-client",
                                    .client_secret = "demo-client-secret",
                                    .signature_token = "sig-token-EXAMPLE-1234",
                                    .redirect_uris = redirects,
                                    .redirect_count = 1};
    (void)state;
    memset(&world, 0, sizeof(world));
    world.seed = 7;
    world.memory = malloc(MEMORY);
    if (world.memory == NULL || cloud_create(id_source_seeded(&world.seed), 1, &world.cloud) != 0)
        return -1;
    world.cloud->wall_us = INT64_C(1780000000) * CLOCK_US_PER_S;
    world.cloud->mono_us = CLOCK_US_PER_S;
    if (cloud_seed(world.cloud, &demo) != 0)
        return -1;
    struct grant *grant = oauth_grant(world.cloud, 1, 5678);
    struct token *token =
        token_issue(&world.cloud->tokens, world.cloud->random, TOKEN_ACCESS, grant->id, 0);
    memcpy(world.token, token->text, sizeof(world.token));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    cloud_destroy(world.cloud);
    free(world.memory);
    return 0;
}

/* --- tests */

static void a_window_of_the_rate_limit_begins_anew_when_it_has_passed(void **state)
{
    (void)state;
    for (int i = 0; i < 180; i++)
        assert_status(ask("GET", "/v1/companies/me", ""), 200);
    const struct answer *refused = ask("GET", "/v1/companies/me", "");
    assert_status(refused, 429);
    assert_string_equal(header(refused, "x-ratelimit-limit"), "180");
    assert_null(header(refused, "retry-after"));
    pass(MINUTE_US - 1);
    assert_status(ask("GET", "/v1/companies/me", ""), 429);
    pass(1);
    const struct answer *again = ask("GET", "/v1/companies/me", "");
    assert_status(again, 200);
    assert_string_equal(header(again, "x-ratelimit-remaining"), "179");
}

static void basic_has_sixty_requests_a_minute_and_one_company(void **state)
{
    /* demo-client:demo-client-secret */
    static const char basic[] = "Basic ZGVtby1jbGllbnQ6ZGVtby1jbGllbnQtc2VjcmV0";
    (void)state;
    for (int i = 0; i < 60; i++)
        assert_status(ask_as(basic, "GET", "/v1/companies/me", ""), 200);
    assert_status(ask_as(basic, "GET", "/v1/companies/me", ""), 429);
    assert_status(ask("GET", "/v1/companies/me", ""), 200); /* the grant's own window */
    pass(MINUTE_US);
    assert_status(ask_as(basic, "GET", "/v1/companies/6789", ""), 404);
}

static void a_check_in_ends_by_itself(void **state)
{
    static const char path[] = "/v1/companies/5678/sites/923/checkins";
    static const char one[] = "/v1/companies/5678/sites/923/checkins/389427";
    (void)state;
    assert_status(ask("POST", path, "{\"customer_id\":389427,\"duration\":5}"), 201);
    pass(5 * MINUTE_US - 1);
    assert_status(ask("GET", one, ""), 200);
    assert_status(ask("POST", path, "{\"customer_id\":389427}"), 400);
    pass(1);
    const struct answer *over = ask("GET", one, "");
    assert_status(over, 404);
    assert_true(says(over, "This customer is not checked in."));
    assert_status(ask("POST", path, "{\"customer_id\":389427}"), 201);
    assert_int_equal(world.cloud->checkins.count, 1);
}

static void a_code_expires_and_says_so(void **state)
{
    (void)state;
    struct grant *grant = oauth_grant(world.cloud, 1, 5678);
    char body[512];
    const struct token *code =
        oauth_issue_code(world.cloud, grant, "http://127.0.0.1:8080/oauth/callback");
    (void)snprintf(body, sizeof(body),
                   "{\"grant_type\":\"authorization_code\",\"code\":\"%s\",\"client_id\":"
                   "\"demo-client\",\"client_secret\":\"demo-client-secret\",\"redirect_uri\":"
                   "\"http://127.0.0.1:8080/oauth/callback\"}",
                   code->text);
    pass(300 * CLOCK_US_PER_S);
    assert_true(says(ask_as("", "POST", "/v1/token", body), "has expired"));
    pass(-1);
    assert_status(ask_as("", "POST", "/v1/token", body), 200);
    assert_true(says(ask_as("", "POST", "/v1/token", body), "doesn't exist"));
}

static void times_carry_the_offset_of_the_season(void **state)
{
    (void)state;
    assert_true(says(ask("GET", "/v1/companies/me", ""), "\"offset\":\"+10:00\""));
    pass(183 * CLOCK_S_PER_DAY * CLOCK_US_PER_S);
    assert_true(says(ask("GET", "/v1/companies/me", ""), "\"offset\":\"+11:00\""));
}

static void an_order_is_listed_once_its_delay_has_passed(void **state)
{
    (void)state;
    setting("{\"visibility_delay_ms\":5000}");
    assert_status(ask("POST", "/_cloud/orders", "{\"notes\":\"late\"}"), 201);
    pass(5 * CLOCK_US_PER_S - 1);
    assert_false(says(ask("GET", "/v1/companies/me/orders", ""), "\"late\""));
    pass(1);
    assert_true(says(ask("GET", "/v1/companies/me/orders", ""), "\"late\""));
}

static void tables_that_are_full_refuse_and_lose_nothing(void **state)
{
    (void)state;
    setting("{\"rate_limit_bearer\":1000000}");
    for (size_t i = world.cloud->webhooks.count; i < WEBHOOKS_MAX; i++)
        assert_status(ask("POST", "/v1/companies/me/webhooks",
                          "{\"topic\":\"orders/deleted\",\"address\":\"http://127.0.0.1:9/\"}"),
                      201);
    assert_status(ask("POST", "/v1/companies/me/webhooks",
                      "{\"topic\":\"orders/deleted\",\"address\":\"http://127.0.0.1:9/\"}"),
                  503);
    assert_int_equal(world.cloud->webhooks.count, WEBHOOKS_MAX);
    while (world.cloud->orders.count < ORDERS_MAX)
        assert_status(ask("POST", "/_cloud/orders", "{\"lines\":[{\"product_id\":7301}]}"), 201);
    assert_status(ask("POST", "/_cloud/orders", "{\"lines\":[{\"product_id\":7301}]}"), 503);
    assert_status(ask("GET", "/v1/companies/me/orders/2802065908", ""), 200);
}

/* --- webhooks */

static void subscribe(const char *topic)
{
    char body[256];
    (void)snprintf(body, sizeof(body), "{\"topic\":\"%s\",\"address\":\"http://127.0.0.1:9/hook\"}",
                   topic);
    assert_status(ask("POST", "/v1/companies/me/webhooks", body), 201);
}

static void make_order(void)
{
    assert_status(ask("POST", "/_cloud/orders", "{\"lines\":[{\"product_id\":7301}]}"), 201);
}

static void a_delivery_waits_for_its_delay_and_is_taken_once(void **state)
{
    (void)state;
    subscribe("orders/created");
    setting("{\"webhooks\":{\"delay_ms\":100}}");
    make_order();
    assert_null(post_take(world.cloud));
    assert_int_equal(post_next_us(world.cloud), world.cloud->mono_us + 100000);
    pass(100000);
    const struct delivery *delivery = post_take(world.cloud);
    assert_string_equal(delivery->topic, "orders/created");
    assert_null(post_take(world.cloud));
    assert_int_equal(post_next_us(world.cloud), INT64_MAX);
    post_note(world.cloud, delivery->id, 204, "");
    assert_int_equal(delivery->state, DELIVERY_ARRIVED);
}

static void a_delivery_held_back_goes_after_the_next_one_or_after_a_second(void **state)
{
    (void)state;
    subscribe("orders/created");
    setting("{\"webhooks\":{\"reorder\":100}}");
    make_order();
    setting("{\"webhooks\":{\"reorder\":0}}");
    make_order();
    const struct delivery *second = post_take(world.cloud);
    assert_int_equal(second->id, 2);
    assert_null(post_take(world.cloud));
    post_note(world.cloud, second->id, 200, "");
    assert_int_equal(post_take(world.cloud)->id, 1);
    setting("{\"webhooks\":{\"reorder\":100}}");
    make_order();
    pass(CLOCK_US_PER_S - 1);
    assert_null(post_take(world.cloud));
    pass(1);
    assert_int_equal(post_take(world.cloud)->id, 3);
}

static void a_full_post_forgets_what_has_ended_and_counts_what_is_lost(void **state)
{
    (void)state;
    subscribe("orders/created");
    for (size_t i = 0; i < DELIVERIES_MAX + 1; i++)
        make_order();
    assert_int_equal(world.cloud->post.lost, 1);
    struct delivery *delivery = post_take(world.cloud);
    post_note(world.cloud, delivery->id, 500, "");
    make_order();
    assert_int_equal(world.cloud->post.lost, 1);
    assert_int_equal(world.cloud->post.deliveries.count, DELIVERIES_MAX);
    assert_null(table_find(&world.cloud->post.deliveries, 1));
}

/* The vectors of protocol o-series section 4. */
static void a_delivery_is_signed_with_the_signature_token(void **state)
{
    (void)state;
    subscribe("orders/created");
    make_order();
    const struct delivery *delivery = post_take(world.cloud);
    struct seal_hmac *hmac = seal_hmac_create(TEXT("sig-token-EXAMPLE-1234"));
    uint8_t mac[SEAL_MAC_BYTES];
    char hex[2 * SEAL_MAC_BYTES + 1];
    seal_hmac_sign(hmac, TEXT(""), mac);
    text_hex_encode(hex, mac, sizeof(mac));
    assert_string_equal(hex, "f0fb4ed64fa82948cb59c32e69d704d7aa25ef0e47f12bc655dc5bb2b005200e");
    seal_hmac_sign(hmac, (struct text){delivery->body, delivery->body_length}, mac);
    text_hex_encode(hex, mac, sizeof(mac));
    seal_hmac_destroy(hmac);
    assert_string_equal(delivery->signature, hex);
}

/* --- faults */

static size_t count_fired(uint64_t seed)
{
    struct faults faults = {.count = 1};
    size_t fired = 0;
    faults.rules[0] =
        (struct fault){.action = FAULT_STATUS, .chance_millionths = 300000, .path = "/v1"};
    struct call call = {.method = TEXT("GET"), .target = TEXT("/v1/companies/me")};
    for (int i = 0; i < 1000; i++)
        fired += faults_take(&faults, &seed, &call) != NULL;
    assert_int_equal(faults.rules[0].matched, 1000);
    assert_int_equal(faults.rules[0].fired, fired);
    return fired;
}

static void chances_come_from_the_seed_alone(void **state)
{
    (void)state;
    size_t fired = count_fired(5);
    assert_int_equal(count_fired(5), fired);
    assert_true(fired > 240 && fired < 360);
}

static void a_rule_matches_method_and_part_of_the_target(void **state)
{
    (void)state;
    struct faults faults = {.count = 1};
    uint64_t dice = 1;
    faults.rules[0] = (struct fault){
        .method = "PUT", .path = "orders/7?x", .chance_millionths = 1000000, .count = 1, .skip = 1};
    struct call call = {.method = TEXT("PUT"), .target = TEXT("/v1/orders/7?x=1")};
    struct call get = {.method = TEXT("GET"), .target = call.target};
    struct call other = {.method = call.method, .target = TEXT("/v1/orders/7")};
    assert_null(faults_take(&faults, &dice, &get));
    assert_null(faults_take(&faults, &dice, &other));
    assert_null(faults_take(&faults, &dice, &call)); /* skipped */
    assert_non_null(faults_take(&faults, &dice, &call));
    assert_null(faults_take(&faults, &dice, &call)); /* once only */
}

static void a_target_that_cannot_be_read_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"",     "x",    "/%",
                                      "/%g0", "/%00", "/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17"};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct call call = {.target = text_of(bad[i])};
        assert_false(call_read(&call));
    }
    struct call good = {.target = TEXT("/a%2Fb/c.json?x=1?")};
    assert_true(call_read(&good));
    assert_int_equal(good.segment_count, 2);
    assert_true(call_segment_is(&good, 0, "a/b") && call_segment_is(&good, 1, "c"));
    assert_true(good.has_json_suffix);
    assert_true(text_equal(good.query, TEXT("x=1?")));
}

#define WITH_WORLD(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_WORLD(a_window_of_the_rate_limit_begins_anew_when_it_has_passed),
        WITH_WORLD(basic_has_sixty_requests_a_minute_and_one_company),
        WITH_WORLD(a_check_in_ends_by_itself),
        WITH_WORLD(a_code_expires_and_says_so),
        WITH_WORLD(times_carry_the_offset_of_the_season),
        WITH_WORLD(an_order_is_listed_once_its_delay_has_passed),
        WITH_WORLD(tables_that_are_full_refuse_and_lose_nothing),
        WITH_WORLD(a_delivery_waits_for_its_delay_and_is_taken_once),
        WITH_WORLD(a_delivery_held_back_goes_after_the_next_one_or_after_a_second),
        WITH_WORLD(a_full_post_forgets_what_has_ended_and_counts_what_is_lost),
        WITH_WORLD(a_delivery_is_signed_with_the_signature_token),
        cmocka_unit_test(chances_come_from_the_seed_alone),
        cmocka_unit_test(a_rule_matches_method_and_part_of_the_target),
        cmocka_unit_test(a_target_that_cannot_be_read_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
