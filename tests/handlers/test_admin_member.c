/* Members added and imported between a fake exchange and a real store, which runs the task at once:
 * what times they bear. */
#include "base/error.h"
#include "handlers/admin.h"
#include "store/member.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Somebody has set the wall clock a day ahead since the service began. */
#define STEADY_US INT64_C(1779000000000000)
#define WALL_US (STEADY_US + INT64_C(86400000000))

static struct world {
    struct handlers handlers;
    struct directory_tenant tenant;
    struct seal *seal;
    struct store *store;
    struct exchange exchange;
    struct job *job;
    int status;
    _Alignas(max_align_t) char memory[64 * 1024];
    size_t used;
} world;

/* --- the fakes */

void *exchange_allocate(struct exchange *exchange, size_t size)
{
    assert_ptr_equal(exchange, &world.exchange);
    void *memory = world.memory + world.used;
    world.used +=
        (size + _Alignof(max_align_t) - 1) / _Alignof(max_align_t) * _Alignof(max_align_t);
    assert_true(world.used <= sizeof(world.memory));
    return memory;
}

struct job *exchange_job(struct exchange *exchange, size_t extra_bytes)
{
    assert_ptr_equal(exchange, &world.exchange);
    assert_null(world.job);
    world.job = calloc(1, sizeof(*world.job) + extra_bytes);
    assert_non_null(world.job);
    return world.job;
}

void exchange_submit_write(struct exchange *exchange, struct job *job, exchange_done_fn on_done)
{
    assert_ptr_equal(job, world.job);
    job->error = job->task(job, world.store);
    on_done(exchange, job);
}

void exchange_submit_read(struct exchange *exchange, struct job *job, exchange_done_fn on_done)
{
    (void)exchange, (void)job, (void)on_done;
    fail();
}

int exchange_offer_command(struct exchange *exchange, struct job *job, exchange_done_fn on_done)
{
    (void)exchange, (void)job, (void)on_done;
    fail();
    return 0;
}

void exchange_reply_json(struct exchange *exchange, int status, struct text body)
{
    (void)exchange, (void)body;
    assert_int_equal(world.status, 0);
    world.status = status;
}

void exchange_refuse(struct exchange *exchange, int status, const char *code, const char *sentence)
{
    (void)exchange, (void)status;
    fail_msg("%s: %s", code, sentence);
}

void exchange_fail_bug(struct exchange *exchange, const char *what)
{
    (void)exchange;
    fail_msg("%s", what);
}

const struct directory_tenant *directory_find_id(const struct directory_snapshot *snapshot,
                                                 int64_t tenant_id)
{
    (void)snapshot;
    return tenant_id == world.tenant.tenant.id ? &world.tenant : NULL;
}

enum tenant_place directory_place_of_id(const struct directory_snapshot *snapshot,
                                        int64_t tenant_id)
{
    (void)snapshot, (void)tenant_id;
    return TENANT_HERE;
}

int directory_load(struct directory *directory, struct store *store)
{
    (void)directory, (void)store;
    fail();
    return 0;
}

/* --- one request */

static struct tenant tenant_row(void)
{
    return (struct tenant){.name = "Harbour Kiosk",
                           .key = "00112233445566778899aabbccddeeff",
                           .currency = {"AUD", 2},
                           .zone = "UTC",
                           .oseries_company = 5678,
                           .signature_token = "a signature token",
                           .profile = "default",
                           .policy = {.replay_window_us = REPLAY_WINDOW_US,
                                      .replay_window_no_order_us = REPLAY_WINDOW_NO_ORDER_US},
                           TENANT_CHOICES};
}

static int setup(void **state)
{
    static const uint8_t master[SEAL_KEY_BYTES] = {1};
    (void)state;
    memset(&world, 0, sizeof(world));
    assert_int_equal(seal_from_bytes(master, &world.seal), 0);
    struct store_config config = {.location = ":memory:", .seal = world.seal};
    assert_int_equal(store_open(&config, STORE_WRITER, &world.store), 0);
    world.tenant.tenant = tenant_row();
    assert_int_equal(store_add_tenant(world.store, &world.tenant.tenant), 0);
    world.handlers.seal = world.seal;
    world.exchange = (struct exchange){
        .handlers = &world.handlers, .received_wall_us = WALL_US, .received_steady_us = STEADY_US};
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    free(world.job);
    store_close(world.store);
    seal_destroy(world.seal);
    return 0;
}

static struct member member_one(void)
{
    struct member member;
    assert_int_equal(world.status, 200);
    assert_int_equal(store_read_member(world.store, world.tenant.tenant.id, 1, &member), 0);
    return member;
}

/* --- the tests */

static void added_member_bears_the_time_that_expiry_goes_by(void **state)
{
    (void)state;
    world.exchange.body = TEXT("{\"tenant\":1,\"first_name\":\"Ann\",\"last_name\":\"Lee\","
                               "\"email\":\"ann@example.com\"}");
    admin_member_add(&world.exchange);
    struct member member = member_one();
    assert_int_equal(member.created_at_us, STEADY_US);
    assert_int_equal(member.account.active_at_us, STEADY_US);
}

static void points_are_given_when_their_member_is_added(void **state)
{
    (void)state;
    world.exchange.body = TEXT("{\"tenant\":1,\"first_name\":\"Ann\",\"last_name\":\"Lee\","
                               "\"email\":\"ann@example.com\",\"points\":50}");
    admin_member_add(&world.exchange);
    struct member member = member_one();
    assert_int_equal(member.account.points, 50);
    assert_int_equal(member.created_at_us, STEADY_US);
    assert_int_equal(member.account.active_at_us, STEADY_US);
}

static void imported_member_bears_the_time_that_expiry_goes_by(void **state)
{
    (void)state;
    world.exchange.body = TEXT("{\"tenant\":1,\"columns\":[\"first_name\",\"email\"],"
                               "\"rows\":[[2,\"Ann\",\"ann@example.com\"]]}");
    admin_member_import(&world.exchange);
    struct member member = member_one();
    assert_int_equal(member.created_at_us, STEADY_US);
    assert_int_equal(member.account.active_at_us, STEADY_US);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(added_member_bears_the_time_that_expiry_goes_by),
        TEST(points_are_given_when_their_member_is_added),
        TEST(imported_member_bears_the_time_that_expiry_goes_by),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
