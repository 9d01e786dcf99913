/* The wire's log: numbers that never start anew, the newest kept, and who waits is told. */
#include "mocks/register/wire_log.h"

#include "mocks/register/bill.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/banned.h"

static struct wire_log wire;
static struct request *request;

static int set_up(void **state)
{
    (void)state;
    wire_log_init(&wire);
    request = calloc(1, sizeof(*request));
    assert_non_null(request);
    request->method = "GET";
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    wire_log_finish(&wire);
    free(request);
    return 0;
}

static void add(int64_t count)
{
    static char head[1];
    const struct options options = {.action = TILL_CUSTOMER_SEARCH};
    const struct reply reply = {.status = 200, .head = head, .sent_head = head};
    const struct judgement judgement = {.ending = ENDING_APPROVED};
    const struct fault_set none = {0};
    for (int64_t i = 0; i < count; i++) {
        struct exchange exchange = {.options = &options,
                                    .request = request,
                                    .reply = &reply,
                                    .judgement = &judgement,
                                    .faults = &none};
        int64_t number = wire_log_add(&wire, &exchange);
        assert_int_equal(number, exchange.number);
    }
}

/* Numbers of the first and last exchange of a page, and how many there are. */
static size_t page(int64_t after, int64_t *first, int64_t *last)
{
    struct made json = {0};
    struct jread *document = NULL;
    wire_log_read(&wire, after, 0, &json);
    assert_int_equal(jread_parse(made_text(&json), &document), 0);
    const struct jread *list = jread_member(document, "exchanges");
    size_t count = jread_count(list);
    *first = count == 0 ? 0 : bill_id(jread_element(list, 0), "number");
    *last = count == 0 ? 0 : bill_id(jread_element(list, count - 1), "number");
    jread_destroy(document);
    made_destroy(&json);
    return count;
}

static void the_newest_are_kept_and_read_in_pages(void **state)
{
    int64_t first, last;
    struct made json = {0};
    (void)state;
    add(WIRE_LOG_MAX + 7);
    assert_int_equal(page(0, &first, &last), WIRE_LOG_PAGE_MAX);
    assert_int_equal(first, 8);
    assert_int_equal(page(last, &first, &last), WIRE_LOG_PAGE_MAX);
    assert_int_equal(first, 8 + WIRE_LOG_PAGE_MAX);
    assert_int_equal(page(WIRE_LOG_MAX + 5, &first, &last), 2);
    assert_int_equal(last, WIRE_LOG_MAX + 7);
    assert_int_equal(page(WIRE_LOG_MAX + 7, &first, &last), 0);
    assert_false(wire_log_find(&wire, 7, &json));
    assert_false(wire_log_find(&wire, 0, &json));
    assert_false(wire_log_find(&wire, WIRE_LOG_MAX + 8, &json));
    assert_true(wire_log_find(&wire, 8, &json));
    made_destroy(&json);
}

static void what_is_cleared_is_gone_and_numbers_go_on(void **state)
{
    int64_t first, last;
    struct made json = {0};
    (void)state;
    add(3);
    wire_log_clear(&wire);
    assert_int_equal(page(0, &first, &last), 0);
    assert_false(wire_log_find(&wire, 3, &json));
    add(1);
    assert_int_equal(page(0, &first, &last), 1);
    assert_int_equal(first, 4);
}

static void *add_one(void *context)
{
    (void)context;
    add(1);
    return NULL;
}

static void who_waits_is_told_and_sent_home_at_the_end(void **state)
{
    pthread_t thread;
    struct made json = {0};
    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, add_one, NULL), 0);
    wire_log_read(&wire, 0, WIRE_LOG_WAIT_MS_MAX, &json);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(wire_log_last(&wire), 1);
    made_destroy(&json);
    wire_log_close(&wire);
    wire_log_read(&wire, 1, WIRE_LOG_WAIT_MS_MAX, &json);
    made_destroy(&json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_newest_are_kept_and_read_in_pages, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_cleared_is_gone_and_numbers_go_on, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(who_waits_is_told_and_sent_home_at_the_end, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
