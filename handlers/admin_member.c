/* Adds, lists, shows, changes, switches and finds members for the merchant. */
#include "handlers/admin.h"

#include "handlers/admin_request.h"
#include "handlers/member_field.h"

#include <string.h>

#include "base/banned.h"

/* Every field at its longest, as JSON with each byte escaped, comes to 7 KiB. */
#define MEMBER_JSON_MAX (8 * 1024)
#define LIST_DEFAULT 50
#define LIST_MAX 200
#define LIST_JSON_MAX (256 * 1024) /* 200 members of some 500 bytes, with room */
#define ENTRIES_MAX 50

static void write_members_of(struct jwrite *writer, const struct member *member)
{
    admin_write_int64(writer, "id", member->id);
    jwrite_key(writer, TEXT("code"));
    jwrite_text(writer, text_of(member->code));
    for (size_t i = 0; i < member_field_count(); i++) {
        const struct member_field *field = member_field_at(i);
        if (field == member_field_find(TEXT("code")))
            continue;
        jwrite_key(writer, text_of(field->name));
        jwrite_text(writer, text_of(member_field_get(field, member)));
    }
    admin_write_int64(writer, "points", member->account.points);
    admin_write_int64(writer, "points_held", member->account.points_held);
    jwrite_key(writer, TEXT("status"));
    jwrite_text(writer, member->account.is_active ? TEXT("active") : TEXT("disabled"));
    admin_write_time(writer, "created_at", member->created_at_us);
}

static void reply_member(struct exchange *exchange, const struct member *member)
{
    struct text_buffer buffer;
    struct jwrite writer;
    text_buffer_init(&buffer, exchange_allocate(exchange, MEMBER_JSON_MAX), MEMBER_JSON_MAX);
    jwrite_init(&writer, &buffer);
    jwrite_object_begin(&writer);
    write_members_of(&writer, member);
    jwrite_object_end(&writer);
    CHECK(!buffer.is_cut);
    exchange_reply_json(exchange, 200, text_buffer_text(&buffer));
}

static void refuse_member(struct exchange *exchange, int err)
{
    if (err == ERR_NOT_FOUND)
        admin_refuse(exchange, 404, "unknown_member", "There is no member with that code");
    else if (err == ERR_ALREADY_EXISTS)
        admin_refuse(exchange, 409, error_name(err), "There is a member with that code");
    else if (err == ERR_COMMIT_UNKNOWN)
        admin_refuse_error(exchange, ERR_UNCONFIRMED);
    else
        admin_refuse_error(exchange, err);
}

/* The field's value from the body, when it is there. */
static bool read_field(struct exchange *exchange, const struct jread *body,
                       const struct member_field *field, bool is_wanted, struct member *member,
                       bool *is_given)
{
    struct text value;
    const struct jread *found = jread_member(body, field->name);
    *is_given = found != NULL;
    if (found == NULL && !is_wanted)
        return true;
    if (!admin_read_text(exchange, body, field->name, is_wanted, &value))
        return false;
    if (member_field_set(field, value, member) && (value.length > 0 || !is_wanted))
        return true;
    admin_refuse(exchange, 400, "bad_member", "'%s' must be %s", field->name, field->rule);
    return false;
}

static bool read_code(struct exchange *exchange, const struct jread *body,
                      char code[MEMBER_CODE_MAX + 1])
{
    struct text value;
    if (!admin_read_text(exchange, body, "member", true, &value))
        return false;
    if (value.length == 0 || value.length > MEMBER_CODE_MAX) {
        refuse_member(exchange, ERR_NOT_FOUND);
        return false;
    }
    memcpy(code, value.base, value.length);
    code[value.length] = '\0';
    return true;
}

/* --- add */

struct add_task {
    struct member member;
    int64_t points;
    int64_t now_us;
};

static int grant_points(struct store *store, struct add_task *task)
{
    struct points_command command = {.action = POINTS_GRANT,
                                     .tenant_id = task->member.tenant_id,
                                     .member_id = task->member.id,
                                     .points = task->points,
                                     .reason = "opening balance"};
    struct points_outcome outcome;
    int err = store_run_points(store, &command, task->now_us, &outcome);
    if (err != 0)
        return err;
    task->member.account = outcome.account;
    return outcome.result == POINTS_OK ? 0 : ERR_BUG; /* a new member may have up to POINTS_MAX */
}

/* Member and points together or not at all. */
static int task_add(struct job *job, struct store *store)
{
    struct add_task *task = (struct add_task *)(job + 1);
    int err = store_begin_group(store);
    if (err != 0)
        return err;
    err = store_add_member(store, &task->member);
    if (err == 0 && task->points > 0)
        err = grant_points(store, task);
    if (err != 0) {
        store_rollback_group(store);
        return err;
    }
    return store_commit_group(store);
}

static void on_added(struct exchange *exchange, const struct job *job)
{
    const struct add_task *task = (const struct add_task *)(job + 1);
    if (job->error != 0)
        refuse_member(exchange, job->error);
    else
        reply_member(exchange, &task->member);
}

static bool read_member(struct exchange *exchange, const struct jread *body, struct member *member)
{
    for (size_t i = 0; i < member_field_count(); i++) {
        const struct member_field *field = member_field_at(i);
        bool is_given;
        bool is_wanted = !field->may_be_empty || field == member_field_find(TEXT("email"));
        if (!read_field(exchange, body, field, is_wanted, member, &is_given))
            return false;
    }
    return true;
}

static void member_add(struct exchange *exchange, const struct jread *body)
{
    const struct directory_tenant *tenant;
    struct member member = {.created_at_us = exchange->received_steady_us,
                            .account.is_active = true};
    int64_t points = 0;
    if (!admin_read_tenant(exchange, body, &tenant) || !read_member(exchange, body, &member))
        return;
    if (jread_member(body, "points") != NULL &&
        !admin_read_int64(exchange, body, "points", 0, POINTS_MAX, &points))
        return;
    member.tenant_id = tenant->tenant.id;
    struct job *job = exchange_job(exchange, sizeof(struct add_task));
    struct add_task *task = (struct add_task *)(job + 1);
    job->task = task_add;
    task->member = member;
    task->points = points;
    task->now_us = exchange->received_steady_us;
    exchange_submit_write(exchange, job, on_added);
}

void admin_member_add(struct exchange *exchange)
{
    static const char *const members[] = {"tenant", "first_name", "last_name",  "email",
                                          "phone",  "points",     "code",       "card_number",
                                          "tier",   "icon_url",   "intro_text", NULL};
    struct jread *body;
    if (!admin_read_body(exchange, members, &body))
        return;
    member_add(exchange, body);
    jread_destroy(body);
}

/* --- set, disable, enable */

struct set_task {
    int64_t tenant_id;
    char code[MEMBER_CODE_MAX + 1];
    struct member given;
    uint32_t given_fields; /* bits, by index of the table */
    bool has_status;
    struct member member; /* the row afterwards */
};

static int set_update(struct store *store, struct set_task *task)
{
    struct member *member = &task->member;
    int err = store_read_member_by_code(store, task->tenant_id, text_of(task->code), member);
    if (err != 0)
        return err;
    for (size_t i = 0; i < member_field_count(); i++) {
        const struct member_field *field = member_field_at(i);
        if ((task->given_fields & (UINT32_C(1) << i)) != 0)
            memcpy((char *)member + field->offset, (char *)&task->given + field->offset,
                   field->size);
    }
    if (task->has_status)
        member->account.is_active = task->given.account.is_active;
    return store_update_member(store, member);
}

/* Nobody else writes between the reading and the writing: there is one committer. */
static int task_set(struct job *job, struct store *store)
{
    return set_update(store, (struct set_task *)(job + 1));
}

static void on_set(struct exchange *exchange, const struct job *job)
{
    const struct set_task *task = (const struct set_task *)(job + 1);
    if (job->error != 0)
        refuse_member(exchange, job->error);
    else
        reply_member(exchange, &task->member);
}

static struct job *set_job(struct exchange *exchange, const struct set_task *wanted)
{
    struct job *job = exchange_job(exchange, sizeof(struct set_task));
    *(struct set_task *)(job + 1) = *wanted;
    job->task = task_set;
    return job;
}

static bool read_set(struct exchange *exchange, const struct jread *body, struct set_task *task)
{
    const struct directory_tenant *tenant;
    if (!admin_read_tenant(exchange, body, &tenant) || !read_code(exchange, body, task->code))
        return false;
    task->tenant_id = tenant->tenant.id;
    return true;
}

static void member_set(struct exchange *exchange, const struct jread *body)
{
    struct set_task task = {.tenant_id = 0};
    if (!read_set(exchange, body, &task))
        return;
    for (size_t i = 0; i < member_field_count(); i++) {
        bool is_given;
        if (!read_field(exchange, body, member_field_at(i), false, &task.given, &is_given))
            return;
        task.given_fields |= is_given ? UINT32_C(1) << i : 0;
    }
    if (task.given_fields == 0)
        admin_refuse(exchange, 400, "missing", "Nothing to change: name at least one field");
    else
        exchange_submit_write(exchange, set_job(exchange, &task), on_set);
}

void admin_member_set(struct exchange *exchange)
{
    static const char *const members[] = {"tenant",   "member",     "first_name",  "last_name",
                                          "email",    "phone",      "card_number", "tier",
                                          "icon_url", "intro_text", NULL};
    struct jread *body;
    if (!admin_read_body(exchange, members, &body))
        return;
    member_set(exchange, body);
    jread_destroy(body);
}

static void read_and_switch(struct exchange *exchange, bool is_active)
{
    static const char *const members[] = {"tenant", "member", NULL};
    struct set_task task = {.has_status = true, .given.account.is_active = is_active};
    struct jread *body;
    if (!admin_read_body(exchange, members, &body))
        return;
    if (read_set(exchange, body, &task))
        exchange_submit_write(exchange, set_job(exchange, &task), on_set);
    jread_destroy(body);
}

void admin_member_disable(struct exchange *exchange)
{
    read_and_switch(exchange, false);
}

void admin_member_enable(struct exchange *exchange)
{
    read_and_switch(exchange, true);
}

/* --- list, search, show: the JSON is written on the reader's thread, member by member */

struct read_task {
    int64_t tenant_id;
    int64_t after, limit;
    char code[MEMBER_CODE_MAX + 1];
    char keyword[BODY_MAX];
    size_t keyword_length;
    struct jwrite writer;
    struct text_buffer buffer;
    char bytes[LIST_JSON_MAX];
};

static void on_member(void *context, const struct member *member)
{
    struct read_task *task = context;
    jwrite_object_begin(&task->writer);
    write_members_of(&task->writer, member);
    jwrite_object_end(&task->writer);
}

static struct read_task *begin_document(struct job *job)
{
    struct read_task *task = (struct read_task *)(job + 1);
    text_buffer_init(&task->buffer, task->bytes, sizeof(task->bytes));
    jwrite_init(&task->writer, &task->buffer);
    jwrite_object_begin(&task->writer);
    return task;
}

static void begin_list(struct read_task *task, struct text key)
{
    jwrite_key(&task->writer, key);
    jwrite_array_begin(&task->writer);
}

static void end_list(struct read_task *task)
{
    jwrite_array_end(&task->writer);
    jwrite_object_end(&task->writer);
}

static int task_list(struct job *job, struct store *store)
{
    struct read_task *task = begin_document(job);
    begin_list(task, TEXT("members"));
    int err = store_each_member(store, task->tenant_id, task->after, (int32_t)task->limit,
                                on_member, task);
    end_list(task);
    return err;
}

static int task_search(struct job *job, struct store *store)
{
    struct read_task *task = begin_document(job);
    struct text keyword = {task->keyword, task->keyword_length};
    begin_list(task, TEXT("members"));
    int err = store_search_members(store, task->tenant_id, keyword, (int32_t)task->limit, on_member,
                                   task);
    end_list(task);
    return err;
}

static void on_entry(void *context, const struct points_entry *entry)
{
    admin_write_points_entry(&((struct read_task *)context)->writer, entry);
}

static int show_write(struct read_task *task, struct store *store)
{
    struct member member;
    int err = store_read_member_by_code(store, task->tenant_id, text_of(task->code), &member);
    if (err != 0)
        return err;
    write_members_of(&task->writer, &member);
    begin_list(task, TEXT("entries"));
    err = store_each_points_entry(store, task->tenant_id, member.id, ENTRIES_MAX, on_entry, task);
    end_list(task);
    return err;
}

/* Points and their history of one moment. */
static int task_show(struct job *job, struct store *store)
{
    struct read_task *task = begin_document(job);
    int err = store_begin_read(store);
    if (err != 0)
        return err;
    err = show_write(task, store);
    store_end_read(store);
    return err;
}

static void on_read(struct exchange *exchange, const struct job *job)
{
    const struct read_task *task = (const struct read_task *)(job + 1);
    if (job->error != 0)
        refuse_member(exchange, job->error);
    else if (task->buffer.is_cut)
        admin_refuse(exchange, 400, "too_large",
                     "That is more than one answer holds; ask for a smaller 'limit'");
    else
        exchange_reply_json(exchange, 200, text_buffer_text(&task->buffer));
}

static struct job *read_job(struct exchange *exchange, const struct directory_tenant *tenant,
                            job_task_fn run)
{
    struct job *job = exchange_job(exchange, sizeof(struct read_task));
    job->task = run;
    job->is_long = true;
    ((struct read_task *)(job + 1))->tenant_id = tenant->tenant.id;
    return job;
}

static bool read_limit(struct exchange *exchange, const struct jread *body, int64_t max,
                       int64_t *limit)
{
    return jread_member(body, "limit") == NULL ||
           admin_read_int64(exchange, body, "limit", 1, max, limit);
}

static void member_list(struct exchange *exchange, const struct jread *body)
{
    const struct directory_tenant *tenant;
    int64_t after = 0, limit = LIST_DEFAULT;
    if (!admin_read_tenant(exchange, body, &tenant) ||
        !read_limit(exchange, body, LIST_MAX, &limit))
        return;
    if (jread_member(body, "after") != NULL &&
        !admin_read_int64(exchange, body, "after", 0, INT64_MAX, &after))
        return;
    struct job *job = read_job(exchange, tenant, task_list);
    struct read_task *task = (struct read_task *)(job + 1);
    task->after = after;
    task->limit = limit;
    exchange_submit_read(exchange, job, on_read);
}

void admin_member_list(struct exchange *exchange)
{
    static const char *const members[] = {"tenant", "after", "limit", NULL};
    struct jread *body;
    if (!admin_read_body(exchange, members, &body))
        return;
    member_list(exchange, body);
    jread_destroy(body);
}

static void member_search(struct exchange *exchange, const struct jread *body)
{
    const struct directory_tenant *tenant;
    struct text keyword;
    int64_t limit = SEARCH_RESULTS_MAX;
    if (!admin_read_tenant(exchange, body, &tenant) ||
        !admin_read_text(exchange, body, "keyword", true, &keyword) ||
        !read_limit(exchange, body, SEARCH_RESULTS_MAX, &limit))
        return;
    struct job *job = read_job(exchange, tenant, task_search);
    struct read_task *task = (struct read_task *)(job + 1);
    task->limit = limit;
    task->keyword_length = keyword.length; /* part of a body, so shorter than one */
    if (keyword.length > 0)
        memcpy(task->keyword, keyword.base, keyword.length);
    exchange_submit_read(exchange, job, on_read);
}

void admin_member_search(struct exchange *exchange)
{
    static const char *const members[] = {"tenant", "keyword", "limit", NULL};
    struct jread *body;
    if (!admin_read_body(exchange, members, &body))
        return;
    member_search(exchange, body);
    jread_destroy(body);
}

static void member_show(struct exchange *exchange, const struct jread *body)
{
    const struct directory_tenant *tenant;
    char code[MEMBER_CODE_MAX + 1];
    if (!admin_read_tenant(exchange, body, &tenant) || !read_code(exchange, body, code))
        return;
    struct job *job = read_job(exchange, tenant, task_show);
    memcpy(((struct read_task *)(job + 1))->code, code, sizeof(code));
    exchange_submit_read(exchange, job, on_read);
}

void admin_member_show(struct exchange *exchange)
{
    static const char *const members[] = {"tenant", "member", NULL};
    struct jread *body;
    if (!admin_read_body(exchange, members, &body))
        return;
    member_show(exchange, body);
    jread_destroy(body);
}
