/* Judges what loyalty replies hold, against the documented schema (protocol o-series 3). */
#include "mocks/register/verdict.h"

#include "base/banned.h"

static bool is_filled(const struct jread *value)
{
    struct text text;
    return jread_text(value, &text) == 0 && text_trim(text).length > 0;
}

/* An optional field may be missing, and null counts as that. */
static bool is_text_or_missing(const struct jread *value)
{
    return value == NULL || jread_kind_of(value) == JREAD_STRING;
}

/* A string in the search and an integer in the look-up; both are documented, so both are taken. */
static bool is_points_or_missing(const struct jread *value)
{
    int64_t points;
    return value == NULL || jread_int64(value, &points) == 0;
}

/* A required text may be empty, but neither missing nor null. */
static bool member_has_fields(const struct jread *member, const char (*names)[DIALECT_NAME_MAX])
{
    return is_filled(jread_member(member, names[MEMBER_ID])) &&
           jread_kind_of(jread_member(member, names[MEMBER_FIRST_NAME])) == JREAD_STRING &&
           jread_kind_of(jread_member(member, names[MEMBER_EMAIL])) == JREAD_STRING;
}

static bool member_has_types(const struct jread *member, const char (*names)[DIALECT_NAME_MAX])
{
    static const enum dialect_member TEXTS[] = {MEMBER_LAST_NAME, MEMBER_POINTS_LABEL,
                                                MEMBER_ICON_URL, MEMBER_INTRO_TEXT};
    bool is_good = is_points_or_missing(jread_member(member, names[MEMBER_POINTS]));
    for (size_t i = 0; i < COUNT_OF(TEXTS); i++)
        is_good = is_good && is_text_or_missing(jread_member(member, names[TEXTS[i]]));
    const struct jread *params = jread_member(member, names[MEMBER_PARAMS]);
    return is_good && (params == NULL || jread_kind_of(params) == JREAD_OBJECT);
}

/* {"error": ...} in place of what was asked for. */
static bool is_refusal(const struct jread *body, const struct options *options, const char *wanted,
                       struct judgement *judgement)
{
    const struct dialect *dialect = options_dialect(options);
    const char *name = dialect->loyalty_error;
    if (jread_member(body, name) == NULL)
        name = dialect->refusal_error;
    if (jread_member(body, name) == NULL || jread_member(body, wanted) != NULL)
        return false;
    judgement->verdicts[RULE_ERROR] = judge_error(body, name);
    judgement->ending = ENDING_REFUSED;
    return true;
}

void judge_search(const struct jread *body, const struct options *options,
                  struct judgement *judgement)
{
    const struct dialect *dialect = options_dialect(options);
    const char(*names)[DIALECT_NAME_MAX] = dialect->member[LOOK_SEARCH];
    const struct jread *members = jread_member(body, dialect->wrapper[LOOK_SEARCH]);
    bool have_keys = true, have_fields = true, have_types = true;
    if (is_refusal(body, options, dialect->wrapper[LOOK_SEARCH], judgement))
        return;
    bool is_object = jread_kind_of(members) == JREAD_OBJECT;
    judgement->verdicts[RULE_MEMBERS] = verdict_of(is_object);
    judgement->found = is_object ? jread_count(members) : 0;
    if (!is_object)
        return;
    for (size_t i = 0; i < judgement->found; i++) {
        struct text key, id;
        const struct jread *member = jread_member_at(members, i, &key);
        have_fields = have_fields && member_has_fields(member, names);
        have_types = have_types && member_has_types(member, names);
        have_keys = have_keys && jread_text(jread_member(member, names[MEMBER_ID]), &id) == 0 &&
                    text_equal(id, key);
    }
    judgement->verdicts[RULE_MEMBER_KEYS] = verdict_of(have_keys);
    judgement->verdicts[RULE_MEMBER_FIELDS] = verdict_of(have_fields);
    judgement->verdicts[RULE_MEMBER_TYPES] = verdict_of(have_types);
    judgement->ending = ENDING_APPROVED;
}

static bool reward_has_fields(const struct jread *reward, const char (*names)[DIALECT_NAME_MAX])
{
    int64_t points;
    const struct jread *required = jread_member(reward, names[REWARD_POINTS_REQUIRED]);
    return is_filled(jread_member(reward, names[REWARD_ID])) &&
           is_filled(jread_member(reward, names[REWARD_TITLE])) &&
           jread_kind_of(required) == JREAD_NUMBER && jread_int64(required, &points) == 0 &&
           points >= 0 && is_text_or_missing(jread_member(reward, names[REWARD_TERMS]));
}

/* As a parameter of its own: what stands in front of it is '?' or '&'. */
static bool reward_has_url(const struct jread *reward, const char *name, struct text placeholder)
{
    struct text url;
    if (jread_text(jread_member(reward, name), &url) != 0 ||
        !(text_starts_with(url, TEXT("https://")) || text_starts_with(url, TEXT("http://"))))
        return false;
    size_t at = url.length > placeholder.length ? url.length - placeholder.length : 0;
    return at > 0 && text_equal(text_slice(url, at, placeholder.length), placeholder) &&
           (url.base[at - 1] == '?' || url.base[at - 1] == '&') &&
           text_count(url, placeholder) == 1;
}

static void judge_rewards(const struct jread *rewards, const struct options *options,
                          struct judgement *judgement)
{
    char memory[PLACEHOLDER_TEXT_MAX];
    const char(*names)[DIALECT_NAME_MAX] = options_dialect(options)->reward;
    struct text placeholder = placeholder_text(memory, options, options->placeholder_id);
    bool have_fields = true, have_urls = true;
    judgement->found = jread_count(rewards);
    for (size_t i = 0; i < judgement->found; i++) {
        const struct jread *reward = jread_element(rewards, i);
        have_fields = have_fields && reward_has_fields(reward, names);
        have_urls = have_urls && reward_has_url(reward, names[REWARD_REDEEM_URL], placeholder);
    }
    judgement->verdicts[RULE_REWARD_FIELDS] = verdict_of(have_fields);
    judgement->verdicts[RULE_REWARD_URLS] = verdict_of(have_urls);
}

void judge_lookup(const struct jread *body, const struct options *options,
                  struct judgement *judgement)
{
    const struct dialect *dialect = options_dialect(options);
    const char(*names)[DIALECT_NAME_MAX] = dialect->member[LOOK_LOOKUP];
    const struct jread *member = jread_member(body, dialect->wrapper[LOOK_LOOKUP]);
    const struct jread *rewards = jread_member(body, dialect->rewards);
    if (is_refusal(body, options, dialect->wrapper[LOOK_LOOKUP], judgement))
        return;
    bool is_object = jread_kind_of(member) == JREAD_OBJECT;
    bool is_array = jread_kind_of(rewards) == JREAD_ARRAY;
    judgement->verdicts[RULE_MEMBER] = verdict_of(is_object);
    if (is_object) {
        judgement->verdicts[RULE_MEMBER_FIELDS] = verdict_of(member_has_fields(member, names));
        judgement->verdicts[RULE_MEMBER_TYPES] = verdict_of(member_has_types(member, names));
    }
    judgement->verdicts[RULE_REWARDS] = verdict_of(is_array);
    if (is_array)
        judge_rewards(rewards, options, judgement);
    judgement->ending = ENDING_APPROVED;
}

void judge_redeem(const struct jread *body, const struct request *request,
                  const struct options *options, struct judgement *judgement)
{
    const struct dialect *dialect = options_dialect(options);
    judgement->verdicts[RULE_PLACEHOLDER] = verdict_of(request->placeholders == 1);
    judge_success(body, options, dialect->redeem_success, dialect->redeem_error, judgement);
}
