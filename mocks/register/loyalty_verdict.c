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
static bool member_has_fields(const struct jread *member)
{
    return is_filled(jread_member(member, "id")) &&
           jread_kind_of(jread_member(member, "first_name")) == JREAD_STRING &&
           jread_kind_of(jread_member(member, "email_address")) == JREAD_STRING;
}

static bool member_has_types(const struct jread *member)
{
    static const char *const TEXTS[] = {"last_name", "points_label", "icon_url", "intro_text"};
    bool is_good = is_points_or_missing(jread_member(member, "current_points"));
    for (size_t i = 0; i < COUNT_OF(TEXTS); i++)
        is_good = is_good && is_text_or_missing(jread_member(member, TEXTS[i]));
    const struct jread *params = jread_member(member, "params");
    return is_good && (params == NULL || jread_kind_of(params) == JREAD_OBJECT);
}

/* {"error": ...} in place of what was asked for. */
static bool is_refusal(const struct jread *body, const char *wanted, struct judgement *judgement)
{
    if (jread_member(body, "error") == NULL || jread_member(body, wanted) != NULL)
        return false;
    judgement->verdicts[RULE_ERROR] = judge_error(body);
    judgement->ending = ENDING_REFUSED;
    return true;
}

void judge_search(const struct jread *body, struct judgement *judgement)
{
    const struct jread *members = jread_member(body, "members");
    bool have_keys = true, have_fields = true, have_types = true;
    if (is_refusal(body, "members", judgement))
        return;
    bool is_object = jread_kind_of(members) == JREAD_OBJECT;
    judgement->verdicts[RULE_MEMBERS] = verdict_of(is_object);
    judgement->found = is_object ? jread_count(members) : 0;
    if (!is_object)
        return;
    for (size_t i = 0; i < judgement->found; i++) {
        struct text key, id;
        const struct jread *member = jread_member_at(members, i, &key);
        have_fields = have_fields && member_has_fields(member);
        have_types = have_types && member_has_types(member);
        have_keys =
            have_keys && jread_text(jread_member(member, "id"), &id) == 0 && text_equal(id, key);
    }
    judgement->verdicts[RULE_MEMBER_KEYS] = verdict_of(have_keys);
    judgement->verdicts[RULE_MEMBER_FIELDS] = verdict_of(have_fields);
    judgement->verdicts[RULE_MEMBER_TYPES] = verdict_of(have_types);
    judgement->ending = ENDING_APPROVED;
}

static bool reward_has_fields(const struct jread *reward)
{
    int64_t points;
    const struct jread *required = jread_member(reward, "points_required");
    return is_filled(jread_member(reward, "id")) && is_filled(jread_member(reward, "title")) &&
           jread_kind_of(required) == JREAD_NUMBER && jread_int64(required, &points) == 0 &&
           points >= 0 && is_text_or_missing(jread_member(reward, "terms"));
}

/* As a parameter of its own: what stands in front of it is '?' or '&'. */
static bool reward_has_url(const struct jread *reward, struct text placeholder)
{
    struct text url;
    if (jread_text(jread_member(reward, "redeem_url"), &url) != 0 ||
        !(text_starts_with(url, TEXT("https://")) || text_starts_with(url, TEXT("http://"))))
        return false;
    size_t at = url.length > placeholder.length ? url.length - placeholder.length : 0;
    return at > 0 && text_equal(text_slice(url, at, placeholder.length), placeholder) &&
           (url.base[at - 1] == '?' || url.base[at - 1] == '&') &&
           text_count(url, placeholder) == 1;
}

static void judge_rewards(const struct jread *rewards, int64_t placeholder_id,
                          struct judgement *judgement)
{
    char memory[PLACEHOLDER_TEXT_MAX];
    struct text placeholder = placeholder_text(memory, placeholder_id);
    bool have_fields = true, have_urls = true;
    judgement->found = jread_count(rewards);
    for (size_t i = 0; i < judgement->found; i++) {
        const struct jread *reward = jread_element(rewards, i);
        have_fields = have_fields && reward_has_fields(reward);
        have_urls = have_urls && reward_has_url(reward, placeholder);
    }
    judgement->verdicts[RULE_REWARD_FIELDS] = verdict_of(have_fields);
    judgement->verdicts[RULE_REWARD_URLS] = verdict_of(have_urls);
}

void judge_lookup(const struct jread *body, int64_t placeholder_id, struct judgement *judgement)
{
    const struct jread *member = jread_member(body, "member");
    const struct jread *rewards = jread_member(body, "rewards");
    if (is_refusal(body, "member", judgement))
        return;
    bool is_object = jread_kind_of(member) == JREAD_OBJECT;
    bool is_array = jread_kind_of(rewards) == JREAD_ARRAY;
    judgement->verdicts[RULE_MEMBER] = verdict_of(is_object);
    if (is_object) {
        judgement->verdicts[RULE_MEMBER_FIELDS] = verdict_of(member_has_fields(member));
        judgement->verdicts[RULE_MEMBER_TYPES] = verdict_of(member_has_types(member));
    }
    judgement->verdicts[RULE_REWARDS] = verdict_of(is_array);
    if (is_array)
        judge_rewards(rewards, placeholder_id, judgement);
    judgement->ending = ENDING_APPROVED;
}

void judge_redeem(const struct jread *body, const struct request *request,
                  struct judgement *judgement)
{
    bool is_success = false;
    bool has_success = jread_bool(jread_member(body, "success"), &is_success) == 0;
    judgement->verdicts[RULE_PLACEHOLDER] = verdict_of(request->placeholders == 1);
    judgement->verdicts[RULE_SUCCESS] = verdict_of(has_success);
    if (!has_success)
        return;
    judgement->verdicts[RULE_ERROR] = is_success ? VERDICT_NOT_ASKED : judge_error(body);
    judgement->ending = is_success ? ENDING_APPROVED : ENDING_REFUSED;
}
