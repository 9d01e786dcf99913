/* What search, look-up and redeem call their fields: requests, members, rewards, refusals. */
#include "base/error.h"
#include "handlers/profile_import_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

#define MEMBERS_MAX IMPORT_EXAMPLES_MAX /* of all saved replies together */

#define PLACE_WORDS                                                                                \
    {LOYALTY_COMPANY, SHAPE_WHOLE,                                                                 \
     "company=100 merchant=95 firm=95 business=85 organisation=90 organization=90 org=80 "         \
     "tenant=85 account=60"},                                                                      \
        {LOYALTY_SITE, SHAPE_WHOLE,                                                                \
         "site=100 outlet=95 location=90 store=90 shop=90 branch=90 venue=90 restaurant=85"},      \
    {                                                                                              \
        LOYALTY_ORDER, SHAPE_WHOLE,                                                                \
            "order=100 sale=95 invoice=85 bill=90 receipt=75 ticket=80 check=70 transaction=70 "   \
            "basket=75 tab=70 cart=70"                                                             \
    }
#define OTHER_PLACE                                                                                \
    {                                                                                              \
        MEANING_OTHER, 0xff,                                                                       \
            "register=100 terminal=95 till=95 device=85 limit=95 page=95 token=100 t=100 time=90 " \
            "staff=90 signature=100"                                                               \
    }

static const struct meaning search_meanings[] = {
    PLACE_WORDS,
    {LOYALTY_KEYWORD, SHAPE_WORD | SHAPE_EMAIL,
     "keyword=100 query=95 search=95 q=90 term=90 text=80 input=80 name=85 customer=70 member=70 "
     "find=85 pattern=80 phrase=80 filter=75"},
    OTHER_PLACE,
};

static const struct meaning lookup_meanings[] = {
    PLACE_WORDS,
    {LOYALTY_REFERENCE, SHAPE_WORD,
     "reference=100 referenceid=100 ref=90 member=95 memberid=100 loyalty=80 membership=85 "
     "customerreference=100"},
    {LOYALTY_CUSTOMER, SHAPE_WORD, "customer=100 person=85 client=80 guest=80 patron=80"},
    OTHER_PLACE,
};

static const struct meaning member_meanings[] = {
    {PROFILE_VALUE_MEMBER, SHAPE_WORD,
     "id=100 memberid=100 member=90 ref=80 reference=80 referenceid=85 code=65 number=60 key=65 "
     "uid=85"},
    {PROFILE_VALUE_FIRST_NAME, SHAPE_TEXT,
     "firstname=100 first=90 givenname=95 given=90 forename=95 name=60"},
    {PROFILE_VALUE_LAST_NAME, SHAPE_TEXT,
     "lastname=100 last=90 surname=95 familyname=95 family=85"},
    {PROFILE_VALUE_EMAIL, SHAPE_EMAIL, "email=100 emailaddress=100 mail=95"},
    {PROFILE_VALUE_PHONE, SHAPE_WORD,
     "phone=100 mobile=95 telephone=95 tel=90 phonenumber=100 cell=90"},
    {PROFILE_VALUE_CARD, SHAPE_WORD, "card=100 cardnumber=100 membershipcard=100 barcode=85"},
    {PROFILE_VALUE_TIER, SHAPE_TEXT,
     "tier=100 level=90 grade=90 rank=85 status=75 group=75 class=70"},
    {PROFILE_VALUE_ICON_URL, SHAPE_URL,
     "icon=100 iconurl=100 image=90 imageurl=95 picture=95 photo=95 avatar=95 logo=80"},
    {PROFILE_VALUE_INTRO_TEXT, SHAPE_TEXT,
     "introtext=100 intro=100 greeting=90 welcome=90 headline=80 note=75 text=75 message=65"},
    {PROFILE_VALUE_POINTS, SHAPE_WHOLE,
     "points=100 currentpoints=100 pointsbalance=100 pointbalance=100 balance=85 score=90 "
     "stars=80 credits=75 loyaltypoints=100"},
    {PROFILE_VALUE_POINTS_LABEL, SHAPE_TEXT,
     "pointslabel=100 label=90 unit=90 pointsname=100 pointsunit=100 scorename=100 currency=65"},
    {PROFILE_VALUE_PARAMS, SHAPE_OBJECT,
     "params=100 parameters=95 extra=95 extras=95 details=90 attributes=90 info=90 fields=85 "
     "custom=85 more=80 additional=85 shown=75"},
};

static const struct meaning param_meanings[] = {
    {PROFILE_VALUE_TIER, SHAPE_WORD, "tier=100 level=90 grade=90 rank=85 status=80 group=75"},
    {PROFILE_VALUE_PHONE, SHAPE_WORD, "phone=100 mobile=95 telephone=95 tel=90 cell=90"},
    {PROFILE_VALUE_CARD, SHAPE_WORD, "card=100 barcode=85"},
    {PROFILE_VALUE_EMAIL, SHAPE_EMAIL, "email=100 mail=95"},
    {PROFILE_VALUE_POINTS, SHAPE_WHOLE, "points=100 score=90 balance=80"},
};

static const struct meaning reward_meanings[] = {
    {PROFILE_VALUE_REWARD, SHAPE_WORD, "id=100 rewardid=100 reward=90 code=75 key=70 offer=75"},
    {PROFILE_VALUE_TITLE, SHAPE_TEXT,
     "title=100 name=95 label=85 headline=85 caption=85 description=65"},
    {PROFILE_VALUE_TERMS, SHAPE_TEXT,
     "terms=100 conditions=95 termsandconditions=100 rules=90 smallprint=100 description=75 "
     "note=75 details=75 text=70"},
    {PROFILE_VALUE_POINTS_REQUIRED, SHAPE_WHOLE,
     "pointsrequired=100 requiredpoints=100 cost=95 price=90 points=95 pointscost=100 needed=80 "
     "score=80 worth=75"},
    {PROFILE_VALUE_REDEEM_URL, SHAPE_URL,
     "redeemurl=100 url=90 link=90 redeem=95 href=90 redeemlink=100 action=75 callback=75"},
};

static const char *name_of_loyalty(int id)
{
    return profile_loyalty_field_name((enum loyalty_field)id);
}

static void read_as(struct table *table, const struct meaning *meanings, size_t count)
{
    table->meanings = meanings;
    table->meaning_count = (int32_t)count;
    table->name_of = import_name_of_value;
}

/* --- requests --- */

static void gather_names(const struct table *table, struct profile_names found[LOYALTY_FIELDS])
{
    for (int field = 0; field < LOYALTY_FIELDS; field++) {
        int32_t index = -1;
        const struct column *column;
        while ((column = table_next(table, field, &index)) != NULL)
            import_names_add(&found[field], column->name);
    }
}

static void ask_for(const struct table *table, int field, int or_field, const char *sentence)
{
    if (table_find(table, field) == NULL && table_find(table, or_field) == NULL &&
        !table_is_answered_none(table, field) && !table_is_answered_none(table, or_field))
        table_ask(table, field, sentence);
}

static void ask_request(const struct table *table, enum import_action action)
{
    if (action == IMPORT_SEARCH)
        ask_for(table, LOYALTY_KEYWORD, LOYALTY_KEYWORD,
                "Which parameter of the search is what the cashier typed?");
    if (action == IMPORT_LOOKUP)
        ask_for(table, LOYALTY_REFERENCE, LOYALTY_CUSTOMER,
                "Which parameter of the look-up is the member (or the customer)?");
    if (action == IMPORT_REDEEM)
        ask_for(table, LOYALTY_ORDER, LOYALTY_ORDER,
                "Which parameter of the redemption is the order?");
}

static int read_requests(struct import *import, enum import_action action,
                         struct profile_names found[LOYALTY_FIELDS])
{
    struct table *table = table_create(import, import_action_name(action));
    int32_t index = -1;
    const struct exchange *exchange;
    if (table == NULL)
        return ERR_NO_MEMORY;
    if (action == IMPORT_SEARCH)
        read_as(table, search_meanings, COUNT_OF(search_meanings));
    else
        read_as(table, lookup_meanings, COUNT_OF(lookup_meanings));
    table->name_of = name_of_loyalty;
    table->is_request = true;
    while ((exchange = import_next(import, action, &index)) != NULL)
        if (exchange->field_count > 0 && table_begin_example(table, exchange->name, TEXT("")))
            for (int32_t i = 0; i < exchange->field_count; i++)
                table_add(table, &exchange->fields[i]);
    table_match(table, NULL);
    if (table->example_count > 0)
        ask_request(table, action);
    table_tell(table);
    table_tell_rest(table, "parameters that mean nothing to the service");
    gather_names(table, found);
    table_destroy(table);
    return 0;
}

/* One list of names serves all three; that of redeem goes first: its order id stands in our
 * redeem_url. */
static int import_requests(struct import *import)
{
    static const enum import_action order[] = {IMPORT_REDEEM, IMPORT_SEARCH, IMPORT_LOOKUP};
    struct profile_names found[LOYALTY_FIELDS] = {{0}};
    struct profile_names *request = import->profile->loyalty.request;
    for (size_t i = 0; i < COUNT_OF(order); i++) {
        int err = read_requests(import, order[i], found);
        if (err != 0)
            return err;
    }
    for (int field = 0; field < LOYALTY_FIELDS; field++) {
        bool is_known = found[field].count == 1 && request[field].count > 0 &&
                        strcmp(found[field].names[0], request[field].names[0]) == 0;
        if (found[field].count > 0 && !is_known)
            request[field] = found[field];
    }
    return 0;
}

/* --- members --- */

static bool is_keyed_by_id(const struct jread *value)
{
    bool are_objects = jread_kind_of(value) == JREAD_OBJECT && jread_count(value) > 0;
    for (size_t i = 0; are_objects && i < jread_count(value); i++) {
        struct text key;
        are_objects = jread_kind_of(jread_member_at(value, i, &key)) == JREAD_OBJECT;
    }
    return are_objects;
}

static bool is_list_of_objects(const struct jread *value)
{
    return jread_kind_of(value) == JREAD_ARRAY &&
           jread_kind_of(jread_element(value, 0)) == JREAD_OBJECT;
}

/* The first member of a reply that is such a value; NULL: none. */
static const struct jread *find_part(const struct jread *reply, bool (*is_it)(const struct jread *),
                                     struct text *name)
{
    for (size_t i = 0; i < jread_count(reply); i++) {
        const struct jread *value = jread_member_at(reply, i, name);
        if (is_it(value))
            return value;
    }
    return NULL;
}

static bool is_member(const struct jread *value)
{
    int32_t known = 0;
    if (jread_kind_of(value) != JREAD_OBJECT)
        return false;
    for (size_t i = 0; i < jread_count(value); i++) {
        struct text name;
        (void)jread_member_at(value, i, &name);
        for (size_t m = 0; m < COUNT_OF(member_meanings); m++)
            known += words_score(name, member_meanings[m].words) >= 85;
    }
    return known >= 2;
}

/* asked is the key that a search's member stands under. */
static int bonus_of_member(const struct table *table, const struct column *column,
                           const struct meaning *meaning, const char **why)
{
    bool is_key = column->examples != 0;
    for (int32_t i = 0; i < table->example_count; i++)
        if ((column->examples >> i & 1) != 0)
            is_key = is_key && table->asked[i].length > 0 &&
                     text_equal(table->asked[i], column->values[i]);
    if (meaning->id == PROFILE_VALUE_MEMBER && is_key) {
        *why = "it is the key of the member";
        return 60;
    }
    if (meaning->id == PROFILE_VALUE_PARAMS && column->shapes == SHAPE_OBJECT &&
        words_score(column->name, meaning->words) == 0) {
        *why = "an object in a member";
        return 60;
    }
    return import_bonus_of_like(table, column, meaning, why);
}

static void apply_points(const struct table *table, struct profile_members *members)
{
    const struct column *points = table_find(table, PROFILE_VALUE_POINTS);
    if (points != NULL && points->has_texts != points->has_numbers)
        members->points_are_strings = points->has_texts;
}

/* The labels of what a register shows as it is. */
static int import_params(struct import *import, const struct table *members, const char *place,
                         const struct jread *const *objects, struct profile_reply *params)
{
    const struct column *column = table_find(members, PROFILE_VALUE_PARAMS);
    struct table *table = table_create(import, place);
    if (table == NULL)
        return ERR_NO_MEMORY;
    read_as(table, param_meanings, COUNT_OF(param_meanings));
    for (int32_t i = 0; column != NULL && i < members->example_count; i++)
        if (table_begin_example(table, members->example_names[i], TEXT("")))
            table_add_object(table, jread_member_named(objects[i], column->name));
    table_match(table, NULL);
    table_tell(table);
    table_tell_rest(table, "labels that the service knows nothing for");
    import_apply_reply(table, PROFILE_IN_PARAMS, params);
    table_destroy(table);
    return 0;
}

struct members {
    const char *place, *params_place;
    struct table *table;
    const struct jread *objects[MEMBERS_MAX];
};

static void add_member(struct members *members, const struct exchange *exchange,
                       const struct jread *object, struct text key)
{
    if (!table_begin_example(members->table, exchange->name, key))
        return;
    members->objects[members->table->example_count - 1] = object;
    table_add_object(members->table, object);
}

static int finish_members(struct import *import, struct members *members,
                          struct profile_members *profile)
{
    struct table *table = members->table;
    table_match(table, bonus_of_member);
    table_tell(table);
    table_tell_rest(table, "fields of a member that the service cannot fill");
    if (table->example_count > 0 && table_find(table, PROFILE_VALUE_MEMBER) == NULL &&
        !table_is_answered_none(table, PROFILE_VALUE_MEMBER))
        table_ask(table, PROFILE_VALUE_MEMBER, "Which field of a member is its id?");
    import_apply_reply(table, PROFILE_IN_MEMBER, &profile->member);
    apply_points(table, profile);
    return import_params(import, table, members->params_place, members->objects, &profile->params);
}

static void tell_wrapper(struct import *import, const char *where, struct text name,
                         const struct exchange *exchange, char wrapper[PROFILE_NAME_MAX + 1])
{
    struct column column = {.name = name, .score = 100, .why = "what it holds"};
    if (name.length == 0 || name.length > PROFILE_NAME_MAX)
        return;
    import_tell(import, where, &column, exchange->name);
    import_copy_name(wrapper, name);
}

static void ask_shape(struct import *import, const char *where, const char *sentence)
{
    struct import_question *question = import_ask(import, where);
    if (question == NULL)
        return;
    snprintf(question->sentence, sizeof(question->sentence), "%s", sentence);
    snprintf(question->option, sizeof(question->option), "--skip %.*s", (int)strcspn(where, "."),
             where);
}

static void gather_found(struct import *import, struct members *members)
{
    int32_t index = -1;
    const struct exchange *exchange;
    bool is_told = false, is_list = false;
    while ((exchange = import_next(import, IMPORT_SEARCH, &index)) != NULL) {
        struct text name, key;
        const struct jread *found = find_part(exchange->reply, is_keyed_by_id, &name);
        is_list |= find_part(exchange->reply, is_list_of_objects, &key) != NULL;
        if (found == NULL)
            continue;
        if (!is_told)
            tell_wrapper(import, "search.wrapper", name, exchange,
                         import->profile->loyalty.search.wrapper);
        is_told = true;
        for (size_t i = 0; i < jread_count(found); i++) {
            const struct jread *object = jread_member_at(found, i, &key);
            add_member(members, exchange, object, key);
        }
    }
    if (!is_told && is_list)
        ask_shape(import, "search.wrapper",
                  "The search is answered with a list of members; the service answers with an "
                  "object of them, each under its id, and a profile cannot change that. Leave the "
                  "search as it is?");
}

static int import_search(struct import *import)
{
    struct members *members = calloc(1, sizeof(*members));
    if (members == NULL)
        return ERR_NO_MEMORY;
    members->params_place = "search.params";
    members->table = table_create(import, "search.member");
    int err = members->table == NULL ? ERR_NO_MEMORY : 0;
    if (err == 0) {
        read_as(members->table, member_meanings, COUNT_OF(member_meanings));
        gather_found(import, members);
        err = finish_members(import, members, &import->profile->loyalty.search);
    }
    import->found = members->table; /* a look-up calls things as a search does */
    free(members);
    return err;
}

static void gather_looked_up(struct import *import, struct members *members, struct table *rewards)
{
    int32_t index = -1;
    const struct exchange *exchange;
    struct profile_loyalty *loyalty = &import->profile->loyalty;
    while ((exchange = import_next(import, IMPORT_LOOKUP, &index)) != NULL) {
        struct text name;
        const struct jread *member = find_part(exchange->reply, is_member, &name);
        if (member != NULL && members->table->example_count == 0)
            tell_wrapper(import, "lookup.wrapper", name, exchange, loyalty->lookup.wrapper);
        if (member != NULL)
            add_member(members, exchange, member, TEXT(""));
        const struct jread *list = find_part(exchange->reply, is_list_of_objects, &name);
        if (list != NULL && rewards->example_count == 0)
            tell_wrapper(import, "rewards.wrapper", name, exchange, loyalty->rewards_wrapper);
        for (size_t i = 0; i < jread_count(list); i++)
            if (table_begin_example(rewards, exchange->name, TEXT("")))
                table_add_object(rewards, jread_element(list, i));
    }
}

static void finish_rewards(struct import *import, struct table *rewards)
{
    table_match(rewards, NULL);
    table_tell(rewards);
    table_tell_rest(rewards, "fields of a reward that the service cannot fill");
    if (rewards->example_count > 0 && table_find(rewards, PROFILE_VALUE_REDEEM_URL) == NULL &&
        !table_is_answered_none(rewards, PROFILE_VALUE_REDEEM_URL))
        table_ask(rewards, PROFILE_VALUE_REDEEM_URL,
                  "Which field of a reward is the address that redeems it?");
    import_apply_reply(rewards, PROFILE_IN_REWARD, &import->profile->loyalty.reward);
}

static int import_lookup(struct import *import)
{
    struct members *members = calloc(1, sizeof(*members));
    struct table *rewards = table_create(import, "rewards.reward");
    int err = members == NULL || rewards == NULL ? ERR_NO_MEMORY : 0;
    if (err == 0) {
        members->params_place = "lookup.params";
        members->table = table_create(import, "lookup.member");
        err = members->table == NULL ? ERR_NO_MEMORY : 0;
    }
    if (err == 0) {
        read_as(members->table, member_meanings, COUNT_OF(member_meanings));
        members->table->like = import->found;
        members->table->like_why = "its name, as in a search";
        read_as(rewards, reward_meanings, COUNT_OF(reward_meanings));
        gather_looked_up(import, members, rewards);
        err = finish_members(import, members, &import->profile->loyalty.lookup);
        finish_rewards(import, rewards);
    }
    if (members != NULL)
        table_destroy(members->table);
    table_destroy(rewards);
    free(members);
    return err;
}

/* --- refusals, and redemptions --- */

static bool has_container(const struct jread *reply)
{
    for (size_t i = 0; i < jread_count(reply); i++) {
        struct text name;
        enum jread_kind kind = jread_kind_of(jread_member_at(reply, i, &name));
        if (kind == JREAD_OBJECT || kind == JREAD_ARRAY)
            return true;
    }
    return false;
}

/* What search and look-up answer when they cannot: flat, where a good answer holds members. */
static int import_errors(struct import *import)
{
    struct table *table = table_create(import, "error");
    if (table == NULL)
        return ERR_NO_MEMORY;
    table_read_as_reply(table);
    for (int32_t i = 0; i < import->exchange_count; i++) {
        const struct exchange *exchange = &import->exchanges[i];
        bool is_ours = exchange->action == IMPORT_SEARCH || exchange->action == IMPORT_LOOKUP;
        if (is_ours && exchange->status < 400 && jread_count(exchange->reply) > 0 &&
            jread_kind_of(exchange->reply) == JREAD_OBJECT && !has_container(exchange->reply) &&
            table_begin_example(table, exchange->name, TEXT("")))
            table_add_object(table, exchange->reply);
    }
    table_match(table, import_bonus_of_reply);
    table_tell(table);
    import_apply_reply(table, PROFILE_IN_REFUSAL, &import->profile->loyalty.error);
    table_destroy(table);
    return 0;
}

static bool is_redeemed(const struct exchange *exchange, struct text flag)
{
    bool is_good;
    if (jread_bool(jread_member_named(exchange->reply, flag), &is_good) == 0)
        return is_good;
    return jread_member(exchange->reply, "error") == NULL;
}

static struct table *redeem_table(struct import *import, const struct text *flag, bool is_good)
{
    int32_t index = -1;
    const struct exchange *exchange;
    struct table *table = table_create(import, "redeem.reply");
    if (table == NULL)
        return NULL;
    table_read_as_reply(table);
    if (flag != NULL)
        table->flag = *flag;
    while ((exchange = import_next(import, IMPORT_REDEEM, &index)) != NULL)
        if (jread_kind_of(exchange->reply) == JREAD_OBJECT && exchange->status < 400 &&
            (flag == NULL || is_redeemed(exchange, *flag) == is_good) &&
            table_begin_example(table, exchange->name, TEXT("")))
            table_add_object(table, exchange->reply);
    return table;
}

static void apply_redeem(struct import *import, struct table *table, const struct table *like,
                         bool is_good)
{
    struct profile_loyalty *loyalty = &import->profile->loyalty;
    table->like = like;
    table->like_why = "its name, as in an approval";
    table_match(table, import_bonus_of_reply);
    table_tell(table);
    if (is_good && table->example_count > 0 && table_find(table, PROFILE_VALUE_SUCCESS) == NULL &&
        !table_is_answered_none(table, PROFILE_VALUE_SUCCESS))
        table_ask(table, PROFILE_VALUE_SUCCESS,
                  "Which field of the redeem reply says with true or false whether it worked?");
    if (is_good)
        import_apply_reply(table, PROFILE_IN_REDEEMED, &loyalty->redeemed);
    else
        import_apply_reply(table, PROFILE_IN_REFUSAL, &loyalty->not_redeemed);
}

static int import_redeem(struct import *import)
{
    struct table *all = redeem_table(import, NULL, true), *good = NULL, *bad = NULL;
    int err = ERR_NO_MEMORY;
    if (all == NULL)
        return err;
    table_match(all, NULL);
    const struct column *named = table_find(all, PROFILE_VALUE_SUCCESS);
    struct text flag = named == NULL ? import->flag : named->name;
    good = redeem_table(import, &flag, true);
    bad = redeem_table(import, &flag, false);
    if (good != NULL && bad != NULL) {
        apply_redeem(import, good, NULL, true);
        apply_redeem(import, bad, good, false);
        err = 0;
    }
    table_destroy(all);
    table_destroy(good);
    table_destroy(bad);
    return err;
}

int import_loyalty(struct import *import)
{
    const int32_t *examples = import->report->examples;
    if (examples[IMPORT_SEARCH] + examples[IMPORT_LOOKUP] + examples[IMPORT_REDEEM] == 0)
        return 0;
    int err = import_requests(import);
    if (err == 0 && examples[IMPORT_SEARCH] > 0)
        err = import_search(import);
    if (err == 0 && examples[IMPORT_LOOKUP] > 0)
        err = import_lookup(import);
    if (err == 0)
        err = import_errors(import);
    if (err == 0 && examples[IMPORT_REDEEM] > 0)
        err = import_redeem(import);
    return err;
}
