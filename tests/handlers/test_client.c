/* Whose word about the client's address is taken? */
#include "handlers/client.h"

#include "base/error.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct client_proxies proxies_of(const char *list)
{
    struct client_proxies proxies;
    struct text bad;
    assert_int_equal(client_proxies_parse(text_of(list), &proxies, &bad), 0);
    return proxies;
}

static void assert_client(const char *list, const char *peer, const char *forwarded,
                          const char *expected)
{
    struct client_proxies proxies = proxies_of(list);
    struct text found = client_address(&proxies, text_of(peer), text_of(forwarded));
    if (!text_equal(found, text_of(expected)))
        fail_msg("%.*s instead of %s", (int)found.length, found.base, expected);
}

static void without_proxies_the_header_is_the_callers_own_invention(void **state)
{
    (void)state;
    assert_client("", "203.0.113.9", "1.2.3.4", "203.0.113.9");
    assert_client("10.0.0.0/8", "203.0.113.9", "1.2.3.4", "203.0.113.9");
}

static void a_trusted_proxy_is_believed(void **state)
{
    (void)state;
    assert_client("10.0.0.0/8", "10.1.2.3", "203.0.113.9", "203.0.113.9");
    assert_client("10.1.2.3", "10.1.2.3", "203.0.113.9", "203.0.113.9");
    assert_client("fd00::/8", "fd12::1", "2001:db8::7", "2001:db8::7");
}

static void the_right_most_untrusted_address_wins(void **state)
{
    (void)state;
    assert_client("10.0.0.0/8", "10.0.0.1", "6.6.6.6, 203.0.113.9, 10.0.0.2", "203.0.113.9");
    assert_client("10.0.0.0/8", "10.0.0.1", "6.6.6.6,203.0.113.9", "203.0.113.9");
}

static void when_all_are_trusted_the_left_most_is_the_client(void **state)
{
    (void)state;
    assert_client("10.0.0.0/8", "10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3");
}

static void what_stands_left_of_nonsense_is_not_believed(void **state)
{
    (void)state;
    assert_client("10.0.0.0/8", "10.0.0.1", "203.0.113.9, unknown", "10.0.0.1");
    assert_client("10.0.0.0/8", "10.0.0.1", "203.0.113.9, , 10.0.0.2", "10.0.0.2");
    assert_client("10.0.0.0/8", "10.0.0.1", "", "10.0.0.1");
}

static void bits_beyond_whole_bytes_count(void **state)
{
    (void)state;
    assert_client("172.16.0.0/12", "172.31.255.255", "1.2.3.4", "1.2.3.4");
    assert_client("172.16.0.0/12", "172.32.0.0", "1.2.3.4", "172.32.0.0");
    assert_client("0.0.0.0/0", "198.51.100.1", "1.2.3.4", "1.2.3.4");
    assert_client("::ffff:10.0.0.0/104", "10.9.9.9", "1.2.3.4", "1.2.3.4");
}

static void bad_networks_are_named(void **state)
{
    (void)state;
    static const char *const lists[] = {"10.0.0.0/33", "10.0.0/8",  "fd00::/129",
                                        "example.com", "10.0.0.0/", "10.0.0.0/-1"};
    for (size_t i = 0; i < COUNT_OF(lists); i++) {
        struct client_proxies proxies;
        struct text bad;
        assert_int_equal(client_proxies_parse(text_of(lists[i]), &proxies, &bad), ERR_BAD_CONFIG);
        assert_true(text_equal(bad, text_of(lists[i])));
    }
}

static void more_networks_than_fit_are_refused(void **state)
{
    (void)state;
    char list[CLIENT_PROXIES_MAX * 16 + 64];
    struct text_buffer buffer;
    struct client_proxies proxies;
    struct text bad;
    text_buffer_init(&buffer, list, sizeof(list));
    for (int i = 0; i < CLIENT_PROXIES_MAX; i++)
        text_append_format(&buffer, "10.0.%d.0/24,", i);
    assert_int_equal(client_proxies_parse(text_buffer_text(&buffer), &proxies, &bad), 0);
    assert_int_equal(proxies.count, CLIENT_PROXIES_MAX);
    text_append(&buffer, TEXT("10.1.0.0/24"));
    assert_int_equal(client_proxies_parse(text_buffer_text(&buffer), &proxies, &bad),
                     ERR_BAD_CONFIG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_proxies_the_header_is_the_callers_own_invention),
        cmocka_unit_test(a_trusted_proxy_is_believed),
        cmocka_unit_test(the_right_most_untrusted_address_wins),
        cmocka_unit_test(when_all_are_trusted_the_left_most_is_the_client),
        cmocka_unit_test(what_stands_left_of_nonsense_is_not_believed),
        cmocka_unit_test(bits_beyond_whole_bytes_count),
        cmocka_unit_test(bad_networks_are_named),
        cmocka_unit_test(more_networks_than_fit_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
