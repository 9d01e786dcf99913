/*
 * What the files of PostgreSQL's schema share. Nobody else includes this header.
 */
#ifndef COUNTERPART_STORE_POSTGRES_SCHEMA_H
#define COUNTERPART_STORE_POSTGRES_SCHEMA_H

#include "store/postgres.h"

/* In order; entry n brings a database of version n to n + 1. Entries are never changed. */
extern const char postgres_schema_1[]; /* postgres_tables.c */

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
