/*
 * PostgreSQL's migrations, in order. Alone in a file, so that a program of the tests can be linked
 * with a list that goes on (tests/upgrade).
 */
#include "store/postgres_schema.h"

#include "base/check.h"

#include "base/banned.h"

const struct postgres_migration postgres_migrations[] = {{postgres_schema_1, 1}};
const int64_t postgres_migration_count = COUNT_OF(postgres_migrations);
