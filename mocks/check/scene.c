/* Asks, keeps what was said on both sides, and gives the money back. */
#include "mocks/check/scene.h"

#include "base/clock.h"
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

static const char LEFT_ALONE[] = "the reply was not waited for";

const char *outcome_name(enum outcome outcome)
{
    static const char *const NAMES[] = {"passed", "failed", "blocked", "skipped"};
    return NAMES[outcome];
}

const char *cents_text(char out[], int64_t amount_minor)
{
    struct text_buffer buffer;
    text_buffer_init(&buffer, out, CENTS_TEXT_MAX);
    money_append(&buffer, amount_minor, CENTS_EXPONENT);
    return out;
}

/* --- verdicts ------------------------------------------------------------------------------- */

void scene_begin(struct scene *scene, struct run_state *run)
{
    *scene = (struct scene){.run = run, .settings = run->settings, .wrong = WRONG_OWN};
}

static void step_destroy(struct step *step)
{
    judgement_finish(&step->judgement);
    reading_finish(&step->reading);
    free(step->sent);
    free(step->received);
    free(step);
}

void scene_close(struct scene *scene)
{
    for (size_t i = 0; i < scene->step_count; i++) {
        judgement_finish(&scene->steps[i]->judgement);
        reading_finish(&scene->steps[i]->reading);
        scene->steps[i]->reply.body = NULL;
    }
}

void scene_finish(struct scene *scene)
{
    for (size_t i = 0; i < scene->step_count; i++)
        step_destroy(scene->steps[i]);
    scene->step_count = 0;
}

static const char *number_skip(const char *text)
{
    while ((*text >= '0' && *text <= '9') || *text == '.' || *text == ',')
        text++;
    return text;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

bool sentences_are_alike(const char *a, const char *b)
{
    while (*a != '\0' && *b != '\0') {
        if (is_digit(*a) && is_digit(*b)) {
            a = number_skip(a);
            b = number_skip(b);
        } else if (*a++ != *b++) {
            return false;
        }
    }
    return *a == *b;
}

/* NULL: no case has met it yet; then this one has. */
static const char *find_obstacle(struct run_state *run, const char *sentence)
{
    for (size_t i = 0; i < run->obstacle_count; i++)
        if (sentences_are_alike(run->obstacles[i].sentence, sentence))
            return run->obstacles[i].case_id;
    if (run->case_id == NULL || run->obstacle_count == OBSTACLES_MAX)
        return NULL;
    struct obstacle *obstacle = &run->obstacles[run->obstacle_count++];
    obstacle->case_id = run->case_id;
    (void)snprintf(obstacle->sentence, sizeof(obstacle->sentence), "%s", sentence);
    return NULL;
}

__attribute__((format(printf, 3, 0))) static void
scene_say(struct scene *scene, enum outcome outcome, const char *format, va_list values)
{
    if (scene->outcome != OUTCOME_PASSED || scene->cleans_up)
        return;
    scene->outcome = outcome;
    (void)vsnprintf(scene->sentence, sizeof(scene->sentence), format, values);
    if (outcome == OUTCOME_FAILED && scene->prepares)
        scene->blocked_by = find_obstacle(scene->run, scene->sentence);
    if (scene->blocked_by != NULL)
        scene->outcome = OUTCOME_BLOCKED;
}

bool scene_fail(struct scene *scene, const char *format, ...)
{
    va_list values;
    va_start(values, format);
    scene_say(scene, OUTCOME_FAILED, format, values);
    va_end(values);
    return false;
}

bool scene_skip(struct scene *scene, const char *format, ...)
{
    va_list values;
    va_start(values, format);
    scene_say(scene, OUTCOME_SKIPPED, format, values);
    va_end(values);
    return false;
}

__attribute__((format(printf, 2, 0))) static void
scene_write_consequence(struct scene *scene, const char *format, va_list values)
{
    if (scene->outcome == OUTCOME_PASSED && !scene->cleans_up)
        (void)vsnprintf(scene->consequence, sizeof(scene->consequence), format, values);
}

void scene_expect(struct scene *scene, const char *format, ...)
{
    va_list values;
    va_start(values, format);
    scene_write_consequence(scene, format, values);
    va_end(values);
}

void scene_expect_of(struct scene *scene, enum wrong wrong, const char *format, ...)
{
    va_list values;
    bool is_own = (scene->about & ABOUT(wrong)) != 0;
    if (scene->outcome == OUTCOME_PASSED && !scene->cleans_up)
        scene->wrong = wrong;
    va_start(values, format);
    if (!is_own)
        scene_write_consequence(scene, format, values);
    else if (scene->own_words != NULL)
        scene_expect(scene, "%s", scene->own_words);
    va_end(values);
}

void scene_mean(struct scene *scene, unsigned about, const char *own_words)
{
    scene->about = about;
    scene->own_words = own_words;
}

int64_t scene_new_order(struct scene *scene)
{
    return scene->run->next_order_id++;
}

const char *scene_made_up_card(struct scene *scene)
{
    (void)snprintf(scene->run->made_up_card, sizeof(scene->run->made_up_card), "0000%012lld",
                   (long long)scene_new_order(scene) * 97 % INT64_C(1000000000000));
    return scene->run->made_up_card;
}

const char *scene_unknown_card(struct scene *scene)
{
    return scene->settings->unknown_card != NULL ? scene->settings->unknown_card
                                                 : scene_made_up_card(scene);
}

/* --- the tab -------------------------------------------------------------------------------- */

static struct tab_entry *tab_find(struct scene *scene, const char *card, int64_t order_id)
{
    for (size_t i = 0; i < scene->tab_count; i++) {
        if (scene->tab[i].order_id == order_id && strcmp(scene->tab[i].card, card) == 0)
            return &scene->tab[i];
    }
    CHECK(scene->tab_count < TAB_MAX);
    struct tab_entry *entry = &scene->tab[scene->tab_count++];
    *entry = (struct tab_entry){.order_id = order_id};
    (void)snprintf(entry->card, sizeof(entry->card), "%s", card);
    return entry;
}

/* "0.25" and 0.25 alike; false: it was no plain amount that was asked for. */
static bool asked_cents(const struct ask *ask, int64_t *asked_minor)
{
    struct text amount = text_of(ask->amount);
    if (amount.length > 2 && amount.base[0] == '"')
        amount = text_slice(amount, 1, amount.length - 2);
    return money_parse(amount, CENTS_EXPONENT, asked_minor) == 0 && *asked_minor > 0;
}

/* What a reply says has moved, but no more than was asked: a reply that claims more has hardly
 * taken it. */
static void scene_note_money(struct scene *scene, const struct ask *ask, const struct step *step)
{
    int64_t moved_minor = step->amount_minor, asked_minor;
    const char *card = ask->reference != NULL ? ask->reference : ask->card;
    bool moves =
        ask->action == TILL_CHECKOUT || ask->action == TILL_TOP_UP || ask->action == TILL_REFUND;
    if (!moves || card == NULL || ask->is_repeat || !step->is_success || !step->has_amount ||
        moved_minor <= 0 || moved_minor > MONEY_MAX_MINOR)
        return;
    if (asked_cents(ask, &asked_minor) && asked_minor < moved_minor)
        moved_minor = asked_minor;
    struct tab_entry *entry = tab_find(scene, card, ask->action == TILL_TOP_UP ? 0 : ask->order_id);
    entry->amount_minor += ask->action == TILL_REFUND ? -moved_minor : moved_minor;
}

/* Loads minus charges of the card: positive is on it and should not be. */
static int64_t tab_sum(const struct scene *scene, const char *card)
{
    int64_t sum_minor = 0;
    for (size_t i = 0; i < scene->tab_count; i++) {
        const struct tab_entry *entry = &scene->tab[i];
        if (strcmp(entry->card, card) == 0)
            sum_minor += entry->order_id == 0 ? entry->amount_minor : -entry->amount_minor;
    }
    return sum_minor;
}

static bool give_back(struct scene *scene, enum till_action action, const char *card,
                      int64_t order_id, int64_t amount_minor)
{
    char amount[CENTS_TEXT_MAX];
    struct ask ask = {.action = action,
                      .card = card,
                      .order_id = order_id,
                      .amount = cents_text(amount, amount_minor),
                      .is_clean_up = true};
    if (!settings_have_action(scene->settings, action))
        return false;
    const struct step *step = scene_ask(scene, &ask);
    return step->is_success && step->has_amount && step->amount_minor >= amount_minor;
}

/* owed_minor was charged on several sales; each gives back what it took. */
static int64_t refund_card(struct scene *scene, const char *card, int64_t owed_minor)
{
    size_t count = scene->tab_count;
    for (size_t i = 0; i < count && owed_minor > 0; i++) {
        const struct tab_entry entry = scene->tab[i];
        int64_t amount_minor = entry.amount_minor < owed_minor ? entry.amount_minor : owed_minor;
        if (strcmp(entry.card, card) == 0 && entry.order_id != 0 && amount_minor > 0 &&
            give_back(scene, TILL_REFUND, card, entry.order_id, amount_minor))
            owed_minor -= amount_minor;
    }
    return owed_minor;
}

static void clean_card(struct scene *scene, const char *card)
{
    char amount[CENTS_TEXT_MAX];
    int64_t sum_minor = tab_sum(scene, card), left_minor = 0;
    if (sum_minor > 0 && !give_back(scene, TILL_CHECKOUT, card, scene_new_order(scene), sum_minor))
        left_minor = sum_minor;
    if (sum_minor < 0)
        left_minor = -refund_card(scene, card, -sum_minor);
    if (left_minor != 0)
        (void)snprintf(scene->left, sizeof(scene->left), "%s too %s was left on card ...%s",
                       cents_text(amount, left_minor < 0 ? -left_minor : left_minor),
                       left_minor < 0 ? "little" : "much",
                       card + (strlen(card) > 4 ? strlen(card) - 4 : 0));
}

void scene_clean_up(struct scene *scene)
{
    char card[sizeof(scene->tab[0].card)];
    size_t count = scene->tab_count; /* cleaning up adds its own entries behind */
    scene->cleans_up = true;
    for (size_t i = 0; i < count; i++) {
        bool is_first = true;
        for (size_t before = 0; before < i; before++)
            is_first = is_first && strcmp(scene->tab[before].card, scene->tab[i].card) != 0;
        memcpy(card, scene->tab[i].card, sizeof(card));
        if (is_first)
            clean_card(scene, card);
    }
    scene->cleans_up = false;
}

/* --- asking --------------------------------------------------------------------------------- */

static char *keep(struct text bytes, size_t *kept)
{
    *kept = bytes.length < SHOWN_MAX ? bytes.length : SHOWN_MAX;
    char *copy = malloc(*kept + 1);
    CHECK(copy != NULL);
    if (*kept > 0)
        memcpy(copy, bytes.base, *kept);
    return copy;
}

static void step_write_title(struct step *step, const struct ask *ask)
{
    struct text_buffer title;
    text_buffer_init(&title, step->title, sizeof(step->title));
    text_append_format(&title, "%s",
                       ask->title != NULL ? ask->title : till_action_path(ask->action));
    if (ask->title == NULL && ask->amount != NULL)
        text_append_format(&title, " %.40s", ask->amount);
    if (ask->is_repeat)
        text_append_format(&title, ", again");
}

struct step *scene_begin_step(struct scene *scene, const struct ask *ask)
{
    struct step *step = calloc(1, sizeof(*step));
    CHECK(step != NULL && scene->step_count < STEPS_MAX);
    scene->steps[scene->step_count++] = step;
    step->action = ask->action;
    step->is_clean_up = scene->cleans_up;
    step_write_title(step, ask);
    CHECK(reading_init(&step->reading) == 0);
    bool has_address = ask_write(scene->settings, ask, scene->run->bytes);
    step->sent = keep(scene->run->bytes->whole, &step->sent_kept);
    step->sent_length = scene->run->bytes->whole.length;
    if (!has_address)
        step->reply.failure = "there is no usable address to ask";
    return step;
}

bool scene_open(struct scene *scene, struct line *line)
{
    int64_t now_us = clock_monotonic_us();
    int64_t until_us = now_us + scene->settings->timeout_s * CLOCK_US_PER_S;
    scene->run->requests++;
    if (scene->run->at_once_max == 0)
        scene->run->at_once_max = 1;
    return line_open(line, scene->run->bytes->url,
                     until_us < scene->run->until_us ? until_us : scene->run->until_us);
}

static bool read_cents(const struct jread *value, int64_t *amount_minor)
{
    struct text text;
    return jread_scalar(value, &text) == 0 && money_parse(text, CENTS_EXPONENT, amount_minor) == 0;
}

static void step_take_fields(struct step *step)
{
    const struct jread *body = step->judgement.body;
    step->has_success = jread_bool(jread_member(body, "success"), &step->is_success) == 0;
    step->has_amount = read_cents(jread_member(body, "amount"), &step->amount_minor);
    step->has_balance = read_cents(jread_member(body, "balance"), &step->balance_minor);
}

void step_judge(struct scene *scene, const struct ask *ask, struct step *step)
{
    char plain[64];
    struct text amount = text_of(ask->amount);
    if (amount.length > 2 && amount.base[0] == '"')
        amount = text_slice(amount, 1, amount.length - 2);
    (void)text_copy_utf8(plain, sizeof(plain), amount);
    struct options options = {.action = ask->action,
                              .amount = ask->amount != NULL ? plain : NULL,
                              .placeholder_id = ask->placeholder_id};
    scene->run->redeem->placeholders = ask->placeholders;
    judge(&step->reply, scene->run->redeem, &options, &step->judgement);
    step_take_fields(step);
}

static void step_fill_reply(struct step *step, int64_t time_us)
{
    struct reading *reading = &step->reading;
    step->reply = (struct reply){.failure = reading->failure,
                                 .is_cut = reading->is_too_long,
                                 .status = reading->status,
                                 .time_us = time_us,
                                 .body = reading->body,
                                 .body_length = reading->body_length};
    memcpy(step->reply.content_type, reading->content_type, sizeof(reading->content_type));
    step->received = keep((struct text){reading->bytes, reading->length}, &step->received_kept);
}

static void scene_take_reply(struct scene *scene, const struct ask *ask, struct step *step,
                             int64_t time_us)
{
    step_fill_reply(step, time_us);
    bool is_silent = step->reply.failure != NULL && !ask->leaves_reply;
    scene->run->unanswered_in_a_row = is_silent ? scene->run->unanswered_in_a_row + 1 : 0;
    step_judge(scene, ask, step);
    scene_note_money(scene, ask, step);
}

void scene_read(struct scene *scene, const struct ask *ask, struct step *step, struct line *line)
{
    int64_t started_us = clock_monotonic_us();
    bool has_no_body = ask->method != NULL && strcmp(ask->method, "HEAD") == 0;
    if (line->failure != NULL)
        step->reading.failure = line->failure;
    else
        line_read(line, &step->reading, has_no_body);
    scene_take_reply(scene, ask, step, clock_monotonic_us() - started_us);
}

struct step *scene_ask(struct scene *scene, const struct ask *ask)
{
    struct line line = {0};
    int64_t started_us = clock_monotonic_us();
    struct step *step = scene_begin_step(scene, ask);
    if (step->reply.failure != NULL) {
        step->reading.failure = step->reply.failure;
        line.failure = step->reply.failure;
    } else if (scene_open(scene, &line)) {
        (void)line_send(&line, scene->run->bytes->whole); /* a reply may have come early */
    }
    if (ask->leaves_reply && line.failure == NULL) {
        step->was_left = true;
        step->reading.failure = LEFT_ALONE;
        scene_take_reply(scene, ask, step, 0);
    } else {
        scene_read(scene, ask, step, &line);
    }
    line_close(&line);
    step->reply.time_us = clock_monotonic_us() - started_us;
    return step;
}

void scene_ask_at_once(struct scene *scene, const struct ask *asks, size_t ask_count,
                       struct step **steps, size_t count)
{
    struct line lines[AT_ONCE_MAX] = {{0}};
    CHECK(count <= AT_ONCE_MAX && (ask_count == 1 || ask_count == count));
    for (size_t i = 0; i < count; i++) {
        (void)ask_write(scene->settings, &asks[ask_count == 1 ? 0 : i], scene->run->bytes);
        (void)scene_open(scene, &lines[i]);
    }
    for (size_t i = 0; i < count; i++) {
        steps[i] = scene_begin_step(scene, &asks[ask_count == 1 ? 0 : i]);
        if (lines[i].failure == NULL)
            (void)line_send(&lines[i], scene->run->bytes->whole);
    }
    if (scene->run->at_once_max < count)
        scene->run->at_once_max = count;
    for (size_t i = 0; i < count; i++) {
        struct ask ask = asks[ask_count == 1 ? 0 : i];
        ask.is_repeat = ask.is_repeat || (ask_count == 1 && i > 0);
        scene_read(scene, &ask, steps[i], &lines[i]);
        line_close(&lines[i]);
    }
}
