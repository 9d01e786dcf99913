/*
 * Which of an order's payments are ours, and whose: our operations matched with what the register
 * shows. Pure. Used by reconciliation, and by the look that a repeated charge is decided after.
 */
#ifndef COUNTERPART_LIGHTSPEED_BOOKING_H
#define COUNTERPART_LIGHTSPEED_BOOKING_H

#include "lightspeed/oseries_api.h"

/* "CP<generation>-<operation>": what the register is told as reference_id, and may keep as ref. */
void payment_ref_make(int64_t generation, int64_t operation_id, char ref[ORDER_REF_MAX + 1]);
/* "CP<generation>-": what they all begin with. */
void payment_ref_make_prefix(int64_t generation, char prefix[ORDER_REF_MAX + 1]);
/* errors: ERR_NOT_FOUND: not one of ours. */
MUST_CHECK int payment_ref_read(const char *ref, int64_t *generation, int64_t *operation_id);

/* "CP-R<reservation>-<token>": the mark of a reward (lightspeed/redeem.h), which is also the ref of
 * what a member's points have paid. That is ours, and no card's. */
#define REWARD_MARK "CP-R"
#define REWARD_MARK_TOKEN_CHARS 8 /* 32 random bits: numbers alone follow one another */
bool payment_is_reward(const struct order_payment *payment);

/* How many payments of this amount bear no reference of ours, a card's or a reward's: where the API
 * keeps none, one of ours is among them once it is made. So one more than there were before ours
 * was sent may be ours. */
MUST_CHECK int32_t payments_count_alike(const struct oseries_order *order, int64_t amount_minor);

/* One operation as its order should show it. */
struct booking {
    int64_t operation_id;
    int64_t card_id;
    int64_t amount_minor; /* refunds below 0; 0 (a top-up): has no payment */
    int64_t known_number; /* of the payment that was found for it before; 0: none */
    bool is_undone;       /* reversed: it should have no payment, and takes what others leave */
    /* out */
    int32_t payment;     /* index into order->payments; -1: none */
    bool is_ambiguous;   /* fewer payments of this amount than operations of several cards, and
                            nothing says whose they are; what there is goes to the oldest */
    bool amount_differs; /* its ref is there, with another amount */
};

/* The method of ours on this order: method_id, or, where that is 0, what a payment with a ref of
 * ours shows; 0: not known. */
int64_t payment_method_of(const struct oseries_order *order, int64_t generation, int64_t method_id);
/*
 * Match bookings (in operation order) with the order's payments, each payment once: by ref first;
 * then, of the payments without a ref of ours or a reward's, by amount: the one that was found
 * before, else the oldest operation first. method_id: the tenant's payment method that is ours;
 * 0: not told, then any payment without a ref counts by its amount, which errs on the side of
 * not reversing (unless another payment of the order has a ref of ours, and so tells the
 * method). claimed: for each payment of the order, the operation that it was matched with, 0:
 * none.
 */
void bookings_match(struct booking *bookings, int32_t count, const struct oseries_order *order,
                    int64_t generation, int64_t method_id, int64_t claimed[ORDER_PAYMENTS_MAX]);
/* Does a payment look like a card's of ours: a ref of ours, or our method, and no reward's? */
bool payment_is_ours(const struct order_payment *payment, int64_t generation, int64_t method_id);

#endif
