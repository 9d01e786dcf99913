/* Slow, cut and odd clients: a shop's network at its worst (protocol o-series 9, 10). */
#include "mocks/check/cases.h"
#include "mocks/check/expect.h"

#include "base/clock.h"

#include <string.h>

#include "base/banned.h"

#define PIECES 4
#define PAUSE_US (300 * 1000) /* beyond what a read that expects everything at once survives */
#define AMOUNT_MINOR 20

static struct ask charge_of(struct scene *scene, const char *title)
{
    return (struct ask){.action = TILL_CHECKOUT,
                        .title = title,
                        .card = scene->settings->card,
                        .order_id = scene_new_order(scene),
                        .amount = "0.20"};
}

/* Sends the request with pauses at the places given, then reads the reply. */
static struct step *ask_in_pieces(struct scene *scene, const struct ask *ask,
                                  const size_t cuts[PIECES - 1])
{
    struct line line = {0};
    struct step *step = scene_begin_step(scene, ask);
    struct text bytes = scene->run->bytes->whole;
    bool goes_on = scene_open(scene, &line);
    for (size_t i = 0, from = 0; i < PIECES && goes_on; i++) {
        size_t to = i < PIECES - 1 ? cuts[i] : bytes.length;
        goes_on = line_send(&line, text_slice(bytes, from, to - from));
        if (i < PIECES - 1)
            line_pause(&line, PAUSE_US);
        from = to;
    }
    scene_read(scene, ask, step, &line);
    line_close(&line);
    return step;
}

static size_t head_length(struct scene *scene, const struct ask *ask)
{
    CHECK(ask_write(scene->settings, ask, scene->run->bytes));
    return scene->run->bytes->head_length;
}

void client_slow_body(struct scene *scene)
{
    struct ask ask = charge_of(scene, "checkout whose body comes in four pieces");
    size_t head = head_length(scene, &ask);
    const size_t cuts[PIECES - 1] = {head, head + 20, head + 50};
    (void)expect_approved(scene, ask_in_pieces(scene, &ask, cuts), AMOUNT_MINOR);
}

void client_split_head(struct scene *scene)
{
    struct ask ask = charge_of(scene, "checkout whose head comes in four pieces");
    size_t head = head_length(scene, &ask);
    /* In the request line, in a header's name, between the two characters of the last line end. */
    const size_t cuts[PIECES - 1] = {3, head / 2, head - 1};
    (void)expect_approved(scene, ask_in_pieces(scene, &ask, cuts), AMOUNT_MINOR);
}

/* Half of the body, then the connection ends: there was no charge to be made. */
void client_cut_body(struct scene *scene)
{
    const char *card = scene->settings->card;
    struct ask ask = charge_of(scene, "checkout that breaks off in its body");
    struct line line = {0};
    int64_t balance_minor;
    if (!read_balance(scene, card, &balance_minor))
        return;
    ask.leaves_reply = true;
    struct step *step = scene_begin_step(scene, &ask);
    struct text bytes = scene->run->bytes->whole;
    step->was_left = true;
    if (scene_open(scene, &line))
        (void)line_send(&line, text_slice(bytes, 0, bytes.length - 8));
    line_pause(&line, PAUSE_US);
    line_close(&line);
    line.failure = "the connection was cut on purpose";
    scene_read(scene, &ask, step, &line);
    struct line waiting = {.until_us = scene->run->until_us};
    line_pause(&waiting, PAUSE_US);
    (void)expect_balance(scene, card, balance_minor, "after a charge that never came whole");
}

/* Two requests on one connection. Who does not keep it says so, and the till opens another. */
void client_keep_alive(struct scene *scene)
{
    const char *card = scene->settings->card;
    struct ask look = {.action = TILL_CHECK_BALANCE, .card = card};
    struct ask again = {.action = TILL_CHECK_BALANCE,
                        .card = card,
                        .title = "check-balance on the same connection"};
    struct line line = {0};
    struct step *first = scene_begin_step(scene, &look);
    if (scene_open(scene, &line))
        (void)line_send(&line, scene->run->bytes->whole);
    scene_read(scene, &look, first, &line);
    if (expect_object(scene, first) && !first->reading.says_close) {
        struct step *second = scene_begin_step(scene, &again);
        scene_mean(scene, ABOUT(WRONG_SILENT),
                   "Every second press of the button ends in a connection error.");
        scene->run->requests++;
        (void)line_send(&line, scene->run->bytes->whole);
        scene_read(scene, &again, second, &line);
        (void)expect_object(scene, second);
    }
    line_close(&line);
}

void client_gone_before_reply(struct scene *scene)
{
    const char *card = scene->settings->card;
    int64_t balance_minor;
    if (!read_balance(scene, card, &balance_minor))
        return;
    struct ask ask = charge_of(scene, "checkout whose reply is not waited for");
    ask.leaves_reply = true;
    (void)scene_ask(scene, &ask);
    struct line waiting = {.until_us = scene->run->until_us};
    line_pause(&waiting, PAUSE_US);
    ask.leaves_reply = false;
    ask.title = "the same charge, pressed again";
    if (expect_approved(scene, scene_ask(scene, &ask), AMOUNT_MINOR))
        (void)expect_balance(scene, card, balance_minor - AMOUNT_MINOR,
                             "after a charge whose first reply was lost");
}

void client_chunked(struct scene *scene)
{
    struct ask ask = charge_of(scene, "checkout with a chunked body");
    ask.is_chunked = true;
    (void)expect_approved(scene, scene_ask(scene, &ask), AMOUNT_MINOR);
}

/* The body follows after "100 Continue", or after a while without it (RFC 9110 section 10.1.1). */
void client_expect_continue(struct scene *scene)
{
    struct ask ask = charge_of(scene, "checkout with Expect: 100-continue");
    ask.says_expect = true;
    size_t head = head_length(scene, &ask);
    const size_t cuts[PIECES - 1] = {head, head, head};
    (void)expect_approved(scene, ask_in_pieces(scene, &ask, cuts), AMOUNT_MINOR);
}
