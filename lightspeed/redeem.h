/*
 * Redemption: points are reserved, the order is changed through the API, the points are burned, and
 * only then is the register answered; all inside its deadline. On the outbound thread.
 *
 * Whether a change was made is never guessed: it carries a mark ("CP-R42-0f3a9c1b") in the notes
 * of the order or line, and an order without reply is read back. Nobody can guess it, and one that
 * was there before the change proves nothing. Mark there: burn. Change refused, or
 * never sent: return. No reply and no mark: the change may still arrive, so the points stay
 * reserved, the register is told success:false, and redeem_settle looks again until two reads
 * REDEEM_SETTLE_US apart agree. An API that says yes is looked after while there is time: it may
 * keep the notes and ignore the variation.
 *
 * Another process may be at the same reservation: the register asks again elsewhere, or settling
 * has the duty there. Who finds it reserved by somebody else sends a change only after writing that
 * down (POINTS_MARK_UNSURE), which one of them can; and points go back only when nobody has moved
 * the reservation since the order was judged (POINTS_STALE).
 *
 * A reward that pays adds a payment instead, with the mark as its ref. It needs the approval of
 * ledger/foreign.h, which is judged with the reservation, before any call; what the API says of it
 * is kept with its attempt (store/foreign.h). A payment cannot be taken off an order again, so it
 * is never added twice without a look, and its points are burned at once. Where no reply came, and
 * the order has one more payment of that amount, with no reference of ours, an API that keeps none
 * may have made it: the points stay reserved, for people to settle (counterpart points settle).
 */
#ifndef COUNTERPART_LIGHTSPEED_REDEEM_H
#define COUNTERPART_LIGHTSPEED_REDEEM_H

#include "runtime/duty.h"
#include "lightspeed/oseries_api.h"
#include "store/member.h"

#define REDEEM_SETTLE_US (INT64_C(60) * 1000000)
#define REDEEM_SENTENCE_MAX 160

struct redeem;
struct redeem_config {
    struct outbound *outbound;
    struct committer *committer;
    struct reader *reader;
    struct directory *directory;
    struct oseries_api *api;
    const struct duty *duty; /* what was left open is settled only while it is ours; borrowed.
                                NULL: always */
    int64_t settle_us;       /* REDEEM_SETTLE_US; tests shorten it (COUNTERPART_REDEEM_SETTLE_S) */
};
/* Open reservations found in the store are settled first. */
MUST_CHECK int redeem_create(const struct redeem_config *config, struct redeem **redeem);
void redeem_destroy(struct redeem *redeem); /* after outbound_stop; accepts NULL */

/* The extra bytes of its job. */
struct redemption {
    struct redeem *redeem;
    int64_t tenant_id, member_id, reward_id; /* of the verified token */
    char token_id[POINTS_TOKEN_CHARS + 1];
    int64_t order_id, site_id;
    int32_t local_date;  /* at the site, when the request came */
    uint64_t request_id; /* for the log */
    int64_t deadline_us; /* monotonic: job_end by then */
    /* out */
    bool is_redeemed;
    bool is_left_open;         /* not redeemed, not refused: it is settled later */
    enum points_result result; /* what reserving said: not OK when the points said no */
    char sentence[REDEEM_SENTENCE_MAX + 1]; /* for the cashier; empty on success */
};
/* job_begin_fn (exchange_submit_outbound). job->error 0: is_redeemed and sentence say what came of
 * it; else ERR_* and nothing was reserved, or it is settled later. */
void redeem_begin(struct job *job);

struct redeem_counters {
    uint64_t redeemed, refused;
    uint64_t left_open; /* redemptions that ended without knowing */
    uint64_t settled_burned, settled_returned;
    int32_t open; /* reservations that settling looks at */
};
void redeem_read_counters(struct redeem *redeem, struct redeem_counters *counters); /* any thread */

/* What a reward does to an order: pure. */
enum reward_step {
    STEP_NONE,      /* cannot be done: problem says why */
    STEP_PUT_ORDER, /* order_change */
    STEP_PUT_LINE,
    STEP_POST_LINE,
    STEP_POST_PAYMENT,
};
struct reward_plan {
    enum reward_step step;
    int64_t line_number;
    int64_t product_id;
    bool has_ppm, has_fixed;
    int64_t price_variation_ppm, price_fixed_variation_minor;
    /* of the order or line that it changes, as they were read */
    int64_t old_ppm, old_fixed_minor, old_total_minor, old_paid_minor;
    int64_t pays_minor;
    int32_t alike_before;            /* payments_count_alike */
    char ref[ORDER_REF_MAX + 1];     /* of the payment: the mark */
    char notes[ORDER_NOTES_MAX + 1]; /* the old ones and the mark */
    const char *problem;
};
/*
 * Money off: price_fixed_variation of the order, added to what is there; where the order has a
 * percentage already, or discount_is_on_line, of the dearest line that can bear it, scaled so
 * that the order comes to that much less. Percent off:
 * price_variation, or the amount it comes to (rounded down) where the order has a fixed variation.
 * Product: a new line with its price taken off. Pay: a payment of that amount. Never below zero:
 * what is more than is left to pay is refused whole, so that nobody gives points for less than they
 * were worth.
 *
 * The notes get the reward's title and the mark; notes that were cut, or would be, are refused.
 */
void reward_plan_make(const struct reward *reward, const struct reservation *reservation,
                      const struct oseries_order *order, bool discount_is_on_line,
                      struct reward_plan *plan);
/* The reservation's mark. */
void reward_mark_make(const struct reservation *reservation, char mark[ORDER_REF_MAX + 1]);
/* Has the reservation's change been made to this order? The mark, its number and the beginning of
 * its token's id, stands as a word of its own: CP-R4-0f3a9c1b is not in CP-R4-0f3a9c1bd. Of what
 * pays it is the ref of a payment. */
bool reward_is_applied(const struct reservation *reservation, const struct oseries_order *order);
enum reward_sight {
    REWARD_TAKEN,
    REWARD_IGNORED, /* the mark is there, and the price is what it was */
    REWARD_UNSEEN,  /* neither price nor mark: read too early, or nothing was taken */
};
/* What an API that said yes to the plan has made of it, by the order read back. */
enum reward_sight reward_look(const struct reward_plan *plan, const struct reservation *reservation,
                              const struct oseries_order *order);
/* More of the order than was read could hold the mark, or a payment that came since it was sent
 * could be it, its ref not kept: one that is not seen proves nothing. */
bool reward_may_be_hidden(const struct reservation *reservation, const struct oseries_order *order);
/* Is any price of it, or of one of its lines, less than it would be? */
bool order_has_discount(const struct oseries_order *order);
/* Has somebody taken it off again: neither its mark nor any discount is left on the order, all of
 * which was read? */
bool reward_is_gone(const struct reservation *reservation, const struct oseries_order *order);

#endif
