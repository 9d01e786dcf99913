/*
 * Hand-made corruptions: raw SQL on a copy of a store, and what verify says of it.
 */
#include "tests/store/tamper.h"

#include <stdio.h>
#include <string.h>

#define TRIGGERS_MAX 96 /* 39 of them are the bar of a tenant that left */

/* The triggers of law 1 are dropped for the deed and put back, so that nothing else shows. */
void tamper(const char *location, const char *sql)
{
    sqlite3 *connection;
    sqlite3_stmt *statement;
    char triggers[TRIGGERS_MAX][1024];
    int count = 0;
    assert_int_equal(sqlite3_open(location, &connection), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(connection,
                                        "SELECT sql, name FROM sqlite_schema "
                                        "WHERE type = 'trigger'",
                                        -1, &statement, NULL),
                     SQLITE_OK);
    char drops[8192] = "PRAGMA ignore_check_constraints = ON;";
    while (sqlite3_step(statement) == SQLITE_ROW) {
        size_t used = strlen(drops);
        assert_true(count < TRIGGERS_MAX);
        snprintf(triggers[count++], sizeof(triggers[0]), "%s", sqlite3_column_text(statement, 0));
        snprintf(drops + used, sizeof(drops) - used, "DROP TRIGGER %s;",
                 sqlite3_column_text(statement, 1));
    }
    sqlite3_finalize(statement);
    assert_int_equal(sqlite3_exec(connection, drops, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_exec(connection, sql, NULL, NULL, NULL), SQLITE_OK);
    assert_true(sqlite3_total_changes(connection) > 0 || strstr(sql, "UPDATE") == NULL);
    while (count > 0)
        assert_int_equal(sqlite3_exec(connection, triggers[--count], NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(connection), SQLITE_OK);
}

static void on_finding(void *context, const char *name, const char *detail)
{
    struct findings *findings = context;
    size_t used = strlen(findings->names);
    findings->count++;
    findings->is_found |= findings->wanted != NULL && strcmp(name, findings->wanted) == 0;
    snprintf(findings->names + used, sizeof(findings->names) - used, " %s", name);
    assert_true(strlen(detail) > 0 && strlen(detail) < 300);
    assert_null(strstr(detail, TAMPER_CARD)); /* never a card number */
}

static void on_progress(void *context, int64_t done, int64_t total)
{
    struct findings *findings = context;
    findings->progress_calls++;
    findings->done = done;
    findings->total = total;
}

int tamper_verify(const struct rows *rows, const char *location, struct findings *findings)
{
    struct store_config config = {.location = location, .seal = rows->seal};
    struct store *reader;
    int64_t count;
    int err = store_open(&config, STORE_READER, &reader);
    if (err != 0)
        return err;
    err = store_verify(reader, on_finding, on_progress, findings, &count);
    assert_int_equal(count, findings->count);
    store_close(reader);
    return err;
}

void tamper_verify_corrupted(const struct rows *rows, const char *location, const char *sql,
                             struct findings *findings)
{
    char copy[LOCATION_MAX];
    files_create(copy);
    files_copy(location, copy);
    tamper(copy, sql);
    assert_int_equal(tamper_verify(rows, copy, findings), 0);
    files_remove(copy);
}

void tamper_check_names(const struct corruption *corruptions, size_t count, const char *file_name)
{
    char path[512];
    char line[512];
    snprintf(path, sizeof(path), "%s/../store/%s", TESTS_DIR, file_name);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    while (fgets(line, sizeof(line), file) != NULL) {
        char *call = strstr(line, "verify_report(");
        char *name = call == NULL ? NULL : strchr(call, '"');
        if (name == NULL)
            continue;
        *strchr(name + 1, '"') = '\0';
        bool is_known = false;
        for (size_t i = 0; i < count; i++)
            is_known |= strcmp(corruptions[i].finding, name + 1) == 0;
        if (!is_known)
            fail_msg("no corruption is meant for %s", name + 1);
    }
    fclose(file);
}
