/* Customer search and reward look-up: the calls that the vendor calls quite sensitive (protocol
 * o-series 3.1, 3.2). */
#include "mocks/check/cases.h"
#include "mocks/check/expect.h"
#include "mocks/check/member.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

#define FOUND_MAX 20 /* protocol 3.1: what a till's list shows */
#define LONG_KEYWORD 2000
#define NOBODY "zzqx-nobody-is-called-this-9471"

void search_shape(struct scene *scene)
{
    static const enum rule RULES_WANTED[] = {RULE_OBJECT, RULE_MEMBERS, RULE_MEMBER_KEYS,
                                             RULE_MEMBER_FIELDS};
    const struct step *step = search(scene, NULL, scene->settings->keyword, PLACEHOLDER_FIRST);
    if (!expect_rules(scene, step, RULES_WANTED, COUNT_OF(RULES_WANTED)))
        return;
    if (step->judgement.found == 0)
        (void)fail_nobody(scene);
}

static bool is_no_member_list(struct scene *scene, const struct step *step)
{
    const struct jread *members = jread_member(step->judgement.body, "members");
    return scene_fail(scene, "%s: \"members\" is %s, not an object", step->title,
                      jread_kind_of(members) == JREAD_ARRAY ? "an array" : "missing");
}

static void fail_strangers(struct scene *scene, size_t count)
{
    scene_expect(scene, "The till offers strangers to pick from: their points are spent, or given "
                        "to them.");
    scene_fail(scene, "%zu members are called \"%s\"", count, NOBODY);
}

/* An object without members, not the empty list that PHP makes of it. */
void search_nobody(struct scene *scene)
{
    const struct step *step = search(scene, "search for nobody", NOBODY, PLACEHOLDER_FIRST);
    if (!expect_object(scene, step))
        return;
    const struct jread *members = jread_member(step->judgement.body, "members");
    if (jread_kind_of(members) != JREAD_OBJECT)
        (void)is_no_member_list(scene, step);
    else if (jread_count(members) > 0)
        fail_strangers(scene, jread_count(members));
    else if (step->reply.status != 200)
        scene_fail(scene, "the status is %d; nobody found is no error", step->reply.status);
}

/* Either members or a sentence, always JSON. */
static bool search_answers(struct scene *scene, const struct step *step)
{
    if (!expect_object(scene, step))
        return false;
    const struct jread *body = step->judgement.body;
    return jread_kind_of(jread_member(body, "members")) == JREAD_OBJECT ||
           jread_kind_of(jread_member(body, "error")) == JREAD_STRING ||
           is_no_member_list(scene, step);
}

static bool search_raw(struct scene *scene, const char *title, const char *query)
{
    struct ask ask = {.action = TILL_CUSTOMER_SEARCH,
                      .title = title,
                      .query = query,
                      .placeholder_id = PLACEHOLDER_FIRST};
    return search_answers(scene, scene_ask(scene, &ask));
}

void search_odd_keywords(struct scene *scene)
{
    static const struct {
        const char *title;
        const char *keyword;
    } WORDS[] = {{"search for nothing", ""},
                 {"search for a space", " "},
                 {"search for a percent sign", "100%"},
                 {"search for quotes", "O'Brien \"x\" \\"},
                 {"search for an SQL condition", "' OR '1'='1"},
                 {"search for wildcards", "%_*?"},
                 {"search for markup", "<script>alert(1)</script>"},
                 {"search for accents and emoji", "Zo\xc3\xab \xf0\x9f\x8e\x81"},
                 {"search for a plus and an ampersand", "a+b&c=d#e"},
                 {"search for a line end", "david\r\nkent"}};
    char longest[LONG_KEYWORD + 1];
    for (size_t i = 0; i < COUNT_OF(WORDS); i++) {
        if (!search_answers(scene,
                            search(scene, WORDS[i].title, WORDS[i].keyword, PLACEHOLDER_FIRST)))
            return;
    }
    memset(longest, 'k', LONG_KEYWORD);
    longest[LONG_KEYWORD] = '\0';
    if (search_answers(scene,
                       search(scene, "search for 2,000 letters", longest, PLACEHOLDER_FIRST)) &&
        search_raw(scene, "search for invalid UTF-8", "keyword=%ff%fe&order_id=1") &&
        search_raw(scene, "search for a broken escape", "keyword=50%zz&order_id=1"))
        (void)search_raw(scene, "search without a keyword", "order_id=1");
}

/* A field that is there and null counts as missing for a till, and crashes some. */
static bool has_no_null(struct scene *scene, const struct jread *member)
{
    static const char *const NAMES[] = {
        "id",       "first_name", "last_name", "email_address", "points_label",
        "icon_url", "intro_text", "params",    "current_points"};
    size_t count = jread_kind_of(member) == JREAD_OBJECT ? jread_count(member) : 0;
    for (size_t i = 0; i < count; i++) {
        struct text name;
        const struct jread *value = jread_member_at(member, i, &name);
        for (size_t known = 0; known < COUNT_OF(NAMES); known++) {
            if (text_equal(name, text_of(NAMES[known])) && jread_kind_of(value) == JREAD_NULL)
                return scene_fail(scene, "\"%s\" of a member is null", NAMES[known]);
        }
    }
    return true;
}

void search_fields(struct scene *scene)
{
    static const enum rule RULES_WANTED[] = {RULE_MEMBERS, RULE_MEMBER_FIELDS, RULE_MEMBER_TYPES};
    const struct step *step = search(scene, NULL, scene->settings->keyword, PLACEHOLDER_FIRST);
    if (!expect_object(scene, step))
        return;
    const struct jread *members = members_of(step);
    for (size_t i = 0; i < jread_count(members); i++) {
        struct text id;
        if (!has_no_null(scene, jread_member_at(members, i, &id)))
            return;
    }
    if (!expect_rules(scene, step, RULES_WANTED, COUNT_OF(RULES_WANTED)) ||
        jread_count(members) <= FOUND_MAX)
        return;
    scene_expect(scene, "The cashier scrolls through a list that is longer than the screen, and "
                        "takes the wrong member.");
    scene_fail(scene, "%zu members at once; the till's list is made for %d", jread_count(members),
               FOUND_MAX);
}

static bool is_same_list(struct scene *scene, const struct step *first, const struct step *second)
{
    const struct jread *a = members_of(first), *b = members_of(second);
    bool is_same = jread_count(a) == jread_count(b);
    for (size_t i = 0; i < jread_count(a) && is_same; i++) {
        struct text id;
        (void)jread_member_at(a, i, &id);
        is_same = jread_member_named(b, id) != NULL;
    }
    return is_same ||
           scene_fail(scene, "%s: other members were found than with another placeholder",
                      second->title);
}

/* The order_id of a search is no order, only what a redeem_url carries back. */
void search_order_id(struct scene *scene)
{
    const char *keyword = scene->settings->keyword;
    const struct step *first = search(scene, NULL, keyword, PLACEHOLDER_FIRST);
    if (!search_answers(scene, first))
        return;
    if (jread_count(members_of(first)) == 0) {
        scene_expect(scene, "Whoever is at the counter is not found.");
        scene_fail(scene, "nobody was found by \"%s\": %s", keyword,
                   first->judgement.sentence[0] != '\0' ? first->judgement.sentence
                                                        : "no members, and no error");
        return;
    }
    const struct step *small = search(scene, "search with the placeholder 111", keyword, 111);
    if (!search_answers(scene, small) || !is_same_list(scene, first, small))
        return;
    const struct step *large =
        search(scene, "search with a placeholder of 63 bits", keyword, INT64_C(9007199254740993));
    if (search_answers(scene, large))
        (void)is_same_list(scene, first, large);
}

/* --- look-up ---------------------------------------------------------------------------------- */

void lookup_shape(struct scene *scene)
{
    static const enum rule RULES_WANTED[] = {RULE_OBJECT, RULE_MEMBER, RULE_REWARDS,
                                             RULE_REWARD_FIELDS, RULE_ERROR};
    char member[MEMBER_ID_MAX];
    if (!find_member(scene, member))
        return;
    const struct step *step = look_up(scene, NULL, member, PLACEHOLDER_FIRST);
    if (expect_rules(scene, step, RULES_WANTED, COUNT_OF(RULES_WANTED)) &&
        step->judgement.verdicts[RULE_REWARDS] != VERDICT_PASSED)
        scene_fail(scene, "the look-up of a member that the search has found gives no rewards: %s",
                   step->judgement.sentence[0] != '\0' ? step->judgement.sentence
                                                       : "no \"rewards\"");
}

/* 40 bits do not fit an int, 54 no binary fraction: a rounded placeholder is no placeholder. */
void lookup_placeholder(struct scene *scene)
{
    static const int64_t PLACEHOLDERS[] = {111, PLACEHOLDER_FIRST, INT64_C(9007199254740993)};
    static const enum rule RULES_WANTED[] = {RULE_REWARD_URLS};
    char member[MEMBER_ID_MAX];
    if (!find_member(scene, member))
        return;
    for (size_t i = 0; i < COUNT_OF(PLACEHOLDERS); i++) {
        char title[64];
        (void)snprintf(title, sizeof(title), "look-up with the placeholder %lld",
                       (long long)PLACEHOLDERS[i]);
        const struct step *step = look_up(scene, title, member, PLACEHOLDERS[i]);
        if (!expect_rules(scene, step, RULES_WANTED, COUNT_OF(RULES_WANTED)))
            return;
        if (step->judgement.found == 0) {
            scene_skip(scene, "the member has no rewards, so there is no redeem_url to look at");
            return;
        }
    }
}

void lookup_unknown(struct scene *scene)
{
    static const char *const IDS[] = {NOBODY, "' OR '1'='1", "0"};
    for (size_t i = 0; i < COUNT_OF(IDS); i++) {
        const struct step *step =
            look_up(scene, "look-up of a member nobody knows", IDS[i], PLACEHOLDER_FIRST);
        if (!expect_object(scene, step))
            return;
        const struct jread *body = step->judgement.body;
        if (jread_count(jread_member(body, "rewards")) > 0) {
            scene_fail(scene, "rewards are offered to a member nobody knows");
            return;
        }
        if (jread_kind_of(jread_member(body, "error")) != JREAD_STRING &&
            jread_kind_of(jread_member(body, "rewards")) != JREAD_ARRAY) {
            scene_expect(scene, "The member panel stays empty, or the screen crashes.");
            scene_fail(scene, "neither an \"error\" nor \"rewards\" for a member nobody knows");
            return;
        }
    }
}
