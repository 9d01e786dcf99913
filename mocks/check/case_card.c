/* How cashiers, scanners and swipes give a card, and what else stands in the body (protocol
 * o-series 1.2, 2.1). */
#include "mocks/check/cases.h"
#include "mocks/check/expect.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

#define LONG_BYTES (30 * 1024) /* within the 64 KiB of a body */
#define SPELLING_MAX 512

/* The same card in another spelling: its balance is told. */
static bool look_is_same(struct scene *scene, struct ask *ask)
{
    char told[CENTS_TEXT_MAX], real[CENTS_TEXT_MAX];
    int64_t balance_minor;
    if (!read_balance(scene, scene->settings->card, &balance_minor))
        return false;
    ask->action = TILL_CHECK_BALANCE;
    const struct step *step = scene_ask(scene, ask);
    if (!expect_object(scene, step))
        return false;
    if (!step->is_success || !step->has_balance)
        return scene_fail(scene, "%s: the card is not known: %s", step->title,
                          step->judgement.sentence);
    if (step->balance_minor == balance_minor)
        return true;
    scene_expect(scene, "The till tells the balance of another card, and would charge a stranger.");
    return scene_fail(scene, "%s: the balance is %s, by the plain number it is %s", step->title,
                      cents_text(told, step->balance_minor), cents_text(real, balance_minor));
}

static void spell_grouped(char out[SPELLING_MAX], const char *card, char between)
{
    struct text_buffer buffer;
    text_buffer_init(&buffer, out, SPELLING_MAX);
    for (size_t i = 0; card[i] != '\0'; i++) {
        if (i > 0 && i % 4 == 0)
            text_append_char(&buffer, between);
        text_append_char(&buffer, card[i]);
    }
}

void card_dashes(struct scene *scene)
{
    char dashes[SPELLING_MAX], spaces[SPELLING_MAX];
    spell_grouped(dashes, scene->settings->card, '-');
    spell_grouped(spaces, scene->settings->card, ' ');
    struct ask with_dashes = {.card = dashes, .title = "check-balance, typed with dashes"};
    struct ask with_spaces = {.card = spaces, .title = "check-balance, typed with spaces"};
    if (look_is_same(scene, &with_dashes))
        (void)look_is_same(scene, &with_spaces);
}

void card_swipe(struct scene *scene)
{
    char both[SPELLING_MAX], second[SPELLING_MAX];
    const char *card = scene->settings->card;
    (void)snprintf(both, sizeof(both), "%%B%s^GIFT/CARD^49121010000?;%s=49121010000?", card, card);
    (void)snprintf(second, sizeof(second), ";%s=49121010000?", card);
    struct ask two_tracks = {.card = both, .title = "check-balance, swiped"};
    struct ask one_track = {.card = second, .title = "check-balance, swiped, second track only"};
    if (look_is_same(scene, &two_tracks))
        (void)look_is_same(scene, &one_track);
}

/* As for a customer who was checked in; what was typed then is his name. */
void card_reference_id(struct scene *scene)
{
    const char *card = scene->settings->card;
    struct ask alone = {.reference = card, .title = "check-balance by reference_id"};
    struct ask both = {.reference = card,
                       .card = "David Kent",
                       .title = "check-balance by reference_id, with another keyword"};
    if (look_is_same(scene, &alone))
        (void)look_is_same(scene, &both);
}

/* From the register beside: guesses may be counted, and should not lock the main one. */
static struct step *charge_guess(struct scene *scene, const char *title, const char *card)
{
    struct ask ask = {.action = TILL_CHECKOUT,
                      .title = title,
                      .card = card,
                      .order_id = scene_new_order(scene),
                      .register_id = scene->settings->other_register_id,
                      .amount = "0.10"};
    return scene_ask(scene, &ask);
}

static bool words_are_refused(struct scene *scene, const char *title, const char *words)
{
    return expect_refused(scene, charge_guess(scene, title, words));
}

void card_unicode(struct scene *scene)
{
    if (!words_are_refused(scene, "checkout of \"café ☕\"", "caf\xc3\xa9 \xe2\x98\x95") ||
        !words_are_refused(scene, "checkout of digits from another script",
                           "\xd9\xa6\xd9\xa0\xd9\xa3\xd9\xa6\xd9\xa2\xd9\xa8") ||
        !words_are_refused(scene, "checkout of an emoji",
                           "\xf0\x9f\x8e\x81\xf0\x9f\x91\xa8\xe2\x80\x8d\xf0\x9f\x91\xa9"))
        return;
    /* A refusal may have come of a signature over mangled letters; this one must be served. */
    struct ask note = {.card = scene->settings->card,
                       .title = "check-balance with a note of other letters",
                       .more = ",\"note\":\"caf\xc3\xa9 \xe2\x98\x95\""};
    if (note.card != NULL && settings_have_action(scene->settings, TILL_CHECK_BALANCE))
        (void)look_is_same(scene, &note);
}

void card_quotes(struct scene *scene)
{
    (void)(words_are_refused(scene, "checkout of O'Brien \"x\" \\", "O'Brien \"x\" \\") &&
           words_are_refused(scene, "checkout of an SQL condition", "' OR '1'='1' --") &&
           words_are_refused(scene, "checkout of markup", "<b>&amp;</b>${7*7}{{7*7}}"));
}

void card_long(struct scene *scene)
{
    char *digits = malloc(LONG_BYTES + 1);
    CHECK(digits != NULL);
    memset(digits, '7', LONG_BYTES);
    digits[LONG_BYTES] = '\0';
    if (words_are_refused(scene, "checkout of a number with 30,720 digits", digits)) {
        digits[300] = '\0';
        (void)words_are_refused(scene, "checkout of a number with 300 digits", digits);
    }
    free(digits);
}

/* The plain number, or its number with another PIN, must tell nothing. Each guess may count against
 * the card, so there are only two. */
void card_pin(struct scene *scene)
{
    char number[SPELLING_MAX], wrong[SPELLING_MAX];
    const char *card = scene->settings->pin_card;
    const char *star = strchr(card, '*');
    if (star == NULL) {
        scene_skip(scene, "--pin-card wants NUMBER*PIN");
        return;
    }
    struct text_buffer buffer;
    text_buffer_init(&buffer, number, sizeof(number));
    text_append(&buffer, (struct text){card, (size_t)(star - card)});
    /* Another first digit makes another PIN of the same length. */
    text_buffer_init(&buffer, wrong, sizeof(wrong));
    text_append_format(&buffer, "%s*%c%s", number, star[1] == '1' ? '2' : '1',
                       star[1] == '\0' ? "" : star + 2);
    const struct step *right = pay(scene, TILL_CHECK_BALANCE, card, 0, 0);
    if (!expect_object(scene, right))
        return;
    if (!right->is_success) {
        scene_skip(scene,
                   "the card is refused with its PIN (\"%.200s\"): another PIN, or locked "
                   "after wrong ones? Wait some minutes",
                   right->judgement.sentence);
        return;
    }
    if (expect_not_done(scene, pay(scene, TILL_CHECK_BALANCE, wrong, 0, 0)))
        (void)expect_not_done(scene, pay(scene, TILL_CHECK_BALANCE, number, 0, 0));
}

static bool says_the_same(const struct step *a, const struct step *b)
{
    return strcmp(a->judgement.sentence, b->judgement.sentence) == 0;
}

/* Between two unknown numbers: where those are told different things, guesses are being counted,
 * and there is nothing to compare. */
void card_stock(struct scene *scene)
{
    const char *unknown = "charge of a number nobody has";
    const struct step *before = charge_guess(scene, unknown, scene_made_up_card(scene));
    const struct step *stock =
        charge_guess(scene, "charge of a card that is not sold", scene->settings->stock_card);
    const struct step *after = charge_guess(scene, unknown, scene_made_up_card(scene));
    if (!expect_refused(scene, before) || !expect_refused(scene, after))
        return;
    scene_mean(scene, ABOUT(WRONG_APPROVED),
               "Cards taken from the rack pay, and nobody has paid "
               "for them.");
    if (!expect_refused(scene, stock))
        return;
    scene_mean(scene, 0, NULL);
    if (says_the_same(before, after) && !says_the_same(before, stock))
        scene_fail(scene,
                   "a printed card that is not sold is told from a number nobody has: "
                   "\"%.160s\", \"%.160s\"",
                   stock->judgement.sentence, before->judgement.sentence);
}

/* --- what else stands in the body ------------------------------------------------------------- */

void fields_unknown(struct scene *scene)
{
    struct ask ask = {.card = scene->settings->card,
                      .title = "check-balance with fields of tomorrow",
                      .more = ",\"device\":{\"os\":\"iOS\",\"tags\":[1,null,true]},\"tip\":0.50,"
                              "\"X-New-Field\":\"\""};
    (void)look_is_same(scene, &ask);
}

void fields_id_strings(struct scene *scene)
{
    struct ask ask = {.card = scene->settings->card,
                      .title = "check-balance with ids as strings",
                      .order_id = scene_new_order(scene),
                      .ids_are_strings = true};
    (void)look_is_same(scene, &ask);
}

/* Every character of the number as \u00XX, and a solidus escaped as \/. */
void fields_escapes(struct scene *scene)
{
    char memory[ASK_URL_MAX];
    struct text_buffer body;
    const char *card = scene->settings->card;
    text_buffer_init(&body, memory, sizeof(memory));
    text_append_format(&body,
                       "{\"company_id\":%lld,\"site_id\":%lld,\"register_id\":%lld,"
                       "\"note\":\"1\\/2\",\"\\u006beyword\":\"",
                       (long long)scene->settings->company_id, (long long)scene->settings->site_id,
                       (long long)scene->settings->register_id);
    for (size_t i = 0; card[i] != '\0'; i++)
        text_append_format(&body, "\\u%04x", (unsigned char)card[i]);
    text_append_format(&body, "\"}");
    struct ask ask = {.title = "check-balance written in escapes",
                      .body = text_buffer_text(&body),
                      .has_body = true};
    (void)look_is_same(scene, &ask);
}

void fields_form(struct scene *scene)
{
    struct ask ask = {
        .card = scene->settings->card, .title = "check-balance as a form", .is_form = true};
    if (!look_is_same(scene, &ask))
        return;
    struct ask charge = {.action = TILL_CHECKOUT,
                         .title = "checkout as a form",
                         .card = scene->settings->card,
                         .order_id = scene_new_order(scene),
                         .amount = "0.10",
                         .is_form = true};
    (void)expect_approved(scene, scene_ask(scene, &charge), 10);
}
