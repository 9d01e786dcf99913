/*
 * Expires idle points: the batch on the committer's thread, and the walk over the tenants on the
 * outbound thread.
 */
#include "runtime/expiry.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "runtime/errand.h"

#include <stdlib.h>

#include "base/banned.h"

/* --- one batch --- */

struct idle {
    int64_t members[EXPIRY_BATCH];
    int32_t count;
};

static void on_idle_member(void *context, const struct member *member)
{
    struct idle *idle = context;
    CHECK(idle->count < EXPIRY_BATCH);
    idle->members[idle->count++] = member->id;
}

static int expire_members(struct store *store, const struct points_command *wanted,
                          const struct idle *idle, int64_t now_us, int32_t *expired)
{
    int err = 0;
    for (int32_t i = 0; err == 0 && i < idle->count; i++) {
        struct points_command command = *wanted;
        struct points_outcome outcome;
        command.member_id = idle->members[i];
        err = store_run_points(store, &command, now_us, &outcome);
        if (err == 0)
            *expired += outcome.result == POINTS_OK;
    }
    return err;
}

int points_expire_idle(struct store *store, int64_t tenant_id, int64_t inactive_since_us,
                       int64_t now_us, int32_t *expired)
{
    const struct points_command command = {
        .action = POINTS_EXPIRE, .tenant_id = tenant_id, .inactive_since_us = inactive_since_us};
    struct idle idle = {.count = 0};
    *expired = 0;
    int err = store_each_idle_member(store, tenant_id, inactive_since_us, EXPIRY_BATCH,
                                     on_idle_member, &idle);
    if (err != 0 || idle.count == 0)
        return err;
    err = store_begin_group(store);
    if (err != 0)
        return err;
    err = expire_members(store, &command, &idle, now_us, expired);
    if (err != 0)
        goto err_after_begin;
    return store_commit_group(store);
err_after_begin:
    store_rollback_group(store);
    return err;
}

/* --- the walk --- */

struct expiry {
    struct outbound *outbound;
    struct committer *committer;
    struct directory *directory;
    struct scheduled *task; /* of the run under way */
    struct outbound_timer pause;
    int64_t tenant_id; /* whose turn it is; 0: nobody's yet */
    int64_t inactive_since_us;
    int64_t expired; /* members, in this run */
    int error;       /* the first of this run; the other tenants have their turn all the same */
};

struct batch_of_idle { /* the errand's */
    int64_t tenant_id;
    int64_t inactive_since_us;
    int32_t expired;
};

/* The tenant with the least id above after_id whose points expire; NULL: there is none. */
static const struct tenant *next_tenant(const struct directory_snapshot *snapshot, int64_t after_id)
{
    const struct tenant *next = NULL;
    for (size_t i = 0; i < directory_tenant_count(snapshot); i++) {
        const struct tenant *each = &directory_tenant_at(snapshot, i)->tenant;
        if (each->id > after_id && each->points_expire_days > 0 &&
            (next == NULL || each->id < next->id))
            next = each;
    }
    return next;
}

static bool expiry_find_tenant(struct expiry *expiry)
{
    const struct directory_snapshot *snapshot = directory_acquire(expiry->directory);
    const struct tenant *tenant = next_tenant(snapshot, expiry->tenant_id);
    if (tenant != NULL) {
        expiry->tenant_id = tenant->id;
        expiry->inactive_since_us =
            clock_steady_us() - tenant->points_expire_days * CLOCK_S_PER_DAY * CLOCK_US_PER_S;
    }
    directory_release(snapshot);
    return tenant != NULL;
}

static int task_expire(struct job *job, struct store *store)
{
    struct batch_of_idle *batch = errand_data_of(job);
    return points_expire_idle(store, batch->tenant_id, batch->inactive_since_us, clock_steady_us(),
                              &batch->expired);
}

static void expiry_next_tenant(struct expiry *expiry);
static void on_batch(struct errand *errand);

static void expiry_send_batch(void *context)
{
    struct expiry *expiry = context;
    struct errand *errand = errand_create(expiry->outbound, sizeof(struct batch_of_idle));
    if (errand == NULL) {
        scheduler_end(expiry->task, ERR_NO_MEMORY);
        return;
    }
    struct batch_of_idle *batch = errand_data(errand);
    batch->tenant_id = expiry->tenant_id;
    batch->inactive_since_us = expiry->inactive_since_us;
    errand_write(errand, expiry->committer, task_expire, on_batch, expiry);
}

static void on_batch(struct errand *errand)
{
    struct expiry *expiry = errand->context;
    const struct batch_of_idle *batch = errand_data(errand);
    int err = errand->job.error;
    if (err != 0 && expiry->error == 0)
        expiry->error = err;
    if (err == 0)
        expiry->expired += batch->expired;
    if (err == 0 && batch->expired > 0 && scheduler_may_go_on(expiry->task))
        outbound_set_timer(expiry->outbound, &expiry->pause, clock_monotonic_us() + EXPIRY_PAUSE_US,
                           expiry_send_batch, expiry);
    else
        expiry_next_tenant(expiry);
}

static void expiry_next_tenant(struct expiry *expiry)
{
    if (outbound_is_ending(expiry->outbound))
        expiry->error = ERR_SHUTTING_DOWN;
    else if (!scheduler_may_go_on(expiry->task))
        expiry->error = ERR_LEASED;
    bool is_over = expiry->error == ERR_SHUTTING_DOWN || expiry->error == ERR_LEASED;
    if (!is_over && expiry_find_tenant(expiry)) {
        expiry_send_batch(expiry);
        return;
    }
    if (expiry->expired > 0)
        log_event(LOG_INFO, "points_expired", LOG_INT("members", expiry->expired));
    scheduler_end(expiry->task, expiry->error);
}

int expiry_create(struct outbound *outbound, struct committer *committer,
                  struct directory *directory, struct expiry **expiry)
{
    *expiry = calloc(1, sizeof(**expiry));
    if (*expiry == NULL)
        return ERR_NO_MEMORY;
    (*expiry)->outbound = outbound;
    (*expiry)->committer = committer;
    (*expiry)->directory = directory;
    return 0;
}

void expiry_destroy(struct expiry *expiry)
{
    free(expiry);
}

void expiry_run(struct scheduled *task, void *context)
{
    struct expiry *expiry = context;
    expiry->task = task;
    expiry->tenant_id = 0;
    expiry->expired = 0;
    expiry->error = 0;
    expiry_next_tenant(expiry);
}
