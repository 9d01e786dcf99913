/*
 * URLs of a Redis: what they say, and what is refused, with a sentence.
 */
#include "store/redis_target.h"

#include "base/error.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

static struct target parse(const char *url)
{
    struct target target;
    const char *fault = NULL;
    int err = target_parse(text_of(url), &target, &fault);
    if (err != 0)
        fail_msg("%s: %s", url, fault);
    return target;
}

static void assert_host(const struct target *target, int32_t index, const char *name, uint16_t port)
{
    assert_true(index < target->host_count);
    assert_string_equal(target->hosts[index].name, name);
    assert_int_equal(target->hosts[index].port, port);
}

static void a_host_alone_has_the_usual_port_and_database(void **state)
{
    (void)state;
    struct target target = parse("redis://cache.example");
    assert_int_equal(target.host_count, 1);
    assert_host(&target, 0, "cache.example", 6379);
    assert_string_equal(target.database, "0");
    assert_string_equal(target.password, "");
    assert_false(target.is_sentinel);
    assert_string_equal(target.path, "");
}

static void everything_that_a_url_may_say_is_taken(void **state)
{
    (void)state;
    struct target target = parse("redis://till:p%40ss:w%2Fo%25rd@10.1.2.3:6380/15");
    assert_host(&target, 0, "10.1.2.3", 6380);
    assert_string_equal(target.user, "till");
    assert_string_equal(target.password, "p@ss:w/o%rd");
    assert_string_equal(target.database, "15");
    target = parse("redis://:only@h/007");
    assert_string_equal(target.user, "");
    assert_string_equal(target.password, "only");
    assert_string_equal(target.database, "7");
}

static void addresses_of_six_stand_in_brackets(void **state)
{
    (void)state;
    struct target target = parse("redis://[::1]:7000/2");
    assert_host(&target, 0, "::1", 7000);
    target = parse("redis://[fe80::1]");
    assert_host(&target, 0, "fe80::1", 6379);
}

static void sentinels_are_several_and_know_a_name(void **state)
{
    (void)state;
    struct target target = parse("redis+sentinel://u:p@a,b:1,[::1]:2/tills/3");
    assert_true(target.is_sentinel);
    assert_int_equal(target.host_count, 3);
    assert_host(&target, 0, "a", 26379);
    assert_host(&target, 1, "b", 1);
    assert_host(&target, 2, "::1", 2);
    assert_string_equal(target.name, "tills");
    assert_string_equal(target.database, "3");
    assert_string_equal(target.user, "u");
    target = parse("redis+sentinel://a/tills");
    assert_string_equal(target.database, "0");
}

static void a_socket_is_a_path(void **state)
{
    (void)state;
    struct target target = parse("redis+unix:///run/redis/s%20.sock?db=4");
    assert_string_equal(target.path, "/run/redis/s .sock");
    assert_string_equal(target.database, "4");
    assert_int_equal(target.host_count, 0);
    target = parse("redis+unix://:secret@/s");
    assert_string_equal(target.path, "/s");
    assert_string_equal(target.password, "secret");
}

static void what_is_no_such_url_is_refused_with_a_sentence(void **state)
{
    (void)state;
    static const struct {
        const char *url;
        const char *says;
    } bad[] = {
        {"", "must begin"},
        {"localhost:6379", "must begin"},
        {"http://h", "must begin"},
        {"redis:/h", "must begin"},
        {"rediss://h", "TLS"},
        {"redis://", "host name"},
        {"redis:///0", "host name"},
        {"redis://ho st", "host name"},
        {"redis://::1", "host name"},
        {"redis://[::1", "host name"},
        {"redis://[::1]x", "host name"},
        {"redis://[g::1]", "host name"},
        {"redis://h:", "port"},
        {"redis://h:0", "port"},
        {"redis://h:65536", "port"},
        {"redis://h:+1", "port"},
        {"redis://h:1x", "port"},
        {"redis://h/x", "database"},
        {"redis://h/-1", "database"},
        {"redis://h/1024", "database"},
        {"redis://h/1/2", "database"},
        {"redis://a,b", "several hosts"},
        {"redis://user@h", ":password@"},
        {"redis://@h", ":password@"},
        {"redis://:@h", "empty password"},
        {"redis://u:%zz@h", "broken"},
        {"redis://u:%4@h", "broken"},
        {"redis://u:a%00b@h", "broken"},
        {"redis+sentinel://h", "name"},
        {"redis+sentinel://h/", "name"},
        {"redis+sentinel://h//1", "name"},
        {"redis+sentinel:///n", "host name"},
        {"redis+sentinel://a,,b/n", "host name"},
        {"redis+sentinel://1,2,3,4,5,6,7,8,9/n", "more than 8"},
        {"redis+unix://run/s", "absolute path"},
        {"redis+unix:///s?x=1", "no option"},
        {"redis+unix:///s?db=x", "database"},
    };
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct target target;
        const char *fault = NULL;
        if (target_parse(text_of(bad[i].url), &target, &fault) != ERR_BAD_CONFIG)
            fail_msg("%s was taken", bad[i].url);
        if (strstr(fault, bad[i].says) == NULL)
            fail_msg("%s: %s", bad[i].url, fault);
    }
}

static void what_is_too_long_is_refused(void **state)
{
    (void)state;
    char url[512];
    struct target target;
    const char *fault;
    struct text_buffer buffer;
    text_buffer_init(&buffer, url, sizeof(url));
    text_append(&buffer, TEXT("redis+unix:///"));
    while (buffer.length < strlen("redis+unix://") + TARGET_PATH_MAX - 1)
        text_append_char(&buffer, 'x');
    assert_int_equal(target_parse(text_buffer_text(&buffer), &target, &fault), 0);
    text_append_char(&buffer, 'x');
    assert_int_equal(target_parse(text_buffer_text(&buffer), &target, &fault), ERR_BAD_CONFIG);
    text_buffer_init(&buffer, url, sizeof(url));
    text_append(&buffer, TEXT("redis://"));
    while (buffer.length < strlen("redis://") + TARGET_TEXT_MAX)
        text_append_char(&buffer, 'x');
    assert_int_equal(target_parse(text_buffer_text(&buffer), &target, &fault), ERR_BAD_CONFIG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_host_alone_has_the_usual_port_and_database),
        cmocka_unit_test(everything_that_a_url_may_say_is_taken),
        cmocka_unit_test(addresses_of_six_stand_in_brackets),
        cmocka_unit_test(sentinels_are_several_and_know_a_name),
        cmocka_unit_test(a_socket_is_a_path),
        cmocka_unit_test(what_is_no_such_url_is_refused_with_a_sentence),
        cmocka_unit_test(what_is_too_long_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
