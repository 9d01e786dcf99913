/* Redemption: the platform calls the reward's address, and the order changes (protocol o-series
 * 3.3). The orders live in a fake cloud, which the target is connected to. */
#include "mocks/check/cases.h"
#include "mocks/check/expect.h"
#include "mocks/check/member.h"

#include <stdio.h>
#include <string.h>

#include "base/banned.h"

#define REDEEM_URL_MAX 2048
#define ORDER_TEXT_MAX 64

/* What a reward may change, as text that can be compared. */
struct sale {
    int64_t id;
    char total[ORDER_TEXT_MAX];
    size_t lines;
};

static struct step *ask_cloud(struct scene *scene, const char *title, const char *method,
                              const char *path, struct text body)
{
    char url[ASK_URL_MAX];
    struct text base = text_of(scene->settings->cloud);
    while (base.length > 0 && base.base[base.length - 1] == '/')
        base.length--;
    (void)snprintf(url, sizeof(url), "%.*s/_cloud%s", (int)base.length, base.base, path);
    struct ask ask = {.action = TILL_REDEEM,
                      .title = title,
                      .method = method,
                      .url = url,
                      .has_body = strcmp(method, "GET") != 0,
                      .body = body};
    return scene_ask(scene, &ask);
}

static bool sale_take(const struct step *step, struct sale *sale)
{
    struct text total;
    const struct jread *order = step->judgement.body;
    if (jread_int64(jread_member(order, "id"), &sale->id) != 0 ||
        jread_scalar(jread_member(order, "total"), &total) != 0)
        return false;
    sale->lines = jread_count(jread_member(order, "lines"));
    return text_copy_utf8(sale->total, sizeof(sale->total), total);
}

static bool sale_open(struct scene *scene, struct sale *sale)
{
    char body[160];
    (void)snprintf(body, sizeof(body),
                   "{\"site_id\":%lld,\"register_id\":%lld,\"status\":\"PENDING\",\"lines\":"
                   "[{\"product_id\":7308,\"quantity\":1}]}",
                   (long long)scene->settings->site_id, (long long)scene->settings->register_id);
    const struct step *step =
        ask_cloud(scene, "a sale is opened at the till", "POST", "/orders", text_of(body));
    return sale_take(step, sale) ||
           scene_skip(scene, "the cloud of --cloud opened no sale: is it a `tillsim cloud` that "
                             "knows this site, this register and product 7308?");
}

static bool sale_read(struct scene *scene, int64_t id, struct sale *sale)
{
    char path[64];
    (void)snprintf(path, sizeof(path), "/orders/%lld", (long long)id);
    const struct step *step =
        ask_cloud(scene, "the sale, as the till shows it", "GET", path, TEXT(""));
    return sale_take(step, sale) ||
           scene_skip(scene, "the cloud of --cloud does not show the sale it has opened");
}

/* The sale goes, and with it what was redeemed: points return to the member. */
static void sale_delete(struct scene *scene, int64_t id)
{
    char path[64];
    (void)snprintf(path, sizeof(path), "/orders/%lld/delete", (long long)id);
    scene->cleans_up = true;
    (void)ask_cloud(scene, "the sale is deleted", "POST", path, TEXT("{}"));
    scene->cleans_up = false;
}

static bool reward_costs(const struct jread *reward, int64_t *points)
{
    return jread_int64(jread_member(reward, "points_required"), points) == 0;
}

/* The cheapest reward that the member can pay. */
static bool choose_reward(struct scene *scene, char url[REDEEM_URL_MAX])
{
    char member[MEMBER_ID_MAX];
    if (!find_member(scene, member))
        return false;
    const struct step *step = look_up(scene, NULL, member, PLACEHOLDER_FIRST);
    if (!expect_object(scene, step))
        return false;
    const struct jread *rewards = jread_member(step->judgement.body, "rewards");
    const struct jread *best = NULL;
    int64_t has = INT64_MAX, costs, lowest = INT64_MAX;
    (void)(jread_int64(jread_member(jread_member(step->judgement.body, "member"), "current_points"),
                       &has) == 0);
    for (size_t i = 0; i < jread_count(rewards); i++) {
        const struct jread *reward = jread_element(rewards, i);
        if (reward_costs(reward, &costs) && costs <= has && costs < lowest) {
            lowest = costs;
            best = reward;
        }
    }
    struct text address;
    if (best == NULL)
        return scene_skip(scene, "the member found by --keyword has no reward that he can pay");
    return (jread_text(jread_member(best, "redeem_url"), &address) == 0 &&
            text_copy_utf8(url, REDEEM_URL_MAX, address)) ||
           scene_fail(scene, "the reward has no redeem_url that can be called");
}

/* As the platform does it: a replacement of text, wherever it stands. */
static struct step *redeem(struct scene *scene, const char *title, const char *redeem_url,
                           int64_t order_id, bool is_repeat)
{
    char old_memory[PLACEHOLDER_TEXT_MAX], new_memory[PLACEHOLDER_TEXT_MAX];
    char memory[REDEEM_URL_MAX];
    struct text url = text_of(redeem_url);
    struct text old = placeholder_text(old_memory, PLACEHOLDER_FIRST);
    struct text new = placeholder_text(new_memory, order_id);
    struct text_buffer out;
    text_buffer_init(&out, memory, sizeof(memory));
    for (size_t at = 0; at < url.length;) {
        bool is_here = text_starts_with(text_slice(url, at, url.length), old);
        text_append(&out, is_here ? new : text_slice(url, at, 1));
        at += is_here ? old.length : 1;
    }
    struct ask ask = {.action = TILL_REDEEM,
                      .title = title,
                      .url = memory,
                      .placeholders = text_count(url, old),
                      .is_repeat = is_repeat};
    return scene_ask(scene, &ask);
}

static bool sale_is_changed(const struct sale *before, const struct sale *after)
{
    return before->lines != after->lines || strcmp(before->total, after->total) != 0;
}

static bool expect_redeemed(struct scene *scene, const struct step *step)
{
    if (!expect_object(scene, step))
        return false;
    if (!step->has_success) {
        scene_expect(scene, "The till cannot tell whether the reward was put on the sale: the "
                            "cashier presses again, or gives it by hand.");
        return scene_fail(scene, "%s: \"success\" is neither true nor false", step->title);
    }
    return step->is_success || fail_refused(scene, step);
}

void redeem_changes_order(struct scene *scene)
{
    char url[REDEEM_URL_MAX];
    struct sale before, after;
    if (!choose_reward(scene, url) || !sale_open(scene, &before))
        return;
    if (expect_redeemed(scene, redeem(scene, "redeem", url, before.id, false)) &&
        sale_read(scene, before.id, &after) && !sale_is_changed(&before, &after))
        scene_fail(scene,
                   "the till was told \"success\":true, and the sale has the same total "
                   "(%s) and the same lines as before",
                   after.total);
    sale_delete(scene, before.id);
}

/* The same address again changes nothing more; on another sale it is refused. */
static void redeem_again(struct scene *scene, const char *url, const struct sale *first,
                         const struct sale *other)
{
    struct sale once, twice, untouched;
    if (!expect_redeemed(scene, redeem(scene, "redeem", url, first->id, false)) ||
        !sale_read(scene, first->id, &once))
        return;
    const struct step *again = redeem(scene, "redeem", url, first->id, true);
    if (!expect_object(scene, again) || !sale_read(scene, first->id, &twice))
        return;
    if (sale_is_changed(&once, &twice)) {
        scene_fail(scene, "the same reward was put on the sale twice: the total went from %s to %s",
                   once.total, twice.total);
        return;
    }
    const struct step *elsewhere =
        redeem(scene, "the same reward on another sale", url, other->id, false);
    if (expect_not_done(scene, elsewhere) && sale_read(scene, other->id, &untouched) &&
        sale_is_changed(other, &untouched))
        scene_fail(scene, "one reward was put on two sales");
}

void redeem_once(struct scene *scene)
{
    char url[REDEEM_URL_MAX];
    struct sale first, other;
    if (!choose_reward(scene, url) || !sale_open(scene, &first))
        return;
    if (sale_open(scene, &other)) {
        redeem_again(scene, url, &first, &other);
        sale_delete(scene, other.id);
    }
    sale_delete(scene, first.id);
}

/* As where no sale is open: the placeholder comes through, or an order that is not there. */
void redeem_unknown_order(struct scene *scene)
{
    char url[REDEEM_URL_MAX];
    if (!choose_reward(scene, url))
        return;
    const struct step *nobodys =
        redeem(scene, "redeem on a sale nobody knows", url, scene_new_order(scene), false);
    if (!expect_not_done(scene, nobodys))
        return;
    (void)expect_not_done(scene, redeem(scene, "redeem with the placeholder still in its address",
                                        url, PLACEHOLDER_FIRST, false));
}
