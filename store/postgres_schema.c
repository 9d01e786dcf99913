/*
 * PostgreSQL's migrations, and the checks that a database must pass before it is used.
 */
#include "store/postgres_schema.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"

#include <string.h>
#include <time.h>

#include "base/banned.h"

#define SCHEMA_VERSION postgres_migration_count

/* A migration waits for a lock so long, for whoever comes behind it waits as well, charges among
 * them; then it lets them go by. It tries again for so long: callers of a process that takes over
 * from another wait meanwhile. */
#define LOCK_TIMEOUT_TEXT "200"
#define TRY_FOR_US (INT64_C(3) * CLOCK_US_PER_S)
#define TRY_EVERY_US (INT64_C(100) * 1000)

/* The texts of the schema name them, too. */
_Static_assert(POSTGRES_LOCK_SCHEMA == 4859231640215712306 &&
                   POSTGRES_LOCK_IDS == 4859231640215712307,
               "take_ids, skip_ids and partition_ahead in postgres_tables.c");

/* Whatever somebody keeps in the schema that we would use, but what belongs to an extension. */
const char postgres_sql_count_tables[] =
    "SELECT count(*) FROM pg_class WHERE relnamespace = current_schema()::regnamespace"
    " AND relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND NOT EXISTS (SELECT 1 FROM pg_depend"
    " WHERE classid = 'pg_class'::regclass AND objid = pg_class.oid AND deptype = 'e')";
static const char sql_count_ours[] =
    "SELECT count(*) FROM pg_attribute WHERE attname IN ('schema_version', 'schema_oldest',"
    " 'key_check')"
    " AND attrelid = to_regclass(format('%I.meta', current_schema()))";
static const char sql_read_version[] = "SELECT schema_version FROM meta WHERE id = 1";
static const char sql_read_oldest[] = "SELECT schema_oldest FROM meta WHERE id = 1";
static const char sql_is_unicode[] =
    "SELECT current_setting('server_encoding') = 'UTF8' AND current_schema() IS NOT NULL";
static const char sql_read_key[] = "SELECT key_check FROM meta WHERE id = 1";
static const char sql_insert_meta[] =
    "INSERT INTO meta (id, schema_version, schema_oldest, key_check, key_version, generation,"
    " hot_generation) VALUES (1, ?, ?, ?, ?, 1, ?)";
static const char sql_set_version[] =
    "UPDATE meta SET schema_version = ?, schema_oldest = ? WHERE id = 1";
static const char sql_lock[] = "SELECT 1 FROM pg_advisory_xact_lock(?)";
static const char sql_lock_soon[] = "SET LOCAL lock_timeout = " LOCK_TIMEOUT_TEXT;
static const char sql_exclude[] = "SELECT pg_try_advisory_xact_lock(?)";
static const char sql_forget_objects[] = "DELETE FROM schema_object";
static const char sql_partition_ahead[] = "SELECT partition_ahead()";

/* A statement that is asked once. ownership: schema_finish, also after an error. */
static int schema_prepare(struct store_postgres *postgres, const char *text, struct binder *binder)
{
    *binder = (struct binder){0};
    return postgres_driver.prepare(&postgres->sql, text, &binder->statement);
}

static void schema_finish(struct binder *binder)
{
    if (binder->statement != NULL)
        postgres_driver.finalize(binder->statement);
}

/* What is bound already, and its first column, or 0 where there is no row. */
static int schema_step_int(struct store_postgres *postgres, struct binder *binder, int64_t *value)
{
    bool has_row;
    int err = sql_step(&postgres->sql, binder->statement, &has_row);
    *value = 0;
    if (err == 0 && has_row)
        *value = column_int(&(struct columns){.statement = binder->statement});
    return err;
}

static int schema_read_int(struct store_postgres *postgres, const char *text, int64_t *value)
{
    struct binder binder;
    *value = 0;
    int err = schema_prepare(postgres, text, &binder);
    if (err == 0)
        err = schema_step_int(postgres, &binder, value);
    schema_finish(&binder);
    return err;
}

/* May a program of this version use what a later one has migrated? */
static int schema_check_oldest(int64_t oldest)
{
    if (oldest <= SCHEMA_VERSION)
        return 0;
    log_event(LOG_ERROR, "schema_too_new", LOG_INT("oldest", oldest),
              LOG_INT("known", SCHEMA_VERSION));
    return ERR_SCHEMA_TOO_NEW;
}

/* Ours, and not from a program too late for this one? *version 0: an empty database. */
static int schema_read_version(struct store_postgres *postgres, int64_t *version)
{
    int64_t others, ours, is_unicode, oldest = 0;
    *version = 0;
    int err = schema_read_int(postgres, sql_is_unicode, &is_unicode);
    if (err == 0)
        err = schema_read_int(postgres, postgres_sql_count_tables, &others);
    if (err == 0)
        err = schema_read_int(postgres, sql_count_ours, &ours);
    if (err == 0 && ours == 3)
        err = schema_read_int(postgres, sql_read_version, version);
    if (err == 0 && ours == 3)
        err = schema_read_int(postgres, sql_read_oldest, &oldest);
    if (err != 0)
        return err;
    if (is_unicode == 0) {
        log_event(LOG_ERROR, "database_is_not_utf8");
        return ERR_STORE_DOWN;
    }
    if (*version == 0 && others == 0)
        return 0;
    if (*version <= 0) {
        log_event(LOG_ERROR, "store_is_not_ours", LOG_INT("tables", others));
        return ERR_STORE_CORRUPT;
    }
    return schema_check_oldest(oldest);
}

/* In text: what prepares a statement asks for a connection first, and this one is not ready. */
static int schema_look_again(struct store_postgres *postgres)
{
    PGresult *result;
    int64_t oldest = 0;
    int err = postgres_ask(postgres, sql_read_oldest, &result);
    if (err == 0 && PQntuples(result) == 1)
        err = text_parse_int64(text_of(PQgetvalue(result, 0, 0)), &oldest);
    PQclear(result);
    return err != 0 ? err : schema_check_oldest(oldest);
}

int postgres_schema_announce(struct store_postgres *postgres)
{
    char text[64];
    struct text_buffer buffer;
    text_buffer_init(&buffer, text, sizeof(text));
    text_append_format(&buffer, "SELECT pg_advisory_lock_shared(%lld)",
                       (long long)(POSTGRES_LOCK_PROGRAM + SCHEMA_VERSION));
    CHECK(!buffer.is_cut);
    int err = postgres_execute(postgres, text);
    return err == 0 && postgres->is_opened ? schema_look_again(postgres) : err;
}

/* --- migrating --- */

static int64_t schema_oldest(void)
{
    return postgres_migrations[SCHEMA_VERSION - 1].oldest;
}

/* Part of every key in Redis: it starts anywhere, so that two stores do not share entries. */
static int64_t first_hot_generation(void)
{
    struct id_source source = id_source_system();
    uint8_t bytes[6];
    int64_t generation = 1;
    source.fill(source.context, bytes, sizeof(bytes));
    for (size_t i = 0; i < sizeof(bytes); i++)
        generation += (int64_t)bytes[i] << (8 * i);
    return generation;
}

static int schema_insert_meta(struct store_postgres *postgres)
{
    uint8_t key_check[SEAL_MAC_BYTES];
    struct binder binder;
    seal_check_value(postgres->sql.store.seal, key_check);
    int err = schema_prepare(postgres, sql_insert_meta, &binder);
    if (err == 0) {
        bind_int(&binder, SCHEMA_VERSION);
        bind_int(&binder, schema_oldest());
        bind_blob(&binder, key_check, sizeof(key_check));
        bind_int(&binder, SEAL_KEY_VERSION);
        bind_int(&binder, first_hot_generation());
        err = sql_finish(&postgres->sql, binder.statement);
    }
    schema_finish(&binder);
    return err;
}

static int schema_write_version(struct store_postgres *postgres)
{
    struct binder binder;
    int err = schema_prepare(postgres, sql_set_version, &binder);
    if (err == 0) {
        bind_int(&binder, SCHEMA_VERSION);
        bind_int(&binder, schema_oldest());
        err = sql_finish_update(&postgres->sql, binder.statement, "meta", 1);
    }
    schema_finish(&binder);
    return err;
}

static int schema_note_objects(struct store_postgres *postgres)
{
    char text[4096];
    struct text_buffer buffer;
    text_buffer_init(&buffer, text, sizeof(text));
    text_append_format(&buffer, "INSERT INTO schema_object (kind, name, definition) %s",
                       postgres_sql_objects);
    CHECK(!buffer.is_cut);
    int err = postgres_execute(postgres, sql_forget_objects);
    return err != 0 ? err : postgres_execute(postgres, text);
}

/* A program of that version is connected: ERR_LOCKED. Until the transaction ends none
 * connects, and afterwards the schema sends it away. */
static int schema_exclude(struct store_postgres *postgres, int64_t version)
{
    struct binder binder;
    int64_t is_alone;
    int err = schema_prepare(postgres, sql_exclude, &binder);
    if (err == 0) {
        bind_int(&binder, POSTGRES_LOCK_PROGRAM + version);
        err = schema_step_int(postgres, &binder, &is_alone);
    }
    schema_finish(&binder);
    if (err != 0 || is_alone != 0)
        return err;
    log_event(LOG_WARNING, "schema_is_in_use", LOG_INT("by_programs_of", version),
              LOG_INT("oldest", schema_oldest()));
    return ERR_LOCKED;
}

/* Those that cannot live with what comes. */
static int schema_exclude_older(struct store_postgres *postgres, int64_t version)
{
    int64_t oldest = schema_oldest();
    int err = 0;
    if (version == 0)
        return 0;
    err = schema_read_int(postgres, sql_read_oldest, &oldest);
    for (; err == 0 && oldest < schema_oldest(); oldest++)
        err = schema_exclude(postgres, oldest);
    return err;
}

static int schema_migrate_from(struct store_postgres *postgres, int64_t version)
{
    int err = 0;
    for (int64_t next = version; err == 0 && next < SCHEMA_VERSION; next++)
        err = postgres_execute(postgres, postgres_migrations[next].text);
    if (err == 0)
        err = version == 0 ? schema_insert_meta(postgres) : schema_write_version(postgres);
    return err != 0 ? err : schema_note_objects(postgres);
}

/* Until the transaction ends nobody else migrates. */
static int schema_lock(struct store_postgres *postgres)
{
    struct binder binder;
    int64_t one;
    int err = schema_prepare(postgres, sql_lock, &binder);
    if (err == 0) {
        bind_int(&binder, POSTGRES_LOCK_SCHEMA);
        err = schema_step_int(postgres, &binder, &one);
    }
    schema_finish(&binder);
    return err;
}

/* With the lock of migrations: what is left to do. */
static int schema_migrate_locked(struct store_postgres *postgres)
{
    int64_t version;
    int err = schema_read_version(postgres, &version); /* again: another may have migrated */
    if (err != 0 || version >= SCHEMA_VERSION)
        return err;
    err = postgres_execute(postgres, sql_lock_soon);
    if (err == 0)
        err = schema_exclude_older(postgres, version);
    if (err == 0)
        err = schema_migrate_from(postgres, version);
    if (err == 0)
        log_event(LOG_INFO, "schema_migrated", LOG_INT("from", version),
                  LOG_INT("to", SCHEMA_VERSION), LOG_INT("oldest", schema_oldest()));
    return err;
}

/* In one transaction, so that a crash leaves the old version or the new one. */
static int schema_try_migrate(struct store_postgres *postgres)
{
    int err = postgres_begin(postgres);
    if (err != 0)
        return err;
    err = postgres_be_patient(postgres);
    if (err == 0)
        err = schema_lock(postgres);
    if (err == 0)
        err = schema_migrate_locked(postgres);
    if (err == 0)
        err = postgres_driver.commit(&postgres->sql);
    else
        postgres_driver.rollback(&postgres->sql);
    return err;
}

static int schema_migrate(struct store_postgres *postgres)
{
    const struct timespec rest = {.tv_nsec = TRY_EVERY_US * 1000};
    int64_t end_us = clock_monotonic_us() + TRY_FOR_US;
    int err = schema_try_migrate(postgres);
    while ((err == ERR_STORE_BUSY || err == ERR_LOCKED) && clock_monotonic_us() < end_us) {
        nanosleep(&rest, NULL);
        err = schema_try_migrate(postgres);
    }
    return err;
}

/* --- opening --- */

/* The master key must be the one the store was created with: another would seal and index new rows
 * so that nobody finds them again. */
static int schema_check_key(struct store_postgres *postgres)
{
    uint8_t expected[SEAL_MAC_BYTES];
    uint8_t stored[SEAL_MAC_BYTES];
    struct binder binder;
    bool has_row = false;
    int err = schema_prepare(postgres, sql_read_key, &binder);
    if (err == 0)
        err = sql_step(&postgres->sql, binder.statement, &has_row);
    if (has_row)
        column_blob(&(struct columns){.statement = binder.statement}, stored, sizeof(stored));
    schema_finish(&binder);
    if (err != 0)
        return err;
    if (!has_row)
        return ERR_STORE_CORRUPT;
    seal_check_value(postgres->sql.store.seal, expected);
    return seal_equal(expected, stored, sizeof(expected)) ? 0 : ERR_BAD_KEY;
}

int postgres_schema_open(struct store_postgres *postgres)
{
    int64_t version, made;
    bool is_writer = postgres->sql.mode == STORE_WRITER;
    int err = schema_read_version(postgres, &version); /* before anything is written to it */
    if (err != 0)
        return err;
    if (version == 0 && !is_writer)
        return ERR_NOT_FOUND;
    if (version < SCHEMA_VERSION && !is_writer) {
        log_event(LOG_ERROR, "schema_not_migrated", LOG_INT("version", version));
        return ERR_STORE_DOWN;
    }
    if (version < SCHEMA_VERSION)
        err = schema_migrate(postgres);
    if (err == 0)
        err = schema_check_key(postgres);
    if (err == 0 && is_writer)
        err = schema_read_int(postgres, sql_partition_ahead, &made);
    postgres->is_opened = err == 0;
    return err;
}
