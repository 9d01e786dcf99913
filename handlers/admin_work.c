/* Shows what is to be done at Lightspeed and what was given up, and why; has it tried again. */
#include "handlers/admin.h"

#include "handlers/admin_request.h"
#include "handlers/tell.h"
#include "lightspeed/inbox.h"

#include "base/banned.h"

#define LIST_ROWS_MAX 200
/* A reason of which each byte may take six, and 300 more. */
#define LIST_MAX (LIST_ROWS_MAX * (6 * WORK_REASON_MAX + 300) + 64)

/* --- list: the JSON is written on the reader's thread */

struct list_task {
    int64_t tenant_id;
    struct jwrite writer;
    struct text_buffer buffer;
    char bytes[LIST_MAX];
};

static void on_each(void *context, const struct work *work)
{
    tell_write_work(&((struct list_task *)context)->writer, work);
}

static int task_list(struct job *job, struct store *store)
{
    struct list_task *task = (struct list_task *)(job + 1);
    struct jwrite *writer = &task->writer;
    text_buffer_init(&task->buffer, task->bytes, sizeof(task->bytes));
    jwrite_init(writer, &task->buffer);
    jwrite_object_begin(writer);
    jwrite_key(writer, TEXT("work"));
    jwrite_array_begin(writer);
    int err = store_each_work(store, task->tenant_id, LIST_ROWS_MAX, on_each, task);
    jwrite_array_end(writer);
    jwrite_object_end(writer);
    return err;
}

static void on_listed(struct exchange *exchange, const struct job *job)
{
    if (job->error != 0) {
        admin_refuse_error(exchange, job->error);
        return;
    }
    const struct list_task *task = (const struct list_task *)(job + 1);
    CHECK(!task->buffer.is_cut);
    exchange_reply_json(exchange, 200, text_buffer_text(&task->buffer));
}

void admin_work_list(struct exchange *exchange)
{
    const struct directory_tenant *tenant;
    if (!admin_query_tenant(exchange, true, &tenant))
        return;
    struct job *job = exchange_job(exchange, sizeof(struct list_task));
    ((struct list_task *)(job + 1))->tenant_id = tenant->tenant.id;
    job->task = task_list;
    exchange_submit_read(exchange, job, on_listed);
}

/* --- retry */

struct retry_task {
    int64_t tenant_id, work_id;
};

static int task_retry(struct job *job, struct store *store)
{
    const struct retry_task *task = (const struct retry_task *)(job + 1);
    return store_reopen_work(store, task->tenant_id, task->work_id, clock_steady_us());
}

static void on_reopened(struct exchange *exchange, const struct job *job)
{
    if (job->error == ERR_NOT_FOUND) {
        admin_refuse(exchange, 404, "unknown_work",
                     "This tenant has no such work that was given up");
    } else if (job->error != 0) {
        admin_refuse_error(exchange, job->error);
    } else {
        inbox_wake(exchange->handlers->inbox);
        exchange_reply_json(exchange, 200, TEXT("{\"reopened\":true}"));
    }
}

void admin_work_retry(struct exchange *exchange)
{
    static const char *const members[] = {"tenant", "work", NULL};
    struct jread *body;
    const struct directory_tenant *tenant = NULL;
    int64_t work_id = 0;
    if (!admin_read_body(exchange, members, &body))
        return;
    bool is_sound = admin_read_tenant(exchange, body, &tenant) &&
                    admin_read_int64(exchange, body, "work", 1, INT64_MAX, &work_id);
    jread_destroy(body);
    if (!is_sound)
        return;
    struct job *job = exchange_job(exchange, sizeof(struct retry_task));
    *(struct retry_task *)(job + 1) = (struct retry_task){tenant->tenant.id, work_id};
    job->task = task_retry;
    job->joins = true;
    exchange_submit_write(exchange, job, on_reopened);
}
