/*
 * The superset writer of O-Series payments: an outcome becomes the bytes that the register gets, in
 * the names of its dialect (protocol o-series 2.6).
 *
 * The same outcome always gives the same bytes: nothing but the style and the outcome goes in, so
 * a replay, rebuilt from stored values, is the first answer again.
 */
#ifndef COUNTERPART_HANDLERS_OSERIES_REPLY_H
#define COUNTERPART_HANDLERS_OSERIES_REPLY_H

#include "base/money.h"
#include "handlers/profile.h"
#include "ledger/command.h"

/* What a cashier reads: protocol o-series 2.6 asks for less than about 120 characters. */
#define SENTENCE_MAX 120

/* How to tell: the tenant's side of the bargain. */
struct payment_style {
    const struct profile *profile;
    enum profile_action action;
    struct currency currency;
    bool amounts_are_strings; /* "25.50" instead of 25.50 */
    int64_t generation;       /* of the store; part of the reference */
};

/* The sentence of an outcome, with its amounts filled in: the message of RESULT_OK, else the error.
 * Bounded by SENTENCE_MAX whatever the outcome holds. */
void oseries_reply_sentence(const struct payment_style *style, const struct outcome *outcome,
                            struct text_buffer *sentence);

/*
 * The reply to a decision or a balance look-up.
 *
 * RESULT_NOT_FOUND and RESULT_THROTTLED tell nothing but themselves, whatever the outcome holds:
 * unknown, unsold and wrong PIN read the same in every dialect (design section 6). CHECKs that it
 * is not RESULT_LOOK_FIRST, which is no answer.
 */
void oseries_reply_outcome(const struct payment_style *style, const struct outcome *outcome,
                           struct text_buffer *reply);

/* The reply when no decision was reached; the shape is that of a refused one. */
void oseries_reply_failure(const struct payment_style *style, const char *code,
                           const char *sentence, struct text_buffer *reply);

#endif
