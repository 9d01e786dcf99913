/*
 * What a register thinks of a reply (protocol o-series section 10): each rule with a verdict of its
 * own, then one ending. The field names are the documented defaults.
 */
#ifndef COUNTERPART_MOCKS_REGISTER_VERDICT_H
#define COUNTERPART_MOCKS_REGISTER_VERDICT_H

#include "mocks/register/wire.h"

enum rule {
    RULE_STATUS,
    RULE_TYPE,
    RULE_PARSES,
    RULE_OBJECT,
    RULE_SUCCESS,
    RULE_ERROR,
    RULE_AMOUNT,
    RULE_BALANCE,
    RULES,
};
const char *rule_name(enum rule rule); /* "status is 200" */

enum verdict {
    VERDICT_NOT_ASKED, /* an earlier rule failed, or the rule is for other replies */
    VERDICT_PASSED,
    VERDICT_FAILED,
};
const char *verdict_name(enum verdict verdict); /* "not_asked", "passed", "failed" */

enum ending {
    ENDING_APPROVED,
    ENDING_REFUSED,
    ENDING_DROPPED,   /* cut on purpose */
    ENDING_MALFORMED, /* a reply that a register could not use */
    ENDING_NO_REPLY,
};
const char *ending_name(enum ending ending); /* "approved" ... */
int ending_exit_code(enum ending ending);

/* Longest sentence a cashier is shown (o-series 2.6: about 120 characters), with room to see more.
 */
#define SAID_MAX 512

struct judgement {
    enum verdict verdicts[RULES];
    enum ending ending;
    /* What the reply says, for the receipt; empty when it does not. */
    char amount[SAID_MAX];
    char balance[SAID_MAX];
    char reference[SAID_MAX];
    char sentence[SAID_MAX]; /* message, or error */
};

void judge(const struct reply *reply, const struct options *options, struct judgement *judgement);

#endif
