/* Do the numbers that were counted come out, as Prometheus reads them? */
#include "handlers/metrics.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define TEXT_MAX (64 * 1024)

static const char *route_name(int index)
{
    return index == 0 ? "first" : "second";
}

static const char *surface(int index)
{
    (void)index;
    return "surface";
}

static const char *verdict(int index)
{
    return index == 0 ? "valid" : index == 1 ? "wrong" : NULL;
}

static const struct metrics_names names = {
    .routes = 2, .route = route_name, .surface = surface, .verdict = verdict};

static char bytes[TEXT_MAX];

static void render(struct metrics *metrics)
{
    struct text_buffer buffer;
    text_buffer_init(&buffer, bytes, sizeof(bytes));
    metrics_append(metrics, &names, &buffer);
    assert_false(buffer.is_cut);
}

static void assert_line(const char *line)
{
    size_t length = strlen(line);
    for (const char *at = bytes; (at = strstr(at, line)) != NULL; at++)
        if ((at == bytes || at[-1] == '\n') && at[length] == '\n')
            return;
    fail_msg("there is no line '%s' in\n%s", line, bytes);
}

static int create(void **state)
{
    return metrics_create((struct metrics **)state);
}

static int destroy(void **state)
{
    metrics_destroy(*state);
    return 0;
}

static void buckets_are_cumulative_and_bounds_inclusive(void **state)
{
    metrics_request(*state, 0, 200, 250);
    metrics_request(*state, 0, 200, 251);
    metrics_request(*state, 0, 200, 9000000);
    metrics_request(*state, 0, 200, -5);
    render(*state);
#define LATENCY "counterpart_request_duration_seconds"
    assert_line(LATENCY "_bucket{surface=\"surface\",route=\"first\",le=\"0.00025\"} 2");
    assert_line(LATENCY "_bucket{surface=\"surface\",route=\"first\",le=\"0.0005\"} 3");
    assert_line(LATENCY "_bucket{surface=\"surface\",route=\"first\",le=\"5.0\"} 3");
    assert_line(LATENCY "_bucket{surface=\"surface\",route=\"first\",le=\"+Inf\"} 4");
    assert_line(LATENCY "_count{surface=\"surface\",route=\"first\"} 4");
    assert_line(LATENCY "_sum{surface=\"surface\",route=\"first\"} 9.000501");
    assert_line("# TYPE " LATENCY " histogram");
    assert_null(strstr(bytes, "route=\"second\""));
}

static void statuses_are_told_apart_and_strange_ones_are_zero(void **state)
{
    metrics_request(*state, 1, 200, 1);
    metrics_request(*state, 1, 401, 1);
    metrics_request(*state, 1, 401, 1);
    metrics_request(*state, 1, 999, 1);
    render(*state);
#define REQUESTS "counterpart_requests_total{surface=\"surface\",route=\"second\",status="
    assert_line(REQUESTS "\"200\"} 1");
    assert_line(REQUESTS "\"401\"} 2");
    assert_line(REQUESTS "\"0\"} 1");
}

static void outcomes_carry_action_result_and_replay(void **state)
{
    metrics_outcome(*state, ACTION_CHARGE, RESULT_OK, false);
    metrics_outcome(*state, ACTION_CHARGE, RESULT_OK, true);
    metrics_outcome(*state, ACTION_CHARGE, RESULT_OK, true);
    metrics_outcome(*state, ACTION_REFUND, RESULT_OVER_REGISTER_DAY, false);
    render(*state);
#define OUTCOMES "counterpart_outcomes_total{action="
    assert_line(OUTCOMES "\"charge\",result=\"ok\",replay=\"false\"} 1");
    assert_line(OUTCOMES "\"charge\",result=\"ok\",replay=\"true\"} 2");
    assert_line(OUTCOMES "\"refund\",result=\"over_register_day\",replay=\"false\"} 1");
}

static void every_verdict_has_a_line_from_the_start(void **state)
{
    metrics_signature(*state, 1);
    render(*state);
    assert_line("counterpart_signatures_total{verdict=\"valid\"} 0");
    assert_line("counterpart_signatures_total{verdict=\"wrong\"} 1");
}

static void *close_two(void *metrics)
{
    metrics_connection(metrics, -1);
    metrics_connection(metrics, -1);
    metrics_connection_refused(metrics);
    return NULL;
}

static void threads_are_added_up(void **state)
{
    pthread_t thread;
    for (int i = 0; i < 5; i++)
        metrics_connection(*state, 1);
    assert_int_equal(pthread_create(&thread, NULL, close_two, *state), 0);
    pthread_join(thread, NULL);
    render(*state);
    assert_line("counterpart_connections 3");
    assert_line("counterpart_connections_accepted_total 5");
    assert_line("counterpart_connections_refused_total 1");
}

static void *call_later(void *metrics)
{
    metrics_call(metrics, 7, 3, 2000);
    metrics_tenant_signature(metrics, 7, 0, 2001);
    return NULL;
}

static void a_tenants_latest_call_is_of_all_threads_and_of_no_other_tenant(void **state)
{
    static struct metrics_tenant tenant;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, call_later, *state), 0);
    pthread_join(thread, NULL);
    metrics_call(*state, 7, 3, 1000);
    metrics_tenant_signature(*state, 7, 0, 1001);
    metrics_tenant_signature(*state, 7, 2, 1002);
    metrics_call(*state, 8, 4, 3000);
    metrics_read_tenant(*state, 7, &tenant);
    assert_int_equal(tenant.called_us[3], 2000);
    assert_int_equal(tenant.called_us[4], 0);
    assert_int_equal(tenant.signatures[0], 2);
    assert_int_equal(tenant.signed_us[0], 2001);
    assert_int_equal(tenant.signatures[2], 1);
    metrics_read_tenant(*state, 9, &tenant);
    assert_int_equal(tenant.called_us[3] + tenant.signed_us[0], 0);
}

/* What has no room is not counted, and takes nobody else's. */
static void more_tenants_than_there_is_room_for_take_nobody_elses(void **state)
{
    static struct metrics_tenant tenant;
    int known = 0;
    for (int64_t id = 1; id <= 1000; id++)
        metrics_call(*state, id, 0, id);
    for (int64_t id = 1; id <= 1000; id++) {
        metrics_read_tenant(*state, id, &tenant);
        assert_true(tenant.called_us[0] == 0 || tenant.called_us[0] == id);
        known += tenant.called_us[0] != 0;
    }
    assert_in_range(known, 200, 256);
    metrics_read_tenant(*state, 1, &tenant);
    assert_int_equal(tenant.called_us[0], 1);
}

static void seconds_are_exact(void **state)
{
    (void)state;
    static const struct {
        uint64_t duration_us;
        const char *text;
    } cases[] = {{0, "0.0"},         {1, "0.000001"},           {250, "0.00025"},
                 {1000000, "1.0"},   {2097152, "2.097152"},     {100000, "0.1"},
                 {90000000, "90.0"}, {1234567890, "1234.56789"}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct text_buffer buffer;
        text_buffer_init(&buffer, bytes, sizeof(bytes));
        metrics_append_seconds(&buffer, cases[i].duration_us);
        assert_string_equal(bytes, cases[i].text);
    }
}

static void on_check_failed(const char *expression, const char *file, int line)
{
    mock_assert(0, expression, file, line);
}

static void indexes_out_of_range_are_bugs(void **state)
{
    (void)state;
    check_hook = on_check_failed;
    expect_assert_failure(metrics_request(*state, METRICS_ROUTES_MAX, 200, 1));
    expect_assert_failure(metrics_request(*state, -1, 200, 1));
    expect_assert_failure(metrics_signature(*state, METRICS_VERDICTS));
    expect_assert_failure(metrics_tenant_signature(*state, 7, METRICS_VERDICTS, 1));
    expect_assert_failure(metrics_tenant_signature(*state, 0, 1, 1));
    expect_assert_failure(metrics_call(*state, 7, METRICS_ROUTES_MAX, 1));
    check_hook = NULL;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(buckets_are_cumulative_and_bounds_inclusive, create,
                                        destroy),
        cmocka_unit_test_setup_teardown(statuses_are_told_apart_and_strange_ones_are_zero, create,
                                        destroy),
        cmocka_unit_test_setup_teardown(outcomes_carry_action_result_and_replay, create, destroy),
        cmocka_unit_test_setup_teardown(every_verdict_has_a_line_from_the_start, create, destroy),
        cmocka_unit_test_setup_teardown(threads_are_added_up, create, destroy),
        cmocka_unit_test_setup_teardown(
            a_tenants_latest_call_is_of_all_threads_and_of_no_other_tenant, create, destroy),
        cmocka_unit_test_setup_teardown(more_tenants_than_there_is_room_for_take_nobody_elses,
                                        create, destroy),
        cmocka_unit_test_setup_teardown(indexes_out_of_range_are_bugs, create, destroy),
        cmocka_unit_test(seconds_are_exact),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
