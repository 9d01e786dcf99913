/*
 * Verify, what only PostgreSQL can say of itself: its schema beside what the last migration left.
 * (Pages are its own affair: data_checksums, pg_amcheck.)
 */
#include "store/postgres_schema.h"
#include "store/sql_verify.h"

#include "base/check.h"

#include "base/banned.h"

/* The server names the schema in some definitions, and a copy of the store may be in another. */
const char postgres_sql_objects[] =
    "SELECT kind, name, replace(definition, format('%I.', current_schema()), '') AS definition"
    " FROM (SELECT 'column' AS kind, format('%s.%s', relname, attname) AS name,"
    "  format('%s %s %s %s %s', format_type(atttypid, atttypmod), collname, attnotnull,"
    "   attidentity, pg_get_expr(adbin, adrelid)) AS definition, relnamespace"
    "  FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid AND attnum > 0"
    "   AND NOT attisdropped LEFT JOIN pg_collation ON pg_collation.oid = attcollation"
    "  LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum"
    "  WHERE relkind IN ('r', 'p') AND NOT relispartition"
    " UNION ALL SELECT 'constraint', format('%s.%s', relname, conname),"
    "  format('%s %s', pg_get_constraintdef(pg_constraint.oid), convalidated), relnamespace"
    "  FROM pg_class JOIN pg_constraint ON conrelid = pg_class.oid WHERE NOT relispartition"
    " UNION ALL SELECT 'domain', format('%s.%s', typname, conname),"
    "  format('%s %s', pg_get_constraintdef(pg_constraint.oid), convalidated), typnamespace"
    "  FROM pg_type JOIN pg_constraint ON contypid = pg_type.oid"
    " UNION ALL SELECT 'index', relname, format('%s %s', pg_get_indexdef(indexrelid), indisvalid),"
    "  relnamespace FROM pg_class JOIN pg_index ON indexrelid = pg_class.oid"
    "  WHERE NOT relispartition OR NOT indisvalid"
    " UNION ALL SELECT 'trigger', format('%s.%s', relname, tgname),"
    "  format('%s %s', pg_get_triggerdef(pg_trigger.oid), tgenabled), relnamespace"
    "  FROM pg_class JOIN pg_trigger ON tgrelid = pg_class.oid AND NOT tgisinternal"
    "  WHERE NOT relispartition OR tgenabled <> 'O'"
    " UNION ALL SELECT 'function', proname, pg_get_functiondef(pg_proc.oid), pronamespace"
    "  FROM pg_proc WHERE prokind = 'f' AND NOT EXISTS (SELECT 1 FROM pg_depend"
    "   WHERE classid = 'pg_proc'::regclass AND objid = pg_proc.oid AND deptype = 'e'))"
    " AS object WHERE relnamespace = current_schema()::regnamespace";

#define DIFFERENCE                                                                                 \
    "SELECT kind, name, CASE WHEN made.definition IS NULL THEN 'is not the program''s'"            \
    " WHEN found.definition IS NULL THEN 'is missing' ELSE 'is not as the program made it' END"    \
    " FROM schema_object AS made FULL JOIN (%s) AS found USING (kind, name)"                       \
    " WHERE made.definition IS DISTINCT FROM found.definition ORDER BY kind, name"

static int report_differences(struct verify *verify, const char *sql)
{
    struct stream stream;
    int err = stream_open(&stream, verify, sql);
    while (err == 0 && stream.has_row) {
        char kind[16], name[160], what[40];
        struct columns columns = {.statement = stream.statement};
        column_text(&columns, kind, sizeof(kind));
        column_text(&columns, name, sizeof(name));
        column_text(&columns, what, sizeof(what));
        verify_report(verify, "schema_differs", "%s %s %s", kind, name, what);
        err = stream_next(&stream);
    }
    stream_close(&stream);
    return err;
}

/* A dropped trigger or CHECK no longer guards its law. */
int postgres_verify_schema(struct verify *verify)
{
    char sql[4096];
    struct text_buffer buffer;
    text_buffer_init(&buffer, sql, sizeof(sql));
    text_append_format(&buffer, DIFFERENCE, postgres_sql_objects);
    CHECK(!buffer.is_cut);
    return report_differences(verify, sql);
}
