/* JSON on every path: what goes wrong is answered as what goes right (protocol o-series 2.1, 9). */
#include "mocks/check/cases.h"
#include "mocks/check/expect.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

#define PROBE "0.10"
#define LARGE_BYTES (200 * 1024) /* beyond the 64 KiB of protocol 9, within what proxies pass */

/* A static mock answers whatever it is asked; it is only held to JSON. */
static bool expect_json_refusal(struct scene *scene, const struct step *step)
{
    return scene->settings->profile == PROFILE_STRICT ? expect_not_done(scene, step)
                                                      : expect_object(scene, step);
}

void json_unknown_path(struct scene *scene)
{
    static const char *const METHODS[] = {"POST", "GET"};
    char url[ASK_URL_MAX];
    struct text_buffer buffer;
    text_buffer_init(&buffer, url, sizeof(url));
    const char *target = scene->settings->target;
    text_append(&buffer, text_slice(text_of(target), 0, strcspn(target, "?")));
    text_append(&buffer, TEXT("/no-such-action"));
    for (size_t i = 0; i < COUNT_OF(METHODS); i++) {
        struct ask ask = {.action = TILL_CHECKOUT,
                          .method = METHODS[i],
                          .title = i == 0 ? "POST to a path nobody serves"
                                          : "GET of a path nobody serves",
                          .url = url};
        if (!expect_json_refusal(scene, scene_ask(scene, &ask)))
            return;
    }
}

void json_wrong_method(struct scene *scene)
{
    static const char *const METHODS[] = {"GET", "PUT", "DELETE"};
    for (size_t i = 0; i < COUNT_OF(METHODS); i++) {
        char title[64];
        (void)snprintf(title, sizeof(title), "checkout by %s", METHODS[i]);
        struct ask ask = {.action = TILL_CHECKOUT, .method = METHODS[i], .title = title};
        ask.has_body = i == 0; /* a GET has none */
        if (!expect_json_refusal(scene, scene_ask(scene, &ask)))
            return;
    }
}

static bool body_is_refused(struct scene *scene, const char *title, struct text body)
{
    struct ask ask = {.action = TILL_CHECKOUT, .title = title, .body = body, .has_body = true};
    return expect_json_refusal(scene, scene_ask(scene, &ask));
}

void json_empty_body(struct scene *scene)
{
    (void)(body_is_refused(scene, "checkout with an empty body", TEXT("")) &&
           body_is_refused(scene, "checkout with a body of spaces", TEXT("  \r\n ")));
}

void json_broken_body(struct scene *scene)
{
    static const struct {
        const char *title;
        struct text body;
    } BODIES[] = {
        {"a body that ends too early", {"{\"company_id\":5678,", 19}},
        {"a body with one brace too many", {"{\"company_id\":5678}}", 20}},
        {"a body in single quotes", {"{'amount':1}", 12}},
        {"a body with a comma too many", {"{\"amount\":1,}", 13}},
        {"a body of invalid UTF-8", {"{\"keyword\":\"\xff\xfe\"}", 16}},
        {"a body with a NUL", {"{\"keyword\":\"a\0b\"}", 17}},
        {"a body of text", {"hello", 5}},
        {"a body of XML", {"<?xml version=\"1.0\"?><order/>", 29}},
    };
    for (size_t i = 0; i < COUNT_OF(BODIES); i++) {
        if (!body_is_refused(scene, BODIES[i].title, BODIES[i].body))
            return;
    }
}

/* A PHP or Python handler that indexes into what it has parsed dies of these. */
void json_array_body(struct scene *scene)
{
    (void)(body_is_refused(scene, "the body []", TEXT("[]")) &&
           body_is_refused(scene, "the body [{}]", TEXT("[{}]")) &&
           body_is_refused(scene, "the body null", TEXT("null")) &&
           body_is_refused(scene, "the body \"text\"", TEXT("\"text\"")) &&
           body_is_refused(scene, "the body 42", TEXT("42")) &&
           body_is_refused(scene, "the body {}", TEXT("{}")));
}

/* Large, but a question only: whoever reads it all may answer it. */
void json_too_large(struct scene *scene)
{
    char *body = malloc(LARGE_BYTES);
    CHECK(body != NULL);
    struct text_buffer buffer;
    text_buffer_init(&buffer, body, LARGE_BYTES);
    text_append_format(&buffer, "{\"company_id\":%lld,\"keyword\":\"%s\",\"filler\":\"",
                       (long long)scene->settings->company_id, scene->settings->card);
    while (buffer.length + 3 < LARGE_BYTES)
        text_append_char(&buffer, 'x');
    text_append_format(&buffer, "\"}");
    struct ask ask = {.action = TILL_CHECK_BALANCE,
                      .title = "check-balance with 200 KiB",
                      .body = text_buffer_text(&buffer),
                      .has_body = true};
    (void)expect_object(scene, scene_ask(scene, &ask));
    free(body);
}

void json_unknown_card(struct scene *scene)
{
    const char *card = scene_unknown_card(scene);
    if (settings_have_action(scene->settings, TILL_CHECK_BALANCE)) {
        const struct step *look = pay(scene, TILL_CHECK_BALANCE, card, 0, 0);
        if (!expect_json_refusal(scene, look))
            return;
    }
    const struct step *charge = pay(scene, TILL_CHECKOUT, card, scene_new_order(scene), 10);
    if (scene->settings->profile == PROFILE_STRICT)
        (void)expect_refused(scene, charge);
    else
        (void)expect_object(scene, charge);
}

/* Without a card or an amount nothing can be charged; without the ids a tenant may still be known
 * by its address, so those need only a JSON answer. */
void json_missing_fields(struct scene *scene)
{
    const char *card = scene->settings->card;
    int64_t order_id = scene_new_order(scene);
    struct ask no_card = {.action = TILL_CHECKOUT,
                          .title = "checkout without a card",
                          .order_id = order_id,
                          .amount = PROBE};
    struct ask no_amount = {.action = TILL_CHECKOUT,
                            .title = "checkout without an amount",
                            .order_id = order_id,
                            .card = card};
    struct ask no_ids = {.action = TILL_CHECKOUT,
                         .title = "checkout without company, site and register",
                         .card = card,
                         .has_body = true,
                         .body = TEXT("{\"keyword\":\"\",\"amount\":" PROBE "}")};
    if (expect_json_refusal(scene, scene_ask(scene, &no_card)) &&
        expect_json_refusal(scene, scene_ask(scene, &no_amount)))
        (void)expect_json_refusal(scene, scene_ask(scene, &no_ids));
}

void json_null_fields(struct scene *scene)
{
    const char *card = scene->settings->card;
    int64_t order_id = scene_new_order(scene);
    struct ask null_amount = {.action = TILL_CHECKOUT,
                              .title = "checkout with \"amount\":null",
                              .order_id = order_id,
                              .card = card,
                              .amount = "null"};
    struct ask null_card = {.action = TILL_CHECKOUT,
                            .title = "checkout with \"keyword\":null",
                            .order_id = order_id,
                            .amount = PROBE,
                            .more = ",\"keyword\":null,\"reference_id\":null"};
    struct ask all_null = {.action = TILL_CHECKOUT,
                           .title = "checkout with nothing but null",
                           .has_body = true,
                           .body =
                               TEXT("{\"company_id\":null,\"site_id\":null,\"register_id\":null,"
                                    "\"order_id\":null,\"keyword\":null,\"amount\":null}")};
    if (expect_json_refusal(scene, scene_ask(scene, &null_amount)) &&
        expect_json_refusal(scene, scene_ask(scene, &null_card)))
        (void)expect_json_refusal(scene, scene_ask(scene, &all_null));
}
