/* Which endpoint does a request mean? */
#include "handlers/route.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static enum route_finding find(const char *method, const char *path, bool is_local,
                               const struct route **route, struct text *key)
{
    return route_find(text_of(method), text_of(path), is_local, route, key);
}

static void assert_finding(const char *method, const char *path, bool is_local,
                           enum route_finding expected, const char *name)
{
    const struct route *route;
    struct text key;
    assert_int_equal(find(method, path, is_local, &route, &key), expected);
    if (name == NULL)
        assert_null(route);
    else
        assert_string_equal(route->name, name);
}

static void the_key_is_the_segment_in_its_place(void **state)
{
    (void)state;
    const struct route *route;
    struct text key;
    assert_int_equal(find("POST", "/oseries/0123456789abcdef/check-balance", false, &route, &key),
                     ROUTE_FOUND);
    assert_string_equal(route->name, "oseries.check_balance");
    assert_true(text_equal(key, TEXT("0123456789abcdef")));
}

static void a_key_may_look_like_anything_and_is_judged_later(void **state)
{
    (void)state;
    assert_finding("POST", "/oseries//checkout", false, ROUTE_FOUND, "oseries.checkout");
    assert_finding("POST", "/oseries/%2e%2e/checkout", false, ROUTE_FOUND, "oseries.checkout");
}

static void paths_must_match_to_their_last_character(void **state)
{
    (void)state;
    static const char *const paths[] = {"",
                                        "/",
                                        "/healthz/",
                                        "/healthzz",
                                        "/health",
                                        "/oseries/k/checkout/",
                                        "/oseries/k/checkou",
                                        "/oseries/k",
                                        "/oseries/k/l/checkout",
                                        "/OSERIES/k/checkout",
                                        "//healthz",
                                        "/oseries/{key}",
                                        "http://a/healthz",
                                        "*"};
    for (size_t i = 0; i < COUNT_OF(paths); i++)
        assert_finding("GET", paths[i], false, ROUTE_UNKNOWN, NULL);
}

static void a_topic_is_all_that_is_left_of_the_path(void **state)
{
    (void)state;
    assert_finding("POST", "/oseries/k/webhooks/orders/completed", false, ROUTE_FOUND,
                   "webhook.order_completed");
    assert_finding("POST", "/oseries/k/webhooks/orders/deleted", false, ROUTE_FOUND,
                   "webhook.order_deleted");
    assert_finding("POST", "/oseries/k/webhooks/orders/updated", false, ROUTE_FOUND,
                   "webhook.other");
    assert_finding("POST", "/oseries/k/webhooks/orders/completed/", false, ROUTE_FOUND,
                   "webhook.other");
    assert_finding("POST", "/oseries/k/webhooks/x", false, ROUTE_FOUND, "webhook.other");
    assert_finding("POST", "/oseries//webhooks/x", false, ROUTE_FOUND, "webhook.other");
    assert_finding("POST", "/oseries/k/webhooks/", false, ROUTE_UNKNOWN, NULL);
    assert_finding("POST", "/oseries/k/webhooks", false, ROUTE_UNKNOWN, NULL);
    assert_finding("POST", "/oseries/k/l/webhooks/x", false, ROUTE_UNKNOWN, NULL);
    assert_finding("POST", "/oseries/k/webhooks/x", true, ROUTE_UNKNOWN, NULL);
    assert_finding("GET", "/oseries/k/webhooks/orders/completed", false, ROUTE_WRONG_METHOD,
                   "webhook.other");
}

static void get_answers_head_and_post_does_not(void **state)
{
    (void)state;
    assert_finding("HEAD", "/healthz", false, ROUTE_FOUND, "healthz");
    assert_finding("HEAD", "/oseries/k/checkout", false, ROUTE_WRONG_METHOD, "oseries.checkout");
}

static void known_paths_refuse_other_methods(void **state)
{
    (void)state;
    static const char *const methods[] = {"GET", "PUT", "OPTIONS", "DELETE", "post", "", "POSTS"};
    for (size_t i = 0; i < COUNT_OF(methods); i++)
        assert_finding(methods[i], "/oseries/k/top-up", false, ROUTE_WRONG_METHOD,
                       "oseries.top_up");
    assert_finding("POST", "/metrics", false, ROUTE_WRONG_METHOD, "metrics");
}

static void loyalty_answers_get_and_post(void **state)
{
    (void)state;
    assert_finding("GET", "/oseries/k/redeem", false, ROUTE_FOUND, "oseries.redeem");
    assert_finding("HEAD", "/oseries/k/redeem", false, ROUTE_FOUND, "oseries.redeem");
    assert_finding("POST", "/oseries/k/redeem", false, ROUTE_FOUND, "oseries.redeem.post");
    assert_finding("PUT", "/oseries/k/redeem", false, ROUTE_WRONG_METHOD, "oseries.redeem.post");
    assert_finding("GET", "/oseries/k/customer-search", false, ROUTE_FOUND,
                   "oseries.customer_search");
    assert_finding("POST", "/oseries/k/reward-lookup", false, ROUTE_FOUND,
                   "oseries.reward_lookup.post");
}

static void admin_routes_exist_on_the_admin_socket_alone(void **state)
{
    (void)state;
    int admin_routes = 0;
    for (int i = 0; i < route_count(); i++) {
        const struct route *each = route_at(i);
        if (each->auth != AUTH_LOCAL)
            continue;
        admin_routes++;
        assert_int_equal(each->surface, SURFACE_ADMIN);
        assert_finding(each->method, each->pattern, false, ROUTE_UNKNOWN, NULL);
        assert_finding(each->method, each->pattern, true, ROUTE_FOUND, each->name);
    }
    assert_true(admin_routes >= 10);
}

static void registers_routes_do_not_exist_on_the_admin_socket(void **state)
{
    (void)state;
    assert_finding("POST", "/oseries/k/checkout", true, ROUTE_UNKNOWN, NULL);
    assert_finding("GET", "/readyz", true, ROUTE_FOUND, "readyz");
}

static void every_surface_route_is_signed_and_every_name_unique(void **state)
{
    (void)state;
    for (int i = 0; i < route_count(); i++) {
        const struct route *each = route_at(i);
        assert_int_equal(route_index(each), i);
        assert_non_null(each->handler);
        bool is_loyalty = strstr(each->pattern, "-search") != NULL ||
                          strstr(each->pattern, "-lookup") != NULL ||
                          strstr(each->pattern, "/redeem") != NULL;
        if (each->surface == SURFACE_OSERIES)
            assert_int_equal(each->auth, is_loyalty ? AUTH_TENANT : AUTH_TENANT_SIGNED);
        if (each->surface == SURFACE_WEBHOOK)
            assert_int_equal(each->auth, AUTH_TENANT_SIGNED);
        for (int j = 0; j < i; j++)
            assert_string_not_equal(each->name, route_at(j)->name);
    }
    assert_int_equal(route_index(NULL), route_count());
    assert_true(route_count() < METRICS_ROUTES_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_key_is_the_segment_in_its_place),
        cmocka_unit_test(a_key_may_look_like_anything_and_is_judged_later),
        cmocka_unit_test(paths_must_match_to_their_last_character),
        cmocka_unit_test(a_topic_is_all_that_is_left_of_the_path),
        cmocka_unit_test(get_answers_head_and_post_does_not),
        cmocka_unit_test(known_paths_refuse_other_methods),
        cmocka_unit_test(loyalty_answers_get_and_post),
        cmocka_unit_test(admin_routes_exist_on_the_admin_socket_alone),
        cmocka_unit_test(registers_routes_do_not_exist_on_the_admin_socket),
        cmocka_unit_test(every_surface_route_is_signed_and_every_name_unique),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
