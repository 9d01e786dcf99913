/*
 * A payment that we add to the order ourselves (tenants whose register does not): the order is read
 * first, and a payment with our reference means that it is done. Before it is sent its approval is
 * looked at once more (store/foreign.h), and what the API says of it is kept.
 */
#include "lightspeed/booking.h"
#include "lightspeed/inbox_state.h"

#include <string.h>

#include "base/banned.h"

#define GIVEN_BACK "given back before it was added to the order"
#define MAY_BE_THERE                                                                               \
    "the order has a payment of this amount, without our reference, that came since it was sent: " \
    "it may be this one"

/* As the register was told. */
static void payment_ref(const struct chore *chore, char ref[ORDER_REF_MAX + 1])
{
    payment_ref_make(chore->inbox->config.generation, chore->operation.id, ref);
}

/* "400,401,403" */
static bool is_listed(const char *statuses, int status)
{
    struct text rest = text_of(statuses);
    while (rest.length > 0) {
        const char *comma = memchr(rest.base, ',', rest.length);
        size_t length = comma == NULL ? rest.length : (size_t)(comma - rest.base);
        int64_t each;
        if (text_parse_int64(text_trim(text_slice(rest, 0, length)), &each) == 0 && each == status)
            return true;
        rest = text_slice(rest, length + 1, rest.length);
    }
    return false;
}

/* Written with the work, whatever becomes of that. */
static void payment_answered(struct chore *chore, enum foreign_end end, int status,
                             const char *sentence)
{
    struct text_buffer buffer;
    chore->answer = (struct foreign_attempt){.tenant_id = chore->work.tenant_id,
                                             .operation_id = chore->work.subject_id,
                                             .end = end,
                                             .api_status = status,
                                             .answered_at_us = clock_steady_us(),
                                             .alike_before = chore->alike_before};
    text_buffer_init(&buffer, chore->answer.api_answer, sizeof(chore->answer.api_answer));
    text_append(&buffer, text_of(sentence));
}

static void payment_never_sent(struct chore *chore, const char *reason)
{
    payment_answered(chore, FOREIGN_UNPAID, 0, reason);
}

/* Today, at the site of the charge. */
static int32_t payment_date(const struct chore *chore)
{
    const struct directory_site *site =
        directory_find_site(chore->snapshot, chore->operation.tenant_id, chore->operation.site_id);
    return clock_local_date(site != NULL ? site->zone : chore->tenant->zone, clock_wall_us());
}

/* --- a payment that is certainly not on the order, nor ever will be: its charge goes back --- */

/* The extra bytes of its errands. */
struct back {
    char reason[WORK_REASON_MAX + 1]; /* why it is given up */
    uint8_t card_index[CARD_INDEX_BYTES];
    struct work notice, prove;
};

static void on_told(struct errand *errand)
{
    const struct back *back = errand_data(errand);
    if (errand->job.error != 0)
        log_event(LOG_WARNING, "reversal_not_told",
                  LOG_INT("operation_id", back->notice.subject_id),
                  LOG_TEXT("error", error_name(errand->job.error)));
    chore_give_up(errand->context, back->reason);
}

static int task_tell(struct job *job, struct store *store)
{
    struct back *back = errand_data_of(job);
    int err = store_add_work(store, &back->notice);
    if (err == 0 || err == ERR_ALREADY_EXISTS)
        err = store_open_work(store, &back->prove);
    return err;
}

/* Whoever was faster has told it. */
static void on_reversed(struct errand *errand)
{
    struct chore *chore = errand->context;
    const struct outcome *outcome = &errand->job.outcome;
    const struct back *before = errand_data(errand);
    if (errand->job.error != 0) {
        chore_retry_store(chore, errand->job.error);
        return;
    }
    log_event(LOG_INFO, "payment_given_back", LOG_INT("operation_id", chore->operation.id),
              LOG_INT("reversed_operation_id", outcome->operation_id),
              LOG_TEXT("result", result_name(outcome->result)),
              LOG_INT("amount_minor", outcome->amount_minor));
    if (outcome->result != RESULT_OK) {
        chore_give_up(chore, before->reason);
        return;
    }
    struct errand *next = chore_errand(chore, sizeof(struct back));
    if (next == NULL)
        return;
    struct back *back = errand_data(next);
    int64_t now_us = clock_steady_us();
    const struct operation *operation = &chore->operation;
    *back = *before;
    back->notice =
        work_make(operation->tenant_id, WORK_NOTIFY, operation->id, outcome->operation_id, now_us);
    back->prove = work_make(operation->tenant_id, WORK_PROVE_ORDER, operation->order_id,
                            operation->order_id, now_us);
    next->job.joins = true;
    errand_write(next, chore->inbox->config.committer, task_tell, on_told, chore);
}

static void on_card(struct errand *errand)
{
    struct chore *chore = errand->context;
    const struct back *found = errand_data(errand);
    const struct operation *operation = &chore->operation;
    if (errand->job.error != 0) {
        chore_retry_store(chore, errand->job.error);
        return;
    }
    struct errand *next = chore_errand(chore, sizeof(struct back));
    if (next == NULL)
        return;
    *(struct back *)errand_data(next) = *found;
    struct command *command = &next->job.command;
    *command = (struct command){.action = ACTION_REVERSE,
                                .answers_operation_id = operation->id,
                                .tenant_id = operation->tenant_id,
                                .order_id = operation->order_id,
                                .site_id = operation->site_id,
                                .register_id = operation->register_id,
                                .amount_result = RESULT_OK,
                                .asked_minor = operation_left_minor(operation),
                                .local_date = payment_date(chore),
                                .received_at_us = clock_steady_us(),
                                .policy = chore->tenant->tenant.policy};
    memcpy(command->card_index, found->card_index, CARD_INDEX_BYTES);
    errand_command(next, chore->inbox->config.committer, on_reversed, chore);
}

struct card_task {
    struct back back; /* first: what on_card finds */
    int64_t card_id;
};

static int task_card(struct job *job, struct store *store)
{
    struct card_task *task = errand_data_of(job);
    struct card card;
    int err = store_read_card_by_id(store, task->card_id, &card);
    if (err == 0)
        memcpy(task->back.card_index, card.index, CARD_INDEX_BYTES);
    return err;
}

/* The extra bytes of its errand. */
struct answer_task {
    struct foreign_attempt answer;
    struct card_task next;
};

static int task_answer(struct job *job, struct store *store)
{
    const struct answer_task *task = errand_data_of(job);
    if (task->answer.tenant_id == 0) /* nothing was sent this time */
        return 0;
    int err = store_answer_foreign_attempt(store, &task->answer);
    return err == ERR_NOT_FOUND ? 0 : err;
}

static void on_answered(struct errand *errand)
{
    struct chore *chore = errand->context;
    const struct answer_task *task = errand_data(errand);
    if (errand->job.error != 0) {
        chore_retry_store(chore, errand->job.error);
        return;
    }
    struct errand *next = chore_errand(chore, sizeof(struct card_task));
    if (next == NULL)
        return;
    *(struct card_task *)errand_data(next) = task->next;
    errand_read(next, chore->inbox->config.reader, task_card, on_card, chore);
}

/* What Lightspeed has said is written first: once the charge is given back nobody asks again, and
 * the next customers are not to be charged for nothing. */
static void payment_give_back(struct chore *chore, const char *reason)
{
    struct errand *errand = chore_errand(chore, sizeof(struct answer_task));
    struct text_buffer buffer;
    if (errand == NULL)
        return;
    struct answer_task *task = errand_data(errand);
    *task = (struct answer_task){.answer = chore->answer,
                                 .next = {.card_id = chore->operation.card_id}};
    text_buffer_init(&buffer, task->next.back.reason, sizeof(task->next.back.reason));
    text_append(&buffer, text_of(reason));
    errand->job.joins = true;
    errand_write(errand, chore->inbox->config.committer, task_answer, on_answered, chore);
}

/* One that was sent before, and of which nothing is known, may stand there without our reference:
 * that is reconciliation's. */
static void payment_end_unpaid(struct chore *chore, const char *reason)
{
    if (chore->may_be_paid)
        chore_give_up(chore, reason);
    else
        payment_give_back(chore, reason);
}

/* --- sending it --- */

static void payment_refused(struct chore *chore, const struct api_result *result)
{
    char reason[WORK_REASON_MAX + 1];
    struct text_buffer buffer;
    text_buffer_init(&buffer, reason, sizeof(reason));
    text_append_format(&buffer, "Lightspeed refuses the payment: %d", result->status);
    if (result->sentence[0] != '\0')
        text_append_format(&buffer, ": %.120s", result->sentence);
    payment_end_unpaid(chore, reason);
}

/* Did Lightspeed have a say in it? */
static bool is_answer(const struct api_result *result)
{
    return result->status != 0 || result->may_have_happened;
}

/* Kept as evidence where it is an answer; where it is none the attempt is as if never sent. */
static void payment_note(struct chore *chore, const struct api_result *result, bool is_final)
{
    const char *words = result->sentence[0] != '\0' ? result->sentence : error_name(result->error);
    bool is_none = !is_answer(result);
    if (is_none && chore->may_be_paid) /* what was said of the one before stays */
        return;
    if (!result->may_have_happened && !chore->may_be_paid)
        chore->alike_before = -1;
    bool is_unpaid = is_final && !chore->may_be_paid; /* the one before may be on the order */
    payment_answered(chore, is_unpaid ? FOREIGN_UNPAID : FOREIGN_OPEN, result->status,
                     is_none ? "" : words);
    if (is_none)
        chore->answer.answered_at_us = 0;
}

static void on_posted(void *context, const struct api_result *result)
{
    struct chore *chore = context;
    if (result->error == 0) {
        payment_answered(chore, FOREIGN_PAID, result->status, "");
        chore_done(chore, "");
        return;
    }
    if (!result->may_have_happened)
        chore->work.due_at_us = 0; /* nothing is under way, so nothing need be waited out */
    bool is_no = result->error == ERR_REFUSED || result->error == ERR_NOT_FOUND;
    bool is_final = is_no && is_listed(chore->tenant->tenant.payment_refusals, result->status);
    payment_note(chore, result, is_final);
    if (is_final)
        payment_refused(chore, result);
    else
        chore_retry_api(chore, result);
}

/* What may have been sent has no end before reconciliation says so. */
static void payment_drop(struct chore *chore)
{
    if (chore->is_unsent)
        payment_never_sent(chore, GIVEN_BACK);
    chore_done(chore, GIVEN_BACK);
}

static bool is_given_back(const struct operation *operation)
{
    return operation_left_minor(operation) == 0;
}

/* The extra bytes of its errand. */
struct arm {
    struct work work;
    int32_t alike; /* payments_count_alike, now */
    struct foreign_attempt attempt;
    struct operation operation; /* out: as it is by now */
};

static bool may_be_sent(const struct foreign_attempt *attempt)
{
    return attempt->verdict == FOREIGN_ALLOWED && attempt->end == FOREIGN_OPEN;
}

/* An API that keeps no reference may have made it when no reply came. */
static bool may_be_there(const struct arm *arm)
{
    return arm->alike > arm->attempt.alike_before;
}

/* Decided where reversals and refunds are: what comes after it finds this work armed. A process
 * that has lost the duty meanwhile finds it taken. */
static int task_arm(struct job *job, struct store *store)
{
    struct arm *arm = errand_data_of(job);
    int err = store_read_operation(store, arm->attempt.operation_id, &arm->operation);
    if (err != 0 || is_given_back(&arm->operation))
        return err;
    err = store_take_work(store, &arm->work);
    return err != 0 ? err : store_begin_foreign_payment(store, clock_steady_us(), &arm->attempt);
}

/* Nothing was sent; work that is retried is judged anew. */
static void payment_not_approved(struct chore *chore, const struct foreign_attempt *attempt)
{
    char reason[WORK_REASON_MAX + 1];
    struct text_buffer buffer;
    if (attempt->end == FOREIGN_PAID) {
        chore_give_up(chore, "it was paid before, and the order does not show it any more");
        return;
    }
    text_buffer_init(&buffer, reason, sizeof(reason));
    text_append_format(&buffer, "not sent, for want of Lightspeed's approval: %s",
                       foreign_verdict_name(attempt->verdict));
    if (attempt->verdict == FOREIGN_SUSPENDED)
        payment_end_unpaid(chore, reason);
    else
        chore_give_up(chore, reason); /* somebody has taken it back, and may give it again */
}

/* It is written down that a payment may be on its way: a process that starts anew waits for it too.
 */
static void on_armed(struct errand *errand)
{
    struct chore *chore = errand->context;
    const struct arm *arm = errand_data(errand);
    char ref[ORDER_REF_MAX + 1];
    chore->work.openings = arm->work.openings;
    if (errand->job.error != 0) {
        chore_retry_store(chore, errand->job.error);
        return;
    }
    if (is_given_back(&arm->operation)) { /* while the order was read */
        payment_drop(chore);
        return;
    }
    chore->may_be_paid = arm->attempt.may_be_paid;
    chore->alike_before = arm->attempt.alike_before;
    if (!may_be_sent(&arm->attempt)) {
        chore->work.due_at_us = 0; /* as it was found: nothing is under way */
        payment_not_approved(chore, &arm->attempt);
        return;
    }
    if (may_be_there(arm)) {
        payment_answered(chore, FOREIGN_OPEN, arm->attempt.api_status, MAY_BE_THERE);
        chore_give_up(chore, MAY_BE_THERE);
        return;
    }
    struct api_call call = chore_call(chore);
    payment_ref(chore, ref);
    oseries_api_post_payment(chore->inbox->config.api, &call, chore->operation.order_id,
                             chore->operation.amount_minor, ref, on_posted, chore);
}

static void payment_arm(struct chore *chore, const struct oseries_order *order)
{
    const struct operation *operation = &chore->operation;
    struct errand *errand = chore_errand(chore, sizeof(struct arm));
    if (errand == NULL)
        return;
    chore->work.due_at_us = clock_steady_us() + INBOX_SETTLE_US;
    struct arm *arm = errand_data(errand);
    arm->work = chore->work;
    arm->alike = payments_count_alike(order, operation->amount_minor);
    arm->attempt = (struct foreign_attempt){.tenant_id = operation->tenant_id,
                                            .operation_id = operation->id,
                                            .order_id = operation->order_id,
                                            .site_id = operation->site_id,
                                            .amount_minor = operation->amount_minor,
                                            .local_date = payment_date(chore),
                                            .alike_before = arm->alike};
    errand->job.joins = true;
    errand_write(errand, chore->inbox->config.committer, task_arm, on_armed, chore);
}

static bool has_payment(const struct oseries_order *order, const char *ref)
{
    for (int32_t i = 0; i < order->payment_count; i++)
        if (strcmp(order->payments[i].ref, ref) == 0)
            return true;
    return false;
}

static void payment_cannot(struct chore *chore, const char *reason)
{
    if (chore->is_unsent)
        payment_never_sent(chore, reason);
    chore_give_up(chore, reason);
}

static void payment_found(struct chore *chore)
{
    payment_answered(chore, FOREIGN_PAID, 200, "found on the order");
    if (is_given_back(&chore->operation))
        chore_give_up(chore, "given back, and yet the payment is on the order");
    else
        chore_done(chore, "the payment is on the order");
}

static void on_order(void *context, const struct api_result *result,
                     const struct oseries_order *order)
{
    struct chore *chore = context;
    char ref[ORDER_REF_MAX + 1];
    if (result->error != 0) { /* also "not found": a till's order may reach the API late */
        chore_retry_api(chore, result);
        return;
    }
    payment_ref(chore, ref);
    if (has_payment(order, ref))
        payment_found(chore);
    else if (order_payments_are_cut(order))
        chore_give_up(chore, "the order has more payments than can be looked through");
    else if (is_given_back(&chore->operation))
        payment_drop(chore);
    else if (order->is_deleted)
        payment_cannot(chore, "the order was deleted before the payment was added");
    else
        payment_arm(chore, order);
}

/* Neither is anything under way then, nor has a process died that had sent one. */
static bool was_never_sent(const struct work *work)
{
    return work->attempts == 0 && work->due_at_us == work->created_at_us;
}

static int task_read(struct job *job, struct store *store)
{
    struct operation *operation = errand_data_of(job);
    return store_read_operation(store, operation->id, operation);
}

static void on_read(struct errand *errand)
{
    struct chore *chore = errand->context;
    const struct operation *operation = errand_data(errand);
    if (errand->job.error != 0) {
        chore_retry_store(chore, errand->job.error);
        return;
    }
    chore->operation = *operation;
    chore->is_unsent = was_never_sent(&chore->work);
    if (is_given_back(&chore->operation) && chore->is_unsent) {
        payment_drop(chore);
        return;
    }
    if (operation->order_id == 0) {
        payment_cannot(chore, "charged without an order: there is none to add a payment to");
        return;
    }
    struct api_call call = chore_call(chore);
    oseries_api_get_order(chore->inbox->config.api, &call, operation->order_id, on_order, chore);
}

void payment_begin(struct chore *chore)
{
    struct errand *errand = chore_errand(chore, sizeof(struct operation));
    if (errand == NULL)
        return;
    ((struct operation *)errand_data(errand))->id = chore->work.subject_id;
    errand_read(errand, chore->inbox->config.reader, task_read, on_read, chore);
}
