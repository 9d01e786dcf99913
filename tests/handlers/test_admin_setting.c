/* The table of tenant settings: reading, listing, explaining. */
#include "handlers/admin_setting.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct tenant tenant_with(const char *code)
{
    struct tenant tenant = {.id = 1};
    assert_int_equal(currency_find(text_of(code), &tenant.currency), 0);
    memcpy(tenant.name, "Shop", sizeof("Shop"));
    admin_setting_defaults(&tenant);
    return tenant;
}

static bool apply(struct tenant *tenant, const char *name, const char *value)
{
    const struct admin_setting *setting = admin_setting_find(text_of(name));
    assert_non_null(setting);
    return admin_setting_apply(setting, text_of(value), tenant);
}

static void assert_written(const struct tenant *tenant, const char *name, const char *json)
{
    char bytes[512];
    struct text_buffer buffer;
    struct jwrite writer;
    text_buffer_init(&buffer, bytes, sizeof(bytes));
    jwrite_init(&writer, &buffer);
    admin_setting_write(admin_setting_find(text_of(name)), tenant, &writer);
    assert_string_equal(bytes, json);
}

static void assert_round_trip(const char *name, const char *value, const char *json)
{
    struct tenant tenant = tenant_with("AUD");
    if (!apply(&tenant, name, value))
        fail_msg("%s does not take %s", name, value);
    assert_written(&tenant, name, json);
}

static void what_is_set_is_listed(void **state)
{
    (void)state;
    assert_round_trip("name", "Caf\xc3\xa9", "\"Caf\xc3\xa9\"");
    assert_round_trip("signature_mode", "log", "\"log\"");
    assert_round_trip("signature_base64", "on", "\"on\"");
    assert_round_trip("partial", "refuse", "\"refuse\"");
    assert_round_trip("balance_max", "500", "\"500.00\"");
    assert_round_trip("load_day_max", "0.01", "\"0.01\"");
    assert_round_trip("uses_hour_max", "12", "12");
    assert_round_trip("replay_window", "120", "120");
    assert_round_trip("check_balance", "off", "\"off\"");
    assert_round_trip("body_format", "form", "\"form\"");
    assert_round_trip("refusal_status", "402", "402");
    assert_round_trip("deadline", "1", "1");
    assert_round_trip("payment_booked_by", "counterpart", "\"counterpart\"");
    assert_round_trip("payment_method", "417", "417");
    assert_round_trip("order_look", "off", "\"off\"");
    assert_round_trip("notify", "off", "\"off\"");
    assert_round_trip("payment_refusals", "400,422", "\"400,422\"");
    assert_round_trip("payment_refusals", "400,401,403,422", "\"400,401,403,422\"");
    assert_round_trip("payment_refusals", "499", "\"499\"");
    assert_round_trip("top_up_release", "on_order_complete", "\"on_order_complete\"");
    assert_round_trip("webhook_topics", "", "\"\"");
    assert_round_trip("loyalty_signature_mode", "enforce", "\"enforce\"");
    assert_round_trip("reward_discount", "line", "\"line\"");
    assert_round_trip("points_per_unit", "1.5", "\"1.500\"");
    assert_round_trip("points_per_unit", "0", "\"0.000\"");
    assert_round_trip("points_burn", "on_order_complete", "\"on_order_complete\"");
    assert_round_trip("redeem_token", "604800", "604800");
    assert_round_trip("amounts", "string", "\"string\"");
    assert_round_trip("card_prefix", "", "\"\"");
    assert_round_trip("card_prefix", "1234567890", "\"1234567890\"");
    assert_round_trip("profile", "till-v2_a", "\"till-v2_a\"");
}

static void secrets_are_never_listed(void **state)
{
    (void)state;
    assert_round_trip("signature_token", "sig-token-EXAMPLE", "\"set\"");
    assert_round_trip("signature_token", "", "\"not set\"");
    assert_round_trip("signature_token_previous", "x", "\"set\"");
}

static void bad_values_change_nothing(void **state)
{
    (void)state;
    static const struct {
        const char *name, *value;
    } cases[] = {
        {"name", ""},
        {"name", "   "},
        {"name", "a\033[31m"},
        {"signature_mode", "Enforce"},
        {"signature_mode", "enforce|log"},
        {"signature_mode", ""},
        {"partial", "on"},
        {"balance_max", "-1"},
        {"balance_max", "1.001"},
        {"balance_max", "1e2"},
        {"balance_max", "1000000000000000"},
        {"uses_hour_max", "-1"},
        {"uses_hour_max", "1000001"},
        {"uses_hour_max", "1.0"},
        {"replay_window", "0"},
        {"replay_window_no_order", "0"},
        {"replay_window", "86401"},
        {"card_prefix", "12345678901"},
        {"card_prefix", "12a"},
        {"body_format", "xml"},
        {"refusal_status", "199"},
        {"refusal_status", "500"},
        {"deadline", "0"},
        {"deadline", "5"},
        {"payment_refusals", "400,"},
        {"payment_refusals", ",400"},
        {"payment_refusals", "400,,401"},
        {"payment_refusals", "400, 401"},
        {"payment_refusals", ""},
        {"payment_refusals", "abc"},
        {"payment_refusals", "9"},
        {"payment_refusals", "999999"},
        {"payment_refusals", "399"},
        {"payment_refusals", "500"},
        {"payment_refusals", "400,503"},
        {"payment_refusals", "4000"},
        {"payment_refusals", "400;401"},
        {"payment_refusals", "+40"},
        {"webhook_topics", "Orders"},
        {"points_per_unit", "-1"},
        {"points_per_unit", "0.0001"},
        {"points_per_unit", "1001"},
        {"points_label", ""},
        {"points_expire_days", "36501"},
        {"reservation_max", "59"},
        {"redeem_token", "604801"},
        {"profile", ""},
        {"profile", "../default"},
        {"profile", "a23456789012345678901234567890123"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct tenant tenant = tenant_with("AUD"), before = tenant;
        if (apply(&tenant, cases[i].name, cases[i].value))
            fail_msg("%s takes '%s'", cases[i].name, cases[i].value);
        assert_memory_equal(&tenant, &before, sizeof(tenant));
    }
}

static void texts_longer_than_their_room_are_refused(void **state)
{
    (void)state;
    char longest[TENANT_TOKEN_MAX + 2];
    struct tenant tenant = tenant_with("AUD");
    memset(longest, 'x', sizeof(longest));
    longest[TENANT_TOKEN_MAX] = '\0';
    assert_true(apply(&tenant, "signature_token", longest));
    longest[TENANT_TOKEN_MAX] = 'x';
    longest[TENANT_TOKEN_MAX + 1] = '\0';
    assert_false(apply(&tenant, "signature_token", longest));
}

static void amounts_follow_the_currency(void **state)
{
    (void)state;
    struct tenant yen = tenant_with("JPY"), dinar = tenant_with("BHD");
    assert_false(apply(&yen, "balance_max", "0.5"));
    assert_true(apply(&yen, "balance_max", "500"));
    assert_int_equal(yen.policy.balance_max_minor, 500);
    assert_true(apply(&dinar, "balance_max", "0.5"));
    assert_int_equal(dinar.policy.balance_max_minor, 500);
    assert_written(&dinar, "refund_max", "\"200.000\"");
    assert_written(&yen, "refund_max", "\"20000\"");
}

static void a_copied_setting_takes_nothing_else_along(void **state)
{
    (void)state;
    struct tenant from = tenant_with("AUD"), to = tenant_with("AUD");
    assert_true(apply(&from, "uses_hour_max", "7"));
    assert_true(apply(&from, "profile", "other"));
    admin_setting_copy(admin_setting_find(TEXT("uses_hour_max")), &from, &to);
    assert_int_equal(to.policy.uses_hour_max, 7);
    assert_string_equal(to.profile, "default");
}

static void a_new_tenant_enforces_signatures_and_serves_everything(void **state)
{
    (void)state;
    struct tenant tenant = tenant_with("AUD");
    assert_int_equal(tenant.oseries_signature_mode, SIGNATURE_ENFORCE);
    assert_true(tenant.charge_is_on && tenant.top_up_is_on && tenant.refund_is_on);
    assert_true(tenant.balance_is_on && tenant.policy.partial_is_allowed);
    assert_false(tenant.last4_is_accepted || tenant.signature_base64_is_accepted);
    assert_int_equal(tenant.policy.replay_window_us, REPLAY_WINDOW_US);
    assert_int_equal(tenant.policy.refund_max_minor, 20000);
}

static void every_setting_is_found_by_its_name_and_explained(void **state)
{
    (void)state;
    for (size_t i = 0; i < admin_setting_count(); i++) {
        const struct admin_setting *setting = admin_setting_at(i);
        char bytes[128];
        struct text_buffer buffer;
        text_buffer_init(&buffer, bytes, sizeof(bytes));
        admin_setting_expectation(setting, &buffer);
        assert_ptr_equal(admin_setting_find(text_of(setting->name)), setting);
        assert_true(buffer.length > 0 && !buffer.is_cut);
        assert_true(strlen(setting->help) > 0);
        assert_true(setting->offset + setting->size <= sizeof(struct tenant));
    }
    assert_null(admin_setting_find(TEXT("id")));
    assert_null(admin_setting_find(TEXT("key")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_set_is_listed),
        cmocka_unit_test(secrets_are_never_listed),
        cmocka_unit_test(bad_values_change_nothing),
        cmocka_unit_test(texts_longer_than_their_room_are_refused),
        cmocka_unit_test(amounts_follow_the_currency),
        cmocka_unit_test(a_copied_setting_takes_nothing_else_along),
        cmocka_unit_test(a_new_tenant_enforces_signatures_and_serves_everything),
        cmocka_unit_test(every_setting_is_found_by_its_name_and_explained),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
