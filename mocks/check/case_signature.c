/* Who may charge cards: X-Kounta-Signature over the raw body (protocol o-series 4). */
#include "mocks/check/cases.h"
#include "mocks/check/expect.h"

#include <stdio.h>
#include <string.h>

#include "base/banned.h"

#define PROBE_MINOR 10
#define PROBE "0.10"
#define ODD_BODY_MAX 1024

/* A charge under this signature must not be served; a forged one is refused and moves nothing. */
static bool charge_is_refused(struct scene *scene, const char *title, const char *signature)
{
    const char *card = scene->settings->card;
    struct ask ask = {.action = TILL_CHECKOUT,
                      .title = title,
                      .card = card,
                      .order_id = scene_new_order(scene),
                      .amount = PROBE,
                      .signature = signature};
    int64_t before_minor;
    if (!read_balance(scene, card, &before_minor) ||
        !expect_not_done(scene, scene_ask(scene, &ask)))
        return false;
    return expect_balance(scene, card, before_minor, "after a charge that was refused");
}

void signature_right(struct scene *scene)
{
    const char *card = scene->settings->card;
    int64_t balance_minor;
    if (read_balance(scene, card, &balance_minor))
        (void)pay_charge(scene, card, PROBE_MINOR);
}

void signature_missing(struct scene *scene)
{
    (void)charge_is_refused(scene, "checkout without a signature", "");
}

void signature_wrong(struct scene *scene)
{
    static const char ZEROS[] = "0000000000000000000000000000000000000000000000000000000000000000";
    char other[ASK_SIGNATURE_MAX];
    ask_sign("another-signature-token", TEXT("{\"amount\":" PROBE "}"), other);
    (void)(charge_is_refused(scene, "checkout signed with another token", other) &&
           charge_is_refused(scene, "checkout signed with 64 zeros", ZEROS) &&
           charge_is_refused(scene, "checkout signed with a word", "signature"));
}

/* A signature that was right once, taken over for a body that somebody has changed. */
void signature_other_body(struct scene *scene)
{
    const char *card = scene->settings->card;
    char signature[ASK_SIGNATURE_MAX];
    struct ask ask = {.action = TILL_CHECK_BALANCE, .card = card};
    if (!expect_object(scene, scene_ask(scene, &ask)))
        return;
    CHECK(ask_write(scene->settings, &ask, scene->run->bytes));
    ask_sign(scene->settings->token, scene->run->bytes->body, signature);
    (void)charge_is_refused(scene, "checkout with the signature of another body", signature);
}

static struct text odd_body(const struct scene *scene, int64_t order_id, char memory[ODD_BODY_MAX])
{
    struct text_buffer body;
    const struct settings *settings = scene->settings;
    text_buffer_init(&body, memory, ODD_BODY_MAX);
    text_append_format(&body,
                       "{ \"company_id\" : %lld,\r\n\t\"site_id\": %lld, \"register_id\":%lld ,"
                       "\n\"order_id\": %lld, \"keyword\" : \"%s\", \"note\": \"caf\\u00e9 1\\/2\","
                       "  \"amount\": 0.10 }\n",
                       (long long)settings->company_id, (long long)settings->site_id,
                       (long long)settings->register_id, (long long)order_id, settings->card);
    return text_buffer_text(&body);
}

/* Who parses and writes the body again before hashing gets another signature than the till's. */
void signature_odd_spacing(struct scene *scene)
{
    char memory[ODD_BODY_MAX], compact[ASK_SIGNATURE_MAX];
    int64_t order_id = scene_new_order(scene);
    struct ask ask = {.action = TILL_CHECKOUT,
                      .title = "checkout with odd spacing and escapes",
                      .card = scene->settings->card,
                      .order_id = order_id,
                      .body = odd_body(scene, order_id, memory),
                      .has_body = true};
    if (!expect_approved(scene, scene_ask(scene, &ask), PROBE_MINOR))
        return;
    struct ask tidy = {.action = TILL_CHECKOUT, .card = scene->settings->card, .amount = PROBE};
    CHECK(ask_write(scene->settings, &tidy, scene->run->bytes));
    ask_sign(scene->settings->token, scene->run->bytes->body, compact);
    ask.order_id = scene_new_order(scene);
    ask.body = odd_body(scene, ask.order_id, memory);
    ask.title = "the same with the signature of the compact body";
    ask.signature = compact;
    scene_mean(scene, ABOUT(WRONG_APPROVED),
               "A signature over other bytes than those that came is "
               "taken: who has one puts his own bytes under it.");
    (void)expect_not_done(scene, scene_ask(scene, &ask));
}
