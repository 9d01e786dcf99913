/*
 * The manager of refresh tokens with a real store, a real outbound thread and a token endpoint that
 * says what the test wants: what callers get, what is asked, and what is in the store by then.
 */
#include "oauth/oauth.h"

#include "base/clock.h"
#include "runtime/queue.h"
#include "tests/support/faulty_store.h"
#include "tests/support/tiny_http.h"

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

#define S CLOCK_US_PER_S
#define HOUR_US (3600 * S)
#define COMPANY 5678
#define CALLERS_MAX 16
#define OTHER "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

static struct fixture {
    char folder[64];
    char path[128];
    struct seal *seal;
    struct store *writer, *reader_store, *beside; /* beside: another process's */
    struct faulty_store faulty;
    struct tenant tenant;
    struct committer *committer;
    struct reader *reader;
    struct directory *directory;
    struct token_keys *keys;
    struct outbound *outbound;
    struct tiny *tiny;
    struct oauth *oauth;
    char token_url[64], api_url[64];
    char replies[16][512];
    int reply_count;
    int reloads;
} f;

/* --- the world around it */

static void script_text(const char *status, const char *json, int delay_ms)
{
    assert_true(f.reply_count < (int)COUNT_OF(f.replies));
    char *reply = f.replies[f.reply_count++];
    snprintf(reply, sizeof(f.replies[0]),
             "HTTP/1.1 %s\r\ncontent-type: application/json\r\ncontent-length: %zu\r\n\r\n%s",
             status, strlen(json), json);
    tiny_script(f.tiny, (struct tiny_answer){.way = TINY_SAY, .text = reply, .delay_ms = delay_ms});
}

/* The pair number n, with a life. */
static void script_pair(int n, int life_s, int delay_ms)
{
    char json[256];
    snprintf(json, sizeof(json),
             "{\"access_token\":\"access-%d\",\"refresh_token\":\"refresh-%d\",\"expires_in\":%d}",
             n, n, life_s);
    script_text("200 OK", json, delay_ms);
}

static void script_error(const char *code, int delay_ms)
{
    char json[128];
    snprintf(json, sizeof(json), "{\"error\":\"%s\"}", code);
    script_text("400 Bad Request", json, delay_ms);
}

static int reload(void *context, struct store *store)
{
    (void)store;
    ++*(int *)context;
    return 0;
}

static void open_stores(void)
{
    static const uint8_t master[SEAL_KEY_BYTES] = {1};
    memcpy(f.folder, "/tmp/counterpart_oauth_XXXXXX", 30);
    assert_non_null(mkdtemp(f.folder));
    snprintf(f.path, sizeof(f.path), "%s/store", f.folder);
    assert_int_equal(seal_from_bytes(master, &f.seal), 0);
    struct store_config config = {.location = f.path, .seal = f.seal};
    assert_int_equal(store_open(&config, STORE_WRITER, &f.writer), 0);
    assert_int_equal(store_open(&config, STORE_WRITER, &f.beside), 0);
    assert_int_equal(store_open(&config, STORE_READER, &f.reader_store), 0);
}

static void add_tenant(int64_t company)
{
    f.tenant = (struct tenant){.name = "Tenant",
                               .key = "0123456789abcdef0123456789abcdef",
                               .currency = {"AUD", 2},
                               .zone = "UTC",
                               .profile = "default",
                               .oseries_company = company,
                               .refusal_status = 200,
                               .deadline_us = 4 * S,
                               .token_refresh_us = 24 * HOUR_US,
                               .reservation_max_us = HOUR_US,
                               .redeem_token_us = HOUR_US,
                               .points_label = "Points"};
    assert_int_equal(store_add_tenant(f.writer, &f.tenant), 0);
}

static void put_app(void)
{
    const struct app app = {
        .surface = APP_OSERIES, .client_id = "client id", .client_secret = "s&cret"};
    assert_int_equal(store_put_app(f.writer, &app), 0);
}

/* A grant whose access token ends in so many microseconds. */
static struct grant put_grant(int64_t left_us)
{
    int64_t now_us = clock_steady_us();
    struct grant grant = {.tenant_id = f.tenant.id,
                          .surface = APP_OSERIES,
                          .kind = GRANT_OAUTH,
                          .status = GRANT_CONNECTED,
                          .company_id = COMPANY,
                          .access_token = "access-0",
                          .refresh_token = "refresh-0",
                          .connected_at_us = now_us - HOUR_US,
                          .refreshed_at_us = now_us + left_us - HOUR_US,
                          .expires_at_us = now_us + left_us};
    assert_int_equal(store_put_grant(f.writer, &grant), 0);
    return grant;
}

static void start_threads(void)
{
    faulty_store_init(&f.faulty, f.writer);
    const struct committer_config config = {.stores = {&f.faulty.super}, .batch_max = 8};
    assert_int_equal(committer_create(&config, &f.committer), 0);
    assert_int_equal(reader_create(&f.reader_store, 1, &f.reader), 0);
    assert_int_equal(directory_create(&f.directory), 0);
    assert_int_equal(token_keys_create(f.seal, 1, &f.keys), 0);
    assert_int_equal(outbound_create(&f.outbound), 0);
}

/* Once the store is as the test wants it. */
static void start(void)
{
    assert_int_equal(directory_load(f.directory, f.beside), 0);
    const struct oauth_config config = {.outbound = f.outbound,
                                        .committer = f.committer,
                                        .reader = f.reader,
                                        .directory = f.directory,
                                        .keys = f.keys,
                                        .random = id_source_system(),
                                        .authorize_url = "http://127.0.0.1:1/authorize",
                                        .token_url = f.token_url,
                                        .api_url = f.api_url,
                                        .public_url = "http://127.0.0.1:1",
                                        .reload = reload,
                                        .reload_context = &f.reloads};
    assert_int_equal(oauth_create(&config, f.beside, &f.oauth), 0);
}

static int setup(void **state)
{
    (void)state;
    memset(&f, 0, sizeof(f));
    f.tiny = tiny_start();
    snprintf(f.token_url, sizeof(f.token_url), "http://127.0.0.1:%d/token", tiny_port(f.tiny));
    snprintf(f.api_url, sizeof(f.api_url), "http://127.0.0.1:%d/v1", tiny_port(f.tiny));
    open_stores();
    add_tenant(COMPANY);
    start_threads();
    return 0;
}

static void remove_files(void)
{
    char path[160];
    static const char *const suffixes[] = {"", "-wal", "-shm"};
    for (size_t i = 0; i < COUNT_OF(suffixes); i++) {
        snprintf(path, sizeof(path), "%s%s", f.path, suffixes[i]);
        unlink(path);
    }
    rmdir(f.folder);
}

static int teardown(void **state)
{
    (void)state;
    outbound_drain(f.outbound);
    committer_stop(f.committer);
    reader_stop(f.reader);
    outbound_destroy(f.outbound);
    oauth_destroy(f.oauth);
    committer_destroy(f.committer);
    reader_destroy(f.reader);
    directory_destroy(f.directory);
    token_keys_destroy(f.keys);
    faulty_store_finish(&f.faulty);
    store_close(f.reader_store);
    store_close(f.beside);
    store_close(f.writer);
    seal_destroy(f.seal);
    tiny_stop(f.tiny);
    remove_files();
    return 0;
}

static struct grant stored(void)
{
    struct grant grant;
    assert_int_equal(store_read_grant(f.beside, f.tenant.id, APP_OSERIES, &grant), 0);
    return grant;
}

/* --- callers, on the outbound thread */

struct caller {
    struct outbound_message message;
    bool renews;
    int64_t stale_version;
    /* what it got */
    bool is_done;
    int err;
    enum grant_kind kind;
    char authorization[600];
    char stored_token[GRANT_TOKEN_MAX + 1]; /* what the store held when it got it */
    int64_t version, company_id;
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static struct caller callers[CALLERS_MAX];

static void on_access(void *context, int err, const struct oauth_access *access)
{
    struct caller *caller = context;
    struct grant grant;
    pthread_mutex_lock(&mutex);
    assert_false(caller->is_done);
    caller->err = err;
    assert_int_equal(err == 0, access != NULL);
    if (access != NULL) {
        caller->kind = access->kind;
        caller->version = access->version;
        caller->company_id = access->company_id;
        snprintf(caller->authorization, sizeof(caller->authorization), "%s", access->authorization);
        if (store_read_grant(f.beside, f.tenant.id, APP_OSERIES, &grant) == 0)
            memcpy(caller->stored_token, grant.access_token, sizeof(caller->stored_token));
    }
    caller->is_done = true;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&mutex);
}

static void on_call(void *context)
{
    struct caller *caller = context;
    if (caller->renews)
        oauth_renew(f.oauth, f.tenant.id, caller->stale_version, on_access, caller);
    else
        oauth_acquire(f.oauth, f.tenant.id, on_access, caller);
}

static void call(int index, bool renews, int64_t stale_version)
{
    callers[index] = (struct caller){.renews = renews, .stale_version = stale_version};
    callers[index].message = (struct outbound_message){.fn = on_call, .context = &callers[index]};
    outbound_post(f.outbound, &callers[index].message);
}

static const struct caller *await(int index)
{
    pthread_mutex_lock(&mutex);
    while (!callers[index].is_done)
        pthread_cond_wait(&changed, &mutex);
    pthread_mutex_unlock(&mutex);
    return &callers[index];
}

static const struct caller *acquire(void)
{
    call(0, false, 0);
    return await(0);
}

static void assert_token(const struct caller *caller, int n)
{
    char wanted[32];
    snprintf(wanted, sizeof(wanted), "Bearer access-%d", n);
    assert_int_equal(caller->err, 0);
    assert_string_equal(caller->authorization, wanted);
    /* It was written before anybody got it. */
    assert_string_equal(caller->stored_token, wanted + strlen("Bearer "));
    assert_int_equal(caller->company_id, COMPANY);
}

static struct oauth_status status;

static void take_status(void *context, const struct oauth_status *each)
{
    (void)context;
    status = *each;
}

static const struct oauth_status *read_status(void)
{
    memset(&status, 0, sizeof(status));
    oauth_each_status(f.oauth, take_status, NULL);
    return &status;
}

/* --- a person's jobs */

struct person {
    struct job job;
    struct oauth_task task; /* job + 1 */
    bool is_done;
};
_Static_assert(offsetof(struct person, task) == sizeof(struct job), "the task follows the job");
static struct person person;

static void on_job_back(struct job *job)
{
    (void)job;
    pthread_mutex_lock(&mutex);
    person.is_done = true;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&mutex);
}

static void make_job(job_begin_fn begin, const char *code)
{
    memset(&person, 0, sizeof(person));
    person.task.oauth = f.oauth;
    person.task.tenant_id = f.tenant.id;
    snprintf(person.task.code, sizeof(person.task.code), "%s", code);
    person.job.begin = begin;
    person.job.give_back = on_job_back;
    person.job.deadline_us = clock_monotonic_us() + OAUTH_TASK_US;
}

static void submit(job_begin_fn begin, const char *code)
{
    make_job(begin, code);
    assert_int_equal(outbound_submit(f.outbound, &person.job), 0);
}

static int await_person(void)
{
    pthread_mutex_lock(&mutex);
    while (!person.is_done)
        pthread_cond_wait(&changed, &mutex);
    pthread_mutex_unlock(&mutex);
    return person.job.error;
}

static int ask(job_begin_fn begin, const char *code)
{
    submit(begin, code);
    return await_person();
}

static bool person_was_answered(void)
{
    pthread_mutex_lock(&mutex);
    bool is_done = person.is_done;
    pthread_mutex_unlock(&mutex);
    return is_done;
}

/* --- getting a token */

static void who_is_not_connected_gets_no_token(void **state)
{
    (void)state;
    put_app();
    start();
    assert_int_equal(acquire()->err, ERR_NOT_CONNECTED);
    call(1, true, 1);
    assert_int_equal(await(1)->err, ERR_NOT_CONNECTED);
    assert_int_equal(tiny_count(f.tiny), 0);
}

static void a_good_token_is_given_at_once(void **state)
{
    (void)state;
    put_app();
    struct grant grant = put_grant(HOUR_US / 2);
    start();
    assert_token(acquire(), 0);
    assert_int_equal(callers[0].kind, GRANT_OAUTH);
    assert_int_equal(callers[0].version, grant.version);
    assert_int_equal(tiny_count(f.tiny), 0);
}

static void all_who_come_while_it_is_refreshed_get_the_new_one(void **state)
{
    (void)state;
    put_app();
    put_grant(-S);
    script_pair(1, 3600, 50);
    start();
    for (int i = 0; i < CALLERS_MAX; i++)
        call(i, i % 2 == 1, 1);
    for (int i = 0; i < CALLERS_MAX; i++)
        assert_token(await(i), 1);
    assert_int_equal(tiny_count(f.tiny), 1);
    assert_string_equal(stored().refresh_token, "refresh-1");
    assert_string_equal(stored().lease_owner, "");
    assert_int_equal(read_status()->refreshes, 1);
}

static void the_request_has_what_the_endpoint_wants(void **state)
{
    (void)state;
    put_app();
    put_grant(-S);
    script_pair(1, 3600, 0);
    start();
    assert_token(acquire(), 1);
    const struct tiny_request *request = tiny_await(f.tiny, 0);
    assert_ptr_equal(strstr(request->head, "POST /token HTTP/1.1\r\n"), request->head);
    assert_string_equal(tiny_header(request, "content-type"), "application/x-www-form-urlencoded");
    assert_int_equal(request->body_length,
                     strlen("grant_type=refresh_token&refresh_token=refresh-0&"
                            "client_id=client%20id&client_secret=s%26cret"));
    assert_memory_equal(request->body,
                        "grant_type=refresh_token&refresh_token=refresh-0&"
                        "client_id=client%20id&client_secret=s%26cret",
                        request->body_length);
}

static void a_token_that_was_refused_is_renewed_once_for_all(void **state)
{
    (void)state;
    put_app();
    struct grant grant = put_grant(HOUR_US / 2);
    script_pair(1, 3600, 30);
    start();
    for (int i = 0; i < 8; i++)
        call(i, true, grant.version);
    for (int i = 0; i < 8; i++)
        assert_token(await(i), 1);
    /* Who was refused before that gets the one there is. */
    call(8, true, grant.version);
    assert_token(await(8), 1);
    assert_int_equal(tiny_count(f.tiny), 1);
}

/* Each renewal spends a pair: an API that refuses them all is not helped by more. */
static void a_token_that_came_of_a_renewal_is_not_renewed_again_at_once(void **state)
{
    (void)state;
    put_app();
    struct grant grant = put_grant(HOUR_US / 2);
    script_pair(1, 3600, 0);
    start();
    call(0, true, grant.version);
    assert_token(await(0), 1);
    for (int i = 1; i < 5; i++) {
        call(i, true, callers[0].version);
        assert_int_equal(await(i)->err, ERR_REFUSED);
    }
    assert_int_equal(tiny_count(f.tiny), 1);
    assert_token(acquire(), 1); /* who has not been refused gets it all the same */
    script_pair(2, 3600, 0);
    assert_int_equal(ask(oauth_begin_refresh, ""), 0); /* and a person may try */
    assert_token(acquire(), 2);
}

/* Then the reason is that its refresh failed. */
static void a_token_of_a_renewal_whose_life_is_over_is_not_said_to_be_refused(void **state)
{
    (void)state;
    put_app();
    struct grant grant = put_grant(HOUR_US / 2);
    script_pair(1, 1, 0);
    start();
    call(0, true, grant.version);
    assert_token(await(0), 1);
    script_text("500 Internal Server Error", "{}", 0);
    tiny_await(f.tiny, 1);
    usleep(300 * 1000);
    call(1, true, callers[0].version);
    assert_int_equal(await(1)->err, ERR_BAD_REPLY);
}

static void a_life_counts_from_when_it_was_asked_for(void **state)
{
    (void)state;
    put_app();
    put_grant(-S);
    /* Its second is over before the reply is here: nobody gets it, it is refreshed again. */
    script_pair(1, 1, 950);
    script_pair(2, 3600, 0);
    start();
    assert_token(acquire(), 2);
    assert_int_equal(tiny_count(f.tiny), 2);
    const struct tiny_request *second = tiny_await(f.tiny, 1);
    assert_non_null(strstr(second->body, "refresh_token=refresh-1&"));
}

static void tokens_that_never_arrive_in_time_are_given_up(void **state)
{
    (void)state;
    put_app();
    put_grant(-S);
    for (int i = 1; i <= 6; i++)
        script_pair(i, 1, 900);
    start();
    assert_int_equal(acquire()->err, ERR_TIMED_OUT);
    assert_in_range(tiny_count(f.tiny), 6, 7); /* the next one is under way for nobody */
    assert_string_equal(stored().refresh_token, "refresh-6"); /* none of them is lost */
}

static void while_refreshes_fail_nobody_waits(void **state)
{
    (void)state;
    put_app();
    put_grant(-S);
    script_text("500 Internal Server Error", "{}", 0);
    start();
    assert_int_equal(acquire()->err, ERR_BAD_REPLY);
    for (int i = 1; i < 6; i++) {
        call(i, i % 2 == 0, stored().version);
        assert_int_equal(await(i)->err, ERR_BAD_REPLY);
    }
    assert_int_equal(tiny_count(f.tiny), 1);
    assert_int_equal(read_status()->failures, 1);
    assert_int_equal(stored().failures, 1);
    assert_string_equal(stored().refresh_token, "refresh-0");
    assert_true(read_status()->is_alarming); /* its token has ended */
    script_pair(1, 3600, 0);
    tiny_await(f.tiny, 1); /* a second later by itself */
    while (read_status()->failures != 0)
        usleep(1000);
    assert_token(acquire(), 1);
    assert_false(read_status()->is_alarming);
    assert_int_equal(stored().failures, 0);
}

static void without_an_application_nothing_can_be_refreshed(void **state)
{
    (void)state;
    put_grant(-S);
    start();
    assert_false(oauth_has_app(f.oauth));
    assert_int_equal(acquire()->err, ERR_NO_APP);
    assert_int_equal(tiny_count(f.tiny), 0);
    put_app();
    script_pair(1, 3600, 0);
    assert_int_equal(ask(oauth_begin_reload_app, ""), 0);
    assert_true(oauth_has_app(f.oauth));
    tiny_await(f.tiny, 0); /* what had failed is tried again at once */
    while (read_status()->failures != 0)
        usleep(1000);
    assert_token(acquire(), 1);
}

/* For who has written it, and whom nobody waits for any more. */
static void an_application_is_taken_over_without_a_job(void **state)
{
    (void)state;
    put_app();
    put_grant(-S);
    start();
    struct app app;
    assert_int_equal(store_read_app(f.beside, APP_OSERIES, &app), 0);
    for (int i = 0; i < 20; i++) { /* the last one counts */
        snprintf(app.client_secret, sizeof(app.client_secret), "secret-%d", i);
        assert_int_equal(store_put_app(f.beside, &app), 0);
        oauth_reload_app(f.oauth);
    }
    usleep(300 * 1000);
    script_pair(1, 3600, 0);
    assert_int_equal(ask(oauth_begin_refresh, ""), 0);
    const struct tiny_request *request = tiny_await(f.tiny, tiny_count(f.tiny) - 1);
    assert_non_null(strstr(request->body, "client_secret=secret-19"));
}

static void basic_authentication_is_made_of_id_and_secret(void **state)
{
    (void)state;
    put_app();
    script_text("200 OK", "{\"id\":5678,\"name\":\"Demo\"}", 0);
    start();
    assert_int_equal(ask(oauth_begin_basic, ""), 0);
    assert_int_equal(person.task.company_id, COMPANY);
    assert_string_equal(tiny_header(tiny_await(f.tiny, 0), "authorization"),
                        "Basic Y2xpZW50IGlkOnMmY3JldA==");
    assert_int_equal(acquire()->err, 0);
    assert_int_equal(callers[0].kind, GRANT_BASIC);
    assert_string_equal(callers[0].authorization, "Basic Y2xpZW50IGlkOnMmY3JldA==");
    call(1, true, callers[0].version);
    assert_int_equal(await(1)->err, ERR_NOT_CONNECTED); /* another would be the same */
    assert_int_equal(ask(oauth_begin_refresh, ""), ERR_REFUSED);
    assert_int_equal(tiny_count(f.tiny), 1);
}

/* --- the store */

static void a_write_that_happened_unseen_is_found(void **state)
{
    (void)state;
    put_app();
    put_grant(-S);
    script_pair(1, 3600, 0);
    f.faulty.fail_grants = 1;
    f.faulty.grant_error = ERR_COMMIT_UNKNOWN;
    f.faulty.grant_happens = true;
    start();
    assert_token(acquire(), 1);
    assert_int_equal(tiny_count(f.tiny), 1);
    assert_int_equal(stored().version, 3); /* put, leased, written: once */
}

static void a_write_that_did_not_happen_is_made_again(void **state)
{
    (void)state;
    put_app();
    put_grant(-S);
    script_pair(1, 3600, 0);
    f.faulty.fail_grants = 2;
    f.faulty.grant_error = ERR_COMMIT_UNKNOWN;
    start();
    assert_token(acquire(), 1);
    assert_int_equal(tiny_count(f.tiny), 1);
}

/* A single-use pair exists nowhere else: it is kept until the disk takes it. */
static void a_pair_that_cannot_be_written_is_kept_and_given_to_nobody(void **state)
{
    (void)state;
    put_app();
    put_grant(-S);
    script_pair(1, 3600, 0);
    f.faulty.fail_grants = 2;
    f.faulty.grant_error = ERR_STORE_FULL;
    start();
    assert_int_equal(acquire()->err, ERR_STORE_FULL);
    assert_string_equal(stored().access_token, "access-0");
    call(1, false, 0); /* waits for the next attempt */
    assert_int_equal(await(1)->err, ERR_STORE_FULL);
    call(2, false, 0);
    assert_token(await(2), 1);
    assert_int_equal(tiny_count(f.tiny), 1);
}

static void a_lease_that_cannot_be_taken_is_a_failure_that_passes(void **state)
{
    (void)state;
    put_app();
    put_grant(-S);
    script_pair(1, 3600, 0);
    f.faulty.fail_leases = 1;
    f.faulty.grant_error = ERR_STORE_BUSY;
    start();
    assert_int_equal(acquire()->err, ERR_STORE_BUSY);
    assert_int_equal(tiny_count(f.tiny), 0);
    tiny_await(f.tiny, 0);
    while (read_status()->failures != 0)
        usleep(1000);
    assert_token(acquire(), 1);
}

static void a_failure_that_cannot_be_written_is_known_all_the_same(void **state)
{
    (void)state;
    put_app();
    put_grant(-S);
    script_text("500 Internal Server Error", "{}", 0);
    f.faulty.fail_grants = 1;
    f.faulty.grant_error = ERR_STORE_FULL;
    start();
    assert_int_equal(acquire()->err, ERR_STORE_FULL);
    assert_int_equal(read_status()->failures, 1);
    assert_int_equal(stored().failures, 0);
    script_pair(1, 3600, 0);
    tiny_await(f.tiny, 1); /* the lease is still ours */
    while (read_status()->failures != 0)
        usleep(1000);
    assert_token(acquire(), 1);
}

static void invalid_grant_is_believed_only_when_the_store_could_be_read(void **state)
{
    (void)state;
    put_app();
    put_grant(-S);
    script_error("invalid_grant", 0);
    f.faulty.fail_grant_reads = 1;
    start();
    assert_int_equal(acquire()->err, ERR_STORE_BUSY);
    assert_int_equal(read_status()->status, GRANT_CONNECTED);
    script_error("invalid_grant", 0);
    tiny_await(f.tiny, 1);
    while (read_status()->status == GRANT_CONNECTED)
        usleep(1000);
    assert_int_equal(read_status()->status, GRANT_RECONNECT_REQUIRED);
    assert_int_equal(stored().status, GRANT_RECONNECT_REQUIRED);
}

static void an_unknown_write_is_read_until_it_is_known(void **state)
{
    (void)state;
    put_app();
    put_grant(-S);
    script_pair(1, 3600, 0);
    f.faulty.fail_grants = 1;
    f.faulty.grant_error = ERR_COMMIT_UNKNOWN;
    f.faulty.grant_happens = true;
    f.faulty.fail_grant_reads = 2;
    start();
    assert_int_equal(acquire()->err, ERR_STORE_BUSY);
    while (read_status()->refreshes == 0)
        usleep(1000);
    assert_token(acquire(), 1);
    assert_int_equal(stored().version, 3);
}

static void the_end_waits_until_a_pair_is_written(void **state)
{
    (void)state;
    put_app();
    put_grant(-S);
    script_pair(1, 3600, 0);
    f.faulty.fail_grants = 6;
    f.faulty.grant_error = ERR_STORE_BUSY;
    start();
    assert_int_equal(acquire()->err, ERR_STORE_BUSY);
    outbound_drain(f.outbound);
    assert_string_equal(stored().refresh_token, "refresh-1");
    assert_int_equal(tiny_count(f.tiny), 1);
}

static void the_end_waits_until_an_unknown_write_is_known(void **state)
{
    (void)state;
    put_app();
    put_grant(-S);
    script_pair(1, 3600, 0);
    f.faulty.fail_grants = 1;
    f.faulty.grant_error = ERR_COMMIT_UNKNOWN; /* and it did not happen */
    f.faulty.fail_grant_reads = 5;
    start();
    assert_int_equal(acquire()->err, ERR_STORE_BUSY);
    outbound_drain(f.outbound);
    assert_string_equal(stored().refresh_token, "refresh-1");
}

static void a_pair_that_arrives_at_the_end_is_written_however_often_it_fails(void **state)
{
    (void)state;
    put_app();
    put_grant(-S);
    script_pair(1, 3600, 300);
    f.faulty.fail_grants = 4;
    f.faulty.grant_error = ERR_STORE_BUSY;
    start();
    call(0, false, 0);
    tiny_await(f.tiny, 0);
    outbound_drain(f.outbound);
    assert_int_equal(await(0)->err, ERR_STORE_BUSY);
    assert_string_equal(stored().refresh_token, "refresh-1");
}

/* The drain has an end, and so has the thread when the store's has come. */
static void a_pair_that_cannot_be_written_holds_up_the_end_for_a_while_only(void **state)
{
    (void)state;
    put_app();
    put_grant(-S);
    script_pair(1, 3600, 0);
    f.faulty.fail_grants = INT32_MAX;
    f.faulty.grant_error = ERR_STORE_BUSY;
    start();
    assert_int_equal(acquire()->err, ERR_STORE_BUSY);
    int64_t began_us = clock_monotonic_us();
    outbound_drain(f.outbound);
    int64_t drained_us = clock_monotonic_us();
    assert_in_range(drained_us - began_us, OUTBOUND_GRACE_US, 2 * OUTBOUND_GRACE_US);
    committer_stop(f.committer);
    outbound_stop(f.outbound);
    assert_in_range(clock_monotonic_us() - drained_us, 0, S);
}

/* --- other processes */

/* Another process thinks that our lease has ended, and takes its own. */
static struct grant lease_over_ours(void)
{
    const struct grant_lease lease = {.tenant_id = f.tenant.id,
                                      .surface = APP_OSERIES,
                                      .owner = OTHER,
                                      .now_us = INT64_MAX - 1,
                                      .until_us = INT64_MAX};
    struct grant grant;
    assert_int_equal(store_lease_grant(f.beside, &lease, &grant), 0);
    return grant;
}

static void mark_as_other(enum grant_status wanted)
{
    struct grant grant = lease_over_ours();
    grant.status = wanted;
    if (wanted == GRANT_REVOKED)
        grant.access_token[0] = grant.refresh_token[0] = '\0';
    assert_int_equal(store_put_grant(f.beside, &grant), 0);
}

static void write_as_other(int n, int64_t life_us)
{
    struct grant grant = lease_over_ours();
    snprintf(grant.access_token, sizeof(grant.access_token), "access-%d", n);
    snprintf(grant.refresh_token, sizeof(grant.refresh_token), "refresh-%d", n);
    grant.refreshed_at_us = clock_steady_us();
    grant.expires_at_us = grant.refreshed_at_us + life_us;
    assert_int_equal(store_put_grant(f.beside, &grant), 0);
}

static void invalid_grant_after_somebody_else_rotated_takes_theirs(void **state)
{
    (void)state;
    put_app();
    put_grant(-S);
    script_error("invalid_grant", 200);
    start();
    call(0, false, 0);
    tiny_await(f.tiny, 0);
    write_as_other(7, HOUR_US);
    assert_token(await(0), 7);
    assert_int_equal(read_status()->status, GRANT_CONNECTED);
    assert_int_equal(read_status()->failures, 0);
    assert_int_equal(tiny_count(f.tiny), 1);
}

static void invalid_grant_on_what_the_store_holds_needs_a_person(void **state)
{
    (void)state;
    put_app();
    put_grant(-S);
    script_error("invalid_grant", 0);
    start();
    assert_int_equal(acquire()->err, ERR_NOT_CONNECTED);
    assert_int_equal(stored().status, GRANT_RECONNECT_REQUIRED);
    assert_string_equal(stored().lease_owner, "");
    assert_true(read_status()->is_alarming);
    assert_true(oauth_is_alarming(f.oauth));
    assert_int_equal(acquire()->err, ERR_NOT_CONNECTED);
    call(1, true, stored().version);
    assert_int_equal(await(1)->err, ERR_NOT_CONNECTED);
    usleep(1200 * 1000); /* longer than the first back-off */
    assert_int_equal(tiny_count(f.tiny), 1);
    script_pair(1, 3600, 0); /* a person asks, and it works again */
    assert_int_equal(ask(oauth_begin_refresh, ""), 0);
    assert_token(acquire(), 1);
    assert_false(oauth_is_alarming(f.oauth));
}

static void a_pair_that_came_too_late_gives_way_to_theirs(void **state)
{
    (void)state;
    put_app();
    put_grant(-S);
    script_pair(1, 3600, 200);
    start();
    call(0, false, 0);
    tiny_await(f.tiny, 0);
    write_as_other(7, HOUR_US);
    assert_token(await(0), 7);
    assert_string_equal(stored().refresh_token, "refresh-7");
}

/* It has the old pair, which we have used up: ours is the only good one. */
static void a_pair_goes_over_a_bare_lease_of_another_process(void **state)
{
    (void)state;
    put_app();
    put_grant(-S);
    script_pair(1, 3600, 200);
    start();
    call(0, false, 0);
    tiny_await(f.tiny, 0);
    lease_over_ours();
    assert_token(await(0), 1);
    assert_string_equal(stored().refresh_token, "refresh-1");
    assert_string_equal(stored().lease_owner, "");
    assert_int_equal(tiny_count(f.tiny), 1);
}

static void a_pair_goes_over_what_others_made_of_the_old_one(void **state)
{
    (void)state;
    put_app();
    put_grant(-S);
    script_pair(1, 3600, 200);
    start();
    call(0, false, 0);
    tiny_await(f.tiny, 0);
    mark_as_other(GRANT_RECONNECT_REQUIRED);
    assert_token(await(0), 1);
    assert_int_equal(stored().status, GRANT_CONNECTED);
    assert_int_equal(read_status()->status, GRANT_CONNECTED);
}

static void a_pair_does_not_undo_a_revocation(void **state)
{
    (void)state;
    put_app();
    put_grant(-S);
    script_pair(1, 3600, 200);
    start();
    call(0, false, 0);
    tiny_await(f.tiny, 0);
    mark_as_other(GRANT_REVOKED);
    assert_int_equal(await(0)->err, ERR_NOT_CONNECTED);
    assert_int_equal(stored().status, GRANT_REVOKED);
    assert_string_equal(stored().refresh_token, "");
}

static void a_lease_that_was_let_go_of_changes_nothing_about_invalid_grant(void **state)
{
    (void)state;
    put_app();
    put_grant(-S);
    script_error("invalid_grant", 200);
    start();
    call(0, false, 0);
    tiny_await(f.tiny, 0);
    mark_as_other(GRANT_CONNECTED);
    assert_int_equal(await(0)->err, ERR_NOT_CONNECTED);
    assert_int_equal(stored().status, GRANT_RECONNECT_REQUIRED);
    assert_int_equal(tiny_count(f.tiny), 1);
}

/* It may have been the other's request that used the token up. */
static void invalid_grant_waits_for_who_has_the_lease(void **state)
{
    (void)state;
    put_app();
    put_grant(-S);
    script_error("invalid_grant", 200);
    start();
    call(0, false, 0);
    tiny_await(f.tiny, 0);
    struct grant theirs = lease_over_ours();
    usleep(600 * 1000);
    assert_false(callers[0].is_done);
    assert_string_equal(stored().lease_owner, OTHER);
    memcpy(theirs.access_token, "access-7", sizeof("access-7"));
    memcpy(theirs.refresh_token, "refresh-7", sizeof("refresh-7"));
    theirs.refreshed_at_us = clock_steady_us();
    theirs.expires_at_us = theirs.refreshed_at_us + HOUR_US;
    assert_int_equal(store_put_grant(f.beside, &theirs), 0);
    assert_token(await(0), 7);
    assert_int_equal(tiny_count(f.tiny), 1);
}

static void what_another_process_has_revoked_is_found_by_the_next_refresh(void **state)
{
    (void)state;
    put_app();
    struct grant grant = put_grant(HOUR_US / 2);
    start();
    mark_as_other(GRANT_REVOKED);
    call(0, true, grant.version);
    assert_int_equal(await(0)->err, ERR_NOT_CONNECTED);
    assert_int_equal(read_status()->status, GRANT_REVOKED);
    assert_int_equal(acquire()->err, ERR_NOT_CONNECTED);
    assert_int_equal(stored().status, GRANT_REVOKED);
    assert_string_equal(stored().lease_owner, "");
    assert_int_equal(tiny_count(f.tiny), 0);
}

static void lease_as_other(int64_t until_us)
{
    const struct grant_lease lease = {.tenant_id = f.tenant.id,
                                      .surface = APP_OSERIES,
                                      .owner = OTHER,
                                      .now_us = clock_steady_us(),
                                      .until_us = until_us};
    struct grant grant;
    assert_int_equal(store_lease_grant(f.beside, &lease, &grant), 0);
}

static void while_another_process_refreshes_we_wait_for_its_pair(void **state)
{
    (void)state;
    put_app();
    put_grant(-S);
    struct grant now = stored();
    now.expires_at_us = clock_steady_us() + HOUR_US; /* nothing to do at the start */
    now.refreshed_at_us = clock_steady_us();
    assert_int_equal(store_put_grant(f.beside, &now), 0);
    start();
    lease_as_other(clock_steady_us() + HOUR_US);
    call(0, true, now.version);
    call(1, true, now.version);
    usleep(400 * 1000);
    assert_false(callers[0].is_done);
    write_as_other(7, HOUR_US);
    assert_token(await(0), 7);
    assert_token(await(1), 7);
    assert_int_equal(tiny_count(f.tiny), 0);
    assert_string_equal(stored().lease_owner, "");
}

static void a_lease_of_a_process_that_died_is_taken_at_once(void **state)
{
    (void)state;
    put_app();
    put_grant(HOUR_US);
    lease_as_other(clock_steady_us() + HOUR_US);
    script_pair(1, 3600, 0);
    start(); /* nobody asks for anything */
    tiny_await(f.tiny, 0);
    while (read_status()->refreshes == 0)
        usleep(1000);
    assert_string_equal(stored().access_token, "access-1");
    assert_string_equal(stored().lease_owner, "");
}

/* The wall clock had run ahead by days, and is right again. */
static void a_pair_written_in_the_future_is_refreshed_at_once(void **state)
{
    (void)state;
    put_app();
    put_grant(100 * HOUR_US);
    script_pair(1, 3600, 0);
    start(); /* nobody asks for anything */
    tiny_await(f.tiny, 0);
    while (read_status()->refreshes == 0)
        usleep(1000);
    assert_token(acquire(), 1);
    assert_true(stored().refreshed_at_us <= clock_steady_us());
}

/* --- connecting */

static void a_code_becomes_a_grant_of_its_company(void **state)
{
    (void)state;
    put_app();
    script_pair(1, 3600, 0);
    script_text("200 OK", "{\"id\":5678,\"name\":\"Demo\"}", 0);
    start();
    assert_int_equal(ask(oauth_begin_exchange, "the code"), 0);
    assert_int_equal(person.task.company_id, COMPANY);
    assert_string_equal(person.task.company_name, "Demo");
    assert_string_equal(person.task.code, ""); /* wiped */
    const struct tiny_request *request = tiny_await(f.tiny, 0);
    assert_non_null(strstr(request->body, "grant_type=authorization_code&code=the%20code&"
                                          "redirect_uri=http%3A%2F%2F127.0.0.1%3A1%2Foauth%2F"
                                          "callback&client_id="));
    assert_string_equal(tiny_header(tiny_await(f.tiny, 1), "authorization"), "Bearer access-1");
    assert_token(acquire(), 1);
    assert_int_equal(f.reloads, 0); /* the directory has that company */
}

/* The code is used up: another answer than "who are you" may be had, another code may not. */
static void a_company_is_asked_for_again_when_no_answer_came(void **state)
{
    (void)state;
    put_app();
    script_pair(1, 3600, 0);
    tiny_script(f.tiny, (struct tiny_answer){.way = TINY_SAY_AND_CUT, .text = "HTTP/1.1 200"});
    script_text("503 Service Unavailable", "{}", 0);
    script_text("200 OK", "{\"id\":5678}", 0);
    start();
    assert_int_equal(ask(oauth_begin_exchange, "c"), 0);
    assert_int_equal(person.task.company_id, COMPANY);
    assert_token(acquire(), 1);
    assert_int_equal(tiny_count(f.tiny), 4);
}

static void a_company_is_not_asked_for_for_ever(void **state)
{
    (void)state;
    put_app();
    script_pair(1, 3600, 0);
    for (int i = 0; i < 8; i++)
        script_text("500 Internal Server Error", "{}", 0);
    start();
    assert_int_equal(ask(oauth_begin_exchange, "c"), ERR_BAD_REPLY);
    assert_int_equal(tiny_count(f.tiny), 4);
    assert_int_equal(acquire()->err, ERR_NOT_CONNECTED);
}

static void a_refusal_to_name_the_company_is_an_answer(void **state)
{
    (void)state;
    put_app();
    script_pair(1, 3600, 0);
    script_text("403 Forbidden", "{}", 0);
    start();
    assert_int_equal(ask(oauth_begin_exchange, "c"), ERR_REFUSED);
    assert_int_equal(tiny_count(f.tiny), 2);
}

static void a_connection_written_unseen_is_found(void **state)
{
    (void)state;
    put_app();
    script_pair(1, 3600, 0);
    script_text("200 OK", "{\"id\":5678}", 0);
    f.faulty.fail_grants = 1;
    f.faulty.grant_error = ERR_COMMIT_UNKNOWN;
    f.faulty.grant_happens = true;
    start();
    assert_int_equal(ask(oauth_begin_exchange, "c"), 0);
    assert_int_equal(stored().version, 1);
    assert_token(acquire(), 1);
}

static void a_connection_that_cannot_be_stored_is_told_so(void **state)
{
    (void)state;
    put_app();
    script_pair(1, 3600, 0);
    script_text("200 OK", "{\"id\":5678}", 0);
    f.faulty.fail_grants = 1;
    f.faulty.grant_error = ERR_STORE_FULL;
    start();
    assert_int_equal(ask(oauth_begin_exchange, "c"), ERR_STORE_FULL);
    assert_non_null(strstr(person.task.sentence, "could not be stored"));
    assert_int_equal(acquire()->err, ERR_NOT_CONNECTED);
    assert_int_equal(read_status()->tenant_id, 0);
}

static void a_revocation_that_cannot_be_stored_is_told_so(void **state)
{
    (void)state;
    put_app();
    put_grant(HOUR_US / 2);
    f.faulty.fail_grants = 1;
    f.faulty.grant_error = ERR_STORE_FULL;
    start();
    assert_int_equal(ask(oauth_begin_revoke, ""), ERR_STORE_FULL);
    assert_non_null(strstr(person.task.sentence, "revocation could not be stored"));
    assert_token(acquire(), 0);
}

static void a_connection_goes_over_what_another_process_has_written(void **state)
{
    (void)state;
    put_app();
    put_grant(HOUR_US / 2);
    start();
    write_as_other(7, HOUR_US);
    script_pair(1, 3600, 0);
    script_text("200 OK", "{\"id\":5678}", 0);
    assert_int_equal(ask(oauth_begin_exchange, "c"), 0);
    assert_token(acquire(), 1);
    assert_string_equal(stored().refresh_token, "refresh-1");
}

static void a_company_is_the_tenants_or_nothing_is_stored(void **state)
{
    struct grant grant;
    (void)state;
    put_app();
    script_pair(1, 3600, 0);
    script_text("200 OK", "{\"id\":9999}", 0);
    start();
    assert_int_equal(ask(oauth_begin_exchange, "c"), ERR_ALREADY_EXISTS);
    assert_non_null(strstr(person.task.sentence, "granted for company 9999"));
    assert_int_equal(store_read_grant(f.beside, f.tenant.id, APP_OSERIES, &grant), ERR_NOT_FOUND);
    assert_int_equal(acquire()->err, ERR_NOT_CONNECTED);
}

static void connecting_again_waits_for_a_refresh_and_replaces_it(void **state)
{
    (void)state;
    put_app();
    put_grant(-S);
    script_pair(1, 3600, 300); /* the refresh */
    start();
    call(0, false, 0);
    tiny_await(f.tiny, 0);
    script_pair(2, 3600, 0);
    script_text("200 OK", "{\"id\":5678}", 0);
    assert_int_equal(ask(oauth_begin_exchange, "c"), 0);
    assert_int_equal(await(0)->err, 0);
    assert_string_equal(stored().refresh_token, "refresh-2");
    assert_token(acquire(), 2);
}

/* The answer of a person's job leaves after everybody can see what it says. */
static void an_answer_comes_after_its_change_is_seen(void **state)
{
    (void)state;
    put_app();
    put_grant(HOUR_US / 2);
    start();
    for (int i = 1; i <= 5; i++) {
        assert_int_equal(ask(oauth_begin_revoke, ""), 0);
        assert_int_equal(read_status()->status, GRANT_REVOKED);
        script_pair(i, 3600, 0);
        script_text("200 OK", "{\"id\":5678}", 0);
        assert_int_equal(ask(oauth_begin_exchange, "c"), 0);
        assert_int_equal(read_status()->status, GRANT_CONNECTED);
    }
}

static void a_revoked_grant_gives_nothing(void **state)
{
    (void)state;
    put_app();
    put_grant(HOUR_US / 2);
    start();
    assert_token(acquire(), 0);
    assert_int_equal(ask(oauth_begin_revoke, ""), 0);
    assert_int_equal(acquire()->err, ERR_NOT_CONNECTED);
    assert_string_equal(stored().access_token, "");
    assert_string_equal(stored().refresh_token, "");
    assert_int_equal(read_status()->status, GRANT_REVOKED);
    assert_int_equal(ask(oauth_begin_revoke, ""), ERR_NOT_CONNECTED);
    assert_int_equal(ask(oauth_begin_refresh, ""), ERR_NOT_CONNECTED);
}

/* --- the end */

static void who_waits_at_the_end_is_told(void **state)
{
    (void)state;
    put_app();
    put_grant(-S);
    tiny_script(f.tiny, (struct tiny_answer){.way = TINY_HANG});
    start();
    call(0, false, 0);
    tiny_await(f.tiny, 0);
    outbound_drain(f.outbound);
    assert_int_equal(await(0)->err, ERR_SHUTTING_DOWN);
    assert_string_not_equal(stored().lease_owner, ""); /* the next start looks what became of it */
}

static void a_pair_that_arrives_at_the_end_is_written(void **state)
{
    (void)state;
    put_app();
    put_grant(-S);
    script_pair(1, 3600, 300);
    start();
    call(0, false, 0);
    tiny_await(f.tiny, 0);
    outbound_drain(f.outbound);
    assert_string_equal(stored().refresh_token, "refresh-1");
    assert_string_equal(stored().lease_owner, "");
}

/* The outbound thread is held in a message while things happen around it. */
static struct {
    struct outbound_message message;
    job_begin_fn begin; /* a person's job that begins while the lease is being taken; or NULL */
    bool is_in, may_go;
} held;

static void on_held(void *context)
{
    (void)context;
    oauth_renew(f.oauth, f.tenant.id, 1, on_access, &callers[0]);
    if (held.begin != NULL) {
        assert_true(job_take(&person.job, clock_monotonic_us()));
        held.begin(&person.job);
    }
    pthread_mutex_lock(&mutex);
    held.is_in = true;
    pthread_cond_broadcast(&changed);
    while (!held.may_go)
        pthread_cond_wait(&changed, &mutex);
    pthread_mutex_unlock(&mutex);
}

/* A refresh has been begun, and its lease has been taken. */
static void hold_in_leasing(job_begin_fn begin)
{
    memset(&held, 0, sizeof(held));
    held.begin = begin;
    callers[0] = (struct caller){.is_done = false};
    held.message = (struct outbound_message){.fn = on_held};
    outbound_post(f.outbound, &held.message);
    pthread_mutex_lock(&mutex);
    while (!held.is_in)
        pthread_cond_wait(&changed, &mutex);
    pthread_mutex_unlock(&mutex);
    while (stored().lease_owner[0] == '\0')
        usleep(1000);
}

static void *drain(void *context)
{
    (void)context;
    outbound_drain(f.outbound);
    return NULL;
}

static void let_go(void)
{
    pthread_mutex_lock(&mutex);
    held.may_go = true;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&mutex);
}

static void drain_and_let_go(void)
{
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, drain, NULL), 0);
    usleep(100 * 1000); /* the end has begun by then */
    let_go();
    assert_int_equal(pthread_join(thread, NULL), 0);
}

/* Its code is used up, and the store still takes it. */
static void a_consent_whose_company_arrives_at_the_end_is_written(void **state)
{
    (void)state;
    put_app();
    script_pair(1, 3600, 0);
    script_text("200 OK", "{\"id\":5678}", 300);
    start();
    submit(oauth_begin_exchange, "c");
    tiny_await(f.tiny, 1);
    outbound_drain(f.outbound);
    assert_true(person_was_answered());
    assert_int_equal(person.job.error, 0);
    assert_string_equal(stored().refresh_token, "refresh-1");
}

/* The same behind a refresh that takes part of the time, or that nothing comes of. */
static void a_consent_at_the_end_waits_for_a_refresh(void **state)
{
    (void)state;
    put_app();
    put_grant(-S);
    script_pair(1, 3600, 600);
    start();
    call(0, false, 0);
    tiny_await(f.tiny, 0);
    script_pair(2, 3600, 0);
    script_text("200 OK", "{\"id\":5678}", 200);
    submit(oauth_begin_exchange, "c");
    tiny_await(f.tiny, 2);
    outbound_drain(f.outbound);
    assert_true(person_was_answered());
    assert_int_equal(person.job.error, 0);
    assert_string_equal(stored().refresh_token, "refresh-2");
}

static void a_consent_at_the_end_is_refused_when_the_refresh_is_cut(void **state)
{
    (void)state;
    put_app();
    put_grant(-S);
    tiny_script(f.tiny, (struct tiny_answer){.way = TINY_HANG});
    start();
    call(0, false, 0);
    tiny_await(f.tiny, 0);
    script_pair(2, 3600, 0);
    script_text("200 OK", "{\"id\":5678}", 200);
    submit(oauth_begin_exchange, "c");
    tiny_await(f.tiny, 2);
    outbound_drain(f.outbound);
    assert_int_equal(await(0)->err, ERR_SHUTTING_DOWN);
    assert_true(person_was_answered());
    assert_int_equal(person.job.error, ERR_SHUTTING_DOWN);
    assert_string_equal(stored().refresh_token, "refresh-0");
}

static void a_job_that_comes_when_the_end_has_begun_is_told_so(void **state)
{
    (void)state;
    put_app();
    put_grant(-S);
    start();
    hold_in_leasing(NULL);
    submit(oauth_begin_refresh, "");
    drain_and_let_go();
    assert_int_equal(await(0)->err, ERR_SHUTTING_DOWN);
    assert_true(person_was_answered());
    assert_int_equal(person.job.error, ERR_SHUTTING_DOWN);
    assert_int_equal(tiny_count(f.tiny), 0);
}

/* A person does not wait for the lease of another process. */
static void a_revocation_is_not_held_up_by_a_lease(void **state)
{
    (void)state;
    put_app();
    put_grant(HOUR_US / 2);
    start();
    lease_as_other(clock_steady_us() + HOUR_US);
    make_job(oauth_begin_revoke, "");
    hold_in_leasing(oauth_begin_revoke);
    let_go();
    for (int i = 0; i < 2000 && !person_was_answered(); i++)
        usleep(1000);
    assert_true(person_was_answered());
    assert_int_equal(person.job.error, 0);
    assert_int_equal(await(0)->err, ERR_NOT_CONNECTED);
    assert_int_equal(stored().status, GRANT_REVOKED);
}

static struct person reviser; /* whose change is under way when the other asks */

static void on_reviser_back(struct job *job)
{
    (void)job;
    pthread_mutex_lock(&mutex);
    reviser.is_done = true;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&mutex);
}

static int await_reviser(void)
{
    pthread_mutex_lock(&mutex);
    while (!reviser.is_done)
        pthread_cond_wait(&changed, &mutex);
    pthread_mutex_unlock(&mutex);
    return reviser.job.error;
}

static void on_revise_and_refresh(void *context)
{
    (void)context;
    assert_true(job_take(&reviser.job, clock_monotonic_us()));
    oauth_begin_revoke(&reviser.job);
    assert_true(job_take(&person.job, clock_monotonic_us()));
    oauth_begin_refresh(&person.job);
}

/* "Refreshed" is said of what was refreshed. */
static void a_refresh_asked_for_during_a_change_is_made_after_it(void **state)
{
    (void)state;
    put_app();
    put_grant(HOUR_US / 2);
    script_pair(1, 3600, 0);
    f.faulty.fail_grants = 1; /* of the revocation nothing comes */
    f.faulty.grant_error = ERR_STORE_FULL;
    start();
    make_job(oauth_begin_refresh, "");
    reviser = person;
    reviser.job.give_back = on_reviser_back;
    struct outbound_message message = {.fn = on_revise_and_refresh};
    outbound_post(f.outbound, &message);
    assert_int_equal(await_person(), 0);
    assert_int_equal(await_reviser(), ERR_STORE_FULL);
    assert_int_equal(read_status()->refreshes, 1);
    assert_int_equal(tiny_count(f.tiny), 1);
    assert_token(acquire(), 1);
}

static void a_refresh_asked_for_during_a_revocation_finds_nothing(void **state)
{
    (void)state;
    put_app();
    put_grant(HOUR_US / 2);
    start();
    make_job(oauth_begin_refresh, "");
    reviser = person;
    reviser.job.give_back = on_reviser_back;
    struct outbound_message message = {.fn = on_revise_and_refresh};
    outbound_post(f.outbound, &message);
    assert_int_equal(await_person(), ERR_NOT_CONNECTED);
    assert_int_equal(await_reviser(), 0);
    assert_int_equal(tiny_count(f.tiny), 0);
}

/* Nothing was asked, so the next start has nothing to look at. */
static void a_lease_that_was_not_used_is_given_back_at_the_end(void **state)
{
    (void)state;
    put_app();
    put_grant(-S);
    start();
    hold_in_leasing(NULL);
    drain_and_let_go();
    assert_int_equal(await(0)->err, ERR_SHUTTING_DOWN);
    assert_string_equal(stored().lease_owner, "");
    assert_string_equal(stored().refresh_token, "refresh-0");
    assert_int_equal(stored().failures, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(who_is_not_connected_gets_no_token),
        TEST(a_good_token_is_given_at_once),
        TEST(all_who_come_while_it_is_refreshed_get_the_new_one),
        TEST(the_request_has_what_the_endpoint_wants),
        TEST(a_token_that_was_refused_is_renewed_once_for_all),
        TEST(a_token_that_came_of_a_renewal_is_not_renewed_again_at_once),
        TEST(a_token_of_a_renewal_whose_life_is_over_is_not_said_to_be_refused),
        TEST(a_life_counts_from_when_it_was_asked_for),
        TEST(tokens_that_never_arrive_in_time_are_given_up),
        TEST(while_refreshes_fail_nobody_waits),
        TEST(without_an_application_nothing_can_be_refreshed),
        TEST(an_application_is_taken_over_without_a_job),
        TEST(basic_authentication_is_made_of_id_and_secret),
        TEST(a_write_that_happened_unseen_is_found),
        TEST(a_write_that_did_not_happen_is_made_again),
        TEST(a_pair_that_cannot_be_written_is_kept_and_given_to_nobody),
        TEST(a_lease_that_cannot_be_taken_is_a_failure_that_passes),
        TEST(a_failure_that_cannot_be_written_is_known_all_the_same),
        TEST(invalid_grant_is_believed_only_when_the_store_could_be_read),
        TEST(an_unknown_write_is_read_until_it_is_known),
        TEST(the_end_waits_until_a_pair_is_written),
        TEST(the_end_waits_until_an_unknown_write_is_known),
        TEST(a_pair_that_arrives_at_the_end_is_written_however_often_it_fails),
        TEST(a_pair_that_cannot_be_written_holds_up_the_end_for_a_while_only),
        TEST(invalid_grant_after_somebody_else_rotated_takes_theirs),
        TEST(invalid_grant_on_what_the_store_holds_needs_a_person),
        TEST(a_pair_that_came_too_late_gives_way_to_theirs),
        TEST(while_another_process_refreshes_we_wait_for_its_pair),
        TEST(a_lease_of_a_process_that_died_is_taken_at_once),
        TEST(a_pair_goes_over_a_bare_lease_of_another_process),
        TEST(a_pair_goes_over_what_others_made_of_the_old_one),
        TEST(a_pair_does_not_undo_a_revocation),
        TEST(a_lease_that_was_let_go_of_changes_nothing_about_invalid_grant),
        TEST(invalid_grant_waits_for_who_has_the_lease),
        TEST(what_another_process_has_revoked_is_found_by_the_next_refresh),
        TEST(a_pair_written_in_the_future_is_refreshed_at_once),
        TEST(a_code_becomes_a_grant_of_its_company),
        TEST(a_company_is_asked_for_again_when_no_answer_came),
        TEST(a_company_is_not_asked_for_for_ever),
        TEST(a_refusal_to_name_the_company_is_an_answer),
        TEST(a_connection_written_unseen_is_found),
        TEST(a_connection_that_cannot_be_stored_is_told_so),
        TEST(a_revocation_that_cannot_be_stored_is_told_so),
        TEST(a_connection_goes_over_what_another_process_has_written),
        TEST(a_company_is_the_tenants_or_nothing_is_stored),
        TEST(connecting_again_waits_for_a_refresh_and_replaces_it),
        TEST(an_answer_comes_after_its_change_is_seen),
        TEST(a_revoked_grant_gives_nothing),
        TEST(who_waits_at_the_end_is_told),
        TEST(a_pair_that_arrives_at_the_end_is_written),
        TEST(a_consent_whose_company_arrives_at_the_end_is_written),
        TEST(a_consent_at_the_end_waits_for_a_refresh),
        TEST(a_consent_at_the_end_is_refused_when_the_refresh_is_cut),
        TEST(a_job_that_comes_when_the_end_has_begun_is_told_so),
        TEST(a_revocation_is_not_held_up_by_a_lease),
        TEST(a_refresh_asked_for_during_a_change_is_made_after_it),
        TEST(a_refresh_asked_for_during_a_revocation_finds_nothing),
        TEST(a_lease_that_was_not_used_is_given_back_at_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
