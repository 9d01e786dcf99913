/* A tenant was connected: Lightspeed is told where its webhooks go, and what waited goes on. */
#include "lightspeed/inbox_state.h"

#include "base/banned.h"

/* The longest public URL that service/ takes, a tenant key, and the path around it. */
#define ADDRESS_MAX 1024

static void on_ensured(void *context, const struct api_result *result)
{
    struct chore *chore = context;
    if (result->error != 0)
        chore_retry_api(chore, result);
    else
        chore_done(chore, "");
}

void connect_begin(struct chore *chore)
{
    const struct tenant *tenant = &chore->tenant->tenant;
    char bytes[ADDRESS_MAX];
    struct text_buffer address;
    text_buffer_init(&address, bytes, sizeof(bytes));
    text_append_format(&address, "%s/oseries/%s/webhooks", chore->inbox->config.public_url,
                       tenant->key);
    if (address.is_cut) {
        chore_give_up(chore, "the public URL is too long");
        return;
    }
    struct api_call call = chore_call(chore);
    oseries_api_ensure_webhooks(chore->inbox->config.api, &call, tenant->webhook_topics, bytes,
                                on_ensured, chore);
}

struct connect_task {
    struct work work;
    bool is_elsewhere; /* the process that he was connected at adds the work */
    int32_t hastened;
};

static void connect_submit(struct inbox *inbox, const struct connect_task *wanted);

static int task_connected(struct job *job, struct store *store)
{
    struct connect_task *task = errand_data_of(job);
    struct work work = task->work;
    int err = task->is_elsewhere ? 0 : store_add_work(store, &work);
    if (err != 0 && err != ERR_ALREADY_EXISTS)
        return err;
    return store_hasten_work(store, work.tenant_id, work.created_at_us, &task->hastened);
}

static void connect_log(const struct connect_task *task, int err)
{
    if (task->is_elsewhere)
        log_event(LOG_WARNING, "work_not_hastened", LOG_INT("tenant_id", task->work.tenant_id),
                  LOG_TEXT("error", error_name(err)));
    else
        log_event(LOG_ERROR, "webhooks_not_registered", LOG_INT("tenant_id", task->work.tenant_id),
                  LOG_TEXT("error", error_name(err)));
}

static void on_connected(struct errand *errand)
{
    struct inbox *inbox = errand->context;
    const struct connect_task *task = errand_data(errand);
    if (errand->job.error != 0)
        connect_log(task, errand->job.error);
    else if (task->hastened == WORK_HASTEN_MAX)
        connect_submit(inbox, task); /* there may be more */
    inbox_wake(inbox);
}

static void connect_submit(struct inbox *inbox, const struct connect_task *wanted)
{
    struct errand *errand = errand_create(inbox->config.outbound, sizeof(struct connect_task));
    if (errand == NULL) {
        connect_log(wanted, ERR_NO_MEMORY);
        return;
    }
    *(struct connect_task *)errand_data(errand) = *wanted;
    errand->job.joins = true;
    errand_write(errand, inbox->config.committer, task_connected, on_connected, inbox);
}

static void connect_tell(struct inbox *inbox, int64_t tenant_id, bool is_elsewhere)
{
    int64_t now_us = clock_steady_us();
    const struct connect_task wanted = {
        .work = work_make(tenant_id, WORK_REGISTER_WEBHOOKS, tenant_id, now_us, now_us),
        .is_elsewhere = is_elsewhere};
    connect_submit(inbox, &wanted);
}

void inbox_connected(struct inbox *inbox, int64_t tenant_id)
{
    connect_tell(inbox, tenant_id, false);
}

void inbox_connected_elsewhere(struct inbox *inbox, int64_t tenant_id)
{
    connect_tell(inbox, tenant_id, true);
}
