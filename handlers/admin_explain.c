/* Tells why a card's balance is what it is, operation by operation, and what became of one. */
#include "handlers/admin.h"

#include "handlers/admin_request.h"
#include "handlers/card_number.h"
#include "handlers/tell.h"
#include "lightspeed/booking.h"

#include "base/banned.h"

#define PAGE_DEFAULT 50
#define PAGE_MAX 100
/* A refund answers several charges; a release, several loads. */
#define ENTRIES_MAX (4 * PAGE_MAX)
#define ANSWERS_MAX 64
#define WORK_LOOKED_AT 200
#define WORK_MAX 16
/* An operation with two sentences, a site's name twice, and 1280 more; a transfer; a piece of work
 * with its reason: with bytes that may take six where they are not ours. */
#define OPERATION_JSON_MAX (1280 + 2 * TELL_SENTENCE_MAX + 12 * TENANT_NAME_MAX)
#define TRANSFER_JSON_MAX 320
#define WORK_JSON_MAX (300 + 6 * WORK_REASON_MAX)
#define EXPLANATION_MAX                                                                            \
    (PAGE_MAX * OPERATION_JSON_MAX + ENTRIES_MAX * TRANSFER_JSON_MAX + WORK_MAX * WORK_JSON_MAX +  \
     4096)

struct explain_task {
    struct directory *directory;
    int64_t tenant_id;
    uint8_t index[CARD_INDEX_BYTES]; /* explain a card */
    int64_t before, limit;
    int64_t operation_id; /* explain an operation */
    struct teller teller; /* on the reader's thread only */
    bool is_full;         /* more entries than there is room for */
    int32_t count;
    struct entry entries[ENTRIES_MAX];
    int32_t answer_count;
    struct operation answers[ANSWERS_MAX];
    int32_t work_count;
    struct work work[WORK_MAX];
    struct jwrite writer;
    struct text_buffer buffer;
    char bytes[EXPLANATION_MAX];
};

/* --- what both have */

static void write_head(struct explain_task *task, const struct card *card)
{
    struct jwrite *writer = &task->writer;
    const struct tenant *tenant = &task->teller.tenant->tenant;
    admin_write_int64(writer, "tenant", tenant->id);
    admin_write_text(writer, "name", tenant->name);
    admin_write_text(writer, "currency", tenant->currency.code);
    admin_write_text(writer, "timezone", tenant->zone);
    jwrite_key(writer, TEXT("card"));
    jwrite_object_begin(writer);
    admin_write_int64(writer, "card_id", card->id);
    admin_write_text(writer, "last4", card->last4);
    admin_write_amount(writer, TEXT("balance"), card->balance_minor, tenant->currency.exponent);
    admin_write_text(writer, "status", tell_status_name(card->status));
    tell_write_date(writer, "valid_from", card->valid_from);
    tell_write_date(writer, "expires_on", card->expires_on);
    jwrite_object_end(writer);
}

static bool has_proof(const struct operation *operation)
{
    return operation->result == RESULT_OK &&
           (operation->action == ACTION_CHARGE || operation->action == ACTION_REFUND ||
            operation->action == ACTION_TOP_UP || operation->action == ACTION_HOLD_LOAD);
}

static int write_proof_of(struct explain_task *task, struct store *store,
                          const struct operation *operation)
{
    struct proof_facts facts;
    int err = has_proof(operation) ? store_read_proof(store, operation->id, &facts) : ERR_NOT_FOUND;
    if (err != 0 && err != ERR_NOT_FOUND)
        return err;
    tell_write_proof(&task->writer, err == 0 ? &facts.proof : NULL);
    return 0;
}

static void on_entry(void *context, const struct entry *entry)
{
    struct explain_task *task = context;
    if (task->count == ENTRIES_MAX)
        task->is_full = true;
    else
        task->entries[task->count++] = *entry;
}

static int run_in_one_moment(struct explain_task *task, struct store *store,
                             int (*write)(struct explain_task *task, struct store *store))
{
    int err = store_begin_read(store);
    if (err != 0)
        return err;
    text_buffer_init(&task->buffer, task->bytes, sizeof(task->bytes));
    jwrite_init(&task->writer, &task->buffer);
    task->teller.snapshot = directory_acquire(task->directory);
    task->teller.tenant = directory_find_id(task->teller.snapshot, task->tenant_id);
    err = task->teller.tenant == NULL ? ERR_NOT_FOUND : write(task, store);
    directory_release(task->teller.snapshot);
    store_end_read(store);
    return err;
}

static void reply(struct exchange *exchange, const struct job *job, const char *unknown_code,
                  const char *unknown)
{
    const struct explain_task *task = (const struct explain_task *)(job + 1);
    if (job->error == ERR_NOT_FOUND)
        admin_refuse(exchange, 404, unknown_code, "%s", unknown);
    else if (job->error != 0)
        admin_refuse_error(exchange, job->error);
    else if (task->is_full || task->buffer.is_cut)
        admin_refuse(exchange, 400, "too_large",
                     "That is more than one answer holds; ask for a smaller 'limit'");
    else
        exchange_reply_json(exchange, 200, text_buffer_text(&task->buffer));
}

/* --- a card: its operations in the order in which they came */

/* The entries of one operation, which stand together; at is one behind them. Returns where they
 * begin. */
static int32_t group_begin(const struct explain_task *task, int32_t at)
{
    int64_t id = task->entries[at - 1].operation.id;
    while (at > 0 && task->entries[at - 1].operation.id == id)
        at--;
    return at;
}

/* The store gives them newest first. */
static void write_transfers(struct explain_task *task, int32_t from, int32_t until)
{
    int exponent = task->teller.tenant->tenant.currency.exponent;
    jwrite_key(&task->writer, TEXT("transfers"));
    jwrite_array_begin(&task->writer);
    for (int32_t i = until - 1; i >= from; i--)
        if (task->entries[i].transfer.id != 0)
            tell_write_transfer(&task->writer, &task->entries[i].transfer, exponent);
    jwrite_array_end(&task->writer);
}

static int write_entries(struct explain_task *task, struct store *store)
{
    int err = 0;
    int32_t from = 0;
    for (int32_t until = task->count; err == 0 && until > 0; until = from) {
        from = group_begin(task, until);
        const struct operation *operation = &task->entries[from].operation;
        jwrite_object_begin(&task->writer);
        tell_write_operation(&task->writer, &task->teller, operation);
        err = write_proof_of(task, store, operation);
        write_transfers(task, from, until);
        jwrite_object_end(&task->writer);
    }
    return err;
}

/* What the card had before the first of these, and where the ones before them end. */
static void write_brought_forward(struct explain_task *task)
{
    int64_t forward_minor = 0, previous = 0;
    if (task->count > 0) {
        const struct operation *oldest = &task->entries[task->count - 1].operation;
        forward_minor = oldest->balance_minor_after - tell_moved_minor(oldest);
        previous = oldest->previous_operation_id == 0 ? 0 : oldest->id;
    }
    admin_write_amount(&task->writer, TEXT("brought_forward"), forward_minor,
                       task->teller.tenant->tenant.currency.exponent);
    jwrite_key(&task->writer, TEXT("previous"));
    if (previous == 0)
        jwrite_null(&task->writer);
    else
        jwrite_int64(&task->writer, previous);
}

static int write_card(struct explain_task *task, struct store *store)
{
    struct card card;
    int err = store_read_card(store, task->tenant_id, task->index, &card);
    if (err == 0)
        err = store_each_entry(store, card.id, task->before, (int32_t)task->limit, on_entry, task);
    if (err != 0)
        return err;
    jwrite_object_begin(&task->writer);
    write_head(task, &card);
    write_brought_forward(task);
    jwrite_key(&task->writer, TEXT("entries"));
    jwrite_array_begin(&task->writer);
    err = write_entries(task, store);
    jwrite_array_end(&task->writer);
    jwrite_object_end(&task->writer);
    return err;
}

static int task_card(struct job *job, struct store *store)
{
    return run_in_one_moment((struct explain_task *)(job + 1), store, write_card);
}

static void on_card(struct exchange *exchange, const struct job *job)
{
    reply(exchange, job, "unknown_card", "There is no card with that number");
}

/* --- an operation: what it was, what it answers, what answers it, its proof, its work */

/* What is known of its time, in order. */
enum event_kind {
    EVENT_OPERATION,
    EVENT_CONFIRMED, /* before; it is so no more */
    EVENT_MISSING,
    EVENT_PROOF,
};
struct event {
    int64_t at_us;
    enum event_kind kind;
    const struct operation *operation; /* EVENT_OPERATION */
};
#define EVENTS_MAX (ANSWERS_MAX + 4)

static void add_event(struct event *events, int32_t *count, struct event event)
{
    int32_t at = (*count)++;
    CHECK(at < EVENTS_MAX);
    for (; at > 0 && events[at - 1].at_us > event.at_us; at--)
        events[at] = events[at - 1];
    events[at] = event;
}

static void write_event(struct explain_task *task, const struct event *event,
                        const struct proof *proof)
{
    struct jwrite *writer = &task->writer;
    char bytes[TELL_SENTENCE_MAX];
    struct text_buffer sentence;
    text_buffer_init(&sentence, bytes, sizeof(bytes));
    if (event->kind == EVENT_OPERATION)
        tell_of(&task->teller, event->operation, &sentence);
    else if (event->kind == EVENT_CONFIRMED)
        tell_lost_proof(&sentence, proof);
    else if (event->kind == EVENT_MISSING)
        text_append_format(&sentence, "Order %lld was first read without it",
                           (long long)proof->order_id);
    else
        tell_proof(&sentence, proof);
    jwrite_object_begin(writer);
    admin_write_time(writer, "at", event->at_us);
    admin_write_int64(writer, "operation_id",
                      event->kind == EVENT_OPERATION ? event->operation->id : 0);
    jwrite_key(writer, TEXT("sentence"));
    jwrite_text(writer, text_buffer_text(&sentence));
    jwrite_object_end(writer);
}

static void write_history(struct explain_task *task, const struct operation *operation,
                          const struct proof *proof)
{
    struct event events[EVENTS_MAX];
    int32_t count = 0;
    add_event(events, &count, (struct event){operation->created_at_us, EVENT_OPERATION, operation});
    for (int32_t i = 0; i < task->answer_count; i++)
        add_event(
            events, &count,
            (struct event){task->answers[i].created_at_us, EVENT_OPERATION, &task->answers[i]});
    if (proof != NULL && proof->was_confirmed_at_us != 0)
        add_event(events, &count,
                  (struct event){proof->was_confirmed_at_us, EVENT_CONFIRMED, NULL});
    if (proof != NULL && proof->missing_since_us != 0)
        add_event(events, &count, (struct event){proof->missing_since_us, EVENT_MISSING, NULL});
    if (proof != NULL)
        add_event(events, &count, (struct event){proof->changed_at_us, EVENT_PROOF, NULL});
    jwrite_key(&task->writer, TEXT("history"));
    jwrite_array_begin(&task->writer);
    for (int32_t i = 0; i < count; i++)
        write_event(task, &events[i], proof);
    jwrite_array_end(&task->writer);
}

/* A proof is one row, which each look writes anew. */
static void write_history_note(struct explain_task *task, const struct proof *proof)
{
    jwrite_key(&task->writer, TEXT("history_note"));
    if (proof == NULL)
        jwrite_null(&task->writer);
    else
        jwrite_text(&task->writer,
                    TEXT("Of what the register showed, the latest finding is kept, and the latest "
                         "confirmation before it: earlier ones are not here"));
}

static void on_answer(void *context, const struct operation *operation)
{
    struct explain_task *task = context;
    if (task->answer_count == ANSWERS_MAX)
        task->is_full = true;
    else
        task->answers[task->answer_count++] = *operation;
}

static void on_transfer(void *context, const struct transfer *transfer)
{
    on_entry(context, &(struct entry){.transfer = *transfer});
}

/* The operation that this one answers; null for none. */
static int write_answered(struct explain_task *task, struct store *store,
                          const struct operation *operation)
{
    struct operation answered;
    jwrite_key(&task->writer, TEXT("answers_operation"));
    if (operation->answers_operation_id == 0) {
        jwrite_null(&task->writer);
        return 0;
    }
    int err = store_read_operation(store, operation->answers_operation_id, &answered);
    if (err != 0)
        return err == ERR_NOT_FOUND ? ERR_STORE_CORRUPT : err;
    jwrite_object_begin(&task->writer);
    tell_write_operation(&task->writer, &task->teller, &answered);
    jwrite_object_end(&task->writer);
    return 0;
}

static int write_answers(struct explain_task *task, struct store *store,
                         const struct operation *operation)
{
    int err = store_each_answer(store, operation->id, on_answer, task);
    jwrite_key(&task->writer, TEXT("answers"));
    jwrite_array_begin(&task->writer);
    for (int32_t i = task->answer_count - 1; i >= 0; i--) {
        jwrite_object_begin(&task->writer);
        tell_write_operation(&task->writer, &task->teller, &task->answers[i]);
        jwrite_object_end(&task->writer);
    }
    jwrite_array_end(&task->writer);
    return err;
}

static void write_replay(struct explain_task *task, const struct operation *operation)
{
    char bytes[TELL_SENTENCE_MAX];
    struct text_buffer sentence;
    text_buffer_init(&sentence, bytes, sizeof(bytes));
    tell_replay(&sentence, operation, &task->teller.tenant->tenant.policy, clock_steady_us());
    jwrite_key(&task->writer, TEXT("replay"));
    jwrite_text(&task->writer, text_buffer_text(&sentence));
}

/* --- its work */

static void add_work(struct explain_task *task, const struct work *work)
{
    if (task->work_count < WORK_MAX)
        task->work[task->work_count++] = *work;
}

static int find_work(struct explain_task *task, struct store *store, enum work_kind kind,
                     int64_t subject_id)
{
    struct work work = work_make(task->tenant_id, kind, subject_id, subject_id, 0);
    int err = store_find_work(store, &work);
    if (err == 0)
        add_work(task, &work);
    return err == ERR_NOT_FOUND ? 0 : err;
}

struct order_work {
    struct explain_task *task;
    int64_t order_id;
};

static void on_work(void *context, const struct work *work)
{
    struct order_work *wanted = context;
    if (work->kind == WORK_ORDER_CHANGED && work->subject_id == wanted->order_id)
        add_work(wanted->task, work);
}

/* A webhook's work has its own identity, so it is searched for among the newest. */
static int write_work(struct explain_task *task, struct store *store,
                      const struct operation *operation)
{
    struct order_work wanted = {task, operation->order_id};
    int err = find_work(task, store, WORK_POST_PAYMENT, operation->id);
    if (err == 0)
        err = find_work(task, store, WORK_NOTIFY, operation->id);
    if (err == 0 && operation->order_id != 0)
        err = find_work(task, store, WORK_PROVE_ORDER, operation->order_id);
    if (err == 0 && operation->order_id != 0)
        err = store_each_work(store, task->tenant_id, WORK_LOOKED_AT, on_work, &wanted);
    jwrite_key(&task->writer, TEXT("work"));
    jwrite_array_begin(&task->writer);
    for (int32_t i = 0; i < task->work_count; i++)
        tell_write_work(&task->writer, &task->work[i]);
    jwrite_array_end(&task->writer);
    return err;
}

static int write_operation_itself(struct explain_task *task, struct store *store,
                                  const struct operation *operation, const struct proof *proof)
{
    struct jwrite *writer = &task->writer;
    jwrite_key(writer, TEXT("operation"));
    jwrite_object_begin(writer);
    tell_write_operation(writer, &task->teller, operation);
    tell_write_proof(writer, proof);
    int err = store_each_operation_transfer(store, operation->id, on_transfer, task);
    write_transfers(task, 0, task->count);
    jwrite_object_end(writer);
    return err;
}

static int write_story(struct explain_task *task, struct store *store,
                       const struct operation *operation, const struct proof *proof)
{
    int err = write_operation_itself(task, store, operation, proof);
    if (err == 0)
        err = write_answered(task, store, operation);
    if (err == 0)
        err = write_answers(task, store, operation);
    if (err != 0)
        return err;
    write_replay(task, operation);
    write_history(task, operation, proof);
    write_history_note(task, proof);
    return write_work(task, store, operation);
}

static int write_operation(struct explain_task *task, struct store *store)
{
    struct operation operation;
    struct card card;
    struct proof_facts facts;
    int err = store_read_operation(store, task->operation_id, &operation);
    if (err == 0 && (operation.tenant_id != task->tenant_id || operation.action == ACTION_VOID))
        err = ERR_NOT_FOUND;
    if (err == 0)
        err = store_read_card_by_id(store, operation.card_id, &card);
    if (err != 0)
        return err;
    err = has_proof(&operation) ? store_read_proof(store, operation.id, &facts) : ERR_NOT_FOUND;
    if (err != 0 && err != ERR_NOT_FOUND)
        return err;
    jwrite_object_begin(&task->writer);
    write_head(task, &card);
    err = write_story(task, store, &operation, err == 0 ? &facts.proof : NULL);
    jwrite_object_end(&task->writer);
    return err;
}

static int task_operation(struct job *job, struct store *store)
{
    return run_in_one_moment((struct explain_task *)(job + 1), store, write_operation);
}

static void on_operation(struct exchange *exchange, const struct job *job)
{
    reply(exchange, job, "unknown_operation", "This tenant has no such operation");
}

/* --- the request: a card or an operation */

struct asked {
    int64_t tenant_id;
    char number[CARD_NUMBER_MAX + 1]; /* empty: an operation */
    int64_t operation_id;
    int64_t before, limit;
};

static bool read_card(struct exchange *exchange, const struct jread *body, struct asked *asked)
{
    struct text typed;
    asked->limit = PAGE_DEFAULT;
    if (!admin_read_text(exchange, body, "card", true, &typed))
        return false;
    if (!card_number_normalise(typed, asked->number)) {
        admin_refuse(exchange, 400, "bad_number",
                     "'card' must be %d to %d letters and digits; spaces and dashes do not count",
                     CARD_NUMBER_MIN, CARD_NUMBER_MAX);
        return false;
    }
    if (jread_member(body, "limit") != NULL &&
        !admin_read_int64(exchange, body, "limit", 1, PAGE_MAX, &asked->limit))
        return false;
    return jread_member(body, "before") == NULL ||
           admin_read_int64(exchange, body, "before", 1, INT64_MAX, &asked->before);
}

/* Its number, or the reference that the register and the receipt have: "CP1-8". */
static bool read_operation_id(struct exchange *exchange, const struct jread *body, int64_t *id)
{
    char ref[ORDER_REF_MAX + 1];
    int64_t generation;
    struct text words;
    if (jread_text(jread_member(body, "operation"), &words) != 0 ||
        !text_starts_with(words, TEXT("CP")))
        return admin_read_int64(exchange, body, "operation", 1, INT64_MAX, id);
    struct text_buffer buffer;
    text_buffer_init(&buffer, ref, sizeof(ref));
    text_append(&buffer, words);
    if (!buffer.is_cut && payment_ref_read(ref, &generation, id) == 0 &&
        generation == exchange->handlers->generation)
        return true;
    admin_refuse(exchange, 400, "bad_reference",
                 "'operation' is no reference of ours; such as CP%lld-8, or the number alone",
                 (long long)exchange->handlers->generation);
    return false;
}

static bool read_operation(struct exchange *exchange, const struct jread *body, struct asked *asked)
{
    if (jread_member(body, "card") == NULL && jread_member(body, "before") == NULL &&
        jread_member(body, "limit") == NULL)
        return read_operation_id(exchange, body, &asked->operation_id);
    admin_refuse(exchange, 400, "bad_request",
                 "Either 'card', with 'before' and 'limit', or 'operation'");
    return false;
}

static bool read_asked(struct exchange *exchange, const struct jread *body, struct asked *asked)
{
    const struct directory_tenant *tenant;
    if (!admin_read_tenant(exchange, body, &tenant))
        return false;
    asked->tenant_id = tenant->tenant.id;
    if (jread_member(body, "operation") != NULL)
        return read_operation(exchange, body, asked);
    if (jread_member(body, "card") != NULL)
        return read_card(exchange, body, asked);
    admin_refuse(exchange, 400, error_name(ERR_MISSING), "Say which: 'card' or 'operation'");
    return false;
}

static void explain(struct exchange *exchange, const struct asked *asked)
{
    struct job *job = exchange_job(exchange, sizeof(struct explain_task));
    struct explain_task *task = (struct explain_task *)(job + 1);
    task->directory = exchange->handlers->directory;
    task->teller.generation = exchange->handlers->generation;
    task->tenant_id = asked->tenant_id;
    task->operation_id = asked->operation_id;
    task->before = asked->before;
    task->limit = asked->limit;
    job->is_long = true;
    if (asked->operation_id != 0) {
        job->task = task_operation;
        exchange_submit_read(exchange, job, on_operation);
        return;
    }
    job->task = task_card;
    seal_card_index(exchange->handlers->seal, task->tenant_id, text_of(asked->number), task->index);
    exchange_submit_read(exchange, job, on_card);
}

void admin_explain(struct exchange *exchange)
{
    static const char *const members[] = {"tenant", "card", "operation", "before", "limit", NULL};
    struct jread *body;
    struct asked asked = {0};
    if (!admin_read_body(exchange, members, &body))
        return;
    bool is_sound = read_asked(exchange, body, &asked);
    jread_destroy(body);
    if (is_sound)
        explain(exchange, &asked);
    seal_wipe(asked.number, sizeof(asked.number));
}
