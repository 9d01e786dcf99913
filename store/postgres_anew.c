/*
 * A restored database becomes a store of its own: what it gives out from now on was never given
 * out before.
 */
#include "store/backup.h"
#include "store/postgres.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"

#include <time.h>

#include "base/banned.h"

/* A session that was closed a moment ago is listed until its server process has ended. */
#define ALONE_WITHIN_US (INT64_C(3) * CLOCK_US_PER_S)
#define ALONE_EVERY_US (INT64_C(50) * 1000)

/* Whoever is connected by the service's role may be about to give out what was given out. */
static const char sql_count_others[] =
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
    " AND usename = current_user AND pid <> pg_backend_pid()";
/* The id of a tombstone: sequences go up only, whatever becomes of the transaction. */
static const char sql_move_ids[] =
    "SELECT setval('operation_ids', greatest((SELECT last_value + 1 FROM operation_ids), ?))";
static const char sql_partition_ahead[] = "SELECT partition_ahead()";
/* A tombstone (ACTION_VOID), after which ids go on; of some tenant, and a store without one has
 * given out nothing. */
static const char sql_insert_tombstone[] =
    "INSERT INTO operation (id, tenant_id, card_id, action, result, order_id, refunded_order_id,"
    " answers_operation_id, site_id, register_id, asked_minor, amount_minor, balance_minor_after,"
    " card_version_after, limit_minor, given_back_minor, previous_operation_id, created_at_us)"
    " SELECT ?, id, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, ? FROM tenant ORDER BY id LIMIT 1";
/* Tokens: two numbers on, for those of the one before are still good. */
static const char sql_forget[] =
    "UPDATE meta SET token_generation = token_generation + 2, config_version = config_version + 1,"
    " hot_generation = hot_generation + 1 + CAST(random() * 281474976710656 AS BIGINT)"
    " WHERE id = 1";
/* Whoever held them has ended: nobody waits until they would have, too. */
static const char sql_end_leases[] = "DELETE FROM lease";

/* With what is bound by the caller; *value: of its first column, 0 where there is no row. */
static int run(struct store_postgres *postgres, const char *text, const int64_t *numbers,
               int32_t count, int64_t *value)
{
    struct binder binder = {0};
    bool has_row = false;
    *value = 0;
    int err = postgres_driver.prepare(&postgres->sql, text, &binder.statement);
    if (err != 0)
        return err;
    for (int32_t i = 0; i < count; i++)
        bind_int(&binder, numbers[i]);
    err = sql_step(&postgres->sql, binder.statement, &has_row);
    if (err == 0 && has_row)
        *value = column_int(&(struct columns){.statement = binder.statement});
    postgres_driver.finalize(binder.statement);
    return err;
}

static int wait_until_alone(struct store_postgres *postgres)
{
    const struct timespec rest = {.tv_nsec = ALONE_EVERY_US * 1000};
    int64_t end_us = clock_monotonic_us() + ALONE_WITHIN_US, others;
    int err;
    while ((err = run(postgres, sql_count_others, NULL, 0, &others)) == 0 && others > 0 &&
           clock_monotonic_us() < end_us)
        nanosleep(&rest, NULL);
    if (err != 0 || others == 0)
        return err;
    log_event(LOG_ERROR, "store_is_in_use", LOG_INT("connections", others));
    return ERR_LOCKED;
}

static int write_anew(struct store_postgres *postgres, int64_t operation_least, int64_t now_us)
{
    int64_t tombstone[] = {0, now_us}, none;
    int err = run(postgres, sql_move_ids, &operation_least, 1, &tombstone[0]);
    if (err == 0)
        err = run(postgres, sql_partition_ahead, NULL, 0, &none);
    if (err == 0)
        err = run(postgres, sql_insert_tombstone, tombstone, COUNT_OF(tombstone), &none);
    if (err == 0)
        err = run(postgres, sql_forget, NULL, 0, &none);
    return err == 0 ? run(postgres, sql_end_leases, NULL, 0, &none) : err;
}

static int begin_anew(struct store_postgres *postgres, int64_t operation_least, int64_t now_us)
{
    int err = wait_until_alone(postgres);
    if (err == 0)
        err = postgres_begin(postgres);
    if (err != 0)
        return err;
    err = write_anew(postgres, operation_least, now_us);
    if (err == 0)
        return postgres_driver.commit(&postgres->sql);
    postgres_driver.rollback(&postgres->sql);
    return err;
}

int store_postgres_begin_anew(const struct store_config *config, int64_t operation_least,
                              int64_t now_us)
{
    struct store_postgres *postgres;
    int err = postgres_open(config->location, config->timeline_path, STORE_WRITER, &postgres);
    if (err != 0)
        return err;
    err = begin_anew(postgres, operation_least, now_us);
    store_close(&postgres->sql.store);
    return err;
}
