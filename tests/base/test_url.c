/* Is an address read as what every other reader of it would read? */
#include "base/url.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/banned.h"

static void origins_are_scheme_host_and_port_and_nothing_tricky(void **state)
{
    (void)state;
    static const char api[] = "https://api.kounta.com/v1";
    static const char *const same[] = {
        "https://api.kounta.com/v1/companies/1/customers/2", "https://API.KOUNTA.COM?start=9",
        "https://api.kounta.com:443/x", "HTTPS://api.kounta.com", "https://api.kounta.com#a"};
    static const char *const others[] = {"",
                                         "api.kounta.com/v1",
                                         "/v1/companies",
                                         "//api.kounta.com/v1",
                                         "http://api.kounta.com/v1",
                                         "https://api.kounta.com:444/v1",
                                         "https://api.kounta.com.evil.example/v1",
                                         "https://api.kounta.com@evil.example/v1",
                                         "https://evil.example/https://api.kounta.com/",
                                         "https://api.kounta.com\\@evil.example/",
                                         "https://user:x@api.kounta.com/v1",
                                         "https://api.kounta.com%2eevil.example/",
                                         "https://",
                                         "https:///v1",
                                         "ftp://api.kounta.com/",
                                         " https://api.kounta.com/",
                                         "https://xn--pi-7ka.kounta.com/"};
    for (size_t i = 0; i < COUNT_OF(same); i++)
        assert_true(url_is_same_origin(text_of(same[i]), text_of(api)));
    for (size_t i = 0; i < COUNT_OF(others); i++)
        assert_false(url_is_same_origin(text_of(others[i]), text_of(api)));
    assert_true(url_is_same_origin(TEXT("http://[::1]:8080/a"), TEXT("http://[::1]:8080")));
    assert_true(url_is_same_origin(TEXT("http://a:80"), TEXT("http://a")));
    assert_false(url_is_same_origin(TEXT("http://a:443"), TEXT("http://a")));
}

static void a_host_is_a_name_or_an_address_and_a_port_is_one(void **state)
{
    (void)state;
    static const char *const good[] = {"http://a:1",           "http://a:65535/x",
                                       "http://a_b.c-d:08080", "http://[::1]:8080",
                                       "http://[fe80::1]",     "http://10.0.0.1"};
    static const char *const bad[] = {
        "http://[::1",     "http://[::1:80", "http://::1]",      "http://[::1]]",  "http://[::1]80",
        "http://[]",       "http://[a]",     "http://[1.2.3.4]", "http://a:99999", "http://a:65536",
        "http://a:0",      "http://a:",      "http://a:x",       "http://a:-1",    "http://a:1:2",
        "http://a:000080", "http://:80",     "http://a[b]"};
    char bytes[URL_ORIGIN_MAX];
    struct text_buffer buffer;
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        text_buffer_init(&buffer, bytes, sizeof(bytes));
        assert_true(url_origin(text_of(good[i]), &buffer));
    }
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        text_buffer_init(&buffer, bytes, sizeof(bytes));
        assert_false(url_origin(text_of(bad[i]), &buffer));
    }
}

static void the_last_number_is_that_of_the_path(void **state)
{
    (void)state;
    static const struct {
        const char *url;
        int64_t number;
    } cases[] = {{"https://a/v1/companies/1/orders/2802065909", 2802065909},
                 {"https://a/v1/companies/1/orders/2802065909.json?x=3#4", 2802065909},
                 {"/orders/7/", 7},
                 {"/orders/7/payments/2", 2},
                 {"", 0},
                 {"7", 0},
                 {"/orders/", 0},
                 {"/orders/x7", 0},
                 {"/orders/99999999999999999999", 0},
                 {"/orders/-7", 0}};
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_int_equal(url_last_number(text_of(cases[i].url)), cases[i].number);
}

static void this_machine_is_known_by_address_and_name(void **state)
{
    (void)state;
    static const char *const ours[] = {"http://127.0.0.1",
                                       "http://127.0.0.1:8090/v1",
                                       "https://127.255.255.254",
                                       "http://LocalHost:1/?a",
                                       "http://[::1]",
                                       "http://[::1]:8090/v1",
                                       "http://localhost#evil.test",
                                       "http://127.0.0.1:80"};
    static const char *const others[] = {"http://127.0.0.1.evil.test",
                                         "http://localhost.evil.test",
                                         "http://notlocalhost",
                                         "http://128.0.0.1",
                                         "http://10.0.0.1",
                                         "http://0.0.0.0",
                                         "http://[::]",
                                         "http://[::2]",
                                         "http://[::1",
                                         "http://[::1].evil.test",
                                         "http://127.1",
                                         "http://2130706433",
                                         "http://0127.0.0.1",
                                         "http://127.0.0.1@evil.test",
                                         "http://evil.test/127.0.0.1",
                                         "http://evil.test?localhost",
                                         "127.0.0.1",
                                         "ftp://127.0.0.1",
                                         "http://",
                                         ""};
    for (size_t i = 0; i < COUNT_OF(ours); i++)
        assert_true(url_is_loopback(text_of(ours[i])));
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        if (url_is_loopback(text_of(others[i])))
            fail_msg("%s", others[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(origins_are_scheme_host_and_port_and_nothing_tricky),
        cmocka_unit_test(this_machine_is_known_by_address_and_name),
        cmocka_unit_test(a_host_is_a_name_or_an_address_and_a_port_is_one),
        cmocka_unit_test(the_last_number_is_that_of_the_path),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
