/* One redemption after another: reserve, read the order, change it, burn or return, answer. */
#include "lightspeed/redeem.h"

#include "base/log.h"
#include "lightspeed/redeem_state.h"
#include "runtime/queue.h"

#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

/* Each holds 5 KiB; cashiers wait for them, so more would only wait longer. */
#define ATTEMPTS_MAX 1024
/* Kept for the last move, whatever the API does: a commit takes 5 ms, and 100 on a bad day. */
#define MOVE_US (INT64_C(400) * 1000)
/* With less time a change is not begun: its reply would hardly be seen. */
#define CHANGE_MIN_US (INT64_C(100) * 1000)
/* With less time the API's yes is believed. */
#define LOOK_MIN_US (INT64_C(300) * 1000)
#define MOVE_AGAIN_US (INT64_C(50) * 1000) /* between two tries of a move that a store refused */
#define SENTENCE_MAX 120 /* what fits a register's screen (protocol o-series 2.6) */

#define SENTENCE_UNSURE "Not confirmed yet. Wait a minute, then try again"
#define SENTENCE_UNREACHABLE "Lightspeed does not answer right now. Nothing was redeemed. Try again"
#define SENTENCE_NOT_CONNECTED                                                                     \
    "Rewards are not connected to Lightspeed. Nothing was redeemed. Ask the manager"
#define SENTENCE_NO_ORDER "This sale is not known yet. Save the order, then redeem"
#define SENTENCE_OTHER_SITE "This sale belongs to another site. Nothing was redeemed"
#define SENTENCE_UNKNOWN_SITE "This site is not set up for rewards. Ask the manager"
#define SENTENCE_NO_REWARD "This reward is not offered any more. Look the member up again"
#define SENTENCE_DELETED "The order was deleted. Nothing was redeemed"
#define SENTENCE_MAY_NOT_READ                                                                      \
    "Lightspeed does not let us read this sale. Nothing was redeemed. Ask the manager"
#define SENTENCE_MAY_NOT_CHANGE                                                                    \
    "Lightspeed does not let us change this sale. Nothing was redeemed. Ask the manager"
#define SENTENCE_NO_PRODUCT                                                                        \
    "The product of this reward cannot be added. Nothing was redeemed. Ask the manager"
#define SENTENCE_REFUSED                                                                           \
    "This sale cannot be changed now. Check that it is open. Nothing was redeemed"
#define SENTENCE_NOT_TAKEN "Lightspeed did not take the discount. Nothing was redeemed"
#define SENTENCE_NOT_FREE                                                                          \
    "Lightspeed did not take the discount. Nothing was redeemed. Take the product off the sale"
#define SENTENCE_MAY_NOT_PAY                                                                       \
    "Lightspeed does not let points pay here. Nothing was redeemed. Ask the manager"
#define SENTENCE_NOT_PAID                                                                          \
    "Lightspeed did not take the payment. Check that the sale is open. Nothing was redeemed"
#define SENTENCE_SLOW "Not done in time. Nothing was redeemed. Try again"

struct attempt {
    struct attempt *next;
    struct redeem *redeem;
    struct job *waiting; /* by job->next; the same request may come again while we are at it */
    struct redemption asked;
    bool discount_is_on_line, burn_is_on_complete, sites_must_be_mapped;
    struct outbound_timer answer_timer; /* for the first of the waiting who cannot wait longer */
    struct outbound_timer move_timer;   /* until a move is tried again */
    int64_t begun_us, deadline_us;      /* monotonic */
    struct reward reward;
    struct reservation reservation; /* id 0: nothing is reserved */
    int64_t made_id;                /* we have asked for it to be made; its commit is not known */
    bool was_there;                 /* reserved by an earlier request, that did not end */
    bool is_unsure;                 /* a change may have been made or may still arrive */
    bool may_arrive_later;
    struct reward_plan plan, fallback; /* of the order as it was read */
    char old_notes[ORDER_NOTES_MAX + 1];
    struct redeem_answer answer; /* to a payment */
    enum points_action move;     /* the last one */
    bool is_redeemed;            /* what is told when the move has worked */
    enum points_result result;
    char sentence[SENTENCE_MAX + 1];
    bool is_left_open;
};

/* --- answering --- */

static void attempt_say(struct attempt *attempt, const char *sentence)
{
    struct text_buffer buffer;
    text_buffer_init(&buffer, attempt->sentence, sizeof(attempt->sentence));
    text_append(&buffer, text_of(sentence));
}

/* One line for each request that is answered. */
static void attempt_log(const struct attempt *attempt, const struct redemption *told, int error)
{
    const char *outcome = error != 0              ? "failed"
                          : told->is_redeemed     ? "redeemed"
                          : attempt->is_left_open ? "not_confirmed"
                                                  : "refused";
    log_event(LOG_INFO, "redemption", LOG_INT("request_id", told->request_id),
              LOG_INT("tenant_id", attempt->asked.tenant_id),
              LOG_INT("member_id", attempt->asked.member_id),
              LOG_INT("reward_id", attempt->asked.reward_id),
              LOG_INT("order_id", attempt->asked.order_id),
              LOG_INT("reservation_id", attempt->reservation.id), LOG_TEXT("outcome", outcome),
              LOG_TEXT("reserving", error != 0 ? "" : points_result_name(attempt->result)),
              LOG_TEXT("error", error == 0 ? "" : error_name(error)),
              LOG_TEXT("sentence", told->sentence),
              LOG_INT("duration_us", clock_monotonic_us() - attempt->begun_us));
}

static void tell(const struct attempt *attempt, struct redemption *told, int error)
{
    struct text_buffer buffer;
    told->is_redeemed = error == 0 && attempt->is_redeemed;
    told->is_left_open = attempt->is_left_open;
    told->result = attempt->result;
    text_buffer_init(&buffer, told->sentence, sizeof(told->sentence));
    if (!told->is_redeemed)
        text_append(&buffer, text_of(attempt->sentence));
    attempt_log(attempt, told, error);
}

static void job_answer(const struct attempt *attempt, struct job *job, int error)
{
    tell(attempt, (struct redemption *)(job + 1), error);
    job_end(job, error);
}

static void attempt_free(struct attempt *attempt)
{
    struct redeem *redeem = attempt->redeem;
    struct attempt **link = &redeem->attempts;
    while (*link != attempt)
        link = &(*link)->next;
    *link = attempt->next;
    redeem->attempt_count--;
    outbound_cancel_timer(redeem->config.outbound, &attempt->answer_timer);
    outbound_cancel_timer(redeem->config.outbound, &attempt->move_timer);
    free(attempt);
}

/* The end: everybody who waits is told the same. */
static void attempt_end(struct attempt *attempt, int error)
{
    struct redeem *redeem = attempt->redeem;
    atomic_fetch_add_explicit(attempt->is_redeemed ? &redeem->redeemed : &redeem->refused, 1,
                              memory_order_relaxed);
    if (attempt->waiting == NULL) /* who asked was told before that it is not confirmed */
        tell(attempt, &attempt->asked, error);
    while (attempt->waiting != NULL) {
        struct job *job = attempt->waiting;
        attempt->waiting = job->next;
        job_answer(attempt, job, error);
    }
    attempt_free(attempt);
}

static void attempt_refuse(struct attempt *attempt, const char *sentence)
{
    attempt->is_redeemed = false;
    attempt_say(attempt, sentence);
    attempt_end(attempt, 0);
}

/* It stays RESERVED: settling ends it. */
static void attempt_leave_open(struct attempt *attempt)
{
    if (attempt->is_unsure && !attempt->reservation.is_unsure)
        settle_note_unsure(attempt->redeem, &attempt->reservation);
    attempt->is_left_open = true;
    atomic_fetch_add_explicit(&attempt->redeem->left_open, 1, memory_order_relaxed);
    attempt_refuse(attempt, SENTENCE_UNSURE);
}

static void attempt_set_answer_timer(struct attempt *attempt);

/* What is under way goes on; who cannot wait for it is told to ask again. */
static void on_answer_due(void *context)
{
    struct attempt *attempt = context;
    int64_t now_us = clock_monotonic_us();
    struct attempt unsure = *attempt;
    unsure.is_redeemed = false;
    unsure.is_left_open = true;
    attempt_say(&unsure, SENTENCE_UNSURE);
    for (struct job **link = &attempt->waiting; *link != NULL;) {
        struct job *job = *link;
        if (((struct redemption *)(job + 1))->deadline_us > now_us) {
            link = &job->next;
            continue;
        }
        *link = job->next;
        job_answer(&unsure, job, 0);
    }
    attempt_set_answer_timer(attempt);
}

static void attempt_set_answer_timer(struct attempt *attempt)
{
    int64_t due_us = INT64_MAX;
    for (const struct job *job = attempt->waiting; job != NULL; job = job->next) {
        int64_t job_due_us = ((const struct redemption *)(job + 1))->deadline_us;
        due_us = job_due_us < due_us ? job_due_us : due_us;
    }
    if (attempt->waiting != NULL)
        outbound_set_timer(attempt->redeem->config.outbound, &attempt->answer_timer, due_us,
                           on_answer_due, attempt);
}

static void attempt_join(struct attempt *attempt, struct job *job)
{
    job->next = attempt->waiting; /* it is out of its queue */
    attempt->waiting = job;
    attempt_set_answer_timer(attempt);
}

/* --- the last move: burn, apply, return, or mark as unsure --- */

static void attempt_move(struct attempt *attempt);

static void on_move_again(void *context)
{
    attempt_move(context);
}

/* Moves can be repeated: a commit of unknown outcome shows as done then. */
static void on_moved(struct errand *errand)
{
    struct attempt *attempt = errand->context;
    int64_t again_us = clock_monotonic_us() + MOVE_AGAIN_US;
    if (redeem_move_is_done(errand)) {
        attempt->reservation.is_unsure = attempt->move == POINTS_MARK_UNSURE;
        if (attempt->reservation.is_unsure)
            attempt_leave_open(attempt);
        else
            attempt_end(attempt, 0);
        return;
    }
    log_event(LOG_WARNING, "redemption_move_failed",
              LOG_INT("reservation_id", attempt->reservation.id),
              LOG_TEXT("error", error_name(errand->job.error)));
    bool may_try_again =
        errand->job.error == ERR_COMMIT_UNKNOWN || error_is_retryable(errand->job.error);
    if (may_try_again && !attempt->redeem->is_ending && again_us < attempt->deadline_us)
        outbound_set_timer(attempt->redeem->config.outbound, &attempt->move_timer, again_us,
                           on_move_again, attempt);
    else
        attempt_leave_open(attempt); /* never a success that is not durable */
}

static void attempt_move(struct attempt *attempt)
{
    if (!redeem_move_begin(attempt->redeem, &attempt->reservation, attempt->move,
                           attempt->is_redeemed ? NULL : attempt->sentence, &attempt->answer,
                           on_moved, attempt))
        attempt_leave_open(attempt);
}

static void attempt_burn(struct attempt *attempt)
{
    attempt->is_redeemed = true;
    bool is_payment = attempt->reservation.pays_minor != 0; /* nobody takes it off again */
    attempt->move = attempt->burn_is_on_complete && !is_payment ? POINTS_APPLY : POINTS_BURN;
    attempt_move(attempt);
}

static void attempt_return(struct attempt *attempt, const char *sentence)
{
    attempt->is_redeemed = false;
    attempt->move = POINTS_RETURN;
    attempt_say(attempt, sentence);
    attempt_move(attempt);
}

static void attempt_mark_unsure(struct attempt *attempt)
{
    attempt->is_redeemed = false;
    attempt->is_unsure = true;
    attempt->move = POINTS_MARK_UNSURE;
    attempt_say(attempt, SENTENCE_UNSURE);
    attempt_move(attempt);
}

/* --- calling the API --- */

static int64_t left_us_of(const struct attempt *attempt)
{
    return attempt->deadline_us - MOVE_US - clock_monotonic_us();
}

/* parts / parts_all of the time that is left before the last move. */
static struct api_call call_make(const struct attempt *attempt, int parts, int parts_all)
{
    int64_t now_us = clock_monotonic_us();
    int64_t left_us = left_us_of(attempt);
    return (struct api_call){.tenant_id = attempt->asked.tenant_id,
                             .priority = API_WAITING,
                             .deadline_us =
                                 now_us + (left_us > 0 ? left_us / parts_all * parts : 0)};
}

/* What the API says is not for cashiers; it is in the log. */
static const char *sentence_of_refusal(const struct attempt *attempt,
                                       const struct api_result *result)
{
    bool is_of_product = attempt->plan.step == STEP_POST_LINE &&
                         (result->status == 400 || result->status == 404 || result->status == 422);
    bool is_of_right = result->status == 401 || result->status == 403;
    if (attempt->plan.step == STEP_NONE)
        return result->error == ERR_NOT_FOUND ? SENTENCE_NO_ORDER : SENTENCE_MAY_NOT_READ;
    if (is_of_product)
        return SENTENCE_NO_PRODUCT;
    if (attempt->plan.step == STEP_POST_PAYMENT && result->error != ERR_NOT_FOUND)
        return is_of_right ? SENTENCE_MAY_NOT_PAY : SENTENCE_NOT_PAID;
    if (result->error == ERR_NOT_FOUND)
        return SENTENCE_NO_ORDER;
    return is_of_right ? SENTENCE_MAY_NOT_CHANGE : SENTENCE_REFUSED;
}

static const char *sentence_of(const struct attempt *attempt, const struct api_result *result)
{
    if (result->error == ERR_NOT_CONNECTED || result->error == ERR_NO_APP)
        return SENTENCE_NOT_CONNECTED;
    if (result->error == ERR_NOT_FOUND || result->error == ERR_REFUSED)
        return sentence_of_refusal(attempt, result);
    return SENTENCE_UNREACHABLE;
}

static const char *step_name(enum reward_step step)
{
    switch (step) {
    case STEP_NONE:
        return "read_order";
    case STEP_PUT_ORDER:
        return "put_order";
    case STEP_PUT_LINE:
        return "put_line";
    case STEP_POST_LINE:
        return "post_line";
    case STEP_POST_PAYMENT:
        return "post_payment";
    }
    return "unknown";
}

static void attempt_return_for(struct attempt *attempt, const struct api_result *result)
{
    log_event(LOG_WARNING, "redemption_api_failed",
              LOG_INT("request_id", attempt->asked.request_id),
              LOG_INT("tenant_id", attempt->asked.tenant_id),
              LOG_INT("order_id", attempt->asked.order_id),
              LOG_INT("reservation_id", attempt->reservation.id),
              LOG_TEXT("step", step_name(attempt->plan.step)),
              LOG_TEXT("error", error_name(result->error)), LOG_INT("status", result->status),
              LOG_TEXT("api_sentence", result->sentence));
    attempt_return(attempt, sentence_of(attempt, result));
}

/* --- was it done? The order is read back --- */

static void attempt_not_taken(struct attempt *attempt);

/* What is on a deleted order is on none, whatever its notes say. A mark beside the old price is no
 * reward either, when nothing can arrive any more. */
static void on_read_back(void *context, const struct api_result *result,
                         const struct oseries_order *order)
{
    struct attempt *attempt = context;
    bool is_read = result->error == 0;
    bool is_deleted = is_read && order->is_deleted;
    bool is_applied = is_read && !is_deleted && reward_is_applied(&attempt->reservation, order);
    bool is_absent =
        result->error == ERR_NOT_FOUND || is_deleted ||
        (is_read && !is_applied && !reward_may_be_hidden(&attempt->reservation, order));
    bool is_ignored =
        is_applied && reward_look(&attempt->plan, &attempt->reservation, order) == REWARD_IGNORED;
    if (is_ignored && !attempt->may_arrive_later)
        attempt_not_taken(attempt);
    else if (is_applied && !is_ignored)
        attempt_burn(attempt);
    else if (is_absent && !attempt->may_arrive_later && !attempt->was_there)
        attempt_return(attempt, is_deleted ? SENTENCE_DELETED : SENTENCE_UNREACHABLE);
    else
        attempt_mark_unsure(attempt);
}

static void attempt_read_back(struct attempt *attempt)
{
    struct api_call call = call_make(attempt, 1, 1);
    oseries_api_get_order(attempt->redeem->config.api, &call, attempt->asked.order_id, on_read_back,
                          attempt);
}

/* --- the change --- */

static void attempt_change(struct attempt *attempt);

/* The API may know no variation of a whole order (protocol o-series 12, row 15). */
static bool take_fallback(struct attempt *attempt)
{
    if (attempt->plan.step != STEP_PUT_ORDER || attempt->fallback.step != STEP_PUT_LINE)
        return false;
    attempt->plan = attempt->fallback;
    attempt->fallback.step = STEP_NONE;
    return true;
}

/* Whatever became of the notes: no discount was given. */
static void on_notes_restored(void *context, const struct api_result *result)
{
    struct attempt *attempt = context;
    bool may_go_on = result->error == 0 && left_us_of(attempt) >= CHANGE_MIN_US;
    if (may_go_on && take_fallback(attempt))
        attempt_change(attempt);
    else
        attempt_return(attempt, SENTENCE_NOT_TAKEN);
}

/* A mark without its discount would be taken for a reward that was given, if the line's reply were
 * lost: so it is taken off before the line is tried. */
static void attempt_restore_notes(struct attempt *attempt)
{
    struct api_call call = call_make(attempt, 1, 3);
    const struct order_change change = {.notes = attempt->old_notes};
    oseries_api_put_order(attempt->redeem->config.api, &call, attempt->asked.order_id, &change,
                          on_notes_restored, attempt);
}

static void attempt_not_taken(struct attempt *attempt)
{
    bool is_product = attempt->plan.step == STEP_POST_LINE;
    log_event(LOG_WARNING, "redemption_discount_ignored",
              LOG_INT("request_id", attempt->asked.request_id),
              LOG_INT("tenant_id", attempt->asked.tenant_id),
              LOG_INT("order_id", attempt->asked.order_id),
              LOG_INT("reservation_id", attempt->reservation.id),
              LOG_TEXT("step", step_name(attempt->plan.step)));
    if (attempt->plan.step == STEP_PUT_ORDER && left_us_of(attempt) >= CHANGE_MIN_US)
        attempt_restore_notes(attempt);
    else
        attempt_return(attempt, is_product ? SENTENCE_NOT_FREE : SENTENCE_NOT_TAKEN);
}

/* A read that fails takes nothing back: the API said yes. */
static void on_looked(void *context, const struct api_result *result,
                      const struct oseries_order *order)
{
    struct attempt *attempt = context;
    enum reward_sight sight = REWARD_TAKEN;
    if (result->error == 0 && order->is_deleted) {
        attempt_return(attempt, SENTENCE_DELETED);
        return;
    }
    if (result->error == 0)
        sight = reward_look(&attempt->plan, &attempt->reservation, order);
    if (sight == REWARD_IGNORED)
        attempt_not_taken(attempt);
    else if (sight == REWARD_UNSEEN && !reward_may_be_hidden(&attempt->reservation, order))
        attempt_mark_unsure(attempt);
    else
        attempt_burn(attempt);
}

/* The API has said yes: did it also take the discount? */
static void attempt_look(struct attempt *attempt)
{
    if (left_us_of(attempt) < LOOK_MIN_US) {
        attempt_burn(attempt);
        return;
    }
    struct api_call call = call_make(attempt, 1, 2);
    oseries_api_get_order(attempt->redeem->config.api, &call, attempt->asked.order_id, on_looked,
                          attempt);
}

/* Of a payment everything that was said is evidence. */
static void attempt_note_answer(struct attempt *attempt, const struct api_result *result)
{
    struct text_buffer buffer;
    attempt->answer.is_there = true;
    attempt->answer.status = result->status;
    text_buffer_init(&buffer, attempt->answer.sentence, sizeof(attempt->answer.sentence));
    if (result->sentence[0] != '\0')
        text_append(&buffer, text_of(result->sentence));
    else if (result->error != 0)
        text_append(&buffer, text_of(error_name(result->error)));
}

static void on_changed(void *context, const struct api_result *result)
{
    struct attempt *attempt = context;
    if (attempt->plan.step == STEP_POST_PAYMENT)
        attempt_note_answer(attempt, result);
    if (result->error == 0) {
        attempt_look(attempt);
        return;
    }
    bool is_unknown = result->error == ERR_REFUSED && result->status == 400;
    attempt->is_unsure = attempt->is_unsure || result->may_have_happened;
    attempt->may_arrive_later = attempt->may_arrive_later || result->may_happen_later;
    if (is_unknown && take_fallback(attempt)) {
        attempt_change(attempt);
    } else if (attempt->is_unsure || attempt->may_arrive_later) {
        attempt_read_back(attempt);
    } else if (attempt->was_there) {
        attempt_leave_open(attempt); /* who was at it before may have had more luck */
    } else {
        attempt_return_for(attempt, result);
    }
}

static void attempt_send(struct attempt *attempt)
{
    const struct reward_plan *plan = &attempt->plan;
    struct oseries_api *api = attempt->redeem->config.api;
    struct api_call call = call_make(attempt, 3, 5); /* the rest is for reading back */
    int64_t order_id = attempt->asked.order_id;
    const int64_t *ppm = plan->has_ppm ? &plan->price_variation_ppm : NULL;
    const int64_t *fixed = plan->has_fixed ? &plan->price_fixed_variation_minor : NULL;
    const struct order_change change = {
        .price_variation_ppm = ppm, .price_fixed_variation_minor = fixed, .notes = plan->notes};
    const struct line_change line = {.product_id = plan->product_id,
                                     .price_variation_ppm = ppm,
                                     .price_fixed_variation_minor = fixed,
                                     .notes = plan->notes};
    switch (plan->step) {
    case STEP_NONE:
        CHECK(false);
        break;
    case STEP_PUT_ORDER:
        oseries_api_put_order(api, &call, order_id, &change, on_changed, attempt);
        break;
    case STEP_PUT_LINE:
        oseries_api_put_line(api, &call, order_id, plan->line_number, &line, on_changed, attempt);
        break;
    case STEP_POST_LINE:
        oseries_api_post_line(api, &call, order_id, &line, on_changed, attempt);
        break;
    case STEP_POST_PAYMENT:
        attempt->reservation.alike_before = plan->alike_before;
        oseries_api_post_payment(api, &call, order_id, plan->pays_minor, plan->ref, on_changed,
                                 attempt);
        break;
    }
}

/* Only who has written it down sends it again: of several processes one, and whoever was about to
 * return the points finds that the reservation has moved. */
static void on_sending_noted(struct errand *errand)
{
    struct attempt *attempt = errand->context;
    const struct redeem_move *move = errand_data(errand);
    bool is_ours = errand->job.error == 0 && move->outcome.result == POINTS_OK;
    if (is_ours)
        attempt->reservation = move->outcome.reservation;
    if (is_ours && left_us_of(attempt) >= CHANGE_MIN_US)
        attempt_send(attempt);
    else
        attempt_leave_open(attempt);
}

static void attempt_change(struct attempt *attempt)
{
    if (!attempt->was_there || attempt->reservation.is_unsure)
        attempt_send(attempt);
    else if (!redeem_move_begin(attempt->redeem, &attempt->reservation, POINTS_MARK_UNSURE, NULL,
                                NULL, on_sending_noted, attempt))
        attempt_leave_open(attempt);
}

/* --- the order as it is --- */

static const char *find_site_problem(const struct attempt *attempt,
                                     const struct oseries_order *order)
{
    int64_t asked_site = attempt->asked.site_id;
    if (asked_site != 0 && order->site_id != 0 && order->site_id != asked_site)
        return SENTENCE_OTHER_SITE;
    if (!attempt->sites_must_be_mapped)
        return NULL;
    const struct directory_snapshot *snapshot =
        directory_acquire(attempt->redeem->config.directory);
    bool is_mapped =
        directory_find_site(snapshot, attempt->asked.tenant_id, order->site_id) != NULL;
    directory_release(snapshot);
    return is_mapped ? NULL : SENTENCE_UNKNOWN_SITE;
}

static void make_plans(struct attempt *attempt, const struct oseries_order *order)
{
    reward_plan_make(&attempt->reward, &attempt->reservation, order, attempt->discount_is_on_line,
                     &attempt->plan);
    attempt->fallback.step = STEP_NONE;
    memcpy(attempt->old_notes, order->notes, sizeof(attempt->old_notes));
    if (attempt->plan.step == STEP_PUT_ORDER)
        reward_plan_make(&attempt->reward, &attempt->reservation, order, true, &attempt->fallback);
}

/* A change that an earlier request may have sent, and no mark: sent again, the values of an order
 * or line come to the same, but a new line or payment would stand there twice. */
static bool may_send_again(const struct attempt *attempt, const struct oseries_order *order)
{
    return !attempt->is_unsure && attempt->plan.step != STEP_POST_LINE &&
           attempt->plan.step != STEP_POST_PAYMENT &&
           !reward_may_be_hidden(&attempt->reservation, order);
}

static void attempt_decide(struct attempt *attempt, const struct oseries_order *order)
{
    const char *problem = find_site_problem(attempt, order);
    if (attempt->was_there && reward_is_applied(&attempt->reservation, order) &&
        !order->is_deleted) {
        if (order->status == ORDER_COMPLETE)
            attempt->burn_is_on_complete = false; /* that was told before */
        attempt_burn(attempt);
        return;
    }
    if (problem == NULL) {
        make_plans(attempt, order);
        problem = attempt->plan.problem;
    }
    bool is_late = left_us_of(attempt) < CHANGE_MIN_US;
    if (problem == NULL && is_late)
        problem = SENTENCE_SLOW;
    if (attempt->was_there && (problem != NULL || !may_send_again(attempt, order)))
        attempt_leave_open(attempt);
    else if (problem != NULL)
        attempt_return(attempt, problem);
    else
        attempt_change(attempt);
}

static void on_read(void *context, const struct api_result *result,
                    const struct oseries_order *order)
{
    struct attempt *attempt = context;
    if (result->error == 0)
        attempt_decide(attempt, order);
    else if (attempt->was_there)
        attempt_leave_open(attempt);
    else
        attempt_return_for(attempt, result);
}

static void attempt_read(struct attempt *attempt)
{
    struct api_call call = call_make(attempt, 2, 5);
    oseries_api_get_order(attempt->redeem->config.api, &call, attempt->asked.order_id, on_read,
                          attempt);
}

/* --- reserving --- */

/* The extra bytes of its errand. */
struct reserve {
    struct points_command command;
    bool is_offered;
    struct reward reward;
    struct points_outcome outcome;
};

struct search_for_token {
    const char *token_id;
    int64_t points; /* 0: not found */
};

static void on_order_reservation(void *context, const struct reservation *reservation)
{
    struct search_for_token *search = context;
    if (reservation->state != RESERVATION_RETURNED &&
        strcmp(reservation->token_id, search->token_id) == 0)
        search->points = reservation->points;
}

/* A reward that was taken off the list is not redeemed any more, but what was redeemed is told
 * again. */
static int reserve_find_points(struct reserve *reserve, struct store *store)
{
    struct points_command *command = &reserve->command;
    struct search_for_token search = {.token_id = command->token_id};
    int err = store_read_reward(store, command->tenant_id, command->reward_id, &reserve->reward);
    if (err != 0 && err != ERR_NOT_FOUND)
        return err;
    if (err == 0 && reserve->reward.is_active) {
        command->points = reserve->reward.points;
        command->pays_minor =
            reserve->reward.effect == REWARD_PAY ? reserve->reward.amount_minor : 0;
        reserve->is_offered = true;
        return 0;
    }
    err = store_each_order_reservation(store, command->tenant_id, command->order_id,
                                       on_order_reservation, &search);
    command->points = search.points;
    reserve->is_offered = search.points != 0;
    return err;
}

static int task_reserve(struct job *job, struct store *store)
{
    struct reserve *reserve = errand_data_of(job);
    int err = reserve_find_points(reserve, store);
    if (err != 0 || !reserve->is_offered)
        return err;
    return store_run_points(store, &reserve->command, clock_steady_us(), &reserve->outcome);
}

static void say_result(struct attempt *attempt, const struct points_outcome *outcome)
{
    switch (outcome->result) {
    case POINTS_NOT_FOUND:
        attempt_say(attempt, "This member is not known here");
        break;
    case POINTS_INACTIVE:
        attempt_say(attempt, "This membership is switched off. Ask the manager");
        break;
    case POINTS_OTHER_ORDER:
        attempt_say(attempt, "Already redeemed on another sale. Look the member up again");
        break;
    case POINTS_ORDER_BUSY:
        attempt_say(attempt, "Another reward is being put on this sale. Try again in a minute");
        break;
    case POINTS_NOT_ENOUGH:
        attempt_say(attempt, "Not enough points for this reward");
        break;
    case POINTS_NOT_APPROVED:
        attempt_say(attempt, "Points cannot pay here yet: Lightspeed has not approved it");
        break;
    case POINTS_APPROVAL_EXPIRED:
        attempt_say(attempt, "Points cannot pay here: Lightspeed's approval has run out");
        break;
    case POINTS_APPROVAL_SUSPENDED:
        attempt_say(attempt, "Points cannot pay here: Lightspeed has refused it");
        break;
    case POINTS_OVER_APPROVED:
        attempt_say(attempt, "This reward pays more than Lightspeed has approved at once");
        break;
    case POINTS_OVER_APPROVED_DAY:
        attempt_say(attempt, "This reward pays more than Lightspeed has approved for today");
        break;
    case POINTS_OK:
    case POINTS_ALREADY_DONE:
    case POINTS_UNDER_WAY:
    case POINTS_STALE:
    case POINTS_BAD_AMOUNT:
    case POINTS_WRONG_STATE:
    case POINTS_NOTHING:
        attempt_say(attempt, "This reward cannot be redeemed. Ask the manager");
        break;
    }
}

/* Settling may be at it this moment, and might return what we burn. */
static void attempt_go_on(struct attempt *attempt)
{
    struct redeem *redeem = attempt->redeem;
    int64_t id = attempt->reservation.id;
    attempt->is_unsure =
        attempt->reservation.is_unsure || (attempt->was_there && settle_knows_unsure(redeem, id));
    if (settle_works_on(redeem, id)) {
        attempt_leave_open(attempt);
        return;
    }
    settle_forget(redeem, id);
    if (attempt->waiting == NULL && !attempt->was_there)
        attempt_return(attempt, SENTENCE_SLOW); /* nobody waits any more */
    else
        attempt_read(attempt);
}

/* One that is under way is ours only when we have made it and asked again whether it was written.
 * No clock decides that: it may have been set back since. */
static void attempt_take(struct attempt *attempt, const struct reserve *reserve)
{
    attempt->reward = reserve->reward;
    attempt->result = reserve->outcome.result;
    attempt->reservation = reserve->outcome.reservation;
    attempt->was_there =
        attempt->result == POINTS_UNDER_WAY && attempt->reservation.id != attempt->made_id;
}

static void attempt_reserve(struct attempt *attempt);

static void on_reserved(struct errand *errand)
{
    struct attempt *attempt = errand->context;
    const struct reserve *reserve = errand_data(errand);
    int err = errand->job.error;
    if (err == ERR_COMMIT_UNKNOWN && clock_monotonic_us() < attempt->deadline_us - MOVE_US) {
        if (reserve->outcome.result == POINTS_OK)
            attempt->made_id = reserve->outcome.reservation.id;
        attempt_reserve(attempt); /* the same again shows what became of it */
        return;
    }
    if (err != 0) {
        attempt_end(attempt, err);
        return;
    }
    if (!reserve->is_offered) {
        attempt_refuse(attempt, SENTENCE_NO_REWARD);
        return;
    }
    attempt_take(attempt, reserve);
    if (attempt->result == POINTS_OK || attempt->result == POINTS_UNDER_WAY) {
        attempt_go_on(attempt);
        return;
    }
    attempt->is_redeemed = attempt->result == POINTS_ALREADY_DONE;
    if (!attempt->is_redeemed)
        say_result(attempt, &reserve->outcome);
    attempt_end(attempt, 0);
}

static void attempt_reserve(struct attempt *attempt)
{
    struct redeem *redeem = attempt->redeem;
    struct errand *errand = errand_create(redeem->config.outbound, sizeof(struct reserve));
    if (errand == NULL) {
        attempt_end(attempt, ERR_NO_MEMORY);
        return;
    }
    struct reserve *reserve = errand_data(errand);
    reserve->command = (struct points_command){.action = POINTS_RESERVE,
                                               .tenant_id = attempt->asked.tenant_id,
                                               .member_id = attempt->asked.member_id,
                                               .order_id = attempt->asked.order_id,
                                               .site_id = attempt->asked.site_id,
                                               .reward_id = attempt->asked.reward_id,
                                               .local_date = attempt->asked.local_date};
    memcpy(reserve->command.token_id, attempt->asked.token_id, sizeof(reserve->command.token_id));
    errand->job.joins = true;
    errand_write(errand, redeem->config.committer, task_reserve, on_reserved, attempt);
}

/* --- beginning --- */

bool redeem_works_on(const struct redeem *redeem, int64_t reservation_id)
{
    for (const struct attempt *attempt = redeem->attempts; attempt != NULL; attempt = attempt->next)
        if (attempt->reservation.id == reservation_id)
            return true;
    return false;
}

static struct attempt *find_same(struct redeem *redeem, const struct redemption *asked)
{
    struct attempt *attempt = redeem->attempts;
    while (attempt != NULL && !(attempt->asked.tenant_id == asked->tenant_id &&
                                attempt->asked.order_id == asked->order_id &&
                                strcmp(attempt->asked.token_id, asked->token_id) == 0))
        attempt = attempt->next;
    return attempt;
}

static int take_settings(struct attempt *attempt)
{
    const struct directory_snapshot *snapshot =
        directory_acquire(attempt->redeem->config.directory);
    const struct directory_tenant *found = directory_find_id(snapshot, attempt->asked.tenant_id);
    if (found != NULL) {
        attempt->discount_is_on_line = found->tenant.discount_is_on_line;
        attempt->burn_is_on_complete = found->tenant.burn_is_on_complete;
        attempt->sites_must_be_mapped = found->tenant.sites_must_be_mapped;
    }
    directory_release(snapshot);
    return found == NULL ? ERR_NOT_FOUND : 0;
}

static int attempt_create(struct redeem *redeem, const struct redemption *asked,
                          struct attempt **attempt)
{
    if (redeem->attempt_count >= ATTEMPTS_MAX)
        return ERR_QUEUE_FULL;
    struct attempt *created = calloc(1, sizeof(*created));
    if (created == NULL)
        return ERR_NO_MEMORY;
    created->redeem = redeem;
    created->asked = *asked;
    created->begun_us = clock_monotonic_us();
    created->deadline_us = asked->deadline_us;
    int err = take_settings(created);
    if (err != 0) {
        free(created);
        return err;
    }
    created->next = redeem->attempts;
    redeem->attempts = created;
    redeem->attempt_count++;
    *attempt = created;
    return 0;
}

void redeem_begin(struct job *job)
{
    const struct redemption *asked = (const struct redemption *)(job + 1);
    struct redeem *redeem = asked->redeem;
    CHECK(asked->order_id > 0 && asked->token_id[0] != '\0');
    struct attempt *attempt = find_same(redeem, asked);
    bool is_new = attempt == NULL;
    int err = is_new ? attempt_create(redeem, asked, &attempt) : 0;
    if (err != 0) {
        job_end(job, err);
        return;
    }
    attempt_join(attempt, job);
    if (is_new)
        attempt_reserve(attempt);
}

/* The end of the thread begins: no timer runs any more. What replies and commits bring is waited
 * for; who waits to try a move again is told now. */
static void on_end(void *context)
{
    struct redeem *redeem = context;
    for (struct attempt *attempt = redeem->attempts, *next; attempt != NULL; attempt = next) {
        next = attempt->next;
        if (attempt->move_timer.is_set)
            attempt_leave_open(attempt);
    }
    redeem->is_ending = true;
}

int redeem_create(const struct redeem_config *config, struct redeem **redeem)
{
    CHECK(config->settle_us > 0);
    struct redeem *created = calloc(1, sizeof(*created));
    if (created == NULL)
        return ERR_NO_MEMORY;
    created->config = *config;
    outbound_watch_end(config->outbound, &created->end_watch, on_end, created);
    settle_begin(created);
    *redeem = created;
    return 0;
}

void redeem_destroy(struct redeem *redeem)
{
    if (redeem == NULL)
        return;
    while (redeem->attempts != NULL) {
        struct attempt *attempt = redeem->attempts;
        redeem->attempts = attempt->next;
        for (struct job *job = attempt->waiting, *next; job != NULL; job = next) {
            next = job->next;
            job_end(job, ERR_SHUTTING_DOWN);
        }
        free(attempt);
    }
    settle_finish(redeem);
    free(redeem);
}

void redeem_read_counters(struct redeem *redeem, struct redeem_counters *counters)
{
    counters->redeemed = atomic_load_explicit(&redeem->redeemed, memory_order_relaxed);
    counters->refused = atomic_load_explicit(&redeem->refused, memory_order_relaxed);
    counters->left_open = atomic_load_explicit(&redeem->left_open, memory_order_relaxed);
    counters->settled_burned = atomic_load_explicit(&redeem->settled_burned, memory_order_relaxed);
    counters->settled_returned =
        atomic_load_explicit(&redeem->settled_returned, memory_order_relaxed);
    counters->open = atomic_load_explicit(&redeem->open, memory_order_relaxed);
}
