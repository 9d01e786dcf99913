/* Tells what registers and ledger say of one tenant, and each item by which they differ. */
#include "handlers/admin.h"

#include "handlers/admin_request.h"
#include "handlers/tell.h"
#include "store/grant.h"

#include <limits.h>

#include "base/banned.h"

#define ITEMS_DEFAULT 100
#define ITEMS_MAX 200
/* An item's sentences, site and reference, with bytes that may take six, and 980 more. */
#define ITEM_JSON_MAX (980 + 6 * (TENANT_NAME_MAX + 64 + WORK_REASON_MAX))
#define REPORT_MAX (ITEMS_MAX * ITEM_JSON_MAX + 6 * TENANT_NAME_MAX + 2048)

struct item {
    struct open_item open; /* facts and payment point into what follows */
    struct proof_facts facts;
    struct register_payment payment;
};

/* Where one side of a period was left open. */
#define DATE_FIRST 1
#define DATE_LAST INT32_MAX

struct asked {
    int64_t tenant_id;
    int32_t from, until; /* local dates; 0, 0: all */
    struct open_item_place after;
    int64_t limit;
};

struct reconcile_task {
    struct directory *directory;
    struct asked asked;
    struct teller teller; /* on the reader's thread only */
    int32_t count;
    struct item items[ITEMS_MAX];
    struct jwrite writer;
    struct text_buffer buffer;
    char bytes[REPORT_MAX];
};

/* --- items */

static void on_item(void *context, const struct open_item *open)
{
    struct reconcile_task *task = context;
    CHECK(task->count < ITEMS_MAX);
    struct item *item = &task->items[task->count++];
    item->open = *open;
    if (open->facts != NULL)
        item->facts = *open->facts;
    else
        item->payment = *open->payment;
    item->open.facts = open->facts == NULL ? NULL : &item->facts;
    item->open.payment = open->payment == NULL ? NULL : &item->payment;
}

/* "changed": it was confirmed or reversed, and that holds no more. */
static const char *item_state_name(const struct open_item *open)
{
    if (open->payment != NULL)
        return "unclaimed";
    if (open->reason == PROOF_REASON_CHANGED)
        return "changed";
    return proof_state_name(open->facts->proof.state);
}

static void write_reason(struct reconcile_task *task, const struct open_item *open)
{
    struct jwrite *writer = &task->writer;
    admin_write_text(writer, "state", item_state_name(open));
    admin_write_text(writer, "reason", proof_reason_name(open->reason));
    admin_write_text(writer, "sentence", proof_reason_sentence(open->reason));
    admin_write_amount(writer, TEXT("difference"), open->difference_minor,
                       task->teller.tenant->tenant.currency.exponent);
}

/* When its order is looked at next, and what the latest look ran into. */
static int write_next_look(struct reconcile_task *task, struct store *store,
                           const struct proof *proof)
{
    struct work work = work_make(task->asked.tenant_id, WORK_PROVE_ORDER, proof->order_id,
                                 proof->order_id, proof->created_at_us);
    int err = proof->order_id == 0 ? ERR_NOT_FOUND : store_find_work(store, &work);
    bool is_due = err == 0 && work.state == WORK_OPEN;
    if (err != 0 && err != ERR_NOT_FOUND)
        return err;
    tell_write_time(&task->writer, "next_look_at", is_due ? work.due_at_us : 0);
    admin_write_text(&task->writer, "look_reason", err == 0 ? work.reason : "");
    return 0;
}

static int write_operation(struct reconcile_task *task, struct store *store,
                           const struct proof_facts *facts)
{
    struct jwrite *writer = &task->writer;
    const struct proof *proof = &facts->proof;
    int exponent = task->teller.tenant->tenant.currency.exponent;
    admin_write_amount(writer, TEXT("amount"), facts->operation.amount_minor, exponent);
    admin_write_text(writer, "action", action_name(proof->action));
    admin_write_int64(writer, "operation_id", proof->operation_id);
    tell_write_reference(writer, &task->teller, proof->operation_id);
    admin_write_int64(writer, "order_id", proof->order_id);
    admin_write_text(writer, "card_last4", facts->last4);
    tell_write_place(writer, &task->teller, proof->site_id, proof->register_id);
    admin_write_time(writer, "at", proof->created_at_us);
    tell_write_date(writer, "date", proof->local_date);
    admin_write_time(writer, "since", proof->changed_at_us);
    tell_write_time(writer, "missing_since", proof->missing_since_us);
    jwrite_key(writer, TEXT("is_suspect"));
    jwrite_bool(writer, proof->is_suspect);
    admin_write_amount(writer, TEXT("reversed"), facts->reversed_minor, exponent);
    admin_write_amount(writer, TEXT("recharged"), facts->recharged_minor, exponent);
    return write_next_look(task, store, proof);
}

static void write_payment(struct reconcile_task *task, const struct register_payment *payment)
{
    struct jwrite *writer = &task->writer;
    int exponent = task->teller.tenant->tenant.currency.exponent;
    admin_write_amount(writer, TEXT("amount"), payment->amount_minor, exponent);
    admin_write_int64(writer, "order_id", payment->order_id);
    admin_write_int64(writer, "payment_number", payment->number);
    admin_write_text(writer, "ref", payment->ref);
    tell_write_place(writer, &task->teller, payment->site_id, payment->register_id);
    tell_write_date(writer, "date", payment->local_date);
    admin_write_time(writer, "since", payment->seen_at_us);
}

static int write_item(struct reconcile_task *task, struct store *store,
                      const struct open_item *open)
{
    int err = 0;
    jwrite_object_begin(&task->writer);
    write_reason(task, open);
    if (open->payment != NULL)
        write_payment(task, open->payment);
    else
        err = write_operation(task, store, open->facts);
    jwrite_object_end(&task->writer);
    return err;
}

/* "o:19875:12" or "p:19875:34:1": where the next page begins. */
static void write_next(struct reconcile_task *task)
{
    char bytes[96];
    struct text_buffer words;
    jwrite_key(&task->writer, TEXT("next"));
    if (task->count < task->asked.limit) {
        jwrite_null(&task->writer);
        return;
    }
    struct open_item_place place = open_item_place(&task->items[task->count - 1].open);
    text_buffer_init(&words, bytes, sizeof(bytes));
    if (place.is_payment)
        text_append_format(&words, "p:%d:%lld:%lld", (int)place.local_date,
                           (long long)place.order_id, (long long)place.number);
    else
        text_append_format(&words, "o:%d:%lld", (int)place.local_date,
                           (long long)place.operation_id);
    jwrite_text(&task->writer, text_buffer_text(&words));
}

static int write_items(struct reconcile_task *task, struct store *store)
{
    int err =
        store_each_open_item(store, task->asked.tenant_id, task->asked.from, task->asked.until,
                             &task->asked.after, (int32_t)task->asked.limit, on_item, task);
    write_next(task);
    jwrite_key(&task->writer, TEXT("items"));
    jwrite_array_begin(&task->writer);
    for (int32_t i = 0; err == 0 && i < task->count; i++)
        err = write_item(task, store, &task->items[i].open);
    jwrite_array_end(&task->writer);
    return err;
}

/* --- the tenant */

static const char *connection_name(enum grant_status status)
{
    switch (status) {
    case GRANT_CONNECTED:
        return "connected";
    case GRANT_RECONNECT_REQUIRED:
        return "reconnect_required";
    case GRANT_REVOKED:
        return "revoked";
    }
    return "unknown";
}

static int write_connection(struct reconcile_task *task, struct store *store)
{
    struct grant grant;
    int err = store_read_grant(store, task->asked.tenant_id, APP_OSERIES, &grant);
    if (err == 0)
        admin_write_text(&task->writer, "connection", connection_name(grant.status));
    else if (err == ERR_NOT_FOUND)
        admin_write_text(&task->writer, "connection", "none");
    seal_wipe(&grant, sizeof(grant));
    return err == ERR_NOT_FOUND ? 0 : err;
}

/* What no proof tells of yet. */
struct unproved {
    const struct reconcile_task *task;
    int64_t charges, refunds, top_ups;
    int64_t charged_minor, refunded_minor;
    int64_t ledger_minor;
    int64_t since_us; /* 0: there is none */
    bool is_too_large;
};

static int64_t unproved_count(const struct unproved *unproved)
{
    return unproved->charges + unproved->refunds + unproved->top_ups;
}

/* The day that its proof will have. */
static int32_t date_of(const struct reconcile_task *task, const struct operation *operation)
{
    const struct directory_tenant *tenant = task->teller.tenant;
    const struct directory_site *site =
        directory_find_site(task->teller.snapshot, tenant->tenant.id, operation->site_id);
    return clock_local_date(site == NULL ? tenant->zone : site->zone, operation->created_at_us);
}

static void on_unproved(void *context, const struct operation *operation, int64_t ledger_minor)
{
    struct unproved *unproved = context;
    const struct asked *asked = &unproved->task->asked;
    int32_t date = asked->from == 0 ? 0 : date_of(unproved->task, operation);
    if (asked->from != 0 && (date < asked->from || date > asked->until))
        return;
    int64_t *sum_minor = NULL;
    if (operation->action == ACTION_CHARGE) {
        unproved->charges++;
        sum_minor = &unproved->charged_minor;
    } else if (operation->action == ACTION_REFUND) {
        unproved->refunds++;
        sum_minor = &unproved->refunded_minor;
    } else {
        unproved->top_ups++;
    }
    if (sum_minor != NULL)
        unproved->is_too_large |= !money_add(*sum_minor, operation->amount_minor, sum_minor);
    unproved->is_too_large |=
        !money_add(unproved->ledger_minor, ledger_minor, &unproved->ledger_minor);
    if (unproved->since_us == 0 || operation->created_at_us < unproved->since_us)
        unproved->since_us = operation->created_at_us;
}

static void write_unproved(struct reconcile_task *task, const struct unproved *unproved)
{
    struct jwrite *writer = &task->writer;
    int exponent = task->teller.tenant->tenant.currency.exponent;
    jwrite_key(writer, TEXT("not_looked_at"));
    jwrite_object_begin(writer);
    admin_write_int64(writer, "operations", unproved_count(unproved));
    admin_write_int64(writer, "charges", unproved->charges);
    admin_write_amount(writer, TEXT("charged"), unproved->charged_minor, exponent);
    admin_write_int64(writer, "refunds", unproved->refunds);
    admin_write_amount(writer, TEXT("refunded"), unproved->refunded_minor, exponent);
    admin_write_int64(writer, "top_ups", unproved->top_ups);
    admin_write_amount(writer, TEXT("difference"), -unproved->ledger_minor, exponent);
    tell_write_time(writer, "since", unproved->since_us);
    jwrite_object_end(writer);
}

static int write_totals(struct reconcile_task *task, struct store *store)
{
    struct jwrite *writer = &task->writer;
    int exponent = task->teller.tenant->tenant.currency.exponent;
    struct proof_totals totals;
    struct unproved unproved = {.task = task};
    struct sweep sweep;
    int64_t difference_minor;
    int err = store_read_proof_totals(store, task->asked.tenant_id, task->asked.from,
                                      task->asked.until, &totals);
    if (err == 0)
        err = store_each_unproved(store, task->asked.tenant_id, on_unproved, &unproved);
    if (err == 0)
        err = store_read_sweep(store, task->asked.tenant_id, &sweep);
    if (err != 0)
        return err;
    totals.operations += unproved_count(&unproved);
    if (unproved.is_too_large ||
        !money_add(totals.ledger_minor, unproved.ledger_minor, &totals.ledger_minor))
        return ERR_TOO_LARGE;
    if (!money_add(totals.register_minor, -totals.ledger_minor, &difference_minor))
        return ERR_TOO_LARGE;
    admin_write_amount(writer, TEXT("register_total"), totals.register_minor, exponent);
    admin_write_amount(writer, TEXT("ledger_total"), totals.ledger_minor, exponent);
    admin_write_amount(writer, TEXT("difference"), difference_minor, exponent);
    admin_write_int64(writer, "operations", totals.operations);
    admin_write_int64(writer, "confirmed", totals.confirmed);
    admin_write_int64(writer, "reversed", totals.reversed);
    admin_write_int64(writer, "open", totals.open);
    admin_write_int64(writer, "listed", totals.listed);
    admin_write_int64(writer, "changed", totals.changed);
    admin_write_int64(writer, "unclaimed_payments", totals.strays);
    write_unproved(task, &unproved);
    tell_write_time(writer, "swept_at", sweep.finished_at_us);
    return 0;
}

static int write_report(struct reconcile_task *task, struct store *store)
{
    struct jwrite *writer = &task->writer;
    const struct tenant *tenant = &task->teller.tenant->tenant;
    text_buffer_init(&task->buffer, task->bytes, sizeof(task->bytes));
    jwrite_init(writer, &task->buffer);
    jwrite_object_begin(writer);
    admin_write_int64(writer, "tenant", tenant->id);
    admin_write_text(writer, "name", tenant->name);
    admin_write_text(writer, "currency", tenant->currency.code);
    admin_write_text(writer, "timezone", tenant->zone);
    tell_write_date(writer, "from", task->asked.from == DATE_FIRST ? 0 : task->asked.from);
    tell_write_date(writer, "until", task->asked.until == DATE_LAST ? 0 : task->asked.until);
    admin_write_time(writer, "read_at", clock_wall_us());
    int err = write_connection(task, store);
    if (err == 0)
        err = write_totals(task, store);
    if (err == 0)
        err = write_items(task, store);
    jwrite_object_end(writer);
    return err;
}

/* Sums and items of one moment, or they would not add up while registers are at work. */
static int task_reconcile(struct job *job, struct store *store)
{
    struct reconcile_task *task = (struct reconcile_task *)(job + 1);
    int err = store_begin_read(store);
    if (err != 0)
        return err;
    task->teller.snapshot = directory_acquire(task->directory);
    task->teller.tenant = directory_find_id(task->teller.snapshot, task->asked.tenant_id);
    err = task->teller.tenant == NULL ? ERR_NOT_FOUND : write_report(task, store);
    directory_release(task->teller.snapshot);
    store_end_read(store);
    return err;
}

static void on_reconciled(struct exchange *exchange, const struct job *job)
{
    if (job->error != 0) {
        admin_refuse_error(exchange, job->error);
        return;
    }
    const struct reconcile_task *task = (const struct reconcile_task *)(job + 1);
    CHECK(!task->buffer.is_cut);
    exchange_reply_json(exchange, 200, text_buffer_text(&task->buffer));
}

/* --- the request */

/* "tenant", or of those after "after_tenant" the first: for who wants all of them. */
static bool read_tenant(struct exchange *exchange, const struct jread *body, int64_t *tenant_id)
{
    const struct directory_tenant *tenant = NULL;
    int64_t after;
    if (jread_member(body, "after_tenant") == NULL) {
        bool is_known = admin_read_tenant(exchange, body, &tenant);
        if (is_known)
            *tenant_id = tenant->tenant.id;
        return is_known;
    }
    if (!admin_read_int64(exchange, body, "after_tenant", 0, INT64_MAX, &after))
        return false;
    *tenant_id = INT64_MAX;
    for (size_t i = 0; i < directory_tenant_count(exchange->snapshot); i++) {
        int64_t id = directory_tenant_at(exchange->snapshot, i)->tenant.id;
        if (id > after && id < *tenant_id)
            *tenant_id = id;
    }
    if (*tenant_id != INT64_MAX)
        return true;
    admin_refuse(exchange, 404, "no_more_tenants", "There is no further tenant");
    return false;
}

/* One side alone is open towards the other. */
static bool read_days(struct exchange *exchange, const struct jread *body, struct asked *asked)
{
    int32_t day;
    if (!admin_read_date(exchange, body, "day", &day) ||
        !admin_read_date(exchange, body, "from", &asked->from) ||
        !admin_read_date(exchange, body, "until", &asked->until))
        return false;
    if (day != 0 && (asked->from != 0 || asked->until != 0)) {
        admin_refuse(exchange, 400, "bad_date", "Either 'day', or 'from' and 'until'");
        return false;
    }
    if (day != 0)
        asked->from = asked->until = day;
    if (asked->from == 0 && asked->until != 0)
        asked->from = DATE_FIRST;
    if (asked->from != 0 && asked->until == 0)
        asked->until = DATE_LAST;
    if (asked->from <= asked->until)
        return true;
    admin_refuse(exchange, 400, "bad_date", "'from' is after 'until'");
    return false;
}

/* The number up to the next colon, off the front. */
static bool take_number(struct text *rest, int64_t *number)
{
    size_t length = 0;
    while (length < rest->length && rest->base[length] != ':')
        length++;
    bool is_sound = text_parse_int64(text_slice(*rest, 0, length), number) == 0;
    *rest = text_slice(*rest, length + (length < rest->length), rest->length);
    return is_sound;
}

static bool parse_place(struct text text, struct open_item_place *place)
{
    int64_t date;
    struct text rest = text_slice(text, 2, text.length);
    place->is_payment = text_starts_with(text, TEXT("p:"));
    if (!place->is_payment && !text_starts_with(text, TEXT("o:")))
        return false;
    if (!take_number(&rest, &date) || date < INT32_MIN || date > INT32_MAX)
        return false;
    place->local_date = (int32_t)date;
    if (!place->is_payment)
        return take_number(&rest, &place->operation_id) && place->operation_id > 0 &&
               rest.length == 0;
    return take_number(&rest, &place->order_id) && take_number(&rest, &place->number) &&
           rest.length == 0;
}

static bool read_page(struct exchange *exchange, const struct jread *body, struct asked *asked)
{
    struct text after;
    asked->limit = ITEMS_DEFAULT;
    if (jread_member(body, "limit") != NULL &&
        !admin_read_int64(exchange, body, "limit", 1, ITEMS_MAX, &asked->limit))
        return false;
    if (!admin_read_text(exchange, body, "after", false, &after))
        return false;
    if (after.length == 0 || parse_place(after, &asked->after))
        return true;
    admin_refuse(exchange, 400, "bad_place", "'after' must be the 'next' of an earlier answer");
    return false;
}

void admin_reconcile(struct exchange *exchange)
{
    static const char *const members[] = {"tenant", "after_tenant", "day",   "from",
                                          "until",  "after",        "limit", NULL};
    struct jread *body;
    struct asked asked = {0};
    if (!admin_read_body(exchange, members, &body))
        return;
    bool is_sound = read_tenant(exchange, body, &asked.tenant_id) &&
                    read_days(exchange, body, &asked) && read_page(exchange, body, &asked);
    jread_destroy(body);
    if (!is_sound)
        return;
    struct job *job = exchange_job(exchange, sizeof(struct reconcile_task));
    struct reconcile_task *task = (struct reconcile_task *)(job + 1);
    task->directory = exchange->handlers->directory;
    task->teller.generation = exchange->handlers->generation;
    task->asked = asked;
    job->task = task_reconcile;
    job->is_long = true;
    exchange_submit_read(exchange, job, on_reconciled);
}
