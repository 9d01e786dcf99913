/* Is an order read as it is meant, with what is missing and with what the API's languages do to
 * numbers and lists? */
#include "base/error.h"
#include "lightspeed/oseries_api.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/banned.h"

static struct oseries_order order;

static int read_json(const char *json, int exponent)
{
    struct jread *document;
    assert_int_equal(jread_parse(text_of(json), &document), 0);
    memset(&order, 0x55, sizeof(order));
    int err = oseries_order_read(document, exponent, &order);
    jread_destroy(document);
    return err;
}

static void read_well(const char *json)
{
    assert_int_equal(read_json(json, 2), 0);
}

/* The union of what clients of the API have seen (protocol o-series 7.2). */
static const char whole[] =
    "{\"id\":2802065908,\"id_str\":\"2802065908\",\"sale_number\":\"ST1-1042\",\"status\":"
    "\"COMPLETE\",\"order_type\":\"Dine in\",\"notes\":\"Extra \\u00e9 hot\",\"guests\":2,"
    "\"total\":45.65,\"total_tax\":4.15,\"paid\":\"45.65\",\"tips\":0,\"register_id\":9091,"
    "\"site_id\":923,\"staff_member_id\":389427,\"deleted\":false,\"customer\":{\"id\":389427,"
    "\"first_name\":\"David\",\"image\":null},\"price_variation\":0.85,"
    "\"price_fixed_variation\":-2.5,\"lines\":[{\"number\":3,\"line_id\":\"fjHRE1\",\"product\":"
    "{\"id\":7302,\"name\":\"Latte\"},\"quantity\":2.5,\"price_variation\":0.9,"
    "\"price_fixed_variation\":-0.10,\"modifiers\":[],\"notes\":\"CP-R7\",\"unit_price\":4.0909,"
    "\"unit_tax\":0.4091,\"line_total_ex_tax\":8.1818,\"line_total_tax\":0.8182,\"taxes\":"
    "[{\"id\":1,\"name\":\"GST\",\"rate\":0.1}],\"part_of_option_set\":false},{\"product_id\":"
    "\"12\",\"option_sets\":[{\"options\":[{\"modifiers\":[{\"taxes\":[{\"rate\":0.1}]}]}]}]},"
    "{\"product\":9,\"part_of_option_set\":true}],\"options\":[],\"payments\":[{\"id\":19230996,"
    "\"number\":1,\"method\":{\"id\":88,\"name\":\"Our Gift Card\"},\"amount\":25.5,\"tip\":0,"
    "\"ref\":\"CP1-42\",\"created_at\":\"2026-05-29T13:00:00+10:00\"},{\"method_id\":4,\"amount\":"
    "\"-3.00\",\"ref\":77}],\"is_refund\":true,\"refunded_order_id\":2802065001,\"lock\":[],"
    "\"updated_at\":\"2026-05-29T13:00:01+10:00\"}";

static void a_whole_order_is_read_as_it_is(void **state)
{
    (void)state;
    read_well(whole);
    assert_int_equal(order.id, 2802065908);
    assert_int_equal(order.status, ORDER_COMPLETE);
    assert_string_equal(order.notes, "Extra \xc3\xa9 hot");
    assert_false(order.notes_are_cut || order.is_deleted || order.is_cut);
    assert_int_equal(order.total_minor, 4565);
    assert_int_equal(order.paid_minor, 4565);
    assert_int_equal(order.register_id, 9091);
    assert_int_equal(order.site_id, 923);
    assert_int_equal(order.customer_id, 389427);
    assert_int_equal(order.price_variation_ppm, 850000);
    assert_int_equal(order.price_fixed_variation_minor, -250);
    assert_true(order.is_refund);
    assert_int_equal(order.refunded_order_id, 2802065001);
    assert_string_equal(order.updated_at, "2026-05-29T13:00:01+10:00");
}

static void lines_are_read_as_they_are(void **state)
{
    (void)state;
    read_well(whole);
    assert_int_equal(order.line_count, 3);
    const struct order_line *line = &order.lines[0];
    assert_int_equal(line->number, 3);
    assert_int_equal(line->product_id, 7302);
    assert_int_equal(line->quantity_milli, 2500);
    assert_int_equal(line->total_minor, 900); /* the sum is rounded, not its parts */
    assert_int_equal(line->price_variation_ppm, 900000);
    assert_int_equal(line->price_fixed_variation_minor, -10);
    assert_string_equal(line->notes, "CP-R7");
    assert_false(line->has_options);
    assert_int_equal(order.lines[1].number, 2); /* its place, when it says nothing */
    assert_int_equal(order.lines[1].product_id, 12);
    assert_int_equal(order.lines[1].quantity_milli, 1000);
    assert_int_equal(order.lines[1].price_variation_ppm, ORDER_ONE_PPM);
    assert_true(order.lines[1].has_options);
    assert_int_equal(order.lines[2].product_id, 9);
    assert_true(order.lines[2].has_options);
}

static void payments_are_read_as_they_are(void **state)
{
    (void)state;
    read_well(whole);
    assert_int_equal(order.payment_count, 2);
    assert_int_equal(order.payments[0].number, 1);
    assert_int_equal(order.payments[0].method_id, 88);
    assert_int_equal(order.payments[0].amount_minor, 2550);
    assert_string_equal(order.payments[0].ref, "CP1-42");
    assert_int_equal(order.payments[1].number, 2);
    assert_int_equal(order.payments[1].method_id, 4);
    assert_int_equal(order.payments[1].amount_minor, -300);
    assert_string_equal(order.payments[1].ref, "77");
}

static void an_order_of_nothing_but_its_id_has_the_usual_values(void **state)
{
    (void)state;
    static const char *const sparse[] = {
        "{\"id\":\"7\"}",
        "{\"id\":7,\"id_str\":null,\"status\":null,\"lines\":null,\"payments\":[],\"customer\":"
        "null,"
        "\"notes\":null,\"total\":null,\"price_variation\":null,\"deleted\":null,\"site_id\":null,"
        "\"is_refund\":0,\"refunded_order_id\":null,\"updated_at\":null}"};
    for (size_t i = 0; i < COUNT_OF(sparse); i++) {
        read_well(sparse[i]);
        assert_int_equal(order.id, 7);
        assert_int_equal(order.status, ORDER_OTHER);
        assert_int_equal(order.total_minor + order.paid_minor + order.customer_id, 0);
        assert_int_equal(order.site_id + order.register_id + order.refunded_order_id, 0);
        assert_int_equal(order.price_variation_ppm, ORDER_ONE_PPM);
        assert_int_equal(order.price_fixed_variation_minor, 0);
        assert_int_equal(order.line_count + order.payment_count, 0);
        assert_false(order.is_deleted || order.is_refund || order.is_cut || order.notes_are_cut);
        assert_string_equal(order.notes, "");
    }
}

static void the_text_twin_of_the_id_wins(void **state)
{
    (void)state;
    read_well("{\"id\":9007199254740992,\"id_str\":\"9007199254740993\"}");
    assert_int_equal(order.id, INT64_C(9007199254740993));
}

static void statuses_are_words(void **state)
{
    (void)state;
    static const struct {
        const char *json;
        enum order_status status;
    } cases[] = {{"{\"id\":1,\"status\":\"SUBMITTED\"}", ORDER_SUBMITTED},
                 {"{\"id\":1,\"status\":\"ON_HOLD\"}", ORDER_ON_HOLD},
                 {"{\"id\":1,\"status\":\"PENDING\"}", ORDER_PENDING},
                 {"{\"id\":1,\"status\":\"accepted\"}", ORDER_ACCEPTED},
                 {"{\"id\":1,\"status\":\"REJECTED\"}", ORDER_REJECTED},
                 {"{\"id\":1,\"status\":\"Complete\"}", ORDER_COMPLETE},
                 {"{\"id\":1,\"status\":\"PARKED\"}", ORDER_OTHER},
                 {"{\"id\":1,\"status\":\"\"}", ORDER_OTHER},
                 {"{\"id\":1,\"status\":4}", ORDER_OTHER}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        read_well(cases[i].json);
        assert_int_equal(order.status, cases[i].status);
    }
}

static void flags_may_be_numbers_and_money_has_the_currencys_exponent(void **state)
{
    (void)state;
    read_well("{\"id\":1,\"deleted\":1,\"is_refund\":\"1\"}");
    assert_true(order.is_deleted && order.is_refund);
    assert_int_equal(read_json("{\"id\":1,\"total\":1250.0,\"paid\":999.6}", 0), 0);
    assert_int_equal(order.total_minor, 1250);
    assert_int_equal(order.paid_minor, 1000);
    assert_int_equal(read_json("{\"id\":1,\"total\":1.2345}", 3), 0);
    assert_int_equal(order.total_minor, 1235);
    read_well("{\"id\":1,\"total\":17.999999999999996}");
    assert_int_equal(order.total_minor, 1800);
}

static void a_list_that_came_as_an_object_is_a_list(void **state)
{
    (void)state;
    read_well("{\"id\":1,\"lines\":{\"1\":{\"number\":2,\"product_id\":5},\"4\":{\"number\":5}},"
              "\"payments\":{\"1\":{\"amount\":1}}}");
    assert_int_equal(order.line_count, 2);
    assert_int_equal(order.lines[0].number, 2);
    assert_int_equal(order.lines[1].number, 5);
    assert_int_equal(order.payments[0].amount_minor, 100);
}

static void what_makes_no_sense_is_a_bad_reply(void **state)
{
    (void)state;
    static const char *const bad[] = {"null",
                                      "[]",
                                      "\"7\"",
                                      "{}",
                                      "{\"id\":0}",
                                      "{\"id\":-4}",
                                      "{\"id\":1.5}",
                                      "{\"id\":true}",
                                      "{\"id\":\"x\"}",
                                      "{\"id\":99999999999999999999}",
                                      "{\"id\":1,\"id_str\":\"x\"}",
                                      "{\"id\":1,\"total\":\"much\"}",
                                      "{\"id\":1,\"total\":true}",
                                      "{\"id\":1,\"total\":{}}",
                                      "{\"id\":1,\"total\":1e30}",
                                      "{\"id\":1,\"total\":10000000000000.01}",
                                      "{\"id\":1,\"deleted\":\"no\"}",
                                      "{\"id\":1,\"deleted\":2}",
                                      "{\"id\":1,\"lines\":7}",
                                      "{\"id\":1,\"lines\":[7]}",
                                      "{\"id\":1,\"lines\":[{\"quantity\":\"two\"}]}",
                                      "{\"id\":1,\"lines\":[{\"number\":-1}]}",
                                      "{\"id\":1,\"payments\":\"none\"}",
                                      "{\"id\":1,\"payments\":[{}]}",
                                      "{\"id\":1,\"payments\":[{\"amount\":null}]}",
                                      "{\"id\":1,\"payments\":[null]}",
                                      "{\"id\":1,\"price_variation\":[]}",
                                      "{\"id\":1,\"customer\":{\"id\":\"?\"}}",
                                      "{\"id\":1,\"refunded_order_id\":-1}"};
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_int_equal(read_json(bad[i], 2), ERR_BAD_REPLY);
}

static void more_than_fits_is_cut_and_said_so(void **state)
{
    (void)state;
    static char json[64 * 1024];
    struct text_buffer buffer;
    text_buffer_init(&buffer, json, sizeof(json));
    text_append(&buffer, TEXT("{\"id\":1,\"notes\":\""));
    for (int i = 0; i < 400; i++)
        text_append(&buffer, TEXT("\xe2\x82\xac")); /* 1200 bytes in characters of three */
    text_append(&buffer, TEXT("\",\"lines\":["));
    for (int i = 0; i < ORDER_LINES_MAX + 1; i++)
        text_append_format(&buffer, "%s{\"number\":%d}", i == 0 ? "" : ",", i + 1);
    text_append(&buffer, TEXT("],\"payments\":["));
    for (int i = 0; i < ORDER_PAYMENTS_MAX; i++)
        text_append_format(&buffer, "%s{\"amount\":%d}", i == 0 ? "" : ",", i);
    text_append(&buffer, TEXT("]}"));
    read_well(json);
    assert_true(order.notes_are_cut && order.is_cut);
    assert_int_equal(strlen(order.notes), 999); /* whole characters */
    assert_int_equal(order.line_count, ORDER_LINES_MAX);
    assert_int_equal(order.payment_count, ORDER_PAYMENTS_MAX);
    assert_int_equal(order.payments[ORDER_PAYMENTS_MAX - 1].amount_minor,
                     (ORDER_PAYMENTS_MAX - 1) * 100);
}

/* Notes that we cannot read whole must not be written back. */
static void notes_that_are_no_text_count_as_cut(void **state)
{
    (void)state;
    read_well("{\"id\":1,\"notes\":[\"a\"]}");
    assert_true(order.notes_are_cut);
    read_well("{\"id\":1,\"notes\":\"a\\u0000b\"}");
    assert_true(order.notes_are_cut);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_order_is_read_as_it_is),
        cmocka_unit_test(lines_are_read_as_they_are),
        cmocka_unit_test(payments_are_read_as_they_are),
        cmocka_unit_test(an_order_of_nothing_but_its_id_has_the_usual_values),
        cmocka_unit_test(the_text_twin_of_the_id_wins),
        cmocka_unit_test(statuses_are_words),
        cmocka_unit_test(flags_may_be_numbers_and_money_has_the_currencys_exponent),
        cmocka_unit_test(a_list_that_came_as_an_object_is_a_list),
        cmocka_unit_test(what_makes_no_sense_is_a_bad_reply),
        cmocka_unit_test(more_than_fits_is_cut_and_said_so),
        cmocka_unit_test(notes_that_are_no_text_count_as_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
