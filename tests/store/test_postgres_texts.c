/*
 * Every text that both databases share, beside a real PostgreSQL: it is understood, gives columns
 * that the driver can read, and on filled tables finds its rows by an index.
 */
#include "tests/store/postgres_process.h"
#include "tests/store/rows.h"

#include "store/postgres.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DATABASE "texts"
#define PLAN_MAX 16384

typedef const char *(*text_fn)(int index);

static struct postgres_process server;

struct fixture {
    struct rows rows;
    PGconn *admin;
};

/* So that reading a table whole is dear. Few are open, unsure or told, as in a shop that works. */
static const char sql_fill[] =
    "INSERT INTO card SELECT i, 1, decode(lpad(to_hex(i), 64, '0'), 'hex'),"
    " lpad((i % 10000)::text, 4, '0'), 1, 0, '', 0, 0, 5, 1, 0, 0, 0, 0, 0, 0, '', 1"
    " FROM generate_series(1, 20000) AS i;"
    "INSERT INTO operation SELECT i, 1 + i % 20, 1 + i % 20000, 2, CASE WHEN i % 20 = 0 THEN 3 "
    "ELSE 0 END,"
    " i / 2, 0, CASE WHEN i % 5 = 1 THEN i - 1 ELSE 0 END, 1, 1, 5,"
    " CASE WHEN i % 20 = 0 THEN 0 ELSE 5 END, 5, 1, 0, 0, 0, i FROM generate_series(1, 40000) AS i;"
    "INSERT INTO transfer SELECT i, i, 1 + i % 20000, 90000, 5, 1,"
    " CASE WHEN i % 5 = 1 THEN i - 1 ELSE i END, 1, 5, 0, i FROM generate_series(1, 40000) AS i"
    " WHERE i > 1;"
    "INSERT INTO register_day SELECT 1, i, 1, 20000, 5 FROM generate_series(1, 20000) AS i;"
    "INSERT INTO proof SELECT i, 1, i / 2, 1, 1, 1, 2, -5, 20000 + i / 100,"
    " CASE WHEN i % 1000 = 0 THEN 1 ELSE 2 END, 0, 0, i / 2, 1, 0, i, i, -5, -5"
    " FROM generate_series(1, 40000) AS i;"
    "INSERT INTO proof_offset SELECT i, i + 1, 5 FROM generate_series(1, 20000) AS i;"
    "INSERT INTO register_payment SELECT 1, i, 1, 1, 1, 1, -5, 'CP1-' || i,"
    " CASE WHEN i % 1000 = 0 THEN 0 ELSE i END, 20000 + i / 100, i"
    " FROM generate_series(1, 40000) AS i;"
    "INSERT INTO order_seen SELECT 1, i, 1, 1, '', i FROM generate_series(1, 40000) AS i;"
    "INSERT INTO work (tenant_id, kind, subject_id, identity, state, attempts, due_at_us,"
    " created_at_us, ended_at_us, reason) SELECT 1, 1 + i % 8, i,"
    " decode(lpad(to_hex(i), 64, '0'), 'hex'), CASE WHEN i % 1000 = 0 THEN 1 ELSE 2 END, 0, i, i,"
    " i, '' FROM generate_series(1, 40000) AS i;"
    "INSERT INTO member SELECT i, 1, 'M-' || i, '', '', '', '', '', '', '', '', 1, 5, 5, 0, 0, i, i"
    " FROM generate_series(1, 20000) AS i;"
    "INSERT INTO member_word SELECT 1, md5(i::text), i FROM generate_series(1, 20000) AS i;"
    "INSERT INTO reward (tenant_id, title, terms, points, effect, amount_minor, percent_bp,"
    " product_id, is_active) VALUES (1, '', '', 5, 1, 5, 0, 0, 1);"
    "INSERT INTO reservation SELECT i, 1, i, 1, 'token ' || i, i, 1, 5, 0,"
    " CASE WHEN i % 1000 = 0 THEN 1 ELSE 3 END, 0, '', i, i, 0 FROM generate_series(1, 20000) AS i;"
    "INSERT INTO points_entry SELECT i, 1, i, 1, 2, 5, 5, i, 0, i, 0, i, ''"
    " FROM generate_series(1, 20000) AS i;"
    "INSERT INTO foreign_attempt (tenant_id, effect, order_id, site_id, operation_id,"
    " reservation_id, amount_minor, local_date, verdict, end_state, api_status, api_answer,"
    " created_at_us, answered_at_us, alike_before) SELECT 1, 1, i, 1, i, 0, 5, 20000 + i / 100, 0,"
    " 1, 200, '', i, i, 0 FROM generate_series(1, 20000) AS i;"
    "INSERT INTO foreign_day SELECT 1, i, 5 FROM generate_series(1, 20000) AS i;"
    "INSERT INTO used_token SELECT i, i FROM generate_series(1, 20000) AS i;"
    "ANALYZE";

/* Of these there are few. */
static const char *const read_whole[] = {
    "tenant",         "site", "app",   "oauth_grant", "reward", "foreign_approval",
    "foreign_change", "meta", "sweep", "tree",        "made"};

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    char location[POSTGRES_LOCATION_MAX];
    assert_non_null(fixture);
    postgres_process_create_database(&server, DATABASE);
    postgres_process_location(&server, NULL, DATABASE, location);
    rows_init(&fixture->rows, 7);
    rows_open(&fixture->rows, location);
    fixture->admin = postgres_process_connect(&server, DATABASE);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    PQfinish(fixture->admin);
    rows_finish(&fixture->rows);
    postgres_process_drop_database(&server, DATABASE);
    free(fixture);
    return 0;
}

static PGresult *ask(PGconn *admin, const char *sql)
{
    PGresult *result = PQexec(admin, sql);
    ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
        fail_msg("%s\n%s", sql, PQresultErrorMessage(result));
    return result;
}

static void run(PGconn *admin, const char *sql)
{
    PQclear(ask(admin, sql));
}

/* As the driver does; where the server cannot tell the types, the integers that are bound. */
static int prepare(PGconn *admin, const char *text)
{
    char *translated;
    int count;
    Oid integers[POSTGRES_PARAMETERS_MAX];
    for (int i = 0; i < POSTGRES_PARAMETERS_MAX; i++)
        integers[i] = 20;
    assert_int_equal(postgres_translate(text, &translated, &count), 0);
    PGresult *result = PQprepare(admin, "it", translated, 0, NULL);
    if (PQresultStatus(result) != PGRES_COMMAND_OK) {
        PQclear(result);
        result = PQprepare(admin, "it", translated, count, integers);
    }
    if (PQresultStatus(result) != PGRES_COMMAND_OK)
        fail_msg("%s\n%s", text, PQresultErrorMessage(result));
    PQclear(result);
    free(translated);
    return count;
}

/* bool, bytea, int8, int2, int4, text: a sum that nobody cast would be numeric. */
static void check_columns(PGconn *admin, const char *text)
{
    PGresult *result = PQdescribePrepared(admin, "it");
    assert_int_equal(PQresultStatus(result), PGRES_COMMAND_OK);
    for (int i = 0; i < PQnfields(result); i++) {
        Oid type = PQftype(result, i);
        if (type != 16 && type != 17 && type != 20 && type != 21 && type != 23 && type != 25)
            fail_msg("column %d is of type %u: %s", i, type, text);
    }
    PQclear(result);
}

static void explain(PGconn *admin, int parameters, char plan[PLAN_MAX])
{
    char sql[512];
    struct text_buffer buffer, lines;
    text_buffer_init(&buffer, sql, sizeof(sql));
    text_append(&buffer, TEXT("EXPLAIN EXECUTE it"));
    for (int i = 0; i < parameters; i++)
        text_append_format(&buffer, "%sNULL%s", i == 0 ? "(" : ", ",
                           i + 1 == parameters ? ")" : "");
    PGresult *result = ask(admin, sql);
    text_buffer_init(&lines, plan, PLAN_MAX);
    for (int i = 0; i < PQntuples(result); i++)
        text_append_format(&lines, "%s\n", PQgetvalue(result, i, 0));
    assert_false(lines.is_cut);
    PQclear(result);
}

static bool may_be_read_whole(const char *table)
{
    for (size_t i = 0; i < COUNT_OF(read_whole); i++) {
        size_t length = strlen(read_whole[i]);
        if (strncmp(table, read_whole[i], length) == 0 && strchr(" \n", table[length]) != NULL)
            return true;
    }
    return false;
}

/* An index that is walked without a condition is read whole, too, unless it holds only a few. */
static bool is_bounded(const char *scan)
{
    static const char *const few[] = {"proof_told ", "work_open ", "work_urgent ", "work_shown "};
    const char *next = strchr(scan, '\n');
    const char *index = strstr(scan, " using ");
    if (index == NULL || index > next)
        index = strstr(scan, " on ") - 3; /* of a bitmap */
    for (size_t i = 0; i < COUNT_OF(few); i++)
        if (strncmp(index + 7, few[i], strlen(few[i])) == 0)
            return true;
    const char *table = strstr(scan, " on ");
    if (table < next && may_be_read_whole(table + 4))
        return true;
    const char *condition = strstr(next + 1, "Index Cond:");
    return condition != NULL && condition < strchr(next + 1, '\n');
}

static bool is_by_index(const char *plan)
{
    static const char scan[] = "Seq Scan on ";
    static const char index[] = "Index ";
    for (const char *at = strstr(plan, scan); at != NULL; at = strstr(at + 1, scan))
        if (!may_be_read_whole(at + strlen(scan)))
            return false;
    for (const char *at = strstr(plan, index); at != NULL; at = strstr(at + 1, index))
        if (strncmp(at, "Index Cond", 10) != 0 && !is_bounded(at))
            return false;
    return true;
}

/* Returns how many it found fault with: all are told, not only the first. */
static int check_text(PGconn *admin, const char *text)
{
    char plan[PLAN_MAX];
    int parameters = prepare(admin, text);
    check_columns(admin, text);
    explain(admin, parameters, plan);
    run(admin, "DEALLOCATE it");
    if (is_by_index(plan))
        return 0;
    fprintf(stderr, "%s\n%s\n", text, plan); /* longer than print_error tells */
    return 1;
}

/* Of a pair, or of fetch's own: PostgreSQL is never asked these. */
static bool is_of_sqlite(const char *text)
{
    return strstr(text, "FROM tenant CROSS JOIN work") != NULL ||
           strstr(text, " INDEXED BY ") != NULL || strstr(text, "(result <> 0) = ? ") != NULL;
}

static int check_texts(PGconn *admin, text_fn text, int *bad)
{
    int count = 0;
    for (; text(count) != NULL; count++)
        if (!is_of_sqlite(text(count)))
            *bad += check_text(admin, text(count));
    return count;
}

static void every_shared_text_is_understood_and_finds_its_rows_by_index(void **state)
{
    static const text_fn areas[] = {
        sql_statement_text,   sql_points_text,  sql_points_read_text,  sql_reward_text,
        sql_member_text,      sql_search_text,  sql_grant_text,        sql_work_text,
        sql_proof_text,       sql_foreign_text, sql_proof_ledger_text, sql_proof_payment_text,
        sql_proof_report_text};
    struct fixture *fixture = *state;
    int count = 0, bad = 0;
    run(fixture->admin, sql_fill);
    run(fixture->admin, "SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off;"
                        " SET enable_hashjoin = off; SET enable_mergejoin = off;"
                        " SET max_parallel_workers_per_gather = 0");
    for (size_t i = 0; i < COUNT_OF(areas); i++)
        count += check_texts(fixture->admin, areas[i], &bad);
    bad += check_text(fixture->admin, sql_read_open_postgres);
    bad += check_text(fixture->admin, sql_hasten_elsewhere_postgres);
    bad += check_text(fixture->admin, sql_find_same_postgres);
    assert_int_equal(bad, 0);
    assert_true(count >= 140);
}

/* What stands in pairs, and the texts of verify: by being asked. */
static void what_has_its_own_text_is_asked_without_an_error(void **state)
{
    struct fixture *fixture = *state;
    struct store *store = fixture->rows.store;
    int64_t last_id;
    assert_int_equal(store_read_last_operation(store, &last_id), 0);
    assert_int_equal(last_id, 0);
    assert_int_equal(rows_totals(&fixture->rows).tenants, 1);
    assert_int_equal(rows_verify(store), 0);
}

static int create_server(void **state)
{
    (void)state;
    postgres_process_create(&server);
    return 0;
}

static int destroy_server(void **state)
{
    (void)state;
    postgres_process_destroy(&server);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_shared_text_is_understood_and_finds_its_rows_by_index,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(what_has_its_own_text_is_asked_without_an_error, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, create_server, destroy_server);
}
