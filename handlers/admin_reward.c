/* Adds, lists and switches rewards for the merchant. */
#include "handlers/admin.h"

#include "handlers/admin_request.h"
#include "store/member.h"

#include <string.h>

#include "base/banned.h"

#define PERCENT_DECIMALS 2 /* of percent_bp: "12.5" is 1250 */
#define PERCENT_BP_MAX 10000
#define REWARD_JSON_MAX 2048 /* title and terms, of which each byte may take six, and 200 more */
#define LIST_MAX (REWARDS_MAX * REWARD_JSON_MAX + 64)

/* --- the effect as text: money_off:10.00, percent_off:15, product:7302, pay:10.00 */

static const struct effect_name {
    enum reward_effect effect;
    const char *prefix;
} effect_names[] = {
    {REWARD_MONEY_OFF, "money_off:"},
    {REWARD_PERCENT_OFF, "percent_off:"},
    {REWARD_PRODUCT, "product:"},
    {REWARD_PAY, "pay:"},
};

static const struct effect_name *find_effect(struct text text)
{
    for (size_t i = 0; i < COUNT_OF(effect_names); i++)
        if (text_starts_with(text, text_of(effect_names[i].prefix)))
            return &effect_names[i];
    return NULL;
}

static bool parse_value(struct text value, int exponent, struct reward *reward)
{
    int64_t number = 0;
    switch (reward->effect) {
    case REWARD_MONEY_OFF:
    case REWARD_PAY:
        return money_parse(value, exponent, &reward->amount_minor) == 0 && reward->amount_minor > 0;
    case REWARD_PERCENT_OFF:
        if (money_parse(value, PERCENT_DECIMALS, &number) != 0 || number < 1 ||
            number > PERCENT_BP_MAX)
            return false;
        reward->percent_bp = (int32_t)number;
        return true;
    case REWARD_PRODUCT:
        return text_parse_int64(value, &reward->product_id) == 0 && reward->product_id > 0;
    }
    return false;
}

static void refuse_value(struct exchange *exchange, enum reward_effect effect)
{
    const char *sentence = NULL;
    switch (effect) {
    case REWARD_MONEY_OFF:
        sentence = "'effect' takes off an amount above zero, such as money_off:10.00";
        break;
    case REWARD_PERCENT_OFF:
        sentence = "'effect' takes off 0.01 to 100 percent, such as percent_off:15";
        break;
    case REWARD_PRODUCT:
        sentence = "'effect' names the product's O-Series id, such as product:7302";
        break;
    case REWARD_PAY:
        sentence = "'effect' pays an amount above zero, such as pay:10.00";
        break;
    }
    admin_refuse(exchange, 400, "bad_effect", "%s", sentence);
}

static bool read_effect(struct exchange *exchange, const struct jread *body, int exponent,
                        struct reward *reward)
{
    struct text text;
    if (!admin_read_text(exchange, body, "effect", true, &text))
        return false;
    const struct effect_name *name = find_effect(text);
    if (name == NULL) {
        admin_refuse(exchange, 400, "bad_effect",
                     "'effect' must be money_off:AMOUNT, percent_off:PERCENT, product:ID or "
                     "pay:AMOUNT");
        return false;
    }
    reward->effect = name->effect;
    if (parse_value(text_slice(text, strlen(name->prefix), text.length), exponent, reward))
        return true;
    refuse_value(exchange, reward->effect);
    return false;
}

static void append_effect(struct text_buffer *buffer, const struct reward *reward, int exponent)
{
    for (size_t i = 0; i < COUNT_OF(effect_names); i++)
        if (effect_names[i].effect == reward->effect)
            text_append(buffer, text_of(effect_names[i].prefix));
    switch (reward->effect) {
    case REWARD_MONEY_OFF:
    case REWARD_PAY:
        money_append(buffer, reward->amount_minor, exponent);
        break;
    case REWARD_PERCENT_OFF:
        if (reward->percent_bp % 100 == 0)
            text_append_int64(buffer, reward->percent_bp / 100);
        else
            money_append(buffer, reward->percent_bp, PERCENT_DECIMALS);
        break;
    case REWARD_PRODUCT:
        text_append_int64(buffer, reward->product_id);
        break;
    }
}

static void write_reward(struct jwrite *writer, const struct reward *reward, int exponent)
{
    char bytes[64];
    struct text_buffer effect;
    text_buffer_init(&effect, bytes, sizeof(bytes));
    append_effect(&effect, reward, exponent);
    jwrite_object_begin(writer);
    admin_write_int64(writer, "id", reward->id);
    jwrite_key(writer, TEXT("title"));
    jwrite_text(writer, text_of(reward->title));
    admin_write_int64(writer, "points", reward->points);
    jwrite_key(writer, TEXT("effect"));
    jwrite_text(writer, text_buffer_text(&effect));
    jwrite_key(writer, TEXT("status"));
    jwrite_text(writer, reward->is_active ? TEXT("active") : TEXT("disabled"));
    jwrite_key(writer, TEXT("terms"));
    jwrite_text(writer, text_of(reward->terms));
    jwrite_object_end(writer);
}

/* --- add, disable, enable */

struct reward_task {
    int exponent;
    bool is_active; /* to become so */
    struct reward reward;
};

static int task_add(struct job *job, struct store *store)
{
    return store_add_reward(store, &((struct reward_task *)(job + 1))->reward);
}

static int task_switch(struct job *job, struct store *store)
{
    struct reward_task *task = (struct reward_task *)(job + 1);
    struct reward *reward = &task->reward;
    int err = store_read_reward(store, reward->tenant_id, reward->id, reward);
    if (err != 0)
        return err;
    reward->is_active = task->is_active;
    return store_update_reward(store, reward);
}

static void refuse_reward(struct exchange *exchange, int err)
{
    if (err == ERR_NOT_FOUND)
        admin_refuse(exchange, 404, "unknown_reward", "There is no such reward at this tenant");
    else if (err == ERR_TOO_LARGE)
        admin_refuse(exchange, 409, "too_many_rewards",
                     "A tenant may have %d rewards, those switched off included", REWARDS_MAX);
    else
        admin_refuse_error(exchange, err);
}

static void on_reward(struct exchange *exchange, const struct job *job)
{
    char bytes[REWARD_JSON_MAX];
    struct text_buffer buffer;
    struct jwrite writer;
    if (job->error != 0) {
        refuse_reward(exchange, job->error);
        return;
    }
    const struct reward_task *task = (const struct reward_task *)(job + 1);
    text_buffer_init(&buffer, bytes, sizeof(bytes));
    jwrite_init(&writer, &buffer);
    write_reward(&writer, &task->reward, task->exponent);
    CHECK(!buffer.is_cut);
    exchange_reply_json(exchange, 200, text_buffer_text(&buffer));
}

static void submit(struct exchange *exchange, const struct reward_task *task, job_task_fn run)
{
    struct job *job = exchange_job(exchange, sizeof(*task));
    *(struct reward_task *)(job + 1) = *task;
    job->task = run;
    job->joins = true;
    exchange_submit_write(exchange, job, on_reward);
}

static bool read_terms(struct exchange *exchange, const struct jread *body, struct reward *reward)
{
    struct text terms;
    if (!admin_read_text(exchange, body, "terms", false, &terms))
        return false;
    return terms.length == 0 ||
           admin_copy(exchange, "terms", terms, reward->terms, sizeof(reward->terms));
}

static bool read_reward(struct exchange *exchange, const struct jread *body,
                        struct reward_task *task)
{
    const struct directory_tenant *tenant;
    struct reward *reward = &task->reward;
    struct text title;
    if (!admin_read_tenant(exchange, body, &tenant))
        return false;
    task->exponent = tenant->tenant.currency.exponent;
    reward->tenant_id = tenant->tenant.id;
    reward->is_active = true;
    return admin_read_text(exchange, body, "title", true, &title) &&
           admin_copy(exchange, "title", title, reward->title, sizeof(reward->title)) &&
           admin_read_int64(exchange, body, "points", 1, POINTS_MAX, &reward->points) &&
           read_effect(exchange, body, task->exponent, reward) &&
           read_terms(exchange, body, reward);
}

void admin_reward_add(struct exchange *exchange)
{
    static const char *const members[] = {"tenant", "title", "points", "effect", "terms", NULL};
    struct jread *body;
    struct reward_task task = {0};
    if (!admin_read_body(exchange, members, &body))
        return;
    if (read_reward(exchange, body, &task))
        submit(exchange, &task, task_add);
    jread_destroy(body);
}

static void read_and_switch(struct exchange *exchange, bool is_active)
{
    static const char *const members[] = {"tenant", "reward", NULL};
    const struct directory_tenant *tenant;
    struct reward_task task = {.is_active = is_active};
    struct jread *body;
    if (!admin_read_body(exchange, members, &body))
        return;
    if (admin_read_tenant(exchange, body, &tenant) &&
        admin_read_int64(exchange, body, "reward", 1, INT64_MAX, &task.reward.id)) {
        task.reward.tenant_id = tenant->tenant.id;
        task.exponent = tenant->tenant.currency.exponent;
        submit(exchange, &task, task_switch);
    }
    jread_destroy(body);
}

void admin_reward_disable(struct exchange *exchange)
{
    read_and_switch(exchange, false);
}

void admin_reward_enable(struct exchange *exchange)
{
    read_and_switch(exchange, true);
}

/* --- list: the JSON is written on the reader's thread */

struct list_task {
    int64_t tenant_id;
    int exponent;
    struct jwrite writer;
    struct text_buffer buffer;
    char bytes[LIST_MAX];
};

static void on_each(void *context, const struct reward *reward)
{
    struct list_task *task = context;
    write_reward(&task->writer, reward, task->exponent);
}

static int task_list(struct job *job, struct store *store)
{
    struct list_task *task = (struct list_task *)(job + 1);
    struct jwrite *writer = &task->writer;
    text_buffer_init(&task->buffer, task->bytes, sizeof(task->bytes));
    jwrite_init(writer, &task->buffer);
    jwrite_object_begin(writer);
    jwrite_key(writer, TEXT("rewards"));
    jwrite_array_begin(writer);
    int err = store_each_reward(store, task->tenant_id, on_each, task);
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

void admin_reward_list(struct exchange *exchange)
{
    const struct directory_tenant *tenant;
    if (!admin_query_tenant(exchange, true, &tenant))
        return;
    struct job *job = exchange_job(exchange, sizeof(struct list_task));
    struct list_task *task = (struct list_task *)(job + 1);
    job->task = task_list;
    task->tenant_id = tenant->tenant.id;
    task->exponent = tenant->tenant.currency.exponent;
    exchange_submit_read(exchange, job, on_listed);
}
