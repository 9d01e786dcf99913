/* A copy is of one moment whatever is written meanwhile, and a copy that begins anew gives out
 * nothing that its original has given out. */
#include "tests/store/files.h"

#include "base/error.h"
#include "store/backup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#define NOW_US INT64_C(1800000000000000)

struct fixture {
    char from[LOCATION_MAX], to[LOCATION_MAX];
    struct seal *seal;
};

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    const uint8_t master[SEAL_KEY_BYTES] = {7};
    struct store *store;
    files_create(fixture->from);
    files_create(fixture->to);
    assert_int_equal(seal_from_bytes(master, &fixture->seal), 0);
    const struct store_config config = {.location = fixture->from, .seal = fixture->seal};
    assert_int_equal(store_open(&config, STORE_WRITER, &store), 0);
    struct tenant tenant = {TENANT_CHOICES, .name = "Kiosk", .key = "k", .zone = "UTC"};
    tenant.currency = (struct currency){.code = "AUD", .exponent = 2};
    assert_int_equal(store_add_tenant(store, &tenant), 0);
    store_close(store);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    seal_destroy(fixture->seal);
    files_remove(fixture->from);
    files_remove(fixture->to);
    free(fixture);
    return 0;
}

static int64_t ask(const char *location, const char *sql)
{
    sqlite3 *connection;
    sqlite3_stmt *statement;
    assert_int_equal(sqlite3_open(location, &connection), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(connection, sql, -1, &statement, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    int64_t answer = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    assert_int_equal(sqlite3_close(connection), SQLITE_OK);
    return answer;
}

struct writing {
    const char *location;
    int64_t rounds, last_done;
};

/* Another connection commits between any two steps of the copy. */
static void on_progress(void *context, int64_t done, int64_t total)
{
    struct writing *writing = context;
    assert_true(done >= writing->last_done && done <= total);
    assert_true(++writing->rounds < 100);
    writing->last_done = done;
    files_execute(writing->location, "UPDATE filler SET number = number + 1");
}

static void a_copy_is_of_the_moment_it_began_and_ends_beside_a_busy_writer(void **state)
{
    const struct fixture *fixture = *state;
    struct writing writing = {.location = fixture->from};
    files_execute(fixture->from, "CREATE TABLE filler (number INTEGER, bytes BLOB);"
                                 "INSERT INTO filler VALUES (1, zeroblob(8000000))");
    assert_int_equal(store_copy(fixture->from, fixture->to, on_progress, &writing), 0);
    assert_true(writing.rounds > 2);
    assert_int_equal(ask(fixture->to, "SELECT number FROM filler"), 1);
    assert_int_equal(ask(fixture->from, "SELECT number FROM filler"), 1 + writing.rounds);
}

static void a_copy_is_for_its_owner_alone_and_writes_over_nothing(void **state)
{
    const struct fixture *fixture = *state;
    struct stat status;
    assert_int_equal(store_copy(fixture->from, fixture->to, NULL, NULL), 0);
    assert_int_equal(stat(fixture->to, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    assert_int_equal(store_copy(fixture->from, fixture->to, NULL, NULL), ERR_ALREADY_EXISTS);
}

static void a_copy_that_fails_leaves_nothing(void **state)
{
    const struct fixture *fixture = *state;
    struct stat status;
    assert_int_not_equal(store_copy("/nowhere/at/all", fixture->to, NULL, NULL), 0);
    assert_int_equal(stat(fixture->to, &status), -1);
}

static int begin_anew(const struct fixture *fixture, int64_t operation_least)
{
    const struct store_config config = {.location = fixture->from, .seal = fixture->seal};
    return store_begin_anew(&config, operation_least, NOW_US);
}

static void ids_of_operations_go_on_from_the_number_that_is_given(void **state)
{
    const struct fixture *fixture = *state;
    assert_int_equal(begin_anew(fixture, 5000), 0);
    assert_int_equal(ask(fixture->from, "SELECT max(id) FROM operation"), 5000);
    assert_int_equal(begin_anew(fixture, 4000), 0);
    assert_int_equal(ask(fixture->from, "SELECT max(id) FROM operation"), 5001);
}

static void tokens_and_hot_balances_of_before_are_worth_nothing(void **state)
{
    const struct fixture *fixture = *state;
    int64_t token = ask(fixture->from, "SELECT token_generation FROM meta");
    int64_t hot = ask(fixture->from, "SELECT hot_generation FROM meta");
    assert_int_equal(begin_anew(fixture, 5000), 0);
    assert_true(ask(fixture->from, "SELECT token_generation FROM meta") >= token + 2);
    assert_true(ask(fixture->from, "SELECT hot_generation FROM meta") > hot);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        CASE(a_copy_is_of_the_moment_it_began_and_ends_beside_a_busy_writer),
        CASE(a_copy_is_for_its_owner_alone_and_writes_over_nothing),
        CASE(a_copy_that_fails_leaves_nothing),
        CASE(ids_of_operations_go_on_from_the_number_that_is_given),
        CASE(tokens_and_hot_balances_of_before_are_worth_nothing),
#undef CASE
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
