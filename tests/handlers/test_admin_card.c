/* Issuing cards, between a fake exchange and a fake committer: what is asked for, what is answered,
 * and that neither number nor PIN is left behind when the request's memory is given back. */
#include "base/error.h"
#include "handlers/admin.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NUMBER "7100000000004321"
#define PIN "80817263"
#define JOBS_MAX 4

/* Everything around one request. */
static struct world {
    struct handlers handlers;
    struct directory_tenant tenant;
    struct seal *seal;
    h2o_req_t *req;
    struct exchange exchange;
    struct job *jobs[JOBS_MAX];
    exchange_done_fn on_done;
    int job_count;
    int status;
    char reply[4096];
    /* What a pool hands out; kept here so that it can be looked at when the pool is gone. */
    _Alignas(max_align_t) char memory[16384];
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
    assert_int_equal(extra_bytes, 0);
    assert_true(world.job_count < JOBS_MAX);
    struct job *job = calloc(1, sizeof(*job));
    assert_non_null(job);
    world.jobs[world.job_count++] = job;
    return job;
}

int exchange_offer_command(struct exchange *exchange, struct job *job, exchange_done_fn on_done)
{
    (void)exchange;
    assert_ptr_equal(job, world.jobs[world.job_count - 1]);
    world.on_done = on_done;
    return 0;
}

void exchange_submit_write(struct exchange *exchange, struct job *job, exchange_done_fn on_done)
{
    (void)exchange, (void)job, (void)on_done;
    fail();
}

void exchange_submit_read(struct exchange *exchange, struct job *job, exchange_done_fn on_done)
{
    (void)exchange, (void)job, (void)on_done;
    fail();
}

void exchange_reply_json(struct exchange *exchange, int status, struct text body)
{
    (void)exchange;
    assert_int_equal(world.status, 0);
    world.status = status;
    assert_true(body.length < sizeof(world.reply));
    memcpy(world.reply, body.base, body.length);
    world.reply[body.length] = '\0';
}

void exchange_refuse(struct exchange *exchange, int status, const char *code, const char *sentence)
{
    (void)code;
    exchange_reply_json(exchange, status, text_of(sentence));
}

void exchange_fail_bug(struct exchange *exchange, const char *what)
{
    (void)exchange, (void)what;
    fail();
}

void metrics_outcome(struct metrics *metrics, enum action action, enum result result,
                     bool is_replay)
{
    (void)metrics, (void)result, (void)is_replay;
    assert_int_equal(action, ACTION_ISSUE);
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

static int setup(void **state)
{
    static const uint8_t master[SEAL_KEY_BYTES] = {1};
    (void)state;
    memset(&world, 0, sizeof(world));
    assert_int_equal(seal_from_bytes(master, &world.seal), 0);
    world.tenant.tenant = (struct tenant){.id = 1, .currency = {"AUD", 2}, .card_prefix = "9000"};
    assert_int_equal(clock_zone_create("UTC", &world.tenant.zone), 0);
    world.handlers.seal = world.seal;
    world.handlers.random = id_source_system();
    world.req = calloc(1, sizeof(*world.req));
    assert_non_null(world.req);
    h2o_mem_init_pool(&world.req->pool);
    world.exchange = (struct exchange){.req = world.req, .handlers = &world.handlers};
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    for (int i = 0; i < world.job_count; i++)
        free(world.jobs[i]);
    clock_zone_destroy(world.tenant.zone);
    seal_destroy(world.seal);
    free(world.req);
    return 0;
}

static void issue(const char *body)
{
    world.exchange.body = text_of(body);
    admin_card_issue(&world.exchange);
}

static void end_job(int index)
{
    struct job *job = world.jobs[index];
    job->outcome = (struct outcome){.result = RESULT_OK, .card_id = index + 1};
    memcpy(job->outcome.last4, job->command.new_card.last4, 4);
    world.on_done(&world.exchange, job);
}

static bool memory_has(const char *text)
{
    return memmem(world.memory, sizeof(world.memory), text, strlen(text)) != NULL;
}

/* --- the tests */

static void one_card_is_issued_and_its_secrets_go_with_the_request(void **state)
{
    (void)state;
    issue("{\"tenant\":1,\"amount\":\"5.00\",\"number\":\"7100-0000 00004321\",\"pin\":\"" PIN
          "\"}");
    assert_int_equal(world.job_count, 1);
    assert_true(world.jobs[0]->command.has_pin);
    end_job(0);
    assert_int_equal(world.status, 200);
    assert_non_null(strstr(world.reply, "\"number\":\"" NUMBER "\""));
    assert_true(memory_has(NUMBER)); /* the search can find something */
    assert_true(memory_has(PIN));
    h2o_mem_clear_pool(&world.req->pool);
    assert_false(memory_has(NUMBER));
    assert_false(memory_has(PIN));
}

static void generated_numbers_go_with_the_request(void **state)
{
    (void)state;
    issue("{\"tenant\":1,\"count\":2,\"pin\":\"" PIN "\"}");
    assert_int_equal(world.job_count, 2);
    assert_true(memory_has("9000"));
    end_job(1);
    assert_int_equal(world.status, 0); /* the other one is still away */
    end_job(0);
    assert_int_equal(world.status, 200);
    h2o_mem_clear_pool(&world.req->pool);
    assert_false(memory_has(PIN));
    assert_false(memory_has("9000")); /* the prefix: not in the reply that was built either */
}

static void client_that_leaves_early_leaves_no_secret(void **state)
{
    (void)state;
    issue("{\"tenant\":1,\"number\":\"" NUMBER "\",\"pin\":\"" PIN "\"}");
    assert_int_equal(world.job_count, 1);
    h2o_mem_clear_pool(&world.req->pool);
    assert_false(memory_has(NUMBER));
    assert_false(memory_has(PIN));
}

static void refused_request_leaves_no_secret(void **state)
{
    (void)state;
    issue("{\"tenant\":1,\"number\":\"" NUMBER "\",\"pin\":\"" PIN "\",\"amount\":\"much\"}");
    assert_int_equal(world.job_count, 0);
    assert_int_equal(world.status, 400);
    h2o_mem_clear_pool(&world.req->pool);
    assert_false(memory_has(NUMBER));
    assert_false(memory_has(PIN));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(one_card_is_issued_and_its_secrets_go_with_the_request),
        TEST(generated_numbers_go_with_the_request),
        TEST(client_that_leaves_early_leaves_no_secret),
        TEST(refused_request_leaves_no_secret),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
