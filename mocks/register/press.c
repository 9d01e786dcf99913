/* Takes a press from the tap to the wire's log. */
#include "mocks/register/press.h"

#include "base/clock.h"
#include "base/error.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

/* Until December 2049; service code 101: international, no restrictions (ISO/IEC 7813). */
#define STRIPE_END "4912101"

void stripe_write(struct text typed, struct text_buffer *out)
{
    struct text trimmed = text_trim(typed);
    if (trimmed.length > 0 && (trimmed.base[0] == '%' || trimmed.base[0] == ';')) {
        text_append(out, trimmed);
        return;
    }
    const char *star = trimmed.length == 0 ? NULL : memchr(trimmed.base, '*', trimmed.length);
    size_t length = star == NULL ? trimmed.length : (size_t)(star - trimmed.base);
    struct text number = text_slice(trimmed, 0, length);
    text_append(out, TEXT("%B"));
    text_append(out, number);
    text_append(out, TEXT("^GIFT CARD^" STRIPE_END "?;"));
    text_append(out, number);
    text_append(out, TEXT("=" STRIPE_END "?"));
    text_append(out, text_slice(trimmed, length, trimmed.length));
}

/* --- beginning ------------------------------------------------------------------------------- */

static void press_fill(struct press *press, enum till_action action)
{
    const struct config *config = press->config;
    bool is_payment = till_action_is_payment(action);
    press->options = (struct options){.action = action,
                                      .url = action < CONFIG_URLS ? config->urls[action] : NULL,
                                      .url_is_exact = true,
                                      .token = config->token,
                                      .company_id = config->company_id,
                                      .site_id = config->site_id,
                                      .register_id = config->register_id,
                                      .body_is_form = config->body_is_form == 1,
                                      .amount_is_string = config->amount_is_string == 1,
                                      .is_lenient = config->is_lenient == 1,
                                      .dialect = &config->dialect,
                                      .timeout_s = config->timeout_s,
                                      .concurrent = 1};
    press->options.sign_mode = is_payment ? SIGN_HEX : config_sign_mode(config);
    if (config->token[0] == '\0')
        press->options.sign_mode = SIGN_NONE;
}

bool press_begin(struct press *press, struct till *till, enum till_action action,
                 struct till_answer *answer)
{
    *press = (struct press){.till = till, .config = till_config(till)};
    /* A redeem_url came with its reward: what offers the rewards offers it. */
    enum till_action offered = action == TILL_REDEEM ? TILL_REWARD_LOOKUP : action;
    if (!offer_has(till, press->config, offered, answer))
        return false;
    press_fill(press, action);
    press->request = calloc(1, sizeof(*press->request));
    CHECK(press->request != NULL);
    return true;
}

/* As late as possible, so that what is refused before it is sent uses no fault up. */
static void press_arm(struct press *press)
{
    struct till *till = press->till;
    till_lock(till);
    press->faults = till_faults_take(&till->faults);
    press->number = ++till->press_count;
    till->busy_count++;
    till_unlock(till);
    if (press->faults.has_wrong_signature && press->config->token[0] != '\0')
        press->options.sign_mode = SIGN_WRONG;
}

static bool entry_is(struct text entry, const char *word)
{
    return text_equal(entry, text_of(word));
}

static bool press_enter(struct press *press, struct text reference, struct text entry,
                        struct till_answer *answer)
{
    struct text_buffer out;
    press->card = malloc(PRESS_CARD_MAX);
    CHECK(press->card != NULL);
    text_buffer_init(&out, press->card, PRESS_CARD_MAX);
    if (entry_is(entry, "swiped"))
        stripe_write(reference, &out);
    else if (entry.length == 0 || entry_is(entry, "typed") || entry_is(entry, "scanned") ||
             entry_is(entry, "checked_in"))
        text_append(&out, reference);
    else
        return till_refuse(answer, 422, "bad_value",
                           "entry: typed, scanned, swiped or checked_in wanted.");
    if (out.is_cut)
        return till_refuse(answer, 413, "too_large", "The reference is too long.");
    press->options.card = press->card;
    press->options.card_is_reference_id = entry_is(entry, "checked_in");
    return true;
}

bool press_take_card(struct press *press, const struct till_call *call, bool is_wanted,
                     struct till_answer *answer)
{
    struct text reference, entry;
    if (!till_take_text(call->json, "reference", is_wanted, &reference, answer) ||
        !till_take_text(call->json, "entry", false, &entry, answer))
        return false;
    if (is_wanted && text_trim(reference).length == 0)
        return till_refuse(answer, 422, "bad_value", "reference: a card number wanted.");
    if (!is_wanted && reference.length > 0)
        return till_refuse(answer, 422, "bad_value",
                           "This till asks for no reference (requires_reference is off).");
    return !is_wanted || press_enter(press, reference, entry, answer);
}

/* --- sending --------------------------------------------------------------------------------- */

static void send_begin(struct press *press, size_t index)
{
    struct press_send *send = &press->sends[index];
    CHECK(reply_init(&send->attempt.reply) == 0);
    send->started_us = till_clock_us(press->till);
    send->began_us = clock_monotonic_us();
    press->count = index + 1;
}

static void send_one(struct press *press, size_t index, enum cut_kind cut)
{
    static const enum wire_cut CUTS[CUT_KINDS] = {[CUT_AFTER_REQUEST] = WIRE_CUT_AFTER_REQUEST,
                                                  [CUT_AFTER_TIMEOUT] = WIRE_CUT_AFTER_TIMEOUT,
                                                  [CUT_MID_REPLY] = WIRE_CUT_MID_REPLY};
    send_begin(press, index);
    struct press_send *send = &press->sends[index];
    send->cut = cut;
    if (cut == CUT_NONE)
        wire_send(press->request, press->options.timeout_s, &send->attempt.reply);
    else
        wire_send_and_cut(press->request, press->options.timeout_s, CUTS[cut],
                          &send->attempt.reply);
}

static void send_concurrently(struct press *press)
{
    struct reply replies[PRESS_SENDS_MAX];
    for (size_t i = 0; i < PRESS_SENDS_MAX; i++) {
        send_begin(press, i);
        replies[i] = press->sends[i].attempt.reply;
    }
    wire_send_at_once(press->request, press->options.timeout_s, replies, PRESS_SENDS_MAX);
    for (size_t i = 0; i < PRESS_SENDS_MAX; i++)
        press->sends[i].attempt.reply = replies[i];
}

static void press_send_all(struct press *press)
{
    const struct fault_set *faults = &press->faults;
    enum cut_kind cut = faults->drops_reply        ? CUT_AFTER_REQUEST
                        : faults->resets_mid_reply ? CUT_MID_REPLY
                                                   : CUT_NONE;
    if (faults->delay_ms > 0)
        wire_wait(faults->delay_ms * 1000);
    if (faults->twice == SEND_CONCURRENT) {
        send_concurrently(press);
        return;
    }
    if (cut == CUT_NONE && faults->twice == SEND_AFTER_TIMEOUT)
        cut = CUT_AFTER_TIMEOUT;
    send_one(press, 0, cut);
    if (faults->twice != SEND_ONCE)
        send_one(press, 1, CUT_NONE);
}

static bool was_read(const struct press_send *send)
{
    return send->attempt.reply.failure == NULL && !send->attempt.reply.was_dropped;
}

static void press_judge(struct press *press)
{
    for (size_t i = 0; i < press->count; i++)
        judge(&press->sends[i].attempt.reply, press->request, &press->options,
              &press->sends[i].attempt.judgement);
    press->chosen = 0;
    while (press->chosen + 1 < press->count && !was_read(&press->sends[press->chosen]))
        press->chosen++;
}

static void press_read_order(struct press *press, struct shop_answer *reply)
{
    char path[64];
    if (press->order_id == 0)
        return;
    (void)snprintf(path, sizeof(path), "/orders/%lld", (long long)press->order_id);
    if (shop_ask(press->till->shop, "GET", path, NULL, reply) != 0)
        shop_answer_finish(reply);
}

bool press_send(struct press *press, struct till_answer *answer)
{
    press_arm(press);
    int err = request_build(press->request, &press->options);
    if (err == 0) {
        press_read_order(press, &press->before);
        press_send_all(press);
        press_judge(press);
    }
    till_lock(press->till);
    press->till->busy_count--;
    till_unlock(press->till);
    return err == 0 || till_refuse(answer, 413, "too_large", "The request is too long.");
}

const struct judgement *press_judgement(const struct press *press)
{
    return &press->sends[press->chosen].attempt.judgement;
}

/* --- telling --------------------------------------------------------------------------------- */

void press_tell(struct press *press)
{
    press_read_order(press, &press->after);
    for (size_t i = 0; i < press->count; i++) {
        struct press_send *send = &press->sends[i];
        struct exchange exchange = {.press = press->number,
                                    .send = (int64_t)i + 1,
                                    .sends = (int64_t)press->count,
                                    .started_us = send->started_us,
                                    .options = &press->options,
                                    .request = press->request,
                                    .reply = &send->attempt.reply,
                                    .judgement = &send->attempt.judgement,
                                    .faults = &press->faults,
                                    .cut = send->cut,
                                    .order_before = made_text(&press->before.body),
                                    .order_after = made_text(&press->after.body)};
        send->exchange = wire_log_add(&press->till->wire, &exchange);
        recording_add(&press->till->recording, &exchange, send->began_us);
    }
}

static const char *first_failed(const struct judgement *judgement)
{
    for (int rule = 0; rule < RULES; rule++)
        if (judgement->verdicts[rule] == VERDICT_FAILED)
            return rule_name((enum rule)rule);
    return "the reply cannot be used";
}

static void explain_crash(const struct press *press, char *why, size_t size)
{
    const struct reply *reply = &press->sends[press->chosen].attempt.reply;
    struct text_buffer buffer;
    text_buffer_init(&buffer, why, size);
    text_append_format(&buffer, "The reply to %s is not JSON (status %d, ",
                       till_action_path(press->options.action), reply->status);
    text_append_printable(&buffer,
                          reply->content_type[0] == '\0' ? TEXT("no content type")
                                                         : text_of(reply->content_type),
                          TEXT("?"));
    text_append_format(&buffer, ", %zu bytes%s). A real till crashes here.", reply->body_length,
                       reply->is_cut ? ", cut" : "");
}

static void explain_silence(const struct press *press, char *why, size_t size)
{
    const char *failure = press->sends[press->chosen].attempt.reply.failure;
    bool moves_money = press->options.action != TILL_CHECK_BALANCE &&
                       till_action_is_payment(press->options.action);
    (void)snprintf(why, size, "No answer came (%s).%s",
                   failure != NULL ? failure : "cut by a fault",
                   moves_money ? " It may have been done all the same: press again for the same "
                                 "amount, and a partner that is right does it once."
                               : " Try again.");
}

/* What a reply that does not parse is to a payment: the verdicts call it malformed, and the screen
 * crashes all the same (protocol o-series 2.1). */
static bool is_crash(const struct press *press)
{
    const struct judgement *judgement = press_judgement(press);
    return judgement->ending == ENDING_CRASHED ||
           (judgement->ending == ENDING_MALFORMED &&
            judgement->verdicts[RULE_PARSES] == VERDICT_FAILED);
}

void press_say(struct press *press, const char *action)
{
    char text[TILL_ERROR_MAX] = "";
    const struct judgement *judgement = press_judgement(press);
    int64_t exchange = press->sends[press->chosen].exchange;
    bool has_crashed = is_crash(press);
    struct said said = {.action = action,
                        .ending = has_crashed ? "crashed" : ending_name(judgement->ending),
                        .title = "Declined",
                        .text = judgement->sentence,
                        .exchange = exchange,
                        .amount = judgement->amount,
                        .balance = judgement->balance,
                        .reference = judgement->reference};
    if (has_crashed) {
        explain_crash(press, text, sizeof(text));
        said.title = "The till has crashed";
        till_crash(press->till, exchange, text);
    } else if (judgement->ending == ENDING_MALFORMED) {
        (void)snprintf(text, sizeof(text), "It failed at: %s.%s", first_failed(judgement),
                       press->options.has_order ? " Nothing was put on the order." : "");
        said.title = "The answer cannot be used";
    } else if (judgement->ending == ENDING_NO_REPLY || judgement->ending == ENDING_DROPPED) {
        explain_silence(press, text, sizeof(text));
        said.title = "No answer";
    } else if (said.text[0] == '\0') {
        (void)snprintf(text, sizeof(text), "The partner gave no reason.");
    }
    if (text[0] != '\0')
        said.text = text;
    till_say(press->till, &said);
}

void press_finish(struct press *press)
{
    for (size_t i = 0; i < press->count; i++) {
        judgement_finish(&press->sends[i].attempt.judgement);
        reply_finish(&press->sends[i].attempt.reply);
    }
    shop_answer_finish(&press->before);
    shop_answer_finish(&press->after);
    free(press->request);
    free(press->card);
    free(press->config);
    *press = (struct press){0};
}
