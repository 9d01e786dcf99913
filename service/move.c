/* Moves tenants to another store: copies beside the service, closes one tenant at a time, finishes.
 */
#include "service/move.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/json.h"
#include "service/admin_client.h"
#include "service/core_dump.h"
#include "service/data_folder.h"
#include "service/opening.h"
#include "service/reason.h"
#include "store/move.h"
#include "store/verify.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/banned.h"

/* Fewer rows than these take well under a second: it is time to close the tenant. */
#define FEW_ROWS 20000
/* A service that writes faster than is copied is not waited for. */
#define ROUNDS_MAX 20
#define LOOK_MS 100
/* What a service has begun for the tenant ends by the registers' deadline (COMMAND_WAIT_MAX_US). */
#define DRAIN_MS 4500
/* A token that is being refreshed: OAUTH_LEASE_US, and a little. */
#define LEASE_LOOKS_MAX (35 * 1000 / LOOK_MS)
/* A service that has just begun has no socket yet. */
#define TELL_LOOKS_MAX (20 * 1000 / LOOK_MS)
#define TABLES_MAX 32
/* For --dry-run, as measured with a database on the same machine: a million cards, operations and
 * transfers each; the larger figure compares, the smaller one copies. */
#define COPIED_A_SECOND 60000
#define COMPARED_A_SECOND 300000

struct told_table {
    const char *name;
    int64_t rows;
    char hex[DIGEST_CHARS + 1];
};

/* One tenant's move by this run. */
struct moved {
    int64_t tenant_id;
    bool was_done;     /* before this run */
    bool is_verified;  /* by an earlier run, to the end */
    int64_t closed_us; /* how long nobody could serve it */
    struct move_look look;
    struct told_table tables[TABLES_MAX];
    int32_t table_count;
};

struct errand {
    const struct config *config;
    const struct move_wish *wish;
    bool shows_progress;
    const char *phase;
    int64_t begun_us; /* of the phase */
    int64_t rows;     /* of the phase's tables before this one */
    const char *table;
    int64_t table_rows;
    int64_t shown_us;
    struct seal *seal;
    struct move *move;
    struct moved *tenants;
    int32_t tenant_count, tenant_room;
    struct moved *now; /* the one whose turn it is */
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
    struct moved *moved = errand->now;
    CHECK(moved->table_count < TABLES_MAX);
    struct told_table *told = &moved->tables[moved->table_count++];
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

static int check_words(struct errand *errand, int64_t *tenant_id)
{
    const struct move_wish *wish = errand->wish;
    const char *fault = NULL;
    if ((wish->tenant == NULL) != wish->is_all)
        return reason_give(ERR_BAD_CONFIG, "either --tenant ID or --all must be given");
    if (wish->is_cancel && wish->is_dry_run)
        return reason_give(ERR_BAD_CONFIG, "--cancel and --dry-run do not go together");
    if (!wish->is_all &&
        (text_parse_int64(text_of(wish->tenant), tenant_id) != 0 || *tenant_id <= 0))
        return reason_give(ERR_BAD_CONFIG, "--tenant must be the number of a tenant");
    if (!store_is_postgres(wish->to, &fault))
        return reason_give(ERR_BAD_CONFIG,
                           "--to must be a postgresql:// URL: what is moved to is a PostgreSQL "
                           "database, never another SQLite file");
    return fault == NULL ? 0 : reason_give(ERR_BAD_CONFIG, "--to %s", fault);
}

/* --- the service beside --- */

/* An older schema becomes today's; beside a service that is its own work. */
static int migrate(const struct errand *errand)
{
    struct store *store;
    int lock_fd = -1;
    int err = data_folder_lock(errand->config->data, &lock_fd);
    if (err == ERR_LOCKED)
        reason_forget();
    if (err != 0)
        return err == ERR_LOCKED ? 0 : err;
    err = opening_store(errand->config, errand->seal, STORE_WRITER, &store);
    if (err == 0)
        store_close(store);
    data_folder_unlock(lock_fd);
    return err;
}

static bool has_service(const struct errand *errand)
{
    int lock_fd = -1;
    bool has_reason = reason_given()[0] != '\0';
    int err = data_folder_lock(errand->config->data, &lock_fd);
    if (!has_reason)
        reason_forget();
    data_folder_unlock(lock_fd);
    return err == ERR_LOCKED;
}

static int ask_to_reload(const struct errand *errand)
{
    struct admin_session *session;
    struct admin_reply reply = {NULL, 0, 0};
    int err = admin_session_open(errand->config->admin_path, &session);
    if (err != 0)
        return err;
    admin_session_hush(session, true);
    err = admin_session_post(session, "/admin/tenant/reload", TEXT("{}"), &reply);
    if (err == 0 && reply.status != 200)
        err = ERR_REFUSED;
    free(reply.bytes);
    admin_session_close(session);
    return err;
}

static void pause_ms(int64_t ms)
{
    const struct timespec span = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    (void)nanosleep(&span, NULL);
}

/* A service, if there is one, loads what was changed in the store. One that begins later finds it.
 */
static int tell_service(const struct errand *errand, bool *is_there)
{
    int err = ERR_IO;
    *is_there = has_service(errand);
    for (int i = 0; *is_there && err != 0 && i < TELL_LOOKS_MAX; i++) {
        err = ask_to_reload(errand);
        if (err != 0) {
            pause_ms(LOOK_MS);
            *is_there = has_service(errand);
        }
    }
    if (!*is_there || err == 0)
        return 0;
    return reason_give(err, "the service beside does not answer on its admin socket; nothing is "
                            "closed for longer than you like: run this again, or --cancel");
}

/* --- the steps --- */

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

/* From here on the tenant is refused; in the end his rows are as they will be for ever. */
static int close_tenant(struct errand *errand)
{
    bool is_there;
    begin_phase(errand, "closing");
    int err = give_fault(errand, move_leave(errand->move));
    if (err == 0)
        err = tell_service(errand, &is_there);
    if (err == 0 && is_there)
        pause_ms(DRAIN_MS);
    if (err == 0)
        err = move_shut(errand->move, clock_wall_us());
    for (int i = 0; err == ERR_LEASED && i < LEASE_LOOKS_MAX; i++) {
        pause_ms(LOOK_MS);
        err = move_shut(errand->move, clock_wall_us());
    }
    if (err == ERR_LEASED)
        return reason_give(err,
                           "a token of tenant %lld is being refreshed without an end; look at "
                           "counterpart oauth status, then run this again, or --cancel",
                           (long long)errand->now->tenant_id);
    return give_fault(errand, err);
}

static void say_closed(const struct errand *errand)
{
    fprintf(stderr,
            "counterpart: tenant %lld stays closed: run the same command again, which goes on from "
            "here, or with --cancel, which opens it in this store\n",
            (long long)errand->now->tenant_id);
}

static int finish(struct errand *errand)
{
    int64_t closed_us = clock_monotonic_us();
    bool is_there;
    int err = close_tenant(errand);
    begin_phase(errand, "comparing");
    if (err == 0)
        err = give_fault(errand, move_finish(errand->move, clock_wall_us()));
    if (err != 0 && err != ERR_STALE && move_place(errand->move) != TENANT_HERE)
        say_closed(errand); /* stale: somebody else's move has closed him */
    int told_err = tell_service(errand, &is_there);
    errand->now->closed_us = clock_monotonic_us() - closed_us;
    return err != 0 ? err : told_err;
}

static struct move_config move_config_of(struct errand *errand)
{
    return (struct move_config){.source = errand->config->store_location,
                                .target = errand->wish->to,
                                .seal = errand->seal,
                                .tenant_id = errand->now->tenant_id,
                                .on_progress = on_progress,
                                .on_table = on_table,
                                .context = errand};
}

static int open_move(struct errand *errand)
{
    const struct move_config config = move_config_of(errand);
    return give_fault(errand, move_open(&config, &errand->move, &errand->now->was_done));
}

static void close_move(struct errand *errand)
{
    move_close(errand->move);
    errand->move = NULL;
}

/* What cannot be noted is verified once more by the next run, no more than that. */
static int note_verified(struct errand *errand)
{
    const struct move_config config = move_config_of(errand);
    bool was_done = false;
    if (errand->now->is_verified)
        return 0;
    int err = move_open(&config, &errand->move, &was_done);
    if (err == 0 && was_done)
        err = move_note_verified(errand->move, clock_wall_us());
    close_move(errand);
    if (err != 0)
        say("the target holds all laws, but that could not be noted there: run again, this command "
            "verifies it once more");
    return 0;
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
    const struct store_config config = {.location = errand->wish->to, .seal = errand->seal};
    struct store *store;
    begin_phase(errand, "verifying the target");
    int err = store_open(&config, STORE_READER, &store);
    if (err != 0)
        return reason_give(err, "the tenant has moved, but the target cannot be verified (%s)",
                           error_name(err));
    return verify_store(errand, store, "target");
}

/* Tenants are copied first, and closed one after the other then. */
static int copy_tenant(struct errand *errand)
{
    bool is_there;
    int err = open_move(errand);
    errand->rows = errand->table_rows = 0; /* its one row is no figure */
    if (err == 0 && errand->now->was_done)
        err = tell_service(errand, &is_there); /* a store that was restored may just have let go */
    else if (err == 0)
        err = copy_all(errand);
    if (errand->now->was_done && err == 0)
        errand->now->is_verified = move_is_verified(errand->move);
    close_move(errand);
    return err;
}

static int finish_tenant(struct errand *errand)
{
    bool was_done = false;
    int64_t copied;
    if (errand->now->was_done)
        return 0;
    int err = open_move(errand);
    was_done = errand->now->was_done;
    if (err == 0 && !was_done)
        err = copy_round(errand, &copied);
    if (err == 0 && !was_done)
        err = finish(errand);
    close_move(errand);
    return err;
}

static int cancel_tenant(struct errand *errand)
{
    const struct move_config config = move_config_of(errand);
    bool is_there;
    int err = give_fault(errand, move_cancel(&config, &errand->move));
    close_move(errand);
    int told_err = tell_service(errand, &is_there);
    return err != 0 ? err : told_err;
}

static int look_at_tenant(struct errand *errand)
{
    const struct move_config config = move_config_of(errand);
    int err = give_fault(errand, move_look(&config, &errand->move, &errand->now->look));
    close_move(errand);
    return err;
}

static int each_tenant(struct errand *errand, int (*step)(struct errand *errand))
{
    int err = 0;
    for (int32_t i = 0; err == 0 && i < errand->tenant_count; i++) {
        errand->now = &errand->tenants[i];
        err = step(errand);
    }
    return err;
}

static void say_verifying(const struct errand *errand, bool is_any)
{
    if (!is_any)
        say("the target was not verified to its end after the move: it is verified now");
    else if (errand->wish->is_all)
        say("all tenants have moved, row by row as they were: a service on the target may start "
            "now. Meanwhile the target is verified");
    else
        say("the tenant has moved, row by row as it was: a service on the target may start now. "
            "Meanwhile the target is verified");
}

static int move_tenants(struct errand *errand)
{
    int err = each_tenant(errand, copy_tenant);
    if (err == 0)
        err = each_tenant(errand, finish_tenant);
    bool is_any = false, is_any_unverified = false;
    for (int32_t i = 0; i < errand->tenant_count; i++) {
        is_any |= !errand->tenants[i].was_done;
        is_any_unverified |= !errand->tenants[i].is_verified;
    }
    if (err != 0 || !is_any_unverified)
        return err;
    say_verifying(errand, is_any);
    err = verify_target(errand);
    return err != 0 ? err : each_tenant(errand, note_verified);
}

/* --- whose turn it is --- */

static int add_tenant(struct errand *errand, int64_t tenant_id)
{
    if (errand->tenant_count == errand->tenant_room) {
        int32_t room = errand->tenant_room == 0 ? 16 : 2 * errand->tenant_room;
        struct moved *grown = realloc(errand->tenants, (size_t)room * sizeof(*grown));
        if (grown == NULL)
            return ERR_NO_MEMORY;
        errand->tenants = grown;
        errand->tenant_room = room;
    }
    errand->tenants[errand->tenant_count++] = (struct moved){.tenant_id = tenant_id};
    return 0;
}

struct listing {
    struct errand *errand;
    int err;
};

static void on_tenant(void *context, const struct tenant *tenant)
{
    struct listing *listing = context;
    if (listing->err == 0)
        listing->err = add_tenant(listing->errand, tenant->id);
}

static int list_tenants(struct errand *errand)
{
    struct listing listing = {.errand = errand};
    struct store *store;
    int err = opening_store(errand->config, errand->seal, STORE_READER, &store);
    if (err != 0)
        return err;
    err = store_each_tenant(store, on_tenant, &listing);
    store_close(store);
    if (err == 0 && listing.err == 0 && errand->tenant_count == 0)
        return reason_give(ERR_NOT_FOUND, "there is no tenant in this store");
    return err != 0 ? err : listing.err;
}

static int run_steps(struct errand *errand, int64_t tenant_id)
{
    int err = migrate(errand);
    if (err == 0)
        err = errand->wish->is_all ? list_tenants(errand) : add_tenant(errand, tenant_id);
    if (err == 0 && errand->wish->is_cancel)
        return each_tenant(errand, cancel_tenant);
    if (err == 0 && errand->wish->is_dry_run)
        return each_tenant(errand, look_at_tenant);
    if (err == 0)
        err = verify_source(errand);
    return err != 0 ? err : move_tenants(errand);
}

/* --- the end --- */

static void write_tables(struct jwrite *writer, const struct moved *moved)
{
    jwrite_key(writer, TEXT("tables"));
    jwrite_array_begin(writer);
    for (int32_t i = 0; i < moved->table_count; i++) {
        const struct told_table *told = &moved->tables[i];
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

static int64_t seconds(int64_t rows, int64_t a_second)
{
    return rows / a_second + 1;
}

static void write_look(struct jwrite *writer, const struct move_look *look)
{
    jwrite_key(writer, TEXT("rows"));
    jwrite_int64(writer, look->rows);
    jwrite_key(writer, TEXT("moved"));
    jwrite_bool(writer, look->is_done);
    jwrite_key(writer, TEXT("begun"));
    jwrite_bool(writer, look->is_begun);
    jwrite_key(writer, TEXT("copy_s"));
    jwrite_int64(writer, seconds(look->rows, COPIED_A_SECOND));
    jwrite_key(writer, TEXT("closed_s"));
    jwrite_int64(writer, DRAIN_MS / 1000 + seconds(look->rows, COMPARED_A_SECOND));
}

static void write_tenant(struct jwrite *writer, const struct errand *errand,
                         const struct moved *moved)
{
    jwrite_object_begin(writer);
    jwrite_key(writer, TEXT("tenant"));
    jwrite_int64(writer, moved->tenant_id);
    if (errand->wish->is_dry_run) {
        write_look(writer, &moved->look);
    } else if (errand->wish->is_cancel) {
        jwrite_key(writer, TEXT("cancelled"));
        jwrite_bool(writer, true);
    } else {
        jwrite_key(writer, TEXT("moved"));
        jwrite_bool(writer, !moved->was_done); /* by this run */
        jwrite_key(writer, TEXT("closed_ms"));
        jwrite_int64(writer, moved->closed_us / 1000);
        write_tables(writer, moved);
    }
    jwrite_object_end(writer);
}

static void print_json_tenant(const struct errand *errand, const struct moved *moved)
{
    char bytes[TABLES_MAX * 256];
    struct text_buffer buffer;
    struct jwrite writer;
    text_buffer_init(&buffer, bytes, sizeof(bytes));
    jwrite_init(&writer, &buffer);
    write_tenant(&writer, errand, moved);
    CHECK(!buffer.is_cut);
    fputs(bytes, stdout);
}

static void print_json(const struct errand *errand)
{
    if (errand->wish->is_all)
        fputs("{\"tenants\":[", stdout);
    for (int32_t i = 0; i < errand->tenant_count; i++) {
        if (i > 0)
            fputs(",", stdout);
        print_json_tenant(errand, &errand->tenants[i]);
    }
    puts(errand->wish->is_all ? "]}" : "");
}

static void print_look(const struct moved *moved)
{
    const struct move_look *look = &moved->look;
    if (look->is_done)
        printf("Tenant %lld was moved to that store before.\n", (long long)moved->tenant_id);
    else
        printf("Tenant %lld: %lld rows%s. Copying them beside the service takes about %lld s; then "
               "it is closed for about %lld s.\n",
               (long long)moved->tenant_id, (long long)look->rows,
               look->is_begun ? ", some of which have been copied" : "",
               (long long)seconds(look->rows, COPIED_A_SECOND),
               (long long)(DRAIN_MS / 1000 + seconds(look->rows, COMPARED_A_SECOND)));
}

static void print_moved(const struct moved *moved)
{
    if (moved->was_done) {
        printf("Tenant %lld was moved to that store before; nothing was changed.\n",
               (long long)moved->tenant_id);
        return;
    }
    for (int32_t i = 0; i < moved->table_count; i++)
        printf("  %-18s %12lld rows  %.16s\n", moved->tables[i].name,
               (long long)moved->tables[i].rows, moved->tables[i].hex);
    printf("Tenant %lld has moved: every row is equal on both sides, and all laws hold in the "
           "target. Nobody could serve it for %lld ms.\n",
           (long long)moved->tenant_id, (long long)(moved->closed_us / 1000));
}

static void print_end(const struct errand *errand)
{
    if (errand->wish->wants_json || !isatty(STDOUT_FILENO)) {
        print_json(errand);
        return;
    }
    for (int32_t i = 0; i < errand->tenant_count; i++) {
        const struct moved *moved = &errand->tenants[i];
        if (errand->wish->is_dry_run)
            print_look(moved);
        else if (errand->wish->is_cancel)
            printf("Tenant %lld is served by this store as before, and the target is cleared of "
                   "it.\n",
                   (long long)moved->tenant_id);
        else
            print_moved(moved);
    }
}

int move_run(const struct config *config, const struct move_wish *wish)
{
    struct errand errand = {
        .config = config, .wish = wish, .table = "", .shows_progress = isatty(STDERR_FILENO)};
    int64_t tenant_id = 0;
    if (!config->core_dumps_are_on)
        core_dump_forbid(); /* the master key is read here too */
    int err = check_source(config);
    if (err == 0)
        err = check_words(&errand, &tenant_id);
    if (err == 0)
        err = opening_seal(config, false, &errand.seal);
    if (err == 0)
        err = run_steps(&errand, tenant_id);
    begin_phase(&errand, "");
    seal_destroy(errand.seal);
    if (err == 0)
        print_end(&errand);
    free(errand.tenants);
    if (err == 0)
        return EXIT_SUCCESS;
    (void)reason_give(err, "%s", error_name(err));
    say(reason_given());
    return EXIT_FAILURE;
}
