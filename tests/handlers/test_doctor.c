/*
 * Walks the doctor's table: one line, one case (format in doctor.table). Every line that can be to
 * be done must have a case in which it is, and one in which it is not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "handlers/doctor.h"
#include "handlers/signature.h"
#include "tests/handlers/table.h"

#define NOW_US (INT64_C(1700000000) * 1000000)
#define KEY "0123456789abcdef0123456789abcdef"

struct world {
    struct doctor_facts facts;
    struct tenant tenant;
    struct about about;
    char url[200];
};

/* --- knobs */

enum kind {
    KNOB_BOOL,
    KNOB_INT32,
    KNOB_INT64,
    KNOB_UINT64,
    KNOB_OCTAL,
    KNOB_TEXT,
    KNOB_AGO, /* int64_t; 0 stays 0 */
    KNOB_IN,
};

#define AT(member) offsetof(struct world, member)
#define SEEN(call) facts.seen[DOCTOR_CALL_##call].at_us
#define ROWS_SEEN(call) facts.rows.seen[DOCTOR_CALL_##call].at_us
#define COUNTED(verdict) facts.callers.signatures[SIGNATURE_##verdict]
#define SIGNED(verdict) facts.callers.signed_us[SIGNATURE_##verdict]

static const struct knob {
    const char *name;
    enum kind kind;
    size_t offset;
} knobs[] = {
    {"data_error", KNOB_INT32, AT(facts.rows.data.error)},
    {"data_mode", KNOB_OCTAL, AT(facts.rows.data.mode)},
    {"data_is_ours", KNOB_BOOL, AT(facts.rows.data.is_ours)},
    {"key_error", KNOB_INT32, AT(facts.rows.key.error)},
    {"key_mode", KNOB_OCTAL, AT(facts.rows.key.mode)},
    {"disk", KNOB_INT64, AT(facts.rows.disk_bytes)},
    {"disk_free", KNOB_INT64, AT(facts.rows.disk_free_bytes)},
    {"redis", KNOB_BOOL, AT(facts.has_redis)},
    {"hot", KNOB_BOOL, AT(facts.hot_is_up)},
    {"api_wall", KNOB_IN, AT(facts.probes.api.wall_us)},
    {"api_steady", KNOB_IN, AT(facts.probes.api.steady_us)},
    {"api_date", KNOB_INT64, AT(facts.probes.api.date_us)},
    {"api_error", KNOB_INT32, AT(facts.probes.api.error)},
    {"api_reason", KNOB_TEXT, AT(facts.probes.api.reason)},
    {"newest_in", KNOB_IN, AT(facts.rows.newest_us)},
    {"url_is_set", KNOB_BOOL, AT(about.public_url_is_set)},
    {"url", KNOB_TEXT, AT(url)},
    {"hello_made", KNOB_BOOL, AT(facts.probes.hello.was_made)},
    {"hello_error", KNOB_INT32, AT(facts.probes.hello.error)},
    {"hello_reason", KNOB_TEXT, AT(facts.probes.hello.reason)},
    {"hello_ours", KNOB_BOOL, AT(facts.probes.hello.is_ours)},
    {"hello_object", KNOB_BOOL, AT(facts.probes.hello.is_object)},
    {"hello_status", KNOB_INT32, AT(facts.probes.hello.status)},
    {"hello_type", KNOB_TEXT, AT(facts.probes.hello.content_type)},
    {"hello_location", KNOB_TEXT, AT(facts.probes.hello.location)},
    {"certificate_in", KNOB_IN, AT(facts.probes.hello.certificate_ends_us)},
    {"unknown_object", KNOB_BOOL, AT(facts.probes.unknown.is_object)},
    {"unknown_status", KNOB_INT32, AT(facts.probes.unknown.status)},
    {"unknown_error", KNOB_INT32, AT(facts.probes.unknown.error)},
    {"unknown_reason", KNOB_TEXT, AT(facts.probes.unknown.reason)},
    {"unknown_type", KNOB_TEXT, AT(facts.probes.unknown.content_type)},
    {"parcel_ours", KNOB_BOOL, AT(facts.probes.parcel.is_ours)},
    {"parcel_status", KNOB_INT32, AT(facts.probes.parcel.status)},
    {"parcel_error", KNOB_INT32, AT(facts.probes.parcel.error)},
    {"parcel_reason", KNOB_TEXT, AT(facts.probes.parcel.reason)},
    {"has_client", KNOB_BOOL, AT(facts.rows.has_client)},
    {"has_token", KNOB_BOOL, AT(facts.has_token)},
    {"profile_is_loaded", KNOB_BOOL, AT(facts.profile_is_loaded)},
    {"token", KNOB_TEXT, AT(tenant.signature_token)},
    {"grant_tenant", KNOB_INT64, AT(facts.grant.tenant_id)},
    {"grant_status", KNOB_INT32, AT(facts.grant.status)},
    {"grant_kind", KNOB_INT32, AT(facts.grant.kind)},
    {"grant_reason", KNOB_TEXT, AT(facts.grant.reason)},
    {"grant_failures", KNOB_INT32, AT(facts.grant.failures)},
    {"grant_failed_ago", KNOB_AGO, AT(facts.grant.failed_at_us)},
    {"grant_alarm", KNOB_BOOL, AT(facts.grant.is_alarming)},
    {"company", KNOB_INT64, AT(facts.probes.company.id)},
    {"company_currency", KNOB_TEXT, AT(facts.probes.company.currency)},
    {"company_error", KNOB_INT32, AT(facts.probes.company_result.error)},
    {"company_status", KNOB_INT32, AT(facts.probes.company_result.status)},
    {"their_site", KNOB_INT64, AT(facts.probes.sites.items[0].id)},
    {"our_site", KNOB_INT64, AT(facts.sites[0])},
    {"our_sites", KNOB_INT32, AT(facts.site_count)},
    {"sites_error", KNOB_INT32, AT(facts.probes.sites_result.error)},
    {"sites_status", KNOB_INT32, AT(facts.probes.sites_result.status)},
    {"method", KNOB_INT32, AT(tenant.payment_method)},
    {"methods", KNOB_INT32, AT(facts.probes.methods.count)},
    {"first_method", KNOB_TEXT, AT(facts.probes.methods.items[0].name)},
    {"their_method", KNOB_TEXT, AT(facts.probes.methods.items[1].name)},
    {"methods_error", KNOB_INT32, AT(facts.probes.methods_result.error)},
    {"methods_status", KNOB_INT32, AT(facts.probes.methods_result.status)},
    {"payment_is_ours", KNOB_BOOL, AT(tenant.payment_is_ours)},
    {"rewards", KNOB_INT32, AT(facts.rows.rewards)},
    {"paying_rewards", KNOB_INT32, AT(facts.rows.paying_rewards)},
    {"approval", KNOB_INT32, AT(tenant.approval.state)},
    {"approval_until", KNOB_INT32, AT(tenant.approval.expires_on)},
    {"approval_suspended", KNOB_BOOL, AT(tenant.approval.is_suspended)},
    {"charge", KNOB_BOOL, AT(tenant.charge_is_on)},
    {"checkout_ago", KNOB_AGO, AT(ROWS_SEEN(CHECKOUT))},
    {"checkout_here_ago", KNOB_AGO, AT(SEEN(CHECKOUT))},
    {"top_up_ago", KNOB_AGO, AT(ROWS_SEEN(TOP_UP))},
    {"refund_ago", KNOB_AGO, AT(ROWS_SEEN(REFUND))},
    {"check_balance_here_ago", KNOB_AGO, AT(SEEN(CHECK_BALANCE))},
    {"search_here_ago", KNOB_AGO, AT(SEEN(CUSTOMER_SEARCH))},
    {"lookup_here_ago", KNOB_AGO, AT(SEEN(REWARD_LOOKUP))},
    {"redeem_here_ago", KNOB_AGO, AT(SEEN(REDEEM))},
    {"webhook_here_ago", KNOB_AGO, AT(SEEN(WEBHOOK))},
    {"oldest_ago", KNOB_AGO, AT(facts.rows.oldest_operation_us)},
    {"operations_cut", KNOB_BOOL, AT(facts.rows.operations_are_cut)},
    {"signature_mode", KNOB_INT32, AT(tenant.oseries_signature_mode)},
    {"good", KNOB_UINT64, AT(COUNTED(VALID))},
    {"good_ago", KNOB_AGO, AT(SIGNED(VALID))},
    {"wrong", KNOB_UINT64, AT(COUNTED(WRONG))},
    {"wrong_ago", KNOB_AGO, AT(SIGNED(WRONG))},
    {"missing", KNOB_UINT64, AT(COUNTED(MISSING))},
    {"missing_ago", KNOB_AGO, AT(SIGNED(MISSING))},
    {"malformed", KNOB_UINT64, AT(COUNTED(MALFORMED))},
    {"malformed_ago", KNOB_AGO, AT(SIGNED(MALFORMED))},
    {"suspects", KNOB_INT32, AT(facts.rows.suspects)},
    {"open", KNOB_INT32, AT(facts.rows.open)},
    {"listed", KNOB_INT32, AT(facts.rows.listed)},
    {"open_ago", KNOB_AGO, AT(facts.rows.oldest_open_us)},
    {"given_up", KNOB_INT32, AT(facts.rows.given_up)},
};

static void set_text(char *field, const char *value)
{
    size_t length = strlen(value);
    for (size_t i = 0; i <= length; i++)
        field[i] = value[i] == '_' ? ' ' : value[i];
}

static void knob_set(const struct knob *knob, struct world *world, const char *value)
{
    void *field = (char *)world + knob->offset;
    int64_t number = strtoll(value, NULL, knob->kind == KNOB_OCTAL ? 8 : 10);
    switch (knob->kind) {
    case KNOB_BOOL:
        *(bool *)field = number != 0;
        return;
    case KNOB_INT32:
    case KNOB_OCTAL:
        *(int32_t *)field = (int32_t)number;
        return;
    case KNOB_INT64:
        *(int64_t *)field = number;
        return;
    case KNOB_UINT64:
        *(uint64_t *)field = (uint64_t)number;
        return;
    case KNOB_TEXT:
        set_text(field, value);
        return;
    case KNOB_AGO:
        *(int64_t *)field = number == 0 ? 0 : NOW_US - number * CLOCK_US_PER_S;
        return;
    case KNOB_IN:
        *(int64_t *)field = number == 0 ? 0 : NOW_US + number * CLOCK_US_PER_S;
        return;
    }
}

static void turn(struct world *world, char *word)
{
    char *value = strchr(word, '=');
    assert_non_null(value);
    *value++ = '\0';
    if (strcmp(word, "hello_timed_out") == 0) {
        world->facts.probes.hello.error = ERR_TIMED_OUT;
        return;
    }
    for (size_t i = 0; i < COUNT_OF(knobs); i++)
        if (strcmp(knobs[i].name, word) == 0) {
            knob_set(&knobs[i], world, value);
            return;
        }
    fail_msg("there is no knob '%s'", word);
}

/* --- a tenant that is all green */

static struct doctor_visit good_visit(int status)
{
    return (struct doctor_visit){.was_made = true,
                                 .status = status,
                                 .is_object = true,
                                 .is_ours = true,
                                 .content_type = "application/json",
                                 .certificate_ends_us = NOW_US + INT64_C(90000000) * 1000000,
                                 .date_us = NOW_US,
                                 .wall_us = NOW_US,
                                 .steady_us = NOW_US};
}

static void fill_probes(struct doctor_probes *probes)
{
    probes->hello = good_visit(200);
    probes->unknown = good_visit(404);
    probes->parcel = good_visit(200);
    probes->api = good_visit(401);
    probes->api_was_asked = true;
    probes->company = (struct oseries_company){5678, "Demo Coffee", "AUD", "Australia/Sydney"};
    probes->sites.count = 1;
    probes->sites.items[0] = (struct api_name){923, "Harbour O'Hara"};
    probes->methods.count = 2;
    probes->methods.items[0] = (struct api_name){1, "Cash"};
    probes->methods.items[1] = (struct api_name){88, "Our Gift Card"};
}

static void fill_tenant(struct tenant *tenant)
{
    *tenant = (struct tenant){
        .id = 7,
        .name = "Demo Coffee",
        .key = KEY,
        .currency = {"AUD", 2},
        .zone = "Australia/Sydney",
        .oseries_company = 5678,
        .charge_is_on = true,
        .top_up_is_on = true,
        .refund_is_on = true,
        .balance_is_on = true,
        .profile = "default",
        .payment_method = 88,
        TENANT_CHOICES,
    };
}

static void fill_rows(struct doctor_rows *rows)
{
    rows->data = (struct doctor_file){.path = "/srv/var", .mode = 040700, .is_ours = true};
    rows->key =
        (struct doctor_file){.path = "/srv/var/master.key", .mode = 0100600, .is_ours = true};
    rows->disk_bytes = INT64_C(100) << 30;
    rows->disk_free_bytes = INT64_C(50) << 30;
    rows->has_client = rows->app_has_token = true;
    rows->newest_us = NOW_US - CLOCK_US_PER_S;
    rows->oldest_operation_us = NOW_US - 100 * CLOCK_US_PER_S;
    for (int call = 0; call <= DOCTOR_CALL_REFUND; call++)
        if (call != DOCTOR_CALL_CHECK_BALANCE)
            rows->seen[call] = (struct doctor_seen){NOW_US - 100 * CLOCK_US_PER_S, 923, 9091};
}

static void world_fill(struct world *world)
{
    struct doctor_facts *facts = &world->facts;
    memset(world, 0, sizeof(*world));
    fill_tenant(&world->tenant);
    set_text(world->url, "https://gifts.example");
    world->about = (struct about){.version = "9.9.9",
                                  .api_url = "https://api.kounta.com/v1",
                                  .public_url_is_set = true,
                                  .started_at_us = NOW_US - 3600 * CLOCK_US_PER_S};
    facts->about = &world->about;
    facts->tenant = &world->tenant;
    facts->public_url = world->url;
    facts->now_us = facts->wall_us = NOW_US;
    facts->has_token = facts->profile_is_loaded = true;
    facts->sites[0] = 923;
    facts->site_count = 1;
    facts->local_date = 19675;
    facts->grant = (struct oauth_status){.tenant_id = 7,
                                         .kind = GRANT_OAUTH,
                                         .status = GRANT_CONNECTED,
                                         .company_id = 5678,
                                         .refreshed_at_us = NOW_US};
    facts->next_refresh_us = NOW_US + 2700 * CLOCK_US_PER_S;
    for (int call = DOCTOR_CALL_CHECK_BALANCE; call < DOCTOR_CALLS; call++)
        facts->seen[call].at_us = NOW_US - 100 * CLOCK_US_PER_S;
    facts->seen[DOCTOR_CALL_TOP_UP].at_us = facts->seen[DOCTOR_CALL_REFUND].at_us = 0;
    facts->callers.signatures[SIGNATURE_VALID] = 10;
    facts->callers.signed_us[SIGNATURE_VALID] = NOW_US - 100 * CLOCK_US_PER_S;
    fill_rows(&facts->rows);
    fill_probes(&facts->probes);
}

/* --- one case */

static bool state_seen[DOCTOR_LINES][DOCTOR_OFF + 1];
static struct world world;
static struct doctor_report report;

static const struct doctor_line *line_named(const char *id)
{
    for (int i = 0; i < DOCTOR_LINES; i++)
        if (strcmp(report.lines[i].id, id) == 0)
            return &report.lines[i];
    fail_msg("there is no line '%s'", id);
    return NULL;
}

/* What holds in every case. */
static void report_is_sound(const char *name)
{
    bool is_green = true;
    for (int i = 0; i < DOCTOR_LINES; i++) {
        const struct doctor_line *line = &report.lines[i];
        bool is_todo = line->state == DOCTOR_TODO;
        state_seen[i][line->state] = true;
        is_green = is_green && !is_todo && line->state != DOCTOR_WAITS;
        if (line->found[0] == '\0' || is_todo != (line->todo[0] != '\0') ||
            (line->state == DOCTOR_OK && line->command[0] != '\0') ||
            (line->tab != NULL) != (line->paste[0] != '\0'))
            fail_msg("%s: line %s is %s: '%s', to do '%s', command '%s'", name, line->id,
                     doctor_state_name(line->state), line->found, line->todo, line->command);
    }
    assert_int_equal(doctor_is_green(&report), is_green);
}

static void expect_line(const char *name, char *word)
{
    char *state = strchr(word, ':');
    assert_non_null(state);
    *state++ = '\0';
    const struct doctor_line *line = line_named(word);
    if (strcmp(doctor_state_name(line->state), state) != 0)
        fail_msg("%s: %s is %s, not %s: %s", name, word, doctor_state_name(line->state), state,
                 line->found);
}

static void expect_text(const char *name, const struct doctor_line *line, const char *text)
{
    if (strstr(line->found, text) == NULL && strstr(line->todo, text) == NULL &&
        strstr(line->command, text) == NULL && strstr(line->paste, text) == NULL &&
        strstr(line->instead, text) == NULL)
        fail_msg("%s: nowhere '%s': '%s' '%s' '%s' '%s'", name, text, line->found, line->todo,
                 line->command, line->paste);
}

static void expect_all(const char *name, char *expected, const char *text)
{
    const struct doctor_line *first = NULL;
    char *rest;
    for (char *word = strtok_r(expected, " ", &rest); word != NULL;
         word = strtok_r(NULL, " ", &rest)) {
        if (strcmp(word, "green") == 0) {
            assert_true(doctor_is_green(&report));
            first = &report.lines[DOCTOR_SERVICE];
            continue;
        }
        expect_line(name, word);
        first = first == NULL ? line_named(word) : first;
    }
    assert_non_null(first);
    expect_text(name, first, text);
}

static void run_case(char *line)
{
    char *rest = line, *words;
    const char *name = table_next_field(&rest);
    char *changes = table_next_field(&rest);
    char *expected = table_next_field(&rest);
    world_fill(&world);
    for (char *word = strtok_r(changes, " ", &words); word != NULL;
         word = strtok_r(NULL, " ", &words))
        turn(&world, word);
    doctor_judge(&world.facts, &report);
    report_is_sound(name);
    expect_all(name, expected, table_trim(rest));
}

static void the_table_holds(void **state)
{
    (void)state;
    int cases = table_walk(TESTS_DIR "/handlers/doctor.table", run_case);
    assert_true(cases > 80);
}

static void every_line_was_seen_to_be_done_and_not_to_be_done(void **state)
{
    (void)state;
    for (int i = 0; i < DOCTOR_LINES; i++) {
        bool is_fine = state_seen[i][DOCTOR_OK] || state_seen[i][DOCTOR_OFF];
        if (!is_fine || (i != DOCTOR_SERVICE && !state_seen[i][DOCTOR_TODO]))
            fail_msg("line %s was not seen in both", report.lines[i].id);
    }
}

static void addresses_are_those_of_the_tenant(void **state)
{
    (void)state;
    struct doctor_field field;
    char bytes[256];
    struct text_buffer address;
    int count = 0;
    world_fill(&world);
    world.tenant.refund_is_on = false;
    for (; doctor_field_at(&world.facts, count, &field); count++) {
        text_buffer_init(&address, bytes, sizeof(bytes));
        doctor_append_address(&world.facts, &field, &address);
        assert_int_equal(field.is_wanted, strcmp(field.field, "Refund URL") != 0);
        if (count == 0)
            assert_string_equal(bytes, "https://gifts.example/oauth/callback");
        if (strcmp(field.field, "Actions/Rewards URL") == 0)
            assert_string_equal(bytes, "https://gifts.example/oseries/" KEY "/reward-lookup");
    }
    assert_int_equal(count, 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_holds),
        cmocka_unit_test(every_line_was_seen_to_be_done_and_not_to_be_done),
        cmocka_unit_test(addresses_are_those_of_the_tenant),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
