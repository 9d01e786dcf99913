/*
 * The migrations of programs to come, for tests/http/upgrade.test.mjs: what the store's own lists
 * hold, and more. UPGRADE_STEPS 1: the next release, which adds; 2: the one after it, which takes
 * away what only programs of before the next one need. A list of this name stands before the
 * store's (store/sqlite_migrations.c, postgres_migrations.c), so the linker leaves those out.
 */
#include "store/postgres_schema.h"
#include "store/sqlite_driver.h"

#include "base/check.h"

#include "base/banned.h"

/* Of tables that every charge writes. */
static const char postgres_next[] =
    "ALTER TABLE card ADD COLUMN nickname TEXT COLLATE \"C\" NOT NULL DEFAULT '';"
    "ALTER TABLE operation ADD COLUMN channel BIGINT NOT NULL DEFAULT 0;"
    "CREATE TABLE voucher (id BIGINT PRIMARY KEY CHECK (id > 0), tenant_id BIGINT NOT NULL);";
static const char sqlite_next[] =
    "ALTER TABLE card ADD COLUMN nickname TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE operation ADD COLUMN channel INTEGER NOT NULL DEFAULT 0;"
    "CREATE TABLE voucher (id INTEGER PRIMARY KEY, tenant_id INTEGER NOT NULL) STRICT;";
static const char take_away[] = "DROP TABLE voucher;";

const struct postgres_migration postgres_migrations[] = {
    {postgres_schema_1, 1}, {postgres_next, 1}, {take_away, 2}};
const int64_t postgres_migration_count = 1 + UPGRADE_STEPS;

const char *const sqlite_migrations[] = {sqlite_schema_1, sqlite_schema_2, sqlite_schema_3,
                                         sqlite_schema_4, sqlite_next,     take_away};
const int64_t sqlite_migration_count = 4 + UPGRADE_STEPS;

_Static_assert(1 + UPGRADE_STEPS <= COUNT_OF(postgres_migrations) &&
                   4 + UPGRADE_STEPS <= COUNT_OF(sqlite_migrations),
               "no more steps than there are");
