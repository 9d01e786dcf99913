/* What the four payment actions call their fields: requests, approvals, refusals. */
#include "base/error.h"
#include "handlers/profile_import_parts.h"

#include <stdio.h>
#include <string.h>

#include "base/banned.h"

/* --- words --- */

#define OTHER_WORDS                                                                                \
    "tip=100 gratuity=100 tax=100 gst=100 surcharge=100 discount=100 currency=100 staff=100 "      \
    "operator=90 cashier=95 timestamp=100 time=90 date=90 signature=100 pin=95 version=90 "        \
    "language=90 locale=90 points=95"

static const struct meaning request_meanings[] = {
    {PROFILE_COMPANY, SHAPE_WHOLE,
     "company=100 merchant=95 firm=95 business=85 organisation=90 organization=90 org=80 "
     "tenant=85 account=60 chain=60 brand=55"},
    {PROFILE_SITE, SHAPE_WHOLE,
     "site=100 outlet=95 location=90 store=90 shop=90 branch=90 venue=90 restaurant=85 "
     "premises=80"},
    {PROFILE_REGISTER, SHAPE_WHOLE,
     "register=100 terminal=95 till=95 device=85 pos=80 station=75 workstation=85 lane=75 "
     "machine=60 cashregister=100 cashdesk=95 desk=75"},
    {PROFILE_ORDER, SHAPE_WHOLE,
     "order=100 sale=95 invoice=85 bill=90 receipt=75 ticket=80 check=70 transaction=70 basket=75 "
     "tab=70 purchase=65 cart=70"},
    {PROFILE_KEYWORD, SHAPE_WORD,
     "keyword=100 query=85 search=80 q=75 term=80 card=90 cardnumber=100 giftcard=95 "
     "giftcardnumber=100 pan=85 voucher=85 vouchercode=90 barcode=85 scan=80 scanned=80 swipe=80 "
     "swiped=80 track=60 code=60 number=55 input=65 text=60 typed=80 coupon=60"},
    {PROFILE_REFERENCE, SHAPE_WORD,
     "reference=100 referenceid=100 ref=90 member=85 memberid=90 loyalty=75 loyaltyid=85 "
     "membership=85 customerreference=100 customerref=95 customer=55"},
    {PROFILE_AMOUNT, SHAPE_MONEY,
     "amount=100 sum=95 total=85 value=75 price=70 topupamount=100 checkoutamount=100 "
     "paymentamount=100 refundamount=100 chargeamount=100 load=90 loadamount=100 due=70 "
     "amountdue=85 payment=65 credit=60 requested=80 requestedamount=95 tender=70 tenderamount=90 "
     "topay=80 giveback=90 charge=70 topup=80 refund=70"},
    {MEANING_OTHER, 0xff, OTHER_WORDS},
};

static const struct meaning reply_meanings[] = {
    {PROFILE_VALUE_SUCCESS, SHAPE_BOOL,
     "success=100 ok=95 successful=95 approved=90 accepted=90 authorised=85 authorized=85 done=70 "
     "valid=60 status=60 result=60"},
    {PROFILE_VALUE_AMOUNT, SHAPE_MONEY,
     "amount=100 approved=90 approvedamount=100 amountapproved=100 charged=95 chargedamount=100 "
     "amountcharged=100 paid=90 paidamount=95 amountpaid=95 redeemed=85 redeemedamount=95 "
     "applied=85 value=60 sum=85 total=70 loaded=95 loadedamount=100 topupamount=100 credited=95 "
     "refunded=95 refundamount=95 refundedamount=100 returned=85 debited=90 taken=80 payment=70 "
     "paymentamount=95 used=65"},
    {PROFILE_VALUE_ASKED, SHAPE_MONEY,
     "asked=100 requested=95 requestedamount=100 amountrequested=100 askedamount=100"},
    {PROFILE_VALUE_DUE, SHAPE_MONEY,
     "due=100 amountdue=100 outstanding=95 remaining=60 remainder=80 shortfall=95 remainingdue=100 "
     "topay=90 lefttopay=100 stilldue=100 unpaid=90"},
    {PROFILE_VALUE_BALANCE, SHAPE_MONEY,
     "balance=100 newbalance=100 remainingbalance=100 currentbalance=100 cardbalance=100 "
     "availablebalance=100 available=85 left=80 remaining=70 funds=85 credit=60 balanceafter=100"},
    {PROFILE_VALUE_REFERENCE, SHAPE_WORD,
     "reference=100 referenceid=100 ref=95 transaction=90 transactionid=95 txn=90 txnid=95 "
     "authcode=85 approvalcode=80 receipt=85 confirmation=85 operation=75 id=55"},
    {PROFILE_VALUE_LAST4, SHAPE_WHOLE, "last4=100 lastfour=100 cardlast4=100 lastdigits=90"},
    {PROFILE_VALUE_CURRENCY, SHAPE_TEXT, "currency=100 currencycode=100"},
    {PROFILE_VALUE_MESSAGE, SHAPE_TEXT,
     "message=100 msg=95 text=85 description=75 info=75 note=75 detail=70 details=70 display=70 "
     "sentence=75 comment=65"},
    {PROFILE_VALUE_ERROR, SHAPE_TEXT,
     "error=100 errormessage=100 reason=95 failure=85 failurereason=95 problem=90 fault=85 "
     "errordescription=95 declinereason=95"},
    {PROFILE_VALUE_CODE, SHAPE_TEXT,
     "code=100 errorcode=100 resultcode=95 responsecode=95 reasoncode=95 statuscode=85"},
    {MEANING_OTHER, 0xff, OTHER_WORDS},
};

static const char *name_of_field(int id)
{
    return profile_field_name((enum profile_field)id);
}

const char *import_name_of_value(int id)
{
    return profile_value_name((enum profile_value)id);
}

unsigned import_value_lists(enum profile_value value)
{
    static const unsigned lists[PROFILE_VALUES] = {
#define X(symbol, name, in) [symbol] = (in),
        PROFILE_VALUE_LIST(X)
#undef X
    };
    return lists[value];
}

/* --- lists of names --- */

void import_names_add(struct profile_names *names, struct text name)
{
    for (int32_t i = 0; i < names->count; i++)
        if (text_equal(profile_name(names, i), name))
            return;
    if (names->count == PROFILE_ALIASES_MAX || name.length > PROFILE_NAME_MAX)
        return;
    import_copy_name(names->names[names->count], name);
    names->lengths[names->count] = (uint8_t)strlen(names->names[names->count]);
    names->count++;
}

static bool names_have(const struct profile_names *names, struct text name)
{
    for (int32_t i = 0; i < names->count; i++)
        if (text_equal(profile_name(names, i), name))
            return true;
    return false;
}

static void names_remove(struct profile_names *names, struct text name)
{
    struct profile_names left = {0};
    for (int32_t i = 0; i < names->count; i++)
        if (!text_equal(profile_name(names, i), name))
            import_names_add(&left, profile_name(names, i));
    *names = left;
}

int32_t import_fill_reply(const struct table *table, unsigned list, struct profile_reply *reply)
{
    struct profile_reply filled = {0};
    for (int32_t i = 0; i < table->count; i++) {
        const struct column *column = &table->columns[i];
        int id = column->meaning < 0 ? MEANING_OTHER : table->meanings[column->meaning].id;
        if (id == MEANING_OTHER || (import_value_lists((enum profile_value)id) & list) == 0 ||
            column->name.length > PROFILE_NAME_MAX || filled.count == PROFILE_PAIRS_MAX)
            continue;
        struct profile_pair *pair = &filled.pairs[filled.count++];
        import_copy_name(pair->name, column->name);
        pair->value = (enum profile_value)id;
    }
    if (filled.count > 0)
        *reply = filled;
    return filled.count;
}

static bool reply_has(const struct profile_reply *reply, const char *name, enum profile_value value)
{
    for (int32_t i = 0; i < reply->count; i++)
        if (reply->pairs[i].value == value && strcmp(reply->pairs[i].name, name) == 0)
            return true;
    return false;
}

/* Does a reply say all that another says, and under the same names? More of it does no harm. */
static bool reply_covers(const struct profile_reply *reply, const struct profile_reply *wanted)
{
    for (int32_t i = 0; i < wanted->count; i++)
        if (!reply_has(reply, wanted->pairs[i].name, wanted->pairs[i].value))
            return false;
    return true;
}

/* --- one action --- */

struct payment {
    struct import *import;
    enum profile_action action;
    const char *name;
    char reply_place[40];
    struct table *request, *all, *success, *failure;
    struct text success_name; /* what says whether it worked; empty: nothing does */
};

static struct text asked_in(const struct payment *payment, const struct exchange *exchange)
{
    int32_t index = -1;
    const struct column *column;
    while ((column = table_next(payment->request, PROFILE_AMOUNT, &index)) != NULL)
        for (int32_t i = 0; i < exchange->field_count; i++)
            if (text_equal(exchange->fields[i].name, column->name))
                return exchange->fields[i].text;
    return TEXT("");
}

static void ask_amount(const struct payment *payment)
{
    char sentence[200];
    snprintf(sentence, sizeof(sentence), "Which field of the %s request is the amount?",
             payment->name);
    if (payment->action != PROFILE_CHECK_BALANCE)
        table_ask(payment->request, PROFILE_AMOUNT, sentence);
}

static bool request_lacks(const struct payment *payment, enum profile_field field)
{
    return table_find(payment->request, (int)field) == NULL &&
           !table_is_answered_none(payment->request, (int)field);
}

static void ask_request(const struct payment *payment)
{
    char sentence[200];
    if (request_lacks(payment, PROFILE_AMOUNT))
        ask_amount(payment);
    if (request_lacks(payment, PROFILE_COMPANY)) {
        snprintf(sentence, sizeof(sentence),
                 "Which field of the %s request is the company? Requests without one are refused.",
                 payment->name);
        table_ask(payment->request, PROFILE_COMPANY, sentence);
    }
    if (request_lacks(payment, PROFILE_KEYWORD) && request_lacks(payment, PROFILE_REFERENCE)) {
        snprintf(sentence, sizeof(sentence),
                 "Which field of the %s request is the card, as it was typed or scanned?",
                 payment->name);
        table_ask(payment->request, PROFILE_KEYWORD, sentence);
    }
}

static void tell_nested(const struct payment *payment)
{
    for (int32_t i = 0; i < payment->request->count; i++)
        if (payment->request->columns[i].parent.length > 0) {
            import_note(payment->import, true,
                        "%s: some fields of the request stand inside another object; the service "
                        "reads those of the outermost object only",
                        payment->name);
            return;
        }
}

static void apply_request(const struct payment *payment)
{
    struct profile_names *fields = payment->import->profile->request[payment->action];
    for (int field = 0; field < PROFILE_REFUSED; field++) {
        struct profile_names found = {0};
        int32_t index = -1;
        const struct column *column;
        while ((column = table_next(payment->request, field, &index)) != NULL)
            import_names_add(&found, column->name);
        if (found.count == 0)
            continue;
        payment->import->has_names[payment->action][field] = true;
        /* The built-in names go on where the first of them is what was found. */
        bool is_known = found.count == 1 && fields[field].count > 0 &&
                        strcmp(found.names[0], fields[field].names[0]) == 0;
        if (!is_known)
            fields[field] = found;
    }
}

/* --- replies --- */

/* How a column's values stand to what was asked. */
struct relation {
    int32_t equal, more; /* as much as was asked; more */
    int32_t rest, odd;   /* with another field it makes what was asked; with none */
};

static bool another_makes(const struct table *table, const struct column *column, int32_t example,
                          int64_t units)
{
    for (int32_t i = 0; i < table->count; i++) {
        const struct column *other = &table->columns[i];
        int64_t value;
        if (other != column && (other->examples >> example & 1) != 0 &&
            import_money(other->values[example], &value) && value == units)
            return true;
    }
    return false;
}

static struct relation relate(const struct table *table, const struct column *column)
{
    struct relation relation = {0};
    for (int32_t i = 0; i < table->example_count; i++) {
        int64_t asked, value;
        if ((column->examples >> i & 1) == 0 || !import_money(table->asked[i], &asked) ||
            !import_money(column->values[i], &value))
            continue;
        bool is_rest = another_makes(table, column, i, asked - value);
        relation.equal += asked == value;
        relation.more += value > asked;
        relation.rest += value > 0 && value < asked && is_rest;
        relation.odd += value > 0 && !is_rest;
    }
    return relation;
}

/* What was asked is known: an approval is that, or less; what is due is the rest. */
static int bonus_by_value(const struct table *table, const struct column *column,
                          const struct meaning *meaning, const char **why)
{
    struct relation relation = relate(table, column);
    if (meaning->id == PROFILE_VALUE_DUE)
        return relation.odd > 0 ? -100 : 0;
    if (meaning->id == PROFILE_VALUE_BALANCE)
        return relation.rest > 0 && relation.odd == 0 ? -25 : 0;
    if (meaning->id != PROFILE_VALUE_AMOUNT)
        return 0;
    int named = words_score(column->name, meaning->words);
    if (relation.more > 0) /* examples may be careless, so a name that means only this stands */
        return named >= 90 ? 0 : -100;
    if (relation.equal > 0 && named == 0) {
        *why = "it is what was asked";
        return 60;
    }
    return 0;
}

/* Of check-balance: any amount in it is the balance. */
static int bonus_of_balance(const struct table *table, const struct column *column,
                            const struct meaning *meaning, const char **why)
{
    (void)table;
    int as_amount = words_score(column->name, "amount=95 value=90 total=70 sum=70");
    if (meaning->id == PROFILE_VALUE_AMOUNT || meaning->id == PROFILE_VALUE_ASKED ||
        meaning->id == PROFILE_VALUE_DUE)
        return -100;
    if (meaning->id != PROFILE_VALUE_BALANCE || as_amount == 0 || column->shapes == 0)
        return 0;
    *why = "an amount in a reply about the balance";
    return as_amount;
}

/* A field that is there in approvals means the same in refusals. */
int import_bonus_of_like(const struct table *table, const struct column *column,
                         const struct meaning *meaning, const char **why)
{
    for (int32_t i = 0; table->like != NULL && i < table->like->count; i++) {
        const struct column *known = &table->like->columns[i];
        if (known->meaning >= 0 && text_equal(known->name, column->name) &&
            table->like->meanings[known->meaning].id == meaning->id) {
            *why = table->like_why;
            return 100;
        }
    }
    return 0;
}

int import_bonus_of_reply(const struct table *table, const struct column *column,
                          const struct meaning *meaning, const char **why)
{
    bool is_flag = table->flag.length > 0 && text_equal(table->flag, column->name);
    if (meaning->id == PROFILE_VALUE_SUCCESS && is_flag &&
        words_score(column->name, meaning->words) == 0) {
        *why = "the only true or false of the reply";
        return 80;
    }
    if (table->like != NULL)
        return import_bonus_of_like(table, column, meaning, why);
    return table->is_balance ? bonus_of_balance(table, column, meaning, why)
                             : bonus_by_value(table, column, meaning, why);
}

static struct text find_success(const struct payment *payment)
{
    const struct column *named = table_find(payment->all, PROFILE_VALUE_SUCCESS);
    if (table_is_answered_none(payment->all, PROFILE_VALUE_SUCCESS))
        return TEXT("");
    const struct column *only = NULL;
    int32_t flags = 0;
    for (int32_t i = 0; i < payment->all->count; i++)
        if (payment->all->columns[i].shapes == SHAPE_BOOL) {
            only = &payment->all->columns[i];
            flags++;
        }
    if (named != NULL)
        return named->name;
    bool is_negative = only != NULL && words_score(only->name, "error=100 failed=100 failure=100 "
                                                               "declined=100 refused=100") > 0;
    return flags == 1 && !is_negative && only->parent.length == 0 ? only->name : TEXT("");
}

static bool is_approval(const struct payment *payment, const struct exchange *exchange)
{
    bool flag;
    const struct jread *said = jread_member_named(exchange->reply, payment->success_name);
    if (payment->success_name.length > 0 && jread_bool(said, &flag) == 0)
        return flag;
    return exchange->status < 400 && jread_member(exchange->reply, "error") == NULL;
}

static bool is_outside(const struct exchange *exchange)
{
    return exchange->status >= 400; /* bad JSON, a wrong signature: the reply named refusal */
}

enum reply_kind { REPLY_ANY, REPLY_APPROVAL, REPLY_REFUSAL };

static void fill_replies(const struct payment *payment, struct table *table, enum reply_kind kind)
{
    int32_t index = -1;
    const struct exchange *exchange;
    while ((exchange = import_next(payment->import, (enum import_action)payment->action, &index)) !=
           NULL) {
        if (jread_kind_of(exchange->reply) != JREAD_OBJECT ||
            (kind != REPLY_ANY &&
             (is_outside(exchange) || is_approval(payment, exchange) != (kind == REPLY_APPROVAL))))
            continue;
        if (table_begin_example(table, exchange->name, asked_in(payment, exchange)))
            table_add_object(table, exchange->reply);
    }
}

void table_read_as_reply(struct table *table)
{
    table->meanings = reply_meanings;
    table->meaning_count = COUNT_OF(reply_meanings);
    table->name_of = import_name_of_value;
}

/* What a till cannot do without. */
static void ask_reply(const struct payment *payment)
{
    char sentence[240];
    bool is_balance = payment->action == PROFILE_CHECK_BALANCE;
    int money = is_balance ? PROFILE_VALUE_BALANCE : PROFILE_VALUE_AMOUNT;
    if (table_find(payment->success, PROFILE_VALUE_SUCCESS) == NULL &&
        !table_is_answered_none(payment->success, PROFILE_VALUE_SUCCESS)) {
        snprintf(sentence, sizeof(sentence),
                 "Which field of the %s reply says with true or false whether it worked?",
                 payment->name);
        table_ask(payment->success, PROFILE_VALUE_SUCCESS, sentence);
    }
    if (table_find(payment->success, money) == NULL &&
        !table_is_answered_none(payment->success, money)) {
        snprintf(sentence, sizeof(sentence), "Which field of the %s reply is %s?", payment->name,
                 is_balance ? "the balance" : "what was moved, which the till books");
        table_ask(payment->success, money, sentence);
    }
}

static void note_amounts(const struct table *table)
{
    for (int32_t i = 0; i < table->count; i++) {
        const struct column *column = &table->columns[i];
        int id = column->meaning < 0 ? MEANING_OTHER : table->meanings[column->meaning].id;
        bool is_money = id == PROFILE_VALUE_AMOUNT || id == PROFILE_VALUE_BALANCE ||
                        id == PROFILE_VALUE_DUE || id == PROFILE_VALUE_ASKED;
        table->import->amounts_are_texts |= is_money && column->has_texts;
        table->import->amounts_are_numbers |= is_money && column->has_numbers;
    }
}

void import_apply_reply(const struct table *table, unsigned list, struct profile_reply *reply)
{
    struct profile_reply found = {0};
    if (import_fill_reply(table, list, &found) > 0 && !reply_covers(reply, &found))
        *reply = found;
}

/* A request that was refused may have been wrong on purpose: it counts where no other is there. */
static bool is_good_request(const struct payment *payment, const struct exchange *exchange)
{
    if (exchange->field_count == 0)
        return false;
    return jread_kind_of(exchange->reply) != JREAD_OBJECT ||
           (!is_outside(exchange) && is_approval(payment, exchange));
}

static void fill_requests(const struct payment *payment, bool with_refused)
{
    int32_t index = -1;
    const struct exchange *exchange;
    while ((exchange = import_next(payment->import, (enum import_action)payment->action, &index)) !=
           NULL) {
        bool is_taken =
            with_refused ? exchange->field_count > 0 : is_good_request(payment, exchange);
        if (!is_taken || !table_begin_example(payment->request, exchange->name, TEXT("")))
            continue;
        for (int32_t i = 0; i < exchange->field_count; i++)
            table_add(payment->request, &exchange->fields[i]);
    }
}

static void read_requests(struct payment *payment)
{
    fill_requests(payment, false);
    if (payment->request->example_count == 0)
        fill_requests(payment, true);
    if (payment->request->example_count == 0)
        return;
    table_match(payment->request, NULL);
    ask_request(payment);
    table_tell(payment->request);
    table_tell_rest(payment->request, "fields of the request that mean nothing to the service");
    tell_nested(payment);
    apply_request(payment);
}

static void match_replies(struct payment *payment)
{
    payment->success->flag = payment->failure->flag = payment->success_name;
    fill_replies(payment, payment->success, REPLY_APPROVAL);
    fill_replies(payment, payment->failure, REPLY_REFUSAL);
    table_match(payment->success, import_bonus_of_reply);
    payment->failure->like = payment->success;
    payment->failure->like_why = "its name, as in an approval";
    table_match(payment->failure, import_bonus_of_reply);
    if (payment->import->flag.length == 0)
        payment->import->flag = payment->success_name;
}

static void read_replies(struct payment *payment)
{
    struct profile *profile = payment->import->profile;
    match_replies(payment);
    if (payment->all->example_count == 0) {
        import_note(payment->import, true,
                    "%s: no reply was read, so its reply keeps the names of the default",
                    payment->name);
        return;
    }
    if (payment->success->example_count > 0) {
        ask_reply(payment);
        table_tell(payment->success);
        table_tell_rest(payment->success, "fields of the reply that the service cannot fill");
        note_amounts(payment->success);
        import_apply_reply(payment->success, PROFILE_IN_SUCCESS,
                           &profile->success[payment->action]);
    } else {
        import_note(payment->import, true,
                    "%s: no approval is saved, so its approvals keep the names of the default",
                    payment->name);
    }
    table_tell(payment->failure);
    table_tell_rest(payment->failure, "fields of the refusal that the service cannot fill");
    import_apply_reply(payment->failure, PROFILE_IN_FAILURE, &profile->failure[payment->action]);
    payment->import->has_failure[payment->action] = payment->failure->example_count > 0;
    payment->import->has_success[payment->action] = payment->success->example_count > 0;
}

static bool payment_create(struct payment *payment)
{
    bool is_balance = payment->action == PROFILE_CHECK_BALANCE;
    struct table **replies[] = {&payment->all, &payment->success, &payment->failure};
    payment->request = table_create(payment->import, payment->name);
    bool is_made = payment->request != NULL;
    if (is_made) {
        payment->request->is_request = true;
        payment->request->meanings = request_meanings;
        payment->request->meaning_count = COUNT_OF(request_meanings);
        payment->request->name_of = name_of_field;
    }
    for (size_t i = 0; i < COUNT_OF(replies); i++) {
        struct table *table = *replies[i] = table_create(payment->import, payment->reply_place);
        is_made = is_made && table != NULL;
        if (table == NULL)
            continue;
        table->is_balance = is_balance;
        table_read_as_reply(table);
    }
    return is_made;
}

static int import_payment(struct import *import, enum profile_action action)
{
    struct payment payment = {
        .import = import, .action = action, .name = profile_action_name(action)};
    snprintf(payment.reply_place, sizeof(payment.reply_place), "%s.reply", payment.name);
    int err = payment_create(&payment) ? 0 : ERR_NO_MEMORY;
    if (err == 0) {
        fill_replies(&payment, payment.all, REPLY_ANY);
        table_match(payment.all, import_bonus_of_reply);
        payment.success_name = find_success(&payment);
        read_requests(&payment);
        read_replies(&payment);
    }
    table_destroy(payment.request);
    table_destroy(payment.all);
    table_destroy(payment.success);
    table_destroy(payment.failure);
    return err;
}

/* --- what no example shows --- */

static const struct profile_pair *pair_of(const struct profile_reply *reply,
                                          enum profile_value value)
{
    for (int32_t i = 0; i < reply->count; i++)
        if (reply->pairs[i].value == value)
            return &reply->pairs[i];
    return NULL;
}

/* A refusal that no example shows: as another action's, or the default's, under the names that the
 * approvals of this action have. */
static void complete_failure(struct import *import, int action, int donor)
{
    struct profile_reply made = {0};
    const struct profile_reply *success = &import->profile->success[action];
    const struct profile_reply *pattern = &import->profile->failure[donor < 0 ? action : donor];
    for (int32_t i = 0; i < pattern->count; i++) {
        struct profile_pair pair = pattern->pairs[i];
        const struct profile_pair *own = pair_of(success, pair.value);
        bool is_text = pair.value == PROFILE_VALUE_ERROR || pair.value == PROFILE_VALUE_MESSAGE ||
                       pair.value == PROFILE_VALUE_CODE;
        if (own == NULL && !is_text)
            continue;
        if (own != NULL)
            memcpy(pair.name, own->name, sizeof(pair.name));
        made.pairs[made.count++] = pair;
    }
    if (made.count > 0 && !reply_covers(&import->profile->failure[action], &made))
        import->profile->failure[action] = made;
}

static void complete_failures(struct import *import)
{
    int donor = -1;
    for (int action = PROFILE_ACTIONS - 1; action >= 0; action--)
        if (import->has_failure[action])
            donor = action;
    for (int action = 0; action < PROFILE_ACTIONS; action++)
        if (import->has_success[action] && !import->has_failure[action]) {
            import_note(import, true, "%s: no refusal is saved; it follows %s",
                        profile_action_name((enum profile_action)action),
                        donor < 0 ? "the default, under this action's names"
                                  : profile_action_name((enum profile_action)donor));
            complete_failure(import, action, donor);
        }
}

/* What is refused before the action is known. */
static void derive_refusal(struct import *import, const struct profile_reply *failure)
{
    struct profile_reply made = {0};
    for (int32_t i = 0; i < failure->count; i++)
        if ((import_value_lists(failure->pairs[i].value) & PROFILE_IN_REFUSAL) != 0)
            made.pairs[made.count++] = failure->pairs[i];
    const struct profile_pair *code = pair_of(&import->builtin->refusal, PROFILE_VALUE_CODE);
    bool is_free = true;
    for (int32_t i = 0; code != NULL && i < made.count; i++)
        is_free = is_free && strcmp(made.pairs[i].name, code->name) != 0;
    if (code != NULL && is_free && pair_of(&made, PROFILE_VALUE_CODE) == NULL &&
        made.count < PROFILE_PAIRS_MAX)
        made.pairs[made.count++] = *code;
    if (made.count > 0 && !reply_covers(&import->profile->refusal, &made))
        import->profile->refusal = made;
}

static int import_refusal(struct import *import)
{
    struct table *table = table_create(import, "refusal");
    if (table == NULL)
        return ERR_NO_MEMORY;
    table_read_as_reply(table);
    table->flag = import->flag;
    for (int32_t i = 0; i < import->exchange_count; i++) {
        const struct exchange *exchange = &import->exchanges[i];
        if (exchange->action < (enum import_action)PROFILE_ACTIONS && is_outside(exchange) &&
            jread_kind_of(exchange->reply) == JREAD_OBJECT &&
            table_begin_example(table, exchange->name, TEXT("")))
            table_add_object(table, exchange->reply);
    }
    table_match(table, import_bonus_of_reply);
    table_tell(table);
    import_apply_reply(table, PROFILE_IN_REFUSAL, &import->profile->refusal);
    for (int action = 0; table->example_count == 0 && action < PROFILE_ACTIONS; action++)
        if (import->has_failure[action] || import->has_success[action]) {
            derive_refusal(import, &import->profile->failure[action]);
            break;
        }
    table_destroy(table);
    return 0;
}

/* --- names across actions --- */

static bool names_are_equal(const struct profile_names *a, const struct profile_names *b)
{
    bool are_equal = a->count == b->count;
    for (int32_t i = 0; are_equal && i < a->count; i++)
        are_equal = text_equal(profile_name(a, i), profile_name(b, i));
    return are_equal;
}

/* A register that calls the company "firm" in one action does so in all. */
static void spread_names(struct import *import)
{
    for (int field = 0; field < PROFILE_AMOUNT; field++) {
        const struct profile_names *found = NULL;
        bool agree = true;
        for (int a = 0; a < PROFILE_ACTIONS; a++) {
            const struct profile_names *names = &import->profile->request[a][field];
            if (!import->has_names[a][field])
                continue;
            agree = agree && (found == NULL || names_are_equal(found, names));
            found = names;
        }
        for (int a = 0; agree && found != NULL && a < PROFILE_ACTIONS; a++)
            if (!import->has_names[a][field])
                import->profile->request[a][field] = *found;
    }
}

/* Names that were found are nothing else any more. */
static void take_names_back(struct import *import, int action)
{
    struct profile_names *fields = import->profile->request[action];
    for (int found = 0; found < PROFILE_FIELDS; found++)
        for (int other = 0; other < PROFILE_FIELDS && import->has_names[action][found]; other++)
            for (int32_t i = 0; other != found && i < fields[found].count; i++)
                if (!import->has_names[action][other])
                    names_remove(&fields[other], profile_name(&fields[found], i));
}

static bool action_has_name(const struct import *import, int action, struct text name)
{
    for (int field = 0; field < PROFILE_REFUSED; field++)
        if (names_have(&import->profile->request[action][field], name))
            return true;
    return false;
}

/* A top-up's body must not pass as a charge, nor the other way round: an address is pasted wrong
 * easily. */
static void guard_action(struct import *import, int action)
{
    const struct profile_names *top_up = &import->profile->request[PROFILE_TOP_UP][PROFILE_AMOUNT];
    struct profile_names *fields = import->profile->request[action];
    struct profile_names refused = {0};
    const char *shared = NULL;
    for (int32_t i = 0; i < top_up->count; i++) {
        if (!action_has_name(import, action, profile_name(top_up, i)))
            import_names_add(&refused, profile_name(top_up, i));
        else if (names_have(&fields[PROFILE_AMOUNT], profile_name(top_up, i)))
            shared = top_up->names[i];
    }
    if (import->has_names[PROFILE_TOP_UP][PROFILE_AMOUNT])
        fields[PROFILE_REFUSED] = refused;
    if (shared != NULL)
        import_note(import, true,
                    "top_up and %s both call the amount '%s': an address pasted into the other "
                    "field of the Back Office would move money the wrong way; paste with care, or "
                    "switch top-ups off (counterpart tenant set --tenant ID --top-up off)",
                    profile_action_name((enum profile_action)action), shared);
}

static void note_amount_kind(struct import *import)
{
    if (import->amounts_are_texts && !import->amounts_are_numbers)
        import_note(import, true,
                    "the saved replies write amounts as text (\"25.50\"): also set "
                    "counterpart tenant set --tenant ID --amounts string");
}

int import_payments(struct import *import)
{
    int seen = 0;
    for (int action = 0; action < PROFILE_ACTIONS; action++) {
        int err = 0;
        if (import->report->examples[action] > 0)
            err = import_payment(import, (enum profile_action)action);
        if (err != 0)
            return err;
        seen += import->report->examples[action] > 0;
    }
    if (seen == 0)
        return 0;
    spread_names(import);
    for (int action = 0; action < PROFILE_ACTIONS; action++)
        take_names_back(import, action);
    guard_action(import, PROFILE_CHECKOUT);
    guard_action(import, PROFILE_REFUND);
    complete_failures(import);
    note_amount_kind(import);
    return import_refusal(import);
}
