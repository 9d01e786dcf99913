/*
 * Verify, what only SQLite can say of itself: its pages, and its schema beside the one that the
 * program makes.
 */
#include "store/sql_verify.h"
#include "store/sqlite_driver.h"

#include "base/check.h"

#include <string.h>

#include "base/banned.h"

static const char sql_check_pages[] = "PRAGMA integrity_check";
static const char sql_read_schema[] = "SELECT type, name, coalesce(sql, '') FROM sqlite_schema "
                                      "WHERE name NOT LIKE 'sqlite_stat%' "
                                      "AND name NOT LIKE '" SQL_BAR "%' ORDER BY type, name";
/* Made when the first tenant leaves. */
static const char sql_is_bar_down[] =
    "SELECT count(*) FROM tenant WHERE place = 2 AND NOT EXISTS (SELECT 1 FROM sqlite_schema "
    "WHERE type = 'trigger' AND name = '" SQL_BAR "card_update')";

/* --- pages: SQLite's own check of trees, indices and CHECKs --- */

static int verify_pages(struct verify *verify)
{
    struct stream stream;
    int err = stream_open(&stream, verify, sql_check_pages);
    while (err == 0 && stream.has_row) {
        const char *line = sqlite_column_text(stream.statement, 0);
        if (line == NULL || strcmp(line, "ok") != 0)
            verify_report(verify, "database_damaged", "SQLite says: %.200s",
                          line == NULL ? "nothing" : line);
        err = stream_next(&stream);
    }
    stream_close(&stream);
    return err;
}

/* --- schema: a dropped trigger or CHECK no longer guards its law --- */

static const char *schema_text(const struct stream *stream, int column)
{
    return sqlite_column_text(stream->statement, column);
}

static int schema_compare(const struct stream *found, const struct stream *wanted)
{
    if (!found->has_row || !wanted->has_row)
        return found->has_row ? -1 : 1;
    int order = strcmp(schema_text(found, 0), schema_text(wanted, 0));
    return order != 0 ? order : strcmp(schema_text(found, 1), schema_text(wanted, 1));
}

static int schema_walk(struct verify *verify, struct stream *found, struct stream *wanted)
{
    int err = 0;
    while (err == 0 && (found->has_row || wanted->has_row)) {
        int order = schema_compare(found, wanted);
        const struct stream *named = order <= 0 ? found : wanted;
        if (order != 0 || strcmp(schema_text(found, 2), schema_text(wanted, 2)) != 0)
            verify_report(verify, "schema_differs", "%s %s %s", schema_text(named, 0),
                          schema_text(named, 1),
                          order == 0  ? "is not as the program made it"
                          : order < 0 ? "is not the program's"
                                      : "is missing");
        if (order <= 0)
            err = stream_next(found);
        if (err == 0 && order >= 0)
            err = stream_next(wanted);
    }
    return err;
}

static int verify_objects(struct verify *verify)
{
    struct store_sqlite model = {.sql = {.driver = &sqlite_driver}};
    struct verify of_model = {.sql = &model.sql};
    struct stream found = {0};
    struct stream wanted = {0};
    int err = sqlite_schema_create_model(&model.connection);
    if (err == 0)
        err = stream_open(&found, verify, sql_read_schema);
    if (err == 0)
        err = stream_open(&wanted, &of_model, sql_read_schema);
    if (err == 0)
        err = schema_walk(verify, &found, &wanted);
    stream_close(&found);
    stream_close(&wanted);
    CHECK(sqlite3_close(model.connection) == SQLITE_OK);
    return err;
}

/* Else the rows of a tenant that another store has could change here. */
static int verify_bar(struct verify *verify)
{
    struct stream stream;
    int err = stream_open(&stream, verify, sql_is_bar_down);
    if (err == 0 && stream.has_row && sql_column_int(stream.statement, 0) > 0)
        verify_report(verify, "bar_is_down",
                      "tenants have moved to another store, and nothing keeps their rows as they "
                      "are");
    stream_close(&stream);
    return err;
}

int sqlite_verify_schema(struct verify *verify)
{
    int err = verify_pages(verify);
    if (err == 0)
        err = verify_objects(verify);
    return err != 0 ? err : verify_bar(verify);
}
