/* Grants points to members and shows what became of them, for the merchant. */
#include "handlers/admin.h"

#include "handlers/admin_request.h"
#include "store/member.h"

#include <string.h>

#include "base/banned.h"

#define ENTRIES_DEFAULT 50
#define ENTRIES_MAX 200
#define RESERVATIONS_MAX 50 /* open ones of one member: a till makes one at a time */
/* Entries and reservations of some 300 bytes, and a reason of which each byte may take six. */
#define SHOW_MAX (256 * 1024)
#define GRANT_JSON_MAX 512
#define SETTLE_JSON_MAX 256
/* By then no redemption works on it any more: its deadline is some seconds. */
#define SETTLE_AGE_US (INT64_C(60) * CLOCK_US_PER_S)

static void write_account(struct jwrite *writer, const struct points_account *account)
{
    admin_write_int64(writer, "points", account->points);
    admin_write_int64(writer, "held", account->points_held);
    admin_write_int64(writer, "spendable", account->points - account->points_held);
}

static bool read_member(struct exchange *exchange, const struct jread *body,
                        char code[MEMBER_CODE_MAX + 1])
{
    struct text text;
    return admin_read_text(exchange, body, "member", true, &text) &&
           admin_copy(exchange, "member", text, code, MEMBER_CODE_MAX + 1);
}

static void refuse_member(struct exchange *exchange, int err, const char *code)
{
    if (err == ERR_NOT_FOUND)
        admin_refuse(exchange, 404, "unknown_member", "There is no member '%s' at this tenant",
                     code);
    else
        admin_refuse_error(exchange, err);
}

/* --- grant */

struct grant_task {
    struct points_command command;
    char code[MEMBER_CODE_MAX + 1];
    struct points_outcome outcome;
};

static int task_grant(struct job *job, struct store *store)
{
    struct grant_task *task = (struct grant_task *)(job + 1);
    struct member member;
    int err =
        store_read_member_by_code(store, task->command.tenant_id, text_of(task->code), &member);
    if (err != 0)
        return err;
    task->command.member_id = member.id;
    return store_run_points(store, &task->command, clock_steady_us(), &task->outcome);
}

static void refuse_grant(struct exchange *exchange, const struct grant_task *task)
{
    const struct points_account *account = &task->outcome.account;
    enum points_result result = task->outcome.result;
    if (result == POINTS_NOT_ENOUGH)
        admin_refuse(exchange, 409, points_result_name(result),
                     "That is more than can be taken: the member has %lld points, %lld of them "
                     "held for rewards that are being redeemed",
                     (long long)account->points, (long long)account->points_held);
    else if (result == POINTS_BAD_AMOUNT)
        admin_refuse(exchange, 409, points_result_name(result),
                     "That would be more than the %lld points that a member may have",
                     (long long)POINTS_MAX);
    else
        exchange_fail_bug(exchange, points_result_name(result));
}

static void on_granted(struct exchange *exchange, const struct job *job)
{
    const struct grant_task *task = (const struct grant_task *)(job + 1);
    if (job->error != 0) {
        /* A stand-in comes home after a time-out: only an answer of the task has a code. */
        refuse_member(exchange, job->error, job->error == ERR_NOT_FOUND ? task->code : "");
        return;
    }
    if (task->outcome.result != POINTS_OK) {
        refuse_grant(exchange, task);
        return;
    }
    char bytes[GRANT_JSON_MAX];
    struct text_buffer buffer;
    struct jwrite writer;
    text_buffer_init(&buffer, bytes, sizeof(bytes));
    jwrite_init(&writer, &buffer);
    jwrite_object_begin(&writer);
    admin_write_text(&writer, "member", task->code);
    admin_write_int64(&writer, "member_id", task->command.member_id);
    admin_write_int64(&writer, "granted", task->command.points);
    write_account(&writer, &task->outcome.account);
    jwrite_object_end(&writer);
    exchange_reply_json(exchange, 200, text_buffer_text(&buffer));
}

static bool read_grant(struct exchange *exchange, const struct jread *body, struct grant_task *task)
{
    struct points_command *command = &task->command;
    const struct directory_tenant *tenant;
    struct text reason;
    if (!admin_read_tenant(exchange, body, &tenant) || !read_member(exchange, body, task->code) ||
        !admin_read_int64(exchange, body, "points", -POINTS_MAX, POINTS_MAX, &command->points) ||
        !admin_read_text(exchange, body, "reason", true, &reason) ||
        !admin_copy(exchange, "reason", reason, command->reason, sizeof(command->reason)))
        return false;
    command->action = POINTS_GRANT;
    command->tenant_id = tenant->tenant.id;
    if (command->points != 0)
        return true;
    admin_refuse(exchange, 400, "bad_number",
                 "'points' must not be 0: give with a positive number, take with a negative one");
    return false;
}

void admin_points_grant(struct exchange *exchange)
{
    static const char *const members[] = {"tenant", "member", "points", "reason", NULL};
    struct jread *body;
    struct grant_task grant = {0};
    if (!admin_read_body(exchange, members, &body))
        return;
    bool is_sound = read_grant(exchange, body, &grant);
    jread_destroy(body);
    if (!is_sound)
        return;
    struct job *job = exchange_job(exchange, sizeof(struct grant_task));
    *(struct grant_task *)(job + 1) = grant;
    job->task = task_grant;
    job->joins = true;
    exchange_submit_write(exchange, job, on_granted);
}

/* --- show: the JSON is written on the reader's thread, row by row */

struct show_task {
    int64_t tenant_id;
    char code[MEMBER_CODE_MAX + 1];
    int64_t limit;
    int64_t open_count;
    struct jwrite writer;
    struct text_buffer buffer;
    char bytes[SHOW_MAX];
};

static void on_entry(void *context, const struct points_entry *entry)
{
    struct jwrite *writer = &((struct show_task *)context)->writer;
    admin_write_points_entry(writer, entry);
}

static void on_reservation(void *context, const struct reservation *reservation)
{
    struct show_task *task = context;
    struct jwrite *writer = &task->writer;
    if (++task->open_count > RESERVATIONS_MAX)
        return;
    jwrite_object_begin(writer);
    admin_write_int64(writer, "reservation_id", reservation->id);
    admin_write_int64(writer, "reward_id", reservation->reward_id);
    admin_write_int64(writer, "order_id", reservation->order_id);
    admin_write_int64(writer, "site_id", reservation->site_id);
    admin_write_int64(writer, "points", reservation->points);
    admin_write_text(writer, "state", reservation_state_name(reservation->state));
    jwrite_key(writer, TEXT("is_unsure"));
    jwrite_bool(writer, reservation->is_unsure);
    admin_write_text(writer, "reason", reservation->reason);
    admin_write_time(writer, "since", reservation->created_at_us);
    admin_write_time(writer, "changed_at", reservation->changed_at_us);
    jwrite_object_end(writer);
}

static void write_member(struct jwrite *writer, const struct member *member)
{
    admin_write_text(writer, "member", member->code);
    admin_write_int64(writer, "member_id", member->id);
    admin_write_text(writer, "first_name", member->first_name);
    admin_write_text(writer, "last_name", member->last_name);
    admin_write_text(writer, "status", member->account.is_active ? "active" : "disabled");
    write_account(writer, &member->account);
    admin_write_int64(writer, "version", member->account.version);
    admin_write_time(writer, "active_at", member->account.active_at_us);
}

static int show_write(struct show_task *task, struct store *store)
{
    struct jwrite *writer = &task->writer;
    struct member member;
    int err = store_read_member_by_code(store, task->tenant_id, text_of(task->code), &member);
    if (err != 0)
        return err;
    text_buffer_init(&task->buffer, task->bytes, sizeof(task->bytes));
    jwrite_init(writer, &task->buffer);
    jwrite_object_begin(writer);
    write_member(writer, &member);
    jwrite_key(writer, TEXT("reservations"));
    jwrite_array_begin(writer);
    err = store_each_member_reservation(store, task->tenant_id, member.id, on_reservation, task);
    if (err != 0)
        return err;
    jwrite_array_end(writer);
    admin_write_int64(writer, "open_reservations", task->open_count);
    jwrite_key(writer, TEXT("entries"));
    jwrite_array_begin(writer);
    err = store_each_points_entry(store, task->tenant_id, member.id, (int32_t)task->limit, on_entry,
                                  task);
    if (err != 0)
        return err;
    jwrite_array_end(writer);
    jwrite_object_end(writer);
    return 0;
}

/* Of one moment, or points, held and entries would not add up while a till is at work. */
static int task_show(struct job *job, struct store *store)
{
    int err = store_begin_read(store);
    if (err != 0)
        return err;
    err = show_write((struct show_task *)(job + 1), store);
    store_end_read(store);
    return err;
}

static void on_shown(struct exchange *exchange, const struct job *job)
{
    const struct show_task *task = (const struct show_task *)(job + 1);
    if (job->error != 0)
        refuse_member(exchange, job->error, job->error == ERR_NOT_FOUND ? task->code : "");
    else if (task->buffer.is_cut)
        admin_refuse(exchange, 400, "too_large",
                     "That is more than one answer holds; ask for a smaller 'limit'");
    else
        exchange_reply_json(exchange, 200, text_buffer_text(&task->buffer));
}

static void points_show(struct exchange *exchange, const struct jread *body)
{
    const struct directory_tenant *tenant;
    char code[MEMBER_CODE_MAX + 1];
    int64_t limit = ENTRIES_DEFAULT;
    if (!admin_read_tenant(exchange, body, &tenant) || !read_member(exchange, body, code))
        return;
    if (jread_member(body, "limit") != NULL &&
        !admin_read_int64(exchange, body, "limit", 1, ENTRIES_MAX, &limit))
        return;
    struct job *job = exchange_job(exchange, sizeof(struct show_task));
    struct show_task *task = (struct show_task *)(job + 1);
    job->task = task_show;
    task->tenant_id = tenant->tenant.id;
    memcpy(task->code, code, sizeof(code));
    task->limit = limit;
    exchange_submit_read(exchange, job, on_shown);
}

void admin_points_show(struct exchange *exchange)
{
    static const char *const members[] = {"tenant", "member", "limit", NULL};
    struct jread *body;
    if (!admin_read_body(exchange, members, &body))
        return;
    points_show(exchange, body);
    jread_destroy(body);
}

/* --- settle: a payment of points that nothing can tell from others */

struct settle_task {
    struct points_command command;
    struct points_outcome outcome;
};

/* Only what pays, and only what no redemption works on. */
static bool may_be_settled(const struct reservation *reservation)
{
    return reservation->pays_minor != 0 && reservation->state == RESERVATION_RESERVED &&
           (reservation->is_unsure ||
            clock_steady_us() - reservation->changed_at_us >= SETTLE_AGE_US);
}

static int task_settle(struct job *job, struct store *store)
{
    struct settle_task *task = (struct settle_task *)(job + 1);
    struct reservation reservation;
    int err = store_read_reservation(store, task->command.reservation_id, &reservation);
    if (err == 0 && reservation.tenant_id != task->command.tenant_id)
        err = ERR_NOT_FOUND;
    if (err != 0)
        return err;
    if (!may_be_settled(&reservation))
        return ERR_REFUSED;
    return store_run_points(store, &task->command, clock_steady_us(), &task->outcome);
}

static void write_settled(struct exchange *exchange, const struct settle_task *task)
{
    char bytes[SETTLE_JSON_MAX];
    struct text_buffer buffer;
    struct jwrite writer;
    text_buffer_init(&buffer, bytes, sizeof(bytes));
    jwrite_init(&writer, &buffer);
    jwrite_object_begin(&writer);
    admin_write_int64(&writer, "reservation_id", task->outcome.reservation.id);
    admin_write_text(&writer, "state", reservation_state_name(task->outcome.reservation.state));
    write_account(&writer, &task->outcome.account);
    jwrite_object_end(&writer);
    exchange_reply_json(exchange, 200, text_buffer_text(&buffer));
}

static void on_points_settled(struct exchange *exchange, const struct job *job)
{
    const struct settle_task *task = (const struct settle_task *)(job + 1);
    if (job->error == ERR_NOT_FOUND)
        admin_refuse(exchange, 404, "unknown_reservation",
                     "There is no such reservation at this tenant");
    else if (job->error == ERR_REFUSED || (job->error == 0 && task->outcome.result != POINTS_OK))
        admin_refuse(exchange, 409, "not_open",
                     "Only points that were to pay, and of which nothing was heard for a minute, "
                     "are settled by hand: points show tells how it stands");
    else if (job->error != 0)
        admin_refuse_error(exchange, job->error);
    else
        write_settled(exchange, task);
}

static bool read_settle(struct exchange *exchange, const struct jread *body,
                        struct points_command *command)
{
    const struct directory_tenant *tenant;
    struct text as, reason;
    if (!admin_read_tenant(exchange, body, &tenant) ||
        !admin_read_int64(exchange, body, "reservation", 1, INT64_MAX, &command->reservation_id) ||
        !admin_read_text(exchange, body, "as", true, &as) ||
        !admin_read_text(exchange, body, "reason", true, &reason) ||
        !admin_copy(exchange, "reason", reason, command->reason, sizeof(command->reason)))
        return false;
    bool is_paid = text_equal(as, TEXT("paid"));
    command->action = is_paid ? POINTS_BURN : POINTS_RETURN;
    command->tenant_id = tenant->tenant.id;
    if (is_paid || text_equal(as, TEXT("unpaid")))
        return true;
    admin_refuse(exchange, 400, "bad_outcome", "'as' must be paid or unpaid");
    return false;
}

void admin_points_settle(struct exchange *exchange)
{
    static const char *const members[] = {"tenant", "reservation", "as", "reason", NULL};
    struct jread *body;
    struct points_command command = {0};
    if (!admin_read_body(exchange, members, &body))
        return;
    bool is_sound = read_settle(exchange, body, &command);
    jread_destroy(body);
    if (!is_sound)
        return;
    struct job *job = exchange_job(exchange, sizeof(struct settle_task));
    ((struct settle_task *)(job + 1))->command = command;
    job->task = task_settle;
    job->joins = true;
    exchange_submit_write(exchange, job, on_points_settled);
}
