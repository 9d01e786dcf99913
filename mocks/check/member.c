/* Searches for members and looks their rewards up. */
#include "mocks/check/member.h"

#include "mocks/check/expect.h"

#include <stdio.h>

#include "base/banned.h"

static struct step *ask_loyalty(struct scene *scene, enum till_action action, const char *title,
                                const char *name, const char *value, int64_t placeholder_id)
{
    char memory[ASK_URL_MAX / 2];
    struct text_buffer query;
    const struct settings *settings = scene->settings;
    text_buffer_init(&query, memory, sizeof(memory));
    text_append_format(&query, "%s=", name);
    text_append_percent(&query, text_of(value));
    text_append_format(&query, "&site_id=%lld&company_id=%lld&order_id=%lld",
                       (long long)settings->site_id, (long long)settings->company_id,
                       (long long)placeholder_id);
    CHECK(!query.is_cut);
    struct ask ask = {
        .action = action, .title = title, .query = memory, .placeholder_id = placeholder_id};
    return scene_ask(scene, &ask);
}

struct step *search(struct scene *scene, const char *title, const char *keyword,
                    int64_t placeholder_id)
{
    return ask_loyalty(scene, TILL_CUSTOMER_SEARCH, title, "keyword", keyword, placeholder_id);
}

struct step *look_up(struct scene *scene, const char *title, const char *reference,
                     int64_t placeholder_id)
{
    return ask_loyalty(scene, TILL_REWARD_LOOKUP, title, "reference_id", reference, placeholder_id);
}

bool expect_rules(struct scene *scene, const struct step *step, const enum rule *rules,
                  size_t count)
{
    if (!expect_object(scene, step))
        return false;
    for (size_t i = 0; i < count; i++) {
        if (step->judgement.verdicts[rules[i]] == VERDICT_FAILED)
            return scene_fail(scene, "%s: not so: %s", step->title, rule_name(rules[i]));
    }
    return true;
}

const struct jread *members_of(const struct step *step)
{
    const struct jread *members = jread_member(step->judgement.body, "members");
    return jread_kind_of(members) == JREAD_OBJECT ? members : NULL;
}

static const char UNPICKED[] =
    "Whoever is at the counter cannot be picked: no points, and no rewards.";

bool fail_nobody(struct scene *scene)
{
    scene_expect(scene, "%s", UNPICKED);
    return scene_fail(scene, "nobody was found by \"%s\"; give a --keyword that finds somebody",
                      scene->settings->keyword);
}

bool find_member(struct scene *scene, char id[MEMBER_ID_MAX])
{
    struct text key = TEXT("");
    const struct step *step = search(scene, NULL, scene->settings->keyword, PLACEHOLDER_FIRST);
    if (!expect_object(scene, step))
        return false;
    const struct jread *members = members_of(step);
    if (jread_count(members) == 0 || jread_member_at(members, 0, &key) == NULL)
        return fail_nobody(scene);
    if (text_copy_utf8(id, MEMBER_ID_MAX, key))
        return true;
    scene_expect(scene, "%s", UNPICKED);
    return scene_fail(scene, "the member's id is longer than 255 bytes, or no UTF-8");
}
