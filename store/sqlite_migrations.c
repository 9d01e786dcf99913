/*
 * SQLite's migrations, in order. Alone in a file, so that a program of the tests can be linked with
 * a list that goes on (tests/upgrade).
 */
#include "store/sqlite_driver.h"

#include "base/banned.h"

const char *const sqlite_migrations[] = {sqlite_schema_1, sqlite_schema_2, sqlite_schema_3,
                                         sqlite_schema_4};
const int64_t sqlite_migration_count = COUNT_OF(sqlite_migrations);
