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
    int32_t hastened;
};

static void connect_submit(struct inbox *inbox, const struct work *work);

static int task_connected(struct job *job, struct store *store)
{
    struct connect_task *task = errand_data_of(job);
    struct work work = task->work;
    int err = store_add_work(store, &work);
    if (err != 0 && err != ERR_ALREADY_EXISTS)
        return err;
    return store_hasten_work(store, work.tenant_id, work.created_at_us, &task->hastened);
}

static void on_connected(struct errand *errand)
{
    struct inbox *inbox = errand->context;
    const struct connect_task *task = errand_data(errand);
    if (errand->job.error != 0)
        log_event(LOG_ERROR, "webhooks_not_registered", LOG_INT("tenant_id", task->work.tenant_id),
                  LOG_TEXT("error", error_name(errand->job.error)));
    else if (task->hastened == WORK_HASTEN_MAX)
        connect_submit(inbox, &task->work); /* there may be more */
    inbox_wake(inbox);
}

static void connect_submit(struct inbox *inbox, const struct work *work)
{
    struct errand *errand = errand_create(inbox->config.outbound, sizeof(struct connect_task));
    if (errand == NULL) {
        log_event(LOG_ERROR, "webhooks_not_registered", LOG_INT("tenant_id", work->tenant_id),
                  LOG_TEXT("error", error_name(ERR_NO_MEMORY)));
        return;
    }
    ((struct connect_task *)errand_data(errand))->work = *work;
    errand->job.joins = true;
    errand_write(errand, inbox->config.committer, task_connected, on_connected, inbox);
}

void inbox_connected(struct inbox *inbox, int64_t tenant_id)
{
    int64_t now_us = clock_steady_us();
    struct work work = work_make(tenant_id, WORK_REGISTER_WEBHOOKS, tenant_id, now_us, now_us);
    connect_submit(inbox, &work);
}
