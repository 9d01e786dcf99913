/*
 * What staff should know of an operation is shown on the register's screen: money that went back to
 * a card, or was charged again, after the cashier had turned to the next customer.
 */
#include "lightspeed/inbox_state.h"

#include <string.h>

#include "base/banned.h"

/* The API takes 5 of an order (o-series 7.6); two are left to others. */
#define NOTICES_OF_ORDER_MAX 3
/* One in three minutes: more is an outage, which the merchant reads in his report. */
#define NOTICES_OF_TENANT_MAX 20
#define NOTICES_SPAN_US (INT64_C(3600) * CLOCK_US_PER_S)
#define NOTICE_DURATION_S NOTICE_S_MAX
/* Whom it concerned has left the counter. */
#define NOTICE_LATE_US (INT64_C(900) * CLOCK_US_PER_S)

/* --- what is told: pure --- */

/* $25.50 */
static void append_money(struct text_buffer *out, const struct currency *currency,
                         int64_t amount_minor)
{
    text_append(out, text_of(currency_symbol(currency)));
    money_append(out, amount_minor, currency->exponent);
}

/* Of its own reversals, and of others in its place. */
static int64_t given_minor(const struct proof_facts *facts)
{
    return facts->reversed_minor - facts->recharged_minor - facts->placed_minor;
}

enum news notify_news(const struct proof_facts *facts, int64_t *amount_minor)
{
    const struct proof *proof = &facts->proof;
    bool is_charge = proof->action == ACTION_CHARGE;
    *amount_minor = 0;
    /* Open: it was given back at once, and its order is still to be read for it. */
    if ((proof->state == PROOF_REVERSED || proof->state == PROOF_OPEN) && is_charge) {
        *amount_minor = given_minor(facts);
        return *amount_minor > 0 ? NEWS_GIVEN_BACK : NEWS_NONE;
    }
    if (proof->state == PROOF_REVERSED && proof->action == ACTION_REFUND) {
        *amount_minor = facts->recharged_minor;
        return *amount_minor > 0 ? NEWS_TAKEN_BACK : NEWS_NONE;
    }
    if (proof->state == PROOF_CONFIRMED && is_charge && facts->recharged_minor > 0) {
        *amount_minor = facts->recharged_minor;
        return NEWS_CHARGED_AGAIN;
    }
    if (proof->state == PROOF_LISTED && proof->reason == PROOF_REASON_CARD_EMPTY && is_charge) {
        *amount_minor = given_minor(facts);
        return *amount_minor > 0 ? NEWS_CARD_EMPTY : NEWS_NONE;
    }
    return NEWS_NONE;
}

static const char *const after_amount[] = {
    [NEWS_NONE] = "",
    [NEWS_GIVEN_BACK] = " given back, this sale does not show its payment",
    [NEWS_TAKEN_BACK] = " charged again, this sale does not show its refund",
    [NEWS_CHARGED_AGAIN] = " charged after all, this sale shows its payment",
    [NEWS_CARD_EMPTY] = " of this sale could not be charged, too little is left on the card",
};

void notify_compose(const struct proof_facts *facts, const struct currency *currency,
                    struct text_buffer *message)
{
    int64_t amount_minor;
    enum news news = notify_news(facts, &amount_minor);
    text_append(message, TEXT("Gift card ..."));
    text_append(message, text_of(facts->last4));
    text_append(message, TEXT(": "));
    append_money(message, currency, amount_minor);
    text_append(message, text_of(after_amount[news]));
}

/* --- how much is told --- */

/* NULL: it may be told. */
static const char *notices_refuse(const struct notices *notices, const struct told_notice *notice)
{
    int32_t of_order = 0, of_tenant = 0;
    for (int32_t i = 0; i < NOTICES_KEPT; i++) {
        const struct told_notice *each = &notices->told[i];
        if (each->tenant_id != notice->tenant_id)
            continue;
        if (each->operation_id == notice->operation_id && each->news == notice->news)
            return "was told before";
        of_order += each->order_id == notice->order_id;
        of_tenant += notice->at_us - each->at_us < NOTICES_SPAN_US;
    }
    if (of_order >= NOTICES_OF_ORDER_MAX)
        return "not told: enough was told of this sale";
    if (of_tenant >= NOTICES_OF_TENANT_MAX)
        return "not told: enough was told within an hour";
    return NULL;
}

static void notices_take(struct notices *notices, const struct told_notice *notice)
{
    notices->told[notices->next] = *notice;
    notices->next = (notices->next + 1) % NOTICES_KEPT;
}

const char *notices_note(struct notices *notices, const struct told_notice *notice)
{
    const char *refusal = notices_refuse(notices, notice);
    if (refusal == NULL)
        notices_take(notices, notice);
    return refusal;
}

void notices_forget(struct notices *notices, int64_t operation_id)
{
    for (int32_t back = 1; back <= NOTICES_KEPT; back++) {
        struct told_notice *each =
            &notices->told[(notices->next - back + NOTICES_KEPT) % NOTICES_KEPT];
        if (each->operation_id != operation_id)
            continue;
        *each = (struct told_notice){0};
        return;
    }
}

/* --- telling --- */

static void notify_refused(struct chore *chore, const struct api_result *result)
{
    char reason[WORK_REASON_MAX + 1];
    struct text_buffer buffer;
    text_buffer_init(&buffer, reason, sizeof(reason));
    text_append_format(&buffer, "not told: Lightspeed says %d", result->status);
    if (result->sentence[0] != '\0')
        text_append_format(&buffer, ": %.120s", result->sentence);
    chore_done(chore, reason);
}

/* It is news and no duty: what cannot be shown now is left out. */
static void on_posted(void *context, const struct api_result *result)
{
    struct chore *chore = context;
    if (result->error == 0) {
        atomic_fetch_add_explicit(&chore->inbox->noticed, 1, memory_order_relaxed);
        chore_done(chore, "");
    } else if (result->error == ERR_REFUSED || result->error == ERR_NOT_FOUND) {
        notify_refused(chore, result);
    } else if (result->error == ERR_NOT_CONNECTED || result->error == ERR_NO_APP) {
        chore_done(chore, "not told: the merchant is not connected to Lightspeed");
    } else if (result->may_have_happened) {
        chore_done(chore, "may have been told: no reply came");
    } else {
        notices_forget(&chore->inbox->notices, chore->work.subject_id);
        chore_retry_api(chore, result);
    }
}

static void notify_post(struct chore *chore, const struct proof_facts *facts, int64_t order_id)
{
    char message[NOTICE_MAX + 1];
    struct text_buffer buffer;
    int64_t amount_minor;
    struct api_call call = chore_call(chore);
    text_buffer_init(&buffer, message, sizeof(message));
    notify_compose(facts, &chore->tenant->tenant.currency, &buffer);
    const struct notice notice = {.is_urgent = notify_news(facts, &amount_minor) == NEWS_CARD_EMPTY,
                                  .duration_s = NOTICE_DURATION_S,
                                  .message = message};
    oseries_api_post_notification(chore->inbox->config.api, &call, order_id, &notice, on_posted,
                                  chore);
}

static void notify_tell(struct chore *chore, const struct proof_facts *facts)
{
    const struct proof *proof = &facts->proof;
    int64_t amount_minor;
    const struct told_notice told = {
        .tenant_id = chore->work.tenant_id,
        .order_id = proof->shown_order_id != 0 ? proof->shown_order_id : proof->order_id,
        .operation_id = proof->operation_id,
        .news = notify_news(facts, &amount_minor),
        .at_us = clock_steady_us(),
    };
    if (told.news == NEWS_NONE || told.order_id == 0) {
        chore_done(chore, "there is nothing to tell");
        return;
    }
    const char *refusal = notices_note(&chore->inbox->notices, &told);
    if (refusal != NULL)
        chore_done(chore, refusal);
    else
        notify_post(chore, facts, told.order_id);
}

/* ERR_STALE: an operation whose proof the scan has still to make. */
static int task_read(struct job *job, struct store *store)
{
    struct proof_facts *facts = errand_data_of(job);
    int64_t operation_id = facts->proof.operation_id;
    int err = store_read_proof(store, operation_id, facts);
    if (err == ERR_NOT_FOUND)
        err = store_read_operation(store, operation_id, &facts->operation);
    else
        return err;
    return err == 0 ? ERR_STALE : err;
}

static void on_read(struct errand *errand)
{
    struct chore *chore = errand->context;
    if (errand->job.error == ERR_NOT_FOUND)
        chore_done(chore, "there is nothing to tell");
    else if (errand->job.error == ERR_STALE)
        chore_retry(chore, "its proof is still to be made");
    else if (errand->job.error != 0)
        chore_retry_store(chore, errand->job.error);
    else
        notify_tell(chore, errand_data(errand));
}

void notify_begin(struct chore *chore)
{
    if (!chore->tenant->tenant.notify_is_on) {
        chore_done(chore, "not told: the merchant wants no notices");
        return;
    }
    if (clock_steady_us() - chore->work.created_at_us > NOTICE_LATE_US) {
        chore_done(chore, "not told: it is too late for that");
        return;
    }
    struct errand *errand = chore_errand(chore, sizeof(struct proof_facts));
    if (errand == NULL)
        return;
    ((struct proof_facts *)errand_data(errand))->proof.operation_id = chore->work.subject_id;
    errand_read(errand, chore->inbox->config.reader, task_read, on_read, chore);
}
