/* Moves a tenant to another store: copies beside the service, waits for its end, finishes. */
#include "service/move.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/json.h"
#include "service/core_dump.h"
#include "service/data_folder.h"
#include "service/opening.h"
#include "service/reason.h"
#include "store/move.h"
#include "store/verify.h"

#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/banned.h"

/* Fewer rows than these take well under a second: it is time to ask for the end of the service. */
#define FEW_ROWS 20000
/* A service that writes faster than is copied is not waited for. */
#define ROUNDS_MAX 20
#define LOOK_MS 100
#define LOOKS_A_ROUND 20
#define TABLES_MAX 32

struct told_table {
    const char *name;
    int64_t rows;
    char hex[DIGEST_CHARS + 1];
};

struct errand {
    const struct config *config;
    int64_t tenant_id;
    const char *to;
    bool shows_progress;
    const char *phase;
    int64_t begun_us; /* of the phase */
    int64_t rows;     /* of the phase's tables before this one */
    const char *table;
    int64_t table_rows;
    int64_t shown_us;
    struct seal *seal;
    struct move *move;
    int lock_fd; /* -1: a service has the data folder */
    int64_t locked_us;
    int64_t closed_us; /* how long nobody could serve */
    bool is_done;      /* before this run */
    struct told_table tables[TABLES_MAX];
    int32_t table_count;
};

/* --- telling --- */

static void say(const char *sentence)
{
    fprintf(stderr, "counterpart: %s\n", sentence);
}

static int64_t rate_of(const struct errand *errand, int64_t now_us)
{
    int64_t ms = (now_us - errand->begun_us) / 1000;
    return (errand->rows + errand->table_rows) * 1000 / (ms + 1);
}

/* Tells what the phase before it came to. */
static void begin_phase(struct errand *errand, const char *phase)
{
    int64_t now_us = clock_monotonic_us();
    int64_t rows = errand->rows + errand->table_rows;
    if (errand->shown_us != 0)
        fputc('\n', stderr);
    if (rows > 0)
        fprintf(stderr, "counterpart: %s: %lld rows in %lld ms, %lld/s\n", errand->phase,
                (long long)rows, (long long)(now_us - errand->begun_us) / 1000,
                (long long)rate_of(errand, now_us));
    errand->phase = phase;
    errand->begun_us = now_us;
    errand->rows = errand->table_rows = errand->shown_us = 0;
    errand->table = "";
}

static void on_progress(void *context, const char *table, int64_t rows)
{
    struct errand *errand = context;
    int64_t now_us = clock_monotonic_us();
    if (table != errand->table) {
        errand->rows += errand->table_rows;
        errand->table = table;
    }
    errand->table_rows = rows;
    if (!errand->shows_progress || now_us - errand->shown_us < CLOCK_US_PER_S / 10)
        return;
    errand->shown_us = now_us;
    fprintf(stderr, "\r%s: %lld rows, %lld/s; %s %lld        ", errand->phase,
            (long long)(errand->rows + rows), (long long)rate_of(errand, now_us), table,
            (long long)rows);
}

static void on_table(void *context, const char *table, int64_t rows,
                     const uint8_t digest[DIGEST_BYTES])
{
    struct errand *errand = context;
    CHECK(errand->table_count < TABLES_MAX);
    struct told_table *told = &errand->tables[errand->table_count++];
    *told = (struct told_table){.name = table, .rows = rows};
    text_hex_encode(told->hex, digest, DIGEST_BYTES);
}

static void on_rows(void *context, int64_t done, int64_t total)
{
    const struct errand *errand = context;
    if (errand->shows_progress && total > 0)
        fprintf(stderr, "\r%s: %lld of %lld rows ", errand->phase, (long long)done,
                (long long)total);
}

static void on_finding(void *context, const char *name, const char *detail)
{
    (void)context;
    fprintf(stderr, "%s: %s\n", name, detail);
}

/* --- the steps --- */

static int check_source(const struct config *config)
{
    if (config->is_postgres)
        return reason_give(ERR_BAD_CONFIG,
                           "the store of this service is a PostgreSQL database; what is moved is a "
                           "tenant of the store in COUNTERPART_DATA, without COUNTERPART_DATABASE");
    if (access(config->store_location, F_OK) != 0)
        return reason_give(ERR_NOT_FOUND,
                           "there is no store at %s; set COUNTERPART_DATA to the service's data "
                           "folder",
                           config->store_location);
    return 0;
}

static int check_words(struct errand *errand, const char *tenant)
{
    const char *fault = NULL;
    if (text_parse_int64(text_of(tenant), &errand->tenant_id) != 0 || errand->tenant_id <= 0)
        return reason_give(ERR_BAD_CONFIG, "--tenant must be the number of a tenant");
    if (!store_is_postgres(errand->to, &fault))
        return reason_give(ERR_BAD_CONFIG, "--to must be a postgresql:// URL");
    return fault == NULL ? 0 : reason_give(ERR_BAD_CONFIG, "--to %s", fault);
}

/* ERR_LOCKED: the service runs, which is no failure yet. */
static int try_lock(struct errand *errand)
{
    int err = data_folder_lock(errand->config->data, &errand->lock_fd);
    if (err == ERR_LOCKED)
        reason_forget();
    if (err == 0)
        errand->locked_us = clock_monotonic_us();
    return err;
}

/* An older schema becomes today's; beside a service that is its own work. */
static int migrate(const struct errand *errand)
{
    struct store *store;
    int err = opening_store(errand->config, errand->seal, STORE_WRITER, &store);
    if (err == 0)
        store_close(store);
    return err;
}

/* store is closed. */
static int verify_store(struct errand *errand, struct store *store, const char *whose)
{
    int64_t findings = 0;
    int err = store_verify(store, on_finding, on_rows, errand, &findings);
    store_close(store);
    if (err != 0)
        return reason_give(err, "the %s cannot be verified (%s)", whose, error_name(err));
    if (findings > 0)
        return reason_give(ERR_STORE_CORRUPT, "the %s breaks %lld laws; they are told above", whose,
                           (long long)findings);
    return 0;
}

static int give_fault(const struct errand *errand, int err)
{
    const char *fault = move_fault(errand->move);
    return err == 0 || fault[0] == '\0' ? err : reason_give(err, "%s", fault);
}

static int copy_round(struct errand *errand, int64_t *copied)
{
    return give_fault(errand, move_copy(errand->move, copied));
}

static int copy_all(struct errand *errand)
{
    int64_t copied = INT64_MAX;
    int err = 0;
    begin_phase(errand, "copying");
    for (int i = 0; err == 0 && copied > FEW_ROWS && i < ROUNDS_MAX; i++)
        err = copy_round(errand, &copied);
    return err;
}

static void pause_ms(int64_t ms)
{
    const struct timespec span = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    (void)nanosleep(&span, NULL);
}

/* Meanwhile the copy keeps up with what the service does. */
static int wait_for_service(struct errand *errand)
{
    int err = try_lock(errand);
    if (err != ERR_LOCKED)
        return err;
    begin_phase(errand, "keeping up");
    say("everything but the last changes is copied. Stop the service now: the rest takes seconds, "
        "and registers are not served until you start a service again");
    for (int64_t looks = 1; err == ERR_LOCKED; looks++) {
        int64_t copied;
        pause_ms(LOOK_MS);
        err = try_lock(errand);
        if (err == ERR_LOCKED && looks % LOOKS_A_ROUND == 0) {
            int copy_err = copy_round(errand, &copied);
            err = copy_err != 0 ? copy_err : ERR_LOCKED;
        }
    }
    return err;
}

static int finish(struct errand *errand)
{
    begin_phase(errand, "comparing");
    int err = give_fault(errand, move_finish(errand->move, clock_wall_us()));
    errand->closed_us = clock_monotonic_us() - errand->locked_us;
    data_folder_unlock(errand->lock_fd);
    errand->lock_fd = -1;
    return err;
}

static int open_move(struct errand *errand)
{
    const struct move_config config = {.source = errand->config->store_location,
                                       .target = errand->to,
                                       .seal = errand->seal,
                                       .tenant_id = errand->tenant_id,
                                       .on_progress = on_progress,
                                       .on_table = on_table,
                                       .context = errand};
    return give_fault(errand, move_open(&config, &errand->move, &errand->is_done));
}

/* Rows that were broken when they came would be so there. */
static int verify_source(struct errand *errand)
{
    struct store *store;
    begin_phase(errand, "verifying this store");
    int err = opening_store(errand->config, errand->seal, STORE_READER, &store);
    return err != 0 ? err : verify_store(errand, store, "store of this service");
}

static int verify_target(struct errand *errand)
{
    const struct store_config config = {.location = errand->to, .seal = errand->seal};
    struct store *store;
    begin_phase(errand, "verifying the target");
    int err = store_open(&config, STORE_READER, &store);
    if (err != 0)
        return reason_give(err, "the tenant has moved, but the target cannot be verified (%s)",
                           error_name(err));
    return verify_store(errand, store, "target");
}

static int run_steps(struct errand *errand)
{
    int err = try_lock(errand);
    if (err == 0)
        err = migrate(errand);
    else if (err == ERR_LOCKED)
        err = 0;
    if (err == 0)
        err = verify_source(errand);
    if (err == 0)
        err = open_move(errand);
    if (err != 0 || errand->is_done)
        return err;
    errand->rows = errand->table_rows = 0; /* its one row is no figure */
    err = copy_all(errand);
    if (err == 0 && errand->lock_fd == -1)
        err = wait_for_service(errand);
    if (err == 0)
        err = finish(errand);
    if (err != 0)
        return err;
    say("the tenant has moved, row by row as it was: a service on the target may start now. "
        "Meanwhile the target is verified");
    err = verify_target(errand);
    return err;
}

/* --- the end --- */

static void write_tables(struct jwrite *writer, const struct errand *errand)
{
    jwrite_key(writer, TEXT("tables"));
    jwrite_array_begin(writer);
    for (int32_t i = 0; i < errand->table_count; i++) {
        const struct told_table *told = &errand->tables[i];
        jwrite_object_begin(writer);
        jwrite_key(writer, TEXT("name"));
        jwrite_text(writer, text_of(told->name));
        jwrite_key(writer, TEXT("rows"));
        jwrite_int64(writer, told->rows);
        jwrite_key(writer, TEXT("sha256"));
        jwrite_text(writer, text_of(told->hex));
        jwrite_object_end(writer);
    }
    jwrite_array_end(writer);
}

static void print_json(const struct errand *errand)
{
    char bytes[TABLES_MAX * 256];
    struct text_buffer buffer;
    struct jwrite writer;
    text_buffer_init(&buffer, bytes, sizeof(bytes));
    jwrite_init(&writer, &buffer);
    jwrite_object_begin(&writer);
    jwrite_key(&writer, TEXT("tenant"));
    jwrite_int64(&writer, errand->tenant_id);
    jwrite_key(&writer, TEXT("moved"));
    jwrite_bool(&writer, !errand->is_done); /* by this run */
    jwrite_key(&writer, TEXT("closed_ms"));
    jwrite_int64(&writer, errand->closed_us / 1000);
    write_tables(&writer, errand);
    jwrite_object_end(&writer);
    CHECK(!buffer.is_cut);
    printf("%s\n", bytes);
}

static void print_end(const struct errand *errand, bool wants_json)
{
    if (wants_json || !isatty(STDOUT_FILENO)) {
        print_json(errand);
        return;
    }
    if (errand->is_done) {
        printf("Tenant %lld was moved to that store before; nothing was changed.\n",
               (long long)errand->tenant_id);
        return;
    }
    for (int32_t i = 0; i < errand->table_count; i++)
        printf("  %-18s %12lld rows  %.16s\n", errand->tables[i].name,
               (long long)errand->tables[i].rows, errand->tables[i].hex);
    printf("Tenant %lld has moved: every row is equal on both sides, and all laws hold in the "
           "target. Nobody could serve it for %lld ms.\n",
           (long long)errand->tenant_id, (long long)(errand->closed_us / 1000));
}

int move_run(const struct config *config, const char *tenant, const char *to, bool wants_json)
{
    static struct errand errand;
    errand = (struct errand){.config = config,
                             .to = to,
                             .lock_fd = -1,
                             .table = "",
                             .shows_progress = isatty(STDERR_FILENO)};
    if (!config->core_dumps_are_on)
        core_dump_forbid(); /* the master key is read here too */
    int err = check_source(config);
    if (err == 0)
        err = check_words(&errand, tenant);
    if (err == 0)
        err = opening_seal(config, false, &errand.seal);
    if (err == 0)
        err = run_steps(&errand);
    begin_phase(&errand, "");
    move_close(errand.move);
    data_folder_unlock(errand.lock_fd);
    seal_destroy(errand.seal);
    if (err == 0) {
        print_end(&errand, wants_json);
        return EXIT_SUCCESS;
    }
    (void)reason_give(err, "%s", error_name(err));
    say(reason_given());
    return EXIT_FAILURE;
}
