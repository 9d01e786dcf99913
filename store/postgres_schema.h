/*
 * What the files of PostgreSQL's schema share. Nobody else includes this header.
 */
#ifndef COUNTERPART_STORE_POSTGRES_SCHEMA_H
#define COUNTERPART_STORE_POSTGRES_SCHEMA_H

#include "store/postgres.h"

/*
 * One step of the schema, which programs of before may have to live with: processes are replaced
 * one after the other, beside each other on one store, and who goes back to the program of before
 * finds the store as the later one has left it. So a step adds what programs down to `oldest` need
 * not know (a table, a column with a default that they never name, an index), and what they still
 * use goes in a later release, with a step whose `oldest` is the schema that uses it no more.
 *
 * It runs beside live batches: nothing that rewrites or reads a table of the ledger while it holds
 * a lock on it. Who waits for a lock keeps others waiting, so none waits long (postgres_schema.c).
 */
struct postgres_migration {
    const char *text;
    int64_t oldest; /* the first version of the schema whose programs go on working behind it */
};
/* In order; entry n brings a database of version n to n + 1. Entries are never changed. */
extern const struct postgres_migration postgres_migrations[]; /* postgres_migrations.c */
extern const int64_t postgres_migration_count; /* the version of this program's schema */
extern const char postgres_schema_1[];         /* postgres_tables.c */

/* What keeps something in the schema that we would use; what belongs to an extension, such as the
 * views of pg_stat_statements, does not count. */
extern const char postgres_sql_count_tables[]; /* postgres_schema.c */

/*
 * Every object of the schema that guards or finds something, as the server words it: kind, name,
 * definition, ordered by nothing. Partitions are as the table that they belong to; of them only
 * what was switched off is told.
 */
extern const char postgres_sql_objects[]; /* postgres_check.c */

#endif
