/* The loyalty section of a profile: names in what search, look-up and redeem ask and answer. */
#include "base/error.h"
#include "handlers/profile_compile.h"

#include <stddef.h>

#include "base/banned.h"

static const char *const field_names[LOYALTY_FIELDS] = {
    [LOYALTY_COMPANY] = "company_id",     [LOYALTY_SITE] = "site_id",
    [LOYALTY_ORDER] = "order_id",         [LOYALTY_KEYWORD] = "keyword",
    [LOYALTY_REFERENCE] = "reference_id", [LOYALTY_CUSTOMER] = "customer_id",
};

/* The lists of fields: where they stand in the file, and where they go. */
static const struct {
    const char *section, *name, *where;
    unsigned list;
    size_t offset;
} replies[] = {
    {"search", "member", "loyalty.search.member", PROFILE_IN_MEMBER,
     offsetof(struct profile_loyalty, search.member)},
    {"search", "params", "loyalty.search.params", PROFILE_IN_PARAMS,
     offsetof(struct profile_loyalty, search.params)},
    {"lookup", "member", "loyalty.lookup.member", PROFILE_IN_MEMBER,
     offsetof(struct profile_loyalty, lookup.member)},
    {"lookup", "params", "loyalty.lookup.params", PROFILE_IN_PARAMS,
     offsetof(struct profile_loyalty, lookup.params)},
    {"rewards", "reward", "loyalty.rewards.reward", PROFILE_IN_REWARD,
     offsetof(struct profile_loyalty, reward)},
    {"redeem", "success", "loyalty.redeem.success", PROFILE_IN_REDEEMED,
     offsetof(struct profile_loyalty, redeemed)},
    {"redeem", "failure", "loyalty.redeem.failure", PROFILE_IN_REFUSAL,
     offsetof(struct profile_loyalty, not_redeemed)},
};

static const struct {
    const char *section, *where;
    size_t offset;
} wrappers[] = {
    {"search", "loyalty.search.wrapper", offsetof(struct profile_loyalty, search.wrapper)},
    {"lookup", "loyalty.lookup.wrapper", offsetof(struct profile_loyalty, lookup.wrapper)},
    {"rewards", "loyalty.rewards.wrapper", offsetof(struct profile_loyalty, rewards_wrapper)},
};

static const struct {
    const char *section, *where;
    size_t offset;
} points[] = {
    {"search", "loyalty.search.points",
     offsetof(struct profile_loyalty, search.points_are_strings)},
    {"lookup", "loyalty.lookup.points",
     offsetof(struct profile_loyalty, lookup.points_are_strings)},
};

const char *profile_loyalty_field_name(enum loyalty_field field)
{
    CHECK(field < LOYALTY_FIELDS);
    return field_names[field];
}

static void *loyalty_at(struct compiler *compiler, size_t offset)
{
    return (char *)&compiler->profile->loyalty + offset;
}

static int read_request(struct compiler *compiler, const struct jread *request)
{
    if (jread_kind_of(request) != JREAD_OBJECT)
        return compiler_complain(compiler, "loyalty.request", "wants an object of fields");
    for (size_t i = 0; i < jread_count(request); i++) {
        struct text name;
        const struct jread *list = jread_member_at(request, i, &name);
        size_t field;
        if (!compiler_find_name(field_names, LOYALTY_FIELDS, name, &field))
            return compiler_complain(compiler, "loyalty.request", "holds an unknown field");
        int err = compiler_read_names(compiler, field_names[field], list,
                                      &compiler->profile->loyalty.request[field]);
        if (err != 0)
            return err;
    }
    return 0;
}

static int read_reply(struct compiler *compiler, const char *section, struct text name,
                      const struct jread *value, bool *is_known)
{
    for (size_t i = 0; i < COUNT_OF(replies); i++) {
        if (!text_equal(text_of(section), text_of(replies[i].section)) ||
            !text_equal(name, text_of(replies[i].name)))
            continue;
        *is_known = true;
        struct profile_reply *reply = loyalty_at(compiler, replies[i].offset);
        bool may_be_empty = replies[i].list == PROFILE_IN_PARAMS;
        if (may_be_empty && jread_kind_of(value) == JREAD_ARRAY && jread_count(value) == 0) {
            reply->count = 0;
            return 0;
        }
        return compiler_read_reply(compiler, replies[i].where, value, replies[i].list, reply);
    }
    return 0;
}

static int read_wrapper(struct compiler *compiler, const char *section, const struct jread *value)
{
    for (size_t i = 0; i < COUNT_OF(wrappers); i++)
        if (text_equal(text_of(section), text_of(wrappers[i].section)))
            return compiler_copy_name(value, loyalty_at(compiler, wrappers[i].offset))
                       ? 0
                       : compiler_complain(compiler, wrappers[i].where,
                                           "a name is a text of 1 to 64 characters");
    return compiler_complain(compiler, section, "has no wrapper");
}

static int read_points(struct compiler *compiler, const char *section, const struct jread *value)
{
    for (size_t i = 0; i < COUNT_OF(points); i++) {
        struct text kind;
        if (!text_equal(text_of(section), text_of(points[i].section)))
            continue;
        bool is_text = jread_text(value, &kind) == 0;
        bool is_string = is_text && text_equal(kind, TEXT("string"));
        if (!is_string && !(is_text && text_equal(kind, TEXT("integer"))))
            return compiler_complain(compiler, points[i].where, "is \"string\" or \"integer\"");
        *(bool *)loyalty_at(compiler, points[i].offset) = is_string;
        return 0;
    }
    return compiler_complain(compiler, section, "has no points");
}

static int read_section(struct compiler *compiler, const char *section, const struct jread *members)
{
    if (jread_kind_of(members) != JREAD_OBJECT)
        return compiler_complain(compiler, section, "wants an object");
    for (size_t i = 0; i < jread_count(members); i++) {
        struct text name;
        const struct jread *value = jread_member_at(members, i, &name);
        bool is_known = false;
        int err = 0;
        if (text_equal(name, TEXT("wrapper")))
            err = read_wrapper(compiler, section, value);
        else if (text_equal(name, TEXT("points")))
            err = read_points(compiler, section, value);
        else if ((err = read_reply(compiler, section, name, value, &is_known)) == 0 && !is_known)
            err = compiler_complain(compiler, section, "holds something unknown");
        if (err != 0)
            return err;
    }
    return 0;
}

int compiler_read_loyalty(struct compiler *compiler, const struct jread *loyalty)
{
    static const char *const sections[] = {"search", "lookup", "rewards", "redeem"};
    if (jread_kind_of(loyalty) != JREAD_OBJECT)
        return compiler_complain(compiler, "loyalty", "wants an object");
    for (size_t i = 0; i < jread_count(loyalty); i++) {
        struct text name;
        const struct jread *member = jread_member_at(loyalty, i, &name);
        size_t section;
        int err;
        if (text_equal(name, TEXT("request")))
            err = read_request(compiler, member);
        else if (text_equal(name, TEXT("error")))
            err = compiler_read_reply(compiler, "loyalty.error", member, PROFILE_IN_REFUSAL,
                                      &compiler->profile->loyalty.error);
        else if (compiler_find_name(sections, COUNT_OF(sections), name, &section))
            err = read_section(compiler, sections[section], member);
        else
            err = compiler_complain(compiler, "loyalty", "holds a section that does not exist");
        if (err != 0)
            return err;
    }
    return 0;
}

static bool request_has_name_twice(const struct profile_names fields[LOYALTY_FIELDS])
{
    for (int a = 0; a < LOYALTY_FIELDS; a++)
        for (int b = 0; b <= a; b++)
            if (compiler_names_meet(&fields[a], &fields[b], a == b))
                return true;
    return false;
}

/* It stands in our redeem_url as it is, behind t=. */
static bool order_name_is_plain(const struct profile_names *order)
{
    struct text name = profile_name(order, 0);
    for (size_t i = 0; i < name.length; i++) {
        char c = name.base[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '_'))
            return false;
    }
    return !text_equal(name, TEXT("t"));
}

int compiler_check_loyalty(struct compiler *compiler)
{
    const struct profile_loyalty *loyalty = &compiler->profile->loyalty;
    const struct profile_names *request = loyalty->request;
    if (request[LOYALTY_ORDER].count == 0 || request[LOYALTY_KEYWORD].count == 0)
        return compiler_complain(compiler, "loyalty.request", "order_id and keyword need a name");
    if (!order_name_is_plain(&request[LOYALTY_ORDER]))
        return compiler_complain(compiler, "loyalty.request",
                                 "the first name of order_id has letters, digits and _ only");
    if (request[LOYALTY_REFERENCE].count + request[LOYALTY_CUSTOMER].count == 0)
        return compiler_complain(compiler, "loyalty.request",
                                 "reference_id or customer_id needs a name");
    if (request_has_name_twice(request))
        return compiler_complain(compiler, "loyalty.request", "one name stands for two things");
    for (size_t i = 0; i < COUNT_OF(replies); i++) {
        const struct profile_reply *reply = loyalty_at(compiler, replies[i].offset);
        if (reply->count == 0 && replies[i].list != PROFILE_IN_PARAMS)
            return compiler_complain(compiler, replies[i].where, "is missing");
    }
    for (size_t i = 0; i < COUNT_OF(wrappers); i++)
        if (*(const char *)loyalty_at(compiler, wrappers[i].offset) == '\0')
            return compiler_complain(compiler, wrappers[i].where, "is missing");
    return loyalty->error.count == 0 ? compiler_complain(compiler, "loyalty.error", "is missing")
                                     : 0;
}
