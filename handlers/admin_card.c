/* Issues, shows and switches cards for the merchant. */
#include "handlers/admin.h"

#include "handlers/admin_request.h"
#include "handlers/card_number.h"
#include "handlers/tell.h"

#include <string.h>

#include "base/banned.h"

#define PIN_MIN 4      /* a till takes shorter ones; none is issued */
#define ISSUE_MAX 1000 /* two full batches; a quarter of the committer's queue */
#define ISSUE_ATTEMPTS                                                                             \
    5                     /* generated numbers have at least 5 random digits: collisions are rare  \
                           */
#define CARD_JSON_MAX 512 /* one issued card */
#define ENTRIES_DEFAULT 50
#define ENTRIES_MAX 200
/* 200 operations of some 400 bytes with a transfer of 250 each; refunds may have more. */
#define SHOW_MAX (256 * 1024)

static bool read_number(struct exchange *exchange, const struct jread *body, bool is_wanted,
                        char number[CARD_NUMBER_MAX + 1])
{
    struct text typed;
    number[0] = '\0';
    if (!admin_read_text(exchange, body, "number", is_wanted, &typed))
        return false;
    if (typed.length == 0 && !is_wanted)
        return true;
    if (card_number_normalise(typed, number))
        return true;
    admin_refuse(exchange, 400, "bad_number",
                 "'number' must be %d to %d letters and digits; spaces and dashes do not count",
                 CARD_NUMBER_MIN, CARD_NUMBER_MAX);
    return false;
}

/* --- issue */

struct issue_card {
    char number[CARD_NUMBER_MAX + 1];
    uint8_t index[CARD_INDEX_BYTES];
    int attempts;
    int error;
    struct outcome outcome;
};

struct issue {
    const struct directory_tenant *tenant;
    struct command command; /* all but number, index, PIN hash and last four */
    char pin[CARD_PIN_MAX + 1];
    char given[CARD_NUMBER_MAX + 1]; /* empty: generate */
    bool is_list;                    /* --count was given */
    int64_t count, ended;
    struct issue_card *cards; /* NULL: none asked for yet */
};

static void on_issue_dispose(void *bytes)
{
    struct issue *issue = *(struct issue **)bytes;
    if (issue->cards != NULL)
        seal_wipe(issue->cards, (size_t)issue->count * sizeof(*issue->cards));
    seal_wipe(issue, sizeof(*issue));
}

/* Lives as long as the request, and is wiped with it: libh2o calls what was registered before it
 * frees the pool's memory. */
static struct issue *issue_create(struct exchange *exchange)
{
    struct issue *issue = exchange_allocate(exchange, sizeof(*issue));
    struct issue **guard =
        h2o_mem_alloc_shared(&exchange->req->pool, sizeof(struct issue *), on_issue_dispose);
    *guard = issue;
    return issue;
}

static void write_issued(struct jwrite *writer, const struct issue *issue,
                         const struct issue_card *card)
{
    const struct new_card *new_card = &issue->command.new_card;
    jwrite_object_begin(writer);
    jwrite_key(writer, TEXT("card_id"));
    jwrite_int64(writer, card->outcome.card_id);
    jwrite_key(writer, TEXT("number"));
    jwrite_text(writer, text_of(card->number));
    jwrite_key(writer, TEXT("last4"));
    jwrite_text(writer, text_of(card->outcome.last4));
    admin_write_amount(writer, TEXT("balance"), card->outcome.balance_minor,
                       issue->tenant->tenant.currency.exponent);
    jwrite_key(writer, TEXT("currency"));
    jwrite_text(writer, text_of(issue->tenant->tenant.currency.code));
    jwrite_key(writer, TEXT("status"));
    jwrite_text(writer, text_of(tell_status_name(new_card->status)));
    tell_write_date(writer, "valid_from", new_card->valid_from);
    tell_write_date(writer, "expires_on", new_card->expires_on);
    jwrite_key(writer, TEXT("has_pin"));
    jwrite_bool(writer, issue->command.has_pin);
    jwrite_object_end(writer);
}

static void refuse_issue(struct exchange *exchange, const struct issue_card *card)
{
    enum result result = card->outcome.result;
    if (card->error != 0)
        admin_refuse_error(exchange, card->error);
    else if (result == RESULT_ALREADY_EXISTS)
        admin_refuse(exchange, 409, result_name(result), "There is a card with that number");
    else
        admin_refuse(exchange, 400, result_name(result), "The card was not issued: %s",
                     result_name(result));
}

static bool was_issued(const struct issue_card *card)
{
    return card->error == 0 && card->outcome.result == RESULT_OK;
}

static void write_failures(struct jwrite *writer, const struct issue *issue, int64_t failures)
{
    char bytes[128];
    struct text_buffer sentence;
    text_buffer_init(&sentence, bytes, sizeof(bytes));
    text_append_format(&sentence, "%lld of %lld cards were not issued; those below were",
                       (long long)failures, (long long)issue->count);
    jwrite_key(writer, TEXT("success"));
    jwrite_bool(writer, false);
    jwrite_key(writer, TEXT("error"));
    jwrite_text(writer, text_buffer_text(&sentence));
    jwrite_key(writer, TEXT("code"));
    jwrite_text(writer, TEXT("incomplete"));
}

static void reply_list(struct exchange *exchange, const struct issue *issue)
{
    size_t capacity = (size_t)(issue->count + 1) * CARD_JSON_MAX;
    int64_t failures = 0;
    struct text_buffer buffer;
    struct jwrite writer;
    for (int64_t i = 0; i < issue->count; i++)
        failures += !was_issued(&issue->cards[i]);
    text_buffer_init(&buffer, exchange_allocate(exchange, capacity), capacity);
    jwrite_init(&writer, &buffer);
    jwrite_object_begin(&writer);
    if (failures > 0)
        write_failures(&writer, issue, failures);
    jwrite_key(&writer, TEXT("cards"));
    jwrite_array_begin(&writer);
    for (int64_t i = 0; i < issue->count; i++)
        if (was_issued(&issue->cards[i]))
            write_issued(&writer, issue, &issue->cards[i]);
    jwrite_array_end(&writer);
    jwrite_object_end(&writer);
    CHECK(!buffer.is_cut);
    exchange_reply_json(exchange, failures > 0 ? 503 : 200, text_buffer_text(&buffer));
    seal_wipe(buffer.base, capacity);
}

static void issue_finish(struct exchange *exchange, const struct issue *issue)
{
    if (issue->is_list) {
        reply_list(exchange, issue);
    } else if (!was_issued(&issue->cards[0])) {
        refuse_issue(exchange, &issue->cards[0]);
    } else {
        char bytes[CARD_JSON_MAX];
        struct text_buffer buffer;
        struct jwrite writer;
        text_buffer_init(&buffer, bytes, sizeof(bytes));
        jwrite_init(&writer, &buffer);
        write_issued(&writer, issue, &issue->cards[0]);
        exchange_reply_json(exchange, 200, text_buffer_text(&buffer));
        seal_wipe(bytes, sizeof(bytes));
    }
}

static void fill_number(struct exchange *exchange, const struct issue *issue,
                        struct issue_card *card, struct command *command)
{
    struct handlers *handlers = exchange->handlers;
    int64_t tenant_id = issue->tenant->tenant.id;
    if (issue->given[0] != '\0')
        memcpy(card->number, issue->given, sizeof(card->number));
    else
        id_card_number_generate(handlers->random, text_of(issue->tenant->tenant.card_prefix),
                                TENANT_NUMBER_LENGTH, card->number);
    struct text number = text_of(card->number);
    struct new_card *new_card = &command->new_card;
    seal_card_index(handlers->seal, tenant_id, number, card->index);
    memcpy(command->card_index, card->index, sizeof(card->index));
    if (command->has_pin)
        seal_pin_hash(handlers->seal, tenant_id, card->index, text_of(issue->pin),
                      command->pin_hash);
    memcpy(new_card->last4, number.base + number.length - 4, 4);
    seal_text(handlers->seal, handlers->random, CARD_NUMBER_LABEL, number, new_card->number_sealed);
    new_card->number_sealed_size = (int32_t)number.length + SEAL_OVERHEAD;
    new_card->key_version = SEAL_KEY_VERSION;
}

static void on_issued(struct exchange *exchange, const struct job *job);

/* Does not answer: the caller looks whether all have ended. */
static void issue_send(struct exchange *exchange, struct issue *issue, struct issue_card *card)
{
    struct job *job = exchange_job(exchange, 0);
    job->command = issue->command;
    card->attempts++;
    fill_number(exchange, issue, card, &job->command);
    card->error = exchange_offer_command(exchange, job, on_issued);
    if (card->error != 0)
        issue->ended++;
}

static void on_issued(struct exchange *exchange, const struct job *job)
{
    struct issue *issue = exchange->data;
    struct issue_card *card = issue->cards;
    while (memcmp(card->index, job->command.card_index, sizeof(card->index)) != 0)
        card++;
    card->error = job->error;
    if (job->error == 0) {
        card->outcome = job->outcome;
        metrics_outcome(exchange->handlers->metrics, ACTION_ISSUE, job->outcome.result,
                        job->outcome.is_replay);
    }
    if (job->error == 0 && job->outcome.result == RESULT_ALREADY_EXISTS &&
        issue->given[0] == '\0' && card->attempts < ISSUE_ATTEMPTS)
        issue_send(exchange, issue, card);
    else
        issue->ended++;
    if (issue->ended == issue->count)
        issue_finish(exchange, issue);
}

static bool read_pin(struct exchange *exchange, const struct jread *body, struct issue *issue)
{
    struct text pin;
    if (!admin_read_text(exchange, body, "pin", false, &pin))
        return false;
    /* An empty text is a script's empty variable: without a PIN the card would be anybody's. */
    if (jread_kind_of(jread_member(body, "pin")) == JREAD_NULL)
        return true;
    if (pin.length < PIN_MIN || pin.length > CARD_PIN_MAX || !text_is_digits(pin)) {
        admin_refuse(exchange, 400, "bad_pin", "'pin' must be %d to %d digits", PIN_MIN,
                     CARD_PIN_MAX);
        return false;
    }
    memcpy(issue->pin, pin.base, pin.length);
    issue->command.has_pin = true;
    return true;
}

static bool read_amount(struct exchange *exchange, const struct jread *body, struct issue *issue)
{
    struct text text;
    int64_t amount_minor = 0;
    if (!admin_read_text(exchange, body, "amount", false, &text))
        return false;
    if (text.length > 0 &&
        (money_parse(text, issue->tenant->tenant.currency.exponent, &amount_minor) != 0 ||
         amount_minor < 0)) {
        admin_refuse(exchange, 400, "bad_amount", "'amount' must be an amount such as 100.00");
        return false;
    }
    issue->command.amount_result = RESULT_OK;
    issue->command.asked_minor = amount_minor;
    return true;
}

static bool read_status(struct exchange *exchange, const struct jread *body, struct issue *issue)
{
    bool is_stock = false;
    int err = jread_bool(jread_member(body, "stock"), &is_stock);
    if (err != 0 && err != ERR_MISSING) {
        admin_refuse(exchange, 400, error_name(err), "'stock' must be true or false");
        return false;
    }
    if (is_stock && issue->command.asked_minor != 0) {
        admin_refuse(exchange, 400, "bad_amount",
                     "Printed stock has no balance: its first top-up activates it");
        return false;
    }
    issue->command.new_card.status = is_stock ? CARD_STOCK : CARD_ACTIVE;
    return true;
}

static bool read_count(struct exchange *exchange, const struct jread *body, struct issue *issue)
{
    issue->count = 1;
    issue->is_list = jread_member(body, "count") != NULL;
    if (issue->is_list && !admin_read_int64(exchange, body, "count", 1, ISSUE_MAX, &issue->count))
        return false;
    if (issue->count == 1 || issue->given[0] == '\0')
        return true;
    admin_refuse(exchange, 400, "bad_count",
                 "One number is one card: 'count' needs generated ones");
    return false;
}

static bool read_dates(struct exchange *exchange, const struct jread *body, struct issue *issue)
{
    struct new_card *new_card = &issue->command.new_card;
    if (!admin_read_date(exchange, body, "valid_from", &new_card->valid_from) ||
        !admin_read_date(exchange, body, "expires", &new_card->expires_on))
        return false;
    if (new_card->expires_on == 0 || new_card->valid_from <= new_card->expires_on)
        return true;
    admin_refuse(exchange, 400, "bad_date",
                 "'valid_from' is after 'expires': the card would never be good");
    return false;
}

static bool read_issue(struct exchange *exchange, const struct jread *body, struct issue *issue)
{
    if (!admin_read_tenant(exchange, body, &issue->tenant))
        return false;
    issue->command.action = ACTION_ISSUE;
    issue->command.tenant_id = issue->tenant->tenant.id;
    issue->command.local_date = clock_local_date(issue->tenant->zone, exchange->received_wall_us);
    issue->command.received_at_us = exchange->received_steady_us;
    issue->command.policy = issue->tenant->tenant.policy;
    return read_number(exchange, body, false, issue->given) && read_pin(exchange, body, issue) &&
           read_amount(exchange, body, issue) && read_status(exchange, body, issue) &&
           read_count(exchange, body, issue) && read_dates(exchange, body, issue);
}

void admin_card_issue(struct exchange *exchange)
{
    static const char *const members[] = {"tenant",     "amount", "number", "pin", "expires",
                                          "valid_from", "stock",  "count",  NULL};
    struct jread *body;
    if (!admin_read_body(exchange, members, &body))
        return;
    struct issue *issue = issue_create(exchange);
    bool is_sound = read_issue(exchange, body, issue);
    jread_destroy(body);
    if (!is_sound)
        return;
    exchange->data = issue;
    issue->cards = exchange_allocate(exchange, (size_t)issue->count * sizeof(*issue->cards));
    for (int64_t i = 0; i < issue->count; i++)
        issue_send(exchange, issue, &issue->cards[i]);
    if (issue->ended == issue->count)
        issue_finish(exchange, issue);
}

/* --- show: the JSON is written on the reader's thread, entry by entry */

struct page {
    int64_t before; /* operation id; 0: from the newest */
    int64_t limit;
};

struct show_task {
    int64_t tenant_id;
    struct currency currency;
    uint8_t index[CARD_INDEX_BYTES];
    struct page page;
    int64_t operation_id; /* whose transfers are being written; 0: none yet */
    struct jwrite writer;
    struct text_buffer buffer;
    char bytes[SHOW_MAX];
};

static void write_operation(struct show_task *task, const struct operation *operation)
{
    struct jwrite *writer = &task->writer;
    int exponent = task->currency.exponent;
    char bytes[64];
    struct text_buffer text;
    admin_write_int64(writer, "operation_id", operation->id);
    jwrite_key(writer, TEXT("action"));
    jwrite_text(writer, text_of(action_name(operation->action)));
    jwrite_key(writer, TEXT("result"));
    jwrite_text(writer, text_of(result_name(operation->result)));
    admin_write_amount(writer, TEXT("asked"), operation->asked_minor, exponent);
    admin_write_amount(writer, TEXT("amount"), operation->amount_minor, exponent);
    admin_write_amount(writer, TEXT("balance_after"), operation->balance_minor_after, exponent);
    admin_write_amount(writer, TEXT("given_back"), operation->given_back_minor, exponent);
    admin_write_int64(writer, "order_id", operation->order_id);
    if (operation->refunded_order_id != 0)
        admin_write_int64(writer, "refunded_order_id", operation->refunded_order_id);
    admin_write_int64(writer, "site_id", operation->site_id);
    admin_write_int64(writer, "register_id", operation->register_id);
    text_buffer_init(&text, bytes, sizeof(bytes));
    clock_append_time(&text, operation->created_at_us);
    jwrite_key(writer, TEXT("at"));
    jwrite_text(writer, text_buffer_text(&text));
}

static void entry_end(struct show_task *task)
{
    if (task->operation_id == 0)
        return;
    jwrite_array_end(&task->writer);
    jwrite_object_end(&task->writer);
}

static void on_entry(void *context, const struct entry *entry)
{
    struct show_task *task = context;
    if (entry->operation.id != task->operation_id) {
        entry_end(task);
        task->operation_id = entry->operation.id;
        jwrite_object_begin(&task->writer);
        write_operation(task, &entry->operation);
        jwrite_key(&task->writer, TEXT("transfers"));
        jwrite_array_begin(&task->writer);
    }
    if (entry->transfer.id != 0)
        tell_write_transfer(&task->writer, &entry->transfer, task->currency.exponent);
}

static void write_card(struct show_task *task, const struct card *card)
{
    struct jwrite *writer = &task->writer;
    admin_write_int64(writer, "card_id", card->id);
    jwrite_key(writer, TEXT("last4"));
    jwrite_text(writer, text_of(card->last4));
    admin_write_amount(writer, TEXT("balance"), card->balance_minor, task->currency.exponent);
    jwrite_key(writer, TEXT("currency"));
    jwrite_text(writer, text_of(task->currency.code));
    jwrite_key(writer, TEXT("status"));
    jwrite_text(writer, text_of(tell_status_name(card->status)));
    tell_write_date(writer, "valid_from", card->valid_from);
    tell_write_date(writer, "expires_on", card->expires_on);
    jwrite_key(writer, TEXT("has_pin"));
    jwrite_bool(writer, card->has_pin);
    admin_write_int64(writer, "version", card->version);
}

static int show_write(struct show_task *task, struct store *store)
{
    struct card card;
    int err = store_read_card(store, task->tenant_id, task->index, &card);
    if (err != 0)
        return err;
    text_buffer_init(&task->buffer, task->bytes, sizeof(task->bytes));
    jwrite_init(&task->writer, &task->buffer);
    jwrite_object_begin(&task->writer);
    write_card(task, &card);
    jwrite_key(&task->writer, TEXT("entries"));
    jwrite_array_begin(&task->writer);
    err = store_each_entry(store, card.id, task->page.before, (int32_t)task->page.limit, on_entry,
                           task);
    if (err != 0)
        return err;
    entry_end(task);
    jwrite_array_end(&task->writer);
    jwrite_object_end(&task->writer);
    return 0;
}

/* Balance and history of one moment, or they would not add up while the card is being used. */
static int task_show(struct job *job, struct store *store)
{
    int err = store_begin_read(store);
    if (err != 0)
        return err;
    err = show_write((struct show_task *)(job + 1), store);
    store_end_read(store);
    return err;
}

static void refuse_card(struct exchange *exchange, int err)
{
    if (err == ERR_NOT_FOUND)
        admin_refuse(exchange, 404, "unknown_card", "There is no card with that number");
    else if (err == ERR_NOT_SOLD)
        admin_refuse(exchange, 409, error_name(err),
                     "This card is not sold yet: its first top-up activates it");
    else
        admin_refuse_error(exchange, err);
}

static void on_shown(struct exchange *exchange, const struct job *job)
{
    const struct show_task *task = (const struct show_task *)(job + 1);
    if (job->error != 0)
        refuse_card(exchange, job->error);
    else if (task->buffer.is_cut)
        admin_refuse(exchange, 400, "too_large",
                     "That is more than one answer holds; ask for a smaller 'limit'");
    else
        exchange_reply_json(exchange, 200, text_buffer_text(&task->buffer));
}

static bool read_page(struct exchange *exchange, const struct jread *body, struct page *page)
{
    *page = (struct page){.limit = ENTRIES_DEFAULT};
    if (jread_member(body, "limit") != NULL &&
        !admin_read_int64(exchange, body, "limit", 1, ENTRIES_MAX, &page->limit))
        return false;
    return jread_member(body, "before") == NULL ||
           admin_read_int64(exchange, body, "before", 1, INT64_MAX, &page->before);
}

static void card_show(struct exchange *exchange, const struct jread *body)
{
    const struct directory_tenant *tenant;
    char number[CARD_NUMBER_MAX + 1];
    struct page page;
    if (!admin_read_tenant(exchange, body, &tenant) || !read_number(exchange, body, true, number) ||
        !read_page(exchange, body, &page))
        return;
    struct job *job = exchange_job(exchange, sizeof(struct show_task));
    struct show_task *task = (struct show_task *)(job + 1);
    job->task = task_show;
    task->tenant_id = tenant->tenant.id;
    task->currency = tenant->tenant.currency;
    task->page = page;
    seal_card_index(exchange->handlers->seal, task->tenant_id, text_of(number), task->index);
    seal_wipe(number, sizeof(number));
    exchange_submit_read(exchange, job, on_shown);
}

void admin_card_show(struct exchange *exchange)
{
    static const char *const members[] = {"tenant", "number", "before", "limit", NULL};
    struct jread *body;
    if (!admin_read_body(exchange, members, &body))
        return;
    card_show(exchange, body);
    jread_destroy(body);
}

/* --- disable, enable */

struct switch_task {
    struct handlers *handlers;
    int64_t tenant_id;
    struct currency currency;
    uint8_t index[CARD_INDEX_BYTES];
    enum card_status status;
    struct card card;
};

static int task_switch(struct job *job, struct store *store)
{
    struct switch_task *task = (struct switch_task *)(job + 1);
    int err = store_set_card_status(store, task->tenant_id, task->index, task->status, &task->card);
    if (err != 0)
        return err;
    /* The status does not count versions, so the hot copy must go before it can be refreshed. */
    hot_remove(task->handlers->hot, task->tenant_id, task->index, task->card.version,
               clock_monotonic_us());
    return 0;
}

static void on_switched(struct exchange *exchange, const struct job *job)
{
    if (job->error != 0) {
        refuse_card(exchange, job->error);
        return;
    }
    const struct switch_task *task = (const struct switch_task *)(job + 1);
    char bytes[CARD_JSON_MAX];
    struct text_buffer buffer;
    struct jwrite writer;
    text_buffer_init(&buffer, bytes, sizeof(bytes));
    jwrite_init(&writer, &buffer);
    jwrite_object_begin(&writer);
    admin_write_int64(&writer, "card_id", task->card.id);
    jwrite_key(&writer, TEXT("last4"));
    jwrite_text(&writer, text_of(task->card.last4));
    admin_write_amount(&writer, TEXT("balance"), task->card.balance_minor, task->currency.exponent);
    jwrite_key(&writer, TEXT("status"));
    jwrite_text(&writer, text_of(tell_status_name(task->card.status)));
    jwrite_object_end(&writer);
    exchange_reply_json(exchange, 200, text_buffer_text(&buffer));
}

static void card_switch(struct exchange *exchange, const struct jread *body,
                        enum card_status status)
{
    const struct directory_tenant *tenant;
    char number[CARD_NUMBER_MAX + 1];
    if (!admin_read_tenant(exchange, body, &tenant) || !read_number(exchange, body, true, number))
        return;
    struct job *job = exchange_job(exchange, sizeof(struct switch_task));
    struct switch_task *task = (struct switch_task *)(job + 1);
    job->task = task_switch;
    task->handlers = exchange->handlers;
    task->tenant_id = tenant->tenant.id;
    task->currency = tenant->tenant.currency;
    task->status = status;
    seal_card_index(exchange->handlers->seal, task->tenant_id, text_of(number), task->index);
    seal_wipe(number, sizeof(number));
    exchange_submit_write(exchange, job, on_switched);
}

static void read_and_switch(struct exchange *exchange, enum card_status status)
{
    static const char *const members[] = {"tenant", "number", NULL};
    struct jread *body;
    if (!admin_read_body(exchange, members, &body))
        return;
    card_switch(exchange, body, status);
    jread_destroy(body);
}

void admin_card_disable(struct exchange *exchange)
{
    read_and_switch(exchange, CARD_DISABLED);
}

void admin_card_enable(struct exchange *exchange)
{
    read_and_switch(exchange, CARD_ACTIVE);
}
