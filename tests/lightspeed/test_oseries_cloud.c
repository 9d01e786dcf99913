/* The API's client against the fake cloud: what it says of a change is what the cloud's own order
 * shows, whatever goes wrong on the way. */
#include "base/clock.h"
#include "base/error.h"
#include "lightspeed/oseries_api.h"
#include "tests/support/connected.h"
#include "tests/support/fake_cloud.h"

#include <inttypes.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/banned.h"

#define MS INT64_C(1000)
#define SECONDS(s) ((s)*1000 * MS)
#define ROUNDS_EACH 6
#define DEADLINE_US (100 * MS) /* of a change; a fault of HANG_MS outlasts it */
#define HANG_MS 220

static struct connected f;
static struct fake_cloud cloud;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;

enum what {
    ASK_GET,
    ASK_PUT,
    ASK_POST_LINE,
    ASK_PUT_LINE,
    ASK_PAY,
    ASK_FIND,
    ASK_HOOKS,
    ASK_ORDERS,
    ASK_OLD_OPEN,
    ASK_DELETED,
    ASK_NOTIFY,
};

#define LISTED_MAX 200
#define SEEDED 2 /* open orders that the cloud begins with */
#define NOTICE "Gift card ...1234: $25.50 given back, this sale does not show its payment"

/* One call at a time. */
static struct {
    enum what what;
    struct api_call call;
    int64_t order_id;
    char mark[32];
    bool is_done;
    struct api_result result;
    struct oseries_order order;
    struct oseries_customer customer;
    int64_t since_us;
    bool has_page; /* ask for page, else for the first */
    struct api_page page;
    bool has_next;
    struct order_brief listed[LISTED_MAX]; /* of all pages since list() */
    int32_t listed_count, page_count;
} now;

static int setup(void **state)
{
    (void)state;
    fake_cloud_start(&cloud, 1);
    fake_cloud_connect(&cloud);
    connected_start(&f, &(struct connected_config){.api_url = cloud.api_url,
                                                   .token_url = cloud.token_url,
                                                   .access_token = cloud.access_token,
                                                   .refresh_token = cloud.refresh_token,
                                                   .client_id = FAKE_CLIENT,
                                                   .client_secret = FAKE_SECRET});
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    connected_stop(&f);
    fake_cloud_stop(&cloud);
    return 0;
}

/* --- asking */

static void on_done(void *context, const struct api_result *result)
{
    (void)context;
    pthread_mutex_lock(&mutex);
    now.result = *result;
    now.is_done = true;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&mutex);
}

static void on_order(void *context, const struct api_result *result,
                     const struct oseries_order *order)
{
    if (order != NULL)
        now.order = *order;
    on_done(context, result);
}

static void on_customer(void *context, const struct api_result *result,
                        const struct oseries_customer *customer)
{
    if (customer != NULL)
        now.customer = *customer;
    on_done(context, result);
}

static void on_page(void *context, const struct api_result *result, const struct order_page *page)
{
    now.has_next = page != NULL && page->has_next;
    for (int32_t i = 0; page != NULL && i < page->count; i++) {
        assert_true(now.listed_count < LISTED_MAX);
        now.listed[now.listed_count++] = page->orders[i];
    }
    if (now.has_next)
        now.page = page->next;
    now.page_count++;
    on_done(context, result);
}

static void ask_now(void *context)
{
    (void)context;
    const struct api_page *from = now.has_page ? &now.page : NULL;
    const struct notice notice = {.is_urgent = true, .duration_s = 60, .message = NOTICE};
    const struct order_change change = {.notes = now.mark};
    const struct line_change line = {.product_id = 7302, .notes = now.mark};
    switch (now.what) {
    case ASK_GET:
        oseries_api_get_order(f.api, &now.call, now.order_id, on_order, NULL);
        break;
    case ASK_PUT:
        oseries_api_put_order(f.api, &now.call, now.order_id, &change, on_done, NULL);
        break;
    case ASK_POST_LINE:
        oseries_api_post_line(f.api, &now.call, now.order_id, &line, on_done, NULL);
        break;
    case ASK_PUT_LINE:
        oseries_api_put_line(f.api, &now.call, now.order_id, 1, &line, on_done, NULL);
        break;
    case ASK_PAY:
        oseries_api_post_payment(f.api, &now.call, now.order_id, 500, now.mark, on_done, NULL);
        break;
    case ASK_FIND:
        oseries_api_find_customer(f.api, &now.call, now.mark, on_customer, NULL);
        break;
    case ASK_HOOKS:
        oseries_api_ensure_webhooks(f.api, &now.call, "orders/completed,orders/deleted",
                                    "http://127.0.0.1:9/hooks", on_done, NULL);
        break;
    case ASK_ORDERS:
        oseries_api_list_orders(f.api, &now.call, ORDERS_ALL, now.since_us, from, on_page, NULL);
        break;
    case ASK_OLD_OPEN:
        oseries_api_list_orders(f.api, &now.call, ORDERS_OLD_OPEN, now.since_us, from, on_page,
                                NULL);
        break;
    case ASK_DELETED:
        oseries_api_list_orders(f.api, &now.call, ORDERS_DELETED, now.since_us, from, on_page,
                                NULL);
        break;
    case ASK_NOTIFY:
        oseries_api_post_notification(f.api, &now.call, now.order_id, &notice, on_done, NULL);
        break;
    }
}

static const struct api_result *ask(enum what what, int64_t wait_us)
{
    now.what = what;
    now.call = (struct api_call){.tenant_id = f.tenant_id,
                                 .priority = API_WAITING,
                                 .deadline_us = clock_monotonic_us() + wait_us};
    now.is_done = false;
    connected_run(&f, ask_now, NULL);
    pthread_mutex_lock(&mutex);
    while (!now.is_done)
        pthread_cond_wait(&changed, &mutex);
    pthread_mutex_unlock(&mutex);
    return &now.result;
}

static const char *control(const char *method, const char *path, const char *body)
{
    return fake_cloud_control(&cloud, method, path, body);
}

static int64_t make_order(void)
{
    return fake_cloud_number(
        control("POST", "/orders", "{\"lines\":[{\"product_id\":7308},{\"product_id\":7301}]}"),
        "id");
}

/* --- as it should be */

static void an_order_is_read_changed_and_read_back(void **state)
{
    (void)state;
    now.order_id = make_order();
    assert_int_equal(ask(ASK_GET, SECONDS(10))->error, 0);
    assert_int_equal(now.order.id, now.order_id);
    assert_int_equal(now.order.line_count, 2);
    assert_int_equal(now.order.lines[0].product_id, 7308);
    assert_int_equal(now.order.lines[0].total_minor, 4500);
    assert_int_equal(now.order.total_minor, 4900);
    assert_int_equal(now.order.price_variation_ppm, ORDER_ONE_PPM);
    snprintf(now.mark, sizeof(now.mark), "CP-R1");
    assert_int_equal(ask(ASK_PUT, SECONDS(10))->error, 0);
    assert_int_equal(ask(ASK_POST_LINE, SECONDS(10))->error, 0);
    assert_true(now.result.created_id > 0);
    assert_int_equal(ask(ASK_PUT_LINE, SECONDS(10))->error, 0);
    assert_int_equal(ask(ASK_GET, SECONDS(10))->error, 0);
    assert_string_equal(now.order.notes, "CP-R1");
    assert_int_equal(now.order.line_count, 3);
    assert_string_equal(now.order.lines[0].notes, "CP-R1");
    assert_string_equal(now.order.lines[2].notes, "CP-R1");
    assert_int_equal(now.order.lines[2].product_id, 7302);
    now.order_id = 12345;
    assert_int_equal(ask(ASK_GET, SECONDS(10))->error, ERR_NOT_FOUND);
}

static void a_foreign_order_may_be_paid_only_with_the_flag(void **state)
{
    (void)state;
    now.order_id = make_order();
    snprintf(now.mark, sizeof(now.mark), "CP1-42");
    const struct api_result *result = ask(ASK_PAY, SECONDS(10));
    assert_int_equal(result->error, ERR_REFUSED);
    assert_int_equal(result->status, 403);
    assert_false(result->may_have_happened);
    assert_true(result->sentence[0] != '\0');
    control("PUT", "/settings", "{\"may_pay_foreign_orders\":{\"" FAKE_CLIENT "\":true}}");
    assert_int_equal(ask(ASK_PAY, SECONDS(10))->error, 0);
    assert_int_equal(ask(ASK_GET, SECONDS(10))->error, 0);
    assert_int_equal(now.order.payment_count, 1);
    assert_int_equal(now.order.payments[0].amount_minor, 500);
    assert_int_equal(now.order.payments[0].method_id, 88);
    assert_string_equal(now.order.payments[0].ref, "CP1-42");
}

static void a_customer_is_found_behind_the_redirect(void **state)
{
    (void)state;
    snprintf(now.mark, sizeof(now.mark), "david.kent@example.com");
    assert_int_equal(ask(ASK_FIND, SECONDS(10))->error, 0);
    assert_int_equal(now.customer.id, 389427);
    assert_string_equal(now.customer.email, "david.kent@example.com");
    snprintf(now.mark, sizeof(now.mark), "nobody@example.com");
    assert_int_equal(ask(ASK_FIND, SECONDS(10))->error, ERR_NOT_FOUND);
}

static int requests_of(const char *method_and_path)
{
    int found = 0;
    const char *journal = control("GET", "/requests", NULL);
    while ((journal = strstr(journal, method_and_path)) != NULL) {
        journal++;
        found++;
    }
    return found;
}

#define HOOKS "/v1/companies/5678/webhooks"
#define POST_HOOKS "\"method\":\"POST\",\"path\":\"" HOOKS

static void webhooks_are_there_once_however_often_they_are_asked_for(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++)
        assert_int_equal(ask(ASK_HOOKS, SECONDS(10))->error, 0);
    assert_int_equal(requests_of(POST_HOOKS), 2);
}

static void webhooks_of_others_on_several_pages_are_no_hindrance(void **state)
{
    (void)state;
    enum { OTHERS = 60 };
    for (int i = 0; i < OTHERS; i++)
        fake_cloud_call(&cloud, "POST", "/companies/5678/webhooks",
                        "{\"topic\":\"sites/updated\",\"address\":\"http://127.0.0.1:9/x\"}");
    for (int i = 0; i < 2; i++)
        assert_int_equal(ask(ASK_HOOKS, SECONDS(10))->error, 0);
    assert_int_equal(requests_of(POST_HOOKS), OTHERS + 2);
    assert_int_equal(requests_of("\"method\":\"GET\",\"path\":\"" HOOKS), 2 * 3);
}

/* All pages of a list. */
static void list(enum what what)
{
    now.listed_count = now.page_count = 0;
    now.has_page = false;
    do {
        assert_int_equal(ask(what, SECONDS(10))->error, 0);
        now.has_page = now.has_next;
    } while (now.has_next);
}

static const struct order_brief *listed(int64_t order_id)
{
    for (int32_t i = 0; i < now.listed_count; i++)
        if (now.listed[i].id == order_id)
            return &now.listed[i];
    return NULL;
}

static int64_t end_order(int64_t order_id, const char *how)
{
    char path[64];
    snprintf(path, sizeof(path), "/orders/%" PRId64 "/%s", order_id, how);
    control("POST", path, "{}");
    return order_id;
}

static void orders_are_listed_page_by_page(void **state)
{
    (void)state;
    enum { SALES = 60 };
    int64_t sales[SALES];
    now.since_us = clock_wall_us() - SECONDS(60);
    for (int i = 0; i < SALES; i++)
        sales[i] = end_order(make_order(), "complete");
    int64_t open = make_order();
    int64_t deleted = end_order(make_order(), "delete");
    list(ASK_ORDERS);
    assert_int_equal(now.listed_count, SALES + 1 + SEEDED);
    assert_int_equal(now.page_count, 3);
    for (int i = 0; i < SALES; i++) {
        const struct order_brief *order = listed(sales[i]);
        assert_non_null(order);
        assert_int_equal(order->status, ORDER_COMPLETE);
        assert_int_equal(order->site_id, 923);
        assert_int_equal(order->total_minor, 4900);
        assert_int_equal(order->paid_minor, 4900);
        assert_false(order->is_deleted || order->is_refund);
        int64_t updated_us;
        assert_int_equal(clock_parse_time(text_of(order->updated_at), &updated_us), 0);
        assert_in_range(updated_us, now.since_us, clock_wall_us());
    }
    assert_non_null(listed(open));
    assert_int_equal(listed(open)->status, ORDER_PENDING);
    assert_null(listed(deleted));
    list(ASK_DELETED);
    assert_int_equal(now.listed_count, 1);
    assert_true(now.listed[0].id == deleted && now.listed[0].is_deleted);
    now.since_us = clock_wall_us() + SECONDS(60);
    list(ASK_ORDERS);
    assert_int_equal(now.listed_count, 0);
}

static void open_orders_of_long_ago_are_listed_too(void **state)
{
    (void)state;
    int64_t complete = end_order(make_order(), "complete");
    int64_t deleted = end_order(make_order(), "delete");
    int64_t open = make_order();
    now.since_us = clock_wall_us() + SECONDS(60);
    list(ASK_OLD_OPEN);
    assert_non_null(listed(open));
    assert_true(listed(complete) == NULL && listed(deleted) == NULL);
    now.since_us = clock_wall_us() - SECONDS(60);
    list(ASK_OLD_OPEN);
    assert_null(listed(open));
    now.since_us = clock_wall_us() + SECONDS(61 * CLOCK_S_PER_DAY);
    list(ASK_OLD_OPEN);
    assert_null(listed(open));
}

static void a_page_that_cannot_be_had_is_told(void **state)
{
    (void)state;
    now.since_us = 0;
    now.has_page = false;
    control("POST", "/faults", "{\"action\":\"status\",\"status\":503,\"count\":1}");
    assert_int_equal(ask(ASK_ORDERS, SECONDS(10))->error, ERR_BAD_REPLY);
    control("POST", "/faults",
            "{\"action\":\"status\",\"status\":200,\"body\":\"{}\",\"count\":1}");
    assert_int_equal(ask(ASK_ORDERS, SECONDS(10))->error, ERR_BAD_REPLY);
    control("POST", "/faults",
            "{\"action\":\"status\",\"status\":200,\"body\":\"[{}]\",\"count\":1}");
    assert_int_equal(ask(ASK_ORDERS, SECONDS(10))->error, ERR_BAD_REPLY);
    assert_int_equal(ask(ASK_ORDERS, SECONDS(10))->error, 0);
}

static void an_order_takes_five_notices_and_no_more(void **state)
{
    (void)state;
    char path[64];
    now.order_id = make_order();
    snprintf(path, sizeof(path), "/orders/%" PRId64 "/notifications", now.order_id);
    for (int i = 0; i < 5; i++)
        assert_int_equal(ask(ASK_NOTIFY, SECONDS(10))->error, 0);
    assert_int_equal(ask(ASK_NOTIFY, SECONDS(10))->error, ERR_REFUSED);
    assert_int_equal(now.result.status, 400);
    now.order_id = 12345;
    assert_int_equal(ask(ASK_NOTIFY, SECONDS(10))->error, ERR_NOT_FOUND);
    const char *all = control("GET", path, NULL);
    int count = 0;
    for (; (all = strstr(all, NOTICE)) != NULL; count++)
        all++;
    assert_int_equal(count, 5);
}

static void tokens_of_one_second_are_renewed_without_a_caller_noticing(void **state)
{
    (void)state;
    struct api_counters counters;
    control("PUT", "/settings",
            "{\"access_token_ttl_s\":1,\"refresh_returns_new\":true,\"refresh_revokes_old\":true}");
    control("POST", "/tokens/revoke", "{\"company_id\":5678,\"access\":true,\"refresh\":false}");
    now.order_id = make_order();
    for (int i = 0; i < 20; i++) {
        assert_int_equal(ask(ASK_GET, SECONDS(10))->error, 0);
        usleep(150000);
    }
    oseries_api_read_counters(f.api, &counters);
    assert_int_equal(counters.failures, 0);
    assert_true(counters.refreshes >= 1); /* that which was revoked */
}

/* --- as it should not be */

static const char *const faults[] = {
    "\"action\":\"drop_before\"",
    "\"action\":\"drop_after\"",
    "\"action\":\"hang\",\"ms\":220",
    "\"action\":\"hang\",\"ms\":220,\"when\":\"after\"",
    "\"action\":\"hang\",\"ms\":220,\"drop\":true",
    "\"action\":\"status\",\"status\":500",
    "\"action\":\"status\",\"status\":500,\"when\":\"after\"",
    "\"action\":\"status\",\"status\":503",
    "\"action\":\"status\",\"status\":504,\"when\":\"after\"",
    "\"action\":\"status\",\"status\":400",
    "\"action\":\"truncate\"",
    "\"action\":\"html\"",
    "\"action\":\"html\",\"when\":\"after\"",
    "\"action\":\"huge\",\"when\":\"after\"",
    "\"action\":\"expired_token\"",
    "\"action\":\"rate_limit\"",
    "\"action\":\"status\",\"status\":302",
};

static bool order_has_mark(void)
{
    assert_int_equal(ask(ASK_GET, SECONDS(10))->error, 0);
    bool has = strcmp(now.order.notes, now.mark) == 0;
    for (int32_t i = 0; i < now.order.line_count; i++)
        has = has || strcmp(now.order.lines[i].notes, now.mark) == 0;
    return has;
}

struct tally {
    int done, unharmed, refused_surely, happened_unseen, happened_later;
};

static void judge(struct tally *tally, const struct api_result *result)
{
    bool has_now = order_has_mark();
    if (result->may_happen_later)
        usleep((HANG_MS + 50) * 1000);
    bool has_later = result->may_happen_later ? order_has_mark() : has_now;
    if (result->error == 0)
        assert_true(has_now);
    else if (!result->may_have_happened)
        assert_false(has_now);
    if (result->may_happen_later)
        assert_true(result->may_have_happened && result->error != 0);
    tally->done += result->error == 0;
    tally->refused_surely += result->error != 0 && !result->may_have_happened;
    tally->unharmed += result->may_have_happened && !has_later;
    tally->happened_unseen += result->may_have_happened && has_now;
    tally->happened_later += !has_now && has_later;
}

static void round_with_fault(uint64_t *seed, int round, struct tally *tally)
{
    static const enum what changes[] = {ASK_PUT, ASK_POST_LINE, ASK_PUT_LINE};
    struct id_source dice = id_source_seeded(seed);
    uint8_t throws[2];
    char rule[160];
    dice.fill(dice.context, throws, sizeof(throws));
    enum what change = changes[throws[0] % 3];
    snprintf(rule, sizeof(rule),
             "{\"rules\":[{\"path\":\"/orders/\",\"method\":\"%s\",\"count\":1,%s}]}",
             change == ASK_POST_LINE ? "POST" : "PUT", faults[(size_t)round % COUNT_OF(faults)]);
    if (throws[1] % 16 != 0) /* now and then nothing goes wrong */
        control("POST", "/faults", rule);
    now.order_id = make_order();
    snprintf(now.mark, sizeof(now.mark), "CP-R%d", round);
    /* On a kept connection or a new one. */
    if (throws[1] % 2 == 0)
        assert_false(order_has_mark());
    const struct api_result result = *ask(change, DEADLINE_US);
    control("DELETE", "/faults", NULL);
    judge(tally, &result);
}

static void what_is_said_of_a_change_is_what_the_order_shows(void **state)
{
    (void)state;
    struct tally tally = {0};
    uint64_t seed = (uint64_t)clock_wall_us();
    print_message("seed %" PRIu64 "\n", seed);
    control("PUT", "/settings", "{\"rate_limit_bearer\":1000000}");
    now.order_id = make_order();
    assert_false(order_has_mark()); /* and the limit is known from its reply */
    for (int round = 0; round < ROUNDS_EACH * (int)COUNT_OF(faults); round++)
        round_with_fault(&seed, round, &tally);
    print_message("done %d, surely not %d, unharmed %d, unseen %d, later %d\n", tally.done,
                  tally.refused_surely, tally.unharmed, tally.happened_unseen,
                  tally.happened_later);
    assert_true(tally.done > 0 && tally.refused_surely > 0 && tally.unharmed > 0);
    assert_true(tally.happened_unseen > 0 && tally.happened_later > 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_order_is_read_changed_and_read_back),
        TEST(a_foreign_order_may_be_paid_only_with_the_flag),
        TEST(a_customer_is_found_behind_the_redirect),
        TEST(webhooks_are_there_once_however_often_they_are_asked_for),
        TEST(webhooks_of_others_on_several_pages_are_no_hindrance),
        TEST(orders_are_listed_page_by_page),
        TEST(open_orders_of_long_ago_are_listed_too),
        TEST(a_page_that_cannot_be_had_is_told),
        TEST(an_order_takes_five_notices_and_no_more),
        TEST(tokens_of_one_second_are_renewed_without_a_caller_noticing),
        TEST(what_is_said_of_a_change_is_what_the_order_shows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
