/* The judgement: what an order as it was read says of our operations on it. Pure. */
#include "lightspeed/reconcile.h"

#include <string.h>

#include "base/banned.h"

/* --- what is said --- */

static void say(struct judged *judged, enum judgement judgement, enum proof_reason reason)
{
    judged->judgement = judgement;
    judged->reason = reason;
}

static void say_list(struct judged *judged, enum proof_reason reason)
{
    say(judged, JUDGED_LIST, reason);
}

static void say_keep(struct judged *judged)
{
    const struct proof *proof = &judged->facts->proof;
    say(judged, JUDGED_KEEP, proof->reason);
    judged->shown_order_id = proof->shown_order_id;
    judged->payment_number = proof->payment_number;
    judged->missing_since_us = proof->missing_since_us;
}

/* --- what is asked --- */

static bool is_refund(const struct judged *judged)
{
    return judged->facts->proof.booked_minor < 0;
}

static int64_t age_us(const struct judge_case *about, const struct judged *judged)
{
    return about->now_us - judged->facts->operation.created_at_us;
}

static bool is_old(const struct judge_case *about, const struct judged *judged)
{
    return age_us(about, judged) >= about->times.open_listed_us;
}

/* A register may still repeat its request, or tell of it. */
static bool is_young(const struct judge_case *about, const struct judged *judged)
{
    int64_t age = age_us(about, judged);
    return age < about->times.reverse_age_us || age <= about->replay_window_us;
}

/* Rejected is not over: nothing says that it was paid otherwise. */
static bool is_closed(const struct oseries_order *order)
{
    return order->is_deleted || order->status == ORDER_COMPLETE;
}

/* Is the order settled without the operation? Of a sale the payments are as much as its total; of a
 * sale that lacks a refund, they are no more. */
static bool is_covered(const struct oseries_order *order, const struct judged *judged)
{
    int64_t paid_minor = 0;
    if (order->is_deleted)
        return true;
    for (int32_t i = 0; i < order->payment_count; i++)
        paid_minor += order->payments[i].amount_minor;
    return is_refund(judged) ? paid_minor <= order->total_minor : paid_minor >= order->total_minor;
}

/* --- where it is shown --- */

static void judge_wait(const struct judge_case *about, struct judged *judged,
                       enum proof_reason reason)
{
    say(judged, is_old(about, judged) ? JUDGED_LIST : JUDGED_WAIT, reason);
}

/* The card could not pay it when the payment was seen: that is for people now. */
static bool is_debt_listed(const struct proof *proof)
{
    return proof->state == PROOF_LISTED && proof->reason == PROOF_REASON_CARD_EMPTY;
}

/* is_ours: for certain, by ref or method. Money is not taken from a card on account of an amount
 * alone. */
static void judge_shown(struct judged *judged, bool is_ours)
{
    if (judged->undone_minor == 0)
        say(judged, JUDGED_CONFIRMED, PROOF_REASON_NONE);
    else if (is_debt_listed(&judged->facts->proof))
        say_keep(judged);
    else if (!is_ours)
        say_list(judged, PROOF_REASON_PAYMENT_UNKNOWN);
    else
        say(judged, is_refund(judged) ? JUDGED_GIVE_AGAIN : JUDGED_RECHARGE, PROOF_REASON_NONE);
}

static void judge_elsewhere(struct judged *judged)
{
    judged->shown_order_id = judged->elsewhere_order_id;
    judged->payment_number = judged->elsewhere_number;
    if (judged->elsewhere_minor != judged->facts->proof.booked_minor)
        say_list(judged, PROOF_REASON_AMOUNT_DIFFERS);
    else
        judge_shown(judged, true);
}

static void judge_booked(const struct judge_case *about, struct judged *judged,
                         const struct booking *booking)
{
    const struct oseries_order *order = about->order;
    const struct order_payment *payment = &order->payments[booking->payment];
    const struct proof *proof = &judged->facts->proof;
    bool was_confirmed = proof->state == PROOF_CONFIRMED && proof->shown_order_id == order->id;
    judged->shown_order_id = order->id;
    judged->payment_number = payment->number;
    if (payment->amount_minor != proof->booked_minor && is_closed(order))
        say_list(judged, PROOF_REASON_AMOUNT_DIFFERS);
    else if (payment->amount_minor != proof->booked_minor)
        judge_wait(about, judged, PROOF_REASON_ORDER_OPEN);
    else if (booking->is_ambiguous && was_confirmed) /* before there was any doubt */
        say_keep(judged);
    else if (booking->is_ambiguous && is_closed(order))
        say_list(judged, PROOF_REASON_AMBIGUOUS);
    else if (booking->is_ambiguous)
        judge_wait(about, judged, PROOF_REASON_ORDER_OPEN);
    else
        judge_shown(judged,
                    payment_is_ours(payment, about->generation,
                                    payment_method_of(order, about->generation, about->method_id)));
}

/* --- where it is missing --- */

/* Its order was read, and said so. */
static bool is_read(const struct proof *proof)
{
    return proof->missing_since_us != 0 ||
           (proof->reason != PROOF_REASON_NOT_LOOKED && proof->reason != PROOF_REASON_UNREADABLE &&
            proof->reason != PROOF_REASON_NOT_CONNECTED);
}

static void judge_unreadable(const struct judge_case *about, struct judged *judged)
{
    const struct proof *proof = &judged->facts->proof;
    bool is_settled = proof->state == PROOF_CONFIRMED || proof->state == PROOF_REVERSED;
    judged->missing_since_us = proof->missing_since_us; /* no read: it unsays none */
    if (is_settled || (is_read(proof) && (about->may_pass || proof->state == PROOF_LISTED)))
        say_keep(judged);
    else
        judge_wait(about, judged,
                   about->is_connected ? PROOF_REASON_UNREADABLE : PROOF_REASON_NOT_CONNECTED);
}

/* A bill that was merged takes its payment along, and some refunds have an order of their own:
 * would we know it for ours there? */
static bool is_known_elsewhere(const struct judge_case *about)
{
    return about->refs_are_kept ||
           payment_method_of(about->order, about->generation, about->method_id) != 0;
}

/* A refund that undid a charge that is not shown either, and was taken back before that was known:
 * the card has paid for nothing. */
static bool is_owed(const struct judged *judged)
{
    return judged->left_minor < judged->moot_minor;
}

static bool has_stand_in(const struct judged *judged)
{
    return judged->stand_in >= 0;
}

/* Nothing of it is left to be undone, but what charges that are not shown either need as it is. */
static bool is_undone(const struct judged *judged)
{
    return judged->left_minor == judged->moot_minor && !has_stand_in(judged);
}

/* A refund that is shown left nothing of it, and no charge of the sale can stand in. */
static bool is_refund_shown(const struct judged *judged)
{
    return judged->left_minor == 0 && judged->has_shown_refund && !has_stand_in(judged);
}

static void judge_refunded(const struct judge_case *about, struct judged *judged)
{
    if (judged->is_refund_gone)
        judge_wait(about, judged, PROOF_REASON_SEEN_MISSING);
    else
        say_list(judged, PROOF_REASON_REFUND_SHOWN);
}

/* All that reads of this order can say has been said. */
static void judge_agreed(const struct judge_case *about, struct judged *judged)
{
    if (judged->is_charge_unknown)
        judge_wait(about, judged, PROOF_REASON_SEEN_MISSING);
    else if (is_refund_shown(judged))
        judge_refunded(about, judged);
    else if (is_undone(judged))
        say(judged, JUDGED_UNDONE, PROOF_REASON_NONE);
    else if (!is_known_elsewhere(about))
        say_list(judged, PROOF_REASON_NOT_TOLD_APART);
    else if (about->swept_since_us <= judged->missing_since_us) /* somebody may claim it yet */
        say(judged, JUDGED_SWEEP, PROOF_REASON_NOT_SWEPT);
    else if (judged->is_amount_elsewhere)
        say_list(judged, PROOF_REASON_ELSEWHERE);
    else if (judged->is_amount_unproved)
        say(judged, JUDGED_SWEEP, PROOF_REASON_NOT_SWEPT);
    else if (has_stand_in(judged))
        say(judged, JUDGED_STAND_IN, PROOF_REASON_NONE);
    else if (is_owed(judged))
        say(judged, JUDGED_GIVE_AGAIN, PROOF_REASON_NONE);
    else if (is_refund(judged) && judged->facts->proof.state == PROOF_LISTED &&
             judged->facts->proof.reason == PROOF_REASON_CREDIT_SPENT)
        say_keep(judged);
    else
        say(judged, is_refund(judged) ? JUDGED_TAKE_BACK : JUDGED_REVERSE, PROOF_REASON_NONE);
}

static void judge_closed(const struct judge_case *about, struct judged *judged)
{
    int64_t since_us = judged->facts->proof.missing_since_us;
    judged->missing_since_us = since_us == 0 ? about->now_us : since_us;
    if (is_young(about, judged) ||
        about->now_us - judged->missing_since_us < about->times.reread_us)
        say(judged, JUDGED_MISSING, PROOF_REASON_SEEN_MISSING);
    else
        judge_agreed(about, judged);
}

/* It is reversed, and that still holds. */
static bool is_settled(const struct judged *judged)
{
    return judged->facts->proof.state == PROOF_REVERSED && is_undone(judged);
}

static void judge_missing(const struct judge_case *about, struct judged *judged,
                          const struct booking *booking)
{
    const struct oseries_order *order = about->order;
    enum proof_state state = judged->facts->proof.state;
    if (judged->undone_minor > 0 && is_refund_shown(judged))
        judge_refunded(about, judged);
    else if (is_settled(judged) || (state == PROOF_CONFIRMED && order_payments_are_cut(order)))
        say_keep(judged);
    else if (judged->undone_minor > 0 && is_undone(judged))
        say(judged, JUDGED_UNDONE, PROOF_REASON_NONE);
    else if (judged->is_to_be_paid)
        judge_wait(about, judged, PROOF_REASON_NOT_BOOKED);
    else if (!is_closed(order))
        judge_wait(about, judged, PROOF_REASON_ORDER_OPEN);
    else if (order_payments_are_cut(order))
        say_list(judged, PROOF_REASON_CUT);
    else if (booking->is_ambiguous)
        say_list(judged, PROOF_REASON_AMBIGUOUS);
    else if (!is_covered(order, judged))
        say(judged, is_young(about, judged) ? JUDGED_WAIT : JUDGED_LIST, PROOF_REASON_NOT_COVERED);
    else
        judge_closed(about, judged);
}

/* Nothing is booked for a load but the money that the till took: it stands with its sale. */
static void judge_load(const struct judge_case *about, struct judged *judged)
{
    const struct oseries_order *order = about->order;
    bool is_over = order->is_deleted || order->status == ORDER_REJECTED;
    judged->shown_order_id = order->id;
    if (is_over && judged->is_loaded)
        say_list(judged, PROOF_REASON_SALE_DELETED);
    else if (is_over || order->status == ORDER_COMPLETE)
        say(judged, JUDGED_CONFIRMED, PROOF_REASON_NONE);
    else if (judged->facts->proof.state == PROOF_CONFIRMED)
        say_keep(judged);
    else
        judge_wait(about, judged, PROOF_REASON_ORDER_OPEN);
}

/* --- all of an order --- */

static void judge_one(const struct judge_case *about, struct judged *judged,
                      const struct booking *booking)
{
    judged->shown_order_id = judged->payment_number = judged->missing_since_us = 0;
    if (about->order != NULL && judged->facts->proof.booked_minor == 0)
        judge_load(about, judged);
    else if (about->order != NULL && booking->payment >= 0)
        judge_booked(about, judged, booking);
    else if (judged->is_ref_elsewhere)
        judge_elsewhere(judged);
    else if (about->order == NULL)
        judge_unreadable(about, judged);
    else
        judge_missing(about, judged, booking);
}

/* What stands elsewhere, or is still ours to add, takes no payment of this order but by its ref. */
static struct booking booking_of(const struct judge_case *about, const struct judged *judged)
{
    const struct proof *proof = &judged->facts->proof;
    bool was_here = about->order != NULL && proof->shown_order_id == about->order->id;
    return (struct booking){
        .operation_id = proof->operation_id,
        .card_id = proof->card_id,
        .amount_minor = judged->is_ref_elsewhere || judged->is_to_be_paid ? 0 : proof->booked_minor,
        .known_number = was_here ? proof->payment_number : 0,
        .is_undone = judged->left_minor == 0 && proof->shown_order_id == 0,
        .payment = -1,
    };
}

/* --- one of two alike --- */

static bool is_alike(const struct booking *a, const struct booking *b)
{
    return a->card_id == b->card_id && a->amount_minor == b->amount_minor;
}

/* A refund at the till gives back the newest charge of its card, whichever of two the register
 * shows. Where that is the one that is missing, the payment is taken for its own: of the other all
 * is left to be reversed, and of this one nothing may be. */
static bool is_charge_better(const struct judged *missing, const struct judged *shown)
{
    return missing->has_shown_refund && missing->undone_minor == 0 && !shown->has_shown_refund;
}

/* Of a refund that was made twice and is shown once, that is the one whose charges are shown; the
 * other has undone what is not. */
static bool is_refund_better(const struct judged *missing, const struct judged *shown)
{
    return !missing->is_charge_unknown && missing->moot_minor < shown->moot_minor;
}

/* The shown one whose payment is rather the missing one's; NULL: there is none. */
static struct booking *find_better(const struct judged *judged, struct booking *bookings,
                                   int32_t count, int32_t missing)
{
    for (int32_t i = 0; i < count; i++) {
        bool is_better = is_refund(&judged[missing])
                             ? is_refund_better(&judged[missing], &judged[i])
                             : is_charge_better(&judged[missing], &judged[i]);
        if (bookings[i].payment >= 0 && !bookings[i].amount_differs && is_better &&
            is_alike(&bookings[i], &bookings[missing]))
            return &bookings[i];
    }
    return NULL;
}

static void bookings_exchange(const struct judged *judged, struct booking *bookings, int32_t count,
                              int64_t claimed[ORDER_PAYMENTS_MAX])
{
    for (int32_t i = 0; i < count; i++) {
        struct booking *missing = &bookings[i];
        bool may_have = missing->payment < 0 && missing->amount_minor != 0;
        struct booking *shown = may_have ? find_better(judged, bookings, count, i) : NULL;
        if (shown == NULL)
            continue;
        missing->payment = shown->payment;
        missing->is_ambiguous = shown->is_ambiguous;
        shown->payment = -1;
        shown->is_ambiguous = false;
        claimed[missing->payment] = missing->operation_id;
    }
}

/* A refund of this order that was shown, and is not in this look: what is said of the charges that
 * it gave back will have to be said again. */
static bool has_lost_refund(const struct booking *bookings, const struct judged *judged,
                            int32_t count, int64_t card_id)
{
    for (int32_t i = 0; i < count; i++)
        if (bookings[i].card_id == card_id && bookings[i].payment < 0 && is_refund(&judged[i]) &&
            judged[i].facts->proof.state == PROOF_CONFIRMED && !judged[i].is_ref_elsewhere)
            return true;
    return false;
}

static bool may_stand_in(const struct booking *booking, const struct judged *judged,
                         const struct booking *missing)
{
    return booking->payment >= 0 && !booking->amount_differs && !booking->is_ambiguous &&
           booking->amount_minor > 0 && booking->card_id == missing->card_id &&
           judged->undone_minor == 0;
}

/* The charge of the same card that is shown, and of which as much is left; part by part where none
 * has all of it. */
static void find_place(const struct booking *bookings, struct judged *judged, int32_t count,
                       int32_t at)
{
    struct judged *missing = &judged[at];
    missing->stand_in = -1;
    missing->stand_in_minor = 0;
    missing->is_refund_gone =
        missing->has_shown_refund && has_lost_refund(bookings, judged, count, bookings[at].card_id);
    if (bookings[at].payment >= 0 || missing->is_refund_gone)
        return;
    for (int32_t i = 0; i < count; i++) {
        int64_t part_minor = judged[i].left_minor < missing->refunded_minor
                                 ? judged[i].left_minor
                                 : missing->refunded_minor;
        if (!may_stand_in(&bookings[i], &judged[i], &bookings[at]) ||
            part_minor <= missing->stand_in_minor)
            continue;
        missing->stand_in = i;
        missing->stand_in_minor = part_minor;
    }
}

int64_t judged_minor(const struct judged *judged)
{
    enum judgement judgement = judged->judgement;
    if (judgement == JUDGED_REVERSE || judgement == JUDGED_TAKE_BACK)
        return judged->left_minor - judged->moot_minor;
    if (judgement == JUDGED_STAND_IN)
        return judged->stand_in_minor;
    if (judgement == JUDGED_GIVE_AGAIN && judged->shown_order_id == 0)
        return judged->moot_minor - judged->left_minor;
    if (judgement == JUDGED_GIVE_AGAIN || judgement == JUDGED_RECHARGE)
        return judged->undone_minor;
    return 0;
}

void reconcile_judge(const struct judge_case *about, struct judged *judged, int32_t count,
                     int64_t claimed[ORDER_PAYMENTS_MAX])
{
    struct booking bookings[ORDER_PROOFS_MAX];
    CHECK(count >= 0 && count <= ORDER_PROOFS_MAX);
    memset(claimed, 0, ORDER_PAYMENTS_MAX * sizeof(claimed[0]));
    for (int32_t i = 0; i < count; i++)
        bookings[i] = booking_of(about, &judged[i]);
    if (about->order != NULL)
        bookings_match(bookings, count, about->order, about->generation, about->method_id, claimed);
    bookings_exchange(judged, bookings, count, claimed);
    for (int32_t i = 0; i < count; i++)
        find_place(bookings, judged, count, i);
    for (int32_t i = 0; i < count; i++)
        judge_one(about, &judged[i], &bookings[i]);
}
