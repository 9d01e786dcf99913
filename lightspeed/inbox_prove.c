/*
 * The chore that proves an order: reads what is known, reads the order, judges, writes down what it
 * shows, and lets the ledger move what has to move. Each step finds out by itself whether it was
 * done before: what the ledger has recorded is asked first, whatever a proof says.
 */
#include "base/error.h"
#include "lightspeed/prove_state.h"

#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

#define REPEAT_US CLOCK_US_PER_S /* there is more to do, or somebody was faster */
/* An order that stays as it is, is looked at less and less: after as long again, but so often. */
#define QUIET_MAX_US (INT64_C(4) * 3600 * CLOCK_US_PER_S)
/* An error of the API is no judgement before it came so often, and never for what was read once. */
#define PASSING_TRIES_MAX 5
#define PASSING_MAX_US (INT64_C(600) * CLOCK_US_PER_S)    /* between two tries */
#define SWEEP_WAIT_MAX_US (INT64_C(600) * CLOCK_US_PER_S) /* a moment when nothing waits */

/* --- when to look again --- */

static int64_t longer(int64_t a_us, int64_t b_us)
{
    return a_us > b_us ? a_us : b_us;
}

static int64_t quiet_us(const struct reconcile_times *times, int64_t since_us)
{
    return longer(times->reread_us, clock_sooner_us(since_us, QUIET_MAX_US));
}

static int64_t young_us(const struct judge_case *about, int64_t age_us)
{
    return longer(about->times.reverse_age_us, about->replay_window_us + 1) - age_us;
}

/* From now on; 0: nothing more is expected of it. */
static int64_t judged_due_us(const struct judge_case *about, const struct judged *judged)
{
    const struct reconcile_times *times = &about->times;
    int64_t age_us = about->now_us - judged->facts->operation.created_at_us;
    int64_t missing_us = about->now_us - judged->missing_since_us;
    switch (judged->judgement) {
    case JUDGED_KEEP:
        return judged->facts->proof.state == PROOF_LISTED ? times->open_listed_us : 0;
    case JUDGED_CONFIRMED:
        return 0;
    case JUDGED_UNDONE:
        return judged->facts->proof.state == PROOF_CONFIRMED ? REPEAT_US : 0;
    case JUDGED_LIST:
        return judged->facts->proof.state == PROOF_CONFIRMED ? REPEAT_US : times->open_listed_us;
    case JUDGED_WAIT:
        return clock_sooner_us(quiet_us(times, age_us),
                               longer(times->open_listed_us - age_us, times->reread_us));
    case JUDGED_MISSING:
        return longer(young_us(about, age_us), times->reread_us - missing_us);
    case JUDGED_SWEEP:
        return quiet_us(times,
                        clock_sooner_us((missing_us - times->reread_us) / 4, SWEEP_WAIT_MAX_US));
    case JUDGED_REVERSE:
    case JUDGED_TAKE_BACK:
    case JUDGED_RECHARGE:
    case JUDGED_GIVE_AGAIN:
    case JUDGED_STAND_IN:
        return REPEAT_US; /* its command was not seen through */
    }
    return 0;
}

static bool is_order_open(const struct prove *prove)
{
    const struct oseries_order *order = &prove->order;
    return prove->has_order && !order->is_deleted && order->status != ORDER_COMPLETE;
}

/* The earliest of what is expected; 0: nothing. *why: of the first that is not settled. What is
 * confirmed on an open order may go again, and no list of ended orders would tell. */
static int64_t prove_due_us(const struct prove *prove, enum proof_reason *why)
{
    bool may_lose = is_order_open(prove) && (prove->count > 0 || prove->has_payments);
    int64_t next_us = may_lose ? prove->about.times.open_listed_us : 0;
    *why = PROOF_REASON_NONE;
    for (int32_t i = 0; i < prove->count; i++) {
        int64_t due_us = judged_due_us(&prove->about, &prove->judged[i]);
        if (due_us <= 0)
            continue;
        next_us = next_us == 0 ? due_us : clock_sooner_us(next_us, due_us);
        if (*why == PROOF_REASON_NONE)
            *why = prove->judged[i].reason;
    }
    return next_us;
}

/* --- how it ends --- */

static void prove_wait(struct chore *chore, int64_t delay_us, const char *reason)
{
    bool is_over = clock_steady_us() - chore->work.created_at_us > WORK_KEEP_US;
    if (is_over && reason[0] == '\0') {
        chore_done(chore, "");
        return;
    }
    chore->work.attempts += chore->work.attempts < INT32_MAX;
    chore_wait(chore, delay_us, reason);
}

static void prove_back_off(struct chore *chore, int64_t delay_max_us, const char *reason)
{
    int64_t delay_us = REPEAT_US;
    for (int32_t i = 0; i < chore->work.attempts && delay_us < delay_max_us; i++)
        delay_us *= 2;
    prove_wait(chore, clock_sooner_us(delay_us, delay_max_us), reason);
}

static void prove_repeat(struct chore *chore, const char *reason)
{
    prove_back_off(chore, QUIET_MAX_US, reason);
}

static void prove_ask_again(struct chore *chore)
{
    char reason[WORK_REASON_MAX + 1];
    struct text_buffer buffer;
    text_buffer_init(&buffer, reason, sizeof(reason));
    text_append_format(&buffer, "Lightspeed: %s", error_name(chore->prove->api_error));
    prove_back_off(chore, PASSING_MAX_US, reason);
}

static void prove_end(struct chore *chore)
{
    const struct prove *prove = chore->prove;
    enum proof_reason why;
    int64_t delay_us = prove_due_us(prove, &why);
    if (prove->about.may_pass)
        prove_ask_again(chore);
    else if (prove->must_repeat)
        prove_repeat(chore, "there is more to do than one look can");
    else if (delay_us == 0)
        chore_done(chore, "");
    else
        prove_wait(chore, delay_us, proof_reason_sentence(why));
}

/* The store's failure, or somebody else was faster: all of it again. */
static bool prove_failed(struct errand *errand)
{
    int err = errand->job.error;
    if (err == ERR_SHUTTING_DOWN)
        chore_retry_store(errand->context, err);
    else if (err != 0)
        prove_repeat(errand->context, error_name(err));
    return err != 0;
}

/* --- what has happened, for metrics and the log --- */

static void count_state(struct inbox *inbox, const struct proof *before, const struct proof *after)
{
    _Atomic uint64_t *const counters[] = {[PROOF_CONFIRMED] = &inbox->confirmed,
                                          [PROOF_REVERSED] = &inbox->reversed,
                                          [PROOF_LISTED] = &inbox->listed};
    if (before->state == after->state || after->state == PROOF_OPEN)
        return;
    atomic_fetch_add_explicit(counters[after->state], 1, memory_order_relaxed);
    log_event(after->state == PROOF_LISTED ? LOG_WARNING : LOG_INFO, "proof",
              LOG_INT("operation_id", after->operation_id), LOG_INT("tenant_id", after->tenant_id),
              LOG_INT("order_id", after->order_id),
              LOG_TEXT("state", proof_state_name(after->state)),
              LOG_TEXT("reason", proof_reason_name(after->reason)));
}

/* --- moving money: the ledger decides --- */

static void prove_next(struct chore *chore);

struct settle_task {
    struct proof proof;
    int64_t told_by, now_us;
};

static int task_settle(struct job *job, struct store *store)
{
    struct settle_task *task = errand_data_of(job);
    struct proof proof = task->proof;
    int err = store_begin_group(store);
    if (err != 0)
        return err;
    err = prove_write_proof(store, &proof, task->told_by, task->now_us);
    if (err != 0)
        goto err_after_begin;
    return store_commit_group(store);
err_after_begin:
    store_rollback_group(store);
    return err;
}

static void on_settled(struct errand *errand)
{
    struct chore *chore = errand->context;
    struct prove *prove = chore->prove;
    const struct settle_task *task = errand_data(errand);
    if (prove_failed(errand))
        return;
    count_state(chore->inbox, &prove->facts[prove->at].proof, &task->proof);
    prove->at++;
    prove_next(chore);
}

static void prove_settle(struct chore *chore, const struct judged *judged, int64_t told_by)
{
    struct prove *prove = chore->prove;
    struct errand *errand = chore_errand(chore, sizeof(struct settle_task));
    if (errand == NULL)
        return;
    prove->judged[prove->at] = *judged;
    *(struct settle_task *)errand_data(errand) =
        (struct settle_task){.proof = prove_follow(&prove->after[prove->at], judged),
                             .told_by = told_by,
                             .now_us = clock_steady_us()};
    inbox_wake(chore->inbox); /* the notice */
    errand_write(errand, chore->inbox->config.committer, task_settle, on_settled, chore);
}

static bool goes_back(enum judgement judgement)
{
    return judgement == JUDGED_REVERSE || judgement == JUDGED_TAKE_BACK;
}

static const struct prove_target *prove_target(const struct prove *prove,
                                               const struct judged *judged)
{
    if (judged->judgement == JUDGED_STAND_IN)
        return &prove->left[judged->stand_in];
    return goes_back(judged->judgement) ? &prove->left[prove->at] : &prove->undone[prove->at];
}

/* One command undoes one operation. */
static int64_t prove_asked_minor(const struct prove *prove, const struct judged *judged)
{
    int64_t rest_minor = prove_target(prove, judged)->rest_minor;
    int64_t wanted_minor = judged_minor(judged);
    return wanted_minor < rest_minor ? wanted_minor : rest_minor;
}

/* What the ledger has made of it. false: there is more to do, or it is not what we thought. */
static bool judge_outcome(const struct prove *prove, const struct outcome *outcome,
                          struct judged *judged)
{
    bool is_ok = outcome->result == RESULT_OK;
    bool is_empty = outcome->result == RESULT_NO_FUNDS;
    enum judgement wanted = judged->judgement;
    bool takes_back = wanted == JUDGED_TAKE_BACK;
    bool is_shown = judged->shown_order_id != 0; /* else it undoes a charge that is not either */
    int64_t asked_minor = prove_asked_minor(prove, judged);
    judged->reason = PROOF_REASON_NONE;
    if (is_ok && outcome->amount_minor == judged_minor(judged)) {
        judged->judgement = goes_back(wanted) || !is_shown ? JUDGED_UNDONE : JUDGED_CONFIRMED;
        return true;
    }
    if (!is_empty && (!is_ok || outcome->amount_minor == asked_minor))
        return false;
    judged->judgement = JUDGED_LIST;
    judged->reason = takes_back ? PROOF_REASON_CREDIT_SPENT : PROOF_REASON_CARD_EMPTY;
    return true;
}

static void log_outcome(const struct command *command, const struct outcome *outcome)
{
    log_event(LOG_INFO, "proof_command", LOG_TEXT("action", action_name(command->action)),
              LOG_INT("answers_operation_id", command->answers_operation_id),
              LOG_INT("operation_id", outcome->operation_id), LOG_INT("card_id", outcome->card_id),
              LOG_TEXT("result", result_name(outcome->result)),
              LOG_INT("amount_minor", outcome->amount_minor));
}

struct notice_task {
    struct work notice;
};

static int task_notice(struct job *job, struct store *store)
{
    struct notice_task *task = errand_data_of(job);
    int err = store_add_work(store, &task->notice);
    return err == ERR_ALREADY_EXISTS ? 0 : err;
}

static void on_noticed(struct errand *errand)
{
    struct chore *chore = errand->context;
    if (prove_failed(errand))
        return;
    inbox_wake(chore->inbox);
    chore->prove->at++;
    prove_next(chore);
}

/* Another look says what it has made of both; the staff is told of the one that was lost. */
static void prove_stood_in(struct chore *chore, int64_t reversal_id)
{
    struct prove *prove = chore->prove;
    const struct operation *lost = &prove->facts[prove->at].operation;
    struct errand *errand = chore_errand(chore, sizeof(struct notice_task));
    if (errand == NULL)
        return;
    prove->must_repeat = true;
    ((struct notice_task *)errand_data(errand))->notice =
        work_make(lost->tenant_id, WORK_NOTIFY, lost->id, reversal_id, clock_steady_us());
    errand->job.joins = true;
    errand_write(errand, chore->inbox->config.committer, task_notice, on_noticed, chore);
}

static void on_commanded(struct errand *errand)
{
    struct chore *chore = errand->context;
    struct prove *prove = chore->prove;
    const struct outcome *outcome = &errand->job.outcome;
    if (prove_failed(errand))
        return;
    struct judged judged = prove->judged[prove->at];
    bool is_recharge = errand->job.command.action == ACTION_RECHARGE;
    log_outcome(&errand->job.command, outcome);
    atomic_fetch_add_explicit(&chore->inbox->recharged, is_recharge && outcome->result == RESULT_OK,
                              memory_order_relaxed);
    if (judged.judgement == JUDGED_STAND_IN && outcome->result == RESULT_OK) {
        prove_stood_in(chore, outcome->operation_id);
        return;
    }
    if (judged.judgement != JUDGED_STAND_IN && judge_outcome(prove, outcome, &judged)) {
        prove_settle(chore, &judged,
                     outcome->result == RESULT_OK ? outcome->operation_id
                                                  : judged.facts->proof.operation_id);
        return;
    }
    prove->must_repeat = true;
    prove->at++;
    prove_next(chore);
}

static void prove_command(struct chore *chore)
{
    struct prove *prove = chore->prove;
    const struct judged *judged = &prove->judged[prove->at];
    const struct operation *operation = &judged->facts->operation;
    bool stands_in = judged->judgement == JUDGED_STAND_IN;
    bool gives =
        judged->judgement == JUDGED_REVERSE || judged->judgement == JUDGED_GIVE_AGAIN || stands_in;
    const struct prove_target *target = prove_target(prove, judged);
    struct errand *errand = chore_errand(chore, 0);
    if (errand == NULL)
        return;
    struct command *command = &errand->job.command;
    *command = (struct command){
        .action = gives ? ACTION_REVERSE : ACTION_RECHARGE,
        .answers_operation_id = target->operation_id,
        .in_place_of_id = stands_in ? operation->id : 0,
        .tenant_id = operation->tenant_id,
        .order_id = target->order_id,
        .site_id = operation->site_id,
        .register_id = operation->register_id,
        .amount_result = RESULT_OK,
        .asked_minor = prove_asked_minor(prove, judged),
        .local_date =
            prove_local_date(prove->snapshot, prove->tenant, operation->site_id, clock_wall_us()),
        .received_at_us = clock_steady_us(),
        .policy = prove->tenant->tenant.policy,
    };
    memcpy(command->card_index, judged->facts->card_index, CARD_INDEX_BYTES);
    errand_command(errand, chore->inbox->config.committer, on_commanded, chore);
}

/* It was undone and done again more often than is read: for people. */
static void prove_list_untold(struct chore *chore)
{
    struct judged judged = chore->prove->judged[chore->prove->at];
    judged.judgement = JUDGED_LIST;
    judged.reason = PROOF_REASON_CHANGED;
    prove_settle(chore, &judged, 0);
}

static void prove_next(struct chore *chore)
{
    struct prove *prove = chore->prove;
    while (prove->at < prove->count && !judged_moves_money(prove->judged[prove->at].judgement))
        prove->at++;
    if (prove->at == prove->count)
        prove_end(chore);
    else if (prove_target(prove, &prove->judged[prove->at])->operation_id == 0)
        prove_list_untold(chore);
    else
        prove_command(chore);
}

/* --- writing --- */

static int task_write(struct job *job, struct store *store)
{
    struct prove *const *prove = errand_data_of(job);
    return prove_write(store, *prove);
}

static void on_written(struct errand *errand)
{
    struct chore *chore = errand->context;
    struct prove *prove = chore->prove;
    if (prove_failed(errand))
        return;
    for (int32_t i = 0; i < prove->count; i++)
        count_state(chore->inbox, &prove->facts[i].proof, &prove->after[i]);
    for (int32_t i = 0; i < prove->stranger_count; i++)
        count_state(chore->inbox, &prove->strangers[i].before, &prove->strangers[i].after);
    inbox_wake(chore->inbox); /* other orders, and a sweep */
    prove_next(chore);
}

/* --- judging --- */

static void prove_judge(struct chore *chore)
{
    struct prove *prove = chore->prove;
    struct errand *errand = chore_errand(chore, sizeof(struct prove *));
    if (errand == NULL)
        return;
    prove->about.order = prove->has_order ? &prove->order : NULL;
    reconcile_judge(&prove->about, prove->judged, prove->count, prove->claimed);
    *(struct prove **)errand_data(errand) = prove;
    errand_write(errand, chore->inbox->config.committer, task_write, on_written, chore);
}

/* --- reading --- */

static void on_order(void *context, const struct api_result *result,
                     const struct oseries_order *order)
{
    struct chore *chore = context;
    struct prove *prove = chore->prove;
    if (result->error == ERR_SHUTTING_DOWN) {
        chore_retry_api(chore, result);
        return;
    }
    prove->has_order = result->error == 0;
    prove->api_error = result->error;
    prove->about.is_connected = result->error != ERR_NOT_CONNECTED && result->error != ERR_NO_APP;
    prove->about.may_pass = !prove->has_order && api_error_may_pass(result->error);
    if (prove->has_order)
        prove->order = *order;
    if (prove->about.may_pass && chore->work.attempts < PASSING_TRIES_MAX)
        prove_ask_again(chore);
    else
        prove_judge(chore);
}

/* Of one moment: what a proof says, what the ledger says of its operation, and what answers
 * that. */
static int task_read(struct job *job, struct store *store)
{
    struct prove *const *prove = errand_data_of(job);
    int err = store_begin_read(store);
    if (err != 0)
        return err;
    err = prove_read(store, *prove);
    store_end_read(store);
    return err;
}

static void on_read(struct errand *errand)
{
    struct chore *chore = errand->context;
    if (prove_failed(errand))
        return;
    struct api_call call = chore_call(chore);
    /* The order is judged as of the question: a process may be stopped with the reply in hand, and
     * two such reads would seem further apart than they are. */
    chore->prove->about.now_us = clock_steady_us();
    oseries_api_get_order(chore->inbox->config.api, &call, chore->work.subject_id, on_order, chore);
}

static struct prove *prove_create(const struct chore *chore)
{
    struct prove *prove = calloc(1, sizeof(*prove));
    const struct tenant *tenant = &chore->tenant->tenant;
    if (prove == NULL)
        return NULL;
    prove->snapshot = chore->snapshot;
    prove->tenant = chore->tenant;
    prove->order_id = chore->work.subject_id;
    prove->about = (struct judge_case){
        .generation = chore->inbox->config.generation,
        .method_id = tenant->payment_method,
        .replay_window_us = tenant->policy.replay_window_us,
        .times = chore->inbox->config.times,
    };
    return prove;
}

void prove_begin(struct chore *chore)
{
    chore->prove = prove_create(chore);
    if (chore->prove == NULL) {
        prove_repeat(chore, error_name(ERR_NO_MEMORY));
        return;
    }
    struct errand *errand = chore_errand(chore, sizeof(struct prove *));
    if (errand == NULL)
        return;
    *(struct prove **)errand_data(errand) = chore->prove;
    errand_read(errand, chore->inbox->config.reader, task_read, on_read, chore);
}
