/*
 * One press of a button that asks the partner: what is configured now, the faults it gets, the
 * request, every send of it, and what the till goes on with. Nothing waits for another press.
 */
#ifndef COUNTERPART_MOCKS_REGISTER_PRESS_H
#define COUNTERPART_MOCKS_REGISTER_PRESS_H

#include "mocks/register/run.h"
#include "mocks/register/till.h"

#define PRESS_SENDS_MAX 2
/* A stripe has the number twice. */
#define PRESS_CARD_MAX (2 * 64 * 1024 + 128)

struct press_send {
    struct attempt attempt;
    int64_t started_us; /* the till's clock */
    int64_t began_us;   /* monotonic */
    enum cut_kind cut;
    int64_t exchange; /* its number on the wire */
};

struct press {
    struct till *till;
    struct config *config; /* owned */
    struct fault_set faults;
    struct options options;
    struct request *request; /* owned */
    char *card;              /* owned; what is read from a stripe */
    int64_t number;
    struct press_send sends[PRESS_SENDS_MAX];
    size_t count, chosen;
    int64_t order_id; /* shown before and after; 0: none */
    struct shop_answer before, after;
};

/* false: the action is not offered. ownership: press_finish, whatever
 * is returned. */
MUST_CHECK bool press_begin(struct press *press, struct till *till, enum till_action action,
                            struct till_answer *answer);
/* The card as it is entered, out of "reference" and "entry"; false: refused. */
MUST_CHECK bool press_take_card(struct press *press, const struct till_call *call, bool is_wanted,
                                struct till_answer *answer);
/* Takes the till's faults, builds, waits, sends, judges. false: the request is too long. */
MUST_CHECK bool press_send(struct press *press, struct till_answer *answer);
/* Of the reply that the till goes on with. */
const struct judgement *press_judgement(const struct press *press);
/* Reads the order again, and puts every send on the wire and into the recording. */
void press_tell(struct press *press);
/* The dialogue for every ending but an approval; crashes the till where that is due. */
void press_say(struct press *press, const char *action);
void press_finish(struct press *press);

/* "%B6036...^GIFT CARD^4912101?;6036...=4912101?"; what is a stripe already stays as it is, and a
 * PIN stays behind it. Pure. */
void stripe_write(struct text typed, struct text_buffer *out);

#endif
