/* O-Series payments: checkout, check-balance, top-up and refund, from the register's body to the
 * register's answer. All four read, find the card, ask, and tell in the same way; what differs
 * between them stands in one table. */
#include "handlers/oseries.h"

#include "base/clock.h"
#include "base/log.h"
#include "handlers/budget_share.h"
#include "handlers/oseries_reply.h"
#include "handlers/oseries_request.h"
#include "lightspeed/inbox.h"
#include "lightspeed/look.h"
#include "lightspeed/refund.h"
#include "store/proof.h"

#include <stddef.h>
#include <string.h>

#include "base/banned.h"

#define SENTENCE_BUSY "Not done: the system is busy. Try again."
#define SENTENCE_MOVING                                                                            \
    "This shop is being moved to another server, nothing was done. Try again in a minute"
#define SENTENCE_UNCONFIRMED "Not confirmed: check the card's balance before trying again."
#define SENTENCE_NO_CARD "Card number required"
#define SENTENCE_SITE "This site is not set up for gift cards. Ask the manager"
#define SENTENCE_COMPANY "This URL belongs to another company. Check the URLs in Back Office"

struct payment_kind {
    enum action action;   /* the ledger's; check-balance has none */
    size_t switch_offset; /* of the tenant's switch for it */
    const char *off;
    const char *misdirected;
    const char *down;
};

static const struct payment_kind kinds[PROFILE_ACTIONS] = {
    [PROFILE_CHECKOUT] =
        {ACTION_CHARGE, offsetof(struct tenant, charge_is_on),
         "Paying with gift cards is switched off here",
         "This URL is for checkout and got a top-up. Check the URLs in Back Office",
         "Gift cards are not available right now. Nothing was charged. Try again shortly."},
    [PROFILE_CHECK_BALANCE] =
        {0, offsetof(struct tenant, balance_is_on), "Balance look-ups are switched off here",
         "This URL is for balances and got another request. Check the URLs in Back Office",
         "Gift cards are not available right now. Try again shortly."},
    [PROFILE_TOP_UP] =
        {ACTION_TOP_UP, offsetof(struct tenant, top_up_is_on),
         "Top-ups of gift cards are switched off here",
         "This URL is for top-ups and got another request. Check the URLs in Back Office",
         "Gift cards are not available right now. Nothing was loaded. Try again shortly."},
    [PROFILE_REFUND] =
        {ACTION_REFUND, offsetof(struct tenant, refund_is_on),
         "Refunds to gift cards are switched off here",
         "This URL is for refunds and got a top-up. Check the URLs in Back Office",
         "Gift cards are not available right now. Nothing was refunded. Try again shortly."},
};

/* One payment under way; in the request's pool. */
struct payment {
    enum profile_action action;
    const struct profile *profile;
    struct payment_request request;
    uint8_t card_index[CARD_INDEX_BYTES];
    uint8_t pin_hash[CARD_PIN_BYTES];
    bool has_pin;
    struct budget_keys budget;
    bool is_throttled;
    bool is_asked;   /* of committer or reader, and no answer told yet */
    bool is_holding; /* tokens of the budget, until it is known whether it was a miss */
    struct exchange_loop *loop;
    struct handlers *handlers;
    int64_t received_monotonic_us;
    int32_t local_date;
    int64_t refunded_order_id;      /* of a refund: the sale, when the API has told */
    struct order_evidence evidence; /* of a charge: what the order says of an earlier one */
};

/* A card look-up on a reader's thread; stands behind its job. */
struct look {
    int64_t tenant_id;
    uint8_t card_index[CARD_INDEX_BYTES];
    char last4[5]; /* empty: by index */
    bool is_found;
    struct card card;
};

/* --- telling --- */

static struct payment_style style_of(const struct exchange *exchange, const struct payment *payment)
{
    const struct tenant *tenant = &exchange->tenant->tenant;
    return (struct payment_style){payment->profile, payment->action, tenant->currency,
                                  tenant->amounts_are_strings, exchange->handlers->generation};
}

static void send_reply(struct exchange *exchange, bool is_refusal, const struct text_buffer *reply)
{
    int status = is_refusal ? exchange->tenant->tenant.refusal_status : 200;
    /* 16 names of 64 characters and as many sentences of 120, all escaped, are 6 KiB of the 16. */
    CHECK(!reply->is_cut);
    exchange_reply_json(exchange, status, text_buffer_text(reply));
}

static void tell_failure(struct exchange *exchange, const char *code, const char *sentence)
{
    const struct payment *payment = exchange->data;
    struct payment_style style = style_of(exchange, payment);
    char text[REPLY_MAX];
    struct text_buffer reply;
    text_buffer_init(&reply, text, sizeof(text));
    oseries_reply_failure(&style, code, sentence, &reply);
    send_reply(exchange, true, &reply);
}

/* What was held can be had by whoever waits for it. */
static bool settle(struct payment *payment, bool is_miss, enum budget_layer *tripped)
{
    payment->is_holding = false;
    exchange_wake(payment->loop);
    return budget_settle(payment->handlers->budget, &payment->budget, is_miss,
                         payment->received_monotonic_us, tripped);
}

/* What could not be done. A look-up that went silent has moved nothing, so it is never
 * "unconfirmed". */
static void tell_error(struct exchange *exchange, int err, bool is_money)
{
    struct payment *payment = exchange->data;
    payment->is_asked = false;
    if (payment->is_holding)
        (void)settle(payment, false, NULL);
    log_event(LOG_WARNING, "payment_failed", LOG_INT("request_id", exchange->request_id),
              LOG_INT("tenant_id", exchange->tenant->tenant.id),
              LOG_TEXT("action", profile_action_name(payment->action)),
              LOG_TEXT("error", error_name(err)));
    bool is_unknown = err == ERR_UNCONFIRMED || err == ERR_COMMIT_UNKNOWN;
    if (err == ERR_BUG || err == ERR_STORE_CONSTRAINT)
        exchange_refuse(exchange, 500, error_name(err), kinds[payment->action].down);
    else if (is_unknown && is_money)
        tell_failure(exchange, error_name(err), SENTENCE_UNCONFIRMED);
    else if (is_unknown || err == ERR_CANCELLED)
        tell_failure(exchange, error_name(ERR_CANCELLED), SENTENCE_BUSY);
    else if (err == ERR_ELSEWHERE) /* closed since it was asked */
        tell_failure(exchange, error_name(err), SENTENCE_MOVING);
    else if (err == ERR_STORE_BUSY) /* somebody holds the card: perhaps this sale's first attempt */
        tell_failure(exchange, error_name(err), SENTENCE_BUSY);
    else
        tell_failure(exchange, error_name(err), kinds[payment->action].down);
}

static void tell_outcome(struct exchange *exchange, const struct outcome *outcome)
{
    const struct payment *payment = exchange->data;
    struct payment_style style = style_of(exchange, payment);
    char text[REPLY_MAX];
    struct text_buffer reply;
    text_buffer_init(&reply, text, sizeof(text));
    oseries_reply_outcome(&style, outcome, &reply);
    send_reply(exchange, outcome->result != RESULT_OK, &reply);
}

static bool take_miss(struct payment *payment, enum budget_layer *tripped)
{
    bool is_trip = payment->is_holding ? settle(payment, true, tripped)
                                       : budget_take(payment->handlers->budget, &payment->budget,
                                                     payment->received_monotonic_us, tripped);
    budget_share_miss(payment->loop, &payment->budget);
    return is_trip;
}

static void count_miss(struct exchange *exchange)
{
    struct payment *payment = exchange->data;
    enum budget_layer tripped;
    if (!take_miss(payment, &tripped))
        return;
    log_event(LOG_WARNING, "miss_budget_tripped", LOG_INT("request_id", exchange->request_id),
              LOG_TEXT("layer", budget_layer_name(tripped)),
              LOG_INT("tenant_id", exchange->tenant->tenant.id),
              LOG_INT("site_id", payment->request.site_id),
              LOG_INT("register_id", payment->request.register_id));
}

/* Four digits are no proof of holding the card: what is specific to it (expired, disabled) is told
 * only for a full number (design section 6). */
static bool is_hidden(const struct payment *payment, enum result result)
{
    return payment->request.is_last4 &&
           (result == RESULT_DISABLED || result == RESULT_NOT_YET_VALID ||
            result == RESULT_EXPIRED);
}

static void conclude(struct exchange *exchange, const struct outcome *decided)
{
    struct payment *payment = exchange->data;
    struct outcome outcome = *decided;
    payment->is_asked = false;
    if (is_hidden(payment, outcome.result))
        outcome.result = RESULT_NOT_FOUND;
    if (outcome.result == RESULT_NOT_FOUND)
        count_miss(exchange);
    else if (payment->is_holding)
        (void)settle(payment, false, NULL);
    tell_outcome(exchange, &outcome);
}

static void log_operation(const struct exchange *exchange, const struct outcome *outcome)
{
    const struct payment *payment = exchange->data;
    log_event(
        LOG_INFO, "operation", LOG_INT("request_id", exchange->request_id),
        LOG_INT("operation_id", outcome->operation_id),
        LOG_INT("tenant_id", exchange->tenant->tenant.id), LOG_INT("card_id", outcome->card_id),
        LOG_TEXT("action", action_name(outcome->action)),
        LOG_TEXT("result", result_name(outcome->result)),
        LOG_INT("amount_minor", outcome->amount_minor), LOG_BOOL("is_replay", outcome->is_replay),
        LOG_INT("reversed_operation_id", outcome->reversed_operation_id),
        LOG_INT("order_id", payment->request.order_id),
        LOG_INT("duration_us", clock_monotonic_us() - exchange->received_monotonic_us));
}

/* --- finding the card --- */

static int look_task(struct job *job, struct store *store)
{
    struct look *look = (struct look *)(job + 1);
    int err = look->last4[0] == '\0'
                  ? store_read_card(store, look->tenant_id, look->card_index, &look->card)
                  : store_read_card_by_last4(store, look->tenant_id, look->last4, &look->card);
    look->is_found = err == 0;
    return err == ERR_NOT_FOUND ? 0 : err;
}

static void submit_look(struct exchange *exchange, exchange_done_fn on_done)
{
    struct payment *payment = exchange->data;
    struct job *job = exchange_job(exchange, sizeof(struct look));
    struct look *look = (struct look *)(job + 1);
    look->tenant_id = exchange->tenant->tenant.id;
    memcpy(look->card_index, payment->card_index, sizeof(look->card_index));
    if (payment->request.is_last4)
        memcpy(look->last4, payment->request.card.number, sizeof(look->last4));
    job->task = look_task;
    payment->is_asked = true;
    exchange_submit_read(exchange, job, on_done);
    payment->is_asked = !exchange->is_answered; /* answered already: the queue was full */
}

/* The PIN's hash depends on the card's index, which the last four digits do not give. */
static void hash_pin(struct exchange *exchange, struct payment *payment)
{
    struct card_number *card = &payment->request.card;
    payment->has_pin = card->pin[0] != '\0';
    if (payment->has_pin)
        seal_pin_hash(exchange->handlers->seal, exchange->tenant->tenant.id, payment->card_index,
                      text_of(card->pin), payment->pin_hash);
    seal_wipe(card, sizeof(*card));
}

static void take_found_card(struct exchange *exchange, const struct card *card)
{
    struct payment *payment = exchange->data;
    memcpy(payment->card_index, card->index, sizeof(payment->card_index));
    hash_pin(exchange, payment);
}

/* --- suspects: what the register may not know of --- */

/* Stands behind its job. */
struct suspect {
    int64_t tenant_id, operation_id;
    int32_t local_date;
    bool is_unknown; /* no proof is made of it: its tenant is not connected */
};

static int suspect_task(struct job *job, struct store *store)
{
    struct suspect *suspect = (struct suspect *)(job + 1);
    int err = store_suspect(store, suspect->tenant_id, suspect->operation_id, suspect->local_date,
                            clock_steady_us());
    suspect->is_unknown = err == ERR_NOT_FOUND;
    return suspect->is_unknown ? 0 : err;
}

static void log_suspect(const struct suspect *suspect, int err)
{
    log_event(err == 0 ? LOG_INFO : LOG_WARNING, "suspect",
              LOG_INT("tenant_id", suspect->tenant_id),
              LOG_INT("operation_id", suspect->operation_id), LOG_TEXT("error", error_name(err)));
}

static void on_suspected(struct exchange_loop *loop, const struct job *job)
{
    const struct suspect *suspect = (const struct suspect *)(job + 1);
    if (suspect->is_unknown)
        return;
    log_suspect(suspect, job->error);
    if (job->error == 0)
        inbox_wake(loop->handlers->inbox);
}

/* Its order is looked at soon instead of in its turn: nobody waits for that, and no proof is lost
 * when it cannot be stored. */
static void suspect_operation(struct exchange_loop *loop, const struct job *decided)
{
    const struct suspect suspect = {.tenant_id = decided->command.tenant_id,
                                    .operation_id = decided->outcome.operation_id,
                                    .local_date = decided->command.local_date};
    struct job *job = exchange_loop_job(loop, sizeof(suspect));
    *(struct suspect *)(job + 1) = suspect;
    job->task = suspect_task;
    job->joins = true;
    int err = exchange_loop_write(loop, job, on_suspected);
    if (err != 0)
        log_suspect(&suspect, err);
}

static bool has_moved(const struct outcome *outcome)
{
    return outcome->result == RESULT_OK && !outcome->is_replay;
}

/* Money moved, and nobody was told. */
static void on_left(struct exchange_loop *loop, const struct job *job)
{
    if (job->error == 0 && has_moved(&job->outcome))
        suspect_operation(loop, job);
}

/* --- money: checkout, top-up, refund --- */

static void look_at_order(struct exchange *exchange, const struct outcome *outcome);

static void on_decided(struct exchange *exchange, const struct job *job)
{
    if (job->error != 0) {
        tell_error(exchange, job->error, true);
        return;
    }
    if (job->outcome.result == RESULT_LOOK_FIRST) {
        look_at_order(exchange, &job->outcome);
        return;
    }
    if (job->outcome.is_suspect || (has_moved(&job->outcome) && exchange_client_is_gone(exchange)))
        suspect_operation(exchange->loop, job);
    metrics_outcome(exchange->handlers->metrics, job->outcome.action, job->outcome.result,
                    job->outcome.is_replay);
    log_operation(exchange, &job->outcome);
    if (job->command.payment_is_ours && job->outcome.result == RESULT_OK)
        inbox_wake(exchange->handlers->inbox);
    conclude(exchange, &job->outcome);
}

static void fill_command(const struct exchange *exchange, const struct payment *payment,
                         struct command *command)
{
    const struct payment_request *request = &payment->request;
    command->action = kinds[payment->action].action;
    command->tenant_id = exchange->tenant->tenant.id;
    command->order_id = request->order_id;
    command->refunded_order_id = payment->refunded_order_id;
    command->site_id = request->site_id;
    command->register_id = request->register_id;
    memcpy(command->card_index, payment->card_index, sizeof(command->card_index));
    command->has_pin = payment->has_pin;
    memcpy(command->pin_hash, payment->pin_hash, sizeof(command->pin_hash));
    command->is_throttled = payment->is_throttled;
    command->amount_result = request->amount_result;
    command->asked_minor = request->asked_minor;
    command->local_date = payment->local_date;
    command->received_at_us = exchange->received_steady_us;
    command->payment_is_ours = exchange->tenant->tenant.payment_is_ours;
    command->order_is_readable = exchange->handlers->api != NULL && request->order_id != 0 &&
                                 exchange->tenant->tenant.order_look_is_on;
    command->evidence = payment->evidence;
    command->policy = exchange->tenant->tenant.policy;
}

static void submit_command(struct exchange *exchange)
{
    struct job *job = exchange_job(exchange, 0);
    struct payment *payment = exchange->data;
    fill_command(exchange, payment, &job->command);
    exchange_watch_left(job, on_left);
    payment->is_asked = true;
    exchange_submit_command(exchange, job, on_decided);
    payment->is_asked = !exchange->is_answered; /* answered already: the queue was full */
}

/* --- asking the API while the cashier waits --- */

/* What is left of the time for the decision itself. */
#define DECIDE_US (INT64_C(200) * 1000)
#define LOOK_MIN_US (INT64_C(50) * 1000) /* in less the API will not answer */

static int64_t look_time_us(const struct exchange *exchange, int64_t most_us)
{
    int64_t left_us =
        exchange_deadline_us(exchange) - JOB_RESERVE_US - DECIDE_US - clock_monotonic_us();
    return left_us < most_us ? left_us : most_us;
}

/* --- was the earlier charge booked? --- */

/* Whatever went wrong: the charge is decided without it. */
static void on_order_looked_at(struct exchange *exchange, const struct job *job)
{
    const struct order_look *look = (const struct order_look *)(job + 1);
    struct payment *payment = exchange->data;
    if (job->error == 0)
        payment->evidence = look->evidence;
    if (payment->evidence.state == EVIDENCE_UNREADABLE)
        atomic_fetch_add_explicit(&exchange->handlers->looks_unread, 1, memory_order_relaxed);
    submit_command(exchange);
}

/* Without a look. */
static void look_away(struct exchange *exchange)
{
    atomic_fetch_add_explicit(&exchange->handlers->looks_unread, 1, memory_order_relaxed);
    submit_command(exchange);
}

static void look_at_order(struct exchange *exchange, const struct outcome *outcome)
{
    struct payment *payment = exchange->data;
    const struct tenant *tenant = &exchange->tenant->tenant;
    int64_t look_us = look_time_us(exchange, ORDER_LOOK_US);
    if (payment->evidence.state != EVIDENCE_NONE) {
        exchange_fail_bug(exchange, "an order is asked for twice");
        return;
    }
    payment->evidence = (struct order_evidence){.state = EVIDENCE_UNREADABLE,
                                                .operation_id = outcome->earlier_operation_id};
    atomic_fetch_add_explicit(&exchange->handlers->looks, 1, memory_order_relaxed);
    if (look_us < LOOK_MIN_US) {
        look_away(exchange);
        return;
    }
    struct job *job = exchange_job(exchange, sizeof(struct order_look));
    *(struct order_look *)(job + 1) = (struct order_look){
        .outbound = exchange->handlers->outbound,
        .api = exchange->handlers->api,
        .reader = exchange->handlers->reader,
        .tenant_id = tenant->id,
        .order_id = payment->request.order_id,
        .operation_id = outcome->earlier_operation_id,
        .generation = exchange->handlers->generation,
        .method_id = tenant->payment_method,
        .deadline_us = clock_monotonic_us() + look_us,
    };
    job->begin = order_look_begin;
    payment->is_asked = true;
    if (exchange_offer_outbound(exchange, job, on_order_looked_at) != 0)
        look_away(exchange); /* too much waits for the API */
}

/* --- which sale does a refund give back? --- */

/* Whatever went wrong: the refund is decided without it, by the merchant's limits. */
static void on_sale_looked_up(struct exchange *exchange, const struct job *job)
{
    const struct refund_look *look = (const struct refund_look *)(job + 1);
    struct payment *payment = exchange->data;
    if (job->error == 0)
        payment->refunded_order_id = look->refunded_order_id;
    submit_command(exchange);
}

static void submit_refund(struct exchange *exchange)
{
    struct payment *payment = exchange->data;
    int64_t look_us = look_time_us(exchange, REFUND_LOOK_US);
    /* A guess that will be refused unseen is not worth a call. */
    if (exchange->handlers->api == NULL || payment->request.order_id == 0 ||
        payment->is_throttled || look_us < LOOK_MIN_US) {
        submit_command(exchange);
        return;
    }
    struct job *job = exchange_job(exchange, sizeof(struct refund_look));
    struct refund_look *look = (struct refund_look *)(job + 1);
    look->api = exchange->handlers->api;
    look->tenant_id = exchange->tenant->tenant.id;
    look->order_id = payment->request.order_id;
    look->deadline_us = clock_monotonic_us() + look_us;
    job->begin = refund_look_begin;
    payment->is_asked = true;
    if (exchange_offer_outbound(exchange, job, on_sale_looked_up) != 0)
        submit_command(exchange); /* too much waits for the API */
}

static void submit_money(struct exchange *exchange)
{
    const struct payment *payment = exchange->data;
    if (payment->action == PROFILE_REFUND)
        submit_refund(exchange);
    else
        submit_command(exchange);
}

static void on_card_found(struct exchange *exchange, const struct job *job)
{
    const struct look *look = (const struct look *)(job + 1);
    if (job->error != 0) {
        tell_error(exchange, job->error, false);
    } else if (!look->is_found) {
        conclude(exchange, &(struct outcome){.result = RESULT_NOT_FOUND});
    } else {
        take_found_card(exchange, &look->card);
        submit_money(exchange);
    }
}

static void move_money(struct exchange *exchange)
{
    const struct payment *payment = exchange->data;
    if (payment->request.is_last4)
        submit_look(exchange, on_card_found);
    else
        submit_money(exchange);
}

/* --- balance --- */

static struct outcome balance_of(const struct payment *payment, const struct card *card)
{
    enum result result = ledger_look(card, payment->is_throttled, payment->has_pin,
                                     payment->pin_hash, payment->local_date);
    struct outcome outcome = {.result = result};
    if (card == NULL)
        return outcome;
    outcome.card_id = card->id;
    outcome.balance_minor = card->balance_minor;
    outcome.card_version = card->version;
    outcome.expires_on = card->expires_on;
    memcpy(outcome.last4, card->last4, sizeof(outcome.last4));
    return outcome;
}

static void on_balance_read(struct exchange *exchange, const struct job *job)
{
    const struct look *look = (const struct look *)(job + 1);
    struct payment *payment = exchange->data;
    if (job->error != 0) {
        tell_error(exchange, job->error, false);
        return;
    }
    if (look->is_found) {
        if (payment->request.is_last4)
            take_found_card(exchange, &look->card);
        /* Unsold stock stays out: it looks like an unknown number, in time too. */
        if (look->card.status != CARD_STOCK)
            exchange_fill_hot(exchange, &look->card);
    }
    struct outcome outcome = balance_of(payment, look->is_found ? &look->card : NULL);
    conclude(exchange, &outcome);
}

/* A card without a PIN, in use, asked for by its number: such a card is told even when budgets are
 * exhausted, so it is told before they are looked at. All else takes the store's way, so that
 * unknown, unsold and wrong PIN also take the same time. */
static bool tell_hot_balance(struct exchange *exchange, const struct hot_value *value)
{
    const struct payment *payment = exchange->data;
    struct outcome outcome = balance_of(payment, &value->card);
    if (outcome.result == RESULT_NOT_FOUND) /* unsold, or a PIN is wanted */
        return false;
    conclude(exchange, &outcome);
    return true;
}

/* --- reading --- */

static void on_payment_disposed(void *pooled)
{
    struct payment *payment = pooled;
    enum budget_layer tripped;
    /* Who does not stay for the answer pays as for a miss: what was decided shows elsewhere. */
    if (payment->is_asked)
        (void)take_miss(payment, &tripped);
    else if (payment->is_holding)
        (void)settle(payment, false, NULL);
    seal_wipe(&payment->request, sizeof(payment->request));
}

static struct payment *payment_create(struct exchange *exchange, enum profile_action action)
{
    struct payment *payment =
        h2o_mem_alloc_shared(&exchange->req->pool, sizeof(*payment), on_payment_disposed);
    memset(payment, 0, sizeof(*payment));
    payment->action = action;
    payment->loop = exchange->loop;
    payment->handlers = exchange->handlers;
    payment->received_monotonic_us = exchange->received_monotonic_us;
    payment->profile = profile_beside(exchange->dialect, exchange->tenant->tenant.profile);
    exchange->data = payment;
    return payment;
}

static bool read_request(struct exchange *exchange, struct payment *payment)
{
    const struct tenant *tenant = &exchange->tenant->tenant;
    const struct payment_dialect dialect = {payment->profile,          payment->action,
                                            tenant->currency.exponent, tenant->last4_is_accepted,
                                            exchange->request_id,      tenant->body_format};
    char text[REQUEST_FAULT_MAX];
    struct text_buffer fault;
    text_buffer_init(&fault, text, sizeof(text));
    int err = oseries_request_read(&dialect, exchange->body, &payment->request, &fault);
    if (err == 0)
        return true;
    log_event(LOG_INFO, "request_refused", LOG_INT("request_id", exchange->request_id),
              LOG_INT("tenant_id", tenant->id), LOG_TEXT("error", error_name(err)));
    exchange_refuse(exchange, err == ERR_NO_MEMORY ? 503 : 400, error_name(err), text);
    return false;
}

/* May this request be put to the ledger at all? Company first: to a stranger nothing else is told.
 */
static bool check_request(struct exchange *exchange, const struct payment *payment)
{
    const struct tenant *tenant = &exchange->tenant->tenant;
    const struct payment_request *request = &payment->request;
    const struct payment_kind *kind = &kinds[payment->action];
    if (request->company_id != tenant->oseries_company) {
        exchange_refuse(exchange, 403, "wrong_company", SENTENCE_COMPANY);
        return false;
    }
    if (!*(const bool *)((const char *)tenant + kind->switch_offset)) {
        tell_failure(exchange, "switched_off", kind->off);
        return false;
    }
    if (tenant->sites_must_be_mapped &&
        directory_find_site(exchange->snapshot, tenant->id, request->site_id) == NULL) {
        tell_failure(exchange, "unknown_site", SENTENCE_SITE);
        return false;
    }
    if (request->is_misdirected) {
        tell_failure(exchange, "wrong_url", kind->misdirected);
        return false;
    }
    if (!request->has_card)
        tell_failure(exchange, "card_missing", SENTENCE_NO_CARD);
    return request->has_card;
}

static void find_date(const struct exchange *exchange, struct payment *payment)
{
    const struct directory_site *site = directory_find_site(
        exchange->snapshot, exchange->tenant->tenant.id, payment->request.site_id);
    payment->local_date = clock_local_date(site != NULL ? site->zone : exchange->tenant->zone,
                                           exchange->received_wall_us);
}

static void submit(struct exchange *exchange)
{
    const struct payment *payment = exchange->data;
    if (payment->request.is_last4 && payment->is_throttled)
        conclude(exchange, &(struct outcome){.result = RESULT_THROTTLED});
    else if (payment->action == PROFILE_CHECK_BALANCE)
        submit_look(exchange, on_balance_read);
    else
        move_money(exchange);
}

/* While others that may yet be right hold all tokens, nobody is told that too many were wrong. */
static void submit_guess(struct exchange *exchange)
{
    struct payment *payment = exchange->data;
    switch (
        budget_hold(exchange->handlers->budget, &payment->budget, payment->received_monotonic_us)) {
    case BUDGET_HELD:
        payment->is_holding = true;
        break;
    case BUDGET_BUSY:
        if (!exchange_wait(exchange, submit_guess))
            tell_error(exchange, ERR_CANCELLED, false);
        return;
    case BUDGET_EXHAUSTED:
        payment->is_throttled = true;
        break;
    }
    submit(exchange);
}

/* A PIN or four digits can be guessed in a burst, so such a request holds its tokens while it is
 * decided. A full number alone pays when it turns out to be unknown: many tills may use one card at
 * once. */
static void serve_from_store(struct exchange *exchange)
{
    struct payment *payment = exchange->data;
    struct payment_request *request = &payment->request;
    struct budget *budget = exchange->handlers->budget;
    budget_keys_fill(budget, &payment->budget, exchange->tenant->tenant.id, request->site_id,
                     request->register_id, payment->card_index, text_of(request->card.number));
    bool is_guess = request->card.pin[0] != '\0' || request->is_last4;
    if (!request->is_last4)
        hash_pin(exchange, payment);
    if (is_guess) {
        budget_share_read(exchange, &payment->budget, submit_guess);
        return;
    }
    payment->is_throttled =
        budget_is_exhausted(budget, &payment->budget, payment->received_monotonic_us, NULL);
    submit(exchange);
}

static void on_hot_balance(struct exchange *exchange, const struct hot_value *value)
{
    if (value == NULL || !tell_hot_balance(exchange, value))
        serve_from_store(exchange);
}

static void serve_balance(struct exchange *exchange)
{
    const struct payment *payment = exchange->data;
    struct hot_value value;
    enum hot_answer answer = HOT_MISS;
    if (!payment->request.is_last4 && payment->request.card.pin[0] == '\0')
        answer = exchange_ask_hot(exchange, payment->card_index, &value, on_hot_balance);
    if (answer != HOT_LATER)
        on_hot_balance(exchange, answer == HOT_HIT ? &value : NULL);
}

static void serve(struct exchange *exchange, enum profile_action action)
{
    struct payment *payment = payment_create(exchange, action);
    if (!read_request(exchange, payment) || !check_request(exchange, payment))
        return;
    find_date(exchange, payment);
    seal_card_index(exchange->handlers->seal, exchange->tenant->tenant.id,
                    text_of(payment->request.card.number), payment->card_index);
    if (action == PROFILE_CHECK_BALANCE)
        serve_balance(exchange);
    else
        serve_from_store(exchange);
}

void oseries_checkout(struct exchange *exchange)
{
    serve(exchange, PROFILE_CHECKOUT);
}

void oseries_check_balance(struct exchange *exchange)
{
    serve(exchange, PROFILE_CHECK_BALANCE);
}

void oseries_top_up(struct exchange *exchange)
{
    serve(exchange, PROFILE_TOP_UP);
}

void oseries_refund(struct exchange *exchange)
{
    serve(exchange, PROFILE_REFUND);
}
