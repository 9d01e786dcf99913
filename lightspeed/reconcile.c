/*
 * What keeps reconciliation going: the scan that makes the proofs of new operations, and the asking
 * for sweeps. Both begin on the outbound thread, each once at a time; what the store does, it does
 * on its own threads.
 */
#include "lightspeed/reconcile.h"

#include "base/error.h"
#include "lightspeed/prove_state.h"
#include "store/grant.h"

#include <stdlib.h>

#include "base/banned.h"

#define COUNT_US (INT64_C(15) * CLOCK_US_PER_S) /* as often as somebody looks at metrics */
#define SWEEP_TENANTS_MAX 200                   /* in one transaction: the committer waits */

struct scan {
    struct scheduled *task; /* the run under way */
    const struct directory_snapshot *snapshot;
    int64_t now_us;
    int64_t cursor, scanned_to;
    struct proof proofs[PROOF_SCAN_MAX];
    int32_t count;
};

struct sweeps {
    struct scheduled *task;
    int64_t *tenants;
    size_t count, capacity;
    size_t opened;
};

struct reconcile {
    struct reconcile_config config;
    struct scan scan;
    struct sweeps sweeps;
    int64_t counted_at_us;
    int64_t counted; /* open items */
    _Atomic uint64_t proofs;
    _Atomic int64_t open_items;
};

static struct reconcile *reconcile_of(struct job *job)
{
    return *(struct reconcile **)errand_data_of(job);
}

/* NULL: memory is short. */
static struct errand *reconcile_errand(struct reconcile *reconcile)
{
    struct errand *errand = errand_create(reconcile->config.outbound, sizeof(reconcile));
    if (errand != NULL)
        *(struct reconcile **)errand_data(errand) = reconcile;
    return errand;
}

/* --- the scan --- */

static void scan_end(struct reconcile *reconcile, int err)
{
    directory_release(reconcile->scan.snapshot);
    reconcile->scan.snapshot = NULL;
    scheduler_end(reconcile->scan.task, err);
}

/* A tenant that the directory does not know yet is connected all the same: then by UTC. */
static int32_t date_of(const struct scan *scan, const struct operation *operation)
{
    const struct directory_tenant *tenant = directory_find_id(scan->snapshot, operation->tenant_id);
    if (tenant == NULL)
        return (int32_t)(operation->created_at_us / (CLOCK_S_PER_DAY * CLOCK_US_PER_S));
    return prove_local_date(scan->snapshot, tenant, operation->site_id, operation->created_at_us);
}

static void on_operation(void *context, const struct operation *operation)
{
    struct scan *scan = context;
    CHECK(scan->count < PROOF_SCAN_MAX);
    scan->proofs[scan->count++] = proof_make(operation, date_of(scan, operation), scan->now_us);
}

static int scan_count(struct store *store, struct reconcile *reconcile)
{
    int64_t now_us = reconcile->scan.now_us;
    if (reconcile->counted_at_us != 0 && now_us - reconcile->counted_at_us < COUNT_US)
        return 0;
    reconcile->counted_at_us = now_us;
    return store_count_open_items(store, &reconcile->counted);
}

static int task_scan(struct job *job, struct store *store)
{
    struct reconcile *reconcile = reconcile_of(job);
    struct scan *scan = &reconcile->scan;
    scan->count = 0;
    int err = scan_count(store, reconcile);
    if (err == 0)
        err = store_read_proof_cursor(store, &scan->cursor);
    if (err != 0)
        return err;
    return store_scan_operations(store, scan->cursor, PROOF_SCAN_MAX, on_operation, scan,
                                 &scan->scanned_to);
}

static int task_add(struct job *job, struct store *store)
{
    const struct scan *scan = &reconcile_of(job)->scan;
    return store_add_proofs(store, scan->cursor, scan->scanned_to, scan->proofs, scan->count,
                            scan->now_us);
}

static void scan_read(struct reconcile *reconcile);

static void on_added(struct errand *errand)
{
    struct reconcile *reconcile = errand->context;
    if (errand->job.error != 0) {
        scan_end(reconcile, errand->job.error);
        return;
    }
    atomic_fetch_add_explicit(&reconcile->proofs, (uint64_t)reconcile->scan.count,
                              memory_order_relaxed);
    if (reconcile->scan.count > 0)
        inbox_wake(reconcile->config.inbox);
    scan_read(reconcile);
}

static void on_scanned(struct errand *errand)
{
    struct reconcile *reconcile = errand->context;
    const struct scan *scan = &reconcile->scan;
    if (errand->job.error == 0)
        atomic_store_explicit(&reconcile->open_items, reconcile->counted, memory_order_relaxed);
    if (errand->job.error != 0 || scan->scanned_to == scan->cursor) {
        scan_end(reconcile, errand->job.error);
        return;
    }
    struct errand *next = reconcile_errand(reconcile);
    if (next == NULL)
        scan_end(reconcile, ERR_NO_MEMORY);
    else
        errand_write(next, reconcile->config.committer, task_add, on_added, reconcile);
}

static void scan_read(struct reconcile *reconcile)
{
    struct errand *errand = reconcile_errand(reconcile);
    reconcile->scan.now_us = clock_steady_us();
    if (errand == NULL)
        scan_end(reconcile, ERR_NO_MEMORY);
    else
        errand_read(errand, reconcile->config.reader, task_scan, on_scanned, reconcile);
}

void reconcile_scan(struct scheduled *task, void *context)
{
    struct reconcile *reconcile = context;
    reconcile->scan.task = task;
    reconcile->scan.snapshot = directory_acquire(reconcile->config.directory);
    scan_read(reconcile);
}

/* --- sweeps --- */

static void sweeps_end(struct reconcile *reconcile, int err)
{
    struct scheduled *task = reconcile->sweeps.task;
    free(reconcile->sweeps.tenants);
    reconcile->sweeps = (struct sweeps){.task = NULL};
    scheduler_end(task, err);
}

static void on_grant(void *context, const struct grant *grant)
{
    struct sweeps *sweeps = context;
    if (grant->surface != APP_OSERIES || grant->status != GRANT_CONNECTED)
        return;
    if (sweeps->count == sweeps->capacity) {
        size_t capacity = sweeps->capacity == 0 ? 64 : 2 * sweeps->capacity;
        int64_t *tenants = realloc(sweeps->tenants, capacity * sizeof(*tenants));
        if (tenants == NULL)
            return; /* the next sweep has them */
        sweeps->tenants = tenants;
        sweeps->capacity = capacity;
    }
    sweeps->tenants[sweeps->count++] = grant->tenant_id;
}

static int task_list(struct job *job, struct store *store)
{
    struct sweeps *sweeps = &reconcile_of(job)->sweeps;
    sweeps->count = 0;
    return store_each_grant(store, on_grant, sweeps);
}

static size_t sweeps_until(const struct sweeps *sweeps)
{
    size_t until = sweeps->opened + SWEEP_TENANTS_MAX;
    return until < sweeps->count ? until : sweeps->count;
}

static int open_sweeps(struct store *store, const struct sweeps *sweeps)
{
    int err = 0;
    for (size_t i = sweeps->opened; err == 0 && i < sweeps_until(sweeps); i++) {
        int64_t tenant_id = sweeps->tenants[i];
        struct work work =
            work_make(tenant_id, WORK_SWEEP, tenant_id, tenant_id, clock_steady_us());
        err = store_open_work(store, &work);
    }
    return err;
}

static int task_open(struct job *job, struct store *store)
{
    int err = store_begin_group(store);
    if (err != 0)
        return err;
    err = open_sweeps(store, &reconcile_of(job)->sweeps);
    if (err != 0)
        goto err_after_begin;
    return store_commit_group(store);
err_after_begin:
    store_rollback_group(store);
    return err;
}

static void sweeps_open(struct reconcile *reconcile);

static void on_opened(struct errand *errand)
{
    struct reconcile *reconcile = errand->context;
    if (errand->job.error != 0) {
        sweeps_end(reconcile, errand->job.error);
        return;
    }
    inbox_wake(reconcile->config.inbox);
    reconcile->sweeps.opened = sweeps_until(&reconcile->sweeps);
    sweeps_open(reconcile);
}

static void sweeps_open(struct reconcile *reconcile)
{
    if (reconcile->sweeps.opened == reconcile->sweeps.count) {
        sweeps_end(reconcile, 0);
        return;
    }
    struct errand *errand = reconcile_errand(reconcile);
    if (errand == NULL)
        sweeps_end(reconcile, ERR_NO_MEMORY);
    else
        errand_write(errand, reconcile->config.committer, task_open, on_opened, reconcile);
}

static void on_listed(struct errand *errand)
{
    struct reconcile *reconcile = errand->context;
    if (errand->job.error != 0)
        sweeps_end(reconcile, errand->job.error);
    else
        sweeps_open(reconcile);
}

void reconcile_sweep(struct scheduled *task, void *context)
{
    struct reconcile *reconcile = context;
    struct errand *errand = reconcile_errand(reconcile);
    reconcile->sweeps.task = task;
    if (errand == NULL)
        sweeps_end(reconcile, ERR_NO_MEMORY);
    else
        errand_read(errand, reconcile->config.reader, task_list, on_listed, reconcile);
}

/* --- the rest --- */

int reconcile_create(const struct reconcile_config *config, struct reconcile **reconcile)
{
    struct reconcile *made = calloc(1, sizeof(*made));
    if (made == NULL)
        return ERR_NO_MEMORY;
    made->config = *config;
    *reconcile = made;
    return 0;
}

void reconcile_read_counters(struct reconcile *reconcile, struct reconcile_counters *counters)
{
    *counters = (struct reconcile_counters){
        .proofs = atomic_load_explicit(&reconcile->proofs, memory_order_relaxed),
        .open_items = atomic_load_explicit(&reconcile->open_items, memory_order_relaxed),
    };
}

/* A run that was under way when the service stopped has no end. */
void reconcile_destroy(struct reconcile *reconcile)
{
    if (reconcile == NULL)
        return;
    if (reconcile->scan.snapshot != NULL)
        directory_release(reconcile->scan.snapshot);
    free(reconcile->sweeps.tenants);
    free(reconcile);
}
