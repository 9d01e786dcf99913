/* Judges replies as a strict register would. */
#include "mocks/register/verdict.h"

#include "base/error.h"
#include "base/json.h"
#include "base/money.h"

#include <string.h>

#include "base/banned.h"

#define OF(action) (1u << TILL_##action)
#define ALL ((1u << TILL_ACTIONS) - 1)
#define PAYMENTS (OF(CHECKOUT) | OF(CHECK_BALANCE) | OF(TOP_UP) | OF(REFUND))

static const struct {
    const char *name;
    unsigned actions;
} RULE_TABLE[RULES] = {
    [RULE_STATUS] = {"status is 200", ALL},
    [RULE_TYPE] = {"content type is JSON", ALL},
    [RULE_PARSES] = {"body parses as JSON", ALL},
    [RULE_READABLE] = {"body is within what this till reads (4 MiB, 64 levels)", ALL},
    [RULE_NAMES] = {"no name stands twice in an object", ALL},
    [RULE_TEXTS] = {"texts hold whole characters and no NUL", ALL},
    [RULE_OBJECT] = {"body is an object", ALL},
    [RULE_SUCCESS] = {"success is true or false", PAYMENTS | OF(REDEEM)},
    [RULE_ERROR] = {"a refusal says why, and nothing else has an error", ALL},
    [RULE_AMOUNT] = {"amount is a plain number, 0 <= amount <= asked", PAYMENTS},
    [RULE_BALANCE] = {"balance is a plain number", PAYMENTS},
    [RULE_MEMBERS] = {"members is an object", OF(CUSTOMER_SEARCH)},
    [RULE_MEMBER] = {"member is an object", OF(REWARD_LOOKUP)},
    [RULE_MEMBER_KEYS] = {"every member stands under its own id", OF(CUSTOMER_SEARCH)},
    [RULE_MEMBER_FIELDS] = {"a member has id, first_name and email_address",
                            OF(CUSTOMER_SEARCH) | OF(REWARD_LOOKUP)},
    [RULE_MEMBER_TYPES] = {"what else a member has is of its type",
                           OF(CUSTOMER_SEARCH) | OF(REWARD_LOOKUP)},
    [RULE_REWARDS] = {"rewards is an array", OF(REWARD_LOOKUP)},
    [RULE_REWARD_FIELDS] = {"a reward has id, title and points_required", OF(REWARD_LOOKUP)},
    [RULE_REWARD_URLS] = {"redeem_url has order_id=PLACEHOLDER once, last", OF(REWARD_LOOKUP)},
    [RULE_PLACEHOLDER] = {"the address held the placeholder, once", OF(REDEEM)},
};

const char *rule_name(enum rule rule)
{
    return RULE_TABLE[rule].name;
}

bool rule_is_of(enum rule rule, enum till_action action)
{
    return (RULE_TABLE[rule].actions >> action & 1u) != 0;
}

const char *verdict_name(enum verdict verdict)
{
    static const char *const NAMES[] = {"not_asked", "passed", "failed"};
    return NAMES[verdict];
}

static const struct {
    const char *name;
    int exit_code;
} ENDINGS[] = {
    [ENDING_APPROVED] = {"approved", EXIT_APPROVED},
    [ENDING_REFUSED] = {"refused", EXIT_REFUSED},
    [ENDING_DROPPED] = {"dropped", EXIT_APPROVED},
    [ENDING_MALFORMED] = {"malformed", EXIT_NO_ANSWER},
    [ENDING_CRASHED] = {"crashed", EXIT_NO_ANSWER},
    [ENDING_NO_REPLY] = {"no_reply", EXIT_NO_ANSWER},
};

const char *ending_name(enum ending ending)
{
    return ENDINGS[ending].name;
}

int ending_exit_code(enum ending ending)
{
    return ENDINGS[ending].exit_code;
}

enum verdict verdict_of(bool is_good)
{
    return is_good ? VERDICT_PASSED : VERDICT_FAILED;
}

static void say(char out[SAID_MAX], const struct jread *value)
{
    struct text text;
    struct text_buffer buffer;
    text_buffer_init(&buffer, out, SAID_MAX);
    if (jread_scalar(value, &text) == 0)
        text_append(&buffer, text);
}

/* Amounts may come as numbers or as numeric strings (a tenant's option). */
static bool amount_read(const struct jread *value, int64_t *amount_minor)
{
    struct text text;
    return jread_scalar(value, &text) == 0 &&
           money_parse(text, MONEY_EXPONENT_MAX, amount_minor) == 0;
}

static bool content_type_is_json(const char *content_type)
{
    struct text type = text_of(content_type);
    for (size_t i = 0; i < type.length; i++) {
        if (type.base[i] == ';')
            type.length = i;
    }
    return text_equal_nocase(text_trim(type), TEXT("application/json"));
}

enum verdict judge_error(const struct jread *body, const char *name)
{
    struct text sentence;
    bool is_there = jread_text(jread_member(body, name), &sentence) == 0;
    return verdict_of(is_there && text_trim(sentence).length > 0);
}

void judge_success(const struct jread *body, const struct options *options, const char *name,
                   const char *error_name, struct judgement *judgement)
{
    bool is_success = false;
    bool has_success = jread_bool(jread_member(body, name), &is_success) == 0;
    judgement->verdicts[RULE_SUCCESS] = verdict_of(has_success);
    if (!has_success && !options->is_lenient)
        return;
    if (!has_success)
        is_success = jread_member(body, error_name) == NULL;
    judgement->verdicts[RULE_ERROR] =
        is_success ? VERDICT_NOT_ASKED : judge_error(body, error_name);
    judgement->ending = is_success ? ENDING_APPROVED : ENDING_REFUSED;
}

/* A refusal moves nothing, but may say so with 0; a look-up has nothing to compare with. */
static enum verdict judge_amount(const struct jread *value, const struct options *options,
                                 bool is_success)
{
    int64_t amount_minor, asked_minor;
    if (value == NULL && (!is_success || options->action == TILL_CHECK_BALANCE))
        return VERDICT_NOT_ASKED;
    if (!amount_read(value, &amount_minor) || amount_minor < 0)
        return VERDICT_FAILED;
    if (!is_success)
        return verdict_of(amount_minor == 0 || options->action == TILL_CHECK_BALANCE);
    if (options->amount == NULL ||
        money_parse(text_of(options->amount), MONEY_EXPONENT_MAX, &asked_minor) != 0)
        return VERDICT_PASSED;
    /* A refund may be asked for as a negative amount (o-series 2.1). */
    return verdict_of(amount_minor <= (asked_minor < 0 ? -asked_minor : asked_minor));
}

static enum verdict judge_balance(const struct jread *value, bool is_success)
{
    int64_t balance_minor;
    if (value == NULL && !is_success)
        return VERDICT_NOT_ASKED;
    return verdict_of(amount_read(value, &balance_minor));
}

/* What a dialect has no name for is not looked for. */
static void judge_payment(const struct jread *body, const struct options *options,
                          struct judgement *judgement)
{
    const char(*names)[DIALECT_NAME_MAX] = options_dialect(options)->reply[options->action];
    enum verdict *verdicts = judgement->verdicts;
    const struct jread *amount = jread_member(body, names[VALUE_AMOUNT]);
    const struct jread *balance = jread_member(body, names[VALUE_BALANCE]);
    say(judgement->amount, amount);
    say(judgement->balance, balance);
    say(judgement->reference, jread_member(body, names[VALUE_REFERENCE]));
    judge_success(body, options, names[VALUE_SUCCESS], names[VALUE_ERROR], judgement);
    if (judgement->ending == ENDING_MALFORMED)
        return;
    bool is_success = judgement->ending == ENDING_APPROVED;
    /* Left out of an approval (o-series 2.6), unless the dialect calls a message the same. */
    if (is_success && strcmp(names[VALUE_ERROR], names[VALUE_MESSAGE]) != 0 &&
        jread_member(body, names[VALUE_ERROR]) != NULL)
        verdicts[RULE_ERROR] = VERDICT_FAILED;
    if (names[VALUE_AMOUNT][0] != '\0')
        verdicts[RULE_AMOUNT] = judge_amount(amount, options, is_success);
    if (names[VALUE_BALANCE][0] != '\0')
        verdicts[RULE_BALANCE] = judge_balance(balance, is_success);
}

static void say_sentence(const struct jread *body, const struct options *options,
                         struct judgement *judgement)
{
    const struct dialect *dialect = options_dialect(options);
    const char *names[3] = {dialect->loyalty_error, dialect->refusal_error, "message"};
    if (options->action < DIALECT_PAYMENTS) {
        names[0] = dialect->reply[options->action][VALUE_ERROR];
        names[2] = dialect->reply[options->action][VALUE_MESSAGE];
    } else if (options->action == TILL_REDEEM) {
        names[0] = dialect->redeem_error;
    }
    for (size_t i = 0; i < COUNT_OF(names) && judgement->sentence[0] == '\0'; i++)
        say(judgement->sentence, jread_member(body, names[i]));
}

static void judge_object(const struct jread *body, const struct request *request,
                         const struct options *options, struct judgement *judgement)
{
    say_sentence(body, options, judgement);
    if (options->action == TILL_CUSTOMER_SEARCH)
        judge_search(body, options, judgement);
    else if (options->action == TILL_REWARD_LOOKUP)
        judge_lookup(body, options, judgement);
    else if (options->action == TILL_REDEEM)
        judge_redeem(body, request, options, judgement);
    else
        judge_payment(body, options, judgement);
}

/* What a lenient register uses all the same. An amount must still be one: it is what is booked. */
static bool is_forgiven_leniently(enum rule rule, const struct reply *reply,
                                  const struct judgement *judgement)
{
    int64_t amount_minor;
    if (rule == RULE_STATUS)
        return reply->status / 100 == 2;
    if (rule == RULE_AMOUNT)
        return judgement->amount[0] == '\0' ||
               (money_parse(text_of(judgement->amount), MONEY_EXPONENT_MAX, &amount_minor) == 0 &&
                amount_minor >= 0);
    return rule != RULE_PARSES && rule != RULE_READABLE && rule != RULE_NAMES &&
           rule != RULE_OBJECT && rule != RULE_MEMBERS;
}

/* A refusal with another status (401, 503) is told by its body; an approval needs every rule. */
static void judge_ending(const struct reply *reply, const struct options *options,
                         struct judgement *judgement)
{
    for (size_t i = 0; i < RULES; i++) {
        bool is_forgiven = i == RULE_STATUS && judgement->ending == ENDING_REFUSED;
        if (options->is_lenient)
            is_forgiven = is_forgiven || is_forgiven_leniently((enum rule)i, reply, judgement);
        if (judgement->verdicts[i] == VERDICT_FAILED && !is_forgiven) {
            judgement->ending = ENDING_MALFORMED;
            return;
        }
    }
}

void judge(const struct reply *reply, const struct request *request, const struct options *options,
           struct judgement *judgement)
{
    *judgement = (struct judgement){.ending = ENDING_MALFORMED};
    if (reply->was_dropped || reply->failure != NULL) {
        judgement->ending = reply->was_dropped ? ENDING_DROPPED : ENDING_NO_REPLY;
        return;
    }
    judgement->verdicts[RULE_STATUS] = verdict_of(reply->status == 200);
    judgement->verdicts[RULE_TYPE] = verdict_of(content_type_is_json(reply->content_type));
    if (!judge_body(reply, judgement)) {
        if (judgement->verdicts[RULE_PARSES] == VERDICT_FAILED &&
            !till_action_is_payment(options->action))
            judgement->ending = ENDING_CRASHED;
        return;
    }
    bool is_object = jread_kind_of(judgement->body) == JREAD_OBJECT;
    judgement->verdicts[RULE_OBJECT] = verdict_of(is_object);
    if (is_object)
        judge_object(judgement->body, request, options, judgement);
    judge_ending(reply, options, judgement);
}

void judgement_finish(struct judgement *judgement)
{
    jread_destroy(judgement->body);
    judgement->body = NULL;
}
