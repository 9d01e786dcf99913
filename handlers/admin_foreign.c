/*
 * The approval to pay orders that are not ours: asked for, recorded, and reported with all that was
 * attempted under it.
 */
#include "handlers/admin.h"

#include "base/clock.h"
#include "base/error.h"
#include "handlers/admin_request.h"
#include "store/foreign.h"
#include "store/grant.h"
#include "store/member.h"

#include <string.h>

#include "base/banned.h"

#define CHANGE_JSON_MAX 4608 /* three texts, of which each byte may take six, and a thousand more */
#define ATTEMPT_JSON_MAX 2048
#define DAY_JSON_MAX 640
#define REWARD_JSON_MAX 1024
#define HEAD_JSON_MAX 8192
/* Newest first; what is older is counted in the days, and left_out says so. */
#define REPORT_ATTEMPTS_MAX 500
#define REPORT_DAYS_MAX 400
#define REPORT_CHANGES_MAX 100
#define REPORT_JSON_MAX                                                                            \
    (HEAD_JSON_MAX + REPORT_CHANGES_MAX * CHANGE_JSON_MAX +                                        \
     REPORT_ATTEMPTS_MAX * ATTEMPT_JSON_MAX + REPORT_DAYS_MAX * DAY_JSON_MAX +                     \
     REWARDS_MAX * REWARD_JSON_MAX)

/* --- writing --- */

static void write_change(struct jwrite *writer, const struct foreign_change *change, int exponent)
{
    jwrite_object_begin(writer);
    admin_write_int64(writer, "change_id", change->id);
    admin_write_time(writer, "at", change->created_at_us);
    admin_write_text(writer, "from", foreign_state_name(change->from));
    admin_write_text(writer, "to", foreign_state_name(change->to.state));
    admin_write_text(writer, "reference", change->reference);
    admin_write_text(writer, "actor", change->actor);
    admin_write_text(writer, "note", change->note);
    jwrite_key(writer, TEXT("approval"));
    admin_write_approval(writer, &change->to, exponent);
    jwrite_object_end(writer);
}

/* --- changing: tasks on the committer's thread --- */

struct change_task {
    struct handlers *handlers;
    int exponent;
    struct foreign_change change;
    bool has_payment_max, has_day_max, has_expires;
    const char *lacks; /* what a first approval has to say and does not; NULL: nothing */
};

static void on_latest(void *context, const struct foreign_change *change)
{
    memcpy(context, change->reference, sizeof(change->reference));
}

/* Other terms of an approval that stands: what was not given stays. */
static int keep_terms(struct change_task *task, struct store *store,
                      const struct foreign_approval *now)
{
    struct foreign_approval *to = &task->change.to;
    char reference[FOREIGN_TEXT_MAX + 1] = "";
    if (!task->has_payment_max)
        to->payment_max_minor = now->payment_max_minor;
    if (!task->has_day_max)
        to->day_max_minor = now->day_max_minor;
    if (!task->has_expires)
        to->expires_on = now->expires_on;
    if (task->change.reference[0] != '\0')
        return 0;
    int err = store_each_foreign_change(store, task->change.tenant_id, on_latest, reference);
    memcpy(task->change.reference, reference, sizeof(reference));
    return err;
}

/* The record is evidence: it names who has approved what, and nothing is unlimited by omission. */
static const char *find_lacking(const struct change_task *task)
{
    const struct {
        bool is_given;
        const char *name;
    } wanted[] = {
        {task->change.reference[0] != '\0', "reference"},
        {task->change.actor[0] != '\0', "actor"},
        {task->has_payment_max, "payment_max"},
        {task->has_day_max, "day_max"},
        {task->has_expires, "expires"},
    };
    for (size_t i = 0; i < COUNT_OF(wanted); i++)
        if (!wanted[i].is_given)
            return wanted[i].name;
    return NULL;
}

static int complete_approval(struct change_task *task, struct store *store,
                             const struct foreign_approval *now)
{
    if (task->change.to.state != FOREIGN_APPROVED ||
        !foreign_may_move(now->state, FOREIGN_APPROVED))
        return 0; /* no approval, or not to be had from here, which is told first */
    if (now->state == FOREIGN_APPROVED) {
        task->lacks = task->change.actor[0] == '\0' ? "actor" : NULL;
        return keep_terms(task, store, now);
    }
    task->lacks = find_lacking(task);
    return 0;
}

static int task_change(struct job *job, struct store *store)
{
    struct change_task *task = (struct change_task *)(job + 1);
    struct tenant tenant;
    int err = store_read_tenant(store, task->change.tenant_id, &tenant);
    if (err != 0)
        return err;
    err = complete_approval(task, store, &tenant.approval);
    seal_wipe(&tenant, sizeof(tenant));
    if (err != 0 || task->lacks != NULL)
        return err;
    task->change.created_at_us = clock_steady_us();
    err = store_add_foreign_change(store, &task->change);
    return err != 0 ? err : admin_reload_directory(task->handlers, store);
}

static void refuse_move(struct exchange *exchange, const struct foreign_change *change)
{
    char bytes[128];
    struct text_buffer next;
    text_buffer_init(&next, bytes, sizeof(bytes));
    for (int to = FOREIGN_NOT_REQUESTED; to <= FOREIGN_REVOKED; to++)
        if (foreign_may_move(change->from, (enum foreign_state)to))
            text_append_format(&next, "%s%s", next.length == 0 ? "" : " or ",
                               foreign_state_name((enum foreign_state)to));
    admin_refuse(exchange, 409, "wrong_state",
                 "The approval is '%s', and can become %s next, not '%s'",
                 foreign_state_name(change->from), bytes, foreign_state_name(change->to.state));
}

static void on_changed(struct exchange *exchange, const struct job *job)
{
    const struct change_task *task = (const struct change_task *)(job + 1);
    char bytes[CHANGE_JSON_MAX];
    struct text_buffer buffer;
    struct jwrite writer;
    if (job->error == 0 && task->lacks != NULL) {
        admin_refuse(exchange, 400, "missing_terms",
                     "An approval needs '%s'; 'payment_max' and 'day_max' may be 0 (no limit), and "
                     "'expires' never",
                     task->lacks);
        return;
    }
    if (job->error == ERR_REFUSED) {
        refuse_move(exchange, &task->change);
        return;
    }
    if (job->error != 0) {
        admin_refuse_error(exchange, job->error);
        return;
    }
    text_buffer_init(&buffer, bytes, sizeof(bytes));
    jwrite_init(&writer, &buffer);
    write_change(&writer, &task->change, task->exponent);
    CHECK(!buffer.is_cut);
    exchange_reply_json(exchange, 200, text_buffer_text(&buffer));
}

static void submit_change(struct exchange *exchange, const struct change_task *task)
{
    struct job *job = exchange_job(exchange, sizeof(*task));
    *(struct change_task *)(job + 1) = *task;
    job->task = task_change;
    exchange_submit_write(exchange, job, on_changed);
}

/* --- reading what is to be changed --- */

static bool read_words(struct exchange *exchange, const struct jread *body, const char *name,
                       char field[FOREIGN_TEXT_MAX + 1])
{
    struct text text;
    if (!admin_read_text(exchange, body, name, false, &text))
        return false;
    return text.length == 0 || admin_copy(exchange, name, text, field, FOREIGN_TEXT_MAX + 1);
}

static bool read_limit(struct exchange *exchange, const struct jread *body, const char *name,
                       int exponent, bool *is_given, int64_t *limit_minor)
{
    struct text text;
    if (!admin_read_text(exchange, body, name, false, &text))
        return false;
    *is_given = text.length != 0;
    if (!*is_given || (money_parse(text, exponent, limit_minor) == 0 && *limit_minor >= 0))
        return true;
    admin_refuse(exchange, 400, "bad_amount", "'%s' must be an amount such as 50.00; 0: no limit",
                 name);
    return false;
}

static bool read_expires(struct exchange *exchange, const struct jread *body,
                         const struct directory_tenant *tenant, struct change_task *task)
{
    struct text text;
    int32_t *date = &task->change.to.expires_on;
    if (!admin_read_text(exchange, body, "expires", false, &text))
        return false;
    task->has_expires = text.length != 0;
    if (text_equal(text, TEXT("never")))
        return true;
    if (!admin_read_date(exchange, body, "expires", date))
        return false;
    if (*date == 0 || *date >= clock_local_date(tenant->zone, exchange->received_wall_us))
        return true;
    admin_refuse(exchange, 400, "bad_date", "'expires' is over already");
    return false;
}

static bool read_state(struct exchange *exchange, const struct jread *body,
                       enum foreign_state *state)
{
    struct text text;
    if (!admin_read_text(exchange, body, "state", true, &text))
        return false;
    for (int each = FOREIGN_UNDER_REVIEW; each <= FOREIGN_REVOKED; each++) {
        *state = (enum foreign_state)each;
        if (text_equal(text, text_of(foreign_state_name(*state))))
            return true;
    }
    admin_refuse(exchange, 400, "bad_state",
                 "'state' must be under_review, approved, refused or revoked");
    return false;
}

/* Only an approval has terms: a limit on a refusal is somebody's slip. */
static bool terms_fit(struct exchange *exchange, const struct change_task *task)
{
    bool has_terms = task->has_payment_max || task->has_day_max || task->has_expires;
    if (!has_terms || task->change.to.state == FOREIGN_APPROVED)
        return true;
    admin_refuse(exchange, 400, "bad_terms", "Limits and 'expires' belong to an approval only");
    return false;
}

static bool read_change(struct exchange *exchange, const struct jread *body,
                        struct change_task *task)
{
    const struct directory_tenant *tenant;
    struct foreign_change *change = &task->change;
    if (!admin_read_tenant(exchange, body, &tenant))
        return false;
    task->handlers = exchange->handlers;
    task->exponent = tenant->tenant.currency.exponent;
    change->tenant_id = tenant->tenant.id;
    return read_words(exchange, body, "note", change->note) &&
           read_words(exchange, body, "actor", change->actor) &&
           read_words(exchange, body, "reference", change->reference) &&
           read_limit(exchange, body, "payment_max", task->exponent, &task->has_payment_max,
                      &change->to.payment_max_minor) &&
           read_limit(exchange, body, "day_max", task->exponent, &task->has_day_max,
                      &change->to.day_max_minor) &&
           read_expires(exchange, body, tenant, task);
}

void admin_foreign_request(struct exchange *exchange)
{
    static const char *const members[] = {"tenant", "note", "actor", NULL};
    struct change_task task = {.change.to.state = FOREIGN_REQUESTED};
    struct jread *body;
    if (!admin_read_body(exchange, members, &body))
        return;
    if (read_change(exchange, body, &task))
        submit_change(exchange, &task);
    jread_destroy(body);
}

void admin_foreign_record(struct exchange *exchange)
{
    static const char *const members[] = {"tenant",  "state", "reference", "payment_max", "day_max",
                                          "expires", "actor", "note",      NULL};
    struct change_task task = {0};
    struct jread *body;
    if (!admin_read_body(exchange, members, &body))
        return;
    if (read_state(exchange, body, &task.change.to.state) && read_change(exchange, body, &task) &&
        terms_fit(exchange, &task))
        submit_change(exchange, &task);
    jread_destroy(body);
}

/* --- the report: the JSON is written on the reader's thread --- */

struct report_task {
    struct tenant tenant;               /* without its secrets */
    char client_id[APP_CLIENT_MAX + 1]; /* of our application, as Lightspeed knows it */
    int32_t today, from, until;
    int64_t now_us;
    struct foreign_change last;
    struct foreign_sum total;
    int32_t changes, days; /* counted before they are written */
    int32_t at;
    struct jwrite writer;
    struct text_buffer buffer;
    char bytes[REPORT_JSON_MAX];
};

static void on_change(void *context, const struct foreign_change *change)
{
    struct report_task *task = context;
    task->last = *change;
    task->changes++;
}

static void on_write_change(void *context, const struct foreign_change *change)
{
    struct report_task *task = context;
    if (task->at++ >= task->changes - REPORT_CHANGES_MAX)
        write_change(&task->writer, change, task->tenant.currency.exponent);
}

static void on_sum(void *context, const struct foreign_sum *sum)
{
    struct report_task *task = context;
    struct foreign_sum *total = &task->total;
    task->days++;
    total->attempts += sum->attempts;
    total->attempted_minor += sum->attempted_minor;
    total->refused += sum->refused;
    total->refused_minor += sum->refused_minor;
    total->paid += sum->paid;
    total->paid_minor += sum->paid_minor;
    total->api_refused += sum->api_refused;
    total->api_refused_minor += sum->api_refused_minor;
    total->unsent += sum->unsent;
    total->unsent_minor += sum->unsent_minor;
    total->open += sum->open;
    total->open_minor += sum->open_minor;
}

static void write_sum_members(struct report_task *task, const struct foreign_sum *sum)
{
    const struct {
        const char *count_name, *minor_name;
        int64_t count, minor;
    } members[] = {
        {"attempts", "attempted", sum->attempts, sum->attempted_minor},
        {"refused_by_us", "refused_by_us_amount", sum->refused, sum->refused_minor},
        {"paid", "paid_amount", sum->paid, sum->paid_minor},
        {"refused_by_api", "refused_by_api_amount", sum->api_refused, sum->api_refused_minor},
        {"not_made", "not_made_amount", sum->unsent, sum->unsent_minor},
        {"open", "open_amount", sum->open, sum->open_minor},
    };
    for (size_t i = 0; i < COUNT_OF(members); i++) {
        admin_write_int64(&task->writer, members[i].count_name, members[i].count);
        admin_write_amount(&task->writer, text_of(members[i].minor_name), members[i].minor,
                           task->tenant.currency.exponent);
    }
}

static void on_write_sum(void *context, const struct foreign_sum *sum)
{
    struct report_task *task = context;
    jwrite_object_begin(&task->writer);
    admin_write_date(&task->writer, "date", sum->local_date);
    write_sum_members(task, sum);
    jwrite_object_end(&task->writer);
}

/* One word for what became of it. */
static const char *outcome_name(const struct foreign_attempt *attempt)
{
    if (attempt->verdict != FOREIGN_ALLOWED)
        return "refused_by_us";
    if (attempt->end != FOREIGN_UNPAID)
        return foreign_end_name(attempt->end);
    return attempt->api_status >= 400 ? "refused_by_api" : "not_made";
}

static void write_attempt(struct jwrite *writer, const struct foreign_attempt *attempt,
                          int exponent)
{
    jwrite_object_begin(writer);
    admin_write_int64(writer, "attempt_id", attempt->id);
    admin_write_time(writer, "at", attempt->created_at_us);
    admin_write_date(writer, "date", attempt->local_date);
    admin_write_text(writer, "effect", foreign_effect_name(attempt->effect));
    admin_write_int64(writer, "order_id", attempt->order_id);
    admin_write_int64(writer, "site_id", attempt->site_id);
    admin_write_int64(writer, "operation_id", attempt->operation_id);
    admin_write_int64(writer, "reservation_id", attempt->reservation_id);
    admin_write_amount(writer, TEXT("amount"), attempt->amount_minor, exponent);
    admin_write_text(writer, "verdict", foreign_verdict_name(attempt->verdict));
    admin_write_text(writer, "outcome", outcome_name(attempt));
    admin_write_int64(writer, "api_status", attempt->api_status);
    admin_write_text(writer, "api_answer", attempt->api_answer);
    jwrite_key(writer, TEXT("answered_at"));
    if (attempt->answered_at_us == 0)
        jwrite_null(writer);
    else {
        char bytes[64];
        struct text_buffer text;
        text_buffer_init(&text, bytes, sizeof(bytes));
        clock_append_time(&text, attempt->answered_at_us);
        jwrite_text(writer, text_buffer_text(&text));
    }
    jwrite_object_end(writer);
}

static void on_write_attempt(void *context, const struct foreign_attempt *attempt)
{
    struct report_task *task = context;
    task->at++;
    write_attempt(&task->writer, attempt, task->tenant.currency.exponent);
}

static void on_write_reward(void *context, const struct reward *reward)
{
    struct report_task *task = context;
    struct jwrite *writer = &task->writer;
    if (reward->effect != REWARD_PAY)
        return;
    jwrite_object_begin(writer);
    admin_write_int64(writer, "id", reward->id);
    admin_write_text(writer, "title", reward->title);
    admin_write_int64(writer, "points", reward->points);
    admin_write_amount(writer, TEXT("amount"), reward->amount_minor,
                       task->tenant.currency.exponent);
    admin_write_text(writer, "status", reward->is_active ? "active" : "disabled");
    jwrite_object_end(writer);
}

static void write_head(struct report_task *task)
{
    struct jwrite *writer = &task->writer;
    const struct foreign_approval *approval = &task->tenant.approval;
    admin_write_int64(writer, "tenant", task->tenant.id);
    admin_write_text(writer, "name", task->tenant.name);
    admin_write_text(writer, "currency", task->tenant.currency.code);
    admin_write_text(writer, "timezone", task->tenant.zone);
    admin_write_int64(writer, "oseries_company", task->tenant.oseries_company);
    admin_write_text(writer, "client_id", task->client_id);
    admin_write_time(writer, "made_at", task->now_us);
    admin_write_date(writer, "from", task->from);
    admin_write_date(writer, "until", task->until);
    admin_write_text(writer, "payment_booked_by",
                     task->tenant.payment_is_ours ? "counterpart" : "register");
    jwrite_key(writer, TEXT("approval"));
    admin_write_approval(writer, approval, task->tenant.currency.exponent);
    admin_write_text(writer, "reference", task->last.reference);
    jwrite_key(writer, TEXT("is_expired"));
    jwrite_bool(writer, approval->expires_on != 0 && task->today > approval->expires_on);
    jwrite_key(writer, TEXT("is_suspended"));
    jwrite_bool(writer, approval->is_suspended);
}

/* The API refuses although an approval is recorded: the state stays, and this is shown with it. */
static int write_refusal(struct report_task *task, struct store *store)
{
    struct foreign_attempt attempt;
    int err = store_read_foreign_refusal(store, task->tenant.id, &attempt);
    jwrite_key(&task->writer, TEXT("refused_by_api"));
    if (err == 0)
        write_attempt(&task->writer, &attempt, task->tenant.currency.exponent);
    else
        jwrite_null(&task->writer);
    return err == ERR_NOT_FOUND ? 0 : err;
}

static int write_rewards(struct report_task *task, struct store *store)
{
    jwrite_key(&task->writer, TEXT("rewards"));
    jwrite_array_begin(&task->writer);
    int err = store_each_reward(store, task->tenant.id, on_write_reward, task);
    jwrite_array_end(&task->writer);
    return err;
}

static int write_history(struct report_task *task, struct store *store)
{
    task->at = 0;
    jwrite_key(&task->writer, TEXT("history"));
    jwrite_array_begin(&task->writer);
    int err = store_each_foreign_change(store, task->tenant.id, on_write_change, task);
    jwrite_array_end(&task->writer);
    return err;
}

static int write_days(struct report_task *task, struct store *store)
{
    jwrite_key(&task->writer, TEXT("totals"));
    jwrite_object_begin(&task->writer);
    write_sum_members(task, &task->total);
    jwrite_object_end(&task->writer);
    jwrite_key(&task->writer, TEXT("days"));
    jwrite_array_begin(&task->writer);
    int err = store_each_foreign_sum(store, task->tenant.id, task->from, task->until,
                                     REPORT_DAYS_MAX, on_write_sum, task);
    jwrite_array_end(&task->writer);
    return err;
}

static int write_attempts(struct report_task *task, struct store *store)
{
    task->at = 0;
    jwrite_key(&task->writer, TEXT("list"));
    jwrite_array_begin(&task->writer);
    int err = store_each_foreign_attempt(store, task->tenant.id, task->from, task->until,
                                         REPORT_ATTEMPTS_MAX, on_write_attempt, task);
    jwrite_array_end(&task->writer);
    admin_write_int64(&task->writer, "left_out", task->total.attempts - task->at);
    return err;
}

static int read_application(struct report_task *task, struct store *store)
{
    struct app app;
    int err = store_read_app(store, APP_OSERIES, &app);
    if (err == 0)
        memcpy(task->client_id, app.client_id, sizeof(task->client_id));
    seal_wipe(&app, sizeof(app));
    return err == ERR_NOT_FOUND ? 0 : err;
}

/* The tenant as the store has it: with the approval of this moment. */
static int report_read(struct report_task *task, struct store *store)
{
    int err = store_read_tenant(store, task->tenant.id, &task->tenant);
    if (err != 0)
        return err;
    seal_wipe(task->tenant.key, sizeof(task->tenant.key));
    seal_wipe(task->tenant.signature_token, sizeof(task->tenant.signature_token));
    seal_wipe(task->tenant.signature_token_previous, sizeof(task->tenant.signature_token_previous));
    err = read_application(task, store);
    if (err == 0)
        err = store_each_foreign_change(store, task->tenant.id, on_change, task);
    if (err == 0)
        err = store_each_foreign_sum(store, task->tenant.id, task->from, task->until, INT32_MAX,
                                     on_sum, task);
    return err;
}

static int report_write(struct report_task *task, struct store *store)
{
    text_buffer_init(&task->buffer, task->bytes, sizeof(task->bytes));
    jwrite_init(&task->writer, &task->buffer);
    jwrite_object_begin(&task->writer);
    write_head(task);
    int err = write_refusal(task, store);
    if (err == 0)
        err = write_rewards(task, store);
    if (err == 0)
        err = write_history(task, store);
    if (err == 0)
        err = write_days(task, store);
    if (err == 0)
        err = write_attempts(task, store);
    jwrite_object_end(&task->writer);
    return err;
}

static int task_report(struct job *job, struct store *store)
{
    struct report_task *task = (struct report_task *)(job + 1);
    int err = store_begin_read(store);
    if (err != 0)
        return err;
    err = report_read(task, store);
    if (err == 0)
        err = report_write(task, store);
    store_end_read(store);
    return err;
}

static void on_reported(struct exchange *exchange, const struct job *job)
{
    if (job->error != 0) {
        admin_refuse_error(exchange, job->error);
        return;
    }
    const struct report_task *task = (const struct report_task *)(job + 1);
    CHECK(!task->buffer.is_cut);
    exchange_reply_json(exchange, 200, text_buffer_text(&task->buffer));
}

void admin_foreign_report(struct exchange *exchange)
{
    static const char *const members[] = {"tenant", "from", "until", NULL};
    const struct directory_tenant *tenant = NULL;
    struct jread *body;
    int32_t from = 0, until = 0;
    if (!admin_read_body(exchange, members, &body))
        return;
    bool is_sound = admin_read_tenant(exchange, body, &tenant) &&
                    admin_read_date(exchange, body, "from", &from) &&
                    admin_read_date(exchange, body, "until", &until);
    jread_destroy(body);
    if (is_sound && from != 0 && until != 0 && from > until) {
        admin_refuse(exchange, 400, "bad_date", "'from' is after 'until'");
        is_sound = false;
    }
    if (!is_sound)
        return;
    struct job *job = exchange_job(exchange, sizeof(struct report_task));
    struct report_task *task = (struct report_task *)(job + 1);
    job->task = task_report;
    task->tenant.id = tenant->tenant.id;
    task->from = from;
    task->until = until;
    task->now_us = exchange->received_wall_us;
    task->today = clock_local_date(tenant->zone, exchange->received_wall_us);
    exchange_submit_read(exchange, job, on_reported);
}
