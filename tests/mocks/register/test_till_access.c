/* Who may ask the till: no name that somebody else's DNS can point at it. */
#include "mocks/register/till_server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/banned.h"

static bool hosts(const char *host, const char *listen)
{
    return host_is_ours(text_of(host), text_of(listen));
}

static void loopback_and_localhost_are_ours_with_any_port(void **state)
{
    static const char *const GOOD[] = {"localhost",      "LocalHost:8091", "127.0.0.1",
                                       "127.0.0.1:8091", "127.1.2.3:1",    "[::1]",
                                       "[::1]:65535"};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(GOOD); i++)
        assert_true(hosts(GOOD[i], "127.0.0.1:8091"));
}

static void names_and_other_addresses_are_not(void **state)
{
    static const char *const BAD[] = {"",
                                      ":80",
                                      "evil.example",
                                      "evil.example:8091",
                                      "localhost.evil.example",
                                      "127.0.0.1.evil.example",
                                      "localhost:80.evil.example",
                                      "localhost:",
                                      "localhost:123456",
                                      "localhost@evil.example",
                                      "192.0.2.1",
                                      "[::2]:80",
                                      "[::1",
                                      "[::1]evil",
                                      "0.0.0.0",
                                      "2130706433",
                                      "127.1"};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(BAD); i++) {
        if (hosts(BAD[i], "127.0.0.1:8091"))
            fail_msg("%s was let in", BAD[i]);
    }
}

static void the_address_listened_on_is_ours_and_everywhere_means_any_literal(void **state)
{
    (void)state;
    assert_true(hosts("192.0.2.1:8091", "192.0.2.1:8091"));
    assert_false(hosts("192.0.2.2:8091", "192.0.2.1:8091"));
    assert_true(hosts("192.0.2.2:8091", "0.0.0.0:8091"));
    assert_true(hosts("[2001:db8::1]:8091", "[::]:8091"));
    assert_false(hosts("till.example:8091", "0.0.0.0:8091"));
}

static void an_origin_is_ours_when_it_is_the_host_itself(void **state)
{
    (void)state;
    assert_true(origin_is_ours(TEXT("http://127.0.0.1:8091"), TEXT("127.0.0.1:8091")));
    assert_true(origin_is_ours(TEXT("https://localhost:8091"), TEXT("LOCALHOST:8091")));
    assert_false(origin_is_ours(TEXT("http://localhost:8091"), TEXT("127.0.0.1:8091")));
    assert_false(origin_is_ours(TEXT("http://127.0.0.1:80911"), TEXT("127.0.0.1:8091")));
    assert_false(origin_is_ours(TEXT("null"), TEXT("127.0.0.1:8091")));
    assert_false(origin_is_ours(TEXT("127.0.0.1:8091"), TEXT("127.0.0.1:8091")));
}

static void only_a_json_content_type_lets_a_change_through(void **state)
{
    (void)state;
    assert_true(content_type_is_ours(TEXT("application/json")));
    assert_true(content_type_is_ours(TEXT("Application/JSON ; charset=utf-8")));
    assert_false(content_type_is_ours(TEXT("")));
    assert_false(content_type_is_ours(TEXT("text/plain")));
    assert_false(content_type_is_ours(TEXT("text/plain; application/json")));
    assert_false(content_type_is_ours(TEXT("application/jsonp")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loopback_and_localhost_are_ours_with_any_port),
        cmocka_unit_test(names_and_other_addresses_are_not),
        cmocka_unit_test(the_address_listened_on_is_ours_and_everywhere_means_any_literal),
        cmocka_unit_test(an_origin_is_ours_when_it_is_the_host_itself),
        cmocka_unit_test(only_a_json_content_type_lets_a_change_through),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
