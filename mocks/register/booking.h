/*
 * What an answer of the partner does to an order: booked once, whatever how often it is answered.
 * Each holds the till's drawer while it looks and changes.
 */
#ifndef COUNTERPART_MOCKS_REGISTER_BOOKING_H
#define COUNTERPART_MOCKS_REGISTER_BOOKING_H

#include "mocks/register/till.h"

#define BOOKING_WHY_MAX 256

struct booking {
    int64_t order_id;
    const char *method;
    int64_t amount_minor; /* below 0: given back */
    const char *ref;
    bool may_exceed; /* more than is due is put on the order as well */
    /* Filled: */
    bool is_booked;
    int64_t due_minor;         /* afterwards */
    char why[BOOKING_WHY_MAX]; /* why it was not booked; a sentence */
};

/* A payment on an order; the order is complete when nothing is due any more. */
void booking_pay(struct till *till, struct booking *booking);
/* A loaded card as a line that is still to be paid. */
void booking_load(struct till *till, struct booking *booking);
/* What a cashier takes himself: no more than is due; *change_minor is what he gives back. false:
 * refused. */
MUST_CHECK bool booking_take(struct till *till, struct booking *booking, int64_t *change_minor,
                             struct till_answer *answer);
/* The payment type, made in the cloud where it is not there (protocol o-series 7.5: an add-on's
 * method appears by its configured name). */
void booking_make_method(struct till *till, const struct config *config);

#endif
