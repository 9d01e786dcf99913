/*
 * PostgreSQL passes the conformance suite: a cluster of its own, and for every test an empty
 * schema. (A database for every test would cost a second each.)
 */
#include "tests/store/conformance.h"
#include "tests/store/postgres_process.h"

#include <stdio.h>
#include <string.h>

#define DATABASES_MAX 4 /* at the same time; a test has one, or two */

static struct postgres_process cluster;
static struct database {
    char name[16];
    PGconn *connection; /* the superuser's; NULL: was not made yet */
    bool is_used;
} databases[DATABASES_MAX];

static void say(const struct database *database, const char *sql)
{
    PGresult *result = PQexec(database->connection, sql);
    if (PQresultStatus(result) == PGRES_FATAL_ERROR)
        fail_msg("%s", PQresultErrorMessage(result));
    PQclear(result);
}

static struct database *database_of(const char *location)
{
    const char *name = strrchr(location, '/') + 1;
    for (int i = 0; i < DATABASES_MAX; i++)
        if (strcmp(databases[i].name, name) == 0)
            return &databases[i];
    fail();
    return NULL;
}

static void make(struct database *database, int number)
{
    snprintf(database->name, sizeof(database->name), "conformance_%d", number);
    postgres_process_create_database(&cluster, database->name);
    database->connection = postgres_process_connect(&cluster, database->name);
    say(database, "SET client_min_messages = warning");
}

static void create_schema(char location[LOCATION_MAX])
{
    int free = 0;
    while (free < DATABASES_MAX && databases[free].is_used)
        free++;
    assert_true(free < DATABASES_MAX);
    struct database *database = &databases[free];
    if (database->connection == NULL)
        make(database, free);
    database->is_used = true;
    postgres_process_location(&cluster, NULL, database->name, location);
}

static void drop_schema(const char *location)
{
    struct database *database = database_of(location);
    say(database, "DROP SCHEMA public CASCADE; CREATE SCHEMA public AUTHORIZATION counterpart");
    database->is_used = false;
}

/* A batch takes more ids than it may need, so there are gaps; whoever is alone can close them. */
static void close_gaps(const char *location)
{
    say(database_of(location),
        "SELECT setval('card_ids', coalesce(max(id), 0)) FROM card;"
        "SELECT setval('operation_ids', coalesce(max(id), 0)) FROM operation;"
        "SELECT setval('transfer_ids', coalesce(max(id), 0)) FROM transfer");
}

int main(void)
{
    static const struct conformance_backend backend = {.name = "postgresql",
                                                       .is_shared = true,
                                                       .create = create_schema,
                                                       .remove = drop_schema,
                                                       .close_gaps = close_gaps};
    postgres_process_create(&cluster);
    int failed = conformance_run(&backend) + conformance_run_members(&backend);
    for (int i = 0; i < DATABASES_MAX; i++)
        PQfinish(databases[i].connection);
    postgres_process_destroy(&cluster);
    return failed;
}
