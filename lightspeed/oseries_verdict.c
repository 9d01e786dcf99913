/* What a reply of the API means: done or not, and if not, may it have happened all the same? */
#include "base/error.h"
#include "base/url.h"
#include "lightspeed/oseries_call.h"

#include <string.h>

#include "base/banned.h"

/* --- the sentence ----------------------------------------------------------------------------- */

static void sentence_set(struct api_result *result, struct text text)
{
    struct text_buffer buffer;
    text_buffer_init(&buffer, result->sentence, sizeof(result->sentence));
    text_append_printable(&buffer, text, TEXT(" "));
}

static struct text member_text(const struct jread *document, const char *name)
{
    struct text text = {NULL, 0};
    if (jread_text(jread_member(document, name), &text) != 0)
        return (struct text){NULL, 0};
    return text;
}

/* Protocol o-series 7.1: error_description, in older replies error_message, or error alone. */
static void read_sentence(struct api_result *result, const struct jread *document)
{
    static const char *const names[] = {"error_description", "error_message", "error"};
    for (size_t i = 0; i < COUNT_OF(names) && result->sentence[0] == '\0'; i++)
        sentence_set(result, member_text(document, names[i]));
}

/* --- the token -------------------------------------------------------------------------------- */

static bool text_contains_nocase(struct text text, struct text word)
{
    for (size_t at = 0; at + word.length <= text.length; at++)
        if (text_equal_nocase(text_slice(text, at, word.length), word))
            return true;
    return false;
}

/* Protocol o-series 6.2: 401, or any 4xx that names the token as the reason. */
static bool says_token_is_stale(int status, const struct api_result *result,
                                const struct jread *document)
{
    struct text error = member_text(document, "error");
    struct text sentence = text_of(result->sentence);
    return status == 401 || text_equal(error, TEXT("invalid_token")) ||
           text_equal(error, TEXT("expired_token")) ||
           (text_contains_nocase(sentence, TEXT("token")) &&
            text_contains_nocase(sentence, TEXT("expired")));
}

/* --- the verdict ------------------------------------------------------------------------------ */

/* No reply, or none that is whole. */
static void judge_silence(struct api_result *result, bool is_change,
                          const struct outbound_reply *reply)
{
    result->error = reply->error == ERR_TOO_LARGE ? ERR_BAD_REPLY : reply->error;
    result->may_have_happened = is_change && reply->was_sent;
    result->may_happen_later = result->may_have_happened && reply->status == 0;
}

/* A gateway gave up waiting for what stands behind it, which may be at it still. */
static bool is_from_gateway(int status)
{
    return status == 502 || status == 503 || status == 504;
}

/* Neither yes nor no. */
static void judge_trouble(struct api_result *result, bool is_change, int status)
{
    result->error = ERR_BAD_REPLY;
    result->may_have_happened = is_change;
    result->may_happen_later = is_change && is_from_gateway(status);
}

static void judge_refusal(struct verdict *verdict, int status, const struct jread *document)
{
    struct api_result *result = &verdict->result;
    verdict->is_rate_limited = status == 429;
    verdict->token_is_stale =
        !verdict->is_rate_limited && says_token_is_stale(status, result, document);
    if (verdict->is_rate_limited)
        result->error = ERR_RATE_LIMITED;
    else if (status == 404)
        result->error = ERR_NOT_FOUND;
    else if (status == 408 || status == 425) /* not read, or not yet: may be sent again */
        result->error = ERR_BAD_REPLY;
    else
        result->error = ERR_REFUSED;
}

/* A page of a captive portal is 200 too: what is no JSON says nothing about our call. */
static void judge_success(struct verdict *verdict, bool is_change,
                          const struct outbound_reply *reply, int parse_err)
{
    if (reply->error != 0) {
        judge_silence(&verdict->result, is_change, reply);
        return;
    }
    bool is_empty = text_trim(reply->body).length == 0;
    if (parse_err != 0 && !(is_change && is_empty)) {
        judge_trouble(&verdict->result, is_change, reply->status);
        return;
    }
    verdict->result.created_id = url_last_number(reply->location);
}

void verdict_make(struct verdict *verdict, bool is_change, const struct outbound_reply *reply)
{
    *verdict =
        (struct verdict){.result = {.status = reply->status, .told_at_us = reply->told_at_us}};
    int parse_err = jread_parse(reply->body, &verdict->document);
    if (parse_err != 0)
        verdict->document = NULL;
    if (reply->status >= 400)
        read_sentence(&verdict->result, verdict->document);
    /* A refusal whose head came is one, even when its body did not. */
    if (reply->status >= 400 && reply->status < 500)
        judge_refusal(verdict, reply->status, verdict->document);
    else if (reply->status >= 200 && reply->status < 300)
        judge_success(verdict, is_change, reply, parse_err);
    else if (reply->status == 0)
        judge_silence(&verdict->result, is_change, reply);
    else
        judge_trouble(&verdict->result, is_change, reply->status);
}

void verdict_finish(struct verdict *verdict)
{
    jread_destroy(verdict->document);
    verdict->document = NULL;
}
