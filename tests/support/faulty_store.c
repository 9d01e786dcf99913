/* A store that fails, waits or lies on request. */
#include "tests/support/faulty_store.h"

#include "base/error.h"

static struct faulty_store *faulty_of(struct store *store)
{
    return (struct faulty_store *)store; /* super is the first member */
}

static bool count_down(struct faulty_store *faulty, int *counter)
{
    pthread_mutex_lock(&faulty->mutex);
    bool fails = *counter > 0;
    if (fails)
        (*counter)--;
    pthread_mutex_unlock(&faulty->mutex);
    return fails;
}

static int faulty_fetch(struct store *store, struct batch *batch)
{
    struct faulty_store *faulty = faulty_of(store);
    pthread_mutex_lock(&faulty->mutex);
    faulty->fetches++;
    faulty->waiting++;
    pthread_cond_broadcast(&faulty->changed);
    while (faulty->is_held)
        pthread_cond_wait(&faulty->changed, &faulty->mutex);
    faulty->waiting--;
    pthread_mutex_unlock(&faulty->mutex);
    if (count_down(faulty, &faulty->fail_fetches))
        return faulty->fetch_error;
    int err = store_fetch(faulty->real, batch);
    batch->is_skipped[0] = err == 0 && batch->may_skip && !faulty->skips_after_failure &&
                           count_down(faulty, &faulty->skip_firsts);
    if (batch->is_skipped[0] && faulty->holds_skipped)
        faulty_store_hold(faulty);
    return err;
}

static bool commit_fails(struct faulty_store *faulty)
{
    return !count_down(faulty, &faulty->skip_commits) && count_down(faulty, &faulty->fail_commits);
}

static int faulty_commit(struct store *store, const struct batch *batch)
{
    struct faulty_store *faulty = faulty_of(store);
    if (!commit_fails(faulty))
        return store_commit(faulty->real, batch);
    if (faulty->commit_error == ERR_COMMIT_UNKNOWN && faulty->unknown_happens) {
        int err = store_commit(faulty->real, batch);
        return err != 0 ? err : ERR_COMMIT_UNKNOWN;
    }
    store_rollback(faulty->real);
    faulty->skips_after_failure = false;
    return faulty->commit_error;
}

static void faulty_rollback(struct store *store)
{
    store_rollback(faulty_of(store)->real);
}

static int faulty_settle(struct store *store, const struct batch *batch, bool *happened)
{
    struct faulty_store *faulty = faulty_of(store);
    if (count_down(faulty, &faulty->fail_settles))
        return ERR_STORE_DOWN;
    return store_settle(faulty->real, batch, happened);
}

static int faulty_begin_group(struct store *store)
{
    return store_begin_group(faulty_of(store)->real);
}

static int faulty_commit_group(struct store *store)
{
    struct faulty_store *faulty = faulty_of(store);
    if (!commit_fails(faulty))
        return store_commit_group(faulty->real);
    store_rollback_group(faulty->real);
    return faulty->commit_error;
}

static int faulty_ping(struct store *store)
{
    struct faulty_store *faulty = faulty_of(store);
    if (count_down(faulty, &faulty->fail_pings))
        return faulty->commit_error;
    return store_ping(faulty->real);
}

static int faulty_put_grant(struct store *store, struct grant *grant)
{
    struct faulty_store *faulty = faulty_of(store);
    if (!count_down(faulty, &faulty->fail_grants))
        return store_put_grant(faulty->real, grant);
    struct grant copy = *grant;
    int err = faulty->grant_happens ? store_put_grant(faulty->real, &copy) : 0;
    return err != 0 ? err : faulty->grant_error;
}

static int faulty_bind_grant(struct store *store, struct grant *grant)
{
    struct faulty_store *faulty = faulty_of(store);
    if (!count_down(faulty, &faulty->fail_grants))
        return store_bind_grant(faulty->real, grant);
    struct grant copy = *grant;
    int err = faulty->grant_happens ? store_bind_grant(faulty->real, &copy) : 0;
    return err != 0 ? err : faulty->grant_error;
}

static int faulty_lease_grant(struct store *store, const struct grant_lease *lease,
                              struct grant *grant)
{
    struct faulty_store *faulty = faulty_of(store);
    if (count_down(faulty, &faulty->fail_leases))
        return faulty->grant_error;
    return store_lease_grant(faulty->real, lease, grant);
}

static int faulty_read_grant(struct store *store, int64_t tenant_id, enum app_surface surface,
                             struct grant *grant)
{
    struct faulty_store *faulty = faulty_of(store);
    if (count_down(faulty, &faulty->fail_grant_reads))
        return ERR_STORE_BUSY;
    return store_read_grant(faulty->real, tenant_id, surface, grant);
}

static int faulty_read_app(struct store *store, enum app_surface surface, struct app *app)
{
    return store_read_app(faulty_of(store)->real, surface, app);
}

static const struct store_backend_grants faulty_grants = {
    .put = faulty_put_grant,
    .bind = faulty_bind_grant,
    .lease = faulty_lease_grant,
    .read = faulty_read_grant,
    .read_app = faulty_read_app,
};

static const struct store_backend faulty_backend = {
    .grants = &faulty_grants,
    .fetch = faulty_fetch,
    .commit = faulty_commit,
    .rollback = faulty_rollback,
    .settle = faulty_settle,
    .begin_group = faulty_begin_group,
    .commit_group = faulty_commit_group,
    .ping = faulty_ping,
};

void faulty_store_init(struct faulty_store *faulty, struct store *real)
{
    *faulty = (struct faulty_store){.super.backend = &faulty_backend, .real = real};
    pthread_mutex_init(&faulty->mutex, NULL);
    pthread_cond_init(&faulty->changed, NULL);
}

void faulty_store_share(struct faulty_store *faulty)
{
    static struct store_backend shared;
    shared = faulty_backend;
    shared.reruns_max = 3;
    faulty->super.backend = &shared;
}

void faulty_store_finish(struct faulty_store *faulty)
{
    pthread_cond_destroy(&faulty->changed);
    pthread_mutex_destroy(&faulty->mutex);
}

void faulty_store_hold(struct faulty_store *faulty)
{
    pthread_mutex_lock(&faulty->mutex);
    faulty->is_held = true;
    pthread_mutex_unlock(&faulty->mutex);
}

void faulty_store_let_go(struct faulty_store *faulty)
{
    pthread_mutex_lock(&faulty->mutex);
    faulty->is_held = false;
    pthread_cond_broadcast(&faulty->changed);
    pthread_mutex_unlock(&faulty->mutex);
}

void faulty_store_await_waiting(struct faulty_store *faulty)
{
    pthread_mutex_lock(&faulty->mutex);
    while (faulty->waiting == 0)
        pthread_cond_wait(&faulty->changed, &faulty->mutex);
    pthread_mutex_unlock(&faulty->mutex);
}
