/* The manager's tasks on the threads of the store. */
#include "oauth/manager.h"

#include "base/log.h"

#include "base/banned.h"

int grant_task_lease(struct job *job, struct store *store)
{
    struct grant_task *task = errand_data_of(job);
    return store_lease_grant(store, &task->lease, &task->grant);
}

int grant_task_put(struct job *job, struct store *store)
{
    struct grant_task *task = errand_data_of(job);
    return store_put_grant(store, &task->grant);
}

int grant_task_bind(struct job *job, struct store *store)
{
    struct grant_task *task = errand_data_of(job);
    int err = store_bind_grant(store, &task->grant);
    if (err != 0 || task->reload == NULL)
        return err;
    int reload_err = task->reload(task->reload_context, store);
    if (reload_err != 0) /* it is stored: the next reload takes it over */
        log_event(LOG_ERROR, "company_not_loaded", LOG_INT("tenant_id", task->grant.tenant_id));
    return 0;
}

int grant_task_read(struct job *job, struct store *store)
{
    struct grant_task *task = errand_data_of(job);
    return store_read_grant(store, task->grant.tenant_id, task->grant.surface, &task->grant);
}
