/* The cloud's orders as the till's screen shows them, to the cent. */
#include "mocks/register/bill.h"
#include "mocks/register/press.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/banned.h"

static const char ORDER[] =
    "{\"id\":2802065908,\"site_id\":923,\"status\":\"PENDING\",\"total\":12.00,\"paid\":4.5,"
    "\"deleted\":false,\"is_refund\":false,\"service_charge\":1.00,"
    "\"lines\":[{\"number\":1,\"product\":{\"id\":7302,\"name\":\"Latte\"},\"quantity\":3,"
    "\"notes\":\"hot\",\"unit_price\":4.0909,\"unit_tax\":0.4091,"
    "\"line_total_ex_tax\":12.27,\"line_total_tax\":1.23}],"
    "\"payments\":[{\"number\":1,\"method\":{\"id\":88,\"name\":\"Gift\"},\"amount\":4.50,"
    "\"tip\":0.30,\"service_charge\":0.35,\"ref\":\"CP1-2\"},"
    "{\"number\":2,\"method\":{\"id\":1,\"name\":\"Cash\"},\"amount\":0,\"tip\":0,"
    "\"service_charge\":0,\"ref\":null}]}";

static struct jread *order;
static struct bill bill;

static int set_up(void **state)
{
    (void)state;
    assert_int_equal(jread_parse(text_of(ORDER), &order), 0);
    assert_true(bill_read(order, 2, &bill));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    jread_destroy(order);
    return 0;
}

static void amounts_are_exact_and_a_service_charge_is_due_too(void **state)
{
    (void)state;
    assert_int_equal(bill.total_minor, 1200);
    assert_int_equal(bill.paid_minor, 450);
    assert_int_equal(bill.subtotal_minor, 1350);
    assert_int_equal(bill.due_minor, 1200 + 100 - 30 - 450);
    assert_true(bill_is_open(&bill));
}

static void payments_are_found_by_method_ref_and_number(void **state)
{
    (void)state;
    assert_true(bill_has_payment(&bill, "Gift", "CP1-2"));
    assert_false(bill_has_payment(&bill, "Cash", "CP1-2"));
    assert_false(bill_has_payment(&bill, "Gift", "CP1-3"));
    assert_int_equal(bill_id(bill_payment(&bill, 0, "Gift"), "number"), 1);
    assert_int_equal(bill_id(bill_payment(&bill, 2, "Gift"), "number"), 2);
    assert_null(bill_payment(&bill, 0, "Cash")); /* it gave nothing */
    assert_null(bill_payment(&bill, 9, "Gift"));
    assert_true(bill_has_line_noted(&bill, "hot"));
    assert_false(bill_has_line_noted(&bill, "cold"));
}

static void write_bill(struct jwrite *writer, const void *context)
{
    bill_write(context, "Gift", TEXT("M-1"), writer);
}

static void it_is_written_with_amounts_as_text(void **state)
{
    struct made json = {0};
    (void)state;
    made_create(&json, write_bill, &bill);
    assert_non_null(strstr(json.base, "\"unit_price\":\"4.50\",\"price\":\"13.50\""));
    assert_non_null(strstr(json.base, "\"subtotal\":\"13.50\",\"discount\":\"1.50\","
                                      "\"total\":\"12.00\",\"paid\":\"4.50\",\"due\":\"8.20\""));
    assert_non_null(
        strstr(json.base, "\"kind\":\"partner\",\"amount\":\"4.50\",\"ref\":\"CP1-2\""));
    assert_non_null(strstr(json.base, "\"kind\":\"plain\",\"amount\":\"0.00\",\"ref\":\"\""));
    made_destroy(&json);
}

static void what_is_no_order_is_none(void **state)
{
    static const char *const BAD[] = {"{}", "{\"id\":1}", "{\"id\":1,\"total\":1,\"paid\":\"x\"}",
                                      "{\"id\":1,\"total\":1.005,\"paid\":0}", "[]"};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(BAD); i++) {
        struct bill none;
        struct jread *json = NULL;
        assert_int_equal(jread_parse(text_of(BAD[i]), &json), 0);
        assert_false(bill_read(json, 2, &none));
        jread_destroy(json);
    }
}

static void a_stripe_has_the_number_twice_and_a_pin_behind_it(void **state)
{
    static const struct {
        const char *typed, *stripe;
    } CASES[] = {{"6036", "%B6036^GIFT CARD^4912101?;6036=4912101?"},
                 {" 6036*4711 ", "%B6036^GIFT CARD^4912101?;6036=4912101?*4711"},
                 {"%B6036^X^4912?", "%B6036^X^4912?"},
                 {";6036=4912?", ";6036=4912?"}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        char memory[128];
        struct text_buffer buffer;
        text_buffer_init(&buffer, memory, sizeof(memory));
        stripe_write(text_of(CASES[i].typed), &buffer);
        assert_string_equal(memory, CASES[i].stripe);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(amounts_are_exact_and_a_service_charge_is_due_too),
        cmocka_unit_test(payments_are_found_by_method_ref_and_number),
        cmocka_unit_test(it_is_written_with_amounts_as_text),
        cmocka_unit_test(what_is_no_order_is_none),
        cmocka_unit_test(a_stripe_has_the_number_twice_and_a_pin_behind_it),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
