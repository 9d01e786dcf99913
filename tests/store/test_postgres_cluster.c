/*
 * Which server is the right one: a primary and its replica change places under open connections, an
 * old primary comes back, and another cluster stands where ours was.
 */
#include "tests/store/postgres_process.h"

#include "store/postgres.h"

#include "base/clock.h"
#include "base/error.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[64];
static char path[96];

static int make_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof(folder), "/tmp/counterpart-timeline-XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/timeline", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    unlink(path);
    assert_int_equal(rmdir(folder), 0); /* nothing else was left in it */
    return 0;
}

static void write_file(const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void assert_file(const char *expected)
{
    char text[128];
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    size_t size = fread(text, 1, sizeof(text) - 1, file);
    fclose(file);
    text[size] = '\0';
    assert_string_equal(text, expected);
}

/* --- what is remembered --- */

static void lower_timeline_is_refused_by_all_connections(void **state)
{
    struct cluster *one, *two, *other;
    (void)state;
    assert_int_equal(cluster_acquire("postgresql://a", NULL, &one), 0);
    assert_int_equal(cluster_acquire("postgresql://a", NULL, &two), 0);
    assert_int_equal(cluster_acquire("postgresql://b", NULL, &other), 0);
    assert_int_equal(cluster_meet(one, 77, 3), 0);
    assert_int_equal(cluster_meet(one, 77, 3), 0);
    assert_int_equal(cluster_meet(two, 77, 2), ERR_STORE_DOWN);
    assert_int_equal(cluster_meet(two, 77, 4), 0);
    assert_int_equal(cluster_timeline(one), 4);
    assert_int_equal(cluster_meet(one, 77, 3), ERR_STORE_DOWN);
    assert_int_equal(cluster_timeline(other), 0); /* of another location nothing is known */
    cluster_release(one);
    cluster_release(two);
    cluster_release(other);
    cluster_release(NULL);
}

static void another_cluster_is_refused_whatever_its_timeline(void **state)
{
    struct cluster *cluster;
    (void)state;
    assert_int_equal(cluster_acquire("postgresql://a", NULL, &cluster), 0);
    assert_int_equal(cluster_meet(cluster, 77, 3), 0);
    assert_int_equal(cluster_meet(cluster, 78, 9), ERR_STORE_DOWN);
    assert_int_equal(cluster_meet(cluster, -77, 9), ERR_STORE_DOWN);
    assert_int_equal(cluster_timeline(cluster), 3);
    cluster_release(cluster);
}

static void file_outlives_the_process(void **state)
{
    struct cluster *cluster;
    (void)state;
    assert_int_equal(cluster_acquire("postgresql://a", path, &cluster), 0);
    assert_int_equal(access(path, F_OK), -1); /* nothing was met yet */
    assert_int_equal(cluster_meet(cluster, INT64_MAX, 3), 0);
    assert_int_equal(cluster_meet(cluster, INT64_MAX, 12), 0);
    cluster_release(cluster);
    assert_file("9223372036854775807 12\n");
    assert_int_equal(cluster_acquire("postgresql://elsewhere", path, &cluster), 0);
    assert_int_equal(cluster_timeline(cluster), 12);
    assert_int_equal(cluster_meet(cluster, INT64_MAX, 11), ERR_STORE_DOWN);
    cluster_release(cluster);
}

static void damaged_file_is_never_taken_for_none(void **state)
{
    static const char *const texts[] = {"",      "77",     "77 3", "77 x\n",
                                        "x 3\n", "77 0\n", " \n",  "77 -3\n"};
    struct cluster *cluster;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        write_file(texts[i]);
        assert_int_equal(cluster_acquire("postgresql://a", path, &cluster), ERR_STORE_DOWN);
        assert_null(cluster);
    }
    write_file("77 3\n");
    assert_int_equal(cluster_acquire("postgresql://a", path, &cluster), 0);
    cluster_release(cluster);
}

/* --- real servers --- */

static struct store_postgres *open_at(const char *location)
{
    struct store_postgres *postgres;
    assert_int_equal(postgres_open(location, path, STORE_WRITER, &postgres), 0);
    return postgres;
}

static void await_begin(struct store_postgres *postgres)
{
    int64_t until_us = clock_monotonic_us() + 30 * CLOCK_US_PER_S;
    while (postgres_begin(postgres) != 0) {
        assert_true(clock_monotonic_us() < until_us);
        (void)poll(NULL, 0, 20);
    }
}

static int change(struct store_postgres *postgres)
{
    await_begin(postgres);
    postgres->patience_us = 60 * CLOCK_US_PER_S; /* a replica on a busy machine */
    assert_int_equal(postgres_execute(postgres, "UPDATE item SET n = n + 1"), 0);
    return postgres_driver.commit(&postgres->sql);
}

static void wait_for_replica(const struct postgres_process *process, bool is_on)
{
    postgres_process_execute(process, "postgres",
                             is_on ? "ALTER SYSTEM SET synchronous_standby_names = 'replica'"
                                   : "ALTER SYSTEM SET synchronous_standby_names = ''");
    postgres_process_execute(process, "postgres", "SELECT pg_reload_conf()");
    postgres_process_await(
        process, "postgres",
        is_on ? "SELECT count(*) = 1 FROM pg_stat_replication WHERE sync_state = 'sync'"
              : "SELECT current_setting('synchronous_standby_names') = ''");
}

static void primary_and_replica_change_places_under_open_connections(void **state)
{
    struct postgres_process first, second;
    char both[POSTGRES_LOCATION_MAX], single[POSTGRES_LOCATION_MAX];
    (void)state;
    postgres_process_create(&first);
    postgres_process_create_database(&first, "places");
    postgres_process_execute(&first, "places",
                             "CREATE TABLE item (n bigint); INSERT INTO item VALUES (0);"
                             "ALTER TABLE item OWNER TO counterpart");
    postgres_process_create_replica(&second, &first, true);
    postgres_process_location(&second, &first, "places", both); /* the replica stands first */
    struct store_postgres *one = open_at(both), *two = open_at(both);
    assert_int_equal(one->host_last, 1);
    postgres_process_location(&second, NULL, "places", single);
    struct store_postgres *none;
    assert_int_equal(postgres_open(single, NULL, STORE_READER, &none), ERR_STORE_DOWN);
    assert_int_equal(change(one), 0);

    postgres_process_kill(&first);
    postgres_process_promote(&second);
    wait_for_replica(&second, false);
    assert_int_equal(change(one), 0);
    assert_int_equal(one->timeline, 2);
    assert_int_equal(one->host_last, 0);

    /* The old primary comes back, alone; who has never met the new one is told by the process. */
    postgres_process_start(&first);
    assert_int_equal(two->host_last, 1);
    assert_int_equal(change(two), 0);
    assert_int_equal(two->host_last, 0);
    postgres_process_location(&first, NULL, "places", single);
    assert_int_equal(postgres_open(single, path, STORE_WRITER, &none), ERR_STORE_DOWN);

    /* It follows the new one, and takes over from it in its turn. */
    postgres_process_stop(&first);
    postgres_process_rewind(&first, &second);
    wait_for_replica(&second, true);
    assert_int_equal(change(one), 0);
    postgres_process_kill(&second);
    postgres_process_promote(&first);
    wait_for_replica(&first, false);
    assert_int_equal(change(two), 0);
    assert_int_equal(two->timeline, 3);
    assert_int_equal(postgres_process_read_int(&first, "places", "SELECT n FROM item"), 5);
    store_close(&one->sql.store);
    store_close(&two->sql.store);
    postgres_process_destroy(&first);
    postgres_process_destroy(&second);
}

/* The first is started again by its machine, as one that knows of no other. */
static void
of_two_primaries_the_newer_one_is_taken_by_who_has_met_neither_or_only_the_old(void **state)
{
    struct postgres_process first, second;
    char both[POSTGRES_LOCATION_MAX];
    (void)state;
    postgres_process_create(&first);
    postgres_process_create_replica(&second, &first, false);
    postgres_process_location(&first, &second, "postgres", both); /* it stands first */
    struct store_postgres *old = open_at(both);
    assert_int_equal(old->timeline, 1);
    postgres_process_kill(&first);
    postgres_process_promote(&second);
    postgres_process_start(&first);

    assert_int_equal(postgres_begin(old), 0);
    assert_int_equal(old->timeline, 2);
    assert_int_equal(postgres_driver.commit(&old->sql), 0);
    store_close(&old->sql.store);
    assert_int_equal(unlink(path), 0);
    struct store_postgres *new = open_at(both);
    assert_int_equal(new->timeline, 2);
    assert_int_equal(new->host_last, 1);
    store_close(&new->sql.store);
    postgres_process_destroy(&first);
    postgres_process_destroy(&second);
}

static void connection_of_an_older_timeline_is_given_up_at_its_next_begin(void **state)
{
    struct postgres_process server;
    char location[POSTGRES_LOCATION_MAX];
    (void)state;
    postgres_process_create(&server);
    postgres_process_location(&server, NULL, "postgres", location);
    struct store_postgres *postgres = open_at(location);
    assert_int_equal(postgres_begin(postgres), 0);
    assert_int_equal(postgres_driver.commit(&postgres->sql), 0);
    int64_t identifier = postgres_process_read_int(
        &server, "postgres", "SELECT system_identifier FROM pg_control_system()");
    assert_int_equal(cluster_meet(postgres->cluster, identifier, 2), 0); /* by another one */
    assert_int_equal(postgres_begin(postgres), ERR_STORE_DOWN);
    assert_null(postgres->connection);
    store_close(&postgres->sql.store);
    postgres_process_destroy(&server);
}

#define TEST_CASE(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lower_timeline_is_refused_by_all_connections),
        cmocka_unit_test(another_cluster_is_refused_whatever_its_timeline),
        TEST_CASE(file_outlives_the_process),
        TEST_CASE(damaged_file_is_never_taken_for_none),
        TEST_CASE(primary_and_replica_change_places_under_open_connections),
        TEST_CASE(of_two_primaries_the_newer_one_is_taken_by_who_has_met_neither_or_only_the_old),
        TEST_CASE(connection_of_an_older_timeline_is_given_up_at_its_next_begin),
    };
    return cmocka_run_group_tests_name("postgresql cluster", tests, NULL, NULL);
}
