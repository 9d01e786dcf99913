/*
 * What a register thinks of a reply (protocol o-series section 10): each rule with a verdict of its
 * own, then one ending. Strict: an approval needs every rule that was asked. Lenient, as the
 * vendor's guide with its static mock suggests: any 2xx, any content type; success may be missing
 * (no error is yes), so may amount and balance, and members may lack fields; an amount above what
 * was asked is taken. The verdicts are the same in both.
 */
#ifndef COUNTERPART_MOCKS_REGISTER_VERDICT_H
#define COUNTERPART_MOCKS_REGISTER_VERDICT_H

#include "base/json.h"
#include "mocks/register/wire.h"

enum rule {
    RULE_STATUS,
    RULE_TYPE,
    RULE_PARSES,
    RULE_READABLE, /* JSON, and within the limits of this reader, which are no register's */
    RULE_NAMES,
    RULE_TEXTS,
    RULE_OBJECT,
    RULE_SUCCESS,
    RULE_ERROR,
    RULE_AMOUNT,
    RULE_BALANCE,
    RULE_MEMBERS,
    RULE_MEMBER,
    RULE_MEMBER_KEYS,
    RULE_MEMBER_FIELDS,
    RULE_MEMBER_TYPES,
    RULE_REWARDS,
    RULE_REWARD_FIELDS,
    RULE_REWARD_URLS,
    RULE_PLACEHOLDER,
    RULES,
};
const char *rule_name(enum rule rule); /* "status is 200" */
bool rule_is_of(enum rule rule, enum till_action action);

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
    ENDING_CRASHED,   /* not JSON where a register's screen crashes on that (o-series 3.1) */
    ENDING_NO_REPLY,
};
const char *ending_name(enum ending ending); /* "approved" ... */
int ending_exit_code(enum ending ending);

#define ENDINGS_COUNT (ENDING_NO_REPLY + 1)

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
    struct jread *body;      /* NULL: it could not be read. judgement_finish */
    size_t found;            /* members or rewards */
};

/* What one send came to. ownership: judgement_finish. */
void judge(const struct reply *reply, const struct request *request, const struct options *options,
           struct judgement *judgement);
void judgement_finish(struct judgement *judgement);

/* --- for judge alone: body_verdict.c reads the body, loyalty_verdict.c judges loyalty -------- */

enum verdict verdict_of(bool is_good);
/* false: there is no judgement->body to look at. */
MUST_CHECK bool judge_body(const struct reply *reply, struct judgement *judgement);
enum verdict judge_error(const struct jread *body, const char *name); /* does it say why? */
/* success, or in its absence what a lenient register makes of that. */
void judge_success(const struct jread *body, const struct options *options, const char *name,
                   const char *error_name, struct judgement *judgement);
void judge_search(const struct jread *body, const struct options *options,
                  struct judgement *judgement);
void judge_lookup(const struct jread *body, const struct options *options,
                  struct judgement *judgement);
void judge_redeem(const struct jread *body, const struct request *request,
                  const struct options *options, struct judgement *judgement);

#endif
