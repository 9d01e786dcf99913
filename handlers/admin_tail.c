/* Tells operations as they come: those after the last one that was told. */
#include "handlers/admin.h"

#include "handlers/admin_request.h"
#include "handlers/tell.h"

#include "base/banned.h"

#define LIMIT_DEFAULT 100
#define LIMIT_MAX 100
/* An operation with its sentence, and the names of its site and tenant. */
#define OPERATION_JSON_MAX (980 + TELL_SENTENCE_MAX + 18 * TENANT_NAME_MAX)
#define TAIL_MAX (LIMIT_MAX * OPERATION_JSON_MAX + 256)

struct tail_task {
    struct directory *directory;
    int64_t generation;
    int64_t tenant_id; /* 0: all */
    bool begins;       /* from now on: only says where that is */
    int64_t since, limit;
    int64_t until; /* the last operation that is settled */
    int32_t count;
    struct operation operations[LIMIT_MAX];
    struct jwrite writer;
    struct text_buffer buffer;
    char bytes[TAIL_MAX];
};

static void on_each(void *context, const struct operation *operation)
{
    struct tail_task *task = context;
    CHECK(task->count < LIMIT_MAX);
    task->operations[task->count++] = *operation;
}

static int write_operation(struct tail_task *task, struct store *store, struct teller teller,
                           const struct operation *operation)
{
    struct jwrite *writer = &task->writer;
    struct card card;
    int err = store_read_card_by_id(store, operation->card_id, &card);
    teller.tenant = directory_find_id(teller.snapshot, operation->tenant_id);
    if (err != 0)
        return err == ERR_NOT_FOUND ? ERR_STORE_CORRUPT : err;
    if (teller.tenant == NULL)
        return 0; /* of a tenant that was added a moment ago: its first operations can wait */
    jwrite_object_begin(writer);
    admin_write_int64(writer, "tenant", operation->tenant_id);
    admin_write_text(writer, "name", teller.tenant->tenant.name);
    admin_write_text(writer, "currency", teller.tenant->tenant.currency.code);
    admin_write_text(writer, "timezone", teller.tenant->tenant.zone);
    admin_write_text(writer, "card_last4", card.last4);
    tell_write_operation(writer, &teller, operation);
    jwrite_object_end(writer);
    return 0;
}

/* Where the next look begins: behind the last one told, or behind all there are. */
static int64_t next_since(const struct tail_task *task)
{
    int64_t since = task->since;
    if (task->count > 0)
        since = task->operations[task->count - 1].id;
    if (task->count < task->limit && task->until > since)
        since = task->until;
    return since;
}

static int write_tail(struct tail_task *task, struct store *store)
{
    struct teller teller = {.snapshot = directory_acquire(task->directory),
                            .generation = task->generation};
    int err = 0;
    if (!task->begins)
        err = store_each_operation_after(store, task->tenant_id, task->since, task->until,
                                         (int32_t)task->limit, on_each, task);
    jwrite_object_begin(&task->writer);
    jwrite_key(&task->writer, TEXT("operations"));
    jwrite_array_begin(&task->writer);
    for (int32_t i = 0; err == 0 && i < task->count; i++)
        err = write_operation(task, store, teller, &task->operations[i]);
    jwrite_array_end(&task->writer);
    admin_write_int64(&task->writer, "since", err == 0 ? next_since(task) : 0);
    jwrite_key(&task->writer, TEXT("has_more"));
    jwrite_bool(&task->writer, task->count == task->limit);
    jwrite_object_end(&task->writer);
    directory_release(teller.snapshot);
    return err;
}

static int task_tail(struct job *job, struct store *store)
{
    struct tail_task *task = (struct tail_task *)(job + 1);
    int err = store_read_last_operation(store, &task->until);
    if (err == 0)
        err = store_begin_read(store);
    if (err != 0)
        return err;
    text_buffer_init(&task->buffer, task->bytes, sizeof(task->bytes));
    jwrite_init(&task->writer, &task->buffer);
    err = write_tail(task, store);
    store_end_read(store);
    return err;
}

static void on_tail(struct exchange *exchange, const struct job *job)
{
    if (job->error != 0) {
        admin_refuse_error(exchange, job->error);
        return;
    }
    const struct tail_task *task = (const struct tail_task *)(job + 1);
    CHECK(!task->buffer.is_cut);
    exchange_reply_json(exchange, 200, text_buffer_text(&task->buffer));
}

struct asked {
    int64_t tenant_id;
    bool begins;
    int64_t since, limit;
};

static bool read_asked(struct exchange *exchange, const struct jread *body, struct asked *asked)
{
    const struct directory_tenant *tenant = NULL;
    *asked = (struct asked){.limit = LIMIT_DEFAULT, .begins = jread_member(body, "since") == NULL};
    if (jread_member(body, "tenant") != NULL && !admin_read_tenant(exchange, body, &tenant))
        return false;
    if (tenant != NULL)
        asked->tenant_id = tenant->tenant.id;
    if (!asked->begins && !admin_read_int64(exchange, body, "since", 0, INT64_MAX, &asked->since))
        return false;
    return jread_member(body, "limit") == NULL ||
           admin_read_int64(exchange, body, "limit", 1, LIMIT_MAX, &asked->limit);
}

void admin_tail(struct exchange *exchange)
{
    static const char *const members[] = {"tenant", "since", "limit", NULL};
    struct jread *body;
    struct asked asked;
    if (!admin_read_body(exchange, members, &body))
        return;
    bool is_sound = read_asked(exchange, body, &asked);
    jread_destroy(body);
    if (!is_sound)
        return;
    struct job *job = exchange_job(exchange, sizeof(struct tail_task));
    struct tail_task *task = (struct tail_task *)(job + 1);
    task->directory = exchange->handlers->directory;
    task->generation = exchange->handlers->generation;
    task->tenant_id = asked.tenant_id;
    task->begins = asked.begins;
    task->since = asked.since;
    task->limit = asked.limit;
    job->task = task_tail;
    exchange_submit_read(exchange, job, on_tail);
}
